"""Figures of lecture 05: what they draw, and what they refuse."""

import math

import matplotlib
import numpy as np
import pytest
import torch

from course_lib import plots
from course_lib.plots import losses as figures
from tests.helpers import returns_its_figure

DISTANCES = torch.linspace(0, 4, 9)


PULLS = {"minimax": 0 * DISTANCES, "wasserstein": torch.ones(9), "own": DISTANCES - 2}


def test_fakes_slide_and_each_arrow_is_as_long_as_its_pull():
    picture = figures.SlidAway(DISTANCES, PULLS)
    for i in (0, 3, 8):
        left = picture.show(i).axes[0]
        at = DISTANCES[i].item()
        x, y = picture.fakes.get_xy()[:400].T
        assert x[y.argmax()] == pytest.approx(at, abs=0.03)
        ends = {name: arrow.get_xdata() for name, (arrow, *_) in picture.arrows.items()}
        assert ends["minimax"] == [at, at] and ends["wasserstein"] == pytest.approx([at, at - 1])
        assert ends["own"] == pytest.approx([at, 2]) and len(left.texts) == 3
    assert picture.show(8).axes[1].lines[0].get_label() == "minimax"


def test_arrows_point_away_where_a_loss_pushes_away_and_their_lengths_are_written_beside_them():
    picture = figures.SlidAway(DISTANCES, {"own": 10 * (DISTANCES - 2)})
    arrow, _, text = picture.arrows["own"]
    picture.show(0)
    assert arrow.get_marker() == ">" and arrow.get_xdata() == pytest.approx([0, 20])
    assert text.get_text() == "own  -20"
    picture.show(8)
    assert arrow.get_marker() == "<" and arrow.get_xdata() == pytest.approx([4, -16])
    assert text.get_text() == "own  20"


def test_no_pull_has_no_arrowhead_and_the_axis_shows_every_pull():
    pulls = {"minimax": 0.001 * DISTANCES, "own": 4 * (DISTANCES - 0.25)}
    picture = figures.SlidAway(DISTANCES, pulls)
    arrow, _, text = picture.arrows["minimax"]
    axes = picture.show(8).axes[1]
    assert arrow.get_marker() == "." and text.get_text() == "minimax  0"
    low, high = axes.get_ylim()
    assert low < -1 and high > 12 and axes.get_yscale() == "symlog"


def test_arrows_of_trained_networks_take_the_place_of_the_best():
    trained = torch.tensor([0.0, 2.0, 4.0]), {"wasserstein": torch.tensor([0.0, 0.5, 0.25])}
    picture = figures.SlidAway(DISTANCES, PULLS, trained)
    assert list(picture.arrows) == ["wasserstein"]
    picture.show(7)  # 3.5, to which 4 is nearest
    assert picture.arrows["wasserstein"][0].get_xdata() == pytest.approx([3.5, 3.25])


def test_losses_that_are_one_for_g_share_a_line():
    scores = torch.linspace(-2, 2, 5)
    drawn = {"wasserstein": -scores, "hinge": -scores.clone(), "began": scores}
    figure = figures.losses_by_score(scores, drawn, {name: 0 * scores for name in drawn})
    left, right = figure.axes
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == ["wasserstein,\nhinge", "began (0: real)"]
    assert len(left.lines) == 3  # and the zero line
    assert left.lines[1].get_xdata().min() >= 0  # an error is never negative


def test_a_scorecard_writes_each_number_beside_its_bar_and_greys_the_floor():
    table = {"real": {"Fréchet": 0.1, "recall": 0.9}, "noise": {"Fréchet": 120.0, "recall": 0.0}}
    figure = figures.scorecard(table, "real", logs=["Fréchet"])
    frechet, recall = figure.axes
    assert [text.get_text() for text in frechet.texts] == ["0.10", "120"]
    assert frechet.get_xscale() == "log" and recall.get_xscale() == "linear"
    widths = [bar.get_x() + bar.get_width() for bar in frechet.patches]
    assert widths == pytest.approx([0.1, 120.0]) and recall.patches[1].get_width() == 0
    colors = [matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in recall.patches]
    assert colors == [plots.GREY, plots.MODEL]


def test_every_run_is_shown_and_broken_ones_above_all_others():
    runs = {"a": {0.1: [2.0, 3.0], 0.2: [math.nan, 5.0]}, "b": {0.1: [1.0, 1.0], 0.2: [4.0, 4.0]}}
    axes = figures.every_run(runs, floor=0.5, label="distance").axes[0]
    dots = [y for line in axes.lines if line.get_marker() == "o" for y in line.get_ydata()]
    crosses = [y for line in axes.lines if line.get_marker() == "x" for y in line.get_ydata()]
    assert sorted(dots) == [1, 1, 2, 3, 4, 4, 5] and len(crosses) == 1 and crosses[0] > 5
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["learning rate 0.1", "learning rate 0.2"]
    assert "× broke" in [text.get_text() for text in axes.texts]
    whole = figures.every_run({"b": runs["b"]}, floor=0.5, label="distance").axes[0]
    assert "× broke" not in [text.get_text() for text in whole.texts]


def test_means_keep_their_order_from_the_top_and_ranks_their_shares():
    means = {"first": (1.0, 0.8, 1.3), "second": (2.0, 1.5, 2.2)}
    ranks = torch.tensor([[0.996, 0.004], [0.25, 0.75]])
    left, right = figures.means_and_ranks(means, ranks, 0.5, "distance").axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["first", "second"]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first on top
    assert [text.get_text() for text in right.texts] == ["100%", "25%", "75%"]


def upright(axes):
    lines = [c for c in axes.collections if not len(c.get_facecolor())]
    paths = [path for c in lines for path in c.get_paths() if len(path)]
    parts = [part for path in paths for part in path.to_polygons(closed_only=False)]
    assert max(np.ptp(part[:, 0]) for part in parts) < 1e-6
    return sorted({round(float(part[0, 0]), 3) for part in parts})


def test_lines_of_equal_score_stand_for_one_step_in_every_panel():
    side = torch.linspace(-1, 1, 21).expand(21, 21)
    surfaces = {"a": side + 7, "steeper": 2 * side}  # a constant in the score says nothing
    # data at x = 1 and fakes at −1: midway is x = 0
    figure = figures.critics(
        surfaces, torch.ones(3, 2), torch.tensor([[-1.0, 0.5]]), reach=1, step=0.3
    )
    one, two, key = figure.axes
    assert upright(one) == pytest.approx([0.3 * i for i in range(-3, 4)]) and one.get_title() == "a"
    assert upright(two) == pytest.approx([0.15 * i for i in range(-6, 7)])
    assert key.get_ylabel() == "score; a line every 0.3"
    assert [text.get_text() for text in two.get_legend().get_texts()] == ["data", "fakes"]


def test_a_loss_keeps_its_colour_in_every_figure_and_none_is_that_of_data_or_fakes():
    colors = {color for color, _ in figures.LOSS_LOOKS.values()}
    assert not colors & {plots.DATA, plots.MODEL}
    assert len(set(figures.LOSS_LOOKS.values())) == len(figures.LOSS_LOOKS)
    hinge = figures.LOSS_LOOKS["hinge"][0]
    assert figures.color_of("hinge, no BatchNorm") == hinge
    chosen = figures.compromises(DISTANCES, DISTANCES, {"hinge": DISTANCES}).axes[0].lines[0]
    means = figures.by_budget({10: {"hinge": (2.0, 1.0, 3.0)}}, 0.5, "d").axes[0].lines[0]
    dots = figures.runs_by_loss({"covered": {"hinge": [8.0]}}, {"covered": 8}).axes[0].lines[0]
    assert chosen.get_color() == means.get_color() == dots.get_color() == hinge


def test_weights_are_grey_at_zero_and_have_a_key():
    weights = torch.tensor([[-0.01, 0.0], [0.01, 0.005]])
    figure = figures.weights_as_pictures({"clipped": weights}, torch.zeros(2, 2))
    shown, fake, key = figure.axes
    assert shown.images[0].get_clim() == pytest.approx((-0.01, 0.01))
    assert [label.get_text() for label in key.get_yticklabels()] == ["−0.01", "0", "0.01"]
    assert fake.get_title() == "a fake"


def test_floors_are_dots_beside_the_formula():
    axes = figures.floors([10, 100], [2.0, 0.2], [2.1, 0.21]).axes[0]
    line, dots = axes.lines
    assert list(dots.get_ydata()) == [2, 0.2] and dots.get_marker() == "o"
    assert list(line.get_ydata()) == [2.1, 0.21] and axes.get_yscale() == "log"


def test_each_run_of_each_loss_is_a_dot_beside_the_baseline():
    panels = {"covered": {"a": [8.0, 7.0], "b": [math.nan, 2.0]}, "share": {"a": [0.3], "b": [0.1]}}
    covered, share = figures.runs_by_loss(panels, {"covered": 8, "share": 0.01}).axes
    assert list(covered.lines[0].get_xdata()) == [8, 7] and covered.get_xlabel() == "covered"
    assert covered.lines[-1].get_xdata()[0] == 8 and share.lines[-1].get_xdata()[0] == 0.01
    assert [tick.get_text() for tick in covered.get_yticklabels()] == ["a", "b"]
    assert covered.get_ylim()[0] > covered.get_ylim()[1]  # the first on top


FIGURES = {
    "slid away": lambda: figures.slid_away(DISTANCES, PULLS, at=3),
    "by score": lambda: figures.losses_by_score(DISTANCES, PULLS, PULLS),
    "critics": lambda: figures.critics(
        {"a": torch.randn(9, 9), "b": torch.randn(9, 9)}, torch.randn(4, 2), torch.randn(3, 2)
    ),
    "compromises": lambda: figures.compromises(DISTANCES, DISTANCES, {"hinge": DISTANCES}),
    "weights": lambda: figures.weights_as_pictures({"a": torch.ones(2, 2)}, torch.zeros(2, 2)),
    "floors": lambda: figures.floors([10, 100], [2.0, 0.2], [2.1, 0.21]),
    "two sets": lambda: figures.two_sets(
        torch.randn(4, 2), torch.randn(3, 2), {"one": (1.0, 0.5), "other": (0.2, 0.1)}
    ),
    "scorecard": lambda: figures.scorecard({"a": {"x": 1.0, "y": -0.1}}, "a", ["x"]),
    "every run": lambda: figures.every_run({"a": {0.1: [math.nan]}}, 0.5, "distance"),
    "ranks": lambda: figures.means_and_ranks({"a": (2.0, 1.0, 3.0)}, torch.ones(1, 1), 0.5, "d"),
    "budgets": lambda: figures.by_budget({10: {"a": (2.0, 1.0, 3.0)}}, 0.5, "d"),
    "runs": lambda: figures.runs_by_loss({"covered": {"a": [8.0]}}, {"covered": 8}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    "distances must lie in 0 … 200; got 0 … 4e\\+06": lambda: figures.slid_away(
        1e6 * DISTANCES, PULLS
    ),
    "i must be a whole number, at least 0 and at most 8": lambda: figures.SlidAway(
        DISTANCES, PULLS
    ).show(9),
    r"measured must be \(distances, pulls by loss\)": lambda: figures.slid_away(
        DISTANCES, PULLS, 4, 3
    ),
    "floor must be one of a; got 'b'": lambda: figures.scorecard({"a": {"x": 1.0}}, "b", ()),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
