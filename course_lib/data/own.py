"""Pictures of one's own: a folder of images, or the frames of a video."""

import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from .imageset import ImageSet

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}


def folder(path: Path, size: int | None) -> ImageSet:
    """All images of a folder, in colour, cut to a centred square and resized to size × size (64).

    Sub-folders are classes. Transparent pictures are laid on white. What cannot be read is named in
    one warning and left out; ValueError where nothing can be read.
    """
    size = size or 64
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGES)
    classes = sorted({f.relative_to(path).parts[0] for f in files if f.parent != path})
    images, labels, bad = [], [], []
    for file in files:
        try:
            with Image.open(file) as image:
                images.append(_square(image, size))
        except Exception as error:  # a decoder may raise anything; the other pictures are wanted
            bad.append(f"{file.name} ({error})")
            continue
        inside = file.relative_to(path).parts[0]
        labels.append(classes.index(inside) if inside in classes else len(classes))
    if not images:
        tried = f": {'; '.join(bad[:3])}" if bad else ""
        raise ValueError(f"no picture in {path} can be read{tried}")
    if bad:
        warnings.warn(f"left out {len(bad)} of {len(files)}: {'; '.join(bad[:5])}", stacklevel=3)
    if classes and len(classes) in labels:
        classes.append("(no folder)")
    known = torch.tensor(labels) if classes else None
    return ImageSet(torch.stack(images), known, classes or None, name=path.name)


def _square(image: Image.Image, size: int) -> UInt8[Tensor, "3 size size"]:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits: Pillow would cut off all above 255
        values = np.asarray(image).astype(np.float64)
        top = 65535 if values.max() > 255 else 255
        image = Image.fromarray(np.rint(values * (255 / top)).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def video(path: Path, size: int | None, every: int) -> ImageSet:
    """Every n-th frame of a video, cut to a square, as a set in order of time.

    Raises ImportError with what to install where PyAV is missing, ValueError for no frames.
    """
    if not isinstance(every, int) or every < 1:
        raise ValueError(f"every must be a whole number of frames above 0; got {every!r}")
    try:
        import av
    except ImportError as error:
        raise ImportError("to read a video, install PyAV: pip install av") from error
    try:
        with av.open(str(path)) as film:
            frames = [
                _square(frame.to_image(), size or 64)
                for i, frame in enumerate(film.decode(video=0))
                if i % every == 0
            ]
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError(f"{path} cannot be read as a video: {error}") from error
    if not frames:
        raise ValueError(f"{path} has no frames")
    number = torch.arange(len(frames)) * every
    return ImageSet(torch.stack(frames), attributes={"frame": number}, name=path.name)
