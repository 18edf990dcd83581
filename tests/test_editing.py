"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import copy
import math

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
