"""Figures of lecture 03: what they draw, and what they refuse."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import plots
from course_lib.gan import Frame
from course_lib.plots import gan as figures
from tests.helpers import returns_its_figure


def moment(seed: int, n: int = 6) -> Frame:
    """A made-up moment of a game in the plane."""
    torch.manual_seed(seed)
    return Frame(torch.rand(8, 8), torch.randn(n, 2) / 2, torch.randn(n, 2))


def test_a_moment_of_the_game_changes_only_what_moves():
    game, a, b = figures.GameInThePlane(torch.randn(20, 2), 6), moment(0), moment(1)
    first, second = game.show(a, "step 1"), game.show(b, "step 2")
    assert first.shape == second.shape == (360, 360, 3) and first.dtype == np.uint8
    assert not np.array_equal(first, second)
    assert np.array_equal(game.show(a, "step 1"), first)  # nothing is left of the other moment


def test_each_part_of_a_moment_is_drawn():
    game, a, b = figures.GameInThePlane(torch.randn(20, 2), 6), moment(0), moment(1)
    before = game.show(a)
    for part in Frame._fields:
        after = game.show(a._replace(**{part: getattr(b, part)}))
        assert not np.array_equal(before, after), part
    assert not np.array_equal(before, game.show(a, "step 1"))


def test_the_surface_is_drawn_upright_and_the_data_over_it():
    surface = torch.zeros(2, 2)
    surface[0, 1] = 1  # D says real at the bottom right
    still = Frame(surface, torch.zeros(1, 2), torch.zeros(1, 2))
    shown = figures.GameInThePlane(torch.tensor([[0.8, 0.8]]), 1, reach=1.6).show(still)
    real, fake = (np.array(plots.SURFACE(value)[:3]) * 255 for value in (1.0, 0.0))
    assert np.abs(shown[-20, -20] - real).max() < 2  # the last row is the lowest
    assert np.abs(shown[20, 20] - fake).max() < 2
    point = np.array([int(plots.DATA[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(shown[90, 270] - point).max() < 2  # (0.8, 0.8): three quarters across and up


def test_arrows_keep_their_direction_and_are_cut_where_they_are_long():
    arrows = torch.tensor([[0.1, 0.0], [0.0, 30.0], [0.0, 0.0]])
    game = figures.GameInThePlane(torch.zeros(1, 2), 3, reach=2.0)
    game.show(Frame(torch.zeros(2, 2), torch.zeros(3, 2), arrows))
    drawn = np.stack([game.arrows.U, game.arrows.V], 1)
    np.testing.assert_allclose(drawn, [[0.1, 0], [0, 0.4], [0, 0]], atol=1e-6)


def test_few_arrows_are_drawn_and_all_points():
    game, crowd = figures.GameInThePlane(torch.randn(20, 2), 101), moment(0, 101)
    game.show(crowd)
    assert len(game.fake.get_offsets()) == 101 and len(game.arrows.U) == 26  # one in four
    np.testing.assert_allclose(game.arrows.get_offsets(), crowd.fake[::4])


def test_a_film_keeps_the_colours_of_data_and_model_however_small_they_are():
    pictures = [np.full((90, 90, 3), 120 + 30 * i, np.uint8) for i in range(4)]
    for i, picture in enumerate(pictures):
        picture[:, :, i % 3] = np.arange(90)  # many other colours
        picture[3, 4] = [int(plots.DATA[k : k + 2], 16) for k in (1, 3, 5)]
        picture[5, 6] = [int(plots.MODEL[k : k + 2], 16) for k in (1, 3, 5)]
    gif = Image.open(io.BytesIO(plots.film(pictures).data))
    for i, picture in enumerate(pictures):
        gif.seek(i)
        shown = np.asarray(gif.convert("RGB")).astype(int)
        for place in ((3, 4), (5, 6)):
            assert np.abs(shown[place] - picture[place]).max() < 8


def test_a_film_is_an_animated_gif_with_a_picture_a_moment():
    game = figures.GameInThePlane(torch.randn(20, 2), 6)
    shown = plots.film([game.show(moment(i), f"step {i}") for i in range(4)], milliseconds=70)
    gif = Image.open(io.BytesIO(shown.data))
    assert (gif.format, gif.n_frames, gif.size) == ("GIF", 4, (360, 360))
    assert gif.info["duration"] == 70 and gif.info["loop"] == 0  # for ever
    seen = set()
    for i in range(4):
        gif.seek(i)
        seen.add(gif.convert("RGB").tobytes())
    assert len(seen) == 4


ORBIT = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)


def test_an_orbit_is_drawn_as_it_goes():
    left, right = figures.orbit_strip({"in turns": ORBIT, "at once": 2 * ORBIT}).axes
    drawn = [np.stack(axes.lines[1].get_data(), 1) for axes in (left, right)]
    assert np.array_equal(drawn[0], ORBIT) and np.array_equal(drawn[1], 2 * ORBIT)
    assert left.get_ylabel() and not right.get_ylabel()


FIGURES = {
    "game": lambda: figures.game_strip(torch.randn(9, 2), {"one": moment(0), "two": moment(1)}),
    "one moment": lambda: figures.game_strip(torch.randn(9, 2), {"one": moment(0)}),
    "best": lambda: figures.optimal_and_trained(*torch.rand(4, 9)),
    "best and trained": lambda: figures.optimal_and_trained(*torch.rand(5, 9)),
    "apart": lambda: figures.sliding_apart([0.0, 1.0], [0.0, 0.1]),
    "losses": lambda: figures.generator_losses(
        torch.rand(9),
        {"a": torch.randn(9), "b": torch.randn(9)},
        {"a": torch.rand(9), "b": torch.rand(9)},
    ),
    "vanishing": lambda: figures.vanishing([0, 10], {"a": [1.0, 0.1], "b": [1.0, 3.0]}),
    "orbits": lambda: figures.orbit_strip({"at once": ORBIT}),
    "players": figures.two_players,
    "classes": lambda: figures.class_counts({"a": 3, "b": 0}, 1.5, {"a": 1, "b": 2}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    r"frames\['a'\] must be a Frame": lambda: figures.game_strip(torch.rand(5, 2), {"a": 3}),
    "slopes must have an entry 'a'": lambda: figures.generator_losses(
        [0.5], {"a": [1]}, {"b": [1]}
    ),
    r"real must be \(n, 2\)": lambda: figures.GameInThePlane(torch.rand(5), 5),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
