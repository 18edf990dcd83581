"""python -m course_lib.data.recipes.pack FOLDER: the arrays that the other recipes made, as sheets.

A sheet is one lossless WebP picture that holds many. Similar pictures lie beside each other, which
makes it smaller; `order` in the table beside it puts them back. Three grey pictures of fashion are
the red, green and blue of one. Every file's checksum goes to SHA256SUMS.
"""

import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from course_lib.data.embedded import FILES


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """(n, h, w, c) as one (rows h, columns w, c), filled up with black."""
    n, h, w, c = pictures.shape
    rows = -(-n // columns)
    full = np.zeros((rows * columns, h, w, c), np.uint8)
    full[:n] = pictures
    return full.reshape(rows, columns, h, w, c).swapaxes(1, 2).reshape(rows * h, columns * w, c)


def save(name: str, picture: np.ndarray) -> None:
    path = FILES / f"{name}.webp"
    Image.fromarray(picture).save(path, lossless=True, quality=75, method=4)


def fashion(source: Path) -> None:
    arrays, table = np.load(source / "fashion_mnist.npz"), {}
    for split, parts in (("train", 4), ("test", 1)):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        order = np.argsort(labels, kind="stable")
        full = np.zeros((-(-len(images) // (150 * parts)) * 150 * parts, 28, 28), np.uint8)
        full[: len(images)] = images[order]
        threes = full.reshape(-1, 3, 28, 28).transpose(0, 2, 3, 1)
        for i, part in enumerate(np.split(threes, parts)):
            save(f"fashion_{split}_{i}", sheet(part, 50))
        table |= {f"{split}_order": order.astype(np.uint16), f"{split}_labels": labels}
    np.savez_compressed(FILES / "fashion.npz", **table)


def peeps(source: Path) -> None:
    arrays = np.load(source / "peeps.npz")
    order = np.lexsort((arrays["face"], arrays["head"]))
    for key in ("images", "lines"):
        for i, part in enumerate(np.split(arrays[key][order], 2)):
            save(f"peeps_{key}_{i}", sheet(part, 50))
    glasses = arrays["hasGlasses"][:2000, None, None, None]  # `images` has one of each pair already
    other = np.where(glasses, arrays["without_glasses"], arrays["with_glasses"])
    order_other = np.lexsort((arrays["face"][:2000], arrays["head"][:2000]))
    save("peeps_other_0", sheet(other[order_other], 50))
    pictures = ("images", "lines", "without_glasses", "with_glasses")
    test = np.arange(5000) % 10 == 9
    for key in ("images", "without_glasses", "with_glasses"):  # who looks like one of them joins
        half = arrays[key].reshape(-1, 32, 2, 32, 2, 3).mean((2, 4)).round().astype(np.uint8)
        _, same = np.unique(half.reshape(len(half), -1), axis=0, return_inverse=True)
        same = same.ravel()
        test[: len(half)] |= np.isin(same, same[test[: len(half)]])
    table = {key: arrays[key] for key in arrays if key not in pictures}
    table |= {"order": order.astype(np.uint16), "order_other": order_other.astype(np.uint16)}
    table["test"] = test
    np.savez_compressed(FILES / "peeps.npz", **table)


def emoji(source: Path) -> None:
    arrays = np.load(source / "emoji.npz")
    for style, key in (("flat", "fluentflat_32"), ("3d", "fluent3d_32"), ("noto", "noto_32")):
        save(f"emoji_{style}", sheet(arrays[key], 50))
    table = {key: arrays[key] for key in ("codepoints", "names", "groups", "subgroups")}
    np.savez_compressed(FILES / "emoji.npz", **table)


def digits() -> None:
    bunch = load_digits()  # values 0 … 16
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    np.savez_compressed(FILES / "digits.npz", images=images, labels=bunch.target.astype(np.uint8))


def main(source: Path) -> None:
    FILES.mkdir(exist_ok=True)
    fashion(source)
    peeps(source)
    emoji(source)
    digits()
    for name in ("earth_map.jpg", "earth_satellite.jpg"):
        shutil.copyfile(source / name, FILES / name)
    files = sorted(f for f in FILES.iterdir() if f.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files]
    (FILES / "SHA256SUMS").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
