"""Sliders of lecture 07: each stop draws another picture and reads out another number."""

import ipywidgets
import torch

from course_lib.diffusion import Diffusion, linear_betas
from course_lib.exercises.topics import ddpm
from course_lib.plots import diffusion as figures
from course_lib.widgets import diffusion as widgets
from tests.helpers import children


def test_a_picture_is_noised_at_every_stop_and_the_read_out_says_how_much_is_left():
    chain = Diffusion(linear_betas(1000))
    x0 = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    widget = widgets.forward_process(chain, x0, torch.Generator().manual_seed(0))
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = children(widget, ipywidgets.Image), children(widget, ipywidgets.HTML)
    assert slider.options[0] == ("t = 0", 0) and slider.options[-1] == ("t = 999", 999)
    seen = set()
    for _, t in slider.options:
        slider.value = t
        seen.add(bytes(picture.value))
        assert f"<b>{chain.alpha_bar[t].sqrt():.1%}</b>" in readout.value
    assert len(seen) == len(slider.options) == 21


def test_a_short_chain_ends_with_a_picture_that_still_shines_through():
    chains = {T: Diffusion(ddpm.short_betas_as_published(T)) for T in (1000, 200)}
    x0 = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    widget = widgets.short_chains(x0, chains, torch.Generator().manual_seed(0))
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = children(widget, ipywidgets.Image), children(widget, ipywidgets.HTML)
    assert "<b>0.6%</b>" in readout.value and "1,000" in readout.value
    long = bytes(picture.value)
    slider.value = 200
    assert "<b>36.4%</b>" in readout.value and bytes(picture.value) != long


def test_the_way_back_is_shown_moment_by_moment():
    points = torch.arange(6.0).view(3, 2)
    sheets = [torch.full((8, 1, 4, 4), i / 3) for i in range(3)]
    way = figures.ReverseProcess(torch.randn(9, 2), points, points, sheets, [30, 20, 10])
    widget = widgets.reverse_process(way)
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = children(widget, ipywidgets.Image), children(widget, ipywidgets.HTML)
    seen = []
    for i in range(3):
        slider.value = i
        seen.append(bytes(picture.value))
        assert readout.value == f"step {i + 1} of 3"
    assert len(set(seen)) == 3 and [name for name, _ in slider.options] == [
        "t = 30",
        "t = 20",
        "t = 10",
    ]


def test_the_sampler_asks_for_class_steps_and_guidance_from_the_same_noise():
    asked = []

    class Chain:
        def ddim_sample(self, model, shape, labels, guidance, *, steps, start, prediction):
            asked.append((labels.tolist(), guidance, steps, start))
            return torch.full(shape, guidance / 10 + steps / 100 + labels[0] / 10)

    widget = widgets.sampler(None, Chain(), ["bag", "coat"], (1, 8, 8), prediction="v")
    (menu,) = children(widget, ipywidgets.Dropdown)
    steps, weight = children(widget, ipywidgets.SelectionSlider)
    (picture,) = children(widget, ipywidgets.Image)
    pictures = [bytes(picture.value)]
    for control, value in ((menu, 1), (steps, 50), (weight, 4.0)):
        control.value = value
        pictures.append(bytes(picture.value))
    assert [call[:3] for call in asked] == [
        ([0] * 8, 1.0, 10),
        ([1] * 8, 1.0, 10),
        ([1] * 8, 1.0, 50),
        ([1] * 8, 4.0, 50),
    ]
    assert len(set(pictures)) == 4 and all((call[3] == asked[0][3]).all() for call in asked)
    assert menu.options == (("bag", 0), ("coat", 1))
