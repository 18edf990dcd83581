"""What a check must leave as it found it: output, warnings, exit(), random numbers, threads."""

import builtins
import contextlib
import random
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

SEED = 1729

_local = threading.local()  # .capture: where this thread's output goes
stuck: list[threading.Thread] = []  # abandoned threads; while one lives, its output is held back


@contextlib.contextmanager
def undisturbed(warned: list[str]) -> Iterator[None]:
    """Around a run. Warnings go to `warned`, the output of captured threads to their captures."""
    with _state_kept(), _warnings_kept(warned), _exit_disarmed(), _streams_routed():
        yield


def captured(capture: "Capture") -> None:
    """From now on what this thread prints goes to `capture`, for good."""
    _local.capture = capture


def seed(shift: int = 0) -> None:
    """The same random numbers for every probe, and others with another `shift`."""
    random.seed(SEED + shift)
    np.random.seed(SEED + shift)
    torch.default_generator.manual_seed(SEED + shift)
    if torch.cuda.is_initialized():  # torch.manual_seed would seed it for later where it is not
        torch.cuda.manual_seed_all(SEED + shift)


def marks() -> tuple:
    """What a function must not switch for the rest of the notebook."""
    switches = torch.is_grad_enabled(), torch.get_default_dtype()
    kind, keys, *rest = np.random.get_state()
    streams = zlib.crc32(keys.tobytes() + repr(rest).encode()), hash(random.getstate())
    return *switches, torch.default_generator.initial_seed(), streams


def marks_left(before: tuple, streams: list[tuple[int, int]]) -> set[str]:
    """What is switched now, in words; it is switched back.

    Adds to `streams` where numpy's and Python's random numbers stood before and stand now: who
    seeds them ends at the same place wherever he began.
    """
    now = marks()
    torch.set_grad_enabled(before[0])
    torch.set_default_dtype(before[1])
    streams += zip(before[3], now[3], strict=True)
    words = ("gradients switched off", "another default dtype", "torch's seed")
    return {word for word, old, new in zip(words, before, now, strict=False) if old != new}


class Capture:
    """Keeps the beginning of what is printed and counts the rest, so that a flood costs nothing."""

    def __init__(self) -> None:
        self.text, self.lines = "", 0

    def write(self, text: str) -> int:
        if len(self.text) < 2000:
            self.text += text[:2000]
        self.lines += text.count("\n")
        return len(text)

    def shown(self, most: int = 8) -> str:
        """The first lines, indented; "" where nothing was printed."""
        lines = [line[:100] + "…" * (len(line) > 100) for line in self.text.splitlines()[:most]]
        hidden = self.lines - len(lines)
        lines += [f"… and {hidden:,} lines more"] if hidden > 0 else []
        return "\n".join("    " + line for line in lines)


class _Router:
    """Stands in for stdout or stderr: a captured thread writes to its own capture."""

    stream: Any = None  # what all other threads write to

    def write(self, text: str) -> int:
        return getattr(_local, "capture", self.stream).write(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if not hasattr(_local, "capture"):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


# Never freed: `print` holds no reference to sys.stdout while it writes, so a thread that prints
# at the moment at which another one replaces and frees it would crash Python.
_routers = [_Router(), _Router()]


@contextlib.contextmanager
def _streams_routed() -> Iterator[None]:
    for router, stream in zip(_routers, (sys.stdout, sys.stderr), strict=True):
        router.stream = router.stream if stream in _routers else stream
    sys.stdout, sys.stderr = _routers
    try:
        yield
    finally:
        stuck[:] = [thread for thread in stuck if thread.is_alive()]
        sys.stdout, sys.stderr = _routers if stuck else [router.stream for router in _routers]


@contextlib.contextmanager
def _warnings_kept(kept: list[str]) -> Iterator[None]:
    """Warnings go to `kept`, the first three; not `record=True`, which would keep a million."""

    def keep(message: Any, category: type, *_: Any, **__: Any) -> None:
        text = f"{category.__name__}: {str(message).splitlines()[0]:.150}" if str(message) else ""
        if text and text not in kept and len(kept) < 3:
            kept.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = keep
        yield


@contextlib.contextmanager
def _exit_disarmed() -> Iterator[None]:
    """exit() raises, and does no more: IPython's own stops the kernel, Python's closes stdin."""

    def leave(*_: Any) -> None:
        raise SystemExit

    scopes = (vars(builtins), vars(sys.modules["__main__"]))
    found = [(s, n, s[n]) for s in scopes for n in ("exit", "quit") if _is_exit(s.get(n))]
    for scope, name, _ in found:
        scope[name] = leave
    try:
        yield
    finally:
        for scope, name, original in found:
            scope[name] = original


def _is_exit(value: Any) -> bool:
    return type(value).__name__ in ("Quitter", "ExitAutocall", "ZMQExitAutocall")


@contextlib.contextmanager
def _state_kept() -> Iterator[None]:
    """Random numbers, default dtype, threads. Grad mode belongs to the worker and dies with it."""
    cuda = torch.cuda.is_initialized()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda_states = torch.cuda.get_rng_state_all() if cuda else []
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda_states)
        torch.set_default_dtype(dtype)
        with warnings.catch_warnings():  # some builds of torch warn at every second call
            warnings.simplefilter("ignore")
            torch.set_num_threads(threads)
