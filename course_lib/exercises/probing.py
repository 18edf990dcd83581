"""Inputs for probes: the same numbers on every run."""

import torch
from torch import Tensor


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed)).to(dtype)


def uniform(*shape: int, seed: int) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed))
