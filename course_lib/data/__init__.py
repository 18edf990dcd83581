"""Pictures to learn from: `load(name)` gives them all, as uint8 in memory.

Most come with the course; see LICENSES.md for where they are from and on what terms.
"""

import difflib
import os
from pathlib import Path

import torch

from course_lib.checks import whole

from . import downloads, embedded, own
from .embedded import EarthSet, verify
from .imageset import ImageSet, to_float
from .points import PointSet, toy2d

__all__ = ["EarthSet", "ImageSet", "PointSet", "load", "to_float", "toy2d", "verify"]

EMBEDDED = ("fashion", "peeps", "emoji", "earth", "digits", "toy2d", "skyline")
SPLITS = ("train", "test", "all")
VARIANTS = ("peeps", "toy2d", *downloads.CYCLEGAN_SETS)  # sets that have some
SUNSET = (17.5, 20.5)  # hours that skyline's training set leaves out


def load(
    name: str | Path,
    split: str = "train",
    size: int | None = None,
    *,
    variant: str | None = None,
    style: str | None = None,
    n: int | None = None,
    every: int = 1,
    generator: torch.Generator | None = None,
) -> ImageSet | PointSet:
    """A set of pictures, by name, or from a folder of images, an image or a film.

    split: "train", "test" or "all"; skyline also has "sunset". Of a folder, its sub-folders train
        and test; where there are none all of it is for training, and so is an image or a film.
    size: pixels each way; None keeps what the set has (64 for earth, folders and films). Fashion
        and MNIST get a black border for up to 4 more pixels; halves, thirds … are averaged; other
        sizes are interpolated.
    variant: peeps "plain", "lines" (with the same people in colour as targets), "without_glasses",
        "with_glasses"; toy2d "ring8", "grid25", "spiral", …; horse2zebra and its family "a", "b".
    style: emoji "flat", "3d", "noto".
    n: how many, for toy2d and skyline (there before a part of the day is left out).
    every: take each so-many-th frame of a film.
    generator: draws toy2d and skyline; each split has its own without one.

    Raises ValueError for what does not exist or does not fit, also for an argument that the set
    would ignore; ConnectionError where a download fails.
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"name must be a set's name or a path; got {type(name).__name__}")
    path = Path(os.path.expanduser(name))
    size = None if size is None else whole("size", size, unit="pixels")
    every = whole("every", every, unit="frames")
    drawn, is_folder = name in ("toy2d", "skyline"), os.path.isdir(path)
    _check(str(name), split, variant, style)
    for what, given, taken in (
        ("n", n is not None, drawn),
        ("generator", generator is not None, drawn),
        ("size", size is not None, name != "toy2d"),
        ("every", every > 1, name not in (*EMBEDDED, *downloads.STAND_IN) and not is_folder),
    ):
        if given and not taken:
            raise ValueError(f"{what} is not for {name}: it would be ignored")
    if drawn:
        seed = {"train": 0, "test": 1, "all": 2, "sunset": 3}[split]
        generator = generator or torch.Generator().manual_seed(seed)
    if name == "toy2d":
        return toy2d(variant or "ring8", 10_000 if n is None else n, generator)
    if name == "skyline":
        return _skyline(split, size or 64, 2000 if n is None else n, generator)
    if name in downloads.STAND_IN:
        found = downloads.load(name, split, size, variant)
    elif name == "fashion":
        found = embedded.fashion(split, size)
    elif name == "peeps":
        found = embedded.peeps(split, size, variant)
    elif name == "emoji":
        found = embedded.emoji(split, size, style)
    elif name == "digits":
        found = embedded.digits(split, size)
    elif name == "earth":
        found = embedded.earth(split, size)
    elif is_folder:
        return own.folder(path, size, split)
    elif os.path.isfile(path):
        if split == "test":
            raise ValueError(f"{path} has no pictures for testing: it is a single file")
        return own.file(path, size, every)
    else:
        raise ValueError(_unknown(str(name)))
    found.name = f"{name} {variant or style or ''}".strip()
    return found


def _check(name: str, split: str, variant: str | None, style: str | None) -> None:
    splits = (*SPLITS, "sunset") if name == "skyline" else SPLITS
    if split not in splits:
        raise ValueError(f"split must be one of {', '.join(splits)}; got {split!r}")
    if variant is not None and name not in VARIANTS:
        raise ValueError(f"variant: {name} has none; got {variant!r}")
    if style is not None and name != "emoji":
        raise ValueError(f"style is for emoji, not for {name}; got {style!r}")


def _skyline(split: str, size: int, n: int, generator: torch.Generator) -> ImageSet:
    from course_lib import procedural

    images, hour = procedural.skyline(whole("n", n), size, generator)
    evening = (hour >= SUNSET[0]) & (hour < SUNSET[1])
    rows = {"all": evening | ~evening, "sunset": evening}.get(split, ~evening)
    return ImageSet(images[rows], attributes={"hour": hour[rows]}, name=f"skyline {split}")


def _unknown(name: str) -> str:
    names = [*EMBEDDED, *downloads.STAND_IN]
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"there is no set {name!r}: did you mean {close[0]!r}?"
    return f"{name!r} is neither a folder, nor a file, nor one of {', '.join(names)}"
