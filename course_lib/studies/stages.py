"""Is a large picture better learned in two stages? pix2pixHD's plan beside its rivals, five seeds.

    python -m course_lib.studies.stages

runs what is missing in `stages.csv`. Satellite pictures of 64 × 64, maps of six kinds of land, one
network (`LocalEnhancer` around `GlobalGenerator`), one batch and rate. "two stages": G1 alone at
32 × 32, then G2 with G1 fixed, then both. "whole": the network at once, for steps that take as long
on one core. "no matching": as two stages, without the matching of features. "G1 enlarged" is what
two stages have after the first, brought to 64 × 64. The maps are of regions that were not trained
on, and the rule that made them reads what was drawn.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from course_lib import data, metrics, studies
from course_lib.label_maps import (
    GlobalGenerator,
    LabelStep,
    LocalEnhancer,
    MultiScaleDiscriminator,
    intersection_over_union,
    label_channels,
    land_kinds,
)

PLANS = {"two stages": 10.0, "whole": 10.0, "no matching": 0.0}  # and the weight of the matching
STAGES, WHOLE = (584, 160, 132), 524  # steps; they take as long
SEEDS, BATCH = range(5), 8


def stages(
    plan: str, batches: Iterator, steps: tuple[int, int, int] = STAGES, whole: int = WHOLE
) -> tuple[LocalEnhancer, GlobalGenerator | None]:
    """A training of a plan in `PLANS`: averages of G2 around G1, and of G1 as it was alone."""
    net, matching = LocalEnhancer(GlobalGenerator()), PLANS[plan]
    if plan == "whole":
        return _played(_game(net, matching), batches, whole), None
    alone = _played(_game(net.inner, matching, size=32), batches, steps[0])
    net.inner.load_state_dict(alone.state_dict())
    game = _game(net, matching)
    for fixed, n in ((True, steps[1]), (False, steps[2])):
        net.inner.requires_grad_(not fixed)
        _played(game, batches, n)
    return game.ema.model, alone


def _game(generator: nn.Module, matching: float, size: int | None = None) -> LabelStep:
    return LabelStep(generator, MultiScaleDiscriminator(), matching=matching, size=size)


def _played(step: LabelStep, batches: Iterator, steps: int) -> nn.Module:
    for _ in range(steps):
        step(next(batches))
        step.ema.update()
    return step.ema.model.eval()


@torch.no_grad()
def measured(net: nn.Module, n: int = 312) -> dict[str, float]:
    """On maps of other regions: overlap of the labels read again, mean error, sharpness."""
    crops = data.load("earth", "test").batches(n, generator=torch.Generator().manual_seed(9))
    x = next(crops)[1]
    wanted = land_kinds(x)
    y = torch.cat([net(label_channels(part)) for part in wanted.split(64)])
    y = y if y.shape == x.shape else F.interpolate(y, x.shape[2:], mode="bilinear")
    found = {"overlap": intersection_over_union(land_kinds(y), wanted)}
    found |= {"error": F.l1_loss(y, x).item(), "sharpness": metrics.sharpness(y).mean().item()}
    return {name: round(value, 4) for name, value in found.items()}


def run(plan: str, seed: int, n: int = 312, **steps) -> list[dict[str, str | float]]:
    """One training: its row, and a second one for G1 after the first stage."""
    torch.manual_seed(seed)
    batches = data.load("earth").batches(BATCH, generator=torch.Generator().manual_seed(seed))
    net, alone = stages(plan, batches, **steps)
    rows = [{"plan": plan, "seed": seed, **measured(net, n)}]
    if plan == "two stages":
        rows.append({"plan": "G1 enlarged", "seed": seed, **measured(alone, n)})
    return rows


def main() -> None:
    jobs = [(plan, seed) for seed in SEEDS for plan in PLANS]
    studies.fill("stages", run, jobs, ("plan", "seed"), at_once=1)


if __name__ == "__main__":
    main()
