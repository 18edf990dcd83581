"""Sliders of lecture 09: each stop draws another picture and reads out another number."""

import ipywidgets
import pytest
import torch

from course_lib import styles
from course_lib.widgets import styles as widgets
from tests.helpers import children, every_stop_differs, stop


def net() -> styles.StyleGenerator:
    torch.manual_seed(0)
    net = styles.StyleGenerator(5, 7, (8, 6, 4), 32, noise=0.1).eval()
    net.w_mean.normal_()
    return net


def said(x: torch.Tensor) -> str:
    return f"{x.mean():.4f}"


def mixer():
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    return widgets.mixer(net(), z[:1], z[1:], said)


def truncation():
    return widgets.truncation(
        net(), torch.randn(3, 5, generator=torch.Generator().manual_seed(0)), said
    )


def flip(p: float) -> torch.Tensor:
    return torch.tensor([1 - p, p])


def coin(p: float) -> torch.Tensor:
    return torch.tensor([1 - 3 * p / 4, p / 4, p / 4, p / 4])


def leak():
    return widgets.leak({"flip always": flip, "turn": coin})


def aliasing():
    x = torch.randn(64, generator=torch.Generator().manual_seed(0)) / 3
    spectrum = torch.fft.rfft(x)
    spectrum[-1] = 0
    return widgets.aliasing(torch.fft.irfft(spectrum, 64), torch.relu)


@pytest.mark.parametrize("make", [mixer, truncation, leak, aliasing])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    every_stop_differs(make)


def test_the_mixer_goes_from_one_person_to_the_other():
    widget = mixer()
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    net_, noise = net(), net().noises(1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = (net_.synthesis(net_.ws(z[i : i + 1]), noise).clamp(-1, 1) for i in range(2))
    assert stop(widget, "all of A") == said(a) and stop(widget, "all of B") == said(b)
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    layers = [layer for _, stop in slider.options[1:-1] for layer in stop]
    assert sorted(layers) == list(range(net_.layers))  # each layer has its stop


def test_a_leak_is_told_where_an_eigenvalue_is_nought():
    widget = leak()
    assert "cannot be recovered" in stop(widget, "flip always, p = 0.5")
    turned = stop(widget, "turn, p = 0.5")
    assert "0.500" in turned and "can be recovered" in turned
    assert "cannot be recovered" in stop(widget, "turn, p = 1")
    three_true = torch.tensor([0.25, 0.25, 0.25, 0.25])
    assert widgets.smallest(three_true) < 1e-12
    assert widgets.smallest(coin(0.25)).item() == pytest.approx(0.75)


def test_the_trap_of_aliasing_says_that_it_proves_nothing():
    widget = aliasing()
    assert "proves nothing" in stop(widget, "2 ×, shift 0.5")
    assert "proves nothing" not in stop(widget, "2 ×, shift 0.3")
    decibels = [float(stop(widget, f"{k} ×, shift 0.3").split()[0][3:]) for k in (1, 2, 4, 8)]
    assert decibels == sorted(decibels) and decibels[0] < 35
