"""Grading by the workers of a Dask cluster, one of which dies."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from course_lib.exercises.__main__ import main
from course_lib.exercises.grading import cluster
from course_lib.exercises.grading.handins import Submission
from tests.grading.notebooks import BLANK, FIT, FORKS, IMPORTS, RANGE, RIGHT, SIZE, write_notebook

distributed = pytest.importorskip("distributed")
pytestmark = FORKS


def started(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.fixture
def scheduler(tmp_path):
    file = tmp_path / "scheduler.json"
    process = started(
        *["scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard"],
        f"--scheduler-file={file}",
    )
    deadline = time.monotonic() + 60
    while not file.exists() or not file.read_text().endswith("}"):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def workers(scheduler):
    options = ["--no-nanny", "--nthreads=1", "--memory-limit=0", "--no-dashboard"]
    both = [started("worker", scheduler, *options, f"--name={name}") for name in "ab"]
    yield both
    for process in both:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def handed_in(tmp_path):
    folder = tmp_path / "handed in"
    for number in range(4):
        size = (RIGHT, BLANK)[number % 2][SIZE]
        cells = [IMPORTS, "time.sleep(1)", RIGHT[RANGE], size, RIGHT[FIT]]
        write_notebook(folder / f"student {number}.ipynb", cells)
    (folder / "broken.ipynb").write_text("{")
    return folder


def table(folder, path, *options) -> str:
    assert main([str(folder), "--output", str(path), *options]) == 0
    return path.read_text(encoding="utf-8-sig")


@pytest.mark.everywhere
def test_a_worker_that_is_killed_costs_a_retry_and_no_row(
    scheduler, workers, handed_in, tmp_path, monkeypatch
):
    here = table(handed_in, tmp_path / "here.csv", "--jobs", "2")
    assert len(here.splitlines()) == 6
    killed = []

    class Killing(distributed.as_completed):
        def __next__(self):
            future = super().__next__()
            if not killed:
                with distributed.Client(scheduler) as client:
                    busy = [worker for worker, keys in client.processing().items() if keys]
                    killed.append(client.scheduler_info()["workers"][busy[0]]["id"])
                os.killpg(workers["ab".index(killed[0])].pid, signal.SIGKILL)
            return future

    monkeypatch.setattr(distributed, "as_completed", Killing)
    there = table(handed_in, tmp_path / "there.csv", "--scheduler", scheduler)
    assert killed and there == here


def test_no_scheduler_is_told(handed_in, tmp_path, capsys):
    assert main([str(handed_in), "--csv", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "--scheduler: " in capsys.readouterr().err


def test_a_worker_that_may_start_no_process_says_what_to_do(monkeypatch):
    monkeypatch.setattr(
        cluster.multiprocessing, "current_process", lambda: type("P", (), {"daemon": True})
    )
    with pytest.raises(RuntimeError, match="--no-nanny"):
        cluster.there(Submission("a"), 1, 1 << 30, 0)


@pytest.mark.parametrize("other", [["--container=docker"], ["--jobs=2"]])
def test_two_places_at_once_are_refused(handed_in, other, capsys):
    with pytest.raises(SystemExit):
        main([str(handed_in), "--scheduler", "tcp://127.0.0.1:9", *other])
    assert "--scheduler" in capsys.readouterr().err
