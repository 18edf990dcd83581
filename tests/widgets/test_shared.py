"""What all sliders share: each stop draws another picture and reads out another number."""

import pytest

from course_lib.widgets import density, gan
from tests.helpers import every_stop_differs
from tests.widgets.test_density import bandwidth
from tests.widgets.test_losses import slid_away


@pytest.mark.parametrize("make", [bandwidth, density.octaves, gan.orbits, slid_away])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    every_stop_differs(make, stops=5)
