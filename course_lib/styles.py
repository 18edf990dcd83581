"""Style-based generators: who decides what in a picture, and what training them takes.

    z → mapping → w;  every layer is scaled by its own w:  synthesis(ws, noise) → picture

`StyleGenerator` and `StyleDiscriminator` are StyleGAN2's networks at any size, `StyleStep` one
round of their game with lazy penalties and augmentation. `augmentation` and `scaling` have the rest
of lecture 09: few pictures; growing, attention, classes, a discriminator on fixed features.

Sources: Karras et al. 2018 (ProGAN), 2019 (StyleGAN), 2020a (StyleGAN2), 2021 (StyleGAN3).
"""

import math
from collections import abc
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.augmentation import Augmentation
from course_lib.checks import (
    DEPTH,
    at_least_one,
    beside,
    floats,
    function,
    instance,
    number,
    one_of,
    present,
    random_source,
    shaped,
    whole,
    wholes,
)
from course_lib.gan import AdversarialStep, _adam, _descend, frozen
from course_lib.gan_losses import LOSSES

FAST = torch.channels_last
SLOPE, GAIN = 0.2, math.sqrt(2)  # of the leaky ReLU, and what keeps its second moment


# Layers that learn at one pace


def equalized(
    weight: Float[Tensor, "outputs inputs *kernel"], gain: float = 1.0
) -> Float[Tensor, "outputs inputs *kernel"]:
    """weight · gain / √(inputs · kernel area): stored at N(0, 1), scaled each time it is used.

    So Adam, which moves every number by about the same amount, moves every layer by the same share.
    Raises ValueError for a weight of fewer than two dimensions. Source: Karras et al. 2018, §4.1
    (which prints weight / c, c being this constant).
    """
    number("gain", gain)
    if floats("weight", weight).ndim < 2:
        raise ValueError(f"weight must be (outputs, inputs, …); got {tuple(weight.shape)}")
    return weight * (gain / math.sqrt(weight[0].numel()))


class EqualLinear(nn.Module):
    """A linear layer with equalized weights. rate: its learning rate relative to other layers'."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0):
        super().__init__()
        at_least_one(inputs=inputs, outputs=outputs)
        number("bias", bias), number("rate", rate, above=0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.rate = rate

    def forward(self, x: Float[Tensor, "B inputs"]) -> Float[Tensor, "B outputs"]:
        shaped("x", x, "B", self.weight.shape[1], like=self.weight)
        return F.linear(x, equalized(self.weight, self.rate), self.bias * self.rate)


class EqualConv2d(nn.Module):
    """A convolution with equalized weights that keeps the size of the map."""

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True):
        super().__init__()
        at_least_one(inputs=inputs, outputs=outputs, kernel=kernel)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Float[Tensor, "B inputs H W"]) -> Float[Tensor, "B outputs H W"]:
        shaped("x", x, "B", self.weight.shape[1], "H", "W", like=self.weight)
        return F.conv2d(x, equalized(self.weight), self.bias, padding=self.weight.shape[-1] // 2)


def bend(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Leaky ReLU of slope 0.2, times √2: the second moment of N(0, 1) stays about 1."""
    return F.leaky_relu(floats("x", x), SLOPE) * GAIN


def pixel_norm(x: Float[Tensor, "B C *places"]) -> Float[Tensor, "B C *places"]:
    """x / √(mean over channels of x² + 1e-8), at each place (Karras et al. 2018, §4.2)."""
    if floats("x", x).ndim < 2:
        raise ValueError(f"x must be (B, C, …); got {tuple(x.shape)}")
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


# Style


class Mapping(nn.Module):
    """z ~ N(0, I), (B, nz), onto the unit sphere, then through `layers` dense layers: (B, w).

    They learn at a hundredth of the pace. Source: Karras et al. 2019, §2.
    """

    def __init__(self, nz: int = 512, w: int = 512, layers: int = 8):
        super().__init__()
        at_least_one(nz=nz, w=w), whole("layers", layers, most=DEPTH)
        sizes = [nz, *[w] * layers]
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.layers = nn.ModuleList(EqualLinear(a, b, rate=0.01) for a, b in pairs)

    def forward(self, z: Float[Tensor, "B nz"]) -> Float[Tensor, "B w"]:
        weight = self.layers[0].weight
        x = pixel_norm(shaped("z", z, "B", weight.shape[1], like=weight))
        for layer in self.layers:
            x = bend(layer(x))
        return x


def adain(
    x: Float[Tensor, "B C H W"], scale: Float[Tensor, "B C"], bias: Float[Tensor, "B C"]
) -> Float[Tensor, "B C H W"]:
    """Every map of every picture to mean `bias` and spread `scale`: AdaIN.

    scale (x − mean) / √(variance + 1e-8) + bias, mean and variance over the places of that map.
    Raises ValueError for shapes that do not agree. Source: Karras et al. 2019, eq. 1.
    """
    b, c = shaped("x", x, "B", "C", "H", "W").shape[:2]
    for name, style in (("scale", scale), ("bias", bias)):
        beside(name, shaped(name, style, b, c), x)
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    normal = (x - mean) * (variance + 1e-8).rsqrt()
    return normal * scale[:, :, None, None] + bias[:, :, None, None]


def modulated_conv(
    x: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I k k"],
    style: Float[Tensor, "B I"],
    demodulate: bool = True,
) -> Float[Tensor, "B O H W"]:
    """Convolve each picture with its own kernel w' = style · weight, brought to length 1.

    w''ₒᵢₖ = w'ₒᵢₖ / √(Σᵢₖ w'ₒᵢₖ² + 1e-8): where inputs are white noise, outputs have spread 1. A
    convolution is linear, so the style may scale the inputs and the length the outputs instead: one
    kernel for the whole batch. The map keeps its size (zero padding).

    Raises ValueError for shapes that do not agree. Source: Karras et al. 2020a, eq. 1 to 3.
    """
    b, i = shaped("x", x, "B", "I", "H", "W").shape[:2]
    shaped("weight", weight, "O", i, "k", "k", like=x), shaped("style", style, b, i, like=x)
    y = F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    return y * _demodulation(weight, style)[:, :, None, None] if demodulate else y


def _demodulation(weight: Tensor, style: Tensor) -> Float[Tensor, "B O"]:
    return (style.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt()


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU; at the doubled size with up=True.

    The affine layer makes the style of w, around 1. Noise (B, 1, H, W) is added to all channels at
    a strength that is learned and begins at `noise`.
    """

    def __init__(self, inputs: int, outputs: int, w: int, up: bool = False, noise: float = 0.0):
        super().__init__()
        at_least_one(inputs=inputs, outputs=outputs, w=w), number("noise", noise)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = EqualLinear(w, inputs, bias=1.0)
        self.strength = nn.Parameter(torch.tensor(float(noise)))
        self.up = up

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Float[Tensor, "B O H W"]:
        shaped("x", x, "B", self.weight.shape[1], "H", "W", like=self.weight)
        shaped("w", w, len(x), self.affine.weight.shape[1], like=self.weight)
        x = doubled(x) if self.up else x
        if noise is not None:
            beside("noise", shaped("noise", noise, "B", 1, *x.shape[2:]), x)
        x = modulated_conv(x, equalized(self.weight), self.affine(w).to(x.dtype))
        if noise is not None:
            x = x + (self.strength * noise).to(x.dtype)
        return bend(x + self.bias[:, None, None].to(x.dtype))


class ToRGB(nn.Module):
    """Modulated 1 × 1 convolution to the picture's channels, without demodulation, in float32."""

    def __init__(self, inputs: int, outputs: int, w: int):
        super().__init__()
        at_least_one(inputs=inputs, outputs=outputs, w=w)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = EqualLinear(w, inputs, bias=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Float[Tensor, "B O H W"]:
        shaped("x", x, "B", self.weight.shape[1], "H", "W", like=self.weight)
        shaped("w", w, len(x), self.affine.weight.shape[1], like=self.weight)
        style = self.affine(w).to(x.dtype)
        y = modulated_conv(x, equalized(self.weight), style, demodulate=False)
        return y.float() + self.bias[:, None, None]


def doubled(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 2H 2W"]:
    """Twice the size, bilinear: zeros in between, then the filter (1, 3, 3, 1) / 4 both ways."""
    shaped("x", x, "B", "C", "H", "W")
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class StyleGenerator(nn.Module):
    """StyleGAN2's generator: z (B, nz) → pictures (B, nc, size, size), not bounded.

    channels: those of the maps at 4 × 4, 8 × 8, 16 × 16, …; two convolutions a level, one at 4 × 4,
    and a picture of each level, which are added up. Where `size` is larger than the last map, that
    level's pictures are made of channels folded out into pixels: cheap on a CPU.
    w: the width of the styles; mapping: the layers of the mapping. noise: see `StyledConv`.

    `ws` (B, layers, w) has one style a convolution and one for the last picture. `w_mean` is the
    average w, towards which truncation pulls.

    Raises ValueError for a size that is no multiple of the last map. Source: Karras et al. 2020a,
    figures 2 and 7 ("skip" generator).
    """

    def __init__(
        self,
        nz: int = 64,
        w: int = 64,
        channels: Sequence[int] = (128, 96, 64),
        size: int = 32,
        nc: int = 3,
        mapping: int = 4,
        noise: float = 0.0,
    ):
        super().__init__()
        last = _check_sizes(channels, mapping, nz=nz, w=w, size=size, nc=nc)
        number("noise", noise)
        if size % last:
            raise ValueError(f"size must be a multiple of the last map, {last}; got {size}")
        self.nz, self.w, self.size, self.fold = nz, w, size, size // last
        self.mapping = Mapping(nz, w, mapping)
        self.const = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.convs = nn.ModuleList([StyledConv(channels[0], channels[0], w, noise=noise)])
        for a, b in zip(channels[:-1], channels[1:], strict=True):
            self.convs.append(StyledConv(a, b, w, up=True, noise=noise))
            self.convs.append(StyledConv(b, b, w, noise=noise))
        self.rgbs = nn.ModuleList(ToRGB(a, nc * self.fold**2, w) for a in channels)
        self.sides = [4 * 2 ** ((i + 1) // 2) for i in range(len(self.convs))]  # of the maps
        self.layers = len(self.convs) + 1
        self.register_buffer("w_mean", torch.zeros(w))

    def ws(self, z: Float[Tensor, "B nz"], truncation: float = 1.0) -> Float[Tensor, "B L w"]:
        """The styles of z, the same for every layer, pulled towards the average w.

        Raises ValueError for other shapes of z, TypeError for whole numbers.
        """
        shaped("z", z, "B", self.nz, like=self.const), number("truncation", truncation)
        w = self.mapping(z).float()
        w = w if truncation == 1 else truncate(w, self.w_mean, truncation)
        return w[:, None].expand(-1, self.layers, -1)

    def noises(
        self, n: int, generator: torch.Generator | None = None
    ) -> list[Float[Tensor, "n 1 H W"]]:
        """Noise for n pictures, a map for each convolution, as `synthesis` takes it."""
        at_least_one(n=n), random_source(generator)
        shapes = [(n, 1, side, side) for side in self.sides]
        where = self.const.device if generator is None else generator.device
        drawn = [torch.randn(shape, generator=generator, device=where) for shape in shapes]
        return [noise.to(self.const.device) for noise in drawn]

    def synthesis(
        self,
        ws: Float[Tensor, "B L w"],
        noise: Sequence[Tensor] | str = "fresh",
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "B nc size size"]:
        """The pictures of these styles. noise: "fresh" (drawn anew), "none", or `noises`.

        Raises ValueError for other shapes of ws, another number of noises, another word.
        """
        shaped("ws", ws, "B", self.layers, self.w, like=self.const), random_source(generator)
        return self._synthesis(ws, self._noise(noise, len(ws), generator))

    def _synthesis(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        x = self.const.expand(len(ws), -1, -1, -1).contiguous(memory_format=FAST)
        x = self.convs[0](x, ws[:, 0], noise[0])
        picture = self._unfolded(self.rgbs[0](x, ws[:, 1]))
        for i in range(1, len(self.rgbs)):
            x = self.convs[2 * i - 1](x, ws[:, 2 * i - 1], noise[2 * i - 1])
            x = self.convs[2 * i](x, ws[:, 2 * i], noise[2 * i])
            picture = doubled(picture) + self._unfolded(self.rgbs[i](x, ws[:, 2 * i + 1]))
        return picture

    def forward(
        self,
        z: Float[Tensor, "B nz"],
        truncation: float = 1.0,
        noise: Sequence[Tensor] | str = "fresh",
    ) -> Float[Tensor, "B nc size size"]:
        return self.synthesis(self.ws(z, truncation), noise)

    @torch.no_grad()
    def sample(
        self, n: int, truncation: float = 1.0, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n nc size size"]:
        """n pictures of fresh z and noise, within [-1, 1]."""
        at_least_one(n=n), random_source(generator)
        where = self.const.device if generator is None else generator.device
        z = torch.randn(n, self.nz, generator=generator, device=where).to(self.const.device)
        parts = [
            self.synthesis(ws, generator=generator) for ws in self.ws(z, truncation).split(256)
        ]
        return torch.cat(parts).clamp(-1, 1)

    def _unfolded(self, x: Tensor) -> Tensor:
        """Before any doubling: doubling each phase of a pixel for itself draws checkerboards."""
        return F.pixel_shuffle(x, self.fold) if self.fold > 1 else x

    def _noise(self, noise, n: int, generator) -> Sequence[Tensor | None]:
        if isinstance(noise, str):
            one_of("noise", noise, ("fresh", "none"))
            return self.noises(n, generator) if noise == "fresh" else [None] * len(self.sides)
        instance("noise", noise, Sequence)
        if len(noise) != len(self.sides):
            raise ValueError(f"noise must be {len(self.sides)} maps; got {len(noise)}")
        for i, side in enumerate(self.sides):
            beside(f"noise[{i}]", shaped(f"noise[{i}]", noise[i], "B", 1, side, side), self.const)
        return noise


class AdaINGenerator(StyleGenerator):
    """StyleGAN's first generator: the same interface, styles through AdaIN, two a level.

    Each level convolves, adds noise (a strength a channel), bends, and lets AdaIN set every map's
    mean and spread; the first one begins with its constant instead of a convolution. Colours come
    from the last level alone, by a plain 1 × 1 convolution. Source: Karras et al. 2019, figure 1b.
    """

    def __init__(self, nz: int = 64, w: int = 64, channels: Sequence[int] = (128, 96, 64),
                 nc: int = 3, mapping: int = 4):  # fmt: skip
        nn.Module.__init__(self)
        self.nz, self.w = nz, w
        self.size = _check_sizes(channels, mapping, nz=nz, w=w, nc=nc)
        self.mapping = Mapping(nz, w, mapping)
        self.const = nn.Parameter(torch.ones(1, channels[0], 4, 4))
        pairs = zip(channels[:-1], channels[1:], strict=True)
        widths = [(channels[0], channels[0])]
        widths += [pair for a, b in pairs for pair in ((a, b), (b, b))]
        self.convs = nn.ModuleList(EqualConv2d(a, b, 3, bias=False) for a, b in widths)
        outputs = [channels[0], *(b for _, b in widths)]
        self.strengths = nn.ParameterList(torch.zeros(c, 1, 1) for c in outputs)
        self.biases = nn.ParameterList(torch.zeros(c, 1, 1) for c in outputs)
        self.affines = nn.ModuleList(EqualLinear(w, 2 * c) for c in outputs)
        self.rgb = EqualConv2d(channels[-1], nc, 1)
        self.layers = len(outputs)
        self.sides = [4 * 2 ** (i // 2) for i in range(self.layers)]
        self.register_buffer("w_mean", torch.zeros(w))

    def _synthesis(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        x = self.const.expand(len(ws), -1, -1, -1).contiguous(memory_format=FAST)
        for i in range(self.layers):
            if i:
                x = doubled(x) if i % 2 == 0 else x
                x = self.convs[i - 1](x)
            if noise[i] is not None:
                x = x + self.strengths[i] * noise[i]
            scale, bias = self.affines[i](ws[:, i]).chunk(2, 1)
            x = adain(bend(x + self.biases[i]), scale + 1, bias)
        return self.rgb(x).float()


def truncate(
    w: Float[Tensor, "... w"], mean: Float[Tensor, " w"], psi: float
) -> Float[Tensor, "... w"]:
    """mean + ψ (w − mean): ψ = 0 is the average picture, 1 as drawn, −1 its opposite.

    Raises ValueError for a mean of another width. Source: Karras et al. 2019, appendix B.
    """
    beside("mean", shaped("mean", mean, floats("w", w).shape[-1]), w), number("psi", psi)
    return mean + psi * (w - mean)


def mix(
    ws_a: Float[Tensor, "B L w"], ws_b: Float[Tensor, "B L w"], cut: int
) -> Float[Tensor, "B L w"]:
    """The styles of a in the layers before `cut`, of b from there on; new, the arguments stay.

    Raises ValueError for ws of two shapes and a cut outside 0 … L.
    """
    shaped("ws_a", ws_a, "B", "L", "w"), shaped("ws_b", ws_b, *ws_a.shape)
    beside("ws_b", ws_b, ws_a)
    whole("cut", cut, 0, most=ws_a.shape[1])
    return torch.cat([ws_a[:, :cut], ws_b[:, cut:]], dim=1)


# What a latent space is like


def perceptual_path_length(
    generate: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], Tensor],
    w0: Float[Tensor, "B d"],
    w1: Float[Tensor, "B d"],
    t: Float[Tensor, " B"],
    eps: float = 1e-2,
) -> Float[Tensor, " B"]:
    """‖f(w(t + ε)) − f(w(t))‖² / ε² for each pair, w(t) on the straight line from w0 to w1.

    f = features ∘ generate. A straight, even path has the same length everywhere. Published numbers
    take ε = 1e-4, t = 0 (StyleGAN2) or uniform, and the mean without the 1 % at each end.

    Raises ValueError for shapes that do not agree and ε ≤ 0. Source: Karras et al. 2019, eq. 2.
    """
    function("generate", generate), function("features", features), number("eps", eps, above=0)
    shaped("w0", w0, "B", "d"), shaped("w1", w1, *w0.shape, like=w0)
    shaped("t", t, len(w0), like=w0)
    t = t[:, None]
    here, there = (features(generate(torch.lerp(w0, w1, s))) for s in (t, t + eps))
    return (there - here).square().flatten(1).sum(1) / eps**2


# Moving (StyleGAN3)


def filtered(
    x: Float[Tensor, "... n"], factor: int, act: Callable[[Tensor], Tensor]
) -> Float[Tensor, "... n"]:
    """act at `factor` times the rate: upsample, activate, downsample what the low rate can hold.

    An activation adds harmonics beyond the band. At the low rate they are aliased and stick to the
    grid; at a higher one they are cut off. Signals are circular; resampling is exact, by Fourier.
    At an even n the frequency n/2 is dropped: its shift by half a sample is not defined.

    Raises ValueError for factor < 1. Source: Karras et al. 2021, §3.2 (there with short filters).
    """
    at_least_one(factor=factor), function("act", act)
    n = _signal(x).shape[-1]
    high = torch.fft.irfft(_band(x), n * factor) * factor
    return torch.fft.irfft(_band(act(high), n), n * factor)[..., ::factor]


def _band(x: Tensor, n: int | None = None) -> Tensor:
    """The frequencies of x below half the rate of n samples; the others are 0."""
    spectrum, n = torch.fft.rfft(x), n or x.shape[-1]
    kept = torch.arange(spectrum.shape[-1], device=x.device) < n / 2
    return spectrum * kept


def moved(x: Float[Tensor, "... n"], shift: float) -> Float[Tensor, "... n"]:
    """A circular signal moved by a part of a sample to the right, exactly, by Fourier."""
    n = _signal(x).shape[-1]
    number("shift", shift)
    spectrum = torch.fft.rfft(x)
    turns = torch.arange(spectrum.shape[-1], dtype=x.dtype, device=x.device) * (shift / n)
    return torch.fft.irfft(spectrum * torch.exp(-2j * math.pi * turns).to(spectrum), n)


def equivariance(
    layer: Callable[[Tensor], Tensor],
    x: Float[Tensor, "... n"],
    shift: float,
    data_range: float = 2.0,
) -> float:
    """How well `layer` moves along with its input, in dB: peak signal to noise of the difference.

    The output for x moved by `shift` samples, against the output moved as far (by shift · m / n
    samples where it has m). 6 dB more is half the error. The trap: a shift that is whole at the
    rate at which a layer works proves nothing.

    Source: Karras et al. 2021, §2.2, EQ-T (data_range 2, for pictures in [-1, 1]).
    """
    function("layer", layer), number("data_range", data_range, above=0)
    y = layer(present("x", _signal(x)))
    error = layer(moved(x, shift)) - moved(y, shift * y.shape[-1] / x.shape[-1])
    return 10 * math.log10(data_range**2 / max(error.double().square().mean().item(), 1e-300))


# The discriminator


def minibatch_std(x: Float[Tensor, "B C H W"], group: int = 4) -> Float[Tensor, "B C+1 H W"]:
    """x with one more channel: how much the pictures of a group differ, the same at every place.

    Picture i is in a group with i + B/g, i + 2B/g, …; of those g the standard deviation (÷ g, with
    1e-8 under the root) of each channel and place, then the mean over both. Where B is no multiple
    of `group`, the whole batch is one group. Source: Karras et al. 2018, §3, and their code.
    """
    b, c, h, w = shaped("x", x, "B", "C", "H", "W").shape
    whole("group", group)
    g = group if b % group == 0 else b
    spread = (x.float().view(g, b // g, c, h, w).var(0, correction=0) + 1e-8).sqrt()
    channel = spread.mean((1, 2, 3)).repeat(g).to(x.dtype)
    return torch.cat([x, channel.view(b, 1, 1, 1).expand(-1, 1, h, w)], dim=1)


class _Halving(nn.Module):
    """Two convolutions and half the size, beside a 1 × 1 convolution that sums up to the same."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first, self.second = EqualConv2d(inputs, inputs, 3), EqualConv2d(inputs, outputs, 3)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = bend(self.second(F.avg_pool2d(bend(self.first(x)), 2)))
        return (y + self.skip(F.avg_pool2d(x, 2))) / GAIN


class StyleDiscriminator(nn.Module):
    """StyleGAN2's discriminator: pictures (B, nc, size, size) → scores (B,).

    channels: those of the maps at 4 × 4, 8 × 8, …, as the generator's. Where `size` is larger than
    the last, pixels are folded into channels first. Source: Karras et al. 2020a ("resnet").
    """

    def __init__(self, channels: Sequence[int] = (96, 64, 48), size: int = 32, nc: int = 3):
        super().__init__()
        last = _check_sizes(channels, size=size, nc=nc)
        if size % last:
            raise ValueError(f"size must be a multiple of the largest map, {last}; got {size}")
        self.shape, self.fold = (nc, size, size), size // last
        down = list(reversed(channels))
        self.first = EqualConv2d(nc * self.fold**2, down[0], 1)
        pairs = zip(down[:-1], down[1:], strict=True)
        self.blocks = nn.Sequential(*(_Halving(a, b) for a, b in pairs))
        self.last = EqualConv2d(down[-1] + 1, down[-1], 3)
        self.dense, self.score = EqualLinear(down[-1] * 16, down[-1]), EqualLinear(down[-1], 1)

    def forward(self, x: Float[Tensor, "B nc size size"]) -> Float[Tensor, " B"]:
        shaped("x", x, "B", *self.shape, like=self.score.weight)
        x = F.pixel_unshuffle(x, self.fold) if self.fold > 1 else x
        x = self.blocks(bend(self.first(x.contiguous(memory_format=FAST))))
        x = bend(self.last(minibatch_std(x))).flatten(1)
        return self.score(bend(self.dense(x))).flatten().float()


# Penalties, now and then


def r1_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Float[Tensor, "B ..."]
) -> Float[Tensor, ""]:
    """½ E ‖∇D(x)‖² over pictures of the data: the slope of the score itself, before any loss.

    Gradients reach D's weights, not the pictures. Raises ValueError where the scores do not depend
    on them. Source: Mescheder et al. 2018, eq. 9 (there times γ).
    """
    function("discriminator", discriminator)
    x = floats("real", real).detach().requires_grad_()
    scores = discriminator(x)
    if not scores.requires_grad:
        raise ValueError("discriminator must return scores that depend on the pictures")
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(1).mean() / 2


def path_length(
    x: Float[Tensor, "B C H W"],
    ws: Float[Tensor, "B L w"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, " B"]:
    """‖Jᵀy‖, y ~ N(0, I / (H W)): how far the pictures x move where their styles ws do.

    J = ∂x/∂w by one gradient, never written out. The root of the mean over layers of the squared
    length, + 1e-12, whose root has a slope at 0. Its gradient reaches G's weights.

    Raises ValueError where x was not made of these ws. Source: Karras et al. 2020a, eq. 4, and
    their code (mean over layers).
    """
    shaped("x", x, "B", "C", "H", "W"), random_source(generator)
    beside("ws", shaped("ws", ws, len(x), "L", "w"), x)
    where = x.device if generator is None else generator.device
    y = torch.randn(x.shape, generator=generator, device=where).to(x)
    y = y / math.sqrt(x.shape[2] * x.shape[3])
    (slope,) = torch.autograd.grad((x * y).sum(), ws, create_graph=True, allow_unused=True)
    if slope is None:
        raise ValueError("x must have been made of these ws, with their gradients")
    return (slope.square().sum(2).mean(1) + 1e-12).sqrt()


def lazy(lr: float, betas: tuple[float, float], every: int) -> tuple[float, tuple[float, float]]:
    """Adam's settings where a penalty takes a step of its own after every so many.

    Then Adam makes every + 1 steps where it made `every`: with c = every / (every + 1) the rate is
    c · lr, β is βᶜ. Raises ValueError for every < 1. Source: Karras et al. 2020a, appendix B.
    """
    number("lr", lr, 0), whole("every", every)
    if not isinstance(betas, Sequence) or len(betas) != 2:
        raise ValueError(f"betas must be two numbers; got {betas!r}")
    for beta in betas:
        number("betas", beta, 0, 1)
    c = every / (every + 1)
    return c * lr, (betas[0] ** c, betas[1] ** c)


class _Lazy:
    """How many rounds there were, and the average path length so far."""

    def __init__(self):
        self.n, self.length = 0, None

    def state_dict(self) -> dict:
        return {"n": self.n, "length": self.length}

    def load_state_dict(self, state: abc.Mapping) -> None:
        self.n, self.length = state["n"], state["length"]


class StyleStep(AdversarialStep):
    """One round for a style-based generator: mixing, lazy R1, augmentation, path length.

    Non-saturating loss, Adam with betas (0, 0.99) corrected for lazy penalties.
    - mixing: the share of fakes with the styles of two codes, cut at a random layer;
    - r1: its weight γ, in a step of its own every 16 rounds, times 16;
    - augmentation: what real pictures and fakes go through on their way to D;
    - path: the weight of (length − its average)², every 8 rounds on half a batch, times 8;
    - projected: a second judge with the hinge loss and its own Adam (0.0005); its scores count in
      G's loss as much as D's.

    Returns d_loss, g_loss, and p, the augmentation's. Raises as `AdversarialStep`.
    """

    R1_EVERY, PATH_EVERY = 16, 8

    def __init__(
        self,
        generator: StyleGenerator,
        discriminator: nn.Module,
        *,
        lr: float = 2e-3,
        mixing: float = 0.9,
        r1: float = 1.0,
        path: float = 0.0,
        augmentation: Augmentation | None = None,
        projected: nn.Module | None = None,
        ema: float | None = 0.998,
    ):
        instance("generator", generator, StyleGenerator)
        number("lr", lr, 0), number("mixing", mixing, 0, 1)
        number("r1", r1, 0), number("path", path, 0)
        super().__init__(generator, discriminator, "non_saturating", ema=ema)
        plain = (lr, (0.0, 0.99))
        self.d_optimizer = _adam(discriminator, *(lazy(*plain, self.R1_EVERY) if r1 else plain))
        self.g_optimizer = _adam(generator, *(lazy(*plain, self.PATH_EVERY) if path else plain))
        self.projected = projected
        self.h_optimizer = None if projected is None else _adam(projected, 5e-4, (0.0, 0.99))
        self.mixing, self.r1, self.path = mixing, r1, path
        self.augmentation = augmentation or Augmentation(target=None)
        self.lazy = _Lazy()

    def fake(self, n: int, labels: Sequence[Tensor] = ()) -> Float[Tensor, "n C H W"]:
        at_least_one(n=n), instance("labels", labels, Sequence)
        with self.precision():
            return self.generator.synthesis(self._mixed(n)).float()

    def _mixed(self, n: int) -> Float[Tensor, "n L w"]:
        """The styles of n codes, of which a share goes over to another's at a random layer."""
        net, where = self.generator, self.generator.const.device
        ws, others = net.ws(torch.randn(2 * n, self.nz, device=where)).chunk(2)
        with torch.no_grad():
            net.w_mean.lerp_(ws[:, 0].mean(0), 0.005)
        cuts = torch.randint(1, net.layers, (n,), device=where)
        cuts = torch.where(torch.rand(n, device=where) < self.mixing, cuts, net.layers)
        own = torch.arange(net.layers, device=where) < cuts[:, None]
        return torch.where(own[:, :, None], ws, others)

    def d_step(self, real: Tensor, fake: Tensor, labels: Sequence[Tensor] = ()) -> dict:
        weight = next(self.discriminator.parameters())
        shaped("real", real, "B", "C", "H", "W", like=weight)
        shaped("fake", fake, *real.shape, like=weight), instance("labels", labels, Sequence)
        real, fake = self.augmentation(real), self.augmentation(fake)
        real_scores = self._judge(real, labels)
        loss = self.loss.d_loss(real_scores, self._judge(fake, labels))
        _descend(loss, self.d_optimizer)
        if self.projected is not None:
            with self.precision():
                scores = self.projected(torch.cat([real, fake])).chunk(2)
            _descend(LOSSES["hinge"].d_loss(*scores), self.h_optimizer)
        if self.r1 and self.lazy.n % self.R1_EVERY == 0:
            penalty = r1_penalty(self.discriminator, real)
            _descend(self.R1_EVERY * self.r1 * penalty, self.d_optimizer)
        self.augmentation.update(real_scores)
        p = torch.as_tensor(self.augmentation.p, device=real.device)
        return {"d_loss": loss.detach(), "p": p}

    def g_step(self, fake: Tensor, labels: Sequence[Tensor] = ()) -> dict:
        shaped("fake", fake, "B", "C", "H", "W", like=next(self.discriminator.parameters()))
        instance("labels", labels, Sequence)
        shown = self.augmentation(fake)
        with frozen(self.discriminator):
            loss = self.loss.g_loss(self._judge(shown, labels))
        total = loss
        if self.projected is not None:
            with frozen(self.projected), self.precision():
                total = loss + LOSSES["hinge"].g_loss(self.projected(shown))
        _descend(total, self.g_optimizer)
        if self.path and self.lazy.n % self.PATH_EVERY == 0:
            self._straighten(len(fake) // 2)
        self.lazy.n += 1
        return {"g_loss": loss.detach()}

    def _straighten(self, n: int) -> None:
        """In float32: second derivatives in bfloat16 are noise."""
        ws = self._mixed(n)
        lengths = path_length(self.generator.synthesis(ws), ws)
        now, average = lengths.detach().mean(), self.lazy.length
        self.lazy.length = now if average is None else average.to(now).lerp(now, 0.01)
        penalty = (lengths - self.lazy.length).square().mean()
        _descend(self.PATH_EVERY * self.path * penalty, self.g_optimizer)


# What students get wrong


def _signal(x: Tensor) -> Tensor:
    if floats("x", x).dtype.itemsize < 4:
        raise TypeError(f"x must be float32 or float64 for a Fourier transform; got {x.dtype}")
    return x


def _check_sizes(channels: Sequence[int], mapping: int = 1, **sizes: int) -> int:
    """The side of the last map."""
    at_least_one(**sizes), whole("mapping", mapping, most=DEPTH)
    return 4 * 2 ** (len(wholes("channels", channels)) - 1)
