"""The recipes of lecture 12, each for two steps."""

import pytest

from course_lib import pretrained
from course_lib.codebooks import VQAutoencoder
from course_lib.recipes import words


@pytest.mark.everywhere
def test_every_recipe_trains_measures_and_writes(elsewhere, capsys):
    for recipe in words.RECIPES:  # those that others need come first
        recipe(steps=2, n=8)
        name = recipe.__name__
        card = (elsewhere / "weights" / f"{name}.md").read_text(encoding="utf-8")
        assert f"`python -m course_lib.recipes {name}`" in card and "found" in card
        assert list((elsewhere / "runs" / name).glob("step-00000002-*.pt"))
    assert pretrained.load_weights("vq_peeps32", VQAutoencoder())
    words.RECIPES[0](steps=2, n=8)  # a second time goes on where the first ended
    assert "has all 2 steps already" in capsys.readouterr().err
