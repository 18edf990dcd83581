"""Figures of lecture 08: copies, shares, detectors, marks."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from course_lib.plots import CYCLE, DATA, GREY, GUESS, MODEL, OTHER, as_pictures, bare, subplots

Share = tuple[float, tuple[float, float]]  # and its interval


def _draw_copies(
    rows_of_axes: Sequence[Sequence[Axes]],
    made: Float[Tensor, "n c h w"],
    originals: Float[Tensor, "n c h w"],
    ratios: Float[Tensor, " n"],
    threshold: float,
) -> None:
    """Each drawn picture above its nearest training image; copies are framed."""
    for i, ratio in enumerate(ratios.tolist()):
        for axes, picture in zip(
            (row[i] for row in rows_of_axes), (made[i], originals[i]), strict=True
        ):
            axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
            bare(axes)
        rows_of_axes[0][i].set_title(f"{ratio:.2f}", fontsize=8, pad=2)
        if ratio < threshold:
            rows_of_axes[0][i].spines[:].set(visible=True, color=MODEL, linewidth=2.5)
    rows_of_axes[0][0].set_ylabel("drawn", fontsize=8)
    rows_of_axes[1][0].set_ylabel("nearest\nin training", fontsize=8)


def copies(
    made: Float[Tensor, "n c h w"],
    originals: Float[Tensor, "n c h w"],
    ratios: Float[Tensor, " n"],
    threshold: float,
) -> Figure:
    """Drawn pictures above the nearest training image, their ratio written; copies are framed."""
    n = len(made)
    figure, all_axes = subplots(2, n, figsize=(0.85 * n + 0.4, 2.1), squeeze=False)
    _draw_copies(all_axes, made, originals, ratios, threshold)
    return figure


def _draw_shares(axes: Axes, shares: Mapping[float, Share], color: str, label: str | None) -> None:
    x = list(shares)
    middle = [share for share, _ in shares.values()]
    ends = [[share - low, high - share] for share, (low, high) in shares.values()]
    axes.errorbar(x, middle, np.array(ends).T, fmt="o-", color=color, capsize=3, label=label)


def copying(
    pairs: tuple[Tensor, Tensor, Tensor, float],
    by_size: Mapping[float, Share],
    strangers: Mapping[float, float],
    by_times: Mapping[float, Share],
    share_of_rows: Mapping[float, float],
) -> Figure:
    """The picture of lecture 08: copies beside their originals, and when they come.

    pairs: as the arguments of `copies`. by_size: faces in training -> share of copies; dotted the
    share of real strangers that would be called so. by_times: how often a face stands among the
    others -> share of the drawn pictures that are copies of it; share_of_rows dotted beside it.
    """
    n = len(pairs[0])
    figure = plt.figure(figsize=(9, 5))
    plt.close(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.35))
    _draw_copies(top.subplots(2, n), *pairs)
    left, right = bottom.subplots(1, 2)
    _draw_shares(left, by_size, MODEL, "drawn")
    left.plot(list(strangers), list(strangers.values()), ":", color=GREY, label="real strangers")
    left.legend()
    left.set(xscale="log", ylim=(-0.03, 1.03), xlabel="faces in training")
    left.set_title("share that passes for a copy")
    left.set_xticks(list(by_size), [f"{x:,.0f}" for x in by_size])
    _draw_shares(right, by_times, MODEL, "copies of it")
    right.plot(
        list(share_of_rows), list(share_of_rows.values()), ":", color=DATA, label="its share"
    )
    right.set(xscale="log", xlabel="times that one face stands in training")
    right.set_title("share of the drawn that copy this face")
    right.set_xticks(list(by_times), [f"{x:,.0f}" for x in by_times])
    right.legend()
    for axes in (left, right):
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter("{x:.0%}")
    return figure


def along(
    series: Mapping[str, Mapping[float, Share]], reference: float, xlabel: str, label: str
) -> Figure:
    """Values with intervals over a number, one line for each name; dotted what guessing gives."""
    figure, axes = subplots(figsize=(6.2, 3.2))
    for (name, shares), color in zip(series.items(), (MODEL, DATA, GUESS, OTHER), strict=False):
        _draw_shares(axes, shares, color, name)
    axes.axhline(reference, color=GREY, linewidth=1, linestyle=":", label="guessing")
    places = sorted({x for shares in series.values() for x in shares})
    axes.set(xscale="log", xlabel=xlabel, ylabel=label)
    axes.set_xticks(places, [f"{x:,.0f}" for x in places])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend()
    return figure


def two_kinds(
    panels: Mapping[str, tuple[Tensor, Tensor]], names: tuple[str, str], xlabel: str
) -> Figure:
    """A panel for each name: the numbers of two kinds of pictures as two histograms."""
    figure, all_axes = subplots(1, len(panels), figsize=(3.1 * len(panels), 2.5), squeeze=False)
    for axes, (title, pair) in zip(all_axes[0], panels.items(), strict=True):
        bins = np.linspace(*np.quantile(torch.cat(pair), (0.0, 0.995)), 30)
        for values, name, color in zip(pair, names, (MODEL, DATA), strict=True):
            axes.hist(values.numpy(), bins, density=True, alpha=0.6, color=color, label=name)
        axes.set(title=title, xlabel=xlabel, yticks=[])
    all_axes[0, 0].set_ylabel("how many")
    all_axes[0, 0].legend(fontsize=8)
    return figure


def in_and_out(series: Mapping[str, Sequence[tuple[float, float, tuple[float, float]]]]) -> Figure:
    """The share that went in and the one that came out, (in, out, interval), by kind of model."""
    figure, axes = subplots(figsize=(5.6, 4.2))
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
    axes.text(0.86, 0.82, "as it went in", color=GREY, fontsize=8)
    for i, (name, points) in enumerate(series.items()):
        beside = 0.016 * (i - (len(series) - 1) / 2)
        for j, (before, after, (low, high)) in enumerate(points):
            x = before + beside
            axes.plot([x, x], [low, high], color=CYCLE[i + 1], linewidth=1.5)
            axes.plot(x, after, "o", color=CYCLE[i + 1], markersize=5, label=None if j else name)
    lowest = min(0.4, *(low - 0.05 for points in series.values() for *_, (low, _) in points))
    axes.set(xlim=(max(lowest, 0), 1), ylim=(max(lowest, 0), 1))
    axes.set(xlabel="share with glasses in training", ylabel="share with glasses among the drawn")
    axes.legend()
    return figure


def roc(curves_by_name: Mapping[str, Any], rate: float = 0.01) -> Figure:
    """Which share of the fakes is found at which share of real pictures accused (from 0.1 %)."""
    figure, axes = subplots(figsize=(6, 3.6))
    for (name, curve), color in zip(curves_by_name.items(), CYCLE[1:], strict=False):
        accused, found = curve.false_positive_rate, curve.true_positive_rate
        axes.step(accused.clamp(min=1e-3), found, where="post", color=color, label=name)
    guess = np.logspace(-3, 0, 50)
    axes.plot(guess, guess, ":", color=GREY, linewidth=1, label="guessing")
    axes.axvline(rate, color="black", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.02))
    axes.set(xlabel="real pictures accused", ylabel="fakes found")
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g} %")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def cross_table(
    table: Mapping[str, Mapping[str, float]], rows_are: str, columns_are: str
) -> Figure:
    """A number for each pair of names, dark where it is large: table[row][column] in 0 … 1."""
    columns = list(next(iter(table.values())))
    values = np.array([[of[name] for name in columns] for of in table.values()])
    figure, axes = subplots(figsize=(1.9 + 0.95 * len(columns), 1.1 + 0.45 * len(table)))
    axes.imshow(values, cmap="Blues", vmin=-0.1, vmax=1.15, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        color = "white" if value > 0.8 else "black"
        axes.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=9, color=color)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(table)), list(table))
    axes.set(xlabel=columns_are, ylabel=rows_are)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def after_attacks(
    series: Mapping[str, Mapping[str, Share]], label: str, reference: float | None = None
) -> Figure:
    """A share with its interval after each treatment of the pictures, for each name; dotted what
    chance gives."""
    attacks = list(next(iter(series.values())))
    figure, axes = subplots(figsize=(7, 0.3 * len(attacks) + 1.1))
    for i, (name, shares) in enumerate(series.items()):
        beside = 0.18 * (i - (len(series) - 1) / 2)
        for y, attack in enumerate(attacks):
            share, (low, high) = shares[attack]
            color = (MODEL, DATA, GUESS, OTHER)[i % 4]
            axes.plot([low, high], [y + beside] * 2, color=color, linewidth=1.5)
            axes.plot(share, y + beside, "o", color=color, markersize=4, label=None if y else name)
    if reference is not None:
        axes.axvline(reference, color=GREY, linewidth=1, linestyle=":", label=f"{reference:.0%}")
    axes.set_yticks(range(len(attacks)), attacks)
    axes.set(ylim=(len(attacks) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel=label)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def p_values(named: Mapping[str, Float[Tensor, " n"]]) -> Figure:
    """Which share of the pictures has a p-value of at most p; of unmarked ones that is p."""
    figure, axes = subplots(figsize=(5.6, 3.4))
    axes.plot([1e-4, 1], [1e-4, 1], ":", color=GREY, linewidth=1, label="as stated")
    for (name, p), color in zip(named.items(), (DATA, MODEL, GUESS, OTHER), strict=False):
        p = torch.cat([p.double().sort().values, torch.ones(1, dtype=torch.float64)])
        share = np.arange(1, len(p)) / (len(p) - 1)
        axes.step(p.clamp(min=1e-12), [*share, 1.0], where="post", color=color, label=name)
    axes.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1.2))
    axes.set(xlabel="p", ylabel="share of pictures with that p or less")
    axes.legend(fontsize=8)
    return figure
