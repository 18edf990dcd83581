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
# # 01 · Parzen windows: generation before networks
#
# {{badge}}
#
# **You will be able to**
# - say what a generative model is, and what it is good for;
# - fit two of the simplest models of images, a Gaussian and Parzen windows, and sample pictures from them;
# - choose a bandwidth by held-out likelihood, and say when that number misleads;
# - compare two sets of pictures with MMD, and with a classifier, which is the idea behind GANs.
#
# **Time**: 60 to 90 minutes with the six exercises. The cells run in about a minute.
# **You need**: Python, NumPy or PyTorch basics, the formula of a Gaussian.

# %%
# {{setup}}

# %%
import math

import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KernelDensity

from course_lib import data, density, plots, procedural
from course_lib.exercises import check, hint, predict, solution
from course_lib.plots import density as figures
from course_lib.scale import pick
from course_lib.widgets import density as sliders


def seed(n):
    return torch.Generator().manual_seed(n)


# %% [markdown]
# ## 1 · Why generate pictures?
#
# A classifier answers a question *about* a picture. A generative model describes what pictures look like. There are several reasons to want one:
#
# - **graphics and image processing**: fill a hole, remove noise, sharpen;
# - **samples for learning**: training pictures where real ones are rare or private;
# - **unsupervised learning**: pictures are plentiful, labels are not;
# - **art and creativity** (lecture 08 asks whose);
# - **understanding**: if $x$ is a picture and $y$ its class, a model of pictures can also classify:
#
# $$P(y \mid x) = \frac{P(x, y)}{P(x)} = \frac{P(x \mid y)\,P(y)}{\sum_{y'} P(x \mid y')\,P(y')} .$$
#
# So build a model $P(x \mid y)$ of each class, and see which one explains the picture best.
# This is called **analysis by synthesis**: to understand a picture, find out how to make it.
#
# One of the simplest models of a class is a Gaussian. It has two parameters: the mean picture $\mu$, and the covariance
# $\Sigma$, which says which pixels rise and fall together.
#
# $$\mu = \frac1n \sum_i x_i, \qquad \Sigma = \frac1{n-1} \sum_i (x_i-\mu)(x_i-\mu)^\top .$$

# %%
fashion = data.load("fashion")
train_images = fashion.floats().flatten(1)  # (60000, 784), numbers in [-1, 1]
test = data.load("fashion", split="test")
test_images = test.floats().flatten(1)  # (10000, 784)
fashion

# %% [markdown]
# ### Exercise 1 · Fit a Gaussian
#
# Pictures come as rows: `x` has shape `(n, d)`. Return the mean, `(d,)`, and the covariance, `(d, d)`.
# *Three lines, three minutes.*


# %%
def fit_gaussian(x):
    """Mean (d,) and unbiased covariance (d, d) of the rows of x, (n, d)."""
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)
    ### END SOLUTION


fit_gaussian = check("density.fit_gaussian", fit_gaussian)

# %% [markdown]
# `check` has told you whether your function is right. If it is not, `hint("density.fit_gaussian")` gives a hint, and a further one each time you run it.
# The notebook goes on in any case: it uses your function if that is correct and the course's own if not.
#
# Now fit ten Gaussians, one for each class, to 10,000 training pictures of Fashion-MNIST (Xiao and others 2017) shrunk to 14×14. We add 0.03 to the diagonal of each covariance: a pixel that is
# always black has variance 0, which would make the covariance singular and the density undefined.

# %%
small = torch.nn.functional.avg_pool2d(fashion.floats(), 2).flatten(1)[:10_000]  # (10000, 196)
small_test = torch.nn.functional.avg_pool2d(test.floats(), 2).flatten(1)  # (10000, 196)
log_likelihoods = []
for label in range(10):
    mean, covariance = fit_gaussian(small[fashion.labels[:10_000] == label])
    model = torch.distributions.MultivariateNormal(mean, covariance + 0.03 * torch.eye(196))
    log_likelihoods.append(model.log_prob(small_test))  # log P(x | y), one for each picture
guesses = torch.stack(log_likelihoods).argmax(dim=0)  # all P(y) are equal: 1/10
accuracy = (guesses == test.labels).float().mean().item()
print(f"classified correctly: {accuracy:.1%}   (guessing: 10 %)")
assert accuracy > 0.75

# %% [markdown]
# None of the ten models was trained to tell classes apart: each describes *what one class looks like*. Together they classify more than three test pictures in four correctly.
#
# ## 2 · We have been doing this for a while
#
# Pictures were synthesised long before neural networks. Two classics show two opposite ideas.
#
# **A recipe.** Ken Perlin's noise (1985) puts a random slope at each corner of a coarse grid and blends the slopes
# smoothly in between. One grid gives soft blobs. Several grids, each twice as fine and half as strong as the one before (*octaves*),
# add up to clouds, marble or mountains. There is no data: the programmer knows what clouds look like.
#
# **Data.** Alexei Efros and Thomas Leung (1999) grow a texture from a small sample, pixel by pixel. To find the colour of a pixel,
# their method looks at the neighbours that exist already, searches the sample for similar neighbourhoods, and copies the middle
# of one of them. There is no formula: all knowledge is in the sample.
#
# *How many octaves does it take to look like a cloud? What happens when all octaves are equally strong?*

# %%
sliders.octaves()

# %%
plots.panels(
    {
        name: procedural.fractal_noise(128, n, persistence, generator=seed(0))[None]
        for name, (n, persistence) in sliders.OCTAVES.items()
    }
)

# %%
patch = procedural.texture_patch("bricks", 24, generator=seed(0))
grown = procedural.synthesise_texture(
    patch, pick(smoke=32, laptop=56, gpu=56), 9, generator=seed(1)
)
plots.panels({"the sample": patch, "grown from it": grown})

# %% [markdown]
# Every pixel of the wall on the right was copied from the sample on the left, one at a time. *Where did the copying go wrong?* A wrong
# pixel is a neighbour of the next one, so a mistake can spread.
#
# A method that keeps its data and uses them directly, as this one does, is called **non-parametric**; a formula with a fixed set of numbers, like Perlin's, is **parametric**. Most of this course fits the
# parameters of a *probability distribution* to data, and then samples from it.
#
# ## 3 · Sampling from the Gaussian
#
# We already have a model. To sample from $\mathcal N(\mu, \Sigma)$, take a matrix $A$ with $A A^\top = \Sigma$ and compute
# $x = \mu + A z$ with $z \sim \mathcal N(0, I)$. The last picture of the second row is the mean $\mu$ itself.

# %%
mean, covariance = fit_gaussian(train_images)
gaussian_samples = density.gaussian_sample(mean, covariance, 1000, generator=seed(0))
samples_and_mean = torch.cat([gaussian_samples[:11], mean[None]]).view(-1, 1, 28, 28)
plots.rows({"real": test.images[:12], "Gaussian; its mean": samples_and_mean})

# %% [markdown]
# The Gaussian has learned that neighbouring pixels are alike and that clothes are roughly symmetric. It cannot express that
# a picture is *either* a boot *or* a shirt: it mixes the two, because a Gaussian has a single peak.
#
# Here is the same in two dimensions, where you can see the whole distribution (darker grey: higher density). This picture will return in sections 5 and 8, each time with something added.

# %%
points = data.load("toy2d", variant="spiral", n=150, generator=seed(0)).points
validation = data.load("toy2d", variant="spiral", n=150, generator=seed(1)).points
scale = points.abs().max() / 1.3
points, validation = points / scale, validation / scale
mean2, covariance2 = fit_gaussian(points)
gaussian = torch.distributions.MultivariateNormal(mean2, covariance2)
gaussian2d = gaussian.log_prob(plots.plane()).exp()
samples2d = {"a Gaussian": density.gaussian_sample(mean2, covariance2, 150, generator=seed(2))}
figures.density_in_the_plane({"a Gaussian": gaussian2d}, points, samples2d)

# %% [markdown]
# ## 4 · Key idea: noise through a network
#
# A Gaussian is easy to sample from, but too simple. A large enough network can approximate any continuous function on a bounded region, but it is deterministic. So combine the two: **draw
# simple noise $z$ and send it through a network $g$**. Then $g(z)$ is random, and its distribution can be
# as complicated as $g$ is. The figure shows Gaussian noise with a grid drawn over it, and what three networks with fixed random weights make of both. Nothing is trained.

# %%
z = torch.randn(4000, 2, generator=seed(0))
figures.bent_noise(z, [density.random_mlp(2, 2, 32, generator=seed(i)) for i in (1, 2, 3)])

# %% [markdown]
# The networks stretch the plane and fold it over itself: none of the results is Gaussian.
#
# Almost every model in this course is such a $g$. What is missing is a way to *choose* its weights so that $g(z)$ looks like the
# data. For that we must measure how far apart two distributions are, and we have only **samples** of each.
#
# ## 5 · Parzen windows
#
# The first idea is to turn samples into a distribution: put a small Gaussian on each of the $m$ samples $c_j$, and average the Gaussians
# (Rosenblatt 1956, Parzen 1962):
#
# $$\hat p(x) = \frac1m \sum_{j=1}^m \mathcal N(x;\, c_j, \sigma^2 I), \qquad
# \mathcal N(x; c, \sigma^2 I) = \frac{1}{(\sigma\sqrt{2\pi})^{d}} \exp\!\Big(\!-\frac{\lVert x-c\rVert^2}{2\sigma^2}\Big).$$

# %%
centers = torch.tensor([-2.0, -1.4, -1.1, 0.9, 1.3, 3.0])
x = torch.linspace(-4, 5, 300)
figures.bumps(x, torch.distributions.Normal(centers, 0.45).log_prob(x[:, None]).exp(), centers)

# %% [markdown]
# The width $\sigma$ is called the **bandwidth**. With 784 pixels many densities are too small for a
# computer, and some too large: $\exp(-5000)$ is 0 in float32 and in float64. So we compute with *logarithms* throughout:
#
# $$\log \hat p(x) = \underbrace{\log\sum_j \exp(a_j)}_{\texttt{torch.logsumexp}} - \log m - d \log\big(\sigma\sqrt{2\pi}\big),
# \qquad a_j = -\frac{\lVert x-c_j\rVert^2}{2\sigma^2}.$$
#
# `logsumexp` subtracts the largest $a_j$ before it takes exponentials and adds it again afterwards. Worked example: with
# $a = (-5000, -5001)$ the sum of exponentials comes out as $0$ and its logarithm as $-\infty$; `torch.logsumexp` gives
# $-5000 + \log(1 + e^{-1}) = -4999.69$.

# %%
a = torch.tensor([-5000.0, -5001.0])
print("naive:", a.exp().sum().log().item(), "   logsumexp:", round(a.logsumexp(0).item(), 2))

# %% [markdown]
# ### Exercise 2 · The log-density of a Parzen window
#
# `x` is `(n, d)`, `centers` is `(m, d)`; return one log-density for each row of `x`, in nats (natural logarithm).
# `torch.cdist(x, centers)` gives all the distances $\lVert x_i-c_j\rVert$ as an `(n, m)` matrix. *Four lines, five minutes.*


# %%
def parzen_log_density(x, centers, sigma):
    """log p(x) under the average of Gaussians N(center, sigma² I): (n, d), (m, d) -> (n,)"""
    ### BEGIN SOLUTION
    m, d = centers.shape
    a = -(torch.cdist(x, centers) ** 2) / (2 * sigma**2)  # (n, m)
    return a.logsumexp(dim=1) - math.log(m) - d * math.log(sigma * math.sqrt(2 * math.pi))
    ### END SOLUTION


parzen_log_density = check("density.parzen_log_density", parzen_log_density)

# %% [markdown]
# **Claim.** Your function, scikit-learn's `KernelDensity` and the course's `density.parzen_log_density` agree to 1 part in 100,000. (scikit-learn keeps the points in a tree, and in
# 784 dimensions the tree's bounds are wrong. One big leaf switches the tree off. *Try it without `leaf_size`: even a good library has its limits.*)

# %%
queries, some = test_images[:20].double(), train_images[:500].double()
ours = parzen_log_density(queries, some, 0.5)
windows = KernelDensity(bandwidth=0.5, leaf_size=len(some)).fit(some)
theirs = torch.from_numpy(windows.score_samples(queries))
course = density.parzen_log_density(queries, some, 0.5)
differences = [((other - ours) / ours).abs().max().item() for other in (theirs, course)]
print("largest relative difference: scikit-learn {:.1e}, the course's {:.1e}".format(*differences))
assert max(differences) < 1e-5

# %% [markdown]
# For figures and for pictures the notebook uses the course's function `density.parzen_log_density`. The formula is the same; the distances are computed in pieces that fit into memory, with a matrix product: $\lVert x-c\rVert^2 = \lVert x\rVert^2 - 2\,x^\top c + \lVert c\rVert^2$.
#
# ### How wide should a window be?
#
# Before you move the slider: **as σ goes to 0, what happens to the likelihood of the samples on which the windows stand?**

# %%
# Replace ... by one of: "it grows without bound", "it falls", "it levels off"
guess = predict("density.bandwidth_zero", ...)

# %%
sliders.bandwidth(points, validation)

# %%
stops = (0.01, 0.05, 0.1, 0.3, 1.0)
figures.bandwidth_strip(points, stops, density.parzen_log_density, corner=(-0.2, 0.7))

# %% [markdown]
# If the windows are too narrow, the model has only memorised its samples: at σ = 0.01 each point has a spot of its own, with almost no density between the spots. If they are too wide, one blob is left. (Each panel has its own grey scale.)
# To choose between the two we need **data that the model has not seen**.
#
# ### Exercise 3 · Choose the bandwidth
#
# For each σ, compute the mean log-density of the `validation` points under windows on the `train` points. Return the best σ and the list of
# all means. Use `parzen_log_density`. *Three lines, three minutes.*


# %%
def select_bandwidth(train, validation, sigmas):
    """The sigma with the highest mean validation log-likelihood, and all those means."""
    ### BEGIN SOLUTION
    scores = [parzen_log_density(validation, train, s).mean().item() for s in sigmas]
    return sigmas[scores.index(max(scores))], scores
    ### END SOLUTION


select_bandwidth = check("density.select_bandwidth", select_bandwidth)

# %%
sigmas = torch.logspace(-2.2, 0.3, 26).tolist()
best2d, scores = select_bandwidth(points, validation, sigmas)
_, own_scores = select_bandwidth(points, points, sigmas)
print(guess.reveal("it grows without bound"))
figures.bandwidth_curve(sigmas, own_scores, scores, floor=-6)

# %% [markdown]
# The grey curve answers the question: it grows without bound as σ shrinks, because a spike of width 0 on a point has infinite density there.
# The blue curve has a maximum. **Claim.** At $\sigma = 0.01$ the training points are more likely than at the best σ, and held-out points are far
# less likely.

# %%
means = {
    s: [density.parzen_log_density(x, points, s).mean().item() for x in (points, validation)]
    for s in (0.01, best2d)
}
for s, (own, held_out) in means.items():
    print(f"σ = {s:.3f}   training points {own:6.2f}   held-out points {held_out:6.2f} nats each")
assert means[0.01][0] > means[best2d][0] and means[0.01][1] < means[best2d][1] - 2

# %% [markdown]
# ### Exercise 4 · Draw from a Parzen window
#
# The density is an average of Gaussians, so sampling takes two steps: choose one of the centres at random (all are equally likely, and one may be
# chosen again), then add Gaussian noise of standard deviation σ. Take all random numbers from `generator`, so that a
# seed repeats the result. *Three lines, three minutes.*


# %%
def parzen_sample(centers, sigma, n, generator=None):
    """n draws from the Parzen density: (m, d) -> (n, d)"""
    ### BEGIN SOLUTION
    chosen = torch.randint(len(centers), (n,), generator=generator)
    noise = torch.randn(n, centers.shape[1], generator=generator)
    return centers[chosen] + sigma * noise
    ### END SOLUTION


parzen_sample = check("density.parzen_sample", parzen_sample)

# %% tags=["cover"]
parzen2d = density.parzen_log_density(plots.plane(), points, best2d).exp()
samples2d["Parzen windows"] = parzen_sample(points, best2d, 150, generator=seed(2))
figures.density_in_the_plane(
    {"a Gaussian": gaussian2d, "Parzen windows": parzen2d}, points, samples2d
)

# %% [markdown]
# In the plane, Parzen windows describe the spiral far better than the Gaussian does. Now try pictures: put windows on real images, and choose the bandwidth on held-out ones.

# %%
order = torch.randperm(60_000, generator=seed(0))
centers = train_images[order[: pick(smoke=2000, laptop=10_000, gpu=50_000)]]
held_out = train_images[order[50_000:51_000]]
image_sigmas = torch.logspace(-1, 0.2, 13).tolist()
best, image_scores = density.select_bandwidth(centers, held_out, image_sigmas)
_, own_scores = density.select_bandwidth(centers, centers[:1000], image_sigmas)
parzen_samples = parzen_sample(centers, best, 1000, generator=seed(1))
figures.bandwidth_curve(image_sigmas, own_scores, image_scores)

# %%
plots.rows(
    {
        "real": test.images[:12],
        "Gaussian": gaussian_samples[:12].view(-1, 1, 28, 28),
        "Parzen": parzen_samples[:12].view(-1, 1, 28, 28),
    }
)

# %% [markdown]
# *What do you notice?* Each Parzen sample is a training image under a layer of noise. The model has not
# learned what clothes look like; it has stored the training set.
#
# Narrower windows would give cleaner samples, but they would make held-out images extremely unlikely. Noise of size $\sigma$ moves an image by about $\sqrt{784}\,\sigma = 28\,\sigma$; for a small $\sigma$ that is much less than the distance from a new image to the nearest stored one. Why is this distance so large?
#
# ## 6 · Distances fail in high dimension
#
# Take 1,000 points from a standard Gaussian in $d$ dimensions and one more as a query. Divide the distance to the *nearest* of the 1,000
# by the distance to the *farthest*. In the plane this ratio is about 0.01 (the mean of ten repetitions): the nearest point is far nearer than the farthest.
#
# **Your guess for $d = 784$, as many as a Fashion-MNIST picture has pixels?**

# %%
# Replace ... by a number between 0 and 1
guess = predict("density.concentration", ...)

# %%
dimensions = [2, 10, 50, 200, 784, 3072, 12288]
ratios = [
    sum(density.distance_concentration(d, 1000, generator=seed(i)) for i in range(10)) / 10
    for d in dimensions
]
ratio = dict(zip(dimensions, ratios, strict=True))
print(guess.reveal(ratio[784]))
assert ratio[2] < 0.03 and 0.85 < ratio[784] < 0.89 and 0.95 < ratio[12288] < 0.97
figures.concentration(dimensions, ratios, guess)

# %% [markdown]
# In 12,288 dimensions (a 64×64 colour picture), the nearest point is 96 % as far away as the farthest. For such data "close to a sample" says almost nothing
# (Beyer and others 1999).
#
# Pictures are not Gaussian noise: they occupy only a thin part of that space, which helps. How much? Look for the
# nearest of $n$ real images to a new one (the figure shows the median over 300 test images), and let $n$ grow.

# %%
numbers = pick(
    smoke=[100, 1000, 10_000], laptop=[100, 1000, 10_000, 60_000], gpu=[100, 1000, 10_000, 60_000]
)
nearest = [
    torch.cdist(test_images[:300], train_images[order[:n]]).amin(dim=1).median().item()
    for n in numbers
]
logs = torch.tensor([numbers[1:], nearest[1:]]).log()  # from 1,000 images on the line is straight
slope = (torch.cov(logs)[0, 1] / logs[0].var()).item()
print(f"distance ∝ n^({slope:.3f}), so D = {-1 / slope:.0f}")
print(f"extrapolated: to halve it takes {2 ** (-1 / slope):,.0f} times as many images")
assert 14 < -1 / slope < 17 and 2 ** (-1 / slope) > 1e4
figures.neighbours_by_number(numbers, nearest, slope, 784)

# %% [markdown]
# From 1,000 images on, the distance falls as $n^{-1/D}$, where $D$ acts as the number of dimensions that the pictures fill, their **intrinsic dimension**: about
# 15, not 784. Even so, halving the distance would take tens of thousands of times as many images (an extrapolation, far beyond the 60,000 that we have). **Dense sampling is out of reach.**
#
# ## 7 · Parzen's own failure
#
# For years models were *ranked* by this method: draw 10,000 samples from each, put windows on them, and report the likelihood of
# the test set. Theis, van den Oord and Bethge (2016) tested the ranking: instead of a model's samples, they used
# the centres that **k-means** finds. Each centre is the average of a cluster of training images.
#
# **What gets the higher likelihood on real test images: windows on real training images, or windows on equally many k-means centres?**

# %%
# Replace ... by one of: "real images", "k-means centres", "about equal"
guess = predict("density.kmeans_or_data", ...)

# %%
number = pick(smoke=120, laptop=1000, gpu=2000)
pool = train_images[order[: 20 * number]]
averages = density.kmeans(pool, number, steps=10, generator=seed(0))
members = torch.cdist(pool, averages).argmin(dim=1).bincount(minlength=number)
rivals = {"real images": pool[:number], "k-means centres": averages}
rivals["all images that k-means saw"] = pool
likelihood = {}
for name, windows in rivals.items():
    width, _ = density.select_bandwidth(windows, held_out, torch.logspace(-1, 0, 21).tolist())
    likelihood[name] = density.parzen_log_density(test_images, windows, width).mean().item()
real_few, centres, real_all = likelihood.values()
print(guess.reveal("k-means centres"))
print(
    f"{number:,} windows: k-means is ahead by {centres - real_few:.0f} nats; it saw {len(pool):,}"
)
print(
    f"images per centre: median {members.median()}, single ones {(members == 1).float().mean():.0%}"
)
assert centres - real_few > 50 and abs(centres - real_all) < 20 and members.median() > 5
figures.likelihoods({f"{n} ({len(rivals[n]):,})": v for n, v in likelihood.items()}, guess)

# %%
plots.rows(
    {"real images": pool[:12].view(-1, 1, 28, 28), "k-means": averages[:12].view(-1, 1, 28, 28)}
)

# %% [markdown]
# With equally many windows, as in the rankings, blurred averages beat *real images*, which are perfect samples. The comparison hides that k-means saw 20 times as many images:
# its 1,000 centres do as well as all 20,000 images that they summarise (half of the centres average 19 images or more; 7 % are single images). In squared distance, the average of a cluster of similar pictures is on average closer to a new picture of that kind than one picture of the cluster is: the differences cancel,
# and closeness is all that Parzen windows measure. The ranking could be trusted only if the windows were narrower than the differences that a person can see, and that takes dense sampling. So **never rank image models by Parzen likelihood.**
#
# ## 8 · Compare samples with samples
#
# The second idea avoids densities. We have samples $x_1 \dots x_n$ from one distribution and $y_1 \dots y_m$ from another: are the two distributions the same?
#
# ### Maximum mean discrepancy
#
# Look for a smooth function $f$ whose mean over the $x$ differs from its mean over the $y$. A **kernel**, here $k(x, y) = \exp(-\lVert x-y\rVert^2 / 2\sigma^2)$, makes "smooth" precise: $f(t) = \sum_i a_i\, k(u_i, t)$ with any points $u_i$ and weights $a_i$. Its squared length is defined as $\lVert f\rVert^2 = \sum_{i,j} a_i a_j\, k(u_i, u_j)$, and it must be 1. The largest difference of the two means is the **maximum mean discrepancy** (Gretton and others 2012). The
# best $f$ is proportional to the **witness function** $f^*(t) = \mathbb E\,k(x, t) - \mathbb E\,k(y, t)$, and the squared length of $f^*$ is
#
# $$\mathrm{MMD}^2 = \lVert f^*\rVert^2 = \mathbb E\,k(x, x') + \mathbb E\,k(y, y') - 2\,\mathbb E\,k(x, y),$$
#
# where $x'$ and $y'$ are independent draws from the same distribution as $x$ and $y$. For the Gaussian kernel it is 0 **only** if the two distributions are equal (such a kernel is called *characteristic*). Here is the witness function for the two
# models of the spiral: blue where data outnumber samples, orange where samples outnumber data. **Claim.** Its mean over the data minus its mean over the samples is MMD².

# %%
witnesses = {
    name: density.mmd_witness(plots.plane(), points, drawn, 0.2)
    for name, drawn in samples2d.items()
}
mmds = {}
for name, drawn in samples2d.items():
    on_data, on_samples = [density.mmd_witness(x, points, drawn, 0.2) for x in (points, drawn)]
    mmds[name] = (on_data.mean() - on_samples.mean()).item()
    whole = density.mmd2(points, drawn, 0.2, unbiased=False).item()
    print(f"{name}: difference of the means {mmds[name]:.4f}, MMD² {whole:.4f}")
    assert abs(mmds[name] - whole) < 1e-5
new = density.mmd2(points, validation, 0.2, unbiased=False).item()
print(f"new data (the floor): MMD² {new:.4f}")
assert mmds["a Gaussian"] > 5 * mmds["Parzen windows"]
figures.witness(witnesses, points, samples2d)

# %% [markdown]
# The witness is an **adversary**: the best smooth function for telling data from samples. MMD reports how well it succeeds. It does not punish copying: the Parzen windows stand on these very points, so their small MMD², smaller than that of new data, says that the samples lie near the data, not that the model has learned the spiral.
#
# The usual estimate is **unbiased**: the first two averages leave out the pairs of a picture with itself, since $k(x_i, x_i) = 1$ for any data.
#
# $$\widehat{\mathrm{MMD}}{}^2 = \frac{1}{n(n-1)}\sum_{i\ne j} k(x_i,x_j) + \frac{1}{m(m-1)}\sum_{i\ne j} k(y_i,y_j) - \frac{2}{nm}\sum_{i,j} k(x_i,y_j).$$
#
# **Can this estimate of a squared distance be negative?**

# %%
# Replace ... by "yes" or "no"
guess = predict("density.mmd_negative", ...)

# %% [markdown]
# ### Exercise 5 · MMD
#
# `sigmas` is a list of bandwidths; return the mean of the estimates over them. With `unbiased=False` the pairs $i = j$ stay in, and the divisors are $n^2$ and
# $m^2$. *Eight lines, ten minutes.*


# %%
def mmd2(x, y, sigmas, unbiased=True):
    """Squared maximum mean discrepancy of the samples x (n, d) and y (m, d), a 0-d tensor."""
    ### BEGIN SOLUTION
    total, n, m = 0, len(x), len(y)
    for sigma in sigmas:
        xx, yy, xy = [
            torch.exp(-(torch.cdist(a, b) ** 2) / (2 * sigma**2))
            for a, b in [(x, x), (y, y), (x, y)]
        ]
        if unbiased:
            same = (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1))
        else:
            same = xx.mean() + yy.mean()
        total = total + same - 2 * xy.mean()
    return total / len(sigmas)
    ### END SOLUTION


mmd2 = check("density.mmd2", mmd2)

# %%
estimates = [
    mmd2(*torch.randn(2, 50, 2, generator=seed(i)), sigmas=[1.0]).item() for i in range(400)
]
negative = sum(e < 0 for e in estimates) / 400
print(
    f"mean of 400 estimates, equal distributions: {sum(estimates) / 400:+.5f}; negative: {negative:.0%}"
)
print(guess.reveal("yes"))
assert abs(sum(estimates) / 400) < 0.003 and negative > 0.3

# %% [markdown]
# An unbiased estimate must be negative at times: for equal distributions its mean is 0, and it varies. Here 60 % of 400 estimates are negative.
#
# ### A classifier as a measure of distance
#
# **Train a classifier to tell the two sets apart.** If even a good classifier is wrong half of the time *on pictures that it has not seen*, the
# sets are alike. If it is never wrong, they are as different as this measure can say. The held-out error $\varepsilon$ gives the
# **proxy A-distance** (Ben-David and others 2007), between 0 and 2:
#
# $$\hat d_{\mathcal A} = 2\,(1 - 2\,\varepsilon).$$
#
# An error above one half is chance, not a negative distance: report 0.
#
# ### Exercise 6 · Proxy A-distance
#
# Any classifier will do, such as scikit-learn's linear one: `classifier = RidgeClassifier(alpha=100.0).fit(pictures, labels)`. Then
# `classifier.score(other_pictures, other_labels)` is its share of right answers. Train on a random half of all pictures, chosen with `generator`, and measure on the other half.
# *Seven lines, ten minutes.*


# %%
def proxy_a_distance(x, y, generator=None):
    """2 (1 - 2 error) of a classifier between the rows of x and of y, on held-out rows: in [0, 2]."""
    ### BEGIN SOLUTION
    pictures = torch.cat([x, y])
    labels = torch.cat([torch.zeros(len(x)), torch.ones(len(y))])
    order = torch.randperm(len(pictures), generator=generator)
    train, held_out = order[: len(order) // 2], order[len(order) // 2 :]
    classifier = RidgeClassifier(alpha=100.0).fit(pictures[train], labels[train])
    error = 1 - classifier.score(pictures[held_out], labels[held_out])
    return max(0.0, 2 * (1 - 2 * error))
    ### END SOLUTION


proxy_a_distance = check("density.proxy_a_distance", proxy_a_distance)

# %% [markdown]
# ### Which sampler is worse?
#
# We compare three samplers. All samples become *pictures*: numbers beyond black and white are clipped. The first sampler is deliberately bad: the mean picture
# plus independent noise. Two more sets help to read the numbers: all-black pictures, and other real pictures, which show the floor of each measure.
# Besides MMD and your A-distance there is a third measure, the course's own `density.proxy_a_distance`. Its classifier is a small network that is given every number and its square, and every picture is held out once.
#
# **Which samples will be farther from real pictures in MMD: those of the Gaussian, or those of the Parzen windows?**

# %%
# Replace ... by "the Gaussian" or "the Parzen windows"
guess = predict("density.worse_sampler", ...)

# %%
real, more_real = test_images[:1000], test_images[1000:2000]
noisy_mean = mean + best * torch.randn(1000, 784, generator=seed(3))
noisy_real = (real + best * torch.randn(1000, 784, generator=seed(4))).clamp(-1, 1)
moved, apart = ((a - b).norm(dim=1).mean() for a, b in ((noisy_real, real), (more_real, real)))
print(f"clipped noise moves a picture by {moved:.1f}; two real ones are {apart:.1f} apart")
samplers = {
    "mean + noise": noisy_mean.clamp(-1, 1),
    "the Gaussian": gaussian_samples.clamp(-1, 1),
    "the Parzen windows": parzen_samples.clamp(-1, 1),
    "black": -torch.ones(1000, 784),
    "real (the floor)": more_real,
}
plots.rows({name: s[:12].view(-1, 1, 28, 28) for name, s in samplers.items()})

# %%
by_mmd, by_line, by_network = {}, {}, {}
for name, pictures in samplers.items():
    by_mmd[name] = mmd2(real, pictures, sigmas=[5.0, 10.0, 20.0]).item()
    by_line[name] = proxy_a_distance(real, pictures, seed(0))
    by_network[name] = density.proxy_a_distance(real, pictures, seed(0))
mean_noise, gauss, parzen, _, floor = samplers
print(guess.reveal(gauss))
measures = {"MMD²": by_mmd, "A, linear classifier": by_line, "A, small network": by_network}
for name in samplers:
    print(f"{name:20}" + "".join(f"{label}: {by[name]:.4f}   " for label, by in measures.items()))
figures.measured_distances(measures, dict.fromkeys(list(measures)[1:], 2.0), guess)

# %% [markdown]
# **Claim.** All three measures give other real pictures a distance of about 0. On the rest they disagree. MMD² is more than twice as large for the Gaussian (0.0140) as for the Parzen windows (0.0042). The linear classifier reverses that order.
# The network keeps MMD's order of these two, but near its ceiling of 2: its values 1.96 and 1.93 differ by 12 of the 2,000 pictures. At the ceiling a measure can hardly rank.

# %%
assert by_mmd[mean_noise] > by_mmd[gauss] > 2 * by_mmd[parzen] and by_line[gauss] < by_line[parzen]
assert min(by_network[name] for name in (mean_noise, gauss, parzen)) > 1.6
assert abs(by_mmd[floor]) < 0.003 and max(by_line[floor], by_network[floor]) < 0.25

# %% [markdown]
# The three measures answer different questions. MMD with bandwidths from 5 to 20 asks whether the pictures are *roughly* alike: clipped noise of size
# 0.32 on each pixel moves a picture by 7.2, while two real pictures are 22.5 apart. The linear classifier compares *means*: clipped noise makes the black background of every Parzen sample
# brighter on average. The network can use more than means, and it finds something that gives the pictures of all three samplers away.
#
# **When does a classifier fail?** When it is blind to what is wrong. Without the clipping, the Gaussian has
# the same mean and the same covariance as the data, up to chance, and a linear classifier fitted by least squares uses nothing else.

# %% tags=["quality"]
halves = [torch.cat([real[i::2], gaussian_samples[i::2]]) for i in (0, 1)]
labels = [0] * 500 + [1] * 500
line = RidgeClassifier(alpha=100.0).fit(halves[0], labels)
seen_by_line = line.score(halves[1], labels)
seen_by_network = 1 - density.held_out_error(real, gaussian_samples, seed(0))
told = f"by a linear classifier {seen_by_line:.0%}, by a small network {seen_by_network:.0%}"
print(f"a Gaussian told from real clothes (guessing: 50 %): {told}")
assert seen_by_line < 0.6 and seen_by_network > 0.75

# %% [markdown]
# The linear classifier does no better than a coin, on pictures that no person would take for clothes. **A distance that is measured by a classifier
# is only as good as the classifier.** So make it a deep network, train it well, and keep training it.
#
# ## 9 · The adversary
#
# Put the pieces together.
#
# - Noise through a network $g$ can approximate very complicated distributions (section 4).
# - Parzen windows and distances between pixels fail on pictures (sections 5 to 7). Other densities need not: lecture 02 bounds one.
# - A classifier that tells real from generated pictures measures how far apart the two sets are (section 8), and a network is *differentiable*: its
#   gradient says how to change each generated picture so that the classifier finds it more real.
#
# Train $g$ to fool the classifier, train the classifier not to be fooled, and take turns. That is a generative adversarial network (lecture 03).
# Lecture 02 takes another way: it learns which noise belongs to which picture.
#
# ## To go further
#
# 1. **Your own pictures.** `data.load("a/folder/of/pictures", size=28)` loads them as such a set. Which bandwidth is best for it?
# 2. **Another window.** Replace the Gaussian with a box. What happens to the held-out likelihood, and why is it $-\infty$ so often?
# 3. **A window for each point.** Let $\sigma_j$ be the distance from $c_j$ to its tenth neighbour. Does held-out likelihood rise?
# 4. **Analysis by synthesis, better.** Use Parzen windows for $P(x \mid y)$ in section 1. Do they classify more pictures correctly than Gaussians?
# 5. **Find a blind spot.** Construct samples that the small network of section 8 takes for real and you do not.
#
# ## References
#
# - K. Perlin. An image synthesizer. *SIGGRAPH* 1985.
# - A. A. Efros, T. K. Leung. Texture synthesis by non-parametric sampling. *ICCV* 1999.
# - M. Rosenblatt. Remarks on some nonparametric estimates of a density function. *Annals of Mathematical Statistics* 27, 1956.
# - E. Parzen. On estimation of a probability density function and mode. *Annals of Mathematical Statistics* 33, 1962.
# - K. Beyer, J. Goldstein, R. Ramakrishnan, U. Shaft. When is "nearest neighbor" meaningful? *ICDT* 1999.
# - L. Theis, A. van den Oord, M. Bethge. A note on the evaluation of generative models. *ICLR* 2016, arXiv:1511.01844.
# - A. Gretton, K. Borgwardt, M. Rasch, B. Schölkopf, A. Smola. A kernel two-sample test. *JMLR* 13, 2012.
# - S. Ben-David, J. Blitzer, K. Crammer, F. Pereira. Analysis of representations for domain adaptation. *NIPS* 2006 (proceedings 2007).
# - H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms. arXiv:1708.07747, 2017.
