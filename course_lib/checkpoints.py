"""The state of a run: what belongs to it, how it is copied, and how it is kept on disk.

Used by `training.train`; nothing here is needed to follow a lecture.
"""

import copy
import functools
import hashlib
import io
import math
import os
import random
import re
import socket
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import nn

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

VERSION = 2  # of what a checkpoint holds
HOLDS = {"steps": int, "seconds": float, "losses": dict, "kinds": dict, "settings": dict}
HOLDS |= {"parts": dict, "batches": dict, "rng": dict}
FILE = re.compile(r"step-(\d{8,})-[0-9a-f]{16}\.pt")
LOCK = "in-use"  # in the folder of a run, while it is under way


def parts(step: Callable) -> dict[str, Any]:
    """Everything that `step` holds and that has a state, by name: networks, optimisers, averages.

    An object is searched through its attributes, a function through its closure and the globals it
    names, a bound method through both; lists, dicts and callables among them are searched too. A
    `torch.Generator` counts: a run resumed without it would draw other noise.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()

    def visit(name: str, value: Any) -> None:
        if id(value) in seen or isinstance(value, type | types.ModuleType):
            return
        seen.add(id(value))
        has_state = hasattr(value, "state_dict") and hasattr(value, "load_state_dict")
        if has_state or isinstance(value, torch.Generator):
            while name in found:
                name += "'"
            found[name or "step"] = value
        if isinstance(value, nn.Module):
            seen.update(id(module) for module in value.modules())  # its state has theirs
        if value is step or not has_state:
            for key, inner in _held(value, {"__main__", getattr(step, "__module__", None)}):
                visit(f"{name}.{key}".strip("."), inner)

    visit("", step)
    return found


def _held(value: Any, home: set) -> Iterator[tuple[Any, Any]]:
    """What `value` holds, by name; globals only for functions of a module in `home`."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
    elif isinstance(value, types.MethodType):
        yield from (("", value.__self__), ("", value.__func__))
        yield from getattr(value.__self__, "__dict__", {}).items()
    elif isinstance(value, functools.partial):
        yield from (("", value.func), ("", value.args), ("", value.keywords))
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            with suppress(ValueError):  # a cell that is still empty
                yield name, cell.cell_contents
        if value.__module__ in home:
            names = (name for name in _names(value.__code__) if name in value.__globals__)
            yield from ((name, value.__globals__[name]) for name in names)
    elif callable(value) and hasattr(value, "__dict__"):
        yield from vars(value).items()


def _names(code: types.CodeType) -> list[str]:
    """The names that a piece of code looks up, those of its lambdas and comprehensions too."""
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return [*code.co_names, *(name for const in inner for name in _names(const))]


def state_of(part: Any) -> Any:
    """A copy of the state of a part."""
    if isinstance(part, torch.Generator):
        return part.get_state()
    return plain(part.state_dict())


def plain(state: Any) -> Any:
    """A copy in which NumPy's numbers, which no checkpoint may hold, are Python's."""
    if type(state) is dict:  # not torch's OrderedDict, which knows more than its items
        return {key: plain(value) for key, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(map(plain, state))
    return state.item() if isinstance(state, np.generic) else copy.deepcopy(state)


def restore(parts: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Give each part its state back. Raises ValueError with the first mismatch."""
    for name, part in parts.items():
        load = part.set_state if isinstance(part, torch.Generator) else part.load_state_dict
        try:
            load(states[name])
        except Exception as error:
            lines = str(error).strip().splitlines() or [
                repr(error)
            ]  # torch lists all mismatches under a heading
            first = lines[min(1, len(lines) - 1)].strip().rstrip(".")
            raise ValueError(f"{name}: {first}") from error


def rng_state(generator: torch.Generator | None = None) -> dict:
    """The states of torch's, numpy's and Python's random numbers, and of `generator`."""
    kind, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "mps": [torch.mps.get_rng_state()] if torch.backends.mps.is_available() else [],
        "numpy": [kind, keys.tolist(), *rest],
        "python": random.getstate(),
        "generator": None if generator is None else generator.get_state(),
    }


def set_rng_state(state: Mapping, generator: torch.Generator | None = None) -> None:
    """Undo what was drawn since `rng_state`. States of devices that are not here are left out."""
    torch.set_rng_state(state["torch"])
    for i, cuda in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(cuda, i)
    if state["mps"] and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"][0])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    random.setstate(state["python"])
    if generator is not None and state["generator"] is not None:
        generator.set_state(state["generator"])


@contextmanager
def undisturbed(parts: Mapping[str, Any]) -> Iterator[None]:
    """Put random states and train/eval modes back afterwards."""
    rng = rng_state()
    generators = [(p, p.get_state()) for p in parts.values() if isinstance(p, torch.Generator)]
    networks = [part for part in parts.values() if isinstance(part, nn.Module)]
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        set_rng_state(rng)
        for generator, state in generators:
            generator.set_state(state)
        for module, mode in modes:
            module.training = mode


class Batches:
    """Batches without end, and the place in them: what runs out is started again.

    Where `batches` has `state_dict` and `load_state_dict`, these keep the place. Otherwise the pass
    under way is repeated from its start, with the random numbers of then, up to the place.
    """

    def __init__(self, batches: Iterable):
        if not isinstance(batches, Iterable):
            raise TypeError(f"batches must be iterable, got {type(batches).__name__}")
        self.batches, self.iterator, self.drawn, self.rng = batches, None, 0, None
        self.stateful = hasattr(batches, "state_dict") and hasattr(batches, "load_state_dict")

    def start(self) -> None:
        self.rng = rng_state(
            getattr(self.batches, "generator", None)
        )  # a DataLoader shuffles by it
        self.iterator, self.drawn = iter(self.batches), 0

    def __next__(self) -> Any:
        for ended in (self.iterator is None, True):
            if ended:
                self.start()
            for batch in self.iterator:
                self.drawn += 1
                return batch
        raise ValueError(
            "batches ran out: it is empty, or a generator, which cannot be started again. "
            "Give a list, a DataLoader or the batches of an image set"
        )

    def state_dict(self) -> dict:
        inner = copy.deepcopy(self.batches.state_dict()) if self.stateful else None
        return {"drawn": self.drawn, "rng": self.rng, "batches": inner}

    def load_state_dict(self, state: Mapping) -> None:
        if self.stateful:
            self.batches.load_state_dict(state["batches"])
        elif state["rng"] is not None:
            set_rng_state(state["rng"], getattr(self.batches, "generator", None))
            self.start()
            for _ in range(state["drawn"]):
                next(self)


def write(folder: Path, state: Mapping) -> None:
    """Keep `state` as a new file of `folder`, and the one before; OSError where that fails.

    It is written under another name and then renamed: whenever the process is killed, every
    checkpoint in the folder is whole. The file's name holds the checksum of its content.
    """
    data = _bytes(state)
    path = folder / f"step-{state['steps']:08d}-{_checksum(data)}.pt"
    temporary = path.with_suffix(".tmp")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    halves = [p for p in folder.glob("step-*.tmp") if FILE.fullmatch(f"{p.stem}.pt")]
    for old in [*_files(folder)[:-2], *halves]:
        old.unlink(missing_ok=True)


def read(folder: Path, tell: Callable[[str], None]) -> tuple[Path, dict] | None:
    """The newest whole checkpoint of `folder`, None where there is none; damaged ones are told.

    Raises ValueError for one that this version did not write, or that lacks something.
    """
    for path in reversed(_files(folder)):
        try:
            data = path.read_bytes()
            if _checksum(data) != path.stem[-16:]:
                raise ValueError("its content does not match its checksum")
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            tell(f"{path} is damaged and not used: {_first_line(error)}")
            with suppress(OSError):  # out of the way of the checkpoints to come
                path.rename(path.with_suffix(".damaged"))
            continue
        _check(path, state)
        return path, state
    return None


def _files(folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first; what others have put there is left alone."""
    found = [(FILE.fullmatch(path.name), path) for path in folder.glob("step-*.pt")]
    return [path for _, path in sorted((int(m[1]), path) for m, path in found if m)]


def _check(path: Path, state: Any) -> None:
    anew = f"Give checkpoint= another folder, or delete {path.parent} to start anew"
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise ValueError(f"{path} was written by another version of the course. {anew}")
    lacks = [name for name, kind in HOLDS.items() if not isinstance(state.get(name), kind)]
    lacks += [f"rng[{name!r}]" for name in rng_state() if not lacks and name not in state["rng"]]
    if not lacks and any(len(values) != state["steps"] for values in state["losses"].values()):
        lacks = ["losses of all its steps"]
    if lacks:
        raise ValueError(f"{path} lacks {', '.join(lacks)}, so it cannot be resumed. {anew}")


def check_finite(path: Path, parts: Mapping[str, Any], weights: Iterable[str]) -> None:
    """Raise ValueError where a part holds NaN, or one of the `weights` infinity."""
    if bad := next(_spoilt("", parts, weights), None):
        raise ValueError(
            f"{path} holds NaN or infinity, in {bad}: the file is spoilt, not your networks. "
            "Delete it to go on from the one before, where there is one; "
            f"or delete {path.parent} to start anew"
        )


def _spoilt(name: str, value: Any, weights: Iterable[str]) -> Iterator[str]:
    if isinstance(value, torch.Tensor):
        if not (value.isfinite() if name in weights else ~value.isnan()).all():
            yield name
    elif isinstance(value, float) and math.isnan(value):
        yield name
    elif isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _spoilt(f"{name}.{key}".strip("."), inner, weights)


def check_storable(state: Mapping) -> None:
    """Raise TypeError where `state` could be written but, for safety, not be read again."""
    try:
        torch.load(io.BytesIO(_bytes(state)), weights_only=True)
    except Exception as error:
        reason = _first_line(error)
        raise TypeError(f"checkpoint: the step's state cannot be stored: {reason}") from error


@contextmanager
def lock(folder: Path | None) -> Iterator[None]:
    """Keeps the folder of a run for this process; ValueError, naming the other, where one has it.

    The lock is the operating system's, which lets go of it whenever and however a process ends. A
    disk that knows no locks, or cannot be written, has none.
    """
    if folder is None:
        yield
        return
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    file = _locked(folder)
    try:
        yield
    finally:
        if file:
            if fcntl:  # elsewhere an open file cannot be removed
                Path(file.name).unlink(missing_ok=True)
            file.close()
            if not fcntl:
                with suppress(OSError):
                    Path(file.name).unlink(missing_ok=True)
        with suppress(OSError):  # nothing was written: no empty folder is left behind
            for path in new:
                path.rmdir()


def _locked(folder: Path) -> IO | None:
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except (FileNotFoundError, FileExistsError):  # its last user has just removed the folder
            if folder.exists() and not folder.is_dir():
                return None
            continue
        except OSError:
            return None
        try:
            _take(file)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.ctime()}")
                file.flush()
                return file
        except FileNotFoundError:  # its last user has just removed it
            pass
        except (BlockingIOError, PermissionError):
            file.seek(0)
            with file:
                user = file.read() or "another process"
            raise ValueError(
                f"{folder} is in use by {user}: wait until it ends, or give another folder"
            ) from None
        except OSError:
            file.close()
            return None
        file.close()


def _take(file: IO) -> None:
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        file.seek(2**30)  # what is locked cannot be read, and the name of the process shall be
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]


def _bytes(state: Mapping) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
