"""Figures of lecture 02: what they draw, and what they refuse."""

import pytest
import torch

from course_lib.plots import autoencoders as figures
from tests.helpers import returns_its_figure

FIGURES = {
    "through_a_vae": lambda: figures.through_a_vae(
        torch.zeros(3, 8, 8), *torch.randn(3, 5).abs(), torch.zeros(3, 8, 8)
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])
