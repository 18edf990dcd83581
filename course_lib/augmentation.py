"""Adaptive augmentation: a discriminator with few pictures sees them moved and recoloured.

    D judges augment(x, p) and augment(G(z), p); p rises while D is too sure of its pictures

Nothing of it leaks into what G makes, as long as the law of the transformed pictures tells that of
the pictures: a coin that decides about a flip does, a flip always does not. Source: Karras et al.
2020b ("Training generative adversarial networks with limited data").
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

KINDS = ("pixels", "geometry", "colours")


def augment(
    x: Float[Tensor, "B C H W"],
    p: float,
    generator: torch.Generator | None = None,
    kinds: Sequence[str] = KINDS,
) -> Float[Tensor, "B C H W"]:
    """ADA's pipeline: each transformation of each picture with probability p, differentiable in x.

    pixels: a flip, quarter turns, a shift by whole pixels up to an eighth; the identity is among
    the choices. geometry: scale, rotation, stretching, a shift by parts of a pixel. colours:
    brightness, contrast, inverted luma, rotated hue, saturation (the last three for 3 channels).
    All of the first two are one matrix, and so one resampling (bilinear, borders reflected).

    Both real pictures and fakes go through it on their way to D, never what G shows. Up to p of
    about 0.8 nothing of it leaks into G's pictures.

    Raises ValueError for p outside [0, 1] and unknown kinds. Source: Karras et al. 2020b, appendix
    B; its filters in frequency, additive noise and cutout are left out, as in its best setting.
    """
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be float pictures (B, C, H, W); got {x.dtype} {tuple(x.shape)}")
    if not 0 <= p <= 1:
        raise ValueError(f"p must lie in [0, 1]; got {p}")
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"kinds must be among {', '.join(KINDS)}; got {', '.join(unknown)}")
    if p == 0:
        return x
    dice = _Dice(len(x), p, generator)
    moves = _pixels(dice, x.shape[2]) if "pixels" in kinds else []
    moves += _geometry(dice) if "geometry" in kinds else []
    if moves:
        theta = _product(moves)[:, :2].to(x)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return _coloured(x, dice) if "colours" in kinds else x


class _Dice:
    """Draws for n pictures, and which of them a transformation happens to."""

    def __init__(self, n: int, p: float, generator: torch.Generator | None):
        self.n, self.p, self.generator = n, p, generator

    def uniform(self) -> Tensor:
        where = None if self.generator is None else self.generator.device
        return torch.rand(self.n, generator=self.generator, device=where).cpu()

    def normal(self) -> Tensor:
        where = None if self.generator is None else self.generator.device
        return torch.randn(self.n, generator=self.generator, device=where).cpu()

    def often(self, value: Tensor, otherwise: float, p: float | None = None) -> Tensor:
        p = self.p if p is None else p
        return torch.where(self.uniform() < p, value, torch.full_like(value, otherwise))


def _pixels(dice: _Dice, side: int) -> list[Tensor]:
    flip = dice.often(1 - 2 * (2 * dice.uniform()).floor(), 1.0)
    turn = dice.often((4 * dice.uniform()).floor() * (math.pi / 2), 0.0)
    shifts = []
    for _ in range(2):  # in whole pixels; affine_grid's picture is 2 wide
        shift = ((2 * dice.uniform() - 1) * side / 8).round() * 2 / side
        shifts.append(shift)
    moved = dice.often(torch.ones(dice.n), 0.0)
    return [_scaled(flip, 1), _turned(turn), _shifted(moved * shifts[0], moved * shifts[1])]


def _geometry(dice: _Dice) -> list[Tensor]:
    turning = 1 - math.sqrt(1 - dice.p)  # twice: together p
    size = dice.often(2 ** (0.2 * dice.normal()), 1.0)
    before, after = (dice.often((2 * dice.uniform() - 1) * math.pi, 0.0, turning) for _ in range(2))
    wide = dice.often(2 ** (0.2 * dice.normal()), 1.0)
    moved = dice.often(torch.ones(dice.n), 0.0) * 0.25  # of a picture that is 2 wide
    shift = _shifted(moved * dice.normal(), moved * dice.normal())
    return [_scaled(size, size), _turned(before), _scaled(wide, 1 / wide), _turned(after), shift]


def _matrix(*rows: Sequence[Tensor | float]) -> Float[Tensor, "n k k"]:
    n = next(len(v) for row in rows for v in row if isinstance(v, Tensor))
    full = [[v if isinstance(v, Tensor) else torch.full((n,), float(v)) for v in r] for r in rows]
    return torch.stack([torch.stack(row, 1) for row in full], 1)


def _scaled(x: Tensor, y: Tensor | float) -> Tensor:
    return _matrix((x, 0, 0), (0, y, 0), (0, 0, 1))


def _turned(angle: Tensor) -> Tensor:
    c, s = angle.cos(), angle.sin()
    return _matrix((c, -s, 0), (s, c, 0), (0, 0, 1))


def _shifted(x: Tensor, y: Tensor) -> Tensor:
    return _matrix((1, 0, x), (0, 1, y), (0, 0, 1))


def _product(matrices: list[Tensor]) -> Tensor:
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total @ matrix
    return total


def _coloured(x: Tensor, dice: _Dice) -> Tensor:
    """In homogeneous colours; v is the axis of greys, along which luma lies."""
    brightness = dice.often(0.2 * dice.normal(), 0.0)
    contrast = dice.often(2 ** (0.5 * dice.normal()), 1.0)
    if x.shape[1] != 3:
        change = contrast.view(-1, 1, 1, 1).to(x), brightness.view(-1, 1, 1, 1).to(x)
        return x * change[0] + change[1]
    eye, axis = torch.eye(3), torch.full((3,), 1 / math.sqrt(3))
    grey = axis[:, None] * axis
    flip = dice.often((2 * dice.uniform()).floor(), 0.0).view(-1, 1, 1)
    angle = dice.often((2 * dice.uniform() - 1) * math.pi, 0.0).view(-1, 1, 1)
    saturation = dice.often(2.0 ** dice.normal(), 1.0).view(-1, 1, 1)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    hue = angle.cos() * eye + (1 - angle.cos()) * grey + angle.sin() * cross  # Rodrigues
    linear = (grey + (eye - grey) * saturation) @ hue @ (eye - 2 * flip * grey)
    matrix = (linear * contrast.view(-1, 1, 1)).to(x)
    offset = (linear @ brightness.view(-1, 1, 1).expand(-1, 3, 1)).to(x)
    b, c, h, w = x.shape
    return torch.baddbmm(offset, matrix, x.flatten(2)).view(b, c, h, w)


@torch.no_grad()
def adaptive_probability(
    p: float,
    real_scores: Float[Tensor, "..."],
    images: int,
    target: float = 0.6,
    span: int = 500_000,
) -> float:
    """The next p: up by images / span where D is too sure of its training pictures, else down.

    Sure is measured by r = E sign D(x), over scores of real pictures, against `target`. p stays in
    [0, 1]; from 0 to 1 it takes `span` pictures. Raises ValueError for no scores.
    Source: Karras et al. 2020b, §3 (r_t, 0.6, 500,000).
    """
    if not real_scores.numel():
        raise ValueError("real_scores must hold a score at least")
    r = real_scores.float().sign().mean().item()
    return min(max(p + math.copysign(images / span, r - target), 0.0), 1.0)


class Augmentation:
    """`augment` with a p that begins at 0 and holds r, D's certainty, at `target`.

    p moves with every batch (in the paper every 4). Without a target it stays where it is.
    """

    def __init__(
        self, target: float | None = 0.6, span: int = 500_000, kinds: Sequence[str] = KINDS
    ):
        self.target, self.span, self.kinds, self.p = target, span, tuple(kinds), 0.0

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return augment(x, self.p, kinds=self.kinds)

    def update(self, real_scores: Float[Tensor, " B"]) -> None:
        if self.target is not None:
            n = len(real_scores)
            self.p = adaptive_probability(self.p, real_scores, n, self.target, self.span)

    def state_dict(self) -> dict:
        return {"p": self.p}

    def load_state_dict(self, state: Mapping) -> None:
        self.p = state["p"]
