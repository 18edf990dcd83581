"""Right answers to lecture 01's exercises, each in another style: the checks must accept all."""

import math

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from course_lib.density import parzen_log_density

# --- fit_gaussian ---------------------------------------------------------------------------------


def gaussian_by_matrix_product(x):
    mean = x.mean(dim=0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def gaussian_by_torch_cov(x):
    return x.mean(0), torch.cov(x.T)


def gaussian_by_numpy(x):
    x = x.numpy()
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    return torch.from_numpy(x.mean(axis=0)), torch.from_numpy(covariance)


def gaussian_by_loops(x):
    n, d = x.shape
    mean = torch.stack([x[:, a].sum() / n for a in range(d)])
    covariance = torch.empty(d, d, dtype=x.dtype)
    for a in range(d):
        for b in range(d):
            covariance[a, b] = sum((x[i, a] - mean[a]) * (x[i, b] - mean[b]) for i in range(n))
    return mean, covariance / (n - 1)


def gaussian_by_outer_products(x):
    mean = torch.einsum("nd->d", x) / x.shape[0]
    centred = x - mean
    return mean, torch.einsum("na,nb->nab", centred, centred).sum(0) / (x.shape[0] - 1)


def gaussian_by_moments_in_float64(x):
    wide, n = x.double(), len(x)
    mean = wide.sum(0) / n
    covariance = (wide.T @ wide / n - torch.outer(mean, mean)) * n / (n - 1)
    return mean.to(x.dtype), covariance.to(x.dtype)


def gaussian_by_welford(x):
    mean, scatter = torch.zeros(x.shape[1]), torch.zeros(x.shape[1], x.shape[1])
    mean, scatter = mean.to(x), scatter.to(x)
    for i, row in enumerate(x, start=1):
        before = row - mean
        mean = mean + before / i
        scatter = scatter + torch.outer(before, row - mean)
    return mean, scatter / (len(x) - 1)


# --- parzen_log_density ---------------------------------------------------------------------------


def parzen_by_cdist(x, centers, sigma):
    m, d = centers.shape
    a = -(torch.cdist(x, centers) ** 2) / (2 * sigma**2)
    return a.logsumexp(dim=1) - math.log(m) - d * math.log(sigma * math.sqrt(2 * math.pi))


def parzen_by_broadcasting(x, centers, sigma):
    z = (x[:, None, :] - centers[None, :, :]) / sigma
    d = x.shape[-1]
    log_bumps = -0.5 * (z**2).sum(-1) - 0.5 * d * math.log(2 * math.pi) - d * math.log(sigma)
    return torch.logsumexp(log_bumps, 1) - torch.log(torch.tensor(float(len(centers))))


def parzen_by_matrix_product(x, centers, sigma):
    squares = (x**2).sum(1, keepdim=True) - 2 * x @ centers.T + (centers**2).sum(1)
    a = -squares.clamp(min=0) / (2 * sigma**2)
    top = a.max(dim=1, keepdim=True).values
    log_mean = top[:, 0] + (a - top).exp().mean(dim=1).log()
    return log_mean - x.shape[1] / 2 * math.log(2 * math.pi * sigma**2)


def parzen_by_distributions(x, centers, sigma):
    window = torch.distributions.Independent(torch.distributions.Normal(centers, sigma), 1)
    weights = torch.distributions.Categorical(logits=torch.zeros(len(centers)))
    return torch.distributions.MixtureSameFamily(weights, window).log_prob(x)


def parzen_by_scikit_learn(x, centers, sigma):
    tree = KernelDensity(bandwidth=sigma, rtol=1e-8).fit(centers.numpy())
    return torch.from_numpy(tree.score_samples(x.numpy())).to(x.dtype)


def parzen_by_scipy(x, centers, sigma):
    squares = cdist(x.numpy(), centers.numpy(), "sqeuclidean")
    constant = centers.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))
    result = logsumexp(-squares / (2 * sigma**2), axis=1, b=1 / len(centers)) - constant
    return torch.as_tensor(result, dtype=x.dtype)


def parzen_by_loops(x, centers, sigma):
    m, d = centers.shape
    answers = []
    for query in x.double():
        total = torch.tensor(-math.inf, dtype=torch.float64)
        for center in centers.double():
            total = torch.logaddexp(total, -((query - center) ** 2).sum() / (2 * sigma**2))
        answers.append(total - math.log(m) - d * math.log(sigma * math.sqrt(2 * math.pi)))
    return torch.stack(answers).to(x.dtype)


def parzen_by_normal_log_prob(x, centers, sigma):
    each = torch.distributions.Normal(0.0, sigma).log_prob(x.unsqueeze(1) - centers).sum(dim=2)
    return torch.logsumexp(each - math.log(centers.size(0)), dim=-1)


# --- select_bandwidth -----------------------------------------------------------------------------


def bandwidth_by_list(train, validation, sigmas):
    scores = [parzen_log_density(validation, train, s).mean().item() for s in sigmas]
    return sigmas[scores.index(max(scores))], scores


def bandwidth_by_tensor(train, validation, sigmas):
    scores = torch.stack([parzen_log_density(validation, train, s).mean() for s in sigmas])
    return sigmas[scores.argmax()], scores


def bandwidth_by_dictionary(train, validation, sigmas):
    scores = {s: float(parzen_log_density(validation, train, s).mean()) for s in sigmas}
    return max(scores, key=scores.get), list(scores.values())


def bandwidth_by_numpy(train, validation, sigmas):
    rows = [parzen_log_density(validation, train, float(s)).numpy() for s in sigmas]
    scores = np.stack(rows).mean(axis=1)
    return np.asarray(sigmas)[np.argmax(scores)], scores


def bandwidth_by_running_maximum(train, validation, sigmas):
    best, best_score, scores = None, -math.inf, []
    for sigma in sigmas:
        score = parzen_log_density(validation, train, sigma).sum() / len(validation)
        scores.append(score)
        if score > best_score:
            best, best_score = torch.tensor(sigma), score
    return best, torch.tensor(scores)


def bandwidth_by_scikit_learn(train, validation, sigmas):
    scores = [KernelDensity(bandwidth=s, rtol=1e-8).fit(train).score(validation) for s in sigmas]
    scores = torch.tensor(scores) / len(validation)
    return sigmas[int(scores.argmax())], scores


# --- parzen_sample --------------------------------------------------------------------------------


def sample_by_randint(centers, sigma, n, generator=None):
    chosen = torch.randint(len(centers), (n,), generator=generator)
    return centers[chosen] + sigma * torch.randn(n, centers.shape[1], generator=generator)


def sample_noise_first(centers, sigma, n, generator=None):
    noise = torch.empty(n, centers.shape[1]).normal_(0, sigma, generator=generator)
    chosen = (torch.rand(n, generator=generator) * len(centers)).long()
    return noise + centers.index_select(0, chosen)


def sample_by_multinomial(centers, sigma, n, generator=None):
    weights = torch.ones(len(centers)) / len(centers)
    chosen = torch.multinomial(weights, n, replacement=True, generator=generator)
    return torch.normal(centers[chosen], sigma, generator=generator)


def sample_by_loop(centers, sigma, n, generator=None):
    samples = []
    for _ in range(n):
        j = torch.randint(0, len(centers), (), generator=generator).item()
        samples.append(centers[j] + sigma * torch.randn(centers.shape[1], generator=generator))
    return torch.stack(samples)


def sample_by_numpy(centers, sigma, n, generator=None):
    seed = torch.randint(2**31, (1,), generator=generator).item()
    rng = np.random.default_rng(seed)
    chosen = rng.choice(centers.numpy(), size=n, replace=True)
    return torch.from_numpy(chosen + rng.normal(0, sigma, chosen.shape)).to(centers.dtype)


def sample_by_inverse_cdf(centers, sigma, n, generator=None):
    u = torch.rand(n, centers.shape[1], generator=generator, dtype=torch.float64)
    noise = torch.distributions.Normal(0.0, sigma).icdf(u.clamp(1e-12, 1 - 1e-12))
    one_hot = torch.zeros(n, len(centers)).to(centers)
    chosen = torch.randint(len(centers), (n, 1), generator=generator)
    return one_hot.scatter_(1, chosen, 1.0) @ centers + noise.to(centers)


# --- mmd2 -----------------------------------------------------------------------------------------


def mmd2_by_cdist(x, y, sigmas, unbiased=True):
    total, n, m = 0, len(x), len(y)
    for sigma in sigmas:
        xx, yy, xy = [
            torch.exp(-(torch.cdist(a, b) ** 2) / (2 * sigma**2))
            for a, b in [(x, x), (y, y), (x, y)]
        ]
        if unbiased:
            same = (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1))
        else:
            same = xx.mean() + yy.mean()
        total = total + same - 2 * xy.mean()
    return total / len(sigmas)


def mmd2_by_mask(x, y, sigmas, unbiased=True):
    def kernel(a, b):
        squares = ((a[:, None] - b[None]) ** 2).sum(-1)
        return sum(torch.exp(-squares / 2 / s**2) for s in sigmas) / len(sigmas)

    def inside(k):
        return k[~torch.eye(len(k), dtype=torch.bool)].mean() if unbiased else k.mean()

    return inside(kernel(x, x)) + inside(kernel(y, y)) - 2 * kernel(x, y).mean()


def mmd2_by_weights(x, y, sigmas, unbiased=True):
    """wᵀ K w over both sets together, with K in float64."""
    n, m = len(x), len(y)
    z = torch.cat([x, y]).double()
    gram = z @ z.T
    squares = gram.diagonal()[:, None] + gram.diagonal() - 2 * gram
    bandwidths = torch.tensor(sigmas, dtype=torch.float64)[:, None, None]
    k = torch.exp(-squares.clamp(min=0) / (2 * bandwidths**2)).mean(0)
    w = torch.cat([torch.full((n,), 1.0 / n), torch.full((m,), -1.0 / m)]).double()
    weights = torch.outer(w, w)
    if unbiased:
        weights.fill_diagonal_(0)
        weights[:n, :n] *= n / (n - 1)
        weights[n:, n:] *= m / (m - 1)
    return torch.einsum("ij,ij->", weights, k)


def mmd2_by_loops(x, y, sigmas, unbiased=True):
    def mean(a, b, skip):
        values = [
            math.exp(-float(((a[i] - b[j]) ** 2).sum()) / (2 * s**2))
            for s in sigmas
            for i in range(len(a))
            for j in range(len(b))
            if not (skip and i == j)
        ]
        return sum(values) / len(values)

    return torch.tensor(mean(x, x, unbiased) + mean(y, y, unbiased) - 2 * mean(x, y, False))


def mmd2_by_scikit_learn(x, y, sigmas, unbiased=True):
    results = []
    for gamma in 1 / (2 * np.square(sigmas)):
        xx, yy, xy = (rbf_kernel(a, b, gamma) for a, b in ((x, x), (y, y), (x, y)))
        means = [k.mean() for k in (xx, yy)]
        if unbiased:
            means = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
        results.append(sum(means) - 2 * xy.mean())
    return torch.tensor(np.mean(results))


# --- proxy_a_distance -----------------------------------------------------------------------------


def _stacked(x, y):
    return torch.cat([x, y]).numpy(), np.repeat([0, 1], [len(x), len(y)])


def proxy_by_logistic_regression(x, y, generator=None):
    pictures = torch.cat([x, y])
    labels = torch.cat([torch.zeros(len(x)), torch.ones(len(y))])
    order = torch.randperm(len(pictures), generator=generator)
    train, held_out = order[: len(order) // 2], order[len(order) // 2 :]
    classifier = LogisticRegression(max_iter=200).fit(pictures[train], labels[train])
    error = 1 - classifier.score(pictures[held_out], labels[held_out])
    return max(0.0, 2 * (1 - 2 * error))


def proxy_by_split_and_discriminant(x, y, generator=None):
    seed = int(torch.randint(2**31, (1,), generator=generator))
    parts = train_test_split(*_stacked(x, y), test_size=0.2, random_state=seed)
    train, held_out, train_labels, labels = parts
    guesses = LinearDiscriminantAnalysis().fit(train, train_labels).predict(held_out)
    return float(np.clip(2 * (1 - 2 * np.mean(guesses != labels)), 0, 2))


def proxy_by_cross_validation(x, y, generator=None):
    points, labels = _stacked(x, y)
    order = torch.randperm(len(points), generator=generator).numpy()
    scores = cross_val_score(LogisticRegression(), points[order], labels[order], cv=5)
    return min(2.0, max(0.0, 4 * scores.mean() - 2))


def proxy_by_nearest_neighbours(x, y, generator=None):
    points, labels = _stacked(x, y)
    order = torch.randperm(len(points), generator=generator).numpy()
    train, held_out = order[::2], order[1::2]
    classifier = KNeighborsClassifier(1).fit(points[train], labels[train])
    error = float((classifier.predict(points[held_out]) != labels[held_out]).mean())
    return max(0.0, 2 - 4 * error)


def proxy_by_tree(x, y, generator=None):
    points, labels = _stacked(x, y)
    order = torch.randperm(len(points), generator=generator).numpy()
    train, held_out = np.split(order, [len(order) * 7 // 10])
    tree = DecisionTreeClassifier(random_state=0).fit(points[train], labels[train])
    accuracy = tree.score(points[held_out], labels[held_out])
    return max(0.0, 2 * (2 * accuracy - 1))


def proxy_by_network_of_scikit_learn(x, y, generator=None):
    points, labels = _stacked(x, y)
    order = torch.randperm(len(points), generator=generator).numpy()
    train, held_out = np.array_split(order, 2)
    net = MLPClassifier((16,), max_iter=60, learning_rate_init=0.01, random_state=0)
    error = 1 - net.fit(points[train], labels[train]).score(points[held_out], labels[held_out])
    return float(max(0.0, 2 * (1 - 2 * error)))


def proxy_by_gradient_descent(x, y, generator=None):
    """Each set is shuffled on its own, its odd points train, its even ones test."""
    x, y = (s[torch.randperm(len(s), generator=generator)] for s in (x, y))
    train, middle = torch.cat([x[1::2], y[1::2]]), torch.cat([x[1::2], y[1::2]]).mean(0)
    labels = torch.cat([torch.zeros(len(x[1::2])), torch.ones(len(y[1::2]))])
    weights = torch.zeros(x.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([weights, bias], lr=0.05)
    for _ in range(100):
        scores = (train - middle) @ weights + bias
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        wrong_x = ((x[::2] - middle) @ weights + bias > 0).float().mean()
        wrong_y = ((y[::2] - middle) @ weights + bias <= 0).float().mean()
    error = (wrong_x + wrong_y).item() / 2
    return 2 * (1 - 2 * min(error, 0.5))


def proxy_by_nearest_mean(x, y, generator=None):
    """The mean of both directions: one half trains and the other tests, then the reverse."""
    x, y = (s[torch.randperm(len(s), generator=generator)].chunk(2) for s in (x, y))
    errors = []
    for a, b in ((0, 1), (1, 0)):
        means = torch.stack([x[a].mean(0), y[a].mean(0)])
        errors += [torch.cdist(x[b], means).argmin(1).double().mean()]
        errors += [1 - torch.cdist(y[b], means).argmin(1).double().mean()]
    return max(2 * (1 - 2 * torch.stack(errors).mean().item()), 0.0)


def by_normal_distributions(x, centers, sigma):
    windows = torch.distributions.Normal(centers[None], sigma)
    return windows.log_prob(x[:, None]).sum(-1).logsumexp(1) - math.log(len(centers))


def by_triangles(x, y, sigmas, unbiased=True):
    def alike(a, b, s):
        return (-torch.cdist(a, b).square() / (2 * s * s)).exp()

    found = []
    for s in sigmas:
        inside = [alike(a, a, s) for a in (x, y)]
        if unbiased:
            same = [2 * k.triu(1).sum() / (len(k) * (len(k) - 1)) for k in inside]
        else:
            same = [k.mean() for k in inside]
        found.append(same[0] + same[1] - 2 * alike(x, y, s).mean())
    return torch.stack(found).mean()


VARIANTS = {
    "density.fit_gaussian": [
        gaussian_by_matrix_product,
        gaussian_by_torch_cov,
        gaussian_by_numpy,
        gaussian_by_loops,
        gaussian_by_outer_products,
        gaussian_by_moments_in_float64,
        gaussian_by_welford,
    ],
    "density.parzen_log_density": [
        by_normal_distributions,
        parzen_by_cdist,
        parzen_by_broadcasting,
        parzen_by_matrix_product,
        parzen_by_distributions,
        parzen_by_scikit_learn,
        parzen_by_scipy,
        parzen_by_loops,
        parzen_by_normal_log_prob,
    ],
    "density.select_bandwidth": [
        bandwidth_by_list,
        bandwidth_by_tensor,
        bandwidth_by_dictionary,
        bandwidth_by_numpy,
        bandwidth_by_running_maximum,
        bandwidth_by_scikit_learn,
    ],
    "density.parzen_sample": [
        sample_by_randint,
        sample_noise_first,
        sample_by_multinomial,
        sample_by_loop,
        sample_by_numpy,
        sample_by_inverse_cdf,
    ],
    "density.mmd2": [
        by_triangles,
        mmd2_by_cdist,
        mmd2_by_mask,
        mmd2_by_weights,
        mmd2_by_loops,
        mmd2_by_scikit_learn,
    ],
    "density.proxy_a_distance": [
        proxy_by_logistic_regression,
        proxy_by_split_and_discriminant,
        proxy_by_cross_validation,
        proxy_by_nearest_neighbours,
        proxy_by_tree,
        proxy_by_network_of_scikit_learn,
        proxy_by_gradient_descent,
        proxy_by_nearest_mean,
    ],
}
