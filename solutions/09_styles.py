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
# # 09 · Styles and scale
#
# {{badge}}
#
# **You will be able to**
# - write the parts that let a GAN grow from 4 × 4 pixels, and say what growing saves;
# - build a generator in which every layer has its own style, mix two people in it, and pull people towards the average;
# - explain why StyleGAN2 normalises the kernels of a layer instead of its maps;
# - recognise a discriminator that has memorised its training pictures, and augment its pictures without leaking the augmentation;
# - measure, in decibels, how much of a picture sticks to the pixel grid;
# - use attention, spectral normalisation, class-conditional BatchNorm and a discriminator on fixed features, and say what each one changes.
#
# **Time**: two to three hours with the exercises. The cells run in less than 10 minutes on a laptop. **You need**: lectures 03 (what a GAN is), 04 (the DCGAN of faces) and 05 (Fréchet distance, precision and recall, gradient penalties).

# %%
# {{setup}}

# %%
import math
from time import process_time
from unittest import mock

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import nn

from course_lib import (
    data,
    dcgan,
    device,
    gan,
    metrics,
    plots,
    pretrained,
    scaling,
    studies,
    styles,
)
from course_lib.augmentation import Augmentation, augment
from course_lib.autoencoders import Autoencoder

# %%
from course_lib.exercises import check, hint, predict, solution
from course_lib.pca import PCA
from course_lib.plots import styles as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.studies import grain
from course_lib.styles import StyleDiscriminator, StyleGenerator, StyleStep
from course_lib.training import train
from course_lib.widgets import styles as sliders

WIDE, NARROW = (128, 96, 64), (96, 64, 48)  # channels at 4 × 4, 8 × 8 and 16 × 16
full = current() != "smoke"


def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # the last training runs here; all that is looked at, on the CPU
faces, held_out = (data.load("peeps", split, size=32) for split in ("train", "test"))

# %% [markdown]
# The generator of lecture 04 takes 128 numbers and returns a face. Which number does what? Nothing in its training decides that. Between 2017 and 2023 a series of papers made GANs larger, easier to control, and able to learn from fewer pictures. Each paper has a core idea that takes a few lines of code. We write these lines, and ask of each idea: *which number does it change, and can you see the change in the pictures?*
#
# All faces of this lecture are 32 × 32 pixels, so that everything runs on two cores. The Fréchet distance is measured in two descriptions of a face: the features of lecture 05's **feature network**, which was trained to name attributes, and its **pixels**, shrunk to 16 × 16 and described by 64 principal components, which know nothing about attributes. An independent **classifier** reads off attributes such as the head (hair or hat; 47 values), the skin (5) and glasses.

# %%
features, reader = metrics.FeatureNet("peeps"), metrics.Classifier("peeps")


def small(x):
    return F.adaptive_avg_pool2d(x, 16).flatten(1)


components = PCA(64).fit(small(faces.floats()))
judges = {
    "features": features.features,
    "16 × 16 pixels": lambda x: components.encode(small(x)).float(),
}
real = {name: judge(held_out.floats()) for name, judge in judges.items()}


def distances(x):
    """Fréchet distance of x to the held-out faces, by two judges"""
    pairs = {name: (metrics.fit_gaussian(judge(x)), real[name]) for name, judge in judges.items()}
    return {
        name: metrics.frechet_distance(*fake, *metrics.fit_gaussian(held))
        for name, (fake, held) in pairs.items()
    }


# %%
@torch.no_grad()
def read(x):
    """What the classifier reads off: attribute -> a value for each picture"""
    parts = [reader(part) for part in x.clamp(-1, 1).split(250)]
    return {key: torch.cat([part[key] for part in parts]).argmax(1) for key in parts[0]}


# %% [markdown]
# ## 1 · Large by growing
#
# A picture of 1024 × 1024 has 65,536 times as many pixels as one of 4 × 4. ProGAN (Karras and others 2018) begins with 4 × 4. When that works, it adds a level of 8 × 8, then 16 × 16, and so on. Most of the training takes place on small pictures.
#
# Three small parts make it work. The first one concerns the learning rate. Adam moves every number by about the same amount in each step. A layer with small weights therefore changes by a larger *share* than a layer with large weights. ProGAN draws all first weights with a standard deviation of 1, and multiplies the weights by a constant each time they are used:
#
# $$\hat w = w \cdot \frac{\text{gain}}{\sqrt{n}}, \qquad n = \text{the number of products that one output sums up.}$$
#
# The gain is 1, or $\sqrt 2$ where a ReLU follows.
#
# (Section 4.1 of the paper prints $\hat w = w / c$ with $c$ this constant. The authors' code multiplies.)
#
# ### Exercise 1 · Equalized learning rate
#
# `weight` is `(outputs, inputs, …)`: a matrix or a kernel. The weight itself must stay as it is. *One line, three minutes.*


# %%
def equalized(weight, gain=1.0):
    """The weight as it is used: same shape"""
    ### BEGIN SOLUTION
    return weight * gain / math.sqrt(weight[0].numel())
    ### END SOLUTION


equalized = check("styles.equalized", equalized)

# %%
for inputs in (16, 256, 4096):
    drawn, x = torch.randn(8, inputs, generator=seed(0)), torch.randn(32, inputs, generator=seed(1))
    plain, stored = nn.Parameter(drawn / math.sqrt(inputs)), nn.Parameter(drawn.clone())
    before = plain.detach().clone(), equalized(stored).detach().clone()
    loss = (x @ plain.T).square().mean() + (x @ equalized(stored).T).square().mean()
    loss.backward()
    torch.optim.Adam([plain, stored], lr=0.002).step()
    after = plain.detach(), equalized(stored).detach()
    moved = [((b - a).norm() / a.norm()).item() for a, b in zip(before, after, strict=True)]
    print(f"{inputs:5} inputs: one step changes a plain layer by {moved[0]:5.1%}, ", end="")
    print(f"an equalized one by {moved[1]:.1%}")
    assert abs(moved[1] - 0.002) < 0.0002 and moved[0] > 0.0018 * math.sqrt(inputs)

# %% [markdown]
# Before the step, the two layers compute the same function. Only the equalized layer changes by the same share at every width.
#
# The second part is how a level comes in. A new level begins with random weights. If it replaced the old one at once, the generator would suddenly show noise. So the new level is **faded in**: the picture is a weighted mean of the old level, with its pixels doubled, and of the new one.
#
# ### Exercise 2 · Fade in
#
# `low` is `(B, C, h, w)`, `high` is `(B, C, 2h, 2w)`, `alpha` goes from 0 to 1. Values beyond that count as 0 or 1. *Three lines, four minutes.*


# %%
def fade_in(low, high, alpha):
    """(1 − α) · the doubled small picture + α · the large one: (B, C, 2h, 2w)"""
    ### BEGIN SOLUTION
    alpha = min(max(alpha, 0), 1)
    doubled = F.interpolate(low, scale_factor=2)
    return (1 - alpha) * doubled + alpha * high
    ### END SOLUTION


fade_in = check("styles.fade_in", fade_in)

# %% [markdown]
# At α = 0 the generator and the discriminator must compute what they computed before the new level. The next cell checks this on whole networks.

# %%
torch.manual_seed(0)
grower, judge = scaling.ProgressiveGenerator(64, WIDE), scaling.ProgressiveDiscriminator(WIDE)
z = torch.randn(1, 64, generator=seed(1))
grower.level = judge.level = 1
with torch.no_grad():
    before = grower(z)
    said = judge(before.repeat(4, 1, 1, 1))
    grower.level = judge.level = 2
    grower.alpha = judge.alpha = 0.0
    torch.testing.assert_close(judge(grower(z).repeat(4, 1, 1, 1)), said)
    grower.alpha = 1.0
    alone = grower(z)

# %% [markdown]
# The data are blended in the same way while a level fades in. Otherwise the discriminator would see sharp real pictures beside half-blurred fakes. Here the level of 16 × 16 fades in, in a real face and in the picture of a generator (an untrained one, so its picture is noise).

# %%
alphas, fading, face = (0.0, 0.25, 0.5, 0.75, 1.0), [], faces[4:5].floats()
with torch.no_grad():
    for alpha in alphas:
        grower.alpha = alpha
        fading.append(fade_in(before, alone, alpha))
        torch.testing.assert_close(grower(z), fading[-1])
blended = torch.cat([scaling.shrunk(face, 16, alpha) for alpha in alphas])
both = {"a real face": blended, "generator": torch.cat(fading)}
plots.rows(both, above=[f"α = {alpha:g}" for alpha in alphas])

# %% [markdown]
# The third part tells the discriminator how much the pictures of a batch differ. The discriminator can then recognise a generator that always draws the same face, even if that face is perfect.
#
# ### Exercise 3 · Minibatch standard deviation
#
# Split the batch of $B$ pictures into groups of $g$ = `group` pictures: picture $i$ belongs with $i + B/g$, $i + 2B/g$, …. (If $B$ is not a multiple of `group`, the batch is one group, $g = B$.) Within a group, compute the standard deviation of each channel at each place, dividing by $g$, with $10^{-8}$ added under the root. Take the mean over channels and places: one number for each group. Append this number to each picture of the group, as one more channel. *Five lines, ten minutes.*


# %%
def minibatch_std(x, group=4):
    """x with one channel more: (B, C, H, W) -> (B, C + 1, H, W)"""
    ### BEGIN SOLUTION
    b, c, h, w = x.shape
    g = group if b % group == 0 else b
    variance = x.view(g, b // g, c, h, w).var(0, correction=0)
    spread = (variance + 1e-8).sqrt().mean((1, 2, 3)).repeat(g)
    return torch.cat([x, spread.view(b, 1, 1, 1).expand(-1, 1, h, w)], dim=1)
    ### END SOLUTION


minibatch_std = check("styles.minibatch_std", minibatch_std)

# %%
different, copies = faces[:8].floats(), faces[:1].floats().repeat(8, 1, 1, 1)
for name, x in {"eight faces": different, "one face eight times": copies}.items():
    print(f"{name}: {minibatch_std(x, 8)[0, -1, 0, 0].item():.4f}")

# %% [markdown]
# Is growing cheap? A picture of 8 × 8 has a sixteenth of the pixels of one of 32 × 32. **What share of the time does a training step at 8 × 8 take?**

# %%
# Replace ... by one of: "a sixteenth", "about a quarter", "about the same"
guess = predict("styles.step_cost", ...)

# %%
LEVELS = (96, 64, 48, 24)  # channels at 4, 8, 16 and 32 pixels


def seconds_of(level, rounds):
    """CPU seconds that one picture takes at a level, in both players"""
    torch.manual_seed(0)
    players = scaling.ProgressiveGenerator(64, LEVELS), scaling.ProgressiveDiscriminator(LEVELS)
    for player in players:
        player.level = level
    step = gan.AdversarialStep(*players, betas=(0.0, 0.99))
    x = scaling.shrunk(faces[:16].floats(), 4 * 2**level, 1.0)
    step(x)
    begin = process_time()
    for _ in range(rounds):
        step(x)
    return (process_time() - begin) / rounds / len(x)


# %%
cost = {4 * 2**level: seconds_of(level, pick(smoke=2, laptop=15, gpu=15)) for level in range(4)}
share = cost[8] / cost[32]
near = {"a sixteenth": 1 / 16, "about a quarter": 1 / 4, "about the same": 1}
print(guess.reveal(min(near, key=lambda name: abs(math.log(share / near[name])))))
print(f"for 6 % of the pixels, a step at 8 × 8 takes {share:.0%} of the time of one at 32 × 32")
plots.bars({f"{side} × {side}": 1000 * s for side, s in cost.items()}, "ms per picture")

# %% [markdown]
# Small maps have the most channels, and calling a layer costs something at any size. The paper reports that growing often reached comparable quality up to two to six times faster, depending on the final size; at 32 pixels there is less to gain. Are the pictures better after the same time? `course_lib/studies/growing.py` trained the networks above for 30 CPU seconds in two ways, three times each. The Fréchet distances below compare the features of 516 samples with those of the 516 held-out faces.

# %%
ways = {"grown": [], "at full size": []}
for row in studies.read("growing"):
    ways[row["way"]].append(row)
for way, runs in ways.items():
    seen = sum(row["seen"] for row in runs) / len(runs)
    found = ", ".join(f"{row['frechet']:.1f}" for row in runs)
    print(
        f"{way:12} {seen:5,.0f} pictures seen; Fréchet distances (features) of three runs: {found}"
    )
best, worst = (
    {way: f(r["frechet"] for r in runs) for way, runs in ways.items()} for f in (min, max)
)
assert best["grown"] < worst["at full size"] and best["at full size"] < worst["grown"]

# %% [markdown]
# In the same time a growing network sees about 60 % more pictures, most of them smaller than 32 × 32. The distances of the two ways overlap: three runs of each cannot tell which is better. (All six generators are still poor: by the same measure, the generator of section 2 reaches 6.5 and real faces 2.9. Other schedules were not tried. So this says nothing about longer trainings.)

# %% [markdown]
# ## 2 · Style
#
# In lecture 04 the code enters at the first layer, and the other layers only see what that layer makes of it. StyleGAN (Karras and others 2019) changes this. The first layer begins with a learned constant. The code $z$ passes through a small network, the **mapping**, which turns it into a vector $w$. Every layer receives its own copy of $w$, and a linear layer of its own turns this copy into a **style**: a scale $s$ and a bias $t$ for each map. In the first StyleGAN, they become the standard deviation and the mean of the map, by *adaptive instance normalisation*:
#
# $$\text{AdaIN}(x_{bc}) = s_{bc}\,\frac{x_{bc} - \mu_{bc}}{\sqrt{\sigma_{bc}^2 + 10^{-8}}} + t_{bc},$$
#
# with $\mu_{bc}$ and $\sigma_{bc}^2$ the mean and variance over the places of map $c$ of picture $b$.
#
# ### Exercise 4 · AdaIN
#
# `x` is `(B, C, H, W)`, `scale` and `bias` are `(B, C)`. The variance divides by the number of places. *Three lines, five minutes.*


# %%
def adain(x, scale, bias):
    """Each map of each picture to mean `bias` and standard deviation `scale`: same shape as x"""
    ### BEGIN SOLUTION
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    normal = (x - mean) / (variance + 1e-8).sqrt()
    return normal * scale[:, :, None, None] + bias[:, :, None, None]
    ### END SOLUTION


adain = check("styles.adain", adain)

# %% [markdown]
# The course's generator of faces is a StyleGAN2 for 32 × 32 pixels (section 3 explains what is new in StyleGAN2). It has five convolutions, at 4 × 4, 8 × 8 (two) and 16 × 16 (two). Each size has a layer that turns its maps into colours; a small picture is doubled and added to that of the next size. The colour layers of 4 × 4 and 8 × 8 use the copy of $w$ of the convolution after them, and the last one has its own. So there are six copies of $w$, of 64 numbers each. Every colour layer writes four pixels for each place of its maps: this saves time, and it can leave a fine checkerboard in the pictures.
#
# In training, two kinds of discriminators judged its pictures: one on pixels, and small ones on a fixed network (section 8 explains them). After 44,000 rounds it generated only 37 of the 47 heads. A likely reason: a discriminator's gradient acts on samples, so nothing pulls them towards a head that none of them resembles. So it was trained further. Faces whose heads were missing, as counted by the feature network, were shown more often, and every few rounds the samples nearest to some real faces were moved towards these faces (Yu and others 2020). Its card says how many rounds that took, and how many heads are found now by a classifier that had no part in the training.

# %%
net = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
print(f"{sum(p.numel() for p in net.parameters()):,} weights, convolutions at {net.sides}")
card = (pretrained.FOLDER / "style_peeps32.md").read_text(encoding="utf-8").splitlines()
print(*(line for line in card if line.startswith(("| steps", "| found"))), sep="\n")
plots.grid(net.sample(44, generator=seed(0)))

# %% [markdown]
# How good is it? The baseline is the DCGAN of lecture 04, whose pictures of 64 × 64 are shrunk. The floor is a sample of training faces: a generator that only copied the training set would reach it.

# %% tags=["quality"]
n = pick(smoke=128, laptop=516, gpu=516)
old = load_weights("dcgan_peeps64", dcgan.Generator(nz=128))
samples = {
    "real faces (floor)": faces[torch.randperm(len(faces), generator=seed(0))[:n]].floats(),
    "StyleGAN2": net.sample(n, generator=seed(4)),
    "DCGAN": F.avg_pool2d(gan.sample(old, n, generator=seed(4)), 2),
}
quality = {}
for name, x in samples.items():
    found = distances(x)
    precision, recall = metrics.precision_recall(real["features"], judges["features"](x))
    quality[name] = {"Fréchet (features)": found["features"]}
    quality[name] |= {"precision": precision, "recall": recall}
    told = ", ".join(f"{judge} {d:5.1f}" for judge, d in found.items())
    print(f"{name:18} Fréchet by {told}; precision {precision:.2f}, recall {recall:.2f}")
for name in ("ddpm_peeps32", "style_peeps32"):
    card = (pretrained.FOLDER / f"{name}.md").read_text(encoding="utf-8").splitlines()
    print(f"card of {name}:", *(line for line in card if line.startswith("| Fréchet")))
if full:
    by_features = {name: found["Fréchet (features)"] for name, found in quality.items()}
    assert by_features["DCGAN"] > by_features["StyleGAN2"]
    assert quality["StyleGAN2"]["recall"] < quality["real faces (floor)"]["recall"] - 0.2

# %% [markdown]
# By both judges the style generator is closer to real faces than the DCGAN is: its distances are a bit more than a third of the DCGAN's. This does not show what the styles do, for three reasons. The networks also differ in size, in training time and in their discriminators. Small discriminators on a fixed network can lower both distances without better pictures (section 8). And both judges are close to the training: the feature network chose which faces were shown more often, and the samples were moved towards real faces in pixels shrunk to 16 × 16, too. (A third judge sees no gain from the further training: by its card, the distance in the classifier's features, on 258 samples, was 66 before it and is 67 after it; floor 33.)
#
# Precision is 0.93 for this generator and 0.89 for training faces. This does not make its faces better than real ones: precision does not ask whether rarer faces occur, and it can rise when they are left out. Recall, the last column, shows what is missing: it is 0.95 for training faces and 0.38 for this generator. Most held-out faces have no sample near them in the features, although all 47 heads occur among 5,000 samples. The diffusion model of lecture 07 does better on faces of this size: by the same features, with 258 samples each, the cards give 5.5 for it, which is the floor, and 9.2 for this generator (the last two lines above). We use the style generator for the control that it offers, which the rest of this section measures.
#
# ### Exercise 5 · Mixing
#
# `ws_a` and `ws_b` hold the copies of $w$ of two people for each layer, `(B, layers, 64)`. Return the copies of a for the layers before `cut`, and those of b from `cut` on. Leave the arguments as they are. *One line, three minutes.*


# %%
def mix(ws_a, ws_b, cut):
    """a's copies of w before the layer `cut`, b's from there on: same shape"""
    ### BEGIN SOLUTION
    return torch.cat([ws_a[:, :cut], ws_b[:, cut:]], dim=1)
    ### END SOLUTION


mix = check("styles.mix", mix)

# %% [markdown]
# Now replace the copies of $w$ for maps of one size only. **If A and B have different heads, and A gets B's copy at the 4 × 4 layer alone: whose head do you see most often?**

# %%
# Replace ... by one of: "A's", "B's", "a third one"
guess = predict("styles.coarse_swap", ...)

# %%
SIZES = {"4 × 4": (0, 0), "8 × 8": (1, 2), "16 × 16": (3, 4), "colours": (5, 5)}
n = pick(smoke=64, laptop=500, gpu=500)
with torch.no_grad():
    ws_a, ws_b, ws_c = (net.ws(torch.randn(n, net.nz, generator=seed(i))) for i in (1, 2, 4))
noise = [m.expand(n, -1, -1, -1) for m in net.noises(1, seed(3))]


@torch.no_grad()
def swapped(first, last):
    """The people A, with B's copies of w in the layers first … last"""
    return net.synthesis(mix(mix(ws_a, ws_b, first), ws_a, last + 1), noise)


# %% [markdown]
# We count over the pairs in which A and B differ. A value of B can also appear by chance. The last row shows how often: there, all copies of $w$ come from a stranger C.

# %%
seen_a, seen_b = read(swapped(0, -1)), read(swapped(0, 5))
swaps = {name: swapped(*layers) for name, layers in SIZES.items()}
with torch.no_grad():
    swaps["a stranger"] = net.synthesis(ws_c, noise)
shares = {}
for name, x in swaps.items():
    now, shares[name] = read(x), {}
    for key in ("head", "skin", "glasses"):
        apart = seen_a[key] != seen_b[key]
        taken = (now[key] == seen_b[key])[apart].double().mean().item()
        kept = (now[key] == seen_a[key])[apart].double().mean().item()
        shares[name][key] = taken, kept

# %%
taken, kept = shares["4 × 4"]["head"]
found = {"A's": kept, "B's": taken, "a third one": 1 - kept - taken}
print(guess.reveal(max(found, key=found.get)))
print("4 × 4 swapped:", ", ".join(f"{name} {share:.0%}" for name, share in found.items()))
for name in ("4 × 4", "8 × 8", "a stranger"):
    told = ", ".join(f"{key} {taken:.0%}" for key, (taken, _) in shares[name].items())
    print(f"{name:10} shows B's {told}")
if full:
    assert taken > shares["a stranger"]["head"][0] + 0.1
    assert all(
        shares[size][key][1] > 0.9 for size in ("16 × 16", "colours") for key in ("head", "skin")
    )
figures.kept_and_taken(shares)

# %% [markdown]
# Are the swapped pictures still faces? We measure their precision, the share of pictures that resemble a real face.

# %%
looked_at = {"unchanged A": swapped(0, -1), "4 × 4 and 8 × 8": swapped(0, 2)}
looked_at |= {size: swaps[size] for size in ("4 × 4", "8 × 8")}
fits = {}
for name, x in looked_at.items():
    described = judges["features"](x.clamp(-1, 1))
    fits[name], _ = metrics.precision_recall(real["features"], described)
print("precision:", ", ".join(f"{name} {share:.2f}" for name, share in fits.items()))
if full:
    broken = max(fits["4 × 4"], fits["8 × 8"])
    assert min(fits["unchanged A"], fits["4 × 4 and 8 × 8"]) > broken + 0.1

# %% tags=["cover"]
rows = {}
for i, (name, layers) in enumerate(list(SIZES.items())[:3]):
    ws = mix(mix(ws_a[:8], ws_b[i : i + 1].expand(8, -1, -1), layers[0]), ws_a[:8], layers[1] + 1)
    with torch.no_grad():
        donor = net.synthesis(ws_b[i : i + 1], [m[:1] for m in noise])[0]
        rows[name] = donor, net.synthesis(ws, [m[:8] for m in noise])
figures.mixing(swapped(0, -1)[:8], rows)

# %% [markdown]
# Read the orange bars against those of the last row, which are chance. The copies of $w$ at 4 × 4 and at 8 × 8 change most heads; those at 16 × 16 and of the last colours change few heads and few skins. Only the 4 × 4 swap gives B's values clearly more often than chance (heads 29 % against 2 %, skin 39 % against 17 %, glasses 70 % against 48 %). The 8 × 8 swap changes most heads, and only 1 % become B's. For its skins (19 %) and glasses (34 %) the last row cannot decide: a stranger replaces all copies, so this chance level is too high for a swap that leaves much of A in place.
#
# So mixing is not exchanging: after a swap at 4 × 4 the head is most often neither A's nor B's. Several layers make a head together. When only 4 × 4 or only 8 × 8 is swapped, fewer pictures resemble a real face: precision falls from 0.93 to 0.81 (4 × 4) and 0.78 (8 × 8). If both sizes are swapped together, it is 0.92. The classifier has to name one of 47 heads for a broken picture, too, so "neither's" holds new heads and broken ones.
#
# In the paper, layers of 64 × 64 and more decide the colours; this generator has none. Here the skin changes with the copies at 4 × 4 and 8 × 8.
#
# Try this on two other people: change the seeds.

# %%
a, b = (torch.randn(1, net.nz, generator=seed(i)) for i in (11, 12))


def told(x):
    return ", ".join(f"{key}: {value.item()}" for key, value in read(x).items())


sliders.mixer(net, a, b, told)

# %% [markdown]
# ### Truncation
#
# The average of many $w$ belongs to an average face. Every other $w$ can be pulled towards this average.
#
# ### Exercise 6 · Truncate
#
# Start at `mean` and go the share `psi` of the way to `w`. Return the point that you reach. Negative shares are allowed. *One line, two minutes.*


# %%
def truncate(w, mean, psi):
    """w drawn towards its mean: (…, d), (d,) -> (…, d)"""
    ### BEGIN SOLUTION
    return mean + psi * (w - mean)
    ### END SOLUTION


truncate = check("styles.truncate", truncate)

# %% [markdown]
# **At ψ = 0 every picture is the average face. What are precision and recall then?**

# %%
# Replace ... by one of: "both 0", "precision 1, recall 0", "both 1"
guess = predict("styles.precision_at_zero", ...)

# %%
z = torch.randn(pick(smoke=64, laptop=516, gpu=516), net.nz, generator=seed(4))
psis, strips = (1.0, 0.7, 0.5, 0.0), {}
measured = {"Fréchet (features)": [], "precision": [], "recall": []}
for psi in psis:
    with torch.no_grad():
        w = truncate(net.mapping(z), net.w_mean, psi)
        x = net.synthesis(w[:, None].expand(-1, net.layers, -1), generator=seed(5)).clamp(-1, 1)
    strips[psi] = x[:7]
    found = metrics.precision_recall(real["features"], judges["features"](x))
    for values, value in zip(measured.values(), (distances(x)["features"], *found), strict=True):
        values.append(value)

# %%
for name, values in measured.items():
    print(f"{name:18}", ", ".join(f"ψ = {p:g}: {v:.3g}" for p, v in zip(psis, values, strict=True)))
assert measured["precision"][-1] > 0.95 and measured["recall"][-1] < 0.05
distance, precision, recall = measured.values()
assert distance[-1] > 2 * distance[0]
if full:
    assert max(precision[:3]) - min(precision[:3]) < 0.05 and recall[2] < recall[0] / 2
print(guess.reveal("precision 1, recall 0"))
figures.truncation(strips, measured, quality["real faces (floor)"])

# %% [markdown]
# At ψ = 0, precision is at its best, and all pictures are the same picture: for a single picture, precision can only be 0 or 1. Between ψ = 1 and ψ = 0.5 it rises a little (0.93, 0.95, 0.97), while recall falls from 0.38 to 0.06 and the Fréchet distance trebles: here truncation costs far more than it gains. So one good number, or a page of beautiful samples at ψ = 0.5, says little about a generator: ask for ψ, and for recall.

# %%
sliders.truncation(
    net,
    torch.randn(10, net.nz, generator=seed(5)),
    lambda x: f"heads among these ten: <b>{len(read(x)['head'].unique())}</b>",
)

# %% [markdown]
# ### Is W easier to steer in than Z?
#
# A space is easy to steer in if a small step along the line from one face to another does not change the picture suddenly. The **perceptual path length** measures the change per step, in the features $f$ of a network. We use the feature network, which gave the generator no gradient; it only counted the heads of its samples:
#
# $$\ell(t) = \frac{1}{\varepsilon^2}\,\big\| f(g(w(t+\varepsilon))) - f(g(w(t))) \big\|^2, \qquad w(t) = (1-t)\,w_0 + t\,w_1 .$$
#
# ### Exercise 7 · Path length
#
# `w0` and `w1` are `(B, d)`, `t` is `(B,)`. `generate` takes all B codes at once, and `features` returns one row for each picture. Return a number for each pair. *Four lines, six minutes.*


# %%
def perceptual_path_length(generate, features, w0, w1, t, eps=1e-2):
    """How fast the features change at w(t): (B,)"""
    ### BEGIN SOLUTION
    t = t[:, None]
    here = features(generate(torch.lerp(w0, w1, t)))
    there = features(generate(torch.lerp(w0, w1, t + eps)))
    return (there - here).square().flatten(1).sum(1) / eps**2
    ### END SOLUTION


perceptual_path_length = check("styles.perceptual_path_length", perceptual_path_length)


# %%
@torch.no_grad()
def from_w(w):
    return net.synthesis(w[:, None].expand(-1, net.layers, -1), "none").clamp(-1, 1)


def described(w):
    return features.features(from_w(w))


def same(w):
    return w


def on_arc(t):
    return net.mapping(torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1)


# %% [markdown]
# The mapping first brings every $z$ to the same length. The paper therefore measures Z along arcs of a sphere (lecture 04's spherical interpolation) rather than along straight lines. We measure both. All three paths lead from the same face to the same other face, so each can be seen as a path in W. For comparison we also measure how fast $w$ itself moves along it: the same formula, without $g$ and $f$.

# %%
pairs = pick(smoke=16, laptop=300, gpu=300)
z0, z1 = (F.normalize(torch.randn(pairs, net.nz, generator=seed(i))) for i in (6, 7))
angle, t = F.cosine_similarity(z0, z1).acos()[:, None], torch.rand(pairs, generator=seed(8))
with torch.no_grad():
    w0, w1 = net.mapping(z0), net.mapping(z1)
paths = {
    "straight lines in W": (same, w0, w1),
    "straight lines in Z": (net.mapping, z0, z1),
    "arcs in Z": (on_arc, torch.zeros(pairs, 1), torch.ones(pairs, 1)),
}

# %%
means, per_speed = {}, {}
for name, (into_w, start, end) in paths.items():
    values = perceptual_path_length(into_w, described, start, end, t).detach()
    low, high = values.quantile(0.01), values.quantile(0.99)
    inner = values[(values >= low) & (values <= high)]  # without outliers, as in the authors' code
    means[name], error = inner.mean().item(), inner.std() / len(inner) ** 0.5
    with torch.no_grad():
        speed = perceptual_path_length(into_w, same, start, end, t).mean().item()
        far = (into_w(torch.lerp(start, end, t[:, None])) - net.w_mean).norm(dim=1).mean()
    per_speed[name] = means[name] / speed
    print(f"{name:19} {means[name]:5.0f} ± {error:.0f} (standard error); ", end="")
    print(
        f"squared speed in W {speed:.0f}, ratio {per_speed[name]:.0f}; from the average w {far:.1f}"
    )
if full:
    assert means["straight lines in W"] < min(means["straight lines in Z"], means["arcs in Z"])
    assert per_speed["straight lines in W"] > per_speed["arcs in Z"]

# %% [markdown]
# A second measure: can a *plane* separate the people with glasses from those without? A logistic regression learns the plane from four fifths of the codes, and is tested on the rest. If a plane does well, the attribute has a direction. Lecture 10 steers along such directions. The classifier, which says who wears glasses, is itself not always sure. The paper therefore keeps only the half of the pictures about which its classifier is surest; we count both.

# %%
n = pick(smoke=200, laptop=6000, gpu=12_000)
z = torch.randn(n, net.nz, generator=seed(21))
with torch.no_grad():
    w = net.mapping(z)
    parts = [reader(from_w(part))["glasses"].softmax(1) for part in w.split(250)]
sure, wears = torch.cat(parts).max(1)
planes = {}
for group, kept in {"all pictures": sure > 0, "the surer half": sure > sure.median()}.items():
    most, y, planes[group] = 4 * int(kept.sum()) // 5, wears[kept], {}
    for name, codes in {"Z": z[kept], "W": w[kept]}.items():
        plane = LogisticRegression(max_iter=1000).fit(codes[:most], y[:most])
        planes[group][name] = plane.score(codes[most:], y[most:])
    common = y[most:].double().mean().item()
    planes[group]["always the commonest answer"] = max(common, 1 - common)
    print(f"{group}:", ", ".join(f"{name} {share:.1%}" for name, share in planes[group].items()))
if full:
    for found in planes.values():
        assert found["W"] > found["Z"] > found["always the commonest answer"]
    assert planes["the surer half"]["W"] > planes["all pictures"]["W"] + 0.05

# %% [markdown]
# W wins by both measures: along a straight line in W the features change less (2142, against 3384 for straight lines and 3105 for arcs in Z), and a plane in W is right about glasses more often (88 % against 77 %; standard errors about 1 point). Only the second result says something about the space. On the half about which the classifier is surest, the plane in W is right about 98 % of the pictures, and the one in Z about 89 %. So a plane in W that is learned and tested on such pictures errs on only 2 %: most of the 12 % above probably belong to the other half. There the classifier's answers are doubtful, and the codes may also lie closer to the plane; we did not separate these two reasons.
#
# The first result comes from the choice of paths: the straight line is the shortest path in W, at constant speed, and its middle lies nearer to the average face. The mean squared speed in W itself is 54 along the lines and 137 along the arcs. Per unit of this squared speed, the features even change more along the lines (40 against 23): the lower speed explains the whole difference.
#
# The paper's explanation, for its own measurements: the codes $z$ fill a sphere evenly, whatever the data look like; the mapping is free to deform this sphere until attributes lie along lines.
#
# StyleGAN2 also *trains* for even steps. Its **path length regulariser** takes a random direction $y$ in the space of pictures and the Jacobian $J = \partial g / \partial w$ of the generator, and keeps $\|J^\top y\|$ near its running average. What does this length measure? For a linear generator $g(w) = A w$ the answer is exact: $\text{E}\,\|A^\top y\|^2 = \|A\|_F^2$ for $y \sim N(0, I)$. The course draws $y$ as the authors do, divided by $\sqrt{HW}$.

# %%
A = torch.randn(16, 3, generator=seed(22))
w = torch.randn(20_000, 1, 3, generator=seed(23), requires_grad=True)
length = styles.path_length((w[:, 0] @ A.T).view(-1, 1, 4, 4), w, seed(24))
by_draws, exact = length.square().mean().item(), A.square().sum().item() / 16
print(f"by 20,000 draws {by_draws:.4f}, exact {exact:.4f}")
assert abs(by_draws / exact - 1) < 0.03

# %% [markdown]
# So equal lengths at all $w$ mean that the picture changes equally fast around every face. The lengths also vary with $y$. With many pixels, they vary least if $J^\top J$ is a multiple of the identity (appendix C of the paper): then the picture changes equally fast in every direction of W, too. The course's generator was trained without this regulariser, so its effect is not shown here: a comparison takes hours of training on two cores.
#
# ### Noise
#
# Each convolution also gets noise: one map of random numbers, added to all channels at a strength that begins at 0 and is learned. In photographs the noise places hairs and freckles. What does it do here?

# %%
with torch.no_grad():
    other = torch.stack([net.synthesis(ws_a[:64], generator=seed(20 + i)) for i in range(8)])
by_noise, by_people = other.std(0).mean().item(), other[0].std(0).mean().item()
print("strengths:", ", ".join(f"{conv.strength.item():.4f}" for conv in net.convs))
print(
    f"a pixel's standard deviation over noises is {by_noise:.4f}, over people {by_people:.3f}: ",
    end="",
)
print(f"{by_noise / by_people:.1%}")
assert by_noise < 0.02 * by_people

# %% [markdown]
# The strengths have stayed near 0: training found little use for the noise. A likely reason: these drawings have no random details such as loose hairs and freckles; whatever differs between two pictures belongs to the person. Then the generator should use the noise as soon as the pictures do have something random. `course_lib/studies/grain.py` trained this generator further against a new discriminator, with the strengths of the last two convolutions set to 0.2 at the start: on the faces as they are, and on faces whose *dark* parts (most of the hair) get fresh grain each time they are shown. 700 rounds, in the first 300 of which only the discriminator learns; three seeds. If the generator learns what is random, noise must move the dark parts in the second case, and almost nothing in the first.

# %%
of_grain = {kind: [r for r in studies.read("grain") if r["kind"] == kind] for kind in grain.KINDS}
true = grain.of_data()
print(f"faces with grain themselves: dark {true['dark']:.2f}, light {true['light']:.2f}")
for kind, runs in of_grain.items():
    told = "; ".join(f"dark {r['dark']:.2f}, light {r['light']:.2f}" for r in runs)
    print(f"trained on faces {kind}: {told}")
excess = {kind: [r["dark"] - r["light"] for r in runs] for kind, runs in of_grain.items()}
assert min(excess["with grain"]) > 2 * max(excess["as they are"])
lowest = min(r["dark"] for r in of_grain["with grain"])
assert lowest > 1.5 * max(r["dark"] for r in of_grain["as they are"])

# %% [markdown]
# The numbers are standard deviations of a pixel over noises (in the first line, over fresh grain). With grain in the data, the noise moves the dark parts 1.6 to 2 times as much as without, and about twice as much as the light parts (without grain about one and a half times as much), for each of the three seeds: the generator has begun to put the noise where the data are random. The other half of the prediction is not met: on the faces as they are, the noise still moves pixels by 0.07 to 0.12. This noise is probably left over from the strength of 0.2 at the start; we did not try whether more rounds remove it.
#
# ## 3 · Droplets
#
# StyleGAN's pictures had a flaw: all of its maps from about 64 × 64 on have a bright drop somewhere. Karras and others (2020a) traced it to AdaIN. **A map of 64 × 64 holds numbers of standard deviation 1. One of them is set to 100. What is the standard deviation of the others after AdaIN, with a scale of 1?**

# %%
# Replace ... by a number
guess = predict("styles.droplet", ...)

# %%
calm = torch.randn(1, 1, 64, 64, generator=seed(9))
drop = calm.clone()
drop[..., 5, 5] = 100
one, zero = torch.ones(1, 1), torch.zeros(1, 1)
normalised = adain(drop, one, zero)
others = normalised.flatten()[400:].std().item()
print(guess.reveal(round(others, 2)))
h2 = 100**2
print(f"measured {others:.3f}; closed form {1 / math.sqrt(1 + h2 / 4096 - h2 / 4096**2):.3f}")
assert abs(others - 0.54) < 0.02
figures.droplet(drop[0, 0], {"after AdaIN": normalised[0, 0]})

# %% [markdown]
# (The large number itself is 100 before and about 54 after AdaIN. The histogram ends at 4, so it does not show where this number lies.) With one large number the generator can set the size of all the others, so it can carry magnitudes past the normalisation. StyleGAN2 removes this reason for drops. It does not divide a map by the standard deviation that the map has, but by the one that is *expected* if the inputs are white noise of standard deviation 1. This one depends only on the kernel, with the style multiplied in. (StyleGAN2's style is a scale only; the bias no longer depends on $w$.)
#
# $$w'_{boik} = s_{bi}\, w_{oik}, \qquad w''_{boik} = \frac{w'_{boik}}{\sqrt{\sum_{j,l} (w'_{bojl})^2 + 10^{-8}}},$$
#
# with $b$ the picture, $o$ the output, $i$ the input and $k$ the place in the kernel.
#
# ### Exercise 8 · Modulated convolution
#
# `x` is `(B, I, H, W)`, `weight` `(O, I, k, k)`, `style` `(B, I)`. Convolve picture $b$ with its own kernel $w''_b$, made of $s$ = `style` and $w$ = `weight`. The map keeps its size: pad with $k // 2$ zeros. A loop over the pictures is fine. *Four lines, ten minutes.*


# %%
def modulated_conv(x, weight, style):
    """Each picture convolved with its own kernel, of length 1 for each output: (B, O, H, W)"""
    ### BEGIN SOLUTION
    y = F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    size = style.square() @ weight.square().sum((2, 3)).T + 1e-8
    return y * size.rsqrt()[:, :, None, None]
    ### END SOLUTION


modulated_conv = check("styles.modulated_conv", modulated_conv)

# %% [markdown]
# The course's own solution never builds these kernels. A convolution is linear, so the style may scale the inputs, and the division by the length may be applied to the outputs: one convolution for the whole batch. What comes out for white noise, and for white noise with a drop?

# %%
weight = torch.randn(32, 32, 3, 3, generator=seed(10))
style = torch.randn(64, 32, generator=seed(11)).exp()
white = torch.randn(64, 32, 16, 16, generator=seed(12))
for size in (1, 2):
    after = modulated_conv(size * white, weight, style)[:, :, 1:-1, 1:-1]
    low, high = after.std((2, 3)).aminmax()
    print(f"noise of standard deviation {size}: all maps {after.std():.3f}, ", end="")
    print(f"single maps {low:.2f} … {high:.2f}")
    assert abs(after.std() - size) < 0.02 * size
dropped = white.clone()
dropped[..., 5, 5] = 100
far = modulated_conv(dropped, weight, style)[..., 8:-1, 8:-1]
print(f"with a drop, the places away from it: {far.std():.3f}")
torch.testing.assert_close(far, modulated_conv(white, weight, style)[..., 8:-1, 8:-1])

# %% [markdown]
# For white noise of standard deviation 1, the maps have standard deviation 1 (single maps vary because they have only 196 places). For noise twice as strong they have 2: the layer no longer removes the size of its input. And a drop changes nothing outside its neighbourhood, so the generator cannot scale the rest of a map by drawing one.

# %% [markdown]
# ## 4 · Few pictures
#
# A discriminator can memorise its training pictures. To see this effect alone, take the generator out of the game: the "fakes" are other *real* faces. Nothing distinguishes the two sets, so a discriminator that does not memorise can only guess. **It learns from 20 faces, and from 2,000 others that are labelled fake. Then it sees new real faces. What percentage of them does it call fake?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("styles.stranger", ...)

# %% [markdown]
# Adaptive discriminator augmentation (ADA; Karras and others 2020b) shows the discriminator flipped, turned, moved and recoloured pictures, real ones and fakes alike; each change happens with probability $p$. How large should $p$ be? ADA measures how sure D is of its training pictures, $r = \text{E}\,\text{sign}(D(x))$, and holds it near a target of 0.6.
#
# ### Exercise 9 · The controller
#
# `real_scores` are $D(x)$ for a batch of training pictures, `images` is the number of pictures since the last update, and `span` the number of pictures that takes $p$ from 0 to 1. Return the next $p$: up by `images / span` where $r$ is above the target, down where it is below, unchanged where both are equal, and always a probability. The sign of 0 is 0. *Three lines, five minutes.*


# %%
def adaptive_probability(p, real_scores, images, target=0.6, span=500_000):
    """The next p, in [0, 1]"""
    ### BEGIN SOLUTION
    r = real_scores.sign().mean()
    step = images / span
    return min(max(p + (r - target).sign().item() * step, 0.0), 1.0)
    ### END SOLUTION


adaptive_probability = check("styles.adaptive_probability", adaptive_probability)

# %%
shown = faces[4:5].floats().expand(8, -1, -1, -1)
plots.rows({f"p = {p:g}": augment(shown, p, seed(14)) for p in (0.0, 0.2, 0.5, 0.8)})

# %%
order = torch.randperm(len(faces), generator=seed(13))
pool, strangers = faces[order[:2000]].floats(), faces[order[2000:2400]].floats()
few, many = faces[order[2400:2420]].floats(), faces[order[2400:3900]].floats()
rounds = pick(smoke=4, laptop=200, gpu=200)


# %%
def judged(own, run, target=None):
    """D learns `own` against `pool`: the shares of strangers and of `own` that it calls fake; p; r"""
    torch.manual_seed(run)
    D, p, signs = StyleDiscriminator(NARROW, 32), 0.0, []
    optimizer = torch.optim.Adam(D.parameters(), 2e-3, (0.0, 0.99))
    for _ in range(rounds):
        ours, others = (x[torch.randint(len(x), (16,))] for x in (own, pool))
        ours, others = D(augment(ours, p)), D(augment(others, p))
        loss = F.softplus(-ours).mean() + F.softplus(others).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        signs.append(ours.sign().mean().item())
        if target:
            p = adaptive_probability(p, ours.detach(), 16, target, span=1500)
    with torch.no_grad():
        fake = [(D(x) < 0).double().mean().item() for x in (strangers, own)]
    return *fake, float(p), sum(signs[-50:]) / len(signs[-50:])


# %%
tried = {
    "20 faces": [judged(few, run) for run in range(3)],
    "20 faces, ADA": [judged(few, run, 0.6) for run in range(3)],
    "1,500 faces": [judged(many, run) for run in range(3)],
}

# %%
called = sum(run[0] for run in tried["20 faces"]) / 3
print(guess.reveal(round(100 * called)))
for name, runs in tried.items():
    of_strangers, of_own = (", ".join(f"{run[i]:.0%}" for run in runs) for i in (0, 1))
    ends, r = (", ".join(f"{run[i]:.2f}" for run in runs) for i in (2, 3))
    print(f"{name:14} called fake: strangers {of_strangers}; its own {of_own}")
    print(f"{'':14} r of the last 50 rounds {r}; p at the end {ends}")
if full:
    more = {name: [run[0] - run[1] for run in runs] for name, runs in tried.items()}
    assert min(more["20 faces"]) > 0.4
    assert max(run[3] for run in tried["20 faces, ADA"]) < min(run[3] for run in tried["20 faces"])
    assert max(more["1,500 faces"]) < 0.2 and sum(more["1,500 faces"]) > 0.06

# %% [markdown]
# With 20 faces of its own, the discriminator calls most strangers fake and almost none of its own: it has memorised them. With 1,500 faces it memorises far less in this many rounds: it calls strangers fake 5 to 11 percentage points more often than its own faces, instead of 82 to 93. ADA lowers $r$ to slightly below the target of 0.6 (0.50 to 0.57), and a small $p$ (0.07 to 0.11) is enough for that. The controller looks at nothing else, and most strangers are still called fake. In each of the three runs, augmentation lowered the share of strangers called fake by only 3 to 6 points (without it, the runs differ from each other by 11): it does not add new people.
#
# ### Does it leak?
#
# If every picture is flipped with probability ½, nothing in the result shows which way round the originals were. A generator could then flip half of its faces, and D would not notice: the augmentation *leaks* into the pictures. Now let one coin decide, with probability $p < 1$, whether a picture is touched at all, and a second coin which way round it then is. More than half of the pictures are left as they were, so the originals can be inferred.
#
# Write the shares of the pictures that face left and right as a vector. A flip with probability $q$ multiplies it by
#
# $$\begin{pmatrix} 1-q & q \\ q & 1-q \end{pmatrix},$$
#
# with the eigenvalues 1 and $1 - 2q$. (For the two coins $q = p/2$, which gives $1 - p$.) In general, a mixture of transformations can be undone if none of its eigenvalues is 0. The widget shows the one nearest to 0.


# %%
def flip_coin(p):
    return torch.tensor([1 - p / 2, p / 2])


def flip_always(p):
    return torch.tensor([1 - p, p])


def true_turns(p):
    return torch.tensor([1 - p, p / 3, p / 3, p / 3])


mixtures = {"two coins": flip_coin, "flip with p": flip_always, "turn with p": true_turns}
sliders.leak(mixtures)

# %% [markdown]
# Here is the same as a figure. A mixture leaks where its curve reaches 0: plain flips at $p = ½$; quarter turns by 90°, 180° or 270° at $p = ¾$, where all four directions are equally frequent; and the two coins only at $p = 1$. Close to 0 the inverse enlarges every error of estimation. In the paper, the identity is always among the drawn choices, as with the two coins; its authors find that a $p$ below about 0.8 is safe in practice.

# %%
probabilities = torch.linspace(0, 1, 101)
smallest = {
    name: torch.stack([sliders.smallest(mixture(p.item())) for p in probabilities])
    for name, mixture in mixtures.items()
}
assert smallest["flip with p"][50] < 1e-6 and smallest["turn with p"][75] < 1e-6
assert (smallest["two coins"][:100] > 0).all() and smallest["two coins"][100] < 1e-6
figures.leaks(probabilities, smallest)

# %% [markdown]
# ## 5 · Moving
#
# In films made with StyleGAN2 the hair stays where it is while the face moves: texture sticks to the pixel grid. StyleGAN3 (Karras and others 2021) traces this to aliasing, in the upsampling filters and at the activation functions. An activation is nonlinear, so it adds harmonics: frequencies that are multiples, sums and differences of those of its input. Harmonics above half the sampling rate are aliased: they appear as slower waves, which depend on where the grid lies. The cure is to apply the activation at a higher sampling rate, and to remove these harmonics before returning to the grid. To measure what is left, we move a signal by a fraction of a place, once before the activation and once after it: without aliasing, both orders give the same.
#
# ### Exercise 10 · Upsample, activate, downsample
#
# `x` is `(…, n)`, a circular signal; $n$ may be odd. Resample it to `factor * n` places by the Fourier transform, apply `act`, remove all frequencies of $n/2$ and above, and return to $n$ places. (Mind the scale: `rfft` sums over places. On the way up you may treat the frequency $n/2$ of an even $n$ as you like.) *Five lines, ten minutes.*


# %%
def filtered(x, factor, act):
    """act at `factor` times the rate, without harmonics that n places cannot hold: (…, n)"""
    ### BEGIN SOLUTION
    n = x.shape[-1]
    spectrum = torch.fft.rfft(x)
    spectrum = spectrum * (torch.arange(spectrum.shape[-1]) < n / 2)
    high = torch.fft.rfft(act(torch.fft.irfft(spectrum, n * factor) * factor))
    high = high * (torch.arange(high.shape[-1]) < n / 2)
    return torch.fft.irfft(high, n * factor)[..., ::factor]
    ### END SOLUTION


filtered = check("styles.filtered", filtered)


# %%
def leaky(x):
    return F.leaky_relu(x, 0.2)


spectrum = torch.zeros(64, 33, dtype=torch.complex128)
spectrum[:, 1:32] = torch.randn(64, 31, generator=seed(11), dtype=torch.complex128)
signal = torch.fft.irfft(spectrum, 64)
signal = signal / signal.std() / 3


def both_ways(factor, shift):
    """The signal moved before the activation, and after it; the mean squared difference"""
    first = filtered(styles.moved(signal, shift), factor, leaky)
    second = styles.moved(filtered(signal, factor, leaky), shift)
    return first, second, (first - second).square().mean().item()


def to_db(error):
    return 10 * math.log10(4 / max(error, 1e-20))


# %%
shifts = [(i + 0.5) / 64 for i in range(64)]
averaged = {}
for factor in (1, 2, 4, 8):
    errors = [both_ways(factor, shift)[2] for shift in shifts]
    averaged[factor] = to_db(sum(errors) / len(errors))
print("all shifts:", ", ".join(f"rate × {factor} {db:.1f} dB" for factor, db in averaged.items()))
gains = [averaged[2 * factor] - averaged[factor] for factor in (1, 2, 4)]
assert abs(gains[0] - 18) < 1 and all(11.5 < gain < 13.5 for gain in gains[1:])

# %%
cases = {}
for factor, shift in ((1, 0.3), (2, 0.3), (4, 0.3), (8, 0.3), (2, 0.5)):
    first, second, error = both_ways(factor, shift)
    cases[f"rate × {factor}, moved by {shift}"] = first[0], second[0], to_db(error)
found = [db for _, _, db in cases.values()]
assert all(low < db for low, db in zip((28, 44, 60, 68, 150), found, strict=True))
figures.sticking(cases)

# %% [markdown]
# The decibels compare the error with the range of pictures, from −1 to 1: 20 dB more means a tenth of the error. Averaged over all shifts, the first doubling of the rate gains 18 dB, and each further one 12 to 13 dB, which divides the error by about four. (One shift alone can mislead: 0.3 is 1.2 samples at four times the rate, close to a whole number.) The last row is a trap. A shift by half a place is a shift by a whole place at twice the rate (so is 0.25 at four times the rate), so the activation at that rate commutes with it exactly, and the test proves nothing.

# %%
sliders.aliasing(signal[0], leaky)

# %% [markdown]
# Our generator doubles its maps bilinearly, and its activations have no filters. Move its maps of 8 × 8 by a whole cell, and the picture moves by 4 pixels. **Move the maps by half a cell. How well does the picture follow, in dB?**

# %%
# Replace ... by a number of dB
guess = predict("styles.half_cell", ...)


# %%
def up_to_8(ws):
    """The maps of 8 × 8 and the picture so far"""
    x = net.convs[0](net.const.expand(len(ws), -1, -1, -1), ws[:, 0], None)
    picture = net._unfolded(net.rgbs[0](x, ws[:, 1]))
    x = net.convs[2](net.convs[1](x, ws[:, 1], None), ws[:, 2], None)
    return x, styles.doubled(picture) + net._unfolded(net.rgbs[1](x, ws[:, 3]))


def from_8(x, picture, ws):
    x = net.convs[4](net.convs[3](x, ws[:, 3], None), ws[:, 4], None)
    return styles.doubled(picture) + net._unfolded(net.rgbs[2](x, ws[:, 5]))


# %%
@torch.no_grad()
def moved_inside(cells):
    """dB away from the border: of the picture of moved 8 × 8 maps, and of the unmoved picture"""
    ws = ws_a[:64]
    x, picture = up_to_8(ws)
    stayed = from_8(x, picture, ws)
    went = from_8(styles.moved(x, cells), styles.moved(picture, 2 * cells), ws)
    expected = stayed.roll(round(4 * cells), -1)
    return decibels(went, expected), decibels(stayed, expected)


def decibels(a, b):
    return to_db((a - b)[..., 12:-12].square().mean().item())


def doubled_exactly(x):
    """Twice the size by Fourier: bilinear doubling adds frequencies that x does not have"""
    for _ in ("width", "height"):
        n, spectrum = x.shape[-1], torch.fft.rfft(x)
        spectrum = spectrum * (torch.arange(spectrum.shape[-1]) < n / 2)
        x = 2 * torch.fft.irfft(spectrum, 2 * n).transpose(-1, -2)
    return x


# %%
shifts = (1.0, 0.5, 0.75)
follows = {cells: moved_inside(cells) for cells in shifts}
with mock.patch.object(styles, "doubled", doubled_exactly):  # in every layer
    exactly = {cells: moved_inside(cells)[0] for cells in shifts}
print(guess.reveal(round(follows[0.5][0], 1)))
for cells, (moved, stayed) in follows.items():
    print(
        f"{cells:4} of a cell: {moved:5.1f} dB (a picture that stays: {stayed:4.1f} dB); ", end=""
    )
    print(f"with exact doubling {exactly[cells]:5.1f} dB")
assert follows[1.0][0] > 60 and exactly[0.5] > 60 and exactly[0.75] < 40
assert all(follows[cells][1] < follows[cells][0] < 40 for cells in (0.5, 0.75))

# %% [markdown]
# The picture follows a whole cell up to rounding. It follows half a cell only in part. Which part of the network is the reason? Half a cell of 8 × 8 is a whole cell of 16 × 16, the size at which all later activations act, so by the trap above they cannot be the reason: with an exact doubling, by Fourier, the same network reaches 135 dB. The 19.0 dB belong to the bilinear doubling, which lets aliases through. A move by three quarters of a cell tests the activations and the last layer, too: 16.6 dB, against 10.3 dB for a picture that stays. There the exact doubling helps little (16.8 dB).
#
# StyleGAN3 filters at every layer, at the cost of a slower network. Its authors report 63 dB for StyleGAN3-T on photographs. They move the input of the whole generator, so their number and ours compare only roughly.
#
# ## 6 · Seeing far
#
# A 3 × 3 convolution reaches one pixel far. To make the left eye look like the right one, a network needs many such layers, or another kind of layer. SAGAN (Zhang and others 2019) adds **self-attention**: every place looks at all places, and takes a weighted mean of the values there.
#
# ### Exercise 11 · Self-attention
#
# `x` is `(B, C, H, W)`; `query` and `key` are `(d, C)`, `value` is `(V, C)`. With $q_i$ = `query` $x_i$, $k_j$ = `key` $x_j$ and $v_j$ = `value` $x_j$, place $i$ receives $\sum_j \text{softmax}_j(q_i \cdot k_j)\, v_j$, without a division by $\sqrt d$. *Four lines, ten minutes.*


# %%
def self_attention(x, query, key, value):
    """Every place takes a weighted mean of all values: (B, V, H, W)"""
    ### BEGIN SOLUTION
    places = x.flatten(2)
    q, k, v = query @ places, key @ places, value @ places
    weights = (q.transpose(1, 2) @ k).softmax(2)
    return (v @ weights.transpose(1, 2)).view(len(x), -1, *x.shape[2:])
    ### END SOLUTION


self_attention = check("styles.self_attention", self_attention)

# %% [markdown]
# Here is a task that needs this reach: one pixel of 16 × 16 is marked, and holds +1 or −1, equally often. All pixels should take that value. Three 3 × 3 convolutions reach three pixels far. For a mark at a random place, the share of pixels out of reach is $1 - (100/256)^2 = 0.847$ (of the 16² pairs of columns, 100 are at most 3 apart, and as many of rows), and there the best answer is 0, with a squared error of 1. So the error of three convolutions cannot fall below 0.847, however long they train.


# %%
def marked(n, generator):
    at = torch.randint(256, (n,), generator=generator)
    value = torch.randint(2, (n,), generator=generator) * 2.0 - 1
    x = torch.zeros(n, 2, 256)
    x[torch.arange(n), 0, at], x[torch.arange(n), 1, at] = value, 1.0
    return x.view(n, 2, 16, 16), value.view(n, 1, 1, 1).expand(-1, 1, 16, 16), at


def near(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())


# %%
rounds = pick(smoke=5, laptop=400, gpu=600)
torch.manual_seed(0)
networks = {
    "three convolutions": nn.Sequential(near(2, 16), near(16, 16), nn.Conv2d(16, 1, 3, padding=1)),
    "two and attention": nn.Sequential(
        near(2, 16), near(16, 16), scaling.SelfAttention(16, pool=False), nn.Conv2d(16, 1, 1)
    ),
}
for network in networks.values():
    optimizer, draws = torch.optim.Adam(network.parameters(), 3e-3), seed(15)
    for _ in range(rounds):
        x, y, _ = marked(32, draws)
        loss = (network(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
x, y, at = marked(256, seed(16))
with torch.no_grad():
    errors = {name: (net_(x) - y).square().mean().item() for name, net_ in networks.items()}
lowest = 1 - (100 / 256) ** 2
told = [f"{name} {error:.4f}" for name, error in errors.items()]
print(", ".join(told), f"(lowest possible for the first: {lowest:.4f})")
if full:
    assert errors["three convolutions"] > 0.8 and errors["two and attention"] < 0.1
plots.bars(errors | {"lowest for three convolutions": lowest}, "mean squared error on new pictures")

# %% [markdown]
# Where do places look? The trained block stores its matrices as 1 × 1 convolutions. The block returns $x + \gamma\, O(\text{attention}(x))$, with one more 1 × 1 convolution $O$ and a learned number γ that begins at 0. With these matrices, your function gives the attention inside it.

# %%
block = networks["two and attention"][2]
with torch.no_grad():
    hidden = networks["two and attention"][:2](x[:1])
    matrices = [layer.weight[:, :, 0, 0] for layer in (block.query, block.key, block.value)]
    taken = block.out(self_attention(hidden, *matrices))
    torch.testing.assert_close(block(hidden), hidden + block.gamma * taken, rtol=1e-3, atol=1e-4)
    looks = block.weights(hidden)[0].view(16, 16, 16, 16)
places = [(2, 2), (8, 13), (14, 5)]
shown = x[:1, :1].expand(-1, 3, -1, -1)[0]
row, column = divmod(at[0].item(), 16)
print(f"the mark is in row {row}, column {column}; γ, at first 0, is now {block.gamma.item():.2f}")
figures.attention_on(shown, torch.stack([looks[r, c] for r, c in places]), places)

# %% [markdown]
# All three places give their largest weights (yellow) to places beside the mark. But equal weights would be 1/256 = 0.004 each, and the largest is only about three times that: most of the weight lies elsewhere. So the block takes something close to a mean of all places, in which only the values around the mark tell its sign. γ, which begins at 0, now lets the result through. (The sign of γ is free: the layer after the block can reverse it.) The three maps are the same because the three places ask with the same query: the two convolutions before the block see nothing but zeros around each of them. Here this is enough, since all places need the same value. So the task shows reach, and a mean over the whole picture would give that, too; a mean could not give different places different values.
#
# SAGAN also divides every weight by its largest singular value (**spectral normalisation**; Miyato and others 2018), so that no matrix lengthens any vector. Power iteration finds this value, with one step in each training step.
#
# ### Exercise 12 · Power iteration
#
# Treat the weight as a matrix `(O, everything else)`. `steps` times: $v \leftarrow W^\top u / \|W^\top u\|$, $u \leftarrow W v / \|W v\|$. Return $\sigma = u^\top W v$ and the new $u$. For the gradient of σ, $u$ and $v$ count as constants. *Six lines, ten minutes.*


# %%
def spectral_norm(weight, u, steps=1):
    """The largest singular value, and u for the next call: (), (O,)"""
    ### BEGIN SOLUTION
    matrix = weight.flatten(1)
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(matrix.T @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
    return u @ matrix @ v, u
    ### END SOLUTION


spectral_norm = check("styles.spectral_norm", spectral_norm)

# %% [markdown]
# Does this bound what the *layer* does? The kernel of a convolution is used at every place, and the windows overlap. A 3 × 3 kernel of ones has the matrix norm 3, but it multiplies a constant picture by 9. For circular pictures, the true gain of a layer is the largest singular value over all frequencies (Sedghi and others 2019). The figure shows the ratio of the two for the convolutions of the feature network, on maps of 16 × 16; if spectral normalisation bounded the layers, no ratio would exceed 1.

# %%
ratios = {}
for i, layer in enumerate(m for m in features.modules() if isinstance(m, nn.Conv2d)):
    kernel = layer.weight.detach().double()
    sigma, _ = spectral_norm(kernel, torch.ones(len(kernel), dtype=torch.float64), 100)
    waves = torch.fft.fft2(kernel, (16, 16)).permute(2, 3, 0, 1)  # one matrix a frequency
    gain = torch.linalg.matrix_norm(waves, 2).max().item()
    ratios[f"layer {i + 1}"] = gain / sigma.item()
    if i == 0:
        first = kernel, gain
assert min(ratios.values()) > 1.5

plots.bars(ratios, "true gain / spectral norm of the kernel")

# %% [markdown]
# Is this gain reached by a picture? Power iteration on circular pictures finds the one that the first layer lengthens most.

# %%
kernel, gain = first
x = torch.randn(1, kernel.shape[1], 16, 16, generator=seed(25), dtype=torch.float64)
for _ in range(100):
    x = (x / x.norm()).requires_grad_()
    y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), kernel)
    reached = y.norm().item()
    (x,) = torch.autograd.grad(y.square().sum() / 2, x)  # Wᵀ W x
print(f"the picture is lengthened {reached:.3f} times; by frequencies {gain:.3f}")
assert abs(reached / gain - 1) < 0.01

# %% [markdown]
# So a layer that is normalised in this way can still lengthen vectors, by a factor of up to 3 for kernels of 3 × 3.
#
# SAGAN's third part is two learning rates, a larger one for D (Heusel and others 2017). Does that help? In the smallest GAN (lecture 05's Dirac game, here with the penalty R1; Mescheder and others 2018) the answer can be computed: near the equilibrium, and on average over many rounds, each round multiplies the distance to it by the largest |eigenvalue| of
#
# $$\begin{pmatrix} 1 & a/2 \\ -b/2 & 1 - \gamma b \end{pmatrix},$$
#
# with rates $a$ of G and $b$ of D, and γ the weight of R1. Below 1 the game converges. The determinant is $1 - b(\gamma - a/4)$, so this happens for no $b$ at all if $\gamma \leq a/4$. For a larger γ, convergence is fastest where the two eigenvalues meet: at $b = a/\gamma^2$.

# %%
d_rates = torch.logspace(-2, 0.3, 80).tolist()
rates = {f"γ = {g:g}": [scaling.dirac_rate(0.1, b, g) for b in d_rates] for g in (0.02, 0.3, 1.0)}
for name, values in rates.items():
    gamma = float(name[4:])
    if gamma <= 0.1 / 4:
        print(f"{name}: no rate of D below 1 (γ ≤ a/4)")
        assert min(values) >= 1
        continue
    best, exact = min(range(len(values)), key=values.__getitem__), 0.1 / gamma**2
    print(f"{name}: best {values[best]:.3f}, at b = {d_rates[best]:.2f}; a/γ² = {exact:.2f}")
    assert abs(d_rates[best] / exact - 1) < 0.07
figures.dirac_rates(d_rates, rates, 0.1)

# %% [markdown]
# Here G's rate is $a = 0.1$, so $a/4 = 0.025$. With γ = 0.02, below this, no rate of D helps. With γ = 0.3 the best rate of D is eleven times that of G, with γ = 1 equal rates are best. So here, whether a faster D helps depends on the penalty. (SAGAN's D has no R1; for spectral normalisation this calculation says nothing.)
#
# ## 7 · Classes
#
# BigGAN (Brock and others 2019) is large: 70 million weights in G, 88 million in D for 128 × 128. Some of its ideas are small enough to try. The code is cut into chunks: one for the first layer and one for each block. In a block, BatchNorm computes its gain and bias from the class and the block's chunk. D's score has a part that depends on the class (projection; Miyato and Koyama 2018). And **truncation**: draw $z$ from a normal distribution without its tails. The course's `big_fashion32` is a small generator of this kind. (It was trained against a plainer discriminator than BigGAN's: strided convolutions, with the same class part in the score.)

# %%
big = scaling.BigGANGenerator(10, 64, 32, ch=16, widths=(4, 4, 2, 2), attention=None, nc=1)
load_weights("big_fashion32", big)
clothes = data.load("fashion", "test", size=32)
print(f"{sum(p.numel() for p in big.parameters()):,} weights")
judge_clothes, sorter = metrics.FeatureNet("fashion"), metrics.Classifier("fashion")
n = pick(smoke=100, laptop=1000, gpu=1000)
some = torch.randperm(len(clothes), generator=seed(17))
others, reference = (clothes[part] for part in (some[:n], some[n : 2 * n]))

# %%
codes = {"as drawn": (None, torch.randn(n, big.nz, generator=seed(18)))}
for bound in (1.0, 0.5):
    z = scaling.truncated_normal((n, big.nz), bound, seed(18))
    codes[f"within ± {bound:g}"] = bound, z
wanted, made = torch.arange(n) % 10, {"real clothes": (others.floats(), others.labels)}
for name, (bound, z) in codes.items():
    torch.manual_seed(18)
    scaling.standing_statistics(big, bound=bound)  # of BatchNorm, for codes within this bound
    with torch.no_grad():
        parts = [big(a, b) for a, b in zip(z.split(250), wanted.split(250), strict=True)]
    made[name] = torch.cat(parts), wanted

# %% [markdown]
# As in BigGAN, the statistics of BatchNorm are computed again for each bound. For real clothes, "requested class" is the share that the classifier reads correctly. A generator that ignored the class would reach 10 %.

# %%
reference, table = judge_clothes.features(reference.floats()), {}
for name, (x, labels) in made.items():
    fake = judge_clothes.features(x)
    precision, recall = metrics.precision_recall(reference, fake)
    pair = metrics.fit_gaussian(fake), metrics.fit_gaussian(reference)
    distance = metrics.frechet_distance(*pair[0], *pair[1])
    right = (sorter.classify(x) == labels).double().mean().item()
    table[name] = precision, recall, distance, right
    print(f"{name:14} precision {precision:.2f}, recall {recall:.3f}, ", end="")
    print(f"Fréchet {distance:5.2f}, requested class {right:.1%}")
if full:
    free, narrow = table["as drawn"], table["within ± 0.5"]
    assert abs(narrow[0] - free[0]) < 0.05 and max(free[1], narrow[1]) < 0.1
    assert narrow[2] > free[2] + 3 and narrow[3] > free[3] + 0.02
plots.rows({name: x[:10] for name, (x, _) in list(made.items())[1:]})

# %% [markdown]
# With narrower codes the classifier reads the requested class more often, and more often than for real clothes. Nothing else improves: precision stays between 0.87 and 0.90 (standard error 0.01), recall, which is low to begin with, goes to 0, and the Fréchet distance grows. So here truncation costs variety and gains only clearer classes.
#
# ## 8 · A pretrained discriminator
#
# Training a discriminator from scratch takes long. Projected GANs (Sauer and others 2021) take a network that is already trained, freeze it, and train only small discriminators on its maps. StyleGAN-XL and StyleGAN-T, which is conditioned on a text, build on this. Three generators have been trained for 600 steps each, from the same first weights and on the same batches: one against a discriminator on pixels (`pixels`), one against small discriminators on the encoder of lecture 02's autoencoder (`fixed`), one against both (`both`). **The Fréchet distances of the first two are far apart. Which pictures look better?**

# %%
# Replace ... by one of: "those of the smaller distance", "those of the larger distance", "neither"
guess = predict("styles.which_judge", ...)

# %% [markdown]
# Fréchet distances by features and by 16 × 16 pixels are followed by a measure that was not learned. `dots` takes the brightness out of a picture, and then measures how far the colour of a pixel is from the mean colour of its 3 × 3 neighbourhood. (It measures only this: any grey picture scores 0, whatever it shows. Edges between colours count, too, so real faces do not score 0.)


# %%
def specks(x):
    """The colour of each pixel without the mean colour of its 3 × 3 neighbourhood"""
    colour = x - x.mean(1, keepdim=True)
    return colour - F.avg_pool2d(colour, 3, 1, 1, count_include_pad=False)


def dots(x):
    return specks(x).std().item()


def verdicts(x):
    """All that we measure of x"""
    both = metrics.precision_recall(real["features"], judges["features"](x))
    return distances(x) | {"dots": dots(x)} | dict(zip(("precision", "recall"), both, strict=True))


def line(found):
    return ", ".join(f"{name} {value:.3g}" for name, value in found.items())


# %%
shown, judged_by = {}, {}
for kind in ("pixels", "fixed", "both"):
    one_minute = load_weights(f"style_peeps32_{kind}", StyleGenerator(channels=NARROW, size=32))
    shown[kind] = one_minute.sample(pick(smoke=128, laptop=516, gpu=516), generator=seed(19))
    judged_by[kind] = verdicts(shown[kind])
    card = (pretrained.FOLDER / f"style_peeps32_{kind}.md").read_text(encoding="utf-8")
    seconds = card.split("| CPU seconds | ")[1].split(" |")[0]
    print(f"{kind:7} {seconds:>4} CPU seconds; {line(judged_by[kind])}")
plain = samples["real faces (floor)"]
print(f"real faces: {line(verdicts(plain))}")
if full:
    assert max(found["recall"] for found in judged_by.values()) < 0.05
    assert judged_by["pixels"]["precision"] > judged_by["fixed"]["precision"] + 0.03

# %%
smaller, cleaner = (
    min(("pixels", "fixed"), key=lambda kind: judged_by[kind][by]) for by in ("features", "dots")
)
sides = {"fixed": "those of the smaller distance", "pixels": "those of the larger distance"}
print(guess.reveal(sides[cleaner] if smaller == cleaner else "neither"))
trio = {
    f"{kind}\nFréchet (features) {judged_by[kind]['features']:.1f}": shown[kind] for kind in shown
}
plots.rows({name: x[:8] for name, x in trio.items()})

# %% [markdown]
# Do the distances see the dots? Add the dots of `fixed` to real faces. For comparison, add smooth changes of colour of the same size. How much does either change the distances, and the two maps of the fixed network on which the small discriminators look? (The change of a map is given as a share of its variance over real faces.)

# %%
spots = specks(shown["fixed"])
smooth = F.interpolate(
    torch.randn(len(plain), 3, 4, 4, generator=seed(26)), size=32, mode="bilinear"
)
smooth = smooth - smooth.mean(1, keepdim=True)
encoder = load_weights("ae_peeps32", Autoencoder(size=32, latent=32)).encoder.eval()
stages = {"pixels": nn.Identity(), "first map": encoder.trunk[:4], "second map": encoder.trunk[:7]}
shares = {}
for name, change in {"dots": spots, "smooth": smooth * spots.std() / smooth.std()}.items():
    changed = (plain + change).clamp(-1, 1)
    with torch.no_grad():
        maps = {stage: (part(plain), part(changed)) for stage, part in stages.items()}
    shares[name] = {
        stage: ((b - a).square().mean() / a.var(0).mean()).item() for stage, (a, b) in maps.items()
    }
    parts = ", ".join(f"{stage} {share:.1%}" for stage, share in shares[name].items())
    print(f"with {name}: {line(verdicts(changed))}\n  changed: {parts}")
assert all(shares["dots"][m] < 0.6 * shares["smooth"][m] for m in ("first map", "second map"))

# %% [markdown]
# The generator trained against a discriminator on pixels draws blurred faces. The one trained against small discriminators on a fixed network draws, in half of the time, faces in which you can make out hair, but full of coloured dots: `dots` is more than twice that of `both` and six times that of real faces. Both Fréchet distances prefer `fixed` even to `both`. Recall is 0 for all three, and precision prefers `pixels` to `fixed` (0.79 against 0.71): the judges do not even agree on the order. (There was one training of each: the order may change with the seed. The loss belongs to its discriminator, as in the paper: hinge for the small ones, non-saturating with R1 for the one on pixels.)
#
# That neither looks better is what we see; the code only checks that the distance and `dots` disagree. `dots` does not count the checkerboard of brightness that `pixels` and `both` show.
#
# Added to real faces, the dots of `fixed` raise the distance by features only from 2.9 to 3.4, and that by pixels from 5.4 to 8.7. Smooth changes of the same size raise them to 5.9 and 10.4. So the features hardly count dots, while the shrunk pixels count them two thirds as much as smooth changes. Beside the distances of `fixed` itself, 23.9 and 93.5, both rises are small. The fixed network responds to them less, too: they change its maps by 5 % and 3 % of their variance, smooth colours of the same size by 12 % and 11 %. This is a likely reason why training against it leaves them in.
#
# Now train such a generator yourself: a style generator, a discriminator on pixels and small discriminators on the fixed encoder, as for `both`, with adaptive augmentation and, on a laptop, in less than half as many steps. On a GPU it is trained at 64 × 64, with more channels and for longer.

# %%
side, widths = pick(smoke=(32, NARROW), laptop=(32, NARROW), gpu=(64, (256, 256, 128, 64)))
torch.manual_seed(20)
step = StyleStep(
    StyleGenerator(channels=widths, size=side).to(home),
    StyleDiscriminator(widths, side).to(home),
    projected=scaling.ProjectedDiscriminator(encoder.trunk, (3, 6), side).to(home),
    augmentation=Augmentation(0.6, span=200_000),
    r1=0.1,
    ema=0.995,
)
batch, steps = pick(smoke=(8, 2), laptop=(16, 250), gpu=(64, 20_000))
batches = data.load("peeps", size=side).batches(batch, home)
history = train(step, batches, steps, watch=step.samples)

# %%
mine = step.ema.model.cpu().sample(pick(smoke=128, laptop=516, gpu=516), generator=seed(19))
mine = F.adaptive_avg_pool2d(mine, 32)
print(f"{history.steps} steps: {line(verdicts(mine))}\nboth: {line(judged_by['both'])}")

# %% [markdown]
# On a laptop, this training does not match `both`: in our run both distances were larger and the precision lower. The likely reason is that it has 250 steps instead of 600. The augmentation hardly acts here: after 4,000 pictures, $p$ is at most 4,000 / 200,000 = 0.02. (The seed differs, too.)
#
# ## 9 · How large they were
#
# The generators of this lecture's modules can also be built in the papers' sizes. On torch's `meta` device, weights have a shape and take no memory, so any laptop can build the originals and count their weights.

# %%
SIZES_1024 = (512, 512, 512, 512, 256, 128, 64, 32, 16)  # channels at 4 × 4 … 1024 × 1024
SIZES_F = (512, 512, 512, 512, 512, 256, 128, 64, 32)
with torch.device("meta"):
    giants = {
        "ProGAN, 1024 × 1024": scaling.ProgressiveGenerator(512, SIZES_1024),
        "StyleGAN, 1024 × 1024": styles.AdaINGenerator(512, 512, SIZES_1024, mapping=8),
        "StyleGAN2, 1024 × 1024": StyleGenerator(512, 512, SIZES_F, 1024, mapping=8),
        "BigGAN, 128 × 128": scaling.BigGANGenerator(1000),
    }
counts = {name: sum(p.numel() for p in g.parameters()) for name, g in giants.items()}
counts["this lecture's, 32 × 32"] = sum(p.numel() for p in net.parameters())
for name, count in counts.items():
    print(f"{name:25} {count:11,}")
assert counts["StyleGAN2, 1024 × 1024"] == 30_370_060
assert counts["BigGAN, 128 × 128"] == 70_433_988

# %% [markdown]
# This lecture does not show: pictures of 1024 × 1024; the training of StyleGAN3, which filters as in section 5 at every layer, of StyleGAN-XL and of StyleGAN-T; rotations in place of shifts; films; the effect of path length regularisation; BigGAN's residual discriminator; and its orthogonal penalty, whose effect the paper measures over many trained models.
#
# | system | its idea, in this lecture | what was measured here |
# |---|---|---|
# | ProGAN | equalized layers, fading in, minibatch standard deviation | the cost of a step at each level; three runs grown and three at full size |
# | StyleGAN | a style for each layer, truncation, perceptual path length | whose head is seen after a swap; distance, precision and recall over ψ; path lengths and planes in W and Z |
# | StyleGAN2 | demodulation, path length regulariser | what one large number does to the rest of a map, with AdaIN and with demodulation; the regulariser's length, for a linear generator |
# | StyleGAN2-ADA | augmentation under control | a discriminator with 20 faces, three runs; leaks, exactly |
# | StyleGAN3 | activations at a higher rate | decibels of a signal, and of our generator with bilinear and with exact doubling |
# | SAGAN | attention, spectral normalisation, two rates | a task out of reach for convolutions; true gains of layers; the best rate of D in the Dirac game |
# | BigGAN | class-conditional BatchNorm, truncated codes | requested classes, precision and recall for three bounds |
# | Projected GAN, StyleGAN-XL | small discriminators on a fixed network | three discriminators in short trainings, by two distances, coloured dots and the eye |
#
# ## To go further
#
# 1. **Your own swap.** Give A the copies of $w$ of B in two layers that are not neighbours. Can you keep the head and change only the skin?
# 2. **ψ for each layer.** Truncate only the 4 × 4 layer. What happens to recall, and to the colours?
# 3. **Another target.** Set `rounds = 200` again (section 6 changed it), and run `judged(few, 0, target)` for targets of 0.2 and 0.9. Does the share of strangers called fake follow?
# 4. **Pooled attention.** Set `pool=True` in section 6, and run its cells up to the bars (the cell after them needs `pool=False`). Each 2 × 2 block of places then shares one key and one value. Does the error rise? What can the network no longer locate?
# 5. **What each measure misses.** Add a faint checkerboard of brightness to real faces, or move each face by one pixel. Which of the three measures of section 8 notice it: the two Fréchet distances, or `dots`?
#
# ## References
#
# - T. Karras, T. Aila, S. Laine, J. Lehtinen. Progressive growing of GANs for improved quality, stability, and variation. *ICLR* 2018, arXiv:1710.10196.
# - T. Karras, S. Laine, T. Aila. A style-based generator architecture for generative adversarial networks. *CVPR* 2019, arXiv:1812.04948.
# - T. Karras, S. Laine, M. Aittala and others. Analyzing and improving the image quality of StyleGAN. *CVPR* 2020, arXiv:1912.04958 (2020a).
# - T. Karras, M. Aittala, J. Hellsten and others. Training generative adversarial networks with limited data. *NeurIPS* 2020, arXiv:2006.06676 (2020b).
# - T. Karras, M. Aittala, S. Laine and others. Alias-free generative adversarial networks. *NeurIPS* 2021, arXiv:2106.12423.
# - N. Yu, K. Li, P. Zhou and others. Inclusive GAN: improving data and minority coverage in generative models. *ECCV* 2020, arXiv:2004.03355.
# - T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida. Spectral normalization for generative adversarial networks. *ICLR* 2018, arXiv:1802.05957.
# - T. Miyato, M. Koyama. cGANs with projection discriminator. *ICLR* 2018, arXiv:1802.05637.
# - H. Zhang, I. Goodfellow, D. Metaxas, A. Odena. Self-attention generative adversarial networks. *ICML* 2019, arXiv:1805.08318.
# - M. Heusel, H. Ramsauer, T. Unterthiner and others. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. *NIPS* 2017, arXiv:1706.08500.
# - L. Mescheder, A. Geiger, S. Nowozin. Which training methods for GANs do actually converge? *ICML* 2018, arXiv:1801.04406.
# - H. Sedghi, V. Gupta, P. M. Long. The singular values of convolutional layers. *ICLR* 2019, arXiv:1805.10408.
# - A. Brock, J. Donahue, K. Simonyan. Large scale GAN training for high fidelity natural image synthesis. *ICLR* 2019, arXiv:1809.11096.
# - A. Sauer, K. Chitta, J. Müller, A. Geiger. Projected GANs converge faster. *NeurIPS* 2021, arXiv:2111.01007.
# - A. Sauer, K. Schwarz, A. Geiger. StyleGAN-XL: scaling StyleGAN to large diverse datasets. *SIGGRAPH* 2022, arXiv:2202.00273.
# - A. Sauer, T. Karras, S. Laine, A. Geiger, T. Aila. StyleGAN-T: unlocking the power of GANs for fast large-scale text-to-image synthesis. *ICML* 2023, arXiv:2301.09515.
