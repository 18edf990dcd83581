import numpy as np
import pytest
import torch

from course_lib.checks import is_whole, whole

INTEGERS = (3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), torch.tensor(3).short())
OTHERS = (True, np.True_, torch.tensor(True), 3.0, np.float64(3), torch.tensor(3.0), "3", None)
OTHERS += ([3], np.array([3]), torch.tensor([3]), torch.tensor(3, device="meta"))


@pytest.mark.parametrize("value", INTEGERS, ids=repr)
def test_integers_of_numpy_and_torch_are_whole_numbers(value):
    assert is_whole(value) and type(whole("n", value)) is int and whole("n", value) == 3


@pytest.mark.parametrize("value", OTHERS, ids=repr)
def test_nothing_else_is_a_whole_number(value):
    assert not is_whole(value)
    with pytest.raises(ValueError, match="n must be a whole number of steps, at least 1, got"):
        whole("n", value, unit="steps")


def test_a_whole_number_may_have_a_least_value():
    assert whole("n", 0, least=0) == 0 and whole("n", -5, least=-9) == -5
    for value, least in ((0, 1), (-1, 0), (torch.tensor(3), 4)):
        with pytest.raises(ValueError, match=f"n must be a whole number, at least {least}, got"):
            whole("n", value, least)
