"""Figures of lecture 06: patches, colours, translations."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Bool, Float, Shaped
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_lib import checks
from course_lib.checks import (
    finite,
    named,
    number,
    pictures,
    present,
    reals,
    shaped,
    texts,
    truths,
    whole,
)
from course_lib.plots import CYCLE, GREY, GUESS, MODEL, as_pictures, bare, subplots


def patches_seen(picture: Shaped[Tensor, "c h w"], fields: Mapping[str, int]) -> Figure:
    """A picture, and around its middle the square that a verdict sees, for each name."""
    pictures("picture", picture, 3), named("fields", fields, whole)
    h, w = picture.shape[1:]
    figure, axes = subplots(figsize=(4.2, 4.4))
    axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
    for (name, field), color in zip(fields.items(), CYCLE[1:], strict=False):
        left, top = (w - field) / 2 - 0.5, (h - field) / 2 - 0.5
        axes.add_patch(Rectangle((left, top), field, field, fill=False, color=color, linewidth=2))
        place = {"xytext": (3, -2), "textcoords": "offset points", "va": "top", "fontsize": 8}
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        inside = (max(left, -0.5), max(top, -0.5))
        axes.annotate(name, inside, color=color, bbox=box, **place)
    axes.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5))
    bare(axes)
    return figure


def _colour(name: str, colour: Any) -> Tensor:
    colour = reals(name, colour, 3)
    if not (colour.min() >= 0 and colour.max() <= 1):
        raise ValueError(f"{name} must be in [0, 1], as colours are; got {colour.tolist()}")
    return colour


def colours_and_their_middle(
    shares: Mapping[tuple[float, float, float], float],
    median: Float[Tensor, " 3"],
    mean: Float[Tensor, " 3"],
) -> Figure:
    """The colours that occur, in [0, 1], each as wide as its share; below, the best single ones."""
    median, mean = _colour("median", median), _colour("mean", mean)
    for colour in named("shares", shares, number, 0):
        _colour("shares", colour)
    figure, (top, *below) = subplots(3, 1, figsize=(7, 2))
    start = 0.0
    for colour, share in shares.items():
        top.barh(0, share, left=start, color=colour, height=1)
        start += share
    names = ["what there is", "median, for L1", "mean, for squares"]
    for axes, colour in zip(below, (median, mean), strict=True):
        axes.barh(0, 1, color=tuple(colour.tolist()), height=1)
    for axes, name in zip((top, *below), names, strict=True):
        axes.set(xlim=(0, 1), ylim=(-0.5, 0.5))
        bare(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def changed_and_kept(
    named: Mapping[str, tuple[float, float]], share_wanted: float, error_allowed: float, change: str
) -> Figure:
    """Each translation as a point: what it did to the rest of the picture, and how often it worked.

    named: name -> (mean absolute error outside, share). The corner that is wanted is shaded.
    """
    named = {k: pair.tolist() for k, pair in checks.named("named", named, reals, 2).items()}
    number("share_wanted", share_wanted, 0, 1), number("error_allowed", error_allowed, 0)
    texts(change=change)
    figure, axes = subplots(figsize=(6.4, 3.4))
    widest = max(error_allowed, *(error for error, _ in named.values()))
    axes.add_patch(
        Rectangle((-1, share_wanted), 1 + error_allowed, 2, color=GUESS, alpha=0.15, linewidth=0)
    )
    wanted = f"wanted: at least {share_wanted:.0%}, error at most {error_allowed:g}"
    axes.annotate(wanted, (error_allowed, share_wanted - 0.13), color=GUESS, va="top", fontsize=9)
    for i, (name, (error, share)) in enumerate(named.items()):
        color = GREY if name in ("doing nothing", "the truth") else MODEL
        axes.plot(error, share, "o", color=color, clip_on=False)
        right = error > 0.6 * widest
        axes.annotate(
            name, (error, share), xytext=(-7 if right else 7, (-3, 7, -3, 7, -15)[i % 5]),
            textcoords="offset points", ha="right" if right else "left", fontsize=9, color=color,
        )  # fmt: skip
    axes.set(xlim=(-0.03 * widest, 1.15 * widest), ylim=(-0.06, 1.13))
    axes.set(xlabel="mean absolute error of the rest, in [0, 1]", ylabel=change)
    return figure


def traces(
    named: Mapping[str, Shaped[Tensor, "n c h w"]],
    difference: Float[Tensor, "n c h w"],
    region: Bool[Tensor, "h w"],
) -> Figure:
    """Rows of pictures, and after the second a row of differences, their mean over the channels.

    The region is outlined in each difference; one colour scale for all.
    """
    shaped("difference", difference, "n", "c", "h", "w")
    finite("difference", present("difference", difference))
    n, _, *sides = difference.shape
    rows = list(checks.named("named", named, pictures, count=n).items())
    if list(present("region", truths("region", region)).shape) != sides:
        raise ValueError(f"region must be {sides[0]} × {sides[1]}; got {tuple(region.shape)}")
    if len(rows) < 2:
        raise ValueError(f"named must hold two rows of pictures or more; got {len(rows)}")
    figure, all_axes = subplots(
        len(rows) + 1, n, figsize=(0.95 * n + 1.6, len(rows) + 1.2), squeeze=False
    )
    lines = [*all_axes[:2], *all_axes[3:]]
    for line, (name, row) in zip(lines, rows, strict=True):
        for axes, picture in zip(line, as_pictures(row), strict=True):
            axes.imshow(picture, vmin=0, vmax=1)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for axes, change in zip(all_axes[2], difference.mean(1) / 2, strict=True):
        shown = axes.imshow(change.numpy(), cmap="RdBu", vmin=-0.5, vmax=0.5)
        axes.contour(region.float().numpy(), levels=[0.5], colors="black", linewidths=0.8)
    all_axes[2, 0].set_ylabel("change", rotation=0, ha="right", va="center")
    for axes in all_axes.flat:
        bare(axes)
    figure.colorbar(shown, ax=all_axes[2], label="change (black to white: 1)", fraction=0.02)
    return figure
