"""What is said of wrong answers that nobody foresaw: it names the error, and is true of them."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import translation
from course_lib.exercises import grade
from course_lib.exercises.topics import losses, vae


def scores(change):
    """The hinge of other scores."""
    return lambda real, fake: losses.hinge_d(change(real), change(fake))


def divided_by_the_batch(critic, points, target=1.0):
    return losses.gradient_penalty(critic, points, target) / len(points)


def free_bits(x, reconstruction, mu, logvar, beta=1.0):
    least = vae.kl_to_standard_normal(mu, logvar).clamp(min=0.5)
    return F.mse_loss(reconstruction, x, reduction="sum") / 2 / len(x) + beta * least.mean()


KINDS = [  # (exercise, answer, words for the error really made)
    (
        "losses.wasserstein_d",
        lambda r, f: 2 * (f.mean() - r.mean()),
        "Everywhere 2 times too large",
    ),
    ("losses.wasserstein_d", lambda r, f: f.mean() - r.mean() + 10, "Everywhere 10 too large"),
    ("losses.wasserstein_d", lambda r, f: f[0] - r[0], "cut down to their first row"),
    (
        "losses.wasserstein_d",
        lambda r, f: f.mean() - r.detach().mean(),
        "reaches argument real_scores",
    ),
    ("losses.wasserstein_g", lambda f: -f.clamp(-1, 1).mean(), "`fake_scores` held in [−1, 1]"),
    ("losses.wasserstein_g", lambda f: f.mean().abs(), "what was asked without its sign"),
    ("losses.hinge_d", scores(torch.tanh), "put through a tanh"),
    ("losses.hinge_d", scores(torch.sigmoid), "There is a sigmoid in your loss"),
    ("losses.clip_weights", lambda m, c: losses.clip_weights(m, c**2), "`limit` squared"),
    ("losses.began_update", lambda k, r, f, *o: losses.began_update(k, f, r, *o), "exchanged"),
    ("losses.dragan_points", lambda r, u: r + r.std() * u, "You go twice as far as is asked"),
    ("losses.precision_recall", lambda r, f, k=3: losses.precision_recall(r, f, 1), "`k` always 1"),
    ("losses.bug_precision_recall", lambda f, r, k=3: 1.0, "should return a tuple of 2"),
    ("vae.reparameterise", lambda m, s, u: m - (s / 2).exp() * u, "`noise` with its sign turned"),
    ("vae.morph", lambda a, b, f: a + f * f * (b - a), "`fraction` squared"),
    ("vae.sample", lambda e, d, x, u: d(u.clamp(-1, 1)), "`noise` held in [−1, 1]"),
    ("vae.one_hot", lambda y, c: F.one_hot(y, c).half(), "got float16"),
    ("vae.condition", lambda z, y, c: vae.condition(z.clamp(-1, 1), y, c), "held"),
    (
        "cyclegan.linear_decay",
        lambda e, c, d: max(0, min(1, (c + d - e) / d)) ** 2,
        "the square of",
    ),
    ("cyclegan.linear_decay", lambda e, c, d: math.exp(-max(0, e - c)), "`decay` has no influence"),
    ("cyclegan.patch_receptive_field", lambda layers=3: 9 * 2**layers - 2.0, "decimal number"),
    (
        "cyclegan.patch_receptive_field",
        lambda layers=3: 9 * 2**layers - 3,
        "Everywhere 1 too small",
    ),
]


@pytest.mark.parametrize("exercise_id, answer, words", KINDS)
def test_the_error_really_made_is_named(exercise_id, answer, words):
    verdict = grade(exercise_id, answer)
    assert verdict.status == "wrong" and words in verdict.message


UNTRUE = [  # (exercise, answer, what is not true of it)
    ("vae.negative_elbo", free_bits, "no influence"),
    ("losses.gradient_penalty", divided_by_the_batch, "Everywhere"),
    (
        "losses.least_squares_d",
        lambda r, f: max((r - 1).square().mean(), f.square().mean()),
        "move",
    ),
    ("losses.bug_points_between", lambda r, f, g: r + (f - r) * rows_of(r, g), "cut off"),
    ("losses.wasserstein_g", lambda f: -f.clamp(-1, 1).mean(), "no influence"),
]


def rows_of(real, generator):
    return torch.rand(len(real), 1, real.shape[2], 1, generator=generator)


@pytest.mark.parametrize("exercise_id, answer, words", UNTRUE)
def test_what_is_not_true_of_an_answer_is_not_said(exercise_id, answer, words):
    verdict = grade(exercise_id, answer)
    assert verdict.status == "wrong" and words not in verdict.message


@pytest.mark.parametrize(
    "kind, words",
    [
        (torch.Tensor.double, "float64"),
        (torch.Tensor.numpy, "numpy"),
        (torch.Tensor.tolist, "list"),
        (lambda images: images.clone().requires_grad_(), "gradient"),
        (torch.Tensor.half, "same shape and kind"),
    ],
)
def test_what_comes_out_of_a_buffer_is_what_a_discriminator_takes(kind, words):
    class Buffer:
        def __init__(self, capacity=50):
            self.right = translation.ImageBuffer(capacity)

        def __call__(self, images):
            return kind(self.right(images))

    verdict = grade("cyclegan.image_buffer", Buffer)
    assert verdict.status == "wrong" and words in verdict.message
