"""From label maps to pictures: what shall be where, said by a map.

    SPADE        norm(x) (1 + γ(m)) + β(m)      the map m speaks in every layer
    pix2pixHD    the map is the input, and InstanceNorm follows every convolution

The generators here are small: `SpadeGenerator`, `DoorGenerator`, pix2pixHD's two stages
(`GlobalGenerator`, `LocalEnhancer`) and GauGAN's style code (`StylePainter`). A rule finds the
labels in satellite pictures (`land_kinds`) and reads what was drawn: a judge without a network.

Sources: Wang et al. 2018 (pix2pixHD), Park et al. 2019 (SPADE, GauGAN).
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.autoencoders import kl_to_standard_normal, reparameterise
from course_lib.checks import (
    at_least_one,
    below,
    finite,
    floats,
    instance,
    integers,
    number,
    present,
    several,
    shaped,
    whole,
    wholes,
)
from course_lib.editing import _falling, feature_matching, spade
from course_lib.gan import _adam, _descend, frozen
from course_lib.gan_losses import LOSSES
from course_lib.layers import InstanceNorm
from course_lib.training import EMA
from course_lib.translation import _precision

# Red, green and blue, 0 … 255, as `fit_kinds` finds them in the training pictures of the Earth.
LAND = {
    "forest": (26, 37, 21),
    "grass": (55, 61, 32),
    "water": (25, 59, 105),
    "steppe": (97, 89, 61),
    "dry land": (141, 124, 96),
    "sand": (188, 161, 125),
}
KINDS = len(LAND)
CELL = 4  # pixels a side that share a label


def fit_kinds(x: Float[Tensor, "B 3 H W"], k: int = 6, rounds: int = 40) -> Float[Tensor, "k 3"]:
    """k colours of blocks of 4 × 4 pixels by k-means, darkest first; begins with the farthest.

    The first centre is the first block, each next one the block farthest from all so far: no lots
    are drawn. Raises ValueError for sizes that are no multiples of 4 and fewer than k blocks.
    """
    finite("x", present("x", shaped("x", x, "B", 3, "H", "W")))
    colours = _blocks(x).float().flatten(2).transpose(1, 2).reshape(-1, 3)
    k = whole("k", k, most=len(colours))
    centres = colours[:1]
    while len(centres) < k:
        farthest = torch.cdist(colours, centres).amin(1).argmax()
        centres = torch.cat([centres, colours[farthest][None]])
    for _ in range(whole("rounds", rounds, 0, most=1000)):
        nearest = torch.cdist(colours, centres).argmin(1)
        members = [colours[nearest == i] for i in range(k)]
        pairs = zip(members, centres, strict=True)
        centres = torch.stack([own.mean(0) if len(own) else old for own, old in pairs])
    return centres[centres.sum(1).argsort()]


def _blocks(x: Tensor) -> Float[Tensor, "B 3 h w"]:
    h, w = shaped("x", x, "B", 3, "H", "W").shape[2:]
    if h % CELL or w % CELL:
        raise ValueError(f"x must have a size in multiples of {CELL}; got {h} × {w}")
    return F.avg_pool2d(x, CELL)


def land_colours() -> Float[Tensor, "6 3"]:
    """The colours of the six kinds of land, in [-1, 1]."""
    return torch.tensor(list(LAND.values()), dtype=torch.float32) / 127.5 - 1


def land_kinds(
    x: Float[Tensor, "B 3 H W"], colours: Float[Tensor, "k 3"] | None = None
) -> Int[Tensor, "B H/4 W/4"]:
    """The kind of land of each block of 4 × 4 pixels: the one whose colour is nearest to its mean.

    x: pictures in [-1, 1]. colours: of other kinds than the six. The rule that makes the labels,
    and reads them from what was drawn. Raises ValueError for sizes that are no multiples of 4.
    """
    return _nearest(x, land_colours() if colours is None else shaped("colours", colours, "k", 3))


def _nearest(x: Tensor, colours: Tensor) -> Int[Tensor, "B h w"]:
    means = finite("x", _blocks(x), wait=False).float()
    apart = means[:, None] - colours.to(means.device)[None, :, :, None, None]
    return apart.square().sum(2).argmin(1)


def label_channels(
    labels: Int[Tensor, "B h w"], kinds: int = KINDS
) -> Float[Tensor, "B kinds h w"]:
    """A channel for each kind: 1 where the label says so, 0 elsewhere.

    Raises ValueError for labels outside 0 … kinds − 1.
    """
    whole("kinds", kinds, most=1000), integers("labels", labels, 3)
    below("labels", labels, kinds)
    every = torch.arange(kinds, device=labels.device)
    return (labels[:, None] == every[:, None, None]).float()


def label_picture(labels: Int[Tensor, "B h w"], cell: int = CELL) -> Float[Tensor, "B 3 H W"]:
    """The labels in the colours of their kinds, `cell` pixels a side each: to look at."""
    integers("labels", labels, 3), below("labels", labels, KINDS), whole("cell", cell, most=64)
    x = land_colours().to(labels.device)[labels].permute(0, 3, 1, 2)
    return x.repeat_interleave(cell, 2).repeat_interleave(cell, 3)


def intersection_over_union(
    made: Int[Tensor, "B h w"], wanted: Int[Tensor, "B h w"], kinds: int = KINDS
) -> float:
    """Mean over the kinds that are wanted somewhere of |both| / |either|, over all places.

    1 for equal maps. Raises ValueError for two shapes. Source: Everingham et al. 2010, section 4.
    """
    present("made", integers("made", made, 3)), present("wanted", integers("wanted", wanted, 3))
    (
        below("wanted", wanted, whole("kinds", kinds, most=1000)),
        below("made", made, kinds, *wanted.shape),
    )
    shares = []
    for kind in range(kinds):
        a, b = made == kind, wanted == kind
        if b.any():
            shares.append(((a & b).sum() / (a | b).sum()).item())
    return sum(shares) / len(shares)


# Generators


class Spade(nn.Module):
    """`spade` whose γ and β are two convolutions of the labels, with a ReLU between them."""

    def __init__(self, channels: int, kinds: int = KINDS, hidden: int = 16):
        super().__init__()
        at_least_one(channels=channels, kinds=kinds, hidden=hidden)
        self.shared = nn.Conv2d(kinds, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "B C h w"], labels: Float[Tensor, "B K H W"]) -> Tensor:
        shaped("labels", labels, "B", self.shared.in_channels, "H", "W", like=self.shared.weight)
        size = shaped("x", x, len(labels), self.scale.out_channels, "h", "w").shape[2:]
        seen = F.relu(self.shared(F.interpolate(labels, size, mode="nearest")))
        return spade(x, labels.to(x.dtype), lambda _: self.scale(seen), lambda _: self.shift(seen))


class SpadeGenerator(nn.Module):
    """Labels (B, kinds, h, w) -> pictures (B, nc, size, size) in [-1, 1]; the map in every layer.

    It begins with the labels at 8 × 8, averaged, and doubles until size / 2; the last doubling
    folds channels into pixels. widths: channels at 8 × 8, 16 × 16, …. No noise goes in: a map has
    one picture. Raises ValueError for maps of another number of kinds.
    Source: Park et al. 2019, figure 4 (there with residual blocks).
    """

    def __init__(self, kinds: int = KINDS, widths: tuple[int, ...] = (64, 64, 48), nc: int = 3,
                 hidden: int = 16):  # fmt: skip
        super().__init__()
        at_least_one(kinds=kinds, nc=nc, hidden=hidden)
        widths = wholes("widths", widths)
        self.first = nn.Conv2d(kinds, widths[0], 3, padding=1)
        steps = list(zip([widths[0], *widths[:-1]], widths, strict=True))
        self.norms = nn.ModuleList(Spade(a, kinds, hidden) for a, _ in steps)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in steps)
        self.last_norm = Spade(widths[-1], kinds, hidden)
        self.last = nn.Conv2d(widths[-1], 4 * nc, 3, padding=1)

    def forward(self, labels: Float[Tensor, "B kinds h w"]) -> Float[Tensor, "B nc size size"]:
        weight = self.first.weight
        shaped("labels", labels, "B", weight.shape[1], "h", "w", like=weight)
        x = self.first(F.adaptive_avg_pool2d(labels, 8))
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            x = F.interpolate(x, scale_factor=2, mode="nearest") if i else x
            x = conv(F.leaky_relu(norm(x, labels), 0.2))
        x = self.last(F.leaky_relu(self.last_norm(x, labels), 0.2))
        return torch.tanh(F.pixel_shuffle(x.float(), 2))


class DoorGenerator(nn.Module):
    """Labels (B, kinds, h, w) -> pictures (B, nc, size, size): the map comes in by the door only.

    Convolutions, each but the last with InstanceNorm, down to size / 8 and up again. The edges are
    reflected, as in pix2pixHD's first layer: where a map has one kind only, every norm makes 0 of
    it. Source: Wang et al. 2018, figure 3 (there with residual blocks and without folding).
    """

    def __init__(self, kinds: int = KINDS, widths: tuple[int, int, int] = (48, 64, 80),
                 nc: int = 3, size: int = 64):  # fmt: skip
        super().__init__()
        at_least_one(kinds=kinds, nc=nc, size=size)
        a, b, c = wholes("widths", widths)
        if size % 8:
            raise ValueError(f"size must be a multiple of 8; got {size}")
        self.size = size
        up = nn.Upsample(scale_factor=2)
        self.net = nn.Sequential(
            nn.PixelUnshuffle(2), *_normed(4 * kinds, a), *_normed(a, b, 2), *_normed(b, c, 2),
            *_normed(c, c), up, *_normed(c, b), up, *_normed(b, a),
            nn.Conv2d(a, 4 * nc, 3, padding=1, padding_mode="reflect"), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, labels: Float[Tensor, "B kinds h w"]) -> Float[Tensor, "B nc size size"]:
        weight = self.net[1].weight
        shaped("labels", labels, "B", weight.shape[1] // 4, "h", "w", like=weight)
        m = F.interpolate(labels, (self.size, self.size), mode="nearest")
        return torch.tanh(self.net(m).float())


def _normed(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode="reflect", bias=False)
    return [conv, InstanceNorm(outputs), nn.LeakyReLU(0.2)]


class GlobalGenerator(nn.Module):
    """pix2pixHD's G1: labels (B, kinds, h, w) -> pictures (B, nc, size, size), `size` small.

    Down to size / 4, `blocks` residual blocks, and up again; InstanceNorm after each convolution
    but the last. `features` gives its last map, (B, widths[0], size, size), which `LocalEnhancer`
    takes. Raises ValueError for sizes that are no multiples of 4.
    Source: Wang et al. 2018, section 3.2 and figure 3.
    """

    def __init__(self, kinds: int = KINDS, widths: tuple[int, int, int] = (24, 48, 64),
                 nc: int = 3, size: int = 32, blocks: int = 2):  # fmt: skip
        super().__init__()
        at_least_one(kinds=kinds, nc=nc, size=size, blocks=blocks)
        a, b, c = wholes("widths", widths)
        if size % 4:
            raise ValueError(f"size must be a multiple of 4; got {size}")
        self.kinds, self.width, self.size = kinds, a, size
        up = nn.Upsample(scale_factor=2)
        self.net = nn.Sequential(
            *_normed(kinds, a), *_normed(a, b, 2), *_normed(b, c, 2),
            *(Residual(c) for _ in range(blocks)), up, *_normed(c, b), up, *_normed(b, a),
        )  # fmt: skip
        self.last = nn.Conv2d(a, nc, 3, padding=1, padding_mode="reflect")

    def features(self, labels: Float[Tensor, "B kinds h w"]) -> Float[Tensor, "B width size size"]:
        """The last map before the picture."""
        shaped("labels", labels, "B", self.kinds, "h", "w", like=self.last.weight)
        return self.net(F.interpolate(labels, (self.size, self.size), mode="nearest"))

    def forward(self, labels: Float[Tensor, "B kinds h w"]) -> Float[Tensor, "B nc size size"]:
        return torch.tanh(self.last(self.features(labels)).float())


class LocalEnhancer(nn.Module):
    """pix2pixHD's G2 around G1: labels (B, kinds, h, w) -> pictures of twice G1's size.

    Its front end sees the map at full size and halves it once; G1's last map is added there; then
    a residual block and up. `inner` is G1, whose own last convolution is not used. The paper first
    trains G1, then the rest with G1 fixed (`inner.requires_grad_(False)`), then all.
    Source: Wang et al. 2018, section 3.2 and figure 3.
    """

    def __init__(self, inner: GlobalGenerator, width: int = 16, nc: int = 3):
        super().__init__()
        at_least_one(width=width, nc=nc)
        self.inner = instance("inner", inner, GlobalGenerator)
        a = inner.width
        self.front = nn.Sequential(*_normed(inner.kinds, width), *_normed(width, a, 2))
        self.back = nn.Sequential(
            Residual(a), nn.Upsample(scale_factor=2), *_normed(a, width),
            nn.Conv2d(width, nc, 3, padding=1, padding_mode="reflect"),
        )  # fmt: skip

    def forward(self, labels: Float[Tensor, "B kinds h w"]) -> Float[Tensor, "B nc 2size 2size"]:
        below = self.inner.features(labels)
        m = F.interpolate(labels, (2 * self.inner.size,) * 2, mode="nearest")
        return torch.tanh(self.back(self.front(m) + below).float())


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), edges reflected. Source: Johnson et al. 2016."""

    def __init__(self, channels: int):
        super().__init__()
        at_least_one(channels=channels)
        self.channels = channels
        self.net = nn.Sequential(*_normed(channels, channels), *_normed(channels, channels)[:2])

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        shaped("x", x, "B", self.channels, "h", "w", like=self.net[0].weight)
        return x + self.net(x)


# The discriminators, and one step


class ScaleDiscriminator(nn.Module):
    """Pictures and labels as channels -> what each layer answers, the scores of patches last."""

    def __init__(self, channels: int, widths: tuple[int, int] = (32, 64)):
        super().__init__()
        at_least_one(channels=channels)
        self.channels = channels
        a, b = wholes("widths", widths)
        self.layers = nn.ModuleList([
            nn.Sequential(
                nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, a, 4, 2, 1), nn.LeakyReLU(0.2)
            ),
            nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), InstanceNorm(b), nn.LeakyReLU(0.2)),
            nn.Sequential(nn.Conv2d(b, b, 3, padding=1), InstanceNorm(b), nn.LeakyReLU(0.2)),
            nn.Conv2d(b, 1, 3, padding=1),
        ])  # fmt: skip

    def forward(self, x: Float[Tensor, "B channels H W"]) -> list[Tensor]:
        shaped("x", x, "B", self.channels, "H", "W", like=self.layers[-1].weight)
        answers = []
        for layer in self.layers:
            x = layer(x)
            answers.append(x)
        return answers


class MultiScaleDiscriminator(nn.Module):
    """The same network, with weights of its own, at each of several sizes, each half the last.

    forward: pictures (B, nc, H, W) and labels -> for each scale what each layer answers. Halves are
    means of 3 × 3 in which the border does not count. Source: Wang et al. 2018, section 3.2.
    """

    def __init__(self, kinds: int = KINDS, nc: int = 3, scales: int = 2):
        super().__init__()
        at_least_one(kinds=kinds, nc=nc)
        whole("scales", scales, most=8)
        self.kinds = kinds
        self.scales = nn.ModuleList(ScaleDiscriminator(nc + kinds) for _ in range(scales))

    def forward(
        self, x: Float[Tensor, "B nc H W"], labels: Float[Tensor, "B kinds h w"]
    ) -> list[list[Tensor]]:
        weight = next(self.parameters())
        shaped("labels", labels, "B", self.kinds, "h", "w", like=weight)
        size = shaped("x", x, len(labels), "nc", "H", "W", like=labels).shape[2:]
        both = torch.cat([x, F.interpolate(labels, size, mode="nearest")], 1)
        answers = []
        for scale in self.scales:
            answers.append(scale(both))
            both = F.avg_pool2d(both, 3, 2, 1, count_include_pad=False)
        return answers


class LabelStep:
    """One step of a game about label maps: hinge loss, and `feature_matching` times `matching`.

    A batch is pictures, whose labels `land_kinds` reads; or (relief, pictures), whose relief is
    ignored. size: pictures are brought to size × size by means after their labels are read. Adam
    (0, 0.99), G at `lr`, D at `d_lr` or the same; both rates fall over `steps`. ema: an average of
    G's weights, in `.ema.model`. colours: of other kinds than the six. Returns d_loss, g_loss and
    matching.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: MultiScaleDiscriminator,
        lr: float = 1e-3,
        d_lr: float | None = None,
        matching: float = 10.0,
        steps: int | None = None,
        ema: float = 0.99,
        size: int | None = None,
        colours: Float[Tensor, "k 3"] | None = None,
    ):
        self.generator = instance("generator", generator, nn.Module)
        self.discriminator = instance("discriminator", discriminator, MultiScaleDiscriminator)
        self.matching = number("matching", matching, 0)
        number("ema", ema, 0, 1 - 1e-9)
        self.size = None if size is None else whole("size", size, most=4096)
        self.g_optimizer = _adam(generator, lr, (0.0, 0.99))
        self.d_optimizer = _adam(discriminator, lr if d_lr is None else d_lr, (0.0, 0.99))
        self.schedules = [_falling(o, steps) for o in (self.g_optimizer, self.d_optimizer)]
        self.ema = EMA(generator, ema)
        colours = land_colours() if colours is None else shaped("colours", colours, "k", 3)
        self.colours = colours.to(next(generator.parameters()).device)  # a copy is awaited
        self.precision = _precision(generator, discriminator)

    def __call__(self, batch: Tensor | tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        x = batch
        if not isinstance(batch, Tensor):
            x = several("batch", batch, instance, Tensor, count=2)[1]
        floats("batch", x, 4, like=next(self.generator.parameters()))
        labels = label_channels(_nearest(x, self.colours), len(self.colours))
        x = x if self.size is None else F.adaptive_avg_pool2d(x, self.size)
        with self.precision():
            fake, own = self._drawn(x, labels)
        shaped("batch", x, *fake.shape)
        losses = self._judge_learns(x, fake.detach(), labels)
        losses |= self._generator_learns(x, fake, labels, own)
        for schedule in self.schedules:
            schedule.step()
        return losses

    def _drawn(self, x: Tensor, labels: Tensor) -> tuple[Tensor, float | Tensor]:
        """The picture, and what else the generator pays"""
        return self.generator(labels).float(), 0.0

    def _judge_learns(self, x: Tensor, fake: Tensor, labels: Tensor) -> dict[str, Tensor]:
        answers = self._judge(torch.cat([x, fake]), torch.cat([labels, labels]))
        scores = [scale[-1].chunk(2) for scale in answers]
        loss = sum(LOSSES["hinge"].d_loss(real, made) for real, made in scores)
        _descend(loss, self.d_optimizer)
        return {"d_loss": loss.detach()}

    def _generator_learns(
        self, x: Tensor, fake: Tensor, labels: Tensor, own: float | Tensor
    ) -> dict[str, Tensor]:
        with frozen(self.discriminator):
            with torch.no_grad():
                real = self._judge(x, labels)
            answers = self._judge(fake, labels)
            fooled = sum(LOSSES["hinge"].g_loss(scale[-1]) for scale in answers)
            matched = feature_matching(real, answers)
        _descend(fooled + self.matching * matched + own, self.g_optimizer)
        return {"g_loss": fooled.detach(), "matching": matched.detach()}

    def _judge(self, x: Tensor, labels: Tensor) -> list[list[Tensor]]:
        with self.precision():
            answers = self.discriminator(x, labels)
        return [[layer.float() for layer in scale] for scale in answers]


# A style code (GauGAN)


class StyleEncoder(nn.Module):
    """Pictures (B, nc, size, size), size from 16 up, -> mu and logvar (B, nz) of their style.

    Its last map is averaged, so the code says what a picture looks like and not where.
    Source: Park et al. 2019, appendix A (there the last map is not averaged).
    """

    def __init__(self, nz: int = 8, width: int = 32, nc: int = 3):
        super().__init__()
        at_least_one(nz=nz, width=width, nc=nc)
        self.nc, self.nz = nc, nz
        self.net = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(4 * nc, width, 3, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, 2, 1), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.say = nn.Linear(2 * width, 2 * nz)

    def forward(self, x: Float[Tensor, "B nc H W"]) -> tuple[Tensor, Tensor]:
        shaped("x", x, "B", self.nc, "H", "W", like=self.say.weight)
        mu, logvar = self.say(self.net(x).mean((2, 3))).float().chunk(2, 1)
        return mu, logvar


class StylePainter(nn.Module):
    """SPADE's generator with a style code: labels (B, kinds, h, w), z (B, nz) -> pictures.

    z goes beside the labels, as channels that are the same everywhere, into each γ and β. The
    paper makes the first map of z. Here each norm is that of one picture, which takes away of a
    map what is the same everywhere. `encoder` answers mu and logvar of a style picture.
    Source: Park et al. 2019, section 3 (multi-modal synthesis) and appendix A.
    """

    def __init__(self, nz: int = 8, kinds: int = KINDS, widths: tuple[int, ...] = (64, 48)):
        super().__init__()
        at_least_one(nz=nz, kinds=kinds)
        self.kinds = kinds
        self.encoder = StyleEncoder(nz)
        self.generator = SpadeGenerator(kinds + nz, widths)

    def forward(
        self, labels: Float[Tensor, "B kinds h w"], z: Float[Tensor, "B nz"]
    ) -> Float[Tensor, "B 3 size size"]:
        weight = self.encoder.say.weight
        b, _, h, w = shaped("labels", labels, "B", self.kinds, "h", "w", like=weight).shape
        shaped("z", z, b, self.encoder.nz, like=weight)
        return self.generator(torch.cat([labels, z[:, :, None, None].expand(-1, -1, h, w)], 1))


class StyleStep(LabelStep):
    """`LabelStep` of a `StylePainter`: each picture is its own style; plus `kl` times the KL.

    z is drawn from N(mu, exp(logvar)) and KL(… ‖ N(0, I)) is that of lecture 02, its mean over the
    batch. Returns kl, in nats, too. Source: Park et al. 2019, appendix A (kl 0.05).
    """

    def __init__(
        self,
        generator: StylePainter,
        discriminator: MultiScaleDiscriminator,
        kl: float = 0.05,
        **options: Any,
    ):
        super().__init__(instance("generator", generator, StylePainter), discriminator, **options)
        self.kl = number("kl", kl, 0)

    def _drawn(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.generator.encoder(x)
        z = reparameterise(mu, logvar, torch.randn_like(mu))
        self.apart = kl_to_standard_normal(mu, logvar).mean()
        return self.generator(labels, z).float(), self.kl * self.apart

    def __call__(self, batch: Tensor | tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        return super().__call__(batch) | {"kl": self.apart.detach()}
