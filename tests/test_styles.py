"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import styles
from course_lib.augmentation import Augmentation
from course_lib.styles import (
    AdaINGenerator,
    StyleDiscriminator,
    StyleGenerator,
    StyleStep,
    adain,
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
    r1_penalty,
    truncate,
)
from course_lib.training import train
from tests.helpers import assert_step_runs_on_meta

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
