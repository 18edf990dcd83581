"""Every notebook alone in a folder of a machine without the course, as on Colab; then offline.

    make everywhere

On one machine the packages are those of this Python, lent by links; on the other one everything
that pyproject.toml names has the oldest version that it admits. The first cell installs the course
there. After that the notebook is run to its end from a fresh home folder, with the network cut off.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from course_lib import build
from tests.make_environment import PYPROJECT, add_paths, borrow, install, python_of
from tests.test_colab import THERE, look, outside

pytestmark = pytest.mark.everywhere
NOTEBOOKS = sorted((build.ROOT / "notebooks").glob("*.ipynb"))
# a network of its own, without any interface; Jupyter then talks through sockets that are files
CUT_OFF = ["unshare", "--map-root-user", "--net"]
PROBE = "import socket; socket.create_connection(('pypi.org', 443), 5)"


def oldest() -> list[str]:
    """ "torch==2.4", …: the lower bounds of what the course needs."""
    dependencies = re.search(r"^dependencies = \[(.*?)^\]", PYPROJECT, re.M | re.S).group(1)
    return [line.replace(">=", "==") for line in re.findall(r'"([\w-]+>=[\d.]+)"', dependencies)]


@pytest.fixture(scope="module", params=["this", "oldest"])
def packages(request, tmp_path_factory):
    """A folder with what the machine has before the course comes."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "this":
        borrow(THERE, folder / "lent")
        return folder / "lent"
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    there = [line for line in oldest() if line.split("==")[0] in THERE]
    assert install(environment, folder / "log", *there, "ipykernel"), (folder / "log").read_text()
    return next(environment.glob("lib/*/site-packages"))


@pytest.fixture
def machine(packages, tmp_path, monkeypatch):
    """A new environment that sees those packages and nothing else."""
    folder, constraints = tmp_path / "machine", tmp_path / "oldest.txt"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    add_paths(folder, [packages])
    if packages.name == "site-packages":
        constraints.write_text("\n".join(oldest()))
        monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    yield folder
    shutil.rmtree(folder)


def run(notebook, machine, folder, prefix=(), **environment):
    with tempfile.TemporaryDirectory() as sockets:  # a short path: those of sockets have a limit
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/k")
        kernel.kernel_spec.argv[:1] = [*prefix, str(python_of(machine))]
        where = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, km=kernel, timeout=600, resources=where)
        client.execute(cleanup_kc=True, env=outside(COURSE_SCALE="smoke", **environment))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_alone_installs_the_course_and_runs_without_a_network(path, machine, tmp_path):
    if subprocess.run([*CUT_OFF, "true"]).returncode:
        if os.environ.get("CI"):
            pytest.fail("this system gives no network namespaces, and CI must not go without")
        pytest.skip("this system gives no network namespaces")
    versions, found = look(machine)
    assert set(found) <= {"jupyterlab"}  # which the oldest ipywidgets bring
    home, alone = tmp_path / "home", tmp_path / "alone"
    home.mkdir()
    alone.mkdir()
    notebook = nbformat.read(path, as_version=4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first = nbformat.v4.new_notebook(cells=[setup], metadata=notebook.metadata)
    run(first, machine, alone, COURSE_SOURCE=str(build.ROOT))
    after, found = look(machine)
    assert "course_lib" in found and after == versions

    reached = subprocess.run([*CUT_OFF, python_of(machine), "-c", PROBE], capture_output=True)
    assert reached.returncode != 0
    run(notebook, machine, alone, CUT_OFF, HOME=str(home), COURSE_EXPECT="not attempted")
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
