"""Figures of lecture 06: what they draw, and what they refuse."""

import pytest
import torch

from course_lib.plots import translation as figures
from tests.helpers import returns_its_figure


def test_a_patch_is_drawn_around_the_middle_in_its_true_size():
    axes = figures.patches_seen(torch.zeros(3, 20, 30), {"small": 4, "large": 40}).axes[0]
    small, large = axes.patches
    assert (small.get_xy(), small.get_width()) == ((12.5, 7.5), 4)
    assert large.get_width() == large.get_height() == 40
    assert axes.get_xlim() == (-0.5, 29.5)  # what is larger than the picture is cut off


def test_each_colour_is_as_wide_as_its_share():
    shares = {(1.0, 0.0, 0.0): 0.25, (0.0, 0.0, 1.0): 0.75}
    median, mean = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.0, 0.75]])
    top, middle, bottom = figures.colours_and_their_middle(shares, median, mean).axes
    assert [(bar.get_x(), bar.get_width()) for bar in top.patches] == [(0, 0.25), (0.25, 0.75)]
    assert middle.patches[0].get_facecolor() == (0.5, 0.5, 0, 1)
    assert bottom.patches[0].get_facecolor() == (0.25, 0, 0.75, 1)


def test_what_is_good_by_both_measures_lies_in_the_shaded_corner():
    named = {"doing nothing": (0.0, 0.0), "λ = 10": (0.02, 0.95), "λ = 0": (0.2, 0.95)}
    axes = figures.changed_and_kept(named, 0.9, 0.03, "share").axes[0]
    corner = axes.patches[0].get_bbox()
    inside = [corner.contains(*line.get_xydata()[0]) for line in axes.lines]
    assert inside == [False, True, False]


def test_traces_are_drawn_on_one_scale_below_the_translation():
    named = {name: torch.zeros(2, 3, 4, 4) for name in ("y", "F(y)", "G(F(y))")}
    difference = torch.stack([torch.full((3, 4, 4), 0.4), torch.zeros(3, 4, 4)])
    region = torch.zeros(4, 4, dtype=torch.bool)
    region[1:3] = True
    axes = figures.traces(named, difference, region).axes
    assert axes[4].images[0].get_array().mean() == pytest.approx(0.2)  # in [0, 1]
    assert axes[4].images[0].get_clim() == axes[5].images[0].get_clim() == (-0.5, 0.5)


FIGURES = {
    "patches": lambda: figures.patches_seen(torch.zeros(3, 16, 16), {"layers 1: 6": 6}),
    "middle": lambda: figures.colours_and_their_middle(
        {(1.0, 0.0, 0.0): 1.0}, torch.ones(3), torch.zeros(3)
    ),
    "traces": lambda: figures.traces(
        {"y": torch.zeros(1, 3, 4, 4), "F(y)": torch.zeros(1, 3, 4, 4)},
        torch.zeros(1, 3, 4, 4),
        torch.eye(4) > 0,
    ),
    "kept": lambda: figures.changed_and_kept({"λ = 1": (0.1, 0.9)}, 0.9, 0.03, "share"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    r"mean must be in \[0, 1\], as colours are": lambda: figures.colours_and_their_middle(
        {(0, 0, 0): 1.0}, torch.zeros(3), torch.tensor([0, 0, 2])
    ),
    "share_wanted must be a finite number, at least 0 and at most 1": lambda: (
        figures.changed_and_kept({"a": (0.1, 0.5)}, 90, 0.03, "share")
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
