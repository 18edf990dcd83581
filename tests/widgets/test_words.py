"""Sliders and the text box of lecture 12."""

import ipywidgets
import pytest
import torch

from course_lib import words
from course_lib.widgets import words as widgets
from tests.helpers import children, every_stop_differs


def painted(text: str, seed: int = 0) -> torch.Tensor:
    """Pictures that depend on each word, and refuse a word that the tokeniser does not know."""
    ids = words.tokeniser().encode([text])
    g = torch.Generator().manual_seed(seed + int((ids * torch.arange(1, 25)).sum()))
    return torch.rand(3, 3, 8, 8, generator=g) * 2 - 1


def told(x: torch.Tensor, facts) -> str:
    return f"{x.mean():.4f} of {len(facts)}"


def say_it():
    return widgets.say_it({"a": painted, "b": lambda text: painted(text, 1)}, told)


def masked_film():
    order = torch.rand(2, 16, generator=torch.Generator().manual_seed(0)).argsort(1)
    film = torch.stack([torch.where(order < n, order, -1) for n in (2, 7, 16)])
    return widgets.masked_film(film, shown, 4, lambda x: f"{x.mean():.4f}")


def shown(tokens: torch.Tensor) -> torch.Tensor:
    x = tokens.view(-1, 1, 4, 4) / 8.0 - 1 + 1e-3
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def strips():
    drawn = {f"{n} steps": torch.full((4, 1, 8, 8), n / 10) for n in range(4)}
    return widgets.strips("steps", drawn, lambda x: f"{x.mean():.2f}")


@pytest.mark.parametrize("make", [say_it, masked_film, strips])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    every_stop_differs(make)


def test_a_film_begins_with_nothing_and_ends_with_everything():
    widget = masked_film()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    names = [name for name, _ in slider.options]
    assert names == ["after 0 of 3: 0 of 16", "after 1 of 3: 2 of 16", "after 2 of 3: 7 of 16",
                     "after 3 of 3: 16 of 16"]  # fmt: skip
    (readout,) = children(widget, ipywidgets.HTML)
    assert readout.value == "0 places known; 0.0000"


def test_what_is_typed_is_drawn_and_understood():
    widget = say_it()
    (box,), (readout,) = children(widget, ipywidgets.Text), children(widget, ipywidgets.HTML)
    (picture,) = children(widget, ipywidgets.Image)
    before = bytes(picture.value)
    box.value = "a person with twists and dark skin"
    assert bytes(picture.value) != before
    lines = readout.value.split("<br>")
    assert lines[0] == "understood: twists, dark skin"
    assert lines[1] == f"a: {told(painted(box.value), (1, 2))}" and lines[2].startswith("b: ")


def test_a_word_that_nobody_knows_is_told_and_the_picture_stays():
    widget = say_it()
    (box,), (readout,) = children(widget, ipywidgets.Text), children(widget, ipywidgets.HTML)
    (picture,) = children(widget, ipywidgets.Image)
    before = bytes(picture.value)
    box.value = "a person with a quif"
    assert "did you mean &#x27;quiff&#x27;?" in readout.value
    assert bytes(picture.value) == before


def test_a_sentence_without_a_fact_asks_nothing():
    widget = say_it()
    (box,), (readout,) = children(widget, ipywidgets.Text), children(widget, ipywidgets.HTML)
    box.value = "a person"
    assert readout.value.startswith("understood: nothing") and "nothing was asked" in readout.value


def test_what_is_typed_cannot_bring_markup_into_the_page():
    widget = say_it()
    (box,), (readout,) = children(widget, ipywidgets.Text), children(widget, ipywidgets.HTML)
    box.value = "<b>x</b> person"
    assert "<b>x" not in readout.value


def test_a_sentence_that_comes_again_is_not_drawn_again():
    calls = []

    def counted(text: str) -> torch.Tensor:
        calls.append(text)
        return painted(text)

    widget = widgets.say_it({"a": counted}, told, {"one": "a person", "two": "a face"})
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    slider.value = "a face"
    slider.value = "a person"
    assert calls == ["a person", "a face"]


def test_the_sayings_are_what_their_names_say():
    facts = {name: words.understood(text) for name, text in widgets.SAYINGS.items()}
    pair = {name: (of.get("head"), of.get("skin")) for name, of in facts.items()}
    assert pair["never together in training"] in words.HELD_OUT
    assert None not in pair["seen in training"]
    assert pair["seen in training"] not in words.HELD_OUT
    assert facts["nothing"] == {} and facts["a colour only"]["colour"] == "red"


REFUSED = {
    r"film must be \(steps, B, 16\)": lambda: widgets.masked_film(
        torch.zeros(3, 2, 9).long(), shown, 4, str
    ),
    "read must be": lambda: widgets.strips("a", {"b": torch.zeros(1, 1, 8, 8)}, 3),
    r"draw\['a'\] must be|draw must be": lambda: widgets.say_it({"a": 3}, told),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_refused_by_name(message):
    with pytest.raises((ValueError, TypeError), match=message):
        REFUSED[message]()
