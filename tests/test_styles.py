"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import styles
from course_lib.augmentation import Augmentation
from course_lib.styles import (
    AdaINGenerator,
    EqualConv2d,
    EqualLinear,
    Mapping,
    StyledConv,
    StyleDiscriminator,
    StyleGenerator,
    StyleStep,
    ToRGB,
    adain,
    doubled,
    equalized,
    equivariance,
    filtered,
    lazy,
    minibatch_std,
    mix,
    modulated_conv,
    moved,
    path_length,
    perceptual_path_length,
    pixel_norm,
    r1_penalty,
    truncate,
)
from course_lib.training import train
from tests.helpers import assert_normal, assert_step_runs_on_meta

SMALL = (8, 6, 4)


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def draw(*shape: int, seed: int = 0, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


# The papers' networks, to the last parameter

STYLEGAN2 = (512, 512, 512, 512, 512, 256, 128, 64, 32)


@pytest.mark.parametrize("mapping, parameters", [(8, 30_370_060), (2, 28_794_124)])
def test_the_generator_at_1024_has_the_paper_s_parameters(mapping, parameters):
    # StyleGAN2 config F; with 2 mapping layers the table of a published stylegan2-ada log
    with torch.device("meta"):
        net = StyleGenerator(512, 512, STYLEGAN2, 1024, mapping=mapping)
        assert net.layers == 18 and net.sides[-1] == 1024
    assert count(net) == parameters
    assert count(net.convs[1]) == 2_622_465 and count(net.rgbs[0]) == 264_195
    assert count(net.mapping) == mapping * (512**2 + 512)


def test_the_discriminator_at_1024_has_the_paper_s_parameters():
    with torch.device("meta"):
        net = StyleDiscriminator(STYLEGAN2, 1024)
    assert count(net) == 29_012_513  # a published stylegan2-ada log
    assert [count(part) for part in (net.last, net.dense, net.score)] == [2_364_416, 4_194_816, 513]


def test_the_first_style_generator_has_the_paper_s_parameters():
    with torch.device("meta"):
        net = AdaINGenerator(512, 512, (512, 512, 512, 512, 256, 128, 64, 32, 16), mapping=8)
    assert count(net) == 26_212_019 and net.layers == 18  # 26.2 million in Karras et al. 2019


# Layers


def test_the_constant_of_a_wide_kernel_is_he_s():
    ones = torch.ones(1, 512, 3, 3, dtype=torch.float64)
    assert equalized(ones, math.sqrt(2))[0, 0, 0, 0].item() == pytest.approx(1 / 48)
    assert equalized(ones)[0, 0, 0, 0].item() == pytest.approx(0.0147314, abs=1e-7)
    assert equalized(torch.ones(8, 2, 3, 3))[0, 0, 0, 0].item() == pytest.approx(18**-0.5)


def test_equalizing_leaves_the_weight_and_scales_its_gradient():
    weight = torch.ones(1, 4, 3, 3, requires_grad=True)
    equalized(weight).sum().backward()
    assert (weight == 1).all()
    torch.testing.assert_close(weight.grad, torch.full_like(weight, 1 / 6))


def test_the_bend_keeps_the_second_moment_of_white_noise_near_one():
    # E f² = ½ (1 + 0.04) · 2 = 1.04
    assert styles.bend(draw(1_000_000)).square().mean().item() == pytest.approx(1.04, abs=0.005)


def test_the_mapping_sees_only_the_direction_of_z():
    net = styles.Mapping(6, 5, 3)
    torch.testing.assert_close(net(draw(4, 6)), net(7 * draw(4, 6)), rtol=1e-4, atol=1e-5)


def test_adain_of_squares_gives_the_golden_numbers():
    x = (torch.arange(8, dtype=torch.float64) ** 2).view(1, 2, 2, 2)
    y = adain(x, torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 0.0]])).flatten().tolist()
    golden = [-1, -0.428571, 1.285714, 4.142857, -1.256183, -0.526787, 0.364698, 1.418272]
    assert y == pytest.approx(golden, abs=1e-6)


@pytest.mark.parametrize(
    "height, spread", [(0, 1.0005), (10, 0.9884), (100, 0.5379), (1000, 0.0637)]
)
def test_one_large_pixel_shrinks_all_others_under_adain(height, spread):
    x = draw(1, 1, 64, 64, dtype=torch.float64)
    x[..., 5, 5] = height
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    others = adain(x, one, zero).flatten()[400:]
    assert others.std().item() == pytest.approx(spread, abs=5e-5)
    closed = 1 / math.sqrt(1 + height**2 / 4096 - height**2 / 4096**2)
    assert others.std().item() == pytest.approx(closed, abs=0.012)


def test_a_style_of_zero_leaves_only_the_bias():
    y = adain(draw(2, 3, 4, 4), torch.zeros(2, 3), torch.ones(2, 3))
    torch.testing.assert_close(y, torch.ones(2, 3, 4, 4))


def unfused(x, weight, style, demodulate=True):
    """Eq. 1 to 3 as they stand: a kernel for each picture."""
    kernels = weight * style[:, None, :, None, None]
    if demodulate:
        kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    return torch.cat(
        [F.conv2d(a[None], k, padding="same") for a, k in zip(x, kernels, strict=True)]
    )


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("dtype, error", [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_scaling_the_maps_is_scaling_the_kernels(dtype, error, kernel, demodulate):
    x, weight = draw(3, 5, 8, 7, dtype=dtype), draw(4, 5, kernel, kernel, seed=1, dtype=dtype)
    style = draw(3, 5, seed=2, dtype=dtype)
    args = (x, weight, style, demodulate)
    torch.testing.assert_close(modulated_conv(*args), unfused(*args), rtol=error, atol=error)


@pytest.mark.parametrize("style, out", [((1, 1), 1.4), ((10, 10), 1.4), ((4, 0.75), 1.212678)])
def test_the_length_of_a_style_cancels(style, out):
    weight = torch.tensor([[[[3.0]], [[4.0]]]])
    y = modulated_conv(torch.ones(1, 2, 1, 1), weight, torch.tensor([style], dtype=torch.float32))
    assert y.item() == pytest.approx(out, abs=1e-6)


def test_demodulation_normalises_what_is_expected_and_adain_what_is_there():
    x, weight = draw(64, 32, 16, 16, seed=4), draw(32, 32, 3, 3, seed=5)
    style = draw(64, 32, seed=6).exp()
    maps = modulated_conv(x, weight, style)[:, :, 1:-1, 1:-1]
    assert maps.std().item() == pytest.approx(1, abs=0.01)
    spreads = maps.std((2, 3))
    assert spreads.min() < 0.9 and spreads.max() > 1.1
    ones = torch.ones(64, 32)
    after = adain(maps, ones, ones).std((2, 3), correction=0)
    torch.testing.assert_close(after, ones)


@pytest.mark.parametrize("function", [adain, modulated_conv])
def test_styles_that_do_not_fit_are_refused(function):
    x, style = draw(2, 3, 4, 4), torch.ones(2, 4)
    args = (x, style, style) if function is adain else (x, torch.ones(1, 3, 1, 1), style)
    with pytest.raises(ValueError, match=r"must be \(2, 3\); got \(2, 4\)"):
        function(*args)
    with pytest.raises(ValueError, match=r"weight must be \(O, 3, k, k\)"):
        modulated_conv(x, torch.ones(1, 4, 1, 1), torch.ones(2, 3))
    with pytest.raises(TypeError, match="x must be a tensor of decimal numbers"):
        adain(torch.ones(2, 3, 4, 4, dtype=torch.int64), style, style)


TWELVE = [0, 0, 0, 0, 1, 2, 3, 4, 100, 200, 300, 400]


def test_the_spread_of_a_group_goes_to_its_members():
    # facebookresearch/pytorch_GAN_zoo issue 69, with the authors' members i, i + 3, i + 6, i + 9
    x = torch.tensor(TWELVE, dtype=torch.float64).view(-1, 1, 1, 1)
    y = minibatch_std(x)
    assert y.shape == (12, 2, 1, 1) and (y[:, :1] == x).all()
    golden = [86.17823, 129.19051, 163.55657] * 4
    assert y[:, 1].flatten().tolist() == pytest.approx(golden, rel=1e-5)


def test_the_mean_is_of_spreads_and_equal_pictures_have_almost_none():
    pattern = draw(1, 3, 5, 5).expand(4, -1, -1, -1)
    assert minibatch_std(pattern)[:, 3].flatten().tolist() == pytest.approx([1e-4] * 100)
    x = torch.zeros(2, 2, 1, 1)
    x[1, 0], x[1, 1] = 2, 6  # spreads 1 and 3
    assert minibatch_std(x, 2)[0, 2].item() == pytest.approx(2)
    assert minibatch_std(draw(6, 2, 3, 3), 4)[:, 2].unique().numel() == 1  # one group of six


# The networks


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("nc", [1, 3])
def test_networks_make_and_judge_pictures_of_their_size(size, nc):
    net, judge = StyleGenerator(5, 7, SMALL, size, nc), StyleDiscriminator(SMALL, size, nc)
    x = net(draw(4, 5))
    assert x.shape == (4, nc, size, size) and judge(x).shape == (4,)
    assert net.ws(draw(4, 5)).shape == (4, net.layers, 7) == (4, 6, 7)
    assert [n.shape[-1] for n in net.noises(2)] == net.sides == [4, 8, 8, 16, 16]


def test_the_first_style_generator_has_the_same_interface():
    net = AdaINGenerator(5, 7, SMALL)
    assert net(draw(4, 5)).shape == (4, 3, 16, 16)
    assert net.ws(draw(4, 5)).shape == (4, 6, 7)
    assert net.sides == [4, 4, 8, 8, 16, 16] == [n.shape[-1] for n in net.noises(1)]
    with torch.no_grad():
        net.strengths[3].fill_(1.0)
    a, b = (net(draw(2, 5), noise=net.noises(2, seeded(i))) for i in range(2))
    assert (a - b).abs().max() > 1e-3


def make(noise: float = 0.5) -> StyleGenerator:
    torch.manual_seed(0)
    return StyleGenerator(5, 7, SMALL, 32, noise=noise).eval()


def test_noise_is_drawn_given_or_left_out():
    net, ws = make(), make().ws(draw(3, 5))
    assert not torch.equal(net.synthesis(ws), net.synthesis(ws))
    given = net.noises(3, seeded(1))
    assert torch.equal(net.synthesis(ws, given), net.synthesis(ws, generator=seeded(1)))
    zeros = [torch.zeros_like(n) for n in given]
    torch.testing.assert_close(net.synthesis(ws, "none"), net.synthesis(ws, zeros))
    torch.testing.assert_close(make(0.0).synthesis(ws), make(0.0).synthesis(ws, "none"))


def test_the_same_seed_gives_the_same_pictures_within_range():
    net = make()
    x = net.sample(300, generator=seeded(3))
    assert torch.equal(x, net.sample(300, generator=seeded(3)))
    assert x.shape == (300, 3, 32, 32) and x.abs().max() <= 1 and not x.requires_grad


def test_each_layer_hears_its_own_style_alone():
    net = make()
    ws = net.ws(draw(1, 5)).clone()
    for layer in range(net.layers):
        other = ws.clone()
        other[:, layer] += 1
        assert not torch.allclose(net.synthesis(ws, "none"), net.synthesis(other, "none"))


def test_one_picture_does_not_depend_on_the_others_of_its_batch():
    net, ws = make(), make().ws(draw(4, 5))
    torch.testing.assert_close(net.synthesis(ws, "none")[:1], net.synthesis(ws[:1], "none"))


def test_truncation_pulls_towards_the_average_and_beyond():
    w, mean = draw(3, 4), draw(4, seed=1)
    assert (truncate(w, mean, 0) == mean).all()
    torch.testing.assert_close(truncate(w, mean, 1), w)
    torch.testing.assert_close(truncate(w, mean, -1), 2 * mean - w)
    net = make()
    net.w_mean += 1
    ws = net.ws(draw(2, 5), truncation=0.0)
    assert (ws == 1).all()
    torch.testing.assert_close(*net(draw(2, 5), 0.0, "none"))


def test_mixing_cuts_between_layers_and_leaves_its_arguments():
    a, b = torch.zeros(2, 1, 3).expand(2, 5, 3), torch.ones(2, 5, 3)
    assert [mix(a, b, cut)[0, :, 0].tolist() for cut in (0, 2, 5)] == [
        [1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0],
    ]
    assert (a == 0).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: StyleGenerator(size=40), "size must be a multiple of the last map, 16; got 40"),
        (lambda: StyleDiscriminator(size=40), "size must be a multiple of the largest map"),
        (lambda: StyleDiscriminator()(torch.zeros(1, 3, 16, 16)), r"x must be \(B, 3, 32, 32\)"),
        (lambda: make().ws(torch.zeros(2, 6)), r"z must be \(B, 5\); got \(2, 6\)"),
        (lambda: make().synthesis(torch.zeros(2, 5, 7)), r"ws must be \(B, 6, 7\)"),
        (lambda: make()(torch.zeros(1, 5), noise="no"), "noise must be one of fresh, none"),
        (lambda: make()(torch.zeros(1, 5), noise=[]), "noise must be 5 maps; got 0"),
        (lambda: truncate(torch.zeros(2, 3), torch.zeros(2), 1), r"mean must be \(3,\)"),
        (lambda: mix(torch.zeros(1, 2, 3), torch.zeros(1, 3, 3), 1), r"ws_b must be \(1, 2, 3\)"),
        (
            lambda: mix(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), 3),
            "cut must be .* 2, got 3",
        ),
        (lambda: equalized(torch.zeros(3)), r"weight must be \(outputs, inputs"),
        (
            lambda: minibatch_std(torch.zeros(2, 1, 1, 1), 0),
            "group must be .* at least 1",
        ),
        (lambda: lazy(1.0, (0, 0), 0), "every must be .* at least 1"),
        (
            lambda: filtered(torch.zeros(4), 0, torch.relu),
            "factor must be .* at least 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_whole_numbers_are_no_codes():
    with pytest.raises(TypeError, match="z must be a tensor of decimal numbers"):
        make().ws(torch.zeros(2, 5, dtype=torch.int64))


# Penalties


def test_r1_of_a_linear_score_is_half_its_squared_slope():
    slope = draw(3, 2, 2)
    found = r1_penalty(lambda x: (x * slope).sum((1, 2, 3)), draw(5, 3, 2, 2, seed=1))
    torch.testing.assert_close(found, slope.square().sum() / 2)


def test_r1_reaches_the_discriminator_and_not_the_pictures():
    net, x = StyleDiscriminator(SMALL, 16), draw(4, 3, 16, 16).requires_grad_()
    r1_penalty(net, x).backward()
    assert x.grad is None and net.first.weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="scores that depend on the pictures"):
        r1_penalty(lambda x: torch.zeros(len(x)), x)


def test_path_length_of_a_matrix_is_its_frobenius_norm_on_average():
    # E ‖Aᵀy‖² = ‖A‖²_F for y ~ N(0, I)
    matrix, n = draw(12, 4, seed=7, dtype=torch.float64), 20_000
    ws = torch.zeros(n, 1, 4, dtype=torch.float64, requires_grad=True)
    x = (ws[:, 0] @ matrix.T).view(n, 12, 1, 1)
    lengths = path_length(x, ws, seeded(8))
    # the spread of ‖Aᵀy‖² is √(2 ‖AAᵀ‖²_F): three standard errors
    error = 3 * math.sqrt(2 / n) * (matrix @ matrix.T).norm().item()
    assert lengths.square().mean().item() == pytest.approx(matrix.square().sum().item(), abs=error)


def test_path_length_reaches_the_generator_s_weights():
    net = make(0.0)
    ws = net.ws(draw(2, 5))
    lengths = path_length(net.synthesis(ws), ws)
    lengths.sum().backward()
    assert lengths.shape == (2,) and (lengths > 0).all()
    assert net.const.grad.abs().sum() > 0 and net.mapping.layers[0].weight.grad.abs().sum() > 0


def test_path_length_of_a_picture_that_does_not_move_has_a_gradient_that_is_no_nan():
    ws = torch.zeros(2, 3, 4, requires_grad=True)
    x = (ws.square().sum((1, 2)))[:, None, None, None].expand(2, 1, 3, 3)
    path_length(x, ws).sum().backward()
    assert ws.grad.isfinite().all()
    with pytest.raises(ValueError, match="x must have been made of these ws"):
        path_length(draw(2, 1, 3, 3).requires_grad_(), ws)


def test_lazy_settings_are_the_authors():
    lr, (beta1, beta2) = lazy(0.002, (0.0, 0.99), 16)
    assert (lr, beta1, beta2) == pytest.approx((0.00188235, 0, 0.99058546), abs=1e-8)
    lr, (_, beta2) = lazy(0.002, (0.0, 0.99), 4)
    assert (lr, beta2) == pytest.approx((0.0016, 0.99199197), abs=1e-8)


# Paths and moves


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("eps", [1e-4, 0.01, 0.5])
def test_a_straight_path_has_one_length_at_any_place_and_step(t, eps):
    matrix = torch.tensor([[1.0, 2], [3, 4], [5, 6]], dtype=torch.float64)
    w0, w1 = (torch.tensor([w], dtype=torch.float64) for w in ([1, 0], [0, 1]))
    where = torch.tensor([t], dtype=torch.float64)
    length = perceptual_path_length(lambda w: w @ matrix.T, torch.clone, w0, w1, where, eps)
    assert length.item() == pytest.approx(3)


def test_a_path_is_measured_where_t_says():
    w0, w1 = torch.zeros(1, 1), torch.ones(1, 1)
    for t, length in ((0.0, 0.0), (0.5, 1.0), (1.0, 4.0)):  # (d w² / dw)² = 4 w²
        found = perceptual_path_length(torch.square, torch.clone, w0, w1, torch.tensor([t]), 1e-3)
        assert found.item() == pytest.approx(length, abs=5e-3)
    with pytest.raises(ValueError, match=r"t must be \(1,\)"):
        perceptual_path_length(torch.square, torch.clone, w0, w1, torch.zeros(1, 1))
    with pytest.raises(ValueError, match="eps must be .* above 0"):
        perceptual_path_length(torch.square, torch.clone, w0, w1, torch.zeros(1), 0.0)


def band(n: int, rows: int, top: int, seed: int) -> torch.Tensor:
    spectrum = torch.zeros(rows, n // 2 + 1, dtype=torch.complex128)
    spectrum[:, 1:top] = draw(rows, top - 1, seed=seed, dtype=torch.complex128)
    x = torch.fft.irfft(spectrum, n)
    return x / x.std() / 3


def leaky(x):
    return F.leaky_relu(x, 0.2)


@pytest.mark.parametrize(
    "top, golden", [(32, (29.5, 46.0, 62.5, 71.3, 87.0)), (16, (41.1, 55.2, 71.4, 80.2, 96.0))]
)
def test_a_bend_at_a_higher_rate_moves_along_better(top, golden):
    x = band(64, 64, top, 11)
    found = [
        equivariance(lambda x, f=factor: filtered(x, f, leaky), x, 0.3)
        for factor in (1, 2, 4, 8, 16)
    ]
    assert found == pytest.approx(golden, abs=0.06)


def test_relu_folds_more_than_its_leaky_sister():
    x = band(64, 64, 32, 11)
    found = [
        equivariance(lambda x, f=factor: filtered(x, f, torch.relu), x, 0.3)
        for factor in (1, 2, 4, 8)
    ]
    assert found == pytest.approx((27.6, 44.0, 60.6, 69.4), abs=0.06)


def test_a_shift_that_is_whole_at_the_higher_rate_proves_nothing():
    x = band(64, 64, 32, 11)
    assert equivariance(lambda x: filtered(x, 2, leaky), x, 0.5) > 150


def test_filtering_keeps_what_the_band_holds():
    x = band(64, 3, 32, 1)
    for factor in (1, 2, 3):
        torch.testing.assert_close(filtered(x, factor, torch.clone), x)
    torch.testing.assert_close(filtered(torch.ones(8), 2, torch.clone), torch.ones(8))
    torch.testing.assert_close(moved(moved(x, 0.3), 0.7), x.roll(1, -1))


# One round of the game


def step(**options) -> StyleStep:
    torch.manual_seed(0)
    net = StyleGenerator(5, 7, SMALL, 16)
    return StyleStep(net, StyleDiscriminator(SMALL, 16), **options)


def test_a_round_changes_both_players_and_tracks_the_average_style():
    round_, x = step(path=2.0, augmentation=Augmentation(0.6)), draw(8, 3, 16, 16).clamp(-1, 1)
    before = [p.clone() for p in (round_.generator.const, round_.discriminator.first.weight)]
    losses = round_(x)
    assert set(losses) == {"d_loss", "g_loss", "p"}
    assert all(value.isfinite() for value in losses.values())
    after = [round_.generator.const, round_.discriminator.first.weight]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert round_.generator.w_mean.abs().sum() > 0
    assert round_.lazy.n == 1 and round_.lazy.length > 0


def test_a_round_would_run_on_any_device():
    def make_step():
        net = StyleGenerator(5, 7, SMALL, 16)
        augmentation = Augmentation(0.6)
        augmentation.p = torch.zeros(())
        return StyleStep(net, StyleDiscriminator(SMALL, 16), path=2.0, augmentation=augmentation)

    assert_step_runs_on_meta(make_step, lambda: draw(8, 3, 16, 16))


def test_penalties_come_every_so_many_rounds(monkeypatch):
    calls = {"r1": 0, "path": 0}

    def counted(name, function):
        def call(*args):
            calls[name] += 1
            return function(*args)

        return call

    monkeypatch.setattr(styles, "r1_penalty", counted("r1", r1_penalty))
    monkeypatch.setattr(styles, "path_length", counted("path", path_length))
    round_, x = step(path=2.0), draw(4, 3, 16, 16).clamp(-1, 1)
    for _ in range(17):
        round_(x)
    assert calls == {"r1": 2, "path": 3}


def test_the_lazy_penalty_is_as_strong_as_one_in_each_round(monkeypatch):
    seen = []
    round_ = step(r1=0.5)
    monkeypatch.setattr(styles, "r1_penalty", lambda *_: torch.tensor(3.0, requires_grad=True))
    monkeypatch.setattr(styles, "_descend", lambda loss, _: seen.append(loss.item()))
    round_(draw(4, 3, 16, 16).clamp(-1, 1))
    assert 16 * 0.5 * 3.0 in seen


def test_mixing_gives_late_layers_another_code():
    ws = step(mixing=1.0)._mixed(200)
    assert not torch.equal(ws[:, 0], ws[:, -1])
    assert ((ws[:, 0] != ws[:, -1]).any(1)).all()
    ws = step(mixing=0.0)._mixed(200)
    assert torch.equal(ws, ws[:, :1].expand_as(ws))


def test_a_run_that_is_taken_up_again_goes_on_as_if_it_had_not_stopped(tmp_path):
    data = [draw(4, 3, 16, 16, seed=i).clamp(-1, 1) for i in range(6)]

    def run(*until, folder):
        for steps in until:
            round_ = step(path=2.0, augmentation=Augmentation(-1.5, 100), ema=0.9)
            train(round_, data, steps, checkpoint=folder)
        return round_

    whole, parts = run(10, folder=tmp_path / "a"), run(5, 10, folder=tmp_path / "b")
    assert torch.equal(whole.generator.const, parts.generator.const)
    assert whole.lazy.n == parts.lazy.n == 10
    assert whole.augmentation.p == parts.augmentation.p > 0


# Each layer as its formula has it


def made(net):
    """The network with weights that leave no bias, no strength and no average at 0 or 1."""
    with torch.no_grad():
        for i, weight in enumerate([*net.parameters(), *net.buffers()]):
            weight.copy_(torch.randn(weight.shape, generator=seeded(i)))
    return net


def he(weight):
    return weight / math.prod(weight.shape[1:]) ** 0.5


def bent(x):
    return 2**0.5 * torch.where(x > 0, x, x / 5)


def dense(layer, x):
    return x @ he(layer.weight).T + layer.bias


def convolved(layer, x):
    return F.conv2d(x, he(layer.weight), layer.bias, padding="same")


def twice(x):
    """Nearest neighbours, smoothed by (1, 2, 1) / 4 along both sides."""
    x = F.pad(x.repeat_interleave(2, -1).repeat_interleave(2, -2), (1, 1, 1, 1), "replicate")
    rows = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4


def styled(layer, x, w, noise=0.0):
    y = unfused(x, he(layer.weight), dense(layer.affine, w)) + layer.strength * noise
    return bent(y + layer.bias.view(-1, 1, 1))


def coloured(layer, x, w):
    return unfused(x, he(layer.weight), dense(layer.affine, w), False) + layer.bias.view(-1, 1, 1)


def unfolded(x, fold):
    b, c, h, w = x.shape
    x = x.view(b, c // fold**2, fold, fold, h, w).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(b, -1, h * fold, w * fold)


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_a_weight_is_not_amplified_unless_told():
    weight = draw(3, 2, 2)
    torch.testing.assert_close(equalized(weight), weight / 2)
    torch.testing.assert_close(equalized(weight, 6), 3 * weight)


@pytest.mark.parametrize("options, rate", [({}, 1), ({"rate": 0.01}, 0.01), ({"rate": 4.0}, 4)])
def test_a_linear_layer_answers_alike_at_any_rate_and_stores_its_weights_over_it(options, rate):
    torch.manual_seed(0)
    layer = EqualLinear(4, 3, bias=2.0, **options)
    torch.testing.assert_close(layer(torch.zeros(1, 4)), torch.full((1, 3), 2.0))
    torch.testing.assert_close(layer.bias.detach(), torch.full((3,), 2.0 / rate))
    x = draw(5, 4)
    weight, bias = layer.weight * rate, layer.bias * rate
    torch.testing.assert_close(layer(x), F.linear(x, weight / 2, bias))
    assert (EqualLinear(4, 3, **options)(torch.zeros(1, 4)) == 0).all()


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("options", [{}, {"bias": False}])
def test_a_convolution_scales_its_kernel_and_keeps_the_size(kernel, options):
    layer, x = EqualConv2d(3, 5, kernel, **options), draw(2, 3, 6, 7)
    assert (layer.bias is None) == bool(options)
    if not options:
        assert (layer.bias == 0).all() and layer.bias.shape == (5,)
    torch.testing.assert_close(made(layer)(x), convolved(layer, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "draws, spread",
    [
        (lambda: EqualLinear(100, 200).weight, 1),
        (lambda: EqualLinear(100, 200, rate=0.01).weight, 100),
        (lambda: EqualConv2d(20, 100, 3).weight, 1),
        (lambda: StyledConv(20, 100, 4).weight, 1),
        (lambda: ToRGB(100, 200, 4).weight, 1),
        (lambda: StyleGenerator(4, 4, (1000,), 4).const, 1),
        (lambda: make().noises(80, seeded(0))[-1], 1),
    ],
)
def test_weights_the_constant_and_noise_are_normal(draws, spread):
    torch.manual_seed(0)
    assert_normal(draws(), spread)


def test_the_bend_and_the_norm_by_hand():
    found = styles.bend(torch.tensor([-5.0, 0.0, 2.0]))
    torch.testing.assert_close(found, torch.tensor([-(2**0.5), 0.0, 2 * 2**0.5]))
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    found = pixel_norm(x)  # √(25 / 2)
    torch.testing.assert_close(found, torch.tensor([[3.0, 4.0], [0.0, 0.0]]) / 12.5**0.5)
    at_each_place = pixel_norm(draw(2, 3, 4, 5)).square().mean(1)
    torch.testing.assert_close(at_each_place, torch.ones(2, 4, 5))


def test_the_mapping_is_bent_layers_at_a_hundredth_of_the_pace():
    net, z = Mapping(6, 5, 3), draw(4, 6)
    torch.manual_seed(0)
    for layer in net.layers:
        layer.bias.data.normal_()
        layer.weight.data.mul_(100)
    x = F.normalize(z) * 6**0.5
    for layer in net.layers:
        x = bent(x @ he(layer.weight).T / 100 + layer.bias / 100)
    torch.testing.assert_close(net(z), x, rtol=1e-4, atol=1e-4)
    assert [layer.rate for layer in net.layers] == [0.01] * 3


def test_adain_is_torchs_instance_norm_with_a_style():
    x, scale, bias = draw(2, 3, 4, 5), draw(2, 3, seed=1), draw(2, 3, seed=2)
    expected = F.instance_norm(x) * scale[..., None, None] + bias[..., None, None]
    torch.testing.assert_close(adain(x, scale, bias), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("up", [False, True])
def test_a_styled_convolution_adds_noise_and_bends_last(up):
    layer = made(StyledConv(3, 4, 5, up=up))
    x, w = draw(2, 3, 4, 6), draw(2, 5, seed=1)
    large = twice(x) if up else x
    noise = draw(2, 1, *large.shape[2:], seed=2)
    assert_close(layer(x, w, noise), styled(layer, large, w, noise))
    assert_close(layer(x, w, None), styled(layer, large, w))
    # one map of noise may serve all pictures
    assert_close(layer(x, w, noise[:1]), styled(layer, large, w, noise[:1]))


def test_a_styled_convolution_begins_deaf_to_noise_at_one_size_with_styles_around_one():
    layer, x, w = StyledConv(3, 4, 5), draw(2, 3, 4, 4), draw(2, 5)
    assert torch.equal(layer(x, w, draw(2, 1, 4, 4)), layer(x, w, None))
    assert layer(x, w, None).shape == (2, 4, 4, 4)
    plain = bent(unfused(x, he(layer.weight), torch.ones(2, 3)))
    assert_close(layer(x, torch.zeros(2, 5), None), plain)
    assert StyledConv(3, 4, 5, noise=0.25).strength.item() == 0.25
    assert not torch.equal(layer(x, w, None), layer(x, -w, None))


def test_colours_are_a_modulated_sum_over_channels_that_is_not_brought_to_length_one():
    layer, x, w = made(ToRGB(3, 2, 5)), draw(2, 3, 4, 6), draw(2, 5, seed=1)
    assert_close(layer(x, w), coloured(layer, x, w))
    layer = ToRGB(3, 2, 5)
    assert_close(layer(x, torch.zeros(2, 5)), unfused(x, he(layer.weight), torch.ones(2, 3), False))


def test_colours_are_in_float32_where_the_maps_are_not():
    layer, x, w = made(ToRGB(8, 3, 5)), draw(2, 8, 4, 4), draw(2, 5, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x.bfloat16(), w)
    assert found.dtype == torch.float32
    assert (found - layer(x, w)).norm() < 0.05 * layer(x, w).norm()


def test_a_styled_convolution_keeps_the_precision_of_its_maps():
    layer, x, w = made(StyledConv(3, 4, 5)), draw(2, 3, 4, 4), draw(2, 5, seed=1)
    noise = draw(2, 1, 4, 4, seed=2)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x.bfloat16(), w, noise)
    assert found.dtype == torch.bfloat16
    assert (found - layer(x, w, noise)).norm() < 0.05 * layer(x, w, noise).norm()


def test_doubling_by_hand():
    # between 0 and 4 stand a quarter and three quarters of the way; 8 is a row further down
    x = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    steps = torch.tensor([0, 0.25, 0.75, 1])
    torch.testing.assert_close(doubled(x)[0, 0], 8 * steps[:, None] + 4 * steps)
    x = draw(2, 3, 4, 5)
    torch.testing.assert_close(doubled(x), twice(x))


# Whole networks, put together once more


@pytest.mark.parametrize("size, fold", [(16, 1), (32, 2), (64, 4)])
def test_the_generator_adds_up_the_pictures_of_its_levels(size, fold):
    net = made(StyleGenerator(5, 7, SMALL, size, nc=2))
    ws, noise = draw(3, net.layers, 7, seed=1), net.noises(3, seeded(2))
    x = styled(net.convs[0], net.const.repeat(3, 1, 1, 1), ws[:, 0], noise[0])
    picture = unfolded(coloured(net.rgbs[0], x, ws[:, 1]), fold)
    for level, first in ((1, 1), (2, 3)):
        x = styled(net.convs[first], twice(x), ws[:, first], noise[first])
        x = styled(net.convs[first + 1], x, ws[:, first + 1], noise[first + 1])
        colours = coloured(net.rgbs[level], x, ws[:, first + 2])
        picture = twice(picture) + unfolded(colours, fold)
    assert net.size == size and net.fold == fold
    assert_close(net.synthesis(ws, noise), picture)


def test_the_first_style_generator_sets_the_spread_after_each_bend():
    net = made(AdaINGenerator(5, 7, SMALL, nc=2))
    ws, noise = draw(3, net.layers, 7, seed=1), net.noises(3, seeded(2))
    x = net.const.repeat(3, 1, 1, 1)
    for i in range(6):
        x = twice(x) if i in (2, 4) else x
        x = F.conv2d(x, he(net.convs[i - 1].weight), padding=1) if i else x
        x = bent(x + net.strengths[i] * noise[i] + net.biases[i])
        scale, bias = dense(net.affines[i], ws[:, i])[..., None, None].tensor_split(2, dim=1)
        x = F.instance_norm(x, eps=1e-8) * (1 + scale) + bias
    assert_close(net.synthesis(ws, noise), convolved(net.rgb, x))


def test_the_first_style_generator_begins_with_ones_deaf_to_noise():
    net = AdaINGenerator(5, 7, SMALL)
    assert (net.const == 1).all() and net.size == 16
    assert all((part == 0).all() for part in (*net.strengths, *net.biases, net.w_mean))
    ws = draw(2, 6, 7)
    assert torch.equal(net.synthesis(ws), net.synthesis(ws, "none"))


@pytest.mark.parametrize("size, fold", [(16, 1), (32, 2)])
def test_the_discriminator_halves_beside_a_shortcut(size, fold):
    net, x = made(StyleDiscriminator(SMALL, size, 2)), draw(3, 2, size, size)
    y = x.view(3, 2, 16, fold, 16, fold).permute(0, 1, 3, 5, 2, 4).reshape(3, -1, 16, 16)
    y = bent(convolved(net.first, y))
    for block in net.blocks:
        long = F.avg_pool2d(bent(convolved(block.first, y)), 2)
        short = F.conv2d(F.avg_pool2d(y, 2), he(block.skip.weight))
        y = (bent(convolved(block.second, long)) + short) / 2**0.5
    spread = (y.var(0, correction=0) + 1e-8).sqrt().mean()  # three pictures are one group
    y = torch.cat([y, spread.expand(3, 1, 4, 4)], 1)
    y = bent(dense(net.dense, bent(convolved(net.last, y)).flatten(1)))
    assert_close(net(x), dense(net.score, y)[:, 0])


def test_scores_are_in_float32_where_the_network_is_not():
    net, x = StyleDiscriminator(SMALL, 16), draw(4, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(x).dtype == torch.float32


def test_the_networks_have_the_sizes_of_the_lecture_unless_told():
    with torch.device("meta"):
        mapping, net, first = Mapping(), StyleGenerator(), AdaINGenerator()
        judge = StyleDiscriminator()
    assert [tuple(layer.weight.shape) for layer in mapping.layers] == [(512, 512)] * 8
    for one in (net, first):
        assert (one.nz, one.w, one.w_mean.shape) == (64, 64, (64,))
        assert [tuple(layer.weight.shape) for layer in one.mapping.layers] == [(64, 64)] * 4
    assert net.const.shape == first.const.shape == (1, 128, 4, 4)
    assert [len(layer.weight) for layer in net.convs] == [128, 96, 96, 64, 64]
    assert [len(layer.weight) for layer in net.rgbs] == [3 * 2 * 2] * 3
    assert [len(layer.weight) for layer in first.convs] == [128, 96, 96, 64, 64]
    assert len(first.rgb.weight) == 3
    assert judge.first.weight.shape == (48, 3 * 2 * 2, 1, 1) and len(judge.dense.weight) == 96
    assert judge.last.weight.shape == (96, 97, 3, 3)
    assert [len(block.second.weight) for block in judge.blocks] == [64, 96]
    assert net.size == 32 and judge.shape == (3, 32, 32)


def test_noise_is_not_heard_at_first_unless_told():
    net, heard = StyleGenerator(5, 7, SMALL), StyleGenerator(5, 7, SMALL, noise=0.5)
    assert [layer.strength.item() for layer in net.convs] == [0] * 5
    assert [layer.strength.item() for layer in heard.convs] == [0.5] * 5
    assert (net.w_mean == 0).all()


def test_styles_are_as_drawn_unless_truncated():
    net, z = make(), draw(3, 5)
    net.w_mean += 1
    w = net.mapping(z)
    assert torch.equal(net.ws(z), w[:, None].repeat(1, 6, 1))
    torch.testing.assert_close(net.ws(z, 0.25), (0.75 + 0.25 * w)[:, None].repeat(1, 6, 1))
    assert torch.equal(net(z, noise="none"), net.synthesis(net.ws(z), "none"))
    torch.testing.assert_close(net(z, 0.25, "none"), net.synthesis(net.ws(z, 0.25), "none"))
    assert not torch.equal(net(z), net(z))


@pytest.mark.parametrize("sides", [(4,), (3, 4), (2, 3, 4)])
def test_one_code_or_the_styles_of_all_layers_are_truncated_alike(sides):
    w, mean = draw(*sides), draw(4, seed=1)
    torch.testing.assert_close(truncate(w, mean, 0.25), (w + 3 * mean) / 4)


@pytest.mark.parametrize("options, psi", [({}, 1.0), ({"truncation": 0.5}, 0.5)])
def test_samples_are_synthesised_from_normal_codes_and_cut_at_one(options, psi):
    net, source = make(), seeded(4)
    net.w_mean += 1
    found = net.sample(6, generator=seeded(4), **options)
    z = torch.randn(6, 5, generator=source)
    expected = net.synthesis(net.ws(z, psi), generator=source)
    assert expected.abs().max() > 1 > expected.abs().min()
    torch.testing.assert_close(found, expected.clamp(min=-1, max=1))


def test_noises_repeat_with_their_seed():
    net = make()
    first, again, other = (net.noises(2, seeded(i)) for i in (1, 1, 2))
    assert [tuple(noise.shape) for noise in first] == [(2, 1, side, side) for side in net.sides]
    assert all(map(torch.equal, first, again)) and not any(map(torch.equal, first, other))


# What is refused

META = {"device": "meta"}
FLAT = torch.zeros(1, 8, 4, 4)


def gave(noise):
    return make().synthesis(torch.zeros(1, 6, 7), noise)


def maps(i: int, noise):
    return [*make().noises(1)[:i], noise, *make().noises(1)[i + 1 :]]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: equalized(torch.zeros(2, 3), math.nan), "gain must be a finite number"),
        (lambda: EqualLinear(0, 1), "inputs must be .* at least 1, got 0"),
        (lambda: EqualLinear(1, 0), "outputs must be .* at least 1, got 0"),
        (lambda: EqualLinear(1, 1, math.inf), "bias must be a finite number"),
        (lambda: EqualLinear(1, 1, rate=0), "rate must be .* above 0; got 0"),
        (lambda: EqualLinear(3, 2)(torch.zeros(1, 4)), r"x must be \(B, 3\); got \(1, 4\)"),
        (lambda: EqualConv2d(0, 1, 1), "inputs must be .* at least 1, got 0"),
        (lambda: EqualConv2d(1, 0, 1), "outputs must be .* at least 1, got 0"),
        (lambda: EqualConv2d(1, 1, 0), "kernel must be .* at least 1, got 0"),
        (lambda: EqualConv2d(3, 2, 1)(FLAT), r"x must be \(B, 3, H, W\); got \(1, 8, 4, 4\)"),
        (lambda: pixel_norm(torch.zeros(3)), r"x must be \(B, C, …\); got \(3,\)"),
        (lambda: Mapping(nz=0), "nz must be .* at least 1, got 0"),
        (lambda: Mapping(w=0), "w must be .* at least 1, got 0"),
        (lambda: Mapping(1, 1, 0), "layers must be .* at least 1 .* got 0"),
        (lambda: Mapping(1, 1, 1001), "layers must be .* at most 1000, got 1001"),
        (lambda: Mapping(3, 4, 1)(torch.zeros(1, 4)), r"z must be \(B, 3\); got \(1, 4\)"),
        (
            lambda: adain(FLAT, torch.zeros(1, 8, **META), torch.zeros(1, 8)),
            "scale must be on cpu, .* got meta",
        ),
        (
            lambda: adain(FLAT, torch.zeros(1, 8), torch.zeros(1, 8, **META)),
            "bias must be on cpu, .* got meta",
        ),
        (
            lambda: modulated_conv(FLAT[0], torch.zeros(2, 8, 1, 1), torch.zeros(1, 8)),
            r"x must be \(B, I, H, W\)",
        ),
        (lambda: StyledConv(0, 1, 1), "inputs must be .* at least 1, got 0"),
        (lambda: StyledConv(1, 0, 1), "outputs must be .* at least 1, got 0"),
        (lambda: StyledConv(1, 1, 0), "w must be .* at least 1, got 0"),
        (lambda: StyledConv(1, 1, 1, noise=math.inf), "noise must be a finite number"),
        (lambda: StyledConv(3, 4, 5)(FLAT, torch.zeros(1, 5), None), r"x must be \(B, 3, H, W\)"),
        (lambda: StyledConv(8, 4, 5)(FLAT, torch.zeros(1, 4), None), r"w must be \(1, 5\)"),
        (lambda: StyledConv(8, 4, 5)(FLAT, torch.zeros(2, 5), None), r"w must be \(1, 5\)"),
        (
            lambda: StyledConv(8, 4, 5, up=True)(FLAT, torch.zeros(1, 5), FLAT[:, :1]),
            r"noise must be \(B, 1, 8, 8\); got \(1, 1, 4, 4\)",
        ),
        (
            lambda: StyledConv(8, 4, 5)(FLAT, torch.zeros(1, 5), FLAT[:, :1].to("meta")),
            "noise must be on cpu, .* got meta",
        ),
        (lambda: ToRGB(0, 1, 1), "inputs must be .* at least 1, got 0"),
        (lambda: ToRGB(1, 0, 1), "outputs must be .* at least 1, got 0"),
        (lambda: ToRGB(1, 1, 0), "w must be .* at least 1, got 0"),
        (lambda: ToRGB(3, 4, 5)(FLAT, torch.zeros(1, 5)), r"x must be \(B, 3, H, W\)"),
        (lambda: ToRGB(8, 4, 5)(FLAT, torch.zeros(1, 4)), r"w must be \(1, 5\)"),
        (lambda: ToRGB(8, 4, 5)(FLAT, torch.zeros(2, 5)), r"w must be \(1, 5\)"),
        (lambda: doubled(FLAT[0]), r"x must be \(B, C, H, W\); got \(8, 4, 4\)"),
        (lambda: StyleGenerator(nz=0), "nz must be .* at least 1, got 0"),
        (lambda: StyleGenerator(w=0), "w must be .* at least 1, got 0"),
        (lambda: StyleGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: StyleGenerator(size=0), "size must be .* at least 1, got 0"),
        (lambda: StyleGenerator(channels=()), "channels must hold at least one number"),
        (lambda: StyleGenerator(mapping=0), "mapping must be .* at least 1 .* got 0"),
        (lambda: StyleGenerator(noise=math.nan), "^noise must be a finite number"),
        (lambda: make().ws(torch.zeros(2, 5), math.inf), "truncation must be a finite number"),
        (lambda: make().noises(0), "n must be .* at least 1, got 0"),
        (lambda: make().sample(0), "n must be .* at least 1, got 0"),
        (lambda: gave(maps(1, torch.zeros(1, 1, 4, 4))), r"noise\[1\] must be \(B, 1, 8, 8\)"),
        (lambda: gave(maps(0, torch.zeros(1, 1, 4, 4, **META))), r"noise\[0\] must be on cpu"),
        (lambda: gave(maps(2, torch.zeros(1, 2, 8, 8))), r"noise\[2\] must be \(B, 1, 8, 8\)"),
        (lambda: AdaINGenerator(nz=0), "nz must be .* at least 1, got 0"),
        (lambda: AdaINGenerator(w=0), "w must be .* at least 1, got 0"),
        (lambda: AdaINGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: AdaINGenerator(mapping=0), "mapping must be .* at least 1 .* got 0"),
        (lambda: AdaINGenerator(channels=(8, 0)), r"channels\[1\] must be .* at least 1 .* got 0"),
        (lambda: truncate(draw(2, 3), draw(3), math.nan), "psi must be a finite number"),
        (lambda: truncate(draw(2, 3), draw(3).to("meta"), 1), "mean must be on cpu"),
        (lambda: mix(draw(2, 3), draw(2, 3), 1), r"ws_a must be \(B, L, w\); got \(2, 3\)"),
        (
            lambda: mix(draw(1, 2, 3), draw(1, 2, 3).to("meta"), 1),
            "ws_b must be on cpu, .* got meta",
        ),
        (lambda: mix(draw(1, 2, 3), draw(1, 2, 3), -1), "cut must be .* at least 0 .* got -1"),
        (lambda: moved(draw(4), math.inf), "shift must be a finite number"),
        (
            lambda: equivariance(torch.clone, draw(4), 1.0, 0.0),
            "data_range must be .* above 0; got 0",
        ),
        (lambda: equivariance(torch.clone, draw(4).to("meta"), 1.0), "x must have values"),
        (lambda: minibatch_std(draw(2, 3, 4)), r"x must be \(B, C, H, W\); got \(2, 3, 4\)"),
        (lambda: StyleDiscriminator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: StyleDiscriminator(size=0), "size must be .* at least 1, got 0"),
        (lambda: StyleDiscriminator(channels=()), "channels must hold at least one number"),
        (lambda: path_length(draw(2, 3), draw(2, 3, 4)), r"x must be \(B, C, H, W\)"),
        (lambda: path_length(FLAT, draw(2, 3, 4)), r"ws must be \(1, L, w\); got \(2, 3, 4\)"),
        (lambda: path_length(FLAT, draw(1, 3, 4).to("meta")), "ws must be on cpu"),
        (lambda: lazy(-1.0, (0, 0), 4), "lr must be .* at least 0; got -1"),
        (lambda: lazy(1.0, (0.5,), 4), "betas must be two numbers; got"),
        (lambda: lazy(1.0, (0.5, 1.5), 4), "betas must be .* at most 1; got 1.5"),
        (lambda: step(lr=-1), "lr must be .* at least 0; got -1"),
        (lambda: step(mixing=1.5), "mixing must be .* at most 1; got 1.5"),
        (lambda: step(mixing=-0.5), "mixing must be .* at least 0 .* got -0.5"),
        (lambda: step(r1=-1), "r1 must be .* at least 0; got -1"),
        (lambda: step(path=-1), "path must be .* at least 0; got -1"),
        (lambda: step().fake(0), "n must be .* at least 1, got 0"),
        (lambda: step().d_step(FLAT[0], FLAT[0]), r"real must be \(B, C, H, W\)"),
        (lambda: step().d_step(FLAT, FLAT[:, :4]), r"fake must be \(1, 8, 4, 4\)"),
        (lambda: step().g_step(FLAT[0]), r"fake must be \(B, C, H, W\)"),
    ],
)
def test_sizes_and_numbers_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def lengths_of(generator):
    ws = torch.zeros(1, 2, 3, requires_grad=True)
    return path_length(ws[:, None], ws, generator)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: styles.bend([1.0]), "x must be a tensor of decimal numbers"),
        (lambda: EqualLinear(4, 3)(draw(1, 4).double()), "x must be torch.float32"),
        (lambda: EqualConv2d(8, 3, 1)(FLAT.double()), "x must be torch.float32"),
        (lambda: Mapping(4, 3, 1)(draw(1, 4).double()), "z must be torch.float32"),
        (
            lambda: modulated_conv(FLAT, torch.zeros(1, 8, 1, 1).double(), torch.zeros(1, 8)),
            "weight must be torch.float32",
        ),
        (
            lambda: modulated_conv(FLAT, torch.zeros(1, 8, 1, 1), torch.zeros(1, 8).double()),
            "style must be torch.float32",
        ),
        (lambda: StyledConv(8, 1, 1)(FLAT, torch.zeros(1, 1).double(), None), "w must be torch.fl"),
        (lambda: StyledConv(8, 1, 1)(FLAT.double(), torch.zeros(1, 1), None), "x must be torch.fl"),
        (lambda: ToRGB(8, 1, 1)(FLAT, torch.zeros(1, 1).double()), "w must be torch.float32"),
        (lambda: ToRGB(8, 1, 1)(FLAT.double(), torch.zeros(1, 1)), "x must be torch.float32"),
        (lambda: make().ws(draw(1, 5).double()), "z must be torch.float32"),
        (lambda: make().noises(1, 3), "generator must be a torch.Generator or None; got int"),
        (lambda: make().sample(1, generator=3), "generator must be a torch.Generator or None"),
        (
            lambda: make().synthesis(torch.zeros(1, 6, 7), "none", 3),
            "generator must be a torch.Generator or None; got int",
        ),
        (lambda: make().synthesis(torch.zeros(1, 6, 7).double()), "ws must be torch.float32"),
        (lambda: gave(5), "noise must be a Sequence; got int"),
        (lambda: truncate(torch.ones(2, 3).int(), draw(3), 1), "w must be a tensor of decimal"),
        (
            lambda: perceptual_path_length(None, torch.clone, draw(1, 1), draw(1, 1), draw(1)),
            "generate must be a network or a function; got NoneType",
        ),
        (
            lambda: perceptual_path_length(torch.clone, None, draw(1, 1), draw(1, 1), draw(1)),
            "features must be a network or a function; got NoneType",
        ),
        (lambda: filtered(draw(4), 2, None), "act must be a network or a function"),
        (lambda: filtered(draw(4).half(), 2, leaky), "x must be float32 or float64"),
        (lambda: moved(draw(4).bfloat16(), 0.5), "x must be float32 or float64"),
        (lambda: equivariance(None, draw(4), 0.5), "layer must be a network or a function"),
        (lambda: StyleDiscriminator(SMALL, 16)(draw(1, 3, 16, 16).double()), "x must be torch.fl"),
        (
            lambda: r1_penalty(None, draw(1, 2)),
            "discriminator must be a network or a function; got NoneType",
        ),
        (lambda: r1_penalty(torch.clone, torch.ones(2).int()), "real must be a tensor of decimal"),
        (lambda: lengths_of("no"), "generator must be a torch.Generator or None; got str"),
        (lambda: lazy(1.0, ("a", 0), 4), "betas must be a number; got 'a'"),
        (
            lambda: StyleStep(torch.nn.Linear(1, 1), StyleDiscriminator()),
            "generator must be a StyleGenerator; got Linear",
        ),
        (lambda: step().fake(1, 5), "labels must be a Sequence; got int"),
        (lambda: step().d_step(FLAT.double(), FLAT), "real must be torch.float32"),
        (lambda: step().d_step(FLAT, FLAT.double()), "fake must be torch.float32"),
        (lambda: step().d_step(FLAT, FLAT, 5), "labels must be a Sequence; got int"),
        (lambda: step().g_step(FLAT.double()), "fake must be torch.float32"),
        (lambda: step().g_step(FLAT, 5), "labels must be a Sequence; got int"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"w0": draw(1, 2, 3)}, r"w0 must be \(B, d\)"),
        ({"w1": draw(1, 3)}, r"w1 must be \(2, 3\)"),
        ({"t": draw(3)}, r"t must be \(2,\)"),
        ({"eps": -0.1}, "eps must be .* above 0"),
    ],
)
def test_ends_of_a_path_that_do_not_fit_are_refused(changed, message):
    good = {"w0": draw(2, 3), "w1": draw(2, 3, seed=1), "t": torch.zeros(2)}
    with pytest.raises(ValueError, match=message):
        perceptual_path_length(torch.clone, torch.clone, **good | changed)


# Paths, moves and penalties in closed form


def test_a_path_is_measured_between_features_of_pictures_a_hundredth_apart():
    w0 = torch.zeros(2, 3, dtype=torch.float64)
    w1 = torch.tensor([[1.0, 2, 2], [2, 0, 0]], dtype=torch.float64)
    t = torch.zeros(2, dtype=torch.float64)

    def generate(w):
        return w.square().view(2, 1, 3, 1)

    found = perceptual_path_length(generate, lambda x: 5 * x, w0, w1, t)
    # 25 Σ (ε² d²)² / ε², for the distances d along each axis
    expected = [25 * 1e-4 * (1 + 16 + 16), 25 * 1e-4 * 16]
    assert found.tolist() == pytest.approx(expected)


def cosine(k: float, n: int, shift: float = 0.0) -> torch.Tensor:
    return torch.cos(2 * math.pi * k * (torch.arange(n, dtype=torch.float64) - shift) / n)


@pytest.mark.parametrize("n", [15, 16])
@pytest.mark.parametrize("shift", [0.0, 0.3, -2.5, 4.0])
def test_a_moved_cosine_is_a_later_cosine(n, shift):
    x = torch.stack([cosine(k, n) for k in (0, 1, 5)])
    expected = torch.stack([cosine(k, n, shift) for k in (0, 1, 5)])
    torch.testing.assert_close(moved(x, shift), expected, rtol=0, atol=1e-13)
    assert torch.equal(moved(x.view(3, 1, n), shift), moved(x, shift)[:, None])


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_harmonic_is_kept_in_the_band_and_cut_off_beyond_it_at_a_higher_rate(factor):
    # cos² = ½ + ½ cos of twice the frequency
    low, high = filtered(torch.stack([cosine(3, 16), cosine(5, 16)]), factor, torch.square)
    torch.testing.assert_close(low, 0.5 + 0.5 * cosine(6, 16))
    alias = 0.5 * cosine(6, 16) if factor == 1 else 0.0  # 10 of 16 samples look like 6
    torch.testing.assert_close(high, 0.5 + alias + torch.zeros(16, dtype=torch.float64))


def test_filtering_drops_the_frequency_at_half_the_rate():
    torch.testing.assert_close(filtered(cosine(8, 16), 2, torch.clone), torch.zeros(16).double())
    x = draw(2, 15, dtype=torch.float64)  # no such frequency at an odd number of samples
    torch.testing.assert_close(filtered(x, 2, torch.clone), x)


def test_equivariance_is_peak_signal_to_noise_in_decibels():
    pattern = draw(2, 16, dtype=torch.float64)
    x, error = draw(2, 16, seed=1, dtype=torch.float64), pattern - pattern.roll(3, -1)
    mse = error.square().mean().item()
    found = [equivariance(lambda _: pattern, x, 3.0, *more) for more in ((), (2.0,), (255.0,))]
    assert found == pytest.approx([20 * math.log10(peak / mse**0.5) for peak in (2, 2, 255)])


def test_a_layer_at_another_rate_moves_by_its_own_samples():
    x = band(64, 3, 8, 0)
    for layer in (lambda x: x[..., ::2], lambda x: filtered(x, 2, leaky)):
        assert equivariance(layer, x, 2.0) > 150
    assert equivariance(lambda x: x.repeat_interleave(2, -1), x, 3.0) > 150


def test_a_layer_without_any_error_has_a_finite_equivariance():
    # 1e-300 stands in for an error of 0
    found = equivariance(torch.zeros_like, cosine(1, 16), 0.3)
    assert found == pytest.approx(3000 + 10 * math.log10(4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_channel_of_spreads_has_the_size_and_the_precision_of_the_maps(dtype):
    x = draw(4, 3, 2, 5).to(dtype)
    y = minibatch_std(x, 2)
    assert y.shape == (4, 4, 2, 5) and y.dtype == dtype and torch.equal(y[:, :3], x)
    a, b = x.float()[[0, 1]], x.float()[[2, 3]]  # the spread of two is half their distance
    expected = ((a - b).abs() / 2).mean((1, 2, 3)).repeat(2)
    assert y[:, 3, 1, 4].tolist() == pytest.approx(expected.tolist(), rel=1e-2)


def test_the_path_length_is_the_root_of_the_mean_over_layers():
    first, second = (draw(12, 4, seed=i, dtype=torch.float64) for i in (1, 2))
    ws = draw(5, 2, 4, seed=3, dtype=torch.float64).requires_grad_()
    x = (ws[:, 0] @ first.T + ws[:, 1] @ second.T).view(5, 3, 2, 2)
    y = torch.randn(x.shape, generator=seeded(4)).double().view(5, 12) / 2  # √(2 · 2)
    squares = [(y @ matrix).square().sum(1) for matrix in (first, second)]
    expected = ((squares[0] + squares[1]) / 2).sqrt()
    torch.testing.assert_close(path_length(x, ws, seeded(4)), expected)


def test_lazy_settings_take_roots_of_both_betas():
    lr, betas = lazy(0.001, (0.25, 0.81), 1)
    assert (lr, *betas) == pytest.approx((0.0005, 0.5, 0.9))
    assert lazy(0.0, (0.0, 1.0), 3) == (0, (0, 1))


def test_r1_is_a_mean_over_pictures():
    x = draw(3, 2, dtype=torch.float64)
    found = r1_penalty(lambda x: x.square().sum(1), x)  # the slope is 2 x
    torch.testing.assert_close(found, 4 * x.square().sum() / 3 / 2)


# One round of the game, piece by piece


@pytest.mark.parametrize("options, lr", [({}, 2e-3), ({"lr": 1e-2}, 1e-2)])
@pytest.mark.parametrize("r1, d", [({}, 16 / 17), ({"r1": 5.0}, 16 / 17), ({"r1": 0}, 1)])
@pytest.mark.parametrize("path, g", [({}, 1), ({"path": 0}, 1), ({"path": 2.0}, 8 / 9)])
def test_each_player_s_adam_allows_for_its_own_penalty(options, lr, r1, d, path, g):
    round_ = step(**options, **r1, **path)
    for optimizer, c in ((round_.d_optimizer, d), (round_.g_optimizer, g)):
        (group,) = optimizer.param_groups
        assert group["lr"] == pytest.approx(lr * c)
        assert group["betas"] == pytest.approx((0, 0.99**c))
    assert round_.h_optimizer is None


def test_a_round_mixes_nine_tenths_and_averages_without_a_path_unless_told():
    round_ = step()
    assert (round_.mixing, round_.r1, round_.path) == (0.9, 1, 0)
    assert round_.ema.decay == 0.998 and step(ema=0.5).ema.decay == 0.5
    assert step(ema=None).ema is None
    assert (round_.lazy.n, round_.lazy.length) == (0, None)
    x = draw(4, 3, 16, 16)
    assert torch.equal(round_.augmentation(x), x)
    assert round_(x)["p"] == 0 and round_.lazy.length is None


class Negative:
    """In place of an augmentation: the negative of each picture."""

    def __init__(self):
        self.p, self.told = 0.25, []

    def __call__(self, x):
        return -x

    def update(self, real_scores):
        self.told.append(real_scores)


def watched(monkeypatch, **options) -> tuple[StyleStep, list]:
    """A step whose losses are noted with their optimizers instead of being descended."""
    round_, seen = step(augmentation=Negative(), **options), []
    monkeypatch.setattr(styles, "_descend", lambda loss, who: seen.append((loss.detach(), who)))
    return round_, seen


def second_judge():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 1))


def test_the_discriminator_learns_from_both_kinds_as_augmented(monkeypatch):
    round_, seen = watched(monkeypatch, r1=3.0, projected=second_judge())
    judge, other = round_.discriminator, round_.projected
    real, fake = draw(4, 3, 16, 16), draw(4, 3, 16, 16, seed=1)
    told = round_.d_step(real, fake)
    loss = F.softplus(-judge(-real)).mean() + F.softplus(judge(-fake)).mean()
    hinge = (1 - other(-real)).clamp(min=0).mean() + (1 + other(-fake)).clamp(min=0).mean()
    expected = (loss, hinge, 16 * 3 * r1_penalty(judge, -real))
    for (found, _), value in zip(seen, expected, strict=True):
        torch.testing.assert_close(found, value.detach())
    who = [round_.d_optimizer, round_.h_optimizer, round_.d_optimizer]
    assert [optimizer for _, optimizer in seen] == who
    torch.testing.assert_close(told["d_loss"], loss.detach())
    assert not told["d_loss"].requires_grad and told["p"] == 0.25
    (scores,) = round_.augmentation.told
    torch.testing.assert_close(scores, judge(-real))


def test_the_generator_hears_both_judges_and_neither_of_them_learns(monkeypatch):
    round_, seen = watched(monkeypatch, projected=second_judge())
    judge, other = round_.discriminator, round_.projected
    fake = draw(4, 3, 16, 16).requires_grad_()
    told = round_.g_step(fake)
    loss = F.softplus(-judge(-fake)).mean()
    ((total, optimizer),) = seen
    torch.testing.assert_close(total, (loss - other(-fake).mean()).detach())
    torch.testing.assert_close(told["g_loss"], loss.detach())
    assert optimizer is round_.g_optimizer and not told["g_loss"].requires_grad
    monkeypatch.undo()
    round_.g_step(fake)
    assert fake.grad.abs().sum() > 0
    assert all(p.grad is None for net in (judge, other) for p in net.parameters())
    assert round_.lazy.n == 2


def test_a_second_judge_has_an_adam_of_its_own_and_learns():
    round_ = step(projected=second_judge(), lr=1e-2)
    (group,) = round_.h_optimizer.param_groups
    assert group["lr"] == 5e-4 and group["betas"] == (0, 0.99)
    assert {*map(id, group["params"])} == {*map(id, round_.projected.parameters())}
    before = round_.projected[1].weight.detach().clone()
    round_(draw(4, 3, 16, 16))
    # Adam's first step moves a weight by the rate
    moved_by = (round_.projected[1].weight - before).abs().max().item()
    assert moved_by == pytest.approx(5e-4, rel=0.01)


@pytest.mark.parametrize("path, wanted", [(0.0, []), (2.0, [3, 3, 3])])
def test_paths_are_straightened_every_eighth_round_on_half_a_batch(monkeypatch, path, wanted):
    round_, sizes = step(path=path), []
    monkeypatch.setattr(round_, "_straighten", sizes.append)
    monkeypatch.setattr(styles, "_descend", lambda *_: None)
    for _ in range(17):
        round_.g_step(draw(6, 3, 16, 16))
    assert sizes == wanted and round_.lazy.n == 17


def test_the_path_penalty_is_the_distance_from_an_average_that_moves_by_a_hundredth(monkeypatch):
    round_, seen = watched(monkeypatch, path=3.0)
    lengths = [torch.tensor(two, requires_grad=True) for two in ([1.0, 3.0], [2.0, 4.0])]
    asked, answers = [], iter(lengths)

    def given(x, ws):
        asked.append((x.shape, ws.shape))
        return next(answers)

    monkeypatch.setattr(styles, "path_length", given)
    round_._straighten(2)
    assert round_.lazy.length.item() == 2 and not round_.lazy.length.requires_grad
    round_._straighten(2)
    average = 2 + 0.01 * (3 - 2)
    assert round_.lazy.length.item() == pytest.approx(average)
    penalties = [1, ((2 - average) ** 2 + (4 - average) ** 2) / 2]
    assert [loss.item() for loss, _ in seen] == pytest.approx([8 * 3 * p for p in penalties])
    assert all(optimizer is round_.g_optimizer for _, optimizer in seen)
    assert asked == [((2, 3, 16, 16), (2, 6, 7))] * 2


def test_fakes_are_the_pictures_of_mixed_styles():
    round_ = step()
    torch.manual_seed(3)
    found = round_.fake(4)
    torch.manual_seed(3)
    torch.testing.assert_close(found, round_.generator.synthesis(round_._mixed(4)))
    assert found.requires_grad


def test_codes_are_normal_and_their_average_style_is_followed_slowly():
    round_ = step()
    net, mean = round_.generator, torch.zeros(7)
    for _ in range(2):
        torch.manual_seed(3)
        ws = round_._mixed(6)
        torch.manual_seed(3)
        w = net.mapping(torch.randn(12, 5)).detach()
        mean = 0.995 * mean + 0.005 * w[:6].mean(0)
        torch.testing.assert_close(net.w_mean, mean)
        torch.testing.assert_close(ws[:, 0], w[:6])
    assert not net.w_mean.requires_grad and ws.requires_grad


@pytest.mark.parametrize("mixing", [0.3, 0.9])
def test_a_share_of_the_codes_gives_way_to_another_at_any_layer(mixing):
    n = 4000
    ws = step(mixing=mixing)._mixed(n)
    own = (ws == ws[:, :1]).all(2)
    assert torch.equal(own, own.cummin(1).values)  # never back to the first
    lengths = own.sum(1).bincount(minlength=7) / n
    # at each of 5 places the same share, and the others whole; four standard errors
    expected = [0, *[mixing / 5] * 5, 1 - mixing]
    assert lengths.tolist() == pytest.approx(expected, abs=4 * 0.5 / n**0.5)
    later = ws[~own[:, -1]][:, -1]
    assert len(later.unique(dim=0)) == len(later)


def test_the_players_may_compute_in_bfloat16_and_the_losses_do_not():
    judge, seen = second_judge(), []
    round_ = step(projected=judge, r1=0)  # R1 stays in float32
    round_.precision = lambda: torch.autocast("cpu", torch.bfloat16)
    for layer in (round_.generator.convs[0], round_.discriminator.last, judge):
        layer.register_forward_hook(lambda layer, _, y: seen.append((type(layer), y.dtype)))
    assert round_.fake(2).dtype == torch.float32
    losses = round_(draw(4, 3, 16, 16))
    kinds = (StyledConv, EqualConv2d, torch.nn.Sequential)
    assert {*seen} == {(kind, torch.bfloat16) for kind in kinds}
    assert losses["d_loss"].dtype == losses["g_loss"].dtype == torch.float32
