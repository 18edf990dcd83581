"""Recipes of the weights of lecture 04's DCGANs."""

import torch
from torch import Tensor, nn

from course_lib import data, dcgan, device, gan
from course_lib.augmentation import augment
from course_lib.pretrained import round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.recipes.gan import train_gan
from course_lib.training import train


def dcgan_fashion32() -> None:
    players = dcgan.Generator(nc=1, ngf=32, size=32), dcgan.Discriminator(nc=1, ndf=32, size=32)
    train_gan("dcgan_fashion32", *players, "fashion", 32, seed=12, steps=6000, batch=64)


def dcgan_peeps64(steps: tuple[int, int, int] = (4500, 2000, 9000), seed: int = 13) -> None:
    """In three parts, each with its own checkpoint.

    1. batches of 32, D at a quarter of G's rate, looking through noise of 0.3;
    2. G's average goes on against a new D (200 steps of D alone) in batches of 16, with less noise;
    3. both see their pictures moved and recoloured (p = 0.4), with hardly any noise at the end, and
       both rates fall to 0.
    """
    name, home = "dcgan_peeps64", device.choose().device
    faces, held_out = (data.load("peeps", split, size=64) for split in SPLITS)

    def part(number: int, step: gan.AdversarialStep, batch: int):
        batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
        # Ctrl-C stops it and keeps what is there; the same command then goes on
        title = f"{name}, part {number}"
        return train(
            step, batches, steps[number - 1], title=title, checkpoint=f"runs/{name}_{number}"
        )

    torch.manual_seed(seed)
    players = dcgan.Generator(nz=128).to(home), _judge(0.3).to(home)
    step = gan.AdversarialStep(*players, d_lr=5e-5, ema=0.999)
    seconds = part(1, step, 32).seconds

    torch.manual_seed(seed)
    generator = round_weights(step.ema.model).train().requires_grad_(True)
    step = QuieterStep(generator, _judge(0.3).to(home), alone=200, d_lr=1e-4, ema=0.999)
    seconds += part(2, step, 16).seconds

    torch.manual_seed(seed)
    step.discriminator.noise = 0.15
    more = {"p": 0.4, "falls": steps[2], "d_lr": 1e-4, "ema": 0.9995}
    step = QuieterStep(step.generator, step.discriminator, **more)
    seconds += part(3, step, 16).seconds

    model = round_weights(step.ema.model.cpu())
    card = {
        "what": "the generator of a GAN: Generator, average of its weights",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{steps[0]:,} of 32 images (noise 0.3 before D, D at 5e-05), {steps[1]:,} of 16 "
        f"against a new D at 0.0001, {steps[2]:,} of 16 with augmentation p = 0.4, noise 0.15 to "
        "0.05 and rates that fall to 0; non-saturating, Adam 0.0002, EMA 0.9995",
        "seed": seed,
        **circumstances(name, seconds),
        **likeness(lambda n, generator: gan.sample(model, n, generator=generator), held_out),
    }
    save_weights(name, model, card)


def _judge(noise: float) -> dcgan.Discriminator:
    return dcgan.Discriminator(first_batchnorm=True, noise=noise)


class QuieterStep(gan.AdversarialStep):
    """D's noise falls to 0.05 within 6,000 steps; D may see its pictures moved and recoloured.

    p: how often. alone: so many first steps are D's only. falls: after so many both rates are 0.
    """

    def __init__(
        self, generator: nn.Module, discriminator: dcgan.Discriminator, *, p: float = 0.0,
        alone: int = 0, falls: int | None = None, **options,
    ):  # fmt: skip
        super().__init__(generator, discriminator, **options)
        self.p, self.alone, self.falls, self.noise = p, alone, falls, discriminator.noise
        self.optimizers = self.g_optimizer, self.d_optimizer
        self.rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]

    def __call__(self, batch: Tensor) -> dict[str, Tensor]:
        done = self.ema.n  # kept with the run
        self.discriminator.noise = self.noise + (0.05 - self.noise) * min(1, done / 6000)
        left = 1 - done / self.falls if self.falls else 1
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * left
        if done < self.alone:
            self.g_optimizer.param_groups[0]["lr"] = 0.0
        return super().__call__(batch)

    def _judge(self, x: Tensor, labels) -> Tensor:
        return super()._judge(augment(x, self.p), labels)


RECIPES = (
    dcgan_fashion32,
    dcgan_peeps64,
)
