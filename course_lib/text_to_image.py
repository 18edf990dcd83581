"""From a sentence to a picture, three ways that came one after the other.

- StackGAN: a discriminator that also reads, and two generators: a small picture of the sentence,
  then a correction of its enlargement, for which the sentence is read again (Zhang et al. 2017).
- Optimised codes: nothing is trained; the codes of a picture climb towards a text in the eyes of a
  contrastive network (Crowson et al. 2022, VQGAN-CLIP).
- Diffusion in codes by cross-attention: each place of the map asks the words, at each step
  (Rombach et al. 2022).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import dcgan, device, unet
from course_lib.attention import CrossAttention
from course_lib.autoencoders import kl_to_standard_normal, reparameterise
from course_lib.checks import (
    DEPTH,
    MANY,
    at_least_one,
    below,
    finite,
    floats,
    function,
    instance,
    integers,
    number,
    present,
    random_source,
    several,
    shaped,
    whole,
    wholes,
)
from course_lib.codebooks import VQAutoencoder, nearest_code, straight_through
from course_lib.contrastive import PictureTextModel, TextEncoder, real_words
from course_lib.diffusion import DROP, FLOW_TIME, FlowStep, flow_loss, flow_sample
from course_lib.gan import frozen
from course_lib.tokens import nothing
from course_lib.training import EMA
from course_lib.words import LENGTH, tokeniser

# StackGAN: a discriminator that reads


def matching_loss(
    real_right: Float[Tensor, " B"],
    fake_right: Float[Tensor, " B"],
    real_wrong: Float[Tensor, " B"],
) -> Float[Tensor, ""]:
    """What a discriminator that reads minimises; all three are logits.

    −E log D(x, s) − ½ [E log(1 − D(G(s), s)) + E log(1 − D(x, s'))],   s' a sentence of another x

    Without the third term nothing would ask it to read. Raises ValueError for shapes that disagree.
    Source: Reed et al. 2016, algorithm 1.
    """
    scores = {"real_right": real_right, "fake_right": fake_right, "real_wrong": real_wrong}
    n = len(shaped("real_right", real_right, "B"))
    for name, value in scores.items():
        finite(name, shaped(name, value, n), wait=False)
    wrong = F.softplus(fake_right).mean() + F.softplus(real_wrong).mean()
    return F.softplus(-real_right).mean() + wrong / 2


class ConditioningAugmentation(nn.Module):
    """A vector of a sentence (B, text) -> a draw around it (c, mu, logvar), (B, dim) each.

    c = μ + σ ε, so that one sentence is a cloud of conditions and those of two sentences overlap.
    Source: Zhang et al. 2017, section 3.2.
    """

    def __init__(self, text: int = 64, dim: int = 48):
        super().__init__()
        at_least_one(text=text, dim=dim)
        self.dim, self.layer = dim, nn.Linear(text, 2 * dim)

    def forward(
        self, told: Float[Tensor, "B text"], noise: Float[Tensor, "B dim"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        shaped("told", told, "B", self.layer.in_features, like=self.layer.weight)
        shaped("noise", noise, len(told), self.dim, like=self.layer.weight)
        mu, logvar = self.layer(told).float().chunk(2, dim=1)
        return reparameterise(mu, logvar, noise), mu, logvar


class StageOne(nn.Module):
    """(told (B, text), z (B, nz)) -> (pictures (B, nc, size, size), mu, logvar).

    The first `dim` numbers of z are the noise of the augmentation, the rest is the generator's own:
    nz = dim + 32. The picture comes from `dcgan.Generator`.
    """

    def __init__(self, text: int = 64, dim: int = 48, ngf: int = 32, nc: int = 3, size: int = 32):
        super().__init__()
        at_least_one(text=text, dim=dim, ngf=ngf, nc=nc, size=size)
        self.augment, self.nz = ConditioningAugmentation(text, dim), dim + 32
        self.paint = dcgan.Generator(self.nz, ngf, nc, size)

    def forward(self, told: Tensor, z: Float[Tensor, "B nz"]) -> tuple[Tensor, Tensor, Tensor]:
        shaped("told", told, "B", self.augment.layer.in_features, like=self.augment.layer.weight)
        shaped("z", z, len(told), self.nz, like=told)
        noise, own = z.split([self.augment.dim, self.nz - self.augment.dim], dim=1)
        c, mu, logvar = self.augment(told, noise)
        return self.paint(torch.cat([c, own], dim=1)), mu, logvar


class StageTwo(nn.Module):
    """(small (B, nc, s, s), told (B, text), z (B, nz)) -> (pictures (B, nc, 2s, 2s), mu, logvar).

    A map of s / 2 × s / 2 places, each of 2 × 2 pixels, in which the sentence stands beside each
    place; blocks that look around; then twice as large, with the small picture beside it, and twice
    again. What comes out is added to the small picture without its details, 0 at first: grain of
    the first stage has to be drawn again to stay. s is even. Pixels are doubled and then convolved:
    no checkerboard. Source: Zhang et al. 2017, section 3.4, who add nothing and draw all anew.
    """

    def __init__(self, text: int = 64, dim: int = 48, width: int = 64, nc: int = 3):
        super().__init__()
        at_least_one(text=text, dim=dim, width=width, nc=nc)
        self.augment, self.nz = ConditioningAugmentation(text, dim), dim
        self.look = nn.Sequential(nn.PixelUnshuffle(2), _conv(4 * nc, width))
        self.mix = _conv(width + dim, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv(width, width), _conv(width, width)) for _ in range(2)
        )
        self.twice, self.detail = nn.Upsample(scale_factor=2), _conv(width + nc, width // 2)
        self.out = nn.Sequential(
            _conv(width // 2, width // 2), nn.Conv2d(width // 2, nc, 3, padding=1)
        )
        nn.init.zeros_(self.out[-1].weight)
        nn.init.zeros_(self.out[-1].bias)

    def forward(
        self, small: Tensor, told: Tensor, z: Float[Tensor, "B nz"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        weight = self.out[-1].weight
        s = shaped("small", small, "B", len(weight), "s", "s", like=weight).shape[-1]
        if s % 2:
            raise ValueError(f"small must have an even side; got {s}")
        shaped("told", told, len(small), self.augment.layer.in_features, like=weight)
        shaped("z", z, len(small), self.nz, like=weight)
        c, mu, logvar = self.augment(told, z)
        seen = self.look(small)
        said = c[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        h = self.mix(torch.cat([seen, said], dim=1))
        for block in self.blocks:
            h = h + block(h)
        h = self.detail(torch.cat([self.twice(h), small], dim=1))
        plain = F.interpolate(F.avg_pool2d(small, 2), scale_factor=4, mode="bilinear")
        return plain + self.out(self.twice(h)).float(), mu, logvar


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))


class TextDiscriminator(nn.Module):
    """(pictures, told (B, text)) -> scores (B,): real, and fits the sentence?

    `look` makes a map of 4 × 4 of the picture, as `dcgan.Discriminator`; `judge` puts the sentence
    beside each place of it. noise as there. Source: Reed et al. 2016; Zhang et al. 2017.
    """

    def __init__(
        self, text: int = 64, ndf: int = 32, nc: int = 3, size: int = 32, noise: float = 0.0
    ):
        super().__init__()
        at_least_one(text=text, ndf=ndf, nc=nc, size=size), number("noise", noise, 0)
        judge = dcgan.Discriminator(nc, ndf, size, first_batchnorm=True)
        self.shape, self.noise, self.look_layers = (nc, size, size), noise, judge.layers[:-1]
        width, start = judge.layers[-1].in_channels, judge.layers[-1].kernel_size
        self.read = nn.Sequential(nn.Linear(text, 32), nn.LeakyReLU(0.2))
        self.both = nn.Sequential(
            nn.Conv2d(width + 32, width, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, start)
        )

    def look(self, x: Float[Tensor, "B nc H W"]) -> Float[Tensor, "B C 4 4"]:
        shaped("x", x, "B", *self.shape, like=self.read[0].weight)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        return self.look_layers(x)

    def judge(self, seen: Tensor, told: Float[Tensor, "B text"]) -> Float[Tensor, " B"]:
        weight, (start, _) = self.read[0].weight, self.both[-1].kernel_size
        shaped("seen", seen, "B", self.both[0].in_channels - 32, start, start, like=weight)
        shaped("told", told, len(seen), weight.shape[1], like=weight)
        said = self.read(told)[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        return self.both(torch.cat([seen, said.to(seen.dtype)], dim=1)).flatten().float()

    def forward(self, x: Tensor, told: Tensor) -> Float[Tensor, " B"]:
        shaped("x", x, "B", *self.shape), floats("told", told)
        return self.judge(self.look(x), told)


class StackStep:
    """One round of StackGAN: batches (pictures, encoded sentences); of either stage.

    `reader` puts sentences into vectors and learns nothing. first: for the second stage, the first
    one, which then draws the small pictures and learns nothing either. kl: the weight of the
    augmentation's KL. ema: the decay of an average of G's weights, in `.ema.model`. steps: in the
    second half of so many both rates fall to a fiftieth. Who learns from what is as in
    `gan.AdversarialStep`. Returns d_loss, g_loss and kl.
    """

    def __init__(
        self,
        generator: StageOne | StageTwo,
        discriminator: TextDiscriminator,
        reader: PictureTextModel,
        first: StageOne | None = None,
        lr: float = 5e-4,
        d_lr: float | None = None,
        kl: float = 0.05,
        ema: float = 0.995,
        steps: int | None = None,
    ):
        instance("generator", generator, StageOne | StageTwo)
        instance("discriminator", discriminator, TextDiscriminator)
        instance("reader", reader, nn.Module), instance("first", first, StageOne | None)
        number("lr", lr, 0), number("kl", kl, 0), number("ema", ema, 0, 1)
        if d_lr is not None:
            number("d_lr", d_lr, 0)
        if isinstance(generator, StageTwo) != (first is not None):
            raise ValueError("first must be given for a StageTwo, and only for it")
        self.generator, self.discriminator, self.kl = generator, discriminator, kl
        self.reader = reader.eval().requires_grad_(False)
        self.first = None if first is None else first.eval().requires_grad_(False)
        self.ema = EMA(generator, ema)
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(net.parameters(), rate, betas=(0.5, 0.999))
            for net, rate in ((generator, lr), (discriminator, lr if d_lr is None else d_lr))
        )
        total = None if steps is None else whole("steps", steps)
        self.schedules = [
            torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda n: min(1.0, 2.02 - 2 * n / total) if total else 1.0
            )
            for optimizer in (self.g_optimizer, self.d_optimizer)
        ]

    def __call__(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        (x, text), net = several("batch", batch, instance, Tensor), self.discriminator
        shaped("batch", x, "B", *net.shape, like=net.read[0].weight), integers("batch", text)
        told = sentence_vectors(self.reader, text)
        with device.choose().autocast():
            fake, mu, logvar = draw_stage(self.generator, told, self.first)
            fake = fake.float()
            real = net.look(x)
            d_loss = matching_loss(
                net.judge(real, told), net(fake.detach(), told), net.judge(real, told.roll(1, 0))
            )
        _descend(d_loss, self.d_optimizer)
        with device.choose().autocast(), frozen(net):
            g_loss = F.softplus(-net(fake, told)).mean()
        kl = kl_to_standard_normal(mu, logvar).mean()
        _descend(g_loss + self.kl * kl, self.g_optimizer)
        for schedule in self.schedules:
            schedule.step()
        losses = {"d_loss": d_loss, "g_loss": g_loss, "kl": kl}
        return {name: loss.detach() for name, loss in losses.items()}


@torch.no_grad()
def sentence_vectors(
    reader: PictureTextModel, text: Int[Tensor, "B length"]
) -> Float[Tensor, "B dim"]:
    """What StackGAN is told: the sentence in the contrastive network's space, of length √dim."""
    instance("reader", reader, nn.Module), integers("text", text)
    return reader.read(text) * reader.dim**0.5


def draw_stage(
    stage: StageOne | StageTwo,
    told: Float[Tensor, "B text"],
    first: StageOne | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(pictures, mu, logvar) of a stage from fresh noise; of the second, what `first` draws."""
    instance("stage", stage, StageOne | StageTwo), instance("first", first, StageOne | None)
    floats("told", told), random_source(generator)
    if first is None:
        return stage(told, _noise(len(told), stage.nz, told, generator))
    with torch.no_grad():
        small = draw_stage(first, told, None, generator)[0].float()
    return stage(small, told, _noise(len(told), stage.nz, told, generator))


def _noise(n: int, d: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    where = like.device if generator is None else generator.device
    return torch.randn(n, d, generator=generator, device=where).to(like.device)


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# Codes that climb towards a text


def cutouts(
    x: Float[Tensor, "B C H W"], n: int, generator: torch.Generator | None = None
) -> Float[Tensor, "nB C H W"]:
    """n looks at each picture: zoomed in by up to 1 / 0.65, moved, a little noisy.

    Row i · B + b is look i at picture b. A picture that only pleases from one exact distance is no
    picture. Raises ValueError for n below 1. Source: Crowson et al. 2022, section 3.2.
    """
    shaped("x", x, "B", "C", "H", "W"), whole("n", n, most=MANY), random_source(generator)
    x, where = x.repeat(n, 1, 1, 1), x.device if generator is None else generator.device
    u = torch.rand(len(x), 3, generator=generator, device=where).to(x)
    size = 1 - 0.35 * u[:, 0]
    theta = torch.zeros(len(x), 2, 3, device=x.device, dtype=x.dtype)
    theta[:, 0, 0], theta[:, 1, 1] = size, size
    theta[:, :, 2] = 1.3 * (1 - size)[:, None] * (2 * u[:, 1:] - 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    looks = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    noise = torch.randn(looks.shape, generator=generator, device=where).to(x)
    return looks + 0.1 * noise


def climb(
    model: PictureTextModel,
    text: Int[Tensor, "B length"],
    start: Float[Tensor, "B C H W"],
    autoencoder: VQAutoencoder | None = None,
    steps: int = 60,
    looks: int = 0,
    lr: float | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "B C H W"], list[float]]:
    """Pictures changed by Adam until `model` finds the text in them, and the mean cosine each step.

    With an autoencoder its codes move, rounded to the codebook at each step; without, the pixels
    of `start`. looks: how many `cutouts` are judged in place of the whole picture. lr: 0.15 for
    codes and 0.05 for pixels unless given. Raises ValueError for another number of pictures than of
    sentences. Source: Crowson et al. 2022 (VQGAN-CLIP).
    """
    instance("model", model, PictureTextModel), integers("text", text)
    whole("steps", steps, 0, most=MANY), whole("looks", looks, 0, most=MANY)
    random_source(generator)
    if lr is not None:
        number("lr", lr, above=0)
    shaped("start", start, "n", *model.shape, like=model.log_scale)
    finite("start", present("start", start))
    if len(start) != len(text):
        raise ValueError(f"start must be {len(text)}, a picture a sentence; got {len(start)}")
    with torch.no_grad():
        goal = model.read(text)
        moving = (start if autoencoder is None else autoencoder.encode(start)).clone()
    moving.requires_grad_()
    optimizer = torch.optim.Adam([moving], lr or (0.05 if autoencoder is None else 0.15))

    def shown() -> Tensor:
        if autoencoder is None:
            return moving.clamp(-1, 1)
        book = autoencoder.codebook
        q = book.look_up(nearest_code(moving.detach(), book.book.detach()))
        return autoencoder.decoder(straight_through(moving, q.detach())).float()

    cosines = []
    for _ in range(steps):
        x = shown()
        seen = model.see(cutouts(x, looks, generator) if looks else x)
        cosine = (seen * goal.repeat(max(looks, 1), 1)).sum(1)
        (moving.grad,) = torch.autograd.grad(-cosine.sum() / max(looks, 1), moving)
        optimizer.step()
        cosines.append(cosine.mean().item())
    with torch.no_grad():
        return shown().clamp(-1, 1), cosines


# Diffusion that reads


class TextUNet(nn.Module):
    """(z (B, channels, h, w), t (B,), text (B, length)) -> velocity, with the shape of z.

    A row of residual blocks on one map, as codes of 8 × 8 need no smaller one; after each the
    places ask the words, read by a transformer of its own, and in the middle each other. Without
    text it hears nothing, `unconditional(text)`, as it does for one sentence in ten in training.

    `code_mean` and `code_std` turn the codes of an autoencoder into z: see `measure_codes`.
    Raises ValueError for other channels. Source: Rombach et al. 2022, section 3.3.
    """

    def __init__(
        self,
        words: int | None = None,
        channels: int = 8,
        width: int = 64,
        blocks: int = 4,
        told: int = 64,
        length: int = LENGTH,
    ):
        super().__init__()
        words = len(tokeniser()) if words is None else words
        at_least_one(words=words, channels=channels, width=width, told=told, length=length)
        whole("blocks", blocks, most=DEPTH)
        self.channels, self.width, self.length = channels, width, length
        self.reader = TextEncoder(words, told, length=length)
        hidden = 2 * width
        self.time = nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(unet.Block(width, hidden) for _ in range(blocks))
        self.ask = nn.ModuleList(CrossAttention(width, told) for _ in range(blocks))
        self.among = nn.ModuleList(unet.Attention(width) for _ in range(blocks - 1))
        self.leave = nn.Sequential(
            nn.GroupNorm(width // 16, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)
        )
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)
        self.register_buffer("code_mean", torch.zeros(channels, 1, 1))
        self.register_buffer("code_std", torch.ones(channels, 1, 1))

    def forward(
        self,
        z: Float[Tensor, "B channels h w"],
        t: Float[Tensor, " B"],
        text: Int[Tensor, "B length"] | None = None,
        maps: list[Tensor] | None = None,
    ) -> Float[Tensor, "B channels h w"]:
        """maps: a list to which each block appends who asked what, (B, h·w, length)."""
        shaped("z", z, "B", self.channels, "h", "w", like=self.enter.weight)
        unet._check_times(t, z), instance("maps", maps, list | None)
        if text is None:
            text = nothing(torch.zeros(len(z), self.length, dtype=torch.int64, device=z.device))
        if len(integers("text", text)) != len(z):
            raise ValueError(f"text must be {len(z)}, a sentence each; got {len(text)}")
        words, real = self.reader(text), real_words(text)
        told = F.silu(self.time(unet.timestep_embedding(t, self.width)))
        h = self.enter(z)
        for i, (block, ask) in enumerate(zip(self.blocks, self.ask, strict=True)):
            h, weights = ask(block(h, told), words, real, return_weights=True)
            if maps is not None:
                maps.append(weights)
            if i < len(self.among):
                h = self.among[i](h, told)
        return self.leave(h).float()

    def unconditional(self, text: Int[Tensor, "B length"]) -> Int[Tensor, "B length"]:
        """Sentences without a word."""
        return nothing(text)

    @torch.no_grad()
    def measure_codes(self, z: Float[Tensor, "n channels h w"]) -> None:
        """Notes the mean and spread of each channel of an autoencoder's codes."""
        z = finite("z", present("z", shaped("z", z, "n", self.channels, "h", "w")))
        self.code_mean.copy_(z.mean((0, 2, 3))[:, None, None])
        self.code_std.copy_(z.std((0, 2, 3))[:, None, None])


class TextFlowStep(FlowStep):
    """`diffusion.FlowStep` of a `TextUNet`: batches (codes of pictures, encoded sentences).

    Codes are an autoencoder's, before rounding. A sentence is hidden as a whole, one in ten: with a
    word less "no glasses" would say "glasses". decode: codes -> pictures, for `samples`.
    """

    def __init__(
        self,
        model: TextUNet,
        decode: Callable[[Tensor], Tensor],
        *,
        lr: float = 1.5e-3,
        ema: float = 0.998,
        steps: int | None = None,
    ):
        instance("model", model, TextUNet), function("decode", decode), number("ema", ema, 0, 1)
        super().__init__(model, lr=lr, ema=ema, steps=steps, middle=True)
        self.decode = decode

    def loss(self, model: TextUNet, x: Tensor, labels: Tensor) -> Tensor:
        instance("model", model, TextUNet)
        shaped("x", x, "B", model.channels, "h", "w", like=model.enter.weight)
        words = model.reader.word.weight
        below("labels", labels, len(words), len(x), "length", like=words)
        silent = torch.rand(len(x), 1, device=x.device) < DROP
        text = torch.where(silent, nothing(labels), labels)
        z = (x - model.code_mean) / model.code_std
        return flow_loss(lambda zt, t: model(zt, t, text), z, middle=True)

    def _parts(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, None]:
        return batch[0], batch[1], None

    def sample(self, model: TextUNet, shape, labels, generator) -> Tensor:
        instance("model", model, TextUNet), integers("labels", labels, 2)
        wholes("shape", shape), random_source(generator)
        z = flow_sample(model, shape, labels, 2.0, generator, steps=20)
        return self.decode(z * model.code_std + model.code_mean)


@torch.no_grad()
def draw_flow(
    net: TextUNet,
    autoencoder: VQAutoencoder,
    text: Int[Tensor, "B length"],
    generator: torch.Generator | None = None,
    guidance: float = 2.0,
    steps: int = 20,
    rounded: bool = True,
) -> Float[Tensor, "B C H W"]:
    """Pictures of sentences: noise along the learned velocities to codes, decoded, in [-1, 1].

    guidance: w of `diffusion.guided_noise`. rounded=False decodes the codes as they are.
    """
    instance("net", net, TextUNet), instance("autoencoder", autoencoder, VQAutoencoder)
    integers("text", text, 2), number("guidance", guidance), whole("steps", steps, most=MANY)
    random_source(generator)
    shape = (len(text), net.channels, autoencoder.side, autoencoder.side)
    z = flow_sample(net, shape, text, guidance, generator, steps=steps)
    z = z * net.code_std + net.code_mean
    if rounded:
        return autoencoder.pictures(nearest_code(z, autoencoder.codebook.book))
    return autoencoder.decoder(z).float().clamp(-1, 1)


@torch.no_grad()
def word_maps(
    net: TextUNet,
    codes: Float[Tensor, "B channels h w"],
    text: Int[Tensor, "B length"],
    t: float = 0.5,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "B length h w"]:
    """Where each word of a sentence is heard: the mean attention of all blocks at the time t.

    `codes` are those of a picture, noised to t (0 the picture, 1 noise). Of each place the weights
    of all words add up to 1. Raises ValueError for a t outside [0, 1].
    """
    instance("net", net, TextUNet), integers("text", text, 2), random_source(generator)
    shaped("codes", codes, len(text), net.channels, "h", "w", like=net.enter.weight)
    number("t", t, 0, 1)
    z = (codes - net.code_mean) / net.code_std
    where = z.device if generator is None else generator.device
    noise = torch.randn(z.shape, generator=generator, device=where).to(z)
    maps: list[Tensor] = []
    net((1 - t) * z + t * noise, torch.full((len(z),), FLOW_TIME * t, device=z.device), text, maps)
    return torch.stack(maps).mean(0).transpose(1, 2).unflatten(2, z.shape[2:])
