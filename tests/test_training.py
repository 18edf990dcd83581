import functools
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from course_lib import training
from course_lib.training import EMA, History, parts, train
from tests.helpers import assert_step_runs_on_meta

ROOT = Path(__file__).resolve().parent.parent


class Step:
    """A small method with all that makes resuming hard: noise of all kinds, momentum, EMA."""

    def __init__(self, seed=0, width=8, lr=0.01):
        torch.manual_seed(seed)
        self.net = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.Dropout(0.2), nn.Linear(width, 1)
        )
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)
        self.ema = EMA(self.net, decay=0.9)
        self.noise = torch.Generator().manual_seed(seed)

    def __call__(self, x):
        x = x + 0.1 * torch.randn(x.shape, generator=self.noise) + np.random.rand()
        loss = (self.net(x) - random.random()).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return {"loss": loss, "size": loss.detach().sqrt()}


def batches(n=5, seed=0):
    return list(torch.randn(n, 6, 4, generator=torch.Generator().manual_seed(seed)))


def weights(step):
    nets = [step.net, step.ema.model] if hasattr(step, "ema") else [step.net]
    return torch.cat([v.flatten().float() for net in nets for v in net.state_dict().values()])


def seed_all(seed=0):
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def built(make=Step, seed=0, **options):
    """A step, and all random numbers where they are at the start of a notebook."""
    seed_all(seed)
    return make(seed=seed, **options)


@pytest.fixture
def every_step(monkeypatch):
    """Look at the losses after every step, as if each took half a second."""
    monkeypatch.setattr(training, "UPDATE_SECONDS", 0)
    monkeypatch.setattr(training, "SNAPSHOT_SHARE", math.inf)


class Clock:
    """A clock that only moves when told to."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(training, "perf_counter", lambda: self.now)

    def step(self, seconds):
        def step(batch):
            self.now += seconds
            return {"loss": 1.0}

        return step


# --- the loop ------------------------------------------------------------------------------------


def test_the_loop_does_what_a_bare_loop_does():
    bare, losses = built(), []
    data = batches()
    for i in range(12):
        losses.append(bare(data[i % 5])["loss"].item())
        bare.ema.update()
    step = built()
    history = train(step, batches(), 12)
    assert history.losses["loss"] == losses
    assert history.steps == 12 and len(history.losses["size"]) == 12 and history.stopped == ""
    assert torch.equal(weights(step), weights(bare))
    assert history.seconds > 0


def test_a_history_shows_itself_in_one_line():
    history = History({"d_loss": [1.0] * 50 + [0.61] * 100, "g_loss": [1.337] * 150}, 150, 280.0)
    assert repr(history) == "150 steps in 4 min 40 s: d_loss 0.61, g_loss 1.34"
    history.stopped = "interrupted at step 150"
    assert repr(history).endswith("(interrupted at step 150)")


def test_numbers_count_as_losses_and_keep_their_precision():
    history = train(lambda x: {"beta": 0.1, "n": 3, "loss": torch.tensor(2.0)}, [0], 2)
    assert history.losses == {"beta": [0.1, 0.1], "n": [3.0, 3.0], "loss": [2.0, 2.0]}


def test_a_tensor_that_the_step_uses_again_is_noted_as_it_was():
    k = torch.zeros(())
    history = train(lambda x: {"k": k.add_(1)}, [0], 4)
    assert history.losses["k"] == [1, 2, 3, 4]


def test_losses_keep_no_graph_and_no_memory(every_step, monkeypatch):
    kept = []
    keep = training._Run.keep

    def watched(run, losses):
        keep(run, losses)
        kept.append((len(run.pending), any(v.requires_grad for row in run.pending for v in row)))

    monkeypatch.setattr(training._Run, "keep", watched)
    train(Step(), batches(), 10)
    assert kept == [(1, False)] * 10


def test_between_two_updates_nothing_waits_for_the_device(monkeypatch):
    """The whole loop runs on the meta device, where no value can be waited for, once the one
    function that waits is replaced; and that is called once per update, however many the steps."""
    waits = []
    monkeypatch.setattr(training, "_floats", lambda v: waits.append(len(v)) or [1.0] * len(v))
    monkeypatch.setattr(training, "UPDATE_SECONDS", 1e9)

    class OnMeta:
        def __init__(self):
            self.net = nn.Linear(4, 1)
            self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
            self.ema = EMA(self.net)

        def __call__(self, x):
            loss = self.net(x).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            return {"loss": loss}

    for steps in (10, 300):
        waits.clear()
        with torch.device("meta"):
            step, x = OnMeta(), torch.ones(2, 4)
        train(step, [x], steps)
        # two weights before the start, the first loss, the other losses and the weights at the end
        assert waits == [2, 1, steps - 1 + 2]


@pytest.mark.parametrize("kind", ["list", "loader", "generator"])
def test_batches_that_end_are_started_again(kind):
    data = {
        "list": [torch.tensor(i) for i in range(3)],
        "loader": DataLoader(torch.arange(3), batch_size=None),
        "generator": (torch.tensor(i % 3) for i in range(1000)),
    }[kind]
    history = train(lambda x: {"x": x}, data, 7)
    assert history.losses["x"] == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("data", [[], (torch.ones(()) for _ in range(3))])
def test_batches_that_cannot_be_started_again_say_so(data):
    with pytest.raises(ValueError, match="batches ran out: it is empty, or a generator"):
        train(lambda x: {"x": x}, data, 7)


@pytest.mark.parametrize(
    "returned, error, message",
    [
        (torch.ones(()), TypeError, "step must return losses by name"),
        (None, TypeError, "step must return losses by name"),
        ({}, TypeError, "step must return losses by name"),
        ({"loss": torch.ones(3)}, ValueError, r"loss has shape \(3,\): take its mean"),
        ({"loss": torch.ones(1)}, ValueError, r"loss has shape \(1,\)"),
        ({"loss": "low"}, TypeError, "loss is a str"),
        ({"loss": None}, TypeError, "loss is a NoneType"),
    ],
)
def test_a_step_that_returns_no_scalars_is_told_at_once(returned, error, message):
    calls = []
    with pytest.raises(error, match=message):
        train(lambda x: calls.append(x) or returned, [0], 5)
    assert len(calls) == 1


def test_a_step_that_changes_its_losses_is_told():
    names = iter(["d_loss", "d_loss", "g_loss"])
    with pytest.raises(ValueError, match="step returned g_loss; before it was d_loss"):
        train(lambda x: {next(names): 0.0}, [0], 5)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"steps": 0}, ValueError, "steps must be a whole number, at least 1, got 0"),
        ({"steps": -3}, ValueError, "steps must be"),
        ({"steps": 2.5}, ValueError, "steps must be"),
        ({"steps": True}, ValueError, "steps must be"),
        ({"step": "no function"}, TypeError, "step must be callable"),
        ({"batches": 3}, TypeError, "batches must be iterable, got int"),
        ({"watch": "figure"}, TypeError, "watch must be callable"),
        ({"checkpoint_every": -1}, ValueError, "checkpoint_every must be seconds"),
        ({"checkpoint_every": math.nan}, ValueError, "checkpoint_every must be seconds"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    good = {"step": lambda x: {"loss": 0.0}, "batches": [0], "steps": 2}
    with pytest.raises(error, match=message):
        train(**{**good, **arguments})


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        MemoryError("no more"),
    ],
)
def test_a_step_out_of_memory_is_told_what_to_lower(error):
    def step(x):
        raise error

    with pytest.raises(type(error), match="cpu ran out of memory in step 1. Lower the batch size"):
        train(step, [0], 5)


def test_memory_that_really_runs_out_is_told_too():
    with pytest.raises(RuntimeError, match="Lower the batch size"):
        train(lambda x: {"loss": torch.empty(2**50).mean()}, [0], 5)


def test_other_errors_come_through_as_they_are():
    with pytest.raises(RuntimeError, match="^shapes do not match$") as caught:
        train(lambda x: (_ for _ in ()).throw(RuntimeError("shapes do not match")), [0], 5)
    assert caught.value.__cause__ is None


# --- what belongs to a run -----------------------------------------------------------------------


def network_and_optimizer():
    net = nn.Linear(2, 1)
    return net, torch.optim.SGD(net.parameters(), lr=0.1)


def test_the_state_is_what_the_step_holds():
    step = Step()
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
    inner = Step()
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


# --- the moving average --------------------------------------------------------------------------


def test_the_average_is_the_formula_with_its_warm_up():
    step = Step()
    expected = [p.detach().double() for p in step.net.parameters()]
    n = 0

    class Watched(Step):
        def __call__(self, x):
            losses = super().__call__(x)
            nonlocal expected, n
            d = min(0.9, (1 + n) / (10 + n))
            now = [p.detach().double() for p in self.net.parameters()]
            expected = [d * a + (1 - d) * b for a, b in zip(expected, now, strict=True)]
            n += 1
            return losses

    step = Watched()
    train(step, batches(), 100)  # 0.9 is reached at n = 80
    assert step.ema.n == n == 100
    for average, value in zip(step.ema.model.parameters(), expected, strict=True):
        torch.testing.assert_close(average.double(), value, rtol=1e-5, atol=1e-6)


def test_the_first_updates_forget_the_initial_weights():
    """After 10 updates a decay of 0.999 alone would keep 99 % of them."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 1.0)
    ema = EMA(net, decay=0.999)
    nn.init.constant_(net.weight, 0.0)
    left = 1.0
    for n in range(10):
        ema.update()
        left *= (1 + n) / (10 + n)
    assert ema.model.weight.item() == pytest.approx(left, rel=1e-4)
    assert left < 2e-5


def test_buffers_are_copied_and_the_average_is_ready_to_use():
    step = Step()
    train(step, batches(), 3)
    for kept, buffer in zip(step.ema.model.buffers(), step.net.buffers(), strict=True):
        assert torch.equal(kept, buffer)
    assert not step.ema.model.training and step.net.training
    assert not any(p.requires_grad for p in step.ema.model.parameters())


def test_an_average_can_be_saved_and_loaded():
    step, other = Step(), Step(seed=1)
    train(step, batches(), 3)
    other.ema.load_state_dict(step.ema.state_dict())
    assert other.ema.n == 3
    for a, b in zip(other.ema.model.parameters(), step.ema.model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("decay", [1.0, -0.1, math.nan])
def test_a_decay_outside_0_to_1_is_refused(decay):
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1"):
        EMA(nn.Linear(1, 1), decay)


# --- divergence ----------------------------------------------------------------------------------


class Diverging(Step):
    """Its loss, or its weights, become nan at one step."""

    def __init__(self, at, value=math.nan, where="loss", **options):
        super().__init__(**options)
        self.at, self.value, self.where, self.n = at, value, where, 0

    def __call__(self, x):
        losses = super().__call__(x)
        self.n += 1
        if self.n >= self.at and self.where == "loss":
            losses["size"] = losses["size"] * self.value
        if self.n >= self.at:
            with torch.no_grad():
                self.net[3].weight.fill_(self.value)
        return losses


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_and_restores(every_step, value, capsys):
    good = built()
    train(good, batches(), 6)
    step = built(Diverging, at=7, value=value)
    history = train(step, batches(), 50)
    assert history.stopped == f"size became {value} at step 7; the state of step 6 is back"
    assert history.stopped in capsys.readouterr().err
    assert torch.equal(weights(step), weights(good))
    assert step.optimizer.state_dict()["state"][0]["step"] == 6 and step.ema.n == 6
    assert history.steps == 7 and len(history.losses["loss"]) == 7
    assert not math.isfinite(history.losses["size"][6])


def test_the_first_bad_step_is_found_among_many_not_yet_looked_at():
    start = weights(Step())
    step = Diverging(at=213)
    history = train(step, batches(), 1000)
    assert "size became nan at step 213;" in history.stopped
    assert history.steps == 213
    assert torch.isfinite(weights(step)).all()
    assert not torch.equal(weights(step), start) or "step 0 is back" in history.stopped


def test_weights_that_are_not_finite_stop_the_run_though_the_losses_are(every_step):
    step = Diverging(at=7, where="weights")
    step.net[3].register_parameter("weight", step.net[3].weight)
    history = train(step, batches(), 7)
    assert history.stopped == (
        "net.3.weight was not finite after step 7; the state of step 6 is back"
    )
    assert torch.isfinite(weights(step)).all()


def test_what_is_not_finite_is_never_taken_for_good(every_step):
    """Losses stay finite, weights do not: an earlier copy must come back, not the newest."""
    step = Diverging(at=3, where="weights")
    step.net[3] = nn.Identity()  # so that the spoilt weight no longer reaches the loss
    step.net.append(nn.Linear(8, 1))
    step.optimizer = torch.optim.Adam(step.net.parameters())
    step.scheduler = torch.optim.lr_scheduler.ConstantLR(step.optimizer)
    step.ema = EMA(step.net)
    step.net[3].weight = nn.Parameter(torch.ones(1))
    step.ema = EMA(step.net)
    history = train(step, batches(), 50)
    assert "net.3.weight was not finite after step 3; the state of step 2 is back" == (
        history.stopped
    )
    assert torch.isfinite(weights(step)).all()


def test_a_network_that_is_spoilt_already_is_refused():
    step = Step()
    with torch.no_grad():
        step.net[0].bias[1] = math.inf
    with pytest.raises(ValueError, match="net.0.bias was not finite after step 0, at the start"):
        train(step, batches(), 5)


def test_infinite_buffers_such_as_masks_are_no_divergence():
    step = Step()
    step.net.register_buffer("mask", torch.full((2, 2), -math.inf))
    step.ema = EMA(step.net)
    assert train(step, batches(), 5).stopped == ""


def test_copies_of_the_good_state_cost_a_hundredth_of_the_time(monkeypatch):
    """Each copy takes 50 ms here, steps take 100 ms: one copy may be made every 5 s."""
    clock = Clock(monkeypatch)
    copies = []
    snapshot = training._Run.snapshot

    def slow(run):
        copies.append(clock.now)
        clock.now += 0.05
        return snapshot(run)

    monkeypatch.setattr(training._Run, "snapshot", slow)
    train(clock.step(0.1), [0], 1000)
    assert 18 <= len(copies) <= 23
    assert 0.05 * len(copies) <= 0.012 * 100


# --- stopping ------------------------------------------------------------------------------------

TWO_HALVES = """
    import os, signal, sys, time, torch
    from course_lib import training
    from course_lib.training import train
    training.UPDATE_SECONDS = 0.01

    class Step:
        '''Two weights that are equal after every whole step.'''
        def __init__(self):
            self.first, self.second = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
            self.n = 0
            for net in (self.first, self.second):
                torch.nn.init.zeros_(net.weight)

        @torch.no_grad()
        def __call__(self, x):
            self.n += 1
            self.first.weight += 1
            if self.n == 312:
                for _ in range(PRESSES):
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(0.05)
            self.second.weight += 1
            time.sleep(0.0005)
            return {"loss": self.first.weight.mean()}

    step = Step()
    before = signal.getsignal(signal.SIGINT)
    history = train(step, [0], 1000, checkpoint=sys.argv[1])
    assert signal.getsignal(signal.SIGINT) is before
    print(history.stopped, step.first.weight.item(), step.second.weight.item(), history.steps,
          len(history.losses["loss"]), sep="|")
"""


def python(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": 120, **options}
    return subprocess.run(command, **options)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to oneself on Windows")
def test_ctrl_c_in_the_middle_of_a_step_waits_for_its_end(tmp_path):
    run = python(TWO_HALVES.replace("PRESSES", "1"), tmp_path / "run")
    assert run.stdout.strip() == "interrupted at step 312|312.0|312.0|312|312", run.stderr
    assert "interrupted at step 312; run this again to go on" in run.stderr
    again = python(TWO_HALVES.replace("PRESSES", "0"), tmp_path / "run")
    assert again.stdout.strip() == "|1000.0|1000.0|1000|1000", again.stderr
    assert "at step 312 of 1000" in again.stderr


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to oneself on Windows")
def test_a_second_ctrl_c_ends_at_once_and_no_step_is_left_half_done(tmp_path):
    run = python(TWO_HALVES.replace("PRESSES", "2"), tmp_path / "run")
    stopped, first, second, steps, losses = run.stdout.strip().split("|")
    assert stopped == f"interrupted at step {steps}", run.stderr
    assert first == second == f"{steps}.0" and losses == steps
    assert 0 < int(steps) < 312


def test_a_keyboard_interrupt_from_inside_the_step_keeps_the_model_usable(every_step):
    class Interrupted(Step):
        def __call__(self, x):
            losses = super().__call__(x)
            if self.optimizer.state_dict()["state"][0]["step"] == 5:
                raise KeyboardInterrupt
            return losses

    good = built()
    train(good, batches(), 4)
    step = built(Interrupted)
    history = train(step, batches(), 50)
    assert history.stopped == "interrupted at step 4"
    assert history.steps == len(history.losses["loss"]) == 4
    assert torch.equal(weights(step), weights(good))
    step.net(torch.ones(2, 4)).mean().backward()  # and it can still be trained


def test_a_thread_without_signals_trains_too():
    results = []
    thread = threading.Thread(target=lambda: results.append(train(Step(), batches(), 5)))
    thread.start()
    thread.join()
    assert results[0].steps == 5


# --- checkpoints ---------------------------------------------------------------------------------


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
        batches,
        Stateful,
        fresh_generator,
        lambda: DataLoader(torch.stack(batches()).flatten(0, 1), 6, shuffle=True),
        lambda: DataLoader(
            torch.stack(batches()).flatten(0, 1),
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
    train(call, batches(), 9)
    train(make(0)[1], batches(), 4, checkpoint=tmp_path)
    resumed, call = make(1)
    train(call, batches(), 9, checkpoint=tmp_path)
    assert torch.equal(weights(resumed), weights(whole))


KILLED = """
    import sys
    sys.path.insert(0, {root!r})
    from course_lib.training import train
    from tests.test_training import Stateful, built
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
    train(Step(), batches(), 400, checkpoint=folder)
    capsys.readouterr()
    history = train(Step(seed=1), batches(), 410, checkpoint=folder)
    assert f"resumed {folder} at step 400 of 410\n" in capsys.readouterr().err
    assert history.steps == len(history.losses["loss"]) == 410


def test_a_complete_run_comes_back_at_once(tmp_path, capsys):
    step = built()
    first = train(step, batches(), 8, checkpoint=tmp_path)
    before = files(tmp_path)
    capsys.readouterr()

    def never():
        raise AssertionError("no batch is needed")
        yield

    again = Step(seed=3)
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

    class Looking(Step):
        def __call__(self, x):
            seen.append(len(files(tmp_path)))
            return super().__call__(x)

    train(Looking(), batches(), 6, checkpoint=tmp_path, checkpoint_every=0)
    names = files(tmp_path)
    assert [name[:13] for name in names] == ["step-00000005", "step-00000006"]
    assert all(name.endswith(".pt") for name in names) and max(seen) == 2


def run_with_two_checkpoints(folder, steps=10):
    """A run with every step saved; returns its last two files, the newest first."""
    train(built(), batches(), steps, checkpoint=folder, checkpoint_every=0)
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
    train(whole, batches(), 15)
    newest, _ = run_with_two_checkpoints(tmp_path)
    damage(newest)
    capsys.readouterr()
    step = Step(seed=4)
    train(step, batches(), 15, checkpoint=tmp_path, checkpoint_every=0)
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
    history = train(step, batches(), 4, checkpoint=tmp_path)
    err = capsys.readouterr().err
    assert all(f"{path} is damaged" in err for path in both) and "resumed" not in err
    assert history.steps == 4


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    import hashlib
    import io

    buffer = io.BytesIO()
    torch.save({"steps": 5, "parts": Payload(tmp_path / "ran")}, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
    folder = tmp_path / "run"
    folder.mkdir()
    folder.joinpath(f"step-00000005-{digest}.pt").write_bytes(buffer.getvalue())
    history = train(Step(), batches(), 3, checkpoint=folder)
    assert history.steps == 3 and not (tmp_path / "ran").exists()
    assert "is damaged and not used: Weights only load failed" in capsys.readouterr().err


class OtherNet(Step):
    def __init__(self, **options):
        super().__init__(**options)
        self.net = nn.Linear(4, 1)
        self.optimizer = torch.optim.Adam(self.net.parameters())
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)
        self.ema = EMA(self.net)


class OtherOptimizer(Step):
    def __init__(self, **options):
        super().__init__(**options)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)


class OneMore(Step):
    def __init__(self, **options):
        super().__init__(**options)
        self.critic = nn.Linear(1, 1)


class LaterMismatch(Step):
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
        (lambda: Step(seed=1, width=9), r"net: size mismatch for 0.weight.*\[8, 4\].*\[9, 4\]"),
        (lambda: OtherNet(seed=1), "net: Sequential in the folder, Linear in the step"),
        (lambda: OtherOptimizer(seed=1), "optimizer: Adam in the folder, SGD in the step"),
        (lambda: OneMore(seed=1), "critic: nothing in the folder, Linear in the step"),
        (lambda: LaterMismatch(seed=1), "scheduler: 'T_max'"),
    ],
)
def test_a_checkpoint_of_another_step_is_refused_and_nothing_is_harmed(tmp_path, make, mismatch):
    folder = tmp_path / "run"
    train(Step(), batches(), 5, checkpoint=folder, checkpoint_every=0)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    step = make()
    own = weights(step)
    with pytest.raises(ValueError, match=mismatch) as error:
        train(step, batches(), 9, checkpoint=folder, checkpoint_every=0)
    assert f"the checkpoints in {folder} are of another step" in str(error.value)
    assert torch.equal(weights(step), own)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_state_that_cannot_be_stored_is_told_before_the_first_step(tmp_path):
    class Odd:
        def state_dict(self):
            return {"history": History()}  # a class, which only unpickling could bring back

        def load_state_dict(self, state):
            pass

    step = Step()
    step.odd = Odd()
    data = iter(batches())
    with pytest.raises(TypeError, match="checkpoint: the step's state cannot be stored"):
        train(step, data, 5, checkpoint=tmp_path / "run")
    assert len(list(data)) == 5 and not (tmp_path / "run").exists()


def test_an_error_in_a_step_comes_through_and_leaves_the_last_good_state(tmp_path, every_step):
    class Failing(Step):
        def __call__(self, x):
            losses = super().__call__(x)
            if len(self.optimizer.state) and self.ema.n == 6:
                raise ZeroDivisionError("in step 7")
            return losses

    with pytest.raises(ZeroDivisionError, match="in step 7"):
        train(built(Failing), batches(), 50, checkpoint=tmp_path, checkpoint_every=1e9)
    assert [name[:13] for name in files(tmp_path)] == ["step-00000006"]
    step = built(seed=2)
    train(step, batches(), 9, checkpoint=tmp_path)
    whole = built()
    train(whole, batches(), 9)
    assert torch.equal(weights(step), weights(whole))


def test_an_error_in_the_first_step_leaves_no_checkpoint(tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(lambda x: 1 / 0, [0], 5, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_divergence_leaves_the_last_good_checkpoint(tmp_path, every_step):
    history = train(Diverging(at=7), batches(), 50, checkpoint=tmp_path, checkpoint_every=1e9)
    assert "the state of step 6 is back" in history.stopped
    assert [name[:13] for name in files(tmp_path)] == ["step-00000006"]
    state = torch.load(next(tmp_path.glob("*.pt")), weights_only=True)
    assert len(state["losses"]["size"]) == 6 and math.isfinite(sum(state["losses"]["size"]))


def test_a_spoilt_network_in_the_kernel_does_not_hinder_resuming(tmp_path):
    train(Step(), batches(), 5, checkpoint=tmp_path)
    step = Step()
    with torch.no_grad():
        step.net[0].weight.fill_(math.nan)
    assert train(step, batches(), 7, checkpoint=tmp_path).stopped == ""


def test_checkpoints_are_written_as_often_as_asked(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    written = []
    monkeypatch.setattr(
        training.checkpoints, "write", lambda folder, state: written.append(state["steps"])
    )
    train(clock.step(1.0), [0], 100, checkpoint=tmp_path, checkpoint_every=30.0)
    assert written == [30, 60, 90, 100]


# --- a disk that fails ---------------------------------------------------------------------------


def finishes_without_checkpoints(folder, capsys, reason):
    """Train with a folder that cannot be written; the result is that of a run without one."""
    expected = built()
    whole = train(expected, batches(), 12)
    step = built()
    capsys.readouterr()
    history = train(step, batches(), 12, checkpoint=folder, checkpoint_every=0)
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
    step = Step(seed=2)
    history = train(step, batches(), 12, checkpoint=folder / "run", checkpoint_every=0)
    err = capsys.readouterr().err
    assert history.steps == 12 and history.stopped == ""
    assert "No space left on device: training goes on" in err
    assert files(folder / "run") == before and not list(folder.rglob("*.tmp"))
    again = train(Step(seed=3), batches(), 5, checkpoint=folder / "run")
    assert again.steps == 5  # what was there before is whole


LIMITED = """
    import resource, sys
    sys.path.insert(0, {root!r})
    from tests.test_training import Step, batches
    from course_lib.training import train
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    history = train(Step(), batches(), 12, checkpoint=sys.argv[1], checkpoint_every=0)
    print(history.steps, repr(history.stopped))
"""


@pytest.mark.skipif(os.name == "nt", reason="no such limit on Windows")
def test_files_that_may_not_grow_lose_no_training(tmp_path):
    """As a full disk, in any container: the write fails after its first 4 kB."""
    run = python(LIMITED.format(root=str(ROOT)), tmp_path / "run")
    assert run.stdout.strip() == "12 ''", run.stderr
    assert run.stderr.count("no checkpoint in") == 1 and "File too large" in run.stderr
    assert files(tmp_path / "run") == []


# --- what is shown -------------------------------------------------------------------------------


def test_a_run_first_says_how_long_it_will_take_and_at_last_how_long_it_took(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    train(clock.step(0.2), [0], 1500)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "1500 steps on cpu: about 5 min 0 s"
    assert lines[-1] == "1500 steps on cpu in 5 min 0 s: loss 1"


def test_the_first_step_which_warms_up_does_not_spoil_the_estimate(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    first = iter([60.0])

    def step(batch):
        clock.now += next(first, 0.1)
        return {"loss": 1.0}

    train(step, [0], 1000)
    assert "1000 steps on cpu: about 1 min 40 s" in capsys.readouterr().err


class Terminal:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True

    def lines(self):
        """What one sees: a carriage return goes back to the line's start and writes over it."""
        shown = []
        for line in self.text.split("\n"):
            seen = ""
            for piece in line.split("\r"):
                seen = piece + seen[len(piece) :]
            shown.append(seen.rstrip())
        return shown


def test_a_terminal_shows_progress_in_one_line(monkeypatch):
    clock, terminal = Clock(monkeypatch), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    train(clock.step(0.25), [0], 400, title="toy")
    assert terminal.lines() == [
        "toy: 400 steps on cpu: about 1 min 40 s",
        "toy: 400 steps on cpu in 1 min 40 s: loss 1",
        "",
    ]
    assert "toy: ██████████░░░░░░░░░░ step 201 of 400, 50 s left: loss 1" in terminal.text


def test_a_log_file_gets_a_line_every_half_minute_at_most(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    monkeypatch.setattr("course_lib.progress.perf_counter", lambda: clock.now)
    train(clock.step(0.25), [0], 1200)
    assert 10 <= len(capsys.readouterr().err.splitlines()) <= 13


def test_pictures_are_drawn_ten_times_and_at_the_end(monkeypatch):
    clock, at = Clock(monkeypatch), []
    train(clock.step(0.1), [0], 5000, watch=lambda: at.append(round(clock.now - 1000)))
    assert 9 <= len(at) <= 11
    assert at[0] == pytest.approx(50, abs=2) and at[-1] == 500


def test_slow_pictures_take_a_tenth_of_the_time_at_most(monkeypatch):
    clock, drawn = Clock(monkeypatch), []

    def slow():
        clock.now += 5
        drawn.append(clock.now)

    train(clock.step(0.1), [0], 1000, watch=slow)
    assert 5 * (len(drawn) - 1) <= 0.1 * (100 + 5 * len(drawn))  # the last one always is
    assert len(drawn) >= 2


def test_a_short_run_has_its_last_picture(monkeypatch):
    drawn = []
    train(Step(), batches(), 1, watch=lambda: drawn.append(1))
    assert drawn == [1]


def test_drawing_leaves_no_trace_in_the_run(every_step, monkeypatch):
    """When a picture is drawn depends on the clock: it must not change what is learned."""
    monkeypatch.setattr(training, "PICTURE_SHARE", math.inf)
    monkeypatch.setattr(training, "PICTURES", math.inf)
    plain = built()
    expected = train(plain, batches(), 20)
    step, drawn = built(), []

    def watch():
        step.net.eval()
        drawn.append(torch.rand(3).sum() + np.random.rand() + random.random())
        drawn.append(torch.rand(3, generator=step.noise))

    history = train(step, batches(), 20, watch=watch)
    assert len(drawn) > 20
    assert history.losses == expected.losses and torch.equal(weights(step), weights(plain))
    assert step.net.training


def test_figures_are_closed(monkeypatch):
    import matplotlib

    monkeypatch.setattr(matplotlib, "get_backend", matplotlib.get_backend)
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    train(Step(), batches(), 3, watch=lambda: plt.subplots()[0])
    assert plt.get_fignums() == []


def test_an_error_in_watch_comes_through():
    with pytest.raises(ZeroDivisionError):
        train(Step(), batches(), 3, watch=lambda: 1 / 0)


NOTEBOOK = """
import matplotlib.pyplot as plt, torch, time
from course_lib import training
from course_lib.training import train
{setup}
net = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
def step(x):
    time.sleep(0.01)
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {{"loss": loss}}
drawn = []
def watch():
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([net.bias.item()])
    drawn.append(1)
    return {returned}
history = train(step, [torch.ones(3, 2)], {steps}, watch=watch, checkpoint={checkpoint!r})
"""


def execute(*sources):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_notebook_keeps_one_line_and_one_picture(tmp_path):
    cell = NOTEBOOK.format(setup="", returned="fig", steps=250, checkpoint=str(tmp_path / "run"))
    first, drawn, again, html = execute(
        cell,
        "print(len(drawn) >= 5, plt.get_fignums())",
        "history = train(step, [torch.ones(3, 2)], 250, watch=watch, "
        f"checkpoint={str(tmp_path / 'run')!r})",
        "class Page:\n    def _repr_html_(self):\n        return '<b>x</b>'\n"
        "train(step, [torch.ones(3, 2)], 3, watch=Page)",
    )
    line, picture = first
    assert line.output_type == picture.output_type == "display_data"
    assert list(line.data) == ["text/plain"]
    assert line.data["text/plain"].startswith("250 steps on cpu in ")
    assert "loss" in line.data["text/plain"] and "\n" not in line.data["text/plain"]
    assert "image/png" in picture.data and len(picture.data["image/png"]) < 30_000
    assert drawn[0].text == "True []\n"
    line, picture = again
    said = line.data["text/plain"].splitlines()
    assert "has all 250 steps already: nothing to train" in said[0]
    assert said[1].startswith("250 steps on cpu in ")
    assert "image/png" in picture.data
    line, page, result = html
    assert page.data["text/html"] == "<b>x</b>"
    assert result.data["text/plain"].startswith("3 steps in ")


def test_the_stop_button_of_a_notebook_ends_the_cell_and_keeps_what_was_learned():
    manager = pytest.importorskip("jupyter_client.manager")
    kernel, client = manager.start_new_kernel(kernel_name="python3")
    try:
        setup = NOTEBOOK.format(setup="", returned="fig", steps=100_000, checkpoint=None)
        request = client.execute(setup)
        while "step" not in str(client.get_iopub_msg(timeout=60)["content"].get("data", "")):
            pass
        kernel.interrupt_kernel()
        reply = client.get_shell_msg(timeout=60)
        assert reply["parent_header"]["msg_id"] == request
        assert reply["content"]["status"] == "ok"
        expressions = {"seen": "(history.stopped, history.steps > 0, float(net(torch.ones(2))))"}
        client.execute("", user_expressions=expressions)
        seen = client.get_shell_msg(timeout=60)["content"]["user_expressions"]["seen"]
        assert seen["data"]["text/plain"].startswith("('interrupted at step"), seen
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


# --- a step on the meta device -------------------------------------------------------------------


class ImageStep:
    """A step as the course writes them, with one fault or none."""

    def __init__(self, fault=None, optimizer=torch.optim.Adam):
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 1)
        )
        self.optimizer = optimizer(self.net.parameters(), lr=0.1)
        self.ema = EMA(self.net)
        self.fault = fault or (lambda net, y: y.mean())

    def __call__(self, x):
        y = self.net(x)
        loss = y.square().mean() + self.fault(self.net, y).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss, "lr": 0.1}


def images():
    return torch.randn(8, 1, 8, 8)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop])
def test_a_clean_step_runs_on_meta(optimizer):
    assert_step_runs_on_meta(lambda: ImageStep(optimizer=optimizer), images)


@pytest.mark.parametrize(
    "fault",
    [
        lambda net, y: y + torch.randn(8, 1).to(y.device),  # moved explicitly
        lambda net, y: y * torch.tensor(2.0),  # CUDA takes scalars of the CPU
        lambda net, y: torch.randn(8, 1, device=y.device) + torch.randn_like(y),
    ],
)
def test_what_a_gpu_takes_runs_on_meta(fault):
    assert_step_runs_on_meta(lambda: ImageStep(fault), images)


@pytest.mark.parametrize(
    "fault",
    [
        lambda net, y: y * y.mean().item(),
        lambda net, y: y * float(y.mean()),
        lambda net, y: y if y.mean() > 0 else -y,
        lambda net, y: y[y > 0],
        lambda net, y: y.cpu(),
        lambda net, y: y * torch.tensor(y.tolist()),
    ],
    ids=["item", "float", "if", "mask", "cpu", "tolist"],
)
def test_a_step_that_waits_for_the_device_is_caught(fault):
    with pytest.raises(AssertionError, match="waits for the device"):
        assert_step_runs_on_meta(lambda: ImageStep(fault), images)


@pytest.mark.parametrize(
    "fault",
    [
        lambda net, y: y + torch.ones(8, 1),  # a constant
        lambda net, y: net[-1](torch.randn(8, 144)),  # noise; torch itself lets this pass
        lambda net, y: torch.ones(5)[(y > 0).long()],  # a table; likewise
    ],
    ids=["constant", "noise", "table"],
)
def test_a_tensor_left_on_the_cpu_is_caught(fault):
    with pytest.raises(AssertionError, match="got a tensor of the CPU"):
        assert_step_runs_on_meta(lambda: ImageStep(fault), images)


@pytest.mark.parametrize(
    "returned, message",
    [(torch.tensor(1.0), "loss is on cpu"), (torch.ones(2, device="meta"), r"shape \(2,\)")],
)
def test_a_loss_that_is_no_scalar_on_the_device_is_caught(returned, message):
    with pytest.raises(AssertionError, match=message):
        assert_step_runs_on_meta(lambda: lambda x: {"loss": returned}, images)
