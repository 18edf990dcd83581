"""The game of two players: a generator makes, a discriminator judges, and both learn from it.

    min_G max_D  V(D, G) = E log D(x) + E log(1 − D(G(z)))        (Goodfellow et al. 2014)

`AdversarialStep` is one round of it for `training.train`, and serves every GAN of the course. The
rest is what lecture 03 looks at the game with: the best D there is, divergences, small networks,
modes that are covered, and the game of one number against one number, whose orbit can be drawn.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from course_lib import device, plots
from course_lib.autoencoders import slerp
from course_lib.checks import (
    DEPTH,
    MANY,
    SIZE,
    alike,
    at_least_one,
    finite,
    floats,
    instance,
    is_whole,
    number,
    present,
    random_source,
    several,
    shaped,
    whole,
)
from course_lib.gan_losses import (
    LOSSES,
    BeganBalance,
    Loss,
    clip_weights,
    gradient_penalty,
    reconstruction_error,
)
from course_lib.training import EMA

__all__ = [
    "AdversarialStep",
    "Coverage",
    "Frame",
    "MLPDiscriminator",
    "MLPGenerator",
    "ToyDiscriminator",
]
__all__ += ["ToyGenerator", "dirac_gan", "jensen_shannon", "latent_arithmetic"]
__all__ += ["modes_covered"]
__all__ += ["nearest_neighbours", "optimal_discriminator", "sample", "slerp"]
__all__ += ["frozen", "snapshot"]


# One round of the game


class AdversarialStep:
    """One step of Algorithm 1: D learns `d_steps` times, then G once.

    generator(z, *labels) -> pictures, discriminator(x, *labels) -> scores. A batch is pictures x,
    or a tuple (x, labels, …) whose rest goes to both players. It is shared out among the d_steps:
    for 5 steps on 64 pictures each, ask for batches of 320. z ~ N(0, I), (B, nz), where nz is
    `generator.nz` unless it is given.

    loss: a name in `LOSSES` or a `Loss`; its penalty, clipping and balance are taken care of.
    g_loss(fake_scores) and d_loss(real_scores, fake_scores) replace its two functions; a g_loss may
    also stand in the place of `loss`, with d_loss after it.
    lr for both players (Adam), or g_lr and d_lr. ema: the decay of an average of G's weights, kept
    in `.ema.model` and then drawn by `samples`.

    Who learns from what:
    - D's step sends nothing into G: no gradient, and G's running statistics stand still, except
      for the last of the d_steps, whose fakes are those that G then learns from.
    - G's step changes nothing in D: no gradient reaches D's weights. D judges as in its own step,
      by the statistics of the batch, but its running statistics stand still.
    So in one step G's running statistics move once, D's twice for each of its steps (data, then
    fakes: DCGAN keeps the two batches apart).

    Convolutional networks run in bfloat16 where that pays; losses, the penalty and networks
    without convolutions in float32. Returns d_loss, g_loss, and the penalty or BEGAN's convergence.
    Raises ValueError for an unknown loss, fakes of another shape than the data, labels of another
    number, a batch too small to share out, and BatchNorm on a single picture.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: str | Loss | Callable = "non_saturating",
        d_loss: Callable | None = None,
        *,
        g_loss: Callable | None = None,
        d_steps: int = 1,
        lr: float = 2e-4,
        g_lr: float | None = None,
        d_lr: float | None = None,
        betas: tuple[float, float] = (0.5, 0.999),
        ema: float | None = None,
        nz: int | None = None,
    ):
        instance("generator", generator, nn.Module)
        instance("discriminator", discriminator, nn.Module)
        whole("d_steps", d_steps), number("lr", lr, 0)
        g_lr is None or number("g_lr", g_lr, 0), d_lr is None or number("d_lr", d_lr, 0)
        ema is None or number("ema", ema, 0, 1)
        self.generator, self.discriminator, self.d_steps = generator, discriminator, d_steps
        self.loss = _loss(loss, g_loss, d_loss)
        self.balance = BeganBalance() if self.loss.autoencoder else None
        self.g_optimizer = _adam(generator, lr if g_lr is None else g_lr, betas)
        self.d_optimizer = _adam(discriminator, lr if d_lr is None else d_lr, betas)
        self.ema = None if ema is None else EMA(generator, ema)
        self.nz = _nz(generator, nz)
        self.fixed = latents(64, self.nz, torch.Generator().manual_seed(0))
        self.fixed_labels: list[Tensor] = []
        self.smallest = d_steps * (2 if _has(_BatchNorm, self) else 1)
        conv = _has(_ConvNd, self)  # where bfloat16 is worth it
        self.precision = device.choose().autocast if conv else nullcontext

    def __call__(self, batch: Tensor | Sequence[Tensor]) -> dict[str, Tensor]:
        batch = [batch] if isinstance(batch, Tensor) else list(instance("batch", batch, Sequence))
        self._check(batch)
        shares = list(zip(*(part.tensor_split(self.d_steps) for part in batch), strict=True))
        for real, *labels in shares[:-1]:
            with torch.no_grad(), frozen(self.generator):
                fake = self.fake(len(real), labels)
            self.d_step(real, fake, labels)
        real, *labels = shares[-1]
        self.fixed_labels = [part[: len(self.fixed)] for part in labels]
        fake = self.fake(len(real), labels)
        losses = self.d_step(real, fake.detach(), labels)
        return losses | self.g_step(fake, labels)

    def fake(self, n: int, labels: Sequence[Tensor] = ()) -> Tensor:
        """n pictures from fresh noise, with G's graph behind them."""
        whole("n", n, most=SIZE), instance("labels", labels, Sequence)
        where = next(self.generator.parameters()).device
        with self.precision():
            return self.generator(torch.randn(n, self.nz, device=where), *labels).float()

    def d_step(self, real: Tensor, fake: Tensor, labels: Sequence[Tensor] = ()) -> dict:
        """D learns to tell real from fake, which must come without G's graph (`.detach()`)."""
        weight = next(self.discriminator.parameters())
        floats("real", real, like=weight), floats("fake", fake, like=weight)
        instance("labels", labels, Sequence)
        if fake.shape != real.shape:
            raise ValueError(
                f"generator must make pictures as the data, {tuple(real.shape)}; "
                f"fake is {tuple(fake.shape)}"
            )
        real_scores, fake_scores = self._judge(real, labels), self._judge(fake, labels)
        if self.balance is not None:
            loss = self.loss.d_loss(real_scores, fake_scores, self.balance.k.to(real.device))
            told = {"convergence": self.balance.update(real_scores, fake_scores)}
        else:
            loss, told = self.loss.d_loss(real_scores, fake_scores), {}
        losses, total = {"d_loss": loss.detach()}, loss
        if self.loss.penalty_points is not None:
            penalty = self._penalty(real, fake, labels)
            total = loss + self.loss.penalty_weight * penalty
            told["penalty"] = penalty.detach()
        _descend(total, self.d_optimizer)
        if self.loss.clip is not None:
            clip_weights(self.discriminator, self.loss.clip)
        return losses | told

    def g_step(self, fake: Tensor, labels: Sequence[Tensor] = ()) -> dict:
        """G learns from what D says of its fakes; nothing in D changes."""
        floats("fake", fake, like=next(self.discriminator.parameters()))
        instance("labels", labels, Sequence)
        with frozen(self.discriminator):
            loss = self.loss.g_loss(self._judge(fake, labels))
        _descend(loss, self.g_optimizer)
        return {"g_loss": loss.detach()}

    def samples(self):
        """What G makes of always the same noise, as a sheet: for `train(…, watch=step.samples)`."""
        net = self.generator if self.ema is None else self.ema.model
        z = self.fixed[: len(self.fixed_labels[0])] if self.fixed_labels else self.fixed
        return plots.grid(_answer(net, z, self.fixed_labels), columns=16)

    def _judge(self, x: Tensor, labels: Sequence[Tensor]) -> Tensor:
        with self.precision():
            answer = self.discriminator(x, *labels).float()
        return reconstruction_error(x, answer) if self.loss.autoencoder else answer

    def _penalty(self, real: Tensor, fake: Tensor, labels: Sequence[Tensor]) -> Tensor:
        """In float32: second derivatives in bfloat16 are noise. D's statistics stand still."""
        points = self.loss.penalty_points(real, fake)
        with _statistics_kept(self.discriminator):
            return gradient_penalty(lambda x: self.discriminator(x, *labels), points)

    def _check(self, batch: list[Tensor]) -> None:
        floats("batch", batch[0] if batch else None, like=next(self.discriminator.parameters()))
        lengths = [len(part) for part in batch]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"labels must be as many as the pictures, {lengths[0]}; got {lengths[1:]}"
            )
        if lengths[0] < self.smallest:
            raise ValueError(
                f"batch must hold at least {self.smallest} pictures for d_steps = {self.d_steps} "
                f"(BatchNorm needs 2 a step); got {lengths[0]}"
            )


def frozen(net: nn.Module) -> AbstractContextManager[None]:
    """Inside, `net` answers as before but learns nothing: no gradient reaches its weights, and
    BatchNorm goes by the batch while its running statistics stand still. Gradients pass through.
    """
    return _frozen(instance("net", net, nn.Module))


@contextmanager
def _frozen(net: nn.Module) -> Iterator[None]:
    weights = [weight for weight in net.parameters() if weight.requires_grad]
    with _statistics_kept(net):
        for weight in weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in weights:
                weight.requires_grad_(True)


@contextmanager
def _statistics_kept(net: nn.Module) -> Iterator[None]:
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False  # in training: go by the batch and note nothing
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def _loss(loss: Any, g_loss: Callable | None, d_loss: Callable | None) -> Loss:
    if callable(loss):
        loss, g_loss = "non_saturating", loss
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}; got {loss!r}")
        loss = LOSSES[loss]
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be a name, a Loss or a function; got {type(loss).__name__}")
    return dataclasses.replace(loss, g_loss=g_loss or loss.g_loss, d_loss=d_loss or loss.d_loss)


def _nz(generator: nn.Module, nz: int | None) -> int:
    nz = getattr(generator, "nz", None) if nz is None else nz
    if not is_whole(nz) or nz < 1:
        raise ValueError(f"nz must say how many numbers of noise the generator takes; got {nz!r}")
    return nz


def _has(kind: type, step: AdversarialStep) -> bool:
    nets = (step.generator, step.discriminator)
    return any(isinstance(module, kind) for net in nets for module in net.modules())


def _adam(net: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    number("lr", lr, 0), several("betas", betas, number, 0, 1, count=2)
    weights = list(net.parameters())
    fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
    return torch.optim.Adam(weights, lr, tuple(map(float, betas)), fused=fused)  # (0, 0.9) too


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# Drawing from a generator


def latents(n: int, nz: int, generator: torch.Generator | None = None) -> Float[Tensor, "n nz"]:
    """n draws of z ~ N(0, I)."""
    at_least_one(n=n, nz=nz), random_source(generator)
    place = None if generator is None else generator.device
    return torch.randn(n, nz, generator=generator, device=place)


def sample(
    net: nn.Module,
    n: int,
    *,
    labels: Int[Tensor, " n"] | None = None,
    nz: int | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n ..."]:
    """n draws from the generator `net`, in evaluation mode and without gradients.

    labels: the class of each, for a generator that takes them. nz as in `AdversarialStep`.
    """
    whole("n", n)
    if labels is not None and len(labels) != n:
        raise ValueError(f"labels must be {n}, one a picture; got {len(labels)}")
    z = latents(n, _nz(net, nz), generator)
    return _answer(net, z, [] if labels is None else [labels])


@torch.no_grad()
def _answer(net: nn.Module, z: Tensor, labels: Sequence[Tensor], block: int = 512) -> Tensor:
    where = next(net.parameters()).device
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        blocks = zip(*(part.split(block) for part in (z, *labels)), strict=True)
        return torch.cat([net(*(part.to(where) for part in parts)).float() for parts in blocks])
    finally:
        for module, training in modes:
            module.training = training


# The best discriminator, and what it measures


def optimal_discriminator(p: Float[Tensor, "..."], q: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """D*(x) = p(x) / (p(x) + q(x)), the best answer to data of density p and fakes of density q.

    Where both are 0 any answer is as good; it says ½. Densities, or probabilities, at the same
    points, at least 0. Raises ValueError otherwise. Source: Goodfellow et al. 2014, proposition 1.
    """
    _check_densities(p, q)
    total = p + q
    return torch.where(total > 0, p / torch.where(total > 0, total, 1), 0.5)


def jensen_shannon(
    p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"], dx: float = 1.0
) -> Float[Tensor, "*batch"]:
    """The Jensen-Shannon divergence in nats, from 0 (equal) to log 2 (nowhere both above 0).

    ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = (p + q) / 2,  which makes V(D*) = −log 4 + 2 JSD(p ‖ q)

    p, q: probabilities of n outcomes, or densities on a grid of spacing dx. Computed in float64.
    Raises ValueError unless they are at least 0 and Σ p dx = Σ q dx = 1, to one in a thousand,
    TypeError for whole numbers.
    Source: Goodfellow et al. 2014, theorem 1.
    """
    _check_densities(p, q)
    number("dx", dx, above=0)
    for name, density in (("p", p), ("q", q)):
        sums = density.double().sum(-1) * dx
        if not ((sums - 1).abs() < 1e-3).all():
            worst = sums.flatten()[(sums - 1).abs().argmax()].item()
            raise ValueError(f"{name} must sum to 1 over its last axis, times dx; got {worst:.4g}")
    a, b = p.double(), q.double()
    mixed = torch.special.entr((a + b) / 2)  # entropy, −x log x, is 0 at 0
    apart = mixed - (torch.special.entr(a) + torch.special.entr(b)) / 2
    return (apart.sum(-1) * dx).clamp(min=0).to(p.dtype)


def _check_densities(p: Tensor, q: Tensor) -> None:
    alike("q", q, "p", p)
    for name, density in (("p", p), ("q", q)):
        present(name, density)
        if not ((density >= 0) & density.isfinite()).all():
            raise ValueError(f"{name} must be finite and at least 0 everywhere")


# What a generator has learned


class Coverage(NamedTuple):
    """modes: how many have a good sample. share: of the samples that are good. counts: per mode."""

    modes: int
    share: float
    counts: Int[Tensor, " m"]


def modes_covered(
    samples: Float[Tensor, "n d"],
    centers: Float[Tensor, "m d"],
    sigma: float,
    within: float = 3.0,
) -> Coverage:
    """Which Gaussians of a mixture the samples reach, and how many samples belong to none.

    A sample is good within `within` standard deviations of its nearest center; a mode is covered
    when at least one good sample lies nearest to it. Usual are 2,500 samples. Raises ValueError for
    shapes that disagree, NaN, sigma ≤ 0. Source: Srivastava et al. 2017 (VEEGAN), section 4.1.
    """
    finite("samples", present("samples", floats("samples", samples, 2)))
    finite("centers", present("centers", floats("centers", centers, 2)))
    if samples.shape[1] != centers.shape[1]:
        raise ValueError(
            f"samples must be (n, d) and centers (m, d); got {tuple(samples.shape)} and "
            f"{tuple(centers.shape)}"
        )
    number("sigma", sigma, above=0), number("within", within, above=0)
    samples = samples.float() if samples.dtype == torch.float16 else samples  # cdist knows no half
    distance, nearest = torch.cdist(samples, centers.to(samples)).min(dim=1)
    good = distance <= within * sigma
    counts = torch.bincount(nearest[good], minlength=len(centers))
    return Coverage(int((counts > 0).sum()), good.float().mean().item(), counts)


@torch.no_grad()
def nearest_neighbours(
    queries: Shaped[Tensor, "n ..."], images: Shaped[Tensor, "m ..."], k: int = 1
) -> tuple[Int[Tensor, "n k"], Float[Tensor, "n k"]]:
    """The k images nearest to each query: their indices and distances, nearest first.

    √ Σ (query − image)² over all pixels, in the end from the differences themselves (the shortcut
    ‖a‖² − 2ab + ‖b‖² loses what near copies differ by). Of equally near images the first comes
    first. Both uint8 or both float. Raises TypeError for two ranges of values, ValueError for other
    shapes, NaN, images that are infinite, k < 1 and k > m.
    """
    for name, pictures in (("queries", queries), ("images", images)):
        present(name, instance(name, pictures, Tensor))
        if pictures.is_complex():
            raise TypeError(f"{name} must be real; got {pictures.dtype}")
    if queries.shape[1:] != images.shape[1:] or queries.ndim < 2:
        raise ValueError(
            f"queries and images must be (n, …) and (m, …) of one size; got {tuple(queries.shape)} "
            f"and {tuple(images.shape)}"
        )
    if queries.is_floating_point() != images.is_floating_point():
        raise TypeError(
            f"queries and images must share one range; got {queries.dtype} and {images.dtype}"
        )
    k = whole("k", k, most=len(images))
    if queries.is_floating_point():
        finite("images", images)
    found = [_nearest(block, images, k) for block in queries.split(128)]
    indices, distances = (torch.cat(parts) for parts in zip(*found, strict=True))
    if distances.isnan().any():
        raise ValueError("queries and images must be numbers; they contain NaN")
    return indices, distances


def _nearest(queries: Tensor, images: Tensor, k: int, block: int = 4096) -> tuple[Tensor, Tensor]:
    """In float64 by the shortcut for a few candidates more than k, then by their differences."""
    exact = torch.float32 if queries.device.type == "mps" else torch.float64  # MPS knows no other
    rows, keep = queries.flatten(1).to(exact), min(k + 8, len(images))
    best = rows.new_empty(len(rows), 0)
    indices = torch.empty(len(rows), 0, dtype=torch.int64, device=rows.device)
    for start in range(0, len(images), block):
        some = images[start : start + block].flatten(1).to(rows)
        here = rows.square().sum(1, keepdim=True) + some.square().sum(1)
        here = here.addmm_(rows, some.T, alpha=-2).mul_(1e6).round_()  # equal images stay equal
        order = torch.arange(start, start + len(some), device=rows.device).expand(len(rows), -1)
        best, places = torch.cat([best, here], 1).sort(dim=1, stable=True)
        best, indices = best[:, :keep], torch.cat([indices, order], 1).gather(1, places[:, :keep])
    indices = indices.sort(dim=1).values
    apart = images[indices].flatten(2).to(rows) - rows[:, None]
    distances, places = apart.norm(dim=2).float().sort(dim=1, stable=True)
    return indices.gather(1, places[:, :k]), distances[:, :k]


def latent_arithmetic(
    z: Float[Tensor, "*batch d"],
    with_attribute: Float[Tensor, "n d"],
    without_attribute: Float[Tensor, "m d"],
    strength: float = 1.0,
) -> Float[Tensor, "*batch d"]:
    """The codes z, moved along what tells codes with an attribute from codes without it.

    z + strength · (mean of with_attribute − mean of without_attribute)

    Raises ValueError for codes of another length and for an empty set. Source: Radford et al. 2016,
    section 6.3.2.
    """
    d = floats("z", z).shape[-1]
    shaped("with_attribute", with_attribute, "n", d, like=z)
    shaped("without_attribute", without_attribute, "m", d, like=z)
    number("strength", strength)
    return z + strength * (with_attribute.mean(0) - without_attribute.mean(0))


# Networks for points, and the vanilla GAN for pictures


class ToyGenerator(nn.Module):
    """Noise (B, nz) -> points (B, d)."""

    def __init__(self, nz: int = 2, d: int = 2, hidden: int = 128, layers: int = 2):
        super().__init__()
        at_least_one(nz=nz, d=d, hidden=hidden)
        whole("layers", layers, 0, most=DEPTH)
        self.nz = nz
        self.net = _mlp([nz, *[hidden] * layers, d], nn.ReLU)

    def forward(self, z: Float[Tensor, "B nz"]) -> Float[Tensor, "B d"]:
        shaped("z", z, "B", self.nz, like=self.net[0].weight)
        return self.net(z)


class ToyDiscriminator(nn.Module):
    """Points (B, d) -> scores (B,)."""

    def __init__(self, d: int = 2, hidden: int = 128, layers: int = 2):
        super().__init__()
        at_least_one(d=d, hidden=hidden)
        whole("layers", layers, 0, most=DEPTH)
        self.d = d
        self.net = _mlp([d, *[hidden] * layers, 1], lambda: nn.LeakyReLU(0.2))

    def forward(self, x: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
        shaped("x", x, "B", self.d, like=self.net[0].weight)
        return self.net(x).squeeze(1)


class MLPGenerator(nn.Module):
    """The vanilla GAN's: noise (B, nz) -> pictures (B, nc, size, size) in [-1, 1]."""

    def __init__(self, nz: int = 64, nc: int = 1, size: int = 28, hidden: int = 512):
        super().__init__()
        at_least_one(nz=nz, nc=nc, size=size, hidden=hidden)
        self.nz, self.shape = nz, (nc, size, size)
        self.net = _mlp([nz, hidden, hidden, nc * size * size], lambda: nn.LeakyReLU(0.2))

    def forward(self, z: Float[Tensor, "B nz"]) -> Float[Tensor, "B nc size size"]:
        shaped("z", z, "B", self.nz, like=self.net[0].weight)
        return self.net(z).tanh().unflatten(1, self.shape)


class MLPDiscriminator(nn.Module):
    """The vanilla GAN's: pictures (B, nc, size, size) -> scores (B,)."""

    def __init__(self, nc: int = 1, size: int = 28, hidden: int = 512):
        super().__init__()
        at_least_one(nc=nc, size=size, hidden=hidden)
        self.shape = (nc, size, size)
        self.net = _mlp([nc * size * size, hidden, hidden, 1], lambda: nn.LeakyReLU(0.2))

    def forward(self, x: Float[Tensor, "B nc size size"]) -> Float[Tensor, " B"]:
        shaped("x", x, "B", *self.shape, like=self.net[0].weight)
        return self.net(x.flatten(1)).squeeze(1)


def _mlp(sizes: Sequence[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


class Frame(NamedTuple):
    """A moment of a game in the plane, as `look` sees it."""

    surface: Float[Tensor, "rows columns"]  # D(x) on a grid, from the bottom left
    fake: Float[Tensor, "n 2"]
    arrows: Float[Tensor, "n 2"]  # where G's loss pushes each of them


def snapshot(
    step: AdversarialStep, z: Float[Tensor, "n nz"], reach: float = 1.6, resolution: int = 40
) -> Frame:
    """What D thinks of the plane, what G makes of z, and where its loss would move each point.

    The arrows are −∂ g_loss / ∂x times n: a point's own slope, whatever the number of points.
    """
    instance("step", step, AdversarialStep), floats("z", z, 2)
    number("reach", reach, above=0), whole("resolution", resolution, most=1000)
    side = torch.linspace(-reach, reach, resolution)
    y, x = torch.meshgrid(side, side, indexing="ij")
    with frozen(step.discriminator), frozen(step.generator):
        with torch.no_grad():
            surface = step.discriminator(torch.stack([x, y], dim=-1).reshape(-1, 2)).sigmoid()
            fake = step.generator(z)
        fake.requires_grad_()
        (slope,) = torch.autograd.grad(step.loss.g_loss(step.discriminator(fake)), fake)
    return Frame(surface.view(resolution, resolution), fake.detach(), -len(z) * slope)


# One number against one number


def dirac_gan(
    loss: str | Loss = "wasserstein",
    start: tuple[float, float] = (1.0, 0.0),
    lr: float = 0.1,
    steps: int = 200,
    alternating: bool = False,
    r1: float = 0.0,
) -> Float[Tensor, "steps+1 2"]:
    """The orbit (θ, ψ) of the smallest GAN: data at 0, all fakes at θ, and scores D(x) = ψ x.

    θ ← θ − lr ∂ g_loss / ∂θ and ψ ← ψ − lr ∂ (d_loss + ½ r1 ψ²) / ∂ψ, both from the same point, or
    alternating: D first, then G answers the new D. Both at 0 is the one equilibrium.

    With "wasserstein" it is the bilinear game, V = −ψθ: simultaneous steps spiral outwards, the
    radius growing by √(1 + lr²) each; alternating steps stay on an ellipse. "non_saturating" creeps
    inwards until the steps are too long for the turn. r1 > 0 penalises D's slope at the data. A
    penalty or clipping that the loss asks for besides is left out. Float64.
    Raises ValueError for steps < 1, lr ≤ 0, r1 < 0, and where the orbit grows beyond all numbers.
    Source: Mescheder et al. 2018, section 2.
    """
    whole("steps", steps, most=MANY)
    number("lr", lr, above=0), number("r1", r1, 0)
    start = several("start", start, number, count=2)
    players = _loss(loss, None, None)

    def slopes(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        theta, psi = theta.requires_grad_(), psi.requires_grad_()
        fake = (psi * theta).reshape(1)
        d_loss = players.d_loss(0 * fake, fake) + 0.5 * r1 * psi.square()
        (d_slope,) = torch.autograd.grad(d_loss, psi, retain_graph=True)
        (g_slope,) = torch.autograd.grad(players.g_loss(fake), theta)
        return g_slope, d_slope

    theta, psi = torch.tensor(start, dtype=torch.float64).unbind()
    orbit = [torch.stack([theta, psi])]
    for _ in range(steps):
        g_slope, d_slope = slopes(theta.detach(), psi.detach())
        psi = psi.detach() - lr * d_slope
        if alternating:
            g_slope, _ = slopes(theta.detach(), psi)
        theta = theta.detach() - lr * g_slope
        orbit.append(torch.stack([theta, psi]).detach())
    orbit = torch.stack(orbit)
    if not orbit.isfinite().all():
        raise ValueError(f"lr and r1 must be smaller: the orbit left all numbers; got {lr}, {r1}")
    return orbit
