"""Recipes of the weights of lecture 08's faces."""

import torch

from course_lib import data, device
from course_lib.diffusion import FlowStep, flow_sample
from course_lib.pretrained import round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.training import train
from course_lib.unet import UNet


def flow_peeps32(steps: int = 2500, batch: int = 32, seed: int = 31) -> None:
    """A small flow of faces that is told nothing: what the audits of lecture 08 look at."""
    name, home = "flow_peeps32", device.choose().device
    faces, held_out = (data.load("peeps", split, size=32) for split in SPLITS)
    torch.manual_seed(seed)
    step = FlowStep(UNet(3, 32, patch=2).to(home), lr=2e-3, ema=0.998, steps=steps, middle=True)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())

    def sample(n, generator):
        return flow_sample(model, (n, 3, 32, 32), generator=generator, steps=20).clamp(-1, 1)

    card = {
        "what": "a small U-Net for flow matching, told nothing; average of its weights",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, Adam 0.002 falling to 0, EMA 0.998",
        "seed": seed,
        **circumstances(name, history.seconds),
        **likeness(sample, held_out),
    }
    save_weights(name, model, card)


RECIPES = (flow_peeps32,)
