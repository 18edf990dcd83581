"""Every widget of the course, made of the example that the fuzzer has for its function.

Without pytest, which the students' environment does not have: a notebook in JupyterLab makes
them too.
"""

import inspect
import pkgutil
from collections.abc import Callable

import ipywidgets

from course_lib import widgets
from tests import fuzzer


def makers() -> dict[str, Callable]:
    """{"widgets.gan.orbits": the function}: all public functions that make a widget."""
    modules = [f"widgets.{info.name}" for info in pkgutil.iter_modules(widgets.__path__)]
    found = fuzzer.functions(modules)
    found = {name: f for name, f, owner in found if owner is None}
    kinds = {name: inspect.signature(f).return_annotation for name, f in found.items()}
    boxes = [n for n, k in kinds.items() if inspect.isclass(k) and issubclass(k, ipywidgets.Widget)]
    return {name: found[name] for name in boxes}


def made(name: str) -> ipywidgets.Widget:
    return fuzzer.called(fuzzer.valid(name, makers()[name], None))
