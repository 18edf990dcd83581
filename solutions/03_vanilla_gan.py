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
# - write the two losses of the game and one round of training;
# - say what the best discriminator knows, and what it makes the generator minimise;
# - watch a GAN learn in the plane, and measure three ways in which it fails;
# - train a GAN on pictures, count what it leaves out, and weigh it against a VAE.
#
# **Time**: 90 minutes with the exercises. The cells run in 3 to 4 minutes on a laptop; on a GPU, where they train longer, plan for 5.
# **You need**: lecture 01 (a classifier that tells two sets apart), gradient descent in PyTorch; for section 8, your measurements from lecture 02.

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
# Lecture 01 ended with a classifier that tells real pictures from generated ones. Its gradient says how to make a generated picture look more real. A **generative adversarial network** (GAN) learns from such a classifier (Goodfellow and others 2014; survey: Shamsolmoali and others 2021):
#
# - the **generator** $G$ turns noise $z$ into a picture $G(z)$;
# - the **discriminator** $D$ says how likely a picture is to be real: $D(x) = \sigma(\text{score})$, a number from 0 to 1.

# %%
figures.two_players()

# %% [markdown]
# $D$ is trained to be right, and $G$ to make $D$ wrong. One number scores both, the **value** of the game:
#
# $$\min_G \max_D\; V(D, G) = \mathbb E_{x \sim \text{data}} \log D(x) + \mathbb E_{z} \log\big(1 - D(G(z))\big).$$
#
# This can be read in two ways. As a **game**, it is at rest where neither player can do better alone. As the estimation of a **density ratio**, $D$ learns how much likelier a picture is under the data than under the fakes, and $G$ learns to make that ratio larger for its fakes.
#
# ### Exercise 1 · The discriminator's loss
#
# $D$ maximises $V$, so it minimises $-V$. You get **scores** $s$, before the sigmoid: $D = \sigma(s)$. They may be large: $\log \sigma(-200)$ is $-200$,
# but the logarithm of `sigmoid(-200)` is $-\infty$. `torch.nn.functional.logsigmoid` and `softplus` are safe. Take the mean over the batch in each term, and return a tensor of shape `()` that `backward()` takes. *One or two lines, four minutes.*


# %%
def discriminator_loss(real_scores, fake_scores):
    """−E log D(x) − E log(1 − D(G(z))) from scores, each (B,): one number"""
    ### BEGIN SOLUTION
    logsigmoid = torch.nn.functional.logsigmoid
    return -logsigmoid(real_scores).mean() - logsigmoid(-fake_scores).mean()
    ### END SOLUTION


discriminator_loss = check("gan.discriminator_loss", discriminator_loss)

# %% [markdown]
# ### Exercise 2 · The generator's loss
#
# In the game, $G$ minimises $\mathbb E \log(1 - D(G(z)))$, the **minimax** loss. In practice $G$ minimises $-\mathbb E \log D(G(z))$, the **non-saturating** loss. Both fall the more $D$ is fooled: minimax from 0 towards $-\infty$, the non-saturating loss from $\infty$ towards 0. Write both, for large scores too. *Three lines, four minutes.*


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
# Why two losses? At the start $D$ has an easy task. Suppose that $D(G(z)) = 0.01$ for a fake.
#
# **How many times larger is the gradient with respect to the score for $-\log D$ than for $\log(1 - D)$?**

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
# $\frac{d}{ds}\log(1-\sigma(s)) = -\sigma(s)$, and $\frac{d}{ds}\big(-\log\sigma(s)\big) = -(1-\sigma(s))$. Where $D$ recognises a fake, the minimax gradient **vanishes**: $G$ learns least when it is worst. Both losses have the same fixed point (Goodfellow and others 2014); they differ in the gradients on the way.
#
# ## 2 · The best discriminator
#
# Hold $G$ fixed. The data have density $p(x)$, the fakes $q(x)$. What is the best $D$? At one place $x$ the value is $p \log D + q \log(1 - D)$. Set its derivative to 0:
#
# $$\frac{p}{D} - \frac{q}{1-D} = 0 \quad\Longrightarrow\quad D^*(x) = \;?$$
#
# ### Exercise 3 · D*
#
# Finish the line, and write it as code. Densities may be tiny, such as $10^{-7}$, but not 0. *One line, three minutes.*


# %%
def optimal_discriminator(p, q):
    """The best D where data have density p and fakes q; same shape as p"""
    ### BEGIN SOLUTION
    return p / (p + q)
    ### END SOLUTION


optimal_discriminator = check("gan.optimal_discriminator", optimal_discriminator)

# %% [markdown]
# **Claim.** A small network that is trained on samples, and never sees a density, comes within 0.05 of $D^*$, on average over data and fakes.

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
# At the left edge the two curves separate: there are almost no data and no fakes, so $D$ only extrapolates.
#
# ### What the generator then minimises
#
# Put $D^*$ back into $V$. With $m = (p + q)/2$,
#
# $$V(D^*, G) = \mathbb E_p \log \frac{p}{p+q} + \mathbb E_q \log\frac{q}{p+q} = -\log 4 + \mathrm{KL}(p\,\|\,m) + \mathrm{KL}(q\,\|\,m) = -\log 4 + 2\,\mathrm{JSD}(p\,\|\,q).$$
#
# The **Jensen-Shannon divergence** (JSD) is 0 only if $p = q$. So against a perfect $D$, *minimax* has one minimum, a perfect $G$. The non-saturating loss, with which all our GANs are trained, descends
# on another divergence: its gradient is that of $\mathrm{KL}(q\,\|\,p) - 2\,\mathrm{JSD}(p\,\|\,q)$ (Arjovsky and Bottou 2017, theorem 2.5).
#
# ### Exercise 4 · The divergence
#
# `p` and `q` are probabilities of $n$ outcomes: tensors that sum to 1. Use natural logarithms. Any outcome may have probability 0 in one or both: $0 \log 0 = 0$. *Three lines, six minutes.*


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
# **Claim.** The formula for $V(D^*, G)$ holds to five digits on our example. Then a trap: two Gaussians of standard deviation 1 slide apart.

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
# Beyond about six standard deviations the curve is almost flat: the JSD is nearly $\log 2$, near or far, and minimax has almost nothing to descend on. Yet $D^*$ knows where the data lie:
# the tails of these Gaussians overlap, and its score $\log p/q$ is a straight line that rises towards the data. **Claim.** At a distance of 12, in the middle of the fakes, the slope of the non-saturating loss with respect to the fake's place (not to its score) is 12, that of minimax $6.5\cdot 10^{-31}$.

# %%
place = torch.tensor(12.0, dtype=torch.float64, requires_grad=True)  # the middle of the fakes
log_ratio = normal(0.0, 1.0).log_prob(place) - normal(12.0, 1.0).log_prob(place)  # D*'s score
push = {
    kind: -torch.autograd.grad(generator_loss(log_ratio[None], kind), place, retain_graph=True)[0]
    for kind in ("minimax", "non_saturating")
}
print({kind: f"{value.item():.1e}" for kind, value in push.items()})
assert push["non_saturating"].item() < -11.9 and -1e-29 < push["minimax"].item() < 0

# %% [markdown]
# If the two do not overlap **at all**, $D^*$ is exactly 1 on the data and 0 on the fakes, and gives no direction under either loss (Arjovsky and Bottou 2017). Pictures are close to that case: they occupy only a thin part of a
# huge space (lecture 01). Lecture 05 has losses that are not flat there.
#
# ## 3 · One round
#
# $D$ is not trained to the end before each step of $G$; it should only stay near its best answer. **Algorithm 1** (Goodfellow and others 2014):
#
# 1. Repeat $k$ times: draw noise $z_1 \dots z_m$ and data $x_1 \dots x_m$; update $D$ by *ascending* $\nabla_{\theta_D} \frac1m \sum_i \big[\log D(x_i) + \log\big(1 - D(G(z_i))\big)\big]$.
# 2. Draw noise $z_1 \dots z_m$; update $G$ by *descending* $\nabla_{\theta_G} \frac1m \sum_i \log\big(1 - D(G(z_i))\big)$. Go to 1.
#
# ### Exercise 5 · A round, with k = 1
#
# The noise for both steps is given: use it. First $D$ learns from `real` and from fakes made of `noise_d`. Then $G$ learns, with the non-saturating loss, from the *new* $D$'s scores of fakes made of `noise_g`. Each player
# moves only in its own step, and no gradient of one step may leak into the next one: clear both players' gradients. Return both losses, detached, and use your functions from above. *Eight lines, ten minutes.*


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
# `gan.AdversarialStep` is this round for any loss, yours too: `Loss(discriminator_loss, generator_loss)`. To save time, it draws no new noise for $G$'s step: $G$ learns from the fakes that $D$ has just seen. The two learning rates may differ (Heusel and others 2017).
#
# ## 4 · A GAN that you can watch
#
# The data are points: eight small Gaussians on a ring (Srivastava and others 2017). $G$ turns 2-D noise into points. The background is $D$: **blue where it says real, grey where it says fake**, white in doubt. The arrows
# show where the generator's loss pushes a point, uphill on $D$ (one in five is drawn; long ones are cut). An arrow shows the slope at its tail; near an island, which is small, it often ends beyond the island. The picture follows GAN Lab (Kahng and others 2019).
#
# An island (a **mode** of the data) counts as **covered** if at least 1 % of 2,500 samples lie within 3 standard deviations of its centre; a single sample may be luck. The number of covered islands is averaged over the last ten of 40 looks at the game.

# %%
ring = data.load("toy2d", variant="ring8")
mine = Loss(discriminator_loss, generator_loss)  # your functions from above


def play(loss, steps, looks=40, **speeds):
    """A GAN on the ring: 40 looks at it, what 2,500 samples hit at each, and both losses."""
    torch.manual_seed(0)
    step = gan.AdversarialStep(gan.ToyGenerator(), gan.ToyDiscriminator(), loss, **speeds)
    z, batches = torch.randn(150, step.nz), ring.batches(256, generator=seed(2))
    moments, hits, losses = {}, [], []
    for i in range(1, steps + 1):
        losses.append(step(next(batches)))
        if i % (steps // looks) == 0:
            moments[f"step {i}"] = gan.snapshot(step, z)
            samples = gan.sample(step.generator, 2500, generator=seed(0))
            hits.append(gan.modes_covered(samples, ring.centers, ring.sigma))
    return moments, hits, losses


def report(hits, losses):
    """Modes with at least 1 % of the samples, mean of the last ten looks; and both losses."""
    modes = sum((hit.counts >= 25).sum().item() for hit in hits[-10:]) / 10
    share = sum(hit.share for hit in hits[-10:]) / 10
    print(f"modes covered: {modes:.1f} of 8; samples on a mode: {share:.0%}")
    print("per mode, last look, of 2,500 samples:", hits[-1].counts.tolist())
    means = {n: sum(x[n] for x in losses[-200:]).item() / 200 for n in ("d_loss", "g_loss")}
    print("losses, mean of the last 200 steps:", {n: round(value, 2) for n, value in means.items()})
    return modes, means


# %% tags=["cover", "quality"]
moments, hits, losses = play(mine, steps=pick(smoke=2000, laptop=3000, gpu=3000), lr=1e-3)
modes, _ = report(hits, losses)
assert modes >= 7
names = list(moments)
figures.game_strip(
    ring.points[:600], {name: moments[name] for name in (names[1], names[5], names[15], names[-1])}
)

# %% [markdown]
# As a film: first the points move to the blue side as one cloud. Then $D$ turns grey where points gather, and the cloud spreads until
# every island has some. In the end $D$ is in doubt (white) at the islands, and grey elsewhere. In this run the shares stay unequal: in the last look 1,769 of 2,500 samples are on islands. Equal shares would be 221 each; the smallest is 53, the largest 311.

# %%
game = figures.GameInThePlane(ring.points[:600], 150)
plots.film([game.show(frame, name) for name, frame in moments.items()])

# %% [markdown]
# Now play. Your own loss is the first in the menu. Here an island counts as covered as soon as one of 1,000 samples is on it.
# *Pause, predict where the points will go, and take one step. What does a much faster $G$ do? Which $k$ covers all islands first?*

# %%
sliders.gan_in_the_plane({"your own, non-saturating": mine, **LOSSES})

# %% [markdown]
# ## 5 · Three ways to fail
#
# ### Mode collapse
#
# In **mode collapse**, the samples are all alike, or come from a few modes (here: islands) of the data. For a fixed $D$, $G$'s loss judges each sample alone, and no term asks for *all* of the data. If $D$ takes one island for real, $G$ goes there until $D$ has learned that it is full of fakes; then $G$ moves on.
# With equal learning rates, all islands had samples at step 1,200 (the strip above). Now play 1,000 steps twice: with equal learning rates again, and with ten times the learning rate of $D$ for $G$.
#
# **How many of the 8 islands does the faster $G$ cover?**

# %%
# Replace ... by a number from 0 to 8
guess = predict("gan.collapse_modes", ...)

# %%
_, hits, losses = play(mine, steps=1000, lr=1e-3)
print("equal learning rates:")
equal, _ = report(hits, losses)
moments, hits, losses = play(mine, steps=1000, g_lr=1e-2, d_lr=1e-3)
print("G's ten times D's:")
collapsed, means = report(hits, losses)
print(guess.reveal(collapsed))
assert collapsed < 2 < equal
assert abs(means["d_loss"] - 1.386) < 0.2 and abs(means["g_loss"] - 0.693) < 0.2
names = list(moments)
figures.game_strip(ring.points[:600], {name: moments[name] for name in names[-20::5]})

# %% [markdown]
# In this run (one seed), equal learning rates cover 6.7 of 8 islands (mean of the last ten looks), the faster $G$ 0.5. Its points move as one cloud (the strip), and in the last ten looks only 4 % of its samples are on an island. The losses do not show this: they are close to $\log 4 = 1.39$ and $\log 2 = 0.69$, the values of a *perfect* game, where $D$ is ½ everywhere. **Counting
# the samples does.** How many samples must you look at?
#
# **A generator never makes one of 10 classes, so a sheet of 16 samples lacks it. Of 100 such sheets from a *perfect* generator, how many lack that class too?**

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
# Train $D$ alone, while $G$ stays as it was initialised, and measure the norm of $G$'s gradient. **Claim.** Once $D$ is ahead, its further progress makes the gradient smaller under minimax and
# larger under the non-saturating loss.

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
    f"norm of G's gradient: minimax {max(minimax):.2f} at its largest, {minimax[-1]:.4f} at the "
    f"end; non-saturating {non_saturating[0]:.2f} at first, {non_saturating[-1]:.1f} at the end"
)
assert minimax[-1] < 0.1 * max(minimax) and non_saturating[-1] > 100 * minimax[-1]
assert non_saturating[-1] > 2 * non_saturating[0]
figures.vanishing(alone, sizes)

# %% [markdown]
# ### Non-convergence
#
# The smallest GAN (Mescheder and others 2018): the data are one point, at 0. $G$ puts its one point at $\theta$. $D$'s score is $\psi x$, and $V$ is the score of the data minus that of the fake, without sigmoid and logarithm: $V = \psi \cdot 0 - \psi\theta = -\psi\theta$. The equilibrium is
# $\theta = \psi = 0$. Both players move at the same moment: $\theta$ downhill on $V$, $\psi$ uphill.
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
# When both move at once, each step is at a right angle to the line from the centre: $(\theta, \psi) \mapsto (\theta + h\psi, \psi - h\theta)$. So the distance from the centre grows by the factor $\sqrt{1 + h^2}$, for any learning rate $h$: in a *game*, small steps need not help. If the players take turns, with steps this small, the game stays on a closed
# curve. With a penalty on $D$'s slope it approaches the equilibrium. *Which of the settings below move away from the equilibrium, which approach it, and which do neither?*

# %%
sliders.orbits()

# %% [markdown]
# ## 6 · Pictures
#
# Now play the game on clothes, with fully connected networks of two hidden layers of 512 units. The samples come from an *exponential moving average* (`ema`) of $G$'s weights
# over about the last 1,000 steps, which smooths out $G$'s circling.

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
    """Fréchet distance to 5,000 held-out clothes (Heusel and others 2017; see lecture 05)."""
    return metrics.frechet_distance(*metrics.fit_gaussian(net.features(pictures)), *real)


samples = gan.sample(made, 5000, generator=seed(0))
distances = {
    "noise": distance(torch.rand(5000, 1, 28, 28, generator=seed(0)) * 2 - 1),
    "all black": distance(-torch.ones(5000, 1, 28, 28)),
    "the GAN": distance(samples),
    "other real clothes (the floor)": distance(held_out[5000:]),
}
noise_level, black, ours, floor = distances.values()
assert floor < ours < 0.25 * min(noise_level, black)
colors = [plots.GREY, plots.GREY, plots.MODEL, plots.DATA]
plots.bars(distances, "Fréchet distance to held-out clothes", colors=colors)

# %% [markdown]
# The Fréchet distance compares mean and covariance of a network's features (lecture 05). The GAN's, 11.1 (here and below: the run of 5,000 steps; the longer run on a GPU gives other numbers), is far below that of noise, 121, and far above the floor, 0.145. It does not say what is missing. Count, as on the ring: a separately trained classifier names the class of each sample.

# %%
classifier = metrics.Classifier("fashion")
names = fashion.classes
chances = {"samples": samples, "real": held_out[:5000]}
chances = {name: classifier.probabilities(pictures) for name, pictures in chances.items()}
found, really = [c.argmax(1).bincount(minlength=10).tolist() for c in chances.values()]
doubted = {name: (c.amax(1) < 0.6).float().mean().item() for name, c in chances.items()}
print(f"fewest: {min(found)} of 5,000 ({names[found.index(min(found))]}); a tenth would be 500")
print("pictures whose class the classifier doubts:", {n: f"{d:.1%}" for n, d in doubted.items()})
assert min(found) < 50 < 350 < min(really)
counts, real_counts = (dict(zip(names, c, strict=True)) for c in (found, really))
figures.class_counts(counts, 500, real_counts)

# %% [markdown]
# By this count, trousers (31) and sandals (21) are almost missing in this run, and the Fréchet distance did not say so. The counts are rough: the classifier doubts the class of 41 % of the samples (of 9 % of the real pictures), that is, gives no class a probability of 0.6 or more. A sheet of 16 samples would not show the gap: of 100 *real* sheets, about 19 show no trousers either.
#
# **Has it only copied?** Look for the training pictures nearest to each sample.
#
# ### Exercise 6 · Nearest neighbours
#
# For each query find the `k` nearest images by Euclidean distance over all pixels: indices and distances, nearest first. The next cells ask for 500 queries among 60,000 pictures: all differences at once, `(n, m, C, H, W)`, do not fit into memory. `torch.cdist` and `topk` or `sort` are allowed. *Three lines, four minutes.*


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
indices, near = nearest_neighbours(samples[:10], x, 3)
plots.with_neighbours(samples[:10], x[indices])

# %% [markdown]
# None of these ten samples is a copy. But how near is too near? Compare with held-out clothes, blurred ones (blur shortens distances: lecture 01) and noisy copies.

# %%
blurred = torch.nn.functional.avg_pool2d(
    held_out[:500], 3, stride=1, padding=1, count_include_pad=False
)
copies = x[:500] + 0.1 * torch.randn(500, 1, 28, 28, generator=seed(0))
rivals = {"samples": samples[:500], "held-out clothes": held_out[:500]}
rivals |= {
    "held-out, blurred": blurred,
    "copies with noise": copies,
    "all black": -torch.ones(1, 1, 28, 28),
}
near = {name: nearest_neighbours(r, x, 1)[1].median().item() for name, r in rivals.items()}
print("median distance to the nearest training picture:", {n: round(d, 2) for n, d in near.items()})
assert near["copies with noise"] < 0.5 * near["samples"]
assert near["held-out, blurred"] < near["held-out clothes"]

# %% [markdown]
# Copies with a little noise would show: they are at 2.8, held-out clothes at 6.9 (6.8 when blurred). The typical sample, at 6.7, is no such near copy. The number says no more than that: even an all-black picture is at 4.3, and noise of 0.24 per pixel instead of 0.1 would also move a copy to 6.7.

# %% [markdown]
# ### Exercise 7 · A walk between two samples
#
# Codes from a 64-dimensional Gaussian lie near a *sphere* of radius 8, and a straight line between two of them cuts through its empty inside. **Spherical interpolation** (slerp, White 2016) follows the arc, at constant speed if both codes have the same length. With $\omega$ the angle between the codes and $f$ the fraction:
#
# $$\frac{\sin((1-f)\,\omega)}{\sin\omega}\, z_a + \frac{\sin(f\,\omega)}{\sin\omega}\, z_b .$$
#
# Each pair in the batch has its own angle, and its two codes may differ in length. Where two codes are (nearly) parallel, use the straight line; opposite codes have no arc of their own, and any finite numbers will do. *Six lines, eight minutes.*


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
ends = torch.randn(2, 1000, made.nz, generator=seed(0))
halfway = {"line": ends.mean(dim=0), "arc": slerp(*ends, 0.5)}
length = {name: z.norm(dim=-1).mean().item() for name, z in {"ends": ends, **halfway}.items()}
print("mean length of codes:", {name: round(value, 2) for name, value in length.items()})
assert length["line"] < 0.75 * length["ends"] < length["arc"]

# %%
ends = torch.randn(2, 4, made.nz, generator=seed(5))
with torch.no_grad():
    films = [
        torch.cat([made(slerp(ends[0, [i]], ends[1, [i]], f / 9)) for f in range(10)])
        for i in range(4)
    ]
plots.rows({f"walk {i + 1}": film for i, film in enumerate(films)})

# %% [markdown]
# Halfway, the codes on the straight line have a mean length of 5.65, those on the arc 7.99, like the ends (7.98). Between a shoe and a top (walks 1 to 3) come pictures that are neither: $G$ is continuous, but clothes come in separate kinds.
#
# ### From a picture back to its noise
#
# A GAN has no encoder. To find the $z$ of a picture, descend on $\lVert G(z) - x\rVert^2$ from several random starts, and keep the best.

# %%
targets = torch.cat([held_out[:10], samples[:10]])  # its own samples: can the search find them?
torch.manual_seed(0)
z = torch.randn(20, 8, made.nz, requires_grad=True)  # 8 starts for each picture
search = torch.optim.Adam([z], 0.05)
for _ in range(pick(smoke=150, laptop=300, gpu=300)):
    loss = (made(z.flatten(0, 1)).view(20, 8, -1) - targets.flatten(1)[:, None]).square().mean(2)
    search.zero_grad()
    loss.sum().backward()
    search.step()
with torch.no_grad():
    inverted = made(z[torch.arange(20), loss.argmin(1)])
targets, own = targets.split(10)
inverted, found_again = inverted.split(10)
neighbours = x[nearest_neighbours(targets, x, 1)[0][:, 0]]
compared = {
    "the GAN's own samples": (found_again, own),
    "the GAN's best": (inverted, targets),
    "the nearest training picture": (neighbours, targets),
    "the mean picture": (x.mean(dim=0), targets),
}
errors = {name: (a - b).square().mean().item() for name, (a, b) in compared.items()}
print("mean squared error:", {name: round(value, 4) for name, value in errors.items()})
closer = [(a - targets).square().mean((1, 2, 3)) for a in (neighbours, inverted)]
print(
    "the training picture is nearer than the GAN's best for", (closer[0] < closer[1]).sum().item()
)
again, ours, neighbour, mean = errors.values()
assert again < 0.01 < neighbour < ours < mean
plots.rows({"picture": targets, "the GAN's best": inverted})

# %% [markdown]
# The search works: it finds the GAN's own samples again (error 0.0008). Yet for ten real pictures the best of eight searches ends, on average, farther away (0.087) than the nearest *training* picture (0.058), and for seven of them the training picture is nearer. This suggests that $G$ cannot draw all of them. Four of the ten are trousers or sandals, which it hardly ever makes.
#
# ## 7 · What the losses do not tell you
#
# Suppose that $D$ ends up near ½ everywhere. **What does that prove?**

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
# A $D$ that has learned nothing also says about ½, on average, of data and of noise, and a rise of the generator's loss may only mean that $D$ improves. To judge $G$, train a *fresh*
# discriminator on held-out pictures against samples, or measure a distance. Both can be compared with what two sets of real pictures give; the losses of the game depend on the opponent.
#
# ## 8 · VAE or GAN?
#
# The student report *Generative Models for Image Generation* (lecture 02) ends with pros and cons of the two. For the VAE: a picture can be compared with its reconstruction; decent results after little training; but blurred. For the GAN: the sharpest images; but no noise is known for a picture, and it draws style without an object. Check them with **your own measurements** from lecture 02 (faces: the table in section 10) and this one (clothes). Return a dictionary: each statement, with a pair of short texts, for the VAE and for the GAN. Which
# statements do they support? Which need a comparison on the same data?

# %%
sharp = [metrics.sharpness(pictures).mean().item() for pictures in (samples, held_out[:5000])]
print(f"sharpness: samples {sharp[0]:.2f}, real clothes {sharp[1]:.2f} (grain counts as sharp)")


# %%
def my_measurements():
    """{the report's statement: (number for the VAE, number for the GAN)}, with what you measured"""
    ### BEGIN SOLUTION
    search, found_least = errors["the GAN's best"], min(found)
    return {  # the VAE: lecture 02, section 10, 800 steps
        "VAE +: a picture can be compared with its reconstruction": ("error 0.026", "no encoder"),
        "VAE +: decent results after little training": ("under 1 min", "about 2 min"),
        "VAE −: blurred": ("sharpness 0.40, real 0.95", f"{sharp[0]:.2f}, real {sharp[1]:.2f}"),
        "GAN +: the sharpest images": ("as above", "as above: grain"),
        "GAN −: no noise is known for a picture": ("one pass", f"300 steps, error {search:.3f}"),
        "GAN −: style without an object": ("not measured", f"{doubted['samples']:.0%} doubted"),
        "(not in the report) what is left out": ("recall 0.03 to 0.04", f"{found_least} of ~500"),
    }
    ### END SOLUTION


print(f"{'':58}{'VAE (faces)':30}GAN (clothes)")
for statement, numbers in (my_measurements() or {"(fill in my_measurements)": ("", "")}).items():
    print(f"{statement:58}{numbers[0]:30}{numbers[1]}")

# %% [markdown]
# Two statements need no common data: a VAE can compare a picture with its reconstruction, because it encodes the picture in one pass; the GAN has no encoder, and a search for the noise takes 300 steps. Training time and sharpness do need it: even real faces (0.95) are sharper than real clothes (0.73). Each measured against its own data, the two are about equally sharp here: VAE 42 % (0.40 of 0.95, after 800 steps), GAN 41 % (0.30 of 0.73, one run of 5,000 steps), and part of the GAN's sharpness is grain. So our numbers do not support "the sharpest images". "Style without an object" has no number for the VAE.
#
# ## To go further
#
# 1. **k.** Plot modes covered after 1,000 steps for $k = 1, 2, 5, 10$ (`d_steps`), five seeds each. A batch is shared out among the $k$ steps: in `play`, draw batches of $256k$, and let the seed vary. Is a better $D$ better?
# 2. **The grid of 25** (`variant="grid25"`). Find a setting that covers all 25 modes.
# 3. **Ten codes.** Draw ten codes $z$ once, and train with only these. What do *new* codes give?
#
# ## References
#
# - I. Goodfellow and others. Generative adversarial nets. *NIPS* 2014, arXiv:1406.2661.
# - L. Mescheder and others. Which training methods for GANs do actually converge? *ICML* 2018, arXiv:1801.04406.
# - A. Srivastava and others. VEEGAN: reducing mode collapse in GANs using implicit variational learning. *NIPS* 2017, arXiv:1705.07761.
# - M. Arjovsky, L. Bottou. Towards principled methods for training generative adversarial networks. *ICLR* 2017, arXiv:1701.04862.
# - T. White. Sampling generative networks. arXiv:1609.04468, 2016.
# - M. Heusel and others. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. *NIPS* 2017, arXiv:1706.08500.
# - M. Kahng and others. GAN Lab: understanding complex deep generative models using interactive visual experimentation. *IEEE TVCG* 25, 2019, arXiv:1809.01587.
# - P. Shamsolmoali and others. Image synthesis with adversarial networks: a comprehensive survey and case studies. *Information Fusion* 72, 2021, arXiv:2012.13736.
