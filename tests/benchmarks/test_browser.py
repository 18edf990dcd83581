"""How long every widget of every lecture takes to redraw, in JupyterLab and Chromium."""

from collections import defaultdict
from statistics import median

import pytest

from tests.test_browser import VISITS, lab, move_every_widget, open_notebook, page, run_all

__all__ = ["lab", "page"]  # fixtures


@pytest.mark.benchmark
@pytest.mark.parametrize("name", [visit[0] for visit in VISITS])
def test_widgets_redraw_in_a_tenth_of_a_second(page, lab, name):  # noqa: F811
    open_notebook(page, lab, name)
    run_all(page)
    times = defaultdict(list)
    for widget, took in move_every_widget(page, name, times=7):
        times[widget].append(took)
    for widget, some in times.items():
        print(f"\n{name}: {median(some):.0f} ms, {max(some):.0f} at most: {widget}")
    assert median(took for some in times.values() for took in some) < 100
