"""Fashion-MNIST's four files -> fashion_mnist.npz.   python fashion.py FOLDER fashion_mnist.npz

Debian package dataset-fashion-mnist 0.0~git20200523 (FOLDER is its /usr/share/datasets/fashion-mnist, or any
folder with the four files of the Fashion-MNIST repository).
"""

import gzip
import sys
from pathlib import Path

import numpy as np


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes: two zeros, type 8, the rank, each size as a big-endian integer, the values."""
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">i4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def main(folder: Path, out: Path) -> None:
    arrays = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        arrays[f"{split}_images"] = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
        arrays[f"{split}_labels"] = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
