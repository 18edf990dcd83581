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
# - let a GAN grow from 4 × 4 pixels, and say what growing saves;
# - build a generator in which every layer has its own style, mix two people in it, and pull people towards the average;
# - explain why StyleGAN2 normalises what is expected instead of what is there;
# - recognise a discriminator that has learned its pictures by heart, and augment its pictures without leaking the augmentation;
# - measure, in decibels, how much of a picture sticks to the pixel grid;
# - use attention, spectral normalisation, class-conditional BatchNorm and a discriminator on fixed features, and say what each one changes.
#
# **Time**: two to three hours with the exercises. The cells run in less than 10 minutes on a laptop. **You need**: lectures 03 (what a GAN is), 04 (the DCGAN of faces) and 05 (Fréchet distance, precision and recall, gradient penalties).

# %%
# {{setup}}

# %%
import math
from time import process_time

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
# The generator of lecture 04 takes 128 numbers and returns a face. Which number does what? Nothing in its training decides that. Between 2017 and 2022 eight papers made GANs large, steerable and frugal. Each of them rests on one idea of a few lines. We write these lines, and ask of each idea: *which number changes, and does the picture change with it?*
#
# All faces of this lecture are 32 × 32 pixels, so that everything runs on two cores. Three judges look at them: the **feature network** of lecture 05, which was trained to name attributes; **pixels**, shrunk to 16 × 16 and described by 64 principal components, which were taught nothing; and an independent **classifier** that reads off attributes such as the head (47 values), the skin (5) and glasses.

# %%
features, reader = metrics.FeatureNet("peeps"), metrics.Classifier("peeps")


def small(x):
    return F.adaptive_avg_pool2d(x, 16).flatten(1)


components = PCA(64).fit(small(faces.floats()))
judges = {"features": features.features, "pixels": lambda x: components.encode(small(x)).float()}
real = {name: judge(held_out.floats()) for name, judge in judges.items()}


def distances(x):
    """Fréchet distance of x to the held-out faces, by two judges"""
    pairs = {name: (metrics.fit_gaussian(judge(x)), real[name]) for name, judge in judges.items()}
    return {
        name: metrics.frechet_distance(*fake, *metrics.fit_gaussian(held))
        for name, (fake, held) in pairs.items()
    }


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
# Three small parts make it work. The first one concerns the learning rate. Adam moves every number by about the same amount in each step. A layer with small weights therefore changes by a larger *share* than a layer with large weights. ProGAN stores all weights with a standard deviation of 1, and multiplies them by a constant each time they are used:
#
# $$\hat w = w \cdot \frac{\text{gain}}{\sqrt{n}}, \qquad n = \text{the number of products that one output sums up.}$$
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
# The two layers compute the same function before the step. Only the equalized one changes by the same share at every width.
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
# At α = 0 both players must compute what they computed before the level came. The next cell checks this on whole networks (untrained ones, so the pictures are noise), and shows one code while its third level fades in.

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
    fading = {f"α = {a:g}": fade_in(before, alone, a)[0] for a in (0.0, 0.25, 0.5, 0.75, 1.0)}
    for alpha in (0.0, 0.25, 0.5, 0.75):
        grower.alpha = alpha
        torch.testing.assert_close(grower(z)[0], fading[f"α = {alpha:g}"])
plots.panels({"8 × 8": before[0], **fading}, height=1.3)

# %% [markdown]
# The data are blended in the same way while a level fades in. Otherwise the discriminator would see sharp real pictures beside half-blurred fakes.
#
# The third part tells the discriminator how much the pictures of a batch differ. A generator that always draws the same face is then found out, even if that face is perfect.
#
# ### Exercise 3 · Minibatch standard deviation
#
# Split the batch into groups of `group` pictures: picture $i$ belongs with $i + B/g$, $i + 2B/g$, …. (If the batch is no multiple of `group`, it is one group.) Within a group, compute the standard deviation of each channel at each place, dividing by $g$, with $10^{-8}$ added under the root. Take the mean over channels and places: one number for each group. Append it to its pictures as a channel. *Five lines, ten minutes.*


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
# Is growing cheap? A picture of 8 × 8 has a sixteenth of the pixels of one of 32 × 32. **Which share of the time does a training step on it take?**

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


cost = {4 * 2**level: seconds_of(level, pick(smoke=2, laptop=15, gpu=15)) for level in range(4)}
share = cost[8] / cost[32]
near = {"a sixteenth": 1 / 16, "about a quarter": 1 / 4, "about the same": 1}
print(guess.reveal(min(near, key=lambda name: abs(math.log(share / near[name])))))
print(f"a step at 8 × 8 takes {share:.0%} of the time of one at 32 × 32; of the pixels it has 6 %")
plots.bars({f"{side} × {side}": 1000 * s for side, s in cost.items()}, "ms a picture")

# %% [markdown]
# Small maps have the most channels, and calling a layer costs something at any size. The paper reports that growing made its training two to six times faster, depending on the final size; at 32 pixels there is less to gain. Does what is gained show in the pictures? `course_lib/studies/growing.py` trained the networks above for the same CPU seconds in two ways, three times each.

# %%
ways = {"grown": [], "at full size": []}
for row in studies.read("growing"):
    ways[row["way"]].append(row)
for way, runs in ways.items():
    seen = sum(row["seen"] for row in runs) / len(runs)
    found = ", ".join(f"{row['frechet']:.1f}" for row in runs)
    print(f"{way:12} {seen:5,.0f} pictures seen; Fréchet distances of three runs: {found}")
best, worst = (
    {way: f(r["frechet"] for r in runs) for way, runs in ways.items()} for f in (min, max)
)
assert best["grown"] < worst["at full size"] and best["at full size"] < worst["grown"]

# %% [markdown]
# In half a minute a grown network sees about half as many pictures more. Yet the distances overlap: here is no winner. (All six generators are still poor, so this says nothing about longer trainings.)

# %% [markdown]
# ## 2 · Style
#
# In lecture 04 the code enters at the first layer, and the other layers only see what that layer makes of it. StyleGAN (Karras and others 2019) changes this. The first layer begins with a constant. The code passes through a small network, the **mapping**, which turns it into a vector $w$. Every layer receives its own copy of $w$, its **style**. Originally the style sets the mean and the standard deviation of every map, by *adaptive instance normalisation*:
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
# The course's generator of faces is a StyleGAN2, which section 3 explains, for 32 × 32 pixels. It has five convolutions, at 4 × 4, 8 × 8 (two) and 16 × 16 (two), and one layer for the last colours: six styles of 64 numbers. It was trained on a single core; its card says for how long.

# %%
net = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
print(f"{sum(p.numel() for p in net.parameters()):,} weights, convolutions at {net.sides}")
card = (pretrained.FOLDER / "style_peeps32.md").read_text(encoding="utf-8").splitlines()
print(*(line for line in card if line.startswith(("| steps", "| found"))), sep="\n")
plots.grid(net.sample(44, generator=seed(0)))

# %% [markdown]
# How good is it? The baseline is the DCGAN of lecture 04, made at 64 × 64 and shrunk. The floor is another sample of real faces.

# %% tags=["quality"]
n = pick(smoke=128, laptop=516, gpu=516)
old = load_weights("dcgan_peeps64", dcgan.Generator(nz=128))
samples = {
    "real faces (floor)": faces[torch.randperm(len(faces), generator=seed(0))[:n]].floats(),
    "StyleGAN2": net.sample(n, generator=seed(4)),
    "DCGAN": F.avg_pool2d(gan.sample(old, n, generator=seed(4)), 2),
}
for name, x in samples.items():
    told = ", ".join(f"{judge} {d:5.1f}" for judge, d in distances(x).items())
    precision, recall = metrics.precision_recall(real["features"], judges["features"](x))
    print(f"{name:18} Fréchet by {told}; precision {precision:.2f}, recall {recall:.2f}")

# %% [markdown]
# By the feature network the style generator is much closer to real faces than the DCGAN is, by pixels only a little. Its recall is low: most real faces have no sample near them. The diffusion model of lecture 07, which was trained for longer, is at the floor for faces of this size. So this generator is here for what can be done *with* it, rather than for its pictures.
#
# ### Exercise 5 · Mixing
#
# Two people have styles `ws_a` and `ws_b`, each `(B, layers, 64)`. Return the styles of a in the layers before `cut`, and those of b from `cut` on. Leave the arguments as they are. *One line, three minutes.*


# %%
def mix(ws_a, ws_b, cut):
    """a's styles before the layer `cut`, b's from there on: same shape"""
    ### BEGIN SOLUTION
    return torch.cat([ws_a[:, :cut], ws_b[:, cut:]], dim=1)
    ### END SOLUTION


mix = check("styles.mix", mix)

# %% [markdown]
# Now replace the styles of one size of maps only. **If A and B have different heads, and A gets B's style at the 4 × 4 layer alone: whose head do you see, most often?**

# %%
# Replace ... by one of: "A's", "B's", "a third one"
guess = predict("styles.coarse_swap", ...)

# %%
SIZES = {"4 × 4": (0, 0), "8 × 8": (1, 2), "16 × 16": (3, 4), "colours": (5, 5)}
n = pick(smoke=64, laptop=500, gpu=500)
with torch.no_grad():
    ws_a, ws_b = (net.ws(torch.randn(n, net.nz, generator=seed(i))) for i in (1, 2))
noise = [m.expand(n, -1, -1, -1) for m in net.noises(1, seed(3))]


@torch.no_grad()
def swapped(first, last):
    """The people A, with the styles of B in the layers first … last"""
    return net.synthesis(mix(mix(ws_a, ws_b, first), ws_a, last + 1), noise)


seen_a, seen_b = read(swapped(0, -1)), read(swapped(0, 5))
shares = {}
for name, layers in SIZES.items():
    now, shares[name] = read(swapped(*layers)), {}
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
figures.kept_and_taken(shares)

# %% tags=["cover"]
rows = {}
for i, (name, layers) in enumerate(list(SIZES.items())[:3]):
    ws = mix(mix(ws_a[:8], ws_b[i : i + 1].expand(8, -1, -1), layers[0]), ws_a[:8], layers[1] + 1)
    with torch.no_grad():
        donor = net.synthesis(ws_b[i : i + 1], [m[:1] for m in noise])[0]
        rows[name] = donor, net.synthesis(ws, [m[:8] for m in noise])
figures.mixing(swapped(0, -1)[:8], rows)

# %% [markdown]
# The maps of 4 × 4 and 8 × 8 decide which head and which skin is seen; the styles at 16 × 16 and of the last colours change little of it. And mixing is not exchanging: after a swap at 4 × 4 the head is most often neither A's nor B's. Several layers make a head together, and a new combination of styles gives a new head. In the paper's photographs, colours belong to the fine layers. In these drawings, where skin is one large area, they do not.
#
# Try it on two people of your own: change the seeds.

# %%
a, b = (torch.randn(1, net.nz, generator=seed(i)) for i in (11, 12))


def told(x):
    return ", ".join(f"{key}: {value.item()}" for key, value in read(x).items())


sliders.mixer(net, a, b, told)

# %% [markdown]
# ### Truncation
#
# The average of many $w$ belongs to an average face. Every other face can be pulled towards it.
#
# ### Exercise 6 · Truncate
#
# Return the point a share `psi` of the way from `mean` to `w`. Negative shares are allowed. *One line, two minutes.*


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
psis, strips, measured = (1.0, 0.7, 0.5, 0.0), {}, {"Fréchet": [], "precision": [], "recall": []}
for psi in psis:
    with torch.no_grad():
        w = truncate(net.mapping(z), net.w_mean, psi)
        x = net.synthesis(w[:, None].expand(-1, net.layers, -1), generator=seed(5)).clamp(-1, 1)
    strips[psi] = x[:7]
    precision, recall = metrics.precision_recall(real["features"], judges["features"](x))
    for values, value in zip(
        measured.values(), (distances(x)["features"], precision, recall), strict=True
    ):
        values.append(value)
print(guess.reveal("precision 1, recall 0"))
for name, values in measured.items():
    print(f"{name:9}", ", ".join(f"ψ = {p:g}: {v:.3g}" for p, v in zip(psis, values, strict=True)))
assert measured["precision"][-1] > 0.95 and measured["recall"][-1] < 0.05
assert measured["Fréchet"][-1] > 2 * measured["Fréchet"][0]
figures.truncation(strips, measured)

# %% [markdown]
# Precision reaches 1 while the pictures become one picture. So a single number that looks good, or a page of beautiful samples at ψ = 0.5, says little about a generator: ask for ψ, and for recall.

# %%
sliders.truncation(
    net,
    torch.randn(10, net.nz, generator=seed(5)),
    lambda x: f"heads among these ten: <b>{len(read(x)['head'].unique())}</b>",
)

# %% [markdown]
# ### Is W easier to steer in than Z?
#
# If a small step along the line from one face to another always changes the picture by about the same amount, the space is easy to steer in. The **perceptual path length** measures the change in the features of a network that was not used for training:
#
# $$\ell(t) = \frac{1}{\varepsilon^2}\,\big\| f(g(w(t+\varepsilon))) - f(g(w(t))) \big\|^2, \qquad w(t) = (1-t)\,w_0 + t\,w_1 .$$
#
# ### Exercise 7 · Path length
#
# `w0` and `w1` are `(B, d)`, `t` is `(B,)`. Return a number for each pair. *Four lines, six minutes.*


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


def from_z(z):
    return from_w(net.mapping(z))


pairs = pick(smoke=16, laptop=300, gpu=300)
z0, z1 = (torch.randn(pairs, net.nz, generator=seed(i)) for i in (6, 7))
t = torch.rand(pairs, generator=seed(8))
with torch.no_grad():
    w0, w1 = net.mapping(z0), net.mapping(z1)
    lengths = {
        "W": perceptual_path_length(from_w, features.features, w0, w1, t),
        "Z": perceptual_path_length(from_z, features.features, z0, z1, t),
    }
for name, values in lengths.items():
    low, high = values.quantile(0.01), values.quantile(0.99)
    inner = values[(values >= low) & (values <= high)]  # as in the paper: without the ends
    error = inner.std() / len(inner) ** 0.5
    print(f"straight lines in {name}: {inner.mean():.0f} ± {error:.0f} (standard error)")

# %% [markdown]
# A second measure: can a *plane* separate the people with glasses from those without? A logistic regression learns it from four fifths of the codes, and is tested on the rest. It is a way to ask whether an attribute has a direction, and lecture 10 steers along such directions.

# %%
n = pick(smoke=200, laptop=2000, gpu=5000)
z = torch.randn(n, net.nz, generator=seed(21))
with torch.no_grad():
    w = net.mapping(z)
    wears = torch.cat([read(from_w(part))["glasses"] for part in w.split(250)])
most, planes = 4 * n // 5, {}
for name, codes in {"Z": z, "W": w}.items():
    plane = LogisticRegression(max_iter=1000).fit(codes[:most], wears[:most])
    planes[name] = plane.score(codes[most:], wears[most:])
common = wears[most:].double().mean().item()
planes["always the commonest answer"] = max(common, 1 - common)
print(", ".join(f"{name} {share:.1%}" for name, share in planes.items()))
if full:
    assert planes["W"] > planes["Z"] > max(common, 1 - common)

# %% [markdown]
# Both measures prefer W: along a straight line the features change less, and a plane tells glasses better, far better than the commonest answer does. Z has to fill a sphere evenly whatever the data look like; the mapping is free to bend it until attributes lie along lines.
#
# StyleGAN2 also *trains* for even steps. Its **path length regulariser** takes a random direction $y$ in the space of pictures, and the Jacobian $J$ of the generator, and keeps $\|J^\top y\|$ near its average. What does this length measure? For a linear generator $g(w) = A w$ the answer is exact: $\text{E}\,\|A^\top y\|^2 = \|A\|_F^2$ for $y \sim N(0, I)$. The course draws $y$ as the authors do, divided by $\sqrt{HW}$.

# %%
A = torch.randn(16, 3, generator=seed(22))
w = torch.randn(20_000, 1, 3, generator=seed(23), requires_grad=True)
length = styles.path_length((w[:, 0] @ A.T).view(-1, 1, 4, 4), w, seed(24))
by_draws, exact = length.square().mean().item(), A.square().sum().item() / 16
print(f"by 20,000 draws {by_draws:.4f}, exact {exact:.4f}")
assert abs(by_draws / exact - 1) < 0.03

# %% [markdown]
# So an even length at all $w$ means: there is no face from which the picture changes faster than from the others. (The course's generator was trained without this regulariser. What it changes is not shown here: a comparison takes hours of training on two cores.)
#
# ### Noise
#
# Each convolution also gets noise: one map of random numbers, added to all channels at a strength that is learned. In photographs it places hairs and freckles. What does it do here?

# %%
with torch.no_grad():
    other = torch.stack([net.synthesis(ws_a[:64], generator=seed(20 + i)) for i in range(8)])
by_noise, by_people = other.std(0).mean().item(), other[0].std(0).mean().item()
print("strengths:", [round(conv.strength.item(), 3) for conv in net.convs])
print(f"other noise moves a pixel by {by_noise:.4f}, another person by {by_people:.3f}: ", end="")
print(f"{by_noise / by_people:.1%}")

# %% [markdown]
# The generator has switched its noise off: the strengths ended near 0. These drawings hold nothing random, as loose hairs and freckles are; whatever differs between two pictures belongs to the person. So the noise inputs are told here, and not shown.
#
# ## 3 · Droplets
#
# StyleGAN's pictures had a flaw: nearly all of its maps have a bright drop somewhere. Karras and others (2020) traced it to AdaIN. **A map of 64 × 64 holds numbers of standard deviation 1. One of them is set to 100. What is the standard deviation of the others after AdaIN?**

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
# With one large number the generator can set the size of all others: it carries magnitudes past the normalisation. StyleGAN2 removes the reason. It normalises not the map that is there but the one that is *expected* for white noise, and for that it needs only the kernel:
#
# $$w'_{oik} = s_i\, w_{oik}, \qquad w''_{oik} = \frac{w'_{oik}}{\sqrt{\sum_{ik} {w'_{oik}}^2 + 10^{-8}}} .$$
#
# ### Exercise 8 · Modulated convolution
#
# `x` is `(B, I, H, W)`, `weight` `(O, I, k, k)`, `style` `(B, I)`. Every picture has its own kernel. The map keeps its size: pad with $k // 2$ zeros. A loop over the pictures is fine. *Four lines, ten minutes.*


# %%
def modulated_conv(x, weight, style):
    """Each picture convolved with its own kernel of length 1: (B, O, H, W)"""
    ### BEGIN SOLUTION
    y = F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    size = style.square() @ weight.square().sum((2, 3)).T + 1e-8
    return y * size.rsqrt()[:, :, None, None]
    ### END SOLUTION


modulated_conv = check("styles.modulated_conv", modulated_conv)

# %% [markdown]
# The solution makes no kernels at all. A convolution is linear, so the style may scale the inputs, and the length the outputs: one convolution for the whole batch. What comes out for white noise, and for white noise with a drop?

# %%
weight = torch.randn(32, 32, 3, 3, generator=seed(10))
style = torch.randn(64, 32, generator=seed(11)).exp()
white = torch.randn(64, 32, 16, 16, generator=seed(12))
after = modulated_conv(white, weight, style)[:, :, 1:-1, 1:-1]
spread = after.std((2, 3))
print(f"all maps together {after.std():.3f}; single maps {spread.min():.2f} … {spread.max():.2f}")
assert abs(after.std() - 1) < 0.02 and spread.min() < 0.9 and spread.max() > 1.1
dropped = white.clone()
dropped[..., 5, 5] = 100
far = modulated_conv(dropped, weight, style)[..., 8:-1, 8:-1]
print(f"with a drop, the places away from it: {far.std():.3f}")
torch.testing.assert_close(far, modulated_conv(white, weight, style)[..., 8:-1, 8:-1])

# %% [markdown]
# The average spread is 1, but that of a single map is not: a map may be loud or faint, as its input is. And a drop changes nothing outside its neighbourhood, so the generator gains nothing by drawing one.

# %% [markdown]
# ## 4 · Few pictures
#
# A discriminator can learn its pictures by heart. To see only that, take the generator out of the game: the "fakes" are other *real* faces. There is nothing to find, and a fair discriminator can only guess. **It learns from 20 faces against 2,000 others that it is told are fake. Then it sees new real faces. How many per cent does it call fake?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("styles.stranger", ...)

# %% [markdown]
# Adaptive augmentation (ADA; Karras and others 2020) shows the discriminator flipped, turned, moved and recoloured pictures, real ones and fakes alike, each with a probability $p$. How large should $p$ be? ADA measures how sure D is of its training pictures, $r = \text{E}\,\text{sign}(D(x))$, and holds it near a target of 0.6.
#
# ### Exercise 9 · The controller
#
# Return the next $p$: up by `images / span` where $r$ is above the target, else down, and always a probability. *Three lines, five minutes.*


# %%
def adaptive_probability(p, real_scores, images, target=0.6, span=500_000):
    """The next p, in [0, 1]"""
    ### BEGIN SOLUTION
    r = real_scores.sign().mean()
    step = images / span
    return min(max(p + (step if r > target else -step), 0.0), 1.0)
    ### END SOLUTION


adaptive_probability = check("styles.adaptive_probability", adaptive_probability)

# %%
shown = faces[:1].floats().expand(12, -1, -1, -1)
plots.rows({f"p = {p:g}": augment(shown, p, seed(14)) for p in (0.0, 0.2, 0.5, 0.8)})

# %%
order = torch.randperm(len(faces), generator=seed(13))
pool, strangers = faces[order[:2000]].floats(), faces[order[2000:2400]].floats()
few, many = faces[order[2400:2420]].floats(), faces[order[2400:3900]].floats()
rounds = pick(smoke=4, laptop=200, gpu=200)


def judged(own, run, target=None):
    """D learns `own` against `pool`: which share it calls fake of strangers, of `own`; the last p"""
    torch.manual_seed(run)
    D, p = StyleDiscriminator(NARROW, 32), 0.0
    optimizer = torch.optim.Adam(D.parameters(), 2e-3, (0.0, 0.99))
    for _ in range(rounds):
        ours, others = (x[torch.randint(len(x), (16,))] for x in (own, pool))
        ours, others = D(augment(ours, p)), D(augment(others, p))
        loss = F.softplus(-ours).mean() + F.softplus(others).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if target:
            p = adaptive_probability(p, ours.detach(), 16, target, span=1500)
    with torch.no_grad():
        return *((D(x) < 0).double().mean().item() for x in (strangers, own)), float(p)


# %%
tried = {
    "20 faces": [judged(few, run) for run in range(3)],
    "20 faces, ADA": [judged(few, run, 0.6) for run in range(3)],
    "1,500 faces": [judged(many, 0)],
}
called = sum(run[0] for run in tried["20 faces"]) / 3
print(guess.reveal(round(100 * called)))
for name, runs in tried.items():
    of_strangers, of_own = (", ".join(f"{run[i]:.0%}" for run in runs) for i in (0, 1))
    ends = f"; p ended at {', '.join(f'{run[2]:.2f}' for run in runs)}" if "ADA" in name else ""
    print(f"{name:14} called fake: strangers {of_strangers}; its own {of_own}{ends}")
if full:
    assert all(run[0] - run[1] > 0.4 for run in tried["20 faces"])
    assert abs(tried["1,500 faces"][0][0] - tried["1,500 faces"][0][1]) < 0.2

# %% [markdown]
# A discriminator of 20 faces calls most strangers fake, although they are real faces like its own, of which it calls hardly any fake: it has learned them by heart. A discriminator of 1,500 faces cannot, in so few rounds, and calls about as many of its own faces fake as of the strangers. With ADA a small $p$ is enough to hold $r$ at the target. That is all the controller looks at: most strangers are still called fake. Augmentation makes more of 20 faces, but it makes no new ones.
#
# ### Does it leak?
#
# If every picture were flipped with probability ½, nothing in the result would tell which way round the originals were. A generator could then flip half of its faces, and D would not notice. If a *coin* decides first whether to flip at all, and then a second one which way, enough originals remain. The widget shows which mixtures can be undone: those whose eigenvalues are all different from 0.


# %%
def flip_coin(p):
    return torch.tensor([1 - p / 2, p / 2])


def flip_always(p):
    return torch.tensor([1 - p, p])


def true_turns(p):
    return torch.tensor([1 - p, p / 3, p / 3, p / 3])


laws = {"flip, a coin": flip_coin, "flip, always": flip_always, "three turns": true_turns}
sliders.leak(laws)

# %% [markdown]
# Here is the same as a figure. A law that reaches 0 leaks there: flips without a coin at $p = ½$, and the three true quarter turns at $p = ¾$, where all four directions are equally frequent.

# %%
probabilities = torch.linspace(0, 1, 101)
smallest = {
    name: torch.stack([sliders.smallest(law(p.item())) for p in probabilities])
    for name, law in laws.items()
}
assert smallest["flip, always"][50] < 1e-6 and smallest["three turns"][75] < 1e-6
assert (smallest["flip, a coin"][:100] > 0).all()
figures.leaks(probabilities, smallest)

# %% [markdown]
# ## 5 · Moving
#
# In films made with StyleGAN2 the hair stays where it is while the face moves: texture sticks to the pixel grid. StyleGAN3 (Karras and others 2021) traces this to the activation functions. A bent signal has overtones. Those that are too fast for the grid fold back to slower waves, and these depend on where the grid lies. The cure is to apply the activation at a higher rate.
#
# ### Exercise 10 · Up, bend, down
#
# `x` is `(…, n)`, circular. Resample it to `factor * n` places by Fourier, apply `act`, remove all frequencies of $n/2$ and above, and return to $n$ places. (Mind the scale: `rfft` sums over places.) *Five lines, ten minutes.*


# %%
def filtered(x, factor, act):
    """act at `factor` times the rate, without overtones that n places cannot hold: (…, n)"""
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
cases = {}
for factor, shift in ((1, 0.3), (2, 0.3), (4, 0.3), (8, 0.3), (2, 0.5)):
    first = filtered(styles.moved(signal, shift), factor, leaky)
    second = styles.moved(filtered(signal, factor, leaky), shift)
    db = 10 * math.log10(4 / (first - second).square().mean().item())
    cases[f"rate × {factor}, moved by {shift}"] = first[0], second[0], db
found = [db for _, _, db in list(cases.values())[:4]]
assert all(low < db for low, db in zip((28, 44, 60, 68), found, strict=True))
figures.sticking(cases)

# %% [markdown]
# The decibels compare the error with the range of pictures, from −1 to 1: 20 dB more is a tenth of the error. The first two doublings of the rate each remove about 16 dB, a factor of six. The last row is a trap. A shift of half a place is a whole place at twice the rate, so the activation at that rate moves along exactly, and the test proves nothing.

# %%
sliders.aliasing(signal[0], leaky)

# %% [markdown]
# Our generator was built without this care. Move its maps of 8 × 8 by a whole cell, and the picture moves by 4 pixels. **Move them by half a cell. How well does the picture move along, in dB?**

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


@torch.no_grad()
def moved_inside(cells):
    """dB between the picture of moved 8 × 8 maps and the moved picture, away from the border"""
    ws = ws_a[:64]
    x, picture = up_to_8(ws)
    stayed = from_8(x, picture, ws)
    per_cell = picture.shape[-1] // x.shape[-1]
    went = from_8(styles.moved(x, cells), styles.moved(picture, per_cell * cells), ws)
    error = went - stayed.roll(round(stayed.shape[-1] // x.shape[-1] * cells), -1)
    return 10 * math.log10(4 / max(error[..., 12:-12].square().mean().item(), 1e-20))


whole, half = moved_inside(1.0), moved_inside(0.5)
print(guess.reveal(round(half, 1)))
print(f"a whole cell {whole:.0f} dB, half a cell {half:.1f} dB; StyleGAN3-T on photographs: 63 dB")
assert whole > 60 and half < 40

# %% [markdown]
# A whole cell is moved along up to rounding. Half a cell is not: a good part of the picture stays where the grid is. That is what StyleGAN3's filters remove, at the cost of a slower network.
#
# ## 6 · Seeing far
#
# A 3 × 3 convolution sees one pixel far. To know that the left eye should look like the right one, a network needs many of them, or another kind of layer. SAGAN (Zhang and others 2019) adds **self-attention**: every place looks at all places, and takes a weighted mean of what they hold.
#
# ### Exercise 11 · Self-attention
#
# `x` is `(B, C, H, W)`; `query` and `key` are `(d, C)`, `value` is `(V, C)`. Place $i$ weighs place $j$ by $\text{softmax}_j(q_i \cdot k_j)$, without a division by $\sqrt d$. *Four lines, ten minutes.*


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
# An experiment that only a far-seeing network can solve: one pixel of 16 × 16 is marked, and holds +1 or −1. All pixels shall take that value. Three 3 × 3 convolutions reach three pixels far. For a mark at a random place, the share of pixels out of reach is $1 - (100/256)^2 = 0.847$, and there the best answer is 0, with a squared error of 1. So 0.847 is the floor of three convolutions, however long they train.


# %%
def marked(n, generator):
    at = torch.randint(256, (n,), generator=generator)
    value = torch.randint(2, (n,), generator=generator) * 2.0 - 1
    x = torch.zeros(n, 2, 256)
    x[torch.arange(n), 0, at], x[torch.arange(n), 1, at] = value, 1.0
    return x.view(n, 2, 16, 16), value.view(n, 1, 1, 1).expand(-1, 1, 16, 16), at


def near(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())


errors, rounds = {}, pick(smoke=5, laptop=400, gpu=600)
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
print({name: f"{error:.4f}" for name, error in errors.items()}, "floor of the first: 0.847")
if full:
    assert errors["three convolutions"] > 0.8 and errors["two and attention"] < 0.1
plots.bars(errors, "mean squared error on new pictures")

# %% [markdown]
# Where do places look? The trained block holds its matrices as 1 × 1 convolutions. With them, your function computes what the block computes.

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
# Wherever a place lies, the places around the mark get its largest weights. The block has learned to ask for them, and γ, which begins at 0, has let its answer in. (The sign of γ is free: the layer behind the block can turn it round.)
#
# SAGAN also divides every weight by its largest singular value (**spectral normalisation**; Miyato and others 2018), so that no matrix lengthens any vector. That value is found by power iteration, one step in each training step.
#
# ### Exercise 12 · Power iteration
#
# See the weight as a matrix `(O, everything else)`. `steps` times: $v \leftarrow W^\top u / \|W^\top u\|$, $u \leftarrow W v / \|W v\|$. Return $\sigma = u^\top W v$ and the new $u$. A gradient reaches the weight through σ alone. *Six lines, ten minutes.*


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
# Does it bound what the *layer* does? The kernel of a convolution is used at every place, and the windows overlap. A 3 × 3 kernel of ones has the matrix norm 3; a constant picture it multiplies by 9. For circular pictures, the true gain of a layer is the largest singular value over all frequencies. Here are both for the convolutions of the feature network.

# %%
ratios = {}
for i, layer in enumerate(m for m in features.modules() if isinstance(m, nn.Conv2d)):
    kernel = layer.weight.detach().double()
    sigma, _ = spectral_norm(kernel, torch.ones(len(kernel), dtype=torch.float64), 100)
    waves = torch.fft.fft2(kernel, (16, 16)).permute(2, 3, 0, 1)  # one matrix a frequency
    gain = torch.linalg.matrix_norm(waves, 2).max().item()
    ratios[f"layer {i + 1}"] = gain / sigma.item()
assert all(1 < ratio <= 3 for ratio in ratios.values())
plots.bars(ratios, "true gain / spectral norm of the kernel")

# %% [markdown]
# So a network normalised in this way may lengthen vectors at every layer, by up to 3 for kernels of 3 × 3. The name promises more than the method does.
#
# SAGAN's third part is two learning rates, a larger one for D. Does that help? In the smallest GAN there is (lecture 05's Dirac game, with the penalty R1) the answer can be computed: near the end, the distance that is left after each round is the largest |eigenvalue| of
#
# $$\begin{pmatrix} 1 & a/2 \\ -b/2 & 1 - \gamma b \end{pmatrix},$$
#
# with rates $a$ of G and $b$ of D, and γ the weight of R1. Below 1 the players come home.

# %%
d_rates = torch.logspace(-2, 0.3, 80).tolist()
rates = {f"γ = {g:g}": [scaling.dirac_rate(0.1, b, g) for b in d_rates] for g in (0.02, 0.3, 1.0)}
for name, values in rates.items():
    best = min(range(len(values)), key=values.__getitem__)
    print(f"{name}: best {values[best]:.3f}, at a rate of D of {d_rates[best]:.2f} (G's: 0.1)")
assert min(rates["γ = 0.02"]) >= 1 > min(rates["γ = 1"])
figures.dirac_rates(d_rates, rates)

# %% [markdown]
# With little penalty no ratio of the rates helps. With γ = 0.3 D should indeed be faster than G. With γ = 1 equal rates are best. The ratio alone decides nothing.
#
# ## 7 · Classes
#
# BigGAN (Brock and others 2019) is large: 70 million weights in G, 88 million in D for 128 × 128. Some of its ideas are small enough to try. The class enters every BatchNorm, which takes its gain and bias from it. The code is cut into chunks, one for each block. D's score has a part that asks for the class. And **truncation**: draw $z$ from a normal distribution without its tails. The course's `big_fashion32` is such a network with 0.14 million weights.

# %%
big = scaling.BigGANGenerator(10, 64, 32, ch=16, widths=(4, 4, 2, 2), attention=None, nc=1)
load_weights("big_fashion32", big)
clothes = data.load("fashion", "test", size=32)
judge_clothes, sorter = metrics.FeatureNet("fashion"), metrics.Classifier("fashion")
n = pick(smoke=100, laptop=1000, gpu=1000)
some = torch.randperm(len(clothes), generator=seed(17))
real_clothes, floor = (
    judge_clothes.features(clothes[part].floats()) for part in (some[:n], some[n : 2 * n])
)
labels, table, drawn = torch.arange(n) % 10, {}, {}
z = torch.randn(n, big.nz, generator=seed(18))
codes = {"as drawn": z}
for bound in (1.0, 0.5):
    codes[f"within ± {bound:g}"] = scaling.truncated_normal(z.shape, bound, seed(18))
for name, z in codes.items():
    with torch.no_grad():
        x = torch.cat([big(a, b) for a, b in zip(z.split(250), labels.split(250), strict=True)])
    table[name] = judge_clothes.features(x), (sorter.classify(x) == labels).double().mean().item()
    drawn[name] = x[:10]

# %%
table = {"real clothes": (floor, math.nan), **table}
for name, (fake, right) in table.items():
    precision, recall = metrics.precision_recall(real_clothes, fake)
    pair = metrics.fit_gaussian(fake), metrics.fit_gaussian(real_clothes)
    distance = metrics.frechet_distance(*pair[0], *pair[1])
    print(
        f"{name:14} precision {precision:.2f}, recall {recall:.3f}, Fréchet {distance:5.2f}", end=""
    )
    print("" if math.isnan(right) else f", requested class {right:.1%}")
plots.rows(drawn)

# %% [markdown]
# Narrower codes give the requested class more often. Precision rises a little at most; recall, which is low to begin with, goes to 0, and the Fréchet distance grows. This is the exchange of section 2 again, made in Z instead of W.
#
# ## 8 · A discriminator that went to school
#
# Training a discriminator from nothing takes long. Projected GANs (Sauer and others 2021) take a network that is trained already, freeze it, and train only small heads on its maps. StyleGAN-XL and StyleGAN-T, which follows a text, grew from that. Three generators have learned for about the same time: one from a discriminator on pixels, one from heads on the encoder of lecture 02's autoencoder, one from both. **The Fréchet distances of the first two are far apart. Which pictures look better?**

# %%
# Replace ... by one of: "those of the smaller distance", "those of the larger distance", "neither"
guess = predict("styles.which_judge", ...)

# %%
trio = {}
for kind in ("pixels", "fixed", "both"):
    one_minute = load_weights(f"style_peeps32_{kind}", StyleGenerator(channels=NARROW, size=32))
    x = one_minute.sample(pick(smoke=128, laptop=516, gpu=516), generator=seed(19))
    card = (pretrained.FOLDER / f"style_peeps32_{kind}.md").read_text(encoding="utf-8")
    seconds = card.split("| CPU seconds | ")[1].split(" |")[0]
    found = distances(x)
    trio[f"{kind}\n{found['features']:.1f}"] = x[:12]
    told = ", ".join(f"{judge} {distance:.1f}" for judge, distance in found.items())
    print(f"{kind:7} {seconds:>4} CPU seconds; Fréchet distance by {told}")
print(guess.reveal("neither"))
plots.rows(trio)

# %% [markdown]
# In fewer CPU seconds than the discriminator on pixels needed for a few blurred heads, the heads on a fixed network have taught faces with hair and glasses, and many different ones. But the pictures are full of coloured dots, which anyone sees at once and the fixed network does not. Both judges prefer them even to the cleaner pictures of `both`: the feature network was trained on the same drawings, and at 16 × 16 dots of single pixels average out. What the fixed network is blind to, nobody corrects; and a judge that resembles it rewards what the eye rejects. (One training each: the order of the three may change with the seed.)
#
# Now train such a generator yourself: a style generator, a discriminator on pixels and heads on the fixed encoder. On a GPU it is trained at 64 × 64, with more channels and for longer.

# %%
side, widths = pick(smoke=(32, NARROW), laptop=(32, NARROW), gpu=(64, (256, 256, 128, 64)))
torch.manual_seed(20)
encoder = load_weights("ae_peeps32", Autoencoder(size=32, latent=32)).encoder
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
found = distances(F.adaptive_avg_pool2d(mine, 32))
print(f"{history.steps} steps:", ", ".join(f"{judge} {d:.1f}" for judge, d in found.items()))

# %% [markdown]
# ## 9 · How large they were
#
# The networks of this lecture's modules are the papers' networks: only the sizes differ. On torch's `meta` device, weights have a shape and no memory, so the originals can be built on any laptop and counted.

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
# What this lecture tells and does not show: pictures of 1024 × 1024; the training of StyleGAN3, which filters as in section 5 at every layer, of StyleGAN-XL and of StyleGAN-T; turned instead of moved pictures; films; BigGAN's orthogonal penalty, whose effect the paper counts over many trained models.
#
# | system | its idea, in this lecture | what was measured here |
# |---|---|---|
# | ProGAN | equalized layers, fading in, minibatch standard deviation | the cost of a step at each level; three runs grown and three at full size |
# | StyleGAN | a style for each layer, truncation | whose head is seen after a swap; distance, precision and recall over ψ |
# | StyleGAN2 | demodulation, path length | droplets and their absence, exactly |
# | StyleGAN2-ADA | augmentation under control | a discriminator of 20 faces, three runs; leaks, exactly |
# | StyleGAN3 | activations at a higher rate | decibels of a signal and of our generator |
# | SAGAN | attention, spectral normalisation, two rates | a task out of reach for convolutions; true gains of layers |
# | BigGAN | class-conditional BatchNorm, truncated codes | requested classes, precision and recall over the bound |
# | Projected GAN, StyleGAN-XL | heads on a fixed network | three judges for equal time, under two distances |
#
# ## To go further
#
# 1. **Your own swap.** Exchange the styles of two layers that are not neighbours. Can you keep the head and change only the skin?
# 2. **ψ for each layer.** Truncate only the 4 × 4 layer. What happens to recall, and to the colours?
# 3. **Another target.** Run `judged(few, 0, target)` for targets of 0.2 and 0.9. Does the share of strangers called fake follow?
# 4. **Pooled attention.** Set `pool=True` in section 6. Keys and values then come from every second place each way. What can the network no longer tell?
# 5. **A judge for the judge.** Which of your pictures would the heads alone accept and a person not? Change pixels of a real face until its Fréchet features move as little as possible.
#
# ## References
#
# - T. Karras, T. Aila, S. Laine, J. Lehtinen. Progressive growing of GANs for improved quality, stability, and variation. *ICLR* 2018, arXiv:1710.10196.
# - T. Karras, S. Laine, T. Aila. A style-based generator architecture for generative adversarial networks. *CVPR* 2019, arXiv:1812.04948.
# - T. Karras, S. Laine, M. Aittala and others. Analyzing and improving the image quality of StyleGAN. *CVPR* 2020, arXiv:1912.04958.
# - T. Karras, M. Aittala, J. Hellsten and others. Training generative adversarial networks with limited data. *NeurIPS* 2020, arXiv:2006.06676.
# - T. Karras, M. Aittala, S. Laine and others. Alias-free generative adversarial networks. *NeurIPS* 2021, arXiv:2106.12423.
# - T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida. Spectral normalization for generative adversarial networks. *ICLR* 2018, arXiv:1802.05957.
# - T. Miyato, M. Koyama. cGANs with projection discriminator. *ICLR* 2018, arXiv:1802.05637.
# - H. Zhang, I. Goodfellow, D. Metaxas, A. Odena. Self-attention generative adversarial networks. *ICML* 2019, arXiv:1805.08318.
# - M. Heusel, H. Ramsauer, T. Unterthiner and others. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. *NeurIPS* 2017, arXiv:1706.08500.
# - L. Mescheder, A. Geiger, S. Nowozin. Which training methods for GANs do actually converge? *ICML* 2018, arXiv:1801.04406.
# - A. Brock, J. Donahue, K. Simonyan. Large scale GAN training for high fidelity natural image synthesis. *ICLR* 2019, arXiv:1809.11096.
# - A. Sauer, K. Chitta, J. Müller, A. Geiger. Projected GANs converge faster. *NeurIPS* 2021, arXiv:2111.01007.
# - A. Sauer, K. Schwarz, A. Geiger. StyleGAN-XL: scaling StyleGAN to large diverse datasets. *SIGGRAPH* 2022, arXiv:2202.00273.
# - A. Sauer, T. Karras, S. Laine, A. Geiger, T. Aila. StyleGAN-T: unlocking the power of GANs for fast large-scale text-to-image synthesis. *ICML* 2023, arXiv:2301.09515.
