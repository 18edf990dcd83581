"""How long thirty honest submissions take the grader: 45 s on two cores, so 90 s of work."""

import itertools
import subprocess
import sys

import pytest

from tests.helpers import ROOT

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process inherits orphans"),
]
# All processes of the grader end as children of this one, which adds their work up.
COUNTED = """
import ctypes, os, resource, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
code = subprocess.call([sys.executable, "-m", "course_lib.exercises", *sys.argv[1:]])
try:
    while True:
        os.wait()
except ChildProcessError:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(used.ru_utime + used.ru_stime)
sys.exit(code)
"""


def test_thirty_submissions_take_less_than_45_seconds_on_two_cores(tmp_path):
    lectures = itertools.cycle(sorted((ROOT / "solutions").glob("*.ipynb")))
    folder = tmp_path / "submissions"
    folder.mkdir()
    for number, path in zip(range(30), lectures, strict=False):
        (folder / f"student {number} {path.name}").write_bytes(path.read_bytes())
    output = tmp_path / "scores.csv"
    command = [sys.executable, "-c", COUNTED, str(folder), "--output", str(output)]
    work = float(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
    rows = [line.split(",")[1:3] for line in output.read_text("utf-8-sig").splitlines()[1:]]
    assert len(rows) == 30 and all(score == of for score, of in rows)
    print(f"\nthirty submissions: {work:.0f} s of work")
    assert work < 80
