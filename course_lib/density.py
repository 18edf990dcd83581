"""Lecture 01: densities from samples, and how far apart two sets of samples are.

Points are the rows of a tensor (n, d), float32 or float64; an image is a row after `flatten(1)`.
Everything is computed in float64 and returned in the dtype of the first argument: float32 in,
float32 out, with only the last rounding between the two.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.checks import MANY, SIZE, at_least_one, finite, number, random_source, reals, whole

# A block of distances holds 1024 x 6144 float64 numbers, 50 MB. With its temporaries and a block of
# centres (39 MB for 784 dimensions) that stays below 200 MB however many points there are. Smaller
# blocks take more: below 32 MB glibc keeps them on its heap, where they leave holes.
ROWS, COLUMNS = 1024, 6144


def fit_gaussian(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Mean and unbiased covariance of the rows of x.

    mean = Σᵢ xᵢ / n,   covariance = Σᵢ (xᵢ − mean)(xᵢ − mean)ᵀ / (n − 1)

    Sums run in float64; both come back in x's dtype. With n ≤ d the covariance is singular.
    Raises TypeError for other dtypes, ValueError for another rank, NaN, or fewer than two rows.
    """
    _check_points(x=x)
    if len(x) < 2:
        raise ValueError("x must have at least 2 rows: one point has no covariance")
    mean = _double(x).mean(dim=0)
    centred = _double(x) - mean
    covariance = centred.T @ centred / (len(x) - 1)
    return mean.to(x), covariance.to(x)


def gaussian_sample(
    mean: Float[Tensor, " d"],
    covariance: Float[Tensor, "d d"],
    n: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n d"]:
    """n draws from N(mean, covariance), which may be singular.

    x = mean + V √Λ ε   with covariance = V Λ Vᵀ and ε ~ N(0, I)

    The eigendecomposition, unlike Cholesky, needs no jitter where eigenvalues are zero: samples
    stay in the subspace of the data. Raises ValueError where shapes disagree, values are not
    finite, or the covariance is not symmetric or has a negative eigenvalue beyond rounding.
    """
    whole("n", n, most=SIZE)
    _check_points(mean=mean[None] if isinstance(mean, Tensor) else mean, covariance=covariance)
    if covariance.shape != (len(mean), len(mean)):
        raise ValueError(
            f"covariance must have shape (d, d) where mean is (d,), got {tuple(covariance.shape)} "
            f"and {tuple(mean.shape)}"
        )
    sigma2 = _double(covariance)
    largest = sigma2.abs().max()
    if (sigma2 - sigma2.T).abs().max() > 1e-5 * largest:
        raise ValueError("covariance must be symmetric")
    eigenvalues, vectors = torch.linalg.eigh(sigma2)
    if eigenvalues[0] < -1e-5 * len(mean) * largest:  # float32 covariances are off by 1e-7 an entry
        raise ValueError(f"covariance has the negative eigenvalue {eigenvalues[0]:.3g}")
    root = vectors * eigenvalues.clamp(min=0).sqrt()  # (d, d), root rootᵀ = covariance
    noise = _draw(torch.randn, n, len(mean), like=sigma2, generator=generator)
    return (_double(mean) + noise @ root.T).to(mean)


def parzen_log_density(
    x: Float[Tensor, "n d"], centers: Float[Tensor, "m d"], sigma: float
) -> Float[Tensor, " n"]:
    """Log density at x of a Gaussian of standard deviation sigma at every centre (nats).

    log p(x) = log (1/m) Σⱼ exp(−‖x − cⱼ‖² / 2σ²) − d log(σ√(2π))

    Log-sum-exp, so nothing underflows however small sigma is. Memory stays near 100 MB at any n
    and m; where x requires a gradient autograd keeps all n × m kernels. Raises TypeError for
    integer or half dtypes, ValueError for sigma ≤ 0, NaN, empty sets or ranks other than 2.
    Source: Parzen 1962, eq. 2.
    """
    _check_points(x=x, centers=centers)
    return _log_densities(x, centers, [number("sigma", sigma, above=0)])[0].to(x)


def parzen_sample(
    centers: Float[Tensor, "m d"],
    sigma: float,
    n: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n d"]:
    """n draws from the Parzen density: a centre picked at random, plus noise.

    x = cⱼ + σ ε   with j uniform on the m centres and ε ~ N(0, I)
    """
    _check_points(centers=centers)
    whole("n", n, most=SIZE)
    sigma = number("sigma", sigma, above=0)
    j = _draw(torch.randint, len(centers), (n,), like=centers, generator=generator)
    noise = _draw(torch.randn, n, centers.shape[1], like=centers, generator=generator)
    return centers[j] + sigma * noise


def select_bandwidth(
    train: Float[Tensor, "m d"],
    validation: Float[Tensor, "n d"],
    sigmas: Sequence[float] | Float[Tensor, " s"],
) -> tuple[float, Float[Tensor, " s"]]:
    """The sigma under which held-out points are most likely, and every sigma's score.

    score(σ) = (1/n) Σᵢ log p_σ(validationᵢ), centres = train;   best = argmax score

    The distances are computed once for all sigmas. Scoring on the training points themselves
    would always choose the smallest sigma: each point sits on its own centre.
    """
    _check_points(train=train, validation=validation)
    sigmas = _bandwidths(reals("sigmas", sigmas))
    scores = _log_densities(validation, train, sigmas).mean(dim=1)
    return sigmas[int(scores.argmax())], scores.to(validation)


def mmd2(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    sigmas: float | Sequence[float] | Float[Tensor, " s"],
    unbiased: bool = True,
) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy between two samples, averaged over Gaussian kernels.

    MMD² = E k(x, x′) + E k(y, y′) − 2 E k(x, y),   k(a, b) = mean over σ of exp(−‖a − b‖² / 2σ²)

    unbiased: pairs of a point with itself are left out, so that the expectation is 0 for equal
    distributions and single values may be negative; it needs two points a set. Otherwise they
    count, and the value lies in [0, 2]. Source: Gretton et al. 2012, eq. 3 and 5.
    """
    _check_points(x=x, y=y)
    sigmas = _bandwidths(sigmas)
    if unbiased and min(len(x), len(y)) < 2:
        raise ValueError("x and y must have at least 2 rows each where unbiased=True")

    def within(points: Tensor) -> Tensor:
        n, total = len(points), _kernel_sum(points, points, sigmas)
        return (total - n) / (n * (n - 1)) if unbiased else total / n**2  # k(a, a) = 1

    across = _kernel_sum(x, y, sigmas) / (len(x) * len(y))
    return (within(x) + within(y) - 2 * across).to(x)


def mmd_witness(
    where: Float[Tensor, "k d"],
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    sigma: float,
) -> Float[Tensor, " k"]:
    """The witness function of MMD at each place: how much more alike it is to the x than to the y.

    f(t) = mean_i k(x_i, t) − mean_j k(y_j, t),   k(x, t) = exp(−‖x − t‖² / 2σ²)

    Its mean over the x minus its mean over the y is the biased MMD². Divided by its length in the
    kernel's space it is the function of length 1 for which that difference is largest.
    Raises ValueError as `mmd2` for bad points or sigma. Source: Gretton et al. 2012, section 2.3.
    """
    _check_points(where=where, x=x, y=y)
    s = number("sigma", sigma, above=0)
    of_x, of_y = (
        (-torch.cdist(_double(where), _double(z)).square() / (2 * s**2)).exp().mean(1)
        for z in (x, y)
    )
    return (of_x - of_y).to(where.dtype)


def proxy_a_distance(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], generator: torch.Generator | None = None
) -> float:
    """How well a classifier tells two samples apart: 0 not at all, 2 without error.

    d_A = 2 (1 − 2ε), clipped to [0, 2];   ε = error of a small network on points held out

    Source: Ben-David et al. 2007, section 5. Their classifier is linear and cannot see a
    difference in spread or correlation; this one has hidden layers, fed with x and x².
    """
    error = held_out_error(x, y, generator)
    return min(max(2 * (1 - 2 * error), 0.0), 2.0)


def held_out_error(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], generator: torch.Generator | None = None
) -> float:
    """Error in [0, 1] of a classifier trained to tell x from y, on points it never saw.

    Two folds: each half of both sets is held out once. Both sets weigh the same, whatever their
    sizes. Raises ValueError for fewer than 4 points a set.
    """
    _check_points(x=x, y=y)
    if min(len(x), len(y)) < 4:
        raise ValueError(f"x and y must have at least 4 rows each, got {len(x)} and {len(y)}")
    folds = []
    for points in (x.detach(), y.detach()):
        order = _draw(torch.randperm, len(points), like=points, generator=generator)
        folds.append(points[order].tensor_split(2))
    errors = []
    for train, test in ((0, 1), (1, 0)):
        score = _train_classifier(folds[0][train], folds[1][train], generator)
        errors.append((score(folds[0][test]) <= 0).double().mean())  # x has the positive scores
        errors.append((score(folds[1][test]) > 0).double().mean())
    return float(torch.stack(errors).mean())


@torch.enable_grad()
def _train_classifier(
    x: Tensor, y: Tensor, generator: torch.Generator | None
) -> Callable[[Tensor], Tensor]:
    """A function from points to logits, positive for those that look like x."""
    both = _double(torch.cat([x, y]))
    mean, scale = both.mean(dim=0), both.std(dim=0)
    scale = scale.clamp(min=max(float(scale.max()) * 1e-3, 1e-30))  # for pixels that never change

    def features(points: Tensor) -> Tensor:  # (n, 2d)
        z = ((_double(points) - mean) / scale).clamp(-5, 5).float()
        return torch.cat([z, z.square() - 1], dim=1)

    net = random_mlp(2 * x.shape[1], 1, 64, generator).to(mean.device).requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.1)
    sets = features(x), features(y)
    target = (torch.arange(256, device=mean.device) < 128).float()  # those of x come first
    for _ in range(200):
        batch = []
        for points in sets:
            i = _draw(torch.randint, len(points), (128,), like=points, generator=generator)
            batch.append(points[i])
        scores = net(torch.cat(batch))[:, 0]  # (256,)
        loss = F.binary_cross_entropy_with_logits(scores, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda points: net(features(points))[:, 0].detach()


def random_mlp(
    in_dim: int, out_dim: int, hidden: int = 64, generator: torch.Generator | None = None
) -> nn.Sequential:
    """A network of random weights with two hidden layers; fed with noise, it bends a Gaussian.

    Weights ~ N(0, 2 / fan-in) keep the scale through the layers (He et al. 2015, eq. 10), biases
    ~ N(0, 1/4) move the folds off the origin. The weights are fixed: none requires a gradient.
    """
    at_least_one(in_dim=in_dim, out_dim=out_dim, hidden=hidden)
    random_source(generator)
    device = generator.device if generator is not None else "cpu"
    layers = []
    for fan_in, fan_out in ((in_dim, hidden), (hidden, hidden), (hidden, out_dim)):
        layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, device=device).requires_grad_(False)
        layer.weight.normal_(std=math.sqrt(2 / fan_in), generator=generator)
        layer.bias.normal_(std=0.5, generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def kmeans(
    x: Float[Tensor, "n d"], k: int, steps: int = 10, generator: torch.Generator | None = None
) -> Float[Tensor, "k d"]:
    """k cluster centres after some steps of Lloyd's algorithm, from k random points of x.

    Each step assigns every point to its nearest centre, then moves each centre to the mean of its
    points; a centre without points stays. Raises ValueError where k exceeds the number of points.
    """
    _check_points(x=x)
    whole("k", k, most=len(x))
    whole("steps", steps, most=MANY)
    x = x.detach()
    shift = x.mean(dim=0)  # distances by matmul are accurate near the origin
    chosen = _draw(torch.randperm, len(x), like=x, generator=generator)[:k]
    centers = x[chosen] - shift
    for _ in range(steps):
        sums, counts = torch.zeros_like(centers), centers.new_zeros(k, 1)
        for rows in x.split(COLUMNS):
            rows = rows - shift
            nearest = (centers.square().sum(dim=1) - 2 * rows @ centers.T).argmin(dim=1)
            sums.index_add_(0, nearest, rows)
            counts.index_add_(0, nearest, counts.new_ones(len(rows), 1))
        centers = torch.where(counts > 0, sums / counts.clamp(min=1), centers)
    return centers + shift


def distance_concentration(
    d: int, n: int = 1000, generator: torch.Generator | None = None
) -> float:
    """Distance to the nearest over distance to the farthest of n points, seen from one query.

    Query and points are drawn from N(0, I) in d dimensions. The ratio goes to 1 as d grows, and
    "nearest" loses its meaning: about 0.01, 0.87, 0.97 on average at d = 2, 784, 12288.
    Source: Beyer et al. 1999.
    """
    at_least_one(d=d, n=n)
    random_source(generator)
    device = generator.device if generator is not None else None
    query, points = torch.randn(n + 1, d, generator=generator, device=device).split([1, n])
    distances = (points - query).norm(dim=1)  # (n,)
    return float(distances.min() / distances.max())


def _log_densities(x: Tensor, centers: Tensor, sigmas: list[float]) -> Tensor:
    """log p_σ(x) for every σ, (s, n) in float64, from one pass over the distances."""
    log_sums = []
    for blocks in _distances(x, centers, min(sigmas)):
        parts = [torch.stack([_exponent(d2, s).logsumexp(1) for s in sigmas]) for d2 in blocks]
        log_sums.append(torch.stack(parts).logsumexp(dim=0))  # (s, rows)
    m, d = centers.shape
    constants = [math.log(m) + d * math.log(s * math.sqrt(2 * math.pi)) for s in sigmas]
    log_sums = torch.cat(log_sums, dim=1)
    return log_sums - log_sums.new_tensor(constants)[:, None]


def _kernel_sum(x: Tensor, y: Tensor, sigmas: list[float]) -> Tensor:
    """Σᵢⱼ k(xᵢ, yⱼ), the kernel averaged over the bandwidths."""
    blocks = (d2 for row in _distances(x, y, min(sigmas)) for d2 in row)
    return sum(_exponent(d2, s).exp().sum() for d2 in blocks for s in sigmas) / len(sigmas)


def _exponent(d2: Tensor, sigma: float) -> Tensor:
    return d2.div(sigma).div_(-2 * sigma)  # σ² alone would underflow below 1e-154


def _distances(x: Tensor, y: Tensor, sigma: float) -> Iterator[Iterator[Tensor]]:
    """‖xᵢ − yⱼ‖² in float64: for each block of rows of x, its blocks of columns one by one.

    ‖a‖² + ‖b‖² − 2ab takes one matmul but rounds to eps · radius², so points are moved to the
    middle of their bounding box first. Where that is still too coarse for this sigma, the
    coordinates are subtracted one by one, ten times slower.
    """
    low = torch.minimum(x.detach().amin(dim=0), y.detach().amin(dim=0))
    high = torch.maximum(x.detach().amax(dim=0), y.detach().amax(dim=0))
    middle = (_double(low) + _double(high)) / 2
    radius = (_double(high) - middle).norm()
    rounding = torch.finfo(torch.float64).eps * (radius / sigma) ** 2  # of the exponent

    def centred(points: Tensor) -> tuple[Tensor, Tensor]:
        """float64, as middle is, and the squared lengths"""
        points = torch.sub(_near(points), middle)
        return points, torch.linalg.vector_norm(points, dim=1).square()

    def squared(a: Tensor, a2: Tensor, columns: Tensor) -> Tensor:
        b, b2 = centred(columns)
        if rounding > 1e-6:
            return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
        return (a2[:, None] + b2).addmm_(a, b.T, alpha=-2).clamp_(min=0)

    for rows in x.split(ROWS):
        a, a2 = centred(rows)
        yield (squared(a, a2, columns) for columns in y.split(COLUMNS))


def _near(x: Tensor) -> Tensor:
    """x where float64 exists: on the CPU in place of Apple's MPS."""
    return x.cpu() if x.device.type == "mps" else x


def _double(x: Tensor) -> Tensor:
    return _near(x).double()


def _draw(
    sample: Callable[..., Tensor], *size, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """`sample(*size)` on the generator's device (else on that of `like`), moved to `like`'s."""
    random_source(generator)
    device = generator.device if generator is not None else like.device
    dtype = like.dtype if sample is torch.randn else torch.int64
    return sample(*size, generator=generator, device=device, dtype=dtype).to(like.device)


def _check_points(**points: Tensor) -> None:
    """Raises unless every argument is a finite float tensor (n, d), all of one d and one device."""
    names = " and ".join(points)
    for name, x in points.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} must be a tensor (n, d), got {type(x).__name__}")
        if x.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"{name} must be float32 or float64, got {x.dtype}")
        if x.ndim != 2 or x.numel() == 0:
            raise ValueError(
                f"{name} must have shape (n, d) with n, d at least 1, got {tuple(x.shape)}"
            )
        finite(name, x)
    if len({x.shape[1] for x in points.values()}) > 1:
        shapes = ", ".join(str(tuple(x.shape)) for x in points.values())
        raise ValueError(f"{names} must have the same number of columns, got {shapes}")
    if len({x.device for x in points.values()}) > 1:
        devices = ", ".join(str(x.device) for x in points.values())
        raise ValueError(f"{names} must lie on one device, got {devices}")


def _bandwidths(sigmas: float | Sequence[float] | Tensor) -> list[float]:
    if isinstance(sigmas, int | float):
        sigmas = [sigmas]
    if not isinstance(sigmas, Sequence | Tensor):
        raise TypeError(f"sigmas must be a number or a sequence of them; got {sigmas!r}")
    values = [number("sigmas", s, above=0) for s in sigmas]
    if not values:
        raise ValueError("sigmas must hold at least one bandwidth, got none")
    return values
