"""Figures of what all lectures share: what they draw, and what they refuse."""

import numpy as np
import pytest
import torch

from course_lib import plots
from tests.helpers import python, returns_its_figure


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
    sheet = plots.as_sheet(images, columns=3, gap=1)
    assert sheet.shape == (9, 14)
    assert np.allclose(sheet[0:4, 5:9], 50 / 255) and np.allclose(sheet[5:9, 0:4], 150 / 255)
    assert np.allclose(sheet[4], 1) and np.allclose(sheet[5:, 10:], 1)  # gap, and no sixth picture


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


def test_neighbours_stand_below_their_samples():
    samples, neighbours = torch.full((2, 1, 4, 4), -1.0), torch.zeros(2, 3, 1, 4, 4)
    neighbours[:, 1] = 1.0  # the second nearest are white
    figure = plots.with_neighbours(samples, neighbours)
    means = [axes.images[0].get_array()[:4, :4].mean() for axes in figure.axes]
    assert means == pytest.approx([0, 0.5, 1, 0.5])


def test_panels_of_different_sizes_have_one_magnification():
    figure = plots.panels({"a": torch.zeros(1, 4, 4), "b": torch.zeros(1, 8, 8)})
    figure.canvas.draw()
    small, large = (axes.get_window_extent().width for axes in figure.axes)
    assert large / small == pytest.approx(2, rel=0.05)


def test_a_part_of_the_plane_is_a_grid_like_the_whole():
    part = plots.plane(3, (0.0, 1.0), (-1.0, 0.0))
    assert (
        part[0].tolist() == [0, -1] and part[2].tolist() == [1, -1] and part[-1].tolist() == [1, 0]
    )


def test_names_stand_over_the_columns_of_rows():
    figure = plots.rows({"a": torch.zeros(2, 1, 4, 4)}, above=["t = 9", "t = 0"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["t = 9", "t = 0"]


@pytest.mark.parametrize("side", [16, 28, 32, 64, 100, 900])
def test_a_sheet_draws_every_pixel_equally_large(side):
    images = torch.zeros(40, 1, side, side)
    for figure in (plots.grid(images), plots.rows({"a": images[:12], "b": images[:3]})):
        for axes in figure.axes:
            box, (h, w) = axes.get_window_extent(), axes.images[0].get_array().shape
            zoom = box.width / w
            assert zoom == pytest.approx(round(zoom)) and zoom == pytest.approx(box.height / h)


def test_rows_of_small_pictures_stand_in_the_columns_of_large_ones():
    small, large = torch.zeros(5, 1, 16, 16), torch.zeros(5, 1, 64, 64)
    a, b = plots.rows({"16": small, "64": large}).axes
    assert a.get_window_extent().width == b.get_window_extent().width


FIGURES = {
    "copies": lambda: plots.with_neighbours(torch.zeros(4, 3, 8, 8), torch.zeros(4, 2, 3, 8, 8)),
    "grid": lambda: plots.grid(torch.zeros(5, 3, 8, 8), columns=3, title="five"),
    "rows": lambda: plots.rows({"a": torch.zeros(3, 1, 8, 8), "b": torch.zeros(3, 3, 8, 8)}),
    "panels": lambda: plots.panels({"a": torch.zeros(1, 4, 4), "b": torch.zeros(3, 9, 9)}),
    "curves": lambda: plots.curves([1, 2], {"a": [1.0, 2.0]}, "x", "y", {"here": 1.5}, 1.2),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


DARK = """
import io
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from PIL import Image
plt.style.use("dark_background")
plt.rcParams["figure.facecolor"] = (1, 1, 1, 0)  # as notebooks of old had it
from course_lib import plots
figure = plots.curves([0, 1], {"a": [0, 1]}, "x", "y")
buffer = io.BytesIO()
figure.savefig(buffer, format="png")
picture = Image.open(buffer).convert("RGBA")
colours = dict((c, n) for n, c in picture.getcolors(10**6))
print(picture.getpixel((0, 0)), picture.getchannel("A").getextrema(), (0, 0, 0, 255) in colours)
"""


def test_a_figure_has_white_paper_and_black_ink_whatever_style_was_chosen_before():
    assert python(DARK).stdout == "(255, 255, 255, 255) (255, 255) True\n"
