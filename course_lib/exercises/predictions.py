"""Questions to answer before a result is shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.exercises.telling import look_up, say, unknown


@dataclass(frozen=True)
class Question:
    """Something to guess: one of `choices` (choice -> what to say to it), or a number."""

    id: str
    text: str
    choices: Mapping[str, str] | None
    answer: Any


QUESTIONS: dict[str, Question] = {}  # filled by course_lib.exercises


@dataclass(frozen=True)
class Prediction:
    """What was expected of a question; true where something was."""

    question: Question | None
    guess: Any = None

    def __bool__(self) -> bool:
        return self.guess is not None

    def __repr__(self) -> str:
        return f"Prediction({self.guess!r})"

    def reveal(self, truth: Any = None) -> str:
        """The sentence that follows the reveal; `truth` is the question's answer unless given."""
        if truth is None and self.question is not None:
            truth = self.question.answer
        if self.question is None or not self.question.choices:
            said = f"You said {_number(self.guess)}; measured: " if self else "Measured: "
            return f"{said}{_number(truth)}."
        if not self:
            return f"The answer: {truth}."
        said = "right." if self.guess == truth else f"it is {truth}."
        return f"You said {self.guess}: {said} {self.question.choices[self.guess]}".strip()


def predict(question_id: str, guess: Any = None) -> Prediction:
    """Keeps what you expect: a number, one of the question's choices, or nothing (None, `...`)."""
    question = look_up(question_id, QUESTIONS)
    if question is None:
        say(unknown("question", question_id, QUESTIONS))
        return Prediction(None)
    if guess is None or guess is ...:
        return Prediction(question)
    choices = list(question.choices or ())
    kept = _chosen(guess, choices) if choices else _as_number(guess)
    if kept is None:
        wanted = "one of: " + ", ".join(map(repr, choices)) if choices else "a number"
        say(f"{guess!r:.60} is no answer to this question: give {wanted}.")
        return Prediction(question)
    say(f"Noted: {kept if choices else _number(kept)}.")
    return Prediction(question, kept)


def _chosen(guess: Any, choices: list[str]) -> str | None:
    plain = {str(choice).strip().casefold(): choice for choice in choices}
    return plain.get(str(guess).strip().casefold())


def _as_number(guess: Any) -> float | int | None:
    if isinstance(guess, (bool, np.bool_)):
        return None
    try:
        number = guess if isinstance(guess, int) else float(guess)
    except (TypeError, ValueError, RuntimeError):
        return None
    return number if math.isfinite(number) else None


def _number(value: Any) -> str:
    """A number as one says it: 12,288 or 0.883."""
    number = _as_number(value)
    if number is None:
        return str(value)
    whole = isinstance(number, int) or abs(number) >= 1000
    return f"{number:,.0f}" if whole else f"{number:.4g}"
