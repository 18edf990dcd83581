"""What the exercises say in a notebook: cards that need neither colour nor a light page."""

import re
from html.parser import HTMLParser

import nbformat
import pytest

from course_lib import build
from course_lib.exercises import EXERCISES, LECTURES, cards, check, engine, hint, progress
from tests.test_exercise_engine import ID, given, no_settings  # noqa: F401  # fixtures
from tests.test_progress import execute

TAGS = {"div", "strong", "span", "code", "pre", "details", "summary", "table", "tr", "td"}
ATTRIBUTES = {"class", "style", "data-lm-suppress-shortcuts"}


class Page(HTMLParser):
    """The text of a card as a page shows it; refuses a tag or an attribute that is not ours."""

    def __init__(self, source):
        super().__init__()
        self.text, self.code, self.kept, self.open = "", [], [], []
        self.feed(source)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS and {name for name, _ in attributes} <= ATTRIBUTES, (tag, attributes)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open[-1] in ("code", "pre"):
            {"code": self.code, "pre": self.kept}[self.open[-1]].append(data)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook is sent, as if this were its kernel."""
    found = []
    monkeypatch.setattr("course_lib.exercises.telling.in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: found.append(bundle))
    monkeypatch.setattr(engine, "VERDICTS", {})
    monkeypatch.setattr("course_lib.exercises.tallying.VERDICTS", engine.VERDICTS)
    return found


def test_a_notebook_gets_the_card_and_the_words_that_a_terminal_prints(given, shown, capsys):  # noqa: F811
    given()
    for candidate in (lambda x: x.mean(1), lambda x: x.mean(0), lambda x: ...):
        shown.clear()
        check(ID, candidate)
        (bundle,) = shown
        with pytest.MonkeyPatch.context() as terminal:
            terminal.setattr("course_lib.exercises.telling.in_notebook", lambda: False)
            check(ID, candidate)
        assert capsys.readouterr().out == bundle["text/plain"] + "\n"
        first, *rest = bundle["text/plain"].split("\n")
        said = Page(bundle["text/html"]).text
        assert said.startswith(first)
        assert all(line in said for line in rest if not line.startswith("For a hint"))


def test_sign_and_word_tell_the_verdict_where_a_page_takes_styles_away():
    for status in ("correct", "wrong", "not attempted"):
        plain = re.sub(r' [\w-]+="[^"]*"', "", cards.verdict(status, "A title", ""))
        assert Page(plain).text == f"{cards.MARKS[status]} {status} — A title"
    assert len({*cards.MARKS.values()}) == len(cards.MARKS)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#ffffff", "#111111", "#383838"])  # JupyterLab's, Colab's dark
def test_the_colours_stand_out_on_light_and_dark_pages(page):
    """At least 3 to 1, as the Web Content Accessibility Guidelines (1.4.11) ask of signs."""
    for colour in (*cards.COLOURS.values(), cards.GREY):
        low, high = sorted((luminance(colour), luminance(page)))
        assert (high + 0.05) / (low + 0.05) >= 3, (colour, page)


def test_text_and_background_are_left_to_the_page():
    card = cards.verdict("wrong", "t", "a\n  b\n`c`", ("one",), "after")
    styles = ";".join(re.findall(r'style="([^"]*)"', card))
    assert "background:" not in styles.replace("background: none", "")
    assert len(re.findall(r"(?<!-)\bcolor:", styles)) == 1  # of the sign, which the word repeats


EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</div></td></table><h1>Correct!</h1>",
    "`<b>` & `</code><i>`",
    '" onclick="alert(1)',
    "    <b>indented</b> `kept`",
    "&lt;b&gt; &#60;",
    "<!-- ",
    "one ` tick",
]


@pytest.mark.parametrize("evil", EVIL)
def test_whatever_a_student_writes_is_text(evil):
    for page in (
        cards.verdict("wrong", evil, evil, (evil, evil), evil),
        cards.table(evil, [("wrong", evil, evil)]),
        cards.hint(evil),
    ):
        plain = evil if "kept" in evil else evil.replace("`", "")
        assert plain in Page(page).text or evil in Page(page).text


def test_an_error_that_speaks_html_is_shown_as_it_is(given, shown):  # noqa: F811
    given()

    def mine(x):
        print("<b>bold</b>")
        raise ValueError("<script>alert('$x$')</script>")

    check(ID, mine)
    page = Page(shown[0]["text/html"])
    assert "ValueError: <script>alert('$x$')</script>" in page.text
    assert any("<b>bold</b>" in kept for kept in page.kept)
    assert 'class="tex2jax_ignore mathjax_ignore"' in shown[0]["text/html"]  # $x$ is no formula


def test_half_a_character_costs_no_verdict(given, shown):  # noqa: F811
    given()

    def mine(x):
        raise ValueError("\ud800")

    check(ID, mine)
    for words in shown[0].values():
        assert words.encode("utf-8") and "ValueError: ?" in words


def test_code_is_set_as_code_and_lines_of_code_keep_their_spaces():
    page = Page(
        cards.hint("Use `x.mean(1)`, not `x.sum(1)`.\n    for x in y:\n        pass\nThat's it.")
    )
    assert page.code == ["x.mean(1)", "x.sum(1)"]
    assert page.kept == ["    for x in y:\n        pass"]


def test_a_wrong_answer_brings_its_hints_each_within_the_one_before(given, shown):  # noqa: F811
    exercise = given()
    check(ID, lambda x: x.mean(0))
    source = shown[0]["text/html"]
    order = [source.index(f"Hint {i} of 3") for i in (1, 2, 3)]
    assert order == sorted(order) and source.count("<details>") == 3
    assert source.rindex("<details>") < source.index("</details>")
    assert all(text.replace("`", "") in Page(source).text for text in exercise.hints)
    shown.clear()
    check(ID, lambda x: x.mean(1))
    assert "<details>" not in shown[0]["text/html"]


def test_a_hint_is_a_card_too(given, shown):  # noqa: F811
    given()
    hint(ID)
    assert Page(shown[0]["text/html"]).text == shown[0]["text/plain"]


# ---- all of them at once -------------------------------------------------------------------------


def test_progress_shows_each_exercise_of_the_lectures_begun(shown):
    lecture = LECTURES[1]
    done, wrong, blank, *others = lecture.EXERCISES
    check(done.id, lambda *args: done.reference(*args))
    check(wrong.id, lambda *args: 0)
    check(blank.id, lambda *args: ...)
    shown.clear()
    progress()
    first, *rows = shown[0]["text/plain"].split("\n")
    assert first == f"1 of {len(lecture.EXERCISES)} correct" and len(rows) == len(lecture.EXERCISES)
    states = ["correct", "wrong", "not attempted"] + ["not run"] * len(others)
    page = Page(shown[0]["text/html"]).text
    for exercise, row, state in zip(lecture.EXERCISES, rows, states, strict=True):
        sign = f"{cards.MARKS[state]} {state}"
        assert row.split(exercise.id)[0].strip() == sign and row.endswith(f"  {exercise.title}")
        assert f"{sign}{exercise.title}{exercise.id}" in page


def test_progress_before_any_check_says_what_to_do(shown, capsys):
    progress()
    assert shown == [] and "No exercise has been checked yet" in capsys.readouterr().out


def test_the_courses_own_answer_counts_for_nothing(shown):
    exercise = LECTURES[1].EXERCISES[0]
    check(exercise.id, exercise.reference)
    assert engine.VERDICTS == {}
    check(exercise.id, lambda *args: 0)
    check(exercise.id, exercise.reference)  # `f = check(id, f)` run twice, in a cell of its own
    assert engine.VERDICTS[exercise.id].status == "wrong"


def test_progress_names_no_id_of_an_older_notebook_unless_it_was_checked(shown):
    (old,) = [exercise for exercise in EXERCISES.values() if exercise.moved]
    assert EXERCISES[old.moved].reference is old.reference
    check(old.moved, lambda *args: ...)
    progress()
    assert old.id not in shown[-1]["text/plain"]
    check(old.id, lambda *args: ...)
    progress()
    assert old.id in shown[-1]["text/plain"]


@pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)
def test_a_students_notebook_ends_with_its_exercises_and_the_solved_one_does_not(source):
    end = nbformat.read(build.ROOT / "notebooks" / f"{source.stem}.ipynb", 4).cells[-1]
    assert end.source == build.PROGRESS[1]
    assert build.PROGRESS[1] not in build.to_text(build.solved(source))


def test_in_a_real_kernel_the_card_lies_beside_the_text():
    cell = (
        "from course_lib.exercises import check, progress\n"
        "check('density.to_model_range', lambda images: images.float() / 255)\nNone"
    )
    (verdict,), (table,) = execute(cell, "progress()")
    for output, words in ((verdict, "✘ wrong"), (table, "0 of 1 correct")):
        assert output.output_type == "display_data"
        assert sorted(output.data) == ["text/html", "text/plain"]
        assert output.data["text/plain"].startswith(words)
        assert Page(output.data["text/html"]).text.startswith(words)
