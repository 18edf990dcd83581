"""Which files are hand-ins, whose they are, and what each owes."""

import io
import os
import zipfile

import pytest

from course_lib.exercises import grading
from course_lib.exercises.grading import handins
from tests.grading.notebooks import FIT, RANGE, RIGHT, SIZE, as_bytes, write_notebook
from tests.helpers import ROOT

NOTEBOOK = as_bytes(RIGHT[SIZE])


def filled(folder, *names, data=NOTEBOOK):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def found(target):
    rows, others = grading.submissions(target)
    return [row.name for row in rows], others


@pytest.mark.parametrize(
    "name",
    [
        "04_dcgan.ipynb",
        "Ana Ober_101_assignsubmission_file_/04_dcgan.ipynb",
        "Bo_102_assignsubmission_file_/my work/04_dcgan.ipynb",
        "a/b/c/d/e/04_dcgan.ipynb",
        "classroom-cy/notebooks/04_dcgan.ipynb",
        "04_DCGAN.IPYNB",
        "04_dcgan.ipynb.txt",
        "04_dcgan.Ipynb.JSON",
        "ann.ipynb",
        "Jörg Łukasz 王.ipynb",
    ],
)
def test_a_notebook_is_found_wherever_it_lies_and_however_it_ends(tmp_path, name):
    assert found(filled(tmp_path, name)) == ([name], [])


@pytest.mark.parametrize(
    "name",
    [
        "._04_dcgan.ipynb",
        "ann/._04_dcgan.ipynb",
        "__MACOSX/x.ipynb",
        ".ipynb_checkpoints/x.ipynb",
        ".git/x.ipynb",
        ".DS_Store",
        "Thumbs.db",
        "ann/desktop.ini",
    ],
)
def test_what_systems_leave_behind_is_no_hand_in(tmp_path, name):
    assert found(filled(tmp_path, name, "ann.ipynb")) == (["ann.ipynb"], [])


@pytest.mark.parametrize("name", ["ann.rar", "bob/report.pdf", "cy/04_dcgan.py", "dan.ipynb.pdf"])
def test_every_other_file_has_a_line(tmp_path, name):
    assert found(filled(tmp_path, name)) == ([], [f"{name}: no notebook"])


def test_a_link_to_a_folder_has_a_line_and_ends(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "loop").symlink_to(tmp_path)
    assert found(tmp_path) == ([], ["ann/loop: a link to a folder, not followed"])


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "ann.ipynb")
    [row], _ = grading.submissions(tmp_path)
    assert row.trouble == "cannot be read as a notebook: no plain file"


def test_a_zip_is_read_in_memory_wherever_its_names_lead(tmp_path):
    inner = zipped(**{"deep/04_dcgan.ipynb": NOTEBOOK})
    names = {"../../out.ipynb": NOTEBOOK, "/abs.ipynb": NOTEBOOK, "in.zip": inner}
    names |= {"__MACOSX/._x.ipynb": b"", "a.txt": b""}
    filled(tmp_path / "all", "Gus_7_assignsubmission_file_.zip", data=zipped(**names))
    rows, others = grading.submissions(tmp_path / "all")
    start = "Gus_7_assignsubmission_file_.zip/"
    assert [r.name for r in rows] == [
        f"{start}{n}" for n in ("abs.ipynb", "in.zip/deep/04_dcgan.ipynb", "out.ipynb")
    ]
    assert all(row.load() == NOTEBOOK for row in rows) and others == [f"{start}a.txt: no notebook"]
    assert os.listdir(tmp_path) == ["all"]


def test_one_zip_of_all_is_graded_like_a_folder(tmp_path):
    (tmp_path / "all.zip").write_bytes(zipped(**{"ann/04_dcgan.ipynb": NOTEBOOK}))
    assert found(tmp_path / "all.zip") == (["ann/04_dcgan.ipynb"], [])


def test_a_zip_that_unpacks_without_end_has_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(handins, "UNPACKED", 10**6)
    filled(tmp_path, "bomb.zip", data=zipped(**{f"{n}.ipynb": bytes(10**5) for n in range(20)}))
    filled(tmp_path, "torn.zip", data=zipped(a=NOTEBOOK)[:-30])
    nested = zipped(**{"b.zip": zipped(**{"c.zip": zipped(**{"d.ipynb": NOTEBOOK})})})
    filled(tmp_path, "nested.zip", data=nested)
    names, others = found(tmp_path)
    assert names == [] and [line.split(":")[0] for line in others] == [
        "bomb.zip",
        "nested.zip/b.zip/c.zip",
        "torn.zip",
    ]


def test_a_notebook_that_is_too_large_has_a_row_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(handins, "LARGEST", 1 << 20)
    filled(tmp_path, "a.ipynb", data=bytes(2 << 20))
    (tmp_path / "b.zip").write_bytes(zipped(**{"b.ipynb": bytes(2 << 20)}))
    rows, _ = grading.submissions(tmp_path)
    assert [row.trouble for row in rows] == ["cannot be read as a notebook: larger than 1 MB"] * 2


# ---- what is owed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "04_dcgan", "ann_04_dcgan (2)", "04_DCGAN", "04-dcgan", "04 dcgan", "Copy of 04_dcgan",
        "04_dcgan(1)", "04_dcgan-Copy1", "Kopie von 04_dcgan",
        "ober_101_2020_04_dcgan-1", "04dcgan",
    ],
)  # fmt: skip
def test_a_notebook_named_after_a_lecture_owes_all_exercises_of_that_lecture(tmp_path, name):
    write_notebook(tmp_path / f"{name}.ipynb", [RIGHT[SIZE], RIGHT[RANGE]])
    [row], _ = grading.submissions(tmp_path)
    assert SIZE in row.ids and RANGE not in row.ids and len(row.ids) == 9


def test_a_second_lecture_in_the_name_takes_nothing_away(tmp_path):
    write_notebook(tmp_path / "x_00_start_here_01_parzen_windows.ipynb", [RIGHT[RANGE]])
    [row], _ = grading.submissions(tmp_path)
    assert len(row.ids) == 7 and {RANGE, FIT} < {*row.ids}


def test_a_lecture_under_another_name_owes_what_it_owes_without_its_checks(tmp_path):
    path = ROOT / "notebooks" / "04_dcgan.ipynb"
    filled(tmp_path, "homework.ipynb", data=path.read_bytes().replace(b"check(", b"abs("))
    [row], _ = grading.submissions(tmp_path)
    assert len(row.ids) == 9


def test_any_other_notebook_owes_the_exercises_that_it_names(tmp_path):
    cell = f"for i in ['{SIZE}']:\n    check(i, f)\ncheck(\"{FIT}\", g)"
    write_notebook(tmp_path / "ann.ipynb", [cell])
    assert {*grading.submissions(tmp_path)[0][0].ids} == {SIZE, FIT}


# ---- two of one student --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names, who",
    [
        (["ann_04_dcgan.ipynb", "ann_04_dcgan (1).ipynb"], "ann"),
        (["ann_04_dcgan.ipynb", "Ann_04_DCGAN-Copy1.ipynb", "ann_04_dcgan_final.ipynb"], "ann"),
        (
            ["Ana_101_assignsubmission_file_/04_dcgan.ipynb"]
            + ["Ana_101_assignsubmission_file_/b.ipynb"],
            "Ana",
        ),
        (["ann/old/04_dcgan.ipynb", "ann/new/04_dcgan.ipynb"], "ann"),
        (["04_dcgan.ipynb", "Copy of 04_dcgan.ipynb"], "the same student"),
    ],
)
def test_two_hand_ins_of_one_student_are_both_there_and_marked(tmp_path, names, who):
    rows, _ = grading.submissions(filled(tmp_path, *names))
    assert len(rows) == len(names)
    assert {remark for row in rows for remark in row.remarks} == {
        f"one of {len(names)} hand-ins of {who}"
    }


@pytest.mark.parametrize(
    "names",
    [
        ["ann_04_dcgan.ipynb", "bob_04_dcgan.ipynb"],
        ["1234_04_dcgan.ipynb", "1235_04_dcgan.ipynb"],
        ["student 1.ipynb", "student 2.ipynb"],
        ["ann/04_dcgan.ipynb", "bob/04_dcgan.ipynb"],
        ["section A/ann_04_dcgan.ipynb", "section A/bob_04_dcgan.ipynb"],
    ],
)
def test_hand_ins_of_two_students_are_not_marked(tmp_path, names):
    rows, _ = grading.submissions(filled(tmp_path, *names))
    assert not any(row.remarks for row in rows)
