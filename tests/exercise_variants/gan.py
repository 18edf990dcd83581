"""Correct answers to the exercises of lecture 03, each in another style."""

import math
import runpy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from sklearn.neighbors import NearestNeighbors

from course_lib import gan, gan_losses

# --- the losses -----------------------------------------------------------------------------------


def cross_entropy_with_targets(real_scores, fake_scores):
    real = F.binary_cross_entropy_with_logits(real_scores, torch.ones_like(real_scores))
    fake = F.binary_cross_entropy_with_logits(fake_scores, torch.zeros_like(fake_scores))
    return real + fake


def a_loss_object(real_scores, fake_scores):
    criterion = torch.nn.BCEWithLogitsLoss()
    scores = torch.stack([real_scores, fake_scores])
    return 2 * criterion(scores, torch.tensor([[1.0], [0.0]]).expand_as(scores))


def log_sigmoids(real_scores, fake_scores):
    return -(F.logsigmoid(real_scores) + F.logsigmoid(-fake_scores)).mean()


def log_add_exp(real_scores, fake_scores):
    zero = torch.zeros(())
    return sum(torch.logaddexp(zero, s).sum() / len(s) for s in (-real_scores, fake_scores))


def in_double_precision(real_scores, fake_scores):
    loss = F.softplus(-real_scores.double()).mean() + F.softplus(fake_scores.double()).mean()
    return loss.float()


def minus_the_value(real_scores, fake_scores):
    value = F.logsigmoid(real_scores).mean() + F.logsigmoid(-fake_scores).mean()
    return -value


def g_cross_entropy(fake_scores, kind="non_saturating"):
    if kind == "non_saturating":
        return F.binary_cross_entropy_with_logits(fake_scores, torch.ones_like(fake_scores))
    return -F.binary_cross_entropy_with_logits(fake_scores, torch.zeros_like(fake_scores))


def g_log_sigmoids(fake_scores, kind="non_saturating"):
    return {
        "minimax": F.logsigmoid(-fake_scores).mean(),
        "non_saturating": (-F.logsigmoid(fake_scores)).mean(),
    }[kind]


def g_one_sign(fake_scores, kind="non_saturating"):
    sign = 1 if kind == "minimax" else -1
    return -sign * F.softplus(sign * fake_scores).sum() / fake_scores.numel()


def g_from_the_table(fake_scores, kind="non_saturating"):
    return gan_losses.LOSSES[kind].g_loss(fake_scores)


# --- the best discriminator -----------------------------------------------------------------------


def one_over_one_plus(p, q):
    return 1 / (1 + q / p)


def sigmoid_of_the_log_ratio(p, q):
    return (p.log() - q.log()).sigmoid()


def one_minus_the_fakes(p, q):
    return 1 - q / (p + q)


def softmax_of_logs(p, q):
    return torch.stack([p, q]).log().softmax(0)[0]


# --- Jensen-Shannon -------------------------------------------------------------------------------


def entropies(p, q):
    return torch.special.entr((p + q) / 2).sum() - torch.special.entr(torch.stack([p, q])).sum() / 2


def scipy_squared(p, q):
    return torch.tensor(jensenshannon(p.double().numpy(), q.double().numpy()) ** 2).float()


def where_positive(p, q):
    total = 0.0
    for r in (p, q):
        m = ((p + q) / 2)[r > 0]
        total = total + 0.5 * (r[r > 0] * (r[r > 0] / m).log()).sum()
    return total


def torch_kl_div(p, q):
    log_m = ((p + q) / 2).clamp(min=1e-30).log()
    return (F.kl_div(log_m, p, reduction="sum") + F.kl_div(log_m, q, reduction="sum")) / 2


def from_the_best_discriminator(p, q):
    d = p / (p + q).clamp(min=1e-30)
    value = torch.xlogy(p, d).sum() + torch.xlogy(q, 1 - d).sum()
    return (value + math.log(4)) / 2


def a_small_number_in_the_logarithm(p, q):
    m = (p + q) / 2
    return sum((r * ((r + 1e-10) / (m + 1e-10)).log()).sum() for r in (p, q)) / 2


# --- one round ------------------------------------------------------------------------------------


def fakes_without_a_graph(
    generator, discriminator, g_optimizer, d_optimizer, real, noise_d, noise_g
):
    with torch.no_grad():
        fake = generator(noise_d)
    d_optimizer.zero_grad()
    d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    d_loss.backward()
    d_optimizer.step()
    g_optimizer.zero_grad()
    g_loss = F.softplus(-discriminator(generator(noise_g))).mean()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.item(), g_loss.item()


def not_detached_but_cleared(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    for optimizer in (g_optimizer, d_optimizer):
        optimizer.zero_grad()
    d_loss = cross_entropy_with_targets(d(real), d(g(noise_d)))
    d_loss.backward()
    d_optimizer.step()
    for optimizer in (g_optimizer, d_optimizer):
        optimizer.zero_grad()
    g_loss = g_cross_entropy(d(g(noise_g)), "non_saturating")
    g_loss.backward()
    g_optimizer.step()
    return d_loss.detach(), g_loss.detach()


def gradients_of_each_player(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    def learn(net, loss, optimizer):
        weights = list(net.parameters())
        for weight, grad in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = grad
        optimizer.step()
        return loss.detach()

    d_loss = learn(d, log_sigmoids(d(real), d(g(noise_d))), d_optimizer)
    return d_loss, learn(g, -F.logsigmoid(d(g(noise_g))).mean(), g_optimizer)


def two_backward_passes_for_the_discriminator(g, d, g_optimizer, d_optimizer, real, z_d, z_g):
    d.zero_grad()
    on_real = F.softplus(-d(real)).mean()
    on_real.backward()
    on_fake = F.softplus(d(g(z_d).detach())).mean()
    on_fake.backward()
    d_optimizer.step()
    g.zero_grad()
    g_loss = F.softplus(-d(g(z_g))).mean()
    g_loss.backward()
    g_optimizer.step()
    return (on_real + on_fake).detach(), g_loss.detach()


def cleared_at_the_end(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss = cross_entropy_with_targets(d(real), d(g(noise_d).detach()))
    d_loss.backward()
    d_optimizer.step()
    g_loss = g_log_sigmoids(d(g(noise_g)), "non_saturating")
    g_loss.backward()
    g_optimizer.step()
    g_optimizer.zero_grad()
    d_optimizer.zero_grad()
    return d_loss.detach(), g_loss.item()


def frozen_discriminator(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    fake = g(noise_d)
    d_scores = d(torch.cat([real, fake.detach()]))
    d_loss = log_sigmoids(d_scores[: len(real)], d_scores[len(real) :])
    d_optimizer.zero_grad(set_to_none=False)
    d_loss.backward()
    d_optimizer.step()
    d.requires_grad_(False)
    g_loss = F.softplus(-d(g(noise_g))).mean()
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    d.requires_grad_(True)
    return [d_loss.detach(), g_loss.detach()]


# --- nearest neighbours ---------------------------------------------------------------------------


def all_distances(queries, images, k):
    distances, indices = torch.cdist(queries.flatten(1), images.flatten(1)).sort(dim=1)
    return indices[:, :k], distances[:, :k]


def differences_in_parts(queries, images, k):
    gaps = [(part[:, None] - images).square().sum(dim=(2, 3, 4)) for part in queries.split(4)]
    nearest = torch.cat(gaps).sqrt().topk(k, dim=1, largest=False)
    return nearest.indices, nearest.values


def by_scalar_products(queries, images, k):
    a, b = queries.flatten(1).double(), images.flatten(1).double()
    squared = a.square().sum(1)[:, None] - 2 * a @ b.T + b.square().sum(1)
    indices = squared.argsort(dim=1)[:, :k]
    return indices, squared.gather(1, indices).clamp(min=0).sqrt()


def scikit_learn(queries, images, k):
    search = NearestNeighbors(n_neighbors=k).fit(images.flatten(1).numpy())
    distances, indices = search.kneighbors(queries.flatten(1).numpy())
    return torch.from_numpy(indices), torch.from_numpy(distances)


def numpy_loop(queries, images, k):
    rows = np.stack(
        [np.linalg.norm((images - q).numpy().reshape(len(images), -1), axis=1) for q in queries]
    )
    indices = rows.argsort(axis=1)[:, :k]
    return torch.from_numpy(indices), torch.from_numpy(np.take_along_axis(rows, indices, axis=1))


def by_logaddexp(real_scores, fake_scores):
    costs = [torch.logaddexp(s, torch.zeros_like(s)).mean() for s in (-real_scores, fake_scores)]
    return costs[0] + costs[1]


def by_entropies(p, q):
    def entropy(r):
        return torch.special.entr(r).sum()

    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2


VARIANTS = {
    "gan.discriminator_loss": [
        by_logaddexp,
        cross_entropy_with_targets,
        a_loss_object,
        log_sigmoids,
        log_add_exp,
        in_double_precision,
        minus_the_value,
        gan_losses.LOSSES["minimax"].d_loss,
    ],
    "gan.generator_loss": [g_cross_entropy, g_log_sigmoids, g_one_sign, g_from_the_table],
    "gan.optimal_discriminator": [
        one_over_one_plus,
        sigmoid_of_the_log_ratio,
        one_minus_the_fakes,
        softmax_of_logs,
        gan.optimal_discriminator,
    ],
    "gan.jensen_shannon": [
        by_entropies,
        entropies,
        scipy_squared,
        where_positive,
        torch_kl_div,
        from_the_best_discriminator,
        a_small_number_in_the_logarithm,
        gan.jensen_shannon,
    ],
    "gan.adversarial_step": [
        fakes_without_a_graph,
        not_detached_but_cleared,
        gradients_of_each_player,
        two_backward_passes_for_the_discriminator,
        cleared_at_the_end,
        frozen_discriminator,
    ],
    "gan.slerp": runpy.run_path(str(Path(__file__).with_name("vae.py")))["VARIANTS"]["vae.slerp"],
    "gan.nearest_neighbours": [
        all_distances,
        differences_in_parts,
        by_scalar_products,
        scikit_learn,
        numpy_loop,
        gan.nearest_neighbours,
    ],
}
