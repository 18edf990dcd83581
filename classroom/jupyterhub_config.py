"""A JupyterHub on this machine alone, to see what a class will see: `python course.py class`.

Any name is let in, with the password below. Each student gets a folder with the notebooks, which
the hub shows to nobody else. Where it is root, and Python lies where all may read it, each student
is also a user of the system, by a number of their own: then the kernel keeps students' code from
each other's files too. Elsewhere all are the one user who runs the hub: to look around, not for a
class. README, "A class", says what to take there.

COURSE_CLASS names the folder for homes and hub (runs/class), COURSE_CLASS_PORT the port (8000); the
two ports after it are the proxy's and the hub's.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

ROOT = Path(__file__).resolve().parent.parent
CLASS = Path(os.environ.get("COURSE_CLASS") or ROOT / "runs" / "class")
PORT = int(os.environ.get("COURSE_CLASS_PORT") or 8000)
PASSWORD = os.environ.get("COURSE_CLASS_PASSWORD") or "image generation"
STUDENT = ROOT / ".venv"  # what a student has; the hub's own packages are lent to it
FIRST = 60_000  # the system's number of the hub's user 0: beyond those that systems give to people
PLACES = [place for path in (ROOT, Path(sys.executable).resolve()) for place in path.parents]
APART = os.getuid() == 0 and all(place.stat().st_mode & 0o001 for place in PLACES)


class Student(SimpleLocalProcessSpawner):
    """A student's server. It begins in a folder that nobody else can read."""

    def make_preexec_fn(self, name):
        number, home = FIRST + self.user.id, self.home_dir

        def become() -> None:
            if APART:
                os.setgroups([])
                os.setgid(number)
                os.setuid(number)
            os.chdir(home)

        return become


def prepare(spawner: Student) -> None:
    """The student's folder: made at the first start, as they left it at the next."""
    home = Path(spawner.home_dir)
    if not (home / "notebooks").exists():
        home.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "notebooks", home / "notebooks")
    home.chmod(0o700)
    if APART:
        for path in (home, *home.rglob("*")):
            os.chown(path, FIRST + spawner.user.id, FIRST + spawner.user.id, follow_symlinks=False)


CLASS.mkdir(parents=True, exist_ok=True)
(CLASS / "hub").mkdir(mode=0o700, exist_ok=True)
os.chdir(CLASS / "hub")  # its database and secrets

c = get_config()  # noqa: F821  # JupyterHub's
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_port = PORT + 2
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = PASSWORD
c.Authenticator.allow_all = True
proxy = "from configurable_http_proxy.cli import main; main()"  # in Python: it needs no node
c.ConfigurableHTTPProxy.command = [sys.executable, "-c", proxy]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 1}"
c.JupyterHub.spawner_class = Student
c.SimpleLocalProcessSpawner.home_dir_template = f"{CLASS}/{{username}}"
c.Spawner.pre_spawn_hook = prepare
c.Spawner.cmd = [f"{STUDENT}/bin/python", "-m", "jupyterhub.singleuser"]
c.Spawner.args = [] if APART else ["--allow-root"]
c.Spawner.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
lent = [os.environ.get("PYTHONPATH"), sysconfig.get_path("purelib")]
c.Spawner.environment = {"PYTHONPATH": os.pathsep.join(filter(None, lent))}
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL", "COURSE_SCALE", "OMP_NUM_THREADS", "VIRTUAL_ENV"]
print(f"http://127.0.0.1:{PORT}: any name, password {PASSWORD!r}", file=sys.stderr)
