"""Submissions that mean harm, by kind: none is credited, none touches anything or anyone else."""

import csv
import os
import sys
from pathlib import Path

import psutil
import pytest

from course_lib.exercises.__main__ import main
from tests.grading.notebooks import FORKS, IDS, IMPORTS, C, ranged, write_notebook
from tests.helpers import ROOT

SOURCE = ROOT / "course_lib/exercises/topics/start.py"
PRELUDE = f"""
import _posixsubprocess, ctypes, errno, fcntl, gc, mmap, multiprocessing.util, signal, socket
import resource, struct, types
libc = ctypes.CDLL(None, use_errno=True)
SOURCE = {str(SOURCE)!r}
def stolen(text):
    namespace = {{}}
    exec(text, namespace)
    return namespace["to_model_range"]
def call(*arguments):
    result = libc.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""
TEXT = "return stolen(text)(images)"
READS = {
    "open": "text = open(SOURCE).read()",
    "os.open": "text = os.read(os.open(SOURCE, 0), 99999).decode()",
    "by the C library": "f = libc.open(SOURCE.encode(), 0)\nassert f > 0\ntext = os.read(f, 99999)",
    "by a system call": "f = call(257, -100, SOURCE.encode(), 0, 0)\ntext = os.read(f, 99999)",
    "a folder's descriptor": "d = os.open('/', 0)\n"
    "text = os.read(os.open(SOURCE[1:], 0, dir_fd=d), 99999)",
    "a lying str": "class S(str):\n    __fspath__ = lambda self: SOURCE\n"
    "text = open(S('x')).read()",
    "fsdecode patched": "os.fsdecode = lambda p: 'x'\ntext = open(SOURCE).read()",
    "the hook's closure": "for f in gc.get_objects():\n"
    "    if isinstance(f, types.FunctionType) and f.__name__ == 'refuse':\n"
    "        f.__code__ = (lambda event, args: None).__code__\ntext = open(SOURCE).read()",
    "torch": "text = bytes(torch.from_file(SOURCE, size=2000, dtype=torch.uint8).tolist())"
    ".split(b'def _min_max')[0]",
    "torchvision": "import torchvision\ntext = bytes(torchvision.io.read_file(SOURCE).tolist())",
    "a link": "os.symlink(SOURCE, 'here')\ntext = open('here').read()",
    "a hard link": "os.link(SOURCE, 'here')\ntext = open('here').read()",
    "the parent's memory": "text = open(f'/proc/{os.getppid()}/mem', 'rb').read(10)",
    "tests": f"text = open({str(ROOT / 'tests/exercise_variants/start.py')!r}).read()",
    "git": f"text = str(os.listdir({str(ROOT / '.git')!r}))",
}
STARTS = {
    "os.fork": "os.fork()",
    "C's fork": "p = libc.fork()\nassert p >= 0\nif p == 0:\n    time.sleep(600)",
    "vfork": "assert libc.vfork() >= 0",
    "clone": "if call(56, 17, 0, 0, 0, 0) == 0:\n    time.sleep(600)",
    "fork_exec": "multiprocessing.util.spawnv_passfds(b'/bin/sleep', ['sleep', '600'], ())",
    "posix_spawn": "p = ctypes.c_int()\nargv = (ctypes.c_char_p * 3)(b'sleep', b'600', None)\n"
    "assert libc.posix_spawn(ctypes.byref(p), b'/bin/sleep', None, None, argv, None) == 0",
    "exec": "call(59, b'/bin/sleep', (ctypes.c_char_p * 3)(b'sleep', b'600', None), None)",
    "system": "assert libc.system(b'sleep 600 &') == 0",
}
STEERS = {
    "kill": "assert libc.kill(os.getppid(), 9) == 0",
    "kill all": "assert libc.kill(-1, 9) == 0",
    "stop the grader": "assert libc.kill({grader}, 19) == 0",
    "tgkill": "call(234, {grader}, {grader}, 19)",
    "pidfd": "call(424, call(434, {grader}, 0), 19, None, 0)",
    "sigqueue": "assert libc.sigqueue({grader}, 19, 0) == 0",
    "SIGIO": "a, b = socket.socketpair()\nfcntl.fcntl(a, fcntl.F_SETOWN, {grader})\n"
    "fcntl.fcntl(a, 10, 19)\nfcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)\nb.send(b'x')",
    "prlimit": "resource.prlimit({grader}, resource.RLIMIT_CPU, (1, 1))",
    "nice": "os.setpriority(os.PRIO_PROCESS, {grader}, 19)",
    "affinity": "os.sched_setaffinity({grader}, [0])",
    "ptrace": "call(101, 16, {grader}, 0, 0)",
    "sockets": "socket.socket(socket.AF_UNIX)",
    "network": "socket.create_connection(('127.0.0.1', 9))",
}
LEAVES = {
    "shared memory": "f = libc.shm_open(b'/left', 66, 0o600)\nassert f > 0",
    "a file in dev shm": "open('/dev/shm/left', 'w').write('x')",
    "System V memory": "assert libc.shmget(4711, 4096, 0o1600) > 0",
    "a queue": "assert libc.msgget(4711, 0o1600) > 0",
    "a file": "call(257, -100, b'{outside}/left', 66, 0o600)",
    "a folder": "assert libc.mkdir(b'{outside}/left', 0o700) == 0",
    "a mode": "assert libc.chmod(b'{outside}/kept', 0) == 0",
    "a time": "assert libc.utimes(b'{outside}/kept', None) == 0",
    "an owner": "assert libc.chown(b'{outside}/kept', 1, 1) == 0",
    "removed": "assert libc.unlink(b'{outside}/kept') == 0",
    "renamed": "assert libc.rename(b'{outside}/kept', b'{outside}/left') == 0",
    "shortened": "assert libc.truncate(b'{outside}/kept', 0) == 0",
    "mounted": "assert libc.mount(b'none', b'{outside}', b'tmpfs', 0, None) == 0",
}
FLOODS = {
    "a full folder": "for n in range(999):\n    open(str(n), 'wb').write(bytes(10 << 20))",
    "many files": "for n in range(99999):\n    open(str(n), 'w').close()",
    "memfd": "for n in range(99):\n    os.write(os.memfd_create('x'), bytes(1 << 20))",
}


def bodies():
    for kind, attacks in (("reads", READS), ("starts", STARTS), ("steers", STEERS)):
        for name, body in attacks.items():
            yield f"{kind} {name}", body
    for kind, attacks in (("leaves", LEAVES), ("floods", FLOODS)):
        for name, body in attacks.items():
            yield f"{kind} {name}", body


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """The rows of all attacks, each beside two right functions, and the folder outside."""
    folder, outside = tmp_path_factory.mktemp("attacks"), tmp_path_factory.mktemp("outside")
    (outside / "kept").write_text("kept")
    for name, body in bodies():
        body = body.replace("{grader}", str(os.getpid())).replace("{outside}", str(outside))
        good = TEXT if name.startswith("reads ") else "return images / 127.5 - 1"
        cells = ranged(f"{body}\n{good}", IMPORTS + PRELUDE)
        write_notebook(folder / f"{name}.ipynb", cells)
    output = outside.parent / "scores.csv"
    assert main([str(folder), "--output", str(output), "--timeout", "30", "--memory", "2"]) == 0
    with output.open(encoding="utf-8-sig") as file:
        return {row["submission"][:-6]: row for row in csv.DictReader(file)}, outside


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel holds a process")


@FORKS
@linux
def test_no_attack_is_credited_and_its_neighbours_are(attacked):
    rows, _ = attacked
    assert {*rows} == {name for name, _ in bodies()}
    statuses = {name: [row[i] for i in IDS] for name, row in rows.items()}
    assert {n: rows[n]["notes"] for n, s in statuses.items() if s[0] == C} == {}
    assert {n: s for n, s in statuses.items() if s[1:] != [C, C]} == {}


@FORKS
@linux
def test_nothing_is_left_or_changed_outside(attacked):
    _, outside = attacked
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"
    assert not Path("/dev/shm/left").exists()
    sleeping = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"])]
    assert ["sleep", "600"] not in sleeping
