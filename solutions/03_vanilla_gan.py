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
# # 03 · The vanilla GAN: a game between two networks
#
# {{badge}}
#
# **You will be able to**
# - write the game of generator and discriminator, its two losses and one round of training;
# - say what the best discriminator knows, and what it makes the generator minimise;
# - watch a GAN learn in the plane, and tell its three illnesses apart by measuring them;
# - train a GAN on pictures, walk between its samples, and check whether it has only copied.
#
# **Time**: 90 minutes with the exercises. The cells run in about 3 minutes on a laptop; on a GPU, where they train longer, plan for 5.
# **You need**: lecture 01 (a classifier that tells two sets apart), gradient descent in PyTorch.

# %%
# {{setup}}

# %%
import torch

from course_lib import data, device, gan, metrics, plots
from course_lib.exercises import check, hint, predict, solution
from course_lib.gan_losses import LOSSES, Loss
from course_lib.plots import gan as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.training import train
from course_lib.widgets import gan as sliders


def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # networks are trained here, and looked at on the CPU


# %% [markdown]
# ## 1 · Two players
#
# Lecture 01 ended with a classifier that tells real from generated pictures, and whose gradient says what gives a fake away. Put it to work (Goodfellow and others 2014):
#
# - the **generator** $G$ turns noise $z$ into a picture $G(z)$;
# - the **discriminator** $D$ looks at a picture and says how likely it is to be real: $D(x) = \sigma(\text{score})$, a number from 0 to 1.
#
# $D$ wants to be right. $G$ wants $D$ to be wrong. Both are told by one number, the **value** of the game:
#
# $$\min_G \max_D\; V(D, G) = \mathbb E_{x \sim \text{data}} \log D(x) + \mathbb E_{z} \log\big(1 - D(G(z))\big).$$
#
# There are two ways to see it. As a **game**, it ends where neither can do better alone. As a **density ratio**: $D$ learns how much more likely a picture is among
# the data than among the fakes, and $G$ descends on that. We shall need both.
#
# ### Exercise 1 · What D makes small
#
# $D$ maximises $V$, so it minimises $-V$. You get **scores**, before the sigmoid: $D = \sigma(s)$. Working with scores is no fuss: $\log \sigma(-200)$ is $-200$,
# but $\log$ of `sigmoid(-200)` is $-\infty$. `torch.nn.functional.logsigmoid` and `softplus` are safe. Means over the batch, both terms. *One or two lines, four minutes.*


# %%
def discriminator_loss(real_scores, fake_scores):
    """−E log D(x) − E log(1 − D(G(z))) from scores, each (B,): one number"""
    ### BEGIN SOLUTION
    logsigmoid = torch.nn.functional.logsigmoid
    return -logsigmoid(real_scores).mean() - logsigmoid(-fake_scores).mean()
    ### END SOLUTION


discriminator_loss = check("gan.discriminator_loss", discriminator_loss)

# %% [markdown]
# ### Exercise 2 · What G makes small
#
# The game says: $\mathbb E \log(1 - D(G(z)))$, called **minimax**. In practice one minimises $-\mathbb E \log D(G(z))$, called **non-saturating**. Both are small when $D$ is fooled. Write both. *Three lines, four
# minutes.*


# %%
def generator_loss(fake_scores, kind="non_saturating"):
    """E log(1 − D(G(z))) for kind "minimax", −E log D(G(z)) for "non_saturating"; (B,) -> one number"""
    ### BEGIN SOLUTION
    logsigmoid = torch.nn.functional.logsigmoid
    if kind == "minimax":
        return logsigmoid(-fake_scores).mean()
    return -logsigmoid(fake_scores).mean()
    ### END SOLUTION


generator_loss = check("gan.generator_loss", generator_loss)

# %% [markdown]
# Why two? At the start $D$ has an easy job. Say it gives a fake $D(G(z)) = 0.01$.
#
# **How many times stronger is the gradient, by the score, from $-\log D$ than from $\log(1 - D)$?**

# %%
# Replace ... by a number
guess = predict("gan.early_gradient", ...)

# %%
chance = torch.logspace(-4, -0.01, 200)
losses, slopes = {}, {}
for kind in ("minimax", "non_saturating"):
    score = chance.logit().requires_grad_()
    each = torch.stack([generator_loss(s[None], kind) for s in score])
    (slope,) = torch.autograd.grad(each.sum(), score)
    losses[kind], slopes[kind] = each.detach(), slope.abs()

score = torch.tensor([0.01]).logit().requires_grad_()
size = {
    kind: torch.autograd.grad(generator_loss(score, kind), score)[0].abs().item() for kind in losses
}
ratio = size["non_saturating"] / size["minimax"]
print(guess.reveal(round(ratio)))
assert abs(ratio - 99) < 0.1
figures.generator_losses(chance, losses, slopes)

# %% [markdown]
# $\frac{d}{ds}\log(1-\sigma(s)) = -\sigma(s)$, and $\frac{d}{ds}\big(-\log\sigma(s)\big) = -(1-\sigma(s))$. Where $D$ is sure, the minimax gradient is nearly 0: $G$ learns least when it is worst. That is the
# **vanishing gradient**. The fixed point is the same, the way there is not.
#
# ## 2 · The best discriminator
#
# Hold $G$ still. Data have density $p(x)$, fakes $q(x)$. What is the best $D$? At one place $x$ the value is $p \log D + q \log(1 - D)$. Set its derivative by $D$ to 0:
#
# $$\frac{p}{D} - \frac{q}{1-D} = 0 \quad\Longrightarrow\quad D^*(x) = \;?$$
#
# ### Exercise 3 · D*
#
# Finish the line, and code it. *One line, three minutes.*


# %%
def optimal_discriminator(p, q):
    """The best D where data have density p and fakes q; same shape as p"""
    ### BEGIN SOLUTION
    return p / (p + q)
    ### END SOLUTION


optimal_discriminator = check("gan.optimal_discriminator", optimal_discriminator)

# %% [markdown]
# **Claim.** A small network, trained on samples alone, finds it: on average over the data and the fakes it is within 0.05 of $D^*$. It never sees a density.

# %%
normal = torch.distributions.Normal
mixture = torch.distributions.MixtureSameFamily(
    torch.distributions.Categorical(torch.tensor([0.6, 0.4])),
    normal(torch.tensor([-1.5, 1.0]), torch.tensor([0.5, 0.4])),
)
fakes = normal(0.3, 1.0)
line = torch.linspace(-4, 4, 801)
p, q = mixture.log_prob(line).exp(), fakes.log_prob(line).exp()
best = optimal_discriminator(p, q)

# %%
torch.manual_seed(0)
student = gan.ToyDiscriminator(d=1, hidden=64)
optimizer = torch.optim.Adam(student.parameters(), 3e-3)


def d_only(batch):
    loss = discriminator_loss(student(batch[0]), student(batch[1]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"d_loss": loss.detach()}


def pairs():
    while True:
        yield mixture.sample((512, 1)), fakes.sample((512, 1))


history = train(d_only, pairs(), steps=pick(smoke=400, laptop=2000, gpu=2000))
with torch.no_grad():
    learned = student(line[:, None]).sigmoid()
off = ((learned - best).abs() * (p + q) / 2).sum().item() * 0.01  # dx
print(f"mean distance from D*: {off:.3f}")
assert off < 0.05
figures.optimal_and_trained(line, p, q, best, learned)

# %% [markdown]
# At the left edge they part. There is neither data nor fake there, so nobody has told $D$ anything: its answer is whatever the network happens to continue with.
#
# ### What G then minimises
#
# Put $D^*$ back into $V$. With $m = (p + q)/2$,
#
# $$V(D^*, G) = \mathbb E_p \log \frac{p}{p+q} + \mathbb E_q \log\frac{q}{p+q} = -\log 4 + \mathrm{KL}(p\,\|\,m) + \mathrm{KL}(q\,\|\,m) = -\log 4 + 2\,\mathrm{JSD}(p\,\|\,q).$$
#
# The **Jensen-Shannon divergence** is 0 only where $p = q$. So against a perfect $D$ the one minimum is a perfect $G$.
#
# ### Exercise 4 · The divergence
#
# `p` and `q` are probabilities of $n$ outcomes: tensors that sum to 1. Natural logarithms. Mind outcomes of probability 0: $0 \log 0 = 0$. *Three lines, six minutes.*


# %%
def jensen_shannon(p, q):
    """½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q) / 2, in nats: (n,), (n,) -> one number"""
    ### BEGIN SOLUTION
    m = (p + q) / 2
    kl = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(m, m)
    return 0.5 * kl.sum()
    ### END SOLUTION


jensen_shannon = check("gan.jensen_shannon", jensen_shannon)

# %% [markdown]
# **Claim.** The theorem holds to five digits on our example. And it shows a trap: let two bumps slide apart.

# %%
dx = (line[1] - line[0]).double()
p_, q_ = p.double() * dx, q.double() * dx
p_, q_ = p_ / p_.sum(), q_ / q_.sum()
best_ = optimal_discriminator(p_, q_)
value = (p_ * best_.log() + q_ * (1 - best_).log()).sum()
theorem = -torch.tensor(4.0).log() + 2 * jensen_shannon(p_, q_)
print(f"V(D*) = {value:.6f}, −log 4 + 2 JSD = {theorem:.6f}")
assert abs(value - theorem) < 1e-5

shifts = torch.linspace(0, 12, 60)
grid = torch.linspace(-10, 22, 3201).double()
bump = normal(0.0, 1.0).log_prob(grid).exp()
apart = []
for shift in shifts:
    other = normal(shift, 1.0).log_prob(grid).exp()
    apart.append(jensen_shannon(bump / bump.sum(), other / other.sum()).item())
assert abs(apart[-1] - 0.6931) < 1e-3 and apart[-1] - apart[40] < 1e-3
figures.sliding_apart(shifts, apart)

# %% [markdown]
# From a distance of six standard deviations on the curve is flat. Bumps that do not overlap have JSD $\log 2$, near or far: **a perfect $D$ knows that the fakes are wrong, but not in which direction to go** (Arjovsky and Bottou 2017). Pictures are
# thin sheets in a huge space and hardly overlap (lecture 01). Lecture 05 meets losses that are not flat there.
#
# ## 3 · One round
#
# Algorithm 1 of the paper: $k$ steps for $D$, one for $G$, again and again. Nobody trains $D$ to the end; it only has to stay ahead.
#
# ### Exercise 5 · A round, with k = 1
#
# The noise for both steps is given. First $D$ learns from `real` and from fakes of `noise_d`. Then $G$ learns, with the non-saturating loss, from what the *new* $D$ says of fakes of `noise_g`. Each player
# moves in its own step only, and no gradient of one step may leak into the next one. Return both losses. Your functions from above are at hand. *Eight lines, ten minutes.*


# %%
def adversarial_step(generator, discriminator, g_optimizer, d_optimizer, real, noise_d, noise_g):
    """One round: a step of D, then a step of G; returns (d_loss, g_loss), detached"""
    ### BEGIN SOLUTION
    fake = generator(noise_d).detach()
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()

    g_loss = generator_loss(discriminator(generator(noise_g)))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.detach(), g_loss.detach()
    ### END SOLUTION


adversarial_step = check("gan.adversarial_step", adversarial_step)

# %% [markdown]
# `gan.AdversarialStep` is this round for all the GANs of the course. It takes any loss, yours too: `Loss(discriminator_loss, generator_loss)`.
#
# ## 4 · A GAN that one can see
#
# The data are points: eight small Gaussians on a ring (as in VEEGAN, Srivastava and others 2017). $G$ turns 2-D noise into points. The background is $D$: **blue where it says real, grey where it says fake**, white where it cannot tell. Each orange arrow
# shows where the loss pushes that point. It always points uphill on $D$. (The picture is GAN Lab's, Kahng and others 2019.)

# %%
ring = data.load("toy2d", variant="ring8")
mine = Loss(discriminator_loss, generator_loss)  # your functions from above


def play(loss, steps, looks=40, **speeds):
    """A GAN on the ring, and 40 looks at it on the way."""
    torch.manual_seed(0)
    step = gan.AdversarialStep(gan.ToyGenerator(), gan.ToyDiscriminator(), loss, **speeds)
    z, batches, moments = torch.randn(150, step.nz), ring.batches(256, generator=seed(2)), {}
    for i in range(1, steps + 1):
        step(next(batches))
        if i % (steps // looks) == 0:
            moments[f"step {i}"] = gan.snapshot(step, z)
    return step, moments


def covered(step):
    samples = gan.sample(step.generator, 2500, generator=seed(0))
    return gan.modes_covered(samples, ring.centers, ring.sigma)


# %% tags=["cover", "quality"]
step, moments = play(mine, steps=pick(smoke=2000, laptop=3000, gpu=3000), lr=1e-3)
modes, share, counts = covered(step)
print(f"modes covered: {modes} of 8; samples on a mode: {share:.0%}; per mode: {counts.tolist()}")
assert modes == 8
names = list(moments)
figures.game_strip(
    ring.points[:600], {name: moments[name] for name in (names[1], names[5], names[15], names[-1])}
)

# %% [markdown]
# The same as a film, 40 looks. The generated points chase the blue, $D$ notices and turns blue where they are missing, and so on, until each island has its share.

# %%
game = figures.GameInThePlane(ring.points[:600], 150)
plots.film([game.show(frame, name) for name, frame in moments.items()])

# %% [markdown]
# Now play. Press ▶ to train, pause, drag the time back, take one step, start anew. `k` is how many steps $D$ takes for one of $G$. Your own loss stands first in the menu.
# Questions to try: *Stop it, and predict where one cloud of points will go; then take one step. What does a much faster $G$ do? Which $k$ reaches all eight soonest? Can anything cover the grid of 25?*

# %%
sliders.gan_in_the_plane({"your own, non-saturating": mine, **LOSSES})

# %% [markdown]
# ## 5 · Three illnesses
#
# ### Mode collapse
#
# Nothing in the game says that $G$ must make *all* of the data. If one island fools $D$, going there is a good answer, until $D$ has learned that this island is full of fakes; then $G$ moves on
# to the next. Give $G$ ten times the speed of $D$.
#
# **On how many of the 8 islands do the samples land?**

# %%
# Replace ... by a number from 0 to 8
guess = predict("gan.collapse_modes", ...)

# %%
sick, moments = play(mine, steps=1000, g_lr=1e-2, d_lr=1e-3)
collapsed, share, counts = covered(sick)
print(guess.reveal(collapsed))
print(f"samples on a mode: {share:.0%}; per mode: {counts.tolist()}")
assert collapsed <= 3 < modes
names = list(moments)
figures.game_strip(ring.points[:600], {name: moments[name] for name in names[-20::5]})

# %% [markdown]
# All points move as one, from island to island. Loss curves would not tell: neither loss is small or large. **Only counting tells.** Where there is no ring to count on, look at many samples.
#
# **One of 10 classes is missing in all that a generator makes. You look at 16 samples. A perfect generator would also show you none of that class on how many of 100 such sheets?**

# %%
# Replace ... by a number from 0 to 100
guess = predict("gan.sixteen_samples", ...)

# %%
sheets = torch.randint(10, (100_000, 16), generator=seed(0))
unseen = (sheets != 3).all(dim=1).float().mean().item() * 100
print(guess.reveal(round(unseen, 1)))
assert abs(unseen - 100 * 0.9**16) < 0.5

# %% [markdown]
# ### Vanishing gradients
#
# Let $D$ train alone, against a generator that stands still, and measure how long $G$'s gradient is on the way, under both losses. **Claim:** once $D$ is ahead, the better it gets, the less $G$ hears under minimax, and the more
# under the non-saturating loss.

# %%
torch.manual_seed(0)
novice, judge = gan.ToyGenerator(), gan.ToyDiscriminator()
game = gan.AdversarialStep(novice, judge, mine, d_lr=1e-3)
noise, batches = torch.randn(512, novice.nz), ring.batches(512, generator=seed(3))
alone, sizes, done = [0, 10, 30, 100, 300, 1000], {"minimax": [], "non_saturating": []}, 0
for stop in alone:
    for _ in range(stop - done):
        game.d_step(next(batches), novice(noise).detach())
    done = stop
    for kind, lengths in sizes.items():
        slopes = torch.autograd.grad(
            generator_loss(judge(novice(noise)), kind), novice.parameters()
        )
        lengths.append(sum(slope.square().sum() for slope in slopes).sqrt().item())

# %%
minimax, non_saturating = sizes["minimax"], sizes["non_saturating"]
print(
    f"minimax: {max(minimax):.2f} at its longest, {minimax[-1]:.4f} in the end; "
    f"non-saturating in the end {non_saturating[-1]:.1f}"
)
assert minimax[-1] < 0.1 * max(minimax) and non_saturating[-1] > 100 * minimax[-1]
figures.vanishing(alone, sizes)

# %% [markdown]
# ### Non-convergence
#
# The smallest GAN there is (Mescheder and others 2018): the data are one point, at 0. $G$ puts its one point at $\theta$. $D$'s score is a line through 0, $\psi x$, and no sigmoid comes after it: $V = \psi \cdot 0 - \psi\theta = -\psi\theta$. The equilibrium is
# $\theta = \psi = 0$. Both follow their gradients, $\theta$ downhill and $\psi$ uphill, at the same moment.
#
# **Where does the game go?**

# %%
# Replace ... by one of: "to the equilibrium", "around it in a circle", "outwards in a spiral"
guess = predict("gan.bilinear", ...)

# %%
orbits = {
    "at once": gan.dirac_gan(lr=0.1, steps=200),
    "in turns": gan.dirac_gan(lr=0.1, steps=200, alternating=True),
    "in turns, with a penalty": gan.dirac_gan(lr=0.1, steps=200, alternating=True, r1=0.5),
}
radius = {name: orbit.norm(dim=1) for name, orbit in orbits.items()}
print(guess.reveal("outwards in a spiral"))
print({name: f"{r[0]:.2f} -> {r[-1]:.2f}" for name, r in radius.items()})
growth = radius["at once"][1:] / radius["at once"][:-1]
assert torch.allclose(growth, torch.tensor(1.01).sqrt().double())  # √(1 + speed²), each step
assert radius["in turns"].max() < 1.1 and radius["in turns, with a penalty"][-1] < 0.01
figures.orbit_strip(orbits)

# %% [markdown]
# Each step goes at a right angle to the line from the centre: $(\theta, \psi) \mapsto (\theta + h\psi, \psi - h\theta)$. So the distance from the centre grows by the factor $\sqrt{1 + h^2}$, always, for any speed $h$. Taking turns keeps the game on a closed
# curve: it does not blow up and does not arrive. A penalty on $D$'s slope lets it arrive. So gradient descent on a *game* is not gradient descent on a loss: a small step need not help. *Which of these settings fails,
# and at which speed?*

# %%
sliders.orbits()

# %% [markdown]
# ## 6 · Pictures
#
# The same game on clothes. Both networks are fully connected, as in the first GAN, here with two hidden layers of 512 units. Nothing in them knows that a picture has two dimensions.

# %%
fashion = data.load("fashion")
torch.manual_seed(0)
steps = pick(smoke=5, laptop=5000, gpu=20_000)
generator, discriminator = gan.MLPGenerator().to(home), gan.MLPDiscriminator().to(home)
step = gan.AdversarialStep(generator, discriminator, mine, ema=0.999)
history = train(step, fashion.batches(128, home), steps, watch=step.samples)
made = step.ema.model.cpu()
if current() == "smoke":  # that was only a test: the course's weights take over
    load_weights("mlp_gan_fashion", made)

# %%
net = metrics.FeatureNet("fashion")
x = fashion.floats()
held_out = data.load("fashion", split="test").floats()
real = metrics.fit_gaussian(net.features(held_out[:5000]))


def distance(pictures):
    """Fréchet distance to 5,000 held-out clothes (lecture 05 says what it is)."""
    return metrics.frechet_distance(*metrics.fit_gaussian(net.features(pictures)), *real)


samples = gan.sample(made, 5000, generator=seed(0))
distances = {
    "noise": distance(torch.rand(5000, 1, 28, 28, generator=seed(0)) * 2 - 1),
    "the GAN": distance(samples),
    "other real clothes (the floor)": distance(held_out[5000:]),
}
noise_level, ours, floor = distances.values()
assert floor < ours < 0.25 * noise_level
plots.bars(distances, "Fréchet distance to held-out clothes")

# %% [markdown]
# **Has it only copied?** Put its nearest training pictures under each sample. That is a question for a function.
#
# ### Exercise 6 · Nearest neighbours
#
# For each query the `k` nearest images by Euclidean distance over all pixels: indices and distances, nearest first. The next cell asks for 500 queries among thousands of pictures: all differences at once, `(n, m, C, H, W)`, do not fit into memory. `torch.cdist` and `topk` or `sort` are allowed. *Three lines, four minutes.*


# %%
def nearest_neighbours(queries, images, k):
    """(n, C, H, W), (m, C, H, W) -> indices (n, k) and distances (n, k), nearest first"""
    ### BEGIN SOLUTION
    distances = torch.cdist(queries.flatten(1), images.flatten(1))
    nearest = distances.topk(k, largest=False)
    return nearest.indices, nearest.values
    ### END SOLUTION


nearest_neighbours = check("gan.nearest_neighbours", nearest_neighbours)

# %%
indices, near = nearest_neighbours(samples[:12], x, 3)
plots.with_neighbours(samples[:12], x[indices])

# %% [markdown]
# No sample is a copy. But how near is suspiciously near? Compare with clothes that the GAN has never seen: *their* distance to the training set is what honest novelty looks like.

# %%
_, of_samples = nearest_neighbours(samples[:500], x, 1)
_, of_held_out = nearest_neighbours(held_out[:500], x, 1)
print(
    f"median distance to the nearest training picture: samples {of_samples.median():.2f}, "
    f"held-out clothes {of_held_out.median():.2f}"
)
assert of_samples.median() > 0.5 * of_held_out.median()

# %% [markdown]
# ### Exercise 7 · A walk between two samples
#
# Every $z$ is a picture, so a path of codes is a film. In 64 dimensions codes lie near a sphere of radius 8, and a straight line cuts through its empty inside. Go around: with $\omega$ the angle between the codes,
#
# $$\frac{\sin((1-f)\,\omega)}{\sin\omega}\, z_a + \frac{\sin(f\,\omega)}{\sin\omega}\, z_b .$$
#
# You have done this in lecture 02; if you skipped it there, do it here. Where codes are parallel, use the straight line. Opposite codes have no arc of their own: any finite numbers will do. *Six lines, eight minutes.*


# %%
def slerp(z_a, z_b, fraction):
    """From z_a (B, d) towards z_b along the arc about 0"""
    ### BEGIN SOLUTION
    line = (1 - fraction) * z_a + fraction * z_b
    cosine = torch.nn.functional.cosine_similarity(z_a.double(), z_b.double(), dim=-1)
    omega = cosine.clamp(-1, 1).acos()[..., None]
    arc = ((1 - fraction) * omega).sin() * z_a + (fraction * omega).sin() * z_b
    parallel = omega.sin() < 1e-4
    return torch.where(parallel, line, arc / omega.sin()).to(z_a.dtype)
    ### END SOLUTION


slerp = check("gan.slerp", slerp)

# %%
ends = torch.randn(2, 4, made.nz, generator=seed(5))
with torch.no_grad():
    films = [
        torch.cat([made(slerp(ends[0, [i]], ends[1, [i]], f / 11)) for f in range(12)])
        for i in range(4)
    ]
plots.rows({f"walk {i + 1}": film for i, film in enumerate(films)})

# %% [markdown]
# One garment becomes another by way of things that are neither. $G$ is continuous, and the data are not: somewhere on the way it has to make a picture that is no garment.
#
# ## 7 · What the losses do not say
#
# Suppose that $D$ ends near ½ everywhere. **What does that prove?**

# %%
# Replace ... by one of: "G makes the data's distribution", "nothing yet", "training has failed"
guess = predict("gan.half_everywhere", ...)

# %%
torch.manual_seed(1)
blind = gan.MLPDiscriminator()  # never trained, and its opponent makes pure noise
with torch.no_grad():
    says = [
        blind(pictures).sigmoid().mean().item()
        for pictures in (x[:1000], torch.rand(1000, 1, 28, 28) * 2 - 1)
    ]
print(guess.reveal("nothing yet"))
print(f"an untrained D says {says[0]:.2f} of data and {says[1]:.2f} of noise")
assert all(abs(belief - 0.5) < 0.1 for belief in says)

# %% [markdown]
# $D = \tfrac12$ everywhere also comes from a $D$ that has learned nothing. And a generator loss that rises is no bad sign: it is measured against an opponent that improves. To know, train a *fresh*
# discriminator on held-out pictures against samples, or measure a distance as above. Both numbers have a floor; the losses have none.
#
# ## To go further
#
# 1. **Your own $D$.** Halve the width of the discriminator on the ring. When does it stop helping?
# 2. **k.** Plot modes covered after 1,000 steps for $k = 1, 2, 5, 10$, five seeds each. Does the theory (a better $D$ is better) hold?
# 3. **The grid of 25.** Find a setting that covers all 25 modes. What did it cost?
# 4. **A harder floor.** Train a new discriminator for a minute on the trained generator's samples against held-out clothes. How often is it right?
# 5. **Ten codes.** Draw ten codes $z$ once, and train with only these. What do samples from *new* codes look like?
#
# ## References
#
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y. Bengio. Generative adversarial nets. *NIPS* 2014, arXiv:1406.2661.
# - L. Mescheder, A. Geiger, S. Nowozin. Which training methods for GANs do actually converge? *ICML* 2018, arXiv:1801.04406.
# - A. Srivastava, L. Valkov, C. Russell, M. U. Gutmann, C. Sutton. VEEGAN: reducing mode collapse in GANs using implicit variational learning. *NIPS* 2017, arXiv:1705.07761.
# - M. Arjovsky, L. Bottou. Towards principled methods for training generative adversarial networks. *ICLR* 2017, arXiv:1701.04862.
# - T. White. Sampling generative networks. arXiv:1609.04468, 2016.
# - M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. *NIPS* 2017, arXiv:1706.08500.
# - M. Kahng, N. Thorat, D. H. Chau, F. Viégas, M. Wattenberg. GAN Lab: understanding complex deep generative models using interactive visual experimentation. *IEEE TVCG* 25, 2019, arXiv:1809.01587.
# - P. Shamsolmoali and others. Image synthesis with adversarial networks: a comprehensive survey and case studies. *Information Fusion* 72, 2021, arXiv:2012.13736.
