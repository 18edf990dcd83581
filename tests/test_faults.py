"""What can go wrong, and what happens then: a table, one row a fault.

A row says what befalls the course (its name), which words the user is told (the way out is among
them), and what is afterwards as it was before. The few lines below a row do the damage. The test at
the end of the file runs every row; `pytest tests/test_faults.py -v` lists them.
"""

import contextlib
import errno
import functools
import http.server
import io
import math
import os
import random
import shutil
import signal
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_lib import checkpoints, data, pretrained
from course_lib.data import downloads, embedded
from course_lib.exercises import EXERCISES, check, grade
from course_lib.exercises.__main__ import main
from course_lib.exercises.engine import Exercise, call
from course_lib.training import train
from tests.helpers import ROOT, ToyStep, built, python, stubborn, toy_batches, weights


@dataclass(frozen=True)
class Fault:
    place: type  # where it happens
    name: str  # what happens
    says: tuple[str, ...]  # words that the user is told
    keeps: tuple[Callable, ...]  # what must be the same before and after, as functions of the place
    inject: Callable  # does the damage and returns all that was told


FAULTS: list[Fault] = []


def fault(place: type, name: str, *says: str, keeps: tuple[Callable, ...]) -> Callable:
    return lambda inject: FAULTS.append(Fault(place, name, says, keeps, inject))


class Place:
    """A folder of its own in which the course is used."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys):
        self.folder, self.patch, self.capsys = folder, monkeypatch.setattr, capsys

    def told(self, course: Callable, *arguments, **options) -> str:
        """All that the user is told: what is printed, and the exception."""
        self.capsys.readouterr()
        raised = ""
        try:
            course(*arguments, **options)
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"
        return " ".join(f"{''.join(self.capsys.readouterr())} {raised}".split())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def flip(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def throws(error: BaseException) -> Callable:
    def throw(*_, **__):
        raise error

    return throw


def disk_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


# --- training -------------------------------------------------------------------------------------


class Faulty(ToyStep):
    """A step of training; the seventh is done by `fault(step)`."""

    fault = None

    def __call__(self, x):
        step = functools.partial(super().__call__, x)
        return type(self).fault(step) if self.fault and self.ema.n == 6 else step()


class Training(Place):
    """A run that was stopped after 5 of 12 steps: its checkpoints of steps 4 and 5 are on disk."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.run, self.network = self.folder / "run", built(Faulty)
        train(self.network, toy_batches(), 5, checkpoint=self.run, checkpoint_every=0)

    def goes_on(self, fault=None, batches=None) -> str:
        """The same cells in a new kernel: what is told, and the newest checkpoint."""
        self.patch(Faulty, "fault", fault)
        self.network, batches = built(Faulty), batches or toy_batches()
        options = {"checkpoint": self.run, "checkpoint_every": 0}
        return f"{self.told(train, self.network, batches, 12, **options)} {self.newest().name}"

    def newest(self) -> Path:
        return max(self.run.glob("*.pt"))


def the_run(lab: Training) -> list[float]:
    """Taken up in a new kernel, it ends with the same weights to the last bit."""
    lab.patch(Faulty, "fault", None)
    folder, fresh = lab.folder / f"copy {time.monotonic_ns()}", built(Faulty, seed=9)
    shutil.copytree(lab.run, folder)
    train(fresh, toy_batches(), 12, checkpoint=folder)
    return weights(fresh).tolist()


def the_network(lab: Training) -> bool:
    """What is in memory is what a run without faults passes through: no NaN, no half step."""
    return weights(lab.network).tolist() in path_of_the_run()


@functools.cache
def path_of_the_run() -> list[list[float]]:
    path = [weights(built(Faulty)).tolist()]
    for n in range(1, 13):
        step = built(Faulty)
        train(step, toy_batches(), n)
        path.append(weights(step).tolist())
    return path


def the_checkpoints(lab: Training) -> dict[str, bytes]:
    return contents(lab.run)


BOTH = (the_run, the_network)
training = functools.partial(fault, Training, keeps=BOTH)

KILLED = f"""
    import os, signal, sys
    sys.path.insert(0, {str(ROOT)!r})
    from course_lib.training import EMA, train
    from tests.helpers import built, toy_batches

    def kill(*_):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    update = EMA.update
    {{fault}}
    train(built(), toy_batches(), 12, checkpoint=sys.argv[1], checkpoint_every=0)
"""
IN_A_STEP = "EMA.update = lambda ema: kill() if ema.n == 6 else update(ema)"


@training("the process is killed in a step", "resumed", "at step 6 of 12", keeps=(the_run,))
def _(lab):
    assert python(KILLED.format(fault=IN_A_STEP), lab.run).returncode not in (0, 1)
    return lab.goes_on()


@training("the process is killed while it writes", "resumed", "at step 5 of 12", keeps=(the_run,))
def _(lab):
    assert python(KILLED.format(fault="os.fsync = kill"), lab.run).returncode not in (0, 1)
    assert list(lab.run.glob("*.tmp"))  # half a checkpoint, which the next run removes
    return lab.goes_on()


NO_CHECKPOINT = (
    "training goes on. Make room there, or give checkpoint= a folder that can be written"
)
DISK = (*BOTH, the_checkpoints)


@training("the disk is full", "No space left on device", NO_CHECKPOINT, keeps=DISK)
def _(lab):
    lab.patch(checkpoints.os, "fsync", throws(disk_error(errno.ENOSPC)))
    return lab.goes_on()


@training("the folder is read-only", "Read-only file system", NO_CHECKPOINT, keeps=DISK)
def _(lab):
    lab.patch(Path, "mkdir", throws(disk_error(errno.EROFS)))
    return lab.goes_on()


DAMAGED = ("is damaged and not used", "resumed", "at step 4 of 12")


@training("a bit of the newest checkpoint has flipped", *DAMAGED, keeps=(the_run,))
def _(lab):
    flip(lab.newest())
    return lab.goes_on()


@training("the newest checkpoint is cut off", *DAMAGED, keeps=(the_run,))
def _(lab):
    cut(lab.newest())
    return lab.goes_on()


@training("the newest checkpoint is gone", "resumed", "at step 4 of 12", keeps=(the_run,))
def _(lab):
    lab.newest().unlink()
    return lab.goes_on()


@training("all checkpoints are damaged", "is damaged", "12 steps on cpu", keeps=(the_network,))
def _(lab):
    for path in lab.run.glob("*.pt"):
        cut(path)
    return lab.goes_on()


@training(
    "the checkpoints are of another network",
    "of another step. net: size mismatch",
    "Give another folder, or delete this one to start anew",
    keeps=DISK,
)
def _(lab):
    wider = built(Faulty, width=16)
    before = weights(wider)
    told = lab.told(train, wider, toy_batches(), 12, checkpoint=lab.run)
    assert torch.equal(weights(wider), before)
    return told


NAN = (
    "loss became nan at step 7; the state of step 6 is back",
    "look for NaN in the batches, a log or root of 0; else lower the learning rate and delete",
    "step-00000006",
)


@training("the loss becomes NaN", *NAN)
def _(lab):
    return lab.goes_on(lambda step: {**step(), "loss": math.nan})


@training("a batch holds a NaN", *NAN)
def _(lab):
    batches = toy_batches()
    batches[1][3, 2] = math.nan  # each batch comes again after five steps
    return lab.goes_on(batches=batches)


@training(
    "the device runs out of memory",
    "ran out of memory in step 7. Lower the batch size first, then the image size or the width",
    "step-00000006",
)
def _(lab):
    return lab.goes_on(throws(torch.cuda.OutOfMemoryError("Tried to allocate 20.00 GiB")))


@training("a step raises", "ZeroDivisionError", "step-00000006")
def _(lab):
    return lab.goes_on(lambda step: 1 / 0)


def presses(times: int) -> Callable:
    return lambda step: ([signal.raise_signal(signal.SIGINT) for _ in range(times)], step())[1]


AGAIN = "run this again to go on"


@training("Ctrl-C", "interrupted at step 7", AGAIN, "step-00000007")
def _(lab):
    return lab.goes_on(presses(1))


@training("Ctrl-C, twice", "interrupted at step 6", AGAIN)
def _(lab):
    return lab.goes_on(presses(2))


# --- the data that come with the course -----------------------------------------------------------


class Data(Place):
    """The installed data files: digits, emoji and peeps."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        for path in embedded.FILES.iterdir():
            if path.name.startswith(("digits", "emoji", "peeps", "SHA")):
                shutil.copy(path, self.folder)
        self.patch(embedded, "FILES", self.folder)


INSTALL = "install the course again"


def another_set(lab: Data) -> int:
    return data.load("emoji").images.sum().item()


damaged_data = functools.partial(fault, Data, keeps=(another_set,))


@damaged_data("a bit has flipped", "digits.npz is damaged", INSTALL)
def _(lab):
    flip(lab.folder / "digits.npz")
    return lab.told(data.load, "digits")


@damaged_data("a file is cut off", "digits.npz is damaged", INSTALL)
def _(lab):
    cut(lab.folder / "digits.npz")
    return lab.told(data.load, "digits")


@damaged_data("a file is missing", "digits.npz is missing", INSTALL)
def _(lab):
    (lab.folder / "digits.npz").unlink()
    return lab.told(data.load, "digits")


@damaged_data("the checksums are missing", "SHA256SUMS is missing", INSTALL, keeps=())
def _(lab):
    (lab.folder / "SHA256SUMS").unlink()
    return lab.told(data.load, "digits")


@damaged_data("the checksums are cut off", "SHA256SUMS is missing or damaged", INSTALL, keeps=())
def _(lab):
    cut(lab.folder / "SHA256SUMS")
    return lab.told(data.load, "digits")


@damaged_data("a checksum is gone", "peeps_images_1.webp is damaged", INSTALL)
def _(lab):
    sums = lab.folder / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if "peeps_images_1" not in line]
    sums.write_text("\n".join(lines))
    return lab.told(data.load, "peeps")


# --- the trained networks that come with the course -----------------------------------------------


def net(width: int = 4, classes: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, classes))


class Pretrained(Place):
    """Two sets of weights, and a network that `small` is to be loaded into."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.patch(pretrained, "FOLDER", self.folder)
        pretrained.save_weights("small", net(), {})
        pretrained.save_weights("other", net(), {})
        self.net, self.file = net(), self.folder / "small.safetensors"

    def loads(self) -> str:
        return self.told(pretrained.load_weights, "small", self.net)


MAKE_AGAIN = "install the course again, or run: python -m course_lib.recipes small"


def the_network_given(lab: Pretrained) -> list[float]:
    return values(lab.net)


def other_weights(lab: Pretrained) -> list[float]:
    return values(pretrained.load_weights("other", net()))


def values(network: nn.Module) -> list[float]:
    return nn.utils.parameters_to_vector(network.parameters()).tolist()


KEPT = (the_network_given, other_weights)
damaged_weights = functools.partial(fault, Pretrained, keeps=KEPT)


@damaged_weights("a bit has flipped", "safetensors are damaged", MAKE_AGAIN)
def _(lab):
    flip(lab.file)
    return lab.loads()


@damaged_weights("the file is cut off", "safetensors are damaged", MAKE_AGAIN)
def _(lab):
    cut(lab.file)
    return lab.loads()


@damaged_weights("the file is missing", "safetensors are missing", MAKE_AGAIN)
def _(lab):
    lab.file.unlink()
    return lab.loads()


@damaged_weights("the checksums are cut off", "SHA256SUMS is missing or damaged", keeps=())
def _(lab):
    cut(lab.folder / "SHA256SUMS")
    return lab.loads()


OTHER_NETWORK = ("are of another network; small.md says of which",)


@damaged_weights("a layer has another shape", *OTHER_NETWORK, "1.weight")
def _(lab):
    pretrained.save_weights("small", net(classes=5), {})
    return lab.loads()


@damaged_weights("the layers have other names", *OTHER_NETWORK, "Missing key")
def _(lab):
    pretrained.save_weights("small", nn.ModuleDict({"body": net()}), {})
    return lab.loads()


# --- the network ----------------------------------------------------------------------------------


class Downloads(Place):
    """A folder for downloads in which one lies already."""

    def __init__(self, folder, monkeypatch, capsys):
        super().__init__(folder, monkeypatch, capsys)
        (folder / "earlier.zip").write_bytes(b"from last week")
        monkeypatch.setenv("COURSE_DATA", str(folder))
        monkeypatch.setenv("no_proxy", "*")

    def load(self, name: str, body: bytes = b"", **headers) -> str:
        """What is told when this is the server's answer."""
        with server(body, headers) as address:
            self.patch(downloads, "MNIST", address)
            self.patch(downloads, "CYCLEGAN", address)
            return self.told(data.load, name)


@contextlib.contextmanager
def server(body: bytes, headers: dict) -> Iterator[str]:
    """Sends that and hangs up, to whoever asks for anything."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/"
        listening.shutdown()


STAND_IN = 'Without a network, load("digits") or load("fashion") comes with the course'


def the_downloads(lab: Downloads) -> dict[str, bytes]:
    return contents(lab.folder)


download = functools.partial(fault, Downloads, keeps=(the_downloads,))


@download("there is no network", "could not be downloaded", STAND_IN)
def _(lab):
    lab.patch(socket, "create_connection", throws(disk_error(errno.ENETUNREACH)))
    lab.patch(socket, "getaddrinfo", throws(socket.gaierror("no name server")))
    return lab.told(data.load, "mnist")


@download("it ends half-way", "after 400 of 1,000 bytes", STAND_IN)
def _(lab):
    return lab.load("mnist", b"x" * 400, Content_Length="1000")


@download("it ends within a chunk", "IncompleteRead", STAND_IN)
def _(lab):
    return lab.load("mnist", b"400\r\nx", Transfer_Encoding="chunked")


@download("the server falls silent", "timed out", STAND_IN)
def _(lab):
    lab.patch(downloads, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lab.patch(downloads, "MNIST", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        return lab.told(data.load, "mnist")


@download(
    "another file comes",
    "train-images-idx3-ubyte.gz is damaged (wrong md5); it was removed: call again to load it",
)
def _(lab):
    return lab.load("mnist", b"something else")


@download(
    "a page to log in comes",
    "another page came in place of horse2zebra.zip",
    "put it there yourself: the folders trainA, trainB, testA and testB",
    keeps=(lambda lab: (lab.folder / "horse2zebra.zip").exists(),),
)
def _(lab):
    return lab.load("horse2zebra", b"<html>Welcome to our hotel</html>")


@download("the cache is read-only", "Read-only", "COURSE_DATA")
def _(lab):
    lab.patch(Path, "mkdir", throws(disk_error(errno.EROFS)))
    return lab.load("mnist", b"x")


@download("the disk is full", "No space left on device", "COURSE_DATA")
def _(lab):
    lab.patch(downloads.os, "replace", throws(disk_error(errno.ENOSPC)))
    return lab.load("horse2zebra", b"x")


@download(
    "the process ends before the checksum is noted: the next call loads it",
    "2 pictures",
    keeps=(lambda lab: (lab.folder / "earlier.zip").read_bytes(),),
)
def _(lab):
    digest = downloads._digest
    lab.patch(downloads, "_digest", throws(KeyboardInterrupt()))
    with contextlib.suppress(KeyboardInterrupt):
        lab.load("horse2zebra", a_horse())
    lab.patch(downloads, "_digest", digest)
    return lab.load("horse2zebra", a_horse()) + f"{len(data.load('horse2zebra'))} pictures"


def a_horse() -> bytes:
    packed, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (9, 9)).save(picture, "png")
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(2):
            archive.writestr(f"horse2zebra/trainA/{i}.png", picture.getvalue())
    return packed.getvalue()


# --- what students write --------------------------------------------------------------------------

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
PROBES = (call("two rows", X), call("one row", X[:1]))


def row_means(x):
    return x.mean(dim=1)


def row_sums(x):
    return x.sum(dim=1)


class Notebook(Place):
    """A notebook with two exercises: one has a fault, the other is solved."""

    def __init__(self, folder, monkeypatch, capsys):
        super().__init__(folder, monkeypatch, capsys)
        self.release, self.namespace = threading.Event(), {"__name__": "__main__"}
        for setting in ("COURSE_EXPECT", "COURSE_REPORT", "COURSE_SCALE"):
            monkeypatch.delenv(setting, raising=False)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        for name, reference in (("means", row_means), ("sums", row_sums), ("loop", row_means)):
            limit = 0.3 if name == "loop" else 10.0
            exercise = Exercise(f"faults.{name}", name, reference, ("?",) * 3, (), PROBES, limit)
            monkeypatch.setitem(EXERCISES, exercise.id, exercise)

    def checks(self, function: Callable, name: str = "means") -> str:
        return self.told(check, f"faults.{name}", function)

    def runs(self, *cells: str) -> str:
        """What is told when these cells are run in turn."""
        return " ".join(self.told(exec, cell, self.namespace) for cell in cells)

    def graded(self, *cells: str) -> str:
        """What `python -m course_lib.exercises` reports of a notebook of these cells."""
        path = self.folder / "student.ipynb"
        cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return self.told(main, [str(path)])


def the_kernel(lab: Notebook) -> tuple:
    """Another exercise is still right; numbers, threads and output are as before."""
    with ThreadPoolExecutor(1) as pool:
        threads = torch.get_num_threads(), pool.submit(torch.get_num_threads).result()
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        torch.get_default_dtype(),
        threads,
        torch.is_grad_enabled(),
        sys.getrecursionlimit(),
        X.tolist(),
        grade("faults.sums", row_sums),
        sys.stdout,
        sys.stderr,
    )


student = functools.partial(fault, Notebook, keeps=(the_kernel,))
HINT = 'For a hint, run hint("faults.means"). The notebook goes on with the course\'s own version.'
NEVER_ENDS = (
    "Stopped after 0.3 s: does a loop never end?",
    "goes on with the course's own version",
)


@student("a loop never ends", *NEVER_ENDS)
def _(lab):
    def loops(x):
        while True:
            pass

    return lab.checks(loops, "loop")


@student("a loop swallows exceptions", *NEVER_ENDS)
def _(lab):
    def loops(x):
        while True:
            try:
                time.sleep(0.001)
            except Exception:
                pass

    return lab.checks(loops, "loop")


@student("a loop swallows even Ctrl-C", *NEVER_ENDS, "restart the kernel")
def _(lab):
    told = lab.checks(stubborn(lab.release), "loop")
    lab.release.set()
    for thread in threading.enumerate():
        if thread.name == "exercise":
            thread.join()
    return told


LEAVES = "your function calls exit(), which would end the whole notebook"


@student("sys.exit()", LEAVES, HINT)
def _(lab):
    return lab.checks(lambda x: sys.exit())


@student("exit()", LEAVES, HINT)
def _(lab):
    return lab.checks(lambda x: exit())


@student("it calls itself without end", "calls itself without end", HINT)
def _(lab):
    def again(x):
        return again(x)

    return lab.checks(again)


@student("it takes all memory", "asks for more memory than there is", HINT)
def _(lab):
    return lab.checks(lambda x: [0] * 2**60)


@student("it prints a million lines", "✔ correct", "… and 1,999,9")
def _(lab):
    return lab.checks(lambda x: (print("\n" * 10**6), row_means(x))[1])


@student("it changes number format, seeds and threads", "leaves gradients switched off", HINT)
def _(lab):
    def meddles(x):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(1 + torch.get_num_threads())
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(0)
        return row_means(x)

    return lab.checks(meddles)


@student("it returns NaN", "result[0]: expected 2, got nan", HINT)
def _(lab):
    return lab.checks(lambda x: row_means(x) * math.nan)


@student("it empties its argument", "changes `x` in place", HINT)
def _(lab):
    def empties(x):
        means = row_means(x)
        x.resize_(0)
        return means

    return lab.checks(empties)


IMPORT = (
    "import torch\nfrom course_lib import density\nfrom course_lib.exercises import check, hint"
)
SOLVED = """def means(x):
    return torch.mean(x, 1)
check("faults.means", means)"""
IMPORTS_AGAIN = "is not the module any more: run the cell with the imports again"


@student("`torch` is assigned to", f"`torch` {IMPORTS_AGAIN}", HINT, "✔ correct")
def _(lab):
    return lab.runs(IMPORT, "torch = None", SOLVED, IMPORT, SOLVED)


@student("a function is called like a module", f"`density` {IMPORTS_AGAIN}", HINT)
def _(lab):
    uses = """def means(x):
    return density.mmd2(x, x)
check("faults.means", means)"""
    return lab.runs(IMPORT, "def density(x): pass", uses)


@student("`check` and `hint` are assigned to", "TypeError", "✔ correct", "Hint 1")
def _(lab):
    shadowed = lab.runs(IMPORT, "check = hint = 0", SOLVED, "hint('faults.means')")
    assert shadowed.count("'int' object is not callable") == 2 and "correct" not in shadowed
    return shadowed + lab.runs(IMPORT, SOLVED, "hint('faults.means')")


RIGHT = """def to_model_range(images):
    return images / 127.5 - 1
check("density.to_model_range", to_model_range)"""
FAKE = """def check(*_):
    print("✔ correct — The mean")
check("density.fit_gaussian", 3)"""


@student(
    "a `check` of her own, then os._exit(): the instructor's report counts what was earned",
    "– not reached density.fit_gaussian",
    "✔ correct density.to_model_range",
    "The notebook stopped. Cell [5], `def leave(x):`, ended the kernel. 1 not reached, 1 correct",
)
def _(lab):
    leaves = "def leave(x):\n    import os\n    os._exit(0)\ncheck('density.fit_gaussian', leave)"
    return lab.graded(IMPORT, FAKE, IMPORT, RIGHT, leaves)


# --- the test -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: f"{row.place.__name__}: {row.name}")
def test_nothing_is_lost_and_the_message_names_the_way_out(row, tmp_path, monkeypatch, capsys):
    place = row.place(tmp_path, monkeypatch, capsys)
    before = [kept(place) for kept in row.keeps]
    told = row.inject(place)
    for words in row.says:
        assert words in told
    for kept, value in zip(row.keeps, before, strict=True):
        assert kept(place) == value, kept.__doc__ or kept.__name__
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".tmp", ".part")], "half a file"
