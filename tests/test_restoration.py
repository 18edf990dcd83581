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


# Formulas written out, what is refused, what is the least and the most


def test_an_enlarged_ramp_is_drawn_between_its_pixels():
    y = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(1, 1, 2, 2)
    assert enlarge(y, 2, "nearest")[0, 0, 0].tolist() == [0, 0, 1, 1]
    assert enlarge(y, 2, "bilinear")[0, 0, 0].tolist() == [0, 0.25, 0.75, 1]
    usual = enlarge(y)
    torch.testing.assert_close(usual, enlarge(y, 4, "bicubic"))
    assert usual.shape == (1, 1, 8, 8) and usual.max() > 1  # a cubic one overshoots
    assert enlarge(y[..., :1, :1], 64).shape == (1, 1, 64, 64)


def test_the_patches_of_two_sets_that_differ_by_a_colour_differ_by_its_square():
    a = draw(5, 3, 1, 1).clamp(-0.5, 0.5).expand(-1, -1, 9, 9)
    colour = torch.tensor([0.3, 0.0, -0.3]).view(1, 3, 1, 1)
    for size in (2, 4):  # equal covariances: what is left is ‖μ‖² / numbers
        found = patch_distance(a, a + colour, size)
        assert found == pytest.approx(1000 * 2 * 0.3**2 / 3, rel=1e-3)


def test_patches_have_eight_pixels_a_side_and_stand_three_apart_unless_told():
    a, b = draw(3, 2, 12, 12), 0.3 * draw(4, 2, 12, 12, seed=1)
    a[:, 1] = b[:, 1] = 0
    assert patch_distance(a, b) == patch_distance(a, b, 8, 3)
    # one pixel a patch: (m₁ − m₂)² + (s₁ − s₂)² of the first channel, 0 of the second
    seen = [x[:, 0, ::3, ::3].clamp(-1, 1) for x in (a, b)]
    m, s = ([f(x).item() for x in seen] for f in (torch.mean, torch.std))
    wanted = 1000 * ((m[0] - m[1]) ** 2 + (s[0] - s[1]) ** 2) / 2
    assert patch_distance(a, b, 1) == pytest.approx(wanted, rel=1e-4)


class Judge(nn.Module):
    """Keeps what it sees, and likes bright pictures."""

    def __init__(self, drawn: int = 1):
        super().__init__()
        torch.rand(drawn)
        self.weight, self.seen = nn.Parameter(torch.tensor(1.0)), []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.weight * x.mean((1, 2, 3), keepdim=True)


def judged(monkeypatch, *given, drawn: int = 1, **options) -> tuple[float, Judge]:
    judges = []

    def build():
        judges.append(Judge(drawn))
        return judges[-1]

    monkeypatch.setattr(restoration, "_judge", build)
    return told_apart(*given, **options), judges[0]


def test_the_judge_learns_from_16_pairs_of_the_first_half_and_is_asked_about_the_other(monkeypatch):
    real = torch.linspace(-0.9, 0.9, 10).view(10, 1, 1, 1).expand(10, 3, 4, 4)
    made = 0.1 - real
    _, judge = judged(monkeypatch, real, made, steps=40)
    *pairs, true, false = judge.seen
    assert len(pairs) == 40 and all(pair.shape == (32, 3, 4, 4) for pair in pairs)
    kept = [((v * 127.5).round() / 127.5) for v in (real, made)]
    assert torch.equal(true, kept[0][5:]) and torch.equal(false, kept[1][5:])
    learned = torch.stack(pairs)[:, :, 0, 0, 0]
    assert {*learned[:, :16].flatten().tolist()} == {*kept[0][:5, 0, 0, 0].tolist()}
    assert {*learned[:, 16:].flatten().tolist()} == {*kept[1][:5, 0, 0, 0].tolist()}


def test_the_pairs_are_drawn_by_the_seed_alone(monkeypatch):
    real, made = draw(2, 12, 3, 4, 4, dtype=torch.float32)
    before = torch.get_rng_state()
    runs = [
        torch.cat(judged(monkeypatch, real, made, steps=2, drawn=drawn, seed=seed)[1].seen[:2])
        for drawn, seed in ((1, 3), (50, 3), (1, 4))
    ]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    usual = judged(monkeypatch, real, made, steps=2)[1].seen[0]
    assert torch.equal(usual, judged(monkeypatch, real, made, steps=2, seed=0)[1].seen[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_judge_that_likes_the_bright_is_right_by_so_many(monkeypatch):
    dark, bright = torch.full((4, 3, 4, 4), -0.5), torch.full((4, 3, 4, 4), 0.5)
    mixed = torch.cat([bright, dark])[[0, 1, 2, 3, 0, 0, 0, 7]]
    found, judge = judged(monkeypatch, mixed, mixed, steps=1)
    assert judge.weight > 0 and found == 0.5 * (3 / 4 + 1 / 4)
    assert judged(monkeypatch, mixed, torch.cat([dark, dark]), steps=1)[0] == 0.5 * (3 / 4 + 1)


def test_the_judge_halves_its_maps_twice():
    judge, sides = restoration._judge(), []
    for layer in judge:
        layer.register_forward_hook(lambda layer, _, y: sides.append((type(layer), *y.shape[1:])))
    assert judge(draw(2, 3, 24, 24, dtype=torch.float32)).shape == (2, 1)
    maps = [shape for kind, *shape in sides if kind is nn.Conv2d]
    assert maps == [[24, 12, 12], [32, 6, 6], [32, 6, 6]]
    assert [layer.negative_slope for layer in judge if isinstance(layer, nn.LeakyReLU)] == [0.2] * 3


def test_a_gain_is_the_ratio_of_mean_powers_by_hand():
    blurred = torch.tensor([[[1.0, 1.0]], [[2.0, 0.0]]])[:, None]  # (2, 1, 1, 2)
    sharp = torch.tensor([[[4.0, 2.0]], [[0.0, 2.0]]])[:, None]
    # sums and differences: (2, 0) and (2, 2) blurred, (6, 2) and (2, −2) sharp
    wanted = torch.tensor([[[(36 + 4) / (4 + 4), (4 + 4) / (0 + 4)]]]).sqrt()
    torch.testing.assert_close(spectrum_gain(blurred, sharp), wanted)
    assert spectrum_gain(blurred.bfloat16(), sharp.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("h, w", [(6, 8), (8, 5), (5, 7)])
def test_gains_of_one_keep_pictures_of_any_sides_and_of_nought_leave_the_mean(h, w):
    x, mean = draw(2, 3, h, w), draw(3, h, w, seed=1)
    gain = torch.ones(3, h, w // 2 + 1, dtype=torch.float64)
    torch.testing.assert_close(with_gain(x, gain, mean), x)
    torch.testing.assert_close(with_gain(x, 0 * gain, mean), mean.expand_as(x))
    torch.testing.assert_close(with_gain(x, 2 * gain, mean), 2 * x - mean)


def test_a_dense_block_adds_a_fifth_of_any_layers_unless_told():
    x = draw(1, 2, 3, 3)
    torch.testing.assert_close(dense_block(x, [nn.Identity()]), 1.2 * x)
    torch.testing.assert_close(dense_block(x, nn.ModuleList([nn.Identity()]), 0.5), 1.5 * x)
    torch.testing.assert_close(dense_block(x, [lambda maps: -maps], 1), 0 * x)


def test_the_trunk_is_asked_up_to_its_last_tap_and_no_further():
    asked = []

    class Layer(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            asked.append(self.factor)
            return self.factor * x

    trunk = nn.Sequential(Layer(2), Layer(3), Layer(5))
    made, truth = draw(2, 3, 4, 4), draw(2, 3, 4, 4, seed=1)
    error = (made - truth).abs().mean()
    torch.testing.assert_close(perceptual_loss(made, truth, trunk, (1, 0)), (2 + 6) / 2 * error)
    assert sorted(asked) == [2, 2, 3, 3]
    torch.testing.assert_close(perceptual_loss(made, truth, trunk, [2]), 30 * error)


def test_relativistic_losses_written_out():
    r, f = draw(5), draw(5, seed=1) - 1

    def softplus(x):
        return (1 + x.exp()).log().mean()

    d_loss, g_loss = relativistic_losses(r, f)
    torch.testing.assert_close(d_loss, softplus(f.mean() - r) + softplus(f - r.mean()))
    torch.testing.assert_close(g_loss, softplus(r - f.mean()) + softplus(r.mean() - f))


@pytest.mark.parametrize("size, s1, s2, theta", [(5, 2.0, 0.7, 0.4), (4, 1.0, 3.0, -1.1)])
def test_a_kernel_is_a_normal_density_with_its_axes_turned(size, s1, s2, theta):
    c, s = math.cos(theta), math.sin(theta)
    turn = torch.tensor([[c, -s], [s, c]])  # columns: the axes of s1 and of s2, as (x, y)
    spread = turn @ torch.diag(torch.tensor([s1, s2]).square()) @ turn.T
    normal = torch.distributions.MultivariateNormal(torch.zeros(2), spread)
    place = torch.arange(size) - (size - 1) / 2
    density = normal.log_prob(torch.cartesian_prod(place, place).flip(1)).exp().view(size, size)
    torch.testing.assert_close(gaussian_kernel(size, s1, s2, theta), density / density.sum())


def test_cosines_are_waves_of_half_a_turn_more_in_each_row():
    d = cosines(4)
    assert d.dtype == torch.float32 and cosines().shape == (8, 8)
    assert d[0].tolist() == pytest.approx([0.5] * 4)
    wave = [math.cos(math.pi / 8 * k) for k in (1, 3, 5, 7)]
    assert d[1].tolist() == pytest.approx([v / math.sqrt(2) for v in wave])
    assert d[2].tolist() == pytest.approx([0.5, -0.5, -0.5, 0.5])


def test_a_block_of_jpeg_keeps_the_multiples_of_its_table():
    d, table = cosines(8, torch.float64), torch.arange(1.0, 65).double().view(8, 8)
    whole = torch.randint(-3, 4, (8, 8), generator=seeded(0)) / (1 + torch.arange(8.0))
    exact = d.T @ (whole.round() * table) @ d + 128
    assert 0 < exact.min() and exact.max() < 255
    shaken = exact + d.T @ (0.4 * table * torch.sign(draw(8, 8))) @ d
    torch.testing.assert_close(jpeg_block(shaken, table), exact)


def test_a_block_of_jpeg_is_held_between_black_and_white():
    # 127 · 8 / 95 and −128 · 8 / 95 lie nearest to 11 and −11 steps: 258.6 and −2.6
    table = torch.full((8, 8), 95.0)
    for grey in (0.0, 255.0):
        assert torch.equal(jpeg_block(torch.full((8, 8), grey), table), torch.full((8, 8), grey))


def test_a_partial_convolution_may_read_more_channels_than_the_picture_has_pixels_a_side():
    x, weight = draw(1, 8, 3, 4), draw(2, 8, 3, 3, seed=1)
    mask = torch.ones(1, 1, 3, 4, dtype=torch.float64)
    y, _ = partial_conv(x, mask, weight, torch.zeros(2).double())
    torch.testing.assert_close(y, F.conv2d(x, weight))


def test_a_hole_is_closed_ring_by_ring_by_the_mean_of_what_is_known():
    x = torch.tensor([0.0, 1.0, 9.0, 9.0, 4.0]).expand(1, 1, 5, 5)
    hole = torch.tensor([0.0, 0, 1, 1, 0]).expand(1, 1, 5, 5)
    assert filled(x, hole)[0, 0, 2].tolist() == pytest.approx([0, 1, 1, 4, 4])
    wide = torch.tensor([0.0, 1, 1, 1, 1]).expand(1, 1, 5, 5)
    start = torch.tensor([3.0, 9, 9, 9, 9]).expand(1, 1, 5, 5)
    torch.testing.assert_close(filled(start, wide), torch.full((1, 1, 5, 5), 3.0))
    # a kernel of 5 sees both sides of the hole at once, the edge of the picture none
    near, far = filled(x, hole, 5)[0, 0, 2, 2:4].tolist()
    assert near == pytest.approx((0 + 1 + 4) / 3) and far == pytest.approx((1 + 4) / 2)


def test_the_content_minimum_is_found_by_solving_its_equations():
    colours, grey, xi = draw(1, 2, 3, 4), draw(1, 1, 3, 4, seed=1), 0.7
    n = 12
    slopes = torch.zeros(n, n, dtype=torch.float64)  # −∇² of a grid, each pair of neighbours once
    for i in range(n):
        for j in ([i + 1] if i % 4 < 3 else []) + ([i + 4] if i < 8 else []):
            slopes[i, i] += 1
            slopes[j, j] += 1
            slopes[i, j] = slopes[j, i] = -1
    right = colours.flatten(2) + xi * grey.flatten(2) @ slopes
    wanted = torch.linalg.solve(torch.eye(n) + xi * slopes, right.mT).mT.view_as(colours)
    torch.testing.assert_close(content_minimum(colours, grey, xi), wanted)
    single = content_minimum(colours.float(), grey.float(), xi)
    torch.testing.assert_close(single, wanted.float())


def test_total_variation_leaves_a_flat_picture_as_it_is():
    flat = torch.full((1, 3, 4, 4), 0.3)
    for weight in (0, 0.5):
        assert torch.equal(total_variation(flat, weight), flat)
    y = draw(1, 1, 4, 4)
    assert torch.equal(total_variation(y, 0.3), total_variation(y, 0.3, 100))
    assert not torch.equal(total_variation(y, 0.3), total_variation(y, 0.3, 99))


def test_slopes_by_hand_and_the_divergence_is_minus_their_transpose():
    x = torch.tensor([[1.0, 3.0, 7.0], [2.0, 2.0, 0.0]]).view(1, 1, 2, 3)
    right, down = restoration._slopes(x)
    assert right[0, 0].tolist() == [[2, 4, 0], [0, -2, 0]]
    assert down[0, 0].tolist() == [[1, -1, -7], [0, 0, 0]]
    x, q = draw(2, 3, 4, 5), draw(2, 2, 3, 4, 5, seed=1)
    q[0, ..., -1], q[1, ..., -1, :] = 0, 0
    pairing = (restoration._slopes(x) * q).sum()
    torch.testing.assert_close(pairing, -(x * restoration._divergence(q)).sum())


def test_a_draw_may_visit_every_time_from_its_noise_downwards_and_no_more():
    diffusion = Diffusion(cosine_betas(20))
    t = 6
    level = diffusion.alpha_bar[t].item()
    sigma, noisy, asked = (1 / level - 1) ** 0.5, draw(1, 1, 2, 2), []

    def model(x, t, labels=None):
        asked.append(t[0].item())
        return 0 * x

    denoise(diffusion, model, noisy, sigma, seeded(0), steps=t)
    assert asked == [6, 5, 4, 3, 2, 1]
    asked.clear()
    one = denoise(diffusion, model, noisy, sigma)
    assert asked == [6]
    torch.testing.assert_close(one, (level * noisy).clamp(-1, 1), rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="steps must be .* at most 6, got 7"):
        denoise(diffusion, model, noisy, sigma, steps=t + 1)


def test_a_draw_is_its_seed_s():
    diffusion, y = Diffusion(cosine_betas(20)), 0.3 * draw(1, 3, 2, 2, dtype=torch.float32)
    model, large = Gaussian(diffusion), 0.3 * draw(1, 3, 4, 4, dtype=torch.float32)

    def many(n):
        return denoise(diffusion, model, large, 1.0, seeded(n), steps=4)

    assert torch.equal(many(0), many(0)) and not torch.equal(many(0), many(1))

    def one(n, **options):
        return diffusion_restore(diffusion, model, y, 2, seeded(n), **options)

    assert torch.equal(one(0, steps=4), one(0, steps=4))
    assert not torch.equal(one(0, steps=4), one(1, steps=4))


def test_restoring_takes_25_steps_of_velocities_and_enlarges_by_4_unless_told():
    diffusion, times = Diffusion(cosine_betas(100)), []

    def model(x, t, labels=None):
        times.append(t[0].item())
        return torch.zeros_like(x)

    y = 0.3 * draw(1, 3, 2, 3, dtype=torch.float32)
    assert diffusion_restore(diffusion, model, y, generator=seeded(0)).shape == (1, 3, 8, 12)
    assert times == [*range(99, -1, -4)]
    # velocity 0: x̂₀ = √ᾱ x_t; noise 0: x̂₀ = x_t / √ᾱ
    last = diffusion.alpha_bar[0].item() ** 0.5
    x = 0.3 * draw(1, 3, 4, 4, dtype=torch.float32)
    sigma = (1 / diffusion.alpha_bar[0].item() - 1) ** 0.5
    torch.testing.assert_close(denoise(diffusion, model, x, sigma), last**2 * x)
    torch.testing.assert_close(denoise(diffusion, model, x, sigma, prediction="eps"), x)


def linear(z: torch.Tensor) -> torch.Tensor:
    """Grey pictures of 4 × 4 as bright as the first number of their code."""
    return z[:, :1, None, None].expand(-1, 1, 4, 4)


def test_where_the_picture_says_nothing_a_code_goes_to_where_codes_are_drawn():
    z = torch.tensor([[0.0, 3.0, 4.0, 0.0], [0.0, 0.5, 0.0, 0.5]])
    found = fit_latents(linear, torch.zeros(2, 1, 1, 1), z, steps=400, lr=0.05)
    torch.testing.assert_close(found.norm(dim=1), torch.full((2,), 2.0), rtol=0, atol=0.02)
    torch.testing.assert_close(z, torch.tensor([[0.0, 3.0, 4.0, 0.0], [0.0, 0.5, 0.0, 0.5]]))


def test_each_code_is_searched_for_as_if_it_were_alone():
    # Adam moves by lr g / (|g| + 1e-8): slopes of that size, and their factors, can be told
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)  # of norm √2
    y = torch.tensor([1.0, 3.0], dtype=torch.float64).view(2, 1, 1, 1)
    found = fit_latents(lambda z: 1e-4 * linear(z), 1e-4 * y, z, steps=1)
    slope = 2e-8 * (z[:, 0] - y.flatten())
    moved = 0.1 * slope / (slope.abs() + 1e-8)
    torch.testing.assert_close(found[:, 0], z[:, 0] - moved, rtol=0, atol=1e-6)


def test_being_off_the_sphere_costs_two_thousandths():
    z = torch.tensor([[3.0, 3.0]], dtype=torch.float64)  # norm / √2 = 3
    found = fit_latents(lambda z: 0 * linear(z), torch.zeros(1, 1, 1, 1).double(), z, 1, 1.0)
    # the slope of 0.002 (‖z‖/√2 − 1)² is 0.004 · 2 z / (‖z‖ √2) = 0.004 each; Adam moves by lr
    torch.testing.assert_close(found, z - 1, rtol=0, atol=1e-5)
    y = torch.full((1, 1, 1, 1), 3.002, dtype=torch.float64)
    balanced = fit_latents(linear, y, z, 1, 1.0)  # 2 (z₀ − y) = −0.004 cancels it for z₀
    torch.testing.assert_close(balanced[0, 1], z[0, 1] - 1, rtol=0, atol=1e-5)
    assert (balanced[0, 0] - z[0, 0]).abs() < 1e-3


def test_invented_and_lost_of_a_smile_by_hand():
    true = {"smile": torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1])}
    found = {"smile": torch.tensor([1, 0, 0, 0, 1, 1, 0, 0, 0])}
    assert missed(found, true, "smile") == pytest.approx((1 / 4, 3 / 5))
    every, none = {"smile": torch.ones(3)}, {"smile": torch.zeros(3)}
    assert missed(every, none, "smile") == (1, 0) and missed(none, every, "smile") == (0, 1)


def test_copies_are_found_among_pictures_of_two_sides():
    people = draw(5, 3, 4, 8).clamp(-1, 1)
    assert torch.equal(copies(shrink(people[[3, 1]]), people), people[[3, 1]])
    assert torch.equal(copies(shrink(people[[2]], 2), people, 2), people[[2]])


def test_pan_sharpening_takes_pictures_of_two_sides():
    colours, grey = draw(1, 3, 2, 5), draw(1, 1, 2, 5, seed=1)
    made = pan_sharpen(colours, grey, torch.tensor([1.0, 0, 0]).double())
    torch.testing.assert_close(made - colours, (grey - colours[:, :1]).expand(-1, 3, -1, -1))


X, SMALL, ONE = torch.zeros(2, 3, 4, 8), torch.zeros(1, 3, 1, 1), torch.zeros(2, 1, 4, 8)
NAN = torch.full((2, 3, 4, 8), math.nan)
META = torch.zeros(2, 3, 4, 8, device="meta")
CHAIN = Diffusion(cosine_betas(10))
KERNEL, BIAS = torch.ones(1, 3, 3, 3), torch.zeros(1)
CONV = nn.Conv2d(3, 3, 3, padding=1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: shrink(X[0]), r"x must be \(B, C, H, W\)"),
        (lambda: shrink(X, 8), "scale must be .* at most 4, got 8"),
        (lambda: shrink(X, 3), "x must have sides that are multiples of 3"),
        (lambda: shrink(X[..., :6], 4), "x must have sides that are multiples of 4"),
        (lambda: shrink(X[:, :, :3, :4], 2), "x must have sides that are multiples of 2"),
        (lambda: enlarge(X[0]), r"y must be \(B, C, h, w\)"),
        (lambda: enlarge(X, 65), "scale must be .* at most 64, got 65"),
        (lambda: psnr_y(X[:, :1], X), r"a must be \(B, 3, H, W\)"),
        (lambda: psnr_y(X, NAN), "b must be finite"),
        (lambda: psnr_y(META, X), "a must have values"),
        (lambda: psnr_y(X, X[:1]), "a and b must have one shape"),
        (lambda: psnr_y(X, X, 2), "border must be .* at most 1, got 2"),
        (lambda: psnr_y(X, X, -1), "border must be .* at least 0"),
        (lambda: price_of_blending(-1, 2, 0.5), "d_mean must be .* at least 0; got -1"),
        (lambda: price_of_blending(2, 1, 0.5), "d_other must be .* at least 2; got 1"),
        (lambda: price_of_blending(1, 2, math.nan), "a must be a finite number"),
        (lambda: patch_distance(X[0], X), r"a must be \(N, C, H, W\)"),
        (lambda: patch_distance(X, X[:, :1], 2), r"b must be \(M, 3, H, W\)"),
        (lambda: patch_distance(X, NAN, 2), "b must be finite"),
        (lambda: patch_distance(META, X, 2), "a must have values"),
        (lambda: patch_distance(X, X, 5), "size must be .* at most 4, got 5"),
        (lambda: patch_distance(X, X, 2, 5), "stride must be .* at most 4, got 5"),
        (lambda: told_apart(X[:, :1], X), r"real must be \(N, 3, H, W\)"),
        (lambda: told_apart(X, X[:1]), r"made must be \(2, 3, 4, 8\)"),
        (lambda: told_apart(X, X), "real must be at least 4 pictures"),
        (lambda: told_apart(torch.cat([X, NAN]), torch.cat([X, X])), "real must be finite"),
        (lambda: told_apart(torch.cat([X, X]), torch.cat([X, NAN])), "made must be finite"),
        (lambda: told_apart(torch.cat([X, X]), torch.cat([X, X]), 0), "steps must be .* least 1"),
        (lambda: told_apart(torch.cat([X, X]), torch.cat([X, X]), 1, -1), "seed must be .* least"),
        (lambda: spectrum_gain(X[0], X), r"blurred must be \(N, C, H, W\)"),
        (lambda: spectrum_gain(X, ONE), r"sharp must be \(2, 3, 4, 8\)"),
        (lambda: spectrum_gain(X, META), "sharp must be on cpu, .* got meta"),
        (lambda: spectrum_gain(NAN, X), "blurred must be finite"),
        (lambda: spectrum_gain(X, NAN), "sharp must be finite"),
        (lambda: with_gain(X, X[0], X[0]), r"gain must be \(3, 4, 5\)"),
        (lambda: with_gain(X, X[0, ..., :5], X[0].mT), r"mean must be \(3, 4, 8\)"),
        (lambda: dense_block(X[0], [CONV]), r"x must be \(B, C, h, w\)"),
        (lambda: dense_block(X, []), "convs must hold at least one"),
        (lambda: dense_block(X, [CONV], math.inf), "beta must be a finite number"),
        (lambda: dense_block(X, [nn.Conv2d(3, 2, 1)]), "convs must return the shape of x"),
        (lambda: perceptual_loss(X, ONE, trunk(), [0]), r"truth must be \(2, 3, 4, 8\)"),
        (
            lambda: perceptual_loss(X.double(), X.double(), trunk(), [0, 4]),
            "taps must be .* most 3",
        ),
        (lambda: perceptual_loss(X.double(), X.double(), trunk(), [-1]), r"taps\[0\] must be"),
        (lambda: relativistic_losses(BIAS, ONE), r"fake must be \(B,\)"),
        (lambda: relativistic_losses(BIAS, BIAS.to("meta")), "fake must be on cpu"),
        (lambda: between({"a": BIAS}, {"a": X}, 0.5), r"state_b\['a'\] must be \(1,\)"),
        (lambda: between({"a": BIAS}, {}, 0.5), "state_b must hold something"),
        (lambda: between({"a": BIAS}, {"a": BIAS}, math.nan), "alpha must be a finite number"),
        (lambda: gaussian_kernel(0, 1, 1, 0), "size must be .* at least 1"),
        (lambda: gaussian_kernel(1002, 1, 1, 0), "size must be .* at most 1001"),
        (lambda: gaussian_kernel(3, 0, 1, 0), "s1 must be .* above 0"),
        (lambda: gaussian_kernel(3, 1, 0, 0), "s2 must be .* above 0"),
        (lambda: gaussian_kernel(3, 1, 1, math.inf), "theta must be a finite number"),
        (lambda: cosines(0), "n must be .* at least 1"),
        (lambda: cosines(4097), "n must be .* at most 4096"),
        (lambda: jpeg_block(X, X), r"block must be \(…, 8, 8\)"),
        (lambda: jpeg_block(torch.zeros(8, 8), X), r"table must be \(…, 8, 8\)"),
        (lambda: modulate_half(X[:, :2], ONE, ONE[..., :1]), r"shift must be \(2, 1, 4, 8\)"),
        (lambda: modulate_half(X[:, :2], ONE[:1], ONE), r"scale must be \(2, 1, 4, 8\)"),
        (lambda: partial_conv(X, ONE.mT, KERNEL, BIAS), r"mask must be \(n, 1, 4, 8\)"),
        (lambda: partial_conv(X, ONE.repeat(2, 1, 1, 1), KERNEL, BIAS), "mask must be one for all"),
        (lambda: partial_conv(X, ONE, KERNEL[:, :2], BIAS), r"weight must be \(O, 3, k, k\)"),
        (lambda: partial_conv(X, ONE, torch.ones(1, 3, 5, 5), BIAS), "weight must be .* at most 4"),
        (lambda: partial_conv(X, ONE, KERNEL, torch.zeros(2)), r"bias must be \(1,\)"),
        (lambda: filled(X, ONE.mT), r"hole must be \(n, 1, 4, 8\)"),
        (lambda: filled(X, ONE.repeat(2, 1, 1, 1)), "hole must be one for all 2 pictures"),
        (lambda: filled(X, ONE, 5), "size must be .* at most 4, got 5"),
        (lambda: filled(X, ONE, 2), "size must be .* at least 3"),
        (lambda: filled(X, torch.cat([ONE[:1], ONE[1:] + 1])), "hole must leave some places"),
        (lambda: pan_sharpen(X, ONE.mT, torch.ones(3)), r"grey must be \(2, 1, 4, 8\)"),
        (lambda: pan_sharpen(X, ONE, torch.ones(2)), r"weights must be \(3,\)"),
        (lambda: content_minimum(X, ONE.mT, 1.0), r"grey must be \(2, 1, 4, 8\)"),
        (lambda: content_minimum(X, ONE, -1.0), "xi must be .* at least 0"),
        (lambda: total_variation(NAN, 1.0), "y must be finite"),
        (lambda: total_variation(X, 1.0, 0), "steps must be .* at least 1"),
        (lambda: denoise(CHAIN, CONV, X[0], 1.0), r"noisy must be \(B, C, H, W\)"),
        (lambda: denoise(CHAIN, CONV, NAN, 1.0), "noisy must be finite"),
        (lambda: denoise(CHAIN, CONV, X, 0), "sigma must be .* above 0"),
        (lambda: diffusion_restore(CHAIN, CONV, X[0]), r"y must be \(B, C, h, w\)"),
        (lambda: diffusion_restore(CHAIN, CONV, META), "y must have values"),
        (lambda: diffusion_restore(CHAIN, CONV, NAN), "y must be finite"),
        (lambda: diffusion_restore(CHAIN, CONV, X, 0), "scale must be .* at least 1"),
        (lambda: fit_latents(linear, META, X[:, 0, 0]), "y must have values"),
        (lambda: fit_latents(linear, SMALL, X[:, 0, 0]), r"z must be \(1, nz\)"),
        (lambda: fit_latents(linear, SMALL, NAN[:1, 0, 0]), "z must be finite"),
        (lambda: fit_latents(linear, SMALL, X[:1, 0, 0], lr=0), "lr must be .* above 0"),
        (lambda: fit_latents(linear, SMALL, X[:1, 0, 0], 0), "steps must be .* at least 1"),
        (lambda: missed({"glasses": BIAS}, {"hat": BIAS}), "true must have an entry 'glasses'"),
        (lambda: missed({"glasses": BIAS}, {"glasses": X}), "found must be as many as true"),
        (lambda: copies(X, X), r"y must be \(B, 3, 1, 2\)"),
        (lambda: copies(NAN[..., :1, :2], X), "y must be finite"),
        (lambda: copies(X, NAN), "people must be finite"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: dense_block(X, CONV), "convs must be a Sequence or ModuleList; got Conv2d"),
        (lambda: dense_block(X.double(), [CONV]), "x must be torch.float32"),
        (lambda: perceptual_loss(X, X, CONV, [0]), "trunk must be a Sequential; got Conv2d"),
        (lambda: perceptual_loss(X, X.double(), nn.Sequential(CONV), [0]), "truth must be .*32"),
        (lambda: perceptual_loss(X.double(), X, nn.Sequential(CONV), [0]), "made must be .*32"),
        (lambda: between([BIAS], {"a": BIAS}, 0.5), "state_a must be a dict"),
        (lambda: cosines(8, float), "dtype must be a dtype; got type"),
        (lambda: modulate_half(X[:, :2], ONE.double(), ONE), "scale must be torch.float32"),
        (lambda: modulate_half(X[:, :2], ONE, ONE.double()), "shift must be torch.float32"),
        (lambda: pan_sharpen(X, ONE, torch.ones(3).double()), "weights must be torch.float32"),
        (lambda: denoise(None, CONV, X, 1.0), "diffusion must be a Diffusion; got NoneType"),
        (lambda: denoise(CHAIN, None, X, 1.0), "model must be a network or a function"),
        (lambda: denoise(CHAIN, CONV, X, 1.0, 0), "generator must be a torch.Generator or None"),
        (lambda: diffusion_restore(None, CONV, X), "diffusion must be a Diffusion"),
        (lambda: diffusion_restore(CHAIN, None, X), "model must be a network or a function"),
        (lambda: fit_latents(None, SMALL, X[:1, 0, 0]), "generate must be a network or a function"),
        (lambda: fit_latents(linear, SMALL, X[:1, 0, 0].double()), "z must be torch.float32"),
        (lambda: copies(SMALL.double(), X[..., :4]), "y must be torch.float32"),
        (lambda: copies(SMALL, X[..., :4].byte()), "people must be a tensor of decimal numbers"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_patches_of_one_grey_pixel_are_compared_by_mean_and_spread():
    a, b = torch.tensor([0.0, 0.5]).view(2, 1, 1, 1), torch.tensor([-0.2, 0.2]).view(2, 1, 1, 1)
    found = restoration.patch_distance(a, b, size=1, stride=1)
    assert float(found) == pytest.approx(1000 * (0.25**2 + (0.5 - 0.4) ** 2 / 2), rel=1e-4)
