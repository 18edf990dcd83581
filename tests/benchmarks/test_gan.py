"""How long the live pictures of the lectures on GANs take to redraw."""

from collections.abc import Callable, Iterable
from itertools import product
from statistics import median
from time import perf_counter

import ipywidgets
import pytest

from course_lib.gan_losses import LOSSES
from course_lib.widgets import dcgan, gan
from tests.helpers import children

pytestmark = pytest.mark.benchmark


def report(name: str, change: Callable, values: Iterable) -> None:
    times = []
    for value in values:
        start = perf_counter()
        change(value)
        times.append(perf_counter() - start)
    print(f"\n{name}: {median(times) * 1000:.0f} ms a redraw, {max(times) * 1000:.0f} at most")
    assert median(times) < 0.1


@pytest.mark.parametrize("k, loss", [*product([1, 5], ["non_saturating", "wgan_gp"])])
def test_a_game_in_the_plane_runs_at_ten_pictures_a_second(k, loss):
    game = gan.GanInThePlane({loss: LOSSES[loss]})
    game.k.value = k
    report(f"GAN in the plane, {loss}, k = {k}", lambda t: game.show(t), range(1, 60))


def test_an_orbit_is_redrawn_in_a_tenth_of_a_second():
    (slider,) = children(gan.orbits(), ipywidgets.SelectionSlider)
    stops = [value for _, value in slider.options]
    report("orbits", lambda stop: setattr(slider, "value", stop), 5 * [*stops[1:], stops[0]])


def test_the_shape_calculator_is_redrawn_in_a_tenth_of_a_second():
    sliders = children(dcgan.shape_calculator(), ipywidgets.IntSlider)
    steps = [(slider, v) for slider in sliders for v in range(slider.min, min(slider.max, 15) + 1)]
    report("shape calculator", lambda step: setattr(step[0], "value", step[1]), steps)
