import math

import pytest
import torch

from course_lib import procedural


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- Perlin noise


def test_perlin_noise_is_zero_at_lattice_points_and_not_between_them():
    noise = procedural.perlin(64, 8, seeded())
    assert noise.shape == (64, 64)
    assert noise[::8, ::8].abs().max() < 1e-6
    assert noise[4::8, 4::8].abs().mean() > 0.1


def test_perlin_noise_agrees_with_the_definition_written_out():
    height, width, cells = 10, 15, 2.5
    noise = procedural.perlin((height, width), cells, seeded(3))
    spacing = height / cells  # 4 pixels
    rows, columns = int((height - 1) / spacing) + 2, int((width - 1) / spacing) + 2
    angle = 2 * math.pi * torch.rand(rows, columns, generator=seeded(3))

    def fade(t):
        return 6 * t**5 - 15 * t**4 + 10 * t**3

    for i in range(height):
        for j in range(width):
            y, x = i / spacing, j / spacing
            total = 0.0
            for r in (int(y), int(y) + 1):
                for c in (int(x), int(x) + 1):
                    slope = math.sin(angle[r, c]) * (y - r) + math.cos(angle[r, c]) * (x - c)
                    total += fade(1 - abs(y - r)) * fade(1 - abs(x - c)) * slope
            assert float(noise[i, j]) == pytest.approx(math.sqrt(2) * total, abs=1e-5)


def test_perlin_noise_is_continuous_with_continuous_slope_across_cells():
    noise = procedural.perlin(512, 8, seeded()).double()
    step = 8 / 512
    slope = noise.diff(dim=1) / step
    assert slope.abs().max() < 5  # √2 (1 + fade′ ≤ 1.875 times a difference of corners ≤ 2)
    bend = slope.diff(dim=1) / step
    at_borders, elsewhere = bend[:, 63::64].abs().max(), bend.abs().max()
    assert at_borders <= elsewhere < 40  # a kink would grow with the resolution


def test_perlin_noise_has_mean_zero_and_stays_in_its_range():
    noise = torch.stack([procedural.perlin(64, 8, seeded(i)) for i in range(50)])
    assert abs(float(noise.mean())) < 0.02
    assert 0.8 < noise.abs().max() <= 1


def test_perlin_cells_are_square_in_a_picture_that_is_not():
    noise = procedural.perlin((32, 96), 4, seeded())
    assert noise.shape == (32, 96) and noise[::8, ::8].abs().max() < 1e-6


def detail(noise: torch.Tensor) -> float:
    """Share of the spectrum's power above 6 cycles a picture."""
    power = torch.fft.fft2(noise - noise.mean()).abs().square()
    f = torch.fft.fftfreq(len(noise)) * len(noise)
    return float(power[(f[:, None] ** 2 + f**2).sqrt() > 6].sum() / power.sum())


def test_every_octave_adds_detail_to_the_same_picture():
    layers = [procedural.fractal_noise(128, n, generator=seeded()) for n in range(1, 6)]
    details = [detail(layer) for layer in layers]
    assert details == sorted(details) and details[-1] > 3 * details[0]
    assert torch.equal(layers[0], procedural.perlin(128, 4, seeded()))
    # undo the division by Σ persistenceᵒ: what the second octave adds is noise of 8 cells
    second = 1.5 * layers[1] - layers[0]
    assert second[::16, ::16].abs().max() < 1e-6 and second.abs().max() > 0.2


def test_persistence_and_lacunarity_set_strength_and_fineness_of_octaves():
    rough = procedural.fractal_noise(128, 4, persistence=0.9, generator=seeded())
    smooth = procedural.fractal_noise(128, 4, persistence=0.2, generator=seeded())
    assert detail(rough) > detail(smooth) + 0.1
    fine = procedural.fractal_noise(128, 3, lacunarity=3.5, generator=seeded())
    coarse = procedural.fractal_noise(128, 3, lacunarity=1.2, generator=seeded())
    assert detail(fine) > detail(coarse)


# --- texture synthesis


@pytest.mark.parametrize("kind", sorted(procedural.TEXTURES))
def test_a_grown_texture_holds_only_colours_of_its_patch(kind):
    patch = procedural.texture_patch(kind, 24, seeded())
    assert patch.shape == (3, 24, 24) and patch.dtype == torch.uint8
    grown = procedural.synthesise_texture(patch, (20, 28), 7, seeded())
    assert grown.shape == (3, 20, 28) and grown.dtype == torch.uint8
    colours = {tuple(c) for c in patch.flatten(1).T.tolist()}
    assert 1 < len({tuple(c) for c in grown.flatten(1).T.tolist()} & colours)
    assert {tuple(c) for c in grown.flatten(1).T.tolist()} <= colours


def test_the_seed_in_the_middle_is_a_block_of_the_patch():
    patch = torch.rand(1, 12, 12, generator=seeded())
    grown = procedural.synthesise_texture(patch, 15, 5, seeded(1))
    seed = grown[:, 6:9, 6:9]
    blocks = patch.unfold(1, 3, 1).unfold(2, 3, 1)
    assert ((blocks - seed[:, None, None]).abs().amax(dim=(0, 3, 4)) == 0).any()


def test_stripes_go_on_as_stripes():
    stripes = torch.tensor([0, 0, 255, 255], dtype=torch.uint8).repeat(16, 5)  # (16, 20)
    grown = procedural.synthesise_texture(stripes, 32, 7, seeded())
    assert grown.shape == (32, 32)
    assert (grown == grown[0]).all()  # every row alike
    assert (grown[0, :-2] != grown[0, 2:]).all() and (grown[0, :-4] == grown[0, 4:]).all()


def test_each_pixel_is_copied_from_a_place_that_matches_its_surroundings():
    # Sixteen greys in a fixed cycle: wherever a pixel was matched, g + 16 comes after g.
    ramp = (torch.arange(24) % 16 * 16).to(torch.uint8).expand(12, 24)
    grown = procedural.synthesise_texture(ramp, 24, 5, seeded()).int()
    assert ((grown[:, 1:] - grown[:, :-1]) % 256 == 16).all()


def test_a_random_choice_is_made_among_matches_as_good():
    # Stripes, and noise too small to matter that tells where each pixel comes from.
    patch = (torch.arange(16) % 4 * 60).float() + 0.2 * torch.rand(16, 16, generator=seeded())
    grown = procedural.synthesise_texture(patch, 16, 5, seeded(1))
    origin = torch.searchsorted(patch.flatten().sort()[0], grown)
    origin = patch.flatten().argsort()[origin]
    copied_along = (origin[:, 1:] == origin[:, :-1] + 1).float().mean()
    assert copied_along < 0.2  # a copy of the nearest match alone would go on and on


def test_pixels_are_filled_in_rings_those_with_most_known_neighbours_first():
    order = procedural._growth_order(9, 12, 5, seeded())
    known = torch.zeros(9 + 4, 12 + 4)
    known[2 + 3 : 2 + 6, 2 + 5 : 2 + 8] = 1  # the middle, in a frame of two
    assert len({tuple(place) for place in order}) == 9 * 12 - 9
    rings = [max(abs(row - 4), abs(column - 6)) for row, column in order]
    assert rings == sorted(rings)
    for ring in range(2, 7):
        places = [place for place, r in zip(order, rings, strict=True) if r == ring]
        counts = [float(known[r : r + 5, c : c + 5].sum()) for r, c in places]
        assert counts == sorted(counts, reverse=True)
        for row, column in places:
            known[row + 2, column + 2] = 1


def test_a_float_patch_gives_a_float_texture_whatever_its_range():
    patch = procedural.texture_patch("dots", 16, seeded())
    grown = procedural.synthesise_texture(patch, 16, 7, seeded(1))
    as_float = procedural.synthesise_texture(patch.float() / 127.5 - 1, 16, 7, seeded(1))
    assert as_float.dtype == torch.float32
    assert torch.allclose(as_float, grown.float() / 127.5 - 1)


def test_a_patch_of_one_colour_grows_into_that_colour():
    assert (procedural.synthesise_texture(torch.full((5, 5), 7.0), 9, 3) == 7).all()


def test_a_patch_is_left_as_it_was():
    patch = procedural.texture_patch("weave", 16, seeded())
    before = patch.clone()
    procedural.synthesise_texture(patch, 12, 5, seeded())
    assert torch.equal(patch, before)


# --- the skyline


@pytest.fixture(scope="module")
def day():
    return procedural.skyline(1500, generator=seeded())


def test_a_skyline_is_a_picture_of_each_hour_of_the_day(day):
    images, hour = day
    assert images.shape == (1500, 3, 64, 64) and images.dtype == torch.uint8
    assert hour.shape == (1500,) and hour.dtype == torch.float32
    assert 0 <= hour.min() and hour.max() < 24
    assert hour.div(6).long().bincount().div(1500).sub(0.25).abs().max() < 0.05


def test_the_sky_is_red_at_sunset_and_at_no_other_hour(day):
    images, hour = day
    red = procedural.redness(images)
    begin, end = procedural.SUNSET
    sunset = (hour >= begin) & (hour < end)
    assert red[~sunset].max() < 0
    assert red[sunset].mean() > 0.25
    middle = (hour > begin + 0.5) & (hour < end - 0.5)
    assert red[middle].min() > 0.2


def test_the_redness_is_measured_on_the_top_third_alone():
    images = torch.zeros(3, 3, 9, 4, dtype=torch.uint8)
    images[0, 0, :3] = 255  # a red sky
    images[1, 0, 3:] = 255  # red below it
    images[2] = 200  # grey
    assert procedural.redness(images).tolist() == [1.0, 0.0, 0.0]
    cyan = torch.tensor([0.0, 255, 255]).to(torch.uint8).view(1, 3, 1, 1).expand(1, 3, 9, 9)
    assert procedural.redness(cyan).tolist() == [-1.0]


def test_redness_is_the_same_for_floats_in_the_range_of_models(day):
    images = day[0][:50]
    floats = images.float() / 127.5 - 1
    assert torch.allclose(procedural.redness(images), procedural.redness(floats), atol=1e-5)


def test_nights_are_dark_and_days_bright(day):
    images, hour = day
    sky = images[:, :, :21].float().mean(dim=(1, 2, 3))
    assert sky[(hour > 22) | (hour < 4)].max() < 60 < 110 < sky[(hour > 8) & (hour < 17)].min()


def test_windows_are_lit_at_night_and_dark_by_day(day):
    images, hour = day
    lamps = (images == procedural.LAMP.to(torch.uint8)).all(dim=1).float().mean(dim=(1, 2))
    assert lamps[(hour > 9) & (hour < 17)].max() == 0
    assert lamps[(hour > 21) & (hour < 23)].min() > 0.02


def test_the_sun_crosses_the_sky_from_left_to_right(day):
    images, hour = day
    sun = torch.tensor([255, 238, 190], dtype=torch.uint8).view(3, 1, 1)
    for low, high, place in ((8, 9, 0.2), (12.5, 13.5, 0.5), (16, 17, 0.75)):
        chosen = images[(hour > low) & (hour < high)]
        columns = (chosen == sun).all(dim=1).nonzero()[:, 2].float() / 64
        assert columns.mean() == pytest.approx(place, abs=0.08)


def test_every_call_shows_the_same_city():
    streets = []
    for seed in (1, 2):
        images, hour = procedural.skyline(100, generator=seeded(seed))
        streets.append(images[(hour > 11) & (hour < 13)][0, :, -5:].float())  # below any sky
    assert (streets[0] - streets[1]).abs().max() < 8 and streets[0].std() > 5


@pytest.mark.parametrize("size", [16, 32, 50, 64, 128])
def test_a_skyline_comes_in_any_size(size):
    images, hour = procedural.skyline(3, size, seeded())
    assert images.shape == (3, 3, size, size) and hour.shape == (3,)


# --- randomness and bad input


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: procedural.perlin(32, 4, g),
        lambda g: procedural.fractal_noise(32, 2, generator=g),
        lambda g: procedural.texture_patch("bricks", 16, g),
        lambda g: procedural.synthesise_texture(torch.rand(8, 8, generator=seeded()), 8, 3, g),
        lambda g: procedural.skyline(4, 32, g)[0],
        lambda g: procedural.skyline(4, 32, g)[1],
    ],
    ids=["perlin", "fractal", "patch", "texture", "images", "hours"],
)
def test_the_same_seed_gives_the_same_result_and_leaves_the_global_one_alone(draw):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again, other = draw(seeded(1)), draw(seeded(1)), draw(seeded(2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert draw(None).shape == first.shape


PATCH = torch.zeros(3, 9, 9)


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: procedural.perlin(0, 1), ValueError, "size"),
        (lambda: procedural.perlin(8.5, 1), TypeError, "size"),
        (lambda: procedural.perlin(16, 0), ValueError, "cells"),
        (lambda: procedural.perlin(16, 9), ValueError, "cells"),
        (lambda: procedural.perlin(16, math.nan), ValueError, "cells"),
        (lambda: procedural.fractal_noise(64, 0), ValueError, "octaves"),
        (lambda: procedural.fractal_noise(64, 1.5), TypeError, "octaves"),
        (lambda: procedural.fractal_noise(64, 5), ValueError, "octaves.*64 cells in 64 pixels"),
        (lambda: procedural.fractal_noise(64, 2, persistence=0), ValueError, "persistence"),
        (lambda: procedural.fractal_noise(64, 2, lacunarity=-1), ValueError, "lacunarity"),
        (lambda: procedural.synthesise_texture(PATCH, 2, 3), ValueError, "size"),
        (lambda: procedural.synthesise_texture(PATCH, 9, 4), ValueError, "window"),
        (lambda: procedural.synthesise_texture(PATCH, 9, 1), ValueError, "window"),
        (lambda: procedural.synthesise_texture(PATCH, 9, 11), ValueError, "window"),
        (lambda: procedural.synthesise_texture(PATCH[0, 0], 9, 3), ValueError, "patch"),
        (lambda: procedural.synthesise_texture(PATCH.long(), 9, 3), TypeError, "patch"),
        (lambda: procedural.synthesise_texture([[1.0]], 9, 3), TypeError, "patch"),
        (lambda: procedural.synthesise_texture(PATCH / 0, 9, 3), ValueError, "patch"),
        (lambda: procedural.texture_patch("marble"), ValueError, "kind.*bricks"),
        (lambda: procedural.texture_patch("bricks", 7), ValueError, "size"),
        (lambda: procedural.skyline(0), ValueError, "n"),
        (lambda: procedural.skyline(2.0), TypeError, "n"),
        (lambda: procedural.skyline(2, 15), ValueError, "size"),
        (lambda: procedural.redness(torch.zeros(3, 9, 9)), ValueError, "images"),
        (lambda: procedural.redness(torch.zeros(2, 1, 9, 9)), ValueError, "images"),
        (lambda: procedural.redness(torch.zeros(2, 3, 9, 9).long()), TypeError, "images"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error, named):
    with pytest.raises(error, match=rf"\b{named}\b"):
        call()
