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
# # 11 · Restoration: what was not there
#
# {{badge}}
#
# **You will be able to**
# - measure a restored picture in three ways: is it near the truth, does it look real, is it the same person?
# - say what a perfect sampler pays for looking real, and what a blend costs;
# - build the parts of ESRGAN, and test by a control which part did what;
# - write the damage that Real-ESRGAN trains on, JPEG included, and show where training for the wrong damage fails;
# - use a face generator as a prior, and measure whose face it invents;
# - remove noise, fill holes and fuse two sensors: each with a discriminator, without it, and beside a baseline without training.
#
# **Time**: two to three hours with the exercises. The cells run in less than 10 minutes on a laptop. **You need**: lectures 03 and 05 (GANs and their losses), 07 (diffusion) and 09 (the face generator).

# %%
# {{setup}}

# %%
import copy
import math
from functools import partial
from time import process_time

import torch
import torch.nn.functional as F
from torch import nn

from course_lib import data, device, metrics, plots, restoration
from course_lib.degradation import Damage, chain, resized
from course_lib.diffusion import Diffusion, cosine_betas
from course_lib.exercises import check, hint, predict, solution
from course_lib.metrics import psnr
from course_lib.plots import restoration as figures
from course_lib.pretrained import load_weights
from course_lib.restoration import enlarge, patch_distance, shrink, told_apart, with_gain

# %%
from course_lib.restorers import (
    RRDB,
    Denoiser,
    DenseBlock,
    Filler,
    FusionNet,
    PictureDiscriminator,
    PriorRestorer,
    RestorationStep,
    RRDBNet,
    UNetDiscriminator,
    renumbered,
    restore,
)
from course_lib.scale import current, pick
from course_lib.styles import StyleGenerator
from course_lib.training import train
from course_lib.unet import UNet
from course_lib.widgets import restoration as sliders

full = current() != "smoke"


def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # training runs here; all that is measured, on the CPU
people, held_out = (data.load("peeps", split, size=32) for split in ("train", "test"))

# %% [markdown]
# Many whole pictures fit one small, noisy or torn picture. Their mean is near the truth and looks like nobody. Any one of them looks real, and may show somebody else. Every method in this lecture stands between these two answers, so every result gets three questions:
#
# 1. **Is it near?** The peak signal-to-noise ratio (PSNR) compares pixels with the truth.
# 2. **Does it look real?** The *patch distance* is a Fréchet distance (lecture 05) between the patches of 8 × 8 pixels (at every third place) of the restored and of the true pictures, computed without a network. It is divided by the 192 numbers in a patch and multiplied by 1000. Its floor is the score of unrelated real people. The reference is the true pictures of the same people, so the patch distance also falls when a restored picture is near.
# 3. **Is it the same person?** The feature network of lecture 05 reads off the expression (27 values; printed as `face`), the skin (5), the hair or hat (47; printed as `head`), glasses and facial hair (yes or no). It had no part in any training of this lecture: losses that need a fixed network use another one.
#
# Research papers mostly ask the first two questions. The third decides whether a restored photograph may be used.
#
# ## 1 · By which ruler?
#
# The first task: faces of 8 × 8 pixels, each pixel the mean of 4 × 4, are to be enlarged to 32 × 32 again. All true faces below were held out from every training; copies and other real people are training faces.

# %%
n = pick(smoke=48, laptop=172, gpu=516)
some = held_out[:n]
truth, reader = some.floats(), metrics.FeatureNet("peeps")
y = shrink(truth)


@torch.no_grad()
def read(x):
    """What the reader sees: attribute -> a value for each picture"""
    parts = [reader(part) for part in x.clamp(-1, 1).split(250)]
    return {key: torch.cat([part[key] for part in parts]).argmax(1) for key in parts[0]}


def right(found, true, key):
    """The share of pictures of which an attribute is named correctly"""
    return (found[key] == true[key][: len(found[key])]).double().mean().item()


# %% [markdown]
# `judge` prints one line for each method, with the answers to the three questions. It keeps PSNR, patch distance and expression in `table`. *Glasses invented* is the share of the people without glasses who are given some; *lost* is the share of the wearers who are left without.

# %%
table = {}


def judge(name, x, truth=truth, true=some.attributes):
    """One line: near? real-looking? the same person?"""
    x = x.clamp(-1, 1)
    found, true = read(x), {key: value[: len(x)] for key, value in true.items()}
    invented, lost = restoration.missed(found, true)
    table[name] = psnr(x, truth[: len(x)]), patch_distance(x, truth), right(found, true, "face")
    print(
        f"{name:22} {table[name][0]:5.2f} dB, patch distance {table[name][1]:6.2f}, "
        f"expression {table[name][2]:4.0%}, glasses invented {invented:4.0%}, lost {lost:4.0%}"
    )


# %% [markdown]
# PSNR has one formula, $10 \log_{10}(\text{peak}^2 / \text{mean squared error})$, and several protocols. Papers on super-resolution measure one brightness value for each pixel, $Y$, with a border cut off:
#
# $$Y = 16 + 65.481\,R + 128.553\,G + 24.966\,B, \qquad R, G, B \in [0, 1],$$
#
# which runs from 16 to 235; the peak in the formula is 255. They compute the PSNR of each picture, then the mean over pictures.
#
# ### Exercise 1 · The number that papers print
#
# `a` and `b` are `(B, 3, H, W)` in [-1, 1]; `border` is cut off at each of the four edges, and may be 0. Round nothing. Return a float. *Five lines, eight minutes.*


# %%
def psnr_y(a, b, border):
    """The mean PSNR of Y in dB, without `border` pixels at each edge"""
    ### BEGIN SOLUTION
    weights = torch.tensor([65.481, 128.553, 24.966])
    error = torch.einsum("c,bchw->bhw", weights, (a - b) / 2)
    h, w = error.shape[1:]
    error = error[:, border : h - border, border : w - border]
    return (10 * torch.log10(255**2 / error.square().mean((1, 2)))).mean().item()
    ### END SOLUTION


psnr_y = check("restoration.psnr_y", psnr_y)

# %%
bicubic = enlarge(y).clamp(-1, 1)
each = [psnr(a, b) for a, b in zip(bicubic, truth, strict=True)]
protocols = {
    "three colours, one error over all pictures": psnr(bicubic, truth),
    "three colours, mean over pictures": sum(each) / n,
    "Y, mean over pictures": psnr_y(bicubic, truth, 0),
    "Y, 4 pixels cut, as papers do": psnr_y(bicubic, truth, 4),
}
for name, db in protocols.items():
    print(f"{db:5.2f} dB  {name}")
spread = max(protocols.values()) - min(protocols.values())
print(f"the same pictures, {spread:.1f} dB apart")
assert spread > 1

# %% [markdown]
# The same pictures get a different number from each protocol. A difference between two papers means something only if the protocol is the same. From here on, all numbers are of the first kind.
#
# Now the baselines, without any network. *Grey* and the *mean face* do not look at $y$. *Nearest* repeats each pixel, *bicubic* draws smooth curves through them. The *copy* searches the 4,484 training faces for the one that is most like $y$ when it is shrunk, and returns it: a real face, of another person. *Other real people* are drawn at random: they give the floor of the patch distance. As this floor is different for each draw of people, the cell prints it for six more draws.

# %%
others = people[torch.randperm(len(people), generator=seed(9))[:n]].floats()
copies = restoration.copies(y, people.floats())
baselines = {"grey": torch.zeros_like(truth), "mean face": people.floats().mean(0).expand_as(truth)}
baselines |= {"nearest": enlarge(y, 4, "nearest"), "bicubic": bicubic, "copy": copies}
for name, x in (baselines | {"other real people": others, "truth": truth}).items():
    judge(name, x)
usual = {key: people.attributes[key].mode().values.expand(n) for key in read(truth[:1])}
told = {
    key: f"{right(usual, some.attributes, key):.0%}" for key in ("face", "skin", "head", "glasses")
}
print("always naming the most common value is right in", told)
floors = sorted(
    patch_distance(people[torch.randperm(len(people), generator=seed(i))[:n]].floats(), truth)
    for i in range(10, 16)
)
print("patch distance of six more draws of other people:", *(f"{floor:.2f}" for floor in floors))
if full:
    assert table["copy"][1] < floors[0] and floors[-1] > 2 * floors[0]

# %% [markdown]
# The reader makes mistakes on true pictures too: their line is its ceiling. The line after it is what guessing scores.
#
# The copy is nearer to the truth than bicubic by several dB. Its patch distance is below the floor, because the reference is the same people and the copy was chosen to have the colours of $y$. The floor is between 0.5 and 4, depending on the draw of people: values below it say nothing more about realness. The copy is a real picture, of somebody else, and of the three questions only the third shows that. Does $y$ itself show it? The copy, shrunk again, is not $y$:

# %%
misfit = {name: (shrink(x) - y).square().mean().sqrt().item() for name, x in
          {"bicubic": bicubic, "copy": copies, "truth": truth}.items()}  # fmt: skip
for name, error in misfit.items():
    print(f"{name:8} shrunk again misses y by {error:.3f}")
assert 0.02 < misfit["copy"] < misfit["bicubic"]

# %% [markdown]
# This proves nothing: bicubic, which invents nothing, misses $y$ by more. (The diffusion sample of section 2 fits $y$ exactly, and invents.)
#
# Two more methods: networks trained for this task (section 4), and a sample of the diffusion model of lecture 07 (section 2). **One row below is the truth. Which one?**

# %%
# Replace ... by a row: 1, 2, 3, 4 or 5
guess = predict("restoration.which_row", ...)

# %%
told = ("glasses", "face", "skin")
counts = [len(people.attribute_values[key]) for key in told]
faces = load_weights("ddpm_peeps32", UNet(3, 48, (1, 2, 2), classes=counts, patch=2))
diffusion = Diffusion(cosine_betas(1000))
steps = pick(smoke=4, laptop=25, gpu=25)
draws = [restoration.diffusion_restore(diffusion, faces, y, 4, seed(50 + k), steps=steps)
         for k in range(2)]  # fmt: skip


# %%
def enlarger():
    return RRDBNet(48, 24, 1, light=True)


names = ("enlarge_l1", "enlarge_mse", "enlarge_perceptual", "enlarge_gan")
nets = {name: load_weights(name, enlarger()) for name in names}
made = {name: restore(net, y) for name, net in nets.items()}
cast = [made["enlarge_mse"], draws[0], truth, made["enlarge_gan"], copies]
rows = {"seen": enlarge(y, 4, "nearest")} | {f"{i + 1}": x for i, x in enumerate(cast)}
plots.rows({name: x[:10] for name, x in rows.items()})

# %%
print(guess.reveal(3))
print("1 a network for the mean; 2 diffusion; 3 the truth; 4 a GAN; 5 copies of other people")

# %% [markdown]
# Rows 2, 3 and 5 all look like drawings of people. Row 2 betrays itself in a few places (grey blocks in the fourth and the last face); row 5 does not, and shows other people (section 3 asks a network).
#
# ## 2 · What is the best guess?
#
# If error is all that counts, the best answer to $y$ is the **posterior mean** $m(y) = E[x \mid y]$: the mean of all pictures that fit, weighted by their probability. Call its mean squared error $D^*$. If the answer must look real and still fit $y$, one answer is a **sample** from $p(x \mid y)$: a single picture that fits, drawn by its probability (section 3 looks for a cheaper one). **How many dB does a perfect sampler lose against the mean?**

# %%
# Replace ... by a number of dB
guess = predict("restoration.perfect_sampler", ...)

# %% [markdown]
# Truth and sample are two independent draws from the same posterior, both with mean $m(y)$. So the sample's error is $D^* + D^*$, twice as large, and a mean of $k$ samples has $(1 + 1/k)\,D^*$:

# %%
print(guess.reveal(10 * math.log10(2)))
for k in (1, 2, 4, 8):
    print(f"mean of {k} samples: {10 * math.log10(1 + 1 / k):.2f} dB below the posterior mean")

# %% [markdown]
# Lecture 07's diffusion model can do both for a noisy picture, without further training: removing Gaussian noise is what it was trained for. One step returns an estimate of the mean, $E[x \mid x_t]$. Many steps from that noise level down (here 20) return a sample.

# %%
few = pick(smoke=4, laptop=36, gpu=258)
noisy = truth[:few] + 0.5 * torch.randn(truth[:few].shape, generator=seed(1))
mean = restoration.denoise(diffusion, faces, noisy, 0.5)
hops = pick(smoke=3, laptop=20, gpu=50)
samples = torch.stack(
    [restoration.denoise(diffusion, faces, noisy, 0.5, seed(10 + k), steps=hops) for k in range(4)]
)
strip = {"noisy": noisy, "mean": mean, "a sample": samples[0], "another": samples[1]}
strip |= {"mean of 4": samples.mean(0), "true": truth[:few]}
plots.rows({name: x[:10] for name, x in strip.items()})

# %% [markdown]
# Do the samples follow this rule? The last two lines also measure how far the samples differ from each other, once with the steps above and once with four times as many (for the first eight people).


# %%
def error(x):
    return (x - truth[: len(x)]).square().mean().item()


best, ratios = error(mean), {}
print(
    f"noisy {psnr(noisy, truth[:few]):.2f} dB; mean {psnr(mean, truth[:few]):.2f} dB, D* {best:.4f}"
)
for k in (1, 2, 4):
    ratios[k] = sum(error(samples[i : i + k].mean(0)) for i in range(0, 4, k)) * k / 4 / best
    print(f"mean of {k} samples: {ratios[k]:.2f} D*; a perfect sampler: {1 + 1 / k:.2f} D*")
spread = (ratios[1] - ratios[4]) * 4 / 3  # the variance of the samples, in D*
print(f"all three lines: ({ratios[1] - spread:.2f} + {spread:.2f} / k) D*")
m = pick(smoke=2, laptop=8, gpu=64)
finer = torch.stack([restoration.denoise(diffusion, faces, noisy[:m], 0.5, seed(20 + k), steps=4 * hops)
                     for k in range(2)])  # fmt: skip
own = {steps: (x[:, :m].var(0).mean() / error(mean[:m])).item()
       for steps, x in {hops: samples, 4 * hops: finer}.items()}  # fmt: skip
for steps, share in own.items():
    print(f"variance of samples of {steps} steps: {share:.2f} D*; a perfect sampler's: 1 D*")
if full:
    assert ratios[1] > ratios[2] > ratios[4] and 1.2 < ratios[1] < 1.9
    assert 0.3 < own[hops] < own[4 * hops] < 0.8
    assert ratios[1] - spread > 1.05 and 0.35 < spread < 0.7

# %% [markdown]
# The samples are *nearer* to the truth than a perfect sampler's would be (if the one-step estimate, which gives $D^*$ here, is close to the posterior mean). This is no merit: they differ too little from each other. Their own variance is about half of $D^*$, and four times as many steps close little of the gap. With the larger of lecture 07's two variances in each step, which is not run here, it is 0.71 $D^*$ at 20 steps and 0.57 $D^*$ at 80: still too small. The model is surer than it should be.
#
# The mean of four samples fits the rule only by chance. The measured errors are $(1.13 + 0.48/k)\,D^*$ instead of $(1 + 1/k)\,D^*$: the variance of the samples is half of what it should be, and the mean of very many samples would have an error 13 % above that of the one-step estimate. So the rule is a test of calibration if you look at several $k$, and you need not know the posterior to use it.
#
# Between the mean and any other answer $g(y)$ lie their blends. **You show half of the mean and half of a sample. What part of the sample's extra error do you pay?**

# %%
# Replace ... by one of: "half of it", "a quarter of it", "all of it"
guess = predict("restoration.half_blend", ...)

# %% [markdown]
# ### Exercise 2 · The price of a blend
#
# On average, the error of the posterior mean, $x - m(y)$, is orthogonal to everything that can be computed from $y$; otherwise the mean could be improved. This includes what is computed from $y$ and fresh random numbers, such as a sample. Use this to write the mean squared error of $(1 - a)\,m(y) + a\,g(y)$, given $D^*$ (`d_mean`) and the error $D_g$ of $g$ (`d_other`). *One line, five minutes.*


# %%
def price_of_blending(d_mean, d_other, a):
    """The mean squared error of (1 − a) mean + a other"""
    ### BEGIN SOLUTION
    return d_mean + a**2 * (d_other - d_mean)
    ### END SOLUTION


price_of_blending = check("restoration.price_of_blending", price_of_blending)

# %%
shares = [i / 8 for i in range(9)]


def blended(name, mean, other, true):
    """Measured errors of the blends, and those that the rule gives"""
    found = [((1 - a) * mean + a * other - true).square().mean().item() for a in shares]
    part = (found[4] - found[0]) / (found[8] - found[0])
    print(f"{name:11} half of a sample costs {part:.0%} of its price; by the rule 25 %")
    return found, [price_of_blending(found[0], found[-1], a) for a in shares], part


# %% [markdown]
# First one Gaussian number seen through noise of spread 0.5, whose posterior is known exactly. Then the faces, with the network's mean and a sample.

# %%
number, fuzz, luck = torch.randn(3, 400_000, generator=seed(2))
exact = (number + 0.5 * fuzz) / 1.25
sampled = exact + math.sqrt(0.2) * luck
print(guess.reveal("a quarter of it"))
measured, rule, _ = blended("a Gaussian", exact, sampled, number)
assert all(abs(a - b) < 0.01 * b for a, b in zip(measured, rule, strict=True))
measured, rule, part = blended("faces", mean, samples[0], truth[:few])
print(f"the blend of faces with the smallest error has a = {shares[measured.index(min(measured))]}")
if full:
    assert 0.05 < part < 0.25
figures.blends(shares, measured, rule)

# %% [markdown]
# A quarter of the price for half of the way: this makes blends attractive. For the Gaussian the rule is exact. For the faces (in the figure) half costs less than a quarter, and a small share of the sample even lowers the error of the network's mean. So that mean is not quite the posterior mean, which nothing can improve.
#
# The same model also enlarges the 8 × 8 pixels of section 1, a task that it was never trained for. In every step its guess $\hat x_0$ is corrected to agree with what was seen, $\hat x_0 \leftarrow \hat x_0 + A^+(y - A \hat x_0)$, where $A$ shrinks and $A^+$ repeats pixels (DDNM; Wang, Yu and Zhang 2023). Beside it stands the network that was trained for exactly this task by squared error, as an estimate of the mean.

# %% tags=["quality"]
judge("squared error", made["enlarge_mse"])
judge("diffusion, a sample", draws[0])
judge("mean of two samples", (draws[0] + draws[1]) / 2)
fit = (shrink(draws[0]) - y).square().mean().sqrt().item()
print(f"the sample, shrunk again, misses y by {fit:.4f}")
if full:
    assert table["diffusion, a sample"][0] > table["squared error"][0]
    assert table["diffusion, a sample"][1] < table["squared error"][1]
    assert table["mean of two samples"][0] > table["diffusion, a sample"][0]

# %% [markdown]
# The sample is nearer *and* more real-looking than the network's mean: its patch distance is at the floor. That does not contradict the rule: our network's mean is a poor estimate of the posterior mean. It was trained for minutes, the diffusion model for much longer (their cards in `course_lib/pretrained` give the times). Here a good prior that never saw the task beats a short training for it.
#
# Two samples of the same $y$ also show what the model leaves open:

# %%
first, second = read(draws[0]), read(draws[1])
alike = {key: (first[key] == second[key]).double().mean().item() for key in first}
for key in ("skin", "glasses", "head", "face"):
    share = right(first, some.attributes, key)
    print(f"{key:8} read alike in two samples of one y: {alike[key]:4.0%}; right: {share:4.0%}")
if full:
    assert alike["skin"] > 0.9 and alike["face"] < 0.65
    assert right(first, some.attributes, "skin") > 0.9

# %% [markdown]
# From the 64 pixels the model finds the skin of nearly all people (98 %), but the expression of fewer than half (44 %, where guessing finds 5 %). Whether the pixels hold more than that is not tested here. A system that returns one sample hides this difference. Two samples show it. For a perfect sampler both columns would be about equal, because the truth is one more draw (not exactly, as the reader makes mistakes): the test of the rule again, in attributes. For glasses they are about equal; for the head the samples agree less often than they are right (95 against 99 %), though only by a few people; for the expression they agree more often, by 8 points; the spread of such a difference is ± 5 points, so this may be chance. If a model is too sure, its two samples agree too often. So agreement alone does not prove that the pixels determine the skin; the right column does (98 % are right).
#
# ## 3 · Must looking real cost 3 dB?
#
# A sampler looks real because it draws at random what is missing. Is there a cheaper way? For a Gaussian the answer is known (Freirich and others 2021). Let $x \sim N(0, 1)$ be seen through noise of spread $s$. The posterior mean varies less than $x$: its variance is only $v = 1/(1 + s^2)$. Multiplied by $1/\sqrt v$ it has the right distribution, and no randomness was needed.

# %%
print("  s    mean   rescaled mean   sample   (mean squared errors, exact)")
for s in (0.5, 1.0, 2.0):
    v = 1 / (1 + s**2)
    print(f"{s:4}   {1 - v:.3f}   {2 - 2 * math.sqrt(v):.3f}           {2 * (1 - v):.3f}")

# %% [markdown]
# At $s = 0.5$, the right distribution costs 5.6 % more error, not 100 %. Pictures are not Gaussian, but their frequencies can be treated as if they were: multiply each frequency of the network's mean by the factor that gives it the power that it has in real pictures.
#
# ### Exercise 3 · A filter that gives energy back
#
# `blurred` and `sharp` are `(N, C, H, W)`. For each channel and each frequency of `torch.fft.rfft2`, return $\sqrt{S_\text{sharp} / S_\text{blurred}}$ with $S$ the mean over pictures of $|\text{FFT}|^2$. *Two lines, six minutes.*


# %%
def spectrum_gain(blurred, sharp):
    """The gain of each frequency: (C, H, W // 2 + 1)"""
    ### BEGIN SOLUTION
    before, after = (torch.fft.rfft2(x).abs().square().mean(0) for x in (blurred, sharp))
    return (after / before).sqrt()
    ### END SOLUTION


spectrum_gain = check("restoration.spectrum_gain", spectrum_gain)

# %%
sharp = people[: pick(smoke=64, laptop=516, gpu=4484)].floats()
blurred = restore(nets["enlarge_mse"], shrink(sharp))  # the gain is fitted on training pictures
gain = spectrum_gain(blurred - blurred.mean(0), sharp - sharp.mean(0))
centred = made["enlarge_mse"] - blurred.mean(0) + sharp.mean(0)
rescaled = with_gain(centred, gain, sharp.mean(0)).clamp(-1, 1)
judge("squared error", made["enlarge_mse"])
judge("rescaled frequencies", rescaled)
if full:
    assert table["rescaled frequencies"][1] < 0.6 * table["squared error"][1]
    assert table["squared error"][0] - table["rescaled frequencies"][0] < 0.6
plots.rows(
    {"squared error": made["enlarge_mse"][:10], "rescaled": rescaled[:10], "true": truth[:10]}
)

# %% [markdown]
# A filter with one number for each colour and frequency, and the right mean picture, both computed from 516 training pictures, cut the patch distance from 10.9 to 2.7 and cost 0.25 dB. Why are GANs needed, then? The patch distance sees only means and covariances. A fresh network that learns on one half of the pictures to tell real from restored ones sees more. Its accuracy on the other half:

# %%
rounds = pick(smoke=5, laptop=150, gpu=1000)
suspects = {
    "squared error": made["enlarge_mse"],
    "rescaled frequencies": rescaled,
    "diffusion, a sample": draws[0],
    "copy": copies,
}
caught = {name: told_apart(truth, x, rounds) for name, x in suspects.items()}
for name, share in caught.items():
    print(f"{name:20} told from real correctly in {share:4.0%} (guessing: 50 %)")
if full:
    assert caught["rescaled frequencies"] > caught["copy"] + 0.2
    assert caught["rescaled frequencies"] > caught["squared error"] - 0.05

# %% [markdown]
# Each frequency has its energy again, but the phases are still those of a blur: the filter brings no sharp line back. The fresh network catches the filtered pictures no less often than the blurred ones, although their patch distance is only a quarter. Only the copies pass as real.
#
# ## 4 · SRGAN and ESRGAN
#
# SRGAN (Ledig and others 2017) trained a deep network for super-resolution by two losses that do not compare pixels: a discriminator, and the feature maps of a classifier. ESRGAN (Wang and others 2018) changed four things: dense blocks without BatchNorm, features before the activation, a discriminator that compares, and interpolation between networks. You build all four.
#
# ### Exercise 4 · A dense block
#
# Each convolution sees $x$ and the outputs of all convolutions before it, concatenated in this order. A leaky ReLU of slope 0.2 follows each of them but the last. The block returns $x + \beta\,h$, where $h$ is the last output. `convs` is a list of layers. *Six lines, eight minutes.*


# %%
def dense_block(x, convs, beta):
    """x + β · (what the last convolution says): same shape as x"""
    ### BEGIN SOLUTION
    maps = [x]
    for conv in convs[:-1]:
        maps.append(F.leaky_relu(conv(torch.cat(maps, 1)), 0.2))
    return x + beta * convs[-1](torch.cat(maps, 1))
    ### END SOLUTION


dense_block = check("restoration.dense_block", dense_block)

# %% [markdown]
# Three blocks inside another shortcut, $x + \beta \cdot \text{blocks}(x)$, make an RRDB ("residual in residual dense block"). Why a small β? With all weights at 0 each dense block returns its input, so the three blocks return $x$, and the RRDB returns $(1 + \beta)\,x$: with β = 1 each RRDB would double its input. In ESRGAN 23 of them follow each other:

# %%
block = nets["enlarge_gan"].body[0].blocks[0]
maps = torch.randn(2, 48, 8, 8, generator=seed(2))
with torch.no_grad():
    torch.testing.assert_close(dense_block(maps, block.convs, block.beta), block(maps))
for beta in (0.2, 1.0):
    dead = nn.Sequential(*(RRDB(2, 1, beta) for _ in range(23)))
    for weight in dead.parameters():
        nn.init.zeros_(weight)
    factor = dead(torch.ones(1, 2, 2, 2)).mean().item()
    print(f"β = {beta}: 23 blocks of weights 0 multiply by {factor:,.1f} = {1 + beta:g}²³")

# %%
with torch.device("meta"):
    sizes = {
        "dense block, 64 maps": DenseBlock(),
        "ESRGAN's generator, 23 RRDBs": RRDBNet(),
        "Real-ESRGAN's discriminator": UNetDiscriminator(),
    }
counted = {name: sum(p.numel() for p in net.parameters()) for name, net in sizes.items()}
counted["this lecture's generator"] = sum(p.numel() for p in nets["enlarge_gan"].parameters())
for name, count in counted.items():
    print(f"{name:30} {count:10,} weights")
assert counted["ESRGAN's generator, 23 RRDBs"] == 16_697_987

# %% [markdown]
# The second part is a loss that compares what a fixed network sees, not pixels. The hope: a restored eyebrow that is off by one pixel is wrong in every pixel, but it is still an eyebrow, and a network that has learned to name expressions should forgive it.
#
# ### Exercise 5 · Perceptual loss
#
# `trunk` is a sequence of layers, `taps` the numbers of those whose *outputs* are compared, counted from 0. Return the mean over the taps of the mean absolute difference. Only `made` may receive a gradient. The trunk must answer in evaluation mode: it has BatchNorm. *Eight lines, ten minutes.*


# %%
def perceptual_loss(made, truth, trunk, taps):
    """How differently a fixed network sees the two: a number"""
    ### BEGIN SOLUTION
    trunk.eval()

    def maps(x):
        found = []
        for i, layer in enumerate(trunk):
            x = layer(x)
            if i in taps:
                found.append(x)
        return found

    with torch.no_grad():
        wanted = maps(truth)
    differences = [(a - b).abs().mean() for a, b in zip(maps(made), wanted, strict=True)]
    return sum(differences) / len(taps)
    ### END SOLUTION


perceptual_loss = check("restoration.perceptual_loss", perceptual_loss)

# %%
trunk = metrics.Classifier("peeps").trunk[:11].requires_grad_(False)
taps = (1, 4, 7, 10)  # BatchNorm's outputs: before the activations


def as_taught(x):
    """At the size of the pictures that the classifier was trained on"""
    return F.interpolate(x, (64, 64), mode="bilinear", antialias=True)


# %%
cases = {"truth, moved by a pixel": truth.roll(1, 3), "squared error": made["enlarge_mse"]}
goal, off = as_taught(truth), {}
for name, x in (cases | {"bicubic": bicubic}).items():
    with torch.no_grad():
        shown = as_taught(x)
        off[name] = [perceptual_loss(shown, goal, trunk, (tap,)).item() for tap in taps]
        off[name].insert(0, (shown - goal).abs().mean().item())
    pixels, *features = (f"{value:.3f}" for value in off[name])
    print(f"{name:24} pixels {pixels}; features", *features)
factors = [a / b for a, b in zip(*(off[name] for name in cases), strict=True)]
print("moved against blurred, times as far:", ", ".join(f"{factor:.2f}" for factor in factors))
assert factors[0] > 1.7 and factors[0] > factors[2] > factors[3] > factors[4]

# %% [markdown]
# The hope is half fulfilled. In pixels the true picture that is moved by one pixel is about twice as far from the truth as the blurred answer of the squared error. In features the factor is also about 2 at the first tap, 1.6 at the second, 1.4 at the third, and at the fourth both are about equally far: later maps are less strict about places. (It is the moved picture that comes nearer: as a share of bicubic's distance, its distance falls from 0.84 at the first tap to 0.51 at the fourth, while that of the blurred one stays between 0.40 and 0.49.) The loss below compares the first three taps; SRGAN compares a much later map, of VGG. The end of this section measures what this loss brings in training.
#
# The third part is the discriminator's question. In lecture 03, D says of each picture by itself whether it is real. A *relativistic average* discriminator (Jolicoeur-Martineau 2019) says whether it is more real than the other kind is on average. With scores $r$ of real and $f$ of restored pictures, and $\text{sp}(t) = \log(1 + e^t)$:
#
# $$L_D = E\,\text{sp}(-(r - E f)) + E\,\text{sp}(f - E r), \qquad L_G = E\,\text{sp}(r - E f) + E\,\text{sp}(-(f - E r)).$$
#
# ### Exercise 6 · Relativistic losses
#
# `real` and `fake` are scores `(B,)`. Return both losses, each the sum of its two terms, as in the formulas. They must stay finite for scores of hundreds, and gradients must reach both arguments, through the means too. *Four lines, five minutes.*


# %%
def relativistic_losses(real, fake):
    """(loss of D, loss of G)"""
    ### BEGIN SOLUTION
    above, below = real - fake.mean(), fake - real.mean()
    d_loss = F.softplus(-above).mean() + F.softplus(below).mean()
    g_loss = F.softplus(above).mean() + F.softplus(-below).mean()
    return d_loss, g_loss
    ### END SOLUTION


relativistic_losses = check("restoration.relativistic_losses", relativistic_losses)

# %% [markdown]
# Now all parts together. The step below pulls the restored picture in three ways: towards the true pixels, towards the true features, and towards what D takes for real. How hard does each pull? `pull` measures $\|\partial\,\text{loss} / \partial\,\text{picture}\|$ for each part. We continue for a few seconds from the network that was trained by pixels alone.

# %%
torch.manual_seed(0)
side = pick(smoke=32, laptop=32, gpu=64)
student = pick(smoke=nets["enlarge_l1"], laptop=nets["enlarge_l1"], gpu=RRDBNet(64, 32, 6))
step = RestorationStep(
    copy.deepcopy(student).train().to(home),
    shrink,
    pixels=2.0,
    trunk=metrics.Classifier("peeps").trunk[:8].to(home),
    discriminator=PictureDiscriminator(side).to(home),
    adversary=0.003,
    lr=5e-4,
)
batch, steps = pick(smoke=(4, 2), laptop=(16, 40), gpu=(32, 20_000))
history = train(step, data.load("peeps", size=side).batches(batch, home), steps, watch=step.samples)
pulls = step.pull(data.load("peeps", size=side)[:16].floats().to(home))
print({name: f"{pull:.4f}" for name, pull in pulls.items()})

# %% [markdown]
# These numbers are the first to look at when a GAN for restoration fails. Here D pulls with a tenth of the strength of each other part. With ten times its weight it would pull as hard as they do; the first task at the end tries that. Sections 7 and 8 print the pulls again. There D lowers the patch distance where it pulls less hard than the pixels (three quarters and a fifth of their strength), and in section 8 ten times that weight does harm. (The network with D that is judged below has the weights of the losses used here, but was trained for 350 steps; its pull was not measured.)
#
# What did each part bring? The four networks below went on from one common start, with the same pictures and the same number of steps. The first only continued with the L1 loss: it is the **control**, without which everything that comes from longer training would be credited to the new losses. The last two add one part each. (One of the four, L1 + features, was trained in float32, the others in bfloat16: their cards in `course_lib/pretrained` say so.)

# %%
trained = {"L1": "enlarge_l1", "squared error": "enlarge_mse", "L1 + features": "enlarge_perceptual",
           "L1 + features + D": "enlarge_gan"}  # fmt: skip
trained = {name: made[weights] for name, weights in trained.items()}
thirds = {}
for name, x in trained.items():
    judge(name, x)
    thirds[name] = [patch_distance(x[i::3], truth[i::3]) for i in range(3)]
thirds["other real people"] = [patch_distance(others[i::3], truth[i::3]) for i in range(3)]
for name, parts in thirds.items():
    print(f"{name:18} patch distance of each third of the people:", *(f"{d:5.2f}" for d in parts))
if full:
    assert max(trained, key=lambda name: table[name][0]) == "squared error"
    order = zip(
        *(thirds[name] for name in ("L1 + features + D", "L1 + features", "L1")), strict=True
    )
    assert all(with_d < without < control for with_d, without, control in order)
    assert table["L1 + features"][2] > table["L1"][2]
    assert table["squared error"][1] < table["L1 + features"][1]
    assert abs(table["squared error"][2] - table["L1 + features"][2]) < 0.08

# %%
shown = {"seen": enlarge(y, 4, "nearest")[:7]} | {name: x[:7] for name, x in trained.items()}
plots.rows(shown | {"true": truth[:7]})

# %% [markdown]
# Compare each line with the control, not with the start. With features the reader names more expressions than after as many steps of L1 alone (38 against 26 %), and the patches look more real. (The loss's network was taught the same attributes of the same training faces as the reader, so this ruler favours it. It was taught on pictures of 64 × 64; in this training, unlike in the measurement above, it gets them at 32 × 32, not enlarged.) With D the patches look still more real, in every third of the people, though far from the floor of a third (the last line, other real people). D costs nothing in dB against the same network without D: the trade between near and real-looking binds only the best restorers (Blau and Michaeli 2018), and these are far from the best.
#
# The squared error is the nearest to the truth; it asks for nothing else. But it also has more real patches than L1 with features, and the reader names as many expressions (37 and 38 %): the squared error alone brings as much over L1 as the features do. By eye all four are still blurred. Each learned for a few minutes at most, with one seed. ESRGAN trained for days.
#
# All points together, without grey, the truth and other real people (the grey band is the floor of section 1). To the right is near, down is real-looking: the lower right corner is where every restorer wants to be.

# %% tags=["cover"]
hidden = ("truth", "other real people", "grey")
places = {name: table[name][:2] for name in table if name not in hidden}
figures.plane(places, (floors[0], floors[-1]), marked=("copy", "nearest", "bicubic", "mean face"))

# %% [markdown]
# The copy is the warning in this figure. It is a real picture, it is nearer than every network that was trained for this task, and it shows another person. The plane of two rulers cannot show this. The third question can: does the reader name the right expression?
#
# ### Exercise 7 · A network between two networks
#
# ESRGAN's last idea is to blend *weights*, not pictures: $(1 - \alpha)\,\theta_a + \alpha\,\theta_b$. States are dictionaries of tensors; those of whole numbers are counters and come from `state_a`; weights keep their dtype. In `state_b` the names may stand in another order. Change neither state. *Four lines, five minutes.*


# %%
def between(state_a, state_b, alpha):
    """The state of the network between two networks: a new dictionary"""
    ### BEGIN SOLUTION
    return {
        key: torch.lerp(value, state_b[key], alpha) if value.is_floating_point() else value.clone()
        for key, value in state_a.items()
    }
    ### END SOLUTION


between = check("restoration.between", between)

# %%
ends = nets["enlarge_mse"], nets["enlarge_gan"]


def halfway(a, b):
    """The network between two networks"""
    net = enlarger().eval()
    net.load_state_dict(between(a.state_dict(), b.state_dict(), 0.5))
    return net


same = renumbered(ends[0], seed(4))
with torch.no_grad():
    apart = (same(y) - ends[0](y)).abs().max().item()
print(f"the renumbered network's answers differ by {apart:.0e} at most")
pairs = list(zip(ends[0].parameters(), same.parameters(), strict=True))
kept = sum((a == b).sum().item() for a, b in pairs) / sum(a.numel() for a, _ in pairs)
print(f"weights with the same value in the same place: {kept:.0%}")
assert apart < 1e-3 and kept < 0.3

# %% [markdown]
# `same` is a control: the first network again, with its 48 feature maps in another order. It computes the same function, but three quarters of its weights are somewhere else. If any two good networks could be blended, half of these two would be as good as both.

# %%
halves = {
    "a = 0": made["enlarge_mse"],
    "half, weights": restore(halfway(*ends), y),
    "half, pictures": (made["enlarge_mse"] + made["enlarge_gan"]) / 2,
    "a = 1": made["enlarge_gan"],
    "half, renumbered": restore(halfway(ends[0], same), y),
}
for name, x in halves.items():
    judge(name, x)
if full:
    assert table["half, renumbered"][0] < table["half, weights"][0] - 2
plots.rows({name: x[:7] for name, x in halves.items()})

# %% [markdown]
# Of two networks that continued from one start, the network halfway between them is good too: blending the weights is about as good as blending the pictures. Halfway between a network and its own renumbered copy lies a network that has lost most of the detail. Interpolation needs a common start, or maps that are put in the same order first (Ainsworth and others 2023).

# %%


def said(x):
    return (f"<b>{psnr(x, truth[: len(x)]):.2f} dB</b>, patch distance "
            f"<b>{patch_distance(x, truth[: len(x)]):.2f}</b>, expression "
            f"<b>{right(read(x), some.attributes, 'face'):.0%}</b>")  # fmt: skip


m = pick(smoke=8, laptop=48, gpu=258)
sliders.between(*(copy.deepcopy(net) for net in ends), y[:m], truth[:m], said)

# %% [markdown]
# ## 5 · Another damage
#
# Every network so far was trained on pictures that were shrunk in one way. A photograph that was sent by chat has been blurred by a lens, resized by an app, and compressed twice. Real-ESRGAN (Wang and others 2021a) draws such a history at random for each training picture: blur, resize, noise, JPEG, and all of it again. You build two of these links.
#
# ### Exercise 8 · Blur
#
# A Gaussian of spread $s_1$ along an axis turned by θ and $s_2$ across, on `size` × `size` places around the middle (`size` is odd): $\exp(-\tfrac12 (u^2/s_1^2 + v^2/s_2^2))$ with $u = x\cos\theta + y\sin\theta$ and $v = -x\sin\theta + y\cos\theta$, $x$ to the right and $y$ downwards, normalised to sum 1 (float32). *Five lines, eight minutes.*


# %%
def gaussian_kernel(size, s1, s2, theta):
    """A blur: (size, size), float32, sum 1"""
    ### BEGIN SOLUTION
    places = torch.arange(size) - (size - 1) / 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    u, v = x * math.cos(theta) + y * math.sin(theta), y * math.cos(theta) - x * math.sin(theta)
    kernel = torch.exp(-(u**2 / s1**2 + v**2 / s2**2) / 2)
    return kernel / kernel.sum()
    ### END SOLUTION


gaussian_kernel = check("restoration.gaussian_kernel", gaussian_kernel)

# %% [markdown]
# ### Exercise 9 · What JPEG throws away
#
# JPEG cuts a picture into blocks of 8 × 8, subtracts 128, and writes each block as a sum of cosines: $C = T\,b\,T^\top$ with the orthonormal cosine matrix $T$ (`restoration.cosines(8)`). Each coefficient is divided by its entry of a table and **rounded**: of these steps, only this one loses something. (Most JPEG files also store the colours at half the resolution; ours do not.) Then undo the others: multiply by the table, transform back, add 128, and clamp the result to 0 … 255. *Four lines, eight minutes.*


# %%
def jpeg_block(block, table):
    """A block (8, 8) of 0 … 255 after JPEG: same shape"""
    ### BEGIN SOLUTION
    t = restoration.cosines(8, block.dtype)
    steps = torch.round(t @ (block - 128) @ t.T / table)
    return (t.T @ (steps * table) @ t + 128).clamp(0, 255)
    ### END SOLUTION


jpeg_block = check("restoration.jpeg_block", jpeg_block)

# %% [markdown]
# Here is the chain on faces of 64 × 64, which end as 16 × 16: one link at a time, and two whole chains. *Photons* is shot noise: each pixel counts a random number of photons, 30 on average where it is white. *JPEG 20* has quality 20 of 100. The middle of each picture is shown.

# %%
large = data.load("peeps", "test", size=64)
k = pick(smoke=24, laptop=120, gpu=516)
true64 = large[:k].floats()
links = {
    "true": Damage(),
    "blur": Damage(blur=(2.5, 0.6, math.pi / 4)),
    "noise": Damage(noise=0.15),
    "photons": Damage(photons=30.0),
    "JPEG 20": Damage(quality=20),
}
shown = {name: link(true64[:8], seed(4)) for name, link in links.items()}
shown |= {f"a chain, {i + 1}": chain(true64[:8], 16, seed(i), parts=8) for i in range(2)}


def middle(x):
    side = x.shape[-1]
    return x[..., side // 4 : 3 * side // 4, 5 * side // 16 : 13 * side // 16]


plots.rows({name: middle(x) for name, x in shown.items()})

# %% [markdown]
# Three networks restore 16 × 16 to 64 × 64. All began with the same weights and trained for the same number of steps by L1 and features. From one to the next one thing is changed on purpose (they train on random crops of 32 × 32, and the crops differ too): the first saw bicubically shrunk pictures ("clean"), the second pictures from the chain ("blind"), the third has a U-Net discriminator too ("blind + D"): Real-ESRGAN on a small scale. Each is tested on three kinds of damage.

# %%
seen = {
    "shrunk": resized(true64, 16),
    "JPEG 50": Damage(size=16, quality=50)(true64),
    "chain": torch.cat([chain(part, 16, seed(77 + i)) for i, part in enumerate(true64.split(12))]),
}
repairers = {"clean": "repair_clean", "blind": "repair_blind", "blind + D": "repair_gan"}
repairers = {
    name: load_weights(weights, RRDBNet(32, 16, 1, light=True))
    for name, weights in repairers.items()
}

# %%
repaired = {}
for damage, small in seen.items():
    repaired[damage, "bicubic"] = enlarge(small).clamp(-1, 1)
    for name, net in repairers.items():
        repaired[damage, name] = restore(net, small)
    for name in ("bicubic", *repairers):
        judge(f"{damage}: {name}", repaired[damage, name], true64, large.attributes)
strangers = data.load("peeps", size=64)[:k].floats()
print(f"patch distance of other real people: {patch_distance(strangers, true64):.2f}")
if full:
    assert table["chain: blind"][0] > table["chain: clean"][0]
    assert table["shrunk: clean"][0] > table["shrunk: blind"][0]
    assert table["JPEG 50: clean"][0] > table["JPEG 50: blind"][0] - 0.1
    assert table["JPEG 50: clean"][2] > table["JPEG 50: blind"][2]
    assert table["chain: blind + D"][1] < 0.9 * table["chain: blind"][1]
    assert abs(table["chain: blind + D"][2] - table["chain: blind"][2]) < 0.1

# %%
rows = {"seen": enlarge(seen["chain"], 4, "nearest")[:8]}
rows |= {name: repaired["chain", name][:8] for name in repairers}
plots.rows(rows | {"true": true64[:8]})

# %% [markdown]
# Train for the damage that will come: on the chain, the blind network is nearer than the one trained on clean pictures and names more expressions. The price is paid where there is no damage: on cleanly shrunk pictures both blind networks are behind the one that was trained for them, in dB and in expressions (77 and 79 against 94 %), and the reader names no more expressions than after bicubic, which is no network (87 %, each ± 4 %). On JPEG alone, one link of the chain, the blind networks are no nearer either, and the reader names more expressions in the pictures of the clean network (68 against 57 and 55 %, each ± 5 % for 120 people: differences of about twice their spread, so not certain). The clean network loses fewer glasses and invents more; both differences are a few people.
#
# D lowers the patch distance, for a small loss in dB; the patch distance stays far from the floor. Look at the figure too: D prints rows of dots along the contours, and the patch distance falls all the same. With D the reader does not name more expressions: the differences lie within the spread, again ± 5 %. (The people share 40 draws of damage, so on the chain the true spread is larger.)
#
# Try them on other damage. *Which network would you take for an unknown photograph?*

# %%


def short(name, x):
    return f"{name} <b>{psnr(x, true64[: len(x)]):.1f} dB</b>"


damages = {
    "as trained: shrunk": lambda x: resized(x, 16),
    "JPEG 30": Damage(size=16, quality=30),
    "every fourth pixel": Damage(size=16, resize="nearest"),
    "noise": lambda x: Damage(size=16, noise=0.15)(x, seed(5)),
    "blur and JPEG": Damage(blur=(2.0, 2.0, 0.0), size=16, quality=40),
    "the chain": lambda x: chain(x, 16, seed(6)),
}
bench = {"bicubic": enlarge} | {
    name: lambda small, net=net: restore(net, small) for name, net in repairers.items()
}
sliders.bench(bench, true64[:8], damages, short)

# %% [markdown]
# Does JPEG treat all people alike? Its steps are the same everywhere. But black lines have less contrast on dark skin than on light skin, so an error of the same size may hide more of them. Here is the network for clean pictures, with and without JPEG of quality 50, for each of the five skins. Two controls: the shrunk pictures with the JPEG error of *another* person, and bicubic enlarging, without any network.

# %%
all64 = pick(smoke=large[:48], laptop=large, gpu=large)
skins = all64.attributes["skin"]
clear, packed = (Damage(size=16, quality=quality)(all64.floats()) for quality in (None, 50))
jpeg_error = packed - clear
other = jpeg_error[torch.randperm(len(clear), generator=seed(1))]
damaged = {"shrunk": clear, "then JPEG 50": packed, "another's error": clear + other}


def by_skin(values):
    """The mean of each of the five skins"""
    return [values[skins == i].double().mean().item() for i in range(5)]


def named_by_skin(x):
    return by_skin(read(x)["face"] == all64.attributes["face"])


# %%
groups = {name: named_by_skin(restore(repairers["clean"], x)) for name, x in damaged.items()}
spread = math.sqrt(0.25 / (skins == 0).sum().item())
for name, shares_named in groups.items():
    print(f"{name:15}", *(f"{share:4.0%}" for share in shares_named), f"(± {spread:.0%} each)")
losses = {"network": [a - b for a, b in zip(groups["shrunk"], groups["then JPEG 50"], strict=True)]}
smooth = [named_by_skin(enlarge(x)) for x in (clear, packed)]
losses["bicubic"] = [a - b for a, b in zip(*smooth, strict=True)]
for name, lost in losses.items():
    print(f"lost by JPEG, {name}:", *(f"{100 * share:.0f}" for share in lost), "points")
size = [math.sqrt(mse) for mse in by_skin(jpeg_error.square().mean((1, 2, 3)))]
print("size of JPEG's error:", *(f"{rms:.3f}" for rms in size))
if full:
    assert all(min(lost[3:]) > lost[0] + 0.05 for lost in losses.values())
    assert max(size) < 1.2 * min(size) and size[4] == min(size)
    assert groups["another's error"][4] < groups["another's error"][0] - 0.1
names = ["lightest", "2", "3", "4", "darkest"]
figures.by_group(groups, names, "expression named correctly", "skin", spread)

# %% [markdown]
# On shrunk pictures the reader names the expressions of all groups about equally often. After JPEG the two darkest groups lose far more than the lightest. In the training set and among the people tested, the five skins are about equally frequent. It is not the restoring network: bicubic loses in the same way. (The reader is a network too; whether dark skin misleads it more easily is not tested here. And these faces are drawings with black lines; photographs are not tested.) And it is not the size of the error, which is about equal for all groups, for the darkest even the smallest. With another person's error only the darkest group still loses far more than the lightest (40 against 18 points), as it would if an error of the same size hides more where lines have less contrast. Groups 3 and 4 then lose no more than the lightest (11 and 18 points): for them it matters that the error is their own (its place, its form or its colours: the swap changes all three).
#
# Real-ESRGAN's discriminator is a U-Net, which gives a score to every pixel (ours: to every 2 × 2 pixels). It tells restored pictures from true ones well. **Paste a restored patch into a true picture. Does a score of the map say whether its place was pasted?**

# %%
# Replace ... by one of: "no", "better than guessing", "as surely as whole pictures"
guess = predict("restoration.map_of_d", ...)

# %%
umap = load_weights("repair_judge", UNetDiscriminator(16, 2))
top, left, high, wide = box = 20, 24, 24, 28
pasted, fixed = true64.clone(), repaired["chain", "blind + D"]
pasted[..., top : top + high, left : left + wide] = fixed[..., top : top + high, left : left + wide]
with torch.no_grad():
    on_true, on_made, on_pasted = (umap(x)[:, 0] for x in (true64, fixed, pasted))
    habit = umap(data.load("peeps", size=64)[:k].floats())[:, 0].mean(0)
here = torch.zeros(32, 32, dtype=torch.bool)
here[top // 2 : (top + high) // 2, left // 2 : (left + wide) // 2] = True

# %% [markdown]
# D scores some places of every picture lower than others. `habit` is its mean map of true training faces; it is subtracted to give the map its best chance. The measure: how often does a random score inside the box lie below a random one outside? It is compared with whole pictures, single scores again: how often does a random score of a restored picture lie below a random one of a true picture?


# %%
def lower(a, b):
    """How often a random score of a lies below one of b: 0.5 is guessing"""
    i, j = (torch.randint(x.numel(), (50_000,), generator=seed(i)) for i, x in enumerate((a, b)))
    return (a.flatten()[i] < b.flatten()[j]).double().mean().item()


means = lower(on_made.mean((1, 2)), on_true.mean((1, 2)))
whole = lower(on_made - habit, on_true - habit)
print(f"whole pictures: restored below true in {means:.0%} of the means, {whole:.0%} of the scores")
for name, less in {"scores as they are": 0, "after the habit is subtracted": habit}.items():
    base, place = (lower((x - less)[:, here], (x - less)[:, ~here]) for x in (on_true, on_pasted))
    print(
        f"{name}: inside below outside in {place:.0%}; in true pictures, nothing pasted, {base:.0%}"
    )
answer = "as surely as whole pictures" if place > whole - 0.05 else "better than guessing"
print(guess.reveal(answer if place > max(base, 0.5) + 0.1 else "no"))


# %%
@torch.no_grad()
def lower_inside(top, left):
    """The share of pictures whose mean score is lower inside the box than outside: pasted, true"""
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[top // 2 : (top + high) // 2, left // 2 : (left + wide) // 2] = True
    x, patch = true64.clone(), (..., slice(top, top + high), slice(left, left + wide))
    x[patch] = fixed[patch]
    maps = [umap(x)[:, 0] - habit, on_true - habit]
    return [(m[:, inside].mean(1) < m[:, ~inside].mean(1)).double().mean().item() for m in maps]


for at in ((20, 24), (0, 0), (0, 36), (40, 0), (40, 36)):
    share, in_true = lower_inside(*at)
    print(
        f"box at {at}: lower inside in {share:.0%} of pasted pictures, {in_true:.0%} of true ones"
    )
    if full:
        assert share > in_true + 0.1
if full:
    share, in_true = lower_inside(top, left)
    assert share > 0.95 and in_true < 0.6 and 0.7 < place < whole - 0.1
figures.where(pasted[:6], (on_pasted - habit)[:6], box)

# %% [markdown]
# Taken as they are, the scores do not show the patch: D's habit hides it. After the habit is subtracted, the mean score inside the box is lower than outside in nearly every picture (in true pictures in about half), so the map does show roughly where the patch is. This box, the first line, is in the middle of the face. In the two lower corners the map is about as sure; in the two upper ones less: 80 and 91 %, where true pictures have 60 and 62 %. The map does not find the edges: the low scores spread far beyond the box, and a single score inside lies below one outside in only 80 % of the draws (with whole pictures, a single score of a restored one lies below one of a true one in 97 % of the draws). The training never asked where: every picture was restored everywhere or nowhere. (Training with pasted patches, CutMix, teaches it: Schönfeld and others 2020.) A map of scores is no evidence until it has been tested like this.
#
# ## 6 · A face as prior
#
# If you know that the picture shows a face, use a network that knows faces. GFP-GAN (Wang and others 2021b) takes a style generator such as lecture 09's and keeps its weights fixed. A small network reads the damaged picture, chooses a style for each layer, and changes *half* of the generator's maps by a scale and a shift.
#
# ### Exercise 10 · Half of it belongs to the prior
#
# `h` is `(B, C, H, W)`; `scale` and `shift` are `(B, C/2, H, W)`. Keep the first half of the channels, turn the second into $h\,(1 + \text{scale}) + \text{shift}$. Do not change `h`; gradients must reach all three arguments. *Two lines, four minutes.*


# %%
def modulate_half(h, scale, shift):
    """[prior's half, half · (1 + scale) + shift]: same shape as h"""
    ### BEGIN SOLUTION
    kept, turned = h.chunk(2, 1)
    return torch.cat([kept, turned * (1 + scale) + shift], 1)
    ### END SOLUTION


modulate_half = check("restoration.modulate_half", modulate_half)

# %% [markdown]
# Is the prior worth anything? We train three networks for the same number of steps: a plain one, one with lecture 09's face generator inside, and, as a **control**, one with a generator of the same shape whose weights are random. If only the architecture helped, the last two would be alike.

# %%
WIDE = (128, 96, 64)
prior = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
torch.manual_seed(5)
noise_prior = StyleGenerator(channels=WIDE, size=32)
torch.manual_seed(6)
arms = {
    "plain": enlarger(),
    "face prior": PriorRestorer(copy.deepcopy(prior)),
    "random prior": PriorRestorer(noise_prior),
}

# %%
batch, steps = pick(smoke=(4, 2), laptop=(16, 100), gpu=(32, 5000))
for name, net in arms.items():
    step = RestorationStep(net.to(home), shrink, lr=2e-3, steps=steps)
    begin = process_time()
    train(step, people.batches(batch, home, seed(7)), steps)
    print(f"{name}: {process_time() - begin:.0f} CPU seconds")
    arms[name] = step.ema.model.cpu()

# %%
for name, net in arms.items():
    made[name] = restore(net, y)
    judge(name, made[name])
judge("squared error", made["enlarge_mse"])
usual_face = right(usual, some.attributes, "face")
print(f"always naming the most common expression: {usual_face:.0%}")
if full:
    assert table["face prior"][1] < 0.8 * min(table["plain"][1], table["random prior"][1])
    assert table["face prior"][0] > table["random prior"][0]
    assert table["face prior"][2] < table["plain"][2] + 0.1
plots.rows({"seen": enlarge(y, 4, "nearest")[:10], **{name: made[name][:10] for name in arms},
            "true": truth[:10]})  # fmt: skip

# %% [markdown]
# After equally many steps the network with the face prior has more real patches than the plain one. With random weights inside, it is behind in both PSNR and patches: what helps here (100 steps, one seed each) is the generator's knowledge, not its architecture. Now the third question. With the prior the reader names no more expressions than without it, within the spread of ± 3 %, and it takes the glasses from 41 % of their wearers, where the plain network takes them from 18 %. (The random prior takes them from 39 %, so this loss may come from the architecture.) After a longer training without any prior (the line *squared error*, from section 4) the reader names more.
#
# PULSE (Menon and others 2020) uses a prior without any training: search for a code whose face, shrunk, looks like $y$. Whose face does it find?

# %%
count, hops = pick(smoke=(6, 4), laptop=(60, 50), gpu=(258, 200))


def draw(z):
    return prior(z, noise="none")


z = torch.randn(count, prior.nz, generator=seed(8))
fitted = restoration.fit_latents(draw, y[:count], z, hops)
with torch.no_grad():
    begun, found_faces = draw(z).clamp(-1, 1), draw(fitted).clamp(-1, 1)
judge("before the search", begun)
judge("search in a prior", found_faces)
judge("as many other people", others[:count])
for name, x in {"before": begun, "found": found_faces, "copies": copies[:count]}.items():
    print(
        f"{name}: shrunk again, they miss y by {(shrink(x) - y[:count]).square().mean().sqrt():.3f}"
    )
if full:
    assert table["search in a prior"][0] > table["before the search"][0] + 2
strip = {"seen": enlarge(y, 4, "nearest"), "found": found_faces, "true": truth}
plots.rows({name: x[:count][:10] for name, x in strip.items()})

# %% [markdown]
# The search makes the faces of random codes fit $y$ better (0.32 instead of 0.72), but the copies fit far better (0.08), and the patches become no more real. The search can only return faces that the generator can draw, and it stops after a fixed number of steps, converged or not. So three questions again: how well do the found faces fit $y$ (copies of training faces are the rival), how often is the expression named (the floor is guessing, the last line of the next cell), and whose skin comes out wrong?

# %%
skin, true_skin = read(found_faces)["skin"], some.attributes["skin"][:count]
with torch.no_grad():
    drawn = read(draw(torch.randn(500, prior.nz, generator=seed(9))))["skin"]
print("skins of 500 random codes, from light to dark:",
      *(f"{(drawn == i).double().mean():.0%}" for i in range(5)))  # fmt: skip
for name, group in {"two lightest": true_skin < 2, "two darkest": true_skin > 2}.items():
    moved = skin[group] - true_skin[group]
    print(f"{name} skins, {group.sum()} people: {(moved < 0).sum()} came out lighter, "
          f"{(moved > 0).sum()} darker")  # fmt: skip
named = {"found": read(found_faces), "copies": read(copies[:count]), "truth": read(truth[:count])}
named["the most common value"] = {key: value[:count] for key, value in usual.items()}
for name, found in named.items():
    print(f"{name}: expression named correctly in {right(found, some.attributes, 'face'):.0%}")

# %% [markdown]
# The reader names the expression in 5 % of the found faces, no more often than guessing (7 %): the search has found somebody else. Of the 47 people with one of the two lightest or two darkest skins, 5 came out lighter and 10 darker. These are too few people, and only one prior (which draws the five skins about equally often), to say whether one direction is more frequent, or why. In 2020, a public demonstration of PULSE with a generator of photographs returned light faces for dark ones; its training pictures were the first suspect.
#
# ## 7 · Noise
#
# Lecture 07's model also restores pictures with four times the noise of section 2: $y = x + \sigma\varepsilon$ with σ = 2, as large as the step from black to white. One step of it returns an estimate of the mean. GANs are trained against noise too, for example for CT pictures of a low dose (Wolterink and others 2017). Here two copies of that one-step network are trained further for equally many steps, with the same pictures and the same noise: one by the squared error alone, which is the **control**, the other by the squared error and a relativistic D.
#
# Two baselines need no network. A *Gaussian blur* averages neighbours. *Total variation* (Rudin, Osher and Fatemi 1992) finds the picture that is near $y$ and has little slope, $\min_F \tfrac12 \|F - y\|^2 + \lambda \sum |\nabla F|$, which keeps edges. Each gets the setting with the smallest error on training people.

# %%
SIGMA = 2.0


def noised(source):
    """x → x + σ ε, with its own source of noise"""
    return lambda x: x + SIGMA * torch.randn(x.shape, generator=source).to(x, non_blocking=True)


def blur(x, spread):
    return Damage(blur=(spread, spread, 0.0))(x)


grainy, known = noised(seed(1))(truth), sharp[: len(truth)]
trial, denoised = noised(seed(3))(known), {}
methods = {"Gaussian blur": (blur, (1.0, 1.5, 2.0, 3.0)),
           "total variation": (restoration.total_variation, (2.0, 3.0, 4.0, 6.0))}  # fmt: skip
for name, (method, settings) in methods.items():
    decibels = {setting: psnr(method(trial, setting).clamp(-1, 1), known) for setting in settings}
    print(name, ", ".join(f"{setting:g}: {db:.2f} dB" for setting, db in decibels.items()))
    denoised[name] = method(grainy, max(decibels, key=decibels.get))

# %%
batch, steps = pick(smoke=(4, 2), laptop=(16, 80), gpu=(64, 2000))
one_step = Denoiser(diffusion, faces, SIGMA)


def trained_on(adversary, number):
    """The one-step network after more steps: the same pictures and noise with and without D"""
    torch.manual_seed(number)
    judged = PictureDiscriminator(32).to(home) if adversary else None
    net = copy.deepcopy(one_step).train().to(home)
    step = RestorationStep(net, noised(seed(number)), loss="mse", lr=2e-4, steps=steps, ema=0.95,
                           discriminator=judged, adversary=adversary)  # fmt: skip
    train(step, people.batches(batch, home, seed(number)), steps)
    return step


# %%
runs = {name: [trained_on(adversary, 20 + i) for i in range(2)]
        for name, adversary in {"control": 0, "with D": 0.002}.items()}  # fmt: skip
pulls = runs["with D"][0].pull(people[:16].floats().to(home))
print("pulls", {name: f"{pull:.4f}" for name, pull in pulls.items()})

# %%
denoised = {"noisy": grainy, **denoised, "one step, the mean": restore(one_step, grainy)}
for name, pair in runs.items():
    for i, step in enumerate(pair):
        denoised[f"{name}, seed {i + 1}"] = restore(step.ema.model.cpu(), grainy)
hops = pick(smoke=3, laptop=20, gpu=50)
denoised["a sample"] = restoration.denoise(diffusion, faces, grainy, SIGMA, seed(10), steps=hops)
apart = torch.cdist(grainy.flatten(1), people.floats().flatten(1))
denoised["copy of noise"] = people[apart.argmin(1)].floats()
for name, x in denoised.items():
    judge(name, x)
caught = {name: told_apart(truth, denoised[name].clamp(-1, 1), rounds)
          for name in ("control, seed 1", "with D, seed 1", "a sample")}  # fmt: skip
print("told from real:", ", ".join(f"{name} {share:.0%}" for name, share in caught.items()))
if full:
    for i in (1, 2):  # each seed beside its own control
        control, adversarial = table[f"control, seed {i}"], table[f"with D, seed {i}"]
        assert adversarial[1] < 0.95 * control[1] and abs(adversarial[0] - control[0]) < 0.15
        assert abs(adversarial[2] - control[2]) < 0.08
    assert table["control, seed 1"][0] > table["total variation"][0] + 5
    assert abs(table["control, seed 1"][0] - table["one step, the mean"][0]) < 0.15
    assert table["a sample"][0] < table["with D, seed 1"][0] - 0.5
    assert table["a sample"][1] < table["with D, seed 1"][1] and caught["with D, seed 1"] > 0.65
    assert table["a sample"][2] < min(table[f"control, seed {i}"][2] for i in (1, 2))
    assert table["copy of noise"][0] < table["a sample"][0]
    assert table["copy of noise"][2] > table["control, seed 1"][2] - 0.08
plots.rows({name: x[:10].clamp(-1, 1) for name, x in denoised.items() if "2" not in name}
           | {"true": truth[:10]})  # fmt: skip

# %% [markdown]
# The floor is wide, and these patch distances are small. So here is each again, against the other real people of section 1. No picture can profit here from being near the truth:

# %%
unrelated = {name: patch_distance(x, others) for name, x in (denoised | {"truth": truth}).items()}
for name, distance in unrelated.items():
    print(f"{name:20} {distance:6.2f}")
if full:
    assert all(unrelated[f"with D, seed {i}"] < unrelated[f"control, seed {i}"] for i in (1, 2))
    assert unrelated["truth"] < unrelated["a sample"] < unrelated["with D, seed 1"]

# %% [markdown]
# 80 more steps of squared error change nothing that we can measure (0.03 dB). So what the other copy gained comes from D: with both seeds its patches are a little more real than the control's, by both references, for 0.03 dB at most. The reader names no more expressions, a fresh network still tells most of the pictures from real ones, and by eye the two copies hardly differ. If looking real is the aim, the same model has a better answer that needs no training: a sample has more real patches. It has a price: about 1 dB. Fewer expressions are named, too (13 % against 20 %, each ± 3 %), and more glasses lost (30 % against 17 %, each ± 5 or 6 %), but both differences are only about twice the spread of one share, so they are not certain. The copy of the training face nearest to $y$ is a real picture, 1 dB farther down, and the reader names about as many expressions in it as in the network's answers. Blur and total variation are far behind: what helps against so much noise is to know faces.
#
# ## 8 · Holes
#
# In a hole nothing is known at all. A convolution near a hole must not mix what is known with whatever the hole contains. A **partial convolution** (Liu and others 2018) sums only over known places, and makes up for the missing ones: with $s$ of the $k^2$ places of a window known,
#
# $$h = \frac{k^2}{s}\,w * (\text{mask} \cdot x) + b \quad \text{if } s > 0, \text{ else } 0,$$
#
# and the place is known from then on.
#
# ### Exercise 11 · Partial convolution
#
# `x` `(B, I, H, W)`, `mask` `(1, 1, H, W)` with 1 for known and 0 for unknown (float), `weight` `(O, I, k, k)`, `bias` `(O,)`. No padding. Return the result and the new mask, of the same kind. Networks are trained through such layers (not in this lecture): gradients must be finite, also where nothing is known. *Five lines, ten minutes.*


# %%
def partial_conv(x, mask, weight, bias):
    """(result, new mask): (B, O, h, w), (1, 1, h, w)"""
    ### BEGIN SOLUTION
    window = torch.ones_like(weight[:1, :1])
    seen = F.conv2d(mask, window)
    known = (seen > 0).to(x.dtype)
    h = F.conv2d(x * mask, weight) * window.numel() / seen.clamp(min=1)
    return (h + bias[:, None, None]) * known, known
    ### END SOLUTION


partial_conv = check("restoration.partial_conv", partial_conv)

# %% [markdown]
# With equal weights, and repeated until nothing is unknown, a partial convolution fills a hole from its edge: the simplest baseline. The others: the *copy* of the training face that agrees best around the hole; a context encoder (Pathak and others 2016) trained by squared error; the same network after 250 more steps with a discriminator, and, as its **control**, after 250 more steps without one; and lecture 07's diffusion model (RePaint; Lugmayr and others 2022), run with each step taken once and again with each step taken twice: the repetition lets the known and the drawn part agree. The hole covers most of the face.

# %%
c = pick(smoke=6, laptop=72, gpu=258)
hole = torch.zeros(1, 1, 32, 32)
hole[..., 13:28, 9:28] = 1
encoders = {"context encoder": "fill_mse", "the same + D": "fill_gan"}
encoders = {name: load_weights(weights, Filler(24)) for name, weights in encoders.items()}


def with_hole(x):
    """What a filler is given, the picture and its hole: (B, 4, 32, 32)"""
    return torch.cat([x, hole.to(x, non_blocking=True).expand(len(x), -1, -1, -1)], 1)


# %% [markdown]
# The control trains here, with the settings and the batches of the network with D (its recipe is in `course_lib/recipes`); only the precision may differ: that network was trained in bfloat16, the control in whatever is fastest on this machine. A second network with D trains beside it, with a tenth of the weight.

# %%
batch, steps = pick(smoke=(4, 2), laptop=(16, 250), gpu=(16, 250))
for name, adversary in {"as long, no D": 0, "a tenth of D": 0.001}.items():
    torch.manual_seed(66)
    longer = copy.deepcopy(encoders["context encoder"]).train().to(home)
    judged = PictureDiscriminator(32).to(home) if adversary else None
    step = RestorationStep(longer, with_hole, loss="mse", pixels=3.6, lr=5e-4, steps=steps,
                           discriminator=judged, adversary=adversary)  # fmt: skip
    train(step, people.batches(batch, home, seed(60)), steps)
    encoders[name] = step.ema.model.cpu()
pulls = step.pull(people[:16].floats().to(home))
print({name: f"{pull:.4f}" for name, pull in pulls.items()}, "with a tenth of D")

# %%
in_steps = pick(smoke=3, laptop=25, gpu=100)


def nearest(covered, hole):
    """The hole filled from the training face that agrees best around it"""
    around = (hole == 0).expand(1, 3, 32, 32).flatten()
    apart = torch.cdist(covered.flatten(1)[:, around], people.floats().flatten(1)[:, around])
    return torch.where(hole > 0, people[apart.argmin(1)].floats(), covered)


def repaint(covered, hole, repeats):
    return diffusion.inpaint(faces, covered, hole, None, 1.0, seed(30), steps=in_steps,
                             repeats=repeats, prediction="v")  # fmt: skip


# %%
whole_faces, covered = truth[:c], torch.where(hole > 0, 0.0, truth[:c])
both = with_hole(covered)
filled = {"smooth": restoration.filled(covered, hole), "copy": nearest(covered, hole)}
filled |= {name: restore(net, both) for name, net in encoders.items()}
filled |= {f"diffusion × {repeats}": repaint(covered, hole, repeats) for repeats in (1, 2)}
plots.rows({"seen": covered[:10], **{name: x[:10] for name, x in filled.items()},
            "true": whole_faces[:10]})  # fmt: skip

# %%
inside, hits, holes = hole.expand_as(whole_faces) > 0, {}, {}
answers = {name: read(x) for name, x in (filled | {"truth": whole_faces}).items()}


def of_hole(x):
    return x[..., 13:28, 9:28]


answers["most common"] = {key: value[:c] for key, value in usual.items()}
for name, found in answers.items():
    hits[name] = {key: right(found, some.attributes, key) for key in ("skin", "face", "glasses")}
    told = ", ".join(f"{key} {share:4.0%}" for key, share in hits[name].items())
    if name in filled:
        mse = (filled[name] - whole_faces)[inside].square().mean().item()
        near, real = 10 * math.log10(4 / mse), patch_distance(of_hole(filled[name]), of_hole(truth))
        holes[name] = near, real
        told += f"; in the hole {near:5.2f} dB, patch distance {real:6.2f}"
        if full:
            assert hits[name]["face"] < 0.15 and hits[name]["skin"] > 0.35
    print(f"{name:15} named correctly: {told}")
if full:
    start, control, strong, weak = (
        holes[name] for name in ("context encoder", "as long, no D", "the same + D", "a tenth of D")
    )
    assert control[0] > start[0] + 0.1 and control[0] > strong[0] + 0.5 and strong[1] > control[1]
    assert abs(weak[0] - control[0]) < 0.2 and weak[1] < control[1]
    assert 10 * pulls["adversary"] > pulls["mse"] > 2 * pulls["adversary"]
floors = [
    patch_distance(of_hole(people[picks[:c]].floats()), of_hole(truth))
    for picks in (torch.randperm(len(people), generator=seed(i)) for i in (10, 11, 12))
]
told = ", ".join(f"{floor:.2f}" for floor in floors)
print(f"patch distance of as many other people's, three draws: {told}")

# %% [markdown]
# For the expression, all methods are at the level of guessing: the picture does not say what was behind the hole. The skin is named far more often than by guessing, because some of it is seen around the hole. Glasses need their baseline: as most people wear none, always saying "none" is already right in the share of the line *most common* (61 %). Smooth filling does no better; all others do. The context encoder, trained by the squared error, is nearer than the copy and as near as diffusion × 2, but it shows the ghost of a mean face. The copy looks most like a person, and is another one: its patch distance (8.5) is the nearest to the floor (the last line: 4.6 to 8.0 for three draws of as many other people). Diffusion comes next. With each step taken once, the drawn part often has another skin than the face around it (skin named in 56 %, in smooth filling 67 %); with each step taken twice it is named in 78 %. (This also asks the network nearly twice as often. As many more steps, each taken once, are not tried here, and each line is one seed.)
#
# What did D do (*the same + D*)? Beside the network's start D seems to cost half a dB. Beside the control, which had as many steps, it costs 0.9 dB, the patches in the hole are less real too (59.9 against 51.2), and D prints a checkerboard. The pull of this D was not measured; ten times the pull printed for the weak D would exceed that of the squared error. With a tenth of the weight the network is as near as the control, and its patches are a little more real (one seed). What the reader names differs between the four encoders by no more than the spread, ± 6 % for 72 people.
#
# The context encoder was trained for this one hole. Move it: which methods still work?

# %%
places = {"the face, as trained": (13, 28, 9, 28), "the eyes": (13, 19, 9, 26),
          "the mouth": (20, 27, 12, 26), "the hair": (2, 12, 6, 26), "the left half": (0, 32, 0, 16)}  # fmt: skip


def cut(x, top, bottom, left, right):
    x = x.clone()
    x[..., top:bottom, left:right] = 0  # no pixel of the faces is exactly 0
    return x


def unseen(x):
    return (x == 0).all(1, keepdim=True)[:1].float()


fillers = {
    "smooth": lambda x: restoration.filled(x, unseen(x)),
    "copy": lambda x: nearest(x, unseen(x)),
    "encoder": lambda x: restore(
        encoders["context encoder"], torch.cat([x, unseen(x).expand(len(x), -1, -1, -1)], 1)
    ),
    "diffusion": lambda x: repaint(x, unseen(x), 1),
}


def close(name, x):
    return f"{name} <b>{psnr(x, truth[: len(x)]):.1f} dB</b>"


cuts = {
    name: partial(cut, top=a, bottom=b, left=c, right=d) for name, (a, b, c, d) in places.items()
}
sliders.bench(fillers, truth[:8], cuts, close)

# %% [markdown]
# ## 9 · Two sensors
#
# Some pictures are restored from two sources. A satellite measures a sharp grey picture and coarse colours: 64 × 64 grey, 16 × 16 colours. The grey sensor sees a weighted sum of the colours.
#
# ### Exercise 12 · Pan-sharpening
#
# Take the colours, enlarged, and add the same detail to every channel: the measured grey minus the brightness $\sum_c w_c\,\text{colour}_c$ that the enlarged colours already have. `colours` `(B, C, H, W)`, `grey` `(B, 1, H, W)`, `weights` `(C,)`. *Two lines, five minutes.*


# %%
def pan_sharpen(colours, grey, weights):
    """Colours with the detail of the grey picture: same shape as colours"""
    ### BEGIN SOLUTION
    brightness = torch.einsum("c,bchw->bhw", weights, colours)[:, None]
    return colours + (grey - brightness)
    ### END SOLUTION


pan_sharpen = check("restoration.pan_sharpen", pan_sharpen)

# %% [markdown]
# FusionGAN (Ma and others 2019) asks for a picture that is near one source and has the slopes of the other: $\|F - \text{colours}\|^2 + \xi\,\|\nabla F - \nabla \text{grey}\|^2$, minimised by a network with a discriminator. But the minimum of this loss can be computed exactly, by cosines. (FusionGAN adds a discriminator's term, which is not minimised here.) Beside it we train a small network by L1, and the same network with a discriminator: once for as many steps, once *for the same CPU seconds*. **Which is the simplest one that comes within 0.5 dB of the best of them?**

# %%
# Replace ... by one of: "one line of arithmetic", "a network", "a network and a discriminator"
guess = predict("restoration.which_fusion", ...)

# %%
earth, far = data.load("earth", size=64), data.load("earth", "test", size=64)
BANDS = torch.tensor([0.45, 0.40, 0.15])  # what the grey sensor sees of red, green and blue


def sensed(x, bands=BANDS):
    """Colours of 16 × 16, enlarged, and the grey picture: (B, 4, H, W)"""
    grey = torch.einsum("c,bchw->bhw", bands, x)[:, None]
    return torch.cat([enlarge(resized(x, 16)), grey], 1)


scene = far.targets[:: pick(smoke=20, laptop=1, gpu=1)].float() / 127.5 - 1
colours, grey = sensed(scene).split((3, 1), 1)

# %% [markdown]
# Three answers without training: the one line; the *ratio* of brightness as a factor for all colours, which are moved to the range from 0 to 1 for this (Brovey); and the exact minimum, with the best of four ξ on these very pictures.

# %%
positive, level = (colours + 1) / 2, (torch.einsum("c,bchw->bhw", BANDS, colours)[:, None] + 1) / 2
fused = {
    "colours enlarged": colours,
    "ratio (Brovey)": positive * (grey + 1) / 2 / level.clamp(min=1e-3) * 2 - 1,
    "one line": pan_sharpen(colours, grey, BANDS),
}
losses = {xi: restoration.content_minimum(colours, grey, xi) for xi in (1, 5, 25, 100)}
decibels = {xi: psnr(x.clamp(-1, 1), scene) for xi, x in losses.items()}
print(", ".join(f"ξ = {xi}: {db:.2f} dB" for xi, db in decibels.items()))
best_xi = max(decibels, key=decibels.get)
fused[f"content loss, ξ = {best_xi}"] = losses[best_xi]

# %%
batch, steps = pick(smoke=(4, 2), laptop=(16, 120), gpu=(64, 5000))
measured_by = partial(sensed, bands=BANDS.to(home))


def fusion_step(steps, discriminator=None):
    torch.manual_seed(9)
    players = {"discriminator": discriminator, "adversary": 0.001}
    net = FusionNet(BANDS.tolist()).to(home)
    return RestorationStep(net, measured_by, lr=5e-3, steps=steps, **players)


def seconds_of(step, steps):
    """CPU seconds of so many steps"""
    begin = process_time()
    train(step, (pair[1] for pair in earth.batches(batch, home, seed(10))), steps)
    return process_time() - begin


# %%
alone = fusion_step(steps)
seconds = seconds_of(alone, steps)
pace = seconds_of(fusion_step(2, PictureDiscriminator(64).to(home)), 2) / 2
fewer = max(2, round(seconds / pace))  # with a discriminator, in the same time
trained = {"network": alone}
for name, count in {"network + D": steps, "network + D, same time": fewer}.items():
    trained[name] = fusion_step(count, PictureDiscriminator(64).to(home))
    print(f"with D {count} steps in {seconds_of(trained[name], count):.0f} s", end="; ")
print(f"without D {steps} steps in {seconds:.0f} s")
for name, step in trained.items():
    fused[name] = restore(step.ema.model.cpu(), torch.cat([colours, grey], 1))

# %%
near = {name: psnr(x.clamp(-1, 1), scene) for name, x in fused.items()}
answers = {"one line of arithmetic": near["one line"], "a network": near["network"],
           "a network and a discriminator": near["network + D"]}  # fmt: skip
simplest = next(name for name, db in answers.items() if db > max(answers.values()) - 0.5)
print(guess.reveal(simplest))
for name, x in fused.items():
    print(f"{name:24} {near[name]:5.2f} dB, patch distance {patch_distance(x, scene):6.3f}")
elsewhere = earth.targets[: len(scene)].float() / 127.5 - 1
floor = patch_distance(elsewhere, scene)
print(f"{'other real scenes':24} {psnr(elsewhere, scene):5.2f} dB, patch distance {floor:6.3f}")
if full:
    assert patch_distance(fused["one line"], scene) < 0.01 * floor
    assert near["network + D"] < near["one line"] + 0.1 and near["network"] < near["one line"] + 0.1
    assert near["one line"] > near[f"content loss, ξ = {best_xi}"] + 2

# %% [markdown]
# The differences are too small for the eye, so the rows below the truth show errors, eight times as strong (grey is no error):

# %%
every = slice(None, None, max(1, len(scene) // 6))
shown = {"colours": colours, "grey": grey.expand_as(colours), "true": scene}
shown |= {f"{name}: error": 8 * (fused[name] - scene) for name in list(fused)[2:]}
plots.rows({name: x[every][:6].clamp(-1, 1) for name, x in shown.items()})

# %% [markdown]
# The exact minimum of the content loss is far behind one line of arithmetic, even with the best of four ξ. So no better minimiser of this term could rescue it: what decides is the loss. (FusionGAN itself was made for infrared and visible light, and its discriminator adds a term.) The trained networks begin at the one line. After 120 steps they are a few hundredths of a dB behind it, with D and without; with D and only the same number of seconds, about 0.1 dB. So they are as near as the one line, and no nearer. D adds nothing here: in these 120 steps its loss stays at 1.39 = 2 log 2, which is guessing (whether a D that learns longer finds something is not tried). And the patches of the one line are more than a hundred times nearer to the truth's than those of other real scenes, so by this ruler almost no realness is left to win. (The setting favours the one line: it is given the exact weights of the grey sensor, and both pictures are without noise and fit each other exactly.) Move ξ between the two sources:

# %%


def nearness(x):
    return f"<b>{psnr(x, scene[: len(x)]):.2f} dB</b>; one line: {psnr(fused['one line'].clamp(-1, 1), scene):.2f} dB"


sliders.sensors(colours[:8], grey[:8], scene[:8], nearness)

# %%
strip = {f"ξ = {xi}": x[every][:6] for xi, x in losses.items()}
plots.rows({"colours": colours[every][:6], **strip, "true": scene[every][:6]})

# %% [markdown]
# ## 10 · What may be believed?
#
# A witness's camera shows 64 pixels of a face. You now have five ways to make a portrait of it. Whom does it show?

# %%
suspects = {
    "bicubic": bicubic,
    "squared error": made["enlarge_mse"],
    "GAN": made["enlarge_gan"],
    "diffusion": draws[0],
    "copy": copies,
    "truth": truth,
}
hits = {}
for name, found in (
    {"most common": usual} | {name: read(x) for name, x in suspects.items()}
).items():
    shares = [
        f"{key} {right(found, some.attributes, key):4.0%}" for key in ("skin", "head", "face")
    ]
    hit = torch.stack([found[key] == some.attributes[key] for key in found]).all(0)
    hits[name] = hit.double().mean().item()
    print(f"{name:14} {', '.join(shares)}; all {len(found)} attributes {hits[name]:4.0%}")
if full:
    assert max(hits[name] for name in hits if name != "truth") < 0.5
    assert hits["copy"] < hits["squared error"]

# %% [markdown]
# The first line is what guessing scores, the last one is the reader's ceiling. No method gets all attributes right for more than half of the people. And how real a picture looks does not tell how right it is: the copy is a real picture, and even the blurred answer of the squared error is right more often. Restored pictures are fine for enjoying old films. As evidence of who somebody was, they are inventions that look as trustworthy as photographs.
#
# What belongs to these systems and is not run here: SRGAN's residual blocks with BatchNorm; sinc filters in Real-ESRGAN's chain, and its sharpened targets; GFP-GAN's losses for eyes, mouth and identity, which need face landmarks and a face network; ratings by people, which SRGAN's paper collected; infrared and visible light fused, where no truth exists to judge by.
#
# | system | its idea, in this lecture | what was measured here |
# |---|---|---|
# | SRGAN | features and a discriminator in the loss | each, beside a control trained as long |
# | ESRGAN | dense blocks, features before the activation, relativistic D, interpolation | the factor 1.2²³, the pull of each part, blends of weights and of pictures |
# | Real-ESRGAN | random damage, twice; a U-Net discriminator | three networks, one change at a time, on three kinds of damage; what the map knows |
# | GFP-GAN | a face generator inside, half of its maps changed | beside the same with random weights |
# | PULSE | a search in a face generator | whether the found face fits, and whose it is |
# | DDNM, RePaint | a diffusion model made to agree with what is known | error, patches, attributes; for DDNM, whether two samples agree (the factor 2 was tested on denoising alone) |
# | context encoder, partial convolutions | a hole filled by a network, or from its edge | beside copies of other people |
# | denoising GAN | a discriminator for denoised pictures | beside the same network trained as long without it, blur, total variation |
# | FusionGAN | slopes of one sensor, values of another | the exact minimum of its loss beside one line |
#
# ## To go further
#
# 1. **Ten times the weight.** Set `adversary=0.03` in section 4, then 0.1 and 0.3, and train for 300 steps each time. At which ratio of the pulls do the pictures break, if they do?
# 2. **Your own chain.** Remove JPEG from the damage in `repair_blind`'s recipe and train again. Which damage does it no longer repair?
# 3. **More samples.** Draw eight diffusion samples of one $y$ and mark every pixel by their spread. Is the truth farther from the mean where the spread is large?
# 4. **Holes anywhere.** Train `fill_mse` on holes at random places. What does it lose on the hole in the middle of the face?
# 5. **CutMix.** Train `repair_judge` further on pasted patches. Does its map now say where?
#
# ## References
#
# - C. Ledig, L. Theis, F. Huszár and others. Photo-realistic single image super-resolution using a generative adversarial network. *CVPR* 2017, arXiv:1609.04802.
# - X. Wang, K. Yu, S. Wu and others. ESRGAN: enhanced super-resolution generative adversarial networks. *ECCV Workshops* 2018, arXiv:1809.00219.
# - X. Wang, L. Xie, C. Dong, Y. Shan. Real-ESRGAN: training real-world blind super-resolution with pure synthetic data. *ICCV Workshops* 2021a, arXiv:2107.10833.
# - X. Wang, Y. Li, H. Zhang, Y. Shan. Towards real-world blind face restoration with generative facial prior (GFP-GAN). *CVPR* 2021b, arXiv:2101.04061.
# - Y. Blau, T. Michaeli. The perception-distortion tradeoff. *CVPR* 2018, arXiv:1711.06077.
# - D. Freirich, T. Michaeli, R. Meir. A theory of the distortion-perception tradeoff in Wasserstein space. *NeurIPS* 2021, arXiv:2107.02555.
# - A. Jolicoeur-Martineau. The relativistic discriminator: a key element missing from standard GAN. *ICLR* 2019, arXiv:1807.00734.
# - Y. Wang, J. Yu, J. Zhang. Zero-shot image restoration using denoising diffusion null-space model (DDNM). *ICLR* 2023, arXiv:2212.00490.
# - S. Ainsworth, J. Hayase, S. Srinivasa. Git Re-Basin: merging models modulo permutation symmetries. *ICLR* 2023, arXiv:2209.04836.
# - S. Menon, A. Damian, S. Hu and others. PULSE: self-supervised photo upsampling via latent space exploration of generative models. *CVPR* 2020, arXiv:2003.03808.
# - E. Schönfeld, B. Schiele, A. Khoreva. A U-Net based discriminator for generative adversarial networks. *CVPR* 2020, arXiv:2002.12655.
# - D. Pathak, P. Krähenbühl, J. Donahue and others. Context encoders: feature learning by inpainting. *CVPR* 2016, arXiv:1604.07379.
# - G. Liu, F. Reda, K. Shih and others. Image inpainting for irregular holes using partial convolutions. *ECCV* 2018, arXiv:1804.07723.
# - A. Lugmayr, M. Danelljan, A. Romero and others. RePaint: inpainting using denoising diffusion probabilistic models. *CVPR* 2022, arXiv:2201.09865.
# - L. Rudin, S. Osher, E. Fatemi. Nonlinear total variation based noise removal algorithms. *Physica D* 60, 1992.
# - J. Wolterink, T. Leiner, M. Viergever, I. Išgum. Generative adversarial networks for noise reduction in low-dose CT. *IEEE Transactions on Medical Imaging* 36, 2017.
# - J. Ma, W. Yu, P. Liang and others. FusionGAN: a generative adversarial network for infrared and visible image fusion. *Information Fusion* 48, 2019.
# - ITU-T Recommendation T.81: digital compression and coding of continuous-tone still images (JPEG). 1992.
