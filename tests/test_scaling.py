"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.gan import AdversarialStep
from course_lib.scaling import (
    BigGANDiscriminator,
    BigGANGenerator,
    ConditionalBatchNorm2d,
    GrowingStep,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    ProjectedDiscriminator,
    SelfAttention,
    dirac_rate,
    fade_in,
    growth,
    orthogonal_penalty,
    self_attention,
    shrunk,
    spectral_norm,
    standing_statistics,
    truncated_normal,
)
from course_lib.styles import StyleGenerator
from tests.helpers import assert_step_runs_on_meta


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def draw(*shape: int, seed: int = 0, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


# Growing

PROGAN = (512, 512, 512, 512, 256, 128, 64, 32, 16)


def test_the_growing_generator_at_1024_has_the_paper_s_parameters():
    with torch.device("meta"):
        net = ProgressiveGenerator(512, PROGAN)
    colours = sum(count(layer) for layer in net.rgbs[:-1])
    assert count(net) == 23_079_115 and count(net) - colours == 23_071_507  # 23.1 million


def test_a_level_fades_in_over_doubled_pixels():
    low, high = torch.tensor([[[[1.0]]]]), torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    assert fade_in(low, high, 0.25).flatten().tolist() == [0.75, 1.25, 1.75, 2.25]
    row = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    assert fade_in(row, torch.zeros(1, 1, 4, 4), 0)[0, 0, 0].tolist() == [0, 0, 1, 1]
    for alpha in (1.0, 1.5):
        assert torch.equal(fade_in(low, high, alpha), high)
    with pytest.raises(ValueError, match=r"high must be \(1, 1, 2, 2\)"):
        fade_in(low, low, 0.5)


def test_both_players_work_at_every_level():
    net, judge = ProgressiveGenerator(5, (8, 6, 4)), ProgressiveDiscriminator((8, 6, 4))
    for level in range(3):
        for alpha in (0.3, 1.0):
            net.level = judge.level = level
            net.alpha = judge.alpha = alpha
            x = net(draw(4, 5))
            assert x.shape == (4, 3, 4 * 2**level, 4 * 2**level)
            assert judge(x).shape == (4,)
    with pytest.raises(ValueError, match=r"x must be \(B, 3, 16, 16\)"):
        judge(torch.zeros(4, 3, 8, 8))
    with pytest.raises(ValueError, match=r"z must be \(B, 5\)"):
        net(torch.zeros(4, 6))


def test_at_alpha_0_a_new_level_changes_neither_player():
    net, judge = ProgressiveGenerator(5, (8, 6, 4)), ProgressiveDiscriminator((8, 6, 4))
    z, x = draw(4, 5), draw(4, 3, 16, 16)
    net.level = judge.level = 1
    before, said = net(z), judge(F.avg_pool2d(x, 2))
    net.level = judge.level = 2
    net.alpha = judge.alpha = 0.0
    torch.testing.assert_close(net(z), F.interpolate(before, scale_factor=2.0))
    torch.testing.assert_close(judge(x), said)


def test_growth_fades_and_holds_each_level():
    found = [growth(seen, 10, 3) for seen in (0, 9, 10, 15, 20, 29, 30, 37, 40, 1000)]
    golden = [(0, 1.0), (0, 1.0), (1, 0.0), (1, 0.5), (1, 1.0), (1, 1.0)]
    assert found == golden + [(2, 0.0), (2, 0.7), (2, 1.0), (2, 1.0)]
    with pytest.raises(ValueError, match="images must be a whole number, at least 1, got 0"):
        growth(0, 0, 3)


def test_data_is_shrunk_and_blended_like_the_fakes():
    x = draw(2, 3, 16, 16)
    torch.testing.assert_close(shrunk(x, 8, 1.0), F.avg_pool2d(x, 2))
    half = F.interpolate(F.avg_pool2d(x, 4), scale_factor=2.0)
    torch.testing.assert_close(shrunk(x, 8, 0.0), half)


def test_a_growing_step_shows_each_level_to_both_players():
    net, judge = ProgressiveGenerator(5, (8, 6, 4)), ProgressiveDiscriminator((8, 6, 4))
    step, levels = GrowingStep(net, judge, images=8, ema=0.9), []
    for _ in range(12):
        losses = step(draw(4, 3, 16, 16).clamp(-1, 1))
        assert all(value.isfinite() for value in losses.values())
        levels.append((net.level, net.alpha))
        assert (
            (judge.level, judge.alpha) == (step.ema.model.level, step.ema.model.alpha) == levels[-1]
        )
    assert levels == [growth(4 * i, 8, 3) for i in range(12)]


# Seeing far


def test_attention_over_two_places_gives_the_golden_numbers():
    x, one = torch.tensor([[[[0.0, math.log(3)]]]]), torch.ones(1, 1)
    assert self_attention(x, one, one, one).flatten().tolist() == pytest.approx(
        [math.log(3) / 2, 0.845667], abs=1e-6
    )


def test_attention_is_a_mean_and_moves_with_its_places():
    x, q, k = draw(2, 4, 3, 5), draw(3, 4, seed=1), draw(3, 4, seed=2)
    constant = torch.cat([x, torch.ones(2, 1, 3, 5)], 1)
    pad = torch.zeros(3, 1)
    picks = torch.tensor([[0.0, 0, 0, 0, 1]])
    y = self_attention(constant, torch.cat([q, pad], 1), torch.cat([k, pad], 1), picks)
    torch.testing.assert_close(y, torch.ones(2, 1, 3, 5))
    v, order = draw(6, 4, seed=3), torch.randperm(15, generator=seeded(0))

    def mixed(x):
        return x.flatten(2)[..., order].view(x.shape)

    torch.testing.assert_close(self_attention(mixed(x), q, k, v), mixed(self_attention(x, q, k, v)))


def test_attention_is_torch_s_without_its_root_of_d():
    x, q, k, v = draw(2, 4, 3, 5), draw(3, 4, seed=1), draw(3, 4, seed=2), draw(6, 4, seed=3)
    rows = [(m @ x.flatten(2)).transpose(1, 2) for m in (q, k, v)]
    golden = F.scaled_dot_product_attention(*rows, scale=1.0).transpose(1, 2)
    torch.testing.assert_close(self_attention(x, q, k, v).flatten(2), golden)
    with pytest.raises(ValueError, match=r"key must be \(3, 4\); got \(3, 5\)"):
        self_attention(x, q, draw(3, 5), v)
    with pytest.raises(ValueError, match=r"key must be \(3, 4\); got \(2, 4\)"):
        self_attention(x, q, draw(2, 4), v)


@pytest.mark.parametrize("pool", [True, False])
def test_a_fresh_attention_block_returns_its_input_and_can_learn(pool):
    block, x = SelfAttention(16, pool), draw(2, 16, 4, 6)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.gamma.grad.abs() > 0
    weights = block.weights(x)
    assert weights.shape == (2, 24, 6 if pool else 24)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 24))
    with pytest.raises(ValueError, match="channels must be a whole number, at least 8"):
        SelfAttention(4)


def kernel() -> tuple[torch.Tensor, torch.Tensor]:
    weight = draw(16, 8, 3, 3, seed=9, dtype=torch.float64)
    return weight, F.normalize(draw(16, seed=10, dtype=torch.float64), dim=0)


def test_power_iteration_gives_the_golden_numbers():
    weight, u = kernel()
    for steps, golden in ((1, 7.963), (5, 11.114), (20, 11.527)):
        assert spectral_norm(weight, u, steps)[0].item() == pytest.approx(golden, abs=5e-4)
    exact = torch.linalg.matrix_norm(weight.flatten(1), 2).item()
    assert exact == pytest.approx(11.538, abs=5e-4)
    assert spectral_norm(weight, u, 300)[0].item() == pytest.approx(exact)


def test_one_step_a_call_is_as_good_as_many_at_once():
    weight, u = kernel()
    once, _ = spectral_norm(weight, u, 20)
    for _ in range(20):
        sigma, u = spectral_norm(weight, u)
    torch.testing.assert_close(sigma, once)


def test_power_iteration_agrees_with_torch_s():
    torch.manual_seed(0)
    layer = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 5, 3).double())
    for _ in range(300):  # torch makes one step at each answer, u before v
        normed = layer.weight
    weight = layer.parametrizations.weight.original
    sigma, u = spectral_norm(weight, torch.ones(5, dtype=torch.float64), 300)
    torch.testing.assert_close(weight / sigma, normed)
    assert abs(u @ layer.parametrizations.weight[0]._u).item() == pytest.approx(1)


def test_the_gradient_of_a_normed_weight_does_not_lengthen_it():
    weight, u = kernel()
    weight.requires_grad_()
    _, u = spectral_norm(weight, u, 500)
    sigma, u = spectral_norm(weight, u)
    v = F.normalize(weight.detach().flatten(1).T @ u, dim=0)
    (u @ (weight / sigma).flatten(1) @ v).backward()  # its length: always 1
    assert weight.grad.abs().max() < 1e-6 and not u.requires_grad


def test_what_a_matrix_lengthens_is_neither_its_entries_nor_its_eigenvalues():
    u = torch.tensor([0.6, 0.8])
    assert spectral_norm(torch.tensor([[0.0, 2.0], [0.0, 0.0]]), u, 9)[0].item() == pytest.approx(2)
    assert spectral_norm(torch.eye(2), u)[0].item() == pytest.approx(1)
    with pytest.raises(ValueError, match=r"u must be \(2,\); got \(3,\)"):
        spectral_norm(torch.eye(2), torch.ones(3))
    with pytest.raises(ValueError, match="steps must be a whole number, at least 1 "):
        spectral_norm(torch.eye(2), u, 0)


@pytest.mark.parametrize(
    "rates, golden",
    [
        ((0.1, 0.1, 0.0), 1.00125),
        ((0.1, 0.1, 1.0), 0.95),
        ((0.1, 0.4, 1.0), 0.97321),
        ((0.4, 0.1, 1.0), 0.95394),
        ((0.1, 0.4, 0.02), 1.00100),
    ],
)
def test_the_dirac_game_s_rate_is_golden(rates, golden):
    # at γ = 1, a = b the root is double, where eigenvalues lose half of their digits
    assert dirac_rate(*rates) == pytest.approx(golden, abs=1e-5)


def test_rates_alone_do_not_bring_the_dirac_game_home():
    for d_lr in (0.001, 0.01, 0.1, 1.0):
        assert dirac_rate(0.1, d_lr, gamma=0.02) > 1  # γ < a / 4
        assert dirac_rate(0.1, min(d_lr, 0.1), gamma=1.0) < 1


# Classes


def test_biggan_at_128_has_the_paper_s_parameters():
    # google/compare_gan, testNumberOfParameters
    with torch.device("meta"):
        players = BigGANGenerator(1000), BigGANDiscriminator(1000)
    assert [count(net) for net in players] == [70_433_988, 87_982_370]
    assert players[0].blocks[0].norms[0].gain.in_features == 148  # 128 shared and 20 of z


def small() -> tuple[BigGANGenerator, BigGANDiscriminator]:
    torch.manual_seed(0)
    net = BigGANGenerator(3, nz=8, shared=4, ch=8, widths=(2, 2, 2, 1), attention=2, nc=1)
    return net, BigGANDiscriminator(3, ch=8, widths=(1, 2, 2), attention=1, nc=1)


def test_players_with_classes_make_and_judge_pictures():
    (net, judge), labels = small(), torch.tensor([0, 1, 2, 2])
    x = net(draw(4, 8), labels)
    assert x.shape == (4, 1, 32, 32) and x.abs().max() <= 1 and net.size == 32
    scores = judge(x, labels)
    assert scores.shape == (4,) and not torch.equal(scores, judge(x, labels.flip(0)))
    for bad, message in (
        (lambda: net(draw(4, 7), labels), r"z must be \(B, 8\)"),
        (lambda: net(draw(4, 8), labels[:3]), r"labels must be \(4,\)"),
        (lambda: judge(x, labels + 1), "labels must lie in 0 … 2; got 1 … 3"),
    ):
        with pytest.raises(ValueError, match=message):
            bad()
    with pytest.raises(ValueError, match="nz must be a multiple of 4, a chunk a block; got 10"):
        BigGANGenerator(3, nz=10, widths=(1, 1, 1, 1))


def test_a_fresh_conditional_norm_is_plain_batchnorm():
    x = 3 + 2 * draw(6, 4, 5, 5)
    plain, conditional = nn.BatchNorm2d(4), ConditionalBatchNorm2d(4, 7)
    torch.testing.assert_close(conditional(x, draw(6, 7)), plain(x))
    with pytest.raises(ValueError, match=r"condition must be \(6, 7\)"):
        conditional(x, draw(5, 7))


def test_a_condition_moves_its_own_picture_alone():
    norm, x, condition = ConditionalBatchNorm2d(4, 7), draw(6, 4, 5, 5), draw(6, 7)
    nn.init.normal_(norm.gain.weight)
    nn.init.normal_(norm.bias.weight)
    before, condition[2] = norm(x, condition.clone()), 5.0
    moved = (norm(x, condition) - before).abs().amax((1, 2, 3)) > 1e-6
    assert moved.tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("bound, variance", [(0.5, 0.080589), (1.0, 0.291125), (2.0, 0.773741)])
def test_truncation_draws_anew_and_does_not_clamp(bound, variance):
    z = truncated_normal((200_000,), bound, seeded(0)).double()
    # fourth moment at most bound⁴: four standard errors of the second
    error = 4 * math.sqrt(bound**2 * variance / 200_000)
    assert z.var().item() == pytest.approx(variance, abs=error)
    assert z.abs().max() <= bound and (z.abs() == bound).sum() < 5


def test_a_bound_must_leave_something():
    with pytest.raises(ValueError, match="bound must be .* above 0"):
        truncated_normal((3,), 0.0)


def test_the_orthogonal_penalty_leaves_lengths_free():
    weight = torch.tensor([[1.0, 1.0], [0.0, 2.0]], requires_grad=True)
    penalty = orthogonal_penalty(weight)
    penalty.backward()
    assert penalty.item() == 8
    assert weight.grad.tolist() == [[0, 16], [8, 8]]
    assert orthogonal_penalty(7 * torch.eye(3)) == 0


def test_standing_statistics_are_those_of_the_bound():
    net, _ = small()
    before = net.last[0].running_var.clone()
    torch.manual_seed(0)
    standing_statistics(net, 4, 16)
    wide = net.last[0].running_var.clone()
    standing_statistics(net, 4, 16, bound=0.1)
    assert not net.training and not torch.equal(before, wide)
    assert net.last[0].running_var.mean() < wide.mean()
    assert net.last[0].momentum == 0.1


# Fixed features


def fixed() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 4, 2, 1), nn.LeakyReLU(), nn.Conv2d(6, 8, 4, 2, 1), nn.LeakyReLU()
    return nn.Sequential(*layers, nn.Flatten())


def test_heads_judge_places_of_several_maps_and_the_features_stay_fixed():
    features = fixed()
    net = ProjectedDiscriminator(features, (1, 3), size=16, width=8)
    x = draw(4, 3, 16, 16).requires_grad_()
    scores = net(x)
    assert scores.shape[0] == 4 and scores.shape[1] == 2
    scores.sum().backward()
    assert x.grad.abs().sum() > 0 and features[0].weight.grad is None
    names = net.state_dict()
    assert not any("fixed" in name for name in names) and "mix0" in names
    assert not net.train().fixed.training
    assert net.to(torch.float64).fixed[0].weight.dtype == torch.float64  # it moves along


def test_steps_of_growing_and_of_classes_would_run_on_any_device():
    def grown():
        return GrowingStep(ProgressiveGenerator(5, (8, 6)), ProgressiveDiscriminator((8, 6)))

    def classed():
        return AdversarialStep(*small(), loss="hinge")

    def fixed_heads():
        judge = ProjectedDiscriminator(fixed().to("meta"), (1, 3), size=16, width=8)
        return AdversarialStep(StyleGenerator(5, 7, (8, 6), 16), judge, loss="hinge")

    assert_step_runs_on_meta(grown, lambda: draw(4, 3, 8, 8))
    assert_step_runs_on_meta(classed, lambda: (draw(4, 1, 32, 32), torch.tensor([0, 1, 2, 2])))
    assert_step_runs_on_meta(fixed_heads, lambda: draw(4, 3, 16, 16))


def test_the_random_mixing_of_channels_is_always_the_same():
    a, b = (ProjectedDiscriminator(fixed(), (1,), size=16, width=8) for _ in range(2))
    assert torch.equal(a.mix0, b.mix0)
