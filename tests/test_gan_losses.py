import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.checkpoints import parts
from course_lib.gan_losses import (
    LOSSES,
    BeganBalance,
    clip_weights,
    dragan_points,
    gradient_penalty,
    interpolate,
    reconstruction_error,
)

# The scores of tensorflow/gan's losses_impl_test.py
REAL = torch.tensor([-5.0, 1.4, 12.5, 2.7])
FAKE = torch.tensor([10.0, 4.4, -5.5, 3.6])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed))


def linear(*weights: float) -> nn.Module:
    """The critic x -> w · x, with scores (B,)."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), 1, bias=False), nn.Flatten(0))
    net[1].weight.data.copy_(torch.tensor([weights]))
    return net


# The values


@pytest.mark.parametrize(
    "name, d_loss, g_loss",
    [
        (
            "non_saturating",
            5.833866,
            1.385821,
        ),  # D by hand; G of tensorflow/gan, losses_impl_test.py
        ("minimax", 5.833866, -4.510821),  # by hand: theirs smooths the labels
        ("wasserstein", 0.225, -3.125),  # tensorflow/gan again
        ("wgan_gp", 0.225, -3.125),
        ("least_squares", 83.4675, 35.3925),  # twice tensorflow/gan's, which has the ½
        ("dragan", 5.833866, 1.385821),  # google/compare_gan v1: non-saturating for G
        ("hinge", 6.75, -3.125),  # by hand: (6 + 0 + 0 + 0) / 4 + (11 + 5.4 + 0 + 4.6) / 4
    ],
)
def test_each_loss_has_its_golden_value(name, d_loss, g_loss):
    assert LOSSES[name].d_loss(REAL, FAKE).item() == pytest.approx(d_loss, rel=1e-6)
    assert LOSSES[name].g_loss(FAKE).item() == pytest.approx(g_loss, rel=1e-6)


def test_began_weighs_the_error_of_fakes_by_k():
    real, fake = torch.tensor([0.1, 0.3]), torch.tensor([0.05, 0.15])  # means 0.2 and 0.1
    assert LOSSES["began"].d_loss(real, fake, 0.5).item() == pytest.approx(0.15)
    assert LOSSES["began"].d_loss(real, fake).item() == pytest.approx(0.1)
    assert LOSSES["began"].g_loss(fake).item() == pytest.approx(0.1)


def test_every_loss_of_the_table_is_there():
    table = "minimax non_saturating wasserstein wgan_gp least_squares dragan began hinge"
    assert set(LOSSES) == set(table.split())


def test_each_loss_declares_what_it_needs():
    assert {name for name, loss in LOSSES.items() if loss.clip} == {"wasserstein"}
    assert {name for name, loss in LOSSES.items() if loss.autoencoder} == {"began"}
    penalised = {name for name, loss in LOSSES.items() if loss.penalty_points}
    assert penalised == {"wgan_gp", "dragan"}
    assert LOSSES["wgan_gp"].penalty_weight == 10  # Gulrajani et al. 2017


def test_a_blind_discriminator_pays_log_four():
    # Goodfellow et al. 2014: V(D*) = −log 4 where the densities are equal
    zeros = torch.zeros(3)
    assert LOSSES["minimax"].d_loss(zeros, zeros).item() == pytest.approx(math.log(4))
    assert LOSSES["non_saturating"].g_loss(zeros).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_the_log_losses_agree_with_cross_entropy(name):
    ones, zeros = torch.ones(4), torch.zeros(4)
    entropy = F.binary_cross_entropy_with_logits
    expected = entropy(REAL, ones) + entropy(FAKE, zeros)
    torch.testing.assert_close(LOSSES[name].d_loss(REAL, FAKE), expected)
    expected = entropy(FAKE, ones) if name == "non_saturating" else -entropy(FAKE, zeros)
    torch.testing.assert_close(LOSSES[name].g_loss(FAKE), expected)


def test_where_the_discriminator_is_sure_the_minimax_gradient_is_99_times_smaller():
    slopes = []
    for name in ("non_saturating", "minimax"):
        score = torch.tensor([math.log(0.01 / 0.99)], dtype=torch.float64, requires_grad=True)
        LOSSES[name].g_loss(score).backward()
        slopes.append(score.grad.item())
    assert slopes == pytest.approx([-0.99, -0.01])


@pytest.mark.parametrize("name", LOSSES)
def test_scores_of_any_size_give_finite_losses_and_gradients(name):
    real = torch.tensor([1e4, -1e4], requires_grad=True)
    fake = torch.tensor([-1e4, 1e4], requires_grad=True)
    (LOSSES[name].d_loss(real, fake) + LOSSES[name].g_loss(fake)).backward()
    assert real.grad.isfinite().all() and fake.grad.isfinite().all()


@pytest.mark.parametrize("name", set(LOSSES) - {"began"})
def test_a_step_downhill_raises_real_scores_and_each_player_pulls_fakes_its_way(name):
    real = torch.zeros(2, requires_grad=True)
    fake = torch.full((2,), 0.5, requires_grad=True)
    d_real, d_fake = torch.autograd.grad(LOSSES[name].d_loss(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(LOSSES[name].g_loss(fake), fake)
    assert (d_real < 0).all() and (d_fake > 0).all() and (g_fake < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_means_over_the_batch(name):
    loss = LOSSES[name]
    torch.testing.assert_close(loss.d_loss(REAL.repeat(3), FAKE.repeat(3)), loss.d_loss(REAL, FAKE))
    torch.testing.assert_close(loss.g_loss(FAKE.repeat(3)), loss.g_loss(FAKE))


@pytest.mark.parametrize("name", LOSSES)
def test_a_map_of_patches_is_averaged_too(name):
    real, fake = REAL.view(1, 1, 2, 2), FAKE.view(1, 1, 2, 2)
    torch.testing.assert_close(LOSSES[name].d_loss(real, fake), LOSSES[name].d_loss(REAL, FAKE))


@pytest.mark.parametrize("name", LOSSES)
def test_bfloat16_scores_are_judged_in_float32(name):
    real, fake = REAL.bfloat16(), FAKE.bfloat16()
    assert LOSSES[name].d_loss(real, fake).dtype == torch.float32
    expected = LOSSES[name].g_loss(fake.float())
    assert torch.equal(LOSSES[name].g_loss(fake), expected)


# What they refuse


@pytest.mark.parametrize("name", LOSSES)
def test_scores_with_a_trailing_axis_against_scores_without_are_refused(name):
    for real, fake in ((REAL[:, None], FAKE), (REAL, FAKE[:, None])):
        with pytest.raises(ValueError, match="real_scores and fake_scores.*4, 1"):
            LOSSES[name].d_loss(real, fake)


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_batch_is_refused(name):
    with pytest.raises(ValueError, match="real_scores"):
        LOSSES[name].d_loss(torch.zeros(0), FAKE)
    with pytest.raises(ValueError, match="fake_scores"):
        LOSSES[name].g_loss(torch.zeros(0))


@pytest.mark.parametrize("name", LOSSES)
def test_scores_that_are_no_decimal_numbers_are_refused(name):
    with pytest.raises(TypeError, match="fake_scores"):
        LOSSES[name].g_loss(torch.tensor([1, 2]))
    with pytest.raises(TypeError, match="real_scores"):
        LOSSES[name].d_loss([1.0, 2.0], FAKE)


# The gradient penalty


@pytest.mark.parametrize("target", [1.0, 0.0])
def test_a_linear_critic_is_penalised_by_its_norm(target):
    # D(x) = w · x: (‖w‖ − target)²; w = (3, 4)
    penalty = gradient_penalty(linear(3, 4), draw(6, 2), target)
    assert penalty.item() == pytest.approx((5 - target) ** 2, rel=1e-6)


def test_the_norm_is_that_of_a_whole_image_and_of_one_image():
    # D(x) = Σ 2x over 4 numbers has slope 4: penalty 9. A norm over channels only would give 1,
    # one over the whole batch of 4 would give 49 (the two commonest bugs of public code).
    critic = linear(2, 2, 2, 2)
    assert gradient_penalty(critic, draw(4, 1, 2, 2)).item() == pytest.approx(9.0)
    assert gradient_penalty(critic, draw(1, 4)).item() == pytest.approx(9.0)


def test_the_penalty_is_averaged_over_points_of_different_slope():
    # D(x) = x²/2 has slope |x|: (0.5 − 1)² and (3 − 1)²
    points = torch.tensor([[0.5], [-3.0]])
    penalty = gradient_penalty(lambda x: x.square().sum(1) / 2, points + 0 * points)
    assert penalty.item() == pytest.approx((0.25 + 4) / 2)


def test_the_penalty_teaches_the_critic_and_not_the_points():
    critic, points = linear(3, 4), draw(5, 2).requires_grad_()
    gradient_penalty(critic, points).backward()
    # d/dw (‖w‖ − 1)² = 2 (1 − 1/‖w‖) w = 1.6 w
    torch.testing.assert_close(critic[1].weight.grad, torch.tensor([[4.8, 6.4]]))
    assert points.grad is None


def test_a_flat_critic_has_a_finite_gradient():
    critic = linear(0, 0)
    penalty = gradient_penalty(critic, draw(5, 2))
    penalty.backward()
    assert penalty.item() == 1 and critic[1].weight.grad.isfinite().all()


def test_a_critic_of_patches_is_penalised_by_the_slope_of_their_sum():
    penalty = gradient_penalty(lambda x: 2 * x, draw(3, 1, 2, 2))
    assert penalty.item() == pytest.approx(9.0)


@pytest.mark.parametrize(
    "points, error",
    [
        (torch.zeros(0, 2), ValueError),
        (torch.zeros(3), ValueError),
        (torch.ones(2, 2).int(), TypeError),
    ],
)
def test_the_penalty_refuses_what_is_no_batch_of_images(points, error):
    with pytest.raises(error, match="points"):
        gradient_penalty(linear(1, 1), points)


@pytest.mark.parametrize("target", [-1, float("nan"), float("inf")])
def test_the_penalty_refuses_a_slope_that_cannot_be(target):
    with pytest.raises(ValueError, match="target must be a finite number, at least 0; got"):
        gradient_penalty(linear(1, 1), draw(3, 2), target)


def test_the_penalty_refuses_a_critic_without_a_gradient():
    with pytest.raises(ValueError, match="critic"):
        gradient_penalty(lambda x: x.detach().sum(1), draw(3, 2))


# Where it is taken


def test_an_interpolate_lies_between_its_two_images_with_one_share_for_all_pixels():
    real, fake = torch.zeros(500, 3, 2, 2), torch.ones(500, 3, 2, 2)
    points = interpolate(real, fake, seeded())
    assert points.shape == real.shape
    points = points.flatten(1)
    share = points[:, 0]
    assert torch.equal(points, share[:, None].expand_as(points))
    assert share.min() >= 0 and share.max() < 1
    assert share.mean().item() == pytest.approx(0.5, abs=0.05)
    assert share.unique().numel() > 400


def test_an_interpolate_starts_from_its_own_pair():
    real, fake = draw(6, 2, seed=1), draw(6, 2, seed=2)
    points = interpolate(real, fake, seeded())
    along = (points - real) / (fake - real)
    torch.testing.assert_close(along[:, 0], along[:, 1], rtol=1e-3, atol=1e-3)


def test_dragan_stays_within_half_a_spread_above_the_data():
    # google/compare_gan v1: x + 0.5 · std · U[0, 1), std over the whole batch
    real = 3 * draw(400, 1, 4, 4) + 5
    shift = (dragan_points(real, seeded()) - real) / real.std(correction=0)
    assert shift.min() >= -1e-5 and shift.max() < 0.5 + 1e-5
    assert shift.mean().item() == pytest.approx(0.25, abs=0.01)
    assert shift[0].std() > 0.05  # another for each pixel


def test_the_spread_is_that_of_all_pixels_not_of_each():
    real = torch.stack([torch.zeros(50), torch.ones(50)], dim=1)  # each pixel is constant
    shift = dragan_points(real, seeded()) - real
    assert shift.max().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("points", [lambda x, g: interpolate(x, -x, g), dragan_points])
def test_the_points_follow_their_generator(points):
    x = draw(4, 3)
    a, b, c = (points(x, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_interpolates_and_dragan_points_refuse_other_shapes():
    with pytest.raises(ValueError, match="fake must have the shape of real"):
        interpolate(draw(4, 3), draw(1, 3))
    with pytest.raises(ValueError, match="real"):
        dragan_points(torch.zeros(0, 3))
    with pytest.raises(TypeError, match="real"):
        interpolate(torch.ones(2, 2).int(), torch.ones(2, 2).int())


def test_dragan_looks_at_no_fake():
    real = draw(5, 2)
    a, b = (
        LOSSES["dragan"].penalty_points(real, fake, seeded())
        for fake in (draw(5, 2, seed=1), draw(5, 2, seed=2))
    )
    assert torch.equal(a, b)


# Clipping and the thermostat


def test_clipping_holds_every_weight_within_the_limit_and_leaves_small_ones():
    net = linear(0.5, -0.5, 0.003)
    clip_weights(net)
    torch.testing.assert_close(net[1].weight.data, torch.tensor([[0.01, -0.01, 0.003]]))
    assert net[1].weight.requires_grad
    with pytest.raises(ValueError, match="limit"):
        clip_weights(net, 0)
    with pytest.raises(ValueError, match="clip must be .* above 0; got -1"):
        replace(LOSSES["wasserstein"], clip=-1)
    with pytest.raises(ValueError, match="penalty_weight must be .* got nan"):
        replace(LOSSES["wgan_gp"], penalty_weight=float("nan"))


def test_the_balance_moves_k_by_the_gap_and_says_how_far_it_is():
    # Berthelot et al. 2017, section 3.4: k = 0.001 (0.75 · 0.2 − 0.1), M = 0.2 + |0.05|
    balance = BeganBalance()
    measure = balance.update(torch.tensor([0.1, 0.3]), torch.tensor([0.1, 0.1]))
    assert balance.k.item() == pytest.approx(5e-5)
    assert measure.item() == pytest.approx(0.25)
    # then fakes that are worse: k = 5e-5 + 0.001 (0.75 · 0.2 − 0.18), M = 0.2 + |−0.03|
    measure = balance.update(torch.tensor([0.1, 0.3]), torch.tensor([0.16, 0.2]))
    assert balance.k.item() == pytest.approx(2e-5, rel=1e-4)
    assert measure.item() == pytest.approx(0.23)


@pytest.mark.parametrize("real, end", [(1.0, 1.0), (0.0, 0.0)])
def test_k_stays_between_nought_and_one(real, end):
    balance = BeganBalance(lambda_k=0.7)
    for _ in range(5):
        balance.update(torch.tensor([real]), torch.tensor([0.2]))
    assert balance.k.item() == end


def test_k_carries_no_gradient_and_is_part_of_a_run():
    balance = BeganBalance()
    balance.update(torch.ones(2, requires_grad=True) * 1, torch.zeros(2, requires_grad=True) * 1)
    assert not balance.k.requires_grad

    def step(batch):
        return balance

    assert list(parts(step).values()) == [balance]
    other = BeganBalance()
    other.load_state_dict(balance.state_dict())
    assert other.k == balance.k > 0


def test_a_balance_refuses_numbers_that_make_no_sense():
    for bad in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="gamma"):
            BeganBalance(gamma=bad)
    with pytest.raises(ValueError, match="lambda_k"):
        BeganBalance(lambda_k=-1)
    with pytest.raises(ValueError, match="lambda_k"):
        BeganBalance(lambda_k=float("inf"))


def test_the_reconstruction_error_is_the_mean_over_the_pixels_of_each_image():
    x = torch.tensor([0.0, 0.25])[:, None, None, None].expand(2, 1, 2, 2)
    answer = torch.stack([torch.full((1, 2, 2), 0.5), torch.tensor([[[1.0, 0.5], [0, 0]]])])
    assert reconstruction_error(x, answer).tolist() == [0.5, 0.375]
    with pytest.raises(ValueError, match="autoencoder"):
        reconstruction_error(x, torch.zeros(2))
