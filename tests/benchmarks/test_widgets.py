"""How long a slider takes to redraw."""

import time
from statistics import median

import ipywidgets
import pytest

from course_lib import widgets
from tests.test_widgets import bandwidth, of_type


@pytest.mark.benchmark
@pytest.mark.parametrize("make", [bandwidth, widgets.octaves])
def test_a_redraw_takes_less_than_a_tenth_of_a_second(make):
    widget = make()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    times = []
    for _ in range(4):
        for _, value in slider.options:
            start = time.perf_counter()
            slider.value = value
            times.append(time.perf_counter() - start)
    print(f"\n{make.__name__}: {median(times) * 1000:.0f} ms a redraw")
    assert median(times) < 0.1
