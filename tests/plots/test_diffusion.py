"""Figures of lecture 07: what they draw, and what they refuse."""

import numpy as np
import pytest
import torch

from course_lib.diffusion import Diffusion, linear_betas
from course_lib.plots import diffusion as figures
from tests.helpers import returns_its_figure


def test_the_way_back_shows_what_has_been_walked_up_to_a_moment():
    way = way_back()
    way.show(2)
    assert [len(line.get_xdata()) for line in (way.noisy, way.guess, way.here)] == [3, 3, 1]
    assert way.here.get_xdata()[0] == 2 and "t = 20" in way.right.get_title()
    late = way.image.get_array().copy()
    way.show(0)
    assert len(way.guess.get_xdata()) == 1 and not np.allclose(way.image.get_array(), late)


def test_quality_by_steps_has_a_dash_for_each_draw_and_the_floor():
    curves = {"DDIM": {10: [2.0, 4.0], 1: [9.0]}, "flow": {1: [8.0]}}
    axes = figures.by_steps(curves, 0.5, "distance").axes[0]
    lines = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
    assert list(lines["DDIM"].get_xdata()) == [1, 10]
    assert list(lines["DDIM"].get_ydata()) == [9.0, 3.0]
    dots = {line.get_ydata()[0]: line for line in axes.lines if line.get_marker() == "o"}
    hollow = {y: line.get_markerfacecolor() == "white" for y, line in dots.items()}
    assert hollow == {9.0: True, 3.0: False, 8.0: True}  # a single run is hollow
    dashes = [y for line in axes.lines if line.get_marker() == "_" for y in line.get_ydata()]
    assert sorted(dashes) == [2.0, 4.0, 8.0, 9.0]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_methods_stand_from_the_top_with_a_line_from_low_to_high():
    table = {"a": {"x": (2.0, 1.0, 4.0)}, "b": {"x": (90.0, 80.0, 95.0)}}
    axes = figures.methods(table, titles=("x ↓",), floors={"x": 0.5}).axes[0]
    assert axes.get_title() == "x ↓"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1] and axes.get_xscale() == "log"
    spans = [list(line.get_xdata()) for line in axes.lines if line.get_linestyle() == "-"]
    spans = [span for span in spans if len(span) == 2]
    assert spans == [[1.0, 4.0], [80.0, 95.0]]
    assert [text.get_text() for text in axes.texts] == ["2", "90"]
    assert [0.5, 0.5] in [list(line.get_xdata()) for line in axes.lines]  # the floor
    alike = figures.methods(
        {"a": {"x": (2.0, 1.0, 4.0)}, "b": {"x": (9.0, 8.0, 9.5)}}, ("x",), {"x": 1}
    )
    assert alike.axes[0].get_xscale() == "linear"


def test_a_chain_strip_shows_one_noising_above_the_mean_of_all():
    some = torch.stack([torch.zeros(1, 2, 2), torch.full((1, 2, 2), 0.5)])
    figure = figures.chain_strip({"T = 9": some}, torch.randn(2, 1, 2, 2))
    one, _, mean, _ = (axes.images[0].get_array().mean() for axes in figure.axes)
    assert (one, mean) == pytest.approx((0.5, 1.0))  # grey, and 0.25 at full contrast
    assert figure.axes[2].get_ylabel() == "mean of 2"


def test_schedules_mark_where_picture_and_noise_are_equally_strong():
    chain = Diffusion(linear_betas(50))
    left, middle, right = figures.schedules({"linear": chain}).axes
    assert len(left.lines[0].get_xdata()) == 50 and len(middle.lines) == 2
    size, noise = (np.asarray(line.get_ydata()) for line in middle.lines)
    assert np.allclose(size**2 + noise**2, 1)
    assert list(right.lines[-1].get_ydata()) == [1, 1]


def way_back():
    points = torch.arange(8.0).view(4, 2)
    sheets = [torch.full((8, 1, 4, 4), i / 4) for i in range(4)]
    return figures.ReverseProcess(torch.randn(9, 2), points, points / 2, sheets, [40, 30, 20, 10])


FIGURES = {
    "schedules": lambda: figures.schedules({"a": Diffusion(linear_betas(9))}),
    "spread": lambda: figures.spread_over_steps({"a": [1.0, 2.0], "b": [1.0, 1.0]}),
    "clock": lambda: figures.clock(torch.rand(9, 4)),
    "way back": lambda: way_back().show(1),
    "points in steps": lambda: figures.points_in_steps(
        torch.randn(9, 2), {"noise": torch.randn(9, 2), "t = 0": torch.randn(9, 2)}
    ),
    "by steps": lambda: figures.by_steps({"DDIM": {1: [9.0], 10: [2.0, 3.0]}}, 0.5, "distance"),
    "guidance": lambda: figures.guidance_trade(
        [0.0, 1.0], {"variety": [2.0, 1.0], "distance": [3.0, 2.0]}, {"variety": 1.5}
    ),
    "methods": lambda: figures.methods(
        {"a": {"x": (2.0, 1.0, 3.0), "y": (0.5, 0.4, 0.6)}}, ["x", "y"], {"x": 0.4}
    ),
    "chain strip": lambda: figures.chain_strip(
        {"T = 9": torch.ones(2, 1, 4, 4)}, torch.randn(2, 1, 4, 4)
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    r"chains\['a'\] must be a Diffusion; got int": lambda: figures.schedules({"a": 3}),
    r"table\['a'\]\['x'\] must be \(3,\)": lambda: figures.methods(
        {"a": {"x": (1.0, 2.0)}}, ["x"], {"x": 1}
    ),
    "titles must hold 1; got 2": lambda: figures.methods(
        {"a": {"x": (1.0, 2.0, 3.0)}}, ["x", "y"], {"x": 1}
    ),
    "noise must be a tensor of decimal numbers": lambda: figures.chain_strip(
        {"a": torch.zeros(2, 1, 4, 4)}, torch.zeros(2, 1, 4, 4).byte()
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
