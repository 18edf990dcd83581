"""Bringing back what a picture has lost: its measures, its parts, and what needs no training.

A damaged picture y = A(x) fits many whole ones. The mean of them, m(y), has the smallest error D*
and looks like none of them; a draw from them has the error 2 D*. This module has the ruler
(`psnr_y`, `patch_distance`, `told_apart`), the law between the two ends (`price_of_blending`), the
losses of ESRGAN, and three methods without training: sharpening a mean by its spectrum, a
diffusion model made to agree with y, and pan-sharpening. `restorers` has the networks and their
training, `degradation` the damage.

Sources: Blau and Michaeli 2018; Ledig et al. 2017 (SRGAN); Wang et al. 2018 (ESRGAN), 2021
(Real-ESRGAN), 2021b (GFP-GAN); Liu et al. 2018 (partial convolution).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.checks import (
    MANY,
    at_least_one,
    beside,
    finite,
    floats,
    function,
    instance,
    named,
    number,
    pictures,
    present,
    random_source,
    shaped,
    whole,
    wholes,
)
from course_lib.diffusion import Diffusion
from course_lib.metrics import frechet_distance

SLOPE = 0.2  # of all leaky ReLUs here, as in ESRGAN
LUMA = (65.481, 128.553, 24.966)  # of red, green, blue from 0 to 1; black is at 16 (BT.601)


# Smaller and larger


def shrink(x: Float[Tensor, "B C H W"], scale: int = 4) -> Float[Tensor, "B C h w"]:
    """Each pixel the mean of scale × scale pixels: A of this lecture.

    Raises ValueError for sides that are no multiples of `scale`.
    """
    h, w = shaped("x", x, "B", "C", "H", "W").shape[2:]
    scale = whole("scale", scale, most=min(h, w))
    if h % scale or w % scale:
        raise ValueError(f"x must have sides that are multiples of {scale}; got {tuple(x.shape)}")
    return F.avg_pool2d(x, scale)


def enlarge(
    y: Float[Tensor, "B C h w"], scale: int = 4, mode: str = "bicubic"
) -> Float[Tensor, "B C H W"]:
    """`scale` times as large, by "nearest" (each pixel repeated), "bilinear" or "bicubic"."""
    shaped("y", y, "B", "C", "h", "w")
    scale = whole("scale", scale, most=64)
    if mode not in ("nearest", "bilinear", "bicubic"):
        raise ValueError(f"mode must be nearest, bilinear or bicubic; got {mode!r}")
    return F.interpolate(y, scale_factor=scale, mode=mode)


# How far from the truth?


def psnr_y(a: Float[Tensor, "B 3 H W"], b: Float[Tensor, "B 3 H W"], border: int = 4) -> float:
    """Peak signal-to-noise ratio of Y, in decibels, as papers on super-resolution print it.

    Y = 16 + 65.481 R + 128.553 G + 24.966 B, with colours from 0 to 1: it runs from 16 to 235. Of
    each picture 10 log₁₀(255² / mean squared error of Y), without `border` pixels at each edge;
    then the mean over pictures. Infinite where a picture is equal. a, b: in [-1, 1].

    Raises ValueError for two shapes, other channels and a border that leaves nothing.
    """
    a, b = (finite(n, present(n, shaped(n, x, "B", 3, "H", "W"))) for n, x in (("a", a), ("b", b)))
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape; got {tuple(a.shape)} and {tuple(b.shape)}")
    h, w = a.shape[2:]
    border = whole("border", border, 0, "pixels", most=(min(h, w) - 1) // 2)
    weights = torch.tensor(LUMA, dtype=torch.float64)
    difference = torch.einsum("c,bchw->bhw", weights, (a.cpu().double() - b.cpu().double()) / 2)
    inner = difference[:, border : h - border, border : w - border]
    return (10 * torch.log10(255**2 / inner.square().mean((1, 2)))).mean().item()


def price_of_blending(d_mean: float, d_other: float, a: float) -> float:
    """Mean squared error of (1 − a) m + a g, where m is the posterior mean and g any restorer.

    D* + a² (D_g − D*): x − m(y) is orthogonal to every function of y, so the errors of the two
    parts add up as squares. Raises ValueError for errors below 0 and d_other < d_mean.
    """
    d_mean = number("d_mean", d_mean, 0)
    d_other, a = number("d_other", d_other, d_mean), number("a", a)
    return d_mean + a**2 * (d_other - d_mean)


def patch_distance(
    a: Float[Tensor, "N C H W"], b: Float[Tensor, "M C H W"], size: int = 8, stride: int = 3
) -> float:
    """How real does it look near by? Fréchet distance of the patches of two sets, × 1000 / numbers.

    Of size × size pixels each, as they are: their means and covariances, no network. Raises
    ValueError for pictures of other channels or smaller than a patch.
    """
    moments = []
    shaped("a", a, "N", "C", "H", "W"), shaped("b", b, "M", a.shape[1], "H", "W")
    for name, x in (("a", a), ("b", b)):
        c, h, w = finite(name, present(name, x)).shape[1:]
        size = whole("size", size, most=min(h, w))
        patches = F.unfold(x.clamp(-1, 1), size, stride=whole("stride", stride, most=h))
        rows = patches.transpose(1, 2).reshape(-1, c * size**2).double().cpu()
        moments.append((rows.mean(0), torch.atleast_2d(torch.cov(rows.T))))
    return 1000 * frechet_distance(*moments[0], *moments[1]) / (a.shape[1] * size**2)


def told_apart(
    real: Float[Tensor, "N 3 H W"],
    made: Float[Tensor, "N 3 H W"],
    steps: int = 300,
    seed: int = 0,
) -> float:
    """The share that a fresh small network tells right: 0.5 where nothing gives the made ones away.

    It learns on the first half of both sets for so many steps of 16 pairs, and is asked about the
    other half. Both are rounded to 8 bits first, so that no grid of grey values tells.

    Raises ValueError for fewer than 4 pictures, two shapes, and sides that are no multiples of 4.
    """
    shaped("real", real, "N", 3, "H", "W"), shaped("made", made, *real.shape)
    if len(real) < 4 or real.shape[2] % 4 or real.shape[3] % 4:
        raise ValueError(
            "real must be at least 4 pictures with sides that are multiples of 4; got "
            f"{tuple(real.shape)}"
        )
    finite("made", made), finite("real", real), whole("steps", steps, most=MANY)
    real, made = (((x.clamp(-1, 1) * 127.5).round() / 127.5).float() for x in (real, made))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(whole("seed", seed, 0))
        judge = _judge().to(real.device)
        generator, n = torch.Generator().manual_seed(seed), len(real) // 2
        optimizer = torch.optim.Adam(judge.parameters(), 2e-3)
        for _ in range(steps):
            i, j = torch.randint(n, (2, 16), generator=generator)
            scores = judge(torch.cat([real[i], made[j]])).flatten()
            loss = F.softplus(-scores[:16]).mean() + F.softplus(scores[16:]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = (judge(real[n:]) > 0).float().mean() + (judge(made[n:]) < 0).float().mean()
    return right.item() / 2


def _judge() -> nn.Module:
    bend = nn.LeakyReLU(SLOPE)
    layers = [nn.PixelUnshuffle(2), nn.Conv2d(12, 24, 3, padding=1), bend]
    layers += [nn.Conv2d(24, 32, 4, 2, 1), bend, nn.Conv2d(32, 32, 3, padding=1), bend]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 1))


# Real-looking for nothing


def spectrum_gain(
    blurred: Float[Tensor, "N C H W"], sharp: Float[Tensor, "N C H W"]
) -> Float[Tensor, "C H half"]:
    """√(S_sharp / S_blurred) at each frequency of `rfft2`: S is the mean of |FFT|² over pictures.

    Multiplied by it, the blurred pictures get the power spectrum of the sharp ones. (For a Gaussian
    x that is the best of all answers that look real: Freirich et al. 2021.) Raises ValueError for
    other shapes.
    """
    shaped("blurred", blurred, "N", "C", "H", "W"), shaped("sharp", sharp, *blurred.shape)
    beside("sharp", sharp, blurred)
    exact = torch.promote_types(blurred.dtype, torch.float32)  # half has no transform
    pair = (finite("blurred", blurred), finite("sharp", sharp))
    before, after = (torch.fft.rfft2(x.to(exact)).abs().square().mean(0) for x in pair)
    return (after / before).sqrt().to(blurred.dtype)


def with_gain(
    x: Float[Tensor, "B C H W"], gain: Float[Tensor, "C H half"], mean: Float[Tensor, "C H W"]
) -> Float[Tensor, "B C H W"]:
    """Every frequency of x − mean times its gain, and the mean added again.

    gain: as `spectrum_gain` gives it for pictures less their mean. Raises ValueError for other
    shapes.
    """
    c, h, w = shaped("x", x, "B", "C", "H", "W").shape[1:]
    shaped("gain", gain, c, h, w // 2 + 1, like=x), shaped("mean", mean, c, h, w, like=x)
    return torch.fft.irfft2(torch.fft.rfft2(x - mean) * gain, s=(h, w)) + mean


# ESRGAN's parts


def dense_block(
    x: Float[Tensor, "B C h w"], convs: Sequence[nn.Module], beta: float = 0.2
) -> Float[Tensor, "B C h w"]:
    """x + β y: every convolution sees x and all outputs before it; y is the last one's.

    A leaky ReLU (slope 0.2) follows every convolution but the last. Maps are concatenated oldest
    first. Source: Wang et al. 2018, figure 4 (residual dense block).

    Raises TypeError for no sequence of layers, ValueError for an answer of another shape.
    """
    shaped("x", x, "B", "C", "h", "w"), number("beta", beta)
    instance("convs", convs, Sequence | nn.ModuleList)
    if not len(convs):
        raise ValueError("convs must hold at least one convolution; got none")
    floats("x", x, like=_weight(convs))
    maps = [x]
    for conv in convs[:-1]:
        maps.append(F.leaky_relu(conv(torch.cat(maps, 1)), SLOPE))
    y = convs[-1](torch.cat(maps, 1))
    if y.shape != x.shape:
        raise ValueError(
            f"convs must return the shape of x, {tuple(x.shape)}; got {tuple(y.shape)}"
        )
    return x + beta * y


def perceptual_loss(
    made: Float[Tensor, "B C H W"],
    truth: Float[Tensor, "B C H W"],
    trunk: nn.Module,
    taps: Sequence[int],
) -> Float[Tensor, ""]:
    """Mean over the taps of mean |φ(made) − φ(truth)|, φ the output of the trunk's layer `tap`.

    The trunk is a fixed `nn.Sequential`, in evaluation mode while it is asked. Gradients reach
    `made` alone. Taps on the layers before the activations are ESRGAN's choice (Wang et al. 2018,
    section 3.3), with L1 as in their code.

    Raises ValueError for other shapes and taps beyond the trunk.
    """
    shaped("made", made, "B", "C", "H", "W"), shaped("truth", truth, *made.shape)
    taps, layers = wholes("taps", taps, 0), list(instance("trunk", trunk, nn.Sequential))
    floats("made", made, like=_weight(layers)), floats("truth", truth, like=_weight(layers))
    whole("taps", max(taps), 0, most=len(layers) - 1)
    training = [(module, module.training) for module in trunk.modules()]
    trunk.eval()
    with torch.no_grad():
        wanted = _tapped(truth, layers, taps)
    shown = _tapped(made, layers, taps)
    for module, mode in training:
        module.training = mode
    differences = [(a - b).abs().mean() for a, b in zip(shown, wanted, strict=True)]
    return sum(differences) / len(differences)


def _weight(layers: Sequence[nn.Module]) -> Tensor | None:
    modules = (layer for layer in layers if isinstance(layer, nn.Module))
    return next((weight for module in modules for weight in module.parameters()), None)


def _tapped(x: Tensor, layers: Sequence[nn.Module], taps: Sequence[int]) -> list[Tensor]:
    found = []
    for i, layer in enumerate(layers[: max(taps) + 1]):
        x = layer(x)
        if i in taps:
            found.append(x)
    return found


def relativistic_losses(
    real: Float[Tensor, " B"], fake: Float[Tensor, " B"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """(loss of D, loss of G), each the sum of two halves: is this more real than the other's mean?

    L_D = E softplus(−(r − E f)) + E softplus(f − E r)
    L_G = E softplus(r − E f) + E softplus(−(f − E r))

    The authors' code halves both. Raises ValueError for scores of other shapes. Source:
    Jolicoeur-Martineau 2019 (relativistic average GAN); Wang et al. 2018, eq. 1 and 2.
    """
    shaped("real", real, "B"), shaped("fake", fake, "B")
    above, below = real - beside("fake", fake, real).mean(), fake - real.mean()
    d_loss = F.softplus(-above).mean() + F.softplus(below).mean()
    g_loss = F.softplus(above).mean() + F.softplus(-below).mean()
    return d_loss, g_loss


def between(
    state_a: Mapping[str, Tensor], state_b: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """(1 − α) a + α b of every weight of two networks; whole numbers, such as counters, from a.

    New tensors: both states stay. Raises ValueError for states of two networks. Source: Wang et al.
    2018, eq. 4 (network interpolation), with α = 1 for the GAN.
    """
    named("state_a", state_a), named("state_b", state_b), number("alpha", alpha)
    if state_a.keys() != state_b.keys():
        raise ValueError("state_a and state_b must have the same names: they are of two networks")
    for key, value in state_a.items():
        if value.shape != state_b[key].shape:
            raise ValueError(f"state_b[{key!r}] must be {tuple(value.shape)}, as in state_a")
    return {
        key: torch.lerp(a, state_b[key], float(alpha)) if a.is_floating_point() else a.clone()
        for key, a in state_a.items()
    }


# Damage


def gaussian_kernel(size: int, s1: float, s2: float, theta: float) -> Float[Tensor, "size size"]:
    """A Gaussian blur of spread s1 along an axis turned by θ (radians) and s2 across; sum 1.

    exp(−½ (u²/s1² + v²/s2²)), u = x cos θ + y sin θ, v = −x sin θ + y cos θ, x to the right and y
    downwards from the middle of the kernel. Source: Wang et al. 2021 (Real-ESRGAN), section 3.1.
    """
    size = whole("size", size, most=1001)
    s1, s2 = number("s1", s1, above=0), number("s2", s2, above=0)
    theta = number("theta", theta)
    from_middle = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(from_middle, from_middle, indexing="ij")
    u = x * math.cos(theta) + y * math.sin(theta)
    v = -x * math.sin(theta) + y * math.cos(theta)
    exponent = -0.5 * ((u / s1) ** 2 + (v / s2) ** 2)
    kernel = torch.exp(exponent - exponent.max())  # of an even size none is at the middle
    return (kernel / kernel.sum()).float()


def cosines(n: int = 8, dtype: torch.dtype = torch.float32) -> Float[Tensor, "n n"]:
    """D of the discrete cosine transform (DCT-II): orthonormal; D x has the frequencies of x."""
    instance("dtype", dtype, torch.dtype)
    k = torch.arange(whole("n", n, most=4096), dtype=torch.float64)
    matrix = math.sqrt(2 / n) * torch.cos(math.pi * (2 * k + 1) * k[:, None] / (2 * n))
    matrix[0] = 1 / math.sqrt(n)
    return matrix.to(dtype)


def jpeg_block(
    block: Float[Tensor, "*batch 8 8"], table: Float[Tensor, "*batch 8 8"]
) -> Float[Tensor, "*batch 8 8"]:
    """What JPEG's quantisation leaves of blocks of 8 × 8 values in 0 … 255.

    128 is taken away; C = D b Dᵀ; each coefficient becomes the nearest multiple of its entry in the
    table; back, 128 added, held in 0 … 255. Source: ITU-T T.81 (1992), annex A.3.
    """
    for name, x in (("block", block), ("table", table)):
        if floats(name, x).shape[-2:] != (8, 8):
            raise ValueError(f"{name} must be (…, 8, 8); got {tuple(x.shape)}")
    if not table.is_meta and not (table > 0).all():
        raise ValueError(f"table must hold numbers above 0; got {table.min().item():g}")
    d = cosines(8, block.dtype).to(block.device)
    table = beside("table", table, block).to(block.dtype)
    steps = (d @ (block - 128) @ d.T / table).round()
    return (d.T @ (steps * table) @ d + 128).clamp(0, 255)


# A prior, holes, two sensors


def modulate_half(
    h: Float[Tensor, "B C H W"],
    scale: Float[Tensor, "B half H W"],
    shift: Float[Tensor, "B half H W"],
) -> Float[Tensor, "B C H W"]:
    """[first half of the channels as it is, second half · (1 + scale) + shift].

    GFP-GAN's channel-split spatial feature transform: the first half stays the prior's, the second
    one hears of the picture. (The authors' code has no 1 + and begins the scale at 1.) Raises
    ValueError for an odd number of channels and other shapes. Source: Wang et al. 2021b, eq. 3.
    """
    b, c, height, width = shaped("h", h, "B", "C", "H", "W").shape
    if c % 2:
        raise ValueError(f"h must have an even number of channels; got {c}")
    shaped("scale", scale, b, c // 2, height, width, like=h)
    shaped("shift", shift, b, c // 2, height, width, like=h)
    kept, turned = h.chunk(2, 1)
    return torch.cat([kept, turned * (1 + scale) + shift], 1)


def partial_conv(
    x: Float[Tensor, "B I H W"],
    mask: Float[Tensor, "n 1 H W"],
    weight: Float[Tensor, "O I k k"],
    bias: Float[Tensor, " O"],
) -> tuple[Float[Tensor, "B O h w"], Float[Tensor, "n 1 h w"]]:
    """A convolution of what is known (mask 1), and the mask of what is known after it.

    Where the window of k² places sees s > 0 known ones: k² / s · (weight ∗ (mask x)) + bias, and
    the new mask is 1; where it sees none both are 0. No padding. Source: Liu et al. 2018, eq. 1
    and 2.
    """
    b, channels, height, width = shaped("x", x, "B", "I", "H", "W").shape
    shaped("mask", mask, "n", 1, height, width, like=x)
    if len(mask) not in (1, b):
        raise ValueError(f"mask must be one for all {b} pictures or for each; got {len(mask)}")
    o, k = shaped("weight", weight, "O", channels, "k", "k", like=x).shape[::2][:2]
    shaped("bias", bias, o, like=x)
    window = weight.new_ones(1, 1, *weight.shape[2:])
    whole("weight", k, most=min(height, width))
    seen = F.conv2d(mask, window)
    known = (seen > 0).to(x.dtype)
    y = F.conv2d(x * mask, weight) * (window.numel() / seen.clamp(min=1))
    return (y + bias[:, None, None]) * known, known


def filled(
    x: Float[Tensor, "B C H W"], hole: Float[Tensor, "n 1 H W"], size: int = 3
) -> Float[Tensor, "B C H W"]:
    """x with its hole (1) closed from the edge inwards, by the mean of what is known near by.

    Partial convolutions of a size × size kernel of equal weights, until all is known: the smoothest
    answer, and no training. Raises ValueError for a hole that leaves nothing.
    """
    b, c, h, w = shaped("x", x, "B", "C", "H", "W").shape
    shaped("hole", hole, "n", 1, h, w, like=x)
    if len(hole) not in (1, b):
        raise ValueError(f"hole must be one for all {b} pictures or for each; got {len(hole)}")
    size = whole("size", size, 3, most=min(h, w))
    if not (present("hole", hole) == 0).flatten(1).any(1).all() or hole.isnan().any():
        raise ValueError("hole must leave some places known (0)")
    weight = torch.eye(c).to(x)[:, :, None, None].expand(-1, -1, size, size) / size**2
    left, right = (size - 1) // 2, size // 2
    y, known, bias = x, 1 - hole, x.new_zeros(c)
    while (known == 0).any():
        padded = [F.pad(part, (left, right, left, right)) for part in (y, known)]
        inner, now = partial_conv(*padded, weight, bias)
        y, known = torch.where(known > 0, y, inner), torch.maximum(known, now)
    return torch.where(hole > 0, y, x)


def pan_sharpen(
    colours: Float[Tensor, "B C H W"], grey: Float[Tensor, "B 1 H W"], weights: Float[Tensor, " C"]
) -> Float[Tensor, "B C H W"]:
    """colours + (grey − brightness), brightness = Σ weights · colours: what the grey sensor sees.

    colours: enlarged to the size of grey. With weights that sum to 1, Σ weights · result = grey.
    Raises ValueError for other shapes. Known as generalised IHS (Tu et al. 2001).
    """
    b, c, h, w = shaped("colours", colours, "B", "C", "H", "W").shape
    shaped("grey", grey, b, 1, h, w, like=colours), shaped("weights", weights, c, like=colours)
    brightness = torch.einsum("c,bchw->bhw", weights, colours)[:, None]
    return colours + (grey - brightness)


def content_minimum(
    colours: Float[Tensor, "B C H W"], grey: Float[Tensor, "B 1 H W"], xi: float
) -> Float[Tensor, "B C H W"]:
    """The picture F that minimises ‖F − colours‖² + ξ ‖∇F − ∇grey‖², FusionGAN's content loss.

    Exact: in the basis of cosines both parts are diagonal, with λ the eigenvalues of −∇², so
    F̂ = (ĉ + ξ λ ĝ) / (1 + ξ λ). ξ = 0 gives the colours, ξ → ∞ the grey picture with their mean.
    Raises ValueError for other shapes and ξ < 0. Source of the loss: Ma et al. 2019, eq. 4.
    """
    b, _, h, w = shaped("colours", colours, "B", "C", "H", "W").shape
    shaped("grey", grey, b, 1, h, w, like=colours), number("xi", xi, 0)
    rows, columns = (cosines(n, torch.float64).to(colours.device) for n in (h, w))
    turns = [torch.arange(n, dtype=torch.float64) / n for n in (h, w)]
    waves = [(2 - 2 * torch.cos(math.pi * turn)).to(rows.device) for turn in turns]
    pull = xi * (waves[0][:, None] + waves[1])
    c, g = (rows @ x.double() @ columns.T for x in (colours, grey))
    return (rows.T @ ((c + pull * g) / (1 + pull)) @ columns).to(colours.dtype)


# Noise


def total_variation(
    y: Float[Tensor, "B C H W"], weight: float, steps: int = 100
) -> Float[Tensor, "B C H W"]:
    """The picture F that minimises ½ ‖F − y‖² + weight · TV(F): noise goes, edges stay.

    TV(F) is the sum over places of |∇F|, the length of the differences to the right and downwards
    of all channels together. No training: F = y + div q, where the dual field q has lengths up to
    `weight` and is found by so many steps of fast gradient projection. weight = 0 returns y, a very
    large one the mean of each channel. Raises ValueError for other shapes and weight < 0.

    Sources: Rudin, Osher and Fatemi 1992; Beck and Teboulle 2009, section 4 (FGP).
    """
    finite("y", shaped("y", y, "B", "C", "H", "W"))
    weight, steps = number("weight", weight, 0), whole("steps", steps, most=MANY)
    q = ahead = y.new_zeros(2, *y.shape)
    t = 1.0
    for _ in range(steps):
        before, q = q, ahead + _slopes(y + _divergence(ahead)) / 8
        length = q.square().sum((0, 2), keepdim=True).sqrt()
        q = q * (weight / length.clamp(min=torch.finfo(y.dtype).tiny)).clamp(max=1)
        t, momentum = (1 + math.sqrt(1 + 4 * t**2)) / 2, t - 1
        ahead = q + momentum / t * (q - before)
    return y + _divergence(q)


def _slopes(x: Tensor) -> Tensor:
    """(2, B, C, H, W): the differences to the right and downwards, 0 at the last place."""
    return torch.stack([F.pad(x.diff(dim=-1), (0, 1)), F.pad(x.diff(dim=-2), (0, 0, 0, 1))])


def _divergence(p: Tensor) -> Tensor:
    """−1 times the transpose of `_slopes`, of fields that are 0 at the last place."""
    right, down = p
    return F.pad(right, (1, 0)).diff(dim=-1) + F.pad(down, (0, 0, 1, 0)).diff(dim=-2)


# A diffusion model that was never told of the task


@torch.no_grad()
def denoise(
    diffusion: Diffusion,
    model: Callable,
    noisy: Float[Tensor, "B C H W"],
    sigma: float,
    generator: torch.Generator | None = None,
    *,
    steps: int = 1,
    prediction: str = "v",
) -> Float[Tensor, "B C H W"]:
    """Pictures from noisy = x + σ noise: with one step their mean given noisy, with more a draw.

    x_t = √ᾱ noisy with ᾱ = 1 / (1 + σ²) is what the model knows at the time t of that ᾱ. One step
    gives x̂₀ = E[x | x_t]; ancestral sampling from there a sample of p(x | x_t). Raises ValueError
    for σ ≤ 0 and what `Diffusion` refuses.
    """
    instance("diffusion", diffusion, Diffusion), function("model", model)
    finite("noisy", shaped("noisy", noisy, "B", "C", "H", "W")), random_source(generator)
    level = 1 / (1 + number("sigma", sigma, above=0) ** 2)
    t = int((diffusion.alpha_bar - level).abs().argmin())
    steps = whole("steps", steps, most=max(t, 1))
    times = sorted({round(t * (i + 1) / steps) for i in range(steps)}, reverse=True)
    ask = partial(diffusion._guess, model, None, 1.0, prediction, True)
    step = partial(diffusion._ancestral, variance="posterior")
    start = level**0.5 * noisy
    return diffusion._walk(ask, step, times, True, model, noisy.shape, generator, False, start)


@torch.no_grad()
def diffusion_restore(
    diffusion: Diffusion,
    model: Callable,
    y: Float[Tensor, "B C h w"],
    scale: int = 4,
    generator: torch.Generator | None = None,
    *,
    steps: int = 25,
    prediction: str = "v",
) -> Float[Tensor, "B C H W"]:
    """A sample of large pictures that shrink to y, by a model of pictures that knows no y.

    In each step x̂₀ ← x̂₀ + A⁺(y − A x̂₀): A is `shrink`, A⁺ repeats pixels. What y says is put in,
    the model draws the rest. Raises ValueError for what `Diffusion` refuses. Source: Wang, Yu and
    Zhang 2023 (DDNM), eq. 13.
    """
    instance("diffusion", diffusion, Diffusion), function("model", model)
    b, c, h, w = shaped("y", y, "B", "C", "h", "w").shape
    finite("y", present("y", y)), at_least_one(scale=scale)

    def ask(x: Tensor, t: int) -> Tensor:
        x0 = diffusion._guess(model, None, 1.0, prediction, True, x, t)
        return x0 + enlarge(y - shrink(x0, scale), scale, "nearest")

    step = partial(diffusion._ancestral, variance="posterior")
    shape, times = (b, c, h * scale, w * scale), diffusion.times(steps)
    return diffusion._walk(ask, step, times, True, model, shape, generator, False, None)


def fit_latents(
    generate: Callable[[Tensor], Tensor],
    y: Float[Tensor, "B C h w"],
    z: Float[Tensor, "B nz"],
    steps: int = 80,
    lr: float = 0.1,
    scale: int = 4,
) -> Float[Tensor, "B nz"]:
    """Codes whose pictures, made small, come near to y: PULSE's search, from the codes z.

    Adam on ‖A(G(z)) − y‖² and 0.002 (‖z‖/√nz − 1)², which keeps z where codes are drawn. Raises
    ValueError for other shapes. Source: Menon et al. 2020.
    """
    function("generate", generate), present("y", shaped("y", y, "B", "C", "h", "w"))
    finite("z", present("z", shaped("z", z, len(y), "nz", like=y))), number("lr", lr, above=0)
    z = z.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr)
    for _ in range(whole("steps", steps, most=MANY)):
        misfit = (shrink(generate(z), scale) - y).square().mean((1, 2, 3))
        outside = (z.norm(dim=1) / math.sqrt(z.shape[1]) - 1).square()
        optimizer.zero_grad()
        (misfit + 0.002 * outside).sum().backward()
        optimizer.step()
    return z.detach()


# Who was it?


def missed(
    found: Mapping[str, Tensor], true: Mapping[str, Tensor], attribute: str = "glasses"
) -> tuple[float, float]:
    """(share invented, share lost) of an attribute that is 0 or 1: of those without, of those with.

    Raises ValueError for an attribute that is missing and for other lengths.
    """
    for name, values in (("found", found), ("true", true)):
        named(name, values, has=(attribute,))
    a, b = found[attribute], true[attribute]
    if a.shape != b.shape:
        raise ValueError(f"found must be as many as true, {tuple(b.shape)}; got {tuple(a.shape)}")
    invented, lost = (a == 1) & (b == 0), (a == 0) & (b == 1)
    without, having = (b == 0).sum().clamp(min=1), (b == 1).sum().clamp(min=1)
    return (invented.sum() / without).item(), (lost.sum() / having).item()


def copies(
    y: Float[Tensor, "B C h w"], people: Float[Tensor, "N C H W"], scale: int = 4
) -> Float[Tensor, "B C H W"]:
    """For each y the one of `people` that comes nearest to it when shrunk: real, and another's."""
    _, c, h, w = pictures("people", floats("people", people, 4)).shape
    small = shrink(people, scale).flatten(1)
    finite("y", shaped("y", y, "B", c, h // scale, w // scale, like=people))
    return people[torch.cdist(y.flatten(1).float(), small.float()).argmin(1)]
