import math

import pytest
import torch

from course_lib.augmentation import KINDS, Augmentation, adaptive_probability, augment


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


def test_flips_turns_and_shifts_only_move_pixels():
    x = draw(64, 2, 16, 16)
    y = augment(x, 1.0, seeded(2), ["pixels"])
    inner = y[:, :, 6:10, 6:10].flatten(2)  # no border reflected into it
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
