"""What the public functions ask of their arguments, in one line each."""

import operator
from typing import Any

import numpy as np
import torch


def whole(name: str, value: Any, least: int = 1, unit: str = "") -> int:
    """`value` as an int of Python; NumPy's and torch's integers are whole numbers too.

    Raises ValueError for anything else, and below `least`. `unit`: what is counted.
    """
    number = _index(value)
    if number is None or number < least:
        unit = f" of {unit}" if unit else ""
        raise ValueError(f"{name} must be a whole number{unit}, at least {least}, got {value!r}")
    return number


def is_whole(value: Any) -> bool:
    """Whether `whole` takes it for an integer: truth values and lists of one are none."""
    return _index(value) is not None


def _index(value: Any) -> int | None:
    truth = isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == torch.bool
    if truth or getattr(value, "ndim", 0):
        return None
    try:
        return operator.index(value)
    except (TypeError, RuntimeError):  # torch's, of a tensor on the meta device
        return None
