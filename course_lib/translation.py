"""From one kind of picture to another: conditional GAN, pix2pix, CycleGAN.

A conditional GAN tells both players the class. pix2pix (Isola et al. 2017) tells them a picture,
and needs its partner to learn from. CycleGAN (Zhu et al. 2017) needs no partner: two translations,
X → Y and Y → X, each of which must undo the other.

    G and F make small   E (D_Y(G(x)) − 1)² + E (D_X(F(y)) − 1)²  + λ L_cyc  + ½ λ L_id
    L_cyc  =  E |F(G(x)) − x| + E |G(F(y)) − y|,      L_id  =  E |G(y) − y| + E |F(x) − x|

The networks have the papers' parameters to the last one; three of their `layers` are computed in
another way, with the same values and faster on a CPU.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.optim.lr_scheduler import LambdaLR

from course_lib import dcgan, device, plots, shapes
from course_lib.checks import (
    DEPTH,
    SIZE,
    alike,
    at_least_one,
    beside,
    float_pictures,
    floats,
    instance,
    integers,
    number,
    one_of,
    present,
    random_source,
    shaped,
    whole,
)
from course_lib.data.imageset import Batches, ImageSet
from course_lib.gan import _adam, _answer, _descend, frozen
from course_lib.gan_losses import LOSSES
from course_lib.layers import FoldedConv, InstanceNorm, ReflectionPad
from course_lib.training import EMA

LEAST_SQUARES, LOG = LOSSES["least_squares"], LOSSES["non_saturating"]


# Conditional GAN: the class is told to both players


def condition_on_class(
    x: Float[Tensor, "B C *size"], labels: Int[Tensor, " B"], classes: int
) -> Float[Tensor, "B C+classes *size"]:
    """Codes or pictures with their class appended as channels: 1 all over the class's, else 0.

    Raises ValueError for labels of another number or outside 0 … classes − 1, TypeError for labels
    that are not whole numbers. Source: Mirza and Osindero 2014.
    """
    whole("classes", classes, most=SIZE), floats("x", x)
    if beside("labels", integers("labels", labels), x).shape != x.shape[:1]:
        raise ValueError(f"labels must be ({len(x)},), one a picture; got {tuple(labels.shape)}")
    if labels.device.type == "cpu" and not ((labels >= 0) & (labels < classes)).all():
        outside = sorted({*labels.tolist()} - {*range(classes)})
        raise ValueError(f"labels must lie in 0 … {classes - 1}; got {outside[0]}")
    told = labels[:, None] == torch.arange(classes, device=labels.device)  # (B, classes)
    told = told.to(x.dtype).view(*told.shape, *[1] * (x.ndim - 2))
    return torch.cat([x, told.expand(-1, -1, *x.shape[2:])], dim=1)


class ConditionalGenerator(nn.Module):
    """A DCGAN generator that is told the class: z (B, nz), labels (B,) -> pictures."""

    def __init__(self, classes: int, nz: int = 100, ngf: int = 64, nc: int = 3, size: int = 64):
        super().__init__()
        at_least_one(classes=classes, nz=nz)
        self.classes, self.nz = classes, nz
        self.net = dcgan.Generator(nz + classes, ngf, nc, size)

    def forward(self, z: Float[Tensor, "B nz"], labels: Int[Tensor, " B"]) -> Tensor:
        floats("z", z, like=next(self.parameters()))
        return self.net(condition_on_class(z, labels, self.classes))


class ConditionalDiscriminator(nn.Module):
    """A DCGAN discriminator that is told the class: x (B, nc, s, s), labels (B,) -> scores (B,)."""

    def __init__(self, classes: int, nc: int = 3, ndf: int = 64, size: int = 64):
        super().__init__()
        at_least_one(classes=classes, nc=nc)
        self.classes = classes
        self.net = dcgan.Discriminator(nc + classes, ndf, size)

    def forward(self, x: Float[Tensor, "B nc s s"], labels: Int[Tensor, " B"]) -> Tensor:
        return self.net(condition_on_class(x, labels, self.classes))


# The networks


class ResnetGenerator(nn.Module):
    """CycleGAN's generator: (B, in_channels, H, W) -> (B, out_channels, H, W), in [-1, 1].

    A convolution of 7, two that halve, `blocks` residual blocks, two that double, a convolution of
    7. Nine blocks for 256 × 256, six for 128 × 128. residual: the layers compute a change, and the
    output is x plus this change, cut to [-1, 1]; so it begins close to x. Raises ValueError for
    other channels, for sizes that are no multiples of 4, at least 8, and for a residual of other
    channels than x. Source: Zhu et al. 2017; Johnson et al. 2016.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        filters: int = 64,
        blocks: int = 9,
        residual: bool = False,
    ):
        super().__init__()
        at_least_one(in_channels=in_channels, out_channels=out_channels, filters=filters)
        whole("blocks", blocks, 0, most=DEPTH)
        if residual and in_channels != out_channels:
            raise ValueError(
                "residual needs as many channels out as in, to add a change to x; "
                f"got {in_channels} in and {out_channels} out"
            )
        self.in_channels, self.residual, f = in_channels, residual, filters
        self.layers = nn.Sequential(
            ReflectionPad(3),
            *_normed(nn.Conv2d(in_channels, f, 7)),
            *_normed(nn.Conv2d(f, 2 * f, 3, 2, 1)),
            *_normed(nn.Conv2d(2 * f, 4 * f, 3, 2, 1)),
            *(ResidualBlock(4 * f) for _ in range(blocks)),
            *_normed(nn.ConvTranspose2d(4 * f, 2 * f, 3, 2, 1, output_padding=1)),
            *_normed(nn.ConvTranspose2d(2 * f, f, 3, 2, 1, output_padding=1)),
            ReflectionPad(3),
            FoldedConv(f, out_channels, 7),
        )
        _init_weights(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B O H W"]:
        _check_pictures("x", x, self.in_channels, next(self.parameters()))
        if min(x.shape[2:]) < 8 or x.shape[2] % 4 or x.shape[3] % 4:
            h, w = x.shape[2:]
            raise ValueError(
                f"x must have a size in multiples of 4, at least 8: it is halved twice and doubled "
                f"twice; got {h} × {w}"
            )
        out = self.layers(x.contiguous()).float()  # bfloat16 would round to 1 early
        return (x + out).clamp(-1, 1) if self.residual else torch.tanh(out)


class ResidualBlock(nn.Module):
    """x + f(x), f two convolutions of 3 with reflected edges."""

    def __init__(self, channels: int):
        super().__init__()
        at_least_one(channels=channels)
        self.layers = nn.Sequential(
            ReflectionPad(1),
            *_normed(nn.Conv2d(channels, channels, 3)),
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        weight = self.layers[1].weight
        shaped("x", x, "B", len(weight), "H", "W", like=weight)
        return x + self.layers(x)


class UNetGenerator(nn.Module):
    """pix2pix's generator: (B, in_channels, H, W) -> (B, out_channels, H, W), in [-1, 1].

    `downs` convolutions halve, as many double, and each map on the way down is handed across to
    its like on the way up. Channels: filters · 1, 2, 4, 8, 8, … Sizes are multiples of 2^downs: 8
    downs take 256 × 256 to a single pixel, 6 take 64 × 64. norm: "batch" or "instance". dropout
    acts, as in the authors' code, on up to downs − 5 of the widest layers of the way up; it is
    pix2pix's only noise. Raises ValueError otherwise. Source: Isola et al. 2017, appendix.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        filters: int = 64,
        downs: int = 8,
        norm: str = "batch",
        dropout: float = 0.5,
    ):
        super().__init__()
        at_least_one(in_channels=in_channels, out_channels=out_channels, filters=filters)
        whole("downs", downs, 2, most=DEPTH), number("dropout", dropout, 0, 1)
        self.in_channels, self.downs = in_channels, downs
        bias = _norm_layer(norm) is InstanceNorm  # BatchNorm would take a bias away again
        widths = [filters * min(2**i, 8) for i in range(downs)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (inputs, width) in enumerate(zip([in_channels, *widths], widths, strict=False)):
            conv = nn.Conv2d(inputs, width, 4, 2, 1, bias=bias)
            bend = [nn.LeakyReLU(0.2)] if i > 0 else []
            inner = [_norm_layer(norm)(width)] if 0 < i < downs - 1 else []
            self.down.append(nn.Sequential(*bend, conv, *inner))
        for i in reversed(range(downs)):  # from the smallest map outwards
            inputs = widths[i] * (1 if i == downs - 1 else 2)
            outputs = widths[i - 1] if i > 0 else out_channels
            conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias or i == 0)
            outer = [_norm_layer(norm)(outputs)] if i > 0 else []
            outer += [nn.Dropout(dropout)] if 4 <= i < downs - 1 and dropout else []
            self.up.append(nn.Sequential(nn.ReLU(), conv, *outer))
        _init_weights(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B O H W"]:
        _check_pictures("x", x, self.in_channels, next(self.parameters()))
        h, w = x.shape[2:]
        if not (h and w) or h % 2**self.downs or w % 2**self.downs:
            raise ValueError(
                f"x must have a size in multiples of {2**self.downs}, as it is halved "
                f"{self.downs} times; got {h} × {w}"
            )
        maps = [x]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        x = self.up[0](maps.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([maps.pop(), x], dim=1))
        return torch.tanh(x.float())


class PatchDiscriminator(nn.Module):
    """Pictures (B, in_channels, H, W) -> scores (B, 1, h, w): a logit for each patch.

    `layers` convolutions of stride 2, two of stride 1, all of kernel 4. A score sees 16, 34, 70,
    142, 286 pixels for layers = 1 … 5; see `patch_output_size` for h and w. norm: "instance" as in
    CycleGAN, "batch" as in pix2pix, whose discriminator gets both pictures as channels. Raises
    ValueError for other channels and for pictures too small for one score. Source: Isola et al.
    2017, appendix.
    """

    def __init__(
        self, in_channels: int, filters: int = 64, layers: int = 3, norm: str = "instance"
    ):
        super().__init__()
        at_least_one(in_channels=in_channels, filters=filters)
        whole("layers", layers, most=DEPTH)
        self.in_channels, self.halvings = in_channels, layers
        normed = _norm_layer(norm)
        widths = [filters * min(2**i, 8) for i in range(layers + 1)]
        self.layers = nn.Sequential(nn.Conv2d(in_channels, filters, 4, 2, 1), nn.LeakyReLU(0.2))
        for i, (inputs, width) in enumerate(zip(widths, widths[1:], strict=False)):
            stride = 2 if i < layers - 1 else 1
            conv = nn.Conv2d(inputs, width, 4, stride, 1, bias=normed is InstanceNorm)
            self.layers.extend([conv, normed(width), nn.LeakyReLU(0.2)])
        self.layers.append(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        _init_weights(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 1 h w"]:
        _check_pictures("x", x, self.in_channels, next(self.parameters()))
        patch_output_size(tuple(x.shape[2:]), self.halvings)
        return self.layers(x.contiguous()).float()


def patch_output_size(size: int | tuple[int, int], layers: int = 3) -> int | tuple[int, int]:
    """How many scores a `PatchDiscriminator` gives along each axis: 30 for 256 pixels.

    An int gives an int, (h, w) gives (h, w). Raises ValueError where not even one fits.
    """
    made = size
    whole("layers", layers, 0, most=DEPTH)
    try:
        for kernel, stride in _patch_layers(layers):
            made = shapes.conv2d_size(made, kernel, stride, 1)
    except ValueError:
        smallest = 3 * 2**layers  # halved to 3, then 2, then 1
        raise ValueError(
            f"size must be at least {smallest} pixels for layers = {layers}; got {size}"
        ) from None
    return made


def patch_receptive_field(layers: int = 3) -> int:
    """How many pixels, along each axis, a score of a `PatchDiscriminator` sees: 70 for 3 layers."""
    return shapes.receptive_field(_patch_layers(layers))


def translate(net: nn.Module, x: Float[Tensor, "B C H W"], block: int = 64) -> Tensor:
    """What a trained generator makes of x: in evaluation mode, without gradients, in blocks."""
    whole("block", block), instance("net", net, nn.Module), present("x", floats("x", x, 4))
    return _answer(net, x.to(next(net.parameters()).dtype), [], block)


# Losses


def cycle_loss(
    x: Float[Tensor, "B C H W"], reconstructed: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """E |F(G(x)) − x|: the way there and back must end where it began.

    The mean over all numbers. Raises ValueError for two shapes. Source: Zhu et al. 2017, eq. 2.
    """
    return _l1("reconstructed", reconstructed, "x", x)


def identity_loss(
    y: Float[Tensor, "B C H W"], translated: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """E |G(y) − y|: a translation into Y leaves alone what is of Y already.

    The mean over all numbers. Raises ValueError for two shapes: the two kinds of picture must have
    as many channels. Source: Zhu et al. 2017, section 5.2.
    """
    return _l1("translated", translated, "y", y)


def pix2pix_loss(
    fake_scores: Float[Tensor, "B ..."],
    fake: Float[Tensor, "B C H W"],
    target: Float[Tensor, "B C H W"],
    l1: float = 100.0,
) -> Float[Tensor, ""]:
    """What pix2pix's generator makes small: −E log D(x, G(x)) + λ E |G(x) − y|, D = sigmoid(score).

    Means over all patches and all numbers. Raises ValueError for two shapes and for l1 below 0.
    Source: Isola et al. 2017, eq. 4, with the non-saturating loss that they train with.
    """
    number("l1", l1, 0)
    return LOG.g_loss(fake_scores) + l1 * _l1("fake", fake, "target", target)


def linear_decay(epoch: float, constant: float, decay: float) -> float:
    """What the learning rate is multiplied with, `epoch` epochs (or steps) after the start.

    1 for the first `constant`, then in a straight line to 0 over the next `decay`, and 0 after.
    Raises ValueError for numbers below 0 and for a decay of 0. Source: Zhu et al. 2017, who
    take 100 and 100 epochs.
    """
    number("epoch", epoch), number("constant", constant), number("decay", decay)
    if not (epoch >= 0 and constant >= 0 and decay > 0):
        raise ValueError(
            "epoch and constant must be at least 0, decay above 0; "
            f"got epoch {epoch}, constant {constant}, decay {decay}"
        )
    return 1.0 - min(max(epoch - constant, 0) / decay, 1.0)


# Pictures of the recent past


class ImageBuffer:
    """The last fakes, so that D is not led by the newest alone: each picture in gives one out.

    The first `capacity` come straight back and are kept. From then on, with probability ½, a
    picture changes places with an old one, drawn at random; else it comes straight back. What comes
    out carries no gradient. capacity = 0 keeps nothing. Raises ValueError for pictures of another
    shape than those before. Source: Shrivastava et al. 2017; Zhu et al. 2017, section 4.
    """

    def __init__(self, capacity: int = 50, generator: torch.Generator | None = None):
        whole("capacity", capacity, 0), random_source(generator)
        self.capacity, self.generator, self.images = capacity, generator, []

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        floats("images", images, 4)
        if self.images and self.images[0].shape != images.shape[1:]:
            kept, came = tuple(self.images[0].shape), tuple(images.shape[1:])
            raise ValueError(f"images must be as those in the buffer, {kept}; got {came}")
        if self.capacity == 0:
            return images.detach()
        # drawn on the CPU, so that nobody waits for the device
        lots = torch.rand(2, len(images), generator=self.generator, device="cpu").tolist()
        return torch.stack(list(map(self._exchange, images.detach(), *lots)))

    def _exchange(self, image: Tensor, swap: float, slot: float) -> Tensor:
        if len(self.images) < self.capacity:
            self.images.append(image.clone())
            return image
        if swap >= 0.5:
            return image
        i = int(slot * self.capacity)
        old, self.images[i] = self.images[i], image.clone()
        return old.to(image.device)

    def state_dict(self) -> dict:
        state = None if self.generator is None else self.generator.get_state()
        images = torch.stack(self.images) if self.images else torch.empty(0)
        return {"images": images, "generator": state}

    def load_state_dict(self, state: Mapping) -> None:
        if len(state["images"]) > self.capacity:
            raise ValueError(
                f"capacity is {self.capacity}, and the state has {len(state['images'])} images"
            )
        self.images = list(state["images"].clone())
        if self.generator is not None and state["generator"] is not None:
            self.generator.set_state(state["generator"])


# Batches of two kinds that do not belong together


class Unpaired(NamedTuple):
    """x of one kind and y of another: row i of x has nothing to do with row i of y."""

    x: Float[Tensor, "B C H W"]
    y: Float[Tensor, "B D H W"]


class UnpairedBatches:
    """Endless `Unpaired` batches; `state_dict` is their exact place."""

    def __init__(self, a: Batches, b: Batches):
        self.a, self.b = a, b

    def __iter__(self) -> "UnpairedBatches":
        return self

    def __next__(self) -> Unpaired:
        return Unpaired(next(self.a), next(self.b))

    def state_dict(self) -> dict:
        return {"a": self.a.state_dict(), "b": self.b.state_dict()}

    def load_state_dict(self, state: Mapping) -> None:
        self.a.load_state_dict(state["a"])
        self.b.load_state_dict(state["b"])


def unpaired(
    set_a: ImageSet,
    set_b: ImageSet,
    batch_size: int,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> UnpairedBatches:
    """Batches for `CycleGANStep`: batch_size pictures of each set, in orders of their own.

    The sets may differ in length; targets and labels are left out. Raises ValueError for pictures
    of two sizes and for a batch larger than one of the sets.
    """
    instance("set_a", set_a, ImageSet), instance("set_b", set_b, ImageSet)
    random_source(generator)
    if not isinstance(device, str | torch.device):
        raise TypeError(f"device must be the name of a device; got {device!r}")
    if set_a.images.shape[2:] != set_b.images.shape[2:]:
        sizes = " and ".join(f"{s.images.shape[2]} × {s.images.shape[3]}" for s in (set_a, set_b))
        raise ValueError(f"set_a and set_b must have pictures of one size; got {sizes}")
    if generator is None:
        generator = torch.Generator().manual_seed(torch.initial_seed())
    # one source of chance for both: sets of one length are not drawn in one order
    sets = (set_a, set_b)
    return UnpairedBatches(
        *(Batches(s.images, None, batch_size, device, generator, s.name) for s in sets)
    )


# One step of each method


class Pix2PixStep:
    """One step of pix2pix, for `train`: D learns from pairs, then G from D and from the target.

    generator(x) -> picture, discriminator(x and picture as channels) -> scores. A batch is a pair
    (x, target), as `ImageSet.batches` gives where there are targets. D's loss is halved. With
    adversarial=False G learns from L1 alone, and D not at all; with l1=0 from D alone.

    lr for both (Adam). schedule = (constant, decay), in steps: see `linear_decay`. ema: the decay
    of an average of G's weights, in `.ema.model`. Precision and who learns from what: as
    `gan.AdversarialStep`. Returns d_loss and g_loss where D plays, and l1_loss.
    Raises ValueError for unpaired data and for pictures that do not fit each other.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        l1: float = 100.0,
        adversarial: bool = True,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        schedule: tuple[int, int] | None = None,
        ema: float | None = None,
    ):
        instance("generator", generator, nn.Module)
        instance("discriminator", discriminator, nn.Module)
        number("l1", l1, 0), ema is None or number("ema", ema, 0, 1)
        if not adversarial and l1 == 0:
            raise ValueError("l1 must be above 0 where adversarial is False: G would learn nothing")
        self.generator, self.discriminator = generator, discriminator
        self.l1, self.adversarial = l1, adversarial
        self.g_optimizer = _adam(generator, lr, betas)
        self.d_optimizer = _adam(discriminator, lr, betas)
        playing = [self.g_optimizer, *[self.d_optimizer] * adversarial]
        self.schedulers = _schedulers(schedule, *playing)
        self.ema = None if ema is None else EMA(generator, ema)
        self.precision = _precision(generator, discriminator)
        self.shown = None

    def __call__(self, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        x, target = _pair(batch)
        self.shown = self.shown or (x[:8], target[:8])
        with self.precision():
            fake = self.generator(x).float()
        _same_shape("generator", fake, "target", target)
        losses = self.d_step(x, target, fake.detach()) if self.adversarial else {}
        losses |= self.g_step(x, target, fake)
        for scheduler in self.schedulers:
            scheduler.step()
        return losses

    def d_step(self, x: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """D learns which of (x, target) and (x, fake) is the pair; fake without G's graph."""
        loss = LOG.d_loss(self._judge(x, target), self._judge(x, fake)) / 2
        _descend(loss, self.d_optimizer)
        return {"d_loss": loss.detach()}

    def g_step(self, x: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """G learns from D, in which nothing changes, and from the target."""
        apart = (fake - target).abs().mean()
        losses = {"l1_loss": apart.detach()}
        if self.adversarial:
            with frozen(self.discriminator):
                loss = pix2pix_loss(self._judge(x, fake), fake, target, self.l1)
            losses["g_loss"] = loss.detach() - self.l1 * losses["l1_loss"]
        else:
            loss = self.l1 * apart
        _descend(loss, self.g_optimizer)
        return losses

    def samples(self):
        """What G makes of the first batch, beside the truth: for `train(…, watch=step.samples)`."""
        x, target = self.shown
        net = self.generator if self.ema is None else self.ema.model
        return plots.rows({"x": x, "G(x)": translate(net, x), "target": target})

    def _judge(self, x: Tensor, y: Tensor) -> Tensor:
        with self.precision():
            return self.discriminator(torch.cat([x, y], dim=1)).float()


class CycleGANStep:
    """One step of CycleGAN, for `train`: both generators learn, then both discriminators.

    generator_xy: X → Y, judged by discriminator_y; generator_yx: Y → X, by discriminator_x. A batch
    is (x, y), as `unpaired` gives. cycle: λ of the way back; identity: its share of λ. What has
    weight 0 is not computed. Least squares; D's loss is halved, and its fakes come from buffers of
    the last `buffer` fakes (0: the newest only).

    lr for all four (Adam). schedule = (constant, decay), in steps: see `linear_decay`. ema: the
    decay of averages of the generators' weights, in `.ema_xy.model` and `.ema_yx.model`. Nothing
    of D's changes in G's step, and no gradient of D's step reaches a generator. Convolutions run
    in bfloat16 where that pays. Returns g_loss, d_loss, cycle_loss, identity_loss, each summed over
    both directions.

    Batches that go through one network are put together, real with fake, x with y: without
    BatchNorm no picture feels another, so nothing changes but the time. Networks with BatchNorm
    get them one by one.

    Raises ValueError for pictures that do not fit, and for identity above 0 where X and Y differ
    in channels.
    """

    def __init__(
        self,
        generator_xy: nn.Module,
        generator_yx: nn.Module,
        discriminator_x: nn.Module,
        discriminator_y: nn.Module,
        *,
        cycle: float = 10.0,
        identity: float = 0.5,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        buffer: int = 50,
        schedule: tuple[int, int] | None = None,
        ema: float | None = None,
    ):
        for name, net in (("generator_xy", generator_xy), ("generator_yx", generator_yx)):
            instance(name, net, nn.Module)
        for name, net in (
            ("discriminator_x", discriminator_x),
            ("discriminator_y", discriminator_y),
        ):
            instance(name, net, nn.Module)
        number("cycle", cycle, 0), number("identity", identity, 0)
        ema is None or number("ema", ema, 0, 1), whole("buffer", buffer, 0)
        self.generator_xy, self.generator_yx = generator_xy, generator_yx
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y
        self.cycle, self.identity = cycle, cycle * identity
        generators = nn.ModuleList([generator_xy, generator_yx])
        discriminators = nn.ModuleList([discriminator_x, discriminator_y])
        self.g_optimizer = _adam(generators, lr, betas)
        self.d_optimizer = _adam(discriminators, lr, betas)
        self.schedulers = _schedulers(schedule, self.g_optimizer, self.d_optimizer)
        self.buffer_x, self.buffer_y = ImageBuffer(buffer), ImageBuffer(buffer)
        self.ema_xy = None if ema is None else EMA(generator_xy, ema)
        self.ema_yx = None if ema is None else EMA(generator_yx, ema)
        self.precision = _precision(generators, discriminators)
        self.shown = None

    def __call__(self, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        x, y = self._check(batch)
        self.shown = self.shown or (x[:8], y[:8])
        losses, fake_x, fake_y = self.g_step(x, y)
        losses |= self.d_step(x, y, self.buffer_x(fake_x), self.buffer_y(fake_y))
        for scheduler in self.schedulers:
            scheduler.step()
        return losses

    def g_step(self, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Both generators learn; the losses, and the fakes of X and of Y without their graphs."""
        weight = next(self.generator_xy.parameters())
        floats("x", x, 4, like=weight), floats("y", y, 4, like=weight)
        with self.precision(), frozen(self.discriminator_x), frozen(self.discriminator_y):
            more = self.identity > 0
            fake_y, *same_y = _through(self.generator_xy, x, *[y] * more)
            fake_x, *same_x = _through(self.generator_yx, y, *[x] * more)
            _same_shape("generator_xy", fake_y, "y", y)
            _same_shape("generator_yx", fake_x, "x", x)
            (scores_y,) = _through(self.discriminator_y, fake_y)
            (scores_x,) = _through(self.discriminator_x, fake_x)
            if self.cycle:
                (back_x,) = _through(self.generator_yx, fake_y)
                (back_y,) = _through(self.generator_xy, fake_x)
        loss = LEAST_SQUARES.g_loss(scores_y) + LEAST_SQUARES.g_loss(scores_x)
        losses, total = {"g_loss": loss}, loss
        if self.cycle:
            losses["cycle_loss"] = cycle_loss(x, back_x) + cycle_loss(y, back_y)
            total = total + self.cycle * losses["cycle_loss"]
        if more:
            losses["identity_loss"] = identity_loss(y, *same_y) + identity_loss(x, *same_x)
            total = total + self.identity * losses["identity_loss"]
        _descend(total, self.g_optimizer)
        losses = {name: value.detach() for name, value in losses.items()}
        return losses, fake_x.detach(), fake_y.detach()

    def d_step(self, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> dict[str, Tensor]:
        """Both discriminators learn, from fakes without graphs."""
        weight = next(self.discriminator_x.parameters())
        for name, some in (("x", x), ("y", y), ("fake_x", fake_x), ("fake_y", fake_y)):
            floats(name, some, 4, like=weight)
        with self.precision():
            scores_x = _through(self.discriminator_x, x, fake_x)
            scores_y = _through(self.discriminator_y, y, fake_y)
        loss = (LEAST_SQUARES.d_loss(*scores_x) + LEAST_SQUARES.d_loss(*scores_y)) / 2
        _descend(loss, self.d_optimizer)
        return {"d_loss": loss.detach()}

    def samples(self):
        """There and back, of the first batch, in rows: for `train(…, watch=step.samples)`."""
        averaged = self.ema_xy is not None
        there = self.ema_xy.model if averaged else self.generator_xy
        back = self.ema_yx.model if averaged else self.generator_yx
        x, y = self.shown
        to_y, to_x = translate(there, x), translate(back, y)
        named = {"x": x, "G(x)": to_y, "F(G(x))": translate(back, to_y)}
        return plots.rows(named | {"y": y, "F(y)": to_x, "G(F(y))": translate(there, to_x)})

    def _check(self, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        if not isinstance(batch, Sequence) or len(batch) != 2:
            raise ValueError("batch must be (x, y), pictures of both kinds, as `unpaired` gives")
        x, y = batch
        for name, pictures in (("x", x), ("y", y)):
            _check_pictures(name, pictures)
        if len(x) != len(y) or x.shape[2:] != y.shape[2:]:
            raise ValueError(
                "x and y must be as many and of one size; "
                f"got {tuple(x.shape)} and {tuple(y.shape)}"
            )
        if self.identity and x.shape[1] != y.shape[1]:
            raise ValueError(
                f"identity must be 0 where x has {x.shape[1]} channels and y {y.shape[1]}: "
                "a translation cannot leave alone what it cannot take"
            )
        return x, y


def _through(net: nn.Module, *batches: Tensor) -> list[Tensor]:
    """The batches through the network, in one go where no picture feels another."""
    if len(batches) == 1 or any(isinstance(module, _BatchNorm) for module in net.modules()):
        return [net(batch).float() for batch in batches]
    return list(net(torch.cat(batches)).float().split([len(batch) for batch in batches]))


def _precision(*nets: nn.Module) -> Callable:
    conv = any(isinstance(module, _ConvNd) for net in nets for module in net.modules())
    return device.choose().autocast if conv else nullcontext


def _schedulers(schedule: tuple[int, int] | None, *optimizers) -> list[LambdaLR]:
    if schedule is None:
        return []
    linear_decay(0, *schedule)  # refuses what it cannot use
    return [LambdaLR(o, lambda step: linear_decay(step, *schedule)) for o in optimizers]


# Parts of the networks


def _normed(conv: nn.Module) -> list[nn.Module]:
    return [conv, InstanceNorm(conv.out_channels), nn.ReLU(inplace=True)]


def _norm_layer(norm: str) -> type[nn.Module]:
    kinds = {"batch": nn.BatchNorm2d, "instance": InstanceNorm}
    one_of("norm", norm, kinds)
    return kinds[norm]


def _init_weights(net: nn.Module) -> None:
    """DCGAN's first weights, N(0, 0.02²), and biases of 0."""
    dcgan.init_weights(net)
    for layer in net.modules():
        if isinstance(layer, _ConvNd) and layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _patch_layers(layers: int) -> list[tuple[int, int]]:
    """(kernel, stride) of each convolution; the padding is 1."""
    layers = whole("layers", layers, most=DEPTH)
    return [(4, 2)] * layers + [(4, 1)] * 2


# What students get wrong


def _check_pictures(
    name: str, x: Tensor, channels: int | None = None, like: Tensor | None = None
) -> None:
    if (
        float_pictures(name, x).ndim != 4
        or not len(x)
        or (channels is not None and x.shape[1] != channels)
    ):
        wanted = f"(B, {channels or 'C'}, H, W)"
        raise ValueError(f"{name} must be {wanted} for this network; got {tuple(x.shape)}")
    floats(name, x, like=like)


def _pair(batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    if isinstance(batch, (Tensor, Unpaired)) or len(batch) != 2:
        raise ValueError(
            "batch must be (x, target), a picture and its partner: pix2pix learns from pairs, "
            "`set.paired_with(other).batches(…)`. CycleGANStep takes unpaired pictures"
        )
    x, target = batch
    _check_pictures("x", x)
    _check_pictures("target", target)
    if len(x) != len(target) or x.shape[2:] != target.shape[2:]:
        raise ValueError(
            "x and target must be as many and of one size; "
            f"got {tuple(x.shape)} and {tuple(target.shape)}"
        )
    return x, target


def _same_shape(net: str, made: Tensor, name: str, wanted: Tensor) -> None:
    if made.shape != wanted.shape:
        raise ValueError(
            f"{net} must make pictures as {name}, {tuple(wanted.shape)}; "
            f"it made {tuple(made.shape)}"
        )


def _l1(name: str, made: Tensor, wanted_name: str, wanted: Tensor) -> Float[Tensor, ""]:
    return (alike(name, made, wanted_name, wanted) - wanted).abs().mean()
