"""What answers an exercise: the reference, the library's own like it, and what they are made of.

None of it is there while the exercise is graded. It is found by what it is, not by how a notebook
spells it: the code of a function is taken away, whatever name, table or closure leads to it.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import CodeType, ModuleType

import course_lib
from course_lib.exercises import Exercise


class Gone(RuntimeError):
    """Raised in place of what answers the exercise."""

    def __init__(self) -> None:
        super().__init__(
            "write this yourself: the course's own version is not to be had while your work is "
            "graded"
        )


def take_away(exercise: Exercise) -> None:
    """From now on what answers the exercise only raises Gone, whoever calls it."""
    for function in answers(exercise).values():
        refuse(function, Gone)


def refuse(function: Callable, error: type[Exception]) -> None:
    """From now on the function only raises `error`."""
    function.__signature__ = inspect.signature(function)
    free = "".join(f"{name}, " for name in function.__code__.co_freevars)
    source = f"def outer({free}):\n def gone(*_, **__):\n  ({free})\n  raise ..."
    code = _inner(_inner(compile(source, "<gone>", "exec")))
    consts = tuple(error if const is ... else const for const in code.co_consts)
    function.__code__ = code.replace(co_consts=consts)


def _inner(code: CodeType) -> CodeType:
    return next(const for const in code.co_consts if inspect.iscode(const))


@functools.cache
def answers(exercise: Exercise) -> dict[str, Callable]:
    """By full name, the functions that answer the exercise."""
    reference = exercise.reference
    if isinstance(reference, type):
        found = [f for f in vars(reference).values() if inspect.isfunction(f)]
    else:
        alike = [getattr(module, exercise.id.partition(".")[2], None) for module in library()]
        alike = [f for f in alike if inspect.isfunction(f) and _needs(f) <= _needs(reference)]
        found = map(inspect.unwrap, [reference, *alike])
    return {f"{f.__module__}.{f.__qualname__}": f for f in found}


def _needs(function: Callable) -> int:
    """How many arguments one has to give."""
    return sum(p.default is p.empty for p in inspect.signature(function).parameters.values())


@functools.cache
def library() -> list[ModuleType]:
    """All modules of the course but those of the exercises."""
    return [importlib.import_module(name) for name in modules() if ".exercises" not in name]


def modules() -> list[str]:
    """What a notebook imports. In a submission's process nothing of it can be read any more."""
    names = [m.name for m in pkgutil.walk_packages(course_lib.__path__, "course_lib.")]
    tools = {"build", "recipes", "__main__"}
    return [name for name in names if not tools & set(name.split("."))]
