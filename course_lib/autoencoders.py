"""Autoencoders: a picture through a narrow code and back; the variational one can also invent.

An autoencoder learns to copy. A variational autoencoder (VAE) also learns where its codes lie: its
encoder answers with a distribution N(μ, σ²) per picture, and all of them together are held near
N(0, I), so that a code drawn from N(0, I) decodes to a new picture. It minimises the negative ELBO

    −log p(x | z) + KL(N(μ, σ²) ‖ N(0, I)),   z = μ + σ ε,  ε ~ N(0, I)

(Kingma and Welling 2014). Pictures are float32 in [-1, 1], (B, C, H, W), both sides multiples of 8.
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import device
from course_lib.checks import (
    SIZE,
    alike,
    at_least_one,
    below,
    beside,
    finite,
    float_pictures,
    floats,
    instance,
    integers,
    is_whole,
    number,
    one_of,
    present,
    random_source,
    shaped,
    whole,
)

KINDS = ("conv", "dense", "linear")
LIKELIHOODS = ("gaussian", "bernoulli")


# The objective


def reparameterise(
    mu: Float[Tensor, "B d"], logvar: Float[Tensor, "B d"], noise: Float[Tensor, "B d"]
) -> Float[Tensor, "B d"]:
    """A draw from N(μ, σ²) made of noise from N(0, I), so that gradients reach μ and σ.

    z = μ + σ ε,   σ = exp(logvar / 2)

    Raises ValueError unless the three have one shape. Source: Kingma and Welling 2014, section 2.4.
    """
    alike("logvar", logvar, "mu", mu)
    alike("noise", noise, "mu", mu)
    return mu + (logvar / 2).exp() * noise


def kl_to_standard_normal(
    mu: Float[Tensor, "B d"], logvar: Float[Tensor, "B d"]
) -> Float[Tensor, " B"]:
    """KL(N(μ, σ²) ‖ N(0, I)) of each row, in nats, with logvar = log σ².

    ½ Σ_d (μ² + σ² − 1 − log σ²)

    Raises ValueError unless both are (B, d). Source: Kingma and Welling 2014, appendix B.
    """
    alike("logvar", logvar, "mu", mu)
    if mu.ndim != 2:
        raise ValueError(f"mu must be (B, d); got {tuple(mu.shape)}")
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def negative_elbo(
    x: Float[Tensor, "B C H W"],
    reconstruction: Float[Tensor, "B C H W"],
    mu: Float[Tensor, "B d"],
    logvar: Float[Tensor, "B d"],
    beta: float = 1.0,
    likelihood: str = "gaussian",
) -> Float[Tensor, ""]:
    """What a VAE minimises: reconstruction error plus β times the KL, averaged over the batch.

    mean over b of [ −log p(x | reconstruction) + β KL(N(μ, σ²) ‖ N(0, I)) ],
    summed over pixels and over latents. `reconstruction` is a picture, as `decode` returns it:

    - "gaussian": p = N(reconstruction, I), unit variance on the scale of [-1, 1], so that
      −log p = ½ Σ (x − reconstruction)², plus a constant that is left out;
    - "bernoulli": each value is a share of white, t = (1 + x) / 2 and q = (1 + reconstruction) / 2:
      −log p = −Σ [t log q + (1 − t) log(1 − q)], with q kept 5e-7 away from 0 and 1.

    Raises ValueError for shapes that disagree, x outside [-1, 1] (and, under "bernoulli", a
    reconstruction outside), NaN, beta < 0. Source: Kingma and Welling 2014, eq. 10 and appendix C.
    """
    terms = elbo_terms(x, reconstruction, mu, logvar, likelihood)
    return _total(*terms, beta)


def elbo_terms(
    x: Float[Tensor, "B C H W"],
    reconstruction: Float[Tensor, "B C H W"],
    mu: Float[Tensor, "B d"],
    logvar: Float[Tensor, "B d"],
    likelihood: str = "gaussian",
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """The two terms of `negative_elbo` per picture: reconstruction error and KL (without β)."""
    _check_values("x", x)
    if likelihood == "bernoulli":
        _check_values("reconstruction", reconstruction)
    finite("reconstruction", floats("reconstruction", reconstruction))
    finite("mu", floats("mu", mu)), finite("logvar", floats("logvar", logvar))
    return _terms(x, reconstruction, mu, logvar, likelihood)


def _terms(x, reconstruction, mu, logvar, likelihood) -> tuple[Tensor, Tensor]:
    """`elbo_terms` without a look at the values, which would make a GPU wait in each step."""
    one_of("likelihood", likelihood, LIKELIHOODS)
    alike("reconstruction", reconstruction, "x", x)
    if len(beside("mu", mu, x)) != len(x):
        raise ValueError(f"mu must have one row per picture, {len(x)}; got {tuple(mu.shape)}")
    if likelihood == "gaussian":
        error = 0.5 * (x - reconstruction).square()
    else:
        white = 0.5 * (1 + x.float())
        shown = reconstruction.float().clamp(
            -1 + 1e-6, 1 - 1e-6
        )  # the logarithm of 0 has no gradient
        error = math.log(2) - white * shown.log1p() - (1 - white) * (-shown).log1p()
    return error.flatten(1).sum(1), kl_to_standard_normal(mu, logvar)


def _total(error: Tensor, kl: Tensor, beta: float) -> Tensor:
    number("beta", beta, 0)
    return (error + beta * kl).mean()


# Between two codes


def morph(
    z_a: Float[Tensor, "*d"], z_b: Float[Tensor, "*d"], fraction: float | Float[Tensor, " k"]
) -> Float[Tensor, "*d"]:
    """The code that lies the given fraction of the way from z_a to z_b, on a straight line.

    (1 − fraction) z_a + fraction z_b. With k fractions the result has k rows, (k, *d).

    Raises ValueError for shapes that differ and fractions outside [0, 1] (20 % is 0.2).
    """
    z_a, z_b, fraction = _ends(z_a, z_b, fraction)
    return (1 - fraction) * z_a + fraction * z_b


def slerp(
    z_a: Float[Tensor, "*d"], z_b: Float[Tensor, "*d"], fraction: float | Float[Tensor, " k"]
) -> Float[Tensor, "*d"]:
    """The same along an arc around the origin, where the codes of a Gaussian prior lie.

    [sin((1 − f)Ω) z_a + sin(fΩ) z_b] / sin Ω,   Ω = the angle between z_a and z_b (last dimension)

    Parallel codes and a code of zeros have no arc: there it is the straight line. Opposite codes
    have infinitely many: there it turns through the axis on which z_a is smallest.

    Raises as `morph`. Source: Shoemake 1985; for generators White 2016.
    """
    z_a, z_b, fraction = _ends(z_a, z_b, fraction)
    a, b = z_a.double(), z_b.double()
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    unit_a, unit_b = a / norm_a.clamp(min=1e-300), b / norm_b.clamp(min=1e-300)
    # the usual arccos(a·b) loses half the digits where codes are nearly parallel (Kahan)
    omega = 2 * torch.atan2(
        (unit_a - unit_b).norm(dim=-1, keepdim=True), (unit_a + unit_b).norm(dim=-1, keepdim=True)
    )
    sine = omega.sin()
    arc = ((1 - fraction) * omega).sin() * a + (fraction * omega).sin() * b
    line = (1 - fraction) * a + fraction * b
    nonzero = (norm_a > 0) & (norm_b > 0)
    curved = nonzero & (sine > 1e-6)
    result = torch.where(curved, arc / torch.where(curved, sine, 1.0), line)
    opposite = nonzero & ~curved & (omega > 3)
    if a.shape[-1] > 1:  # in one dimension there is no way around
        axis = F.one_hot(unit_a.abs().argmin(-1), a.shape[-1]).to(a)
        side = F.normalize(axis - (axis * unit_a).sum(-1, keepdim=True) * unit_a, dim=-1)
        length = (1 - fraction) * norm_a + fraction * norm_b
        turn = (math.pi * fraction).cos() * unit_a + (math.pi * fraction).sin() * side
        result = torch.where(opposite, length * turn, result)
    return result.to(z_a.dtype)


def one_hot(labels: Int[Tensor, " B"], classes: int) -> Float[Tensor, "B classes"]:
    """Each label as a row of zeros with a one at its place, in float32.

    Raises TypeError for labels that are not integers, ValueError unless they are (B,) and lie in
    0 … classes − 1 (their values are looked at on the CPU only: a GPU would wait).
    """
    whole("classes", classes, most=SIZE)
    if integers("labels", labels).ndim != 1:
        raise ValueError(f"labels must be (B,); got {tuple(labels.shape)}")
    if len(labels):
        below("labels", labels, classes)
    return _one_hot(labels, classes)


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float()


# The networks


class Autoencoder(nn.Module):
    """encode: pictures (B, nc, H, W) -> codes (B, latent); decode: back, in [-1, 1].

    nc: channels. size: H = W, or (H, W), multiples of 8. kind:
    - "conv":   4 × 4 pixels folded into channels, then convolutions down to an eighth of the size;
                the decoder mirrors it. BatchNorm, so that training and evaluation mode differ;
    - "dense":  one hidden layer of `hidden` units in the encoder and one in the decoder;
    - "linear": a matrix each way (and an offset), whose codes span what PCA finds.

    An autoencoder does not say where its codes lie, so `sample` guesses: a Gaussian with the mean
    and the spread, `code_mean` and `code_std`, that `AutoencoderStep` saw in training.
    """

    def __init__(
        self,
        nc: int = 3,
        size: int | tuple[int, int] = 64,
        latent: int = 32,
        kind: str = "conv",
        hidden: int = 512,
    ):
        super().__init__()
        self.shape, self.latent, self.kind = (
            _shape(nc, size),
            whole("latent", latent, most=SIZE),
            kind,
        )
        self.encoder = _Encoder(self.shape, latent, kind, hidden)
        self.decoder = _Decoder(self.shape, latent, kind, hidden)
        self.register_buffer("code_mean", torch.zeros(latent))
        self.register_buffer("code_std", torch.ones(latent))

    def encode(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B latent"]:
        _check_pictures(self, x)
        return self.encoder(x)

    def decode(self, z: Float[Tensor, "B latent"]) -> Float[Tensor, "B C H W"]:
        _check_codes(self, z)
        return self.decoder(z)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.decode(self.encode(x))

    def reconstruct(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Through the code and back, in evaluation mode and without gradients."""
        with _evaluating(self):
            return self(present("x", instance("x", x, Tensor)).to(self.code_mean.device))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n C H W"]:
        """n random codes, decoded. Not what an autoencoder was trained for: look at them."""
        with _evaluating(self):
            noise = _noise(n, self.latent, generator, self.code_mean)
            return self.decode(self.code_mean + self.code_std * noise)


class VAE(nn.Module):
    """The variational autoencoder. Networks and arguments as `Autoencoder`'s.

    encode: pictures -> (mu, logvar), both (B, latent); decode: codes -> pictures.
    """

    def __init__(
        self,
        nc: int = 3,
        size: int | tuple[int, int] = 64,
        latent: int = 32,
        kind: str = "conv",
        hidden: int = 512,
    ):
        super().__init__()
        self.shape, self.latent, self.kind = (
            _shape(nc, size),
            whole("latent", latent, most=SIZE),
            kind,
        )
        self.encoder = _Encoder(self.shape, 2 * latent, kind, hidden)
        self.decoder = _Decoder(self.shape, latent, kind, hidden)

    def encode(
        self, x: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, "B latent"], Float[Tensor, "B latent"]]:
        _check_pictures(self, x)
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z: Float[Tensor, "B latent"]) -> Float[Tensor, "B C H W"]:
        _check_codes(self, z)
        return self.decoder(z)

    def forward(
        self, x: Float[Tensor, "B C H W"], generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(reconstruction, mu, logvar) with a code drawn from N(mu, exp(logvar))."""
        mu, logvar = self.encode(x)
        z = reparameterise(mu, logvar, _noise(len(x), self.latent, generator, mu))
        return self.decode(z), mu, logvar

    def reconstruct(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Each picture from its μ, in evaluation mode and without gradients."""
        with _evaluating(self):
            x = present("x", instance("x", x, Tensor)).to(next(self.parameters()).device)
            return self.decode(self.encode(x)[0])

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n C H W"]:
        """n pictures from the model: z ~ N(0, I), decoded (the mean, without pixel noise)."""
        with _evaluating(self):
            like = next(self.parameters())
            return self.decode(_noise(n, self.latent, generator, like))


class ConditionalVAE(nn.Module):
    """A VAE that is told the class, in the encoder and in the decoder (Sohn et al. 2015).

    labels: integers (B,), or weights (B, classes) where classes are mixed. The rest as `VAE`.
    """

    def __init__(
        self,
        nc: int = 3,
        size: int | tuple[int, int] = 64,
        classes: int = 10,
        latent: int = 32,
        kind: str = "conv",
        hidden: int = 512,
    ):
        super().__init__()
        at_least_one(classes=classes, latent=latent)
        self.shape, self.latent, self.kind, self.classes = _shape(nc, size), latent, kind, classes
        self.encoder = _Encoder(self.shape, 2 * latent, kind, hidden, extra=classes)
        self.decoder = _Decoder(self.shape, latent + classes, kind, hidden)

    def encode(
        self, x: Float[Tensor, "B C H W"], labels: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B latent"], Float[Tensor, "B latent"]]:
        _check_pictures(self, x)
        return self.encoder(x, self._condition(labels, x)).chunk(2, dim=1)

    def decode(
        self, z: Float[Tensor, "B latent"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C H W"]:
        _check_codes(self, z)
        return self.decoder(torch.cat([z, self._condition(labels, z)], dim=1))

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        labels: Int[Tensor, " B"],
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        labels = self._condition(labels, floats("x", x))
        mu, logvar = self.encode(x, labels)
        z = reparameterise(mu, logvar, _noise(len(x), self.latent, generator, mu))
        return self.decode(z, labels), mu, logvar

    def sample(
        self,
        n: int,
        labels: int | Int[Tensor, " n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n C H W"]:
        """n pictures of the asked class, or classes, one each; without: 0, 1, 2, … in turn."""
        like, n = next(self.parameters()), whole("n", n, most=SIZE)
        if labels is None:
            labels = torch.arange(n, device=like.device) % self.classes
        elif not isinstance(labels, Tensor):
            labels = whole("labels", labels, 0, most=self.classes - 1)
            labels = torch.full((n,), labels, device=like.device)
        with _evaluating(self):
            noise = _noise(n, self.latent, generator, like)
            return self.decode(noise, labels.to(like.device))

    def _condition(self, labels: Tensor, like: Tensor) -> Tensor:
        beside("labels", instance("labels", labels, Tensor), like)
        if labels.shape[:1] != like.shape[:1]:
            got = f"{len(like)} rows, one per picture; got {tuple(labels.shape)}"
            raise ValueError(f"labels must have {got}")
        if labels.ndim == 2 and labels.is_floating_point():
            if labels.shape[1] != self.classes:
                raise ValueError(f"labels must be (B, {self.classes}); got {tuple(labels.shape)}")
            return labels
        look = labels.device.type == "cpu" or not self.training  # a GPU would wait for it
        return (one_hot if look else _one_hot)(labels, self.classes)


class _Encoder(nn.Module):
    def __init__(self, shape, out: int, kind: str, hidden: int, extra: int = 0):
        super().__init__()
        nc, h, w = shape
        one_of("kind", kind, KINDS), whole("hidden", hidden)
        if kind == "conv":
            self.trunk = nn.Sequential(
                nn.PixelUnshuffle(4),  # many channels on a small map: what a CPU is fast at
                *_block(nn.Conv2d(16 * nc, 64, 3, padding=1, bias=False)),
                *_block(nn.Conv2d(64, 128, 4, stride=2, padding=1, bias=False)),
                nn.Flatten(),
            )
            self.head = nn.Linear(128 * (h // 8) * (w // 8) + extra, out)
        else:
            self.trunk = nn.Flatten()
            self.head = _dense(nc * h * w + extra, out, kind, hidden)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        features = self.trunk(x.contiguous(memory_format=torch.channels_last))
        if condition is not None:
            features = torch.cat([features, condition.to(features.dtype)], dim=1)
        return self.head(features).float()


class _Decoder(nn.Module):
    def __init__(self, shape, latent: int, kind: str, hidden: int):
        super().__init__()
        nc, h, w = shape
        self.bounded = kind != "linear"
        if kind == "conv":
            self.net = nn.Sequential(
                nn.Linear(latent, 128 * (h // 8) * (w // 8)),
                nn.Unflatten(1, (128, h // 8, w // 8)),
                nn.LeakyReLU(0.2),
                *_block(nn.Conv2d(128, 128, 3, padding=1, bias=False)),
                *_block(nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False)),
                *_block(nn.Conv2d(64, 64, 3, padding=1, bias=False)),
                nn.Conv2d(64, 16 * nc, 3, padding=1),
                nn.PixelShuffle(4),  # channels become 4 × 4 pixels
            )
        else:
            layers = _dense(latent, nc * h * w, kind, hidden)
            self.net = nn.Sequential(layers, nn.Unflatten(1, shape))

    def forward(self, z: Tensor) -> Tensor:
        x = self.net(z).float()  # tanh in bfloat16 would round to 1 too early
        return x.tanh() if self.bounded else x


def _block(layer: nn.Module) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.LeakyReLU(0.2)]


def _dense(inputs: int, out: int, kind: str, hidden: int) -> nn.Module:
    if kind == "linear":
        return nn.Linear(inputs, out)
    if kind != "dense":
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, out))


class Discriminator(nn.Module):
    """pictures -> (scores (B,), features): what VAE/GAN's decoder is judged by.

    The features are its last map of activations, each picture's scaled to mean 0 and variance 1:
    otherwise the discriminator could make any distance in them small by making them small.
    """

    def __init__(self, nc: int = 3, size: int | tuple[int, int] = 64):
        super().__init__()
        self.shape = _shape(nc, size)
        _, h, w = self.shape
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * nc, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.GroupNorm(1, 128, affine=False),
        )
        self.score = nn.Sequential(nn.Flatten(), nn.Linear(128 * (h // 8) * (w // 8), 1))

    def forward(
        self, x: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, "B 128 h w"]]:
        _check_pictures(self, x)
        features = self.trunk(x)
        return self.score(features).squeeze(1).float(), features.float()


# One step of training each, for `training.train`


class MapAutoencoder(nn.Module):
    """encode: pictures (B, nc, H, W) -> maps (B, channels, H/4, W/4); decode: back, in [-1, 1].

    Where `Autoencoder` forgets where things are, these codes still lie where they were seen, so
    that a U-Net can work on them. `code_mean` and `code_std` are what `AutoencoderStep` saw.
    Raises ValueError for other channels or sides than it was made for.
    """

    kind = "map"

    def __init__(self, nc: int = 1, size: int = 32, channels: int = 4, width: int = 64):
        super().__init__()
        at_least_one(nc=nc, size=size, channels=channels, width=width)
        if size % 4:
            raise ValueError(f"size must be a multiple of 4; got {size}")
        self.shape, side = (nc, size, size), size // 4
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(16 * nc, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, channels, 1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(),
            nn.Conv2d(width, 4 * nc, 3, padding=1), nn.PixelShuffle(2), nn.Tanh(),
        )  # fmt: skip
        self.register_buffer("code_mean", torch.zeros(channels, side, side))
        self.register_buffer("code_std", torch.ones(channels, side, side))

    def encode(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B c h w"]:
        shaped("x", x, "B", *self.shape, like=self.encoder[1].weight)
        return self.encoder(x).float()

    def decode(self, z: Float[Tensor, "B c h w"]) -> Float[Tensor, "B C H W"]:
        shaped("z", z, "B", *self.code_mean.shape, like=self.decoder[0].weight)
        return self.decoder(z).float()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return self.decode(self.encode(x))

    @torch.no_grad()
    def sample(self, n: int = 64, generator: torch.Generator | None = None) -> Tensor:
        """n maps of noise, decoded: what an autoencoder was not trained for."""
        whole("n", n, most=SIZE), random_source(generator)
        noise = torch.randn(n, *self.code_mean.shape, generator=generator)
        return self.decode(self.code_mean + self.code_std * noise.to(self.code_mean.device))


class AutoencoderStep:
    """One step of Adam on ½ Σ (x − reconstruction)², averaged over the batch.

    steps: how many there will be; the learning rate then falls to 0 along a straight line.
    A batch is pictures, or a tuple that begins with them.
    """

    def __init__(self, model: Autoencoder, lr: float = 2e-3, steps: int | None = None):
        self.model = instance("model", model, nn.Module)
        self.optimizer, self.schedule = _adam(model.parameters(), lr, steps)
        self.samples = model.sample

    def __call__(self, batch: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
        x, _ = _pictures_and_labels(self.model, batch)
        with _precision(self.model):
            z = self.model.encode(x)
            loss = 0.5 * (x - self.model.decode(z)).square().flatten(1).sum(1).mean()
        _descend(loss, self.optimizer, self.schedule)
        with torch.no_grad():
            self.model.code_mean.lerp_(z.mean(0), 0.02)
            self.model.code_std.lerp_(z.std(0, correction=0), 0.02)
        return {"reconstruction": loss.detach()}


class VAEStep:
    """One step of Adam on the negative ELBO, of a VAE or a ConditionalVAE (batches with labels).

    beta and likelihood as in `negative_elbo`, steps as in `AutoencoderStep`.
    """

    def __init__(
        self,
        model: VAE | ConditionalVAE,
        lr: float = 2e-3,
        beta: float = 1.0,
        likelihood: str = "gaussian",
        steps: int | None = None,
    ):
        instance("model", model, nn.Module)
        number("beta", beta, 0), one_of("likelihood", likelihood, LIKELIHOODS)
        self.model, self.beta, self.likelihood = model, beta, likelihood
        self.optimizer, self.schedule = _adam(model.parameters(), lr, steps)
        self.samples = model.sample

    def __call__(self, batch: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
        told = isinstance(self.model, ConditionalVAE)
        x, labels = _pictures_and_labels(self.model, batch, told)
        with _precision(self.model):
            output = self.model(x) if labels is None else self.model(x, labels)
            error, kl = _terms(x, *output, self.likelihood)
            loss = _total(error, kl, self.beta)
        _descend(loss, self.optimizer, self.schedule)
        return {
            "loss": loss.detach(),
            "reconstruction": error.mean().detach(),
            "kl": kl.mean().detach(),
        }


class VAEGANStep:
    """One step of VAE/GAN: a VAE whose error is measured in a discriminator's features.

    e = ½ Σ (D_features(x) − D_features(reconstruction))², g = −log D of reconstructions and samples
    discriminator ← log-loss of telling pictures from reconstructions and from samples
    encoder       ← KL + e
    decoder       ← gamma · e + g

    Source: Larsen et al. 2016, algorithm 1, with the non-saturating g.
    """

    def __init__(
        self,
        model: VAE,
        discriminator: Discriminator,
        lr: float = 1e-3,
        gamma: float = 0.01,
        steps: int | None = None,
    ):
        instance("model", model, nn.Module), instance("discriminator", discriminator, nn.Module)
        number("gamma", gamma, 0)
        self.model, self.discriminator, self.gamma = model, discriminator, gamma
        self.optimizer, self.schedule = _adam(model.parameters(), lr, steps, beta1=0.5)
        self.d_optimizer, self.d_schedule = _adam(
            discriminator.parameters(), lr / 2, steps, beta1=0.5
        )
        self.samples = model.sample

    def __call__(self, batch: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
        x, _ = _pictures_and_labels(self.model, batch)
        with _precision(self.model):
            reconstruction, mu, logvar = self.model(x)
            fake = torch.cat([reconstruction, self.model.decode(torch.randn_like(mu))])
            d_loss = (
                F.softplus(-self.discriminator(x)[0]).mean()
                + F.softplus(self.discriminator(fake.detach())[0]).mean()
            )
        _descend(d_loss, self.d_optimizer, self.d_schedule)
        with _precision(self.model):
            with torch.no_grad():
                _, wanted = self.discriminator(x)
            scores, features = self.discriminator(fake)
            error = 0.5 * (wanted - features[: len(x)]).square().flatten(1).sum(1).mean()
            kl = kl_to_standard_normal(mu, logvar).mean()
            g_loss = F.softplus(-scores).mean()
        decoder_loss = self.gamma * error + g_loss
        _descend_each(self.model, kl + error, decoder_loss, self.optimizer, self.schedule)
        losses = {"d_loss": d_loss, "g_loss": g_loss, "features": error, "kl": kl}
        return {name: loss.detach() for name, loss in losses.items()}


class IntroVAEStep:
    """One step of IntroVAE: a VAE whose encoder is also the critic of its decoder.

    The KL tells real from generated. With f the reconstructions and samples, e = ½ Σ (x − x̂)²:

    encoder ← KL(x) + e + alpha · Σ_f max(0, margin − KL(f))   (f as constants)
    decoder ← e + alpha · Σ_f KL(f)                            (the encoder as it is)

    The sum runs over the two kinds of f, each a mean over the batch. `margin` must exceed the KL of
    real pictures, in nats. Raises ValueError unless alpha and margin are above 0.

    Source: Huang et al. 2018, eq. 11 and 12, with both networks updated at once.
    """

    def __init__(
        self,
        model: VAE,
        lr: float = 1e-3,
        alpha: float = 0.25,
        margin: float = 60.0,
        steps: int | None = None,
    ):
        instance("model", model, nn.Module)
        number("alpha", alpha, above=0), number("margin", margin, above=0)
        self.model, self.alpha, self.margin = model, alpha, margin
        self.optimizer, self.schedule = _adam(model.parameters(), lr, steps)
        self.samples = model.sample

    def __call__(self, batch: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
        x, _ = _pictures_and_labels(self.model, batch)
        with _precision(self.model):
            mu, logvar = self.model.encode(x)
            z = reparameterise(mu, logvar, torch.randn_like(mu))
            terms = _terms(x, self.model.decode(z), mu, logvar, "gaussian")
            error, kl = (term.mean() for term in terms)
            fake = self.model.decode(torch.cat([z.detach(), torch.randn_like(z)]))
            fake_kl = kl_to_standard_normal(*self.model.encode(fake))
            pushed = 2 * (self.margin - fake_kl).relu().mean()
        encoder_loss = kl + error + self.alpha * pushed
        decoder_loss = error + self.alpha * 2 * fake_kl.mean()
        _descend_each(self.model, encoder_loss, decoder_loss, self.optimizer, self.schedule)
        losses = {"reconstruction": error, "kl": kl, "kl_fake": fake_kl.mean()}
        return {name: loss.detach() for name, loss in losses.items()}


def _precision(model: nn.Module) -> AbstractContextManager:
    """bfloat16 where it pays; but the subspace of a linear network asks for more than 8 bits."""
    return nullcontext() if model.kind == "linear" else device.choose().autocast()


def _adam(parameters: Iterable[Tensor], lr: float, steps: int | None, beta1: float = 0.9):
    number("lr", lr, 0), steps is None or whole("steps", steps)
    parameters = list(parameters)
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    optimizer = torch.optim.Adam(parameters, lr, betas=(beta1, 0.999), fused=fused)
    factor = 1.0 if steps is None else 0.0
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, factor, total_iters=steps or 1)
    return optimizer, schedule


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer, schedule) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


def _descend_each(model: VAE, encoder_loss: Tensor, decoder_loss: Tensor, optimizer, schedule):
    """One step in which the encoder descends on its loss and the decoder on its own."""
    for part, loss in ((model.encoder, encoder_loss), (model.decoder, decoder_loss)):
        weights = list(part.parameters())
        grads = torch.autograd.grad(loss, weights, retain_graph=True)
        for weight, grad in zip(weights, grads, strict=True):
            weight.grad = grad
    optimizer.step()
    schedule.step()


def _pictures_and_labels(
    model: nn.Module, batch, with_labels: bool = False
) -> tuple[Tensor, Tensor | None]:
    if isinstance(batch, Tensor):
        batch = (batch,)
    instance("batch", batch, Sequence)
    floats("batch", batch[0] if batch else None, like=next(model.parameters()))
    if with_labels and len(batch) < 2:
        raise ValueError("a ConditionalVAE needs batches (x, labels): batches(…, with_labels=True)")
    return batch[0], batch[1] if with_labels else None


# What students get wrong


def _check_values(name: str, x: Tensor) -> None:
    floats(name, x)
    if x.is_meta or x.abs().max() <= 1 + 1e-3:
        return
    raise ValueError(f"{name} must lie in [-1, 1]; got {x.min().item():.3g} … {x.max().item():.3g}")


def _check_pictures(module: nn.Module, x: Tensor) -> None:
    nc, h, w = module.shape
    if float_pictures("x", x).ndim != 4 or x.shape[1:] != module.shape:
        raise ValueError(f"x must be (B, {nc}, {h}, {w}) for this network; got {tuple(x.shape)}")
    floats("x", x, like=next(module.parameters()))
    if x.device.type == "cpu" or not module.training:  # in training a look would stall a GPU
        _check_values("x", x)


def _check_codes(module: nn.Module, z: Tensor) -> None:
    floats("z", z, like=next(module.parameters()))
    if z.ndim != 2 or z.shape[1] != module.latent:
        raise ValueError(f"z must be (B, {module.latent}) for this network; got {tuple(z.shape)}")


def _shape(nc: int, size: int | tuple[int, int]) -> tuple[int, int, int]:
    h, w = size if isinstance(size, tuple) and len(size) == 2 else (size, size)
    fits = is_whole(h) and is_whole(w) and 8 <= min(h, w) and max(h, w) <= 10_000
    if not fits or h % 8 or w % 8:
        raise ValueError(f"size must be a multiple of 8, at most 10,000; got {h} × {w}")
    whole("nc", nc, most=SIZE)
    return nc, h, w


def _ends(z_a: Tensor, z_b: Tensor, fraction) -> tuple[Tensor, Tensor, Tensor]:
    alike("z_b", z_b, "z_a", z_a)
    checked = finite if isinstance(fraction, Tensor) else number
    fraction = torch.as_tensor(checked("fraction", fraction), dtype=z_a.dtype)
    if not ((fraction >= 0) & (fraction <= 1)).all():
        raise ValueError(f"fraction must lie in [0, 1], 20 % being 0.2; got {fraction.tolist()}")
    fraction = fraction.to(z_a.device)
    return z_a, z_b, fraction.reshape(fraction.shape + (1,) * (z_a.ndim if fraction.ndim else 0))


def _noise(n: int, d: int, generator: torch.Generator | None, like: Tensor) -> Tensor:
    whole("n", n, most=SIZE), random_source(generator)
    if generator is None:
        return torch.randn(n, d, device=like.device)
    return torch.randn(n, d, generator=generator, device=generator.device).to(like.device)


@contextmanager
def _evaluating(module: nn.Module):
    """Evaluation mode and no gradients inside; afterwards the mode that was."""
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was_training)
