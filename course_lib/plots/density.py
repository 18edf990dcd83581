"""Figures of lecture 01: densities, bandwidths, distances."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import checks
from course_lib.checks import finite, function, instance, number, reals, several, whole
from course_lib.plots import (
    DATA,
    EXTENT,
    GREY,
    GUESS,
    MODEL,
    OTHER,
    bare,
    mark_guess,
    plane,
    subplots,
)


def _square(name: str, values: Any) -> Tensor:
    """Numbers on a square grid of the plane, row by row, as that square."""
    values = reals(name, values)
    side = round(len(values) ** 0.5)
    if side**2 != len(values):
        raise ValueError(f"{name} must be a number for each of n × n points; got {len(values)}")
    return values.reshape(side, side)


def draw_density(
    axes: Axes,
    density: Float[Tensor, " points"],
    points: Float[Tensor, "n 2"],
    samples: Float[Tensor, "m 2"] | None,
) -> Any:
    """One panel of `density_in_the_plane`; returns the image of the density."""
    instance("axes", axes, Axes)
    density, points = _square("density", density), reals("points", points, "n", 2)
    shown = (density / density.max()).sqrt()
    image = axes.imshow(
        shown,
        origin="lower",
        extent=EXTENT * 2,
        cmap="Greys",
        vmin=0,
        vmax=1.3,
        interpolation="bilinear",
    )
    axes.scatter(*points.T, s=4, alpha=0.6, color=DATA, label="data")
    if samples is not None:
        axes.scatter(
            *reals("samples", samples, "m", 2).T,
            s=7,
            color=MODEL,
            marker="x",
            linewidth=1,
            label="samples",
        )
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
    are drawn into the same panel. Grey is the root of the density, scaled to each panel's maximum.
    """
    checks.named("densities", densities, _square), reals("points", points, "n", 2)
    samples = checks.named("samples", samples, reals, "m", 2) if samples else {}
    columns = len(densities)
    figure, all_axes = subplots(1, columns, figsize=(2.7 * columns, 3.0), squeeze=False)
    for axes, (name, density) in zip(all_axes[0], densities.items(), strict=True):
        draw_density(axes, density, points, samples.get(name))
        axes.set_title(name)
    handles, labels = all_axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def bandwidth_strip(
    points: Float[Tensor, "n 2"],
    sigmas: Sequence[float],
    log_density: Callable[[Tensor, Tensor, float], Tensor],
    corner: tuple[float, float],
    side: float = 0.5,
) -> Figure:
    """Parzen densities of points for several bandwidths; below, the square at `corner` enlarged.

    Grey is the root of the density, scaled to each panel's maximum.
    """
    points = finite("points", reals("points", points, "n", 2)).float()
    function("log_density", log_density)
    several("sigmas", sigmas, number, above=0), several("corner", corner, number, count=2)
    number("side", side, above=0)
    figure, all_axes = subplots(2, len(sigmas), figsize=(1.9 * len(sigmas), 4.1), squeeze=False)
    zoom = tuple((low, low + side) for low in corner)
    for column, sigma in zip(all_axes.T, sigmas, strict=True):
        for axes, (x, y) in zip(column, ((EXTENT, EXTENT), zoom), strict=True):
            density = log_density(plane(90, x, y), points, sigma).exp()
            shown = (density / density.max()).sqrt().reshape(90, 90)
            extent = (*x, *y)
            axes.imshow(shown, origin="lower", extent=extent, cmap="Greys", vmin=0, vmax=1.3)
            size = 3 if axes is column[0] else 30
            axes.scatter(*points.T, s=size, facecolors="none", edgecolors=DATA, linewidth=0.8)
            axes.set(xlim=x, ylim=y, aspect="equal")
            bare(axes)
        column[0].set_title(f"σ = {sigma:g}")
        column[0].indicate_inset([*corner, side, side], edgecolor="black", alpha=1)
    all_axes[0, 0].set_ylabel("the plane")
    all_axes[1, 0].set_ylabel("the square, enlarged")
    return figure


def bandwidth_curve(
    sigmas: Sequence[float],
    train: Sequence[float],
    validation: Sequence[float],
    axes: Axes | None = None,
    floor: float | None = None,
) -> Figure:
    """Mean log-likelihood in nats of the centres themselves and of held-out data, over sigma."""
    sigmas = reals("sigmas", sigmas)
    reals("train", train, len(sigmas)), reals("validation", validation, len(sigmas))
    floor is None or number("floor", floor), axes is None or instance("axes", axes, Axes)
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
    x, each = reals("x", x), reals("each", each, len(x), "m")
    centers = reals("centers", centers, each.shape[1])
    figure, axes = subplots(figsize=(6, 2.6))
    axes.plot(x, each / each.shape[1], color=GREY, linewidth=0.8)
    axes.plot(x, each.mean(dim=1), color=MODEL, label="their sum: the estimate")
    axes.plot(centers, torch.zeros_like(centers), "|", color=DATA, markersize=14, label="samples")
    axes.plot([], [], color=GREY, linewidth=0.8, label="a Gaussian at each, weight 1/m")
    axes.set(xlabel="x", ylabel="density", ylim=(0, None))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@torch.no_grad()
def bent_noise(z: Float[Tensor, "n 2"], networks: Sequence[Callable[[Tensor], Tensor]]) -> Figure:
    """Gaussian noise and a grid of lines, and what fixed random networks make of both."""
    z = reals("z", z, "n", 2).float()
    several("networks", networks, function)
    columns = 1 + len(networks)
    figure, all_axes = subplots(1, columns, figsize=(2.5 * columns, 2.8))
    along = torch.linspace(-2, 2, 200)
    titles = ["noise z"] + [f"network {i + 1}: g(z)" for i in range(len(networks))]
    for axes, g, title in zip(all_axes, [lambda z: z, *networks], titles, strict=True):
        axes.scatter(*g(z).T, s=2, color="0.75", rasterized=True)
        for place in torch.linspace(-2, 2, 9):
            across = place.expand(200)
            axes.plot(*g(torch.stack([along, across], 1)).T, color="black", linewidth=0.8)
            axes.plot(*g(torch.stack([across, along], 1)).T, color=OTHER, linewidth=1.2)
        bare(axes, title)
    return figure


def concentration(dimensions: Sequence[int], ratios: Sequence[float], guess: Any = None) -> Figure:
    """Distance to the nearest over distance to the farthest of 1,000 points, by dimension."""
    dimensions = reals("dimensions", dimensions)
    ratios = reals("ratios", ratios, len(dimensions))
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
    """Median distance to the nearest of n images, both axes logarithmic.

    The line of this slope goes through the last point; n[0] is drawn hollow, as it was not fitted.
    """
    n, slope = reals("n", n), number("slope", slope)
    distances, pixels = reals("distances", distances, len(n)), whole("pixels", pixels)
    figure, axes = subplots(figsize=(6, 3.2))
    axes.plot(n[1:], distances[1:], "o", color=DATA, label="measured")
    axes.plot(n[:1], distances[:1], "o", color=DATA, fillstyle="none", label="measured, not fitted")
    line = distances[-1] * (n / n[-1]) ** slope
    axes.plot(n, line, color=GREY, zorder=0, label=f"fit: distance ∝ n^({slope:.3f})")
    axes.set(xscale="log", yscale="log", xlabel="number of images n")
    axes.set_ylabel(f"median distance to the nearest\n(in {pixels} pixels)")
    axes.set_yticks([7, 8, 9, 10, 11], labels=["7", "8", "9", "10", "11"])
    axes.minorticks_off()
    axes.legend()
    return figure


def black_pixels(shares: Float[Tensor, "h w"], guess: Any = None) -> Figure:
    """In what share of the pictures each pixel is black: a map, and all pixels in order."""
    shares = reals("shares", shares, "h", "w")
    figure, (left, right) = subplots(1, 2, figsize=(7.5, 2.9), width_ratios=(1, 1.3))
    image = left.imshow(1 - shares, vmin=0, vmax=1)
    bare(left, "the picture's pixels")
    bar = figure.colorbar(image, ax=left, ticks=[0, 0.5, 1], label="share of pictures")
    bar.ax.set_yticklabels(["1", "0.5", "0"])
    ordered = shares.flatten().sort().values
    right.plot(torch.linspace(0, 1, len(ordered)), ordered, color=DATA, label="one pixel")
    mean = shares.mean().item()
    right.axhline(
        mean, color=DATA, linewidth=0.8, linestyle=":", label=f"mean of all pixels: {mean:.2f}"
    )
    mark_guess(right, guess)
    right.set(xlabel="pixels, from the least to the most black", ylim=(-0.02, 1.02), xticks=[])
    right.set_ylabel("black in this share of pictures")
    right.legend(loc="upper left")
    return figure


def likelihoods(named: Mapping[str, float], guess: Any = None) -> Figure:
    """Mean log-likelihoods as dots: a bar from 0 would be the longer the worse they are."""
    checks.named("named", named, number)
    figure, axes = subplots(figsize=(7.5, 0.45 * len(named) + 0.9))
    names, values = list(named), list(named.values())
    axes.plot(values, range(len(names)), "o", color=DATA, markersize=8)
    for place, value in enumerate(values):
        axes.annotate(
            f"{value:.0f}", (value, place), (8, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(names)), labels=names)
    chosen = getattr(guess, "guess", guess)
    if chosen in names:
        axes.get_yticklabels()[names.index(chosen)].set(color=GUESS, fontweight="bold")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.15)
    axes.grid(axis="x", color="0.9")
    axes.set_xlabel("log-likelihood of a test image in nats (right is better)")
    return figure


def witness(
    named: Mapping[str, Float[Tensor, " points"]],
    points: Float[Tensor, "n 2"],
    samples: Mapping[str, Float[Tensor, "m 2"]],
) -> Figure:
    """The witness function of MMD on `plane()`: where data outnumber samples (solid) and where not.

    All panels share one scale; solid lines are above 0, dashed ones below.
    """
    named, points = checks.named("named", named, _square), reals("points", points, "n", 2)
    samples = checks.named("samples", samples, reals, "m", 2, has=named)
    figure, all_axes = subplots(1, len(named), figsize=(3.3 * len(named), 3.5), squeeze=False)
    top = max(values.abs().max().item() for values in named.values())
    colors = LinearSegmentedColormap.from_list("witness", [MODEL, "white", DATA])
    levels = [level for level in np.linspace(-top, top, 11) if abs(level) > 1e-9]
    for axes, (name, shown) in zip(all_axes[0], named.items(), strict=True):
        image = axes.imshow(
            shown, origin="lower", extent=EXTENT * 2, cmap=colors, vmin=-top, vmax=top
        )
        line = np.linspace(*EXTENT, len(shown))
        axes.contour(line, line, shown, levels, colors="black", linewidths=0.6)
        axes.scatter(*points.T, s=4, color=DATA, label="data")
        axes.scatter(*samples[name].T, s=7, color=MODEL, marker="x", linewidth=1, label="samples")
        axes.set(xlim=EXTENT, ylim=EXTENT, aspect="equal")
        bare(axes, name)
    figure.colorbar(image, ax=all_axes, label="witness f(x)", shrink=0.8)
    figure.legend(*all_axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def measured_distances(
    measures: Mapping[str, Mapping[str, float]], ends: Mapping[str, float], guess: Any = None
) -> Figure:
    """Distances of sets of samples to real pictures, a panel per measure; `ends`: its largest."""
    checks.named("measures", measures, checks.named, number)
    ends = ends if ends == {} else checks.named("ends", ends, number)
    figure, all_axes = subplots(1, len(measures), figsize=(8.5, 2.7), sharey=True, squeeze=False)
    all_axes = all_axes[0]
    for axes, (title, values) in zip(all_axes, measures.items(), strict=True):
        names = list(values)
        axes.plot(list(values.values()), range(len(names)), "o", color=MODEL, markersize=7)
        for place, value in enumerate(values.values()):
            left = title in ends and value > 0.6 * ends[title]
            text = {"ha": "right", "xytext": (-7, 0)} if left else {"xytext": (7, 0)}
            axes.annotate(f"{round(value, 3) + 0:.3f}", (value, place), textcoords="offset points",
                          va="center", **text)  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=0.8)
        if title in ends:
            axes.axvline(ends[title], color=GREY, linewidth=0.8, linestyle=":")
        axes.margins(x=0.22)
        axes.set_title(title)
    all_axes[0].set_yticks(range(len(names)), labels=names)
    chosen = getattr(guess, "guess", guess)
    if chosen in names:
        all_axes[0].get_yticklabels()[names.index(chosen)].set(color=GUESS, fontweight="bold")
    all_axes[0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel("distance to real pictures: left is better", fontsize="medium")
    return figure
