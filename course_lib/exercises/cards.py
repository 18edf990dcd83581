"""What the exercises say, as HTML: a notebook shows it in place of the plain text.

Colour, sign and word say the same, so a card can be read without colour. Text and background are
the page's own, so it can be read on light and dark. Every style stands in its tag: where a page
takes styles away, as GitHub does, the words remain. Whatever comes from outside, a student's code
and error messages above all, is escaped: it is text, never markup.
"""

import html
import re
from collections.abc import Sequence
from itertools import groupby

MARKS = {"correct": "✔", "wrong": "✘", "not attempted": "○", "not run": "–"}
# 3 to 1 and more against white and against JupyterLab's dark page, and apart for the colour-blind
COLOURS = {"correct": "#009e73", "wrong": "#d55e00"}
GREY = "#8a8a8a"
# A dollar sign in an error message begins no formula; Enter opens a hint and not JupyterLab's cell
PAGE = 'class="tex2jax_ignore mathjax_ignore" data-lm-suppress-shortcuts="true"'
CODE = re.compile(r"`([^`]+)`")


def verdict(status: str, title: str, text: str, hints: Sequence[str] = (), after: str = "") -> str:
    """The card of a verdict. `text` is the diagnosis; each hint opens within the one before."""
    return _card(status, _heading(status, title) + prose(text) + _hints(hints) + prose(after))


def hint(text: str) -> str:
    """One hint, its code set as code."""
    return f"<div {PAGE}>{prose(text)}</div>"


def table(heading: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """The card of many verdicts: (status, title, id) a row."""
    cell = '<td style="text-align: left; padding: 0.1em 1em 0.1em 0">'
    lines = [
        f'<tr style="background: none">{cell}{_status(status)}</td>{cell}{_escaped(title)}</td>'
        f"{cell}{_code(exercise_id)}</td></tr>"
        for status, title, exercise_id in rows
    ]
    done = "correct" if all("correct" == status for status, *_ in rows) else "not run"
    found = f'<table style="margin: 0.3em 0">{"".join(lines)}</table>'
    return _card(done, f"<div><strong>{_escaped(heading)}</strong></div>{found}")


def prose(text: str) -> str:
    """Lines of text: code between `backticks` set as code, indented lines kept as they are."""
    blocks = []
    for indented, lines in groupby(text.split("\n"), lambda line: line.startswith(" ")):
        if indented:
            style, kept = "white-space: pre-wrap; margin: 0.2em 0", _escaped("\n".join(lines))
            blocks.append(f'<pre style="{style}">{kept}</pre>')
        else:
            blocks += [f"<div>{_line(line)}</div>" for line in lines if line]
    return "".join(blocks)


def _card(status: str, content: str) -> str:
    colour = COLOURS.get(status, GREY)
    style = f"border-left: 5px solid {colour}; padding: 0.2em 0.8em; max-width: 48em"
    return f'<div {PAGE} style="{style}">{content}</div>'


def _heading(status: str, title: str) -> str:
    return f"<div><strong>{_status(status)}</strong> — {_escaped(title)}</div>"


def _status(status: str) -> str:
    mark = f'<span style="color: {COLOURS.get(status, GREY)}">{MARKS[status]}</span>'
    return f"{mark} {status}"


def _hints(hints: Sequence[str]) -> str:
    found = ""
    for number in range(len(hints), 0, -1):
        summary = f'<summary style="cursor: pointer">Hint {number} of {len(hints)}</summary>'
        inner = f'<div style="margin-left: 1em">{prose(hints[number - 1])}{found}</div>'
        found = f"<details>{summary}{inner}</details>"
    return found


def _line(text: str) -> str:
    parts = CODE.split(text)  # every second one stood between backticks
    return "".join(_code(part) if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _code(text: str) -> str:
    return f"<code>{_escaped(text)}</code>"


def _escaped(text: str) -> str:
    return html.escape(text)
