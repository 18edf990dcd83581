"""Figures of lecture 03: the game in the plane."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.checks import MANY, instance, named, number, reals, several, texts, whole
from course_lib.plots import DATA, GREY, MODEL, OTHER, SURFACE, bare, subplots

ARROWS = 30  # at most so many in one picture: more would bury the points
LOSS_STYLES = ((OTHER, "--"), ("black", "-"))  # of minimax, of non-saturating


class GameInThePlane:
    """The picture of lecture 03: D's surface, data, generated points, where G's loss pushes them.

    Data are squares without an edge, generated points circles with one: so they differ in grey too.
    Drawn once; `show(frame)` changes only what moves and returns the pixels, in about 10 ms.
    """

    def __init__(self, real: Float[Tensor, "n 2"], fakes: int, reach: float = 1.6):
        real, reach = reals("real", real, "n", 2), number("reach", reach, above=0)
        whole("fakes", fakes, most=MANY)
        figure = Figure(figsize=(4, 4), dpi=90, layout="none")
        self.canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
        axes.set_position([0, 0, 1, 1])
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        bare(axes)
        extent = (-reach, reach, -reach, reach)
        self.surface = axes.imshow(
            np.zeros((2, 2)), origin="lower", extent=extent, cmap=SURFACE, vmin=0, vmax=1,
            interpolation="bilinear",
        )  # fmt: skip
        self.real = axes.scatter(*real.T, s=22, color=DATA, linewidth=0, marker="s")
        self.fake = axes.scatter(*np.zeros((2, fakes)), s=15, color=MODEL, ec="white", lw=0.6)
        self.every = -(-fakes // ARROWS)
        self.arrows = axes.quiver(
            *np.zeros((4, -(-fakes // self.every))), angles="xy", scale_units="xy", scale=1,
            width=0.004, color="black", alpha=0.55,
        )  # fmt: skip
        self.text = axes.text(0.02, 0.97, "", transform=axes.transAxes, va="top", fontsize=9)
        self.moving = (self.surface, self.real, self.arrows, self.fake, self.text)
        self.axes = axes
        self.canvas.draw()

    def show(self, frame: Any, text: str = "") -> np.ndarray:
        """(height, width, 3) bytes. At most 30 arrows are drawn, cut at a tenth of the width."""
        _frame("frame", frame), texts(text=text)
        arrows = frame.arrows[:: self.every]
        length = arrows.norm(dim=1, keepdim=True).clamp(min=1e-9)
        arrows = arrows / length * length.clamp(max=self.axes.get_xlim()[1] / 5)
        self.surface.set_data(frame.surface.numpy())
        self.fake.set_offsets(frame.fake.numpy())
        self.arrows.set_offsets(frame.fake[:: self.every].numpy())
        self.arrows.set_UVC(*arrows.T.numpy())
        self.text.set_text(text)
        for artist in self.moving:
            self.axes.draw_artist(artist)
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()


def _frame(name: str, frame: Any) -> Any:
    if not hasattr(frame, "surface"):
        raise TypeError(f"{name} must be a Frame, a `snapshot`; got {type(frame).__name__}")
    return frame


def game_strip(
    real: Float[Tensor, "n 2"], frames: Mapping[str, Any], height: float = 2.6
) -> Figure:
    """Moments of a game in the plane side by side, each under its name."""
    reals("real", real, "n", 2), named("frames", frames, _frame), number("height", height, above=0)
    figure, all_axes = subplots(1, len(frames), figsize=(height * len(frames), height + 0.7))
    for axes, (name, frame) in zip(np.atleast_1d(all_axes), frames.items(), strict=True):
        game = GameInThePlane(real, len(frame.fake))
        axes.imshow(game.show(frame))
        bare(axes, name)
    handles = [
        plt.Line2D([], [], marker=m, linestyle="", color=c) for m, c in (("s", DATA), ("o", MODEL))
    ]
    handles += [plt.Line2D([], [], color="black", marker=">", markevery=[1])]
    handles += [plt.Rectangle((0, 0), 1, 1, color=SURFACE(v)) for v in (0.0, 1.0)]
    names = ("data", "generated", "push of G's loss (long ones cut)", "D says fake", "D says real")
    figure.legend(handles, names, loc="outside lower center", ncols=5)
    return figure


def optimal_and_trained(
    x: Float[Tensor, " n"],
    p: Float[Tensor, " n"],
    q: Float[Tensor, " n"],
    best: Float[Tensor, " n"],
    trained: Float[Tensor, " n"] | None = None,
) -> Figure:
    """Two densities on a line, the best discriminator between them, and a trained one."""
    x = reals("x", x)
    p, q, best = (reals(k, y, len(x)) for k, y in (("p", p), ("q", q), ("best", best)))
    trained = trained if trained is None else reals("trained", trained, len(x))
    figure, (left, right) = subplots(1, 2, figsize=(8.5, 2.9))
    for density, color, line, name in ((p, DATA, "-", "data p"), (q, MODEL, "--", "generated q")):
        left.fill_between(x, density, color=color, alpha=0.35)
        left.plot(x, density, line, color=color, label=name)
    left.set(xlabel="x", ylabel="density", ylim=(0, None))
    left.legend()
    right.plot(x, best, color="black", label="D* = p / (p + q)")
    if trained is not None:
        right.plot(x, trained, color=OTHER, linestyle="--", label="trained D")
    right.set(xlabel="x", ylabel="D(x): chance of data", ylim=(-0.03, 1.03))
    right.legend()
    return figure


def sliding_apart(shifts: Sequence[float], divergence: Sequence[float]) -> Figure:
    """The Jensen-Shannon divergence of two equal bumps over the distance between them."""
    shifts = reals("shifts", shifts)
    divergence = reals("divergence", divergence, len(shifts))
    figure, axes = subplots(figsize=(6, 2.8))
    axes.plot(shifts, divergence, color="black")
    axes.axhline(np.log(2), color=GREY, linewidth=0.8, linestyle=":")
    axes.text(shifts[0], np.log(2) * 1.02, "log 2", color=GREY)
    axes.set(xlabel="distance between the means, in σ", ylabel="JSD in nats", ylim=(0, 0.78))
    return figure


def generator_losses(
    probability: Float[Tensor, " n"],
    losses: Mapping[str, Float[Tensor, " n"]],
    slopes: Mapping[str, Float[Tensor, " n"]],
    guess: Any = None,
) -> Figure:
    """The generator's losses over D(G(z)), and the size of their gradients by D's score."""
    probability = reals("probability", probability)
    losses = named("losses", losses, reals, len(probability))
    slopes = named("slopes", slopes, reals, len(probability), has=losses)
    figure, (left, right) = subplots(1, 2, figsize=(8.5, 3))
    for name, (color, line) in zip(losses, LOSS_STYLES, strict=False):
        left.plot(probability, losses[name], line, color=color, label=name.replace("_", "-"))
        right.plot(probability, slopes[name], line, color=color, label=name)
    left.set(xlabel="D(G(z))", ylabel="loss of G", xscale="log", ylim=(-5, 10))
    right.set(xlabel="D(G(z))", ylabel="|gradient| w.r.t. the score", xscale="log", yscale="log")
    for axes in (left, right):
        axes.axvline(0.01, color=GREY, linewidth=0.8, linestyle=":", label="D(G(z)) = 0.01")
    left.legend()
    return figure


def vanishing(steps: Sequence[int], sizes: Mapping[str, Sequence[float]]) -> Figure:
    """The norm of G's gradient, for each loss, after D has trained alone for so many steps."""
    steps = several("steps", steps, whole, 0)
    sizes = named("sizes", sizes, reals, len(steps))
    figure, axes = subplots(figsize=(6, 3))
    for (name, values), (color, line) in zip(sizes.items(), LOSS_STYLES, strict=False):
        axes.plot(steps, values, "o", linestyle=line, color=color, label=name.replace("_", "-"))
    axes.set_xscale("symlog", linthresh=10, linscale=0.6)  # 0 has no logarithm
    axes.set_xticks(steps, labels=[str(step) for step in steps])
    axes.minorticks_off()
    axes.set(xlabel="steps that D trained alone", ylabel="norm of G's gradient", yscale="log")
    axes.legend()
    return figure


def draw_value_function(axes: Axes, reach: float = 3.0) -> tuple[Any, Any]:
    """V(θ, ψ) = −ψθ in grey, and two empty artists: a path and its start."""
    instance("axes", axes, Axes), number("reach", reach, above=0)
    side = np.linspace(-reach, reach, 60)
    theta, psi = np.meshgrid(side, side)
    value = -theta * psi
    axes.contourf(theta, psi, value, 12, cmap="Greys", alpha=0.35)
    lines = axes.contour(theta, psi, value, [-6, -3, -1, 1, 3, 6], colors=GREY, linewidths=0.7)
    axes.clabel(lines, fmt="V = %g", fontsize=7)
    axes.plot(0, 0, "+", color="black", markersize=12)
    (path,) = axes.plot([], [], color=MODEL, linewidth=1.2)
    (start,) = axes.plot(1, 0, "o", color=MODEL)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel="θ: where G puts its point", ylabel="ψ: D's slope")
    return path, start


def orbit_strip(orbits: Mapping[str, Float[Tensor, "n 2"]]) -> Figure:
    """Paths of the game of one number against one number, over its value function."""
    orbits = named("orbits", orbits, reals, "n", 2)
    figure, all_axes = subplots(1, len(orbits), figsize=(3 * len(orbits), 3.3), squeeze=False)
    for axes, (name, orbit) in zip(all_axes[0], orbits.items(), strict=True):
        path, _ = draw_value_function(axes)
        path.set_data(*orbit.T)
        way = len(orbit) // 12
        style = {"arrowstyle": "-|>", "color": MODEL, "mutation_scale": 18}
        axes.annotate("", orbit[way + 1], orbit[way], arrowprops=style)
        axes.set_title(name)
    for axes in all_axes[0, 1:]:
        axes.set_ylabel("")
    return figure


def two_players() -> Figure:
    """Who gets what in the game: noise, G, data, D, and where each gradient goes."""
    figure, axes = subplots(figsize=(8, 2.9))
    axes.set(xlim=(0, 10), ylim=(-0.6, 4))
    bare(axes)
    boxes = {
        "noise z": (0.8, 1.0, GREY),
        "generator G": (3.1, 1.0, MODEL),
        "fake G(z)": (5.3, 1.0, MODEL),
        "data x": (5.3, 3.0, DATA),
        "discriminator D": (7.4, 2.0, "black"),
        "score": (9.4, 2.0, GREY),
    }
    for name, (x, y, color) in boxes.items():
        frame = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": color, "lw": 1.6}
        axes.text(x, y, name, ha="center", va="center", bbox=frame, zorder=2)

    def arrow(start, end, color, line="-", bend=0.0):
        shape = {"arrowstyle": "-|>", "color": color, "linestyle": line, "lw": 1.4}
        shape |= {"connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=shape)

    arrow((1.45, 1), (2.25, 1), GREY)
    arrow((3.95, 1), (4.55, 1), MODEL)
    arrow((5.9, 1.2), (6.6, 1.7), MODEL)
    arrow((5.9, 2.8), (6.6, 2.3), DATA)
    arrow((8.35, 2), (8.95, 2), GREY)
    arrow((9.4, 2.4), (7.4, 2.45), "black", "--", 0.45)
    arrow((9.4, 1.6), (3.1, 0.55), MODEL, "--", -0.28)
    axes.text(8.4, 3.25, "gradient of D's loss: D moves", ha="center", fontsize=8.5)
    axes.text(6.6, -0.5, "gradient of G's loss, through D: only G moves", ha="center", fontsize=8.5)
    return figure


def class_counts(
    counts: Mapping[str, int], expected: float, real: Mapping[str, int] | None = None
) -> Figure:
    """How many samples a classifier puts into each class, beside real pictures and equal shares."""
    named("counts", counts, whole, 0), number("expected", expected, 0)
    real is None or named("real", real, whole, 0, has=counts)
    figure, axes = subplots(figsize=(7, 3))
    places = np.arange(len(counts))
    bars = axes.bar(places, list(counts.values()), 0.6, color=MODEL, label="samples")
    for number_of in axes.bar_label(bars, fontsize=8, padding=6):
        number_of.set_zorder(5)  # above the real ones' markers
    if real is not None:
        style = {"color": DATA, "markersize": 7, "markeredgecolor": "white"}
        axes.plot(places, list(real.values()), "D", label="real clothes", **style)
    axes.axhline(expected, color=GREY, linewidth=0.8, linestyle=":", label="equal shares")
    axes.set_xticks(places, labels=list(counts), rotation=30, ha="right", fontsize=8)
    axes.set(ylabel="number of pictures", ylim=(0, 1.12 * max(counts.values())))
    figure.legend(loc="outside upper right", ncols=3)
    return figure
