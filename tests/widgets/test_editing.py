"""Sliders of lecture 10: each stop draws another picture; a painted map is drawn at once."""

from time import process_time

import ipywidgets
import pytest
import torch
from torch import nn

from course_lib import styles
from course_lib.label_maps import LAND, DoorGenerator, SpadeGenerator
from course_lib.widgets import editing as widgets
from tests.helpers import children, every_stop_differs


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def inversion():
    found = {f"{i} steps": {"W": pictures(i), "W+": pictures(i + 10)} for i in range(3)}
    return widgets.inversion(pictures(99), found, lambda y: f"{y.mean():.4f}")


def words():
    torch.manual_seed(0)
    net = styles.StyleGenerator(5, 7, (8, 6, 4), 32).eval()
    channels = sum(len(conv.affine.bias) for conv in net.convs)
    generator = torch.Generator().manual_seed(0)
    moves = {word: torch.randn(channels, generator=generator) / 4 for word in ("hat", "beard")}
    ws = net.ws(torch.randn(3, 5, generator=generator)).detach()
    return widgets.words(net, ws, moves, lambda word, x: f"{word} {x.mean():.5f}")


@pytest.mark.parametrize("make", [inversion, words])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    every_stop_differs(make)


def test_the_readout_of_an_inversion_tells_every_space():
    (readout,) = children(inversion(), ipywidgets.HTML)
    assert (
        f"W <b>{pictures(0).mean():.4f}</b>; W+ <b>{pictures(10).mean():.4f}</b>" == readout.value
    )


class Colours(nn.Module):
    """Draws each label in its colour: what a perfect painter would do."""

    def forward(self, m: torch.Tensor) -> torch.Tensor:
        from course_lib.label_maps import label_picture

        return label_picture(m.argmax(1))


def painting(painters: dict | None = None):
    maps = {"water": torch.full((8, 8), 2), "sand": torch.full((8, 8), 5)}
    return widgets.paint(painters or {"perfect": Colours()}, maps)


def parts(box: ipywidgets.VBox) -> tuple:
    start, brush, both, readout, _ = box.children  # the last names them for screen readers
    grid, picture = both.children
    return start, brush, grid.children, picture, readout


def test_painting_fills_a_cell_with_the_chosen_kind_and_draws_anew():
    start, brush, cells, picture, readout = parts(painting())
    assert len(cells) == 64 and all(cell.style.button_color == "#193b69" for cell in cells)
    before = bytes(picture.value)
    brush.value = "sand"
    cells[9].click()
    assert cells[9].style.button_color == "#bca17d" and bytes(picture.value) != before
    assert "perfect <b>100%</b>" in readout.value
    start.value = "sand"
    assert {cell.style.button_color for cell in cells} == {"#bca17d"}
    start.value = "water"  # the maps to begin with stay as they were
    assert {cell.style.button_color for cell in cells} == {"#193b69"}


def test_cells_say_where_and_what_they_are_and_all_kinds_can_be_chosen():
    _, brush, cells, _, _ = parts(painting())
    assert cells[8].tooltip == "row 2, column 1: water" and list(brush.options) == list(LAND)
    brush.value = "sand"
    cells[8].click()
    assert cells[8].tooltip == "row 2, column 1: sand"


def test_a_map_is_redrawn_within_a_tenth_of_a_second():
    painters = {"door": DoorGenerator(), "SPADE": SpadeGenerator()}
    _, brush, cells, _, readout = parts(painting(painters))
    brush.value, times = "grass", []
    for cell in cells[:5]:
        begin = process_time()
        cell.click()
        times.append(process_time() - begin)
    assert min(times) < 0.1 and "door" in readout.value


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match="maps must be"):
        widgets.paint({"a": Colours()}, {"small": torch.zeros(4, 4, dtype=torch.long)})
