"""Hands submissions to the workers of a Dask cluster: the same rows, from other machines."""

import functools
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace

from course_lib.exercises import Verdict
from course_lib.exercises.grading import grade_one, protection
from course_lib.exercises.grading.handins import Submission

DAEMON = "a worker under Dask's nanny may start no process: start workers with --no-nanny"


def grade_on(
    address: str, todo: list[Submission], timeout: float, memory: int, seed: int = 0
) -> Iterator[Submission]:
    """Each submission as soon as a worker of the scheduler at `address` has graded it.

    What a worker held that dies goes to another one; a submission that has ended four of them is
    "stopped". Raises OSError where no scheduler answers, RuntimeError where a worker cannot grade,
    and ImportError without Dask.
    """
    from distributed import Client, KilledWorker, as_completed

    with Client(address, timeout=8) as client:
        futures = {}
        for one in todo:
            try:
                sent = replace(one, load=functools.partial(bytes, one.load()))
            except (OSError, ValueError):  # which this machine can say as well
                yield grade_one(one, timeout, memory)
                continue
            futures[client.submit(there, sent, timeout, memory, seed, pure=False)] = one
        for future in as_completed(list(futures)):
            one = futures[future]
            try:
                one.verdicts, one.trouble, protection[:] = future.result()
            except KilledWorker:
                one.trouble = "ended every worker that began it"
                one.verdicts = {i: Verdict("stopped") for i in one.ids}
            yield one


def there(
    one: Submission, timeout: float, memory: int, seed: int
) -> tuple[dict[str, Verdict], str, list[str]]:
    """On a worker: the verdicts, why it was not run to its end, what the kernel held it by."""
    if multiprocessing.current_process().daemon:
        raise RuntimeError(DAEMON)
    if seed:  # as on the command line; also for the processes to come
        os.environ["COURSE_SEED"] = str(seed)
    else:
        os.environ.pop("COURSE_SEED", None)
    done = grade_one(one, timeout, memory)
    return done.verdicts, done.trouble, list(protection)
