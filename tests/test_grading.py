"""The grading of a folder: a hundred submissions, some of them hostile, and the pieces."""

import contextlib
import csv
import io
import json
import math
import os
import socket
import time
from collections import Counter

import nbformat
import psutil
import pytest
import torch

from course_lib.exercises import EXERCISES, Verdict, grading
from course_lib.exercises.__main__ import main
from course_lib.exercises.comparing import Thing, same
from course_lib.exercises.engine import _trace
from course_lib.exercises.grading import Channel, Submission, decoded, encoded, read
from course_lib.exercises.running import Run
from tests.helpers import ROOT

FORKS = pytest.mark.skipif(os.name != "posix", reason="each process would import torch anew")
RANGE, SIZE, FIT = IDS = ("density.to_model_range", "dcgan.conv2d_size", "density.fit_gaussian")
C, W, N, M, S = "correct", "wrong", "not attempted", "not found", "stopped"

IMPORTS = """import contextlib, ctypes, gc, inspect, importlib, os, shutil, sys, threading, time
import torch
from course_lib.exercises import EXERCISES, check, grade"""
RIGHT = {
    RANGE: """def to_model_range(images):
    return images.float() / 127.5 - 1
to_model_range = check("density.to_model_range", to_model_range)""",
    SIZE: """def conv2d_size(size, kernel, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
conv2d_size = check("dcgan.conv2d_size", conv2d_size)""",
    FIT: """def fit_gaussian(x):
    mean = x.mean(dim=0)
    return mean, (x - mean).T @ (x - mean) / (len(x) - 1)
fit_gaussian = check("density.fit_gaussian", fit_gaussian)""",
}
BLANK = {
    RANGE: "def f(images):\n    ...\nf = check('density.to_model_range', f)",
    SIZE: "def g(size, kernel, stride=1, padding=0, dilation=1):\n    '''Later.'''\n"
    "conv2d_size = check('dcgan.conv2d_size', g)",
    FIT: "def fit_gaussian(x):\n    return None\nfit_gaussian = check('density.fit_gaussian', "
    "fit_gaussian)",
}


def ranged(body: str, before: str = "") -> list[str]:
    """A notebook whose first function has another body; the others are right."""
    lines = "\n".join("    " + line for line in body.splitlines())
    cell = f'def f(images):\n{lines}\nf = check("density.to_model_range", f)'
    return [IMPORTS, *filter(None, [before]), cell, RIGHT[SIZE], RIGHT[FIT]]


def at_last(body: str) -> list[str]:
    """The same, with that function behind the others."""
    imports, bad, *right = ranged(body)
    return [imports, *right, bad]


HONEST = {  # name -> (cells, what becomes of RANGE, SIZE, FIT)
    "all right": ([IMPORTS, *RIGHT.values()], (C, C, C)),
    "nothing done": ([IMPORTS, *BLANK.values()], (N, N, N)),
    "one left": ([IMPORTS, RIGHT[RANGE], BLANK[SIZE], RIGHT[FIT]], (C, N, C)),
    "a wrong one": (ranged("return images.float() / 255"), (W, C, C)),
    "lambda and keywords": (
        [
            IMPORTS,
            RIGHT[SIZE],
            RIGHT[FIT],
            f"check(candidate=lambda images: images / 127.5 - 1, exercise_id={RANGE!r})",
        ],
        (C, C, C),
    ),
    "a method, constants and helpers": (
        [
            "%matplotlib inline\n!pip install nothing",
            IMPORTS,
            "HALF = 255 / 2\nONE: int = 1\nclass Ranges:\n    @staticmethod\n"
            "    def to(images):\n        return shifted(images / HALF)",
            "def shifted(x):\n    return x - ONE",
            f'check("{RANGE}", Ranges.to)',
            RIGHT[SIZE],
            RIGHT[FIT],
        ],
        (C, C, C),
    ),
    "written again": (
        [
            *ranged("return images"),
            "def f(images):\n    return images / 127.5 - 1",
            f'f = check("{RANGE}", f)',
        ],
        (C, C, C),
    ),
    "made worse": ([IMPORTS, *RIGHT.values(), f'check("{SIZE}", lambda *_: 3)'], (C, W, C)),
    "no check": (
        [IMPORTS, RIGHT[RANGE], RIGHT[FIT], f'# conv2d_size = check("{SIZE}", conv2d_size)'],
        (C, M, C),
    ),
    "a cell that is no Python": (
        [IMPORTS, RIGHT[RANGE].replace("- 1", "- ("), RIGHT[SIZE], RIGHT[FIT]],
        (W, C, C),
    ),
    "a name that is nowhere": (
        [IMPORTS, f'check("{SIZE}", g)', RIGHT[RANGE], RIGHT[FIT]],
        (C, W, C),
    ),
    "called instead of passed": (
        [IMPORTS, RIGHT[RANGE], f'check("{SIZE}", len("abc"))', RIGHT[FIT]],
        (C, W, C),
    ),
    "built on what was wrong": (
        [
            *ranged("return images.float()"),
            f'check("{RANGE}", lambda images: f(images) * 1)',  # the last one counts: not solved
        ],
        (W, C, C),
    ),
    "goes on with the course's own": (
        [
            *ranged("return images")[:2],
            RIGHT[SIZE].replace("+ 1", "+ int(f(torch.tensor(255)))"),  # 1, where f is right
            RIGHT[FIT],
        ],
        (W, C, C),
    ),
    "trainings and loops": (
        [
            IMPORTS,
            "while True:\n    time.sleep(1)",
            "losses = train(forever)\nprint(losses)",
            *RIGHT.values(),
            "raise KeyError",
        ],
        (C, C, C),
    ),
}

FORGED = json.dumps({"stub": False, "own": False, "verdict": "correct", "run": {}})
HOSTILE = {
    "prints a verdict": (
        ranged(
            "print('✔ correct — From bytes to the range of a model')\n"
            "os.write(1, b'density.to_model_range correct')\nreturn images"
        ),
        (W, C, C),
    ),
    "prints without end": (ranged("print('x' * 10**7)\nreturn images / 127.5 - 1"), (C, C, C)),
    "redefines check": (
        ranged(
            "return images",
            "def check(exercise_id, candidate):\n    print('✔ correct')\n    return candidate\n"
            "class Now:\n    from course_lib import exercises as e\n"
            "    e.check = e.engine.check = check",
        ),
        (W, C, C),
    ),
    "redefines grade": (
        ranged(
            "return images",
            "class Now:\n    import course_lib.exercises as e\n    e.grade = e.engine.grade = "
            "lambda i, f: e.Verdict('correct')",
        ),
        (W, C, C),
    ),
    "patches the engine": (
        ranged(
            "return images",
            "def yes(*a, **k):\n    from course_lib.exercises import Verdict\n"
            "    return Verdict('correct')\n"
            "class Now:\n    from course_lib.exercises import comparing, engine, grading\n"
            "    engine.judge = engine._judge = grading.judge = grading._verdict = yes\n"
            "    comparing.difference = engine.difference = lambda *a, **k: ''\n"
            "    comparing.same = engine._same = lambda *a: True",
        ),
        (W, C, C),
    ),
    "patches torch's comparisons": (
        ranged(
            "return images",
            "class Now:\n    def yes(*a, **k):\n        return torch.tensor(True)\n"
            "    torch.isclose = torch.equal = torch.allclose = yes\n    torch.Tensor.all = yes\n"
            "    torch.Tensor.__eq__ = torch.Tensor.__ne__ = yes",
        ),
        (W, C, C),
    ),
    "equal to everything": (
        [
            IMPORTS,
            RIGHT[RANGE],
            "class Anything(int):\n    __eq__ = __ge__ = __le__ = lambda self, other: True\n"
            "    __hash__ = int.__hash__",
            f'check("{SIZE}", lambda *a, **k: Anything(7))',
            RIGHT[FIT],
        ],
        (C, W, C),
    ),
    "imports the solution": (
        [
            *ranged("from course_lib.exercises.start import to_model_range as t\nreturn t(images)"),
            f'from course_lib.density import fit_gaussian\ncheck("{FIT}", fit_gaussian)',
        ],
        (W, C, W),
    ),
    "loads it anew": (
        [
            *ranged("return images / 127.5 - 1")[:-1],
            "def again(x):\n    sys.modules.pop('course_lib.density')\n"
            "    from course_lib.density import fit_gaussian\n    return fit_gaussian(x)",
            f'check("{FIT}", again)',
        ],
        (C, C, W),
    ),
    "reads its source": (
        ranged(
            "import course_lib.exercises.start as start\nnamespace = {'images': images}\n"
            "exec(open(start.__file__).read(), namespace)\n"
            "return namespace['to_model_range'](images)"
        ),
        (W, C, C),
    ),
    "takes it from the table": (
        ranged(f"return EXERCISES[{RANGE!r}].reference(images)"),
        (W, C, C),
    ),
    "hands it in": ([*ranged("...")[:1], f"f = check({RANGE!r}, EXERCISES[{RANGE!r}].reference)",
                     RIGHT[SIZE], RIGHT[FIT]], (W, C, C)),
    "put it aside before": (
        ranged(
            "return Aside.f(images)",
            "import types\nclass Aside:\n"
            f"    f = types.FunctionType(EXERCISES[{RANGE!r}].reference.__code__, globals())",
        ),
        (W, C, C),
    ),
    "looks through the frames": (
        ranged(
            "frame = sys._getframe()\nwhile frame:\n    for value in [*frame.f_locals.values()]:\n"
            "        value = getattr(value, 'reference', value)\n"
            "        if getattr(value, '__name__', '') == 'to_model_range':\n"
            "            return value(images)\n    frame = frame.f_back"
        ),
        (W, C, C),
    ),
    "os._exit": (ranged("os._exit(0)"), (S, C, C)),
    "os._exit, and the others need it": (
        [
            *ranged("os._exit(0)")[:2],
            RIGHT[SIZE].replace("+ 1", "+ int(f(torch.tensor(255)))"),
            RIGHT[FIT].replace("- 1", "- int(conv2d_size(3, 3))"),
        ],
        (S, C, C),
    ),
    "os._exit everywhere": (
        [IMPORTS, *(f"check({i!r}, lambda *a, **k: os._exit(0))" for i in IDS)],
        (S, S, S),
    ),
    "sys.exit": (ranged("sys.exit()"), (W, C, C)),
    "crashes": (ranged("ctypes.string_at(0)"), (S, C, C)),
    "calls itself": (ranged("return f(images)"), (W, C, C)),
    "never ends": (at_last("while True:\n    pass"), (S, C, C)),
    "never ends, and listens to nobody": (
        at_last(
            "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass"
        ),
        (S, C, C),
    ),
    "never lets go": (at_last("return sum(range(10**12))"), (S, C, C)),
    "sleeps while it is read": (
        [IMPORTS, "class Slow:\n    time.sleep(600)", *RIGHT.values()],
        (S, S, S),
    ),
    "50 GB": (ranged("return torch.ones(50 * 2**30, dtype=torch.uint8)"), (W, C, C)),
    "ever more memory": (
        ranged("a = []\nwhile True:\n    a.append(torch.empty(2**26))"),
        (W, C, C),
    ),
    "writes to every descriptor": (
        at_last(
            f"for descriptor in range(3, 99):\n    with contextlib.suppress(OSError):\n"
            f"        os.write(descriptor, {FORGED!r}.encode() + b'\\n')\nreturn images"
        ),
        (W, C, C),
    ),
    "writes no end of a line": (
        at_last(
            "for descriptor in range(3, 99):\n    with contextlib.suppress(OSError):\n"
            "        os.write(descriptor, b'[' * 9999)\ntime.sleep(600)"
        ),
        (S, C, C),
    ),
    "a message too deep": (
        at_last(
            "for descriptor in range(3, 99):\n    with contextlib.suppress(OSError):\n"
            "        os.write(descriptor, b'[' * 99999 + b'\\n')\nreturn images"
        ),
        (W, C, C),
    ),
    "closes every descriptor": (ranged("os.closerange(0, 4096)"), (S, C, C)),
    "deletes its folder": (
        ranged("shutil.rmtree(os.getcwd())\nreturn images / 127.5 - 1"),
        (W, C, C),
    ),
    "deletes all submissions": (ranged("shutil.rmtree({folder!r})"), (W, C, C)),
    "rewrites a notebook": (
        ranged("open(os.path.join({folder!r}, '000 prints a verdict.ipynb'), 'w')"),
        (W, C, C),
    ),
    "reads another's notebook": (
        ranged("return open(os.path.join({folder!r}, '000 prints a verdict.ipynb')).read()"),
        (W, C, C),
    ),
    "forks": (ranged("for _ in range(9):\n    os.fork()"), (W, C, C)),
    "forks behind Python's back": (
        ranged(
            "for _ in range(3):\n    if ctypes.CDLL(None).fork() == 0:\n"
            "        time.sleep(600)\nreturn images"
        ),
        (W, C, C),
    ),
    "starts a program": (ranged("os.system('sleep 600')\nreturn images"), (W, C, C)),
    "kills its parent": (ranged("os.kill(os.getppid(), 9)\nreturn images"), (W, C, C)),
    "kills it behind Python's back": (
        ranged("ctypes.CDLL(None).kill(os.getppid(), 9)\nreturn images"),
        (W, C, C),
    ),
    "commands the terminal": (
        ranged("raise ValueError('=\\x1b[2J\\r\\n@' + chr(0xd800))"),
        (W, C, C),
    ),
    "parentheses": ([IMPORTS, *RIGHT.values(), "(" * 5000 + f"\ncheck({RANGE!r}, f)"], (C, C, C)),
}  # fmt: skip
FILES = {
    "no JSON": b"this is no notebook",
    "empty": b"",
    "no notebook": b'["cells"]',
    "brackets": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
}


def write_notebook(path, cells):
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


# ---- the course's own notebooks (first, as the first processes start slowly) --------------------


@pytest.fixture(scope="module")
def lectures(tmp_path_factory):
    """The graded notebooks of the course, by name: solved and unsolved."""
    folder, rows = tmp_path_factory.mktemp("lectures"), {}
    for kind in ("solutions", "notebooks"):
        (folder / kind).mkdir()
        for path in sorted((ROOT / kind).glob("*.ipynb")):
            (folder / kind / f"ann {path.name}").write_bytes(path.read_bytes())
    for row in grading.grade_all(grading.submissions(folder), 120, 4 << 30):
        rows[row.name] = row
    return rows


@FORKS
def test_every_solved_notebook_gets_full_marks(lectures):
    for name, row in lectures.items():
        if name.startswith("solutions"):
            assert grading.notes(row) == [], name
            assert row.score == len(row.ids) > 0


@FORKS
def test_every_unsolved_notebook_is_not_attempted(lectures):
    for name, row in lectures.items():
        if name.startswith("notebooks"):
            assert {row.verdicts[i].status for i in row.ids} == {"not attempted"}, name
    ids = [i for name, row in lectures.items() if name.startswith("notebooks") for i in row.ids]
    assert {*ids} == {*EXERCISES}


# ---- the folder ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """Where the processes of the submissions have their folders."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, scratch):
    """(name -> row of the table, the statuses that it should show, the folder), of 100 files."""
    folder = tmp_path_factory.mktemp("submissions")
    kinds, expected = {**HONEST, **HOSTILE}, {}
    names = [*HOSTILE, *[name for _ in range(9) for name in HONEST]]
    for number, name in enumerate(names[: 98 - len(FILES)]):
        cells, statuses = kinds[name]
        file = folder / f"{number:03} {name}.ipynb"
        write_notebook(file, [cell.replace("{folder!r}", repr(str(folder))) for cell in cells])
        expected[file.name] = statuses
    write_notebook(folder / "=SUM(A1).ipynb", [])
    (folder / "group").mkdir()
    write_notebook(folder / "group" / "deeper.ipynb", HONEST["all right"][0])
    for name, content in FILES.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    (folder / ".ipynb_checkpoints").mkdir()
    write_notebook(folder / ".ipynb_checkpoints" / "old.ipynb", HONEST["all right"][0])
    before = {path: path.read_bytes() for path in folder.rglob("*.ipynb")}
    with pytest.MonkeyPatch.context() as patch:
        out = io.StringIO()
        patch.setattr("sys.stdout", out)
        patch.setattr("tempfile.tempdir", str(scratch))
        patch.setattr("os.cpu_count", lambda: 4)  # those that only wait do so together
        code = main([str(folder), "--csv", "--timeout", "8", "--memory", "2"])
    assert code == 0
    assert before == {path: path.read_bytes() for path in folder.rglob("*.ipynb")}
    rows = {row["submission"]: row for row in csv.DictReader(io.StringIO(out.getvalue()))}
    return rows, expected


@FORKS
def test_a_hundred_submissions_get_the_scores_that_their_functions_earn(graded):
    rows, expected = graded
    assert len(rows) == 100
    found = {name: tuple(rows[name][i] for i in IDS) for name in expected}
    assert {n: s for n, s in found.items() if s != expected[n]} == {}
    scores = {name: (rows[name]["score"], rows[name]["of"]) for name in expected}
    assert scores == {name: (str(Counter(s)[C]), "3") for name, s in expected.items()}
    assert sum(name[4:-6] in HOSTILE for name in expected) == len(HOSTILE) >= 15
    assert rows["group/deeper.ipynb"]["score"] == "3"


@FORKS
def test_a_file_that_is_no_notebook_has_a_row_too(graded):
    rows, _ = graded
    for name in FILES:
        row = rows[f"{name}.ipynb"]
        assert (row["score"], row["of"]) == ("0", "0")
        assert row["notes"].startswith("cannot be read as a notebook: "), row
    row = rows["'=SUM(A1).ipynb"]
    assert (row["score"], row["of"], row["notes"]) == ("0", "0", "")


@FORKS
def test_the_notes_say_what_is_wrong_and_why_it_stopped(graded):
    rows = {name[4:-6]: row["notes"] for name, row in graded[0].items()}
    assert rows["all right"] == rows["nothing done"] == rows["prints without end"] == ""
    assert rows["a wrong one"].startswith(f"{RANGE}: Black comes out as 0 and should be -1")
    assert rows["os._exit"] == f"{RANGE}: ended its process"
    assert rows["never lets go"] == rows["sleeps while it is read"] == "took longer than 8 s"
    assert "not to be had while your work is graded" in rows["imports the solution"]
    assert "not to be had while your work is graded" in rows["loads it anew"]
    assert "not to be had while your work is graded" in rows["reads its source"]
    assert rows["writes to every descriptor"] == f"{RANGE}: sent something that is no result"
    assert "SyntaxError" in rows["a cell that is no Python"]
    assert "Cell [2]" in rows["a cell that is no Python"]
    assert "os.fork is not allowed" in rows["forks"]
    assert "cannot be changed" in rows["deletes all submissions"]
    for name in ("50 GB", "ever more memory"):
        assert rows[name] == f"{RANGE}: asked for more memory than 2 GB"
    assert all(text.isprintable() for text in rows.values())


@FORKS
def test_no_process_and_no_folder_of_a_submission_is_left(graded, scratch):
    def left():
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                found += [process] * process.cwd().startswith(str(scratch))
        return found

    deadline = time.monotonic() + 10
    while left() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left() == []
    assert [path for path in scratch.iterdir() if not path.name.startswith("pymp-")] == []


# ---- the command ---------------------------------------------------------------------------------


def test_without_csv_the_table_is_for_people(tmp_path, capsys, monkeypatch):
    def right_but_one(submission, timeout, memory):
        assert (timeout, memory) == (7, 3e9)
        submission.verdicts = {i: Verdict(C) for i in IDS} | {SIZE: Verdict(W, "Too\nlong.")}
        return submission

    monkeypatch.setattr(grading, "grade_one", right_but_one)
    write_notebook(tmp_path / "ann.ipynb", [*RIGHT.values()])
    write_notebook(tmp_path / "bob\x1b[2J.ipynb", [*RIGHT.values()])
    assert main([str(tmp_path), "--timeout", "7", "--memory", "3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "ann.ipynb      2 of 3  ✔ ✔ ✘",
        f"    {SIZE}: Too",
        "bob [2J.ipynb  2 of 3  ✔ ✔ ✘",
        f"    {SIZE}: Too",
        "4 correct, 2 wrong",
    ]
    assert "2/2" in printed.err


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_notebooks_is_an_error(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / name), "--csv"]) == 2
    assert "There is no notebook in" in capsys.readouterr().err


def test_a_spreadsheet_takes_no_cell_for_a_formula():
    row = Submission("=1+1.ipynb", ids=[RANGE], verdicts={RANGE: Verdict(W, "-1\n+2")})
    row.trouble = "@SUM(1)"
    lines = list(csv.reader(io.StringIO(grading.as_csv([row]))))
    assert lines[0] == ["submission", "score", "of", RANGE, "notes"]
    assert lines[1] == ["'=1+1.ipynb", "0", "1", "wrong", f"'@SUM(1); {RANGE}: -1"]


def test_an_exercise_of_another_notebook_leaves_its_column_empty():
    a = Submission("a", ids=[RANGE, SIZE], verdicts={RANGE: Verdict(C), SIZE: Verdict(M)})
    b = Submission("b", ids=[FIT], verdicts={FIT: Verdict(C)})
    lines = list(csv.reader(io.StringIO(grading.as_csv([b, a]))))
    assert lines[0][3:-1] == [RANGE, SIZE, FIT]
    assert [line[3:-1] for line in lines[1:]] == [["", "", C], [C, M, ""]]


def test_a_notebook_named_after_a_lecture_owes_all_exercises_of_that_lecture(tmp_path):
    write_notebook(tmp_path / "ann_04_dcgan (2).ipynb", [RIGHT[SIZE], RIGHT[RANGE]])
    [submission] = grading.submissions(tmp_path)
    assert SIZE in submission.ids and RANGE not in submission.ids and len(submission.ids) == 9


# ---- what a notebook holds -----------------------------------------------------------------------


def steps_of(*cells):
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return read(nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode())


def run_steps(steps):
    namespace = {}
    for step in steps:
        if step.code and not step.check:
            exec(step.code, namespace)
    return {name for name in namespace if not name.startswith("__")}


def test_only_definitions_constants_and_what_they_need_is_run():
    steps, broken = steps_of(
        "import math\nfrom math import tau as turn\nprint(1 / 0)\n1 / 0",
        "a = 1\nb: int = -2\nc, d = (3, [4])\ne = 1 / 0\nf = math.log(a)\nfor g in [1]:\n    pass",
        "h = f + 1\ndef half(x):\n    return x / h\nclass K:\n    size = a",
        f"check('{RANGE}', lambda x, e=1: half(x))",
    )
    assert broken == {}
    assert run_steps(steps) == {"math", "turn", "a", "b", "c", "d", "f", "h", "half", "K"}


def test_what_a_loop_makes_is_a_one_that_can_be_written_of():
    steps, _ = steps_of(
        "seen = {}\nfor k in 'ab':\n    seen[k] = 1 / 0",
        f"check('{RANGE}', lambda x: seen['a'][0])",
    )
    assert [step.names for step in steps if step.code is None] == [{"k", "seen"}]
    one = grading.Elsewhere(1)
    assert f"{one['a'][0]:.0%}" == "100%" and one + 1 == 2


@pytest.mark.parametrize(
    "cell, target",
    [
        ("f = check('density.to_model_range', f)", "f"),
        ("check('density.to_model_range', candidate=f)", ""),
        ("check(candidate=f, exercise_id='density.to_model_range')", ""),
        ("exercises.check('density.to_model_range', f)", ""),
        ("print(check('density.to_model_range', f))", ""),
        ("if True:\n    g = check('density.to_model_range', f)", ""),
        ("a = (7\n% 3)\nf = check('density.to_model_range', f)", "f"),
        ("%%time\n  \n!ls\nf = check('density.to_model_range', f)", "f"),
    ],
)
def test_a_check_is_found_however_it_is_written(cell, target):
    [step] = [step for step in steps_of(cell)[0] if step.check]
    assert (step.check, step.target) == (RANGE, target)
    assert eval(step.code, {"f": 5}) == 5


@pytest.mark.parametrize(
    "cell", ["check('no.such', f)", "check(name, f)", "check()", "hint('dcgan.conv2d_size')"]
)
def test_what_is_no_check_is_not_taken_for_one(cell):
    steps, broken = steps_of(cell)
    assert not any(step.check for step in steps) and not broken


# ---- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -(2**80), "ö\ud800", 1.5, math.nan, -math.inf, 1 - 2j, Thing("object"),
        (1, [2.0, ()]), {"a": 1, (1, 2): [None]}, torch.tensor(2.5), torch.zeros(0, 3),
        torch.tensor([[True, False]]), torch.arange(6, dtype=torch.uint8).view(2, 3),
        torch.randn(3, 2).T, torch.randn(2, dtype=torch.bfloat16), torch.randn(2) * 1j,
        (torch.randn(2) * 1j).conj(),
    ],
    ids=repr,
)  # fmt: skip
def test_a_snapshot_arrives_as_it_was(value):
    arrived = decoded(json.loads(json.dumps(encoded(value))))
    assert type(arrived) is type(value) and same(value, arrived)
    if isinstance(value, torch.Tensor):
        assert arrived.dtype == value.dtype and arrived.shape == value.shape


def test_what_is_sent_has_plain_types_only():
    class Liar(float):
        __eq__ = __ge__ = lambda self, other: True
        __hash__ = float.__hash__

    class Text(str):
        __eq__ = Liar.__eq__
        __hash__ = str.__hash__

    arrived = decoded(json.loads(json.dumps(encoded([Liar(2), Text("a")]))))
    assert list(map(type, arrived)) == [float, str] and arrived == [2.0, "a"]


@pytest.mark.parametrize(
    "message",
    [
        1.5, [], ["no tag"], ["float", 1.5], ["float", "1", "2"], {"a": 1}, ["thing", 3],
        ["thing"], ["tensor"], ["tensor", "torch.float32", [1], "AAAA"],
        ["tensor", "torch.float32", [2], "AAAAAA=="], ["tensor", "no dtype", [1], "AAAAAA=="],
        ["tensor", "torch.float32", [-7], ""], ["tensor", "torch.float32", [1], "ÄÄÄÄ"],
        ["dict", [1]], ["dict", [["list"], 1]], ["list", ["float", "x"]],
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_snapshot_is_refused(message):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, RuntimeError)):
        decoded(message)


def honest(exercise):
    seen = _trace(exercise, exercise.reference)
    runs = {"run": grading.encoded_run(seen), "asked": grading.encoded_run(Run())}
    return {"stub": False, "own": False} | runs


def test_an_honest_message_is_judged_and_a_damaged_one_is_no_result():
    exercise = EXERCISES[RANGE]
    good = json.dumps(honest(exercise))
    assert grading._verdict(exercise, json.loads(good)) == Verdict(C)
    assert grading._verdict(EXERCISES[SIZE], json.loads(good)).status == W
    damage = {
        "outcomes": [[], None, {}, [None], [{}], json.loads(good)["run"]["outcomes"][:-1]],
        "blank": [1, None],
        "stopped": [[], 1.0],
    }
    for key, values in damage.items():
        for value in values:
            message = json.loads(good)
            message["run"][key] = value
            assert grading._verdict(exercise, message) == Verdict(W, grading.NO_RESULT)
    for message in (None, 7, [], {}, {"run": {}}, {"run": None}):
        assert grading._verdict(exercise, message) == Verdict(W, grading.NO_RESULT)


@pytest.mark.parametrize("key, value", [("observed", None), ("error", "E"), ("changed", ["x"])])
def test_each_part_of_what_was_seen_counts(key, value):
    message = honest(EXERCISES[RANGE])
    message["run"]["outcomes"][1][key] = value
    assert grading._verdict(EXERCISES[RANGE], message).status == W


@pytest.fixture
def channel():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def test_a_message_arrives_in_pieces_and_with_its_neighbour(channel):
    ours, theirs = channel
    theirs.sendall(b'{"a"')
    theirs.sendall(b": 1}\n[2]\n")
    assert [ours.receive(time.monotonic() + 5) for _ in range(2)] == [{"a": 1}, [2]]


def test_a_message_that_does_not_end_is_waited_for_until_the_deadline(channel):
    ours, theirs = channel
    theirs.sendall(b"[1")
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        ours.receive(start + 0.2)
    assert time.monotonic() - start < 5
    theirs.close()
    with pytest.raises(EOFError):
        ours.receive(time.monotonic() + 5)


def test_a_message_may_not_be_larger_than_a_result_can_be(channel, monkeypatch):
    monkeypatch.setattr(grading, "LONGEST", 100)
    ours, theirs = channel
    theirs.sendall(b"[" * 101)
    with pytest.raises(ValueError, match="without end"):
        ours.receive(time.monotonic() + 5)


# ---- what a process does not have ----------------------------------------------------------------


def test_a_reference_that_was_taken_away_only_raises_and_comes_back():
    exercise = EXERCISES[FIT]
    x = torch.randn(5, 2)
    before, parameters = exercise.reference(x), str(grading.inspect.signature(exercise.reference))
    code = {n: grading._text_of(f.__code__) for n, f in grading._answers(exercise).items()}
    grading._take_away(exercise)
    try:
        for function in grading._answers(exercise).values():
            with pytest.raises(RuntimeError, match="not to be had"):
                function(x)
        assert str(grading.inspect.signature(exercise.reference)) == parameters
    finally:
        grading._give_back(exercise, code, [])
    assert same(before, exercise.reference(x))


def test_what_solves_an_exercise_that_is_yet_to_come_is_kept_back(monkeypatch):
    a, b = EXERCISES["vae.slerp"], EXERCISES["gan.slerp"]
    code = {n: grading._text_of(f.__code__) for n, f in grading._answers(a).items()}
    grading._take_away(a)
    grading._take_away(b)
    grading._give_back(a, code, [b.id])
    with pytest.raises(RuntimeError, match="not to be had"):
        a.reference(torch.ones(1, 2), torch.ones(1, 2), 0.5)
    grading._give_back(b, code, [])
    assert a.reference(torch.ones(1, 2), torch.ones(1, 2), 0.5).shape == (1, 2)


def test_what_the_library_has_under_the_same_name_is_taken_away_too():
    def answers(exercise_id):
        return set(grading._answers(EXERCISES[exercise_id]))

    assert "course_lib.autoencoders.one_hot" in answers("vae.one_hot")
    assert "course_lib.gan_losses.clip_weights" in answers("losses.clip_weights")
    assert answers("density.mmd2") == {"course_lib.density.mmd2"}
    assert answers("ethics.model_card") == {
        "course_lib.exercises.topics.ethics.model_card"
    }  # no helper


def test_each_exercise_has_an_answer_that_can_be_taken_away():
    for exercise in EXERCISES.values():
        answers = grading._answers(exercise)
        assert answers and not any(f.__code__.co_freevars for f in answers.values())
