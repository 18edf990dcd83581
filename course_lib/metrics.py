"""How good are the samples? Distances between two sets of images, and between two images.

Sets are compared by their features: `FeatureNet` turns images into 64 numbers each, in which the
Fréchet distance, the kernel distance and precision and recall are measured. "FID" would mean
Inception's features, so the course says Fréchet distance. Beside every such number belongs its
floor: the same distance between two samples of real images, as many as were generated.

Everything takes float32 and computes in float64.
"""

import functools
import math
import urllib.error
from collections.abc import Iterable
from http.client import HTTPException

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.checks import finite, floats, instance, number, present, whole
from course_lib.data import downloads
from course_lib.pretrained import load_weights

ROWS = 1000  # distances from so many points at a time: 80 MB against 10,000 others


def fit_gaussian(
    features: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Mean and unbiased covariance of the features, in float64, as a Fréchet distance needs them.

    Raises ValueError for fewer than two rows.
    """
    features = _double("features", features, 2)
    n, d = features.shape
    if n < 2:
        raise ValueError(f"features must have at least 2 rows for a covariance; got {n}")
    return features.mean(dim=0), torch.cov(features.T).reshape(d, d)


def frechet_distance(
    mean_a: Float[Tensor, " d"],
    cov_a: Float[Tensor, "d d"],
    mean_b: Float[Tensor, " d"],
    cov_b: Float[Tensor, "d d"],
) -> float:
    """The squared Fréchet (Wasserstein-2) distance between two Gaussians.

    ‖μₐ − μᵦ‖² + tr(Σₐ) + tr(Σᵦ) − 2 tr((Σₐ Σᵦ)^½)

    With Σₐ = L Lᵀ the eigenvalues of Σₐ Σᵦ are those of Lᵀ Σᵦ L, which is symmetric: the trace of
    the root is the sum of their square roots. No complex number appears; both may be singular.

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
    _symmetric("cov_a", cov_a)
    _symmetric("cov_b", cov_b)
    root, singular = torch.linalg.cholesky_ex(cov_a)  # L
    if singular:  # or no covariance at all, which _eigh says
        values, vectors = _eigh("cov_a", cov_a)
        root = vectors * values.clamp(min=0).sqrt()
    product = torch.linalg.eigvalsh(root.T @ cov_b @ root)
    _positive("cov_b", product)
    overlap = product.clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * overlap
    return max(distance.item(), 0.0)  # below 0 only by rounding


def kid(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> float:
    """Kernel distance: the unbiased squared MMD with the kernel k(a, b) = (a·b / d + 1)³.

    Over all pairs, none of a point with itself, so that it is 0 on average for two samples of one
    distribution, whatever their size, and may be negative. (Often it is averaged over random
    subsets.)

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
    k = whole("k", k, unit="neighbours")
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


def psnr(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"], data_range: float = 2.0) -> float:
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

    (2μₐμᵦ + c₁)(2σₐᵦ + c₂) / ((μₐ² + μᵦ² + c₁)(σₐ² + σᵦ² + c₂))

    with c₁ = (0.01 data_range)² and c₂ = (0.03 data_range)². Means and (co)variances in a Gaussian
    window of 11 × 11 with σ = 1.5, at every place where it fits; averaged over places, channels and
    images. 1 for equal images. (Made for values from 0 up: on [-1, 1] grey counts as black, and
    the number is another than on [0, 1].)

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
        return F.conv2d(
            F.conv2d(x.flatten(0, 1)[:, None], taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1)
        )

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    brightness = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    pattern = (2 * covariance + c2) / (var_a + var_b + c2)
    return (brightness * pattern).mean().item()


def sharpness(x: Float[Tensor, "B C H W"]) -> Float[Tensor, " B"]:
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
    x = finite(name, present(name, floats(name, x, rank))).detach()
    return (x.cpu() if x.device.type == "mps" else x).double()  # MPS knows no float64


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
    number("data_range", data_range, above=0)
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
    _positive(name, values)
    return values, vectors


def _positive(name: str, eigenvalues: Tensor) -> None:
    if eigenvalues[0] < -1e-4 * eigenvalues[-1].abs():  # beyond float32's rounding
        raise ValueError(
            f"{name} must be a covariance; it has a negative variance in one direction"
        )


# Networks that look at images. They come trained; `pretrained/train.py` says how.

# data set -> channels, the size that the networks see, attribute -> number of its values
TASKS = {
    "fashion": (1, 32, {"class": 10}),
    "peeps": (3, 64, {"glasses": 2, "facial_hair": 2, "face": 27, "head": 47, "skin": 5}),
}
AT_ONCE = 500  # images through a network


class _Judge(nn.Module):
    """A trunk that makes 64 numbers of an image, and a linear classifier per attribute on top."""

    def __init__(self, dataset: str, trunk: nn.Module):
        super().__init__()
        self.channels, self.size, attributes = TASKS[dataset]
        self.trunk = trunk
        self.heads = nn.ModuleDict({key: nn.Linear(64, n) for key, n in attributes.items()})
        self.attribute = next(iter(attributes)) if len(attributes) == 1 else None

    def forward(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The scores of every attribute: attribute -> (B, values)."""
        features = self.describe(x)
        return {key: head(features) for key, head in self.heads.items()}

    def describe(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 64"]:
        """The features of one batch, with gradients."""
        return self.trunk(_resized(x, self.size))

    @torch.no_grad()
    def features(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 64"]:
        """64 numbers per image."""
        return torch.cat([self.describe(part) for part in self._parts(x)])

    @torch.no_grad()
    def probabilities(
        self, x: Float[Tensor, "B C H W"], attribute: str | None = None
    ) -> Float[Tensor, "B values"]:
        """The probability of each value of an attribute (of the only one, where there is one)."""
        attribute = attribute or self.attribute
        if attribute not in self.heads:
            raise ValueError(f"attribute must be one of {', '.join(self.heads)}; got {attribute!r}")
        return torch.cat([self(part)[attribute].softmax(1) for part in self._parts(x)])

    def classify(
        self, x: Float[Tensor, "B C H W"], attribute: str | None = None
    ) -> Int[Tensor, " B"]:
        """The likeliest value of an attribute."""
        return self.probabilities(x, attribute).argmax(1)

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        _check_pictures(x, self.channels)
        weight = next(self.parameters())
        return x.to(weight.device, weight.dtype).split(AT_ONCE)


class FeatureNet(_Judge):
    """A small convolutional classifier whose last hidden layer describes an image in 64 numbers.

    name: "fashion" (1 channel; taught 10 classes) or "peeps" (3 channels; taught 5 attributes). It
    was also taught to draw the image at 8 × 8 from them, so that they hold colours and layout.
    The course's Fréchet distance is that of these features: with `a = net.features(images)`,
    `frechet_distance(*fit_gaussian(a), *fit_gaussian(b))`. Over the training images each feature
    has mean 0 and variance 1.

    Images are float in [-1, 1], (B, C, H, W), at least 28 × 28. The network sees fashion at 32 × 32
    and peeps at 64 × 64: 28 × 28 gets a border of 2 black pixels, any other size is resized
    (bilinear, antialiased). So compare sets of images of one size only.

    Raises ValueError for an unknown name, other channels, smaller images, NaN or values outside
    [-1, 1]; TypeError for integers.
    """

    def __init__(self, name: str, pretrained: bool = True):
        channels, size, _ = _taught(name, TASKS)
        fold = size // 16  # pixels become channels, until the map is 16 × 16
        trunk = nn.Sequential(
            nn.PixelUnshuffle(fold),
            *_convolution(channels * fold**2, 48, 3),
            *_convolution(48, 48, 3),
            nn.MaxPool2d(2),
            *_convolution(48, 96, 3),
            *_convolution(96, 96, 3),
            nn.MaxPool2d(2),
            *_convolution(96, 96, 3),
            nn.Flatten(),
            nn.Linear(96 * 4 * 4, 64),
            nn.BatchNorm1d(64, affine=False),
        )
        super().__init__(name, trunk)
        if pretrained:
            load_weights(f"features_{name}", self)


class Classifier(_Judge):
    """Another judge, of another architecture and seed, to say whether the asked class came.

    Its features are a second opinion on a Fréchet distance: no model of the course was chosen by
    them. Their scale is another one, so give their floor beside it.

    name: "fashion", "peeps", or "peeps_glasses", "peeps_skin", … for one attribute of peeps, which
    then is the one that `classify` and `probabilities` answer about. Images as for `FeatureNet`.
    """

    def __init__(self, name: str, pretrained: bool = True):
        dataset, _, attribute = instance("name", name, str).partition("_")
        names = [*TASKS, *(f"peeps_{key}" for key in TASKS["peeps"][2])]
        channels, size, _ = _taught(name, names)
        widths = (32, 64, 128) if size == 32 else (24, 48, 96, 128)  # down to 4 × 4
        layers = [
            layer
            for inputs, outputs in zip((channels, *widths), widths, strict=False)
            for layer in _convolution(inputs, outputs, 5, stride=2)
        ]
        features = (nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 4 * 4, 64), nn.LeakyReLU(0.1))
        super().__init__(dataset, nn.Sequential(*layers, *features))
        self.attribute = attribute or self.attribute
        if pretrained:
            load_weights(f"classifier_{dataset}", self)


def _check_pictures(x: Tensor, *channels: int) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"x must be float images in [-1, 1], as `.floats()` gives; got {kind}")
    if x.ndim != 4 or x.shape[1] not in channels or min(x.shape[2:]) < 28 or not len(x):
        wanted = " or ".join(map(str, channels))
        raise ValueError(f"x must be (B, {wanted}, H, W) of at least 28 × 28; got {tuple(x.shape)}")
    if not x.abs().max() <= 1 + 1e-3:
        raise ValueError(f"x must lie in [-1, 1]; got {x.min():.3g} … {x.max():.3g}")


def _taught(name: str, names: Iterable[str]) -> tuple[int, int, dict[str, int]]:
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}; got {name!r}")
    return TASKS[name.partition("_")[0]]


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)]


def _resized(x: Tensor, size: int) -> Tensor:
    if x.shape[2:] == (28, 28) and size == 32:
        return F.pad(x, (2, 2, 2, 2), value=-1.0)
    if x.shape[2:] == (size, size):
        return x
    return F.interpolate(x, (size, size), mode="bilinear", antialias=True)


# Inception, for numbers that are nearer to the published ones

INCEPTION = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"
INCEPTION_SHA256 = "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef"


def inception_features(
    x: Float[Tensor, "B C H W"], net: nn.Module | None = None
) -> Float[Tensor, "B 2048"]:
    """Inception's 2,048 numbers per image, in which the Fréchet distance is called FID.

    The weights are torchvision's, downloaded once (104 MB) and checked by their SHA-256 whenever
    they are loaded, before a byte of them is looked at. Published
    FIDs were measured with TensorFlow's weights and its way to resize: they are other numbers.
    Compare those of this function with each other only. `net`: a network of one's own instead,
    from (B, 3, 299, 299) to features.

    Images are float in [-1, 1], with 1 or 3 channels, at least 28 × 28; they are resized.
    Raises ConnectionError where the weights are not to be had; ValueError and TypeError as
    `FeatureNet` does. Source: Szegedy et al. 2016; Heusel et al. 2017.
    """
    _check_pictures(x, 1, 3)
    net = _inception() if net is None else net
    weight = next(net.parameters())
    with torch.no_grad():
        parts = (_resized(part.to(weight), 299) for part in x.split(AT_ONCE // 10))
        return torch.cat([net(part.expand(-1, 3, -1, -1)) for part in parts])


@functools.cache
def _inception() -> nn.Module:
    from torchvision.models import inception_v3  # slow to import

    try:
        path = downloads.fetch(INCEPTION, sha256=INCEPTION_SHA256)
    except (
        urllib.error.URLError,
        HTTPException,
        TimeoutError,
        ConnectionError,
        ValueError,
    ) as error:
        raise ConnectionError(
            f"torchvision's Inception weights could not be downloaded: {error}. "
            "`FeatureNet` comes with its weights and needs no network"
        ) from error
    net = inception_v3(weights=None, init_weights=False)  # [-1, 1] is what it takes
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    net.fc = nn.Identity()
    return net.eval()
