import math
import os
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from course_lib import training
from course_lib.training import EMA, History, train
from tests.helpers import (
    Clock,
    ToyStep,
    assert_step_runs_on_meta,
    built,
    python,
    toy_batches,
    weights,
)


@pytest.fixture
def every_step(monkeypatch):
    """Look at the losses after every step, as if each took half a second."""
    monkeypatch.setattr(training, "UPDATE_SECONDS", 0)
    monkeypatch.setattr(training, "SNAPSHOT_SHARE", math.inf)


# --- the loop -------------------------------------------------------------------------------------


def test_the_loop_does_what_a_bare_loop_does():
    bare, losses = built(), []
    data = toy_batches()
    for i in range(12):
        losses.append(bare(data[i % 5])["loss"].item())
        bare.ema.update()
    step = built()
    history = train(step, toy_batches(), 12)
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
    train(ToyStep(), toy_batches(), 10)
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
        ({"steps": None}, ValueError, "steps must be"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be the path of a folder, got int"),
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


@pytest.mark.parametrize("steps", [np.int64(3), torch.tensor(3)])
def test_numpys_and_torchs_integers_are_numbers_of_steps(steps):
    assert train(lambda x: {"loss": 0.0}, [0], steps).steps == 3


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


# --- the moving average ---------------------------------------------------------------------------


def test_the_average_is_the_formula_with_its_warm_up():
    step = ToyStep()
    expected = [p.detach().double() for p in step.net.parameters()]
    n = 0

    class Watched(ToyStep):
        def __call__(self, x):
            losses = super().__call__(x)
            nonlocal expected, n
            d = min(0.9, (1 + n) / (10 + n))
            now = [p.detach().double() for p in self.net.parameters()]
            expected = [d * a + (1 - d) * b for a, b in zip(expected, now, strict=True)]
            n += 1
            return losses

    step = Watched()
    train(step, toy_batches(), 100)  # 0.9 is reached at n = 80
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
    step = ToyStep()
    train(step, toy_batches(), 3)
    for kept, buffer in zip(step.ema.model.buffers(), step.net.buffers(), strict=True):
        assert torch.equal(kept, buffer)
    assert not step.ema.model.training and step.net.training
    assert not any(p.requires_grad for p in step.ema.model.parameters())


def test_an_average_can_be_saved_and_loaded():
    step, other = ToyStep(), ToyStep(seed=1)
    train(step, toy_batches(), 3)
    other.ema.load_state_dict(step.ema.state_dict())
    assert other.ema.n == 3
    for a, b in zip(other.ema.model.parameters(), step.ema.model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("decay", [1.0, -0.1, math.nan])
def test_a_decay_outside_0_to_1_is_refused(decay):
    with pytest.raises(ValueError, match="decay must be (at least 0 and below 1|a finite number)"):
        EMA(nn.Linear(1, 1), decay)


# --- divergence -----------------------------------------------------------------------------------


class Diverging(ToyStep):
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
    train(good, toy_batches(), 6)
    step = built(Diverging, at=7, value=value)
    history = train(step, toy_batches(), 50)
    assert history.stopped == f"size became {value} at step 7; the state of step 6 is back"
    assert history.stopped in capsys.readouterr().err
    assert torch.equal(weights(step), weights(good))
    assert step.optimizer.state_dict()["state"][0]["step"] == 6 and step.ema.n == 6
    assert history.steps == 7 and len(history.losses["loss"]) == 7
    assert not math.isfinite(history.losses["size"][6])


def test_the_first_bad_step_is_found_among_many_not_yet_looked_at():
    step = Diverging(at=113)
    history = train(step, toy_batches(), 300)
    assert "size became nan at step 113;" in history.stopped
    assert history.steps == 113
    assert torch.isfinite(weights(step)).all()


def test_weights_that_are_not_finite_stop_the_run_though_the_losses_are(every_step):
    step = Diverging(at=7, where="weights")
    history = train(step, toy_batches(), 7)
    assert history.stopped == (
        "net.3.weight was not finite after step 7; the state of step 6 is back"
    )
    assert torch.isfinite(weights(step)).all()


def test_what_is_not_finite_is_never_taken_for_good(every_step):
    """A weight that no loss depends on: an earlier copy must come back, not the newest."""
    unused = nn.Parameter(torch.zeros(()))

    class Spoiling(ToyStep):
        def __call__(self, x):
            if self.ema.n == 2:
                unused.data.fill_(math.nan)
            return super().__call__(x)

    step = Spoiling()
    step.net.register_parameter("unused", unused)
    step.ema = EMA(step.net, decay=0.9)
    history = train(step, toy_batches(), 50)
    assert history.stopped == (
        "net.unused was not finite after step 3; the state of step 2 is back"
    )
    assert step.ema.n == 2 and torch.isfinite(weights(step)).all()


def test_a_network_that_is_spoilt_already_is_refused():
    step = ToyStep()
    with torch.no_grad():
        step.net[0].bias[1] = math.inf
    with pytest.raises(ValueError, match="net.0.bias was not finite after step 0, at the start"):
        train(step, toy_batches(), 5)


def test_infinite_buffers_such_as_masks_are_no_divergence():
    step = ToyStep()
    step.net.register_buffer("mask", torch.full((2, 2), -math.inf))
    step.ema = EMA(step.net)
    assert train(step, toy_batches(), 5).stopped == ""


def test_copies_of_the_good_state_cost_half_a_per_cent_of_the_time(monkeypatch):
    """Each copy takes 50 ms here, steps take 100 ms: one copy may be made every 10 s."""
    clock = Clock(monkeypatch)
    copies = []
    snapshot = training._Run.snapshot

    def slow(run):
        copies.append(clock.now)
        clock.now += 0.05
        return snapshot(run)

    monkeypatch.setattr(training._Run, "snapshot", slow)
    train(clock.step(0.1), [0], 1000)
    assert 9 <= len(copies) <= 12
    assert 0.05 * len(copies) <= 0.006 * 100


# --- stopping -------------------------------------------------------------------------------------


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
    class Interrupted(ToyStep):
        def __call__(self, x):
            losses = super().__call__(x)
            if self.optimizer.state_dict()["state"][0]["step"] == 5:
                raise KeyboardInterrupt
            return losses

    good = built()
    train(good, toy_batches(), 4)
    step = built(Interrupted)
    history = train(step, toy_batches(), 50)
    assert history.stopped == "interrupted at step 4"
    assert history.steps == len(history.losses["loss"]) == 4
    assert torch.equal(weights(step), weights(good))
    step.net(torch.ones(2, 4)).mean().backward()  # and it can still be trained


def test_a_thread_without_signals_trains_too():
    results = []
    thread = threading.Thread(target=lambda: results.append(train(ToyStep(), toy_batches(), 5)))
    thread.start()
    thread.join()
    assert results[0].steps == 5


# --- what is kept ---------------------------------------------------------------------------------


def test_an_error_in_a_step_comes_through_and_leaves_the_last_good_state(tmp_path, every_step):
    class Failing(ToyStep):
        def __call__(self, x):
            losses = super().__call__(x)
            if len(self.optimizer.state) and self.ema.n == 6:
                raise ZeroDivisionError("in step 7")
            return losses

    with pytest.raises(ZeroDivisionError, match="in step 7"):
        train(built(Failing), toy_batches(), 50, checkpoint=tmp_path, checkpoint_every=1e9)
    assert [name[:13] for name in sorted(p.name for p in tmp_path.iterdir())] == ["step-00000006"]
    step = built(seed=2)
    train(step, toy_batches(), 9, checkpoint=tmp_path)
    whole = built()
    train(whole, toy_batches(), 9)
    assert torch.equal(weights(step), weights(whole))


def test_an_error_in_the_first_step_leaves_no_checkpoint(tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(lambda x: 1 / 0, [0], 5, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_divergence_leaves_the_last_good_checkpoint(tmp_path, every_step):
    history = train(Diverging(at=7), toy_batches(), 50, checkpoint=tmp_path, checkpoint_every=1e9)
    assert "the state of step 6 is back" in history.stopped
    assert [name[:13] for name in sorted(p.name for p in tmp_path.iterdir())] == ["step-00000006"]
    state = torch.load(next(tmp_path.glob("*.pt")), weights_only=True)
    assert len(state["losses"]["size"]) == 6 and math.isfinite(sum(state["losses"]["size"]))


def test_checkpoints_are_written_as_often_as_asked(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    written = []
    monkeypatch.setattr(
        training.checkpoints, "write", lambda folder, state: written.append(state["steps"])
    )
    train(clock.step(1.0), [0], 100, checkpoint=tmp_path, checkpoint_every=30.0)
    assert written == [30, 60, 90, 100]


# --- a step on the meta device --------------------------------------------------------------------


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
        lambda net, y: y * float(y.detach().mean()),
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
