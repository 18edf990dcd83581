"""Every training of the course as it would be on a GPU: on the meta device, where nothing is
computed and all is counted; on the CPU with a few pictures; on a GPU where there is one.

    pytest -s tests/test_gpu_scale.py    prints a table of the trainings
"""

import gc
import math
import re
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from course_lib import build, device, training
from course_lib.device import Choice
from course_lib.training import EMA, History, parts
from tests.gpu_scale import DeviceMemory, described, needed, networks, play
from tests.helpers import _OneDevice

LIMIT = 15e9  # bytes: a free Colab T4
CONTEXT = 1e9  # of them, generously, for CUDA itself and the workspaces of its convolutions
LECTURES = [path for path in build.sources() if any(trains for _, trains in needed(path))]
IN_THE_PLANE = ("d_only", "plane_step")  # points: too small for a GPU
FEW, GPU_STEPS = 4, 20

SOON = {"03_vanilla_gan", "05_loss_zoo", "07_ddpm", "10_editing"}  # in `make test`

lectures = pytest.mark.parametrize("source", LECTURES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    """Weights come from the course, and the random numbers of other tests stay what they are."""
    monkeypatch.setenv("COURSE_SCALE", "smoke")
    with torch.random.fork_rng(devices=[]):
        yield


def empty_on_the_cpu(step) -> None:
    """Networks that can be looked at, as after a training; all weights are 0."""
    for part in parts(step).values():
        net = part.model if isinstance(part, EMA) else part
        if isinstance(net, torch.nn.Module):
            net.to_empty(device="cpu")
            for value in net.state_dict().values():
                value.zero_()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(path, marks=[pytest.mark.everywhere] * (path.stem not in SOON), id=path.stem)
        for path in LECTURES
    ],
)
def test_every_training_fits_into_the_memory_of_a_gpu_and_waits_for_nothing(source):
    table, played = [], WeakKeyDictionary()  # a step that is over gives its memory back

    def train(step, batches, steps, *, watch=None, checkpoint=None, title=None):
        if step in played:  # a training that goes on: its networks are on the CPU by now
            found, names = played[step]
            table.append(found)
            return History({name: [] for name in names})
        gc.collect()
        memory.most = memory.now
        batch = next(iter(batches))
        table.append(described(step, batch, steps, title))
        with _OneDevice():
            for _ in range(2):  # the second with the optimisers' states
                losses = step(batch)
                for part in parts(step).values():
                    if isinstance(part, EMA):
                        part.update()
        assert {loss.device for loss in losses.values()} == {tree_leaves(batch)[0].device}
        if watch:  # comes as far as the pictures, which have no values here
            with pytest.raises((RuntimeError, ValueError), match="no data|item|meta"), _OneDevice():
                watch()
        table[-1].memory = memory.most
        played[step] = table[-1], [*losses]
        empty_on_the_cpu(step)
        return History({name: [] for name in losses})

    with DeviceMemory() as memory:
        play(source, Choice(torch.device("meta"), False, "counted only"), train)
    print(f"\n{source.stem}", *table, sep="\n")
    assert len(table) >= len(re.findall(r"(?<![.\w])train\(", source.read_text(encoding="utf-8")))
    for found in table:
        small = found.name.startswith(IN_THE_PLANE)
        assert found.place == ("cpu" if small else "meta")
        assert found.memory + CONTEXT < LIMIT, found
        assert small or found.memory > 16 * found.parameters, found


@pytest.mark.everywhere
@lectures
def test_every_training_takes_a_step_with_a_few_pictures(source):
    seen = []

    def train(step, batches, steps, *, watch=None, checkpoint=None, title=None):
        batch = tree_map(lambda x: x[:FEW], next(iter(batches)))
        before = {name: weights_of(net) for name, net in networks(step).items()}
        for _ in range(2):
            losses = step(batch)
        assert all(math.isfinite(loss) for loss in losses.values())
        for name, net in networks(step).items():
            if any(weight.grad is not None for weight in net.parameters()):
                assert not torch.equal(weights_of(net), before[name]), name
                seen.append(name)
        return History({name: [] for name in losses})

    play(source, Choice(torch.device("cpu"), False, "a few pictures"), train, side=32)
    assert seen


def weights_of(net) -> Tensor:
    return torch.cat([weight.detach().flatten().clone() for weight in net.parameters()])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU with CUDA here")
@lectures
def test_every_training_runs_on_the_gpu(source):
    whole, home = training.train, device.choose()

    def train(step, batches, steps, *, watch=None, checkpoint=None, title=None):
        gc.collect()
        torch.cuda.reset_peak_memory_stats()
        found = described(step, next(iter(batches)), steps, title)
        history = whole(step, batches, GPU_STEPS, watch=watch, title=title)
        found.memory = torch.cuda.max_memory_allocated()
        pace = history.seconds / GPU_STEPS
        print(f"{found} {1000 * pace:7.1f} ms a step, {pace * steps / 60:6.1f} min in all")
        assert not history.stopped and found.memory + CONTEXT < LIMIT
        return history

    print(f"\n{source.stem} on {home}")
    play(source, home, train)


def test_memory_is_counted_as_one_reckons_it_by_hand():
    with DeviceMemory() as memory:
        w = torch.ones(1000, 1000, device="meta", requires_grad=True)  # 4 MB
        loss = (w + 1).exp().exp().sum()  # w + 1 is forgotten, both exponentials are kept
        assert memory.now == 3 * 4e6 + 4 and memory.most == 3 * 4e6 + 4
        loss.backward()  # of two exponentials, their slopes and w at most four at a time
        assert memory.now == 2 * 4e6 + 4 and memory.most == 4 * 4e6 + 8
        again = w.view(-1)
        assert memory.now == 2 * 4e6 + 4 and again.is_meta
    del w, loss, again
    assert memory.now == 0
