"""Figures of lecture 10: what an edit costs, swapped pictures, which channels a word means."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.checks import named, pictures, reals, texts, whole, wholes
from course_lib.plots import CYCLE, GREY, MODEL, as_pictures, as_sheet, bare, subplots


def trades(
    curves: Mapping[str, Sequence[Sequence[float]]], xlabel: str, ylabel: str, n: int
) -> Figure:
    """name -> (share that has what was asked, share of the rest that stayed), a pair for each step.

    A line for each name, upwards as the step grows: up is what was asked for, to the right what was
    kept. Bars are standard errors of shares of n pictures.
    """
    curves = named("curves", curves, reals, "steps", 2)
    texts(xlabel=xlabel, ylabel=ylabel), whole("n", n)
    figure, axes = subplots(figsize=(5.6, 3.8))
    marks = "osD^vP*"
    for i, (name, pairs) in enumerate(curves.items()):
        got, stayed = pairs.T.numpy()
        errors = [np.sqrt(np.clip(p * (1 - p), 0, None) / n) for p in (got, stayed)]
        look = {"color": CYCLE[i % len(CYCLE)], "marker": marks[i % len(marks)], "markersize": 5}
        axes.errorbar(stayed, got, *errors, linewidth=1.2, elinewidth=0.7, label=name, **look)
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(-0.03, 1.05))
    axes.legend(fontsize=8)
    return figure


def swap_grid(
    structures: Shaped[Tensor, "r c h w"],
    textures: Shaped[Tensor, "k c h w"],
    grid: Shaped[Tensor, "r k c h w"],
    left: str = "structure",
    above: str = "texture",
) -> Figure:
    """Textures along the top, structures down the left, and inside what comes of each pair.

    left, above: what each side gives. Raises ValueError for another number of pictures.
    """
    texts(left=left, above=above)
    pictures("structures", structures), pictures("textures", textures), pictures("grid", grid, 5)
    r, k = len(structures), len(textures)
    if grid.shape[:2] != (r, k):
        raise ValueError(f"grid must be ({r}, {k}, c, h, w); got {tuple(grid.shape)}")
    scale = lambda x: torch.as_tensor(as_pictures(x)).permute(0, 3, 1, 2) * 2 - 1  # noqa: E731
    corner = torch.ones(1, *structures.shape[1:])
    top = torch.cat([corner, scale(textures)])
    rows = [torch.cat([scale(structures[i : i + 1]), scale(grid[i])]) for i in range(r)]
    sheet = as_sheet(torch.cat([top, *rows]), k + 1, gap=3)
    side = 0.62
    figure, axes = subplots(figsize=(side * (k + 1) + 0.6, side * (r + 1) + 0.4))
    axes.imshow(sheet, vmin=0, vmax=1, interpolation="nearest")
    bare(axes)
    axes.set_xlabel(f"{above} of the top row", fontsize=9)
    axes.xaxis.set_label_position("top")
    axes.set_ylabel(f"{left} of the first column", fontsize=9)
    return figure


def relevances(relevance: Float[Tensor, " C"], layers: Mapping[str, int], chosen: int) -> Figure:
    """A bar for each style channel, layer by layer; the `chosen` largest in colour.

    layers: name -> how many of the channels are its. Raises ValueError where they do not add up.
    """
    values = reals("relevance", relevance)
    counts = wholes("layers", list(named("layers", layers).values()))
    whole("chosen", chosen, 0, most=len(values))
    if sum(counts) != len(values):
        raise ValueError(f"layers must add up to {len(values)} channels; got {sum(counts)}")
    figure, axes = subplots(figsize=(8.0, 2.2))
    top = np.zeros(len(values), bool)
    top[values.abs().argsort(descending=True)[:chosen].numpy()] = True
    place = np.arange(len(values))
    axes.bar(place[~top], values.numpy()[~top], width=1.0, color="0.75")
    axes.bar(place[top], values.numpy()[top], width=2.0, color=MODEL, label=f"the {chosen} largest")
    begin = 0
    for name, count in zip(layers, counts, strict=True):
        axes.axvline(begin - 0.5, color=GREY, linewidth=0.6)
        axes.annotate(name, (begin + count / 2, 1.0), xycoords=("data", "axes fraction"),
                      ha="center", va="bottom", fontsize=8)  # fmt: skip
        begin += count
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(xlabel="style channel, layer by layer", ylabel="relevance", xlim=(-1, len(values)))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
