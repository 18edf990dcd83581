"""Runs a function that nobody can vouch for: in a thread, with a time limit, leaving no traces."""

import contextlib
import ctypes
import dis
import inspect
import linecache
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

from course_lib.exercises.comparing import describe, form, same, snapshot
from course_lib.exercises.surroundings import (
    Capture,
    captured,
    marks,
    marks_left,
    seed,
    stuck,
    undisturbed,
)

LIBRARIES = tuple(
    os.path.join(folder, "")
    for folder in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        str(Path(torch.__file__).parents[1]),
        str(Path(__file__).parents[1]),
    }
)

COURSE = os.path.join(str(Path(__file__).parents[1]), "")
WRAPPER = os.path.join("torch", "utils", "_contextlib.py")  # of what `torch.no_grad()` decorates

HEARD = 20_000  # calls and returns of a student's function, the first ones

ALIASES = {"np": "numpy", "nn": "torch.nn", "F": "torch.nn.functional", "plt": "matplotlib.pyplot"}


class Stopped(BaseException):
    """Thrown into the thread when the time is up; no `except Exception` swallows it."""


class Blank(BaseException):
    """Nothing has been written yet: the first call gave None or `...`, or NotImplementedError."""


@dataclass
class Outcome:
    """What one probe saw."""

    observed: dict[str, Any] | None = None  # None where an exception came instead
    error: str = ""  # the exception: "ValueError: …"
    details: str = ""  # the line it came from and the arguments
    returned: list[str] = field(default_factory=list)  # the first results, in words
    changed: set[str] = field(default_factory=set)  # arguments changed in place
    forms: list[list] = field(default_factory=list)  # the types of the first results
    left: set[str] = field(default_factory=set)  # what else a call left behind, in words
    drawn: set[str] = field(default_factory=set)  # generators among the arguments that were used
    streams: list[tuple[int, int]] = field(default_factory=list)  # where random numbers stood
    called: set[tuple[CodeType, CodeType]] = field(default_factory=set)  # of the course: see below


@dataclass
class Run:
    """What all probes saw."""

    outcomes: list[Outcome] = field(default_factory=list)
    again: list[Outcome] = field(default_factory=list)  # the second time, the last probe first
    blank: str = ""  # what came instead of a first result
    stopped: str = ""  # "", "time" or "interrupt"
    stuck: bool = False  # it runs on, and nothing can stop it
    printed: str = ""
    warned: list[str] = field(default_factory=list)


def run(
    function: Callable,
    reference: Callable,
    probes: Sequence,
    limit: float,
    blanks: tuple = (),
    twice: bool = False,
    go_on: Callable[[Run], bool] = lambda seen: True,
) -> Run:
    """Takes `function` through the probes, all within `limit` seconds, while `go_on(seen)`.

    `twice`: then once more, backwards and among other random numbers, so that what a function
    remembers, or draws without being asked, shows. A first result among `blanks` ends the run.
    What is global (random numbers, default dtype, threads, standard output, warnings) is afterwards
    as it was. Code that never lets go of Python's lock (`sum(range(10**12))`) cannot be stopped: no
    thread can, only a new process.
    """
    seen, capture, muted = Run(), Capture(), Capture()

    def work() -> None:
        captured(capture)
        start = time.monotonic()
        rounds = [(probe, 0, seen.outcomes) for probe in probes]
        rounds += [(probe, 1, seen.again) for probe in reversed(probes) if twice]
        try:
            for probe, shift, outcomes in rounds:
                if shift and not seen.again:
                    if time.monotonic() - start > min(limit / 10, 1.0):  # nobody waits for it twice
                        return
                    captured(muted)  # said once is enough
                    seen.warned = list(seen.warned)
                first = () if seen.outcomes else blanks
                outcome = _observe(function, reference, probe, first, shift)
                if seen.stopped:  # the function caught Stopped and went on
                    return
                outcomes.append(outcome)
                if not go_on(seen):
                    return
        except Blank as blank:
            seen.blank = str(blank)

    with undisturbed(seen.warned):
        worker = _Worker(work)
        worker.start()
        seen.stopped = worker.wait(limit)
        if seen.stopped and not worker.stop():
            seen.stuck = True
            stuck.append(worker)
    if not seen.stuck:
        worker.join()
    once, again = list(seen.outcomes), list(seen.again)
    for first, second in zip(once[::-1], again, strict=False):
        moves = zip(first.streams, second.streams, strict=False)
        if any(a[0] != b[0] and a[1] == b[1] for a, b in moves):
            second.left.add("numpy's or Python's seed")
    return replace(seen, outcomes=once, again=again, printed=capture.shown())


# ---- one probe -----------------------------------------------------------------------------------


def _observe(
    function: Callable, reference: Callable, probe: Any, blanks: tuple, shift: int
) -> Outcome:
    """One probe, always from the same seed, so that no probe depends on another."""
    outcome = Outcome()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    seed(shift)
    # A class goes in bare: what is looked up on it must be the student's, not the wrapper's.
    bare = isinstance(function, type)
    watched = function if bare else _watched(function, reference, outcome, blanks)
    try:
        observed = probe.observe(watched)
        outcome.observed = {name: snapshot(value) for name, value in observed.items()}
    except (Stopped, Blank):
        raise
    except BaseException as error:  # SystemExit and the like too: nothing may end the notebook
        frames = _frames(error, watched, probe)
        if blanks and isinstance(error, NotImplementedError) and _raised_by_hand(error, frames):
            raise Blank("NotImplementedError") from None
        _describe_error(outcome, error, frames, bare)
    return outcome


def _watched(function: Callable, reference: Callable, outcome: Outcome, blanks: tuple) -> Callable:
    """`function`, with notes taken of its results, of arguments it changes, and where it raises."""

    def watched(*args: Any, **kwargs: Any) -> Any:
        names = [*argument_names(reference, len(args)), *kwargs]
        given = [*args, *kwargs.values()]
        before, flags, world = snapshot(given), [_flags(value) for value in given], marks()
        try:
            with _overheard(outcome.called, watched.__code__):
                result = function(*args, **kwargs)
        except Exception:
            outcome.details = _arguments(function, reference, args, kwargs)
            raise
        finally:
            outcome.left |= marks_left(world, outcome.streams)
        if not outcome.returned and any(result is blank for blank in blanks):
            raise Blank(str(result))
        if len(outcome.returned) < 10:
            outcome.returned.append(describe(result))
            outcome.forms.append(form(result))
        pairs = zip(names, before, snapshot(given), strict=True)
        outcome.changed |= {name for name, old, new in pairs if not same(old, new)}
        for name, value, old in zip(names, given, flags, strict=True):
            new = _flags(value)
            outcome.left |= {f"{what} of `{name}`" for what in old if old[what] != new[what]}
        used = {f"state of `{name}`" for name in names}
        outcome.drawn |= outcome.left & used
        outcome.left -= used
        return result

    with contextlib.suppress(TypeError, ValueError):
        watched.__signature__ = inspect.signature(reference)  # a probe names arguments by it
    return watched


@contextlib.contextmanager
def _overheard(called: set[tuple[CodeType, CodeType]], outside: CodeType) -> Iterator[None]:
    """Notes what of the course's code the student's lines call, and what they called to get there.

    What torch calls is not theirs: the forward of a network that the probe gave. `outside` called
    the student's function.
    """

    heard = 0

    def note(frame: FrameType, event: str, _: Any) -> None:
        nonlocal heard
        heard += 1
        if heard > HEARD:  # a loop of a million rounds is not to pay for it
            return sys.setprofile(before)
        code = door = frame.f_code
        if event != "call" or not code.co_filename.startswith(COURSE):
            return
        while frame and frame.f_code is not outside and _is_passed(frame.f_code.co_filename):
            door, frame = frame.f_code, frame.f_back
        caller = frame.f_code if frame else outside
        if caller is outside or not caller.co_filename.startswith(LIBRARIES):
            called.add((code, door))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def _is_passed(file: str) -> bool:
    return file.startswith(COURSE) or file.endswith(WRAPPER)


def _flags(value: Any) -> dict[str, Any]:
    """What a function may leave otherwise in an argument, beside its values."""
    if isinstance(value, torch.Tensor):
        return {"requires_grad": (value.requires_grad, value.grad_fn is None)}
    if isinstance(value, torch.Generator):
        return {"seed": value.initial_seed(), "state": value.get_state().numpy().tobytes()}
    if isinstance(value, torch.nn.Module):
        weights = list(value.parameters())
        return {
            "training mode": [module.training for module in value.modules()],
            "requires_grad": [w.requires_grad for w in weights],
        }
    return {}


def argument_names(function: Callable, count: int) -> list[str]:
    """The names of the first `count` arguments; "2" for a second one without a name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = ()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] + [str(i + 1) for i in range(len(names), count)]


def _arguments(function: Callable, reference: Callable, args: tuple, kwargs: dict) -> str:
    try:
        named = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        with contextlib.suppress(TypeError, ValueError):
            return f"It should take ({', '.join(inspect.signature(reference).parameters)})."
        return f"It is called with {len(args) + len(kwargs)} arguments."
    given = ", ".join(f"{name} = {describe(value)}" for name, value in named.items())
    return f"With {given}." if given else ""


def _describe_error(
    outcome: Outcome, error: BaseException, frames: list[tuple[Any, int]] | None, bare: bool
) -> None:
    try:
        text = "\n".join(str(error).splitlines()[:3])
    except Exception:
        text = "(its message cannot be shown)"
    if isinstance(error, SystemExit):
        text = "your function calls exit(), which would end the whole notebook"
    elif isinstance(error, RecursionError):
        text = "your function calls itself without end"
    elif isinstance(error, MemoryError):
        text = text or "your function asks for more memory than there is"
    elif isinstance(error, AttributeError) and frames:
        text += _shadowed(error, frames[-1][0].f_globals)
    elif "modified by an inplace operation" in text:
        text = "the gradient still needs a tensor that you overwrite; write into a new one instead"
    outcome.error = f"{type(error).__name__}: {text:.400}".removesuffix(": ")
    if frames is None or (bare and not frames):  # the probe could not use what came back
        got = f"Your function returned {outcome.returned[-1]}, " if outcome.returned else ""
        outcome.details = f"{got}and the check stumbled over it." if got else ""
    elif frames:
        outcome.details = "\n".join(filter(None, [_line(*frames[-1]), outcome.details]))


def _shadowed(error: AttributeError, scope: dict[str, Any]) -> str:
    """Which name of a module means something else in the notebook: `torch = None`."""
    for name, value in list(scope.items()):
        full = ALIASES.get(name, name)
        module = sys.modules.get(full) or sys.modules.get(f"course_lib.{full}")
        if value is error.obj and error.name and hasattr(module, error.name):
            return f"\n`{name}` is not the module any more: run the cell with the imports again."
    return ""


def _frames(error: BaseException, watched: Callable, probe: Any) -> list[tuple[Any, int]] | None:
    """The student's own frames and lines; None where the error came after her function's end."""
    frames = list(traceback.walk_tb(error.__traceback__))
    called = any(frame.f_code is _code(watched) for frame, _ in frames)
    if not called and not isinstance(watched, type):
        return None
    return [
        (frame, line)
        for frame, line in frames
        if frame.f_code is not _code(probe.observe)
        and not frame.f_code.co_filename.startswith(LIBRARIES + ("<frozen", "<__array"))
    ]


def _line(frame: Any, line: int) -> str:
    """ "Line 3 of the cell: `return x / n`", counted from `def` where there is no cell."""
    file, start = frame.f_code.co_filename, frame.f_code.co_firstlineno
    source = linecache.getline(file, line).strip()
    if source and not os.path.exists(file):
        return f"Line {line} of the cell: `{source}`"
    return f"Line {line - start + 1} of `{frame.f_code.co_name}`" + (f": `{source}`" * bool(source))


def _raised_by_hand(error: BaseException, frames: list[tuple[Any, int]] | None) -> bool:
    """Whether the student's own line said `raise`: torch raises NotImplementedError, too."""
    tb = error.__traceback__
    while tb.tb_next:
        tb = tb.tb_next
    own = bool(frames) and frames[-1][0] is tb.tb_frame
    return own and dis.opname[tb.tb_frame.f_code.co_code[tb.tb_lasti]] == "RAISE_VARARGS"


def _code(function: Callable) -> Any:
    return getattr(function, "__code__", None)


# ---- the thread ----------------------------------------------------------------------------------


class _Worker(threading.Thread):
    """A thread that can be told to stop, and abandoned where it does not listen."""

    def __init__(self, body: Callable[[], None]):
        super().__init__(daemon=True, name="exercise")
        self.body, self.ended, self.lock = body, threading.Event(), threading.Lock()

    def run(self) -> None:
        try:
            with contextlib.suppress(Stopped):
                self.body()
            self._end()
        except Stopped:  # a second one, thrown while the first was on its way
            self._end()

    def _end(self) -> None:
        with self.lock:  # nobody throws from here on
            self.ended.set()
        time.sleep(0)  # a Stopped thrown just before arrives here, not in threading's own code

    def wait(self, limit: float) -> str:
        """Why the waiting is over: "" (it ended by itself), "time" or "interrupt" (Ctrl-C)."""
        deadline = time.monotonic() + limit
        try:
            while not self.ended.wait(0.05):  # in slices, or Ctrl-C would not arrive on Windows
                if time.monotonic() > deadline:
                    return "time"
        except KeyboardInterrupt:
            return "interrupt"
        return ""

    def stop(self) -> bool:
        """Throws Stopped into the thread, for a second at most. True once it has ended."""
        for _ in range(20):
            with self.lock:
                if self.ended.is_set():
                    break
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.ident), ctypes.py_object(Stopped)
                )
            self.ended.wait(0.05)
        return self.ended.is_set()
