"""Plain copies of what a function returned, words for them, the first difference between two."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

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


def difference(name: str, expected: Any, got: Any, rtol: float, atol: float) -> str:
    """Where the snapshot `got` first differs from `expected`, as a sentence; "" where they agree.

    Shapes come first, then the kind of number, then values, compared in float64: |got − expected|
    ≤ atol + rtol·|expected|. NaN equals NaN; integers, booleans and text must agree exactly.
    """
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


def _is_row(value: Any) -> bool:
    return isinstance(value, (tuple, list))


def _numeric_difference(name: str, expected: Any, got: Any, rtol: float, atol: float) -> str:
    if isinstance(expected, float) and type(got) is int:
        got = float(got)
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
