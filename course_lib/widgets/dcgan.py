"""Sliders of lecture 04: the shape calculator, a walk through codes."""

from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import autoencoders, plots, shapes
from course_lib.checks import finite, function, present, shaped
from course_lib.plots import dcgan as figures
from course_lib.widgets import png, stacked


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
        figures.draw_cells(left, figures.window_cells(**case, at=at))
        figures.draw_cells(right, output)
        left.set_title(f"input {n} × {n}, padded by {p}")
        right.set_title(f"output {size} × {size}")
        reach = {i * s + j * d - p for i in range(size) for j in range(k)}
        lost = n - len(reach & set(range(n)))
        seen = f"; {lost} of {n} rows and columns are never looked at" if lost else ""
        readout.value = f"{formula} = <b>{size}</b>{seen}"
        picture.value = png(figure)

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    figure.set_layout_engine("none")  # as in `live`
    return stacked(*sliders.values(), readout, picture)


@torch.no_grad()
def latent_walk(generator: Any, codes: Float[Tensor, "n nz"]) -> ipywidgets.VBox:
    """Lecture 04: a round trip over the given codes, along arcs; generator in evaluation mode."""
    function("generator", generator)
    weight = next(generator.parameters(), None) if hasattr(generator, "parameters") else None
    nz = getattr(generator, "nz", "nz")
    finite("codes", present("codes", shaped("codes", codes, "n", nz, like=weight)))
    figure, axes = plt.subplots(figsize=(2.6, 2.6))
    plt.close(figure)
    shown = axes.imshow(np.zeros((1, 1)), vmin=0, vmax=1)
    plots.bare(axes)
    place = ipywidgets.FloatSlider(0, min=0, max=len(codes), step=0.05, description="along")
    picture = ipywidgets.Image(format="png")

    @torch.no_grad()
    def redraw(_change=None) -> None:
        i = min(int(place.value), len(codes) - 1)
        ends = codes[[i]], codes[[(i + 1) % len(codes)]]
        z = autoencoders.slerp(*ends, min(place.value - i, 1.0))
        shown.set_data(plots.as_pictures(generator(z))[0])
        picture.value = png(figure)

    place.observe(redraw, names="value")
    redraw()
    return stacked(place, picture)
