"""Sliders of lecture 01: densities, bandwidths, distances."""

import ipywidgets
import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import density, plots, procedural
from course_lib.checks import finite, present, shaped, whole
from course_lib.plots import density as figures
from course_lib.widgets import live

BANDWIDTHS = {
    "0.01 a spike on each point": 0.01,
    "0.05": 0.05,
    "0.1": 0.1,
    "0.3": 0.3,
    "1.0 one big blob": 1.0,
}


def bandwidth(points: Float[Tensor, "m 2"], validation: Float[Tensor, "n 2"]) -> ipywidgets.VBox:
    """Lecture 01: the Parzen density of points in the plane under the chosen bandwidth σ."""
    finite("points", present("points", shaped("points", points, "m", 2)))
    finite("validation", shaped("validation", validation, "n", 2, like=points))
    where = plots.plane(60)
    sigmas = torch.logspace(-2.2, 0.3, 40).tolist()
    _, scores = density.select_bandwidth(points, validation, sigmas)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), width_ratios=(1, 1.2))
    image = figures.draw_density(left, torch.ones(len(where)), points, None)
    scores = scores.tolist()
    right.plot(sigmas, scores, color=plots.DATA)
    (marker,) = right.plot([], [], "o", color=plots.MODEL, markersize=10)
    right.set(xscale="log", xlabel="bandwidth σ", ylabel="held-out log-likelihood in nats")
    right.set_ylim(max(min(scores), -12), max(scores) + 0.7)

    def draw(sigma: float) -> str:
        p = density.parzen_log_density(where, points, sigma).exp()
        image.set_data((p / p.max()).sqrt().reshape(60, 60).numpy())
        score = density.parzen_log_density(validation, points, sigma).mean().item()
        marker.set_data([sigma], [max(score, right.get_ylim()[0])])
        return f"σ = {sigma}: held-out points get <b>{score:.2f} nats</b> each"

    return live(figure, BANDWIDTHS, draw, start="0.3", label="bandwidth")


MOST = 4096  # pixels a side
OCTAVES = {  # octaves, and how strong each is beside the one before
    "1 octave": (1, 0.5),
    "2 octaves": (2, 0.5),
    "3 octaves": (3, 0.5),
    "5 octaves": (5, 0.5),
    "5, all equally strong": (5, 1.0),
}


def octaves(size: int = 128, seed: int = 0) -> ipywidgets.VBox:
    """Lecture 01: fractal noise out of more and more octaves of Perlin noise, from one seed."""
    whole("size", size, most=MOST), whole("seed", seed, 0, most=2**63)
    figure, axes = plt.subplots(figsize=(3.4, 3.4))
    image = axes.imshow([[0.0]], vmin=-1, vmax=1, cmap="gray", extent=(0, size, 0, size))
    plots.bare(axes)

    def draw(stop: tuple[int, float]) -> str:
        generator = torch.Generator().manual_seed(seed)
        noise = procedural.fractal_noise(size, *stop, generator=generator)
        image.set_data(noise.numpy())
        rough = (noise[:, 1:] - noise[:, :-1]).abs().mean() / noise.std()
        return f"neighbouring pixels differ by <b>{rough:.2f}</b> standard deviations"

    return live(figure, OCTAVES, draw, start="1 octave", label="detail")
