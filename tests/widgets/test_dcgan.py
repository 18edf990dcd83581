"""Sliders of lecture 04: each stop draws another picture and reads out another number."""

import html

import ipywidgets
import pytest
import torch

from course_lib import dcgan, gan, shapes
from course_lib.widgets import dcgan as widgets
from tests.helpers import children


def calculator():
    widget = widgets.shape_calculator()
    sliders = {slider.description: slider for slider in children(widget, ipywidgets.IntSlider)}
    return sliders, *children(widget, ipywidgets.HTML), *children(widget, ipywidgets.Image)


def settle(sliders, **values):
    for name, value in values.items():
        sliders[name].value = value


@pytest.mark.parametrize(
    "case", [(7, 3, 2, 1, 1), (14, 5, 3, 2, 2), (8, 4, 2, 1, 1), (1, 1, 1, 0, 1), (14, 1, 1, 3, 1)]
)
def test_the_calculator_reads_out_the_size_of_the_convolution(case):
    sliders, readout, picture = calculator()
    settle(
        sliders, **dict(zip(("size", "kernel", "stride", "padding", "dilation"), case, strict=True))
    )
    size = shapes.conv2d_size(*case)
    n, k, s, p, d = case
    assert f"⌊({n} + 2·{p} − {d}·({k} − 1) − 1) / {s}⌋ + 1 = <b>{size}</b>" in readout.value
    out = torch.nn.Conv2d(1, 1, k, s, p, d)(torch.zeros(1, 1, n, n))
    assert out.shape[-1] == size and sliders["window"].max == max(size**2 - 1, 1)
    assert sliders["window"].disabled == (size == 1)  # one window: there is none to go to
    assert bytes(picture.value).startswith(b"\x89PNG")


def test_the_calculator_says_what_is_never_looked_at():
    sliders, readout, _ = calculator()
    assert "never" not in readout.value  # 7, 3, 2, 1 fits
    settle(sliders, size=8)
    assert "never" not in readout.value  # the remainder is padding
    settle(sliders, padding=0)
    assert "1 of 8 rows and columns are never looked at" in readout.value
    settle(sliders, size=7, kernel=1, stride=2, padding=0)  # gaps, and no remainder
    assert "3 of 7 rows and columns are never looked at" in readout.value
    settle(sliders, size=8, padding=1)  # 1, 3, 5 and 7 are seen
    assert "4 of 8 rows and columns" in readout.value


def test_settings_that_cannot_be_show_their_message_and_keep_the_last_picture():
    sliders, readout, picture = calculator()
    settle(sliders, padding=0, kernel=7)
    fine = bytes(picture.value)
    settle(sliders, size=5)
    with pytest.raises(ValueError) as refused:
        shapes.conv2d_size(5, 7, 2, 0, 1)
    assert str(refused.value) in html.unescape(readout.value)
    assert bytes(picture.value) == fine and "=" not in readout.value
    settle(sliders, size=9)
    assert "= <b>2</b>" in readout.value and bytes(picture.value) != fine


def test_the_window_of_the_calculator_walks_over_all_places_and_no_further():
    sliders, _, picture = calculator()
    seen = set()
    for at in range(16):
        sliders["window"].value = at
        seen.add(bytes(picture.value))
    assert len(seen) == 16 and sliders["window"].max == 15
    settle(sliders, size=3)  # 2 × 2 places
    assert sliders["window"].value == sliders["window"].max == 3


def test_a_walk_passes_each_code_and_comes_home():
    torch.manual_seed(0)
    generator = dcgan.Generator(nz=4, ngf=4, nc=1, size=8).eval()
    codes = torch.randn(3, 4)
    widget = widgets.latent_walk(generator, codes)
    (place,), (picture,) = (
        children(widget, ipywidgets.FloatSlider),
        children(widget, ipywidgets.Image),
    )
    assert place.max == 3
    pictures = {}
    for at in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        place.value = at
        pictures[at] = bytes(picture.value)
    assert pictures[3.0] == pictures[0.0] and len(set(pictures.values())) == 6
    alone = widgets.latent_walk(generator, codes[[1]])
    assert bytes(children(alone, ipywidgets.Image)[0].value) == pictures[1.0]


def test_a_walk_goes_along_the_arc(monkeypatch):
    made = []

    def generator(z):
        made.append(z)
        return torch.zeros(1, 1, 8, 8)

    codes = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    widget = widgets.latent_walk(generator, codes)
    children(widget, ipywidgets.FloatSlider)[0].value = 1.5
    torch.testing.assert_close(made[-1], gan.slerp(codes[[1]], codes[[0]], 0.5))
    assert made[-1].norm().item() == pytest.approx(3.0)
