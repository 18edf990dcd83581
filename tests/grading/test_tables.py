"""The tables of a grading, and the command that prints them."""

import csv
import io
import sys

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


# ---- a file that grows row by row ----------------------------------------------------------------


@pytest.fixture
def right(monkeypatch):
    """Every submission is right; the names of those that are graded."""
    graded = []

    def grade_one(one, timeout, memory):
        graded.append(one.name)
        one.verdicts = dict.fromkeys(one.ids, Verdict(C))
        return one

    monkeypatch.setattr(grading, "grade_one", grade_one)
    return graded


def rows_of(file):
    with file.open(encoding="utf-8-sig") as lines:
        return {row["submission"]: row for row in csv.DictReader(lines)}


def test_the_file_is_utf8_with_a_mark_and_keeps_every_name(tmp_path, right):
    names = ["Jörg.ipynb", "Łukasz.ipynb", "王.ipynb"]
    for name in names:
        write_notebook(tmp_path / "all" / name, [RIGHT[SIZE]])
    file = tmp_path / "scores.csv"
    assert main([str(tmp_path / "all"), "--output", str(file)]) == 0
    assert file.read_bytes().startswith(b"\xef\xbb\xbfsubmission,score,of,")
    assert list(rows_of(file)) == sorted(names)


def test_a_stopped_grading_goes_on_where_it_was(tmp_path, right):
    for name in "abc":
        write_notebook(tmp_path / "all" / f"{name}.ipynb", [RIGHT[SIZE]])
    file = tmp_path / "scores.csv"
    arguments = [str(tmp_path / "all"), "--output", str(file)]
    assert main(arguments) == 0
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b"b.ipynb") + 4])  # killed in the middle of a row
    write_notebook(tmp_path / "all" / "a.ipynb", [RIGHT[SIZE], "new = 1"])  # handed in again
    right.clear()
    assert main(arguments) == 0
    assert right == ["a.ipynb", "b.ipynb", "c.ipynb"]
    right.clear()
    assert main(arguments) == 0 and right == []
    assert list(rows_of(file)) == ["a.ipynb", "b.ipynb", "c.ipynb"]


def test_each_row_is_there_as_soon_as_it_is_graded(tmp_path, right, monkeypatch):
    file, seen = tmp_path / "scores.csv", []

    def grade_all(todo, *_):
        for one in todo:
            one.verdicts = dict.fromkeys(one.ids, Verdict(C))
            yield one
            seen.append(len(rows_of(file)))

    monkeypatch.setattr("course_lib.exercises.__main__.grade_all", grade_all)
    for name in "abc":
        write_notebook(tmp_path / "all" / f"{name}.ipynb", [RIGHT[SIZE]])
    main([str(tmp_path / "all"), "--output", str(file)])
    assert seen == [1, 2, 3]


def test_a_file_that_is_no_table_is_not_written_over(tmp_path, right, capsys):
    write_notebook(tmp_path / "all" / "a.ipynb", [RIGHT[SIZE]])
    file = tmp_path / "thesis.csv"
    file.write_text("my,own\ntable,1\n")
    assert main([str(tmp_path / "all"), "--output", str(file)]) == 2
    assert file.read_text() == "my,own\ntable,1\n" and not right
    assert "is no table of scores" in capsys.readouterr().err


def test_a_file_without_a_row_is_named_and_the_exit_code_says_so(tmp_path, right, capsys):
    write_notebook(tmp_path / "all" / "a.ipynb", [RIGHT[SIZE]])
    (tmp_path / "all" / "b.rar").write_bytes(b"Rar!")
    assert main([str(tmp_path / "all"), "--csv"]) == 1
    assert "not graded: b.rar: no notebook" in capsys.readouterr().err


def test_a_console_that_lacks_a_letter_keeps_the_other_names(tmp_path, right, monkeypatch):
    for name in ("Jörg", "Łukasz"):
        write_notebook(tmp_path / "all" / f"{name}.ipynb", [RIGHT[SIZE]])
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    main([str(tmp_path / "all"), "--csv"])
    sys.stdout.flush()
    assert "Jörg.ipynb" in raw.getvalue().decode("cp1252")
    assert r"\u0141ukasz.ipynb" in raw.getvalue().decode("cp1252")


@pytest.mark.parametrize("option", ["--timeout", "--memory"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "-inf", "much"])
def test_a_limit_must_be_a_number_above_nought(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit):
        main([str(tmp_path), f"{option}={value}"])
    assert option in capsys.readouterr().err
