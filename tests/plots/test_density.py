"""Figures of lecture 01: what they draw, and what they refuse."""

import numpy as np
import pytest
import torch

from course_lib import density
from course_lib.plots import density as figures
from tests.helpers import returns_its_figure


def test_a_guess_is_drawn_and_none_is_not():
    def lines(guess):
        axes = figures.concentration([2, 784], [0.1, 0.9], guess).axes[0]
        return [text.get_text() for text in axes.get_legend().get_texts()]

    assert lines(None) == ["measured"]
    assert lines(0.5) == ["measured", "your guess at d = 784: 0.5"]


def test_the_grid_is_bent_as_the_network_bends_it():
    plain, bent = figures.bent_noise(torch.randn(9, 2), [lambda z: 2 * z]).axes
    for before, after in zip(plain.lines, bent.lines, strict=True):
        assert np.allclose(2 * np.stack(before.get_data()), np.stack(after.get_data()))


def test_the_part_that_is_enlarged_is_the_part_that_is_framed():
    axes = figures.bandwidth_strip(
        torch.zeros(1, 2), [0.1], density.parzen_log_density, (-0.2, 0.1), side=0.5
    ).axes
    assert axes[1].get_xlim() == (-0.2, 0.3) and axes[1].get_ylim() == pytest.approx((0.1, 0.6))
    assert axes[0].get_xlim()[1] > 1  # and above it the whole plane


def test_what_was_not_fitted_is_drawn_hollow_and_the_line_ends_at_the_last_point():
    axes = figures.neighbours_by_number([10, 100, 1000], [10.0, 8.0, 4.0], -0.3, 784).axes[0]
    fitted, hollow, line = axes.lines
    assert list(hollow.get_xdata()) == [10] and hollow.get_fillstyle() == "none"
    assert list(fitted.get_xdata()) == [100, 1000] and line.get_ydata()[-1] == 4.0


FIGURES = {
    "plane": lambda: figures.density_in_the_plane(
        {"a": torch.ones(100)}, torch.zeros(4, 2), {"a": torch.ones(3, 2)}
    ),
    "curve": lambda: figures.bandwidth_curve([0.1, 1.0], torch.tensor([3.0, 1]), [-9.0, 0]),
    "bumps": lambda: figures.bumps(torch.zeros(9), torch.ones(9, 2), torch.zeros(2)),
    "strip": lambda: figures.bandwidth_strip(
        torch.zeros(4, 2), [0.1, 1.0], density.parzen_log_density, (-0.2, -0.2)
    ),
    "bent": lambda: figures.bent_noise(torch.randn(9, 2), [torch.sin]),
    "black": lambda: figures.black_pixels(torch.rand(5, 5), 0.3),
    "likelihoods": lambda: figures.likelihoods({"a": -1.0, "b": -3.0}, "b"),
    "witness": lambda: figures.witness(
        {"a": torch.randn(100)}, torch.zeros(4, 2), {"a": torch.ones(3, 2)}
    ),
    "distances": lambda: figures.measured_distances(
        {"MMD²": {"a": 0.1, "b": 0.0}, "A": {"a": 2.0, "b": 0.0}}, {"A": 2.0}, "a"
    ),
    "neighbours": lambda: figures.neighbours_by_number([10, 100], [10.0, 9.0], -0.05, 784),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    r"densities\['a'\] must be a number for each of n × n points; got 8": lambda: (
        figures.density_in_the_plane({"a": torch.rand(8)}, torch.rand(5, 2))
    ),
    r"validation must be \(2,\)": lambda: figures.bandwidth_curve([0.1, 0.2], [1, 2], [1, 2, 3]),
    "points must be real numbers; got .* on meta": lambda: figures.bandwidth_strip(
        torch.rand(5, 2, device="meta"), [0.1], torch.add, (0, 0)
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()


def test_a_single_measure_of_distance_is_drawn():
    (axes,) = figures.measured_distances({"nearest": {"a": 1.0, "b": 2.0}}, {}).axes
    assert [text.get_text() for text in axes.texts] == ["1.000", "2.000"]
