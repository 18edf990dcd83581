"""Figures of lecture 07: schedules, chains, samplers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import checks
from course_lib.checks import floats, instance, named, number, reals, several, texts, whole
from course_lib.plots import (
    CYCLE,
    DATA,
    GREY,
    MODEL,
    as_pictures,
    as_sheet,
    bare,
    plain_ticks,
    subplots,
)


def _chain(name: str, chain: Any) -> Any:
    if not hasattr(chain, "alpha_bar"):
        raise TypeError(f"{name} must be a Diffusion; got {type(chain).__name__}")
    return chain


def schedules(chains: Mapping[str, Any]) -> Figure:
    """β, what is left of the picture's size, and signal to noise over t, for each chain."""
    named("chains", chains, _chain)
    figure, (left, middle, right) = subplots(1, 3, figsize=(9, 2.8))
    for (name, chain), color in zip(chains.items(), CYCLE, strict=False):
        t = np.linspace(0, 1, chain.T)
        left.plot(t, chain.beta, color=color, label=name)
        middle.plot(t, chain.alpha_bar.sqrt(), color=color)
        middle.plot(t, (1 - chain.alpha_bar).sqrt(), color=color, linewidth=1, linestyle=":")
        right.plot(t, chain.snr, color=color)
    left.set(title="β, what a step replaces", yscale="log", xlabel="t / T")
    middle.set(title="size of picture (line), noise (dots)", xlabel="t / T")
    right.set(title="signal to noise", yscale="log", xlabel="t / T")
    right.axhline(1, color="black", linewidth=0.8, linestyle=":")
    left.legend()
    return figure


def spread_over_steps(named: Mapping[str, Sequence[float]]) -> Figure:
    """The variance of pixels after each step, on a logarithmic axis."""
    named = checks.named("named", named, reals)
    figure, axes = subplots(figsize=(6, 2.8))
    for (name, values), color in zip(named.items(), (GREY, DATA, MODEL), strict=False):
        axes.plot(range(len(values)), values, color=color, label=name)
    axes.set(xlabel="steps", ylabel="variance", yscale="log")
    axes.legend()
    return figure


def clock(codes: Float[Tensor, "T dim"]) -> Figure:
    """The numbers that tell a network the time: a row of the picture for each of them."""
    codes = reals("codes", codes, "T", "dim")
    figure, axes = subplots(figsize=(7, 2.4))
    colours = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "interpolation": "nearest"}
    shown = axes.imshow(codes.T.numpy(), aspect="auto", **colours)
    figure.colorbar(shown, ax=axes)
    half = codes.shape[1] / 2
    axes.axhline(half - 0.5, color="black", linewidth=1)
    axes.set_yticks([half / 2, 1.5 * half], ["cosines", "sines"], rotation=90, va="center")
    axes.set(xlabel="t")
    return figure


class ReverseProcess:
    """The picture of lecture 07: a way from noise to a picture, in the plane and in pictures.

    Left the data in two principal components, x_t (grey) and its guess x̂₀ (orange). Right, at one
    moment, x_t, x̂₀ and the pictures that x̂₀ averages most. `show(i)` goes to a moment.
    """

    def __init__(
        self,
        data: Float[Tensor, "n 2"],
        xt: Float[Tensor, "k 2"],
        x0: Float[Tensor, "k 2"],
        pictures: Sequence[Float[Tensor, "m c h w"]],
        times: Sequence[int],
    ):
        data, xt = reals("data", data, "n", 2), reals("xt", xt, "k", 2)
        x0 = reals("x0", x0, len(xt), 2)
        several("pictures", pictures, checks.pictures, count=len(xt))
        several("times", times, number, count=len(xt))
        self.pictures, self.times, self.path = pictures, times, (xt, x0)
        self.figure, (left, self.right) = subplots(1, 2, figsize=(9, 3.6), width_ratios=(1, 1.35))
        left.scatter(*data.T, s=4, color=DATA, alpha=0.35, linewidth=0, label="data")
        (self.noisy,) = left.plot([], [], color=GREY, linewidth=1, label="$x_t$")
        (self.guess,) = left.plot([], [], color=MODEL, linewidth=1.5, label=r"its guess $\hat x_0$")
        (self.here,) = left.plot([], [], "o", color=MODEL, markersize=8, markeredgecolor="white")
        left.set(xticks=[], yticks=[], xlabel="first component", ylabel="second component")
        left.legend(loc="lower left", fontsize=8)
        self.image = self.right.imshow(self._sheet(0), vmin=0, vmax=1)
        bare(self.right)

    def show(self, i: int) -> Figure:
        whole("i", i, 0, most=len(self.times) - 1)
        for line, points in zip((self.noisy, self.guess), self.path, strict=True):
            line.set_data(*points[: i + 1].T)
        self.here.set_data(*self.path[1][i : i + 1].T)
        self.image.set_data(self._sheet(i))
        self.right.set_title(f"t = {self.times[i]}: $x_t$, its guess, and what it averages most")
        return self.figure

    def _sheet(self, i: int) -> np.ndarray:
        return as_sheet(self.pictures[i], 4)


def points_in_steps(real: Float[Tensor, "n 2"], moments: Mapping[str, Any]) -> Figure:
    """Points on their way from noise to data, at some moments, with the data behind them."""
    real, moments = reals("real", real, "n", 2), named("moments", moments, reals, "m", 2)
    figure, all_axes = subplots(1, len(moments), figsize=(2.2 * len(moments), 2.5), squeeze=False)
    for axes, (name, points) in zip(all_axes[0], moments.items(), strict=True):
        axes.scatter(*real.T, s=3, color=DATA, alpha=0.4, linewidth=0, label="data")
        axes.scatter(*points.T, s=4, color=MODEL, alpha=0.5, linewidth=0, label="samples")
        axes.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
        bare(axes, name)
    handles, names = all_axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, markerscale=2)
    return figure


def by_steps(
    curves: Mapping[str, Mapping[int, Sequence[float]]],
    floor: float,
    label: str,
    guess: Any = None,
) -> Figure:
    """A quality by the number of sampling steps: curves[sampler][steps] has one for each seed.

    Filled markers are means of several seeds, hollow ones are a single run.
    """
    curves = named("curves", curves, named, reals)
    number("floor", floor), texts(label=label)
    figure, axes = subplots(figsize=(6.4, 3.4))
    for (name, of_steps), color in zip(curves.items(), (GREY, DATA, MODEL), strict=False):
        steps = sorted(of_steps)
        means = [of_steps[n].mean().item() for n in steps]
        axes.plot(steps, means, "-", color=color, label=name)
        for n, mean in zip(steps, means, strict=True):
            fill = color if len(of_steps[n]) > 1 else "white"
            axes.plot(n, mean, "o", color=color, markersize=5, markerfacecolor=fill)
            axes.plot([n] * len(of_steps[n]), of_steps[n], "_", color=color)
    axes.axhline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(1, floor, "real against real", va="bottom", fontsize=8)
    axes.set(xlabel="steps", ylabel=label, xscale="log", yscale="log")
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    axes.legend(title=None if not guess else f"you said: {guess.guess}")
    return figure


def guidance_trade(
    weights: Sequence[float], measures: Mapping[str, Sequence[float]], real: Mapping[str, float]
) -> Figure:
    """Each measure over the weight of guidance, real pictures as a dotted line."""
    weights = reals("weights", weights)
    measures = named("measures", measures, reals, len(weights))
    real = real if real == {} else named("real", real, number)
    figure, all_axes = subplots(1, len(measures), figsize=(3 * len(measures), 2.7), squeeze=False)
    for axes, (name, values) in zip(all_axes[0], measures.items(), strict=True):
        axes.plot(weights, values, "o-", color=MODEL, markersize=4)
        if name in real:
            axes.axhline(real[name], color=DATA, linewidth=1, linestyle=":")
            axes.text(max(weights), real[name], "real", color=DATA, fontsize=8, va="bottom",
                      ha="right")  # fmt: skip
        axes.set(title=name, xlabel="guidance w")
    return figure


def methods(
    table: Mapping[str, Mapping[str, Sequence[float]]],
    titles: Sequence[str],
    floors: Mapping[str, float],
) -> Figure:
    """A panel for each measure: (mean, low, high) by method, the three as a dot and a line.

    titles: of the panels; what spans more than a factor of 20 is drawn on a logarithmic axis.
    floors: of some measures, dotted.
    """
    table, floors = named("table", table, named, reals, 3), named("floors", floors, number)
    measures = list(next(iter(table.values())))
    several("titles", titles, instance, str, count=len(measures))
    figure, all_axes = subplots(
        1, len(measures), figsize=(1.6 + 2.1 * len(measures), 0.55 * len(table) + 1.0),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, measure, title in zip(all_axes[0], measures, titles, strict=True):
        for y, of_method in enumerate(table.values()):
            mean, low, high = of_method[measure].tolist()
            axes.plot([low, high], [y, y], color=MODEL)
            axes.plot(mean, y, "o", color=MODEL)
            axes.annotate(f"{mean:.3g}", (mean, y), xytext=(0, 5), textcoords="offset points",
                          ha="center", fontsize=9)  # fmt: skip
        if measure in floors:
            axes.axvline(floors[measure], color=GREY, linewidth=0.8, linestyle=":")
        axes.set_title(title)
        _, lowest, highest = zip(*(of_method[measure] for of_method in table.values()), strict=True)
        if max(highest) > 20 * min(lowest) > 0:
            axes.set_xscale("log")
            plain_ticks(axes.xaxis, (1.0, 3.0))
        axes.margins(x=0.15)
        axes.tick_params(labelsize=9)
    all_axes[0, 0].set_yticks(range(len(table)), list(table))
    all_axes[0, 0].set_ylim(len(table) - 0.5, -0.7)
    return figure


def chain_strip(
    pictures: Mapping[str, Float[Tensor, "n c h w"]], noise: Float[Tensor, "n c h w"]
) -> Figure:
    """The ends of several chains beside the noise that sampling begins with.

    Above one noising of each, below the mean of all n, each mean at its own full contrast.
    """
    for name, some in {**checks.named("pictures", pictures), "noise": noise}.items():
        checks.pictures(name, floats(name, some))
    named = {**pictures, "where sampling\nbegins": noise}
    figure, all_axes = subplots(2, len(named), figsize=(1.5 * len(named), 3.5), squeeze=False)
    for (upper, lower), (name, some) in zip(all_axes.T, named.items(), strict=True):
        mean = some.mean(0, keepdim=True)
        for axes, picture in ((upper, some[:1] / 2), (lower, mean / mean.abs().max())):
            axes.imshow(as_pictures(picture)[0], vmin=0, vmax=1)
            bare(axes)
        upper.set_title(name)
    all_axes[0, 0].set_ylabel("one noising")
    all_axes[1, 0].set_ylabel(f"mean of {len(noise)}")
    return figure
