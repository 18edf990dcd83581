"""A picture in a few bytes: codes of an autoencoder that come from a list.

Each place of a map of codes is replaced by the nearest entry of a codebook, and the number of that
entry is a token: a picture becomes a row of whole numbers, as a sentence is (van den Oord et al.
2017). Rounding has no gradient; the decoder's is handed to the encoder as if nothing had been
rounded. A discriminator makes of it a VQGAN (Esser et al. 2021).
"""

import copy
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import device, gan_losses
from course_lib.checks import (
    alike,
    at_least_one,
    below,
    beside,
    finite,
    floats,
    function,
    instance,
    integers,
    number,
    one_of,
    present,
    shaped,
    whole,
)
from course_lib.gan import frozen

KINDS = ("plain", "ema", "restart")


# Rounding to codes


def nearest_code(z: Float[Tensor, "B D H W"], book: Float[Tensor, "K D"]) -> Int[Tensor, "B H W"]:
    """The number of the code that is nearest to each place of z, by Euclidean distance.

    Of equally near codes the first. Raises ValueError unless book is (K, D) with the D of z.
    Source: van den Oord et al. 2017, eq. 1.
    """
    d = finite("z", shaped("z", z, "B", "D", "H", "W"), wait=False).shape[1]
    finite("book", shaped("book", book, "K", d, like=z), wait=False)
    places = z.permute(0, 2, 3, 1)  # (B, H, W, D)
    # ‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², and ‖z‖² is the same for all codes
    return (book.square().sum(1) - 2 * places @ book.T).argmin(-1)


def straight_through(z: Float[Tensor, "..."], q: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The value of q with the gradient of z; none reaches q.

    Raises ValueError for two shapes. Source: Bengio et al. 2013; van den Oord et al. 2017.
    """
    alike("q", q, "z", z)
    return z + (q - z).detach()


def codebook_loss(
    z: Float[Tensor, "..."], q: Float[Tensor, "..."], beta: float = 0.25
) -> Float[Tensor, ""]:
    """What pulls the codes q to what the encoder says, z, and β times as much z to its codes.

    mean (q − sg(z))² + β mean (z − sg(q))²,    sg: as a constant, without gradient

    Raises ValueError for two shapes and β < 0. Source: van den Oord et al. 2017, eq. 3. (The code
    of VQGAN had β on the other term.)
    """
    alike("q", q, "z", z)
    number("beta", beta, 0)
    return (q - z.detach()).square().mean() + beta * (z - q.detach()).square().mean()


def perplexity(tokens: Int[Tensor, "..."], codes: int) -> Float[Tensor, ""]:
    """exp of the entropy of how often each code is used: K when all are used alike, 1 for one.

    Raises TypeError for tokens that are not integers, and (looked at on the CPU only) ValueError
    for none of them or any outside 0 … codes − 1.
    """
    p = _counts(tokens, codes) / tokens.numel()
    return torch.special.entr(p).sum().exp()  # −p log p, 0 where p is 0


def codes_used(tokens: Int[Tensor, "..."], codes: int) -> int:
    """How many of the codes occur. Raises as `perplexity`."""
    return int((_counts(present("tokens", integers("tokens", tokens)), codes) > 0).sum())


def _counts(tokens: Tensor, codes: int) -> Float[Tensor, " codes"]:
    at_least_one(codes=codes), below("tokens", tokens, codes)
    once = torch.ones(tokens.numel(), device=tokens.device)
    return torch.zeros(codes, device=tokens.device).index_add_(0, tokens.flatten().int(), once)


class Codebook(nn.Module):
    """K codes of D numbers, and how they follow the encoder: z (B, D, H, W) -> (q, tokens, loss).

    kind:
    - "plain":   the codes are weights, and `codebook_loss` pulls them;
    - "ema":     each code is the moving average of what was rounded to it, and only z is pulled;
    - "restart": the same, but a code that is hardly used any more is put where the encoder just
                 was. That is also how it begins: all codes come from the first batch.

    q has the value of the codes and the gradient of z; q and the loss are float32. Source: van den
    Oord et al. 2017, appendix A.1; restarts: Dhariwal et al. 2020 (Jukebox), section 3.1.
    """

    def __init__(
        self,
        codes: int = 256,
        dim: int = 8,
        kind: str = "restart",
        decay: float = 0.98,
        beta: float = 0.25,
    ):
        super().__init__()
        one_of("kind", kind, KINDS), at_least_one(codes=codes, dim=dim), number("beta", beta, 0)
        if number("decay", decay, 0, 1) == 1:
            raise ValueError("decay must be below 1, or the codes stay where they are; got 1")
        self.codes, self.kind, self.decay, self.beta = codes, kind, decay, beta
        if kind == "plain":
            self.book = nn.Parameter(torch.empty(codes, dim).uniform_(-1 / codes, 1 / codes))
        else:
            book = torch.randn(codes, dim)
            self.register_buffer("book", book)
            self.register_buffer("sums", book.clone())
            uses = torch.zeros if kind == "restart" else torch.ones
            self.register_buffer("counts", uses(codes))
        self.restarts = kind == "restart"  # False lets the codes come to rest

    def forward(
        self, z: Float[Tensor, "B D H W"]
    ) -> tuple[Float[Tensor, "B D H W"], Int[Tensor, "B H W"], Float[Tensor, ""]]:
        z = beside("z", shaped("z", z, "B", self.book.shape[1], "H", "W"), self.book).float()
        if self.training and self.restarts:
            self._revive(z.detach())
        tokens = nearest_code(z.detach(), self.book.detach())
        q = self.look_up(tokens)
        if self.kind == "plain":
            loss = codebook_loss(z, q, self.beta)
        else:
            loss = self.beta * (z - q).square().mean()
            if self.training:
                self._follow(z.detach(), tokens)
        return straight_through(z, q), tokens, loss

    def look_up(self, tokens: Int[Tensor, "B H W"]) -> Float[Tensor, "B D H W"]:
        """The codes of the tokens, as a map."""
        below("tokens", tokens, self.codes, "B", "H", "W", like=self.book)
        return self.book[tokens].permute(0, 3, 1, 2)

    @torch.no_grad()
    def _follow(self, z: Tensor, tokens: Tensor) -> None:
        """Moves each code towards the mean of the places that were rounded to it."""
        flat, chosen = _rows(z), tokens.flatten()
        counts, sums = torch.zeros_like(self.counts), torch.zeros_like(self.sums)
        counts.index_add_(0, chosen, torch.ones_like(flat[:, 0]))
        sums.index_add_(0, chosen, flat)
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        self.book.copy_(self.sums / self.counts.clamp(min=1e-5)[:, None])

    @torch.no_grad()
    def _revive(self, z: Tensor, least: float = 0.3) -> None:
        """Codes used less than `least` times a batch are put where the encoder is now."""
        flat = _rows(z)
        found = flat[torch.randint(len(flat), (self.codes,), device=flat.device)]
        dead = self.counts < least
        self.sums.copy_(torch.where(dead[:, None], found, self.sums))
        self.counts.copy_(torch.where(dead, 1.0, self.counts))
        self.book.copy_(self.sums / self.counts[:, None])


def _rows(z: Tensor) -> Float[Tensor, "n D"]:
    return z.permute(0, 2, 3, 1).flatten(0, 2)


# The autoencoder


class VQAutoencoder(nn.Module):
    """Pictures (B, nc, size, size) in [-1, 1] -> tokens (B, size / fold, size / fold) -> pictures.

    fold: 4, 8, 16 …: so many pixels each way become one place. codes, dim and kind as of
    `Codebook`. Raises ValueError for other pictures, and for tokens that are not (B, side, side).
    """

    def __init__(
        self,
        nc: int = 3,
        size: int = 32,
        codes: int = 256,
        dim: int = 8,
        width: int = 64,
        fold: int = 4,
        kind: str = "restart",
    ):
        super().__init__()
        at_least_one(nc=nc, size=size, codes=codes, dim=dim, width=width, fold=fold)
        if fold < 4 or fold & (fold - 1) or size % fold or width % 16:
            raise ValueError(
                "fold must be 4, 8, 16 … and divide size, and 16 must divide width; got fold "
                f"{fold}, size {size}, width {width}"
            )
        self.shape, self.side = (nc, size, size), size // fold
        halvings = int(math.log2(fold)) - 2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(16 * nc, width, 3, padding=1), Residual(width),
            *(nn.Conv2d(width, width, 2, stride=2) for _ in range(halvings)), Residual(width),
            nn.SiLU(), nn.Conv2d(width, dim, 1),
        )  # fmt: skip
        doublings = [
            layer
            for _ in range(halvings)
            for layer in (nn.Conv2d(width, 4 * width, 1), nn.PixelShuffle(2), Residual(width))
        ]
        self.decoder = nn.Sequential(
            nn.Conv2d(dim, width, 3, padding=1), Residual(width), Residual(width), *doublings,
            nn.SiLU(), nn.Conv2d(width, 4 * width, 1), nn.PixelShuffle(2), Residual(width),
            nn.SiLU(), nn.Conv2d(width, 4 * nc, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        self.codebook = Codebook(codes, dim, kind)

    def forward(
        self, x: Float[Tensor, "B nc H W"]
    ) -> tuple[Float[Tensor, "B nc H W"], Int[Tensor, "B h w"], Float[Tensor, ""]]:
        """(reconstruction, tokens, the codebook's loss)."""
        q, tokens, loss = self.codebook(self.encode(x))
        return self.decoder(q).float(), tokens, loss

    def encode(self, x: Float[Tensor, "B nc H W"]) -> Float[Tensor, "B D h w"]:
        """The codes before they are rounded."""
        finite("x", shaped("x", x, "B", *self.shape, like=self.codebook.book), wait=False)
        return self.encoder(x).float()

    @torch.no_grad()
    def tokens(self, x: Float[Tensor, "B nc H W"], block: int = 256) -> Int[Tensor, "B h w"]:
        """The tokens of pictures, some at a time."""
        finite("x", floats("x", x)), whole("block", block)
        parts = [nearest_code(self.encode(part), self.codebook.book) for part in x.split(block)]
        return torch.cat(parts)

    @torch.no_grad()
    def pictures(self, tokens: Int[Tensor, "B ..."], block: int = 256) -> Float[Tensor, "B nc H W"]:
        """Pictures of tokens, (B, h, w) or as rows (B, h·w), in [-1, 1]."""
        whole("block", block)
        below("tokens", tokens, self.codebook.codes, like=self.codebook.book)
        if tokens[0].numel() != self.side**2:
            shape = f"(B, {self.side}, {self.side})"
            raise ValueError(f"tokens must be {shape}; got {tuple(tokens.shape)}")
        maps = tokens.reshape(len(tokens), self.side, self.side)
        made = [self.decoder(self.codebook.look_up(part)) for part in maps.split(block)]
        return torch.cat(made).float().clamp(-1, 1)


class Residual(nn.Module):
    """Two convolutions beside a shortcut; at first x passes through."""

    def __init__(self, width: int):
        super().__init__()
        at_least_one(width=width)
        if width % 16:
            raise ValueError(f"width must be a multiple of 16; got {width}")
        self.norm = nn.GroupNorm(width // 16, width)
        self.conv, self.out = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        shaped("x", x, "B", self.conv.in_channels, "H", "W", like=self.conv.weight)
        return x + self.out(F.silu(self.conv(F.silu(self.norm(x)))))


class VQStep:
    """One step of Adam on squared error and the codebook's loss, both means.

    steps: how many there will be. The learning rate then falls to 0 along a straight line, and for
    the last fifth no code is restarted. Returns the error, the codebook's loss and the perplexity
    of the batch.
    """

    def __init__(self, model: VQAutoencoder, lr: float = 2e-3, steps: int | None = None):
        instance("model", model, VQAutoencoder)
        self.model, self.steps = model, steps
        self.optimizer, self.schedule = _adam(model, lr, steps)

    def __call__(self, batch: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
        x = _pictures(batch, self.model)
        book = self.model.codebook
        done = self.schedule.last_epoch  # of a resumed run too
        book.restarts = book.kind == "restart" and (not self.steps or done < 0.8 * self.steps)
        with device.choose().autocast():
            made, tokens, pull = self.model(x)
        error = (made - x).square().mean()
        _descend(error + pull, self.optimizer)
        self.schedule.step()
        losses = {"error": error, "codebook": pull, "perplexity": perplexity(tokens, book.codes)}
        return {name: loss.detach() for name, loss in losses.items()}


# With a discriminator


def adaptive_weight(
    reconstruction: Float[Tensor, ""],
    g_loss: Float[Tensor, ""],
    weight: Float[Tensor, "..."],
    strength: float = 0.8,
) -> Float[Tensor, ""]:
    """How much the discriminator counts, so that both losses pull alike at the last layer.

    λ = strength · ‖∂ reconstruction‖ / (‖∂ g_loss‖ + 1e-4), at most 1e4, with respect to `weight`

    Source: Esser et al. 2021, eq. 7, with the 1e-4, the bound and the 0.8 of its code.
    """
    number("strength", strength, 0)
    ours = _pull("reconstruction", reconstruction, weight)
    theirs = _pull("g_loss", g_loss, weight)
    return strength * (ours / (theirs + 1e-4)).clamp(max=1e4).detach()


def _pull(name: str, loss: Tensor, weight: Tensor) -> Float[Tensor, ""]:
    instance(name, loss, Tensor), floats("weight", weight)
    if loss.numel() != 1 or not (loss.is_floating_point() and loss.requires_grad):
        raise ValueError(f"{name} must be one number with a gradient; got {loss!r:.60}")
    beside(name, loss, weight)
    slopes = (None,)
    if weight.requires_grad:
        slopes = torch.autograd.grad(loss, weight, retain_graph=True, allow_unused=True)
    if slopes[0] is None:
        raise ValueError(f"weight must be one that {name} depends on")
    return slopes[0].norm()


class VQGANStep:
    """One step of a decoder that also has to please a discriminator; tokens stay what they are.

    The decoder's loss is |x − made|, the squared distance of `features` of both where they are
    given, and `adaptive_weight` times the hinge loss of the discriminator, which joins after
    `alone` steps. features: pictures -> maps, of a network that judges nothing afterwards.
    `.model` is a copy of the autoencoder of which only the decoder learns.
    """

    def __init__(
        self,
        model: VQAutoencoder,
        discriminator: nn.Module,
        features: Callable[[Tensor], Tensor] | None = None,
        lr: float = 1e-3,
        alone: int = 60,
        steps: int | None = None,
    ):
        instance("model", model, VQAutoencoder), instance("discriminator", discriminator, nn.Module)
        whole("alone", alone, 0)
        if features is not None:
            function("features", features)
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.model.decoder.requires_grad_(True)
        self.discriminator, self.features, self.alone = discriminator, features, alone
        self.optimizer, self.schedule = _adam(self.model.decoder, lr, steps, beta1=0.5)
        self.d_optimizer, self.d_schedule = _adam(discriminator, lr, steps, beta1=0.5)
        self.last = [m for m in self.model.decoder if isinstance(m, nn.Conv2d)][-1].weight

    def __call__(self, batch: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
        x = _pictures(batch, self.model)
        hinge = gan_losses.LOSSES["hinge"]
        with torch.no_grad():
            q, _, _ = self.model.codebook(self.model.encode(x))
        with device.choose().autocast():
            made = self.model.decoder(q).float()
            error = (made - x).abs().mean()
            if self.features is not None:
                error = error + (self.features(made) - self.features(x)).square().mean()
            with frozen(self.discriminator):
                g_loss = hinge.g_loss(self.discriminator(made))
        joined = self.schedule.last_epoch >= self.alone
        weight = adaptive_weight(error, g_loss, self.last) * joined
        _descend(error + weight * g_loss, self.optimizer)
        with device.choose().autocast():
            scores = self.discriminator(x), self.discriminator(made.detach())
        d_loss = hinge.d_loss(*scores) / 2
        _descend(d_loss, self.d_optimizer)
        self.schedule.step()
        self.d_schedule.step()
        losses = {"error": error, "d_loss": d_loss, "g_loss": g_loss, "weight": weight}
        return {name: loss.detach() for name, loss in losses.items()}


def _pictures(batch: Tensor | Sequence[Tensor], model: VQAutoencoder) -> Tensor:
    x = batch[0] if isinstance(batch, Sequence) and batch else batch
    shaped("batch", x, "B", *model.shape, like=model.codebook.book)
    return finite("batch", x, wait=False)


def _adam(net: nn.Module, lr: float, steps: int | None, beta1: float = 0.9):
    number("lr", lr, 0)
    if steps is not None:
        whole("steps", steps)
    weights = [weight for weight in net.parameters() if weight.requires_grad]
    fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
    optimizer = torch.optim.Adam(weights, lr, betas=(beta1, 0.99), fused=fused)

    def factor(n: int) -> float:  # not LinearLR: a run that is taken up again may be a longer one
        return max(1 - n / steps, 0.0) if steps else 1.0

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
