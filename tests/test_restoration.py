"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import restoration
from course_lib.diffusion import Diffusion, cosine_betas
from course_lib.restoration import (
    between,
    content_minimum,
    copies,
    cosines,
    denoise,
    dense_block,
    diffusion_restore,
    enlarge,
    filled,
    fit_latents,
    gaussian_kernel,
    jpeg_block,
    missed,
    modulate_half,
    pan_sharpen,
    partial_conv,
    patch_distance,
    perceptual_loss,
    price_of_blending,
    psnr_y,
    relativistic_losses,
    shrink,
    spectrum_gain,
    told_apart,
    total_variation,
    with_gain,
)


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def draw(*shape: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def near(x: float) -> object:
    return pytest.approx(x, abs=2e-6)


# Smaller and larger


def test_a_ramp_and_a_line_shrunk_by_means():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    assert shrink(ramp)[0, 0, 0].tolist() == [1.5, 5.5, 9.5, 13.5]
    line = torch.zeros(1, 1, 16, 16)
    line[..., 8] = 1
    assert shrink(line)[0, 0, 0].tolist() == [0, 0, 0.25, 0]


def test_enlarged_pixels_shrink_to_themselves():
    y = draw(2, 3, 4, 4)
    torch.testing.assert_close(shrink(enlarge(y, 4, "nearest")), y)


def test_sides_that_are_no_multiples_and_other_modes_are_refused():
    with pytest.raises(ValueError, match="multiples of 4"):
        shrink(draw(1, 3, 6, 8))
    with pytest.raises(ValueError, match="mode must be"):
        enlarge(draw(1, 3, 4, 4), 4, "area")


# How far from the truth?


def test_pixels_lighter_by_a_tenth_are_27_3425_db_on_y():
    x = torch.rand(2, 3, 8, 8, generator=seeded(0)) - 0.5
    assert psnr_y(x, x + 0.1, 1) == pytest.approx(27.3425, abs=1e-3)


def test_one_grey_level_of_255_is_48_1308_db_plus_what_the_range_of_y_gives():
    x = torch.zeros(1, 3, 6, 6, dtype=torch.float64)
    grey = 20 * math.log10(255 / 219)
    assert grey == near(1.3219 + 4.7e-5) or abs(grey - 1.3219) < 1e-4
    assert psnr_y(x, x + 2 / 255, 0) == pytest.approx(48.1308 + grey, abs=1e-4)


def test_the_mean_of_decibels_is_what_papers_print_and_the_border_has_no_say():
    a = torch.zeros(2, 3, 8, 8)
    b = a + torch.tensor([0.02, 0.2]).view(2, 1, 1, 1)
    b[:, :, 0] += 0.3
    both = psnr_y(a, b, 2)
    assert both == pytest.approx((psnr_y(a[:1], b[:1], 2) + psnr_y(a[1:], b[1:], 2)) / 2)
    assert both == pytest.approx(psnr_y(a[..., 2:-2, 2:-2], b[..., 2:-2, 2:-2], 0))
    assert both > psnr_y(a, b, 0) and psnr_y(a, a, 2) == math.inf
    with pytest.raises(ValueError, match="border"):
        psnr_y(a, b, 4)


def test_half_of_another_picture_costs_a_quarter_of_its_price():
    assert price_of_blending(1, 2, 0.5) == near(1.25)
    assert price_of_blending(1, 3, 0.25) == near(1.125)
    with pytest.raises(ValueError, match="d_other"):
        price_of_blending(1, 0.5, 0.5)


def test_the_price_is_exact_for_gaussians():
    x, noise = draw(200_000), draw(200_000, seed=1)
    y = x + 0.5 * noise
    mean = y / 1.25
    other = mean + 0.3 * y.sin() + 0.2  # any function of y
    d = [(v - x).square().mean().item() for v in (mean, other)]
    for a in (0.25, 0.5, 0.75):
        found = ((1 - a) * mean + a * other - x).square().mean().item()
        assert found == pytest.approx(price_of_blending(*d, a), rel=0.005)


def test_the_best_realistic_answer_of_a_gaussian_is_a_louder_mean():
    """Freirich et al. 2021: 2 − 2√v = 0.211146 at s = 0.5, with D* = 0.2 and a draw at 0.4."""
    x = draw(400_000)
    mean = (x + 0.5 * draw(400_000, seed=1)) / 1.25
    assert (mean - x).square().mean().item() == pytest.approx(0.2, rel=0.01)
    louder = mean * math.sqrt(1.25)
    assert (louder - x).square().mean().item() == pytest.approx(0.211146, rel=0.01)
    sample = mean + math.sqrt(0.2) * draw(400_000, seed=2)
    assert (sample - x).square().mean().item() == pytest.approx(0.4, rel=0.01)


def test_patches_of_one_set_are_at_no_distance_and_of_noise_at_theirs():
    x = draw(40, 3, 16, 16).clamp(-1, 1)
    assert patch_distance(x, x) == pytest.approx(0, abs=1e-3)
    white = patch_distance(x, torch.zeros_like(x), size=4)
    assert white == pytest.approx(1000 * x.square().mean().item(), rel=0.02)  # tr C + ‖μ‖²


def test_a_fresh_judge_tells_noise_and_cannot_tell_two_halves_of_one_set():
    x = draw(120, 3, 16, 16, dtype=torch.float32).clamp(-1, 1)
    assert told_apart(x, x.mean(0, keepdim=True).expand_as(x), steps=60) > 0.95
    assert 0.3 < told_apart(x[:60], x[60:], steps=60) < 0.7
    assert told_apart(x[:60], x[60:], 3) == told_apart(x[:60], x[60:], 3)


# Real-looking for nothing


def test_the_gain_of_a_third_is_three():
    x = draw(5, 2, 6, 6)
    torch.testing.assert_close(spectrum_gain(x, 3 * x), torch.full((2, 6, 4), 3.0).double())


def test_pictures_with_the_gain_have_the_spectrum_of_the_sharp_ones():
    sharp = draw(30, 3, 8, 8)
    blurred = F.avg_pool2d(F.pad(sharp, (1, 1, 1, 1)), 3, 1)
    mean = blurred.mean(0)
    gain = spectrum_gain(blurred - mean, sharp)
    made = with_gain(blurred, gain, mean)
    torch.testing.assert_close(spectrum_gain(made - mean, sharp), torch.ones_like(gain))


# ESRGAN's parts


def convs(c: int = 4, growth: int = 2) -> nn.ModuleList:
    torch.manual_seed(1)
    layers = [nn.Conv2d(c + i * growth, growth if i < 2 else c, 3, padding=1) for i in range(3)]
    return nn.ModuleList(layers).double()


def test_a_dense_block_of_three_written_out():
    x, (a, b, c) = draw(1, 4, 5, 5), convs()
    first = F.leaky_relu(a(x), 0.2)
    second = F.leaky_relu(b(torch.cat([x, first], 1)), 0.2)
    wanted = x + 0.2 * c(torch.cat([x, first, second], 1))
    torch.testing.assert_close(dense_block(x, convs(), 0.2), wanted)


def test_a_dense_block_of_weights_0_returns_its_input():
    x, layers = draw(1, 4, 5, 5), convs()
    for weight in layers.parameters():
        nn.init.zeros_(weight)
    assert torch.equal(dense_block(x, layers, 0.2), x)


def trunk() -> nn.Sequential:
    torch.manual_seed(2)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.1), nn.Conv2d(4, 4, 3)]
    net = nn.Sequential(*layers).double().requires_grad_(False)
    net[1].running_mean.uniform_(-1, 1)
    return net.eval()


def test_the_perceptual_loss_is_the_mean_over_taps_and_moves_what_was_made():
    net = trunk()
    made, truth = draw(2, 3, 8, 8).requires_grad_(), draw(2, 3, 8, 8, seed=1).requires_grad_()
    loss = perceptual_loss(made, truth, net, (1, 3))
    wanted = [(net[:k](made) - net[:k](truth)).abs().mean() for k in (2, 4)]
    torch.testing.assert_close(loss, sum(wanted) / 2)
    loss.backward()
    assert made.grad.abs().sum() > 0 and truth.grad is None
    assert perceptual_loss(made, made, net, [1]).item() == 0


def test_the_trunk_judges_in_evaluation_mode_and_keeps_the_mode_that_it_had():
    net = trunk()
    before = perceptual_loss(draw(2, 3, 8, 8), draw(2, 3, 8, 8, seed=1), net, [1])
    net.train()
    again = perceptual_loss(draw(2, 3, 8, 8), draw(2, 3, 8, 8, seed=1), net, [1])
    assert torch.equal(before, again) and all(module.training for module in net.modules())


def test_relativistic_losses_have_the_golden_values():
    r, f = torch.tensor([1.0, 3.0]), torch.tensor([0.0, -2.0])
    d_loss, g_loss = relativistic_losses(r, f)
    assert d_loss.item() == near(0.145078) and g_loss.item() == near(6.145078)
    moved = relativistic_losses(r + 5, f + 5)
    assert moved[0].item() == pytest.approx(0.145078, abs=1e-5)
    for loss in relativistic_losses(torch.zeros(3), torch.zeros(2)):
        assert loss.item() == near(2 * math.log(2))


def test_between_two_networks_weights_move_and_counters_stay():
    a = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(10)}
    b = {"w": torch.tensor([3.0, 0.0]), "n": torch.tensor(21)}
    c = between(a, b, 0.25)
    assert c["w"].tolist() == [1.5, 1.5] and c["n"].item() == 10
    assert a["w"].tolist() == [1.0, 2.0] and c["n"].dtype == torch.int64
    with pytest.raises(ValueError, match="two networks"):
        between(a, {"w": b["w"]}, 0.5)


# Damage


def test_the_kernel_has_the_golden_values():
    k = gaussian_kernel(5, 2.0, 0.5, 0.0)
    assert [k[2, 2].item(), k[2, 3].item(), k[3, 2].item()] == [
        near(0.197727), near(0.174494), near(0.026760)
    ]  # fmt: skip
    k = gaussian_kernel(5, 2.0, 0.5, math.pi / 4)
    assert [k[3, 3].item(), k[1, 3].item()] == [near(0.138865), near(0.003266)]
    assert k.sum().item() == near(1)
    torch.testing.assert_close(gaussian_kernel(4, 1, 1, 0), gaussian_kernel(4, 1, 1, 0).flip(0))


def test_cosines_are_orthonormal():
    d = cosines(8, torch.float64)
    torch.testing.assert_close(d @ d.T, torch.eye(8, dtype=torch.float64))


def test_a_block_comes_back_with_a_fine_table_and_stays_within_0_and_255():
    block = torch.rand(2, 8, 8, generator=seeded(0), dtype=torch.float64) * 255
    fine = torch.full((8, 8), 1e-3, dtype=torch.float64)
    torch.testing.assert_close(jpeg_block(block, fine), block, atol=0.01, rtol=0)
    edge = torch.zeros(8, 8, dtype=torch.float64)
    edge[:, 4:] = 255
    coarse = jpeg_block(edge, torch.full((8, 8), 60.0).double())
    assert coarse.min() >= 0 and coarse.max() <= 255
    with pytest.raises(ValueError, match="table must hold numbers above 0"):
        jpeg_block(edge, torch.zeros(8, 8))


def test_a_flat_block_goes_to_the_nearest_step_around_128():
    flat = jpeg_block(torch.full((8, 8), 130.0), torch.full((8, 8), 11.0))
    torch.testing.assert_close(flat, torch.full((8, 8), 128 + 11 / 8))  # 16 / 11 → 1 step


# A prior, holes, two sensors


def test_half_of_the_maps_stay_and_half_are_turned():
    h, scale, shift = draw(2, 4, 3, 3), draw(2, 2, 3, 3, seed=1), draw(2, 2, 3, 3, seed=2)
    out = modulate_half(h, scale, shift)
    assert torch.equal(out[:, :2], h[:, :2])
    torch.testing.assert_close(out[:, 2:], h[:, 2:] * (1 + scale) + shift)
    assert torch.equal(modulate_half(h, 0 * scale, 0 * shift), h)
    with pytest.raises(ValueError, match="even number of channels"):
        modulate_half(h[:, :3], scale, shift)


def test_a_partial_convolution_is_the_mean_of_what_is_known():
    x, mask = torch.arange(1.0, 10).view(1, 1, 3, 3), torch.ones(1, 1, 3, 3)
    mask[..., 0, :] = 0
    weight = torch.ones(1, 1, 3, 3) / 9
    y, new = partial_conv(x, mask, weight, torch.zeros(1))
    assert y.item() == pytest.approx(6.5) and new.item() == 1


def test_a_partial_convolution_of_all_is_a_convolution_and_of_nothing_is_nothing():
    x, weight, bias = draw(2, 3, 5, 6), draw(4, 3, 3, 3, seed=1), draw(4, seed=2)
    ones = torch.ones(1, 1, 5, 6, dtype=torch.float64)
    y, new = partial_conv(x, ones, weight, bias)
    torch.testing.assert_close(y, F.conv2d(x, weight, bias))
    assert (new == 1).all()
    y, new = partial_conv(x, 0 * ones, weight, bias)
    assert not y.any() and not new.any()


def test_what_lies_in_the_hole_has_no_say():
    x, mask = draw(1, 2, 5, 5), torch.ones(1, 1, 5, 5, dtype=torch.float64)
    mask[..., :2] = 0
    weight, bias = draw(2, 2, 3, 3, seed=1), draw(2, seed=2)
    other = torch.where(mask > 0, x, 7.0)
    for a, b in zip(
        partial_conv(x, mask, weight, bias), partial_conv(other, mask, weight, bias), strict=True
    ):
        assert torch.equal(a, b)


def test_a_hole_in_a_flat_picture_is_filled_flat():
    x, hole = torch.full((2, 3, 12, 12), 0.4), torch.zeros(1, 1, 12, 12)
    hole[..., 3:9, 2:10] = 1
    torch.testing.assert_close(filled(torch.where(hole > 0, 9.0, x), hole), x)
    other = draw(2, 3, 12, 12, dtype=torch.float32)
    done = filled(other, hole)
    assert torch.equal(torch.where(hole > 0, 0, done), torch.where(hole > 0, 0, other))
    with pytest.raises(ValueError, match="leave some places known"):
        filled(x, torch.ones_like(hole))


# Noise


def test_total_variation_lowers_a_step_by_the_weight_over_its_width():
    """Strong and Chan 2003: both sides of an edge move, 0.4 / 4 and 0.4 / 6 in a row of 4 and 6."""
    y = torch.ones(1, 1, 4, 10, dtype=torch.float64)
    y[..., :4] = -1
    row = torch.tensor([-0.9] * 4 + [1 - 0.4 / 6] * 6, dtype=torch.float64)
    made = total_variation(y, 0.4, 500)
    torch.testing.assert_close(made, row.expand_as(made), atol=1e-3, rtol=0)


def test_total_variation_has_no_smaller_neighbour():
    y = draw(1, 3, 6, 8)

    def loss(f):
        right, down = F.pad(f.diff(dim=3), (0, 1)), F.pad(f.diff(dim=2), (0, 0, 0, 1))
        lengths = (right.square() + down.square()).sum(1).sqrt()  # of all colours together
        return (0.5 * (f - y).square().sum() + 0.7 * lengths.sum()).item()

    best = total_variation(y, 0.7, 2000)
    assert all(loss(best) < loss(best + 0.03 * draw(1, 3, 6, 8, seed=i)) for i in range(1, 20))


def test_total_variation_of_weight_0_changes_nothing_and_a_large_one_leaves_the_mean():
    y = draw(2, 3, 6, 7)
    assert torch.equal(total_variation(y, 0), y)
    mean = y.mean((2, 3), keepdim=True).expand_as(y)
    torch.testing.assert_close(total_variation(y, 100.0, 300), mean, atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="weight"):
        total_variation(y, -1.0)
    with pytest.raises(ValueError, match="y must be"):
        total_variation(y[0], 1.0)


def test_pan_sharpening_has_the_golden_values_and_agrees_with_the_grey_picture():
    colours = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    weights = torch.ones(3) / 3
    out = pan_sharpen(colours, torch.full((1, 1, 1, 1), 0.5), weights)
    assert out.flatten().tolist() == pytest.approx([0.3, 0.5, 0.7])
    colours, grey, weights = (
        draw(2, 3, 4, 4),
        draw(2, 1, 4, 4, seed=1),
        torch.tensor([0.5, 0.3, 0.2]),
    )
    seen = (pan_sharpen(colours, grey, weights.double()) * weights.view(1, 3, 1, 1)).sum(1, True)
    torch.testing.assert_close(seen, grey)


def test_the_content_minimum_has_no_smaller_neighbour():
    colours, grey = draw(1, 3, 6, 8), draw(1, 1, 6, 8, seed=1)

    def loss(f):
        slopes = [(f - grey).diff(dim=axis).square().sum() for axis in (2, 3)]
        return (f - colours).square().sum() + 5 * sum(slopes)

    best = content_minimum(colours, grey, 5.0).requires_grad_()
    (slope,) = torch.autograd.grad(loss(best), best)
    assert slope.abs().max() < 1e-10
    torch.testing.assert_close(content_minimum(colours, grey, 0.0), colours)


# A diffusion model that was never told


class Gaussian(nn.Module):
    """The exact v-prediction for pictures of independent N(0, 0.25) pixels."""

    def __init__(self, diffusion: Diffusion, variance: float = 0.25):
        super().__init__()
        self.alpha_bar, self.variance = diffusion.alpha_bar, variance
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t, labels=None):
        a = self.alpha_bar[t].to(x.dtype).view(-1, 1, 1, 1)
        x0 = a.sqrt() * self.variance / (a * self.variance + 1 - a) * x
        return (a.sqrt() * x - x0) / (1 - a).sqrt()


def test_one_step_is_the_mean_and_many_are_a_sample():
    diffusion = Diffusion(cosine_betas(1000))
    model, x = Gaussian(diffusion), 0.5 * draw(60, 3, 8, 8, dtype=torch.float32)
    noisy = x + 0.5 * draw(60, 3, 8, 8, seed=1, dtype=torch.float32)
    mean = denoise(diffusion, model, noisy, 0.5)
    torch.testing.assert_close(mean, (noisy / 2).clamp(-1, 1), atol=0.01, rtol=0.02)
    sample = denoise(diffusion, model, noisy, 0.5, seeded(2), steps=50)
    errors = [(v - x).square().mean().item() for v in (mean, sample)]
    assert errors[0] == pytest.approx(0.125, rel=0.03)
    assert errors[1] / errors[0] == pytest.approx(2, rel=0.1)  # Blau and Michaeli: twice


def test_restored_pictures_shrink_to_what_was_seen():
    diffusion = Diffusion(cosine_betas(1000))
    y = 0.3 * draw(2, 3, 4, 4, dtype=torch.float32)
    x = diffusion_restore(diffusion, Gaussian(diffusion), y, 4, seeded(0), steps=5)
    assert x.shape == (2, 3, 16, 16)
    torch.testing.assert_close(shrink(x), y)
    again = diffusion_restore(diffusion, Gaussian(diffusion), y, 4, seeded(0), steps=5)
    assert torch.equal(x, again)


def test_the_search_of_a_code_finds_it():
    matrix = draw(6, 3 * 8 * 8, dtype=torch.float32) / 3

    def generate(z):
        return (z @ matrix).view(-1, 3, 8, 8)

    z = draw(2, 6, seed=1, dtype=torch.float32)
    z = z / z.norm(dim=1, keepdim=True) * math.sqrt(6)
    y = shrink(generate(z))
    start = draw(2, 6, seed=2, dtype=torch.float32)
    before = (shrink(generate(start)) - y).square().mean()
    found = fit_latents(generate, y, start, steps=150)
    assert (shrink(generate(found)) - y).square().mean() < 0.01 * before


# Who was it?


def test_invented_and_lost_are_shares_of_those_without_and_with():
    true = {"glasses": torch.tensor([0, 0, 0, 0, 1, 1])}
    found = {"glasses": torch.tensor([1, 0, 0, 0, 0, 1])}
    assert missed(found, true) == (0.25, 0.5)
    with pytest.raises(ValueError, match="glasses"):
        missed({"skin": true["glasses"]}, true)


def test_the_copy_is_the_person_who_shrinks_nearest():
    people = draw(9, 3, 8, 8).clamp(-1, 1)
    y = shrink(people[[4, 2]]) + 0.01
    assert torch.equal(copies(y, people), people[[4, 2]])


def test_all_twelve_exercises_stand_in_one_module():
    names = "psnr_y price_of_blending spectrum_gain dense_block perceptual_loss between"
    names += " relativistic_losses gaussian_kernel jpeg_block modulate_half partial_conv"
    for name in (*names.split(), "pan_sharpen"):
        assert getattr(restoration, name).__module__ == "course_lib.restoration"
