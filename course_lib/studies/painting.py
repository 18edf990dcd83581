"""Where should a label map speak? At the door or in every norm, for as long, three seeds.

    python -m course_lib.studies.painting

runs what is missing in `painting.csv`. Satellite pictures of 64 × 64 and maps of six kinds of land;
discriminators, losses, batch and rates are the same. Both get the same CPU seconds. The maps are of
regions that were not trained on, and the rule that made them reads what was drawn.
"""

from time import process_time

import torch
import torch.nn.functional as F

from course_lib import data, studies
from course_lib.label_maps import (
    DoorGenerator,
    LabelStep,
    MultiScaleDiscriminator,
    SpadeGenerator,
    intersection_over_union,
    label_channels,
    land_kinds,
)

WAYS = {"labels at the door": DoorGenerator, "SPADE": SpadeGenerator}
SEEDS, SECONDS, BATCH = range(3), 25, 8


def trained(way: str, seed: int, seconds: float = SECONDS) -> tuple[torch.nn.Module, int]:
    """The averaged generator after so many CPU seconds, and its steps; the rate does not fall."""
    torch.manual_seed(seed)
    step = LabelStep(WAYS[way](), MultiScaleDiscriminator())
    batches = data.load("earth").batches(BATCH, generator=torch.Generator().manual_seed(seed))
    steps, begin = 0, process_time()
    while process_time() - begin < seconds:
        step(next(batches))
        step.ema.update()
        steps += 1
    return step.ema.model.eval(), steps


@torch.no_grad()
def measured(net: torch.nn.Module, n: int = 312) -> dict[str, float]:
    """On maps of other regions: labels that are read again, and the mean absolute error."""
    crops = data.load("earth", "test").batches(n, generator=torch.Generator().manual_seed(9))
    x = next(crops)[1]
    wanted = land_kinds(x)
    y = torch.cat([net(label_channels(part)) for part in wanted.split(64)])
    read = land_kinds(y)
    found = {"right": (read == wanted).double().mean().item()}
    found |= {"overlap": intersection_over_union(read, wanted), "error": F.l1_loss(y, x).item()}
    return {name: round(value, 4) for name, value in found.items()}


def run(way: str, seed: int) -> dict[str, str | float]:
    """One training of a generator in `WAYS`: its row of the table."""
    net, steps = trained(way, seed)
    return {"way": way, "seed": seed, "steps": steps, **measured(net)}


def main() -> None:
    jobs = [(way, seed) for seed in SEEDS for way in WAYS]
    studies.fill("painting", run, jobs, ("way", "seed"), at_once=1)


if __name__ == "__main__":
    main()
