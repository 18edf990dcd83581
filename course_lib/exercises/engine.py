"""Checks a student's function against the course's own, and says what is wrong with it.

An `Exercise` holds the reference, hints, classic mistakes and probes. A probe runs a function and
notes what it sees; a function is correct where every observation equals the reference's, and a
mistake is named where they equal those of its wrong version.

How to write one
----------------
*Probes.* `call("two rows, d = 3", x, grad=[0])` is the usual one: it calls the function with copies
of its arguments and sees the results, the gradients asked for, and the arguments afterwards. Where
that does not do, write `Probe(label, observe)`; `observe(f)` calls f and returns name -> value.
Begin with the smallest call that shows most errors: its numbers are what a student reads. Vary what
the text lets vary: batches of 1 and of unequal sizes, pictures that are not square, another value
for every parameter (those with a default too), two seeds, values beyond [-1, 1], ties, duplicates,
the border itself, the same shapes with other numbers. Whatever the text above the blank asks, a
probe sees; what no text asks, none.

*What the engine sees in every call,* without being asked, and compares with the reference: how many
results, their types (a tensor, an array, a number, a list), dtypes, and that none carries a graph
where the reference's does not; arguments changed in place, `requires_grad_` and modules' modes too;
gradients, default dtype or seeds left switched; that a given generator was drawn from, and not
seeded anew. Each probe is taken twice, the second time backwards and among other random numbers:
what a function remembers or draws unasked, shows. So the reference is the standard: let it return
what the text promises. What the text leaves free beyond that stands in `allows`:
    "number"   a Python number for a tensor of shape ()      "array"    a numpy array for a tensor
    "list"     a list for a tensor                           "tensor"   a tensor for a list
    "dtype"    another dtype (float64), never half           "graph"    a result with a graph
    "generator"  need not be drawn from                      "requires_grad of `x`"  may change
That the result lacks a graph is an error only where a probe asks for a gradient (`grad=`): ask for
none of what only samples or makes data, so that `no_grad` and numpy are fine there.

*Mistakes.* `Mistake(name, wrong, message, example(…))`: a wrong version, and what to say to one who
wrote it, never the fix. It is said where the function gives what `wrong` gives in every probe that
it gets through. A message that quotes what the student's function gives carries the call as its
example:
    Mistake("the variance as spread", lambda mu, logvar, noise: mu + logvar.exp() * noise,
            "With μ = 0, logvar = 2 and noise 1 you say {got}: σ is {expected}.",
            example(zero, two, one, gives=7.39))
The student's own function is called with the example; only if it gives what `wrong` gives (7.39) is
the message shown, with the student's number for {got} ({got:.1f}) and the reference's for
{expected}. With an example two thirds of the failing probes are enough. `pick=` takes from a result
what the message speaks of: `pick=lambda r: r[-1]`. A number that is none of the function's results
(a consequence in a picture, a constant) needs no example.

Where none fits, `judging` says in words what is systematic in all that was seen, and `guessing` for
which other arguments the function would be right; `explain` of a probe says it better, where only
yes or no was seen. None of it is said if one probe contradicts it.

`python tests/exercise_mutants.py TOPIC` says which wrong answers the probes let through.
"""

import copy
import dataclasses
import dis
import functools
import inspect
import json
import os
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from course_lib.exercises import cards
from course_lib.exercises.comparing import describe, difference, same, snapshot
from course_lib.exercises.guessing import guessed
from course_lib.exercises.judging import alike, explained, faults, filled, recognised
from course_lib.exercises.predictions import QUESTIONS, Prediction, Question, predict
from course_lib.exercises.running import Outcome, Run, argument_names, run
from course_lib.exercises.telling import look_up, say, tell, unknown

__all__ = ["EXERCISES", "QUESTIONS", "Exercise", "Mistake", "Prediction", "Probe", "Question"]
__all__ += ["Verdict", "call", "check", "example", "grade", "hint", "predict", "solution"]

OWN = "This is the course's own version. To check yours, run its cell again first."
GOES_ON = "The notebook goes on with the course's own version."


@dataclass(frozen=True, eq=False)
class Probe:
    """One way to look at a function: `observe` runs it and returns name -> what was seen."""

    label: str  # what was tried, in a student's words: "two images, 3 latents"
    observe: Callable[[Callable], dict[str, Any]]
    rtol: float = 1e-4
    atol: float = 1e-5
    explain: Mapping[str, str] = field(default_factory=dict)  # observed name -> a sentence
    given: tuple[tuple, dict] | None = None  # the arguments of the only call, where there is one

    @property
    def size(self) -> float:
        """How many numbers the function is given."""
        args, kwargs = self.given or ((), {})
        return sum(map(_numel, [*args, *kwargs.values()])) if self.given else float("inf")


@dataclass(frozen=True, eq=False)
class Example:
    """A call that shows a mistake, and what the message says that the mistake gives."""

    probe: Probe
    gives: Any = None


@dataclass(frozen=True)
class Mistake:
    """A classic error: a wrong version, and what to say to one who wrote it (never the fix)."""

    name: str
    wrong: Callable
    message: str  # with {got} and {expected}: what the function and the reference give
    example: Example | None = None


@dataclass(frozen=True, eq=False)
class Exercise:
    id: str
    title: str
    reference: Callable
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    probes: tuple[Probe, ...]
    time_limit: float = 10.0
    allows: tuple[str, ...] = ()  # what the text leaves free beyond the reference, see above
    moved: str = ""  # the id that it has today, where this one is kept for notebooks begun before


@dataclass(frozen=True)
class Verdict:
    status: str  # "correct", "wrong" or "not attempted"
    message: str = ""
    mistake: str | None = None


EXERCISES: dict[str, Exercise] = {}  # filled by course_lib.exercises
VERDICTS: dict[str, Verdict] = {}  # the last one on each exercise, since Python was started


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
    "gradient of argument NAME" for each position or keyword in `grad`: that of a result that is one
    number, else of (result · fixed random weights).sum(); zero where nothing arrives.
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

    return Probe(label, observe, rtol, atol, explain or {}, (args, kwargs))


def example(*args: Any, pick: Callable | None = None, gives: Any = None, **kwargs: Any) -> Example:
    """The call of a message, see above."""

    def observe(candidate: Callable) -> dict[str, Any]:
        result = candidate(*map(_copied, args), **{k: _copied(v) for k, v in kwargs.items()})
        return {"result": pick(result) if pick else result}

    return Example(Probe("an example", observe, 1e-3, 1e-4), gives)


def _numel(value: Any) -> int:
    if isinstance(value, (list, tuple)):
        return sum(map(_numel, value))
    return value.numel() if isinstance(value, torch.Tensor) else 1


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Generator):  # which older torch cannot deepcopy
        return torch.Generator(value.device).set_state(value.get_state())
    return value.detach().clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)


def _gradients(results: tuple, leaves: dict, before: dict, after: dict) -> dict[Any, Any]:
    """The gradient that reaches each leaf from all results together."""
    weights = torch.Generator().manual_seed(0)
    flat = [entry for r in results for entry in (r if isinstance(r, list) else [r])]
    found = [r for r in flat if isinstance(r, torch.Tensor) and r.is_floating_point()]
    single = len(found) == 1 and found[0].numel() == 1
    total = torch.zeros(())
    for r in found:
        weight = 1.0 if single else torch.randn(r.shape, generator=weights).to(r)
        total = total + (r * weight).sum()
    zeros = {key: torch.zeros_like(leaf) for key, leaf in leaves.items()}
    if not leaves or not total.requires_grad:
        return zeros
    try:
        gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    except RuntimeError:
        if same(snapshot(before), snapshot(after)):
            raise
        return dict.fromkeys(leaves, "lost")  # by the change in place that is told first
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
    n = len(exercise.probes)
    seen = look(
        exercise,
        candidate,
        blanks_of(exercise),
        lambda seen: bool(seen.again) or len(seen.outcomes) < n or _fine(exercise, seen),
    )
    right = passes(exercise, seen)
    own = OWN if candidate is exercise.reference else _borrowed(exercise, seen) if right else ""
    more = not (right or seen.blank or seen.stopped)  # a loop that never ends is not begun twice
    asked = ask(exercise, candidate) if more else Run()
    return judge(exercise, seen, asked, is_stub(candidate), own)


def _borrowed(exercise: Exercise, seen: Run) -> str:
    """A line where the course's own answer did the work, however a function came by it."""
    called = set().union(*(outcome.called for outcome in seen.outcomes))
    if not called:
        return ""
    from course_lib.exercises.grading.answers import borrowed  # which looks at the whole course

    name = borrowed(exercise, called)
    return f"The course's own `{name}` did the work, which is gone when this is graded." * bool(
        name
    )


def accepts(exercise: Exercise, candidate: Callable, limit: float | None = None) -> bool:
    """Whether a function is correct, without a word about it: looks no further than it must."""
    seen = look(exercise, candidate, (), lambda seen: _fine(exercise, seen, last=True), limit)
    return passes(exercise, seen)


def look(
    exercise: Exercise,
    function: Callable,
    blanks: tuple = (),
    go_on: Callable[[Run], bool] = lambda seen: True,
    limit: float | None = None,
) -> Run:
    """What the probes see of a function, twice."""
    limit = limit or exercise.time_limit
    return run(function, exercise.reference, exercise.probes, limit, blanks, True, go_on)


def ask(exercise: Exercise, function: Callable) -> Run:
    """What a function gives on the examples of the messages, and with each argument varied."""
    return run(function, exercise.reference, _questions(exercise), exercise.time_limit)


def uncallable(candidate: Any) -> str:
    text = f"check was given {describe(candidate)}: pass the function itself, without"
    return f"{text} parentheses."


def blanks_of(exercise: Exercise) -> tuple:
    """The first results that mean that nothing has been written yet."""
    returns_none = _expected(exercise)[0].returned[:1] == ["None"]
    return (...,) if returns_none else (..., None)


def judge(exercise: Exercise, seen: Run, asked: Run, stub: bool, own: str = "") -> Verdict:
    """The verdict on what the probes saw of a function, whoever ran it.

    asked: what `ask` found; `stub`: its body is empty; `own`: a line where it is the course's.
    """
    verdict = _judge(exercise, stub, seen, asked)
    lines = [verdict.message, own]
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
    """What the probes see of the reference (twice) or of a mistake, looked at once."""
    twice, limit = function is exercise.reference, 6 * exercise.time_limit
    return _whole(exercise, run(function, exercise.reference, exercise.probes, limit, (), twice))


@functools.cache
def _asked(exercise: Exercise, function: Callable, number: int | None = None) -> Run:
    """What the reference answers to all questions, or a mistake to that with its number."""
    questions = _questions(exercise)
    questions = questions if number is None else questions[number : number + 1]
    seen = run(function, exercise.reference, questions, 6 * exercise.time_limit)
    return _whole(exercise, seen)


def _whole(exercise: Exercise, seen: Run) -> Run:
    if seen.stopped:  # not kept: the next check tries again
        raise KeyboardInterrupt if seen.stopped == "interrupt" else TimeoutError(exercise.id)
    return seen


@functools.cache
def _questions(exercise: Exercise) -> list[Probe]:
    """The examples of the mistakes; then each argument in turn varied."""
    examples = [mistake.example.probe for mistake in exercise.mistakes if mistake.example]
    return examples + [probe for _, _, probe in _variations(exercise)]


@functools.cache
def _variations(exercise: Exercise) -> list[tuple[str, int, Probe]]:
    """For each argument of some calls: its name, the place of the probe, that call with it varied.

    Five calls, the smallest among them: in one alone a rank or a rounded number may stay by luck.
    """
    calls = sorted((probe.size, i) for i, probe in enumerate(exercise.probes) if probe.given)
    found = []
    places = dict.fromkeys(round(j * (len(calls) - 1) / 4) for j in range(5)) if calls else ()
    for _, i in [calls[place] for place in places]:
        args, kwargs = exercise.probes[i].given
        names = argument_names(exercise.reference, len(args))
        named = [*zip(names, range(len(args)), strict=True), *zip(kwargs, kwargs, strict=True)]
        for name, key in named:
            for other in _varied(args[key] if isinstance(key, int) else kwargs[key]):
                positions = [other if j == key else value for j, value in enumerate(args)]
                keywords = {k: other if k == key else value for k, value in kwargs.items()}
                found.append((name, i, call("varied", *positions, **keywords)))
    return found


def _varied(value: Any) -> list[Any]:
    """Other values of the same kind, near and far; none where there are none at hand."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [2 * value + 1, value + 1]  # far enough for `//` to notice, near enough for a table
    if isinstance(value, float):
        return [0.8 * value + 0.1, 1.5 * value + 1]
    if isinstance(value, list):
        return [list(row) for row in zip(*map(_varied, value), strict=False)]
    if not isinstance(value, torch.Tensor):
        return []
    if value.dtype == torch.bool:
        return [~value]
    if value.is_floating_point():
        return [0.8 * value + 0.1, 0.6 - 2 * value]  # beyond what a bound would hide
    moved = [value.flip(0), value.roll(1, 0)] if value.ndim else []
    return [other for other in moved if not other.equal(value)] or [value + 1]


def _fine(exercise: Exercise, seen: Run, last: bool = False) -> bool:
    """Whether nothing is wrong in what was seen so far, or in the last of it."""
    expected, probes = _trace(exercise, exercise.reference), exercise.probes
    once = [*zip(probes, expected.outcomes, seen.outcomes, strict=False)]
    again = [*zip(probes[::-1], expected.again, seen.again, strict=False)]
    rows = (once + again)[-1:] if last else once + again
    return not any(any(faults(*row, exercise.allows)) for row in rows)


def passes(exercise: Exercise, seen: Run) -> bool:
    """Whether a run shows a correct function. One that is slow need not come to its second end."""
    whole = not seen.blank and len(seen.outcomes) == len(exercise.probes)
    return whole and seen.stopped != "interrupt" and _fine(exercise, seen)


def _judge(exercise: Exercise, stub: bool, seen: Run, asked: Run) -> Verdict:
    expected = _expected(exercise)
    if seen.blank:
        forgotten = seen.blank == "None" and not stub
        return Verdict("not attempted", "Your function ends without `return`." if forgotten else "")
    if passes(exercise, seen):
        return Verdict("correct")
    cut = len(seen.outcomes) < len(exercise.probes) or seen.stopped == "interrupt"
    if seen.stopped and cut:
        return Verdict("wrong", _stopped(exercise, seen))
    rows = zip(exercise.probes, expected, seen.outcomes, strict=True)
    failed = [i for i, row in enumerate(rows) if any(faults(*row, exercise.allows))]
    if not failed:
        return Verdict("wrong", _another_time(exercise, seen))
    if failed[0] == 0 and stub:
        return Verdict("not attempted")

    def trace(function: Callable) -> list[Outcome]:
        return _trace(exercise, function).outcomes

    def agrees(mistake: Mistake) -> bool:
        return not mistake.example or _example(exercise, mistake, asked) is not None

    mistake = recognised(exercise, expected, seen.outcomes, trace, agrees)
    if mistake is None:
        i, fault, text = explained(exercise, expected, seen.outcomes, guessed)
        if fault.name:
            unused = _without_influence(exercise, seen, asked)
            text = "\n".join(filter(None, [unused or _by_default(exercise, failed), text]))
        return Verdict("wrong", f"{text}\n(Tried: {exercise.probes[i].label}.)")
    text = mistake.message
    if mistake.example:
        text = filled(text, *_example(exercise, mistake, asked))
    return Verdict("wrong", f"{text}\n(Tried: {exercise.probes[failed[0]].label}.)", mistake.name)


def _example(exercise: Exercise, mistake: Mistake, asked: Run) -> tuple[Any, Any] | None:
    """What the reference and the function give; None where the function does not err as it."""
    number = [m for m in exercise.mistakes if m.example].index(mistake)
    if number >= len(asked.outcomes):
        return None
    wrong = _asked(exercise, mistake.wrong, number).outcomes[0]
    right = _asked(exercise, exercise.reference).outcomes[number]
    got = asked.outcomes[number]
    if got.error or not alike(mistake.example.probe, wrong, got):
        return None
    return right.observed["result"], got.observed["result"]


def _another_time(exercise: Exercise, seen: Run) -> str:
    """What is wrong only where a probe is taken a second time."""
    expected = _trace(exercise, exercise.reference).again
    rows = zip(exercise.probes[::-1], expected, seen.again, strict=False)
    probe, fault = next((r[0], f) for r in rows for f in faults(*r, exercise.allows))
    text = fault.text
    if fault.rank < 8:
        text = (
            "Called once more with the same arguments, your function gives something else: does it "
            f"remember an earlier call, or draw random numbers that nobody gave it?\n{text}"
        )
    return f"{text}\n(Tried a second time: {probe.label}.)"


def _without_influence(exercise: Exercise, seen: Run, asked: Run) -> str:
    """Which arguments may change, and the result stays, where the reference's does not."""
    varied = _variations(exercise)
    right, own = _asked(exercise, exercise.reference).outcomes, asked.outcomes
    if not varied or len(own) < len(right):
        return ""
    gradients = [pair for outcome in seen.outcomes for pair in (outcome.observed or {}).items()]
    counts = {
        name.removeprefix("gradient of argument ")
        for name, value in gradients
        if name.startswith("gradient of ") and isinstance(value, torch.Tensor) and value.any()
    }
    idle, moving = defaultdict(set), defaultdict(set)
    rows = zip(varied, right[-len(varied) :], own[-len(varied) :], strict=True)
    for (name, i, probe), want, have in rows:
        before, got = _expected(exercise)[i], seen.outcomes[i]
        clean = not (want.error or have.error or got.error)
        moves = clean and _moves(probe, before, want)
        if moves:
            moving[name].add(i)
        if clean and _moves(probe, got, have):
            counts.add(name)
        elif moves:
            idle[name].add(i)
    known = dict.fromkeys(name for name, _, _ in varied)
    still = [name for name in known if name not in counts and idle[name]]
    names = [f"`{name}`" for name in still if len(idle[name]) >= min(2, len(moving[name]))]
    if not names or len(names) == len(known) > 1:
        return ""
    have = "has" if len(names) == 1 else "have"
    return f"{' and '.join(names)} {have} no influence: with other values your result stays."


def _by_default(exercise: Exercise, failed: list[int]) -> str:
    """Which arguments all wrong calls leave to their defaults, and no right one."""
    parameters = inspect.signature(exercise.reference).parameters.values()
    names = []
    for place, parameter in enumerate(parameters):
        left = [
            i
            for i, probe in enumerate(exercise.probes)
            if probe.given and len(probe.given[0]) <= place and parameter.name not in probe.given[1]
        ]
        if parameter.default is not parameter.empty and left == failed:
            names.append(f"`{parameter.name}`")
    if not names or len(failed) == len(exercise.probes):
        return ""
    one = len(names) == 1
    which, they = " and ".join(names), "it is" if one else "they are"
    return f"Right where {which} {'is' if one else 'are'} given, wrong where {they} left out."


def _moves(probe: Probe, before: Outcome, after: Outcome) -> bool:
    a, b = (
        {name: value for name, value in outcome.observed.items() if name.startswith("result")}
        for outcome in (before, after)
    )
    missing = [v for v in b.values() if isinstance(v, torch.Tensor) and v.isnan().any()]
    return bool(missing or difference("", a, b, probe.rtol, probe.atol))


def _stopped(exercise: Exercise, seen: Run) -> str:
    text = "You stopped the check."
    if seen.stopped == "time":
        label = exercise.probes[len(seen.outcomes)].label
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
    """Shows the verdict on `candidate` and returns it where it is correct, else the reference.

    In a notebook the verdict is a card with the next hints to open, elsewhere plain text.

    Raises AssertionError only where the environment variable COURSE_EXPECT asks for another
    verdict. COURSE_REPORT names a file to which each verdict is added as a line of JSON.
    """
    verdict, exercise = grade(exercise_id, candidate), look_up(exercise_id, EXERCISES)
    _tell(exercise_id, exercise, verdict)
    if exercise and candidate is not exercise.reference:
        VERDICTS[exercise_id] = verdict
    _note(exercise_id, verdict)
    expect = os.environ.get("COURSE_EXPECT")
    if expect and verdict.status != expect:
        text = f"{exercise_id}: expected {expect!r}, got {verdict.status!r}\n{verdict.message}"
        raise AssertionError(text)
    return candidate if verdict.status == "correct" or not exercise else exercise.reference


def _tell(exercise_id: str, exercise: Exercise | None, verdict: Verdict) -> None:
    title, wrong = exercise.title if exercise else str(exercise_id), verdict.status == "wrong"
    lines = [f"{cards.MARKS[verdict.status]} {verdict.status} — {title}", verdict.message]
    lines += [f'For a hint, run hint("{exercise_id}").'] if exercise and wrong else []
    after = GOES_ON if exercise and verdict.status != "correct" else ""
    hints = exercise.hints if exercise and wrong else ()
    text = "\n".join(filter(None, [*lines, after]))
    tell(text, cards.verdict(verdict.status, title, verdict.message, hints, after))


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
    text = f"Hint {given + 1} of {count}: {exercise.hints[given]}"
    return tell(text, cards.hint(text))


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
