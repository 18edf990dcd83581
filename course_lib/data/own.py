"""Pictures of one's own: a folder of images, one image, or the frames of a film.

Whatever is left out or loses something is told in one warning.
"""

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import PIL
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .imageset import ImageSet, one_of

FILMS = frozenset(
    ".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .m2v .vob .mts .m2ts .ts .3gp .3g2 .wmv .asf .flv "
    ".f4v .ogv .mxf .divx".split()
)
SOUND = frozenset(".mp3 .wav .m4a .ogg .oga .opus .flac .aac .wma".split())
RAW = ".dng .nef .nrw .cr2 .cr3 .arw .sr2 .orf .rw2 .pef .raf .srw .3fr .iiq".split()
OTHERS = {  # files in a folder that are named without being tried
    **dict.fromkeys(FILMS, "a film: load it by itself"),
    **dict.fromkeys(RAW, "a camera's raw file: save it as PNG or JPEG"),
    **dict.fromkeys(".zip .tar .tgz .gz .bz2 .xz .7z .rar".split(), "an archive: unpack it"),
}
NOTES = frozenset(  # text that stands beside pictures: nobody takes it for one
    ".txt .md .rst .csv .tsv .json .jsonl .xml .yaml .yml .toml .ini .cfg .log .html .htm .css .js "
    ".py .ipynb .xmp .aae".split()
)
LITTER = (  # of operating systems, cameras, servers and editors, in lower case
    *"._* .ds_store .localized .apdisk .fseventsd .spotlight* .temporaryitems __macosx".split(),
    *".trash* .thumbnails .thumb* .directory .nomedia .picasa* .cache @eadir #recycle".split(),
    *"thumbs.db ehthumbs*.db desktop.ini $recycle.bin lost+found .sync* .stfolder".split(),
    *".git* .svn .hg .idea .vscode .venv .ipynb_checkpoints __pycache__".split(),
    "system volume information",
    "icon\r",
)
HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1")}
WITHHELD = {"EPS", "WMF", "MPEG", "FITS", "BUFR", "GRIB", "HDF5"}  # run programs, or stay unread
SEVERAL = {"GIF", "WEBP", "PNG", "AVIF", "HEIF", "TIFF"}  # may hold several pictures in one file
DEEP = ("PNG", "PPM", "JPEG2000")  # have 16 bits where Pillow gives them 32
UNWRAPPED = {"8-bit signed": np.int8, "32-bit": np.uint32}  # which Pillow takes for others
TRAIN = ("train", "training", "train_set", "training_set")
TEST = ("test", "testing", "test_set")
VALIDATION = ("val", "valid", "validation")
RANGES = {  # of the type that a file declares: it becomes 0 … 255
    "8-bit signed": (-(2**7), 2**7 - 1),
    "12-bit": (0, 2**12 - 1),
    "16-bit": (0, 2**16 - 1),
    "16-bit signed": (-(2**15), 2**15 - 1),
}
FEW = 32  # greys of 256: a set that has fewer is stretched, or told to be flat


def folder(path: Path, size: int | None, split: str = "train") -> ImageSet:
    """All images of a folder, in colour, cut to a centred square and resized to size × size (64).

    Sub-folders are classes. Where there are train/ and test/ (or val/), `split` chooses between
    them, and their sub-folders are the classes; elsewhere all pictures are for training.
    Transparent pictures are laid on white; of more than 8 bits, the type's range becomes 0 … 255.

    What cannot be read is named in one warning and left out, and so are hidden and linked folders.
    Raises ValueError where nothing can be read or nothing belongs to the split.
    """
    one_of("split", split, ("train", "test", "all"))
    read, out, told = _read_all(path, size or 64)
    if not read:
        tried = f": {_listed(out, path)}" if out else ": there is none in it"
        raise ValueError(f"no picture in {path} can be read{tried}")
    files = [file for file, _ in read]
    images, scales = _scaled([picture for _, picture in read])
    roles = _roles(path, files)
    rows = _rows(path, files, roles, split, out)
    if out:
        left = f"left out {len(out)} of {len(rows) + len(out)}: {_listed(out, path)}"
        told.insert(0, left)
    if told := told + scales:
        warnings.warn("\n".join(told), stacklevel=3)
    labels, classes = _labels(path, files, roles)
    labels = None if labels is None else labels[rows]
    return ImageSet(images[rows], labels, classes, name=_name(path))


def file(path: Path, size: int | None, every: int) -> ImageSet:
    """A film, an animation or a stack of pages: every n-th picture, as a set in order of time.

    Of a file with a single picture, a set of one. Raises ValueError for a file with none.
    """
    if path.suffix.lower() in FILMS | SOUND:
        return video(path, size, every)
    try:
        with Image.open(path, formats=_formats()) as image:
            pictures = [_read(page, size or 64) for page in _pages(image, every)]
            several = _has_more(image, 0)
    except Exception as error:
        reason = _reason(path, error)
        raise ValueError(f"{path} is neither a picture nor a film: {reason}") from error
    images, told = _scaled(pictures)
    if told:
        warnings.warn("\n".join(told), stacklevel=3)
    numbers = {"frame": torch.arange(len(images)) * every} if several else {}
    return ImageSet(images, attributes=numbers, name=_name(path))


def video(path: Path, size: int | None, every: int) -> ImageSet:
    """Every n-th frame of a film as players show it: turned, mirrored and widened as it says.

    Raises ImportError with what to install where PyAV is missing, ValueError for no frames.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError("to read a video, install PyAV: pip install av") from error
    try:
        with av.open(str(path)) as film:
            covers = 1 << 10  # FFmpeg's mark of a picture that is the cover of a record
            streams = [s for s in film.streams.video if not getattr(s, "disposition", 0) & covers]
            if not streams:
                holds = "sound only" if film.streams.audio else "neither pictures nor sound"
                raise ValueError(f"{path} holds {holds}")
            wide = float(streams[0].sample_aspect_ratio or 1)  # a pixel's width to its height
            frames = [
                _square(_as_shown(frame, wide), size or 64)
                for i, frame in enumerate(film.decode(streams[0]))
                if i % every == 0
            ]
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError(f"{path} cannot be read as a video: {error}") from error
    if not frames:
        raise ValueError(f"{path} has no frames")
    number = torch.arange(len(frames)) * every
    return ImageSet(torch.stack(frames), attributes={"frame": number}, name=_name(path))


def _as_shown(frame, wide: float) -> Image.Image:
    """The picture of a frame after its display matrix, (x', y') = (a x + c y, b x + d y)."""
    image = frame.to_image()
    if wide != 1:
        image = image.resize((max(1, round(image.width * wide)), image.height))
    for beside in frame.side_data:
        if beside.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack("=5i", bytes(beside)[:20])
            if on_its_side := abs(b) + abs(c) > abs(a) + abs(d):
                image = image.transpose(Image.Transpose.TRANSPOSE)
            if (c if on_its_side else a) < 0:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            if (b if on_its_side else d) < 0:
                image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image


# Which files


def _walk(path: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The files that may be pictures; and what is not even tried, with the reason."""
    files, out = [], []

    def failed(error: OSError) -> None:
        out.append((Path(error.filename), error.strerror))

    for root, folders, names in os.walk(path, onerror=failed):
        folders[:] = [name for name in folders if not _is_litter(name)]
        for name in folders:
            if name.startswith("."):
                out.append((Path(root, name), "hidden"))
            elif os.path.islink(os.path.join(root, name)):
                out.append((Path(root, name), "a link to a folder: put the folder itself there"))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if _is_litter(name) or suffix in NOTES:
                continue
            if reason := "hidden" if name.startswith(".") else OTHERS.get(suffix):
                out.append((Path(root, name), reason))
            else:
                files.append(Path(root, name))
    return sorted(files), sorted(out)


def _is_litter(name: str) -> bool:
    return any(fnmatch(name.lower(), pattern) for pattern in LITTER)


def _read_all(path: Path, size: int) -> tuple[list, list, list[str]]:
    """The pictures that can be read, by file; what is left out, and why; what is to be told."""
    (files, out), formats = _walk(path), _formats()
    read, several = [], []
    for file in files:
        try:
            if not file.is_file():
                raise ValueError("it leads nowhere" if file.is_symlink() else "not a regular file")
            with Image.open(file, formats=formats) as image:
                read.append((file, _read(image, size)))
                with suppress(Exception):  # the first picture is whole, whatever follows
                    if _has_more(image, 1):
                        several.append((file, "load such a file by itself to have all"))
        except Exception as error:  # a decoder may raise anything; the other pictures are wanted
            out.append((file, _reason(file, error)))
    return read, out, [f"only the first picture of {_listed(several, path)}"] if several else []


def _reason(file: Path, error: Exception) -> str:
    if not isinstance(error, UnidentifiedImageError):
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    with suppress(OSError), file.open("rb") as opened:
        if opened.read(12)[4:] in HEIC or file.suffix.lower() in (".heic", ".heif", ".hif"):
            return "HEIC, as phones write it: pip install pillow-heif, or save it as JPEG"
    return f"no picture that Pillow {PIL.__version__} can read"


def _listed(what: list[tuple[Path, str]], path: Path) -> str:
    """The names by reason: "1.png in cat, 2.png in cat (broken data stream); dog (a link)"."""
    names: dict[str, list[str]] = {}
    for entry, reason in what:
        inside = entry.parent != path and entry != path
        where = f" in {_relative(entry.parent, path)}" if inside else ""
        names.setdefault(reason, []).append(f"{entry.name}{where}")
    groups = [
        f"{', '.join(group[:5])}{f' and {len(group) - 5} more' if group[5:] else ''} ({reason})"
        for reason, group in names.items()
    ]
    more = f"; and for {len(groups) - 10} other reasons" if groups[10:] else ""
    return "; ".join(groups[:10]) + more


def _relative(entry: Path, path: Path) -> str:
    return entry.relative_to(path).as_posix()


def _name(path: Path) -> str:
    return os.path.basename(os.path.abspath(path)) or "pictures"


# Splits and classes


def _roles(path: Path, files: list[Path]) -> dict[str, str]:
    """Which sub-folders are splits, by lower-case name: "train", "test", or "" for neither."""
    folders = [entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink()]
    there = {entry.name.lower() for entry in folders}
    there = {name for name in there if not name.startswith(".") and not _is_litter(name)}
    train, test = there.intersection(TRAIN), there.intersection(TEST)
    validation = there.intersection(VALIDATION)
    alone = there == train and all(file.parent != path for file in files)
    if not train or not (test or validation or alone):
        return {}
    test, neither = (test, validation) if test else (validation, set())
    return {
        **dict.fromkeys(train, "train"),
        **dict.fromkeys(test, "test"),
        **dict.fromkeys(neither, ""),
    }


def _rows(path: Path, files: list[Path], roles: dict[str, str], split: str, out: list) -> list[int]:
    """The rows of a split; pictures that are in neither go to `out`."""
    if split == "all" or (split == "train" and not roles):
        return list(range(len(files)))
    if split not in roles.values():
        raise ValueError(
            f"{path} has no pictures for testing: put some into a sub-folder test, and the others "
            "into a sub-folder train beside it"
        )
    role = [roles.get(_relative(file, path).split("/")[0].lower(), "") for file in files]
    reason = 'neither for training nor for testing: split="all" has it'
    out += [(file, reason) for file, r in zip(files, role, strict=True) if not r]
    rows = [i for i, r in enumerate(role) if r == split]
    if not rows:
        raise ValueError(f"no picture in {path} is for split {split!r}")
    return rows


def _labels(path: Path, files: list[Path], roles: dict[str, str]) -> tuple:
    """Labels (N,) and the names of the classes: the sub-folders of pictures that were read."""
    inside = [_relative(file, path).split("/") for file in files]
    inside = [parts[1:] if parts[0].lower() in roles else parts for parts in inside]
    names = [parts[0] if parts[1:] else "" for parts in inside]
    classes = sorted(set(names) - {""}) + [""] * ("" in names)
    if classes == [""]:
        return None, None
    labels = torch.tensor([classes.index(name) for name in names])
    return labels, [name or "(no folder)" for name in classes]


# How a picture is read


@dataclass
class _Deep:
    """A picture of more than 8 bits, until it is known how the whole set is scaled."""

    above: np.ndarray  # its values less `low`, cut and resized: small numbers stay exact
    low: float
    high: float
    type: str  # "16-bit", "float", …
    whole: bool  # whether all values are whole numbers
    inverted: bool  # whether 0 is white


def _formats() -> list[str]:
    """What Pillow reads here, with HEIC where pillow-heif is installed."""
    Image.init()
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    return sorted(Image.OPEN.keys() - WITHHELD)


def _pages(image: Image.Image, every: int) -> Iterator[Image.Image]:
    yield image
    page = every
    while _has_more(image, page):
        yield image
        page += every


def _has_more(image: Image.Image, page: int) -> bool:
    """Goes to that page; False where there is none. What a phone packs beside a JPEG is none."""
    if image.format not in SEVERAL or getattr(image, "n_frames", 1) < 2:
        return False
    try:
        image.seek(page)
    except EOFError:
        return False
    return True


def _read(image: Image.Image, size: int) -> Tensor | _Deep:
    declared, white = _type(image), getattr(image, "tag_v2", {}).get(262) == 0
    if not declared:
        return _square(image, size)
    values = np.asarray(ImageOps.exif_transpose(image))
    if declared in UNWRAPPED:
        values = values.view(UNWRAPPED[declared])
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity")
    low, high = values.min(), values.max()
    above = Image.fromarray((values - low).astype(np.float32))
    above = np.asarray(ImageOps.fit(above, (size, size), Image.Resampling.LANCZOS))
    return _Deep(above, low, high, declared, (values == np.rint(values)).all(), white)


def _type(image: Image.Image) -> str:
    """What the file declares its values to be; "" for pictures of 8 bits."""
    tags = getattr(image, "tag_v2", {})  # TIFF's
    bits, kind = tags.get(258, (1,))[0], tags.get(339, (1,))[0]
    if image.mode == "F":
        return "float"
    if image.mode == "L" and kind == 2:
        return "8-bit signed"
    if not image.mode.startswith("I"):
        return ""
    if not tags:
        return "32-bit signed" if image.mode == "I" and image.format not in DEEP else "16-bit"
    return f"{bits}-bit signed" if kind == 2 else f"{bits}-bit"


def _scaled(pictures: list[Tensor | _Deep]) -> tuple[UInt8[Tensor, "N 3 s s"], list[str]]:
    """All pictures in 8 bits, those of one type on one scale; and what is to be told of it."""
    told, scales = [], {}
    for name in sorted({p.type for p in pictures if isinstance(p, _Deep)}):
        same = [p for p in pictures if isinstance(p, _Deep) and p.type == name]
        low, high = min(p.low for p in same), max(p.high for p in same)
        scales[name], reason = _scale(name, low, high, all(p.whole for p in same))
        told += [reason] if reason else []
    images = [_in_8_bits(p, *scales[p.type]) if isinstance(p, _Deep) else p for p in pictures]
    return torch.stack(images), told


def _scale(name: str, low: float, high: float, is_whole: bool) -> tuple[tuple[float, float], str]:
    """What becomes 0 and 255 for values of a type from low to high; and what is to be told."""
    span = f"{name} values from {low:g} to {high:g}"
    if name == "float" and low >= 0 and high <= 1:
        ends = (0.0, 1.0)
    elif name == "float" and low >= -1 and high <= 1:
        return (-1.0, 1.0), f"{span}: -1 … 1 becomes 0 … 255"
    elif name == "float" and low >= 0 and high <= 255 and (is_whole or high - low >= FEW):
        return (0.0, 255.0), f"{span} are taken as they are"
    elif name in RANGES:
        ends = RANGES[name]
    else:  # no camera fills 32 bits, and a float's range is endless
        return (low, high), f"{span}: they, not their type's range, become 0 … 255"
    greys = 255 * (high - low) / (ends[1] - ends[0])
    flat = f"{span}: nearly one grey, as {ends[0]:g} … {ends[1]:g} becomes 0 … 255"
    return ends, f"{flat}; stretch them before" if 0 < greys < FEW else ""


def _in_8_bits(picture: _Deep, low: float, high: float) -> UInt8[Tensor, "3 s s"]:
    share = (picture.above + (picture.low - low)) / ((high - low) or 1)
    share = 1 - share if picture.inverted else share
    grey = torch.from_numpy(np.rint(255 * share).clip(0, 255).astype(np.uint8))
    return grey.expand(3, -1, -1)


def _square(image: Image.Image, size: int) -> UInt8[Tensor, "3 size size"]:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
