"""How long a slider takes to redraw."""

import time
from statistics import median

import ipywidgets
import pytest

from course_lib.widgets import density
from tests.helpers import children
from tests.widgets.test_density import bandwidth


@pytest.mark.benchmark
@pytest.mark.parametrize("make", [bandwidth, density.octaves])
def test_a_redraw_takes_less_than_a_tenth_of_a_second(make):
    widget = make()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    times = []
    for _ in range(4):
        for _, value in slider.options:
            start = time.perf_counter()
            slider.value = value
            times.append(time.perf_counter() - start)
    print(f"\n{make.__name__}: {median(times) * 1000:.0f} ms a redraw")
    assert median(times) < 0.1
