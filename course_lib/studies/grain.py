"""Does the noise of a style-based generator live where pictures have something random?

    python -m course_lib.studies.grain

runs what is missing in `grain.csv`. The drawn faces have nothing random, and lecture 09's generator
ignores its noise. Here it is trained on, from the same weights with the strengths of the maps of
16 × 16 set to `STRENGTH`, twice: on the faces as they are, and on faces whose dark parts
(most of the hair) get fresh grain in each batch. D is new and learns alone at first. Measured with
the generator's average: how much other noise moves a pixel in dark and in light parts.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib import data, studies
from course_lib.pretrained import load_weights
from course_lib.styles import StyleDiscriminator, StyleGenerator, StyleStep

WIDE, NARROW = (128, 96, 64), (96, 64, 48)  # channels at 4 × 4, 8 × 8, 16 × 16
KINDS = ("as they are", "with grain")
SEEDS, STEPS, ALONE, BATCH, STRENGTH = range(3), 700, 300, 16, 0.2


def grained(
    x: Float[Tensor, "B 3 32 32"], generator: torch.Generator
) -> Float[Tensor, "B 3 32 32"]:
    """Black pixels get noise of standard deviation 0.6, grey ones none, in blocks of 2 × 2."""
    noise = torch.randn(len(x), 1, 16, 16, generator=generator)
    dark = (-x.mean(1, keepdim=True)).clamp(0, 1)
    return (x + 0.6 * dark * F.interpolate(noise, scale_factor=2)).clamp(-1, 1)


@torch.no_grad()
def moved(draw: Callable[[int], Float[Tensor, "n 3 32 32"]], draws: int = 8) -> dict[str, float]:
    """A pixel's standard deviation over draws of the same people: in dark parts, and in light."""
    x = torch.stack([draw(i).clamp(-1, 1) for i in range(draws)])
    spread, mean = x.std(0).mean(1), x.mean((0, 2))
    found = {"dark": spread[mean < -0.4].mean(), "light": spread[mean > 0].mean()}
    return {name: round(value.item(), 4) for name, value in found.items()}


def of_data(people: int = 64) -> dict[str, float]:
    """What `moved` finds in the faces with grain themselves."""
    x = data.load("peeps", "train", size=32)[:people].floats()
    return moved(lambda i: grained(x, torch.Generator().manual_seed(i)))


def run(kind: str, seed: int, steps: int = STEPS, alone: int = ALONE, people: int = 64) -> dict:
    """One training on faces of a kind in `KINDS`: its row of the table."""
    torch.manual_seed(seed)
    net = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
    net.train().requires_grad_(True)
    for conv in net.convs[3:]:
        conv.strength.data.fill_(STRENGTH)
    step = StyleStep(net, StyleDiscriminator(channels=NARROW, size=32), r1=0.03, ema=0.99)
    lots = torch.Generator().manual_seed(seed)
    batches = data.load("peeps", "train", size=32).batches(BATCH, generator=lots)
    rate = step.g_optimizer.param_groups[0]["lr"]
    for i in range(steps):
        step.g_optimizer.param_groups[0]["lr"] = 0.0 if i < alone else rate
        x = next(batches)
        step(grained(x, lots) if kind == "with grain" else x)
        step.ema.update()
    model = step.ema.model.eval()
    with torch.no_grad():
        ws = model.ws(torch.randn(people, model.nz, generator=torch.Generator().manual_seed(2)))
    made = moved(lambda i: model.synthesis(ws, generator=torch.Generator().manual_seed(i)))
    strength = max(conv.strength.abs().item() for conv in model.convs)
    return {"kind": kind, "seed": seed, **made, "strength": round(strength, 4)}


def main() -> None:
    jobs = [(kind, seed) for seed in SEEDS for kind in KINDS]
    studies.fill("grain", run, jobs, ("kind", "seed"), at_once=1)


if __name__ == "__main__":
    main()
