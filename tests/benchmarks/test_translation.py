"""CycleGAN's step as the course computes it, beside the paper's, written out in float32."""

import os
from collections.abc import Callable
from statistics import median
from time import perf_counter

import pytest
import torch
from torch import Tensor

from course_lib import device
from course_lib.translation import CycleGANStep, PatchDiscriminator, ResnetGenerator
from tests.test_translation import PrintedStep, printed_patch, printed_resnet, take_weights

pytestmark = pytest.mark.benchmark
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", 5))


def seconds(step: Callable, batch: tuple[Tensor, Tensor], at_least: float = 1.5) -> float:
    """Of one step."""
    rounds, start = 0, perf_counter()
    while rounds == 0 or perf_counter() < start + at_least:
        step(batch)
        rounds += 1
    return (perf_counter() - start) / rounds


@pytest.mark.parametrize(
    "size, batch, filters, blocks, layers",
    [(32, 8, 16, 3, 2), (32, 8, 32, 6, 2), (128, 1, 32, 6, 3)],
)
def test_a_step_takes_at_most_two_thirds_of_the_papers(
    beside, size, batch, filters, blocks, layers
):
    home = device.choose().device
    torch.manual_seed(0)
    ours = [ResnetGenerator(3, 3, filters, blocks) for _ in "gf"]
    ours += [PatchDiscriminator(3, filters, layers) for _ in "xy"]
    theirs = [printed_resnet(3, 3, filters, blocks) for _ in "gf"]
    theirs += [printed_patch(3, filters, layers) for _ in "xy"]
    for net, printed in zip(ours, theirs, strict=True):
        take_weights(printed, net)
    steps = (
        CycleGANStep(*(net.to(home) for net in ours)),
        PrintedStep(*(n.to(home) for n in theirs)),
    )
    pictures = torch.rand(2, batch, 3, size, size).mul(2).sub(1).to(home).unbind()
    for step in steps:
        step(pictures)
    times = [[seconds(step, pictures) for step in steps] for _ in range(ROUNDS)]
    fast, slow = (median(column) for column in zip(*times, strict=True))
    what = f"CycleGAN step, {batch} of {size} × {size}, {filters} filters, {blocks} blocks"
    assert beside(what, "the paper's in float32", fast, slow, "s") >= 1.5
