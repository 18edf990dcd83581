"""How many steps does diffusion need, and how does it compare with a GAN in the same minutes?

    python -m course_lib.studies.few_steps

runs what is missing in `few_steps.csv` (the shipped models of clothes, by sampler and number of
steps) and `against_gan.csv` (each method trained for the same time on the same data, several
seeds), one run a core, and writes each result down at once.

What is the same for all: the data, the batch of 128, the average of the weights that is judged, the
seconds of one core that training may take, and the judge: 2,000 pictures against the 10,000 that
were not trained on.
"""

from collections.abc import Callable
from functools import cache
from time import process_time

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import data, dcgan, gan
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
from course_lib.studies.created_equal import _fill
from course_lib.unet import UNet

SAMPLERS = ("ancestral", "ddim", "flow")
STEPS = (1, 2, 5, 10, 20, 50, 200, 1000)
DRAWS = range(3)  # seeds of the sampler
JUDGED = 2000  # pictures
METHODS = {
    "eps": "plain DDPM",
    "v": "DDPM, velocity",
    "flow": "straight paths",
    "gan": "DCGAN",
}
SEEDS = range(5)
SECONDS = 600.0  # of one core: five minutes of a laptop with two
BATCH, PILOT = 128, 30  # steps that tell how many fit into the time
FIVE_MINUTES = 2200  # steps of 128 in five minutes on two cores; TODO(measure)
AT_ONCE = 250  # pictures through a sampler


def learner(kind: str, net: nn.Module, steps: int) -> DiffusionStep | FlowStep:
    """A step of training for a network that is asked for "eps", "v" or the velocity of "flow"."""
    if kind == "flow":
        return FlowStep(net, steps=steps, middle=True)
    if kind == "v":
        return DiffusionStep(net, _chain("v"), prediction="v", steps=steps, min_snr=5.0)
    return DiffusionStep(net, _chain("eps"), steps=steps)


def draw(
    kind: str, model: Callable, labels: Int[Tensor, " n"], steps: int, generator: torch.Generator
) -> Float[Tensor, "n 1 28 28"]:
    """Clothes of the asked classes: by DDIM, or along straight paths for "flow"."""
    made = []
    for part in labels.split(AT_ONCE):
        shape = len(part), 1, 28, 28
        if kind == "flow":
            x = flow_sample(model, shape, part, 1.0, generator, steps=steps)
        else:
            x = _chain(kind).ddim_sample(
                model, shape, part, 1.0, generator, steps=steps, prediction=kind
            )
        made.append(x)
    return torch.cat(made)


def quality(sampler: str, steps: int, seed: int, judged: int = JUDGED) -> dict:
    """One cell of `few_steps.csv`: the shipped model, drawn from by `sampler` in `steps` steps.

    A row with the Fréchet distance to all held-out images and its floor, precision, recall, and
    the milliseconds of one core that an image took.
    """
    _, judge, seen = _fashion()
    model = _shipped("flow_fashion" if sampler == "flow" else "ddpm_fashion")
    generator, labels = torch.Generator().manual_seed(seed), torch.arange(judged) % 10
    start = process_time()
    if sampler == "ancestral":
        x = torch.cat([_ancestral(model, part, steps, generator) for part in labels.split(AT_ONCE)])
    else:
        x = draw("flow" if sampler == "flow" else "v", model, labels, steps, generator)
    spent = process_time() - start
    row = {"sampler": sampler, "steps": steps, "seed": seed}
    return row | _scores(x, judge, seen) | {"ms_per_image": round(1000 * spent / judged, 3)}


def against(method: str, seed: int, seconds: float = SECONDS) -> dict:
    """One cell of `against_gan.csv`: a method trained for so many seconds of one core, and judged.

    The first 30 steps tell how many fit into the time; then training begins anew, so that the
    learning rate can fall to 0 at its end.
    """
    _, judge, seen = _fashion()
    step, batches = _player(method, seed, PILOT)
    pilot = _play(step, batches, PILOT) / PILOT
    steps = max(1, round(seconds / pilot))
    step, batches = _player(method, seed, steps)
    spent = _play(step, batches, steps)
    labels, generator = torch.arange(JUDGED) % 10, torch.Generator().manual_seed(seed)
    start = process_time()
    if method == "gan":
        x = gan.sample(step.ema.model, JUDGED, generator=generator)
    else:
        x = draw(method, step.ema.model, labels, 50, generator)
    sampling = process_time() - start
    row = {"method": method, "seed": seed, "steps": steps, "seconds": round(spent, 1)}
    return row | _scores(x, judge, seen) | {"ms_per_image": round(1000 * sampling / JUDGED, 3)}


@cache
def _chain(kind: str) -> Diffusion:
    return Diffusion(linear_betas(1000) if kind == "eps" else cosine_betas(1000))


@cache
def _fashion() -> tuple[data.ImageSet, FeatureNet, Float[Tensor, "10000 64"]]:
    """The training images at 32 × 32, the judge, and what it sees in the test images.

    A border of two black pixels is all that parts 32 × 32 from 28 × 28, and the judge adds it.
    """
    train, test = (data.load("fashion", split, size=32) for split in ("train", "test"))
    judge = FeatureNet("fashion")
    return train, judge, judge.features(test.floats())


@cache
def _shipped(name: str) -> UNet:
    return load_weights(name, UNet(1, 64, classes=10, patch=2))


def _ancestral(model: UNet, labels: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    options = {"steps": steps, "prediction": "v"}
    return _chain("v").ddpm_sample(
        model, (len(labels), 1, 28, 28), labels, 1.0, generator, **options
    )


def _player(method: str, seed: int, steps: int):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    if method == "gan":
        players = dcgan.Generator(nc=1, ngf=32, size=32), dcgan.Discriminator(nc=1, ndf=32, size=32)
        step = gan.AdversarialStep(*players, "non_saturating", lr=2e-4, ema=0.999)
        return step, _fashion()[0].batches(BATCH, generator=generator)
    step = learner(method, UNet(1, 64, classes=10, patch=2), steps)
    return step, data.load("fashion").batches(BATCH, generator=generator, with_labels=True)


def _play(step, batches, steps: int) -> float:
    start = process_time()
    for _ in range(steps):
        step(next(batches))
        step.ema.update()
    return process_time() - start


def _scores(x: Tensor, judge: FeatureNet, seen: Tensor) -> dict[str, float]:
    made = judge.features(x.clamp(-1, 1))
    precision, recall = precision_recall(seen[:JUDGED], made)
    distance = frechet_distance(*fit_gaussian(seen), *fit_gaussian(made))
    scores = {"frechet": distance, "floor": _floor(), "precision": precision, "recall": recall}
    return {key: round(value, 4) for key, value in scores.items()}


@cache
def _floor() -> float:
    """The distance of as many training images."""
    train, judge, seen = _fashion()
    rows = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:JUDGED]
    return frechet_distance(
        *fit_gaussian(seen), *fit_gaussian(judge.features(train[rows].floats()))
    )


def main() -> None:
    _fill(
        "against_gan",
        against,
        [(method, seed) for seed in SEEDS for method in METHODS],
        ("method", "seed"),
    )
    _fill(
        "few_steps",
        quality,
        [(sampler, steps, seed) for steps in STEPS for seed in DRAWS for sampler in SAMPLERS],
        ("sampler", "steps", "seed"),
    )


if __name__ == "__main__":
    main()
