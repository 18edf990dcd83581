"""What a run was begun with, and what its cell has changed since.

Used by `training.train` when it takes up a run: of the optimisers' and schedulers' settings those
that were edited in the cell are the cell's, all others go on as they were, decayed or warmed up.
"""

import collections
import copy
import dataclasses
import functools
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course_lib import checkpoints

STEP = ""  # where the step's own numbers and words stand among those of its parts
DERIVED = ("base_lrs", "_last_lr", "place")  # follow from a scheduler's lr, a set's length
# averages that an optimiser keeps only where a setting asks for them
NEEDS = {"amsgrad": "max_exp_avg_sq", "centered": "grad_avg", "momentum": "momentum_buffer"}
WHOLE = collections.Counter  # a table that is one setting: MultiStepLR's milestones
LONGEST = 80  # characters of a word that is a setting

# what train() left in a part that lives on in the kernel: settings at the start of its run, and now
_left: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def settings(step: Callable, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the cell has made them, by part; what training changed since is undone."""
    found = _now(step, parts)
    for name, part in {STEP: step, **parts}.items():
        with suppress(TypeError):  # a part that no dictionary can hold
            begun, left = _left.get(part, (None, None))
            if begun is not None:
                found[name] = _merged(begun, left, found[name])
    return found


def leave(step: Callable, parts: Mapping[str, Any], begun: Mapping[str, Any]) -> None:
    """Remember how training leaves the parts, so that `settings` can tell it from an edit."""
    now = _now(step, parts)
    for name, part in {STEP: step, **parts}.items():
        with suppress(TypeError):
            _left[part] = (begun[name], now[name])


def changes(begun: Mapping[str, Any], cell: Mapping[str, Any]) -> list[str]:
    """What differs: ["optimizer.lr 0.001 (it was 0.01)"]."""
    found = {}
    for part in begun.keys() & cell.keys():
        found |= {n.strip("."): pair for n, *pair in _differences(part, begun[part], cell[part])}
    for name in list(found):
        if name.endswith(".initial_lr"):  # what the cell says; lr may be a part of it
            found[name.replace("initial_lr", "lr")] = found.pop(name)
        elif any(key in DERIVED for key in name.split(".")):
            del found[name]
    return [
        f"{name} {_said(new)} (it was {_said(old)})" for name, (old, new) in sorted(found.items())
    ]


def edited(states: Mapping[str, Any], begun: Mapping, cell: Mapping) -> dict[str, Any]:
    """The states of the parts of a run, with what the cell has changed since it began."""
    result = dict(states)
    for name in states.keys() & begun.keys() & cell.keys():
        then, now, state = begun[name], cell[name], states[name]
        if isinstance(then, list) and len(then) == len(now) == len(state["param_groups"]):
            groups = list(map(_group, state["param_groups"], then, now))
            result[name] = {"state": _with_needs(state["state"], groups), "param_groups": groups}
        elif isinstance(then, dict) and "last_epoch" in then:
            result[name] = _merged(state, then, now)
    return result


def _now(step: Callable, parts: Mapping[str, Any]) -> dict[str, Any]:
    found = {STEP: _words(step)}
    for name, part in parts.items():
        if isinstance(part, Optimizer):
            groups = [{k: v for k, v in g.items() if k != "params"} for g in part.param_groups]
            found[name] = checkpoints.plain(groups)
        elif isinstance(part, LRScheduler):
            found[name] = checkpoints.plain(part.state_dict())
        else:
            found[name] = {} if isinstance(part, nn.Module) else _words(part)
    return found


def _words(value: Any) -> dict[str, Any]:
    """The numbers, words and names of functions that an object or a function holds."""
    found: dict[str, Any] = {}

    def note(name: str, value: Any) -> None:
        for kind in (bool, int, float, str):
            if isinstance(value, kind) and len(str(value)) <= LONGEST:
                found[name] = kind(value)  # NumPy's are no plain numbers
                return
        if isinstance(value, types.FunctionType):
            found[name] = value.__name__
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            for field in dataclasses.fields(value):
                note(f"{name}.{field.name}", getattr(value, field.name))

    if isinstance(value, types.MethodType):
        value = value.__self__
    if isinstance(value, functools.partial):
        held = value.keywords
    elif isinstance(value, types.FunctionType):
        names = value.__code__.co_freevars
        held = {}
        for name, cell in zip(names, value.__closure__ or (), strict=True):
            with suppress(ValueError):  # a cell that is still empty
                held[name] = cell.cell_contents
    else:
        held = getattr(value, "__dict__", {})
    for name, inner in held.items():
        if not name.startswith("_"):
            note(name, inner)
    return found


def _merged(state: Any, begun: Any, cell: Any) -> Any:
    """`state`, and `cell` where that differs from `begun`."""
    if isinstance(state, dict) and isinstance(begun, dict) and not isinstance(state, WHOLE):
        known = begun.keys() & cell.keys() - {"_last_lr"}
        return {k: _merged(v, begun[k], cell[k]) if k in known else v for k, v in state.items()}
    if isinstance(state, list) and isinstance(begun, list):
        if len(state) == len(begun) == len(cell):
            return list(map(_merged, state, begun, cell))
    return copy.deepcopy(cell) if _differ(begun, cell) else state


def _group(state: dict, begun: dict, cell: dict) -> dict:
    """A group of parameters. A scheduled learning rate keeps its share of where it began."""
    result = _merged(state, begun, cell)
    first, now = begun.get("initial_lr"), cell.get("initial_lr")
    if first and now is not None and _differ(first, now):
        result["lr"] = state["lr"] * (now / first)
    return result


def _with_needs(state: dict, groups: list[dict]) -> dict:
    """The averages of an optimiser, with zeros for those that an edited setting needs besides."""
    state = {i: dict(averages) for i, averages in state.items()}
    for group in groups:
        for averages in (state[i] for i in group["params"] if i in state):
            like = averages.get("exp_avg_sq", averages.get("square_avg"))
            for setting, needed in NEEDS.items():
                if group.get(setting) and needed not in averages and like is not None:
                    averages[needed] = torch.zeros_like(like)
    return state


def _differences(name: str, begun: Any, cell: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(begun, dict) and isinstance(cell, dict) and not isinstance(begun, WHOLE):
        for key in sorted(begun.keys() & cell.keys(), key=str):
            yield from _differences(f"{name}.{key}", begun[key], cell[key])
    elif isinstance(begun, list) and isinstance(cell, list) and len(begun) == len(cell):
        for i, (old, new) in enumerate(zip(begun, cell, strict=True)):
            yield from _differences(name if len(begun) == 1 else f"{name}.{i}", old, new)
    elif _differ(begun, cell):
        yield name, begun, cell


def _differ(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        a, b = torch.as_tensor(a), torch.as_tensor(b)
        return a.shape != b.shape or not torch.equal(a.cpu(), b.cpu().to(a.dtype))
    return bool(a != b) and not (a != a and b != b)  # NaN is NaN


def _said(value: Any) -> str:
    value = value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value
    return f"{value:g}" if isinstance(value, float) else f"{value}"
