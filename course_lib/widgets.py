"""Every slider of the course: named stops, some of which fail, and a number to read out.

A widget redraws one figure that stays: only what changes is set anew, so that a redraw takes well
under 100 ms on two cores. Beside each widget a function of `plots` draws the stops as a strip.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from . import autoencoders, density, plots, procedural


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
