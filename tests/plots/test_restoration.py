"""Figures of lecture 11: what they draw."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.container import BarContainer
from matplotlib.text import Text

from course_lib.plots import restoration as figures
from tests.helpers import returns_its_figure


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_plane_names_every_point_and_draws_the_floor():
    figure = figures.plane({"mean": (21.7, 7.0), "copy": (21.5, 0.1)}, (0.5, 2.0), ["copy"])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["copy", "mean"]
    places = [tuple(dots.get_offsets()[0]) for dots in axes.collections]
    assert places == [(21.5, 0.1), (21.7, 7.0)]
    band = axes.patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == (0.5, 2.0)
    assert axes.get_yscale() == "log"
    hollow = [len(dots.get_facecolors()) == 0 for dots in axes.collections]
    assert hollow == [True, False]


def test_no_name_in_the_plane_covers_another():
    close = {"one": (19.8, 13.8), "two": (19.9, 12.2), "three": (20.0, 9.3), "four": (20.5, 10.9)}
    far = {"below": (23.6, 0.84), "beside": (24.1, 1.27), "low": (21.2, 0.15), "high": (10, 133)}
    figure = figures.plane(close | far, (0.5, 4.0))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_blends_have_a_law_a_straight_line_and_what_was_measured():
    figure = figures.blends([0, 0.5, 1], [1.0, 1.3, 2.0], [1.0, 1.25, 2.0], 1.5)
    law, straight, dots, guess = figure.axes[0].lines
    assert list(law.get_ydata()) == [1.0, 1.25, 2.0]
    assert list(straight.get_ydata()) == [1.0, 2.0] and list(dots.get_ydata()) == [1.0, 1.3, 2.0]
    assert guess.get_ydata()[0] == 1.5


def test_groups_stand_side_by_side():
    shares = {"clean": [0.9, 0.8], "JPEG": [0.7, 0.4]}
    figure = figures.by_group(shares, ["light", "dark"], "right", "skin", 0.05)
    (axes,) = figure.axes
    bars = [box for box in axes.containers if isinstance(box, BarContainer)]
    assert [[bar.get_height() for bar in row] for row in bars] == [[0.9, 0.8], [0.7, 0.4]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["light", "dark"]
    assert axes.get_xlabel() == "skin" and len({row[0].get_hatch() for row in bars}) == 2
    ends = bars[0].errorbar.lines[2][0].get_segments()[0][:, 1]
    assert np.allclose(ends, [0.85, 0.95])


def test_the_box_is_drawn_in_pictures_and_in_maps_of_half_their_size():
    figure = figures.where(pictures(2), torch.randn(2, 8, 8), (4, 2, 6, 8))
    above, below = figure.axes[0].lines[0], figure.axes[2].lines[0]
    assert np.allclose(above.get_xdata(), [1.5, 9.5, 9.5, 1.5, 1.5])
    assert np.allclose(below.get_ydata(), [1.5, 1.5, 4.5, 4.5, 1.5])
    bar = [tick.get_text() for tick in figure.axes[-1].get_yticklabels()]
    assert bar == ["− less real", "0", "+ more real"]


FIGURES = {
    "plane": lambda: figures.plane({"a": (20.0, 3.0)}),
    "blends": lambda: figures.blends([0, 1], [1, 2], [1, 2]),
    "by_group": lambda: figures.by_group({"a": [0.5]}, ["b"], "right"),
    "where": lambda: figures.where(pictures(2), torch.randn(2, 8, 8), (0, 0, 4, 4)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])
