"""The files that were handed in: which of them are notebooks, whose, and what each owes."""

import functools
import hashlib
import io
import math
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat

import course_lib
from course_lib.exercises import EXERCISES, Verdict
from course_lib.exercises.grading.cells import read

LARGEST = 50 << 20  # bytes of a notebook
MEMBERS, UNPACKED = 2000, 500 << 20  # files of a zip, and bytes of all of them together
ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json")
LITTER = ("thumbs.db", "desktop.ini", "icon\r")  # what systems leave in folders
PLAIN = re.compile(r"[ !#-\[\]-~]{80,}")  # a line that JSON writes as it is
NOTEBOOKS = Path(course_lib.__file__).resolve().parent.parent / "notebooks"
UNREADABLE = "cannot be read as a notebook"


@dataclass
class Submission:
    name: str
    load: Callable[[], bytes] = bytes
    digest: str = ""  # of the file
    ids: list[str] = field(default_factory=list)  # the exercises that it should hold
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    trouble: str = ""  # why it was not read or not run to its end
    deadline: float = math.inf

    @property
    def score(self) -> int:
        return sum(self.verdicts[i].status == "correct" for i in self.ids)


def submissions(target: Path) -> tuple[list[Submission], list[str]]:
    """The notebooks in a folder of any depth, in a zip or alone; and a line for each other file.

    Litter that systems leave behind (hidden files, `__MACOSX`, `._x`) is no hand-in.
    """
    found, others = [], []
    for name, load in _files(target, others):
        if not name.lower().endswith(ENDINGS):
            others.append(f"{name}: no notebook")
            continue
        found.append(_submission(name, load))
    found.sort(key=lambda submission: submission.name)
    _mark_doubles(found)
    return found, sorted(others)


# ---- the files -----------------------------------------------------------------------------------

Load = Callable[[], bytes]


def _files(target: Path, others: list[str]) -> Iterator[tuple[str, Load]]:
    """(name, how to read it) of every file that is no litter. Why others are not read: `others`."""
    if target.is_file():
        name = "" if target.suffix.lower() == ".zip" else target.name
        yield from _file(name, functools.partial(_bytes, target), others, target)
        return

    def refused(error: OSError) -> None:
        others.append(f"{_relative(error.filename, target)}: {error.strerror}")

    for folder, folders, files in os.walk(target, onerror=refused):
        for name in sorted(folders):
            if os.path.islink(path := os.path.join(folder, name)):
                others.append(f"{_relative(path, target)}: a link to a folder, not followed")
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        for name in sorted(files):
            path = Path(folder, name)
            if not _is_litter(name):
                load = functools.partial(_bytes, path)
                yield from _file(_relative(path, target), load, others, path)


def _relative(path: str | Path, target: Path) -> str:
    return Path(path).relative_to(target).as_posix()


def _file(
    name: str, load: Load, others: list[str], path: Path | None, depth: int = 0
) -> Iterator[tuple[str, Load]]:
    """The file itself, or the files in a zip, which lies at `path` or is what `load` gives."""
    if not (path.name if path else name).lower().endswith(".zip"):
        yield name, load
        return
    try:
        yield from list(_members(name, lambda: path or io.BytesIO(load()), others, depth))
    except Exception as error:  # zipfile raises many kinds
        others.append(f"{name or path.name}: cannot be unpacked: {error or type(error).__name__}")


def _members(
    name: str, source: Callable, others: list[str], depth: int
) -> Iterator[tuple[str, Load]]:
    """Read in memory, so that no name in a zip can lead out of it."""
    if depth > 1:
        raise ValueError("a zip in a zip in a zip")
    with zipfile.ZipFile(source()) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MEMBERS or sum(entry.file_size for entry in entries) > UNPACKED:
        raise ValueError(f"more than {MEMBERS} files or {UNPACKED >> 20} MB")

    def member(entry: zipfile.ZipInfo) -> bytes:
        with zipfile.ZipFile(source()) as archive, archive.open(entry) as file:
            return _limited(file.read(LARGEST + 1))

    for entry in entries:
        parts = [p for p in PurePosixPath(_decoded(entry)).parts if p not in ("..", "/")]
        if parts and not any(map(_is_litter, parts)):
            whole = "/".join([name, *parts] if name else parts)
            yield from _file(whole, functools.partial(member, entry), others, None, depth + 1)


def _decoded(entry: zipfile.ZipInfo) -> str:
    """Names in UTF-8 that are not marked as such, as a Mac writes them."""
    try:
        marked = entry.flag_bits & 0x800
        return entry.filename if marked else entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise OSError("no plain file")
    with path.open("rb") as file:
        return _limited(file.read(LARGEST + 1))


def _limited(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise OSError(f"larger than {LARGEST >> 20} MB")
    return data


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX" or name.lower() in LITTER


# ---- a hand-in -----------------------------------------------------------------------------------


def _submission(name: str, load: Load) -> Submission:
    submission = Submission(name, load)
    try:
        data = load()
    except Exception as error:
        submission.trouble = f"{UNREADABLE}: {error or type(error).__name__}"
        data = b""
    submission.digest = hashlib.sha256(data).hexdigest()[:16]
    submission.ids = _owed(name, data)
    return submission


def _owed(name: str, data: bytes) -> list[str]:
    """All exercises of each lecture that its name tells or whose text it holds; else those whose
    ids it quotes."""
    plain = _plain(PurePosixPath(name).name)
    lectures = [stem for stem in _lectures() if _plain(stem) in plain]
    lectures += [stem for stem, text in _texts().items() if sum(t in data for t in text) >= 3]
    ids = [i for stem in dict.fromkeys(lectures) for i in _lectures()[stem]]
    return list(dict.fromkeys(ids)) or _mentioned(data)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


@functools.cache
def _lectures() -> dict[str, tuple[str, ...]]:
    """The ids of the exercises of each of the course's notebooks."""
    return {p.stem: tuple(read(p.read_bytes()).needed) for p in sorted(NOTEBOOKS.glob("*.ipynb"))}


@functools.cache
def _texts() -> dict[str, set[bytes]]:
    """The long lines of text that one lecture alone has, as they stand in a notebook's file."""
    lines = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = [line for c in cells if c.cell_type == "markdown" for line in c.source.splitlines()]
        lines[path.stem] = {line.encode() for line in text if PLAIN.fullmatch(line)}
    count = Counter(line for found in lines.values() for line in found)
    return {stem: {line for line in found if count[line] == 1} for stem, found in lines.items()}


def _mentioned(data: bytes) -> list[str]:
    """The exercises whose ids stand in quotes anywhere in a notebook's file."""
    quoted = {i: (rf"\"{i}\"".encode(), f"'{i}'".encode()) for i in EXERCISES}
    return [i for i, ways in quoted.items() if any(way in data for way in ways)]


# ---- two of one student --------------------------------------------------------------------------

# What file managers, Jupyter, Colab and students add to a name: "(1)", "-Copy1", "Copy of", "_v2"
COPIES = re.compile(
    r"\(\d+\)|[-_ ]copy ?\d*$|^(copy of|kopie von|copie de|copia de) |[-_ ](final|new|v\d+)\b|-\d$",
    re.IGNORECASE,
)


def _mark_doubles(found: list[Submission]) -> None:
    """A remark for each hand-in of a student who handed in the same exercises more than once."""
    groups: dict[tuple[str, str], list[Submission]] = {}
    for submission in found:
        for i in submission.ids:
            groups.setdefault((_student(submission.name), i), []).append(submission)
    for (student, _), group in groups.items():
        rest = [_rest(submission.name) for submission in group]
        section = "/" in group[0].name and all(rest) and len({*rest}) == len(rest)
        if len(group) > 1 and not section:
            for submission in group:
                remark = f"one of {len(group)} hand-ins of {student or 'the same student'}"
                submission.remarks = submission.remarks or [remark]


def _student(name: str) -> str:
    """The folder that an upload lies in; of a file without one, its name without the lecture's."""
    first, *others = PurePosixPath(name).parts
    first = (
        re.split(r"_\d+_assignsubmission_", first)[0] if "_assignsubmission_" in first else first
    )
    return first if others else _rest(name)


def _rest(name: str) -> str:
    """What of a file's name is neither the lecture's nor a copy's."""
    stem = re.split(r"\.ipynb|\.zip", PurePosixPath(name).name, flags=re.IGNORECASE)[0]
    words = re.sub(r"[\W_]+", " ", COPIES.sub("", COPIES.sub("", stem.strip())))
    for lecture in _lectures():
        words = re.sub(lecture.replace("_", " ?"), " ", words, flags=re.IGNORECASE)
    return " ".join(words.split()).casefold()


def counted(found: list[Submission]) -> Counter[str]:
    return Counter(s.verdicts[i].status for s in found for i in s.ids)
