"""Sliders of lecture 08: each stop draws another picture and reads out another number."""

import re

import ipywidgets
import pytest
import torch

from course_lib import auditing, data
from course_lib.widgets import auditing as widgets
from tests.helpers import children


def test_the_threshold_counts_the_accused_of_a_million_and_the_guilty_among_them():
    real = torch.linspace(0, 1, 1000, dtype=torch.float64)
    fakes = {"own": torch.linspace(0.5, 1.5, 100), "other": torch.linspace(0, 1, 100)}
    widget = widgets.detector_threshold(real, fakes)
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,), (picture,) = children(widget, ipywidgets.HTML), children(widget, ipywidgets.Image)
    assert slider.label == "1 %" and "pictures: <b>10,000</b>" in readout.value
    found = (fakes["own"] > slider.value).double().mean().item()
    guilty = 100 * 0.001 * found / (0.001 * found + 0.999 * 0.01)
    assert f"<b>{guilty:.1f}</b>" in readout.value and f"own {found:.0%}" in readout.value
    seen = set()
    for name, value in slider.options:
        slider.value = value
        accused = round(1e6 * (real > value).double().mean().item())
        assert f"pictures: <b>{accused:,}</b>" in readout.value
        assert accused == pytest.approx(1e4 * float(name.split()[0]), abs=1000)
        seen.add(bytes(picture.value))
    assert len(seen) == len(slider.options)


def test_a_stronger_mark_is_seen_more_and_found_more_surely():
    x = data.load("peeps", "test").floats()[:1]
    widget = widgets.watermark_strength(x, 5, auditing.ATTACKS["JPEG 50"])
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,), (picture,) = children(widget, ipywidgets.HTML), children(widget, ipywidgets.Image)
    told, seen = [], set()
    for _, strength in slider.options:
        slider.value = strength
        told.append([float(v) for v in re.findall(r"[\d.]+(?:e-?\d+)?", readout.value)])
        seen.add(bytes(picture.value))
    decibels = [numbers[0] for numbers in told]
    assert decibels == sorted(decibels, reverse=True) and len(seen) == len(told)
    assert told[-1][-1] < 1e-4 < told[0][-1]  # after JPEG: the strongest is found, the faintest not
