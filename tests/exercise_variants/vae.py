"""Correct answers to the exercises of lecture 02, each in another style."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch.distributions import Independent, Normal, kl_divergence

from course_lib import autoencoders, pca

# --- principal components -------------------------------------------------------------------------


def covariance_and_eigh(x, k):
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    order = values.argsort(descending=True)
    return vectors[:, order[:k]].T


def numpy_svd_in_double_precision(x, k):
    x = x.numpy().astype(np.float64)
    directions = np.linalg.svd(x - x.mean(axis=0))[2]
    return torch.from_numpy(directions[:k].astype(np.float32))


def gram_matrix(x, k):
    centred = x - x.mean(0, keepdim=True)
    _, u = torch.linalg.eigh(centred @ centred.T)
    return F.normalize((centred.T @ u[:, -k:]).T.flip(0), dim=1)


def power_iteration(x, k):
    rest = (x - x.mean(0)).double()
    found = []
    for _ in range(k):
        v = torch.ones(x.shape[1], dtype=torch.float64)
        for _ in range(300):
            v = F.normalize(rest.T @ (rest @ v), dim=0)
        found.append(v)
        rest = rest - torch.outer(rest @ v, v)
    return torch.stack(found).float()


def scikit_learn(x, k):
    return torch.from_numpy(PCA(k, svd_solver="full").fit(x.numpy()).components_)


def the_librarys_class(x, k):
    return pca.PCA(k).fit(x).components


def all_signs_turned(x, k):
    u, s, v = torch.svd(x - x.mean(0))
    return -v[:, :k].t()


def second_moment_minus_squared_mean(x, k):
    x = x.double()
    mean = x.mean(0)
    covariance = x.T @ x / len(x) - torch.outer(mean, mean)
    return torch.linalg.eigh(covariance).eigenvectors.flip(1).T[:k].float()


def randomised_svd(x, k):
    return torch.pca_lowrank(x, q=min(x.shape))[2][:, :k].T


def projector(x, mean, components):
    return mean + (x - mean) @ (components.T @ components)


def component_by_component(x, mean, components):
    image = mean.expand_as(x).clone()
    for v in components:
        image += ((x - mean) @ v)[:, None] * v
    return image


def by_einsum(x, mean, components):
    codes = torch.einsum("nd,kd->nk", x - mean, components)
    return torch.einsum("nk,kd->nd", codes, components) + mean


def by_least_squares(x, mean, components):
    codes = torch.linalg.lstsq(components.T, (x - mean).T).solution
    return (components.T @ codes).T + mean


def bias_of_a_linear_layer(x, mean, components):
    codes = F.linear(x, components, -components @ mean)
    return F.linear(codes, components.T, mean)


def image_by_image_in_numpy(x, mean, components):
    v, m = components.numpy(), mean.numpy()
    return torch.from_numpy(np.stack([m + v.T @ (v @ (row - m)) for row in x.numpy()]))


# --- reparameterisation ---------------------------------------------------------------------------


def root_of_the_variance(mu, logvar, noise):
    return mu + torch.sqrt(torch.exp(logvar)) * noise


def power_of_e(mu, logvar, noise):
    return torch.addcmul(mu, math.e ** (0.5 * logvar), noise)


def addition_in_place(mu, logvar, noise):
    sigma = logvar.mul(0.5).exp()
    return sigma.mul(noise).add_(mu)


def affine_transform(mu, logvar, noise):
    return torch.distributions.AffineTransform(mu, torch.exp(logvar / 2))(noise)


def noise_through_its_quantile(mu, logvar, noise):
    uniform = Normal(0.0, 1.0).cdf(noise.double())
    return Normal(mu.double(), (logvar.double() / 2).exp()).icdf(uniform).float()


def row_by_row(mu, logvar, noise):
    rows = [m + torch.diag(torch.exp(v / 2)) @ e for m, v, e in zip(mu, logvar, noise, strict=True)]
    return torch.stack(rows)


# --- KL -------------------------------------------------------------------------------------------


def by_torch_distributions(mu, logvar):
    return kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1)


def by_independent_distributions(mu, logvar):
    posterior = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    return kl_divergence(posterior, prior)


def as_kingma_and_welling_print_it(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)


def from_sigma(mu, logvar):
    sigma = torch.exp(logvar / 2)
    return (mu**2 / 2 + sigma**2 / 2 - torch.log(sigma) - 1 / 2).sum(dim=-1)


def with_expm1(mu, logvar):
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(1)


def latent_by_latent(mu, logvar):
    total = torch.zeros(len(mu))
    for j in range(mu.shape[1]):
        total = total + 0.5 * (mu[:, j] ** 2 + logvar[:, j].exp() - logvar[:, j] - 1)
    return total


def logarithm_kept_from_zero(mu, logvar):
    variance = logvar.exp()
    return -0.5 * torch.sum(1 + torch.log(variance + 1e-10) - mu.pow(2) - variance, dim=1)


def by_traces_and_determinants(mu, logvar):
    covariance = torch.diag_embed(logvar.exp())
    trace = covariance.diagonal(dim1=1, dim2=2).sum(1)
    return (trace + torch.einsum("bd,bd->b", mu, mu) - mu.shape[1] - torch.logdet(covariance)) / 2


# --- the loss -------------------------------------------------------------------------------------


def mse_summed_and_divided(x, reconstruction, mu, logvar, beta=1.0):
    error = 0.5 * F.mse_loss(reconstruction, x, reduction="sum") / x.shape[0]
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / x.shape[0]
    return error + beta * kl


def mean_of_the_mse_times_its_size(x, reconstruction, mu, logvar, beta=1):
    error = F.mse_loss(reconstruction, x) * x[0].numel() / 2
    return error + beta * as_kingma_and_welling_print_it(mu, logvar).mean()


def log_density_without_its_constant(x, reconstruction, mu, logvar, beta=1.0):
    log_likelihood = Normal(reconstruction, 1.0).log_prob(x) + 0.5 * math.log(2 * math.pi)
    elbo = log_likelihood.sum(dim=(1, 2, 3)) - beta * by_torch_distributions(mu, logvar)
    return -elbo.mean()


def image_by_image(x, reconstruction, mu, logvar, beta=1.0):
    losses = []
    for i in range(len(x)):
        error = (x[i] - reconstruction[i]).pow(2).sum() / 2
        losses.append(error + beta * with_expm1(mu[i : i + 1], logvar[i : i + 1])[0])
    return sum(losses) / len(losses)


def by_scalar_products(x, reconstruction, mu, logvar, beta=1.0):
    off = (reconstruction - x).reshape(len(x), -1)
    return (torch.einsum("bi,bi->b", off, off) / 2 + beta * from_sigma(mu, logvar)).mean()


def on_flattened_images(x, reconstruction, mu, logvar, beta=1.0):
    x, reconstruction = x.view(x.size(0), -1), reconstruction.view(x.size(0), -1)
    error = F.mse_loss(reconstruction, x, reduction="none").sum(1).mul(0.5)
    return torch.mean(error) + beta * torch.mean(by_independent_distributions(mu, logvar))


def gaussian_nll_of_variance_one(x, reconstruction, mu, logvar, beta=1.0):
    one = torch.ones_like(x)
    error = F.gaussian_nll_loss(reconstruction, x, one, reduction="none", eps=0)
    return error.flatten(1).sum(1).mean() + beta * from_sigma(mu, logvar).mean()


# --- new images -----------------------------------------------------------------------------------


def without_gradients(encode, decode, x, noise):
    with torch.no_grad():
        z = torch.zeros_like(noise) + torch.ones_like(noise) * noise
        return decode(z)


def one_at_a_time(encode, decode, x, noise):
    return torch.cat([decode(noise[i : i + 1]) for i in range(len(noise))])


def through_the_prior(encode, decode, x, noise):
    mu, logvar = torch.zeros_like(noise), torch.zeros_like(noise)
    return decode(root_of_the_variance(mu, logvar, noise))


def positional(a, b, c, d):
    return b(d)


# --- morphs ---------------------------------------------------------------------------------------


def weighted_mean(z_a, z_b, fraction):
    return (1 - fraction) * z_a + fraction * z_b


def by_lerp(z_a, z_b, fraction):
    return torch.lerp(z_a, z_b, fraction)


def a_step_from_the_first(z_a, z_b, fraction):
    step = z_b - z_a
    return torch.add(z_a, step, alpha=fraction)


def a_step_back_from_the_second(z_a, z_b, fraction):
    return z_b - (1 - fraction) * (z_b - z_a)


def weights_times_stack(z_a, z_b, fraction):
    weights = torch.tensor([1 - fraction, fraction])
    return torch.tensordot(weights, torch.stack([z_a, z_b]), dims=1)


def numpy_loop(z_a, z_b, fraction):
    pairs = zip(z_a.numpy(), z_b.numpy(), strict=True)
    return torch.from_numpy(np.stack([(1 - fraction) * a + fraction * b for a, b in pairs]))


def shoemake_with_where(z_a, z_b, fraction):
    a, b = F.normalize(z_a, dim=1), F.normalize(z_b, dim=1)
    omega = torch.acos((a * b).sum(1, keepdim=True).clamp(-1, 1))
    sine = torch.sin(omega)
    small = sine < 1e-6
    safe = torch.where(small, torch.ones_like(sine), sine)
    arc = torch.sin((1 - fraction) * omega) / safe * z_a + torch.sin(fraction * omega) / safe * z_b
    return torch.where(small, (1 - fraction) * z_a + fraction * z_b, arc)


def clamped_below_one(z_a, z_b, fraction):
    cosine = F.cosine_similarity(z_a, z_b, dim=-1).clamp(-1 + 1e-6, 1 - 1e-6)
    omega = cosine.acos().unsqueeze(-1)
    first = ((1 - fraction) * omega).sin() / omega.sin()
    return first * z_a + (fraction * omega).sin() / omega.sin() * z_b


def pair_by_pair(z_a, z_b, fraction):
    rows = []
    for a, b in zip(z_a.tolist(), z_b.tolist(), strict=True):
        cosine = sum(p * q for p, q in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
        omega = math.acos(max(-1.0, min(1.0, cosine)))
        if omega < 1e-6:
            u, v = 1 - fraction, fraction
        else:
            u = math.sin((1 - fraction) * omega) / math.sin(omega)
            v = math.sin(fraction * omega) / math.sin(omega)
        rows.append([u * p + v * q for p, q in zip(a, b, strict=True)])
    return torch.tensor(rows)


def by_sinc(z_a, z_b, fraction):
    a, b = z_a.double(), z_b.double()
    chord = (F.normalize(a, dim=1) - F.normalize(b, dim=1)).norm(dim=1, keepdim=True)
    omega = 2 * torch.asin((chord / 2).clamp(max=1))

    def weight(f):  # sin(f ω) / sin ω
        return f * torch.sinc(f * omega / math.pi) / torch.sinc(omega / math.pi)

    return (weight(1 - fraction) * a + weight(fraction) * b).float()


# --- classes --------------------------------------------------------------------------------------


def rows_of_the_identity(labels, classes):
    return torch.eye(classes)[labels]


def scattered(labels, classes):
    return torch.zeros(len(labels), classes).scatter_(1, labels.unsqueeze(1), 1.0)


def compared_with_all_classes(labels, classes):
    return (labels[:, None] == torch.arange(classes)[None]).to(torch.float32)


def indexed(labels, classes):
    rows = labels.new_zeros((labels.shape[0], classes), dtype=torch.float)
    rows[torch.arange(len(labels)), labels] = 1
    return rows


def numpy_eye(labels, classes):
    return torch.from_numpy(np.eye(classes, dtype=np.float32)[labels.numpy()])


def written_out(labels, classes):
    return torch.tensor([[float(c == label) for c in range(classes)] for label in labels.tolist()])


def appended_identity_rows(z, labels, classes):
    return torch.hstack((z, rows_of_the_identity(labels, classes)))


def appended_by_cat(z, labels, classes):
    return torch.cat((z, F.one_hot(labels, num_classes=classes)), dim=-1)


def padded_then_filled(z, labels, classes):
    rows = F.pad(z, (0, classes))
    rows[torch.arange(len(z)), z.shape[1] + labels] = 1
    return rows


def one_row_at_a_time(z, labels, classes):
    pairs = zip(z, scattered(labels, classes), strict=True)
    return torch.stack([torch.cat(pair) for pair in pairs])


VARIANTS = {
    "vae.pca_components": [
        covariance_and_eigh,
        numpy_svd_in_double_precision,
        gram_matrix,
        power_iteration,
        scikit_learn,
        the_librarys_class,
        all_signs_turned,
        second_moment_minus_squared_mean,
        randomised_svd,
    ],
    "vae.pca_reconstruct": [
        projector,
        component_by_component,
        by_einsum,
        by_least_squares,
        bias_of_a_linear_layer,
        image_by_image_in_numpy,
    ],
    "vae.reparameterise": [
        root_of_the_variance,
        power_of_e,
        addition_in_place,
        affine_transform,
        noise_through_its_quantile,
        row_by_row,
    ],
    "vae.kl_to_standard_normal": [
        by_torch_distributions,
        by_independent_distributions,
        as_kingma_and_welling_print_it,
        from_sigma,
        with_expm1,
        latent_by_latent,
        logarithm_kept_from_zero,
        by_traces_and_determinants,
    ],
    "vae.negative_elbo": [
        mse_summed_and_divided,
        mean_of_the_mse_times_its_size,
        log_density_without_its_constant,
        image_by_image,
        by_scalar_products,
        on_flattened_images,
        gaussian_nll_of_variance_one,
        autoencoders.negative_elbo,
    ],
    "vae.sample": [without_gradients, one_at_a_time, through_the_prior, positional],
    "vae.morph": [
        weighted_mean,
        by_lerp,
        a_step_from_the_first,
        a_step_back_from_the_second,
        weights_times_stack,
        numpy_loop,
    ],
    "vae.slerp": [
        shoemake_with_where,
        clamped_below_one,
        pair_by_pair,
        by_sinc,
        autoencoders.slerp,
    ],
    "vae.one_hot": [
        rows_of_the_identity,
        scattered,
        compared_with_all_classes,
        indexed,
        numpy_eye,
        written_out,
        autoencoders.one_hot,
    ],
    "vae.condition": [
        appended_identity_rows,
        appended_by_cat,
        padded_then_filled,
        one_row_at_a_time,
    ],
}
