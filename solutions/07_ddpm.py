# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Denoising diffusion
#
# {{badge}}
#
# **You will be able to**
# - turn a picture into noise, step by step or at once, and say how much of it is left;
# - take one step back, and say why a network that predicts the noise is enough;
# - train such a network, in the plane and on clothes, and sample new pictures in many steps or few;
# - condition it on a class, fill in a part of a face, sharpen a small picture, and work in the codes of an autoencoder;
# - compare diffusion with a GAN on the same data and the same minutes of training.
#
# **Time**: two to three hours with the exercises. The cells run in four to eight minutes on a laptop, and in up to 15 on a slow one whose processor has no bfloat16; a large part of that time is one training.
# **You need**: lecture 02 (latent codes, Gaussians), lecture 03 (what a GAN is), lecture 05 (Fréchet distance, precision and recall).

# %%
# {{setup}}

# %%
import copy
import inspect
import math
from functools import partial
from time import perf_counter, process_time

import torch
from torch import nn

from course_lib import (
    autoencoders,
    data,
    device,
    diffusion,
    gan,
    metrics,
    plots,
    studies,
    translation,
)
from course_lib.diffusion import Diffusion, DiffusionStep, FlowStep, flow_sample
from course_lib.exercises import check, hint, predict, solution
from course_lib.exercises.topics import ddpm
from course_lib.plots import diffusion as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.studies import few_steps
from course_lib.training import train
from course_lib.unet import UNet
from course_lib.widgets import diffusion as sliders


# %%
def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # networks are trained here, and looked at on the CPU
fashion = data.load("fashion")
clothes = fashion[:2000].floats()

# %% [markdown]
# ## 1 · The forward process: into noise
#
# A GAN must invent a whole picture in one go. **Diffusion** takes a thousand small steps (Sohl-Dickstein and others 2015; Ho, Jain and Abbeel 2020). First the easy direction, the **forward process**: destroy a picture, a little noise at a time, until nothing is left. Then learn to undo
# *one* such step. If you can undo one step you can undo them all, starting from pure noise: the **reverse process**.
#
# Lecture slides often write a forward step as $x_t = x_{t-1} + \epsilon$, with $\epsilon \sim N(0, 1)$, and the reverse step as $x_{t-1} = x_t - \epsilon$. Take this literally: pixels of variance 1 take 1,000 such steps.
#
# **What is their variance then?**

# %%
# Replace ... by one of: "0", "1", "1,001"
guess = predict("ddpm.slide_variance", ...)

# %%
pixels = torch.randn(20_000, generator=seed(0))
slide, mended, beta = pixels.clone(), pixels.clone(), 0.01
variances = {"the slide: x + ε": [], "√(1−β) x + √β ε": []}
noises = seed(1)
for _ in range(1000):
    noise = torch.randn(20_000, generator=noises)
    slide = slide + noise
    mended = (1 - beta) ** 0.5 * mended + beta**0.5 * noise
    for values, x in zip(variances.values(), (slide, mended), strict=True):
        values.append(x.var().item())

print(guess.reveal("1,001"))
kept = {"slide": (slide * pixels).mean().item(), "mended": (mended * pixels).mean().item()}
print("size of the first pixels in the last ones:", {k: f"{v:.2f}" for k, v in kept.items()})
assert abs(slide.var() - 1001) < 50 and abs(mended.var() - 1) < 0.05
assert abs(kept["mended"] - 0.99**500) < 0.04
figures.spread_over_steps(variances)

# %% [markdown]
# With the slide's step the picture is still there at full size, under noise whose variance grows without end. Sampling would have to start from noise of about that variance. (Some models do: the *variance-exploding* process of Song and others 2021.) The corrected step makes the picture a little *fainter* and adds a little noise.
# The variance stays at 1, and the picture disappears:
#
# $$x_t = \sqrt{1-\beta_t}\; x_{t-1} + \sqrt{\beta_t}\;\epsilon, \qquad \epsilon \sim N(0, I), \qquad t = 1, \dots, T.$$
#
# $x_0$ is the picture, $x_t$ its state after $t$ steps, and $\beta_t$ the share of the variance that step $t$ replaces. All $\beta_t$ together are the **schedule**. The slide's reverse step $x_t - \epsilon$ is wrong as well: if only $x_t$ is given, the noise that was
# added is unknown. Section 2 finds out what can be known.
#
# **Formulas count from 1, Python counts from 0.** Step $t$ of a formula has its number at index $t - 1$ of an array: `betas[0]` is $\beta_1$. The functions of this course take the *index*, from 0 (closest to the picture) to $T - 1$; their argument `t` is the formula's $t - 1$.
#
# ### Exercise 1 · A schedule
#
# Ho and others let $\beta$ grow on a straight line from 0.0001 to 0.02 in $T = 1000$ steps: gently at first, where details are lost. Return the $T$ numbers; the first is `start`, the last is `end`. *One line, two minutes.*


# %%
def linear_betas(T, start=1e-4, end=0.02):
    """T betas on a straight line from start to end: (T,)"""
    ### BEGIN SOLUTION
    return torch.linspace(start, end, T, dtype=torch.float64)
    ### END SOLUTION


linear_betas = check("ddpm.linear_betas", linear_betas)

# %% [markdown]
# ### In one jump
#
# Do you have to take 500 steps to see $x_{500}$? No. Write $\alpha_t = 1 - \beta_t$, and combine two steps:
#
# $$x_2 = \sqrt{\alpha_2}\big(\sqrt{\alpha_1}\,x_0 + \sqrt{\beta_1}\,\epsilon\big) + \sqrt{\beta_2}\,\epsilon' .$$
#
# The picture has the factor $\sqrt{\alpha_1\alpha_2}$. The two noises are independent Gaussians, so their variances add up: $\alpha_2\beta_1 + \beta_2 = 1 - \alpha_1\alpha_2$. The same holds for any number of steps. With
# $\bar\alpha_t = \alpha_1\alpha_2\cdots\alpha_t$ and $\bar\alpha_0 = 1$,
#
# $$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\;\epsilon .$$
#
# ### Exercise 2 · The jump
#
# `x0` and `noise` are `(B, C, H, W)`; `t` is `(B,)`, a time index for each picture; `betas` is `(T,)`. `torch.cumprod` gives the running product. One number for each picture needs the shape `(B, 1, 1, 1)`. *Two lines, five minutes.*


# %%
def q_sample(x0, t, noise, betas):
    """x_t from x₀ at once, each picture at its own time: same shape as x0"""
    ### BEGIN SOLUTION
    alpha_bar = (1 - betas).cumprod(0)[t].view(-1, 1, 1, 1)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
    ### END SOLUTION


q_sample = check("ddpm.q_sample", q_sample)

# %% [markdown]
# The jump must give the same distribution as the steps. A pixel of 0.8 takes 300 steps, 50,000 times; its mean and variance should be those of the formula, within four standard errors of 50,000 samples.

# %%
betas, n = linear_betas(1000).double(), 50_000
x, noises = torch.full((n,), 0.8).double(), seed(2)
for beta in betas[:300]:
    noise = torch.randn(n, generator=noises).double()
    x = (1 - beta).sqrt() * x + beta.sqrt() * noise
alpha_bar = (1 - betas).cumprod(0)
left = alpha_bar[299]
print(f"mean     walked {x.mean():.4f}, formula {0.8 * left.sqrt():.4f}")
print(f"variance walked {x.var():.4f}, formula {1 - left:.4f}")
assert abs(x.mean() - 0.8 * left.sqrt()) < 4 * ((1 - left) / n) ** 0.5
assert abs(x.var() - (1 - left)) < 4 * (1 - left) * (2 / n) ** 0.5
mean, variance = 0.8, 0.0  # the same without drawing: mean and variance, step by step
for beta in betas.tolist():
    mean, variance = (1 - beta) ** 0.5 * mean, (1 - beta) * variance + beta
assert math.isclose(mean, 0.8 * alpha_bar[-1].sqrt(), rel_tol=1e-6)
assert math.isclose(variance, 1 - alpha_bar[-1], rel_tol=1e-6)

# %% [markdown]
# The schedule has 1,000 steps. **At index 500, the middle, what percentage of the picture's size is left?** (Its size is the factor of $x_0$.)

# %%
# Replace ... by a number from 0 to 100
guess = predict("ddpm.half_time", ...)

# %%
half = 100 * alpha_bar[500].sqrt().item()
print(guess.reveal(round(half, 1)))
assert abs(half - 27.9) < 0.1
boot, noise = clothes[:1], torch.randn(1, 1, 28, 28, generator=seed(3))
times = torch.tensor([0, 50, 100, 200, 300, 400, 500, 600, 800, 999])
strip = q_sample(boot.expand(10, -1, -1, -1), times, noise.expand(10, -1, -1, -1), betas)
plots.panels({f"t = {t}": x / 2 for t, x in zip(times.tolist(), strip, strict=True)}, height=1.1)

# %% [markdown]
# (The values of noise lie far outside $[-1, 1]$. Noisy pictures are shown at half their contrast here.)
#
# Halfway through the steps only about a quarter of the picture's size is left, and the last 300 steps change nothing you can see. Nichol and Dhariwal (2021), who found that a fifth of the reverse process can be skipped at little cost, choose the *result* and compute the steps from it. Let $\bar\alpha$ fall along a squared cosine:
#
# $$f(u) = \cos^2\!\Big(\frac{u + s}{1 + s}\cdot\frac{\pi}{2}\Big), \quad u = 0,\ \tfrac1T,\ \dots,\ 1; \qquad \beta_t = 1 - \frac{f(t/T)}{f((t-1)/T)} .$$
#
# The offset $s = 0.008$ keeps the first steps from being too small to matter. The last $\beta$ would be 1; no $\beta$ may exceed 0.999.
#
# ### Exercise 3 · A schedule from its result
#
# Return the $T$ betas. There are $T + 1$ values of $u$. Use float64: near $u = 0$ the quotient is nearly 1. *Three lines, six minutes.*


# %%
def cosine_betas(T, s=0.008):
    """Betas that make ᾱ fall as cos²((u + s)/(1 + s) · π/2), each at most 0.999: (T,)"""
    ### BEGIN SOLUTION
    u = torch.arange(T + 1, dtype=torch.float64) / T
    alpha_bar = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)
    ### END SOLUTION


cosine_betas = check("ddpm.cosine_betas", cosine_betas)

# %% [markdown]
# `Diffusion(betas)` of this course holds a schedule and all that follows from it: `.beta`, `.alpha_bar`, and `.snr`, the **signal-to-noise ratio** $\bar\alpha_t / (1 - \bar\alpha_t)$, the variance of the picture over that of the noise (for pictures of variance 1). Compare both schedules with numbers from their authors' code:

# %%
chain, cosine = Diffusion(linear_betas(1000)), Diffusion(cosine_betas(1000))
published = {
    "linear": (chain, [0.99990000, 0.52408537, 0.078587243, 4.0358298e-5]),
    "cosine": (cosine, [0.99995872, 0.84701216, 0.49384359, 2.4287669e-9]),
}
for name, (of_name, numbers) in published.items():
    ours = of_name.alpha_bar[[0, 249, 499, 999]].tolist()
    print(name, [f"{value:.8g}" for value in ours])
    assert all(math.isclose(a, b, rel_tol=2e-3) for a, b in zip(ours, numbers, strict=True))
even = {name: (of_name.snr > 1).sum().item() for name, (of_name, _) in published.items()}
print(f"picture and noise are equally strong at {even}")
assert 255 < even["linear"] < 265 and 490 < even["cosine"] < 500
figures.schedules({"linear": chain, "cosine": cosine})

# %% [markdown]
# Drag the time. *At which t can you no longer tell what it is? And with the linear schedule instead of the cosine (`sliders.forward_process(chain, boot, seed(3))`)?*

# %%
sliders.forward_process(cosine, boot, seed(3))

# %% [markdown]
# ### A slider that breaks
#
# 1,000 steps are slow. So why not set `T = 200` and leave the rest as it is? At the end of the 1,000 steps 0.6 % of the picture's size is left, so $x_T$ is noise for all practical purposes, and sampling may start from pure noise.
#
# **What percentage is left after 200 steps, with $\beta$ from 0.0001 to 0.02 as before?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("ddpm.signal_left", ...)

# %%
chains = {T: Diffusion(ddpm.short_betas_as_published(T)) for T in (1000, 500, 300, 200, 100)}
left = {T: 100 * short.alpha_bar[-1].sqrt().item() for T, short in chains.items()}
print({T: f"{percent:.1f} %" for T, percent in left.items()})
print(guess.reveal(round(left[200])))
assert [round(left[T]) for T in (500, 300, 200, 100)] == [8, 22, 36, 60]
assert round(left[1000], 1) == 0.6
many = torch.randn(100, 1, 28, 28, generator=seed(3))
ends = {
    f"T = {T}\n{left[T]:.1f} %": short.q_sample(boot.expand_as(many), T - 1, many)
    for T, short in chains.items()
}
figures.chain_strip(ends, many)

# %%
sliders.short_chains(boot, chains, seed(3))

# %% [markdown]
# In a single noising you hardly see the boot, except with T = 100. In the average of 100 you do: faintly with T = 500, plainly with T = 300 and less, and not at all with T = 1000. A network sees millions of noisy pictures in training, and learns to use this trace.
#
# ### Exercise 4 · Spot the bug: noise that the model has never seen
#
# A network trained with T = 100 always finds 60 % of the picture's size in $x_T$. Then we sample from pure noise, which it has never seen, and the pictures can come out grey and dull. (Large models had the same flaw to a smaller degree: Lin and others 2024.) The code, adapted from tutorials that shorten the chain this way:

# %%
print(inspect.getsource(ddpm.short_betas_as_published))

# %% [markdown]
# Mend it. Return $T$ betas, for any $T \ge 30$, that begin gently (more than 98 % of the picture's size is left after the first step) and end in noise (less than 2 % is left), each between 0 and 1. *One line, five minutes.*


# %%
def short_betas(T):
    """Betas for T ≥ 30 steps that begin gently and leave less than 2 % of the picture: (T,)"""
    ### BEGIN SOLUTION
    return torch.linspace(0.1 / T, 20 / T, T)
    ### END SOLUTION


short_betas = check("ddpm.bug_short_chain", short_betas)

# %% [markdown]
# ## 2 · One step of the reverse process
#
# You see $x_t$. Where was it one step before? Many places are possible, because the noise is unknown. But suppose you were told the picture $x_0$. Then two Gaussians meet: from $x_0$ forwards, $x_{t-1}$ lies around $\sqrt{\bar\alpha_{t-1}}\,x_0$; from $x_t$ backwards, it lies around
# $x_t/\sqrt{\alpha_t}$. Their product is again a Gaussian, the **posterior** $q(x_{t-1}\mid x_t, x_0)$:
#
# $$\text{mean} = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\,x_0 + \frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\,x_t, \qquad
# \text{variance } \tilde\beta_t = \beta_t\,\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t} .$$
#
# Before the first step no noise had been added: $\bar\alpha_0 = 1$. So at $t = 1$ the mean is $x_0$ itself, and the variance 0.
#
# ### Exercise 5 · The posterior
#
# `x0` and `xt` have the same shape, any shape; `t` is an int, the index (0 for the formula's $t = 1$), `betas` is `(T,)`. Return mean and variance; the variance is one number, a tensor of shape `()`. Beware: in Python `alpha_bar[-1]` is the last entry. *Five lines, eight minutes.*


# %%
def posterior(x0, xt, t, betas):
    """Mean (same shape as xt) and variance (one number) of x_{t−1}, given x_t and x₀"""
    ### BEGIN SOLUTION
    alpha_bar = (1 - betas).cumprod(0)
    before = alpha_bar[t - 1] if t > 0 else torch.ones_like(alpha_bar[0])
    of_x0 = before.sqrt() * betas[t] / (1 - alpha_bar[t])
    of_xt = (1 - betas[t]).sqrt() * (1 - before) / (1 - alpha_bar[t])
    return of_x0 * x0 + of_xt * xt, betas[t] * (1 - before) / (1 - alpha_bar[t])
    ### END SOLUTION


posterior = check("ddpm.posterior", posterior)

# %% [markdown]
# Check it by two routes. The weights of $x_0$ and $x_t$ are those of OpenAI's code. And a simulation confirms the formula: take a pixel of 0.5 to indices 4 and 5 of a short chain, many times, and find by regression how the earlier state follows from the later one.

# %%
zero, one = torch.zeros(1).double(), torch.ones(1).double()
golden = {
    1: (0.5452915, 0.4547085),
    500: (0.0030580571, 0.99410435),
    999: (1.2835149e-4, 0.98994868),
}
for t, numbers in golden.items():
    of_x0, of_xt = posterior(one, zero, t, betas)[0], posterior(zero, one, t, betas)[0]
    print(f"index {t:3}: {of_x0.item():.7g} of x₀, {of_xt.item():.7g} of x_t")
    assert all(
        math.isclose(a, b, rel_tol=1e-3)
        for a, b in zip((of_x0.item(), of_xt.item()), numbers, strict=True)
    )

# %%
short, n = cosine_betas(10).double(), 200_000
draws = torch.randn(2, n, generator=seed(4)).double()
x4 = Diffusion(short).q_sample(torch.full((n,), 0.5).double(), 4, draws[0])
x5 = Diffusion(short).q_step(x4, 5, draws[1])
slope = ((x4 - x4.mean()) * (x5 - x5.mean())).mean() / x5.var()
rest = x4 - x4.mean() - slope * (x5 - x5.mean())
mean_at_0, variance = posterior(0.5 * one, zero, 5, short)
of_xt = posterior(zero, one, 5, short)[0]
print(f"weight of x_t: regression {slope:.3f}, formula {of_xt.item():.3f}")
print(f"variance:      regression {rest.var():.4f}, formula {float(variance):.4f}")
assert abs(slope - of_xt) < 0.01 and abs(rest.var() - variance) < 0.002
assert abs(x4.mean() - slope * x5.mean() - mean_at_0) < 0.01

# %% [markdown]
# ### Who tells us the picture?
#
# Nobody. But a guess is enough. If a network could say which noise is in $x_t$, the jump of exercise 2 could be solved for the picture:
#
# $$\hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\hat\epsilon}{\sqrt{\bar\alpha_t}} .$$
#
# ### Exercise 6 · What the noise says about the picture
#
# `xt` and `eps` are `(B, C, H, W)`, `t` is `(B,)`, and `alpha_bar` the table `(T,)` of $\bar\alpha$. *Two lines, three minutes.*


# %%
def predict_x0(xt, t, eps, alpha_bar):
    """The picture behind x_t if its noise is eps: same shape as xt"""
    ### BEGIN SOLUTION
    a = alpha_bar[t].view(-1, 1, 1, 1)
    return (xt - (1 - a).sqrt() * eps) / a.sqrt()
    ### END SOLUTION


predict_x0 = check("ddpm.predict_x0", predict_x0)

# %% [markdown]
# ### The perfect network, without training
#
# Which noise should the network predict, if many pictures could hide in $x_t$? It is trained by squared error, and the squared error is smallest for the **mean** of all possible answers. Its $\hat x_0$ is then the mean of all pictures that fit $x_t$, each weighted by how well it fits.
#
# Suppose that there are 2,000 pictures in the world, and no others. Then the best answer can be written down: picture $i$ fits $x_t$ with the weight $\exp\!\big(-\lVert x_t - \sqrt{\bar\alpha_t}\,x^{(i)}\rVert^2 / 2(1-\bar\alpha_t)\big)$, and $\hat x_0$ is the weighted mean.

# %%
rows = clothes.flatten(1).double()  # (2000, 784)


def fits(xt, t, chain):
    """How well each of the 2,000 pictures fits x_t; the shares sum to 1: (B, 2000)"""
    a = chain.alpha_bar[t]
    apart = torch.cdist(xt.flatten(1).double(), a.sqrt() * rows).square()
    return (-apart / (2 * (1 - a))).softmax(1)


def perfect(x, t, labels=None):
    """The best guess at the noise in x, if these 2,000 pictures are all there are."""
    x0 = (fits(x, t[0].item(), cosine) @ rows).to(x.dtype).view_as(x)
    return cosine.predict_eps(x, t, x0)


# %% [markdown]
# $x_T$ is pure noise, and the network is perfect. In a single step you compute $\hat x_0$. **What does it show?**

# %%
# Replace ... by one of: "a sharp new picture", "the mean of the data", "noise", "a training picture"
guess = predict("ddpm.one_step", ...)

# %%
way = cosine.ddpm_sample(perfect, (4, 1, 28, 28), generator=seed(5), steps=100, trace=True)
mean = clothes.mean(0)
off = (way.x0[0] - mean).norm() / (clothes[:4] - mean).norm()
print(guess.reveal("the mean of the data"), f"(relative distance from the mean: {off:.2%})")
assert off < 0.05
moments = [0, 4, 7, 10, 12, 14, 16, 18, 25, 50, 99]  # of 100; most is decided early
plots.rows(
    {
        "$x_t$": way.xt[:-1][moments, 0] / 2,
        r"$\hat x_0$": way.x0[moments, 0],
        "$x_t$, another": way.xt[:-1][moments, 1] / 2,
        r"$\hat x_0$, another": way.x0[moments, 1],
    },
    above=[f"{way.t[i]}" for i in moments],
)

# %% [markdown]
# This is the whole idea in one picture; above each column stands $t$. From noise the best guess is the mean of everything, a blur. Move a little towards it; there is a little less noise; now fewer pictures fit, and the guess is a little sharper. The guess commits gradually: first to a rough shape, then to a kind of clothes, then to one picture. On the way it may change its mind: the first one is nearly a shoe at $t = 929$, and becomes a jacket.
#
# The same path again, over the map of all pictures (their first two principal components, lecture 02). Beside the map: $x_t$, its guess, and the six pictures with the largest weights in it; the smaller the weight, the darker the picture. *Drag the time. How many pictures does the guess average when it first leaves the middle? At which time is it decided?*
#
# How do you count the pictures in a weighted mean? By the **perplexity** of the weights, $e^{H}$ with the entropy $H = -\sum_i w_i \ln w_i$: it is $n$ for $n$ equal weights, and 1 if one picture has all the weight.

# %%
_, _, components = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)


def on_the_map(x):
    return (x.flatten(1).double() - rows.mean(0)) @ components[:2].T


def perplexity(weights):
    """How many equal weights would be spread as widely as these, which sum to 1"""
    return (-torch.special.xlogy(weights, weights).sum()).exp().item()


counts, sheets = [], []
for t, xt, x0 in zip(way.t.tolist(), way.xt[:, :1], way.x0[:, :1], strict=False):
    share = fits(xt, t, cosine)[0]
    best = share.topk(6)
    faded = (clothes[best.indices] + 1) * (best.values / best.values[0]).float().view(-1, 1, 1, 1)
    counts.append(perplexity(share))
    sheets.append(torch.cat([xt / 2, x0, faded - 1]))
places = on_the_map(way.xt[:-1, 0]), on_the_map(way.x0[:, 0])
carried = figures.ReverseProcess(on_the_map(clothes), *places, sheets, way.t.tolist())

# %% tags=["cover"]
carried.show(14)

# %%
sliders.reverse_process(carried)

# %%
decided = next(t for t, count in zip(way.t.tolist(), counts, strict=True) if count < 1.1)
print(f"the guess averages {counts[0]:.0f} pictures at the start, one from t = {decided} on")
plots.curves(way.t, {"pictures in the average": counts}, "t", "perplexity", yscale="log")

# %% [markdown]
# Where does the perfect network end? Compare its pictures with the 2,000:

# %%
nearest, far = gan.nearest_neighbours(way.x, clothes, 1)
print(
    "largest difference from a training picture:",
    f"{(way.x - clothes[nearest[:, 0]]).abs().max():.4f}",
)
assert counts[0] > 1900 and counts[-1] < 1.01
assert (way.x - clothes[nearest[:, 0]]).abs().max() < 0.01

# %% [markdown]
# It ends exactly on training pictures. So perfection would be of no use: it *copies*. Real networks make new pictures, because they do *not* reach this optimum: they have too few weights and training steps to tell all the training pictures apart, and a convolutional network prefers some smooth answers to others (its **inductive bias**). Which of these matters most is a question of current research, and not measured here. Where generalising ends and copying begins is a question of lecture 08.
#
# ## 3 · The reverse process, by a network
#
# ### Exercise 7 · A step of ancestral sampling
#
# Put $\hat x_0$ into the mean of the posterior, and simplify. The result is short (Ho and others, algorithm 2):
#
# $$x_{t-1} = \frac{1}{\sqrt{\alpha_t}}\Big(x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\epsilon\Big) + \sqrt{\beta_t}\;\text{noise},$$
#
# and no noise at $t = 1$ (index 0), where the picture is finished. The variance of the noise is $\beta_t$ here. Ho and others also try the posterior's, $\tilde\beta_t$; the next cells compare them. `xt`, `eps`, `noise` have one shape, `t` is the index, an int. *Three lines, six minutes.*


# %%
def ddpm_step(xt, t, eps, noise, betas):
    """From x_t to x_{t−1}, with the variance β_t; the last step, t = 0, adds no noise"""
    ### BEGIN SOLUTION
    beta, alpha_bar = betas[t], (1 - betas).cumprod(0)[t]
    mean = (xt - beta / (1 - alpha_bar).sqrt() * eps) / (1 - beta).sqrt()
    return mean + beta.sqrt() * noise if t > 0 else mean
    ### END SOLUTION


ddpm_step = check("ddpm.ddpm_step", ddpm_step)

# %% [markdown]
# An exact check without training. Let the data be $N(0, 1)$. Then every $x_t$ is $N(0, 1)$ too, and the best guess at the noise is $\sqrt{1-\bar\alpha_t}\,x_t$. With it a step multiplies $x$ by a number and adds noise, so the variance of the final result can be
# computed. It should be 1.

# %%
variance = {"β": 1.0, "β̃": 1.0}
for t in reversed(range(1000)):
    a = alpha_bar[t]
    factor = ddpm_step(one, t, (1 - a).sqrt() * one, zero, betas).item()
    added = ddpm_step(zero, t, zero, one, betas).item() ** 2
    variance["β"] = factor**2 * variance["β"] + added
    variance["β̃"] = factor**2 * variance["β̃"] + float(posterior(one, one, t, betas)[1])
print({name: f"{value:.6f}" for name, value in variance.items()})
assert abs(variance["β"] - 0.9999) < 1e-5 and abs(variance["β̃"] - 0.99106738) < 1e-5

# %% [markdown]
# With the variance $\beta_t$ the result is 0.9999. For these data each such step is exact; what is missing, $1 - 0.9999 = 0.0001 = \beta_1$, is the noise withheld in the last step. With $\tilde\beta_t$ it is 0.9911: this variance is right for a *known* $x_0$, so here every step adds a little too little noise, and only infinitely many steps would make the error vanish. With 1,000 steps both are close to 1.
#
# ### Exercise 8 · Spot the bug: pictures that stay grainy
#
# The next sampler is adapted from a textbook's notebook (Prince, *Understanding Deep Learning*, notebook 18.2, where it runs with a different model); the bug is in the original. It counts $t = T, \dots, 1$. Let it sample with the perfect network of section 2, in 20 steps:

# %%
print(inspect.getsource(ddpm.denoise_as_published))

# %%
coarse = torch.linspace(0.02, 0.4, 20)
coarse_chain = Diffusion(coarse)
begin = torch.randn(8, 784, generator=seed(6))
noises = torch.randn(20, 8, 784, generator=seed(7))


def best_noise(x, t):
    x0 = fits(x, t - 1, coarse_chain) @ rows
    return coarse_chain.predict_eps(x, t - 1, x0.to(x.dtype))


grainy = ddpm.denoise_as_published(best_noise, begin, coarse, noises)
grain = (grainy[:, None] - clothes.flatten(1)).norm(dim=2).min(1).values / 28  # per pixel
print(f"from the nearest picture {grain.mean():.3f} a pixel; √β₁ = {coarse[0] ** 0.5:.3f}")
assert abs(grain.mean() - coarse[0] ** 0.5) < 0.01
plots.grid(grainy.view(8, 1, 28, 28), 8)

# %% [markdown]
# Find the line, and write the function anew. `model(x, t)` answers with the noise; `noises[t - 1]` is to be used in step $t$. *Seven lines, of which one changes; six minutes.*


# %%
def denoise(model, x, betas, noises):
    """From x_T to the picture, t = T … 1: (n, d) -> (n, d)"""
    ### BEGIN SOLUTION
    alpha_bar = (1 - betas).cumprod(0)
    for t in range(len(betas), 0, -1):
        beta, a = betas[t - 1], alpha_bar[t - 1]
        x = (x - beta / (1 - a).sqrt() * model(x, t)) / (1 - beta).sqrt()
        if t > 1:
            x = x + beta.sqrt() * noises[t - 1]
    return x
    ### END SOLUTION


denoise = check("ddpm.bug_last_step", denoise)

# %%
clean = denoise(best_noise, begin, coarse, noises)
grain = (clean[:, None] - clothes.flatten(1)).norm(dim=2).min(1).values / 28
print(f"from the nearest picture {grain.mean():.4f} a pixel")
assert grain.mean() < 0.01
plots.grid(clean.view(8, 1, 28, 28), 8)

# %% [markdown]
# ### Exercise 9 · What the network learns from
#
# Training is as simple as it can be. No game, no second network (Ho and others, algorithm 1):
#
# 1. for each picture draw a time index $t$, from 0 to $T-1$, all equally likely;
# 2. draw a noise, $N(0, 1)$ for each pixel; compute $x_t$ from both, in one jump;
# 3. the model gets $x_t$ and $t$ and answers; its loss is the **mean squared error** between the noise and the answer.
#
# `model(xt, t)` takes `t` as integers `(B,)`; `alpha_bar` is `(T,)`. Return one number. *Five lines, eight minutes.*


# %%
def training_loss(model, x0, alpha_bar):
    """Mean of (noise − model(x_t, t))² over all pixels, at a time for each picture: one number"""
    ### BEGIN SOLUTION
    t = torch.randint(len(alpha_bar), (len(x0),))
    noise = torch.randn_like(x0)
    a = alpha_bar[t].view(-1, 1, 1, 1)
    xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
    return (model(xt, t) - noise).square().mean()
    ### END SOLUTION


training_loss = check("ddpm.training_loss", training_loss)

# %% [markdown]
# ### Where this loss comes from
#
# Is a squared error on noise more than a recipe? It is a bound on the likelihood, as in the VAE of lecture 02. Read $x_1, \dots, x_T$ as latent variables, the forward process as an encoder without weights, the reverse process $p_\theta(x_{t-1}\mid x_t)$ as the decoder. The evidence lower bound then splits into one term a step:
#
# $$-\log p_\theta(x_0) \;\le\; \underbrace{\mathrm{KL}\big(q(x_T|x_0)\,\|\,N(0, I)\big)}_{\text{nearly 0, no weights}} \;+\; \sum_{t=2}^{T} \mathbb E\,\mathrm{KL}\big(q(x_{t-1}|x_t, x_0)\,\|\,p_\theta(x_{t-1}|x_t)\big) \;-\; \mathbb E \log p_\theta(x_0|x_1) .$$
#
# Each KL compares two Gaussians, the posterior of exercise 5 and the network's step. With a fixed variance $\sigma_t^2$ of the network's step only the means depend on the network, and both means are linear in the noise. So each term is, up to a constant, a *weighted* squared error of the noise, with the weight $\beta_t^2 / \big(2\sigma_t^2\,\alpha_t(1-\bar\alpha_t)\big)$. Ho and others leave the weight out ($L_\text{simple}$). That gives more importance to large noise levels, made better pictures in their experiments, and is no longer a bound on the likelihood: a *reweighted* ELBO (Ho and others, equations 8 to 14).
#
# The predicted noise also has a second name. The **score** of the noisy data is the direction in which they become more probable, $\nabla_x \log p_t(x)$, and for the best answer (Vincent 2011; Song and others 2021)
#
# $$\hat\epsilon(x_t, t) = -\sqrt{1-\bar\alpha_t}\;\nabla_{x}\log p_t(x_t) .$$
#
# To predict the noise is to know which way is uphill. This is why one method has two histories, "denoising diffusion" and "score-based models".
#
# ### Exercise 10 · Tell the network the time
#
# One network serves all times, so it must know $t$: at index 10 it should look for a trace of noise, at 900 almost everything is noise. A single number from 0 to 999 is hard to read for a network. Give it a **clock with many hands**: with $h = \text{dim}/2$ and $\omega_i = 10000^{-i/h}$,
#
# $$[\cos \omega_0 t, \dots, \cos\omega_{h-1}t,\ \sin\omega_0 t, \dots, \sin\omega_{h-1}t] .$$
#
# The first hand turns by one radian a step, the last one hardly moves. `t` is `(B,)`. (Other code puts the sines first. A network trained with one order cannot read the other.) *Four lines, five minutes.*


# %%
def timestep_embedding(t, dim):
    """All cosines, then all sines of the angles ωᵢ t: (B,) -> (B, dim)"""
    ### BEGIN SOLUTION
    half = dim // 2
    omega = 10_000 ** (-torch.arange(half) / half)
    angles = t[:, None] * omega
    return torch.cat([angles.cos(), angles.sin()], dim=1)
    ### END SOLUTION


timestep_embedding = check("ddpm.timestep_embedding", timestep_embedding)

# %%
figures.clock(timestep_embedding(torch.arange(200), 32))

# %% [markdown]
# ### A diffusion model in the plane
#
# All pieces are yours now. Put them together on the ring of eight islands from lecture 03, where GANs lost islands. A point is a "picture" of two channels and one pixel; $T = 100$, with the schedule that you have mended.


# %%
class InThePlane(nn.Module):
    """(x, t) -> the noise in x, for points: (B, 2, 1, 1)"""

    def __init__(self, hidden=128):
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Linear(2 + 32, hidden), nn.SiLU()),
            *(nn.Linear(hidden, hidden), nn.SiLU()),
            *(nn.Linear(hidden, hidden), nn.SiLU()),
            nn.Linear(hidden, 2),
        )

    def forward(self, x, t):
        told = torch.cat([x.flatten(1), timestep_embedding(t, 32).float()], 1)
        return self.net(told).view_as(x)


# %%
ring = data.load("toy2d", variant="ring8")
torch.manual_seed(0)
student, hundred = InThePlane(), short_betas(100).float()
bars = (1 - hundred).cumprod(0)
optimizer = torch.optim.Adam(student.parameters(), 4e-3)
steps = pick(smoke=2500, laptop=5000, gpu=5000)
cooling = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, steps)


def plane_step(points):
    loss = training_loss(student, points.view(-1, 2, 1, 1), bars)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    cooling.step()
    return {"loss": loss.detach()}


history = train(plane_step, ring.batches(256, generator=seed(8)), steps)


# %%
@torch.no_grad()
def walk_back(n, model):
    """From noise to points by your own steps, with looks on the way."""
    generator, x = seed(9), torch.randn(n, 2, 1, 1, generator=seed(10))
    looks = {"noise": x.flatten(1)}
    for t in reversed(range(100)):
        eps = model(x, torch.full((n,), t))
        x = ddpm_step(x, t, eps, torch.randn(x.shape, generator=generator), hundred)
        if t in (60, 30, 15, 5, 0):
            looks[f"t = {t}"] = x.flatten(1)
    return x.flatten(1), looks


# %%
made, looks = walk_back(2500, student)
modes, share, _ = gan.modes_covered(made, ring.centers, ring.sigma)
apart, island = torch.cdist(made, ring.centers).min(1)
visits = island.bincount(minlength=8)
print(f"modes covered: {modes} of 8; points nearest to each: {visits.tolist()}")
print(f"within 3 σ of a centre: {share:.0%}; half of the points within {apart.median():.2f}")
assert modes == 8 and (visits / visits.float().mean() - 1).abs().max() < 0.25
assert apart.median() < pick(smoke=0.25, laptop=0.15, gpu=0.15)
figures.points_in_steps(ring.points[:600], {k: points[:600] for k, points in looks.items()})

# %% [markdown]
# All eight, with about an eighth of the points each. Why does nothing collapse? A GAN's generator may choose which island to serve. Here every training point gets noise and must be found again: leaving an island out raises the error at once.
#
# The points are not sharp. The standard deviation of an island is only 0.02. To hit it, the predicted noise must change sharply over such a distance; this small network gives a smoother answer, and points stay between the islands. Here diffusion errs by smearing, where the GAN of lecture 03 erred by leaving islands out.
#
# Does the loss tell us so? It does not go to 0. Where should it end? On the ring we can compute the best answer: the mean over the eight islands, each weighted by how well it fits $x_t$. Its loss is the **floor**, which no network beats.


# %%
def perfect_in_the_plane(x, t):
    """The best guess at the noise in x_t, if the data are eight Gaussian islands."""
    a, points = bars[t].view(-1, 1), x.flatten(1)
    variance = a * ring.sigma**2 + 1 - a  # of x_t around √ᾱ times an island's centre
    apart = (points[:, None] - a.sqrt()[:, None] * ring.centers).square().sum(2)
    fit = (-apart / (2 * variance)).softmax(1)  # (B, 8)
    eps = (1 - a).sqrt() / variance * (points - a.sqrt() * (fit @ ring.centers))
    return eps.view_as(x)


some = ring.points[torch.randint(len(ring.points), (100_000,), generator=seed(30))]
losses = {}
for name, of in (("best", perfect_in_the_plane), ("network", student)):
    torch.manual_seed(30)  # the same times and the same noise for both
    with torch.no_grad():
        losses[name] = training_loss(of, some.view(-1, 2, 1, 1), bars).item()
exact = gan.modes_covered(walk_back(2500, perfect_in_the_plane)[0], ring.centers, ring.sigma)[1]
print(f"loss: best possible {losses['best']:.4f}, network {losses['network']:.4f}, 0 as answer 1")
print(f"points within 3 σ of a centre: best possible {exact:.0%}, network {share:.0%}")
assert losses["best"] < losses["network"] < 1.1 * losses["best"] and share < exact - 0.1

# %% [markdown]
# The network's loss is 0.146 where the best possible one is 0.141: 3 % more. (The 0.141 that the training printed is the mean of its last 100 batches, other points with other noise; only losses on the same points and noise can be compared this closely.) Yet of the best answer's points all lie within 3 σ of a centre, and of the network's only 58 %. (All numbers of this part belong to the course's schedule; another correct answer to exercise 4 gives others.)
#
# So the loss of a diffusion model, unlike a GAN's, has a floor that it falls towards, but it measures the quality of the samples badly. Nearly all of it is noise that no network can predict: at small $t$ the noise is about as large as the islands are wide, and cannot be separated from them; at middle $t$ the islands overlap, and nothing tells from which one a point came. What matters is the small rest above the floor. Compare samples, not losses.
#
# ## 4 · What to ask the network
#
# For pictures the network is a **U-Net** (Ronneberger and others 2015). Ours first folds 2 × 2 pixels into channels, so a picture of 28×28 becomes a map of 14×14, with a quarter of the positions to compute. It has two levels. On the way down, residual blocks of 3×3 convolutions work on this map (48 channels), then the map is halved (7×7, 96 channels), where each value has seen most of the picture. On the way up it is doubled again, and the map of the way down is added (**skip connection**; the original U-Net concatenates the two), so fine detail does not have to pass through the small map. Each block gets the time, and the class, as a scale and a shift of its channels.
# In the middle, on the smallest map, stands **self-attention**: there each of the 49 positions may look at all others, left sleeve at right sleeve, which 3×3 convolutions can do only slowly. The cost of attention grows with the square of the number of positions: on the 14×14 map it would be 16 times as high.

# %%
torch.manual_seed(0)
net = UNet(1, 48, classes=10, patch=2)
answer = net(torch.randn(3, 1, 28, 28), torch.tensor([0, 500, 999]), torch.tensor([0, 3, 9]))
print(tuple(answer.shape), f"{sum(weight.numel() for weight in net.parameters()):,} parameters")
assert answer.shape == (3, 1, 28, 28) and answer.abs().max() == 0  # it begins by answering 0

# %% [markdown]
# Noise and picture are two sides of one $x_t$: given $x_t$, either one determines the other. So the network can be asked for either, or for a mixture. The choice matters, because errors weigh differently. Near $t = T$ it is trivial to predict the noise (it is almost $x_t$), and a small error in it is a large one in $\hat x_0$. Near $t = 0$ it is trivial to predict the picture, and a small error in it is a large one in the noise. Three ways to ask:
#
# | | the network predicts | the picture is then |
# |---|---|---|
# | noise (Ho and others) | $\epsilon$ | $(x_t - \sqrt{1-\bar\alpha}\,\epsilon)/\sqrt{\bar\alpha}$ |
# | velocity (Salimans and Ho) | $v = \sqrt{\bar\alpha}\,\epsilon - \sqrt{1-\bar\alpha}\,x_0$ | $\sqrt{\bar\alpha}\,x_t - \sqrt{1-\bar\alpha}\,v$ |
# | flow matching (below) | $\epsilon - x_0$ | $x_t - t\,(\epsilon - x_0)$ |

# %%
relative = (1 - chain.alpha_bar).sqrt() / chain.alpha_bar.sqrt()
v_error = (1 - chain.alpha_bar).sqrt()
print(f"an error of 0.01 in the noise at t = 999 is {0.01 * relative[999]:.2f} in the picture,")
print(f"of 0.01 in the velocity {0.01 * v_error[999]:.2f}")
assert 0.01 * relative[999] > 1.5 and v_error.max() < 1
plots.curves(
    range(1000),
    {"asked for the noise": relative, "asked for the velocity": v_error},
    "t",
    "error in the picture / error in the answer",
    yscale="log",
)

# %% [markdown]
# ### Flow matching, in one page
#
# Forget the chain. Join a picture and a noise by a **straight line**, $x_t = (1-t)\,x_0 + t\,\epsilon$, with $t$ from 0 to 1. A point on it moves with the velocity $\epsilon - x_0$. Train a network to predict that velocity from $x_t$ and $t$, by squared error. It will answer with the mean velocity of all lines that pass there: a field of
# arrows. To sample, start from noise at $t = 1$ and follow the arrows backwards in time, in $n$ equal steps (Euler's method): $x \leftarrow x - \tfrac1n\,\text{model}(x, t)$. That is all (Lipman and others 2023; Liu and others 2023). There are no $\beta$ to choose. (In section 5 the training times come from the middle of the interval more often than from its ends, where there is less to learn: Esser and others 2024.)
#
# The lines between the *pairs* are straight. The paths of the *samples* are not: where lines of many pairs cross, the mean arrow turns, and the path bends. For data $N(0, 1)$ the best answer is $\frac{2t-1}{t^2 + (1-t)^2}\,x$, and a sample moves along $\sqrt{t^2 + (1-t)^2}$ times its noise: down to 0.71 halfway, and up to 1 again. So Euler's steps make an error. The right result is a standard deviation of 1:


# %%
def gaussian_velocity(x, t):
    t = (t / diffusion.FLOW_TIME).view(-1, *[1] * (x.ndim - 1))
    return (2 * t - 1) / (t**2 + (1 - t) ** 2) * x


euler = {
    steps: flow_sample(gaussian_velocity, (1, 1), steps=steps, start=one.view(1, 1)).item()
    for steps in (1, 2, 10, 100)
}
print({steps: f"{value:.4f}" for steps, value in euler.items()})
expected = {1: 0.0, 2: 0.5, 10: 0.87898438, 100: 0.98722784}
assert all(abs(euler[steps] - value) < 1e-4 for steps, value in expected.items())

# %% [markdown]
# One step gives 0 (the mean of the data!), two give ½, ten 0.879, a hundred 0.987. Section 6 compares this with diffusion.
#
# ## 5 · Clothes in a few minutes
#
# Now pictures. The label is given as well, and one time in ten it is hidden (section 7 will need that). `kind` is what the network is asked for: `"eps"` the noise, as in the plain DDPM; `"v"` the velocity on the cosine schedule; `"flow"` flow matching. The last is the default here, and the numbers below belong to it; try the others when you have time.
#
# On a laptop with two cores this takes two to six minutes, if nothing else keeps them busy. The picture shows what the network makes of the same noise each time, a class in each column.

# %%
kind = "flow"
steps = pick(smoke=16, laptop=2500, gpu=20_000)
torch.manual_seed(0)
step = few_steps.learner(kind, few_steps.network().to(home), steps, lr=2e-3)
batches = fashion.batches(64, home, seed(0), with_labels=True)
history = train(step, batches, steps // 4)
early = copy.deepcopy(step.ema.model).cpu()  # section 7 will use it
history = train(step, batches, steps - steps // 4, watch=step.samples)
mine = step.ema.model.cpu()
if current() == "smoke":  # that was only a test: the course's weights take over
    mine = load_weights("flow_fashion", mine)

# %%
look, real_features = few_steps.held_out()  # `metrics.FeatureNet`, and what it sees in 10,000
test_set, judge = data.load("fashion", "test"), metrics.Classifier("fashion")
real = metrics.fit_gaussian(real_features)
judged = metrics.fit_gaussian(judge.features(test_set.floats()))
n = pick(smoke=500, laptop=1000, gpu=5000)
labels = torch.arange(n) % 10  # as many of each class as in the data


def distance(pictures, net=look, truth=real):
    """Fréchet distance to the 10,000 held-out clothes, in the features of a network."""
    features = net.features(pictures.clamp(-1, 1))
    return metrics.frechet_distance(*metrics.fit_gaussian(features), *truth)


by_judge = partial(distance, net=judge, truth=judged)
floor, second_floor = few_steps.floor(n), by_judge(fashion[:n].floats())  # of training pictures
noise = torch.rand(n, 1, 28, 28, generator=seed(0)) * 2 - 1

# %%
samples = few_steps.draw(kind, mine, labels, pick(smoke=10, laptop=20, gpu=50), seed(11))
plots.grid(samples[:60].clamp(-1, 1), 10)

# %% [markdown]
# Can you name them at a glance? The Fréchet distance says how far they are from real clothes; it needs its floor (as many real pictures) and the distance of noise beside it. Another network's features have another scale, so its distance has its own floor. This second network, a classifier that had no part in the training of the generators, also says how many pictures show the requested class.

# %% tags=["quality"]
ours, second = distance(samples), by_judge(samples)
print(f"Fréchet distance {ours:.2f}; floor {floor:.2f}; noise {distance(noise):.0f}")
print(
    f"by another network's features {second:.2f}; floor {second_floor:.2f}; "
    f"noise {by_judge(noise):.0f}"
)
assert distance(noise) > 100
named = (judge.classify(samples.clamp(-1, 1)) == labels).double().mean().item()
right = judge.classify(test_set[:2000].floats()) == test_set.labels[:2000]
named_real = right.double().mean().item()
print(f"another network names the asked class in {named:.0%}; of real clothes in {named_real:.0%}")
if kind == "flow":
    assert floor < ours < pick(smoke=2.5, laptop=3, gpu=3) and named > 0.8

# %% [markdown]
# By both networks these few minutes of training cover most of the way from noise to clothes, but not all of it (one run): the distance is 1.64 where real pictures have 0.36, and 6.95 where they have 1.04. Section 7 goes on from here without any more training.
#
# **And the plain DDPM?** All three ways to ask, a minute and a half of *one* core each, three seeds, stored (`python -m course_lib.studies.few_steps`; section 10 shows more of that table).

# %%
table = studies.read("against_gan")
short_runs = {
    method: sorted(row["frechet"] for row in table if row["method"] == method)
    for method in ("eps", "v", "flow")
}
for method, values in short_runs.items():
    print(f"{few_steps.METHODS[method]:16} {sum(values) / len(values):6.2f}   each seed: {values}")
print(f"{'floor':16} {table[0]['floor']:6.2f}")
assert max(short_runs["flow"]) < 0.5 * min(short_runs["eps"])

# %% [markdown]
# In so little time the plain DDPM is at 13 to 17, the velocity on the cosine schedule at 4.6 to 5.4, flow matching at 4.2 to 4.6; the floor is 0.36, as above, because as many pictures are judged: 1,000. The large step is the one from the plain DDPM to the velocity (section 10 adds a caveat: the velocity had a third more training steps). It changes what is predicted, the schedule, and the weights of the loss (Hang and others 2023), all at once.
#
# From here on we use the weights of the course: `flow_fashion`, flow matching, trained for 45,000 steps of 64 pictures (over an hour of one core); `ddpm_fashion`, velocity on the cosine schedule, for 4,000. The distances depend on how many pictures are judged, so compare each with its floor.

# %%
model = load_weights("ddpm_fashion", few_steps.network())
flow = load_weights("flow_fashion", few_steps.network())
shipped, of_course = {}, {}
for name, of_name in {"v": model, "flow": flow}.items():
    of_course[name] = made = few_steps.draw(
        name, of_name, labels, pick(smoke=10, laptop=20, gpu=50), seed(12)
    )
    shipped[name] = distance(made)
    print(f"{name:4} {shipped[name]:.2f}, by the other network {by_judge(made):.2f}")
print(f"floor {floor:.2f}, by the other network {second_floor:.2f}")
if current() != "smoke":  # with few pictures and steps they are higher
    assert shipped["flow"] < 1 + floor and shipped["v"] < 2 + floor

# %% [markdown]
# (`flow_fashion` was trained eleven times as long as `ddpm_fashion`, so this is no comparison of methods.)
#
# ## 6 · Fewer steps
#
# How long does a picture take?

# %%
begin, steps = perf_counter(), pick(smoke=10, laptop=50, gpu=50)
few_steps.draw("v", model, torch.arange(64) % 10, steps, seed(0))
took = perf_counter() - begin
print(f"64 pictures: {took:.1f} s in {steps} steps; {1000 / steps * took:.0f} s in all 1,000")

# %% [markdown]
# A thousand passes through a network for one picture! Where can we save? Ancestral sampling adds noise in each step and takes it away in the next. **DDIM** (Song, Meng and Ermon 2021) does not. It has found $\hat x_0$ and $\hat\epsilon$ in $x_t$. So it asks: how would *that* picture with *that* noise look at an earlier time $s$?
#
# $$x_s = \sqrt{\bar\alpha_s}\;\hat x_0 + \sqrt{1-\bar\alpha_s}\;\hat\epsilon .$$
#
# $s$ may be any earlier time, so you can skip as many steps as you like. And $s = 0$ is the picture itself, where $\bar\alpha_0 = 1$.
#
# ### Exercise 11 · A jump back
#
# `xt` and `eps` have one shape, `t` and `s` are ints, indices; the picture itself has the index $s = -1$. `alpha_bar` is `(T,)`. *Four lines, six minutes.*


# %%
def ddim_step(xt, t, s, eps, alpha_bar):
    """From x_t to x_s, any earlier time; s = −1 is the picture itself: same shape as xt"""
    ### BEGIN SOLUTION
    now = alpha_bar[t]
    then = alpha_bar[s] if s >= 0 else torch.ones_like(now)
    x0 = (xt - (1 - now).sqrt() * eps) / now.sqrt()
    return then.sqrt() * x0 + (1 - then).sqrt() * eps
    ### END SOLUTION


ddim_step = check("ddpm.ddim_step", ddim_step)

# %% [markdown]
# An exact check: data $N(0, 1)$ again, with the perfect answer $\sqrt{1-\bar\alpha}\,x$. The right result is a standard deviation of 1. First the linear schedule, with times spaced from 0 upwards as in older code; then the cosine schedule, with times spaced from $T$ downwards; beside them flow matching from section 4.


# %%
def ddim_on_gaussian(chain, steps, spacing):
    """The standard deviation that DDIM gives with the perfect answer for N(0, 1)."""
    x, times = one, chain.times(steps, spacing)
    for t, s in zip(times, [*times[1:], -1], strict=True):
        x = ddim_step(x, t, s, (1 - chain.alpha_bar[t]).sqrt() * x, chain.alpha_bar)
    return x.item()


linear = {steps: ddim_on_gaussian(chain, steps, "leading") for steps in (10, 20, 50, 100)}
trailing = {steps: ddim_on_gaussian(cosine, steps, "trailing") for steps in (1, 2, 10, 100)}
control = {steps: ddim_on_gaussian(chain, steps, "trailing") for steps in (10, 100)}
results = {"linear": linear, "linear, trailing": control, "cosine": trailing}
for name, values in (results | {"flow matching": euler}).items():
    print(f"{name:16}", {steps: f"{value:.4f}" for steps, value in values.items()})
expected = {10: 0.83169588, 20: 0.91253171, 50: 0.96407927, 100: 0.98185083}
assert all(abs(linear[steps] - value) < 1e-4 for steps, value in expected.items())
assert all(abs(trailing[steps] - value) < 5e-3 for steps, value in euler.items())

# %% [markdown]
# On the cosine schedule DDIM comes as close to 1 as flow matching does with the same number of steps: 0, ½, 0.883, 0.988 against 0, ½, 0.879, 0.987. The gap to the linear schedule is one of *schedules* (the second line is the linear schedule with the cosine's spacing of the times: from ten steps on the spacing matters little). For these data straight lines have nothing to do with it.
#
# Ten times you start from the same $x_T$. **How many different pictures do DDIM and ancestral sampling make?**

# %%
# Replace ... by one of: "1 and 1", "1 and 10", "10 and 10", "10 and 1"
guess = predict("ddpm.same_noise", ...)

# %%
start = torch.randn(1, 1, 28, 28, generator=seed(13)).expand(10, -1, -1, -1)
coat = torch.full((10,), 4)
how = {"prediction": "v", "start": start, "steps": pick(smoke=10, laptop=50, gpu=50)}
tens = {
    "DDIM": cosine.ddim_sample(model, start.shape, coat, 1.0, seed(14), **how),
    "ancestral": cosine.ddpm_sample(model, start.shape, coat, 1.0, seed(14), **how),
}
spread = {name: x.std(0).mean().item() for name, x in tens.items()}
print(guess.reveal("1 and 10"), {name: f"{value:.4f}" for name, value in spread.items()})
assert spread["DDIM"] < 0.01 < 0.02 < spread["ancestral"]
plots.rows(tens)

# %% [markdown]
# So with DDIM $x_T$ is a *code* of the picture, as $z$ is for a GAN: you can walk between two of them.
#
# How many steps are enough? Ancestral sampling can skip times, too: the posterior of exercise 5 holds from $t$ to any earlier $s$, with $\bar\alpha_s$ for $\bar\alpha_{t-1}$, $\bar\alpha_t/\bar\alpha_s$ for $\alpha_t$, and $1 - \bar\alpha_t/\bar\alpha_s$ for $\beta_t$ (the variance of this posterior is used here). The course's functions for both samplers also keep $\hat x_0$ within $[-1, 1]$, the range of the pixels.
#
# Two questions before the curve. Ancestral sampling and DDIM, **10 steps each of the same model: which has the smaller Fréchet distance?** And with DDIM, **from 200 to 1,000 steps, what happens to it?**

# %%
# Replace ... by one of: "ancestral", "DDIM", "the same"
guess = predict("ddpm.quality_at_steps", ...)
# Replace ... by one of: "it falls by a lot", "it hardly changes", "it doubles"
second_guess = predict("ddpm.more_steps", ...)

# %%
table = studies.read("few_steps")
curves = {sampler: {} for sampler in few_steps.SAMPLERS}
for row in table:
    curves[row["sampler"]].setdefault(int(row["steps"]), []).append(row["frechet"])
average = {
    sampler: {steps: sum(some) / len(some) for steps, some in of_steps.items()}
    for sampler, of_steps in curves.items()
}
for sampler, of_steps in average.items():
    print(f"{sampler:10}", {steps: round(value, 2) for steps, value in of_steps.items()})
study_floor = table[0]["floor"]
print(f"floor {study_floor:.2f}")

# %%
ten = {sampler: of_steps[10] for sampler, of_steps in average.items()}
print(guess.reveal("DDIM" if ten["ddim"] < ten["ancestral"] else "ancestral"))
print(second_guess.reveal("it hardly changes"))
ddim = average["ddim"]
assert max(curves["ddim"][10]) < min(curves["ancestral"][10])  # with every seed
assert max(curves["flow"][5]) < min(curves["ddim"][5]) and ddim[20] < 1.1 * ddim[1000]
names = {"ancestral": "ancestral", "ddim": "DDIM", "flow": "flow matching"}
named_curves = {names[sampler]: of_steps for sampler, of_steps in curves.items()}
figures.by_steps(named_curves, study_floor, "Fréchet distance", guess)

# %% [markdown]
# (Filled markers are means of three seeds of the sampling noise, whose values are the small bars; the networks are the same. Hollow markers are single runs. Each run is judged by 200 pictures, so the floor is high.) With 10 steps ancestral sampling is worse than DDIM with every seed. DDIM gains nothing you could see from 20 steps on: what is left above the floor is mostly the network's error. With 200 and more steps the single run of ancestral sampling is a little better than DDIM's single run, but one run of each is no evidence. (Its noise can correct errors made before. In table 1 of Song, Meng and Ermon 2021, at 1,000 steps, the variance of this noise decides: with $\beta_t$ ancestral sampling is ahead of DDIM; with the posterior's, which is used here, it is behind.)
#
# The curve of flow matching has the same shape, and it too is flat from 20 steps on. It lies lower: five of its steps do what DDIM does in 20. But this compares two *trainings*, 45,000 steps for `flow_fashion` and 4,000 for `ddpm_fashion`, and does not say which method needs fewer steps.
#
# Here are the curve's pictures, all from one $x_T$ in each column. *What do more steps add? And what is strange about the two models, which were trained apart?*

# %%
begin = torch.randn(10, 1, 28, 28, generator=seed(15))
each, ladder = torch.arange(10), {}
for steps in (1, 2, 5, 10, 50):
    how = {"prediction": "v", "start": begin, "steps": steps}
    ladder[f"DDIM, {steps}"] = cosine.ddim_sample(model, begin.shape, each, **how)
for steps in (1, 2, 5):
    ladder[f"flow, {steps}"] = flow_sample(flow, begin.shape, each, steps=steps, start=begin)
ladder["means"] = torch.stack([clothes[fashion.labels[:2000] == i].mean(0) for i in range(10)])
plots.rows({name: x.clamp(-1, 1) for name, x in ladder.items()})

# %%
for name in ("DDIM, 1", "flow, 1"):
    both = zip(ladder[name].flatten(1), ladder["means"].flatten(1), strict=True)
    alike = [torch.corrcoef(torch.stack(pair))[0, 1].item() for pair in both]
    print(f"{name}: correlation with the mean of its class {min(alike):.2f} … {max(alike):.2f}")
    assert min(alike) > 0.6
elsewhere = torch.randn(begin.shape, generator=seed(29))
others = flow_sample(flow, begin.shape, each, steps=5, start=elsewhere)
same, other = ((ladder["DDIM, 50"] - x).square().mean() for x in (ladder["flow, 5"], others))
print(f"DDIM and flow differ by {same:.3f} from the same noise, by {other:.3f} from another")
assert same < 0.6 * other

# %% [markdown]
# One step gives roughly the mean of the class, as section 2 says, with grain on it. A likely reason: the training of `ddpm_fashion` gives errors near pure noise next to no weight (Hang and others 2023), and flow matching rarely trains there.
#
# And two networks, trained apart with two losses, make much the same picture of the same noise in most columns (not in the last one: there the two differ). The reason: DDIM and flow matching solve the *same* differential equation. Let the steps of DDIM become infinitely small. What remains is the **probability-flow ODE** (Song and others 2021): every $x_t$ moves by a rescaling and along the score, without any noise,
#
# $$\frac{dx}{dt} = f(t)\,x - \tfrac12\,g(t)^2\,\nabla_x \log p_t(x) ,$$
#
# where the schedule gives $f$ and $g$, in such a way that at each time the points have the distribution $p_t$ of the noisy data. The score belongs to the data and the noise, not to the network. Two networks that have learned the same data well define nearly the same equation, so they carry the same noise to nearly the same picture. (Up to a rescaling of $x$ and $t$, the straight lines of flow matching give this equation, too.)
#
# **Run a cell of the table yourself**: the stored rows were made by this very function.

# %%
again = few_steps.quality("ddim", 10, 0)
print(f"DDIM, 10 steps: {again['frechet']:.2f}; stored: {curves['ddim'][10]}")
assert abs(again["frechet"] - curves["ddim"][10][0]) < 0.15 * curves["ddim"][10][0]

# %% [markdown]
# ## 7 · Guidance
#
# The model was trained with labels, and for one picture in ten without. So it can answer both: which noise is in this $x_t$, if it is a sandal? And which, if you know nothing? The difference is what the label "sandal" adds. **Classifier-free guidance** (Ho and Salimans 2022) adds more of it than there is:
#
# $$\hat\epsilon = \epsilon_\text{uncond} + w\,(\epsilon_\text{cond} - \epsilon_\text{uncond}) .$$
#
# $w = 0$ ignores the label, $w = 1$ is the plain conditional model. (The paper writes $(1 + w)\,\epsilon_\text{cond} - w\,\epsilon_\text{uncond}$: its $w$ is smaller by 1. Ask which one is meant whenever you read "guidance 3".)
#
# ### Exercise 12 · Guided noise
#
# *One line, two minutes.*


# %%
def guided_noise(eps_cond, eps_uncond, w):
    """From the unconditional answer w times the way to the conditional one; same shape"""
    ### BEGIN SOLUTION
    return eps_uncond + w * (eps_cond - eps_uncond)
    ### END SOLUTION


guided_noise = check("ddpm.guided_noise", guided_noise)

# %% [markdown]
# ### Exercise 13 · Spot the bug: a model that ignores its labels
#
# For four weeks the published solution of a well-known course (MIT 6.S184) hid labels like this. `u` is drawn uniformly from $[0, 1)$, one for each picture; `none` is the class that means "unconditional". A model trained this way can still make good pictures, but it has rarely seen its labels, and guidance has little to work with. Count how many labels it hides:

# %%
print(inspect.getsource(ddpm.hide_labels_as_published))
asked = torch.arange(10_000) % 10
hidden = ddpm.hide_labels_as_published(asked, 10, torch.rand(10_000, generator=seed(16)))
share = (hidden == 10).double().mean().item()
print(f"hidden: {share:.0%}")
assert abs(share - 0.9) < 0.02

# %% [markdown]
# Return the labels `(B,)`, each replaced by `none` with probability `p`, and leave the caller's tensor as it is. *Three lines, of which one changes; three minutes.*


# %%
def hide_labels(labels, none, u, p=0.1):
    """Each label replaced by `none` with probability p; u is drawn evenly from [0, 1): (B,)"""
    ### BEGIN SOLUTION
    hidden = labels.clone()
    hidden[u < p] = none
    return hidden
    ### END SOLUTION


hide_labels = check("ddpm.bug_hidden_labels", hide_labels)

# %% [markdown]
# Guidance is raised from $w = 1$ to $w = 5$. **What happens to the samples of one class?**

# %%
# Replace ... by one of: "better and more varied", "more typical, less varied", "other classes appear"
guess = predict("ddpm.guidance", ...)


# %%
def variety(features, labels):
    """How far pictures of one class are apart in the features, on average over the classes."""
    return torch.stack([features[labels == i].var(0).sum() for i in range(10)]).mean().item()


def guided(model, x, t, labels, w):
    """Your formula, for a look at what it does to v as well: it is linear, so it fits both."""
    return guided_noise(model(x, t, labels), model(x, t, model.unconditional(labels)), w)


# %%
few, weights = labels[: pick(smoke=50, laptop=500, gpu=500)], [0.0, 1.0, 2.0, 3.0, 5.0, 8.0]
xt, at = torch.randn(4, 1, 28, 28, generator=seed(17)), torch.full((4,), 500)
with torch.no_grad():
    plain = guided(model, xt, at, few[:4], 1.0)
    assert torch.allclose(plain, model(xt, at, few[:4]), atol=1e-4)

# %%
how, shape = {"steps": 10, "prediction": "v"}, (len(few), 1, 28, 28)
drawn = {w: cosine.ddim_sample(model, shape, few, w, seed(18), **how) for w in weights}
plots.rows({f"w = {w:g}": x[3::10][:10] for w, x in drawn.items()})  # dresses

# %%
trade = {
    "names the class": [(judge.classify(x) == few).double().mean().item() for x in drawn.values()],
    "variety": [variety(look.features(x), few) for x in drawn.values()],
    "Fréchet distance": [distance(x) for x in drawn.values()],
}
of_real = {"names the class": named_real, "variety": variety(real_features, test_set.labels)}
of_real["Fréchet distance"] = few_steps.floor(len(few))
print(guess.reveal("more typical, less varied"))
for name, values in trade.items():
    print(f"{name:17}", [round(value, 2) for value in values], f"real {of_real[name]:.2f}")

# %%
named, varied, far = (dict(zip(weights, values, strict=True)) for values in trade.values())
assert named[5.0] > named[1.0] and varied[5.0] < 0.7 * varied[1.0]
assert max(far[1.0], far[2.0]) < 0.7 * min(far[0.0], far[5.0])
figures.guidance_trade(weights, trade, of_real)

# %% [markdown]
# At $w = 1$ another network finds the requested class in four of five pictures, from $w = 2$ on in nearly all. The variety falls with every step of $w$, by nearly half from 1 to 5. The Fréchet distance is small at 1 and 2, and far larger at 0 and at 5 (500 pictures each, 10 steps of DDIM; this does not tell which of 1 and 2 is better).
#
# Without a label ($w = 0$) any clothes appear. With much guidance the pictures of a class become alike: at $w = 8$ the variety is 14, of real clothes 27. The Fréchet distance does not see the labels: any clothes would do, if they look real and each class is as frequent as in the data. So the wrong classes alone do not make it large at $w = 0$: these pictures look less real, or their classes are not evenly spread (in training only one picture in ten came without a label). At $w = 5$ and 8 one reason is that the pictures have become too alike and too typical; look for another one in the figure.
#
# Play: steps, guidance, class, always from the same eight $x_T$. *Which class needs the most steps? What is wrong with the pictures at $w = 8$?*

# %%
sliders.sampler(model, cosine, fashion.classes, (1, 28, 28), prediction="v")

# %% [markdown]
# ### Guided by a worse self
#
# The formula has another use. Take as the second answer not the one without a label, but that of a *worse* model, with the same label: for example of the same network after a quarter of its training (**autoguidance**, Karras and others 2024):
#
# $$\hat v = v_\text{worse} + w\,(v - v_\text{worse}) .$$
#
# The idea: both err in the same places, and the worse one errs more. So the step from its answer to the better one can be taken further. Section 5 kept such a network, `early`. **Your network of section 5 is guided away from `early` with $w = 2.5$. What happens to its Fréchet distance?**

# %%
# Replace ... by one of: "it rises", "about the same", "it falls"
guess = predict("ddpm.worse_self", ...)


# %%
def away_from(worse, better, w):
    """A model that answers worse + w (better − worse)"""
    return lambda x, t, labels: guided_noise(better(x, t, labels), worse(x, t, labels), w)


def card(pictures, wanted):
    """Fréchet distance by two networks, precision, recall, the share with the right class"""
    near, real_near = look.features(pictures.clamp(-1, 1)), real_features[: len(pictures)]
    right = (judge.classify(pictures.clamp(-1, 1)) == wanted).double().mean().item()
    both = metrics.precision_recall(real_near, near)
    return distance(pictures), by_judge(pictures), *both, right


# %%
ways = {
    "classifier-free, w = 1.5": partial(guided, mine, w=1.5),
    "early, w = 2.5": away_from(early, mine, 2.5),
}
sets = {"as trained": samples}
for name, way in ways.items():  # from the same noise as in section 5
    sets[name] = few_steps.draw(kind, way, labels, pick(smoke=3, laptop=20, gpu=50), seed(11))
sets["flow_fashion"] = of_course["flow"]
if kind == "flow":  # and the same with yours as the worse one
    way, name = away_from(mine, flow, 2.0), "flow_fashion, w = 2"
    sets[name] = few_steps.draw(kind, way, labels, pick(smoke=3, laptop=20, gpu=50), seed(12))
cards = {name: card(pictures, labels) for name, pictures in sets.items()}
cards["real clothes"] = card(fashion[:n].floats(), fashion.labels[:n])
for name, (first, second, precision, recall, right) in cards.items():
    print(
        f"{name:24} Fréchet {first:.2f}, by the other network {second:.2f}; "
        f"precision {precision:.2f}, recall {recall:.2f}; right class {right:.0%}"
    )
gain = cards["early, w = 2.5"][0] / cards["as trained"][0]
print(guess.reveal("it falls" if gain < 0.9 else "about the same" if gain < 1.1 else "it rises"))
if current() == "laptop" and kind == "flow":
    assert cards["early, w = 2.5"][1] < 3 < cards["as trained"][1]
    assert cards["early, w = 2.5"][1] < cards["classifier-free, w = 1.5"][1]
    assert cards["flow_fashion, w = 2"][1] < 0.7 * cards["flow_fashion"][1]
plots.rows({name: pictures[:10].clamp(-1, 1) for name, pictures in sets.items()})

# %% [markdown]
# By both networks the step away from `early` helps most: the distance falls from 1.64 to 1.01, and by the other network from 6.95 to 2.40 (floor 1.04). Recall, the share of real clothes that have a sample near them, does not fall: it is 0.78 before and 0.82 after. Classifier-free guidance makes more pictures recognisable (95 % instead of 85 %). By the other network it brings the distance to 5.01, by the first one it changes little (1.68), and recall falls to 0.72: it moves samples to the typical cases of a class. With `early`, both networks get the same label, so the label itself is not what their answers differ in. The correction can then act on errors more than on the choice of pictures.
#
# The rows of `flow_fashion` (from another noise than the rows above) do the same with *your* network as the worse one: by the other network the distance of the course's weights falls from 2.34 to 1.45 (floor 1.04); by the first one it is 0.64 before and 0.56 after (floor 0.36; the last row has 0.34, of another 1,000 real clothes), so close that another noise may change the order. The price is a second network in each step. And not every pair of networks works, nor every $w$. In trials not shown here, a network from a sixteenth of the training with $w = 2$ brought no gain: the first distance was larger than without guidance, the other about the same. A network from an eighth helped with $w = 2$; with $w = 3$ the first distance was larger than without guidance. (The quarter and $w = 2.5$ come from such trials, judged by the same two distances. Of classifier-free guidance only one $w$ is shown here, and all of this is one training run: another $w$ or seed may change how large the differences are.)

# %% [markdown]
# ## 8 · Faces, and three things that diffusion can do
#
# `ddpm_peeps32` makes faces of 32 × 32 pixels. It is conditioned on three attributes at once: glasses, expression, skin colour (a colour code of the drawings, nothing else); in training each was hidden now and then. Request some, leave others open: `unconditional` gives the number that leaves one open.

# %%
peeps, test_peeps = (data.load("peeps", split, size=32) for split in ("train", "test"))
told = ("glasses", "face", "skin")
known = [len(peeps.attribute_values[name]) for name in told]
face_net = load_weights("ddpm_peeps32", UNet(3, 48, (1, 2, 2), classes=known, patch=2))
nothing = face_net.unconditional(torch.zeros(1, 3, dtype=torch.int64))[0]


def ask(n, **wanted):
    """n rows of labels: the wanted ones by name, all others left open."""
    row = nothing.clone()
    for name, value in wanted.items():
        row[told.index(name)] = peeps.attribute_values[name].index(value)
    return row.repeat(n, 1)


def draw_faces(labels, w, generator):
    shape, steps = (len(labels), 3, 32, 32), pick(smoke=10, laptop=50, gpu=50)
    return cosine.ddim_sample(face_net, shape, labels, w, generator, steps=steps, prediction="v")


# %%
wishes = {
    "nothing": ask(10),
    "with glasses": ask(10, glasses="yes"),
    "a big smile": ask(10, face="smileBig"),
    "rage, no glasses": ask(10, face="rage", glasses="no"),
    "dark, glasses": ask(10, skin="694d3d", glasses="yes"),
}
plots.rows({name: draw_faces(labels, 2.0, seed(19)) for name, labels in wishes.items()})

# %% [markdown]
# Do these faces, drawn with guidance $w = 2$, show what was requested? A network that had no part in the training reads it off. (Of real faces it reads glasses and skin right in more than 99 %, the expression, one of 27, in 96 %, as the card of its weights says.)

# %%
reader, n_faces = metrics.Classifier("peeps"), pick(smoke=40, laptop=200, gpu=200)
asked = torch.stack(
    [torch.randint(k, (n_faces,), generator=seed(20 + i)) for i, k in enumerate(known)], 1
)
faces = draw_faces(asked, 2.0, seed(23))
obeyed = {
    name: (reader.classify(faces, name) == asked[:, i]).double().mean().item()
    for i, name in enumerate(told)
}
print(f"of {n_faces} faces", {name: f"{share:.1%}" for name, share in obeyed.items()})
assert min(obeyed["glasses"], obeyed["skin"]) >= 0.97 and obeyed["face"] >= 0.9

# %% [markdown]
# And how good are they? Ask for what the held-out people have, without guidance ($w = 1$), and measure as in section 5, with two networks. There are only 516 held-out faces, so the floor, 516 training faces, is high.

# %%
many = pick(smoke=60, laptop=516, gpu=516)
theirs = torch.stack([test_peeps.attributes[name] for name in told], 1)[:many]
sets = {"generated": draw_faces(theirs, 1.0, seed(27))}
sets["floor"] = peeps[torch.randperm(len(peeps), generator=seed(28))[:many]].floats()
sets["noise"] = torch.rand(many, 3, 32, 32, generator=seed(28)) * 2 - 1
for title, net in (("the features", metrics.FeatureNet("peeps")), ("the other network", reader)):
    truth = metrics.fit_gaussian(net.features(test_peeps.floats()))
    off = {name: distance(x, net, truth) for name, x in sets.items()}
    print(f"by {title:18}", ", ".join(f"{name} {value:.1f}" for name, value in off.items()))
    assert off["generated"] < pick(smoke=0.5, laptop=0.1, gpu=0.1) * off["noise"]

# %% [markdown]
# By both networks the generated faces are about as close to the held-out faces as training faces are: 3.3 against 3.2, and 17.8 against 20.1. This is the best case for them, because they were asked for the attributes of the very people with whom they are compared. (A face can be close to real ones because it is a copy: lecture 08 looks for copies.)
#
# ### Filling in
#
# This needs no new training: take a face, cover a part, and let the sampler invent that part only. After each step the known part is put back, with as much noise as the rest has at that time (Sohl-Dickstein and others 2015; Song and others 2021). Request glasses at the same time, and **the face gets glasses** (the last row of the figure requests *no* glasses, as a control). Everything outside the mask stays, to the last bit.
#
# One problem remains: the known part was put back without regard to the invented one, so the two may not fit. Lugmayr and others (2022) add **resampling**: after each step, add the noise of that step again and take the step once more, so the invented part can adapt. `repeats=2` takes each step twice.

# %%
bare = data.load("peeps", "test", size=32, variant="without_glasses")
first = bare[: pick(smoke=8, laptop=64, gpu=64)].floats()
mask = torch.zeros(1, 1, 32, 32)
mask[..., 14:24, 5:32] = 1  # where glasses can be
with_them = ask(len(first), glasses="yes")
steps = pick(smoke=20, laptop=50, gpu=50)
fill = partial(cosine.inpaint, face_net, first, mask, steps=steps, repeats=2, prediction="v")
filled = fill(with_them, 3.0, seed(24))
without = fill(ask(len(first), glasses="no"), 3.0, seed(24))
wears, wore, control = (
    reader.classify(faces, "glasses").double().mean().item() for faces in (filled, first, without)
)
print(f"with glasses: {wore:.0%} before, {wears:.0%} after; requested without: {control:.0%}")
outside = mask.expand_as(first) == 0
assert torch.equal(filled[outside], first[outside])
assert wears > 0.9 and max(wore, control) < 0.1
covered = torch.where(outside, first, torch.zeros(()))
plots.rows(
    {"face": first[:8], "covered": covered[:8], "filled in": filled[:8], "without": without[:8]}
)

# %% [markdown]
# ### Sharpening
#
# A model can also be conditioned on a *picture*. Concatenate the small one, enlarged, with $x_t$ as three more channels: that is all. Trained this way, the model generates a 32 × 32 face that fits a 16 × 16 one (Saharia and others 2021). The baseline is plain enlarging; a network trained by squared error to give the large face at once, from the small one alone, would give the
# mean of all faces that fit: a blur.

# %%
sharpen = load_weights("sr_peeps32", UNet(3, 48, patch=2, beside=3))


def smaller(x):
    """The 16 × 16 version of a 32 × 32 picture, enlarged again."""
    return nn.functional.interpolate(nn.functional.avg_pool2d(x, 2), scale_factor=2)


originals = test_peeps[: pick(smoke=16, laptop=100, gpu=100)].floats()
small = smaller(originals)
drawn = cosine.ddim_sample(
    partial(sharpen, beside=small), small.shape, generator=seed(25), steps=20, prediction="v"
)
plots.rows({"16 × 16": small[:8], "drawn": drawn[:8], "original": originals[:8]})

# %%
fits_small = (smaller(drawn) - small).square().mean().sqrt().item()
sharp = {
    "16 × 16, enlarged": metrics.sharpness(small).mean().item(),
    "drawn": metrics.sharpness(drawn).mean().item(),
    "original": metrics.sharpness(originals).mean().item(),
}
print({name: f"{value:.4f}" for name, value in sharp.items()})
print(f"made small again it differs from the small one by {fits_small:.3f}")
quality = metrics.psnr(drawn, originals), metrics.psnr(small, originals)
print(f"PSNR {quality[0]:.1f} dB; plain enlarging {quality[1]:.1f} dB")
assert fits_small < 0.05 and quality[0] > quality[1] + 5
assert sharp["16 × 16, enlarged"] < 0.75 * sharp["original"] < sharp["drawn"]

# %% [markdown]
# It generates *a* face that fits. These are drawings, composed of about a hundred parts in a few colours, and few other faces fit: the PSNR is 28.5 dB, that of plain enlarging 17.3 dB. A small photograph fits very many large ones. Whatever is added there, an eyelash or a wrinkle, is invented, and looks as certain as the rest. Remember that before you "enhance" the picture of a suspect.
#
# ## 9 · Diffusion in a latent space
#
# Much of the computation goes into details that nobody looks at. **Latent diffusion** (Rombach and others 2022; Stable Diffusion is one) makes pictures small first. An autoencoder turns a picture into a small *map* of codes, here 1 × 32 × 32 into 4 × 8 × 8. Diffusion works on the maps, and the decoder turns them into pictures.
#
# One thing needs care: the chain adds noise of variance 1, and its schedules are made for data of about that size. Codes may have any scale. So they are divided by one number, the standard deviation of the codes at a position (the root mean square over all positions), which is stored with the model. (Stable Diffusion multiplies by 0.18215.)

# %%
small_codes = load_weights(
    "ae_fashion_maps", autoencoders.MapAutoencoder(nc=1, size=32, channels=4)
)
n = pick(smoke=500, laptop=1000, gpu=1000)
labels, floor = labels[:n], few_steps.floor(n)
padded = data.load("fashion", "test", size=32)[:n].floats()
with torch.no_grad():
    codes = small_codes.encode(padded)
    rebuilt = small_codes.decode(codes)
scale = small_codes.code_std.square().mean().sqrt().item()
print(f"{tuple(codes.shape[1:])}: {codes[0].numel()} numbers for {padded[0].numel()} pixels")
spread = codes.std(0).square().mean().sqrt().item()
print(f"the codes of a place have standard deviation {spread:.2f}, stored {scale:.2f}")
rebuilt_distance = distance(rebuilt)
print(f"rebuilt pictures: Fréchet distance {rebuilt_distance:.2f}; real pictures {floor:.2f}")
assert abs(spread / scale - 1) < 0.1 and metrics.psnr(rebuilt, padded) > 22
shown = (codes[:10, :1] - codes.mean(0)[:1]) / 3 / scale
plots.rows({"picture": padded[:10], "rebuilt": rebuilt[:10], "code, 1 of 4": shown})

# %%
latent = load_weights("latent_fashion", UNet(4, 48, classes=10))


@torch.no_grad()
def from_codes(labels, steps, generator):
    shape = len(labels), 4, 8, 8
    z = cosine.ddim_sample(
        latent, shape, labels, 1.0, generator, steps=steps, prediction="v", clip=False
    )
    return small_codes.decode(scale * z)


def timed(work):
    begin = process_time()  # of the processor: other programs do not count
    result = work()
    return result, process_time() - begin


# %% [markdown]
# The autoencoder alone already costs some quality: the Fréchet distance of the reconstructions is above the floor. (It is no strict bound for what is generated in the codes, and a lenient one: the reconstructed pictures are themselves part of the reference set.)
#
# Is latent diffusion faster, and as good? Pixels and codes, with 5, 10 and 20 steps: milliseconds of processor time an image, and Fréchet distance. (The pictures below the numbers are those of 20 steps.)

# %%
spaces = {
    "pixels": lambda steps: few_steps.draw("v", model, labels, steps, seed(26)),
    "codes": lambda steps: from_codes(labels, steps, seed(26)),
}
made, found = {}, {name: {} for name in spaces}
for steps in pick(smoke=(5, 10), laptop=(5, 10, 20), gpu=(5, 10, 20)):
    for name, make in spaces.items():
        made[name], spent = timed(partial(make, steps))
        found[name][steps] = 1000 * spent / n, distance(made[name])
for name, of_steps in found.items():
    print(f"{name:7}", {k: f"{ms:.1f} ms: {far:.2f}" for k, (ms, far) in of_steps.items()})

# %%
(ms, far), (ms_codes, far_codes) = (found[name][10] for name in spaces)
assert rebuilt_distance < far_codes < far + 0.5
if current() == "laptop":
    assert ms_codes < 0.7 * ms and found["pixels"][20][1] < found["codes"][20][1]
middle = {"pixels": made["pixels"], "codes": made["codes"][..., 2:30, 2:30]}  # both 28 × 28
plots.rows({name: pictures[:10].clamp(-1, 1) for name, pictures in middle.items()})

# %% [markdown]
# With ten steps the distances are 2.53 for pixels and 2.64 for codes: *about equal* quality in less than half of the time (one run of each; a small difference may be the seed's). With 5 steps codes are better in this run, with 20 steps pixels. Where the two end depends on the autoencoder, and on how long each network was trained: for codes 2,500 steps, for pixels 4,000.
#
# On pictures this small a code has only four times fewer numbers than the picture (256 and 1,024), and the U-Net of section 4 already folds its pixels. In Stable Diffusion, at 512 × 512, a code has 48 times fewer; this is what lets such a model run on a home computer. Stable Diffusion also *reads*: a text encoder turns the words into vectors, and in the blocks of the U-Net each position of the feature map attends to these vectors (**cross-attention**: the queries come from the picture, keys and values from the condition). Rombach and others call the encoder of the condition $\tau_\theta$; another kind of condition, such as a layout of boxes, gets another one. DALL·E 2 and Midjourney, often named beside Stable Diffusion, are operated as services.
#
# ## 10 · Diffusion against GAN
#
# Slides say: "Diffusion models are more stable than GANs, and more versatile". On ImageNet, with much computing, their pictures were better, too (Dhariwal and Nichol 2021). Measure it. The same 60,000 clothes and their classes, about a minute and a half of one core for each, three seeds: the plain DDPM, the velocity on the cosine schedule, flow matching, and the conditional GAN of lecture 06. All are judged by 1,000 pictures (the floor of the Fréchet distance is then 0.36). The diffusion models have the same network and take 50 steps, the first two by DDIM.
#
# One table, whatever it says. Three seeds are few: each line goes from the worst of them to the best. (Dotted: the floor.)

# %%
table, measures = studies.read("against_gan"), ("frechet", "precision", "recall", "ms_per_image")


def spread_of(values):
    return sum(values) / len(values), min(values), max(values)


compared = {
    name: {
        measure: spread_of([row[measure] for row in table if row["method"] == method])
        for measure in measures
    }
    for method, name in few_steps.METHODS.items()
}
for method, name in few_steps.METHODS.items():
    taken = [int(row["steps"]) for row in table if row["method"] == method]
    told_of = [f"{k} {m:.3g} ({a:.3g} … {b:.3g})" for k, (m, a, b) in compared[name].items()]
    print(f"{name:16}", ", ".join([f"steps {min(taken)} … {max(taken)}", *told_of]))

# %%
of_flow, of_v, of_gan, plain = (
    compared[few_steps.METHODS[key]] for key in ("flow", "v", "gan", "eps")
)
assert of_flow["frechet"][2] < of_gan["frechet"][1] and of_gan["frechet"][2] < plain["frechet"][1]
assert of_v["frechet"][2] < 0.5 * plain["frechet"][1]
assert all(of_flow[key][1] > of_gan[key][2] for key in ("precision", "recall"))
assert of_gan["ms_per_image"][0] < 0.01 * of_flow["ms_per_image"][0]
titles = ("Fréchet ↓", "precision ↑", "recall ↑", "ms an image ↓")
figures.methods(compared, titles, floors={"frechet": table[0]["floor"]})

# %% [markdown]
# The second row shows that most of flow matching's lead over the plain DDPM does not need flow matching. From the plain DDPM to the velocity the network and the minutes stay the same; the prediction, the schedule and the weights of the loss change, and the mean distance falls from 14.5 to 5.0; flow matching has 4.4. So nearly all of the gain is reached *without* flow matching's straight lines. Mind the steps, though. The machine was faster on the day of the velocity's runs, and they had about a third more steps in their time. That may explain a part of the gain, but hardly a factor of three.
#
# Flow matching is ahead of the velocity by distance and by precision (the samples look real) with every seed, and with fewer steps, but not by much. By recall (nothing is left out) their seeds overlap. The GAN is ahead of the plain DDPM by distance and precision, and behind flow matching by all three measures, with every seed. (The times are not quite equal: 90 to 100 seconds for flow matching, 85 to 91 for the GAN. By distance the closest two seeds, 4.56 and 4.82, are so near that this may matter; by precision and recall the gaps are larger.) Against the velocity its distances and precisions overlap, and its recall is lower. And the GAN is more than a hundred times faster at sampling: one pass instead of 50 explains a factor of 50; the rest is a smaller, simpler network. (The diffusion models sample equally fast; that their milliseconds differ is again the machine's doing.)
#
# So which is better? With these few minutes of training it depends on the recipe: *diffusion* is on both sides of the GAN.
#
# The table leaves out two things. It does not measure stability: the GAN's training needed the care of lecture 05. And it has no diffusion model that samples in one or two steps (**distillation**, **consistency models**).
#
# Here are pictures, from the weights of the course (trained for longer than the table's models), the same classes in each row:

# %%
classes = torch.arange(10)
cgan = load_weights(
    "cgan_fashion32", translation.ConditionalGenerator(10, nz=64, ngf=32, nc=1, size=32)
)
many = pick(smoke=10, laptop=50, gpu=50)
first = torch.tensor([int((fashion.labels == i).nonzero()[0]) for i in range(10)])
of_gan = gan.sample(cgan, 10, labels=classes, generator=seed(31))[..., 2:30, 2:30]
sheets = {"real": fashion[first].floats(), "conditional GAN": of_gan}
sheets["velocity, DDIM"] = few_steps.draw("v", model, classes, many, seed(32))
sheets["flow matching"] = few_steps.draw("flow", flow, classes, many, seed(33))
plots.rows({name: x.clamp(-1, 1) for name, x in sheets.items()})

# %% [markdown]
# ## Where it goes
#
# - **Fewer steps**, down to one: the curve of section 6, pushed to the left.
# - **Other networks**: transformers instead of U-Nets.
# - **Other families.** A picture can also be turned into a row of discrete codes, *tokens*, and generated as a text is. An **autoregressive** model predicts one token after another (CM3Leon); a **masked** transformer fills in many at once, in a few dozen rounds (Muse). VQGAN-CLIP and StyleGAN-T show that GANs can follow a text, too.
# - **Editing**: what must stay, what may change? Section 8 has the simplest answer, a mask. Light and shadow, which cross every mask, are still hard; and an edit that works for one picture may fail for the next.
# - **Faithful measures.** PSNR and SSIM expect *the* right answer (lecture 05), and a sampler has many. Measures that compare what a picture shows, rather than its pixels, can be fooled in other ways.
#
# ## To go further
#
# 1. **Blind to time.** Give `InThePlane` $t = 0$ always. What happens to the ring? Which steps suffer most?
# 2. **Stretch.** Train the plane with data ten times as large. What has to change?
# 3. **A walk.** Take two $x_T$, go from one to the other along an arc (`slerp`, lecture 03), and sample each with DDIM. Compare with the GAN's walk.
# 4. **Noise twice.** Run DDIM backwards: from a real picture to its $x_T$, with `ddim_step` from $s$ to $t$. (Take the picture as index 0: $-1$ works only as the end of a step.) Does it come back? In how many steps?
# 5. **Your own mask.** `inpaint` with hair as the mask. What does `repeats=1` do that `repeats=5` does not?
# 6. **One change at a time.** Between the plain DDPM and the velocity of section 10 three things change: the prediction, the schedule, the weights of the loss. Build the rows between them with `DiffusionStep`. Which change matters?
#
# ## References
#
# - J. Sohl-Dickstein, E. Weiss, N. Maheswaranathan, S. Ganguli. Deep unsupervised learning using nonequilibrium thermodynamics. *ICML* 2015, arXiv:1503.03585.
# - J. Ho, A. Jain, P. Abbeel. Denoising diffusion probabilistic models. *NeurIPS* 2020, arXiv:2006.11239.
# - A. Nichol, P. Dhariwal. Improved denoising diffusion probabilistic models. *ICML* 2021, arXiv:2102.09672.
# - J. Song, C. Meng, S. Ermon. Denoising diffusion implicit models. *ICLR* 2021, arXiv:2010.02502.
# - P. Dhariwal, A. Nichol. Diffusion models beat GANs on image synthesis. *NeurIPS* 2021, arXiv:2105.05233.
# - Y. Song, J. Sohl-Dickstein, D. P. Kingma and others. Score-based generative modeling through stochastic differential equations. *ICLR* 2021, arXiv:2011.13456.
# - P. Vincent. A connection between score matching and denoising autoencoders. *Neural Computation* 23, 2011.
# - J. Ho, T. Salimans. Classifier-free diffusion guidance. arXiv:2207.12598, 2022.
# - T. Karras, M. Aittala, T. Kynkäänniemi, J. Lehtinen, T. Aila, S. Laine. Guiding a diffusion model with a bad version of itself. *NeurIPS* 2024, arXiv:2406.02507.
# - T. Salimans, J. Ho. Progressive distillation for fast sampling of diffusion models. *ICLR* 2022, arXiv:2202.00512.
# - T. Hang and others. Efficient diffusion training via min-SNR weighting strategy. *ICCV* 2023, arXiv:2303.09556.
# - Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le. Flow matching for generative modeling. *ICLR* 2023, arXiv:2210.02747.
# - X. Liu, C. Gong, Q. Liu. Flow straight and fast: learning to generate and transfer data with rectified flow. *ICLR* 2023, arXiv:2209.03003.
# - P. Esser and others. Scaling rectified flow transformers for high-resolution image synthesis. *ICML* 2024, arXiv:2403.03206.
# - A. Lugmayr and others. RePaint: inpainting using denoising diffusion probabilistic models. *CVPR* 2022, arXiv:2201.09865.
# - C. Saharia and others. Image super-resolution via iterative refinement. arXiv:2104.07636, 2021.
# - R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer. High-resolution image synthesis with latent diffusion models. *CVPR* 2022, arXiv:2112.10752.
# - H. Chang and others. Muse: text-to-image generation via masked generative transformers. *ICML* 2023, arXiv:2301.00704.
# - L. Yu and others. Scaling autoregressive multi-modal models: pretraining and instruction tuning (CM3Leon). arXiv:2309.02591, 2023.
# - S. J. D. Prince. *Understanding Deep Learning*. MIT Press 2023; its notebooks: udlbook.github.io.
# - S. Lin, B. Liu, J. Li, X. Yang. Common diffusion noise schedules and sample steps are flawed. *WACV* 2024, arXiv:2305.08891.
# - O. Ronneberger, P. Fischer, T. Brox. U-Net: convolutional networks for biomedical image segmentation. *MICCAI* 2015, arXiv:1505.04597.
# - J. Li, C. Zhang, W. Zhu and others. A comprehensive survey of image generation models based on deep learning. *Annals of Data Science* 2024.
