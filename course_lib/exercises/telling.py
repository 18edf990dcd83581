"""How the exercises speak to a student."""

import difflib
import sys
from collections.abc import Mapping
from textwrap import fill
from typing import Any

from course_lib.exercises.comparing import describe
from course_lib.progress import in_notebook

WIDTH = 96  # a notebook breaks longer lines in the middle of a word


def say(text: str) -> None:
    show(broken(text))


def tell(text: str, html: str) -> None:
    """Says the text; a notebook gets the HTML too, and shows the one that it can."""
    if not in_notebook():
        return say(text)
    from IPython.display import display

    both = {"text/plain": broken(text), "text/html": html}
    # half a character, which Python can hold and no message to a notebook can
    sent = {kind: words.encode("utf-8", "replace").decode() for kind, words in both.items()}
    return display(sent, raw=True)


def broken(text: str) -> str:
    """The text with its long lines broken, code aside."""
    return "\n".join(fill(line, WIDTH) if prose(line) else line for line in text.split("\n"))


def show(text: str, errors: str = "replace") -> None:
    try:
        print(text)
    except UnicodeEncodeError:  # a console without ✔
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, errors).decode(encoding))


def prose(line: str) -> bool:
    return len(line) > WIDTH and not line.startswith(" ")  # code keeps its lines


def look_up(key: Any, table: Mapping[str, Any]) -> Any:
    return table.get(key) if isinstance(key, str) else None


def unknown(kind: str, key: Any, table: Mapping[str, Any]) -> str:
    if not isinstance(key, str):
        return f"The id of the {kind} comes first, in quotes; this was {describe(key)}."
    close = difflib.get_close_matches(key, table, n=3, cutoff=0.4)
    return f"There is no {kind} {key!r}." + (f" Is it {' or '.join(close)}?" if close else "")
