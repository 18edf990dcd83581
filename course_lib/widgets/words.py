"""Sliders of lecture 12: say a sentence and see who listens; a picture that appears in passes."""

import html
from collections.abc import Callable, Mapping

import ipywidgets
import matplotlib.pyplot as plt
import torch
from jaxtyping import Int
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from course_lib import plots
from course_lib.checks import (
    function,
    instance,
    integers,
    named,
    pictures,
    present,
    texts,
    whole,
)
from course_lib.plots import words as figures
from course_lib.widgets import live, png, stacked
from course_lib.words import understood

SAYINGS = {
    "seen in training": "a happy person with long hair and light skin and no glasses and no beard",
    "never together in training": "an old person with an afro and light skin and sunglasses",
    "a word turned round": "a person with no beard and glasses and dark skin",
    "nothing": "a person",
    "a colour only": "a person with a red mohawk",
}


def say_it(
    draw: Mapping[str, Callable[[str], Tensor]],
    read: Callable[[Tensor, Mapping[str, str]], str],
    sayings: Mapping[str, str] | None = None,
) -> ipywidgets.VBox:
    """Lecture 12: type a sentence, and see what each method draws and what the judge finds.

    draw: method -> a sentence -> pictures (n, 3, h, w), as many and as large for each method.
    read: (pictures, the facts that were told) -> what the judge finds, in words. A sentence that
    `draw` refuses with a ValueError is answered with what it says. sayings: stop -> sentence.
    """
    for method in named("draw", draw).values():
        function("draw", method)
    function("read", read)
    stops = named("sayings", SAYINGS if sayings is None else sayings, instance, str)
    first = next(iter(stops.values()))
    known: dict[str, dict[str, Tensor]] = {}  # a sentence that comes again is not drawn again

    def drawn(text: str) -> dict[str, Tensor]:
        if text not in known:
            known[text] = {name: pictures("draw", method(text)) for name, method in draw.items()}
        return known[text]

    figure, images = _rows(drawn(first))
    slider = ipywidgets.SelectionSlider(
        options=list(stops.items()), value=first, description="or choose",
        layout=ipywidgets.Layout(width="32em"),
    )  # fmt: skip
    box = ipywidgets.Text(
        value=first, description="say", continuous_update=False,
        layout=ipywidgets.Layout(width="48em"),
    )  # fmt: skip
    picture, readout = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def redraw(_change=None) -> None:
        told = understood(box.value)
        try:
            made = drawn(box.value)
        except ValueError as error:
            readout.value = f"<b>{html.escape(str(error))}</b>"
            return
        lines = [f"understood: {', '.join(told.values()) or 'nothing'}"]
        for name, x in made.items():
            images[name].set_data(plots.as_sheet(x, len(x)))
            lines.append(f"{name}: {read(x, told)}" if told else f"{name}: nothing was asked")
        readout.value = "<br>".join(lines)
        picture.value = png(figure)

    def choose(_change=None) -> None:
        box.value = slider.value

    slider.observe(choose, names="value")
    box.observe(redraw, names="value")
    redraw()
    return stacked(box, slider, readout, picture)


def _rows(made: Mapping[str, Tensor]) -> tuple[Figure, dict[str, AxesImage]]:
    """A figure with a row of pictures for each method, and the image of each row."""
    figure, all_axes = plt.subplots(len(made), 1, figsize=(4.6, 1.3 * len(made)), squeeze=False)
    plt.close(figure)
    images = {}
    for axes, (name, x) in zip(all_axes[:, 0], made.items(), strict=True):
        images[name] = axes.imshow(plots.as_sheet(x, len(x)), vmin=0, vmax=1)
        plots.bare(axes)
        axes.set_title(name, loc="left", fontsize=9)
    return figure, images


def masked_film(
    film: Int[Tensor, "steps B N"],
    show: Callable[[Tensor], Tensor],
    side: int,
    read: Callable[[Tensor], str],
) -> ipywidgets.VBox:
    """Lecture 12: pictures of which ever more tokens are known; what is not yet known is grey.

    film: the steps of a `tokens.Film`, −1 where a place is hidden; the last has none. show: tokens
    (B, N) -> pictures. read: what is said of pictures that are grey in part.
    """
    present("film", integers("film", film, 3)), whole("side", side)
    function("show", show), function("read", read)
    if film.shape[2] != side**2:
        raise ValueError(f"film must be (steps, B, {side**2}); got {tuple(film.shape)}")
    x = pictures("show", show(film[-1]))
    frames = torch.cat([torch.full_like(film[:1], -1), film])
    known = [int((tokens[0] >= 0).sum()) for tokens in frames]
    stops = {f"after {i} of {len(film)}: {n} of {side**2}": i for i, n in enumerate(known)}
    figure, image = _row(x)

    def draw(i: int) -> str:
        half_done = figures.covered(x, frames[i], side)
        image.set_data(plots.as_sheet(half_done, len(x)))
        return f"{known[i]} places known; {read(half_done)}"

    return live(figure, stops, draw, start=next(iter(stops)), label="passes")


def strips(
    label: str, drawn: Mapping[str, Tensor], read: Callable[[Tensor], str]
) -> ipywidgets.VBox:
    """Lecture 12: a row of pictures (n, c, h, w) for each stop, and what is read in them."""
    texts(label=label), function("read", read)
    drawn = named("drawn", drawn, pictures)
    figure, image = _row(next(iter(drawn.values())))

    def draw(stop: str) -> str:
        image.set_data(plots.as_sheet(drawn[stop], len(drawn[stop])))
        return read(drawn[stop])

    return live(figure, {stop: stop for stop in drawn}, draw, start=next(iter(drawn)), label=label)


def _row(x: Tensor) -> tuple[Figure, AxesImage]:
    figure, axes = plt.subplots(figsize=(7.2, 7.2 / len(x) + 0.1))
    image = axes.imshow(plots.as_sheet(x, len(x)), vmin=0, vmax=1)
    plots.bare(axes)
    return figure, image
