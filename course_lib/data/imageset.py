"""A set of pictures in memory, and the batches that training draws from it."""

import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from course_lib.checks import is_whole, whole


@dataclass(repr=False, eq=False)
class ImageSet:
    """Pictures with what is known about them; shows itself as a grid in a notebook.

    images: uint8 (N, C, H, W), C being 1, 3 or 4. labels: int64 (N,) or None, named by `classes`.
    attributes: name -> (N,), the names of whose values are in `attribute_values`. targets: the
    second picture of each pair, or None. `set[i]`, `set[10:20]`, `set[mask]` and `set[indices]` are
    sets again; `for picture in set` gives N sets of one.

    Raises TypeError or ValueError for what is none of that, IndexError beyond the end.
    """

    images: UInt8[Tensor, "N C H W"]
    labels: Int64[Tensor, " N"] | None = None
    classes: list[str] | None = None
    attributes: dict[str, Tensor] = field(default_factory=dict)
    attribute_values: dict[str, list[str]] = field(default_factory=dict)
    targets: UInt8[Tensor, "N C H W"] | None = None
    name: str = "pictures"

    def __post_init__(self):
        _check_pictures("images", self.images)
        if self.targets is not None:
            _check_pictures("targets", self.targets)
        if self.labels is not None:
            _check_labels(self.labels, self.classes)
        beside = {"labels": self.labels, "targets": self.targets, **self.attributes}
        for what, value in beside.items():
            if value is None:
                continue
            if not isinstance(value, Tensor):
                raise TypeError(f"{what} must be a tensor; got {type(value).__name__}")
            if value.shape[:1] != self.images.shape[:1]:
                rows = len(value) if value.ndim else "a single number"
                raise ValueError(f"{what} must have {len(self.images)} rows; got {rows}")

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator["ImageSet"]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index) -> "ImageSet":
        rows = self._rows(index)

        def pick(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[rows]

        return replace(
            self,
            images=self.images[rows],
            labels=pick(self.labels),
            attributes={name: values[rows] for name, values in self.attributes.items()},
            targets=pick(self.targets),
        )

    def _rows(self, index) -> slice | Int64[Tensor, " n"]:
        index = slice(None) if index is ... else index
        if isinstance(index, slice):
            places = range(len(self))[index]
            return index if places.step > 0 else torch.tensor(list(places), dtype=torch.int64)
        one = is_whole(index)
        rows = _whole_numbers([int(index)] if one else index, len(self))
        for i in rows[(rows < -len(self)) | (rows >= len(self))].tolist():
            raise IndexError(f"there is no picture {i}: {self.name} has {len(self)}")
        if one:
            i = rows.item() % len(self)
            return slice(i, i + 1)
        return rows.to(self.images.device)

    def floats(self) -> Float[Tensor, "N C H W"]:
        """All pictures as models see them: float32 in [-1, 1]."""
        return to_float(self.images)

    def paired_with(self, other: "ImageSet") -> "ImageSet":
        """This set with the pictures of an aligned set as targets: row i belongs to row i."""
        if len(other) != len(self) or other.images.shape[2:] != self.images.shape[2:]:
            sizes = f"{tuple(self.images.shape)} and {tuple(other.images.shape)}"
            raise ValueError(f"paired sets must have as many pictures of one size; got {sizes}")
        return replace(self[:], targets=other.images, name=f"{self.name} → {other.name}")

    def batches(
        self,
        batch_size: int,
        device: str | torch.device = "cpu",
        generator: torch.Generator | None = None,
        with_labels: bool = False,
    ) -> "Batches":
        """Shuffled batches without end, float32 in [-1, 1], from a copy of the set on `device`.

        Yields x (B, C, H, W); (x, targets) where there are targets; (x, labels) with `with_labels`.
        Each epoch is a new order; pictures that do not fill a last batch wait for the next epoch.
        Without `generator` the order follows torch.initial_seed() and the name of the set. Raises
        ValueError for a batch larger than the set, and for labels that are not there.
        """
        if with_labels and self.labels is None:
            raise ValueError(f"with_labels: {self.name} has no labels")
        second = self.labels if with_labels else self.targets
        return Batches(self.images, second, batch_size, device, generator, self.name)

    def __repr__(self) -> str:
        n, c, h, w = self.images.shape
        text = f"{self.name}: {n:,} pictures, {h} × {w}, {'grey' if c == 1 else 'colour'}"
        text += f", {len(self.classes)} classes" if self.classes else ""
        return text + (f", attributes {', '.join(self.attributes)}" if self.attributes else "")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        picture = {"image/png": grid_png(self.images[:32])} if len(self) else {}
        return {**picture, "text/plain": repr(self)}


def _whole_numbers(index, n: int) -> Int64[Tensor, " n"]:
    """A list of places, or a mask over n pictures, as places."""
    try:
        rows = torch.as_tensor(index if hasattr(index, "dtype") else list(index))
    except (TypeError, ValueError, RuntimeError):
        rows = None
    if (
        rows is None
        or rows.ndim != 1
        or (len(rows) and (rows.is_floating_point() or rows.is_complex()))
    ):
        raise TypeError(
            "an index must be a whole number, a slice, a list of whole numbers or a mask with a "
            f"truth value for each picture; got {index!r}"
        )
    if rows.dtype == torch.bool:
        if len(rows) != n:
            raise IndexError(f"a mask must have {n} truth values, one a picture; got {len(rows)}")
        rows = rows.nonzero()[:, 0]
    return rows.long()  # of uint8 torch would make a mask


def _check_pictures(name: str, images: Tensor) -> None:
    """Raises TypeError or ValueError, with the way out, for anything but uint8 (N, C, H, W)."""
    if not isinstance(images, Tensor | np.ndarray):
        way = f": torch.stack({name})" if isinstance(images, list | tuple) else ""
        kind = type(images).__name__
        raise TypeError(f"{name} must be a uint8 tensor (N, C, H, W); got {kind}{way}")
    shape, kind = tuple(images.shape), str(images.dtype).removeprefix("torch.")
    tensor = isinstance(images, Tensor)
    if tensor and images.ndim == 4 and shape[1] in (1, 3, 4) and kind == "uint8":
        return
    given, way = (name, "") if tensor else (f"torch.from_numpy({name})",) * 2
    if len(shape) == 4 and shape[1] not in (1, 3, 4) and shape[3] in (1, 3, 4):
        way = f"{given}.permute(0, 3, 1, 2) puts channels before height and width"
    elif len(shape) == 3 and shape[2] == 3:
        way = f"{given}.permute(2, 0, 1)[None] is one picture, channels first"
    elif len(shape) == 3:
        way = f"{given}[:, None] are grey pictures, {given}[None] is one in colour"
    elif "float" in kind:
        way = "((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8) makes them of x in [-1, 1]"
    error = ValueError if tensor else TypeError
    got = f"{kind} {shape}" if tensor else f"a NumPy array, {kind} {shape}"
    raise error(
        f"{name} must be a uint8 tensor (N, C, H, W) with 1, 3 or 4 channels; got {got}"
        + (f": {way}" if way else "")
    )


def _check_labels(labels: Tensor, classes: list[str] | None) -> None:
    if not isinstance(labels, Tensor):
        kind = type(labels).__name__
        raise TypeError(f"labels must be an int64 tensor (N,); got {kind}: torch.as_tensor(labels)")
    if labels.ndim != 1 or labels.dtype != torch.int64:
        shape, kind = tuple(labels.shape), labels.dtype
        way = "labels.flatten()" if shape[1:] == (1,) else "labels.argmax(1)"
        way = way if labels.ndim == 2 else "labels.long()"
        raise ValueError(f"labels must be int64 (N,); got {kind} {shape}: {way}")
    if classes and len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        ends, last = f"{labels.min()} … {labels.max()}", len(classes) - 1
        raise ValueError(f"labels must be 0 … {last}, as there are {last + 1} classes; got {ends}")


def one_of(name: str, value, choices) -> None:
    """Raises ValueError where the value is not among the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; it is {value!r}")


class Batches:
    """Endless batches, indexed where the pictures lie. `state_dict` is its exact place."""

    def __init__(self, images, second, batch_size, device, generator, name):
        batch_size = whole("batch_size", batch_size)
        if batch_size > len(images):
            raise ValueError(f"batch_size is {batch_size}, and {name} has {len(images)} pictures")
        self.images = images.to(device)
        self.second = None if second is None else second.to(device)
        self.batch_size, self.name, self.pictures = batch_size, name, len(images)
        if generator is None:  # the name counts: two sets of one length are not drawn in one order
            seed = (torch.initial_seed() + zlib.crc32(name.encode())) % 2**63
            generator = torch.Generator().manual_seed(seed)
        self.generator = generator
        self.start_of_epoch = self.generator.get_state()
        self.place = len(images)  # the first batch begins an epoch
        self.order = None

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Float[Tensor, "B C H W"] | tuple[Tensor, Tensor]:
        if self.place + self.batch_size > len(self.images):
            self.start_of_epoch, self.place = self.generator.get_state(), 0
            self._shuffle()
        rows = self.order[self.place : self.place + self.batch_size]
        self.place += self.batch_size
        x = to_float(self.images[rows])
        if self.second is None:
            return x
        second = self.second[rows]
        return x, to_float(second) if second.dtype == torch.uint8 else second

    def _shuffle(self) -> None:
        g = self.generator
        order = torch.randperm(len(self.images), generator=g, device=g.device)
        self.order = order.to(self.images.device)

    def state_dict(self) -> dict:
        return {
            "place": self.place,
            "start_of_epoch": self.start_of_epoch,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        self.place, self.start_of_epoch = state["place"], state["start_of_epoch"]
        if self.place + self.batch_size <= len(self.images) or self.place > 0:
            self.generator.set_state(self.start_of_epoch)
            self._shuffle()
        self.generator.set_state(state["generator"])


def to_float(images: UInt8[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """uint8 0 … 255 to float32 [-1, 1], both ends exactly: x / 127.5 − 1."""
    return torch.sub(images, 127.5).div_(127.5)


def resize(images: UInt8[Tensor, "N C H W"], size: int | None, pad: int = 0) -> Tensor:
    """To size × size. Up to `pad` pixels are added as a black border; a whole factor is averaged;
    anything else is interpolated (bilinear, antialiased)."""
    h, w = images.shape[2:]
    if size is None or (h, w) == (size, size):
        return images
    size = whole("size", size, unit="pixels")
    if 0 < size - h <= pad and h == w:
        before = (size - h) // 2
        return F.pad(images, (before, size - h - before) * 2)
    parts = []
    for part in images.split(2000):
        if h == w and h % size == 0:
            part = F.avg_pool2d(part.float(), h // size)
        else:
            part = F.interpolate(part.float(), (size, size), mode="bilinear", antialias=True)
        parts.append(part.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


def grid_png(images: UInt8[Tensor, "n c h w"], columns: int = 16, width: int = 640) -> bytes:
    """The pictures side by side, enlarged by a whole factor until they can be seen."""
    n, _, h, w = images.shape
    columns = min(columns, n) or 1
    scale = max(1, width // (columns * (w + 2)))
    big = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3).cpu()
    gap, rows = 2, math.ceil(n / columns)
    h, w = h * scale + gap, w * scale + gap
    sheet = torch.full((images.shape[1], rows * h - gap, columns * w - gap), 255, dtype=torch.uint8)
    for i, picture in enumerate(big):
        y, x = divmod(i, columns)
        sheet[:, y * h : y * h + h - gap, x * w : x * w + w - gap] = picture
    array = sheet.permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(buffer, "png")
    return buffer.getvalue()
