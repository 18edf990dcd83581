"""Small breaks of a function: another operator, constant, reduction, argument; one thing less."""

import ast
import difflib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


def breaks(
    function: ast.FunctionDef, name: str, other: Callable[..., Iterator] = other_node
) -> list[Break]:
    """All of them, in an order that is drawn by the function's name and takes turns in kind.

    other: what may stand in a node's place, as `other_node` says it.
    """
    before, seen, kinds = ast.unparse(function).splitlines(), set(), defaultdict(list)
    types = {a.arg: ast.unparse(a.annotation) for a in ast.walk(function.args)
             if isinstance(a, ast.arg) and a.annotation}  # fmt: skip
    types["return"] = ast.unparse(function.returns) if function.returns else ""
    found = [
        Break(kind, (parent, field, i), old, ast.copy_location(new, old))
        for parent, field, i, old in places(function)
        for kind, new in other(old, types)
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
