"""A notebook alone on a machine that has torch but not the course, as on Colab.

The machine is a new environment. Colab's packages are lent to it by links (see make_environment).
"""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from course_lib import build
from tests.make_environment import add_paths, borrow, python_of, site_packages

THERE = ["torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "ipykernel"]
NOT_THERE = ["course_lib", "safetensors", "sklearn", "scipy", "jaxtyping", "nbgrader", "jupyterlab"]
LOOK = """
import json, sys
from importlib import metadata, util
there, not_there = json.loads(sys.argv[1])
versions = {name: metadata.version(name) for name in there}
print(json.dumps([versions, [name for name in not_there if util.find_spec(name)]]))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine") / "environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    lent = folder.with_name("lent")
    borrow(THERE, lent)
    add_paths(folder, [lent])
    return folder


def look(machine):
    """The versions of what should be there, and which modules of the rest can be found."""
    question = json.dumps([THERE, NOT_THERE])
    command = [python_of(machine), "-c", LOOK, question]
    # not in the checkout: `python -c` finds what lies in the folder that it is called in
    options = {"cwd": machine, "env": outside(), "capture_output": True, "text": True}
    found = subprocess.run(command, check=True, **options)
    return json.loads(found.stdout)


def outside(**extra):
    """The environment variables of a machine that knows nothing of this checkout."""
    ours = ("PYTHONPATH", "COURSE_EXPECT", "COURSE_SOURCE", "COURSE_SCALE")
    return {k: v for k, v in os.environ.items() if k not in ours} | extra


def traces(names):
    """Name, size and time of change of every file of these distributions."""
    paths = [
        Path(metadata.distribution(n).locate_file(f)) for n in names for f in metadata.files(n)
    ]
    files = [path for path in paths if path.suffix != ".pyc" and path.exists()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_lecture_alone_in_a_folder_installs_the_course_and_runs_to_its_end(machine, tmp_path):
    versions, found = look(machine)
    assert found == []
    before = traces(["torch", "torchvision", "numpy"])
    assert len(before) > 1000

    lecture = build.ROOT / "notebooks" / "00_start_here.ipynb"
    notebook = nbformat.read(lecture, as_version=4)
    kernel = AsyncKernelManager(kernel_name="python3")
    kernel.kernel_spec.argv[0] = str(python_of(machine))
    where = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, km=kernel, timeout=300, resources=where)
    environment = outside(COURSE_SOURCE=str(build.ROOT), COURSE_SCALE="smoke")
    client.execute(cleanup_kc=True, env=environment)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")

    versions_after, found = look(machine)
    assert "course_lib" in found and "jupyterlab" not in found
    assert versions_after == versions
    assert traces(["torch", "torchvision", "numpy"]) == before
    own = {path.name.split("-")[0] for path in site_packages(machine).iterdir()}
    assert "course_lib" in own and not own & set(THERE)
