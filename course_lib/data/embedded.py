"""The pictures that come with the course: fashion, peeps, emoji, digits, earth.

`files/` holds them as sheets (see recipes/pack.py), `files/SHA256SUMS` the checksum of each.
Nothing is read whose checksum is wrong.
"""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from course_lib.checks import whole

from .imageset import Batches, ImageSet, resize, to_float

FILES = Path(__file__).parent / "files"
STYLES = ("flat", "3d", "noto")
VARIANTS = ("plain", "lines", "without_glasses", "with_glasses")
FASHION = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")


def verify() -> int:
    """Checks every embedded file against its checksum and returns their number.

    Raises ValueError naming the first file that is missing or damaged.
    """
    names = sorted(_sums())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(read, names))
    return len(names)


def read(name: str) -> bytes:
    """The content of an embedded file. Raises ValueError where it is missing or damaged."""
    path = FILES / name
    if not path.exists():
        raise ValueError(f"the data file {path} is missing: install the course again")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _sums().get(name):
        raise ValueError(f"the data file {path} is damaged (SHA-256): install the course again")
    return content


def _sums() -> dict[str, str]:
    path = FILES / "SHA256SUMS"
    try:
        return {name: digest for digest, name in map(str.split, path.read_text().splitlines())}
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the data file {path} is missing or damaged: install the course again"
        ) from error


def _table(name: str) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(read(name)), allow_pickle=False) as table:
        return {key: table[key] for key in table}


def _picture(name: str) -> np.ndarray:
    with Image.open(io.BytesIO(read(name))) as image:
        return np.asarray(image)


def _cut(sheet: np.ndarray, size: int) -> np.ndarray:
    """A sheet of size × size pictures as (N, 3, size, size)."""
    rows, columns = sheet.shape[0] // size, sheet.shape[1] // size
    pictures = sheet.reshape(rows, size, columns, size, 3).transpose(0, 2, 4, 1, 3)
    return pictures.reshape(-1, 3, size, size)


def _sheets(prefix: str, size: int, order: np.ndarray, channels: int = 3) -> Tensor:
    """The pictures of all sheets of one set, uint8 (N, channels, size, size).

    `order` undoes the sorting that makes sheets small: what was stored at place i is row order[i].
    """
    found = {*_sums(), *(path.name for path in FILES.iterdir())}  # a damaged list may name too few
    names = sorted(name for name in found if name.startswith(prefix + "_"))
    images = np.empty((len(order), channels, size, size), np.uint8)
    each = -(-len(order) // len(names))

    def place(i: int) -> None:
        rows = order[i * each : (i + 1) * each]
        cut = _cut(_picture(names[i]), size).reshape(-1, channels, size, size)
        images[rows] = cut[: len(rows)]

    with ThreadPoolExecutor(2) as pool:  # Pillow lets go of the interpreter while it decodes
        list(pool.map(place, range(len(names))))
    return torch.from_numpy(images)


def _split(n: int, every: int, split: str) -> Tensor:
    """Rows of a split by fixed index: each `every`-th is for testing."""
    rows = torch.arange(n)
    test = rows % every == every - 1
    return {"all": rows, "test": rows[test], "train": rows[~test]}[split]


def fashion(split: str, size: int | None) -> ImageSet:
    """Fashion-MNIST: 60,000 and 10,000 grey pictures, 28 × 28; 32 × 32 adds a black border."""
    parts = ("train", "test") if split == "all" else (split,)
    table, images, labels = _table("fashion.npz"), [], []
    for part in parts:  # three pictures are the colours of one
        images.append(_sheets(f"fashion_{part}", 28, table[f"{part}_order"], channels=1))
        labels.append(torch.from_numpy(table[f"{part}_labels"].astype(np.int64)))
    return ImageSet(resize(torch.cat(images), size, pad=4), torch.cat(labels), FASHION)


def peeps(split: str, size: int | None, variant: str | None) -> ImageSet:
    """Open Peeps: 5,000 heads in colour, 64 × 64.

    Every tenth is for testing, and so is who looks like one of those at 32 × 32: no picture of the
    test set is in the training set. People who differ in colour only have one line drawing: of
    drawings 900 are for testing, not 516. Their targets are the same people in colour.
    """
    variant = variant or "plain"
    _one_of("variant", variant, VARIANTS)
    table = _table("peeps.npz")
    glasses = torch.from_numpy(table["hasGlasses"])
    kind = "lines" if variant == "lines" else "images"
    images = _sheets(f"peeps_{kind}", 64, table["order"])
    if variant.endswith("_glasses"):  # of 2,000 people the other picture is stored too
        other = _sheets("peeps_other", 64, table["order_other"])
        n, wanted = len(other), variant == "with_glasses"
        images = torch.where((glasses[:n] == wanted).view(-1, 1, 1, 1), images[:n], other)
    test, targets = torch.from_numpy(table["test"])[: len(images)], None
    if variant == "lines":
        test = _joined(images, test)
        targets = _sheets("peeps_images", 64, table["order"])
    rows = {"all": test | ~test, "test": test, "train": ~test}[split].nonzero()[:, 0]
    names = {
        "head": "head",
        "face": "face",
        "skin": "skinColor",
        "hair_colour": "headContrastColor",
        "clothing": "clothingColor",
        "facial_hair_kind": "facialHair",
        "glasses_kind": "accessories",
    }
    attributes = {k: torch.from_numpy(table[v].astype(np.int64))[rows] for k, v in names.items()}
    values = {k: table[f"vocab_{v}"].tolist() for k, v in names.items()}
    for k, v in (("glasses", "hasGlasses"), ("facial_hair", "hasFacialHair")):
        attributes[k] = torch.from_numpy(table[v].astype(np.int64))[rows]
        values[k] = ["no", "yes"]
    if variant.endswith("_glasses"):
        attributes["glasses"] = torch.full_like(rows, int(variant == "with_glasses"))
    if targets is not None:
        targets = resize(targets[rows], size)
    return ImageSet(
        resize(images[rows], size),
        attributes=attributes,
        attribute_values=values,
        targets=targets,
    )


def _joined(images: Tensor, test: Tensor) -> Tensor:
    """The rows of the test set, and all rows with a picture that occurs among them."""
    pictures = [picture.tobytes() for picture in images.numpy()]
    held_out = {pictures[i] for i in test.nonzero()[:, 0].tolist()}
    return torch.tensor([picture in held_out for picture in pictures])


def emoji(split: str, size: int | None, style: str | None) -> ImageSet:
    """1,562 emoji, 32 × 32, in three styles aligned by row; 300 for testing."""
    style = style or "flat"
    _one_of("style", style, STYLES)
    table = _table("emoji.npz")
    images = torch.from_numpy(_cut(_picture(f"emoji_{style}.webp"), 32)[: len(table["names"])])
    n = len(images)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    rows = {"all": torch.arange(n), "test": order[:300].sort()[0], "train": order[300:].sort()[0]}
    rows = rows[split]
    groups = sorted(set(table["groups"].tolist()))
    labels = torch.tensor([groups.index(g) for g in table["groups"].tolist()])
    names = {"emoji": rows.clone()}
    return ImageSet(
        resize(images[rows], size), labels[rows], groups, names, {"emoji": table["names"].tolist()}
    )


def digits(split: str, size: int | None) -> ImageSet:
    """1,797 handwritten digits, grey, 8 × 8 (UCI). Every fifth is for testing."""
    table = _table("digits.npz")
    rows = _split(len(table["labels"]), 5, split)
    images = torch.from_numpy(table["images"])[:, None][rows]
    labels = torch.from_numpy(table["labels"].astype(np.int64))[rows]
    return ImageSet(resize(images, size), labels, [str(i) for i in range(10)])


class EarthSet(ImageSet):
    """Relief map (`images`) and satellite picture (`targets`) of the same places.

    The stored pairs lie on a fixed grid; `batches` cuts new ones anywhere inside the split. Test
    regions are whole blocks of 20° × 20°, and no training crop comes within 8 pixels of one. A part
    of it, `earth[:10]`, is an ordinary set of those pairs.
    """

    def __getitem__(self, index) -> ImageSet:
        return ImageSet(self.images, targets=self.targets, name=self.name)[index]

    def batches(self, batch_size, device="cpu", generator=None, with_labels=False) -> "Crops":
        if with_labels:
            raise ValueError("with_labels: earth has no labels")
        return Crops(self.split, self.images.shape[2], batch_size, device, generator)


class Crops(Batches):
    """Random pairs of crops, without end."""

    def __init__(self, split, size, batch_size, device, generator):
        batch_size = whole("batch_size", batch_size)
        window = min(size, WINDOW)
        self.places, self.size, self.batch_size = _places(split, window), size, batch_size
        self.maps = [torch.from_numpy(m).to(device) for m in earth_maps()]  # (H, W, 3)
        self.offsets = torch.arange(window, device=device)
        self.generator = generator or torch.Generator().manual_seed(torch.initial_seed())
        self.start, self.place, self.ahead = self.generator.get_state(), 0, None

    def __next__(self) -> tuple[Tensor, Tensor]:
        if self.ahead is None:
            self._shuffle()
        if self.place == AHEAD:
            self.start, self.place = self.generator.get_state(), 0
            self._shuffle()
        y, x = self.ahead[self.place].unbind(1)
        self.place += 1
        rows = (y[:, None] + self.offsets)[:, :, None]
        columns = (x[:, None] + self.offsets)[:, None]
        return tuple(_crop(m, rows, columns, self.size) for m in self.maps)

    def _shuffle(self) -> None:
        """Places for many batches go over to the device at once: it would be waited for."""
        g, shape = self.generator, (AHEAD, self.batch_size)
        chosen = torch.randint(len(self.places), shape, generator=g, device=g.device)
        self.ahead = self.places[chosen.cpu()].to(self.offsets.device)

    def state_dict(self) -> dict:
        return {"generator": self.start, "place": self.place}

    def load_state_dict(self, state: dict) -> None:
        self.start, self.place, self.ahead = state["generator"], state.get("place", 0), None
        self.generator.set_state(self.start)


AHEAD = 64  # batches
WINDOW, BLOCK, GAP = 128, 150, 8  # pixels; 7.5 pixels are a degree


def _crop(m: Tensor, rows: Tensor, columns: Tensor, size: int) -> Tensor:
    x = to_float(m[rows, columns].permute(0, 3, 1, 2))
    return x if x.shape[2] == size else F.interpolate(x, (size, size), mode="bilinear")


@lru_cache(1)
def earth_maps() -> tuple[np.ndarray, np.ndarray]:
    """Relief and satellite picture of the whole Earth, (1350, 2700, 3) uint8, equirectangular."""
    return _picture("earth_map.jpg").copy(), _picture("earth_satellite.jpg").copy()


def earth_regions() -> tuple[np.ndarray, np.ndarray]:
    """Where crops for training and for testing may lie: two masks (1350, 2700)."""
    row, column = np.divmod(np.arange(9 * 18), 18)
    test = ((row * 7 + column * 3) % 5 == 0).reshape(9, 18)
    test = test.repeat(BLOCK, 0).repeat(BLOCK, 1)
    near = test.copy()
    for axis in (0, 1):
        near = np.any([np.roll(near, s, axis) for s in range(-GAP, GAP + 1)], axis=0)
    latitude = 90 - (np.arange(1350) + 0.5) / 7.5
    habitable = ((latitude > -58) & (latitude < 66))[:, None]
    return ~near & habitable, test & habitable


def _sums_in_windows(mask: np.ndarray, window: int) -> np.ndarray:
    """The number of pixels of the mask in the window that begins at each place."""
    total = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    w = window
    return total[w:, w:] - total[:-w, w:] - total[w:, :-w] + total[:-w, :-w]


@lru_cache(8)
def _places(split: str, window: int) -> Tensor:
    """Corners (n, 2) of the windows inside the split that show at least 15 % land."""
    train, test = earth_regions()
    inside = {"train": train, "test": test, "all": train | test}[split]
    f = earth_maps()[1].astype(np.int16)
    sea = (f[..., 2] > f[..., 0] + 8) & (f[..., 2] > f[..., 1] + 3) & (f.sum(2) < 330)
    land = ~(sea | (f.sum(2) < 45))
    whole = _sums_in_windows(inside, window) == window**2
    places = whole & (_sums_in_windows(land, window) >= 0.15 * window**2)
    return torch.from_numpy(np.stack(np.nonzero(places), 1))


def earth(split: str, size: int | None) -> EarthSet:
    size = whole("size", 64 if size is None else size, unit="pixels")
    if not 16 <= size <= 256:
        raise ValueError(f"size must be 16 … 256 pixels for earth; got {size!r}")
    window = min(size, WINDOW)
    places = _places(split, window)
    places = places[(places % (window // 2) == 0).all(1)]  # half overlapping
    offsets = torch.arange(window)
    rows = (places[:, 0, None] + offsets)[:, :, None]
    columns = (places[:, 1, None] + offsets)[:, None]
    pair = [
        torch.from_numpy(m)[rows, columns].permute(0, 3, 1, 2).contiguous() for m in earth_maps()
    ]
    result = EarthSet(resize(pair[0], size), targets=resize(pair[1], size))
    result.split = split
    return result


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} must be one of {', '.join(allowed)}; got {value!r}")
