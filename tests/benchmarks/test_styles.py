"""How long 1,000 faces take, beside the same network with the paper's equations as they stand."""

from statistics import median
from time import process_time

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import styles
from course_lib.recipes.styles import WIDE
from course_lib.styles import StyleGenerator

pytestmark = pytest.mark.benchmark


def grouped(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True) -> Tensor:
    """A kernel for each picture, and a convolution with as many groups: StyleGAN2, eq. 1 to 3."""
    b, i, h, w = x.shape
    kernels = weight * style[:, None, :, None, None]
    if demodulate:
        kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x, kernels = x.reshape(1, b * i, h, w), kernels.flatten(0, 1)
    return F.conv2d(x, kernels, padding=weight.shape[-1] // 2, groups=b).view(b, -1, h, w)


def seconds(net: StyleGenerator, ws: Tensor) -> float:
    begin = process_time()
    for part in ws.split(64):
        net.synthesis(part, "none")
    return (process_time() - begin) * 1000 / len(ws)


@torch.no_grad()
def test_a_thousand_faces_are_drawn_faster_than_by_a_kernel_each(beside, monkeypatch):
    torch.manual_seed(0)
    net = StyleGenerator(channels=WIDE, size=32).eval()
    ws = net.ws(torch.randn(256, net.nz))
    ours = net.synthesis(ws[:4], "none")
    times = []
    for _ in range(4):  # in turn: other work may disturb one
        fast = seconds(net, ws)
        with monkeypatch.context() as context:
            context.setattr(styles, "modulated_conv", grouped)
            torch.testing.assert_close(net.synthesis(ws[:4], "none"), ours, rtol=1e-3, atol=1e-4)
            times.append((fast, seconds(net, ws)))
    fast, slow = map(median, zip(*times[1:], strict=True))  # the first round warms up
    what = "1,000 faces of 32 × 32 by styles, CPU time"
    assert beside(what, "a kernel a picture", fast, slow, "s") >= 1.2
