"""Sliders: each stop draws another picture and reads out another number."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import torch

from course_lib import autoencoders, data, widgets


def of_type(widget, kind):
    return [child for child in widget.children if isinstance(child, kind)]


def bandwidth():
    points = [
        data.load(
            "toy2d", variant="spiral", n=50, generator=torch.Generator().manual_seed(s)
        ).points
        for s in (0, 1)
    ]
    return widgets.bandwidth(*points)


@pytest.mark.parametrize("make", [bandwidth, widgets.octaves])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    before = plt.get_fignums()
    widget = make()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = of_type(widget, ipywidgets.Image), of_type(widget, ipywidgets.HTML)
    seen = set()
    for _, value in slider.options:
        slider.value = value
        assert bytes(picture.value).startswith(b"\x89PNG")
        seen.add((bytes(picture.value), readout.value))
    assert len(seen) == len(slider.options) == 5
    assert plt.get_fignums() == before


def test_the_bandwidth_widget_reads_out_the_held_out_likelihood():
    widget = bandwidth()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,) = of_type(widget, ipywidgets.HTML)
    nats = {}
    for _, sigma in slider.options:
        slider.value = sigma
        nats[sigma] = float(readout.value.split("<b>")[1].split(" nats")[0])
    assert nats[0.1] > nats[0.01] + 2 and nats[0.1] > nats[1.0] + 1


def test_a_morph_shows_both_ends_and_what_is_between():
    model = autoencoders.Autoencoder(nc=3, size=16, latent=4).eval()
    widget = widgets.morph(model, torch.rand(5, 3, 16, 16) * 2 - 1)
    first, second, percent = of_type(widget, ipywidgets.IntSlider)
    (picture,) = of_type(widget, ipywidgets.Image)
    shown = {bytes(picture.value)}
    for slider, value in ((first, 3), (second, 4), (percent, 0)):
        slider.value = value
        shown.add(bytes(picture.value))
    assert len(shown) == 4 and first.max == 4


def test_the_latent_plane_follows_both_sliders():
    torch.manual_seed(0)
    widget = widgets.latent_plane(autoencoders.VAE(nc=1, size=16, latent=2).eval())
    (picture,) = of_type(widget, ipywidgets.Image)
    shown = {bytes(picture.value)}
    for slider in of_type(widget, ipywidgets.FloatSlider):
        slider.value = 1.5
        shown.add(bytes(picture.value))
    assert len(shown) == 3
