"""Figures of lecture 01: densities, bandwidths, distances."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.plots import DATA, EXTENT, GREY, MODEL, bare, mark_guess, subplots


def draw_density(axes: Axes, density: Tensor, points: Tensor, samples: Tensor | None) -> Any:
    side = int(len(density) ** 0.5)
    shown = (density / density.max()).reshape(side, side).numpy()
    image = axes.imshow(
        shown, origin="lower", extent=EXTENT * 2, cmap="Greys", vmax=1.3, interpolation="bilinear"
    )
    axes.scatter(*points.T, s=4, alpha=0.6, color=DATA, label="data")
    if samples is not None:
        axes.scatter(*samples.T, s=7, color=MODEL, marker="x", linewidth=1, label="samples")
    axes.set(xlim=EXTENT, ylim=EXTENT, aspect="equal")
    bare(axes)
    return image


def density_in_the_plane(
    densities: Mapping[str, Float[Tensor, " points"]],
    points: Float[Tensor, "n 2"],
    samples: Mapping[str, Float[Tensor, "m 2"]] | None = None,
) -> Figure:
    """The picture of lecture 01: data points over the density that a model gives to each place.

    `densities` are the model's densities on `plane()`, one panel each; `samples` of the same name
    are drawn into the same panel. Each panel's grey is scaled to its own maximum.
    """
    samples = samples or {}
    columns = len(densities)
    figure, all_axes = subplots(1, columns, figsize=(2.7 * columns, 3.0), squeeze=False)
    for axes, (name, density) in zip(all_axes[0], densities.items(), strict=True):
        draw_density(axes, density, points, samples.get(name))
        axes.set_title(name)
    handles, labels = all_axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def bandwidth_curve(
    sigmas: Sequence[float],
    train: Sequence[float],
    validation: Sequence[float],
    axes: Axes | None = None,
    floor: float | None = None,
) -> Figure:
    """Mean log-likelihood in nats of the centres themselves and of held-out data, over sigma."""
    if axes is None:
        _, axes = subplots(figsize=(6, 3.2))
    train, validation = (np.asarray(curve, dtype=float) for curve in (train, validation))
    best = int(np.argmax(validation))
    axes.plot(sigmas, train, color=GREY, label="the centres themselves")
    axes.plot(sigmas, validation, color=DATA, label="held-out data")
    axes.plot(
        sigmas[best], validation[best], "o", color=DATA, label=f"best: σ = {sigmas[best]:.2g}"
    )
    axes.set(xscale="log", xlabel="bandwidth σ", ylabel="log-likelihood in nats")
    low = floor if floor is not None else min(validation)
    axes.set_ylim(low, max(train) + 0.05 * (max(train) - low))
    axes.legend()
    return axes.figure


def bumps(
    x: Float[Tensor, " n"],
    each: Float[Tensor, "n m"],
    centers: Float[Tensor, " m"],
) -> Figure:
    """A Parzen density on a line: `each` holds the m Gaussians, their mean is the estimate."""
    figure, axes = subplots(figsize=(6, 2.6))
    axes.plot(x, each / each.shape[1], color=GREY, linewidth=0.8)
    axes.plot(x, each.mean(dim=1), color=MODEL, label="their sum: the estimate")
    axes.plot(centers, torch.zeros_like(centers), "|", color=DATA, markersize=14, label="samples")
    axes.plot([], [], color=GREY, linewidth=0.8, label="a Gaussian at each, weight 1/m")
    axes.set(xlabel="x", ylabel="density", ylim=(0, None))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def bent_noise(before: Float[Tensor, "n 2"], after: Sequence[Float[Tensor, "n 2"]]) -> Figure:
    """Gaussian noise, and what fixed random networks make of it; a point keeps its colour."""
    figure, all_axes = subplots(1, 1 + len(after), figsize=(2.6 * (1 + len(after)), 2.9))
    angle = torch.atan2(before[:, 1], before[:, 0])
    titles = ["noise z"] + [f"network {i + 1}: g(z)" for i in range(len(after))]
    for axes, points, title in zip(all_axes, [before, *after], titles, strict=True):
        axes.scatter(*points.T, s=3, c=angle, cmap="twilight", rasterized=True)
        bare(axes, title)
    return figure


def concentration(dimensions: Sequence[int], ratios: Sequence[float], guess: Any = None) -> Figure:
    """Distance to the nearest over distance to the farthest of 1,000 points, by dimension."""
    figure, axes = subplots(figsize=(6, 3.2))
    axes.plot(dimensions, ratios, "o-", color=DATA, label="measured")
    for d, ratio in zip(dimensions, ratios, strict=True):
        axes.annotate(f"{ratio:.2f}", (d, ratio), (-3, 6), textcoords="offset points", ha="right")
    mark_guess(axes, guess, "your guess at d = 784")
    axes.margins(x=0.1)
    axes.set(xscale="log", xlabel="dimension d", ylabel="nearest / farthest", ylim=(-0.02, 1.12))
    axes.legend(loc="lower right")
    return figure


def neighbours_by_number(
    n: Sequence[int], distances: Sequence[float], slope: float, pixels: int
) -> Figure:
    """Median distance to the nearest of n images, both axes logarithmic, with its fitted line."""
    figure, axes = subplots(figsize=(6, 3.2))
    axes.plot(n, distances, "o", color=DATA, label="measured")
    line = np.exp(np.mean(np.log(distances)) + slope * (np.log(n) - np.mean(np.log(n))))
    axes.plot(n, line, color=GREY, label=f"distance ∝ n^({slope:.3f})")
    axes.set(xscale="log", yscale="log", xlabel="number of images n")
    axes.set_ylabel(f"nearest distance\n(in {pixels} pixels)")
    axes.set_yticks([7, 8, 9, 10, 11], labels=["7", "8", "9", "10", "11"])
    axes.minorticks_off()
    axes.legend()
    return figure


def black_pixels(shares: Float[Tensor, "h w"], guess: Any = None) -> Figure:
    """In what share of the pictures each pixel is black: a map, and all pixels in order."""
    figure, (left, right) = subplots(1, 2, figsize=(7.5, 2.9), width_ratios=(1, 1.3))
    image = left.imshow(1 - shares, vmin=0, vmax=1)
    bare(left, "the picture's pixels")
    bar = figure.colorbar(
        image, ax=left, ticks=[0, 0.5, 1], label="black in this share of pictures"
    )
    bar.ax.set_yticklabels(["1", "0.5", "0"])
    ordered = shares.flatten().sort().values
    right.plot(torch.linspace(0, 1, len(ordered)), ordered, color=DATA, label="one pixel")
    mean = shares.mean().item()
    right.axhline(mean, color=DATA, linewidth=0.8, linestyle=":", label=f"all: {mean:.2f}")
    mark_guess(right, guess)
    right.set(xlabel="pixels, from the least to the most black", ylim=(-0.02, 1.02), xticks=[])
    right.legend(loc="upper left")
    return figure
