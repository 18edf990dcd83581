"""Sliders of lecture 06: each stop draws another picture and reads out another number."""

import io

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_lib.widgets import translation as widgets
from tests.helpers import children


def seen_in(widget):
    (picture,) = children(widget, ipywidgets.Image)
    return plt.imread(io.BytesIO(picture.value))[..., :3]


def test_the_curtain_shows_the_translation_to_its_left_and_the_original_to_its_right():
    before, after = torch.full((3, 3, 8, 8), -1.0), torch.full((3, 3, 8, 8), 0.5)
    after[2] = 1
    widget = widgets.before_after(before, after, pixels=64)
    curtain, which = children(widget, ipywidgets.IntSlider)
    assert seen_in(widget).shape == (64, 64, 3)
    curtain.value = 25
    assert np.allclose(seen_in(widget)[:, :15], 0.75, atol=0.01)
    assert (seen_in(widget)[:, 16:] == 0).all()
    curtain.value = 0
    assert (seen_in(widget) == 0).all()
    which.value, curtain.value = 2, 100
    assert (seen_in(widget) == 1).all()


def test_the_hidden_signal_says_how_far_the_way_back_is_off():
    y, there = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    spoilers = {"nothing": lambda x: x, "brighter": lambda x: x + 0.1}
    widget = widgets.hidden_signal(y, there, lambda z: 10 * z, spoilers)
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,) = children(widget, ipywidgets.HTML)
    assert "done: 0.0000" in readout.value and "<b>0.0000</b>" in readout.value
    clean = seen_in(widget)
    slider.value = "brighter"
    assert "done: 0.0500" in readout.value and "<b>0.5000</b>" in readout.value
    assert not np.array_equal(seen_in(widget), clean)


def test_each_weight_of_the_way_back_has_its_pictures_and_its_words():
    x = torch.zeros(2, 3, 4, 4)
    found = {f"λ = {i}": (x + i / 9, x - i / 9) for i in range(3)}
    told = {name: f"says {name}" for name in found}
    widget = widgets.trainings(x, found, told)
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,) = children(widget, ipywidgets.HTML)
    assert slider.value == "λ = 1"
    seen = set()
    for name in found:
        slider.value = name
        assert f"says {name}" in readout.value
        seen.add(seen_in(widget).tobytes())
    assert len(seen) == 3
