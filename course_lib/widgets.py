"""Every slider of the course: one control with named stops, some of which fail, and a number to read out.

A widget redraws one figure that stays: only what changes is set anew, so that a redraw takes well under 100 ms
on two cores. Beside each widget stands a function in `plots` that draws the same stops as a static strip.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from . import density, plots, procedural


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def live(
    figure: Figure, stops: Mapping[str, Any], draw: Callable[[Any], str], start: str, label: str
) -> ipywidgets.VBox:
    """A slider over named stops above a figure. `draw(value)` changes the figure and returns the read-out."""
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
    return ipywidgets.VBox([slider, readout, picture])


BANDWIDTHS = {
    "0.01 a spike on each point": 0.01,
    "0.05": 0.05,
    "0.1": 0.1,
    "0.3": 0.3,
    "1.0 one big blob": 1.0,
}


def bandwidth(
    points: Float[Tensor, "m 2"], validation: Float[Tensor, "n 2"]
) -> ipywidgets.VBox:
    """Lecture 01: the Parzen density of points in the plane under the chosen bandwidth σ."""
    where = plots.plane(60)
    sigmas = torch.logspace(-2.2, 0.3, 40).tolist()
    _, scores = density.select_bandwidth(points, validation, sigmas)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), width_ratios=(1, 1.2))
    image = plots._draw_density(left, torch.ones(len(where)), points, None)
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


OCTAVES = {"1 octave": 1, "2": 2, "3": 3, "5": 5, "7: finer than a pixel": 7}


def octaves(size: int = 128, seed: int = 0) -> ipywidgets.VBox:
    """Lecture 01: fractal noise out of more and more octaves of Perlin noise, from one seed."""
    figure, axes = plt.subplots(figsize=(3.4, 3.4))
    image = axes.imshow([[0.0]], vmin=-1, vmax=1, cmap="gray", extent=(0, size, 0, size))
    plots._bare(axes)

    def draw(n: int) -> str:
        noise = procedural.fractal_noise(size, n, generator=torch.Generator().manual_seed(seed))
        image.set_data(noise.numpy())
        rough = (noise[:, 1:] - noise[:, :-1]).abs().mean() / noise.std()
        return f"neighbouring pixels differ by <b>{rough:.2f}</b> standard deviations"

    return live(figure, OCTAVES, draw, start="1 octave", label="detail")
