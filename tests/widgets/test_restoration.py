"""Sliders of lecture 11: each stop draws another picture and reads out another number."""

import pytest
import torch
from torch import nn

from course_lib.restoration import enlarge, shrink
from course_lib.restorers import RRDBNet, restore
from course_lib.widgets import restoration as widgets
from tests.helpers import every_stop_differs, stop


def faces(n: int = 4, side: int = 32) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    net = RRDBNet(8, 4, 1, light=True)
    for weight in net.up.parameters():
        weight.data.mul_(4)
    return net.eval()


def said(x: torch.Tensor) -> str:
    return f"{x.mean():.5f}"


def between():
    x = faces()
    return widgets.between(net(0), net(1), shrink(x), x, said, 3)


def bench():
    damages = {"small": shrink, "smaller": lambda x: shrink(x, 8), "dark": lambda x: shrink(x) - 1}
    restorers = {"pixels": lambda y: enlarge(y, 32 // y.shape[-1], "nearest")}
    return widgets.bench(restorers, faces(3), damages, lambda name, x: f"{name} {said(x)}")


def sensors():
    x = faces(2, 16)
    return widgets.sensors(enlarge(shrink(x)), x.mean(1, keepdim=True), x, said)


@pytest.mark.parametrize("make", [between, bench, sensors])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    every_stop_differs(make)


def test_the_ends_are_the_two_networks_which_stay_as_they_were():
    a, b, x = net(0), net(1), faces()
    before = [p.clone() for p in a.parameters()]
    widget = widgets.between(a, b, shrink(x), x, said, 4)
    assert stop(widget, "weights, a = 0") == said(restore(a, shrink(x)))
    assert stop(widget, "weights, a = 1") == said(restore(b, shrink(x)))
    assert all(torch.equal(p, q) for p, q in zip(before, a.parameters(), strict=True))


def test_the_bench_reads_every_restorer():
    assert stop(bench(), "smaller").startswith("pixels ")


def test_no_weight_on_slopes_gives_the_colours_back():
    x = faces(2, 16)
    widget = widgets.sensors(enlarge(shrink(x)), x.mean(1, keepdim=True), x, said)
    assert stop(widget, "ξ = 0: the colours") == said(enlarge(shrink(x)).clamp(-1, 1))
