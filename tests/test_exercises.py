"""Every exercise of the course: reference, mistakes, stub, and answers in other styles."""

import inspect
import re
import runpy
from pathlib import Path

import pytest

from course_lib import build
from course_lib.exercises import EXERCISES, LECTURES, QUESTIONS, grade, predict
from course_lib.exercises.comparing import difference
from course_lib.exercises.engine import _asked, _trace
from course_lib.exercises.judging import filled

TOPICS = ("density", "vae", "gan", "dcgan", "losses", "cyclegan", "ddpm", "ethics", "styles")
TOPICS += ("editing", "restoration", "words")
FOLDER = Path(__file__).parent / "exercise_variants"
VARIANTS = {}  # id -> correct answers, from one file a lecture
for lecture in LECTURES:
    file = FOLDER / f"{lecture.__name__.rpartition('.')[2]}.py"
    VARIANTS.update(runpy.run_path(str(file))["VARIANTS"] if file.exists() else {})

every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
every_question = pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))
every_mistake = pytest.mark.parametrize(
    "exercise, mistake",
    [
        pytest.param(exercise, mistake, id=f"{exercise.id}: {mistake.name}")
        for exercise in EXERCISES.values()
        for mistake in exercise.mistakes
    ],
)
every_variant = pytest.mark.parametrize(
    "exercise_id, variant",
    [
        pytest.param(exercise_id, variant, id=f"{exercise_id}: {variant.__name__}")
        for exercise_id, functions in VARIANTS.items()
        for variant in functions
    ],
)


def stub_like(reference):
    """The function as a student finds it: the same arguments, and nothing written."""
    if isinstance(reference, type):
        methods = {k: stub_like(v) for k, v in vars(reference).items() if inspect.isfunction(v)}
        return type(reference.__name__, reference.__bases__, methods)
    parameters = inspect.signature(reference).parameters.values()
    bare = [
        p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else None)
        for p in parameters
    ]
    namespace = {}
    exec(f'def stub{inspect.Signature(bare)}:\n    """What it computes."""\n    ...', namespace)
    return namespace["stub"]


def test_no_two_lectures_share_an_id():
    assert len(EXERCISES) == sum(len(lecture.EXERCISES) for lecture in LECTURES)
    assert len(QUESTIONS) == sum(len(lecture.QUESTIONS) for lecture in LECTURES)


@every_exercise
def test_an_id_is_topic_dot_function(exercise):
    topic, _, function = exercise.id.partition(".")
    assert topic in TOPICS
    assert re.fullmatch("[a-z][a-z0-9_]*", function)
    assert EXERCISES[exercise.id] is exercise
    assert exercise.title and not exercise.title.endswith(".")


@every_exercise
def test_there_are_three_hints_and_four_mistakes_at_least(exercise):
    assert len(exercise.hints) >= 3 and all(exercise.hints)
    assert len(exercise.mistakes) >= 4
    assert len({mistake.name for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert all(mistake.message for mistake in exercise.mistakes)


@every_exercise
def test_the_reference_is_correct_and_goes_through_every_probe(exercise):
    assert grade(exercise.id, exercise.reference).status == "correct"
    outcomes = _trace(exercise, exercise.reference).outcomes
    assert [outcome.error for outcome in outcomes] == [""] * len(exercise.probes)
    assert all(outcome.observed for outcome in outcomes)


@every_exercise
def test_the_unsolved_stub_is_not_attempted(exercise):
    verdict = grade(exercise.id, stub_like(exercise.reference))
    assert (verdict.status, verdict.message) == ("not attempted", "")


@every_exercise
def test_a_stub_that_raises_not_implemented_is_not_attempted(exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError("write me")

    assert grade(exercise.id, stub).status == "not attempted"


@every_mistake
def test_a_classic_mistake_gets_its_own_message(exercise, mistake):
    verdict = grade(exercise.id, mistake.wrong)
    assert verdict.status == "wrong"
    assert verdict.mistake == mistake.name, verdict.message
    assert verdict.message.startswith(spoken(exercise, mistake))


def shown_by(exercise, mistake):
    """What the reference and the mistake give on the mistake's example."""
    number = [m for m in exercise.mistakes if m.example].index(mistake)
    right = _asked(exercise, exercise.reference).outcomes[number]
    wrong = _asked(exercise, mistake.wrong, number).outcomes[0]
    assert not right.error and not wrong.error, right.error or wrong.error
    return right.observed["result"], wrong.observed["result"]


def spoken(exercise, mistake):
    """The message with its numbers."""
    return (
        filled(mistake.message, *shown_by(exercise, mistake))
        if mistake.example
        else (mistake.message)
    )


@every_mistake
def test_the_example_of_a_message_shows_the_mistake(exercise, mistake):
    if mistake.example is None:
        assert "{got" not in mistake.message and "{expected" not in mistake.message
        return
    right, wrong = shown_by(exercise, mistake)
    assert difference("", right, wrong, rtol=5e-3, atol=1e-6), "the reference gives the same"
    gives = mistake.example.gives
    assert gives is None or not difference("", gives, wrong, rtol=6e-3, atol=1e-6), wrong
    assert "?" not in re.findall(r"\{(?:got|expected)[^}]*\}", spoken(exercise, mistake))


@every_exercise
def test_every_exercise_has_a_correct_answer_in_another_style(exercise):
    assert VARIANTS.get(exercise.id), "write one in tests/exercise_variants"


@every_variant
def test_a_correct_answer_in_another_style_is_accepted(exercise_id, variant):
    verdict = grade(exercise_id, variant)
    assert verdict.status == "correct", verdict.message


@every_question
def test_a_question_has_an_answer_among_its_choices_and_a_sentence_for_each(question):
    assert question.text and QUESTIONS[question.id] is question
    assert question.id.partition(".")[0] in TOPICS
    if question.choices is not None:
        assert len(question.choices) >= 2 and all(question.choices.values())
        assert question.answer is None or question.answer in question.choices
        for choice, sentence in question.choices.items():
            assert predict(question.id, choice).reveal(choice).endswith(sentence)


@pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)
def test_a_prediction_offers_the_choices_that_its_question_knows(source):
    text = source.read_text(encoding="utf-8")
    for asked in re.finditer(r'^\w+ = predict\("([\w.]+)"', text, re.MULTILINE):
        choices = QUESTIONS[asked[1]].choices
        if choices:
            cell = text[: asked.start()].rpartition("\n# %%")[2]
            assert set(choices) <= set(re.findall(r'"([^"]+)"', cell)), asked[1]
