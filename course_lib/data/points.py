"""Points in the plane: mixtures of Gaussians on which one can see what a generator does."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from course_lib.checks import SIZE, random_source, whole

SHAPES = ("ring8", "ring", "grid25", "grid", "spiral", "line")


@dataclass(repr=False)
class PointSet:
    """points (N, 2) drawn from Gaussians of standard deviation sigma at `centers` (m, 2).

    labels: the Gaussian that each point came from.
    """

    points: Float[Tensor, "N 2"]
    labels: Int64[Tensor, " N"]
    centers: Float[Tensor, "m 2"]
    sigma: float
    name: str

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"{self.name}: {len(self):,} points from {len(self.centers)} Gaussians"

    def batches(
        self, batch_size: int, device="cpu", generator: torch.Generator | None = None
    ) -> Iterator[Float[Tensor, "B 2"]]:
        """Batches without end, drawn afresh from the mixture."""
        batch_size = whole("batch_size", batch_size, most=100 * SIZE)
        random_source(generator)
        generator = generator or torch.Generator().manual_seed(torch.initial_seed())
        mixture = self.centers, self.sigma
        return (_draw(*mixture, batch_size, generator)[0].to(device) for _ in itertools.repeat(0))


def toy2d(
    variant: str = "ring8", n: int = 10_000, generator: torch.Generator | None = None
) -> PointSet:
    """n points from a mixture: 8 Gaussians on a ring, 25 on a grid, 100 along a spiral or line."""
    if variant not in SHAPES:
        raise ValueError(f"variant must be one of {', '.join(SHAPES)} for toy2d; got {variant!r}")
    n = whole("n", n, unit="points", most=100 * SIZE)
    random_source(generator)
    centers, sigma = _mixture(variant)
    generator = generator or torch.Generator().manual_seed(0)
    points, labels = _draw(centers, sigma, n, generator)
    return PointSet(points, labels, centers, sigma, f"toy2d {variant}")


def _mixture(variant: str) -> tuple[Tensor, float]:
    if variant.startswith("ring"):
        angle = torch.arange(8) * (2 * math.pi / 8)
        return torch.stack([angle.cos(), angle.sin()], 1), 0.02
    if variant.startswith("grid"):
        side = torch.linspace(-1, 1, 5)
        return torch.cartesian_prod(side, side), 0.02
    if variant == "line":
        return torch.stack([torch.linspace(-1, 1, 100), torch.zeros(100)], 1), 0.05
    share = torch.linspace(0.02, 1, 100).sqrt()  # evenly along the arm
    angle = 3 * math.pi * share
    return torch.stack([share * angle.cos(), share * angle.sin()], 1), 0.04


def _draw(centers, sigma, n, generator) -> tuple[Tensor, Tensor]:
    device = generator.device
    labels = torch.randint(len(centers), (n,), generator=generator, device=device).cpu()
    noise = torch.randn(n, 2, generator=generator, device=device).cpu()
    return centers[labels] + sigma * noise, labels
