import math

import numpy as np
import pytest
import torch

from course_lib.checks import (
    at_least_one,
    below,
    beside,
    finite,
    floats,
    function,
    instance,
    integers,
    is_whole,
    named,
    number,
    one_of,
    pictures,
    present,
    random_source,
    reals,
    several,
    shaped,
    texts,
    truths,
    whole,
    wholes,
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


def test_sizes_are_bounded_for_more_would_fit_no_memory():
    at_least_one(n=1, m=10**6)
    for value, text in ((0, "at least 1, got 0"), (10**12, "at most 1000000, got 10000")):
        with pytest.raises(ValueError, match=f"n must be a whole number, .*{text}"):
            at_least_one(n=value)


def test_a_sequence_of_whole_numbers_is_not_empty_and_tells_which_one_is_none():
    assert wholes("widths", (np.int64(3), 2)) == [3, 2] and wholes("taps", [0], 0) == [0]
    for value, error, text in (
        (3, TypeError, "widths must be a sequence of whole numbers; got 3"),
        ("34", TypeError, "widths must be a sequence"),
        ((), ValueError, "widths must hold at least one number"),
        ([3, 1.5], ValueError, r"widths\[1\] must be a whole number, at least 1"),
        ([10**12], ValueError, r"widths\[0\] must be .* at most"),
    ):
        with pytest.raises(error, match=text):
            wholes("widths", value)


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
    for value in (torch.ones(2).int(), torch.ones(0, 2).int()):
        with pytest.raises(ValueError, match="t must be a tensor of 2 dimensions that is not empt"):
            integers("t", value, 2)


def test_what_meets_in_a_product_has_one_device_and_one_precision():
    weight, x = torch.ones(3, 3), torch.ones(2, 3)
    assert shaped("x", x, "B", 3, like=weight) is x and floats("x", x, like=weight) is x
    with pytest.raises(TypeError, match="x must be torch.float32, .* got torch.float64"):
        floats("x", x.double(), like=weight)
    for call in (lambda x: floats("x", x, like=weight), lambda x: beside("x", x, weight)):
        with pytest.raises(ValueError, match="x must be on cpu, .* got meta"):
            call(x.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        floats("x", x.bfloat16(), like=weight)  # torch makes them agree
    floats("x", x.to("meta"), like=weight.to("meta"))


def test_numbers_of_entries_lie_below_their_count():
    x = torch.tensor([[0, 2], [1, 1]])
    assert below("labels", x, 3) is x and below("labels", x, 3, "B", 2, like=x) is x
    assert below("labels", x.to("meta"), 1).is_meta  # its values are not looked at
    for value, count, sides, error, text in (
        (x, 2, (), ValueError, "labels must lie in 0 … 1; got 0 … 2"),
        (-x, 3, (), ValueError, "labels must lie in 0 … 2; got -2 … 0"),
        (x, 3, ("B",), ValueError, r"labels must be \(B,\) and not empty; got \(2, 2\)"),
        (x, 3, ("B", 3), ValueError, r"labels must be \(B, 3\)"),
        (x[:0], 3, (), ValueError, "labels must be a tensor and not empty"),
        (x + 0.5, 3, (), TypeError, "labels must be whole numbers"),
        (None, 3, (), TypeError, "labels must be whole numbers"),
    ):
        with pytest.raises(error, match=text):
            below("labels", value, count, *sides)
    with pytest.raises(ValueError, match="labels must be on meta"):
        below("labels", x, 3, like=x.to("meta"))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_none_makes_a_tensor_not_finite(bad):
    x = torch.ones(3, 3)
    assert finite("x", x) is x
    x[2, 1] = bad
    for wait in (True, False):
        with pytest.raises(ValueError, match="x must be finite"):
            finite("x", x, wait=wait)


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
    instance("net", torch.nn.ReLU(), torch.nn.Module)
    for call, text in (
        (lambda: truths("mask", torch.ones(2)), "mask must be truth values .*; got torch.float32"),
        (lambda: random_source(3), "generator must be a torch.Generator or None; got int"),
        (lambda: function("net", "a"), "net must be a network or a function; got str"),
        (lambda: instance("net", "a", torch.nn.Module), "net must be a Module; got str"),
        (lambda: instance("net", "a", dict | None), "net must be a dict or NoneType; got str"),
        (lambda: named("runs", [1]), "runs must be a dict of names; got list"),
    ):
        with pytest.raises(TypeError, match=text):
            call()
    with pytest.raises(ValueError, match="runs must hold something"):
        named("runs", {})


@pytest.mark.parametrize(
    "values",
    (
        [1, 2.0, math.nan], (1, 2, math.nan), np.array([1, 2, math.nan]),
        [*torch.tensor([1, 2, math.nan])], torch.tensor([1, 2, math.nan]),
        torch.tensor([1, 2, math.nan]).bfloat16().requires_grad_(),
    ),
    ids=str,
)  # fmt: skip
def test_real_numbers_to_draw_come_as_a_sequence_an_array_or_a_tensor(values):
    found = reals("x", values, 3)
    assert found.dtype == torch.float64 and not found.requires_grad
    assert torch.equal(found[:2], torch.tensor([1.0, 2.0]).double()) and found[2].isnan()


def test_whole_numbers_and_truth_values_can_be_drawn_too():
    assert reals("x", range(3)).tolist() == [0, 1, 2]
    assert reals("x", torch.tensor([[True], [False]]), "n", 1).tolist() == [[1.0], [0.0]]


def test_what_holds_no_real_numbers_is_not_drawn():
    for values in (None, "a", [1j], [1, None], [[1, 2], [3]], {1: 2}, np.array(["a"])):
        with pytest.raises(TypeError, match="^x must be real numbers; got "):
            reals("x", values)
    for values in (torch.ones(2) + 1j, torch.ones(2, device="meta")):
        with pytest.raises(TypeError, match=f"got {values.dtype} on {values.device}"):
            reals("x", values)


def test_numbers_to_draw_have_their_sides():
    for values, got in ((3, r"\(\)"), ([], r"\(0,\)"), ([[1]], r"\(1, 1\)")):
        with pytest.raises(ValueError, match=rf"^x must be \(n,\), not empty; got {got}"):
            reals("x", values)
    with pytest.raises(ValueError, match=r"x must be \(n, 2\), not empty; got \(2,\)"):
        reals("x", [1, 2], "n", 2)


def test_each_entry_of_a_dict_and_of_a_sequence_is_named():
    assert named("x", {"a": [1, 2]}, reals)["a"].tolist() == [1, 2]
    assert several("n", (1, 2), whole) == [1, 2]
    with pytest.raises(ValueError, match=r"x\['b'\] must be \(2,\).*got \(1,\)"):
        named("x", {"a": [1, 2], "b": [1]}, reals, 2)
    with pytest.raises(ValueError, match=r"n\[1\] must be a whole number, at least 2, got 1"):
        several("n", [2, 1], whole, 2)
    with pytest.raises(ValueError, match="x must have an entry 'b'; it has a"):
        named("x", {"a": 1}, whole, has=("a", "b"))
    with pytest.raises(ValueError, match="n must hold 2; got 3"):
        several("n", [1, 2, 3], whole, count=2)
    with pytest.raises(ValueError, match=r"x\['a'\]\[0\] must be a whole number, at least 1 and"):
        named("x", {"a": [3]}, several, whole, most=2)
    for values, error in ((3, TypeError), ("ab", TypeError), (None, TypeError), ([], ValueError)):
        with pytest.raises(error, match="^n must"):
            several("n", values, whole)


def test_text_is_text():
    texts(title="", label="a")
    with pytest.raises(TypeError, match="label must be text; got 3"):
        texts(title="a", label=3)


def test_pictures_can_be_shown():
    x = torch.zeros(2, 3, 4, 4)
    for good in (x, x.byte(), x[:, :1], x.double(), x.half()):
        assert pictures("x", good) is good
    assert (
        pictures("x", x, count=2) is x
        and pictures("x", x[0], 3).shape == (3, 4, 4)
        and pictures("x", x[None], 5).ndim == 5
    )
    for bad, error, told in (
        (None, TypeError, "x must be a tensor of uint8 or of decimal numbers; got NoneType"),
        (x.long(), TypeError, "x must be a tensor of decimal numbers; got torch.int64"),
        (x + 1j, TypeError, "x must be .* got torch.complex64"),
        (x[:0], ValueError, r"x must hold pictures; got \(0, 3, 4, 4\)"),
        (x.to("meta"), ValueError, "x must hold pictures; got .* on the meta device"),
        (x[0], ValueError, r"x must have shape \(n, 1 or 3, h, w\); got \(3, 4, 4\)"),
        (x[:, :2], ValueError, r"x must have shape"),
        (x / 0, ValueError, "x must be finite"),
    ):
        with pytest.raises(error, match=told):
            pictures("x", bad)
    with pytest.raises(ValueError, match="x must be 3 pictures; got 2"):
        pictures("x", x, count=3)


def test_a_tensor_on_meta_has_no_values():
    x = torch.ones(2)
    assert present("x", x) is x
    with pytest.raises(ValueError, match=r"x must have values; got \(2,\) on the meta device"):
        present("x", x.to("meta"))
