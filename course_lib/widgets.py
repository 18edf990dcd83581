"""Every slider of the course: named stops, some of which fail, and a number to read out.

A widget redraws one figure that stays: only what changes is set anew, so that a redraw takes well
under 100 ms on two cores. Beside each widget a function of `plots` draws the stops as a strip.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from . import auditing, autoencoders, data, density, gan, metrics, plots, procedural, shapes
from .gan_losses import LOSSES, Loss


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def _stacked(*parts: ipywidgets.Widget) -> ipywidgets.VBox:
    """One under the other, each as wide as it is: a box would stretch the picture."""
    return ipywidgets.VBox(parts, layout=ipywidgets.Layout(align_items="flex-start"))


def live(
    figure: Figure, stops: Mapping[str, Any], draw: Callable[[Any], str], start: str, label: str
) -> ipywidgets.VBox:
    """A slider over named stops above a figure: `draw(value)` changes it, returns the read-out."""
    plt.close(figure)  # the widget shows it; pyplot would show it a second time
    slider = ipywidgets.SelectionSlider(
        options=list(stops.items()), value=stops[start], description=label, continuous_update=True,
        layout=ipywidgets.Layout(width="32em"), style={"description_width": "initial"},
    )  # fmt: skip
    picture, readout = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def redraw(_change=None) -> None:
        readout.value = draw(slider.value)
        picture.value = _png(figure)

    slider.observe(redraw, names="value")
    redraw()
    figure.set_layout_engine("none")  # its layout is found: to seek it anew takes half of a redraw
    return _stacked(slider, readout, picture)


BANDWIDTHS = {
    "0.01 a spike on each point": 0.01,
    "0.05": 0.05,
    "0.1": 0.1,
    "0.3": 0.3,
    "1.0 one big blob": 1.0,
}


def bandwidth(points: Float[Tensor, "m 2"], validation: Float[Tensor, "n 2"]) -> ipywidgets.VBox:
    """Lecture 01: the Parzen density of points in the plane under the chosen bandwidth σ."""
    where = plots.plane(60)
    sigmas = torch.logspace(-2.2, 0.3, 40).tolist()
    _, scores = density.select_bandwidth(points, validation, sigmas)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), width_ratios=(1, 1.2))
    image = plots._draw_density(left, torch.ones(len(where)), points, None)
    scores = scores.tolist()
    right.plot(sigmas, scores, color=plots.DATA)
    (marker,) = right.plot([], [], "o", color=plots.MODEL, markersize=10)
    right.set(xscale="log", xlabel="bandwidth σ", ylabel="held-out log-likelihood in nats")
    right.set_ylim(max(min(scores), -12), max(scores) + 0.7)

    def draw(sigma: float) -> str:
        p = density.parzen_log_density(where, points, sigma).exp()
        image.set_data((p / p.max()).reshape(60, 60).numpy())
        score = density.parzen_log_density(validation, points, sigma).mean().item()
        marker.set_data([sigma], [max(score, right.get_ylim()[0])])
        return f"σ = {sigma}: held-out points get <b>{score:.2f} nats</b> each"

    return live(figure, BANDWIDTHS, draw, start="0.3", label="bandwidth")


OCTAVES = {  # octaves, and how strong each is beside the one before
    "1 octave": (1, 0.5),
    "2 octaves": (2, 0.5),
    "3 octaves": (3, 0.5),
    "5 octaves": (5, 0.5),
    "5, all as strong": (5, 1.0),
}


def octaves(size: int = 128, seed: int = 0) -> ipywidgets.VBox:
    """Lecture 01: fractal noise out of more and more octaves of Perlin noise, from one seed."""
    figure, axes = plt.subplots(figsize=(3.4, 3.4))
    image = axes.imshow([[0.0]], vmin=-1, vmax=1, cmap="gray", extent=(0, size, 0, size))
    plots._bare(axes)

    def draw(stop: tuple[int, float]) -> str:
        generator = torch.Generator().manual_seed(seed)
        noise = procedural.fractal_noise(size, *stop, generator=generator)
        image.set_data(noise.numpy())
        rough = (noise[:, 1:] - noise[:, :-1]).abs().mean() / noise.std()
        return f"neighbouring pixels differ by <b>{rough:.2f}</b> standard deviations"

    return live(figure, OCTAVES, draw, start="1 octave", label="detail")


# --- lecture 02 ----------------------------------------------------------------------------------


@torch.no_grad()
def morph(model: Any, x: Float[Tensor, "n c h w"]) -> ipywidgets.VBox:
    """A morph between any two of the pictures x: choose both ends, then the percentage."""
    codes = model.encode(x)
    codes = codes[0] if isinstance(codes, tuple) else codes  # a VAE's encoder answers (mu, logvar)
    figure, axes = plt.subplots(1, 3, figsize=(6, 2.3))
    plt.close(figure)
    images = [ax.imshow(plots.as_pictures(x[:1])[0], vmin=0, vmax=1) for ax in axes]
    for ax, title in zip(axes, ("A", "between", "B"), strict=True):
        plots._bare(ax, title)
    options = {"min": 0, "max": len(x) - 1, "continuous_update": True}
    first = ipywidgets.IntSlider(0, description="face A", **options)
    second = ipywidgets.IntSlider(min(1, len(x) - 1), description="face B", **options)
    percent = ipywidgets.IntSlider(50, 0, 100, description="per cent B")
    picture = ipywidgets.Image(format="png")

    @torch.no_grad()
    def redraw(_change=None) -> None:
        a, b = first.value, second.value
        between = model.decode(torch.lerp(codes[[a]], codes[[b]], percent.value / 100))
        for image, shown in zip(images, (x[[a]], between, x[[b]]), strict=True):
            image.set_data(plots.as_pictures(shown)[0])
        picture.value = _png(figure)

    for slider in (first, second, percent):
        slider.observe(redraw, names="value")
    redraw()
    return _stacked(first, second, percent, picture)


def beta_planes(models: Mapping[str, Any], x: Float[Tensor, "n c h w"]) -> ipywidgets.VBox:
    """What the plane of 2-D codes decodes to, under the β that one chooses."""
    sheets = {name: plots._decoded_plane(model, 8, 2.5) for name, model in models.items()}
    figure, axes = plt.subplots(figsize=(3.6, 3.6))
    image = axes.imshow(next(iter(sheets.values())), vmin=0, vmax=1)
    plots._bare(axes)
    kl = {name: _mean_kl(model, x) for name, model in models.items()}

    def draw(name: str) -> str:
        image.set_data(sheets[name])
        return f"the codes carry <b>{kl[name]:.2f} nats</b> about each picture"

    return live(figure, {name: name for name in models}, draw, start=next(iter(models)), label="β")


@torch.no_grad()
def _mean_kl(model: Any, x: Tensor) -> float:
    return autoencoders.kl_to_standard_normal(*model.encode(x)).mean().item()


def latent_plane(model: Any, reach: float = 2.5) -> ipywidgets.VBox:
    """The picture at one point of a VAE's plane of 2-D codes; the map beside it shows the point."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
    plt.close(figure)
    extent = (-reach, reach, -reach, reach)
    left.imshow(plots._decoded_plane(model, 9, reach), vmin=0, vmax=1, extent=extent)
    (marker,) = left.plot(0, 0, "o", color=plots.MODEL, markersize=9, markeredgecolor="white")
    shown = right.imshow(np.zeros((1, 1)), vmin=0, vmax=1)
    for ax in (left, right):
        plots._bare(ax)
    options = {"min": -reach, "max": reach, "step": 0.1, "continuous_update": True}
    sliders = [ipywidgets.FloatSlider(0, description=f"latent {i}", **options) for i in (1, 2)]
    picture = ipywidgets.Image(format="png")

    @torch.no_grad()
    def redraw(_change=None) -> None:
        z = torch.tensor([[slider.value for slider in sliders]])
        marker.set_data(z[:, 0], z[:, 1])
        shown.set_data(plots.as_pictures(model.decode(z))[0])
        picture.value = _png(figure)

    for slider in sliders:
        slider.observe(redraw, names="value")
    redraw()
    return _stacked(*sliders, picture)


# --- lecture 03 ----------------------------------------------------------------------------------


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small networks gain nothing by a second thread, and wait for it where a browser is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class GanInThePlane:
    """A GAN on points, live: play, pause, one step, back in time, start anew; k and both speeds.

    Each tick of the player trains `steps` steps of D and keeps what it shows, so that the slider
    runs backwards too, which trains nothing. losses: by name, for the menu, such as your own
    `Loss(discriminator_loss, generator_loss)`; those that need an autoencoder for a discriminator
    are left out.
    """

    def __init__(self, losses: Mapping[str, Loss], steps: int = 8, seed: int = 0):
        self.losses = {name: loss for name, loss in losses.items() if not loss.autoencoder}
        self.steps, self.seed = steps, seed
        option = ipywidgets.Layout(width="17em")
        menus = {"layout": option, "style": {"description_width": "6em"}}
        rate = {"options": RATES, "value": 1e-3} | menus
        self.shape = ipywidgets.Dropdown(options=SHAPES, description="data", **menus)
        self.loss = ipywidgets.Dropdown(options=list(self.losses), description="loss", **menus)
        self.k = ipywidgets.Dropdown(options=(1, 2, 5), description="k", **menus)
        self.d_lr = ipywidgets.Dropdown(description="D's speed", **rate)
        self.g_lr = ipywidgets.Dropdown(description="G's speed", **rate)
        self.play = ipywidgets.Play(max=2000, interval=90, show_repeat=False)
        self.time = ipywidgets.IntSlider(max=2000, description="time", readout=False)
        self.one = ipywidgets.Button(description="one step", icon="step-forward")
        self.anew = ipywidgets.Button(description="start anew", icon="refresh")
        self.picture, self.readout = ipywidgets.Image(format="png"), ipywidgets.HTML()
        ipywidgets.jslink((self.play, "value"), (self.time, "value"))
        self.time.observe(lambda change: self.show(change["new"]), names="value")
        self.one.on_click(lambda _: self.one_step())
        self.anew.on_click(lambda _: self.reset())
        for menu in (self.shape, self.loss):
            menu.observe(lambda _: self.reset(), names="value")
        for menu in (self.k, self.d_lr, self.g_lr):
            menu.observe(lambda _: self.tune(), names="value")
        self.reset()

    def box(self) -> ipywidgets.VBox:
        controls = ipywidgets.VBox(
            [self.shape, self.loss, self.k, self.d_lr, self.g_lr, self.one, self.anew, self.readout]
        )
        player = ipywidgets.HBox([self.play, self.time])
        return _stacked(ipywidgets.HBox([_stacked(self.picture, player), controls]))

    def reset(self) -> None:
        self.points = data.load("toy2d", variant=self.shape.value)
        torch.manual_seed(self.seed)
        players = gan.ToyGenerator(), gan.ToyDiscriminator()
        self.step = gan.AdversarialStep(*players, self.losses[self.loss.value])
        self.z = torch.randn(150, self.step.nz)
        self.game = plots.GameInThePlane(self.points.points[:600], len(self.z))
        self.frames, self.done = {}, 0  # time -> what is shown then
        self.tune()
        self.advance(0, time=0)
        self.play.value = self.time.value = 0

    def tune(self) -> None:
        """k and the two speeds, from the next step on."""
        self.step.d_steps = self.k.value
        self.batches = self.points.batches(256 * self.k.value)
        for player in (self.step.d_optimizer, self.step.g_optimizer):
            lr = self.d_lr.value if player is self.step.d_optimizer else self.g_lr.value
            player.param_groups[0]["lr"] = lr

    @_one_thread()
    def advance(self, steps: int, time: int) -> None:
        """Train, and keep what there is to see as the picture of that time."""
        for _ in range(steps):
            self.step(next(self.batches))
        self.done += steps
        frame = gan.look(self.step, self.z)
        samples = gan.sample(self.step.generator, 1000)
        found = gan.modes_covered(samples, self.points.centers, self.points.sigma)
        told = (
            f"step {self.done}<br>modes covered: <b>{found.modes} of {len(found.counts)}</b><br>"
            f"samples on a mode: {found.share:.0%}<br>"
            f"D of data: {self._belief(self.points.points[:600]):.2f}, "
            f"D of fakes: {self._belief(samples):.2f}"
        )
        self.frames[time] = _bytes(self.game.show(frame, f"step {self.done}")), told
        self.show(time)

    def one_step(self) -> None:
        self.advance(1, max(self.frames) + 1)
        self.time.value = max(self.frames)  # the player goes on from there

    def show(self, time: int) -> None:
        """The last picture kept until then; after all of them, the game goes on.

        A busy page skips times, so not each has its picture.
        """
        if time > max(self.frames):
            return self.advance(max(1, self.steps // self.k.value), time)
        kept = max(t for t in self.frames if t <= time)
        self.picture.value, self.readout.value = self.frames[kept]

    @torch.no_grad()
    def _belief(self, x: Tensor) -> float:
        return self.step.discriminator(x).sigmoid().mean().item()


SHAPES = {"ring of 8": "ring8", "grid of 25": "grid25", "spiral": "spiral"}
RATES = {"0.0001": 1e-4, "0.0003": 3e-4, "0.001": 1e-3, "0.003": 3e-3, "0.01": 1e-2}


def _bytes(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def gan_in_the_plane(losses: Mapping[str, Loss] = LOSSES) -> ipywidgets.VBox:
    """Lecture 03: watch both players learn, with a choice of losses, by name."""
    return GanInThePlane(losses).box()


ORBITS = {
    "at once, speed 0.1": {"lr": 0.1},
    "at once, speed 0.4": {"lr": 0.4, "steps": 50},
    "in turns, speed 0.1": {"lr": 0.1, "alternating": True},
    "in turns, speed 0.1, with a penalty": {"lr": 0.1, "alternating": True, "r1": 0.5},
    "in turns, non-saturating": {"lr": 0.1, "alternating": True, "loss": "non_saturating"},
}


def orbits() -> ipywidgets.VBox:
    """Lecture 03: the game of one number against one number, over its value function."""
    figure, axes = plt.subplots(figsize=(4, 4))
    path, _ = plots.draw_value_function(axes)
    paths = {name: gan.dirac_gan(**{"steps": 200} | settings) for name, settings in ORBITS.items()}

    def draw(name: str) -> str:
        orbit = paths[name]
        path.set_data(*orbit.T)
        first, last = orbit[0].norm().item(), orbit[-1].norm().item()
        return (
            f"distance from the equilibrium: {first:.2f} at the start, <b>{last:.2f}</b> in the end"
        )

    names = {name: name for name in ORBITS}
    return live(figure, names, draw, start="at once, speed 0.1", label="the players move")


# --- lecture 04 ----------------------------------------------------------------------------------


def shape_calculator() -> ipywidgets.VBox:
    """Lecture 04: a convolution's five numbers, its window on the grid, and the size it returns."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
    plt.close(figure)
    ranges = {"size": (7, 1, 14), "kernel": (3, 1, 7), "stride": (2, 1, 4)}
    ranges |= {"padding": (1, 0, 3), "dilation": (1, 1, 3), "window": (0, 0, 99)}
    sliders = {
        name: ipywidgets.IntSlider(value, low, high, description=name)
        for name, (value, low, high) in ranges.items()
    }
    picture, readout = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def redraw(_change=None) -> None:
        case = {name: sliders[name].value for name in ranges if name != "window"}
        n, k, s, p, d = case.values()
        formula = f"⌊({n} + 2·{p} − {d}·({k} − 1) − 1) / {s}⌋ + 1"
        try:
            size = shapes.conv2d_size(n, k, s, p, d)
        except ValueError as error:
            readout.value = f"{formula}: <b>{error}</b>"
            return
        sliders["window"].max = max(size**2 - 1, 1)  # its page can show no range of one number
        sliders["window"].disabled = size == 1
        at = min(sliders["window"].value, size**2 - 1)
        output = np.ones((size, size), dtype=int)
        output.flat[at] = 2
        plots.draw_cells(left, plots.window_cells(**case, at=at))
        plots.draw_cells(right, output)
        left.set_title(f"input {n} × {n}, padded by {p}")
        right.set_title(f"output {size} × {size}")
        lost = (n + 2 * p - d * (k - 1) - 1) % s
        seen = f"; {lost} at the right and bottom edge are never looked at" if lost else ""
        readout.value = f"{formula} = <b>{size}</b>{seen}"
        picture.value = _png(figure)

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    figure.set_layout_engine("none")  # as in `live`
    return _stacked(*sliders.values(), readout, picture)


@torch.no_grad()
def latent_walk(generator: Any, codes: Float[Tensor, "n nz"]) -> ipywidgets.VBox:
    """Lecture 04: a round trip over the given codes, along arcs; generator in evaluation mode."""
    figure, axes = plt.subplots(figsize=(2.6, 2.6))
    plt.close(figure)
    shown = axes.imshow(np.zeros((1, 1)), vmin=0, vmax=1)
    plots._bare(axes)
    place = ipywidgets.FloatSlider(0, min=0, max=len(codes), step=0.05, description="along")
    picture = ipywidgets.Image(format="png")

    @torch.no_grad()
    def redraw(_change=None) -> None:
        i = min(int(place.value), len(codes) - 1)
        ends = codes[[i]], codes[[(i + 1) % len(codes)]]
        z = autoencoders.slerp(*ends, min(place.value - i, 1.0))
        shown.set_data(plots.as_pictures(generator(z))[0])
        picture.value = _png(figure)

    place.observe(redraw, names="value")
    redraw()
    return _stacked(place, picture)


# --- lecture 05 ----------------------------------------------------------------------------------


def slid_away(
    distances: Float[Tensor, " n"], pulls: Mapping[str, Float[Tensor, " n"]]
) -> ipywidgets.VBox:
    """Lecture 05: fakes slide away from the data; how hard does each loss pull them back?"""
    picture = plots.SlidAway(distances, pulls)
    picture.figure.set_size_inches(8.2, 3.3)
    stops = {
        f"{at:g} σ{remark}": (distances - at).abs().argmin().item()
        for at, remark in ((1, ""), (2, ""), (4, ""), (8, ""), (12, ", out of sight"))
    }

    def draw(i: int) -> str:
        picture.show(i)
        told = (f"{name} <b>{pull[i].item():.3g}</b>" for name, pull in pulls.items())
        return f"{distances[i]:.3g} σ away, pull: " + ", ".join(told)

    return live(picture.figure, stops, draw, start="1 σ", label="slide the fakes")


def by_budget(
    budgets: Mapping[int, Mapping[str, tuple[float, float, float]]], floor: float
) -> ipywidgets.VBox:
    """Lecture 05: Fréchet distance of each loss, (mean, low, high), after so many updates."""
    names = list(next(iter(budgets.values())))
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    (dots,) = axes.plot(range(len(names)), "o", color=plots.DATA)
    intervals = axes.hlines(range(len(names)), 1, 1, color=plots.DATA)
    axes.axvline(floor, color="black", linewidth=0.8, linestyle=":")
    highest = max(high for means in budgets.values() for _, _, high in means.values())
    axes.set(xscale="log", xlim=(0.7 * floor, 1.4 * highest), xlabel="Fréchet distance")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()

    def draw(budget: int) -> str:
        rows = [budgets[budget][name] for name in names]
        dots.set_data([mean for mean, _, _ in rows], range(len(names)))
        intervals.set_segments([[(low, y), (high, y)] for y, (_, low, high) in enumerate(rows)])
        best, second = sorted(range(len(names)), key=lambda i: rows[i][0])[:2]
        clear = rows[best][2] < rows[second][1]
        return (
            f"first: <b>{names[best]}</b>, {rows[best][0]:.2f}; then {names[second]}, "
            f"{rows[second][0]:.2f}; their intervals {'are apart' if clear else 'overlap'}"
        )

    stops = {f"{budget:,} updates": budget for budget in budgets}
    return live(figure, stops, draw, start=list(stops)[-1], label="budget")


# --- lecture 06 ----------------------------------------------------------------------------------


def before_after(
    before: Float[Tensor, "n c h w"], after: Float[Tensor, "n c h w"], pixels: int = 256
) -> ipywidgets.VBox:
    """Lecture 06: a picture and its translation behind one another; a slider moves the curtain."""
    pair = [(plots.as_pictures(x) * 255).round().astype(np.uint8) for x in (before, after)]
    scale = max(1, pixels // before.shape[3])
    pair = [x.repeat(scale, 1).repeat(scale, 2) for x in pair]
    width = pair[0].shape[2]
    curtain = ipywidgets.IntSlider(50, 0, 100, description="translated", readout_format="d")
    which = ipywidgets.IntSlider(0, 0, len(before) - 1, description="picture")
    picture = ipywidgets.Image(format="png")

    def redraw(_change=None) -> None:
        cut = width * curtain.value // 100
        sheet = pair[0][which.value].copy()
        sheet[:, :cut] = pair[1][which.value][:, :cut]
        sheet[:, max(cut - 1, 0) : cut] = 255
        picture.value = _bytes(sheet)

    for slider in (curtain, which):
        slider.observe(redraw, names="value")
    redraw()
    return _stacked(curtain, which, picture)


def _sheets(names: list[str], pictures: Float[Tensor, "n c h w"]) -> tuple:
    """A figure with a row of pictures for each name, and its images, to be filled."""
    first = plots._sheet(pictures, len(pictures))
    ratio = first.shape[0] / first.shape[1]
    size = (7.6, 6.4 * ratio * len(names) + 0.1)
    figure, all_axes = plt.subplots(len(names), 1, figsize=size, squeeze=False)
    shown = {}
    for axes, name in zip(all_axes[:, 0], names, strict=True):
        shown[name] = axes.imshow(first, vmin=0, vmax=1)
        plots._bare(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure, shown


def hidden_signal(
    y: Float[Tensor, "n c h w"],
    there: Float[Tensor, "n c h w"],
    back: Callable[[Tensor], Tensor],
    spoilers: Mapping[str, Callable[[Tensor], Tensor]],
) -> ipywidgets.VBox:
    """Lecture 06: y, its translation, spoiled a little, and the way back from there.

    there: the translations of y; back: the other generator. Each spoiler is run once.
    """
    names = ["y", "F(y), spoiled", "change, × 8", "G of it"]
    figure, shown = _sheets(names, y)
    found = {}
    for name, spoil in spoilers.items():
        spoiled = spoil(there)
        again = back(spoiled)
        told = (
            f"what was done: {(spoiled - there).abs().mean() / 2:.4f}; way back off by "
            f"<b>{(again - y).abs().mean() / 2:.4f}</b> (mean absolute, in [0, 1])"
        )
        rows = zip(names, (y, spoiled, 8 * (spoiled - there), again), strict=True)
        found[name] = {row: plots._sheet(x, len(x)) for row, x in rows}, told

    def draw(name: str) -> str:
        sheets, told = found[name]
        for row, sheet in sheets.items():
            shown[row].set_data(sheet)
        return told

    stops = {name: name for name in spoilers}
    return live(figure, stops, draw, start=next(iter(stops)), label="in between")


def weights_of_the_way_back(
    x: Float[Tensor, "n c h w"],
    found: Mapping[str, tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]],
    told: Mapping[str, str],
) -> ipywidgets.VBox:
    """Lecture 06: λ as stops. found: stop -> (translated, there and back); told: its read-out."""
    names = ["x", "G(x)", "F(G(x))"]
    figure, shown = _sheets(names, x)

    def draw(stop: str) -> str:
        for name, pictures in zip(names, (x, *found[stop]), strict=True):
            shown[name].set_data(plots._sheet(pictures, len(pictures)))
        return told[stop]

    stops = {stop: stop for stop in found}
    return live(figure, stops, draw, start=list(stops)[len(stops) // 2], label="λ")


# --- lecture 07 ----------------------------------------------------------------------------------


def noised(chain: Any, x0: Float[Tensor, "1 c h w"], generator: torch.Generator) -> ipywidgets.VBox:
    """Lecture 07: a picture at the time t of a chain, and where t lies on the schedule."""
    noise = torch.randn(x0.shape, generator=generator)
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8), width_ratios=(1.6, 1))
    sizes = chain.alpha_bar.sqrt(), (1 - chain.alpha_bar).sqrt()
    left.plot(sizes[0], color=plots.DATA, label="picture")
    left.plot(sizes[1], color=plots.GREY, label="noise")
    place = left.axvline(0, color="black", linewidth=0.8)
    left.set(xlabel="t", ylabel="size")
    left.legend()
    image = right.imshow(plots.as_pictures(x0)[0], vmin=0, vmax=1)
    plots._bare(right)

    def draw(t: int) -> str:
        place.set_xdata([t, t])
        image.set_data(plots.as_pictures(chain.q_sample(x0, t, noise) / 2)[0])
        return (
            f"picture <b>{sizes[0][t]:.1%}</b> of its size, noise {sizes[1][t]:.1%}; "
            f"signal to noise {chain.snr[t]:.2g}"
        )

    last = chain.T - 1
    stops = {f"t = {round(last * i / 20)}": round(last * i / 20) for i in range(21)}
    return live(figure, stops, draw, start="t = 0", label="time")


def short_chains(
    x0: Float[Tensor, "1 c h w"], chains: dict[int, Any], generator: torch.Generator
) -> ipywidgets.VBox:
    """Lecture 07: the end of a chain of T steps, beside the noise that sampling begins with."""
    noise = torch.randn(x0.shape, generator=generator)
    figure, axes = plt.subplots(1, 2, figsize=(4.4, 2.5))
    images = [ax.imshow(plots.as_pictures(noise / 2)[0], vmin=0, vmax=1) for ax in axes]
    for ax, title in zip(axes, ("last step of training", "first of sampling"), strict=True):
        plots._bare(ax, title)

    def draw(T: int) -> str:
        chain = chains[T]
        images[0].set_data(plots.as_pictures(chain.q_sample(x0, T - 1, noise) / 2)[0])
        left = chain.alpha_bar[-1].sqrt().item()
        return f"of the picture's size <b>{left:.1%}</b> is left after {T:,} steps"

    stops = {f"T = {T:,}": T for T in chains}
    return live(figure, stops, draw, start=next(iter(stops)), label="steps")


def way_back(picture: "plots.WayBack") -> ipywidgets.VBox:
    """Lecture 07: along the way from noise to a picture; what does each guess average?"""
    times = list(picture.times)

    def draw(i: int) -> str:
        picture.show(i)
        return f"step {i + 1} of {len(times)}"

    stops = {f"t = {t}": i for i, t in enumerate(times)}
    return live(picture.figure, stops, draw, start=next(iter(stops)), label="time")


STEPS = (1, 2, 5, 10, 20, 50)
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0)


def sampler(
    model: Any, chain: Any, classes: list[str], shape: tuple[int, ...], **options: Any
) -> ipywidgets.VBox:
    """Lecture 07: steps, guidance and class of DDIM on a trained model, always from one x_T.

    options go to `ddim_sample`.
    """
    start = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
    figure, axes = plt.subplots(figsize=(6.4, 1.0))
    image = axes.imshow(np.zeros((shape[1], 8 * shape[2] + 14)), vmin=0, vmax=1)
    plots._bare(axes)
    plt.close(figure)
    asked = ipywidgets.Dropdown(options=list(enumerate_names(classes)), description="class")
    steps = ipywidgets.SelectionSlider(options=STEPS, value=10, description="steps")
    weight = ipywidgets.SelectionSlider(options=WEIGHTS, value=1.0, description="guidance")
    picture = ipywidgets.Image(format="png")

    def redraw(_change=None) -> None:
        labels = torch.full((8,), asked.value)
        how = {"steps": steps.value, "start": start, **options}
        x = chain.ddim_sample(model, start.shape, labels, weight.value, **how)
        image.set_data(plots._sheet(x, 8))
        picture.value = _png(figure)

    for control in (asked, steps, weight):
        control.observe(redraw, names="value")
    redraw()
    return _stacked(asked, steps, weight, picture)


def enumerate_names(names: list[str]):
    """(name, place) pairs, as a menu wants them."""
    return ((name, i) for i, name in enumerate(names))


# --- lecture 08 ----------------------------------------------------------------------------------


def detector_threshold(
    real: Float[Tensor, " n"], fakes: Mapping[str, Float[Tensor, " m"]], rare: float = 0.001
) -> ipywidgets.VBox:
    """Lecture 08: which real pictures a threshold accuses, and which fakes of whom it finds.

    rare: the share of fakes among all pictures, for the last number of the read-out.
    """
    figure, axes = plt.subplots(figsize=(7, 2.8))
    bins = np.linspace(*np.quantile(torch.cat([real, *fakes.values()]), (0.001, 0.999)), 50)
    kinds = {"real": real, **fakes}
    for (name, scores), color in zip(kinds.items(), plots.CYCLE, strict=False):
        style = {"alpha": 0.35} if name == "real" else {"histtype": "step", "linewidth": 2}
        axes.hist(scores.numpy(), bins, density=True, color=color, label=name, **style)
    line = axes.axvline(0, color="black", linewidth=1.5)
    axes.set(xlabel="score; accused to the right of the line", yticks=[])
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    def draw(threshold: float) -> str:
        line.set_xdata([threshold, threshold])
        accused = (real > threshold).double().mean().item()
        found = {name: (x > threshold).double().mean().item() for name, x in fakes.items()}
        first = next(iter(found.values()))
        among = rare * first / max(rare * first + (1 - rare) * accused, 1e-12)
        told = ", ".join(f"{name} {share:.0%}" for name, share in found.items())
        return (
            f"accused of a million real pictures: <b>{round(1e6 * accused):,}</b>; found: {told}. "
            f"If 1 in {round(1 / rare):,} is a fake of the first kind: of 100 accused "
            f"<b>{100 * among:.1f}</b> are fakes"
        )

    ordered = real.sort(descending=True).values
    stops = {
        f"{share:g} %": ordered[min(int(share / 100 * len(real)), len(real) - 1)].item()
        for share in (50, 20, 10, 5, 2, 1, 0)
    }
    return live(figure, stops, draw, start="1 %", label="real pictures accused")


STRENGTHS = {f"{s:g}": s for s in (0.0125, 0.025, 0.05, 0.075, 0.1)}


def watermark_strength(
    x: Float[Tensor, "1 c h w"], key: int, attack: Callable[[Tensor], Tensor]
) -> ipywidgets.VBox:
    """Lecture 08: a picture, marked, and the mark by itself; is it seen, and is it found?"""
    figure, all_axes = plt.subplots(1, 3, figsize=(7, 2.6))
    shown = []
    for axes, title in zip(all_axes, ("original", "marked", "the mark, × 8"), strict=True):
        shown.append(axes.imshow(plots.as_pictures(x)[0], vmin=0, vmax=1))
        plots._bare(axes, title)
    found = {}
    for strength in STRENGTHS.values():
        marked = auditing.embed_watermark(x, key, strength)
        p = [auditing.detect_watermark(y, key).item() for y in (marked, attack(marked))]
        told = (
            f"PSNR <b>{metrics.psnr(x, marked):.1f} dB</b>; p = {p[0]:.1e}, and after the attack "
            f"<b>{p[1]:.1e}</b>"
        )
        found[strength] = plots.as_pictures(torch.cat([marked, 8 * (marked - x)])), told

    def draw(strength: float) -> str:
        pictures, told = found[strength]
        for image, picture in zip(shown[1:], pictures, strict=True):
            image.set_data(picture)
        return told

    return live(figure, STRENGTHS, draw, start="0.05", label="strength")
