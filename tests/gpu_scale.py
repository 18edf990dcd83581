"""The trainings of the lectures at gpu scale, without running the lectures.

`play(source, choice, train)` runs the cells of a lecture that train, as they would run on a GPU,
and before them the cells that they need, with `train` in the place of the course's loop.
"""

import ast
import dis
import itertools
import re
import types
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import jupytext
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib import data, device, scale, training
from course_lib.studies import audits
from course_lib.training import parts

TRAINERS = ("train", "audits.learned")
SWITCHES = {  # what the text invites students to change
    'kind = "flow"': ['kind = "eps"', 'kind = "v"', 'kind = "flow"'],
    "heaps = None": ['heaps = "horse2zebra"'],
}
STAND_INS = {"draw": lambda name, n, generator: torch.rand(n, 3, 32, 32, generator=generator)}


def play(source: Path, choice: device.Choice, train: Callable, side: int = 256) -> None:
    """Run what trains in a lecture on the chosen device, with the values for a GPU.

    The cells that it needs see the values of a smoke run; drawn pictures are noise, and downloads
    are noise of `side` pixels.
    """
    space, size = {"__name__": "lecture"}, "smoke"
    replaced = [
        (device, "choose", lambda: choice),
        (scale, "pick", lambda **values: values[size]),
        (training, "train", train),
        (audits, "learned", partial(_learned, audits.learned)),
        (data, "load", partial(_load, data.load, side)),
    ]
    with ExitStack() as stack:
        for place, name, value in replaced:
            stack.enter_context(patch.object(place, name, value))
        for cell, trains in needed(source):
            size = "gpu" if trains else "smoke"
            old = next((switch for switch in SWITCHES if switch in cell), "")
            for new in SWITCHES.get(old, [""]):
                exec(compile(cell.replace(old, new), source.name, "exec"), space)
            space |= {name: value for name, value in STAND_INS.items() if name in space}


def needed(source: Path) -> list[tuple[str, bool]]:
    """The cells that train, without what comes after it, and those that they need."""
    notebook = jupytext.read(source, fmt="py:percent")
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    trainers, found, names = list(TRAINERS), [], set()
    until = [until_trained(cell, trainers) for cell in code]
    for cell, trained in zip(reversed(code), reversed(until), strict=True):
        reads, sets = names_of(trained or cell)
        if trained and names & (names_of(cell)[1] - sets):  # what comes after it is read later
            trained, (reads, sets) = cell, names_of(cell)
        if trained or names & sets:
            found.append((trained or cell, bool(trained)))
            names = names - sets | reads
    return found[::-1]


def until_trained(cell: str, trainers: list[str]) -> str:
    """The cell up to its last training, "" without one; functions that train join `trainers`."""
    end = 0
    for part in ast.parse(cell).body:
        calls = rf"(?<![.\w])({'|'.join(map(re.escape, trainers))})\("
        if re.search(calls, ast.get_source_segment(cell, part)):
            end = part.end_lineno
            trainers += [part.name] if isinstance(part, ast.FunctionDef) else []
    return "\n".join(cell.splitlines()[:end])


def names_of(cell: str) -> tuple[set[str], set[str]]:
    """The global names that a cell reads before it has set them, and those that it sets."""
    reads, sets = set(), set()

    def look(code: types.CodeType) -> None:
        for line in dis.get_instructions(code):
            if line.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
                reads.update({line.argval} - sets)
            elif line.opname == "STORE_NAME":
                sets.add(line.argval)
            elif isinstance(line.argval, types.CodeType):
                look(line.argval)

    look(compile(cell, "cell", "exec"))
    return reads, sets


def _load(load: Callable, side: int, name: str, *args, **options) -> data.ImageSet:
    """`data.load`, with noise in the place of a download, as much as the set has pictures."""
    if name != "horse2zebra":
        return load(name, *args, **options)
    one = torch.randint(256, (1, 3, side, side), dtype=torch.uint8)
    return data.ImageSet(one.expand({"a": 1067, "b": 1334}[options["variant"]], -1, -1, -1))


def _learned(learned: Callable, faces: data.ImageSet, seed: int, steps: int) -> nn.Module:
    """`audits.learned`, whose own loop hands its first batch to `training.train`."""
    make = audits.FlowStep

    def step_of(*args, **options):
        step = make(*args, **options | {"steps": steps})

        def whole(batch):
            training.train(step, itertools.repeat(batch), steps)

        whole.ema = step.ema
        return whole

    with patch.object(audits, "FlowStep", step_of):
        return learned(faces, seed, steps=1)


class DeviceMemory(TorchDispatchMode):
    """Bytes that the tensors of the meta device would take: `now`, and `most` so far."""

    def __init__(self):
        super().__init__()
        self.now, self.most, self.held = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and x.is_meta:
                self.note(x.untyped_storage())
        return result

    def note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self.held:
            self.held.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.free, key, size)

    def free(self, key: int, size: int) -> None:
        self.held.discard(key)
        self.now -= size


@dataclass
class Training:
    """A training as a lecture asks for it; memory in bytes, at its peak."""

    name: str
    place: str
    parameters: int
    shape: tuple[int, ...]
    steps: int
    memory: int = 0

    def __str__(self) -> str:
        batch = " × ".join(map(str, self.shape))
        return (
            f"{self.name:58} {self.place:5} {self.parameters / 1e6:7.2f} M {batch:>19} "
            f"{self.steps:8,} {self.memory / 1e9:7.3f} GB"
        )


def networks(step: Callable) -> dict[str, nn.Module]:
    """The networks that learn, by name."""
    return {name: net for name, net in parts(step).items() if isinstance(net, nn.Module)}


def described(step: Callable, batch, steps: int, title: str | None) -> Training:
    nets = networks(step).values()
    weights = [weight for net in nets for weight in net.parameters()]
    kind = getattr(step, "__name__", type(step).__name__)
    kinds = Counter(type(net).__name__ for net in nets)
    names = ", ".join(f"{n} {name}" if n > 1 else name for name, n in kinds.items())
    first = tree_leaves(batch)[0]
    name = title and f"{kind}, {title}" or f"{kind}: {names}"
    count = sum(weight.numel() for weight in weights)
    return Training(name, weights[0].device.type, count, tuple(first.shape), steps)
