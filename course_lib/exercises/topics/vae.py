"""Exercises and questions of lecture 02: eigenfaces, autoencoders, the variational autoencoder."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Normal

from course_lib import autoencoders
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal


def _value(result: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Shape, then values, which are compared only where the shape is right.

    So all programs that mix up the same two axes look alike, whatever else they compute.
    """
    if isinstance(result, tuple):  # the engine says what was asked
        return {}
    result = torch.as_tensor(result)
    seen = result if result.shape == shape else torch.zeros(0)
    return {"shape": str(tuple(result.shape)), "result": seen}


def _rows(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _list(result: Tensor) -> list:
    return result.tolist()


# --- pca_components -------------------------------------------------------------------------------


def pca_components(x: Float[Tensor, "n d"], k: int) -> Float[Tensor, "k d"]:
    """The k directions along which the rows of x scatter most, as orthonormal rows."""
    centred = x - x.mean(dim=0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh  # (min(n, d), d), largest first
    return directions[:k]


def _components(label: str, x: Tensor, k: int) -> Probe:
    centred = (x - x.mean(0)).double()
    most = torch.linalg.svdvals(centred).square()[:k]
    names = [f"row {i} has the scatter of principal direction {i}" for i in range(1, k + 1)]

    def observe(candidate: Callable) -> dict[str, Any]:
        seen = _value(candidate(x.clone(), k), (k, x.shape[1]))
        if not seen:
            return seen
        rows = seen.pop("result").double().reshape(-1, x.shape[1])
        scatter = (centred @ rows.T).square().sum(0) if len(rows) else most.new_zeros(k)
        seen["products of the rows with each other"] = rows @ rows.T
        seen |= dict(zip(names, torch.isclose(scatter, most, rtol=1e-3).tolist(), strict=True))
        return seen | {"squared entries": rows.square()}  # a direction may point either way

    explain = dict.fromkeys(names, "Along this row the points scatter too little or too much.")
    explain["products of the rows with each other"] = "Rows must be orthonormal."
    return Probe(label, observe, rtol=1e-3, atol=2e-3, explain=explain)


def _cloud(n: int, d: int, seed: int, centre: float = 5) -> Tensor:
    """Points about (5, 5, …) that scatter a quarter as much along each next direction."""
    rotation = torch.linalg.qr(normal(d, d, seed=seed + 1)).Q
    return centre + normal(n, d, seed=seed) * 0.25 ** torch.arange(d) @ rotation


def _svd(x: Tensor) -> Any:
    return torch.linalg.svd(x - x.mean(0), full_matrices=False)


def _eigenvectors(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return torch.linalg.eigh(centred.T @ centred).eigenvectors  # columns, smallest first


def _first(rows: Tensor) -> list:
    """The first direction, so turned that it begins above 0."""
    return (rows[0] * rows[0, 0].sign()).tolist()


def _sizes(rows: Tensor) -> list:
    """The first direction without signs."""
    return rows[0].abs().tolist()


_ON_A_LINE = _rows((-3, 0), (0, 0), (3, 0))
_SCATTERED = torch.cat([s * _rows((6, 3, 6), (4, -4, -2), (1, 2, -2)) for s in (1, -1)])

PCA_COMPONENTS = Exercise(
    id="vae.pca_components",
    title="Principal directions of a set of images",
    reference=pca_components,
    hints=(
        "Two faces are two points. What do all faces share, so that it says nothing about how "
        "they differ? Take that away first. Which axis of x counts the faces?",
        "With the centred data X, a direction v of length 1 is good when ‖Xv‖ is large. The "
        "singular vectors of X answer this in order: X = U S Vᵀ. Which of U and V has as many "
        "numbers as there are pixels, and does torch give it to you by rows or by columns?",
        "`torch.linalg.svd(centred, full_matrices=False)` returns U, S and Vh, largest first; the "
        "rows of Vh are the directions. You need the first k. (With `torch.linalg.eigh` of the "
        "covariance they are the columns, smallest first.)",
    ),
    mistakes=(
        Mistake(
            "not centred",
            lambda x, k: torch.linalg.svd(x, full_matrices=False).Vh[:k],
            "Your first direction points at the mean face, not at a difference between faces. The "
            "points (10, 0) and (10, 2) differ in the second coordinate only; you say that they "
            "scatter along (0.99, 0.10).",
            example(_rows((10, 0), (10, 2)), 1, gives=[0.995, 0.1], pick=_first),
        ),
        Mistake(
            "one mean for all pixels",
            lambda x, k: torch.linalg.svd(x - x.mean(), full_matrices=False).Vh[:k],
            "You took the same number from every pixel. (0, 10) and (2, 10) differ in the first "
            "coordinate only; with the mean 5.5 of all four numbers you say that they scatter "
            "along (0.72, −0.70): the mean face is still in it.",
            example(_rows((0, 10), (2, 10)), 1, gives=[0.72, -0.696], pick=_first),
        ),
        Mistake(
            "each image centred",
            lambda x, k: torch.linalg.svd(x - x.mean(1, keepdim=True), full_matrices=False).Vh[:k],
            "You took from each image its own brightness. The images (0, 2) and (4, 6) of two "
            "pixels differ, but both become (−1, 1), and nothing is left that scatters.",
        ),
        Mistake(
            "columns",
            lambda x, k: _svd(x).Vh[:k].T,
            "Rows and columns have changed places. Points with 3 coordinates and k = 2 give you 3 "
            "rows; asked are 2, one for each direction.",
            example(normal(6, 3, seed=11), 2, gives=3, pick=len),
        ),
        Mistake(
            "left singular vectors",
            lambda x, k: _svd(x).U[:, :k].T,
            "You return one number for each image, not for each pixel: 60 points in 5-D give you "
            "rows of 60 numbers. A direction in 5-D has 5, and can be drawn as an image.",
            example(normal(60, 5, seed=12), 1, gives=60, pick=lambda r: r.shape[-1]),
        ),
        Mistake(
            "codes",
            lambda x, k: (x - x.mean(0)) @ _svd(x).Vh[:k].T,
            "You return the coordinates of the points along the directions: one row for each of "
            "60 points. Asked are the directions themselves, k rows whatever the number of points.",
            example(normal(60, 5, seed=12), 1, gives=60, pick=len),
        ),
        Mistake(
            "rows of V",
            lambda x, k: _eigenvectors(x).flip(1)[:k],
            "Your row 1 holds the first entries of all directions, not all entries of the first. "
            "The points ±(6, 3, 6), ±(4, −4, −2) and ±(1, 2, −2) scatter most along (0.67, 0.33, "
            "0.67); the entries of yours are 0.67, 0.67, 0.33 in size.",
            example(_SCATTERED, 1, gives=[0.667, 0.667, 0.333], pick=_sizes),
        ),
        Mistake(
            "smallest first",
            lambda x, k: _eigenvectors(x)[:, :k].T,
            "You return the directions along which the points scatter least. (−3, 0), (3, 0), (0, "
            "1) and (0, −1) are widest along (1, 0); you say (0, 1). Rebuilt from these, all "
            "faces look the same.",
            example(_rows((-3, 0), (3, 0), (0, 1), (0, -1)), 1, gives=[0.0, 1.0], pick=_sizes),
        ),
        Mistake(
            "largest last",
            lambda x, k: _eigenvectors(x)[:, -k:].T,
            "The right k directions, in the wrong order: yours rise. If you keep only your "
            "first row keeps the least useful of the k.",
        ),
        Mistake(
            "scaled by the singular values",
            lambda x, k: _svd(x).S[:k, None] * _svd(x).Vh[:k],
            "Your rows are not of length 1. (−3, 0), (0, 0) and (3, 0) give you (4.24, 0). "
            "Projected on it and back, the point (3, 0) becomes (54, 0).",
            example(_ON_A_LINE, 1, gives=[4.243, 0.0], pick=_sizes),
        ),
        Mistake(
            "scaled by the spread",
            lambda x, k: _svd(x).S[:k, None] * _svd(x).Vh[:k] / math.sqrt(len(x) - 1),
            "Your rows have the length of the spread, not 1. (−3, 0), (0, 0) and (3, 0) give you "
            "(3, 0). Projected on it and back, the point (3, 0) becomes (27, 0).",
            example(_ON_A_LINE, 1, gives=[3.0, 0.0], pick=_sizes),
        ),
        Mistake(
            "pixels standardised",
            lambda x, k: torch.linalg.svd((x - x.mean(0)) / x.std(0), full_matrices=False).Vh[:k],
            "You gave every pixel the same spread before you looked. (0, 0) and (10, 1) lie on a "
            "line of slope 0.1; you say (0.71, 0.71), slope 1. A corner that hardly changes now "
            "counts as much as the mouth.",
            example(_rows((0, 0), (10, 1)), 1, gives=[0.707, 0.707], pick=_sizes),
        ),
        Mistake(
            "all directions",
            lambda x, k: pca_components(x, min(x.shape)),
            "You return all directions that there are; asked are the first k. The later ones hold "
            "little, and to leave them out is the point.",
        ),
    ),
    probes=(
        _components("6 points in 3-D, k = 2", _cloud(6, 3, seed=1), 2),
        _components("60 points in 5-D, k = 3", _cloud(60, 5, seed=3), 3),
        _components("fewer points than dimensions: 7 points in 12-D, k = 1", _cloud(7, 12, 5), 1),
        _components("all directions of 6 points about 0 in 3-D", _cloud(6, 3, seed=7, centre=0), 3),
        _components("300 points in 4-D, k = 2", _cloud(300, 4, seed=9), 2),
    ),
)


# --- pca_reconstruct ------------------------------------------------------------------------------


def pca_reconstruct(
    x: Float[Tensor, "n d"], mean: Float[Tensor, " d"], components: Float[Tensor, "k d"]
) -> Float[Tensor, "n d"]:
    """Each row of x, rebuilt from its k coordinates: x̂ = mean + (x − mean) Vᵀ V."""
    codes = (x - mean) @ components.T  # (n, k)
    return codes @ components + mean


def _orthonormal(k: int, d: int, seed: int) -> Tensor:
    return torch.linalg.qr(normal(d, k, seed=seed)).Q.T.contiguous()


_FIRST_AXIS = torch.tensor([[1.0, 0]])


def _mean_itself(components: Tensor = _FIRST_AXIS, *, gives: list) -> Any:
    """The mean (5, 5) as the image."""
    mean = torch.tensor([5.0, 5])
    return example(mean[None], mean, components, gives=[gives], pick=_list)


PCA_RECONSTRUCT = Exercise(
    id="vae.pca_reconstruct",
    title="Rebuild images from a few principal components",
    reference=pca_reconstruct,
    hints=(
        "Two steps: an image becomes k numbers, the k numbers become an image. What is the "
        "k-number code of the mean face, and which image must it give back?",
        "Coordinate i of an image is the scalar product of (image − mean) with component i. The "
        "image is the mean plus the components, each taken as often as its coordinate says.",
        "`codes = (x - mean) @ components.T` is (n, k); `codes @ components` is (n, d). One term "
        "is still missing.",
    ),
    mistakes=(
        Mistake(
            "mean not added back",
            lambda x, mean, c: (x - mean) @ c.T @ c,
            "The mean face is gone. Mean (5, 5), component (1, 0): the mean itself must come back "
            "as (5, 5), and you say (0, 0). Faces come out as differences, half of them black.",
            _mean_itself(gives=[0.0, 0.0]),
        ),
        Mistake(
            "mean not taken off",
            lambda x, mean, c: x @ c.T @ c + mean,
            "The mean counts twice along the components. Mean (5, 5), component (1, 0): the mean "
            "itself must come back as (5, 5), and you say (10, 5).",
            _mean_itself(gives=[10.0, 5.0]),
        ),
        Mistake(
            "no mean at all",
            lambda x, mean, c: x @ c.T @ c,
            "What the components do not see falls to 0, not to the mean. Mean (5, 5), component "
            "(1, 0): the mean itself must come back as (5, 5), and you say (5, 0).",
            _mean_itself(gives=[5.0, 0.0]),
        ),
        Mistake(
            "mean taken off again",
            lambda x, mean, c: (x - mean) @ c.T @ c - mean,
            "The mean has the wrong sign at the end. Mean (5, 5): the mean itself must come back, "
            "and you say (−5, −5), its negative.",
            _mean_itself(gives=[-5.0, -5.0]),
        ),
        Mistake(
            "mean of these images",
            lambda x, mean, c: (x - x.mean(0)) @ c.T @ c + x.mean(0),
            "Your result for one image depends on which others came with it. An image alone comes "
            "back unchanged, because you take it for its own mean; the components did nothing.",
        ),
        Mistake(
            "codes only",
            lambda x, mean, c: (x - mean) @ c.T,
            "You stopped halfway: k numbers for each image, and nothing to look at. A 32 × 32 "
            "colour face with 7 components must come back as 3,072 numbers; you return 7.",
            example(
                torch.zeros(1, 3072),
                torch.zeros(3072),
                torch.eye(7, 3072),
                gives=7,
                pick=lambda r: r.shape[-1],
            ),
        ),
        Mistake(
            "what is left over",
            lambda x, mean, c: (x - mean) - (x - mean) @ c.T @ c,
            "You return what the components cannot explain. Mean (0, 0), component (1, 0), image "
            "(3, 4): asked is (3, 0), and you say (0, 4).",
            example(_rows((3, 4)), torch.zeros(2), _FIRST_AXIS, gives=[[0.0, 4.0]], pick=_list),
        ),
        Mistake(
            "first component only",
            lambda x, mean, c: (x - mean) @ c[:1].T @ c[:1] + mean,
            "More components do not help: only the first is used. With (1, 0) and (0, 1) nothing "
            "is lost in the plane, yet you turn (3, 4) into (3, 0).",
            example(_rows((3, 4)), torch.zeros(2), torch.eye(2), gives=[[3.0, 0.0]], pick=_list),
        ),
        Mistake(
            "mean once per component",
            lambda x, mean, c: (x - mean) @ c.T @ c + len(c) * mean,
            "The mean is added once for each component. Mean (5, 5) with the components (1, 0) "
            "and (0, 1): the mean itself must come back as (5, 5), and you say (10, 10).",
            _mean_itself(torch.eye(2), gives=[10.0, 10.0]),
        ),
        Mistake(
            "mean twice",
            lambda x, mean, c: pca_reconstruct(x, mean, c) + mean,
            "The mean is in your result once too often. Mean (5, 5), component (1, 0): the mean "
            "itself must come back as (5, 5), and you say (10, 10).",
            _mean_itself(gives=[10.0, 10.0]),
        ),
    ),
    probes=(
        call(
            "one image of 2 pixels, 1 component",
            _rows((0.4, 0.8)),
            torch.tensor([0.1, 0.2]),
            _FIRST_AXIS,
        ),
        call(
            "5 images of 9 pixels, 4 components",
            normal(5, 9, seed=1),
            normal(9, seed=2),
            _orthonormal(4, 9, 3),
        ),
        call(
            "one image of 12 pixels, 3 components",
            normal(1, 12, seed=4),
            normal(12, seed=5),
            _orthonormal(3, 12, 6),
        ),
        call(
            "another image of 2 pixels, another component",
            _rows((-2, 5)),
            torch.tensor([-1.0, 3]),
            _rows((0.6, -0.8)),
        ),
        call(
            "5 images of one pixel, two of them equal",
            _rows((1,), (4,), (1,), (-3,), (0,)),
            torch.tensor([2.0]),
            torch.tensor([[-1.0]]),
        ),
    ),
)


# --- reparameterise -------------------------------------------------------------------------------


_ANY_NUMBER = "logvar may be any number, and some of these are far from 0."


def _std(logvar: Tensor) -> Tensor:
    return (logvar / 2).exp()


def _draw(label: str, mu: Tensor, logvar: Tensor, noise: Tensor) -> Probe:
    return call(label, mu, logvar, noise, grad=(0, 1))


def _drawn_once(mu: float, logvar: float, noise: float, gives: float) -> Any:
    """One latent of one image."""
    given = torch.tensor([mu, logvar, noise], dtype=torch.float32).view(3, 1, 1)
    return example(*given, gives=gives, pick=float)


def _follows_the_noise(candidate: Callable) -> dict[str, Any]:
    mu, logvar, noise = (normal(3, 5, seed=seed) for seed in (1, 2, 3))
    first, again = (candidate(mu.clone(), logvar.clone(), noise.clone()) for _ in range(2))
    other = candidate(mu, logvar, noise + 1)
    return {
        "the same draw from the same noise": bool((first == again).all()),
        "every entry moves with its noise": bool((first != other).all()),
    }


def _in_units_of_sigma(candidate: Callable) -> dict[str, Any]:
    logvar = torch.linspace(-30, 25, 20).view(2, 10)
    z = candidate(torch.zeros(2, 10), logvar.clone(), normal(2, 10, seed=9))
    return {"z divided by σ": torch.as_tensor(z) / _std(logvar)}


def _while_nothing_is_trained(candidate: Callable) -> dict[str, Any]:
    with torch.no_grad():
        return {"result": candidate(*(normal(2, 3, seed=seed) for seed in (10, 11, 12)))}


REPARAMETERISE = Exercise(
    id="vae.reparameterise",
    title="The reparameterisation trick: a draw that lets the gradient through",
    reference=autoencoders.reparameterise,
    hints=(
        "A draw from N(5, 0.1²): how do you make it out of a draw from N(0, 1), with one "
        "multiplication and one addition? What of mu and logvar belongs in which place?",
        "logvar is the logarithm of the variance σ². At logvar = 0 the spread σ is 1, at logvar = "
        "2 it is 2.718. Which function of logvar gives that? Everything must be done with "
        "tensors, so that the gradient can find its way back.",
        "σ² = exp(logvar), so σ = exp(logvar / 2). The code is z = μ + σ · noise, entry by entry, "
        "with the noise that you were given.",
    ),
    mistakes=(
        Mistake(
            "the variance as spread",
            lambda mu, logvar, noise: mu + logvar.exp() * noise,
            "Your spread is a variance. μ = 0, logvar = 2, noise 1: you say 7.39, and one "
            "standard deviation is 2.72. At logvar = 0 you do not notice.",
            _drawn_once(0, 2, 1, gives=7.389),
        ),
        Mistake(
            "noise ignores sigma",
            lambda mu, logvar, noise: mu + noise,
            "Your noise does not feel σ. An encoder that is sure, σ = 0.01, still gets noise of "
            "size 1: the code 3 becomes 4 where it should become 3.01. No gradient reaches logvar "
            "either.",
            _drawn_once(3, -9.21, 1, gives=4.0),
        ),
        Mistake(
            "logvar as spread",
            lambda mu, logvar, noise: mu + logvar * noise,
            "You multiply the noise by logvar itself. At logvar = 0 the spread should be 1, and "
            "you draw no noise at all; at logvar = −1 your spread is negative.",
            _drawn_once(0, 0, 1, gives=0.0),
        ),
        Mistake(
            "half outside the exponential",
            lambda mu, logvar, noise: mu + 0.5 * logvar.exp() * noise,
            "At logvar = 0 the spread must be 1, and yours is 0.5. At logvar = 2 it must be 2.72, "
            "and yours is 3.69: half of a variance is not a standard deviation.",
            _drawn_once(0, 2, 1, gives=3.695),
        ),
        Mistake(
            "logarithm forgotten",
            lambda mu, logvar, noise: mu + logvar.sqrt() * noise,
            "You treat logvar as a variance. A logarithm may be negative: at logvar = −2 you "
            "return nan. At logvar = 0 you draw no noise where the spread should be 1.",
        ),
        Mistake(
            "exponent doubled",
            lambda mu, logvar, noise: mu + (2 * logvar).exp() * noise,
            "Your spread grows far too fast. μ = 0, logvar = 2, noise 1: one standard deviation "
            "is 2.72, and you say 54.6.",
            _drawn_once(0, 2, 1, gives=54.6),
        ),
        Mistake(
            "sign of the exponent",
            lambda mu, logvar, noise: mu + (-logvar / 2).exp() * noise,
            "The surer the encoder, the more noise you add. At logvar = −9.2 the spread should be "
            "0.01; yours is 100.",
            _drawn_once(0, -9.21, 1, gives=100.0),
        ),
        Mistake(
            "softplus",
            lambda mu, logvar, noise: mu + F.softplus(logvar) * noise,
            "Your spread is positive and grows with logvar, but it is not σ: at logvar = 0 it "
            "must be 1, and yours is 0.69. The KL term of the same network would speak of another "
            "σ.",
            _drawn_once(0, 0, 1, gives=0.693),
        ),
        Mistake(
            "sigma times everything",
            lambda mu, logvar, noise: (mu + noise) * _std(logvar),
            "Your σ moves the centre too. μ = 3, σ = 0.01, noise 0: the draw must be 3, and you "
            "say 0.03.",
            _drawn_once(3, -9.21, 0, gives=0.03),
        ),
        Mistake(
            "one noise for the whole batch",
            lambda mu, logvar, noise: mu + _std(logvar) * noise[:1],
            "Every image of the batch gets the same noise. Two codes with μ = 0 and σ = 1 must "
            "get two different draws; yours are equal.",
        ),
        Mistake(
            "one number of noise",
            lambda mu, logvar, noise: mu + _std(logvar) * noise[0, 0],
            "A single number shakes all latents of all images together. With μ = 0 and σ = 1 all "
            "entries of your z are equal: the codes lie on a line.",
        ),
        Mistake(
            "own noise",
            lambda mu, logvar, noise: mu + _std(logvar) * torch.randn_like(mu),
            "You drew your own noise and left the given one unused. μ = 0, σ = 1, noise 0: the "
            "draw must be 0, and you give another number. Nobody can repeat or check your draw.",
        ),
        Mistake(
            "own noise, one row",
            lambda mu, logvar, noise: mu + _std(logvar) * torch.randn(mu.shape[1]),
            "You drew one row of noise and gave it to every image. Two codes with μ = 0 and σ = 1 "
            "must get two different draws; yours are equal. The noise that you were given is "
            "unused.",
        ),
        Mistake(
            "sampled by torch.distributions",
            lambda mu, logvar, noise: Normal(mu, _std(logvar)).sample(),
            "`.sample()` gives numbers without a history: d z / d μ should be 1, and is 0. "
            "Nothing that the decoder learns reaches the encoder. The given noise is unused too.",
        ),
        Mistake(
            "gradient cut",
            lambda mu, logvar, noise: (mu + _std(logvar) * noise).detach(),
            "Values right, gradient gone. μ = 3, σ = 2, noise 1 gives 5, and d z / d μ should be "
            "1; it is 0. The encoder never hears how well its codes were decoded.",
        ),
        Mistake(
            "gradient of sigma cut",
            lambda mu, logvar, noise: mu + _std(logvar).detach() * noise,
            "Values right, but no gradient reaches logvar. With σ = 2 and noise 1, d z / d logvar "
            "should be 1; it is 0. σ hears only the KL term, which wants σ = 1 for every image.",
        ),
        Mistake(
            "noise forgotten",
            lambda mu, logvar, noise: mu.clone(),
            "Your draw is the mean each time. μ = 0, σ = 1, noise 1 gives 0, not 1. So a plain "
            "autoencoder is trained, whose decoder knows single points of the latent space and "
            "nothing between.",
            _drawn_once(0, 0, 1, gives=0.0),
        ),
        Mistake(
            "root of logvar",
            lambda mu, logvar, noise: mu + logvar.abs().sqrt() * noise,
            "You take the root of logvar, which is a logarithm already: it may be 0 or negative. μ "
            "= 0, logvar = 2, noise 1: one standard deviation is {expected:.2f}, and you say "
            "{got:.2f}.",
            _drawn_once(0, 2, 1, gives=1.41),
        ),
    ),
    probes=(
        Probe(
            "the same noise twice, then other noise",
            _follows_the_noise,
            explain={
                "the same draw from the same noise": "From the same mu, logvar and noise came two "
                "different draws: your function makes noise of its own.",
                "every entry moves with its noise": "Other noise should give another draw.",
            },
        ),
        _draw("one latent: μ = 0.5, logvar = 2, noise 1", *torch.tensor([0.5, 2, 1]).view(3, 1, 1)),
        _draw("3 images, 5 latents", *(normal(3, 5, seed=s) for s in (1, 2, 3))),
        _draw("one image, 7 latents", *(normal(1, 7, seed=s) for s in (4, 5, 6))),
        Probe(
            "μ = 0, logvar from −30 to 25",
            _in_units_of_sigma,
            explain={"z divided by σ": _ANY_NUMBER},
        ),
        Probe(
            "2 images, 3 latents, under torch.no_grad()",
            _while_nothing_is_trained,
            explain={
                "result": "Only gradients are switched off here. z should be the same draw: "
                "later cells show faces decoded from such draws."
            },
        ),
    ),
)


# --- kl_to_standard_normal ------------------------------------------------------------------------


def _terms(mu: Tensor, logvar: Tensor) -> Tensor:
    """The KL of each single latent, (B, d)."""
    return (mu.square() + logvar.exp() - 1 - logvar) / 2


def _kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """The right answer, for the mistakes that spoil it elsewhere."""
    return _terms(mu, logvar).sum(dim=1)


def _divergence(label: str, mu: Tensor, logvar: Tensor) -> Probe:
    return call(label, mu, logvar, grad=(0, 1))


def _of_means(*mu: tuple[float, ...], logvar: float = 0, gives: Any) -> Any:
    """A row for each image, the same logvar everywhere."""
    means = _rows(*mu)
    return example(means, torch.full_like(means, logvar), gives=gives, pick=_list)


def _logarithm(candidate: Callable) -> dict[str, Any]:
    logvar = torch.linspace(-12, 25, 6)[:, None].repeat(1, 4)
    return {"logarithm of the KL": torch.as_tensor(candidate(normal(6, 4, seed=8), logvar)).log()}


KL_TO_STANDARD_NORMAL = Exercise(
    id="vae.kl_to_standard_normal",
    title="How far a posterior is from the prior",
    reference=autoencoders.kl_to_standard_normal,
    hints=(
        "When is it 0, and for which mu and logvar? What does a mean of 1 cost, and what does a σ "
        "other than 1? Latents are independent: how do their costs combine, and which axis must "
        "be left over?",
        "For one latent, KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − log σ²). Two of the four terms "
        "come straight from logvar: which function of it is σ², and which is log σ²?",
        "One latent costs `0.5 * (mu ** 2 + logvar.exp() - 1 - logvar)`. That is a (B, d) tensor; "
        "`sum(dim=1)` leaves one number for each image.",
    ),
    mistakes=(
        Mistake(
            "mean over the latents",
            lambda mu, logvar: _terms(mu, logvar).mean(1),
            "Your KL does not grow when latents are added. One latent with μ = 1, σ = 1 costs "
            "0.5; two such latents cost 1, and you say 0.5 again. The KL of independent latents "
            "adds up.",
            _of_means((1, 1), gives=[0.5]),
        ),
        Mistake(
            "sum over the batch as well",
            lambda mu, logvar: _terms(mu, logvar).sum(),
            "Twice the images, twice your KL, and a single number for all. Two images with μ = 1, "
            "σ = 1 and one latent must give (0.5, 0.5); you say 1.",
            _of_means((1,), (1,), gives=1.0),
        ),
        Mistake(
            "mean over everything",
            lambda mu, logvar: _terms(mu, logvar).mean(),
            "A single number, averaged over images and latents alike. One image whose two latents "
            "have μ = 1, σ = 1 must give (1,); you say 0.5. With 32 latents the KL counts 32 "
            "times too little.",
            _of_means((1, 1), gives=0.5),
        ),
        Mistake(
            "mean over the batch as well",
            lambda mu, logvar: _kl(mu, logvar).mean(),
            "A single number for the whole batch: one no longer sees which image is far from the "
            "prior. Two images with μ = 0 and μ = 1, σ = 1, must give (0, 0.5); you say 0.25.",
            _of_means((0,), (1,), gives=0.25),
        ),
        Mistake(
            "sum over the wrong axis",
            lambda mu, logvar: _terms(mu, logvar).sum(0),
            "You return one number for each latent. 3 images with 5 latents give you 5 numbers; "
            "asked are 3, one for each image.",
        ),
        Mistake(
            "not summed",
            lambda mu, logvar: _terms(mu, logvar),
            "You return the cost of each latent: for 3 images with 5 latents a table of 15 "
            "numbers. Asked is the cost of each image, 3 numbers.",
        ),
        Mistake(
            "sign",
            lambda mu, logvar: -_kl(mu, logvar),
            "A KL divergence is never negative. At μ = 1, σ = 1 it is 0.5, and you say −0.5: an "
            "optimiser would push the codes away from the prior without end.",
            _of_means((1,), gives=[-0.5]),
        ),
        Mistake(
            "one half missing",
            lambda mu, logvar: 2 * _kl(mu, logvar),
            "Twice too large everywhere. At μ = 1, σ = 1 it is 0.5, and you say 1: an unannounced "
            "β = 2.",
            _of_means((1,), gives=[1.0]),
        ),
        Mistake(
            "minus one half missing",
            lambda mu, logvar: -2 * _kl(mu, logvar),
            "A KL divergence is never negative. At μ = 1, σ = 1 it is 0.5, and you say −1: both "
            "the sign and the size are off.",
            _of_means((1,), gives=[-1.0]),
        ),
        Mistake(
            "half of the mean's part only",
            lambda mu, logvar: (mu.square() / 2 + logvar.exp() - 1 - logvar).sum(1),
            "Your ½ stands before μ² alone: where does the bracket end? At μ = 0, logvar = 1 the "
            "KL is 0.359; you say 0.718.",
            _of_means((0,), logvar=1, gives=[0.718]),
        ),
        Mistake(
            "half of the variance's part only",
            lambda mu, logvar: (mu.square() + (logvar.exp() - 1 - logvar) / 2).sum(1),
            "Your ½ does not reach μ². At μ = 1, σ = 1 the KL is 0.5; you say 1.",
            _of_means((1,), gives=[1.0]),
        ),
        Mistake(
            "mean's size, not its square",
            lambda mu, logvar: (mu.abs() + logvar.exp() - 1 - logvar).sum(1) / 2,
            "You take |μ| where μ² belongs. μ = 2, σ = 1 costs 2; you say 1.",
            _of_means((2,), gives=[1.0]),
        ),
        Mistake(
            "prior and posterior swapped",
            lambda mu, logvar: ((1 + mu.square()) * (-logvar).exp() - 1 + logvar).sum(1) / 2,
            "You measured the prior with respect to the posterior. At μ = 0, logvar = 1 the "
            "answer is 0.359; the other way round it is your 0.184. At σ = 1 both agree.",
            _of_means((0,), logvar=1, gives=[0.184]),
        ),
        Mistake(
            "logvar taken for log sigma",
            lambda mu, logvar: (mu.square() + (2 * logvar).exp() - 1 - 2 * logvar).sum(1) / 2,
            "Your variance is the square of ours. At μ = 0, logvar = 1 you say 2.195, and it is "
            "0.359. Is the second argument log σ, or log σ²?",
            _of_means((0,), logvar=1, gives=[2.195]),
        ),
        Mistake(
            "logvar taken for log sigma in one place",
            lambda mu, logvar: (mu.square() + (2 * logvar).exp() - 1 - logvar).sum(1) / 2,
            "The σ² in one of your terms and the log σ² in another do not belong together. At μ = "
            "0, logvar = 1 you say 2.695, and it is 0.359; near logvar = −0.35 you even go below "
            "0.",
            _of_means((0,), logvar=1, gives=[2.695]),
        ),
        Mistake(
            "standard deviation for the variance",
            lambda mu, logvar: (mu.square() + _std(logvar) - 1 - logvar).sum(1) / 2,
            "You used the standard deviation where the variance belongs. At μ = 0, logvar = 1 you "
            "say −0.176: below 0, where no KL can be. It is 0.359.",
            _of_means((0,), logvar=1, gives=[-0.1756]),
        ),
        Mistake(
            "logvar taken for the variance",
            lambda mu, logvar: (mu.square() + logvar - 1 - logvar.log()).sum(1) / 2,
            "The logarithm of a negative number: at logvar = −1 you return nan, at logvar = 0 "
            "infinity. logvar = 0 is nothing special: σ is 1 there, and with μ = 0 the KL is 0.",
            _of_means((0,), gives=[math.inf]),
        ),
        Mistake(
            "logvar taken for sigma",
            lambda mu, logvar: (
                (mu.square() + logvar.square() - 1 - logvar.square().log()).sum(1) / 2
            ),
            "You take logvar for σ itself: at logvar = 0 your KL is infinite. There σ is 1, and "
            "with μ = 0 posterior and prior are the same: 0.",
        ),
        Mistake(
            "mean not squared",
            lambda mu, logvar: (mu + logvar.exp() - 1 - logvar).sum(1) / 2,
            "Your KL falls when the mean moves down. μ = 2 and μ = −2, σ = 1, are equally far "
            "from the prior, 2.0 each; you say 1 and −1.",
            _of_means((2,), (-2,), gives=[1.0, -1.0]),
        ),
        Mistake(
            "sign of the logarithm",
            lambda mu, logvar: (mu.square() + logvar.exp() - 1 + logvar).sum(1) / 2,
            "A small σ costs you nothing, it even pays. At μ = 0, logvar = −2 the KL is 0.568; "
            "you say −1.432, and any encoder would run there.",
            _of_means((0,), logvar=-2, gives=[-1.432]),
        ),
        Mistake(
            "minus one missing",
            lambda mu, logvar: (mu.square() + logvar.exp() - logvar).sum(1) / 2,
            "The prior itself must cost nothing. At μ = 0, σ = 1 you say 0.5 for each latent: "
            "with 32 latents 16 nats too much, for every image.",
            _of_means((0,), gives=[0.5]),
        ),
        Mistake(
            "the mean's part only",
            lambda mu, logvar: mu.square().sum(1) / 2,
            "Your KL does not feel σ. At μ = 0, logvar = 1 it is 0.359, and you say 0: the "
            "encoder may shrink its σ to nothing, and becomes a plain autoencoder.",
            _of_means((0,), logvar=1, gives=[0.0]),
        ),
        Mistake(
            "gradient cut",
            lambda mu, logvar: _kl(mu, logvar).detach(),
            "Values right, gradient gone. At μ = 1 the slope in μ is 1, and nothing of it reaches "
            "the encoder: its codes go wherever they like, as if there were no KL term.",
        ),
        Mistake(
            "gradient of sigma cut",
            lambda mu, logvar: _kl(mu, logvar.detach()),
            "Values right, but no gradient reaches logvar. At logvar = 1 the slope should be "
            "0.859; it is 0, so the KL term can never teach the encoder its σ.",
        ),
        Mistake(
            "1 taken off once",
            lambda mu, logvar: 0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1),
            "You take the 1 off once for each image; it belongs to every latent. Two latents with "
            "μ = 1, σ = 1 cost {expected}; you say {got}.",
            example(_rows((1, 1)), _rows((0, 0)), gives=1.5, pick=Tensor.item),
        ),
        Mistake(
            "logarithm missing",
            lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1).sum(1),
            "The − log σ² is missing: nothing keeps σ from 0. At μ = 0, logvar = 1 it is "
            "{expected:.3f}; you say {got:.3f}.",
            example(_rows((0,)), _rows((1,)), gives=0.859, pick=Tensor.item),
        ),
    ),
    probes=(
        _divergence(
            "3 images, two latents, μ = 1, logvar = 0", torch.ones(3, 2), torch.zeros(3, 2)
        ),
        _divergence("μ = 0, logvar = 1", torch.zeros(1, 1), torch.ones(1, 1)),
        _divergence("3 images, 5 latents", normal(3, 5, seed=1), normal(3, 5, seed=2)),
        _divergence("one image, 7 latents", normal(1, 7, seed=3), normal(1, 7, seed=4)),
        _divergence("4 images, one latent", normal(4, 1, seed=5), normal(4, 1, seed=6)),
        call(
            "the prior itself: μ = 0, logvar = 0",
            torch.zeros(2, 3),
            torch.zeros(2, 3),
            explain={"result": "Where posterior and prior are the same, the KL is 0."},
        ),
        Probe(
            "logvar from −12 to 25",
            _logarithm,
            explain={"logarithm of the KL": _ANY_NUMBER},
        ),
    ),
)


# --- negative_elbo --------------------------------------------------------------------------------


def _half_square(x: Tensor, reconstruction: Tensor) -> Tensor:
    return (x - reconstruction).square().flatten(1).sum(1) / 2  # (B,)


def _spoilt(
    error: Callable = lambda x, r: _half_square(x, r).mean(),
    kl: Callable = lambda mu, logvar: _kl(mu, logvar).mean(),
    together: Callable = lambda error, kl, beta: error + beta * kl,
) -> Callable:
    """A negative ELBO with its reconstruction term, its KL term or their sum gone wrong."""

    def wrong(x, reconstruction, mu, logvar, beta=1.0):
        return together(error(x, reconstruction), kl(mu, logvar), beta)

    return wrong


def _costs(
    *off: float | tuple[float, ...], mu: tuple[float, ...] = (0,), gives: float, **beta: float
) -> Any:
    """Images, each given by the pixels that are off by so much, all with σ = 1 and this mean."""
    x = torch.tensor(off, dtype=torch.float32).view(len(off), 1, 1, -1)
    means = _rows(mu).repeat(len(x), 1)
    return example(x, 0 * x, means, 0 * means, **beta, gives=gives, pick=_list)


def _cross_entropy(x: Tensor, r: Tensor) -> Tensor:
    return F.binary_cross_entropy(r, x, reduction="sum") / len(x)


def _cross_entropy_by_hand(x: Tensor, r: Tensor) -> Tensor:
    return -(x * r.log() + (1 - x) * (1 - r).log()).flatten(1).sum(1).mean()


def _cross_entropy_of_scores(x: Tensor, r: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(r, x, reduction="sum") / len(x)


def _loss(label: str, shape: tuple[int, ...], latents: int, seed: int, **beta: float) -> Probe:
    x, reconstruction = normal(2, *shape, seed=seed)
    x = x.tanh()  # a picture lies in [-1, 1], its reconstruction need not
    mu, logvar = normal(2, shape[0], latents, seed=seed + 1)
    return _loss_of(label, x, reconstruction, mu, logvar, **beta)


def _loss_of(label: str, *args: Tensor, **beta: float) -> Probe:
    return call(label, *args, grad=(1, 2, 3), **beta)


_PIXEL = torch.ones(1, 1, 1, 1)
_PERFECT = normal(2, 3, 4, 5, seed=9).tanh()
_DRAWN = normal(2, 3, 2, 5, 4, seed=1).tanh()  # images, and how they are drawn
_IN_UNITS = (
    "Cross-entropy needs targets and outputs in [0, 1], and images here reach −1: a pixel of −1 "
    "drawn perfectly as −1 must cost 0. "
)


def negative_elbo(
    x: Float[Tensor, "B C H W"],
    reconstruction: Float[Tensor, "B C H W"],
    mu: Float[Tensor, "B d"],
    logvar: Float[Tensor, "B d"],
    beta: float = 1.0,
) -> Float[Tensor, ""]:
    """½ Σ (x − x̂)² + β KL of each image, averaged over the batch (Gaussian, σ = 1 per pixel)."""
    error = 0.5 * (x - reconstruction).square().flatten(1).sum(dim=1)  # (B,)
    kl = autoencoders.kl_to_standard_normal(mu, logvar)  # (B,)
    return (error + beta * kl).mean()


NEGATIVE_ELBO = Exercise(
    id="vae.negative_elbo",
    title="The VAE's loss: reconstruction and KL",
    reference=negative_elbo,
    hints=(
        "Take one image, before any average over the batch. How much does one wrong pixel cost, "
        "and how do the costs of 12,288 pixels combine? The KL of the same image stands beside "
        "it, in the same unit.",
        "A Gaussian with σ = 1 at each pixel costs ½ (x − x̂)² for it, up to a constant. Both "
        "terms are sums for one image, over pixels and over latents. β weighs one of them; which? "
        "The average over the batch comes last.",
        "`error = 0.5 * (x - reconstruction).square().flatten(1).sum(1)` and `kl = "
        "kl_to_standard_normal(mu, logvar)` are both (B,). Return the mean of `error + beta * kl`.",
    ),
    mistakes=(
        Mistake(
            "mean over pixels, sum over latents",
            _spoilt(error=lambda x, r: F.mse_loss(r, x)),
            "Your two terms use different rulers: an average over all pixels, a sum over latents. "
            "For a 64 × 64 colour image the error counts 6,144 times too little against the KL: "
            "an unannounced β. Expect every sample to be the mean face.",
        ),
        Mistake(
            "mean over pixels, sum over latents, halved",
            _spoilt(error=lambda x, r: F.mse_loss(r, x) / 2),
            "Your two terms use different rulers: an average over all pixels, a sum over latents. "
            "For a 64 × 64 colour image the KL counts 12,288 times too much: an unannounced β. "
            "Expect every sample to be the mean face.",
        ),
        Mistake(
            "mean over pixels, KL summed over the batch",
            _spoilt(lambda x, r: F.mse_loss(r, x), lambda mu, logvar: _kl(mu, logvar).sum()),
            "Your error is an average over all pixels, your KL a sum over latents and batch. For "
            "128 colour images of 32 × 32 the KL counts nearly 200,000 times too much: every "
            "sample will be the mean face.",
        ),
        Mistake(
            "sum over the channels only",
            _spoilt(error=lambda x, r: (x - r).square().sum(1).mean() / 2),
            "You add up the colours of a pixel and average over the pixels: `sum(dim=1)` of "
            "(B, C, H, W) adds one axis of three. Two pixels, each off by 1, cost 1; you say ½.",
            _costs((1, 1), gives=0.5),
        ),
        Mistake(
            "one half of the KL missing",
            _spoilt(kl=lambda mu, logvar: 2 * _kl(mu, logvar).mean()),
            "Your KL is twice too large beside the error. A perfect image with μ = 1, σ = 1 costs "
            "0.5; you say 1: an unannounced β = 2.",
            _costs(0, mu=(1,), gives=1.0),
        ),
        Mistake(
            "Huber loss",
            _spoilt(error=lambda x, r: F.smooth_l1_loss(r, x, reduction="sum") / len(x)),
            "Beyond a difference of 1 your error grows in a straight line. A pixel off by 2 costs "
            "2 under a Gaussian with σ = 1; you say 1.5.",
            _costs(2, gives=1.5),
        ),
        Mistake(
            "sum over pixels, mean over latents",
            _spoilt(kl=lambda mu, logvar: _terms(mu, logvar).mean()),
            "Your KL is an average over the latents, your error a sum over the pixels. Two "
            "latents with μ = 1, σ = 1 cost 1 together; you say 0.5. The more latents, the less "
            "yours are held to the prior.",
            _costs(0, mu=(1, 1), gives=0.5),
        ),
        Mistake(
            "means everywhere",
            _spoilt(lambda x, r: F.mse_loss(r, x), lambda mu, logvar: _terms(mu, logvar).mean()),
            "You average over pixels and over latents. An image twice as large, twice as wrong, "
            "costs you the same: two pixels, each off by 1, cost ½ + ½ = 1, and you say 1 for a "
            "single one too. The balance of the terms shifts with every change of the network.",
            _costs(1, gives=1.0),
        ),
        Mistake(
            "means everywhere, halved",
            _spoilt(
                lambda x, r: F.mse_loss(r, x) / 2, lambda mu, logvar: _terms(mu, logvar).mean()
            ),
            "You average over pixels and over latents. Two pixels, each off by 1, cost ½ + ½ = 1; "
            "you say ½, as for a single one. Two latents with μ = 1, σ = 1 cost 1; you say ½.",
            _costs((1, 1), gives=0.5),
        ),
        Mistake(
            "sum over the batch",
            _spoilt(
                lambda x, r: _half_square(x, r).sum(), lambda mu, logvar: _kl(mu, logvar).sum()
            ),
            "Twice the images, twice the loss. One image that costs 0.5 and its copy cost 0.5 on "
            "average; you say 1. The right step size would depend on the size of the batch.",
            _costs(1, 1, gives=1.0),
        ),
        Mistake(
            "error summed over the batch, KL averaged",
            _spoilt(error=lambda x, r: _half_square(x, r).sum()),
            "Your error adds up the batch, your KL averages it. With 100 images in the batch the "
            "KL counts 100 times too little; with 10 images, 10 times.",
        ),
        Mistake(
            "squares summed over the batch, KL averaged",
            _spoilt(error=lambda x, r: F.mse_loss(r, x, reduction="sum")),
            "Your error adds up the whole batch, your KL averages it. One image off by 1 in one "
            "pixel costs 0.5, and two such images 0.5 on average; you say 1 and 2.",
            _costs(1, 1, gives=2.0),
        ),
        Mistake(
            "squares and KL summed over the batch",
            _spoilt(
                lambda x, r: F.mse_loss(r, x, reduction="sum"),
                lambda mu, logvar: _kl(mu, logvar).sum(),
            ),
            "Twice the images, twice the loss; and one pixel off by 1 costs you 1, where a "
            "Gaussian with σ = 1 charges 0.5.",
            _costs(1, gives=1.0),
        ),
        Mistake(
            "KL summed over the batch",
            _spoilt(kl=lambda mu, logvar: _kl(mu, logvar).sum()),
            "Your KL adds up the batch, your error averages it. With 100 images in the batch the "
            "KL counts 100 times too much, and the codes collapse onto the prior.",
        ),
        Mistake(
            "one half missing",
            _spoilt(error=lambda x, r: 2 * _half_square(x, r).mean()),
            "Your error is twice too large beside the KL. One pixel off by 1 costs 0.5 under a "
            "Gaussian with σ = 1; you say 1, which is a Gaussian with σ² = ½, or β = ½.",
            _costs(1, gives=1.0),
        ),
        Mistake(
            "ELBO where its negative is asked",
            _spoilt(together=lambda error, kl, beta: -error - beta * kl),
            "The sign is turned: one pixel off by 1 gives −0.5. An optimiser minimises, so it "
            "would make pictures worse and the KL larger, without end.",
            _costs(1, gives=-0.5),
        ),
        Mistake(
            "KL subtracted",
            _spoilt(together=lambda error, kl, beta: error - beta * kl),
            "A code far from the prior lowers your loss. A perfect image with μ = 1, σ = 1 costs "
            "0.5; you say −0.5. The codes would run away, and random codes decode to nothing.",
            _costs(0, mu=(1,), gives=-0.5),
        ),
        Mistake(
            "error subtracted",
            _spoilt(together=lambda error, kl, beta: beta * kl - error),
            "Wrong pixels lower your loss. One pixel off by 1 costs 0.5; you say −0.5. The "
            "optimiser would paint images as wrong as it can.",
            _costs(1, gives=-0.5),
        ),
        Mistake(
            "beta ignored",
            _spoilt(together=lambda error, kl, beta: error + kl),
            "Your loss does not feel β. A KL of 0.5 with β = 4 costs 2; you say 0.5.",
            _costs(0, mu=(1,), beta=4.0, gives=0.5),
        ),
        Mistake(
            "beta on the error",
            _spoilt(together=lambda error, kl, beta: beta * error + kl),
            "Your β weighs the wrong term. A perfect image with a KL of 0.5 and β = 4 costs 2; "
            "you say 0.5. A larger β makes your pictures sharper, not the codes tidier.",
            _costs(0, mu=(1,), beta=4.0, gives=0.5),
        ),
        Mistake(
            "beta on both",
            _spoilt(together=lambda error, kl, beta: beta * (error + kl)),
            "Your β weighs both terms alike, so their balance never changes. One pixel off by 1 "
            "costs 0.5 for every β; with β = 4 you say 2.",
            _costs(1, beta=4.0, gives=2.0),
        ),
        Mistake(
            "KL forgotten",
            _spoilt(together=lambda error, kl, beta: error),
            "Your loss does not look at the codes at all. A perfect image with μ = 1, σ = 1 costs "
            "0.5; you say 0. This trains a plain autoencoder.",
            _costs(0, mu=(1,), gives=0.0),
        ),
        Mistake(
            "error forgotten",
            _spoilt(together=lambda error, kl, beta: beta * kl),
            "Your loss does not look at the pictures. One pixel off by 1 costs 0.5; you say 0. "
            "The encoder says μ = 0, σ = 1 for every image, and is done.",
            _costs(1, gives=0.0),
        ),
        Mistake(
            "cross-entropy on [-1, 1]",
            _spoilt(error=_cross_entropy),
            _IN_UNITS + "Yours stops at the first negative output.",
        ),
        Mistake(
            "cross-entropy on [-1, 1] by hand",
            _spoilt(error=_cross_entropy_by_hand),
            _IN_UNITS + "Yours takes the logarithm of a negative number: nan.",
        ),
        Mistake(
            "cross-entropy of scores on [-1, 1]",
            _spoilt(error=_cross_entropy_of_scores),
            _IN_UNITS
            + "Yours has no lowest point at all: for the target −1 it says 0.69 at the output 0, "
            "−10 at −10, −100 at −100.",
        ),
        Mistake(
            "cross-entropy with two sigmoids",
            _spoilt(error=lambda x, r: _cross_entropy_of_scores(x, r.sigmoid())),
            _IN_UNITS
            + "You also squash twice: all outputs lie between 0.5 and 0.73, no dark pixel can "
            "be drawn.",
        ),
        Mistake(
            "Bernoulli likelihood",
            _spoilt(error=lambda x, r: _cross_entropy((x + 1) / 2, (r + 1) / 2)),
            "A sound loss, for black or white pixels; asked is the Gaussian one. A grey pixel, 0, "
            "drawn perfectly as 0 costs nothing there; you say 0.693.",
            _costs(0, gives=0.693),
        ),
        Mistake(
            "absolute difference",
            _spoilt(error=lambda x, r: F.l1_loss(r, x, reduction="sum") / len(x)),
            "You charge |x − x̂|. A pixel off by 1 costs 0.5 under a Gaussian with σ = 1, one off "
            "by 0.1 costs 0.005; you say 1 and 0.1.",
            _costs(0.1, gives=0.1),
        ),
        Mistake(
            "distance not squared",
            _spoilt(error=lambda x, r: (x - r).flatten(1).norm(dim=1).mean()),
            "You charge the distance between the images, not half its square. Off by 1 in one "
            "pixel, by 1 in each of four: 0.5 and 2; you say 1 and 2.",
            _costs(1, gives=1.0),
        ),
        Mistake(
            "constant kept",
            _spoilt(
                error=lambda x, r: (
                    _half_square(x, r).mean() + x[0].numel() * math.log(2 * math.pi) / 2
                )
            ),
            "You kept the Gaussian's constant. It is true to the density, but it teaches nothing: "
            "a perfect 64 × 64 colour image with the prior's code costs 11,292 with it, and "
            "should read 0 here.",
        ),
        Mistake(
            "not averaged",
            lambda x, r, mu, logvar, beta=1.0: _half_square(x, r) + beta * _kl(mu, logvar),
            "You return one loss for each image; an optimiser needs one number. Two images that "
            "cost 0.5 and 1.5 make 1.",
        ),
        Mistake(
            "gradient cut",
            lambda *args, **beta: _spoilt()(*args, **beta).detach(),
            "The value is right, and nothing can learn from it: a number without a history. With "
            "x = 1, x̂ = 0 the slope in x̂ should be −1; it is 0. (`.item()`, `.detach()` and "
            "`no_grad` all do that.)",
        ),
        Mistake(
            "gradient of the KL cut",
            _spoilt(kl=lambda mu, logvar: _kl(mu, logvar).mean().detach()),
            "Values right, but the KL is only written down, not learned from: at μ = 1 its slope "
            "should be 1 and is 0. The codes spread as in a plain autoencoder while the number "
            "grows.",
        ),
        Mistake(
            "gradient of the error cut",
            _spoilt(error=lambda x, r: _half_square(x, r).mean().detach()),
            "Values right, but no gradient reaches the reconstruction: with x = 1, x̂ = 0 the "
            "slope should be −1 and is 0. The decoder never learns, and the codes only obey the "
            "KL.",
        ),
        Mistake(
            "absolute differences",
            _spoilt(error=lambda x, r: (x - r).abs().sum() / len(x) / 2),
            "Your error takes absolute differences, which is another noise than the Gaussian. A "
            "pixel off by 2 costs {expected}; you say {got}.",
            _costs(2, gives=1.0),
        ),
        Mistake(
            "length not squared",
            _spoilt(error=lambda x, r: (x - r).flatten(1).norm(dim=1).mean() / 2),
            "Your error is the length of the difference, not its square. A pixel off by 4 costs "
            "{expected}; you say {got}.",
            _costs(4, gives=2.0),
        ),
        Mistake(
            "divided by the pixels",
            lambda x, reconstruction, mu, logvar, beta=1.0: (
                negative_elbo(x, reconstruction, mu, logvar, beta) / x[0].numel()
            ),
            "You divide the whole loss by the number of pixels. Four pixels, each off by 1, cost "
            "{expected}; you say {got}.",
            _costs((1, 1, 1, 1), gives=0.5),
        ),
    ),
    probes=(
        _loss_of(
            "one pixel of 1 drawn as 0, with the prior's code",
            _PIXEL,
            0 * _PIXEL,
            torch.zeros(1, 1),
            torch.zeros(1, 1),
        ),
        _loss_of("3 images of 2 × 5 × 4, 3 latents", *_DRAWN, *normal(2, 3, 3, seed=2)),
        _loss("3 images of 2 × 5 × 4, 3 latents, β = 4", (3, 2, 5, 4), 3, seed=3, beta=4.0),
        _loss("one image of 3 × 3 × 3, 7 latents", (1, 3, 3, 3), 7, seed=5),
        _loss("β = 0", (2, 1, 3, 5), 1, seed=7, beta=0.0),
        _loss_of("two images drawn perfectly", _PERFECT, _PERFECT, *normal(2, 2, 2, seed=10)),
    ),
)


# --- morph ----------------------------------------------------------------------------------------


def _in_place(z_a: Tensor, z_b: Tensor, fraction: float) -> Tensor:
    z_a += fraction * (z_b - z_a)
    return z_a


def _around(z_a: Tensor, z_b: Tensor, fraction: float) -> Tensor:
    cosine = F.cosine_similarity(z_a, z_b, dim=-1).clamp(-1, 1)[..., None]
    angle = cosine.acos()
    here, there = ((1 - fraction) * angle).sin(), (fraction * angle).sin()
    return (here * z_a + there * z_b) / angle.sin()


def _on_the_way(a: float, b: float, fraction: float, gives: float) -> Any:
    return example(_rows((a,)), _rows((b,)), fraction, gives=gives, pick=float)


_TWO_CODES = torch.tensor([[1.0, 0, 3]]), torch.tensor([[5.0, 2, -1]])
_SIX_CODES = normal(3, 4, seed=1), normal(3, 4, seed=2)

MORPH = Exercise(
    id="vae.morph",
    title="Morph one face into another",
    reference=autoencoders.morph,
    hints=(
        "The two codes are two points. Where is the point that has gone a quarter of the way from "
        "the first to the second? Which code must come out at fraction 0, which at 1?",
        "Start at z_a and walk: which vector leads from z_a to z_b, and how much of it is walked?",
        "`z_a + fraction * (z_b - z_a)`, or as a weighted mean, with weights that add up to 1.",
    ),
    mistakes=(
        Mistake(
            "the wrong way round",
            lambda a, b, f: f * a + (1 - f) * b,
            "Your slider runs backwards: at fraction 0 the second face is there, at 1 the first. "
            "From 0 to 10, a quarter of the way is 2.5; you say 7.5.",
            _on_the_way(0, 10, 0.25, gives=7.5),
        ),
        Mistake(
            "second code added, first kept",
            lambda a, b, f: a + f * b,
            "At fraction 1 the first face is still in the picture, under the second. From 1 to 5, "
            "all the way is 5; you say 6.",
            _on_the_way(1, 5, 1.0, gives=6.0),
        ),
        Mistake(
            "first code faded only",
            lambda a, b, f: (1 - f) * a,
            "The second face never comes: at fraction 1 your code is 0 whatever z_b is. From 1 to "
            "5, all the way is 5.",
            _on_the_way(1, 5, 1.0, gives=0.0),
        ),
        Mistake(
            "second code in full",
            lambda a, b, f: (1 - f) * a + b,
            "At fraction 0 the second face is there already. From 1 to 5, none of the way is 1; "
            "you say 6.",
            _on_the_way(1, 5, 0.0, gives=6.0),
        ),
        Mistake(
            "always halfway",
            lambda a, b, f: (a + b) / 2,
            "Your slider does nothing: each fraction gives the mean of both codes. From 1 to 5, a "
            "quarter of the way is 2; you say 3.",
            _on_the_way(1, 5, 0.25, gives=3.0),
        ),
        Mistake(
            "sum of both",
            lambda a, b, f: a + b,
            "You add the codes, whatever the fraction is. From 1 to 5, a quarter of the way is 2; "
            "you say 6. Far from both faces the decoder has never been.",
            _on_the_way(1, 5, 0.25, gives=6.0),
        ),
        Mistake(
            "per cent",
            lambda a, b, f: a + f / 100 * (b - a),
            "Your morph hardly moves: all the way, fraction 1, from 1 to 5, you reach 1.04. The "
            "fraction runs from 0 to 1, not to 100.",
            _on_the_way(1, 5, 1.0, gives=1.04),
        ),
        Mistake(
            "walking away",
            lambda a, b, f: a + f * (a - b),
            "You walk away from the second face. From 1 to 5, a quarter of the way is 2; you say "
            "0.",
            _on_the_way(1, 5, 0.25, gives=0.0),
        ),
        Mistake(
            "the nearer of the two",
            lambda a, b, f: (a if f < 0.5 else b).clone(),
            "Your morph jumps: up to one half it is the first face, then the second. From 1 to 5, "
            "a quarter of the way is 2; you say 1.",
            _on_the_way(1, 5, 0.25, gives=1.0),
        ),
        Mistake(
            "first code overwritten",
            _in_place,
            "Your function changes z_a itself. From 1 to 5, half of the way is 3; a second call "
            "gives 4, because the start has moved.",
        ),
        Mistake(
            "around",
            _around,
            "You go around, on an arc; asked is the straight line. Between (1, 0) and (0, 1) half "
            "of the way is {expected}; you say {got:.2f}.",
            example(
                _rows((1, 0)),
                _rows((0, 1)),
                0.5,
                gives=[0.707, 0.707],
                pick=lambda r: r[0].tolist(),
            ),
        ),
        Mistake(
            "first code missing",
            lambda a, b, f: f * (b - a),
            "You return how far to go, not where that leads: the first code is missing. From 1 to "
            "5, a quarter of the way is {expected}; you say {got}.",
            _on_the_way(1, 5, 0.25, gives=1.0),
        ),
        Mistake(
            "from the second code on",
            lambda a, b, f: b + f * (b - a),
            "You set out from the second face, away from the first. From 1 to 5, a quarter of the "
            "way is {expected}; you say {got}.",
            _on_the_way(1, 5, 0.25, gives=6.0),
        ),
        Mistake(
            "of length 1",
            lambda a, b, f: F.normalize((1 - f) * a + f * b, dim=-1),
            "Your code has lost its length: all lie on a sphere of radius 1. From 1 to 5, a "
            "quarter of the way is {expected}; you say {got}.",
            _on_the_way(1, 5, 0.25, gives=1.0),
        ),
        Mistake(
            "slow at both ends",
            lambda a, b, f: a + (3 * f**2 - 2 * f**3) * (b - a),
            "Your slider is slow at both ends and fast between. From 1 to 5, a quarter of the way "
            "is {expected}; you say {got}.",
            _on_the_way(1, 5, 0.25, gives=1.625),
        ),
        Mistake(
            "product of both",
            lambda a, b, f: (1 - f) * a * f * b,
            "You multiply the two codes; a mixture adds them. From 1 to 5, a quarter of the way is "
            "{expected}; you say {got:.2f}.",
            _on_the_way(1, 5, 0.25, gives=0.9375),
        ),
    ),
    probes=(
        call("a quarter of the way", *_TWO_CODES, 0.25),
        call("none of the way", *_TWO_CODES, 0.0),
        call("all the way", *_TWO_CODES, 1.0),
        call("3 pairs of codes, 0.9 of the way", *_SIX_CODES, 0.9),
    ),
)


# --- one_hot --------------------------------------------------------------------------------------


def one_hot(labels: Int[Tensor, " B"], classes: int) -> Float[Tensor, "B classes"]:
    """Each label as a row of zeros with a 1 at its place, as float32."""
    return F.one_hot(labels, classes).float()


def _with_dtype(label: str, shape: tuple[int, ...], *args: Any) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        given = [arg.clone() if isinstance(arg, Tensor) else arg for arg in args]
        seen = _value(result := candidate(*given), shape)
        if not seen:
            return seen
        seen["result"] = seen["result"].double()
        return seen | {"dtype": str(torch.as_tensor(result).dtype)}

    sentence = "A network computes in float32 and refuses to mix it with another kind of number."
    return Probe(label, observe, explain={"dtype": sentence})


def _labelled(*labels: int, of: int, gives: Any, pick: Callable = _list) -> Any:
    return example(torch.tensor(labels), of, gives=gives, pick=pick)


def _all_rows_get_all_labels(labels: Tensor, classes: int) -> Tensor:
    rows = torch.zeros(len(labels), classes)
    rows[:, labels] = 1
    return rows


ONE_HOT = Exercise(
    id="vae.one_hot",
    title="A class as a vector",
    reference=one_hot,
    hints=(
        "How many columns are needed so that every class has its own, also one that is absent "
        "from this batch? How many ones has a row?",
        "Row i is 0 everywhere but in column labels[i]. Comparing labels, as a column, with the "
        "numbers 0 … classes − 1, as a row, asks that of all entries at once.",
        "`torch.nn.functional.one_hot(labels, classes)` gives whole numbers; a decoder wants "
        "`.float()`. Or take rows of `torch.eye(classes)`.",
    ),
    mistakes=(
        Mistake(
            "whole numbers",
            lambda labels, classes: F.one_hot(labels, classes),
            "The right entries, as whole numbers: a linear layer answers that it expected Float "
            "and got Long.",
        ),
        Mistake(
            "True and False",
            lambda labels, classes: F.one_hot(labels, classes).bool(),
            "The right entries, as True and False: a linear layer answers that it expected Float "
            "and got Bool.",
        ),
        Mistake(
            "double precision",
            lambda labels, classes: F.one_hot(labels, classes).double(),
            "The right entries, in float64 (numpy's habit): a decoder with float32 weights "
            "refuses them.",
        ),
        Mistake(
            "classes counted in the batch",
            lambda labels, classes: F.one_hot(labels).float(),
            "Your row is as long as the largest label of this batch asks. Label 1 of 4 classes "
            "gives you 2 columns, label 3 gives 4: the decoder's first layer fits only one of "
            "them.",
            _labelled(1, of=4, gives=[[0.0, 1.0]]),
        ),
        Mistake(
            "labels counted from one",
            lambda labels, classes: torch.eye(classes)[labels - 1],
            "All your ones are one place too far to the left. Of 4 classes, label 1 must give (0, "
            "1, 0, 0); you say (1, 0, 0, 0), and label 0 lands in the last column.",
            _labelled(1, of=4, gives=[[1.0, 0.0, 0.0, 0.0]]),
        ),
        Mistake(
            "the label as a number",
            lambda labels, classes: labels[:, None].float(),
            "One column that holds the label. So class 8 is 8 times class 1, and 2 lies between 1 "
            "and 3; but a bag is not between a shirt and a boot. Asked is a column for each class.",
        ),
        Mistake(
            "rows and columns swapped",
            lambda labels, classes: F.one_hot(labels, classes).float().T,
            "Rows and columns have changed places. 3 labels of 4 classes must give 3 rows of 4; "
            "you give 4 rows of 3.",
            _labelled(0, 2, 3, of=4, gives=4, pick=len),
        ),
        Mistake(
            "one row for the batch",
            lambda labels, classes: F.one_hot(labels, classes).amax(0).float(),
            "One row, which says what occurs in the batch. The labels (0, 2) of 3 classes must "
            "give two rows, (1, 0, 0) and (0, 0, 1); you say (1, 0, 1).",
            _labelled(0, 2, of=3, gives=[1.0, 0.0, 1.0]),
        ),
        Mistake(
            "every row gets all labels",
            _all_rows_get_all_labels,
            "All your rows are equal: each has a one for every label of the batch. The labels (0, "
            "2) of 3 classes must give (1, 0, 0) and (0, 0, 1); you say (1, 0, 1) twice.",
            _labelled(0, 2, of=3, gives=[[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]),
        ),
        Mistake(
            "the label where the one belongs",
            lambda labels, classes: (F.one_hot(labels, classes) * labels[:, None]).float(),
            "The label stands where a 1 belongs. Of 3 classes, label 2 must give (0, 0, 1); you "
            "say (0, 0, 2), and for label 0 nothing at all.",
            _labelled(2, of=3, gives=[[0.0, 0.0, 2.0]]),
        ),
        Mistake(
            "all classes up to the label",
            lambda labels, classes: (torch.arange(classes) <= labels[:, None]).float(),
            "Your rows fill up like a thermometer. Of 3 classes, label 2 must give (0, 0, 1); you "
            "say (1, 1, 1), as if class 2 held the other two.",
            _labelled(2, of=3, gives=[[1.0, 1.0, 1.0]]),
        ),
        Mistake(
            "zero at the label",
            lambda labels, classes: 1 - F.one_hot(labels, classes).float(),
            "Turned over: ones everywhere, and a zero at the label. Of 3 classes, label 2 must "
            "give (0, 0, 1); you say (1, 1, 0).",
            _labelled(2, of=3, gives=[[1.0, 1.0, 0.0]]),
        ),
        Mistake(
            "the next class",
            lambda labels, classes: F.one_hot((labels + 1) % classes, classes).float(),
            "Your 1 stands in the next class's column. Of 3 classes, label 1 must give (0, 1, 0); "
            "you say {got}. Labels begin at 0.",
            _labelled(1, of=3, gives=[0.0, 0.0, 1.0], pick=lambda r: r[0].tolist()),
        ),
        Mistake(
            "minus one for the others",
            lambda labels, classes: 2 * F.one_hot(labels, classes).float() - 1,
            "The other classes' columns say −1; they should say 0, nothing. Of 3 classes, label 1 "
            "must give (0, 1, 0); you say {got}.",
            _labelled(1, of=3, gives=[-1.0, 1.0, -1.0], pick=lambda r: r[0].tolist()),
        ),
        Mistake(
            "softened",
            lambda labels, classes: 0.9 * F.one_hot(labels, classes).float() + 0.1 / classes,
            "You soften the labels: 0.1 of each row is spread over all classes. Of 2 classes, "
            "label 1 must give (0, 1); you say {got}.",
            _labelled(1, of=2, gives=[0.05, 0.95], pick=lambda r: r[0].tolist()),
        ),
        Mistake(
            "the first label for all",
            lambda labels, classes: F.one_hot(labels[:1].expand(len(labels)), classes).float(),
            "Every row has the class of the first. The labels 0 and 1 of 2 classes must give (1, "
            "0) and (0, 1); your second row is {got}.",
            _labelled(0, 1, of=2, gives=[1.0, 0.0], pick=lambda r: r[1].tolist()),
        ),
        Mistake(
            "columns from the other end",
            lambda labels, classes: F.one_hot(classes - 1 - labels, classes).float(),
            "Your columns run backwards. Of 3 classes, label 0 must give (1, 0, 0); you say {got}.",
            _labelled(0, of=3, gives=[0.0, 0.0, 1.0], pick=lambda r: r[0].tolist()),
        ),
    ),
    probes=(
        _with_dtype("labels 0, 2, 1, 2 of 5 classes", (4, 5), torch.tensor([0, 2, 1, 2]), 5),
        _with_dtype("one label, 3 of 4 classes", (1, 4), torch.tensor([3]), 4),
        _with_dtype("7 images, all of class 0 of 2", (7, 2), torch.zeros(7, dtype=torch.long), 2),
        _with_dtype("labels 1, 0, 2, 3 of 5 classes", (4, 5), torch.tensor([1, 0, 2, 3]), 5),
        _with_dtype("a single class", (2, 1), torch.tensor([0, 0]), 1),
    ),
)


# --- condition ------------------------------------------------------------------------------------


def condition(
    z: Float[Tensor, "B d"], labels: Int[Tensor, " B"], classes: int
) -> Float[Tensor, "B d+classes"]:
    """What the decoder of a conditional VAE sees: the code, and behind it the class as one-hot."""
    return torch.cat([z, one_hot(labels, classes)], dim=1)


def _condition(label: str, z: Tensor, labels: list[int], classes: int) -> Probe:
    return call(label, z, torch.tensor(labels), classes, grad=(0,))


def _appended(
    latents: int, *labels: int, of: int, gives: Any, pick: Callable = lambda r: r.shape[1]
) -> Any:
    codes = torch.zeros(len(labels), latents)
    return example(codes, torch.tensor(labels), of, gives=gives, pick=pick)


CONDITION = Exercise(
    id="vae.condition",
    title="Condition the decoder on the class",
    reference=condition,
    hints=(
        "The decoder takes one row for each image. What must that row hold beside the code, and "
        "how long does it become?",
        "The class enters as a one-hot row of your last exercise. It stands behind the code, in "
        "the same row: along which axis are the two joined?",
        "`torch.cat([z, one_hot(labels, classes)], dim=1)`.",
    ),
    mistakes=(
        Mistake(
            "the label as a number",
            lambda z, labels, classes: torch.cat([z, labels[:, None].float()], 1),
            "One number more, the label. So class 8 shouts 8 times as loud as class 1, and 2 lies "
            "between 1 and 3. A code of 3 latents with 4 classes is 7 long; yours is 4.",
            _appended(3, 0, of=4, gives=4),
        ),
        Mistake(
            "classes counted in the batch",
            lambda z, labels, classes: torch.cat([z, F.one_hot(labels)], 1),
            "How long your row is depends on the labels that happen to come. A code of 2 latents "
            "and label 1 of 5 classes must give 7 numbers; you give 4, and the decoder does not "
            "fit.",
            _appended(2, 1, of=5, gives=4),
        ),
        Mistake(
            "class first",
            lambda z, labels, classes: torch.cat([one_hot(labels, classes), z], 1),
            "All is there, but the class comes first. The code (0.5, 0.7) with class 0 of 2 must "
            "give (0.5, 0.7, 1, 0); you say (1, 0, 0.5, 0.7), and the decoder reads the class as "
            "a code.",
            example(
                _rows((0.5, 0.7)), torch.tensor([0]), 2, gives=[[1.0, 0.0, 0.5, 0.7]], pick=_list
            ),
        ),
        Mistake(
            "label ignored",
            lambda z, labels, classes: torch.cat([z, torch.zeros(len(z), classes)], 1),
            "Change the label, and your row stays. The decoder draws some class, and nobody can "
            "choose which.",
        ),
        Mistake(
            "class only",
            lambda z, labels, classes: one_hot(labels, classes),
            "The code is gone. All images of a class get the same row, so the decoder draws their "
            "mean: one boot for all boots.",
        ),
        Mistake(
            "code only",
            lambda z, labels, classes: z.clone(),
            "The class is not there. A code of 3 latents with 4 classes is 7 long; yours is 3.",
            _appended(3, 0, of=4, gives=3),
        ),
        Mistake(
            "added to the code",
            lambda z, labels, classes: z + one_hot(labels, classes),
            "You add the class to the code. The code (0, 0) with class 0 and the code (1, 0) "
            "without it give the same row: the decoder cannot tell them apart. And it needs as "
            "many latents as classes.",
        ),
        Mistake(
            "stacked under the code",
            lambda z, labels, classes: torch.cat([z, one_hot(labels, classes)], 0),
            "You put the classes under the codes, as if they were further images: 3 codes and 3 "
            "labels make 6 rows, and the decoder would draw 6 pictures.",
            example(torch.zeros(3, 3), torch.tensor([0, 1, 2]), 3, gives=6, pick=len),
        ),
        Mistake(
            "the first label for all",
            lambda z, labels, classes: torch.cat(
                [z, one_hot(labels[:1], classes).expand(len(z), -1)], 1
            ),
            "Every image gets the class of the first. The labels (0, 2) must give rows that end "
            "in (1, 0, 0) and (0, 0, 1); both of yours end in (1, 0, 0).",
            _appended(1, 0, 2, of=3, gives=[1.0, 0.0, 0.0], pick=lambda r: r[1, -3:].tolist()),
        ),
        Mistake(
            "gradient cut",
            lambda z, labels, classes: torch.cat([z.detach(), one_hot(labels, classes)], 1),
            "Values right, gradient gone: z reaches the decoder without its history. The encoder "
            "never hears how well its codes were decoded.",
        ),
        Mistake(
            "the next class",
            lambda z, labels, classes: condition(z, (labels + 1) % classes, classes),
            "The code is right, and the 1 stands in the next class's column. The code (0, 0) with "
            "class 0 of 2 must give (0, 0, 1, 0); you say {got}. Labels begin at 0.",
            _appended(2, 0, of=2, gives=[0.0, 0.0, 0.0, 1.0], pick=lambda r: r[0].tolist()),
        ),
    ),
    probes=(
        _condition("3 codes of 4 latents, 4 classes", normal(3, 4, seed=1), [0, 3, 1], 4),
        _condition("one code of 2 latents, 5 classes", normal(1, 2, seed=2), [1], 5),
        _condition("5 codes of one latent, 3 classes", normal(5, 1, seed=3), [2, 0, 0, 1, 2], 3),
    ),
)


# --- sample ---------------------------------------------------------------------------------------


def sample(
    encode: Callable, decode: Callable, x: Float[Tensor, "B C H W"], noise: Float[Tensor, "n d"]
) -> Float[Tensor, "n C H W"]:
    """New images: the decoder's answer to n codes from the prior. No image is looked at."""
    return decode(noise)


def _networks(*shape: int) -> tuple[Callable, Callable]:
    """An encoder and a decoder of pictures of this shape, with 2 latents, both linear."""
    pixels = math.prod(shape)
    weight, back = normal(pixels, 4, seed=1), normal(2, pixels, seed=2)

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = (x.flatten(1) @ weight).chunk(2, dim=1)
        return mu, logvar - 2

    return encode, lambda z: (z @ back).view(len(z), *shape)


def _posterior(encode: Callable, x: Tensor, noise: Tensor) -> Tensor:
    mu, logvar = encode(x)
    return mu + _std(logvar) * noise


def _drawn(label: str, images: int, n: int, shape: tuple[int, ...]) -> Probe:
    encode, decode = _networks(*shape)

    def observe(candidate: Callable) -> dict[str, Any]:
        noise, state = normal(2, n, 2, seed=3), torch.get_rng_state()
        x = normal(2, images, *shape, seed=4).tanh()
        first = candidate(encode, decode, x[0].clone(), noise[0].clone())
        if isinstance(first, tuple):
            return {}
        torch.set_rng_state(state)  # whoever draws noise of her own draws the same twice
        again = candidate(encode, decode, x[1].clone(), noise[0].clone())
        other = candidate(encode, decode, x[1].clone(), noise[1].clone())
        moved = not torch.equal(torch.as_tensor(first), torch.as_tensor(again))
        seen = {"depends on the images": moved} | _value(first, (n, *shape))
        return seen | {"result for other noise": torch.as_tensor(other)}

    sentence = "With other images x you return other pictures: these are not samples of the model."
    return Probe(label, observe, explain={"depends on the images": sentence})


SAMPLE = Exercise(
    id="vae.sample",
    title="New images from a trained VAE",
    reference=sample,
    hints=(
        "Training has made the codes of all images look like draws from the prior together. A new "
        "image needs a new code. Where does it come from, if there is no image to encode?",
        "The prior is N(0, 1) in each latent, and `noise` is a draw from it. Which of the four "
        "arguments are left without work?",
        "One call of `decode` is enough, and `encode` and `x` stay unused.",
    ),
    mistakes=(
        Mistake(
            "reconstructions",
            lambda encode, decode, x, noise: decode(_posterior(encode, x, noise)),
            "These are reconstructions: give the function other images, and it returns those. 3 "
            "faces go in, and 3 faces near them come out. A sample may not look at any image.",
        ),
        Mistake(
            "decoded means",
            lambda encode, decode, x, noise: decode(encode(x)[0]),
            "These are reconstructions, with the noise off: 3 faces go in, the same 3 faces come "
            "out, at every call. A sample may not look at any image.",
        ),
        Mistake(
            "noise on the images' codes",
            lambda encode, decode, x, noise: decode(encode(x)[0] + noise),
            "You add the noise to the codes of the images x: what you draw lies about them, and "
            "there can be no more samples than images. A sample may not look at any image.",
        ),
        Mistake(
            "the batch's mean code",
            lambda encode, decode, x, noise: decode(encode(x)[0].mean(0) + noise),
            "Your draws lie about the mean code of this batch. With 3 smiling faces in x, all "
            "samples lean towards a smile. A sample may not look at any image.",
        ),
        Mistake(
            "the images' spread",
            lambda encode, decode, x, noise: decode(_std(encode(x)[1]) * noise),
            "Your draws have the spread that the encoder gives to these images, not the prior's. "
            "Where σ is 0.1 all samples are nearly the same picture. A sample may not look at any "
            "image.",
        ),
        Mistake(
            "the codes",
            lambda encode, decode, x, noise: noise.clone(),
            "You return codes: 2 numbers for each sample, and nothing to look at.",
        ),
        Mistake(
            "noise squashed",
            lambda encode, decode, x, noise: decode(noise.sigmoid()),
            "Your codes are never negative. The prior puts half of each latent below 0; with "
            "2 latents you never visit three quarters of the plane.",
        ),
        Mistake(
            "uniform codes",
            lambda encode, decode, x, noise: decode(torch.rand_like(noise)),
            "Your codes are uniform, never negative, and the given noise is unused. The prior is a "
            "Gaussian about 0: with 2 latents you never visit three quarters of the plane.",
        ),
        Mistake(
            "own noise",
            lambda encode, decode, x, noise: decode(torch.randn_like(noise)),
            "You drew your own noise and left the given one unused: the same noise must give the "
            "same pictures, or nobody can show one of them again.",
        ),
        Mistake(
            "the prior's mean",
            lambda encode, decode, x, noise: decode(torch.zeros_like(noise)),
            "All your samples are one picture, that of the code zero. Different noise must give "
            "different pictures.",
        ),
        Mistake(
            "one code for all",
            lambda encode, decode, x, noise: decode(noise[:1].expand_as(noise)),
            "All your samples are one picture: every row got the first row's code.",
        ),
        Mistake(
            "encoded once more",
            lambda encode, decode, x, noise: decode(encode(decode(noise))[0]),
            "You encode your samples and decode them once more: those are reconstructions of "
            "samples. A single decoding is a sample.",
        ),
        Mistake(
            "one only",
            lambda encode, decode, x, noise: decode(noise[:1]),
            "You decode the first row of noise alone; each row is a sample.",
        ),
        Mistake(
            "as many as there are images",
            lambda encode, decode, x, noise: decode(noise[: len(x)]),
            "You make as many pictures as there are in x; how many rows `noise` has decides.",
        ),
        Mistake(
            "cut off",
            lambda encode, decode, x, noise: decode(noise).clamp(-1, 1),
            "You cut the decoder's pictures off at −1 and 1. That is for showing them; a sample is "
            "what the decoder says.",
        ),
    ),
    probes=(
        _drawn("3 samples, with 3 images of 3 × 2 × 2 at hand", 3, 3, (3, 2, 2)),
        _drawn("one sample, with one image of 1 × 2 × 4 at hand", 1, 1, (1, 2, 4)),
        _drawn("5 samples, with 2 images of 3 × 2 × 2 at hand", 2, 5, (3, 2, 2)),
    ),
)

EXERCISES = (
    PCA_COMPONENTS,
    PCA_RECONSTRUCT,
    REPARAMETERISE,
    KL_TO_STANDARD_NORMAL,
    NEGATIVE_ELBO,
    SAMPLE,
    MORPH,
    ONE_HOT,
    CONDITION,
)

QUESTIONS = (
    Question(
        "vae.components_for_90",
        "Thousands of faces of 32 × 32 × 3 = 3,072 numbers each. How many principal components "
        "keep 90 % of their variance?",
        None,
        33,
    ),
    Question(
        "vae.random_code",
        "A plain autoencoder rebuilds faces well. Now its decoder gets random codes. What does it "
        "draw?",
        {
            "new faces": "Nothing in the loss asked for that: only the codes of the training "
            "faces were ever decoded, and a random code lies between them, or beside them all.",
            "training faces": "It would have to hit one of their codes. They are points in a "
            "space of many dimensions, and a random code misses all of them.",
            "ghosts": "The decoder was only ever asked about the codes of faces. Between and "
            "beside them it answers with a haze, or with pieces of several faces on top of each "
            "other.",
            "noise, pixel by pixel": "A code is a few dozen numbers, and the decoder joins "
            "neighbouring pixels: what it draws hangs together even where it makes no sense.",
        },
        "ghosts",
    ),
    Question(
        "vae.blur",
        "A VAE's reconstructions are blurred. Now the noise is switched off, and μ is decoded in "
        "place of a random z. How sharp are they?",
        {
            "as sharp as the data": "So it would be if the noise made the blur. But the decoder "
            "has learned to answer with the mean of all images that share a code, and the mean of "
            "sharp images is blurred.",
            "as blurred as before": "The blur is in the loss: under squared error the best answer "
            "is the mean of all images that share a code, with or without noise.",
            "halfway": "The noise takes next to nothing away. The decoder answers with the mean "
            "of all images that share a code, and knows no details to add.",
        },
        "as blurred as before",
    ),
    Question(
        "vae.collapse",
        "After training, the KL term of a VAE is 0.01 nats for all latents together. 64 random "
        "codes are decoded. What do they show?",
        {
            "64 different new faces": "A KL of 0 sounds perfect. But it says that each image got "
            "the same code distribution as every other: the code tells the decoder nothing.",
            "64 times nearly the same picture": "0.01 nats cannot tell even two images apart. So "
            "the decoder does not listen to z, and draws the mean face: posterior collapse.",
            "64 training faces": "To pick one of 5,000 faces the code must carry log 5,000 = 8.5 "
            "nats. Here it carries 0.01.",
        },
        "64 times nearly the same picture",
    ),
    Question(
        "vae.red_sky",
        "A VAE learns from skylines by day and by night; every sunset was left out. A sky is red "
        "if its redness, divided by its brightness, exceeds 0.05: none in the data is. How many of "
        "the VAE's random skies are?",
        {
            "none": "Every sky that it learned from is less red, and a mean of such skies is too. "
            "But nothing holds a decoder to means: beyond the codes that it was trained on it "
            "goes on as its weights happen to.",
            "a few": "It can happen where a code lies beyond those of the data: the decoder is a "
            "smooth function there, not a list of skies, and its colours may go on a little past "
            "the last one.",
            "most": "The loss charges for each pixel that differs from the data, so most skies "
            "must stay among the colours of the data.",
        },
        None,  # measured in the lecture
    ),
)
