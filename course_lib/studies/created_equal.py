"""Are GANs created equal? Every loss, the same generator, data and budget, several seeds.

    python -m course_lib.studies.created_equal

runs what is missing in `created_equal.csv` (fashion at 32 × 32) and `modes.csv` (Gaussians in the
plane), one run a core, and writes each result down at once. After Lucic et al. 2018.

What is the same for all: the data, the generator, the batch of 64, Adam, the average of G's weights
that is judged, and the number of updates, those of G and D counted together. What is each method's
own, as its paper has it: `SETTINGS`, an autoencoder for BEGAN's D, and no BatchNorm in a D whose
slope is penalised. `CONTROLS` tell what BatchNorm alone is worth.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from time import process_time

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from course_lib import data, dcgan, gan, studies
from course_lib.autoencoders import Autoencoder
from course_lib.gan_losses import LOSSES
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance, precision_recall

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # of both players, up to LARGEST of a loss
# A rate past its best, so that the best has others on both sides; 0.01 where none is said
LARGEST = {"minimax": 3e-2, "non_saturating": 3e-2, "wasserstein": 3e-3, "dragan": 3e-3}
LARGEST |= {"hinge, no BatchNorm": 3e-3}
# The hinge with another D. Spectral normalisation takes BatchNorm's place (Miyato et al. 2018)
CONTROLS = ("hinge, no BatchNorm", "hinge, spectral norm")
SEEDS = range(5)
MARKS = (250, 500, 1000, 2000)  # updates after which a run is measured
WIDTH = 16  # channels of G before its last layer, and of D after its first
JUDGED = 2000  # pictures
# D learns five times for one step of G, and Adam has no momentum (Arjovsky 2017, Gulrajani 2017)
SETTINGS = {name: {"d_steps": 5, "betas": (0.0, 0.9)} for name in ("wasserstein", "wgan_gp")}
POINTS = ("ring8", "grid25")
# In the plane a slope of 1 is gentle, and the authors' own code weighs the penalty 0.1 there
# (gan_toy.py of Gulrajani et al. 2017). Both are run.
IN_THE_PLANE = dict(LOSSES) | {
    f"{name}, λ = 0.1": replace(loss, penalty_weight=0.1)
    for name, loss in LOSSES.items()
    if loss.penalty_points is not None
}
POINT_UPDATES, POINT_RATE, POINT_BATCH = 6000, 1e-3, 256


def rates(loss: str) -> tuple[float, ...]:
    """The learning rates of a loss, on both sides of its best (BEGAN's best is the largest)."""
    return tuple(rate for rate in RATES if rate <= LARGEST.get(loss, 1e-2))


def run(loss: str, lr: float, seed: int, updates: int = MARKS[-1]) -> list[dict]:
    """One GAN on fashion: a row per mark, with the Fréchet distance of 2,000 samples to 10,000
    images that were not trained on, precision and recall against 2,000 of them, and the seconds
    that training took of one core.

    After a step that left weights which are not finite the rows say so, and hold NaN.
    """
    train, judge, seen = _fashion()
    real = fit_gaussian(seen)
    torch.manual_seed(seed)
    step = players(loss, lr)
    batches = train.batches(64 * step.d_steps, generator=torch.Generator().manual_seed(seed))
    rows, seconds = [], 0.0
    for before, mark in zip((0, *MARKS), MARKS, strict=False):
        if before >= updates:
            break
        start = process_time()
        broken = _play(step, batches, before, min(mark, updates))
        seconds += process_time() - start
        row = {"loss": loss, "lr": lr, "seed": seed, "updates": min(mark, updates)}
        scores = {"frechet": math.nan, "precision": math.nan, "recall": math.nan}
        if not broken:
            x = gan.sample(step.ema.model, JUDGED, generator=torch.Generator().manual_seed(seed))
            made = judge.features(x)
            precision, recall = precision_recall(seen[:JUDGED], made)
            distance = frechet_distance(*real, *fit_gaussian(made))
            scores = {"frechet": distance, "precision": precision, "recall": recall}
        rounded = {key: round(value, 4) for key, value in scores.items()}
        status = f"stopped: {broken}" if broken else "ran"
        rows.append({**row, **rounded, "seconds": round(seconds, 1), "status": status})
    return rows


def modes(points: str, loss: str, seed: int, updates: int = POINT_UPDATES) -> dict:
    """One GAN in the plane: how many Gaussians its 2,500 samples reach, and what share hits one.

    loss: a name in `IN_THE_PLANE`.
    """
    plane = data.load("toy2d", variant=points)
    torch.manual_seed(seed)
    judge = gan.ToyDiscriminator()
    game = IN_THE_PLANE[loss]
    if game.autoencoder:
        judge = nn.Sequential(gan.ToyGenerator(2, 1), nn.ReLU(), gan.ToyGenerator(1, 2))
    settings = SETTINGS.get(loss.split(",")[0], {})
    step = gan.AdversarialStep(gan.ToyGenerator(), judge, game, lr=POINT_RATE, **settings)
    generator = torch.Generator().manual_seed(seed)
    broken = _play(step, plane.batches(POINT_BATCH * step.d_steps, generator=generator), 0, updates)
    row = {"data": points, "loss": loss, "seed": seed, "modes": len(plane.centers)}
    if broken:
        return {
            **row,
            "covered": math.nan,
            "high_quality": math.nan,
            "status": f"stopped: {broken}",
        }
    samples = gan.sample(step.generator, 2500, generator=torch.Generator().manual_seed(seed))
    covered, share, _ = gan.modes_covered(samples, plane.centers, plane.sigma)
    return {**row, "covered": covered, "high_quality": round(share, 4), "status": "ran"}


@cache
def _fashion() -> tuple[data.ImageSet, FeatureNet, Float[Tensor, "10000 64"]]:
    """The training images, the judge, and what it sees in the test images."""
    train, test = (data.load("fashion", split, size=32) for split in ("train", "test"))
    judge = FeatureNet("fashion")
    return train, judge, judge.features(test.floats())


def players(loss: str, lr: float) -> gan.AdversarialStep:
    """The game of a name in `LOSSES` or `CONTROLS`, with the networks and settings of the study."""
    name, _, control = loss.partition(", ")
    generator = dcgan.Generator(nc=1, ngf=WIDTH, size=32)
    if LOSSES[name].autoencoder:
        judge = Autoencoder(nc=1, size=32, latent=64)
    else:
        judge = dcgan.Discriminator(nc=1, ndf=WIDTH, size=32)
        # a slope of one image needs a score of one
        if control or LOSSES[name].penalty_points is not None:
            judge.layers = nn.Sequential(
                *(layer for layer in judge.layers if not isinstance(layer, nn.BatchNorm2d))
            )
    if control == "spectral norm":
        for layer in judge.layers:
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)
    return gan.AdversarialStep(generator, judge, name, lr=lr, ema=0.99, **SETTINGS.get(name, {}))


def _play(step: gan.AdversarialStep, batches: Iterable, done: int, updates: int) -> str:
    """Rounds from `done` updates to `updates`; says what broke, or ""."""
    each = 1 + step.d_steps
    for round_ in range(done // each, updates // each):
        losses = step(next(batches))
        if step.ema is not None:
            step.ema.update()
        if round_ % 50 == 49 and not all(value.isfinite() for value in losses.values()):
            return f"loss not finite by round {round_ + 1}"
    finite = all(p.isfinite().all() for p in step.generator.parameters())
    return "" if finite else f"weights not finite by {updates} updates"


def main() -> None:
    studies.fill(
        "modes",
        modes,
        [(points, loss, seed) for points in POINTS for loss in IN_THE_PLANE for seed in SEEDS],
        ("data", "loss", "seed"),
    )
    studies.fill(
        "created_equal",
        run,
        [(loss, lr, seed) for seed in SEEDS for loss in (*LOSSES, *CONTROLS) for lr in rates(loss)],
        ("loss", "lr", "seed"),
    )


if __name__ == "__main__":
    main()
