"""How many steps does diffusion need, and how does it compare with a GAN in the same minutes?

    python -m course_lib.studies.few_steps

runs what is missing in `few_steps.csv` (the shipped models of clothes, by sampler and number of
steps) and `against_gan.csv` (each method trained for a minute and a half of one core on the same
data, several seeds), one run a core, and writes each result down at once.

All are told the class, and all are judged by the average of their weights, in pictures of classes
that are equally frequent, against the 10,000 clothes that nobody was trained on.
"""

from collections.abc import Callable
from functools import cache
from time import process_time

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import data, gan, studies
from course_lib.diffusion import (
    Diffusion,
    DiffusionStep,
    FlowStep,
    cosine_betas,
    flow_sample,
    linear_betas,
)
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance, precision_recall
from course_lib.pretrained import load_weights
from course_lib.translation import ConditionalDiscriminator, ConditionalGenerator
from course_lib.unet import UNet

SAMPLERS = ("ancestral", "ddim", "flow")
STEPS = (1, 2, 5, 10, 20, 50, 200, 1000)
DRAWS, MANY = 3, 100  # seeds of the sampler; from so many steps on only one
METHODS = {
    "eps": "plain DDPM",
    "v": "velocity, cosine",
    "flow": "flow matching",
    "gan": "conditional GAN",
}
SEEDS = range(3)
SECONDS = 90.0  # of one core
BATCH, PILOT = 64, 30  # steps that tell how many fit into the time
JUDGED = {"few_steps": 200, "against_gan": 1000}  # pictures
AT_ONCE = 250  # pictures through a sampler


def network(width: int = 48) -> UNet:
    """The U-Net that all clothes of lecture 07 are made with."""
    return UNet(1, width, classes=10, patch=2)


def learner(kind: str, net: nn.Module, steps: int, lr: float = 1e-3) -> DiffusionStep | FlowStep:
    """A step of training for a network that is asked for "eps", "v" or the velocity of "flow"."""
    if kind == "flow":
        return FlowStep(net, steps=steps, middle=True, lr=lr)
    if kind == "v":
        return DiffusionStep(net, _chain("v"), prediction="v", steps=steps, min_snr=5.0, lr=lr)
    return DiffusionStep(net, _chain("eps"), steps=steps, lr=lr)


def draw(
    kind: str, model: Callable, labels: Int[Tensor, " n"], steps: int, generator: torch.Generator
) -> Float[Tensor, "n 1 28 28"]:
    """Clothes of the asked classes, by DDIM from a model of "eps" or "v"; by "ancestral" sampling
    from one of "v"; by flow matching from one of "flow"."""
    made = []
    for part in labels.split(AT_ONCE):
        asked = model, (len(part), 1, 28, 28), part, 1.0, generator
        if kind == "flow":
            x = flow_sample(*asked, steps=steps)
        elif kind == "ancestral":
            x = _chain("v").ddpm_sample(*asked, steps=steps, prediction="v")
        else:
            x = _chain(kind).ddim_sample(*asked, steps=steps, prediction=kind)
        made.append(x)
    return torch.cat(made)


def quality(sampler: str, steps: int, seed: int, judged: int = JUDGED["few_steps"]) -> dict:
    """One row of `few_steps.csv`: the shipped model, drawn from by `sampler` in `steps` steps.

    The Fréchet distance to all held-out images and its floor (of as many training images),
    precision, recall, and the milliseconds of one core that an image took.
    """
    model = _shipped("flow_fashion" if sampler == "flow" else "ddpm_fashion")
    kind, labels = "v" if sampler == "ddim" else sampler, torch.arange(judged) % 10
    start = process_time()
    x = draw(kind, model, labels, steps, torch.Generator().manual_seed(seed))
    spent = process_time() - start
    row = {"sampler": sampler, "steps": steps, "seed": seed, "judged": judged}
    return row | _scores(x) | {"ms_per_image": round(1000 * spent / judged, 3)}


def equal_seconds(
    method: str, seed: int, seconds: float = SECONDS, judged: int = JUDGED["against_gan"]
) -> dict:
    """One row of `against_gan.csv`: a method trained for so many seconds of one core, and judged.

    The first 30 steps tell how many fit into the time; then training begins anew, so that the
    learning rate can fall to 0 at its end. Diffusion draws in 50 steps.
    """
    step, batches = _player(method, seed, PILOT)
    _play(step, batches, 3)  # the first steps are slow
    steps = max(1, round(seconds * PILOT / _play(step, batches, PILOT)))
    step, batches = _player(method, seed, steps)
    spent = _play(step, batches, steps)
    labels, generator = torch.arange(judged) % 10, torch.Generator().manual_seed(seed)
    start = process_time()
    if method == "gan":
        x = gan.sample(step.ema.model, judged, labels=labels, generator=generator)
    else:
        x = draw(method, step.ema.model, labels, 50, generator)
    sampling = process_time() - start
    row = {"method": method, "seed": seed, "steps": steps, "seconds": round(spent, 1)}
    return row | _scores(x) | {"ms_per_image": round(1000 * sampling / judged, 3)}


@cache
def _chain(kind: str) -> Diffusion:
    return Diffusion(linear_betas(1000) if kind == "eps" else cosine_betas(1000))


@cache
def held_out() -> tuple[FeatureNet, Float[Tensor, "10000 64"]]:
    """The judge, and what it sees in the clothes that nobody was trained on."""
    judge = FeatureNet("fashion")
    return judge, judge.features(data.load("fashion", "test").floats())


@cache
def _shipped(name: str) -> UNet:
    return load_weights(name, network())


def _player(method: str, seed: int, steps: int):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    if method == "gan":  # settings and size as of the shipped `cgan_fashion32`
        players = (
            ConditionalGenerator(10, nz=64, ngf=32, nc=1, size=32),
            ConditionalDiscriminator(10, nc=1, ndf=32, size=32),
        )
        images = data.load("fashion", size=32)
        step = gan.AdversarialStep(*players, ema=0.999)
    else:
        images = data.load("fashion")
        step = learner(method, network(), steps)
    return step, images.batches(BATCH, generator=generator, with_labels=True)


def _play(step, batches, steps: int) -> float:
    start = process_time()
    for _ in range(steps):
        step(next(batches))
        step.ema.update()
    return process_time() - start


def _scores(x: Tensor) -> dict[str, float]:
    judge, seen = held_out()
    made = judge.features(x.clamp(-1, 1))  # of 28 × 28 it makes 32 × 32: a black border
    precision, recall = precision_recall(seen[: len(x)], made)
    distance = frechet_distance(*fit_gaussian(seen), *fit_gaussian(made))
    scores = {"frechet": distance, "floor": floor(len(x)), "precision": precision, "recall": recall}
    return {key: round(value, 4) for key, value in scores.items()}


@cache
def floor(n: int) -> float:
    """The Fréchet distance of n training images to the held-out ones."""
    judge, seen = held_out()
    images = data.load("fashion")
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:n]
    return frechet_distance(
        *fit_gaussian(seen), *fit_gaussian(judge.features(images[rows].floats()))
    )


def cells() -> list[tuple[str, int, int]]:
    """What `few_steps.csv` holds: (sampler, steps, seed), the cheap ones first. A flow is not drawn
    from in 1,000 steps: that takes minutes, and 200 are as good as 50.
    """
    return [
        (sampler, steps, seed)
        for steps in STEPS
        for seed in range(DRAWS if steps < MANY else 1)
        for sampler in SAMPLERS
        if sampler != "flow" or steps < max(STEPS)
    ]


def main() -> None:
    runs = [(method, seed) for seed in SEEDS for method in METHODS]
    studies.fill("against_gan", equal_seconds, runs, ("method", "seed"))
    studies.fill("few_steps", quality, cells(), ("sampler", "steps", "seed"))


if __name__ == "__main__":
    main()
