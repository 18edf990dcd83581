"""Hands in wrong answers to every exercise, made by machine, and counts those that are refused.

    python tests/exercise_mutants.py                         all exercises, a table
    python tests/exercise_mutants.py vae.negative_elbo ddpm --show   some, and what survives
    python tests/exercise_mutants.py vae --update            writes what survives into the list

Two kinds: small breaks of the solved notebook's own code (tests/breaking.py and more), and wrappers
around the right answer that students' programs resemble: an argument ignored, a numpy array in
place of a tensor, right for square pictures only. What survives must stand in
tests/survivors/TOPIC.json with the reason why one may hand it in; "OPEN" says that the probes are
still to be mended. Some wrappers are right (numpy inside, no_grad) and must be accepted: those that
are not count as "wronged". "unproven" counts messages that quote numbers without an example.
"""

import argparse
import ast
import functools
import inspect
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("COURSE_SCALE", "smoke")
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from course_lib.exercises import EXERCISES, Exercise  # noqa: E402
from course_lib.exercises.engine import _trace, accepts  # noqa: E402
from tests.breaking import breaks, called, other_node  # noqa: E402

SURVIVORS = ROOT / "tests" / "survivors"
LIMIT = 3.0  # seconds for one answer
OPEN = "OPEN"
QUOTES = re.compile(
    r"\b[Yy]ours?\b[^.;:]*?N|\b[Yy]ou (say|give|return|get|take|end|make|count|see)[^.;:]*?N"
    r"|\bcosts? you\b[^.;:]*?N|N[^.;:]*\b(with you|with yours|is yours)\b".replace("N", "[\\d½¼]")
)
# what the model card tells of its model
MEASURED = {"from_training": {"diffusion": [0.5]}, "innocent": 0.5}
MEASURED |= {"measured": {"seen": (0.5, (0.4, 0.6))}}
POSITIVE = ("betas", "alpha_bar", "u")  # between 0 and 1 by what they are
MOVED = {"vae.slerp": "gan.slerp"}  # an old id, which no notebook of today hands in

Wrong = Iterator[tuple[str, Callable]]


# ---- the solved notebooks ------------------------------------------------------------------------


@functools.cache
def answers() -> dict[str, tuple[ast.AST, dict[str, Any]]]:
    """id -> the definition that the solved notebook checks, and the names that it may use."""
    found = {}
    for path in sorted((ROOT / "solutions").glob("*.py")):
        tree, names = ast.parse(path.read_text(encoding="utf-8")), None
        for call in filter(checks, ast.walk(tree)):
            names = names or namespace(tree)
            found[call.args[0].value] = (definition(tree, call.args[1].id), names)
    return found | {old: found[new] for old, new in MOVED.items()}


def checks(node: ast.AST) -> bool:
    """Whether this is `check("an id", function)`."""
    match node:
        case ast.Call(ast.Name("check"), [ast.Constant(value), ast.Name()]):
            return value in EXERCISES
    return False


def definition(tree: ast.Module, name: str) -> ast.AST:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [n for n in tree.body if isinstance(n, kinds) and n.name == name][-1]


def namespace(tree: ast.Module) -> dict[str, Any]:
    """Imports, definitions and constants of a lecture: what its answers need."""
    names: dict[str, Any] = MEASURED | {"__name__": "solution"}
    for node in tree.body:
        constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if constant or isinstance(
            node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
        ):
            with suppress(Exception):  # a class may build on what is not run here
                exec(compile(ast.Module([node], []), "<solution>", "exec"), names)
    return names


# ---- breaks of the code --------------------------------------------------------------------------


def more_nodes(node: ast.AST, types: dict[str, str]) -> Iterator[tuple[str, ast.AST]]:
    """What `other_node` knows, and more that students leave out or mix up."""
    yield from other_node(node, types)
    match node:
        case ast.BinOp(left, ast.Add() | ast.Mult() | ast.Sub() | ast.Div() | ast.Pow(), right):
            yield "left out", left
            yield "left out", right
            if isinstance(node.op, ast.Sub | ast.Div):
                yield "operator", ast.BinOp(right, node.op, left)
        case ast.Return(ast.Tuple([a, b])):
            yield "result", ast.Return(ast.Tuple([b, a], ast.Load()))
        case ast.Return(value) if value and not isinstance(value, ast.Tuple | ast.Constant):
            yield "result", ast.Return(ast.BinOp(ast.Constant(1.1), ast.Mult(), value))
            yield "result", ast.Return(ast.UnaryOp(ast.USub(), value))
        case ast.IfExp(_, body, orelse):
            yield "condition", body
            yield "condition", orelse
        case ast.If(_, body, orelse) if not isinstance(body[-1], ast.Raise):
            yield "condition", ast.If(ast.Constant(True), body, [])
            yield "condition", ast.If(ast.Constant(False), body, orelse or [ast.Pass()])
        case ast.Call(func, args, keywords):
            yield from more_calls(node, func, args, keywords)
        case ast.UnaryOp(ast.USub(), operand):
            yield "sign", operand


def more_calls(node: ast.Call, func: ast.AST, args: list, keywords: list) -> Iterator:
    if called(node) in ("mean", "sum", "norm", "amax", "amin", "max", "min", "std", "var"):
        yield "axis", ast.Call(func, [a for a in args if not number(a)], [])
    for i, keyword in enumerate(keywords):
        if keyword.arg not in ("generator", "dtype"):
            yield "option", ast.Call(func, args, keywords[:i] + keywords[i + 1 :])
    if called(node) in ("exp", "log", "log1p", "flip", "flatten", "item", "clone", "float", "long"):
        if isinstance(func, ast.Attribute) and not args:
            yield "left out", func.value
        elif len(args) == 1:
            yield "left out", args[0]


def with_other_names(function: ast.FunctionDef, node: ast.AST, types: dict[str, str]) -> Iterator:
    """`more_nodes`, and in a name's place the next one that the function knows."""
    yield from more_nodes(node, types)
    known = [a.arg for a in function.args.args if a.arg != "self"]
    known += [
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id not in known
    ]
    if isinstance(node, ast.Name) and node.id in known and isinstance(node.ctx, ast.Load):
        for step in (1, 2):
            other = known[(known.index(node.id) + step) % len(known)]
            if other != node.id:
                yield "name", ast.Name(other, ast.Load())


def number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.UnaryOp) or (
        isinstance(node, ast.Tuple) and all(map(number, node.elts))
    )


def broken(exercise: Exercise) -> Wrong:
    """(the broken line, the function) for every break of the solved notebook's code."""
    node, names = answers()[exercise.id]
    inside = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)]
    functions = inside if isinstance(node, ast.ClassDef) else [node]
    seen = set()
    for function in functions:
        for b in breaks(function, exercise.id, functools.partial(with_other_names, function)):
            if b.line in seen:
                continue
            seen.add(b.line)
            b.put(b.new)
            with suppress(SyntaxError, TypeError, ValueError):
                yield b.line or b.diff, built(node, names)
            b.put(b.old)


def built(node: ast.AST, names: dict[str, Any]) -> Callable:
    scope = dict(names)
    tree = ast.fix_missing_locations(ast.Module([node], []))
    exec(compile(tree, "<mutant>", "exec"), scope)
    return scope[node.name]


# ---- wrappers ------------------------------------------------------------------------------------


@dataclass
class Calls:
    """How the probes call a function, and what the reference returns."""

    exercise: Exercise
    given: list[dict[str, Any]] = field(default_factory=list)
    returned: list[Any] = field(default_factory=list)

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.exercise.reference)

    def named(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        bound = self.signature.bind(*args, **kwargs)
        return dict(bound.arguments)

    def values(self, name: str) -> list[Any]:
        return [given[name] for given in self.given if name in given]

    @functools.cached_property
    def gradient(self) -> bool:
        """Whether a probe looks at a gradient that is not 0."""
        outcomes = _trace(self.exercise, self.exercise.reference).outcomes
        pairs = [pair for o in outcomes for pair in o.observed.items()]
        return any("gradient" in name and isinstance(v, Tensor) and v.any() for name, v in pairs)

    def first_axis(self, name: str) -> str:
        """ "n" of Float[Tensor, "n d"]"""
        text = str(self.signature.parameters[name].annotation)
        annotation = self.signature.parameters[name].annotation
        text = getattr(annotation, "dim_str", "") or text
        return (text.split() or [""])[0]


def calls_of(exercise: Exercise) -> Calls:
    calls = Calls(exercise)

    @functools.wraps(exercise.reference)
    def recorded(*args, **kwargs):
        calls.given.append(calls.named(args, kwargs))
        result = exercise.reference(*args, **kwargs)
        calls.returned.append(result)
        return result

    assert accepts(exercise, recorded), f"{exercise.id}: the reference is refused"
    half = len(calls.given) // 2  # each probe is taken twice
    calls.given, calls.returned = calls.given[:half], calls.returned[:half]
    return calls


def of_arguments(calls: Calls, change: Callable[[dict[str, Any]], Any]) -> Callable:
    """The right answer to other arguments: `change` alters them."""

    def wrong(*args, **kwargs):
        given = calls.named(args, kwargs)
        change(given)
        return calls.exercise.reference(**given)

    return wrong


def of_result(calls: Calls, change: Callable[..., Any]) -> Callable:
    """What `change(result, given)` makes of the right answer."""

    def wrong(*args, **kwargs):
        return change(calls.exercise.reference(*args, **kwargs), calls.named(args, kwargs))

    return wrong


def leaves(result: Any, change: Callable[[Any], Any]) -> Any:
    """`change` of each entry of a result."""
    if isinstance(result, (tuple, list)):
        return type(result)(leaves(entry, change) for entry in result)
    return change(result)


def spoiled(result: Any) -> Any:
    def other(value):
        if isinstance(value, Tensor):
            return ~value if value.dtype == torch.bool else value * 1.5 + 1
        return (not value) if isinstance(value, bool) else value * 2 + 1

    return leaves(result, other)


def floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def wrong_wrappers(calls: Calls) -> Wrong:
    for kind in (ignoring, in_place, other_types, left_behind, other_generators, only_for, memory):
        for name, wrong in kind(calls):
            yield f"({name})", wrong


def ignoring(calls: Calls) -> Wrong:
    for name, parameter in calls.signature.parameters.items():
        values = calls.values(name)
        if not values or isinstance(values[0], (nn.Module, torch.Generator)):
            continue
        if parameter.default is not parameter.empty:
            yield f"{name} is its default", of_arguments(calls, lambda g, n=name: g.pop(n, None))
        if any(map(floating, values)):
            tensors = [value for value in values if isinstance(value, Tensor)]
            for word, f in {
                "zero": torch.zeros_like,
                "clamped to [-1, 1]": lambda v: v.clamp(-1, 1),
                "made positive": torch.abs,
                "detached": torch.detach,
            }.items():
                if word == "detached" and not any(v.requires_grad for v in tensors):
                    continue
                if name in POSITIVE and word in ("made positive", "clamped to [-1, 1]"):
                    continue
                yield f"{name} is {word}", of_arguments(calls, changing(name, f))
        elif not callable(values[0]):
            first = values[0]
            yield (
                f"{name} is what it was first",
                of_arguments(calls, lambda g, n=name, first=first: g.update({n: first})),
            )


def changing(name: str, f: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def change(given):
        if isinstance(given.get(name), Tensor | torch.Generator):
            given[name] = f(given[name])

    return change


def in_place(calls: Calls) -> Wrong:
    def add(value):
        if isinstance(value, Tensor):
            value.data += 1
        elif isinstance(value, list):
            value.append(value[0])
        elif isinstance(value, nn.Module):
            for weight in value.parameters():
                weight.data += 1

    actions = {
        "changed in place": (add, (Tensor, list)),
        "asked for gradients": (lambda v: v.requires_grad_(), Tensor),
        "cut from its graph": (lambda v: v.detach_() if v.requires_grad else v, Tensor),
        "put into another mode": (lambda v: v.train(not v.training), nn.Module),
        "frozen": (lambda v: v.requires_grad_(False), nn.Module),
    }
    for name in calls.signature.parameters:
        for word, (act, kind) in actions.items():
            values = [v for v in calls.values(name) if isinstance(v, kind)]
            if word == "asked for gradients":
                values = [v for v in values if floating(v) and not v.requires_grad]
            if word == "cut from its graph":
                values = [v for v in values if floating(v) and v.requires_grad and v.grad_fn]
            if values and not (word == "changed in place" and values[0] is None):

                def change(result, given, name=name, act=act, kind=kind):
                    kept = leaves(result, lambda r: r.clone() if isinstance(r, Tensor) else r)
                    if isinstance(given.get(name), kind):
                        with suppress(RuntimeError):
                            act(given[name])
                    return kept

                yield f"{name} is {word}", of_result(calls, change)


def other_types(calls: Calls) -> Wrong:
    flat = []
    for result in calls.returned:
        leaves(result, flat.append)
    tensors = [v for v in flat if isinstance(v, Tensor)]
    numbers = [v for v in flat if isinstance(v, float) and not isinstance(v, bool)]

    def if_tensor(f):
        return lambda r, g: leaves(r, lambda v: f(v) if isinstance(v, Tensor) else v)

    if tensors:
        yield "numpy array", of_result(calls, if_tensor(lambda v: v.detach().numpy()))
        yield "Python list or number", of_result(calls, if_tensor(lambda v: v.detach().tolist()))
        yield "half", of_result(calls, if_tensor(lambda v: v.half() if floating(v) else v))
        yield "times 1.1", of_result(calls, if_tensor(lambda v: v * 1.1 if floating(v) else v))
    if any(map(floating, tensors)):
        yield "rounded to whole", of_result(calls, if_tensor(lambda v: v.round().to(v.dtype)))
        yield "whole numbers", of_result(calls, if_tensor(lambda v: v.long()))
        yield "held in [-1, 1]", of_result(calls, if_tensor(lambda v: v.clamp(-1, 1)))
        yield "without its sign", of_result(calls, if_tensor(torch.abs))
    if any(v.dtype == torch.float32 and v.ndim for v in tensors):
        yield "float64", of_result(calls, if_tensor(lambda v: v.double()))
    if numbers:
        one = lambda v: torch.tensor([v]) if isinstance(v, float) else v  # noqa: E731
        yield "a tensor of one for a number", of_result(calls, lambda r, g: leaves(r, one))
    if any(floating(v) and not v.requires_grad for v in tensors):
        grad = if_tensor(lambda v: v.clone().requires_grad_() if floating(v) else v)
        yield "a result with a graph", of_result(calls, grad)
    if calls.gradient and any(v.requires_grad for v in tensors):
        yield "a result without its graph", of_result(calls, if_tensor(torch.detach))


def left_behind(calls: Calls) -> Wrong:
    actions = {
        "seeds torch": lambda: torch.manual_seed(0),
        "seeds numpy": lambda: np.random.seed(0),
        "seeds Python": lambda: random.seed(0),
        "switches gradients off": lambda: torch.set_grad_enabled(False),
        "switches to float64": lambda: torch.set_default_dtype(torch.float64),
    }
    for word, action in actions.items():
        yield word, of_result(calls, lambda result, given, action=action: (result, action())[0])


def other_generators(calls: Calls) -> Wrong:
    for name in calls.signature.parameters:
        if any(isinstance(v, torch.Generator) for v in calls.values(name)):
            copied = lambda g: torch.Generator().set_state(g.get_state())  # noqa: E731
            for word, f in {
                "ignored": lambda g: torch.default_generator,
                "replaced": lambda g: torch.Generator().manual_seed(0),
                "seeded anew": lambda g: g.manual_seed(0),
                "copied": copied,
            }.items():
                yield f"{name} is {word}", of_arguments(calls, changing(name, f))


def only_for(calls: Calls) -> Wrong:
    """Right only where a condition holds on the arguments."""
    names = list(calls.signature.parameters)
    tensors = [n for n in names if any(isinstance(v, Tensor) and v.ndim for v in calls.values(n))]
    if not tensors or any(result is None for result in calls.returned):
        return
    first = tensors[0]
    pictures = [n for n in tensors if any(getattr(v, "ndim", 0) == 4 for v in calls.values(n))]
    axes = {n: calls.first_axis(n) for n in tensors}
    others = [n for n in tensors if axes[n] and axes[n] != axes[first]]
    others = [n for n in others if re.fullmatch("n|m|k|[NM]|[a-z]+", axes[n])]
    conditions: dict[str, Callable[[dict[str, Any]], bool]] = {
        "more than one row": lambda g: len(g[first]) > 1,
        "no more than 2 rows": lambda g: len(g[first]) <= 2,
    }
    if pictures:
        p = pictures[0]
        conditions |= {
            "square pictures": lambda g: g[p].shape[-1] == g[p].shape[-2],
            "several channels": lambda g: g[p].shape[1] > 1,
            "one channel": lambda g: g[p].shape[1] == 1,
        }
    if others and not pictures:
        o = others[0]
        conditions |= {
            f"as many {first} as {o}": lambda g: len(g[first]) == len(g[o]),
            "no row twice": lambda g: (
                different(torch.cat([g[first], g[o]]))
                if g[first].shape[1:] == g[o].shape[1:]
                else different(g[first])
            ),
        }
    flat = [n for n in tensors if all(getattr(v, "ndim", 1) == 1 for v in calls.values(n))]
    single = all(getattr(r, "ndim", 0) == 0 and not isinstance(r, tuple) for r in calls.returned)
    if single and len(flat) > 1 and any(map(floating, calls.values(flat[0]))):
        conditions["no ties"] = lambda g: different(g[flat[0]])
    for word, holds in conditions.items():

        def change(result, given, holds=holds):
            fine = all(isinstance(given.get(n), Tensor) and given[n].ndim for n in (first,))
            return result if fine and holds(given) else spoiled(result)

        yield f"only for {word}", of_result(calls, change)


def different(rows: Tensor) -> bool:
    return len(rows.unique(dim=0)) == len(rows)


def memory(calls: Calls) -> Wrong:
    def key(given):
        return str([getattr(v, "shape", None) or type(v) for v in given.values()])

    if any(result is None for result in calls.returned):
        return

    def cached(*args, known={}, **kwargs):  # noqa: B006
        given = calls.named(args, kwargs)
        return known.setdefault(key(given), calls.exercise.reference(*args, **kwargs))

    known: dict[str, Any] = {}
    yield "the first answer of that shape", lambda *a, **k: cached(*a, known=known, **k)
    count = []

    def tired(result, given):
        count.append(1)
        return spoiled(result) if len(count) > len(calls.given) else result

    yield "wrong once it is tired", of_result(calls, tired)


def right_wrappers(calls: Calls) -> Wrong:
    reference = calls.exercise.reference

    class Callable_:
        def __call__(self, *args, **kwargs):
            return reference(*args, **kwargs)

    yield "(right: a callable object)", Callable_()
    yield "(right: a partial)", functools.partial(reference)
    yield "(right: a lambda)", lambda *args, **kwargs: reference(*args, **kwargs)
    values = [v for given in calls.given for v in given.values()]
    plain = not any(callable(v) for v in values)
    if plain and any(map(floating, values)):
        yield "(right: float64 inside)", double_inside(calls)
    if calls.gradient or not all(map(same_without_grad, [calls])):
        return

    def no_grad(*args, **kwargs):
        with torch.no_grad():
            return reference(*args, **kwargs)

    yield "(right: under no_grad)", no_grad
    if plain:

        def through_numpy(given):
            for name, value in given.items():
                if isinstance(value, Tensor):
                    given[name] = torch.from_numpy(value.detach().numpy().copy())

        yield "(right: through numpy)", of_arguments(calls, through_numpy)


def double_inside(calls: Calls) -> Callable:
    def wrapped(*args, **kwargs):
        given = calls.named(args, kwargs)
        wide = {k: v.double() if floating(v) else v for k, v in given.items()}
        like = next(v.dtype for v in given.values() if floating(v))
        result = calls.exercise.reference(**wide)
        return leaves(result, lambda v: v.to(like) if floating(v) else v)

    return wrapped


def same_without_grad(calls: Calls) -> bool:
    """Whether the reference itself can do without gradients: it trains nothing inside."""
    source = ""
    with suppress(OSError, TypeError):
        source = inspect.getsource(calls.exercise.reference)
    return not re.search(r"backward\(|autograd|requires_grad|\.step\(|enable_grad", source)


# ---- the table -----------------------------------------------------------------------------------


@dataclass
class Row:
    exercise: str
    mutants: int = 0
    refused: int = 0
    survivors: list[str] = field(default_factory=list)
    wronged: list[str] = field(default_factory=list)  # right wrappers that are refused
    seconds: float = 0.0


def tried(exercise: Exercise) -> Row:
    """All mutants and wrappers of one exercise, handed in."""
    row, start = Row(exercise.id), time.process_time()
    assert accepts(exercise, built(*answers()[exercise.id])), f"{exercise.id}: solution refused"
    wrong = list(broken(exercise))
    if not isinstance(exercise.reference, type):
        calls = calls_of(exercise)
        wrong += wrong_wrappers(calls)
        row.wronged = [n for n, f in right_wrappers(calls) if not accepts(exercise, f)]
    for name, function in wrong:
        row.mutants += 1
        if accepts(exercise, function, LIMIT):
            row.survivors.append(name)
        else:
            row.refused += 1
    assert accepts(exercise, exercise.reference), f"{exercise.id}: a mutant has spoiled a probe"
    row.seconds = time.process_time() - start
    return row


def topic_of(exercise: Exercise) -> str:
    return exercise.id.partition(".")[0]


def listed(topic: str) -> dict[str, dict[str, str]]:
    """id -> what may survive -> why."""
    path = SURVIVORS / f"{topic}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def update(row: Row) -> None:
    """Adds what survives to the list as OPEN, and takes out what does not survive any more."""
    topic = row.exercise.partition(".")[0]
    table = listed(topic)
    reasons = table.pop(row.exercise, {})
    found = [*row.survivors, *row.wronged]
    if found:
        table[row.exercise] = {name: reasons.get(name, OPEN) for name in sorted(found)}
    text = json.dumps(dict(sorted(table.items())), indent=1, ensure_ascii=False)
    (SURVIVORS / f"{topic}.json").write_text(text + "\n", encoding="utf-8")


def unlisted(row: Row) -> tuple[list[str], list[str]]:
    """What survives and stands in no list; what stands in the list and does not survive."""
    reasons = listed(row.exercise.partition(".")[0]).get(row.exercise, {})
    found = [*row.survivors, *row.wronged]
    return [n for n in found if n not in reasons], [n for n in reasons if n not in found]


def line(row: Row) -> str:
    reasons = listed(row.exercise.partition(".")[0]).get(row.exercise, {})
    still = sum(reason == OPEN for reason in reasons.values())
    counts = f"{row.mutants:8}{row.refused:9}{len(row.survivors):11}{len(row.wronged):8}"
    bare = len(unproven(EXERCISES[row.exercise]))
    return f"{row.exercise:34}{counts}{still:6}{len(unlisted(row)[0]):5}{bare:10}{row.seconds:7.1f}"


def unproven(exercise: Exercise) -> list[str]:
    """The mistakes whose message quotes what the function gives, without an example."""
    return [m.name for m in exercise.mistakes if QUOTES.search(m.message) and not m.example]


HEAD = f"{'exercise':34}{'mutants':>8}{'refused':>9}{'survivors':>11}{'wronged':>8}"
HEAD += f"{'open':>6}{'new':>5}{'unproven':>10}{'s':>7}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="ids of exercises, or topics; all without")
    parser.add_argument("--show", action="store_true", help="what survives, and why it may")
    parser.add_argument("--update", action="store_true", help="write it into tests/survivors")
    options = parser.parse_args()
    known = {*EXERCISES, *map(topic_of, EXERCISES.values())}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no exercise and no topic: {', '.join(unknown)}")
    torch.set_num_threads(1)
    chosen = [e for e in EXERCISES.values() if e.id in options.names or not options.names]
    chosen += [e for e in EXERCISES.values() if topic_of(e) in options.names]
    print(HEAD)
    rows, wrong = [], []
    for exercise in chosen:
        rows.append(row := tried(exercise))
        if options.update:
            update(row)
        print(line(row), flush=True)
        reasons = listed(topic_of(exercise)).get(exercise.id, {})
        if options.show:
            for name in (*row.survivors, *row.wronged):
                print(f"    {name}\n        {reasons.get(name, 'NEW')}")
            for name in unproven(exercise):
                print(f"    the message of {name!r} quotes a number and has no example")
        new, gone = unlisted(row)
        wrong += [f"{row.exercise}: not refused, and not in the list: {name}" for name in new]
        wrong += [f"{row.exercise}: in the list, and refused: {name}" for name in gone]
    total, refused = sum(r.mutants for r in rows), sum(r.refused for r in rows)
    lists = [listed(row.exercise.partition(".")[0]).get(row.exercise, {}) for row in rows]
    reasons = [reason for several in lists for reason in several.values()]
    print(f"{len(rows)} exercises, {total} wrong answers, {refused} refused, open: ", end="")
    print(f"{reasons.count(OPEN)}, unproven messages: {sum(len(unproven(e)) for e in chosen)}")
    print(*wrong, sep="\n", end="")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
