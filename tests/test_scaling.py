"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

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
    attend,
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
from tests.helpers import assert_normal, assert_step_runs_on_meta


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
    net, judge = players
    assert (net.nz, net.size, net.attended, judge.attended) == (120, 128, 4, 1)
    assert net.attention.query.in_channels == 2 * 96 and judge.attention.query.in_channels == 96
    assert net.last[2].out_channels == judge.blocks[0].first.in_channels == 3


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


# The formulas, written out


def as_convolution(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A stored weight of N(0, 1) over the root of how many numbers a sum has."""
    inputs, kernel = layer.weight.shape[1], layer.weight.shape[2]
    weight = layer.weight / (inputs * kernel * kernel) ** 0.5
    return F.conv2d(x, weight, layer.bias, padding=kernel // 2)


def bent(x: torch.Tensor) -> torch.Tensor:
    return math.sqrt(2) * torch.where(x > 0, x, 0.2 * x)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()


def doubled(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def with_biases(net: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for name, weight in net.named_parameters():
        if "bias" in name:
            nn.init.normal_(weight)
    return net


@pytest.mark.parametrize(
    "level, alpha", [(0, 1.0), (0, 0.3), (1, 1.0), (1, 0.3), (2, 1.0), (2, 0.6)]
)
def test_the_growing_generator_is_its_formula(level, alpha):
    net, z = with_biases(ProgressiveGenerator(5, (8, 6, 4))), draw(4, 5)
    net.level, net.alpha = level, alpha
    x = torch.einsum("bz,cyxz->bcyx", unit(z), net.first) / math.sqrt(5) / 4
    x = unit(bent(x + net.bias.view(1, -1, 1, 1)))
    for n in range(level + 1):
        before, x = x, doubled(x) if n else x
        assert len(net.convs[n]) == (2 if n else 1)
        for conv in net.convs[n]:
            x = unit(bent(as_convolution(conv, x)))
    picture = as_convolution(net.rgbs[level], x)
    if level:
        old = doubled(as_convolution(net.rgbs[level - 1], before))
        picture = (1 - alpha) * old + alpha * picture
    torch.testing.assert_close(net(z), picture, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "level, alpha", [(0, 1.0), (0, 0.3), (1, 1.0), (1, 0.3), (2, 1.0), (2, 0.6)]
)
def test_the_growing_discriminator_is_its_formula(level, alpha):
    judge = with_biases(ProgressiveDiscriminator((8, 6, 4)))
    judge.level, judge.alpha = level, alpha
    picture = draw(4, 3, 4 * 2**level, 4 * 2**level)
    x = bent(as_convolution(judge.rgbs[level], picture))
    for n in reversed(range(level)):
        first, second = judge.convs[n]
        x = F.avg_pool2d(bent(as_convolution(second, bent(as_convolution(first, x)))), 2)
        if n == level - 1:
            old = bent(as_convolution(judge.rgbs[n], F.avg_pool2d(picture, 2)))
            x = (1 - alpha) * old + alpha * x
    spread = (x.var(0, correction=0) + 1e-8).sqrt().mean().expand(4, 1, 4, 4)
    x = bent(as_convolution(judge.last, torch.cat([x, spread], 1))).flatten(1)
    x = bent(x @ judge.dense.weight.T / math.sqrt(128) + judge.dense.bias)
    score = x @ judge.score.weight[0] / math.sqrt(8) + judge.score.bias
    torch.testing.assert_close(judge(picture), score, atol=1e-4, rtol=1e-4)


def test_growing_players_begin_at_their_last_level_with_normal_weights():
    torch.manual_seed(0)
    net, judge = ProgressiveGenerator(40, (64, 8, 4)), ProgressiveDiscriminator((8, 6))
    assert (net.level, net.alpha, judge.level, judge.alpha) == (2, 1.0, 1, 1.0)
    assert_normal(net.first)
    assert not net.bias.any()


def test_growing_players_have_512_channels_twice_and_three_colours_unless_told():
    with torch.device("meta"):
        net, judge = ProgressiveGenerator(), ProgressiveDiscriminator()
    assert net.nz == 512 and net.first.shape == (512, 4, 4, 512)
    for player in (net, judge):
        assert [layer.weight.shape[:2] for layer in player.convs[-1]] == [(512, 512)] * 2
        assert len(player.rgbs) == 2
    assert net.rgbs[1].weight.shape[:2] == (3, 512) and judge.rgbs[1].weight.shape[:2] == (512, 3)


def growing(**options) -> GrowingStep:
    torch.manual_seed(0)
    players = ProgressiveGenerator(5, (8, 6)), ProgressiveDiscriminator((8, 6))
    return GrowingStep(*players, **options)


@pytest.mark.parametrize("seen, level", [(799_999, 0), (800_000, 1)])
def test_a_level_lasts_800_000_pictures_unless_told(seen, level):
    step = growing()
    step.seen.n = seen
    step(draw(4, 3, 8, 8))
    assert step.generator.level == step.discriminator.level == level
    assert step.seen.n == seen + 4


def test_a_growing_step_judges_the_data_shrunk_to_the_level(monkeypatch):
    step, judged = growing(images=8), []
    monkeypatch.setattr(step, "d_step", lambda real, *_: judged.append(real) or {})
    x = draw(4, 3, 16, 16)
    for _ in range(5):
        step(x)
    half, quarter = F.avg_pool2d(x, 2), F.avg_pool2d(x, 4)
    expected = [quarter, quarter, doubled(quarter), (doubled(quarter) + half) / 2, half]
    for real, seen in zip(judged, expected, strict=True):
        torch.testing.assert_close(real, seen)


def test_growth_goes_on_in_a_run_that_goes_on():
    step, other = growing(images=8), growing(images=8)
    for _ in range(3):
        step(draw(4, 3, 8, 8))
    assert step.seen.state_dict() == {"n": 12}
    other.seen.load_state_dict(step.seen.state_dict())
    other(draw(4, 3, 8, 8))
    assert (other.generator.level, other.generator.alpha) == (1, 0.5)


def test_data_of_any_size_is_shrunk_where_nothing_is_blended():
    x = draw(2, 3, 15, 15)
    for side, step in ((5, 3), (15, 1), (1, 15)):
        torch.testing.assert_close(shrunk(x, side, 1.0), F.avg_pool2d(x, step))
    x = draw(2, 3, 16, 8)
    small = F.avg_pool2d(x, (4, 2))
    expected = 0.75 * doubled(F.avg_pool2d(small, 2)) + 0.25 * small
    torch.testing.assert_close(shrunk(x, 4, 0.25), expected)


@pytest.mark.parametrize("alpha, weight", [(-1.0, 0.0), (0.0, 0.0), (0.3, 0.3), (2.0, 1.0)])
def test_a_blend_keeps_within_both_pictures(alpha, weight):
    low, high = draw(2, 3, 4, 2), draw(2, 3, 8, 4)
    expected = (1 - weight) * doubled(low) + weight * high
    torch.testing.assert_close(fade_in(low, high, alpha), expected)


def attended(block: SelfAttention, x: torch.Tensor, pool: bool) -> torch.Tensor:
    q, k, v = (F.conv2d(x, layer.weight) for layer in (block.query, block.key, block.value))
    k, v = (F.max_pool2d(m, 2) for m in (k, v)) if pool else (k, v)
    q, k, v = (m.flatten(2).transpose(1, 2) for m in (q, k, v))
    taken = F.scaled_dot_product_attention(q, k, v, scale=1.0).transpose(1, 2)
    return x + block.gamma * F.conv2d(taken.unflatten(2, x.shape[2:]), block.out.weight)


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("norm", [True, False])
def test_an_attention_block_adds_what_it_takes(pool, norm):
    torch.manual_seed(0)
    block, x = SelfAttention(16, pool, norm).eval(), draw(2, 16, 4, 6)
    nn.init.constant_(block.gamma, 0.7)
    torch.testing.assert_close(block(x), attended(block, x, pool), atol=1e-5, rtol=1e-4)
    layers = block.query, block.key, block.value, block.out
    assert [layer.weight.shape[:2] for layer in layers] == [(2, 16), (2, 16), (8, 16), (16, 8)]
    assert [is_parametrized(layer, "weight") for layer in layers] == [norm] * 4
    assert not any(isinstance(layer.bias, nn.Parameter) for layer in layers)


def test_an_attention_block_pools_and_is_not_normed_unless_told():
    block = SelfAttention(8)
    assert block.weights(draw(1, 8, 4, 4)).shape == (1, 16, 4)
    assert not is_parametrized(block.query)


def test_what_places_take_is_torch_s_attention_and_the_weights_that_made_it():
    q, k, v = draw(2, 3, 5), draw(2, 3, 7, seed=1), draw(2, 4, 7, seed=2)
    taken, weights = attend(q, k, v)
    golden = F.scaled_dot_product_attention(*(m.transpose(1, 2) for m in (q, k, v)), scale=1.0)
    torch.testing.assert_close(taken, golden.transpose(1, 2))
    scores = torch.einsum("bdn,bdm->bnm", q, k).exp()
    torch.testing.assert_close(weights, scores / scores.sum(2, keepdim=True))


def test_a_conditional_norm_is_linear_in_its_condition():
    torch.manual_seed(0)
    norm, x, condition = ConditionalBatchNorm2d(4, 7), 3 + draw(6, 4, 5, 5), draw(6, 7, seed=1)
    assert count(norm) == 2 * 4 * 7
    for layer in (norm.gain, norm.bias):
        nn.init.normal_(layer.weight)
    gain, bias = (
        (condition @ layer.weight.T)[:, :, None, None] for layer in (norm.gain, norm.bias)
    )
    torch.testing.assert_close(
        norm(x, condition), F.batch_norm(x, None, None, training=True) * (1 + gain) + bias
    )
    norm.eval()
    mean, var = norm.norm.running_mean, norm.norm.running_var
    expected = F.batch_norm(x, mean, var) * (1 + gain) + bias
    torch.testing.assert_close(norm(x, condition), expected)


def test_truncated_numbers_are_reproducible_and_symmetric():
    a, b, other = (truncated_normal((200, 300), 1.5, seeded(i)) for i in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, other) and a.dtype == torch.float32
    assert a.shape == (200, 300)
    assert a.mean().item() == pytest.approx(0, abs=4 / math.sqrt(60_000))


def test_the_first_number_of_a_draw_lies_at_the_bound(monkeypatch):
    # erf(10 / √2) is 1 in float64, whose inverse is infinite
    monkeypatch.setattr(torch, "rand", lambda *_, dtype, **__: torch.zeros(2, dtype=dtype))
    assert truncated_normal((2,), 10.0).tolist() == [-10, -10]


def test_the_orthogonal_penalty_sums_over_pairs_of_kernels():
    weight = draw(4, 2, 3, 3, dtype=torch.float64)
    pairs = [(weight[i] * weight[j]).sum() ** 2 for i in range(4) for j in range(4) if i != j]
    torch.testing.assert_close(orthogonal_penalty(weight), sum(pairs))


def shape(layer: nn.Conv2d) -> tuple:
    return layer.out_channels, layer.in_channels, *layer.kernel_size, *layer.padding


def test_a_rising_block_is_its_formula():
    block = small()[0].eval().blocks[2]
    for norm in block.norms:
        nn.init.normal_(norm.gain.weight), nn.init.normal_(norm.bias.weight)
    x, condition = draw(4, 16, 3, 5), draw(4, 6)
    shapes = [shape(layer) for layer in (block.first, block.second, block.skip)]
    assert shapes == [(8, 16, 3, 3, 1, 1), (8, 8, 3, 3, 1, 1), (8, 16, 1, 1, 0, 0)]
    assert all(is_parametrized(layer) for layer in (block.first, block.second, block.skip))
    y = block.first(doubled(block.norms[0](x, condition).clamp(min=0)))
    y = block.second(block.norms[1](y, condition).clamp(min=0))
    torch.testing.assert_close(block(x, condition), y + doubled(block.skip(x)))


@pytest.mark.parametrize("n, ends", [(0, "first"), (1, ""), (2, "last"), (3, "last")])
def test_a_falling_block_is_its_formula(n, ends):
    torch.manual_seed(0)
    judge = BigGANDiscriminator(3, ch=4, widths=(1, 2, 3), attention=None, nc=2)
    same = BigGANDiscriminator(3, ch=4, widths=(2, 2), attention=None, nc=2)
    block = [*judge.blocks, same.blocks[-1]][n].eval()
    c, d = ((2, 4), (4, 8), (8, 12), (8, 8))[n]
    assert shape(block.first) == (d, c, 3, 3, 1, 1) and shape(block.second) == (d, d, 3, 3, 1, 1)
    assert is_parametrized(block.first) and is_parametrized(block.second)
    x = draw(2, c, 6, 4)
    entered = x if ends == "first" else x.clamp(min=0)
    y = block.second(block.first(entered).clamp(min=0))
    if c == d:
        assert isinstance(block.skip, nn.Identity)
    else:
        assert shape(block.skip) == (d, c, 1, 1, 0, 0) and is_parametrized(block.skip)
    y = y + block.skip(x)
    torch.testing.assert_close(block(x), y if ends == "last" else F.avg_pool2d(y, 2))


def test_a_block_that_halves_has_a_convolution_beside_it_though_channels_stay():
    judge = BigGANDiscriminator(3, ch=4, widths=(2, 2, 2), attention=None)
    assert [isinstance(block.skip, nn.Identity) for block in judge.blocks] == [False, False, True]


@pytest.mark.parametrize("attention", [None, 1, 2, 3])
def test_a_generator_with_classes_is_its_formula(attention):
    torch.manual_seed(0)
    net = BigGANGenerator(3, nz=8, shared=4, ch=8, widths=(2, 2, 2, 2), attention=attention, nc=1)
    for block in net.blocks:
        for norm in block.norms:
            nn.init.normal_(norm.gain.weight), nn.init.normal_(norm.bias.weight)
    if attention is not None:
        nn.init.constant_(net.attention.gamma, 0.7)
        assert is_parametrized(net.attention.query)
    net.eval()
    z, labels = draw(4, 8), torch.tensor([0, 1, 2, 2])
    x = net.first(z[:, :2]).view(4, 16, 4, 4)
    for i in range(3):
        x = net.blocks[i](
            x, torch.cat([net.embedding.weight[labels], z[:, 2 * i + 2 : 2 * i + 4]], 1)
        )
        if i + 1 == attention:
            x = attended(net.attention, x, pool=True)
    norm, _, last = net.last
    expected = last(norm(x).clamp(min=0)).tanh()
    torch.testing.assert_close(net(z, labels), expected, atol=1e-5, rtol=1e-4)
    assert (
        shape(last) == (1, 16, 3, 3, 1, 1) and is_parametrized(last) and is_parametrized(net.first)
    )
    assert isinstance(norm, nn.BatchNorm2d) and (net.attention is None) == (attention is None)


@pytest.mark.parametrize("attention", [None, 1, 2, 3])
def test_a_discriminator_with_classes_is_its_formula(attention):
    torch.manual_seed(0)
    judge = BigGANDiscriminator(3, ch=8, widths=(1, 1, 1), attention=attention, nc=2).eval()
    if attention is not None:
        nn.init.constant_(judge.attention.gamma, 0.7)
        assert is_parametrized(judge.attention.query)
    picture, labels = draw(4, 2, 16, 16), torch.tensor([0, 1, 2, 2])
    x = picture
    for i, block in enumerate(judge.blocks, 1):
        x = block(x)
        if i == attention:
            x = attended(judge.attention, x, pool=True)
    assert x.shape == (4, 8, 4, 4)  # the last block keeps the size
    h = x.clamp(min=0).sum((2, 3))
    own = judge.embedding.weight[labels]
    expected = h @ judge.score.weight[0] + judge.score.bias + torch.einsum("bc,bc->b", own, h)
    torch.testing.assert_close(judge(picture, labels), expected, atol=1e-4, rtol=1e-4)
    assert is_parametrized(judge.score) and is_parametrized(judge.embedding)


def test_the_smallest_picture_of_a_discriminator_is_one_pixel_at_the_end():
    _, judge = small()
    labels = torch.tensor([0, 1])
    assert judge(torch.zeros(2, 1, 4, 4), labels).shape == (2,)
    for sides in ((3, 4), (4, 3)):
        with pytest.raises(ValueError, match="x must be at least 4 pixels a side; got"):
            judge(torch.zeros(2, 1, *sides), labels)


def test_standing_statistics_are_means_over_new_batches_alone():
    net, _ = small()
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.constant_(norm.running_mean, 50.0)
        norm.num_batches_tracked.fill_(5)
    norms[2].momentum = 0.7
    seen = [[] for _ in norms]
    for norm, kept in zip(norms, seen, strict=True):
        norm.register_forward_pre_hook(lambda _, x, kept=kept: kept.append(x[0]))
    standing_statistics(net, 3, 8)
    for norm, kept in zip(norms, seen, strict=True):
        assert len(kept) == 3 and not norm.training
        means = torch.stack([x.mean((0, 2, 3)) for x in kept]).mean(0)
        spreads = torch.stack([x.transpose(0, 1).flatten(1).var(1) for x in kept]).mean(0)
        torch.testing.assert_close(norm.running_mean, means, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(norm.running_var, spreads, atol=1e-4, rtol=1e-4)
    assert [norm.momentum for norm in norms] == [0.1, 0.1, 0.7, *[0.1] * 4]
    assert not net.training


@pytest.mark.parametrize(
    "options, bound, n", [({}, None, 64), ({"bound": 0.3, "size": 32}, 0.3, 32)]
)
def test_standing_statistics_see_sixteen_batches_of_all_classes(options, bound, n):
    net = BigGANGenerator(3, nz=4, shared=2, ch=1, widths=(1, 1), attention=None)
    seen = []
    net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    torch.manual_seed(0)
    standing_statistics(net, **options)
    z, labels = (torch.stack(part) for part in zip(*seen, strict=True))
    assert z.shape == (16, n, 4) and labels.shape == (16, n)
    assert (labels.flatten().bincount() / (16 * n)).tolist() == pytest.approx([1 / 3] * 3, abs=0.08)
    spread = 1.0 if bound is None else 0.3 / math.sqrt(3)  # nearly uniform within a small bound
    assert z.std().item() == pytest.approx(spread, rel=0.05)
    assert bound is None or z.abs().max() <= bound


def test_scores_are_those_of_each_head_on_its_mixed_map():
    features = fixed()
    net = ProjectedDiscriminator(features, (1, 3), size=16, width=8).eval()
    x = draw(4, 3, 16, 16)
    first = features[1](features[0](x))
    maps, source, scores = (first, features[3](features[2](first))), seeded(0), []
    for m, matrix, head in zip(maps, (net.mix0, net.mix1), net.heads, strict=True):
        expected = torch.randn(8, m.shape[1], 1, 1, generator=source) / math.sqrt(m.shape[1])
        torch.testing.assert_close(matrix, expected)
        mixed = torch.einsum("oi,bihw->bohw", matrix[:, :, 0, 0], m)
        scores.append(head(mixed).flatten(1))
    torch.testing.assert_close(net(x), torch.cat(scores, 1))
    assert len(net.fixed) == 4 and not any(
        weight.requires_grad for weight in net.fixed.parameters()
    )
    assert ProjectedDiscriminator(features, (0,), size=16).mix0.shape == (64, 6, 1, 1)


@pytest.mark.parametrize(
    "side, kernels", [(3, [3, 3]), (4, [3, 4]), (8, [4, 3, 4]), (16, [4, 4, 3, 4])]
)
def test_a_head_halves_its_map_down_to_four_and_judges_the_rest(side, kernels):
    layers = nn.Conv2d(3, 5, 1), nn.Identity()
    (head,) = ProjectedDiscriminator(layers, (1,), size=side, width=6).heads
    convolutions = [layer for layer in head if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size[0] for layer in convolutions] == kernels
    assert [layer.stride[0] for layer in convolutions] == [2] * (len(kernels) - 2) + [1, 1]
    assert all(is_parametrized(layer) for layer in convolutions)
    bends = [layer.negative_slope for layer in head if isinstance(layer, nn.LeakyReLU)]
    assert bends == [0.2] * (len(kernels) - 1) and len(head) == 2 * len(kernels) - 1
    assert head(draw(2, 6, side, side)).shape == (2, 1, 1, 1)


def test_layers_that_refuse_an_empty_batch_may_be_fixed():
    layers = [nn.Conv2d(3, 8, 2, 2), SelfAttention(8)]
    assert ProjectedDiscriminator(layers, [1], size=8, width=4)(draw(2, 3, 8, 8)).shape == (2, 1)


NORM = ConditionalBatchNorm2d(4, 7)
PLACES = draw(2, 3, 5)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: fade_in(draw(2, 3, 4), draw(2, 3, 8, 8), 0), r"low must be \(B, C, h, w\); got"),
        (lambda: fade_in(draw(2, 3, 4, 4), draw(2, 3, 8, 4), 0), r"high must be \(2, 3, 8, 8\)"),
        (lambda: fade_in(draw(2, 3, 4, 4), draw(2, 3, 8, 8), math.nan), "alpha must be a finite"),
        (lambda: fade_in(draw(1, 1, 1, 1), draw(1, 1, 2, 2).double(), 0), "high must be torch.fl"),
        (lambda: ProgressiveGenerator(0), "nz must be .* at least 1, got 0"),
        (lambda: ProgressiveGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: ProgressiveGenerator(5, ()), "channels must hold at least one number"),
        (lambda: ProgressiveDiscriminator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: ProgressiveDiscriminator(()), "channels must hold at least one number"),
        (lambda: growing(images=0), "images must be .* at least 1, got 0"),
        (lambda: growing()(draw(3, 16, 16)), r"batch must be \(B, C, H, W\); got \(3, 16, 16\)"),
        (lambda: growing()(draw(2, 3, 8, 8).double()), "batch must be torch.float32"),
        (
            lambda: GrowingStep(nn.Linear(5, 5), ProgressiveDiscriminator((8,))),
            "generator must be a ProgressiveGenerator; got Linear",
        ),
        (
            lambda: GrowingStep(ProgressiveGenerator(5, (8,)), nn.Linear(5, 5)),
            "discriminator must be a ProgressiveDiscriminator; got Linear",
        ),
        (lambda: growth(-1, 8, 2), "seen must be .* at least 0, got -1"),
        (lambda: growth(0, 8, 0), "levels must be .* at least 1, got 0"),
        (lambda: shrunk(draw(3, 8, 8), 4, 1), r"x must be \(B, C, H, W\); got \(3, 8, 8\)"),
        (lambda: shrunk(draw(1, 3, 8, 6), 7, 1), "side must be .* at most 6, got 7"),
        (lambda: shrunk(draw(1, 3, 6, 8), 7, 1), "side must be .* at most 6, got 7"),
        (lambda: shrunk(draw(1, 3, 8, 8), 0, 1), "side must be .* at least 1 .* got 0"),
        (lambda: shrunk(draw(1, 3, 8, 8), 4, "1"), "alpha must be a number; got '1'"),
        (lambda: SelfAttention(1_000_001), "channels must be .* at most 1000000"),
        (lambda: SelfAttention(8)(draw(1, 9, 4, 4)), r"x must be \(B, 8, H, W\); got \(1, 9,"),
        (lambda: SelfAttention(8).weights(draw(8, 4, 4)), r"x must be \(B, 8, H, W\); got"),
        (lambda: SelfAttention(8)(draw(1, 8, 4, 4).double()), "x must be torch.float32"),
        (
            lambda: self_attention(draw(4, 4), *[draw(3, 4)] * 3),
            r"x must be \(B, C, H, W\); got \(4, 4\)",
        ),
        (
            lambda: self_attention(draw(1, 4, 2, 2), *[draw(3, 5)] * 2, draw(3, 4)),
            r"query must be \(d, 4\); got \(3, 5\)",
        ),
        (
            lambda: self_attention(draw(1, 4, 2, 2), *[draw(3, 4)] * 2, draw(3, 5)),
            r"value must be \(V, 4\); got \(3, 5\)",
        ),
        (lambda: attend(draw(3, 5), PLACES, PLACES), r"q must be \(B, d, n\); got \(3, 5\)"),
        (lambda: attend(PLACES, draw(2, 4, 5), PLACES), r"k must be \(2, 3, m\); got \(2, 4, 5\)"),
        (lambda: attend(PLACES, draw(1, 3, 5), PLACES), r"k must be \(2, 3, m\); got \(1, 3, 5\)"),
        (lambda: attend(PLACES, PLACES, draw(2, 4, 6)), r"v must be \(2, V, 5\); got \(2, 4, 6\)"),
        (lambda: attend(PLACES, PLACES, draw(1, 4, 5)), r"v must be \(2, V, 5\); got \(1, 4, 5\)"),
        (lambda: spectral_norm(torch.eye(2).long(), torch.ones(2)), "weight must be a tensor of"),
        (lambda: spectral_norm(torch.eye(2), torch.ones(2), 100_001), "steps must be .* at most"),
        (lambda: spectral_norm(torch.eye(2), torch.ones(2).double()), "u must be torch.float32"),
        (lambda: dirac_rate(math.inf, 0, 0), "g_lr must be a finite number"),
        (lambda: dirac_rate(0, math.inf, 0), "d_lr must be a finite number"),
        (lambda: dirac_rate(0, 0, math.inf), "gamma must be a finite number"),
        (lambda: ConditionalBatchNorm2d(0, 7), "channels must be .* at least 1, got 0"),
        (lambda: ConditionalBatchNorm2d(4, 0), "condition must be .* at least 1, got 0"),
        (lambda: NORM(draw(6, 5, 2, 2), draw(6, 7)), r"x must be \(B, 4, H, W\); got"),
        (lambda: NORM(draw(6, 4, 2, 2), draw(6, 4)), r"condition must be \(6, 7\); got \(6, 4\)"),
        (lambda: NORM(draw(6, 4, 2, 2), draw(1, 7)), r"condition must be \(6, 7\); got \(1, 7\)"),
        (lambda: truncated_normal((), 1.0), "shape must hold at least one number"),
        (lambda: truncated_normal((2,), 1.0, 7), "generator must be a torch.Generator or None"),
        (lambda: orthogonal_penalty(torch.eye(2).long()), "weight must be a tensor of decimal"),
        (lambda: BigGANGenerator(0), "classes must be .* at least 1, got 0"),
        (lambda: BigGANGenerator(2, nz=0), "nz must be .* at least 1, got 0"),
        (lambda: BigGANGenerator(2, shared=0), "shared must be .* at least 1, got 0"),
        (lambda: BigGANGenerator(2, ch=0), "ch must be .* at least 1, got 0"),
        (lambda: BigGANGenerator(2, nc=0), "nc must be .* at least 1, got 0"),
        (lambda: BigGANGenerator(2, widths=()), "widths must hold at least one number"),
        (lambda: BigGANGenerator(2, attention=6), "attention must be .* at most 5, got 6"),
        (lambda: BigGANGenerator(2, attention=0), "attention must be .* at least 1 .* got 0"),
        (lambda: BigGANDiscriminator(0), "classes must be .* at least 1, got 0"),
        (lambda: BigGANDiscriminator(2, ch=0), "ch must be .* at least 1, got 0"),
        (lambda: BigGANDiscriminator(2, nc=0), "nc must be .* at least 1, got 0"),
        (lambda: BigGANDiscriminator(2, widths=()), "widths must hold at least one number"),
        (lambda: BigGANDiscriminator(2, attention=7), "attention must be .* at most 6, got 7"),
        (lambda: BigGANDiscriminator(2, attention=0), "attention must be .* at least 1 .* got 0"),
        (
            lambda: small()[1](draw(2, 3, 8, 8), torch.tensor([0, 1])),
            r"x must be \(B, 1, H, W\); got \(2, 3, 8, 8\)",
        ),
        (
            lambda: small()[1](draw(2, 1, 8, 8), torch.tensor([0])),
            r"labels must be \(2,\) and not empty; got \(1,\)",
        ),
        (
            lambda: small()[0](draw(2, 8), torch.tensor([0, 3])),
            "labels must lie in 0 … 2; got 0 … 3",
        ),
        (lambda: standing_statistics(nn.Linear(2, 2)), "generator must be a BigGANGenerator; got"),
        (lambda: standing_statistics(small()[0], 0), "batches must be .* at least 1 .* got 0"),
        (lambda: standing_statistics(small()[0], 100_001), "batches must be .* at most 100000"),
        (lambda: standing_statistics(small()[0], 1, 0), "size must be .* at least 1, got 0"),
        (lambda: projected(size=0), "size must be .* at least 1, got 0"),
        (lambda: projected(width=0), "width must be .* at least 1, got 0"),
        (lambda: projected(layers={}), "layers must be a sequence of layers; got dict"),
        (lambda: projected(taps=()), "taps must hold at least one number"),
        (lambda: projected(taps=(-1,)), r"taps\[0\] must be .* at least 0 .* got -1"),
        (lambda: projected(taps=(1, 5)), "taps must be .* at most 4, got 5"),
        (lambda: projected()(draw(2, 2, 16, 16)), r"x must be \(B, 3, 16, 16\); got \(2, 2, 16"),
        (lambda: projected()(draw(2, 3, 16, 8)), r"x must be \(B, 3, 16, 16\); got \(2, 3, 16, 8"),
        (lambda: projected()(draw(2, 3, 32, 32)), r"x must be \(B, 3, 16, 16\); got \(2, 3, 32"),
    ],
)
def test_a_bad_argument_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def projected(**options) -> ProjectedDiscriminator:
    return ProjectedDiscriminator(
        **{"layers": fixed(), "taps": (1,), "size": 16, "width": 8} | options
    )
