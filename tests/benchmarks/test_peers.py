"""Diffusion after the same time of one core: the course, denoising-diffusion-pytorch, diffusers.

The peers train with networks of about our size and by the loops of their own introductions: theirs
are made for larger pictures and longer runs, and with their standard networks (36 million weights
and more) five minutes of a core give nothing but noise. Time is that of the process, in one thread,
so that other work on the machine does not count. BENCHMARK_MINUTES sets how long.
"""

import os
from collections.abc import Callable
from functools import cache
from time import process_time

import pytest
import torch
from torch import Tensor, nn

from course_lib import data
from course_lib.diffusion import FlowStep, flow_sample
from course_lib.studies import few_steps
from course_lib.training import EMA
from course_lib.unet import UNet

pytestmark = pytest.mark.benchmark
MINUTES = float(os.environ.get("BENCHMARK_MINUTES", 5))
BATCH, JUDGED, STEPS = 64, 1000, 50
Learner = tuple[nn.Module, Callable[[Tensor], None], Callable[[int], Tensor]]


def the_course(steps: int) -> Learner:
    net = UNet(1, 48, patch=2)
    step = FlowStep(net, steps=steps, middle=True)

    def learn(x):
        step(x)
        step.ema.update()

    return net, learn, lambda n: flow_sample(step.ema.model, (n, 1, 28, 28), steps=STEPS)


def denoising_diffusion_pytorch(_) -> Learner:
    """As its Trainer does: Adam at 8e-5, an average of the weights every 10 steps."""
    library = pytest.importorskip("denoising_diffusion_pytorch")
    ema = pytest.importorskip("ema_pytorch")
    net = library.Unet(dim=16, dim_mults=(1, 2, 4), channels=1)
    model = library.GaussianDiffusion(net, image_size=28, sampling_timesteps=STEPS)
    average = ema.EMA(model, beta=0.995, update_every=10)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-5, betas=(0.9, 0.99))

    def learn(x):
        loss = model(x * 0.5 + 0.5)  # it takes pictures in 0 … 1
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update()

    return net, learn, lambda n: average.ema_model.sample(batch_size=n) * 2 - 1


def diffusers(steps: int) -> Learner:
    """As its training tutorial does: noise as the target, AdamW, warm-up and half a cosine."""
    library = pytest.importorskip("diffusers")
    optimization = pytest.importorskip("diffusers.optimization")
    net = library.UNet2DModel(
        sample_size=28,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(32, 32, 64),
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    )
    noisy = library.DDPMScheduler(num_train_timesteps=1000)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    schedule = optimization.get_cosine_schedule_with_warmup(optimizer, 100, steps)
    average = EMA(net, decay=0.999)

    def learn(x):
        noise, t = torch.randn_like(x), torch.randint(0, 1000, (len(x),))
        loss = nn.functional.mse_loss(net(noisy.add_noise(x, noise, t), t).sample, noise)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        average.update()

    def sample(n):
        scheduler = library.DDIMScheduler(num_train_timesteps=1000)
        scheduler.set_timesteps(STEPS)
        x = torch.randn(n, 1, 28, 28)
        for t in scheduler.timesteps:
            x = scheduler.step(average.model(x, t).sample, t, x).prev_sample
        return x

    return net, learn, sample


@cache
def after_minutes(make: Callable[[int], Learner]) -> dict[str, float]:
    """Trains for so many minutes of one core; the speed of training and drawing, the distance."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batches = data.load("fashion").batches(BATCH, generator=torch.Generator().manual_seed(0))
    _, learn, _ = make(1000)
    play(learn, batches, 3)  # the first steps are slow
    steps = round(60 * MINUTES * 20 / play(learn, batches, 20))
    net, learn, sample = make(steps)
    trained = play(learn, batches, steps)
    start = process_time()
    with torch.no_grad():
        x = torch.cat([sample(250) for _ in range(JUDGED // 250)])
    return {
        "parameters": sum(weight.numel() for weight in net.parameters()),
        "trained": BATCH * steps / trained,
        "drawn": JUDGED / (process_time() - start),
        "distance": few_steps._scores(x)["frechet"],
    }


def play(learn: Callable, batches, steps: int) -> float:
    start = process_time()
    for _ in range(steps):
        learn(next(batches))
    return process_time() - start


@pytest.mark.parametrize("peer", [denoising_diffusion_pytorch, diffusers])
def test_after_minutes_of_a_core_diffusion_is_nearer_than_by_its_peers(peer, beside):
    ours, theirs = after_minutes(the_course), after_minutes(peer)
    name, size = peer.__name__.replace("_", "-"), "{:.2f} and {:.2f} million weights"
    size = size.format(*(side["parameters"] / 1e6 for side in (ours, theirs)))
    beside(f"diffusion, training ({size})", name, ours["trained"], theirs["trained"], "images/s")
    beside(f"diffusion, drawing in {STEPS} steps", name, ours["drawn"], theirs["drawn"], "images/s")
    what = f"diffusion, after {MINUTES:g} minutes of a core (floor {few_steps.floor(JUDGED):.2f})"
    assert beside(what, name, ours["distance"], theirs["distance"], "Fréchet") > 1
