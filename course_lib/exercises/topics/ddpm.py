"""Exercises and questions of lecture 07: denoising diffusion."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal, uniform


def _column(values: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1), a number for each picture."""
    return values.view(-1, 1, 1, 1)


_BETAS = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])  # ᾱ = 0.9, 0.72, 0.504, 0.302, 0.151
_ALPHA_BAR = (1 - _BETAS).cumprod(0)
_LONG = torch.linspace(1e-4, 0.02, 1000)
_LONG_BAR = (1 - _LONG.double()).cumprod(0).float()


# --- linear_betas ---------------------------------------------------------------------------------


def linear_betas(T: int, start: float = 1e-4, end: float = 0.02) -> Float[Tensor, " T"]:
    """T betas on a straight line: the first is start, the last is end."""
    return torch.linspace(start, end, T, dtype=torch.float64)


LINEAR_BETAS = Exercise(
    id="ddpm.linear_betas",
    title="A schedule on a straight line",
    reference=linear_betas,
    hints=(
        "How many numbers are asked, and how many gaps are between them? Write down T = 3 from 0.1 "
        "to 0.5 by hand.",
        "From the first to the last there are T − 1 equal gaps: 0.1, 0.3, 0.5.",
        "`torch.linspace` takes the first value, the last value and how many.",
    ),
    mistakes=(
        Mistake(
            "end never reached",
            lambda T, start=1e-4, end=0.02: start + (end - start) * torch.arange(T) / T,
            "Your line stops a step short of its end. Three betas from 0.1 to 0.5 end at 0.367 "
            "with you.",
            example(3, 0.1, 0.5, gives=0.3667, pick=lambda r: float(r[-1])),
        ),
        Mistake(
            "start left out",
            lambda T, start=1e-4, end=0.02: torch.linspace(start, end, T + 1)[1:],
            "Your line begins a step late. Three betas from 0.1 to 0.5 begin at 0.233 with you.",
            example(3, 0.1, 0.5, gives=0.2333, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "one too many",
            lambda T, start=1e-4, end=0.02: torch.linspace(start, end, T + 1),
            "You return T + 1 betas: for T = 3 there are four. A chain of T steps has a β for each "
            "of t = 0 … T − 1.",
            example(3, 0.1, 0.5, gives=4, pick=len),
        ),
        Mistake(
            "alphas",
            lambda T, start=1e-4, end=0.02: 1 - torch.linspace(start, end, T),
            "You return α = 1 − β, the share that stays. In the first of 1,000 steps 0.0001 of the "
            "variance should be replaced; with yours 0.9999.",
            example(1000, gives=0.9999, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "products",
            lambda T, start=1e-4, end=0.02: (1 - torch.linspace(start, end, T)).cumprod(0),
            "You return ᾱ, what is left after all steps so far: 0.9 first for betas from 0.1. "
            "Asked is what each single step replaces.",
            example(3, 0.1, 0.5, gives=0.9, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "the other way round",
            lambda T, start=1e-4, end=0.02: torch.linspace(end, start, T),
            "Your first step is the roughest. From 0.1 to 0.5 the first β is 0.1; yours is 0.5. "
            "Then the last steps of sampling, which should be the finest, are the coarsest.",
            example(3, 0.1, 0.5, gives=0.5, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "straight in the square root",
            lambda T, start=1e-4, end=0.02: torch.linspace(start**0.5, end**0.5, T).square(),
            "Both ends are right, the middle sags: between 0.1 and 0.5 stands 0.262, not 0.3. That "
            "is another schedule, straight in √β, which latent diffusion uses.",
            example(3, 0.1, 0.5, gives=0.2618, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "straight in the logarithm",
            lambda T, start=1e-4, end=0.02: torch.logspace(math.log10(start), math.log10(end), T),
            "Both ends are right, the middle sags: between 0.1 and 0.5 stands 0.224, not 0.3. Your "
            "betas grow by the same factor each step, not by the same amount.",
            example(3, 0.1, 0.5, gives=0.2236, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "ends scaled",
            lambda T, start=1e-4, end=0.02: torch.linspace(start * 1000 / T, end * 1000 / T, T),
            "You change the ends that you were given: three betas from 0.1 to 0.5 reach 167 with "
            "you. To scale them with T is a good thought, and the caller's choice.",
            example(3, 0.1, 0.5, gives=166.667, pick=lambda r: float(r[-1])),
        ),
        Mistake(
            "ends ignored",
            lambda T, start=1e-4, end=0.02: torch.linspace(1e-4, 0.02, T),
            "Your betas are the same whatever the ends: from 0.1 to 0.5 was asked, and yours end "
            "at 0.02.",
            example(3, 0.1, 0.5, gives=0.02, pick=lambda r: float(r[-1])),
        ),
    ),
    probes=(
        call("three betas from 0.1 to 0.5", 3, 0.1, 0.5),
        call("1,000 betas, the ends of the paper", 1000, atol=1e-7),
        call("seven betas from 0.01 to 0.02", 7, 0.01, 0.02),
    ),
)


# --- cosine_betas ---------------------------------------------------------------------------------


def cosine_betas(T: int, s: float = 0.008) -> Float[Tensor, " T"]:
    """Betas that make ᾱ fall as cos²((u + s)/(1 + s) · π/2), u = 0 … 1; none above 0.999."""
    u = torch.arange(T + 1, dtype=torch.float64) / T
    alpha_bar = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2  # (T + 1)
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


def _cosine(
    power: int = 2,
    half: float = 0.5,
    points: int = 1,
    offset: Callable = lambda u, s: (u + s) / (1 + s),
    wave: Callable = torch.cos,
    betas: Callable = lambda a: 1 - a[1:] / a[:-1],
    most: float = 0.999,
) -> Callable:
    """The schedule with one of its pieces replaced."""

    def function(T: int, s: float = 0.008) -> Tensor:
        u = torch.linspace(0, 1, T + points, dtype=torch.float64)
        return betas(wave(offset(u, s) * math.pi * half) ** power).clamp(max=most)

    return function


COSINE_BETAS = Exercise(
    id="ddpm.cosine_betas",
    title="A schedule for ᾱ, and the betas that make it",
    reference=cosine_betas,
    hints=(
        "The curve is of ᾱ, the product of all 1 − β so far. If ᾱ goes from 0.8 to 0.6 in a step, "
        "which β has that step?",
        "T steps have T + 1 ends: u = 0, 1/T, … 1. And ᾱ(end of the step) / ᾱ(its beginning) is "
        "1 − β of that step.",
        "With `f` the curve at the T + 1 points: `1 - f[1:] / f[:-1]`. The last would be 1, so "
        "hold all of them at 0.999 or below.",
    ),
    mistakes=(
        Mistake(
            "cosine not squared",
            _cosine(power=1),
            "Your ᾱ is a cosine, not its square: halfway it should be about ½ and is 0.70. In four "
            "steps the first β is 0.153; yours is 0.080.",
            example(4, gives=0.0796, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "offset ignored",
            _cosine(offset=lambda u, s: u),
            "Without the offset the first of many steps are so small "
            "that the network cannot see their noise: at T = 1000 β₀ is 0.0000025, not 0.000041.",
            example(1000, gives=0.024674, pick=lambda r: 1e4 * float(r[0])),
        ),
        Mistake(
            "offset fixed",
            lambda T, s=0.008: cosine_betas(T),
            "Change s: your betas stay. In ten steps with s = 0.1 the first β is {expected:.3f}; "
            "you say {got:.3f}.",
            example(10, 0.1, gives=0.0279, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "offset not divided out",
            _cosine(offset=lambda u, s: u + s),
            "Your curve runs past its end: u + s reaches 1 + s, and cos² rises again. With s = 0.1 "
            "the first of ten betas is {expected:.3f}; yours is {got:.3f}.",
            example(10, 0.1, gives=0.0728, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "not held at 0.999",
            _cosine(most=2.0),
            "Your last β is 1: it leaves nothing of the picture, ᾱ = 0, and x̂₀ divides by its "
            "root.",
            example(4, gives=0.0, pick=lambda r: 1000 * float(1 - r[-1])),
        ),
        Mistake(
            "held from below",
            lambda T, s=0.008: cosine_betas(T, s).clamp(min=1e-4),
            "You hold the betas from below too. At T = 1000 the first β is 0.000041, so small that "
            "the offset s had to keep it from being smaller still; you say 0.0001.",
            example(1000, gives=1.0, pick=lambda r: 1e4 * float(r[0])),
        ),
        Mistake(
            "one too few",
            _cosine(points=0),
            "You return T − 1 betas: T points of the curve have T − 1 steps between them.",
            example(4, gives=3, pick=len),
        ),
        Mistake(
            "the curve itself",
            lambda T, s=0.008: _cosine(betas=lambda a: a[1:] / a[0])(T, s),
            "You return ᾱ, which falls to 0. Betas are what each step takes: in four steps 0.153, "
            "0.417, 0.708, 0.999, and they rise.",
            example(4, gives=0.0, pick=lambda r: float(r[-1])),
        ),
        Mistake(
            "alphas",
            _cosine(betas=lambda a: a[1:] / a[:-1]),
            "You return α, the share that a step leaves. In four steps the first leaves 0.847, so "
            "its β is 0.153; you say 0.847.",
            example(4, gives=0.8467, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "differences",
            _cosine(betas=lambda a: a[:-1] - a[1:]),
            "You subtract where shares belong. A step from ᾱ = 0.494 to 0.144 leaves 29 %, so β is "
            "0.708; you say 0.350. Your betas multiply to a picture that never goes away.",
            example(4, gives=0.350, pick=lambda r: float(r[2])),
        ),
        Mistake(
            "upside down",
            _cosine(betas=lambda a: 1 - a[:-1] / a[1:]),
            "Your betas are negative: ᾱ falls, so before / after is above 1. In four steps the "
            "first should be 0.153; you say −0.181.",
            example(4, gives=-0.181, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "half the angle missing",
            _cosine(half=1.0),
            "Your curve falls to 0 halfway and rises again: the angle goes to π, where cos² is 1. "
            "After all T steps the whole picture would be back.",
            example(4, gives=None, pick=lambda r: float(r[2])),
        ),
        Mistake(
            "sine",
            _cosine(wave=torch.sin),
            "Your ᾱ rises from 0 to 1: at the start nothing of the picture is there, at the end "
            "all of it. The chain runs backwards.",
            example(4, gives=None, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "held at 0.02",
            _cosine(most=0.02),
            "You hold the betas at 0.02, the end of the other schedule. In four steps they should "
            "be 0.153, 0.417, 0.708 and 0.999.",
            example(4, gives=0.02, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "held at 0.9999",
            _cosine(most=0.9999),
            "Your last β is 0.9999; none may be above 0.999.",
            example(4, gives=0.1, pick=lambda r: 1000 * float(1 - r[-1])),
        ),
        Mistake(
            "a step late",
            lambda T, s=0.008: torch.cat(
                [
                    1
                    - (a := torch.cos((torch.arange(T) / T + s) / (1 + s) * math.pi / 2) ** 2)[:1],
                    1 - a[1:] / a[:-1],
                ]
            ).clamp(max=0.999),
            "All betas come a step late: the first compares the curve at u = 0 with 1, and the "
            "last step, to u = 1, is missing. In four steps the first β is {expected:.3f}; you "
            "say {got:.4f}.",
            example(4, gives=0.00015541, pick=lambda r: float(r[0])),
        ),
    ),
    probes=(
        call("four steps", 4),
        call("ten steps, s = 0.1", 10, 0.1),
        call("six steps, s = 0.03", 6, 0.03),
        call("1,000 steps", 1000, atol=1e-6, rtol=1e-3),
        call(
            "1,000 steps, the smallest betas digit by digit",
            1000,
            atol=0.0,
            rtol=3e-4,
            explain={
                "result": "Your smallest betas are right to about three digits: where the quotient "
                "is 0.99996, a number of 7 digits keeps few of what is missing to 1."
            },
        ),
    ),
)


# --- q_sample -------------------------------------------------------------------------------------


def q_sample(
    x0: Float[Tensor, "B C H W"],
    t: Int[Tensor, " B"],
    noise: Float[Tensor, "B C H W"],
    betas: Float[Tensor, " T"],
) -> Float[Tensor, "B C H W"]:
    """x_t in one jump: √ᾱ_t x₀ + √(1 − ᾱ_t) noise, ᾱ_t = (1 − β₀) … (1 − β_t)."""
    alpha_bar = (1 - betas).cumprod(0)[t].view(-1, 1, 1, 1)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise


def _noised(
    weights: Callable = lambda a: (a.sqrt(), (1 - a).sqrt()),
    left: Callable = lambda betas: (1 - betas).cumprod(0),
    place: Callable = lambda t: t,
    shape: Callable = _column,
) -> Callable:
    """The jump with one of its pieces replaced."""

    def function(x0: Tensor, t: Tensor, noise: Tensor, betas: Tensor) -> Tensor:
        signal, rest = weights(shape(left(betas)[place(t)]))
        return signal * x0 + rest * noise

    return function


def _pictures(label: str, n: int, shape: tuple, t: list, seed: int, betas: Tensor) -> Probe:
    x0, noise = normal(n, *shape, seed=seed), normal(n, *shape, seed=seed + 1)
    return call(label, x0, torch.tensor(t), noise, betas)


def _jump(picture: float, noise: float, bar: float, gives: float, steps: int = 1) -> Any:
    """One pixel, after steps that leave `bar` of the variance."""
    one = torch.ones(1, 1, 1, 1)
    betas = torch.tensor([0.1, 0.2]) if steps == 2 else torch.tensor([1 - bar])
    time = torch.tensor([steps - 1])
    return example(picture * one, time, noise * one, betas, gives=gives, pick=float)


Q_SAMPLE = Exercise(
    id="ddpm.q_sample",
    title="Noise in one jump",
    reference=q_sample,
    hints=(
        "Two steps: √α₁(√α₀ x₀ + √β₀ ε) + √β₁ ε′. What stands before x₀? And which variance have "
        "the two noises together?",
        "Before x₀ stand the roots of all α so far, √ᾱ. The variance of the noise is 1 − ᾱ, so "
        "that signal² + noise² = 1.",
        "`(1 - betas).cumprod(0)[t]` is ᾱ for each picture, (B,). To multiply pictures (B, C, H, "
        "W) it needs three more axes: `.view(-1, 1, 1, 1)`.",
    ),
    mistakes=(
        Mistake(
            "one step's noise",
            _noised(left=lambda betas: 1 - betas),
            "At t = 500 your picture is still clear: it holds one step's noise (0.10), not that of "
            "all 501 (0.96).",
        ),
        Mistake(
            "β for ᾱ",
            _noised(left=lambda betas: betas),
            "Your first step is nearly all noise: with β = 0.0001 you keep 1 % of the picture. "
            "β is what is replaced, not what stays.",
        ),
        Mistake(
            "product of betas",
            _noised(left=lambda betas: betas.cumprod(0)),
            "After two steps of β = 0.1 and 0.2 your picture keeps √0.02 = 0.14 of its size. What "
            "stays is 0.9 · 0.8 = 0.72 of its variance, 0.85 of its size.",
            _jump(1.0, 0.0, 0.72, gives=0.1414, steps=2),
        ),
        Mistake(
            "sum of betas",
            _noised(left=lambda betas: (1 - betas.cumsum(0)).clamp(min=0)),
            "You add up what each step takes. After betas of 0.1, 0.2, 0.3 and 0.4 nothing would "
            "be left; but each takes its share of the rest, and 0.302 of the variance is left.",
        ),
        Mistake(
            "no roots",
            _noised(weights=lambda a: (a, 1 - a)),
            "At ᾱ = ½ your picture keeps {got:.2f} of its size and should keep {expected:.2f}: the "
            "squares of the two factors add up to 1, not the factors.",
            _jump(1.0, 0.0, 0.5, gives=0.5),
        ),
        Mistake(
            "no root over the noise",
            _noised(weights=lambda a: (a.sqrt(), 1 - a)),
            "The squares of your two factors add up to 0.75 at ᾱ = ½, not to 1: the noise is "
            "too small, 0.5 where it should be 0.71.",
            _jump(0.0, 1.0, 0.5, gives=0.5),
        ),
        Mistake(
            "no root over the picture",
            _noised(weights=lambda a: (a, (1 - a).sqrt())),
            "The squares of your two factors add up to 0.75 at ᾱ = ½, not to 1: the picture is "
            "too faint, 0.5 where it should be 0.71.",
            _jump(1.0, 0.0, 0.5, gives=0.5),
        ),
        Mistake(
            "one minus the root",
            _noised(weights=lambda a: (a.sqrt(), 1 - a.sqrt())),
            "Your two factors add up to 1; it is their squares that should. At ᾱ = ¼ the noise "
            "has 0.5 with you, and should have 0.87.",
            _jump(0.0, 1.0, 0.25, gives=0.5),
        ),
        Mistake(
            "swapped",
            _noised(weights=lambda a: ((1 - a).sqrt(), a.sqrt())),
            "At t = 0 your picture is nearly all noise, and at the end it is clear: the two "
            "factors have changed places.",
        ),
        Mistake(
            "noise added on top",
            _noised(weights=lambda a: (torch.ones_like(a), (1 - a).sqrt())),
            "Your picture never fades: noise is added on top, and the variance grows to 2. Each "
            "step also makes the picture fainter, by √(1 − β).",
        ),
        Mistake(
            "noise subtracted",
            _noised(weights=lambda a: (a.sqrt(), -(1 - a).sqrt())),
            "You subtract the noise. The pictures look the same, but the network that is to find "
            "this noise would learn it with the wrong sign.",
        ),
        Mistake(
            "time along the width",
            _noised(shape=lambda a: a),
            "The noise level varies across the columns of each picture: (B,) against (B, C, H, W) "
            "is lined up with the last axis. With 4 pictures of width 4 there is not even an "
            "error.",
        ),
        Mistake(
            "one time for all",
            _noised(place=lambda t: t[:1]),
            "All pictures got the time of the first. With t = (0, 4) the second should have lost "
            "61 % of its size; it has lost 5 %.",
        ),
        Mistake(
            "one step early",
            _noised(place=lambda t: t - 1),
            "You are a step early. At t = 0 one step has been taken, ᾱ = 1 − β₀; you read entry "
            "−1, which in Python is the last: pure noise.",
        ),
        Mistake(
            "a step less",
            lambda x0, t, noise, betas: _noised(
                left=lambda b: torch.cat([torch.ones(1), (1 - b).cumprod(0)])[:-1]
            )(x0, t, noise, betas),
            "You are a step behind: your picture at time t has the noise of t − 1, and at t = 0 "
            "none. After one step of β = ¾ half of the picture's size is left; you say {got:.0f}.",
            _jump(1.0, 0.0, 0.25, gives=1.0),
        ),
        Mistake(
            "own noise",
            lambda x0, t, noise, betas: q_sample(x0, t, torch.randn_like(x0), betas),
            "The noise in your picture is another than the one you were given. The network would "
            "be asked for a noise that is not there.",
        ),
        Mistake(
            "noise never negative",
            lambda x0, t, noise, betas: q_sample(x0, t, torch.rand_like(x0), betas),
            "Your noise is your own and never negative: drawn evenly from 0 to 1, it has mean 0.5 "
            "and variance 1/12.",
        ),
        Mistake(
            "noise at full size",
            _noised(weights=lambda a: (a.sqrt(), torch.ones_like(a))),
            "Your noise has its full size at every time, at t = 0 too. At ᾱ = ¾ it should have "
            "half; yours has {got:.1f}.",
            _jump(0.0, 1.0, 0.75, gives=1.0),
        ),
        Mistake(
            "a step late",
            _noised(
                place=lambda t: t + 1,
                left=lambda betas: torch.cat([(1 - betas).cumprod(0), (1 - betas).cumprod(0)[-1:]]),
            ),
            "You are a step late: at time t your picture has the noise of t + 1. After one step "
            "of β = 0.1 its variance is 0.9; you say {got:.2f}.",
            example(
                torch.ones(1, 1, 1, 1),
                torch.tensor([0]),
                torch.zeros(1, 1, 1, 1),
                torch.tensor([0.1, 0.2]),
                gives=0.72,
                pick=lambda r: float(r) ** 2,
            ),
        ),
        Mistake(
            "held in [−1, 1]",
            lambda x0, t, noise, betas: q_sample(x0, t, noise, betas).clamp(-1, 1),
            "You hold x_t in [−1, 1]. It is full of noise, and noise does not stop at 1: a noise "
            "of 2 at ᾱ = ¼ is {expected:.2f}; you say {got:.0f}.",
            _jump(0.0, 2.0, 0.25, gives=1.0),
        ),
    ),
    probes=(
        _pictures("4 pictures of 1 × 4 × 4, t = 0, 1, 3, 4", 4, (1, 4, 4), [0, 1, 3, 4], 1, _BETAS),
        _pictures("1 picture of 3 × 2 × 5, t = 2", 1, (3, 2, 5), [2], 3, _BETAS),
        _pictures("1 other picture, t = 4, other betas", 1, (3, 2, 5), [4], 7, 0.5 * _BETAS),
        _pictures(
            "3 pictures of 1 × 3 × 2, T = 1000, t = 999, 500, 0",
            3,
            (1, 3, 2),
            [999, 500, 0],
            5,
            _LONG,
        ),
    ),
)


# --- posterior ------------------------------------------------------------------------------------


def posterior(
    x0: Float[Tensor, "*shape"], xt: Float[Tensor, "*shape"], t: int, betas: Float[Tensor, " T"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, ""]]:
    """Mean and variance of x_{t−1}, given x_t and x₀; before the first step ᾱ is 1.

    mean     = √ᾱ_{t−1} β_t / (1−ᾱ_t) x₀ + √α_t (1−ᾱ_{t−1}) / (1−ᾱ_t) x_t
    variance = β_t (1−ᾱ_{t−1}) / (1−ᾱ_t)
    """
    alpha_bar = (1 - betas).cumprod(0)
    before = alpha_bar[t - 1] if t > 0 else torch.ones_like(alpha_bar[0])
    of_x0 = before.sqrt() * betas[t] / (1 - alpha_bar[t])
    of_xt = (1 - betas[t]).sqrt() * (1 - before) / (1 - alpha_bar[t])
    return of_x0 * x0 + of_xt * xt, betas[t] * (1 - before) / (1 - alpha_bar[t])


def _between(
    mean: Callable | None = None, variance: Callable | None = None, before: Callable | None = None
) -> Callable:
    """The posterior with one of its pieces replaced: functions of β, ᾱ_t, ᾱ_{t−1} and pictures."""

    def function(x0: Tensor, xt: Tensor, t: int, betas: Tensor) -> tuple[Tensor, Tensor]:
        bars = (1 - betas).cumprod(0)
        prev = bars[t - 1] if t > 0 else torch.ones_like(bars[0])
        prev = prev if before is None else before(bars, t)
        b, bar = betas[t], bars[t]
        m = (mean or _posterior_mean)(b, bar, prev, x0, xt)
        return m, (variance or _posterior_variance)(b, bar, prev)

    return function


def _posterior_mean(b, bar, prev, x0, xt):
    return prev.sqrt() * b / (1 - bar) * x0 + (1 - b).sqrt() * (1 - prev) / (1 - bar) * xt


def _posterior_variance(b, bar, prev):
    return b * (1 - prev) / (1 - bar)


def _posterior_probe(label: str, shape: tuple, t: int, betas: Tensor, seed: int) -> Probe:
    x0, xt = normal(*shape, seed=seed), normal(*shape, seed=seed + 1)

    def observe(candidate: Callable) -> dict[str, Any]:
        found = candidate(x0.clone(), xt.clone(), t, betas.clone())
        if not (isinstance(found, (tuple, list)) and len(found) == 2):
            return {"results": len(found) if isinstance(found, (tuple, list)) else 1}
        numbers = torch.as_tensor(found[1], dtype=torch.float64).flatten()
        alike = len(numbers) > 0 and bool((numbers == numbers[0]).all())
        variance = float(numbers[0]) if alike else numbers
        return {"results": 2, "mean": torch.as_tensor(found[0]).float(), "variance": variance}

    explain = {"results": "Two results are asked, mean and variance."}
    return Probe(label, observe, rtol=1e-3, atol=1e-5, explain=explain)


def _second(gives: float, pick: Callable, x0: float = 0.0, xt: float = 0.0) -> Any:
    """At t = 1 of the betas 0.1 and 0.2."""
    x0, xt = torch.tensor([x0]), torch.tensor([xt])
    return example(x0, xt, 1, torch.tensor([0.1, 0.2]), gives=gives, pick=pick)


_mean, _variance = (lambda r: float(r[0])), (lambda r: float(r[1]))

POSTERIOR = Exercise(
    id="ddpm.posterior",
    title="One step back, if the picture were known",
    reference=posterior,
    allows=("dtype",),
    hints=(
        "Where must the step end at t = 0, before which nothing was added? What does that say of "
        "ᾱ_{t−1} there, and of the variance?",
        "Take ᾱ_t, and ᾱ_{t−1} which is 1 where t is 0. The factor of x₀ has √ᾱ_{t−1} and β_t, "
        "that of x_t has √α_t and 1 − ᾱ_{t−1}; both are divided by 1 − ᾱ_t.",
        "`before = alpha_bar[t - 1] if t > 0 else 1`, and mind that `alpha_bar[-1]` would be the "
        "last. The variance is β_t (1 − before) / (1 − ᾱ_t).",
    ),
    mistakes=(
        Mistake(
            "before the first comes the last",
            _between(before=lambda bars, t: bars[t - 1]),
            "Right everywhere but at t = 0: there `alpha_bar[-1]` is the last entry. Your step "
            "from the faintest noise has a variance, and should end on x₀ exactly.",
        ),
        Mistake(
            "never quite back",
            _between(before=lambda bars, t: bars[max(t - 1, 0)]),
            "Right everywhere but at t = 0: before the first step nothing was added, and your "
            "posterior there still has the first step's variance.",
        ),
        Mistake(
            "ᾱ_t for ᾱ_{t−1}",
            _between(before=lambda bars, t: bars[t]),
            "Your variance is β_t itself: (1 − ᾱ_t) / (1 − ᾱ_t) is 1. Knowing x₀ must make it "
            "smaller; for betas of 0.1 and 0.2 it is 0.071 at t = 1, not 0.2.",
            _second(0.2, _variance),
        ),
        Mistake(
            "variance β",
            _between(variance=lambda b, bar, prev: b),
            "The mean is right. Your variance is that of the step forward, β_t. Where x₀ is known, "
            "x_{t−1} is known better: for betas of 0.1 and 0.2 it is 0.071 at t = 1, not 0.2.",
            _second(0.2, _variance),
        ),
        Mistake(
            "standard deviation",
            _between(variance=lambda b, bar, prev: _posterior_variance(b, bar, prev).sqrt()),
            "The mean is right. You return the standard deviation: for betas of 0.1 and 0.2 it is "
            "0.267 at t = 1, the variance 0.071.",
            _second(0.2673, _variance),
        ),
        Mistake(
            "logarithm",
            _between(variance=lambda b, bar, prev: _posterior_variance(b, bar, prev).log()),
            "The mean is right. You return the logarithm of the variance: −∞ at t = 0, where the "
            "variance is 0.",
        ),
        Mistake(
            "factors swapped",
            _between(mean=lambda b, bar, prev, x0, xt: _posterior_mean(b, bar, prev, xt, x0)),
            "The two factors have changed places. Late in the chain x_{t−1} is nearly x_t: at t = "
            "500 of 1,000 it has 0.994 of x_t and 0.003 of x₀; with you the other way round.",
        ),
        Mistake(
            "roots left out",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    prev * b / (1 - bar) * x0 + (1 - b) * (1 - prev) / (1 - bar) * xt
                )
            ),
            "The roots over ᾱ_{t−1} and α_t are missing. For betas of 0.1 and 0.2 x₀ has the "
            "factor 0.678 at t = 1; yours is 0.643.",
            _second(0.6429, _mean, x0=1.0),
        ),
        Mistake(
            "no root over ᾱ_{t−1}",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    prev * b / (1 - bar) * x0 + (1 - b).sqrt() * (1 - prev) / (1 - bar) * xt
                )
            ),
            "The root over ᾱ_{t−1} is missing. For betas of 0.1 and 0.2 x₀ has the factor "
            "{expected:.3f} at t = 1; yours is {got:.3f}.",
            _second(0.6429, _mean, x0=1.0),
        ),
        Mistake(
            "no root over α_t",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    prev.sqrt() * b / (1 - bar) * x0 + (1 - b) * (1 - prev) / (1 - bar) * xt
                )
            ),
            "The root over α_t is missing. For betas of 0.1 and 0.2 x_t has the factor "
            "{expected:.3f} at t = 1; yours is {got:.3f}.",
            _second(0.2857, _mean, xt=1.0),
        ),
        Mistake(
            "α_t for ᾱ_{t−1}",
            _between(before=lambda bars, t: bars[t] / bars[t - 1] if t > 0 else torch.ones(())),
            "You take α_t, what one step leaves, for ᾱ_{t−1}, what all steps before have left. For "
            "betas of 0.1 and 0.2 the variance at t = 1 is {expected:.3f}; yours is {got:.3f}.",
            _second(0.1429, _variance),
        ),
        Mistake(
            "roots exchanged",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    (1 - b).sqrt() * b / (1 - bar) * x0 + prev.sqrt() * (1 - prev) / (1 - bar) * xt
                )
            ),
            "√ᾱ_{t−1} and √α_t stand at the wrong picture. x₀ has been through all steps before, "
            "so that √ᾱ_{t−1} belongs to it; x_t is one step away.",
        ),
        Mistake(
            "not divided",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    prev.sqrt() * b * x0 + (1 - b).sqrt() * (1 - prev) * xt
                )
            ),
            "The division by 1 − ᾱ_t is missing. At t = 0 the mean must be x₀; yours is β₀ x₀, a "
            "tenth of it.",
        ),
        Mistake(
            "without x_t",
            _between(mean=lambda b, bar, prev, x0, xt: prev.sqrt() * x0),
            "Change x_t: your mean stays. That is the mean of x_{t−1} for one who has seen x₀ "
            "alone.",
        ),
        Mistake(
            "without x₀",
            _between(mean=lambda b, bar, prev, x0, xt: (1 - b).sqrt() * xt),
            "Change x₀: your mean stays. Without x₀ nobody knows which part of x_t is noise.",
        ),
        Mistake(
            "variance first",
            lambda x0, xt, t, betas: posterior(x0, xt, t, betas)[::-1],
            "Mean and variance come back in the other order.",
        ),
        Mistake(
            "ᾱ_t for ᾱ_{t−1} at x₀",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    _posterior_mean(b, bar, prev, 0 * x0, xt) + bar.sqrt() * b / (1 - bar) * x0
                )
            ),
            "The factor of x₀ has √ᾱ_t where √ᾱ_{t−1} belongs. For betas of 0.1 and 0.2 it is "
            "{expected:.3f} at t = 1; yours is {got:.3f}.",
            _second(0.6061, _mean, x0=1.0),
        ),
        Mistake(
            "ᾱ_t for α_t",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    _posterior_mean(b, bar, prev, x0, 0 * xt)
                    + bar.sqrt() * (1 - prev) / (1 - bar) * xt
                )
            ),
            "The factor of x_t has √ᾱ_t where √α_t belongs. For betas of 0.1 and 0.2 it is "
            "{expected:.3f} at t = 1; yours is {got:.3f}.",
            _second(0.3030, _mean, xt=1.0),
        ),
        Mistake(
            "ᾱ_t for ᾱ_{t−1} at x_t",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    _posterior_mean(b, bar, prev, x0, 0 * xt) + (1 - b).sqrt() * xt
                )
            ),
            "The factor of x_t has 1 − ᾱ_t above the line and below it. Above belongs 1 − "
            "ᾱ_{t−1}: for betas of 0.1 and 0.2 the factor is {expected:.3f} at t = 1; yours is "
            "{got:.3f}.",
            _second(0.8944, _mean, xt=1.0),
        ),
        Mistake(
            "logarithm, held from below",
            _between(
                variance=lambda b, bar, prev: (
                    _posterior_variance(b, bar, prev).clamp(min=1e-20).log()
                )
            ),
            "The mean is right. You return the logarithm of the variance: for betas of 0.1 and "
            "0.2 the variance is {expected:.3f} at t = 1; you say {got:.2f}.",
            _second(-2.639, _variance),
        ),
        Mistake(
            "x₀ held in [−1, 1]",
            _between(
                mean=lambda b, bar, prev, x0, xt: _posterior_mean(b, bar, prev, x0.clamp(-1, 1), xt)
            ),
            "You hold x₀ in [−1, 1]. Asked is the formula, for any x₀: at t = 0 the mean is x₀ "
            "itself, 3 for x₀ = 3; you say {got:.0f}.",
            example(
                torch.tensor([3.0]),
                torch.tensor([0.0]),
                0,
                torch.tensor([0.1, 0.2]),
                gives=1.0,
                pick=_mean,
            ),
        ),
        Mistake(
            "divided by 1 − ᾱ_{t−1} at x₀",
            _between(
                mean=lambda b, bar, prev, x0, xt: (
                    _posterior_mean(b, bar, prev, 0 * x0, xt)
                    + prev.sqrt() * b / (1 - prev).clamp(min=1e-8) * x0
                )
            ),
            "The factor of x₀ is divided by 1 − ᾱ_{t−1}, and by 1 − ᾱ_t it should be. For betas "
            "of 0.1 and 0.2 it is {expected:.3f} at t = 1; yours is {got:.2f}.",
            _second(1.897, _mean, x0=1.0),
        ),
    ),
    probes=(
        _posterior_probe("t = 1 of 5, one picture", (1, 1, 3, 4), 1, _BETAS, 1),
        _posterior_probe("t = 0", (2, 1, 2, 2), 0, _BETAS, 3),
        _posterior_probe("t = 4, the last of 5", (2, 1, 2, 2), 4, _BETAS, 5),
        _posterior_probe("t = 500 of 1,000", (3, 2, 2, 3), 500, _LONG, 7),
    ),
)


# --- timestep_embedding ---------------------------------------------------------------------------


def timestep_embedding(t: Int[Tensor, " B"], dim: int) -> Float[Tensor, "B dim"]:
    """[cos(ω₀t) … cos(ω₍ₕ₋₁₎t), sin(ω₀t) … sin(ω₍ₕ₋₁₎t)], ωᵢ = 10000^(−i/h), h = dim / 2."""
    half = dim // 2
    omega = 10_000 ** (-torch.arange(half) / half)
    angles = t[:, None] * omega  # (B, half)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _embedded(
    omega: Callable = lambda half: 10_000 ** (-torch.arange(half) / half),
    join: Callable = lambda a: torch.cat([a.cos(), a.sin()], dim=1),
    time: Callable = lambda t: t,
) -> Callable:
    return lambda t, dim: join(time(t)[:, None] * omega(dim // 2))


TIMESTEP_EMBEDDING = Exercise(
    id="ddpm.timestep_embedding",
    title="Tell the network the time",
    reference=timestep_embedding,
    allows=("dtype",),
    hints=(
        "A clock with many hands: the fastest turns by 1 radian a step, the slowest takes tens of "
        "thousands of steps for a round. How many different hands fit into `dim` numbers, if each "
        "gives a cosine and a sine?",
        "The h = dim / 2 frequencies fall by the same factor each: 10000^(−i/h) for i = 0 … h − 1. "
        "The angle is time times frequency, a table (B, h).",
        "`t[:, None] * omega` makes the table. Then all cosines, and after them all sines, along "
        "axis 1.",
    ),
    mistakes=(
        Mistake(
            "sines first",
            _embedded(join=lambda a: torch.cat([a.sin(), a.cos()], dim=1)),
            "Sines and cosines have changed places: at t = 0 the first half should be ones, and is "
            "zeros. Both orders are in use; a network trained with one cannot read the other.",
        ),
        Mistake(
            "in turn",
            _embedded(join=lambda a: torch.stack([a.cos(), a.sin()], dim=2).flatten(1)),
            "You give cosine and sine in turn. At t = 0 it should be 1, 1, 0, 0; you say 1, 0, 1, "
            "0.",
            example(torch.tensor([0]), 4, gives=torch.tensor([[1.0, 0.0, 1.0, 0.0]])),
        ),
        Mistake(
            "another divisor",
            _embedded(
                omega=lambda half: 10_000 ** (-torch.arange(half) / max(half - 1, 1)),
            ),
            "Your slowest hand is slower than asked: i is divided by h − 1, so that the last "
            "frequency is 1 / 10,000. With dim = 4 the second should be 0.01.",
        ),
        Mistake(
            "by dim, not by half",
            _embedded(omega=lambda half: 10_000 ** (-torch.arange(half) / (2 * half))),
            "Your frequencies fall half as fast as asked. With dim = 4 the second should be 0.01; "
            "yours is 0.1.",
            example(torch.tensor([1]), 4, gives=0.0998, pick=lambda r: float(r[0, 3])),
        ),
        Mistake(
            "faster and faster",
            _embedded(omega=lambda half: 10_000 ** (torch.arange(half) / half)),
            "The sign in the exponent is missing: your hands turn by up to thousands of radians "
            "a step, and neighbouring times get unrelated numbers.",
        ),
        Mistake(
            "turns, not radians",
            _embedded(time=lambda t: 2 * math.pi * t),
            "You count in turns: the fastest hand makes a whole round each step, so that its "
            "cosine is 1 at every whole t.",
        ),
        Mistake(
            "frequencies evenly spaced",
            _embedded(omega=lambda half: 1 - torch.arange(half) / half),
            "Your frequencies lie evenly between 0 and 1. Times that are far apart then look "
            "alike: no hand is slow enough to count hundreds of steps.",
            example(torch.tensor([1]), 4, gives=0.4794, pick=lambda r: float(r[0, 3])),
        ),
        Mistake(
            "cosines twice",
            _embedded(join=lambda a: torch.cat([a.cos(), a.cos()], dim=1)),
            "There is no sine: at t = 0 all your numbers are 1.",
            example(torch.tensor([0]), 4, gives=torch.ones(1, 4)),
        ),
        Mistake(
            "twice as long",
            lambda t, dim: timestep_embedding(t, 2 * dim),
            "You return 2 · dim numbers: dim frequencies, each with a cosine and a sine.",
            example(torch.tensor([0]), 4, gives=8, pick=lambda r: r.shape[1]),
        ),
        Mistake(
            "time ignored",
            _embedded(time=lambda t: torch.arange(len(t))),
            "Your rows depend on the place in the batch, not on t: the network cannot know how "
            "much noise to look for.",
        ),
        Mistake(
            "time from 0 to 1",
            _embedded(time=lambda t: t / 1000),
            "You divide the time by 1,000. Even the fastest hand then turns by one radian in all, "
            "and neighbouring times look alike.",
        ),
        Mistake(
            "another divisor, without guard",
            _embedded(omega=lambda half: 10_000 ** (-torch.arange(half) / (half - 1))),
            "Your slowest hand is slower than asked: i is divided by h − 1, so that the last "
            "frequency is 1 / 10,000. With dim = 4 the second should be 0.01. And with dim = 2 "
            "you divide by 0.",
        ),
        Mistake(
            "twice as fast a fall",
            _embedded(omega=lambda half: 10_000 ** (-2 * torch.arange(half) / half)),
            "Your frequencies fall twice as fast as asked: 2i stands where i belongs. With dim = "
            "4 the second should be 0.01; yours is {got:.4f}.",
            example(torch.tensor([1]), 4, gives=0.0001, pick=lambda r: float(r[0, 3])),
        ),
        Mistake(
            "another base",
            _embedded(omega=lambda half: 1000 ** (-torch.arange(half) / half)),
            "Your base is 1,000, not 10,000: the slowest hands are too fast. With dim = 4 the "
            "second frequency should be 0.01; yours is {got:.3f}.",
            example(torch.tensor([1]), 4, gives=0.0316, pick=lambda r: float(r[0, 3])),
        ),
        Mistake(
            "time from 1",
            _embedded(time=lambda t: t + 1),
            "You add 1 to the time. At t = 0 all hands stand at 0, where the cosines are 1; your "
            "first one says {got:.2f}.",
            example(torch.tensor([0]), 4, gives=0.5403, pick=lambda r: float(r[0, 0])),
        ),
        Mistake(
            "sine and cosine in turn",
            _embedded(join=lambda a: torch.stack([a.sin(), a.cos()], dim=2).flatten(1)),
            "You give sine and cosine in turn. At t = 0 it should be 1, 1, 0, 0; you say "
            "{got:.0f}.",
            example(
                torch.tensor([0]), 4, gives=torch.tensor([0.0, 1.0, 0.0, 1.0]), pick=lambda r: r[0]
            ),
        ),
        Mistake(
            "cosines only, of dim frequencies",
            lambda t, dim: (t[:, None] * 10_000 ** (-torch.arange(dim) / dim)).cos(),
            "There is no sine: at t = 0 all your numbers are 1.",
            example(torch.tensor([0]), 4, gives=torch.ones(1, 4)),
        ),
        Mistake(
            "degrees",
            _embedded(time=lambda t: t * math.pi / 180),
            "You take the angles for degrees: the fastest hand should turn by one radian a step, "
            "and turns by {got:.3f}.",
            example(torch.tensor([1]), 2, gives=0.01745, pick=lambda r: float(r[0, 1])),
        ),
    ),
    probes=(
        call("t = 0, 1, 100; dim = 4", torch.tensor([0, 1, 100]), 4),
        call("t = 7; dim = 2", torch.tensor([7]), 2),
        call("t = 250; dim = 2", torch.tensor([250]), 2),
        call("t = 500, 3, 20, 999; dim = 6", torch.tensor([500, 3, 20, 999]), 6, atol=1e-3),
    ),
)


# --- predict_x0 -----------------------------------------------------------------------------------


def predict_x0(
    xt: Float[Tensor, "B C H W"],
    t: Int[Tensor, " B"],
    eps: Float[Tensor, "B C H W"],
    alpha_bar: Float[Tensor, " T"],
) -> Float[Tensor, "B C H W"]:
    """The picture behind x_t if its noise is eps: x_t = √ᾱ x₀ + √(1−ᾱ) eps, solved for x₀."""
    a = alpha_bar[t].view(-1, 1, 1, 1)
    return (xt - (1 - a).sqrt() * eps) / a.sqrt()


def _behind(
    formula: Callable, shape: Callable = _column, place: Callable = lambda t: t
) -> Callable:
    return lambda xt, t, eps, alpha_bar: formula(xt, shape(alpha_bar[place(t)]), eps)


def _solved(xt: Tensor, a: Tensor, eps: Tensor) -> Tensor:
    return (xt - (1 - a).sqrt() * eps) / a.sqrt()


def _guess_probe(
    label: str, n: int, shape: tuple, t: list, seed: int, bars: Tensor, atol: float = 1e-5
) -> Probe:
    xt, eps = normal(n, *shape, seed=seed), 1.5 * normal(n, *shape, seed=seed + 1)
    return call(label, xt, torch.tensor(t), eps, bars, rtol=1e-3, atol=atol)


def _unmixed(xt: float, eps: float, bar: float, gives: float) -> Any:
    one = torch.ones(1, 1, 1, 1)
    return example(
        xt * one, torch.tensor([0]), eps * one, torch.tensor([bar]), gives=gives, pick=float
    )


PREDICT_X0 = Exercise(
    id="ddpm.predict_x0",
    title="What the predicted noise says about the picture",
    reference=predict_x0,
    hints=(
        "This is the jump of `q_sample`, read backwards: x_t and the noise are known, x₀ is not.",
        "Take away the noise at its size in x_t, √(1 − ᾱ) eps. What is left is x₀ made fainter by "
        "√ᾱ.",
        "Subtract `(1 - a).sqrt() * eps`, then divide by `a.sqrt()`, with a = ᾱ_t as (B, 1, 1, 1).",
    ),
    mistakes=(
        Mistake(
            "the slide",
            lambda xt, t, eps, alpha_bar: xt - eps,
            "You take the noise away at full size and leave the picture faint. At ᾱ = ¾ the noise "
            "in x_t has size ½, and the picture 0.87.",
        ),
        Mistake(
            "still faint",
            _behind(lambda xt, a, eps: xt - (1 - a).sqrt() * eps),
            "Your picture is still as faint as in x_t: at ᾱ = ¼ half its size.",
            _unmixed(0.5, 0.0, 0.25, gives=0.5),
        ),
        Mistake(
            "divided by ᾱ",
            _behind(lambda xt, a, eps: (xt - (1 - a).sqrt() * eps) / a),
            "Your picture is too strong: at ᾱ = ¼ it is faint by ½ and you make it 4 times as "
            "large, not twice.",
            _unmixed(1.0, 0.0, 0.25, gives=4.0),
        ),
        Mistake(
            "no root over the noise",
            _behind(lambda xt, a, eps: (xt - (1 - a) * eps) / a.sqrt()),
            "You take away too little: at ᾱ = ¾ the noise in x_t has size ½ and you remove ¼.",
            _unmixed(0.0, 1.0, 0.75, gives=-0.2887),
        ),
        Mistake(
            "noise added",
            _behind(lambda xt, a, eps: (xt + (1 - a).sqrt() * eps) / a.sqrt()),
            "You add the noise a second time.",
        ),
        Mistake(
            "not all divided",
            _behind(lambda xt, a, eps: xt / a.sqrt() - (1 - a).sqrt() * eps),
            "You divide x_t and not the noise in it. At ᾱ = ¼ the noise in x_t / ½ has size 1.73; "
            "you remove 0.87.",
        ),
        Mistake(
            "swapped",
            _behind(lambda xt, a, eps: (xt - a.sqrt() * eps) / (1 - a).sqrt()),
            "The two factors have changed places: at t = 0, where x_t is nearly the picture, you "
            "return a picture many times too strong.",
        ),
        Mistake(
            "ε clipped",
            lambda xt, t, eps, alpha_bar: predict_x0(xt, t, eps.clamp(-1, 1), alpha_bar),
            "You clip the noise to [−1, 1]. It is larger than 1 a third of the time. It is "
            "pictures that lie in [−1, 1].",
        ),
        Mistake(
            "x̂₀ clipped",
            lambda xt, t, eps, alpha_bar: predict_x0(xt, t, eps, alpha_bar).clamp(-1, 1),
            "Your result is held in [−1, 1]. Samplers do that, for pictures; asked is the x₀ that "
            "solves the equation, which the noise given may put anywhere.",
            _unmixed(1.0, 0.0, 0.25, gives=1.0),
        ),
        Mistake(
            "time along the width",
            _behind(_solved, shape=lambda a: a),
            "The times vary across the columns of each picture: (B,) against (B, C, H, W) is lined "
            "up with the last axis.",
        ),
        Mistake(
            "one time for all",
            _behind(_solved, place=lambda t: t[:1]),
            "All pictures got the time of the first.",
        ),
        Mistake(
            "one step early",
            _behind(_solved, place=lambda t: t - 1),
            "You are a step early: at t = 0 you read entry −1, which in Python is the last.",
        ),
        Mistake(
            "a product of products",
            lambda xt, t, eps, alpha_bar: predict_x0(xt, t, eps, alpha_bar.cumprod(0)),
            "You multiply again: the table holds ᾱ, which is a product already. With entries 0.5 "
            "and 0.25 it is 0.25 at t = 1 and x_t = 1 without noise comes from 2; you say "
            "{got:.2f}.",
            example(
                torch.ones(1, 1, 1, 1),
                torch.tensor([1]),
                torch.zeros(1, 1, 1, 1),
                torch.tensor([0.5, 0.25]),
                gives=2.828,
                pick=float,
            ),
        ),
        Mistake(
            "ᾱ taken for betas",
            lambda xt, t, eps, alpha_bar: predict_x0(xt, t, eps, (1 - alpha_bar).cumprod(0)),
            "You treat the table as betas. It holds ᾱ: with an entry of 0.75 the noise in x_t has "
            "size ½, not 0.87.",
            _unmixed(0.0, 1.0, 0.75, gives=-1.732),
        ),
        Mistake(
            "only the noise divided",
            _behind(lambda xt, a, eps: xt - (1 - a).sqrt() * eps / a.sqrt()),
            "You divide the noise and not x_t: at ᾱ = ¼ and without noise x_t = 0.5 comes from 1; "
            "you say {got:.1f}.",
            _unmixed(0.5, 0.0, 0.25, gives=0.5),
        ),
        Mistake(
            "one minus the root",
            _behind(lambda xt, a, eps: (xt - (1 - a.sqrt()) * eps) / a.sqrt()),
            "The noise in x_t has size √(1 − ᾱ), not 1 − √ᾱ: at ᾱ = ¼ 0.87, and you take away ½.",
            _unmixed(0.0, 1.0, 0.25, gives=-1.0),
        ),
        Mistake(
            "multiplied, not divided",
            _behind(lambda xt, a, eps: (xt - (1 - a).sqrt() * eps) * a.sqrt()),
            "Your picture comes out fainter still: at ᾱ = ¼ and without noise x_t = 0.5 comes "
            "from 1; you say {got:.2f}.",
            _unmixed(0.5, 0.0, 0.25, gives=0.25),
        ),
        Mistake(
            "no roots",
            _behind(lambda xt, a, eps: (xt - (1 - a) * eps) / a),
            "Both roots are missing: at ᾱ = ¼ and without noise x_t = 0.5 comes from 1; you say "
            "{got:.0f}.",
            _unmixed(0.5, 0.0, 0.25, gives=2.0),
        ),
        Mistake(
            "ᾱ for 1 − ᾱ",
            _behind(lambda xt, a, eps: (xt - a.sqrt() * eps) / a.sqrt()),
            "You take the noise away at the picture's size: √ᾱ stands where √(1 − ᾱ) belongs. At "
            "ᾱ = ¼ noise alone leaves {expected:.2f} of eps with its sign turned; you say "
            "{got:.0f}.",
            _unmixed(0.0, 1.0, 0.25, gives=-1.0),
        ),
    ),
    probes=(
        _guess_probe(
            "4 pictures of 1 × 2 × 4, t = 0, 4, 2, 3", 4, (1, 2, 4), [0, 4, 2, 3], 1, _ALPHA_BAR
        ),
        _guess_probe("1 picture of 3 × 3 × 2, t = 1", 1, (3, 3, 2), [1], 3, _ALPHA_BAR),
        _guess_probe("1 other picture, t = 3, other ᾱ", 1, (3, 3, 2), [3], 7, _ALPHA_BAR.square()),
        _guess_probe("2 pictures, T = 1000, t = 10, 500", 2, (1, 3, 3), [10, 500], 5, _LONG_BAR),
        _guess_probe(
            "1 picture, T = 1000, t = 999, the end", 1, (1, 2, 2), [999], 9, _LONG_BAR, atol=0.01
        ),
    ),
)


# --- ddpm_step ------------------------------------------------------------------------------------


def ddpm_step(
    xt: Float[Tensor, "*shape"],
    t: int,
    eps: Float[Tensor, "*shape"],
    noise: Float[Tensor, "*shape"],
    betas: Float[Tensor, " T"],
) -> Float[Tensor, "*shape"]:
    """(x_t − β_t / √(1−ᾱ_t) eps) / √α_t + √β_t noise; the last step, t = 0, adds no noise."""
    beta, alpha_bar = betas[t], (1 - betas).cumprod(0)[t]
    mean = (xt - beta / (1 - alpha_bar).sqrt() * eps) / (1 - beta).sqrt()
    return mean + beta.sqrt() * noise if t > 0 else mean


def _back(
    mean: Callable | None = None,
    sigma: Callable = lambda b, bar, prev: b.sqrt(),
    last: int = 0,
) -> Callable:
    """The step with one of its pieces replaced."""

    def function(xt: Tensor, t: int, eps: Tensor, noise: Tensor, betas: Tensor) -> Tensor:
        bars = (1 - betas).cumprod(0)
        prev = bars[t - 1] if t > 0 else torch.ones_like(bars[0])
        b, bar = betas[t], bars[t]
        x = (mean or _step_mean)(xt, eps, b, bar)
        return x + sigma(b, bar, prev) * noise if t > last else x

    return function


def _clipped_step(xt: Tensor, t: int, eps: Tensor, noise: Tensor, betas: Tensor) -> Tensor:
    bar = (1 - betas).cumprod(0)[t]
    mean, _ = posterior(_solved(xt, bar, eps).clamp(-1, 1), xt, t, betas)
    return mean + betas[t].sqrt() * noise if t > 0 else mean


def _step_mean(xt, eps, b, bar):
    return (xt - b / (1 - bar).sqrt() * eps) / (1 - b).sqrt()


def _step_probe(label: str, shape: tuple, t: int, betas: Tensor, seed: int) -> Probe:
    xt, eps, noise = (normal(*shape, seed=seed + i) for i in range(3))
    return call(label, xt, t, eps, noise, betas, rtol=1e-3)


def _late(gives: float, xt: float = 0.0, eps: float = 0.0, noise: float = 0.0, t: int = 500) -> Any:
    """One pixel at t = 500 of 1,000."""
    xt, eps, noise = (torch.tensor([value]) for value in (xt, eps, noise))
    return example(xt, t, eps, noise, _LONG, gives=gives, pick=float)


def _late_fall(eps: float, t: int = 500) -> Any:
    """By how much one pixel falls at t of 1,000."""
    zero = torch.zeros(1)
    return example(zero, t, zero + eps, zero, _LONG, pick=lambda r: -float(r))


def _one_step(gives: float, xt: float = 0.0, noise: float = 0.0) -> Any:
    """The second of two steps of β = 0.36, without noise to be removed."""
    xt, eps, noise = torch.tensor([xt]), torch.zeros(1), torch.tensor([noise])
    return example(xt, 1, eps, noise, torch.tensor([0.36, 0.36]), gives=gives, pick=float)


DDPM_STEP = Exercise(
    id="ddpm.ddpm_step",
    title="One step of ancestral sampling",
    reference=ddpm_step,
    hints=(
        "The step takes away a little of the predicted noise, makes the picture a little stronger, "
        "and adds a little new noise. Which of the three does the very last step leave out?",
        "β_t, α_t = 1 − β_t and ᾱ_t are three different things: the share of this step, what it "
        "keeps, and what is kept of the picture after all steps so far.",
        "mean = (x_t − β/√(1−ᾱ) eps) / √α; then add √β noise, unless t is 0.",
    ),
    mistakes=(
        Mistake(
            "noise on the finished picture",
            _back(last=-1),
            "Right everywhere but in the last step: at t = 0 the finished picture is sprinkled "
            "again, and other noise gives another picture.",
        ),
        Mistake(
            "no noise one step too early",
            _back(last=1),
            "Right at t = 0, and one step too early: at t = 1 the noise is missing too.",
        ),
        Mistake(
            "no noise at all",
            _back(last=10_000),
            "Change the noise: your step stays. Without new noise all pictures slide towards one "
            "average picture.",
        ),
        Mistake(
            "variance for standard deviation",
            _back(sigma=lambda b, bar, prev: b),
            "Your noise is too small: β is a variance. β = 0.02 as a standard deviation is 7 times "
            "too little (√0.02 = 0.14).",
        ),
        Mistake(
            "the posterior's variance",
            _back(sigma=lambda b, bar, prev: (b * (1 - prev) / (1 - bar)).sqrt()),
            "The mean is right, the noise is that of the posterior, β (1−ᾱ_{t−1})/(1−ᾱ_t). The "
            "paper allows both, and the results hardly differ; asked is the larger, √β.",
        ),
        Mistake(
            "all the noise there is",
            _back(sigma=lambda b, bar, prev: (1 - bar).sqrt()),
            "You add as much noise as all steps together: √(1−ᾱ_t), at t = 500 of 1,000 0.96 in "
            "place of 0.10. The picture never clears.",
            _late(None, noise=1.0),
        ),
        Mistake(
            "the slide",
            _back(mean=lambda xt, eps, b, bar: xt - eps),
            "You take away all the noise at once, and at the wrong size. x_{t−1} = x_t − ε is the "
            "slide's shorthand: eps is the noise of all steps so far, scaled to variance 1.",
        ),
        Mistake(
            "straight to the end",
            _back(mean=lambda xt, eps, b, bar: (xt - (1 - bar).sqrt() * eps) / bar.sqrt()),
            "You jump to x̂₀ and add a little noise. One step takes away β/√(1−ᾱ) of eps: at t = "
            "500 of 1,000 about 0.010; you take 0.96.",
            _late(None, eps=1.0),
        ),
        Mistake(
            "no root under β",
            _back(mean=lambda xt, eps, b, bar: (xt - b / (1 - bar) * eps) / (1 - b).sqrt()),
            "You take away too much, most of all at the end of sampling: β₀/(1−ᾱ₀) is 1, so that "
            "at t = 0 the whole of eps goes; it should be √β₀, with β₀ = 0.0001 1 % of it.",
        ),
        Mistake(
            "root of β",
            _back(mean=lambda xt, eps, b, bar: (xt - b.sqrt() * eps) / (1 - b).sqrt()),
            "You take away what this one step added. But eps is the noise of all steps together, "
            "and this step's part in it is β/√(1−ᾱ): at t = 500 of 1,000 0.010, not 0.10.",
            _late(None, eps=1.0),
        ),
        Mistake(
            "ᾱ for α",
            _back(mean=lambda xt, eps, b, bar: (xt - b / (1 - bar).sqrt() * eps) / bar.sqrt()),
            "You make the picture stronger by all steps at once, 1/√ᾱ_t: at t = 500 of 1,000 by "
            "3.6, and that in every step. One step is 1/√α_t, here 1.005.",
            _late(None, xt=1.0),
        ),
        Mistake(
            "not made stronger",
            _back(mean=lambda xt, eps, b, bar: xt - b / (1 - bar).sqrt() * eps),
            "You take the noise away and leave the picture as faint as it was: each step forward "
            "multiplied by √α, each step back divides by it. Over all 1,000 steps that is a factor "
            "of 157.",
        ),
        Mistake(
            "held in [−1, 1]",
            lambda xt, t, eps, noise, betas: ddpm_step(xt, t, eps, noise, betas).clamp(-1, 1),
            "You hold the result in [−1, 1]. x_{t−1} is noisy, and noise does not stop at 1.",
        ),
        Mistake(
            "x̂₀ held in [−1, 1]",
            lambda xt, t, eps, noise, betas: _clipped_step(xt, t, eps, noise, betas),
            "You hold the guess x̂₀ in [−1, 1] on the way. Samplers for pictures may do that; "
            "asked "
            "is the formula, which holds nothing.",
        ),
        Mistake(
            "fainter, not stronger",
            _back(mean=lambda xt, eps, b, bar: (xt - b / (1 - bar).sqrt() * eps) * (1 - b).sqrt()),
            "You multiply by √α: the picture gets fainter on the way back too. The way forward "
            "multiplied; the way back divides.",
        ),
        Mistake(
            "noise added, not taken away",
            _back(mean=lambda xt, eps, b, bar: (xt + b / (1 - bar).sqrt() * eps) / (1 - b).sqrt()),
            "You add the predicted noise instead of taking it away: x grows noisier each step.",
        ),
        Mistake(
            "own noise",
            lambda xt, t, eps, noise, betas: ddpm_step(xt, t, eps, torch.randn_like(xt), betas),
            "You drew your own noise and left the given one unused: nobody can repeat your step.",
        ),
        Mistake(
            "√β before the noise to be removed",
            _back(
                lambda xt, eps, b, bar: (xt - b.sqrt() / (1 - bar).sqrt() * eps) / (1 - b).sqrt()
            ),
            "You take away too much: eps has the factor √β/√(1−ᾱ) with you, and should have "
            "β/√(1−ᾱ). At t = 500 of 1,000 and eps = 1 x falls by {expected:.4f}; with you by "
            "{got:.4f}.",
            _late_fall(eps=1.0),
        ),
        Mistake(
            "divided by α",
            _back(lambda xt, eps, b, bar: (xt - b / (1 - bar).sqrt() * eps) / (1 - b)),
            "You make the picture too strong: it is divided by α_t, not by its root. With β = "
            "0.36 it grows 1.25 times; with you {got:.2f} times.",
            _one_step(xt=1.0, gives=1.5625),
        ),
        Mistake(
            "new noise divided too",
            lambda xt, t, eps, noise, betas: (
                (
                    (1 - betas[t]).sqrt() * _step_mean(xt, eps, betas[t], (1 - betas).cumprod(0)[t])
                    + (t > 0) * betas[t].sqrt() * noise
                )
                / (1 - betas[t]).sqrt()
            ),
            "The new noise stands inside the bracket and is divided by √α_t with the rest. With β "
            "= 0.36 its size is 0.6; with you {got:.2f}.",
            _one_step(noise=1.0, gives=0.75),
        ),
        Mistake(
            "α for β",
            _back(lambda xt, eps, b, bar: (xt - (1 - b) / (1 - bar).sqrt() * eps) / (1 - b).sqrt()),
            "You take away nearly all noise in one step: eps has the factor α/√(1−ᾱ) with you, "
            "and should have β/√(1−ᾱ). At t = 500 of 1,000 and eps = 1 x falls by {expected:.3f}; "
            "with you by {got:.2f}.",
            _late_fall(eps=1.0),
        ),
        Mistake(
            "no β before the noise to be removed",
            _back(lambda xt, eps, b, bar: (xt - eps / (1 - bar).sqrt()) / (1 - b).sqrt()),
            "You take away far too much: eps has the factor 1/√(1−ᾱ) with you, and should have "
            "β/√(1−ᾱ). At t = 500 of 1,000 and eps = 1 x falls by {expected:.3f}; with you by "
            "{got:.2f}.",
            _late_fall(eps=1.0),
        ),
        Mistake(
            "β for ᾱ under the root",
            _back(lambda xt, eps, b, bar: (xt - b / (1 - b).sqrt() * eps) / (1 - b).sqrt()),
            "Under the root stands 1 − β_t where 1 − ᾱ_t belongs. At t = 100 of 1,000 and eps = 1 "
            "x falls by {expected:.4f}; with you by {got:.4f}.",
            _late_fall(eps=1.0, t=100),
        ),
        Mistake(
            "new noise at full size",
            _back(sigma=lambda b, bar, prev: torch.ones_like(b)),
            "The new noise has size 1 in every step, where √β_t belongs: with β = 0.36 "
            "{expected:.1f}; with you {got:.0f}.",
            _one_step(noise=1.0, gives=1.0),
        ),
    ),
    probes=(
        _step_probe("t = 3 of 5, two pictures", (2, 1, 3, 2), 3, _BETAS, 1),
        _step_probe("t = 1", (1, 1, 2, 2), 1, _BETAS, 4),
        _step_probe("t = 0, the last step", (2, 1, 2, 3), 0, _BETAS, 7),
        _step_probe("t = 4, other betas", (2, 1, 2, 3), 4, 0.5 * _BETAS, 13),
        _step_probe("t = 500 of 1,000", (3, 2), 500, _LONG, 10),
    ),
)


# --- ddim_step ------------------------------------------------------------------------------------


def ddim_step(
    xt: Float[Tensor, "*shape"],
    t: int,
    s: int,
    eps: Float[Tensor, "*shape"],
    alpha_bar: Float[Tensor, " T"],
) -> Float[Tensor, "*shape"]:
    """From x_t to any earlier x_s: √ᾱ_s x̂₀ + √(1−ᾱ_s) eps; s = −1 is the picture, ᾱ = 1."""
    now = alpha_bar[t]
    then = alpha_bar[s] if s >= 0 else torch.ones_like(now)
    x0 = (xt - (1 - now).sqrt() * eps) / now.sqrt()
    return then.sqrt() * x0 + (1 - then).sqrt() * eps


def _to_earlier(
    formula: Callable = lambda x0, eps, xt, now, then: then.sqrt() * x0 + (1 - then).sqrt() * eps,
    then: Callable = lambda bars, t, s: bars[s] if s >= 0 else torch.ones_like(bars[0]),
    guess: Callable = lambda xt, eps, now: (xt - (1 - now).sqrt() * eps) / now.sqrt(),
) -> Callable:
    def function(xt: Tensor, t: int, s: int, eps: Tensor, alpha_bar: Tensor) -> Tensor:
        now = alpha_bar[t]
        return formula(guess(xt, eps, now), eps, xt, now, then(alpha_bar, t, s))

    return function


def _jump_probe(label: str, shape: tuple, t: int, s: int, bars: Tensor, seed: int) -> Probe:
    xt, eps = (normal(*shape, seed=seed + i) for i in range(2))
    return call(label, xt, t, s, eps, bars, rtol=1e-3)


def _jumped(now: float, then: float, gives: float | None, xt: float = 0.0, eps: float = 0.0) -> Any:
    """One pixel, from ᾱ = now to ᾱ = then."""
    xt, eps = torch.tensor([xt]), torch.tensor([eps])
    return example(xt, 1, 0, eps, torch.tensor([then, now]), gives=gives, pick=float)


DDIM_STEP = Exercise(
    id="ddpm.ddim_step",
    title="A step of DDIM, to any earlier time",
    reference=ddim_step,
    hints=(
        "Two moves. First: which picture x̂₀ does eps say is behind x_t? Then: how would that "
        "picture look at the time s, with the same noise in it?",
        "The first move is `predict_x0` at t, the second `q_sample` at s with eps for the noise.",
        "At s = −1 there is no noise: ᾱ is 1, not any entry of the table. `alpha_bar[-1]` would be "
        "the last.",
    ),
    mistakes=(
        Mistake(
            "before the first comes the last",
            _to_earlier(then=lambda bars, t, s: bars[s]),
            "Right except for the step to the picture: at s = −1 Python reads the last entry of "
            "the table, and your finished picture is nearly pure noise.",
        ),
        Mistake(
            "never quite there",
            _to_earlier(then=lambda bars, t, s: bars[max(s, 0)]),
            "Right except for the step to the picture: it must land on x̂₀. Yours stops at ᾱ₀, "
            "and the noise of the first step stays in.",
        ),
        Mistake(
            "straight to the end",
            _to_earlier(formula=lambda x0, eps, xt, now, then: x0),
            "You jump to x̂₀ whatever s is. A first guess is a blurred average of all pictures; "
            "the steps between are what makes it sharp.",
        ),
        Mistake(
            "one step only",
            _to_earlier(
                then=lambda bars, t, s: bars[t - 1] if t > 0 and s >= 0 else torch.ones(())
            ),
            "You go to t − 1 whatever s is. From 4 to 1 is three steps of the chain: ᾱ from 0.15 "
            "to 0.72; you stop at 0.30.",
        ),
        Mistake(
            "noise of time t",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: then.sqrt() * x0 + (1 - now).sqrt() * eps
            ),
            "The picture is that of time s, the noise still that of t: it never gets less. From ᾱ "
            "= 0.15 to 0.72 it should fall from 0.92 to 0.53.",
        ),
        Mistake(
            "picture of time t",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: now.sqrt() * x0 + (1 - then).sqrt() * eps
            ),
            "The noise is that of time s, the picture still as faint as at t. From ᾱ = 0.15 to "
            "0.72 it should grow from 0.39 to 0.85 of its size.",
        ),
        Mistake(
            "times exchanged",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: (
                    now.sqrt() * (xt - (1 - then).sqrt() * eps) / then.sqrt()
                    + (1 - now).sqrt() * eps
                )
            ),
            "t and s have changed places: you find x̂₀ as if x_t were of time s, and then noise it "
            "to t.",
        ),
        Mistake(
            "no roots",
            _to_earlier(formula=lambda x0, eps, xt, now, then: then * x0 + (1 - then) * eps),
            "The roots are missing in the second move: at ᾱ_s = ½ the squares of your factors add "
            "up to 0.5, not to 1.",
            _jumped(0.25, 0.5, 1.0, xt=1.0),
        ),
        Mistake(
            "no root in the guess",
            _to_earlier(guess=lambda xt, eps, now: (xt - (1 - now) * eps) / now),
            "Your x̂₀ is wrong: at ᾱ = ¼ the noise in x_t has size 0.87 and the picture ½; you "
            "take away 0.75 and divide by ¼.",
            _jumped(0.25, 0.5, None, xt=1.0),
        ),
        Mistake(
            "x̂₀ held in [−1, 1]",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: (
                    then.sqrt() * x0.clamp(-1, 1) + (1 - then).sqrt() * eps
                )
            ),
            "You hold x̂₀ in [−1, 1]. Samplers for pictures may do that; asked is the step itself, "
            "which also serves codes, and those may lie anywhere.",
        ),
        Mistake(
            "held in [−1, 1]",
            lambda xt, t, s, eps, alpha_bar: ddim_step(xt, t, s, eps, alpha_bar).clamp(-1, 1),
            "You hold the result in [−1, 1]. x_s is noisy, and noise does not stop at 1.",
        ),
        Mistake(
            "x_t for x̂₀",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: then.sqrt() * xt + (1 - then).sqrt() * eps
            ),
            "You noise x_t again, not the picture behind it: the noise grows with each step back.",
        ),
        Mistake(
            "noise taken away twice",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: then.sqrt() * x0 - (1 - then).sqrt() * eps
            ),
            "The noise at time s has the wrong sign: the next step takes for noise what you have "
            "turned round.",
        ),
        Mistake(
            "other noise",
            _to_earlier(
                formula=lambda x0, eps, xt, now, then: (
                    then.sqrt() * x0 + (1 - then).sqrt() * torch.randn_like(eps)
                )
            ),
            "You put fresh noise in. DDIM keeps the noise it has found: from one x_T it always "
            "comes to one picture.",
        ),
        Mistake(
            "no noise put back",
            _to_earlier(lambda x0, eps, xt, now, then: then.sqrt() * x0),
            "Only the picture is there at time s, without its noise: change eps where x̂₀ is 0, "
            "and your result stays. From then on the model sees pictures that are too clean for "
            "their time.",
        ),
        Mistake(
            "x̂₀ still faint",
            _to_earlier(guess=lambda xt, eps, now: xt - (1 - now).sqrt() * eps),
            "Your x̂₀ is not divided by √ᾱ_t: it is as faint as in x_t. From ᾱ = ¼ to the picture "
            "x_t = 0.5 without noise becomes 1; you say {got:.1f}.",
            example(
                torch.tensor([0.5]),
                0,
                -1,
                torch.tensor([0.0]),
                torch.tensor([0.25]),
                gives=0.5,
                pick=float,
            ),
        ),
        Mistake(
            "a product of products",
            lambda xt, t, s, eps, alpha_bar: ddim_step(xt, t, s, eps, alpha_bar.cumprod(0)),
            "You multiply again: the table holds ᾱ, which is a product already. With entries 0.5 "
            "and 0.25 x_t = 0.5 at t = 1 without noise comes from 1; you say {got:.2f}.",
            example(
                torch.tensor([0.5]),
                1,
                -1,
                torch.tensor([0.0]),
                torch.tensor([0.5, 0.25]),
                gives=1.414,
                pick=float,
            ),
        ),
        Mistake(
            "s = 0 taken for the picture",
            lambda xt, t, s, eps, alpha_bar: ddim_step(xt, t, s if s > 0 else -1, eps, alpha_bar),
            "The index 0 is still a noisy time, with ᾱ₀, and not the picture itself, which has "
            "the index −1. At s = 0 you return x̂₀.",
        ),
        Mistake(
            "x̂₀ held, and eps from it",
            _to_earlier(
                lambda x0, eps, xt, now, then: (
                    then.sqrt() * x0.clamp(-1, 1)
                    + (1 - then).sqrt() * (xt - now.sqrt() * x0.clamp(-1, 1)) / (1 - now).sqrt()
                )
            ),
            "You hold x̂₀ in [−1, 1] and compute eps anew from it. Samplers for pictures may do "
            "that; asked is the step itself, for codes of any size. From ᾱ = ¼ to the picture x_t "
            "= 1 without noise becomes 2; you say {got:.0f}.",
            example(
                torch.tensor([1.0]),
                0,
                -1,
                torch.tensor([0.0]),
                torch.tensor([0.25]),
                gives=1.0,
                pick=float,
            ),
        ),
        Mistake(
            "no root over the noise at s",
            _to_earlier(lambda x0, eps, xt, now, then: then.sqrt() * x0 + (1 - then) * eps),
            "The root over the noise is missing at time s: from ᾱ = ¼ to ᾱ = ½ noise alone should "
            "shrink from 0.87 to 0.71; yours has {got:.2f}.",
            example(
                torch.tensor([0.8660254]),
                1,
                0,
                torch.tensor([1.0]),
                torch.tensor([0.5, 0.25]),
                gives=0.5,
                pick=float,
            ),
        ),
        Mistake(
            "no root over the picture at s",
            _to_earlier(lambda x0, eps, xt, now, then: then * x0 + (1 - then).sqrt() * eps),
            "The root over ᾱ_s is missing: from ᾱ = ¼ to ᾱ = ½ a picture of size 0.5 without "
            "noise should grow to 0.71; you say {got:.2f}.",
            example(
                torch.tensor([0.5]),
                1,
                0,
                torch.tensor([0.0]),
                torch.tensor([0.5, 0.25]),
                gives=0.5,
                pick=float,
            ),
        ),
    ),
    probes=(
        _jump_probe("from t = 4 to s = 1", (2, 1, 3, 2), 4, 1, _ALPHA_BAR, 1),
        _jump_probe("from t = 2 to the picture, s = −1", (1, 2, 2, 2), 2, -1, _ALPHA_BAR, 3),
        _jump_probe("from t = 3 to s = 0", (3, 1, 1, 2), 3, 0, _ALPHA_BAR, 5),
        _jump_probe("from t = 2 to s = 1, other ᾱ", (3, 1, 1, 2), 2, 1, _ALPHA_BAR.square(), 9),
        _jump_probe("from t = 500 to s = 480 of 1,000", (2, 4), 500, 480, _LONG_BAR, 7),
    ),
)


# --- guided_noise ---------------------------------------------------------------------------------


def guided_noise(
    eps_cond: Float[Tensor, "*shape"], eps_uncond: Float[Tensor, "*shape"], w: float
) -> Float[Tensor, "*shape"]:
    """From the unconditional noise w times the way to the conditional one; w = 1 arrives there."""
    return eps_uncond + w * (eps_cond - eps_uncond)


def _guidance_probe(label: str, shape: tuple, w: float, seed: int) -> Probe:
    return call(label, normal(*shape, seed=seed), normal(*shape, seed=seed + 1), w)


GUIDED_NOISE = Exercise(
    id="ddpm.guided_noise",
    title="Classifier-free guidance",
    reference=guided_noise,
    hints=(
        "Two points, the answer with and without the label. w = 0 is the one, w = 1 the other. "
        "Where is w = 2?",
        "The label's own contribution is eps_cond − eps_uncond. Take w times that.",
        "Begin at eps_uncond and add w times the difference.",
    ),
    mistakes=(
        Mistake(
            "the paper's w",
            lambda c, u, w: (1 + w) * c - w * u,
            "w = 1 should be plain conditional here; yours goes on to twice the difference. The "
            "paper counts from there: its w is smaller by 1.",
        ),
        Mistake(
            "swapped",
            lambda c, u, w: c + w * (u - c),
            "w = 0 should hide the label and w = 1 be plain conditional; with you it is the other "
            "way round, and w = 3 goes away from the label.",
        ),
        Mistake(
            "difference alone",
            lambda c, u, w: w * (c - u),
            "Where both answers agree, yours is 0: as if there were no noise in the picture.",
            example(torch.tensor([1.0]), torch.tensor([1.0]), 3.0, gives=0.0, pick=float),
        ),
        Mistake(
            "conditional enlarged",
            lambda c, u, w: w * c,
            "Change the unconditional answer: yours stays. w = 3 makes the noise three times as "
            "large, and the picture with it.",
        ),
        Mistake(
            "no difference",
            lambda c, u, w: u + w * c,
            "Where both answers agree, yours is 1 + w times as large: at w = 1 twice the noise.",
            example(torch.tensor([1.0]), torch.tensor([1.0]), 1.0, gives=2.0, pick=float),
        ),
        Mistake(
            "plain conditional",
            lambda c, u, w: c,
            "Change w: your answer stays the conditional one. With answers 1 and 0 and w = 3 it is "
            "{expected:.0f}; you say {got:.0f}.",
            example(torch.tensor([1.0]), torch.tensor([0.0]), 3.0, gives=1.0, pick=float),
        ),
        Mistake(
            "between the two only",
            lambda c, u, w: u + min(max(w, 0.0), 1.0) * (c - u),
            "You stop at w = 1. Guidance is what comes beyond: at w = 3 three times the "
            "difference.",
        ),
        Mistake(
            "only above 1",
            lambda c, u, w: u + w * (c - u) if w > 1 else c,
            "You leave guidance out where w is 1 or less. Between 0 and 1 the answer lies between "
            "the two: with answers 1 and 0 and w = 0.5 it is {expected:.1f}; you say {got:.0f}.",
            example(torch.tensor([1.0]), torch.tensor([0.0]), 0.5, gives=1.0, pick=float),
        ),
        Mistake(
            "divided by the sum",
            lambda c, u, w: (u + w * c) / (1 + w),
            "Yours is a mean of the two answers, between them for every w: at w = 1 halfway, where "
            "it should be the conditional one.",
        ),
        Mistake(
            "away from the label",
            lambda cond, uncond, w: uncond - w * (cond - uncond),
            "You go away from the label: with answers 1 and 0 and w = 1 it should be 1, the "
            "conditional one; you say {got:.0f}.",
            example(torch.ones(1), torch.zeros(1), 1.0, gives=-1.0, pick=float),
        ),
        Mistake(
            "held in [−1, 1]",
            lambda cond, uncond, w: guided_noise(cond, uncond, w).clamp(-1, 1),
            "You hold the noise in [−1, 1]. It is larger than 1 a third of the time: where both "
            "answers say 2 it is 2; you say {got:.0f}.",
            example(torch.full((1,), 2.0), torch.full((1,), 2.0), 1.0, gives=1.0, pick=float),
        ),
    ),
    probes=(
        _guidance_probe("w = 3", (2, 1, 3, 2), 3.0, 1),
        _guidance_probe("w = 1", (1, 4), 1.0, 3),
        _guidance_probe("w = 0", (3, 2), 0.0, 5),
        _guidance_probe("w = 0.5", (3, 2), 0.5, 7),
    ),
)


# --- training_loss --------------------------------------------------------------------------------


def training_loss(
    model: Callable, x0: Float[Tensor, "B C H W"], alpha_bar: Float[Tensor, " T"]
) -> Float[Tensor, ""]:
    """Mean of (noise − model(x_t, t))² over all pixels, at a time 0 … T−1 for each picture."""
    t = torch.randint(len(alpha_bar), (len(x0),))
    noise = torch.randn_like(x0)
    a = alpha_bar[t].view(-1, 1, 1, 1)
    xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
    return (model(xt, t) - noise).square().mean()


def _loss(
    times: Callable = lambda T, n: torch.randint(T, (n,)),
    draw: Callable = torch.randn_like,
    weights: Callable = lambda a: (a.sqrt(), (1 - a).sqrt()),
    shown: Callable = lambda xt, x0, t: (xt, t),
    target: Callable = lambda noise, x0, xt: noise,
    error: Callable = lambda gap: gap.square().mean(),
) -> Callable:
    """The loss with one of its pieces replaced."""

    def function(model: Callable, x0: Tensor, alpha_bar: Tensor) -> Tensor:
        t, noise = times(len(alpha_bar), len(x0)), draw(x0)
        signal, rest = weights(_column(alpha_bar[t]))
        xt = signal * x0 + rest * noise
        return error(model(*shown(xt, x0, t)) - target(noise, x0, xt))

    return function


class _Part(nn.Module):
    """Knows x₀, and answers with a share of the noise that must be in x_t."""

    def __init__(self, share: float, x0: Tensor, alpha_bar: Tensor):
        super().__init__()
        self.share, self.x0, self.bars = nn.Parameter(torch.tensor(share)), x0, alpha_bar

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        self.t, times = t, torch.as_tensor(t).long().flatten().expand(len(xt))
        a = _column(self.bars[times])
        self.noise = ((xt - a.sqrt() * self.x0) / (1 - a).sqrt()).detach()
        return self.share * self.noise


def _differs_along(noise: Tensor) -> list[str]:
    """Along which axes of the pictures the noise is not all the same."""
    names = ("pictures", "channels", "rows", "columns")
    return [
        name
        for axis, name in enumerate(names)
        if noise.shape[axis] > 1 and noise.std(axis).mean() > 0.1
    ]


def _loss_probe(label: str, shape: tuple, value: float, T: int, share: float) -> Probe:
    bars, many = torch.linspace(0.8, 0.2, T), shape[0] > 1000

    def observe(candidate: Callable) -> dict[str, Any]:
        x0 = torch.full(shape, value)
        model = _Part(share, x0, bars)
        loss = candidate(model, x0.clone(), bars.clone())
        if not hasattr(model, "noise"):
            return {"the model is asked": False}
        t, noise = torch.as_tensor(model.t), model.noise
        if not (isinstance(loss, Tensor) and loss.requires_grad):
            gradient = False
        else:
            loss.sum().backward()
            gradient = bool(model.share.grad.abs() > 0)
        loss, truth = torch.as_tensor(loss).detach().double(), ((1 - share) * noise).double()
        seen = {
            "the model is asked": True,
            "shape of the loss": str(tuple(loss.shape)),
            "a gradient reaches the model": gradient,
            "shape of t": str(tuple(t.shape)),
            "t holds whole numbers": not t.is_floating_point(),
            "the noise differs along": _differs_along(noise),
        }
        if many:
            counts = torch.bincount(t.long().flatten(), minlength=T)
            seen |= {
                "smallest time": int(t.min()),
                "largest time": int(t.max()),
                "share of each time": (counts / counts.sum()).tolist(),
                "mean of the noise": float(noise.mean()),
                "spread of the noise": float(noise.std()),
            }
            candidate(model, x0.clone(), bars.clone())
            seen["drawn anew each time"] = not torch.equal(noise, model.noise)
        error = float(loss.mean() / truth.square().mean())
        return seen | {"loss, in mean squared errors": round(error, 3)}

    explain = {
        "the model is asked": "Your loss never asks the model.",
        "a gradient reaches the model": "No gradient reaches the model: it could not learn.",
        "mean of the noise": "The noise in the pictures that your model sees, (x_t − √ᾱ x₀) / √(1 "
        "− ᾱ), is "
        "not N(0, 1): it is drawn or mixed otherwise.",
        "spread of the noise": "The noise in the pictures that your model sees, (x_t − √ᾱ x₀) / "
        "√(1 − ᾱ), is "
        "not N(0, 1): it is drawn or mixed otherwise.",
        "share of each time": "All times from 0 to T − 1 should be equally likely.",
        "the noise differs along": "Each pixel of each picture should get a noise of its own.",
        "drawn anew each time": "Called a second time, your loss uses the same noise again.",
        "loss, in mean squared errors": "The model answers with a known share of the noise in the "
        "picture that it sees; your loss is not the mean of the squared differences from that "
        "noise.",
    }
    return Probe(label, observe, rtol=0.002, atol=0.03, explain=explain)


TRAINING_LOSS = Exercise(
    id="ddpm.training_loss",
    title="What a diffusion model learns from",
    reference=training_loss,
    hints=(
        "A time for each picture, a noise for each pixel, x_t from both; the model's answer; and "
        "how far it is from the noise that you put in.",
        "`torch.randint(T, (B,))` draws from 0 … T − 1: the upper end is never drawn, so do not "
        "subtract 1 from it. `torch.randn_like(x0)` is N(0, 1).",
        "x_t is `q_sample`'s; the loss is `(model(xt, t) - noise).square().mean()`, with that very "
        "noise.",
    ),
    mistakes=(
        Mistake(
            "noise never negative",
            _loss(draw=torch.rand_like),
            "Your noise is never negative: drawn evenly from 0 to 1, it has mean 0.5 and spread "
            "0.29. The sampler will begin with noise that your model has never seen.",
        ),
        Mistake(
            "one time for the batch",
            _loss(times=lambda T, n: torch.randint(T, (1,)).expand(n)),
            "All pictures of the batch have the same time. The loss then jumps from step to step, "
            "with the time that came up.",
        ),
        Mistake(
            "the last time never drawn",
            _loss(times=lambda T, n: torch.randint(T - 1, (n,))),
            "Time T − 1 is never drawn: the first step of sampling was never trained. The upper "
            "end of randint is already left out.",
        ),
        Mistake(
            "the first time never drawn",
            _loss(times=lambda T, n: torch.randint(1, T, (n,))),
            "Time 0 is never drawn: the last step of sampling, the finest, was never trained.",
        ),
        Mistake(
            "another noise as target",
            _loss(target=lambda noise, x0, xt: torch.randn_like(noise)),
            "The target is another noise than the one in the picture: even a model that finds all "
            "of it pays 2, and the best it can do is to answer 0.",
        ),
        Mistake(
            "the picture as target",
            _loss(target=lambda noise, x0, xt: x0),
            "Your target is x₀. A model that has found the noise exactly pays you for not being a "
            "picture. (One can train so; but then the samplers must know.)",
        ),
        Mistake(
            "x_t as target",
            _loss(target=lambda noise, x0, xt: xt),
            "Your target is x_t, which the model has just been given: it learns to copy, and "
            "finds no noise.",
        ),
        Mistake(
            "clean pictures shown",
            _loss(shown=lambda xt, x0, t: (x0, t)),
            "Your model sees x₀: there is no noise in it to be found.",
        ),
        Mistake(
            "time not told",
            _loss(shown=lambda xt, x0, t: (xt, torch.zeros_like(t))),
            "Your model is given the same time for every picture: it cannot know how much noise to "
            "look for.",
        ),
        Mistake(
            "no roots",
            _loss(weights=lambda a: (a, 1 - a)),
            "x_t is mixed with ᾱ and 1 − ᾱ, without the roots: at ᾱ = ½ its variance is ½, not 1.",
        ),
        Mistake(
            "factors swapped",
            _loss(weights=lambda a: ((1 - a).sqrt(), a.sqrt())),
            "In your x_t picture and noise have changed their factors: at t = 0 there is most "
            "noise.",
        ),
        Mistake(
            "sum",
            _loss(error=lambda gap: gap.square().sum()),
            "Your loss grows with the number of pixels and pictures: the learning rate would have "
            "to shrink with them. Asked is the mean.",
        ),
        Mistake(
            "Huber",
            _loss(
                error=lambda gap: torch.where(
                    gap.abs() < 1, 0.5 * gap.square(), gap.abs() - 0.5
                ).mean()
            ),
            "You take the Huber loss, `F.smooth_l1_loss`: it grows like a square for small errors "
            "and like the absolute value for large ones. Asked is the mean of the squares.",
        ),
        Mistake(
            "half the square",
            _loss(error=lambda gap: 0.5 * gap.square().mean()),
            "Your loss is half of the mean squared error.",
        ),
        Mistake(
            "one noise for all",
            _loss(draw=lambda x: torch.randn(1, *x.shape[1:]).expand_as(x)),
            "All pictures of the batch get the same noise.",
        ),
        Mistake(
            "summed over a picture",
            _loss(error=lambda gap: gap.square().flatten(1).sum(1).mean()),
            "You add up the squares of a picture and take the mean over pictures. Asked is the "
            "mean over all pixels: larger pictures must not cost more.",
        ),
        Mistake(
            "absolute error",
            _loss(error=lambda gap: gap.abs().mean()),
            "You take absolute differences. Only the squared error makes the mean of all noises "
            "that fit x_t the best answer.",
        ),
        Mistake(
            "root of the mean",
            _loss(error=lambda gap: gap.square().mean().sqrt()),
            "You take the root at the end. The mean squared error is what was asked; its root "
            "pulls less where the model is far off.",
        ),
        Mistake(
            "one number a picture",
            _loss(error=lambda gap: gap.square().flatten(1).mean(1)),
            "You return a number for each picture; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            _loss(error=lambda gap: gap.square().mean().detach()),
            "The value is right, and no gradient reaches the model: it will never learn.",
        ),
        Mistake(
            "one noise for a picture",
            _loss(draw=lambda x: torch.randn(len(x), 1, 1, 1).expand_as(x)),
            "All pixels of a picture get the same noise: it becomes brighter or darker, and stays "
            "clear.",
        ),
    ),
    probes=(
        _loss_probe("10,000 tiny pictures, all 0.5, T = 4", (10_000, 2, 2, 3), 0.5, 4, 0.75),
        _loss_probe("one picture of 1 × 3 × 5, T = 7", (1, 1, 3, 5), -1.5, 7, -1.0),
        _loss_probe("5,000 tiny pictures, all −1.5, T = 7", (5000, 3, 1, 2), -1.5, 7, -1.0),
    ),
)


# --- three published bugs, in this course's own words ---------------------------------------------


def denoise_as_published(model, x, betas, noises):
    """From x_T to the picture. Source: the notebook of a textbook (udlbook, 18.2)."""
    alpha_bar = (1 - betas).cumprod(0)
    for t in range(len(betas), 0, -1):  # t = T … 1, stored at t − 1
        beta, a = betas[t - 1], alpha_bar[t - 1]
        x = (x - beta / (1 - a).sqrt() * model(x, t)) / (1 - beta).sqrt()
        if t > 0:  # no noise on the finished picture
            x = x + beta.sqrt() * noises[t - 1]
    return x


def denoise(
    model: Callable,
    x: Float[Tensor, "n d"],
    betas: Float[Tensor, " T"],
    noises: Float[Tensor, "T n d"],
) -> Float[Tensor, "n d"]:
    """From x_T to the picture, whose last step adds no noise."""
    alpha_bar = (1 - betas).cumprod(0)
    for t in range(len(betas), 0, -1):  # t = T … 1, stored at t − 1
        beta, a = betas[t - 1], alpha_bar[t - 1]
        x = (x - beta / (1 - a).sqrt() * model(x, t)) / (1 - beta).sqrt()
        if t > 1:
            x = x + beta.sqrt() * noises[t - 1]
    return x


def _denoised(noisy: Callable, size: Callable = lambda b, i: b[i].sqrt()) -> Callable:
    """The chain with another attempt at its noise: noisy(t, T) says whether, size how much."""

    def function(model: Callable, x: Tensor, betas: Tensor, noises: Tensor) -> Tensor:
        bars, T = (1 - betas).cumprod(0), len(betas)
        for t in range(T, 0, -1):
            b, a = betas[t - 1], bars[t - 1]
            x = (x - b / (1 - a).sqrt() * model(x, t)) / (1 - b).sqrt()
            if noisy(t, T):
                x = x + size(betas, t - 1) * noises[t - 1]
        return x

    return function


def _not_made_stronger(model: Callable, x: Tensor, betas: Tensor, noises: Tensor) -> Tensor:
    bars = (1 - betas).cumprod(0)
    for t in range(len(betas), 0, -1):
        x = x - betas[t - 1] / (1 - bars[t - 1]).sqrt() * model(x, t)
        x = x + betas[t - 1].sqrt() * noises[t - 1] if t > 1 else x
    return x


def _narrow(x: Tensor, t: int, betas: Tensor, width: float) -> Tensor:
    """The perfect noise for data N(0, width²)."""
    a = (1 - betas).cumprod(0)[t - 1]
    return (1 - a).sqrt() * x / (a * width**2 + 1 - a)


def _denoise_probe(label: str, betas: Tensor, width: float, seed: int, n: int = 6) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        x, noises = normal(n, 2, seed=seed), normal(len(betas), n, 2, seed=seed + 1)
        asked: list[int] = []

        def model(x: Tensor, t: int) -> Tensor:
            asked.append(int(t))
            return _narrow(x, int(t), betas, width)

        result = candidate(model, x, betas.clone(), noises)
        return {"times the model was asked at": asked[:30], "result": result}

    return Probe(label, observe, rtol=1e-3, atol=1e-4)


BUG_LAST_STEP = Exercise(
    id="ddpm.bug_last_step",
    title="Spot the bug: pictures that stay grainy",
    reference=denoise,
    hints=(
        "Which values does t take in this loop? For which of them is the condition false?",
        "t counts from T down to 1. The finished picture is what comes out of t = 1.",
        "The condition was written for times that end at 0. Here the last step is t = 1.",
    ),
    mistakes=(
        Mistake(
            "as published",
            denoise_as_published,
            "The bug is still there: t never gets to 0, so that the condition always holds and the "
            "finished picture is sprinkled once more. Run it with noise in the last step only: the "
            "result should not move.",
        ),
        Mistake(
            "no noise anywhere",
            _denoised(lambda t, T: False),
            "The grain is gone, and the noise of all other steps too. Change any of the noises: "
            "your result stays.",
        ),
        Mistake(
            "no noise in the last two",
            _denoised(lambda t, T: t > 2),
            "One step too many goes without noise: t = 2 is not the last.",
        ),
        Mistake(
            "no noise in the first",
            _denoised(lambda t, T: t < T),
            "You left the noise out at the other end, t = T. The picture is finished at t = 1.",
        ),
        Mistake(
            "noise in the last only",
            _denoised(lambda t, T: t <= 1),
            "Now the noise falls on the finished picture alone: the condition is the wrong way "
            "round.",
        ),
        Mistake(
            "less noise everywhere",
            _denoised(lambda t, T: True, lambda b, i: b[i]),
            "The grain is smaller because all noise is: β is a variance, and you use it as a "
            "standard deviation. The last step still adds some.",
        ),
        Mistake(
            "the noises from the other end",
            lambda model, x, betas, noises: denoise(model, x, betas, noises.flip(0)),
            "The last step is clean now, but the noises are used from the other end: "
            "`noises[t − 1]` belongs to the step t, and yours takes it in another.",
        ),
        Mistake(
            "the next smaller noise",
            _denoised(lambda t, T: t > 1, lambda b, i: b[i - 1].sqrt()),
            "The last step is clean now, but every other adds the noise of its neighbour.",
        ),
        Mistake(
            "the next step's noise",
            lambda model, x, betas, noises: denoise(
                model, x, betas, torch.cat([noises[1:], noises[-1:]])
            ),
            "The last step is clean now, but each step uses the noise of another: `noises[t − 1]` "
            "belongs to the step t, and you take `noises[t]`.",
        ),
        Mistake(
            "noise of your own",
            lambda model, x, betas, noises: denoise(model, x, betas, torch.randn_like(noises)),
            "The last step is clean now, but the noises you were given have no influence: you "
            "draw your own, and nobody can repeat your picture.",
        ),
        Mistake(
            "variance for standard deviation",
            _denoised(lambda t, T: t > 1, lambda b, i: b[i]),
            "The last step is clean now, but the noise has another size: β is its variance, √β "
            "its standard deviation.",
        ),
        Mistake(
            "not made stronger",
            _not_made_stronger,
            "The last step is clean now, but x is no longer divided by √α_t: the picture stays as "
            "faint as it was.",
        ),
    ),
    probes=(
        _denoise_probe("five steps, data of width 0.1", _BETAS, 0.1, 1),
        _denoise_probe("five other steps, data of width 2", 0.8 * _BETAS, 2.0, 3),
        _denoise_probe("one step, one picture", _BETAS[:1], 0.5, 5, n=1),
        _denoise_probe("20 steps, data of width 0.075", torch.linspace(0.02, 0.4, 20), 0.075, 9),
    ),
)


def hide_labels_as_published(labels, none, u, p=0.1):
    """Labels for guidance, some hidden. Source: a published solution (6.S184), for four weeks."""
    hidden = labels.clone()
    hidden[u > p] = none
    return hidden


def hide_labels(
    labels: Int[Tensor, " B"], none: int, u: Float[Tensor, " B"], p: float = 0.1
) -> Int[Tensor, " B"]:
    """Each label replaced by `none` with probability p; u is drawn evenly from [0, 1)."""
    hidden = labels.clone()
    hidden[u < p] = none
    return hidden


def _hide_probe(label: str, n: int, none: int, seed: int, p: float | None = None) -> Probe:
    """With `p` left out where it is None. To hide where u ≥ 1 − p is as good as where u < p."""
    labels, u = torch.arange(n) % 10 + 1, uniform(n, seed=seed)
    share, options = (0.1, {}) if p is None else (p, {"p": p})
    usual, other = torch.where(u < share, none, labels), torch.where(u >= 1 - share, none, labels)

    def observe(candidate: Callable) -> dict[str, Any]:
        given = labels.clone()
        hidden = torch.as_tensor(candidate(given, none, u.clone(), **options))
        if torch.equal(hidden, other):
            hidden = usual
        found = 100 * float((hidden == none).float().mean())
        return {"per cent hidden": found, "result": hidden, "labels afterwards": given}

    explain = {"labels afterwards": "Your function changes the labels that it was given."}
    return Probe(label, observe, explain=explain)


def _in_place(labels: Tensor, none: int, u: Tensor, p: float = 0.1) -> Tensor:
    labels[u < p] = none
    return labels


BUG_HIDDEN_LABELS = Exercise(
    id="ddpm.bug_hidden_labels",
    title="Spot the bug: a model that ignores its labels",
    reference=hide_labels,
    hints=(
        "Count: of 1,000 labels, how many does it hide with p = 0.1? How many should it?",
        "u is drawn evenly from 0 to 1. How often is it above 0.1?",
        "u is below p with probability p.",
    ),
    mistakes=(
        Mistake(
            "as published",
            hide_labels_as_published,
            "The bug is still there: you hide 90 % of the labels. The model hardly ever sees one, "
            "and guidance has nothing to go by.",
        ),
        Mistake(
            "none hidden",
            lambda labels, none, u, p=0.1: labels.clone(),
            "Now no label is ever hidden: the model never learns to do without, and guidance asks "
            "it for just that.",
        ),
        Mistake(
            "all hidden",
            lambda labels, none, u, p=0.1: torch.full_like(labels, none),
            "Now all labels are hidden: the model cannot be asked for any class.",
        ),
        Mistake(
            "whole batches",
            lambda labels, none, u, p=0.1: (
                torch.full_like(labels, none) if u[0] < p else labels.clone()
            ),
            "You hide all labels of a batch or none. Each picture should have its own chance.",
        ),
        Mistake(
            "hidden as class 0",
            lambda labels, none, u, p=0.1: torch.where(u < p, 0, labels),
            "You write 0, which is a class, where `none` belongs: T-shirts get a tenth of all "
            "other pictures.",
        ),
        Mistake(
            "hidden as −1",
            lambda labels, none, u, p=0.1: torch.where(u < p, -1, labels),
            "You write −1 where `none` belongs. The model has a row of its table for `none`; −1 is "
            "the last row, or an error.",
        ),
        Mistake(
            "p fixed",
            lambda labels, none, u, p=0.1: torch.where(u < 0.1, none, labels),
            "Change p: you always hide a tenth of the labels.",
        ),
        Mistake(
            "half",
            lambda labels, none, u, p=0.1: torch.where(u < 0.5, none, labels),
            "Change p: you always hide half of the labels.",
        ),
        Mistake(
            "in place",
            _in_place,
            "The right labels are hidden, and they are gone from the caller's tensor too: after "
            "some passes over the data none are left.",
        ),
        Mistake(
            "1 − p hidden",
            lambda labels, none, u, p=0.1: torch.where(u < 1 - p, none, labels),
            "You hide 90 % of the labels: u lies below 1 − p nine times in ten. The model hardly "
            "ever sees a label.",
        ),
        Mistake(
            "10 whatever `none` is",
            lambda labels, none, u, p=0.1: torch.where(u < p, 10, labels),
            "The right labels are hidden, and 10 is written whatever `none` is. With three "
            "classes, `none` is 3; you write {got:.0f}.",
            example(torch.tensor([2]), 3, torch.tensor([0.05]), gives=10, pick=lambda r: int(r[0])),
        ),
        Mistake(
            "chance of your own",
            lambda labels, none, u, p=0.1: torch.where(torch.rand(len(labels)) < p, none, labels),
            "u has no influence: you draw random numbers of your own, and nobody can repeat which "
            "labels were hidden.",
        ),
        Mistake(
            "the first ones",
            lambda labels, none, u, p=0.1: torch.where(
                torch.arange(len(labels)) < p * len(labels), none, labels
            ),
            "You hide the first labels, a share p of them, whatever u is. Each picture should "
            "have its own chance in each batch.",
        ),
        Mistake(
            "exactly a share p",
            lambda labels, none, u, p=0.1: torch.where(
                u.argsort().argsort() < int(p * len(u)), none, labels
            ),
            "You always hide the same number of labels, those with the smallest u. Each label "
            "should be hidden for itself, where its own u is below p: in some batches more than a "
            "share p, in some fewer.",
        ),
    ),
    probes=(
        _hide_probe("1,000 labels, p as it comes", 1000, 11, seed=1),
        _hide_probe("200 labels, p = 0.8, none = 12", 200, 12, seed=2, p=0.8),
        _hide_probe("200 other labels, p = 0.3, none = 99", 200, 99, seed=3, p=0.3),
        _hide_probe("one label, p = 0.999", 1, 11, seed=4, p=0.999),
    ),
)


def short_betas_as_published(T):
    """A schedule for T steps. Source: a widely read tutorial, which takes T = 300 and less."""
    return torch.linspace(1e-4, 0.02, T)


def short_betas(T: int) -> Float[Tensor, " T"]:
    """Betas for T ≥ 30 steps that begin gently and leave less than 2 % of the picture."""
    return torch.linspace(0.1 / T, 20 / T, T)


def _short_probe(T: int) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        betas = torch.as_tensor(candidate(T)).double()
        if betas.shape != (T,):
            return {"number of betas": betas.numel()}
        signal = (1 - betas).cumprod(0).clamp(min=0).sqrt()
        left, first = 100 * float(signal[-1]), 100 * float(signal[0])
        return {
            "number of betas": T,
            "betas lie between 0 and 1": bool(((betas > 0) & (betas < 1)).all()),
            "per cent of the picture left at the end, above 2": left if left > 2 else 0.0,
            "per cent left after the first step, below 98": first if first < 98 else 100.0,
        }

    return Probe(f"T = {T}", observe, rtol=1e-3)


BUG_SHORT_CHAIN = Exercise(
    id="ddpm.bug_short_chain",
    title="Spot the bug: a sampler that begins with noise it has never seen",
    reference=short_betas,
    allows=("dtype",),
    hints=(
        "How much of the picture is left after T = 200 such steps? Compute √ᾱ of the last.",
        "1,000 betas of 0.01 on average add up to 10. With a fifth as many steps, how large must "
        "they be for the same sum?",
        "Multiply both ends by 1000 / T. (Other schedules do as well, if they end below 2 %.)",
    ),
    mistakes=(
        Mistake(
            "as published",
            short_betas_as_published,
            "The bug is still there. After 200 steps 36 % of the picture is left, after 100 60 %; "
            "and sampling begins with pure noise, which the model has never seen.",
        ),
        Mistake(
            "scaled the wrong way",
            lambda T: torch.linspace(1e-4 * T / 1000, 0.02 * T / 1000, T),
            "You made the betas smaller for fewer steps. After 200 steps 82 % of the picture is "
            "left.",
        ),
        Mistake(
            "the first of a thousand",
            lambda T: torch.linspace(1e-4, 0.02, 1000)[:T],
            "These are the first T betas of a thousand, the smallest. After 200 steps 81 % of the "
            "picture is left.",
        ),
        Mistake(
            "the last of a thousand",
            lambda T: torch.linspace(1e-4, 0.02, 1000)[-T:],
            "These are the last T betas of a thousand. After 200 steps 16 % of the picture is "
            "left: better, and still seen by the model in every x_T.",
        ),
        Mistake(
            "all as large as the last",
            lambda T: torch.full((T,), 0.02),
            "All betas are 0.02 now. After 200 steps 13 % of the picture is left, after 100 36 %.",
        ),
        Mistake(
            "scaled by the root",
            lambda T: torch.linspace(1e-4, 0.02, T) * (1000 / T) ** 0.5,
            "You scaled by √(1000 / T): betas add up, they do not add up as squares. After 200 "
            "steps 10 % of the picture is left.",
        ),
        Mistake(
            "all at once",
            lambda T: torch.full((T,), 0.5),
            "Nothing is left now, and nothing is gentle: the first step already takes half of the "
            "variance. The last step of sampling would have to invent every detail.",
        ),
        Mistake(
            "a thousand after all",
            lambda T: torch.linspace(1e-4, 0.02, 1000),
            "You return {got} betas for T = 200; {expected} were asked.",
            example(200, gives=1000, pick=len),
        ),
    ),
    probes=(_short_probe(200), _short_probe(100), _short_probe(50), _short_probe(30)),
)


EXERCISES = (
    LINEAR_BETAS,
    COSINE_BETAS,
    Q_SAMPLE,
    POSTERIOR,
    TIMESTEP_EMBEDDING,
    PREDICT_X0,
    DDPM_STEP,
    DDIM_STEP,
    GUIDED_NOISE,
    TRAINING_LOSS,
    BUG_LAST_STEP,
    BUG_HIDDEN_LABELS,
    BUG_SHORT_CHAIN,
)

QUESTIONS = (
    Question(
        "ddpm.signal_left",
        "A schedule was made for T = 1000 steps, with β from 0.0001 to 0.02: at its end 0.6 % of "
        "the picture's size is left. Now T is set to 200, and the ends of β stay. How many per "
        "cent are left?",
        None,
        36,
    ),
    Question(
        "ddpm.slide_variance",
        "The slide writes x_t = x_{t−1} + ε with ε ~ N(0, 1). Pixels of variance 1 take 1,000 such "
        "steps. Which variance do they have?",
        {
            "0": "Nothing makes the picture fainter, so nothing can vanish.",
            "1": "It would stay at 1 if each step also multiplied by √(1 − β): √(1−β) x + √β ε. "
            "The slide leaves that out.",
            "1,001": "Independent variances add up: 1 + 1,000. The picture is still there at full "
            "size, below a mountain of noise that no fixed N(0, 1) resembles.",
        },
        "1,001",
    ),
    Question(
        "ddpm.half_time",
        "The linear schedule, T = 1000, at its middle, t = 500. How many per cent of the picture's "
        "size are left?",
        None,
        100 * float(_LONG_BAR[500]) ** 0.5,
    ),
    Question(
        "ddpm.one_step",
        "x_T is pure noise, and a perfectly trained network says which noise is in it. In a single "
        "step you compute x̂₀. What does it show?",
        {
            "a sharp new picture": "From pure noise every picture of the data is as likely. The "
            "network answers with what makes the squared error least, and that is their mean.",
            "the mean of the data": "Squared error makes the mean of all pictures that fit x_T the "
            "best answer, and pure noise fits them all.",
            "noise": "A perfect network knows what pictures look like: their mean has no noise.",
            "a training picture": "To pick one, something in x_T would have to speak for it. Pure "
            "noise speaks for none.",
        },
        "the mean of the data",
    ),
    Question(
        "ddpm.same_noise",
        "Ten times you start from the same x_T. How many different pictures come out, of DDIM with "
        "η = 0, and of ancestral sampling?",
        {
            "1 and 1": "Ancestral sampling draws new noise in every step: ten runs part ways.",
            "1 and 10": "DDIM with η = 0 draws nothing after x_T, so that x_T is a code of the "
            "picture; ancestral sampling draws new noise in every step.",
            "10 and 10": "DDIM with η = 0 has no noise to draw: the same x_T always leads to the "
            "same picture.",
            "10 and 1": "It is the other way round: η = 0 says that no noise is added.",
        },
        "1 and 10",
    ),
    Question(
        "ddpm.more_steps",
        "Samples are made with 10, 50, 200 and 1,000 steps of DDIM. From 200 to 1,000, what "
        "happens to their Fréchet distance?",
        {
            "it falls by a lot": "The steps follow one smooth path. Once they are small against "
            "its bends, smaller ones change next to nothing; what is left is the network's error.",
            "it hardly changes": "The path from x_T to the picture is followed closely enough: "
            "what is left is the network's own error, which no number of steps mends.",
            "it doubles": "Errors of single steps do not pile up like that: each step also "
            "corrects the one before, as the network looks anew.",
        },
        "it hardly changes",
    ),
    Question(
        "ddpm.guidance",
        "Guidance is turned up from w = 1 to w = 5. What happens to the samples of one class?",
        {
            "better and more varied": "What is pushed towards the most typical cannot spread out "
            "at the same time.",
            "more typical, less varied": "Each step moves away from what other classes could be: "
            "clear cases of the class, and fewer of its rare forms.",
            "other classes appear": "Those become rarer: the step away from the unconditional "
            "answer is a step away from the other classes.",
        },
        "more typical, less varied",
    ),
    Question(
        "ddpm.worse_self",
        "A network is guided away from itself as it was after a quarter of its training, with the "
        "same labels and w = 2.5. What happens to its Fréchet distance?",
        {
            "it rises": "It would if the two answers differed by chance: then the step away from "
            "the worse one would enlarge that difference, and go nowhere in particular.",
            "about the same": "The two answers differ, so the pictures change. Does the worse one "
            "err in a direction of its own, or in the same one, further?",
            "it falls": "The worse network errs where the better one errs, and more. So the way "
            "from the worse answer to the better one points on to the right one.",
        },
        None,  # measured in the lecture
    ),
    Question(
        "ddpm.quality_at_steps",
        "Ancestral sampling and DDIM, each with 10 steps of the same model. Which has the smaller "
        "Fréchet distance?",
        {
            "ancestral": "In each of few large steps it adds much noise, and there are too few "
            "left to take it away again.",
            "DDIM": "It adds no noise, so that its error is only that of large steps along a "
            "smooth path.",
            "the same": "They differ in the noise between the steps, which matters most when steps "
            "are few.",
        },
        None,  # measured in the lecture
    ),
)
