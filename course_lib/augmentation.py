"""Adaptive augmentation: a discriminator with few pictures sees them moved and recoloured.

    D judges augment(x, p) and augment(G(z), p); p rises while D is too sure of its pictures

Nothing of it leaks into what G makes, as long as the law of the transformed pictures tells that of
the pictures: a coin that decides about a flip does, a flip always does not. Source: Karras et al.
2020b ("Training generative adversarial networks with limited data").
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.checks import (
    finite,
    instance,
    number,
    one_of,
    random_source,
    shaped,
    whole,
)

KINDS = ("pixels", "geometry", "colours")


def augment(
    x: Float[Tensor, "B C H W"],
    p: float | Float[Tensor, ""],
    generator: torch.Generator | None = None,
    kinds: Sequence[str] = KINDS,
) -> Float[Tensor, "B C H W"]:
    """ADA's pipeline: each transformation of each picture with probability p, differentiable in x.

    pixels: a flip, quarter turns, a shift by whole pixels up to an eighth of H; the identity is
    among the choices. geometry: scale, rotation, stretching, a shift by parts of a pixel. colours:
    brightness, contrast, inverted luma, rotated hue, saturation (the last three for 3 channels).
    All of the first two are one matrix, and so one resampling (bilinear, borders reflected).

    Both real pictures and fakes go through it on their way to D, never what G shows. Up to p of
    about 0.8 nothing of it leaks into G's pictures.

    Raises ValueError for p outside [0, 1] and unknown kinds. Source: Karras et al. 2020b, appendix
    B; its filters in frequency, additive noise and cutout are left out, as in its best setting.
    """
    shaped("x", x, "B", "C", "H", "W"), random_source(generator)
    _check_kinds(kinds)
    if not isinstance(p, Tensor):  # to look at a tensor is to wait for it
        number("p", p, 0, 1)
    if not isinstance(p, Tensor) and p == 0:
        return x
    dice = _Dice(len(x), p, x.device, generator)
    h, w = x.shape[2:]
    moves = _pixels(dice, h) if "pixels" in kinds else []
    moves += _geometry(dice) if "geometry" in kinds else []
    if moves:
        one = torch.ones(len(x), device=x.device)  # the moves count in heights alone
        moves = [_scaled(one * h / w, one), *moves, _scaled(one * w / h, one)]
        theta = reduce(torch.matmul, moves)[:, :2].to(x)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return _coloured(x, dice) if "colours" in kinds else x


class _Dice:
    """Draws for n pictures, and which of them a transformation happens to."""

    def __init__(self, n: int, p: float | Tensor, device, generator: torch.Generator | None):
        self.n, self.p, self.device, self.generator = n, p, device, generator

    def uniform(self, draw: Callable = torch.rand) -> Float[Tensor, " n"]:
        where = self.device if self.generator is None else self.generator.device
        return draw(self.n, generator=self.generator, device=where).to(self.device)

    def normal(self) -> Float[Tensor, " n"]:
        return self.uniform(torch.randn)

    def either(self, value: Tensor, otherwise: float, p: float | Tensor | None = None) -> Tensor:
        """`value` with probability p, for each picture by itself."""
        return torch.where(self.uniform() < (self.p if p is None else p), value, otherwise)


def _pixels(dice: _Dice, side: int) -> list[Tensor]:
    flip = dice.either(1 - 2 * (2 * dice.uniform()).floor(), 1.0)
    turn = dice.either((4 * dice.uniform()).floor() * (math.pi / 2), 0.0)
    by = [((2 * dice.uniform() - 1) * side / 8).round() * 2 / side for _ in range(2)]
    moved = dice.either(torch.ones_like(turn), 0.0)  # affine_grid's picture is 2 wide
    return [_scaled(flip, torch.ones_like(flip)), _turned(turn), _shifted(*(moved * b for b in by))]


def _geometry(dice: _Dice) -> list[Tensor]:
    size = dice.either(2 ** (0.2 * dice.normal()), 1.0)
    half = 1 - (1 - dice.p) ** 0.5  # rotations come twice: together with probability p
    before, after = (dice.either((2 * dice.uniform() - 1) * math.pi, 0.0, half) for _ in range(2))
    wide = dice.either(2 ** (0.2 * dice.normal()), 1.0)
    moved = dice.either(torch.full_like(wide, 0.25), 0.0)  # an eighth of a picture that is 2 wide
    shift = _shifted(moved * dice.normal(), moved * dice.normal())
    return [_scaled(size, size), _turned(before), _scaled(wide, 1 / wide), _turned(after), shift]


def _matrix(*rows: Sequence[Tensor]) -> Float[Tensor, "n k k"]:
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _scaled(x: Tensor, y: Tensor) -> Tensor:
    o, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix((x, o, o), (o, y, o), (o, o, one))


def _turned(angle: Tensor) -> Tensor:
    o, one, c, s = torch.zeros_like(angle), torch.ones_like(angle), angle.cos(), angle.sin()
    return _matrix((c, -s, o), (s, c, o), (o, o, one))


def _shifted(x: Tensor, y: Tensor) -> Tensor:
    o, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix((one, o, x), (o, one, y), (o, o, one))


def _coloured(x: Tensor, dice: _Dice) -> Tensor:
    """A matrix and an offset for the colours of each picture; luma lies along (1, 1, 1)."""
    brightness = dice.either(0.2 * dice.normal(), 0.0).view(-1, 1, 1).to(x)
    contrast = dice.either(2 ** (0.5 * dice.normal()), 1.0).view(-1, 1, 1).to(x)
    if x.shape[1] != 3:
        return x * contrast[..., None] + brightness[..., None]
    flip = dice.either((2 * dice.uniform()).floor(), 0.0).view(-1, 1, 1).to(x)
    angle = dice.either((2 * dice.uniform() - 1) * math.pi, 0.0).view(-1, 1, 1).to(x)
    saturation = dice.either(2 ** dice.normal(), 1.0).view(-1, 1, 1).to(x)
    eye = torch.eye(3, device=x.device, dtype=x.dtype)
    grey = torch.full_like(eye, 1 / 3)  # projects onto luma
    cross = (eye.roll(1, 0) - eye.roll(-1, 0)) / math.sqrt(3)  # its axis × …
    hue = angle.cos() * eye + (1 - angle.cos()) * grey + angle.sin() * cross  # Rodrigues
    linear = (grey + (eye - grey) * saturation) @ hue @ (eye - 2 * flip * grey)
    offset = linear @ brightness.expand(-1, 3, 1)
    return torch.baddbmm(offset, linear * contrast, x.flatten(2)).view(x.shape)


@torch.no_grad()
def adaptive_probability(
    p: float | Float[Tensor, ""],
    real_scores: Float[Tensor, "..."],
    images: int,
    target: float = 0.6,
    span: int = 500_000,
) -> Float[Tensor, ""]:
    """The next p: up by images / span where D is too sure of its training pictures, else down.

    Sure is measured by r = E sign D(x), over scores of real pictures, against `target`. p stays in
    [0, 1]; from 0 to 1 it takes `span` pictures. Raises ValueError for no scores.
    Source: Karras et al. 2020b, §3 (r_t, 0.6, 500,000).
    """
    whole("images", images, 0), whole("span", span), number("target", target)
    if not isinstance(real_scores, Tensor) or real_scores.is_complex():
        raise TypeError(f"real_scores must be a tensor of scores; got {type(real_scores).__name__}")
    if not isinstance(p, Tensor):
        number("p", p, 0, 1)
    if not real_scores.numel():
        raise ValueError("real_scores must hold at least one score")
    r = finite("real_scores", real_scores.float(), wait=False).sign().mean()
    return (p + (r - target).sign() * (images / span)).clamp(0, 1)


class Augmentation:
    """`augment` with a p that begins at 0 and holds r, D's certainty, at `target`.

    p moves with every batch (in the paper every 4). Without a target it stays where it is.
    """

    def __init__(
        self, target: float | None = 0.6, span: int = 500_000, kinds: Sequence[str] = KINDS
    ):
        if target is not None:
            number("target", target)
        whole("span", span), _check_kinds(kinds)
        self.target, self.span, self.kinds = target, span, tuple(kinds)
        self.p: float | Tensor = 0.0

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return augment(x, self.p, kinds=self.kinds)

    def update(self, real_scores: Float[Tensor, " B"]) -> None:
        shaped("real_scores", real_scores, "B")
        if self.target is not None:
            n = len(real_scores)
            self.p = adaptive_probability(self.p, real_scores, n, self.target, self.span)

    def state_dict(self) -> dict:
        return {"p": self.p}

    def load_state_dict(self, state: Mapping) -> None:
        self.p = state["p"]


def _check_kinds(kinds: Sequence[str]) -> None:
    for kind in instance("kinds", kinds, Sequence):
        one_of("kinds", kind, KINDS)
