"""What is wrong with a function, from what the probes saw of it: the mistake, or words for it.

The order in which a difference is told: an exception, how many results, their types, their shapes,
their values, gradients, arguments changed in place, what else is left behind.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_lib.exercises.comparing import difference, misfit
from course_lib.exercises.running import Outcome, argument_names

NUMBERS_SHOWN = 12  # an input of so many numbers, or fewer, is written out

LEFT = {
    "gradients": "Your function leaves gradients switched off: no cell after it could train.",
    "another": "Your function leaves {what} behind, for the whole notebook.",
    "seed": "Your function seeds {of} anew: every call draws the same numbers, and so does all "
    "that comes after it.",
    "requires_grad": "Your function changes {what}, which belongs to its caller.",
    "training mode": "Your function leaves the {what} switched.",
}


class Fault(NamedTuple):
    """A difference between what was expected and what was seen in one probe."""

    rank: int  # its place in the order above
    name: str  # of the observation
    text: str


def alike(probe: Any, expected: Outcome, got: Outcome) -> bool:
    """Whether the same values, exceptions and changes in place were seen."""
    same = expected.error == got.error and expected.changed == got.changed
    return same and not any(differences(probe, _floating(expected), _floating(got)))


def _floating(outcome: Outcome) -> Outcome:
    """With whole numbers as float32: a count is the same mistake in either kind."""
    seen = {
        name: v.float() if isinstance(v, Tensor) and v.dtype == torch.int64 else v
        for name, v in (outcome.observed or {}).items()
    }
    return dataclasses.replace(outcome, observed=seen)


def faults(
    probe: Any, expected: Outcome, got: Outcome, allows: Container[str] = ()
) -> Iterator[Fault]:
    """All that is wrong in one probe, in no order."""
    if got.error:
        yield Fault(0, "", "\n".join(filter(None, [got.error, got.details])))
        return
    for want, have in zip(expected.forms, got.forms, strict=False):
        text = misfit("result", want, have, allows)
        if text:
            yield Fault(2, "", text)
            break
    yield from differences(probe, expected, got)
    for changed in sorted(got.changed - expected.changed):
        text = f"Your function changes `{changed}` in place: its caller finds other values."
        yield Fault(7, "", text)
    for changed in sorted(expected.changed - got.changed):
        text = f"Your function leaves `{changed}` as it was; it is meant to change it."
        yield Fault(7, "", text)
    for what in sorted(got.left - expected.left):
        if what not in allows:
            key = next(key for key in LEFT if key in what)
            of = what.removeprefix("seed of ").replace("'s seed", "'s random numbers")
            yield Fault(8, "", LEFT[key].format(what=what, of=of))
    if "generator" not in allows:
        for what in sorted(expected.drawn - got.drawn):
            name = what.removeprefix("state of ")
            yield Fault(
                8, "", f"{name} has drawn nothing: your random numbers come from elsewhere."
            )


def differences(probe: Any, expected: Outcome, got: Outcome) -> Iterator[Fault]:
    """Where the values that were seen differ."""
    a, b = expected.observed or {}, got.observed or {}
    if "result 1" in a and isinstance(b.get("result"), list):  # a list of the results will do
        b = {f"result {i}": value for i, value in enumerate(b["result"], 1)} | b
        b.pop("result")
    if a.keys() != b.keys():
        what = [", ".join(outcome.returned[:1]) or "nothing" for outcome in (expected, got)]
        yield Fault(1, "", f"Your function should return {what[0]}; it returned {what[1]}.")
    for name in a:
        if name in b and (text := difference(name, a[name], b[name], probe.rtol, probe.atol)):
            yield Fault(_rank(name, text, b[name]), name, text)


def _rank(name: str, text: str, got: Any) -> int:
    if name.startswith("gradient"):
        return 5 if isinstance(got, Tensor) else 9  # lost with a change in place, see there
    if name.endswith("afterwards"):
        return 6
    shape = name.startswith("shape") or ": expected shape" in text
    return 3 if shape else 2 if name == "dtype" else 4


# ---- which mistake -------------------------------------------------------------------------------


def recognised(
    exercise: Any,
    expected: Sequence[Outcome],
    got: Sequence[Outcome],
    trace: Callable[[Callable], Sequence[Outcome]],
    agrees: Callable[[Any], bool],
) -> Any:
    """The mistake that looks like this, or None.

    It gives what was seen in every probe that the function gets through, half of those that fail at
    least: where it is wrong the same, where it is right the right thing. One whose message carries
    an example may leave up to a third of the wrong ones unexplained, if `agrees`: the function
    gives on the example what the mistake gives. Of several the one that explains most; of two that
    explain as much, neither.
    """
    probes = exercise.probes
    right = list(map(alike, probes, expected, got))
    failed = [i for i, fine in enumerate(right) if not fine]
    if not failed:
        return None
    counted = [i for i in failed if not got[i].error] or failed
    found = []
    for mistake in exercise.mistakes:
        wrong = trace(mistake.wrong)
        same = list(map(alike, probes, wrong, got))
        if not same[failed[0]] or alike(probes[failed[0]], expected[failed[0]], wrong[failed[0]]):
            continue
        clear = [i for i, fine in enumerate(right) if fine and not same[i]]
        contradicted = any(not alike(probes[i], expected[i], wrong[i]) for i in clear)
        share, shown = sum(same[i] for i in counted) / len(counted), sum(same[i] for i in failed)
        enough = share >= (2 / 3 if mistake.example else 1) and 2 * shown >= len(failed)
        if not contradicted and enough and agrees(mistake):
            if all(same):
                return mistake
            found.append((shown, mistake))
    best = [mistake for n, mistake in found if n == max(found, key=lambda pair: pair[0])[0]]
    return best[0] if len(best) == 1 else None


# ---- words where no mistake fits -----------------------------------------------------------------


def explained(
    exercise: Any, expected: Sequence[Outcome], got: Sequence[Outcome], guess: Callable[..., str]
) -> tuple[int, Fault, str]:
    """The probe that shows the difference best, the difference, and words for it.

    guess: asked for words where nothing else has any.
    """
    probes = exercise.probes
    rows = list(zip(probes, expected, got, strict=True))
    found = [(i, fault) for i, row in enumerate(rows) for fault in faults(*row, exercise.allows)]
    first = min(fault.rank for _, fault in found)
    shown, fault = min(
        ((i, fault) for i, fault in found if fault.rank == first),
        key=lambda pair: (pair[1].rank > 0) * probes[pair[0]].size,
    )
    probe, want, have = rows[shown]
    lines = [fault.text]
    if fault.name:
        call = _written_out(exercise.reference, probe, want, have, fault.name)
        words = probe.explain.get(fault.name) or _in_words(rows, shown, fault)
        lines = [words or guess(exercise, expected, got), fault.text, call]
    rest = faults(*rows[shown], exercise.allows)
    more = (3, 7, 8) if fault.rank == 2 else (7, 8)
    lines += [f.text for f in rest if f.rank in more and f.text != fault.text]
    return shown, fault, "\n".join(filter(None, lines))


def _in_words(rows: list, shown: int, fault: Fault) -> str:
    """What is systematic in the difference; "" where nothing is."""
    name = fault.name
    pairs = [
        (a.observed[name], b.observed[name], probe.atol)
        for probe, a, b in rows
        if not b.error and name in a.observed and name in b.observed
    ]
    if name.startswith("gradient of "):
        argument = name.removeprefix("gradient of ")
        arrives = [isinstance(got, Tensor) and bool(got.any()) for _, got, _ in pairs]
        if not any(arrives):
            return f"No gradient reaches {argument}: what computed it would learn nothing."
    if swapped := _swapped(rows, name):
        return swapped
    return pattern(rows[shown][1].observed[name], rows[shown][2].observed[name], pairs)


def _swapped(rows: list, name: str) -> str:
    """Whether the first two results have changed places in all probes."""
    first, second = ("result 1", "result 2")
    if name not in (first, second):
        return ""
    for probe, a, b in rows:
        pairs = ((first, second), (second, first))
        if b.error or any(
            difference("", a.observed[x], b.observed.get(y), probe.rtol, probe.atol)
            for x, y in pairs
        ):
            return ""
    return "The two results have changed places."


def pattern(expected: Any, got: Any, everywhere: Sequence[tuple[Any, Any, float]]) -> str:
    """What `got` is of `expected`, in words, which no other pair contradicts; else "".

    everywhere: all that was seen, as (expected, got, atol), where both agree as well.
    """
    want, have = _numbers(expected), _numbers(got)
    if want is None or have is None:
        return ""
    if want.shape != have.shape:
        return _other_shape(want, have)
    pairs = [(_numbers(a), _numbers(b), min(atol, 1e-3)) for a, b, atol in everywhere]
    numbers = [
        p for p in pairs if p[0] is not None and p[1] is not None and p[0].shape == p[1].shape
    ]
    if len(numbers) == len(pairs) and (text := _constant(numbers)):
        return f"Everywhere {text}."
    if len(numbers) == len(pairs) and (text := _function(numbers)):
        return f"This is {text}."
    wrong = [(a, b) for a, b, atol in numbers if not torch.allclose(b, a, rtol=1e-4, atol=atol)]
    if text := _reordered(want, have):
        return text if all(_reordered(*pair) for pair in wrong) else ""
    if text := _held(want, have, wrong):
        return text
    text = _constant([(want, have, 0.0)]) if len(pairs) > 1 else ""
    if text.endswith(("large", "small", "over")):
        return f"Here everything is {text}; with other arguments it is not."
    return ""


def _numbers(value: Any) -> Tensor | None:
    """As float64; None for what is no tensor of finite numbers."""
    row = value if isinstance(value, (list, tuple)) and value else [value]
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in row):
        try:
            value = torch.tensor(list(map(float, row)), dtype=torch.float64).reshape(
                () if row is not value else (-1,)
            )
        except OverflowError:  # a whole number that no float holds
            return None
    if not isinstance(value, Tensor) or value.dtype == torch.bool or value.is_complex():
        return None
    value = value.double()
    return value if value.isfinite().all() and value.numel() else None


def _close(a: Tensor, b: Tensor, atol: float = 0.0) -> bool:
    return torch.allclose(a, b, rtol=1e-3, atol=max(atol, 1e-5 * float(a.abs().max())))


def _constant(pairs: Sequence[tuple[Tensor, Tensor, float]]) -> str:
    """The factor or the offset between numbers that are not all the same, in all pairs alike."""
    want, have = (torch.cat([pair[i].flatten() for pair in pairs]) for i in (0, 1))
    if len(want) < 2 or _close(want, want.mean().expand_as(want)) or not want.any():
        return ""
    if not have.any():
        return "0"
    if _close(have, have.mean().expand_as(have)):
        return f"the same number: {written(float(have.mean()))}"
    factor = float((want @ have) / (want @ want))
    if abs(factor) > 1e-6 and all(_close(b, factor * a, atol) for a, b, atol in pairs):
        size, turned = abs(factor), " and with the sign turned over" if factor < 0 else ""
        if abs(size - 1) < 2e-3:
            return turned and "with the sign turned over"
        return (
            f"{size:.4g} times too large" if size > 1 else f"{1 / size:.4g} times too small"
        ) + (turned)
    offset = float((have - want).mean())
    if all(_close(b, a + offset, atol) for a, b, atol in pairs):
        return f"{abs(offset):.4g} too {'large' if offset > 0 else 'small'}"
    return ""


FUNCTIONS = {
    "the logarithm of what was asked": torch.log,
    "the exponential of what was asked": torch.exp,
    "the square of what was asked": torch.square,
    "the square root of what was asked": torch.sqrt,
    "1 over what was asked": torch.reciprocal,
    "1 minus what was asked": lambda want: 1 - want,
    "what was asked without its sign": torch.abs,
    "what was asked, rounded to whole numbers": torch.round,
    "what was asked, cut off to whole numbers": torch.trunc,
} | {
    f"what was asked, rounded to {n} digits": functools.partial(torch.round, decimals=n)
    for n in (1, 2)
}


def _function(pairs: Sequence[tuple[Tensor, Tensor, float]]) -> str:
    """Which simple function of what was asked this is."""
    want, have = (torch.cat([pair[i].flatten() for pair in pairs]) for i in (0, 1))
    for words, f in FUNCTIONS.items():
        value = f(want)
        apart = ~torch.isclose(value, want, rtol=2e-3, atol=1e-5)
        if len(want[apart].unique()) > 1 and value.isfinite().all() and _close(value, have):
            return words
    return ""


def _reordered(want: Tensor, have: Tensor) -> str:
    if _close(want, have):
        return ""
    if want.ndim == 2 and want.shape[0] == want.shape[1] and _close(want.T, have):
        return "Rows and columns have changed places."
    for axis in range(want.ndim):
        if want.shape[axis] > 1 and _close(want.flip(axis), have):
            return f"The right values, in reverse order along axis {axis}."
    same = _close(want.flatten().sort().values, have.flatten().sort().values)
    if want.numel() > 2 and same:
        return "The right values, in another order."
    return ""


def _held(want: Tensor, have: Tensor, wrong: Sequence[tuple[Tensor, Tensor]]) -> str:
    """Whether values are cut off at a bound: all that differ stand at it, in all `wrong` pairs."""
    for sign, word in ((1, "above"), (-1, "below")):
        bound = (sign * have).max()
        beyond = sign * want > bound + 1e-4 * bound.abs()
        cut = [(sign * torch.minimum(sign * a, bound), b) for a, b in [(want, have), *wrong]]
        some = len(want[beyond].unique()) > 1 and len(have.unique()) > 1 and not beyond.all()
        if some and all(_close(*pair) for pair in cut):
            return f"What should lie {word} {sign * bound:.4g} is held there."
    low, high = have.min(), have.max()
    beyond = (want < low - 1e-4 * low.abs()).sum(), (want > high + 1e-4 * high.abs()).sum()
    cut = [(a.clamp(low, high), b) for a, b in [(want, have), *wrong]]
    if all(beyond) and len(have.unique()) > 2 and all(_close(*pair) for pair in cut):
        return f"All values are held between {low:.4g} and {high:.4g}."
    return ""


def _other_shape(want: Tensor, have: Tensor) -> str:
    if want.ndim == 2 and want.T.shape == have.shape and _close(want.T, have):
        return "Rows and columns have changed places."
    if want.numel() == have.numel():
        same = _close(want.flatten(), have.flatten())
        return "The values are right, their shape is not." if same else ""
    for more, less, text in (
        (want, have, "You return the {0} over {1} of what was asked."),
        (have, want, "The {0} of yours over {1} is what was asked."),
    ):
        axes = [tuple(range(more.ndim)), *((i,) for i in range(more.ndim))]
        for axis in axes:
            for word, f in (("mean", torch.mean), ("sum", torch.sum)):
                small = f(more, dim=axis) if axis else more
                if small.shape == less.shape and _close(small, less):
                    place = f"axis {axis[0]}" if len(axis) == 1 and more.ndim > 1 else "everything"
                    return text.format(word, place)
    return ""


def _written_out(
    reference: Callable, probe: Any, expected: Outcome, got: Outcome, name: str
) -> str:
    """The whole call, where it is small: "With x = (1, 2): expected 1.5, got 3."."""
    if not name.startswith("result") or probe.size > NUMBERS_SHOWN or not probe.given:
        return ""
    args, kwargs = probe.given
    given = dict(zip(argument_names(reference, len(args)), args, strict=True)) | kwargs
    names = [f"{key} = {written(value)}" for key, value in given.items()]
    want, have = expected.observed[name], got.observed[name]
    small = all(getattr(v, "numel", lambda: 1)() <= NUMBERS_SHOWN for v in (want, have))
    if not small or any("?" in text for text in names) or written(want) == written(have):
        return ""
    with_these = f"With {', '.join(names)}" if names else "Called without arguments"
    return f"{with_these}: expected {written(want)}, got {written(have)}."


# ---- numbers in a message ------------------------------------------------------------------------


def written(value: Any, spec: str = "") -> str:
    """Numbers as one writes them by hand: three digits, (1, 2) for several; "?" for the rest."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return f"({', '.join(written(entry, spec) for entry in value)})"
    if value is None or isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, int):
        return format(value, spec or ",").replace("-", "−")
    if not isinstance(value, float):
        return "?"
    text = format(value, spec or ".3g")
    return (text if float(text) else text.removeprefix("-")).replace("-", "−")  # no −0


def filled(message: str, expected: Any, got: Any) -> str:
    """The message with its {expected} and {got}, or {got:.1f}, in place."""
    values = {"expected": expected, "got": got}
    return re.sub(
        r"\{(expected|got)(?::([^{}]*))?\}",
        lambda match: written(values[match[1]], match[2] or ""),
        message,
    )
