"""Figures of lecture 08: copies, shares, detectors, marks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from torch import Tensor

from course_lib import checks
from course_lib.checks import instance, named, number, pictures, reals, several, texts
from course_lib.plots import CYCLE, DATA, GREY, GUESS, MODEL, OTHER, as_pictures, bare, subplots

Share = tuple[float, tuple[float, float]]  # and its interval


def copies(
    made: Float[Tensor, "n c h w"],
    originals: Float[Tensor, "n c h w"],
    ratios: Float[Tensor, " n"],
    threshold: float,
) -> Figure:
    """Generated pictures above the nearest training image, with their ratio; copies are framed."""
    n = len(pictures("made", made))
    pictures("originals", originals, count=n), number("threshold", threshold)
    ratios = reals("ratios", ratios, n)
    figure, all_axes = subplots(2, n, figsize=(0.85 * n + 0.4, 2.1), squeeze=False)
    for i, ratio in enumerate(ratios.tolist()):
        for axes, picture in zip(all_axes[:, i], (made[i], originals[i]), strict=True):
            axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
            bare(axes)
        all_axes[0, i].set_title(f"{ratio:.2f}", fontsize=10, pad=2)
        if ratio < threshold:
            all_axes[0, i].spines[:].set(visible=True, color=MODEL, linewidth=2.5)
    all_axes[0, 0].set_ylabel("generated", fontsize=10)
    all_axes[1, 0].set_ylabel("nearest in\ntraining", fontsize=10)
    return figure


def _share(name: str, value: Any) -> Share:
    try:
        share, (low, high) = value
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be (share, (low, high)); got {value!r:.60}") from None
    return number(name, share), (number(name, low), number(name, high))


def _draw_shares(axes: Axes, shares: Mapping[float, Share], color: str, label: str | None) -> None:
    x = list(shares)
    middle = [share for share, _ in shares.values()]
    ends = [[share - low, high - share] for share, (low, high) in shares.values()]
    axes.errorbar(x, middle, np.array(ends).T, fmt="o-", color=color, capsize=3, label=label)


def copying(
    by_size: Mapping[str, Mapping[float, Sequence[float]]],
    strangers: Mapping[float, float],
    by_times: Mapping[float, Sequence[float]],
    share_of_rows: Mapping[float, float],
) -> Figure:
    """When a model copies: each dot is one training run, each line joins the means of runs.

    by_size: what was held equal -> faces in training -> the share of copies in each run; dotted the
    share of real strangers that would be called so. by_times: how often a face stands among the
    others -> the share of generated pictures that copy it; share_of_rows dotted beside it.
    """
    by_size, by_times = named("by_size", by_size, named, reals), named("by_times", by_times, reals)
    named("strangers", strangers, number), named("share_of_rows", share_of_rows, number)
    figure, (left, right) = subplots(1, 2, figsize=(9, 3.2))
    for (name, runs), color in zip(by_size.items(), (MODEL, DATA, OTHER), strict=False):
        _draw_runs(left, runs, color, f"copies, {name}")
    left.plot(list(strangers), list(strangers.values()), ":", color=GREY, label="real strangers")
    left.set(ylim=(-0.03, 1.03), xlabel="faces in training", title="share that counts as a copy")
    _draw_runs(right, by_times, MODEL, "copies of it")
    rows = list(share_of_rows), list(share_of_rows.values())
    right.plot(*rows, ":", color=GREY, label="its share of the set")
    right.set(xlabel="how often one face stands in training", title="share that copies this face")
    for axes, places in ((left, strangers), (right, by_times)):
        _few_ticks(axes, list(places))
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.legend(fontsize=9)
    return figure


def _draw_runs(axes: Axes, runs: Mapping[float, Sequence[float]], color: str, label: str) -> None:
    means = [sum(values) / len(values) for values in runs.values()]
    axes.plot(list(runs), means, "-", color=color, label=label)
    for x, values in runs.items():
        axes.plot([x] * len(values), values, "o", color=color, markersize=4)


def _few_ticks(axes: Axes, places: Sequence[float]) -> None:
    """A logarithmic axis that names these numbers and no others."""
    axes.set_xscale("log")
    axes.set_xticks(places, [f"{x:,.0f}" for x in places])
    axes.xaxis.set_minor_locator(NullLocator())


def along(
    series: Mapping[str, Mapping[float, Share]],
    guessing: Mapping[str, float],
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Shares with intervals over a number, a line for each name; dotted what guessing gives."""
    series = named("series", series, named, _share)
    named("guessing", guessing, number), texts(xlabel=xlabel, ylabel=ylabel)
    figure, axes = subplots(figsize=(7.4, 3.2))
    for (name, shares), color in zip(series.items(), (MODEL, DATA, GUESS, OTHER), strict=False):
        _draw_shares(axes, shares, color, name)
        axes.axhline(guessing[name], color=color, linewidth=1, linestyle=":")
    _few_ticks(axes, sorted({x for shares in series.values() for x in shares}))
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(-0.03, 1.03))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="dotted: guessing")
    return figure


def two_kinds(
    panels: Mapping[str, tuple[Tensor, Tensor]], names: tuple[str, str], xlabel: str
) -> Figure:
    """A panel for each name: the numbers of two kinds of pictures as two histograms."""
    panels = named("panels", panels, several, reals)
    several("names", names, instance, str), texts(xlabel=xlabel)
    figure, all_axes = subplots(1, len(panels), figsize=(4.2 * len(panels), 2.7), squeeze=False)
    for axes, (title, pair) in zip(all_axes[0], panels.items(), strict=True):
        bins = np.linspace(*np.quantile(torch.cat(pair), (0.0, 0.995)), 30)
        for values, name, color in zip(pair, names, (MODEL, DATA), strict=True):
            each = np.full(len(values), 1 / len(values))
            label = f"{len(values):,} {name}"
            axes.hist(values.numpy(), bins, weights=each, alpha=0.6, color=color, label=label)
        axes.set(title=title, xlabel=xlabel)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.legend(fontsize=9)
    all_axes[0, 0].set_ylabel("share of each kind")
    return figure


def _change(name: str, value: Any) -> tuple[float, float, tuple[float, float]]:
    try:
        before, *share = value
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be (in, out, interval); got {value!r:.60}") from None
    return number(name, before), *_share(name, share)


def in_and_out(series: Mapping[str, Sequence[tuple[float, float, tuple[float, float]]]]) -> Figure:
    """By how many points a share changed, (in, out, interval of out), by kind of model."""
    series = named("series", series, several, _change)
    went_in = sorted({before for points in series.values() for before, _, _ in points})
    figure, axes = subplots(figsize=(6.4, 3.4))
    axes.axhline(0, color=GREY, linewidth=1, linestyle=":")
    for i, (name, points) in enumerate(series.items()):
        for j, (before, after, ends) in enumerate(points):
            nth = sum(earlier == before for earlier, _, _ in points[:j])
            x = went_in.index(before) + 0.24 * (i - (len(series) - 1) / 2) + 0.05 * (nth - 1)
            axes.plot([x, x], [100 * (end - before) for end in ends], color=CYCLE[i + 1])
            label = None if j else name
            axes.plot(x, 100 * (after - before), "osD"[i % 3], color=CYCLE[i + 1], label=label)
    axes.set_xticks(range(len(went_in)), [f"{share:.0%}" for share in went_in])
    axes.set(xlabel="share with glasses in training", ylabel="change in the generated, points")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def roc(curves_by_name: Mapping[str, Any], rate: float = 0.01) -> Figure:
    """Which share of the fakes is found at which share of real pictures accused (from 0.1 %)."""
    named("curves_by_name", curves_by_name), number("rate", rate, 0, 1)
    figure, axes = subplots(figsize=(6, 3.6))
    styles = zip(CYCLE[1:], ("-", "--", "-.", (0, (1, 1))), strict=False)
    for (name, curve), (color, dash) in zip(curves_by_name.items(), styles, strict=False):
        accused, found = curve.false_positive_rate, curve.true_positive_rate
        axes.step(
            accused.clamp(min=1e-3), found, where="post", color=color, linestyle=dash, label=name
        )
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
    table: Mapping[str, Mapping[str, Sequence[float]]],
    rows_are: str,
    columns_are: str,
    guessing: float = 0.0,
) -> Figure:
    """The mean of some runs for each pair of names, table[row][column], and their range below.

    The colour says how far from guessing: white there, blue above, red below.
    """
    table = named("table", table, named, reals)
    texts(rows_are=rows_are, columns_are=columns_are), number("guessing", guessing, 0, 1)
    columns = list(next(iter(table.values())))
    runs = np.array([[of[name] for name in columns] for of in table.values()])
    means, reach = runs.mean(-1), max(guessing, 1 - guessing)
    figure, axes = subplots(figsize=(1.9 + 1.15 * len(columns), 1.1 + 0.6 * len(table)))
    limits = {"vmin": guessing - 1.3 * reach, "vmax": guessing + 1.3 * reach}
    axes.imshow(means, cmap="RdBu", aspect="auto", **limits)
    for (y, x), value in np.ndenumerate(means):
        color = "white" if abs(value - guessing) > 0.75 * reach else "black"
        text = f"{value:.2f}\n{runs[y, x].min():.2f} … {runs[y, x].max():.2f}"
        axes.text(x, y, text, ha="center", va="center", fontsize=10, color=color)
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
    series = named("series", series, named, _share)
    texts(label=label), reference is None or number("reference", reference)
    attacks = list(next(iter(series.values())))
    figure, axes = subplots(figsize=(7.4, 0.32 * len(attacks) + 1.1))
    for i, (name, shares) in enumerate(series.items()):
        beside = 0.18 * (i - (len(series) - 1) / 2)
        for y, attack in enumerate(attacks):
            share, (low, high) = shares[attack]
            color = (MODEL, DATA, GUESS, OTHER)[i % 4]
            axes.plot([low, high], [y + beside] * 2, color=color, linewidth=1.5)
            axes.plot(
                share,
                y + beside,
                "osD^"[i % 4],
                color=color,
                markersize=4,
                label=None if y else name,
            )
    if reference is not None:
        axes.axvline(reference, color=GREY, linewidth=1, linestyle=":", label=f"{reference:.0%}")
    axes.set_yticks(range(len(attacks)), attacks)
    axes.set(ylim=(len(attacks) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel=label)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def p_values(named: Mapping[str, Float[Tensor, " n"]]) -> Figure:
    """Which share of the pictures has a p-value of at most p; of unmarked ones that is p."""
    named = checks.named("named", named, reals)
    figure, axes = subplots(figsize=(5.6, 3.4))
    axes.plot([1e-4, 1], [1e-4, 1], ":", color=GREY, linewidth=1, label="as stated")
    for (name, p), color in zip(named.items(), (DATA, MODEL, GUESS, OTHER), strict=False):
        p = torch.cat([p.sort().values, torch.ones(1).double()])
        share = np.arange(1, len(p)) / (len(p) - 1)
        axes.step(p.clamp(min=1e-12), [*share, 1.0], where="post", color=color, label=name)
    axes.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1.2))
    axes.set(xlabel="p", ylabel="share of pictures with that p or less")
    axes.legend(fontsize=8)
    return figure
