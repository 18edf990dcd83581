"""What several test files share."""

import math
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import psutil
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from course_lib import training
from course_lib.training import EMA, parts

ROOT = Path(__file__).resolve().parent.parent


def assert_normal(values: Tensor, std: float = 1):
    """Mean, spread and fourth moment of a Gaussian around 0, each within four standard errors.

    The fourth is 3 times the square of the second; of a uniform distribution it is 1.8 times.
    """
    z, n = values.detach().double().flatten() / std, values.numel()
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert z.square().mean().item() == pytest.approx(1, abs=4 * math.sqrt(2 / n))
    assert z.pow(4).mean().item() == pytest.approx(3, abs=4 * math.sqrt(96 / n))


def assert_step_runs_on_meta(make_step: Callable[[], Callable], make_batch: Callable[[], Any]):
    """A training step that runs on torch's `meta` device would run on any: it proves without a GPU
    that nothing in the step sits on the wrong device and that nothing waits for the device.

    `make_step()` is called under `torch.device("meta")`; its batch is moved there. The step is run
    twice, so that the optimisers' states are used too. A step that waits (`.item()`, `float()`,
    `if loss > 0`, `.cpu()`, a mask as an index), that mixes in a tensor of the CPU (a constant,
    noise drawn without `device=`), or that returns anything but scalars on the device fails.
    """
    with torch.device("meta"):
        step = make_step()
    batch = tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, make_batch())
    for _ in range(2):
        try:
            with _OneDevice():
                losses = step(batch)
                for average in parts(step).values():
                    if isinstance(average, EMA):
                        average.update()
        except (RuntimeError, NotImplementedError) as error:  # torch has no value to wait for
            raise AssertionError(
                "the step waits for the device (.item(), float(), bool(), .cpu() or a mask as an "
                f"index) or mixes devices: {error}"
            ) from error
        for name, loss in losses.items():
            if isinstance(loss, Tensor):
                assert loss.ndim == 0, f"{name} has shape {tuple(loss.shape)}, expected a scalar"
                assert loss.is_meta, f"{name} is on {loss.device}, expected the step's device"


def stubborn(release: threading.Event) -> Callable:
    """A candidate that prints on and on until `release` is set, whatever is thrown into it."""

    def loops(x, depth=5):  # an exception may get in between two rounds, but not through five
        while True:
            try:
                while depth and not release.is_set():
                    loops(x, depth - 1)
                while not release.is_set():
                    print("still here")
                return x
            except BaseException:
                pass

    return loops


class _OneDevice(TorchDispatchMode):
    """Refuses operations between the meta device and the CPU; some of torch's let them pass.

    Moves are fine, and so are scalars of the CPU: CUDA takes both without waiting.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        moves = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        if any(x.is_meta for x in tensors) and not moves:
            for x in tensors:
                shape = tuple(x.shape)
                assert x.is_meta or x.ndim == 0, f"{func} got a tensor of the CPU, shape {shape}"
        return func(*args, **(kwargs or {}))


class ToyStep:
    """A small step with all that makes resuming hard: noise of all kinds, momentum, an average."""

    def __init__(self, seed=0, width=8):
        torch.manual_seed(seed)
        self.net = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.Dropout(0.2), nn.Linear(width, 1)
        )
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.01)
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


def toy_batches() -> list[Tensor]:
    return list(torch.randn(5, 6, 4, generator=torch.Generator().manual_seed(0)))


def built(make=ToyStep, seed=0, **options):
    """A step, and all random numbers where they are at the start of a notebook."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    return make(seed=seed, **options)


def weights(step) -> Tensor:
    """All that the networks of a step have learned, in one vector."""
    nets = [step.net, step.ema.model]
    return torch.cat([v.flatten().float() for net in nets for v in net.state_dict().values()])


class Clock:
    """A clock for the training loop that only moves when told to."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(training, "perf_counter", lambda: self.now)

    def step(self, seconds):
        """A step that takes so long."""

        def step(batch):
            self.now += seconds
            return {"loss": 1.0}

        return step


def python(code: str, *arguments) -> subprocess.CompletedProcess:
    """Run Python code in a process of its own; its printed text is in `.stdout` and `.stderr`."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


class PeakMemory:
    """`with PeakMemory() as peak:` how far the memory of this process rises inside, in MB.

    Sampled every 2 ms: `ru_maxrss` would remember what was larger before.
    """

    def __enter__(self) -> "PeakMemory":
        self.before = self.most = psutil.Process().memory_info().rss
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self) -> None:
        process = psutil.Process()
        while not self.over.wait(0.002):
            self.most = max(self.most, process.memory_info().rss)

    def __exit__(self, *_) -> None:
        self.most = max(self.most, psutil.Process().memory_info().rss)
        self.over.set()
        self.thread.join()
        self.megabytes = (self.most - self.before) / 2**20


def returns_its_figure(make: Callable[[], Figure]) -> None:
    """A figure that pyplot keeps is shown a second time by a notebook."""
    before = plt.get_fignums()
    figure = make()
    assert isinstance(figure, Figure) and figure.axes
    figure.canvas.draw()
    assert plt.get_fignums() == before


def children(widget: ipywidgets.Box, kind: type) -> list[ipywidgets.Widget]:
    """The parts of a box that are of one kind, from the top."""
    return [child for child in widget.children if isinstance(child, kind)]


def every_child(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """All parts of a box that hold no others, at any depth."""
    if not isinstance(widget, ipywidgets.Box):
        return [widget]
    return [part for child in widget.children for part in every_child(child)]


def stop(widget: ipywidgets.Box, label: str) -> str:
    """Moves the only slider to the stop of that name; what the readout then says, as HTML."""
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    slider.value = dict(slider.options)[label]
    return children(widget, ipywidgets.HTML)[0].value


def every_stop_differs(make: Callable[[], ipywidgets.Box], stops: int | None = None) -> None:
    """Each stop of a widget's one slider draws another picture and reads out another number."""
    before = plt.get_fignums()
    widget = make()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,) = children(widget, ipywidgets.Image)
    (readout,) = children(widget, ipywidgets.HTML)
    seen = set()
    for _, value in slider.options:
        slider.value = value
        assert bytes(picture.value).startswith(b"\x89PNG")
        seen.add((bytes(picture.value), readout.value))
    assert len(seen) == len(slider.options) and len(seen) == (stops or len(seen))
    assert plt.get_fignums() == before
