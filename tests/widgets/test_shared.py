"""What all sliders share: each stop draws another picture and reads out another number, every
control has a label, and every picture brings its own white paper."""

import io

import ipywidgets
import pytest
from PIL import Image

from course_lib import build
from course_lib.widgets import density, gan
from tests.helpers import every_child, every_stop_differs
from tests.widgets.examples import made, makers
from tests.widgets.test_density import bandwidth
from tests.widgets.test_losses import slid_away


@pytest.mark.parametrize("make", [bandwidth, density.octaves, gan.orbits, slid_away])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    every_stop_differs(make, stops=5)


def test_every_module_of_widgets_makes_some():
    modules = {path.stem for path in (build.ROOT / "course_lib" / "widgets").glob("[a-z]*.py")}
    assert {name.split(".")[1] for name in makers()} == modules


@pytest.mark.parametrize("name", makers())
def test_every_control_has_a_label_and_every_picture_white_paper(name):
    """Words that a screen reader can say, not those of another control. No pixel lets the page
    shine through: on a dark one black axes would be lost."""
    parts = every_child(made(name))
    controls = [part for part in parts if part.has_trait("disabled")]
    labels = [control.description or control.tooltip for control in controls]
    assert controls and all(labels) and len({*labels}) == len(labels), labels
    pictures = [part for part in parts if isinstance(part, ipywidgets.Image)]
    for part in pictures:
        alpha = Image.open(io.BytesIO(part.value)).convert("RGBA").getchannel("A")
        assert alpha.getextrema() == (255, 255)
    assert pictures
