"""What the public functions ask of their arguments, in one line each.

Of a tensor only `finite` looks at the values of any device, and a GPU waits for it: not within a
training step.
"""

import math
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from numbers import Real
from types import UnionType
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

# More is a slip, and would never end.
DEPTH = 1000  # layers, at most
MANY = 100_000  # steps, at most
SIZE = 1_000_000  # channels, codes, pixels a side, at most: more fits no memory


# Numbers


def whole(name: str, value: Any, least: int = 1, unit: str = "", *, most: float = math.inf) -> int:
    """`value` as an int of Python; NumPy's and torch's integers are whole numbers too.

    Raises ValueError for anything else, below `least` and above `most`. `unit`: what is counted.
    """
    number = _index(value)
    if number is None or not least <= number <= most:
        unit = f" of {unit}" if unit else ""
        limits = f"at least {least}" + (f" and at most {most}" if most < math.inf else "")
        raise ValueError(f"{name} must be a whole number{unit}, {limits}, got {value!r}")
    return number


def is_whole(value: Any) -> bool:
    """Whether `whole` takes it for an integer: truth values and lists of one are none."""
    return _index(value) is not None


def at_least_one(**numbers: Any) -> None:
    """Raises ValueError unless all are whole numbers from 1 to a million: sizes, that is."""
    for name, value in numbers.items():
        whole(name, whole(name, value), most=SIZE)


def wholes(name: str, values: Any, least: int = 1) -> list[int]:
    """`values` as a list of ints of Python, one at least, none above a million.

    Raises TypeError for what is no sequence, ValueError as `whole` and for an empty one.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{name} must be a sequence of whole numbers; got {values!r}")
    if not values:
        raise ValueError(f"{name} must hold at least one number; got {values!r}")
    return [whole(f"{name}[{i}]", value, least, most=SIZE) for i, value in enumerate(values)]


def number(
    name: str,
    value: Any,
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: float = -math.inf,
) -> float:
    """`value` as a float of Python, finite, in [least, most] and greater than `above`.

    NumPy's and torch's single numbers too. Raises TypeError for what is no real number, such as a
    truth value or a complex one, ValueError outside the range and for NaN and infinity.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(value, Tensor):
        real = value.numel() == 1 and not (value.is_complex() or value.dtype == torch.bool)
        real = real and not value.is_meta
    if not real:
        raise TypeError(f"{name} must be a number; got {value!r}")
    found = float(value)
    if not (least <= found <= most and found > above and math.isfinite(found)):
        bounds = (("at least", least), ("above", above), ("at most", most))
        limits = " and ".join(f"{word} {x:g}" for word, x in bounds if math.isfinite(x))
        limits = limits and f", {limits}"
        raise ValueError(f"{name} must be a finite number{limits}; got {value}")
    return found


def one_of(name: str, value: Any, choices: Collection[str]) -> None:
    """Raises ValueError, with the choices, unless `value` is one of them."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def reals(name: str, values: Any, *sides: int | str) -> Tensor:
    """`values`, a tensor, an array or a sequence of real numbers, on the CPU in float64: to draw.

    sides: as of `shaped`; a row unless they are given. NaN may be among them. Raises TypeError for
    what holds no real numbers, ValueError for other sides and for none.
    """
    found = values if isinstance(values, Tensor) else _array(values)
    if found is None or found.is_complex() or found.is_meta:
        kind = f"{values.dtype} on {values.device}" if found is not None else f"{values!r:.60}"
        raise TypeError(f"{name} must be real numbers; got {kind}")
    sides = sides or ("n",)
    if not _fits(found, sides) or not found.numel():
        raise ValueError(f"{name} must be {_wanted(sides)}, not empty; got {tuple(found.shape)}")
    return found.detach().cpu().double()


def _array(values: Any) -> Tensor | None:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):  # rows of two lengths, tensors with gradients
        return None
    return torch.from_numpy(array.astype(float)) if array.dtype.kind in "biuf" else None


def _index(value: Any) -> int | None:
    truth = isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == torch.bool
    if truth or getattr(value, "ndim", 0):
        return None
    try:
        return operator.index(value)
    except (TypeError, RuntimeError):  # torch's, of a tensor on the meta device
        return None


# Tensors


def floats(name: str, x: Any, rank: int | None = None, *, like: Tensor | None = None) -> Tensor:
    """x, a tensor of real decimal numbers with that many axes (one at least), not empty.

    like: a weight that x meets in a product, whose device and precision it must have; within
    autocast, which sees to the precision, only the device. Raises TypeError for other kinds,
    ValueError for another rank, no numbers at all and another device.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"{name} must be a tensor of decimal numbers; got {kind}")
    if not x.numel() or not x.ndim or rank not in (None, x.ndim):
        axes = "" if rank is None else f" of {rank} dimension{'s' * (rank > 1)}"
        raise ValueError(f"{name} must be a tensor{axes} that is not empty; got {tuple(x.shape)}")
    if like is not None:
        beside(name, x, like)
        if x.dtype != like.dtype and not _autocast(x):
            raise TypeError(f"{name} must be {like.dtype}, as what it meets here; got {x.dtype}")
    return x


def float_pictures(name: str, x: Any) -> Tensor:
    """x. Raises TypeError unless it is a tensor of decimal numbers, and says how to get one."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(
            f"{name} must be float pictures in [-1, 1], as `.floats()` gives; got {kind}"
        )
    return x


def shaped(name: str, x: Any, *sides: int | str, like: Tensor | None = None) -> Tensor:
    """x, as `floats` takes it, with these sides; a letter stands for any number. like: as there.

    Raises TypeError and ValueError as `floats`, ValueError for other sides.
    """
    if isinstance(x, Tensor) and x.is_floating_point() and not _fits(x, sides):
        raise ValueError(f"{name} must be {_wanted(sides)}; got {tuple(x.shape)}")
    return floats(name, x, len(sides), like=like)


def _fits(x: Tensor, sides: Sequence[int | str]) -> bool:
    pairs = zip(sides, x.shape, strict=False)
    return x.ndim == len(sides) and all(isinstance(side, str) or side == n for side, n in pairs)


def _wanted(sides: Sequence[int | str]) -> str:
    return f"({', '.join(map(str, sides))}{',' * (len(sides) == 1)})"


def beside(name: str, x: Tensor, other: Tensor) -> Tensor:
    """x. Raises ValueError unless it is on the device of `other`."""
    if x.device != other.device:
        raise ValueError(f"{name} must be on {other.device}, as what it meets here; got {x.device}")
    return x


def alike(name: str, x: Any, other_name: str, other: Any) -> Tensor:
    """x. Raises as `floats` for either, and ValueError unless both have one shape and device."""
    floats(other_name, other)
    beside(name, floats(name, x), other)
    if x.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {tuple(other.shape)}; "
            f"got {tuple(x.shape)}"
        )
    return x


def _autocast(x: Tensor) -> bool:
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)


def integers(name: str, x: Any, rank: int | None = None) -> Tensor:
    """x, a tensor of whole numbers; with `rank` of so many axes and not empty.

    Raises TypeError for any other kind, truth values included, ValueError for another rank.
    """
    kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
    if not isinstance(x, Tensor) or kind.is_floating_point or kind.is_complex or kind == torch.bool:
        raise TypeError(f"{name} must be whole numbers (int64); got {kind}")
    if rank is not None and (x.ndim != rank or not x.numel()):
        axes = f"of {rank} dimension{'s' * (rank > 1)} that is not empty"
        raise ValueError(f"{name} must be a tensor {axes}; got {tuple(x.shape)}")
    return x


def below(name: str, x: Any, count: int, *sides: int | str, like: Tensor | None = None) -> Tensor:
    """x, whole numbers from 0 to count − 1 with these sides (any, if none are given).

    Their values are looked at on the CPU only: a GPU would wait. like: whose device it must have.
    Raises TypeError as `integers`, ValueError for other sides, devices and values, and for none.
    """
    integers(name, x)
    if (sides and not _fits(x, sides)) or not x.numel():
        wanted = _wanted(sides) if sides else "a tensor"
        raise ValueError(f"{name} must be {wanted} and not empty; got {tuple(x.shape)}")
    if like is not None:
        beside(name, x, like)
    if x.device.type == "cpu" and not (x.min() >= 0 and x.max() < count):
        low, high = x.min().item(), x.max().item()
        raise ValueError(f"{name} must lie in 0 … {count - 1}; got {low} … {high}")
    return x


def truths(name: str, x: Any) -> Tensor:
    """x, a tensor of truth values. Raises TypeError for any other kind."""
    if not isinstance(x, Tensor) or x.dtype != torch.bool:
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"{name} must be truth values (bool); got {kind}")
    return x


def present(name: str, x: Tensor) -> Tensor:
    """x. Raises ValueError on the meta device, where it has a shape but no values."""
    if x.is_meta:
        raise ValueError(f"{name} must have values; got {tuple(x.shape)} on the meta device")
    return x


def finite(name: str, x: Tensor, *, wait: bool = True) -> Tensor:
    """x. Raises ValueError where it holds NaN or infinity. wait=False looks on the CPU only."""
    if x.is_meta or not (wait or x.device.type == "cpu"):
        return x
    if not torch.stack(torch.aminmax(x.detach())).isfinite().all():  # x.isfinite() would copy x
        raise ValueError(f"{name} must be finite; it contains NaN or infinity")
    return x


def pictures(name: str, images: Any, rank: int = 4, *, count: int | None = None) -> Tensor:
    """images, if they can be shown: (n, 1 or 3, h, w), one at least, uint8 or finite floats.

    rank: 3 for a single one, 5 for (n, k, …). count: what n must be. Raises TypeError and
    ValueError for anything else.
    """
    if not isinstance(images, Tensor) or images.is_complex():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"{name} must be a tensor of uint8 or of decimal numbers; got {kind}")
    if images.is_meta or not images.numel():
        place = " on the meta device" * images.is_meta
        raise ValueError(f"{name} must hold pictures; got {tuple(images.shape)}{place}")
    if images.ndim != rank or images.shape[-3] not in (1, 3):
        before = {3: "", 4: "n, ", 5: "n, k, "}[rank]
        got = tuple(images.shape)
        raise ValueError(f"{name} must have shape ({before}1 or 3, h, w); got {got}")
    if count not in (None, len(images)):
        raise ValueError(f"{name} must be {count} pictures; got {len(images)}")
    return images if images.dtype == torch.uint8 else finite(name, floats(name, images))


# Others


def random_source(generator: Any) -> None:
    """Raises TypeError unless it is a torch.Generator, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        kind = type(generator).__name__
        raise TypeError(f"generator must be a torch.Generator or None; got {kind}")


def function(name: str, value: Any) -> None:
    """Raises TypeError unless it can be called, as networks can."""
    if not callable(value):
        raise TypeError(f"{name} must be a network or a function; got {type(value).__name__}")


def instance(name: str, value: Any, kind: type | UnionType) -> Any:
    """`value`. Raises TypeError unless it is one of these."""
    if not isinstance(value, kind):
        kinds = " or ".join(one.__name__ for one in get_args(kind) or (kind,))
        raise TypeError(f"{name} must be a {kinds}; got {type(value).__name__}")
    return value


def texts(**values: Any) -> None:
    """Raises TypeError unless all are text."""
    for name, value in values.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be text; got {value!r}")


def named(
    name: str,
    value: Any,
    each: Callable | None = None,
    *details: Any,
    has: Collection = (),
    **options: Any,
) -> Mapping:
    """`value`; or, with `each`, a check of this module, what it returns of every entry, by name.

    has: names that must be among them. Raises TypeError unless it maps names to something,
    ValueError where it has none and where one is missing.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict of names; got {type(value).__name__}")
    if not value:
        raise ValueError(f"{name} must hold something; got an empty dict")
    for key in has:
        if key not in value:
            raise ValueError(
                f"{name} must have an entry {key!r}; it has {', '.join(map(str, value))}"
            )
    if each is None:
        return value
    return {key: each(f"{name}[{key!r}]", one, *details, **options) for key, one in value.items()}


def several(
    name: str,
    values: Any,
    each: Callable,
    *details: Any,
    count: int | None = None,
    **options: Any,
) -> list:
    """What the check `each` returns of every entry of a sequence. count: how many there must be.

    Raises TypeError for what is no sequence, ValueError for another number and for none.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{name} must be a sequence; got {type(values).__name__}")
    if not values or count not in (None, len(values)):
        raise ValueError(f"{name} must hold {count or 'something'}; got {len(values)}")
    return [each(f"{name}[{i}]", one, *details, **options) for i, one in enumerate(values)]
