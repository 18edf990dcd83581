"""The commands with Python alone: what they set up, what they run, and what they refuse."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import course

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """The commands run in an empty folder, where nothing is started but noted."""
    made = []

    def call(python, arguments):
        made.append((Path(python), arguments))
        if arguments[0] == "tests/make_environment.py":
            (tmp_path / arguments[1]).mkdir(exist_ok=True)
            (tmp_path / arguments[1] / "ready").touch()

    monkeypatch.setattr(course, "ROOT", tmp_path)
    monkeypatch.setattr(course, "call", call)
    (tmp_path / "pyproject.toml").touch()
    return made


def test_the_first_command_sets_up_both_environments_and_the_next_neither(calls):
    course.main(["test"])
    assert [arguments for _, arguments in calls] == [
        ["tests/make_environment.py", ".venv", "lab"],
        ["tests/make_environment.py", ".venv-test", "test"],
        ["tests/run.py"],
    ]
    pythons = [sys.executable, *map(course.python_of, (".venv", ".venv-test"))]
    assert [python for python, _ in calls] == [Path(python) for python in pythons]
    calls.clear()
    course.main(["everywhere"])
    assert [arguments[:3] for _, arguments in calls] == [
        ["-m", "pytest", "tests"],
        ["-m", "pytest", "tests/test_pretend_gpu.py"],
    ]


def test_an_environment_that_is_older_than_its_list_is_brought_up_to_date(calls):
    course.main(["lab"])
    listed = course.ROOT / "pyproject.toml"
    os.utime(listed, (listed.stat().st_mtime + 60,) * 2)
    calls.clear()
    course.main(["lab"])
    assert calls[0][1] == ["tests/make_environment.py", ".venv", "lab"]


def test_lab_opens_the_first_lecture_or_the_one_that_is_named_on_this_machine_alone(calls):
    paths = course.START, "notebooks/04_dcgan.ipynb"
    course.main(["lab"])
    course.main(["lab", paths[1]])
    for (_, arguments), path in zip(calls[1:], paths, strict=True):
        assert arguments[:2] == ["-m", "jupyterlab"] and path in arguments
        assert "--ServerApp.ip=127.0.0.1" in arguments and "token" not in " ".join(arguments)


def test_address_hands_the_address_on_and_needs_one(calls):
    course.main(["address", "https://github.com/me/copy"])
    assert calls[-1][1] == ["-m", "course_lib.build", "--address", "https://github.com/me/copy"]


WRONG = [[], ["lap"], ["test", "fast"], ["lab", "a", "b"], ["address"]]


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_answered_with_what_there_is(calls, wrong):
    with pytest.raises(SystemExit) as stopped:
        course.main(wrong)
    assert "everywhere  what takes longer" in str(stopped.value) and not calls


def test_a_command_that_fails_ends_with_its_code():
    with pytest.raises(SystemExit) as stopped:
        course.call(sys.executable, ["-c", "raise SystemExit(3)"])
    assert stopped.value.code == 3


def test_no_make_is_needed():
    told = subprocess.run(
        [sys.executable, "course.py"], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True
    )
    assert told.returncode == 1 and "python course.py lab" in told.stderr
