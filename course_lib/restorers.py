"""Networks that restore, the networks that judge them, and one training step for all.

`RRDBNet` enlarges (ESRGAN's generator), `PriorRestorer` steers a face generator (GFP-GAN),
`Denoiser` is one step of a diffusion model, `Filler` closes holes (a context encoder), `FusionNet`
joins two sensors. `PictureDiscriminator` scores whole pictures, `UNetDiscriminator` every pixel
(Real-ESRGAN). `RestorationStep` trains any of them against pixels, features and a discriminator,
each with its weight.

Sources: as in `restoration`; Pathak et al. 2016 (context encoder); Schönfeld et al. 2020 (U-Net D).
"""

import copy
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.optim.lr_scheduler import LambdaLR

from course_lib import device, plots
from course_lib.checks import (
    DEPTH,
    at_least_one,
    finite,
    floats,
    function,
    instance,
    number,
    one_of,
    random_source,
    several,
    shaped,
    whole,
    wholes,
)
from course_lib.diffusion import Diffusion
from course_lib.gan import _adam, frozen
from course_lib.restoration import (
    SLOPE,
    dense_block,
    enlarge,
    modulate_half,
    pan_sharpen,
    perceptual_loss,
    relativistic_losses,
)
from course_lib.styles import StyleGenerator, doubled
from course_lib.training import EMA

FAST = torch.channels_last
normed = parametrizations.spectral_norm


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3 × 3, or 4 × 4 where it halves the map."""
    return nn.Conv2d(inputs, outputs, 3 if stride == 1 else 4, stride, 1)


def _bend() -> nn.Module:
    return nn.LeakyReLU(SLOPE)


# Enlarging


class DenseBlock(nn.Module):
    """ESRGAN's residual dense block: `dense_block` with five convolutions of `growth` maps."""

    def __init__(self, width: int = 64, growth: int = 32, beta: float = 0.2):
        super().__init__()
        at_least_one(width=width, growth=growth)
        self.beta = number("beta", beta)
        outputs = [growth] * 4 + [width]
        self.convs = nn.ModuleList(_conv(width + i * growth, n) for i, n in enumerate(outputs))
        for conv in self.convs:  # a tenth of the usual start: section 3.1, "residual scaling"
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data.mul_(0.1)
            nn.init.zeros_(conv.bias)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        shaped("x", x, "B", self.convs[-1].out_channels, "h", "w")
        return dense_block(x, self.convs, self.beta)


class RRDB(nn.Module):
    """Three dense blocks within a shortcut of their own: x + β (blocks(x))."""

    def __init__(self, width: int = 64, growth: int = 32, beta: float = 0.2):
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth, beta) for _ in range(3)))
        self.beta = beta

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        return x + self.beta * self.blocks(x)


class RRDBNet(nn.Module):
    """ESRGAN's generator: pictures (B, 3, h, w) to four times their size, (B, 3, 4h, 4w).

    Almost all work is done on maps of h × w. As published, with light=False, nearest neighbours
    and convolutions of full width make the last two doublings. light=True folds channels out into
    pixels and adds the enlarged input (bicubic): a third of the work, for CPUs.

    Source: Wang et al. 2018, section 3.1: 64 maps, growth 32, 23 blocks.
    """

    def __init__(self, width: int = 64, growth: int = 32, blocks: int = 23, light: bool = False):
        super().__init__()
        at_least_one(width=width, growth=growth), whole("blocks", blocks, most=DEPTH)
        self.first = _conv(3, width)
        self.body = nn.Sequential(
            *(RRDB(width, growth) for _ in range(blocks)), _conv(width, width)
        )
        if light:
            up = [_conv(width, 4 * width), nn.PixelShuffle(2), _bend()]
            last = [_conv(width, width), _bend(), _conv(width, 12), nn.PixelShuffle(2)]
            last[2].weight.data.mul_(0.1)
            nn.init.zeros_(last[2].bias)
        else:
            up = [nn.Upsample(scale_factor=2), _conv(width, width), _bend()]
            up += [nn.Upsample(scale_factor=2), _conv(width, width), _bend()]
            last = [_conv(width, width), _bend(), _conv(width, 3)]
        self.up, self.light = nn.Sequential(*up, *last), light

    def forward(self, y: Float[Tensor, "B 3 h w"]) -> Float[Tensor, "B 3 H W"]:
        shaped("y", y, "B", 3, "h", "w", like=self.first.weight)
        h = self.first(y.to(memory_format=FAST))
        x = self.up(h + self.body(h)).float()
        return (x + enlarge(y, 4) if self.light else x).contiguous()


def renumbered(net: RRDBNet, generator: torch.Generator | None = None) -> RRDBNet:
    """A copy of the network with its feature maps in another, random order.

    It computes the same function: every layer that writes the maps and every layer that reads them
    is put in the same new order. Raises TypeError for another network.
    Source: Ainsworth et al. 2023 (Git Re-Basin), section 2.
    """
    net = copy.deepcopy(instance("net", net, RRDBNet))
    blocks = [block for part in net.body[:-1] for block in part.blocks]
    writing = [net.first, net.body[-1], *(block.convs[-1] for block in blocks)]
    reading = [net.body[-1], next(layer for layer in net.up if isinstance(layer, nn.Conv2d))]
    reading += [conv for block in blocks for conv in block.convs]
    random_source(generator)
    width = net.first.out_channels
    order = torch.randperm(width, generator=generator)
    with torch.no_grad():
        for conv in writing:
            conv.weight.copy_(conv.weight[order]), conv.bias.copy_(conv.bias[order])
        for conv in reading:  # of a dense block: the maps come first, its own after them
            conv.weight[:, :width] = conv.weight[:, :width][:, order]
    return net


# Judging


class PictureDiscriminator(nn.Module):
    """One score a picture, (B, 3, size, size) → (B,): strided convolutions of spectral norm 1."""

    def __init__(self, size: int = 32, width: int = 32):
        super().__init__()
        size, width = whole("size", size, 8, most=1024), whole("width", width, most=1024)
        if size % 8:
            raise ValueError(f"size must be a multiple of 8; got {size}")
        layers = [nn.PixelUnshuffle(2), normed(_conv(12, width)), _bend()]
        layers += [normed(_conv(width, 2 * width, 2)), _bend()]
        layers += [normed(_conv(2 * width, 3 * width, 2)), _bend(), nn.Flatten()]
        self.size = size
        self.layers = nn.Sequential(*layers, nn.Linear(3 * width * (size // 8) ** 2, 1))

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, " B"]:
        shaped("x", x, "B", 3, self.size, self.size, like=self.layers[-1].weight)
        return self.layers(x.to(memory_format=FAST)).flatten()


class UNetDiscriminator(nn.Module):
    """A score for each pixel, (B, 3, H, W) → (B, 1, H, W), by a U-Net of spectral norm 1.

    fold = 2 works on 2 × 2 pixels at once and gives a score for each such square. Sides: multiples
    of 8 fold. Source: Wang et al. 2021, section 3.3 (width 64, fold 1: 4,376,897 weights).
    """

    def __init__(self, width: int = 64, fold: int = 1):
        super().__init__()
        at_least_one(width=width, fold=fold)
        self.fold, w = whole("fold", fold, most=8), width
        self.first, self.last = _conv(3 * fold**2, w), _conv(w, 1)
        down = ((w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w))
        up = ((8 * w, 4 * w), (4 * w, 2 * w), (2 * w, w))
        self.down = nn.ModuleList(normed(nn.Conv2d(a, b, 4, 2, 1, bias=False)) for a, b in down)
        self.up = nn.ModuleList(normed(nn.Conv2d(a, b, 3, 1, 1, bias=False)) for a, b in up)
        self.end = nn.ModuleList(normed(nn.Conv2d(w, w, 3, 1, 1, bias=False)) for _ in range(2))

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 h w"]:
        h, w = shaped("x", x, "B", 3, "H", "W", like=self.first.weight).shape[2:]
        if h % (8 * self.fold) or w % (8 * self.fold):
            raise ValueError(f"x must have sides in multiples of {8 * self.fold}; got {(h, w)}")
        x = F.pixel_unshuffle(x, self.fold).to(memory_format=FAST)
        maps = [F.leaky_relu(self.first(x), SLOPE)]
        for conv in self.down:
            maps.append(F.leaky_relu(conv(maps[-1]), SLOPE))
        y = maps.pop()
        for conv in self.up:
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            y = F.leaky_relu(conv(y), SLOPE) + maps.pop()
        for conv in self.end:
            y = F.leaky_relu(conv(y), SLOPE)
        return self.last(y)


# A prior


class ResidualBlock(nn.Module):
    """x + convolution, leaky ReLU, convolution."""

    def __init__(self, width: int):
        super().__init__()
        at_least_one(width=width)
        self.body = nn.Sequential(_conv(width, width), _bend(), _conv(width, width))

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        weight = self.body[0].weight
        return x + self.body(shaped("x", x, "B", weight.shape[1], "h", "w", like=weight))


class PriorRestorer(nn.Module):
    """GFP-GAN in small: pictures of 8 × 8 steer a face generator that stays as it is.

    A few convolutions read y. From them come a w for each layer of the generator, around `w_mean`,
    and, with modulate=True, a scale and a shift for half of its maps at 8 × 8 and 16 × 16
    (`modulate_half`), both 0 at the start. The generator is no part of the weights: only the
    reader learns. Source: Wang et al. 2021b, section 3.

    Raises ValueError for a generator without maps at 8 × 8.
    """

    def __init__(self, generator: StyleGenerator, width: int = 48, modulate: bool = True):
        super().__init__()
        instance("generator", generator, StyleGenerator), at_least_one(width=width)
        if len(generator.rgbs) < 2:
            raise ValueError("generator must have maps at 8 × 8; it ends at 4 × 4")
        self.prior = [generator.eval().requires_grad_(False)]  # in a list: no part of the state
        self.read = nn.Sequential(
            _conv(3, width), _bend(), ResidualBlock(width), ResidualBlock(width)
        )
        layers = [
            _conv(width, width, 2),
            _bend(),
            nn.Flatten(),
            nn.Linear(16 * width, 128),
            _bend(),
        ]
        self.code = nn.Sequential(*layers, nn.Linear(128, generator.layers * generator.w))
        nn.init.zeros_(self.code[-1].weight)
        self.code[-1].bias.data.copy_(generator.w_mean.repeat(generator.layers))
        self.turns, self.ups = nn.ModuleList(), nn.ModuleList()
        for rgb in generator.rgbs[1:] if modulate else ():
            turn = _conv(width, 2 * (rgb.weight.shape[1] // 2))
            nn.init.zeros_(turn.weight), nn.init.zeros_(turn.bias)
            self.turns.append(turn)
        for _ in self.turns[1:]:
            up = nn.Sequential(_conv(width, 4 * width), nn.PixelShuffle(2), _bend())
            self.ups.append(up.append(ResidualBlock(width)))

    def _apply(self, *args, **options):
        """To another device or precision goes the prior too."""
        for prior in self.prior:
            prior._apply(*args, **options)
        return super()._apply(*args, **options)

    def forward(self, y: Float[Tensor, "B 3 8 8"]) -> Float[Tensor, "B 3 H W"]:
        shaped("y", y, "B", 3, 8, 8, like=self.read[0].weight)
        (prior,) = self.prior
        maps = self.read(y.to(memory_format=FAST))
        ws = self.code(maps).view(len(y), prior.layers, prior.w).float()
        x = prior.const.expand(len(y), -1, -1, -1).contiguous(memory_format=FAST)
        x = prior.convs[0](x, ws[:, 0], None)
        picture = prior._unfolded(prior.rgbs[0](x, ws[:, 1]))
        for i in range(1, len(prior.rgbs)):
            x = prior.convs[2 * i - 1](x, ws[:, 2 * i - 1], None)
            if self.turns:
                maps = self.ups[i - 2](maps) if i > 1 else maps
                scale, shift = self.turns[i - 1](maps).to(x.dtype).chunk(2, 1)
                x = modulate_half(x, scale, shift)
            x = prior.convs[2 * i](x, ws[:, 2 * i], None)
            picture = doubled(picture) + prior._unfolded(prior.rgbs[i](x, ws[:, 2 * i + 1]))
        return picture.contiguous()


# Noise, holes and two sensors


class Denoiser(nn.Module):
    """One step of a diffusion model as a network: y = x + σ noise → x̂₀, its estimate of E[x | y].

    The model predicts the velocity v; with ᾱ = 1 / (1 + σ²) and x_t = √ᾱ y this is
    x̂₀ = √ᾱ x_t − √(1 − ᾱ) v, as in `restoration.denoise` with one step, but neither clamped nor
    without gradients: the model is part of the weights and may be trained on. σ > 0.
    Source: Salimans and Ho 2022, appendix D (v).
    """

    def __init__(self, diffusion: Diffusion, model: nn.Module, sigma: float):
        super().__init__()
        instance("diffusion", diffusion, Diffusion)
        self.model = instance("model", model, nn.Module)
        self.level = 1 / (1 + number("sigma", sigma, above=0) ** 2)
        self.t = int((diffusion.alpha_bar - self.level).abs().argmin())

    def forward(self, y: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        weight = next(self.model.parameters(), None)
        x = self.level**0.5 * shaped("y", y, "B", "C", "H", "W", like=weight)
        v = self.model(x, torch.full((len(y),), self.t, device=y.device))
        return self.level**0.5 * x - (1 - self.level) ** 0.5 * v


class Filler(nn.Module):
    """A context encoder: (B, 4, 32, 32), a picture and its hole → the picture, the hole filled.

    The hole (1) is set to 0 before the network sees the picture; what is known comes back as it is.
    Maps of 16 × 16, 8 × 8 and 4 × 4, a dense layer in the middle so that every place hears of all
    others, and the way back with shortcuts. Source: Pathak et al. 2016.
    """

    def __init__(self, width: int = 48, middle: int = 64):
        super().__init__()
        at_least_one(width=width, middle=middle)
        w, deep = width, 2 * width
        self.at16 = nn.Sequential(nn.PixelUnshuffle(2), _conv(16, w), _bend(), _conv(w, w), _bend())
        self.at8 = nn.Sequential(_conv(w, deep, 2), _bend(), _conv(deep, deep), _bend())
        self.at4 = nn.Sequential(_conv(deep, deep, 2), _bend())
        self.all = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * deep, middle), _bend(), nn.Linear(middle, 16 * deep),
            _bend(), nn.Unflatten(1, (deep, 4, 4)),
        )  # fmt: skip
        self.to8 = nn.Sequential(_conv(deep, 4 * deep), nn.PixelShuffle(2), _bend())
        self.to16 = nn.Sequential(_conv(deep, 4 * w), nn.PixelShuffle(2), _bend())
        self.out = nn.Sequential(_conv(w, w), _bend(), _conv(w, 12), nn.PixelShuffle(2))

    def forward(self, seen: Float[Tensor, "B 4 32 32"]) -> Float[Tensor, "B 3 32 32"]:
        shaped("seen", seen, "B", 4, 32, 32, like=self.at16[1].weight)
        x, hole = seen[:, :3], seen[:, 3:]
        shown = torch.cat([torch.where(hole > 0, torch.zeros_like(x), x), hole], 1)
        fine = self.at16(shown.to(memory_format=FAST))
        middle = self.at8(fine)
        coarse = self.all(self.at4(middle))
        made = self.out(self.to16(self.to8(coarse) + middle) + fine).float()
        return torch.where(hole > 0, made, x).contiguous()


class FusionNet(nn.Module):
    """Colours and a grey picture, (B, 4, H, W) with colours enlarged → colours (B, 3, H, W).

    What it learns is added to `pan_sharpen` with the sensor's weights. Sides: even.
    """

    def __init__(self, weights: Sequence[float], width: int = 32):
        super().__init__()
        at_least_one(width=width)
        weights = several("weights", weights, number, count=3)
        self.register_buffer("weights", torch.tensor(weights))
        layers = [nn.PixelUnshuffle(2), _conv(16, width), _bend(), _conv(width, width), _bend()]
        layers += [_conv(width, width), _bend(), _conv(width, 12), nn.PixelShuffle(2)]
        layers[-2].weight.data.mul_(0.1)
        nn.init.zeros_(layers[-2].bias)
        self.layers = nn.Sequential(*layers)

    def forward(self, seen: Float[Tensor, "B 4 H W"]) -> Float[Tensor, "B 3 H W"]:
        shaped("seen", seen, "B", 4, "H", "W", like=self.weights)
        more = self.layers(seen.to(memory_format=FAST)).float()
        return pan_sharpen(seen[:, :3], seen[:, 3:], self.weights) + more.contiguous()


# Training


class RestorationStep:
    """One step: x → y = damage(x) → z = net(y), pulled towards x in up to three ways.

    damage(x) → y, or (y, x') where only a part of x is to be restored. loss: "l1" or "mse", times
    `pixels`. trunk, taps: a fixed network for `perceptual_loss`, times `features`; both pictures
    are cropped by a pixel at random, else the trunk's strides print their grid into the result.
    discriminator: learns first, on both pictures with noise of spread 0.05, by
    `relativistic_losses`; then its half of G's loss is added, times `adversary`.

    steps: after so many the learning rate has gone to 0, along a cosine; None keeps it. ema: decay
    of the average of the weights, in `.ema.model`.

    Returns the parts of the loss by name, and d_loss. `pull(x)` says how hard each part pulls.
    Raises ValueError for a loss of another name, TypeError for what is no network.
    """

    def __init__(
        self,
        net: nn.Module,
        damage: Callable,
        *,
        loss: str = "l1",
        pixels: float = 1.0,
        trunk: nn.Module | None = None,
        taps: Sequence[int] = (1, 4, 7),
        features: float = 1.0,
        discriminator: nn.Module | None = None,
        adversary: float = 0.005,
        lr: float = 1e-3,
        d_lr: float = 4e-4,
        steps: int | None = None,
        ema: float = 0.99,
    ):
        self.net, self.damage = instance("net", net, nn.Module), damage
        function("damage", damage), one_of("loss", loss, ("l1", "mse"))
        for name, value in {"pixels": pixels, "features": features, "adversary": adversary}.items():
            number(name, value, 0)
        self.loss, self.pixels, self.features, self.adversary = loss, pixels, features, adversary
        self.trunk = [] if trunk is None else [instance("trunk", trunk, nn.Module)]
        self.taps = wholes("taps", taps, 0)
        for fixed in self.trunk:
            fixed.eval().requires_grad_(False)
        self.discriminator = discriminator
        self.optimizer = _adam(net, lr, (0.9, 0.99))
        if discriminator is not None:
            instance("discriminator", discriminator, nn.Module)
            self.d_optimizer = _adam(discriminator, d_lr, (0.5, 0.99))
        end = math.inf if steps is None else whole("steps", steps)
        self.schedule = LambdaLR(
            self.optimizer, lambda i: 0.5 + 0.5 * math.cos(math.pi * min(1, i / end))
        )
        self.ema = EMA(net, number("ema", ema, 0, 1 - 1e-9))
        self.precision = device.choose().autocast
        self.shown: tuple[Tensor, Tensor] | None = None

    @property
    def weight(self) -> Tensor | None:
        """One of the network's, whose device and precision pictures must have."""
        return next(self.net.parameters(), None)

    def __call__(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        y, x = self.pair(x)
        with self.precision():
            made = self.net(y).float()
        told = {} if self.discriminator is None else {"d_loss": self.d_step(x, made.detach())}
        parts = self.parts(x, made)
        self.optimizer.zero_grad()
        sum(parts.values()).backward()
        self.optimizer.step()
        self.schedule.step()
        self.shown = y[:16].detach(), x[:16].detach()
        return {name: part.detach() for name, part in parts.items()} | told

    @torch.no_grad()
    def pair(self, x: Float[Tensor, "B C H W"]) -> tuple[Tensor, Tensor]:
        """(y, x) of a batch."""
        damaged = self.damage(floats("x", x, 4, like=self.weight))
        return damaged if isinstance(damaged, tuple) else (damaged, x)

    def parts(self, x: Tensor, made: Tensor) -> dict[str, Tensor]:
        """The weighted parts of the loss of `made`, by name."""
        floats("x", x, 4, like=self.weight)
        shaped("made", made, *x.shape, like=self.weight)
        error = made - x
        distance = error.abs().mean() if self.loss == "l1" else error.square().mean()
        parts = {self.loss: self.pixels * distance} if self.pixels else {}
        for trunk in self.trunk:
            top, left = torch.randint(2, (2,)).tolist()
            h, w = x.shape[2] - 1, x.shape[3] - 1
            crops = (v[..., top : top + h, left : left + w] for v in (made, x))
            with self.precision():
                parts["features"] = self.features * perceptual_loss(*crops, trunk, self.taps)
        if self.discriminator is not None:
            with frozen(self.discriminator):
                fake = self.score(made)
                with torch.no_grad():
                    real = self.score(x)
                parts["adversary"] = self.adversary * relativistic_losses(real, fake)[1]
        return parts

    def d_step(self, x: Tensor, made: Tensor) -> Float[Tensor, ""]:
        """D learns to tell x from `made`, which comes without the network's graph."""
        floats("x", x, 4, like=self.weight), floats("made", made, 4, like=self.weight)
        loss, _ = relativistic_losses(self.score(x), self.score(made))
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()
        return loss.detach()

    def score(self, x: Tensor) -> Float[Tensor, " n"]:
        """D's scores of x with a little noise, which keeps D from telling by the last digit.

        In float32: on a GPU, torch's spectral norm mixes precisions under autocast, and fails.
        """
        floats("x", x, 4, like=self.weight)
        return self.discriminator(x + 0.05 * torch.randn_like(x)).flatten()

    def pull(self, x: Float[Tensor, "B C H W"]) -> dict[str, float]:
        """‖∂ part / ∂ picture‖ of each part of the loss, per picture: who decides?"""
        y, x = self.pair(x)
        with torch.no_grad():
            made = self.net(y).float()
        made.requires_grad_()
        pulls = {}
        for name, part in self.parts(x, made).items():
            (slope,) = torch.autograd.grad(part, made, retain_graph=True)
            pulls[name] = len(x) * slope.flatten(1).norm(dim=1).mean().item()
        return pulls

    def samples(self):
        """What the averaged network makes of the last batch: for `train(…, watch=step.samples)`."""
        if self.shown is None:
            raise ValueError("no pictures yet: call the step on a batch first")
        y, x = self.shown
        made, seen = restore(self.ema.model, y), F.interpolate(y[:, :3], x.shape[2:])
        return plots.rows({"seen": seen, "restored": made, "true": x})


@torch.no_grad()
def restore(net: nn.Module, y: Float[Tensor, "B C h w"], block: int = 86) -> Tensor:
    """What a restorer makes of pictures, block by block, held in [-1, 1]."""
    weight = next(instance("net", net, nn.Module).parameters(), None)
    finite("y", floats("y", y, 4, like=weight)), whole("block", block)
    with device.choose().autocast():
        return torch.cat([net(part).float() for part in y.split(block)]).clamp(-1, 1)
