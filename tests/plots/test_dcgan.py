"""Figures of lecture 04: what they draw, and what they refuse."""

import numpy as np
import pytest
import torch

from course_lib import plots, shapes
from course_lib.plots import dcgan as figures
from tests.helpers import returns_its_figure

CONVOLUTIONS = [(6, 3, 1, 0, 1), (6, 4, 2, 1, 1), (7, 2, 3, 0, 1), (6, 3, 1, 2, 2), (1, 1, 1, 0, 1)]


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_window_marks_just_the_pixels_that_the_convolution_sees(case):
    size, kernel, stride, padding, dilation = case
    padded = torch.zeros(1, 1, *[size + 2 * padding] * 2, requires_grad=True)
    numbers = {"stride": stride, "dilation": dilation}
    output = torch.conv2d(padded, torch.ones(1, 1, kernel, kernel), **numbers).flatten()
    assert len(output) == shapes.conv2d_size(size, kernel, stride, padding, dilation) ** 2
    for at, value in enumerate(output):
        (slope,) = torch.autograd.grad(value, padded, retain_graph=True)
        cells = figures.window_cells(*case, at=at)
        assert np.array_equal(cells == 2, slope[0, 0].numpy() != 0)
        picture = np.pad(np.ones((size, size), int), padding)
        assert np.array_equal(cells[cells < 2], picture[cells < 2])  # elsewhere as it was


def test_windows_are_titled_with_the_size_that_comes_out():
    names = ("size", "kernel", "stride", "padding", "dilation")
    cases = {str(case): dict(zip(names, case, strict=True)) for case in CONVOLUTIONS}
    titles = [axes.get_title() for axes in figures.windows(cases).axes]
    assert titles == [f"{case}\n{case[0]} → {shapes.conv2d_size(*case)}" for case in CONVOLUTIONS]


def test_numbers_are_written_into_their_cells():
    counts = torch.tensor([[1.0, 2, 1], [2, 4, 2]])
    (axes,) = figures.numbers({"kernel 3": counts}, {"kernel 3": (0, 1, 2)}).axes
    written = {text.get_position(): float(text.get_text()) for text in axes.texts}
    assert written == {(x, y): counts[y, x].item() for y in range(2) for x in range(3)}
    assert np.array_equal(axes.images[0].get_array(), counts)
    assert axes.patches[0].get_bbox().bounds == (0.5, -0.5, 2, 2)  # x, y, width, height


def test_a_spectrum_is_shown_for_each_kind_with_nought_in_the_middle():
    power = torch.ones(8, 8)
    power[4, 4] = 0.0  # fftshift's middle; a power of 0 has no logarithm
    figure = figures.spectra({"noise": torch.zeros(2, 3, 8, 8)}, {"noise": power})
    image = figure.axes[1].images[0]
    assert np.isfinite(image.get_array()).all() and image.get_extent() == [-0.5, 0.5, -0.5, 0.5]


FIGURES = {
    "windows": lambda: figures.windows(
        {"a": dict(size=6, kernel=3, stride=1, padding=1, dilation=1)}
    ),
    "numbers": lambda: figures.numbers({"a": torch.ones(3, 3), "b": torch.ones(2, 5)}),
    "spectra": lambda: figures.spectra({"a": torch.zeros(2, 1, 8, 8)}, {"a": torch.rand(8, 8)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    "kernel must fit into 4 cells, 2 apart; got 3": lambda: figures.window_cells(4, 3, 1, 0, 2),
    "at must be a whole number, at least 0 and at most 3": lambda: figures.window_cells(
        4, 3, 1, 0, 1, 4
    ),
    "cells must be a grid of whole numbers from 0 to 4": lambda: figures.draw_cells(
        plots.subplots()[1], np.full((2, 2), 5)
    ),
    r"cases\['a'\] must have an entry 'dilation'": lambda: figures.windows(
        {"a": dict(size=6, kernel=3, stride=1, padding=1)}
    ),
    "spectra must have an entry 'a'; it has b": lambda: figures.spectra(
        {"a": torch.zeros(2, 1, 8, 8)}, {"b": torch.rand(8, 8)}
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
