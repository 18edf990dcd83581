import itertools
import math

import numpy as np
import pytest
import torch

from course_lib.augmentation import KINDS, Augmentation, _Dice, adaptive_probability, augment
from tests.helpers import assert_normal


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=seeded(seed)) * 2 - 1


@pytest.mark.parametrize("kinds", [(), *((kind,) for kind in KINDS), KINDS])
@pytest.mark.parametrize("channels, sides", [(1, (9, 9)), (3, (16, 16)), (3, (8, 16))])
def test_pictures_keep_their_shape_and_dtype(kinds, channels, sides):
    x = draw(5, channels, *sides)
    y = augment(x, 1.0, seeded(0), kinds)
    assert y.shape == x.shape and y.dtype == x.dtype and y.isfinite().all()
    assert torch.equal(y, x) is (not kinds)


def test_at_p_0_nothing_happens_and_at_p_a_share_stays_itself():
    x = draw(2000, 3, 8, 8)
    assert augment(x, 0.0) is x
    for kind, choices in (("geometry", 4), ("colours", 5)):  # each transformation by itself
        # rotations come twice, each with 1 − √(1 − p): together as one of p
        y = augment(x, 0.2, seeded(1), [kind])
        same = (y - x).abs().amax((1, 2, 3)) < 1e-4
        expected = 0.8**choices if kind == "geometry" else 0.8**4 * 0.9  # half of the flips is none
        error = 4 * math.sqrt(expected * (1 - expected) / 2000)
        assert same.double().mean().item() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("h, w", [(16, 16), (16, 32), (32, 16)])
def test_flips_turns_and_shifts_only_move_pixels(h, w):
    x = draw(64, 2, h, w)
    y = augment(x, 1.0, seeded(2), ["pixels"])
    inner = y[:, :, h // 2 - 2 : h // 2 + 2, w // 2 - 2 : w // 2 + 2].flatten(2)  # no border in it
    found = torch.cdist(inner.permute(0, 2, 1), x.flatten(2).permute(0, 2, 1)).amin(2)
    assert found.max() < 1e-3


def test_the_identity_is_among_the_choices_of_pixel_moves():
    """A coin that flips with ½ and quarter turns with the identity among four: nothing leaks."""
    x = torch.zeros(4000, 1, 8, 8)
    x[:, :, :4, :4] = 1.0
    y = augment(x, 1.0, seeded(3), ["pixels"])
    corners = torch.stack([y[:, 0, i, j] for i in (1, 6) for j in (1, 6)], 1).argmax(1)
    shares = corners.bincount(minlength=4) / 4000
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.03, rtol=0)


def test_gradients_of_all_kinds_reach_the_pictures():
    for kind in KINDS:
        x = draw(4, 3, 16, 16).requires_grad_()
        augment(x, 1.0, seeded(4), [kind]).square().sum().backward()
        assert x.grad.isfinite().all() and (x.grad.flatten(1).abs().sum(1) > 0).all()


def test_colour_moves_keep_the_picture_s_places():
    x = draw(16, 3, 8, 8)
    x[:, :, 4:] = x[:, :, :4]
    y = augment(x, 1.0, seeded(5), ["colours"])
    torch.testing.assert_close(y[:, :, 4:], y[:, :, :4])


def test_the_same_seed_draws_the_same_transformations():
    x = draw(8, 3, 16, 16)
    assert torch.equal(augment(x, 0.5, seeded(6)), augment(x, 0.5, seeded(6)))
    assert not torch.equal(augment(x, 0.5, seeded(6)), augment(x, 0.5, seeded(7)))


@pytest.mark.parametrize(
    "x, p, kinds, message",
    [
        (torch.zeros(2, 3, 8, 8), 1.5, KINDS, "p must be .* at most 1; got 1.5"),
        (torch.zeros(2, 3, 8, 8), 0.5, ["noise"], "kinds must be one of pixels, geometry"),
        (torch.zeros(3, 8, 8), 0.5, KINDS, r"x must be \(B, C, H, W\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 0.5, KINDS, "x must be a tensor of dec"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(x, p, kinds, message):
    with pytest.raises((ValueError, TypeError), match=message):
        augment(x, p, kinds=kinds)


def test_a_p_that_lies_on_the_device_is_as_good_as_a_number():
    x = draw(8, 3, 16, 16)
    assert torch.equal(augment(x, torch.tensor(0.5), seeded(6)), augment(x, 0.5, seeded(6)))
    torch.testing.assert_close(augment(x, torch.tensor(0.0)), x)


def test_a_turn_of_the_hue_leaves_greys_and_lengths():
    """Rotation about (1, 1, 1), a reflected luma, a stretch across: greys stay grey."""
    x = draw(16, 1, 4, 4).expand(-1, 3, -1, -1)
    y = augment(x, 1.0, seeded(8), ["colours"])
    torch.testing.assert_close(y[:, :1].expand(-1, 3, -1, -1), y)


# The controller


def test_one_step_of_p_is_images_over_span():
    # batch 64, every 4 batches, 500,000 pictures
    up = adaptive_probability(0.1, torch.ones(256), 256)
    down = adaptive_probability(0.1, -torch.ones(256), 256)
    assert (up - 0.1, 0.1 - down) == pytest.approx((0.000512, 0.000512), abs=1e-7)


def test_p_stays_a_probability():
    assert adaptive_probability(0.999, torch.ones(4), 10_000) == 1.0  # and 0 below
    assert adaptive_probability(0.001, -torch.ones(4), 10_000) == 0.0
    with pytest.raises(ValueError, match="real_scores must hold at least one score"):
        adaptive_probability(0.5, torch.zeros(0), 4)


@pytest.mark.parametrize(
    "scores, up",
    [
        ([0.1, 0.1, 0.1, -5.0], False),  # r = 0.5, whatever the sizes
        ([9.0] * 9 + [-0.1], True),  # r = 0.8
        ([1.0] * 7 + [-1.0] * 3, False),  # seven of ten are r = 0.4
        ([1.0] * 81 + [-1.0] * 19, True),  # r = 0.62
    ],
)
def test_p_follows_how_many_are_on_the_right_side_not_how_far(scores, up):
    after = adaptive_probability(0.5, torch.tensor(scores), 500)
    assert after.item() == pytest.approx(0.501 if up else 0.499)


def test_an_augmentation_moves_its_p_with_every_batch_and_saves_it():
    net, other = Augmentation(target=0.6, span=1000), Augmentation(target=None)
    for n in range(1, 4):
        net.update(torch.ones(20))
        assert net.p.item() == pytest.approx(0.02 * n)
    other.load_state_dict(net.state_dict())
    other.update(torch.ones(20))  # without a target p stays
    assert other.p == net.p
    x = draw(4, 3, 8, 8)
    torch.manual_seed(0)
    y = net(x)
    torch.manual_seed(0)
    assert torch.equal(y, augment(x, net.p))


# What is drawn, and how often


def assert_any_angle(angle: torch.Tensor):
    """Uniform over the whole circle: no harmonic of it is there."""
    for k in (1, 2, 3):
        for wave in (torch.cos, torch.sin):
            assert abs(wave(k * angle).mean()) < 4 * math.sqrt(0.5 / len(angle))


def assert_share(found: torch.Tensor, p: float):
    assert found.double().mean().item() == pytest.approx(
        p, abs=4 * math.sqrt(p * (1 - p) / len(found))
    )


def placed(n: int, p: float, kinds: tuple[str, ...], seed: int) -> tuple[torch.Tensor, ...]:
    """The matrix and the shift by which each picture is looked up, in halves of its side.

    Told by pictures that show at each place where it lies: between pixels they are exact, too.
    """
    at = (torch.arange(16, dtype=torch.float64) - 7.5) / 8
    x = torch.stack(torch.meshgrid(at, at, indexing="xy")).expand(n, -1, -1, -1)
    seen = augment(x, p, seeded(seed), kinds)[:, :, 7:9, 7:9]
    columns = seen.mean(2).diff(dim=2)[..., 0], seen.mean(3).diff(dim=2)[..., 0]
    return torch.stack(columns, 2) * 8, seen.mean((2, 3))


def pixel_moves() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A picture of 16 × 16, its 8 symmetries moved by up to 2 pixels each way, and how likely."""
    x = draw(2, 16, 16, seed=9).double()
    chances = (1, 2, 2, 2, 1)  # of −2 … 2, in eighths: what rounds to it of −2 to 2
    seen, law = [], []
    for turned in (x.rot90(k, (1, 2)).flip(2) if flip else x.rot90(k, (1, 2))
                   for flip in (False, True) for k in range(4)):  # fmt: skip
        wide = np.pad(turned.numpy(), ((0, 0), (2, 2), (2, 2)), mode="symmetric")
        for down, across in itertools.product(range(5), repeat=2):
            seen.append(torch.from_numpy(wide[:, down : down + 16, across : across + 16].copy()))
            law.append(chances[down] * chances[across] / 8**3)
    return x, torch.stack(seen), torch.tensor(law)


def test_pixel_moves_are_the_symmetries_of_a_square_and_shifts_up_to_an_eighth():
    x, seen, law = pixel_moves()
    y = augment(x.expand(4000, -1, -1, -1), 1.0, seeded(1), ["pixels"])
    distance, which = torch.cdist(y.flatten(1), seen.flatten(1)).min(1)
    assert distance.max() < 1e-3
    counts, expected = which.bincount(minlength=200), 4000 * law
    chi2 = ((counts - expected).square() / expected).sum()
    assert abs(chi2 - 199) < 4 * math.sqrt(2 * 199)


def test_a_pixel_move_happens_with_p_and_may_be_none():
    x = pixel_moves()[0]
    y = augment(x.expand(4000, -1, -1, -1), 0.5, seeded(2), ["pixels"])
    same = (y - x).abs().amax((1, 2, 3)) < 1e-3
    # a flip is one in 2, a turn three in 4, a shift fifteen in 16
    assert_share(same, (1 - 0.5 / 2) * (1 - 0.5 * 3 / 4) * (1 - 0.5 * 15 / 16))


def test_geometry_scales_turns_stretches_turns_and_shifts():
    matrix, at = placed(4000, 1.0, ("geometry",), 1)
    # beyond the border it would be reflected
    inside = (at.abs().amax(1) < 0.8) & (torch.linalg.det(matrix) > 0)
    assert inside.double().mean() > 0.98
    u, s, v = torch.linalg.svd(matrix[inside])
    assert_normal(s.log2().mean(1), 0.2)
    stretch = s.log2().diff(dim=1)[:, 0] / 2  # its sign is lost: which axis is the longer?
    sign = torch.randint(2, stretch.shape, generator=seeded(0)) * 2 - 1
    assert_normal(stretch * sign, 0.2)
    turn = u @ v
    assert (torch.linalg.det(turn) - 1).abs().max() < 1e-5
    assert_any_angle(torch.atan2(turn[:, 1, 0], turn[:, 0, 0]))
    assert_any_angle(2 * torch.atan2(v[:, 0, 1], v[:, 0, 0]))  # the axes have no direction
    shift = torch.linalg.solve(matrix, at)
    for axis in shift.T / 0.25:  # shares, as a few are reflected
        assert_share(axis > 0, 0.5)
        for z in (0.5, 1.0, 1.5):
            assert_share(axis.abs() < z, math.erf(z / math.sqrt(2)))
    assert_share(shift.prod(1) > 0, 0.5)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_each_part_of_the_geometry_happens_with_p(p):
    matrix, at = placed(4000, p, ("geometry",), 2)
    tiny = 1e-5
    assert_share(at.abs().amax(1) < tiny, 1 - p)
    matrix = matrix[(at.abs().amax(1) < 0.8) & (torch.linalg.det(matrix) > 0)]
    s = torch.linalg.svdvals(matrix)
    assert_share(s.log2().mean(1).abs() < tiny, 1 - p)
    stretched = s.log2().diff(dim=1)[:, 0].abs() > tiny
    assert_share(~stretched, 1 - p)
    slant = torch.stack([matrix[:, 0, 1], matrix[:, 1, 0]], 1).abs().amax(1)
    assert_share(slant < tiny, 1 - p)
    # the first turn alone leaves AᵀA without a slant, the second alone AAᵀ: 1 − √(1 − p) each
    for product in (matrix.mT @ matrix, matrix @ matrix.mT):
        assert_share(product[stretched, 0, 1].abs() < tiny, math.sqrt(1 - p))


def test_what_comes_after_a_shift_by_pixels_keeps_it():
    _, at = placed(3000, 1.0, ("pixels", "geometry"), 3)
    log_normal = math.exp((0.4 * math.log(2)) ** 2 / 2)  # the mean square of size and of stretch
    by_parts = 2 * 0.25**2 * log_normal**2
    by_pixels = 2 * 1.5 / 8**2  # 1, 2, 2, 2, 1 eighths for −2 … 2 have variance 1.5
    square = at.square().sum(1)
    error = 4 * square.std() / math.sqrt(3000)
    assert abs(square.mean() - by_parts - by_pixels) < error < by_pixels / 2


def recoloured(p: float, seed: int) -> tuple[torch.Tensor, ...]:
    """Brightness, contrast, whether luma is inverted, angle of the hue, saturation: of 4000."""
    x = torch.zeros(3, 4, dtype=torch.float64)
    x[:, 1:] = torch.eye(3)  # black, and the three colours
    y = augment(x.view(3, 2, 2).expand(4000, -1, -1, -1), p, seeded(seed), ["colours"]).flatten(2)
    offset, matrix = y[:, :, 0], y[:, :, 1:] - y[:, :, :1]
    assert (offset - offset[:, :1]).abs().max() < 1e-6
    grey = matrix.sum(2)  # what becomes of white
    assert (grey - grey[:, :1]).abs().max() < 1e-6
    sign, contrast = grey[:, 0].sign(), grey[:, 0].abs()
    across = torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]], dtype=torch.float64)
    across = across / across.norm(dim=1, keepdim=True)  # of the plane without luma
    turn = across @ matrix @ across.T / contrast[:, None, None]
    angle = torch.atan2(turn[:, 1, 0], turn[:, 0, 0])
    return sign * offset[:, 0], contrast, sign < 0, angle, torch.linalg.det(turn).sqrt()


def test_colours_are_drawn_by_the_laws_of_the_paper():
    brightness, contrast, inverted, angle, saturation = recoloured(1.0, 4)
    assert_normal(brightness, 0.2)
    assert_normal(contrast.log2(), 0.5)
    assert_share(inverted, 0.5)
    assert_any_angle(angle)
    assert_normal(saturation.log2(), 1.0)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_each_change_of_colours_happens_with_p(p):
    brightness, contrast, inverted, angle, saturation = recoloured(p, 5)
    for change in (brightness, contrast.log2(), angle, saturation.log2()):
        assert_share(change.abs() < 1e-6, 1 - p)
    assert_share(inverted, p / 2)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_without_three_channels_only_brightness_and_contrast_change(channels):
    x = torch.tensor([0.0, 1.0, -1.0, 0.5]).view(1, 1, 2, 2).double()
    y = augment(x.expand(4000, channels, -1, -1), 1.0, seeded(6), ["colours"])
    brightness, contrast = y[:, 0, 0, 0], y[:, 0, 0, 1] - y[:, 0, 0, 0]
    assert_normal(brightness, 0.2)
    assert_normal(contrast.log2(), 0.5)
    expected = contrast.view(-1, 1, 1, 1) * x + brightness.view(-1, 1, 1, 1)
    torch.testing.assert_close(y, expected.expand_as(y))


def test_at_p_0_nothing_happens_even_to_a_draw_of_0():
    dice = _Dice(3, 0.0, "cpu", None)
    dice.uniform = lambda: torch.zeros(3)
    assert dice.either(torch.ones(3), 5.0).tolist() == [5, 5, 5]


def test_each_picture_has_dice_of_its_own():
    x = draw(1, 3, 16, 16).expand(6, -1, -1, -1)
    for kind in KINDS:
        y = augment(x, 1.0, seeded(7), [kind]).flatten(1)
        assert (torch.cdist(y, y) + torch.eye(6)).min() > 0.01


# What is refused, and what is assumed

PICTURES, SCORES = torch.zeros(2, 3, 8, 8), torch.ones(4)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: augment(PICTURES, -0.1), "p must be a finite number, at least 0 .* got -0.1"),
        (lambda: augment(PICTURES, math.nan), "p must be a finite number"),
        (lambda: augment(PICTURES, "half"), "p must be a number; got 'half'"),
        (lambda: augment(PICTURES, 0.5, 3), "generator must be a torch.Generator or None; got int"),
        (lambda: augment(PICTURES, 0.0, 3), "generator must be a torch.Generator or None; got int"),
        (lambda: augment(PICTURES, 0.5, kinds=None), "kinds must be a Sequence; got NoneType"),
        (lambda: augment(PICTURES, 0.0, kinds=["noise"]), "kinds must be one of .* got 'noise'"),
        (lambda: augment(PICTURES[0], 0.0), r"x must be \(B, C, H, W\); got \(3, 8, 8\)"),
        (lambda: adaptive_probability(1.1, SCORES, 4), "p must be .* at most 1; got 1.1"),
        (lambda: adaptive_probability(-0.1, SCORES, 4), "p must be .* at least 0 .* got -0.1"),
        (lambda: adaptive_probability(0.5, [1.0], 4), "real_scores must be a tensor .* got list"),
        (
            lambda: adaptive_probability(0.5, SCORES + 1j, 4),
            "real_scores must be a tensor of scores; got Tensor",
        ),
        (lambda: adaptive_probability(0.5, SCORES / 0, 4), "real_scores must be finite"),
        (lambda: adaptive_probability(0.5, SCORES, -1), "images must be .* at least 0, got -1"),
        (lambda: adaptive_probability(0.5, SCORES, 4, span=0), "span must be .* at least 1, got 0"),
        (
            lambda: adaptive_probability(0.5, SCORES, 4, target=math.inf),
            "target must be a finite number; got inf",
        ),
        (lambda: Augmentation(target="high"), "target must be a number; got 'high'"),
        (lambda: Augmentation(span=0), "span must be .* at least 1, got 0"),
        (lambda: Augmentation(None, span=0), "span must be .* at least 1, got 0"),
        (lambda: Augmentation(kinds=["noise"]), "kinds must be one of .* got 'noise'"),
        (lambda: Augmentation(kinds=3), "kinds must be a Sequence; got int"),
        (lambda: Augmentation().update(SCORES[:, None]), r"real_scores must be \(B,\); got \(4, 1"),
        (lambda: Augmentation(None).update(SCORES[:, None]), r"real_scores must be \(B,\); got"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_no_pictures_seen_leave_p_alone_and_all_of_the_span_brings_it_to_one():
    assert adaptive_probability(0.5, SCORES, 0) == 0.5
    assert adaptive_probability(0.0, SCORES, 250_000) == 0.5
    assert adaptive_probability(torch.tensor(0.25), SCORES, 1, span=4) == 0.5
    assert adaptive_probability(0.25, SCORES, 1, target=1.5, span=4) == 0


def test_p_is_a_number_without_a_gradient():
    scores = torch.ones(4, requires_grad=True)
    found = adaptive_probability(0.5, scores, 4)
    assert found.shape == () and not found.requires_grad


def test_an_augmentation_begins_without_and_has_the_paper_s_numbers():
    net = Augmentation()
    assert net.state_dict() == {"p": 0.0} and net(PICTURES) is PICTURES
    net.update(torch.ones(250_000))
    assert net.state_dict()["p"] == 0.5
    for scores, after in (([1.0] * 7 + [-1.0] * 3, 0.49), ([1.0] * 9 + [-1.0], 0.5)):
        net.update(torch.tensor(scores).repeat(500))  # r is 0.4, and 0.8
        assert net.p.item() == pytest.approx(after, abs=1e-6)
    x, grey = draw(4, 3, 8, 8), draw(4, 1, 8, 8).expand(-1, 3, -1, -1)
    net.p = 1.0
    assert not torch.allclose(net(grey).amax((1, 2, 3)), grey.amax((1, 2, 3)))  # all kinds
    only = Augmentation(kinds=["pixels"])
    only.p = 1.0
    torch.manual_seed(0)
    moved = only(x)
    torch.manual_seed(0)
    assert torch.equal(moved, augment(x, 1.0, kinds=("pixels",)))
