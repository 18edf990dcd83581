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
# # 10 · Into the latent space
#
# {{badge}}
#
# **You will be able to**
# - find the code of a person whom a generator has never seen, in four spaces, and say what each space gains and costs;
# - measure how far a code lies from those that the mapping produces, and how much a penalty changes that;
# - tune a generator to one person, and measure what happens to everybody else;
# - move a code along a direction that comes from labels, from the weights or from words, and plot what was asked for against what else changed;
# - explain why a score can rise while an independent judge sees something else;
# - generate pictures from label maps, and prove what InstanceNorm removes from them.
#
# **Time**: three hours with the exercises. The cells run in about six minutes on a laptop. **You need**: lecture 09 (styles, W, truncation), lecture 02 (principal components), lecture 05 (Fréchet distance) and lecture 06 (pix2pix). Lecture 12 explains the network of pictures and texts that section 7 uses.

# %%
# {{setup}}

# %%
import copy
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

from course_lib import (
    contrastive,
    data,
    device,
    editing,
    label_maps,
    metrics,
    pca,
    plots,
    restorers,
    studies,
    words,
)
from course_lib.exercises import check, hint, predict, solution
from course_lib.label_maps import LAND, land_kinds
from course_lib.plots import editing as figures

# %%
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.studies import stages
from course_lib.styles import StyleGenerator
from course_lib.training import train
from course_lib.widgets import editing as sliders

WIDE = (128, 96, 64)  # channels at 4 × 4, 8 × 8 and 16 × 16
full = current() != "smoke"


def seed(n):
    return torch.Generator().manual_seed(n)


faces, held_out = (data.load("peeps", split, size=32) for split in ("train", "test"))

# %% [markdown]
# Lecture 09 generates people who do not exist. It is more useful to edit a person who does exist: find a code whose picture is that person, move the code, and generate again. This lecture asks three questions of every method. *How near does the picture come? What else changes? Which network measured it?*
#
# One rule answers the third question everywhere: **a network that guides a method does not judge it.** The feature network (the **teacher**) labels the generator's samples and is part of the losses. The numbers in the tables come from a second network, the classifier (the **judge**), which no method of this lecture uses. The two have different architectures, but they learned from the same drawings, so they may share mistakes. How often do they agree, how often would they agree by chance, and what does the judge see in pure noise?

# %%
net = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32)).requires_grad_(False)
teacher, reader = metrics.FeatureNet("peeps"), metrics.Classifier("peeps")
ATTRIBUTES = ("glasses", "skin", "facial_hair", "head", "face")


# %%
@torch.no_grad()
def told(judge, x):
    """What a network reads in pictures: attribute -> a value for each picture"""
    parts = [judge(part) for part in x.clamp(-1, 1).split(250)]
    return {key: torch.cat([part[key] for part in parts]).argmax(1) for key in ATTRIBUTES}


@torch.no_grad()
def draw(ws, generator=net):
    """The pictures of these codes, (n, layers, 64) -> (n, 3, 32, 32)"""
    return torch.cat([generator.synthesis(part, "none") for part in ws.split(250)]).clamp(-1, 1)


@torch.no_grad()
def codes(n, number):
    """n codes w of the mapping"""
    return net.mapping(torch.randn(n, net.nz, generator=seed(number)))


# %%
def layered(w):
    """One w for all layers: (n, 64) -> (n, layers, 64)"""
    return w[:, None].expand(-1, net.layers, -1)


# %%
n = pick(smoke=40, laptop=516, gpu=516)
people, samples = held_out.floats()[:n], draw(layered(codes(n, 1)))
agreed = {}
for kind, x in {"real people": people, "samples of the generator": samples}.items():
    one, other = told(teacher, x), told(reader, x)
    agreed[kind] = {key: (one[key] == other[key]).double().mean().item() for key in ATTRIBUTES}
    print(f"two networks agree on {kind} (in brackets: if each saw another picture):")
    for key, share in agreed[kind].items():
        chance = (one[key] == other[key].roll(1)).double().mean()
        print(f"    {key:12} {share:.0%} ({chance:.0%})")
static = told(reader, torch.randn(200, 3, 32, 32, generator=seed(2)))
print(f"in noise, the judge sees glasses on {(static['glasses'] == 1).double().mean():.0%}")
if full:
    assert min(agreed["real people"].values()) > 0.9
    assert min(agreed["samples of the generator"][key] for key in ATTRIBUTES[:3]) > 0.8

# %% [markdown]
# On real people the two networks nearly always agree. On samples they agree about glasses, skin, beards and heads (92 to 95 %; for beards chance alone gives 65 %), but on the expression of the face only in 39 %. For samples this lecture makes claims about the first three only: each has few values, so an edit can be counted. (For a real person who was inverted, all five attributes are known, and the judge's answers can be compared with the truth.) A classifier always answers, even to noise. So the tables below also have baselines, which show what the numbers would be without any skill.
#
# ## 1 · What may move?
#
# Inversion looks for the code whose picture is nearest to $x$ ($N$ is the number of values in $x$):
#
# $$w^* = \operatorname*{argmin}_w\; \frac{1}{N}\,\| G(w) - x \|^2 .$$
#
# The generator stays fixed. Only the code moves, by gradient descent. Image2StyleGAN (Abdal and others 2019) showed that a code for each layer reconstructs far more than one $w$ for all.
#
# ### Exercise 1 · Invert
#
# `synthesis` maps codes to pictures. Begin at a copy of `start`, take `steps` steps of Adam with the learning rate `lr` on the mean squared error, and return the codes, detached from the graph. Neither the generator's weights nor `start` may change. *Six lines, ten minutes.*


# %%
def invert(synthesis, x, start, steps, lr):
    """The code whose picture is nearest to x: shape of start"""
    ### BEGIN SOLUTION
    code = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([code], lr)
    for _ in range(steps):
        loss = (synthesis(code) - x).square().mean()
        (code.grad,) = torch.autograd.grad(loss, code)
        optimizer.step()
    return code.detach()
    ### END SOLUTION


invert = check("editing.invert", invert)

# %% [markdown]
# For a linear generator $G(w) = A w$ the solution is known: least squares. If each of $L$ layers gets a code of its own, the picture is $A_1 w_1 + \dots + A_L w_L$. One code for all layers is the special case $w_1 = \dots = w_L$, so the smallest error cannot become larger, **for any matrices**, even random ones.

# %%
layers = torch.randn(3, 24, 4, generator=seed(2)).double()  # three random layers, codes of 4
x = torch.randn(1, 24, generator=seed(3)).double()
shared, own = layers.sum(0), torch.cat(list(layers), 1)
for name, A in {"one code for all layers": shared, "a code for each layer": own}.items():
    w = invert(lambda w, A=A: w @ A.T, x, torch.zeros(1, A.shape[1]).double(), 400, 0.1)
    exact = torch.linalg.lstsq(A, x.T).solution.T
    errors = [(v @ A.T - x).square().mean().item() for v in (w, exact)]
    print(f"{name}: {A.shape[1]:2} numbers, error {errors[0]:.4f} (least squares: {errors[1]:.4f})")
    assert errors[0] < errors[1] + 0.02

# %% [markdown]
# This is a warning. If enough free numbers can reproduce any picture, a good reconstruction says nothing about the generator. The control is a generator that has learned nothing: random weights, and a code for each layer (384 numbers for a picture of 3,072). **What does its reconstruction of a real person show, after some steps of this search?**

# %%
# Replace ... by one of: "noise", "an average face", "the person"
guess = predict("editing.untrained", ...)

# %%
torch.manual_seed(0)
blank = StyleGenerator(channels=WIDE, size=32).requires_grad_(False)
x, steps = held_out.floats()[:24], pick(smoke=2, laptop=100, gpu=300)
controls = {"the average face": faces.floats().mean(0, keepdim=True).expand(24, -1, -1, -1)}
for name, generator in {"untrained, W+": blank, "trained, W+": net}.items():
    with torch.no_grad():
        middle = generator.mapping(torch.randn(2000, 64, generator=seed(4))).mean(0)
    start = middle.expand(24, generator.layers, -1)
    ws = editing.invert(lambda ws, g=generator: g.synthesis(ws, "none"), x, start, steps, lr=0.2)
    controls[name] = draw(ws, generator)


# %%
def decibels(y, x):
    """Peak signal-to-noise ratio of each picture, in dB"""
    return 10 * torch.log10(4 / (y - x).square().flatten(1).mean(1))


def right(y, key):
    """For how many of these people the judge's answer is true"""
    return (told(reader, y)[key] == held_out.attributes[key][: len(y)]).sum().item()


# %%
print(guess.reveal("the person"))
for name, y in controls.items():
    near = decibels(y, x).mean()
    print(f"{name:16} {near:.1f} dB, right head of 47: {right(y, 'head')} of {len(x)} people")
if full:
    by_luck = right(controls["the average face"], "head")
    assert right(controls["untrained, W+"], "head") > 2 * by_luck + 3
    near = {name: decibels(y, x).mean() for name, y in controls.items()}
    assert near["trained, W+"] > near["untrained, W+"] + 2
plots.rows({"people": x[:10]} | {name: y[:10] for name, y in list(controls.items())[1:]})

# %% [markdown]
# A network that has never seen a face reconstructs faces well enough that the judge recognises far more heads than in the average face. A small reconstruction error alone does not show that a generator has learned faces. The trained generator comes nearer, but part of what it reaches is owed to the number of free parameters. So the tables below also ask how *ordinary* a code is, and how well it can be edited.
#
# ## 2 · Four spaces
#
# Inversion can search four spaces, from narrow to wide: **z**, the input of the mapping; **W**, one $w$ for all layers; **W+**, one $w$ for each layer; and W+ together with the noise maps (section 3).
#
# The squared error of pixels has a flaw: it prefers blurred pictures. Inversion therefore adds a distance between the features of a fixed network. Most papers take LPIPS (Zhang and others 2018). Ours is LPIPS without its learned weights: two pictures agree at a position if their feature vectors there have the same *direction*. Let $\hat a$ be the feature vector $a$ of a position, normalised to length 1 (with $10^{-8}$ added under the root):
#
# $$d(a, b) = \sum_{\text{maps}} \;\underset{\text{positions}}{\operatorname{mean}}\; \| \hat a - \hat b \|^2 .$$
#
# ### Exercise 2 · Perceptual distance
#
# `maps_a` and `maps_b` are lists of feature maps, `(B, C, H, W)` each; the maps of a list have different sizes. Return one number for each picture. *Five lines, eight minutes.*


# %%
def perceptual_distance(maps_a, maps_b):
    """The distance of two pictures in the features of a network: (B,)"""

    ### BEGIN SOLUTION
    def unit(maps):
        return maps / (maps.square().sum(1, keepdim=True) + 1e-8).sqrt()

    pairs = zip(maps_a, maps_b, strict=True)
    return sum((unit(a) - unit(b)).square().sum(1).mean((1, 2)) for a, b in pairs)
    ### END SOLUTION


perceptual_distance = check("editing.perceptual_distance", perceptual_distance)

# %%
maps = editing.taps(teacher.trunk, (7, 14), 64)  # after its second and fourth convolution
x = held_out.floats()[:200]
blurred = F.interpolate(F.avg_pool2d(x, 4), (32, 32), mode="bilinear")
darker = (x - 0.45).clamp(-1, 1)
with torch.no_grad():
    changed = {"blurred": blurred, "darker": darker, "another person": x.roll(1, 0)}
    for name, y in changed.items():
        apart = perceptual_distance(maps(x), maps(y)).mean()
        print(f"{name}: {decibels(y, x).mean():.1f} dB, perceptual distance {apart:.2f}")

# %% [markdown]
# In dB the blurred and the darker pictures are almost equally far from the original. In the features, the blurred picture is farther away: it has lost its lines, and the darker one has not.
#
# How ordinary is a code? The codes that the mapping produces form a cloud with a mean and a covariance, and we measure the distance from this cloud. The mapping ends with a leaky ReLU, which multiplies negative numbers by 0.2. Before it, the cloud is nearer to a Gaussian (Wulff and Torralba 2020), so we undo it first. Let $p$ be the code whose negative numbers were multiplied by 5, and $\mu$, $\Sigma$ the mean and covariance of such $p$. The squared Mahalanobis distance, divided by the dimension $n$ of $w$, is our measure (it is the squared norm in the space that P. Zhu and others 2020 call $P_N$, divided by $n$):
#
# $$\text{strangeness} = \frac{1}{n}\,(p - \mu)^\top \Sigma^{-1} (p - \mu), \qquad \text{averaged over the layers.}$$
#
# ### Exercise 3 · Strangeness
#
# `ws` is `(B, L, n)`: codes whose leaky ReLU is not undone yet. `mean` `(n,)` and `covariance` `(n, n)` were measured on codes whose leaky ReLU was already undone. *Three lines, eight minutes.*


# %%
def strangeness(ws, mean, covariance):
    """How far codes lie from those of the mapping; 1 on average for its own: (B,)"""
    ### BEGIN SOLUTION
    away = F.leaky_relu(ws, 5.0) - mean
    squared = (away @ torch.linalg.inv(covariance) * away).sum(2)
    return squared.mean(1) / ws.shape[2]
    ### END SOLUTION


strangeness = check("editing.strangeness", strangeness)

# %%
law = editing.straightened(codes(pick(smoke=500, laptop=4000, gpu=8000), 5)).double()
mean, covariance = law.mean(0), torch.cov(law.T)
variances = torch.linalg.eigvalsh(covariance)
print(f"variance along its axes: {variances.max():.1f} … {variances.min():.1e}")
covariance += 1e-3 * variances.mean() * torch.eye(net.w).double()


def strange(ws):
    return strangeness(ws.double(), mean, covariance)


own = strange(layered(codes(500, 6)))
flat = strange(net.w_mean + 0.25 * torch.randn(500, 1, net.w, generator=seed(7)))
print(
    f"codes of the mapping: {own.mean():.2f} ± {own.std() / 500**0.5:.2f} (standard error)", end=""
)
print(f"; 98 % of them below {own.quantile(0.98):.2f}")
print(f"the average code with noise: {flat.mean():.2f}")
if full:
    assert 0.8 < own.mean() < 1.1 and flat.mean() > 2

# %% [markdown]
# Codes of the mapping have strangeness 1 on average, whatever the width. (The cloud is very thin along some axes, and without a floor the smallest step along them would count as extremely strange. So the cell adds a thousandth of the mean variance to the diagonal. For this reason the printed mean is a little below 1. The floor also decides how large strangeness becomes outside the cloud, so compare only numbers with the same floor.) Now we invert people of the test set, whom the generator has never seen. The library's `editing.invert` does what yours does; it also includes the perceptual distance, and its learning rate decreases at the end. **Which picture will be nearest to a person in dB: the one found in W, the one found in W+, or the most similar drawing in the training set?**

# %%
# Replace ... by one of: "in W", "in W+", "the training drawing"
guess = predict("editing.nearest", ...)

# %%
n = pick(smoke=4, laptop=100, gpu=200)
steps, short = pick(smoke=(2, 2), laptop=(80, 30), gpu=(300, 100))
rows = torch.randperm(len(held_out), generator=seed(8))[:n]
x, truth = held_out[rows].floats(), {key: held_out.attributes[key][rows] for key in ATTRIBUTES}


def plus(ws):
    return net.synthesis(ws, "none")


# %%
def look_for(space, x, steps):
    """Codes (n, layers, 64) whose pictures are near x, found in this space from its mean"""
    n = len(x)
    if space == "z":
        near_zero = 0.1 * torch.randn(n, net.nz, generator=seed(9))
        z = editing.invert(lambda z: plus(net.ws(z)), x, near_zero, steps, maps=maps)
        return net.ws(z).clone()
    start = net.w_mean.expand(n, 1 if space == "W" else net.layers, -1)
    ws = editing.invert(lambda ws: plus(ws.expand(-1, net.layers, -1)), x, start, steps, maps=maps)
    return ws.expand(-1, net.layers, -1).clone()


found = {space: look_for(space, x, steps) for space in ("z", "W", "W+")}

# %%
pool = faces.floats()
nearest = pool[torch.cdist(x.flatten(1), pool.flatten(1)).argmin(1)]
table = {}


def kept(y):
    """The share of a person's five attributes that the judge still recognises, for each person"""
    now = told(reader, y)
    return torch.stack([(now[key] == truth[key][: len(y)]).double() for key in ATTRIBUTES]).mean(0)


# %%
FORMS = {"dB": ".1f", "judge": ".0%", "strangeness": ".1f"}


def line(name, y, ws=None):
    """One line of the table, each mean with its standard error"""
    values = {"dB": decibels(y, x[: len(y)]), "judge": kept(y)}
    values |= {} if ws is None else {"strangeness": strange(ws[: len(y)])}
    table[name] = {key: value.double().mean().item() for key, value in values.items()}
    parts = []
    for key, v in values.items():
        mean, error = (f"{number:{FORMS[key]}}" for number in (v.mean(), v.std() / len(v) ** 0.5))
        parts.append(f"{key} {mean} ± {error}")
    print(f"{name:24}", ", ".join(parts))


# %%
k_pca = pick(smoke=8, laptop=net.layers * net.w, gpu=net.layers * net.w)
components = pca.PCA(k_pca).fit(pool.flatten(1))
flattened = components.encode(x.flatten(1))
linear = components.decode(flattened).view_as(x)

print(guess.reveal("the training drawing"))
line("grey", torch.zeros_like(x))
line("the average face", pool.mean(0, keepdim=True).expand(n, -1, -1, -1))
line("nearest training face", nearest)
line(f"PCA, {k_pca} numbers", linear)
for space, ws in found.items():
    line(space, draw(ws), ws)
if full:
    assert table["z"]["dB"] < table["W+"]["dB"] < table["nearest training face"]["dB"]
    assert table["W"]["dB"] < table["W+"]["dB"] and table["W"]["strangeness"] > 3

# %%
plots.rows(
    {"people": x[:10], "nearest": nearest[:10]} | {s: draw(ws[:10]) for s, ws in found.items()}
)

# %% [markdown]
# After the same number of steps, each wider space comes nearer on average. None of the three comes as near as the most similar of 4,484 drawings. (The searches have not converged: some faces in the row of W+ are smeared, and section 4 finds nearer codes in W+ from a better start. And the drawings are made of a few parts, so the training set nearly always holds a similar one; expect this baseline to be much weaker for photographs.) But the most similar drawing shows somebody else: the judge recognises more of the person in W+.
#
# The line of PCA is uncomfortable: a *linear* model with as many numbers as W+ reconstructs people whom it has never seen almost perfectly. All drawings share one template, with the eyes at the same pixels, and that is the case where PCA is strongest. So reconstruction is no reason to use a generator here. Section 6 asks whether editing is one.
#
# A code "in W" is one $w$ for all layers, but it lies **far from** those that the mapping produces: its strangeness is 87 on average, while 98 % of the mapping's own codes are below 1.66. The steps of the optimisation lead far out of the thin cloud. In z, the mapping produces every code, but these codes are unusual ones: their mean strangeness of 1.7 is about that 98 % quantile.
#
# Watch the inversion of one person as the number of steps grows. *After how many steps is W+ better than W?*

# %%
stops = {}
for budget in pick(smoke=(0, 2), laptop=(0, 5, 20, 80), gpu=(0, 10, 40, 100)):
    stops[f"{budget} steps"] = {s: draw(look_for(s, x[:1], budget)) for s in ("z", "W", "W+")}
sliders.inversion(x[:1], stops, lambda y: f"{decibels(y, x[:1]).item():.1f} dB")

# %% [markdown]
# ## 3 · The noise
#
# StyleGAN's noise maps are inputs too. In StyleGAN2, at 1024 × 1024, they have 2,796,176 numbers, for a picture of 3,145,728 numbers. Image2StyleGAN++ (Abdal and others 2020) therefore also optimises the noise, and reports errors that are far smaller. But then part of the picture is stored in the *noise*, and no direction of W can edit that part. StyleGAN2's projector (Karras and others 2020) discourages this with a penalty. In a picture, neighbouring pixels are correlated; in white noise they are not:
#
# $$R(n) = \sum_{\text{scales}} \Big( \big(\operatorname{mean}(n \cdot n_{\to})\big)^2 + \big(\operatorname{mean}(n \cdot n_{\downarrow})\big)^2 \Big),$$
#
# where $n_\to$ and $n_\downarrow$ are the map shifted by one position; what leaves at one edge enters at the other. The scales are the map itself, the map averaged over blocks of 2 × 2, this one averaged again, and so on, until a map has 8 × 8 positions. (The paper also doubles each averaged map, so that white noise keeps variance 1; the authors' code does not, and neither do we.)
#
# ### Exercise 4 · Noise regulariser
#
# `noise` is `(B, 1, s, s)`, $s$ a power of two. A map of 8 × 8 or smaller has one scale only. *Six lines, ten minutes.*


# %%
def noise_regulariser(noise):
    """How strongly neighbours in each map are correlated, over all scales: (B,)"""
    ### BEGIN SOLUTION
    total = 0
    while True:
        for axis in (2, 3):
            total = total + (noise * noise.roll(1, axis)).mean((1, 2, 3)).square()
        if noise.shape[2] <= 8:
            return total
        noise = F.avg_pool2d(noise, 2)
    ### END SOLUTION


noise_regulariser = check("editing.noise_regulariser", noise_regulariser)

# %%
white = torch.randn(1000, 1, 16, 16, generator=seed(10))
face = F.avg_pool2d(held_out.floats()[:200].mean(1, keepdim=True), 2)
face = (face - face.mean((2, 3), keepdim=True)) / face.std((2, 3), keepdim=True)
print(f"white noise {noise_regulariser(white).mean():.4f} (expected: {2 / 256 + 2 / 1024:.4f})")
print(f"faces as noise maps {noise_regulariser(face).mean():.2f}")
assert noise_regulariser(face).mean() > 20 * noise_regulariser(white).mean()
print("strengths learned:", [round(conv.strength.item(), 3) for conv in net.convs])

# %% [markdown]
# Our generator has learned to ignore its noise (lecture 09): the strengths above are nearly 0, so optimising the noise would change nothing. To see the effect that the papers describe, we set the strengths of a copy to 0.3 by hand. Then we search in three ways: for a code alone, with fixed noise; for a code and the 656 numbers of the noise together; and for both, with the penalty. (As in the authors' code, each map is kept at mean 0 and variance 1.) At the end the noise is replaced by new noise. A code found with fixed noise loses something, too, because it was fitted to this noise: that is the baseline. What is lost beyond it, when the noise was free, was stored in the noise.

# %%
loud = copy.deepcopy(net)
for conv in loud.convs:
    conv.strength.data.fill_(0.3)
sizes = [net.layers * net.w, *(side**2 for side in net.sides)]


def unpacked(code):
    """A code and noise maps of mean 0 and variance 1"""
    ws, *noise = code.split(sizes, 1)
    noise = [(m - m.mean(1, keepdim=True)) / m.std(1, keepdim=True) for m in noise]
    sides = zip(noise, net.sides, strict=True)
    return ws.view(-1, net.layers, net.w), [m.view(-1, 1, side, side) for m, side in sides]


def noise_penalty(code):
    return sum(noise_regulariser(m) for m in unpacked(code)[1])


def with_noise(code):
    return loud.synthesis(*unpacked(code))


# %%
m, some = pick(smoke=2, laptop=24, gpu=24), pick(smoke=2, laptop=60, gpu=300)
fresh, other = (torch.cat([v.flatten(1) for v in net.noises(m, seed(i))], 1) for i in (11, 12))
flat_mean = net.w_mean.expand(m, net.layers, -1).flatten(1)
drawn, gained, exchanged = {"people": x[:10]}, {}, {}


def by_noise(name, synthesis, start, penalty=None):
    """Optimise a code and perhaps noise; print what each is worth, and how correlated the noise is"""
    code = editing.invert(synthesis, x[:m], start, some, 0.1, maps, penalty=penalty)
    ws, noise = code[:, : sizes[0]], code[:, sizes[0] :] if code.shape[1] > sizes[0] else fresh
    y, swapped = (with_noise(torch.cat([ws, v], 1)).detach() for v in (noise, other))
    maps_16 = [v for v in unpacked(torch.cat([ws, noise], 1))[1] if v.shape[-1] == 16]
    drawn[name], likeness = y[:10], sum(noise_regulariser(v) for v in maps_16)
    gained[name], exchanged[name] = decibels(y, x[:m]).mean().item(), decibels(swapped, x[:m])
    print(
        f"{name:16} {gained[name]:.1f} dB, with other noise {exchanged[name].mean():.1f}; ", end=""
    )
    print(f"regulariser {likeness.mean():.4f} ± {likeness.std() / m**0.5:.4f}")


# %%
start = torch.cat([flat_mean, fresh], 1)
print(f"two maps of 16 × 16 of white noise: {2 * noise_regulariser(white).mean():.4f}")
by_noise("noise fixed", lambda ws: with_noise(torch.cat([ws, fresh], 1)), flat_mean)
by_noise("noise free", with_noise, start)
by_noise("with the penalty", with_noise, start, lambda code, _: 0.3 * noise_penalty(code))
lost = exchanged["noise fixed"] - exchanged["noise free"]
print(f"other noise: free less good than fixed by {lost.mean():.1f} ± {lost.std() / m**0.5:.1f} dB")
if full:
    assert gained["noise free"] > gained["noise fixed"] + 1
plots.rows(drawn)

# %% [markdown]
# Free noise brings the picture nearer (from 14.1 to 17.8 dB), but the gain is stored in the noise. Give both codes other noise: the code found with free noise is then 0.8 ± 0.1 dB worse than the code found with fixed noise (the last line, paired by person). The neighbours in the two largest maps become correlated, several standard errors above white noise. (Only these two are counted. The smaller a map, the larger the regulariser of white noise is by chance: 2/64 at 8 × 8.) The penalty removes this correlation, so thoroughly that the regulariser falls far *below* its value for white noise. But nearly all of the gain in dB remains, and it is still stored in the noise. The penalty sees only the mean correlation of a whole map: neighbours that are alike in one region and opposite in another cancel, so a map can hold part of a picture and still have $R$ near 0. The rest of the lecture uses no noise.
#
# ## 4 · An encoder, and staying in the domain
#
# Optimisation starts from the mean code for every person. An **encoder** learns once, from many faces, to predict a code from a picture. The course's encoder was trained on real faces, which the fixed generator must reconstruct from the predicted code, and on samples of the generator, whose codes are known.
#
# In-domain inversion (J. Zhu and others 2020) uses the encoder twice: as the start, and in a penalty. A code is *in the domain* if the encoder predicts this code from its picture:
#
# $$R(w) = \frac{1}{L\,n}\,\big\| w - E(G(w)) \big\|^2 .$$
#
# ### Exercise 5 · Domain regulariser
#
# `ws` is `(B, L, n)`, and `pictures` are $G(w)$, still attached to the graph. Return one number for each code. The gradient must reach $w$ along both paths: directly, and through $G$ and $E$. *One line, five minutes.*


# %%
def domain_regulariser(ws, pictures, encode):
    """The mean squared difference of a code and the encoder's answer to its picture: (B,)"""
    ### BEGIN SOLUTION
    return (ws - encode(pictures)).square().mean((1, 2))
    ### END SOLUTION


domain_regulariser = check("editing.domain_regulariser", domain_regulariser)

# %%
encoder = load_weights("encoder_peeps32", editing.CodeEncoder(net.layers, net.w_mean))
encoder.requires_grad_(False)
first = encoder(x)
found["encoder"] = first
found["encoder, then steps"] = editing.invert(plus, x, first, short, maps=maps)
found["in-domain"] = editing.invert(
    plus, x, first, short, maps=maps,
    penalty=lambda ws, y: 0.05 * domain_regulariser(ws, y, encoder),
)  # fmt: skip
found["W+, as few steps"] = look_for("W+", x, short)

# %%
for name in ("encoder", "encoder, then steps", "in-domain", "W+, as few steps"):
    line(name, draw(found[name]), found[name])
back = {
    name: (found[name] - encoder(draw(found[name]))).square().mean().item()
    for name in ("encoder, then steps", "in-domain")
}
print("distance to the encoder's answer:", {name: f"{value:.3f}" for name, value in back.items()})
ours, theirs = (found[name] for name in ("in-domain", "encoder, then steps"))
gaps = {"dB": decibels(draw(ours), x) - decibels(draw(theirs), x)}
gaps["strangeness"] = strange(ours) - strange(theirs)
for key, gap in gaps.items():
    print(f"the penalty changes {key} by {gap.mean():+.2f} ± {gap.std() / n**0.5:.2f} a person")
if full:
    assert table["encoder, then steps"]["dB"] > table["W+, as few steps"]["dB"]
    assert table["encoder, then steps"]["dB"] > table["encoder"]["dB"]
    assert back["in-domain"] < 0.9 * back["encoder, then steps"]

# %% [markdown]
# The encoder needs one pass instead of many steps. As a start it saves steps: after the same few steps, the result is nearer than from the mean code. The penalty brings the code and the encoder's answer closer together. "In the domain" means here: of the *encoder*. The encoder's own answers are strange, so these codes are still far from those of the mapping. The last two lines give the mean change per person with its standard error: the penalty costs 0.15 dB and lowers the strangeness by about two fifths. Both are many standard errors from 0.
#
# ## 5 · Let the generator move
#
# Pivotal tuning (PTI; Roich and others 2022) does the opposite of inversion. Take a code that can be edited well, the **pivot**, keep it fixed, and train the *weights* until the generator reconstructs this person from it. **What do the codes of other people generate afterwards?**

# %%
# Replace ... by one of: "what they drew before", "that person", "somewhat other pictures"
guess = predict("editing.tuned", ...)

# %% [markdown]
# To keep other people unchanged, PTI adds a penalty: for codes in the neighbourhood of the pivot, the tuned generator must generate the same picture as the original one. A neighbour lies at a fixed distance $\alpha$ from the pivot, on the line towards a random code $w$ of the mapping. If $w$ is nearer than $\alpha$, the neighbour lies beyond it. We compare this penalty with a second one, whose codes come from anywhere in W, and with no penalty at all (in the tables, "PTI" alone means without a penalty).
#
# ### Exercise 6 · Local codes
#
# `pivot` and `w` are `(B, n)` or `(B, L, n)`. The distance is measured over the whole code of one picture, all its layers together. *Three lines, five minutes.*


# %%
def local_codes(pivot, w, alpha):
    """The code at distance alpha from the pivot, towards w: shape of pivot"""
    ### BEGIN SOLUTION
    way = w - pivot
    length = way.flatten(1).norm(dim=1).view(-1, *[1] * (way.ndim - 1))
    return pivot + alpha * way / length
    ### END SOLUTION


local_codes = check("editing.local_codes", local_codes)

# %%
few = pick(smoke=2, laptop=8, gpu=24)  # people with whom the penalties are compared
tuning = pick(smoke=2, laptop=40, gpu=120)
pivots, strangers = found["W"], layered(codes(64, 13))
radius = (strangers - net.w_mean).flatten(1).norm(dim=1).mean().item() / 4
lots = seed(14)


def tuned(i, others=None, steps=tuning):
    """A generator for person i"""
    return editing.tune(net, pivots[i : i + 1], x[i : i + 1], steps, maps=maps, others=others)


# %%
def anywhere():
    return net.ws(torch.randn(2, net.nz, generator=lots))


ways = {"PTI": lambda i: None}
ways["PTI, near the pivot"] = lambda i: (
    lambda: local_codes(pivots[i : i + 1].expand(2, -1, -1), anywhere(), radius)
)
ways["PTI, anywhere in W"] = lambda i: anywhere
nets = {
    name: [tuned(i, way(i)) for i in range(n if name == "PTI" else few)]
    for name, way in ways.items()
}
nets["PTI, fewer steps"] = [tuned(i, None, pick(smoke=1, laptop=20, gpu=60)) for i in range(few)]


# %%
def shifted(ws, generator):
    """How far the pictures of these codes have moved, in mean absolute pixels"""
    return (draw(ws, generator) - draw(ws)).abs().mean().item()


def neighbours(i):
    return local_codes(pivots[i : i + 1].expand(64, -1, -1), strangers, radius)


print(guess.reveal("somewhat other pictures"))
tuned_faces = torch.cat([draw(pivots[i : i + 1], g) for i, g in enumerate(nets["PTI"])])
line("PTI", tuned_faces, pivots)
unlike = (draw(strangers[:32]) - draw(strangers[32:])).abs().mean().item()

# %%
moved = {}
print(f"the first {few} people; for scale, two strangers differ by {unlike:.3f}")
for name, own in nets.items():
    y = torch.cat([draw(pivots[i : i + 1], g) for i, g in enumerate(own[:few])])
    far = torch.tensor([shifted(strangers, g) for g in own[:few]])
    close = torch.tensor([shifted(neighbours(i), g) for i, g in enumerate(own[:few])])
    moved[name] = {"far": far, "close": close}
    print(f"{name:20} {decibels(y, x[:few]).mean():.1f} dB", end="")
    for who, v in {"strangers": far, "neighbours of the pivot": close}.items():
        print(f", {who} moved {v.mean():.3f} ± {v.std() / few**0.5:.3f}", end="")
    print()
alone, local, everywhere, fewer = moved.values()
for who, gap in {
    "strangers move less with codes from all of W than with the neighbourhood": local["far"]
    - everywhere["far"],
    "neighbours move less with the neighbourhood than with all of W": everywhere["close"]
    - local["close"],
    "strangers move less with the neighbourhood than with fewer steps": fewer["far"] - local["far"],
    "neighbours move less with the neighbourhood than with fewer steps": fewer["close"]
    - local["close"],
}.items():
    print(f"{who}: by {gap.mean():.3f} ± {gap.std() / few**0.5:.3f}")
if full:
    assert table["PTI"]["dB"] > table["W+"]["dB"] + 2
    assert alone["far"].mean() > 0.1 * unlike
    assert everywhere["far"].mean() < 0.7 * alone["far"].mean()
    assert local["close"].mean() < min(v["close"].mean() for v in (alone, everywhere))

# %% tags=["cover", "quality"]
order = ("nearest training face", "z", "W", "W+", "encoder", "in-domain", "PTI")
print("inversion, dB:", ", ".join(f"{name} {table[name]['dB']:.1f}" for name in order))
print("the judge keeps:", ", ".join(f"{name} {table[name]['judge']:.0%}" for name in order))
named = {"people": x[:10]}
named |= {name: draw(found[name][:10]) for name in ("z", "W", "W+", "encoder", "in-domain")}
plots.rows(named | {"PTI": tuned_faces[:10]})

# %% [markdown]
# Tuning comes nearer than any code found here. This alone shows little: it fits half a million weights to a picture of 3,072 numbers (section 1). Its pivot is the W code of the table, 18.0 dB with the original generator. The price: one generator for each person, and the pictures of all other codes have moved.
#
# Each penalty protects best where its codes lie. Codes from *all* of W protect strangers best (better than the neighbourhood by 0.013 ± 0.006, only two standard errors for 8 people). Codes of the neighbourhood protect the neighbours best, and short edits of this person lie there.
#
# Both penalties cost some dB, and a generator that was tuned less moves less. So one line gives plain PTI after fewer steps. It has about as many dB as PTI with the neighbourhood (25.9 against 25.8), but it moves strangers by 0.100 instead of 0.060, and neighbours by 0.170 instead of 0.072. So the penalty protects by more than a weaker fit does: by 0.039 ± 0.018 for strangers (two standard errors, for 8 people) and by 0.098 ± 0.026 for neighbours. (Our radius is a quarter of the distance of a typical code from the mean, and was not tuned.)
#
# ## 6 · Directions
#
# The simplest direction that comes from labels is a difference of means. Sample codes, let the *teacher* label the pictures, and subtract: the mean $w$ with glasses minus the mean $w$ without. (InterFaceGAN, by Shen and others 2020, trains a linear classifier on the codes instead, and takes the normal of its plane.)

# %%
n_labelled = pick(smoke=200, laptop=1500, gpu=10_000)
w = codes(n_labelled, 15)
seen = told(teacher, draw(layered(w)))
values = faces.attribute_values["skin"]
DARK, FAIR = (values.index(colour) for colour in ("694d3d", "edb98a"))
HAS = {"glasses": ("glasses", 1), "dark skin": ("skin", DARK), "beard": ("facial_hair", 1)}
towards = {}
for name, (key, value) in HAS.items():
    has = seen[key] == value
    if not full:
        has = has | (torch.arange(len(has)) < 2)  # of few samples nobody may have it
    towards[name] = editing.label_direction(w, has)
    print(f"{name}: {has.double().mean():.0%} of samples have it", end="; ")
unit = {name: F.normalize(d, dim=0) for name, d in towards.items()}
print()
for one, other in (("glasses", "dark skin"), ("glasses", "beard"), ("dark skin", "beard")):
    print(f"cosine of {one} and {other}: {unit[one] @ unit[other]:.2f}")

# %% [markdown]
# InterFaceGAN's directions are normals of planes. If two normals have a cosine other than 0, a step along one also changes the score of the other, so InterFaceGAN subtracts from a direction its projection on the others. We do the same with differences of means, which are such normals only if the cloud of codes is round. For one other direction this is a single projection. Several others are usually not orthogonal to each other; then subtracting one projection after the other brings part of the first one back.
#
# ### Exercise 7 · Conditional direction
#
# `n` is `(d,)`, `others` is `(k, d)`: k linearly independent directions of any length, not necessarily orthogonal to each other. Return the part of `n` that is orthogonal to all of them, normalised to length 1. *Three lines, ten minutes.*


# %%
def conditional_direction(n, others):
    """The part of n orthogonal to all the others, of length 1: (d,)"""
    ### BEGIN SOLUTION
    basis = torch.linalg.qr(others.T).Q
    left = n - basis @ (basis.T @ n)
    return left / left.norm()
    ### END SOLUTION


conditional_direction = check("editing.conditional_direction", conditional_direction)

# %% [markdown]
# How good is an edit? One number cannot say it, because a longer step adds more glasses and also changes more of everything else. So we plot a curve over the length of the step: the share of people with glasses against the share of their *other* attributes that stayed the same (skin and beard, about which judge and teacher agree). The baseline is eight random directions, each followed both ways. Each point is one length of the step, which grows from right to left; bars are $\sqrt{p(1-p)/n}$ for $n$ people; for a mean of two attributes this is an upper bound.

# %%
others = torch.stack([unit["dark skin"], unit["beard"]])
glasses = {
    "difference of means": unit["glasses"],
    "conditional": conditional_direction(unit["glasses"], others),
}
print(f"cosine of the two: {glasses['conditional'] @ unit['glasses']:.2f}")
m = pick(smoke=20, laptop=150, gpu=1000)
base = codes(m, 16)
was = told(reader, draw(layered(base)))
length = towards["glasses"].norm()
by_lot = F.normalize(torch.randn(8, net.w, generator=seed(17)), dim=1)


# %%
def trade(y, key="glasses", value=1):
    """Of edited pictures: the share that has what was asked for, and the share of the rest that stayed"""
    now = told(reader, y)
    rest = [other for other in ("glasses", "skin", "facial_hair") if other != key]
    stayed = torch.stack([(now[other] == was[other]).double().mean() for other in rest]).mean()
    return (now[key] == value).double().mean().item(), stayed.item()


# %%
steps = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
curves = {
    name: [trade(draw(layered(base + s * length * direction))) for s in steps]
    for name, direction in glasses.items()
}
by_chance = torch.tensor(
    [[trade(draw(layered(base + s * length * d))) for s in (0, 1, 2)] for d in (*by_lot, *-by_lot)]
)
curves["random, mean of 16"] = by_chance.mean(0).tolist()
print(f"one random step: {by_chance[:, 1, 0].mean():.0%} with glasses, ", end="")
print(f"{by_chance[:, 1, 0].std():.0%} standard deviation, largest {by_chance[:, 1, 0].max():.0%}")
for name, pairs in curves.items():
    print(
        f"{name:20}",
        "; ".join(f"{a:.0%}, {b:.0%}" for a, b in pairs),
    )
figures.trades(curves, "share of skins and beards that stayed", "share with glasses", m)


# %%
def stayed(direction):
    """After one step: how much of skin and beard stayed, for each person"""
    now = told(reader, draw(layered(base + length * direction)))
    return torch.stack([(now[k] == was[k]).double() for k in ("skin", "facial_hair")]).mean(0)


gap = stayed(glasses["conditional"]) - stayed(glasses["difference of means"])
print(
    "one step: the corrected direction changes the share of skins and beards that stay by ", end=""
)
print(f"{gap.mean():+.1%} ± {gap.std() / m**0.5:.1%}")
if full:
    none, one = (curves["difference of means"][i][0] for i in (0, 2))
    assert one > none + 0.2 and one > by_chance[:, 1, 0].mean() + 0.2

# %% [markdown]
# The farther up and to the right a curve runs, the better the trade. A random step also costs skin and beard, but on average it adds hardly any glasses (39, 41 and 43 %). (A single one can add 16 points, so one random direction would be a poor baseline.) Does the corrected direction trade better than the difference of means? No. At one step the two differ by less than one standard error. At two and three steps, with glasses on everybody, the corrected direction keeps 65 % and 56 % of skins and beards, the difference of means 77 % and 72 %. Orthogonality in W is a statement about codes; it does not ensure that skin and beard stay the same in the *picture*. (The projection also removes one direction of skin only, dark against all others, while the measure counts every change among five skins.)
#
# ### Can an inverted person be edited?
#
# Take the people who wear no glasses, and move each code by one step: the difference of the two means. In the table, dB, judge and strangeness repeat the values from above: they are of all people, before the step. Only the last columns are of the people without glasses: the share who wear glasses before and after the step, and the share of skins and beards that are *true of this person* afterwards. PCA can be edited in the same way, with the labels of the training faces: its step is the difference of the mean codes with and without glasses. (Note what each step was given: PCA's the labels of 4,484 faces, the generator's those of 1,500 samples, given by the teacher.)

# %%
bare = [i for i in range(n) if truth["glasses"][i] == 0]
step = towards["glasses"]
of_faces, wears = components.encode(pool.flatten(1)), faces.attributes["glasses"] == 1
linear_step = of_faces[wears].mean(0) - of_faces[~wears].mean(0)


def after(name, move):
    """The pictures of the people without glasses, their codes moved by `move` steps"""
    if name.startswith("PCA"):
        return components.decode(flattened[bare] + move * linear_step).view(-1, 3, 32, 32)
    if name != "PTI":
        return draw(found[name][bare] + move * step)
    return torch.cat([draw(pivots[i : i + 1] + move * step, nets["PTI"][i]) for i in bare])


# %%
print(f"{len(bare)} people without glasses{'':24} before → after one step")
wearing, edited = {}, {}
for name in (f"PCA, {k_pca} numbers", "z", "W", "W+", "encoder", "in-domain", "PTI"):
    edited[name] = after(name, 1).clamp(-1, 1)
    old, new = told(reader, after(name, 0)), told(reader, edited[name])
    wearing[name] = (new["glasses"] == 1).double()
    true = [(new[key] == truth[key][bare]).double() for key in ("skin", "facial_hair")]
    row = ", ".join(f"{key} {value:{FORMS[key]}}" for key, value in table[name].items())
    error = wearing[name].std() / len(bare) ** 0.5
    print(
        f"{name:17} {row}; glasses {(old['glasses'] == 1).double().mean():.0%} → "
        f"{wearing[name].mean():.0%} ± {error:.0%}, skin and beard {torch.stack(true).mean():.0%}"
    )
gap = wearing["W+"] - wearing["W"]
print(
    f"W+ minus W, glasses: {gap.mean():+.0%} ± {gap.std() / len(bare) ** 0.5:.0%} (the same people)"
)

# %%
plots.rows({"people": x[bare[:10]]} | {name.split(",")[0]: y[:10] for name, y in edited.items()})

# %% [markdown]
# Read the first line before the others. The linear model has no strangeness; in every other column it has the best number. These drawings share one template, so adding the *mean* pair of glasses works on everybody. Look at its row: each face gets the same faint, half transparent pair at the same pixels, and the judge counts it as glasses. On drawings as regular as these, nothing in the table shows that editing needs a generator. For photographs, in which heads turn, a mean pair of glasses sits beside the eyes. (This is not measured here.) The value of the table is the comparison of the other lines with each other.
#
# Tov and others (2021, e4e) report a trade-off: codes in W+ reconstruct better and are harder to edit. The last line compares W+ and W on the same people: after the step, 8 % ± 6 % more of them wear glasses in W+. So this test does not show that W+ is harder to edit; it could hardly have seen a difference much smaller than two standard errors (12 points). One reason may be that our codes "in W" are far from the mapping's codes, too. Of the generator's lines, PTI keeps most of the person (skin and beard 95 %) and has the smallest share of glasses (62 % ± 6 %; W, the next, has 70 % ± 6 %). For z, subtract what was there before: the judge saw glasses on 23 % of these people before the step. One baseline is missing: a random step of the same length from the same codes. From codes of the mapping, such a step added 2 points on average (39 to 41 %); from these stranger codes it was not measured.
#
# ### Directions without labels
#
# Can the *weights* tell which directions matter? Each layer computes its style from $w$ by a matrix: $s = A w + b$. A step $d$ changes the style by $A d$. The directions that change the styles of all layers most are the eigenvectors of $\sum_l A_l^\top A_l$ with the largest eigenvalues (SeFa; Shen and Zhou 2021). GANSpace (Härkönen and others 2020) takes the principal axes of the sampled codes instead.
#
# ### Exercise 8 · SeFa
#
# `weights` is a list of matrices `(outputs, n)`, used as they are. Return as rows the `k` directions that these layers together amplify most, the strongest first, each of length 1. Their signs are free. *Three lines, eight minutes.*


# %%
def sefa(weights, k):
    """The k directions that the layers amplify most: (k, n)"""
    ### BEGIN SOLUTION
    total = sum(weight.T @ weight for weight in weights)
    vectors = torch.linalg.eigh(total).eigenvectors  # the eigenvalues rise
    return vectors.flip(1).T[:k]
    ### END SOLUTION


sefa = check("editing.sefa", sefa)

# %%
matrices = [layer.affine.weight for layer in (*net.convs, *net.rgbs)]
axes = torch.linalg.eigh(torch.cov(w.T)).eigenvectors.flip(1).T
apart = F.normalize(codes(8, 301) - codes(8, 302), dim=1)
groups = {"SeFa": sefa(matrices, 3), "GANSpace": axes[:3], "random": by_lot, "two codes": apart}
changed = {}
for name, directions in groups.items():
    for i, d in enumerate(directions):
        pair = [draw(layered(base[:50] + s * length * d)) for s in (1, -1)]
        changed[f"{name} {i + 1}"] = (pair[0] - pair[1]).abs().mean().item()
pair = [draw(layered(base[:50] + s * towards["glasses"])) for s in (1, -1)]
changed["glasses"] = (pair[0] - pair[1]).abs().mean().item()

# %%
lots = {who: [changed[f"{who} {i + 1}"] for i in range(8)] for who in ("random", "two codes")}
extremes = {f"{who}, {f.__name__} of 8": f(v) for who, v in lots.items() for f in (max, min)}
named = {k: v for k, v in changed.items() if k.startswith(("SeFa", "GANSpace", "glasses"))}
plots.bars(named | extremes, "mean absolute change of a pixel (range −1 … 1)")

# %%
mean_styles = [layer.affine(w).mean(0) for layer in (*net.convs, *net.rgbs)]
for i, d in enumerate(groups["SeFa"]):
    pairs = zip(matrices, mean_styles, strict=True)
    cosines = torch.stack([F.cosine_similarity(A @ d, s, dim=0) for A, s in pairs])
    cosines = cosines.abs()
    print(f"SeFa {i + 1}: |cosine| of A d with the mean style, median of convolutions ", end="")
    print(
        f"{cosines[: len(net.convs)].median():.2f}, of ToRGB {cosines[len(net.convs) :].median():.2f}"
    )
strongest = max(range(3), key=lambda i: changed[f"SeFa {i + 1}"])
d = groups["SeFa"][strongest]
print(f"shown: SeFa {strongest + 1}; a step is as long as the glasses step")
names = {"−2": -2, "−1": -1, "0": 0, "+1": 1, "+2": 2}
plots.rows({name: draw(layered(base[:10] + s * length * d)) for name, s in names.items()})

# %% [markdown]
# Each bar is the mean change of a pixel between one step forwards and one step backwards, every step as long as the glasses step; for the two baselines, the largest and the smallest of eight directions. Compare SeFa and GANSpace with these baselines. Isotropic random directions lie mostly along axes in which the cloud of codes is thin, and change little. The difference of two random codes is a fairer baseline: four of the six directions change more than its largest. GANSpace 2 is about equal to it, and SeFa 1 stays below it. The direction that the matrices amplify most need not be the one that changes the picture most. The printed cosines show one reason for SeFa 1: where $A d$ is nearly parallel to the mean style, the step multiplies all styles of a layer by about the same factor, and the demodulation of the convolutions divides by it again (lecture 09; ToRGB has none, so some change remains). A direction that changes much need not *mean* something either. In the rows of the SeFa direction that changes the picture most, does one attribute change, or do many? The meanings that papers report for photographs (pose, age) are names that people gave to the directions afterwards.
#
# ## 7 · Words
#
# CLIP is a pair of networks that maps pictures and texts to vectors in one space; the cosine of two vectors measures how well a text fits a picture. (Lecture 12 trains the course's own.) StyleCLIP (Patashnik and others 2021) uses this score for editing. The simplest of its methods optimises the code until the cosine of its picture with a text is high. **The text is "glasses". At the end, the mean cosine is higher than that of any real picture. At the start, the judge sees glasses on about two fifths of the samples. On what share (in %) does it see them at the end?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("editing.one_text", ...)

# %%
clip = load_weights("clip_peeps32", contrastive.PictureTextModel()).requires_grad_(False)
TEMPLATES = ("a person with {}", "a drawing of a face with {}", "{} on a person")
ASKED = {"glasses": ("glasses", "no glasses"), "dark skin": ("dark skin", "fair skin")}
ASKED["beard"] = ("a beard", "no beard")


def say(what):
    """The vector of a phrase: the mean over three templates, of length 1"""
    texts = words.tokeniser().encode([template.format(what) for template in TEMPLATES])
    return F.normalize(clip.read(texts).mean(0), dim=0)


for text, neutral in ASKED.values():
    print(f"cosine of {text!r} and {neutral!r}: {say(text) @ say(neutral):.2f}")

# %%
m, some = pick(smoke=4, laptop=24, gpu=200), pick(smoke=2, laptop=30, gpu=100)
begin = layered(codes(m, 19)).clone()
start = told(reader, draw(begin))
with torch.no_grad():
    real = clip.see(held_out.floats())


# %%
def steered(text):
    """Codes in W+, near where they began, whose pictures fit this vector of a text"""
    code = begin.clone().requires_grad_()
    optimizer = torch.optim.Adam([code], 0.05)
    for _ in range(some):
        score = clip.see(plus(code)) @ text
        loss = (1 - score + (code - begin).square().mean((1, 2))).sum()
        (code.grad,) = torch.autograd.grad(loss, code)
        optimizer.step()
    return code.detach()


# %%
results, seen_in = {}, {}
for name in ("glasses", "dark skin"):
    (text, neutral), (key, value) = ASKED[name], HAS[name]
    ways = {"the text": say(text)}
    ways["text minus its opposite"] = F.normalize(say(text) - say(neutral), dim=0)
    print(f"{name}: the judge saw {(start[key] == value).double().mean():.0%} before")
    for way, direction in ways.items():
        y = draw(steered(direction))
        seen_in[name, way] = told(reader, y)
        got = (seen_in[name, way][key] == value).double()
        with torch.no_grad():
            now, best = (clip.see(y) @ direction).mean(), (real @ direction).max()
        results[name, way] = y, got.mean().item()
        print(f"  {way:24} judge {got.mean():4.0%} ± {got.std() / m**0.5:.0%}; ", end="")
        print(f"score {now:.2f}, best of {len(real)} real pictures {best:.2f}")

# %%
print(guess.reveal(round(100 * results["glasses", "the text"][1])))
pale, text = seen_in["dark skin", "the text"]["skin"] == values.index("ffdbb4"), say("dark skin")
dark_people = held_out.attributes["skin"] == DARK
with torch.no_grad():
    ends = [(clip.see(v) @ text)[pale] for v in (draw(begin), results["dark skin", "the text"][0])]
print(f'score of "dark skin" of the {pale.sum()} faces that end with light skin: before ', end="")
print(
    f"{ends[0].mean():.2f}, at the end {ends[1].mean():.2f}; real people: with dark skin ", end=""
)
print(f"{(real[dark_people] @ text).mean():.2f}, others {(real[~dark_people] @ text).mean():.2f}")
phrases = {colour: phrase for phrase, colour in words.SKINS.items()}
skins = [phrases[colour] for colour in values]
print("what the judge reads, whatever was asked for: glasses; each skin")
for name, read in {("before", ""): start, **seen_in}.items():
    counts = ", ".join(f"{skin} {(read['skin'] == i).sum()}" for i, skin in enumerate(skins))
    print(f"  {' by '.join(filter(None, name)):34} {(read['glasses'] == 1).sum()} of {m}; {counts}")
rows = {"before": draw(begin[:10])}
rows |= {f"{name},\n{way}": y[:10] for (name, way), (y, _) in results.items()}
plots.rows(rows)

# %% [markdown]
# The optimiser reaches its goal: three of the four scores are higher than that of the best real picture, and the fourth is close to it. What the judge sees is another matter, and the second table is its control. Glasses also appear or disappear when *skin* was asked for (the judge sees them on 10 of 24 faces before, on 5 and 9 at the end), so only what goes beyond that is owed to the word "glasses". For skin, a low share can mean two things. If the judge reads brown skin, the next darkest, the face may have become darker, and the class is strict. But if the face is almost white while its score of "dark skin" is high, the picture is an **adversarial example** for CLIP: it satisfies the score, and not the text. That is what happens here with the text alone: 13 of the 24 faces end with light skin (8 had it before), and their score rises from 0.19 to 0.48, nearly that of real people with dark skin (0.51). (With the difference, 12 of the 24 end with light skin; the score of these 12 alone was not measured.) A method that optimises a score must therefore not be judged by that score.
#
# (The vectors of "glasses" and "no glasses" have a large cosine, and the difference of the two removes what they share. A common topic is not enough for that: "dark skin" and "fair skin" are both about skin, share little, and so the difference removes little. Whether the text or the difference does better on skin (46 % ± 10 % against 21 % ± 8 %), 24 pictures do not decide.)
#
# ### Global directions
#
# StyleCLIP's third method needs no optimisation. Each style channel of the convolutions is moved up and down on a few pictures, and CLIP embeds the results. (Wu and others 2021 showed that single style channels often control single attributes.) A channel is *relevant* for a text if the mean change of the embedding points in the direction of the text. With $u_{cp}$ and $d_{cp}$ the embeddings of picture $p$ with channel $c$ moved up and down:
#
# $$r_c = \cos\!\Big(\operatorname{mean}_p \frac{u_{cp} - d_{cp}}{\|u_{cp} - d_{cp}\|},\; t\Big), \qquad t = \text{text} - \text{its opposite, normalised to length 1.}$$
#
# ### Exercise 9 · Channel relevance
#
# `up` and `down` are `(C, P, e)`: the embeddings of P pictures with each of C channels moved. `text` is `(e,)`, of length 1. Each picture has one vote: its difference is normalised before the mean. A picture that a channel does not change has no vote; a channel that changes nothing has relevance 0. *Three lines, eight minutes.*


# %%
def channel_relevance(up, down, text):
    """The cosine of what each channel changes with the text: (C,)"""
    ### BEGIN SOLUTION
    change = F.normalize(up - down, dim=2)
    return F.normalize(change.mean(1), dim=1) @ text
    ### END SOLUTION


channel_relevance = check("editing.channel_relevance", channel_relevance)

# %%
spreads = editing.style_spreads(net, layered(codes(1000, 20)))
few_codes = layered(codes(pick(smoke=2, laptop=6, gpu=100), 21))
up, down = editing.channel_effects(net, few_codes, clip.see, spreads)


# %%
def towards_words(name, count):
    """How far each style channel moves at step 1: only the most relevant ones, in their own spreads"""
    text, neutral = (say(phrase) for phrase in ASKED[name])
    relevance = channel_relevance(up, down, F.normalize(text - neutral, dim=0))
    chosen = relevance.abs().argsort(descending=True)[:count]
    shift = torch.zeros_like(relevance)
    shift[chosen] = relevance[chosen] / relevance[chosen].abs().max()
    return shift * spreads, relevance


# %%
_, relevance = towards_words("glasses", 24)
counts = {
    f"{i}: {net.sides[i]} × {net.sides[i]}": len(c.affine.bias) for i, c in enumerate(net.convs)
}
figures.relevances(relevance, counts, 24)

# %%
m = pick(smoke=12, laptop=100, gpu=1000)
base = codes(m, 22)
was = told(reader, draw(layered(base)))


def with_styles(shift):
    with editing.moved_styles(net, shift):
        return draw(layered(base))


# %%
global_curves = {}
for name in ("glasses", "beard", "dark skin"):
    shift, key, value = towards_words(name, 24)[0], *HAS[name]
    sizes_of = (shift / spreads).abs().sort(descending=True).values[:24]
    lots_of = [torch.randperm(len(spreads), generator=seed(i))[:24] for i in range(30, 36)]
    signs = torch.randn(24, generator=seed(23)).sign()
    by_chance = torch.zeros(len(lots_of), len(spreads))
    for row, channels in zip(by_chance, lots_of, strict=True):
        row[channels] = signs * sizes_of * spreads[channels]
    others = [[trade(with_styles(s * v), key, value) for s in (0, 2, 4)] for v in by_chance]
    global_curves[name] = {
        "words, 24 channels": [trade(with_styles(s * shift), key, value) for s in (0, 1, 2, 3, 4)],
        "labels, in W": [
            trade(draw(layered(base + s * towards[name])), key, value) for s in (0, 0.5, 1, 1.5, 2)
        ],
        "24 random channels, mean of 6": torch.tensor(others).mean(0).tolist(),
    }
    for way, pairs in global_curves[name].items():
        print(f"{name:9} {way:29}", "; ".join(f"{a:.0%}, {b:.0%}" for a, b in pairs))

# %%
others = layered(codes(len(few_codes), 25))
again = editing.channel_effects(net, others, clip.see, spreads)


def most_relevant(name, effects):
    text, neutral = (say(phrase) for phrase in ASKED[name])
    relevance = channel_relevance(*effects, F.normalize(text - neutral, dim=0))
    return set(relevance.abs().argsort(descending=True)[:24].tolist())


for name in ASKED:
    same = len(most_relevant(name, (up, down)) & most_relevant(name, again))
    print(f"{name}: {same} of 24 channels are the same with {len(others)} other pictures; ", end="")
    print(f"by chance {24 * 24 / len(spreads):.0f}")
if full:
    for name, gain in {"glasses": 0.3, "beard": 0.2, "dark skin": 0.1}.items():
        by_words, by_labels, by_lot = global_curves[name].values()
        assert by_words[2][0] > by_lot[1][0] + gain  # both at step 2
        assert (by_words[1][0] > by_labels[1][0]) == (name != "dark skin")
figures.trades(
    global_curves["glasses"], "share of skins and beards that stayed", "share with glasses", m
)

# %%
shifts = {name: towards_words(name, 24)[0] for name in ASKED}
rows = {"before": draw(layered(base[:10]))}
for name, shift in shifts.items():
    with editing.moved_styles(net, 3 * shift):
        rows[name] = draw(layered(base[:10]))
plots.rows(rows)

# %% [markdown]
# No sample was labelled here. (CLIP itself learned from faces with sentences, which are labels too.) As many random channels, moved as far in their own spreads, are the baseline. For glasses and beards, 24 channels chosen by words are far ahead of it. Compare words and labels where they cost the rest about the same: glasses 92 % (91 % of the rest stayed) against 80 % (92 %), beards 63 % against 50 % (84 % stayed for both). The standard errors of these shares are 3 to 5 %, and the order is not the same everywhere: where nearly all faces wear glasses, the labels keep a little more of the rest (76 % at 99 %, against 70 % at 100 %), which is about one standard error. For dark skin the words are ahead of random channels, and far behind the labels. The choice of channels is not stable: the relevances come from 6 pictures (the paper used 100), and the lines below the table say how many of the 24 channels another six pictures would choose. Whether the other choice would edit as well was not measured. Six pictures are too few to say that one channel "is" the glasses, and for dark skin the choice is little better than chance. Try the words yourself. *Which word changes more than it says?*


# %%
def read_word(word, y):
    key, value = HAS[word]
    return f"{word}: <b>{(told(reader, y)[key] == value).sum()}</b> of {len(y)} by the judge"


sliders.words(net, layered(codes(8, 24)), shifts, read_word)

# %% [markdown]
# ## 8 · Structure and texture
#
# The swapping autoencoder (Park and others 2020) needs no inversion, because its encoder produces the codes. There are two: a **structure**, a small map of 8 × 8 positions, and a **texture**, one vector. The decoder consists of lecture 09's styled convolutions, with the texture as style. When two people exchange textures, colours should follow the texture, and shapes should stay with the structure.
#
# Why does the network not put everything into the structure? In the paper, a discriminator of patches is meant to prevent it. The course's model is smaller. Each map of its structure passes through InstanceNorm, which removes the mean and the scale of the map. This makes it harder to pass on the brightness of the picture, but not impossible: the background is always white, and the zeros at the edges leave a trace (section 9). So we measure which of the two codes the decoder follows. The model was trained for less than a minute, on the reconstruction error alone.

# %%
encoder_of, decoder_of = load_weights(
    "swap_peeps32", nn.ModuleList([editing.SwapEncoder(), editing.SwapGenerator()])
)
m = pick(smoke=40, laptop=500, gpu=500)
x_swap = held_out.floats()[:m]
with torch.no_grad():
    structure, texture = encoder_of(x_swap)
    again, swapped = (decoder_of(structure, t).clamp(-1, 1) for t in (texture, texture.roll(1, 0)))
near, moves = decibels(again, x_swap).mean(), (swapped - again).abs().mean()
print(
    f"reconstruction {near:.1f} dB; a swap moves a pixel by {moves:.3f} on average (range −1 … 1)"
)
light = [v.mean((1, 2, 3)) for v in (swapped, x_swap, x_swap.roll(1, 0))]
for name, own in zip(("structure's", "texture's"), light[1:], strict=True):
    together = torch.corrcoef(torch.stack([light[0], own]))[0, 1]
    print(f"correlation of the brightness with the {name} person: {together:.2f}")
flat = torch.cat([structure.flatten(1), torch.ones(m, 1)], 1)  # is brightness in the structure?
half, ridge = m // 2, 0.01 * torch.eye(flat.shape[1])
weights = torch.linalg.solve(flat[:half].T @ flat[:half] + ridge, flat[:half].T @ light[1][:half])
readable = torch.corrcoef(torch.stack([flat[half:] @ weights, light[1][half:]]))[0, 1]
print(f"a linear regression reads the brightness from the structure: correlation {readable:.2f}")

# %%
now, unswapped = told(reader, swapped), told(reader, again)
for key in ("skin", "head", "glasses", "facial_hair"):
    mine, donor = held_out.attributes[key][:m], held_out.attributes[key][:m].roll(1)
    apart = mine != donor
    follows = [(now[key][apart] == v[apart]).double().mean().item() for v in (mine, donor)]
    ceiling = (unswapped[key] == mine)[apart].double().mean()
    chance = (now[key].roll(7) == mine)[apart].double().mean()
    print(
        f"{key:12} structure's {follows[0]:.0%}, texture's {follows[1]:.0%}  (n = {apart.sum()}); "
        f"without a swap {ceiling:.0%}, by chance {chance:.0%}"
    )

# %%
rows_of, columns_of = x_swap[[1, 3, 6, 9, 12]], x_swap[20:28]
with torch.no_grad():
    s, t = encoder_of(rows_of)[0], encoder_of(columns_of)[1]
    grid = torch.stack([decoder_of(one.expand(8, -1, -1, -1), t) for one in s[:, None]])
figures.swap_grid(rows_of, columns_of, grid.clamp(-1, 1))

# %% [markdown]
# The brightness follows the texture, and the head follows the structure. (Every column counts only the pairs of people who differ in the attribute. For glasses and beards, chance is therefore about one half.) Glasses and beards also stay with the structure. Skin is a colour, too, but it goes with the texture less often than with the structure (24 % against 35 %). About two fifths of the skins are neither person's (without a swap, about one fifth are read wrong), probably because the texture carries one brightness for the whole picture, so that black hair also darkens the face. The decoder takes the brightness from the texture, although the structure contains it too, as the regression shows; it does not yet separate hair from skin.
#
# ### The paper's own losses
#
# The paper trains with two discriminators. One judges whole pictures: the reconstructions $G(s_a, t_a)$ and the swapped pictures $G(s_a, t_b)$ should look real. The other, the **co-occurrence patch discriminator**, sees small patches only. It compares a patch of the swapped picture with reference patches of the texture's person $b$, and should not be able to tell that they come from two pictures. With $D(\text{reference}, \text{patch})$ its probability of "the same picture":
#
# $$\mathcal L = \|G(s_a, t_a) - a\|_1 + \tfrac12\,\mathcal L_\text{GAN}\big(G(s_a, t_a)\big) + \tfrac12\,\mathcal L_\text{GAN}\big(G(s_a, t_b)\big) - \log D\big(\text{patches}(b), \text{patch}(G(s_a, t_b))\big) .$$
#
# Do these losses help here? The course's pair is trained further in three ways, from the same weights, on the same batches, for the same number of steps: with the reconstruction error alone, with the patches added, and with both discriminators. Texture is measured without a network, by 12 numbers for each picture: the mean and the standard deviation of each colour, and the strength of its details at two scales. Over the test people, we correlate the numbers of the swapped picture with those of the texture's person, and with those of the structure's person. A correlation does not show that all generated pictures are more blurred than people; the sharpness, which is printed too, does.


# %%
def texture_of(x):
    """Mean and spread of each colour, and the strength of its details at two scales: (n, 12)"""
    parts = [x.mean((2, 3)), x.std((2, 3))]
    for _ in range(2):
        coarse = F.avg_pool2d(x, 2)
        detail = x - F.interpolate(coarse, scale_factor=2, mode="nearest")
        parts.append(detail.square().mean((2, 3)).sqrt())
        x = coarse
    return torch.cat(parts, 1)


def correlation(a, b):
    """Of each column: (n, k) and (n, k) -> (k,)"""
    pairs = zip(a.T, b.T, strict=True)
    return torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])


real_texture = texture_of(x_swap)
heads = held_out.attributes["head"][:m]


@torch.no_grad()
def swap_report(name, pair):
    """Print and return what a swap does with texture, heads and pixels"""
    s, t = pair[0](x_swap)
    y, mixed = (pair[1](s, v).clamp(-1, 1) for v in (t, t.roll(1, 0)))
    apart, kept = heads != heads.roll(1), told(reader, mixed)["head"] == heads
    found = [correlation(texture_of(mixed), real_texture.roll(i, 0)).mean() for i in (1, 0, 7)]
    found += [kept[apart].double().mean(), decibels(y, x_swap).mean()]
    found += [metrics.sharpness(mixed).mean()]
    print(
        "{:24} correlation with the texture's person {:.2f}, the structure's {:.2f}, a third {:.2f}; "
        "heads {:.0%}, {:.1f} dB, sharpness {:.2f}".format(name, *found)
    )
    return [v.item() for v in found]


# %%
JUDGES = {"reconstruction alone": (0, 0), "and patches": (0, 1), "and both discriminators": (1, 1)}
steps, swaps, patch_loss = pick(smoke=2, laptop=80, gpu=2000), {name: [] for name in JUDGES}, []
print(f"sharpness of people: {metrics.sharpness(x_swap).mean():.2f}")
swap_report("before", (encoder_of, decoder_of))
for number in range(3):
    for name, (of_pictures, of_patches) in JUDGES.items():
        torch.manual_seed(number)
        pair = copy.deepcopy(nn.ModuleList([encoder_of, decoder_of])).requires_grad_(True)
        step = editing.SwapStep(
            *pair,
            lr=1e-3,
            steps=steps,
            critic=restorers.PictureDiscriminator() if of_pictures else None,
            patches=editing.CooccurrenceDiscriminator() if of_patches else None,
        )
        batches = faces.batches(16, generator=seed(number))
        losses = [step(next(batches)) for _ in range(steps)]
        swaps[name].append(swap_report(name, pair))
        if name == "and patches":
            patch_loss.append(
                sum(loss["d_loss"].item() for loss in losses[-20:]) / len(losses[-20:])
            )

# %%
told_of_patches = ", ".join(f"{loss:.2f}" for loss in patch_loss)
print(f"loss of the patch discriminator: {told_of_patches}; by guessing: {2 * math.log(2):.2f}")
of_texture, of_structure, _, head_kept, near, sharp = (
    {name: [run[i] for run in runs] for name, runs in swaps.items()} for i in range(6)
)
if full:
    alone, with_patches, with_both = JUDGES
    assert min(patch_loss) > 1.3
    for a, b in zip(of_texture[alone], of_texture[with_patches], strict=True):
        assert abs(a - b) < 0.03
    assert 2 * max(sharp[alone]) < min(sharp[with_both])
    assert max(sharp[with_both]) < metrics.sharpness(x_swap).mean() * 2 / 3
    assert max(near[with_both]) < min(near[alone]) - 3
    assert max(head_kept[with_both]) < min(head_kept[alone]) - 0.15

# %% [markdown]
# The patches alone change almost nothing here. After 80 steps, the loss of the patch discriminator is still almost that of guessing. A discriminator that cannot tell the two cases apart has little to teach, and the swapped pictures follow the texture's person as much as without it. Both discriminators together have a strong effect, but not the intended one. The pictures become more than twice as sharp, but stay far below people (at 0.36 to 0.40; another run of the same cells, computed in float32, reached 0.50, people have 0.96). In exchange the reconstruction loses several dB, and about half as many heads survive (30 to 38 % instead of 70 %). Whether the swapped picture then follows the texture's person more or less than before depends on the seed. So at this size and in so few steps, the paper's losses sharpen, but do not reliably separate texture from structure better: they did with one seed of three. The separation was there before them, and it is partial (0.45 against 0.31). How much of it InstanceNorm brings was not measured: that needs a model without the norm. The paper trains much longer, on photographs of 256 pixels a side and more. Whether its losses could replace the norm after a longer training was not measured here.
#
# ## 9 · Pictures from label maps
#
# So far we have found and moved codes. Now the user specifies *where* things are. The pictures are satellite photographs of the Earth, 64 × 64. Their label maps come from a rule: the mean colour of each block of 4 × 4 pixels is assigned to the nearest of six kinds of land. The same rule reads the generated pictures. It is not a network that can be fooled, but it is also not independent: the generators were trained on its labels. So we need a baseline that cheats: each block painted in the colour of its kind.

# %%
m = pick(smoke=16, laptop=200, gpu=312)
place = next(iter(data.load("earth", "test").batches(m, generator=seed(25))))[1]
labels = land_kinds(place)
print(
    "share of each kind:",
    {name: f"{(labels == i).double().mean():.0%}" for i, name in enumerate(LAND)},
)
plots.rows({"satellite": place[:8], "labels": label_maps.label_picture(labels[:8])})

# %% [markdown]
# In pix2pixHD (Wang and others 2018), the label map is the input of the network, and an InstanceNorm follows each convolution. The authors of SPADE (GauGAN; Park and others 2019) asked what this norm does to a label map. **Six flat label maps, each filled with a single kind, pass through a convolution with reflected edges, then through InstanceNorm. What comes out?**

# %%
# Replace ... by one of: "six flat maps", "six different patterns", "six times the same"
guess = predict("editing.flat_map", ...)

# %%
flat = label_maps.label_channels(torch.arange(6)[:, None, None].expand(-1, 16, 16)).double()
torch.manual_seed(0)
print(guess.reveal("six times the same"))
for edges in ("reflect", "zeros"):
    conv = nn.Conv2d(6, 8, 3, padding=1, padding_mode=edges).double()
    y = F.instance_norm(conv(flat)).detach()
    apart = (y - y[:1]).abs().amax((0, 1))
    print(
        f"{edges:7} edges: maps differ by at most {apart.max():.1e}, in the middle {apart[8, 8]:.1e}"
    )
    assert (apart.max() < 1e-9) == (edges == "reflect")

# %% [markdown]
# The mean of a flat map is its value, and InstanceNorm subtracts the mean: desert and sea become the same zeros. With reflected edges this is exact. With zeros around the picture, the border differs from the middle. The border enters the mean and the variance, so a trace of the label remains everywhere. SPADE puts the labels back *after* the norm, in every layer, and each position gets its own scale and shift:
#
# $$\text{SPADE}(x, m) = \frac{x - \mu}{\sqrt{\sigma^2 + 10^{-5}}}\,\big(1 + \gamma(m)\big) + \beta(m) .$$
#
# ### Exercise 10 · SPADE
#
# `x` is `(B, C, h, w)`. `labels` is `(B, K, H, W)`, with a channel for each kind, and has another size: resize it to the size of x by the nearest neighbour (`nearest`). `scale_of` and `shift_of` compute γ and β from the resized labels. Mean and variance are those of each map of each picture; the variance divides by the number of positions (lecture 06's InstanceNorm; the paper takes them over the whole batch. The paper writes γ; its code has 1 + γ). *Five lines, eight minutes.*


# %%
def spade(x, labels, scale_of, shift_of):
    """x, normalised, then scaled and shifted at each position as its label says: same shape"""
    ### BEGIN SOLUTION
    m = F.interpolate(labels, x.shape[2:], mode="nearest")
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    normal = (x - mean) / (variance + 1e-5).sqrt()
    return normal * (1 + scale_of(m)) + shift_of(m)
    ### END SOLUTION


spade = check("editing.spade", spade)

# %% [markdown]
# We now compare two generators: in one the labels are the input, and InstanceNorm follows each convolution; the other uses SPADE. Both were trained against discriminators of the same architecture: two of them, one for the picture and one for the picture at half its size (pix2pixHD's **multi-scale discriminators**, of which the paper has three). pix2pixHD also adds a **feature matching** loss: in each layer before the score, the discriminator's features of the generated picture should match those of the real picture with the same labels.
#
# ### Exercise 11 · Feature matching
#
# `real` and `fake` are lists of scales; each scale is a list of the outputs of its layers, and **the last output is the score**, which is left out. Take the mean absolute difference in each layer, the sum over layers, and the mean over scales. No gradient may reach the real side. *Four lines, six minutes.*


# %%
def feature_matching(real, fake):
    """How much the discriminators' features of the two differ: a number"""
    ### BEGIN SOLUTION
    total = 0
    for target, answer in zip(real, fake, strict=True):
        for p, q in zip(target[:-1], answer[:-1], strict=True):
            total = total + (p.detach() - q).abs().mean()
    return total / len(real)
    ### END SOLUTION


feature_matching = check("editing.feature_matching", feature_matching)

# %% [markdown]
# The two generators have similar numbers of weights, and were trained for about a minute of CPU time each. The baselines are the photograph of *another* place; the true photograph, blurred until only the colours of the blocks are left; and each block painted in the colour of its kind. Two numbers compare the labels that the rule reads again with the map: the share that is right, and the **intersection over union** (IoU). For one kind, IoU is the number of blocks that have this kind in both maps, divided by the number that have it in at least one; we take the mean over the kinds. Rare kinds count as much as common ones.

# %%
painters = {
    "labels as input": load_weights("land_door", label_maps.DoorGenerator()),
    "SPADE": load_weights("land_spade", label_maps.SpadeGenerator()),
}


@torch.no_grad()
def painted(painter, labels):
    return torch.cat([painter(label_maps.label_channels(part)) for part in labels.split(64)])


# %%
flat_labels = torch.arange(6)[:, None, None].expand(-1, 16, 16)
pictures = {"another place": place.roll(1, 0)}
pictures["blurred truth"] = F.interpolate(F.avg_pool2d(place, 4), (64, 64), mode="bilinear")
pictures["flat colours"] = label_maps.label_picture(labels)
pictures |= {name: painted(painter, labels) for name, painter in painters.items()}

# %%
score = {}
for name, y in pictures.items():
    read = land_kinds(y)
    correct = (read == labels).double().mean((1, 2))
    score[name] = label_maps.intersection_over_union(read, labels), correct.mean().item()
    print(
        f"{name:18} IoU {score[name][0]:.3f}, right {score[name][1]:.1%} ± {correct.std() / m**0.5:.1%}, "
        f"L1 {(y - place).abs().mean():.3f}, sharpness {metrics.sharpness(y).mean():.3f}"
    )
print(f"{'satellite':18} sharpness {metrics.sharpness(place).mean():.3f}")

# %%
for name, painter in painters.items():
    read = land_kinds(painted(painter, flat_labels))
    each = (read == flat_labels).double().mean((1, 2)).tolist()
    print(
        f"{name:18} flat maps read right:",
        ", ".join(f"{kind} {v:.0%}" for kind, v in zip(LAND, each, strict=True)),
    )
assert score["SPADE"][0] > score["labels as input"][0] > score["another place"][0]
rows = {"labels": label_maps.label_picture(torch.cat([labels[:5], flat_labels]))}
rows["satellite"] = torch.cat([place[:5], torch.ones(6, 3, 64, 64)])
plots.rows(
    rows | {name: painted(p, torch.cat([labels[:5], flat_labels])) for name, p in painters.items()}
)

# %% [markdown]
# With reflected edges and norms, the first generator produces the same grey for all six flat maps, as the proof says. (The rule reads this grey as dry land, so one of the six counts as right.) The label is lost completely only where the map has a single kind. On maps with several kinds, the differences between the kinds survive the norm, so the rule reads more of them right in the first generator's pictures than in another place, and far fewer than in SPADE's. SPADE follows the map. At the edges of its pictures there is a frame, because its own convolutions see zeros there, and a fine grid covers them. (pix2pixHD's strided layers have zeros at their edges, but they come too late to save the label of a flat map: its first convolution has reflected edges, and the norm after it already makes all flat maps the same.)
#
# Compare SPADE with the flat colours. They are all right *by construction*, and their L1 error is no larger than SPADE's. So IoU and L1 measure obedience to the map, and not whether the picture looks like a photograph: the pictures themselves or a Fréchet distance (lecture 05) have to say that. Sharpness alone cannot: that of the first generator's pictures is far above the photograph's, because a grid covers them.
#
# One training of each proves little. `course_lib/studies/painting.py` trained both for 25 CPU seconds, three times.

# %%
for way in ("labels at the door", "SPADE"):
    runs = [row for row in studies.read("painting") if row["way"] == way]
    told_right = ", ".join(f"{row['right']:.1%}" for row in runs)
    steps_of = ", ".join(f"{row['steps']:.0f}" for row in runs)
    shown = way.replace("at the door", "as input")
    print(f"{shown:18} labels right {told_right}; after {steps_of} steps")
lowest = min(row["right"] for row in studies.read("painting") if row["way"] == "SPADE")
assert all(r["right"] < lowest for r in studies.read("painting") if r["way"] != "SPADE")

# %% [markdown]
# ### Are pix2pixHD's two additions worth their time?
#
# A second discriminator costs time in each step, and so does feature matching. (Our code computes the matching even where its weight is 0, so the ways without it pay for its time, too: otherwise they would have more steps.) A small SPADE generator of 32 × 32 pixels is trained in four ways, three times each, for the same CPU time. Everything else is the same.

# %%
earth = data.load("earth", size=32)
small = next(iter(data.load("earth", "test", size=32).batches(200, generator=seed(26))))[1]
small_labels = land_kinds(small)
WAYS = {"plain": (1, 0.0), "two scales": (2, 0.0), "matching": (1, 10.0), "both": (2, 10.0)}


seconds = pick(smoke=0.05, laptop=4, gpu=20)


def small_painter(scales, matching, number):
    """A generator trained for `seconds` of CPU time, and its steps"""
    torch.manual_seed(number)
    critics = label_maps.MultiScaleDiscriminator(scales=scales)
    step = label_maps.LabelStep(
        label_maps.SpadeGenerator(widths=(64, 48)), critics, matching=matching
    )
    batches, steps, begin = earth.batches(8, generator=seed(number)), 0, time.process_time()
    while time.process_time() - begin < seconds:
        step(next(batches)), step.ema.update()
        steps += 1
    return step.ema.model.eval(), steps


# %%
def read_again(name, y, steps=0):
    """Print how many labels the rule reads again, the error and the sharpness; return the first"""
    share = (land_kinds(y) == small_labels).double().mean().item()
    error, sharp = (y - small).abs().mean(), metrics.sharpness(y).mean()
    after = f"; {steps} steps" if steps else ""
    print(f"{name:12} labels right {share:.1%}, L1 {error:.3f}, sharpness {sharp:.3f}{after}")
    return share


read_again("photograph", small), read_again("flat colours", label_maps.label_picture(small_labels))
shares = {name: [] for name in WAYS}
for number in range(3):
    for name, (scales, matching) in WAYS.items():
        painter, steps = small_painter(scales, matching, number)
        y = painted(painter, small_labels)
        shares[name].append(read_again(name, y, steps))
if full:
    assert min(shares["matching"]) > max(shares["plain"])

# %% [markdown]
# With each of the three seeds, feature matching raises the share of labels that the rule reads again and lowers the L1 error, with one discriminator and with two. With one discriminator, the sharpness falls from two to four times the photograph's to about that of the photograph or below it. But the L1 error is still above that of the flat colours: after a few seconds, a painting by numbers is nearer to the photograph. The second discriminator takes a part of this time. Without matching it lowers the share with all three seeds, by 4 to 7 points. With matching it lowers the share with two seeds, by 2 to 4 points, and changes almost nothing with the third. At 32 × 32 pixels and a few seconds, that decides nothing about it: the paper introduced it for pictures of 2048 × 1024, where one discriminator sees too small a part of the picture.
#
# ### Two stages
#
# pix2pixHD reaches 2048 × 1024 pixels in two stages. The **global generator** $G_1$ is trained at half the size. Then the **local enhancer** $G_2$ is put around it. Its front end reads the full map and halves it once, the last feature map of $G_1$ is added to the result, and the back end doubles the size again:
#
# $$G(m) = \text{back}\big(\text{front}(m) + \text{features}_{G_1}(m_\downarrow)\big) , \qquad m_\downarrow \text{ the map at half the size.}$$
#
# $G_2$ is first trained with $G_1$ fixed, then both are trained together. Our $G_1$ has 32 and $G_2$ 64 pixels a side, with InstanceNorm after each convolution but the last. The control is **the same network, trained as a whole at 64 × 64 from the start**. A third way differs from the first in one thing: it has no feature matching. `course_lib/studies/stages.py` trained each with five seeds. The numbers of steps were chosen so that all take as long, 48 seconds of one core: half of it for $G_1$, a quarter for $G_2$ alone and a quarter for both.

# %%
table_of = studies.read("stages")
overlap, error = (
    {
        plan: [row[key] for row in table_of if row["plan"] == plan]
        for plan in ("G1 enlarged", *stages.PLANS)
    }
    for key in ("overlap", "error")
)
print(f"{'another place':14} IoU {score['another place'][0]:.3f}")
for plan, values_of in overlap.items():
    each = ", ".join(f"{value:.3f}" for value in values_of)
    far = ", ".join(f"{value:.3f}" for value in error[plan])
    print(f"{plan:14} IoU {each}; L1 {far}")
gains = {}
for plan in ("G1 enlarged", "no matching", "whole"):
    gains[plan] = torch.tensor(overlap["two stages"]) - torch.tensor(overlap[plan])
    spread = gains[plan].std() / len(gains[plan]) ** 0.5
    print(f"two stages less {plan}: IoU {gains[plan].mean():+.3f} ± {spread:.3f}")
assert min(*gains["G1 enlarged"], *gains["no matching"]) > 0
assert gains["whole"].mean() < -2 * spread  # of the last line

# %% [markdown]
# To see them, train two of the three yourself, for a quarter of the time.

# %%
brief = {"steps": pick(smoke=(1, 1, 1), laptop=(146, 40, 33), gpu=stages.STAGES)}
brief["whole"] = pick(smoke=1, laptop=131, gpu=stages.WHOLE)
rows = {"labels": label_maps.label_picture(labels[:8]), "satellite": place[:8]}
for plan in ("two stages", "whole"):
    torch.manual_seed(0)
    batches = data.load("earth").batches(8, generator=seed(0))
    enhancer, alone = stages.stages(plan, batches, **brief)
    if alone is not None:
        rows["G1 enlarged"] = F.interpolate(painted(alone, labels[:8]), (64, 64), mode="bilinear")
    rows[plan] = painted(enhancer, labels[:8])
plots.rows(rows)

# %% [markdown]
# After the two stages the labels are read better than in the enlarged picture of $G_1$, with each of the five seeds. (How much of this is the enhancer's is not measured: $G_1$ alone has had half of the time.) They are also read better with feature matching than without. But **by IoU the same network trained as a whole is ahead**, with four of five seeds and by 0.067 ± 0.028 in the mean: more than two standard errors, but for five seeds this is weak evidence. In L1 the two do not differ: 0.165 as a whole, 0.163 in two stages. A likely reason why the two stages gain nothing is the time of a step: inside the large network, $G_1$ still works at 32 × 32. So a step at 64 × 64 costs only about twice as much as one at 32 × 32, although the picture has four times as many pixels, and there is little time to save. The paper needs the stages for another size: its enhancer generates 2048 × 1024 pixels. Your pictures, after a quarter of the time, show areas in colours that are often wrong. All ways remain below the course's SPADE. It was trained for longer, but the study above found such a gap in equal time, too: here as well, the labels enter at the input only, and every InstanceNorm removes a part of them.
#
# ### A style code
#
# A map says where things are, but not what they look like: the same coast differs in spring and in summer. GauGAN adds an encoder that reads a **style picture** and returns the mean and the log variance of a code, as in lecture 02. The generator gets the labels $m$ and a code $z$, and the loss gets a KL term with the weight $\lambda$ (here 0.005), so at the end $z$ can also be sampled from $N(0, I)$:
#
# $$(\mu, \log \sigma^2) = E(x), \qquad z = \mu + \sigma\,\varepsilon, \qquad \mathcal L = \mathcal L_\text{GAN} + 10\,\mathcal L_\text{matching} + \lambda\,\mathrm{KL}\big(N(\mu, \sigma^2)\,\|\,N(0, I)\big) .$$
#
# In training, each picture is its own style picture. In the paper, a linear layer turns $z$ into the first map of the generator. Our norm subtracts from each map of each picture whatever is the same everywhere, so we give $z$ to every γ and β instead, as channels beside the labels.
#
# Does $z$ carry the colours of the style picture? Six kinds of land that were found by their colours leave it little to say. So this experiment has three kinds: each block is forest, water or dry land, whichever colour is nearest. Each map of the test regions is painted in the styles of two *other* places, $b$ and $c$, which changes nothing but the code. If the code carries the colours, the difference of the two outputs in mean colour follows the difference of the two style pictures. The control compares the same outputs with two places that were not used.

# %%
three = label_maps.land_colours()[[0, 2, 4]]  # forest, water, dry land
three_labels = land_kinds(small, three)
three_maps = label_maps.label_channels(three_labels, 3)
mean_colour, briefly = small.mean((2, 3)), pick(smoke=2, laptop=250, gpu=1250)


def styled_painter(number):
    """SPADE's generator and its encoder, after `briefly` steps"""
    torch.manual_seed(number)
    step = label_maps.StyleStep(
        label_maps.StylePainter(kinds=3),
        label_maps.MultiScaleDiscriminator(kinds=3, scales=1),
        kl=0.005,
        colours=three,
    )
    batches = earth.batches(8, generator=seed(number))
    for _ in range(briefly):
        step(next(batches)), step.ema.update()
    return step.ema.model


# %%
def as_text(values):
    return ", ".join(f"{v:+.2f}" for v in values)


def in_own_palette(y, labels):
    """The share of blocks nearest to their own kind's mean colour, in this very picture"""
    blocks = F.avg_pool2d(y, y.shape[2] // labels.shape[2]).permute(0, 2, 3, 1)
    is_kind = F.one_hot(labels, 3).to(y.dtype)
    sums = torch.einsum("bhwk,bhwc->bkc", is_kind, blocks)
    counts = is_kind.sum((1, 2))[..., None]
    palette = (sums / counts.clamp(min=1)).masked_fill(counts == 0, 10)  # far from every colour
    return (
        (torch.cdist(blocks.flatten(1, 2), palette).argmin(2) == labels.flatten(1)).double().mean()
    )


follows, by_luck, obeyed, apart = [], [], [], []
for number in range(3):
    artist = styled_painter(number)
    with torch.no_grad():
        mu = artist.encoder(small)[0]
        own, one, other = (artist(three_maps, mu.roll(i, 0)) for i in (0, 1, 2))
    moved = (one - other).mean((2, 3))
    for i, found in ((1, follows), (3, by_luck)):
        found.append(correlation(moved, mean_colour.roll(i, 0) - mean_colour.roll(i + 1, 0)))
    obeyed.append([(land_kinds(y, three) == three_labels).double().mean() for y in (own, one)])
    print(
        f"correlation of red, green, blue with the styles {as_text(follows[-1])}, "
        f"with other places {as_text(by_luck[-1])}; "
        f"labels right in its own style {obeyed[-1][0]:.0%}, in another's {obeyed[-1][1]:.0%}"
    )
    pairs = ((own, three_labels), (one, three_labels), (one, three_labels.roll(5, 0)))
    apart.append([in_own_palette(*pair) for pair in pairs])
    print(
        f"  nearest to the mean colour of their own kind in the same picture: own style "
        f"{apart[-1][0]:.0%}, another's {apart[-1][1]:.0%}, with another map {apart[-1][2]:.0%}"
    )

# %%
if full:
    assert min(v.min() for v in follows) > 0.2 + max(v.abs().max() for v in by_luck)
    assert all(other < own - 0.02 for own, other in obeyed)
    assert all(other > max(own - 0.05, floor + 0.2) for own, other, floor in apart)
shades = mean_colour.mean(1).argsort()[[5, 70, 130, 195]]  # from a dark place to a light one
lands = [3, 7, 12, 20]
with torch.no_grad():
    table = torch.stack([artist(three_maps[[i] * 4], mu[shades]) for i in lands])
blocks = three[three_labels[lands]].permute(0, 3, 1, 2)
blocks = F.interpolate(blocks, (32, 32), mode="nearest")
figures.swap_grid(blocks, small[shades], table.clamp(-1, 1), "map", "style")

# %% [markdown]
# The code carries the colours: in all three trainings, the outputs follow the two style pictures in red, green and blue, and the places that were not used far less. In another place's style, fewer labels are read again than in its own style. Does the code take over what the map should decide? In training each picture was its own style, so the code could tell how much of the picture is water, and nothing but the KL term limits what it carries. But the rule reads fixed colours, and a new palette alone can be misread: in the last column of the figure, a river keeps its shape but is grey. The second line of each training separates the two: it compares each block with the mean colours of the kinds *in the same picture*. By this measure another's style costs almost nothing (97 to 98 % instead of 98 to 99 %; with the map of another place 68 to 69 %). So the map still decides what lies where; the code changes how it looks.
#
# ### Instances
#
# A label map does not separate objects of the same class: two cars side by side are one region of "car". pix2pixHD adds a channel with the **edges of instances**.
#
# ### Exercise 12 · Instance edges
#
# `ids` is `(B, H, W)`, whole numbers: a name for each object. Set to 1 each position whose id differs from that of a neighbour above, below, left or right, so both sides of a border are marked. All other positions are 0, and the result is float32. Positions at opposite edges of the picture are not neighbours. *Six lines, eight minutes.*


# %%
def instance_edges(ids):
    """1 where an instance ends, 0 elsewhere: (B, 1, H, W)"""
    ### BEGIN SOLUTION
    edges = torch.zeros(ids.shape, dtype=torch.bool)
    across, down = ids[:, :, 1:] != ids[:, :, :-1], ids[:, 1:] != ids[:, :-1]
    edges[:, :, 1:] |= across
    edges[:, :, :-1] |= across
    edges[:, 1:] |= down
    edges[:, :-1] |= down
    return edges[:, None].float()
    ### END SOLUTION


instance_edges = check("editing.instance_edges", instance_edges)

# %%
ids = torch.zeros(1, 12, 24, dtype=torch.long)
ids[:, 3:9, 4:12], ids[:, 3:9, 12:20] = 7, 26  # two cars that touch
label = (ids > 0).float()[:, None]
both = {"labels": label, "instances": ids[:, None] / 26.0, "edges": instance_edges(ids)}
plots.panels({name: 2 * channel[0] - 1 for name, channel in both.items()}, height=1.4)

# %% [markdown]
# ### Paint a map
#
# Choose a kind of land and click on cells, or go to a cell with the tab key and press space. Both generators respond at once. *Paint a lake into the desert: which generator shows it? Fill everything with one kind: which generator still shows the right one?*

# %%
coast = torch.zeros(8, 8, dtype=torch.long)
coast[:, 4:], coast[5:, 2:4] = 2, 5
desert = torch.full((8, 8), 5)
desert[3:5, 3:6] = 2
sliders.paint(
    painters,
    {
        "a coast": coast,
        "a lake in the desert": desert,
        "sand": torch.full((8, 8), 5),
        "water": torch.full((8, 8), 2),
    },
)

# %% [markdown]
# Train a SPADE generator yourself. On a laptop it trains for a few seconds, enough to learn the colours of the kinds. On a GPU it is larger, and generates 256 × 256 pixels.

# %%
home = device.choose().device
side, widths = pick(
    smoke=(64, (64, 64, 48)), laptop=(64, (64, 64, 48)), gpu=(256, (512, 512, 256, 128, 64))
)
torch.manual_seed(0)
batch, steps = pick(smoke=(2, 2), laptop=(8, 40), gpu=(16, 20_000))
step = label_maps.LabelStep(
    label_maps.SpadeGenerator(widths=widths).to(home),
    label_maps.MultiScaleDiscriminator().to(home),
    steps=steps,
)
history = train(step, data.load("earth", size=side).batches(batch, home), steps)

# %%
if side == 64:
    mine = land_kinds(painted(step.ema.model.cpu(), labels))
    print(f"{history.steps} steps: labels right {(mine == labels).double().mean():.1%} ", end="")
    print(
        f"(another place: {score['another place'][1]:.1%}, the course's SPADE: {score['SPADE'][1]:.1%})"
    )

# %% [markdown]
# ## 10 · Your own picture
#
# Put the path of a photograph or a drawing of a face into `PATH` (or leave it as it is: then an emoji and a piece of the Earth take its place beside a test face). Inversion always returns *something*. Four numbers say how far the picture is from what the generator knows: how near the result comes, how strange its code is, how near the nearest training face is, and what the encoder makes of it. The floor is one flat colour, the mean of the picture.

# %%
PATH = None  # "me.jpg"

# %%
mine = {"a test face": x[:1]}
if PATH is None:
    mine["an emoji"] = data.load("emoji", size=32)[:1].floats()
    mine["the Earth"] = F.avg_pool2d(place[:1], 2)
else:
    mine["yours"] = data.load(PATH, size=32)[:1].floats()

# %%
shown = {}
for name, picture in mine.items():
    ws = look_for("W+", picture, pick(smoke=2, laptop=80, gpu=300))
    close = pool[torch.cdist(picture.flatten(1), pool.flatten(1)).argmin(1)]
    y = draw(ws)
    print(
        f"{name:12} W+ {decibels(y, picture).item():.1f} dB, strangeness {strange(ws).item():.1f}; "
        f"nearest training face {decibels(close, picture).item():.1f} dB; "
        f"the encoder {decibels(draw(encoder(picture)), picture).item():.1f} dB; one flat colour "
        f"{decibels(picture.mean((2, 3), keepdim=True).expand_as(picture), picture).item():.1f} dB"
    )
    shown[name] = torch.cat(
        [picture, draw(encoder(picture)), y, draw(ws + towards["glasses"]), close]
    )
plots.rows(shown, above=("picture", "encoder", "W+", "W+, glasses", "nearest"))

# %% [markdown]
# The encoder shows most plainly that a picture is outside the domain: it answers with a head, whatever it sees. W+ comes nearer than the encoder, by 2.7 dB for the emoji and by 8.3 dB for the piece of the Earth; remember the generator with random weights. But a single flat colour is nearer still to this piece of the Earth (22.6 dB): the piece has little contrast, so all its pixels are near its mean colour. Strangeness does not detect every such picture: the code of the piece of the Earth (4,109) is far stranger than those of people in W+ (533 on average, section 2), but that of the emoji (1,080) is only twice this average, and people differ by about 390 (their standard deviation, 38.8 times $\sqrt{100}$). Expect a photograph of yourself to be treated like the emoji: the generator has seen drawings by one artist only.
#
# ## 11 · How many numbers
#
# How many numbers does each space have? On torch's `meta` device, the original StyleGAN2 can be built without memory, and its numbers counted.

# %%
with torch.device("meta"):
    giant = StyleGenerator(512, 512, (512, 512, 512, 512, 512, 256, 128, 64, 32), 1024, mapping=8)
for name, g in {"StyleGAN2, 1024 × 1024": giant, "this lecture's, 32 × 32": net}.items():
    styles_of = [sum(len(layer.affine.bias) for layer in group) for group in (g.convs, g.rgbs)]
    noise_of, values_of = sum(side**2 for side in g.sides), 3 * g.size**2
    print(
        f"{name}: W {g.w}, W+ {g.layers * g.w:,}, styles {styles_of[0]:,} + {styles_of[1]:,}, ",
        end="",
    )
    print(f"noise {noise_of:,}: {noise_of / values_of:.2f} for each number of the picture")
    if g is giant:
        assert (g.layers * g.w, sum(styles_of), noise_of) == (9216, 9088, 2_796_176)

# %% [markdown]
# (Of the styles, the first number counts the convolutions and the second the ToRGB layers.) For each number of W+ there are 8 numbers of the picture here, and 341 in StyleGAN2. So the warning of section 1, that free numbers alone can reproduce a picture, weighs more here than there.
#
# This lecture leaves out StyleCLIP's mapper, e4e's discriminator of codes, and losses that compare the identity of two photographs. They need data or networks that do not come with the course, or more time than a laptop has.
#
# | system | its idea, in this lecture | what was measured here |
# |---|---|---|
# | Image2StyleGAN | a code for each layer | dB, what the judge still recognises, how ordinary the codes are, how well they can be edited; an untrained generator and PCA as controls |
# | Image2StyleGAN++ | optimise the noise, too | the gain in dB, where it is stored, and what the penalty changes |
# | in-domain inversion | an encoder as start and in a penalty | the distance to the encoder's answer, and the price in dB |
# | PTI | train the generator for one person | how far strangers and neighbours move, without a penalty and with two |
# | InterFaceGAN, SeFa, GANSpace | directions from labels, from weights and from codes | what was asked for against what else changed; random directions |
# | StyleCLIP | directions from words | the score against the judge; channels chosen by words; random channels |
# | Swapping Autoencoder | structure and texture; two discriminators | which attribute follows which code, beside chance and no swap; what its losses add in equal steps |
# | pix2pixHD | labels as input, feature matching, discriminators at several scales, two stages | flat maps, exactly; the last three for equal CPU time |
# | SPADE, GauGAN | labels after every norm; a style code | labels read again by the rule, beside flat colours; equal CPU time; whose palette the output follows |
#
# ## To go further
#
# 1. **Another pivot.** Tune from the in-domain code instead of the W code. How do the dB and the share of glasses change?
# 2. **The radius.** Run PTI with α of 1, 3 and 10 (print `radius` for the value used here). Which one protects strangers as well as codes from all of W do?
# 3. **Your own words.** The vocabulary has 26 heads and 14 expressions (`words.HEADS`, `words.FACES`). For which do 24 channels suffice? Which network can be the judge?
# 4. **A penalty for the optimiser.** Optimise the score of the text, and add `strangeness` as a penalty. Does the judge agree more?
# 5. **Zeros at the edges.** Train a `DoorGenerator` with zero padding. How much of a flat map can be read then, and where in the picture?
# 6. **Where the linear model fails.** Shift or rotate the training faces at random by a few pixels, and repeat the table with PCA. How much of its lead remains?
#
# ## References
#
# - R. Abdal, Y. Qin, P. Wonka. Image2StyleGAN: how to embed images into the StyleGAN latent space? *ICCV* 2019, arXiv:1904.03189.
# - R. Abdal, Y. Qin, P. Wonka. Image2StyleGAN++: how to edit the embedded images? *CVPR* 2020, arXiv:1911.11544.
# - J. Zhu, Y. Shen, D. Zhao, B. Zhou. In-domain GAN inversion for real image editing. *ECCV* 2020, arXiv:2004.00049.
# - T. Karras, S. Laine, M. Aittala and others. Analyzing and improving the image quality of StyleGAN. *CVPR* 2020, arXiv:1912.04958.
# - O. Tov, Y. Alaluf, Y. Nitzan and others. Designing an encoder for StyleGAN image manipulation. *ACM Transactions on Graphics* 2021, arXiv:2102.02766.
# - E. Härkönen, A. Hertzmann, J. Lehtinen, S. Paris. GANSpace: discovering interpretable GAN controls. *NeurIPS* 2020, arXiv:2004.02546.
# - Z. Wu, D. Lischinski, E. Shechtman. StyleSpace analysis: disentangled controls for StyleGAN image generation. *CVPR* 2021, arXiv:2011.12799.
# - P. Zhu, R. Abdal, Y. Qin, J. Femiani, P. Wonka. Improved StyleGAN embedding: where are the good latents? 2020, arXiv:2012.09036.
# - J. Wulff, A. Torralba. Improving inversion and generation diversity in StyleGAN using a Gaussianized latent space. 2020, arXiv:2009.06529.
# - D. Roich, R. Mokady, A. H. Bermano, D. Cohen-Or. Pivotal tuning for latent-based editing of real images. *ACM Transactions on Graphics* 2022, arXiv:2106.05744.
# - R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. The unreasonable effectiveness of deep features as a perceptual metric. *CVPR* 2018, arXiv:1801.03924.
# - Y. Shen, C. Yang, X. Tang, B. Zhou. InterFaceGAN: interpreting the disentangled face representation learned by GANs. *TPAMI* 2020, arXiv:2005.09635.
# - Y. Shen, B. Zhou. Closed-form factorization of latent semantics in GANs. *CVPR* 2021, arXiv:2007.06600.
# - O. Patashnik, Z. Wu, E. Shechtman, D. Cohen-Or, D. Lischinski. StyleCLIP: text-driven manipulation of StyleGAN imagery. *ICCV* 2021, arXiv:2103.17249.
# - T. Park, J.-Y. Zhu, O. Wang and others. Swapping autoencoder for deep image manipulation. *NeurIPS* 2020, arXiv:2007.00653.
# - T.-C. Wang, M.-Y. Liu, J.-Y. Zhu and others. High-resolution image synthesis and semantic manipulation with conditional GANs. *CVPR* 2018, arXiv:1711.11585.
# - T. Park, M.-Y. Liu, T.-C. Wang, J.-Y. Zhu. Semantic image synthesis with spatially-adaptive normalization. *CVPR* 2019, arXiv:1903.07291.
