"""Grades a folder of submitted notebooks by what the functions in them do.

Each exercise of each submission gets a process of its own. That process is the student's: all that
it says is what the probes saw of her function, and this one judges. What answers the exercise is
missing in there (`answers`), the kernel holds it where it can (`sandbox`), and what it sends is
bounded and checked (`sent`). This does not prove who wrote a function: it grades what a submission
computes by itself, whatever it prints, redefines or breaks.
"""

import contextlib
import functools
import json
import math
import multiprocessing
import os
import re
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from course_lib.exercises import Exercise, Verdict
from course_lib.exercises.engine import blanks_of, judge, passes
from course_lib.exercises.grading import answers, drawn, sandbox, submission
from course_lib.exercises.grading.handins import UNREADABLE, Submission, submissions
from course_lib.exercises.grading.sent import LONGEST, decoded_run, text, unpacked
from course_lib.exercises.grading.tables import Growing, as_csv, as_text, notes
from course_lib.exercises.running import Run

__all__ = ["Growing", "Submission", "as_csv", "as_text", "grade_all", "grade_one", "notes"]
__all__ += ["protection", "submissions"]

NO_MEMORY = re.compile("MemoryError|.*Allocator: can't allocate memory")
PATIENCE = 30.0  # seconds beyond an exercise's own time limit
SECONDS = (1.0, 20.0)  # for the lines outside the checks, and again where that was too little
NO_RESULT = "sent something that is no result"
PLAN = 64 << 20  # bytes of a plan, which no code of a student has touched
STARTING, JUDGING = threading.Lock(), threading.Lock()
protection: list[str] = []  # what the kernel held the last process by


def grade_all(
    todo: list[Submission], timeout: float, memory: int, workers: int | None = None
) -> Iterator[Submission]:
    """Each submission as soon as it is graded, as many at once as there are cores."""
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        jobs = [pool.submit(grade_one, one, timeout, memory) for one in todo]
        for job in as_completed(jobs):
            yield job.result()


def grade_one(one: Submission, timeout: float, memory: int) -> Submission:
    """The verdicts on all that a submission owes, within `timeout` seconds."""
    plan = None if one.trouble else _plan(one, timeout, memory)
    if plan:
        order = [i for i in plan["needed"] if i in one.ids]
        for i in order:
            if time.monotonic() < one.deadline:
                one.verdicts[i] = _graded(one, i, plan, timeout, memory)
        if time.monotonic() >= one.deadline:
            one.trouble = f"took longer than {timeout:g} s"
        for i in one.ids:
            if i not in plan["needed"]:
                error = plan["broken"].get(i)
                one.verdicts[i] = Verdict("wrong", error) if error else Verdict("not found")
    status = "not found" if one.trouble.startswith(UNREADABLE) else "stopped"
    for i in one.ids:
        one.verdicts.setdefault(i, Verdict(status))
    return one


def _plan(one: Submission, timeout: float, memory: int) -> dict | None:
    """What of the notebook is to be run, told by a process that only reads it."""
    try:
        data = one.load()
        with _process(submission_plan, data, timeout, memory) as (channel, _):
            if one.deadline == math.inf:  # the very first start takes seconds
                one.deadline = time.monotonic() + timeout
            plan = channel.receive(one.deadline, PLAN)
    except (OSError, EOFError, ValueError) as error:
        plan = {"trouble": f"{UNREADABLE}: {str(error) or 'reading it took too much'}"}
    one.trouble = plan["trouble"]
    protection[:] = plan.get("fences", protection)
    return None if one.trouble else plan


def _graded(one: Submission, i: str, plan: dict, timeout: float, memory: int) -> Verdict:
    """The verdict on one exercise, from a process of its own."""
    seed = int(os.environ.get("COURSE_SEED") or 0)
    seed = seed if _unhurried(one, lambda: drawn.differs(i, seed)) else 0
    exercise = drawn.exercise(i, seed)
    request = {
        "id": i,
        "seed": seed,
        "statements": [plan["statements"][n] for n in plan["needed"][i]],
        "sources": plan["sources"],
        "known": {k: verdict.status == "correct" for k, verdict in one.verdicts.items()},
        "returns_none": None not in _unhurried(one, lambda: blanks_of(exercise)),
    }
    for request["seconds"] in SECONDS:
        verdict = _tried(one, exercise, request, timeout, memory)
        if verdict.status != "not run" or submission.LATE not in verdict.message:
            break
    if NO_MEMORY.match(verdict.message):
        asked = f"asked for more memory than {memory / 1e9:g} GB\n{verdict.message}"
        return replace(verdict, message=asked)
    return verdict


def _tried(
    one: Submission, exercise: Exercise, request: dict, timeout: float, memory: int
) -> Verdict:
    verdict, end = None, None
    try:
        with _process(submission_serve, request, timeout, memory) as (channel, full):
            while end is None:
                patience = 10 * request["seconds"] + exercise.time_limit + PATIENCE
                patience += time.monotonic()
                message = channel.receive(min(one.deadline, patience), LONGEST, full)
                if "end" in message:
                    end = message
                else:  # the last check counts
                    verdict = _checked(one, exercise, message, channel, patience)
        return verdict or _unchecked(end)
    except TimeoutError:
        late = time.monotonic() >= one.deadline
        return Verdict("stopped", "" if late else "took too long and could not be stopped")
    except (OSError, EOFError) as error:
        return Verdict("stopped", str(error) or "ended its process")
    except Exception:  # a message may be anything
        return Verdict("wrong", NO_RESULT)


def _checked(
    one: Submission, exercise: Exercise, message: dict, channel: "Channel", deadline: float
) -> Verdict:
    """The verdict on a check. To tell what is wrong takes questions that a right one is spared."""
    if "error" in message:
        channel.send({"ask": False})
        return _named(Verdict("wrong", text(message["error"])), message)
    seen, stub = decoded_run(message["run"]), message["stub"] is True
    right = _unhurried(one, lambda: passes(exercise, seen))
    more, asked = not (right or seen.blank or seen.stopped), Run()
    channel.send({"ask": more})
    if more:
        asked = decoded_run(channel.receive(min(one.deadline, deadline), LONGEST))
    return _named(_unhurried(one, lambda: judge(exercise, seen, asked, stub)), message)


def _unchecked(end: dict) -> Verdict:
    error = text(end["end"])
    return _named(Verdict("wrong", error) if error else Verdict("not found"), end)


def _named(verdict: Verdict, message: dict) -> Verdict:
    """What went wrong for want of a line that was not run is "not run"."""
    unrun = text(message["unrun"])
    if verdict.status in ("wrong", "not found"):
        if verdict.message.startswith("NotRun: "):
            return Verdict("not run", verdict.message.removeprefix("NotRun: "))
        if unrun:
            return Verdict("not run", f"the grader could not run {unrun}")
    return verdict


def _unhurried(one: Submission, work: Callable) -> Any:
    """One judges at a time, and no submission pays for it."""
    start = time.monotonic()
    try:
        with JUDGING:
            return work()
    finally:
        one.deadline += time.monotonic() - start


# ---- a process -----------------------------------------------------------------------------------


class Channel:
    """Lines of JSON over a socket. Nothing that arrives is trusted to be one, or to end."""

    def __init__(self, connection: socket.socket):
        self.connection, self.buffer = connection, bytearray()

    def send(self, message: Any) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(
        self, deadline: float = math.inf, most: int = PLAN, full: Callable[[], bool] | None = None
    ) -> Any:
        """Raises TimeoutError, EOFError where the other side is gone, ValueError, and OSError
        where it wrote its folder full, which is looked at twice a second."""
        chunk = self.buffer
        while b"\n" not in chunk:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.connection.settimeout(min(left, 0.5))
            try:
                chunk = self.connection.recv(1 << 16)
            except TimeoutError:
                if full and full():
                    raise OSError("wrote too much") from None
                continue
            self.buffer += chunk
            if not chunk:
                raise EOFError
            if len(self.buffer) > most:
                raise ValueError("a message without end")
        line, _, self.buffer = self.buffer.partition(b"\n")
        return unpacked(line) if most < PLAN else json.loads(line)


def submission_plan(channel: Channel, data: bytes, scratch: str, fences: list[str]) -> None:
    channel.send(submission.plan(data) | {"fences": fences})


def submission_serve(channel: Channel, request: dict, scratch: str, fences: list[str]) -> None:
    submission.serve(channel, request, scratch, fences)


@contextlib.contextmanager
def _process(
    work: Callable, given: Any, timeout: float, memory: int
) -> Iterator[tuple[Channel, Callable[[], bool]]]:
    """A new process that does `work`, the channel to it, and whether it wrote its folder full.

    Afterwards it is killed, and all that it may have started with it.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        process = _started(work, given, theirs, scratch, timeout, memory)
        theirs.close()
        try:
            yield Channel(ours), functools.partial(_is_full, scratch)
        finally:
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join(5)


def _is_full(scratch: str) -> bool:
    sizes = []
    for folder, _, files in os.walk(scratch):
        for name in files:
            with contextlib.suppress(OSError):
                sizes.append(os.lstat(os.path.join(folder, name)).st_size)
        if len(sizes) > sandbox.FILES or sum(sizes) > sandbox.FULL:
            return True
    return False


def _started(*arguments: Any) -> multiprocessing.process.BaseProcess:
    for _ in range(5):
        process = _context().Process(target=_child, args=arguments, daemon=True)
        try:
            with STARTING:
                process.start()
            return process
        except (OSError, EOFError) as error:  # what they are forked from was killed
            lost = error
            time.sleep(0.2)
    raise lost


@functools.cache
def _context() -> multiprocessing.context.BaseContext:
    """Where the system can, processes are forked from one that has all imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*answers.modules(), f"{__name__}.ready"])
    return context


def _child(
    work: Callable,
    given: Any,
    connection: socket.socket,
    scratch: str,
    timeout: float,
    memory: int,
) -> None:
    try:
        fences = sandbox.enter(connection.fileno(), scratch, timeout, memory)
        work(Channel(connection), given, scratch, fences)
    finally:
        os._exit(0)
