"""Figures of lecture 10: what they draw."""

import numpy as np
import pytest
import torch

from course_lib.plots import editing as figures


def pictures(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_trade_runs_from_what_was_kept_to_what_was_asked_for():
    curves = {"means": [(0.4, 1.0), (0.9, 0.7)], "random": [(0.4, 1.0), (0.45, 0.6)]}
    figure = figures.trades(curves, "rest as before", "glasses", 100)
    axes = figure.axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("glasses", "rest as before")
    line = axes.lines[0]
    assert list(line.get_ydata()) == [0.4, 0.9] and list(line.get_xdata()) == [1.0, 0.7]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["means", "random"]
    bars = axes.containers[0].lines[2][1].get_segments()  # of what was asked for
    assert np.ptp(bars[0][:, 1]) / 2 == pytest.approx((0.4 * 0.6 / 100) ** 0.5)


def test_a_swap_grid_has_structures_at_the_left_and_textures_on_top():
    structures, textures, grid = pictures(2), pictures(3, seed=1), pictures(2, 3, seed=2)
    sheet = figures.swap_grid(structures, textures, grid).axes[0].images[0].get_array()
    step = 8 + 3

    def cell(row: int, column: int) -> np.ndarray:
        return sheet[row * step : row * step + 8, column * step : column * step + 8]

    def shown(x: torch.Tensor) -> np.ndarray:
        return (x.permute(1, 2, 0).numpy() + 1) / 2

    assert np.allclose(cell(0, 2), shown(textures[1]), atol=1e-6)
    assert np.allclose(cell(2, 0), shown(structures[1]), atol=1e-6)
    assert np.allclose(cell(2, 3), shown(grid[1, 2]), atol=1e-6)
    assert np.allclose(cell(0, 0), 1)
    with pytest.raises(ValueError, match="grid must be"):
        figures.swap_grid(structures, textures, grid[:, :2])
    axes = figures.swap_grid(structures, textures, grid, "map", "style").axes[0]
    assert "map" in axes.get_ylabel() and "style" in axes.get_xlabel()


def test_relevances_mark_the_largest_and_name_the_layers():
    values = torch.tensor([0.1, -0.8, 0.2, 0.05, 0.6])
    figure = figures.relevances(values, {"4 × 4": 2, "8 × 8": 3}, 2)
    grey, chosen = figure.axes[0].containers
    assert sorted(bar.get_height() for bar in chosen) == pytest.approx([-0.8, 0.6])
    assert len(grey) == 3
    assert [text.get_text() for text in figure.axes[0].texts] == ["4 × 4", "8 × 8"]
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "the 2 largest"
    with pytest.raises(ValueError, match="add up"):
        figures.relevances(values, {"4 × 4": 2}, 2)
