"""The notebooks and how they are made: on a small lecture of our own, then on the course's."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from PIL import Image

import course
from course_lib import build

LECTURE = '''\
# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     formats: ipynb,py:percent
# ---

# %% [markdown]
# # A lecture
# {{badge}}

# %%
# {{setup}}

# %%
import os
import sys

import ipywidgets
from IPython.display import display


# %% tags=["exercise"]
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    secret = 2 * x
    return secret
    ### END SOLUTION


# %% tags=["quality"]
print("Measured: 6.")
print(f"twice 3 is {double(3)}")

# %% [markdown]
# The same words twice.

# %% [markdown]
# The same words twice.

# %%
print(os.environ["COURSE_SCALE"], os.environ["COURSE_EXPECT"], os.path.basename(os.getcwd()))


# %%
display(ipywidgets.IntSlider())
print("a warning", file=sys.stderr)
sys.executable
'''
ADDRESS = "https://github.com/someone/some-course"
PYPROJECT = f'[project]\nversion = "1.2.3"\n\n[project.urls]\nRepository = "{ADDRESS}"\n'
SOURCE = f"git+{ADDRESS}@v1.2.3"
README = "# Some course\n\n<!-- measured -->\nold\n<!-- end -->\n\nThe end.\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_SCALE", raising=False)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "01_lecture.py").write_text(LECTURE)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "README.md").write_text(README)
    return tmp_path


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The small lecture, built and executed once for the tests that only look at it."""
    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    (root / "solutions" / "01_lecture.py").write_text(LECTURE)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "README.md").write_text(README)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_SCALE", raising=False)
        assert build.main(["--execute"], root) == 0
    return root


def notebook(root, folder):
    return nbformat.read(root / folder / "01_lecture.ipynb", as_version=4)


def cell_with(notebook, words):
    (cell,) = [cell for cell in notebook.cells if words in cell.source]
    return cell


def edit(root, before, after):
    source = root / "solutions" / "01_lecture.py"
    text = source.read_text()
    assert before in text
    source.write_text(text.replace(before, after))


def test_the_student_sees_a_stub_where_the_solution_stood(executed):
    text = (executed / "notebooks" / "01_lecture.ipynb").read_text()
    cell = cell_with(notebook(executed, "notebooks"), "def double")
    assert cell.source == 'def double(x):\n    """Twice x."""\n    ...'
    assert "secret" not in text and "SOLUTION" not in text


def test_the_student_gets_no_outputs_and_no_execution_counts(executed):
    for cell in notebook(executed, "notebooks").cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


def test_the_solved_notebook_keeps_solution_and_outputs(executed):
    solved = notebook(executed, "solutions")
    assert "secret = 2 * x" in cell_with(solved, "def double").source
    code = [cell for cell in solved.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


def test_it_runs_at_laptop_scale_in_its_folder_and_expects_right_answers(executed):
    (output,) = cell_with(notebook(executed, "solutions"), "print(os.environ").outputs
    assert output.text == "laptop correct solutions\n"


def test_it_runs_in_the_python_that_builds_and_keeps_neither_widgets_nor_warnings(executed):
    (output,) = cell_with(notebook(executed, "solutions"), "IntSlider").outputs
    assert eval(output.data["text/plain"]) == sys.executable


def test_both_carry_a_kernelspec_and_nothing_of_jupytext(executed):
    for folder in ("notebooks", "solutions"):
        read = notebook(executed, folder)
        run = read.metadata.pop("run", {})
        told = {"scale", "seconds", "gigabytes", "cores"}
        assert set(run) == (told if folder == "solutions" else set())
        assert read.metadata == build.METADATA
        assert read.metadata.kernelspec.name == "python3"
        for cell in read.cells:
            assert set(cell.metadata) <= {"tags"}
        assert cell_with(read, "def double").metadata.tags == ["exercise"]
        nbformat.validate(read)


def test_badge_and_setup_take_the_address_from_pyproject(executed):
    for folder in ("notebooks", "solutions"):
        read = notebook(executed, folder)
        colab = "https://colab.research.google.com/github/someone/some-course/blob/main/"
        assert f"({colab}{folder}/01_lecture.ipynb)" in read.cells[0].source
        first = next(cell for cell in read.cells if cell.cell_type == "code")
        assert f'"{SOURCE}"' in first.source
        assert len(first.source.splitlines()) <= 14
        assert "{{" not in "".join(cell.source for cell in read.cells)


def test_equal_cells_get_different_ids_and_ids_follow_the_content(root):
    build.main([], root)
    before = [cell.id for cell in notebook(root, "notebooks").cells]
    assert len(set(before)) == len(before)
    edit(root, "# # A lecture", "# # Another lecture")
    build.main([], root)
    after = [cell.id for cell in notebook(root, "notebooks").cells]
    assert after[0] != before[0] and after[1:] == before[1:]


def test_a_rebuild_gives_the_same_bytes(executed):
    paths = [executed / folder / "01_lecture.ipynb" for folder in ("notebooks", "solutions")]
    before = [path.read_bytes() for path in paths]
    assert build.main([], executed) == 0
    assert [path.read_bytes() for path in paths] == before
    assert build.main(["--check"], executed) == 0


def test_without_execute_changed_cells_lose_their_outputs_and_the_others_keep_them(root):
    build.main([], root)
    path = root / "solutions" / "01_lecture.ipynb"
    solved = nbformat.read(path, as_version=4)
    for count, cell in enumerate(c for c in solved.cells if c.cell_type == "code"):
        cell.execution_count = count + 1
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="kept\n")]
    path.write_text(build.to_text(solved))
    edit(root, "import os\n", "import os  # changed\n")
    build.main([], root)
    code = [cell for cell in notebook(root, "solutions").cells if cell.cell_type == "code"]
    assert [bool(cell.outputs) for cell in code] == [True, False, True, True, True, True]
    assert build.stale(root) == ["solutions/01_lecture.ipynb has cells that were never executed"]


@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_check_names_a_notebook_whose_source_has_changed(executed, tmp_path, folder, capsys):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", executed, copy], check=True)
    path = copy / folder / "01_lecture.ipynb"
    path.write_text(path.read_text().replace("A lecture", "Some lecture"))
    assert build.main(["--check"], copy) == 1
    said = capsys.readouterr().out
    assert said == f"{folder}/01_lecture.ipynb is not what 01_lecture.py gives\n"


def test_check_names_a_missing_notebook_and_one_without_a_source(executed, tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", executed, copy], check=True)
    (copy / "notebooks" / "01_lecture.ipynb").rename(copy / "notebooks" / "02_old.ipynb")
    assert build.stale(copy) == [
        "notebooks/01_lecture.ipynb is not what 01_lecture.py gives",
        "notebooks/02_old.ipynb has no source",
    ]


def test_check_writes_nothing(root):
    assert build.main(["--check"], root) == 1
    assert not (root / "notebooks").exists()
    assert not (root / "solutions" / "01_lecture.ipynb").exists()


def test_only_the_lectures_asked_for_are_built(root, capsys):
    (root / "solutions" / "02_next.py").write_text(LECTURE)
    assert build.main(["02"], root) == 0
    assert [path.name for path in (root / "notebooks").iterdir()] == ["02_next.ipynb"]
    assert build.main(["07"], root) == 1
    assert "no lecture 07" in capsys.readouterr().err


@pytest.mark.parametrize(
    "before, after, complaint",
    [
        ("# {{setup}}", "import torch", "first code cell"),
        ("# {{badge}}", "# no badge", "{{badge}}"),
        ("    ### BEGIN SOLUTION\n", "", "lacks an end"),
        ("    ### END SOLUTION\n", "", "lacks an end"),
    ],
)
def test_a_faulty_source_is_refused(root, before, after, complaint, capsys):
    edit(root, before, after)
    assert build.main([], root) == 1
    assert complaint in capsys.readouterr().err
    assert not (root / "notebooks").exists()


def test_a_notebook_that_fails_is_not_written(root, capsys):
    edit(root, "import os\n", "import os\n\nraise ArithmeticError('on purpose')\n")
    assert build.main(["--execute"], root) == 1
    assert "on purpose" in capsys.readouterr().err
    assert not (root / "solutions" / "01_lecture.ipynb").exists()


def test_the_readme_gets_time_memory_and_what_the_cells_of_quality_print(executed):
    text = (executed / "README.md").read_text()
    assert text.startswith("# Some course\n") and text.endswith("\nThe end.\n")
    row = next(line for line in text.splitlines() if line.startswith("| 01 |"))
    assert re.fullmatch(r"\| 01 \| \d\.\d \| – \| 0\.[1-9] GB \| twice 3 is 6 \|", row)


def test_a_run_as_on_an_ordinary_processor_keeps_its_time_and_nothing_else(executed, tmp_path):
    root = shutil.copytree(executed, tmp_path / "course")
    before = notebook(root, "solutions")
    edit(root, 'os.environ["COURSE_SCALE"]', 'os.environ.get("COURSE_BFLOAT16")')
    assert build.main(["--execute", "--float32"], root) == 0
    after = notebook(root, "solutions")
    (output,) = cell_with(after, "print(os.environ").outputs
    assert output.text == "None correct solutions\n"  # of the run before
    assert set(after.metadata.run) == {*before.metadata.run, "float32_seconds"}
    row = next(line for line in (root / "README.md").read_text().splitlines() if "| 01 |" in line)
    assert re.fullmatch(r"\| 01 \| \d\.\d \| \d\.\d \| .*", row)

    edit(
        root,
        'os.environ.get("COURSE_BFLOAT16")',
        '{}["on"] if "off" in os.environ.get("COURSE_BFLOAT16", "") else 1',
    )
    assert build.main(["--execute"], root) == 0
    assert "float32_seconds" not in notebook(root, "solutions").metadata.run
    assert build.main(["--float32"], root) == 1  # a claim that holds in bfloat16 alone


def test_what_one_lecture_lacks_has_no_sum():
    runs = [{"seconds": 60, "float32_seconds": 90}, {"seconds": 30}]
    assert build.minutes(runs, "seconds", ".1f") == "1.5"
    assert build.minutes(runs, "float32_seconds", ".1f") == "–"


@pytest.mark.parametrize(
    "key, words",
    [
        ("seconds", "60.0 minutes"),
        ("float32_seconds", "60.0 minutes"),
        ("gigabytes", "3600.0 giga"),
    ],
)
def test_a_run_longer_or_larger_than_a_laptop_bears_is_named(executed, tmp_path, key, words):
    root = shutil.copytree(executed, tmp_path / "course")
    path = root / "solutions" / "01_lecture.ipynb"
    solved = nbformat.read(path, as_version=4)
    solved.metadata["run"][key] = 3600
    path.write_text(build.to_text(solved))
    assert any(words in problem for problem in build.beyond_limits(root))


def test_a_picture_keeps_its_size_and_looks_in_fewer_bytes():
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8) // 8 * 8
    noise[:20] = (0, 114, 178)  # a colour of the figures
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "png")
    png = base64.b64encode(buffer.getvalue()).decode()
    small = build.smaller(png)
    picture = Image.open(io.BytesIO(base64.b64decode(small)))
    assert len(small) < 0.7 * len(png) and picture.size == (80, 60)
    off = np.abs(np.asarray(picture.convert("RGB")).astype(int) - noise)
    assert off[:20].max() <= 2 and off.mean() < 20


def test_a_solved_notebook_above_the_limit_is_refused(root, monkeypatch):
    monkeypatch.setattr(build, "SIZE_LIMIT", 1000)
    with pytest.raises(ValueError, match="01_lecture.ipynb has .* bytes"):
        build.build(root / "solutions" / "01_lecture.py", root)


# The set-up cell, run as a program with a `pip` of our own before the real one on its path.

PLACEHOLDER = f"https://github.com/{build.PLACEHOLDER}"
PIP = """\
import json, os, sys
json.dump(sys.argv[1:], open(os.environ["SAID"], "w"))
print("no such repository", file=sys.stderr)
sys.exit(int(os.environ["FAILS"]))
"""


def run_setup(tmp_path, installed, fails=0, address=ADDRESS, cwd=None, **environment):
    """Runs the cell where only `installed` modules can be found; (process, pip's arguments)."""
    (tmp_path / "pip").mkdir()
    (cwd := cwd or tmp_path / "elsewhere").mkdir(exist_ok=True)
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(PIP)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace(ADDRESS, address))
    find = f"util.find_spec = lambda name: name in {installed!r} or None"
    code = f"from importlib import metadata, util\n{find}\nmetadata.version = '9.{{}}'.format\n"
    code += build.setup(tmp_path)
    said = tmp_path / "said.json"
    environment |= {"PYTHONPATH": str(tmp_path), "SAID": str(said), "FAILS": str(fails)}
    base = {k: v for k, v in os.environ.items() if k != "COURSE_SOURCE"}
    options = {"env": base | environment, "cwd": cwd, "capture_output": True, "text": True}
    process = subprocess.run([sys.executable, "-c", code], **options)
    return process, json.loads(said.read_text()) if said.exists() else None


def test_setup_does_nothing_where_the_course_is_installed(tmp_path):
    process, arguments = run_setup(tmp_path, ["course_lib", "torch"])
    assert process.returncode == 0 and process.stdout == "" and arguments is None


def test_setup_installs_a_tag_of_the_repository_and_keeps_torch_torchvision_and_numpy(tmp_path):
    process, arguments = run_setup(tmp_path, ["torch", "torchvision", "numpy"])
    assert process.returncode == 0, process.stderr
    kept = ["torch==9.torch", "torchvision==9.torchvision", "numpy==9.numpy"]
    assert arguments == ["install", "--quiet", SOURCE, *kept]


def test_setup_asks_for_no_version_of_what_is_not_there(tmp_path):
    process, arguments = run_setup(tmp_path, ["numpy"])
    assert process.returncode == 0, process.stderr
    assert arguments == ["install", "--quiet", SOURCE, "numpy==9.numpy"]


def test_setup_can_be_pointed_at_a_local_checkout(tmp_path):
    _, arguments = run_setup(tmp_path, [], COURSE_SOURCE="/some where/else")
    assert arguments == ["install", "--quiet", "/some where/else"]


@pytest.mark.parametrize("address", [PLACEHOLDER, PLACEHOLDER.replace("-course/i", "-Course/I")])
def test_setup_refuses_an_address_that_anybody_may_claim(tmp_path, address):
    process, arguments = run_setup(tmp_path, ["torch"], address=address)
    assert process.returncode == 1 and arguments is None
    assert "RuntimeError: This copy of the course has no address" in process.stderr
    says_what_to_do(process.stderr)


def says_what_to_do(stderr):
    """As the last that a reader sees."""
    *_, head, lab, source, address = stderr.strip().splitlines()
    assert head == "The course is not installed here. What helps:"
    assert "make lab" in lab and "COURSE_SOURCE" in source and "tag v1.2.3" in address
    assert "python course.py address" in address and "address" in course.COMMANDS


@pytest.mark.parametrize("installed", [[], ["course_lib"]])
def test_without_an_address_a_local_checkout_or_an_installed_course_is_used(tmp_path, installed):
    there = {"COURSE_SOURCE": "/some where/else"}
    process, arguments = run_setup(tmp_path, installed, address=PLACEHOLDER, **there)
    assert process.returncode == 0, process.stderr
    assert arguments == (None if installed else ["install", "--quiet", "/some where/else"])


def test_a_new_address_or_version_costs_no_run_of_the_lectures(executed, tmp_path):
    copy = shutil.copytree(executed, tmp_path / "copy")
    path = copy / "pyproject.toml"
    path.write_text(path.read_text().replace("1.2.3", "1.3.0"))
    assert build.main([], copy) == 0
    assert build.stale(copy) == []
    assert "@v1.3.0" in (copy / "solutions" / "01_lecture.ipynb").read_text()


GUIDE = "```\ngit clone {address}\ncd {name}\n```\n"
TOP = "<!-- no address -->\n> none yet\n<!-- end -->\n\n"
BADGE = "https://colab.research.google.com/github/{name}/blob/main/notebooks/01_lecture.ipynb"


def test_one_command_gives_a_copy_its_address_everywhere_and_rebuilds(executed, tmp_path):
    copy = shutil.copytree(executed, tmp_path / "copy")
    path = copy / "pyproject.toml"
    path.write_text(path.read_text().replace(ADDRESS, PLACEHOLDER))
    assert build.main([], copy) == 0
    guide = GUIDE.format(address=PLACEHOLDER, name=PLACEHOLDER.split("/")[-1])
    (copy / "CONTRIBUTING.md").write_text(guide)
    (copy / "README.md").write_text(TOP + README + BADGE.format(name=build.PLACEHOLDER))
    assert build.main(["--address", "https://github.com/me/my.copy.git"], copy) == 0
    assert build.repository(copy) == "https://github.com/me/my.copy"
    guide = GUIDE.format(address="https://github.com/me/my.copy", name="my.copy")
    assert (copy / "CONTRIBUTING.md").read_text() == guide
    readme = (copy / "README.md").read_text()
    assert readme.startswith("# Some course") and readme.endswith(BADGE.format(name="me/my.copy"))
    for folder in ("notebooks", "solutions"):
        text = (copy / folder / "01_lecture.ipynb").read_text()
        assert "git+https://github.com/me/my.copy@v1.2.3" in text and "me/my.copy/blob" in text
        assert build.PLACEHOLDER not in text
    assert build.stale(copy) == []


@pytest.mark.parametrize(
    "address", ["me/copy", "https://gitlab.com/me/copy", "https://github.com/me"]
)
def test_an_address_that_cannot_be_one_changes_nothing(root, address, capsys):
    assert build.main(["--address", address], root) == 1
    assert "https://github.com/YOU/COPY" in capsys.readouterr().err
    assert build.repository(root) == ADDRESS


def test_setup_says_what_pip_said_when_pip_fails(tmp_path):
    process, _ = run_setup(tmp_path, [], fails=1)
    assert process.returncode == 1
    assert f"RuntimeError: pip could not install {SOURCE}:\nno such repository" in process.stderr
    says_what_to_do(process.stderr)


def test_a_notebook_in_a_clone_installs_the_clone_whatever_its_address(tmp_path):
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "notebooks").mkdir()
    for address in (ADDRESS, PLACEHOLDER):
        folder = tmp_path / address.rpartition("/")[2]
        folder.mkdir()
        process, arguments = run_setup(folder, [], address=address, cwd=tmp_path / "notebooks")
        assert process.returncode == 0, process.stderr
        assert arguments == ["install", "--quiet", ".."]


def test_the_notebooks_of_the_course_are_up_to_date():
    assert build.stale() == [], "run `python -m course_lib.build`"


def test_every_lecture_can_be_read_on_the_web():
    for path in (build.ROOT / "solutions").glob("*.ipynb"):
        assert path.stat().st_size <= build.SIZE_LIMIT, path.name
