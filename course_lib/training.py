"""One training loop for every model of the course.

    history = train(step, batches, steps=1500, watch=step.samples, checkpoint="runs/dcgan")

`step(batch)` holds the method: it changes the networks once and returns its losses. The loop holds
the rest: time left, a live picture, the moving average of the weights, checkpoints, the stop button
and a guard against divergence. Nothing is declared: whatever the step holds that has `state_dict`
and `load_state_dict` is the state of the run.
"""

import copy
import math
import numbers
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib import checkpoints, settings
from course_lib.checkpoints import parts
from course_lib.checks import number, whole
from course_lib.progress import Screen, duration

__all__ = ["EMA", "History", "parts", "train"]

UPDATE_SECONDS = 0.5  # between two looks at the losses, which wait for the device
SNAPSHOT_SHARE = 0.005  # of the time may go into copies of the last good state
PICTURES, PICTURE_SHARE = 10, 0.1  # so many in a run, and at most this share of its time


@dataclass
class History:
    """What a run leaves: `losses[name]` has a float per step; `stopped` is "" for a whole run."""

    losses: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    stopped: str = ""

    def recent(self) -> str:
        """Each loss as its mean over the last 100 steps: ": d_loss 0.61, g_loss 1.34"."""
        tails = {name: values[-100:] for name, values in self.losses.items() if values}
        means = [f"{name} {sum(tail) / len(tail):.3g}" for name, tail in tails.items()]
        return ": " + ", ".join(means) if means else ""

    def __repr__(self) -> str:
        text = f"{self.steps} steps in {duration(self.seconds)}{self.recent()}"
        return f"{text} ({self.stopped})" if self.stopped else text


class EMA:
    """Moving average of a network's weights, in `.model`: average += (1 - d) (weights - average).

    d = min(decay, (1 + n) / (10 + n)) after n updates, so that the first weights, which are noise,
    are soon forgotten. Buffers are copied. `train` updates every EMA of a step after each step.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999):
        if not 0 <= number("decay", decay) < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {decay}")
        self.source, self.decay, self.n = model, decay, 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self) -> None:
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        averages, weights = list(self.model.parameters()), list(self.source.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for kept, buffer in zip(self.model.buffers(), self.source.buffers(), strict=True):
            kept.copy_(buffer)
        self.n += 1

    def state_dict(self) -> dict:
        return {"n": self.n, "model": self.model.state_dict()}

    def load_state_dict(self, state: Mapping) -> None:
        self.model.load_state_dict(state["model"])
        self.n = state["n"]


def train(
    step: Callable[[Any], Mapping[str, Float[Tensor, ""]]],
    batches: Iterable,
    steps: int,
    *,
    watch: Callable[[], Any] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 30.0,
    title: str | None = None,
) -> History:
    """Call `step` on `steps` batches; show how it goes and lose nothing of what was learned.

    `batches` that end are started again. `watch()` returns a picture, a figure or anything else a
    notebook can show, about ten times in a run. `checkpoint` names a folder that gets the state of
    the run every `checkpoint_every` seconds; with that folder a later call goes on where it was,
    with what was changed of the optimisers' settings since. One run at a time has the folder.
    Ctrl-C or the stop button ends the run after the step under way; a second press ends it at once.
    A loss or weight that is not finite ends it too and brings the last good weights back.

    Raises ValueError or TypeError for a bad argument, for a step that returns anything but scalar
    losses by name, and for a folder that is in use, or holds the run of another step, of another
    version, or with NaN in it.
    """
    run = _Run(step, batches, steps, watch, checkpoint, checkpoint_every, title)
    steps = run.steps
    with checkpoints.lock(run.folder), run.settings_left(), _StopButton() as stop:
        run.resume()
        try:
            while run.done < steps and not run.history.stopped:
                losses = step(next(run.batches))
                run.keep(losses)
                for average in run.averages:
                    average.update()
                if stop.pressed or run.done == steps or perf_counter() >= run.due:
                    run.update(stop.pressed)  # the only place that waits for the device
        except KeyboardInterrupt:  # a second press: this step may be half done
            run.back_to_good("interrupted")
        except Exception as error:
            run.save()
            if _is_out_of_memory(error):
                raise type(error)(
                    f"{run.device} ran out of memory in step {run.done + 1}. Lower the batch size "
                    f"first, then the image size or the width of the networks. It said: {error}"
                ) from error
            raise
        return run.finish()


class _Run:
    """A run under way: the parts of the step, the batches, the losses, the last good state."""

    def __init__(self, step, batches, steps, watch, checkpoint, checkpoint_every, title):
        if not callable(step):
            raise TypeError(f"step must be callable, step(batch), got {type(step).__name__}")
        if checkpoint is not None and not isinstance(checkpoint, str | os.PathLike):
            kind = type(checkpoint).__name__
            raise TypeError(f"checkpoint must be the path of a folder, got {kind}")
        if watch is not None and not callable(watch):
            raise TypeError(f"watch must be callable, watch(), got {type(watch).__name__}")
        if not checkpoint_every >= 0:
            raise ValueError(
                f"checkpoint_every must be seconds, at least 0, got {checkpoint_every}"
            )
        self.step, self.parts = step, parts(step)
        self.kinds = {name: type(part).__name__ for name, part in self.parts.items()}
        self.averages = [part for part in self.parts.values() if isinstance(part, EMA)]
        networks = {n: part for n, part in self.parts.items() if isinstance(part, nn.Module)}
        self.weights = {f"{n}.{k}": w for n in networks for k, w in networks[n].named_parameters()}
        self.device = next((w.device.type for w in self.weights.values()), "cpu")
        self.batches, self.watch = checkpoints.Batches(batches), watch
        self.set_up = {"batches": batches, **self.parts}  # what has settings, beside the step
        self.settings = settings.settings(step, self.set_up)
        self.steps, self.every = whole("steps", steps), checkpoint_every
        self.folder = Path(os.path.expanduser(checkpoint)) if checkpoint else None
        self.screen, self.history, self.pending = Screen(title), History(), []
        self.saved, self.told = 0, False  # the newest step on disk; whether a failure was told

    @property
    def done(self) -> int:
        return self.history.steps + len(self.pending)

    def resume(self) -> None:
        """Take up the run in the folder, if there is one, and start the clocks."""
        found = self.folder and checkpoints.read(self.folder, self.screen.note)
        if found:
            self.load(*found)
        elif self.folder:
            checkpoints.check_storable(self.snapshot())
        if trouble := self.collect(self.weights):
            raise ValueError(f"{trouble}, at the start: build the networks anew")
        self.begun, self.before, self.started = perf_counter(), self.history.seconds, self.done
        self.renew_good()
        self.line_due = self.due = self.begun
        self.save_due = self.begun + self.every if self.folder else math.inf
        self.picture_due = None  # until it is known how long the run will take

    def load(self, path: Path, state: Mapping) -> None:
        """Continue from `state`; where it does not fit, raise ValueError and change nothing."""
        checkpoints.check_finite(path, state["parts"], self.weights)
        before = self.snapshot()
        try:
            for name in {**self.kinds, **state["kinds"]}:
                then, now = (kinds.get(name, "nothing") for kinds in (state["kinds"], self.kinds))
                if then != now:
                    raise ValueError(f"{name}: {then} in the folder, {now} in the step")
            states = settings.edited(state["parts"], state["settings"], self.settings)
            checkpoints.restore(self.parts, states)
            if state["steps"] < self.steps:
                checkpoints.restore({"batches": self.batches}, state)
            checkpoints.set_rng_state(state["rng"])
        except Exception as error:
            checkpoints.restore(self.parts, before["parts"])
            checkpoints.set_rng_state(before["rng"])
            raise ValueError(
                f"the checkpoints in {self.folder} are of another step. {error}. "
                "Give another folder, or delete this one to start anew"
            ) from error
        self.history = History(state["losses"], state["steps"], state["seconds"])
        self.saved = self.done
        self.tell_what_was_resumed(settings.changes(state["settings"], self.settings))

    def tell_what_was_resumed(self, changes: list[str]) -> None:
        if goes_on := self.done < self.steps:
            self.screen.note(f"resumed {self.folder} at step {self.done} of {self.steps}")
        else:
            self.screen.note(
                f"{self.folder} has all {self.done} steps already: nothing to train. "
                "To start anew, delete the folder"
            )
        if changes:
            use = ", and used from here on" if goes_on else ", and not used, as all steps are done"
            self.screen.note(f"changed in the cell since the run began{use}: {', '.join(changes)}")

    @contextmanager
    def settings_left(self) -> Iterator[None]:
        try:
            yield
        finally:
            settings.leave(self.step, self.set_up, self.settings)

    def keep(self, losses: Mapping) -> None:
        """Note the losses of a step as they are: the device may still be computing them."""
        if not isinstance(losses, Mapping) or not losses:
            raise TypeError(f'step must return losses by name, {{"loss": loss}}, got {losses!r}')
        names = self.history.losses or {name: [] for name in losses}
        if losses.keys() != names.keys():
            raise ValueError(f"step returned {', '.join(losses)}; before it was {', '.join(names)}")
        self.pending.append([_scalar(name, losses[name]) for name in names])
        self.history.losses = names

    def collect(self, weights: Mapping[str, Tensor]) -> str:
        """Wait for the device, once: the kept losses go to the history.

        Says what is not finite among them and the given weights; "" when all is well.
        """
        rows, self.pending = self.pending, []
        finite = [weight.detach().isfinite().all() for weight in weights.values()]
        values = iter(_floats([*(value for row in rows for value in row), *finite]))
        for _ in rows:
            self.history.steps += 1
            now = {name: next(values) for name in self.history.losses}
            for name, value in now.items():
                self.history.losses[name].append(value)
            for name, value in now.items():
                if not math.isfinite(value):
                    return f"{name} became {value} at step {self.history.steps}"
        bad = [name for name, fine in zip(weights, values, strict=True) if not fine]
        return f"{bad[0]} was not finite after step {self.history.steps}" if bad else ""

    def update(self, pressed: bool) -> None:
        """Look at how the run is doing: guard it, keep what is good, save and show what is due."""
        now, last = perf_counter(), pressed or self.done == self.steps
        save = self.folder and (last or now >= self.save_due)
        check = save or last or now >= self.good_due
        if trouble := self.collect(self.weights if check else {}):
            return self.back_to_good(trouble)
        self.history.seconds = self.before + perf_counter() - self.begun
        if save or (check and not last):  # after the last step a copy is for the disk alone
            self.renew_good()
        if save:
            self.save()
            self.save_due = perf_counter() + self.every
        if pressed and self.done < self.steps:
            self.history.stopped = f"interrupted at step {self.done}"
        elif not last and now >= self.line_due:
            self.show()
        self.due = min(self.line_due, self.save_due)

    def snapshot(self) -> dict:
        """A copy of all that the rest of the run depends on."""
        return {
            "version": checkpoints.VERSION,
            "steps": self.history.steps,
            "seconds": self.history.seconds,
            "losses": {name: list(values) for name, values in self.history.losses.items()},
            "kinds": self.kinds,
            "settings": self.settings,
            "parts": {name: checkpoints.state_of(part) for name, part in self.parts.items()},
            "batches": self.batches.state_dict(),
            "rng": checkpoints.rng_state(),
        }

    def renew_good(self) -> None:
        start = perf_counter()
        self.good = self.snapshot()
        self.good_due = perf_counter() + (perf_counter() - start) / SNAPSHOT_SHARE

    def back_to_good(self, reason: str) -> None:
        """End the run with the last good state."""
        checkpoints.restore(self.parts, self.good["parts"])
        good, history = self.good["steps"], self.history
        if reason == "interrupted":  # the steps since then are undone, so they leave no losses
            history.losses = {name: values[:good] for name, values in history.losses.items()}
            history.steps, self.pending = good, []
            history.stopped = f"interrupted at step {good}"
        else:
            history.stopped = f"{reason}; the state of step {good} is back"
            advice = "look for NaN in the batches, a log or root of 0; else lower the learning rate"
            old = f" and delete {self.folder}, which brings the old one back" if self.folder else ""
            self.screen.note(f"{reason}: {advice}{old}")
        history.seconds = self.before + perf_counter() - self.begun
        self.save()

    def save(self) -> None:
        """Write the last good state. A full disk costs the checkpoint, not the run."""
        if not self.folder or self.good["steps"] <= self.saved:
            return
        try:
            checkpoints.write(self.folder, self.good)
            self.saved = self.good["steps"]
        except OSError as error:
            if not self.told:
                reason = error.strerror or error
                self.screen.note(
                    f"no checkpoint in {self.folder}, {reason}: training goes on. "
                    "Make room there, or give checkpoint= a folder that can be written"
                )
            self.told = True

    def show(self) -> None:
        now, new, left = perf_counter(), self.done - self.started, self.steps - self.done
        self.line_due = now + UPDATE_SECONDS
        if new == 1:  # the first step also warms up and says nothing about the others
            self.first = now
            self.screen.line(f"{left + 1} steps on {self.device}: timing the first ones")
            return
        pace = (now - self.first) / (new - 1)
        between = pace * (left + new) / PICTURES
        if self.picture_due is None:
            self.picture_due = self.first + between
            about = f"{left + new} steps on {self.device}: about {duration(pace * (left + new))}"
            self.screen.line(about, lasting=True)
            return
        bar = "█" * (20 * self.done // self.steps)
        progress = f"{bar:░<20} step {self.done} of {self.steps}, {duration(pace * left)} left"
        self.screen.line(progress + self.history.recent())
        if now >= self.picture_due:
            cost = self.picture()
            self.picture_due = perf_counter() + max(between, cost / PICTURE_SHARE)

    def picture(self) -> float:
        """Show what `watch` returns and leave the run untouched; the seconds it took."""
        start = perf_counter()
        if self.watch:
            with checkpoints.undisturbed(self.parts):  # when it is drawn depends on the clock
                self.screen.picture(self.watch())
        return perf_counter() - start

    def finish(self) -> History:
        """The last picture and the last line."""
        history = self.history
        if history.stopped:
            again = "; run this again to go on" if self.saved == self.done > 0 else ""
            text = f"{history.stopped}{again}, after {duration(history.seconds)}"
        else:
            self.picture()
            text = f"{history.steps} steps on {self.device} in {duration(history.seconds)}"
        self.screen.line(text + history.recent(), lasting=True)
        return history


class _StopButton:
    """Holds Ctrl-C back until the step under way is done, so that none is left half done."""

    def __enter__(self) -> "_StopButton":
        self.pressed, self.previous = False, None
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, *_) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True

    def __exit__(self, *_) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)


def _scalar(name: str, value: Any) -> Tensor:
    if isinstance(value, numbers.Real):
        return torch.tensor(float(value), dtype=torch.float64)
    if not isinstance(value, Tensor):
        raise TypeError(f"step must return scalar tensors; {name} is a {type(value).__name__}")
    if value.ndim:
        shape = tuple(value.shape)
        raise ValueError(f"step must return scalars; {name} has shape {shape}: take its mean()")
    return value.detach().clone()  # the step may use the tensor again


def _floats(values: list[Tensor]) -> list[float]:
    """Scalars as floats, with one wait for each device however many there are."""
    result = [0.0] * len(values)
    for device in {value.device for value in values}:
        places = [i for i, value in enumerate(values) if value.device == device]
        floats = torch.stack([values[i] for i in places]).tolist()
        for i, value in zip(places, floats, strict=True):
            result[i] = value
    return result


def _is_out_of_memory(error: Exception) -> bool:
    words = ("out of memory", "allocate memory")  # CUDA's and MPS's, the CPU's
    said = isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    return said or isinstance(error, MemoryError | torch.cuda.OutOfMemoryError)
