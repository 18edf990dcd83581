"""For course_lib/autoencoders.py (lecture 07): an autoencoder whose codes are small maps."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class MapAutoencoder(nn.Module):
    """encode: pictures (B, nc, H, W) -> maps (B, channels, H/4, W/4); decode: back, in [-1, 1].

    Where `Autoencoder` forgets where things are, these codes still lie where they were seen, so
    that a U-Net can work on them. `code_mean` and `code_std` are what `AutoencoderStep` saw.
    Raises ValueError for other channels or sides than it was made for.
    """

    def __init__(self, nc: int = 1, size: int = 32, channels: int = 4, width: int = 64):
        super().__init__()
        if size % 4 or min(nc, size, channels, width) < 1:
            raise ValueError(f"size must be a multiple of 4, all above 0; got {size}")
        self.shape, side = (nc, size, size), size // 4
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(16 * nc, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, channels, 1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(),
            nn.Conv2d(width, 4 * nc, 3, padding=1), nn.PixelShuffle(2), nn.Tanh(),
        )  # fmt: skip
        self.register_buffer("code_mean", torch.zeros(channels, side, side))
        self.register_buffer("code_std", torch.ones(channels, side, side))

    def encode(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B c h w"]:
        if x.shape[1:] != self.shape:
            raise ValueError(
                f"x must be (B, {', '.join(map(str, self.shape))}); got {tuple(x.shape)}"
            )
        return self.encoder(x)

    def decode(self, z: Float[Tensor, "B c h w"]) -> Float[Tensor, "B C H W"]:
        if z.shape[1:] != self.code_mean.shape:
            shape = ", ".join(map(str, self.code_mean.shape))
            raise ValueError(f"z must be (B, {shape}); got {tuple(z.shape)}")
        return self.decoder(z).float()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.decode(self.encode(x))

    @torch.no_grad()
    def sample(self, n: int = 64, generator: torch.Generator | None = None) -> Tensor:
        """n maps of noise, decoded: what an autoencoder was not trained for."""
        noise = torch.randn(n, *self.code_mean.shape, generator=generator)
        return self.decode(self.code_mean + self.code_std * noise.to(self.code_mean.device))
