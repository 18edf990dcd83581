"""Breaks the mathematics on purpose, one small break at a time, and counts what the tests notice.

    python tests/mutants.py                     all modules
    python tests/mutants.py shapes density.kmeans --each 8

Each function and method of a module, private ones too, is broken in up to `--each` ways: another
operator, constant, reduction or dimension, arguments swapped, a statement or a square root left
out, a condition negated, a seed ignored, the result doubled. Each break is run against the module's
test file in a fork of this process: those tests that call the function. Checks of the input and
their messages are left whole. Ends with 1 where fewer than 95 % of a module's breaks are noticed.
"""

import argparse
import ast
import difflib
import functools
import gc
import importlib
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

ROOT = Path(__file__).resolve().parent.parent
# forks are safe only while no thread pool runs, so these come before the imports of numpy and torch
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COURSE_SCALE": "smoke"}
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
sys.path[0] = str(ROOT)

import pytest  # noqa: E402
import torch  # noqa: E402

MODULES = ("shapes", "gan_losses", "density", "metrics", "autoencoders", "diffusion")
FLOOR = 0.95
# how a run may end: pytest's exit code, or what became of the process
SURVIVED = (0, 5)  # 5: no test calls the function
NOTICED = {1: "failed", 2: "not collected", "hung": "hung", "died": "died"}
FORK = multiprocessing.get_context("fork")

# "module.function: the broken line" -> why no test can notice
EQUIVALENT: dict[str, str] = {
    "shapes.receptive_field: kernel, stride, dilation = "
    "map(_whole, ('kernel', 'stride', 'dilation'), (*layer, 1)[:4])": "map ends with the names",
    "density.parzen_sample: return centers[j] - sigma * noise": "the noise has no direction",
    "density.distance_concentration: distances = (points + query).norm(dim=1)": "as above",
    "density._kernel_sum: blocks = (d2 for row in _distances(y, x, min(sigmas)) for d2 in row)": (
        "the sum over all pairs is symmetric"
    ),
    "density._distances: if rounding >= 1e-06:": "both ways are exact enough at the border",
    "density._distances: radius = (_double(high) - middle).sum()": (
        "never below the norm: the slow, exact way is only taken sooner"
    ),
    "density._distances: low = torch.minimum(x.amin(dim=0), y.detach().amin(dim=0))": (
        "the middle is taken from both points, so its gradient cancels"
    ),
    "metrics.precision_recall: slack = "
    "1e-12 * max(real.square().sum(1).max(), fake.square().sum(0).max())": "a guard's size",
    "metrics.precision_recall: slack = "
    "1e-12 * min(real.square().sum(1).max(), fake.square().sum(1).max())": "a guard's size",
    "metrics.ssim: a, b = _two_images(b, a, data_range)": "the formula is symmetric",
    "metrics.psnr: a, b = _two_images(b, a, data_range)": "the error is symmetric",
    "metrics.inception_features: parts = "
    "(_resized(part.to(weight), 299) for part in x.split(AT_ONCE // 9))": "how many at a time",
    "metrics.inception_features: parts = "
    "(_resized(part.to(weight), 299) for part in x.split(AT_ONCE * 10))": "how many at a time",
    "autoencoders.slerp: result = "
    "torch.where(curved, arc / torch.where(curved, sine, 2.0), line)": "elsewhere it is the line",
    "autoencoders._adam: schedule = "
    "torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, factor, total_iters=steps or 0)": (
        "where no end is known the factor is 1"
    ),
    "autoencoders.ConditionalVAE.forward: pass": "encode and decode turn labels into rows too",
    "diffusion._normal: noise = torch.randn"
    "(shape, generator=generator, device=_place(None, like), dtype=like.dtype)": "one device here",
}


# What can be broken

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
EDGES = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
PAIRS = (
    "mean sum, min max, amin amax, argmin argmax, minimum maximum, log log1p, exp expm1, sin cos, "
    "std var, zeros ones, zeros_like ones_like, rand randn, floor ceil, any all, softplus relu, "
    "sigmoid tanh, cumprod cumsum, eval train"
)
OTHER = {a: b for pair in PAIRS.split(", ") for a, b in (pair.split(), pair.split()[::-1])}
OTHER |= {"logsumexp": "amax", "norm": "sum", "trace": "sum", "softmax": "log_softmax"}
DROPPED = {"sqrt", "square", "abs", "clamp", "clamp_", "detach", "tanh", "sigmoid", "double"}
SYMMETRIC = {"min", "max", "minimum", "maximum"}
CHECKS = ("_check", "_same_shape", "_expect", "_symmetric", "_whole", "_positive")
LITERALS = ast.List, ast.Tuple, ast.ListComp, ast.JoinedStr, ast.Dict
SMALL = 1e-5  # smaller constants guard against rounding

NONE, LOAD = ast.Constant(None), ast.Load()


def called(node: ast.AST) -> str:
    """The last name of what a call calls: "mean" of x.mean(0)."""
    target = node.func if isinstance(node, ast.Call) else None
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def other_node(node: ast.AST, types: dict[str, str]) -> Iterator[tuple[str, ast.AST]]:
    """(kind, what may stand in the node's place). types: what the signature says."""
    match node:
        case ast.BinOp(left, op, right) if not isinstance(left, LITERALS):
            if isinstance(op, ast.MatMult):
                yield "operator", ast.BinOp(right, op, left)
            elif type(op) in OPERATORS and not isinstance(right, LITERALS):
                yield "operator", ast.BinOp(left, OPERATORS[type(op)](), right)
        case ast.BoolOp(op, values):
            yield "condition", ast.BoolOp(OPERATORS[type(op)](), values)
        case ast.Compare(left, [op, *ops], right):
            for table in (OPERATORS, EDGES):
                if type(op) in table:
                    yield "comparison", ast.Compare(left, [table[type(op)](), *ops], right)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield "sign", operand
        case ast.IfExp(test, body, orelse) if not isinstance(test, ast.Compare):
            yield "condition", ast.IfExp(test, orelse, body)
        case ast.If(test, body, orelse) if not isinstance(test, ast.Compare):
            yield "condition", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.With(items, body) if not any(item.optional_vars for item in items):
            if not any(word in ast.unparse(items[0]) for word in ("autocast", "_precision")):
                yield "statement", ast.If(ast.Constant(True), body, [])
        case ast.Constant(bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int(value)):
            yield "constant", ast.Constant(value + 1)
            if value:
                yield "constant", ast.Constant(value - 1)
        case ast.Constant(float(value)) if value == 0 or abs(value) >= SMALL:
            yield "constant", ast.Constant(2 * value or 1.0)
        case ast.Attribute(value, "T", ast.Load()) if ast.unparse(value) != "self":
            yield "left out", value
        case ast.Call():
            yield from other_call(node, types)
        case ast.Return(value) if isinstance(value, ast.BinOp | ast.Call) and number(types):
            yield "result", ast.Return(ast.BinOp(ast.Constant(2), ast.Mult(), value))
    if removable(node):
        yield "statement", ast.Pass()


def number(types: dict[str, str]) -> bool:
    return types["return"].startswith(("Float[", "Tensor", "float", "int"))


def alike(a: ast.AST, b: ast.AST, types: dict[str, str]) -> bool:
    """Whether two arguments could be mistaken for each other."""
    if isinstance(a, ast.Name) and isinstance(b, ast.Name):
        return types.get(a.id) == types.get(b.id) and "generator" not in (a.id, b.id)
    return type(a) is type(b) and isinstance(a, ast.Call | ast.BinOp) and called(a) == called(b)


def other_call(node: ast.Call, types: dict[str, str]) -> Iterator[tuple[str, ast.AST]]:
    name, func, args = called(node), node.func, node.args
    if name in OTHER:
        if isinstance(func, ast.Attribute):
            other = ast.Attribute(func.value, OTHER[name], LOAD)
            yield "function", ast.Call(other, args, node.keywords)
        elif name in ("min", "max"):
            yield "function", ast.Call(ast.Name(OTHER[name], LOAD), args, node.keywords)
    if name in DROPPED and isinstance(func, ast.Attribute):
        of_module = isinstance(func.value, ast.Name) and func.value.id in ("math", "torch", "F")
        yield "left out", args[0] if of_module else func.value
    for i, (a, b) in enumerate(zip(args, args[1:], strict=False)):
        if alike(a, b, types) and name not in SYMMETRIC:
            yield "arguments", ast.Call(func, [*args[:i], b, a, *args[i + 2 :]], node.keywords)
    for i, value in enumerate(args):
        if isinstance(value, ast.Name) and value.id == "generator":
            yield "seed", ast.Call(func, [*args[:i], NONE, *args[i + 1 :]], node.keywords)
    for i, keyword in enumerate(node.keywords):
        if isinstance(keyword.value, ast.Name) and keyword.value.id == "generator":
            ignored = ast.keyword(keyword.arg, NONE)
            keywords = [*node.keywords[:i], ignored, *node.keywords[i + 1 :]]
            yield "seed", ast.Call(func, args, keywords)


def removable(node: ast.AST) -> bool:
    """A statement without which the function still runs."""
    match node:
        case ast.Expr(ast.Call() as call):
            return "super()" not in ast.unparse(call) and not called(call).startswith(CHECKS)
        case ast.Assign([ast.Name(name)], value) if not called(value).startswith(CHECKS):
            return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value))
        case ast.Assign([ast.Attribute() | ast.Subscript()]):
            return "self" not in ast.unparse(node.targets[0])
    return isinstance(node, ast.AugAssign)


def left_whole(field: str, child: ast.AST) -> bool:
    """Annotations, texts, checks of the input, and where numbers lie, are no mathematics."""
    if field in ("annotation", "returns", "decorator_list", "ctx", "format_spec"):
        return True
    match child:
        case ast.Raise() | ast.JoinedStr() | ast.keyword("strict" | "progress"):
            return True
        case ast.Compare() | ast.IfExp() if re.search(r"\.device|\.is_meta", ast.unparse(child)):
            return True
        case ast.If(_, [*_, ast.Raise()], []) | ast.ExceptHandler(_, _, [*_, ast.Raise()]):
            return True
    return called(child) == "isinstance" or called(child).startswith(CHECKS)


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, field, index in it, child) of everything in the node that may be broken."""
    for field, value in ast.iter_fields(node):
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not left_whole(field, child):
                yield node, field, i, child
                yield from places(child)


@dataclass
class Break:
    kind: str
    place: tuple[ast.AST, str, int | None]
    old: ast.AST
    new: ast.AST
    diff: str = ""
    line: str = ""  # the broken line alone

    def put(self, node: ast.AST) -> None:
        parent, field, i = self.place
        if i is None:
            setattr(parent, field, node)
        else:
            getattr(parent, field)[i] = node


def breaks(function: ast.FunctionDef, name: str) -> list[Break]:
    """All of them, in an order that is drawn by the function's name and takes turns in kind."""
    before, seen, kinds = ast.unparse(function).splitlines(), set(), defaultdict(list)
    types = {a.arg: ast.unparse(a.annotation) for a in ast.walk(function.args)
             if isinstance(a, ast.arg) and a.annotation}  # fmt: skip
    types["return"] = ast.unparse(function.returns) if function.returns else ""
    found = [
        Break(kind, (parent, field, i), old, ast.copy_location(new, old))
        for parent, field, i, old in places(function)
        for kind, new in other_node(old, types)
    ]
    random.Random(name).shuffle(found)
    for b in found:
        b.put(b.new)
        after = ast.unparse(ast.fix_missing_locations(function)).splitlines()
        b.put(b.old)
        lines = [d for d in difflib.unified_diff(before, after, n=0, lineterm="")][3:]
        b.diff = "\n".join(f"    {d}" for d in lines)
        b.line = " ".join(d[1:].strip() for d in lines if d.startswith("+"))
        if lines and b.diff not in seen and not re.fullmatch(r"(\w+) = \1", b.line):
            seen.add(b.diff)
            kinds[b.kind].append(b)
    order = [(turn, b) for several in kinds.values() for turn, b in enumerate(several)]
    return [b for _, b in sorted(order, key=lambda pair: pair[0])]


def functions(tree: ast.Module, module: str) -> dict[str, ast.FunctionDef]:
    """ "module.Class.method" -> its definition."""
    found = {}
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for f in inside:
            if isinstance(f, ast.FunctionDef) and not f.name.startswith(CHECKS):
                owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                rule = f"[{ast.unparse(f.args.args[0].annotation)}]" if f.name == "_" else ""
                found[f"{module}.{owner}{f.name}{rule}"] = f
    return found


# Breaking a live function


def key(code: CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


def node_key(f: ast.FunctionDef) -> tuple[str, int]:
    return f.name, min([f.lineno, *(d.lineno for d in f.decorator_list)])


def codes(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from codes(part)


def live_functions(file: str) -> dict[tuple[str, int], FunctionType]:
    """The functions of a file, decorated ones and methods too."""
    gc.unfreeze()
    found = (o for o in gc.get_objects() if type(o) is FunctionType)
    return {key(f.__code__): f for f in found if f.__code__.co_filename == file}


def install(b: Break, f: ast.FunctionDef, live: FunctionType, tree: ast.Module) -> None:
    """Gives the function, wherever it is referred to, the broken code and the broken defaults."""
    b.put(b.new)
    code = compile(tree, live.__code__.co_filename, "exec")
    live.__code__ = next(c for c in codes(code) if key(c) == node_key(f))

    def value(node: ast.expr):
        return eval(compile(ast.Expression(node), "default", "eval"), live.__globals__)

    live.__defaults__ = tuple(map(value, f.args.defaults)) or None
    pairs = zip(f.args.kwonlyargs, f.args.kw_defaults, strict=True)
    live.__kwdefaults__ = {a.arg: value(d) for a, d in pairs if d is not None} or None


# Running the tests


class Record:
    """A pytest plugin: which functions of the file each test calls, and how long it takes.

    What is called on import, or for a fixture of several tests, stands under "".
    """

    def __init__(self, file: str):
        self.file, self.now = file, ""
        self.calls, self.seconds = defaultdict(set), defaultdict(float)

    def __call__(self, frame, event, _) -> None:
        if event == "call" and frame.f_code.co_filename == self.file:
            self.calls[self.now].add(key(frame.f_code))

    def pytest_runtest_setup(self, item) -> None:
        self.now = item.nodeid

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        test, self.now = self.now, self.now if fixturedef.scope == "function" else ""
        try:
            return (yield)
        finally:
            self.now = test

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] += report.duration


class Order:
    """A pytest plugin: only the tests that call the function, the fastest of them first."""

    def __init__(self, record: Record, function: tuple[str, int] | None = None):
        self.record, self.function, self.failed = record, function, []

    def pytest_collection_modifyitems(self, items: list) -> None:
        calls, seconds = self.record.calls, self.record.seconds
        if self.function and self.function not in calls[""]:
            items[:] = [item for item in items if self.function in calls[item.nodeid]]
        items.sort(key=lambda item: seconds[item.nodeid])

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.failed.append(str(report.longrepr))


def run_tests(module: str, plugin) -> int:
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "not benchmark"]
    return int(pytest.main([f"tests/test_{module}.py", *options], plugins=[plugin]))


def forked(task: Callable, limit: float):
    """What the task returns in a process of its own; a text where it dies or takes too long.

    limit: seconds of the processor, so that a busy machine changes no result.
    """
    receive, send = FORK.Pipe(duplex=False)

    def work():
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        try:
            result = task()
        except Exception as error:  # ours: pytest reports those of the tests
            result = error
        send.send(result)
        os._exit(0)

    child = FORK.Process(target=work)
    child.start()
    send.close()
    try:
        result = receive.recv() if receive.poll(100 * limit) else "hung"
    except EOFError:
        child.join()
        result = "hung" if child.exitcode == -signal.SIGXCPU else "died"
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.join()
    if isinstance(result, Exception):
        raise result
    return result


def unbroken(module: str, file: str) -> tuple[Record, float]:
    """The record of the tests as they are, and their processor seconds; they must pass."""

    def recorded():
        record = Record(file)
        threading.setprofile(record)
        sys.setprofile(record)
        code = run_tests(module, record)
        sys.setprofile(None)
        return code, record, [m for m in sys.modules if m not in before and "tests" not in m]

    before = set(sys.modules)
    code, record, imported = forked(recorded, 3600)
    for name in imported:  # once here, instead of once in every fork
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("_"):
            with suppress(Exception):  # parts of packages that cannot be imported by themselves
                importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or each fork would copy the whole heap when it collects
    order = Order(record)

    def again():  # in the way in which each break is run
        start = time.process_time()
        return run_tests(module, order), order.failed, time.process_time() - start

    second, failed, seconds = forked(again, 3600)
    if code or second:
        sys.exit("\n".join([f"tests/test_{module}.py fails as it is: {code}, {second}", *failed]))
    return record, seconds


@functools.cache
def prepared(module: str) -> tuple[ast.Module, dict, Record, float]:
    file = importlib.import_module(f"course_lib.{module}").__file__
    live = live_functions(file)
    record, seconds = unbroken(module, file)
    print(f"{module}: the tests pass, {seconds:.0f} s", flush=True)
    return ast.parse(Path(file).read_text(encoding="utf-8")), live, record, seconds


def check(module: str, wanted: str, each: int) -> tuple[int, int, int]:
    """(functions, breaks, noticed) of one module."""
    tree, live, record, seconds = prepared(module)
    count, noticed, total = 0, 0, 0
    for name, f in functions(tree, module).items():
        if not name.startswith(wanted):
            continue
        several = [b for b in breaks(f, name) if f"{name}: {b.line}" not in EQUIVALENT][:each]
        count += bool(several)
        for b in several:

            def task(b=b, f=f):
                install(b, f, live[node_key(f)], tree)
                return run_tests(module, Order(record, node_key(f)))

            result, total = forked(task, 60 + 5 * seconds), total + 1
            if result not in (*SURVIVED, *NOTICED):
                sys.exit(f"pytest ends with {result} for {name}\n{b.diff}")
            noticed += result in NOTICED
            if result != 1:
                print(f"{NOTICED.get(result, 'SURVIVED')}: {name} ({b.kind})\n{b.diff}", flush=True)
    return count, total, noticed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=MODULES, help="module, or module.function")
    parser.add_argument("--each", type=int, default=4, help="breaks a function (4)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(ROOT)
    rows = [(n, *check(n.partition(".")[0], n, options.each)) for n in options.names]
    print(f"\n{'module':<22}{'functions':>10}{'breaks':>8}{'noticed':>9}{'share':>8}")
    for name, count, total, noticed in rows:
        print(f"{name:<22}{count:>10}{total:>8}{noticed:>9}{noticed / max(total, 1):>8.1%}")
    return int(any(noticed < FLOOR * total for *_, total, noticed in rows))


if __name__ == "__main__":
    sys.exit(main())
