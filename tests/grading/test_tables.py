"""The tables of a grading, and the command that prints them."""

import csv
import io

import pytest

from course_lib.exercises import Verdict, grading
from course_lib.exercises.__main__ import main
from course_lib.exercises.grading import Submission
from tests.grading.notebooks import FIT, IDS, RANGE, RIGHT, SIZE, C, M, W, write_notebook


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
