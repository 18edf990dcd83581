"""Figures: what they draw, and what they refuse."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_lib import plots


def test_pictures_come_out_between_0_and_1_whatever_their_range():
    grey = plots.as_pictures(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    assert grey.shape == (2, 1, 1) and grey.ravel().tolist() == [0, 1]
    colour = plots.as_pictures(torch.full((1, 3, 2, 2), -1.0))
    assert colour.shape == (1, 2, 2, 3) and colour.max() == 0
    assert plots.as_pictures(torch.full((1, 1, 2, 2), 7.0)).max() == 1  # clipped


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 2, 8, 8), (8, 8)])
def test_what_is_no_batch_of_pictures_is_refused(shape):
    with pytest.raises(ValueError, match="images must have shape"):
        plots.as_pictures(torch.zeros(shape))


def test_a_sheet_has_each_picture_at_its_place():
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 1, 4, 4) * 50
    sheet = plots._sheet(images, columns=3, gap=1)
    assert sheet.shape == (9, 14)
    assert np.allclose(sheet[0:4, 5:9], 50 / 255) and np.allclose(sheet[5:9, 0:4], 150 / 255)
    assert np.allclose(sheet[4], 1) and np.allclose(sheet[5:, 10:], 1)  # gap, and no sixth picture


def test_a_guess_is_drawn_and_none_is_not():
    def lines(guess):
        axes = plots.concentration([2, 784], [0.1, 0.9], guess).axes[0]
        return [text.get_text() for text in axes.get_legend().get_texts()]

    assert lines(None) == ["measured"]
    assert lines(0.5) == ["measured", "your guess at d = 784: 0.5"]


def test_the_bar_that_was_guessed_is_marked():
    figure = plots.bars({"a": 1.0, "b": -0.001}, "value", guess="b")
    weights = [label.get_fontweight() for label in figure.axes[0].get_yticklabels()]
    assert weights == ["normal", "bold"]


def test_the_plane_runs_row_by_row_from_the_bottom_left():
    points = plots.plane(3)
    low, high = plots.EXTENT
    assert points[0].tolist() == pytest.approx([low, low])
    assert points[1].tolist() == pytest.approx([0, low], abs=1e-6)
    assert points[-1].tolist() == pytest.approx([high, high])


FIGURES = {
    "through_a_vae": lambda: plots.through_a_vae(
        torch.zeros(3, 8, 8), *torch.randn(3, 5).abs(), torch.zeros(3, 8, 8)
    ),
    "grid": lambda: plots.grid(torch.zeros(5, 3, 8, 8), columns=3, title="five"),
    "rows": lambda: plots.rows({"a": torch.zeros(3, 1, 8, 8), "b": torch.zeros(3, 3, 8, 8)}),
    "panels": lambda: plots.panels({"a": torch.zeros(1, 4, 4), "b": torch.zeros(3, 9, 9)}),
    "plane": lambda: plots.density_in_the_plane(
        {"a": torch.ones(100)}, torch.zeros(4, 2), {"a": torch.ones(3, 2)}
    ),
    "curve": lambda: plots.bandwidth_curve([0.1, 1.0], torch.tensor([3.0, 1]), [-9.0, 0]),
    "bumps": lambda: plots.bumps(torch.zeros(9), torch.ones(9, 2), torch.zeros(2)),
    "bent": lambda: plots.bent_noise(torch.randn(9, 2), [torch.randn(9, 2)]),
    "neighbours": lambda: plots.neighbours_by_number([10, 100], [10.0, 9.0], -0.05, 784),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    before = plt.get_fignums()
    figure = FIGURES[name]()
    assert isinstance(figure, Figure) and figure.axes
    figure.canvas.draw()
    assert plt.get_fignums() == before  # a notebook would show it a second time
