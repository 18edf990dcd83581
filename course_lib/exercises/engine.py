"""Checks a student's function against the course's own, and says what is wrong with it.

An `Exercise` holds the reference, hints, classic mistakes and probes. A probe runs a function and
notes what it sees; a function is correct where every observation equals the reference's, and a
mistake is named where they equal those of its wrong version.
"""

import copy
import dataclasses
import dis
import functools
import inspect
import json
import os
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from course_lib.exercises.comparing import describe, difference, same, snapshot
from course_lib.exercises.predictions import QUESTIONS, Prediction, Question, predict
from course_lib.exercises.running import Outcome, Run, argument_names, run
from course_lib.exercises.telling import look_up, say, unknown

__all__ = ["EXERCISES", "QUESTIONS", "Exercise", "Mistake", "Prediction", "Probe", "Question"]
__all__ += ["Verdict", "call", "check", "grade", "hint", "predict", "solution"]

MARKS = {"correct": "✔", "wrong": "✘", "not attempted": "○"}


@dataclass(frozen=True)
class Mistake:
    """A classic error: a wrong version, and what to say to one who wrote it (never the fix)."""

    name: str
    wrong: Callable
    message: str


@dataclass(frozen=True, eq=False)
class Probe:
    """One way to look at a function: `observe` runs it and returns name -> what was seen."""

    label: str  # what was tried, in a student's words: "two images, 3 latents"
    observe: Callable[[Callable], dict[str, Any]]
    rtol: float = 1e-4
    atol: float = 1e-5
    explain: Mapping[str, str] = field(default_factory=dict)  # observed name -> a sentence


@dataclass(frozen=True, eq=False)
class Exercise:
    id: str
    title: str
    reference: Callable
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    probes: tuple[Probe, ...]
    time_limit: float = 10.0


@dataclass(frozen=True)
class Verdict:
    status: str  # "correct", "wrong" or "not attempted"
    message: str = ""
    mistake: str | None = None


EXERCISES: dict[str, Exercise] = {}  # filled by course_lib.exercises


# ---- probes --------------------------------------------------------------------------------------


def call(
    label: str,
    /,
    *args: Any,
    grad: Sequence[int | str] = (),
    rtol: float = 1e-4,
    atol: float = 1e-5,
    explain: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Probe:
    """The usual probe: one call with copies of `args` and `kwargs`.

    It sees "result" (or "result 1", "result 2" of a tuple), "argument NAME afterwards", and
    "gradient of argument NAME" for each position or keyword in `grad`: the gradient of
    (result · fixed random weights).sum(), zero where nothing arrives.
    """
    arguments = dict(enumerate(args)) | kwargs

    def observe(candidate: Callable) -> dict[str, Any]:
        given = {key: _copied(value) for key, value in arguments.items()}
        leaves = {key: given[key].detach().requires_grad_() for key in grad}
        # Clones of the leaves go in: in those a change in place is no error yet.
        given.update({key: leaf.clone() for key, leaf in leaves.items()})
        result = candidate(*[given[i] for i in range(len(args))], **{k: given[k] for k in kwargs})

        results = result if isinstance(result, tuple) else (result,)
        first = "result 1" if isinstance(result, tuple) else "result"
        seen = {f"result {i}" if i > 1 else first: r for i, r in enumerate(results, 1)}
        names = dict(enumerate(argument_names(candidate, len(args)))) | {k: k for k in kwargs}
        seen |= {f"argument {names[key]} afterwards": given[key] for key in given}
        for key, gradient in _gradients(results, leaves, arguments, given).items():
            seen[f"gradient of argument {names[key]}"] = gradient
        return seen

    return Probe(label, observe, rtol, atol, explain or {})


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Generator):  # which older torch cannot deepcopy
        return torch.Generator(value.device).set_state(value.get_state())
    return value.detach().clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)


def _gradients(results: tuple, leaves: dict, before: dict, after: dict) -> dict[Any, torch.Tensor]:
    """The gradient that reaches each leaf from all results together."""
    weights = torch.Generator().manual_seed(0)
    total = torch.zeros(())
    for r in results:
        if isinstance(r, torch.Tensor) and r.is_floating_point():
            total = total + (r * torch.randn(r.shape, generator=weights).to(r)).sum()
    zeros = {key: torch.zeros_like(leaf) for key, leaf in leaves.items()}
    if not leaves or not total.requires_grad:
        return zeros
    try:
        gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    except RuntimeError:
        if same(snapshot(before), snapshot(after)):
            raise
        return zeros  # it is the argument changed in place that the student should hear about
    return {k: zeros[k] if g is None else g for k, g in zip(leaves, gradients, strict=True)}


# ---- grading -------------------------------------------------------------------------------------


def grade(exercise_id: str, candidate: Callable) -> Verdict:
    """The verdict on `candidate`, with the message that `check` prints. Never raises."""
    try:
        return _grade(exercise_id, candidate)
    except KeyboardInterrupt:
        return Verdict("wrong", "You stopped the check.")
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return Verdict("wrong", f"The check itself failed, which is the course's fault: {text}")


def _grade(exercise_id: str, candidate: Callable) -> Verdict:
    exercise = look_up(exercise_id, EXERCISES)
    if exercise is None:
        return Verdict("wrong", unknown("exercise", exercise_id, EXERCISES))
    if not callable(candidate):
        return Verdict("wrong", uncallable(candidate))
    blanks = blanks_of(exercise)
    seen = run(candidate, exercise.reference, exercise.probes, exercise.time_limit, blanks)
    return judge(exercise, seen, is_stub(candidate), candidate is exercise.reference)


def uncallable(candidate: Any) -> str:
    text = f"check was given {describe(candidate)}: pass the function itself, without"
    return f"{text} parentheses."


def blanks_of(exercise: Exercise) -> tuple:
    """The first results that mean that nothing has been written yet."""
    returns_none = _expected(exercise)[0].returned[:1] == ["None"]
    return (...,) if returns_none else (..., None)


def judge(exercise: Exercise, seen: Run, stub: bool, own: bool = False) -> Verdict:
    """The verdict on what the probes saw of a function, whoever ran it.

    `stub`: its body is empty; `own`: it is the course's own version.
    """
    verdict = _judge(exercise, stub, _expected(exercise), seen)
    lines = [verdict.message]
    if own:
        lines.append("This is the course's own version. To check yours, run its cell again first.")
    lines += [f"Your function warned: {warning}" for warning in seen.warned]
    lines += [f"Your function printed:\n{seen.printed}"] if seen.printed else []
    return dataclasses.replace(verdict, message="\n".join(filter(None, lines)))


def _expected(exercise: Exercise) -> list[Outcome]:
    expected = _trace(exercise, exercise.reference).outcomes
    for probe, outcome in zip(exercise.probes, expected, strict=True):
        if outcome.error:
            raise RuntimeError(f"in the probe {probe.label!r} the reference: {outcome.error}")
    return expected


@functools.cache
def _trace(exercise: Exercise, function: Callable) -> Run:
    """What the probes see of the reference or of a mistake, looked at once."""
    seen = run(function, exercise.reference, exercise.probes, 6 * exercise.time_limit)
    if seen.stopped:  # not kept: the next check tries again
        raise KeyboardInterrupt if seen.stopped == "interrupt" else TimeoutError(exercise.id)
    return seen


def _judge(exercise: Exercise, stub: bool, expected: list[Outcome], seen: Run) -> Verdict:
    if seen.blank:
        forgotten = seen.blank == "None" and not stub
        return Verdict("not attempted", "Your function ends without `return`." if forgotten else "")
    if seen.stopped:
        return Verdict("wrong", _stopped(exercise, seen))
    rows = list(zip(exercise.probes, expected, seen.outcomes, strict=True))
    failed = next((i for i, row in enumerate(rows) if not _same(*row)), None)
    if failed is None:
        return Verdict("correct")
    if failed == 0 and stub:
        return Verdict("not attempted")
    tried = f"(Tried: {exercise.probes[failed].label}.)"
    mistake = _recognise(exercise, expected, seen.outcomes, failed)
    if mistake is not None:
        return Verdict("wrong", f"{mistake.message}\n{tried}", mistake.name)
    return Verdict("wrong", f"{_explained(*rows[failed])}\n{tried}")


def _same(probe: Probe, expected: Outcome, got: Outcome) -> bool:
    alike = expected.error == got.error and expected.changed == got.changed
    return alike and not _difference(probe, expected, got)


def _difference(probe: Probe, expected: Outcome, got: Outcome) -> tuple[str, str] | None:
    """The first observation that differs, and how; None where all agree."""
    a, b = expected.observed or {}, got.observed or {}
    for name in a:
        if name in b and (text := difference(name, a[name], b[name], probe.rtol, probe.atol)):
            return name, text
    if a.keys() != b.keys():
        what = [", ".join(outcome.returned[:1]) or "nothing" for outcome in (expected, got)]
        return "result", f"Your function should return {what[0]}; it returned {what[1]}."
    return None


def _recognise(exercise: Exercise, expected: list, got: list, failed: int) -> Mistake | None:
    """The mistake that looks like this in every probe, or the only one that does in `failed`."""
    alike, probe = [], exercise.probes[failed]
    for mistake in exercise.mistakes:
        wrong = _trace(exercise, mistake.wrong).outcomes
        if all(map(_same, exercise.probes, wrong, got)):
            return mistake
        right_here = _same(probe, expected[failed], wrong[failed])
        if not right_here and _same(probe, wrong[failed], got[failed]):
            alike.append(mistake)
    return alike[0] if len(alike) == 1 else None


def _explained(probe: Probe, expected: Outcome, got: Outcome) -> str:
    if got.error:
        return "\n".join(filter(None, [got.error, got.details]))
    name, text = _difference(probe, expected, got) or ("", "")
    argument = name.removeprefix("gradient of ")
    if argument != name and not got.observed[name].any():
        text = f"No gradient reaches {argument}: nothing could learn through this function.\n{text}"
    lines = [probe.explain.get(name, ""), text]
    for changed in sorted(got.changed - expected.changed):
        lines.append(f"Your function changes `{changed}` in place: its caller finds other values.")
    for changed in sorted(expected.changed - got.changed):
        lines.append(f"Your function leaves `{changed}` as it was; it is meant to change it.")
    return "\n".join(filter(None, lines))


def _stopped(exercise: Exercise, seen: Run) -> str:
    text = "You stopped the check."
    if seen.stopped == "time":
        label = exercise.probes[min(len(seen.outcomes), len(exercise.probes) - 1)].label
        text = f"Stopped after {exercise.time_limit:g} s: does a loop never end?\n(Tried: {label}.)"
    if seen.stuck:
        text += "\nYour function still runs and cannot be stopped from here: restart the kernel."
    return text


def is_stub(function: Callable) -> bool:
    """Whether a function holds only `...`, `pass` or its docstring; a class, one such function."""
    if isinstance(function, type):
        return any(map(is_stub, filter(inspect.isfunction, vars(function).values())))
    code = getattr(inspect.unwrap(function), "__code__", None)
    idle = {"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "RETURN_VALUE"}
    return code is not None and all(
        step.opname in idle
        or (step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval in (None, ...))
        for step in dis.get_instructions(code)
    )


# ---- what a notebook calls -----------------------------------------------------------------------


def check(exercise_id: str, candidate: Callable) -> Callable:
    """Prints the verdict on `candidate` and returns it where it is correct, else the reference.

    Raises AssertionError only where the environment variable COURSE_EXPECT asks for another
    verdict. COURSE_REPORT names a file to which each verdict is added as a line of JSON.
    """
    verdict, exercise = grade(exercise_id, candidate), look_up(exercise_id, EXERCISES)
    title = exercise.title if exercise else exercise_id
    say(f"{MARKS[verdict.status]} {verdict.status} — {title}")
    if verdict.message:
        say(verdict.message)
    if exercise and verdict.status == "wrong":
        say(f'For a hint, run hint("{exercise_id}").')
    if exercise and verdict.status != "correct":
        say("The notebook goes on with the course's own version.")
    _note(exercise_id, verdict)
    expect = os.environ.get("COURSE_EXPECT")
    if expect and verdict.status != expect:
        text = f"{exercise_id}: expected {expect!r}, got {verdict.status!r}\n{verdict.message}"
        raise AssertionError(text)
    return candidate if verdict.status == "correct" or not exercise else exercise.reference


def _note(exercise_id: str, verdict: Verdict) -> None:
    path = os.environ.get("COURSE_REPORT")
    if path:
        try:
            with open(path, "a", encoding="utf-8") as file:
                line = {"id": str(exercise_id)} | dataclasses.asdict(verdict)
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            say(f"The verdict could not be written to COURSE_REPORT: {error}")


_hints_given: Counter[str] = Counter()


def hint(exercise_id: str) -> None:
    """Prints the next hint."""
    exercise = look_up(exercise_id, EXERCISES)
    if exercise is None:
        return say(unknown("exercise", exercise_id, EXERCISES))
    given, count = _hints_given[exercise_id], len(exercise.hints)
    if given == count:
        return say(f'There are no more hints. solution("{exercise_id}") shows the solution.')
    _hints_given[exercise_id] += 1
    return say(f"Hint {given + 1} of {count}: {exercise.hints[given]}")


def solution(exercise_id: str) -> None:
    """Shows the source of the reference."""
    exercise = look_up(exercise_id, EXERCISES)
    if exercise is None:
        return say(unknown("exercise", exercise_id, EXERCISES))
    try:
        source = textwrap.dedent(inspect.getsource(exercise.reference))
    except (OSError, TypeError):
        return say("The source of this solution cannot be found.")
    from IPython import display, get_ipython

    if get_ipython() is None:
        return say(source)
    bundle = {"text/markdown": f"```python\n{source}```", "text/plain": source}
    return display.display(bundle, raw=True)
