"""Does growing pay? ProGAN's networks, grown or trained at full size for as long, three seeds.

    python -m course_lib.studies.growing

runs what is missing in `growing.csv`. Faces of 32 × 32; networks, loss, batch and learning rates
are the same. Both get the same CPU seconds, not the same number of pictures: what growing promises
is to see more of them. Measured against faces that were not trained on.
"""

from time import process_time

import torch

from course_lib import data, studies
from course_lib.gan import AdversarialStep
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance, precision_recall
from course_lib.scaling import GrowingStep, ProgressiveDiscriminator, ProgressiveGenerator

WAYS, SEEDS, SECONDS, BATCH = ("grown", "at full size"), range(3), 30, 16
LEVELS = (96, 64, 48, 24)  # channels at 4, 8, 16 and 32 pixels
PHASE = 400  # pictures of each fading and each holding: seven of them until the last level stays
SETTINGS = {"lr": 1e-3, "betas": (0.0, 0.99), "ema": 0.995}


def trained(way: str, seed: int, seconds: float = SECONDS) -> tuple[torch.nn.Module, int]:
    """The averaged generator after so many CPU seconds, and how many pictures it has seen."""
    torch.manual_seed(seed)
    players = ProgressiveGenerator(64, LEVELS), ProgressiveDiscriminator(LEVELS)
    grown = way == "grown"
    step = GrowingStep(*players, images=PHASE, **SETTINGS) if grown else AdversarialStep(
        *players, **SETTINGS
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    batches = data.load("peeps", size=32).batches(BATCH, generator=generator)
    seen, begin = 0, process_time()
    while process_time() - begin < seconds:
        step(next(batches))
        step.ema.update()
        seen += BATCH
    return step.ema.model.eval(), seen


def measured(net: torch.nn.Module) -> dict[str, float]:
    """As many samples as there are held-out faces, against these."""
    x = data.load("peeps", split="test", size=32).floats()
    z = torch.randn(len(x), net.nz, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = torch.cat([net(part) for part in z.split(86)]).clamp(-1, 1)
    judge = FeatureNet("peeps")
    real, fake = judge.features(x), judge.features(made)
    precision, recall = precision_recall(real, fake)
    distance = frechet_distance(*fit_gaussian(real), *fit_gaussian(fake))
    found = {"frechet": distance, "precision": precision, "recall": recall}
    return {name: round(value, 4) for name, value in found.items()}


def run(way: str, seed: int) -> dict[str, str | float]:
    """One training by `way`, "grown" or "at full size": its row of the table."""
    net, seen = trained(way, seed)
    return {"way": way, "seed": seed, "seen": seen, **measured(net)}


def main() -> None:
    jobs = [(way, seed) for seed in SEEDS for way in WAYS]
    studies.fill("growing", run, jobs, ("way", "seed"), at_once=1)


if __name__ == "__main__":
    main()
