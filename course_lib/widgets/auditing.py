"""Sliders of lecture 08: copies, shares, detectors, marks."""

from collections.abc import Callable, Mapping

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import auditing, metrics, plots
from course_lib.checks import finite, floats, function, named, number, pictures, reals, whole
from course_lib.widgets import live


def detector_threshold(
    real: Float[Tensor, " n"], fakes: Mapping[str, Float[Tensor, " m"]], rare: float = 0.001
) -> ipywidgets.VBox:
    """Lecture 08: which real pictures a threshold accuses, and which fakes of whom it finds.

    rare: the share of fakes among all pictures, for the last number of the read-out.
    """
    real = finite("real", reals("real", real))
    fakes = {name: finite(name, x) for name, x in named("fakes", fakes, reals).items()}
    number("rare", rare, above=0, most=1)
    figure, axes = plt.subplots(figsize=(7, 2.8))
    bins = np.linspace(*np.quantile(torch.cat([real, *fakes.values()]), (0.001, 0.999)), 50)
    kinds = {"real": real, **fakes}
    for (name, scores), color in zip(kinds.items(), plots.CYCLE, strict=False):
        style = {"alpha": 0.35} if name == "real" else {"histtype": "step", "linewidth": 2}
        axes.hist(scores.numpy(), bins, density=True, color=color, label=name, **style)
    line = axes.axvline(0, color="black", linewidth=1.5)
    axes.set(xlabel="score; accused to the right of the line", yticks=[])
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    def draw(threshold: float) -> str:
        line.set_xdata([threshold, threshold])
        accused = (real > threshold).double().mean().item()
        found = {name: (x > threshold).double().mean().item() for name, x in fakes.items()}
        first = next(iter(found.values()))
        among = rare * first / max(rare * first + (1 - rare) * accused, 1e-12)
        told = ", ".join(f"{name} {share:.0%}" for name, share in found.items())
        return (
            f"accused of a million real pictures: <b>{round(1e6 * accused):,}</b>; found: {told}. "
            f"If 1 in {round(1 / rare):,} is a fake of the first kind: of 100 accused "
            f"<b>{100 * among:.1f}</b> are fakes"
        )

    ordered = real.sort(descending=True).values
    stops = {
        f"{share:g} %": ordered[min(int(share / 100 * len(real)), len(real) - 1)].item()
        for share in (50, 20, 10, 5, 2, 1, 0)
    }
    return live(figure, stops, draw, start="1 %", label="real pictures accused")


STRENGTHS = {f"{s:g}": s for s in (0.0125, 0.025, 0.05, 0.075, 0.1)}


def watermark_strength(
    x: Float[Tensor, "1 c h w"], key: int, attack: Callable[[Tensor], Tensor]
) -> ipywidgets.VBox:
    """Lecture 08: a picture, marked, and the mark by itself; is it seen, and is it found?"""
    pictures("x", floats("x", x), count=1), whole("key", key, 0), function("attack", attack)
    if x.abs().max() > 1 + 1e-3:
        raise ValueError(f"x must lie in [-1, 1]; got {x.min():.3g} … {x.max():.3g}")
    figure, all_axes = plt.subplots(1, 3, figsize=(7, 2.6))
    shown = []
    for axes, title in zip(all_axes, ("original", "marked", "the mark, × 8"), strict=True):
        shown.append(axes.imshow(plots.as_pictures(x)[0], vmin=0, vmax=1))
        plots.bare(axes, title)
    found = {}
    for strength in STRENGTHS.values():
        marked = auditing.embed_watermark(x, key, strength)
        p = [auditing.detect_watermark(y, key).item() for y in (marked, attack(marked))]
        told = (
            f"PSNR <b>{metrics.psnr(x, marked):.1f} dB</b>; p = {p[0]:.1e}, and after the attack "
            f"<b>{p[1]:.1e}</b>"
        )
        found[strength] = plots.as_pictures(torch.cat([marked, 8 * (marked - x)])), told

    def draw(strength: float) -> str:
        marked, told = found[strength]
        for image, picture in zip(shown[1:], marked, strict=True):
            image.set_data(picture)
        return told

    return live(figure, STRENGTHS, draw, start="0.05", label="strength")
