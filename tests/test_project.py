"""The project's own files agree with each other."""

import re
import subprocess
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import course
from course_lib import build
from tests import make_environment

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = build.ROOT
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
README, GUIDE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
)
ADDRESS = PROJECT["urls"]["Repository"]
LECTURES = [path.stem for path in build.sources()]
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}


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


def test_every_address_that_points_at_the_course_is_the_right_one():
    name = ADDRESS.removeprefix("https://github.com/")
    for found in re.findall(r"colab\.research\.google\.com/github/([^/]+/[^/]+)/", README):
        assert found == name
    for found in re.findall(r"mybinder\.org/v2/gh/([^/]+/[^/]+)/", README):
        assert found == name
    for found in re.findall(r"git clone (\S+)", README + GUIDE):
        assert found.removesuffix(".git") == ADDRESS


@pytest.mark.parametrize("source", build.sources(), ids=LECTURES)
@pytest.mark.parametrize("heading", [r"## (\d+) · ", r"### Exercise (\d+) · "])
def test_sections_and_exercises_are_numbered_without_a_gap(source, heading):
    """A heading that is lost in an edit takes the text below it with it."""
    found = re.findall(rf"^# {heading}", source.read_text(encoding="utf-8"), re.MULTILINE)
    numbers = [int(number) for number in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(found)))


def test_the_readme_begins_with_the_missing_address_as_long_as_it_is_missing():
    missing = ADDRESS.endswith(build.PLACEHOLDER)
    told = build.MISSING.search(README)
    assert bool(told) == missing
    if told:
        assert README[: told.start()].count("\n") <= 2 and "course.py address" in told[0]


@pytest.mark.parametrize("lecture", LECTURES)
def test_the_readme_has_a_badge_for_every_lecture(lecture):
    name = ADDRESS.removeprefix("https://github.com/")
    path = f"notebooks/{lecture}.ipynb"
    assert build.BADGE.format(project=name, path=path) in README


def targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name for line in re.findall(r"^([a-z ]+):", makefile, re.M) for name in line.split()}


def test_make_and_python_alone_offer_the_same_commands():
    assert (
        targets() == set(course.COMMANDS) == set(re.findall(r"^    (\w+)  ", course.__doc__, re.M))
    )


@pytest.mark.parametrize("page", [README, GUIDE], ids=["README", "CONTRIBUTING"])
def test_the_commands_on_a_page_exist(page):
    for target in re.findall(r"\bmake ([a-z]+)", page):
        assert target in targets(), f"make {target}"
    for command in re.findall(r"course\.py ([a-z]+)", page):
        assert command in course.COMMANDS, f"course.py {command}"
    for module in re.findall(r"python -m (course_lib[\w.]*)", page):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for path in re.findall(r"(?:course_lib|tests|solutions|notebooks)/[\w/]*\w(?:\.\w+)?", page):
        assert (ROOT / path).exists() or "NN_" in path, path


@pytest.mark.parametrize("page", [README, GUIDE], ids=["README", "CONTRIBUTING"])
def test_the_local_links_of_a_page_lead_somewhere(page):
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page):
        assert (ROOT / link).exists(), link
    for source in re.findall(r'<img[^>]+src="(?!https?:)([^"]+)"', page):
        assert (ROOT / source).exists(), source


@pytest.mark.parametrize(
    "schema, files",
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("custom.github-workflows-require-timeout", ".github/workflows/*.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/*.yml"),
        ("vendor.citation-file-format", "CITATION.cff"),
    ],
)
def test_what_other_programs_read_has_the_form_that_they_want(schema, files):
    paths = sorted(map(str, ROOT.glob(files)))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run(
        [*check, "--force-filetype=yaml", *paths], capture_output=True, text=True, timeout=60
    )
    assert paths and done.returncode == 0, done.stdout + done.stderr


def steps(workflow):
    jobs = yaml.safe_load(WORKFLOWS[workflow].read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job.get("steps", [])]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_may_only_read_and_runs_only_what_is_here(workflow):
    assert yaml.safe_load(WORKFLOWS[workflow].read_text(encoding="utf-8"))["permissions"] == {
        "contents": "read"
    }
    for step in steps(workflow):
        if "run" not in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            continue
        assert "${{" not in step["run"]  # nothing from outside becomes a part of a command
        for target in re.findall(r"^make (\w+)", step["run"]):
            assert target in targets()
        for path in re.findall(r"(?:tests|\.ci)/[\w.]+", step["run"]):
            assert (ROOT / path).exists()


def test_only_the_job_that_publishes_the_site_may_write_and_it_runs_no_code_of_ours():
    found = {}
    for name, path in WORKFLOWS.items():
        for job, what in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            if "permissions" in what:
                found[name, job] = what["permissions"], [step["uses"] for step in what["steps"]]
    ((where, (rights, uses)),) = found.items()
    assert where == ("site", "publish") and rights == {"pages": "write", "id-token": "write"}
    assert [use.split("@")[0] for use in uses] == ["actions/deploy-pages"]


def test_the_workflow_tests_on_every_python_that_pyproject_names():
    jobs = yaml.safe_load(WORKFLOWS["test"].read_text(encoding="utf-8"))["jobs"]
    mark = "Programming Language :: Python :: "
    tried = [line.removeprefix(mark) for line in PROJECT["classifiers"] if line.startswith(mark)]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == tried


def test_the_hook_before_a_commit_has_the_requirements_of_pyproject():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = {hook["id"]: hook for repo in config["repos"] for hook in repo["hooks"]}
    extras = PROJECT["optional-dependencies"]
    known = {*PROJECT["dependencies"], *extras["build"], *extras["test"]}
    assert all(set(hook["additional_dependencies"]) <= known for hook in hooks.values())
    assert set(extras["build"]) <= set(hooks["notebooks"]["additional_dependencies"])


def test_version_and_address_of_the_citation_are_those_of_the_project():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["repository-code"] == ADDRESS
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", changes, re.M)
    assert headings[:2] == [
        "[Unreleased]",
        f"[{PROJECT['version']}] - {citation['date-released']}",
    ]


def test_a_python_that_does_not_suit_is_told_which_do(monkeypatch):
    for version in ((3, 9, 1), (3, 14, 0), (2, 7, 18)):
        monkeypatch.setattr(sys, "version_info", version)
        with pytest.raises(SystemExit, match=r"needs Python 3.10 to 3.13; .* is \d\.\d+"):
            make_environment.check_python()


def test_what_is_lent_of_another_python_is_torch_with_its_needs_and_nothing_of_jupyter(tmp_path):
    make_environment.borrow(["torch"], tmp_path / "lent")
    lent = {path.name for path in (tmp_path / "lent").iterdir()}
    assert {"torch", "sympy", "filelock", "jinja2"} <= lent
    assert not lent & {"jupyterlab", "ipykernel", "pytest", "course_lib", "..", "__pycache__"}


def test_an_extra_is_followed_only_where_it_is_asked_for(tmp_path, monkeypatch):
    requirements = {
        "one": ["Two[fast] (>=1)", 'missing; platform_system == "Windows"'],
        "two": ['quick-er; extra == "fast"', 'slow; extra == "slow"'],
        "quick_er": ["one"],
        "slow": [],
    }
    for name, lines in requirements.items():
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        needs = "".join(f"Requires-Dist: {line}\n" for line in lines)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}"
        )
    monkeypatch.syspath_prepend(tmp_path)
    found = {found.metadata["Name"] for found in make_environment.distributions(["one"])}
    assert found == {"one", "two", "quick_er"}


def test_nothing_of_nbgrader_is_in_the_students_environment():
    student = ROOT / ".venv"
    if not (student / "ready").exists():
        pytest.skip("`make lab` has not set it up")
    found = [path for path in student.glob("**/*nbgrader*") if "borrowed" not in path.parts]
    assert found == []
