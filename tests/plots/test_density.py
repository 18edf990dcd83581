"""Figures of lecture 01: what they draw, and what they refuse."""

import pytest
import torch

from course_lib.plots import density as figures
from tests.helpers import returns_its_figure


def test_a_guess_is_drawn_and_none_is_not():
    def lines(guess):
        axes = figures.concentration([2, 784], [0.1, 0.9], guess).axes[0]
        return [text.get_text() for text in axes.get_legend().get_texts()]

    assert lines(None) == ["measured"]
    assert lines(0.5) == ["measured", "your guess at d = 784: 0.5"]


FIGURES = {
    "black": lambda: figures.black_pixels(torch.rand(5, 5), 0.3),
    "plane": lambda: figures.density_in_the_plane(
        {"a": torch.ones(100)}, torch.zeros(4, 2), {"a": torch.ones(3, 2)}
    ),
    "curve": lambda: figures.bandwidth_curve([0.1, 1.0], torch.tensor([3.0, 1]), [-9.0, 0]),
    "bumps": lambda: figures.bumps(torch.zeros(9), torch.ones(9, 2), torch.zeros(2)),
    "bent": lambda: figures.bent_noise(torch.randn(9, 2), [torch.randn(9, 2)]),
    "neighbours": lambda: figures.neighbours_by_number([10, 100], [10.0, 9.0], -0.05, 784),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])
