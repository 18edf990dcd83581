"""What does a discriminator add to a decoder of tokens? With it and without, three seeds.

    python -m course_lib.studies.sharper

runs what is missing in `sharper.csv`: the decoder of `vq_peeps32` trained on by `VQGANStep`,
equally long, on the same faces in the same order, with the discriminator and without. Encoder and
codebook stay as they are, so the tokens are the same. Measured on the test people of lecture 12.
"""

import torch

from course_lib import studies
from course_lib.codebooks import VQAutoencoder, VQGANStep
from course_lib.contrastive import PictureTextModel
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance, psnr, sharpness
from course_lib.pretrained import load_weights
from course_lib.training import train
from course_lib.translation import PatchDiscriminator
from course_lib.words import WATCHED, people, score

KINDS, SEEDS = ("without", "with"), range(3)
STEPS, ALONE, BATCH = 250, 50, 32


def trained(kind: str, seed: int, steps: int = STEPS) -> tuple[VQAutoencoder, list[float]]:
    """The autoencoder whose decoder was trained on, and the discriminator's weight at each step."""
    vq = load_weights("vq_peeps32", VQAutoencoder())
    eye = load_weights("clip_peeps32", PictureTextModel()).requires_grad_(False)
    faces, _ = people("train", combinations="seen")
    torch.manual_seed(seed)
    critic = PatchDiscriminator(3, 48, layers=2)
    # a discriminator that never joins: all else is the same
    alone = ALONE if kind == "with" else steps
    step = VQGANStep(vq, critic, eye.maps, alone=alone, steps=steps)
    batches = faces.batches(BATCH, generator=torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=f"{kind}, seed {seed}")
    return step.model.eval(), history.losses["weight"]


def measured(model: VQAutoencoder) -> dict[str, float]:
    """How near the rebuilt test faces are to the real ones, how sharp, and what a judge reads."""
    faces, facts = people("test")
    x, facts, net = faces.floats()[WATCHED:], facts[WATCHED:], FeatureNet("peeps")
    made = model.pictures(model.tokens(x))
    real, rebuilt = (fit_gaussian(net.features(part)) for part in (x, made))
    scores = {
        "psnr": psnr(made, x),
        "frechet": frechet_distance(*rebuilt, *real),
        "sharpness": (sharpness(made).mean() / sharpness(x).mean()).item(),  # share of the real
        "facts": score(made, facts).mean,
    }
    return {name: round(value, 4) for name, value in scores.items()}


def run(kind: str, seed: int) -> dict[str, str | float]:
    """One decoder: its row of the table."""
    model, weights = trained(kind, seed)
    joined = [weight for weight in weights if weight]
    last = sum(joined[-50:]) / 50 if joined else 0.0
    return {"kind": kind, "seed": seed, **measured(model), "weight": round(last, 4)}


def main() -> None:
    jobs = [(kind, seed) for seed in SEEDS for kind in KINDS]
    studies.fill("sharper", run, jobs, ("kind", "seed"), at_once=1)


if __name__ == "__main__":
    main()
