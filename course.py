"""The course's commands, with Python alone: `python course.py lab`. The Makefile calls them too.

    lab         opens the course in JupyterLab; `lab FILE` opens one notebook
    test        proves that all of it works
    lectures    runs all lectures at laptop scale, twice; keeps their pictures, times and qualities
    class       a JupyterHub on this machine, to see what a class will see
    address     `address https://github.com/YOU/COPY` gives a copy its address, everywhere
    benchmark   measures speed beside other libraries
    site        builds the solved lectures, exercises and docstrings into web pages: build/site
    everywhere  what takes longer: bare machines, old packages, every lecture in a browser

Each sets up what it needs, once: `.venv` for students and, on top of it, `.venv-test` with the
tools of authors and tests (nbgrader adds buttons to every JupyterLab that it is installed beside).
A torch that this Python already has is used, not installed a second time. Like
tests/make_environment.py this speaks the dialect of Python 3.6: a Python that is too old must get
as far as the sentence that says so.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
START = "notebooks/00_start_here.ipynb"
LAB = "-m jupyterlab --ServerApp.ip=127.0.0.1 --log-level=WARN".split()
PEERS = ["torch-fidelity", "denoising-diffusion-pytorch", "diffusers"]
COMMANDS = {  # name: the environment, and what its Python is told, one call after the other
    "lab": (".venv", [LAB]),
    "test": (".venv-test", [["tests/run.py"]]),
    "lectures": (".venv-test", ["-m course_lib.build --execute --float32".split()]),
    "class": (".venv-test", ["-m jupyterhub --config=classroom/jupyterhub_config.py".split()]),
    "address": (".venv-test", ["-m course_lib.build --address".split()]),
    "benchmark": (
        ".venv-test",
        [
            ["-m", "pip", "install", "--quiet"] + PEERS,
            "-m pytest tests/benchmarks -m benchmark -s --readme".split(),
        ],
    ),
    "site": (".venv-test", [["site/make.py"]]),
    "everywhere": (
        ".venv-test",
        [
            "-m pytest tests -m everywhere --ignore=tests/test_pretend_gpu.py".split(),
            "-m pytest tests/test_pretend_gpu.py -m everywhere".split(),  # in a process of its own
        ],
    ),
}


def python_of(name):
    return ROOT / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def set_up(name):
    """The environment, made where it is missing or older than what pyproject.toml asks for."""
    base = {".venv": ROOT / "pyproject.toml", ".venv-test": ROOT / ".venv" / "ready"}[name]
    if name == ".venv-test":
        set_up(".venv")
    ready = ROOT / name / "ready"
    if not ready.exists() or ready.stat().st_mtime < base.stat().st_mtime:
        maker = sys.executable if name == ".venv" else str(python_of(".venv"))
        call(maker, ["tests/make_environment.py", name, {".venv": "lab"}.get(name, "test")])


def call(python, arguments):
    code = subprocess.call([str(python)] + arguments, cwd=str(ROOT))
    if code:
        sys.exit(code)


def main(arguments):
    name, files = (arguments + ["help"])[0], arguments[1:]
    wanted = {"lab": (0, 1), "address": (1,)}.get(name, (0,))
    if name not in COMMANDS or len(files) not in wanted:
        sys.exit(__doc__)
    environment, calls = COMMANDS[name]
    if name == "lab":
        calls = [LAB + (files or [START])]
        # Jupyter refuses to run as root unless it is told to: in containers there is nobody else
        calls[0] += ["--allow-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    if name == "address":
        calls = [calls[0] + files]
    set_up(environment)
    for arguments in calls:
        call(python_of(environment), arguments)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:  # JupyterLab has said what there is to say
        sys.exit(130)
