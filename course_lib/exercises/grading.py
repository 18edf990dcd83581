"""Grades a folder of submitted notebooks by what the functions in them do.

Each submission gets a process of its own. That process is the student's: all that it says is what
the probes saw of her functions, and this one judges. A reference whose exercise is yet to be graded
is missing in there; it comes with the verdict, for the rest of the notebook to go on with.
"""

import ast
import base64
import builtins
import contextlib
import csv
import dis
import functools
import importlib
import inspect
import io
import json
import linecache
import marshal
import math
import multiprocessing
import os
import pkgutil
import re
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import nbformat
import torch

import course_lib
from course_lib.exercises import EXERCISES, Exercise, Verdict
from course_lib.exercises.comparing import Thing
from course_lib.exercises.engine import MARKS, ask, blanks_of, is_stub, judge, look, uncallable
from course_lib.exercises.running import Outcome, Run

CHECK = re.compile(r"""^[^#\n]*\bcheck\(\s*["']([^"'\n]+)["']""", re.MULTILINE)
NO_MEMORY = re.compile("MemoryError|.*Allocator: can't allocate memory")
FOLDER = Path(course_lib.__file__).resolve().parent
LARGEST = 50 << 20  # bytes of a notebook
LONGEST = 32 << 20  # bytes of a message from a student's process
PATIENCE = 10.0  # seconds beyond an exercise's own time limit
UNREADABLE = "cannot be read as a notebook"
NOT_TO_BE_HAD = "the course's own version is not to be had while your work is graded"
NO_RESULT = "sent something that is no result"
STARTING, JUDGING = threading.Lock(), threading.Lock()


# ---- the folder ----------------------------------------------------------------------------------


@dataclass
class Submission:
    name: str
    data: bytes = b""
    ids: list[str] = field(default_factory=list)  # the exercises that it should hold
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    trouble: str = ""  # why it was not read or not run to its end
    deadline: float = math.inf

    @property
    def score(self) -> int:
        return sum(self.verdicts[i].status == "correct" for i in self.ids)


def submissions(target: Path) -> list[Submission]:
    """The notebooks in a folder and in its subfolders, read before any of them is run."""
    paths = [*target.glob("*.ipynb"), *target.glob("*/*.ipynb")] if target.is_dir() else [target]
    root = target if target.is_dir() else target.parent
    parts = {path: path.relative_to(root) for path in sorted(paths) if path.is_file()}
    return [_submission(path, name) for path, name in parts.items() if name.parts[0][0] != "."]


def _submission(path: Path, name: Path) -> Submission:
    submission = Submission(name.as_posix(), ids=list(_ids_of_lecture(name.stem)))
    try:
        if path.stat().st_size > LARGEST:
            raise OSError(f"larger than {LARGEST >> 20} MB")
        submission.data = path.read_bytes()
    except OSError as error:
        submission.trouble = f"{UNREADABLE}: {error}"
    submission.ids = submission.ids or _mentioned(submission.data)
    return submission


@functools.cache
def _ids_of_lecture(stem: str) -> tuple[str, ...]:
    """The exercises of the course's notebook whose name is in `stem`; none where there is none."""
    for path in sorted((FOLDER.parent / "notebooks").glob("*.ipynb")):
        if path.stem in stem:
            return tuple(_last_checks(read(path.read_bytes())[0]))
    return ()


def _mentioned(data: bytes) -> list[str]:
    """The exercises whose ids stand in quotes anywhere in a notebook's file."""
    quoted = {i: (rf"\"{i}\"".encode(), f"'{i}'".encode()) for i in EXERCISES}
    return [i for i, ways in quoted.items() if any(way in data for way in ways)]


def grade_all(
    todo: list[Submission], timeout: float, memory: int, workers: int | None = None
) -> Iterator[Submission]:
    """Each submission once it is graded, in their order, as many at once as there are cores."""
    _library()
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        yield from pool.map(lambda submission: grade_one(submission, timeout, memory), todo)


def grade_one(submission: Submission, timeout: float, memory: int) -> Submission:
    """Takes a submission through as many processes as its functions end, for `timeout` seconds."""
    again = not submission.trouble
    while again:
        with _process(submission.data, timeout, memory) as channel:
            if submission.deadline == math.inf:  # the very first start takes seconds
                submission.deadline = time.monotonic() + timeout
            again = _converse(channel, submission, timeout)
    for i, verdict in submission.verdicts.items():
        if NO_MEMORY.match(verdict.message):
            text = f"asked for more memory than {memory / 1e9:g} GB\n{verdict.message}"
            submission.verdicts[i] = replace(verdict, message=text)
    status = "not found" if submission.trouble.startswith(UNREADABLE) else "stopped"
    for i in submission.ids:
        submission.verdicts.setdefault(i, Verdict(status))
    return submission


# ---- the conversation, this side -----------------------------------------------------------------


class Channel:
    """Lines of JSON over a socket. Nothing that arrives is trusted to be one, or to end."""

    def __init__(self, connection: socket.socket):
        self.connection, self.buffer = connection, bytearray()

    def send(self, message: Any) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, deadline: float | None = None) -> Any:
        """Raises TimeoutError, EOFError where the other side is gone, ValueError."""
        chunk = self.buffer
        while b"\n" not in chunk:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self.connection.settimeout(left)
            chunk = self.connection.recv(1 << 16)
            self.buffer += chunk
            if not chunk:
                raise EOFError
            if len(self.buffer) > LONGEST:
                raise ValueError("a message without end")
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)


def _converse(channel: Channel, submission: Submission, timeout: float) -> bool:
    """Collects verdicts. True where the process is lost and some are to come from a new one."""
    i, verdicts = "", submission.verdicts
    try:
        for i in _introduced(channel, submission):
            patience = time.monotonic() + EXERCISES[i].time_limit + PATIENCE
            message = channel.receive(min(submission.deadline, patience))
            with _unhurried(submission):
                verdicts[i] = _verdict(EXERCISES[i], message)
            code = {name: _text_of(f.__code__) for name, f in _answers(EXERCISES[i]).items()}
            channel.send({"correct": verdicts[i].status == "correct", "code": code})
        return False
    except TimeoutError:
        why = "took too long and could not be stopped"
    except (OSError, EOFError):
        why = "ended its process"
    except (ValueError, RecursionError):
        why = NO_RESULT
    if time.monotonic() >= submission.deadline:
        i, why = "", f"took longer than {timeout:g} s"
    if not i:
        submission.trouble = why
        return False
    verdicts.setdefault(i, Verdict("wrong" if why == NO_RESULT else "stopped", why))
    return True


def _introduced(channel: Channel, submission: Submission) -> list[str]:
    """What is to be graded, agreed upon before anything of the student's has run."""
    found, verdicts = channel.receive(submission.deadline), submission.verdicts
    if found["trouble"]:
        submission.trouble = found["trouble"]
        return []
    submission.ids = submission.ids or list(found["checked"])
    for i in submission.ids:
        if i not in found["checked"]:
            error = found["broken"].get(i)
            verdicts[i] = Verdict("wrong", error) if error else Verdict("not found")
    todo = [i for i in found["checked"] if i in submission.ids and i not in verdicts]
    known = {i: verdict.status == "correct" for i, verdict in verdicts.items()}
    with _unhurried(submission):
        returns_none = {i: None not in blanks_of(EXERCISES[i]) for i in todo}
    channel.send({"todo": returns_none, "known": known})
    return todo


@contextlib.contextmanager
def _unhurried(submission: Submission) -> Iterator[None]:
    """One judges at a time, and no submission pays for it."""
    start = time.monotonic()
    with JUDGING:
        yield
    submission.deadline += time.monotonic() - start


def _verdict(exercise: Exercise, message: Any) -> Verdict:
    try:
        if "error" in message:
            return Verdict("wrong", _text(message["error"]))
        seen, asked = map(_decoded_run, (message["run"], message["asked"]))
        return judge(exercise, seen, asked, message["stub"] is True, message["own"] is True)
    except Exception:
        return Verdict("wrong", NO_RESULT)


@functools.cache
def _answers(exercise: Exercise) -> dict[str, Callable]:
    """What solves an exercise: the reference, or its methods, and the library's own like it."""
    reference = exercise.reference
    if isinstance(reference, type):
        found = [f for f in vars(reference).values() if inspect.isfunction(f)]
    else:
        alike = [getattr(module, exercise.id.partition(".")[2], None) for module in _library()]
        alike = [f for f in alike if inspect.isfunction(f) and _needs(f) <= _needs(reference)]
        found = map(inspect.unwrap, [reference, *alike])
    return {f"{f.__module__}.{f.__qualname__}": f for f in found}


def _needs(function: Callable) -> int:
    """How many arguments one has to give."""
    return sum(p.default is p.empty for p in inspect.signature(function).parameters.values())


@functools.cache
def _library() -> list[ModuleType]:
    """All modules of the course but those of the exercises."""
    modules = []
    for name in _modules():
        with contextlib.suppress(ImportError):
            modules += [importlib.import_module(name)]
    return [module for module in modules if ".exercises" not in module.__name__]


def _text_of(code: CodeType) -> str:
    return base64.b64encode(marshal.dumps(code)).decode()


# ---- a process for a submission ------------------------------------------------------------------


@contextlib.contextmanager
def _process(data: bytes, timeout: float, memory: int) -> Iterator[Channel]:
    """A new process that holds the submission, and the channel to it. Afterwards it is killed."""
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        process = _started(theirs, data, scratch, timeout, memory)
        theirs.close()
        try:
            yield Channel(ours)
        finally:
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join(5)


def _started(*arguments: Any) -> multiprocessing.process.BaseProcess:
    for _ in range(5):
        process = _context().Process(target=_child, args=arguments, daemon=True)
        try:
            with STARTING:
                process.start()
            return process
        except (OSError, EOFError) as error:  # a submission killed what they are forked from
            lost = error
            time.sleep(0.2)
    raise lost


@functools.cache
def _context() -> multiprocessing.context.BaseContext:
    """Where the system can, processes are forked from one that has all imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_modules())
    return context


def _modules() -> list[str]:
    """What a notebook imports. In a submission's process nothing of it can be read any more."""
    names = [m.name for m in pkgutil.walk_packages(course_lib.__path__, "course_lib.")]
    tools = {"build", "train", "recipes", "__main__"}
    return [name for name in names if not tools & set(name.split("."))]


def _child(
    connection: socket.socket, data: bytes, scratch: str, timeout: float, memory: int
) -> None:
    try:
        _confine(connection, scratch)
        _limit(timeout, memory)
        _serve(Channel(connection), data, scratch)
    finally:
        os._exit(0)


def _confine(connection: socket.socket, scratch: str) -> None:
    """A group of its own, an empty folder as its home, and nothing open but the connection."""
    if os.name == "posix":
        os.setsid()
        null, kept = os.open(os.devnull, os.O_RDWR), connection.fileno()
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.closerange(3, kept)
        os.closerange(kept + 1, 4096)
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch, CUDA_VISIBLE_DEVICES="", COURSE_SCALE="smoke")
    tempfile.tempdir, sys.dont_write_bytecode = scratch, True
    torch.set_num_threads(1)  # a fork has lost the threads of any pool


def _limit(timeout: float, memory: int) -> None:
    try:
        import resource
    except ImportError:
        return
    most = {"RLIMIT_CPU": int(timeout) + 5, "RLIMIT_FSIZE": 16 << 20, "RLIMIT_CORE": 0}
    with contextlib.suppress(OSError):  # only Linux tells what is in use, and heeds the limit
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most["RLIMIT_AS"] = pages * resource.getpagesize() + memory
    for name, value in most.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


# Python's audit events (https://docs.python.org/3/library/audit_events.html)
NEVER = (
    "os.fork os.forkpty os.exec os.posix_spawn os.spawn os.system os.kill os.killpg pty.spawn "
    "subprocess.Popen"
).split()
CHANGES = (
    "os.remove os.rename os.rmdir os.mkdir os.truncate os.chmod os.chown os.utime os.link "
    "os.symlink shutil.rmtree"
).split()


def _guard(scratch: str) -> None:
    """From now on this process starts and ends no other, writes only into its own folder, and reads
    neither the course's sources nor anyone's notebook. What goes round Python goes round this."""
    never, changes = frozenset(NEVER), frozenset(CHANGES)
    hidden = (str(FOLDER) + os.sep, str(FOLDER.parent / "solutions") + os.sep)
    inside, real = os.path.realpath(scratch) + os.sep, os.path.realpath
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def refuse(event: str, args: tuple) -> None:
        if event in never:
            raise PermissionError(f"{event} is not allowed while your work is graded")
        if event != "open" and event not in changes:
            return
        writes = event != "open" or args[2] & writing
        paths = [p for p in args[: 1 if event == "open" else 2] if isinstance(p, (str, bytes))]
        for path in map(real, map(os.fsdecode, paths)):
            if writes and not path.startswith(inside) and path != os.devnull:
                raise PermissionError(f"{path} cannot be changed while your work is graded")
            source = path.startswith(hidden) and path.endswith((".py", ".pyc"))
            if source or path.endswith(".ipynb"):
                raise PermissionError(NOT_TO_BE_HAD)

    sys.addaudithook(refuse)


# ---- the conversation, the student's side --------------------------------------------------------


def _serve(channel: Channel, data: bytes, scratch: str) -> None:
    try:
        steps, broken = read(data)
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        trouble = f"{UNREADABLE}: {first:.200}"
        return channel.send({"trouble": trouble})
    last = _last_checks(steps)
    channel.send({"trouble": "", "checked": list(last), "broken": broken})
    orders = channel.receive()
    for i in orders["todo"]:
        _take_away(EXERCISES[i])
    _guard(scratch)
    namespace, trouble = {"__name__": "submission", "__builtins__": builtins}, ""
    for step in steps:
        if step.code is None:
            namespace |= dict.fromkeys(step.names, Elsewhere(1))
        elif not step.check:
            try:
                exec(step.code, namespace)
            except BaseException as error:
                trouble = f" ({_in_words(error)})"
        elif last[step.check] is step and step.check in orders["todo"] | orders["known"]:
            _check(channel, step, namespace, orders, trouble)


def _check(channel: Channel, step: "Step", namespace: dict, orders: dict, trouble: str) -> None:
    exercise, candidate = EXERCISES[step.check], None
    try:
        candidate = eval(step.code, namespace)
        message = {} if callable(candidate) else {"error": uncallable(candidate)}
    except BaseException as error:
        message = {"error": _in_words(error) + trouble}
    correct = orders["known"].get(exercise.id, False)
    if exercise.id in orders["todo"]:
        blanks = (...,) if orders["todo"].pop(exercise.id) else (..., None)
        message = message or _seen(exercise, candidate, blanks)
        channel.send(message)
        answer = channel.receive()
        correct = answer["correct"]
        _give_back(exercise, answer["code"], orders["todo"])
    if step.target:
        namespace[step.target] = candidate if correct else exercise.reference


def _seen(exercise: Exercise, candidate: Callable, blanks: tuple) -> dict[str, Any]:
    """What the probes see of a function, as JSON."""
    try:
        seen = look(exercise, candidate, blanks)
        asked = Run() if seen.blank or seen.stopped else ask(exercise, candidate)
        runs = {"run": encoded_run(seen), "asked": encoded_run(asked)}
        return {"stub": is_stub(candidate), "own": candidate is exercise.reference} | runs
    except BaseException as error:
        return {"error": _in_words(error)}


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:400]


def _take_away(exercise: Exercise) -> None:
    def gone(*args: Any, **kwargs: Any) -> Any:  # its globals will be those of another module
        raise RuntimeError("the course's own version is not to be had while your work is graded")

    for function in _answers(exercise).values():
        function.__signature__ = inspect.signature(function)
        function.__code__ = gone.__code__


def _give_back(exercise: Exercise, code: dict[str, str], todo: Iterable[str]) -> None:
    """All but what would solve an exercise that is yet to be graded."""
    kept = {f for i in todo for f in _answers(EXERCISES[i]).values()}
    for name, function in _answers(exercise).items():
        if function not in kept:
            function.__code__ = marshal.loads(base64.b64decode(code[name]))
            del function.__signature__


# ---- what a notebook holds -----------------------------------------------------------------------


@dataclass(eq=False)
class Step:
    """A statement, or the second argument of a `check`."""

    code: CodeType | None  # None where it is not run
    check: str = ""  # the exercise's id
    target: str = ""  # the name that check's result gets
    names: frozenset[str] = frozenset()  # those that it binds
    always: bool = True  # or only where a checked function needs its names


class Elsewhere(float):
    """Stands for what a notebook computes in statements that are not run: a 1, to be written of."""

    def __getitem__(self, key: Any) -> "Elsewhere":
        return self


def read(data: bytes) -> tuple[list[Step], dict[str, str]]:
    """The steps of a notebook, and by id what is wrong with the cells that are no Python.

    Imports, definitions and assignments of constants are steps, and those assignments that a
    checked function needs. Loops and the like are not run: most notebooks train for minutes.
    """
    notebook = nbformat.reads(data.decode("utf-8-sig"), as_version=4)
    steps, broken = [], {}
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for number, source in enumerate(sources, 1):
        file = f"<cell {number}>"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        try:
            steps += [step for part in _parsed(source, file).body for step in _steps(part, file)]
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            broken |= dict.fromkeys(CHECK.findall(source), f"Cell [{number}]: {_in_words(error)}")
    wanted: set[str] = set()
    while more := _wanted(steps, wanted) - wanted:
        wanted |= more
    return [step for step in steps if step.always or step.names & wanted], broken


def _wanted(steps: list[Step], wanted: set[str]) -> set[str]:
    """The global names that the checks read, and that the steps behind `wanted` read."""
    codes = [step.code for step in steps if step.check or step.names & wanted]
    return set().union(*map(_globals, filter(None, codes)))


def _parsed(source: str, file: str) -> ast.Module:
    try:
        return ast.parse(source, file)
    except SyntaxError:  # `%` may begin a line of a long sum, so commands go only where they must
        return ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source), file)


def _steps(statement: ast.stmt, file: str) -> list[Step]:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [Step(_compiled(statement, file))]
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [Step(_compiled(statement, file), names=frozenset({statement.name}))]
    calls = [node for node in ast.walk(statement) if _checked(node)]
    if calls:
        return [_check_step(call, statement, file) for call in calls]
    assigns = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign))
    code = _compiled(statement, file)
    return [Step(code if assigns else None, "", "", _bound(statement), _is_constant(statement))]


def _checked(node: ast.AST) -> str:
    """The id in `check("id", …)`; "" for all else."""
    if not isinstance(node, ast.Call):
        return ""
    if getattr(node.func, "id", getattr(node.func, "attr", "")) != "check":
        return ""
    given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "exercise_id")]
    value = given[0].value if given and isinstance(given[0], ast.Constant) else ""
    return value if isinstance(value, str) and value in EXERCISES else ""


def _check_step(call: ast.Call, statement: ast.stmt, file: str) -> Step:
    given = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "candidate")]
    candidate = given[0] if given else ast.copy_location(ast.Constant(None), call)
    code = compile(ast.Expression(candidate), file, "eval", dont_inherit=True)
    whole = isinstance(statement, ast.Assign) and statement.value is call
    targets = statement.targets if whole else []
    target = targets[0].id if targets and isinstance(targets[0], ast.Name) else ""
    return Step(code, _checked(call), target)


def _compiled(statement: ast.stmt, file: str) -> CodeType:
    return compile(ast.Module([statement], []), file, "exec", dont_inherit=True)


def _bound(statement: ast.stmt) -> frozenset[str]:
    """The names that a statement binds, or of whose contents it binds some: a = …, a[0] = …."""
    nodes = [n for n in ast.walk(statement) if isinstance(getattr(n, "ctx", None), ast.Store)]
    return frozenset(filter(None, map(_base, nodes)))


def _base(node: ast.AST) -> str:
    """ "a" of a[0].b"""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_constant(statement: ast.stmt) -> bool:
    try:
        ast.literal_eval(statement.value)
    except (AttributeError, ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(statement, (ast.Assign, ast.AnnAssign))


def _last_checks(steps: list[Step]) -> dict[str, Step]:
    """Of an exercise that is checked twice the last check counts."""
    last = {step.check: step for step in steps if step.check}
    return {step.check: step for step in steps if last.get(step.check) is step}


def _globals(code: CodeType) -> set[str]:
    """The global names that a piece of code reads, and all that is defined in it."""
    reads = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
    names = {step.argval for step in dis.get_instructions(code) if step.opname in reads}
    return names.union(*(_globals(c) for c in code.co_consts if inspect.iscode(c)))


# ---- what the probes saw, as JSON ----------------------------------------------------------------

DTYPES = {str(d): d for d in vars(torch).values() if isinstance(d, torch.dtype)}


def encoded_run(seen: Run) -> dict[str, Any]:
    state = {"blank": seen.blank, "stopped": seen.stopped, "stuck": seen.stuck}
    rounds = {"outcomes": seen.outcomes, "again": seen.again}
    return state | {key: list(map(_encoded_outcome, several)) for key, several in rounds.items()}


def _encoded_outcome(outcome: Outcome) -> dict[str, Any]:
    seen = outcome.observed
    return {
        "observed": None if seen is None else {name: encoded(v) for name, v in seen.items()},
        "error": outcome.error,
        "details": outcome.details,
        "returned": outcome.returned,
        "forms": encoded(outcome.forms),
    } | {key: sorted(getattr(outcome, key)) for key in ("changed", "left", "drawn")}


def _decoded_run(message: Any) -> Run:
    """Raises where a message is not exactly what `encoded_run` makes."""
    once, again = (list(map(_decoded_outcome, message[key])) for key in ("outcomes", "again"))
    stopped, stuck = _text(message["stopped"]), message["stuck"] is True
    return Run(once, again, _text(message["blank"]), stopped, stuck)


def _decoded_outcome(entry: Any) -> Outcome:
    observed = entry["observed"]
    if observed is not None:
        observed = {_text(name): decoded(value) for name, value in observed.items()}
    error, details = _text(entry["error"]), _text(entry["details"])
    returned = list(map(_text, entry["returned"]))
    changed, left, drawn = (set(map(_text, entry[key])) for key in ("changed", "left", "drawn"))
    forms = decoded(entry["forms"])
    return Outcome(observed, error, details, returned, changed, forms, left, drawn)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def encoded(value: Any) -> Any:
    """A snapshot as JSON: what JSON lacks is a list that begins with a tag."""
    if isinstance(value, torch.Tensor):
        flat = value.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
        data = base64.b64encode(flat.numpy().tobytes()).decode()
        return ["tensor", str(value.dtype), list(value.shape), data]
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, complex):
        return ["complex", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, (list, tuple)):
        return ["list" if isinstance(value, list) else "tuple", *map(encoded, value)]
    if isinstance(value, dict):
        return ["dict", *([encoded(key), encoded(entry)] for key, entry in value.items())]
    if isinstance(value, Thing):
        return ["thing", value.kind]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return ["thing", type(value).__name__]  # a key of a dict that is no snapshot


def decoded(value: Any) -> Any:
    """The snapshot again, of plain types only. Raises ValueError and the like for all else."""
    if value is None or type(value) in (bool, int, str):
        return value
    tag, *rest = value
    if tag in ("list", "tuple"):
        return (list if tag == "list" else tuple)(map(decoded, rest))
    if tag == "dict":
        return {decoded(key): decoded(entry) for key, entry in rest}
    return {"tensor": _tensor, "float": float.fromhex, "complex": _complex, "thing": _thing}[tag](
        *rest
    )


def _complex(real: str, imaginary: str) -> complex:
    return complex(float.fromhex(real), float.fromhex(imaginary))


def _thing(kind: str) -> Thing:
    return Thing(_text(kind))


def _tensor(dtype: str, shape: list[int], data: str) -> torch.Tensor:
    raw = bytearray(base64.b64decode(data, validate=True))
    if not raw:
        return torch.empty(shape, dtype=DTYPES[dtype])
    flat = torch.frombuffer(raw, dtype=torch.uint8)
    flat = flat != 0 if dtype == "torch.bool" else flat.view(DTYPES[dtype])
    return flat.reshape(shape)


# ---- the tables ----------------------------------------------------------------------------------


def as_csv(rows: Iterable[Submission]) -> str:
    """A row for each submission: its score, of how many, a column for each exercise, notes."""
    rows, text = list(rows), io.StringIO()
    ids = _all_ids(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["submission", "score", "of", *ids, "notes"])
    for row in rows:
        statuses = [row.verdicts[i].status if i in row.ids else "" for i in ids]
        line = [row.name, row.score, len(row.ids), *statuses, "; ".join(notes(row))]
        writer.writerow([_cell(entry) if isinstance(entry, str) else entry for entry in line])
    return text.getvalue()


def as_text(rows: Iterable[Submission]) -> str:
    rows = list(rows)
    width = max(len(_shown(row.name)) for row in rows)
    lines = []
    for row in rows:
        marks = " ".join(MARKS.get(row.verdicts[i].status, "–") for i in row.ids)
        lines.append(f"{_shown(row.name):{width}}  {row.score} of {len(row.ids)}  {marks}".rstrip())
        lines += [f"    {note}" for note in notes(row)]
    count = Counter(row.verdicts[i].status for row in rows for i in row.ids)
    lines.append(", ".join(f"{n} {status}" for status, n in count.items()) or "no exercises")
    return "\n".join(lines)


def notes(row: Submission) -> list[str]:
    """Why it stopped, and the first line of each message about what is wrong."""
    lines = [row.trouble] if row.trouble else []
    for i in row.ids:
        verdict = row.verdicts[i]
        if verdict.status != "correct" and verdict.message:
            lines.append(f"{i}: {verdict.message.splitlines()[0]}")
    return [_shown(line) for line in lines]


def _all_ids(rows: list[Submission]) -> list[str]:
    """In the order of the notebooks that have the most of them."""
    fullest = sorted(rows, key=lambda row: -len(row.ids))
    return list(dict.fromkeys(i for row in fullest for i in row.ids))


def _shown(text: str, most: int = 200) -> str:
    """On one line, without what could command a terminal."""
    plain = "".join(c if c.isprintable() else " " for c in text).strip()
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    plain = _shown(text, 2000)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
