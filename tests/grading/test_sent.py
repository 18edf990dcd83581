"""What a submission's process sends, and what becomes of it."""

import contextlib
import functools
import json
import math
import socket
import time

import pytest
import torch

from course_lib.exercises import EXERCISES, Verdict, grading
from course_lib.exercises.comparing import Thing, same
from course_lib.exercises.engine import _trace
from course_lib.exercises.grading import Channel
from course_lib.exercises.grading.sent import decoded, encoded, encoded_run, unpacked
from course_lib.exercises.running import Run
from tests.grading.notebooks import RANGE, SIZE, C, W


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -(2**80), "ö\ud800", 1.5, math.nan, -math.inf, 1 - 2j, Thing("object"),
        (1, [2.0, ()]), {"a": 1, (1, 2): [None]}, torch.tensor(2.5), torch.zeros(0, 3),
        torch.tensor([[True, False]]), torch.arange(6, dtype=torch.uint8).view(2, 3),
        torch.randn(3, 2).T, torch.randn(2, dtype=torch.bfloat16), torch.randn(2) * 1j,
        (torch.randn(2) * 1j).conj(), torch.tensor(2.0).expand(1), torch.ones(()).expand(3, 2),
    ],
    ids=repr,
)  # fmt: skip
def test_a_snapshot_arrives_as_it_was(value):
    arrived = decoded(json.loads(json.dumps(encoded(value))))
    assert type(arrived) is type(value) and same(value, arrived)
    if isinstance(value, torch.Tensor):
        assert arrived.dtype == value.dtype and arrived.shape == value.shape


def test_what_is_sent_has_plain_types_only():
    class Liar(float):
        __eq__ = __ge__ = lambda self, other: True
        __hash__ = float.__hash__

    class Text(str):
        __eq__ = Liar.__eq__
        __hash__ = str.__hash__

    arrived = decoded(json.loads(json.dumps(encoded([Liar(2), Text("a")]))))
    assert list(map(type, arrived)) == [float, str] and arrived == [2.0, "a"]


DEEP = functools.reduce(lambda inner, _: ["list", inner], range(99), 1)


@pytest.mark.parametrize(
    "message",
    [
        1.5, [], ["no tag"], ["float", 1.5], ["float", "1", "2"], {"a": 1}, ["thing", 3],
        ["thing"], ["tensor"], ["tensor", "torch.float32", [1], "AAAA"],
        ["tensor", "torch.float32", [2], "AAAAAA=="], ["tensor", "no dtype", [1], "AAAAAA=="],
        ["tensor", "torch.float32", [-7], ""], ["tensor", "torch.float32", [2**40], "AAAAAA=="],
        ["tensor", "torch.float32", [1] * 40, "AAAAAA=="], "x" * 10**6, DEEP,
        ["tensor", "torch.float32", [True], "AAAAAA=="], ["tensor", "torch.float32", [1], "ÄÄÄÄ"],
        ["dict", *[[k * (2**61 - 1), 0] for k in range(2000)]],
        ["dict", [1]], ["dict", [["list"], 1]], ["list", ["float", "x"]],
    ],
    ids=lambda message: repr(message)[:40],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused(message):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, RuntimeError)):
        decoded(message)


class Says:
    """A channel whose other side says what it is told to."""

    def __init__(self, *messages):
        self.messages = [*messages, {"end": "", "unrun": ""}]

    def receive(self, *_):
        return json.loads(json.dumps(self.messages.pop(0)))

    def send(self, answer):
        if answer["ask"]:
            self.messages.insert(0, encoded_run(Run()))


@pytest.fixture
def verdict_on(monkeypatch):
    """The verdict on an exercise where its process sends these messages."""

    def verdict(exercise_id, *messages):
        @contextlib.contextmanager
        def process(*_):
            yield Says(*messages), None

        monkeypatch.setattr(grading, "_process", process)
        request, one = {"seconds": 1.0}, grading.Submission("x")
        return grading._tried(one, EXERCISES[exercise_id], request, 120, 4 << 30)

    return verdict


def honest(exercise_id):
    exercise = EXERCISES[exercise_id]
    seen = _trace(exercise, exercise.reference)
    return {"stub": False, "unrun": "", "run": encoded_run(seen)}


def test_an_honest_message_is_judged_and_a_damaged_one_is_no_result(verdict_on):
    good = honest(RANGE)
    assert verdict_on(RANGE, good) == Verdict(C)
    assert verdict_on(SIZE, good).status == W
    damage = {
        "outcomes": [None, {}, [None], [{}]],
        "blank": [1, None],
        "stopped": [[], 1.0],
        "again": [None, [3]],
    }
    for key, values in damage.items():
        for value in values:
            message = good | {"run": good["run"] | {key: value}}
            assert verdict_on(RANGE, message) == Verdict(W, grading.NO_RESULT), (key, value)
    for message in (None, 7, [], {}, {"run": {}}, {"run": None}, good | {"unrun": 7}):
        assert verdict_on(RANGE, message) == Verdict(W, grading.NO_RESULT), message


@pytest.mark.parametrize("key, value", [("observed", None), ("error", "E"), ("changed", ["x"])])
def test_each_part_of_what_was_seen_counts(verdict_on, key, value):
    message = honest(RANGE)
    message["run"]["outcomes"][1][key] = value
    assert verdict_on(RANGE, message).status != C


def test_too_few_probes_are_not_correct(verdict_on):
    message = honest(RANGE)
    for key in ("outcomes", "again"):
        message["run"][key] = []
    assert verdict_on(RANGE, message).status != C


def test_the_last_check_counts(verdict_on):
    wrong = {"error": "NameError", "unrun": ""}
    assert verdict_on(RANGE, wrong, honest(RANGE)) == Verdict(C)
    assert verdict_on(RANGE, honest(RANGE), wrong) == Verdict(W, "NameError")
    assert verdict_on(RANGE).status == "not found"


def test_what_went_wrong_for_want_of_a_line_is_not_run(verdict_on):
    place = "line 3 of cell [4]: it took too long"
    wrong = {"error": "NameError", "unrun": place}
    assert verdict_on(RANGE, wrong) == Verdict("not run", f"the grader could not run {place}")
    assert verdict_on(RANGE, honest(RANGE) | {"unrun": place}) == Verdict(C)


@pytest.fixture
def channel():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def test_a_message_arrives_in_pieces_and_with_its_neighbour(channel):
    ours, theirs = channel
    theirs.sendall(b'{"a"')
    theirs.sendall(b": 1}\n[2]\n")
    assert [ours.receive(time.monotonic() + 5) for _ in range(2)] == [{"a": 1}, [2]]


def test_a_message_that_does_not_end_is_waited_for_until_the_deadline(channel):
    ours, theirs = channel
    theirs.sendall(b"[1")
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        ours.receive(start + 0.2)
    assert time.monotonic() - start < 5
    theirs.close()
    with pytest.raises(EOFError):
        ours.receive(time.monotonic() + 5)


def test_a_message_may_not_be_larger_than_a_result_can_be(channel):
    ours, theirs = channel
    theirs.sendall(b"[" * 101)
    with pytest.raises(ValueError, match="without end"):
        ours.receive(time.monotonic() + 5, 100)


def test_a_message_is_counted_before_it_is_decoded():
    assert unpacked(b'{"a": [1, 2]}') == {"a": [1, 2]}
    for flood in (b"[" * 30_000, b"[" + b"{}," * 30_000, b"[" + b"0," * 30_000):
        with pytest.raises(ValueError, match="too many entries"):
            unpacked(flood)
