"""Exercises and questions of lecture 01: densities from samples, distances between samples."""

import bisect
import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import density
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, example
from course_lib.exercises.probing import normal, seeded


def _col(*values: float) -> Tensor:
    """Points on a line, (n, 1)."""
    return torch.tensor(values, dtype=torch.float32)[:, None]


_TWO = {"two results": "Two results are asked, as a tuple."}


def _pair(found: Any) -> bool:
    return isinstance(found, (tuple, list)) and len(found) == 2


def _value(result: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """What a probe sees of a result: values only where the shape is right and all are finite.

    So programs that sum over the wrong axis look alike, and so do −inf and nan after an underflow.
    """
    values = torch.as_tensor(result).double()
    seen, finite = torch.zeros_like(values), True
    if values.shape == shape:
        finite = bool(values.isfinite().all())
        seen = values if finite else torch.full_like(values, math.nan)
    return {"every value is finite": finite, "result": seen} | _kind(result=result)


def _kind(**results: Any) -> dict[str, bool]:
    """The notebook goes on with what comes back: an array or a bare number would break it later."""
    return {f"{name} is a tensor": isinstance(value, Tensor) for name, value in results.items()}


# --- fit_gaussian ---------------------------------------------------------------------------------


def _gaussian(label: str, x: Tensor) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        given = x.clone()
        found = candidate(given)
        if not _pair(found):
            return {"two results": False}
        mean, covariance = found
        kinds = _kind(mean=mean, covariance=covariance)
        mean, covariance = torch.as_tensor(mean), torch.as_tensor(covariance)
        if covariance.numel() == 1:  # torch.cov and numpy.cov return a bare number at d = 1
            covariance = covariance.reshape(1, 1)
        return {
            "two results": True,
            "mean": mean.double(),
            "covariance": covariance.double(),
            "x changed in place": not torch.equal(given, x),  # x -= mean
        } | kinds

    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=_TWO)


def _scatter(x: Tensor, dim: int = 0) -> Tensor:
    """Sum of the outer products of the rows, or of the columns, about their mean."""
    centred = x - x.mean(dim=dim, keepdim=True)
    return centred.T @ centred if dim == 0 else centred @ centred.T


def _variance(x: Tensor) -> Tensor:
    return _scatter(x).diagonal() / (len(x) - 1)


def _rows_as_coordinates(x: Tensor) -> Tensor:
    return _scatter(x, dim=1) / max(x.shape[1] - 1, 1)


_SLANTED = normal(50, 3, seed=1) @ torch.tensor([[2.0, 1.0, 0], [0, 1.0, -1.0], [0, 0, 0.5]])

FIT_GAUSSIAN = Exercise(
    id="density.fit_gaussian",
    title="Fit a Gaussian: the mean and the unbiased covariance of the rows",
    reference=density.fit_gaussian,
    allows=("dtype",),
    hints=(
        "Which axis of x counts points, and which counts coordinates? The mean has one entry for "
        "each coordinate: which axis must disappear?",
        "Subtract the mean from every row and call the result `centred`, (n, d). Entry (a, b) of "
        "the covariance sums centred[i, a] * centred[i, b] over the points i. Which matrix product "
        "does that? And what do you divide by, now that the mean was estimated from the same "
        "points?",
        "`mean = x.mean(dim=0)`, `centred = x - mean`, and the covariance is `centred.T @ centred "
        "/ (len(x) - 1)`.",
    ),
    mistakes=(
        Mistake(
            "divided by n",
            lambda x: (x.mean(0), _scatter(x) / len(x)),
            "Your covariance is too small, most of all for few points. The points 0 and 2 are 1 "
            "away from their own mean, so you say that the variance is 1. But that mean was put "
            "between these two; around the true one they scatter more. The unbiased answer is 2.",
            example(_col(0, 2), gives=1.0, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "not centred",
            lambda x: (x.mean(0), x.T @ x / (len(x) - 1)),
            "Move all the points and your covariance changes; a spread must not. 0 and 2 are as "
            "far apart as 10 and 12. For the first two you say 4, for the others 244.",
            example(_col(0, 2), gives=4.0, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "covariance between points",
            lambda x: (x.mean(0), _rows_as_coordinates(x)),
            "Your covariance has one row for each point. Three points in the plane give you 3 × 3 "
            "numbers, which say how points go together. How two coordinates go together takes 2 × "
            "2.",
        ),
        Mistake(
            "rows and columns swapped",
            lambda x: (x.mean(1), _rows_as_coordinates(x)),
            "Rows and columns have changed places. Three points in the plane give you a mean with "
            "3 entries, one for each point. The mean is a point of the plane: 2 entries.",
        ),
        Mistake(
            "one mean for all coordinates",
            lambda x: (x.mean(), (x - x.mean()).T @ (x - x.mean()) / (len(x) - 1)),
            "Your mean is one number for all coordinates together. For the points (0, 10) and (2, "
            "10) you say 5.5, which is near no coordinate: the mean point is (1, 10).",
            example(
                torch.tensor([[0.0, 10.0], [2.0, 10.0]]),
                gives=5.5,
                pick=lambda r: float(r[0].flatten()[0]),
            ),
        ),
        Mistake(
            "diagonal only",
            lambda x: (x.mean(0), torch.diag(_variance(x))),
            "Your coordinates know nothing of each other. The points (0, 0) and (2, 2) rise "
            "together: their covariance is 2, and off the diagonal you say 0. Pictures drawn from "
            "this would have independent pixels, and look like noise.",
            example(
                torch.tensor([[0.0, 0.0], [2.0, 2.0]]), gives=0.0, pick=lambda r: float(r[1][0, 1])
            ),
        ),
        Mistake(
            "variances only",
            lambda x: (x.mean(0), _variance(x)),
            "You return d variances where a (d, d) matrix is asked. The points (0, 0) and (2, 2) "
            "lie on a rising line, (0, 2) and (2, 0) on a falling one; you say (2, 2) for both "
            "pairs.",
            example(
                torch.tensor([[0.0, 0.0], [2.0, 2.0]]),
                gives=torch.tensor([2.0, 2.0]),
                pick=lambda r: r[1],
            ),
        ),
        Mistake(
            "standard deviations",
            lambda x: (x.mean(0), _variance(x).sqrt()),
            "Make the points 10 times larger and your numbers grow 10 times; a covariance grows "
            "100 times. For the points 0 and 2 you say 1.41, and the variance is 2. You also "
            "return only d numbers, so that nothing tells which coordinates go together.",
            example(_col(0, 2), gives=1.414, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "correlation",
            lambda x: (x.mean(0), torch.corrcoef(x.T)),
            "Your diagonal is 1 for all data: the scale is lost. For the points (0, 0) and (2, 1) "
            "you say 1 everywhere, but the first coordinate has variance 2 and the second 0.5.",
            example(
                torch.tensor([[0.0, 0.0], [2.0, 1.0]]), gives=torch.ones(2, 2), pick=lambda r: r[1]
            ),
        ),
        Mistake(
            "not divided",
            lambda x: (x.mean(0), _scatter(x)),
            "Your covariance grows with the number of points. The points 0 and 2 give 2; the same "
            "two points 100 times over give 200, and nothing became wider.",
        ),
        Mistake(
            "covariance first",
            lambda x: density.fit_gaussian(x)[::-1],
            "The two results come in the other order: the mean first, then the covariance.",
            example(_col(0, 2), gives=2.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "roots of the covariance",
            lambda x: (x.mean(0), density.fit_gaussian(x)[1].abs().sqrt()),
            "You take the root of each entry of the covariance. For the points 0 and 2 the "
            "variance is 2; you say {got:.2f}.",
            example(_col(0, 2), gives=1.414, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "medians",
            lambda x: (x.median(0).values, density.fit_gaussian(x)[1]),
            "Your mean is a median: for 0, 0 and 3 the mean is 1, and you say {got:.0f}.",
            example(_col(0, 0, 3), gives=0.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "something added to the diagonal",
            lambda x: (x.mean(0), density.fit_gaussian(x)[1] + 0.01 * torch.eye(x.shape[1])),
            "You add something to the variances, as one does before inverting. Asked is the "
            "covariance itself: for two equal points it is 0; you say {got:.2f}.",
            example(_col(1, 1), gives=0.01, pick=lambda r: float(r[1])),
        ),
    ),
    probes=(
        _gaussian("three points in the plane", torch.tensor([[0.0, 10], [2, 10], [4, 16]])),
        _gaussian("50 points in 3-D with coordinates that go together", _SLANTED),
        _gaussian("the same points, moved by 10", _SLANTED + 10),
        _gaussian("seven points on a line, d = 1", 3 + 2 * normal(7, 1, seed=2)),
        _gaussian("two points in 3-D", torch.tensor([[1.0, 2, 3], [3, 2, -1]])),
        _gaussian("4 points in 9-D, float64", 1 + normal(4, 9, seed=3, dtype=torch.float64)),
    ),
)


# --- parzen_log_density ---------------------------------------------------------------------------


def _parzen(label: str, x: Tensor, centers: Tensor, sigma: float, far: bool = False) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        return _value(candidate(x.clone(), centers.clone(), sigma), (len(x),))

    explain = {"every value is finite": "A log-density is finite, however far the query is."}
    if far:
        explain["result"] = "Far from the centres it falls with the square of the distance."
    return Probe(label, observe, rtol=1e-3, atol=1e-3, explain=explain)


def _sum_to_one(candidate: Callable) -> dict[str, Any]:
    x = torch.linspace(-12, 14, 521, dtype=torch.float64)
    log_density = candidate(x[:, None], torch.tensor([[-1.0], [0.5], [3.0]]).double(), 1.5)
    seen = _value(log_density, (521,))
    return {"area under the density": seen["result"].exp().sum() * 0.05}


def _half_square(x: Tensor, centers: Tensor) -> Tensor:
    return (x[:, None] - centers).square().sum(dim=2) / 2  # (n, m)


def _log_mean_exp(a: Tensor) -> Tensor:
    return a.logsumexp(dim=1) - math.log(a.shape[1])


def _log_norm(x: Tensor, sigma: float) -> float:
    return x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))


def _log_parzen(x: Tensor, centers: Tensor, sigma: float) -> Tensor:
    """The right answer, for the mistakes that spoil it at the end."""
    return _log_mean_exp(-_half_square(x, centers) / sigma**2) - _log_norm(x, sigma)


PARZEN_LOG_DENSITY = Exercise(
    id="density.parzen_log_density",
    title="The log-density of a Parzen window",
    reference=density.parzen_log_density,
    hints=(
        "Take one query and one centre first. At a distance of one σ, how much lower than at the "
        "centre is the log-density? Then: how do the m centres share the density, and how would "
        "you average m numbers of which you know only the logarithms?",
        "Compute the (n, m) matrix a = −‖x − c‖² / 2σ². Over which axis do you sum the "
        "exponentials to be left with n numbers? `torch.logsumexp` does that without underflow. "
        "Two corrections are left: one that turns a sum over m centres into a mean, one that makes "
        "the density integrate to 1 in d dimensions.",
        "`a = -torch.cdist(x, centers) ** 2 / (2 * sigma**2)`, then `a.logsumexp(dim=1) - "
        "math.log(m) - d * math.log(sigma * math.sqrt(2 * math.pi))` with `m, d = centers.shape`.",
    ),
    mistakes=(
        Mistake(
            "sigma taken for a variance",
            lambda x, c, s: _log_parzen(x, c, math.sqrt(s)),
            "Your windows have the wrong width, except at σ = 1: your σ is a variance. With σ = 4 "
            "and one centre at 0, the point 4 is one standard deviation away. It should get −2.81, "
            "and you say −3.61.",
            example(_col(4), _col(0), 4.0, gives=-3.612, pick=float),
        ),
        Mistake(
            "sigma for its square in the exponent",
            lambda x, c, s: _log_mean_exp(-_half_square(x, c) / s) - _log_norm(x, s),
            "At a distance of one σ the log-density must be 0.5 below its peak, for every σ. With "
            "σ = 2 and one centre at 0, yours at 2 is 1 below its peak. At σ = 1 one does not "
            "notice.",
            example(_col(2), _col(0), 2.0, gives=-2.612, pick=float),
        ),
        Mistake(
            "one half missing",
            lambda x, c, s: _log_mean_exp(-2 * _half_square(x, c) / s**2) - _log_norm(x, s),
            "Your windows are too narrow at every σ. With σ = 1 and one centre at 0 the "
            "log-density falls from −0.919 at 0 to −1.419 at 1; yours falls to −1.919.",
            example(_col(1), _col(0), 1.0, gives=-1.919, pick=float),
        ),
        Mistake(
            "no constant",
            lambda x, c, s: _log_mean_exp(-_half_square(x, c) / s**2),
            "Your density does not integrate to 1. One centre at 0, σ = 1, query at 0: you say 0, "
            "which is a density of 1. The top of this Gaussian is 0.399, so its logarithm is "
            "−0.919.",
            example(_col(0), _col(0), 1.0, gives=0.0, pick=float),
        ),
        Mistake(
            "constant without d",
            lambda x, c, s: (
                _log_mean_exp(-_half_square(x, c) / s**2) - math.log(s * math.sqrt(2 * math.pi))
            ),
            "Right in one dimension only. One centre in the plane, σ = 1, a query on it: you say "
            "−0.919, as on a line. The peak in the plane is −1.838.",
            example(torch.zeros(1, 2), torch.zeros(1, 2), 1.0, gives=-0.919, pick=float),
        ),
        Mistake(
            "constant without sigma",
            lambda x, c, s: _log_mean_exp(-_half_square(x, c) / s**2) - _log_norm(x, 1.0),
            "Your peak has the same height at every σ. One centre on a line: at σ = 1 and at σ = 2 "
            "you say −0.919. A bell twice as wide is half as high: −1.612.",
            example(_col(0), _col(0), 2.0, gives=-0.919, pick=float),
        ),
        Mistake(
            "exp, then log",
            lambda x, c, s: (-_half_square(x, c) / s**2).exp().mean(dim=1).log() - _log_norm(x, s),
            "Far from the centres you return −inf or nan. One centre at 0, σ = 1, query at 20, "
            "float32: exp(−200) is 0 in the computer, and the logarithm of 0 is −inf. The answer "
            "is −200.9. With 784 pixels every query is that far.",
        ),
        Mistake(
            "sum over the centres",
            lambda x, c, s: _log_parzen(x, c, s) + math.log(len(c)),
            "Write every centre down twice and your answer rises by 0.693, although the same "
            "points say nothing new. Your density integrates to the number of centres, not to 1.",
            example(_col(0), _col(0, 0), 1.0, gives=-0.2258, pick=float),
        ),
        Mistake(
            "mean over the coordinates",
            lambda x, c, s: (
                _log_mean_exp(-_half_square(x, c) / x.shape[1] / s**2) - _log_norm(x, s)
            ),
            "Your squared distance is d times too small. From (0, 0) to (1, 1) it is 2, and you "
            "use 1: with σ = 1 you say −2.338, not −2.838. With 784 pixels all pictures are close "
            "to each other.",
            example(torch.zeros(1, 2), torch.ones(1, 2), 1.0, gives=-2.338, pick=float),
        ),
        Mistake(
            "distance not squared",
            lambda x, c, s: (
                _log_mean_exp(-_half_square(x, c).mul(2).sqrt() / (2 * s**2)) - _log_norm(x, s)
            ),
            "Your windows have pointed tops and long tails. One centre at 0, σ = 1: at a distance "
            "of 4 the log-density must be 8 below the peak. Yours is 2 below.",
            example(_col(4), _col(0), 1.0, gives=-2.919, pick=float),
        ),
        Mistake(
            "averaged over the queries",
            lambda x, c, s: _log_parzen(c, x, s),
            "You return one number for each centre; asked is one for each query. Two queries and "
            "three centres give you 3 numbers: the average ran over the wrong axis.",
        ),
        Mistake(
            "mean of the logarithms",
            lambda x, c, s: (-_half_square(x, c) / s**2).mean(dim=1) - _log_norm(x, s),
            "One centre far away ruins everything. Centres at 0 and 100, σ = 1, query at 0: it "
            "stands on a centre, so the answer is −1.6. You say −2500.9. The mean of logarithms is "
            "not the logarithm of the mean.",
            example(_col(0), _col(0, 100), 1.0, gives=-2500.9, pick=float),
        ),
        Mistake(
            "nearest centre only",
            lambda x, c, s: (-_half_square(x, c) / s**2).amax(dim=1) - _log_norm(x, s),
            "Only the nearest centre counts for you. Centres at 0 and 100, σ = 1, query at 0: you "
            "say −0.919, as if the other centre did not exist. It owns half of the density: "
            "−1.612.",
            example(_col(0), _col(0, 100), 1.0, gives=-0.919, pick=float),
        ),
        Mistake(
            "no logarithm",
            lambda x, c, s: _log_parzen(x, c, s).exp(),
            "You return the density itself. One centre at 0, σ = 1, query at 0: you say 0.399, its "
            "logarithm is −0.919. With 784 pixels your numbers are 0 or inf.",
            example(_col(0), _col(0), 1.0, gives=0.399, pick=float),
        ),
        Mistake(
            "sign",
            lambda x, c, s: -_log_parzen(x, c, s),
            "Your number rises where the density falls. One centre at 0, σ = 1: you say 0.919 at "
            "the centre and 2.919 at 2, where the density is smaller.",
            example(_col(0), _col(0), 1.0, gives=0.919, pick=float),
        ),
        Mistake(
            "largest window only, divided by m",
            lambda x, c, sigma: (
                density.parzen_log_density(x[:, None].flatten(0, 1), c, sigma) * 0
                + torch.stack([density.parzen_log_density(x, one[None], sigma) for one in c]).amax(
                    0
                )
                - math.log(len(c))
            ),
            "Only the nearest centre counts for you, a maximum in place of a sum. Centres at 0 "
            "and 0, σ = 1, query at 0: both count, −0.919; you say {got:.3f}.",
            example(_col(0), _col(0, 0), 1.0, gives=-1.612, pick=float),
        ),
        Mistake(
            "constant added",
            lambda x, c, sigma: (
                density.parzen_log_density(x, c, sigma)
                + 2 * c.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
            ),
            "The constant has the wrong sign. One centre at 0, σ = 1, query at 0: {expected:.3f}; "
            "you say {got:.3f}.",
            example(_col(0), _col(0), 1.0, gives=0.919, pick=float),
        ),
        Mistake(
            "no root over 2π",
            lambda x, c, sigma: (
                density.parzen_log_density(x, c, sigma) - c.shape[1] * math.log(2 * math.pi) / 2
            ),
            "The constant has 2π where its root belongs. One centre at 0, σ = 1, query at 0: "
            "{expected:.3f}; you say {got:.3f}.",
            example(_col(0), _col(0), 1.0, gives=-1.838, pick=float),
        ),
        Mistake(
            "σ not squared in the constant",
            lambda x, c, sigma: (
                density.parzen_log_density(x, c, sigma) + c.shape[1] * math.log(sigma) / 2
            ),
            "The constant has σ where σ² belongs, under the root with 2π. One centre at 0, σ = 2, "
            "query at 0: {expected:.3f}; you say {got:.3f}.",
            example(_col(0), _col(0), 2.0, gives=-1.2655, pick=float),
        ),
        Mistake(
            "each coordinate by itself",
            lambda x, c, sigma: sum(
                density.parzen_log_density(x[:, i : i + 1], c[:, i : i + 1], sigma)
                for i in range(x.shape[1])
            ),
            "You average over the centres for each coordinate by itself and add up: coordinates "
            "of different centres are mixed. Centres (0, 0) and (9, 9), σ = 1: the point (0, 9) "
            "lies far from both, {expected:.1f}; you say {got:.1f}.",
            example(
                torch.tensor([[0.0, 9.0]]),
                torch.tensor([[0.0, 0.0], [9.0, 9.0]]),
                1.0,
                gives=-3.224,
                pick=float,
            ),
        ),
        Mistake(
            "divided by the number of queries",
            lambda x, c, sigma: density.parzen_log_density(x, c, sigma) + math.log(len(c) / len(x)),
            "You divide by the number of queries, not of centres. Centres at 0 and 0, σ = 1, "
            "query at 0: {expected:.3f}; you say {got:.3f}.",
            example(_col(0), _col(0, 0), 1.0, gives=-0.2258, pick=float),
        ),
    ),
    probes=(
        _parzen(
            "one query, one centre, d = 1, σ = 2", torch.tensor([[2.0]]), torch.zeros(1, 1), 2.0
        ),
        _parzen(
            "3 queries, 4 centres in the plane, σ = 0.5",
            normal(3, 2, seed=1),
            normal(4, 2, seed=2),
            0.5,
        ),
        _parzen(
            "5 queries, 7 centres in 3-D, σ = 2, float64",
            normal(5, 3, seed=3, dtype=torch.float64),
            2 + normal(7, 3, seed=4, dtype=torch.float64),
            2.0,
        ),
        _parzen("two equal centres, query at 1", torch.tensor([[1.0]]), torch.zeros(2, 1), 1.0),
        Probe(
            "on a fine grid, 3 centres",
            _sum_to_one,
            rtol=1e-3,
            explain={"area under the density": "A density integrates to 1."},
        ),
        _parzen(
            "2 queries, 3 centres with 784 pixels, σ = 0.2",
            normal(2, 784, seed=5),
            normal(3, 784, seed=6),
            0.2,
            far=True,
        ),
        _parzen(
            "a query 20 away, σ = 0.1", torch.tensor([[20.0]]), torch.zeros(1, 1), 0.1, far=True
        ),
    ),
)


# --- select_bandwidth -----------------------------------------------------------------------------


def _bandwidth(label: str, train: Tensor, validation: Tensor, sigmas: list[float]) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        found = candidate(train.clone(), validation.clone(), list(sigmas))
        if not _pair(found):
            return {"two results": False}
        best, scores = (torch.as_tensor(part, dtype=torch.float64) for part in found)
        return {"two results": True, "best": best, "scores": scores}

    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=_TWO)


def _selector(
    score: Callable[[Tensor, Tensor, float], Tensor] = lambda train, validation, sigma: (
        density.parzen_log_density(validation, train, sigma).mean()
    ),
    choose: Callable[[list[float], Tensor], Any] = lambda sigmas, scores: sigmas[scores.argmax()],
) -> Callable:
    """A select_bandwidth with one of its two steps exchanged."""

    def select(train: Tensor, validation: Tensor, sigmas: list[float]) -> tuple[Any, Tensor]:
        scores = torch.stack([score(train, validation, sigma) for sigma in sigmas])
        return choose(sigmas, scores), scores

    return select


SELECT_BANDWIDTH = Exercise(
    id="density.select_bandwidth",
    title="Choose the bandwidth by held-out likelihood",
    reference=density.select_bandwidth,
    allows=(
        "list",
        "array",
        "dtype",
    ),
    hints=(
        "Two sets of points, two roles. On which set do the windows stand, and which set asks how "
        "likely it is?",
        "For each σ, `parzen_log_density(queries, centers, sigma)` gives one log-density per "
        "query. Which of the two sets are the queries? Average them to one score. Then return the "
        "σ that belongs to the best score, and all the scores.",
        "`scores = [parzen_log_density(validation, train, s).mean().item() for s in sigmas]`, then "
        "`return sigmas[scores.index(max(scores))], scores`.",
    ),
    mistakes=(
        Mistake(
            "likelihood of the training points",
            _selector(
                score=lambda train, validation, s: density.parzen_log_density(
                    train, train, s
                ).mean()
            ),
            "You always choose the smallest σ. Training points at 0 and 10, a validation point at "
            "1, σ = 0.01: each training point sits on a window of its own, so you score +3.0. The "
            "validation point is 100 σ away from any window: its log-density is −4997.",
        ),
        Mistake(
            "sets swapped",
            _selector(
                score=lambda train, validation, s: density.parzen_log_density(
                    train, validation, s
                ).mean()
            ),
            "Your windows stand on the validation points. A training point at 0, validation points "
            "at 1 and 3, σ = 1: each validation point, seen from 0, gives a mean of −3.42. You say "
            "−2.09, which is how likely 0 is when the windows stand at 1 and 3.",
            example(_col(0), _col(1, 3), [1.0], gives=-2.094, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "worst instead of best",
            _selector(choose=lambda sigmas, scores: sigmas[scores.argmin()]),
            "Your scores are right, and you choose the worst σ. If σ = 0.1 scores −50 and σ = 1 "
            "scores −1.4, you take 0.1. A log-likelihood is better when it is higher.",
            example(_col(0), _col(1), [0.1, 1.0], gives=0.1, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "index instead of sigma",
            _selector(choose=lambda sigmas, scores: scores.argmax()),
            "Your best is a place in the list. If the second of σ = 0.1 and σ = 0.5 is better, you "
            "say 1, and no σ in the list is 1.",
            example(_col(0), _col(1), [0.1, 0.5], gives=1.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "score instead of sigma",
            _selector(choose=lambda sigmas, scores: scores.max()),
            "Your best is a score. For a validation point one σ = 1 away from the only window it "
            "is −1.419, and no width is negative.",
        ),
        Mistake(
            "sum over the points",
            _selector(
                score=lambda train, validation, s: density.parzen_log_density(
                    validation, train, s
                ).sum()
            ),
            "Your scores grow with the number of validation points. One window at 0, σ = 1: the "
            "point 1 scores −1.42, the same point written down twice −2.84, although the fit is "
            "the same.",
        ),
        Mistake(
            "mean of the densities",
            _selector(
                score=lambda train, validation, s: (
                    density.parzen_log_density(validation, train, s).exp().mean()
                )
            ),
            "One point that fits well makes up for any number that do not. One window at 0, "
            "validation points at 0 and 5: for σ = 0.1 you say 2.0 and for σ = 2 only 0.10, so you "
            "take 0.1. But then the point 5 has a log-density of −1249.",
            example(_col(0), _col(0, 5), [0.1, 2.0], gives=1.995, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "log of the mean density",
            _selector(
                score=lambda train, validation, s: _log_mean_exp(
                    density.parzen_log_density(validation, train, s)[None]
                )[0]
            ),
            "The average comes before the logarithm, so that one point which fits well makes up "
            "for any number that do not. One window at 0, validation points at 0 and 5, σ = 0.1: "
            "you say 0.69, and the log-density of 5 is −1249. Their mean is −624.",
            example(_col(0), _col(0, 5), [0.1], gives=0.6905, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "sign of the scores",
            _selector(
                score=lambda train, validation, s: (
                    -density.parzen_log_density(validation, train, s).mean()
                ),
                choose=lambda sigmas, scores: sigmas[scores.argmin()],
            ),
            "Your σ is right and your scores are upside down: the best σ has the lowest. One "
            "window at 0, σ = 1, a validation point at 1: the log-likelihood is −1.419, you say "
            "+1.419.",
            example(_col(0), _col(1), [1.0], gives=1.419, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "scores first",
            lambda t, v, s: _selector()(t, v, s)[::-1],
            "The two results come in the other order: the best σ first, then the scores.",
        ),
        Mistake(
            "medians",
            _selector(score=lambda t, v, s: density.parzen_log_density(v, t, s).median()),
            "Your scores are medians: half of the points may be as badly fitted as they like. One "
            "window at 0, σ = 1, validation points at 0, 0 and 9: the mean is {expected:.1f}; you "
            "say {got:.2f}.",
            example(_col(0), _col(0, 0, 9), [1.0], gives=-0.919, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "best point",
            _selector(score=lambda t, v, s: density.parzen_log_density(v, t, s).max()),
            "Your score is that of the best validation point alone. One window at 0, σ = 1, "
            "validation points at 0 and 9: the mean is {expected:.1f}; you say {got:.2f}.",
            example(_col(0), _col(0, 9), [1.0], gives=-0.919, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "always the last",
            _selector(choose=lambda sigmas, scores: sigmas[-1]),
            "Your scores are right, and you always return the last σ of the list.",
        ),
        Mistake(
            "σ squared",
            _selector(score=lambda t, v, s: density.parzen_log_density(v, t, s**2).mean()),
            "Your windows have width σ², not σ. One window at 0, σ = 2, a validation point at 0: "
            "{expected:.2f}; you say {got:.2f}.",
            example(_col(0), _col(0), [2.0], gives=-2.305, pick=lambda r: float(r[1][0])),
        ),
        Mistake(
            "windows on the validation points too",
            _selector(
                score=lambda t, v, s: density.parzen_log_density(v, torch.cat([t, v]), s).mean()
            ),
            "There are windows on the validation points too, so each of them sits on one of its "
            "own. One training point at 0, a validation point at 9, σ = 1: {expected:.1f}; you "
            "say {got:.2f}.",
            example(_col(0), _col(9), [1.0], gives=-1.612, pick=lambda r: float(r[1][0])),
        ),
    ),
    probes=(
        _bandwidth(
            "40 training and 30 validation points in the plane",
            normal(40, 2, seed=1),
            normal(30, 2, seed=2),
            [0.2, 0.05, 1.0, 0.5, 3.0],
        ),
        _bandwidth(
            "the widths in another order",
            normal(40, 2, seed=1),
            normal(30, 2, seed=2),
            [3.0, 0.5, 0.05, 1.0],
        ),
        _bandwidth(
            "one window at 0, validation points at 0 and 5",
            torch.zeros(1, 1),
            torch.tensor([[0.0], [5.0]]),
            [0.1, 2.0, 4.0, 9.0],
        ),
        _bandwidth(
            "25 training points and one validation point in 5-D, float64",
            normal(25, 5, seed=3, dtype=torch.float64),
            normal(1, 5, seed=4, dtype=torch.float64),
            [0.3, 0.9, 1.4],
        ),
    ),
)


# --- parzen_sample --------------------------------------------------------------------------------
# The draws depend on the order of the random calls, so that only statistics are observed, with
# tolerances of four standard errors or more.

_CORNERS = torch.tensor([[0.0, 0, 0], [100, 0, 0], [0, 100, 0], [0, 0, 100]])
_LINE = 10 * torch.arange(1000.0)[:, None]


def _draw(candidate: Callable, centers: Tensor, sigma: float, n: int, seed: int) -> Tensor:
    return torch.as_tensor(candidate(centers.clone(), sigma, n, generator=seeded(seed)))


def _noise(candidate: Callable) -> dict[str, Any]:
    samples = _draw(candidate, _CORNERS, 0.5, 4000, seed=1).double()
    seen = {
        "shape": str(tuple(samples.shape)),
        "share of the samples at each centre": torch.zeros(4),
        "every sample is a centre": False,
        "mean of the noise": 0.0,
        "spread of the noise": 0.0,
        "share of the noise beyond its spread": 0.0,
        "correlation between coordinates of the noise": 0.0,
        "spread of the noise at σ = 2": _draw(candidate, 0 * _CORNERS, 2.0, 4000, seed=2)
        .std(0)
        .mean(),
    }
    if samples.shape != (4000, 3):
        return seen
    nearest = torch.cdist(samples, _CORNERS.double()).argmin(dim=1)
    noise = samples - _CORNERS.double()[nearest]
    spread = noise.std(dim=0).mean()
    seen["share of the samples at each centre"] = nearest.bincount(minlength=4) / 4000
    seen["every sample is a centre"] = bool(noise.abs().max() < 1e-3)
    if spread > 1e-3:  # the same noise for all has a mean, and no spread
        seen["mean of the noise"] = noise.mean()
        seen["spread of the noise"] = spread
        seen["share of the noise beyond its spread"] = (
            ((noise - noise.mean(dim=0)).abs() > spread).double().mean()
        )
        seen["correlation between coordinates of the noise"] = (
            torch.corrcoef(noise.T).sum() - 3
        ) / 6
    return seen


def _choice(candidate: Callable) -> dict[str, Any]:
    samples = _draw(candidate, _LINE, 0.1, 500, seed=2)
    if samples.shape != (500, 1):
        return {"share of different centres": 0.0, "share from the first half": 0.0}
    chosen = (samples[:, 0] / 10).round()
    return {
        "share of different centres": len(chosen.unique()) / 500,  # 1000 (1 − 0.999^500) / 500
        "share from the first half": (chosen < 500).double().mean(),
    }


def _seeds(candidate: Callable) -> dict[str, Any]:
    def draw(generator: torch.Generator | None) -> Tensor:
        return torch.as_tensor(candidate(_CORNERS[:2].clone(), 0.5, 5, generator=generator))

    before, generator = torch.get_rng_state(), seeded(3)
    first, second = draw(generator), draw(generator)
    untouched = torch.equal(before, torch.get_rng_state())
    return {
        "the same seed repeats the samples": torch.equal(first, draw(seeded(3))),
        "another seed gives others": not torch.equal(first, draw(seeded(4))),
        "the next call with one generator gives others": not torch.equal(first, second),
        "torch's own random state is left alone": untouched,
        "without a generator two calls differ": not torch.equal(draw(None), draw(None)),
    }


def _one_sample(candidate: Callable) -> dict[str, Any]:
    sample = candidate(torch.full((1, 1), -50.5), 0.01, 1, generator=seeded(5))
    values = torch.as_tensor(sample)
    near = abs(float(values.sum()) + 50.5) < 0.1
    return {"shape": str(tuple(values.shape)), "near the centre": near} | _kind(result=sample)


def _sampler(
    choose: Callable[[Tensor, int, Any], Tensor] = lambda centers, n, generator: centers[
        torch.randint(len(centers), (n,), generator=generator)
    ],
    noise: Callable[[Tensor, Any], Tensor] = lambda like, generator: torch.randn(
        like.shape, generator=generator
    ),
    width: Callable[[float], float] = lambda sigma: sigma,
) -> Callable:
    """A parzen_sample with one of its three steps exchanged."""

    def sample(
        centers: Tensor, sigma: float, n: int, generator: torch.Generator | None = None
    ) -> Tensor:
        chosen = choose(centers, n, generator)
        return chosen + width(sigma) * noise(chosen, generator)

    return sample


def _reseeded(
    centers: Tensor, sigma: float, n: int, generator: torch.Generator | None = None
) -> Tensor:
    if generator is not None:
        torch.manual_seed(generator.initial_seed())
    return _sampler()(centers, sigma, n)


PARZEN_SAMPLE = Exercise(
    id="density.parzen_sample",
    title="Draw from a Parzen window",
    reference=density.parzen_sample,
    hints=(
        "The density is an average of m Gaussians. If you had to draw a single point from it with "
        "a die and a source of Gaussian noise, what would you do first, and what second?",
        "First n random indices between 0 and m − 1: may one come twice? Then noise for every "
        "entry of the (n, d) result, of which standard deviation? Both calls take "
        "`generator=generator`.",
        "`chosen = torch.randint(len(centers), (n,), generator=generator)`, `noise = "
        "torch.randn(n, centers.shape[1], generator=generator)`, and the samples are "
        "`centers[chosen] + sigma * noise`.",
    ),
    mistakes=(
        Mistake(
            "noise not scaled",
            _sampler(width=lambda sigma: 1.0),
            "Your samples do not feel σ. With σ = 0.5 they scatter by 1.0 around their centres, "
            "and they would with σ = 0.001 too.",
        ),
        Mistake(
            "scaled by the variance",
            _sampler(width=lambda sigma: sigma**2),
            "The noise is too small for σ below 1 and too large above. With σ = 0.5 the samples "
            "scatter by 0.25 around their centres: that number is a variance.",
        ),
        Mistake(
            "scaled by the root of sigma",
            _sampler(width=math.sqrt),
            "The noise is too large for σ below 1 and too small above. With σ = 0.5 the samples "
            "scatter by 0.71 around their centres; σ is a standard deviation already.",
        ),
        Mistake(
            "no noise",
            _sampler(width=lambda sigma: 0.0),
            "Every sample is one of the centres. Draw 4,000 from 4 centres and only 4 different "
            "points come back: you have drawn from the data, not from the density.",
        ),
        Mistake(
            "one noise for all samples",
            _sampler(noise=lambda like, generator: torch.randn(like.shape[1], generator=generator)),
            "All samples are moved by the same step. Draw 1,000 from a single centre and you get "
            "one point 1,000 times.",
            example(
                torch.zeros(1, 1), 1.0, 1000, seeded(0), gives=0.0, pick=lambda r: float(r.std())
            ),
        ),
        Mistake(
            "one noise number for all coordinates",
            _sampler(noise=lambda like, generator: torch.randn(len(like), 1, generator=generator)),
            "All coordinates of a sample get the same noise. Draw from one centre in the plane and "
            "the samples lie on a slanted line; for a picture, every pixel becomes brighter by the "
            "same amount.",
        ),
        Mistake(
            "uniform noise",
            _sampler(noise=lambda like, generator: torch.rand(like.shape, generator=generator)),
            "Your noise is never negative. Centre 0, σ = 0.5: all samples lie between 0 and 0.5, "
            "and half of them should be below 0.",
        ),
        Mistake(
            "centred uniform noise",
            _sampler(
                noise=lambda like, generator: 2 * torch.rand(like.shape, generator=generator) - 1
            ),
            "Your noise stops at σ. Centre 0, σ = 0.5: no sample is beyond ±0.5, and a Gaussian "
            "puts a third of them there.",
        ),
        Mistake(
            "without replacement",
            _sampler(
                choose=lambda centers, n, generator: centers[
                    torch.randperm(len(centers), generator=generator)[:n]
                ]
            ),
            "No centre comes twice. Ask for 4,000 samples from 4 centres and 4 come back; 500 "
            "draws from 1,000 centres hit 500 different ones, and independent draws hit about 393.",
        ),
        Mistake(
            "the first n centres",
            _sampler(choose=lambda centers, n, generator: centers[:n]),
            "The first centres are always taken. If the first 500 of 1,000 are shoes, 500 samples "
            "are 500 shoes; and from 4 centres no more than 4 samples come.",
        ),
        Mistake(
            "the centres in turn",
            _sampler(choose=lambda centers, n, generator: centers[torch.arange(n) % len(centers)]),
            "Your centres are not random: they come in order, the first ones first. If the first "
            "500 of 1,000 are shoes, 500 samples are 500 shoes.",
        ),
        Mistake(
            "one sample for each centre",
            _sampler(choose=lambda centers, n, generator: centers),
            "You return one sample for each centre, however many are asked: 4 centres give 4 "
            "samples, also when 4,000 are wanted.",
        ),
        Mistake(
            "last centre never drawn",
            _sampler(
                choose=lambda centers, n, generator: centers[
                    torch.randint(max(len(centers) - 1, 1), (n,), generator=generator)
                ]
            ),
            "The last centre is never chosen. Of 4 centres the first three get a third of the "
            "samples each and the fourth none.",
        ),
        Mistake(
            "one Gaussian around the mean",
            _sampler(choose=lambda centers, n, generator: centers.mean(0).expand(n, -1)),
            "Your samples crowd where no centre is. With centres at 0 and 10 and σ = 0.5 they all "
            "lie near 5, where the density is nearly 0.",
        ),
        Mistake(
            "generator not used",
            lambda centers, sigma, n, generator=None: _sampler()(centers, sigma, n),
            "The seed has no effect. Two calls, both with a generator of seed 3, give different "
            "samples: some of your random numbers come from elsewhere, so nobody can repeat your "
            "picture.",
        ),
        Mistake(
            "global reseeding",
            _reseeded,
            "Your function starts from the seed again at every call. Draw twice with one generator "
            "and the same points come back, and everything else in the notebook that uses random "
            "numbers is restarted as well.",
        ),
        Mistake(
            "half of σ",
            _sampler(width=lambda sigma: sigma / 2),
            "The samples scatter half as far around their centres as asked.",
        ),
        Mistake(
            "the centre fades",
            lambda centers, sigma, n, generator=None: _sampler()(
                centers * (1 - sigma), sigma, n, generator
            ),
            "The centres fade as σ grows: they are multiplied by 1 − σ. Samples of a window at 8 "
            "with σ = 0.5 lie around 8, not 4.",
        ),
        Mistake(
            "held in [−1, 1]",
            lambda centers, sigma, n, generator=None: _sampler()(
                centers, sigma, n, generator
            ).clamp(-1, 1),
            "No sample lies beyond −1 or 1, wherever the centres are. The density knows no such "
            "bound.",
        ),
        Mistake(
            "one centre for all",
            _sampler(
                choose=lambda centers, n, generator: centers[
                    torch.randint(len(centers), (1,), generator=generator)
                ].expand(n, -1)
            ),
            "All samples of a call come from one centre: each should choose its own.",
        ),
    ),
    probes=(
        Probe(
            "4,000 samples from 4 centres in 3-D, σ = 0.5",
            _noise,
            rtol=0.05,
            atol=0.05,
            explain={
                "share of the samples at each centre": "All centres are equally likely.",
                "mean of the noise": "Samples lie around their centres, on all sides alike.",
                "spread of the noise": "Around their centre samples have standard deviation σ.",
                "share of the noise beyond its spread": "A Gaussian puts 32 % of its draws more "
                "than one standard deviation away.",
            },
        ),
        Probe(
            "500 samples from 1,000 centres",
            _choice,
            rtol=0.0,
            atol=0.1,
            explain={
                "share of different centres": "500 independent draws from 1,000 centres hit about "
                "393 different ones.",
                "share from the first half": "All centres are equally likely.",
            },
        ),
        Probe("one sample from one centre, d = 1", _one_sample),
        Probe(
            "the same seed, another one, none",
            _seeds,
            explain={
                "the same seed repeats the samples": "Two generators with one seed must give the "
                "same samples.",
                "another seed gives others": "Another seed must give other samples.",
                "the next call with one generator gives others": "A generator goes on where it "
                "stopped, so that a second call gives new samples.",
                "torch's own random state is left alone": "With a generator given, no random "
                "number may come from elsewhere, and no seed be set.",
                "without a generator two calls differ": "Without a generator every call gives new "
                "samples.",
            },
        ),
    ),
)


# --- mmd2 -----------------------------------------------------------------------------------------


def _mmd(
    label: str, x: Tensor, y: Tensor, sigmas: list[float], unbiased: bool | None = None
) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        options = {} if unbiased is None else {"unbiased": unbiased}
        return _value(candidate(x.clone(), y.clone(), list(sigmas), **options), ())

    return Probe(label, observe, rtol=1e-3, atol=1e-5)


def _off_diagonal_sum(k: Tensor) -> Tensor:
    return k.sum() - k.diagonal().sum()


def _unbiased_mean(k: Tensor) -> Tensor:
    return _off_diagonal_sum(k) / (len(k) * (len(k) - 1))


def _wrong_mmd2(
    kernel: Callable[[Tensor, float], Tensor] = lambda d, sigma: (-(d**2) / (2 * sigma**2)).exp(),
    unbiased_mean: Callable[[Tensor], Tensor] = _unbiased_mean,
    biased_mean: Callable[[Tensor], Tensor] = torch.mean,
    across: Callable[[Tensor, bool], Tensor] = lambda k, unbiased: 2 * k.mean(),
    finish: Callable[[Tensor], Tensor] = torch.mean,
) -> Callable:
    """An mmd2 with one of its steps exchanged; finish sees one value for each sigma."""

    def mmd2(x: Tensor, y: Tensor, sigmas: list[float], unbiased: bool = True) -> Tensor:
        within, values = unbiased_mean if unbiased else biased_mean, []
        for sigma in sigmas:
            xx, yy, xy = (kernel(torch.cdist(a, b), sigma) for a, b in ((x, x), (y, y), (x, y)))
            values.append(within(xx) + within(yy) - across(xy, unbiased))
        return finish(torch.stack(values))

    return mmd2


def _across_off_diagonal(k: Tensor, unbiased: bool) -> Tensor:
    return 2 * _off_diagonal_sum(k) / (k.numel() - min(k.shape)) if unbiased else 2 * k.mean()


MMD2 = Exercise(
    id="density.mmd2",
    title="Maximum mean discrepancy between two samples",
    reference=density.mmd2,
    hints=(
        "Three averages of likenesses: inside x, inside y, between x and y. In which of them does "
        "a point meet itself, and what is k(x, x)?",
        "Build three matrices of kernels with `torch.cdist`: (n, n), (m, m) and (n, m). An "
        "unbiased average leaves out the diagonal of the first two: how many entries are left? The "
        "third has no pairs of a point with itself. Average over the bandwidths at the end.",
        "For one σ, with `kxx = torch.exp(-torch.cdist(x, x) ** 2 / (2 * sigma**2))` and so on: "
        "`(kxx.sum() - n) / (n * (n - 1)) + (kyy.sum() - m) / (m * (m - 1)) - 2 * kxy.mean()`. "
        "With `unbiased=False` the first two are `kxx.mean() + kyy.mean()`.",
    ),
    mistakes=(
        Mistake(
            "always biased",
            _wrong_mmd2(unbiased_mean=torch.mean),
            "Two samples of one distribution come out too far apart, most of all for few points: "
            "the pairs of a point with itself count. For x = y = (0, 1), σ = 1, the unbiased "
            "estimate is {expected:.2f}; you say {got:.0f}. `unbiased=True` changes nothing.",
            example(_col(0, 1), _col(0, 1), [1.0], gives=0.0, pick=float),
        ),
        Mistake(
            "always unbiased",
            _wrong_mmd2(biased_mean=_unbiased_mean),
            "`unbiased=False` changes nothing. For x = y = (0, 1), σ = 1, the biased estimate is "
            "0, and you say −0.39.",
            example(_col(0, 1), _col(0, 1), [1.0], False, gives=-0.3935, pick=float),
        ),
        Mistake(
            "diagonal kept, divided by n(n − 1)",
            _wrong_mmd2(unbiased_mean=lambda k: k.sum() / (len(k) * (len(k) - 1))),
            "Your likeness inside a set is larger than it can be: more pairs are summed than you "
            "divide by. For x = y = (0, 1), σ = 1, the estimate is {expected:.2f}; you say "
            "{got:.2f}.",
            example(_col(0, 1), _col(0, 1), [1.0], gives=1.6065, pick=float),
        ),
        Mistake(
            "diagonal removed, divided by n²",
            _wrong_mmd2(unbiased_mean=lambda k: _off_diagonal_sum(k) / len(k) ** 2),
            "Your likeness inside a set is too small: you left pairs out that the divisor counts. "
            "For x = y = (0, 1), σ = 1, the estimate is {expected:.2f}; you say {got:.2f}.",
            example(_col(0, 1), _col(0, 1), [1.0], gives=-1.0, pick=float),
        ),
        Mistake(
            "diagonal removed between the sets",
            _wrong_mmd2(across=_across_off_diagonal),
            "You leave out the pairs of the first x with the first y, the second with the second. "
            "They are different points, and count. Renumber the y and your answer changes: for x = "
            "(0, 1), σ = 1 you say 0 with y = (0, 1) and −0.79 with y = (1, 0).",
            example(_col(0, 1), _col(0, 1), [1.0], gives=0.0, pick=float),
        ),
        Mistake(
            "factor 2 missing",
            _wrong_mmd2(across=lambda k, unbiased: k.mean()),
            "Equal sets come out far apart. If all points of x and y are 0, every likeness is 1 "
            "and the distance is 0. You say 1.",
            example(_col(0, 0), _col(0, 0), [1.0], gives=1.0, pick=float),
        ),
        Mistake(
            "cross term added",
            _wrong_mmd2(across=lambda k, unbiased: -2 * k.mean()),
            "The more alike the sets, the larger your distance. If all points of x and y are 0, "
            "you say 4; move y a million away and you say 2.",
            example(_col(0, 0), _col(0, 0), [1.0], gives=4.0, pick=float),
        ),
        Mistake(
            "distance not squared",
            _wrong_mmd2(kernel=lambda d, sigma: (-d / (2 * sigma**2)).exp()),
            "Your likeness falls too slowly. With σ = 1 two points 3 apart are exp(−4.5) = 0.011 "
            "alike; you say 0.223.",
            example(_col(0, 0), _col(3, 3), [1.0], gives=0.2231, pick=lambda r: 1 - float(r) / 2),
        ),
        Mistake(
            "one half missing",
            _wrong_mmd2(kernel=lambda d, sigma: (-(d**2) / sigma**2).exp()),
            "Your likeness falls too fast, at every σ. Two points that are one σ apart are exp(−½) "
            "= 0.61 alike; you say 0.37.",
            example(_col(0, 0), _col(1, 1), [1.0], gives=0.3679, pick=lambda r: 1 - float(r) / 2),
        ),
        Mistake(
            "sigma not squared",
            _wrong_mmd2(kernel=lambda d, sigma: (-(d**2) / (2 * sigma)).exp()),
            "Your σ is a variance. Two points that are one σ apart are exp(−½) = 0.61 alike for "
            "every σ; with σ = 2 you say 0.37. At σ = 1 you do not notice.",
            example(_col(0, 0), _col(2, 2), [2.0], gives=0.3679, pick=lambda r: 1 - float(r) / 2),
        ),
        Mistake(
            "root taken",
            _wrong_mmd2(finish=lambda values: values.mean().sqrt()),
            "You return a distance; asked is its square. If all x are 0 and all y a million, it is "
            "2, and you say 1.41. And for x = y = (0, 1), σ = 1, the unbiased estimate is −0.39, "
            "where you return nan.",
            example(_col(0, 0), _col(1e6, 1e6), [1.0], gives=1.4142, pick=float),
        ),
        Mistake(
            "cut at zero",
            _wrong_mmd2(finish=lambda values: values.mean().clamp(min=0)),
            "You never return less than 0. For x = y = (0, 1), σ = 1, the unbiased estimate is "
            "−0.39. Estimates for equal distributions that are never negative have a mean above 0: "
            "biased again.",
        ),
        Mistake(
            "absolute value",
            _wrong_mmd2(finish=lambda values: values.mean().abs()),
            "Your estimate has lost its sign. For x = y = (0, 1), σ = 1, it is −0.39, and you say "
            "0.39: farther from itself than from y = (1.3, 2.3), which gets 0.27.",
            example(_col(0, 1), _col(0, 1), [1.0], gives=0.3935, pick=float),
        ),
        Mistake(
            "first bandwidth only",
            _wrong_mmd2(finish=lambda values: values[0]),
            "Only the first bandwidth counts. With sigmas = [1, 100] and with sigmas = [1, 0.01] "
            "you say the same.",
        ),
        Mistake(
            "summed over the bandwidths",
            _wrong_mmd2(finish=torch.sum),
            "Your distance grows with the length of the list. If all x are 0 and all y a million, "
            "it is 2 at every σ; write the same σ down three times and you say 6.",
            example(_col(0, 0), _col(1e6, 1e6), [1.0, 1.0, 1.0], gives=6.0, pick=float),
        ),
        Mistake(
            "biased by default",
            lambda x, y, sigmas, unbiased=False: density.mmd2(x, y, sigmas, unbiased=unbiased),
            "Where nothing is said the estimate should be the unbiased one; yours is the biased "
            "one. For x = y = (0, 1), σ = 1, the unbiased estimate is {expected:.2f}; you say "
            "{got:.0f}.",
            example(_col(0, 1), _col(0, 1), [1.0], gives=0.0, pick=float),
        ),
        Mistake(
            "multiplied by σ",
            _wrong_mmd2(kernel=lambda d, sigma: (-sigma * d**2).exp()),
            "Your likeness falls faster the larger σ is: you multiply by it (as by a γ), and "
            "should divide by 2σ². With σ = 1 two points that are 1 apart are 0.61 alike; you say "
            "{got:.2f}.",
            example(_col(0, 0), _col(1, 1), [1.0], gives=0.3679, pick=lambda r: 1 - float(r) / 2),
        ),
        Mistake(
            "distance of the means",
            lambda x, y, sigmas, unbiased=True: (x.mean(0) - y.mean(0)).square().sum(),
            "You compare the two means and no more: the bandwidths have no influence. Sets with "
            "one mean and other shapes come out equal; for x = (−1, 1) and y = (−9, 9), σ = 1, "
            "the estimate is {expected:.2f}; you say {got:.0f}.",
            example(_col(-1, 1), _col(-9, 9), [1.0], gives=0.0, pick=float),
        ),
        Mistake(
            "the largest over the bandwidths",
            _wrong_mmd2(finish=torch.max),
            "You return the largest of the estimates; asked is their mean over the bandwidths.",
        ),
        Mistake(
            "one for each bandwidth",
            _wrong_mmd2(finish=lambda found: found),
            "You return an estimate for each bandwidth; asked is one number, their mean.",
        ),
        Mistake(
            "between the sets only",
            lambda x, y, sigmas, unbiased=True: torch.stack(
                [2 - 2 * (-(torch.cdist(x, y) ** 2) / (2 * s**2)).exp().mean() for s in sigmas]
            ).mean(),
            "You look at pairs between the sets only, as if the points inside a set were all "
            "alike. For x = y = (0, 1), σ = 1, the estimate is {expected:.2f}; you say {got:.2f}.",
            example(_col(0, 1), _col(0, 1), [1.0], gives=0.3935, pick=float),
        ),
    ),
    probes=(
        _mmd(
            "x = (0, 1), y = (3, 5), σ = 1",
            torch.tensor([[0.0], [1]]),
            torch.tensor([[3.0], [5]]),
            [1.0],
        ),
        _mmd(
            "4 and 3 points in the plane, σ = 2",
            normal(4, 2, seed=1),
            normal(3, 2, seed=2),
            [2.0],
        ),
        _mmd(
            "the same, unbiased=False",
            normal(4, 2, seed=1),
            normal(3, 2, seed=2),
            [2.0],
            unbiased=False,
        ),
        _mmd(
            "4 and 3 other points, far apart, unbiased=False",
            normal(4, 2, seed=8),
            3 + normal(3, 2, seed=9),
            [2.0],
            unbiased=False,
        ),
        _mmd(
            "two single points, unbiased=False", torch.zeros(1, 1), torch.ones(1, 1), [1.0], False
        ),
        _mmd(
            "a set against itself, σ = 1", normal(5, 2, seed=3), normal(5, 2, seed=3), [1.0], True
        ),
        _mmd(
            "6 and 9 points in 5-D, three bandwidths, float64",
            normal(6, 5, seed=4, dtype=torch.float64),
            1 + normal(9, 5, seed=5, dtype=torch.float64),
            [0.5, 2.0, 4.0],
        ),
        _mmd("x = (0, 0, 1) with two equal points, y = (3, 5)", _col(0, 0, 1), _col(3, 5), [1.0]),
    ),
)


# --- proxy_a_distance -----------------------------------------------------------------------------
# Any classifier may be used, so that only ranges are observed. They are wide enough for a tree or a
# nearest neighbour as well as for a network, if a fifth of the points or more is held out.


def proxy_a_distance(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], generator: torch.Generator | None = None
) -> float:
    """2 (1 − 2ε), at least 0; ε is a linear classifier's error on a random half, held out."""
    from sklearn.linear_model import RidgeClassifier  # takes a second to import

    points, labels = torch.cat([x, y]), torch.cat([torch.zeros(len(x)), torch.ones(len(y))])
    order = torch.randperm(len(points), generator=generator)
    train, held_out = order[: len(order) // 2], order[len(order) // 2 :]
    classifier = RidgeClassifier(alpha=100.0).fit(points[train], labels[train])
    error = 1 - classifier.score(points[held_out], labels[held_out])
    return max(0.0, 2 * (1 - 2 * error))


_EDGES = (0.35, 0.85, 1.6, 1.8)


def _between(value: Any, edges: tuple[float, ...] = _EDGES) -> str:
    value = float(value)
    k = bisect.bisect_right(edges, value)
    if math.isnan(value):
        return "nan"
    if k == 0:
        return f"below {edges[0]}"
    return f"{edges[-1]} or more" if k == len(edges) else f"between {edges[k - 1]} and {edges[k]}"


def _proxy(candidate: Callable, x: Tensor, y: Tensor) -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small networks are slower on two, and much slower on busy ones
    try:
        return candidate(x.clone(), y.clone(), generator=seeded(31))
    finally:
        torch.set_num_threads(threads)


def _far_apart(candidate: Callable) -> dict[str, Any]:
    value = _proxy(candidate, normal(1000, 2, seed=3), normal(1000, 2, seed=4) + 20)
    seen = {"distance": _between(value), "at most 2": value <= 2}
    return seen | {"is a Python float": isinstance(value, float)}


def _one_law(candidate: Callable) -> dict[str, Any]:
    value = _proxy(candidate, normal(1000, 2, seed=1) + 5, normal(1000, 2, seed=2) + 5)
    return {"distance": _between(value)}


def _overlap(candidate: Callable) -> dict[str, Any]:
    value = _proxy(candidate, normal(1000, 1, seed=5), normal(1000, 1, seed=6) + 2)
    return {"distance": _between(value)}


def _near(candidate: Callable) -> dict[str, Any]:
    value = _proxy(candidate, normal(900, 1, seed=10), normal(600, 1, seed=11) + 1)
    return {"distance": _between(value, (0.2, 0.9))}


def _sorted_overlap(candidate: Callable) -> dict[str, Any]:
    x, y = normal(1000, 1, seed=7), normal(1000, 1, seed=8) + 2
    value = _proxy(candidate, x.sort(dim=0).values, y.sort(dim=0).values)
    return {"distance": _between(value, (0.85, 1.6))}


def _many_coordinates(candidate: Callable) -> dict[str, Any]:
    value = _proxy(candidate, *normal(600, 1000, seed=9).split(300))
    return {"distance": _between(value, (0.6, 1.5))}


def _twins(candidate: Callable) -> dict[str, Any]:
    # Whatever happens to mark x among the points for training marks y among those held out: a
    # classifier does worse than chance here, so that 2 (1 − 2ε) is far below 0 before it is cut.
    x = normal(60, 100, seed=13)
    return {"distance": _between(_proxy(candidate, x, x), (0.0, 0.5))}


def _in_order(share: float) -> Callable:
    """The first part of the stacked points for training, the rest for the test."""

    def split(n: int, m: int, generator: torch.Generator | None) -> tuple[Tensor, ...]:
        return torch.arange(n + m).tensor_split([round(share * (n + m))])

    return split


def _each_in_order(n: int, m: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    x, y = torch.arange(n).tensor_split(2), (n + torch.arange(m)).tensor_split(2)
    return torch.cat([x[0], y[0]]), torch.cat([x[1], y[1]])


def _wrong_proxy(
    distance: Callable[[float], float] = lambda error: max(0.0, 2 * (1 - 2 * error)),
    split: Callable = lambda n, m, generator: torch.randperm(n + m, generator=generator).chunk(2),
) -> Callable:
    """A proxy_a_distance by least squares with one of its steps exchanged."""

    def proxy_a_distance(x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> float:
        points = torch.cat([torch.cat([x, y]), torch.ones(len(x) + len(y), 1)], dim=1).double()
        labels = torch.cat([-torch.ones(len(x)), torch.ones(len(y))]).double()
        train, held_out = split(len(x), len(y), generator)
        weights = torch.linalg.pinv(points[train]) @ labels[train]
        wrong = (points[held_out] @ weights > 0) != (labels[held_out] > 0)
        return float(distance(wrong.double().mean().item()))

    return proxy_a_distance


PROXY_A_DISTANCE = Exercise(
    id="density.proxy_a_distance",
    title="Proxy A-distance: how well a classifier tells two samples apart",
    reference=proxy_a_distance,
    hints=(
        "If nothing tells the two sets apart, which share of *new* points does the best classifier "
        "get wrong, and which distance should come out?",
        "Stack the sets, label them 0 and 1, and shuffle points and labels with one permutation "
        "from `generator`. Train on one part. On which part do you count the errors? And what do "
        "you report if the classifier is wrong more often than a coin?",
        "With `order = torch.randperm(len(points), generator=generator)`, `half = len(order) // "
        "2`: fit on `order[:half]`, `error = 1 - classifier.score(points[order[half:]], "
        "labels[order[half:]])`, and return `max(0.0, 2 * (1 - 2 * error))`.",
    ),
    mistakes=(
        Mistake(
            "error on the training points",
            _wrong_proxy(split=lambda n, m, generator: 2 * (torch.arange(n + m),)),
            "Your classifier is examined on the points that it learned by heart. Take 300 points "
            "and 300 more of the same distribution in 1,000 dimensions: they come out 2 apart, as "
            "if they had nothing in common. What separates these points will not separate the next "
            "ones.",
        ),
        Mistake(
            "error on the half that was learned",
            _wrong_proxy(
                split=lambda n, m, generator: (
                    2 * (torch.randperm(n + m, generator=generator)[: (n + m) // 2],)
                )
            ),
            "You cut the points into two parts and then examine the classifier on the part that "
            "it learned by heart. 300 points and 300 more of the same distribution in 1,000 "
            "dimensions come out 2 apart.",
        ),
        Mistake(
            "error of a nearest neighbour on its own points",
            lambda x, y, generator=None: 2.0,
            "Any two sets come out 2 apart, two samples of one distribution among them. Your "
            "classifier remembers every point that it is asked about, so it is never wrong there; "
            "a new point it has not met.",
        ),
        Mistake(
            "scale",
            _wrong_proxy(distance=lambda error: max(0.0, 1 - 2 * error)),
            "The scale ends at 1. Two sets 20 standard deviations apart are never confused, ε = "
            "0, and the proxy A-distance is 2 there.",
        ),
        Mistake(
            "scale, and negative",
            _wrong_proxy(distance=lambda error: 1 - 2 * error),
            "The scale runs from −1 to 1. For sets that are never confused, ε = 0, 2 is right and "
            "not 1, and for ε = 0.6, which is bad luck, 0 and not −0.2.",
        ),
        Mistake(
            "accuracy for error",
            _wrong_proxy(distance=lambda error: max(0.0, 2 * (1 - 2 * (1 - error)))),
            "The easier your sets are to tell apart, the smaller your distance. A classifier that "
            "is never wrong ends at −2, or at 0 if you cut there: your ε is the share of right "
            "answers.",
        ),
        Mistake(
            "negative distance",
            _wrong_proxy(distance=lambda error: 2 * (1 - 2 * error)),
            "Your distance can be negative. Wrong on 21 of 40 held-out points is bad luck, and you "
            "report −0.1.",
        ),
        Mistake(
            "absolute value",
            _wrong_proxy(distance=lambda error: abs(2 * (1 - 2 * error))),
            "A set is far from itself for you. A classifier that is wrong on 28 of 40 held-out "
            "points knows nothing that holds for new points, and you report 0.8 for it, as for one "
            "that is right on 28.",
        ),
        Mistake(
            "the error itself",
            _wrong_proxy(distance=lambda error: error),
            "You return the error. It is 0 for sets that are never confused and 0.5 for equal "
            "distributions: the wrong way round for a distance.",
        ),
        Mistake(
            "the accuracy itself",
            _wrong_proxy(distance=lambda error: 1 - error),
            "You return the share of right answers. For two samples of one distribution it is 0.5, "
            "and their distance should be 0.",
        ),
        Mistake(
            "2 (1 − ε)",
            _wrong_proxy(distance=lambda error: 2 * (1 - error)),
            "Two samples of one distribution are 1 apart for you: there ε = 0.5, and the distance "
            "should be 0.",
        ),
        Mistake(
            "cut in the middle, not shuffled",
            _wrong_proxy(split=_in_order(0.5)),
            "Sets that are 20 standard deviations apart come out as equal. The labels were cut in "
            "the middle as they came, 100 of x and then 100 of y: the classifier learned of x "
            "only, and was asked only about y. Points and labels must be shuffled, both alike.",
        ),
        Mistake(
            "cut near the end, not shuffled",
            _wrong_proxy(split=_in_order(0.8)),
            "Your answer depends on the order of the points: they were cut as they came. The last "
            "of them are all y, so that no x is ever tested. N(0, 1) and N(2, 1) with the points "
            "of each set sorted come out 2.0 apart, not 1.37.",
        ),
        Mistake(
            "each set cut, not shuffled",
            _wrong_proxy(split=_each_in_order),
            "Your answer depends on the order of the points: each set was cut as it came. For "
            "N(0, 1) and N(2, 1) with the points of each set sorted, the classifier learns from "
            "small ones and is tested on large ones: they come out 0.34 apart, not 1.37.",
        ),
    ),
    probes=(
        Probe(
            "two sets 20 standard deviations apart",
            _far_apart,
            explain={
                "distance": "A classifier is never wrong here, so the distance is 2.",
                "is a Python float": "The distance must be a Python float, not a tensor or an "
                "array.",
            },
        ),
        Probe(
            "1,000 and 1,000 points of one distribution in the plane",
            _one_law,
            explain={"distance": "Nothing tells these sets apart: the distance is about 0."},
        ),
        Probe(
            "1,000 points of N(0, 1) and 1,000 of N(2, 1)",
            _overlap,
            explain={
                "distance": "The best possible classifier cuts at 1 and is wrong on 15.9 % of the "
                "points: the distance is 1.37. A classifier that is not quite as good gives a "
                "little less."
            },
        ),
        Probe("900 points of N(0, 1) and 600 of N(1, 1)", _near),
        Probe(
            "points of N(0, 1) and of N(2, 1), each set sorted",
            _sorted_overlap,
            explain={
                "distance": "The order in which the points come must not matter: it is 1.37 again."
            },
        ),
        Probe(
            "300 and 300 points of one distribution in 1,000 dimensions",
            _many_coordinates,
            explain={
                "distance": "Nothing tells these sets apart, and on points that the classifier has "
                "not seen, it shows: the distance is near 0."
            },
        ),
        Probe(
            "60 points against the same 60 points, 100 dimensions",
            _twins,
            explain={"distance": "A set does not differ from itself, and no distance is negative."},
        ),
    ),
    time_limit=30.0,
)

EXERCISES = (
    FIT_GAUSSIAN,
    PARZEN_LOG_DENSITY,
    SELECT_BANDWIDTH,
    PARZEN_SAMPLE,
    MMD2,
    PROXY_A_DISTANCE,
)

# --- questions ------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "density.bandwidth_zero",
        "Windows of width σ stand on the training points. As σ goes to 0, what happens to the "
        "likelihood of the training points themselves?",
        {
            "it grows without bound": "Each training point sits on the peak of its own window, and "
            "the peak grows like 1/σᵈ: training points cannot choose σ.",
            "it falls": "That is what happens to points that no window stands on. A training point "
            "never leaves the peak of its own.",
            "it levels off": "Nothing stops it: halve σ, and the peak under each training point "
            "becomes 2ᵈ times as high.",
        },
        "it grows without bound",
    ),
    Question(
        "density.concentration",
        "A query and 1,000 points are drawn from a standard Gaussian in 784 dimensions. The "
        "distance to the nearest point, divided by the distance to the farthest: about how much, "
        "between 0 and 1?",
        None,
        0.87,  # the mean of 40 repetitions is 0.866
    ),
    Question(
        "density.kmeans_or_data",
        "Which windows give real test images the higher likelihood: those on real training images, "
        "or those on as many k-means centres?",
        {
            "real images": "A real picture has details that no other picture shares; an average "
            "has none, so it is nearer to most new pictures, and nearness is all that Parzen sees.",
            "k-means centres": "They are blurred, but an average is nearer to a new picture than a "
            "single real one is, and nearness is all that Parzen sees.",
            "about equal": "An average of many pictures is nearer to a new one than a real picture "
            "is, and in 784 dimensions a little nearer is many nats.",
        },
        "k-means centres",
    ),
    Question(
        "density.mmd_negative",
        "Can an unbiased estimate of a squared distance be negative?",
        {
            "yes": "For equal distributions its mean is 0, so it has to fall below 0 as well as "
            "above.",
            "no": "The distance itself cannot, but its estimate has mean 0 for equal "
            "distributions; an estimate that is never below 0 would be too large on average.",
        },
        "yes",
    ),
    Question(
        "density.worse_sampler",
        "Which samples are farther from real pictures in MMD?",
        {
            "the Gaussian": "It gets the mean and every pair of pixels right, but it has a single "
            "peak, and blends boots with shirts.",
            "the Parzen windows": "Each of their samples is a real picture under a layer of noise, "
            "and the noise is small beside the bandwidths of the kernel.",
        },
        "the Gaussian",
    ),
)
