"""The recipes of lecture 12, each for two steps."""

import shutil

import pytest

from course_lib import pretrained
from course_lib.codebooks import VQAutoencoder
from course_lib.recipes import words

JUDGES = ("features_peeps", "classifier_peeps")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder of weights, but for the judges', and one for runs."""
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("SHA256SUMS", *(f"{judge}.safetensors" for judge in JUDGES)):
        shutil.copy(pretrained.FOLDER / name, weights)
    monkeypatch.setattr(pretrained, "FOLDER", weights)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_recipe_trains_measures_and_writes(elsewhere, capsys):
    for recipe in words.RECIPES:  # those that others need come first
        recipe(steps=2, n=8)
        name = recipe.__name__
        card = (elsewhere / "weights" / f"{name}.md").read_text(encoding="utf-8")
        assert f"`python -m course_lib.recipes {name}`" in card and "found" in card
        assert list((elsewhere / "runs" / name).glob("step-00000002-*.pt"))
    assert pretrained.load_weights("vqgan_peeps32", VQAutoencoder())
    words.RECIPES[0](steps=2, n=8)  # a second time goes on where the first ended
    assert "has all 2 steps already" in capsys.readouterr().err
