"""The table of comparisons: printed at the end, and with --readme put into the README."""

import re
from collections.abc import Callable

import pytest

from course_lib.build import ROOT

PLACE = re.compile(r"(?<=<!-- peers -->\n).*?(?=<!-- end of peers -->)", re.DOTALL)
ROWS = pytest.StashKey[list]()
HEAD = ["| what | beside | ours | theirs | in | better by |", "|---|---|---|---|---|---|"]


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
        better = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
        row = f"| {what} | {peer} | {ours:.3g} | {theirs:.3g} | {unit} | {better} × |"
        request.config.stash[ROWS].append(row)
        print(f"\n{what}: ours {ours:.4g} {unit}, {peer} {theirs:.4g} {unit}, ratio {ratio:.2f}")
        return ratio

    return note


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash[ROWS]
    if rows:
        terminalreporter.write_line("\n" + "\n".join([*HEAD, *rows]))
    if config.getoption("--readme"):
        readme = ROOT / "README.md"
        text = readme.read_text(encoding="utf-8")
        (before,) = PLACE.findall(text)
        table = "\n".join([*HEAD, *merged(before.splitlines()[len(HEAD) :], rows)]) + "\n"
        readme.write_text(PLACE.sub(lambda _: table, text), encoding="utf-8", newline="\n")


def merged(before: list[str], rows: list[str]) -> list[str]:
    """Rows measured anew in the place of the old ones; those that were not run stay."""
    table = {what_and_peer(row): row for row in (*before, *rows)}
    return list(table.values())


def what_and_peer(row: str) -> str:
    """What tells rows apart; numbers in brackets, such as a floor, may change."""
    return re.sub(r" \(.*?\)", "", "|".join(row.split("|")[1:3]))
