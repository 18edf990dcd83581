"""Runs a student's notebook and reports on its exercises, or grades a folder of notebooks.

    python -m course_lib.exercises notebooks/01_parzen_windows.ipynb
    python -m course_lib.exercises submissions --output scores.csv
    python -m course_lib.exercises submissions --output scores.csv --container docker
    python -m course_lib.exercises submissions --output scores.csv --scheduler tcp://HOST:8786

A single notebook is run at smoke scale, unless COURSE_SCALE asks for another. Exit code: 0 when
every cell was run, 1 when the notebook stopped before its end, 2 when there is no such notebook.
Of the notebooks in a folder only the functions that are checked are run, as `grading` describes.
Exit code: 0 when each file that was handed in has a row, whatever its score; 1 when some have
none, and are named on stderr; 2 when there is no notebook.
"""

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from course_lib.exercises.cards import MARKS
from course_lib.exercises.grading import (
    Growing,
    as_csv,
    as_text,
    container,
    grade_all,
    protection,
    submissions,
)
from course_lib.exercises.grading.cells import CHECK
from course_lib.exercises.grading.cluster import grade_on
from course_lib.exercises.grading.tables import shown
from course_lib.exercises.telling import show

NOTHING = "Python's audit hook alone, which stops no attack: grade strangers' work in a container"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.exercises",
        description="Report on a notebook's exercises, or grade a folder of submitted notebooks.",
    )
    parser.add_argument("notebook", type=Path, help="a notebook, or a folder of them")
    parser.add_argument("--csv", action="store_true", help="grade, and print a table for programs")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="grade, and write the table to a CSV file"
    )
    parser.add_argument(
        "--timeout", type=_positive, help="seconds for a cell (600), or for a submission (120)"
    )
    parser.add_argument("--memory", type=_positive, default=4, help="GB for a submission (4)")
    parser.add_argument(
        "--seed", type=_whole, help="draw numbers of the probes, so that none can be known before"
    )
    parser.add_argument(
        "--container", choices=("docker", "podman"), help="grade in a container that it starts"
    )
    parser.add_argument(
        "--jobs", type=_whole, metavar="N", help="submissions at once (as many as there are cores)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="grade on the workers of a Dask cluster"
    )
    options = parser.parse_args(arguments)
    if options.scheduler and (options.container or options.jobs):
        parser.error("--scheduler: its workers say how much is done at once, and where")
    if options.container:
        return grade_in_container(options)
    if options.csv or options.output or not options.notebook.suffix == ".ipynb":
        return grade_folder(options)
    try:
        notebook = nbformat.read(options.notebook, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        print(f"{options.notebook} cannot be read as a notebook: {error}", file=sys.stderr)
        return 2
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    folder, timeout = options.notebook.resolve().parent, options.timeout or 600
    verdicts, stopped = run_notebook(notebook, folder, timeout)
    show(report(options.notebook.name, notebook, verdicts, stopped))
    return 1 if stopped else 0


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0; got {text}")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if not 0 < number < 2**31:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0; got {text}")
    return number


def grade_in_container(options: argparse.Namespace) -> int:
    given = ["--csv"] if options.csv or not options.output else []
    for name in ("timeout", "memory", "seed", "jobs"):
        if getattr(options, name):
            given.append(f"--{name}={getattr(options, name):g}")
    try:
        return container.grade(
            options.container, options.notebook, options.output, given, options.memory
        )
    except OSError as error:
        print(f"--container: {error}", file=sys.stderr)
        return 2


def grade_folder(options: argparse.Namespace) -> int:
    todo, others = submissions(options.notebook)
    for line in others:
        print(f"not graded: {shown(line)}", file=sys.stderr)
    if not todo:
        print(f"There is no notebook in {options.notebook}.", file=sys.stderr)
        return 2
    try:
        table = Growing(options.output, todo) if options.output else None
    except (OSError, ValueError) as error:
        print(f"--output: {error}", file=sys.stderr)
        return 2
    if options.seed:
        os.environ["COURSE_SEED"] = str(options.seed)  # also for the processes to come
    left = [one for one in todo if not (table and table.has(one))]
    bounds = options.timeout or 120, int(options.memory * 1e9)
    if options.scheduler:
        rows = grade_on(options.scheduler, left, *bounds, options.seed or 0)
    else:
        rows = grade_all(left, *bounds, options.jobs)
    try:
        for count, row in enumerate(rows, 1 + len(todo) - len(left)):
            if table:
                table.add(row)
            line = f"{count}/{len(todo)}  {row.score} of {len(row.ids)}  {row.name!r}"
            print(line, file=sys.stderr, flush=True)
    except ImportError:
        print("--scheduler: pip install 'course_lib[cluster]' brings Dask", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        if not options.scheduler:
            raise
        print(f"--scheduler: {error}", file=sys.stderr)
        return 2
    if left:
        outside = [name for name in [os.environ.get("COURSE_CONTAINER")] if name]
        print(f"held by: {', '.join([*outside, *protection]) or NOTHING}", file=sys.stderr)
    if table:
        table.sort()
    elif options.csv:
        show(as_csv(todo).rstrip("\n"), "backslashreplace")
    else:
        show(as_text(todo))
    return 1 if others else 0


def run_notebook(
    notebook: nbformat.NotebookNode, folder: Path, timeout: float
) -> tuple[dict[str, dict], str]:
    """The last verdict on each exercise, and why the run stopped early ("" where it did not)."""
    started, stopped = [], ""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "verdicts.jsonl"
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",  # this Python, whatever the student's kernel was called
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
            on_cell_start=lambda cell, cell_index: started.append(cell),
        )
        scale = os.environ.get("COURSE_SCALE") or "smoke"
        with _environment(COURSE_REPORT=str(file), COURSE_EXPECT=None, COURSE_SCALE=scale):
            try:
                client.execute()
            except (CellTimeoutError, DeadKernelError) as error:
                late = isinstance(error, CellTimeoutError)
                why = f"took longer than {timeout:g} s" if late else "ended the kernel"
                stopped = f"{_place(notebook, started[-1])} {why}."
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    verdicts = [json.loads(line) for line in lines]
    return {verdict["id"]: verdict for verdict in verdicts}, stopped


def _place(notebook: nbformat.NotebookNode, cell: nbformat.NotebookNode) -> str:
    """ "Cell [3], `x = 1`": the number that the cell gets when all are run in order."""
    number = [c is cell for c in notebook.cells if c.cell_type == "code"].index(True) + 1
    return f"Cell [{number}], `{cell.source.strip().splitlines()[0]:.60}`,"


@contextlib.contextmanager
def _environment(**settings: str | None) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    _set_environment(settings)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(settings: dict[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def report(
    name: str, notebook: nbformat.NotebookNode, verdicts: dict[str, dict], stopped: str
) -> str:
    """One line for each exercise of the notebook, the cells that failed, and a count."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ids = [exercise_id for cell in cells for exercise_id in CHECK.findall(cell.source)]
    ids = list(dict.fromkeys([*ids, *verdicts]))
    width = max(map(len, ids), default=0)
    count, lines = Counter(), [name]
    for exercise_id in ids:
        verdict = verdicts.get(exercise_id, {"status": "not reached", "message": ""})
        status, message = verdict["status"], verdict["message"].split("\n")[0]
        count[status] += 1
        mark = MARKS.get(status, "–")
        lines.append(f"{mark} {status:13}  {exercise_id:{width}}  {message}".rstrip())
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                error = f"{output.ename}: {output.evalue.splitlines()[0] if output.evalue else ''}"
                lines.append(f"{_place(notebook, cell)} raised {error:.200}")
    lines += [f"The notebook stopped. {stopped}"] if stopped else []
    lines.append(", ".join(f"{n} {status}" for status, n in count.items()) or "no exercises")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
