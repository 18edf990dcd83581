"""The grading of a folder: a hundred submissions, some of them hostile."""

import contextlib
import csv
import io
import json
import time
from collections import Counter

import psutil
import pytest

from course_lib.exercises import EXERCISES, grading
from course_lib.exercises.__main__ import main
from tests.grading.notebooks import (
    BLANK,
    FIT,
    FORKS,
    IDS,
    IMPORTS,
    RANGE,
    RIGHT,
    SIZE,
    C,
    M,
    N,
    S,
    W,
    at_last,
    ranged,
    write_notebook,
)
from tests.helpers import ROOT

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
            *ranged("from course_lib.exercises.topics.start import to_model_range as t\n"
            "return t(images)"),
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
            "import course_lib.exercises.topics.start as start\nnamespace = {'images': images}\n"
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
        (C, C, C),
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


# ---- the course's own notebooks (first, as the first processes start slowly) --------------------


@pytest.fixture(scope="module")
def lectures(tmp_path_factory):
    """The graded notebooks of the course, by name: solved and unsolved."""
    folder, rows = tmp_path_factory.mktemp("lectures"), {}
    for kind in ("solutions", "notebooks"):
        (folder / kind).mkdir()
        for path in sorted((ROOT / kind).glob("*.ipynb")):
            (folder / kind / f"ann {path.name}").write_bytes(path.read_bytes())
    for row in grading.grade_all(grading.submissions(folder)[0], 120, 4 << 30):
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
    moved = {"vae.slerp"}  # to lecture 03, as gan.slerp; notebooks begun before still hand it in
    assert {*ids} == {*EXERCISES} - moved


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
    assert rows["never lets go"] == "took longer than 8 s"
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
