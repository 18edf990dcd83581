import errno
import functools
import hashlib
import io
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from course_lib import checkpoints
from course_lib.training import EMA, History, parts, train
from tests.helpers import ROOT, ToyStep, built, python, toy_batches, weights

# --- what belongs to a run ------------------------------------------------------------------------


def network_and_optimizer():
    net = nn.Linear(2, 1)
    return net, torch.optim.SGD(net.parameters(), lr=0.1)


def test_the_state_is_what_the_step_holds():
    step = ToyStep()
    step.others = {"net": nn.Linear(2, 2), "label": "a"}
    step.list = [nn.Linear(1, 1), 3, torch.ones(2)]
    found = parts(step)
    names = ["net", "optimizer", "scheduler", "ema", "noise", "others.net", "list.0"]
    assert list(found) == names
    assert found["net"] is step.net and found["list.0"] is step.list[0]


def test_a_step_that_is_a_module_is_one_part_and_its_optimizer_another():
    class ModuleStep(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, _ = network_and_optimizer()
            self.optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            self.blocks = [self.net]

    step = ModuleStep()
    assert parts(step) == {"step": step, "optimizer": step.optimizer}


def test_a_closure_a_partial_and_a_bound_method_are_searched():
    net, optimizer = network_and_optimizer()

    def closure(x):
        return {"loss": net(x).mean(), "lr": optimizer.param_groups[0]["lr"]}

    class Method:
        def __init__(self):
            self.net = net

        def step(self, x, *_):
            return {"loss": self.net(x).mean()}

    def plain(net, other, x):
        return {"loss": net(x).mean()}

    assert parts(closure) == {"net": net, "optimizer": optimizer}
    assert parts(Method().step) == {"net": net}
    assert list(parts(functools.partial(plain, net, other=optimizer)).values()) == [net, optimizer]
    assert parts(lambda x: closure(x)) == {"closure.net": net, "closure.optimizer": optimizer}
    inner = ToyStep()
    assert "inner.net" in parts(lambda x: inner(x))


GLOBAL_NET, GLOBAL_OPTIMIZER = network_and_optimizer()


def global_helper(x):
    return sum(GLOBAL_NET(row).mean() for row in x)


def global_step(x):
    loss = global_helper(x)
    GLOBAL_OPTIMIZER.zero_grad()
    return {"loss": loss}


def test_a_function_written_in_a_notebook_is_searched_through_the_globals_it_names():
    assert set(parts(global_step).values()) == {GLOBAL_NET, GLOBAL_OPTIMIZER}


def test_library_functions_and_classes_are_not_searched():
    assert parts(torch.nn.functional.relu) == {}
    kinds, module = [nn.Linear, torch.optim.Adam], torch
    assert parts(lambda x: (kinds, module)) == {}


def test_two_parts_of_one_name_are_both_kept():
    net, other = nn.Linear(1, 1), nn.Linear(1, 1)

    def inner(x):
        return net(x)

    found = parts(functools.partial(inner, net=other))
    assert set(found.values()) == {net, other}


# --- resuming -------------------------------------------------------------------------------------


def whole_and_parts(tmp_path, make_batches, cut, steps=20):
    """The same run in one go, and cut in two with everything built anew in between."""
    whole = built()
    expected = train(whole, make_batches(), steps)
    train(built(), make_batches(), cut, checkpoint=tmp_path / "run")
    resumed = built(seed=5)  # a new process, other weights and random numbers
    history = train(resumed, make_batches(), steps, checkpoint=tmp_path / "run")
    assert history.losses == expected.losses and history.steps == steps
    assert torch.equal(weights(resumed), weights(whole))
    assert whole.optimizer.param_groups[0]["lr"] == resumed.optimizer.param_groups[0]["lr"]


class Stateful:
    """An endless iterator that can say where it is, as the batches of an image set can."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(0)

    def __iter__(self):
        return self

    def __next__(self):
        return torch.randn(6, 4, generator=self.generator)

    def state_dict(self):
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state):
        self.generator.set_state(state["generator"])


def fresh_generator():
    source = torch.Generator().manual_seed(0)
    while True:
        yield torch.randn(6, 4, generator=source)


@pytest.mark.parametrize(
    "make_batches",
    [
        toy_batches,
        Stateful,
        fresh_generator,
        lambda: DataLoader(torch.stack(toy_batches()).flatten(0, 1), 6, shuffle=True),
        lambda: DataLoader(
            torch.stack(toy_batches()).flatten(0, 1),
            6,
            shuffle=True,
            generator=torch.Generator().manual_seed(3),
        ),
    ],
    ids=["list", "with a state", "generator", "shuffled loader", "loader with a generator"],
)
@pytest.mark.parametrize("cut", [1, 5, 13])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, make_batches, cut):
    whole_and_parts(tmp_path, make_batches, cut)


def test_a_step_of_functions_and_globals_is_resumed_too(tmp_path):
    def make(seed):
        step = built(seed=seed)
        return step, lambda x: step(x)

    whole, call = make(0)
    train(call, toy_batches(), 9)
    train(make(0)[1], toy_batches(), 4, checkpoint=tmp_path)
    resumed, call = make(1)
    train(call, toy_batches(), 9, checkpoint=tmp_path)
    assert torch.equal(weights(resumed), weights(whole))


KILLED = """
    import sys
    sys.path.insert(0, {root!r})
    from course_lib.training import train
    from tests.helpers import built
    from tests.test_checkpoints import Stateful
    train(built(), Stateful(), 10_000, checkpoint=sys.argv[1], checkpoint_every=0)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_a_run_that_was_killed_ends_as_if_nothing_had_happened(tmp_path, capsys):
    folder, code = tmp_path / "runs" / "net", textwrap.dedent(KILLED.format(root=str(ROOT)))
    process = subprocess.Popen([sys.executable, "-c", code, folder], stderr=subprocess.PIPE)
    end = time.monotonic() + 120
    while not any(int(p.name[5:13]) >= 20 for p in folder.glob("step-*.pt")):
        assert time.monotonic() < end and process.poll() is None, process.stderr.read()
    process.kill()  # SIGKILL, while it computes or writes: nothing can be tidied up
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    left = files(folder)
    reached = int(max(name for name in left if name.endswith(".pt"))[5:13])
    resumed = built(seed=2)
    history = train(resumed, Stateful(), reached + 30, checkpoint=folder)
    assert f"resumed {folder} at step {reached} of" in capsys.readouterr().err
    whole = built()
    expected = train(whole, Stateful(), reached + 30)
    assert history.losses == expected.losses and history.steps == reached + 30
    assert torch.equal(weights(resumed), weights(whole))
    assert not any(name.endswith(".tmp") for name in files(folder))


def files(folder):
    return sorted(p.name for p in folder.iterdir())


def test_the_same_cell_run_again_says_where_it_goes_on(tmp_path, capsys):
    folder = tmp_path / "dcgan"
    train(ToyStep(), toy_batches(), 40, checkpoint=folder)
    capsys.readouterr()
    history = train(ToyStep(seed=1), toy_batches(), 50, checkpoint=folder)
    assert f"resumed {folder} at step 40 of 50\n" in capsys.readouterr().err
    assert history.steps == len(history.losses["loss"]) == 50


def test_a_complete_run_comes_back_at_once(tmp_path, capsys):
    step = built()
    first = train(step, toy_batches(), 8, checkpoint=tmp_path)
    before = files(tmp_path)
    capsys.readouterr()

    def never():
        raise AssertionError("no batch is needed")
        yield

    again = ToyStep(seed=3)
    history = train(again, never(), 8, checkpoint=tmp_path)
    assert "has all 8 steps already: nothing to train. To start anew, delete the folder" in (
        capsys.readouterr().err
    )
    assert history.losses == first.losses and history.stopped == ""
    assert history.seconds == pytest.approx(first.seconds, rel=0.5)
    assert torch.equal(weights(again), weights(step))
    assert files(tmp_path) == before


def test_only_the_last_two_checkpoints_are_kept_and_none_is_half_written(tmp_path):
    tmp_path.joinpath("step-00000003-0123456789abcdef.tmp").write_bytes(b"of a killed run")
    seen = []

    class Looking(ToyStep):
        def __call__(self, x):
            seen.append(len(files(tmp_path)))
            return super().__call__(x)

    train(Looking(), toy_batches(), 6, checkpoint=tmp_path, checkpoint_every=0)
    names = files(tmp_path)
    assert [name[:13] for name in names] == ["step-00000005", "step-00000006"]
    assert all(name.endswith(".pt") for name in names) and max(seen) == 3  # and the lock


def run_with_two_checkpoints(folder, steps=10):
    """A run with every step saved; returns its last two files, the newest first."""
    train(built(), toy_batches(), steps, checkpoint=folder, checkpoint_every=0)
    return sorted(folder.glob("*.pt"), reverse=True)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def emptied(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncated, flipped, emptied])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, damage, capsys):
    whole = built()
    train(whole, toy_batches(), 15)
    newest, _ = run_with_two_checkpoints(tmp_path)
    damage(newest)
    capsys.readouterr()
    step = ToyStep(seed=4)
    train(step, toy_batches(), 15, checkpoint=tmp_path, checkpoint_every=0)
    err = capsys.readouterr().err
    assert f"{newest} is damaged and not used: its content does not match its checksum" in err
    assert f"resumed {tmp_path} at step 9 of 15" in err
    assert torch.equal(weights(step), weights(whole))
    assert [n[:13] for n in files(tmp_path) if n.endswith(".pt")] == [
        "step-00000014",
        "step-00000015",
    ]


def test_where_all_checkpoints_are_damaged_the_run_starts_anew(tmp_path, capsys):
    both = run_with_two_checkpoints(tmp_path)
    for path in both:
        truncated(path)
    capsys.readouterr()
    step = built()
    history = train(step, toy_batches(), 4, checkpoint=tmp_path)
    err = capsys.readouterr().err
    assert all(f"{path} is damaged" in err for path in both) and "resumed" not in err
    assert history.steps == 4


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    buffer = io.BytesIO()
    torch.save({"steps": 5, "parts": Payload(tmp_path / "ran")}, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
    folder = tmp_path / "run"
    folder.mkdir()
    folder.joinpath(f"step-00000005-{digest}.pt").write_bytes(buffer.getvalue())
    history = train(ToyStep(), toy_batches(), 3, checkpoint=folder)
    assert history.steps == 3 and not (tmp_path / "ran").exists()
    assert "is damaged and not used: Weights only load failed" in capsys.readouterr().err


class OtherNet(ToyStep):
    def __init__(self, **options):
        super().__init__(**options)
        self.net = nn.Linear(4, 1)
        self.optimizer = torch.optim.Adam(self.net.parameters())
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)
        self.ema = EMA(self.net)


class OtherOptimizer(ToyStep):
    def __init__(self, **options):
        super().__init__(**options)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)


class OneMore(ToyStep):
    def __init__(self, **options):
        super().__init__(**options)
        self.critic = nn.Linear(1, 1)


class LaterMismatch(ToyStep):
    """Its network fits, and would be loaded before the scheduler refuses."""

    def __init__(self, **options):
        super().__init__(**options)

        def refuse(state):
            self.scheduler.load_state_dict = load
            raise KeyError("T_max")

        load, self.scheduler.load_state_dict = self.scheduler.load_state_dict, refuse


@pytest.mark.parametrize(
    "make, mismatch",
    [
        (lambda: ToyStep(seed=1, width=9), r"net: size mismatch for 0.weight.*\[8, 4\].*\[9, 4\]"),
        (lambda: OtherNet(seed=1), "net: Sequential in the folder, Linear in the step"),
        (lambda: OtherOptimizer(seed=1), "optimizer: Adam in the folder, SGD in the step"),
        (lambda: OneMore(seed=1), "critic: nothing in the folder, Linear in the step"),
        (lambda: LaterMismatch(seed=1), "scheduler: 'T_max'"),
    ],
)
def test_a_checkpoint_of_another_step_is_refused_and_nothing_is_harmed(tmp_path, make, mismatch):
    folder = tmp_path / "run"
    train(ToyStep(), toy_batches(), 5, checkpoint=folder, checkpoint_every=0)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    step = make()
    own = weights(step)
    with pytest.raises(ValueError, match=mismatch) as error:
        train(step, toy_batches(), 9, checkpoint=folder, checkpoint_every=0)
    assert f"the checkpoints in {folder} are of another step" in str(error.value)
    assert torch.equal(weights(step), own)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def changed(folder, change):
    """The newest checkpoint of a run of 6 steps, changed by another program, checksum and all."""
    train(ToyStep(), toy_batches(), 6, checkpoint=folder, checkpoint_every=0)
    path = max(folder.glob("step-*.pt"))
    state = torch.load(path, weights_only=True)
    state = change(state) or state
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.unlink()
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
    path = path.with_name(f"{path.name[:14]}{digest}.pt")
    path.write_bytes(buffer.getvalue())
    return path


def without(name):
    return lambda state: state.pop(name) and None


KEYS = ("rng", "losses", "kinds", "settings", "parts", "batches", "seconds", "steps")
OTHERS = {f"without {name}": (without(name), f"lacks {name}, so it cannot") for name in KEYS}
OTHERS |= {
    "without numpy's rng": (lambda state: state["rng"].pop("numpy") and None, "lacks rng.'numpy'"),
    "without a loss": (lambda state: state["losses"]["loss"].pop() and None, "lacks losses of all"),
    "of no version": (without("version"), "was written by another version of the course"),
    "of an older version": (lambda state: state | {"version": 1}, "was written by another version"),
    "of a newer version": (lambda state: state | {"version": 99}, "was written by another version"),
    "a list": (lambda state: [1, 2], "was written by another version of the course"),
    "a foreign rng": (
        lambda state: state | {"rng": state["rng"] | {"torch": torch.zeros(2)}},
        "of another step. RNG state must be",
    ),
}


def spoil(*path, value=math.nan):
    def change(state):
        for name in path[:-1]:
            state = state[name]
        if isinstance(state[path[-1]], torch.Tensor):
            state[path[-1]].view(-1)[0] = value
        else:
            state[path[-1]] = value

    return change


OTHERS |= {
    "NaN weight": (spoil("parts", "net", "0.weight"), "infinity, in net.0.weight: the file is spo"),
    "infinite weight": (
        spoil("parts", "net", "0.weight", value=math.inf),
        "infinity, in net.0.weight: the file is spoilt, not your networks. Delete it to go on from",
    ),
    "NaN in Adam": (
        spoil("parts", "optimizer", "state", 0, "exp_avg"),
        "in optimizer.state.0.exp_avg: the file",
    ),
    "NaN as a rate": (
        spoil("parts", "optimizer", "param_groups", 0, "lr"),
        "in optimizer.param_groups.0.lr: the file",
    ),
    "NaN in an average": (
        spoil("parts", "ema", "model", "0.bias"),
        "in ema.model.0.bias: the file",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_checkpoint_that_is_not_whole_is_refused_before_anything_is_changed(tmp_path, kind):
    change, told = OTHERS[kind]
    path = changed(tmp_path, change)
    left = files(tmp_path)
    step = ToyStep(seed=3)
    before, rng = weights(step), torch.get_rng_state()
    with pytest.raises(ValueError, match=told) as error:
        train(step, toy_batches(), 9, checkpoint=tmp_path)
    assert str(path) in str(error.value) or str(tmp_path) in str(error.value)
    assert "start anew" in str(error.value)
    assert torch.equal(weights(step), before) and torch.equal(torch.get_rng_state(), rng)
    assert files(tmp_path) == left
    if kind.startswith(("NaN", "infinite")):  # the way out that was told
        path.unlink()
        assert train(step, toy_batches(), 9, checkpoint=tmp_path).stopped == ""


def test_infinite_buffers_such_as_masks_may_be_in_a_checkpoint(tmp_path):
    for steps in (3, 5):
        step = ToyStep()
        step.net.register_buffer("mask", torch.full((2, 2), -math.inf))
        step.ema = EMA(step.net)
        assert train(step, toy_batches(), steps, checkpoint=tmp_path).stopped == ""


def test_files_of_others_in_the_folder_are_left_alone(tmp_path, capsys):
    names = ("step-best.pt", "step-00000001-mine.tmp", "model.pt", "step-9-0123456789abcdef.pt")
    for name in names:
        (tmp_path / name).write_bytes(b"not the course's")
    train(ToyStep(), toy_batches(), 6, checkpoint=tmp_path, checkpoint_every=0)
    train(ToyStep(), toy_batches(), 9, checkpoint=tmp_path, checkpoint_every=0)
    assert "damaged" not in capsys.readouterr().err
    assert set(names) < set(files(tmp_path)) and len(files(tmp_path)) == 6


def test_the_newest_checkpoint_is_the_one_of_most_steps(tmp_path):
    paths = [tmp_path / f"step-{steps}-0123456789abcdef.pt" for steps in ("100000000", "99999999")]
    for path in paths:
        path.touch()
    assert checkpoints._files(tmp_path) == paths[::-1]


def test_a_tilde_in_checkpoint_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    train(ToyStep(), toy_batches(), 2, checkpoint="~/runs/toy")
    assert len(files(tmp_path / "runs" / "toy")) == 1 and files(tmp_path) == ["runs"]


# --- one run has the folder -----------------------------------------------------------------------


@pytest.fixture
def running(tmp_path):
    """A folder in which another process trains, and that process."""
    folder, code = tmp_path / "run", textwrap.dedent(KILLED.format(root=str(ROOT)))
    code = code.replace("10_000", "10**9")
    process = subprocess.Popen([sys.executable, "-c", code, folder], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not list(folder.glob("step-*.pt")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    yield folder, process
    process.kill()
    process.wait()


def test_a_folder_in_use_is_refused_and_the_other_process_is_named(running):
    folder, process = running
    step = ToyStep(seed=1)
    before = weights(step)
    with pytest.raises(ValueError, match=f"run is in use by process {process.pid} on .* since"):
        train(step, toy_batches(), 5, checkpoint=folder)
    assert torch.equal(weights(step), before) and process.poll() is None
    if os.name != "nt":
        link = folder.with_name("link")
        link.symlink_to(folder)
        with pytest.raises(ValueError, match=f"link is in use by process {process.pid}"):
            train(step, toy_batches(), 5, checkpoint=link)


def test_a_process_that_was_killed_leaves_no_lock(running):
    folder, process = running
    process.kill()
    process.wait()
    assert checkpoints.LOCK in files(folder)  # the file is there, but nobody has it
    reached = int(max(folder.glob("step-*.pt")).name[5:13])
    assert train(built(), Stateful(), reached + 2, checkpoint=folder).steps == reached + 2
    assert checkpoints.LOCK not in files(folder)


def test_two_runs_of_one_process_do_not_share_a_folder_either(tmp_path):
    class Nested(ToyStep):
        def __call__(self, x):
            with pytest.raises(ValueError, match=f"in use by process {os.getpid()} "):
                train(ToyStep(), toy_batches(), 2, checkpoint=tmp_path)
            return super().__call__(x)

    assert train(Nested(), toy_batches(), 2, checkpoint=tmp_path).steps == 2
    assert train(ToyStep(), toy_batches(), 3, checkpoint=tmp_path).steps == 3


def take_the_lock_again_and_again(folder, times):
    """How often this process had the folder, and how often it was refused; never beside another."""
    mark, had, refused = folder.with_name("mark"), 0, 0
    for _ in range(times):
        try:
            with checkpoints.lock(folder):
                mark.open("x").close()  # FileExistsError where another has it too
                had += folder.is_dir()
                mark.unlink()
        except ValueError:
            refused += 1
    return had, refused


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_of_many_processes_at_once_only_one_has_the_folder(tmp_path):
    folder, children = tmp_path / "runs" / "net", []
    for _ in range(4):
        if not (child := os.fork()):
            with suppress(Exception):
                os._exit(0 if sum(take_the_lock_again_and_again(folder, 100)) == 100 else 1)
            os._exit(2)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert not (folder / checkpoints.LOCK).exists()


def test_a_disk_without_locks_trains_without(tmp_path, monkeypatch):
    def refuse(file):
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(checkpoints, "_take", refuse)
    train(ToyStep(), toy_batches(), 2, checkpoint=tmp_path / "run")
    assert any(name.endswith(".pt") for name in files(tmp_path / "run"))


def test_a_state_that_cannot_be_stored_is_told_before_the_first_step(tmp_path):
    class Odd:
        def state_dict(self):
            return {"history": History()}  # a class, which only unpickling could bring back

        def load_state_dict(self, state):
            pass

    step = ToyStep()
    step.odd = Odd()
    data = iter(toy_batches())
    with pytest.raises(TypeError, match="checkpoint: the step's state cannot be stored"):
        train(step, data, 5, checkpoint=tmp_path / "run")
    assert len(list(data)) == 5 and not (tmp_path / "run").exists()


def test_a_spoilt_network_in_the_kernel_does_not_hinder_resuming(tmp_path):
    train(ToyStep(), toy_batches(), 5, checkpoint=tmp_path)
    step = ToyStep()
    with torch.no_grad():
        step.net[0].weight.fill_(math.nan)
    assert train(step, toy_batches(), 7, checkpoint=tmp_path).stopped == ""


# --- a disk that fails ----------------------------------------------------------------------------


def finishes_without_checkpoints(folder, capsys, reason):
    """Train with a folder that cannot be written; the result is that of a run without one."""
    expected = built()
    whole = train(expected, toy_batches(), 12)
    step = built()
    capsys.readouterr()
    history = train(step, toy_batches(), 12, checkpoint=folder, checkpoint_every=0)
    err = capsys.readouterr().err
    assert history.losses == whole.losses and history.stopped == ""
    assert torch.equal(weights(step), weights(expected))
    assert err.count("no checkpoint in") == 1  # told once, though it failed twelve times
    assert f"no checkpoint in {folder}, {reason}: training goes on" in err


def test_a_file_where_the_folder_should_be_loses_no_training(tmp_path, capsys):
    tmp_path.joinpath("runs").write_text("in the way")
    finishes_without_checkpoints(tmp_path / "runs", capsys, "File exists")
    finishes_without_checkpoints(tmp_path / "runs" / "net", capsys, "Not a directory")


@pytest.fixture
def mounted(tmp_path):
    """Mount a small file system in memory; skips where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options, *arguments):
        command = ["mount", "-t", "tmpfs", "-o", options, *arguments, "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting needs root and a kernel that allows it")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True)


def test_a_read_only_disk_loses_no_training(mounted, capsys):
    folder = mounted("ro")
    finishes_without_checkpoints(folder, capsys, "Read-only file system")


def test_a_folder_without_permission_loses_no_training(tmp_path, capsys):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("permissions do not bind this user")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    finishes_without_checkpoints(folder, capsys, "Permission denied")


def test_a_full_disk_loses_no_training_and_no_older_checkpoint(mounted, capsys):
    folder = mounted("size=256k")
    (newest, _) = run_with_two_checkpoints(folder / "run", 5)
    folder.joinpath("filler").write_bytes(
        b"0"
        * (
            256 * 1024
            - 4096
            - sum(-(-p.stat().st_size // 4096) * 4096 for p in (folder / "run").iterdir())
        )
    )
    before = files(folder / "run")
    capsys.readouterr()
    step = ToyStep(seed=2)
    history = train(step, toy_batches(), 12, checkpoint=folder / "run", checkpoint_every=0)
    err = capsys.readouterr().err
    assert history.steps == 12 and history.stopped == ""
    assert "No space left on device: training goes on" in err
    assert files(folder / "run") == before and not list(folder.rglob("*.tmp"))
    again = train(ToyStep(seed=3), toy_batches(), 5, checkpoint=folder / "run")
    assert again.steps == 5  # what was there before is whole


LIMITED = """
    import resource, sys
    sys.path.insert(0, {root!r})
    from tests.helpers import ToyStep, toy_batches
    from course_lib.training import train
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    history = train(ToyStep(), toy_batches(), 12, checkpoint=sys.argv[1], checkpoint_every=0)
    print(history.steps, repr(history.stopped))
"""


@pytest.mark.skipif(os.name == "nt", reason="no such limit on Windows")
def test_files_that_may_not_grow_lose_no_training(tmp_path):
    """As a full disk, in any container: the write fails after its first 4 kB."""
    run = python(LIMITED.format(root=str(ROOT)), tmp_path / "run")
    assert run.stdout.strip() == "12 ''", run.stderr
    assert run.stderr.count("no checkpoint in") == 1 and "File too large" in run.stderr
    assert not (tmp_path / "run").exists()
