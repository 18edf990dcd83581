import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity

from course_lib import density
from tests.helpers import ROOT


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cloud(n: int, d: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(n, d, generator=seeded(seed), dtype=dtype)


def sklearn_log_density(x: torch.Tensor, centers: torch.Tensor, sigma: float) -> torch.Tensor:
    """scikit-learn's value. One leaf for all centres: with the default tree of leaves of 40 its
    bounds cancel and far queries come out wrong, by hundreds of nats for images
    (https://github.com/scikit-learn/scikit-learn/issues/7492)."""
    kde = KernelDensity(kernel="gaussian", bandwidth=sigma, leaf_size=len(centers))
    return torch.from_numpy(kde.fit(centers.double().numpy()).score_samples(x.double().numpy()))


def by_differences(x: torch.Tensor, centers: torch.Tensor, sigma: float) -> torch.Tensor:
    """The definition, with every difference written out, in float64."""
    d2 = ((x.double()[:, None] - centers.double()[None]) ** 2).sum(dim=2).numpy()
    m, d = centers.shape
    log_sum = logsumexp(-d2 / (2 * sigma**2), axis=1)
    return torch.from_numpy(log_sum - math.log(m) - d * math.log(sigma * math.sqrt(2 * math.pi)))


# --- the fitted Gaussian


def test_fit_gaussian_is_numpys_mean_and_unbiased_covariance():
    x = cloud(50, 4) @ cloud(4, 4, 1) + 3
    mean, covariance = density.fit_gaussian(x)
    assert torch.allclose(mean, torch.from_numpy(x.numpy().mean(axis=0)))
    assert torch.allclose(covariance, torch.from_numpy(np.cov(x.numpy(), rowvar=False)))


def test_fit_gaussian_of_float32_far_from_the_origin_loses_only_the_last_rounding():
    x = (cloud(2000, 3) * 0.1 + 1e4).float()
    mean, covariance = density.fit_gaussian(x)
    assert mean.dtype == covariance.dtype == torch.float32
    exact = torch.from_numpy(np.cov(x.double().numpy(), rowvar=False))
    assert torch.allclose(covariance.double(), exact, rtol=1e-6, atol=1e-9)


def test_fit_gaussian_in_one_dimension_gives_a_one_by_one_covariance():
    mean, covariance = density.fit_gaussian(torch.tensor([[1.0], [3.0]]))
    assert mean.tolist() == [2.0] and covariance.tolist() == [[2.0]]


def test_fit_gaussian_recovers_the_law_that_torch_distributions_drew_from():
    root = torch.tensor([[1.0, 0.0, 0.0], [0.7, 0.5, 0.0], [-0.3, 0.2, 2.0]], dtype=torch.float64)
    law = torch.distributions.MultivariateNormal(
        torch.tensor([1.0, 2, 3]).double(), scale_tril=root
    )
    torch.manual_seed(0)
    mean, covariance = density.fit_gaussian(law.sample((100_000,)))
    assert torch.allclose(mean, law.mean, atol=0.02)
    assert torch.allclose(covariance, law.covariance_matrix, atol=0.05)


def test_samples_of_the_gaussian_have_its_mean_and_covariance():
    root = cloud(3, 3, 1)
    mean, covariance = torch.tensor([1.0, -2, 3]).double(), root @ root.T
    x = density.gaussian_sample(mean, covariance, 200_000, seeded())
    found_mean, found_covariance = density.fit_gaussian(x)
    scale = covariance.diagonal().max()
    assert torch.allclose(found_mean, mean, atol=float(0.01 * scale.sqrt()))
    assert torch.allclose(found_covariance, covariance, atol=float(0.02 * scale))
    third = ((x - mean) @ torch.linalg.inv(root).T) ** 3  # skewness of a Gaussian is 0
    assert third.mean(dim=0).abs().max() < 0.05


def test_samples_of_a_singular_gaussian_stay_in_the_subspace_of_the_data():
    x = cloud(5, 8)  # 5 points span 4 dimensions around their mean
    mean, covariance = density.fit_gaussian(x)
    samples = density.gaussian_sample(mean, covariance, 100, seeded())
    basis = torch.linalg.svd(x - mean).Vh[:4]
    outside = (samples - mean) - (samples - mean) @ basis.T @ basis
    assert outside.abs().max() < 1e-6 and samples.std() > 0.1


def test_a_covariance_of_zeros_repeats_the_mean():
    samples = density.gaussian_sample(torch.tensor([1.0, 2.0]), torch.zeros(2, 2), 3)
    assert samples.tolist() == [[1.0, 2.0]] * 3


def test_a_float32_covariance_of_images_can_be_sampled():
    x = cloud(60, 100, dtype=torch.float32)
    samples = density.gaussian_sample(*density.fit_gaussian(x), 10, seeded())
    assert samples.shape == (10, 100) and samples.dtype == torch.float32


# --- Parzen windows


@pytest.mark.parametrize(
    ("n", "m", "d", "sigma", "offset"),
    [
        (1, 1, 1, 1.0, 0),
        (7, 1, 3, 0.3, 0),
        (40, 600, 1, 0.05, 0),
        (40, 600, 2, 0.3, 0),
        (30, 900, 784, 0.2, 0),
        (30, 900, 784, 1.0, 0),
        (600, 4200, 5, 0.3, 0),  # more than one block of rows and of columns
        (30, 500, 20, 0.1, 1e5),  # far from the origin
        (30, 500, 20, 0.001, 0),
    ],
)
def test_parzen_agrees_with_scikit_learn(n, m, d, sigma, offset):
    centers, x = cloud(m, d) + offset, cloud(n, d, 1) + offset
    expected = sklearn_log_density(x, centers, sigma)
    assert torch.allclose(
        density.parzen_log_density(x, centers, sigma), expected, rtol=1e-5, atol=0
    )
    in_float32 = density.parzen_log_density(x.float(), centers.float(), sigma)
    expected = sklearn_log_density(x.float(), centers.float(), sigma)
    assert in_float32.dtype == torch.float32
    assert torch.allclose(in_float32.double(), expected, rtol=1e-6, atol=1e-6)


def test_parzen_agrees_with_a_mixture_of_torch_distributions():
    centers, x, sigma = cloud(30, 4), cloud(9, 4, 1), 0.4
    parts = torch.distributions.Independent(torch.distributions.Normal(centers, sigma), 1)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=torch.zeros(30)), parts
    )
    assert torch.allclose(density.parzen_log_density(x, centers, sigma), mixture.log_prob(x))


def test_the_density_integrates_to_one():
    centers = cloud(5, 1)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None]
    total = density.parzen_log_density(grid, centers, 0.3).exp().sum() * (16 / 4000)
    assert abs(float(total) - 1) < 1e-6


def test_a_sigma_that_underflows_naively_keeps_its_exponent():
    # 1 and 0 are 1e8 sigmas apart: exp(−5e15) is 0 in any float, its logarithm is not.
    for dtype in (torch.float32, torch.float64):
        x, centers = torch.tensor([[1.0]], dtype=dtype), torch.tensor([[0.0]], dtype=dtype)
        found = float(density.parzen_log_density(x, centers, 1e-8))
        expected = -0.5e16 - math.log(1e-8 * math.sqrt(2 * math.pi))
        assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("sigma", [1e-3, 1e-8, 1e-30, 1e-200])
def test_on_a_centre_a_tiny_sigma_gives_the_peak(sigma):
    x = cloud(20, 3) + 5
    peak = -math.log(20) - 3 * math.log(sigma * math.sqrt(2 * math.pi))
    assert torch.allclose(density.parzen_log_density(x, x, sigma), torch.tensor(peak).double())


def test_two_far_clusters_are_each_as_exact_as_one():
    # Centring cannot help here: norms are 1e8, distances within a cluster 1.
    centers = torch.cat([cloud(50, 10) - 1e7, cloud(50, 10, 1) + 1e7])
    x = torch.cat([cloud(5, 10, 2) - 1e7, cloud(5, 10, 3) + 1e7])
    found = density.parzen_log_density(x, centers, 0.1)
    assert torch.allclose(found, by_differences(x, centers, 0.1), rtol=1e-9)


def test_duplicated_centres_change_nothing():
    centers, x = cloud(30, 3), cloud(8, 3, 1)
    doubled = density.parzen_log_density(x, centers.repeat(2, 1), 0.5)
    assert torch.allclose(doubled, density.parzen_log_density(x, centers, 0.5))


def test_memory_layout_and_the_inputs_themselves_do_not_matter():
    wide, tall = cloud(4, 60), cloud(9, 4, 1)
    before = wide.clone(), tall.clone()
    found = density.parzen_log_density(tall[::2], wide.T, 0.5)
    expected = density.parzen_log_density(tall[::2].clone(), wide.T.contiguous(), 0.5)
    assert torch.equal(found, expected)
    assert torch.equal(wide, before[0]) and torch.equal(tall, before[1])


def test_each_query_is_scored_alone():
    centers, x = cloud(700, 3), cloud(600, 3, 1)
    one_by_one = torch.cat([density.parzen_log_density(q, centers, 0.4) for q in x[::50].split(1)])
    assert torch.allclose(density.parzen_log_density(x, centers, 0.4)[::50], one_by_one)


@pytest.mark.parametrize("sigma", [0.7, 1e-7])  # by matmul, and by differences
def test_the_gradient_points_to_the_centres_weighted_by_their_kernels(sigma):
    centers, x = cloud(20, 3), cloud(6, 3, 1).requires_grad_()
    density.parzen_log_density(x, centers, sigma).sum().backward()
    offset = centers[None] - x.detach()[:, None]
    weights = (-(offset**2).sum(dim=2) / (2 * sigma**2)).softmax(dim=1)
    expected = (weights[..., None] * offset).sum(dim=1) / sigma**2
    assert torch.allclose(x.grad, expected, rtol=1e-6)


def test_nothing_lands_on_a_device_other_than_that_of_the_inputs():
    # The default device is made "meta", which holds no numbers: whatever was created there by
    # mistake could not be mixed with the inputs, as on a GPU.
    x, y = cloud(40, 3), cloud(50, 3, 1)
    torch.set_default_device("meta")
    try:
        assert density.parzen_log_density(x, y, 0.5).isfinite().all()
        assert density.select_bandwidth(y, x, [0.1, 1.0])[0] == 1.0
        assert density.parzen_sample(y, 0.5, 4, seeded()).isfinite().all()
        assert density.gaussian_sample(*density.fit_gaussian(x), 4).isfinite().all()
        assert density.mmd2(x, y, 1.0).isfinite()
        assert density.kmeans(x, 3).isfinite().all()
        if torch.__version__ >= "2.5":  # before, AdamW counts its steps on the default device
            assert 0 <= density.proxy_a_distance(x, y, seeded()) <= 2
    finally:
        torch.set_default_device(None)


def test_memory_stays_bounded_however_many_pairs_there_are():
    # 3,000 × 40,000 distances would be 960 MB at once.
    code = """
import torch
from course_lib import density
from tests.helpers import PeakMemory
x, centers = torch.rand(3000, 20), torch.rand(40000, 20)
density.parzen_log_density(x[:10], centers[:10], 0.2)
with PeakMemory() as peak:
    density.parzen_log_density(x, centers, 0.2)
with PeakMemory() as control:
    kept = torch.ones(100_000_000)
print(peak.megabytes, control.megabytes)
"""
    options = {"capture_output": True, "text": True, "cwd": ROOT}
    done = subprocess.run([sys.executable, "-c", code], check=True, **options)
    measured, control = map(float, done.stdout.split())
    assert measured < 300 < control


def test_parzen_samples_lie_sigma_around_randomly_picked_centres():
    centers = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [100.0, 100.0]])
    x = density.parzen_sample(centers, 0.5, 20_000, seeded())
    nearest = torch.cdist(x, centers).argmin(dim=1)
    assert nearest.bincount().div(20_000).sub(0.25).abs().max() < 0.02
    offset = x - centers[nearest]
    assert offset.std() == pytest.approx(0.5, abs=0.01) and offset.mean().abs() < 0.01
    assert (offset[:, 0] * offset[:, 1]).mean().abs() < 0.01  # noise is drawn for each coordinate


def test_the_bandwidth_chosen_is_the_best_of_every_sigma_scored_alone():
    train, validation = cloud(700, 3), cloud(90, 3, 1)
    sigmas = torch.logspace(-1, 0, 10)  # the grid of Goodfellow et al. 2014, parzen_ll.py
    best, scores = density.select_bandwidth(train, validation, sigmas)
    alone = [sklearn_log_density(validation, train, s).mean() for s in sigmas.tolist()]
    assert torch.allclose(scores, torch.stack(alone))
    assert isinstance(best, float) and best == sigmas.tolist()[int(torch.stack(alone).argmax())]
    assert 0.1 < best < 1.0


def test_a_single_bandwidth_is_chosen_whatever_its_score():
    best, scores = density.select_bandwidth(cloud(5, 2), cloud(4, 2, 1), [0.3])
    assert best == 0.3 and scores.shape == (1,)


def test_a_wide_bandwidth_in_the_list_does_not_cost_the_narrow_one_its_digits():
    train = torch.cat([cloud(20, 10) - 1e7, cloud(20, 10, 1) + 1e7])
    validation = cloud(5, 10, 2) + 1e7
    _, scores = density.select_bandwidth(train, validation, [0.1, 1e6])
    alone = [by_differences(validation, train, sigma).mean() for sigma in (0.1, 1e6)]
    assert torch.allclose(scores, torch.stack(alone), rtol=1e-9)


# --- maximum mean discrepancy


def mmd2_by_loops(x, y, sigmas, unbiased):
    def k(a, b):
        d2 = float(((a - b) ** 2).sum())
        return sum(math.exp(-d2 / (2 * s**2)) for s in sigmas) / len(sigmas)

    def within(p):
        pairs = [(i, j) for i in range(len(p)) for j in range(len(p)) if i != j or not unbiased]
        return sum(k(p[i], p[j]) for i, j in pairs) / len(pairs)

    return within(x) + within(y) - 2 * sum(k(a, b) for a in x for b in y) / (len(x) * len(y))


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("sigmas", [[1.0], [0.3, 1.0, 4.0]])
def test_mmd2_agrees_with_its_definition_in_loops(sigmas, unbiased):
    x, y = cloud(9, 3), cloud(6, 3, 1) * 1.5 + 0.3
    expected = mmd2_by_loops(x, y, sigmas, unbiased)
    found = density.mmd2(x, y, sigmas, unbiased=unbiased)
    assert found.shape == () and float(found) == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert float(density.mmd2(y, x, sigmas, unbiased=unbiased)) == pytest.approx(expected)


def test_mmd2_over_several_blocks_agrees_with_one_matrix():
    x, y = cloud(4200, 2), cloud(600, 2, 1) + 0.2
    k = lambda a, b: torch.exp(-torch.cdist(a, b).square() / 2)  # noqa: E731
    within = [(k(p, p).sum() - len(p)) / (len(p) * (len(p) - 1)) for p in (x, y)]
    assert torch.allclose(density.mmd2(x, y, 1.0), within[0] + within[1] - 2 * k(x, y).mean())


def test_mmd2_is_as_exact_as_its_narrowest_bandwidth_needs():
    far = torch.tensor([[0.0], [2e6]], dtype=torch.float64)  # so that the middle is far from all
    x, y = far + 1e-3 * cloud(2, 1), far + 1e-3 * cloud(2, 1, 1)
    expected = mmd2_by_loops(x, y, [1e-3, 1e3], False)
    found = density.mmd2(x, y, [1e-3, 1e3], unbiased=False)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_unbiased_mmd2_has_the_expectation_of_the_closed_form():
    # E k(a, b) for a − b ~ N(μ, v I): (σ² / (σ² + v))^{d/2} exp(−‖μ‖² / 2(σ² + v))
    d, sigma, s, t, shift = 3, 1.5, 1.0, 1.4, 0.5

    def expected_kernel(variance, distance2):
        total = sigma**2 + variance
        return (sigma**2 / total) ** (d / 2) * math.exp(-distance2 / (2 * total))

    closed = expected_kernel(2 * s**2, 0) + expected_kernel(2 * t**2, 0)
    closed -= 2 * expected_kernel(s**2 + t**2, d * shift**2)
    draws = torch.stack(
        [
            density.mmd2(s * cloud(40, d, i), t * cloud(30, d, 1000 + i) + shift, sigma)
            for i in range(400)
        ]
    )
    assert abs(float(draws.mean()) - closed) < 4 * float(draws.std()) / 20
    biased = density.mmd2(s * cloud(40, d), t * cloud(30, d, 1000) + shift, sigma, unbiased=False)
    assert biased > draws[0]


def test_unbiased_mmd2_of_equal_laws_is_zero_on_average_and_may_be_negative():
    draws = torch.stack(
        [density.mmd2(cloud(20, 2, i), cloud(20, 2, 999 + i), 1) for i in range(400)]
    )
    assert abs(float(draws.mean())) < 4 * float(draws.std()) / 20 and draws.min() < 0


def test_biased_mmd2_is_never_negative_and_zero_for_the_same_points():
    x = cloud(30, 3)
    assert abs(float(density.mmd2(x, x.flip(0), 0.7, unbiased=False))) < 1e-12
    for i in range(20):
        assert density.mmd2(cloud(5, 2, i), cloud(4, 2, 99 + i), 1.0, unbiased=False) > 0


def test_mmd2_of_sets_out_of_each_others_sight_is_one_over_n_each():
    x, y = torch.arange(4.0)[:, None] * 100, torch.arange(5.0)[:, None] * 100 + 1e4
    assert float(density.mmd2(x, y, 1.0, unbiased=False)) == pytest.approx(1 / 4 + 1 / 5)
    assert float(density.mmd2(x, y, 1.0)) == 0


def test_mmd2_is_differentiable_and_its_gradient_is_right():
    x, y = cloud(5, 2).requires_grad_(), cloud(6, 2, 1)
    assert torch.autograd.gradcheck(lambda a: density.mmd2(a, y, [0.5, 2.0]), x)


# --- the classifier


def test_proxy_a_distance_is_near_zero_for_equal_laws_and_two_for_far_sets():
    x, y = cloud(1000, 20), cloud(1000, 20, 1)
    near = density.proxy_a_distance(x, y, seeded())
    assert isinstance(near, float) and near < 0.2
    assert density.proxy_a_distance(x, y + 3, seeded()) == 2.0


def test_proxy_a_distance_of_two_shifted_gaussians_is_that_of_the_best_classifier():
    # Bayes error of N(0, I) against N(1, I) along one axis: Φ(−1/2) = 0.3085, so 2(1 − 2ε) = 0.766
    x, y = cloud(2000, 2), cloud(2000, 2, 1)
    y[:, 0] += 1
    assert density.proxy_a_distance(x, y, seeded()) == pytest.approx(0.766, abs=0.12)


def test_proxy_a_distance_sees_spread_and_correlation_which_a_line_cannot():
    x, y = cloud(2000, 2), cloud(2000, 2, 1)
    turned = y @ torch.tensor([[1.0, 0.9], [0.0, 0.436]]).double()
    assert density.proxy_a_distance(x, 3 * y, seeded()) > 0.8
    assert density.proxy_a_distance(x, turned, seeded()) > 0.6
    # In 784 dimensions the norm alone, 28 against 31, tells every point.
    x, y = cloud(1000, 784), 1.1 * cloud(1000, 784, 1)
    assert density.proxy_a_distance(x, y, seeded()) > 1


def test_proxy_a_distance_is_symmetric_within_its_noise():
    x, y = cloud(1000, 3), cloud(1000, 3, 1) + 0.7
    there, back = (density.proxy_a_distance(*pair, seeded()) for pair in ((x, y), (y, x)))
    assert abs(there - back) < 0.15


def test_proxy_a_distance_weighs_both_sets_alike_whatever_their_sizes():
    x, y = cloud(2000, 4), cloud(100, 4, 1)
    assert density.proxy_a_distance(x, y, seeded()) < 0.5  # "always x" would err in 5 % only
    assert density.proxy_a_distance(y, x + 5, seeded()) > 1.9


def test_proxy_a_distance_does_not_depend_on_units_or_origin():
    x, y = cloud(500, 3), cloud(500, 3, 1) + 1
    plain = density.proxy_a_distance(x, y, seeded())
    moved = density.proxy_a_distance(1e-3 * x + 50, 1e-3 * y + 50, seeded())
    assert moved == pytest.approx(plain, abs=0.02)


def test_proxy_a_distance_takes_constant_columns_graphs_and_no_grad():
    x, y = cloud(50, 3), cloud(50, 3, 1)
    x[:, 0] = y[:, 0] = 1
    assert 0 <= density.proxy_a_distance(x.requires_grad_() * 1, y, seeded()) <= 2
    with torch.no_grad():
        assert density.proxy_a_distance(x, x + 9, seeded()) == 2.0
    assert density.proxy_a_distance(torch.ones(9, 2), torch.ones(9, 2), seeded()) == 0.0


def test_held_out_error_of_equal_laws_is_one_half():
    error = density.held_out_error(cloud(1000, 2), cloud(1000, 2, 9), seeded())
    assert error == pytest.approx(0.5, abs=0.04)


# --- networks, means, distances


def test_a_random_network_bends_a_gaussian():
    net = density.random_mlp(2, 2, 64, seeded(3))
    noise = cloud(20_000, 2, dtype=torch.float32)
    x = net(noise)
    assert x.shape == (20_000, 2) and not any(p.requires_grad for p in net.parameters())
    standard = (x - x.mean(dim=0)) / x.std(dim=0)
    kurtosis = standard.pow(4).mean(dim=0)  # 3 for a Gaussian
    assert (kurtosis - 3).abs().max() > 0.3


def test_the_weights_of_a_random_network_keep_the_scale_and_its_biases_spread_the_folds():
    net = density.random_mlp(300, 500, 400, seeded())  # He et al. 2015, eq. 10: variance 2 / fan-in
    for layer, fan_in in ((net[0], 300), (net[2], 400), (net[4], 400)):
        assert layer.weight.var().item() == pytest.approx(2 / fan_in, rel=0.02)
        assert layer.bias.std().item() == pytest.approx(0.5, rel=0.1)
        assert layer.weight.mean().abs() < 1e-3 and layer.bias.mean().abs() < 0.1
    assert [tuple(p.shape) for p in density.random_mlp(2, 3).parameters() if p.ndim == 2] == [
        (64, 2), (64, 64), (3, 64)
    ]  # fmt: skip


def test_kmeans_finds_well_separated_clusters():
    places = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]).double() + 1e6
    x = density.parzen_sample(places, 0.1, 600, seeded(1))
    centers = density.kmeans(x, 3, steps=20, generator=seeded(1))
    assert torch.cdist(places, centers).min(dim=1).values.max() < 0.05


def test_kmeans_takes_the_steps_of_lloyds_algorithm():
    x = cloud(5000, 3)
    before = density.kmeans(x, 7, 3, seeded())
    nearest = torch.cdist(x, before).argmin(dim=1)
    expected = torch.stack([x[nearest == j].mean(dim=0) for j in range(7)])
    assert torch.allclose(density.kmeans(x, 7, 4, seeded()), expected)


def test_kmeans_with_as_many_centres_as_points_returns_the_points():
    x = cloud(6, 2)
    assert torch.allclose(density.kmeans(x, 6, 3, seeded()).sort(dim=0)[0], x.sort(dim=0)[0])


def test_kmeans_keeps_a_centre_that_has_lost_its_points():
    x = torch.zeros(5, 2)  # all points go to the first of the centres
    assert density.kmeans(x, 3, 2).tolist() == [[0.0, 0.0]] * 3


def test_kmeans_centres_outscore_real_data_under_parzen_windows():
    # Theis, van den Oord and Bethge 2016, table 1: means are no samples, and score better.
    def blobs(n, seed):  # a curved sheet in 50 dimensions with noise around it
        angle = 3 * torch.rand(n, 2, generator=seeded(seed), dtype=torch.float64)
        sheet = torch.cat([torch.sin(angle * k) for k in range(1, 26)], dim=1)
        return sheet + 0.3 * cloud(n, 50, seed + 1)

    pool, validation, test = blobs(4000, 1), blobs(300, 3), blobs(300, 5)
    grid = torch.logspace(-1, 0.5, 12)

    def score(centers):
        sigma, _ = density.select_bandwidth(centers, validation, grid)
        return float(density.parzen_log_density(test, centers, sigma).mean())

    assert score(density.kmeans(pool, 200, 10, seeded())) > score(pool[:200]) + 5


@pytest.mark.parametrize(
    ("d", "expected", "tolerance"), [(2, 0.013, 0.004), (784, 0.866, 0.004), (12288, 0.965, 0.002)]
)
def test_distances_concentrate_as_the_dimension_grows(d, expected, tolerance):
    # Means over 60 queries by a separate script; the spread of one query is 0.009, 0.010, 0.003.
    # For large d: (√(2d) − a) / (√(2d) + a), a = 3.24 · √(6d) / (2√(2d)) = 2.8, 3.24 the expected
    # largest of 1,000 normal numbers, gives 0.868 and 0.965.
    generator = seeded()
    ratios = [density.distance_concentration(d, generator=generator) for _ in range(60)]
    assert sum(ratios[: 60 if d < 10_000 else 8]) / (60 if d < 10_000 else 8) == pytest.approx(
        expected, abs=tolerance
    )


# --- randomness


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: density.gaussian_sample(torch.zeros(2), torch.eye(2), 3, g),
        lambda g: density.parzen_sample(cloud(9, 2), 0.1, 3, g),
        lambda g: density.kmeans(cloud(50, 2), 4, 2, g),
        lambda g: density.random_mlp(2, 2, 8, g)[0].weight,
        lambda g: torch.tensor(density.distance_concentration(3, 50, g)),
        lambda g: torch.tensor(density.held_out_error(cloud(60, 2), cloud(60, 2, 1), g)),
    ],
    ids=["gaussian", "parzen", "kmeans", "mlp", "concentration", "classifier"],
)
def test_the_same_seed_gives_the_same_result_and_leaves_the_global_one_alone(draw):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again, other = draw(seeded(1)), draw(seeded(1)), draw(seeded(2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert draw(None).shape == first.shape  # the global one is used where none is given
    assert not torch.equal(torch.get_rng_state(), state)


# --- bad input

GOOD = torch.zeros(4, 3)
MATRICES = {
    "fit_gaussian": (density.fit_gaussian, {"x": GOOD}),
    "parzen_log_density": (
        density.parzen_log_density,
        {"x": GOOD, "centers": GOOD, "sigma": 1.0},
    ),
    "parzen_sample": (density.parzen_sample, {"centers": GOOD, "sigma": 1.0, "n": 2}),
    "select_bandwidth": (
        density.select_bandwidth,
        {"train": GOOD, "validation": GOOD, "sigmas": [1.0]},
    ),
    "mmd2": (density.mmd2, {"x": GOOD, "y": GOOD, "sigmas": [1.0]}),
    "proxy_a_distance": (density.proxy_a_distance, {"x": GOOD, "y": GOOD}),
    "kmeans": (density.kmeans, {"x": GOOD, "k": 2}),
}
CASES = [(name, argument) for name, (_, arguments) in MATRICES.items() for argument in arguments]
POINTS = [(f, a) for f, a in CASES if a in ("x", "y", "centers", "train", "validation")]


@pytest.mark.parametrize(("name", "argument"), POINTS)
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (torch.zeros(3), ValueError),
        (torch.zeros(2, 3, 1), ValueError),
        (torch.zeros(0, 3), ValueError),
        (torch.zeros(4, 0), ValueError),
        (torch.tensor([[1.0, math.nan, 0.0]] * 4), ValueError),
        (torch.tensor([[1.0, math.inf, 0.0]] * 4), ValueError),
        (torch.zeros(4, 3, dtype=torch.uint8), TypeError),
        (torch.zeros(4, 3, dtype=torch.int64), TypeError),
        (torch.zeros(4, 3, dtype=torch.float16), TypeError),
        ([[0.0, 0.0, 0.0]], TypeError),
        (np.zeros((4, 3)), TypeError),
    ],
    ids=["vector", "rank 3", "no rows", "no columns", "nan", "inf"]
    + ["uint8", "int64", "half", "list", "numpy"],
)
def test_bad_points_are_refused_by_name(name, argument, bad, error):
    function, arguments = MATRICES[name]
    with pytest.raises(error, match=rf"\b{argument}\b"):
        function(**{**arguments, argument: bad})


@pytest.mark.parametrize("name", ["parzen_log_density", "select_bandwidth", "mmd2"])
def test_points_of_different_dimension_are_refused_by_name(name):
    function, arguments = MATRICES[name]
    first, second = list(arguments)[:2]
    with pytest.raises(ValueError, match=rf"{first} and {second}.*columns.*\(4, 2\)"):
        function(**{**arguments, second: torch.zeros(4, 2)})


@pytest.mark.parametrize(
    ("name", "argument"), [(f, a) for f, a in CASES if a in ("sigma", "sigmas")]
)
@pytest.mark.parametrize(
    ("bad", "error"),
    [(0.0, ValueError), (-1.0, ValueError), (math.nan, ValueError), (math.inf, ValueError)]
    + [("wide", TypeError), (None, TypeError)],
)
def test_bad_bandwidths_are_refused_by_name(name, argument, bad, error):
    function, arguments = MATRICES[name]
    bad = [1.0, bad] if argument == "sigmas" else bad
    with pytest.raises(error, match=rf"\b{argument}\b"):
        function(**{**arguments, argument: bad})


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: density.fit_gaussian(torch.zeros(1, 3)), ValueError, "x"),
        (lambda: density.select_bandwidth(GOOD, GOOD, []), ValueError, "sigmas"),
        (lambda: density.mmd2(GOOD, GOOD[:1], 1.0), ValueError, "y"),
        (lambda: density.proxy_a_distance(GOOD, GOOD[:3]), ValueError, "y"),
        (lambda: density.parzen_sample(GOOD, 1.0, 0), ValueError, "n"),
        (lambda: density.parzen_sample(GOOD, 1.0, 2.5), ValueError, "n"),
        (lambda: density.parzen_sample(GOOD, 1.0, True), ValueError, "n"),
        (lambda: density.kmeans(GOOD, 5), ValueError, "k"),
        (lambda: density.kmeans(GOOD, 2, steps=0), ValueError, "steps"),
        (lambda: density.kmeans(GOOD, 2, steps=10**12), ValueError, "steps"),
        (lambda: density.distance_concentration(0), ValueError, "d"),
        (lambda: density.distance_concentration(2, 0), ValueError, "n"),
        (lambda: density.random_mlp(2, 0, 8), ValueError, "out_dim"),
        (lambda: density.gaussian_sample(torch.zeros(3), torch.eye(2), 1), ValueError, "mean"),
        (lambda: density.gaussian_sample(torch.zeros(2, 1), torch.eye(2), 1), ValueError, "mean"),
        (lambda: density.gaussian_sample([0.0, 0.0], torch.eye(2), 1), TypeError, "mean"),
        (
            lambda: density.gaussian_sample(torch.zeros(2), -torch.eye(2), 1),
            ValueError,
            "covariance.*negative",
        ),
        (
            lambda: density.gaussian_sample(torch.zeros(2), torch.tensor([[1.0, 1], [0, 1]]), 1),
            ValueError,
            "covariance.*symmetric",
        ),
    ],
)
def test_other_bad_arguments_are_refused_by_name(call, error, named):
    with pytest.raises(error, match=rf"\b{named}\b"):
        call()


# The witness function of MMD


def test_the_witness_tells_its_own_two_samples_apart_by_mmd():
    x, y = torch.randn(30, 3, dtype=torch.float64), 0.5 + torch.randn(20, 3, dtype=torch.float64)
    on_x, on_y = (density.mmd_witness(where, x, y, 0.7).mean() for where in (x, y))
    biased = density.mmd2(x, y, 0.7, unbiased=False)
    assert (on_x - on_y).item() == pytest.approx(biased.item(), abs=1e-12)


def test_no_other_function_of_its_length_tells_them_apart_better():
    torch.manual_seed(0)
    x, y = torch.randn(2, 15, 2, dtype=torch.float64)
    points = torch.cat([x, y])
    kernel = (-torch.cdist(points, points).square() / 2).exp()
    signs = torch.cat([torch.full((15,), 1 / 15), torch.full((15,), -1 / 15)]).double()

    def gap(weights):  # of the function Σ weight · k(point, ·), scaled to length 1
        return signs @ kernel @ weights / (weights @ kernel @ weights).sqrt()

    assert all(gap(torch.randn(30).double()) < gap(signs) for _ in range(200))
    assert torch.allclose(density.mmd_witness(points, x, y, 1.0), kernel @ signs)


def test_the_witness_is_positive_where_only_x_is_and_keeps_the_dtype():
    at = density.mmd_witness(torch.zeros(1, 2), torch.zeros(4, 2), torch.ones(4, 2), 0.1)
    assert at.dtype == torch.float32 and at.item() == pytest.approx(1)


def test_the_witness_refuses_bad_input():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="where and x and y must have the same number of columns"):
        density.mmd_witness(torch.zeros(3, 4), x, x, 1.0)
    with pytest.raises(ValueError, match="sigma must be a finite number, above 0"):
        density.mmd_witness(x, x, x, 0.0)
