"""Exercises that are checked the moment they are run.

`check`, `hint`, `solution`; `predict` before a result; `progress` at the end.
"""

from course_lib.exercises.engine import (
    EXERCISES,
    QUESTIONS,
    Exercise,
    Mistake,
    Prediction,
    Probe,
    Question,
    Verdict,
    check,
    grade,
    hint,
    predict,
    solution,
)
from course_lib.exercises.tallying import progress
from course_lib.exercises.topics import (
    cyclegan,
    dcgan,
    ddpm,
    density,
    editing,
    ethics,
    gan,
    losses,
    restoration,
    start,
    styles,
    vae,
    words,
)

__all__ = ["EXERCISES", "QUESTIONS", "Exercise", "Mistake", "Prediction", "Probe", "Question"]
__all__ += ["Verdict", "check", "grade", "hint", "predict", "progress", "solution"]

LECTURES = (start, density, vae, gan, dcgan, losses, cyclegan, ddpm, ethics, styles, editing)
LECTURES += (restoration, words)

for _lecture in LECTURES:
    EXERCISES.update({exercise.id: exercise for exercise in _lecture.EXERCISES})
    QUESTIONS.update({question.id: question for question in _lecture.QUESTIONS})
