"""The exercise engine, against made-up exercises and students of every kind."""

import builtins
import contextlib
import io
import json
import linecache
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import Counter

import nbformat
import numpy as np
import pytest
import torch

from course_lib.exercises import EXERCISES, QUESTIONS, check, grade, hint, predict, solution
from course_lib.exercises.__main__ import main
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from tests.helpers import stubborn

ID = "vae.made_up"
GOES_ON = "The notebook goes on with the course's own version."
X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])


def row_means(x):
    """The mean of each row: (n, d) -> (n,)"""
    return x.mean(dim=1)


PROBES = (call("two rows, d = 3", X), call("one row, d = 1", torch.tensor([[5.0]])))
MISTAKES = (
    Mistake("columns", lambda x: x.mean(dim=0), "You averaged each column: 3 numbers, not 2."),
    Mistake("sum", lambda x: x.sum(dim=1), "Your mean grows with d."),
    Mistake("half", lambda x: x.mean(dim=1) / 2, "Your mean is half of it."),
)
HINTS = ("Along which axis?", "What is left?", "x.mean(dim=1)")


@pytest.fixture
def given(monkeypatch):
    """given(reference, *probes, …) puts an exercise on the list for one test."""

    def put(
        reference=row_means, *probes, mistakes=MISTAKES, hints=HINTS, time_limit=10.0, allows=()
    ):
        exercise = Exercise(
            ID, "Means of rows", reference, hints, mistakes, probes or PROBES, time_limit, allows
        )
        monkeypatch.setitem(EXERCISES, ID, exercise)
        return exercise

    return put


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("COURSE_EXPECT", raising=False)
    monkeypatch.delenv("COURSE_REPORT", raising=False)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back what a stuck thread leaves behind
    monkeypatch.setattr(sys, "stderr", sys.stderr)


# ---- verdicts ------------------------------------------------------------------------------------


def test_a_correct_function_is_returned_itself(given, capsys):
    given()

    def mine(x):
        return x.sum(1) / x.shape[1]

    assert check(ID, mine) is mine
    assert capsys.readouterr().out == "✔ correct — Means of rows\n"


def test_for_a_wrong_function_the_course_goes_on_with_its_own(given, capsys):
    exercise = given()
    assert check(ID, lambda x: x.mean(0)) is exercise.reference
    assert capsys.readouterr().out.splitlines() == [
        "✘ wrong — Means of rows",
        "You averaged each column: 3 numbers, not 2.",
        "(Tried: two rows, d = 3.)",
        f'For a hint, run hint("{ID}").',
        GOES_ON,
    ]


def test_an_untouched_function_is_not_attempted(given, capsys):
    exercise = given()

    def stub(x):
        """The mean of each row"""
        ...

    assert check(ID, stub) is exercise.reference
    assert capsys.readouterr().out == f"○ not attempted — Means of rows\n{GOES_ON}\n"


def returns_ellipsis(x):
    return ...


def passes(x):
    pass


def raises_not_implemented(x):
    raise NotImplementedError


def raises_not_implemented_with_words(x):
    raise NotImplementedError("your code here")


@pytest.mark.parametrize(
    "stub",
    [returns_ellipsis, passes, raises_not_implemented, raises_not_implemented_with_words],
)
def test_every_kind_of_stub_is_not_attempted(given, stub):
    given()
    verdict = grade(ID, stub)
    assert (verdict.status, verdict.message, verdict.mistake) == ("not attempted", "", None)


def test_a_forgotten_return_is_not_attempted_and_told(given):
    given()

    def forgetful(x):
        result = x.mean(1)  # noqa: F841

    verdict = grade(ID, forgetful)
    assert verdict.status == "not attempted"
    assert verdict.message == "Your function ends without `return`."


def test_none_in_a_later_probe_is_wrong(given):
    given()

    def sometimes(x):
        if len(x) == 2:
            return x.mean(1)

    verdict = grade(ID, sometimes)
    assert verdict.status == "wrong"
    assert "expected a tensor of shape (1,), float32, got None" in verdict.message
    assert "one row, d = 1" in verdict.message


def copies_out_of_meta(x):
    return torch.empty(2, device="meta").cpu()


def asks_for_an_unknown_divergence(x):
    a, b = torch.distributions.Gumbel(x, x), torch.distributions.Poisson(x)
    return torch.distributions.kl_divergence(a, b)


@pytest.mark.parametrize("candidate", [copies_out_of_meta, asks_for_an_unknown_divergence])
def test_a_not_implemented_error_of_torch_is_wrong_and_not_unattempted(given, candidate):
    given()
    verdict = grade(ID, candidate)
    assert verdict.status == "wrong"
    assert verdict.message.startswith("NotImplementedError")


def test_a_function_that_works_in_place_and_returns_nothing_can_be_an_exercise(given):
    def clip(w):
        w.clamp_(-1, 1)

    given(clip, call("three weights", torch.tensor([-2.0, 0.5, 2.0])), mistakes=())

    def stub(w): ...

    assert grade(ID, lambda w: w.copy_(w.clip(-1, 1)) and None).status == "wrong"  # ambiguous bool
    assert grade(ID, clip).status == "correct"
    assert grade(ID, stub).status == "not attempted"
    verdict = grade(ID, lambda w: [w.clamp(-1, 1)] and None)
    assert "leaves `w` as it was" in verdict.message
    verdict = grade(ID, lambda w: [w.clamp_(-2, 1)] and None)
    assert verdict.message.startswith("argument w afterwards[0]: expected -1, got -2")


def test_a_class_can_be_an_exercise(given):
    class Tally:
        def __init__(self, start):
            self.n = start

        def next(self):
            self.n += 1
            return self.n

    class Stub:
        def __init__(self, start):
            self.n = start

        def next(self): ...

    class Polite(Stub):
        def next(self):
            raise NotImplementedError

    class Standing(Tally):
        def next(self):
            return self.n

    class Breaking(Tally):
        def next(self):
            return self.count + 1

    def observe(candidate):
        counter = candidate(3)
        return {"first": counter.next() + 0, "second": counter.next()}

    given(Tally, Probe("count from 3", observe), mistakes=())
    assert grade(ID, Tally).status == "correct"
    assert grade(ID, Stub).status == "not attempted"
    assert grade(ID, Polite).status == "not attempted"
    assert grade(ID, Standing).message.startswith("first: expected 4, got 3.")
    breaking = grade(ID, Breaking).message
    assert breaking.startswith("AttributeError: 'Breaking' object has no attribute 'count'")


def test_an_unknown_id_names_the_closest_and_returns_the_candidate(capsys):
    def mine(x):
        return x

    assert check("density.to_model_rnge", mine) is mine
    out = capsys.readouterr().out
    assert "There is no exercise 'density.to_model_rnge'. Is it density.to_model_range" in out
    assert GOES_ON not in out
    assert check(mine, "density.to_model_range") == "density.to_model_range"
    assert "The id of the exercise comes first, in quotes" in capsys.readouterr().out
    assert check("zzz", mine) is mine


@pytest.mark.parametrize("result", [torch.ones(3), 0.5, None, "row_means", [1, 2]])
def test_a_result_in_place_of_the_function_is_told(given, capsys, result):
    exercise = given()
    assert check(ID, result) is exercise.reference
    assert "pass the function itself, without parentheses" in capsys.readouterr().out


def test_the_courses_own_version_is_correct_and_named(given):
    exercise = given()
    verdict = grade(ID, exercise.reference)
    assert verdict.status == "correct"
    assert "This is the course's own version" in verdict.message


def test_a_fault_of_the_check_itself_does_not_stop_the_notebook(given, capsys):
    def observe(candidate):
        candidate(X)

    exercise = given(row_means, Probe("broken", observe))
    assert check(ID, row_means) is exercise.reference
    out = " ".join(capsys.readouterr().out.split())
    assert "The check itself failed, which is the course's fault: " in out
    assert "in the probe 'broken' the reference: AttributeError" in out


# ---- mistakes ------------------------------------------------------------------------------------


def test_a_named_mistake_is_recognised_in_another_style(given):
    given()
    verdict = grade(ID, lambda x: torch.stack([row.sum() for row in x]))
    assert (verdict.mistake, verdict.message.split("\n")[0]) == ("sum", "Your mean grows with d.")


def test_a_mistake_that_a_failing_probe_does_not_show_is_not_named(given):
    given()
    assert grade(ID, lambda x: x.sum(1) if len(x) > 1 else x.sum(1) + 1).mistake is None


def test_a_probe_that_the_function_does_not_get_through_says_nothing_of_a_mistake(given):
    given(row_means, *PROBES, call("two of two", X[:, :2]))
    assert grade(ID, lambda x: x.sum(1) if x.shape[1] != 2 else x.sum(2)).mistake == "sum"
    assert grade(ID, lambda x: x.sum(1) if len(x) == 1 else x.sum(2)).mistake is None


def test_a_mistake_that_one_probe_contradicts_is_not_named(given):
    given(row_means, *PROBES, call("one of each", X[:1, :1]))
    assert grade(ID, lambda x: x.sum(1) if len(x) > 1 else x.mean(1)).mistake == "sum"
    half = Mistake("half", lambda x: x.mean(1) / 2, "Half.")  # wrong where the student is right
    given(mistakes=(half,))
    assert grade(ID, lambda x: x.mean(1) / (2 if len(x) > 1 else 1)).mistake is None


def test_with_an_example_two_thirds_of_what_fails_are_enough(given):
    half = lambda x: x.mean(1) / 2  # noqa: E731
    named = Mistake("half", half, "You say {got}.", example(X[:1]))
    probes = [*PROBES, call("three rows", X.repeat(3, 1)), call("two of two", X[:, :2])]
    given(row_means, *probes, mistakes=(named,))
    assert grade(ID, lambda x: half(x) + (x.shape == (2, 2))).mistake == "half"
    assert grade(ID, lambda x: half(x) + (x.shape[1] < 3)).mistake is None
    given(row_means, *probes, mistakes=(Mistake("half", half, "Half."),))
    assert grade(ID, lambda x: half(x) + (x.shape == (2, 2))).mistake is None


def test_a_message_with_numbers_is_shown_only_where_the_function_gives_them(given):
    text = "The mean of 3 and 6 is {expected}; you say {got}, or {got:.2f}."
    grows = Mistake("sum", lambda x: x.sum(1), text, example(torch.tensor([[3.0, 6]]), gives=9))
    given(mistakes=(grows,))
    assert grade(ID, lambda x: x.sum(1)).message.startswith(
        "The mean of 3 and 6 is (4.5); you say (9), or (9.00)."
    )
    other = grade(ID, lambda x: x.sum(1) if x.shape != (1, 2) else x.sum(1) + 1)
    assert other.mistake is None and "mean of 3" not in other.message
    crashes = grade(ID, lambda x: x.sum(1) if x.shape != (1, 2) else x.sum(3))
    assert crashes.mistake is None
    picked = Mistake(
        "sum", lambda x: x.sum(1), "{got}, not {expected}.", example(X, pick=lambda r: r[0])
    )
    given(mistakes=(picked,))
    assert grade(ID, lambda x: x.sum(1)).message.startswith("6, not 2.")


def test_two_mistakes_that_look_alike_in_the_failing_probe_are_not_guessed_between(given):
    twice = Mistake("twice", lambda x: x.mean(1) * (2 if len(x) > 1 else 1), "Twice.")
    double = Mistake("double", lambda x: x.mean(1) * (2 if len(x) > 1 else 3), "Double.")
    given(mistakes=(twice, double))
    assert grade(ID, lambda x: x.mean(1) * (2 if len(x) > 1 else 4)).mistake is None
    assert grade(ID, twice.wrong).mistake == "twice"
    assert grade(ID, double.wrong).mistake == "double"


def test_a_mistake_that_is_right_in_the_failing_probe_is_not_named(given):
    late = Mistake("late", lambda x: x.mean(1) + (len(x) == 1), "Only one row.")
    given(mistakes=(late,))
    assert grade(ID, lambda x: x.mean(1) + 5).mistake is None


def test_a_mistake_within_the_tolerance_of_the_probe_is_not_named(given):
    near = Mistake("near", lambda x: 1.05 if len(x) > 1 else 3.0, "Near.")
    probes = [call("rough", X, atol=0.1), call("one row", X[:1])]
    given(lambda x: 1.0, *probes, mistakes=(near,))
    assert grade(ID, lambda x: 1.12).mistake is None
    assert grade(ID, near.wrong).mistake == "near"


def test_a_mistake_that_gives_nan_is_recognised(given):
    given(mistakes=(Mistake("nan", lambda x: x.mean(1) * float("nan"), "0/0 somewhere."),))
    assert grade(ID, lambda x: x.mean(1) / 0 * 0).mistake == "nan"


def test_a_mistake_that_raises_is_recognised_by_the_same_exception_only(given):
    given(mistakes=(Mistake("axis", lambda x: x.mean(dim=2), "There is no third axis."),))
    assert grade(ID, lambda x: x.sum(dim=2).mean(dim=2)).mistake == "axis"
    assert grade(ID, lambda x: x.mean(dim=3)).mistake is None


def test_the_mistakes_are_not_run_for_a_correct_function(given):
    def explode(x):
        raise AssertionError("must not run")

    ran = []
    given(mistakes=(Mistake("counts", lambda x: ran.append(1), "…"),))
    assert grade(ID, lambda x: x.mean(1)).status == "correct" and not ran
    assert grade(ID, lambda x: x).status == "wrong" and ran


def test_a_mistake_may_lie_in_the_gradient_alone(given):
    detached = Mistake("detached", lambda x: x.mean(1).detach(), "Right, but nothing can learn.")
    given(row_means, call("two rows", X, grad=[0]), mistakes=(detached,))
    assert grade(ID, lambda x: x.sum(1) / 3).status == "correct"
    assert grade(ID, lambda x: x.data.mean(1)).mistake == "detached"


# ---- words where no mistake fits -----------------------------------------------------------------


def words_for(given, reference, candidate, *inputs):
    given(reference, *[call(f"probe {i}", x) for i, x in enumerate(inputs)], mistakes=())
    verdict = grade(ID, candidate)
    assert verdict.status == "wrong"
    return verdict.message.splitlines()


def test_the_smallest_input_that_shows_the_difference_is_shown(given):
    large = torch.arange(40.0).view(8, 5)
    lines = words_for(given, row_means, lambda x: x.mean(1) ** 2, large, X, X[:1])
    assert (
        lines
        == [
            "result[0]: expected 2, got 4.",
            "With x = ((1, 2, 3)): expected (2), got (4).",
            "(Tried: probe 2.)",
        ]
        or lines[-1] == "(Tried: probe 2.)"
    )
    assert "With x = ((1, 2, 3)): expected (2), got (4)." in lines


@pytest.mark.parametrize(
    "candidate, words",
    [
        (lambda x: 2 * x, "Everywhere 2 times too large."),
        (lambda x: x / 4, "Everywhere 4 times too small."),
        (lambda x: -x, "Everywhere with the sign turned over."),
        (lambda x: -3 * x, "Everywhere 3 times too large and with the sign turned over."),
        (lambda x: x + 0.5, "Everywhere 0.5 too large."),
        (lambda x: x * len(x), "Here everything is 2 times too large; with other arguments"),
        (lambda x: x * 0, "`x` has no influence: with other values your result stays."),
        (lambda x: x.T.clone(), "Rows and columns have changed places."),
        (lambda x: x.flip(1), "The right values, in reverse order along axis 1."),
        (lambda x: x.flatten().roll(1).view(x.shape), "The right values, in another order."),
        (lambda x: x.clamp(max=4), "What should lie above 4 is held there."),
        (lambda x: x.flatten(), "The values are right, their shape is not."),
        (lambda x: x.sum(), "You return the sum over everything of what was asked."),
        (lambda x: x.mean(1), "You return the mean over axis 1 of what was asked."),
        (lambda x: torch.stack([x, x]), "The mean of yours over axis 0 is what was asked."),
    ],
)
def test_what_is_systematic_is_said_in_words(given, candidate, words):
    inputs = (X, torch.tensor([[1.0, 5, 9, 7], [3, 8, 6, 2], [4.5, 9, 7, 5]]))
    assert words_for(given, lambda x: x + 0, candidate, *inputs)[0].startswith(words)


@pytest.mark.parametrize(
    "candidate",
    [
        lambda x: 2 * x if len(x) == 2 else x,
        lambda x: -x if len(x) == 2 else x,
        lambda x: x + 0.5 * (len(x) == 2),
        lambda x: 2 * x if len(x) == 2 else x + 1,
    ],
)
def test_everywhere_is_said_only_where_no_probe_contradicts_it(given, candidate):
    inputs = (X, torch.tensor([[1.0, 5, 9]]), 100 * torch.eye(3))
    lines = words_for(given, lambda x: x + 0, candidate, *inputs)
    assert "Everywhere" not in lines[0]


def test_a_probe_where_both_give_zero_contradicts_no_factor(given):
    lines = words_for(given, lambda x: x + 0, lambda x: 3 * x, X, torch.zeros(2, 3))
    assert lines[0] == "Everywhere 3 times too large."


def test_a_small_probe_contradicts_a_factor_beside_a_large_one(given):
    def candidate(x):
        return 2 * x if x.max() > 1 else 3 * x

    lines = words_for(given, lambda x: x + 0, candidate, 1e6 * X, 1e-2 * X)
    assert not lines[0].startswith("Everywhere")


@pytest.mark.parametrize(
    "candidate",
    [
        lambda x: x.flip(1) if len(x) == 2 else x + 1,
        lambda x: x.clamp(max=4) if len(x) == 2 else x.clamp(max=5),
    ],
)
def test_an_order_or_a_bound_is_said_only_if_it_explains_all_that_is_wrong(given, candidate):
    inputs = (X, torch.tensor([[1.0, 5, 9, 7], [3, 8, 6, 2], [4.5, 9, 7, 5]]))
    assert words_for(given, lambda x: x + 0, candidate, *inputs)[0].startswith("result[")


def test_a_gradient_that_arrives_elsewhere_is_not_called_cut(given):
    def half(x):
        return x.sum() if len(x) > 1 else x.sum().detach() + 0 * x.sum()

    def all_cut(x):
        return x.sum().detach() + 0 * x.sum()

    for candidate, cut in ((half, False), (all_cut, True)):
        probes = [call(f"{len(x)} rows", x, grad=[0]) for x in (X, X[:1])]
        given(lambda x: x.sum(), *probes, mistakes=())
        assert ("No gradient reaches" in grade(ID, candidate).message) == cut


def test_no_words_where_nothing_is_systematic(given):
    lines = words_for(given, row_means, lambda x: x.mean(1) ** 2 + 1, X, X.repeat(2, 2))
    assert lines[0].startswith("result[0]: expected 2, got 5")


def test_swapped_results_are_said(given):
    lines = words_for(given, lambda x: (x.mean(1), x.sum(1)), lambda x: (x.sum(1), x.mean(1)), X)
    assert lines[0] == "The two results have changed places."


def test_an_argument_without_influence_is_said(given):
    given(lambda x, sigma: x.mean(1) * sigma, call("this", X, 3.0), mistakes=())
    lines = grade(ID, lambda x, sigma: x.mean(1)).message.splitlines()
    assert lines[0] == "`sigma` has no influence: with other values your result stays."
    assert "influence" not in grade(ID, lambda x, sigma: x.mean(1) + sigma).message


def test_a_share_that_stays_by_luck_is_no_argument_without_influence(given):
    def above(x, y):
        return (x > y).float().mean()

    calls = [
        call("this", torch.tensor([a, 5.0]), torch.zeros(n)) for a, n in ((1.0, 2), (-0.05, 1))
    ]
    given(above, *calls, mistakes=())
    assert "`x`" not in grade(ID, lambda x, y: (x > y).float().sum()).message
    assert "`x` has no influence" in grade(ID, lambda x, y: (y > 1).float().mean()).message


def test_what_holds_in_the_wrong_probes_only_is_not_said_of_all(given):
    probes = call("this", X), call("that", -X)
    given(lambda x: x + 0, *probes, mistakes=())
    message = grade(ID, lambda x: x if x.sum() < 0 else 2 * x).message
    assert "large" in message and "Everywhere" not in message


@pytest.mark.parametrize(
    "wrong, words",
    [
        (torch.log, "the logarithm of what was asked"),
        (lambda x: 1 - x, "1 minus what was asked"),
        (lambda x: x.reciprocal(), "1 over what was asked"),
        (lambda x: x.round(), "what was asked, rounded to whole numbers"),
    ],
)
def test_a_simple_function_of_the_right_values_is_said(given, wrong, words):
    given(lambda x: x + 0, call("this", X / 4), call("that", 2 * X + 0.3), mistakes=())
    assert grade(ID, wrong).message.startswith(f"This is {words}.")


def test_another_default_shows(given):
    given(lambda x, end=2.0: x * end, call("this", X, 3.0), call("that", X), mistakes=())
    message = grade(ID, lambda x, end=5.0: x * end).message
    assert message.startswith("Right where `end` is given, wrong where it is left out.")
    assert "left out" not in grade(ID, lambda x, end=5.0: x + end).message


def test_a_count_of_whole_numbers_is_the_same_mistake(given):
    count = Mistake("a count", lambda x: (x > 2).float().sum(), "How many, not which share.")
    given(lambda x: (x > 2).float().mean(), call("this", X), mistakes=(count,))
    assert grade(ID, lambda x: (x > 2).sum()).mistake == "a count"


def test_values_held_on_both_sides_are_said(given):
    given(lambda x: x + 0, call("this", X - 3), call("that", 2 * X - 5), mistakes=())
    message = grade(ID, lambda x: x.clamp(-1, 1)).message
    assert message.startswith("All values are held between -1 and 1.")


def test_a_wrong_type_and_a_wrong_shape_are_told_together(given):
    given(lambda x: (x > 2).float().mean(), call("this", X), mistakes=())
    message = grade(ID, lambda x: x > 2).message
    assert "expected float32, got bool" in message and "expected shape ()" in message


def test_one_number_for_all_is_not_called_held_at_a_bound(given):
    given(lambda x: x * x.sum(), call("this", X), call("that", X[:1]), mistakes=())
    assert "held" not in grade(ID, lambda x: x * 0 + x.min() * x.sum()).message


def test_the_gradient_of_a_single_number_has_no_hidden_weight(given):
    text = message_for(
        given,
        lambda a: a.sum(),
        lambda a: a.sum() + 0 * a.sum() + (a * 2 - a.detach() * 2).sum(),
        torch.ones(3),
        grad=[0],
    )
    assert "gradient of argument a[0]: expected 1, got 3" in text


def test_values_are_told_before_gradients_and_these_before_changes_in_place(given):
    def all_wrong(x):
        y = (x.detach() * 2).mean(1) + x.mean(1) * 0.5
        x.data.add_(1)
        return y

    text = message_for(given, row_means, all_wrong, X, grad=[0])
    assert "result[0]: expected" in text.splitlines()[0] + text.splitlines()[1]
    assert "changes `x` in place" in text


# ---- comparing -----------------------------------------------------------------------------------


def message_for(given, reference, candidate, *args, **kwargs):
    given(reference, call("this", *args, **kwargs), mistakes=())
    verdict = grade(ID, candidate)
    return verdict.message if verdict.status == "wrong" else verdict.status


def test_the_shape_is_compared_before_the_values(given):
    text = message_for(given, row_means, lambda x: x + 1, X)
    assert text.startswith("result: expected shape (2,), got shape (2, 3).")


def test_a_column_in_place_of_a_row_is_refused_with_a_word_on_broadcasting(given):
    text = message_for(given, row_means, lambda x: x.mean(1, keepdim=True), X)
    assert "(2, 1) against (2,) broadcasts to (2, 2), without an error" in text
    text = message_for(given, row_means, lambda x: x.mean(1, keepdim=True) - x.mean(1), X)
    assert "Broadcasting makes (2, 2) of a column (2, 1) and a row (2,)" in text
    text = message_for(given, row_means, lambda x: x.mean(1)[None], X)
    assert "An axis of length 1 counts" in text


def test_then_comes_the_kind_of_number(given):
    text = message_for(given, row_means, lambda x: x.mean(1).long(), X)
    assert text.startswith("result: expected float32, got int64.")
    text = message_for(given, lambda x: x > 2, lambda x: (x > 2).float(), X)
    assert text.startswith("result: expected bool, got float32.")
    text = message_for(given, lambda x: 3, lambda x: 6 / 2, X)
    assert text.startswith("result: expected whole numbers, got decimal numbers")
    text = message_for(given, lambda x: 1, lambda x: True, X)
    assert text.startswith("result: expected whole numbers, got True or False")


def test_then_the_first_differing_value(given):
    def off(x):
        y = x.clone()
        y[1, 1:] += 1
        return y

    text = message_for(given, lambda x: x + 0, off, X)
    assert text.startswith("result[1, 1]: expected 5, got 6 (2 of 6 values differ).")
    text = message_for(given, lambda x: 0.25, lambda x: 0.5, X)
    assert text.startswith("result: expected 0.25, got 0.5.")
    text = message_for(given, lambda x: 1.0, lambda x: 1.00002, X, atol=0, rtol=0)
    assert text.startswith("result: expected 1, got 1.00002.")
    text = message_for(given, lambda x: 1.0, lambda x: 1.0000002, X, atol=0, rtol=0)
    assert text.startswith("result: expected 1, got 1.0000002.")


@pytest.mark.parametrize(
    "same",
    [
        lambda x: torch.from_numpy(x.numpy().mean(1)),
        lambda x: x.mean(1) * (1 + 5e-5),
        lambda x: x.double().mean(1).float(),
        lambda x: x.mean(1).to_sparse(),
        lambda x: torch.nn.Parameter(x.mean(1), requires_grad=False),
    ],
)
def test_other_ways_to_the_same_numbers_are_accepted(given, same):
    assert message_for(given, row_means, same, X) == "correct"


def of_total(x):
    return x.sum() / 1


@pytest.mark.parametrize(
    "reference, other, words, allows",
    [
        (row_means, lambda x: x.numpy().mean(1), "a torch tensor, got a numpy array", "array"),
        (row_means, lambda x: x.mean(1).tolist(), "a torch tensor, got a list of 2", "list"),
        (of_total, lambda x: float(x.sum()), "of shape (), got a Python number (float)", "number"),
        (
            lambda x: [1, 2],
            lambda x: torch.tensor([1, 2]),
            "a list of 2, got a torch ten",
            "tensor",
        ),
        (row_means, lambda x: x.mean(1).double(), "expected float32, got float64", "dtype"),
        (row_means, lambda x: x.mean(1).half(), "expected float32, got float16", ""),
        (row_means, lambda x: x.mean(1).requires_grad_(), "carries its history", "graph"),
        (row_means, lambda x: torch.nn.Parameter(x.mean(1)), "carries its history", "graph"),
        (of_total, lambda x: x.double().sum(), "", ""),  # a single number mixes with all
        (lambda x: x.double().mean(1), row_means, "", ""),
        (lambda x: 3.5, lambda x: torch.tensor(3.5), "", ""),
        (lambda x: 3.5, lambda x: np.float64(3.5), "", ""),
        (
            lambda x: (x.mean(0), [x.mean()]),
            lambda x: (x.mean(0), [x.mean().item()]),
            "[0]",
            "number",
        ),
    ],
)
def test_the_type_of_a_result_is_the_references_or_allowed(given, reference, other, words, allows):
    exercise = given(reference, call("this", X), mistakes=())
    verdict = grade(ID, other)
    assert (
        (verdict.status == "wrong" and words in verdict.message)
        if words
        else (verdict.status == "correct")
    )
    if allows:
        given(reference, call("this", 2 * X), mistakes=(), allows=(allows,))
        assert grade(ID, other).status == "correct"
    assert grade(ID, exercise.reference).status == "correct"


@pytest.mark.parametrize(
    "expected, accepted, refused",
    [
        (2.0, [2, torch.tensor(2.0), np.float64(2), np.array(2.0), np.int64(2)], [True, "2.0"]),
        (2, [torch.tensor(2), np.int32(2), torch.tensor(2).byte()], [2.0, True, 3]),
        (10**30, [10**30], [10**30 + 1, 3]),
        (True, [np.bool_(True), torch.tensor(True)], [1, 1.0, False]),
        ("ab", ["ab"], ["Ab", b"ab", 3]),
        (1 + 2j, [torch.tensor(1 + 2j)], [1.0, 1 + 3j]),
        (float("nan"), [float("nan"), torch.tensor(float("nan"))], [0.0]),
        (float("inf"), [float("inf")], [-float("inf"), 1e30]),
        ((1, 2.0), [[1, 2.0], (torch.tensor(1), 2)], [(1,), (1, 2.0, 3), 1, torch.ones(2)]),
        ({"a": 1, "b": (2, 3)}, [{"b": [2, 3], "a": 1}], [{"a": 1}, {"a": 1, "b": (2, 4)}]),
        (torch.float32, ["torch.float32"], [torch.float64]),
        (torch.zeros(2), [], [[0.0, 0.0], None, "zeros"]),
    ],
)
def test_what_counts_as_the_same(given, expected, accepted, refused):
    def observe(candidate):
        return {"seen": candidate()}

    given(lambda: expected, Probe("once", observe), mistakes=())
    assert [grade(ID, lambda v=v: v).status for v in accepted] == ["correct"] * len(accepted)
    verdicts = [grade(ID, lambda v=v: v) for v in refused if v is not None]
    assert [verdict.status for verdict in verdicts] == ["wrong"] * len(verdicts)
    assert all(v.message.startswith(("seen", "result", "Your function")) for v in verdicts)


def test_the_tolerance_is_the_probes(given):
    assert message_for(given, lambda x: 1.0, lambda x: 1.05, X, atol=0.1) == "correct"
    assert message_for(given, lambda x: 1.0, lambda x: 1.05, X, rtol=0.1) == "correct"
    assert message_for(given, lambda x: 1.0, lambda x: 1.05, X).startswith("result")


def test_several_results_are_compared_one_by_one(given):
    def both(x):
        return x.mean(0), x.var(0)

    assert message_for(given, both, both, X) == "correct"
    assert message_for(given, both, lambda x: list(both(x)), X, grad=[0]) == "correct"
    text = message_for(given, both, lambda x: (x.mean(0), x.std(0)), X)
    assert text.startswith("This is the square root of what was asked.\nresult 2[0]: expected 4.5")
    text = message_for(given, both, lambda x: x.mean(0), X)
    assert text.startswith("Your function should return a tuple of 2 (a tensor of shape (3,)")
    assert "it returned a tensor of shape (3,), float32." in text


def test_a_result_that_the_probe_cannot_use_is_named(given):
    def observe(candidate):
        return {"mean": candidate(X).mean()}

    given(lambda x: x, Probe("the mean", observe), mistakes=())
    message = grade(ID, lambda x: "forty-two").message
    assert "Your function returned 'forty-two'" in message
    assert "test_exercise_engine" not in message and "Line" not in message


def test_a_probes_explanation_is_shown_when_its_observation_differs(given):
    sentence = "The mean of a row does not depend on the order in it."
    text = message_for(given, row_means, lambda x: x[:, 0], X, explain={"result": sentence})
    assert text.startswith(sentence + "\nresult[0]: expected 2, got 1")


def test_the_gradient_is_compared_too(given):
    def product(a, b):
        return a * b

    a, b = torch.tensor([2.0, 3.0]), torch.tensor([5.0, 7.0])
    assert message_for(given, product, lambda a, b: b * a, a, b, grad=[0, 1]) == "correct"
    text = message_for(given, product, lambda a, b: a * b.detach(), a, b, grad=[0, 1])
    assert text.startswith("No gradient reaches argument b: what computed it")
    text = message_for(given, product, lambda a, b: a.detach() * b, a, grad=[0, "b"], b=b)
    assert text.startswith("No gradient reaches argument a")
    text = message_for(
        given, product, lambda a, b: a * b + b.pow(2) - b.pow(2).detach(), a, b, grad=[1]
    )
    assert text.startswith("gradient of argument b[0]")
    half_detached = message_for(
        given, lambda a, b: a * b.detach(), product, a, b, grad=[0, 1]
    )  # a gradient that must not arrive
    assert half_detached.startswith("gradient of argument b[0]: expected 0, got")
    zero = message_for(
        given, lambda a: a.sum(), lambda a: (a - a.detach() + a.data).sum(), a, grad=[0]
    )
    assert zero == "correct"


# ---- arguments -----------------------------------------------------------------------------------


def changes_its_argument(x):
    x -= x.mean(1, keepdim=True)
    return x * 2


@pytest.mark.parametrize("grad", [[], [0]])
def test_an_argument_changed_in_place_is_found(given, grad):
    text = message_for(
        given, lambda x: (x - x.mean(1, keepdim=True)) * 2, changes_its_argument, X, grad=grad
    )
    assert text.startswith("argument x afterwards[0, 0]: expected 1, got -1")
    assert "Your function changes `x` in place: its caller finds other values." in text


def test_a_change_in_place_that_breaks_the_gradient_is_told_as_such(given):
    def squares_and_adds(x):
        y = x**2
        x += 1
        return y

    text = message_for(given, lambda x: x**2, squares_and_adds, X, grad=[0])
    assert "Your function changes `x` in place" in text


def test_a_change_in_place_is_found_in_lists_arrays_keywords_and_by_any_probe(given):
    def biggest(values):
        return max(values)

    def sorting(values):
        values.sort()
        return values[-1]

    assert "changes `values` in place" in message_for(given, biggest, sorting, [3, 1, 2])
    assert "changes `values` in place" in message_for(given, biggest, sorting, np.array([3, 1, 2]))
    assert "changes `values` in place" in message_for(given, biggest, sorting, values=[3, 1, 2])

    given(biggest, Probe("own", lambda f: {"max": f([3, 1, 2])}), mistakes=())
    message = grade(ID, sorting).message
    assert message.startswith("Your function changes `values` in place")


def test_a_change_in_place_that_the_reference_makes_too_is_no_error(given):
    assert message_for(given, changes_its_argument, changes_its_argument, X) == "correct"
    assert torch.equal(X, torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]))


def test_every_call_gets_fresh_arguments_a_generator_among_them(given):
    def noise(x, generator):
        return x + torch.randn(x.shape, generator=generator)

    probe = call("noise", X, generator=torch.Generator().manual_seed(3))
    given(noise, probe, probe, mistakes=())
    assert grade(ID, lambda x, generator: x + torch.randn(2, 3, generator=generator)).status == (
        "correct"
    )


# ---- what a call must leave as it was, unseen by any probe ---------------------------------------


def after(action):
    def candidate(x):
        result = x.mean(1)
        action()
        return result

    return candidate


@pytest.mark.parametrize(
    "action, words",
    [
        (lambda: torch.manual_seed(3), "seeds torch's random numbers anew"),
        (lambda: np.random.seed(3), "numpy's or Python's random numbers anew"),
        (lambda: random.seed(3), "numpy's or Python's random numbers anew"),
        (lambda: torch.set_grad_enabled(False), "leaves gradients switched off"),
        (lambda: torch.set_default_dtype(torch.float64), "leaves another default dtype"),
    ],
)
def test_global_state_left_behind_is_wrong(given, action, words):
    given()
    verdict = grade(ID, after(action))
    assert verdict.status == "wrong" and words in verdict.message
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    "action",
    [lambda: torch.rand(9), lambda: np.random.rand(9), random.random, lambda: put_back(torch.seed)],
)
def test_random_numbers_drawn_or_put_back_are_no_error(given, action):
    given()
    assert grade(ID, after(action)).status == "correct"


def put_back(action):
    with torch.random.fork_rng(devices=[]):
        action()


def test_requires_grad_of_an_argument_is_its_callers(given):
    text = message_for(given, row_means, lambda x: x.requires_grad_().mean(1).detach(), X)
    assert text.startswith(
        "Your function changes requires_grad of `x`, which belongs to its caller"
    )
    given(row_means, call("it", X), mistakes=(), allows=("requires_grad of `x`",))
    assert grade(ID, lambda x: x.requires_grad_().mean(1).detach()).status == "correct"


def test_modes_of_a_module_are_its_callers(given):
    net = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Dropout(0.5)).eval()
    given(lambda net, x: net(x).detach(), call("a net", net, X), mistakes=())
    assert grade(ID, lambda net, x: net.eval()(x).data).status == "correct"
    wrong = grade(ID, lambda net, x: (net(x).data, net.train())[0])
    assert "training mode of `net`" in wrong.message
    wrong = grade(ID, lambda net, x: net.requires_grad_(False)(x))
    assert "requires_grad of `net`" in wrong.message


def draws(x, generator):
    return x + torch.rand(x.shape, generator=generator)


@pytest.mark.parametrize(
    "candidate, words",
    [
        (lambda x, generator: x + torch.rand(x.shape), ""),
        (lambda x, generator: draws(x, torch.Generator().manual_seed(3)), "has drawn nothing"),
        (lambda x, generator: draws(x, generator.manual_seed(4)), "seeds `generator` anew"),
        (lambda x, generator: draws(x, generator.clone_state()), "has drawn nothing"),
    ],
)
def test_a_given_generator_is_drawn_from(given, candidate, words):
    if words.startswith("has") and not hasattr(torch.Generator, "clone_state"):
        pytest.skip("older torch")
    seeded = torch.Generator().manual_seed(3)
    given(draws, call("noise", X, generator=seeded), mistakes=())
    verdict = grade(ID, candidate)
    assert verdict.status == "wrong" and words in verdict.message


def test_a_function_that_remembers_is_found_by_the_second_round(given):
    given()
    known = {}

    def first_answer(x):
        return known.setdefault("first", x.mean(1)) if len(x) > 1 else x.mean(1)

    assert grade(ID, first_answer).status == "correct"  # the same arguments, the same answer
    calls = []

    def wears_out(x):
        calls.append(1)
        return x.mean(1) + (len(calls) > len(PROBES))

    verdict = grade(ID, wears_out)
    assert verdict.message.startswith("Called once more with the same arguments")
    assert "(Tried a second time: one row, d = 1.)" in verdict.message


def test_what_is_drawn_unasked_is_found_by_the_second_round(given):
    given(row_means, call("this", X))
    fixed = torch.Generator().manual_seed(1729)

    def noisy(x):
        noise = torch.rand(2, generator=fixed.manual_seed(1729))
        return x.mean(1) + torch.rand(2) - noise  # 0 as long as the check's own seed is in use

    assert "draw random numbers that nobody gave it" in grade(ID, noisy).message


def test_a_function_that_is_slow_is_not_taken_twice(given):
    given(time_limit=1.0)
    calls = []

    def slow(x):
        calls.append(1)
        time.sleep(0.2)
        return x.mean(1)

    assert grade(ID, slow).status == "correct"
    assert len(calls) == len(PROBES)


# ---- exceptions ----------------------------------------------------------------------------------


def test_an_exception_shows_the_students_line_and_the_arguments(given):
    given()

    def divides(x):
        n = len(x) - 2
        return 1 // n

    assert grade(ID, divides).message.splitlines() == [
        "ZeroDivisionError: integer division or modulo by zero",
        "Line 3 of `divides`: `return 1 // n`",
        "With x = a tensor of shape (2, 3), float32.",
        "(Tried: two rows, d = 3.)",
    ]


def test_the_line_is_the_students_also_when_torch_raises_deep_inside(given):
    given()

    def mismatched(x):
        layer = torch.nn.Linear(4, 1)
        return layer(x)

    message = grade(ID, mismatched).message
    assert "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x1)" in message
    assert "Line 3 of `mismatched`: `return layer(x)`" in message
    assert "With x = a tensor of shape (2, 3), float32." in message
    assert "site-packages" not in message and "linear.py" not in message


def test_in_a_notebook_the_line_is_counted_in_the_cell(given):
    given()
    cell = "import torch\n\ndef f(x):\n    y = x + 1\n    return y.mean(axis_=1)\n"
    file = "/tmp/ipykernel_1/1234567.py"  # as ipykernel names a cell; there is no such file
    linecache.cache[file] = (len(cell), None, cell.splitlines(True), file)
    namespace = {}
    exec(compile(cell, file, "exec"), namespace)
    message = grade(ID, namespace["f"]).message
    assert message.startswith("TypeError: mean() received an invalid combination of arguments")
    assert "\nLine 5 of the cell: `return y.mean(axis_=1)`" in message


def test_a_wrong_signature_is_told_with_the_right_one(given):
    given(lambda x, sigma: x * sigma, call("two", X, 2.0), mistakes=())
    message = grade(ID, lambda x: x).message
    assert "takes 1 positional argument but 2 were given" in message
    assert "It should take (x, sigma)." in message
    given(lambda x, sigma: x * sigma, Probe("own", lambda f: {"y": f(X, 2.0)}), mistakes=())
    assert grade(ID, lambda x: x).message == message.replace("two.)", "own.)")


def raise_unprintable(x):
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    raise Odd


def recurse(x):
    return recurse(x) + 1


def recurse_to_the_death(x):
    try:
        return recurse_to_the_death(x)
    except RecursionError:
        return recurse_to_the_death(x)


def leave_politely(x):
    sys.exit("bye")


@pytest.mark.parametrize(
    "candidate, words",
    [
        (lambda x: sys.exit(3), "SystemExit: your function calls exit(), which would end"),
        (leave_politely, "SystemExit: your function calls exit(), which would end"),
        (lambda x: exit(), "SystemExit: your function calls exit(), which would end"),
        (lambda x: quit(), "SystemExit: your function calls exit(), which would end"),
        (recurse, "RecursionError: your function calls itself without end"),
        (lambda x: [0] * 2**60, "MemoryError: your function asks for more memory than there is"),
        (lambda x: torch.empty(2**60), "RuntimeError"),
        (lambda x: {}["key"], "KeyError: 'key'"),
        (raise_unprintable, "Odd: (its message cannot be shown)"),
        (lambda x: (_ for _ in ()).throw(KeyboardInterrupt), "KeyboardInterrupt"),
        (lambda x: (_ for _ in ()).throw(GeneratorExit), "GeneratorExit"),
        (lambda x: unknown_name, "NameError: name 'unknown_name' is not defined"),  # noqa: F821
    ],
)
def test_whatever_a_candidate_raises_the_notebook_goes_on(given, capsys, candidate, words):
    exercise = given(mistakes=())
    stdin = sys.stdin
    assert check(ID, candidate) is exercise.reference
    out, err = capsys.readouterr()
    assert words in out and err == ""
    assert out.splitlines()[0] == "✘ wrong — Means of rows"
    assert sys.stdin is stdin and not stdin.closed


def test_a_very_long_exception_is_cut(given):
    given()

    def shout(x):
        raise ValueError("spam " * 100_000 + "\n" * 1000)

    assert len(grade(ID, shout).message) < 800


# ---- time ----------------------------------------------------------------------------------------


def loop_for_ever(x):
    while True:
        pass


def loop_that_swallows_exceptions(x):
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            pass


def loop_that_swallows_once(x):
    try:
        loop_for_ever(x)
    except:  # noqa: E722
        return x.mean(1)


@pytest.mark.parametrize(
    "candidate", [loop_for_ever, loop_that_swallows_exceptions, loop_that_swallows_once]
)
def test_an_endless_loop_is_stopped(given, capsys, candidate):
    exercise = given(time_limit=0.3)
    before = threading.active_count()
    assert check(ID, candidate) is exercise.reference
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "Stopped after 0.3 s: does a loop never end?",
        "(Tried: two rows, d = 3.)",
    ]
    assert threading.active_count() == before


def test_the_time_limit_counts_all_probes_together_and_names_the_one(given):
    given(row_means, *[call(f"probe {i}", X) for i in range(10)], time_limit=0.5)

    def slow(x):
        time.sleep(0.15)
        return x.mean(1)

    message = grade(ID, slow).message
    assert message.startswith("Stopped after 0.5 s")
    assert any(f"probe {i}." in message for i in (1, 2, 3))


@pytest.fixture
def release():
    """Lets a stuck thread go at the end of a test."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "exercise":
            thread.join(5)


def test_a_loop_that_swallows_everything_is_abandoned_and_told(given, capsys, release):
    exercise = given(time_limit=0.3)

    assert check(ID, stubborn(release)) is exercise.reference
    out = capsys.readouterr().out
    assert "does a loop never end?" in out
    assert "Your function still runs and cannot be stopped from here: restart the kernel." in out
    time.sleep(0.2)
    print("the notebook's own words")  # what the abandoned thread prints is held back
    assert capsys.readouterr().out == "the notebook's own words\n"
    assert check(ID, row_means) is row_means
    assert "still here" not in capsys.readouterr().out
    release.set()
    time.sleep(0.3)
    grade(ID, row_means)
    assert type(sys.stdout).__name__ != "_Router"


def test_a_sleep_is_given_up_in_time(given, release):
    given(time_limit=0.3)
    verdict = grade(ID, lambda x: release.wait(1e6))  # like time.sleep: no exception gets in
    assert "does a loop never end?" in verdict.message
    assert "restart the kernel" in verdict.message


@pytest.fixture
def ctrl_c():
    """ctrl_c(seconds) presses Ctrl-C that much later."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda seconds: threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_stops_the_check_and_not_the_notebook(given, capsys, ctrl_c):
    exercise, start = given(time_limit=60.0), time.monotonic()
    ctrl_c(0.4)
    assert check(ID, loop_for_ever) is exercise.reference
    assert time.monotonic() - start < 30  # no second look at what was stopped
    out = capsys.readouterr().out
    assert out.startswith("✘ wrong — Means of rows\nYou stopped the check.\n")
    assert "exercise" not in [thread.name for thread in threading.enumerate()]
    assert check(ID, row_means) is row_means


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_the_reference_runs_is_not_remembered(given, ctrl_c):
    started = threading.Event()

    def slow_reference(x):
        if not started.is_set():
            started.set()
            time.sleep(2)
        return x.mean(1)

    given(slow_reference)
    ctrl_c(0.3)
    assert grade(ID, row_means).message == "You stopped the check."
    assert grade(ID, row_means).status == "correct"


# ---- output and warnings -------------------------------------------------------------------------


def test_what_a_candidate_prints_is_shown(given, capsys):
    given()

    def chatty(x):
        print("x is", tuple(x.shape))
        sys.stderr.write("to stderr\n")
        return x.mean(1)

    assert check(ID, chatty) is chatty
    out, err = capsys.readouterr()
    assert out == (
        "✔ correct — Means of rows\nYour function printed:\n"
        "    x is (2, 3)\n    to stderr\n    x is (1, 1)\n    to stderr\n"
    )
    assert err == ""


def test_a_flood_of_a_million_lines_is_cut(given):
    given(row_means, call("once", X))

    def flood(x):
        for i in range(1_000_000):
            print(i)
        return x.mean(1)

    verdict = grade(ID, flood)
    assert verdict.status == "correct"
    assert verdict.message.splitlines()[:3] == ["Your function printed:", "    0", "    1"]
    assert verdict.message.endswith("… and 999,992 lines more")


def test_a_line_of_a_million_letters_is_cut(given):
    given()
    verdict = grade(ID, lambda x: (print("a" * 10**6), x.mean(1))[1])
    assert verdict.status == "correct" and len(verdict.message) < 400


def test_output_of_another_thread_is_not_taken(given, capsys):
    given(time_limit=5.0)
    go, gone = threading.Event(), threading.Event()

    def other():
        go.wait(5)
        print("a widget speaks")
        gone.set()

    threading.Thread(target=other, daemon=True).start()

    def waits(x):
        go.set()
        gone.wait(5)
        return x.mean(1)

    assert grade(ID, waits).message == ""
    assert capsys.readouterr().out == "a widget speaks\n"


def test_streams_are_put_back_also_where_a_candidate_redirects_them(given):
    given(time_limit=0.3)
    stdout = sys.stdout

    def redirects(x):
        with contextlib.redirect_stdout(open(os.devnull, "w")):
            loop_for_ever(x)

    grade(ID, redirects)
    assert sys.stdout is stdout


@pytest.mark.parametrize("setting", ["default", "ignore", "error"])
def test_warnings_are_shown_shortly(given, recwarn, setting):
    given()
    warnings.simplefilter(setting)

    def warns(x):
        for i in range(100):
            warnings.warn(f"number {i} is odd\nand more", stacklevel=1)
        return x.mean(1)

    verdict = grade(ID, warns)
    assert verdict.status == "correct"
    assert verdict.message.splitlines() == [
        f"Your function warned: UserWarning: number {i} is odd" for i in range(3)
    ]
    assert grade(ID, warns) == verdict  # the second time too
    assert not recwarn.list


# ---- what a check leaves behind ------------------------------------------------------------------


def global_state():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        [str(f) for f in warnings.filters],
        warnings.showwarning,
        sys.stdout,
        sys.stderr,
        type(builtins.exit).__name__ == type(builtins.quit).__name__ == "Quitter",
        threads_of_a_new_thread(),
    )


def threads_of_a_new_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen


def meddles(x):
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    torch.rand(3), np.random.rand(), random.random()
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return x.mean(1)


def meddles_and_raises(x):
    meddles(x)
    raise ValueError


def meddles_for_ever(x):
    meddles(x)
    loop_for_ever(x)


@pytest.mark.parametrize("candidate", [meddles, meddles_and_raises, meddles_for_ever])
@pytest.mark.parametrize("grad_mode", [True, False])
def test_global_state_is_as_before_whatever_a_candidate_does(given, candidate, grad_mode):
    given(time_limit=0.5)
    with torch.set_grad_enabled(grad_mode):
        before = global_state()
        assert before[-2]
        grade(ID, candidate)
        assert global_state() == before


def test_gradients_are_checked_also_inside_no_grad(given):
    given(row_means, call("two rows", X, grad=[0]), mistakes=())
    with torch.no_grad():
        assert grade(ID, lambda x: x.detach().mean(1)).status == "wrong"
        assert grade(ID, lambda x: x.sum(1) / 3).status == "correct"


def test_every_probe_starts_from_the_same_seed_and_dtype(given):
    def noise(x):
        return torch.randn(3), np.random.rand(), random.random(), str(torch.ones(1).dtype)

    probes = [call("first", X), call("second", X)]
    given(noise, *probes, mistakes=())

    def draws_more(x):
        result = noise(x)
        torch.rand(5), np.random.rand(), random.random()
        return result

    assert grade(ID, draws_more).status == "correct"
    torch.set_default_dtype(torch.float64)
    try:
        assert grade(ID, noise).status == "correct"
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_memory_between_calls_matters_only_where_it_shows(given):
    given()
    seen = []

    def counts(x):
        seen.append(1)
        return x.mean(1)

    def drifts(x):
        seen.append(1)
        return x.mean(1) + len(seen)

    assert grade(ID, counts).status == "correct"
    assert grade(ID, drifts).status == "wrong"


# ---- settings ------------------------------------------------------------------------------------


def test_course_expect_raises_on_another_verdict_naming_both(given, monkeypatch, capsys):
    given()
    monkeypatch.setenv("COURSE_EXPECT", "correct")
    assert check(ID, row_means) is row_means
    with pytest.raises(AssertionError, match="expected 'correct', got 'wrong'"):
        check(ID, lambda x: x)
    monkeypatch.setenv("COURSE_EXPECT", "not attempted")
    check(ID, returns_ellipsis)
    with pytest.raises(AssertionError, match="expected 'not attempted', got 'correct'"):
        check(ID, row_means)
    with pytest.raises(AssertionError, match="got 'wrong'"):
        check("vae.no_such_exercise", returns_ellipsis)
    monkeypatch.setenv("COURSE_EXPECT", "")
    check(ID, returns_ellipsis)


def test_course_report_collects_verdicts_as_lines_of_json(given, monkeypatch, tmp_path, capsys):
    given()
    monkeypatch.setenv("COURSE_REPORT", str(tmp_path / "verdicts"))
    check(ID, row_means)
    check(ID, MISTAKES[0].wrong)
    lines = [json.loads(line) for line in (tmp_path / "verdicts").read_text().splitlines()]
    assert [(line["id"], line["status"], line["mistake"]) for line in lines] == [
        (ID, "correct", None),
        (ID, "wrong", "columns"),
    ]
    monkeypatch.setenv("COURSE_REPORT", str(tmp_path / "no" / "such" / "folder"))
    assert check(ID, row_means) is row_means
    assert "could not be written" in capsys.readouterr().out


def test_a_console_without_check_marks_gets_plain_letters(given, monkeypatch):
    given()
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    check(ID, lambda x: x.mean(1))
    sys.stdout.flush()
    assert raw.getvalue().decode().strip() == "? correct ? Means of rows"


# ---- hints, solutions, predictions ---------------------------------------------------------------


def test_hints_come_one_by_one_until_there_are_no_more(given, capsys, monkeypatch):
    monkeypatch.setattr("course_lib.exercises.engine._hints_given", Counter())
    given()
    for _ in range(5):
        hint(ID)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [f"Hint {i} of 3: {text}" for i, text in enumerate(HINTS, 1)]
    assert lines[3] == lines[4] == f'There are no more hints. solution("{ID}") shows the solution.'


@pytest.mark.parametrize("tell", [hint, solution])
def test_hint_and_solution_never_raise(tell, capsys):
    for wrong in ("density.to_model_rang", None, ["x"], 3):
        assert tell(wrong) is None
    out = capsys.readouterr().out
    assert "Is it density.to_model_range" in out
    assert out.count("comes first, in quotes") == 3


def test_solution_shows_the_source_of_the_reference(given, capsys):
    given()
    solution(ID)
    assert capsys.readouterr().out.startswith('def row_means(x):\n    """The mean of each row')
    given(torch.mean)
    solution(ID)
    assert "cannot be found" in capsys.readouterr().out


def test_solution_is_highlighted_in_jupyter(given, capsys, monkeypatch):
    given()
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    solution(ID)
    assert shown[0]["text/markdown"].startswith("```python\ndef row_means(x):")
    assert shown[0]["text/markdown"].endswith("\n```")


@pytest.fixture
def questions(monkeypatch):
    number = Question("density.ratio", "Nearest over farthest?", None, 0.883)
    choices = {"yes": "An estimate can.", "no": "The distance cannot, its estimate can."}
    choice = Question("density.negative", "Can it be negative?", choices, "yes")
    monkeypatch.setitem(QUESTIONS, number.id, number)
    monkeypatch.setitem(QUESTIONS, choice.id, choice)


def test_a_number_is_noted_and_set_beside_the_truth(questions, capsys):
    prediction = predict("density.ratio", 0.5)
    assert capsys.readouterr().out == "Noted: 0.5.\n"
    assert prediction and prediction.guess == 0.5
    assert prediction.reveal(0.8834567) == "You said 0.5; measured: 0.8835."
    assert prediction.reveal(torch.tensor(0.25)) == "You said 0.5; measured: 0.25."
    assert prediction.reveal() == "You said 0.5; measured: 0.883."
    assert predict("density.ratio", 12_288).reveal(3806080) == (
        "You said 12,288; measured: 3,806,080."
    )
    assert predict("density.ratio", 0)  # a guess, although 0


@pytest.mark.parametrize("guess", [0.5, 1, np.float32(0.5), torch.tensor(0.5), "0.5"])
def test_every_kind_of_number_is_a_number(questions, guess):
    assert predict("density.ratio", guess).guess == float(guess)


@pytest.mark.parametrize("guess", ["a lot", True, [1, 2], float("nan"), torch.ones(2), {}, check])
def test_what_is_no_number_is_told(questions, capsys, guess):
    prediction = predict("density.ratio", guess)
    assert not prediction and prediction.guess is None
    assert capsys.readouterr().out.endswith("is no answer to this question: give a number.\n")
    assert prediction.reveal(0.5) == "Measured: 0.5."


def test_a_choice_gets_its_sentence(questions, capsys):
    assert predict("density.negative", "yes").reveal("yes") == (
        "You said yes: right. An estimate can."
    )
    wrong = predict("density.negative", " No ")
    assert wrong.guess == "no"
    assert wrong.reveal("yes") == ("You said no: it is yes. The distance cannot, its estimate can.")
    assert wrong.reveal() == wrong.reveal("yes")
    assert capsys.readouterr().out == "Noted: yes.\nNoted: no.\n"


@pytest.mark.parametrize("guess", ["maybe", 3, ["yes"], torch.ones(2)])
def test_an_invalid_choice_is_told_with_the_list(questions, capsys, guess):
    prediction = predict("density.negative", guess)
    assert not prediction
    assert capsys.readouterr().out.endswith("give one of: 'yes', 'no'.\n")
    assert prediction.reveal("yes") == "The answer: yes."


@pytest.mark.parametrize("blank", [None, ...])
def test_without_a_guess_nothing_is_noted_and_everything_runs(questions, capsys, blank):
    for question_id in ("density.ratio", "density.negative"):
        prediction = predict(question_id, blank)
        assert not prediction and prediction.guess is None and prediction.question.id == question_id
    assert predict("density.ratio").reveal(2) == "Measured: 2."
    assert capsys.readouterr().out == ""
    assert repr(predict("density.ratio")) == "Prediction(None)"


def test_an_unknown_question_is_told_and_gives_an_empty_prediction(questions, capsys):
    prediction = predict("density.rato", 0.5)
    assert not prediction and prediction.question is None
    assert "There is no question 'density.rato'. Is it density.ratio" in capsys.readouterr().out
    assert prediction.reveal(0.5) == "Measured: 0.5."


# ---- the report ----------------------------------------------------------------------------------

IMPORT = "from course_lib.exercises import check\nimport os, time"
RIGHT = """def to_model_range(images):
    return images / 127.5 - 1
to_model_range = check("density.to_model_range", to_model_range)"""
WRONG = """def fit_gaussian(x):
    print(os.environ["COURSE_SCALE"], os.getcwd())
    return x.mean(1) + 0 * missing_name
fit_gaussian = check("density.fit_gaussian", fit_gaussian)"""
UNTOUCHED = """def mmd2(x, y, sigmas, unbiased=True):
    ...
mmd2 = check('density.mmd2', mmd2)"""
LEAVES = """def leave(images):
    exit()
check("density.to_model_range", leave)"""
LEFT_OUT = 'check("density.parzen_sample", parzen_sample)'
COMMENTED = '# check("density.select_bandwidth", select_bandwidth)'


@pytest.fixture
def report(tmp_path, monkeypatch, capsys):
    """Writes a notebook of these cells, runs the command; its exit code and lines."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.delenv("COURSE_SCALE", raising=False)

    def make(*cells, arguments=()):
        cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        cells.insert(1, nbformat.v4.new_markdown_cell('`check("vae.in_the_text", f)`'))
        folder = tmp_path / "a folder"
        folder.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "student.ipynb")
        code = main([str(folder / "student.ipynb"), *arguments])
        return code, capsys.readouterr().out.splitlines()

    return make


def test_the_report_tells_right_wrong_and_untouched(report, monkeypatch):
    monkeypatch.setenv("COURSE_EXPECT", "correct")  # must not leak into the student's run
    code, lines = report(IMPORT, COMMENTED, RIGHT, WRONG, "x = 1 / 0", UNTOUCHED)
    assert code == 0
    assert [" ".join(line.split()) for line in lines] == [
        "student.ipynb",
        "✔ correct density.to_model_range",
        "✘ wrong density.fit_gaussian NameError: name 'missing_name' is not defined",
        "○ not attempted density.mmd2",
        "Cell [5], `x = 1 / 0`, raised ZeroDivisionError: division by zero",
        "1 correct, 1 wrong, 1 not attempted",
    ]
    assert "COURSE_REPORT" not in os.environ and os.environ["COURSE_EXPECT"] == "correct"


def test_exit_inside_a_candidate_does_not_end_the_kernel(report):
    code, lines = report(IMPORT, RIGHT, LEAVES, UNTOUCHED)
    assert code == 0
    assert lines[1].split(maxsplit=3)[:3] == ["✘", "wrong", "density.to_model_range"]
    assert "SystemExit: your function calls exit()" in lines[1]
    assert "density.mmd2" in lines[2] and "not attempted" in lines[2]


def test_a_notebook_that_stops_is_reported_with_what_was_reached(report):
    code, lines = report(IMPORT, RIGHT, "os._exit(1)", LEFT_OUT)
    assert code == 1
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "✔ correct density.to_model_range",
        "– not reached density.parzen_sample",
        "The notebook stopped. Cell [3], `os._exit(1)`, ended the kernel.",
        "1 correct, 1 not reached",
    ]
    code, lines = report("import time", "time.sleep(99)", LEFT_OUT, arguments=["--timeout=5"])
    assert code == 1
    assert "The notebook stopped. Cell [2], `time.sleep(99)`, took longer than 5 s." in lines


def test_a_bad_path_gives_exit_code_2(tmp_path, capsys):
    (tmp_path / "broken.ipynb").write_text("{not json")
    (tmp_path / "empty.ipynb").write_text("[]")
    for path in ("no such.ipynb", "broken.ipynb", "empty.ipynb"):
        assert main([str(tmp_path / path)]) == 2
    assert capsys.readouterr().err.count("cannot be read as a notebook") == 3


def test_a_long_message_is_broken_between_words_and_code_is_not(capsys):
    from course_lib.exercises.telling import WIDTH, say

    code = "    " + "x + " * 40
    say("word " * 60 + "\n" + code)
    *prose, last = capsys.readouterr().out.rstrip("\n").split("\n")
    assert last == code
    assert max(map(len, prose)) <= WIDTH and " ".join(prose).split() == ["word"] * 60


def test_values_that_are_nearly_right_are_neither_reordered_nor_turned_over(given):
    rising = torch.tensor([0.15, 0.42, 0.71, 5.0])
    text = message_for(given, lambda x: x.clamp(max=0.999), lambda x: x.clamp(max=0.9999), rising)
    assert "order" not in text and "sign" not in text


# ---- what a wrong function would be right for ----------------------------------------------------


def weighed(x, y, share=0.25):
    return share * x.sum(1) + y.mean(1)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda x, y, share=0.25: weighed(x.clamp(-1, 1), y, share), "`x` held in [−1, 1]"),
        (lambda x, y, share=0.25: weighed(x, y.abs(), share), "`y` without its sign"),
        (lambda x, y, share=0.25: weighed(x.tanh(), y.tanh(), share), "`x` and `y` put through a"),
        (lambda x, y, share=0.25: weighed(y, x, share), "`x` and `y` exchanged"),
        (lambda x, y, share=0.25: weighed(y, y, share), "`y` in place of `x`"),
        (
            lambda x, y, share=0.25: weighed(x[:1].expand_as(x), y, share),
            "`x` cut down to its first",
        ),
        (lambda x, y, share=0.25: weighed(x, y, share**2), "`share` squared"),
    ],
)
def test_arguments_for_which_the_answer_would_be_right_are_told(given, wrong, words):
    other = torch.tensor([[-3.0, 1, 0.5], [2, -1, 4]])
    probes = call("this", X, other, grad=[0]), call("that", other / 2, X, 0.75, grad=[1])
    given(weighed, *probes, mistakes=())
    text = f"Your function gives what the right one gives with {words}"
    assert text in grade(ID, wrong).message


def test_an_argument_is_told_only_if_it_explains_all_that_was_seen(given):
    probes = call("this", X), call("that", -X), call("small", X / 10)
    given(row_means, *probes, mistakes=())
    assert "held in" in grade(ID, lambda x: x.clamp(-1, 1).mean(1)).message

    def sometimes(x):
        return (x if x.sum() < 0 else x.clamp(-1, 1)).mean(1)

    assert "gives what" not in grade(ID, sometimes).message


def test_yes_and_no_alone_are_no_reason_to_guess(given):
    given(lambda x: x.sum() > 0, call("this", X), call("that", -X), mistakes=())
    assert "gives what" not in grade(ID, lambda x: x.sum() < 0).message


def test_a_bound_does_not_make_an_argument_one_without_influence(given):
    given(lambda x: x.sum(), call("this", X), mistakes=())
    assert "influence" not in grade(ID, lambda x: x.sum().clamp(min=5)).message


def test_whole_numbers_of_any_length_are_no_trouble(given):
    given(lambda n: 2**n, call("small", 3), call("long", 70), call("longer", 2000), mistakes=())
    for wrong in (lambda n: 2.0 ** min(n, 900), lambda n: 2**n + 1, lambda n: 2 ** (n + 1)):
        assert "the check itself failed" not in grade(ID, wrong).message.lower()
        assert grade(ID, wrong).status == "wrong"


def test_equal_values_that_are_too_small_are_not_called_held_at_a_bound(given):
    given(lambda x: x + 0, call("this", torch.tensor([2.0, 3, 3, 0.5])), mistakes=())
    assert "held" not in grade(ID, lambda x: torch.where(x > 2, x - 1, x)).message
    given(lambda x: x + 0, call("this", torch.tensor([2.0, 3, 4, 0.5])), mistakes=())
    assert "above 2 is held" in grade(ID, lambda x: x.clamp(max=2)).message


def test_one_call_in_which_a_result_stays_does_not_make_an_argument_idle(given):
    def inside(x, k):  # where all are inside already, k has no say
        return (x < k).float().mean()

    calls = [call(f"{n} numbers", torch.arange(float(n)), k) for n, k in ((3, 1), (9, 4), (20, 7))]
    given(inside, *calls, mistakes=())
    assert "`k`" not in grade(ID, lambda x, k: (x < 4 * k).float().mean()).message
    assert "`k` has no influence" in grade(ID, lambda x, k: (x < 2).float().mean()).message
