"""Pictures from the network, by name. All of it is checked, nothing is unpickled.

Files go to ~/.cache/image-generation-course, or to the folder in the environment variable
COURSE_DATA: first under a name of their own, then, once the checksum is right, renamed. So none is
ever half there, whoever else loads it at the same time.
"""

import gzip
import hashlib
import io
import os
import secrets
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .imageset import ImageSet, resize
from .own import _square, folder

TIMEOUT = 20  # seconds without a byte
ABANDONED = 3600  # seconds after which half a download is nobody's
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = {  # as torchvision publishes them
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
CIFAR = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR_CLASSES = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck".split(",")
OLIVETTI = "https://ndownloader.figshare.com/files/5976027"  # olivettifaces.mat
OLIVETTI_SHA256 = "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794"
CYCLEGAN_SETS = ("horse2zebra", "apple2orange", "monet2photo", "summer2winter_yosemite")
CYCLEGAN = "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/"
STAND_IN = {
    "mnist": 'load("digits") or load("fashion")',
    "cifar10": 'load("emoji")',
    "celeba": 'load("peeps")',
    "olivetti": 'load("peeps")',
    "horse2zebra": 'load("peeps", variant="without_glasses")',
    "apple2orange": 'load("emoji", style="flat")',
    "monet2photo": 'load("earth")',
    "summer2winter_yosemite": 'load("earth")',
}


def cache() -> Path:
    """The folder for downloads. ValueError where there is neither a home nor COURSE_DATA."""
    folder = os.environ.get("COURSE_DATA") or "~/.cache/image-generation-course"
    path = os.path.expanduser(folder)
    if path.startswith("~"):
        raise ValueError(
            f"{folder} is nowhere, as no home folder is known: set the environment variable "
            "COURSE_DATA to a folder for downloads"
        )
    return Path(path)


def load(name: str, split: str, size: int | None, variant: str | None) -> ImageSet:
    """A public set by name. ConnectionError, naming a stand-in, where it is not to be had.

    OSError, naming the folder, where there is no room for it.
    """
    try:
        if name == "mnist":
            return _mnist(split, size)
        if name == "cifar10":
            return _cifar10(split, size)
        if name == "celeba":
            return _celeba(split, size)
        if name == "olivetti":
            return _olivetti(split, size)
        return _cyclegan(name, split, size, variant)
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
        raise ConnectionError(
            f"{name} could not be downloaded ({error}). {_by_hand(name)}"
            f"Without a network, {STAND_IN[name]} comes with the course"
        ) from error
    except OSError as error:
        if error.errno is None:  # of a damaged picture, not of the disk
            raise
        raise OSError(
            error.errno,
            f"{name} cannot be kept in {cache()} ({error.strerror}): set the environment variable "
            f"COURSE_DATA to another folder. {STAND_IN[name]} comes with the course",
        ) from error


def _by_hand(name: str) -> str:
    if name not in CYCLEGAN_SETS:
        return ""
    folders = "trainA, trainB, testA and testB"
    return f"Or put it there yourself: the folders {folders} into {cache() / name}. "


def fetch(url: str, **checksum: str) -> Path:
    """The file behind an address, from the cache or downloaded now.

    `checksum`: its published md5= or sha256=. Without one the SHA-256 of the first download is kept
    beside the file, so that later damage is found. Raises ValueError where it is wrong; such a file
    is removed, and a download never gets its name.
    """
    path = cache() / url.rsplit("/", 1)[1]
    note = path.with_name(path.name + ".sha256")
    if not path.exists():
        _download(url, path, note, checksum)
    elif not checksum and not note.exists():  # put there by hand
        write_whole(note, _digest(path, "sha256").encode())
    kind, wanted = next(iter((checksum or {"sha256": note.read_text().strip()}).items()))
    if _digest(path, kind) != wanted:
        path.unlink(missing_ok=True)
        raise ValueError(f"{path} is damaged (wrong {kind}); it was removed: call again to load it")
    return path


def _download(url: str, path: Path, note: Path, checksum: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.name}.*.part"):  # of a process that was killed
        if time.time() - old.stat().st_mtime > ABANDONED:
            old.unlink(missing_ok=True)
    part = _own_name(path)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, part.open("xb") as file:
            expected, got = answer.headers.get("Content-Length"), 0
            while block := answer.read(1 << 20):
                got += file.write(block)
        if expected is not None and got != int(expected):
            raise ConnectionError(f"{url} broke off after {got:,} of {int(expected):,} bytes")
        for kind, wanted in checksum.items():
            if _digest(part, kind) != wanted:
                raise ValueError(
                    f"{path} is damaged (wrong {kind}); it was removed: call again to load it"
                )
        if not checksum:
            write_whole(note, _digest(part, "sha256").encode())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is never half there, whoever else writes it at the same time."""
    part = _own_name(path)
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _own_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def _digest(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _parts(split: str) -> tuple[str, ...]:
    return ("train", "test") if split == "all" else (split,)


def _mnist(split: str, size: int | None) -> ImageSet:
    images, labels = [], []
    for part in _parts(split):
        stem = {"train": "train", "test": "t10k"}[part]
        for kind, skip, into in (("images-idx3", 16, images), ("labels-idx1", 8, labels)):
            file = f"{stem}-{kind}-ubyte.gz"
            with gzip.open(fetch(MNIST + file, md5=MNIST_MD5[file])) as packed:
                into.append(np.frombuffer(packed.read(), np.uint8, offset=skip))
    pictures = torch.from_numpy(np.concatenate(images)).view(-1, 1, 28, 28)
    classes = [str(i) for i in range(10)]
    digits = torch.from_numpy(np.concatenate(labels)).long()
    return ImageSet(resize(pictures, size, pad=4), digits, classes)


def _cifar10(split: str, size: int | None) -> ImageSet:
    files = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    chosen = {"train": files[:5], "test": files[5:], "all": files}[split]
    with tarfile.open(fetch(CIFAR, md5=CIFAR_MD5)) as archive:  # the binary version: no pickles
        raw = [archive.extractfile(f"cifar-10-batches-bin/{name}").read() for name in chosen]
    rows = torch.from_numpy(np.frombuffer(b"".join(raw), np.uint8).reshape(-1, 3073).copy())
    return ImageSet(resize(rows[:, 1:].view(-1, 3, 32, 32), size), rows[:, 0].long(), CIFAR_CLASSES)


def _celeba(split: str, size: int | None) -> ImageSet:
    from torchvision import datasets

    try:
        faces = datasets.CelebA(str(cache()), split=split, download=True)
    except Exception as error:  # quotas and login pages come in many shapes
        raise ConnectionError(f"its server refused: {error}") from error
    pictures = torch.stack([_square(image, size or 64) for image, _ in faces])
    names = [name for name in faces.attr_names if name]
    attributes = {name: faces.attr[:, i] for i, name in enumerate(names)}
    values = {name: ["no", "yes"] for name in names}
    return ImageSet(pictures, attributes=attributes, attribute_values=values)


def _olivetti(split: str, size: int | None) -> ImageSet:
    from scipy.io import loadmat  # scikit-learn brings it; its own reader would unpickle

    path = fetch(OLIVETTI, sha256=OLIVETTI_SHA256)
    faces = loadmat(io.BytesIO(path.read_bytes()))["faces"]  # (4096, 400)
    pictures = torch.from_numpy(faces.T.reshape(400, 1, 64, 64).transpose(0, 1, 3, 2).copy())
    person = torch.arange(400) // 10
    test = torch.arange(400) % 10 >= 8
    rows = {"train": ~test, "test": test, "all": test | ~test}[split]
    return ImageSet(resize(pictures[rows], size), person[rows])


def _cyclegan(name: str, split: str, size: int | None, variant: str | None) -> ImageSet:
    """From the folder of that name in the cache where somebody has put it, else from the server."""
    variant = variant or "a"
    if variant not in ("a", "b"):
        raise ValueError(f"variant must be a or b for {name}; got {variant!r}")
    folders, mine = [f"{part}{variant.upper()}" for part in _parts(split)], cache() / name
    if mine.is_dir():
        return ImageSet(torch.cat([folder(mine / f, size or 256, "all").images for f in folders]))
    images, path = [], fetch(f"{CYCLEGAN}{name}.zip")
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise ConnectionError(f"another page came in place of {path.name}")  # to log in, or to pay
    with zipfile.ZipFile(path) as archive:  # read, never extracted
        for start in (f"{name}/{f}/" for f in folders):
            for file in sorted(f for f in archive.namelist() if f.startswith(start)):
                if not file.endswith("/"):
                    with Image.open(io.BytesIO(archive.read(file))) as image:
                        images.append(_square(image, size or 256))
    return ImageSet(torch.stack(images))
