"""A class: two students at one JupyterHub open lecture 01, answer, and do not see each other."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from functools import partial

import nbformat
import psutil
import pytest

from course_lib import build

pytest.importorskip("jupyterhub", reason="the extra `class` is not installed")
requests = pytest.importorskip("requests")
LECTURE, EXERCISE = "01_parzen_windows", "density.fit_gaussian"
TOLD = build.ROOT / "test-artefacts"
PASSWORD = "a password of this test"
WRONG = "    mean = x.mean(dim=0)\n    return mean, (x - mean).T @ (x - mean) / len(x)"
pytestmark = pytest.mark.everywhere


def free_port():
    """The first of three that nobody listens to: the class's, the proxy's and the hub's."""
    for port in range(18_000, 19_000, 3):
        try:
            for number in range(port, port + 3):
                with socket.socket() as free:
                    free.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue
    raise OSError("no three free ports")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """(its address, the folder with the students' homes, its process)"""
    if not (build.ROOT / ".venv" / "ready").exists():
        pytest.skip("`make lab` has not set up what a student has")
    TOLD.mkdir(exist_ok=True)
    home, port = tmp_path_factory.mktemp("class"), free_port()
    for folder in (home, *home.parents[:2]):  # pytest's own, closed to others
        folder.chmod(folder.stat().st_mode | 0o011)
    settings = {"COURSE_CLASS": str(home), "COURSE_CLASS_PORT": str(port)}
    settings |= {"COURSE_CLASS_PASSWORD": PASSWORD, "COURSE_SCALE": "smoke"}
    config = build.ROOT / "classroom" / "jupyterhub_config.py"
    with open(home / "hub.log", "w") as log:
        command = [sys.executable, "-m", "jupyterhub", f"--config={config}"]
        hub = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: requests.get(f"{address}/hub/login").ok, hub, home / "hub.log")
        yield address, home, psutil.Process(hub.pid)
    finally:
        hub.terminate()
        hub.wait(60)
        shutil.copy(home / "hub.log", TOLD / "hub.log")


def wait(there, hub=None, log=None, seconds=600):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert hub is None or hub.poll() is None, log.read_text()
        try:
            if there():
                return
        except requests.ConnectionError:
            pass
        time.sleep(1)
    raise TimeoutError(log and log.read_text())


class Student:
    def __init__(self, hub, name):
        self.hub, self.name, self.url = hub, name, f"{hub}/user/{name}"
        self.session = requests.Session()
        self.session.get(f"{hub}/hub/login")
        form = {"username": name, "password": PASSWORD, "_xsrf": self.xsrf("/hub/")}
        assert self.session.post(f"{hub}/hub/login", data=form).ok
        self.session.get(f"{hub}/hub/spawn/{name}")
        wait(self.is_served)

    def is_served(self):
        page = self.session.get(f"{self.url}/lab")
        return page.ok and page.url.startswith(f"{self.url}/lab")

    def xsrf(self, path):
        return next(c.value for c in self.session.cookies if c.name == "_xsrf" and c.path == path)

    def ask(self, way, path, of=None, **options):
        headers = {"X-XSRFToken": self.xsrf(f"/user/{self.name}/")}
        whole = f"{self.hub}/user/{of or self.name}/api/{path}"
        return self.session.request(way, whole, headers=headers, allow_redirects=False, **options)

    def kernel(self):
        started = self.ask("POST", "kernels", json={"name": "python3", "path": "notebooks"})
        return started.json()["id"]

    def run(self, kernel, code):
        """All that a cell prints, shows or raises, in words."""
        return asyncio.run(self._run(kernel, code))

    async def _run(self, kernel, code):
        from tornado.httpclient import HTTPRequest
        from tornado.websocket import websocket_connect

        url = f"{self.url}/api/kernels/{kernel}/channels"
        cookies = requests.cookies.get_cookie_header(
            self.session.cookies, requests.Request("GET", url)
        )
        request = HTTPRequest(url.replace("http", "ws", 1), headers={"Cookie": cookies})
        line, said = await websocket_connect(request), []
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        head = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": self.name}
        head |= {"session": uuid.uuid4().hex, "version": "5.3", "date": "2026-01-01T00:00:00Z"}
        message = {"header": head, "parent_header": {}, "metadata": {}, "content": content}
        await line.write_message(json.dumps(message | {"channel": "shell", "buffers": []}))
        while True:
            got = json.loads(await asyncio.wait_for(line.read_message(), 600))
            if got["parent_header"].get("msg_id") != head["msg_id"]:
                continue
            found = got["content"]
            said.append(found.get("text") or found.get("data", {}).get("text/plain", ""))
            said.append("\n".join(found.get("traceback", [])))
            if found.get("execution_state") == "idle":
                line.close()
                return "".join(said)


def cell_of(notebook):
    (cell,) = [c for c in notebook["cells"] if f'check("{EXERCISE}"' in c["source"]]
    return cell


def answers():
    """(the cell of the exercise as it should be, with a classic mistake)"""
    solved = nbformat.read(build.ROOT / "solutions" / f"{LECTURE}.ipynb", 4)
    right = cell_of(solved).source
    head, _, end = right.partition("    ### BEGIN SOLUTION")
    return right, head + WRONG + end.partition("### END SOLUTION")[2]


def test_two_students_answer_lecture_01_and_neither_sees_the_others_files(hub):
    address, home, process = hub
    ann, bob = Student(address, "ann"), Student(address, "bob")
    right, wrong = answers()
    path = f"contents/notebooks/{LECTURE}.ipynb"
    kernels = {}
    for student, source, verdict in ((ann, right, "correct"), (bob, wrong, "wrong")):
        whole = student.ask("GET", path).json()
        kernels[student.name] = kernel = student.kernel()
        run = partial(student.run, kernel)
        assert "Error" not in run("import torch\nfrom course_lib.exercises import check")
        said = run(source)
        assert f"{verdict} —" in said, said
        cell_of(whole["content"])["source"] = source
        assert student.ask("PUT", path, json={"type": "notebook", "content": whole["content"]}).ok

    for student, other, source in ((ann, bob, right), (bob, ann, wrong)):
        assert student.ask("GET", path, of=other.name).status_code in (302, 403, 404)
        listed = student.ask("GET", "contents").json()["content"]
        assert [entry["name"] for entry in listed] == ["notebooks"]
        kept = nbformat.read(home / student.name / "notebooks" / f"{LECTURE}.ipynb", 4)
        assert source in [cell.source for cell in kept.cells]
        peep = f"print(open({str(home / other.name / 'notebooks' / LECTURE)!r} + '.ipynb').read())"
        if (home / other.name).stat().st_uid != os.getuid():
            assert "PermissionError" in student.run(kernels[student.name], peep)

    told = ["megabytes that a process alone holds:"]
    for child in (process, *process.children(recursive=True)):
        held = child.memory_full_info().uss / 2**20
        told.append(f"{held:6.0f}  {' '.join(child.cmdline()[1:4])}")
    (TOLD / "class.txt").write_text("\n".join(told), encoding="utf-8")
