"""The same grading in a container of docker or podman, for strangers' work on any system.

The image holds Python and the packages that pyproject.toml names, is built once and from then on
needs no network. The course and the submissions are mounted read-only; nothing can be written but
the folder of the table.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import course_lib

COURSE = Path(course_lib.__file__).resolve().parent.parent
DOCKERFILE = """FROM python:3.12-slim
COPY requirements.txt /
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \\
    -r /requirements.txt
"""


def grade(engine: str, target: Path, output: Path | None, options: list[str], memory: float) -> int:
    """Runs the grader in a container and returns its exit code.

    Raises OSError where the engine cannot be started, the image not built, or where the course is
    no clone with a pyproject.toml.
    """
    name = _image(engine)
    inside = ["python", "-m", "course_lib.exercises", f"/handed-in/{target.name}", *options]
    mounts = [(COURSE, "/course", ":ro"), (target.resolve(), f"/handed-in/{target.name}", ":ro")]
    if output:
        mounts.append((output.resolve().parent, "/scores", ""))
        inside += ["--output", f"/scores/{output.name}"]
    return subprocess.run([*_run(engine, mounts, memory), name, *inside]).returncode


def _run(engine: str, mounts: list[tuple[Path, str, str]], memory: float) -> list[str]:
    command = [engine, "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"]
    command += ["--security-opt=no-new-privileges", "--pids-limit=512", "--tmpfs=/tmp:size=1g"]
    # as many submissions at once as there are cores, and the grader with its copy of torch
    command.append(f"--memory={round((os.cpu_count() or 1) * memory + 4)}g")
    if hasattr(os, "getuid"):
        rootless = engine.endswith("podman")
        command += ["--userns=keep-id"] if rootless else [f"--user={os.getuid()}:{os.getgid()}"]
    for here, there, mode in mounts:
        command.append(f"--volume={here}:{there}{mode}")
    settings = {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "COURSE_CONTAINER": engine}
    return [*command, "--workdir=/course", *(f"--env={k}={v}" for k, v in settings.items())]


def _image(engine: str) -> str:
    """The name of the image, which is built where it is not there yet."""
    packages = _packages()
    name = f"course-grader:{hashlib.sha256((DOCKERFILE + packages).encode()).hexdigest()[:12]}"
    if subprocess.run([engine, "image", "inspect", name], capture_output=True).returncode:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
            Path(folder, "requirements.txt").write_text(packages, encoding="utf-8")
            if subprocess.run([engine, "build", f"--tag={name}", folder]).returncode:
                raise OSError(f"{engine} could not build the image {name}")
    return name


def _packages() -> str:
    """The packages that the course and its grader need, one a line."""
    try:
        text = (COURSE / "pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OSError(f"it takes a clone of the course: no {COURSE}/pyproject.toml") from None
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    packages = re.findall(r'^\s*"([^"]+)"', listed, re.MULTILINE)
    return "\n".join([*packages, "nbclient", "nbformat"]) + "\n"
