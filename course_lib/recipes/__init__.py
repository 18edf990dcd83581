"""How the shipped weights were made: `python -m course_lib.recipes NAME …` makes them again.

One module per lecture, one function per name. It trains, measures on images that were not trained
on, and writes the weights with a card. Another machine gives other last digits.
"""

import platform
from collections.abc import Callable

import torch

from course_lib import device
from course_lib.metrics import Classifier, FeatureNet, fit_gaussian, frechet_distance

SPLITS = ("train", "test")


def likeness(sample: Callable, held_out) -> dict[str, str]:
    """The Fréchet distance of samples to held-out images, and its floor.

    Twice: in the course's features, and in those of a network that chose nothing.
    """
    x, n = held_out.floats(), len(held_out) // 2
    fake, found = sample(n, torch.Generator().manual_seed(0)), {}
    label = f"Fréchet distance, {n} samples against as many held-out images"
    for kind, name in ((FeatureNet, label), (Classifier, "the same, in the classifier's features")):
        net = kind(held_out.name)
        made, half, other = (fit_gaussian(net.features(p)) for p in (fake, x[:n], x[n : 2 * n]))
        distance, floor = frechet_distance(*made, *half), frechet_distance(*other, *half)
        found[name] = f"{distance:.2f} (floor: {floor:.2f})"
    return found


def circumstances(name: str, seconds: float) -> dict[str, str]:
    return {
        "command": f"`python -m course_lib.recipes {name}`",
        "time": f"{seconds:.0f} s on {device.choose()}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
    }
