"""Public functions with one argument spoilt: see tests/fuzzer.py."""

import functools
from collections import Counter

import pytest
from jaxtyping import Float
from torch import Tensor

from tests import fuzzer
from tests.fuzzer import Found, fuzz, judged, spoilt, valid

NONSENSE, UNCLEAR, HANGS = 0, 0.002, 0  # reached: 0, 0, 0 of 12,995 calls
SAMPLE = ["diffusion", "gan_losses", "density", "metrics", "shapes", "attention"]


def doubled(x: Float[Tensor, " n"], times: int = 2) -> Tensor:
    """Says what is wrong with x, and nothing of `times`."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim != 1:
        raise TypeError(f"x must be a row of decimal numbers; got {type(x).__name__}")
    while times > 10**9:
        pass
    return x * times


@functools.cache
def verdicts():
    call = valid("doubled", doubled, None)
    usual = fuzzer.called(call)
    found = {}
    for name, (annotation, value) in call.arguments.items():
        for what, bad, may in spoilt(name, annotation, value):
            found[name, what] = judged(call, name, bad, may, usual)[0]
    return found


@pytest.fixture
def seen(monkeypatch):
    """The verdicts on `doubled`, as if it stood in course_lib."""
    monkeypatch.setattr(fuzzer, "FOLDER", __file__)
    monkeypatch.setattr(fuzzer, "LIMIT", 10.0)
    before = fuzzer.signal.signal(fuzzer.signal.SIGPROF, fuzzer._late)
    yield verdicts()
    fuzzer.signal.signal(fuzzer.signal.SIGPROF, before)


def test_an_error_that_names_the_argument_is_clear(seen):
    for what in ("None", "text", "a list", "an array", "complex", "an axis less", "whole numbers"):
        assert seen["x", what] == "clear"


def test_what_torch_says_is_unclear(seen):
    assert seen["times", "None"] == "unclear"


def test_finite_numbers_that_come_back_otherwise_are_nonsense(seen):
    assert seen["times", "nan"] == seen["times", "1.5"] == "nonsense"


def test_what_is_right_stays_right(seen):
    for what in ("float64", "half", "NaN", "infinity", "huge", "meta"):
        assert seen["x", what] == "right"
    assert seen["times", "-1"] == seen["times", "0"] == "right"


def test_what_never_ends_is_a_hang(seen):
    assert seen["times", "10 ** 12"] == "hang"


def shares(found: list[Found]) -> tuple[float, int, int]:
    count = Counter(one.verdict for one in found)
    return count["unclear"] / len(found), count["nonsense"], count["hang"]


def test_a_sample_has_no_nonsense_and_no_hang():
    found, without = fuzz(SAMPLE, every=10)
    assert len(found) > 100 and len(without) < 40
    assert [str(one) for one in found if one.verdict in ("nonsense", "hang")] == []


@pytest.mark.everywhere
def test_no_more_is_unclear_than_was_reached():
    found, _ = fuzz()
    print("\n" + fuzzer.table(found))
    unclear, nonsense, hangs = shares(found)
    assert hangs <= HANGS and nonsense <= NONSENSE and unclear <= UNCLEAR
