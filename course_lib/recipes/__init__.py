"""How the shipped weights were made: `python -m course_lib.recipes NAME …` makes them again.

One module per lecture, one function per name. It trains, measures on images that were not trained
on, and writes the weights with a card. Another machine gives other last digits.
"""

import platform
from collections.abc import Callable

import torch

from course_lib import device
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance

SPLITS = ("train", "test")


def likeness(sample: Callable, held_out) -> dict[str, str]:
    """The Fréchet distance of samples to held-out images, and its floor."""
    x, generator = held_out.floats(), torch.Generator().manual_seed(0)
    net, n = FeatureNet(held_out.name), len(x) // 2
    half, other = (fit_gaussian(net.features(part)) for part in (x[:n], x[n : 2 * n]))
    fake = fit_gaussian(net.features(sample(n, generator)))
    distance, floor = frechet_distance(*fake, *half), frechet_distance(*other, *half)
    label = f"Fréchet distance, {n} samples against as many held-out images"
    return {label: f"{distance:.2f} (floor: {floor:.2f})"}


def circumstances(name: str, seconds: float) -> dict[str, str]:
    return {
        "command": f"`python -m course_lib.recipes {name}`",
        "time": f"{seconds:.0f} s on {device.choose()}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
    }
