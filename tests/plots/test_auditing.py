"""Figures of lecture 08: what they draw, and what they refuse."""

import numpy as np
import pytest
import torch

from course_lib import auditing
from course_lib.plots import auditing as figures
from tests.helpers import returns_its_figure

SHARES = {20: (0.5, (0.4, 0.6)), 2000: (0.0, (0.0, 0.01))}


PAIRS = torch.zeros(3, 3, 8, 8), torch.ones(3, 3, 8, 8), torch.tensor([0.05, 0.2, 0.9]), 0.2


def test_copies_alone_are_framed_and_every_ratio_is_written():
    drawn = figures.copies(*PAIRS).axes[:3]
    assert [axes.get_title() for axes in drawn] == ["0.05", "0.20", "0.90"]
    framed = [axes.spines["left"].get_visible() for axes in drawn]
    assert framed == [True, False, False]  # at the threshold it is no copy


def test_copying_draws_every_run_and_joins_their_means():
    runs = {20: (0.6, 0.8), 2000: (0.0, 0.1)}
    figure = figures.copying({"equal steps": runs}, {20: 0.01, 2000: 0.02}, runs, {20: 0.3})
    left, right = figure.axes
    assert left.get_xscale() == right.get_xscale() == "log"
    assert left.lines[0].get_ydata() == pytest.approx([0.7, 0.05])
    dots = [line.get_xydata().tolist() for line in left.lines if line.get_marker() == "o"]
    assert dots == [[[20, 0.6], [20, 0.8]], [[2000, 0.0], [2000, 0.1]]]
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["20", "2,000"]
    assert list(left.lines[-1].get_ydata()) == [0.01, 0.02]
    assert list(right.lines[-1].get_ydata()) == [0.3]


def test_along_draws_the_ends_of_each_interval_and_what_guessing_gives():
    axes = figures.along({"a": SHARES}, {"a": 0.5}, "faces", "share").axes[0]
    bars = [segment for bar in axes.collections for segment in bar.get_segments()]
    ends = sorted(y for segment in bars for y in segment[:, 1])
    assert ends == pytest.approx([0.0, 0.01, 0.4, 0.6])
    assert set(axes.lines[-1].get_ydata()) == {0.5}


def test_the_members_count_as_much_as_the_many_strangers():
    axes = figures.two_kinds({"a": (torch.zeros(2), torch.arange(50.0))}, ("m", "s"), "loss").axes[
        0
    ]
    heights = [sum(bar.get_height() for bar in bars) for bars in axes.containers]
    assert heights[0] == pytest.approx(1) and 0.9 < heights[1] <= 1  # the last 0.5 % are cut off


def test_a_change_of_a_share_stands_above_the_share_that_went_in():
    points = [(0.5, 0.4, (0.3, 0.45)), (0.5, 0.6, (0.5, 0.7)), (0.9, 0.95, (0.9, 0.99))]
    axes = figures.in_and_out({"vae": points, "gan": points}).axes[0]
    dots = [line.get_xydata()[0] for line in axes.lines if line.get_marker() in ("o", "s")]
    assert [y for _, y in dots] == pytest.approx([-10, 10, 5] * 2)
    assert [round(x) for x, _ in dots] == [0, 0, 1] * 2
    assert len({x for x, _ in dots}) == 6  # no dot hides another


def test_a_roc_curve_begins_at_a_thousandth_and_ends_at_all():
    scores, labels = torch.arange(10.0), torch.arange(10) > 4
    axes = figures.roc({"perfect": auditing.roc_curve(scores, labels)}).axes[0]
    x, y = axes.lines[0].get_data()
    assert x[0] == pytest.approx(1e-3) and (x[-1], y[-1]) == (1, 1) and y[x <= 1e-3].max() == 1


def test_a_cross_table_writes_the_mean_and_the_range_of_each_cell():
    table = {"a": {"c": (0.8, 1.0), "d": (0.5, 0.5)}, "b": {"c": (0.1, 0.1), "d": (1.0, 1.0)}}
    axes = figures.cross_table(table, "rows", "columns", guessing=0.5).axes[0]
    assert [text.get_text() for text in axes.texts] == [
        "0.90\n0.80 … 1.00",
        "0.50\n0.50 … 0.50",
        "0.10\n0.10 … 0.10",
        "1.00\n1.00 … 1.00",
    ]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    low, high = axes.images[0].get_clim()
    assert (low + high) / 2 == pytest.approx(0.5)  # guessing is white


def test_unmarked_pictures_follow_the_line_of_chance():
    p = torch.arange(1, 101) / 100
    axes = figures.p_values({"unmarked": p, "marked": torch.full((5,), 1e-30)}).axes[0]
    x, y = axes.lines[1].get_data()
    assert np.allclose(x, y) and axes.lines[2].get_ydata()[-1] == 1


FIGURES = {
    "copied": lambda: figures.copies(*PAIRS),
    "copying": lambda: figures.copying(
        {"equal steps": {20: (0.5,)}}, {20: 0.0}, {4: (0.1,)}, {4: 0.01}
    ),
    "along": lambda: figures.along(
        {"a": SHARES, "b": SHARES}, {"a": 0.5, "b": 0.01}, "faces", "share"
    ),
    "two kinds": lambda: figures.two_kinds(
        {"a": (torch.rand(9), torch.rand(8))}, ("members", "strangers"), "loss"
    ),
    "in and out": lambda: figures.in_and_out({"vae": [(0.5, 0.4, (0.3, 0.5))]}),
    "roc": lambda: figures.roc({"a": auditing.roc_curve(torch.rand(9), torch.arange(9) < 4)}),
    "crossed": lambda: figures.cross_table({"a": {"a": (1.0,), "b": (0.5,)}}, "rows", "columns"),
    "attacks": lambda: figures.after_attacks({"a": {"none": SHARES[20]}}, "share", 0.01),
    "p-values": lambda: figures.p_values({"a": torch.rand(9)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    "originals must be 3 pictures; got 1": lambda: figures.copies(
        PAIRS[0], PAIRS[1][:1], *PAIRS[2:]
    ),
    r"ratios must be \(3,\)": lambda: figures.copies(*PAIRS[:2], PAIRS[2][:2], 0.2),
    r"series\['a'\]\[20\] must be \(share, \(low, high\)\); got 0.5": lambda: figures.along(
        {"a": {20: 0.5}}, {"a": 0.5}, "faces", ""
    ),
    r"series\['a'\]\[0\] must be \(in, out, interval\); got 0.5": lambda: figures.in_and_out(
        {"a": [0.5]}
    ),
    "guessing must be a finite number": lambda: figures.cross_table(
        {"a": {"a": [1]}}, "r", "c", 2.0
    ),
    "xlabel must be text; got 3": lambda: figures.along({"a": SHARES}, {"a": 0.5}, 3, ""),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
