"""DCGAN: convolutional networks for a GAN, and the rules that made them trainable.

No pooling, strides in its place; BatchNorm in both networks, except at the generator's output and
the discriminator's input; ReLU in the generator and tanh at its end, LeakyReLU(0.2) in the
discriminator; weights from N(0, 0.02²) (Radford, Metz and Chintala 2016).

One scheme makes every size: a map of 4 × 4, 5 × 5, 6 × 6 or 7 × 7, doubled n times.

    28 = 7 · 2²   32 = 4 · 2³   48 = 6 · 2³   64 = 4 · 2⁴   96 = 6 · 2⁴   128 = 4 · 2⁵

At each doubling the channels halve: 8 ngf, 4 ngf, 2 ngf, ngf, picture. The discriminator is the
same road back. Pictures are float32 in [-1, 1], (B, nc, size, size); scores are logits (B,).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.checks import (
    at_least_one,
    float_pictures,
    floats,
    instance,
    number,
    random_source,
    whole,
)

FAST = torch.channels_last  # channels side by side in memory: convolutions 5 to 10 % faster


class Generator(nn.Module):
    """Codes z (B, nz) or (B, nz, 1, 1) -> pictures (B, nc, size, size) in [-1, 1].

    A transposed convolution makes the first map of the code, further ones double it. `ngf` is the
    number of channels before the picture. Raises ValueError for sizes outside the scheme, for codes
    of another length, and in training for a batch of one, of which BatchNorm knows no spread.
    """

    def __init__(self, nz: int = 100, ngf: int = 64, nc: int = 3, size: int = 64):
        super().__init__()
        at_least_one(nz=nz, ngf=ngf, nc=nc)
        self.nz = nz
        start, widths = _scheme(size, ngf)  # widths from the picture inwards
        layers = _rectified(nn.ConvTranspose2d(nz, widths[-1], start, bias=False))
        for inputs, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True):
            layers += _rectified(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[0], nc, 4, 2, 1, bias=False))
        self.tanh = nn.Tanh()
        init_weights(self)

    def forward(self, z: Float[Tensor, "B nz"]) -> Float[Tensor, "B nc size size"]:
        x = self.layers(_codes(self, z)[:, :, None, None].to(memory_format=FAST))
        return self.tanh(x.float()).contiguous()  # in bfloat16 it would round to 1 too early


class Discriminator(nn.Module):
    """Pictures (B, nc, size, size) -> scores (B,): logits, above 0 where they look real.

    `ndf` is the number of channels after the first convolution. With first_batchnorm that one is
    normalised too, against the rule of the paper. noise: the standard deviation of Gaussian noise
    that is added to each picture in training, real or fake, for pictures that are told from fakes
    too easily without it, such as flat drawings (Sønderby et al. 2017; Arjovsky and Bottou 2017).

    Raises ValueError for sizes outside the scheme, for pictures of another shape, for noise below
    0, and in training for a batch of one.
    """

    def __init__(
        self,
        nc: int = 3,
        ndf: int = 64,
        size: int = 64,
        first_batchnorm: bool = False,
        noise: float = 0.0,
    ):
        super().__init__()
        at_least_one(ndf=ndf, nc=nc)
        number("noise", noise, 0)
        self.shape, self.noise = (nc, size, size), noise
        start, widths = _scheme(size, ndf)
        layers = []
        for inputs, outputs in zip([nc, *widths], widths, strict=False):
            layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
            if first_batchnorm or len(layers) > 1:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, start, bias=False))
        init_weights(self)

    def forward(self, x: Float[Tensor, "B nc size size"]) -> Float[Tensor, " B"]:
        if float_pictures("x", x).ndim != 4 or x.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"x must be (B, {wanted}) for this network; got {tuple(x.shape)}")
        _check_batch(self, "x", x), floats("x", x, like=next(self.parameters(), None))
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        return self.layers(x.to(memory_format=FAST)).flatten().float()


class UpsampleGenerator(nn.Module):
    """A generator without transposed convolutions: dense, reshape, then twice enlarge and convolve.

    Codes as `Generator`'s; any size of at least 4. The map begins at a quarter of the size, with
    2 ngf channels, and pixels are doubled (nearest neighbour), so that a kernel's windows overlap
    evenly: no checkerboard. 5 × 5 kernels, tanh throughout. Raises as `Generator`.

    Source: Vijayvargiya et al., Generative Models for Image Generation (ngf 64: dense 1,024,
    128 × 16 × 16, 64 channels, 3). Upsampling against checkerboards: Odena et al. 2016.
    """

    def __init__(self, nz: int = 100, ngf: int = 64, nc: int = 3, size: int = 64):
        super().__init__()
        at_least_one(nz=nz, ngf=ngf, nc=nc)
        whole("size", whole("size", size, 4), most=10_000)
        self.nz = nz
        quarter, half = -(-size // 4), -(-size // 2)  # rounded up
        features = 2 * ngf * quarter**2
        self.layers = nn.Sequential(
            nn.Linear(nz, 16 * ngf),
            nn.Linear(16 * ngf, features),
            nn.BatchNorm1d(features),
            nn.Tanh(),
            nn.Unflatten(1, (2 * ngf, quarter, quarter)),
            nn.Upsample(size=half),
            nn.Conv2d(2 * ngf, ngf, 5, padding=2),
            nn.Tanh(),
            nn.Upsample(size=size),
            nn.Conv2d(ngf, nc, 5, padding=2),
        )
        self.tanh = nn.Tanh()

    def forward(self, z: Float[Tensor, "B nz"]) -> Float[Tensor, "B nc size size"]:
        return self.tanh(self.layers(_codes(self, z)).float())


def init_weights(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """DCGAN's first weights, in place: convolutions N(0, 0.02²), BatchNorm N(1, 0.02²) and bias 0.

    For a whole network, or layer by layer: `net.apply(init_weights)`. Other layers stay as they
    are. Source: Radford et al. 2016, section 4; BatchNorm as in the PyTorch DCGAN tutorial.
    """
    instance("module", module, nn.Module), random_source(generator)
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02, generator=generator)
            nn.init.zeros_(layer.bias)


def _scheme(size: int, width: int) -> tuple[int, list[int]]:
    """size = start · 2ⁿ with start in 4 … 7; and n widths: width, 2 width, …, 8 width at most."""
    start, n = size, 0
    while isinstance(size, int) and start > 7 and start % 2 == 0:
        start, n = start // 2, n + 1
    if n == 0 or start not in (4, 5, 6, 7):
        sizes = "8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128"
        raise ValueError(f"size must be 4, 5, 6 or 7 doubled, once or more: {sizes}, …; got {size}")
    return start, [width * 2 ** min(i, 3) for i in range(n)]


def _rectified(layer: nn.Module) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(inplace=True)]


# What students get wrong


def _codes(module: nn.Module, z: Tensor) -> Tensor:
    if not isinstance(z, Tensor) or not z.is_floating_point():
        kind = z.dtype if isinstance(z, Tensor) else type(z).__name__
        raise TypeError(f"z must be float codes, as torch.randn gives; got {kind}")
    if z.shape[1:] not in ((module.nz,), (module.nz, 1, 1)):
        nz = module.nz
        raise ValueError(f"z must be (B, {nz}) or (B, {nz}, 1, 1); got {tuple(z.shape)}")
    _check_batch(module, "z", z), floats("z", z, like=next(module.parameters(), None))
    return z.flatten(1)


def _check_batch(module: nn.Module, name: str, batch: Tensor) -> None:
    norm = any(isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) for layer in module.layers)
    if norm and module.training and len(batch) < 2:
        raise ValueError(
            f"{name} has a batch of {len(batch)}, and in training BatchNorm needs at least 2 to "
            "take means over. To use a trained network, call .eval() on it first"
        )
