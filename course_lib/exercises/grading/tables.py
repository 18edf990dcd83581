"""The table of a grading: for people, for programs, and in a file that grows row by row."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

from course_lib.exercises.cards import MARKS
from course_lib.exercises.grading.handins import Submission, counted


class Growing:
    """A CSV file in UTF-8 with a mark, which is what spreadsheets need to keep every name.

    Each row is on the disk once it is added, with the start of the SHA-256 of what was graded. The
    file of an earlier run is gone on with: `done` are its rows whose submissions are still the
    same.
    """

    def __init__(self, path: Path, todo: list[Submission]):
        self.path, self.ids = path, all_ids(todo)
        self.header = [*_header(self.ids), "file"]
        files = {_cell(s.name): s.digest for s in todo}
        old = {name: row for name, row in _rows(path).items() if files.get(name) == row["file"]}
        self.done = {n: [row.get(c, "") for c in self.header] for n, row in old.items()}
        self._write(self.done.values())

    def has(self, one: Submission) -> bool:
        return _cell(one.name) in self.done

    def add(self, row: Submission) -> None:
        self.done[_cell(row.name)] = line = [*_line(row, self.ids), row.digest]
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(_written([line]))
            file.flush()
            os.fsync(file.fileno())

    def sort(self) -> None:
        self._write(line for _, line in sorted(self.done.items()))

    def _write(self, lines: Iterable[list]) -> None:
        """All at once: another program never sees half a file."""
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        part.write_text(_written([self.header, *lines]), encoding="utf-8-sig", newline="")
        part.replace(self.path)


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """The whole rows of a file that an earlier run wrote. Raises ValueError where none did."""
    if not path.exists() or not path.stat().st_size:
        return {}
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    whole = text[: text.rfind("\n") + 1]  # the last row may have been cut off
    reader = csv.DictReader(io.StringIO(whole, newline=""))
    names = reader.fieldnames or []
    if [*names[:3], *names[-2:]] != ["submission", "score", "of", "notes", "file"]:
        raise ValueError(f"{path} is there and is no table of scores: name another file")
    return {row["submission"]: row for row in reader if None not in row.values()}


def as_csv(rows: Iterable[Submission]) -> str:
    """A row for each submission: its score, of how many, a column for each exercise, notes."""
    rows = list(rows)
    ids = all_ids(rows)
    return _written([_header(ids), *(_line(row, ids) for row in rows)])


def _header(ids: list[str]) -> list[str]:
    return ["submission", "score", "of", *ids, "notes"]


def _line(row: Submission, ids: list[str]) -> list:
    statuses = [row.verdicts[i].status if i in row.ids else "" for i in ids]
    line = [row.name, row.score, len(row.ids), *statuses, "; ".join(notes(row))]
    return [_cell(entry) if isinstance(entry, str) else entry for entry in line]


def _written(lines: Iterable[list]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def as_text(rows: Iterable[Submission]) -> str:
    rows = list(rows)
    width = max(len(shown(row.name)) for row in rows)
    lines = []
    for row in rows:
        marks = " ".join(MARKS.get(row.verdicts[i].status, "–") for i in row.ids)
        lines.append(f"{shown(row.name):{width}}  {row.score} of {len(row.ids)}  {marks}".rstrip())
        lines += [f"    {note}" for note in notes(row)]
    count = counted(rows)
    lines.append(", ".join(f"{n} {status}" for status, n in count.items()) or "no exercises")
    return "\n".join(lines)


def notes(row: Submission) -> list[str]:
    """Why it stopped, and the first line of each message about what is wrong."""
    lines = [*row.remarks, *([row.trouble] if row.trouble else [])]
    for i in row.ids:
        verdict = row.verdicts[i]
        if verdict.status != "correct" and verdict.message:
            lines.append(f"{i}: {verdict.message.splitlines()[0]}")
    return [shown(line) for line in lines]


def all_ids(rows: list[Submission]) -> list[str]:
    """In the order of the notebooks that have the most of them."""
    fullest = sorted(rows, key=lambda row: -len(row.ids))
    return list(dict.fromkeys(i for row in fullest for i in row.ids))


def shown(text: str, most: int = 200) -> str:
    """On one line, without what could command a terminal."""
    plain = "".join(c if c.isprintable() else " " for c in text).strip()
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    plain = shown(text, 2000)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
