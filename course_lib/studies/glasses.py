"""Which loss of CycleGAN keeps a person who puts glasses on? One change at a time, several seeds.

    python -m course_lib.studies.glasses

runs what is missing in `glasses.csv`: the training of lecture 06, shorter and with narrower
networks, without the cycle loss, without the identity loss, without both. Data, networks, batches,
steps and judges are the same for all runs.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import data, metrics, studies
from course_lib.translation import (
    CycleGANStep,
    PatchDiscriminator,
    ResnetGenerator,
    translate,
    unpaired,
)

# what is left -> the weight of the cycle loss, of the identity loss
KINDS = {
    "both losses": (10.0, 5.0),
    "identity loss alone": (0.0, 5.0),
    "cycle loss alone": (10.0, 0.0),
    "neither": (0.0, 0.0),
}
SEEDS = range(2)
STEPS, FILTERS, BATCH = 400, 12, 8
ATTRIBUTES = ("skin", "head", "facial_hair", "face")


def people(split: str) -> tuple[data.ImageSet, data.ImageSet]:
    """The same people, row by row, without and with glasses."""
    pair = (f"{word}_glasses" for word in ("without", "with"))
    return tuple(data.load("peeps", split, size=32, variant=variant) for variant in pair)


def learned(kind: str, seed: int, steps: int = STEPS) -> CycleGANStep:
    """The trained players of one kind; averaged generators in `.ema_xy.model`, `.ema_yx.model`."""
    cycle, identity = KINDS[kind]
    without, wearing = people("train")
    torch.manual_seed(seed)
    generators = [ResnetGenerator(3, 3, FILTERS, 3) for _ in range(2)]
    judges = [PatchDiscriminator(3, FILTERS, layers=2) for _ in range(2)]
    schedule = (steps // 2, steps - steps // 2)
    step = CycleGANStep(*generators, *judges, identity=0.5, lr=1e-3, schedule=schedule, ema=0.99)
    step.cycle, step.identity = cycle, identity
    generator = torch.Generator().manual_seed(seed)
    batches = unpaired(without[::2], wearing[1::2], BATCH, generator)  # nobody is in both
    for _ in range(steps):
        step(next(batches))
        step.ema_xy.update(), step.ema_yx.update()
    return step


@cache
def _judges() -> tuple[metrics.Classifier, metrics.Classifier]:
    return metrics.Classifier("peeps_glasses"), metrics.Classifier("peeps")


def verdict(
    made: Float[Tensor, "n 3 32 32"], truth: Float[Tensor, "n 3 32 32"], outside: Tensor, attributes
) -> dict[str, float]:
    """The share with glasses, the error of the rest, and the share of people with each attribute
    as before."""
    glasses, everything = _judges()
    same = {
        name: (everything.classify(made, name) == attributes[name]).double().mean()
        for name in ATTRIBUTES
    }
    found = {
        "glasses": glasses.classify(made).double().mean(),
        "rest": (made - truth)[..., outside].abs().mean() / 2,
        **same,
    }
    return {name: round(value.item(), 4) for name, value in found.items()}


def run(kind: str, seed: int, steps: int = STEPS) -> dict:
    """One row of `glasses.csv`: both directions judged on people never seen."""
    step, (without, wearing) = learned(kind, seed, steps), people("test")
    x, y = without.floats(), wearing.floats()
    outside = (x - y).abs().amax((0, 1)) <= 0.02
    row = {"kind": kind, "seed": seed, "steps": steps}
    for way, net, start, goal in (
        ("on", step.ema_xy.model, x, y),
        ("off", step.ema_yx.model, y, x),
    ):
        found = verdict(translate(net, start), goal, outside, without.attributes)
        row |= {f"{way}_{name}": value for name, value in found.items()}
    return row


def main() -> None:
    studies.fill(
        "glasses", run, [(kind, seed) for seed in SEEDS for kind in KINDS], ("kind", "seed")
    )


if __name__ == "__main__":
    main()
