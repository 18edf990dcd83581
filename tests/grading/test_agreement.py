"""What `check` says in a notebook is what the grader says of it."""

import json
import subprocess
import sys

import pytest

from course_lib.exercises import EXERCISES, Verdict, grade, grading
from course_lib.exercises.engine import blanks_of, judge, passes
from course_lib.exercises.grading import submission
from course_lib.exercises.grading.handins import submissions
from course_lib.exercises.grading.sent import decoded_run
from course_lib.exercises.running import Run
from tests.grading.notebooks import write_notebook
from tests.test_exercises import VARIANTS

ANSWERS = [
    *((i, answer) for i, answers in VARIANTS.items() for answer in answers),
    *((e.id, mistake.wrong) for e in EXERCISES.values() for mistake in e.mistakes),
]


def sent(message):
    """A message as it comes out at the other end of the pipe."""
    return json.loads(json.dumps(message))


def graded(exercise, candidate) -> Verdict:
    """The grader's verdict, without its processes."""
    message = sent(submission._seen(exercise, candidate, blanks_of(exercise)))
    if "error" in message:
        return Verdict("wrong", message["error"])
    seen, asked = decoded_run(message["run"]), Run()
    if not (passes(exercise, seen) or seen.blank or seen.stopped):
        asked = decoded_run(sent(submission._asked(exercise, candidate)))
    return judge(exercise, seen, asked, message["stub"])


# every tenth exercise in `make test`, all of them in `make everywhere`
SOME = [
    pytest.param(i, marks=[pytest.mark.everywhere] * (number % 10 > 0))
    for number, i in enumerate(EXERCISES)
]


@pytest.mark.parametrize("exercise_id", SOME)
def test_an_answer_gets_one_verdict_and_one_message(exercise_id):
    exercise = EXERCISES[exercise_id]
    for candidate in (answer for i, answer in ANSWERS if i == exercise_id):
        one, live = graded(exercise, candidate), grade(exercise_id, candidate)
        assert (one.status, one.mistake) == (live.status, live.mistake), one.message
        assert live.message.startswith(one.message)  # live it also says what it printed and warned


IMPORT = "import torch\nfrom course_lib.exercises import check"
SIZE = """def conv2d_size(size, kernel, stride=1, padding=0, dilation=1):
    {first}
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + {one}
"""
CALL = 'conv2d_size = check("dcgan.conv2d_size", conv2d_size)'


def answer(one="1", first="pass"):
    return SIZE.format(one=one, first=first) + CALL


NOTEBOOKS = {
    "wrong": [IMPORT, answer("2")],
    "if": [IMPORT, "if torch.cuda.is_available():\n    ONE = 1\nelse:\n    ONE = 1", answer("ONE")],
    "try": [IMPORT, "try:\n    from math import floor\nexcept ImportError:\n    floor = int"]
    + [answer("floor(1.5)")],
    "with": [IMPORT, "with torch.no_grad():\n    ONE = int(torch.ones(1))", answer("ONE")],
    "loop": [IMPORT, "table = {}\nfor k in range(3):\n    table[k] = k", answer("table[1]")],
    "append": [IMPORT, "ones = []\nones.append(1)", answer("ones[0]")],
    "update": [IMPORT, "options = dict(one=0)\noptions.update(one=1)", answer("options['one']")],
    "global": [IMPORT, "def prepare():\n    global ONE\n    ONE = 1\nprepare()", answer("ONE")],
    "help": [IMPORT, "?sum\n" + answer() + "\nconv2d_size?"],
    "shell": [IMPORT, "files = !echo a\nhere = %pwd\n!echo a \\\n    b\n" + answer()],
    "await": [IMPORT, "import asyncio\nawait asyncio.sleep(0)\n" + answer()],
    "display": [IMPORT, answer(first="display(size), get_ipython()")],
    "in a loop": [IMPORT, SIZE.format(one="1", first="pass")]
    + ["for i, f in [('dcgan.conv2d_size', conv2d_size)]:\n    check(i, f)"],
    "another name": [IMPORT + " as c", SIZE.format(one="3", first="pass")]
    + ["c('dcgan.conv2d_size', conv2d_size)"],
    "in a function": [IMPORT, SIZE.format(one="1", first="pass")]
    + ["def main():\n    check('dcgan.conv2d_size', conv2d_size)\nmain()"],
}
LIVE = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell
for name, cells in json.loads(sys.argv[1]).items():
    os.environ["COURSE_REPORT"] = os.path.join(sys.argv[2], name + ".json")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    for cell in cells:
        shell.run_cell(cell, store_history=False)
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Each notebook's verdict in IPython, all cells in order."""
    folder = tmp_path_factory.mktemp("live")
    command = [sys.executable, "-c", LIVE, json.dumps(NOTEBOOKS), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    lines = {name: (folder / f"{name}.json").read_text(encoding="utf-8") for name in NOTEBOOKS}
    return {name: json.loads(text.splitlines()[-1])["status"] for name, text in lines.items()}


def test_a_notebook_gets_the_verdict_that_its_student_saw(live, tmp_path):
    for name, cells in NOTEBOOKS.items():
        write_notebook(tmp_path / f"{name}.ipynb", cells)
    rows = {row.name[:-6]: row for row in grading.grade_all(submissions(tmp_path)[0], 120, 4 << 30)}
    verdicts = {name: row.verdicts["dcgan.conv2d_size"].status for name, row in rows.items()}
    assert verdicts == live
    assert set(live.values()) == {"correct", "wrong"}
