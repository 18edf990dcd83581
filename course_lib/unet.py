"""The denoising U-Net: a noisy picture and its time go in, the noise (or the velocity) comes out.

Down to small maps, where each value has seen the whole picture, and up again; on each level what
was known on the way down is added on the way up. Every block is told the time, and the class where
there is one, by a scale and a shift of its channels (Ronneberger et al. 2015; Ho et al. 2020;
Dhariwal and Nichol 2021).

Made for speed on a CPU: 2 × 2 pixels may be folded into channels (`patch=2`), skips are added
rather than concatenated, sizes change by 2 × 2 windows that do not overlap, channels lie side by
side in memory, and GroupNorm takes 16 of them at a time (8 are 20 times slower in bfloat16).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from course_lib import checks
from course_lib.checks import (
    DEPTH,
    SIZE,
    at_least_one,
    floats,
    integers,
    is_whole,
    shaped,
    whole,
    wholes,
)

FAST = torch.channels_last


def timestep_embedding(t: Shaped[Tensor, " B"], dim: int) -> Float[Tensor, "B dim"]:
    """Each time as cosines and sines of dim / 2 frequencies, from 1 down to nearly 1 / 10,000.

    [cos(ω₀t) … cos(ω₍ₕ₋₁₎t), sin(ω₀t) … sin(ω₍ₕ₋₁₎t)],   ωᵢ = 10,000^(−i/h),  h = dim / 2

    t: whole numbers or decimals (B,). Values in [-1, 1], float32. Raises ValueError for a t that is
    not (B,) and a dim that is odd or below 2. This is the order of improved-diffusion; Ho et al.
    put the sines first and divide by h − 1. Source: Vaswani et al. 2017, section 3.5.
    """
    _check_times(t)
    if not is_whole(dim) or not 2 <= dim <= SIZE or dim % 2:
        raise ValueError(f"dim must be even, at least 2; got {dim}")
    half = dim // 2
    exponents = torch.arange(half, device=t.device, dtype=torch.float32) / half
    angles = t.float()[:, None] * torch.exp(-math.log(10_000) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class UNet(nn.Module):
    """(x, t, labels) -> what is asked of it at each pixel, with the shape of x.

    x: (B, channels, H, W). t: (B,), whole numbers 0 … T−1 or decimals. H and W must be multiples of
    `patch` · 2^(levels − 1).

    width: channels of the first level; `multipliers`: of each level, in widths. blocks: how many
    residual blocks stand on each level on the way down, and as many on the way up; the lowest level
    also has attention between them. patch: so many by so many pixels are folded into channels.

    classes: how many there are. labels are then (B,) in 0 … classes − 1, and `classes` itself means
    "unconditional"; so does labels=None. Several attributes at once: a tuple of such numbers, and
    labels (B, k). `unconditional(labels)` has the shape of labels and tells nothing.

    beside: channels of a picture that is known and put beside x (a small one enlarged, say):
    forward(x, t, labels, beside=picture), (B, beside, H, W).

    Raises ValueError for sizes that cannot be halved, other shapes, labels outside; TypeError for
    labels that are not integers.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2),
        blocks: int = 1,
        classes: int | Sequence[int] | None = None,
        patch: int = 1,
        beside: int = 0,
    ):
        super().__init__()
        at_least_one(channels=channels, patch=patch), wholes("multipliers", multipliers)
        whole("blocks", blocks, most=DEPTH), whole("beside", beside, 0, most=SIZE)
        _check_width(width)
        self.channels, self.patch, self.beside, self.classes = channels, patch, beside, classes
        self.multiple = patch * 2 ** (len(multipliers) - 1)  # of which sizes must be multiples
        widths, told = [width * m for m in multipliers], 4 * width

        self.width = width
        self.time = nn.Sequential(nn.Linear(width, told), nn.SiLU(), nn.Linear(told, told))
        if classes is not None:
            known = _counts(classes)  # of the table each attribute has its values, and "none"
            counts = torch.tensor(known)
            rows = torch.cat([torch.zeros(1, dtype=torch.int64), (counts + 1).cumsum(0)])
            self.label = nn.Embedding(sum(known) + len(known), told)
            self.register_buffer("none", counts, persistent=False)  # the unconditional classes
            self.register_buffer("first_row", rows[:-1], persistent=False)

        inputs = (channels + beside) * patch**2
        self.enter = nn.Conv2d(inputs, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for here, below in zip(widths, widths[1:], strict=False):
            self.down.append(_stage(here, told, blocks))
            self.down.append(nn.Conv2d(here, below, 2, stride=2))
            self.up.insert(0, _stage(here, told, blocks))
            self.up.insert(0, nn.Sequential(nn.Conv2d(below, 4 * here, 1), nn.PixelShuffle(2)))
        low = widths[-1]
        self.middle = nn.ModuleList(
            [*_stage(low, told, blocks), Attention(low), *_stage(low, told, blocks)]
        )
        self.leave = nn.Sequential(
            _norm(width), nn.SiLU(), nn.Conv2d(width, channels * patch**2, 3, padding=1)
        )
        nn.init.zeros_(self.leave[-1].weight)  # the first answer is 0 everywhere
        nn.init.zeros_(self.leave[-1].bias)

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        t: Shaped[Tensor, " B"],
        labels: Int[Tensor, "B ..."] | None = None,
        beside: Float[Tensor, "B D H W"] | None = None,
    ) -> Float[Tensor, "B C H W"]:
        self._check(x, t, labels, beside)
        told = F.silu(self._told(t, labels))
        x = x if beside is None else torch.cat([x, beside], dim=1)
        h = self.enter(F.pixel_unshuffle(x, self.patch).contiguous(memory_format=FAST))
        skips = []
        for stage, smaller in _pairs(self.down):
            for block in stage:
                h = block(h, told)
            skips.append(h)
            h = smaller(h)
        for block in self.middle:
            h = block(h, told)
        for larger, stage in _pairs(self.up):
            h = larger(h) + skips.pop()
            for block in stage:
                h = block(h, told)
        return F.pixel_shuffle(self.leave(h), self.patch).float().contiguous()

    def unconditional(self, labels: Int[Tensor, "B ..."]) -> Int[Tensor, "B ..."]:
        """Labels of the same shape that tell the network nothing."""
        integers("labels", labels)
        if self.classes is None:
            raise ValueError("this U-Net has no unconditional class: it was built without classes")
        return self.none.to(labels.dtype).expand(labels.shape)

    def _told(self, t: Tensor, labels: Tensor | None) -> Tensor:
        told = self.time(timestep_embedding(t, self.width))
        if self.classes is None:
            return told
        labels = self.none.expand(len(t), -1) if labels is None else labels.reshape(len(t), -1)
        return told + self.label(labels + self.first_row).sum(1)

    def _check(self, x, t, labels, beside) -> None:
        shaped("x", x, "B", self.channels, "H", "W", like=self.enter.weight)
        if x.shape[2] % self.multiple or x.shape[3] % self.multiple:
            raise ValueError(
                f"x must have sides that are multiples of {self.multiple}, so that this U-Net can "
                f"halve them; got {x.shape[2]} × {x.shape[3]}"
            )
        _check_times(t, x)
        known = None if beside is None else floats("beside", beside, like=x).shape
        if known != ((len(x), self.beside, *x.shape[2:]) if self.beside else None):
            raise ValueError(
                f"beside must be a picture of {self.beside} channels, in size and number as x; got "
                f"{known and tuple(known)}"
            )
        if labels is not None:
            self._check_labels(labels, len(x))

    def _check_labels(self, labels: Tensor, n: int) -> None:
        if self.classes is None:
            raise ValueError("labels were given to a U-Net that was built without classes")
        checks.beside("labels", integers("labels", labels), self.none)
        wanted = (n,) if isinstance(self.classes, int) else (n, len(self.classes))
        if labels.shape != wanted:
            raise ValueError(f"labels must be {wanted} for this U-Net; got {tuple(labels.shape)}")
        if labels.device.type == "cpu":  # a GPU would wait for it
            rows = labels.reshape(n, -1)
            if (rows < 0).any() or (rows > self.none).any():
                raise ValueError(
                    f"labels must lie in 0 … {self.classes} (the last is: unconditional); got "
                    f"{labels.min().item()} … {labels.max().item()}"
                )


class Block(nn.Module):
    """Two convolutions beside a shortcut; between them the time scales and shifts each channel."""

    def __init__(self, width: int, told: int):
        super().__init__()
        _check_width(width), at_least_one(told=told)
        self.norm1, self.conv1 = _norm(width), nn.Conv2d(width, width, 3, padding=1)
        self.norm2, self.conv2 = _norm(width, False), nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(told, 2 * width)
        nn.init.zeros_(self.conv2.weight)  # at first the block passes x through
        nn.init.zeros_(self.conv2.bias)

    def forward(
        self, x: Float[Tensor, "B C H W"], told: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B C H W"]:
        shaped("x", x, "B", self.conv1.in_channels, "H", "W", like=self.film.weight)
        shaped("told", told, len(x), self.film.in_features, like=self.film.weight)
        scale, shift = self.film(told)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        return x + self.conv2(F.silu(torch.addcmul(shift, h, 1 + scale)))


class Attention(nn.Module):
    """Each place of the map asks all the others (Vaswani et al. 2017), beside a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        _check_width(width)
        self.heads = max(1, width // 32)
        self.norm, self.ask, self.answer = (
            _norm(width),
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
        )
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(self, x: Float[Tensor, "B C H W"], told: Tensor) -> Float[Tensor, "B C H W"]:
        weight = self.answer.weight
        b, c, h, w = shaped("x", x, "B", len(weight), "H", "W", like=weight).shape
        floats("told", told)
        places = self.norm(x).permute(0, 2, 3, 1).reshape(b, h * w, c)
        q, k, v = self.ask(places).view(b, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # torch's fused attention takes 6 times as long on a CPU for so few places
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)  # (b, heads, hw, hw)
        found = self.answer((weights.to(v.dtype) @ v).transpose(1, 2).reshape(b, h * w, c))
        return x + found.view(b, h, w, c).permute(0, 3, 1, 2)


def _stage(width: int, told: int, blocks: int) -> nn.ModuleList:
    return nn.ModuleList([Block(width, told) for _ in range(blocks)])


def _norm(width: int, affine: bool = True) -> nn.GroupNorm:
    return nn.GroupNorm(width // 16, width, affine=affine)


def _pairs(modules: nn.ModuleList) -> list[tuple[nn.Module, nn.Module]]:
    return list(zip(modules[::2], modules[1::2], strict=True))


def _counts(classes: int | Sequence[int]) -> list[int]:
    """How many values each attribute has."""
    if isinstance(classes, int):
        return [whole("classes", classes, most=SIZE)]
    return wholes("classes", classes)


def _check_width(width: int) -> None:
    if not is_whole(width) or not 16 <= width <= SIZE or width % 16:
        raise ValueError(f"width must be a multiple of 16; got {width}")


def _check_times(t: Tensor, x: Tensor | None = None) -> None:
    """t: (B,), whole numbers or decimals, for pictures x."""
    if not isinstance(t, Tensor) or t.is_complex() or t.dtype == torch.bool:
        kind = t.dtype if isinstance(t, Tensor) else type(t).__name__
        raise TypeError(f"t must be whole numbers or decimals; got {kind}")
    if t.ndim != 1 or (x is not None and len(t) != len(x)):
        wanted = "(B,)" if x is None else f"({len(x)},)"
        raise ValueError(f"t must be {wanted}, a time for each picture; got {tuple(t.shape)}")
    if x is not None:
        checks.beside("t", t, x)
