"""How long one answer takes the check, the first time that its exercise is looked at."""

import statistics
import time

import pytest
import torch

from course_lib.exercises import EXERCISES, engine, grade, guessing
from tests.exercise_mutants import leaves, spoiled

pytestmark = pytest.mark.benchmark
KEPT = [engine._trace, engine._asked, engine._questions, engine._variations]
KEPT += [guessing._seen, guessing._guesses]


def other(value):
    is_float = isinstance(value, float) or getattr(value, "is_floating_point", bool)()
    return 1.37 * value + 0.11 if is_float else value


def unforeseen(exercise):
    """An answer that no mistake explains, so that all is tried."""
    reference = exercise.reference
    if isinstance(reference, type):
        calls = {"__call__": lambda self, *args: spoiled(reference.__call__(self, *args))}
        return type("Unforeseen", (reference,), calls)
    return lambda *args, **kwargs: leaves(reference(*args, **kwargs), other)


def seconds(exercise, answer):
    """CPU time of a check that remembers nothing."""
    for kept in KEPT:
        kept.cache_clear()
    start = time.process_time()
    grade(exercise.id, answer)
    return time.process_time() - start


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_an_answer_takes_less_than_a_second_and_a_half_in_the_median_and_five_at_most(wrong):
    torch.set_num_threads(1)
    answers = {e: unforeseen(e) if wrong else e.reference for e in EXERCISES.values()}
    taken = [seconds(*pair) for pair in answers.items()]
    print(f"\none answer: median {statistics.median(taken):.2f} s, at most {max(taken):.2f} s")
    assert statistics.median(taken) < 1.5 and max(taken) < 5
