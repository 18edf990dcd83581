"""Figures of lecture 09: mixed people, truncation, droplets, leaks, what sticks to the grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.checks import MANY, instance, named, number, pictures, reals, several, whole, wholes
from course_lib.plots import (
    CYCLE,
    DATA,
    GREY,
    MODEL,
    as_pictures,
    as_sheet,
    bare,
    subplots,
)


def _mixed(name: str, pair: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise TypeError(f"{name} must be (donor, mixed); got {type(pair).__name__}")
    return pictures(name, pair[0], 3), pictures(name, pair[1])


def mixing(
    people: Shaped[Tensor, "n c h w"],
    rows: Mapping[str, tuple[Shaped[Tensor, "c h w"], Shaped[Tensor, "n c h w"]]],
    width: float = 8.0,
) -> Figure:
    """People A along the top; below, a row for each (donor B, mixed): the donor at its left."""
    pictures("people", people), named("rows", rows, _mixed), number("width", width, above=1.3)
    h, w = people.shape[2:]
    sheets = [as_sheet(people, len(people)), *(as_sheet(m, len(m)) for _, m in rows.values())]
    ratios = [w, sheets[0].shape[1]]
    side = (width - 1.3) / sum(ratios)
    figure, axes = subplots(
        len(sheets), 2, figsize=(width, side * h * len(sheets) + 0.2), width_ratios=ratios,
        squeeze=False,
    )  # fmt: skip
    donors = [None, *(donor for donor, _ in rows.values())]
    for i, (sheet, donor, name) in enumerate(zip(sheets, donors, ["", *rows], strict=True)):
        bare(axes[i, 0])
        bare(axes[i, 1])
        axes[i, 1].imshow(sheet, vmin=0, vmax=1)
        axes[i, 0].set_ylabel(name, rotation=0, ha="right", va="center")
        if donor is not None:
            axes[i, 0].imshow(as_pictures(donor[None])[0], vmin=0, vmax=1)
    axes[0, 0].text(1.0, 0.5, "A →", ha="right", va="center", transform=axes[0, 0].transAxes)
    axes[0, 0].text(0.5, 0.0, "B ↓", ha="center", va="bottom", transform=axes[0, 0].transAxes)
    return figure


def kept_and_taken(shares: Mapping[str, Mapping[str, tuple[float, float]]]) -> Figure:
    """layer -> attribute -> (share that shows B's value, share that still shows A's): stacked bars.

    What is left of 1 shows neither, in grey.
    """
    shares = named("shares", shares, named, reals, 2)
    attributes = list(next(iter(shares.values())))
    figure, all_axes = subplots(
        1, len(attributes), figsize=(2.1 * len(attributes) + 1.2, 0.36 * len(shares) + 1.1),
        sharey=True, squeeze=False,
    )  # fmt: skip
    names = list(shares)
    for axes, attribute in zip(all_axes[0], attributes, strict=True):
        taken = np.array([shares[name][attribute][0] for name in names])
        kept = np.array([shares[name][attribute][1] for name in names])
        axes.barh(names, taken, color=MODEL, label="B's")
        axes.barh(names, 1 - taken - kept, left=taken, color="0.8", label="neither's")
        axes.barh(names, kept, left=1 - kept, color=DATA, label="A's")
        axes.set(xlim=(0, 1), xticks=[0, 0.5, 1], title=attribute, xlabel="share of the pairs")
    all_axes[0, 0].invert_yaxis()
    handles, labels = all_axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def truncation(
    strips: Mapping[float, Shaped[Tensor, "n c h w"]],
    measures: Mapping[str, Sequence[float]],
    floor: Mapping[str, float],
) -> Figure:
    """A row of people for each ψ, and beside it each measure over ψ; dashed, `floor`'s value."""
    named("strips", strips, pictures)
    measures = named("measures", measures, reals, len(strips))
    floor = named("floor", floor, number)
    psis = list(strips)
    figure, axes = subplots(1, 1 + len(measures), figsize=(9.2, 3.0),
                            width_ratios=[3, *[1] * len(measures)], squeeze=False)  # fmt: skip
    n = len(next(iter(strips.values())))
    sheets = [as_sheet(x, n) for x in strips.values()]
    gap = np.ones((2, *sheets[0].shape[1:]))
    sheet = np.concatenate([part for x in sheets for part in (x, gap)][:-1])
    axes[0, 0].imshow(sheet, vmin=0, vmax=1)
    bare(axes[0, 0])
    step = sheets[0].shape[0] + 2
    axes[0, 0].set_yticks([i * step + step / 2 for i in range(len(psis))])
    axes[0, 0].set_yticklabels([f"ψ = {psi:g}" for psi in psis])
    axes[0, 0].tick_params(length=0)
    for ax, (name, values) in zip(axes[0, 1:], measures.items(), strict=True):
        ax.plot(psis, values, marker="o", color=MODEL)
        ax.axhline(floor[name], color=DATA, linestyle="--", label="real faces")
        ax.set(title=name, xlabel="ψ")
        ax.set_ylim(0, 1.05 if max(values) <= 1 else None)
    axes[0, 1].legend(fontsize=8)
    return figure


def droplet(before: Float[Tensor, "h w"], after: Mapping[str, Float[Tensor, "h w"]]) -> Figure:
    """A map with one large number, circled, and what each normalisation makes of it."""
    before, after = reals("before", before, "h", "w"), named("after", after, reals, "h", "w")
    maps = {"before": before, **after}
    figure, axes = subplots(1, len(maps) + 1, figsize=(2.4 * len(maps) + 3, 2.6))
    for ax, (name, x) in zip(axes, maps.items(), strict=False):
        ax.imshow(x.numpy(), vmin=-2.5, vmax=2.5)
        y, at = divmod(x.abs().argmax().item(), x.shape[1])
        ax.plot(at, y, marker="o", markersize=11, markerfacecolor="none", color=MODEL)
        bare(ax, name)
    for i, (name, x) in enumerate(maps.items()):
        axes[-1].hist(x.flatten().clamp(-4, 4), bins=60, range=(-4, 4), histtype="step",
                      color=CYCLE[i], label=name)  # fmt: skip
    axes[-1].set(
        yticks=[], xlabel="number", ylabel="how many", title=f"all {before.numel():,} numbers"
    )
    axes[-1].legend(fontsize=7)
    return figure


def leaks(p: Float[Tensor, " n"], eigenvalues: Mapping[str, Float[Tensor, " n"]]) -> Figure:
    """For each way to draw a transformation, the smallest eigenvalue of its mixing, over p."""
    figure, axes = subplots(figsize=(6.0, 3.0))
    draw_leaks(axes, p, eigenvalues)
    return figure


def draw_leaks(
    axes: Axes, p: Float[Tensor, " n"], eigenvalues: Mapping[str, Float[Tensor, " n"]]
) -> None:
    instance("axes", axes, Axes)
    p = reals("p", p)
    eigenvalues = named("eigenvalues", eigenvalues, reals, len(p))
    for i, (name, values) in enumerate(eigenvalues.items()):
        axes.plot(p, values, label=name, color=CYCLE[i], linestyle=("-", "--", ":", "-.")[i % 4])
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="p, how often it is drawn", ylabel="smallest |eigenvalue|", ylim=(-0.03, 1.03))
    axes.legend()


class Sticking:
    """A signal activated at some rate, and the same moved before or after: where they part."""

    def __init__(self, n: int):
        whole("n", n, most=MANY)
        self.figure, (self.left, self.right) = plt.subplots(1, 2, figsize=(7.2, 2.6))
        plt.close(self.figure)
        places = np.arange(n)
        (self.first,) = self.left.plot(
            places, np.zeros(n), color=DATA, label="moved, then activated"
        )
        (self.second,) = self.left.plot(places, np.zeros(n), color=MODEL, linestyle="--",
                                        label="activated, then moved")  # fmt: skip
        (self.error,) = self.right.plot(places, np.zeros(n), color=GREY)
        self.left.set(xlabel="place", ylim=(-1.2, 1.6))
        self.left.legend(loc="upper right", fontsize=7)
        self.right.set(xlabel="place", title="their difference", ylim=(-0.12, 0.12))

    def show(self, first: Float[Tensor, " n"], second: Float[Tensor, " n"]) -> None:
        n = len(self.first.get_xdata())
        first, second = reals("first", first, n), reals("second", second, n)
        self.first.set_ydata(first)
        self.second.set_ydata(second)
        self.error.set_ydata(first - second)


def _case(name: str, case: Any) -> tuple[Tensor, Tensor, float]:
    if not isinstance(case, Sequence) or len(case) != 3:
        raise TypeError(f"{name} must be (first, second, dB); got {type(case).__name__}")
    first = reals(name, case[0])
    return first, reals(name, case[1], len(first)), reals(name, case[2:]).item()  # ∞ dB: the same


def sticking(cases: Mapping[str, tuple[Float[Tensor, " n"], Float[Tensor, " n"], float]]) -> Figure:
    """The |differences| of `Sticking` for several cases below each other, with their dB."""
    cases = named("cases", cases, _case)
    figure, all_axes = subplots(len(cases), 1, figsize=(6.4, 0.95 * len(cases) + 0.5), sharex=True,
                                squeeze=False)  # fmt: skip
    errors = {name: (first - second).abs() for name, (first, second, _) in cases.items()}
    top = max(1e-10, *(error.max().item() for error in errors.values()))
    for axes, (name, (_, _, db)) in zip(all_axes[:, 0], cases.items(), strict=True):
        axes.semilogy(errors[name].clamp(min=1e-10 * top), color=MODEL, linewidth=1)
        axes.set(ylim=(1e-10 * top, 10 * top), yticks=[1e-9, 1e-5, 1e-1])
        axes.minorticks_off()
        axes.yaxis.tick_right()
        axes.set_ylabel(f"{name}\n{db:.0f} dB", rotation=0, ha="right", va="center")
    all_axes[0, 0].set_title("|difference|: moved before, or after the activation")
    all_axes[-1, 0].set_xlabel("place")
    return figure


def attention_on(
    picture: Shaped[Tensor, "c h w"], weights: Float[Tensor, "n h w"], at: Sequence[tuple[int, int]]
) -> Figure:
    """A picture with marked places, and where each of them looks: one scale for all."""
    pictures("picture", picture, 3), several("at", at, wholes, 0)
    weights = reals("weights", weights, len(at), "h", "w")
    figure, axes = subplots(1, len(at) + 1, figsize=(2.1 * (len(at) + 1), 2.4))
    axes[0].imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
    bare(axes[0], "picture")
    h, w = picture.shape[1:]
    shown = {"cmap": "cividis", "vmin": 0, "vmax": weights.max().item()}
    shown["extent"] = (-0.5, w - 0.5, h - 0.5, -0.5)
    for i, (ax, (y, x)) in enumerate(zip(axes[1:], at, strict=True)):
        axes[0].plot(x, y, marker="s", color=CYCLE[i + 1], markersize=6)
        image = ax.imshow(weights[i].numpy(), **shown)
        ax.plot(x, y, marker="s", color=CYCLE[i + 1], markersize=6)
        bare(ax, f"from row {y}, column {x}")
    figure.colorbar(image, ax=axes[-1], label="attention weight", fraction=0.05)
    return figure


def dirac_rates(d_lr: Sequence[float], rates: Mapping[str, Sequence[float]], g_lr: float) -> Figure:
    """What the Dirac game keeps of its distance in a round, over D's rate; dotted, G's rate."""
    d_lr = reals("d_lr", d_lr)
    rates = named("rates", rates, reals, len(d_lr))
    figure, axes = subplots(figsize=(6.0, 3.0))
    for i, (name, values) in enumerate(rates.items()):
        axes.plot(d_lr, values, color=CYCLE[i], linestyle=("-", "--", ":")[i % 3], label=name)
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.axvline(number("g_lr", g_lr), color=GREY, linewidth=0.8, linestyle=":", label="G's rate")
    axes.set(xscale="log", xlabel="learning rate of D", ylabel="distance kept in each round")
    axes.legend()
    return figure
