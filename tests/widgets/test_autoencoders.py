"""Sliders of lecture 02: each stop draws another picture and reads out another number."""

import ipywidgets
import torch

from course_lib import autoencoders
from course_lib.widgets import autoencoders as widgets
from tests.helpers import children


def test_a_morph_shows_both_ends_and_what_is_between():
    model = autoencoders.Autoencoder(nc=3, size=16, latent=4).eval()
    widget = widgets.morph(model, torch.rand(5, 3, 16, 16) * 2 - 1)
    first, second, percent = children(widget, ipywidgets.IntSlider)
    (picture,) = children(widget, ipywidgets.Image)
    shown = {bytes(picture.value)}
    for slider, value in ((first, 3), (second, 4), (percent, 0)):
        slider.value = value
        shown.add(bytes(picture.value))
    assert len(shown) == 4 and first.max == 4


def test_the_latent_plane_follows_both_sliders():
    torch.manual_seed(0)
    widget = widgets.latent_plane(autoencoders.VAE(nc=1, size=16, latent=2).eval())
    (picture,) = children(widget, ipywidgets.Image)
    shown = {bytes(picture.value)}
    for slider in children(widget, ipywidgets.FloatSlider):
        slider.value = 1.5
        shown.add(bytes(picture.value))
    assert len(shown) == 3
