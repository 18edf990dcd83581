"""Sliders of lecture 06: patches, colours, translations."""

from collections.abc import Callable, Mapping

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from torch import Tensor

from course_lib import plots
from course_lib.checks import floats, function, named, pictures, whole
from course_lib.widgets import live, picture_bytes, stacked


def before_after(
    before: Float[Tensor, "n c h w"], after: Float[Tensor, "n c h w"], pixels: int = 256
) -> ipywidgets.VBox:
    """Lecture 06: a picture and its translation behind one another; a slider moves the curtain."""
    pictures("before", before), pictures("after", after, count=len(before))
    whole("pixels", pixels, most=4096)
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
        picture.value = picture_bytes(sheet)

    for slider in (curtain, which):
        slider.observe(redraw, names="value")
    redraw()
    return stacked(curtain, which, picture)


def _sheets(names: list[str], x: Float[Tensor, "n c h w"]) -> tuple:
    """A figure with a row of pictures for each name, and its images, to be filled."""
    first = plots.as_sheet(x, len(x))
    ratio = first.shape[0] / first.shape[1]
    size = (7.6, 6.4 * ratio * len(names) + 0.1)
    figure, all_axes = plt.subplots(len(names), 1, figsize=size, squeeze=False)
    shown = {}
    for axes, name in zip(all_axes[:, 0], names, strict=True):
        shown[name] = axes.imshow(first, vmin=0, vmax=1)
        plots.bare(axes)
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
    pictures("y", floats("y", y)), function("back", back)
    pictures("there", floats("there", there), count=len(y))
    named("spoilers", spoilers)
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
        found[name] = {row: plots.as_sheet(x, len(x)) for row, x in rows}, told

    def draw(name: str) -> str:
        sheets, told = found[name]
        for row, sheet in sheets.items():
            shown[row].set_data(sheet)
        return told

    stops = {name: name for name in spoilers}
    return live(figure, stops, draw, start=next(iter(stops)), label="in between")


def trainings(
    x: Float[Tensor, "n c h w"],
    found: Mapping[str, tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]],
    told: Mapping[str, str],
) -> ipywidgets.VBox:
    """Lecture 06: trainings as stops. found: stop -> (G(x), F(G(x))); told: its read-out."""
    pictures("x", x), named("found", found), named("told", told, has=found)
    names = ["x", "G(x)", "F(G(x))"]
    figure, shown = _sheets(names, x)

    def draw(stop: str) -> str:
        for name, images in zip(names, (x, *found[stop]), strict=True):
            shown[name].set_data(plots.as_sheet(images, len(images)))
        return told[stop]

    stops = {stop: stop for stop in found}
    return live(figure, stops, draw, start=list(stops)[len(stops) // 2], label="training")
