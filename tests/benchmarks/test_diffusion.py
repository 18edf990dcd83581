"""How long sampling takes, beside diffusers' schedulers with the same network; and training."""

import time
from statistics import median

import pytest
import torch

from course_lib import device
from course_lib.diffusion import Diffusion, DiffusionStep, FlowStep, cosine_betas, flow_sample
from course_lib.unet import UNet

pytestmark = pytest.mark.benchmark

SHAPE = (64, 1, 28, 28)


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def network() -> UNet:
    torch.manual_seed(0)
    return UNet(1, 48, classes=10, patch=2).eval()


@torch.no_grad()
def with_diffusers(kind: str, net: UNet, labels: torch.Tensor, guidance: float) -> torch.Tensor:
    """Fifty steps written as diffusers' own pipelines are."""
    schedulers = pytest.importorskip("diffusers.schedulers")
    scheduler = getattr(schedulers, kind)(
        trained_betas=cosine_betas(1000).float().numpy(),
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(50)
    x = torch.randn(SHAPE)
    with device.choose().autocast():
        for t in scheduler.timesteps:
            if guidance == 1:
                v = net(x, t.expand(64), labels)
            else:
                both = torch.cat([labels, net.unconditional(labels)])
                cond, uncond = net(torch.cat([x, x]), t.expand(128), both).chunk(2)
                v = uncond + guidance * (cond - uncond)
            x = scheduler.step(v, t, x).prev_sample
    return x


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("kind", ["DDIM", "DDPM"])
def test_fifty_steps_keep_up_with_diffusers(beside, kind, guidance):
    net, labels, chain = network(), torch.arange(64) % 10, Diffusion(cosine_betas(1000))
    sample = chain.ddim_sample if kind == "DDIM" else chain.ddpm_sample
    times = []
    for _ in range(4):  # in turn: other work may disturb one
        times.append(
            (
                seconds(lambda: sample(net, SHAPE, labels, guidance, steps=50, prediction="v")),
                seconds(lambda: with_diffusers(f"{kind}Scheduler", net, labels, guidance)),
            )
        )
    ours, other = map(median, zip(*times[1:], strict=True))  # the first round warms up
    what = f"{kind}, 64 images in 50 steps by our network, guidance {guidance:g}"
    assert beside(what, "diffusers' scheduler", ours, other, "s") >= 1 / 1.1
    assert ours < 3 * (1 if guidance == 1 else 2)


def test_fifty_steps_of_flow_take_less_than_three_seconds():
    net, labels = network(), torch.arange(64) % 10
    ours = min(seconds(lambda: flow_sample(net, SHAPE, labels)) for _ in range(3))
    print(f"\nflow, 64 images, 50 steps: {ours:.2f} s")
    assert ours < 3


@pytest.mark.parametrize("kind", ["v", "flow"])
@pytest.mark.parametrize("width", [48, 64])
def test_images_a_second_in_training(kind, width):
    torch.manual_seed(0)
    net, chain = UNet(1, width, classes=10, patch=2), Diffusion(cosine_betas(1000))
    step = FlowStep(net) if kind == "flow" else DiffusionStep(net, chain, prediction="v")
    batch = torch.rand(128, 1, 28, 28) * 2 - 1, torch.arange(128) % 10
    times = [seconds(lambda: (step(batch), step.ema.update())) for _ in range(13)][3:]
    count = sum(weight.numel() for weight in net.parameters())
    print(
        f"\n{kind}, {count / 1e6:.2f} M parameters: {128 / sorted(times)[5]:.0f} images a second "
        f"in training, {128 / min(times):.0f} at best"
    )
