"""What all sliders share: each stop draws another picture and reads out another number."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from course_lib.widgets import density, gan
from tests.helpers import children
from tests.widgets.test_density import bandwidth
from tests.widgets.test_losses import slid_away


@pytest.mark.parametrize("make", [bandwidth, density.octaves, gan.orbits, slid_away])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    before = plt.get_fignums()
    widget = make()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (picture,) = children(widget, ipywidgets.Image)
    (readout,) = children(widget, ipywidgets.HTML)
    seen = set()
    for _, value in slider.options:
        slider.value = value
        assert bytes(picture.value).startswith(b"\x89PNG")
        seen.add((bytes(picture.value), readout.value))
    assert len(seen) == len(slider.options) == 5
    assert plt.get_fignums() == before
