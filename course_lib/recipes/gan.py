"""Recipes of the weights of lecture 03's GAN of clothes."""

import torch

from course_lib import data, device, gan
from course_lib.pretrained import round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.training import train


def mlp_gan_fashion() -> None:
    players = gan.MLPGenerator(), gan.MLPDiscriminator()
    train_gan("mlp_gan_fashion", *players, "fashion", 28, seed=11, steps=8000, batch=128)


def train_gan(name, generator, discriminator, dataset, size, seed, steps, batch, d_lr=2e-4) -> None:
    """A GAN with the non-saturating loss; the average of G's weights is what is stored."""
    home, noise = device.choose().device, getattr(discriminator, "noise", 0)
    images, held_out = (data.load(dataset, split, size=size) for split in SPLITS)
    torch.manual_seed(seed)
    step = gan.AdversarialStep(generator.to(home), discriminator.to(home), d_lr=d_lr, ema=0.999)
    batches = images.batches(batch, home, torch.Generator().manual_seed(seed))
    # Ctrl-C stops it and keeps what is there; the same command then goes on
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())
    card = {
        "what": f"the generator of a GAN: {type(model).__name__}, average of its weights",
        "data": f"{dataset}, {len(images):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, non-saturating, Adam 0.0002, EMA 0.999"
        + (f", D at {d_lr:g}" if d_lr != 2e-4 else "")
        + (f", noise {noise} before D" if noise else ""),
        "seed": seed,
        **circumstances(name, history.seconds),
        **likeness(lambda n, generator: gan.sample(model, n, generator=generator), held_out),
    }
    save_weights(name, model, card)


RECIPES = (mlp_gan_fashion,)
