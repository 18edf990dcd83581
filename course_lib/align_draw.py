"""alignDRAW in small: a recurrent network that looks at words while it paints a digit.

The picture is a digit somewhere on a larger canvas, and its caption says which digit is where. In
each of T steps the network attends to the words, draws a latent variable and adds a patch to the
canvas (Mansimov, Parisotto, Ba and Salakhutdinov 2016, who do this with MNIST on 60 × 60 pixels).
"""

import functools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_lib import data
from course_lib.checks import (
    DEPTH,
    MANY,
    alike,
    at_least_one,
    below,
    beside,
    finite,
    instance,
    number,
    one_of,
    present,
    random_source,
    several,
    shaped,
    truths,
    whole,
)
from course_lib.words import PAD, Tokeniser

# Digits on a canvas, and captions

SIZE, DIGIT = 18, 8  # pixels a side: of the canvas, of a digit
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = ("top left", "top right", "bottom left", "bottom right")
TEMPLATES = (
    "the digit {digit} is at the {place} of the image",  # the paper's
    "the {place} of the image shows a {digit}",
    "a {digit} at the {place}",
)
HELD_OUT = frozenset((digit, digit % 4) for digit in range(10))  # never together in training


class Placed(NamedTuple):
    """Pictures with their captions, and what the captions say."""

    x: Float[Tensor, "n 1 18 18"]  # 0 or 1
    text: Int[Tensor, "n 12"]  # encoded by `tokeniser`
    digits: Int[Tensor, " n"]  # 0 … 9
    places: Int[Tensor, " n"]  # 0 … 3, as in PLACES


@functools.cache
def tokeniser() -> Tokeniser:
    """The words of the captions, in alphabetical order."""
    said = " ".join((*DIGITS, *PLACES, *TEMPLATES)).replace("{digit}", "").replace("{place}", "")
    return Tokeniser(["<pad>", "<end>", *sorted(set(said.split()))], length=12)


def caption(digit: int, place: int, template: int = 0) -> str:
    """(3, 0) -> "the digit three is at the top left of the image". Raises ValueError for others."""
    digit, place = whole("digit", digit, 0, most=9), whole("place", place, 0, most=3)
    template = TEMPLATES[whole("template", template, 0, most=len(TEMPLATES) - 1)]
    return template.format(digit=DIGITS[digit], place=PLACES[place])


def placed_digits(
    n: int,
    split: str = "train",
    combinations: str = "all",
    generator: torch.Generator | None = None,
) -> Placed:
    """n digits of a split (8 × 8, on or off), each in a quadrant of the canvas, with captions.

    Digit, place, template and a jitter of 0 or 1 pixel each way are drawn. combinations: "seen"
    leaves out a digit and a place that are HELD_OUT together, "unseen" has only them. Raises
    ValueError for other words.
    """
    whole("n", n, most=MANY), random_source(generator)
    one_of("split", split, ("train", "test"))
    one_of("combinations", combinations, ("all", "seen", "unseen"))
    images, labels = _digits(split)
    rows = torch.randint(len(images), (n,), generator=generator)
    digits, spin = labels[rows], torch.randint(12, (n,), generator=generator)
    places = {
        "all": spin % 4,
        "seen": (digits + 1 + spin % 3) % 4,
        "unseen": digits % 4,
    }[combinations]
    quadrant = torch.stack([places // 2, places % 2], dim=1)
    corner = SIZE // 2 * quadrant + torch.randint(2, (n, 2), generator=generator)
    side = corner[:, :, None] + torch.arange(DIGIT)  # (n, 2, 8): the rows, the columns
    x = torch.zeros(n, 1, SIZE, SIZE)
    x[torch.arange(n)[:, None, None], 0, side[:, 0, :, None], side[:, 1, None]] = images[rows]
    templates = torch.randint(len(TEMPLATES), (n,), generator=generator)
    return Placed(x, _captions()[digits, places, templates], digits, places)


@functools.cache
def _digits(split: str) -> tuple[Tensor, Tensor]:
    images = data.load("digits", split)
    return (images.floats()[:, 0] > 0).float(), images.labels


@functools.cache
def _captions() -> Int[Tensor, "10 4 3 12"]:
    said = [caption(d, p, t) for d in range(10) for p in range(4) for t in range(len(TEMPLATES))]
    return tokeniser().encode(said).view(10, 4, len(TEMPLATES), -1)


def found_places(x: Float[Tensor, "n 1 18 18"]) -> tuple[Int[Tensor, " n"], Tensor]:
    """In which quadrant the centre of mass lies (−1: nothing is on), and the 8 × 8 around it.

    A pixel is on above 0.5. The second result, (n, 8, 8) of 0 and 1, is what a judge of digits
    reads. Raises ValueError for other shapes.
    """
    on = (present("x", finite("x", shaped("x", x, "n", 1, SIZE, SIZE)))[:, 0] > 0.5).float()
    mass, along = on.sum((1, 2)), torch.arange(SIZE, device=x.device).float()
    centre = torch.stack([on.sum(2) @ along, on.sum(1) @ along], 1) / mass.clamp(min=1)[:, None]
    below, right = (centre > (SIZE - 1) / 2).long().unbind(1)
    corner = (centre - (DIGIT - 1) / 2).round().long().clamp(0, SIZE - DIGIT)
    side = corner[:, :, None] + torch.arange(DIGIT, device=x.device)
    rows = torch.arange(len(x), device=x.device)[:, None, None]
    crop = on[rows, side[:, 0, :, None], side[:, 1, None]]
    return torch.where(mass > 0, 2 * below + right, -1), crop


# The network


def kl_of_gaussians(
    mu: Float[Tensor, "B d"],
    log_sigma: Float[Tensor, "B d"],
    prior_mu: Float[Tensor, "B d"],
    prior_log_sigma: Float[Tensor, "B d"],
) -> Float[Tensor, " B"]:
    """KL(N(μ, σ²) ‖ N(μ', σ'²)) of each row, in nats.

    Σ_d log σ' − log σ + (σ² + (μ − μ')²) / 2σ'² − ½

    Raises ValueError unless all have one shape.
    """
    others = {"log_sigma": log_sigma, "prior_mu": prior_mu, "prior_log_sigma": prior_log_sigma}
    shaped("mu", mu, "B", "d")
    for name, x in others.items():
        alike(name, x, "mu", mu)
    apart = (mu - prior_mu) / prior_log_sigma.exp()
    wider = log_sigma - prior_log_sigma
    return ((2 * wider).exp() / 2 + apart.square() / 2 - 0.5 - wider).sum(1)


def windows(
    centre: Float[Tensor, " B"],
    stride: Float[Tensor, " B"],
    sigma: Float[Tensor, " B"],
    size: int,
    patch: int,
) -> Float[Tensor, "B patch size"]:
    """`patch` Gaussians along a side of `size` pixels, `stride` apart around `centre`.

    F[i, a] ∝ exp(−(a − μ_i)² / 2σ²),   μ_i = centre + stride (i − (patch − 1) / 2)

    Each row sums to 1, or less where it lies off the canvas. Raises ValueError for other shapes.
    Source: Gregor et al. 2015, equations 19 to 26.
    """
    at_least_one(size=size, patch=patch)
    shaped("centre", centre, "B")
    for name, x in (("centre", centre), ("stride", stride), ("sigma", sigma)):
        finite(name, alike(name, x, "centre", centre), wait=False)
    i = torch.arange(patch, device=centre.device) - (patch - 1) / 2
    mu = centre[:, None] + stride[:, None] * i
    a = torch.arange(size, device=centre.device)
    near = (-((a - mu[..., None]) / sigma[:, None, None]).square() / 2).exp()
    return near / near.sum(2, keepdim=True).clamp(min=1e-4)


class AlignDraw(nn.Module):
    """Captions -> pictures of 0 and 1, painted in `steps` steps.

    s_t = Σ_k α_k h_k^lang,   α_k ∝ exp(vᵀ tanh(U h_k^lang + W h_{t−1} + b))
    P(z_t | z_<t) = N(tanh(W_μ h_{t−1}), exp(tanh(W_σ h_{t−1}))²),   which is N(0, I) at first
    h_t = LSTM(h_{t−1}, [z_t, s_t]),   c_t = c_{t−1} + write(h_t),   p(x) = Bernoulli(σ(c_T))

    words: size of the vocabulary. width: of the LSTMs. patch: Gaussians a side with which `write`
    paints; its place, stride and width depend on h_t. even: all words of a caption count the same
    instead. Source: Mansimov et al. 2016, section 3; here the inference LSTM sees the whole picture
    instead of reading a patch of it, and s_t depends on h_{t-1} as in the paper's equation.
    """

    def __init__(
        self,
        words: int | None = None,
        size: int = SIZE,
        steps: int = 8,
        width: int = 128,
        nz: int = 16,
        patch: int = DIGIT,
        even: bool = False,
    ):
        super().__init__()
        words = len(tokeniser()) if words is None else words
        at_least_one(words=words, size=size, width=width, nz=nz, patch=patch)
        self.steps = whole("steps", steps, most=DEPTH)
        self.size, self.nz, self.patch, self.even = size, nz, patch, instance("even", even, bool)
        self.word, half = nn.Embedding(words, 32), 32
        self.forwards = nn.LSTM(32, half, batch_first=True)
        self.backwards = nn.LSTM(32, half, batch_first=True)
        self.U, self.W = nn.Linear(2 * half, 64), nn.Linear(width, 64, bias=False)
        self.v = nn.Linear(64, 1, bias=False)
        self.look = nn.Linear(2 * size**2, 64)
        self.infer = nn.LSTMCell(64 + width, width)
        self.posterior, self.prior = nn.Linear(width, 2 * nz), nn.Linear(width, 2 * nz, bias=False)
        self.generate = nn.LSTMCell(nz + 2 * half, width)
        self.paint, self.where = nn.Linear(width, patch**2), nn.Linear(width, 4)
        self.blank = nn.Parameter(torch.full((size, size), -3.0))  # c_0
        self._begin_open()

    def _begin_open(self) -> None:
        """Forget gates begin open, so that a word is carried far (Jozefowicz et al. 2015)."""
        for lstm in (self.forwards, self.backwards, self.infer, self.generate):
            bias = lstm.bias_ih if isinstance(lstm, nn.LSTMCell) else lstm.bias_ih_l0
            nn.init.constant_(bias.view(4, -1)[1], 1.0)
        nn.init.constant_(self.where.bias[3:], -0.7)  # σ = ½: sharp strokes

    def read(self, text: Int[Tensor, "B L"]) -> tuple[Float[Tensor, "B L d"], Bool[Tensor, "B L"]]:
        """h^lang of a bidirectional LSTM, and which places hold words or the end of a caption."""
        below("text", text, self.word.num_embeddings, "B", "L", like=self.word.weight)
        real = text != PAD
        k, n = torch.arange(text.shape[1], device=text.device), real.sum(1, keepdim=True)
        turned = torch.where(k < n, n - 1 - k, k)  # the words backwards, padding where it was
        x = self.word(text)
        there = self.forwards(x)[0]
        back = self.backwards(_taken(x, turned))[0]
        return torch.cat([there, _taken(back, turned)], dim=2), real

    def align(
        self, said: Float[Tensor, "B L d"], h: Float[Tensor, "B width"], real: Bool[Tensor, "B L"]
    ) -> Float[Tensor, "B L"]:
        """α (B, L): how much of each word is heard; 0 where `real` is False, as of padding."""
        d = self.U.in_features
        B, L, _ = shaped("said", said, "B", "L", d, like=self.U.weight).shape
        shaped("h", h, B, self.W.in_features, like=self.U.weight)
        finite("said", said, wait=False), finite("h", h, wait=False)
        if beside("real", truths("real", real), said).shape != (B, L):
            raise ValueError(f"real must be ({B}, {L}); got {tuple(real.shape)}")
        if real.device.type == "cpu" and not real.any(1).all():
            raise ValueError("text must have a word to be heard in each row; got a row of none")
        scores = self.v((self.U(said) + self.W(h)[:, None]).tanh())[..., 0]
        scores = torch.zeros_like(scores) if self.even else scores
        return scores.masked_fill(~real, -math.inf).softmax(1)

    def write(self, h: Float[Tensor, "B width"]) -> Float[Tensor, "B size size"]:
        """A patch, stretched over the canvas: F_yᵀ patch F_x."""
        finite("h", shaped("h", h, "B", self.where.in_features, like=self.where.weight), wait=False)
        y, x, stride, sigma = self.where(h).unbind(1)
        stride, sigma, middle = stride.exp(), sigma.exp(), (self.size - 1) / 2
        F_y, F_x = (
            windows(middle * (1 + at), stride, sigma, self.size, self.patch) for at in (y, x)
        )
        return F_y.mT @ self.paint(h).view(-1, self.patch, self.patch) @ F_x

    def forward(
        self,
        text: Int[Tensor, "B L"],
        noise: Float[Tensor, "T B nz"],
        x: Float[Tensor, "B 1 size size"] | None = None,
        hidden: Bool[Tensor, "B L"] | None = None,
    ) -> tuple[Float[Tensor, "T B 1 size size"], Float[Tensor, "T B L"], Float[Tensor, "T B"]]:
        """The canvases c_1 … c_T (logits), α and KL(Q ‖ P) of each step.

        noise: from N(0, I). z_t comes from the prior, or, where a picture x of 0 and 1 is given,
        from Q(z_t | x, z_<t) of the inference LSTM. hidden: words that get no attention; the
        LSTM has read them. Raises ValueError for other shapes, and where nothing is left to hear.
        """
        said, real = self.read(text)
        if hidden is not None:
            if beside("hidden", truths("hidden", hidden), text).shape != text.shape:
                raise ValueError(f"hidden must be {tuple(text.shape)}; got {tuple(hidden.shape)}")
            real = real & ~hidden
        B, weight = len(text), self.word.weight
        finite("noise", shaped("noise", noise, self.steps, B, self.nz, like=weight), wait=False)
        if x is not None:
            finite("x", shaped("x", x, B, 1, self.size, self.size, like=weight), wait=False)
        h = cell = infer = infer_cell = weight.new_zeros(B, self.generate.hidden_size)
        canvas, told = self.blank.expand(B, -1, -1), []
        for t in range(self.steps):
            alpha = self.align(said, h, real)
            prior = mu, log_sigma = self.prior(h).tanh().chunk(2, dim=1)
            if x is not None:
                error = x[:, 0] - canvas.sigmoid()
                r = self.look(torch.cat([x.flatten(1), error.flatten(1)], dim=1))
                infer, infer_cell = self.infer(torch.cat([r, h], dim=1), (infer, infer_cell))
                mu, log_sigma = self.posterior(infer).chunk(2, dim=1)
            z = mu + log_sigma.exp() * noise[t]
            s = (alpha[..., None] * said).sum(1)
            h, cell = self.generate(torch.cat([z, s], dim=1), (h, cell))
            canvas = canvas + self.write(h)
            told.append((canvas[:, None], alpha, kl_of_gaussians(mu, log_sigma, *prior)))
        return tuple(torch.stack(of) for of in zip(*told, strict=True))

    def loss(
        self,
        x: Float[Tensor, "B 1 size size"],
        text: Int[Tensor, "B L"],
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """(−log p(x | z) + Σ_t KL, Σ_t KL), means over the batch, in nats a picture.

        The first is above −log p(x) on average. Raises ValueError for other shapes.
        """
        noise = self._noise(text, generator)
        shaped("x", x, len(text), 1, self.size, self.size, like=self.word.weight)
        canvases, _, kl = self(text, noise, x)
        missed = F.binary_cross_entropy_with_logits(canvases[-1], x, reduction="sum") / len(x)
        kl = kl.sum(0).mean()
        return missed + kl, kl

    @torch.no_grad()
    def sample(
        self,
        text: Int[Tensor, "B L"],
        generator: torch.Generator | None = None,
        hidden: Bool[Tensor, "B L"] | None = None,
    ) -> tuple[Float[Tensor, "T B 1 size size"], Float[Tensor, "T B L"]]:
        """The canvases of all steps, as probabilities σ(c_t), and the attention to each word.

        hidden: words that get no attention. Raises as `forward`.
        """
        canvases, alpha, _ = self(text, self._noise(text, generator), hidden=hidden)
        return canvases.sigmoid(), alpha

    def _noise(self, text: Tensor, generator: torch.Generator | None) -> Tensor:
        random_source(generator)
        device = self.word.weight.device
        shape = self.steps, len(below("text", text, self.word.num_embeddings, "B", "L")), self.nz
        where = device if generator is None else generator.device
        noise = torch.randn(shape, generator=generator, device=where)
        return noise.to(self.word.weight, non_blocking=noise.device.type == "cpu")


class AlignDrawStep:
    """One step of Adam: batches (x, text). Returns loss and kl, in nats a picture.

    steps: the learning rate then falls to a twentieth along a straight line.
    """

    def __init__(
        self,
        net: AlignDraw,
        lr: float = 5e-3,
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ):
        self.net, self.generator = instance("net", net, AlignDraw), generator
        random_source(generator), number("lr", lr, above=0)
        self.optimizer = torch.optim.Adam(net.parameters(), lr)
        total = None if steps is None else whole("steps", steps)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda n: max(0.05, 1 - 0.95 * n / total) if total else 1.0
        )

    def __call__(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        x, text = several("batch", batch, instance, Tensor, count=2)
        loss, kl = self.net.loss(x, text, self.generator)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        return {"loss": loss.detach(), "kl": kl.detach()}


def _taken(x: Float[Tensor, "B L d"], places: Int[Tensor, "B L"]) -> Float[Tensor, "B L d"]:
    return x.gather(1, places[..., None].expand_as(x))
