"""Comparisons that run for hours: how each was made, and what came out, one table each.

`read("created_equal")` gives the rows of `created_equal.csv`. The module of that name holds the
experiment; `python -m course_lib.studies.created_equal` runs what is missing in the table.
"""

import csv
from pathlib import Path

FOLDER = Path(__file__).parent


def read(name: str) -> list[dict[str, str | float]]:
    """The rows of a stored table: column -> value, numbers as floats.

    Raises ValueError for a name that is not there.
    """
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        names = ", ".join(sorted(path.stem for path in FOLDER.glob("*.csv")))
        raise ValueError(f"name must be one of {names}; got {name!r}")
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]


def write(name: str, rows: list[dict]) -> None:
    """Puts the rows in place of the stored table, all at once."""
    path = FOLDER / f"{name}.csv"
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    part.replace(path)


def _value(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
