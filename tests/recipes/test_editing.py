"""The recipes of lecture 10, each for two steps."""

import shutil

import pytest
from torch import nn

from course_lib import pretrained
from course_lib.editing import CodeEncoder, SwapEncoder, SwapGenerator
from course_lib.label_maps import DoorGenerator, SpadeGenerator
from course_lib.recipes import editing
from course_lib.recipes.styles import WIDE
from course_lib.styles import StyleGenerator

FACES = pretrained.FOLDER / "style_peeps32.safetensors"


def card(folder, name: str) -> str:
    text = (folder / "weights" / f"{name}.md").read_text(encoding="utf-8")
    assert f"`python -m course_lib.recipes {name}`" in text
    assert list((folder / "runs" / name).glob("step-00000002-*.pt"))
    return text


def test_the_encoder_is_trained_for_the_generator_and_measured(elsewhere):
    shutil.copy(FACES, elsewhere / "weights")
    editing.encoder_peeps32(steps=2)
    told = card(elsewhere, "encoder_peeps32")
    assert "drawn again" in told and "own samples" in told
    generator = pretrained.load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
    encoder = CodeEncoder(generator.layers, generator.w_mean)
    pretrained.load_weights("encoder_peeps32", encoder)


def test_the_swapping_pair_is_trained_and_written_as_one(elsewhere):
    editing.swap_peeps32(steps=2)
    assert "another's texture" in card(elsewhere, "swap_peeps32")
    pretrained.load_weights("swap_peeps32", nn.ModuleList([SwapEncoder(), SwapGenerator()]))


@pytest.mark.parametrize(
    "name, net", [("land_spade", SpadeGenerator), ("land_door", DoorGenerator)]
)
def test_painters_of_maps_are_trained_and_read_by_the_rule(elsewhere, name, net):
    getattr(editing, name)(steps=2)
    told = card(elsewhere, name)
    assert "CPU seconds" in told and "intersection over union" in told
    pretrained.load_weights(name, net())
