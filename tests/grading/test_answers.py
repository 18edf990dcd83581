"""What answers an exercise, and that it can be taken away."""

import inspect

import pytest
import torch

from course_lib.exercises import EXERCISES
from course_lib.exercises.grading import answers
from tests.grading.notebooks import FIT


@pytest.fixture
def without(monkeypatch):
    """Takes away what answers an exercise, until the test is over."""

    def take(exercise_id):
        for function in answers.answers(EXERCISES[exercise_id]).values():
            monkeypatch.setattr(function, "__code__", function.__code__)
            monkeypatch.setattr(function, "__signature__", inspect.signature(function), False)
        answers.take_away(EXERCISES[exercise_id])

    return take


def test_what_was_taken_away_only_raises_and_keeps_its_signature(without):
    reference = EXERCISES[FIT].reference
    before = inspect.signature(reference)
    without(FIT)
    with pytest.raises(answers.Gone, match="write this yourself"):
        reference(torch.randn(5, 2))
    assert inspect.signature(reference) == before


def test_every_answer_can_be_taken_away(without):
    for exercise in EXERCISES.values():
        without(exercise.id)
        for function in answers.answers(exercise).values():
            with pytest.raises(answers.Gone):
                function()


def test_what_has_a_closure_can_be_taken_away():
    def closed(x, y=1):
        return kept, x

    kept = 3
    answers.refuse(closed, answers.Gone)
    with pytest.raises(answers.Gone):
        closed(1)
