"""What a run shows: one line and one picture, each replaced in place."""

import io
import sys
from time import perf_counter
from typing import Any

LOG_SECONDS = 30  # between two lines where they cannot be replaced, as in a log file


def in_notebook() -> bool:
    """Whether this Python is a notebook's kernel, and not a script or IPython in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class Screen:
    """One line and one picture in the output of a notebook's cell; elsewhere the line on stderr."""

    def __init__(self, title: str | None = None):
        self.notebook = in_notebook()
        self.title = f"{title}: " if title else ""
        self.notes, self.handles, self.width, self.quiet_until = [], {}, 0, 0.0

    def note(self, text: str) -> None:
        """Say something that stays, above the line."""
        self.notes.append(text)
        if self.notebook:
            self._put("line", {"text/plain": "\n".join(self.notes)}, raw=True)
        else:
            self._print(text, lasting=True)

    def line(self, text: str, lasting: bool = False) -> None:
        """Replace the line; outside a notebook a `lasting` one stays and the next goes below it."""
        text = self.title + text
        if self.notebook:
            self._put("line", {"text/plain": "\n".join([*self.notes, text])}, raw=True)
        elif lasting or sys.stderr.isatty() or perf_counter() >= self.quiet_until:
            self._print(text, lasting)

    def picture(self, image: Any) -> None:
        """Replace the picture: a figure, which is then closed, or anything a notebook can show."""
        figure = hasattr(image, "savefig")
        if self.notebook and image is not None:
            from IPython.display import Image

            self._put("picture", Image(data=_png(image)) if figure else image)
        if figure and "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(image)  # else the cell shows it a second time

    def _put(self, name: str, content: Any, **options) -> None:
        from IPython.display import display

        if name in self.handles:
            self.handles[name].update(content, **options)
        else:
            self.handles[name] = display(content, display_id=True, **options)

    def _print(self, text: str, lasting: bool) -> None:
        terminal = sys.stderr.isatty()
        self.quiet_until = perf_counter() + LOG_SECONDS
        start, end = ("\r" if terminal else ""), ("" if terminal and not lasting else "\n")
        print(f"{start}{text:<{self.width}}", end=end, file=sys.stderr, flush=True)
        self.width = 0 if end else len(text)  # the next text must cover this one


def duration(seconds: float) -> str:
    """A time as one says it: 3.2 s, 45 s, 4 min 40 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()
