"""What the processes of submissions are forked from has all this at hand."""

from course_lib.exercises import EXERCISES
from course_lib.exercises.grading import answers, sandbox

for _exercise in EXERCISES.values():
    answers.answers(_exercise)
sandbox.visible()
sandbox.data()
