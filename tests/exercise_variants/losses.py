"""Right answers to lecture 05's exercises, each in another style: the checks must accept all."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from torch import nn

from course_lib import gan_losses, metrics
from course_lib.gan_losses import LOSSES

# --- the losses -----------------------------------------------------------------------------------


def mean_difference(real_scores, fake_scores):
    return -(real_scores - fake_scores).mean()


def sums_over_counts(real_scores, fake_scores):
    return fake_scores.sum() / len(fake_scores) - real_scores.sum() / len(real_scores)


def critic_in_double(real_scores, fake_scores):
    return (fake_scores.double().mean() - real_scores.double().mean()).float()


def mean_of_negatives(fake_scores):
    return (-fake_scores).mean()


def negative_average(fake_scores):
    return -1 * torch.sum(fake_scores) / fake_scores.numel()


def mse_with_targets(real_scores, fake_scores):
    real = F.mse_loss(real_scores, torch.ones_like(real_scores))
    return real + F.mse_loss(fake_scores, torch.zeros_like(fake_scores))


def powers(real_scores, fake_scores):
    return ((real_scores - 1.0) ** 2 + fake_scores**2).mean()


def target_minus_score(real_scores, fake_scores):
    return torch.mean(torch.pow(1 - real_scores, 2)) + torch.mean(fake_scores * fake_scores)


def g_mse(fake_scores):
    return nn.MSELoss()(fake_scores, torch.ones_like(fake_scores))


def g_expanded(fake_scores):
    return (fake_scores**2 - 2 * fake_scores + 1).mean()


def minus_the_minimum(real_scores, fake_scores):
    zero = torch.zeros(())
    real = torch.minimum(zero, real_scores - 1).mean()
    return -real - torch.minimum(zero, -fake_scores - 1).mean()


def clamped(real_scores, fake_scores):
    return ((1 - real_scores).clamp(min=0) + (1 + fake_scores).clamp(min=0)).mean()


def masked(real_scores, fake_scores):
    real = torch.where(real_scores < 1, 1 - real_scores, torch.zeros_like(real_scores))
    return real.mean() + (fake_scores + 1)[fake_scores > -1].sum() / len(fake_scores)


# --- the gradient penalty -------------------------------------------------------------------------


def outputs_of_ones(critic, points, target=1.0):
    points = points.clone().detach().requires_grad_(True)
    scores = critic(points)
    slope = torch.autograd.grad(
        outputs=scores,
        inputs=points,
        grad_outputs=torch.ones_like(scores),
        create_graph=True,
        retain_graph=True,
    )[0]
    slope = slope.reshape(slope.size(0), -1)
    return torch.mean((slope.norm(2, dim=1) - target) ** 2)


def squares_added_up(critic, points, target=1.0):
    points = points.detach().requires_grad_()
    slope = torch.autograd.grad(critic(points).sum(), points, create_graph=True)[0]
    length = (slope.square().sum(dim=tuple(range(1, slope.ndim))) + 1e-12).sqrt()
    return F.mse_loss(length, torch.full_like(length, target))


def image_by_image(critic, points, target=1.0):
    costs = []
    for point in points:
        point = point[None].detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic(point).squeeze(), point, create_graph=True)
        costs.append((slope.norm() - target) ** 2)
    return torch.stack(costs).mean()


def by_functional_gradients(critic, points, target=1.0):
    slopes = torch.func.vmap(torch.func.grad(lambda point: critic(point[None])[0]))(points.detach())
    return (slopes.flatten(1).norm(dim=1) - target).pow(2).mean()


def ten_of_the_course(critic, points, weight=10.0):
    return weight * gan_losses.gradient_penalty(critic, points)


def reshaped(critic, points, weight=10.0):
    return outputs_of_ones(critic, points) * weight


def all_axes_but_the_first(critic, points, weight=10.0):
    return weight * squares_added_up(critic, points.requires_grad_(), 1.0)


def weight_before_the_mean(critic, points, weight=10.0):
    points = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (weight * (1 - torch.linalg.vector_norm(slope.flatten(1), dim=1)) ** 2).mean()


# --- points ---------------------------------------------------------------------------------------


def weighted_mean(real, fake, alpha):
    a = alpha.reshape(len(alpha), *(1 for _ in real.shape[1:]))
    return (1 - a) * real + a * fake


def lerp(real, fake, alpha):
    return torch.lerp(real.T, fake.T, alpha).T if real.ndim == 2 else _lerp(real, fake, alpha)


def _lerp(real, fake, alpha):
    return torch.lerp(real, fake, alpha[:, None, None, None].expand_as(real))


def einsum(real, fake, alpha):
    return torch.einsum("b,b...->b...", 1 - alpha, real) + torch.einsum("b,b...->b...", alpha, fake)


def row_by_row(real, fake, alpha):
    return torch.stack([x + a * (y - x) for x, y, a in zip(real, fake, alpha, strict=True)])


def with_unbiased_spread(real, noise):
    return real + real.std() / 2 * noise


def with_numpy(real, noise):
    return real + torch.from_numpy(0.5 * np.std(real.numpy()) * noise.numpy())


def by_the_mean_square(real, noise):
    variance = ((real - real.mean()) ** 2).mean()
    return torch.add(real, noise * variance.sqrt(), alpha=0.5)


def the_courses_points(real, fake, generator):
    return gan_losses.interpolate(real, fake, generator)


def rand_then_view(real, fake, generator):
    a = torch.rand(real.shape[0], generator=generator).view(-1, 1, 1, 1)
    return a * real + (1 - a) * fake


def expanded(real, fake, generator):
    a = torch.rand((real.size(0), 1), generator=generator)
    flat = real.flatten(1) * (1 - a) + fake.flatten(1) * a
    return flat.view_as(real)


def uniform_in_place(real, fake, generator):
    a = torch.empty(len(real)).uniform_(0, 1, generator=generator)
    return torch.lerp(real, fake, a[:, None, None, None])


# --- BEGAN and clipping ---------------------------------------------------------------------------


def thermostat_of_tensors(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
    with torch.no_grad():
        gap = gamma * real_error - fake_error
        return float(torch.clamp(k + lambda_k * gap, 0, 1)), float(real_error + gap.abs())


def detached(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
    gap = gamma * real_error - fake_error
    k = k + lambda_k * gap.detach()
    return k.clamp(0.0, 1.0).item(), (real_error + torch.abs(gap)).item()


def numpy_clip(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
    real, fake = float(real_error), float(fake_error)
    return [np.clip(k + lambda_k * (gamma * real - fake), 0, 1), real + abs(gamma * real - fake)]


def the_courses_balance(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
    balance = gan_losses.BeganBalance(gamma, lambda_k)
    balance.load_state_dict({"k": torch.tensor(k)})
    convergence = balance.update(real_error[None], fake_error[None])
    return balance.k.item(), convergence.item()


def by_data(module, limit):
    for p in module.parameters():
        p.data.clamp_(-limit, limit)


def by_copy(module, limit):
    with torch.no_grad():
        for _, p in module.named_parameters():
            p.copy_(torch.clip(p, -limit, limit))


def min_and_max(module, limit):
    for p in module.parameters():
        p.data = p.data.clamp(max=limit).clamp(min=-limit)


def applied(module, limit):
    def clip(layer):
        for p in layer.parameters(recurse=False):
            p.detach().clamp_(-limit, limit)

    module.apply(clip)
    return module


# --- Fréchet distance -----------------------------------------------------------------------------


def scipy_root(mean_a, cov_a, mean_b, cov_b):
    jitter = 1e-9 * np.eye(len(cov_a))  # sqrtm needs it where a covariance is singular
    root = sqrtm((cov_a.numpy() + jitter) @ (cov_b.numpy() + jitter))
    gap = (mean_a - mean_b).numpy()
    return gap @ gap + np.trace(cov_a + cov_b) - 2 * np.trace(root).real


def symmetric_form(mean_a, cov_a, mean_b, cov_b):
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return ((mean_a - mean_b) ** 2).sum() + torch.trace(cov_a + cov_b) - 2 * overlap


def nuclear_norm(mean_a, cov_a, mean_b, cov_b):
    def root(cov):
        values, vectors = torch.linalg.eigh(cov)
        return vectors * values.clamp(min=0).sqrt()

    overlap = torch.linalg.svdvals(root(cov_a).T @ root(cov_b)).sum()
    return torch.dist(mean_a, mean_b) ** 2 + cov_a.trace() + cov_b.trace() - 2 * overlap


def absolute_eigenvalues(mean_a, cov_a, mean_b, cov_b):
    eigenvalues = np.linalg.eigvals(cov_a.numpy() @ cov_b.numpy())
    spreads = (
        np.trace(cov_a.numpy()) + np.trace(cov_b.numpy()) - 2 * np.sqrt(abs(eigenvalues)).sum()
    )
    return (mean_a - mean_b).square().sum().item() + float(spreads)


# --- precision and recall -------------------------------------------------------------------------


def sorted_rows(real, fake, k=3):
    def radii(x):
        return torch.cdist(x, x).sort(dim=1).values[:, k]

    inside_real = torch.cdist(fake, real) <= radii(real)
    inside_fake = torch.cdist(real, fake) <= radii(fake)
    return inside_real.any(1).float().mean(), inside_fake.any(1).float().mean()


def scikit_learn(real, fake, k=3):
    def share(points, support):
        search = NearestNeighbors(n_neighbors=k + 1).fit(support.numpy())
        radii = search.kneighbors(support.numpy())[0][:, -1]
        return float((cdist(points.numpy(), support.numpy()) <= radii + 1e-9).any(1).mean())

    return share(fake, real), share(real, fake)


def without_the_diagonal(real, fake, k=3):
    def radii(x):
        return (
            (torch.cdist(x, x) + torch.diag(torch.full((len(x),), torch.inf)))
            .topk(k, largest=False)
            .values.amax(1)
        )

    d = torch.cdist(real, fake)
    precision = ((d <= radii(real)[:, None]).sum(0) > 0).double().mean().item()
    return precision, ((d <= radii(fake)).sum(1) > 0).double().mean().item()


def point_by_point(real, fake, k=3):
    def share(points, support):
        count = 0
        for p in points:
            for s in support:
                radius = (support - s).norm(dim=1).sort().values[k]
                if (p - s).norm() <= radius:
                    count += 1
                    break
        return count / len(points)

    return share(fake, real), share(real, fake)


def the_courses_shares(fake, real, k=3):
    return metrics.precision_recall(real, fake, k)


def sorted_rows_fakes_first(fake, real, k=3):
    return sorted_rows(real, fake, k)


# --- least squares of both players ----------------------------------------------------------------


def both_from_the_table(real_scores, fake_scores):
    loss = LOSSES["least_squares"]
    return loss.d_loss(real_scores, fake_scores), loss.g_loss(fake_scores)


def both_by_mse(real_scores, fake_scores):
    return mse_with_targets(real_scores, fake_scores), g_mse(fake_scores)


# --- in unusual styles ----------------------------------------------------------------------------


def by_ranking(real_scores, fake_scores):
    def margin(x, sign):
        return F.margin_ranking_loss(x, torch.zeros_like(x), sign * torch.ones_like(x), margin=1)

    return margin(real_scores, 1) + margin(fake_scores, -1)


def squared_lengths(real_scores, fake_scores):
    real = (real_scores - 1).norm() ** 2 / len(real_scores)
    return real + fake_scores @ fake_scores / len(fake_scores)


def broadcast_by_numpy(real, fake, k=3):
    def apart(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))

    x, y = real.numpy(), fake.numpy()
    inside = apart(x, y) <= np.sort(apart(x, x), 1)[:, k, None]
    near = apart(x, y) <= np.sort(apart(y, y), 1)[None, :, k]
    return float(inside.any(0).mean()), float(near.any(1).mean())


def filled_with_shares(real, fake, generator):
    return torch.lerp(real, fake, real.new_empty(len(real), 1, 1, 1).uniform_(generator=generator))


IN_UNUSUAL_STYLES = {
    "losses.hinge_d": by_ranking,
    "losses.least_squares_d": squared_lengths,
    "losses.precision_recall": broadcast_by_numpy,
    "losses.bug_precision_recall": lambda fake, real, k=3: broadcast_by_numpy(real, fake, k),
    "losses.bug_points_between": filled_with_shares,
}

VARIANTS = {
    "losses.wasserstein_d": [
        mean_difference,
        sums_over_counts,
        critic_in_double,
        LOSSES["wasserstein"].d_loss,
    ],
    "losses.wasserstein_g": [mean_of_negatives, negative_average, LOSSES["hinge"].g_loss],
    "losses.least_squares_d": [
        mse_with_targets,
        powers,
        target_minus_score,
        LOSSES["least_squares"].d_loss,
    ],
    "losses.least_squares_g": [g_mse, g_expanded, LOSSES["least_squares"].g_loss],
    "losses.hinge_d": [minus_the_minimum, clamped, masked, LOSSES["hinge"].d_loss],
    "losses.gradient_penalty": [
        outputs_of_ones,
        squares_added_up,
        image_by_image,
        by_functional_gradients,
        gan_losses.gradient_penalty,
    ],
    "losses.interpolate": [weighted_mean, lerp, einsum, row_by_row],
    "losses.dragan_points": [with_unbiased_spread, with_numpy, by_the_mean_square],
    "losses.began_update": [thermostat_of_tensors, detached, numpy_clip, the_courses_balance],
    "losses.clip_weights": [by_data, by_copy, min_and_max, applied, gan_losses.clip_weights],
    "losses.frechet_distance": [
        scipy_root,
        symmetric_form,
        nuclear_norm,
        absolute_eigenvalues,
        metrics.frechet_distance,
    ],
    "losses.precision_recall": [
        sorted_rows,
        scikit_learn,
        without_the_diagonal,
        point_by_point,
        metrics.precision_recall,
    ],
    "losses.bug_penalty_of_images": [
        ten_of_the_course,
        reshaped,
        all_axes_but_the_first,
        weight_before_the_mean,
    ],
    "losses.bug_penalty_of_batches": [
        ten_of_the_course,
        reshaped,
        all_axes_but_the_first,
        weight_before_the_mean,
    ],
    "losses.bug_points_between": [
        the_courses_points,
        rand_then_view,
        expanded,
        uniform_in_place,
    ],
    "losses.bug_least_squares": [both_from_the_table, both_by_mse],
    "losses.bug_precision_recall": [the_courses_shares, sorted_rows_fakes_first],
}
for exercise_id, variant in IN_UNUSUAL_STYLES.items():
    VARIANTS[exercise_id].append(variant)
