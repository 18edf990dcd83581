"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from course_lib import data, degradation
from course_lib.degradation import (
    Damage,
    blurred,
    chain,
    draw_damage,
    jpeg,
    jpeg_tables,
    resized,
    shot_noise,
)
from course_lib.metrics import psnr
from course_lib.restoration import gaussian_kernel
from tests.helpers import assert_normal


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def faces(n: int = 2) -> torch.Tensor:
    return data.load("peeps", "test", size=32)[:n].floats()


def test_a_point_becomes_the_kernel_and_a_flat_picture_stays():
    point = torch.zeros(1, 3, 9, 9)
    point[..., 4, 4] = 1
    kernel = gaussian_kernel(5, 2.0, 0.5, 0.7)
    torch.testing.assert_close(blurred(point, kernel)[0, 1, 2:7, 2:7], kernel)
    flat = torch.full((2, 3, 9, 9), 0.3)
    torch.testing.assert_close(blurred(flat, kernel), flat)
    for wrong in (torch.ones(4, 4), torch.ones(19, 19), torch.ones(3, 5)):
        with pytest.raises(ValueError, match="kernel must be square, odd"):
            blurred(point, wrong)


def test_the_tables_scale_with_quality_as_libjpeg_s():
    found = [jpeg_tables(q)[0, 0, 0].item() for q in (10, 50, 75, 90, 95, 100)]
    assert found == [80, 16, 8, 3, 2, 1]
    assert jpeg_tables(1).max() == 255


@pytest.mark.parametrize("quality", [30, 75])
def test_jpeg_loses_what_pillow_s_loses(quality):
    x = faces(1)
    pixels = ((x[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    file.seek(0)
    theirs = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None] / 127.5 - 1
    ours = jpeg(x, quality)
    assert psnr(ours, theirs) > psnr(ours, x) + 8
    assert psnr(ours, x) == pytest.approx(psnr(theirs, x), abs=0.3)


def test_jpeg_takes_sides_that_are_no_multiples_of_8():
    x = faces(1)[..., :29, :30]
    assert jpeg(x, 90).shape == x.shape and psnr(jpeg(x, 90), x) > 25


def test_a_link_with_no_knob_turned_does_nothing():
    x = faces()
    assert torch.equal(Damage()(x), x)


def test_each_knob_does_its_part():
    x = faces()
    assert Damage(size=8)(x).shape == (2, 3, 8, 8)
    assert Damage(blur=(2.0, 2.0, 0.0))(x).diff().abs().mean() < 0.5 * x.diff().abs().mean()
    flat = torch.zeros(4, 3, 32, 32)
    noisy = Damage(noise=0.1)(flat, seeded(0))
    assert noisy.std().item() == pytest.approx(0.1, rel=0.05)
    grey = Damage(noise=0.1, grey=True)(flat, seeded(0))
    assert torch.equal(grey[:, 0], grey[:, 2]) and not torch.equal(noisy[:, 0], noisy[:, 2])
    torch.testing.assert_close(Damage(quality=50)(x), jpeg(x, 50))


def test_photons_have_the_spread_of_their_number():
    bright = shot_noise(torch.zeros(4, 3, 64, 64), 100, seeded(0))  # half of the light: 50 photons
    assert bright.mean().item() == pytest.approx(0, abs=0.01)
    assert bright.std().item() == pytest.approx(2 * math.sqrt(50) / 100, rel=0.03)


def test_resizing_keeps_a_flat_picture_and_the_sides_ratio():
    for how in ("area", "nearest", "bilinear", "bicubic"):
        done = resized(torch.full((1, 3, 16, 24), 0.2), 8, how)
        torch.testing.assert_close(done, torch.full((1, 3, 8, 12), 0.2))
    with pytest.raises(ValueError, match="how must be"):
        resized(faces(), 8, "lanczos")


def test_links_are_drawn_within_their_bounds():
    links = [draw_damage(20, seeded(n), blur=1.5, noise=0.1, quality=50) for n in range(200)]
    assert {link.resize for link in links} == {"area", "bilinear", "bicubic"}
    assert all(50 <= link.quality <= 95 and link.size == 20 for link in links)
    assert all(0 <= link.noise <= 0.1 for link in links)
    assert all((link.noise > 0) != (link.photons is not None) for link in links)
    blurs = [link.blur for link in links if link.blur]
    assert 0.7 < len(blurs) / 200 < 0.9 and max(s for s, *_ in blurs) <= 1.5
    assert 0.3 < sum(link.noise > 0 for link in links) / 200 < 0.7


def test_the_chain_is_the_same_for_the_same_seed_and_differs_within_a_batch():
    x = faces(1).expand(4, -1, -1, -1)
    a, b = chain(x, 8, seeded(0)), chain(x, 8, seeded(0))
    assert a.shape == (4, 3, 8, 8) and torch.equal(a, b)
    assert not torch.equal(a[0], a[1]) and a.abs().max() <= 1
    with pytest.raises(ValueError, match="x must be squares"):
        chain(x[..., :20], 8)


def test_values_beyond_the_range_are_cut_before_jpeg_as_in_a_file():
    x = 1.5 * faces(1)
    assert x.abs().max() > 1
    torch.testing.assert_close(jpeg(x, 60), jpeg(x.clamp(-1, 1), 60))


@pytest.mark.parametrize("side, taps", [(5, 5), (6, 5), (13, 13), (20, 13)])
def test_a_blur_s_kernel_is_the_largest_odd_one_that_fits_but_no_larger_than_13(side, taps):
    point = torch.zeros(1, 3, side, side)
    middle = side // 2
    point[..., middle, middle] = 1
    bell = torch.exp(-(torch.arange(taps) - taps // 2).square() / 18)  # of spread 3
    found = Damage(blur=(3.0, 3.0, 0.0))(point)[0, :, middle, middle]
    torch.testing.assert_close(found, (1 / bell.sum()).square().expand(3))


def test_noise_is_a_normal_one_around_0_and_its_seed_s():
    flat = torch.zeros(8, 3, 32, 32)
    noise = Damage(noise=0.1)(flat, seeded(0)) / 0.1
    assert torch.equal(noise, Damage(noise=0.1)(flat, seeded(0)) / 0.1)
    assert not torch.equal(noise, Damage(noise=0.1)(flat, seeded(1)) / 0.1)
    assert_normal(noise)


def test_photons_are_its_seed_s_and_fewer_of_them_make_more_noise():
    x = torch.linspace(-1, 1, 5).view(1, 1, 1, 5).expand(1, 1, 4000, 5)
    seen = shot_noise(x, 30, seeded(0))
    assert torch.equal(seen, shot_noise(x, 30, seeded(0)))
    assert not torch.equal(seen, shot_noise(x, 30, seeded(1)))
    torch.testing.assert_close(seen.mean(2), x[:, :, 0], rtol=0, atol=0.03)
    spread = 2 * ((x[0, 0, 0] + 1) / 2 / 30).sqrt()  # of a count n it is √n
    torch.testing.assert_close(seen[0, 0].std(0), spread, rtol=0.05, atol=0)
    dark = torch.full((1, 1, 2, 2), -3.0)
    assert torch.equal(shot_noise(dark, 30), torch.full((1, 1, 2, 2), -1.0))


def test_the_nearest_pixel_is_the_one_at_the_middle():
    x = torch.arange(12.0).expand(1, 1, 12, 12)
    assert resized(x, 4, "nearest")[0, 0, 0].tolist() == [1, 4, 7, 10]


def test_area_is_a_mean_and_what_is_smooth_is_smoothed_before_it_shrinks():
    stripes = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 1, 16, 16)
    torch.testing.assert_close(resized(stripes, 4, "area"), F.avg_pool2d(stripes, 4))
    for how in ("bilinear", "bicubic"):
        assert resized(stripes, 4, how)[..., 1:-1].abs().max() < 0.1
    assert resized(stripes, 4, "nearest").abs().min() == 1
    assert torch.equal(resized(stripes, 5), resized(stripes, 5, "bicubic"))
    half = resized(stripes.half(), 4, "bilinear")
    assert half.dtype == torch.float16 and half[..., 1:-1].abs().max() < 0.1


def test_a_drawn_link_s_knobs_are_spread_over_their_ranges():
    def links(**options):
        return [draw_damage(20, seeded(n), **options) for n in range(400)]

    drawn = links(blur=1.0, noise=0.5)
    assert drawn[7] == draw_damage(20, seeded(7), blur=1.0, noise=0.5)
    assert {link.size for link in drawn} == {20}
    # 255 / (U noise), U from 0.5 to 20
    shares = [255 / link.photons / 0.5 for link in drawn if link.photons is not None]
    assert min(shares) == pytest.approx(0.5, abs=0.4) and max(shares) == pytest.approx(20, abs=0.4)
    assert 0.5 <= min(shares) and max(shares) <= 20
    assert sum(shares) / len(shares) == pytest.approx(10.25, rel=0.1)
    noises = [link.noise for link in drawn if link.noise]
    assert 0.01 <= min(noises) < 0.03 and 0.48 < max(noises) <= 0.5
    blurs = [link.blur for link in drawn if link.blur]
    for i, least, most in ((0, 0.2, 1.0), (1, 0.2, 1.0), (2, 0.0, math.pi)):
        found, width = [blur[i] for blur in blurs], most - least
        assert least <= min(found) < least + 0.05 * width
        assert most - 0.05 * width < max(found) <= most
    assert sum(a == b for a, b, _ in blurs) / len(blurs) == pytest.approx(0.5, abs=0.1)
    assert sum(link.grey for link in drawn) / 400 == pytest.approx(0.4, abs=0.08)
    assert len(blurs) / 400 == pytest.approx(0.8, abs=0.07)
    for how in ("area", "bilinear", "bicubic"):
        assert sum(link.resize == how for link in drawn) / 400 == pytest.approx(1 / 3, abs=0.08)
    qualities = {draw_damage(8, seeded(n), quality=94).quality for n in range(40)}
    assert qualities == {94, 95}


def test_a_link_has_a_blur_of_at_most_2_a_noise_of_12_percent_and_a_quality_of_40_unless_told():
    links = [draw_damage(8, seeded(n)) for n in range(400)]
    qualities = [link.quality for link in links]
    assert 40 <= min(qualities) <= 42 and 93 <= max(qualities) <= 95
    assert 1.9 < max(link.blur[0] for link in links if link.blur) <= 2.0
    assert 0.115 < max(link.noise for link in links) <= 0.12


@pytest.mark.parametrize(
    "share, sides, quality", [(0.0, [13, 8], 40), (0.5, [22, 12], 68), (1.0, [32, 16], 95)]
)
def test_the_chain_s_links_leave_40_to_100_percent_and_one_to_two_times_the_size(
    share, sides, quality, monkeypatch
):
    asked, built, source = [], [], seeded(0)

    def drawn(side, generator=None, **options):
        asked.append((side, generator, options))
        return lambda x, generator=None: resized(x, side)

    def damage(**options):
        built.append(options)
        return lambda x, generator=None: resized(x, options["size"])

    monkeypatch.setattr(degradation, "draw_damage", drawn)
    monkeypatch.setattr(degradation, "Damage", damage)
    monkeypatch.setattr(torch, "rand", lambda n, generator: torch.full((n,), share))
    assert chain(torch.zeros(1, 3, 32, 32), 8, source).shape == (1, 3, 8, 8)
    assert [side for side, _, _ in asked] == sides and all(g is source for _, g, _ in asked)
    assert [options for *_, options in asked] == [{}, {"blur": 1.0, "noise": 0.1}]
    assert built == [{"size": 8, "resize": "bilinear", "quality": quality}]


@pytest.mark.parametrize("n, options, parts", [(2, {}, 2), (6, {}, 4), (6, {"parts": 2}, 2)])
def test_each_part_of_a_batch_meets_two_links_of_its_own(n, options, parts, monkeypatch):
    seen, real = [], degradation.draw_damage

    def drawn(*given, **named):
        seen.append(real(*given, **named))
        return seen[-1]

    monkeypatch.setattr(degradation, "draw_damage", drawn)
    done = chain(faces(n), 8, seeded(0), **options)
    assert done.shape == (n, 3, 8, 8) and len({*seen}) == len(seen) == 2 * parts


def test_a_chain_leaves_16_pixels_unless_told():
    assert chain(faces(1), generator=seeded(0)).shape == (1, 3, 16, 16)


X = torch.zeros(1, 3, 16, 16)
NAN = torch.full((1, 3, 16, 16), math.nan)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: blurred(X[0], torch.ones(3, 3)), r"x must be \(B, C, H, W\)"),
        (lambda: blurred(X, torch.ones(3)), "kernel must be a tensor of 2 dimensions"),
        (lambda: blurred(X, NAN[0, 0, :3, :3]), "kernel must be finite"),
        (lambda: jpeg_tables(0), "quality must be .* at least 1 and at most 100, got 0"),
        (lambda: jpeg_tables(101), "quality must be .* at most 100, got 101"),
        (lambda: jpeg_tables(50.0), "quality must be a whole number"),
        (lambda: jpeg(X[:, :1], 50), r"x must be \(B, 3, H, W\)"),
        (lambda: jpeg(NAN, 50), "x must be finite"),
        (lambda: Damage()(X[:, :1]), r"x must be \(B, 3, H, W\)"),
        (lambda: resized(X[0], 8), r"x must be \(B, C, H, W\)"),
        (lambda: resized(X, 0), "size must be .* at least 1"),
        (lambda: resized(X, 4097), "size must be .* at most 4096"),
        (lambda: shot_noise(X, 0), "photons must be .* above 0"),
        (lambda: shot_noise(X[0], 10), "x must be a tensor of 4 dimensions"),
        (lambda: shot_noise(NAN, 10), "x must be finite"),
        (lambda: draw_damage(0), "side must be .* at least 1"),
        (lambda: draw_damage(4097), "side must be .* at most 4096"),
        (lambda: draw_damage(8, blur=0.1), "blur must be .* at least 0.2"),
        (lambda: draw_damage(8, noise=0.005), "noise must be .* at least 0.01"),
        (lambda: draw_damage(8, quality=0), "quality must be .* at least 1"),
        (lambda: draw_damage(8, quality=96), "quality must be .* at most 95"),
        (lambda: chain(X[:, :1], 8), r"x must be \(B, 3, H, W\)"),
        (lambda: chain(X, 7), "size must be .* at least 8"),
        (lambda: chain(X, 17), "x must be squares of at least 17 pixels"),
        (lambda: chain(NAN, 8), "x must be finite"),
        (lambda: chain(X, 8, parts=0), "parts must be .* at least 1"),
    ],
)
def test_what_cannot_be_damaged_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "call",
    [
        lambda source: Damage()(X, source),
        lambda source: shot_noise(X, 10, source),
        lambda source: draw_damage(8, source),
        lambda source: chain(X, 8, source),
    ],
)
def test_a_seed_is_no_source_of_random_numbers(call):
    with pytest.raises(TypeError, match="generator must be a torch.Generator or None; got int"):
        call(0)


def test_the_least_knobs_and_the_largest_sizes_are_taken():
    link = draw_damage(4096, seeded(0), blur=0.2, noise=0.01, quality=1)
    assert link.size == 4096 and 1 <= link.quality <= 95
    assert resized(X[:, :1, :1, :1], 4096, "nearest").shape == (1, 1, 4096, 4096)
    assert jpeg_tables(100).max() == jpeg_tables(100).min() == 1
