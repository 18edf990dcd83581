"""What a wrong function would be right for: arguments other than those that it was given.

Where no mistake is recognised, the reference itself is asked: does it give all that the function
gives, in every probe, once an argument is held in [−1, 1], doubled, or exchanged with another? So
what is said of the function is true of all that was seen, whatever its code looks like.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.judging import alike, differences
from course_lib.exercises.running import Outcome, run

FLOATS = {
    "held in [−1, 1]": lambda v: v.clamp(-1, 1),
    "held in [0, 1]": lambda v: v.clamp(0, 1),
    "without its sign": torch.abs,
    "with its sign turned over": torch.neg,
    "doubled": lambda v: 2 * v,
    "halved": lambda v: v / 2,
    "squared": torch.square,
    "put through a sigmoid": torch.sigmoid,
    "put through a tanh": torch.tanh,
    "rounded": torch.round,
}
ROWS = {
    "in reverse order": lambda v: v.flip(0),
    "cut down to its first row, which stands for all": lambda v: v[:1].expand_as(v),
}
WHOLE = {
    "one higher": lambda v: v + 1,
    "one lower": lambda v: v - 1,
    "doubled": lambda v: 2 * v,
}
NUMBERS = WHOLE | {
    "halved": lambda v: v / 2,
    "squared": lambda v: v * v,
    "replaced by its root": lambda v: v**0.5,
    "without its sign": abs,
}
CONSTANTS = (0, 0.001, 0.01, 0.1, 0.5, 1, 2, 3, 4, 10, 100)
MEANS = {"averaged over its rows": lambda v: v.mean(0, keepdim=True).expand_as(v)}


def guessed(exercise: Any, expected: Sequence[Outcome], got: Sequence[Outcome]) -> str:
    """The first guess that gives all that was seen of a function, as a sentence; else ""."""
    rows = [*zip(exercise.probes, expected, got, strict=True)]
    wrong = [i for i, row in enumerate(rows) if not alike(*row)]
    order = sorted(wrong, key=lambda i: exercise.probes[i].size)
    order += [i for i in range(len(rows)) if i not in wrong]
    if any(outcome.error for outcome in got) or _few_numbers(rows):
        return ""
    for words, guess in _guesses(exercise):
        if all(alike(exercise.probes[i], _seen(exercise, guess, i), got[i]) for i in order):
            return f"Your function gives what the right one gives with {words}."
    return ""


def _few_numbers(rows: list[tuple]) -> bool:
    """Whether what differs is hardly a number: a yes or a no would fit many a guess."""
    found = set()
    for probe, expected, got in rows:
        for fault in differences(probe, expected, got):
            value = got.observed.get(fault.name)
            if isinstance(value, Tensor) and value.dtype != torch.bool:
                found |= set(value.flatten()[:50].tolist())
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                found.add(value)
    return len(found) < 2


@functools.cache
def _seen(exercise: Any, guess: Callable, i: int) -> Outcome:
    probes = exercise.probes[i : i + 1]
    found = run(guess, exercise.reference, probes, exercise.time_limit).outcomes
    return found[0] if found else Outcome(error="stopped")


@functools.cache
def _guesses(exercise: Any) -> list[tuple[str, Callable]]:
    """(words, the reference with other arguments), the simplest first."""
    if isinstance(exercise.reference, type):
        return []
    given = _given(exercise)
    changes = [(f"`{n}` {words}", {n: f}) for n in given for words, f in _changes(given[n])]
    floats = [n for n in given if _is_float(given[n])]
    if len(floats) > 1:
        names = f"{', '.join(f'`{n}`' for n in floats[:-1])} and `{floats[-1]}`"
        changes += [
            (f"{names} {words.replace('its', 'their')}", dict.fromkeys(floats, f))
            for words, f in (FLOATS | ROWS).items()
        ]
    found = [(words, _other_arguments(exercise.reference, change)) for words, change in changes]
    return found + list(_exchanged(exercise.reference, given))


def _given(exercise: Any) -> dict[str, Any]:
    """Each argument's first value among the probes, defaults too."""
    signature, first = inspect.signature(exercise.reference), {}

    def noted(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            first.setdefault(name, value)
        return exercise.reference(*args, **kwargs)

    run(noted, exercise.reference, exercise.probes, exercise.time_limit)
    return {name: first[name] for name in signature.parameters if name in first}


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _changes(value: Any) -> list[tuple[str, Callable]]:
    """What may be done to an argument of this kind."""
    if isinstance(value, Tensor) and value.dtype != torch.bool:
        return [*((FLOATS | ROWS | MEANS) if _is_float(value) else (WHOLE | ROWS)).items()]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        always = [(f"always {c}", lambda v, c=c: type(v)(c)) for c in CONSTANTS]
        return [*NUMBERS.items(), *(always if isinstance(value, float) else always[5:])]
    if isinstance(value, bool):
        return [("always True", lambda v: True), ("always False", lambda v: False)]
    return []


def _other_arguments(reference: Callable, changes: dict[str, Callable]) -> Callable:
    signature = inspect.signature(reference)

    @functools.wraps(reference)
    def guess(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, change in changes.items():
            bound.arguments[name] = change(bound.arguments[name])
        return reference(*bound.args, **bound.kwargs)

    return guess


def _exchanged(reference: Callable, given: dict[str, Any]) -> Iterator[tuple[str, Callable]]:
    """Two arguments of one kind exchanged, or one in place of the other."""
    signature = inspect.signature(reference)

    def moved(**places: str) -> Callable:
        @functools.wraps(reference)
        def guess(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            old = dict(bound.arguments)
            bound.arguments |= {name: old[source] for name, source in places.items()}
            return reference(*bound.args, **bound.kwargs)

        return guess

    names = list(given)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if type(given[a]) is type(given[b]) and not isinstance(given[a], (bool, str)):
                yield f"`{a}` and `{b}` exchanged", moved(**{a: b, b: a})
                yield f"`{b}` in place of `{a}`", moved(**{a: b})
                yield f"`{a}` in place of `{b}`", moved(**{b: a})
