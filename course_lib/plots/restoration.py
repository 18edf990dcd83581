"""Figures of lecture 11: the plane of two rulers, what a blend costs, who is read rightly."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float, Shaped
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.checks import instance, named, number, pictures, reals, several, texts
from course_lib.plots import CYCLE, DATA, GREY, MODEL, as_pictures, bare, mark_guess, subplots


def plane(
    points: Mapping[str, tuple[float, float]],
    floor: float | None = None,
    marked: Sequence[str] = (),
) -> Figure:
    """name -> (decibels, patch distance): to the right is near, down is real-looking.

    floor: the patch distance between two sets of real pictures, a line. marked: the names of what
    is no restorer, hollow.
    """
    points = named("points", points, reals, 2)
    instance("marked", marked, Sequence)
    figure, axes = subplots(figsize=(7.0, 4.2))
    upwards = sorted(points.items(), key=lambda point: point[1][1])
    for i, (name, (db, distance)) in enumerate(upwards):  # names to the left and right in turn
        edge = GREY if name in marked else MODEL
        face = "none" if name in marked else MODEL
        axes.scatter(db, distance, s=36, facecolors=face, edgecolors=edge)
        side = {"ha": "left", "xytext": (6, 0)} if i % 2 else {"ha": "right", "xytext": (-6, 0)}
        place = {"textcoords": "offset points", "va": "center", "fontsize": "small", **side}
        place["bbox"] = {"fc": "white", "ec": "none", "pad": 0.5}  # no line runs through a name
        axes.annotate(name, (db, distance), **place)
    if floor is not None:
        axes.axhline(
            number("floor", floor, 0), color=GREY, linestyle=":", label="other real people"
        )
        axes.legend(loc="upper right")
    axes.set(xlabel="PSNR in dB (near: to the right)", ylabel="patch distance (real: down)")
    axes.set_yscale("log")
    axes.margins(x=0.3, y=0.1)
    return figure


def blends(
    shares: Sequence[float], measured: Sequence[float], law: Sequence[float], guess: Any = None
) -> Figure:
    """Squared error over the share a of the second picture: dots measured, a line by the law."""
    shares = reals("shares", shares)
    measured, law = (reals(n, x, len(shares)) for n, x in (("measured", measured), ("law", law)))
    figure, axes = subplots(figsize=(5.4, 3.2))
    a, law = shares.numpy(), law.numpy()
    axes.plot(a, law, color=GREY, label="D* + a² (D₁ − D*)")
    axes.plot(a[[0, -1]], law[[0, -1]], color=GREY, linestyle=":", label="a straight line")
    axes.plot(a, measured.numpy(), "o", color=MODEL, label="measured")
    mark_guess(axes, guess)
    axes.set(xlabel="a, the share of the sample", ylabel="mean squared error")
    axes.legend()
    return figure


def by_group(shares: Mapping[str, Sequence[float]], groups: Sequence[str], label: str) -> Figure:
    """For each name a row of bars, one a group: who is read rightly?"""
    several("groups", groups, instance, str)
    shares = named("shares", shares, reals, len(groups))
    texts(label=label)
    figure, axes = subplots(figsize=(6.4, 2.8))
    width = 0.8 / len(shares)
    for i, (name, values) in enumerate(shares.items()):
        at = [g + (i - (len(shares) - 1) / 2) * width for g in range(len(groups))]
        axes.bar(at, values, width, color=CYCLE[i % len(CYCLE)], label=name)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(ylabel=label, ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=len(shares))
    return figure


def where(
    x: Shaped[Tensor, "n c h w"], maps: Float[Tensor, "n h w"], box: tuple[int, int, int, int]
) -> Figure:
    """Pictures above, below each the map of scores of D, with the pasted box drawn in both.

    box: top, left, height, width in pixels of the pictures.
    """
    pictures("x", x)
    maps = reals("maps", maps, len(x), "h", "w")
    top, left, high, wide = several("box", box, number, 0, count=4)
    figure, axes = subplots(2, len(x), figsize=(1.25 * len(x), 2.7), squeeze=False)
    scale = maps.shape[-1] / x.shape[-1]
    limit = maps.abs().max()
    for i, picture in enumerate(as_pictures(x)):
        axes[0, i].imshow(picture, vmin=0, vmax=1)
        axes[1, i].imshow(maps[i].numpy(), vmin=-limit, vmax=limit, cmap="RdBu")
        for ax, k in ((axes[0, i], 1.0), (axes[1, i], scale)):
            xs = [left, left + wide, left + wide, left, left]
            ys = [top, top, top + high, top + high, top]
            ax.plot([k * v - 0.5 for v in xs], [k * v - 0.5 for v in ys], color=DATA)
            bare(ax)
    return figure
