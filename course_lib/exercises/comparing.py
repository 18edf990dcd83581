"""Plain copies of what a function returned, words for them, the first difference between two."""

import contextlib
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

LONGEST = 2**63 - 1  # the largest whole number that a tensor holds
NUMERIC = (bool, int, float, complex, torch.Tensor)


@dataclass(frozen=True)
class Thing:
    """Stands for an object that is neither a number nor a container: only its type is compared."""

    kind: str


def snapshot(value: Any) -> Any:
    """A copy that later changes cannot reach: tensors on the CPU, lists, dicts, numbers, text."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        if value.is_meta:  # has no values
            return Thing(f"meta tensor, shape {tuple(value.shape)}")
        value = value if value.layout == torch.strided else value.to_dense()
        return value.as_subclass(torch.Tensor).cpu().clone()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return value
    if isinstance(value, (tuple, list)):
        return (list if isinstance(value, list) else tuple)(snapshot(entry) for entry in value)
    if isinstance(value, dict):
        return {key: snapshot(entry) for key, entry in value.items()}
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value)
    return Thing(type(value).__name__)


def describe(value: Any) -> str:
    """A value in a few words: "a tensor of shape (2, 3), float32"."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, {value.dtype}"
    if value is None or value is ... or type(value) in (bool, int, float, complex, str):
        return f"{value!r:.60}"
    if isinstance(value, (tuple, list)):
        entries = [describe(entry) for entry in value[:3]] + ["…"] * (len(value) > 3)
        return f"a {type(value).__name__} of {len(value)} ({'; '.join(entries)})"
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(map(repr, list(value)[:6]))}"
    kind = value.kind if isinstance(value, Thing) else type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} object of type {kind}"


def form(value: Any) -> list:
    """Of what type a result is: [kind, dtype, has a graph, axes, forms of its entries]."""
    if isinstance(value, torch.Tensor):
        return ["tensor", str(value.dtype).removeprefix("torch."), value.requires_grad, value.ndim]
    if isinstance(value, np.ndarray):
        return ["array", str(value.dtype), False, value.ndim]
    if isinstance(value, NUMBERS):
        return ["number", type(value).__name__, False, 0]
    if isinstance(value, (list, tuple)):
        return ["row", "", False, len(value), *map(form, value[:20])]
    return ["other", type(value).__name__, False, 0]


def misfit(name: str, expected: list, got: list, allows: Container[str] = ()) -> str:
    """What is wrong with the form of a result, as a sentence; "" where nothing is.

    allows: what the text leaves free, see `Exercise.allows`.
    """
    (kind, dtype, graph, axes, *entries), (its, its_dtype, its_graph, its_axes, *own) = (
        expected,
        got,
    )
    if kind == "row" and its == "row" and axes == its_axes:
        part = (f"{name} {{}}" if name == "result" else f"{name}[{{}}]").format
        rows = enumerate(zip(entries, own, strict=True), int(name == "result"))
        return next(filter(None, (misfit(part(i), *both, allows) for i, both in rows)), "")
    if "other" in (kind, its) or (kind == its == "row"):
        return ""  # the values tell
    if kind != its:
        alike = {("number", "tensor"), ("number", "array")} if its_axes == 0 else set()
        alike |= {("tensor", "number")} if "number" in allows else set()
        alike |= {("tensor", "array")} if "array" in allows else set()
        alike |= {("tensor", "row")} if "list" in allows else set()
        alike |= {("row", "tensor"), ("row", "array")} if "tensor" in allows else set()
        if (kind, its) not in alike:
            return f"{name}: expected {_words(expected)}, got {_words(got)}{SERVES.get(kind, '')}."
    if its_graph and not graph and "graph" not in allows:
        return (
            f"{name} carries its history along (requires_grad is True): whoever keeps it keeps all "
            "that led to it, and cannot turn it into an array. Values alone were asked: .detach()."
        )
    if kind == its == "tensor" and (text := _other_dtype(dtype, its_dtype, its_axes, allows)):
        return f"{name}: {text}"
    return ""


NUMBERS = (bool, int, float, complex, np.generic)
SERVES = {"tensor": ", which the cells after this one cannot compute with"}
HALF = ("float16", "bfloat16")


def _words(form: list) -> str:
    kind, dtype, _, axes, *_ = form
    words = {"tensor": "a torch tensor", "array": "a numpy array", "row": f"a list of {axes}"}
    words["number"] = f"a Python number ({dtype})"
    return words[kind] + (" of shape ()" if kind == "tensor" and axes == 0 else "")


def _other_dtype(dtype: str, got: str, axes: int, allows: Container[str]) -> str:
    """What a later cell stumbles over. A single number of float64 it takes: it mixes with all."""
    if got in HALF and dtype not in HALF and dtype.startswith("float"):
        return f"expected {dtype}, got {got}, which keeps three digits and mixes with no other."
    if dtype == got or "dtype" in allows:
        return ""
    if (dtype, got) == ("float32", "float64") and axes > 0:
        return "expected float32, got float64: a network in float32 refuses it."
    kinds = [d.rstrip("0123456789").removeprefix("u").removeprefix("b") for d in (dtype, got)]
    return "" if kinds[0] == kinds[1] else f"expected {dtype}, got {got}."


def difference(name: str, expected: Any, got: Any, rtol: float, atol: float) -> str:
    """Where the snapshot `got` first differs from `expected`, as a sentence; "" where they agree.

    Shapes come first, then the kind of number, then values, compared in float64: |got − expected|
    ≤ atol + rtol·|expected|. NaN equals NaN; integers, booleans and text must agree exactly.
    """
    expected, got = _rows_as_tensors(expected, got)
    if isinstance(expected, NUMERIC) and isinstance(got, NUMERIC):
        return _numeric_difference(name, expected, got, rtol, atol)
    pairs = []
    if isinstance(expected, dict) and isinstance(got, dict) and expected.keys() == got.keys():
        pairs = [(f"{name}[{key!r}]", expected[key], got[key]) for key in expected]
    elif _is_row(expected) and _is_row(got) and len(expected) == len(got):
        pairs = [(f"{name}[{i}]", expected[i], got[i]) for i in range(len(got))]
    elif type(expected) is not type(got) or expected != got:
        return f"{name}: expected {describe(expected)}, got {describe(got)}."
    differences = (difference(*pair, rtol, atol) for pair in pairs)
    return next((text for text in differences if text), "")


def same(expected: Any, got: Any) -> bool:
    """Whether two snapshots agree to the last bit."""
    return not difference("", expected, got, rtol=0.0, atol=0.0)


def _rows_as_tensors(*both: Any) -> tuple:
    """A list beside a tensor becomes one, where it can: types are compared before, by `misfit`."""
    if sum(isinstance(value, torch.Tensor) for value in both) == 1 and any(map(_is_row, both)):
        with contextlib.suppress(ValueError, TypeError, RuntimeError):
            return tuple(torch.as_tensor(v) if _is_row(v) else v for v in both)
    return both


def _is_row(value: Any) -> bool:
    return isinstance(value, (tuple, list))


def _numeric_difference(name: str, expected: Any, got: Any, rtol: float, atol: float) -> str:
    decimal = isinstance(expected, float)
    decimal |= isinstance(expected, torch.Tensor) and expected.is_floating_point()
    if decimal and type(got) is int:
        got = _as_tensor(got).double().item()  # `min(1, p)` may be a whole number
    if type(expected) is int and type(got) is int:  # of any length, which no tensor holds
        return "" if expected == got else f"{name}: expected {expected}, got {got}."
    a, b = _as_tensor(expected), _as_tensor(got)
    if a.shape != b.shape:
        text = f"{name}: expected shape {tuple(a.shape)}, got shape {tuple(b.shape)}."
        return text + _broadcasting(tuple(a.shape), tuple(b.shape))
    if _kind(a) != _kind(b):
        return (
            f"{name}: expected {_kind(a)}, got {_kind(b)} ({str(b.dtype).removeprefix('torch.')})."
        )
    wide = {"decimal numbers": torch.float64, "complex numbers": torch.complex128}.get(_kind(a))
    if wide:
        a, b, narrow = a.to(wide), b.to(wide), b.dtype in (torch.float16, torch.bfloat16)
        same = torch.isclose(b, a, rtol=rtol, atol=atol, equal_nan=True)
    else:
        same, narrow = a == b, False
    if same.all():
        return ""
    index = torch.nonzero(~same)[0].tolist()
    want, have = _two_numbers(a[tuple(index)].item(), b[tuple(index)].item())
    text = f"{name}{index or ''}: expected {want}, got {have}"
    text += f" ({int((~same).sum())} of {same.numel()} values differ)" if same.numel() > 1 else ""
    return text + ("; yours is rounded to 16 bits." if narrow else ".")


def _as_tensor(value: Any) -> torch.Tensor:
    wide = {float: torch.float64, complex: torch.complex128}
    if type(value) is int:  # of any length
        value = min(max(value, -LONGEST), LONGEST)
    return torch.as_tensor(value, dtype=wide.get(type(value)))


def _kind(value: torch.Tensor) -> str:
    if value.dtype == torch.bool:
        return "True or False"
    if value.is_complex():
        return "complex numbers"
    return "decimal numbers" if value.is_floating_point() else "whole numbers"


def _broadcasting(expected: tuple, got: tuple) -> str:
    """What goes wrong later with this shape, where the cause is an axis of length 1."""
    if [n for n in expected if n != 1] == [n for n in got if n != 1]:
        try:
            both = tuple(torch.broadcast_shapes(expected, got))
        except RuntimeError:
            return " Axes of length 1 count."
        return f" An axis of length 1 counts: {got} against {expected} broadcasts to {both}" + (
            ", without an error." if both not in (expected, got) else "."
        )
    if len(expected) == 1 and got == expected * 2:
        n = expected[0]
        return f" Broadcasting makes ({n}, {n}) of a column ({n}, 1) and a row ({n},)."
    return ""


def _two_numbers(a: Any, b: Any) -> tuple[str, str]:
    """Both numbers, with as many digits as it takes to tell them apart."""
    if isinstance(a, (bool, int)):
        return str(a), str(b)
    short = (f"{a:.5g}", f"{b:.5g}")
    return short if short[0] != short[1] else (f"{a:.10g}", f"{b:.10g}")
