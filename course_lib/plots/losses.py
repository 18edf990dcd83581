"""Figures of lecture 05: losses, critics, judges."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from course_lib import checks
from course_lib.checks import instance, named, number, one_of, reals, several, texts, whole
from course_lib.plots import (
    CYCLE,
    DATA,
    GREY,
    GUESS,
    MODEL,
    OTHER,
    bare,
    mark_guess,
    plain_ticks,
    subplots,
)

# One look for one loss, through the lecture; none is blue or vermilion, as data and fakes are.
# Losses that are one and the same for G share a colour.
LOSS_LOOKS = {
    "minimax": ("#000000", "-"),
    "non_saturating": (GUESS, "-"),
    "dragan": (GUESS, "--"),
    "R1": (GUESS, ":"),
    "least_squares": ("#56B4E9", "-"),
    "wasserstein": (OTHER, "-"),
    "wgan_gp": (OTHER, "--"),
    "hinge": ("#E69F00", "-"),
    "began": (GREY, "-."),
}


MARKERS = {"-": "o", "--": "s", ":": "^", "-.": "D"}


def _look(name: str) -> dict[str, Any]:
    color, style = LOSS_LOOKS.get(name, (GREY, "-"))
    return {"color": color, "linestyle": style, "label": name}


def color_of(name: str) -> str:
    """A loss keeps its colour where a remark follows its name: "hinge, no BatchNorm"."""
    texts(name=name)
    return LOSS_LOOKS.get(name.partition(",")[0], (GREY, "-"))[0]


def losses_by_score(
    scores: Float[Tensor, " n"],
    losses: Mapping[str, Float[Tensor, " n"]],
    pushes: Mapping[str, Float[Tensor, " n"]],
) -> Figure:
    """What a fake of each score costs G, and how hard G is pushed to raise that score.

    Losses that are one and the same for G share a line.
    """
    scores = reals("scores", scores)
    losses = named("losses", losses, reals, len(scores))
    pushes = named("pushes", pushes, reals, len(scores), has=losses)
    figure, (left, right) = subplots(1, 2, figsize=(9.5, 3.4))
    groups: dict[str, list[str]] = {}
    for name, loss in losses.items():
        same = (first for first in groups if torch.allclose(losses[first], loss, atol=1e-5))
        groups.setdefault(next(same, name), []).append(name)
    for first, names in groups.items():
        look, least = _look(first) | {"label": ",\n".join(names)}, scores.min()
        if first == "began":  # its score is an autoencoder's error: never negative, small is real
            look["label"], least = "began (0: real)", 0
        kept = scores >= least
        left.plot(scores[kept], losses[first][kept], **look)
        right.plot(scores[kept], pushes[first][kept], **look)
    for axes, label in ((left, "loss of G"), (right, "push on the score")):
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set(xlabel="score of a fake: fake  ←  →  real", ylabel=label, ylim=(-6, 8))
    right.set_ylim(-4, 4)
    right.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


class SlidAway:
    """The picture of lecture 05: fakes slide away from data, and how hard each loss pulls them.

    pulls: by loss, towards the data at each of `distances`, under the best D. measured: the same of
    trained networks (distances, pulls by loss), as dots and for the arrows. Drawn once; `show(i)`
    moves the fakes to distances[i]. An arrow is as long as its pull, which stands beside its name;
    a pull below NOTHING is a dot without a head. The axis of pulls is linear from −1 to 1 and
    logarithmic beyond, so that nothing is cut. Distances are in σ, from 0 to FAR: a fake that is
    farther away would be too narrow to see.
    """

    NOTHING, FAR = 0.05, 200

    def __init__(
        self,
        distances: Float[Tensor, " n"],
        pulls: Mapping[str, Float[Tensor, " n"]],
        measured: tuple[Float[Tensor, " m"], Mapping[str, Float[Tensor, " m"]]] | None = None,
    ):
        distances = self._distances("distances", distances)
        pulls = named("pulls", pulls, reals, len(distances))
        self.distances, self.arrows = distances, {}
        self.places, self.drawn = self._measured(measured) or (distances, pulls)
        self.figure, (left, right) = subplots(1, 2, figsize=(9, 3.6), width_ratios=(1.2, 1))
        self.figure.get_layout_engine().set(wspace=0.08)
        end = distances.max().item() + 4
        self.x = torch.linspace(-4, end, 400)
        data = left.fill_between(self.x, self._bump(0.0), color=DATA, alpha=0.5, label="data")
        (self.fakes,) = left.fill(self.x, 0 * self.x, color=MODEL, alpha=0.5, label="fakes")
        for row, name in enumerate(self.drawn):
            y = -0.09 * (row + 1)
            (arrow,) = left.plot([], [], marker="<", markevery=[1], markersize=7, **_look(name))
            color = _look(name)["color"]
            text = left.text(end, y, name, ha="right", va="center", fontsize=9, color=color)
            if measured:  # the marker of its line at the right
                mark = MARKERS[_look(name)["linestyle"]]
                left.plot(-3.4, y, mark, color=color, markersize=4)
            self.arrows[name] = arrow, y, text
        left.axhline(0, color="black", linewidth=0.8)
        left.set(xlim=(-4, end), ylim=(-0.09 * len(self.drawn) - 0.06, 0.45), yticks=[])
        left.set(xticks=range(0, int(end) - 3, 4), xlabel="x, and each loss's pull at the fakes")
        left.legend(handles=[data, self.fakes], loc="upper right")
        for name, pull in pulls.items():
            faint = {"alpha": 0.3} if measured else {}
            right.plot(distances, pull, **_look(name) | faint)
        for name, pull in self.drawn.items() if measured else ():
            look = _look(name) | {"linewidth": 0.9, "markersize": 4}
            right.plot(self.places, pull, marker=MARKERS[look["linestyle"]], **look)
        self.here = right.axvline(0, color=GREY, linewidth=0.8)
        right.axhline(0, color="black", linewidth=0.8)
        right.set(xlabel="distance of the fakes from the data, in σ", ylabel="pull to the data")
        right.set_yscale("symlog", linthresh=1, linscale=1)
        all_pulls = torch.cat([*pulls.values(), *(self.drawn.values() if measured else ())])
        ticks = [t for t in (-8, -4, -2, -1, 0, 1, 2, 4, 8, 12) if all_pulls.min() < t + 0.5]
        right.set_yticks(ticks, ticks)
        right.yaxis.set_minor_formatter(NullFormatter())
        right.set(ylim=(min(ticks) - 0.3, 14), xticks=range(0, int(end) - 3, 4))
        if measured:
            right.set_title("marks: trained networks; faint: the best D", fontsize="small")

    def _distances(self, name: str, distances: Any) -> Tensor:
        distances = reals(name, distances)
        if not (distances.min() >= 0 and distances.max() <= self.FAR):
            ends = f"{distances.min():g} … {distances.max():g}"
            raise ValueError(f"{name} must lie in 0 … {self.FAR}; got {ends}")
        return distances

    def _measured(self, measured: Any) -> tuple[Tensor, Mapping[str, Tensor]] | None:
        if measured is None:
            return None
        if not isinstance(measured, tuple) or len(measured) != 2:
            raise ValueError(f"measured must be (distances, pulls by loss); got {measured!r:.60}")
        places = self._distances("measured[0]", measured[0])
        return places, named("measured[1]", measured[1], reals, len(places))

    def _bump(self, at: float) -> Tensor:
        return torch.exp(-0.5 * (self.x - at) ** 2) / (2 * np.pi) ** 0.5

    def show(self, i: int) -> Figure:
        at = self.distances[whole("i", i, 0, most=len(self.distances) - 1)].item()
        self.fakes.set_xy(torch.stack([self.x, self._bump(at)], 1).numpy())
        self.here.set_xdata([at, at])
        nearest = (self.places - at).abs().argmin()
        for name, (arrow, y, text) in self.arrows.items():
            pull = self.drawn[name][nearest].item()
            arrow.set_data([at, at - pull], [y, y])
            nothing = abs(pull) < self.NOTHING
            arrow.set_marker("." if nothing else "<" if pull >= 0 else ">")
            text.set_text(f"{name}  {0 if nothing else pull:.2g}")
        return self.figure


def slid_away(
    distances: Float[Tensor, " n"],
    pulls: Mapping[str, Float[Tensor, " n"]],
    at: float = 4.0,
    measured: tuple[Float[Tensor, " m"], Mapping[str, Float[Tensor, " m"]]] | None = None,
) -> Figure:
    """`SlidAway` with the fakes at the distance that is nearest to `at`."""
    picture = SlidAway(distances, pulls, measured)
    return picture.show((picture.distances - number("at", at)).abs().argmin().item())


def compromises(
    x: Float[Tensor, " n"], data: Float[Tensor, " n"], fakes: Mapping[str, Float[Tensor, " n"]]
) -> Figure:
    """The density of the data, filled, and the density that G chooses under each loss."""
    x = reals("x", x)
    data, fakes = reals("data", data, len(x)), named("fakes", fakes, reals, len(x))
    figure, axes = subplots(figsize=(6.4, 3.1))
    axes.fill_between(x, data, color=DATA, alpha=0.35, linewidth=0, label="data")
    for name, density in fakes.items():
        axes.plot(x, density, **_look(name))
    axes.set(xlabel="x", ylabel="density", ylim=(0, None))
    axes.legend()
    return figure


def weights_as_pictures(
    named: Mapping[str, Float[Tensor, "h w"]], fake: Float[Tensor, "h w"]
) -> Figure:
    """The weights of critics that are lines, as pictures, each with a key; and a fake beside."""
    named = checks.named("named", named, reals, "h", "w")
    fake = reals("fake", fake, "h", "w")
    figure, all_axes = subplots(1, len(named) + 1, figsize=(2.6 * (len(named) + 1), 2.3))
    for axes, (name, weights) in zip(all_axes, named.items(), strict=False):
        most = weights.abs().max().item()
        shown = axes.imshow(weights.numpy(), vmin=-most, vmax=most)
        figure.colorbar(shown, ax=axes, ticks=[-most, 0, most], format="{x:.2g}", shrink=0.8)
        bare(axes, name)
    all_axes[-1].imshow(fake.numpy(), vmin=-1, vmax=1)
    bare(all_axes[-1], "a fake")
    return figure


def critics(
    surfaces: Mapping[str, Float[Tensor, "rows columns"]],
    real: Float[Tensor, "n 2"],
    fake: Float[Tensor, "m 2"],
    reach: float = 1.6,
    step: float = 0.25,
    lines: int = 6,
) -> Figure:
    """What critics say of the plane, by lines of equal score, `step` apart in every panel.

    A critic's score has any constant: 0 stands here midway between data and fakes. `lines` on each
    side of it, and one key for all panels.
    """
    surfaces = named("surfaces", surfaces, reals, "n", "n")
    rows = len(next(iter(surfaces.values())))
    named("surfaces", surfaces, reals, rows, rows)
    real, fake = reals("real", real, "n", 2), reals("fake", fake, "m", 2)
    number("reach", reach, above=0), number("step", step, above=0), whole("lines", lines, most=100)
    figure, all_axes = subplots(1, len(surfaces), figsize=(3.1 * len(surfaces) + 0.8, 3.4))
    side = np.linspace(-reach, reach, rows)
    levels = step * np.arange(-lines, lines + 1)
    for axes, (name, surface) in zip(np.atleast_1d(all_axes), surfaces.items(), strict=True):
        scores = [surface[_nearest(side, x[:, 1]), _nearest(side, x[:, 0])] for x in (real, fake)]
        middle = surface - (scores[0].mean() + scores[1].mean()) / 2
        shown = axes.contourf(side, side, middle, levels, cmap="Greys_r", alpha=0.45, extend="both")
        axes.contour(side, side, middle, levels, colors="black", linewidths=0.5, linestyles="solid")
        axes.scatter(*real.T, s=4, color=DATA, linewidth=0, label="data")
        axes.scatter(*fake.T, s=4, color=MODEL, linewidth=0, label="fakes")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        bare(axes, name)
    axes.legend(loc="lower right", fontsize=8, markerscale=2, frameon=True, handletextpad=0.2)
    key = figure.colorbar(shown, ax=all_axes, shrink=0.8, ticks=levels[:: max(1, lines // 2)])
    key.set_label(f"score; a line every {step:g}")
    return figure


def _nearest(side: np.ndarray, x: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    return (torch.from_numpy(side)[:, None] - x).abs().argmin(0)


def floors(
    numbers: Sequence[int], measured: Sequence[float], formula: Sequence[float], guess: Any = None
) -> Figure:
    """What is measured where the truth is 0, by the number of points, and what a formula says."""
    numbers = reals("numbers", numbers)
    measured = reals("measured", measured, len(numbers))
    formula = reals("formula", formula, len(numbers))
    figure, axes = subplots(figsize=(6.4, 3.1))
    axes.plot(numbers, formula, color=GREY, linewidth=1, label="d (d + 5) / 2n")
    axes.plot(numbers, measured, "o", color=DATA, label="two samples of one Gaussian")
    axes.set(xlabel="points in each sample, n", ylabel="Fréchet distance", xscale="log")
    axes.set_yscale("log")
    plain_ticks(axes.yaxis, (1.0,))
    mark_guess(axes, guess)
    axes.legend()
    return figure


def two_sets(
    real: Float[Tensor, "n 2"], fake: Float[Tensor, "m 2"], numbers: Mapping[str, Sequence[float]]
) -> Figure:
    """Points of data and of a generator, and beside them precision and recall, by who says so."""
    real, fake = reals("real", real, "n", 2), reals("fake", fake, "m", 2)
    numbers = named("numbers", numbers, reals, 2)
    figure, (left, right) = subplots(1, 2, figsize=(8, 2.9), width_ratios=(1.3, 1))
    left.scatter(*real.T, s=12, color=DATA, label="data")
    left.scatter(*fake.T, s=14, color=MODEL, marker="x", linewidth=1, label="fakes")
    bare(left)
    left.legend()
    places, width = np.arange(len(numbers)), 0.38
    for i, (name, color) in enumerate((("precision", MODEL), ("recall", DATA))):
        heights = [pair[i].item() for pair in numbers.values()]
        bars = right.bar(places + (i - 0.5) * width, heights, width, color=color, label=name)
        right.bar_label(bars, fmt="%.2f", fontsize=8)
    right.set_xticks(places, list(numbers))
    right.set(ylim=(0, 1.35), yticks=[0, 0.5, 1])
    right.legend(ncols=2, loc="upper center")
    return figure


def scorecard(table: Mapping[str, Mapping[str, float]], floor: str, logs: Sequence[str]) -> Figure:
    """A panel for each measure, a bar for each set of pictures; `floor` names the best there is.

    table: set -> measure -> number. logs: the measures on a logarithmic axis.
    """
    named("table", table, named, number), one_of("floor", floor, table)
    logs = [*logs] if logs in ((), []) else several("logs", logs, instance, str)
    names, measures = list(table), list(next(iter(table.values())))
    figure, all_axes = subplots(
        1, len(measures), figsize=(3 + 1.9 * len(measures), 0.36 * len(names) + 0.9), sharey=True
    )
    for axes, measure in zip(np.atleast_1d(all_axes), measures, strict=True):
        values = [table[name][measure] for name in names]
        least = min((v for v in values if v > 0), default=1.0) / 3
        left = least if measure in logs else 0
        shown = [max(v, left) - left for v in values]
        axes.barh(names, shown, left=left, color=[GREY if n == floor else MODEL for n in names])
        if measure in logs:
            axes.set_xscale("log")
            axes.set_xlim(least, max(values) * 12)
        else:
            axes.set_xlim(0, 1.35 * max(*values, 1e-9))
        for y, value in enumerate(values):
            digits = "#.2g" if value < 9.95 else ".1f" if value < 99 else ".0f"
            text = "0" if abs(value) < 5e-4 else f"{value:{digits}}"
            place = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(text, (max(value, left), y), fontsize=8, **place)
        axes.set_title(measure)
        axes.tick_params(labelsize=8)
    np.atleast_1d(all_axes)[0].invert_yaxis()
    return figure


def every_run(
    runs: Mapping[str, Mapping[float, Sequence[float]]], floor: float, label: str
) -> Figure:
    """Each run of a study: runs[loss][learning rate] holds a number a seed, NaN where it broke.

    One column of dots for each learning rate; broken runs are crosses above all others.
    """
    named("runs", runs, named, reals), number("floor", floor), texts(label=label)
    rates = sorted({rate for of_loss in runs.values() for rate in of_loss})
    figure, axes = subplots(figsize=(9, 3.8))
    values = [v for of_loss in runs.values() for some in of_loss.values() for v in some]
    top, width = 1.6 * max((v for v in values if v == v), default=1.0), 0.8 / len(rates)
    for place, of_loss in enumerate(runs.values()):
        for i, rate in enumerate(rates):
            some = np.asarray(of_loss.get(rate, ()), dtype=float)
            column = i - (len(rates) - 1) / 2
            x = place + width * (column + np.linspace(-0.2, 0.2, len(some)))
            broke = np.isnan(some)
            label_of = f"learning rate {rate:g}" if place == 0 else None
            axes.plot(x[~broke], some[~broke], "o", color=CYCLE[i], markersize=4, label=label_of)
            axes.plot(x[broke], np.full(broke.sum(), top), "x", color=CYCLE[i], markersize=6)
    axes.axhline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(-0.45, floor, "real against real", va="bottom", fontsize=8)
    if any(v != v for v in values):
        axes.text(-0.5, top, "× broke", va="center", ha="right", fontsize=8)
    axes.set_xticks(range(len(runs)), list(runs), rotation=20, ha="right", rotation_mode="anchor")
    axes.set(ylabel=label, yscale="log", xlim=(-0.5, len(runs) - 0.5))
    plain_ticks(axes.yaxis)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _mark_floor(axes: Axes, floor: float) -> None:
    axes.axvline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(floor, 0.02, " real against\n real", transform=axes.get_xaxis_transform(), fontsize=7)


def _draw_intervals(axes: Axes, means: Mapping[str, Sequence[float]]) -> None:
    for y, (name, (mean, low, high)) in enumerate(means.items()):
        axes.plot([low, high], [y, y], color=color_of(name), linewidth=2)
        axes.plot(mean, y, "o", color=color_of(name))
    axes.set_yticks(range(len(means)), list(means))
    axes.set_ylim(len(means) - 0.5, -0.5)


def means_and_ranks(
    means: Mapping[str, Sequence[float]],
    ranks: Float[Tensor, "losses ranks"],
    floor: float,
    label: str,
) -> Figure:
    """Means with their intervals, (mean, low, high) by loss, and how probable each rank is."""
    means, ranks = named("means", means, reals, 3), reals("ranks", ranks, len(means), "ranks")
    number("floor", floor), texts(label=label)
    figure, (left, right) = subplots(
        1, 2, figsize=(9, 0.36 * len(means) + 1.2), sharey=True, width_ratios=(1.4, 1)
    )
    _draw_intervals(left, means)
    _mark_floor(left, floor)
    left.set(xlabel=label, xscale="log")
    plain_ticks(left.xaxis)
    right.imshow(ranks.numpy(), cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for (y, x), share in np.ndenumerate(ranks.numpy()):
        if share >= 0.005:
            color = "white" if share > 0.7 else "black"
            right.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=7, color=color)
    right.set_xticks(range(ranks.shape[1]), range(1, ranks.shape[1] + 1))
    right.set_xlabel("rank, and how often seeds drawn anew give it")
    right.tick_params(length=0)
    return figure


def by_budget(
    budgets: Mapping[int, Mapping[str, Sequence[float]]], floor: float, label: str
) -> Figure:
    """Means with intervals, (mean, low, high) by loss, after each budget of updates."""
    budgets = named("budgets", budgets, named, reals, 3)
    number("floor", floor), texts(label=label)
    count = max(len(means) for means in budgets.values())
    figure, all_axes = subplots(
        1, len(budgets), figsize=(1.6 + 2.1 * len(budgets), 0.34 * count + 1.1),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, (budget, means) in zip(all_axes[0], budgets.items(), strict=True):
        _draw_intervals(axes, means)
        _mark_floor(axes, floor)
        axes.set(title=f"{budget:,} updates", xscale="log", xlabel=label)
        plain_ticks(axes.xaxis, (1.0,))
    return figure


def runs_by_loss(
    panels: Mapping[str, Mapping[str, Sequence[float]]], baselines: Mapping[str, float]
) -> Figure:
    """A panel for each measure: a dot for each run of each loss, NaN none; that of noise dotted."""
    panels = named("panels", panels, named, reals)
    named("baselines", baselines, number, has=panels)
    count = max(len(of_loss) for of_loss in panels.values())
    figure, all_axes = subplots(
        1, len(panels), figsize=(1.4 + 2.1 * len(panels), 0.34 * count + 1.1),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, (measure, of_loss) in zip(all_axes[0], panels.items(), strict=True):
        for y, (name, some) in enumerate(of_loss.items()):
            beside = np.linspace(-0.3, 0.3, len(some) + 2)[1:-1]
            axes.plot(some, y + beside, "o", color=color_of(name), markersize=4, clip_on=False)
        axes.axvline(baselines[measure], color=GREY, linewidth=1, linestyle=":", label="noise")
        axes.set_yticks(range(len(of_loss)), list(of_loss))
        axes.set(ylim=(count - 0.5, -0.5), xlabel=measure)
        axes.set_xlim(0, None)
    all_axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
