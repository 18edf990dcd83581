"""Sliders of lecture 01: each stop draws another picture and reads out another number."""

import io

import ipywidgets
import numpy as np
import torch
from PIL import Image

from course_lib import data
from course_lib.widgets import density as widgets
from tests.helpers import children


def bandwidth():
    points = [
        data.load(
            "toy2d", variant="spiral", n=50, generator=torch.Generator().manual_seed(s)
        ).points
        for s in (0, 1)
    ]
    return widgets.bandwidth(*points)


def test_the_bandwidth_widget_reads_out_the_held_out_likelihood():
    widget = bandwidth()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,) = children(widget, ipywidgets.HTML)
    nats = {}
    for _, sigma in slider.options:
        slider.value = sigma
        nats[sigma] = float(readout.value.split("<b>")[1].split(" nats")[0])
    assert nats[0.1] > nats[0.01] + 2 and nats[0.1] > nats[1.0] + 1


def test_the_bandwidth_widget_shows_the_density_in_grey():
    widget = bandwidth()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,) = children(widget, ipywidgets.Image)
    slider.value = 0.3
    seen = np.asarray(Image.open(io.BytesIO(picture.value)).convert("RGB")).astype(int)
    left = seen[:, : seen.shape[1] // 2]
    grey = (np.ptp(left, axis=2) < 8) & (left.mean(2) > 60) & (left.mean(2) < 200)
    assert grey.mean() > 0.05  # white paper and blue points have none
