"""Label maps: the rule that makes and reads them, the two generators, one step of the game."""

import pytest
import torch

from course_lib import data
from course_lib.label_maps import (
    KINDS,
    LAND,
    DoorGenerator,
    LabelStep,
    MultiScaleDiscriminator,
    Spade,
    SpadeGenerator,
    fit_kinds,
    intersection_over_union,
    label_channels,
    label_picture,
    land_colours,
    land_kinds,
)
from course_lib.training import train
from tests.helpers import assert_step_runs_on_meta

FLAT = torch.arange(KINDS)[:, None, None].expand(-1, 16, 16)


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def test_the_kinds_of_land_are_those_found_in_the_pictures():
    x = data.to_float(data.load("earth").targets)
    found = ((fit_kinds(x) + 1) * 127.5).round()
    assert (found - torch.tensor(list(LAND.values()))).abs().max() <= 1


def test_kinds_are_means_of_clusters_that_lie_apart():
    x = torch.full((3, 3, 4, 4), -0.5)
    x[1], x[2] = 0.75, -0.75
    torch.testing.assert_close(fit_kinds(x, 2)[:, 0], torch.tensor([-0.625, 0.75]))
    with pytest.raises(ValueError, match="multiples of 4"):
        fit_kinds(torch.zeros(1, 3, 6, 8))


def test_what_the_labels_look_like_is_read_as_the_labels():
    labels = torch.randint(KINDS, (2, 3, 5), generator=seeded(0))
    x = label_picture(labels)
    assert x.shape == (2, 3, 12, 20)
    assert torch.equal(land_kinds(x), labels)
    noise = torch.tensor([0.3, -0.3]).repeat(10)  # its mean over a block is 0
    assert torch.equal(land_kinds(x + noise), labels)


def test_channels_hold_one_at_the_label():
    m = label_channels(torch.tensor([[[2, 0]]]), 3)
    assert m.tolist() == [[[[0, 1]], [[0, 0]], [[1, 0]]]]
    with pytest.raises(ValueError, match="labels must lie in"):
        label_channels(torch.tensor([[[3]]]), 3)


def test_intersection_over_union_by_hand():
    made, wanted = torch.tensor([[[0, 0, 1, 2]]]), torch.tensor([[[0, 1, 1, 1]]])
    assert intersection_over_union(made, wanted) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert intersection_over_union(wanted, wanted) == 1


def count(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_the_generators_have_about_as_many_weights_and_draw_pictures():
    nets = SpadeGenerator(), DoorGenerator()
    assert [count(net) for net in nets] == [183_388, 220_620]
    m = label_channels(FLAT)
    for net in nets:
        x = net(m)
        assert x.shape == (KINDS, 3, 64, 64) and x.abs().max() <= 1


def test_labels_at_the_door_are_forgotten_where_the_map_is_flat():
    torch.manual_seed(0)
    m = label_channels(FLAT)
    door, spade = DoorGenerator().double()(m.double()), SpadeGenerator().double()(m.double())
    assert (door - door[:1]).abs().max() < 1e-12
    assert (spade - spade[:1])[1:].abs().amax((1, 2, 3)).min() > 1e-3


def test_a_spade_layer_scales_and_shifts_by_place():
    torch.manual_seed(0)
    layer, x = Spade(4, kinds=2), torch.randn(1, 4, 8, 8, generator=seeded(1))
    m = torch.zeros(1, 2, 4, 4)
    m[:, 0, :, :2], m[:, 1, :, 2:] = 1, 1
    changed = m.clone()
    changed[:, :, 0, 0] = torch.tensor([0.0, 1.0])
    apart = (layer(x, m) - layer(x, changed)).abs().amax(1)[0]
    assert apart[:3, :3].max() > 1e-3 and apart[5:, 5:].max() == 0  # the rest stays as it was


def test_discriminators_of_two_scales_answer_layer_by_layer():
    net = MultiScaleDiscriminator()
    assert count(net) == 177_602
    answers = net(torch.rand(2, 3, 64, 64), label_channels(FLAT[:2]))
    assert [[layer.shape[-1] for layer in scale] for scale in answers] == [
        [16, 8, 8, 8],
        [8, 4, 4, 4],
    ]
    assert all(scale[-1].shape[1] == 1 for scale in answers)


def test_the_game_learns_the_colours_of_the_kinds():
    torch.manual_seed(0)
    labels = torch.randint(KINDS, (4, 16, 16), generator=seeded(0))
    x = label_picture(labels)
    step = LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), lr=3e-3, steps=60)
    train(step, [(torch.zeros_like(x), x)], 60)
    with torch.no_grad():
        made = land_kinds(step.generator(label_channels(labels)))
    assert (made == labels).float().mean() > 0.5  # chance: about 1 / 6


def test_the_step_would_run_on_a_gpu():
    assert_step_runs_on_meta(
        lambda: LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), steps=9),
        lambda: torch.rand(2, 3, 64, 64),
    )


def test_colours_are_in_the_range_of_pictures_and_dark_ones_first():
    brightness = land_colours().sum(1)
    assert land_colours().shape == (KINDS, 3) and land_colours().abs().max() <= 1
    assert torch.equal(brightness.sort().values, brightness)
