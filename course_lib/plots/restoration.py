"""Figures of lecture 11: the plane of two rulers, what a blend costs, who is read correctly."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float, Shaped
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.checks import instance, named, number, pictures, reals, several, texts
from course_lib.plots import CYCLE, DATA, GREY, MODEL, as_pictures, bare, mark_guess, subplots

HATCHES = ("", "///", "...", "xxx")


def plane(
    points: Mapping[str, tuple[float, float]],
    floor: Sequence[float] | None = None,
    marked: Sequence[str] = (),
) -> Figure:
    """name -> (decibels, patch distance): to the right is near, down is real-looking.

    floor: the lowest and the highest patch distance between two sets of real pictures, a band.
    marked: the names of what is no restorer, hollow.
    """
    points = named("points", points, reals, 2)
    instance("marked", marked, Sequence)
    figure, axes = subplots(figsize=(7.0, 4.2))
    upwards = sorted(points.items(), key=lambda point: point[1][1])
    for (name, place), (right, height) in zip(upwards, _labels(upwards), strict=True):
        edge = GREY if name in marked else MODEL
        face = "none" if name in marked else MODEL
        axes.scatter(*place, s=36, facecolors=face, edgecolors=edge, zorder=3)
        side = {"ha": "left", "xytext": (14, 0)} if right else {"ha": "right", "xytext": (-14, 0)}
        offset = (side.pop("xytext")[0], height)
        text = {"textcoords": "offset points", "va": "center", "fontsize": "small", **side}
        text["arrowprops"] = {"arrowstyle": "-", "color": GREY, "lw": 0.6, "shrinkA": 0}
        axes.annotate(name, tuple(place), offset, **text)
    if floor is not None:
        low, high = reals("floor", floor, 2).tolist()
        axes.axhspan(low, high, color=GREY, alpha=0.2, lw=0, label="other real people")
        axes.legend(loc="upper right")
    axes.set(xlabel="PSNR in dB (near: to the right)", ylabel="patch distance (real: down)")
    axes.set_yscale("log")
    axes.margins(x=0.5, y=0.1)
    return figure


def _labels(upwards: Sequence, gap: float = 12.0, decade: float = 65.0) -> list:
    """(to the right?, points above its point) of each name, so that none covers another.

    A name stands to the right of its point unless another point is close there. Names of one side
    that are close are spread to `gap` points from each other; a factor of 10 is `decade` points.
    """
    places = [(db.item(), decade * math.log10(max(y.item(), 1e-3))) for _, (db, y) in upwards]
    sides = [not any(0 < b - x < 2.5 and abs(h - y) < gap for b, h in places) for x, y in places]
    heights = [y for _, y in places]
    for _ in range(50):
        for j in range(len(places)):
            for i in range(j):
                near = sides[i] == sides[j] and abs(places[i][0] - places[j][0]) < 4
                push = (gap - (heights[j] - heights[i])) / 2
                if near and push > 0:
                    heights[i], heights[j] = heights[i] - push, heights[j] + push
    moved = zip(heights, places, strict=True)
    return list(zip(sides, (height - y for height, (_, y) in moved), strict=True))


def blends(
    shares: Sequence[float], measured: Sequence[float], law: Sequence[float], guess: Any = None
) -> Figure:
    """Squared error over the share a of the second picture: dots measured, a line by the law."""
    shares = reals("shares", shares)
    measured, law = (reals(n, x, len(shares)) for n, x in (("measured", measured), ("law", law)))
    figure, axes = subplots(figsize=(5.4, 3.2))
    a, law = shares.numpy(), law.numpy()
    axes.plot(a, law, color=GREY, label="$D^* + a^2\\,(D_g - D^*)$")
    axes.plot(a[[0, -1]], law[[0, -1]], color=GREY, linestyle=":", label="a straight line")
    axes.plot(a, measured.numpy(), "o", color=MODEL, label="measured")
    mark_guess(axes, guess)
    axes.set(xlabel="a, the share of the sample", ylabel="mean squared error")
    axes.legend()
    return figure


def by_group(
    shares: Mapping[str, Sequence[float]],
    groups: Sequence[str],
    label: str,
    across: str = "",
    spread: float = 0.0,
) -> Figure:
    """For each name a row of bars, one a group: who is read correctly?

    label, across: what the axes say. spread: half of each error bar; 0 draws none.
    """
    several("groups", groups, instance, str)
    shares = named("shares", shares, reals, len(groups))
    texts(label=label, across=across)
    spread = number("spread", spread, 0)
    figure, axes = subplots(figsize=(6.4, 2.8))
    width = 0.8 / len(shares)
    for i, (name, values) in enumerate(shares.items()):
        at = [g + (i - (len(shares) - 1) / 2) * width for g in range(len(groups))]
        look = {"color": CYCLE[i % len(CYCLE)], "hatch": HATCHES[i % len(HATCHES)]}
        bars = {"yerr": spread, "capsize": 2, "error_kw": {"lw": 1}} if spread else {}
        axes.bar(at, values.tolist(), width, edgecolor="white", label=name, **look, **bars)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(xlabel=across, ylabel=label, ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=len(shares))
    return figure


def where(
    x: Shaped[Tensor, "n c h w"], maps: Float[Tensor, "n h w"], box: tuple[int, int, int, int]
) -> Figure:
    """Pictures above, below each the map of scores of D, with the pasted box drawn in both.

    The bar beside the maps says which colour is less real and which one more.

    box: top, left, height, width in pixels of the pictures.
    """
    pictures("x", x)
    maps = reals("maps", maps, len(x), "h", "w")
    top, left, high, wide = several("box", box, number, 0, count=4)
    figure, axes = subplots(2, len(x), figsize=(1.25 * len(x) + 0.9, 2.7), squeeze=False)
    scale = maps.shape[-1] / x.shape[-1]
    limit = maps.abs().max()
    for i, picture in enumerate(as_pictures(x)):
        axes[0, i].imshow(picture, vmin=0, vmax=1)
        colours = axes[1, i].imshow(maps[i].numpy(), vmin=-limit, vmax=limit, cmap="RdBu")
        for ax, k in ((axes[0, i], 1.0), (axes[1, i], scale)):
            xs = [left, left + wide, left + wide, left, left]
            ys = [top, top, top + high, top + high, top]
            ax.plot([k * v - 0.5 for v in xs], [k * v - 0.5 for v in ys], color=DATA)
            bare(ax)
    bar = figure.colorbar(colours, ax=list(axes[1]), ticks=[-limit, 0, limit])
    bar.ax.set_yticklabels(["− less real", "0", "+ more real"])
    return figure
