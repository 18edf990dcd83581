"""The recipes of lecture 11, each for two steps."""

import pytest

from course_lib import pretrained
from course_lib.recipes import restoration


@pytest.mark.everywhere
def test_every_recipe_trains_measures_and_writes(elsewhere, capsys):
    for recipe in restoration.RECIPES:  # those that others start from come first
        recipe(steps=2)
        name = recipe.__name__
        card = (elsewhere / "weights" / f"{name}.md").read_text(encoding="utf-8")
        assert f"`python -m course_lib.recipes {name}`" in card and "patch distance" in card
        assert list((elsewhere / "runs" / name).glob("step-00000002-*.pt"))
    assert pretrained.load_weights("enlarge_gan", restoration.enlarger())
    restoration.enlarge_l1(steps=2)  # a second time goes on where the first ended
    assert "has all 2 steps already" in capsys.readouterr().err
