"""The other half of lecture 09: growing, attention, classes, and judges that went to school.

Sources: Karras et al. 2018 (ProGAN), Miyato et al. 2018 (spectral normalisation), Zhang et al. 2019
(SAGAN), Brock et al. 2019 (BigGAN), Sauer et al. 2021 (projected GANs).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from course_lib.checks import (
    MANY,
    SIZE,
    at_least_one,
    below,
    floats,
    instance,
    number,
    random_source,
    shaped,
    whole,
    wholes,
)
from course_lib.gan import AdversarialStep
from course_lib.styles import EqualConv2d, EqualLinear, bend, minibatch_std, pixel_norm

FAST = torch.channels_last


# Growing (ProGAN)


def fade_in(
    low: Float[Tensor, "B C h w"], high: Float[Tensor, "B C 2h 2w"], alpha: float
) -> Float[Tensor, "B C 2h 2w"]:
    """(1 − α) · low with its pixels doubled + α · high: a new level comes in, α within [0, 1].

    Raises ValueError unless high is twice as large. Source: Karras et al. 2018, figure 2.
    """
    b, c, h, w = shaped("low", low, "B", "C", "h", "w").shape
    shaped("high", high, b, c, 2 * h, 2 * w, like=low), number("alpha", alpha)
    alpha = min(max(alpha, 0.0), 1.0)
    return torch.lerp(F.interpolate(low, scale_factor=2.0), high, alpha)


class ProgressiveGenerator(nn.Module):
    """ProGAN's generator: z (B, nz) → pictures (B, nc, S, S), not bounded.

    channels: those of the maps at 4 × 4, 8 × 8, …. It shows level `level` (0 is 4 × 4, so S = 4 ·
    2^level), faded in by `alpha` over the one before: two attributes, which `GrowingStep` moves.
    Every level has its own 1 × 1 convolution to colours. Source: Karras et al. 2018, table 2.
    """

    def __init__(self, nz: int = 512, channels: Sequence[int] = (512, 512), nc: int = 3):
        super().__init__()
        at_least_one(nz=nz, nc=nc), wholes("channels", channels)
        self.nz, self.level, self.alpha = nz, len(channels) - 1, 1.0
        self.first = nn.Parameter(torch.randn(channels[0], 4, 4, nz))
        self.bias = nn.Parameter(torch.zeros(channels[0]))
        pairs = list(zip(channels[:-1], channels[1:], strict=True))
        self.convs = nn.ModuleList([nn.ModuleList([EqualConv2d(channels[0], channels[0], 3)])])
        self.convs.extend(
            nn.ModuleList([EqualConv2d(a, b, 3), EqualConv2d(b, b, 3)]) for a, b in pairs
        )
        self.rgbs = nn.ModuleList(EqualConv2d(c, nc, 1) for c in channels)

    def forward(self, z: Float[Tensor, "B nz"]) -> Float[Tensor, "B nc S S"]:
        shaped("z", z, "B", self.nz, like=self.first)
        x = F.linear(pixel_norm(z), self.first.flatten(0, 2) / math.sqrt(self.nz) / 4)
        x = x.view(len(z), -1, 4, 4) + self.bias[:, None, None]  # ¼ of He's constant: their code
        x = pixel_norm(bend(x.contiguous(memory_format=FAST)))
        for level in range(self.level + 1):
            before, x = x, F.interpolate(x, scale_factor=2.0) if level else x
            for conv in self.convs[level]:
                x = pixel_norm(bend(conv(x)))
        picture = self.rgbs[self.level](x).float()
        if self.alpha < 1 and self.level:
            picture = fade_in(self.rgbs[self.level - 1](before).float(), picture, self.alpha)
        return picture


class ProgressiveDiscriminator(nn.Module):
    """ProGAN's discriminator, the mirror of its generator: pictures of level `level` → (B,)."""

    def __init__(self, channels: Sequence[int] = (512, 512), nc: int = 3):
        super().__init__()
        at_least_one(nc=nc), wholes("channels", channels)
        self.nc, self.level, self.alpha = nc, len(channels) - 1, 1.0
        self.rgbs = nn.ModuleList(EqualConv2d(nc, c, 1) for c in channels)
        pairs = list(zip(channels[:-1], channels[1:], strict=True))
        self.convs = nn.ModuleList(
            nn.ModuleList([EqualConv2d(b, b, 3), EqualConv2d(b, a, 3)]) for a, b in pairs
        )
        self.last = EqualConv2d(channels[0] + 1, channels[0], 3)
        self.dense = EqualLinear(16 * channels[0], channels[0])
        self.score = EqualLinear(channels[0], 1)

    def forward(self, x: Float[Tensor, "B nc S S"]) -> Float[Tensor, " B"]:
        side = 4 * 2**self.level
        shaped("x", x, "B", self.nc, side, side, like=self.score.weight)
        small = F.avg_pool2d(x, 2)
        x = bend(self.rgbs[self.level](x.contiguous(memory_format=FAST)))
        for level in range(self.level - 1, -1, -1):
            for conv in self.convs[level]:
                x = bend(conv(x))
            x = F.avg_pool2d(x, 2)
            if level == self.level - 1 and self.alpha < 1:
                x = torch.lerp(bend(self.rgbs[level](small)), x, self.alpha)
        x = bend(self.last(minibatch_std(x))).flatten(1)
        return self.score(bend(self.dense(x))).flatten().float()


class GrowingStep(AdversarialStep):
    """One round at the level that is due: each fades in over `images` pictures, then is held.

    Pictures of the data come at full size and are shrunk to the level, with the same blend. A run
    of all levels takes (2 · levels − 1) · images pictures; the last level then stays.
    Source: Karras et al. 2018, §2 (800,000 pictures each).
    """

    def __init__(self, generator, discriminator, *args, images: int = 800_000, **options):
        whole("images", images)
        instance("generator", generator, ProgressiveGenerator)
        instance("discriminator", discriminator, ProgressiveDiscriminator)
        super().__init__(generator, discriminator, *args, **options)
        self.images, self.levels, self.seen = images, len(generator.rgbs), _Seen()

    def __call__(self, batch: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        shaped("batch", batch, "B", "C", "H", "W", like=self.discriminator.score.weight)
        level, alpha = growth(self.seen.n, self.images, self.levels)
        nets = [self.generator, self.discriminator]
        nets += [] if self.ema is None else [self.ema.model]
        for net in nets:
            net.level, net.alpha = level, alpha
        self.seen.n += len(batch)
        return super().__call__(shrunk(batch, 4 * 2**level, alpha))


class _Seen:
    def __init__(self):
        self.n = 0

    def state_dict(self) -> dict:
        return {"n": self.n}

    def load_state_dict(self, state) -> None:
        self.n = state["n"]


def growth(seen: int, images: int, levels: int) -> tuple[int, float]:
    """The level and its α after `seen` pictures: level 0 for `images`, then each fades in, holds.

    Raises ValueError for images < 1.
    """
    whole("seen", seen, 0), whole("images", images), whole("levels", levels)
    phase, within = divmod(seen, images)
    level = min((phase + 1) // 2, levels - 1)
    fading = phase % 2 == 1 and phase < 2 * levels - 1
    return level, within / images if fading else 1.0


def shrunk(x: Float[Tensor, "B C H W"], side: int, alpha: float) -> Float[Tensor, "B C side side"]:
    """Pictures of the data as the level that is α there sees them, blended as the fakes are."""
    shaped("x", x, "B", "C", "H", "W"), number("alpha", alpha)
    whole("side", side, most=min(x.shape[2:]))
    x = F.adaptive_avg_pool2d(x, side)
    return x if alpha >= 1 else fade_in(F.avg_pool2d(x, 2), x, alpha)


# Seeing far (SAGAN)


def self_attention(
    x: Float[Tensor, "B C H W"],
    query: Float[Tensor, "d C"],
    key: Float[Tensor, "d C"],
    value: Float[Tensor, "V C"],
) -> Float[Tensor, "B V H W"]:
    """Each place takes a mean of the values of all places, weighted by softmaxⱼ(qᵢ · kⱼ).

    q, k and v are linear in the channels of their place. Not divided by √d. Raises ValueError for
    matrices that do not fit. Source: Zhang et al. 2019, eq. 1 and 2, without γ and the sum with x.
    """
    c = shaped("x", x, "B", "C", "H", "W").shape[1]
    shaped("query", query, "d", c, like=x), shaped("key", key, *query.shape, like=x)
    shaped("value", value, "V", c, like=x)
    places = x.flatten(2)
    out, _ = attend(query @ places, key @ places, value @ places)
    return out.view(len(x), -1, *x.shape[2:])


def attend(
    q: Float[Tensor, "B d n"], k: Float[Tensor, "B d m"], v: Float[Tensor, "B V m"]
) -> tuple[Float[Tensor, "B V n"], Float[Tensor, "B n m"]]:
    """What each of n places takes from m, and its weights, which sum to 1 over the m."""
    shaped("q", q, "B", "d", "n"), shaped("k", k, *q.shape[:2], "m", like=q)
    shaped("v", v, len(q), "V", k.shape[2], like=q)
    weights = (q.transpose(1, 2) @ k).softmax(2)
    return v @ weights.transpose(1, 2), weights


class SelfAttention(nn.Module):
    """x + γ · attention(x): queries and keys of an eighth of the channels, values of a half.

    γ is learned and begins at 0: a fresh block returns x. Keys and values come from every second
    place each way (max pooling), where `pool`. `weights(x)` shows where places look, (B, n, m).
    Source: Zhang et al. 2019, §3, and their code.
    """

    def __init__(self, channels: int, pool: bool = True, norm: bool = False):
        super().__init__()
        whole("channels", channels, 8, most=SIZE)
        wrap = parametrizations.spectral_norm if norm else nn.Identity()
        eighth, half = channels // 8, channels // 2
        self.query = wrap(nn.Conv2d(channels, eighth, 1, bias=False))
        self.key = wrap(nn.Conv2d(channels, eighth, 1, bias=False))
        self.value = wrap(nn.Conv2d(channels, half, 1, bias=False))
        self.out = wrap(nn.Conv2d(half, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        taken, _ = self._attend(x)
        return x + self.gamma * self.out(taken.view(len(x), -1, *x.shape[2:]))

    def weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n m"]:
        return self._attend(x)[1]

    def _attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shaped("x", x, "B", self.query.in_channels, "H", "W", like=self.gamma)
        parts = self.query(x), self.pool(self.key(x)), self.pool(self.value(x))
        return attend(*(part.flatten(2) for part in parts))


def spectral_norm(
    weight: Float[Tensor, "outputs inputs *kernel"], u: Float[Tensor, " outputs"], steps: int = 1
) -> tuple[Float[Tensor, ""], Float[Tensor, " outputs"]]:
    """σ, the largest singular value of the weight as a matrix of `outputs` rows, and the next u.

    Power iteration: v ← Wᵀu / ‖Wᵀu‖, u ← Wv / ‖Wv‖, `steps` times; then σ = uᵀWv. Keep u for the
    next call: one step each is enough, since weights change slowly. Gradients reach the weight
    through σ alone, not through u and v. Raises ValueError for u of another length, steps < 1.
    Source: Miyato et al. 2018, algorithm 1.
    """
    matrix = floats("weight", weight).flatten(1)
    shaped("u", u, len(matrix), like=matrix), whole("steps", steps, most=MANY)
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(matrix.T @ u, dim=0, eps=1e-12)
            u = F.normalize(matrix @ v, dim=0, eps=1e-12)
    return u @ matrix @ v, u


def dirac_rate(g_lr: float, d_lr: float, gamma: float) -> float:
    """By what factor both players of the Dirac game come closer to its end in each round.

    The largest |eigenvalue| of ((1, a/2), (−b/2, 1 − γ b)), with rates a of G and b of D: one round
    of simultaneous gradient steps of the non-saturating loss with R1 of weight γ, near the end.
    Above 1 they move away. Source: Mescheder et al. 2018, §2 and appendix.
    """
    number("g_lr", g_lr), number("d_lr", d_lr), number("gamma", gamma)
    jacobian = [[1, g_lr / 2], [-d_lr / 2, 1 - gamma * d_lr]]
    return torch.linalg.eigvals(torch.tensor(jacobian, dtype=torch.float64)).abs().max().item()


# Classes (BigGAN)


class ConditionalBatchNorm2d(nn.Module):
    """BatchNorm whose gain and bias are linear in a condition (B, d): 1 + G c and B c.

    A fresh one is plain BatchNorm, whatever the condition. Statistics are those of the whole batch,
    never of a class. Source: Brock et al. 2019, appendix B; de Vries et al. 2017.
    """

    def __init__(self, channels: int, condition: int):
        super().__init__()
        at_least_one(channels=channels, condition=condition)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)
        for layer in (self.gain, self.bias):
            nn.init.zeros_(layer.weight)

    def forward(
        self, x: Float[Tensor, "B C H W"], condition: Float[Tensor, "B d"]
    ) -> Float[Tensor, "B C H W"]:
        weight = self.gain.weight
        shaped("x", x, "B", len(weight), "H", "W", like=weight)
        shaped("condition", condition, len(x), weight.shape[1], like=weight)
        gain, bias = (1 + self.gain(condition)), self.bias(condition)
        return self.norm(x) * gain[:, :, None, None] + bias[:, :, None, None]


def truncated_normal(
    shape: Sequence[int], bound: float, generator: torch.Generator | None = None
) -> Float[Tensor, "*shape"]:
    """N(0, 1) with every number beyond ± bound drawn anew, until none is left.

    By the inverse of the distribution function, which is the same and takes one draw: Φ⁻¹(u), u
    uniform between Φ(−bound) and Φ(bound). Raises ValueError for bound ≤ 0.
    Source: Brock et al. 2019, §3.1 ("truncation trick").
    """
    wholes("shape", shape), number("bound", bound, above=0), random_source(generator)
    place = None if generator is None else generator.device
    u = torch.rand(tuple(shape), generator=generator, device=place, dtype=torch.float64)
    reach = math.erf(bound / math.sqrt(2))  # the share within the bound
    return (math.sqrt(2) * torch.erfinv((2 * u - 1) * reach)).clamp(-bound, bound).float()


def orthogonal_penalty(weight: Float[Tensor, "outputs inputs *kernel"]) -> Float[Tensor, ""]:
    """‖W Wᵀ ⊙ (1 − I)‖²_F over the rows of the weight as a matrix: their lengths are left free.

    Source: Brock et al. 2019, eq. 3 (with Wᵀ W; their code, as here, takes the rows, and half).
    """
    matrix = floats("weight", weight).flatten(1)
    gram = matrix @ matrix.T
    return (gram - gram.diag().diag()).square().sum()


class _Rising(nn.Module):
    """BigGAN's block upwards: norm, ReLU, double, convolve, norm, ReLU, convolve; plus a 1 × 1."""

    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        normed = parametrizations.spectral_norm
        self.norms = nn.ModuleList(ConditionalBatchNorm2d(c, condition) for c in (inputs, outputs))
        self.first = normed(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.second = normed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = normed(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        y = F.interpolate(F.relu(self.norms[0](x, condition)), scale_factor=2.0)
        y = self.second(F.relu(self.norms[1](self.first(y), condition)))
        return y + F.interpolate(self.skip(x), scale_factor=2.0)


class BigGANGenerator(nn.Module):
    """BigGAN's generator: z (B, nz) and labels (B,) → pictures (B, nc, size, size) in [-1, 1].

    z is cut into a chunk for the first layer and one for each block. A block's BatchNorms hear its
    chunk and the class, embedded in `shared` numbers. widths: channels before the first block and
    after each, in units of ch. attention: after which block; None for none.

    Source: Brock et al. 2019, table 4 (size 128: the defaults; attention at 64 × 64).
    """

    def __init__(
        self,
        classes: int,
        nz: int = 120,
        shared: int = 128,
        ch: int = 96,
        widths: Sequence[int] = (16, 16, 8, 4, 2, 1),
        attention: int | None = 4,
        nc: int = 3,
    ):
        super().__init__()
        at_least_one(classes=classes, nz=nz, shared=shared, ch=ch, nc=nc)
        chunks = len(wholes("widths", widths))
        if nz % chunks:
            raise ValueError(f"nz must be a multiple of {chunks}, a chunk a block; got {nz}")
        if attention is not None:
            whole("attention", attention, most=chunks - 1)
        self.nz, self.classes, self.chunk, self.size = nz, classes, nz // chunks, 2 ** (chunks + 1)
        normed = parametrizations.spectral_norm
        self.embedding = nn.Embedding(classes, shared)
        c = [w * ch for w in widths]
        self.first = normed(nn.Linear(self.chunk, 16 * c[0]))
        pairs = zip(c[:-1], c[1:], strict=True)
        self.blocks = nn.ModuleList(_Rising(a, b, self.chunk + shared) for a, b in pairs)
        self.attention = None if attention is None else SelfAttention(c[attention], norm=True)
        self.attended = attention
        self.last = nn.Sequential(
            nn.BatchNorm2d(c[-1]), nn.ReLU(), normed(nn.Conv2d(c[-1], nc, 3, padding=1))
        )

    def forward(
        self, z: Float[Tensor, "B nz"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, "B nc size size"]:
        shaped("z", z, "B", self.nz, like=self.embedding.weight)
        below("labels", labels, self.classes, len(z), like=z)
        first, *chunks = z.split(self.chunk, 1)
        shared = self.embedding(labels)
        x = self.first(first).view(len(z), -1, 4, 4).contiguous(memory_format=FAST)
        for i, (block, chunk) in enumerate(zip(self.blocks, chunks, strict=True), 1):
            x = block(x, torch.cat([shared, chunk], 1))
            x = self.attention(x) if i == self.attended else x
        return self.last(x).float().tanh()


class _Falling(nn.Module):
    """BigGAN's block downwards; the first one begins without ReLU, the last keeps the size."""

    def __init__(self, inputs: int, outputs: int, first: bool = False, down: bool = True):
        super().__init__()
        normed = parametrizations.spectral_norm
        self.first = normed(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.second = normed(nn.Conv2d(outputs, outputs, 3, padding=1))
        same = inputs == outputs and not down
        self.skip = nn.Identity() if same else normed(nn.Conv2d(inputs, outputs, 1))
        self.enter = nn.Identity() if first else nn.ReLU()
        self.pool = nn.AvgPool2d(2) if down else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(self.enter(x))))
        return self.pool(y + self.skip(x))


class BigGANDiscriminator(nn.Module):
    """BigGAN's projection discriminator: pictures and labels → scores (B,).

    score = v · h + e(label) · h, h the features summed over places: how real, plus how much of its
    class. attention: after which block. Source: Miyato and Koyama 2018; Brock et al. 2019, table 4.
    """

    def __init__(
        self,
        classes: int,
        ch: int = 96,
        widths: Sequence[int] = (1, 2, 4, 8, 16, 16),
        attention: int | None = 1,
        nc: int = 3,
    ):
        super().__init__()
        at_least_one(classes=classes, ch=ch, nc=nc), wholes("widths", widths)
        if attention is not None:
            whole("attention", attention, most=len(widths))
        normed = parametrizations.spectral_norm
        self.nc, self.side = nc, 2 ** (len(widths) - 1)  # of the smallest picture
        c = [nc, *(w * ch for w in widths)]
        self.blocks = nn.ModuleList(
            _Falling(a, b, first=i == 0, down=i < len(widths) - 1)
            for i, (a, b) in enumerate(zip(c[:-1], c[1:], strict=True))
        )
        self.attention = None if attention is None else SelfAttention(c[attention], norm=True)
        self.attended, self.classes = attention, classes
        self.score = normed(nn.Linear(c[-1], 1))
        self.embedding = normed(nn.Embedding(classes, c[-1]))

    def forward(
        self, x: Float[Tensor, "B nc H W"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        shaped("x", x, "B", self.nc, "H", "W", like=self.score.bias)
        if min(x.shape[2:]) < self.side:
            raise ValueError(f"x must be at least {self.side} pixels a side; got {tuple(x.shape)}")
        below("labels", labels, self.classes, len(x), like=x)
        x = x.contiguous(memory_format=FAST)
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            x = self.attention(x) if i == self.attended else x
        h = F.relu(x).sum((2, 3))
        return (self.score(h).flatten() + (self.embedding(labels) * h).sum(1)).float()


@torch.no_grad()
def standing_statistics(
    generator: BigGANGenerator, batches: int = 16, size: int = 64, bound: float | None = None
) -> None:
    """Counts BatchNorm's statistics anew over fresh fakes, for averaged weights or another bound.

    Leaves the generator in evaluation mode. Source: Brock et al. 2019, appendix C.
    """
    instance("generator", generator, BigGANGenerator)
    whole("batches", batches, most=MANY), at_least_one(size=size)
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    generator.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    where = next(generator.parameters()).device
    for _ in range(batches):
        shape = (size, generator.nz)
        z = torch.randn(shape) if bound is None else truncated_normal(shape, bound)
        generator(z.to(where), torch.randint(generator.classes, (size,), device=where))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
        norm.eval()


# Judges that went to school (projected GANs)


class ProjectedDiscriminator(nn.Module):
    """Small heads on the maps of a fixed network: pictures → scores (B, n), one a patch and map.

    layers: the fixed network, layer by layer; taps: after which of them a map is looked at. Each
    map is mixed across channels by a fixed random matrix, then two or more convolutions of spectral
    norm 1 judge it. The fixed network stays as it is, in evaluation mode, and is no part of the
    weights. Source: Sauer et al. 2021, §3 (without their mixing across scales).
    """

    def __init__(
        self, layers: Sequence[nn.Module], taps: Sequence[int], size: int, width: int = 64
    ):
        super().__init__()
        at_least_one(size=size, width=width)
        if not isinstance(layers, Sequence | nn.Sequential):
            raise TypeError(f"layers must be a sequence of layers; got {type(layers).__name__}")
        for tap in wholes("taps", taps, 0):
            whole("taps", tap, 0, most=len(layers) - 1)
        fixed = nn.Sequential(*layers[: max(taps) + 1]).eval().requires_grad_(False)
        self.__dict__["fixed"] = fixed  # hidden from state_dict(), train() and the optimiser
        self.size, self.taps = size, tuple(taps)
        maps = self._maps(torch.zeros(1, 3, size, size))
        source = torch.Generator().manual_seed(0)
        for i, m in enumerate(maps):
            matrix = torch.randn(width, m.shape[1], 1, 1, generator=source) / m.shape[1] ** 0.5
            self.register_buffer(f"mix{i}", matrix)
        self.heads = nn.ModuleList(_head(width, m.shape[2]) for m in maps)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n"]:
        shaped("x", x, "B", 3, self.size, self.size, like=self.mix0)
        maps = self._maps(x.contiguous(memory_format=FAST))
        mixed = (F.conv2d(m, getattr(self, f"mix{i}")) for i, m in enumerate(maps))
        scores = [head(m).flatten(1) for head, m in zip(self.heads, mixed, strict=True)]
        return torch.cat(scores, 1).float()

    def _apply(self, function, *args, **options):
        self.fixed._apply(function, *args, **options)  # it moves to a device with the heads
        return super()._apply(function, *args, **options)

    def _maps(self, x: Tensor) -> list[Tensor]:
        maps = []
        for i, layer in enumerate(self.fixed):
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps


def _head(width: int, side: int) -> nn.Sequential:
    normed = parametrizations.spectral_norm
    layers: list[nn.Module] = []
    while side > 4:
        layers += [normed(nn.Conv2d(width, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        side //= 2
    layers += [normed(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, normed(nn.Conv2d(width, 1, side)))
