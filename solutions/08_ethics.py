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
# # 08 · Ethics, as experiments
#
# {{badge}}
#
# **You will be able to**
# - say how sure a measured share is, and refuse to speak without that;
# - measure whether a generator copies its training pictures, and whether its losses give away who was among them;
# - tell what the nearest training picture proves about a drawn one, and what it does not;
# - compare the share that went into a model with the share that comes out;
# - train a detector of fakes, see it fail, and compute what its errors mean for a million pictures;
# - put a mark into a picture, test for it with a p-value you can trust, break it and forge it;
# - write the card that a model should come with.
#
# **Time**: two to three hours with the exercises and the discussions. The cells run in about 2 minutes on a laptop.
# **You need**: lectures 02 to 04 (VAE, GAN), lecture 07, or the willingness to take it on trust (a flow makes a picture by removing noise).

# %%
# {{setup}}

# %%
import hashlib
import hmac
import io
import math
import time

import torch
import torch.nn.functional as F
from IPython.display import Markdown
from PIL import Image, PngImagePlugin
from scipy.stats import binomtest

from course_lib import auditing, data, dcgan, device, gan, metrics, plots, studies

# %%
from course_lib.autoencoders import VAE
from course_lib.diffusion import flow_sample
from course_lib.exercises import check, hint, predict, solution
from course_lib.plots import auditing as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.studies import audits
from course_lib.training import train
from course_lib.unet import UNet
from course_lib.widgets import auditing as sliders

home, full = device.choose().device, current() != "smoke"


def seed(n):
    return torch.Generator().manual_seed(n)


# %% [markdown]
# The slides that this course grew out of name five concerns about machines that make pictures:
#
# | concern | its case | the experiment |
# |---|---|---|
# | consent and privacy | chest radiographs of patients | does the model give its training pictures back? (2) |
# | authorship and property | signatures in generated portraits | whose picture is it? (3) |
# | bias and discrimination | faces that are recognised, and not | which share goes in, which comes out? (4) |
# | deepfakes and misinformation | a president who never said it | can fakes be told? can they be marked? (5, 6) |
# | work and its worth | a prize for a generated picture | what does a picture cost, and can you tell? (7) |
#
# Such concerns are often traded as opinions. Much of each is a question that one can measure, and this lecture does so. What is left then, and it is a lot, is a question of what one *wants*. Each section ends with questions that have several good answers. A
# good answer names the number that would change it.
#
# The faces are drawings (Open Peeps). Nobody real is in them, "skin" is one of five colour codes, and what copies here are small networks. The numbers below hold for these models and drawings only. The method carries over to large models; the numbers do not.
#
# ## 1 · How sure is a share?
#
# Nearly every claim of this lecture is a share: of copies, of glasses, of fakes found. You draw 20 faces and none wears glasses. **Which is the largest true share, in percent, that this is compatible with?** (At 95 %: a larger one would hardly ever
# give 0 of 20.)

# %%
# Replace ... by a number
guess = predict("ethics.none_of_20", ...)

# %% [markdown]
# ### Exercise 1 · A share and its interval
#
# `answers` holds n times yes or no. Return the share and **Wilson's interval** (1927): all true shares $p$ that $k$ of $n$ does not refute, $|k/n - p| \le z\sqrt{p(1-p)/n}$ with $z = 1.96$. Solved for $p$:
#
# $$\frac{k + z^2/2}{n + z^2} \;\pm\; \frac{z}{n + z^2}\sqrt{\frac{k(n-k)}{n} + \frac{z^2}{4}} .$$
#
# *Four lines, five minutes.*


# %%
def attribute_shares(answers):
    """(n,) of yes and no -> the share of yes, (low, high)"""
    ### BEGIN SOLUTION
    k, n, z = answers.sum().item(), len(answers), 1.96
    middle = (k + z**2 / 2) / (n + z**2)
    half = z * math.sqrt(k * (n - k) / n + z**2 / 4) / (n + z**2)
    return k / n, (middle - half, middle + half)
    ### END SOLUTION


attribute_shares = check("ethics.attribute_shares", attribute_shares)

# %%
share, (low, high) = attribute_shares(torch.zeros(20, dtype=torch.bool))
print(f"0 of 20: {share:.0%}, and up to {high:.1%}.", guess.reveal(round(100 * high, 1)))
assert abs(high - 0.161) < 0.001

# %% [markdown]
# Opinion polls usually report another interval, $k/n \pm 1.96\sqrt{k/n\,(1 - k/n)/n}$ (Wald's). It says 0 … 0 for 0 of 20. **Claim.** For a true share of 10 % and 20 draws, Wald's interval holds the truth in 88 % of all cases; it promises 95. Wilson's does in 96 %.


# %%
def holds(interval, p=0.1, n=20):
    """How often an interval from k of n holds p: the chances of all k for which it does."""
    chances = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    ends = [interval(torch.arange(n) < k) for k in range(n + 1)]
    return sum(c for c, (_, (low, high)) in zip(chances, ends, strict=True) if low <= p <= high)


def wald(answers):
    share = answers.float().mean().item()
    half = 1.96 * math.sqrt(share * (1 - share) / len(answers))
    return share, (share - half, share + half)


kept = {"Wald": holds(wald), "Wilson": holds(attribute_shares)}
print({name: f"{value:.1%}" for name, value in kept.items()})
assert kept["Wald"] < 0.9 < 0.95 < kept["Wilson"]

# %% [markdown]
# ## 2 · Consent and privacy: does it give its training pictures back?
#
# **The case.** The slides show a chest radiograph from Desai and others (2020): a public collection of X-ray and CT pictures of 105 patients of a hospital in Arkansas who had tested positive for COVID-19, chosen because such patients from the country are
# rare in public data. They were published with names removed. Pictures like these are needed, and are private. So people propose to publish *generated* radiographs instead: nobody's lungs. That works if the generator makes new ones. Akbar and others
# (2023) trained a GAN and a diffusion model on scans of brains and chest X-rays and searched for copies. The diffusion model was more likely to return its training pictures, most of all when they were few. Carlini and others
# (2023) had large diffusion models return photographs of persons.
#
# A generator has far fewer weights than its training set has pixels. **Can it give a training picture back?**

# %%
# Replace ... by one of: "no, it stores no images", "yes, all of them", "yes, some of them"
guess = predict("ethics.stores_images", ...)

# %% [markdown]
# What is a copy? "Near to a training picture" will not do. Two faces on white ground are always near: most of their pixels are white. But a copy is near to *one* training picture and no nearer than usual to the others. So compare the nearest
# with the next:
#
# $$r(x) = \frac{\text{distance to the nearest}}{\text{distance to the next}} .$$
#
# ### Exercise 2 · The share of copies
#
# Return the share of the drawn pictures with $r$ below a threshold. One trap: an original that stands in the training set *twice* is its own next picture. Equal training pictures count once. `torch.cdist` gives all distances of rows. *Four lines,
# ten minutes.*


# %%
def memorisation_rate(generated, training, threshold):
    """(n, C, H, W), (m, C, H, W), a number -> the share of copies"""
    ### BEGIN SOLUTION
    different = training.flatten(1).unique(dim=0)
    distances = torch.cdist(generated.flatten(1).double(), different.double())
    nearest = distances.topk(2, largest=False).values
    return (nearest[:, 0] < threshold * nearest[:, 1]).float().mean()
    ### END SOLUTION


memorisation_rate = check("ethics.memorisation_rate", memorisation_rate)

# %% [markdown]
# (The library's version compares with the mean of the next *ten*, so that a second picture of the same person does not hide a copy. From here on we use that.)
#
# Whoever sets the threshold decides the result. **From which pictures should it be taken?**

# %%
# Replace ... by one of: "from the generated images", "from the copies found by eye",
#                        "from held-out real images"
guess = predict("ethics.threshold_from", ...)

# %%
print(guess.reveal("from held-out real images"))
known, strangers = audits.members(20, seed=0)
x, unseen = known.floats(), strangers.floats()
hundredth, threshold = auditing.copy_threshold(unseen, x), audits.NEAR
called = (auditing.copy_ratios(unseen, x)[0] < threshold).double().mean().item()
print(
    f"{len(x)} faces to learn from, {len(unseen)} strangers; 1 % of them have r < {hundredth:.3f}"
)
print(f"rounded to {threshold}: {called:.1%} of the strangers would be called copies")
assert called <= 0.015

# %% [markdown]
# The threshold is now fixed, before any picture is generated: 0.15, which falsely flags about 1 % of new faces. It is this low because drawings share parts. A stranger may have the head and face of a training picture, and other clothes. At 16×16 pixels some are identical, pixel for pixel. Among more training faces a stranger
# has more such twins. So wherever we count copies we count beside them how many *strangers* would be called copies at the same threshold. That is the floor.
#
# The model: a flow (lecture 07) with a small U-Net, on faces of 16×16 pixels, 2,000 steps of up to 32 faces. It learns from 20 faces, and in other runs, with the same steps, from 100, 500 and 2,000. **What percentage of the pictures that the model of 20 draws
# are copies?**

# %%
# Replace ... by a number
guess = predict("ethics.copies_of_few", ...)

# %%
print("up to a minute …" if full else "a few steps only")
model = audits.learned(known, 0, steps=pick(smoke=5, laptop=audits.STEPS, gpu=audits.STEPS))
made = audits.draw(model, pick(smoke=40, laptop=400, gpu=400), 0)
ratios, originals = auditing.copy_ratios(made, x)
rate = auditing.memorisation_rate(made, x, threshold)
interval = auditing.wilson_interval(round(rate * len(made)), len(made))
print(f"copies: {rate:.1%}, between {interval[0]:.1%} and {interval[1]:.1%}")

# %%
shown = ratios.argsort()[torch.linspace(0, len(made) - 1, 10).long()]
pairs = made[shown], x[originals[shown]], ratios[shown], threshold
figures.copies(*pairs)

# %% [markdown]
# From left to right the best to the worst copy, each above its original, the ratio $r$ written on top, copies framed. The other runs are stored. They were made by the function that has just run, `audits.memory`. Each share is of 1,000 drawn pictures a run,
# two runs with other faces each. (The interval knows how many pictures were drawn. How other faces would have come out it does not know.)

# %% tags=["quality"]
table = studies.read("memorised")


def pooled(rows, column="copies"):
    k, n = (int(sum(row[name] for row in rows)) for name in (column, "judged"))
    return k / n, auditing.wilson_interval(k, n)


by_size, floor = {}, {}
for size in audits.SIZES:
    rows = [row for row in table if row["size"] == size]
    by_size[size] = share, (low, high) = pooled(rows)
    floor[size] = sum(row["called"] for row in rows) / sum(row["strangers"] for row in rows)
    each = [int(row["copies"]) for row in rows]
    print(f"{size:5} faces: copies {share:6.1%} ({low:.1%} … {high:.1%}), by run {each};", end=" ")
    print(f"of strangers {floor[size]:.1%}; median r {rows[0]['median_ratio']:.2f}")
print(guess.reveal(round(100 * by_size[20][0], 1)))
assert by_size[20][0] > 0.5 and all(by_size[size][0] <= floor[size] for size in (100, 500, 2000))

# %% [markdown]
# Of 20 faces the model copies in 74 % of its pictures; with 100 and more faces, copies are rarer than strangers that would be called so. But two things change together here: the number of faces, and how often each is shown. In 2,000 steps each of 20 faces is seen 2,000 times, each of 100 faces 640 times, each of 2,000 only 32 times. Hold the second constant: a model of 20 faces that is stopped when each has been seen 640 times copies *none* (0 of 1,000 in each of two runs, median $r$ 0.45 and 0.41; the models of 100 faces: 0 and 5 of 1,000, median 0.46 and 0.43). So what the curve shows is mostly how often each face was shown. (The size of the network, 296,000 weights, was the same in all runs; nothing here speaks about size.)
#
# But does a large training set protect the one whose picture stands in it *often*? One face is put in
# 64 times among 200 others, a second one 16 times, a third 4 times. **What percentage of the drawn pictures will be copies of the first one?**

# %%
# Replace ... by a number
guess = predict("ethics.duplicates", ...)

# %%
plants = studies.read("planted")
times = [int(k) for k in audits.PLANTED if k > 1]
by_times = {k: pooled([row for row in plants if row["times"] == k]) for k in times}
others = pooled([row for row in plants if row["times"] == 1])
share_of_rows = {k: k / plants[0]["rows"] for k in times}
for k, (share, (low, high)) in by_times.items():
    each = [int(row["copies"]) for row in plants if row["times"] == k]
    told = f"{share:.1%} ({low:.1%} … {high:.1%}), by run {each}"
    print(f"{k:2} times, {share_of_rows[k]:.1%} of the rows: copies {told}")
print(f"copies of any of the 200 others: {others[0]:.1%} (up to {others[1][1]:.1%})")
print(guess.reveal(round(100 * by_times[64][0], 1)))
assert by_times[64][1][0] > 0.02 > 0.01 > others[1][1]  # whole intervals apart

# %% tags=["cover"]
figures.copying(pairs, by_size, floor, by_times, share_of_rows)

# %% [markdown]
# The face that stands 64 times comes back as a copy in 5 % of the pictures of one run and in 19 % of the other, from models that copy the 200 others in less than 1 %. The set is large enough for everyone except the person who is in it too often.
#
# The two runs do not agree, because they repeat two different faces, and the interval in the figure (10 to 13 %) contains neither. 64 of 284 rows are 23 % (dotted). So one model draws its repeated face nearly as often as it stands in the set, well enough to pass the threshold, and the other does so less well. The narrow interval in the figure knows
# nothing of that. It counts pictures, and here the *faces* differ. Look at runs before you trust an interval.
#
# In sets gathered from the web popular pictures stand many times. Carlini and others looked for copies among the most often repeated pictures of a large model's training set, and found them there.
#
# ### Who was in the training set?
#
# A copy shows itself. But a model can give away *that* a picture was in its training set without ever drawing it: by its loss. For a hospital's model, to know that a person is in the set is to know a diagnosis. An attacker who holds your picture asks the model for
# its loss and compares it with those of strangers (Yeom and others 2018).
#
# To say how well a number tells two kinds apart one needs no threshold. Take one picture of each kind: **how often does the right one have the higher score?** That is the area under the ROC curve, AUC: 1 always, ½ by guessing.
#
# ### Exercise 3 · The area under the curve
#
# Of all pairs (a picture of label 1, a picture of label 0), return the share in which the first has the higher score. Equal scores count half. *Two lines, five minutes.*


# %%
def roc_auc(scores, labels):
    """(n,) scores, (n,) labels 0 or 1 -> a number from 0 to 1"""
    ### BEGIN SOLUTION
    gaps = scores[labels == 1][:, None] - scores[labels == 0]
    return ((gaps > 0).float() + 0.5 * (gaps == 0).float()).mean()
    ### END SOLUTION


roc_auc = check("ethics.roc_auc", roc_auc)

# %% [markdown]
# ### Exercise 4 · Membership
#
# How often has a training picture a *lower* loss than a stranger? One or two lines with `roc_auc`. *Three minutes.*


# %%
def membership_auc(losses_members, losses_non_members):
    """(m,), (n,) -> a number from 0 to 1; ½ where the losses give nothing away"""
    ### BEGIN SOLUTION
    scores = -torch.cat([losses_members, losses_non_members])
    labels = torch.arange(len(scores)) < len(losses_members)
    return roc_auc(scores, labels.long())
    ### END SOLUTION


membership_auc = check("ethics.membership_auc", membership_auc)

# %% [markdown]
# A trap before we measure. Someone finds an AUC of 0.95, where members are faces drawn by one artist and strangers are photographs. **What does that say about the model?**

# %%
# Replace ... by one of: "it has memorised its members", "nothing", "it generalises well"
guess = predict("ethics.members_by_size", ...)

# %%
print(guess.reveal("nothing"))
both = audits.losses(model, x), audits.losses(model, unseen)
auc = float(membership_auc(*both))
low, high = auditing.auc_interval(auc, len(x), len(unseen))
print(f"the model of 20: AUC {auc:.3f} ({low:.3f} … {high:.3f})")
figures.two_kinds({"the model of 20": both}, ("members", "strangers"), "loss of a picture")

# %% [markdown]
# Members and strangers come from one shuffle here, so the losses speak of the model and of nothing else. The stored runs:

# %%
by_loss = {}
for size in audits.SIZES:
    rows = [row for row in table if row["size"] == size]
    auc = sum(row["auc"] for row in rows) / len(rows)
    counts = (int(sum(row[kind] for row in rows)) for kind in ("members", "strangers"))
    by_loss[size] = auc, auditing.auc_interval(auc, *counts)
    print(f"{size:5} faces: AUC {auc:.3f} ({by_loss[size][1][0]:.3f} … {by_loss[size][1][1]:.3f})")
assert by_loss[100][0] > 0.85 and abs(by_loss[2000][0] - 0.5) < 0.06
figures.along({"by loss": by_loss}, 0.5, "faces in training", "membership AUC")

# %% [markdown]
# The model of 100 faces, of whose pictures 2 in 1,000 pass for copies, still gives its members away. Of a member and a stranger the loss points at the member in more than 85 % of all pairs. *No copies* does not mean *no trace*. At 2,000 faces the losses say nothing any more, by this attack. (There
# are better ones. A measured AUC is a lower bound of what can be known.)
#
# AUC is an average over all thresholds; an attacker who accuses people wants to be nearly always right. At a threshold that accuses 1 % of the strangers, the loss finds 21 of the 100 members in one run of 100 faces (Carlini and others 2022 argue that this is the number to report). And of the two models of 20 faces that were stopped early and copy nothing it finds 20 and 19 of 20.

# %% [markdown]
# ### Likeness without consent
#
# Copies are not the only harm to a person in the pictures. The slides name another one: generated pictures of real people, who never agreed, "in compromising or controversial situations". A model that has seen many photographs of one person, or is fine-tuned on ten of them, can show that person anywhere: undressed, in a crime, in an advertisement. None of these pictures is a copy of a training picture, so no number of this section finds them. A perfect detector of fakes (section 5) does not help either: the harm is done even if everyone knows that the picture is generated. What was violated is consent, and consent is not in the pixels.
# Laws have begun to say so: in the United States the TAKE IT DOWN Act (2025) makes it a crime to publish intimate pictures of a person without consent, generated ones included; in the EU, Directive 2024/1385, Article 5, asks the same of its members by June 2027.
#
# ### To discuss
#
# 1. The collection of radiographs has 105 patients. Our numbers are about small drawings and one small network, so they do not transfer to radiographs; the *question* does. Would you publish a generator trained on these patients instead of the pictures? Some answers: *no, unless the attack of this section has been tried on this very model*; *yes, to those who
#    sign a contract, because a contract can forbid the attack*; *neither: publish what was learned about the disease*. Which number of this section would change your mind, and how far would it have to move?
# 2. A company says: "copies are a bug, we remove duplicates". Compare the left and the right curve. How much of the problem is that?
# 3. Patients were asked for *research*. Is a generator research? Is a picture that is nobody's copy, from a model that has seen them, about them?
#
# ## 3 · Authorship: whose picture is it?
#
# **The case.** In 2022 people paid an app, Lensa, to paint their portraits in the style of painters. In the corner of some portraits stood what looked like a signature, smeared, of nobody in particular. *What are those signatures doing there?*, asked Shanti Escalante-De
# Mattei in ARTnews (2022). Two readings. A model that has seen that paintings end in a squiggle draws a squiggle: it has learned a habit, as a student does. Or: the squiggles are remains of somebody's signature, and show whose
# paintings went in, without a question or a cent.
#
# "A generated picture is a collage of pieces of training pictures." **What would show that for a given model?**

# %%
# Replace ... by one of: "the way it was trained", "a nearest training image for each sample",
#                        "neighbours nearer than those of unseen real images"
guess = predict("ethics.collage", ...)

# %% [markdown]
# Take four shipped generators of faces: a VAE and a VAE/GAN (lecture 02), a DCGAN at 64×64, averaged to 32×32 as the real pictures were (lecture 04), a flow. For each drawn face we look for the nearest real one. Not by pixels: by the 64 features of a network that knows glasses,
# beards, hair and skin.

# %%
print(guess.reveal("neighbours nearer than those of unseen real images"))
train_faces, test_faces = (data.load("peeps", part, size=32).floats() for part in ("train", "test"))
vae = load_weights("vae_peeps32", VAE(size=32, latent=32))
vaegan = load_weights("vaegan_peeps32", VAE(size=32, latent=32))
dcgan64 = load_weights("dcgan_peeps64", dcgan.Generator(nz=128))
flow = load_weights("flow_peeps32", UNet(3, 32, patch=2))


@torch.no_grad()
def draw(name, n, generator):
    """n faces of 32 × 32 by one of the four generators"""
    if name == "DCGAN":
        return F.avg_pool2d(gan.sample(dcgan64, n, generator=generator), 2)
    if name == "flow":
        return flow_sample(flow, (n, 3, 32, 32), generator=generator, steps=20).clamp(-1, 1)
    net = vae if name == "VAE" else vaegan
    return net.decode(torch.randn(n, 32, generator=generator)).clamp(-1, 1)


# %%
count = pick(smoke=60, laptop=500, gpu=500)
drawn = {name: draw(name, count, seed(3)) for name in ("VAE", "VAE/GAN", "DCGAN", "flow")}
plots.rows({"real": test_faces[:12]} | {name: made[:12] for name, made in drawn.items()})

# %% [markdown]
# Now the search, as one would do it to find out whose drawing was used. 516 training pictures and 516 that no generator has ever seen are put into one drawer. For each drawn face the nearest picture in the drawer is pulled out. **How often, in percent, is it one of the
# *unseen*?**

# %%
# Replace ... by a number
guess = predict("ethics.nearest_is_source", ...)

# %%
describe = metrics.FeatureNet("peeps").features
some = train_faces[torch.randperm(len(train_faces), generator=seed(4))[: len(test_faces)]]
seen_features, unseen_features = describe(some), describe(test_faces)
from_seen = {}
for name, made in drawn.items():
    from_seen[name] = auditing.seen_share(describe(made), seen_features, unseen_features)
    share, (low, high) = from_seen[name]
    print(f"{name:8} the nearest was seen in training: {share:.1%} ({low:.1%} … {high:.1%})")
wrong = 1 - sum(share for share, _ in from_seen.values()) / len(from_seen)
print(guess.reveal(round(100 * wrong, 1)))

# %% [markdown]
# About half, as a coin would decide. Are the generators acquitted? **First ask what this experiment could have found.** Put 500 *exact copies* of training pictures before the same drawer: the nearest was seen in training in 52.6 % (48.2 … 56.9). The drawer acquits a thief! It holds 516 of 4,484 training pictures, so in eight of nine cases the copied original is not in it. *An experiment that finds nothing says nothing until you have shown what it would have found.* The next control has that power.
#
# The nearest pictures look convincing all the same. In the first row are faces that the flow has drawn, in the second the nearest *training* picture, in the third the nearest picture that it has *never seen*:

# %%
drawers = {"training": (some, seen_features), "never seen": (test_faces, unseen_features)}
nearest = {"drawn": drawn["flow"][:10]}
for name, (faces, described) in drawers.items():
    places, _ = gan.nearest_neighbours(describe(drawn["flow"][:10]), described)
    nearest[name] = faces[places[:, 0]]
plots.rows(nearest)

# %% [markdown]
# **The control** takes the place of the drawn face by a real one that the model cannot have made, a held-out face, and asks for *its* nearest training picture. It finds a "source" for it, too. Is the source of a drawn face any nearer than the source of an
# innocent one? By AUC: ½ says no.

# %%
shelf = describe(train_faces)


def way_to_source(features):
    """The distance to the nearest training picture, of each."""
    return gan.nearest_neighbours(features, shelf)[1][:, 0]


innocent = way_to_source(unseen_features)
nearer = {
    name: float(membership_auc(way_to_source(describe(made)), innocent))
    for name, made in drawn.items()
}
print("nearer to its source than an innocent face is:", {k: f"{v:.2f}" for k, v in nearer.items()})
assert max(nearer.values()) < 0.3
if full:
    assert all(0.38 < share < 0.6 for share, _ in from_seen.values())

# %% [markdown]
# A generated face is *farther* from its "source" than an innocent face in more than 70 % of all pairs: generated faces are a little off, and so are far from every real one. This control has power: exact copies of training pictures have an AUC of 1.00, blurred ones still 0.57, and all four generators lie below 0.3.
#
# So the nearest training picture is no evidence by itself, for these models. It *is* evidence for a model that has seen little. The stored runs of section 2, the same search in pixels, as many seen as unseen pictures in the drawer. (For 20, 100 and 500 faces the drawer holds the whole training set. Of the 2,000 it holds 500, so there even exact copies would reach only about 62 %.)

# %%
by_search = {
    size: pooled([row for row in table if row["size"] == size], "seen") for size in audits.SIZES
}
for size, (share, (low, high)) in by_search.items():
    print(f"{size:5} faces: the nearest was seen in {share:.1%} ({low:.1%} … {high:.1%})")
assert by_search[100][0] > 0.75 and abs(by_search[2000][0] - 0.5) < 0.06
figures.along({"nearest was seen": by_search}, 0.5, "faces in training", "share")

# %% [markdown]
# ### To discuss
#
# 1. Somebody shows a generated portrait beside a painting of hers and says: it is mine. What do you ask her for, and the company? (Good answers ask for a drawer with unseen pictures in it, for the ratio $r$, for how often her paintings stood in the training set, or
#    say that likeness of style is not the point.)
# 2. Suppose no picture is a copy, and all are worth something only because 4,484 drawings went in. Is there a debt? To whom, if the nearest picture is a coin's throw? Possible: *to nobody*; *to all, a share each*; *to those who did not agree*. The drawings here
#    are in the public domain (CC0): does that end the question?
# 3. A style is no one's property in most laws. Should it be?
#
# ## 4 · Bias: which share goes in, which comes out?
#
# **The case.** Buolamwini and Gebru (2018) tried three commercial programs that say from a photograph whether it shows a man or a woman. For lighter-skinned men they erred in at most 0.8 % of the pictures, for darker-skinned women in up to 34.7 %. A generator can do such a
# thing in silence: it fills a page, and nobody sees who is missing. Bianchi and others (2023) asked text-to-image models for people of various professions, and found them more one-sided than the professions are.
#
# They compare with the professions. Here "amplified" means what it means to Zhao and others (2017): more one-sided than what went in. Two scales for that.
#
# ### Exercise 5 · Points and factors
#
# From `training_share` to `generated_share`: return the change in percentage *points*, and the factor. 0.7 to 0.8 is +10 points, and a factor 1.14. *One line, two minutes.*


# %%
def amplification(training_share, generated_share):
    """two shares -> (percentage points, factor)"""
    ### BEGIN SOLUTION
    return 100 * (generated_share - training_share), generated_share / training_share
    ### END SOLUTION


amplification = check("ethics.amplification", amplification)

# %% [markdown]
# The experiment. 1,789 people were drawn twice, without and with glasses, all else the same. We decide who wears them: 50, 70 or 90 %. A VAE, a GAN and a flow learn from each of these worlds, 600 steps each, three seeds with other people in glasses, 16×16 pixels. A network that was taught on
# the pairs counts the glasses in 1,000 drawn faces.
#
# First the instrument. The counter must not favour one answer, even on the kind of pictures that models make, which are blurred. (It misses about one pair of glasses in forty there: a share that is 2 % of itself too small.)

# %%
pairs16 = {
    name: data.load("peeps", "test", size=16, variant=f"{name}_glasses").floats()
    for name in ("without", "with")
}
counted = {}
for treatment, change in (("sharp", None), ("blurred", auditing.ATTACKS["blur 0.5"])):
    for name, faces in pairs16.items():
        faces = faces if change is None else change(faces)
        share, (low, high) = auditing.attribute_shares(audits.wears_glasses, faces)
        counted[treatment, name] = share
        print(f"{treatment:8} {name:8} glasses: counted in {share:.1%} ({low:.1%} … {high:.1%})")
assert counted["sharp", "with"] > 0.97 and counted["sharp", "without"] < 0.03

# %% [markdown]
# Half of the training faces wear glasses. **Which share of the drawn ones will?**

# %%
# Replace ... by one of: "half", "more than half", "fewer than half"
guess = predict("ethics.balanced", ...)

# %%
came_out = studies.read("attributes")
worlds = {}
for kind in audits.KINDS:
    worlds[kind] = []
    for row in (row for row in came_out if row["kind"] == kind):
        k, n = int(row["shown"]), int(row["judged"])
        worlds[kind].append((row["share"], k / n, auditing.wilson_interval(k, n)))
figures.in_and_out({"VAE": worlds["vae"], "GAN": worlds["gan"], "flow": worlds["flow"]})

# %% [markdown]
# Each dot is one trained model, its line the interval of its 1,000 pictures. On the dotted line nothing has changed. The dots of one model and one world differ by more than their intervals: which people wear the glasses, and how the weights began, matter too. So the
# fair interval is over *seeds*. With three, Student's $t$ says: the mean ± 4.3 standard errors.


# %%
def over_seeds(values):
    """The mean of three values, and Student's interval at 95 %."""
    values = torch.tensor(values)
    half = 4.303 * values.std().item() / 3**0.5
    mean = values.mean().item()
    return mean, (max(mean - half, 0.0), min(mean + half, 1.0))


# %%
changes, verdicts = {}, {}
for kind, points in worlds.items():
    for went_in in audits.SHARES:
        mean, interval = over_seeds([out for before, out, _ in points if before == went_in])
        changes[kind, went_in], factor = amplification(went_in, mean)
        verdicts[kind, went_in] = auditing.amplification(went_in, mean, interval).verdict
        ends = f"{interval[0]:.0%} … {interval[1]:.0%}"
        print(f"{kind:5} {went_in:.0%} in, {mean:.1%} out ({ends}):", end=" ")
        print(f"{changes[kind, went_in]:+.1f} points, × {factor:.2f}: {verdicts[kind, went_in]}")
print(guess.reveal("half"))
assert max(abs(change) for change in changes.values()) < 8
assert sum(verdict == "not shown" for verdict in verdicts.values()) >= 6
assert all(out > before for before, out, _ in worlds["flow"])

# %% [markdown]
# **Nothing large is amplified here.** All nine means lie within 8 points of what went in. In seven of nine cases the interval holds the training share. Two leave it out, the GAN of the 90 % world (+2 points) and the flow of the 50 % world (+6). Of nine such intervals at least one goes wrong by chance in more than a third of all studies ($1 - 0.95^9 = 37\,\%$), and two or more in 7 %: no proof. All nine runs of the flow have more glasses than went in. That is a reason for a new experiment with new seeds, and no result of this one: among three models and two directions we noticed the most striking row *after* we had seen it, and the counter was never tested on the flow's own mistakes.
#
# And thin glasses did not get lost, as one might have guessed: at 16×16 they are a dark bar.
#
# ### The shipped models
#
# They saw the world as it is in the data: 38 % with glasses, 25 % with beards or moustaches. What do they draw, at 32×32, by the course's classifier of faces? (On real ones it misses 0.5 % of the glasses and 6 % of the beards, and invents none. On held-out faces that the VAE has rebuilt it misses 9 % and 24 %; on those of the VAE/GAN it misses 5 % and 15 %, and invents glasses on 5 % and beards on 8 % of the others. Some of the misses are the reconstruction's. For DCGAN and flow we have no such faces.)

# %%
came = {}
for attribute in ("glasses", "facial_hair"):
    share_in = data.load("peeps").attributes[attribute].float().mean().item()
    judge = metrics.Classifier(f"peeps_{attribute}")
    for name, made in drawn.items():
        came[attribute, name] = share, (low, high) = auditing.attribute_shares(judge, made)
        verdict = auditing.amplification(share_in, share, (low, high)).verdict
        told = f"{share_in:.0%} in, {share:.0%} out ({low:.0%} … {high:.0%})"
        print(f"{attribute:11} {name:8} {told}: {verdict}")
if full:
    assert came["glasses", "flow"][1][1] < 0.37 and came["facial_hair", "DCGAN"][1][1] < 0.24
    assert came["facial_hair", "VAE/GAN"][1][0] > 0.33

# %% [markdown]
# What survives the judge's errors? Corrected for those that were measured, the VAE and the VAE/GAN generate more glasses (44 to 53 %, 43 to 53 %) and more beards (38 to 49 %, 45 to 56 %) than went in. The flow's few glasses and the DCGAN's few beards may be the judge's: if it misses as many there as on the VAE's faces, nothing is left. (For a share below ½, "weakened" means towards ½, and "amplified" away from it.) One training run each: with another seed the shares may move
# elsewhere. So "generators amplify" is no law. *This* model shifts *this* attribute by so much: that has to be measured, for each.
#
# %% [markdown]
# ### To discuss
#
# 1. One model draws 17 % beards where 25 % went in, another 47 %. Which of them is biased? Against what should one compare: the training data, the world, or the world as it should be? Each has its defenders, and each gives another number for the same model.
# 2. Nobody intended that the flow loses a sixth of the glasses. They are thin and hard to draw, and nobody was left out of the data. Is it harmless therefore? What if the thin thing were a hearing aid?
# 3. You may choose the training set 50 : 50 by hand. What do you lose, and who decides which attributes count?
#
# ## 5 · Deepfakes: can they be told?
#
# **The case.** The slides show a president, Barack Obama, in a video of MIT, saying what he has not said. (They give no more of the source than that.) How such a thing is made was published by Suwajanakorn and others (2017): from many hours of his weekly
# addresses a network learned which mouth belongs to which sound, and another recording was given to it. The usual answer is: detectors. Build a network that tells fakes from the real.
#
# First, what "right" is worth. Of 1,000 pictures 900 are real. A detector calls *all* of them real. **Which share of its answers is right, in percent?**

# %%
# Replace ... by a number
guess = predict("ethics.always_real", ...)

# %%
scores, labels = torch.zeros(1000), (torch.arange(1000) < 100).long()
right = ((scores > 0.5).long() == labels).float().mean().item()
print(guess.reveal(round(100 * right)), f"Its AUC is {roc_auc(scores, labels):.1f}.")
assert abs(right - 0.9) < 1e-6 and abs(roc_auc(scores, labels) - 0.5) < 1e-6

# %% [markdown]
# Now train four, each on the fakes of one generator. Each is an ordinary discriminator, trained on a fixed set of fakes. **A detector tells a GAN's pictures from real ones with 99 % right. What will it have on a diffusion model's pictures of the same things?** (Our flow is one of the
# family.)

# %%
# Replace ... by one of: "about 99 %", "more", "much less"
guess = predict("ethics.other_generator", ...)


# %%
def detector_of(name):
    """A detector trained on real faces against 1,000 fakes of one generator."""
    fakes = draw(name, pick(smoke=100, laptop=1000, gpu=1000), seed(5))
    torch.manual_seed(5)
    step = auditing.DetectionStep(dcgan.Discriminator(ndf=16, size=32).to(home), fakes)
    batches = data.load("peeps", size=32).batches(32, home, seed(6))
    train(step, batches, pick(smoke=10, laptop=250, gpu=250), title=f"against {name}")
    return step.detector.cpu()


detectors = {name: detector_of(name) for name in drawn}

# %% [markdown]
# They are judged on pictures that none of them has seen: 516 held-out faces and other draws of the generators. Half of the held-out faces set the threshold, the one that accuses 1 % of real pictures; the other half tell how many it accuses in truth.

# %%
setting, real = test_faces[::2], test_faces[1::2]
real_scores = {name: auditing.detect(net, real) for name, net in detectors.items()}
limits = {
    name: auditing.threshold_at(auditing.detect(net, setting), 0.01)
    for name, net in detectors.items()
}
fake_scores = {
    name: {maker: auditing.detect(net, made) for maker, made in drawn.items()}
    for name, net in detectors.items()
}


# %%
def ranked(real, fake):
    """All scores, and which of them are of fakes"""
    return torch.cat([fake, real]), torch.arange(len(fake) + len(real)) < len(fake)


aucs = {
    name: {maker: auditing.roc_auc(*ranked(real_scores[name], s)) for maker, s in of.items()}
    for name, of in fake_scores.items()
}
figures.cross_table(aucs, "trained against", "AUC on fakes of")

# %%
found = {
    name: {maker: (scores > limits[name]).double().mean().item() for maker, scores in of.items()}
    for name, of in fake_scores.items()
}
for name, of in found.items():
    told = ", ".join(f"{maker} {share:.0%}" for maker, share in of.items())
    accused = (real_scores[name] > limits[name]).double().mean().item()
    print(f"against {name:8} real accused {accused:.1%}; found: {told}")
figures.cross_table(found, "trained against", "share of fakes found, threshold at 1 %")

# %%
curves = {
    maker: auditing.roc_curve(*ranked(real_scores["DCGAN"], scores))
    for maker, scores in fake_scores["DCGAN"].items()
}
print(guess.reveal("much less"))
if full:
    assert min(aucs[name][name] for name in aucs) > 0.97 and found["DCGAN"]["DCGAN"] > 0.95
    assert aucs["DCGAN"]["flow"] < 0.92 and found["DCGAN"]["flow"] < 0.6
    assert aucs["DCGAN"]["VAE/GAN"] < 0.65 and found["VAE"]["flow"] > 0.6
figures.roc(curves)

# %% [markdown]
# (One seed each.) Each detector knows its own generator almost without an error. The GAN's detector finds all of the GAN's fakes, a fifth of the flow's, and of the VAE/GAN's hardly any: there it is no better than a coin. The converse differs: the VAE's detector finds four of five of the
# flow's fakes. VAE, DCGAN and flow blur, each in its way; the VAE/GAN makes its pictures too sharp and speckled. A detector learns whatever *this* generator does wrong, and is right about others as far as they do the same wrong. (Corvi and others 2023 found it so for large ones.) Nobody can say so in advance about a
# generator that comes out next year.
#
# Look at the accused, too. The threshold was set for 1 %, on 258 pictures; on 258 others it accuses between none and 2 %. A rate that small needs more pictures than we have. (Wilson: 1 of 258 is 0.1 to 2.2 %.)
#
# And pictures travel: they are made smaller, stored as JPEG, blurred. Take the GAN's detector and its own fakes, real and fake pictures treated alike, at the threshold that was set on clean ones. **What will fall, the fakes found?**

# %%
treated = {"fakes found": {}, "real accused": {}}
for attack, change in auditing.ATTACKS.items():
    for kind, faces in (("fakes found", drawn["DCGAN"]), ("real accused", real)):
        flagged = auditing.detect(detectors["DCGAN"], change(faces)) > limits["DCGAN"]
        treated[kind][attack] = attribute_shares(flagged)
    print(f"{attack:12}", {kind: f"{of[attack][0]:.0%}" for kind, of in treated.items()})
if full:
    accused = {attack: share for attack, (share, _) in treated["real accused"].items()}
    assert accused["none"] < 0.05 and accused["blur 1"] > 0.3 and accused["resize ½"] > 0.3
    kept = {attack: share for attack, (share, _) in treated["fakes found"].items()}
    assert min(kept.values()) == kept["crop 0.9"] and sorted(kept.values())[1] > 0.9
figures.after_attacks(treated, "share, by the detector of the DCGAN")

# %% [markdown]
# **Claim.** The fakes are found after every treatment but one, for a tenth cut off lets a quarter of them go. It is the *real* pictures that fall: blur them, or make them half as large and back, and about half of them are accused. This detector's "fake" means also "not razor-sharp". Send a genuine picture through a messaging app, and you make it look fake.

# %% [markdown]
# ### A million pictures
#
# A detector calls 1 % of real pictures fake. A million real pictures are uploaded in a day. **How many are accused?** And: the same detector finds 90 % of the fakes, and 1 of 1,000 uploaded pictures is a fake. **Of 100 pictures that it accuses, how many are fakes?**

# %%
# Replace each ... by a number
guess = predict("ethics.a_million", ...)
second = predict("ethics.accused", ...)

# %%
print(guess.reveal(10_000))
true_alarms, false_alarms = 0.9 * 0.001, 0.01 * 0.999
among = 100 * true_alarms / (true_alarms + false_alarms)
print(second.reveal(round(among, 1)))
assert abs(among - 8.3) < 0.1

# %% [markdown]
# Eleven of twelve who are accused are innocent, by a detector that is "99 % right" about real pictures. Move the threshold of the GAN's detector. *Is there a place where you would use it? On a newspaper's desk, in a court, in an upload filter of a million pictures a day?*

# %%
of_gan = fake_scores["DCGAN"]
its_own_first = {"DCGAN": of_gan["DCGAN"], **of_gan}
sliders.detector_threshold(auditing.detect(detectors["DCGAN"], test_faces), its_own_first)

# %% [markdown]
# ### To discuss
#
# 1. A platform deletes what its detector accuses. The vendor says 99 %. Which three numbers do you ask for before you answer? (Of whose fakes? After which treatment? How rare are fakes here?)
# 2. "If no detector works, nobody can be convinced of anything, and a true recording can be called a fake." Is that a reason to publish detectors that do not work? To publish generators later? To trust persons and signatures instead of pixels? The next section tries the last.
#
# ## 6 · Provenance: can a picture say where it comes from?
#
# Instead of finding out what is false, mark what is generated, at the source. The EU asks providers of generators for it (Regulation (EU) 2024/1689, Article 50: generated pictures are to be "marked in a machine-readable format and detectable as artificially generated").
# A **watermark** puts the mark into the pixels. Ours is one of the oldest (Chen and Wornell 2001). Take the picture apart into waves, as JPEG does. A secret key names, for each of 49 waves, a grid of values; marking moves the wave's coefficient to the nearest value of
# its grid. Who has the key looks whether the coefficients lie suspiciously near to their grids.
#
# ### Exercise 6 · To the grid
#
# The grid of coefficient $j$ is step · (k + offsets[j]), for all whole numbers k. Move each coefficient to the nearest point of its own grid. *One line, five minutes.*


# %%
def embed_watermark(coefficients, offsets, step):
    """(B, d) coefficients, (d,) offsets, a number -> (B, d), all on their grids"""
    ### BEGIN SOLUTION
    return step * ((coefficients / step - offsets).round() + offsets)
    ### END SOLUTION


embed_watermark = check("ethics.embed_watermark", embed_watermark)

# %% [markdown]
# ### Exercise 7 · A p-value
#
# For an unmarked picture the key is chance: each coefficient lies within a quarter step of its grid with probability ½. Count these hits. How likely has an unmarked picture as many *or more* of $d$? Sum of $\binom dk 2^{-d}$ from there to $d$. *Four lines, ten minutes.*


# %%
def detect_watermark(coefficients, offsets, step):
    """(B, d), (d,), a number -> (B,) p-values"""
    ### BEGIN SOLUTION
    away = coefficients / step - offsets
    hits = ((away - away.round()).abs() < 0.25).sum(1)
    d = len(offsets)
    chances = torch.tensor([math.comb(d, k) / 2**d for k in range(d + 1)])
    return torch.stack([chances[h:].sum() for h in hits])
    ### END SOLUTION


detect_watermark = check("ethics.detect_watermark", detect_watermark)

# %%
key_offsets, waves = torch.rand(49, generator=seed(7)), torch.randn(2000, 49, generator=seed(8))
marked = embed_watermark(waves, key_offsets, 0.5)
bent = marked + 0.1 * torch.randn(marked.shape, generator=seed(9))
for name, found_in in (("unmarked", waves), ("marked", marked), ("marked, then noise", bent)):
    p = detect_watermark(found_in, key_offsets, 0.5)
    print(f"{name:18} median p {p.median():.1e}, p < 0.01 in {(p < 0.01).float().mean():.1%}")
assert (detect_watermark(waves, key_offsets, 0.5) < 0.01).float().mean() < 0.02

# %% [markdown]
# The library's `auditing.embed_watermark(images, key, strength)` does this to pictures, with finer counting, and shifts the grids by five low-frequency coefficients of the picture, so one key gives every picture a different pattern.
#
# **Is the p-value true?** That is the first thing to ask of any accuser. On 10,000 pictures that nobody marked, tested with five keys each, p < 0.01 should occur in 1 %: no more, and no less.

# %%
key, keys = 7, range(7, 12)
unmarked = data.load("fashion", "test").floats()[: pick(smoke=1000, laptop=10_000, gpu=10_000)]
p = torch.cat([auditing.detect_watermark(unmarked, one) for one in keys])
tests = {}
for level in (0.001, 0.01, 0.05):
    called = int((p <= level).sum())
    tests[level] = binomtest(called, len(p), level).pvalue
    print(
        f"stated {level:5.1%}: called marked {called / len(p):.2%} (binomial p {tests[level]:.2f})"
    )
assert min(tests.values()) > 0.001
marked = auditing.embed_watermark(unmarked[:1000], key)
figures.p_values({"unmarked": p, "marked": auditing.detect_watermark(marked, key)})

# %% [markdown]
# No stated level is refuted by a binomial test, at a thousandth. The line of the unmarked follows the dotted line of chance.
#
# A picture that was never marked is tested with 1,000 *keys*, of 1,000 companies. **What is the smallest p-value, about?**

# %%
# Replace ... by a number
guess = predict("ethics.thousand_keys", ...)

# %%
smallest = [
    min(auditing.detect_watermark(unmarked[i : i + 1], k).item() for k in range(1000))
    for i in range(pick(smoke=1, laptop=3, gpu=3))
]
print("smallest of 1,000 keys, by picture:", [f"{value:.1e}" for value in smallest])
print(guess.reveal(0.001))
assert max(smallest) < 0.02

# %% [markdown]
# Who tries many keys must divide the level by their number.
#
# **Is it seen?** Move the strength. The read-out says the PSNR (lecture 05), p, and p after JPEG. *At which strength would you object, as a painter? As a newspaper?*

# %%
faces64 = data.load("peeps", "test").floats()[: pick(smoke=40, laptop=200, gpu=200)]
sliders.watermark_strength(faces64[3:4], key, auditing.ATTACKS["JPEG 50"])

# %%
sheets = {"original": faces64[:8]}
for strength in (0.025, 0.05, 0.1):
    marked = auditing.embed_watermark(faces64, key, strength)
    sheets[f"{strength:g}: {metrics.psnr(faces64, marked):.1f} dB"] = marked[:8]
plots.rows(sheets)

# %% [markdown]
# **Does it last?** Marked faces of 64×64 pixels, strength 0.05, are stored as JPEG of quality 50. **In what percentage of them is the mark still found, at p < 0.01?**

# %%
# Replace ... by a number
guess = predict("ethics.after_jpeg", ...)

# %%
torch.manual_seed(10)  # one of the attacks is noise
lasting = {}
for strength in (0.025, 0.05, 0.1):
    marked = auditing.embed_watermark(faces64, key, strength)
    lasting[f"strength {strength:g}"] = {
        attack: attribute_shares(auditing.detect_watermark(change(marked), key) < 0.01)
        for attack, change in auditing.ATTACKS.items()
    }
jpeg50 = lasting["strength 0.05"]["JPEG 50"][0]
print(guess.reveal(round(100 * jpeg50, 1)))
for name, of in lasting.items():
    print(name, {attack: f"{share:.0%}" for attack, (share, _) in of.items()})

# %%
for of in lasting.values():
    assert of["none"][0] == 1 and of["crop 0.9"][0] < 0.1
survived = {attack: share for attack, (share, _) in lasting["strength 0.05"].items()}
assert min(share for attack, share in survived.items() if attack != "crop 0.9") > 0.85
assert lasting["strength 0.025"]["resize ½"][0] < 0.5
figures.after_attacks(lasting, "mark still found, p < 0.01", reference=0.01)

# %% [markdown]
# Without an attack, every mark is found. At strength 0.05 (30 dB) it is found in more than 85 % after each treatment but one, JPEG of quality 30 among them; the faint one of 36 dB is lost in more than half of the pictures that were made half as large. The strong one, 24 dB, lasts no longer than the middle one. (Clipping: a white background cannot get whiter, so part of the mark is lost; on white paper the rest shows as grey clouds.) Cutting off a tenth of the picture and enlarging the rest
# defeats all marks, however strong. They are not destroyed: the detector measures waves of the wrong length in the wrong place. If the owner lays the cropped picture back into its place in her original, the mark of strength 0.05 is found again in every one of 200 pictures. Robust watermarks carry a pattern for this **synchronisation**; ours does not, and nothing is easier than to crop.
#
# The test finds no mark in a picture. **What follows?** And if it finds one, p = 10⁻⁹?

# %%
# Replace the first ... by one of: "the picture is real", "the picture was tampered with", "nothing"
guess = predict("ethics.no_mark", ...)
# and the second by one of: "the generator made the picture", "somebody with the key marked it",
#                           "nothing, it is chance"
second = predict("ethics.a_mark", ...)

# %%
print(guess.reveal("nothing"))
print(second.reveal("somebody with the key marked it"))
photograph = faces64[5:6]  # drawn by a person: let it stand for a photograph of an event
forged = auditing.embed_watermark(photograph, key)
p_forged = auditing.detect_watermark(forged, key).item()
print(
    f"the real picture, marked: p = {p_forged:.0e}, PSNR {metrics.psnr(photograph, forged):.1f} dB"
)
assert p_forged < 1e-6
plots.panels({"real": photograph[0], "“generated”": forged[0]}, height=1.8)

# %% [markdown]
# Who has the key can make a true picture be taken for a generated one: the politician's way out. So the key must be secret, and then only its owner can test. A mark that everyone can test everyone can forge or wash off.
#
# ### Signed claims
#
# **Content credentials** (the C2PA specification of an industry coalition) take the other way: nothing is hidden. A camera or a program writes beside the pixels what it has done, with a hash of the pixels, and signs it. In miniature (a real one has public keys and
# certificates):


# %%
def digest(picture):
    return hashlib.sha256(picture.tobytes()).hexdigest()


def with_claim(picture, claim, secret):
    """PNG bytes with a claim about these very pixels, signed"""
    claim, note = f"{claim}; pixels {digest(picture)}", PngImagePlugin.PngInfo()
    note.add_text("claim", claim)
    note.add_text("signature", hmac.new(secret, claim.encode(), "sha256").hexdigest())
    picture.save(file := io.BytesIO(), "PNG", pnginfo=note)
    return file.getvalue()


# %%
def verdict(content, secret):
    picture = Image.open(io.BytesIO(content))
    claim, signature = (picture.info.get(name) for name in ("claim", "signature"))
    if claim is None:
        return "no claim"
    fair = hmac.compare_digest(hmac.new(secret, claim.encode(), "sha256").hexdigest(), signature)
    return "holds" if fair and claim.endswith(digest(picture)) else "broken"


# %%
picture = Image.fromarray((127.5 * (photograph[0] + 1)).byte().permute(1, 2, 0).numpy())
secret, signed = b"of the camera", with_claim(picture, "taken by a camera", b"of the camera")
darker = Image.open(io.BytesIO(signed))
note = PngImagePlugin.PngInfo()
for name, text in darker.info.items():
    note.add_text(name, text)
darker.point(lambda v: int(0.95 * v)).save(edited := io.BytesIO(), "PNG", pnginfo=note)
picture.save(compressed := io.BytesIO(), "JPEG")
cases = {"as it was": signed, "5 % darker": edited.getvalue(), "as JPEG": compressed.getvalue()}
said = {name: verdict(content, secret) for name, content in cases.items()}
print(said)
assert said == {"as it was": "holds", "5 % darker": "broken", "as JPEG": "no claim"}

# %% [markdown]
# A signature cannot be forged without the secret, and it is lost in the first program that does not know it. The watermark outlives that program and can be forged. They fail in different ways; that is why people propose both.
#
# ### To discuss
#
# 1. A law asks for marks that are "robust". Look at the figure of attacks: at which share after which treatment would you call this mark robust, and at which PSNR? Is a mark that honest people leave in and liars crop off worth having?
# 2. Pictures with a signed claim are believed more; pictures without one less. Who has no camera that signs? (A witness with an old telephone is one answer. Who would rather not sign what she sends?)
#
# ## 7 · Work: what is a picture worth?
#
# **The case.** At the Colorado State Fair of 2022 the blue ribbon for emerging digital artists went to *Théâtre D'opéra Spatial* by Jason Allen, who had made it with the generator Midjourney, and had named the program in his entry. Artists were not happy (Roose 2022).
#
# Sit on the jury. Of the following 20 faces 10 were put together from an artist's drawings, 10 were drawn by the flow.

# %%
turn = torch.randperm(20, generator=seed(11))
is_fake = (torch.arange(20) >= 10)[turn]
jury = torch.cat([test_faces[20:30], drawn["flow"][20:30]])[turn]
plots.grid(jury, columns=10, title="1 to 10 above, 11 to 20 below")

# %%
my_fakes = []  # the ten that you take for generated: [3, 7, …]
votes = torch.zeros(20, dtype=torch.bool)
votes[[i - 1 for i in my_fakes]] = True
correct = int((votes == is_fake).sum())
if my_fakes:
    chance = binomtest(correct, 20, alternative="greater").pvalue
    print(f"{correct} of 20 right; so many or more by guessing: {chance:.0%} of all jurors")
jurors = {name: auditing.detect(net, jury) > limits[name] for name, net in detectors.items()}
for name, vote in jurors.items():
    print(f"the detector against {name:8} {int((vote == is_fake).sum())} of 20 right")

# %% [markdown]
# And what does a picture cost? Time it. An artist drew the parts of these faces by hand. The generators learned from them in minutes. (How long a picture takes depends on your machine.)

# %%
seconds = {}
for name in drawn:
    start = time.perf_counter()
    draw(name, 64, seed(12))
    seconds[name] = (time.perf_counter() - start) / 64
    print(f"{name:8} {1000 * seconds[name]:6.1f} ms a face, {86_400 / seconds[name]:12,.0f} a day")
assert max(seconds.values()) < 2

# %% [markdown]
# The drawings are Pablo Stanley's, who gave them away. Without them there would be nothing to learn from, and section 2 has shown how little a model of 20 can add.
#
# ### Whose work?
#
# The slides name photography, modelling and film. In each of them the question of *likeness* from section 2 is also one of wages: a generated model wears the clothes, a scanned extra fills the crowd, a voice is synthesised. What has been agreed so far is about consent and pay for **digital replicas**: the contract that ended the strike of American screen actors in 2023 (SAG-AFTRA) requires consent for a replica and pay for its use, and New York's Fashion Workers Act, in force since June 2025, requires a model's written consent. Neither covers a generated face that is nobody's. How many jobs come and go, this notebook cannot measure.
#
# ### What laws say
#
# Not advice, and no more than these sources:
#
# - *May a machine be an author?* Not in the United States: *Thaler v. Perlmutter*, D.D.C. 18 August 2023 (No. 22-1564), affirmed D.C. Cir. 18 March 2025 (No. 23-5233). The court of appeals left open how much a person must contribute who works *with* a machine.
# - *And the prize-winner?* The Review Board of the U.S. Copyright Office refused to register *Théâtre D'opéra Spatial* on 5 September 2023, as its maker did not want to leave the generated parts out of the claim. He went to court in 2024 (*Allen v. Perlmutter*, D. Colo.).
# - *Where is the line?* U.S. Copyright Office, *Copyright and Artificial Intelligence*: Part 1, Digital Replicas (July 2024); Part 2, Copyrightability (January 2025); Part 3, Generative AI Training (pre-publication version, May 2025).
# - *Must generated pictures be marked?* In the EU: Regulation (EU) 2024/1689, Article 50(2), by who provides the generator; Article 50(4), a deep fake must be disclosed by who uses it, with less asked of what is evidently art or satire. As published on 12 July 2024 this applies from 2 August
#   2026 (Article 113); changes to the dates have been proposed since (the Commission's “digital omnibus” of November 2025), so read the consolidated text.
#
# ### To discuss
#
# 1. The jury, when told, might say: the picture is still the best. Or: then it is no drawing. Was the prize for the picture, for the work, or for the idea? Does your own score as a juror matter to the answer?
# 2. A picture costs milliseconds. Whose income does that touch first: those whose pictures nobody looks at twice, or the best? What would have to be measured to know, and on whom? (Nothing in this notebook measures it.)
# 3. Should those who drew what a model has learned from be paid, if section 3 cannot say whose drawings a picture comes from? By share of the training set, by likeness, not at all?
#
# ## 8 · The card
#
# A model leaves your hands with its weights and nothing else, unless you write it down. Mitchell and others (2019) propose a page: what it is for and not for, what it was trained on, what was measured. You have measured most of it by now.
#
# ### Exercise 8 · A model card
#
# Write the card of a model of your own: one of these lectures, or the flow of faces. `auditing.CARD` has the headings with the question that each answers. The check looks for what is *missing*: a title (`# …`), a heading (`## …`), fewer than five words under one, a number under Evaluation, Copies and members, or Attributes, a placeholder left standing. It does not judge what you say. `auditing.model_card(name, sections,
# measured)` puts a card together. *Half an hour, if you mean it.*

# %%
for heading, question in auditing.CARD.items():
    print(f"{heading}: {question}")
measured = {"with glasses": came["glasses", "flow"], "nearest was seen": from_seen["flow"]}


# %%
def model_card():
    """-> the card of your model, as Markdown"""
    ### BEGIN SOLUTION
    sections = {
        "Model": "A flow with a small U-Net (296,000 weights): 32 × 32 faces in 20 steps.",
        "Intended use": "For students who audit a generator on a laptop.",
        "Out of scope": "Everything else: its faces stand for no people and no share of people.",
        "Training data": "4,484 drawings made of Open Peeps by Pablo Stanley (CC0). Nobody is real.",
        "Evaluation": "On 516 held-out faces, after one training run: nothing is said of seeds.",
        "Copies and members": "The nearest of 1,032 real faces is one that it has seen as often as "
        f"{from_seen['flow'][0]:.0%} (chance: 50 %). Its losses were not asked.",
        "Attributes": "38 % of the training faces wear glasses; of the drawn ones: see the table.",
        "Provenance": "No mark. A detector made for another generator may find its faces.",
        "Limits": "Thin lines come out blurred; one artist's parts; one training run.",
    }
    return auditing.model_card("A small flow of faces", sections, measured)
    ### END SOLUTION


model_card = check("ethics.model_card", model_card)

# %%
card = "\n" + model_card()
Markdown(card.replace("\n## ", "\n##### ").replace("\n# ", "\n#### "))

# %% [markdown]
# ## To go further
#
# 1. **Forget.** Train the model of section 2 on 20 faces, with `audits.learned`, for 500 steps instead of 2,000. Fewer copies, and worse pictures? Draw both against the number of steps.
# 2. **Mend the detector.** Train it on fakes *and* real pictures after random attacks, as Wang and others (2020) did. Which rows of the cross table get better, and which not?
# 3. **Wash the mark off.** Without the key: blur a little, add a little noise, take the best PSNR at which the mark is gone. With a thousand marked pictures of one key: can their mean betray it?
# 4. **Another attribute.** Beards are large and dark. Repeat section 4 with them (`audits.people` shows how). Is there still a difference between the three models?
# 5. **Your own faces.** `data.load("a folder")` reads your pictures. Plant one, and look for it. Then delete the weights.
#
# ## References
#
# The cases of the slides:
#
# - S. Desai, A. Baghal, T. Wongsurawat and others. Chest imaging with clinical and genomic correlates representing a rural COVID-19 positive population. Data set, The Cancer Imaging Archive, 2020. Described in: Chest imaging representing a COVID-19 positive rural U.S. population. *Scientific Data* 7:414, 2020.
# - S. Escalante-De Mattei. What are those signatures doing in Lensa AI portraits? *ARTnews*, 2022.
# - K. Roose. AI-generated art won a prize. Artists aren't happy. *The New York Times*, 2022.
# - S. Suwajanakorn, S. M. Seitz, I. Kemelmacher-Shlizerman. Synthesizing Obama: learning lip sync from audio. *ACM Transactions on Graphics* 36(4), 2017. (For the slides' video, whose source they do not give.)
# - V. L. Trevisan de Souza, B. A. D. Marques, H. C. Batagelo, J. P. Gois. A review on generative adversarial networks for image generation. *Computers & Graphics*, 2023. (Among the slides' references.)
#
# On likeness:
#
# - TAKE IT DOWN Act, Public Law 119-12, United States, 2025. Directive (EU) 2024/1385 on combating violence against women and domestic violence, Article 5.
# - SAG-AFTRA, *Memorandum of agreement for TV/theatrical contracts*, 2023. New York State Fashion Workers Act, 2024.
#
# The experiments:
#
# - N. Carlini, J. Hayes, M. Nasr and others. Extracting training data from diffusion models. *USENIX Security* 2023, arXiv:2301.13188.
# - M. U. Akbar, W. Wang, A. Eklund. Beware of diffusion models for synthesizing medical images: a comparison with GANs in terms of memorizing brain MRI and chest x-ray images. arXiv:2305.07644, 2023.
# - N. Carlini, S. Chien, M. Nasr and others. Membership inference attacks from first principles. *IEEE S&P* 2022, arXiv:2112.03570.
# - S. Yeom, I. Giacomelli, M. Fredrikson, S. Jha. Privacy risk in machine learning: analyzing the connection to overfitting. *CSF* 2018, arXiv:1709.01604.
# - E. B. Wilson. Probable inference, the law of succession, and statistical inference. *JASA* 22, 1927.
# - J. Buolamwini, T. Gebru. Gender shades: intersectional accuracy disparities in commercial gender classification. *FAT\** 2018.
# - F. Bianchi, P. Kalluri, E. Durmus and others. Easily accessible text-to-image generation amplifies demographic stereotypes at large scale. *FAccT* 2023, arXiv:2211.03759.
# - J. Zhao, T. Wang, M. Yatskar, V. Ordonez, K.-W. Chang. Men also like shopping: reducing gender bias amplification using corpus-level constraints. *EMNLP* 2017, arXiv:1707.09457.
# - S.-Y. Wang, O. Wang, R. Zhang, A. Owens, A. A. Efros. CNN-generated images are surprisingly easy to spot… for now. *CVPR* 2020, arXiv:1912.11035.
# - R. Corvi, D. Cozzolino, G. Zingarini, G. Poggi, K. Nagano, L. Verdoliva. On the detection of synthetic images generated by diffusion models. *ICASSP* 2023, arXiv:2211.00680.
# - B. Chen, G. W. Wornell. Quantization index modulation: a class of provably good methods for digital watermarking and information embedding. *IEEE Transactions on Information Theory* 47, 2001.
# - C2PA. Content credentials: technical specification. c2pa.org.
# - M. Mitchell, S. Wu, A. Zaldivar and others. Model cards for model reporting. *FAT\** 2019, arXiv:1810.03993.
