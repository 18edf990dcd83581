"""More probes, with other numbers: a table of what the usual ones expect is worth nothing there."""

import functools
import importlib.util
from dataclasses import replace
from types import ModuleType

from course_lib.exercises import EXERCISES, LECTURES, Exercise, probing
from course_lib.exercises.comparing import same
from course_lib.exercises.engine import look


@functools.cache
def exercise(exercise_id: str, seed: int) -> Exercise:
    """The exercise as it is for live checks, and its probes once more with drawn numbers.

    Seed 0 draws none, and neither do probes of which no number is random.
    """
    usual = EXERCISES[exercise_id]
    if not seed:
        return usual
    return replace(usual, probes=(*usual.probes, *fresh(exercise_id, seed).probes))


@functools.cache
def differs(exercise_id: str, seed: int) -> bool:
    """Whether a seed draws anything. Proxy A-distance is not drawn: it takes seconds."""
    if not seed or exercise_id == "density.proxy_a_distance":
        return False
    both = (EXERCISES[exercise_id], fresh(exercise_id, seed))
    once, again = (look(e, e.reference).outcomes for e in both)
    return not all(same(a.observed, b.observed) for a, b in zip(once, again, strict=True))


def fresh(exercise_id: str, seed: int) -> Exercise:
    return _drawn(seed)[exercise_id]


@functools.cache
def _drawn(seed: int) -> dict[str, Exercise]:
    """All exercises, made anew with another start of the random numbers in their probes."""
    probing.SHIFT = seed
    try:
        modules = [_again(lecture) for lecture in LECTURES]
    finally:
        probing.SHIFT = 0
    return {e.id: e for module in modules for e in module.EXERCISES}


def _again(module: ModuleType) -> ModuleType:
    place, _, name = module.__name__.rpartition(".")
    spec = importlib.util.spec_from_file_location(f"{place}.drawn.{name}", module.__file__)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return fresh
