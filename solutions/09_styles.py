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
# - let a GAN grow from 4 × 4 pixels, and say what growing saves and what it does not;
# - build a generator in which every layer has its own style, mix two people in it, and pull people towards the average;
# - explain why StyleGAN2 normalises what is expected instead of what is there;
# - recognise a discriminator that has learned its pictures by heart, and augment its pictures without leaking the augmentation;
# - measure, in decibels, how much of a texture sticks to the pixel grid;
# - use attention, spectral normalisation, class-conditional BatchNorm and a discriminator on fixed features, and say what each one changes.
#
# **Time**: two to three hours with the exercises. **You need**: lectures 03 (what a GAN is), 04 (the DCGAN of faces) and 05 (Fréchet distance, precision and recall, gradient penalties).

# %%
# {{setup}}

# %%
import math
from time import process_time

import torch
import torch.nn.functional as F
from torch import nn

from course_lib import data, device, gan, metrics, plots, scaling, styles
from course_lib.augmentation import Augmentation, augment
from course_lib.exercises import check, hint, predict, solution
from course_lib.pretrained import load_weights
from course_lib.plots import styles as figures
from course_lib.recipes.styles import NARROW, WIDE, big_generator
from course_lib.scale import current, pick
from course_lib.styles import StyleDiscriminator, StyleGenerator, StyleStep
from course_lib.training import train
from course_lib.widgets import styles as sliders


# %%
def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # networks are trained here, and looked at on the CPU
faces, held_out = (data.load("peeps", split, size=32) for split in ("train", "test"))

# %% [markdown]
# The generator of lecture 04 takes 128 numbers and returns a face. Which number does what? Nobody knows. Between 2017 and 2022 eight papers made GANs large, steerable and frugal. Each of them rests on one idea of a few lines. We write these lines, and ask of each idea: *which number changes, and does the picture change with it?*
#
# ## 1 · Large by growing
#
# A picture of 1024 × 1024 has 65,536 times as many pixels as one of 4 × 4. ProGAN (Karras and others 2018) begins with 4 × 4. When that works it adds a level of 8 × 8, then 16 × 16, and so on. Most of the training then takes place on small pictures.
#
# Three small parts make it work. The first one concerns the learning rate. Adam moves every number by about the same amount in each step. A layer whose weights are small therefore changes by a larger *share* than one whose weights are large. ProGAN stores all weights with a standard deviation of 1, and multiplies them by a constant each time they are used:
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

# %% [markdown]
# The second part is how a level comes in. If it replaced the old one at once, the generator would suddenly show noise, and the discriminator would win at once. So the new level is **faded in**: the picture is a weighted mean of the old level, with its pixels doubled, and of the new one.
#
# ### Exercise 2 · Fade in
#
# `low` is `(B, C, h, w)`, `high` is `(B, C, 2h, 2w)`, `alpha` goes from 0 to 1. Values beyond that count as 0 or 1. *Two lines, four minutes.*


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
# At α = 0 both players must be what they were before the level came. The next cell checks it on whole networks, and shows one code while its third level fades in.

# %%
torch.manual_seed(0)
grower, judge = scaling.ProgressiveGenerator(64, WIDE), scaling.ProgressiveDiscriminator(WIDE)
z = torch.randn(1, 64, generator=seed(1))
grower.level = judge.level = 1
with torch.no_grad():
    small = grower(z)
    said = judge(small.repeat(4, 1, 1, 1))
    grower.level = judge.level = 2
    fading = {}
    for alpha in (0.0, 0.25, 0.5, 0.75, 1.0):
        grower.alpha = judge.alpha = alpha
        fading[f"α = {alpha:g}"] = grower(z)[0]
    grower.alpha = judge.alpha = 0.0
    torch.testing.assert_close(grower(z), F.interpolate(small, scale_factor=2))
    torch.testing.assert_close(judge(grower(z).repeat(4, 1, 1, 1)), said)
plots.panels({"8 × 8": small[0], **fading}, height=1.3)

# %% [markdown]
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
print(guess.reveal("about a quarter"))
print({f"{side} × {side}": f"{1000 * s:.1f} ms a picture" for side, s in cost.items()})
print(f"a step at 8 × 8 takes {share:.0%} of one at 32 × 32; of the pixels it has 6 %")
plots.bars({f"{side} × {side}": 1000 * s for side, s in cost.items()}, "ms a picture")

# %% [markdown]
# ## 2 · Style
#
# In lecture 04 the code enters at the first layer, and all other layers see what is left of it. StyleGAN (Karras and others 2019) turns this round. The first layer begins with a constant. The code passes through a small network, the **mapping**, which makes a vector $w$ of it; and every layer has its own copy of $w$, its **style**. Originally the style sets the mean and the standard deviation of every map, by *adaptive instance normalisation*:
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
# The course's generator of faces is a StyleGAN2 for 32 × 32 pixels, trained for a while on two cores; its card says for how long, and how good it is. It has five convolutions, at 4 × 4, 8 × 8 (two) and 16 × 16 (two), and one layer for the last colours: six styles of 64 numbers. Here are people from it.

# %%
net = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
print(f"{sum(p.numel() for p in net.parameters()):,} weights, maps of {net.sides} pixels")
plots.grid(net.sample(48, generator=seed(0)))

# %% [markdown]
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
SIZES = {"4 × 4": [0], "8 × 8": [1, 2], "16 × 16": [3, 4], "colours": [5]}
n = pick(smoke=64, laptop=500, gpu=500)
reader = metrics.Classifier("peeps")
with torch.no_grad():
    ws_a, ws_b = (net.ws(torch.randn(n, net.nz, generator=seed(i))) for i in (1, 2))
noise = [m.expand(n, -1, -1, -1) for m in net.noises(1, seed(3))]


@torch.no_grad()
def read(x):
    """What an independent classifier reads off: attribute -> a value for each picture"""
    parts = [reader(part) for part in x.clamp(-1, 1).split(250)]
    return {key: torch.cat([part[key] for part in parts]).argmax(1) for key in parts[0]}


@torch.no_grad()
def swapped(layers):
    ws = ws_a.clone()
    ws[:, layers] = ws_b[:, layers]
    return net.synthesis(ws, noise)


seen_a, seen_b = read(swapped([])), read(swapped(list(range(net.layers))))
shares = {}
for name, layers in SIZES.items():
    now, shares[name] = read(swapped(layers)), {}
    for key in ("head", "skin", "glasses"):
        apart = seen_a[key] != seen_b[key]
        taken = (now[key] == seen_b[key])[apart].double().mean().item()
        kept = (now[key] == seen_a[key])[apart].double().mean().item()
        shares[name][key] = taken, kept
taken, kept = shares["4 × 4"]["head"]
most = max({"A's": kept, "B's": taken, "a third one": 1 - kept - taken}.items(), key=lambda p: p[1])
print(guess.reveal(most[0]))
print(f"4 × 4 swapped: B's head {taken:.0%}, A's {kept:.0%}, a third {1 - kept - taken:.0%}")
figures.kept_and_taken(shares)

# %% tags=["cover"]
rows = {}
for i, (name, layers) in enumerate(list(SIZES.items())[:3]):
    ws = ws_a[:8].clone()
    ws[:, layers] = ws_b[i, layers]
    with torch.no_grad():
        donor = net.synthesis(ws_b[i : i + 1], [m[:1] for m in noise])[0]
        rows[name] = donor, net.synthesis(ws, [m[:8] for m in noise])
figures.mixing(swapped([])[:8], rows)

# %% [markdown]
# Try it on two people of your own: change the seeds.

# %%
a, b = (torch.randn(1, net.nz, generator=seed(i)) for i in (11, 12))


def told(x):
    return ", ".join(f"{key}: {value.item()}" for key, value in read(x).items())


sliders.mixer(net, a, b, told)

# %% [markdown]
# ### Truncation
#
# The average of many $w$ is the $w$ of an average face. Every other face can be pulled towards it.
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
features = metrics.FeatureNet("peeps")
real = features.features(held_out.floats())
psis, strips, measured = (1.0, 0.7, 0.5, 0.0), {}, {"Fréchet": [], "precision": [], "recall": []}
for psi in psis:
    x = net.sample(pick(smoke=64, laptop=516, gpu=516), psi, seed(4))
    strips[psi] = x[:7]
    fake = features.features(x)
    distance = metrics.frechet_distance(*metrics.fit_gaussian(fake), *metrics.fit_gaussian(real))
    precision, recall = metrics.precision_recall(real, fake)
    for values, value in zip(measured.values(), (distance, precision, recall), strict=True):
        values.append(value)
print(guess.reveal("precision 1, recall 0"))
for name, values in measured.items():
    print(f"{name:9}", ", ".join(f"ψ = {p:g}: {v:.3g}" for p, v in zip(psis, values, strict=True)))
figures.truncation(strips, measured)

# %%
sliders.truncation(
    net,
    torch.randn(10, net.nz, generator=seed(5)),
    lambda x: f"heads among these ten: <b>{len(read(x)['head'].unique())}</b>",
)

# %% [markdown]
# ### Is W straighter than Z?
#
# If a small step along the line from one face to another always changes the picture by about the same amount, the space is easy to steer in. The **perceptual path length** measures the change, in the features of a network that was not used for training:
#
# $$\ell(t) = \frac{1}{\varepsilon^2}\,\big\| f(g(w(t+\varepsilon))) - f(g(w(t))) \big\|^2, \qquad w(t) = (1-t)\,w_0 + t\,w_1 .$$
#
# ### Exercise 7 · Path length
#
# `w0` and `w1` are `(B, d)`, `t` is `(B,)`. Return a number for each pair. *Three lines, six minutes.*


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


pairs = pick(smoke=16, laptop=300, gpu=300)
z0, z1 = (torch.randn(pairs, net.nz, generator=seed(i)) for i in (6, 7))
t = torch.rand(pairs, generator=seed(8))
with torch.no_grad():
    w0, w1 = net.mapping(z0), net.mapping(z1)
    lengths = {
        "straight, in W": perceptual_path_length(from_w, features.features, w0, w1, t),
        "straight, in Z": perceptual_path_length(
            lambda z: from_w(net.mapping(z)), features.features, z0, z1, t
        ),
    }
for name, values in lengths.items():
    low, high = values.quantile(0.01), values.quantile(0.99)
    inner = values[(values >= low) & (values <= high)]  # as in the paper: without the ends
    error = inner.std() / len(inner) ** 0.5
    print(f"{name}: {inner.mean():.0f} ± {error:.0f} (standard error)")

# %% [markdown]
# ### Noise
#
# Each convolution also gets noise: one map of random numbers, added to all channels at a strength that is learned. In photographs it places hairs and freckles. What does it do here?

# %%
with torch.no_grad():
    ws = ws_a[:64]
    other = torch.stack([net.synthesis(ws, generator=seed(20 + i)) for i in range(8)])
by_noise, by_people = other.std(0).mean().item(), other[0].std(0).mean().item()
print("strengths:", [round(conv.strength.item(), 3) for conv in net.convs])
print(f"other noise moves a pixel by {by_noise:.4f}, another person by {by_people:.2f}")

# %% [markdown]
# ## 3 · Droplets
#
# StyleGAN's pictures had a flaw: somewhere in nearly all maps there was a bright drop. The reason is AdaIN. **A map of 64 × 64 holds numbers of standard deviation 1. One of them is set to 100. What is the standard deviation of the others after AdaIN?**

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
figures.droplet(drop[0, 0], {"after AdaIN": normalised[0, 0], "untouched": calm[0, 0]}, guess)

# %% [markdown]
# With one large number the generator can set the size of all others: it smuggles magnitudes past the normalisation. StyleGAN2 (Karras and others 2020) removes the reason. It normalises not the map that is there but the one that is *expected* for white noise, and for that it needs only the kernel:
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

# %%
weight = torch.randn(32, 32, 3, 3, generator=seed(10))
style = torch.randn(64, 32, generator=seed(11)).exp()
white = torch.randn(64, 32, 16, 16, generator=seed(12))
after = modulated_conv(white, weight, style)[:, :, 1:-1, 1:-1]
spread = after.std((2, 3))
print(f"all maps together {after.std():.3f}; single maps {spread.min():.2f} … {spread.max():.2f}")
assert abs(after.std() - 1) < 0.02 and spread.min() < 0.9 and spread.max() > 1.1

# %% [markdown]
# The average spread is 1, but that of a single map is not: a map may be loud or faint, and there is no normalisation left that a droplet could trick.
#
# ## 4 · Few pictures
#
# A discriminator can learn its pictures by heart. To see only that, take the generator out of the game: the "fakes" are other *real* faces. There is nothing to find, and a fair discriminator can only guess. **It learns from 20 faces. Then it sees new real faces. How many per cent does it call fake?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("styles.stranger", ...)

# %%
order = torch.randperm(len(faces), generator=seed(13))
pool, strangers = faces[order[:2000]].floats(), faces[order[2000:2200]].floats()
own = faces[order[2200:2220]].floats()


def judged(augmentation, run, steps):
    """Train D on `own` against `pool`; shares of strangers and of its own faces called fake"""
    torch.manual_seed(run)
    D = StyleDiscriminator(NARROW, 32)
    optimizer = torch.optim.Adam(D.parameters(), 2e-3, (0.0, 0.99))
    for _ in range(steps):
        real = own[torch.randint(len(own), (16,))]
        other = pool[torch.randint(len(pool), (16,))]
        scores = D(augmentation(real)), D(augmentation(other))
        loss = F.softplus(-scores[0]).mean() + F.softplus(scores[1]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        augmentation.update(scores[0].detach())
    with torch.no_grad():
        told = [(D(x) < 0).double().mean().item() for x in (strangers, own)]
    return told, float(augmentation.p)


steps = pick(smoke=10, laptop=120, gpu=200)
(called, of_own), _ = judged(Augmentation(target=None), 0, steps)
print(guess.reveal(round(100 * called)))
print(f"called fake: {called:.0%} of the strangers, {of_own:.0%} of its own 20 faces")

# %% [markdown]
# Adaptive augmentation (ADA; Karras and others 2020) shows the discriminator flipped, turned, moved and recoloured pictures, real ones and fakes alike, each with a probability $p$. How large should $p$ be? It measures how sure D is of its training pictures, $r = \text{E}\,\text{sign}(D(x))$, and holds it near 0.6.
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
shown = faces[:1].floats().expand(16, -1, -1, -1)
plots.rows({f"p = {p:g}": augment(shown, p, seed(14))[:12] for p in (0.2, 0.5, 0.8)})

# %%
(with_ada, own_ada), p = judged(Augmentation(0.6, span=1500), 0, steps)
print(
    f"with augmentation (p ended at {p:.2f}): {with_ada:.0%} of strangers, {own_ada:.0%} of its own"
)

# %% [markdown]
# ### Does it leak?
#
# If every picture were always flipped with probability ½, nobody could tell from the result which way round the originals were. A generator could then flip half of its faces, and D would not mind. If a *coin* decides first whether to flip at all, enough originals remain. The next widget shows which mixtures can be undone: those whose eigenvalues are all different from 0.


# %%
def flip_coin(p):
    return torch.tensor([1 - p / 2, p / 2])


def flip_always(p):
    return torch.tensor([1 - p, p])


def true_turns(p):
    return torch.tensor([1 - p, p / 3, p / 3, p / 3])


sliders.leak({"flip, a coin": flip_coin, "flip, always": flip_always, "three turns": true_turns})

# %% [markdown]
# ## 5 · Moving
#
# In films of StyleGAN2 the hair stays where it is while the face moves: texture sticks to the pixel grid. StyleGAN3 (Karras and others 2021) traces it to the bends. A bent signal has overtones. Those that are too fast for the grid fold back to slower waves, and these depend on where the grid lies. The cure is to bend at a higher rate.
#
# ### Exercise 10 · Up, bend, down
#
# `x` is `(…, n)`, circular. Resample it to `factor * n` places by Fourier, apply `act`, remove all frequencies of $n/2$ and above, and return to $n$ places. (Mind the scale: `rfft` sums over places.) *Four lines, ten minutes.*


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
    cases[f"{factor} ×, moved by {shift}"] = first[0], second[0], db
for name, (_, _, db) in cases.items():
    print(f"{name}: {db:.1f} dB")
golden = (29.5, 46.0, 62.5, 71.3)
found = [db for _, _, db in list(cases.values())[:4]]
assert all(abs(a - b) < 0.1 for a, b in zip(found, golden, strict=True))
figures.sticking(cases)

# %% [markdown]
# Each doubling of the rate takes away about 16 dB of error at first: a factor of six. The last row is a trap. A shift of half a place is a whole place at twice the rate, so the bend at that rate moves along exactly, and the test proves nothing.

# %%
sliders.aliasing(signal[0], leaky)

# %% [markdown]
# Our generator was built without this care. Move its maps of 8 × 8 by a whole cell, and the picture moves by 4 pixels. **Move them by half a cell. How well does the picture move along, in dB?**

# %%
# Replace ... by a number of dB
guess = predict("styles.half_cell", ...)


# %%
@torch.no_grad()
def moved_inside(cells):
    """dB between the picture of moved 8 × 8 maps and the moved picture, away from the border"""

    def after(x, picture):
        for level in range(2, len(net.rgbs)):
            x = net.convs[2 * level - 1](x, ws[:, 2 * level - 1], None)
            x = net.convs[2 * level](x, ws[:, 2 * level], None)
            picture = styles.doubled(picture) + net._unfolded(net.rgbs[level](x, ws[:, -1]))
        return picture

    ws = ws_a[:64]
    x = net.convs[0](net.const.expand(64, -1, -1, -1), ws[:, 0], None)
    picture = net._unfolded(net.rgbs[0](x, ws[:, 1]))
    x = net.convs[2](net.convs[1](x, ws[:, 1], None), ws[:, 2], None)
    picture = styles.doubled(picture) + net._unfolded(net.rgbs[1](x, ws[:, 3]))
    pixels = picture.shape[-1] // x.shape[-1] * cells
    went = after(styles.moved(x, cells), styles.moved(picture, pixels))
    stayed = after(x, picture)
    by = round(32 // 8 * cells)
    error = (went - stayed.roll(by, -1))[..., 8:-8, 8:-8].square().mean().item()
    return 10 * math.log10(4 / max(error, 1e-20))


whole, half = moved_inside(1.0), moved_inside(0.5)
print(guess.reveal(round(half, 1)))
print(f"a whole cell {whole:.0f} dB, half a cell {half:.1f} dB; StyleGAN3-T on photographs: 63")

# %% [markdown]
# ## 6 · Seeing far
#
# A 3 × 3 convolution sees one pixel far. To know that the left eye should look like the right one, a network needs many of them, or another kind of layer. SAGAN (Zhang and others 2019) adds **self-attention**: every place looks at all places, and takes a weighted mean of what they hold.
#
# ### Exercise 11 · Self-attention
#
# `x` is `(B, C, H, W)`; `query` and `key` are `(d, C)`, `value` is `(V, C)`. Place $i$ weighs place $j$ by $\text{softmax}_j(q_i \cdot k_j)$, without a division by $\sqrt d$. *Five lines, ten minutes.*


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
# An experiment that only a far-seeing network can solve: one pixel of 16 × 16 is marked, and holds +1 or −1. All pixels shall take that value. Three 3 × 3 convolutions reach three pixels far. For a mark at a random place, the share of pixels out of reach is $1 - (100/256)^2 = 0.847$, and there the best answer is 0, with an error of 1.


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
for name, network in networks.items():
    optimizer, draws = torch.optim.Adam(network.parameters(), 3e-3), seed(15)
    for _ in range(rounds):
        x, y, _ = marked(32, draws)
        loss = (network(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y, at = marked(256, seed(16))
    with torch.no_grad():
        errors[name] = (network(x) - y).square().mean().item()
print({name: f"{error:.4f}" for name, error in errors.items()}, "floor of the first: 0.847")
plots.bars(errors, "mean squared error on new pictures")

# %%
block, hidden = networks["two and attention"][2], networks["two and attention"][:2](x[:1])
looks = block.weights(hidden.detach())[0].detach().view(16, 16, 16, 16)
places = [(2, 2), (8, 13), (14, 5)]
shown = x[:1, :1].expand(-1, 3, -1, -1)[0]
print(f"the mark is at {divmod(at[0].item(), 16)}; γ learned {block.gamma.item():.2f}")
figures.attention_on(shown, torch.stack([looks[y_, x_] for y_, x_ in places]), places)

# %% [markdown]
# SAGAN also divides every weight by its largest singular value (**spectral normalisation**; Miyato and others 2018), so that no layer lengthens any vector. That value is found by power iteration, one step in each training step.
#
# ### Exercise 12 · Power iteration
#
# See the weight as a matrix `(O, everything else)`. `steps` times: $v \leftarrow W^\top u / \|W^\top u\|$, $u \leftarrow W v / \|W v\|$. Return $\sigma = u^\top W v$ and the new $u$. A gradient reaches the weight through σ alone. *Five lines, ten minutes.*


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
# Does it bound what the *layer* does? The kernel of a convolution is used at every place, and windows overlap. A 3 × 3 kernel of ones has the matrix norm 3; on a constant picture it multiplies by 9.

# %%
ratios = {}
for i, layer in enumerate(m for m in features.modules() if isinstance(m, nn.Conv2d)):
    w = layer.weight.detach().double()
    u = torch.ones(len(w), dtype=torch.float64)
    sigma, _ = spectral_norm(w, u, 100)
    waves = torch.fft.fft2(w, (16, 16)).permute(2, 3, 0, 1)  # the layer, one frequency at a time
    ratios[f"layer {i + 1}"] = torch.linalg.matrix_norm(waves, 2).max().item() / sigma.item()
plots.bars(ratios, "true gain / spectral norm of the kernel")

# %% [markdown]
# SAGAN's third part is two learning rates, a larger one for D. In the smallest GAN there is (lecture 05's Dirac game), the rate at which both players come home is the largest |eigenvalue| of a 2 × 2 matrix, and R1 decides more than the ratio does.

# %%
d_rates = torch.logspace(-2, 1, 60).tolist()
rates = {
    f"R1 weight {g:g}": [scaling.dirac_rate(0.1, b, g) for b in d_rates] for g in (0.02, 0.3, 1.0)
}
figures.dirac_rates(d_rates, rates)

# %% [markdown]
# ## 7 · Classes
#
# BigGAN (Brock and others 2019) is large: 70 million weights in G, 88 million in D for 128 × 128. Of its ideas these are small enough to try: the class enters every BatchNorm as gain and bias; the code is cut into chunks, one for each block; D's score has a part for "how much of this class"; and **truncation** draws $z$ from a normal distribution without its tails.

# %%
big = load_weights("big_fashion32", big_generator())
clothes = data.load("fashion", "test", size=32)
judge_clothes, sorter = metrics.FeatureNet("fashion"), metrics.Classifier("fashion")
n_clothes = pick(smoke=100, laptop=1000, gpu=1000)
some = torch.randperm(len(clothes), generator=seed(17))[:n_clothes]
real_clothes = judge_clothes.features(clothes[some].floats())
labels, table, drawn = torch.arange(n_clothes) % 10, {}, {}
for bound in (None, 1.0, 0.5):
    shape = n_clothes, big.nz
    z = torch.randn(shape, generator=seed(18))
    z = z if bound is None else scaling.truncated_normal(shape, bound, seed(18))
    with torch.no_grad():
        x = torch.cat([big(a, b) for a, b in zip(z.split(250), labels.split(250), strict=True)])
    name = "as drawn" if bound is None else f"within ± {bound:g}"
    right = (sorter.classify(x) == labels).double().mean().item()
    table[name] = right, *metrics.precision_recall(real_clothes, judge_clothes.features(x))
    drawn[name] = x[:10]
for name, (right, precision, recall) in table.items():
    print(f"{name:12} class {right:.1%}, precision {precision:.2f}, recall {recall:.3f}")
plots.rows(drawn)

# %% [markdown]
# ## 8 · A discriminator that went to school
#
# Training a discriminator from nothing takes long. Projected GANs (Sauer and others 2021) take a network that is trained already, freeze it, and train only small heads on its maps. StyleGAN-XL and StyleGAN-T grew from that. Three generators have learned for about a minute each: one from a discriminator on pixels, one from heads on the encoder of lecture 02's autoencoder, one from both. **The Fréchet distances of the first two are far apart. Which pictures look better?**

# %%
# Replace ... by one of: "those of the smaller distance", "those of the larger distance", "neither"
guess = predict("styles.which_judge", ...)

# %%
trio, distances = {}, {}
for kind in ("pixels", "fixed", "both"):
    one_minute = load_weights(f"style_peeps32_{kind}", StyleGenerator(channels=NARROW, size=32))
    x = one_minute.sample(pick(smoke=64, laptop=516, gpu=516), generator=seed(19))
    fake = features.features(x)
    distances[kind] = metrics.frechet_distance(
        *metrics.fit_gaussian(fake), *metrics.fit_gaussian(real)
    )
    trio[f"{kind}\n{distances[kind]:.1f}"] = x[:12]
print(guess.reveal("neither"))
plots.rows(trio)
