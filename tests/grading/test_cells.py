"""What of a notebook is run for which exercise."""

import pytest

from course_lib.exercises.grading.cells import CHECKED, read
from course_lib.exercises.grading.submission import Elsewhere
from tests.grading.notebooks import RANGE, SIZE, as_bytes


def needed(*cells, exercise_id=RANGE):
    """The lines that are run for an exercise: "2:1" is the first line of cell [2]."""
    plan = read(as_bytes(*cells))
    found = [plan.statements[n] for n in plan.needed[exercise_id]]
    return [f"{s.cell}:{s.line}" for s in found]


CALL = f"check({RANGE!r}, f)"


@pytest.mark.parametrize(
    "lines",
    [
        "if True:\n    A = 1\nelse:\n    A = 2",
        "try:\n    from math import floor as A\nexcept ImportError:\n    A = int",
        "with open(0) as A:\n    pass",
        "for A in range(3):\n    pass",
        "while (A := next(x)):\n    pass",
        "if True:\n    def A():\n        return 1",
        "if True:\n    class A:\n        pass",
        "match 1:\n    case A:\n        pass",
        "A: int = 3",
        "A, (b, *c) = 1, (2, 3)",
        "[A := k for k in range(3)]",
        "import math as A",
        "from math import *",
        "A = []\nA.append(1)",
        "A = {}\nA.update(one=1)",
        "A = {}\nA['one'] = 1",
        "A = {}\nfor k in range(3):\n    A[k] = k",
        "A = nn.Linear(1, 1)\nnn.init.ones_(A.weight)",
        "A = []\n[A.append(k) for k in range(3)]",
        "A = 0\nA += 1",
        "A = {'a': 1}\ndel A['a']",
        "def fill():\n    global A\n    A = 1\nfill()",
        "A = []\ndef fill():\n    A.append(1)\nfill()",
        "A = []\ndef inner():\n    A.append(1)\ndef fill():\n    inner()\nfill()",
        "def A():\n    return B\nB = 2",
        "class A:\n    pass\nA.size = 3",
        "exec('A = 1')",
        "globals()['A'] = 1",
        "%run helpers.py",
    ],
)
def test_a_name_may_come_from_any_statement(lines):
    count = len(compile_lines(lines))
    found = needed("noise = 1 / 0\nprint(noise)", lines, "def f(x):\n    return x + A", CALL)
    assert found == [*(f"2:{n}" for n in compile_lines(lines)), "3:1", "4:1"], count


def compile_lines(lines):
    """The first lines of the statements."""
    plan = read(as_bytes(lines))
    return [s.line for s in plan.statements]


@pytest.mark.parametrize(
    "cell",
    [
        "history = train(step, batches, steps=9)",
        "plots.grid(images)",
        "for x in batches:\n    loss = f(x)",
        "print(f(1))",
        "accuracy = f(images).mean()",
        "!pip install nothing",
        "%%time\nslow = f(1)",
        "A = 5",  # another one is bound later
    ],
)
def test_what_no_check_needs_is_not_run(cell):
    definitions = "A = 1\ndef f(x):\n    return x + A"
    assert needed(cell, definitions, CALL) == ["2:1", "2:2", "3:1"]


def test_a_use_of_a_checked_function_is_no_change_of_it():
    checked = f"def g(x):\n    return x\ng = check({SIZE!r}, g)"
    use, change = "g(noise).item()", "g = wrapped(g)\ng.size = 3"
    function = "def f(x):\n    return g(x)"
    cells = ["noise = 1 / 0", checked, use, function, CALL]
    assert needed(*cells) == ["2:1", "2:3", "4:1", "5:1"]
    cells[2] = change
    assert needed(*cells) == ["2:1", "2:3", "3:1", "3:2", "4:1", "5:1"]


def test_a_setting_is_always_run():
    assert needed("import torch\ntorch.manual_seed(0)\ntorch.ones(f)", CALL) == [
        "1:1",
        "1:2",
        "2:1",
    ]


def test_what_comes_after_the_last_check_is_not_run():
    assert needed("f = abs", CALL, "f = 3", exercise_id=RANGE) == ["1:1", "2:1"]


def test_each_exercise_has_its_own_lines():
    cells = ["a = 1", f"check({RANGE!r}, lambda x: a)", "b = 2", f"check({SIZE!r}, lambda x: b)"]
    assert needed(*cells) == ["1:1", "2:1"]
    assert needed(*cells, exercise_id=SIZE) == ["3:1", "4:1"]


@pytest.mark.parametrize(
    "source, expected",
    [
        ("f?", [1]),
        ("?f", [1]),
        ("x = !ls", [1]),
        ("x = %pwd", [1]),
        ("!ls \\\n  -l\ny = 1", [1, 2]),
        ("await f()", [1]),
        ("async with f() as x:\n    pass", [1]),
        ("%%time\na = 1\nb = 2", [2, 3]),
        ("%time a = 1", [1]),
        ("%%capture out\n%%time\na = 1", [3]),
        ("a = (7\n% 3)", [1]),
        (">>> a = 1\n>>> b = 2", [1, 2]),
        ("  a = 1\n  b = 2", [1, 2]),
        ("%%bash\nls", [1]),
        ("if True:\n    !ls", [1]),
    ],
)
def test_cells_are_read_as_ipython_reads_them(source, expected):
    plan = read(as_bytes(source))
    assert [s.line for s in plan.statements] == expected and not plan.broken


def test_a_future_import_holds_for_later_cells():
    later = "def f(x: Unknown) -> Nothing:\n    return x"
    plan = read(as_bytes("from __future__ import annotations", later))
    namespace = {}
    for statement in plan.statements:
        exec(statement.code, namespace)
    assert namespace["f"].__annotations__ == {"x": "Unknown", "return": "Nothing"}


@pytest.mark.parametrize(
    "cell",
    [
        "f = check('density.to_model_range', f)",
        "check('density.to_model_range', candidate=f)",
        "check(candidate=f, exercise_id='density.to_model_range')",
        "import course_lib\ncourse_lib.exercises.check('density.to_model_range', f)",
        "from course_lib.exercises import check as c\nc('density.to_model_range', f)",
        "from course_lib import exercises as e\ne.check('density.to_model_range', f)",
        "print(check('density.to_model_range', f))",
        "if True:\n    g = check('density.to_model_range', f)",
        "a = (7\n% 3)\nf = check('density.to_model_range', f)",
        "%%time\n  \n!ls\nf = check('density.to_model_range', f)",
        "for i, g in [('density.to_model_range', f)]:\n    check(i, g)",
        "ids = ['density.to_model_range']\n[check(i, f) for i in ids]",
        "def main():\n    check('density.to_model_range', f)\nmain()",
        "def main(i):\n    check(i, f)\nmain('density.to_model_range')",
        "def one():\n    check('density.to_model_range', f)\ndef main():\n    one()\nmain()",
        "from functools import partial\np = partial(check, 'density.to_model_range')\np(f)",
        "c = check\nc('density.to_model_range', f)",
        "run = lambda: check('density.to_model_range', f)\nrun()",
        "tools = {'check': check}\ntools['check']('density.to_model_range', f)",
        "list(map(check, ['density.to_model_range'], [f]))",
        "def deco(i):\n    return lambda g: check(i, g)\n@deco('density.to_model_range')\n"
        "def h(x):\n    return x",
        "try:\n    check('density.to_model_range', f)\nfinally:\n    pass",
        "f = (lambda g: check('density.to_model_range', g))(f)",
        "class A:\n    def b(self):\n        check('density.to_model_range', f)\nA().b()",
        "from course_lib.exercises import *\ncheck('density.to_model_range', f)",
        "def check(i, g):\n    return g\ncheck('density.to_model_range', f)",
    ],
)
def test_a_check_is_found_however_it_is_written(cell, monkeypatch):
    first = "from course_lib.exercises import check\ndef f(x):\n    return x"
    plan, seen = read(as_bytes(first, cell)), []
    monkeypatch.setattr("course_lib.exercises.check", lambda i, g: seen.append(i))
    namespace = {CHECKED: lambda exercise_id, candidate: seen.append(exercise_id)}
    namespace["get_ipython"] = lambda: MockShell()
    for n in plan.needed[RANGE]:
        exec(plan.statements[n].code, namespace)
    assert seen == [RANGE]


class MockShell:
    def system(self, command):
        pass


@pytest.mark.parametrize(
    "cell", ["check('no.such', f)", "check()", "hint('dcgan.conv2d_size')", "model.check(x)", "1"]
)
def test_what_is_no_check_is_not_taken_for_one(cell):
    plan = read(as_bytes(cell))
    assert not plan.needed and not plan.broken


def test_what_was_not_run_is_a_one_that_can_be_written_of():
    one = Elsewhere(1)
    assert f"{one['a'][0]:.0%}" == "100%" and one + 1 == 2
