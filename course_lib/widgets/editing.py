"""Sliders of lecture 10: inversion step by step, words, and a map to paint."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import plots, styles
from course_lib.checks import (
    below,
    finite,
    function,
    instance,
    named,
    number,
    one_of,
    pictures,
    several,
    shaped,
)
from course_lib.editing import moved_styles
from course_lib.label_maps import KINDS, LAND, label_channels, label_picture, land_kinds
from course_lib.widgets import live, picture_bytes, stacked

CELLS = 8  # a side of the map to paint


def inversion(
    x: Float[Tensor, "1 c h w"],
    found: Mapping[str, Mapping[str, Tensor]],
    measure: Callable[[Tensor], str],
) -> ipywidgets.VBox:
    """Lecture 10: how near each space comes to a person after so many steps.

    found: number of steps -> space -> the picture (1, c, h, w). measure: what is read out of it.
    """
    pictures("x", x, count=1), function("measure", measure)
    found = {
        stop: named(f"found[{stop!r}]", spaces, pictures, count=1)
        for stop, spaces in named("found", found).items()
    }
    first = next(iter(found.values()))
    figure, axes = plt.subplots(1, 1 + len(first), figsize=(1.7 * (1 + len(first)), 2.1))
    axes[0].imshow(plots.as_pictures(x)[0], vmin=0, vmax=1)
    plots.bare(axes[0], "person")
    images = {}
    for ax, (name, y) in zip(axes[1:], first.items(), strict=True):
        images[name] = ax.imshow(plots.as_pictures(y)[0], vmin=0, vmax=1)
        plots.bare(ax, name)

    def draw(stop: str) -> str:
        for name, y in found[stop].items():
            images[name].set_data(plots.as_pictures(y)[0])
        return "; ".join(f"{name} <b>{measure(y)}</b>" for name, y in found[stop].items())

    stops = {stop: stop for stop in found}
    return live(figure, stops, draw, start=next(iter(found)), label="steps")


def words(
    generator: Any,
    ws: Float[Tensor, "n L w"],
    directions: Mapping[str, Float[Tensor, " C"]],
    read: Callable[[str, Tensor], str],
    steps: tuple[float, ...] = (-2.0, 1.0, 2.0, 4.0),
) -> ipywidgets.VBox:
    """Lecture 10: a word moves style channels. read(word, pictures) says what came of it.

    directions: word -> how far each style channel moves at step 1.
    """
    instance("generator", generator, styles.StyleGenerator), function("read", read)
    finite("ws", shaped("ws", ws, "n", generator.layers, generator.w, like=generator.const))
    channels = sum(len(conv.affine.bias) for conv in generator.convs)
    for name, shift in named("directions", directions).items():
        finite(name, shaped("directions", shift, channels, like=generator.const))
    several("steps", steps, number)
    stops: dict[str, tuple[str, float]] = {"as they are": (next(iter(directions)), 0.0)}
    stops |= {f"{word} × {step:g}": (word, step) for word in directions for step in steps}
    figure, axes = plt.subplots(figsize=(7.2, 1.3))
    image = axes.imshow(plots.as_sheet(torch.zeros(len(ws), 3, *[generator.size] * 2), len(ws)))
    plots.bare(axes)

    def draw(stop: tuple[str, float]) -> str:
        word, step = stop
        with torch.no_grad(), moved_styles(generator, step * directions[word]):
            x = generator.synthesis(ws, "none").clamp(-1, 1)
        image.set_data(plots.as_sheet(x, len(ws)))
        return read(word, x)

    return live(figure, stops, draw, start="as they are", label="word × step")


def paint(
    generators: Mapping[str, nn.Module], maps: Mapping[str, Int[Tensor, "8 8"]]
) -> ipywidgets.VBox:
    """Lecture 10: a map of 8 × 8 cells to paint with kinds of land, and what is drawn of it.

    Choose a kind, then click on cells, or go to them with the tab key and press space. maps: what
    to begin with, by name. Below stands how much of the map can be read again in each picture.
    """
    for net in named("generators", generators).values():
        instance("generators", net, nn.Module)
    for labels in named("maps", maps).values():
        below("maps", labels, KINDS, CELLS, CELLS)
    painting = _Painting(generators, maps)
    return painting.box


class _Painting:
    def __init__(self, generators: Mapping[str, nn.Module], maps: Mapping[str, Tensor]):
        self.generators, self.maps = generators, maps
        one_of("maps", first := next(iter(maps)), maps)
        self.labels = maps[first].clone()
        self.brush = ipywidgets.ToggleButtons(options=list(LAND), description="kind")
        self.start = ipywidgets.Dropdown(options=list(maps), description="begin with")
        small = ipywidgets.Layout(width="26px", height="26px", margin="0", padding="0", border="0")
        self.cells = [ipywidgets.Button(layout=small) for _ in range(CELLS**2)]
        for i, cell in enumerate(self.cells):
            cell.on_click(self._filler(i))
        columns = f"repeat({CELLS}, 26px)"
        grid = ipywidgets.GridBox(
            self.cells, layout=ipywidgets.Layout(grid_template_columns=columns, grid_gap="0")
        )
        self.picture, self.readout = ipywidgets.Image(format="png"), ipywidgets.HTML()
        self.start.observe(self._begin, names="value")
        self._begin()
        both = ipywidgets.HBox(
            [grid, self.picture], layout=ipywidgets.Layout(align_items="center", grid_gap="12px")
        )
        self.box = stacked(self.start, self.brush, both, self.readout)

    def _begin(self, _change=None) -> None:
        self.labels = self.maps[self.start.value].clone()
        for i in range(len(self.cells)):
            self._colour(i)
        self.redraw()

    def _filler(self, i: int) -> Callable:
        def fill(_cell) -> None:
            self.labels[i // CELLS, i % CELLS] = list(LAND).index(self.brush.value)
            self._colour(i)
            self.redraw()

        return fill

    def _colour(self, i: int) -> None:
        kind = self.labels[i // CELLS, i % CELLS].item()
        red, green, blue = list(LAND.values())[kind]
        self.cells[i].style.button_color = f"#{red:02x}{green:02x}{blue:02x}"
        place = f"row {i // CELLS + 1}, column {i % CELLS + 1}"
        self.cells[i].tooltip = f"{place}: {list(LAND)[kind]}"

    @torch.no_grad()
    def redraw(self) -> None:
        begin = perf_counter()
        labels = self.labels[None].repeat_interleave(2, 1).repeat_interleave(2, 2)
        drawn, told = [label_picture(labels)], []
        for name, net in self.generators.items():
            x = net(label_channels(labels))
            right = (land_kinds(x) == labels).double().mean()
            told.append(f"{name} <b>{right:.0%}</b>")
            drawn.append(x)
        took = perf_counter() - begin
        sheet = plots.as_sheet(torch.cat(drawn), len(drawn), gap=6)
        sheet = (sheet * 255).round().astype(np.uint8).repeat(3, 0).repeat(3, 1)
        self.picture.value = picture_bytes(sheet)
        self.readout.value = (
            f"map, {', '.join(self.generators)}. Read again by the rule: {', '.join(told)} "
            f"(drawn in {1000 * took:.0f} ms)"
        )
