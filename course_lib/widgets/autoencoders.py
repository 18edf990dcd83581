"""Sliders of lecture 02: components, codes, likelihood."""

from collections.abc import Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import autoencoders, plots
from course_lib.checks import floats, named, number, pictures
from course_lib.plots import autoencoders as figures
from course_lib.widgets import live, png, stacked


@torch.no_grad()
def morph(model: Any, x: Float[Tensor, "n c h w"]) -> ipywidgets.VBox:
    """A morph between any two of the pictures x: choose both ends, then the percentage."""
    pictures("x", floats("x", x)), _check_model("model", model)
    codes = model.encode(x)
    codes = codes[0] if isinstance(codes, tuple) else codes  # a VAE's encoder answers (mu, logvar)
    figure, axes = plt.subplots(1, 3, figsize=(6, 2.3))
    plt.close(figure)
    images = [ax.imshow(plots.as_pictures(x[:1])[0], vmin=0, vmax=1) for ax in axes]
    for ax, title in zip(axes, ("A", "between", "B"), strict=True):
        plots.bare(ax, title)
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
        picture.value = png(figure)

    for slider in (first, second, percent):
        slider.observe(redraw, names="value")
    redraw()
    return stacked(first, second, percent, picture)


def beta_planes(models: Mapping[str, Any], x: Float[Tensor, "n c h w"]) -> ipywidgets.VBox:
    """What the plane of 2-D codes decodes to, under the β that one chooses."""
    pictures("x", floats("x", x)), named("models", models, _check_model)
    sheets = {name: figures.decoded_plane(model, 8, 2.5)[0] for name, model in models.items()}
    figure, axes = plt.subplots(figsize=(3.6, 3.6))
    image = axes.imshow(next(iter(sheets.values())), vmin=0, vmax=1)
    plots.bare(axes)
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
    _check_model("model", model), number("reach", reach, above=0)
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
    plt.close(figure)
    sheet, extent = figures.decoded_plane(model, 9, reach)
    left.imshow(sheet, vmin=0, vmax=1, extent=extent)
    (marker,) = left.plot(0, 0, "o", color=plots.MODEL, markersize=9, markeredgecolor="white")
    shown = right.imshow(np.zeros((1, 1)), vmin=0, vmax=1)
    for ax in (left, right):
        plots.bare(ax)
    options = {"min": -reach, "max": reach, "step": 0.1, "continuous_update": True}
    sliders = [ipywidgets.FloatSlider(0, description=f"latent {i}", **options) for i in (1, 2)]
    picture = ipywidgets.Image(format="png")

    @torch.no_grad()
    def redraw(_change=None) -> None:
        z = torch.tensor([[slider.value for slider in sliders]])
        marker.set_data(z[:, 0], z[:, 1])
        shown.set_data(plots.as_pictures(model.decode(z))[0])
        picture.value = png(figure)

    for slider in sliders:
        slider.observe(redraw, names="value")
    redraw()
    return stacked(*sliders, picture)


def _check_model(name: str, model: Any) -> None:
    if not hasattr(model, "decode"):
        raise TypeError(f"{name} must be an autoencoder, with decode; got {type(model).__name__}")
