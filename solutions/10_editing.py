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
# - find the code of a person whom a generator has never seen, in four spaces, and say what each space buys;
# - measure whether a code is one that the mapping could have made, and pull it back there;
# - tune a generator to one person, and measure what happens to all the others;
# - move a code along a direction that comes from labels, from the weights or from words, and draw what was asked for against what else changed;
# - explain why a score can rise while an independent judge sees less of what was asked for;
# - draw pictures from label maps, and prove what InstanceNorm forgets about them.
#
# **Time**: three hours with the exercises. The cells run in about five minutes on a laptop. **You need**: lecture 09 (styles, W, truncation), lecture 05 (Fréchet distance) and lecture 06 (pix2pix). Lecture 12 explains the network of pictures and texts that section 7 uses.

# %%
# {{setup}}

# %%
import copy
import math

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
    plots,
    studies,
    words,
)
from course_lib.exercises import check, hint, predict, solution
from course_lib.label_maps import LAND, land_kinds
from course_lib.plots import editing as figures

# %%
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.styles import StyleGenerator
from course_lib.training import train
from course_lib.widgets import editing as sliders

WIDE = (128, 96, 64)  # channels at 4 × 4, 8 × 8 and 16 × 16
full = current() != "smoke"


def seed(n):
    return torch.Generator().manual_seed(n)


faces, held_out = (data.load("peeps", split, size=32) for split in ("train", "test"))

# %% [markdown]
# Lecture 09 draws people who do not exist. It is more useful to change a person who does exist: to find a code whose picture is that person, to move the code, and to draw again. This lecture asks three questions of every method. *How near does it come? What else changes? Who says so?*
#
# The third question has a rule, which holds on every page: **whoever steers does not judge.** The generator is lecture 09's. Its samples are labelled by the feature network, and the feature network also stands in the losses. The numbers of the tables come from another network, the classifier, that no method of this lecture has seen. First we ask whether the judge can be trusted. Where do the two networks give the same answer?

# %%
net = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32)).requires_grad_(False)
teacher, reader = metrics.FeatureNet("peeps"), metrics.Classifier("peeps")
ATTRIBUTES = ("glasses", "skin", "facial_hair", "head", "face")


# %%
@torch.no_grad()
def told(judge, x):
    """What a network reads off: attribute -> a value for each picture"""
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
    shares = ", ".join(f"{key} {share:.0%}" for key, share in agreed[kind].items())
    print(f"two networks agree on {kind}: {shares}")
if full:
    assert min(agreed["real people"].values()) > 0.9
    assert min(agreed["samples of the generator"][key] for key in ATTRIBUTES[:3]) > 0.8

# %% [markdown]
# On real people the two networks nearly always agree. On samples they agree about glasses, skin and beards, less about the head, and least about the expression of the face. So for samples this lecture makes claims about the first three only.
#
# ## 1 · What may move?
#
# Inversion looks for the code whose picture is nearest to $x$:
#
# $$w^* = \operatorname*{argmin}_w\; \frac{1}{N}\,\| G(w) - x \|^2 .$$
#
# The generator stays fixed. Only the code moves, by gradient descent. Image2StyleGAN (Abdal and others 2019) showed what matters: *which* code.
#
# ### Exercise 1 · Invert
#
# `synthesis` takes a code and returns a picture. Begin at a copy of `start`, take `steps` steps of Adam on the mean squared error, and return the code, without its gradient. Neither the generator's weights nor `start` may change. *Six lines, ten minutes.*


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
# For a linear generator $G(w) = A w$ the answer is known: least squares. And it is known what more numbers buy. If every one of $L$ layers gets a code of its own, the picture is $A_1 w_1 + \dots + A_L w_L$. These are $L$ times as many columns, so the error can only become smaller, **for any matrix**, also for one of random numbers.

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
# This is a warning. If many free numbers can draw anything, then "it can draw this person" says nothing about the generator. The control is a generator that has learned nothing. Give it random weights and a code for each layer (384 numbers for a picture of 3,072). **What does its nearest picture to a real person show?**

# %%
# Replace ... by one of: "noise", "an average face", "the person"
guess = predict("editing.untrained", ...)

# %%
torch.manual_seed(0)
blank = StyleGenerator(channels=WIDE, size=32).requires_grad_(False)
x, steps = held_out.floats()[:12], pick(smoke=2, laptop=100, gpu=300)
with torch.no_grad():
    middle = blank.mapping(torch.randn(2000, 64, generator=seed(4))).mean(0)
start = middle.expand(12, blank.layers, -1)
ws = editing.invert(lambda ws: blank.synthesis(ws, "none"), x, start, steps, lr=0.2)
y, average = draw(ws, blank), faces.floats().mean(0, keepdim=True).expand(12, -1, -1, -1)


# %%
def decibels(y, x):
    """Peak signal-to-noise ratio of each picture, in dB"""
    return 10 * torch.log10(4 / (y - x).square().flatten(1).mean(1))


def right(y, key):
    """On how many of these people the judge reads what is true"""
    return (told(reader, y)[key] == held_out.attributes[key][: len(y)]).sum().item()


# %%
print(guess.reveal("the person"))
for name, picture in {"untrained, W+": y, "the average face": average}.items():
    print(
        f"{name}: {decibels(picture, x).mean():.1f} dB, head right: {right(picture, 'head')} of 12"
    )
if full:
    assert right(y, "head") > 2 * right(average, "head") + 3
plots.rows({"people": x[:10], "untrained": y[:10]})

# %% [markdown]
# A network that has never seen a face "inverts" faces so well that the judge reads the right one of 47 heads. A small reconstruction error proves nothing about what was learned. That is why the tables below also ask how *ordinary* a code is, and what it is good for.
#
# ## 2 · Four spaces
#
# Four kinds of code can be looked for, from narrow to wide: **z**, which passes through the mapping; **W**, one $w$ for all layers; **W+**, one $w$ for each layer; and W+ with the noise maps (section 3).
#
# The squared error of pixels has a flaw: it prefers blurred pictures. So one adds a distance in the features of a fixed network, LPIPS in the papers. Two pictures show the same at a place if the features there have the same *direction*. With $\hat a$ the features $a$ of a place, brought to length 1 (with $10^{-8}$ added under the root):
#
# $$d(a, b) = \sum_{\text{maps}} \;\underset{\text{places}}{\operatorname{mean}}\; \| \hat a - \hat b \|^2 .$$
#
# ### Exercise 2 · Perceptual distance
#
# `maps_a` and `maps_b` are lists of maps, `(B, C, H, W)` each, of different sizes. Return one number for each picture. *Five lines, eight minutes.*


# %%
def perceptual_distance(maps_a, maps_b):
    """How far apart two pictures are in the eyes of a network: (B,)"""

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
    for name, y in {"blurred": blurred, "made darker": darker}.items():
        apart = perceptual_distance(maps(x), maps(y)).mean()
        print(f"{name}: {decibels(y, x).mean():.1f} dB, perceptual distance {apart:.2f}")

# %% [markdown]
# In dB the two spoilt pictures are equally far from the original. For the network, the blurred one is half as far again: it has lost its lines, and the darker one has not.
#
# How ordinary is a code? The mapping makes only some of all possible $w$: its own cloud, with a mean and a covariance. One thing has to be undone first. The mapping ends with a leaky ReLU, which squeezes negative numbers to a fifth. Before it, the cloud is nearly a Gaussian (Wulff and Torralba 2020). So, with $p$ the code in which numbers below 0 are multiplied by 5, and $\mu$, $\Sigma$ the mean and covariance of such $p$:
#
# $$\text{strangeness} = \frac{1}{n}\,(p - \mu)^\top \Sigma^{-1} (p - \mu), \qquad \text{averaged over the layers.}$$
#
# ### Exercise 3 · Strangeness
#
# `ws` is `(B, L, n)`; `mean` `(n,)` and `covariance` `(n, n)` were measured on codes in which the leaky ReLU was already undone. *Three lines, eight minutes.*


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
print(f"codes of the mapping: {own.mean():.2f} ± {own.std() / 500**0.5:.2f} (standard error)")
print(f"the average code with noise: {flat.mean():.2f}")
if full:
    assert 0.8 < own.mean() < 1.1 and flat.mean() > 2

# %% [markdown]
# Codes of the mapping have strangeness 1 on average, whatever the width. (A little less here. The cloud is very thin along some of its axes, and without a floor the smallest step along these would count as infinitely strange. So a thousandth of the mean variance was added everywhere.) Now invert people of the test set, of whom the generator has seen none. The library's `editing.invert` does what yours does; it also takes the perceptual distance and lets the learning rate fall at the end. **Which picture will be nearest to a person in dB: the best one in W, the best one in W+, or the most similar drawing among the training faces?**

# %%
# Replace ... by one of: "in W", "in W+", "the training drawing"
guess = predict("editing.nearest", ...)

# %%
n = pick(smoke=4, laptop=32, gpu=200)
steps, short = pick(smoke=(2, 2), laptop=(80, 30), gpu=(300, 100))
rows = torch.randperm(len(held_out), generator=seed(8))[:n]
x, truth = held_out[rows].floats(), {key: held_out.attributes[key][rows] for key in ATTRIBUTES}


def plus(ws):
    return net.synthesis(ws, "none")


# %%
def look_for(space, x, steps):
    """Codes (n, layers, 64) whose pictures are near x, found in this space from the mean"""
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
    """The share of five attributes that the judge still reads right, for each person"""
    now = told(reader, y)
    return torch.stack([(now[key] == truth[key][: len(y)]).double() for key in ATTRIBUTES]).mean(0)


# %%
FORMS = {"dB": ".1f", "judge keeps": ".0%", "strangeness": ".1f"}


def line(name, y, ws=None):
    """One line of the table, each mean with its standard error"""
    values = {"dB": decibels(y, x[: len(y)]), "judge keeps": kept(y)}
    values |= {} if ws is None else {"strangeness": strange(ws[: len(y)])}
    table[name] = {key: value.double().mean().item() for key, value in values.items()}
    parts = []
    for key, v in values.items():
        mean, error = (f"{number:{FORMS[key]}}" for number in (v.mean(), v.std() / len(v) ** 0.5))
        parts.append(f"{key} {mean} ± {error}")
    print(f"{name:24}", ", ".join(parts))


# %%
print(guess.reveal("the training drawing"))
line("the average face", pool.mean(0, keepdim=True).expand(n, -1, -1, -1))
line("nearest training face", nearest)
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
# Each wider space comes nearer. In dB none of them comes as near as the most similar of 4,484 drawings: the generator is a poor memory. (The drawings are made of a few parts, so somebody similar is nearly always among them. For photographs this baseline is much weaker.) But the most similar drawing shows somebody else. The judge reads more of the person in W+ than in it.
#
# One result surprises many. A code "in W" is one $w$ for all layers, but it is **not** one that the mapping could make: its strangeness is far above 1. Optimisation leaves the thin cloud at once. Only z cannot leave it.
#
# Watch one person after more and more steps. *When does W+ begin to be better than W?*

# %%
stops = {}
for budget in pick(smoke=(0, 2), laptop=(0, 5, 20, 80), gpu=(0, 10, 40, 100)):
    stops[f"{budget} steps"] = {s: draw(look_for(s, x[:1], budget)) for s in ("z", "W", "W+")}
sliders.inversion(x[:1], stops, lambda y: f"{decibels(y, x[:1]).item():.1f} dB")

# %% [markdown]
# ## 3 · The noise
#
# StyleGAN's noise maps are inputs too. At 1024 × 1024 there are 2,796,176 of these numbers, for a picture of 3,145,728 numbers. Image2StyleGAN++ therefore also optimises the noise, and reports errors that are far smaller. But then the *noise* holds the picture, and no direction of W can edit it. StyleGAN2's projector forbids this with a penalty. Noise is not like its neighbours, pictures are:
#
# $$R(n) = \sum_{\text{scales}} \Big( \operatorname{mean}(n \cdot n_{\to})^2 + \operatorname{mean}(n \cdot n_{\downarrow})^2 \Big),$$
#
# with $n_\to$ and $n_\downarrow$ the map moved by one place around the edge. The scales are the map itself, its halves by means of 2 × 2, and so on down to 8 × 8.
#
# ### Exercise 4 · Noise regulariser
#
# `noise` is `(B, 1, s, s)`, $s$ a power of two. A map of 8 × 8 or smaller has one scale only. *Six lines, ten minutes.*


# %%
def noise_regulariser(noise):
    """How much each map is like its neighbours, over all scales: (B,)"""
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
# Our generator has learned to ignore its noise (lecture 09): the strengths are about 0, and whatever one optimises there changes nothing. To see what the papers see, a copy gets strengths of 0.3 by hand. Now a code and 656 numbers of noise are looked for together: with fixed noise, with free noise, and with the penalty. (As in the authors' code, each map is kept at mean 0 and variance 1.)

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


# %%
m, some = pick(smoke=2, laptop=8, gpu=24), pick(smoke=2, laptop=60, gpu=300)
fresh = torch.cat([v.flatten(1) for v in net.noises(m, seed(11))], 1)
flat_mean = net.w_mean.expand(m, net.layers, -1).flatten(1)
drawn, likeness = {"people": x[:m]}, {}


def by_noise(name, synthesis, start, penalty=None):
    """Look for a code with noise; print how near it comes, and how much the noise is a picture"""
    code = editing.invert(synthesis, x[:m], start, some, 0.1, maps, penalty=penalty)
    drawn[name] = synthesis(code).detach()
    noise = code if code.shape[1] == sum(sizes) else torch.cat([flat_mean, fresh], 1)
    likeness[name] = noise_penalty(noise).mean().item()
    near = decibels(drawn[name], x[:m]).mean()
    print(f"{name:16} {near:.1f} dB, regulariser {likeness[name]:.3f}")


# %%
def with_noise(code):
    return loud.synthesis(*unpacked(code))


start = torch.cat([flat_mean, fresh], 1)
by_noise("noise fixed", lambda ws: with_noise(torch.cat([ws, fresh], 1)), flat_mean)
by_noise("noise free", with_noise, start)
by_noise("with the penalty", with_noise, start, lambda code, _: 0.3 * noise_penalty(code))
if full:
    assert likeness["with the penalty"] < 0.5 * likeness["noise free"]
plots.rows(drawn)

# %% [markdown]
# Free noise is used: it becomes like its neighbours, which noise is not. The penalty takes that likeness away. In dB, free noise brings the picture nearer, and here the penalty leaves nearly all of the gain: it forbids that the noise looks like a picture, not that it helps one. (Our noise has 656 numbers for a picture of 3,072. In the paper it is nearly one for each number of the picture.) The rest of the lecture uses no noise.
#
# ## 4 · An encoder, and staying in the domain
#
# Such an optimisation begins from nothing for every person. An **encoder** learns once, from many faces, to answer with a code. The course's encoder was trained on real faces, which the fixed generator must draw again from the answer, and on samples of the generator, whose codes are known.
#
# In-domain inversion (Zhu and others 2020) uses the encoder twice: it gives the start, and it gives a penalty. A code is *in the domain* if the encoder, shown its picture, leads back to it:
#
# $$R(w) = \operatorname{mean}\big(w - E(G(w))\big)^2 .$$
#
# ### Exercise 5 · Domain regulariser
#
# `pictures` are $G(w)$, with their gradient. The gradient must reach $w$ by both ways: directly, and through $G$ and $E$. *One line, five minutes.*


# %%
def domain_regulariser(ws, pictures, encode):
    """How far the encoder's answer to the code's picture is from the code: (B,)"""
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
if full:
    assert table["encoder, then steps"]["dB"] > table["W+, as few steps"]["dB"]
    assert table["encoder, then steps"]["dB"] > table["encoder"]["dB"]
    assert back["in-domain"] < 0.9 * back["encoder, then steps"]

# %% [markdown]
# The encoder alone takes one pass instead of many steps. As a start it saves steps: after the same few steps the result is nearer than from the mean. The penalty does what it says: the encoder comes back nearer to the code. It costs little in dB, and the codes become a little less strange, within the errors of this table.
#
# ## 5 · Let the generator move
#
# Pivotal tuning (PTI; Roich and others 2022) turns the question round. Take a code that can be edited well, the **pivot**, and let the *weights* move until the generator draws this person from it. It takes about a second for each person. **What do the codes of other people draw afterwards?**

# %%
# Replace ... by one of: "what they drew before", "that person", "somewhat other pictures"
guess = predict("editing.tuned", ...)

# %% [markdown]
# To keep others as they are, PTI adds a penalty: for codes in the neighbourhood of the pivot, the tuned generator must draw what the old one draws. A neighbour lies at a fixed distance $\alpha$ from the pivot $p$, on the way to a random code $w$ of the mapping.
#
# ### Exercise 6 · Local codes
#
# `pivot` and `w` are `(B, n)` or `(B, L, n)`. The length is that of the whole code of one picture. *Three lines, five minutes.*


# %%
def local_codes(pivot, w, alpha):
    """The code at distance alpha from the pivot on the way to w: shape of pivot"""
    ### BEGIN SOLUTION
    way = w - pivot
    length = way.flatten(1).norm(dim=1).view(-1, *[1] * (way.ndim - 1))
    return pivot + alpha * way / length
    ### END SOLUTION


local_codes = check("editing.local_codes", local_codes)

# %%
k, few = pick(smoke=2, laptop=12, gpu=48), pick(smoke=2, laptop=4, gpu=24)
tuning = pick(smoke=2, laptop=40, gpu=120)
pivots, strangers = found["W"], layered(codes(64, 13))
radius = (strangers - net.w_mean).flatten(1).norm(dim=1).mean().item() / 4
lots = seed(14)


def tuned(i, others=None):
    """A generator for person i"""
    return editing.tune(net, pivots[i : i + 1], x[i : i + 1], tuning, maps=maps, others=others)


# %%
def anywhere():
    return net.ws(torch.randn(2, net.nz, generator=lots))


ways = {"PTI": lambda i: None}
ways["PTI, near the pivot"] = lambda i: (
    lambda: local_codes(pivots[i : i + 1].expand(2, -1, -1), anywhere(), radius)
)
ways["PTI, anywhere in W"] = lambda i: anywhere
nets = {
    name: [tuned(i, way(i)) for i in range(k if name == "PTI" else few)]
    for name, way in ways.items()
}

# %%
before = draw(strangers)
unlike = (before[:32] - before[32:]).abs().mean().item()
moved = {}
print(guess.reveal("somewhat other pictures"))
for name, own in nets.items():
    y = torch.cat([draw(pivots[i : i + 1], g) for i, g in enumerate(own)])
    line(name, y, pivots)
    after = [(draw(strangers, g) - before).abs().mean() for g in own[:few]]
    moved[name] = torch.stack(after).mean().item()
    print(f"{'':24} strangers moved by {moved[name]:.3f}; two strangers differ by {unlike:.3f}")
if full:
    assert table["PTI"]["dB"] > table["W+"]["dB"] + 2
    assert moved["PTI"] > 0.1 * unlike and moved["PTI, anywhere in W"] < 0.7 * moved["PTI"]

# %% tags=["cover", "quality"]
order = ("nearest training face", "z", "W", "W+", "encoder", "in-domain", "PTI")
print("inversion, dB:", ", ".join(f"{name} {table[name]['dB']:.1f}" for name in order))
print("the judge keeps:", ", ".join(f"{name} {table[name]['judge keeps']:.0%}" for name in order))
y = torch.cat([draw(pivots[i : i + 1], g) for i, g in enumerate(nets["PTI"])])
named = {"people": x[:10]}
named |= {name: draw(found[name][:10]) for name in ("z", "W", "W+", "encoder", "in-domain")}
plots.rows(named | {"PTI": y[:10]})

# %% [markdown]
# Tuning comes nearer than every code does, and from a pivot that any direction can edit. (The lines of PTI are means over the first people of the table only.) The price: a generator for each person, and every other code has moved. The penalty with codes from *all* of W protects strangers better than the paper's neighbourhood does, in this generator. (The neighbourhood is the paper's idea; its authors switched it off in a later version of their code. Its radius here is a quarter of the distance of a typical code from the mean, and was not tuned.)
#
# ## 6 · Directions
#
# A direction that comes from labels is a difference of means. Sample codes, let the *teacher* label the pictures, and subtract: the mean $w$ with glasses minus the mean $w$ without.

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
# If two directions have a cosine that is not 0, moving along one also moves along the other. InterFaceGAN (Shen and others 2020) takes away from a direction what lies along the others. With one other direction this is one projection. With several, which are not at right angles to each other, correcting for one after the other brings the first back.
#
# ### Exercise 7 · Conditional direction
#
# `n` is `(d,)`, `others` `(k, d)`, of any lengths and angles. Return the part of `n` at right angles to all of them, with length 1. *Three lines, ten minutes.*


# %%
def conditional_direction(n, others):
    """What is left of n without the others, of length 1: (d,)"""
    ### BEGIN SOLUTION
    basis = torch.linalg.qr(others.T).Q
    left = n - basis @ (basis.T @ n)
    return left / left.norm()
    ### END SOLUTION


conditional_direction = check("editing.conditional_direction", conditional_direction)

# %% [markdown]
# What does an edit buy, and what does it cost? One number does not say it: every direction gets its glasses, if only the step is long enough. So draw the curve: the share of people with glasses against the share of their *other* attributes that stayed (skin and beard, where judge and teacher agree).

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
length, lone = towards["glasses"].norm(), F.normalize(torch.randn(64, generator=seed(17)), dim=0)


# %%
def trade(y, key="glasses", value=1):
    """Of the edited pictures: the share that has what was asked, and of the rest what stayed"""
    now = told(reader, y)
    rest = [other for other in ("glasses", "skin", "facial_hair") if other != key]
    stayed = torch.stack([(now[other] == was[other]).double().mean() for other in rest]).mean()
    return (now[key] == value).double().mean().item(), stayed.item()


# %%
steps = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
curves = {
    name: [trade(draw(layered(base + s * length * direction))) for s in steps]
    for name, direction in (glasses | {"random": lone}).items()
}
for name, pairs in curves.items():
    print(
        f"{name:20}",
        "; ".join(f"{s:g}: {a:.0%}, {b:.0%}" for s, (a, b) in zip(steps, pairs, strict=True)),
    )
figures.trades(curves, "skin and beard as before", "share with glasses", m)

# %%
if full:
    asked = {name: dict(zip(steps, pairs, strict=True)) for name, pairs in curves.items()}
    assert asked["difference of means"][1.0][0] > asked["difference of means"][0.0][0] + 0.2
    assert asked["difference of means"][1.0][0] > asked["random"][1.0][0] + 0.1

# %% [markdown]
# The further up and to the right a curve runs, the better the trade. A random direction of the same length pays more for fewer glasses. Does the corrected direction trade better than the difference of means? Here it does not: for as many glasses, fewer skins and beards stay. Right angles in W are a statement about codes. Whether skin and beard stay in the *picture* is for the judge to say.
#
# Does an inverted person follow a direction as samples do? Take the people who wear no glasses, invert them, and take one step of the direction, as long as the difference of the two means.

# %%
bare = [i for i in range(n) if truth["glasses"][i] == 0]
step = towards["glasses"]
print(f"{len(bare)} people without glasses; 1 step: with glasses, rest as before (four attributes)")
for name in ("z", "W", "W+", "encoder", "in-domain", "PTI"):
    who = [i for i in bare if i < k] if name == "PTI" else bare
    ws = (pivots if name == "PTI" else found[name])[who]
    if name == "PTI":
        pair = [
            torch.cat([draw(ws[j : j + 1] + d, nets["PTI"][i]) for j, i in enumerate(who)])
            for d in (0, step)
        ]
    else:
        pair = [draw(ws), draw(ws + step)]
    old, new = (told(reader, y) for y in pair)
    got = (new["glasses"] == 1).double()
    rest = torch.stack([(new[key] == old[key]).double() for key in ATTRIBUTES[1:]]).mean(0)
    error = got.std() / len(got) ** 0.5
    print(f"{name:10} {got.mean():4.0%} ± {error:.0%}, {rest.mean():.0%}  (n = {len(who)})")

# %%
who = [i for i in bare if i < k][:10]
rows = {"people": x[who], "W": draw(found["W"][who] + step), "W+": draw(found["W+"][who] + step)}
rows["PTI"] = torch.cat([draw(pivots[i : i + 1] + step, nets["PTI"][i]) for i in who])
plots.rows(rows)

# %% [markdown]
# The standard errors say how little a few people prove: differences of one error or two are no differences. It is often said that W+ codes are harder to edit. This table does not show it.
#
# ### Directions without labels
#
# Can the *weights* say what matters? Each layer takes its style from $w$ by a matrix: $s = A w + b$. A step $d$ changes the styles by $A d$. The directions that change all layers' styles most are the eigenvectors of $\sum_l A_l^\top A_l$ (SeFa; Shen and Zhou 2021).
#
# ### Exercise 8 · SeFa
#
# `weights` is a list of matrices `(outputs, n)`. Return the `k` best directions as rows, best first, each of length 1. *Three lines, eight minutes.*


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
lots = F.normalize(torch.randn(8, net.w, generator=seed(18)), dim=1)
groups = {"SeFa": sefa(matrices, 3), "principal axes of W": axes[:3], "random": lots}
changed = {}
for name, directions in groups.items():
    for i, d in enumerate(directions):
        pair = [draw(layered(base[:50] + s * length * d)) for s in (1, -1)]
        changed[f"{name} {i + 1}"] = (pair[0] - pair[1]).abs().mean().item()
pair = [draw(layered(base[:50] + s * towards["glasses"])) for s in (1, -1)]
changed["glasses"] = (pair[0] - pair[1]).abs().mean().item()

# %%
by_chance = [changed[f"random {i + 1}"] for i in range(8)]
print(f"random directions change a pixel by {min(by_chance):.3f} … {max(by_chance):.3f}")
plots.bars(
    {key: v for key, v in changed.items() if "random" not in key}
    | {"random, largest": max(by_chance)},
    "change of a pixel, of 2",
)

# %%
d = groups["SeFa"][0]
plots.rows({f"{s:+g}": draw(layered(base[:10] + s * length * d)) for s in (-2, -1, 0, 1, 2)})

# %% [markdown]
# Most of these directions change the picture more than any of the eight random ones. But to be amplified most is no promise: compare SeFa's first with its second. And a direction that changes much is not yet one that *means* something. Look along the row: does one attribute change, or do many? What SeFa finds in photographs (pose, age) are sights that somebody named afterwards.
#
# ## 7 · Words
#
# A network of pictures and texts (CLIP; lecture 12 trains the course's own) gives both a vector in one space; the cosine says how well a text fits a picture. StyleCLIP (Patashnik and others 2021) steers with it. The simplest way: move the code until the cosine of its picture with a text is high. **The text is "glasses". In the end its cosine is higher than that of any real picture. At the start the judge sees glasses on somewhat less than half of the samples. On what share (in %) does it see them at the end?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("editing.one_text", ...)

# %%
clip = load_weights("clip_peeps32", contrastive.PictureTextModel()).requires_grad_(False)
TEMPLATES = ("a person with {}", "a drawing of a face with {}", "{} on a person")
ASKED = {"glasses": ("glasses", "no glasses"), "dark skin": ("dark skin", "fair skin")}
ASKED["beard"] = ("a beard", "no beard")


def say(what):
    """The direction of a phrase: the mean over three templates, of length 1"""
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
    """Codes in W+, near where they began, whose pictures fit this direction of texts"""
    code = begin.clone().requires_grad_()
    optimizer = torch.optim.Adam([code], 0.05)
    for _ in range(some):
        score = clip.see(plus(code)) @ text
        loss = (1 - score + (code - begin).square().mean((1, 2))).sum()
        (code.grad,) = torch.autograd.grad(loss, code)
        optimizer.step()
    return code.detach()


# %%
results = {}
for name in ("glasses", "dark skin"):
    (text, neutral), (key, value) = ASKED[name], HAS[name]
    ways = {"the text": say(text)}
    ways["text minus its opposite"] = F.normalize(say(text) - say(neutral), dim=0)
    print(f"{name}: the judge saw {(start[key] == value).double().mean():.0%} before")
    for way, direction in ways.items():
        y = draw(steered(direction))
        got = (told(reader, y)[key] == value).double()
        with torch.no_grad():
            now, best = (clip.see(y) @ direction).mean(), (real @ direction).max()
        results[name, way] = y, got.mean().item()
        print(f"  {way:24} judge {got.mean():4.0%} ± {got.std() / m**0.5:.0%}; ", end="")
        print(f"score {now:.2f}, best of {len(real)} real pictures {best:.2f}")

# %%
print(guess.reveal(round(100 * results["glasses", "the text"][1])))
rows = {"before": draw(begin[:10])}
rows |= {f"{name},\n{way}": y[:10] for (name, way), (y, _) in results.items()}
plots.rows(rows)

# %% [markdown]
# The optimiser does what it is told: compare each score with that of the best real picture. What the judge sees is another matter, and it may even be *less* than before. Look at the row with the lowest share: the score is high, and the colours are those of no drawing. Such pictures are adversarial examples for the network of pictures and texts. (One text also means its topic: "glasses" and "no glasses" have a large cosine, for both are about glasses. The difference of two texts removes what they share. Where two texts share little, as for the two skins, it only adds a second way to be fooled.) This is the reason for the rule of this lecture: a method that optimises a score must not be judged by it.
#
# ### Global directions
#
# StyleCLIP's other way optimises nothing. Each style channel of the convolutions is moved up and down, once, on a few pictures, and the network looks at what changes. A channel is *relevant* for a text if the change points where the text points:
#
# $$r_c = \cos\!\Big(\operatorname{mean}_p \frac{u_{cp} - d_{cp}}{\|u_{cp} - d_{cp}\|},\; t\Big), \qquad t = \text{text} - \text{its opposite, of length 1.}$$
#
# ### Exercise 9 · Channel relevance
#
# `up` and `down` are `(C, P, e)`: what the network says of P pictures with channel c moved. `text` is `(e,)`, of length 1. A channel that changes nothing has relevance 0. *Three lines, eight minutes.*


# %%
def channel_relevance(up, down, text):
    """How well each channel does what the text says: (C,)"""
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
    """How far each style channel moves at step 1: the most relevant ones, in their own spreads"""
    text, neutral = (say(phrase) for phrase in ASKED[name])
    relevance = channel_relevance(up, down, F.normalize(text - neutral, dim=0))
    chosen = relevance.abs().argsort(descending=True)[:count]
    shift = torch.zeros_like(relevance)
    shift[chosen] = relevance[chosen] / relevance[chosen].abs().max()
    return shift * spreads, relevance


# %%
_, relevance = towards_words("glasses", 24)
counts = {
    f"{net.sides[i]} × {net.sides[i]} ({i})": len(c.affine.bias) for i, c in enumerate(net.convs)
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
    noise = torch.randn(len(spreads), generator=seed(23)) * shift.norm() / len(spreads) ** 0.5
    global_curves[name] = {
        "words, 24 channels": [trade(with_styles(s * shift), key, value) for s in (0, 1, 2, 3, 4)],
        "labels, in W": [
            trade(draw(layered(base + s * towards[name])), key, value) for s in (0, 0.5, 1, 1.5, 2)
        ],
        "random channels": [trade(with_styles(s * noise), key, value) for s in (0, 1, 2, 4)],
    }
    for way, pairs in global_curves[name].items():
        print(f"{name:9} {way:18}", "; ".join(f"{a:.0%}, {b:.0%}" for a, b in pairs))

# %%
figures.trades(global_curves["glasses"], "skin and beard as before", "share with glasses", m)

# %%
shifts = {name: towards_words(name, 24)[0] for name in ASKED}
rows = {"before": draw(layered(base[:10]))}
for name, shift in shifts.items():
    with editing.moved_styles(net, 3 * shift):
        rows[name] = draw(layered(base[:10]))
plots.rows(rows)

# %% [markdown]
# Nobody labelled a single sample here, and 24 channels, chosen by words, put glasses and beards on, at about the price that labels pay. Not every word has channels of its own: for dark skin, the words stay far behind the labels. Skin is a large area that many channels paint together. Try the words yourself. *Which one changes more than it says?*


# %%
def read_word(word, y):
    key, value = HAS[word]
    return f"{word}: <b>{(told(reader, y)[key] == value).sum()}</b> of {len(y)} by the judge"


sliders.words(net, layered(codes(8, 24)), shifts, read_word)

# %% [markdown]
# ## 8 · Structure and texture
#
# The swapping autoencoder (Park and others 2020) looks for no code. It *makes* two of them: a **structure**, a small map of 8 × 8 places, and a **texture**, one vector. The decoder is lecture 09's styled convolutions, with the texture as style. Exchange the textures of two people: colours should go along, and shapes should stay.
#
# Why should the network not put everything into the structure? In the paper, a discriminator of patches forces it. The course's pair is smaller. Each map of its structure passes through InstanceNorm, so that what is the same everywhere, such as a darkness, *cannot* pass there. It was trained for less than a minute, on the reconstruction error alone.

# %%
encoder_of, decoder_of = load_weights(
    "swap_peeps32", nn.ModuleList([editing.SwapEncoder(), editing.SwapGenerator()])
)
m = pick(smoke=40, laptop=500, gpu=500)
x_swap = held_out.floats()[:m]
with torch.no_grad():
    structure, texture = encoder_of(x_swap)
    again, swapped = decoder_of(structure, texture), decoder_of(structure, texture.roll(1, 0))
near, moves = decibels(again, x_swap).mean(), (swapped - again).abs().mean()
print(f"reconstruction {near:.1f} dB; a swap moves a pixel by {moves:.3f} of 2")

# %%
now = told(reader, swapped)
for key in ("skin", "head", "glasses", "facial_hair"):
    mine, donor = held_out.attributes[key][:m], held_out.attributes[key][:m].roll(1)
    apart = mine != donor
    follows = [(now[key][apart] == v[apart]).double().mean().item() for v in (mine, donor)]
    print(f"{key:12} structure's {follows[0]:.0%}, texture's {follows[1]:.0%}  (n = {apart.sum()})")

# %%
rows_of, columns_of = x_swap[[1, 3, 6, 9, 12]], x_swap[20:28]
with torch.no_grad():
    s, t = encoder_of(rows_of)[0], encoder_of(columns_of)[1]
    grid = torch.stack([decoder_of(one.expand(8, -1, -1, -1), t) for one in s[:, None]])
figures.swap_grid(rows_of, columns_of, grid.clamp(-1, 1))

# %% [markdown]
# To the eye, brightness goes with the person on top, and the head with the person at the left. The judge is stricter: the head follows the structure or is lost in the blur, but of the skins many are neither person's. The texture holds the darkness of a whole picture, so black hair of the donor also darkens the face. This is a division of structure from texture, and not yet of hair from skin. (The paper's two discriminators, which make the pictures sharp, are not run here: they need a longer training.)
#
# ## 9 · Pictures from label maps
#
# So far codes were found and moved. Now the user says *where* something shall be. The pictures are satellite photographs of the Earth, 64 × 64. Their label maps come from a rule: the mean colour of each block of 4 × 4 pixels, sorted into the nearest of six kinds. The same rule reads the pictures that are drawn, so the judge needs no network.

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
# pix2pixHD (Wang and others 2018) gives the labels to the network as its input, and an InstanceNorm follows each convolution. SPADE (GauGAN; Park and others 2019) asks what this norm does to a label map. **Six flat maps, each of one kind all over, pass through a convolution with reflected edges, then through InstanceNorm. What comes out?**

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
# The mean of a flat map is its value, and InstanceNorm subtracts the mean: desert and sea become the same zeros. With reflected edges this is exact. With zeros around the picture the border differs from the middle, and as it enters mean and variance, a trace of the label is left everywhere. SPADE puts the labels back *after* the norm, in every layer, and each place gets its own scale and shift:
#
# $$\text{SPADE}(x, m) = \frac{x - \mu}{\sqrt{\sigma^2 + 10^{-5}}}\,\big(1 + \gamma(m)\big) + \beta(m) .$$
#
# ### Exercise 10 · SPADE
#
# `x` is `(B, C, h, w)`; `labels` `(B, K, H, W)`, a channel for each kind, of another size: bring them to the size of x by the nearest neighbour. `scale_of` and `shift_of` make γ and β of the resized labels. Mean and variance are those of each map of each picture (lecture 06's InstanceNorm). *Five lines, eight minutes.*


# %%
def spade(x, labels, scale_of, shift_of):
    """x, normalised, then scaled and shifted at each place as its label says: same shape"""
    ### BEGIN SOLUTION
    m = F.interpolate(labels, x.shape[2:], mode="nearest")
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    normal = (x - mean) / (variance + 1e-5).sqrt()
    return normal * (1 + scale_of(m)) + shift_of(m)
    ### END SOLUTION


spade = check("editing.spade", spade)

# %% [markdown]
# Both generators play against the same discriminators, which look at two sizes of the picture. The adversarial loss alone is unstable, so pix2pixHD adds **feature matching**: on the way to its score, the discriminator should see the same in the drawn picture as in the real one of the same labels.
#
# ### Exercise 11 · Feature matching
#
# `real` and `fake` are lists of scales; each scale is a list of what its layers answer, and **the last is the score**. Mean absolute differences, summed over layers, mean over scales. Nothing may be learned from the real side. *Four lines, six minutes.*


# %%
def feature_matching(real, fake):
    """How differently the discriminators see the two: a number"""
    ### BEGIN SOLUTION
    total = 0
    for target, answer in zip(real, fake, strict=True):
        for p, q in zip(target[:-1], answer[:-1], strict=True):
            total = total + (p.detach() - q).abs().mean()
    return total / len(real)
    ### END SOLUTION


feature_matching = check("editing.feature_matching", feature_matching)

# %% [markdown]
# The two generators have about as many weights, and were trained for about as many CPU seconds (a minute each). The baselines: labels of *another* place, and the true picture, blurred so much that only the colours of the blocks are left.

# %%
painters = {
    "labels at the door": load_weights("land_door", label_maps.DoorGenerator()),
    "SPADE": load_weights("land_spade", label_maps.SpadeGenerator()),
}


@torch.no_grad()
def painted(painter, labels):
    return torch.cat([painter(label_maps.label_channels(part)) for part in labels.split(64)])


# %%
flat_labels = torch.arange(6)[:, None, None].expand(-1, 16, 16)
pictures = {"another place": place.roll(1, 0)}
pictures["blurred truth"] = F.interpolate(F.avg_pool2d(place, 4), (64, 64), mode="bilinear")
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
assert score["SPADE"][0] > score["labels at the door"][0] > score["another place"][0]
rows = {"labels": label_maps.label_picture(torch.cat([labels[:5], flat_labels]))}
rows["satellite"] = torch.cat([place[:5], torch.ones(6, 3, 64, 64)])
plots.rows(
    rows | {name: painted(p, torch.cat([labels[:5], flat_labels])) for name, p in painters.items()}
)

# %% [markdown]
# With reflected edges and norms, the first generator draws one and the same grey for all six flat maps, as the proof says. On maps with borders it knows where a border is, and has to guess what lies on each side. SPADE draws what the map says, with a frame at the edges, where its own convolutions see zeros, and with a fine grid. (The papers' networks are some 500 times as large, and pix2pixHD's strided layers have zeros at their edges, through which a little of the label survives.)
#
# One training of each proves little. `course_lib/studies/painting.py` trained both for 25 CPU seconds, three times.

# %%
for way in ("labels at the door", "SPADE"):
    runs = [row for row in studies.read("painting") if row["way"] == way]
    told_right = ", ".join(f"{row['right']:.1%}" for row in runs)
    steps_of = ", ".join(f"{row['steps']:.0f}" for row in runs)
    print(f"{way:18} labels right {told_right}; after {steps_of} steps")
lowest = min(row["right"] for row in studies.read("painting") if row["way"] == "SPADE")
assert all(r["right"] < lowest for r in studies.read("painting") if r["way"] != "SPADE")

# %% [markdown]
# A label map has a gap: two cars side by side are one patch of "car". pix2pixHD adds a channel with the **edges of instances**.
#
# ### Exercise 12 · Instance edges
#
# `ids` is `(B, H, W)`, whole numbers. Mark, with 1, the places whose id differs from that of a neighbour above, below, left or right, on both sides of the border. All other places are 0, and the result is float32. The picture does not go round. *Six lines, eight minutes.*


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
# Choose a kind of land and click on cells, or go to a cell with the tab key and press space. Both generators draw at once. *Paint a lake into the desert: who sees it? Fill everything with one kind: who still knows which?*

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
# Train a SPADE generator yourself. On a laptop it learns for some seconds, enough to get the colours of the kinds. On a GPU it is larger, and draws 256 × 256 pixels.

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
# Put the path of a photograph or a drawing of a face into `PATH` (or leave it as it is: then an emoji and a piece of the Earth take its place beside a test face). Inversion always returns *something*. How far is the picture from what the generator knows? Three numbers say it: how near the result comes, how strange its code is, and how near the nearest training face is.

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
        f"the encoder {decibels(draw(encoder(picture)), picture).item():.1f} dB"
    )
    shown[name] = torch.cat(
        [picture, draw(encoder(picture)), y, draw(ws + towards["glasses"]), close]
    )
plots.rows(shown, above=("picture", "encoder", "W+", "W+, glasses", "nearest"))

# %% [markdown]
# The encoder tells most plainly what is outside of the domain: it answers with the face that it takes the picture for. W+ comes nearer to anything, also to a piece of the Earth; remember the generator with random weights. A photograph of you will fare like the emoji: the generator has seen drawings of one artist only.
#
# ## 11 · How many numbers
#
# How much room does each space have? On torch's `meta` device the original can be built and counted.

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
# What this lecture tells and does not show: pix2pixHD's two stages (a generator for the half size is trained first, then a second one around it) and GauGAN's encoder of a style; StyleCLIP's mapper; encoders with a discriminator of codes (e4e); losses that compare the identity of two photographs. They need data or networks that do not come with the course, or more time than two cores have.
#
# | system | its idea, in this lecture | what was measured here |
# |---|---|---|
# | Image2StyleGAN | a code for each layer | dB, what a judge still reads, how ordinary the codes are; the untrained control |
# | Image2StyleGAN++ | the noise, too | how near fixed and free noise come, and what the penalty changes |
# | in-domain inversion | an encoder as start and as penalty | how near the encoder comes back, and the price in dB |
# | PTI | the generator moves | how far strangers move, with two ways to hold them |
# | InterFaceGAN, SeFa | directions from labels and from weights | what was asked for against what else changed; random directions |
# | StyleCLIP | directions from words | the score against the judge; channels chosen by words |
# | Swapping Autoencoder | structure and texture | which attribute follows which code |
# | pix2pixHD | labels as input, feature matching | flat maps, exactly; labels read again by the rule |
# | SPADE, GauGAN | labels in every norm | the same, for equal time |
#
# ## To go further
#
# 1. **Another pivot.** Tune from the in-domain code instead of the W code. What happens to the dB, and to the glasses?
# 2. **The radius.** Run PTI with α of 1, 3 and 10. Which one protects strangers as well as codes from all of W do?
# 3. **Your own words.** The vocabulary has 26 heads and 14 expressions (`words.HEADS`, `words.FACES`). For which do 24 channels suffice? Whom do you let judge?
# 4. **A penalty for the optimiser.** Steer with the text, and add `strangeness` as a penalty. Does the judge agree more?
# 5. **Zeros at the edges.** Train a `DoorGenerator` with zero padding. How much of a flat map can be read then, and where in the picture?
#
# ## References
#
# - R. Abdal, Y. Qin, P. Wonka. Image2StyleGAN: how to embed images into the StyleGAN latent space? *ICCV* 2019, arXiv:1904.03189.
# - R. Abdal, Y. Qin, P. Wonka. Image2StyleGAN++: how to edit the embedded images? *CVPR* 2020, arXiv:1911.11544.
# - J. Zhu, Y. Shen, D. Zhao, B. Zhou. In-domain GAN inversion for real image editing. *ECCV* 2020, arXiv:2004.00049.
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
