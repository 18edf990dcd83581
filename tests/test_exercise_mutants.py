"""The tool that hands in wrong answers: it must see a hole in the probes."""

from dataclasses import replace

import pytest

from course_lib.exercises import EXERCISES
from tests import exercise_mutants
from tests.exercise_mutants import (
    answers,
    broken,
    calls_of,
    tried,
    unlisted,
    unproven,
    wrong_wrappers,
)

KL = EXERCISES["vae.kl_to_standard_normal"]


def test_every_answer_stands_in_a_solved_notebook_and_breaks_in_ten_ways_if_it_is_no_single_call():
    assert answers().keys() == EXERCISES.keys()
    few = {i for i, e in EXERCISES.items() if len(list(broken(e))) < 10}
    assert few == {"vae.sample", "vae.one_hot", "losses.wasserstein_g", "ethics.model_card"}


def test_a_hole_in_the_probes_shows():
    whole = tried(KL)
    hole = tried(replace(KL, probes=KL.probes[:1]))
    for row in (whole, hole):
        assert row.mutants == row.refused + len(row.survivors)
    assert len(hole.survivors) > len(whole.survivors)
    assert not whole.wronged


def test_the_list_must_hold_what_survives_and_no_more(monkeypatch):
    row = exercise_mutants.Row("vae.x", survivors=["a", "b"], wronged=["c"])
    listed = {"vae.x": {"b": "equal", "d": "gone"}}
    monkeypatch.setattr(exercise_mutants, "listed", lambda topic: listed)
    assert unlisted(row) == (["a", "c"], ["d"])


@pytest.mark.parametrize("exercise_id", ["vae.kl_to_standard_normal", "ddpm.q_sample"])
def test_the_wrappers_are_as_many_as_the_arguments_allow(exercise_id):
    names = [name for name, _ in wrong_wrappers(calls_of(EXERCISES[exercise_id]))]
    assert len(names) > 20 and len(set(names)) == len(names)


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.id)
def test_no_message_quotes_a_number_that_the_students_function_was_not_asked_for(exercise):
    assert not unproven(exercise)


@pytest.mark.parametrize(
    "message",
    ["Data 2 should cost −4; you say 4.", "Two cost you 2.", "0.5 with yours", "Yours is ½."],
)
def test_a_number_put_into_the_students_mouth_counts_as_quoted(message):
    assert exercise_mutants.QUOTES.search(message)
    assert not exercise_mutants.QUOTES.search("A slope of 2 should cost 1; you say {got}.")
