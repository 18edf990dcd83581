import math

import numpy as np
import pytest
import torch

from course_lib.checks import (
    finite,
    floats,
    function,
    integers,
    is_whole,
    named,
    number,
    one_of,
    random_source,
    shaped,
    truths,
    whole,
)

INTEGERS = (3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), torch.tensor(3).short())
OTHERS = (True, np.True_, torch.tensor(True), 3.0, np.float64(3), torch.tensor(3.0), "3", None)
OTHERS += ([3], np.array([3]), torch.tensor([3]), torch.tensor(3, device="meta"))


@pytest.mark.parametrize("value", INTEGERS, ids=repr)
def test_integers_of_numpy_and_torch_are_whole_numbers(value):
    assert is_whole(value) and type(whole("n", value)) is int and whole("n", value) == 3


@pytest.mark.parametrize("value", OTHERS, ids=repr)
def test_nothing_else_is_a_whole_number(value):
    assert not is_whole(value)
    with pytest.raises(ValueError, match="n must be a whole number of steps, at least 1, got"):
        whole("n", value, unit="steps")


def test_a_whole_number_may_have_a_least_value():
    assert whole("n", 0, least=0) == 0 and whole("n", -5, least=-9) == -5
    for value, least in ((0, 1), (-1, 0), (torch.tensor(3), 4)):
        with pytest.raises(ValueError, match=f"n must be a whole number, at least {least}, got"):
            whole("n", value, least)


def test_a_whole_number_may_have_a_most():
    assert whole("n", 5, most=5) == 5
    with pytest.raises(ValueError, match="n must be .* at least 1 and at most 5, got 6"):
        whole("n", 6, most=5)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int64(1), torch.tensor(1.0)], ids=repr)
def test_a_number_may_come_from_numpy_and_torch(value):
    assert type(number("w", value, 1, 1, above=0)) is float


@pytest.mark.parametrize(
    "value",
    [True, "1", None, 1j, [1], torch.ones(2), torch.tensor(1j), torch.ones(1).bool()],
    ids=repr,
)
def test_other_things_are_no_number(value):
    with pytest.raises(TypeError, match="w must be a number; got"):
        number("w", value)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 0, -1, 2.1, torch.tensor(math.nan)]
)
def test_a_number_outside_its_range_is_refused_with_the_range(value):
    with pytest.raises(ValueError, match="w must be a finite number, above 0 and at most 2; got"):
        number("w", value, most=2, above=0)
    with pytest.raises(ValueError, match="w must be a finite number; got nan"):
        number("w", math.nan)


def test_a_choice_is_one_of_those_named():
    one_of("kind", "a", ("a", "b"))
    for value in ("c", None, ["a"]):
        with pytest.raises(ValueError, match="kind must be one of a, b; got"):
            one_of("kind", value, ("a", "b"))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_are_tensors_of_decimal_numbers(kind):
    x = torch.ones(2, 3, dtype=kind)
    assert floats("x", x) is x and floats("x", x, 2) is x


def test_other_tensors_are_no_floats():
    for value in (torch.ones(2).int(), torch.ones(2).bool(), torch.ones(2) * 1j, [1.0], None):
        with pytest.raises(TypeError, match="x must be a tensor of decimal numbers; got"):
            floats("x", value)
    for value in (torch.ones(0, 3), torch.ones(3), torch.ones(1, 1, 1), torch.tensor(1.0)):
        with pytest.raises(
            ValueError, match="x must be a tensor of 2 dimensions that is not empty"
        ):
            floats("x", value, 2)
    with pytest.raises(ValueError, match="x must be a tensor that is not empty"):
        floats("x", torch.tensor(1.0))


def test_tensors_are_looked_at_without_waiting_for_their_values():
    x = torch.ones(2, device="meta")
    assert floats("x", x) is x and finite("x", x) is x and integers("x", x.int()).is_meta


def test_integers_are_no_truth_values():
    assert integers("t", torch.ones(2).byte()).dtype == torch.uint8
    for value in (torch.ones(2), torch.ones(2).bool(), torch.ones(2) * 1j, [1]):
        with pytest.raises(TypeError, match="t must be whole numbers"):
            integers("t", value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_none_makes_a_tensor_not_finite(bad):
    x = torch.ones(3, 3)
    assert finite("x", x) is x
    x[2, 1] = bad
    with pytest.raises(ValueError, match="x must be finite"):
        finite("x", x)


def test_sides_are_numbers_or_letters_that_stand_for_any():
    x = torch.ones(2, 3)
    assert shaped("x", x, "B", 3) is x
    for sides, wanted in ((("B", 4), r"\(B, 4\)"), ((2,), r"\(2,\)"), ((2, 3, "n"), "3, n")):
        with pytest.raises(ValueError, match=f"x must be .*{wanted}.* got "):
            shaped("x", x, *sides)
    with pytest.raises(TypeError, match="x must be a tensor of decimal numbers; got list"):
        shaped("x", [[1.0]], 1, 1)
    with pytest.raises(ValueError, match="x must be .* not empty"):
        shaped("x", torch.ones(0, 3), "B", 3)


def test_other_kinds_are_named():
    truths("mask", torch.ones(2).bool()), random_source(None), random_source(torch.Generator())
    function("net", torch.nn.Identity()), named("runs", {"a": 1})
    for call, text in (
        (lambda: truths("mask", torch.ones(2)), "mask must be truth values .*; got torch.float32"),
        (lambda: random_source(3), "generator must be a torch.Generator or None; got int"),
        (lambda: function("net", "a"), "net must be a network or a function; got str"),
        (lambda: named("runs", [1]), "runs must be a dict of names; got list"),
    ):
        with pytest.raises(TypeError, match=text):
            call()
    with pytest.raises(ValueError, match="runs must hold something"):
        named("runs", {})
