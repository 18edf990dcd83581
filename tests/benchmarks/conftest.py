"""The table of comparisons: printed at the end, and with --readme put into the README."""

import re
from collections.abc import Callable

import pytest

from course_lib.build import ROOT

PLACE = re.compile(r"(?<=<!-- peers -->\n).*?(?=<!-- end of peers -->)", re.DOTALL)
ROWS = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--readme", action="store_true", help="put the table into the README")


def pytest_configure(config):
    config.stash[ROWS] = []


@pytest.fixture
def beside(request) -> Callable:
    """beside(what, peer, ours, theirs, unit): one row. Returns how many times better ours is.

    In seconds, milliseconds and distances less is better; in all else more is.
    """

    def note(what: str, peer: str, ours: float, theirs: float, unit: str) -> float:
        less = unit in ("s", "ms", "Fréchet")
        ratio = theirs / ours if less else ours / theirs
        row = f"| {what} | {peer} | {ours:.3g} | {theirs:.3g} | {unit} | {ratio:.2g} × |"
        request.config.stash[ROWS].append(row)
        print(f"\n{what}: ours {ours:.4g} {unit}, {peer} {theirs:.4g} {unit}, ratio {ratio:.2f}")
        return ratio

    return note


def pytest_terminal_summary(terminalreporter, config):
    head = ["| what | beside | ours | theirs | in | better by |", "|---|---|---|---|---|---|"]
    table = "\n".join([*head, *config.stash[ROWS]]) + "\n"
    if config.stash[ROWS]:
        terminalreporter.write_line(f"\n{table}")
    if config.getoption("--readme"):
        readme = ROOT / "README.md"
        text = PLACE.sub(lambda _: table, readme.read_text(encoding="utf-8"))
        readme.write_text(text, encoding="utf-8", newline="\n")
