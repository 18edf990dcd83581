"""Wrong answers as others write them, none of them a stored mistake: what the message must say."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises import grade


def column(a):
    return a.view(-1, 1, 1, 1)


def wilson(answers, z=1.96):
    k, n = answers.sum().item(), len(answers)
    middle = (k + z * z / 2) / (n + z * z)
    half = z * math.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return k / n, (middle - half, middle + half)


def auc(scores, labels):
    gaps = scores[labels == 1][:, None] - scores[labels == 0]
    return ((gaps > 0).float() + 0.5 * (gaps == 0).float()).mean()


def linear(T, start=1e-4, end=0.2):
    return torch.linspace(start, end, T, dtype=torch.float64)


def noised_without_a_root(model, x0, alpha_bar):
    t, noise = torch.randint(len(alpha_bar), (len(x0),)), torch.randn_like(x0)
    a = column(alpha_bar[t])
    return F.mse_loss(model(a.sqrt() * x0 + (1 - a) * noise, t), noise)


def stepped_without_update(generator, discriminator, g_optimizer, d_optimizer, *batches):
    real, noise_d, noise_g = batches
    d_loss = F.softplus(-discriminator(real)).mean()
    d_loss = d_loss + F.softplus(discriminator(generator(noise_d).detach())).mean()
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_loss = F.softplus(-discriminator(generator(noise_g))).mean()
    g_optimizer.zero_grad()
    g_loss.backward()
    return d_loss.detach(), g_loss.detach()


def truncated(module, generator=None):
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.trunc_normal_(layer.weight, 0.0, 0.02, -0.02, 0.02, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02, generator=generator)
            nn.init.zeros_(layer.bias)


def half_as_wide(centers, sigma, n, generator=None):
    chosen = torch.randint(len(centers), (n,), generator=generator)
    noise = torch.randn(n, centers.shape[1], generator=generator)
    return centers[chosen] + sigma * noise / 2


SAID = [
    ("ethics.attribute_shares", lambda a: (a.sum().item(), wilson(a)[1]), "how many say yes"),
    ("ethics.attribute_shares", lambda a: wilson(~a), "This is 1 minus what was asked"),
    ("ethics.roc_auc", lambda s, y: 100 * auc(s, y), "100 times too large"),
    ("ethics.roc_auc", lambda s, y: max(auc(s, y), 1 - auc(s, y)), "never below ½"),
    ("ddpm.linear_betas", linear, "wrong where they are left out"),
    ("ddpm.training_loss", noised_without_a_root, "drawn or mixed otherwise"),
    ("ddpm.predict_x0", lambda xt, t, eps, a: xt / column(a[t]).sqrt(), "`eps` has no influence"),
    ("dcgan.conv2d_size", lambda size, kernel, stride=1, padding=0, dilation=1: size, "stride"),
    ("dcgan.init_weights", truncated, "no weight beyond ±0.02"),
    ("density.fit_gaussian", lambda x: (torch.cov(x.T), x.mean(0)), "in the other order"),
    ("density.parzen_sample", half_as_wide, "half as far"),
    ("gan.adversarial_step", stepped_without_update, "nobody makes G's step"),
    ("gan.optimal_discriminator", lambda p, q: (p / (p + q)).log(), "the logarithm of what was"),
    ("gan.slerp", lambda a, b, f: (1 - f) * a + f * b, "short cut through the sphere"),
]

NOT_SAID = [
    ("density.parzen_sample", half_as_wide, "variance"),
    ("dcgan.init_weights", truncated, "equally likely"),
    ("gan.adversarial_step", stepped_without_update, "hears nothing"),
    ("ddpm.training_loss", noised_without_a_root, "your loss is not"),
]


@pytest.mark.parametrize("exercise_id, wrong, words", SAID)
def test_the_message_names_the_error_that_was_made(exercise_id, wrong, words):
    verdict = grade(exercise_id, wrong)
    assert verdict.status == "wrong" and words in verdict.message, verdict.message


@pytest.mark.parametrize("exercise_id, wrong, words", NOT_SAID)
def test_the_message_names_no_error_that_was_not_made(exercise_id, wrong, words):
    verdict = grade(exercise_id, wrong)
    assert verdict.status == "wrong" and words not in verdict.message, verdict.message
