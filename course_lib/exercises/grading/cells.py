"""What of a notebook the grader runs: for each exercise its checks, and the lines they need.

Cells are read as IPython reads them: its input transformer, top-level `await`, a `__future__`
import that holds for all later cells. Of the statements, the grader runs

- each that calls `check`, itself or through a function of the notebook, in a loop, under any name;
- each that makes or may change what those read: imports, definitions, assignments, `if`, `try`,
  `with`, loops, `table[k] = v`, `ones.append(1)`, `fill(table)`, a call of a function that sets a
  global, and what these read in turn;
- settings such as `torch.manual_seed(0)`.

All else (training, figures, prose with numbers in it) is left out. What is run has a time limit,
trains nothing, shows nothing and starts no program. Where a line that was needed could not be run
for such a reason it is named: the verdict is then "not run", never "wrong".
"""

import __future__

import ast
import builtins
import dis
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from course_lib.exercises import EXERCISES

CHECK = re.compile(r"""^[^#\n]*\bcheck\(\s*["']([^"'\n]+)["']""", re.MULTILINE)
CHECKED = "<check>"  # the grader's own name for `check`, which no notebook can redefine
AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
FUTURE = 0
for _name in __future__.all_feature_names:
    FUTURE |= getattr(__future__, _name).compiler_flag

IN_PLACE = {"time", "capture", "prun"}  # magics whose text is run as if it stood alone
SETTINGS = {"torch", "numpy", "random", "os", "sys", "warnings"}  # modules that hold settings
READERS = set(
    "print display len repr str type help isinstance min max sum sorted range zip".split()
)
READERS |= set("zip enumerate float int bool round abs tuple all any hint solution".split())
ANYTHING = {"exec", "eval", "globals", "locals", "vars", "setattr", "get_ipython"}
GIVEN = {*dir(builtins), CHECKED, "display", "get_ipython", "__name__"}
SURELY = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
ATOMS = (int, float, complex, str, bytes, type(None))


@dataclass(eq=False)
class Statement:
    code: CodeType
    cell: int
    line: int
    checks: frozenset[str] = frozenset()  # the exercises whose ids stand in a call of `check`
    may_check: bool = False  # it calls `check` with an id that only running it tells
    binds: frozenset[str] = frozenset()  # names
    sets: frozenset[str] = frozenset()  # names that a call of what it defines binds
    stores: frozenset[str] = frozenset()  # names of whose contents it binds some: a[0] = …
    touches: frozenset[str] = frozenset()  # names that it hands to a call, which may change them
    reads: frozenset[str] = frozenset()  # names
    defines: bool = False  # functions or classes, which do something only when they are called
    fixed: bool = False  # what it binds no call can change
    surely: bool = False  # it binds its names whatever happens
    always: bool = False  # run it whether needed or not
    anything: bool = False  # nobody can tell which names it binds


@dataclass
class Plan:
    """The statements of a notebook, and for each exercise those that its grading runs."""

    statements: list[Statement] = field(default_factory=list)
    needed: dict[str, list[int]] = field(default_factory=dict)  # in the order of the checks
    broken: dict[str, str] = field(default_factory=dict)  # id -> why its cell is no Python
    sources: list[str] = field(default_factory=list)  # of the cells, as Python


def read(data: bytes) -> Plan:
    """The plan of a notebook. Raises where it cannot be read as one."""
    notebook = nbformat.reads(data.decode("utf-8-sig"), as_version=4)
    plan, reader = Plan(), _Reader()
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for number, source in enumerate(sources, 1):
        try:
            plan.sources.append(TransformerManager().transform_cell(source))
            plan.statements += reader.cell(plan.sources[-1], number)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            plan.sources[number - 1 :] = [source]
            text = f"Cell [{number}]: {type(error).__name__}: {error}"[:400]
            plan.broken |= dict.fromkeys(CHECK.findall(source), text)
    ids = [i for statement in plan.statements for i in sorted(statement.checks)]
    ids += EXERCISES if any(statement.may_check for statement in plan.statements) else []
    plan.needed = {i: _slice(plan.statements, i) for i in dict.fromkeys(ids)}
    return plan


# ---- a cell --------------------------------------------------------------------------------------


class _Reader:
    """Reads cell after cell, and remembers what the earlier ones imported."""

    def __init__(self) -> None:
        self.flags = AWAIT
        self.imported = {"check": "course_lib.exercises.check"}  # name -> where it comes from
        self.carriers: set[str] = set()  # names of what calls `check` when it is called
        self.functions: set[str] = set()  # names of functions and classes of the notebook

    def cell(self, source: str, number: int) -> list[Statement]:
        file = f"<cell {number}>"
        tree = ast.parse(source, file)
        whole = compile(tree, file, "exec", self.flags, dont_inherit=True)
        self.flags |= whole.co_flags & FUTURE
        parts = [part for node in tree.body for part in _unpacked(node, file)]
        return [found for node in parts for found in self._statement(node, number, file)]

    def _statement(self, node: ast.stmt, number: int, file: str) -> Iterator[Statement]:
        """One statement; none where it only puts something else in the place of `check`."""
        paths, inside = _imports(node), [_imports(part) for part in ast.walk(node)]
        for found in inside:
            self.imported |= found
        marked = _Marked(self)
        node = ast.fix_missing_locations(marked.visit(node))
        code = compile(ast.Module([node], []), file, "exec", self.flags, dont_inherit=True)
        binds, reads, sets = _bound(code), _globals(code), _set_inside(code)
        checks = {name for name, path in self.imported.items() if _is_check(path)}
        callers = (self.carriers | checks) & reads | marked.passed
        if (binds & checks).difference(*inside) and not callers and CHECKED not in reads:
            return
        defines = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        defines = defines and not node.decorator_list
        defines |= isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
        if (callers or CHECKED in reads) if defines else _passed_on(node, callers):
            self.carriers |= binds
        fixed = defines or _is_checked(node, self.functions)
        self.functions = self.functions | binds if fixed else self.functions - binds
        calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
        yield Statement(
            code,
            number,
            node.lineno,
            checks=frozenset() if defines else frozenset(marked.ids),
            may_check=bool(callers) and not defines and not paths,
            binds=frozenset(binds if defines else binds | sets),
            sets=frozenset(sets),
            stores=frozenset(_stored(node) & reads),
            touches=frozenset(set().union(*map(_handed, calls)) & reads),
            reads=frozenset(reads),
            defines=defines,
            fixed=fixed or bool(paths) or _is_constant(node),
            surely=isinstance(node, SURELY),
            always="*" in paths or self._is_setting(node),
            anything="*" in paths or bool(reads & ANYTHING),
        )

    def path(self, node: ast.AST) -> str:
        """Where an imported name or its attribute comes from: "torch.nn.init"; "" for others."""
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            return base and f"{base}.{node.attr}"
        return self.imported.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _is_setting(self, node: ast.stmt) -> bool:
        """`torch.manual_seed(0)` and the like."""
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or self.path(call.func).split(".")[0] not in SETTINGS:
            return False
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        return all(isinstance(value, ast.Constant) or self.path(value) for value in given)


class _Marked(ast.NodeTransformer):
    """Puts the grader's own `check` where a notebook calls it with an id in quotes."""

    def __init__(self, reader: _Reader):
        self.reader, self.ids = reader, []
        self.passed: set[str] = set()  # where `exercises.check` goes otherwise

    def visit_Call(self, node: ast.Call) -> ast.AST:
        named = getattr(node.func, "attr", "") == "check" or _is_check(self.reader.path(node.func))
        given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "exercise_id")]
        value = given[0].value if given and isinstance(given[0], ast.Constant) else None
        if named and (isinstance(value, str) or not given):
            self.ids += [value] if value in EXERCISES else []
            node.func = ast.copy_location(ast.Name(CHECKED, ast.Load()), node.func)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if _is_check(self.reader.path(node)):
            self.passed.add(node.attr)
        return self.generic_visit(node)


def _is_check(path: str) -> bool:
    return path.startswith("course_lib.exercises") and path.endswith(".check")


def _unpacked(node: ast.stmt, file: str) -> Iterator[ast.stmt]:
    """`%time x = f()` is the statement in it, and a cell under `%%time` the statements."""
    call = node.value if isinstance(node, ast.Expr) else None
    magic = getattr(getattr(call, "func", None), "attr", "")
    if magic not in ("run_line_magic", "run_cell_magic") or call.args[0].value not in IN_PLACE:
        yield node
        return
    inner = ast.parse(TransformerManager().transform_cell(call.args[-1].value), file)
    ast.increment_lineno(inner, node.lineno - (magic == "run_line_magic"))
    for part in inner.body:
        yield from _unpacked(part, file)


def _imports(node: ast.stmt) -> dict[str, str]:
    """name -> where it comes from, of an import."""
    if isinstance(node, ast.ImportFrom):
        return {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    if isinstance(node, ast.Import):
        whole = {a.asname: a.name for a in node.names if a.asname}
        return whole | {a.name.split(".")[0]: a.name.split(".")[0] for a in node.names}
    return {}


def _passed_on(node: ast.AST, names: set[str]) -> bool:
    """Whether one of these functions is not called but passed on: `c = check`, `partial(check)`."""
    called = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    kept = [n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute))]
    kept = [n for n in kept if id(n) not in called]
    return any(getattr(n, "id", getattr(n, "attr", "")) in names for n in kept)


def _stored(node: ast.AST) -> set[str]:
    """`a` of `a[0] = …`, `a.b += …`, `del a[0]`."""
    kinds = (ast.Attribute, ast.Subscript)
    nodes = [n for n in ast.walk(node) if isinstance(n, kinds)]
    return {_base(n) for n in nodes if isinstance(n.ctx, (ast.Store, ast.Del))}


def _handed(call: ast.Call) -> set[str]:
    """The names whose values a call gets: `a` and `b` of `a.append(b)`."""
    if isinstance(call.func, ast.Name) and call.func.id in READERS:
        return set()
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    names = {n.id for value in given for n in ast.walk(value) if isinstance(n, ast.Name)}
    return names | ({_base(call.func)} if isinstance(call.func, ast.Attribute) else set())


def _base(node: ast.AST) -> str:
    """ "a" of a[0].b()"""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_constant(node: ast.stmt) -> bool:
    try:
        value = ast.literal_eval(node.value)
    except (AttributeError, ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    entries = value if isinstance(value, tuple) else [value]
    return isinstance(node, (ast.Assign, ast.AnnAssign)) and all(
        isinstance(entry, ATOMS) for entry in entries
    )


def _is_checked(node: ast.stmt, functions: set[str]) -> bool:
    """`f = check("…", f)` of a function: what comes back is one."""
    call = node.value if isinstance(node, ast.Assign) else None
    given = (
        [n.id for n in call.args if isinstance(n, ast.Name)] if isinstance(call, ast.Call) else []
    )
    return getattr(getattr(call, "func", None), "id", "") == CHECKED and {*given} <= functions


def _named(code: CodeType, *operations: str) -> set[str]:
    return {s.argval for s in dis.get_instructions(code) if s.opname in operations}


def _bound(code: CodeType) -> set[str]:
    return _named(code, "STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL")


def _set_inside(code: CodeType) -> set[str]:
    """The names that functions in it bind by `global`."""
    inner = [c for c in code.co_consts if inspect.iscode(c)]
    return set().union(*(_named(c, "STORE_GLOBAL") | _set_inside(c) for c in inner))


def _globals(code: CodeType) -> set[str]:
    """The global names that a piece of code reads, and all that is defined in it."""
    names = _named(code, "LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
    return names.union(*(_globals(c) for c in code.co_consts if inspect.iscode(c)))


# ---- what an exercise needs ----------------------------------------------------------------------


def _slice(statements: list[Statement], exercise_id: str) -> list[int]:
    """The numbers of the statements that the checks of an exercise need, up to the last check.

    A name comes from the last statement before its use that surely binds it, and from all after
    that one that may bind or change it. What a function reads it reads when it is called: at the
    checks.
    """
    checks = [n for n, s in enumerate(statements) if exercise_id in s.checks or s.may_check]
    end = checks[-1] + 1
    effects, bound = _effects(statements[:end])
    made = set().union(*bound)
    needed = {*checks, *(n for n, s in enumerate(statements[:end]) if s.always)}
    todo = [(name, n) for n in needed for name in statements[n].reads]
    seen = {*todo}
    while todo:
        name, before = todo.pop()
        found = _sources(name, statements[:before], effects, bound)
        if not found and name not in made and name not in GIVEN:
            found = {n for n, s in enumerate(statements[:before]) if s.anything}
        for n in found - needed:
            at = end if statements[n].defines else n
            todo += {(read, at) for read in statements[n].reads} - seen
            seen.update(todo)
        needed |= found
    return sorted(needed)


def _sources(name: str, before: list[Statement], effects: list, bound: list) -> set[int]:
    """The statements that the value of a name comes from."""
    found, touched, fixed = set(), set(), True
    for n in reversed(range(len(before))):
        if name in before[n].stores:
            found.add(n)
        if name in bound[n]:
            found.add(n)
            fixed &= before[n].fixed
            if before[n].surely:
                break
        elif name in effects[n]:
            touched.add(n)
    return found if fixed else found | touched


def _effects(statements: list[Statement]) -> tuple[list[set[str]], list[set[str]]]:
    """For each statement the names whose values it may change, and those that it binds, itself or
    in functions of the notebook that it names."""
    inside: dict[str, list[Statement]] = {}
    for statement in statements:
        for name in statement.binds if statement.defines else ():
            inside.setdefault(name, []).append(statement)
    changed, bound = [], []
    for statement in statements:
        changed.append(set() if statement.defines else {*statement.touches})
        bound.append({*statement.binds})
        seen, todo = set(), set() if statement.defines else {*statement.reads}
        while todo:
            for called in inside.get(name := todo.pop(), ()):
                changed[-1] |= called.touches | called.stores
                bound[-1] |= called.sets
                todo |= called.reads - seen
            seen.add(name)
    return changed, bound
