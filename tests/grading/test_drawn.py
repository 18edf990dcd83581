"""Probes with other numbers."""

import pytest

from course_lib.exercises import EXERCISES, engine
from course_lib.exercises.grading import drawn

ID, TABLED = "vae.kl_to_standard_normal", "gan.nearest_neighbours"


def test_a_table_of_the_usual_probes_fails_where_numbers_are_drawn():
    usual, known = EXERCISES[TABLED], {}

    def noted(queries, images, k):
        key = str((queries, images, k))
        return known.setdefault(key, usual.reference(queries, images, k))

    def looked_up(queries, images, k):
        return known[str((queries, images, k))]

    assert engine.accepts(usual, noted) and engine.accepts(usual, looked_up)
    assert not engine.accepts(drawn.exercise(TABLED, 7), looked_up)


@pytest.mark.parametrize("seed", [1, 123456789])
def test_the_reference_passes_drawn_probes_and_each_mistake_fails(seed):
    exercise = drawn.exercise(ID, seed)
    assert drawn.differs(ID, seed) and len(exercise.probes) == 2 * len(EXERCISES[ID].probes)
    assert engine.accepts(exercise, exercise.reference)
    assert not any(engine.accepts(exercise, mistake.wrong) for mistake in exercise.mistakes)


def test_live_checks_are_not_drawn():
    assert drawn.exercise(ID, 0) is EXERCISES[ID]
    assert not drawn.differs("dcgan.conv2d_size", 5)  # all its numbers are fixed
