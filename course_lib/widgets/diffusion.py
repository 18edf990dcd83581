"""Sliders of lecture 07: schedules, chains, samplers."""

from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import plots
from course_lib.checks import floats, instance, named, pictures, several, wholes
from course_lib.diffusion import Diffusion
from course_lib.plots import diffusion as figures
from course_lib.widgets import live, png, stacked


def forward_process(
    chain: Any, x0: Float[Tensor, "1 c h w"], generator: torch.Generator
) -> ipywidgets.VBox:
    """Lecture 07: a picture at the time t of a chain, and where t lies on the schedule."""
    instance("chain", chain, Diffusion), pictures("x0", floats("x0", x0), count=1)
    instance("generator", generator, torch.Generator)
    noise = torch.randn(x0.shape, generator=generator)
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8), width_ratios=(1.6, 1))
    sizes = chain.alpha_bar.sqrt(), (1 - chain.alpha_bar).sqrt()
    left.plot(sizes[0], color=plots.DATA, label="picture")
    left.plot(sizes[1], color=plots.GREY, label="noise")
    place = left.axvline(0, color="black", linewidth=0.8)
    left.set(xlabel="t", ylabel="size")
    left.legend()
    image = right.imshow(plots.as_pictures(x0)[0], vmin=0, vmax=1)
    plots.bare(right)

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
    pictures("x0", floats("x0", x0), count=1), named("chains", chains, instance, Diffusion)
    instance("generator", generator, torch.Generator)
    noise = torch.randn(x0.shape, generator=generator)
    figure, axes = plt.subplots(1, 2, figsize=(4.4, 2.5))
    images = [ax.imshow(plots.as_pictures(noise / 2)[0], vmin=0, vmax=1) for ax in axes]
    for ax, title in zip(axes, ("last step of training", "first of sampling"), strict=True):
        plots.bare(ax, title)

    def draw(T: int) -> str:
        chain = chains[T]
        images[0].set_data(plots.as_pictures(chain.q_sample(x0, T - 1, noise) / 2)[0])
        left = chain.alpha_bar[-1].sqrt().item()
        return f"of the picture's size <b>{left:.1%}</b> is left after {T:,} steps"

    stops = {f"T = {T:,}": T for T in chains}
    return live(figure, stops, draw, start=next(iter(stops)), label="steps")


def reverse_process(picture: "figures.ReverseProcess") -> ipywidgets.VBox:
    """Lecture 07: along the way from noise to a picture; what does each guess average?"""
    instance("picture", picture, figures.ReverseProcess)
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
    if not hasattr(chain, "ddim_sample"):
        raise TypeError(f"chain must have ddim_sample, as a Diffusion; got {type(chain).__name__}")
    several("classes", classes, instance, str)
    if len(wholes("shape", shape)) != 3:
        raise ValueError(f"shape must be (c, h, w); got {shape!r}")
    start = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
    figure, axes = plt.subplots(figsize=(6.4, 1.0))
    image = axes.imshow(np.zeros((shape[1], 8 * shape[2] + 14)), vmin=0, vmax=1)
    plots.bare(axes)
    plt.close(figure)
    asked = ipywidgets.Dropdown(options=list(enumerate_names(classes)), description="class")
    steps = ipywidgets.SelectionSlider(options=STEPS, value=10, description="steps")
    weight = ipywidgets.SelectionSlider(options=WEIGHTS, value=1.0, description="guidance")
    picture = ipywidgets.Image(format="png")

    def redraw(_change=None) -> None:
        labels = torch.full((8,), asked.value)
        how = {"steps": steps.value, "start": start, **options}
        x = chain.ddim_sample(model, start.shape, labels, weight.value, **how)
        image.set_data(plots.as_sheet(x, 8))
        picture.value = png(figure)

    for control in (asked, steps, weight):
        control.observe(redraw, names="value")
    redraw()
    return stacked(asked, steps, weight, picture)


def enumerate_names(names: list[str]):
    """(name, place) pairs, as a menu wants them."""
    several("names", names, instance, str)
    return ((name, i) for i, name in enumerate(names))
