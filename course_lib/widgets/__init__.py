"""What all sliders share: named stops, some of which fail, and a number to read out.

A widget redraws one figure that stays: only what changes is set anew, so that a redraw takes well
under 100 ms on two cores. Each lecture's own sliders stand in the module with its name; beside each
one a function of that lecture's figures draws the stops as a strip.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from course_lib.checks import function, instance, named, one_of, texts

# ipywidgets writes a slider's label beside it but tells no screen reader of it, nor what the stop
# is called, nor what a button without words does; and JupyterLab takes the arrow keys of a menu for
# its own. Nothing in Python reaches these; what is to be done as a style is loaded does. What is
# drawn later is named when it comes.
SPOKEN = """<style onload="
const box = this.closest('.widget-vbox');
const name = () => {
    for (const handle of box.querySelectorAll('.noUi-handle')) {
        const slider = handle.closest('.widget-slider');
        const stop = slider.querySelector('.widget-readout');
        handle.setAttribute('aria-label', slider.querySelector('label').textContent);
        if (stop && stop.style.display !== 'none')
            handle.setAttribute('aria-valuetext', stop.textContent);
    }
    for (const button of box.querySelectorAll('button[title]'))
        if (button.title) button.setAttribute('aria-label', button.title);
    box.querySelectorAll('.widget-play button').forEach((button, i) =>
        button.setAttribute('aria-label', ['play or pause', 'stop', 'repeat'][i]));
    for (const control of box.querySelectorAll('select, .noUi-handle'))
        control.setAttribute('data-lm-suppress-shortcuts', 'true');
};
new MutationObserver(name).observe(box, {childList: true, subtree: true});
name();
"></style>"""


def png(figure: Figure) -> bytes:
    instance("figure", figure, Figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


def stacked(*parts: ipywidgets.Widget) -> ipywidgets.VBox:
    """One under the other, each as wide as it is: a box would stretch the picture.

    A part that is not seen names the sliders for screen readers.
    """
    unseen = ipywidgets.Layout(display="none")
    spoken = ipywidgets.Box([ipywidgets.HTML(SPOKEN)], layout=unseen)
    return ipywidgets.VBox([*parts, spoken], layout=ipywidgets.Layout(align_items="flex-start"))


def live(
    figure: Figure, stops: Mapping[str, Any], draw: Callable[[Any], str], start: str, label: str
) -> ipywidgets.VBox:
    """A slider over named stops above a figure: `draw(value)` changes it, returns the read-out."""
    instance("figure", figure, Figure), function("draw", draw), texts(label=label)
    one_of("start", start, named("stops", stops))
    plt.close(figure)  # the widget shows it; pyplot would show it a second time
    slider = ipywidgets.SelectionSlider(
        options=list(stops.items()), value=stops[start], description=label, continuous_update=True,
        layout=ipywidgets.Layout(width="32em"), style={"description_width": "initial"},
    )  # fmt: skip
    picture, readout = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def redraw(_change=None) -> None:
        readout.value = draw(slider.value)
        picture.value = png(figure)

    slider.observe(redraw, names="value")
    redraw()
    figure.set_layout_engine("none")  # its layout is found: to seek it anew takes half of a redraw
    return stacked(slider, readout, picture)


def picture_bytes(picture: np.ndarray) -> bytes:
    instance("picture", picture, np.ndarray)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or not picture.size:
        kind = f"{picture.dtype} {picture.shape}"
        raise ValueError(f"picture must be bytes, (h, w) or (h, w, 3); got {kind}")
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png", compress_level=1)
    return buffer.getvalue()
