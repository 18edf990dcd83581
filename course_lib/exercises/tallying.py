"""All exercises of a notebook at once."""

from course_lib.exercises import cards
from course_lib.exercises.engine import EXERCISES, VERDICTS
from course_lib.exercises.telling import say, tell


def progress() -> None:
    """Shows every exercise of this notebook and the last verdict on it since the kernel started.

    The notebook's exercises are those of each lecture of which one has been checked by then.
    """
    from course_lib.exercises import LECTURES  # whose modules import the engine

    ids = []
    for lecture in LECTURES:
        own = [exercise.id for exercise in lecture.EXERCISES]
        if not VERDICTS.keys().isdisjoint(own):
            ids += [i for i in own if i in VERDICTS or not EXERCISES[i].moved]
    if not ids:
        return say("No exercise has been checked yet: run the cells that hold `check`.")
    kinds = [VERDICTS[i].status if i in VERDICTS else "not run" for i in ids]
    rows = [(kind, EXERCISES[i].title, i) for kind, i in zip(kinds, ids, strict=True)]
    heading = f"{kinds.count('correct')} of {len(rows)} correct"
    width = max(map(len, ids))
    lines = [f"  {cards.MARKS[kind]} {kind:13}  {i:{width}}  {title}" for kind, title, i in rows]
    return tell("\n".join([heading, *lines]), cards.table(heading, rows))
