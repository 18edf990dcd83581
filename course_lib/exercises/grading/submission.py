"""One exercise of one submission, in a process that belongs to the student."""

import asyncio
import base64
import builtins
import contextlib
import inspect
import linecache
import marshal
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import course_lib.exercises
from course_lib import training
from course_lib.exercises import EXERCISES, engine
from course_lib.exercises.grading import answers, drawn, sandbox
from course_lib.exercises.grading.cells import CHECKED, read
from course_lib.exercises.grading.handins import UNREADABLE
from course_lib.exercises.grading.sent import encoded_run
from course_lib.exercises.running import Run, Stopped

LEAST = 0.05  # seconds for a statement when the time for all of them is over
LATE = "it took too long"


class NotRun(RuntimeError):
    """What the grader does not do, which is not the student's fault."""


class NotTrained(NotRun):
    def __init__(self) -> None:
        super().__init__("the grader trains nothing")


class Elsewhere(float):
    """Stands for what a statement that was not run would have made: a 1, to be written of."""

    def __getitem__(self, key: Any) -> "Elsewhere":
        return self


def plan(data: bytes) -> dict[str, Any]:
    """The notebook's plan as JSON, with the code of its statements."""
    try:
        found = read(data)
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        return {"trouble": f"{UNREADABLE}: {first:.200}"}
    wanted = {n for numbers in found.needed.values() for n in numbers}
    statements = {
        str(n): {
            "code": base64.b64encode(marshal.dumps(s.code)).decode(),
            "place": f"line {s.line} of cell [{s.cell}]",
            "names": sorted(s.binds | s.stores),
            "checks": sorted(s.checks),
        }
        for n, s in enumerate(found.statements)
        if n in wanted
    }
    needed = {i: list(map(str, numbers)) for i, numbers in found.needed.items()}
    sources = found.sources
    return {
        "trouble": "",
        "statements": statements,
        "needed": needed,
        "broken": found.broken,
        "sources": sources,
    }


def serve(channel: Any, request: dict, scratch: str, fences: list[str]) -> None:
    """Runs what the checks of an exercise need, and sends what the probes saw at each check."""
    exercise = drawn.exercise(request["id"], request["seed"])
    answers.take_away(EXERCISES[exercise.id])
    if request["seed"]:
        answers.take_away(drawn.fresh(exercise.id, request["seed"]))
    EXERCISES[exercise.id] = exercise
    _set_up(request["sources"])
    notebook = _Notebook(channel, request)
    sandbox.close(scratch, fences)
    for statement in request["statements"]:
        notebook.run(statement)
    channel.send({"end": notebook.error, "unrun": notebook.unrun})


class _Notebook:
    def __init__(self, channel: Any, request: dict):
        self.channel, self.exercise = channel, EXERCISES[request["id"]]
        self.known = request["known"]
        self.blanks = (...,) if request["returns_none"] else (..., None)
        self.left, self.trouble, self.unrun, self.error = request["seconds"], "", "", ""
        self.loop = asyncio.new_event_loop()
        module = types.ModuleType("__main__")
        module.__dict__.update({"__builtins__": builtins, CHECKED: self.check} | _shell())
        sys.modules["__main__"], self.names = module, module.__dict__
        course_lib.exercises.check = engine.check = self.check

    def run(self, statement: dict) -> None:
        code = marshal.loads(base64.b64decode(statement["code"]))
        try:
            with self._clock():
                result = eval(code, self.names)
                if inspect.iscoroutine(result):
                    self.loop.run_until_complete(result)
        except BaseException as error:
            self._failed(statement, error)

    def _failed(self, statement: dict, error: BaseException) -> None:
        words = _in_words(error)
        if isinstance(error, Stopped):
            words = LATE
        if self.exercise.id in statement["checks"]:
            self.error = words + self.trouble
        self.trouble = f" ({words})"
        if isinstance(error, GRADERS) and not self.unrun:
            self.unrun = f"{statement['place']}: {words}"
        for name in statement["names"] if self.unrun else ():
            self.names[name] = Elsewhere(1)

    @contextlib.contextmanager
    def _clock(self) -> Iterator[None]:
        allowed = max(self.left, LEAST)  # of work, for all statements together
        _alarm(allowed)
        try:
            yield
        finally:
            self.left -= allowed - _alarm(0)

    def check(self, exercise_id: str, candidate: Any) -> Any:
        """Stands for `check`: one exercise is looked at, of the others the verdict is known."""
        if exercise_id != self.exercise.id:
            exercise = EXERCISES.get(exercise_id) if isinstance(exercise_id, str) else None
            right = exercise is None or self.known.get(exercise_id)
            return candidate if right else exercise.reference
        left = _alarm(0)
        if callable(candidate):
            message = _seen(self.exercise, candidate, self.blanks)
        else:
            message = {"error": engine.uncallable(candidate)}
        self.channel.send(message | {"unrun": self.unrun})
        if self.channel.receive()["ask"]:
            self.channel.send(_asked(self.exercise, candidate))
        _alarm(left)
        return candidate


GRADERS = (NotRun, Stopped, OSError, ImportError, MemoryError, EOFError, answers.Gone)


def _seen(exercise: Any, candidate: Callable, blanks: tuple) -> dict[str, Any]:
    """What the probes see of a function, as JSON."""
    try:
        seen = engine.look(exercise, candidate, blanks)
        return {"stub": engine.is_stub(candidate), "run": encoded_run(seen)}
    except BaseException as error:
        return {"error": _in_words(error)}


def _asked(exercise: Any, candidate: Callable) -> dict[str, Any]:
    """What a function gives on the examples of the messages."""
    try:
        return encoded_run(engine.ask(exercise, candidate))
    except BaseException:
        return encoded_run(Run())


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")[:400]
    except Exception:
        return type(error).__name__


# ---- what a notebook finds -----------------------------------------------------------------------


def _set_up(sources: list[str]) -> None:
    """Nothing is trained, shown or asked."""
    for number, source in enumerate(sources, 1):
        file = f"<cell {number}>"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    answers.refuse(training.train, NotTrained)
    builtins.input = _ask
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _late)
        signal.signal(signal.SIGPROF, _late)
    from IPython.core import display_functions, getipython

    display_functions.publish_display_data = display_functions.display = _show
    getipython.get_ipython = _shell()["get_ipython"]


def _ask(*_: Any) -> str:
    raise NotRun("input() asks a person, and nobody is there while work is graded")


def _show(*_: Any, **__: Any) -> None:
    pass


class _Shell:
    """Stands for IPython's shell, which runs no commands here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotRun("the grader runs no magics and no commands")


_SHELL = _Shell()


def _shell() -> dict[str, Any]:
    return {"display": _show, "get_ipython": lambda: _SHELL}


# ---- the clock -----------------------------------------------------------------------------------


def _late(*_: Any) -> None:
    raise Stopped


def _alarm(seconds: float) -> float:
    """Throws Stopped after so long, again and again; 0 calls it off. The seconds that were left.

    Seconds of work, so that a busy machine changes no verdict; and ten times as many by the wall.
    """
    if not hasattr(signal, "setitimer"):
        return 0.0
    again = 0.5 if seconds else 0.0
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds, again)
    return signal.setitimer(signal.ITIMER_PROF, seconds, again)[0]
