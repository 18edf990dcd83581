"""Into the latent space: which code draws this picture, and what may be moved there.

    inversion   w* = argmin ‖G(w) − x‖² + λ d(G(w), x),    then G(w* + step · direction)

`invert` looks for codes, `tune` moves the generator instead (PTI); `strangeness` and
`domain_regulariser` say how far a code has left the codes that the mapping makes. Directions come
from labels, from the weights (`sefa`) or from words (`channel_relevance`). `SwapEncoder` and
`SwapGenerator` part a picture into structure and texture; `SwapStep` has the paper's losses too.
`spade`, `feature_matching` and `instance_edges` draw from label maps; the networks around them are
in `label_maps`.

Sources: Abdal et al. 2019, 2020 (Image2StyleGAN), Zhu et al. 2020a (in-domain inversion), Roich et
al. 2022 (PTI), Patashnik et al. 2021 (StyleCLIP), Park et al. 2019 (SPADE) and 2020 (swapping).
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.optim.lr_scheduler import LambdaLR

from course_lib import device
from course_lib.checks import (
    MANY,
    at_least_one,
    beside,
    finite,
    floats,
    function,
    instance,
    integers,
    number,
    present,
    several,
    shaped,
    truths,
    whole,
)
from course_lib.gan import _adam, _descend, frozen
from course_lib.gan_losses import LOSSES
from course_lib.styles import StyledConv, StyleGenerator, ToRGB

SLOPE = 0.2  # of the mapping's last leaky ReLU
AT_ONCE = 16  # style channels that are moved in one batch
SMALLEST = 8  # side of the smallest map at which noise is examined
PATCH = 8  # side of the patches that the co-occurrence discriminator sees
LOG = LOSSES["non_saturating"]


# How far apart two pictures are


def perceptual_distance(
    maps_a: Sequence[Float[Tensor, "B C H W"]], maps_b: Sequence[Float[Tensor, "B C H W"]]
) -> Float[Tensor, " B"]:
    """Σ over maps of the mean over places of ‖â − b̂‖², with â = a / √(Σ_channels a² + 1e-8).

    maps: of a fixed network, one for each layer that counts, (B, C, H, W) each. What a place shows
    is its direction: twice the contrast is the same. Raises ValueError for two numbers of maps and
    for maps of two shapes. Source: Zhang et al. 2018, eq. 1, with all channels weighing 1.
    """
    maps_a = several("maps_a", maps_a, floats, 4)
    maps_b = several("maps_b", maps_b, floats, 4, count=len(maps_a))
    total = 0
    for i, (a, b) in enumerate(zip(maps_a, maps_b, strict=True)):
        shaped(f"maps_b[{i}]", b, *a.shape, like=a)
        if len(a) != len(maps_a[0]):
            raise ValueError(f"maps_a[{i}] must be of {len(maps_a[0])} pictures; got {len(a)}")
        total = total + (_unit(a) - _unit(b)).square().sum(1).mean((1, 2))
    return total


def _unit(maps: Tensor) -> Tensor:
    return maps * (maps.square().sum(1, keepdim=True) + 1e-8).rsqrt()


def taps(
    trunk: nn.Sequential, layers: Sequence[int], size: int | None = None
) -> Callable[[Tensor], list[Tensor]]:
    """What these layers of a trunk answer, as a function of pictures: maps for a distance.

    layers: how many of the trunk's layers come before each map, as in `trunk[:n]`, rising. size:
    pictures are brought to size × size first, as the network was taught. Raises ValueError for
    numbers that do not rise or exceed the trunk.
    """
    instance("trunk", trunk, nn.Sequential)
    ends = several("layers", layers, whole, most=len(trunk))
    if sorted(set(ends)) != ends:
        raise ValueError(f"layers must rise; got {ends}")
    sides = None if size is None else (whole("size", size, most=4096),) * 2

    def maps(x: Tensor) -> list[Tensor]:
        found = []
        if sides not in (None, x.shape[2:]):
            x = F.interpolate(x, sides, mode="bilinear")
        for begin, end in zip([0, *ends], ends, strict=False):
            x = trunk[begin:end](x)
            found.append(x)
        return found

    return maps


# Inversion


def invert(
    synthesis: Callable[[Tensor], Tensor],
    x: Float[Tensor, "B ..."],
    start: Float[Tensor, "B ..."],
    steps: int = 100,
    lr: float = 0.05,
    maps: Callable[[Tensor], Sequence[Tensor]] | None = None,
    weight: float = 0.1,
    penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Float[Tensor, "B ..."]:
    """The code whose picture is nearest to x, by `steps` of Adam from `start`: one a picture.

    Makes small  mean (G(w) − x)² + weight · perceptual_distance(maps(G(w)), maps(x)) +
    penalty(w, G(w)), whose last two parts may be left out. Only the code moves: neither G's weights
    nor `start` change. The rate rises over the first 5 % of the steps and falls to 0 over the
    second half. What `synthesis` takes is what is found: z, w or one w for each layer.

    penalty: codes and pictures -> (B,). Raises ValueError where the picture is not of x's shape or
    does not depend on the code. Source: Abdal et al. 2019, algorithm 1; rates: Karras et al. 2020.
    """
    function("synthesis", synthesis), number("lr", lr, above=0), number("weight", weight, 0)
    code = floats("start", start).detach().clone().requires_grad_()
    floats("x", x), beside("start", start, x)
    optimizer = torch.optim.Adam([code], lr)
    target = None if maps is None else [m.detach() for m in maps(x)]
    for step in range(whole("steps", steps, 0, most=MANY)):
        for group in optimizer.param_groups:
            group["lr"] = lr * _ramp(step / steps)
        y = synthesis(code)
        loss = shaped("x", x, *y.shape, like=y).sub(y).square().flatten(1).mean(1)
        if maps is not None:
            loss = loss + weight * perceptual_distance(maps(y), target)
        if penalty is not None:
            loss = loss + penalty(code, y)
        if not loss.requires_grad:
            raise ValueError("synthesis must return a picture that depends on the code")
        (code.grad,) = torch.autograd.grad(loss.sum(), code)
        optimizer.step()
    return code.detach()


def _ramp(t: float) -> float:
    """1 in the middle of t = 0 … 1; a tenth at the start, 0 at the end."""
    return min(1.0, 0.1 + 18 * t) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, 2 * (1 - t))))


def noise_regulariser(noise: Float[Tensor, "B 1 s s"]) -> Float[Tensor, " B"]:
    """Σ over scales s, s/2 … 8 and both axes of (mean of n · n moved by one)²; halved by means.

    0 on average for white noise but for its finite size, large for a picture that hides in it.
    The map is taken as circular. Raises ValueError for another shape. Source: Karras et al. 2020a,
    appendix D; halves are plain means, as in their code (the paper doubles them).
    """
    n = shaped("noise", noise, "B", 1, "s", "s")
    if n.shape[2] != n.shape[3]:
        raise ValueError(f"noise must be square, (B, 1, s, s); got {tuple(n.shape)}")
    total = 0
    while True:
        for axis in (2, 3):
            total = total + (n * n.roll(1, axis)).mean((1, 2, 3)).square()
        if n.shape[2] <= SMALLEST:
            return total
        n = F.avg_pool2d(n, 2)


# How ordinary a code is


def straightened(w: Float[Tensor, "*B n"]) -> Float[Tensor, "*B n"]:
    """w before its leaky ReLU: five times the numbers below 0. There W is nearly a Gaussian.

    Source: Wulff and Torralba 2020, eq. 3 (the gain √2 changes no distance measured with it).
    """
    return F.leaky_relu(floats("w", w), 1 / SLOPE)


def strangeness(
    ws: Float[Tensor, "B L n"], mean: Float[Tensor, " n"], covariance: Float[Tensor, "n n"]
) -> Float[Tensor, " B"]:
    """(p − μ)ᵀ Σ⁻¹ (p − μ) / n with p = `straightened(w)`, its mean over layers: 1 for w of W.

    mean, covariance: of straightened codes of the mapping. Raises ValueError for shapes that do not
    agree and for a covariance without an inverse. Source: Zhu et al. 2020b (P-norm space).
    """
    n = shaped("ws", ws, "B", "L", "n").shape[2]
    shaped("mean", mean, n, like=ws), shaped("covariance", covariance, n, n, like=ws)
    root, failed = torch.linalg.cholesky_ex(covariance)
    if not covariance.is_meta and failed:
        raise ValueError("covariance must be positive definite: it has no inverse here")
    away = (straightened(ws) - mean).flatten(0, 1)
    white = torch.linalg.solve_triangular(root, away.T, upper=False)
    return white.square().mean(0).view(ws.shape[:2]).mean(1)


def domain_regulariser(
    ws: Float[Tensor, "B L n"],
    pictures: Float[Tensor, "B C H W"],
    encode: Callable[[Tensor], Tensor],
) -> Float[Tensor, " B"]:
    """mean (w − E(G(w)))²: what the code draws must lead the encoder back to the code.

    pictures: G(ws), with their gradient: the pull reaches w also through G and E. Raises ValueError
    where `encode` answers in another shape. Source: Zhu et al. 2020a, eq. 5.
    """
    function("encode", encode)
    beside("pictures", floats("pictures", pictures, 4), floats("ws", ws))
    back = encode(pictures)
    if not isinstance(back, Tensor) or back.shape != ws.shape:
        got = tuple(getattr(back, "shape", ()))
        raise ValueError(f"encode must return codes of shape {tuple(ws.shape)}; got {got}")
    return (ws - back).square().flatten(1).mean(1)


class CodeEncoder(nn.Module):
    """Pictures (B, nc, size, size) -> codes (B, layers, w), as steps from the mean code.

    mean: (w,), of the generator. Raises ValueError for sizes that are no multiples of 8.
    """

    def __init__(self, layers: int, mean: Float[Tensor, " w"], size: int = 32, nc: int = 3,
                 width: int = 48):  # fmt: skip
        super().__init__()
        at_least_one(layers=layers, size=size, nc=nc, width=width), shaped("mean", mean, "w")
        if size % 8 or width % 8:
            raise ValueError(f"size and width must divide by 8; got {size} and {width}")
        self.shape, self.codes = (nc, size, size), (layers, len(mean))
        self.net = nn.Sequential(
            nn.PixelUnshuffle(2),
            *_seeing(4 * nc, width),
            *_seeing(width, 2 * width, 2),
            *_seeing(2 * width, 2 * width),
            *_seeing(2 * width, width, 2),
            nn.Flatten(),
            nn.Linear(width * (size // 8) ** 2, layers * len(mean)),
        )
        self.register_buffer("mean", mean.detach().clone())

    def forward(self, x: Float[Tensor, "B nc size size"]) -> Float[Tensor, "B layers w"]:
        shaped("x", x, "B", *self.shape, like=self.mean)
        return self.mean + self.net(x).float().view(-1, *self.codes)


def _seeing(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
    return [conv, nn.GroupNorm(8, outputs), nn.LeakyReLU(SLOPE)]


class EncoderStep:
    """One step of an encoder for a fixed generator: real pictures and as many of its own samples.

    Real pictures must be drawn again from their code (squared error, and `perceptual_distance` of
    `maps` times 0.1); of samples the code is known (its squared error, times 0.1). Adam, whose rate
    falls to 0 over `steps`. The generator does not learn. Returns drawn and known, the two parts.
    Source: in the spirit of Zhu et al. 2020a, section 3.1, who train with a discriminator too.
    """

    def __init__(
        self,
        encoder: CodeEncoder,
        generator: StyleGenerator,
        maps: Callable[[Tensor], Sequence[Tensor]],
        lr: float = 1e-3,
        steps: int | None = None,
    ):
        instance("encoder", encoder, CodeEncoder), function("maps", maps)
        self.encoder, self.maps = encoder, maps
        self.generator = instance("generator", generator, StyleGenerator)
        self.optimizer = _adam(encoder, lr, (0.9, 0.999))
        self.schedule = _falling(self.optimizer, steps)

    def __call__(self, batch: Float[Tensor, "B nc size size"]) -> dict[str, Tensor]:
        x, net = (
            shaped("batch", batch, "B", *self.encoder.shape, like=self.encoder.mean),
            self.generator,
        )
        with torch.no_grad():
            known = net.ws(torch.randn(len(x), net.nz, device=x.device))
            own, target = net.synthesis(known, "none"), self.maps(x)
        with device.choose().autocast():
            ws, found = self.encoder(torch.cat([x, own])).chunk(2)
            y = net.synthesis(ws, "none")
        apart = perceptual_distance(self.maps(y), target).mean()
        drawn = (y - x).square().mean() + 0.1 * apart
        recognised = (found - known).square().mean()
        _descend(drawn + 0.1 * recognised, self.optimizer)
        self.schedule.step()
        return {"drawn": drawn.detach(), "known": recognised.detach()}


def _falling(optimizer: torch.optim.Optimizer, steps: int | None) -> LambdaLR:
    total = None if steps is None else whole("steps", steps, most=MANY)
    return LambdaLR(optimizer, lambda i: 1.0 if total is None else max(0.02, 1 - i / total))


# The generator moves instead (PTI)


def tune(
    generator: StyleGenerator,
    ws: Float[Tensor, "B L w"],
    x: Float[Tensor, "B C H W"],
    steps: int = 45,
    lr: float = 2e-3,
    maps: Callable[[Tensor], Sequence[Tensor]] | None = None,
    others: Callable[[], Float[Tensor, "n L w"]] | None = None,
) -> StyleGenerator:
    """A copy of the generator that draws x from these codes: the code stays, the weights move.

    Makes small  mean (G'(w) − x)² + 0.1 · perceptual_distance(maps(G'(w)), maps(x)). others: codes
    drawn anew in each step, at which G' must draw what G draws (squared error), so that strangers
    stay as they are: `local_codes`, or any codes of the mapping. The mapping does not move.

    Raises ValueError for codes and pictures that do not fit the generator and each other.
    Source: Roich et al. 2022, section 3.2 and 3.3 (noise left out).
    """
    instance("generator", generator, StyleGenerator), number("lr", lr, above=0)
    shaped("ws", ws, "B", generator.layers, generator.w, like=generator.const)
    shaped("x", x, len(ws), "C", "H", "W", like=generator.const)
    maps is None or instance("maps", maps, Callable)
    others is None or instance("others", others, Callable)
    tuned = copy.deepcopy(generator).requires_grad_(False)
    weights = [p for name, p in tuned.named_parameters() if not name.startswith("mapping")]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer, ws = torch.optim.Adam(weights, lr), ws.detach()
    target = None if maps is None else [m.detach() for m in maps(x)]
    for _ in range(whole("steps", steps, 0, most=MANY)):
        y = tuned.synthesis(ws, "none")
        loss = shaped("x", x, *y.shape, like=y).sub(y).square().mean()
        if maps is not None:
            loss = loss + 0.1 * perceptual_distance(maps(y), target).mean()
        if others is not None:
            strangers = others().detach()
            with torch.no_grad():
                before = generator.synthesis(strangers, "none")
            loss = loss + (tuned.synthesis(strangers, "none") - before).square().mean()
        _descend(loss, optimizer)
    return tuned.requires_grad_(False)


def local_codes(
    pivot: Float[Tensor, "B ..."], w: Float[Tensor, "B ..."], alpha: float
) -> Float[Tensor, "B ..."]:
    """The place at distance alpha from the pivot on the way to w: p + α (w − p) / ‖w − p‖.

    One length for the whole code of a picture, whatever its layers. Raises ValueError for two
    shapes and for an alpha that is not above 0. Source: Roich et al. 2022, eq. 4.
    """
    number("alpha", alpha, above=0)
    if floats("pivot", pivot).ndim < 2:
        raise ValueError(f"pivot must be (B, …); got {tuple(pivot.shape)}")
    way = shaped("w", w, *pivot.shape, like=pivot) - pivot
    length = way.flatten(1).norm(dim=1).view(-1, *[1] * (way.ndim - 1))
    return pivot + alpha * way / length.clamp(min=torch.finfo(way.dtype).tiny)


# Directions


def label_direction(w: Float[Tensor, "N n"], has: Bool[Tensor, " N"]) -> Float[Tensor, " n"]:
    """Mean of the codes that have it less the mean of those that have not; not of length 1.

    Raises ValueError where all have it, or none. Source: Larsen et al. 2016, section 4.2.
    """
    present("has", beside("has", truths("has", has), shaped("w", w, "N", "n")))
    if has.shape != w.shape[:1]:
        raise ValueError(f"has must be ({len(w)},), one for each code; got {tuple(has.shape)}")
    if has.all() or not has.any():
        raise ValueError("has must be true for some codes and false for others")
    return w[has].mean(0) - w[~has].mean(0)


def conditional_direction(
    n: Float[Tensor, " n"], others: Float[Tensor, "k n"]
) -> Float[Tensor, " n"]:
    """The part of n at right angles to all the others at once, of length 1.

    The others need not be of length 1 nor at right angles to each other. Raises ValueError where
    nothing of n is left. Source: Shen et al. 2020, eq. 5 (there for one other).
    """
    shaped("n", n, "n"), finite("others", shaped("others", others, "k", len(n), like=n))
    left = n - others.T @ (torch.linalg.pinv(others.T) @ n)
    length = left.norm()
    if not length.is_meta and length <= 1e-5 * n.norm():
        raise ValueError("others must leave something of n: it lies within what they span")
    return left / length


def sefa(weights: Sequence[Float[Tensor, "outputs n"]], k: int) -> Float[Tensor, "k n"]:
    """The k directions of length 1 that all these layers together amplify most, largest first.

    The eigenvectors of Σ AᵀA for the largest eigenvalues. Their sign is free; here the largest
    number of each is positive. Raises ValueError for layers of other widths and for k > n.
    Source: Shen and Zhou 2021, eq. 6 and 7 (their code brings each row of A to length 1 first).
    """
    first, *rest = several("weights", weights, floats, 2)
    for i, weight in enumerate(rest):
        shaped(f"weights[{i + 1}]", weight, "outputs", first.shape[1], like=first)
    k = whole("k", k, most=first.shape[1])
    _, vectors = torch.linalg.eigh(sum(weight.T @ weight for weight in [first, *rest]))
    found = vectors.flip(1)[:, :k].T
    signs = found.gather(1, found.abs().argmax(1, keepdim=True)).sign()
    return found * signs


# Words (StyleCLIP)


def style_spreads(generator: StyleGenerator, ws: Float[Tensor, "B L w"]) -> Float[Tensor, " C"]:
    """The standard deviation of each style channel of the convolutions over these codes."""
    instance("generator", generator, StyleGenerator)
    shaped("ws", ws, "B", generator.layers, generator.w, like=generator.const)
    if len(ws) < 2:
        raise ValueError(f"ws must be at least 2 codes for a spread; got {len(ws)}")
    with torch.no_grad():
        styles = [conv.affine(ws[:, i]) for i, conv in enumerate(generator.convs)]
        return torch.cat(styles, 1).std(0)


def moved_styles(
    generator: StyleGenerator, shift: Float[Tensor, " C"]
) -> AbstractContextManager[None]:
    """Inside, all pictures of the generator are drawn with these style channels moved by `shift`.

    Channels in the order of `style_spreads`. Raises ValueError for another number of channels.
    """
    biases = [conv.affine.bias for conv in instance("generator", generator, StyleGenerator).convs]
    return _moved(biases, shaped("shift", shift, sum(map(len, biases)), like=biases[0]))


@contextmanager
def _moved(biases: list[Tensor], shift: Tensor) -> Iterator[None]:
    kept = [bias.detach().clone() for bias in biases]
    parts = shift.detach().split([len(bias) for bias in biases])
    with torch.no_grad():
        for bias, part in zip(biases, parts, strict=True):
            bias.add_(part)
    try:
        yield
    finally:
        with torch.no_grad():
            for bias, before in zip(biases, kept, strict=True):
                bias.copy_(before)


@torch.no_grad()
def channel_effects(
    generator: StyleGenerator,
    ws: Float[Tensor, "P L w"],
    see: Callable[[Tensor], Tensor],
    spreads: Float[Tensor, " C"],
    reach: float = 3.0,
) -> tuple[Float[Tensor, "C P e"], Float[Tensor, "C P e"]]:
    """What `see` says of pictures with one style channel up, and down, by `reach` of its spreads.

    Up and down, for each of C channels and P codes. Raises ValueError for other numbers of
    channels. Source: Patashnik et al. 2021, section 6.2 (±5 spreads, 100 pictures).
    """
    function("see", see), number("reach", reach, above=0)
    instance("generator", generator, StyleGenerator)
    sizes = [len(conv.affine.bias) for conv in generator.convs]
    shaped("ws", ws, "P", generator.layers, generator.w, like=generator.const)
    moves = shaped("spreads", spreads, sum(sizes), like=generator.const).split(sizes)
    found: tuple[list, list] = ([], [])
    for conv, own in zip(generator.convs, moves, strict=True):
        for rows in torch.diag(reach * own).split(AT_ONCE):  # one row moves one channel
            shift = rows.repeat_interleave(len(ws), 0)
            for side, sign in zip(found, (1, -1), strict=True):
                hook = conv.affine.register_forward_hook(lambda _, __, s, d=sign * shift: s + d)
                try:
                    x = generator.synthesis(ws.repeat(len(rows), 1, 1), "none").clamp(-1, 1)
                finally:
                    hook.remove()
                side.append(see(x).view(len(rows), len(ws), -1))
    return torch.cat(found[0]), torch.cat(found[1])


def channel_relevance(
    up: Float[Tensor, "C P e"], down: Float[Tensor, "C P e"], text: Float[Tensor, " e"]
) -> Float[Tensor, " C"]:
    """The cosine of what each channel changes with what the text asks for.

    up − down of length 1 for each picture, the mean over pictures brought to length 1, times the
    text's direction. A channel that changes nothing has relevance 0. Raises ValueError for shapes
    that do not agree. Source: Patashnik et al. 2021, eq. 5.
    """
    shaped("up", up, "C", "P", "e"), shaped("down", down, *up.shape, like=up)
    shaped("text", text, up.shape[2], like=up)
    change = F.normalize(up - down, dim=2).mean(1)
    return F.normalize(change, dim=1) @ text


# Structure and texture (swapping autoencoder)


class SwapEncoder(nn.Module):
    """A picture as structure (B, channels, size/4, size/4) and texture (B, texture).

    Each map of the structure is normed over places (InstanceNorm), so that what is the same
    everywhere, such as a colour, must go through the texture. The texture's convolutions have no
    padding, and its last map is averaged: it knows no places. Raises ValueError for sizes that are
    no multiples of 4 or below 28. Source: Park et al. 2020, section 3, without the norm, which is
    this course's: in a short training their losses (`SwapStep`) do not keep the two apart.
    """

    def __init__(self, channels: int = 4, texture: int = 32, size: int = 32, nc: int = 3):
        super().__init__()
        at_least_one(channels=channels, texture=texture, size=size, nc=nc)
        if size % 4 or size < 28:
            raise ValueError(f"size must be a multiple of 4, at least 28; got {size}")
        self.shape = (nc, size, size)
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(2), *_bent(4 * nc, 48, padding=1), *_bent(48, 64, 2, 1)
        )
        self.places = nn.Sequential(
            nn.Conv2d(64, 64, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(64, channels, 1)
        )
        self.seen = nn.Sequential(*_bent(64, 96, 2), *_bent(96, 96, 1, 0))
        self.say = nn.Linear(96, texture)

    def forward(self, x: Float[Tensor, "B nc s s"]) -> tuple[Tensor, Tensor]:
        shaped("x", x, "B", *self.shape, like=self.say.weight)
        h = self.trunk(x)
        t = self.say(self.seen(h).mean((2, 3)))
        t = t * (t.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        return F.instance_norm(self.places(h)), t


def _bent(inputs: int, outputs: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, padding), nn.LeakyReLU(SLOPE)]


class SwapGenerator(nn.Module):
    """Structure (B, channels, s, s) and texture (B, texture) -> pictures (B, nc, 4 s, 4 s).

    Modulated convolutions of `styles`, whose style is the texture. Source: Park et al. 2020.
    """

    def __init__(self, channels: int = 4, texture: int = 32, nc: int = 3):
        super().__init__()
        at_least_one(channels=channels, texture=texture, nc=nc)
        widths = ((channels, 96, False), (96, 64, True), (64, 48, False))
        self.convs = nn.ModuleList(StyledConv(a, b, texture, up=up) for a, b, up in widths)
        self.rgb = ToRGB(48, 4 * nc, texture)

    def forward(
        self, structure: Float[Tensor, "B channels s s"], texture: Float[Tensor, "B texture"]
    ) -> Float[Tensor, "B nc S S"]:
        weight = self.convs[0].weight
        shaped("structure", structure, "B", weight.shape[1], "s", "s", like=weight)
        shaped("texture", texture, len(structure), self.rgb.affine.weight.shape[1], like=weight)
        x = structure
        for conv in self.convs:
            x = conv(x, texture, None)
        return F.pixel_shuffle(self.rgb(x, texture), 2)


class CooccurrenceDiscriminator(nn.Module):
    """Do these patches and the reference patches come from one picture? A score for each patch.

    The features of the k reference patches are averaged, so it knows no places beyond a patch.
    Patches are (nc, 8, 8), of `random_patches`; weights of spectral norm 1.
    Source: Park et al. 2020, section 3 (there with R1 instead of the norm).
    """

    def __init__(self, width: int = 64, nc: int = 3):
        super().__init__()
        at_least_one(width=width, nc=nc)
        self.patch = (nc, PATCH, PATCH)
        normed, bend = parametrizations.spectral_norm, nn.LeakyReLU(SLOPE)
        self.features = nn.Sequential(
            normed(nn.Conv2d(nc, 32, 3)), bend, nn.AvgPool2d(2), normed(nn.Conv2d(32, width, 3)),
            bend, nn.Flatten(), normed(nn.Linear(width, width)),
        )  # fmt: skip
        self.judge = nn.Sequential(
            normed(nn.Linear(2 * width, width)), bend, normed(nn.Linear(width, 1))
        )

    def forward(
        self, reference: Float[Tensor, "B k nc 8 8"], patches: Float[Tensor, "B n nc 8 8"]
    ) -> Float[Tensor, "B n"]:
        weight = next(self.parameters())
        b, n = shaped("patches", patches, "B", "n", *self.patch, like=weight).shape[:2]
        shaped("reference", reference, b, "k", *self.patch, like=weight)
        known = self.features(reference.flatten(0, 1)).view(b, reference.shape[1], -1).mean(1)
        seen = self.features(patches.flatten(0, 1)).view(b, n, -1)
        return self.judge(torch.cat([known[:, None].expand_as(seen), seen], 2)).squeeze(2)


def random_patches(x: Float[Tensor, "B C s s"], count: int = 4) -> Float[Tensor, "B count C 8 8"]:
    """`count` squares of each picture, 1/4 to 7/16 of its side, brought to 8 × 8 pixels.

    One place and size for all pictures of the batch, drawn by torch's own random source. The paper
    takes 1/8 to 1/4 of the side, which at 32 pixels is 4 to 8. Raises ValueError below 16 pixels
    and for NaN and infinity.
    """
    side = finite("x", shaped("x", x, "B", "C", "s", "s"), wait=False).shape[2]
    whole("count", count, most=64)
    if side < 16 or x.shape[3] != side:
        raise ValueError(f"x must be square, of at least 16 × 16 pixels; got {tuple(x.shape)}")
    found = []
    for _ in range(count):
        size = int(torch.randint(side // 4, 7 * side // 16 + 1, ()))
        top, left = torch.randint(side - size + 1, (2,)).tolist()
        window = x[:, :, top : top + size, left : left + size]
        found.append(F.interpolate(window, (PATCH, PATCH), mode="bilinear"))
    return torch.stack(found, 1)


class SwapStep:
    """One step of a swapping autoencoder: reconstruction in L1, and the paper's losses if wanted.

    critic: pictures -> scores; judges reconstructions and pictures with the texture of the next
    picture in the batch, weight 1/2 each. patches: judges whether a swapped picture's patches go
    with those of its texture's picture, weight 1. Both by the non-saturating loss. Adam, whose
    rates fall over `steps`. Returns loss (L1), and with a judge d_loss and g_loss.
    Source: Park et al. 2020, section 3.
    """

    def __init__(
        self,
        encoder: SwapEncoder,
        generator: SwapGenerator,
        lr: float = 2e-3,
        steps: int | None = None,
        critic: nn.Module | None = None,
        patches: CooccurrenceDiscriminator | None = None,
    ):
        self.encoder = instance("encoder", encoder, SwapEncoder)
        self.generator = instance("generator", generator, SwapGenerator)
        self.critic = instance("critic", critic, nn.Module | None)
        self.patches = instance("patches", patches, CooccurrenceDiscriminator | None)
        self.judges = nn.ModuleList(judge for judge in (critic, patches) if judge is not None)
        self.optimizer = _adam(nn.ModuleList([encoder, generator]), lr, (0.0, 0.99))
        self.schedules = [_falling(self.optimizer, steps)]
        if self.judges:
            self.d_optimizer = _adam(self.judges, lr, (0.0, 0.99))
            self.schedules.append(_falling(self.d_optimizer, steps))

    def __call__(self, batch: Float[Tensor, "B nc s s"]) -> dict[str, Tensor]:
        x = shaped("batch", batch, "B", *self.encoder.shape, like=self.encoder.say.weight)
        with device.choose().autocast():
            structure, texture = self.encoder(x)
            y = self.generator(structure, texture).float()
            if self.judges:
                swapped = self.generator(structure, texture.roll(1, 0)).float()
        loss = (y - x).abs().mean()
        losses, total = {"loss": loss.detach()}, loss
        if self.judges:
            d_loss = self._judged(x, y.detach(), swapped.detach(), LOG.d_loss)
            _descend(d_loss, self.d_optimizer)
            with frozen(self.judges):
                g_loss = self._judged(x, y, swapped, lambda _, made: LOG.g_loss(made))
            losses |= {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}
            total = total + g_loss
        _descend(total, self.optimizer)
        for schedule in self.schedules:
            schedule.step()
        return losses

    def _judged(self, x: Tensor, y: Tensor, swapped: Tensor, player: Callable) -> Tensor:
        """Both judges' loss for one player, who is given the scores of real and of made pictures"""
        loss, donor = 0, x.roll(1, 0)
        if self.critic is not None:
            real, again, mixed = self.critic(torch.cat([x, y, swapped])).chunk(3)
            loss = (player(real, again) + player(real, mixed)) / 2
        if self.patches is not None:
            real, made = random_patches(donor), random_patches(swapped)
            both = self.patches(random_patches(donor), torch.cat([real, made], 1))
            loss = loss + player(*both.chunk(2, 1))
        return loss


# From label maps to pictures


def spade(
    x: Float[Tensor, "B C h w"],
    labels: Float[Tensor, "B K H W"],
    scale_of: Callable[[Tensor], Tensor],
    shift_of: Callable[[Tensor], Tensor],
) -> Float[Tensor, "B C h w"]:
    """norm(x) (1 + γ(m)) + β(m), m the labels at the size of x: each place by what it is to be.

    labels: a channel for each kind, brought to (h, w) by the nearest neighbour. scale_of and
    shift_of: (B, K, h, w) -> (B, C, h, w). norm: mean 0 and variance 1 over the places of each map
    of each picture, 1e-5 added under the root. Raises ValueError for shapes that do not agree.
    Source: Park et al. 2019, eq. 1 (there with the statistics of the batch).
    """
    function("scale_of", scale_of), function("shift_of", shift_of)
    b, _, h, w = shaped("x", x, "B", "C", "h", "w").shape
    shaped("labels", labels, b, "K", "H", "W", like=x)
    m = F.interpolate(labels, (h, w), mode="nearest")
    scale = shaped("scale_of", scale_of(m), *x.shape)
    shift = shaped("shift_of", shift_of(m), *x.shape)
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) * (variance + 1e-5).rsqrt() * (1 + scale) + shift


def feature_matching(
    real: Sequence[Sequence[Float[Tensor, "B ..."]]],
    fake: Sequence[Sequence[Float[Tensor, "B ..."]]],
) -> Float[Tensor, ""]:
    """Mean over scales of Σ over layers of mean |real − fake|, without the last layer, the score.

    real, fake: what each discriminator of a scale answers layer by layer. The real side is a
    target: no gradient reaches it. Raises ValueError for other numbers of scales and layers.
    Source: Wang et al. 2018, eq. 4.
    """
    several("real", real, instance, Sequence)
    several("fake", fake, instance, Sequence, count=len(real))
    total = 0
    for i, (target, answer) in enumerate(zip(real, fake, strict=True)):
        several(f"real[{i}]", target, floats)
        several(f"fake[{i}]", answer, floats, count=len(target))
        for j, (p, q) in enumerate(zip(target[:-1], answer[:-1], strict=True)):
            shaped(f"fake[{i}][{j}]", q, *p.shape, like=p)
            total = total + (p.detach() - q).abs().mean()
    if not isinstance(total, Tensor):
        raise ValueError("real must hold layers before the scores; got scores alone")
    return total / len(real)


def instance_edges(ids: Int[Tensor, "B H W"]) -> Float[Tensor, "B 1 H W"]:
    """1 where a pixel's instance differs from that of a neighbour above, below, left or right.

    ids are names: which number an instance has changes nothing. Both sides of a border are marked.
    Raises TypeError for other than whole numbers. Source: Wang et al. 2018, section 3.3.
    """
    integers("ids", ids, 3)
    edges = torch.zeros(ids.shape, dtype=torch.bool, device=ids.device)
    across, down = ids[:, :, 1:] != ids[:, :, :-1], ids[:, 1:] != ids[:, :-1]
    edges[:, :, 1:] |= across
    edges[:, :, :-1] |= across
    edges[:, 1:] |= down
    edges[:, :-1] |= down
    return edges[:, None].float()
