"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import copy
import itertools
import math
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import editing
from course_lib.editing import (
    CodeEncoder,
    EncoderStep,
    SwapEncoder,
    SwapGenerator,
    SwapStep,
    channel_effects,
    channel_relevance,
    conditional_direction,
    domain_regulariser,
    feature_matching,
    instance_edges,
    invert,
    label_direction,
    local_codes,
    moved_styles,
    noise_regulariser,
    perceptual_distance,
    sefa,
    spade,
    straightened,
    strangeness,
    style_spreads,
    taps,
    tune,
)
from course_lib.restorers import PictureDiscriminator
from course_lib.styles import StyleGenerator
from course_lib.training import train
from tests.helpers import assert_step_runs_on_meta

DOUBLE = torch.float64


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def seq(*shape: int) -> torch.Tensor:
    """−3 … 3 over and over, in row order: exact."""
    return (torch.arange(math.prod(shape), dtype=DOUBLE) % 7 - 3).reshape(shape)


def exact(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=DOUBLE)


def net(seed: int = 0) -> StyleGenerator:
    torch.manual_seed(seed)
    net = StyleGenerator(5, 7, (8, 6, 4), 32).eval().requires_grad_(False)
    net.w_mean.normal_()
    return net


def codes(n: int, generator: StyleGenerator, seed: int = 1) -> torch.Tensor:
    z = torch.randn(n, generator.nz, generator=seeded(seed))
    return generator.ws(z).clone()


# How far apart


def test_perceptual_distance_of_two_maps():
    a = [seq(1, 3, 2, 2) + 0.5, seq(1, 2, 1, 1) + 1.5]
    b = [seq(1, 3, 2, 2).flip(3) + 0.5, seq(1, 2, 1, 1).flip(1) + 1.5]
    found = perceptual_distance(a, b)
    torch.testing.assert_close(found, exact(2.730438980072728), rtol=1e-7, atol=0)
    louder = perceptual_distance([10 * x for x in a], b)
    torch.testing.assert_close(louder, found, rtol=1e-7, atol=0)


def test_perceptual_distance_is_one_number_a_picture_and_bears_places_of_noughts():
    a = torch.zeros(2, 3, 4, 5, requires_grad=True)
    found = perceptual_distance([a], [torch.ones(2, 3, 4, 5)])
    torch.testing.assert_close(found, torch.ones(2), rtol=1e-5, atol=0)
    found.sum().backward()
    assert a.grad.isfinite().all()


def test_taps_are_what_the_trunk_says_on_its_way():
    trunk = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 3))
    x = torch.randn(1, 1, 8, 8, generator=seeded(0))
    first, last = taps(trunk, (2, 3))(x)
    torch.testing.assert_close(first, trunk[:2](x))
    torch.testing.assert_close(last, trunk(x))
    (resized,) = taps(trunk, (1,), 16)(x)
    assert resized.shape == (1, 2, 14, 14)
    with pytest.raises(ValueError, match="layers must rise"):
        taps(trunk, (3, 2))


# Inversion

A = torch.tensor([[1.0, 0], [0, 2], [1, 1]], dtype=DOUBLE)


def linear(w: torch.Tensor) -> torch.Tensor:
    return w @ A.T


def test_inversion_of_a_linear_generator_is_least_squares():
    start, x = torch.zeros(1, 2, dtype=DOUBLE), exact(1, 2, 3)[None]
    found = invert(linear, x, start, steps=300, lr=0.1)
    torch.testing.assert_close(found, exact(13, 10)[None] / 9, rtol=1e-3, atol=0)
    assert (linear(found) - x).square().mean().item() == pytest.approx(4 / 27, rel=1e-5)
    assert not start.any() and not found.requires_grad


def test_inversion_moves_no_weight_and_each_picture_for_itself():
    generator, x = net(), torch.rand(2, 3, 32, 32, generator=seeded(2))
    generator.requires_grad_(True)
    before = copy.deepcopy(generator.state_dict())
    start = codes(2, generator)

    def draw(ws):
        return generator.synthesis(ws, "none")

    both = invert(draw, x, start, steps=4)
    alone = invert(draw, x[1:], start[1:], steps=4)
    torch.testing.assert_close(both[1:], alone, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(before[key], value) for key, value in generator.state_dict().items())
    assert all(weight.grad is None for weight in generator.parameters())


def test_inversion_comes_nearer_and_penalties_hold_it_back():
    generator = net()
    x = generator.synthesis(codes(2, generator, 5), "none")
    start = generator.w_mean.expand(2, generator.layers, -1)

    def draw(ws):
        return generator.synthesis(ws, "none")

    def error(ws):
        return (draw(ws) - x).square().mean().item()

    free = invert(draw, x, start, steps=40)
    held = invert(draw, x, start, steps=40, penalty=lambda ws, _: 1e3 * (ws - start).square().sum())
    assert error(free) < 0.5 * error(start)
    assert (held - start).norm() < 0.1 * (free - start).norm()
    with pytest.raises(ValueError, match="depends on the code"):
        invert(lambda _: x, x, start, steps=1)


@pytest.mark.parametrize("period, wanted", [(2, 2.0), (4, 3.0), (None, 4.0)])
def test_noise_regulariser_of_stripes_and_of_ones(period, wanted):
    ones = torch.ones(1, 1, 16, 16, dtype=DOUBLE)
    stripes = (-1) ** (torch.arange(16) // (period // 2 if period else 16))
    assert noise_regulariser(ones * stripes).item() == pytest.approx(wanted)


def test_noise_regulariser_of_a_mixed_map_and_of_noise():
    assert noise_regulariser(seq(1, 1, 16, 16) / 2).item() == pytest.approx(0.14150094985961914)
    white = torch.randn(4000, 1, 16, 16, generator=seeded(0))
    found = noise_regulariser(white)
    expected = 2 / 256 + 2 / (16 * 64)  # means of 2 × 2 have variance 1/4, products of two 1/16
    assert abs(found.mean() - expected) < 4 * found.std() / math.sqrt(4000)
    with pytest.raises(ValueError, match="square"):
        noise_regulariser(torch.rand(1, 1, 8, 16))


# How ordinary


def test_strangeness_of_small_codes():
    one = strangeness(exact(-1, 2)[None, None], exact(0, 1), torch.diag(exact(4, 1)))
    torch.testing.assert_close(one, exact(3.625))
    covariance = exact([2, 0.5, 0], [0.5, 1, 0], [0, 0, 4])
    two = strangeness((seq(2, 3) / 2)[:, None], exact(0.5, 0, -0.5), covariance)
    torch.testing.assert_close(two, exact(14.428571428571429, 0.37797619047619047))
    layers = strangeness((seq(2, 3) / 2)[None], exact(0.5, 0, -0.5), covariance)
    torch.testing.assert_close(layers, two.mean()[None])


def test_strangeness_of_codes_of_the_mapping_is_one():
    generator = net()
    with torch.no_grad():
        w = generator.mapping(torch.randn(4000, 5, generator=seeded(3))).double()
    law, others = straightened(w[:2000]), w[2000:, None]
    covariance = torch.cov(law.T)
    assert abs(strangeness(others, law.mean(0), covariance).mean() - 1) < 0.1
    with pytest.raises(ValueError, match="positive definite"):
        strangeness(others, law.mean(0), torch.zeros(7, 7, dtype=DOUBLE))


def test_the_domain_regulariser_pulls_through_generator_and_encoder():
    w = torch.ones(1, 1, 1, dtype=DOUBLE, requires_grad=True)
    found = domain_regulariser(w, (2 * w).view(1, 1, 1, 1), lambda x: x.view(1, 1, 1) / 4)
    assert found.item() == 0.25
    (slope,) = torch.autograd.grad(found.sum(), w)
    assert slope.item() == 0.5
    with pytest.raises(ValueError, match="encode"):
        domain_regulariser(w, torch.ones(1, 1, 1, 1, dtype=DOUBLE), lambda x: x)


def test_the_encoder_begins_near_the_mean_and_its_step_lowers_both_errors():
    generator = net()
    torch.manual_seed(0)
    encoder = CodeEncoder(generator.layers, generator.w_mean)
    before = copy.deepcopy(generator.state_dict())
    x = torch.rand(4, 3, 32, 32, generator=seeded(1)) * 2 - 1
    assert encoder(x).shape == (4, 6, 7)
    step = EncoderStep(encoder, generator, lambda y: [y], lr=3e-3, steps=30)
    history = train(step, [x], 30)
    assert all(sum(v[-5:]) < sum(v[:5]) for v in history.losses.values())
    assert all(torch.equal(before[key], value) for key, value in generator.state_dict().items())


def test_the_steps_would_run_on_a_gpu():
    assert_step_runs_on_meta(
        lambda: EncoderStep(CodeEncoder(6, torch.zeros(7)), net(), lambda y: [y], steps=9),
        lambda: torch.rand(2, 3, 32, 32),
    )
    assert_step_runs_on_meta(
        lambda: SwapStep(SwapEncoder(), SwapGenerator(), steps=9), lambda: torch.rand(2, 3, 32, 32)
    )
    assert_step_runs_on_meta(
        lambda: SwapStep(SwapEncoder(), SwapGenerator(), 2e-3, 9, *players()),
        lambda: torch.rand(2, 3, 32, 32),
    )


# PTI


def test_tuning_moves_a_copy_nearer_and_leaves_the_mapping():
    generator, x = net(), torch.rand(1, 3, 32, 32, generator=seeded(2))
    before, ws = copy.deepcopy(generator.state_dict()), codes(1, generator)

    def error(g):
        return (g.synthesis(ws, "none") - x).square().mean().item()

    tuned = tune(generator, ws, x, steps=20, lr=1e-2, maps=lambda y: [y])
    assert error(tuned) < 0.7 * error(generator)
    assert all(torch.equal(before[key], value) for key, value in generator.state_dict().items())
    same = zip(tuned.mapping.parameters(), generator.mapping.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    assert not any(weight.requires_grad for weight in tuned.parameters())


def test_tuning_with_others_moves_strangers_less():
    generator, x = net(), torch.rand(1, 3, 32, 32, generator=seeded(2))
    ws, strangers = codes(1, generator), codes(8, generator, 9)

    def moved(g):
        apart = g.synthesis(strangers, "none") - generator.synthesis(strangers, "none")
        return apart.square().mean().item()

    free = tune(generator, ws, x, steps=20, lr=1e-2)
    held = tune(generator, ws, x, steps=20, lr=1e-2, others=lambda: strangers)
    assert moved(held) < 0.6 * moved(free)


def test_local_codes_lie_at_distance_alpha():
    pivot, w = exact(1, 2, 2)[None], exact(4, 2, 6)[None]
    torch.testing.assert_close(local_codes(pivot, w, 10), exact(7, 2, 10)[None])
    layers = local_codes(torch.stack([pivot, pivot + 1], 1), torch.stack([w, w], 1), 10)
    wanted = exact([5.803845, 2, 8.405126], [5.202563, 1.398718, 7.803845])[None]
    torch.testing.assert_close(layers, wanted, rtol=1e-6, atol=1e-6)
    assert local_codes(pivot, pivot, 10).isfinite().all()


# Directions


def test_label_direction_is_a_difference_of_means():
    w, has = exact([1, 0], [3, 0], [0, 4]), torch.tensor([True, True, False])
    torch.testing.assert_close(label_direction(w, has), exact(2, -4))
    with pytest.raises(ValueError, match="has must be true"):
        label_direction(w, has | True)


def test_conditional_direction_is_at_right_angles_to_all_others():
    n, others = exact(1, 0, 0), exact([0.6, 0.8, 0], [0, 0.6, 0.8])
    found = conditional_direction(n, others)
    wanted = exact(0.7295372, -0.5471529, 0.4103647)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)
    scaled = conditional_direction(n, others * exact(2, 5)[:, None])
    torch.testing.assert_close(scaled, found)
    assert (others @ found).abs().max() < 1e-12 and found.norm().item() == pytest.approx(1)
    with pytest.raises(ValueError, match="leave something"):
        conditional_direction(others[0], others)


def test_sefa_of_two_layers():
    a, b = exact([2, 0, 0], [0, 1, 0]), exact([0, 2, 2])
    first, second, third = sefa([a, b], 3)
    torch.testing.assert_close(first, exact(0, 0.7496782, 0.6618026), rtol=1e-6, atol=1e-7)
    gains = [sum((m @ v).square().sum() for m in (a, b)).item() for v in (first, second, third)]
    assert gains == pytest.approx([8.5311289, 4, 0.4688711])


# Words


def test_channel_relevance_of_small_channels():
    up, down = exact([[1, 0], [0, 1]]), exact([[0, 1], [-0.6, 0.8]])
    found = channel_relevance(up, down, exact(0.6, 0.8))
    torch.testing.assert_close(found, exact(0.4001470), rtol=1e-5, atol=0)
    up, down = F.normalize(seq(2, 3, 4) + 0.5, dim=2), F.normalize(seq(2, 3, 4).flip(2) + 1, dim=2)
    found = channel_relevance(up, down, exact(1, -1, 0.5, 0) / 1.5)
    torch.testing.assert_close(found, exact(0.05488748, 0.01646689), rtol=1e-6, atol=1e-8)


def test_moved_styles_move_one_channel_and_come_back():
    generator, ws = net(), codes(3, net())
    spreads = style_spreads(generator, codes(500, generator))
    assert spreads.shape == (sum(len(c.affine.bias) for c in generator.convs),)
    before = generator.synthesis(ws, "none")
    shift = torch.zeros_like(spreads)
    shift[9] = 2.0  # the second channel of the second convolution: the first has 8
    with moved_styles(generator, shift):
        assert generator.convs[1].affine.bias[1] == pytest.approx(3.0)
        assert not torch.allclose(generator.synthesis(ws, "none"), before)
    assert torch.equal(generator.synthesis(ws, "none"), before)


def test_channel_effects_are_pictures_with_one_channel_up_and_down():
    generator, ws = net(), codes(2, net())
    spreads = style_spreads(generator, codes(50, generator))
    up, down = channel_effects(generator, ws, lambda x: x.flatten(1)[:, :5], spreads, reach=1.0)
    assert up.shape == down.shape == (len(spreads), 2, 5)
    shift = torch.zeros_like(spreads)
    shift[3] = -spreads[3]
    with moved_styles(generator, shift):
        wanted = generator.synthesis(ws, "none").clamp(-1, 1).flatten(1)[:, :5]
    torch.testing.assert_close(down[3], wanted)


# Structure and texture


def test_structure_holds_no_means_and_texture_knows_no_places():
    torch.manual_seed(0)
    encoder, generator = SwapEncoder(), SwapGenerator()
    x = torch.rand(2, 3, 32, 32, generator=seeded(1)) * 2 - 1
    structure, texture = encoder(x)
    assert structure.shape == (2, 4, 8, 8) and texture.shape == (2, 32)
    assert structure.mean((2, 3)).abs().max() < 1e-5
    torch.testing.assert_close(texture.square().mean(1), torch.ones(2))
    assert generator(structure, texture).shape == x.shape
    tiled = torch.zeros(1, 3, 64, 64)
    tiled[:, :, ::4, ::4] = 1  # the texture branch sees the same window everywhere inside
    h = encoder.trunk(tiled)[:, :, 1:-1, 1:-1]
    assert encoder.seen(h).std((2, 3)).max() < 1e-6


def test_a_swapping_autoencoder_learns_to_draw_again():
    torch.manual_seed(0)
    step = SwapStep(SwapEncoder(), SwapGenerator(), steps=40)
    x = torch.rand(4, 3, 8, 8, generator=seeded(1)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    losses = train(step, [x], 40).losses["loss"]
    assert losses[-1] < 0.6 * losses[0]


def players() -> tuple[nn.Module, editing.CooccurrenceDiscriminator]:
    return PictureDiscriminator(), editing.CooccurrenceDiscriminator()


def test_patches_are_of_one_place_for_all_and_hold_the_picture():
    x = torch.arange(32.0).expand(3, 1, 32, 32) / 31  # a ramp to the right
    torch.manual_seed(0)
    found = editing.random_patches(x, 5)
    assert found.shape == (3, 5, 1, 8, 8) and torch.equal(found[0], found[2])
    steps = found[0, :, 0, :, 1:] - found[0, :, 0, :, :-1]  # 8 to 14 pixels, brought to 8
    assert 1 / 31 - 1e-6 <= steps.min() and steps[:, :, 1:-1].max() <= 14 / 8 / 31 + 1e-6
    with pytest.raises(ValueError, match="x must be square, of at least 16"):
        editing.random_patches(torch.zeros(1, 3, 12, 12))


def test_a_cooccurrence_score_needs_the_reference_and_not_its_order():
    torch.manual_seed(0)
    judge = editing.CooccurrenceDiscriminator().eval()
    reference, patches = torch.rand(2, 2, 4, 3, 8, 8, generator=seeded(1)).unbind()
    scores = judge(reference, patches[:, :3])
    assert scores.shape == (2, 3)
    torch.testing.assert_close(judge(reference.flip(1), patches[:, :3]), scores)
    torch.testing.assert_close(judge(reference, patches.flip(1))[:, 1:].flip(1), scores)
    assert (judge(reference.flip(0), patches[:, :3]) - scores).abs().min() > 0


def test_each_judge_of_a_swap_learns_and_pulls_and_none_leaves_the_loss_alone():
    x = torch.rand(4, 3, 32, 32, generator=seeded(1)) * 2 - 1
    after = {}
    for name, (critic, patches) in {"none": (0, 0), "critic": (1, 0), "patches": (0, 1)}.items():
        torch.manual_seed(0)
        pair, (image_judge, patch_judge) = (SwapEncoder(), SwapGenerator()), players()
        before = [next(judge.parameters()).clone() for judge in (image_judge, patch_judge)]
        step = SwapStep(*pair, critic=image_judge if critic else None,
                        patches=patch_judge if patches else None)  # fmt: skip
        losses = step(x)
        assert losses.keys() == {"loss"} | ({"d_loss", "g_loss"} if critic or patches else set())
        moved = [
            not torch.equal(next(judge.parameters()), weight)
            for judge, weight in zip((image_judge, patch_judge), before, strict=True)
        ]
        assert moved == [bool(critic), bool(patches)]
        after[name] = pair[1].rgb.affine.weight.detach().clone()
    assert not torch.equal(after["none"], after["critic"])
    assert not torch.equal(after["none"], after["patches"])


def test_the_swapped_picture_is_judged_beside_the_picture_of_its_texture():
    torch.manual_seed(0)
    step = SwapStep(SwapEncoder(), SwapGenerator(), patches=players()[1])
    seen = []
    step.patches.register_forward_pre_hook(lambda _, given: seen.append(given))
    x = torch.stack([torch.full((3, 32, 32), v) for v in (-0.5, 0.0, 0.5)])
    step(x)
    for reference, patches in seen:
        assert reference[:, 0, 0, 0, 0].tolist() == [0.5, -0.5, 0.0]
        assert torch.equal(patches[:, :4], reference)


# From label maps

X = exact(1, 3, 5, 7).view(1, 1, 2, 2)
LABELS = torch.zeros(1, 2, 4, 4, dtype=DOUBLE)
LABELS[:, 0, :, :2], LABELS[:, 1, :, 2:] = 1, 1


def test_spade_of_a_map_of_two_kinds():
    found = spade(X, LABELS, lambda m: m[:, :1] - m[:, 1:] / 2, lambda m: 2 * m[:, 1:] - m[:, :1])
    wanted = exact(-3.683279, 1.776393, -0.105574, 2.670820)
    torch.testing.assert_close(found.flatten(), wanted, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="shift_of"):
        spade(X, LABELS, lambda m: m[:, :1], lambda m: m)


def test_instance_norm_after_reflected_edges_forgets_which_flat_map_it_was():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect").double()
    flat = torch.eye(3, dtype=DOUBLE)[:, :, None, None].expand(-1, -1, 8, 8)
    drawn = F.instance_norm(conv(flat))
    assert (drawn - drawn[:1]).abs().max() < 1e-12
    kept = spade(conv(flat), flat, lambda m: 0 * conv(m), conv)
    assert (kept - kept[:1])[1:].abs().amax((1, 2, 3)).min() > 0.01


REAL = [[exact([2, 4]), exact([1])], [exact([1]), exact([5])]]
FAKE = [[exact([1, 1]), exact([0])], [exact([3]), exact([1])]]


def test_feature_matching_leaves_the_score_out_and_the_target_alone():
    assert feature_matching(REAL, FAKE).item() == 2.0
    one = feature_matching(REAL, [[exact([1, 2]), exact([0])], FAKE[1]])
    assert one.item() == 1.75
    real, fake = (torch.ones(1, 2, requires_grad=True) for _ in range(2))
    feature_matching([[2 * real, real]], [[3 * fake, fake]]).backward()
    assert real.grad is None and fake.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="scores alone"):
        feature_matching([[real]], [[fake]])


def test_edges_are_on_both_sides_and_ids_are_names():
    ids = torch.tensor([[[1, 1, 2], [1, 1, 2], [3, 3, 2]]])
    wanted = torch.tensor([[0, 1, 1], [1, 1, 1], [1, 1, 1]]).float()
    assert torch.equal(instance_edges(ids), wanted[None, None])
    assert torch.equal(instance_edges(10 - 3 * ids), wanted[None, None])
    left_and_right = torch.tensor([[[7, 7, 26], [7, 7, 26]]])
    assert instance_edges(left_and_right)[0, 0].tolist() == [[0, 1, 1], [0, 1, 1]]


def test_the_rate_rises_and_falls():
    rates = [editing._ramp(t / 100) for t in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[10] == rates[49] == 1.0 and rates[-1] < 0.01


# The formulas, written out with other means


def test_a_perceptual_distance_is_two_less_twice_the_cosine():
    a, b = torch.randn(2, 3, 4, 6, 5, generator=seeded(1)).double().unbind()
    expected = (2 - 2 * F.cosine_similarity(a, b, dim=1)).mean((1, 2))
    torch.testing.assert_close(perceptual_distance([a], [b]), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(perceptual_distance([a, a], [b, a]), expected, rtol=1e-6, atol=1e-6)


def test_taps_are_told_of_pictures_at_the_size_that_the_network_knows():
    trunk = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 3, 3))
    x = torch.randn(2, 1, 16, 16, generator=seeded(0))
    half = F.avg_pool2d(x, 2)  # bilinear at half the size, between each two pixels
    for found, expected in zip(taps(trunk, (1, 3), 8)(x), (trunk[:1](half), trunk(half)), strict=1):
        torch.testing.assert_close(found, expected)
    assert taps(trunk, (1,), 8)(x[:, :, :4])[0].shape == (2, 2, 8, 8)
    (kept,) = taps(trunk, (3,), 16)(x)
    assert torch.equal(kept, trunk(x))


def test_the_rate_of_an_inversion_is_a_ramp_a_plain_and_half_a_cosine():
    points = {0: 0.1, 0.025: 0.55, 0.05: 1, 0.3: 1, 0.5: 1, 0.625: 0.5 + 2**-1.5, 0.75: 0.5, 1: 0}
    assert [editing._ramp(t) for t in points] == pytest.approx(list(points.values()))


def test_an_inversion_takes_a_hundred_steps_the_first_a_tenth_of_the_rate():
    start, x, calls = exact([0.0, 0.0]), exact([1.0, -2.0]), []

    def draw(w):
        calls.append(w.detach().clone())
        return w

    invert(draw, x, start)
    assert len(calls) == 100
    # Adam's first step moves a number by the rate
    torch.testing.assert_close(calls[1], 0.1 * 0.05 * x.sign(), rtol=1e-6, atol=0)
    torch.testing.assert_close(invert(draw, x, start, 1, 0.2), 0.02 * x.sign(), rtol=1e-6, atol=0)
    assert torch.equal(invert(draw, x, start, 0), start)


@pytest.mark.parametrize("options, weight", [({}, 0.1), ({"weight": 3.0}, 3.0)])
def test_the_parts_of_an_inversion_s_loss_weigh_what_is_said(options, weight):
    start, x = exact([0.5]), exact([2.0, -1.0, 3.0])

    def draw(w):
        return torch.cat([w, w.square(), 1 - w], 1)

    def maps(y):
        return [y[:, :, None, None]]

    w = start.clone().requires_grad_()
    y = draw(w)
    loss = (y - x).pow(2).sum() / 3 + weight * (2 - 2 * F.cosine_similarity(y, x)[0])
    (slope,) = torch.autograd.grad(loss, w)
    for share, way in ((0.98, -1), (1.02, 1)):  # a penalty that nearly holds it, and one that wins
        held = invert(draw, x, start, 1, 1.0, maps, **options,
                      penalty=lambda code, _, s=share: -s * slope.item() * code[:, 0])  # fmt: skip
        assert torch.sign((held - start) * slope).item() == way
    pictures = []
    invert(draw, x, start, 1, penalty=lambda code, y: pictures.append(y) or code[:, 0])
    assert torch.equal(pictures[0], y)


def test_an_inversion_leaves_a_start_with_a_gradient_alone():
    start = torch.zeros(2, 1, requires_grad=True)
    found = invert(lambda w: w, torch.ones(2, 1), start, 2)
    assert not found.requires_grad and start.grad is None and not start.any()


def test_the_domain_regulariser_is_a_mean_square_for_each_picture():
    ws, back = torch.randn(2, 3, 4, 5, generator=seeded(0)).double().unbind()
    found = domain_regulariser(ws, torch.zeros(3, 1, 2, 2).double(), lambda _: back)
    for i in range(3):
        torch.testing.assert_close(found[i], F.mse_loss(ws[i], back[i]))


def test_straightening_undoes_the_leaky_relu():
    x = torch.randn(3, 4, generator=seeded(0))
    torch.testing.assert_close(straightened(nn.LeakyReLU(0.2)(x)), x)


def test_strangeness_is_a_mahalanobis_distance():
    ws, root = torch.randn(2, 3, 4, generator=seeded(0)), torch.randn(4, 4, generator=seeded(1))
    ws, mean, covariance = ws.double(), exact(1, 0, -1, 2), (root @ root.T).double() + torch.eye(4)
    away = torch.where(ws < 0, 5 * ws, ws) - mean
    expected = torch.einsum("bli,ij,blj->bl", away, covariance.inverse(), away) / 4
    torch.testing.assert_close(strangeness(ws, mean, covariance), expected.mean(1))


# The encoder


def test_a_code_encoder_adds_what_four_convolutions_say_to_the_mean():
    torch.manual_seed(0)
    mean = torch.randn(5, requires_grad=True)
    encoder = CodeEncoder(3, mean, size=24, nc=2, width=16)
    *layers, last, bias = encoder.net.parameters()
    for weight in layers:
        weight.data += 0.1 * torch.randn_like(weight)  # else the norms' own are ones and noughts
    x = torch.randn(2, 2, 24, 24)
    h = F.pixel_unshuffle(x, 2)
    shapes = [(16, 8, 3, 3), (32, 16, 3, 3), (32, 32, 3, 3), (16, 32, 3, 3)]
    for i, (shape, stride) in enumerate(zip(shapes, (1, 2, 1, 2), strict=True)):
        kernel, shift, scale, middle = layers[4 * i : 4 * i + 4]
        assert kernel.shape == shape
        h = F.group_norm(F.conv2d(h, kernel, shift, stride, padding=1), 8, scale, middle)
        h = torch.where(h < 0, 0.2 * h, h)
    expected = mean + (h.flatten(1) @ last.T + bias).view(2, 3, 5)
    torch.testing.assert_close(encoder(x), expected, rtol=1e-4, atol=1e-4)
    assert not encoder.mean.requires_grad and "mean" in encoder.state_dict()
    mean.data.zero_()
    assert encoder.mean.any()


def test_a_code_encoder_sees_32_pixels_of_colour_through_48_channels_unless_told():
    encoder = CodeEncoder(2, torch.zeros(4))
    assert encoder.net[1].weight.shape == (48, 12, 3, 3)
    assert encoder(torch.zeros(1, 3, 32, 32)).shape == (1, 2, 4)


def pooled(y: torch.Tensor) -> list[torch.Tensor]:
    return [y, F.avg_pool2d(y, 2)]


def plain(monkeypatch, autocast: Callable = nullcontext):
    monkeypatch.setattr(editing.device, "choose", lambda: SimpleNamespace(autocast=autocast))


def test_an_encoder_step_is_of_real_pictures_drawn_again_and_of_codes_known(monkeypatch):
    plain(monkeypatch)
    generator = net()
    torch.manual_seed(0)
    encoder = CodeEncoder(generator.layers, generator.w_mean, width=8)
    step = EncoderStep(encoder, generator, pooled, lr=0)
    x = torch.rand(3, 3, 32, 32, generator=seeded(1)) * 2 - 1
    torch.manual_seed(7)
    known = generator.ws(torch.randn(3, 5))
    y = generator.synthesis(encoder(x), "none")
    apart = perceptual_distance(pooled(y), pooled(x)).sum() / 3
    drawn = F.mse_loss(y, x) + apart / 10
    recognised = F.mse_loss(encoder(generator.synthesis(known, "none")), known)
    slopes = torch.autograd.grad(drawn + recognised / 10, [*encoder.parameters()])
    torch.manual_seed(7)
    losses = step(x)
    torch.testing.assert_close(losses, {"drawn": drawn.detach(), "known": recognised.detach()})
    assert not any(loss.requires_grad for loss in losses.values())
    for weight, slope in zip(encoder.parameters(), slopes, strict=True):
        torch.testing.assert_close(weight.grad, slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("options, rate", [({}, 1e-3), ({"lr": 0.01}, 0.01)])
def test_an_encoder_learns_at_a_rate_that_falls_over_the_steps(options, rate):
    generator = net()
    encoder = CodeEncoder(generator.layers, generator.w_mean, width=8)
    before = [weight.detach().clone() for weight in encoder.parameters()]
    step = EncoderStep(encoder, generator, lambda y: [y], steps=4, **options)
    assert step.optimizer.defaults["betas"] == (0.9, 0.999)
    rates = []
    for _ in range(3):
        step(torch.rand(2, 3, 32, 32, generator=seeded(0)))
        rates.append(step.optimizer.param_groups[0]["lr"])
        if len(rates) == 1:  # Adam's first step moves a weight by the rate
            pairs = zip(encoder.parameters(), before, strict=True)
            moved = max((a - b).abs().max().item() for a, b in pairs)
            assert moved == pytest.approx(rate, rel=0.01)
    assert rates == pytest.approx([rate * share for share in (0.75, 0.5, 0.25)])
    step = EncoderStep(encoder, generator, lambda y: [y], **options)
    step(torch.rand(2, 3, 32, 32))
    assert step.optimizer.param_groups[0]["lr"] == rate


@pytest.mark.parametrize(
    "steps, shares",
    [(4, [1, 0.75, 0.5, 0.25, 0.02, 0.02]), (None, [1] * 6), (100, [1, 0.99, 0.98, 0.97, 0.96])],
)
def test_a_rate_falls_in_a_line_to_a_fiftieth(steps, shares):
    optimizer, rates = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 3.0), []
    schedule = editing._falling(optimizer, steps)
    for _ in shares:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([3 * share for share in shares])


def test_networks_of_a_step_may_compute_in_bfloat16_and_the_losses_do_not(monkeypatch):
    plain(monkeypatch, lambda: torch.autocast("cpu", torch.bfloat16))
    generator, seen = net(), []
    encoder = CodeEncoder(generator.layers, generator.w_mean, width=8)
    encoder.net[-1].register_forward_hook(lambda _, __, y: seen.append(y.dtype))
    losses = EncoderStep(encoder, generator, lambda y: [y])(torch.rand(2, 3, 32, 32))
    swap = SwapStep(SwapEncoder(), SwapGenerator(), critic=PictureDiscriminator())
    swap.encoder.say.register_forward_hook(lambda _, __, y: seen.append(y.dtype))
    losses |= swap(torch.rand(2, 3, 32, 32))
    assert {*seen} == {torch.bfloat16}
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


# The generator moves


def test_tuning_makes_small_what_it_says(monkeypatch):
    generator, x = net(), torch.rand(2, 3, 32, 32, generator=seeded(2))
    ws, strangers, told = codes(2, generator), codes(3, generator, 9), []

    def step_aside(loss, optimizer):
        told.append(loss.detach())
        with torch.no_grad():
            for weight in optimizer.param_groups[0]["params"]:
                weight.mul_(1.1)

    monkeypatch.setattr(editing, "_descend", step_aside)
    tuned = tune(generator, ws, x, 2, maps=pooled, others=lambda: strangers)
    for loss, by in zip(told, (0, 1), strict=True):
        moved = copy.deepcopy(generator)
        for name, weight in moved.named_parameters():
            weight.data *= 1.0 if name.startswith("mapping") else 1.1**by
        y = moved.synthesis(ws, "none")
        expected = F.mse_loss(y, x) + perceptual_distance(pooled(y), pooled(x)).sum() / 20
        pair = (g.synthesis(strangers, "none") for g in (moved, generator))
        torch.testing.assert_close(loss, expected + F.mse_loss(*pair))
    torch.testing.assert_close(tuned.const, 1.1**2 * generator.const)


@pytest.mark.parametrize("options, rate", [({}, 2e-3), ({"lr": 0.01}, 0.01)])
def test_tuning_moves_each_weight_by_the_rate_at_first(options, rate):
    generator, x = net(), torch.rand(1, 3, 32, 32, generator=seeded(2))
    tuned = tune(generator, codes(1, generator), x, 1, **options)
    moved = (tuned.const - generator.const).abs().max().item()
    assert moved == pytest.approx(rate, rel=0.01)


def test_tuning_takes_45_steps_and_strangers_anew_in_each():
    generator, drawn = StyleGenerator(2, 2, (4,), 4), []

    def others():
        drawn.append(codes(1, generator, len(drawn)).detach().requires_grad_())
        return drawn[-1]

    x = torch.zeros(1, 3, 4, 4)
    tuned = tune(generator, codes(1, generator).requires_grad_(), x, others=others)
    assert len(drawn) == 45 and all(strangers.grad is None for strangers in drawn)
    assert not any(weight.requires_grad for weight in tuned.parameters())
    assert all(weight.requires_grad for weight in generator.parameters())
    same = tune(generator, codes(1, generator), x, 0)
    assert torch.equal(same.const, generator.const) and same is not generator


def test_local_codes_lie_on_the_way_at_one_distance_for_each_picture():
    pivot = torch.randn(3, 2, 4, generator=seeded(0)).double()
    w = pivot + exact(1, 10, 0.1)[:, None, None] * torch.randn(3, 2, 4, generator=seeded(1))
    found = local_codes(pivot, w, 2.5)
    apart = (found - pivot).flatten(1)
    torch.testing.assert_close(apart.square().sum(1).sqrt(), torch.full((3,), 2.5, dtype=DOUBLE))
    alike = F.cosine_similarity(apart, (w - pivot).flatten(1))
    torch.testing.assert_close(alike, torch.ones(3, dtype=DOUBLE))


# Directions and words


def test_a_label_direction_takes_both_means():
    w, has = torch.randn(7, 3, generator=seeded(0)), torch.tensor([1, 0, 0, 1, 0, 0, 1]).bool()
    with_it, without = (w[[0, 3, 6]].sum(0) / 3, w[[1, 2, 4, 5]].sum(0) / 4)
    torch.testing.assert_close(label_direction(w, has), with_it - without)


def test_a_conditional_direction_is_what_least_squares_leave():
    n, others = torch.randn(6, generator=seeded(0)), torch.randn(2, 6, generator=seeded(1))
    parts = torch.linalg.lstsq(others.T, n[:, None]).solution
    expected = F.normalize(n - (others.T @ parts)[:, 0], dim=0)
    torch.testing.assert_close(conditional_direction(n, others), expected)


@pytest.mark.parametrize("seed", range(4))
def test_sefa_is_a_singular_value_decomposition_whose_largest_numbers_are_positive(seed):
    weights = [torch.randn(k, 5, generator=seeded(seed)).double() for k in (3, 4)]
    found = sefa(weights, 3)
    expected = torch.linalg.svd(torch.cat(weights)).Vh[:3]
    torch.testing.assert_close((found * expected).sum(1).abs(), torch.ones(3, dtype=DOUBLE))
    torch.testing.assert_close(found @ found.T, torch.eye(3, dtype=DOUBLE))
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()
    assert sefa(weights, 5).shape == (5, 5)


def test_style_spreads_are_those_of_each_layer_s_own_styles():
    generator, ws = net(), torch.randn(9, 6, 7, generator=seeded(0))
    expected = [
        (ws[:, i] @ (conv.affine.weight / math.sqrt(7)).T).numpy().std(0, ddof=1)
        for i, conv in enumerate(generator.convs)
    ]
    found = style_spreads(generator, ws)
    assert found.tolist() == pytest.approx([x for layer in expected for x in layer], rel=1e-4)
    generator.requires_grad_(True)
    assert not style_spreads(generator, ws).requires_grad


def small(channels: int = 20) -> StyleGenerator:
    """A generator of one level, and so of one convolution, that learns."""
    torch.manual_seed(0)
    return StyleGenerator(3, 4, (channels,), 4)


def test_styles_of_a_generator_that_learns_move_by_a_shift_that_learns():
    generator, shift = small(), torch.arange(20.0).requires_grad_()
    before, (conv,) = generator.convs[0].affine.bias.detach().clone(), generator.convs
    with pytest.raises(RuntimeError, match="on the way"):
        with moved_styles(generator, shift):
            torch.testing.assert_close(conv.affine.bias.detach(), before + torch.arange(20.0))
            raise RuntimeError("on the way")
    assert torch.equal(conv.affine.bias, before) and conv.affine.bias.requires_grad
    assert conv.affine.bias.is_leaf


@pytest.mark.parametrize("options, reach", [({}, 3.0), ({"reach": 0.5}, 0.5)])
@pytest.mark.parametrize("make", [small, net])
def test_channel_effects_are_those_of_one_channel_after_the_other(make, options, reach):
    generator = make()
    with torch.no_grad():
        generator.rgbs[-1].bias.view(-1, generator.fold**2).add_(torch.tensor([[-2.0], [0], [2]]))
    ws = codes(3, generator).detach()
    spreads = torch.rand(sum(len(c.affine.bias) for c in generator.convs), generator=seeded(0)) + 1

    def see(x):
        return x.mean(3)

    found = channel_effects(generator, ws, see, spreads, **options)
    for sign, side in zip((1, -1), found, strict=True):
        for i, spread in enumerate(spreads.tolist()):
            shift = torch.zeros_like(spreads)
            shift[i] = sign * reach * spread
            with moved_styles(generator, shift), torch.no_grad():
                expected = see(generator.synthesis(ws, "none").clip(-1, 1)).flatten(1)
            torch.testing.assert_close(side[i], expected, rtol=1e-3, atol=1e-4)
        assert not side.requires_grad
    hooks = [conv.affine._forward_hooks for conv in generator.convs]
    assert not any(hooks)


def test_a_channel_s_relevance_is_a_cosine_with_the_mean_of_directions():
    up, down = torch.randn(2, 3, 5, 4, generator=seeded(0)).double().unbind()
    text = F.normalize(exact(1, -2, 0.5, 3), dim=0)
    change = up - down
    change[2] = 0
    ways = change / change.norm(dim=2, keepdim=True).clamp(min=1e-12)
    expected = F.cosine_similarity(ways.sum(1), text[None])
    torch.testing.assert_close(channel_relevance(down + change, down, text), expected)
    assert expected[2] == 0


# The networks of the swapping autoencoder


def test_a_swap_encoder_is_a_trunk_with_two_branches():
    torch.manual_seed(0)
    encoder, x = SwapEncoder(3, 5, 28, 2), torch.randn(2, 2, 28, 28)
    weights = [(w, b) for w, b in zip(*[iter(encoder.parameters())] * 2, strict=True)]

    def bent(h, pair, stride=1, padding=0):
        return nn.LeakyReLU(0.2)(F.conv2d(h, *pair, stride, padding))

    h = bent(F.pixel_unshuffle(x, 2), weights[0], 1, 1)
    h = bent(h, weights[1], 2, 1)
    places = F.conv2d(bent(h, weights[2]), *weights[3])
    seen = bent(bent(h, weights[4], 2), weights[5])
    texture = F.linear(seen.flatten(2).mean(2), *weights[6])
    flat = places.flatten(2)
    normal = (flat - flat.mean(2, keepdim=True)) / (flat.var(2, False, keepdim=True) + 1e-5).sqrt()
    structure, found = encoder(x)
    torch.testing.assert_close(structure, normal.view_as(places), rtol=1e-3, atol=1e-4)
    expected = math.sqrt(5) * F.normalize(texture, dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    widths = [w.shape[0] for w, _ in weights]
    assert widths == [48, 64, 64, 3, 96, 96, 5]
    nn.init.zeros_(encoder.say.weight), nn.init.zeros_(encoder.say.bias)
    assert not encoder(x)[1].any()  # a texture of nothing stays nothing


@pytest.mark.parametrize("channels, texture, nc", [(4, 32, 3), (2, 5, 1)])
def test_a_swap_generator_is_three_styled_convolutions_and_folded_pixels(channels, texture, nc):
    torch.manual_seed(0)
    generator = SwapGenerator() if nc == 3 else SwapGenerator(channels, texture, nc)
    structure, t = torch.randn(2, channels, 3, 3), torch.randn(2, texture)
    first, second, third = generator.convs
    rgb = generator.rgb(third(second(first(structure, t, None), t, None), t, None), t)
    found = generator(structure, t)
    assert found.shape == (2, nc, 12, 12)
    for c, i, j in itertools.product(range(nc), range(2), range(2)):
        assert torch.equal(found[:, c, i::2, j::2], rgb[:, 4 * c + 2 * i + j])

    def styled(inputs, outputs):  # kernel, bias, style, strength of the noise
        return 9 * inputs * outputs + outputs + (texture + 1) * inputs + 1

    wanted = styled(channels, 96) + styled(96, 64) + styled(64, 48)
    wanted += 48 * 4 * nc + 4 * nc + (texture + 1) * 48
    assert sum(weight.numel() for weight in generator.parameters()) == wanted


def test_a_cooccurrence_judge_sees_eight_pixels_through_layers_of_norm_one():
    torch.manual_seed(0)
    judge = editing.CooccurrenceDiscriminator(16, 2)
    reference, patches = torch.randn(2, 3, 2, 8, 8), torch.randn(2, 4, 2, 8, 8)
    for _ in range(40):  # the power iteration goes on with each answer
        judge(reference, patches)
    judge.eval()
    first, _, _, second, _, _, third = judge.features
    for layer in (first, second, third, judge.judge[0], judge.judge[2]):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, 0.02)
    assert first.weight.shape == (32, 2, 3, 3) and second.weight.shape == (16, 32, 3, 3)

    def bend(h):
        return torch.maximum(h, 0.2 * h)

    def features(x):
        h = F.avg_pool2d(bend(F.conv2d(x, first.weight, first.bias)), 2)
        h = bend(F.conv2d(h, second.weight, second.bias)).flatten(1)
        return F.linear(h, third.weight, third.bias)

    for b in range(2):
        known = features(reference[b]).sum(0) / 3
        for n in range(4):
            both = torch.cat([known, features(patches[b, n : n + 1])[0]])
            score = judge.judge[2](bend(judge.judge[0](both)))[0]
            torch.testing.assert_close(judge(reference, patches)[b, n], score)
    twice = judge(reference.repeat(1, 2, 1, 1, 1), patches)
    torch.testing.assert_close(twice, judge(reference, patches))
    assert editing.CooccurrenceDiscriminator()(*torch.zeros(2, 1, 1, 3, 8, 8)).shape == (1, 1)
    assert editing.CooccurrenceDiscriminator().features[-1].weight.shape == (64, 64)


@pytest.mark.parametrize("side, sizes", [(32, range(8, 15)), (48, range(12, 22))])
def test_patches_are_anywhere_and_of_every_size_up_to_seven_sixteenths(side, sizes):
    at = torch.arange(float(side))
    x = torch.stack(torch.meshgrid(at, at, indexing="xy"))[None]
    torch.manual_seed(0)
    found = torch.cat([editing.random_patches(x, 64)[0] for _ in range(8)])
    size = 8 * (found[:, 0, 0, 1] - found[:, 0, 0, 0])
    assert {round(s, 3) for s in size.tolist()} == {*map(float, sizes)}
    for axis, corner in enumerate((found[:, 0, 0, 0], found[:, 1, 0, 0])):
        begin = corner - (size / 16 - 0.5)  # the first of 8 centres lies so far inside
        assert begin.min().item() == pytest.approx(0, abs=1e-4), axis
        assert (begin + size).max().item() == pytest.approx(side, abs=1e-4), axis
        room = begin / (side - size)
        assert room.mean().item() == pytest.approx(0.5, abs=4 * 0.3 / math.sqrt(512))
    assert editing.random_patches(x).shape == (1, 4, 2, 8, 8)
    assert editing.random_patches(torch.zeros(1, 1, 16, 16), 1).shape == (1, 1, 1, 8, 8)


class Brightness(nn.Module):
    """Judges a picture by a multiple of its mean."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, x):
        return self.gain * x.mean((1, 2, 3))


@pytest.mark.parametrize("critic, patches", [(1, 0), (0, 1), (1, 1)])
def test_the_losses_of_a_swap_are_those_of_the_formula(monkeypatch, critic, patches):
    plain(monkeypatch)
    torch.manual_seed(0)
    pair, judge = (SwapEncoder(), SwapGenerator()), editing.CooccurrenceDiscriminator().eval()
    bright = Brightness()
    judges = {"critic": bright if critic else None, "patches": judge if patches else None}
    step = SwapStep(*pair, lr=0, **judges)
    x = torch.rand(3, 3, 32, 32, generator=seeded(1)) * 2 - 1

    structure, texture = pair[0](x)
    y, swapped = pair[1](structure, texture), pair[1](structure, texture[[2, 0, 1]])
    donor = x[[2, 0, 1]]

    def judged(real_side, fake_side):
        """real_side, fake_side: which way a score is wanted; 0: it does not count."""

        def player(real, made):
            sides = ((real_side, real), (fake_side, made))
            return sum(F.softplus(-way * score).mean() for way, score in sides if way)

        total = 0
        if critic:
            both = player(bright(x), bright(y)) + player(bright(x), bright(swapped))
            total = both / 2
        if patches:
            real, made, known = map(editing.random_patches, (donor, swapped, donor))
            total = total + player(judge(known, real), judge(known, made))
        return total

    torch.manual_seed(5)
    d_loss, g_loss = judged(1, -1), judged(0, 1)
    loss = F.l1_loss(y, x)
    judges = [*step.judges.parameters()]
    d_slopes = torch.autograd.grad(d_loss, judges, retain_graph=True)
    networks = [*pair[0].parameters(), *pair[1].parameters()]
    slopes = torch.autograd.grad(loss + g_loss, networks, allow_unused=True)

    torch.manual_seed(5)
    losses = step(x)
    expected = {"loss": loss.detach(), "d_loss": d_loss.detach(), "g_loss": g_loss.detach()}
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    assert not any(loss.requires_grad for loss in losses.values())
    for weight, slope in zip([*judges, *networks], [*d_slopes, *slopes], strict=True):
        if slope is not None:
            torch.testing.assert_close(weight.grad, slope, rtol=1e-2, atol=1e-5)


def test_without_judges_a_swap_is_a_reconstruction_in_l1(monkeypatch):
    plain(monkeypatch)
    torch.manual_seed(0)
    step = SwapStep(SwapEncoder(), SwapGenerator())
    x = torch.rand(2, 3, 32, 32, generator=seeded(1)) * 2 - 1
    expected = (step.generator(*step.encoder(x)) - x).abs().sum() / x.numel()
    losses = step(x)
    torch.testing.assert_close(losses, {"loss": expected.detach()})
    assert not losses["loss"].requires_grad and not hasattr(step, "d_optimizer")


@pytest.mark.parametrize("options, rate", [({}, 2e-3), ({"lr": 0.01}, 0.01)])
def test_both_sides_of_a_swap_learn_at_a_rate_that_falls(options, rate):
    torch.manual_seed(0)
    step = SwapStep(SwapEncoder(), SwapGenerator(), steps=4, critic=Brightness(), **options)
    x, weight = torch.rand(2, 3, 32, 32), step.generator.rgb.weight
    before, gain = weight.detach().clone(), step.critic.gain.item()
    step(x)
    # Adam's first step moves a weight by the rate
    assert (weight - before).abs().max().item() == pytest.approx(rate, rel=0.02)
    assert abs(step.critic.gain.item() - gain) == pytest.approx(rate, rel=0.02)
    step(x)
    for optimizer in (step.optimizer, step.d_optimizer):
        assert optimizer.defaults["betas"] == (0, 0.99)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate / 2)


# From label maps, once more


def test_spade_is_an_instance_norm_that_the_labels_scale_and_shift():
    x, labels = torch.randn(2, 3, 4, 6, generator=seeded(0)), torch.rand(2, 2, 8, 12)
    m = labels[:, :, ::2, ::2]  # nearest, at half the size
    scale, shift = m[:, :1].expand(-1, 3, -1, -1), 3 * m[:, 1:].expand(-1, 3, -1, -1)
    found = spade(x, labels, lambda m: m[:, :1].expand(-1, 3, -1, -1),
                  lambda m: 3 * m[:, 1:].expand(-1, 3, -1, -1))  # fmt: skip
    torch.testing.assert_close(found, F.instance_norm(x) * (1 + scale) + shift)


def test_feature_matching_is_a_sum_of_l1_losses_over_the_scales():
    shapes = ((2, 3, 4), (2, 5), (2, 1)), ((2, 3), (2, 2, 2), (2, 1))
    real, fake = ([[torch.randn(s, generator=seeded(seed)) for s in scale] for scale in shapes]
                  for seed in (0, 1))  # fmt: skip
    pairs = [(real[i][j], fake[i][j]) for i in range(2) for j in range(2)]
    expected = sum(F.l1_loss(p, q) for p, q in pairs) / 2
    torch.testing.assert_close(feature_matching(real, fake), expected)


def test_edges_are_where_one_of_four_neighbours_differs():
    ids = torch.randint(0, 3, (2, 6, 7), generator=seeded(0))
    wide = F.pad(ids[:, None].double(), (1, 1, 1, 1), mode="replicate")[:, 0]
    steps = ((0, 1), (2, 1), (1, 0), (1, 2))
    near = torch.stack([wide[:, y : y + 6, x : x + 7] for y, x in steps])
    found = instance_edges(ids)
    assert torch.equal(found, (near != ids).any(0)[:, None].float()) and found.dtype == torch.float


# What is refused

MAPS, META = torch.ones(2, 3, 2, 2), torch.device("meta")
WS, BLACK = torch.zeros(1, 6, 7), torch.zeros(1, 3, 32, 32)
ENCODER, TRUNK = CodeEncoder(6, torch.zeros(7)), nn.Sequential(nn.Identity(), nn.Identity())
SWAP = SwapEncoder(), SwapGenerator()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: perceptual_distance([], []), "maps_a must hold something; got 0"),
        (lambda: perceptual_distance([MAPS], [MAPS] * 2), "maps_b must hold 1; got 2"),
        (
            lambda: perceptual_distance([MAPS], [MAPS[:, :, :1]]),
            r"maps_b\[0\] must be \(2, 3, 2, 2\); got \(2, 3, 1, 2\)",
        ),
        (
            lambda: perceptual_distance([MAPS, MAPS[:1]], [MAPS, MAPS[:1]]),
            r"maps_a\[1\] must be of 2 pictures; got 1",
        ),
        (lambda: taps(nn.Identity(), (1,)), "trunk must be a Sequential; got Identity"),
        (lambda: taps(TRUNK, (0,)), r"layers\[0\] must be .* at least 1 and at most 2, got 0"),
        (lambda: taps(TRUNK, (1, 3)), r"layers\[1\] must be .* at most 2, got 3"),
        (lambda: taps(TRUNK, (1, 1)), r"layers must rise; got \[1, 1\]"),
        (lambda: taps(TRUNK, (1,), 4097), "size must be .* at most 4096, got 4097"),
        (
            lambda: invert(None, BLACK, WS),
            "synthesis must be a network or a function; got NoneType",
        ),
        (lambda: invert(linear, BLACK, WS, lr=0), "lr must be a finite number, above 0; got 0"),
        (lambda: invert(linear, BLACK, WS, weight=-1), "weight must be .* at least 0; got -1"),
        (lambda: invert(linear, BLACK, 3), "start must be a tensor of decimal numbers; got int"),
        (
            lambda: invert(linear, BLACK.int(), WS),
            "x must be a tensor of decimal .* got torch.int32",
        ),
        (lambda: invert(linear, BLACK, WS.to(META)), "start must be on cpu, .* got meta"),
        (lambda: invert(lambda w: w, BLACK, WS, -1), "steps must be .* at least 0 .* got -1"),
        (
            lambda: invert(lambda w: w, BLACK, WS, 100_001),
            "steps must be .* at most 100000, got 100001",
        ),
        (lambda: invert(lambda w: w, BLACK, WS), r"x must be \(1, 6, 7\); got \(1, 3, 32, 32\)"),
        (lambda: noise_regulariser(MAPS), r"noise must be \(B, 1, s, s\); got \(2, 3, 2, 2\)"),
        (lambda: straightened(torch.ones(2).int()), "w must be a tensor of decimal numbers"),
        (
            lambda: strangeness(WS[0], torch.zeros(7), torch.eye(7)),
            r"ws must be \(B, L, n\); got \(6, 7\)",
        ),
        (lambda: strangeness(WS, torch.zeros(6), torch.eye(7)), r"mean must be \(7,\); got \(6,\)"),
        (
            lambda: strangeness(WS, torch.zeros(7), torch.eye(7)[:1]),
            r"covariance must be \(7, 7\); got \(1, 7\)",
        ),
        (lambda: domain_regulariser(WS, BLACK, None), "encode must be a network or a function"),
        (
            lambda: domain_regulariser(WS, BLACK.to(META), ENCODER),
            "pictures must be on cpu, as what it meets here; got meta",
        ),
        (lambda: domain_regulariser(WS, BLACK[0], ENCODER), "pictures must be a tensor of 4 dim"),
        (lambda: domain_regulariser(WS.int(), BLACK, ENCODER), "ws must be a tensor of decimal"),
        (
            lambda: domain_regulariser(WS, BLACK, lambda _: WS[:, :1]),
            r"encode must return codes of shape \(1, 6, 7\); got \(1, 1, 7\)",
        ),
        (lambda: CodeEncoder(0, torch.zeros(7)), "layers must be .* at least 1, got 0"),
        (lambda: CodeEncoder(6, torch.zeros(1, 7)), r"mean must be \(w,\); got \(1, 7\)"),
        (
            lambda: CodeEncoder(6, torch.zeros(7), 12),
            "size and width must divide by 8; got 12 and 48",
        ),
        (
            lambda: CodeEncoder(6, torch.zeros(7), width=12),
            "size and width must divide by 8; got 32 and 12",
        ),
        (lambda: ENCODER(BLACK[:, :, :8]), r"x must be \(B, 3, 32, 32\); got \(1, 3, 8, 32\)"),
        (lambda: ENCODER(BLACK.double()), "x must be torch.float32, .* got torch.float64"),
        (
            lambda: EncoderStep(TRUNK, net(), pooled),
            "encoder must be a CodeEncoder; got Sequential",
        ),
        (lambda: EncoderStep(ENCODER, TRUNK, pooled), "generator must be a StyleGenerator; got"),
        (lambda: EncoderStep(ENCODER, net(), None), "maps must be a network or a function"),
        (lambda: EncoderStep(ENCODER, net(), pooled, -1), "lr must be .* at least 0; got -1"),
        (lambda: EncoderStep(ENCODER, net(), pooled, steps=0), "steps must be .* at least 1 .* 0"),
        (
            lambda: EncoderStep(ENCODER, net(), pooled)(BLACK[:, :1]),
            r"batch must be \(B, 3, 32, 32\); got \(1, 1, 32, 32\)",
        ),
        (lambda: tune(TRUNK, WS, BLACK), "generator must be a StyleGenerator; got Sequential"),
        (lambda: tune(net(), WS, BLACK, lr=0), "lr must be a finite number, above 0; got 0"),
        (lambda: tune(net(), WS[:, :5], BLACK), r"ws must be \(B, 6, 7\); got \(1, 5, 7\)"),
        (lambda: tune(net(), WS, MAPS), r"x must be \(1, C, H, W\); got \(2, 3, 2, 2\)"),
        (lambda: tune(net(), WS, BLACK, 0, maps=3), "maps must be a Callable; got int"),
        (lambda: tune(net(), WS, BLACK, 0, others=3), "others must be a Callable; got int"),
        (lambda: tune(net(), WS, BLACK, -1), "steps must be .* at least 0 .* got -1"),
        (
            lambda: tune(net(), WS, BLACK[:, :1], 1),
            r"x must be \(1, 3, 32, 32\); got \(1, 1, 32, 32\)",
        ),
        (lambda: local_codes(WS, WS, 0), "alpha must be a finite number, above 0; got 0"),
        (lambda: local_codes(WS[0, 0], WS[0, 0], 1), r"pivot must be \(B, …\); got \(7,\)"),
        (lambda: local_codes(WS, WS[:, :1], 1), r"w must be \(1, 6, 7\); got \(1, 1, 7\)"),
        (
            lambda: label_direction(WS[0], torch.ones(5).bool()),
            r"has must be \(6,\), one for each code; got \(5,\)",
        ),
        (
            lambda: label_direction(WS[0], torch.ones(6)),
            "has must be truth values .* torch.float32",
        ),
        (lambda: label_direction(WS, torch.ones(6).bool()), r"w must be \(N, n\); got \(1, 6, 7\)"),
        (
            lambda: label_direction(WS[0], torch.ones(6).bool().to(META)),
            "has must be on cpu, as what it meets here; got meta",
        ),
        (
            lambda: label_direction(WS[0].to(META), torch.ones(6).bool().to(META)),
            r"has must have values; got \(6,\) on the meta device",
        ),
        (lambda: conditional_direction(WS[0], WS[0]), r"n must be \(n,\); got \(6, 7\)"),
        (
            lambda: conditional_direction(WS[0, 0], WS[0, :, :5]),
            r"others must be \(k, 7\); got \(6, 5\)",
        ),
        (lambda: conditional_direction(WS[0, 0], WS[0] / 0), "others must be finite; it contains"),
        (lambda: sefa([], 1), "weights must hold something; got 0"),
        (
            lambda: sefa([WS[0], WS[0, :, :5]], 1),
            r"weights\[1\] must be \(outputs, 7\); got \(6, 5",
        ),
        (lambda: sefa([WS[0]], 8), "k must be .* at least 1 and at most 7, got 8"),
        (lambda: sefa([WS[0]], 0), "k must be .* at least 1 and at most 7, got 0"),
        (lambda: style_spreads(TRUNK, WS), "generator must be a StyleGenerator; got Sequential"),
        (lambda: style_spreads(net(), WS[:, :2]), r"ws must be \(B, 6, 7\); got \(1, 2, 7\)"),
        (lambda: style_spreads(net(), WS), "ws must be at least 2 codes for a spread; got 1"),
        (lambda: moved_styles(TRUNK, WS), "generator must be a StyleGenerator; got Sequential"),
        (lambda: moved_styles(small(), torch.zeros(1)), r"shift must be \(20,\); got \(1,\)"),
        (lambda: channel_effects(net(), WS, None, WS), "see must be a network or a function"),
        (lambda: channel_effects(net(), WS, pooled, WS, 0), "reach must be .* above 0; got 0"),
        (lambda: channel_effects(TRUNK, WS, pooled, WS), "generator must be a StyleGenerator; got"),
        (
            lambda: channel_effects(net(), WS[:, :2], pooled, WS),
            r"ws must be \(P, 6, 7\); got \(1, 2, 7\)",
        ),
        (
            lambda: channel_effects(small(), torch.zeros(1, 2, 4), pooled, torch.zeros(1)),
            r"spreads must be \(20,\); got \(1,\)",
        ),
        (lambda: channel_relevance(MAPS, WS, WS), r"up must be \(C, P, e\); got \(2, 3, 2, 2\)"),
        (
            lambda: channel_relevance(WS, WS[:, :1], WS),
            r"down must be \(1, 6, 7\); got \(1, 1, 7\)",
        ),
        (
            lambda: channel_relevance(WS, WS, torch.zeros(6)),
            r"text must be \(7,\); got \(6,\)",
        ),
        (
            lambda: channel_relevance(WS, WS, torch.zeros(7, 2)),
            r"text must be \(7,\); got \(7, 2\)",
        ),
        (lambda: SwapEncoder(0), "channels must be .* at least 1, got 0"),
        (lambda: SwapEncoder(texture=0), "texture must be .* at least 1, got 0"),
        (lambda: SwapEncoder(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: SwapEncoder(size=30), "size must be a multiple of 4, at least 28; got 30"),
        (lambda: SwapEncoder(size=24), "size must be a multiple of 4, at least 28; got 24"),
        (lambda: SWAP[0](BLACK[:, :1]), r"x must be \(B, 3, 32, 32\); got \(1, 1, 32, 32\)"),
        (lambda: SwapGenerator(0), "channels must be .* at least 1, got 0"),
        (lambda: SwapGenerator(texture=0), "texture must be .* at least 1, got 0"),
        (lambda: SwapGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: SWAP[1](MAPS, WS), r"structure must be \(B, 4, s, s\); got \(2, 3, 2, 2\)"),
        (
            lambda: SWAP[1](torch.zeros(2, 4, 8, 8), torch.zeros(1, 32)),
            r"texture must be \(2, 32\); got \(1, 32\)",
        ),
        (
            lambda: SWAP[1](torch.zeros(2, 4, 8, 8), torch.zeros(2, 4)),
            r"texture must be \(2, 32\); got \(2, 4\)",
        ),
        (lambda: editing.CooccurrenceDiscriminator(0), "width must be .* at least 1, got 0"),
        (lambda: editing.CooccurrenceDiscriminator(nc=0), "nc must be .* at least 1, got 0"),
        (
            lambda: editing.CooccurrenceDiscriminator()(BLACK, BLACK),
            r"patches must be \(B, n, 3, 8, 8\); got \(1, 3, 32, 32\)",
        ),
        (
            lambda: editing.CooccurrenceDiscriminator()(
                *torch.zeros(2, 1, 1, 3, 8, 8)[:, :, :, :1]
            ),
            r"patches must be \(B, n, 3, 8, 8\); got \(1, 1, 1, 8, 8\)",
        ),
        (
            lambda: editing.CooccurrenceDiscriminator()(
                torch.zeros(1, 2, 3, 8, 8), torch.zeros(2, 1, 3, 8, 8)
            ),
            r"reference must be \(2, k, 3, 8, 8\); got \(1, 2, 3, 8, 8\)",
        ),
        (
            lambda: editing.random_patches(BLACK, 0),
            "count must be .* at least 1 and at most 64, got 0",
        ),
        (lambda: editing.random_patches(BLACK, 65), "count must be .* at most 64, got 65"),
        (
            lambda: editing.random_patches(BLACK / 0),
            "x must be finite; it contains NaN or infinity",
        ),
        (lambda: editing.random_patches(BLACK[:, :, :16]), "x must be square, of at least 16 × 16"),
        (lambda: editing.random_patches(BLACK[0]), r"x must be \(B, C, s, s\); got \(3, 32, 32\)"),
        (lambda: SwapStep(TRUNK, SWAP[1]), "encoder must be a SwapEncoder; got Sequential"),
        (lambda: SwapStep(SWAP[0], TRUNK), "generator must be a SwapGenerator; got Sequential"),
        (lambda: SwapStep(*SWAP, critic=pooled), "critic must be a Module or NoneType; got func"),
        (
            lambda: SwapStep(*SWAP, patches=TRUNK),
            "patches must be a CooccurrenceDiscriminator or NoneType; got Sequential",
        ),
        (lambda: SwapStep(*SWAP, lr=-1), "lr must be .* at least 0; got -1"),
        (lambda: SwapStep(*SWAP, steps=0), "steps must be .* at least 1 .* got 0"),
        (
            lambda: SwapStep(*SWAP)(BLACK[:, :1]),
            r"batch must be \(B, 3, 32, 32\); got \(1, 1, 32, 32",
        ),
        (lambda: spade(MAPS, MAPS, None, pooled), "scale_of must be a network or a function"),
        (lambda: spade(MAPS, MAPS, pooled, None), "shift_of must be a network or a function"),
        (lambda: spade(WS, MAPS, pooled, pooled), r"x must be \(B, C, h, w\); got \(1, 6, 7\)"),
        (
            lambda: spade(MAPS, MAPS[:1], torch.abs, torch.abs),
            r"labels must be \(2, K, H, W\); got \(1, 3, 2, 2\)",
        ),
        (
            lambda: spade(MAPS, MAPS, lambda m: m[:, :1], torch.abs),
            r"scale_of must be \(2, 3, 2, 2\); got \(2, 1, 2, 2\)",
        ),
        (lambda: feature_matching([], []), "real must hold something; got 0"),
        (lambda: feature_matching([[MAPS]], []), "fake must hold 1; got 0"),
        (lambda: feature_matching([[MAPS, MAPS]], [[MAPS]]), r"fake\[0\] must hold 2; got 1"),
        (lambda: feature_matching([MAPS], [[MAPS]]), r"real\[0\] must be a Sequence; got Tensor"),
        (
            lambda: feature_matching([[MAPS, MAPS]], [[MAPS[:1], MAPS]]),
            r"fake\[0\]\[0\] must be \(2, 3, 2, 2\); got \(1, 3, 2, 2\)",
        ),
        (lambda: instance_edges(MAPS), r"ids must be whole numbers \(int64\); got torch.float32"),
        (lambda: instance_edges(MAPS.int()), r"ids must be a tensor of 3 dim.* got \(2, 3, 2, 2\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_the_largest_and_the_smallest_numbers_are_taken():
    assert taps(TRUNK, (2,), 4096) and sefa([WS[0]], 7).shape == (7, 7)
    assert editing.random_patches(BLACK, 64).shape == (1, 64, 3, 8, 8)
    assert CodeEncoder(1, torch.zeros(1), 8, 1, 8)(torch.zeros(2, 1, 8, 8)).shape == (2, 1, 1)


def test_the_smallest_pictures_that_are_allowed_can_be_taken_apart():
    s, t = SwapEncoder(size=28)(torch.zeros(1, 3, 28, 28))
    assert s.shape == (1, 4, 7, 7) and t.shape == (1, 32)
