"""Denoising diffusion: noise is added to a picture in T steps, and a network learns the way back.

    forward    x_t = √(1−β_t) x_{t−1} + √β_t ε,    so that   x_t = √ᾱ_t x₀ + √(1−ᾱ_t) ε
    training   ‖ε − model(x_t, t)‖²
    reverse    x̂₀ from x_t and the predicted ε, then a draw from q(x_{t−1} | x_t, x̂₀)

(Ho, Jain and Abbeel 2020). t is a whole number in 0 … T−1, and ᾱ₀ is closest to the data. A model
is model(x, t, labels=None) -> ε, or the velocity v = √ᾱ_t ε − √(1−ᾱ_t) x₀ where prediction="v".

`Diffusion` holds a schedule and all that follows from it. Flow matching, which replaces the chain
by straight lines, is at the end, with one step of training for either.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import device, plots
from course_lib.checks import (
    MANY,
    SIZE,
    alike,
    beside,
    finite,
    floats,
    function,
    instance,
    integers,
    is_whole,
    number,
    one_of,
    random_source,
    whole,
    wholes,
)
from course_lib.training import EMA

PREDICTIONS = ("eps", "v")
VARIANCES = ("posterior", "beta")
DROP = 0.1  # the share of labels that training hides, so that the model also learns to do without
FLOW_TIME = 1000  # flow's t runs from 0 to 1; networks made for 1,000 steps see 1,000 t

__all__ = ["Diffusion", "DiffusionStep", "FlowStep", "Trace", "cosine_betas", "flow_loss"]
__all__ += ["flow_sample", "guided_noise", "linear_betas"]


# Schedules


def linear_betas(T: int, start: float = 1e-4, end: float = 0.02) -> Float[Tensor, " T"]:
    """β_t on a straight line from start to end, float64.

    Made for T = 1000. For fewer steps give both ends times 1000 / T: left as they are, 36 % of the
    picture is still there after 200 steps. Raises ValueError unless 0 < start ≤ end < 1 and T ≥ 1.
    Source: Ho et al. 2020, section 4.
    """
    whole("T", T, most=SIZE)
    if not 0 < number("start", start) <= number("end", end) < 1:
        raise ValueError(f"start and end must be 0 < start ≤ end < 1; got {start} and {end}")
    return torch.linspace(start, end, T, dtype=torch.float64)


def cosine_betas(T: int, s: float = 0.008) -> Float[Tensor, " T"]:
    """β_t that make ᾱ fall along a squared cosine, for any T; float64, each at most 0.999.

    ᾱ(u) = cos²((u + s) / (1 + s) · π/2),   β_t = 1 − ᾱ((t+1)/T) / ᾱ(t/T)

    Raises ValueError unless T ≥ 1 and s ≥ 0. Source: Nichol and Dhariwal 2021, eq. 17.
    """
    whole("T", T, most=SIZE)
    number("s", s, 0)
    u = torch.arange(T + 1, dtype=torch.float64) / T
    alpha_bar = ((u + s) / (1 + s) * math.pi / 2).cos().square()
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


# Guidance


def guided_noise(
    eps_cond: Float[Tensor, "..."], eps_uncond: Float[Tensor, "..."], w: float
) -> Float[Tensor, "..."]:
    """eps_uncond + w (eps_cond − eps_uncond): w = 0 hides the label, w = 1 is plain conditional.

    The paper's (1 + w) eps_cond − w eps_uncond has a w that is smaller by 1. Raises ValueError for
    two shapes and a w that is not finite. Source: Ho and Salimans 2022, eq. 6.
    """
    number("w", w)
    beside("eps_cond", floats("eps_cond", eps_cond), floats("eps_uncond", eps_uncond))
    if eps_cond.shape != eps_uncond.shape:
        shapes = f"{tuple(eps_cond.shape)} and {tuple(eps_uncond.shape)}"
        raise ValueError(f"eps_cond and eps_uncond must have one shape; got {shapes}")
    return eps_uncond + w * (eps_cond - eps_uncond)


# The chain


class Trace(NamedTuple):
    """What a sampler went through: `t` (n,), `xt` (n + 1, B, …), and each guess `x0` (n, B, …)."""

    x: Tensor  # the pictures: the last of xt
    t: Tensor
    xt: Tensor
    x0: Tensor


class Diffusion:
    """A schedule β_0 … β_{T−1} and what follows from it: noising, the posterior, loss, samplers.

    .beta, .alpha_bar and .snr = ᾱ / (1 − ᾱ) are float64 (T,). Where a method takes t, it is an
    integer tensor (B,), a time for each picture, or one int for all. Pictures may have any shape
    (B, …) of decimal numbers. Raises ValueError for betas outside (0, 1) or not (T,), for no
    pictures, for t outside 0 … T−1 (looked at on the CPU only: a GPU would wait for it), TypeError
    for t that is not whole and for pictures of whole or complex numbers.
    """

    def __init__(self, betas: Float[Tensor, " T"]):
        _check_betas(betas)
        betas = betas.detach().double()
        self.beta, self.T = betas if betas.is_meta else betas.cpu(), len(betas)
        self.alpha_bar = (1 - self.beta).cumprod(0)
        self.snr = self.alpha_bar / (1 - self.alpha_bar)
        before = torch.cat([torch.ones_like(self.beta[:1]), self.alpha_bar[:-1]])  # ᾱ_{t−1}
        rest = 1 - self.alpha_bar
        self.tables = {  # in float64: 1 − 0.9999 in float32 is wrong in the fourth digit
            "keep": (1 - self.beta).sqrt(),
            "add": self.beta.sqrt(),
            "signal": self.alpha_bar.sqrt(),
            "noise": rest.sqrt(),
            "mean_x0": before.sqrt() * self.beta / rest,
            "mean_xt": (1 - self.beta).sqrt() * (1 - before) / rest,
            "variance": self.beta * (1 - before) / rest,
        }
        self._moved: dict[tuple, Tensor] = {}  # tables where and as pictures are

    # forward

    def q_step(self, x: Tensor, t: Tensor | int, noise: Tensor) -> Tensor:
        """One step of the chain, x_{t−1} -> x_t = √(1−β_t) x_{t−1} + √β_t noise (x_{−1} is x₀)."""
        self._check(t, x=x, noise=noise)
        return self._at("keep", t, x) * x + self._at("add", t, x) * noise

    def q_sample(
        self, x0: Float[Tensor, "B ..."], t: Int[Tensor, " B"] | int, noise: Float[Tensor, "B ..."]
    ) -> Float[Tensor, "B ..."]:
        """x_t at once: √ᾱ_t x₀ + √(1−ᾱ_t) noise (Ho et al. 2020, eq. 4)."""
        self._check(t, x0=x0, noise=noise)
        return self._at("signal", t, x0) * x0 + self._at("noise", t, x0) * noise

    def posterior(
        self, x0: Float[Tensor, "B ..."], xt: Float[Tensor, "B ..."], t: Int[Tensor, " B"] | int
    ) -> tuple[Float[Tensor, "B ..."], Float[Tensor, "B ..."]]:
        """Mean and variance of q(x_{t−1} | x_t, x₀); the variance as (B, 1, …), 0 at t = 0.

        mean = √ᾱ_{t−1} β_t / (1−ᾱ_t) x₀ + √α_t (1−ᾱ_{t−1}) / (1−ᾱ_t) x_t
        variance = β_t (1−ᾱ_{t−1}) / (1−ᾱ_t)                   (Ho et al. 2020, eq. 7)
        """
        self._check(t, xt=xt, x0=x0)
        mean = self._at("mean_x0", t, xt) * x0 + self._at("mean_xt", t, xt) * xt
        variance = torch.as_tensor(self._at("variance", t, xt), dtype=xt.dtype, device=xt.device)
        return mean, variance.expand(len(xt), *[1] * (xt.ndim - 1))

    # what a prediction says

    def predict_x0(
        self, xt: Float[Tensor, "B ..."], t: Int[Tensor, " B"] | int, eps: Float[Tensor, "B ..."]
    ) -> Float[Tensor, "B ..."]:
        """The picture that x_t was made of if its noise is eps: (x_t − √(1−ᾱ_t) eps) / √ᾱ_t."""
        self._check(t, xt=xt, eps=eps)
        return (xt - self._at("noise", t, xt) * eps) / self._at("signal", t, xt)

    def predict_eps(self, xt: Tensor, t: Tensor | int, x0: Tensor) -> Tensor:
        """The noise in x_t if its picture is x0: (x_t − √ᾱ_t x0) / √(1−ᾱ_t)."""
        self._check(t, xt=xt, x0=x0)
        return (xt - self._at("signal", t, xt) * x0) / self._at("noise", t, xt)

    def velocity(self, x0: Tensor, t: Tensor | int, noise: Tensor) -> Tensor:
        """v = √ᾱ_t noise − √(1−ᾱ_t) x0 (Salimans and Ho 2022): x̂₀ = √ᾱ_t x_t − √(1−ᾱ_t) v."""
        self._check(t, x0=x0, noise=noise)
        return self._at("signal", t, x0) * noise - self._at("noise", t, x0) * x0

    # training

    def loss(
        self,
        model: Callable,
        x0: Float[Tensor, "B ..."],
        labels: Int[Tensor, "B ..."] | None = None,
        generator: torch.Generator | None = None,
        prediction: str = "eps",
        min_snr: float | None = None,
    ) -> Float[Tensor, ""]:
        """The mean squared error of the predicted noise, or velocity, at random times.

        Where the model has an unconditional class (`model.unconditional`), it replaces the labels
        of a picture with probability 0.1; of several attributes also each by itself. min_snr = γ
        weighs each error by min(snr, γ) / snr, for v by min(snr, γ) / (snr + 1).
        Source: Ho et al. 2020, eq. 14; the weights: Hang et al. 2023.
        """
        one_of("prediction", prediction, PREDICTIONS), function("model", model)
        floats("x0", x0), min_snr is None or number("min_snr", min_snr, above=0)
        t = torch.randint(self.T, (len(x0),), generator=generator, device=_place(generator, x0))
        t, noise = t.to(x0.device), _normal(x0.shape, x0, generator)
        target = noise if prediction == "eps" else self.velocity(x0, t, noise)
        xt = self.q_sample(x0, t, noise)
        error = _ask(model, xt, t, _some_hidden(model, labels, generator)) - target
        if min_snr is None:
            return error.square().mean()
        return (self.min_snr_weight(min_snr, prediction).to(error)[t] * _each(error)).mean()

    def min_snr_weight(self, gamma: float = 5.0, prediction: str = "eps") -> Float[Tensor, " T"]:
        """min(snr, γ) / snr for errors of the noise, min(snr, γ) / (snr + 1) for those of v."""
        one_of("prediction", prediction, PREDICTIONS)
        number("gamma", gamma, above=0)
        return self.snr.clamp(max=gamma) / (self.snr + (prediction == "v"))

    # steps back

    def ddpm_step(
        self,
        xt: Float[Tensor, "B ..."],
        t: int,
        eps: Float[Tensor, "B ..."],
        noise: Float[Tensor, "B ..."] | None = None,
        *,
        s: int | None = None,
        variance: str = "posterior",
        clip: bool = False,
    ) -> Float[Tensor, "B ..."]:
        """From x_t to x_s, one draw from the posterior with x̂₀ in the place of x₀.

        s: the time to go to, t − 1 unless given; −1 is the picture itself, and there no noise is
        added. variance: "posterior" as in `posterior`, or "beta", which is β_t (between t and s:
        1 − ᾱ_t / ᾱ_s). clip holds x̂₀ in [-1, 1]. Source: Ho et al. 2020, algorithm 2.
        """
        s = self._earlier(xt, t, s, noise)
        x0 = self._clipped(self.predict_x0(xt, t, eps), clip)
        return self._ancestral(xt, t, s, x0, noise, variance)

    def ddim_step(
        self,
        xt: Float[Tensor, "B ..."],
        t: int,
        s: int,
        eps: Float[Tensor, "B ..."],
        eta: float = 0.0,
        noise: Float[Tensor, "B ..."] | None = None,
        *,
        clip: bool = False,
    ) -> Float[Tensor, "B ..."]:
        """From x_t to x_s, any earlier time; s = −1 is the picture itself.

        x_s = √ᾱ_s x̂₀ + √(1−ᾱ_s−σ²) ε + σ noise,   σ² = η² (1−ᾱ_s)/(1−ᾱ_t) (1 − ᾱ_t/ᾱ_s)

        eta = 0 adds no noise, eta = 1 is ancestral sampling. With clip, x̂₀ is held in [-1, 1], and
        ε is what then remains of x_t. Source: Song, Meng and Ermon 2021, eq. 12 and 16.
        """
        number("eta", eta, 0, 1), whole("s", s, -1, most=self.T - 1)
        s = self._earlier(xt, t, s, noise)
        x0 = self._clipped(self.predict_x0(xt, t, eps), clip)
        return self._implicit(xt, t, s, x0, noise, eta)

    def _ancestral(self, xt, t: int, s: int, x0, noise, variance: str) -> Tensor:
        one_of("variance", variance, VARIANCES)
        now, then = self._alpha_bar(t), self._alpha_bar(s)
        alpha, rest = now / then, 1 - now
        mean = then**0.5 * (1 - alpha) / rest * x0 + alpha**0.5 * (1 - then) / rest * xt
        if s < 0:
            return mean
        spread = 1 - alpha if variance == "beta" else (1 - alpha) * (1 - then) / rest
        return mean + spread**0.5 * _needed(noise)

    def _implicit(self, xt, t: int, s: int, x0, noise, eta: float) -> Tensor:
        now, then = self._alpha_bar(t), self._alpha_bar(s)
        eps = (xt - now**0.5 * x0) / (1 - now) ** 0.5
        sigma = eta * ((1 - then) / (1 - now) * (1 - now / then)) ** 0.5
        x = then**0.5 * x0 + max(1 - then - sigma**2, 0.0) ** 0.5 * eps
        return x + sigma * _needed(noise) if sigma > 0 else x

    # sampling

    def times(self, steps: int, spacing: str = "trailing") -> list[int]:
        """`steps` times from T−1 downwards, evenly ("trailing"); or from 0 upwards ("leading").

        Leading ones end below T−1, where the sampler nevertheless starts from pure noise: usual in
        older code, poor for few steps. Source of both: Lin et al. 2024, table 2.
        """
        one_of("spacing", spacing, ("trailing", "leading"))
        steps = whole("steps", steps, most=self.T)
        if spacing == "leading":
            return [i * (self.T // steps) for i in reversed(range(steps))]
        return [round(self.T * i / steps) - 1 for i in range(steps, 0, -1)]

    def ddpm_sample(
        self,
        model: Callable,
        shape: Sequence[int],
        labels: Int[Tensor, "B ..."] | None = None,
        guidance: float = 1.0,
        generator: torch.Generator | None = None,
        trace: bool = False,
        *,
        steps: int | None = None,
        variance: str = "posterior",
        prediction: str = "eps",
        clip: bool = True,
        spacing: str = "trailing",
        start: Tensor | None = None,
    ) -> Float[Tensor, "B ..."] | Trace:
        """Pictures by ancestral sampling: from noise, `ddpm_step` after `ddpm_step`.

        shape: (B, …). steps: how many of the T times are visited, all unless given. guidance: see
        `guided_noise`; other than 1 it needs labels and a model with an unconditional class, and
        both answers come from one pass. clip holds x̂₀ in [-1, 1]: False for latents. start: x_T,
        drawn unless given. trace=True returns a `Trace`. Raises ValueError for what does not fit.
        """
        one_of("variance", variance, VARIANCES)
        step = partial(self._ancestral, variance=variance)
        times = self.times(self.T if steps is None else steps, spacing)
        ask = partial(self._guess, model, labels, guidance, prediction, clip)
        return self._walk(ask, step, times, True, model, shape, generator, trace, start)

    def ddim_sample(
        self,
        model: Callable,
        shape: Sequence[int],
        labels: Int[Tensor, "B ..."] | None = None,
        guidance: float = 1.0,
        generator: torch.Generator | None = None,
        trace: bool = False,
        *,
        steps: int = 50,
        eta: float = 0.0,
        prediction: str = "eps",
        clip: bool = True,
        spacing: str = "trailing",
        start: Tensor | None = None,
    ) -> Float[Tensor, "B ..."] | Trace:
        """Pictures by DDIM: `ddim_step` after `ddim_step`. Arguments as of `ddpm_sample`.

        With eta = 0 the picture follows from x_T alone.
        """
        number("eta", eta, 0, 1)
        step, times = partial(self._implicit, eta=eta), self.times(steps, spacing)
        ask = partial(self._guess, model, labels, guidance, prediction, clip)
        return self._walk(ask, step, times, eta > 0, model, shape, generator, trace, start)

    def inpaint(
        self,
        model: Callable,
        x0: Float[Tensor, "B ..."],
        mask: Float[Tensor, "..."],
        labels: Int[Tensor, "B ..."] | None = None,
        guidance: float = 1.0,
        generator: torch.Generator | None = None,
        trace: bool = False,
        *,
        steps: int = 100,
        repeats: int = 1,
        prediction: str = "eps",
        clip: bool = True,
    ) -> Float[Tensor, "B C H W"] | Trace:
        """x0 with new content where mask is 1 (or True); where it is 0, x0 stays to the last bit.

        After each ancestral step the known part is put in anew, noised as much as the rest.
        repeats: how often each step is taken; from the second time on x_s is first noised back to
        x_t, so that both parts can agree. mask: anything that broadcasts to x0. Other arguments as
        of `ddpm_sample`. Source: Lugmayr et al. 2022, algorithm 1.
        """
        mask = _check_mask(mask, floats("x0", x0))
        whole("repeats", repeats, most=MANY)

        def step(xt, t, s, guess, noise):
            x = self._ancestral(xt, t, s, guess, noise, "posterior")
            known = x0 if s < 0 else self.q_sample(x0, s, _normal(x0.shape, x0, generator))
            return torch.where(mask, x, known)

        def again(x, s, t):
            kept = self._alpha_bar(t) / self._alpha_bar(s)
            return kept**0.5 * x + (1 - kept) ** 0.5 * _normal(x.shape, x, generator)

        ask = partial(self._guess, model, labels, guidance, prediction, clip)
        times, shape = self.times(steps), x0.shape
        start = _normal(shape, x0, generator)
        return self._walk(
            ask, step, times, True, model, shape, generator, trace, start, repeats, again
        )

    def _guess(self, model, labels, guidance, prediction, clip, x: Tensor, t: int) -> Tensor:
        """x̂₀, from one pass of the model over the batch."""
        times = torch.full((len(x),), t, device=x.device)
        out = _ask(model, x, times, labels, guidance).to(x.dtype)
        if prediction == "eps":
            return self._clipped(self.predict_x0(x, t, out), clip)
        one_of("prediction", prediction, PREDICTIONS)
        x0 = self._at("signal", t, x) * x - self._at("noise", t, x) * out
        return self._clipped(x0, clip)

    @torch.no_grad()
    def _walk(
        self, ask, step, times, noisy, model, shape, generator, trace, start, repeats=1, again=None
    ):
        """x_T -> x_0 through `times`, without waiting for the device anywhere."""
        x = _start(shape, start, generator, model)
        seen: tuple[list, list] = ([x], [])
        with _ready(model):
            for t, s in zip(times, [*times[1:], -1], strict=True):
                for repeat in range(repeats if s >= 0 else 1):
                    x = again(x, s, t) if repeat else x
                    x0 = ask(x, t)
                    noise = _normal(x.shape, x, generator) if noisy and s >= 0 else None
                    x = step(x, t, s, x0, noise)
                if trace:
                    seen[0].append(x)
                    seen[1].append(x0)
        if not trace:
            return x
        return Trace(x, torch.tensor(times), torch.stack(seen[0]), torch.stack(seen[1]))

    def _at(self, name: str, t: Tensor | int, x: Tensor) -> Tensor | float:
        """The coefficient `name` at the times t, so that it multiplies pictures like x."""
        if not isinstance(t, Tensor):
            return self.tables[name][t].item()  # of the CPU: nothing waits
        key = (name, x.device, x.dtype)
        if key not in self._moved:
            self._moved[key] = self.tables[name].to(x.dtype).to(x.device)
        return self._moved[key][t.long()].view(-1, *[1] * (x.ndim - 1))

    def _alpha_bar(self, t: int) -> float:
        return self.alpha_bar[t].item() if t >= 0 else 1.0

    def _clipped(self, x0: Tensor, clip: bool) -> Tensor:
        return x0.clamp(-1, 1) if clip else x0

    def _check(self, t: Tensor | int, **pictures: Tensor) -> None:
        (first, x), *others = pictures.items()
        floats(first, x)
        for name, other in others:
            alike(name, other, "the pictures", x)
        if is_whole(t) and not isinstance(t, Tensor):
            low = high = t
        else:
            if integers("t", t).shape != (len(x),):
                raise ValueError(
                    f"t must be ({len(x)},), a time for each picture; got {tuple(t.shape)}"
                )
            if t.is_meta and not x.is_meta:
                raise ValueError(f"t must have values, as pictures on {x.device} have; got meta")
            if t.device.type != "cpu":
                return
            low, high = t.min().item(), t.max().item()
        if low < 0 or high >= self.T:
            raise ValueError(f"t must lie in 0 … {self.T - 1}; got {low} … {high}")

    def _earlier(self, xt: Tensor, t: int, s: int | None, noise: Tensor | None) -> int:
        """The time to go to from t, which one step must be able to reach."""
        t = whole("t", t, 0, most=self.T - 1)
        floats("xt", xt)
        if noise is not None:
            alike("noise", noise, "the pictures", xt)
        return t - 1 if s is None else whole("s", s, -1, most=t - 1)


# Flow matching: straight lines between pictures and noise


def flow_loss(
    model: Callable,
    x0: Float[Tensor, "B ..."],
    labels: Int[Tensor, "B ..."] | None = None,
    generator: torch.Generator | None = None,
    *,
    middle: bool = False,
) -> Float[Tensor, ""]:
    """The mean squared error of the predicted velocity on straight lines from picture to noise.

    x_t = (1 − t) x₀ + t noise,   ‖model(x_t, 1000 t) − (noise − x₀)‖²,   t ~ U(0, 1)

    middle=True draws t = sigmoid(n), n ~ N(0, 1), which spends more of the training in the middle
    of the path. Labels are hidden as in `Diffusion.loss`. Source: Lipman et al. 2023; Liu et al.
    2023; the choice of t: Esser et al. 2024, section 3.1.
    """
    floats("x0", x0), function("model", model)
    draw = torch.randn if middle else torch.rand
    t = draw(len(x0), generator=generator, device=_place(generator, x0)).to(x0.device)
    t = t.sigmoid() if middle else t
    noise = _normal(x0.shape, x0, generator)
    xt = x0 + t.to(x0.dtype).view(-1, *[1] * (x0.ndim - 1)) * (noise - x0)
    v = _ask(model, xt, FLOW_TIME * t, _some_hidden(model, labels, generator))
    return (v - (noise - x0)).square().mean()


@torch.no_grad()
def flow_sample(
    model: Callable,
    shape: Sequence[int],
    labels: Int[Tensor, "B ..."] | None = None,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
    trace: bool = False,
    *,
    steps: int = 50,
    start: Tensor | None = None,
) -> Float[Tensor, "B ..."] | Trace:
    """Pictures along the learned velocities, from t = 1 (noise) to 0 in equal steps (Euler).

    x ← x − model(x, 1000 t) / steps. Arguments as of `Diffusion.ddpm_sample`; Trace.t is 1000 t.
    """
    whole("steps", steps, most=MANY)
    x = _start(shape, start, generator, model)
    seen: tuple[list, list] = ([x], [])
    times = [1 - i / steps for i in range(steps)]
    with _ready(model):
        for t in times:
            now = torch.full((len(x),), FLOW_TIME * t, device=x.device)
            v = _ask(model, x, now, labels, guidance).to(x.dtype)
            if trace:
                seen[1].append(x - t * v)
            x = x - v / steps
            if trace:
                seen[0].append(x)
    if not trace:
        return x
    t = FLOW_TIME * torch.tensor(times)
    return Trace(x, t, torch.stack(seen[0]), torch.stack(seen[1]))


# One step of training, for `training.train`


class _Step:
    """Adam on a loss of (model, x, labels), an average of the weights in `.ema.model`.

    lr: after a warm-up of 100 steps. steps: how many there will be; lr then falls to 0 along a
    straight line. A batch is pictures; or (pictures, labels) for a model with classes; or
    (pictures, picture to put beside each) for one with `beside`.
    """

    def __init__(self, model: nn.Module, lr: float, ema: float, steps: int | None):
        instance("model", model, nn.Module), number("lr", lr, above=0), number("ema", ema, 0, 1)
        if steps is not None:
            whole("steps", steps)
        weights = list(model.parameters())
        fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
        self.model, self.ema, self.seen = model, EMA(model, ema), _Seen()
        self.optimizer = torch.optim.Adam(weights, lr, betas=(0.9, 0.99), fused=fused)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda n: min(1, (n + 1) / 100) * (1 - n / steps if steps else 1)
        )

    def __call__(self, batch: Tensor | Sequence[Tensor]) -> dict[str, Tensor]:
        x, labels, beside = self._parts(batch)
        self.seen.note(x, labels, beside)
        with device.choose().autocast():
            loss = self.loss(_with(self.model, beside), x, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return {"loss": loss.detach()}

    def samples(self):
        """What the averaged model makes of always the same noise: for `train(…, watch=…)`."""
        if self.seen.shape is None:
            raise ValueError("samples() needs the shape of a batch: take a step first")
        net, n, columns, labels, beside = self.ema.model, 64, 16, self.seen.labels, self.seen.beside
        where = next(net.parameters()).device
        known = labels if labels is not None else beside
        n = n if known is None else len(known)
        if isinstance(getattr(net, "classes", None), int) and net.classes <= 16:
            columns = net.classes
            n = columns * (n // columns or 1)
            labels = torch.arange(n) % columns  # a class in each column
        labels, beside = (part if part is None else part.to(where) for part in (labels, beside))
        generator = torch.Generator().manual_seed(0)
        pictures = self.sample(_with(net, beside), (n, *self.seen.shape), labels, generator)
        return plots.grid(pictures.clamp(-1, 1).cpu(), columns)

    def _parts(self, batch) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if isinstance(batch, Tensor):
            return batch, None, None
        x, other = batch[0], batch[1] if len(batch) > 1 else None
        labels = other if getattr(self.model, "classes", None) is not None else None
        return x, labels, other if getattr(self.model, "beside", 0) else None


class DiffusionStep(_Step):
    """One step of Adam on `Diffusion.loss`. prediction and min_snr as there.

    samples() shows 50 steps of DDIM. Everything else as in `FlowStep`.
    """

    def __init__(
        self,
        model: nn.Module,
        diffusion: Diffusion,
        *,
        prediction: str = "eps",
        lr: float = 1e-3,
        ema: float = 0.999,
        steps: int | None = None,
        min_snr: float | None = None,
        clip: bool = True,
    ):
        one_of("prediction", prediction, PREDICTIONS)
        instance("diffusion", diffusion, Diffusion)
        if min_snr is not None:
            number("min_snr", min_snr, above=0)
        super().__init__(model, lr, ema, steps)
        self.diffusion, self.prediction, self.clip = diffusion, prediction, clip
        self.min_snr = min_snr

    def loss(self, model: Callable, x: Tensor, labels: Tensor | None) -> Tensor:
        floats("x", x)
        return self.diffusion.loss(
            model, x, labels, prediction=self.prediction, min_snr=self.min_snr
        )

    def sample(self, model: Callable, shape, labels, generator) -> Tensor:
        options = {"prediction": self.prediction, "clip": self.clip}
        return self.diffusion.ddim_sample(model, shape, labels, 1.0, generator, **options)


class FlowStep(_Step):
    """One step of Adam on `flow_loss`, with an average of the weights in `.ema.model`.

    lr: after a warm-up of 100 steps. steps: how many there will be; lr then falls to 0 along a
    straight line. A batch is pictures; or (pictures, labels) for a model with classes; or
    (pictures, a picture to put beside each) for one with `beside`. middle as in `flow_loss`.
    The network runs in bfloat16 where that pays. Returns {"loss": …}; samples() shows 20 steps.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float = 1e-3,
        ema: float = 0.999,
        steps: int | None = None,
        middle: bool = False,
    ):
        super().__init__(model, lr, ema, steps)
        self.middle = middle

    def loss(self, model: Callable, x: Tensor, labels: Tensor | None) -> Tensor:
        floats("x", x)
        return flow_loss(model, x, labels, middle=self.middle)

    def sample(self, model: Callable, shape, labels, generator) -> Tensor:
        return flow_sample(model, shape, labels, 1.0, generator, steps=20)


class _Seen:
    """What `samples` needs of the first batch, kept with the run."""

    def __init__(self):
        self.shape = self.labels = self.beside = None

    def note(self, x: Tensor, labels: Tensor | None, beside: Tensor | None) -> None:
        if self.shape is None:
            self.shape = tuple(x.shape[1:])
            self.labels, self.beside = (
                p if p is None else p[:64].clone() for p in (labels, beside)
            )

    def state_dict(self) -> dict:
        return dict(vars(self))

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)


# Asking a model


def _ask(model, x: Tensor, t: Tensor, labels: Tensor | None = None, guidance: float = 1.0):
    """The model's answer; with guidance the conditional and the other one in a single pass."""
    if guidance == 1:
        told = (x, t) if labels is None else (x, t, labels)
        return _answered(model(*told), x)
    unconditional = getattr(_net(model), "unconditional", None)
    if labels is None or unconditional is None:
        missing = "labels" if labels is None else "a model with an unconditional class"
        raise ValueError(f"guidance other than 1 needs {missing}; got guidance {guidance}")
    both = torch.cat([labels, unconditional(labels)])
    x, t = torch.cat([x, x]), torch.cat([t, t])
    return guided_noise(*_answered(model(x, t, both), x).chunk(2), guidance)


def _answered(out: Tensor, x: Tensor) -> Tensor:
    if out.shape != x.shape:
        raise ValueError(
            f"model must answer in the shape of x, {tuple(x.shape)}; it gave {tuple(out.shape)}"
        )
    return out


def _some_hidden(model, labels: Tensor | None, generator: torch.Generator | None) -> Tensor | None:
    """The labels, 10 % of the rows (and of the entries, where there are several) unconditional."""
    unconditional = getattr(_net(model), "unconditional", None)
    if labels is None or unconditional is None:
        return labels
    place = _place(generator, labels)
    hide = (
        torch.rand(len(labels), *[1] * (labels.ndim - 1), generator=generator, device=place) < DROP
    )
    if labels.ndim > 1:
        hide = hide | (torch.rand(labels.shape, generator=generator, device=place) < DROP)
    return torch.where(hide.to(labels.device), unconditional(labels), labels)


def _net(model: Callable) -> Callable:
    return _net(model.func) if isinstance(model, partial) else model


def _with(model: Callable, beside: Tensor | None) -> Callable:
    return model if beside is None else partial(model, beside=beside)


@contextmanager
def _ready(model: Callable):
    """Evaluation mode, and bfloat16 where it pays; afterwards the modes that were."""
    net = _net(model)
    modes = [(m, m.training) for m in net.modules()] if isinstance(net, nn.Module) else []
    for module, _ in modes:
        module.training = False
    try:
        with device.choose().autocast():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _start(shape, start: Tensor | None, generator, model: Callable) -> Tensor:
    shape = tuple(wholes("shape", shape))
    function("model", model)
    if start is None:
        net = _net(model)
        weights = net.parameters() if isinstance(net, nn.Module) else iter(())
        return _normal(shape, next(weights, torch.empty(())), generator)
    if floats("start", start).shape != shape:
        raise ValueError(f"start must be {shape}; got {tuple(start.shape)}")
    return start


def _normal(shape, like: Tensor, generator: torch.Generator | None) -> Tensor:
    noise = torch.randn(
        shape, generator=generator, device=_place(generator, like), dtype=like.dtype
    )
    return noise.to(like.device)


def _place(generator: torch.Generator | None, like: Tensor) -> torch.device:
    """Where to draw: random numbers come from the generator's device."""
    random_source(generator)
    return like.device if generator is None else generator.device


def _each(error: Tensor) -> Tensor:
    return error.square().flatten(1).mean(1)


# What students get wrong


def _needed(noise: Tensor | None) -> Tensor:
    if noise is None:
        raise ValueError("noise must be given: this step adds some")
    return noise


def _check_betas(betas: Tensor) -> None:
    floats("betas", betas, 1)
    if not betas.is_meta and not ((betas > 0) & (betas < 1)).all():
        low, high = betas.min().item(), betas.max().item()
        raise ValueError(f"betas must lie in (0, 1), ends excluded; got {low:.4g} … {high:.4g}")


def _check_mask(mask: Tensor, x0: Tensor) -> Tensor:
    beside("mask", instance("mask", mask, Tensor), x0)
    if mask.is_complex() or not mask.numel():
        got = f"{mask.dtype} of {tuple(mask.shape)}"
        raise ValueError(f"mask must hold numbers from 0 to 1, or truth values; got {got}")
    if mask.dtype != torch.bool:
        finite("mask", mask)
        mask = mask > 0.5
    try:
        return mask.expand(x0.shape)
    except RuntimeError:
        raise ValueError(
            f"mask must broadcast to the pictures, {tuple(x0.shape)}; got {tuple(mask.shape)}"
        ) from None
