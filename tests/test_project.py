"""The project's own files agree with each other."""

import re

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from course_lib import build

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = build.ROOT
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = PROJECT["urls"]["Repository"]
LECTURES = [path.stem for path in build.sources()]


def test_every_requirement_is_a_lower_bound_and_none_is_a_pin():
    extras = PROJECT["optional-dependencies"].values()
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]:
        requirement = Requirement(line)
        operators = [part.operator for part in requirement.specifier]
        assert requirement.name == "course_lib" or operators == [">="], line


def test_the_authors_tools_stay_out_of_the_students_environment():
    student = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]]
    names = {Requirement(line).name for line in student}
    assert not names & {"nbgrader", "jupytext", "nbval", "pytest", "course_lib"}


def test_conda_takes_its_packages_from_pyproject_and_from_nowhere_else():
    python, *rest = CONDA["dependencies"]
    assert rest == ["pip", {"pip": ["-e .[lab]"]}]
    assert Requirement(python).name == "python"


def test_conda_and_pyproject_agree_on_the_versions_of_python():
    mark = "Programming Language :: Python :: 3."
    tried = [int(line[len(mark) :]) for line in PROJECT["classifiers"] if line.startswith(mark)]
    assert tried == list(range(min(tried), max(tried) + 1))
    wanted = SpecifierSet(f">=3.{min(tried)},<3.{max(tried) + 1}")
    assert Requirement(CONDA["dependencies"][0]).specifier == wanted
    assert PROJECT["requires-python"] == f">=3.{min(tried)}"


def test_the_address_of_the_course_stands_in_pyproject_alone():
    assert build.repository() == ADDRESS
    owner = ADDRESS.split("/")[-2]
    for folder, pattern in (("course_lib", "**/*.py"), ("solutions", "*.py"), ("tests", "*.py")):
        for path in (ROOT / folder).glob(pattern):
            assert f"github.com/{owner}" not in path.read_text(encoding="utf-8"), path


def test_every_address_in_the_readme_that_points_at_the_course_is_the_right_one():
    name = ADDRESS.removeprefix("https://github.com/")
    for found in re.findall(r"colab\.research\.google\.com/github/([^/]+/[^/]+)/", README):
        assert found == name
    for found in re.findall(r"mybinder\.org/v2/gh/([^/]+/[^/]+)/", README):
        assert found == name
    for found in re.findall(r"git clone (\S+)", README):
        assert found.removesuffix(".git") == ADDRESS


@pytest.mark.parametrize("lecture", LECTURES)
def test_the_readme_has_a_badge_for_every_lecture(lecture):
    name = ADDRESS.removeprefix("https://github.com/")
    path = f"notebooks/{lecture}.ipynb"
    assert build.BADGE.format(project=name, path=path) in README


def test_the_commands_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"
    for module in re.findall(r"python -m (course_lib[\w.]*)", README):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_local_links_of_the_readme_lead_somewhere():
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", README):
        assert (ROOT / link).exists(), link
    for source in re.findall(r'<img[^>]+src="(?!https?:)([^"]+)"', README):
        assert (ROOT / source).exists(), source
