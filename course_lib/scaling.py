"""The other half of lecture 09: growing, attention, classes, and judges that went to school.

Sources: Karras et al. 2018 (ProGAN), Zhang et al. 2019 (SAGAN), Brock et al. 2019 (BigGAN), Sauer
et al. 2021 (projected GANs).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normed


class ProjectedDiscriminator(nn.Module):
    """Small heads on the maps of a fixed network: pictures → scores (B, n), one a patch and map.

    layers: the fixed network, layer by layer; taps: after which of them a map is looked at. Each
    map is mixed across channels by a fixed random matrix, then two or three convolutions of
    spectral norm 1 judge it. The fixed network is no part of the weights and never learns; it must
    be in evaluation mode. Source: Sauer et al. 2021, §3 and §4.
    """

    def __init__(self, layers: Sequence[nn.Module], taps: Sequence[int], size: int, width: int = 64):
        super().__init__()
        fixed = nn.Sequential(*layers[: max(taps) + 1]).eval().requires_grad_(False)
        self.__dict__["fixed"] = fixed  # hidden from state_dict and .train()
        self.taps = tuple(taps)
        maps = self._maps(torch.zeros(1, 3, size, size))
        source = torch.Generator().manual_seed(0)
        for i, m in enumerate(maps):
            c = m.shape[1]
            matrix = torch.randn(width, c, 1, 1, generator=source) / c**0.5
            self.register_buffer(f"mix{i}", matrix)
        self.heads = nn.ModuleList(_head(width, m.shape[2]) for m in maps)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n"]:
        maps = self._maps(x.contiguous(memory_format=torch.channels_last))
        mixed = (F.conv2d(m, getattr(self, f"mix{i}")) for i, m in enumerate(maps))
        scores = [head(m).flatten(1) for head, m in zip(self.heads, mixed, strict=True)]
        return torch.cat(scores, 1).float()

    def _maps(self, x: Tensor) -> list[Tensor]:
        maps = []
        for i, layer in enumerate(self.fixed):
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps


def _head(width: int, side: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    while side > 4:
        layers += [normed(nn.Conv2d(width, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        side //= 2
    layers += [normed(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, normed(nn.Conv2d(width, 1, side)))
