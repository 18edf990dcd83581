"""How good are the samples? Distances between two sets of images, and between two images.

Sets are compared by their features: `FeatureNet` turns images into 64 numbers each, in which the
Fréchet distance, the kernel distance and precision and recall are measured. "FID" would mean
Inception's features, so the course says Fréchet distance. Beside every such number belongs its
floor: the same distance between two samples of real images, as many as were generated.

Everything takes float32 and computes in float64.
"""

import json
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import density
from course_lib.pretrained import load_weights

ROWS = 1000  # distances from so many points at a time: 80 MB against 10,000 others


def fit_gaussian(
    features: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, "d"], Float[Tensor, "d d"]]:
    """Mean and unbiased covariance of the features, in float64: `density.fit_gaussian`."""
    return density.fit_gaussian(_double("features", features, 2))


def frechet_distance(
    mean_a: Float[Tensor, "d"],
    cov_a: Float[Tensor, "d d"],
    mean_b: Float[Tensor, "d"],
    cov_b: Float[Tensor, "d d"],
) -> float:
    """The squared Fréchet (Wasserstein-2) distance between two Gaussians.

    ‖μₐ − μᵦ‖² + tr(Σₐ) + tr(Σᵦ) − 2 tr((Σₐ Σᵦ)^½)

    With Σₐ = L Lᵀ the eigenvalues of Σₐ Σᵦ are those of Lᵀ Σᵦ L, which is symmetric: the trace of the
    root is the sum of their square roots. No complex number appears, and either may be singular.

    Raises ValueError for NaN, shapes that disagree, and matrices that are no covariance.
    Source: Dowson and Landau 1982; Heusel et al. 2017, eq. 6.
    """
    mean_a, mean_b = _double("mean_a", mean_a, 1), _double("mean_b", mean_b, 1)
    cov_a, cov_b = _double("cov_a", cov_a, 2), _double("cov_b", cov_b, 2)
    d = len(mean_a)
    for name, value, shape in (
        ("cov_a", cov_a, (d, d)),
        ("mean_b", mean_b, (d,)),
        ("cov_b", cov_b, (d, d)),
    ):
        if value.shape != shape:
            raise ValueError(
                f"{name} must be {shape} beside mean_a ({d},); got {tuple(value.shape)}"
            )
    values, vectors = _eigh("cov_a", cov_a)
    _symmetric("cov_b", cov_b)
    root = vectors * values.clamp(min=0).sqrt()  # L
    product = torch.linalg.eigvalsh(root.T @ cov_b @ root)
    overlap = product.clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * overlap
    return max(distance.item(), 0.0)  # below 0 only by rounding


def kid(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> float:
    """Kernel distance: the unbiased squared MMD with the kernel k(a, b) = (a·b / d + 1)³.

    Over all pairs, none of a point with itself, so that it is 0 on average for two samples of one
    law, whatever their size, and may be negative. (The usual KID averages this over random subsets.)

    Raises ValueError for NaN, other ranks, different widths or fewer than 2 rows.
    Source: Bińkowski et al. 2018, section 3.
    """
    x, y = _two_sets("x", x, "y", y, rows=2)

    def total(a, b):
        return sum((part @ b.T / a.shape[1] + 1).pow_(3).sum() for part in a.split(ROWS))

    def within(a):
        itself = (a.square().sum(1) / a.shape[1] + 1).pow(3).sum()
        return (total(a, a) - itself) / (len(a) * (len(a) - 1))

    return (within(x) + within(y) - 2 * total(x, y) / (len(x) * len(y))).item()


def precision_recall(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3
) -> tuple[float, float]:
    """Precision: the share of fakes among the real. Recall: the share of the real among the fakes.

    A point is "among" a set when it lies within the ball around one of its members that reaches to
    that member's k-th nearest neighbour in the set. A point is not its own neighbour.

    Raises ValueError for NaN, other ranks, different widths or k ≥ the rows of either set.
    Source: Kynkäänniemi et al. 2019, eq. 1 and 2 (k = 3).
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"k, the number of neighbours, must be an integer above 0; got {k!r}")
    real, fake = _two_sets("real", real, "fake", fake, rows=k + 1)
    centre = real.mean(0)  # distances by a·b lose digits far from the origin
    real, fake = real - centre, fake - centre
    # rounding must not part a point from its double: distances are known to ~1e-16 of this
    slack = 1e-12 * max(real.square().sum(1).max(), fake.square().sum(1).max())

    def distances(a, b):
        return (a.square().sum(1, keepdim=True) + b.square().sum(1)).addmm_(a, b.T, alpha=-2)

    def radii(a):
        parts = a.split(ROWS)  # the k + 1 nearest of the set include the point itself
        return torch.cat([distances(p, a).topk(k + 1, largest=False).values[:, k] for p in parts])

    def share(points, support):
        reach = radii(support) + slack
        inside = [(distances(p, support) <= reach).any(1) for p in points.split(ROWS)]
        return torch.cat(inside).double().mean().item()

    return share(fake, real), share(real, fake)


def psnr(
    a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"], data_range: float = 2.0
) -> float:
    """Peak signal-to-noise ratio in decibels, of one mean squared error over everything given.

    10 log₁₀(data_range² / MSE), infinite for equal images. The range of [-1, 1] is 2.
    """
    a, b = _two_images(a, b, data_range)
    error = (a - b).square().mean().item()
    return 10 * math.log10(data_range**2 / error) if error else math.inf


def ssim(
    a: Float[Tensor, "B C H W"], b: Float[Tensor, "B C H W"], data_range: float = 2.0
) -> float:
    """Structural similarity: how alike brightness, contrast and pattern are around each pixel.

    (2μₐμᵦ + c₁)(2σₐᵦ + c₂) / ((μₐ² + μᵦ² + c₁)(σₐ² + σᵦ² + c₂)),   c₁ = (0.01 range)², c₂ = (0.03 range)²

    Means and (co)variances in a Gaussian window of 11 × 11 with σ = 1.5, at every place where it fits;
    averaged over places, channels and images. 1 for equal images.

    Raises ValueError for images smaller than 11 pixels, NaN or shapes that differ.
    Source: Wang et al. 2004, eq. 13; as scikit-image's with `gaussian_weights=True`.
    """
    a, b = _two_images(a, b, data_range)
    if a.ndim != 4 or min(a.shape[2:]) < 11:
        raise ValueError(f"a must be (B, C, H, W) of at least 11 × 11 pixels; got {tuple(a.shape)}")
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    taps = torch.exp(-torch.arange(-5, 6, dtype=a.dtype, device=a.device).square() / (2 * 1.5**2))
    taps = taps / taps.sum()

    def blur(x):  # (B, C, H, W) -> (B C, 1, H - 10, W - 10)
        return F.conv2d(F.conv2d(x.flatten(0, 1)[:, None], taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    brightness = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    pattern = (2 * covariance + c2) / (var_a + var_b + c2)
    return (brightness * pattern).mean().item()


def sharpness(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B"]:
    """Variance of the Laplacian of each image's mean over channels: 0 for a flat image or a ramp.

    The Laplacian is up + down + left + right − 4 · centre, at every pixel inside the border.
    Source: Pech-Pacheco et al. 2000.
    """
    grey = _double("x", x, 4).mean(1)
    if min(grey.shape[1:]) < 3:
        raise ValueError(f"x must be at least 3 × 3 pixels; got {tuple(x.shape)}")
    laplacian = (
        grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    ) - 4 * grey[:, 1:-1, 1:-1]
    return laplacian.flatten(1).var(1, correction=0).to(x)


def _double(name: str, x: Tensor, rank: int | None = None) -> Tensor:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"{name} must be a floating-point tensor; got {kind}")
    if x.numel() == 0 or (rank is not None and x.ndim != rank):
        wanted = "not empty" if rank is None else f"a non-empty tensor of {rank} dimensions"
        raise ValueError(f"{name} must be {wanted}; got shape {tuple(x.shape)}")
    x = x.detach()
    x = (x.cpu() if x.device.type == "mps" else x).double()  # MPS knows no float64
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} must be finite; it contains NaN or infinity")
    return x


def _two_sets(name_a: str, a: Tensor, name_b: str, b: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    a, b = _double(name_a, a, 2), _double(name_b, b, 2)
    for name, x in ((name_a, a), (name_b, b)):
        if len(x) < rows:
            raise ValueError(f"{name} must have at least {rows} rows; got {len(x)}")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{name_a} and {name_b} must have rows of one length; got {a.shape[1]} and {b.shape[1]}"
        )
    return a, b


def _two_images(a: Tensor, b: Tensor, data_range: float) -> tuple[Tensor, Tensor]:
    if not 0 < data_range < math.inf:
        raise ValueError(f"data_range must be above 0; got {data_range}")
    a, b = _double("a", a), _double("b", b)
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape; got {tuple(a.shape)} and {tuple(b.shape)}")
    return a, b


def _symmetric(name: str, cov: Tensor) -> None:
    if (cov - cov.T).abs().max() > 1e-5 * cov.abs().max():  # float32's rounding, generously
        raise ValueError(f"{name} must be a covariance; it is not symmetric")


def _eigh(name: str, cov: Tensor) -> tuple[Tensor, Tensor]:
    _symmetric(name, cov)
    values, vectors = torch.linalg.eigh(cov)
    if values[0] < -1e-4 * values[-1].abs():
        raise ValueError(f"{name} must be a covariance; it has the eigenvalue {values[0]:.3g}")
    return values, vectors
