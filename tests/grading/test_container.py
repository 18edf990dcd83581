"""The command that `--container` gives to docker or podman, which here only write it down."""

import os
import sys

import pytest

from course_lib.exercises.__main__ import main
from course_lib.exercises.grading import container

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the pretended docker is a script")
PRETENDED = f"""#!{sys.executable}
import json, os, pathlib, sys
place = pathlib.Path(__file__).parent
with open(place / "calls", "a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
command = sys.argv[1]
if command == "build":
    folder = pathlib.Path(sys.argv[-1])
    files = {{path.name: path.read_text() for path in folder.iterdir()}}
    (place / "files").write_text(json.dumps(files))
    (place / "image").write_text("")
if command == "image":
    sys.exit(not (place / "image").exists())
sys.exit(1 if command == "run" else (place / "broken").exists())
"""


@pytest.fixture(params=["docker", "podman"])
def engine(request, tmp_path, monkeypatch):
    place = tmp_path / "bin"
    place.mkdir()
    (place / request.param).write_text(PRETENDED)
    (place / request.param).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return request.param


def calls(tmp_path):
    lines = (tmp_path / "bin" / "calls").read_text().splitlines()
    return [eval(line)[1:] for line in lines]


def test_the_image_is_built_once_and_holds_what_pyproject_names(engine, tmp_path):
    for _ in range(2):
        main([str(tmp_path), "--container", engine])
    assert [call[0] for call in calls(tmp_path)] == ["image", "build", "run", "image", "run"]
    files = eval((tmp_path / "bin" / "files").read_text())
    assert "torch>=2.4\n" in files["requirements.txt"] and "nbformat" in files["requirements.txt"]
    assert files["Dockerfile"].startswith("FROM python:")


def test_the_container_is_closed_but_for_the_folder_of_the_table(engine, tmp_path):
    folder, scores = tmp_path / "handed in", tmp_path / "scores"
    folder.mkdir(), scores.mkdir()
    arguments = [str(folder), "--output", str(scores / "a.csv"), "--seed", "3"]
    assert main([*arguments, "--container", engine, "--memory", "2"]) == 1  # what came back
    run = calls(tmp_path)[-1]
    for option in ("--rm", "--network=none", "--read-only", "--cap-drop=ALL"):
        assert option in run
    assert "--security-opt=no-new-privileges" in run
    volumes = [option.removeprefix("--volume=") for option in run if "--volume" in option]
    assert volumes == [
        f"{container.COURSE}:/course:ro",
        f"{folder}:/handed-in/handed in:ro",
        f"{scores}:/scores",
    ]
    inside = run[run.index("python") :]
    assert inside[:4] == ["python", "-m", "course_lib.exercises", "/handed-in/handed in"]
    assert inside[4:] == ["--memory=2", "--seed=3", "--output", "/scores/a.csv"]


def test_an_image_that_cannot_be_built_is_said(engine, tmp_path, capsys):
    (tmp_path / "bin" / "broken").touch()
    (tmp_path / "bin" / "image").unlink(missing_ok=True)
    assert main([str(tmp_path), "--container", engine]) == 2
    assert f"--container: {engine} could not build the image" in capsys.readouterr().err


def test_an_engine_that_is_not_there_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([str(tmp_path), "--container", "docker"]) == 2
    assert "docker" in capsys.readouterr().err
