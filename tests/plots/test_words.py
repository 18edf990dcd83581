"""Figures of lecture 12: what they draw."""

import pytest
import torch

from course_lib.plots import words as figures
from course_lib.words import FACTS, Score
from tests.helpers import returns_its_figure


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def score(value: float) -> Score:
    return Score(dict.fromkeys(FACTS, value), value, value, 10)


def test_each_place_shows_the_number_of_its_code():
    figure = figures.tokens_on(pictures(1)[0], torch.tensor([[7, 8], [9, 255]]))
    left, right = figure.axes
    assert [text.get_text() for text in right.texts] == ["7", "8", "9", "255"]
    assert [text.get_position() for text in right.texts] == [
        (0.5, 0.5), (1.5, 0.5), (0.5, 1.5), (1.5, 1.5)
    ]  # fmt: skip
    assert not left.texts and right.get_title() == "4 tokens"


def test_usage_falls_and_leaves_out_what_is_never_used():
    figure = figures.usage({"plain": torch.tensor([0, 6, 2]), "restart": torch.tensor([3, 2, 5])})
    plain, restart = figure.axes[0].lines
    assert list(plain.get_ydata()) == [75, 25] and list(plain.get_xdata()) == [1, 2]
    assert list(restart.get_ydata()) == [50, 30, 20]


def test_hidden_places_are_grey_and_the_others_as_they_were():
    x = pictures(2)
    tokens = torch.tensor([[-1, 3, 0, 5], [1, 1, 1, -1]])
    covered = figures.covered(x, tokens, 2)
    assert (covered[0, :, :4, :4] == 0).all() and (covered[1, :, 4:, 4:] == 0).all()
    assert torch.equal(covered[0, :, :, 4:], x[0, :, :, 4:])
    assert torch.equal(covered[1, :, :4], x[1, :, :4])


def test_each_word_has_a_map_on_one_scale():
    maps = torch.stack([torch.full((2, 2), 0.1), torch.tensor([[0.0, 0.2], [0.4, 0.2]])])
    figure = figures.word_maps(pictures(1)[0], maps, ["dark", "skin"], even=0.2)
    first, dark, skin, *empty = figure.axes
    assert first.images and not any(ax.images for ax in empty)
    assert [ax.get_title() for ax in (dark, skin)] == ["dark\n0.100", "skin\n0.200"]
    assert {ax.images[0].get_clim() for ax in (dark, skin)} == {(0, 0.4)}


def test_under_each_canvas_stands_how_much_each_word_is_heard():
    heard = torch.tensor([[0.9, 0.1, 0.0], [0.25, 0.25, 0.5]])
    figure = figures.painted(pictures(2), heard, ["a", "three", "top"])
    above, axes = figure.axes
    assert above.images[0].get_array().shape == (8, 18, 3)
    assert [t.get_text() for t in axes.texts] == ["90", "25", "10", "25", "0", "50"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "three", "top"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 1", "step 2"]
    assert axes.images[0].get_clim() == (0, 1)
    assert [t.get_color() for t in axes.texts[:2]] == ["black", "white"]


def test_the_table_has_a_row_for_each_method_and_its_mean_at_the_end():
    figure = figures.scoreboard({"floor": score(0.25), "real": score(0.75)})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == [*FACTS, "mean"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["floor", "real"]
    assert [text.get_text() for text in axes.texts] == ["0.25"] * 6 + ["0.75"] * 6
    assert {text.get_color() for text in axes.texts[:6]} == {"white"}  # on a dark cell


def test_two_shares_of_a_method_stand_on_one_line():
    figure = figures.pairs_of_shares(
        {"a": (0.4, 0.3), "b": (0.9, 0.9)}, ["together", "never"], "share"
    )
    (axes,) = figure.axes
    assert axes.get_xlabel() == "share"
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.4, 0.3], [0.9, 0.9]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["together", "never"]


FIGURES = {
    "tokens_on": lambda: figures.tokens_on(pictures(1)[0], torch.zeros(2, 2, dtype=torch.int64)),
    "usage": lambda: figures.usage({"plain": torch.tensor([1.0, 2.0])}),
    "word_maps": lambda: figures.word_maps(pictures(1)[0], torch.rand(1, 2, 2), ["a"], 0.5),
    "painted": lambda: figures.painted(pictures(2), torch.rand(2, 1), ["a"]),
    "scoreboard": lambda: figures.scoreboard({"a": score(0.5)}),
    "pairs_of_shares": lambda: figures.pairs_of_shares({"a": (0.1, 0.2)}, ["one", "two"], "share"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    r"tokens must be \(2, 4\)": lambda: figures.covered(pictures(2), torch.zeros(2, 5).long(), 2),
    "names must be two": lambda: figures.pairs_of_shares({"a": (0.1, 0.2)}, ["one"], "share"),
    "side must divide": lambda: figures.covered(pictures(1), torch.zeros(1, 9).long(), 3),
    r"heard must be \(2, 1\)": lambda: figures.painted(pictures(2), torch.rand(2, 3), ["a"]),
    r"scores\['a'\] must be a Score": lambda: figures.scoreboard({"a": 0.5}),
    r"words\[0\] must be a str": lambda: figures.word_maps(
        pictures(1)[0], torch.rand(1, 2, 2), [3], 0.5
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
