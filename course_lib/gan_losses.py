"""The losses of both players, for every GAN of the course, and what some of them need besides.

`LOSSES[name]` is a `Loss`: d_loss(real_scores, fake_scores) and g_loss(fake_scores), each a mean
over the batch that its player makes small, and the needs that `gan.AdversarialStep` serves: points
at which D's gradient is penalised, a bound for D's weights, an autoencoder for a discriminator.

Scores are logits, (B,) or (B, 1, h, w) for patches. Formulas: Lucic et al. 2018, table 1, without
its slips (see each loss).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.checks import alike, beside, floats, function, instance, number, random_source


@dataclass(frozen=True)
class Loss:
    """What each player makes small, and what the method asks for besides.

    penalty_points(real, fake, generator=None): where the norm of D's gradient is held at 1, and
    penalty_weight, its λ. clip: D's weights stay within ± this. autoencoder: D returns a picture,
    its scores are `reconstruction_error`s, and d_loss takes the k of a `BeganBalance` too.

    Both losses raise ValueError for an empty batch and for real and fake scores of different
    shapes, such as (B, 1) and (B,). They pass NaN on: `train` then stops and says where.
    """

    d_loss: Callable[..., Float[Tensor, ""]]
    g_loss: Callable[[Tensor], Float[Tensor, ""]]
    penalty_points: Callable[..., Tensor] | None = None
    penalty_weight: float = 10.0
    clip: float | None = None
    autoencoder: bool = False

    def __post_init__(self):
        number("penalty_weight", self.penalty_weight, 0)
        if self.clip is not None:
            number("clip", self.clip, above=0)


# Each loss. With σ the logistic function, D = σ(score) and −log σ(s) = softplus(−s)


def _log_d(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """−E log D(x) − E log(1 − D(G(z))): minimax, non-saturating and DRAGAN (Goodfellow 2014)."""
    real, fake = _both(real_scores, fake_scores)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _minimax_g(fake_scores: Tensor) -> Tensor:
    """E log(1 − D(G(z))), whose gradient vanishes where D is sure."""
    return -F.softplus(_scores("fake_scores", fake_scores)).mean()


def _non_saturating_g(fake_scores: Tensor) -> Tensor:
    """−E log D(G(z))."""
    return F.softplus(-_scores("fake_scores", fake_scores)).mean()


def _critic_d(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """E D(G(z)) − E D(x), scores without bounds (Arjovsky et al. 2017)."""
    real, fake = _both(real_scores, fake_scores)
    return fake.mean() - real.mean()


def _critic_g(fake_scores: Tensor) -> Tensor:
    """−E D(G(z))."""
    return -_scores("fake_scores", fake_scores).mean()


def _least_squares_d(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """E (D(x) − 1)² + E D(G(z))². Mao et al. 2017 halve it; here as in CycleGAN, without the ½."""
    real, fake = _both(real_scores, fake_scores)
    return (real - 1).square().mean() + fake.square().mean()


def _least_squares_g(fake_scores: Tensor) -> Tensor:
    """E (D(G(z)) − 1)²."""
    return (_scores("fake_scores", fake_scores) - 1).square().mean()


def _hinge_d(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))). G's loss has no hinge (Lim and Ye 2017)."""
    real, fake = _both(real_scores, fake_scores)
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _began_d(real_scores: Tensor, fake_scores: Tensor, k: float | Tensor = 1.0) -> Tensor:
    """E L(x) − k E L(G(z)), L the error of the autoencoder (Berthelot et al. 2017)."""
    real, fake = _both(real_scores, fake_scores)
    return real.mean() - k * fake.mean()


def _began_g(fake_scores: Tensor) -> Tensor:
    """E L(G(z)): here small scores are good ones."""
    return _scores("fake_scores", fake_scores).mean()


# The gradient penalty


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], points: Float[Tensor, "B ..."], target: float = 1.0
) -> Float[Tensor, ""]:
    """How far the slope of the critic is from `target` at each point: E (‖∇D(x)‖₂ − target)².

    The norm is taken over all of one image, the mean over the batch. Gradients reach the critic's
    weights, not the points. A critic with BatchNorm has no gradient of one image: its score moves
    with the others of the batch. Raises ValueError unless points are (B, …) floats with B ≥ 1, and
    where the scores do not depend on them. Source: Gulrajani et al. 2017, eq. 3.
    """
    _check_images("points", points, least=2)
    function("critic", critic), number("target", target, 0)
    points = points.detach().requires_grad_()
    scores = critic(points)
    if not scores.requires_grad:
        raise ValueError("critic must return scores that depend on points; these have no gradient")
    (slope,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - target).square().mean()


def interpolate(
    real: Float[Tensor, "B ..."],
    fake: Float[Tensor, "B ..."],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "B ..."]:
    """A random point on the straight line between each real and each fake image: WGAN-GP's points.

    x + α (x̂ − x), α ~ U[0, 1), one number per image. (The table in Lucic et al. prints
    αx + (1 − αx̂).) Raises ValueError unless both have one shape. Source: Gulrajani et al. 2017.
    """
    _check_images("real", real)
    alike("fake", fake, "real", real)
    alpha = _uniform((len(real), *[1] * (real.ndim - 1)), real, generator)
    return real + alpha * (fake - real)


def dragan_points(
    real: Float[Tensor, "B ..."], generator: torch.Generator | None = None
) -> Float[Tensor, "B ..."]:
    """Points around the data: x + ½ s u, u ~ U[0, 1) for each pixel, s the spread of the batch.

    s is one standard deviation over all numbers of `real`, divided by their count. No fake takes
    part. Source: the code of Kodali et al. 2017, which then goes a random share of the way from x
    to this point, one share a picture. The paper, and the table after it, write N(0, c).
    """
    _check_images("real", real)
    return real + 0.5 * real.std(correction=0) * _uniform(real.shape, real, generator)


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float = 0.01) -> None:
    """Put every weight into [−limit, limit], after the step (Arjovsky et al. 2017)."""
    instance("module", module, nn.Module), number("limit", limit, above=0)
    for parameter in module.parameters():
        parameter.clamp_(-limit, limit)


# BEGAN's thermostat


class BeganBalance:
    """Holds E L(fake) near γ E L(real) by how much D cares for the fakes: k in [0, 1].

    k ← clip(k + λ_k (γ L_real − L_fake), 0, 1), from k = 0. `update` returns the measure of
    convergence M = L_real + |γ L_real − L_fake|. Both see numbers without a history, so that no
    gradient runs through k. Source: Berthelot et al. 2017, section 3.4; γ as in Lucic et al.
    """

    def __init__(self, gamma: float = 0.75, lambda_k: float = 0.001):
        number("gamma", gamma, above=0, most=1)
        number("lambda_k", lambda_k, 0)
        self.gamma, self.lambda_k, self.k = gamma, lambda_k, torch.zeros(())

    def update(self, real_scores: Tensor, fake_scores: Tensor) -> Float[Tensor, ""]:
        real, fake = (x.detach().mean() for x in _both(real_scores, fake_scores))
        beside("fake_scores", fake, real)
        gap = self.gamma * real - fake
        self.k = (self.k.to(gap) + self.lambda_k * gap).clamp(0, 1)
        return real + gap.abs()

    def state_dict(self) -> dict[str, Tensor]:
        return {"k": self.k}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.k = state["k"].clone()


def reconstruction_error(
    x: Float[Tensor, "B ..."], reconstruction: Float[Tensor, "B ..."]
) -> Float[Tensor, " B"]:
    """BEGAN's score of each image: the mean of |x − reconstruction| over its pixels.

    Raises ValueError unless both have one shape.
    """
    _check_images("x", x, least=2)
    if beside("reconstruction", floats("reconstruction", reconstruction), x).shape != x.shape:
        raise ValueError(
            "BEGAN's discriminator is an autoencoder: its reconstruction must have the shape of x, "
            f"{tuple(x.shape)}; got {tuple(reconstruction.shape)}"
        )
    return (x - reconstruction.to(x.dtype)).abs().flatten(1).mean(1)


def _around_the_data(real: Tensor, fake: Tensor, generator: torch.Generator | None = None):
    return dragan_points(real, generator)


LOSSES: Mapping[str, Loss] = {
    "minimax": Loss(_log_d, _minimax_g),
    "non_saturating": Loss(_log_d, _non_saturating_g),
    "wasserstein": Loss(_critic_d, _critic_g, clip=0.01),
    "wgan_gp": Loss(_critic_d, _critic_g, penalty_points=interpolate),
    "least_squares": Loss(_least_squares_d, _least_squares_g),
    # the table prints the minimax loss for G; the code of its authors has this one
    "dragan": Loss(_log_d, _non_saturating_g, penalty_points=_around_the_data),
    "began": Loss(_began_d, _began_g, autoencoder=True),
    "hinge": Loss(_hinge_d, _critic_g),
}


# What students get wrong


def _scores(name: str, scores: Tensor) -> Tensor:
    floats(name, scores)
    return scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores


def _both(real_scores: Tensor, fake_scores: Tensor) -> tuple[Tensor, Tensor]:
    real, fake = _scores("real_scores", real_scores), _scores("fake_scores", fake_scores)
    if real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            f"real_scores and fake_scores must have one shape; got {tuple(real.shape)} and "
            f"{tuple(fake.shape)}, which broadcast where they meet"
        )
    return real, fake


def _check_images(name: str, images: Tensor, least: int = 1) -> None:
    if floats(name, images).ndim < least:
        raise ValueError(f"{name} must be (B, …), one image at least; got {tuple(images.shape)}")


def _uniform(shape, like: Tensor, generator: torch.Generator | None) -> Tensor:
    random_source(generator)
    device = like.device if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)
