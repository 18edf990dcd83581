"""Figures of lecture 12: words heard while painting, codes on a picture, their use, the table."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.checks import (
    instance,
    integers,
    named,
    number,
    pictures,
    present,
    reals,
    several,
    texts,
    whole,
)
from course_lib.plots import CYCLE, GREY, as_pictures, as_sheet, bare, subplots
from course_lib.words import FACTS, Score

HIDDEN = 0.0  # grey: what a place looks like whose token is not known yet


def tokens_on(picture: Shaped[Tensor, "c h w"], tokens: Int[Tensor, "a b"]) -> Figure:
    """A picture, and beside it the numbers of its codes where they lie."""
    pictures("picture", picture, 3)
    rows, columns = present("tokens", integers("tokens", tokens, 2)).shape
    image = as_pictures(picture[None])[0]
    figure, (left, right) = subplots(1, 2, figsize=(7.2, 3.6))
    for axes, faint in ((left, 1.0), (right, 0.25)):
        axes.imshow(image, vmin=0, vmax=1, alpha=faint, extent=(0, columns, rows, 0))
        bare(axes)
    left.set_title("the picture")
    right.set_title(f"{rows * columns} tokens")
    for y, row in enumerate(tokens.tolist()):
        for x, token in enumerate(row):
            right.text(x + 0.5, y + 0.5, str(token), ha="center", va="center", fontsize=8)
    return figure


def usage(counts: Mapping[str, Float[Tensor, " K"]]) -> Figure:
    """How often each code is used, the commonest first: a line for each codebook."""
    counts = named("counts", counts, reals)
    figure, axes = subplots(figsize=(6.4, 3.1))
    for i, (name, n) in enumerate(counts.items()):
        shares = 100 * n.sort(descending=True).values / n.sum().clamp(min=1)
        shares = shares[shares > 0]
        line = ("-", "--", ":", "-.")[i % 4]
        axes.plot(range(1, len(shares) + 1), shares, color=CYCLE[i], linestyle=line, label=name)
    axes.set(xlabel="code, the commonest first", ylabel="share of places, %", yscale="log")
    axes.legend()
    return figure


def covered(
    x: Shaped[Tensor, "n c h w"], tokens: Int[Tensor, "n N"], side: int
) -> Float[Tensor, "n c h w"]:
    """Pictures with grey where a token is −1: not known yet. N = side², the places row by row.

    Raises ValueError for other numbers of places, and pictures whose sides they do not divide.
    """
    pictures("x", x), whole("side", side)
    n, _, h, w = x.shape
    if present("tokens", integers("tokens", tokens, 2)).shape != (n, side**2):
        raise ValueError(f"tokens must be ({n}, {side**2}); got {tuple(tokens.shape)}")
    if h % side or w % side:
        raise ValueError(f"side must divide the pictures' sides, {h} and {w}; got {side}")
    hidden = (tokens < 0).view(n, 1, side, side)
    hidden = hidden.repeat_interleave(h // side, 2).repeat_interleave(w // side, 3)
    return torch.where(hidden, torch.full_like(x, HIDDEN), x)


def word_maps(
    picture: Shaped[Tensor, "c h w"],
    maps: Float[Tensor, "m a b"],
    words: Sequence[str],
    even: float,
    columns: int = 6,
) -> Figure:
    """A picture, and for each word the attention it gets: yellow at twice the `even` share."""
    pictures("picture", picture, 3), number("even", even, above=0)
    whole("columns", columns, most=20)
    words = several("words", words, instance, str)
    maps = reals("maps", maps, len(words), "a", "b")
    rows = -(-(len(words) + 1) // columns)
    figure, all_axes = subplots(
        rows, columns, figsize=(1.35 * columns, 1.6 * rows + 0.1), squeeze=False
    )
    for axes in all_axes.flat:
        bare(axes)
    all_axes.flat[0].imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
    for axes, word, heard in zip(all_axes.flat[1:], words, maps, strict=False):
        shown = axes.imshow(heard.numpy(), vmin=0, vmax=2 * even, cmap="cividis")
        axes.set_title(f"{word}\n{heard.mean():.3f}", fontsize=8)
    bar = figure.colorbar(shown, ax=all_axes, ticks=[0, even, 2 * even], shrink=0.6)
    bar.ax.set_yticklabels(["0", "even share", "twice"])
    return figure


def painted(
    canvases: Shaped[Tensor, "T c h w"], heard: Float[Tensor, "T L"], words: Sequence[str]
) -> Figure:
    """The canvas after each step, and below it how much each word is heard in that step.

    heard: shares of attention; all words get one scale from 0 to 1, each share stands in per cent.
    """
    pictures("canvases", canvases)
    words, T = several("words", words, instance, str), len(canvases)
    shares = reals("heard", heard, T, len(words)).numpy().T
    high = 0.27 * len(words)
    figure, (above, axes) = subplots(
        2, 1, figsize=(1.1 * T + 1.2, 1.1 + high), height_ratios=(1.1, high)
    )
    above.imshow(as_sheet(canvases, T), vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    bare(above)
    axes.imshow(shares, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for (y, x), share in np.ndenumerate(shares):
        ink = "black" if share > 0.55 else "white"
        axes.text(x, y, f"{100 * share:.0f}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_yticks(range(len(words)), words)
    axes.set_ylabel("attention, %")
    axes.set_xticks(range(T), [f"step {t + 1}" for t in range(T)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def scoreboard(scores: Mapping[str, Score]) -> Figure:
    """A table of methods and facts: the share of what was asked that the judge finds."""
    scores = named("scores", scores, instance, Score)
    table = np.array([[*(s.shares[fact] for fact in FACTS), s.mean] for s in scores.values()])
    figure, axes = subplots(figsize=(7.4, 0.34 * len(scores) + 0.7))
    axes.imshow(table, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for y, row in enumerate(table):
        for x, value in enumerate(row):
            ink = "black" if value > 0.55 else "white"
            axes.text(x, y, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)
    axes.set_xticks(range(len(FACTS) + 1), [*FACTS, "mean"])
    axes.set_yticks(range(len(scores)), list(scores))
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def pairs_of_shares(
    pairs: Mapping[str, tuple[float, float]], names: Sequence[str], label: str
) -> Figure:
    """For each method two shares, as a line from one dot to the other; names: of the two."""
    pairs = named("pairs", pairs, reals, 2)
    texts(label=label)
    if len(several("names", names, instance, str)) != 2:
        raise ValueError(f"names must be two; got {len(names)}")
    figure, axes = subplots(figsize=(6.4, 0.4 * len(pairs) + 1.2))
    for y, pair in enumerate(pairs.values()):
        axes.plot(pair, [y, y], color=GREY, linewidth=1, zorder=1)
        looks = zip(pair, CYCLE, "os", names, (70, 25), strict=False)  # the second lies above
        for value, color, marker, name, size in looks:
            shown = axes.scatter(value, y, s=size, color=color, marker=marker, zorder=2)
            shown.set_label(None if y else name)
    axes.set_yticks(range(len(pairs)), list(pairs))
    axes.set(xlim=(0, 1.02), ylim=(len(pairs) - 0.5, -0.5), xlabel=label)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
