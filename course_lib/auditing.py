"""Questions to put to a generator, each answered by a number and how sure that number is.

Does it copy its training images, and do its losses give them away? Which share of an attribute
went in, and which comes out? Can its pictures be told from real ones, by whom, and after what? Can
they be marked, so that the mark outlives a JPEG and is seldom found where there is none?
"""

import io
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from PIL import Image
from torch import Tensor, nn

from course_lib.checks import (
    finite,
    floats,
    function,
    instance,
    named,
    number,
    present,
    random_source,
    reals,
    whole,
)
from course_lib.gan import nearest_neighbours

Interval = tuple[float, float]


# How sure a share is


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Where a share lies, of which `successes` of n draws were seen: Wilson's interval.

    All p that are not refuted by k of n:  |k/n − p| ≤ z √(p (1 − p) / n).  So 0 of 20 gives
    0 … 0.161 and not 0 … 0. Raises ValueError unless 0 ≤ successes ≤ n, n ≥ 1, 0 < level < 1.
    Source: Wilson 1927; Brown, Cai and DasGupta 2001, eq. 4.
    """
    whole("successes", successes, 0, most=whole("n", n))
    z = _normal_quantile(level)
    middle = (successes + z**2 / 2) / (n + z**2)
    half = z * math.sqrt(successes * (n - successes) / n + z**2 / 4) / (n + z**2)
    return (
        max(middle - half, 0.0) if successes else 0.0,
        min(middle + half, 1.0) if successes < n else 1.0,
    )


def _normal_quantile(level: float) -> float:
    if not 0 < number("level", level) < 1:
        raise ValueError(f"level must lie between 0 and 1; got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


# Does it copy?

NEIGHBOURS = 10  # images that the nearest one is compared with
CALIBRATED_ON = 500  # training images, at most, that set the threshold


def copy_ratios(
    generated: Shaped[Tensor, "n ..."], training: Shaped[Tensor, "m ..."]
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """How much nearer each picture is to one training image than to the next ones, and to which.

    ‖x − a₁‖ / mean of ‖x − a₂‖ … ‖x − a₁₁‖,  a₁, a₂, … the different training images, nearest first

    0 for a copy, near 1 for a picture that has no original. The ratio, not the distance: between
    two almost white pictures every distance is small. Exact duplicates in `training` count once, or
    the second copy of an original would hide the first. Pictures, or the features of pictures (a
    copy moved by one pixel is far off in pixels). Raises ValueError for fewer than 3 different
    training images, NaN, shapes that disagree. Source: the adaptive threshold of Carlini et al.
    2023, section 5.1, and the ratio of Yoon et al. 2023.
    """
    _alike(generated=generated, training=training)
    distinct, first = _distinct(training)
    indices, ratios = _ratios(generated, distinct, skip=0)
    return ratios, first[indices]


def copy_threshold(
    held_out: Shaped[Tensor, "n ..."], training: Shaped[Tensor, "m ..."], level: float = 0.01
) -> float:
    """The ratio below which at most a share `level` of new real images would be called copies.

    The r-th smallest ratio of the held-out images, r = ⌊level (n + 1)⌋: a further real image falls
    below it with probability r / (n + 1), whatever the data. Raises ValueError for fewer than
    1 / level − 1 images, as `copy_ratios`, and unless 0 < level < 1.
    Source: Vovk et al. 2005 (conformal prediction).
    """
    if not 0 < number("level", level) < 1:
        raise ValueError(f"level must lie between 0 and 1; got {level}")
    _alike(held_out=held_out, training=training)
    rank = math.floor(level * (len(held_out) + 1) + 1e-9)
    if rank < 1:
        needed = math.ceil(1 / level - 1e-9) - 1
        raise ValueError(
            f"held_out must hold at least {needed} images for level {level:g}; got {len(held_out)}"
        )
    return copy_ratios(held_out, training)[0].sort().values[rank - 1].item()


def memorisation_rate(
    generated: Shaped[Tensor, "n ..."],
    training: Shaped[Tensor, "m ..."],
    threshold: float | None = None,
) -> float:
    """The share of the generated pictures whose `copy_ratios` lie below the threshold.

    Its interval is `wilson_interval(round(rate * n), n)`. threshold: from `copy_threshold`, on real
    images that the generator never saw. None holds training images out instead, one at a time: the
    ratio of each among all others (of 500 at most), and of these ratios the lowest hundredth is
    called a copy (the lowest one, where there are fewer than 99). Raises as `copy_ratios`.
    """
    _alike(generated=generated, training=training)
    if threshold is None:
        threshold = _left_out_threshold(training)
    number("threshold", threshold, 0)
    ratios, _ = copy_ratios(generated, training)
    return (ratios < threshold).double().mean().item()


def _left_out_threshold(training: Tensor, level: float = 0.01) -> float:
    distinct, _ = _distinct(training)
    chosen = torch.linspace(0, len(distinct) - 1, min(len(distinct), CALIBRATED_ON)).round().long()
    _, ratios = _ratios(distinct[chosen], distinct, skip=1)
    rank = max(math.floor(level * (len(ratios) + 1)), 1)
    return ratios.sort().values[rank - 1].item()


def _ratios(queries: Tensor, images: Tensor, skip: int) -> tuple[Tensor, Tensor]:
    """(the nearest image, the ratio) of each query; skip=1 where it is one of the images."""
    k = min(skip + 1 + NEIGHBOURS, len(images))
    indices, distances = nearest_neighbours(queries, images, k)
    ratios = distances[:, skip] / distances[:, skip + 1 :].mean(1)
    return indices[:, skip], ratios


def _alike(**sets: Tensor) -> None:
    """Raises unless all are pictures, or features, of one size and one range of values."""
    (first, some), *_ = sets.items()
    for name, x in sets.items():
        if not isinstance(x, Tensor) or x.is_complex():
            kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise TypeError(f"{name} must be a tensor of pictures; got {kind}")
        if not present(name, x).numel():
            raise ValueError(f"{name} must hold at least one picture; got {tuple(x.shape)}")
        if x.is_floating_point() != some.is_floating_point():
            raise TypeError(f"{first} and {name} must share one range; got {some.dtype}, {x.dtype}")
        if x.shape[1:] != some.shape[1:] or x.ndim < 2:
            shapes = f"{tuple(some.shape)} and {tuple(x.shape)}"
            raise ValueError(f"{first} and {name} must be (n, …) and of one size; got {shapes}")


def _distinct(images: Tensor) -> tuple[Tensor, Tensor]:
    """The different images in their order, and the place of each in `images`."""
    if images.isnan().any():
        raise ValueError("training must be numbers; it contains NaN")
    unique, group = torch.unique(images.flatten(1), dim=0, return_inverse=True)
    if len(unique) < 3:
        raise ValueError(
            f"training must hold at least 3 different images; got {len(unique)} of {len(images)}"
        )
    places = torch.arange(len(images), device=images.device)
    first = torch.full((len(unique),), len(images), device=images.device)
    first = first.scatter_reduce(0, group, places, "amin").sort().values
    return images[first], first


def seen_share(
    generated: Shaped[Tensor, "n ..."],
    training: Shaped[Tensor, "m ..."],
    held_out: Shaped[Tensor, "m ..."],
) -> tuple[float, Interval]:
    """How often the real image nearest to a generated one is one that the generator has seen.

    The control of attribution by neighbours: `held_out` are as many images that it never saw. A
    share of ½ says that "the nearest image" is no trace of training at all. With its interval
    (Wilson, 95 %). Equally near: the unseen image counts. Pictures, or their features.
    """
    _alike(generated=generated, training=training, held_out=held_out)
    if len(training) != len(held_out):
        raise ValueError(
            f"held_out must be as many as training, {len(training)}; got {len(held_out)}"
        )
    indices, _ = nearest_neighbours(generated, torch.cat([held_out, training]))
    return _share(indices[:, 0] >= len(held_out))


def _share(which: Bool[Tensor, " n"]) -> tuple[float, Interval]:
    k, n = int(which.sum()), len(which)
    return k / n, wilson_interval(k, n)


# How well do scores tell two kinds apart?


def roc_auc(scores: Shaped[Tensor, " n"], labels: Shaped[Tensor, " n"]) -> float:
    """How often a random positive scores above a random negative; a tie counts ½.

    (Σ ranks of the positives − m (m + 1) / 2) / (m · n),  equal scores sharing their mean rank

    labels: True or 1 for the positive class, whose scores should be high. It depends on the order
    of the scores only. Raises ValueError for NaN, other labels, shapes that disagree, and where one
    class is missing. Source: Mann and Whitney 1947; Hanley and McNeil 1982.
    """
    scores, labels = _scored(scores, labels)
    _, place, count = torch.unique(scores, return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count.double() - 1) / 2)[place]  # from 1, ties share the mean
    m, n = int(labels.sum()), int((~labels).sum())
    return (rank[labels].sum().item() - m * (m + 1) / 2) / (m * n)


class RocCurve(NamedTuple):
    """The two rates of "score ≥ threshold", from the strictest threshold (∞) to the laxest."""

    false_positive_rate: Float[Tensor, " k"]
    true_positive_rate: Float[Tensor, " k"]
    thresholds: Float[Tensor, " k"]


def roc_curve(scores: Shaped[Tensor, " n"], labels: Shaped[Tensor, " n"]) -> RocCurve:
    """Both rates at every score that occurs; the area below is `roc_auc`. Raises as that."""
    scores, labels = _scored(scores, labels)
    thresholds = torch.cat([scores.new_tensor([math.inf]), scores.unique().flip(0)])

    def rate(some):  # of them, how many reach each threshold
        below = torch.searchsorted(some.sort().values, thresholds)
        return (len(some) - below).double() / len(some)

    return RocCurve(rate(scores[~labels]), rate(scores[labels]), thresholds)


def threshold_at(negative_scores: Shaped[Tensor, " n"], false_positive_rate: float) -> float:
    """The lowest of the scores above which lie at most that share of the negatives.

    For `score > threshold`. Take it from real images held out from training, never from those
    that it is then judged by. Raises ValueError for NaN, no scores, a rate outside [0, 1).
    """
    if not 0 <= number("false_positive_rate", false_positive_rate) < 1:
        raise ValueError(f"false_positive_rate must lie in [0, 1); got {false_positive_rate}")
    scores = _row("negative_scores", negative_scores)
    allowed = math.floor(false_positive_rate * len(scores) + 1e-9)
    return scores.sort(descending=True).values[allowed].item()


def auc_interval(auc: float, positives: int, negatives: int, level: float = 0.95) -> Interval:
    """Where the area under the curve lies, measured on so many of each kind.

    All A with |auc − A| ≤ z · SE(A), after Hanley and McNeil's standard error, in which the two
    numbers are replaced by their mean: as Wilson's interval, it is not empty at an area of 1.
    Raises ValueError for what is no area, and for an empty class.
    Source: Newcombe 2006, method 5.
    """
    number("auc", auc, 0, 1)
    whole("positives", positives), whole("negatives", negatives)
    z, mean = _normal_quantile(level), (positives + negatives) / 2

    def refuted(a):
        spread = 1 + (mean - 1) * ((1 - a) / (2 - a) + a / (1 + a))
        return (auc - a) ** 2 > z**2 * a * (1 - a) * spread / (positives * negatives)

    return _last(auc, 0.0, refuted), _last(auc, 1.0, refuted)


def _last(inside: float, outside: float, refuted: Callable) -> float:
    """By halving: the value nearest to `outside` that is not refuted."""
    if not refuted(outside):  # only where `outside` is what was measured
        return outside
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if refuted(middle) else (middle, outside)
    return inside


def membership_auc(
    losses_members: Float[Tensor, " m"], losses_non_members: Float[Tensor, " n"]
) -> float:
    """How often a training image has a lower loss than an image the model never saw; a tie is ½.

    ½: the losses betray nothing. Both must come from one law, or they can be told apart without
    any model. Raises ValueError for NaN and where one side is empty. Source: Yeom et al. 2018.
    """
    members = _row("losses_members", losses_members)
    others = _row("losses_non_members", losses_non_members).to(members.device)
    labels = torch.arange(len(members) + len(others), device=members.device) < len(members)
    return roc_auc(-torch.cat([members, others]), labels)


def _row(name: str, values: Tensor) -> Float[Tensor, " n"]:
    values = values.detach() if isinstance(values, Tensor) else reals(name, values)
    if present(name, values).is_complex():
        raise TypeError(f"{name} must be real numbers; got {values.dtype}")
    values = (values.cpu() if values.device.type == "mps" else values).double()
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must be (n,), one number an image; got {tuple(values.shape)}")
    if values.isnan().any():
        raise ValueError(f"{name} must be numbers; they contain NaN")
    return values


def _scored(scores: Tensor, labels: Tensor) -> tuple[Tensor, Bool[Tensor, " n"]]:
    scores = _row("scores", scores)
    labels = labels if isinstance(labels, Tensor) else reals("labels", labels)
    labels = present("labels", labels).to(scores.device)
    if labels.shape != scores.shape:
        raise ValueError(
            f"labels must be one a score, {tuple(scores.shape)}; got {tuple(labels.shape)}"
        )
    positive = _yes("labels", labels)
    if positive.all() or not positive.any():
        raise ValueError("labels must name both classes; here all are the same")
    return scores, positive


def _yes(name: str, answers: Tensor) -> Bool[Tensor, " n"]:
    if answers.is_complex():
        raise TypeError(f"{name} must be 0 or 1, or False or True; got {answers.dtype}")
    if not ((answers == 0) | (answers == 1)).all():
        raise ValueError(f"{name} must be 0 or 1, or False or True; got {answers.unique()[:5]}")
    return answers.bool()


# Can its pictures be told?


class DetectionStep:
    """One lesson of a detector for `training.train`: data against fakes drawn from `fakes`.

    A detector is any network from pictures to scores (B,), high for fakes: it makes small
    −log(1 − p) for data and −log p for fakes, p = sigmoid(score). Both go through in one batch, so
    that BatchNorm cannot tell them apart by the company they keep.
    """

    def __init__(self, detector: nn.Module, fakes: Float[Tensor, "n C H W"], lr: float = 1e-3):
        instance("detector", detector, nn.Module), number("lr", lr, 0)
        finite("fakes", present("fakes", floats("fakes", fakes, 4)))
        self.detector, self.fakes = detector, fakes.to(next(detector.parameters()).device)
        self.optimizer = torch.optim.Adam(detector.parameters(), lr)

    def __call__(self, real: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        weight = next(self.detector.parameters())
        if floats("real", real, 4, like=weight).shape[1:] != self.fakes.shape[1:]:
            raise ValueError(
                f"fakes must have the shape of the data, {tuple(real.shape[1:])}; got "
                f"{tuple(self.fakes.shape[1:])}"
            )
        some = torch.randint(len(self.fakes), (len(real),), device=real.device)
        scores = self.detector(torch.cat([real, self.fakes[some]]))
        is_fake = torch.cat(
            [torch.zeros_like(scores[: len(real)]), torch.ones_like(scores[len(real) :])]
        )
        loss = F.binary_cross_entropy_with_logits(scores, is_fake)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}


@torch.no_grad()
def detect(detector: nn.Module, x: Float[Tensor, "n C H W"]) -> Float[Tensor, " n"]:
    """The detector's scores of any number of pictures, in evaluation mode."""
    instance("detector", detector, nn.Module), present("x", floats("x", x, 4))
    weight, training = next(detector.parameters()), detector.training
    detector.eval()
    try:
        return torch.cat([detector(part.to(weight)).float() for part in x.split(256)])
    finally:
        detector.train(training)


# Which attributes come out?


def attribute_shares(
    classifier: Callable, images: Float[Tensor, "n C H W"]
) -> tuple[float, Interval]:
    """The share of images that have an attribute, and Wilson's interval for it (95 %).

    classifier: `metrics.Classifier("peeps_glasses")`, or any function images -> (n,) of yes and no.
    Where an attribute has more than two values, ask for one: `lambda x: net.classify(x) == 3`. The
    classifier errs too, and the interval does not know of it: measure real images beside.
    Raises ValueError for no images, other answers, or another number of them.
    """
    function("classifier", classifier)
    finite("images", present("images", floats("images", images, 4)))
    answers = torch.as_tensor(_asked(classifier, images))
    if answers.shape != (len(images),):
        raise ValueError(
            f"classifier must answer once an image, ({len(images)},); got {tuple(answers.shape)}"
        )
    return _share(_yes("classifier's answers", answers))


def _asked(classifier: Callable, images: Tensor) -> Tensor:
    if not hasattr(classifier, "probabilities"):
        return classifier(images)
    probabilities = classifier.probabilities(images)
    if probabilities.shape[1] != 2:
        raise ValueError(
            f"classifier must say yes or no; this attribute has {probabilities.shape[1]} values: "
            "ask for one of them, `lambda x: net.classify(x) == 3`"
        )
    return probabilities.argmax(1)


class Amplification(NamedTuple):
    """What became of a share, on its two scales; `points` has the interval."""

    points: float  # generated − training, in percentage points
    ratio: float  # generated / training
    interval: Interval | None  # of the points
    verdict: str  # "amplified", "weakened", "not shown", or "" without an interval


def amplification(
    training_share: float, generated_share: float, interval: Interval | None = None
) -> Amplification:
    """From the share that went in to the share that came out: 0.7 -> 0.8 is +10 points, × 1.14.

    interval: of the generated share, as `attribute_shares` returns it. The verdict is "amplified"
    where all of it lies beyond the training share, farther from ½ than that; "weakened" on the
    other side; "not shown" where it holds the training share. (From exactly ½, both ways amplify.)
    Raises ValueError for shares outside [0, 1], for a training share of 0, and for an interval
    without the generated share. Source: Zhao et al. 2017, eq. 3, for the difference.
    """
    number("training_share", training_share, 0, 1)
    number("generated_share", generated_share, 0, 1)
    if training_share == 0:
        raise ValueError("training_share must be above 0: nothing can be a multiple of 0")
    points, verdict, around = 100 * (generated_share - training_share), "", None
    if interval is not None:
        low, high = interval
        if not low <= generated_share <= high:
            raise ValueError(
                f"interval must hold generated_share, {generated_share}; got {interval}"
            )
        around = (100 * (low - training_share), 100 * (high - training_share))
        outwards = abs(generated_share - 0.5) > abs(training_share - 0.5)
        beyond = low > training_share or high < training_share
        verdict = ("amplified" if outwards else "weakened") if beyond else "not shown"
    return Amplification(points, generated_share / training_share, around, verdict)


# A mark that one can test for
#
# The picture is taken apart into waves (the cosines of JPEG, over the whole picture). For each of
# 49 the key names a grid of equally spaced values, and marking moves the wave's coefficient to the
# nearest value of its grid. Who has the key sees all coefficients near their grids. The key knows
# nothing of a picture that was never marked: there the coefficients lie anywhere between.

GRIDS = (0.025, 0.05, 0.1)  # a coarser grid for a stronger mark: root mean square changes
_SUM = torch.arange(10)[:, None] + torch.arange(10)
CARRIERS = (_SUM >= 3) & (_SUM <= 9)  # the 49 waves (vertical, horizontal) that carry the mark
LAYOUT = (_SUM >= 1) & (_SUM <= 2)  # 5 slow waves, light and shade, that shift the grids
SHIFT = 5.0  # grid spacings for each unit of a slow wave


def embed_watermark(
    images: Float[Tensor, "B C H W"], key: int, strength: float = 0.05
) -> Float[Tensor, "B C H W"]:
    """The images with an invisible mark that `detect_watermark` finds with the same key.

    strength: about the root mean square of the change, 0 < strength ≤ 0.1, so that the PSNR is
    about 20 log₁₀(2 / strength), 32 dB at 0.05, and 2 to 3 dB less where much of the picture is at
    -1 or 1 already. All channels change alike.

    Coefficient c of a wave moves towards the nearest value of its grid, step · (integer + offset):
    all the way where strength is one of `GRIDS`, else a part of the way on the next coarser grid.
    As values stay in [-1, 1], a few rounds mend what the limits cut off.

    Raises ValueError for other images than (B, C, H, W) of 10 × 10 or more in [-1, 1], a key that
    is no integer from 0 to 2⁶³ − 1, another strength. Source: quantisation index modulation, Chen
    and Wornell 2001; the shift by the picture's own layout is this course's.
    """
    _check_marked(images, key)
    if not 0 < number("strength", strength) <= GRIDS[-1]:
        raise ValueError(f"strength must lie above 0 and up to {GRIDS[-1]}; got {strength}")
    level = next(i for i, grid in enumerate(GRIDS) if strength <= grid)
    x = images.detach().cpu().float()
    target = _waves(x)
    coefficients, offsets = _apart(target, key)
    here, offset = coefficients[:, level], offsets[:, level]
    target[:, CARRIERS] += (
        strength / GRIDS[level] * _step(level) * ((here - offset).round() + offset - here)
    )
    for _ in range(10):
        missing = (target - _waves(x)) * (CARRIERS | LAYOUT)
        x = (x + _picture(missing, x.shape[2:])[:, None].float()).clamp(-1, 1)
    return x.to(images)


def detect_watermark(images: Float[Tensor, "B C H W"], key: int) -> Float[Tensor, " B"]:
    """For each image the probability that an unmarked one looks as marked by this key: a p-value.

    u = distance of a coefficient from its grid, in half spacings: for an unmarked image uniform on
    [0, 1], for the key is random and knows nothing of the image. So Σ −Φ⁻¹(u) / √49 is standard
    normal, and large for a marked one. Three grids are tried: p = 1 − (1 − smallest)³.

    Exact over keys, for any image. For one key, too, images go wrong independently of each other as
    far as their layouts differ; pictures of one grey, or the same picture twice, go wrong together.
    With 1,000 keys tried on one image, p = 0.001 is expected. Float64. Raises as `embed_watermark`.
    """
    _check_marked(images, key)
    coefficients, offsets = _apart(_waves(images.detach().cpu().float()), key)
    apart = coefficients - offsets
    u = 2 * (apart - apart.round()).abs()  # (B, grids, waves)
    z = -torch.special.ndtri(u.clamp(1e-12, 1 - 1e-12)).sum(2) / math.sqrt(u.shape[2])
    p = torch.special.erfc(z.amax(1) / math.sqrt(2)) / 2
    return -torch.expm1(len(GRIDS) * torch.log1p(-p)).to(images.device)


def _apart(waves: Tensor, key: int) -> tuple[Tensor, Tensor]:
    """Coefficients in units of each grid's step, and the grids' offsets: (B, grids, 49) both."""
    generator = torch.Generator().manual_seed(key)
    shape = (len(GRIDS), int(CARRIERS.sum()))
    offsets = torch.rand(shape, generator=generator, dtype=torch.float64)
    mixing = torch.randn(int(LAYOUT.sum()), *shape, generator=generator, dtype=torch.float64)
    shifts = torch.einsum("bl,lgw->bgw", waves[:, LAYOUT], SHIFT * mixing)
    steps = torch.tensor([_step(level) for level in range(len(GRIDS))], dtype=torch.float64)
    return waves[:, None, CARRIERS] / steps[:, None], offsets + shifts


def _step(level: int) -> float:
    """Rounding to it moves a coefficient by step / √12, and 49 of them the picture by the grid."""
    return GRIDS[level] * math.sqrt(12 / int(CARRIERS.sum()))


def _waves(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 10 10"]:
    """The slowest coefficients of the cosine transform, per √pixel: the same at every size."""
    rows, columns = (_cosines(n) / math.sqrt(n) for n in x.shape[2:])
    return rows @ x.mean(1).double() @ columns.T


def _picture(waves: Float[Tensor, "B 10 10"], size: tuple[int, int]) -> Float[Tensor, "B H W"]:
    rows, columns = (_cosines(n) * math.sqrt(n) for n in size)
    return rows.T @ waves @ columns


def _cosines(n: int) -> Float[Tensor, "10 n"]:
    """The first rows of the orthonormal DCT-II."""
    wave, place = torch.arange(10.0).double()[:, None], torch.arange(n).double() + 0.5
    rows = torch.cos(math.pi * wave * place / n) * math.sqrt(2 / n)
    return rows * torch.where(wave == 0, math.sqrt(0.5), 1.0)


def _check_marked(images: Tensor, key: int) -> None:
    _check_images(images)
    if min(images.shape[2:]) < 10:
        raise ValueError(f"images must be at least 10 × 10 pixels; got {tuple(images.shape)}")
    if isinstance(key, bool) or not isinstance(key, int) or not 0 <= key < 2**63:
        raise ValueError(f"key must be an integer from 0 to 2⁶³ − 1; got {key!r}")


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be float in [-1, 1], as `.floats()` gives; got {kind}")
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images must be (B, C, H, W), one or more; got {tuple(images.shape)}")
    if not present("images", images).abs().max() <= 1 + 1e-3:
        raise ValueError(f"images must lie in [-1, 1]; got {images.min():.3g} … {images.max():.3g}")


# What happens to pictures on their way. All keep the shape and stay in [-1, 1].


def jpeg(images: Float[Tensor, "B C H W"], quality: int = 75) -> Float[Tensor, "B C H W"]:
    """Stored as JPEG of that quality (1 … 95) and read again; 1 or 3 channels."""
    _check_images(images)
    quality = whole("quality", quality, most=95)
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels; got {tuple(images.shape)}")
    pixels, stored = ((images.detach().cpu() + 1) * 127.5).round(), []
    for picture in pixels.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1):
        file = io.BytesIO()
        Image.fromarray(picture.squeeze(2).numpy()).save(file, "JPEG", quality=quality)
        stored.append(np.asarray(Image.open(file)).reshape(picture.shape))
    return (torch.from_numpy(np.stack(stored)).permute(0, 3, 1, 2) / 127.5 - 1).to(images)


def resize(images: Float[Tensor, "B C H W"], factor: float = 0.5) -> Float[Tensor, "B C H W"]:
    """Made smaller (or larger) by a factor and back to the old size, bilinear and antialiased."""
    _check_images(images)
    number("factor", factor, above=0, most=100)
    small = [round(side * factor) for side in images.shape[2:]]
    if min(small) < 1:
        raise ValueError(f"factor must leave at least one pixel; got {factor}")
    return _interpolated(_interpolated(images, small), images.shape[2:]).clamp(-1, 1)


def crop(images: Float[Tensor, "B C H W"], share: float = 0.9) -> Float[Tensor, "B C H W"]:
    """The middle, a share of each side, enlarged to the old size."""
    _check_images(images)
    number("share", share, above=0, most=1)
    height, width = (round(side * share) for side in images.shape[2:])
    if min(height, width) < 1:
        raise ValueError(f"share must leave at least one pixel; got {share}")
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    middle = images[:, :, top : top + height, left : left + width]
    return _interpolated(middle, images.shape[2:]).clamp(-1, 1)


def blur(images: Float[Tensor, "B C H W"], sigma: float = 1.0) -> Float[Tensor, "B C H W"]:
    """Averaged with a Gaussian of standard deviation sigma pixels; the edge is a mirror.

    Raises ValueError unless sigma is above 0 and three of it fit into the images.
    """
    from torchvision.transforms.functional import gaussian_blur  # slow to import

    _check_images(images)
    most = (min(images.shape[2:]) - 1) / 3
    if not 0 < number("sigma", sigma) <= most:
        raise ValueError(f"sigma must be above 0, at most {most:.3g} for this size; got {sigma}")
    return gaussian_blur(images, 2 * math.ceil(3 * sigma) + 1, sigma).clamp(-1, 1)


def noise(
    images: Float[Tensor, "B C H W"], sigma: float = 0.1, generator: torch.Generator | None = None
) -> Float[Tensor, "B C H W"]:
    """With Gaussian noise of standard deviation sigma on every value."""
    _check_images(images)
    number("sigma", sigma, 0), random_source(generator)
    drawn = torch.randn(
        images.shape, generator=generator, device=None if generator is None else generator.device
    )
    return (images + sigma * drawn.to(images)).clamp(-1, 1)


def _interpolated(images: Tensor, size: tuple[int, int]) -> Tensor:
    x = images.float() if images.dtype == torch.float16 else images  # antialias knows no half
    return F.interpolate(x, tuple(size), mode="bilinear", antialias=True).to(images.dtype)


ATTACKS: dict[str, Callable] = {  # as the lecture tries them, mild to rough
    "none": lambda images: images,
    "JPEG 75": partial(jpeg, quality=75),
    "JPEG 50": partial(jpeg, quality=50),
    "JPEG 30": partial(jpeg, quality=30),
    "noise 0.05": partial(noise, sigma=0.05),
    "noise 0.1": partial(noise, sigma=0.1),
    "blur 0.5": partial(blur, sigma=0.5),
    "blur 1": partial(blur, sigma=1.0),
    "resize ¾": partial(resize, factor=0.75),
    "resize ½": partial(resize, factor=0.5),
    "crop 0.9": partial(crop, share=0.9),
}


# What a model's maker has to say about it

CARD = {  # heading -> the question that it answers
    "Model": "What is it, of which architecture and version, made by whom and when?",
    "Intended use": "What is it for, and for whom?",
    "Out of scope": "What must it not be used for?",
    "Training data": "Which images, how many, from where, on what licence, and who is in them?",
    "Evaluation": "What was measured, on which held-out images, with how many seeds?",
    "Copies and members": "Does it return training images? Do its losses give them away?",
    "Attributes": "Which shares went in, and which come out?",
    "Provenance": "How can its pictures be told: a mark, content credentials, a detector?",
    "Limits": "Where does it fail, and what was not looked at?",
}
NUMBERS_IN = ("Evaluation", "Copies and members", "Attributes")  # where a claim needs a number
UNWRITTEN = re.compile(
    r"\b(todo|tbd|fixme|lorem ipsum|fill in|to be written)\b|\?\?\?|\.\.\.\s*$", re.I
)


def model_card(
    name: str,
    sections: Mapping[str, str],
    measured: Mapping[str, float | tuple[float, Interval]] | None = None,
) -> str:
    """A model card as Markdown: a heading and a text for each of `CARD`, and a table of numbers.

    measured: name -> number, or (number, (low, high)) as `attribute_shares` returns it; the table
    stands at the end of "Evaluation". Further sections come after those of `CARD`. Raises
    ValueError that says all that `card_problems` finds. Source: Mitchell et al. 2019, section 4.
    """
    instance("name", name, str), named("sections", sections, instance, str)
    texts = {heading: sections.get(heading, "") for heading in CARD} | dict(sections)
    if measured:
        texts["Evaluation"] = f"{texts['Evaluation'].strip()}\n\n{_table(measured)}".strip()
    parts = [f"# {name}", *(f"## {heading}\n\n{text.strip()}" for heading, text in texts.items())]
    card = "\n\n".join(parts) + "\n"
    if problems := card_problems(card):
        raise ValueError("the card is not complete: " + "; ".join(problems))
    return card


def card_problems(card: str) -> list[str]:
    """What a model card lacks, as sentences; empty where it is complete.

    Complete: a title; each heading of `CARD` with a sentence of five words at least, and no
    placeholder; a number under each of `NUMBERS_IN`. What the sentences say is not judged.
    """
    instance("card", card, str)
    title, *blocks = ("\n" + card).split("\n## ")
    found = {}
    for block in blocks:
        heading, _, text = block.partition("\n")
        found[heading.strip().casefold()] = text
    problems = [] if title.strip().startswith("# ") else ["a title is missing"]
    for heading in CARD:
        text = found.get(heading.casefold())
        if text is None:
            problems.append(f"{heading!r} is missing")
        elif UNWRITTEN.search(text):
            problems.append(f"{heading!r} holds a placeholder")
        elif len(text.split()) < 5:
            problems.append(f"{heading!r} says too little")
        elif heading in NUMBERS_IN and not any(char.isdigit() for char in text):
            problems.append(f"{heading!r} holds no number")
    return problems


def _table(measured: Mapping[str, float | tuple[float, Interval]]) -> str:
    rows = ["| measured | value | 95 % interval |", "|---|---|---|"]
    for name, value in measured.items():
        number, interval = value if isinstance(value, tuple) else (value, None)
        around = "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"
        rows.append(f"| {name} | {number:.3g} | {around} |")
    return "\n".join(rows)
