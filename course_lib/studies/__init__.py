"""Comparisons that run for hours: how each was made, and what came out, one table each.

`read("created_equal")` gives the rows of `created_equal.csv`. The module of that name holds the
experiment; `python -m course_lib.studies.created_equal` runs what is missing in the table.
"""

import csv
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

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


def fill(
    name: str,
    work: Callable,
    jobs: list[tuple],
    keys: tuple[str, ...],
    at_once: int | None = None,
) -> None:
    """Runs the jobs that the table does not hold, a thread each, and adds each result to it.

    work(*job) returns a row or several; `keys` name the columns that hold the job. at_once: how
    many run side by side; as many as there are cores, or 1 where each has seconds to spend.
    """
    rows = read(name) if (FOLDER / f"{name}.csv").exists() else []
    held = {tuple(row[key] for key in keys) for row in rows}
    jobs = [job for job in jobs if job not in held]
    with ProcessPoolExecutor(at_once or os.cpu_count(), initializer=_one_thread) as pool:
        futures = {pool.submit(work, *job): job for job in jobs}
        for n, future in enumerate(as_completed(futures), 1):
            result = future.result()
            rows += result if isinstance(result, list) else [result]
            rows.sort(key=lambda row: [row[key] for key in (*keys, "updates") if key in row])
            write(name, rows)
            print(f"{name}: {n} of {len(jobs)}", *futures[future], flush=True)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _value(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
