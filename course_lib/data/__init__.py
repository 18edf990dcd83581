"""Pictures to learn from: `load(name)` gives them all, as uint8 in memory.

Most come with the course; see LICENSES.md for where they are from and on what terms.
"""

import difflib
from pathlib import Path

import torch

from . import downloads, embedded, own
from .embedded import EarthSet, verify
from .imageset import ImageSet, to_float
from .points import PointSet, toy2d

__all__ = ["EarthSet", "ImageSet", "PointSet", "load", "to_float", "toy2d", "verify"]

EMBEDDED = ("fashion", "peeps", "emoji", "earth", "digits", "toy2d", "skyline")
SPLITS = ("train", "test", "all")
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
    """A set of pictures, by name, or from a folder of images or a video file.

    split: "train", "test" or "all"; skyline also has "sunset".
    size: pixels each way; None keeps what the set has (64 for earth, folders and videos). Fashion
        and MNIST get a black border for up to 4 more pixels; halves, thirds … are averaged; other
        sizes are interpolated.
    variant: peeps "plain", "lines" (with the same people in colour as targets), "without_glasses",
        "with_glasses"; toy2d "ring8", "grid25", "spiral", …; horse2zebra and its family "a", "b".
    style: emoji "flat", "3d", "noto".
    n: how many, for toy2d and skyline (there before a part of the day is left out).
    every: take each so-many-th frame of a video.

    Raises ValueError for what does not exist or does not fit, ConnectionError where a download
    fails.
    """
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise ValueError(f"size must be a whole number of pixels above 0; got {size!r}")
    path = Path(name)
    if name in EMBEDDED or name in downloads.STAND_IN:
        _check(name, split, variant, style)
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
    elif path.is_dir():
        return own.folder(path, size)
    elif path.is_file() and path.suffix.lower() in own.VIDEOS:
        return own.video(path, size, every)
    else:
        raise ValueError(_unknown(str(name)))
    found.name = f"{name} {variant or style or ''}".strip()
    return found


def _check(name: str, split: str, variant: str | None, style: str | None) -> None:
    splits = (*SPLITS, "sunset") if name == "skyline" else SPLITS
    if split not in splits:
        raise ValueError(f"split must be one of {', '.join(splits)}; got {split!r}")
    takes_variant = name in ("peeps", "toy2d", "horse2zebra", "apple2orange", "monet2photo")
    if variant is not None and not (takes_variant or name.startswith("summer")):
        raise ValueError(f"variant: {name} has none; got {variant!r}")
    if style is not None and name != "emoji":
        raise ValueError(f"style is for emoji, not for {name}; got {style!r}")


def _skyline(split: str, size: int, n: int, generator: torch.Generator | None) -> ImageSet:
    from course_lib import procedural

    seed = {"train": 0, "test": 1, "all": 2, "sunset": 3}[split]
    generator = generator or torch.Generator().manual_seed(seed)
    images, hour = procedural.skyline(n, size, generator)
    evening = (hour >= SUNSET[0]) & (hour < SUNSET[1])
    rows = {"all": evening | ~evening, "sunset": evening}.get(split, ~evening)
    return ImageSet(images[rows], attributes={"hour": hour[rows]}, name=f"skyline {split}")


def _unknown(name: str) -> str:
    names = [*EMBEDDED, *downloads.STAND_IN]
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"there is no set {name!r}: did you mean {close[0]!r}?"
    return f"{name!r} is neither a folder, nor a video, nor one of {', '.join(names)}"
