"""Golden numbers were computed in float64 beside the formulas, unless a source is named."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data
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
