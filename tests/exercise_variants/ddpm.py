"""Correct answers to the exercises of lecture 07, each in another style."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_lib import diffusion, unet

# --- schedules ------------------------------------------------------------------------------------


def in_numpy(T, start=1e-4, end=0.02):
    return torch.from_numpy(np.linspace(start, end, T))


def by_gaps(T, start=1e-4, end=0.02):
    return start + (end - start) * torch.arange(T) / (T - 1)


def by_lerp(T, start=1e-4, end=0.02):
    return torch.lerp(torch.tensor(start), torch.tensor(end), torch.linspace(0, 1, T))


def in_a_list(T, start=1e-4, end=0.02):
    return torch.tensor([start + i * (end - start) / (T - 1) for i in range(T)])


def cosine_in_a_loop(T, s=0.008):
    def alpha_bar(u):
        return math.cos((u + s) / (1 + s) * math.pi / 2) ** 2

    return torch.tensor(
        [min(1 - alpha_bar((i + 1) / T) / alpha_bar(i / T), 0.999) for i in range(T)]
    )


def cosine_normalised(T, s=0.008):
    t = torch.linspace(0, T, T + 1, dtype=torch.float64)
    f = ((t / T + s) / (1 + s) * math.pi * 0.5).cos().pow(2)
    alpha_bar = f / f[0]
    return torch.clip(1 - alpha_bar[1:] / alpha_bar[:-1], 0, 0.999).float()


def cosine_by_double_angle(T, s=0.008):
    u = np.arange(T + 1) / T
    f = (1 + np.cos(np.pi * (u + s) / (1 + s))) / 2
    return torch.from_numpy(np.minimum((f[:-1] - f[1:]) / f[:-1], 0.999))


# --- forward --------------------------------------------------------------------------------------


def with_none_axes(x0, t, noise, betas):
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    a = alpha_bar[t][:, None, None, None]
    return a**0.5 * x0 + (1 - a) ** 0.5 * noise


def picture_by_picture(x0, t, noise, betas):
    rows = []
    for x, time, e in zip(x0, t.tolist(), noise, strict=True):
        a = torch.prod(1 - betas[: time + 1].double())
        rows.append((a.sqrt() * x + (1 - a).sqrt() * e).float())
    return torch.stack(rows)


def by_logarithms(x0, t, noise, betas):
    log = torch.log1p(-betas).cumsum(0).gather(0, t).reshape(-1, 1, 1, 1)
    return torch.exp(log / 2) * x0 + torch.sqrt(-torch.expm1(log)) * noise


def with_einsum(x0, t, noise, betas):
    a = (1 - betas).cumprod(0)[t]
    return torch.einsum("b,bchw->bchw", a.sqrt(), x0) + torch.einsum(
        "b,bchw->bchw", (1 - a).sqrt(), noise
    )


def from_the_library(x0, t, noise, betas):
    return diffusion.Diffusion(betas).q_sample(x0, t, noise)


# --- posterior ------------------------------------------------------------------------------------


def by_precisions(x0, xt, t, betas):
    beta = betas[t].double()
    if t == 0:
        return x0, torch.tensor(0.0)
    before = torch.prod(1 - betas[:t].double())
    likelihood, prior = (1 - beta) / beta, 1 / (1 - before)
    variance = 1 / (likelihood + prior)
    mean = variance * (likelihood * xt / (1 - beta).sqrt() + prior * before.sqrt() * x0)
    return mean, variance


def with_padding(x0, xt, t, betas):
    alpha_bar = torch.cumprod(1 - betas, 0)
    previous = F.pad(alpha_bar[:-1], (1, 0), value=1.0)
    variance = betas * (1 - previous) / (1 - alpha_bar)
    c0 = betas * torch.sqrt(previous) / (1 - alpha_bar)
    ct = (1 - previous) * torch.sqrt(1 - betas) / (1 - alpha_bar)
    return c0[t] * x0 + ct[t] * xt, variance[t]


def posterior_of_the_library(x0, xt, t, betas):
    mean, variance = diffusion.Diffusion(betas).posterior(x0, xt, t)
    return mean, variance


def variance_for_each_pixel(x0, xt, t, betas):
    mean, variance = with_padding(x0, xt, t, betas.double())
    return mean, variance.expand(x0.shape)


# --- embedding ------------------------------------------------------------------------------------


def with_exponentials(t, dim):
    half = dim // 2
    omega = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
    angles = t.float().unsqueeze(1) * omega.unsqueeze(0)
    return torch.hstack([torch.cos(angles), torch.sin(angles)])


def with_outer(t, dim):
    omega = torch.logspace(0, -4, dim // 2 + 1)[:-1]
    angles = torch.outer(t.float(), omega)
    return torch.view_as_real(torch.exp(1j * angles)).permute(0, 2, 1).flatten(1)


def with_numpy(t, dim):
    half = dim // 2
    angles = t.numpy()[:, None] / 10_000 ** (np.arange(half) / half)
    return torch.from_numpy(np.concatenate([np.cos(angles), np.sin(angles)], axis=1)).float()


# --- predictions ----------------------------------------------------------------------------------


def divided_first(xt, t, eps, alpha_bar):
    a = alpha_bar[t][:, None, None, None]
    return xt / a.sqrt() - (1 / a - 1).sqrt() * eps


def guess_by_guess(xt, t, eps, alpha_bar):
    a = alpha_bar.double()[t]
    rows = [(x - e * (1 - b) ** 0.5) * b**-0.5 for x, e, b in zip(xt, eps, a, strict=True)]
    return torch.stack(rows).float()


def with_rsqrt(xt, t, eps, alpha_bar):
    a = alpha_bar.index_select(0, t).reshape(len(t), 1, 1, 1)
    return torch.addcmul(xt, (1 - a).sqrt(), eps, value=-1) * a.rsqrt()


# --- steps ----------------------------------------------------------------------------------------


def through_the_guess(xt, t, eps, noise, betas):
    betas = betas.double()
    alpha_bar = torch.cumprod(1 - betas, 0)
    before = alpha_bar[t - 1] if t else 1.0
    x0 = (xt - (1 - alpha_bar[t]) ** 0.5 * eps) / alpha_bar[t] ** 0.5
    mean = (before**0.5 * betas[t] * x0 + (1 - betas[t]) ** 0.5 * (1 - before) * xt) / (
        1 - alpha_bar[t]
    )
    return mean + (t > 0) * betas[t] ** 0.5 * noise


def step_of_the_library(xt, t, eps, noise, betas):
    return diffusion.Diffusion(betas).ddpm_step(xt, t, eps, noise, variance="beta")


def with_a_mask(xt, t, eps, noise, betas):
    alpha = 1.0 - betas
    z = noise if t > 0 else torch.zeros_like(noise)
    share = (1 - alpha[t]) / torch.sqrt(1 - torch.prod(alpha[: t + 1]))
    return 1 / torch.sqrt(alpha[t]) * (xt - share * eps) + torch.sqrt(betas[t]) * z


def with_one_appended(xt, t, s, eps, alpha_bar):
    bars = torch.cat([alpha_bar, torch.ones(1)])  # so that entry −1 is 1
    x0 = (xt - (1 - bars[t]).sqrt() * eps) / bars[t].sqrt()
    return bars[s].sqrt() * x0 + (1 - bars[s]).sqrt() * eps


def in_one_line(xt, t, s, eps, alpha_bar):
    now, then = alpha_bar[t].item(), alpha_bar[s].item() if s != -1 else 1.0
    ratio = (then / now) ** 0.5
    return ratio * xt + ((1 - then) ** 0.5 - ratio * (1 - now) ** 0.5) * eps


def ddim_of_the_library(xt, t, s, eps, alpha_bar):
    alpha = alpha_bar.double() / torch.cat([torch.ones(1).double(), alpha_bar[:-1].double()])
    return diffusion.Diffusion(1 - alpha).ddim_step(xt, t, s, eps)


def as_a_song(xt, t, s, eps, alpha_bar):
    """In x / √ᾱ, where DDIM is a step of Euler's along σ = √(1/ᾱ − 1)."""
    now, then = alpha_bar[t], alpha_bar[s] if s >= 0 else torch.tensor(1.0)
    sigma_now, sigma_then = (1 / now - 1).sqrt(), (1 / then - 1).sqrt()
    return then.sqrt() * (xt / now.sqrt() + (sigma_then - sigma_now) * eps)


# --- guidance -------------------------------------------------------------------------------------


def as_a_weighted_sum(eps_cond, eps_uncond, w):
    return w * eps_cond + (1 - w) * eps_uncond


def with_lerp(eps_cond, eps_uncond, w):
    return torch.lerp(eps_uncond, eps_cond, w)


def with_the_papers_w(eps_cond, eps_uncond, w):
    w = w - 1
    return (1 + w) * eps_cond - w * eps_uncond


# --- loss -----------------------------------------------------------------------------------------


def with_mse_loss(model, x0, alpha_bar):
    B = x0.shape[0]
    noise = torch.randn(x0.shape)
    t = torch.randint(0, alpha_bar.shape[0], size=(B,), dtype=torch.long)
    a = alpha_bar[t].reshape(B, *[1] * (x0.ndim - 1))
    return F.mse_loss(model(a.sqrt() * x0 + (1 - a).sqrt() * noise, t), noise)


def with_rand_times(model, x0, alpha_bar):
    t = (torch.rand(len(x0)) * len(alpha_bar)).long()
    noise = torch.normal(0.0, 1.0, x0.shape)
    x = with_none_axes(x0, t, noise, 1 - alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]]))
    return ((noise - model(x, t)) ** 2).flatten(1).mean(1).mean()


def times_evenly_dealt(model, x0, alpha_bar):
    n, T = len(x0), len(alpha_bar)
    t = ((torch.rand(1) + torch.arange(n) / n) % 1 * T).long().clamp(max=T - 1)
    noise = torch.randn_like(x0)
    a = alpha_bar[t][:, None, None, None]
    error = model(x0 * a**0.5 + noise * (1 - a) ** 0.5, t) - noise
    return error.pow(2).sum() / error.numel()


def loss_of_the_library(model, x0, alpha_bar):
    alpha = alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]])
    return diffusion.Diffusion(1 - alpha).loss(model, x0)


# --- bugs -----------------------------------------------------------------------------------------


def counted_from_zero(model, x, betas, noises):
    alpha_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        x = (x - betas[t] / (1 - alpha_bar[t]).sqrt() * model(x, t + 1)) / (1 - betas[t]).sqrt()
        x = x + betas[t].sqrt() * noises[t] * (t > 0)
    return x


def last_step_apart(model, x, betas, noises):
    alpha_bar = (1 - betas).cumprod(0)
    for t in range(len(betas), 0, -1):
        b, a = betas[t - 1], alpha_bar[t - 1]
        mean = (x - b / (1 - a).sqrt() * model(x, t)) / (1 - b).sqrt()
        if t == 1:
            return mean
        x = mean + b.sqrt() * noises[t - 1]


def with_the_exercise_step(model, x, betas, noises):
    for t in range(len(betas) - 1, -1, -1):
        x = with_a_mask(x, t, model(x, t + 1), noises[t], betas)
    return x


def hidden_with_where(labels, none, u, p=0.1):
    return torch.where(u < p, none, labels)


def hidden_with_masked_fill(labels, none, u, p=0.1):
    return labels.masked_fill(u <= p, none)


def kept_with_the_rest(labels, none, u, p=0.1):
    keep = (u > p).long()
    return keep * labels + (1 - keep) * none


def both_ends_scaled(T):
    return torch.linspace(1e-4, 0.02, T) * 1000 / T


def every_nth_of_a_thousand(T):
    alpha_bar = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    some = alpha_bar[torch.linspace(0, 999, T).round().long()]
    return 1 - some / torch.cat([torch.ones(1), some[:-1]])


VARIANTS = {
    "ddpm.linear_betas": [in_numpy, by_gaps, by_lerp, in_a_list, diffusion.linear_betas],
    "ddpm.cosine_betas": [
        cosine_in_a_loop,
        cosine_normalised,
        cosine_by_double_angle,
        diffusion.cosine_betas,
    ],
    "ddpm.q_sample": [
        with_none_axes,
        picture_by_picture,
        by_logarithms,
        with_einsum,
        from_the_library,
    ],
    "ddpm.posterior": [
        by_precisions,
        with_padding,
        posterior_of_the_library,
        variance_for_each_pixel,
    ],
    "ddpm.timestep_embedding": [
        with_exponentials,
        with_outer,
        with_numpy,
        unet.timestep_embedding,
    ],
    "ddpm.predict_x0": [divided_first, guess_by_guess, with_rsqrt],
    "ddpm.ddpm_step": [through_the_guess, step_of_the_library, with_a_mask],
    "ddpm.ddim_step": [with_one_appended, in_one_line, ddim_of_the_library, as_a_song],
    "ddpm.guided_noise": [
        as_a_weighted_sum,
        with_lerp,
        with_the_papers_w,
        diffusion.guided_noise,
    ],
    "ddpm.training_loss": [
        with_mse_loss,
        with_rand_times,
        times_evenly_dealt,
        loss_of_the_library,
    ],
    "ddpm.bug_last_step": [counted_from_zero, last_step_apart, with_the_exercise_step],
    "ddpm.bug_hidden_labels": [hidden_with_where, hidden_with_masked_fill, kept_with_the_rest],
    "ddpm.bug_short_chain": [both_ends_scaled, every_nth_of_a_thousand, diffusion.cosine_betas],
}
