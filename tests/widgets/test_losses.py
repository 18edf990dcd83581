"""Sliders of lecture 05: each stop draws another picture and reads out another number."""

import math

import ipywidgets
import torch

from course_lib.widgets import losses as widgets
from tests.helpers import children

DISTANCES = torch.linspace(0, 12, 25)


def slid_away():
    return widgets.slid_away(DISTANCES, {"minimax": torch.exp(-DISTANCES), "own": DISTANCES})


def test_the_sliding_fakes_say_how_hard_each_loss_pulls():
    widget = slid_away()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,) = children(widget, ipywidgets.HTML)
    for name, i in slider.options:
        slider.value = i
        at = float(name.split()[0])
        assert DISTANCES[i] == at and f"{at:g} σ away" in readout.value
        assert f"own <b>{at:.3g}</b>" in readout.value
        assert f"minimax <b>{math.exp(-at):.3g}</b>" in readout.value


def test_each_budget_has_its_own_picture_and_names_its_first():
    budgets = {
        250: {"a": (5.0, 4.0, 6.0), "b": (3.0, 2.0, 3.9)},
        500: {"a": (2.0, 1.0, 3.0), "b": (2.5, 2.2, 2.8)},
    }
    widget = widgets.by_budget(budgets, floor=0.5)
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = children(widget, ipywidgets.Image), children(widget, ipywidgets.HTML)
    assert [name for name, _ in slider.options] == ["250 updates", "500 updates"]
    assert "<b>a</b>, 2.00; then b, 2.50" in readout.value and "overlap" in readout.value
    late = bytes(picture.value)
    slider.value = 250
    assert "<b>b</b>, 3.00; then a, 5.00" in readout.value and "are apart" in readout.value
    assert bytes(picture.value) != late
