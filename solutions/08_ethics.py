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
# - say how sure a measured share is, and show that an experiment could have found what it did not find;
# - measure whether a generator copies its training pictures, and whether its losses reveal who was among them;
# - say what the nearest training picture proves about a generated one, and what it does not;
# - compare the share of an attribute in the training set with its share in the generated pictures;
# - train a detector of fakes, see it fail, and compute what its errors mean for a million pictures;
# - put a watermark into a picture, test for it with a p-value you can trust, break it and forge it;
# - write the card that should come with a model.
#
# **Time**: two to three hours with the exercises and the discussions. The cells run in about 5 minutes on a laptop.
# **You need**: lectures 02 to 04 (VAE, GAN), lecture 07 or the willingness to take it on trust (a diffusion model or a flow makes a picture by removing noise step by step).

# %%
# {{setup}}

# %%
import hashlib
import hmac
import math

import torch
import torch.nn.functional as F
from IPython.display import Markdown
from scipy.stats import binomtest, hypergeom

from course_lib import auditing, data, dcgan, device, gan, metrics, plots, studies

# %%
from course_lib.autoencoders import VAE
from course_lib.diffusion import Diffusion, cosine_betas
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
# | consent and privacy | chest radiographs of patients; a face without its owner's consent | does the model return its training pictures? (2) |
# | authorship and property | signatures in generated portraits | whose picture is it? (3) |
# | bias and discrimination | faces that programs recognise less well than others | which share goes in, which comes out? (4) |
# | deepfakes and misinformation | a president who never said it | can fakes be detected? can they be marked? (5, 6) |
# | work and its worth | a prize for a generated picture; models, photographers, actors | can you tell a generated picture from a drawn one? (7) |
#
# Such concerns are often traded as opinions. Much of each is a question that can be measured, and this lecture measures it. What remains, and it is a lot, is a question of what we *want*. Each section ends with questions that have several good answers. A
# good answer names the number that would change it.
#
# The faces are drawings (Open Peeps). They show no real person, "skin" is one of five colour codes, and the models that copy here are small networks. The numbers below hold for these models and these drawings only. The method carries over to large models; the numbers do not.
#
# ## 1 · How sure is a share?
#
# Nearly every claim of this lecture is a share: of copies, of faces with glasses, of fakes found. You generate 20 faces and none wears glasses. **Which is the largest true share, in percent, that is compatible with this?** (At a level of 95 %: with a larger share, 0 of 20 would be a rare event.)

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
# Opinion polls usually report another interval, $k/n \pm 1.96\sqrt{k/n\,(1 - k/n)/n}$ (Wald's). For 0 of 20 it says 0 … 0. How often does an interval contain the truth? For a true share of 10 % and 20 pictures we can add up the probabilities of all outcomes:


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
# Here Wald's interval contains the truth in 88 % of all cases, although it promises 95 %. Wilson's contains it in 96 %. (If you solved $(1 - p)^{20} = 0.05$ for the first question, you found 13.9 %. That is exact for a bound on one side. Wilson's 16.1 % comes from an interval with two ends, of which each may miss in 2.5 %, and from an approximation: $(1 - p)^{20} = 0.025$ gives 16.8 %.)
#
# ## 2 · Consent and privacy: does a model return its training pictures?
#
# **The case.** The slides show a chest radiograph from Desai and others (2020): a public collection of X-ray and CT pictures of 105 patients of a hospital in Arkansas who had tested positive for COVID-19, chosen because rural patients are
# rare in public data. The pictures were published without names. Such pictures are needed, and they are private. So people propose to publish *generated* radiographs instead, which belong to nobody. That works if the generator makes new ones. Akbar and others
# (2023) trained a GAN and a diffusion model on scans of brains and on chest X-rays and searched for copies. The diffusion model was more likely to return its training pictures, most of all when there were few of them.
#
# A large generator usually has far fewer weights than its training set has pixels. **Can it return a training picture?**

# %%
# Replace ... by one of: "no, it stores no images", "yes, all of them", "yes, some of them"
stores = predict("ethics.stores_images", ...)

# %% [markdown]
# What is a copy? "Close to a training picture" is not enough: two faces on a white ground are always close, because most of their pixels are white. But a copy is close to *one* training picture and no closer than usual to the others. So compare the distance to the nearest
# training picture with the distance to the next:
#
# $$r(x) = \frac{\text{distance to the nearest}}{\text{distance to the next}} .$$
#
# ### Exercise 2 · The share of copies
#
# Return the share of the generated pictures with $r$ below a threshold. One trap: an original that stands in the training set *twice* is its own next picture. Count equal training pictures once. `torch.cdist` gives all distances of rows. *Four lines,
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
# (The library's version divides by the mean distance to the next *ten*, so a second picture of the same person does not hide a copy. We use that version from here on.)
#
# The threshold decides the result. **From which pictures should we take it?**

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
print(f"{len(x)} faces to learn from, {len(unseen)} strangers; 1 % have r < {hundredth:.3f}")
print(f"rounded to {threshold}: {called:.1%} of the strangers would be called copies")
assert called <= 0.015

# %% [markdown]
# The threshold is now fixed, before any picture is generated: 0.15, which falsely flags about 1 % of new faces. It is this low because drawings share parts. A stranger may have the head and the face of a training picture, and other clothes. At 16×16 pixels some are identical, pixel for pixel. In a larger training set a stranger
# has more such twins. So beside each count of copies we give the share of *strangers* that would be called copies at the same threshold. That is the floor.
#
# The model is a flow (lecture 07) with a small U-Net, for faces of 16×16 pixels, trained for 2,000 steps of up to 32 faces. It learns from 20 faces, and in other runs from 100, 500 and 2,000. **What percentage of the pictures by the model of 20 faces
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

# %% tags=["cover"]
shown = ratios.argsort()[torch.linspace(0, len(made) - 1, 10).long()]
figures.copies(made[shown], x[originals[shown]], ratios[shown], threshold)

# %% [markdown]
# Ten of the generated pictures, from the best copy to the picture that is least a copy, each above its nearest training picture. The number is the ratio $r$; copies are framed.
#
# Two things change together from 20 faces to 2,000: the number of faces, and how often each is shown. In 2,000 steps the model sees each of 20 faces 2,000 times, each of 100 faces 640 times, and each of 2,000 faces 32 times. So hold the second constant: a model of 20 faces that is trained for 640 steps, so that each is shown 640 times, beside a model of 100 faces. (It then takes fewer steps than that model, 640 instead of 2,000.)


# %%
def trained_on(size, shown):
    """From a model of so many faces, each shown so often: copies, losses of members, of strangers"""
    known, strangers = audits.members(size, seed=0)
    steps = shown * size // min(size, audits.BATCH)
    model = audits.learned(known, 0, steps=pick(smoke=5, laptop=steps, gpu=steps))
    made = audits.draw(model, pick(smoke=40, laptop=400, gpu=400), 0)
    inside, outside = (audits.losses(model, faces.floats()) for faces in (known, strangers))
    return auditing.copy_ratios(made, known.floats())[0] < threshold, inside, outside


experiments = {
    "20 faces, 2,000 times": (ratios < threshold, *(audits.losses(model, f) for f in (x, unseen)))
}
for size in (20, 100):
    experiments[f"{size} faces, 640 times"] = trained_on(size, 640)

# %% tags=["quality"]
for name, (copied, _, _) in experiments.items():
    share, (low, high) = attribute_shares(copied)
    print(f"{name:22} copies {share:.1%} ({low:.1%} … {high:.1%})")
if full:
    assert attribute_shares(experiments["20 faces, 640 times"][0])[1][1] < 0.05

# %% [markdown]
# More runs are stored: two for each size, each with its own faces, 2,000 steps and 1,000 generated pictures a run. (The first run of 20 faces and the first of 100 have the faces, the seed and the steps of the models above. So they repeat these models and do not confirm them; only the second runs are new.)


# %%
table = studies.read("memorised")


def runs_of(column):
    """size -> the share of `column` among the pictures of each stored run"""
    return {
        size: [row[column] / row["judged"] for row in table if row["size"] == size]
        for size in audits.SIZES
    }


equal_steps, floor = runs_of("copies"), {}
for size in audits.SIZES:
    rows = [row for row in table if row["size"] == size]
    floor[size] = sum(row["called"] for row in rows) / sum(row["strangers"] for row in rows)
    told = [f"{share:.1%}" for share in equal_steps[size]]
    print(f"{size:5} faces: copies, by run {told}; of strangers {floor[size]:.1%}")
print(guess.reveal(round(50 * sum(equal_steps[20]), 1)))
assert min(equal_steps[20]) > 0.5
assert all(max(equal_steps[size]) <= floor[size] for size in (100, 500, 2000))

# %% [markdown]
# The two models of 20 faces copy in 70 and 77 % of their pictures. Of the models of 100 and more faces, fewer pictures than strangers fall below the threshold. But the model of 20 faces that was trained for 640 steps copies in none of 400 pictures (0 to 1.0 %; one run), like the model of 100 faces, which has seen each face as often. So, by this threshold, a small training set alone does not make a model copy: it must also be trained long enough. (The threshold counts close copies only: in the figure above, the pictures with 0.17 and 0.25 are not counted, and yet each resembles one training face. How near the pictures of the short training come was not measured.) Whether 100 faces would be copied after 2,000 showings of each was not tried. (The network, of 296,000 weights, was the same in all runs. That is more than the 15,360 numbers in 20 faces. Nothing here speaks about other sizes.)
#
# Does a large training set protect a person whose picture stands in it *often*? One face is put in 64 times among 200 others, a second one 16 times, a third 4 times. **What percentage of the generated pictures will be copies of the first one?**

# %%
# Replace ... by a number
guess = predict("ethics.duplicates", ...)

# %%
plants = studies.read("planted")
times = [int(k) for k in audits.PLANTED if k > 1]
by_times = {k: [r["copies"] / r["judged"] for r in plants if r["times"] == k] for k in times}
share_of_rows = {k: k / plants[0]["rows"] for k in times}
once = [row for row in plants if row["times"] == 1]
others = auditing.wilson_interval(
    int(sum(row["copies"] for row in once)), int(sum(row["judged"] for row in once))
)
for k, shares in by_times.items():
    told = [f"{share:.1%}" for share in shares]
    rows = [row for row in plants if row["times"] == k]
    unmeant = sum(row["called"] for row in rows) / sum(row["strangers"] for row in rows)
    print(f"{k:2} times, {share_of_rows[k]:.1%} of the rows: copies, by run {told};", end=" ")
    print(f"of strangers {unmeant:.1%}")
print(f"copies of any of the 200 others: up to {others[1]:.1%}")
print(guess.reveal(round(100 * sum(by_times[64]) / len(by_times[64]), 1)))
print("Can a model return training pictures?", stores.reveal("yes, some of them"))
assert min(by_times[64]) > 0.02 > 0.01 > others[1]

# %%
early = attribute_shares(experiments["20 faces, 640 times"][0])[0]
by_size = {"2,000 steps": equal_steps}
by_size["each face 640 times"] = {20: [early], 100: equal_steps[100]}
figures.copying(by_size, floor, by_times, share_of_rows)

# %% [markdown]
# The face that stands 64 times comes back as a copy in 4.6 % of the pictures of one run and in 18.8 % of the other, from models that copy none of the 200 other faces (interval: up to 0.2 % of the pictures). The set is large enough for everyone except the person who is in it too often. Nor does the number of showings alone decide. The face that stands 16 times was shown about 3,600 times in 2,000 steps, more often than each face of the models of 20. But it is copied in only 0.3 and 0.0 % of the pictures, although it is 5.6 % of the rows. (The floor: of 1,000 strangers none would be called a copy of a repeated face.)
#
# The two runs do not agree. They differ in the repeated face, in the other faces and in the first weights. (In the figure each dot is a run, and the lines join the means.) 64 of 284 rows are 23 % (dotted). One model generates its repeated face nearly as often as it stands in the set, well enough to pass the threshold. The other generates it less often or less well; which of the two was not measured. An interval from the 2,000 pictures together would be 10 to 13 % and would contain neither run: it counts pictures, and here the *runs* differ. Look at the runs before you trust an interval. (Two runs are few. They show that copies occur, not how often.)
#
# In sets collected from the web, popular pictures stand many times. Carlini and others (2023) looked for copies among the most often repeated pictures of a large model's training set, and found them there, photographs of real persons among them. That model has far fewer weights than its training set has pixels, as in the question at the start of this section. Our runs do not test this case: where a model copied, its 296,000 weights were more than the numbers in its training set (15,360 in 20 faces, 218,112 in 284 rows).
#
# ### Who was in the training set?
#
# A model can also reveal *that* a picture was in its training set without ever copying it: by its loss. To know that a person is in a hospital's training set is to know a diagnosis. An attacker who holds your picture computes the model's
# loss on it and compares it with the losses of strangers (Yeom and others 2018).
#
# How well does a number separate two kinds of pictures? No threshold is needed to say so. Take one picture of each kind: **how often does the right one have the higher score?** That is the area under the ROC curve, AUC: 1 if always, ½ by guessing.
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
# How often does a training picture have a *lower* loss than a stranger? One or two lines with `roc_auc`. *Three minutes.*


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
# A trap before we measure. Someone finds an AUC of 0.95, where the members are faces drawn by one artist and the strangers are photographs. **What does that say about the model?**

# %%
# Replace ... by one of: "it has memorised its members", "nothing", "it generalises well"
guess = predict("ethics.members_by_size", ...)

# %%
print(guess.reveal("nothing"))
both = audits.losses(model, x), audits.losses(model, unseen)
auc = float(membership_auc(*both))
low, high = auditing.auc_interval(auc, len(x), len(unseen))
print(f"the model of 20: AUC {auc:.3f} ({low:.3f} … {high:.3f})")
figures.two_kinds({"the model of 20 faces": both}, ("members", "strangers"), "loss of a picture")

# %% [markdown]
# (Three strangers of higher loss lie beyond the right edge.) Members and strangers come from one shuffle here, so any difference between their losses beyond chance is the model's doing.
#
# AUC is an average over all thresholds. An attacker who accuses people wants to be nearly always right, so the second question is: **of the members, how many does the loss find at a threshold that accuses only 1 % of the strangers?** (Carlini and others 2022 argue that this is the number to report.) First for the three models that were just trained, then, by AUC, for the stored runs:

# %%
for name, (_, inside, outside) in experiments.items():
    auc = float(membership_auc(inside, outside))
    hits = -inside > auditing.threshold_at(-outside, 0.01)
    share, (low, high) = attribute_shares(hits)
    told = f"{int(hits.sum())} of {len(hits)} members ({low:.0%} … {high:.0%})"
    print(f"{name:22} AUC {auc:.3f}; found at 1 % false alarms: {told}")

# %%
by_loss = {}
for size in audits.SIZES:
    rows = [row for row in table if row["size"] == size]
    counts = (int(sum(row[kind] for row in rows)) for kind in ("members", "strangers"))
    auc = sum(row["auc"] for row in rows) / len(rows)
    by_loss[size] = auc, auditing.auc_interval(auc, *counts)
    print(f"{size:5} faces: AUC by run {[row['auc'] for row in rows]}")
figures.along({"by the loss": by_loss}, {"by the loss": 0.5}, "faces in training", "AUC")

# %% [markdown]
# At 1 % false alarms the losses of both models of 20 faces give every member away, even those of the model that was trained for 640 steps and copies nothing. Of the 100 faces, which are not copied either, the loss finds 23 (16 to 32 %), and in 96 % of all pairs of a member and a stranger the member has the lower loss. *No copies* does not mean *no trace*. At 500 faces the AUC is still above ½ (0.56 and 0.60). At 2,000 faces, each shown 32 times, it shows nothing: 0.48 and 0.53. (How many of these members are found at 1 % false alarms was not measured. And there are better attacks. A measured AUC is a lower bound of what can be known.)
#
# ### Likeness without consent
#
# Copies are not the only harm to a person in the pictures. The slides name another one: generated pictures of real people, who never agreed, "in compromising or controversial situations". A model that has seen many photographs of one person, or is fine-tuned on ten of them, can show that person anywhere: undressed, in a crime, in an advertisement. None of
# these pictures is a copy of a training picture, so no number of this section finds them. A perfect detector of fakes (section 5) does not help either: the harm is done even if everyone knows that the picture is generated. What was violated is consent, and consent is not in the pixels.
# Laws have begun to say so: in the United States the TAKE IT DOWN Act (2025) makes it a crime to publish intimate pictures of a person without consent, generated ones included, and obliges platforms to remove them on request; in the EU, Directive 2024/1385, Article 5, requires the member states to make such publication a crime by June 2027, where it is likely to cause serious harm, and from 2 December 2026 the AI Act forbids systems for making such pictures (Article 5(1)(ba)).
#
# ### To discuss
#
# 1. The collection of radiographs has 105 patients. Our model of 100 faces still tells members from strangers. Our numbers are about small drawings and one small network, so they do not transfer to radiographs; the *question* does. Would you publish a generator trained on these 105 patients instead of the pictures? Which experiment would you ask for first? Some answers: *no, unless the attack of this section has been tried on this very model*; *yes, to those who
#    sign a contract, because a contract can forbid the attack*; *neither: publish what was learned about the disease*. Which number would change your mind, and how far would it have to move?
# 2. A company says: "copies are a bug, we remove duplicates". Compare the left and the right panel of the figure of copies. How much of the problem does that solve?
# 3. Patients agreed to *research*. Is a generator research? Is a picture that is nobody's copy, from a model that has seen them, about them?
# 4. An actress finds advertisements in which she praises a medicine. Nobody copied a photograph. Whom should she be able to stop: the one who typed the request, the one who trained the model, the platform that shows it? Does it matter whether the picture is labelled as generated?
#
# ## 3 · Authorship: whose picture is it?
#
# **The case.** In 2022 people paid an app, Lensa, to paint their portraits in the style of painters. In the corner of some portraits stood what looked like a signature, smeared, of nobody in particular. *What are those signatures doing there?*, asked Shanti Escalante-De
# Mattei in ARTnews (2022). There are two readings. A model that has seen that paintings end in a squiggle draws a squiggle: it has learned a habit, as a student does. Or: the squiggles are remains of somebody's signature, and show whose
# paintings were used, without permission or payment.
#
# "A generated picture is a collage of pieces of training pictures." **What would show that for a given model?**

# %%
# Replace ... by one of: "the way it was trained", "a nearest training image for each sample",
#                        "neighbours nearer than those of unseen real images"
guess = predict("ethics.collage", ...)

# %% [markdown]
# Take four shipped generators of faces: a VAE and a VAE/GAN (lecture 02), a DCGAN at 64×64, averaged to 32×32 as the real pictures were (lecture 04), and the diffusion model of lecture 07, with its three conditions left open.

# %%
print(guess.reveal("neighbours nearer than those of unseen real images"))
peeps, held_out = (data.load("peeps", part, size=32) for part in ("train", "test"))
train_faces, test_faces = peeps.floats(), held_out.floats()
vae = load_weights("vae_peeps32", VAE(size=32, latent=32))
vaegan = load_weights("vaegan_peeps32", VAE(size=32, latent=32))
dcgan64 = load_weights("dcgan_peeps64", dcgan.Generator(nz=128))
known = [len(peeps.attribute_values[name]) for name in ("glasses", "face", "skin")]
ddpm = load_weights("ddpm_peeps32", UNet(3, 48, (1, 2, 2), classes=known, patch=2))
chain, open_labels = Diffusion(cosine_betas(1000)), ddpm.unconditional(torch.zeros(1, 3).long())


# %%
@torch.no_grad()
def draw(name, n, generator):
    """n faces of 32 × 32 by one of the four generators"""
    if name == "DCGAN":
        return F.avg_pool2d(gan.sample(dcgan64, n, generator=generator), 2)
    if name == "diffusion":
        labels, options = open_labels.expand(n, -1), {"steps": 25, "prediction": "v"}
        return chain.ddim_sample(ddpm, (n, 3, 32, 32), labels, 1.0, generator, **options)
    net = vae if name == "VAE" else vaegan
    return net.decode(torch.randn(n, 32, generator=generator)).clamp(-1, 1)


count = pick(smoke=60, laptop=500, gpu=500)
drawn = {name: draw(name, count, seed(3)) for name in ("VAE", "VAE/GAN", "DCGAN", "diffusion")}
plots.rows({"real": test_faces[:12]} | {name: made[:12] for name, made in drawn.items()})

# %% [markdown]
# Now search, as you would to find out whose drawing was used. We compare whole pictures. (To find a collage of small pieces, one would have to make the same comparison piece by piece; we do not.) The distance is not one of pixels: it compares the 64 features of a network that recognises glasses, beards, hair and skin. Put 516 training pictures and the 516 held-out pictures, which no generator has ever seen, into one drawer. For each generated face take the nearest picture out of the drawer. **How often, in percent, is it one of the
# *unseen*?**

# %%
# Replace ... by a number
guess = predict("ethics.nearest_is_source", ...)

# %%
describe = metrics.FeatureNet("peeps").features
shelf, unseen_features = describe(train_faces), describe(test_faces)
some = torch.randperm(len(shelf), generator=seed(4))[: len(unseen_features)]
searched = {}
for name, made in drawn.items():
    searched[name] = auditing.seen_share(describe(made), shelf[some], unseen_features)
    share, (low, high) = searched[name]
    print(f"{name:9} the nearest was seen in training: {share:.1%} ({low:.1%} … {high:.1%})")
wrong = 1 - sum(share for share, _ in searched.values()) / len(searched)
print(guess.reveal(round(100 * wrong, 1)))

# %% [markdown]
# About half, as a coin would decide: all four intervals contain ½. Are the generators acquitted? **First show that the experiment can convict.** Give the same drawer a generator that certainly copies: 500 training pictures themselves.

# %%
thief = train_faces[torch.randperm(len(train_faces), generator=seed(9))[:500]]
share, (low, high) = auditing.seen_share(describe(thief), shelf[some], unseen_features)
print(f"exact copies: the nearest was seen in training: {share:.1%} ({low:.1%} … {high:.1%})")
assert low < 0.5 < high

# %% [markdown]
# The drawer acquits a thief. It holds 516 of 4,484 training pictures, so in eight of nine cases the original of the copy is not in it, and then the nearest picture is anybody's. *An experiment that finds nothing says nothing until you have shown what it would have found.*
#
# A better drawer holds the *whole* training set. It then holds many more seen than unseen pictures, so ½ is no longer what innocence gives; measure that too. Half of the held-out faces lie in the drawer as the unseen, and the other half are searched for as **innocents**, which no generator has made; then the halves change places. The experiment's power is measured with exact copies and with blurred ones.


# %%
def to_nearest(features, others):
    """The distance to the nearest of the others, of each"""
    return gan.nearest_neighbours(features, others)[1][:, 0]


def search(x):
    """For each picture: is its nearest a training picture? And the distance to the nearest such"""
    traced, distances, features = [], [], describe(x)
    for k in (0, 1):  # no held-out face is searched for in its own half
        distances.append(to_nearest(features[k::2], shelf))
        traced.append(distances[k] < to_nearest(features[k::2], unseen_features[1 - k :: 2]))
    return torch.cat(traced), torch.cat(distances)


suspects = {"innocent": test_faces, "exact copies": thief}
suspects["blurred copies"] = auditing.ATTACKS["blur 1"](thief)
results = {name: search(x) for name, x in (suspects | drawn).items()}
from_training = {name: attribute_shares(traced) for name, (traced, _) in results.items()}
nearer = {
    name: float(membership_auc(distances, results["innocent"][1]))
    for name, (_, distances) in results.items()
}
for name, (share, (low, high)) in from_training.items():
    told = f"nearest is a training picture: {share:.1%} ({low:.1%} … {high:.1%})"
    print(f"{name:14} {told}, nearer to it than innocents, AUC {nearer[name]:.2f}")
halves = [{face.numpy().tobytes() for face in held_out.images[k::2]} for k in (0, 1)]
twins = sum(x.numpy().tobytes() in halves[1 - i % 2] for i, x in enumerate(held_out.images))
print(f"{twins} of {len(held_out)} innocents have an identical twin among the unseen;", end=" ")
traced, rest = int(results["innocent"][0].sum()), len(held_out) - twins  # a twin is never traced
print(f"without them {traced} of {rest}, {traced / rest:.1%}")

# %%
innocent, (_, highest) = from_training["innocent"]
assert from_training["blurred copies"][1][0] > highest  # the search has power
if full:
    assert max(nearer[name] for name in drawn) < 0.5 < nearer["blurred copies"]
figure = figures.after_attacks(
    {"share, interval": from_training},
    "nearest is a training picture (dotted: innocents)",
    innocent,
)
figure.axes[0].set_xlim(0.87, 1.005)  # all of them
figure

# %% [markdown]
# This search has power, if not much. It traces all exact copies, 98.6 % of the blurred ones (97.1 … 99.3) and 91.3 % of the innocents (88.5 … 93.4; dotted). By numbers alone, that is, by the share of training pictures in the drawer, it would be 4,484 of 4,742, 95 %. (The innocents lie below that partly by construction. Drawings that look the same at 32×32 as a held-out one are held out too, so 14 innocents have a twin among the unseen, and none has one in training. Without these 14 the innocents have 471 of 502, 93.8 %.) The generators lie between 93.2 and 95.0 %: all four shares lie above the dotted line, those of the VAE and the VAE/GAN with their whole intervals, but all four intervals contain the 93.8 % and the 95 %, and none reaches that of the blurred copies. The distances say more. Blurred copies are nearer to the training set than innocents are (AUC 0.56), and all four generators are *farther* from it (0.08 to 0.39), which is also what poor pictures look like: they are far from everything. So these generators do not, as a rule, copy as closely as a blurred copy does. That they copy *rarely* is not excluded. A tenth of copies would raise 91 % to 92 %, and 500 pictures cannot show that. And the search compares whole pictures: a collage of pieces of many drawings it need not find. (These drawings are themselves put together from parts, the unseen ones too.)
#
# The nearest pictures look convincing all the same. The first row shows generated faces, the second the nearest *training* picture, the third the nearest picture that the model has *never seen*:

# %%
made = drawn["diffusion"][:10]
nearest = {"generated": made}
for name, faces, features in (
    ("training", train_faces, shelf),
    ("never seen", test_faces, unseen_features),
):
    places, _ = gan.nearest_neighbours(describe(made), features)
    nearest[name] = faces[places[:, 0]]
plots.rows(nearest)

# %% [markdown]
# So the nearest training picture is no evidence by itself. It *is* evidence about a model that has seen few pictures, each of them often (as in section 2, these two change together here). In the stored runs of section 2 the search is in pixels; the drawer holds the training set (of 2,000 faces only 500) and as many unseen pictures, so ½ is what innocence gives:

# %%
by_search = {}
for size, shares in runs_of("seen").items():
    n = audits.JUDGED * len(shares)
    share = sum(shares) / len(shares)
    by_search[size] = share, auditing.wilson_interval(round(share * n), n)
    low, high = by_search[size][1]
    by_run = ", ".join(f"{part:.1%}" for part in shares)
    print(f"{size:5} faces: nearest was seen {share:.1%} ({low:.1%} … {high:.1%}), by run {by_run}")
by_search = {"nearest was seen": by_search}
figures.along(by_search, {"nearest was seen": 0.5}, "faces in training", "share of pictures")

# %% [markdown]
# For the models of 20 faces the nearest picture is nearly always a training picture (100.0 %). For those of 100 faces this holds for 88 % of the pictures (85 % in one run, 90 % in the other: the interval in the figure counts pictures and contains neither run), although only 5 of these 2,000 were counted as copies, and for those of 500 for 55 % (1,109 of 2,000; 57 % in one run, 54 % in the other). For 2,000 faces nothing is shown: 51 %, and the search is weaker there, because three of four training pictures are not in the drawer.
#
# ### To discuss
#
# 1. Someone shows a generated portrait beside a painting of hers and says: it is mine. What do you ask her for, and what the company? (Good answers ask for a drawer with unseen pictures in it, for proof that the search would find a copy, for the ratio $r$, for how often her paintings stood in the training set, or
#    say that likeness of style is not the point.)
# 2. Suppose no picture is a copy, and all are worth something only because 4,484 drawings were used. Is there a debt? To whom, if the nearest picture proves nothing? Possible: *to nobody*; *to all, a share each*; *to those who did not agree*. The drawings here
#    are in the public domain (CC0): does that end the question?
# 3. A style is no one's property in most laws. Should it be?
#
# ## 4 · Bias: which share goes in, which comes out?
#
# **The case.** Buolamwini and Gebru (2018) tested three commercial programs that say from a photograph whether it shows a man or a woman. For lighter-skinned men they erred in at most 0.8 % of the pictures, for darker-skinned women in up to 34.7 %. A generator can do the same
# without anyone noticing: it fills a page, and nobody sees who is missing. Bianchi and others (2023) asked text-to-image models for people of various professions, and found the pictures more one-sided than the professions are.
#
# They compare with the professions. Here "amplified" means what it means to Zhao and others (2017): more one-sided than the training set. There are two scales for that.
#
# ### Exercise 5 · Points and factors
#
# From `training_share` to `generated_share`: return the change in percentage *points*, and the factor. 0.7 to 0.8 is +10 points, and a factor of 1.14. *One line, two minutes.*


# %%
def amplification(training_share, generated_share):
    """two shares -> (percentage points, factor)"""
    ### BEGIN SOLUTION
    return 100 * (generated_share - training_share), generated_share / training_share
    ### END SOLUTION


amplification = check("ethics.amplification", amplification)

# %% [markdown]
# The experiment. 1,789 people were drawn twice, without and with glasses, all else the same. We decide who wears them: 50, 70 or 90 %. A VAE, a GAN and a flow learn from each of these worlds, for 600 steps each (of 64 faces; the flow's of 32, so it sees half as many), with three seeds that put glasses on different people, at 16×16 pixels. A network that was trained on
# the pairs counts the glasses in 1,000 generated faces.
#
# First test the instrument. The counter must not favour one answer, even on the kind of pictures that models make, which are blurred.

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
# On blurred faces it misses about one pair of glasses in forty, and so makes a share smaller by about a fortieth of itself. (Blur is not the only thing that models do wrong. For what a GAN or a flow does wrong we have no faces with known glasses, so a small difference may be an error of the counter.)
#
# Half of the training faces wear glasses. **Which share of the generated ones will?**

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
# Each marker is one trained model, its line the interval from its 1,000 pictures. At 0, nothing has changed. Some models of one kind in one world differ by more than their intervals: which people wear the glasses, and how the weights began, can matter too. So the fair interval is one over *seeds*. With three seeds, Student's $t$ gives the mean ± 4.3 standard errors.


# %%
def over_seeds(values):
    """The mean of three values, and Student's interval at 95 %."""
    values = torch.tensor(values)
    half = 4.303 * values.std().item() / 3**0.5
    mean = values.mean().item()
    return mean, (max(mean - half, 0.0), min(mean + half, 1.0))


# %%
changes, verdicts, half_widths = {}, {}, []
for kind, points in worlds.items():
    for went_in in audits.SHARES:
        mean, interval = over_seeds([out for before, out, _ in points if before == went_in])
        changes[kind, went_in], factor = amplification(went_in, mean)
        verdicts[kind, went_in] = auditing.amplification(went_in, mean, interval).verdict
        half_widths.append(50 * (interval[1] - interval[0]))
        ends = f"{interval[0]:.0%} … {interval[1]:.0%}"
        print(f"{kind:5} {went_in:.0%} in, {mean:.1%} out ({ends}):", end=" ")
        print(f"{changes[kind, went_in]:+.1f} points, × {factor:.2f}: {verdicts[kind, went_in]}")
print(guess.reveal("half"))
print(f"half an interval: {min(half_widths):.0f} to {max(half_widths):.0f} points")
assert max(abs(change) for change in changes.values()) < 6
assert sum(verdict == "not shown" for verdict in verdicts.values()) >= 6

# %% [markdown]
# **Nothing large is amplified here.** All nine means lie within 6 points of the share that went in. What could this experiment have found? The intervals are 1 to 9 points wide on either side, so a loss of 20 points would have shown in every row, and a change of 5 points in only some. "Not shown" is not "zero".
#
# In seven of nine cases the interval contains the training share. Two do not contain it: the GAN of the 90 % world (+2 points) and the flow of the 50 % world (+6). Of nine such intervals at least one misses by chance in more than a third of all studies ($1 - 0.95^9 = 37\,\%$), and two or more in 7 %: no proof. All nine runs of the flow have more glasses than went in. That is a good reason for a new experiment with new seeds, but no result of this one: among three models and two directions we noticed the most striking row *after* we had seen it, and the counter was never tested on the flow's own mistakes.
#
# You might have expected most of the thin glasses to be lost. So large a loss would have shown, and there was none. A likely reason, not tested here: at 16×16 they are a dark bar.
#
# ### The shipped models
#
# Their training set has 38 % faces with glasses and 25 % with beards or moustaches. What do they generate, at 32×32, according to the course's classifier? It errs in less than 2 % of all *real* faces. But what does it say about the kind of pictures that these models make? For a VAE this can be measured: encode and decode held-out faces, of which the attributes are known. The result has the model's blur or speckle.

# %%
went_in = {
    name: peeps.attributes[name].double().mean().item() for name in ("glasses", "facial_hair")
}
judges = {attribute: metrics.Classifier(f"peeps_{attribute}") for attribute in went_in}


@torch.no_grad()
def rebuilt(net):
    return net.decode(net.encode(test_faces)[0]).clamp(-1, 1)


known_faces = {"real": test_faces, "VAE": rebuilt(vae), "VAE/GAN": rebuilt(vaegan)}
errors = {}
for attribute, judge in judges.items():
    has = held_out.attributes[attribute].bool()
    for name, faces in known_faces.items():
        said = judge.classify(faces).bool()
        missed, invented = ((~said[has]).double().mean(), said[~has].double().mean())
        errors[attribute, name] = missed.item(), invented.item()
        print(f"{attribute:11} {name:8} missed {missed:.1%}, invented {invented:.1%}")

# %% [markdown]
# The judge sees beards on 8 % of the beardless faces that the VAE/GAN rebuilds, and misses 24 % of the beards that the VAE rebuilds. (Some of the misses are the reconstruction's: a moustache that is blurred away is gone.) If a share $p$ of the pictures has the attribute, the judge counts $p\,(1 - \text{missed}) + (1 - p)\,\text{invented}$. Solved for $p$, this corrects the count (Rogan and Gladen 1978), as far as the judge errs on samples as it does on reconstructions. For the DCGAN and the diffusion model we cannot rebuild faces, so we do not know the judge's errors; take the widest interval that any of the measured errors gives. (Each corrected interval takes the measured errors as exact. They too are shares of a few hundred faces or fewer, so it is somewhat too narrow.) A verdict needs both, the raw and the corrected interval, on the same side of the share that went in.


# %%
def corrected(share, missed, invented):
    return (share - invented) / (1 - missed - invented)


came, shifts = {}, {}
for attribute, judge in judges.items():
    before = went_in[attribute]
    for name, made in drawn.items():
        share, ends = came[attribute, name] = auditing.attribute_shares(judge, made)
        like = [name] if name in known_faces else known_faces  # unknown errors: any of the known
        low = min(corrected(ends[0], *errors[attribute, kind]) for kind in like)
        high = max(corrected(ends[1], *errors[attribute, kind]) for kind in like)
        beyond = min(low, ends[0]) > before or max(high, ends[1]) < before
        shifts[attribute, name] = ("more" if share > before else "fewer") if beyond else "not shown"
        told = f"{before:.0%} in, {share:.0%} out ({ends[0]:.0%} … {ends[1]:.0%})"
        print(f"{attribute:11} {name:9} {told}, corrected {low:.0%} … {high:.0%}:", end=" ")
        print(shifts[attribute, name])
if full:
    shown = {key for key, verdict in shifts.items() if verdict != "not shown"}
    both = {(a, name) for a in went_in for name in ("VAE", "VAE/GAN")}
    assert shown == both | {("glasses", "DCGAN")} and shifts["glasses", "DCGAN"] == "fewer"

# %% [markdown]
# Two models shift both attributes, and the calibration does not explain it: the VAE (44 % glasses, 33 % beards) and the VAE/GAN (48 % and 47 %) generate more of both than went in. The DCGAN loses glasses: 27 % of its faces wear them, and at most 35 % if the judge errs on its pictures as it does on the VAE's. Its beards (18 %) and the shares of the diffusion model (32 % glasses, 30 % beards) also differ from the training set, but their corrected intervals contain the training share: not shown.
#
# All this is one training run each. With another seed the shares may move elsewhere. And "more" is not "amplified": both shares that went in lie below one half. The shares of the VAE and the VAE/GAN came nearer to one half, so these two *weaken* what is one-sided in the training set. Only the DCGAN, which loses glasses, *amplifies* it. So "generators amplify" is no general rule. By how much *this* model shifts *this* attribute has to be measured, for each model, with a judge that was tested on its kind of pictures.
#
# ### To discuss
#
# 1. Of one model's faces 27 % wear glasses where 38 % went in, of another's 48 %. Which of them is biased? Against what should we compare: the training data, the world, or the world as it should be? Each answer has its defenders, and each gives another number for the same model.
# 2. Suppose a model loses a quarter of the glasses, because they are thin and hard to draw. Nobody intended it, and nobody was left out of the data. Is it therefore harmless? What if the thin thing were a hearing aid?
# 3. You may choose the training set 50 : 50 by hand. What do you lose, and who decides which attributes count?
#
# ## 5 · Deepfakes: can they be detected?
#
# **The case.** The slides show a president, Barack Obama, in a video of MIT, saying what he has not said. (They give no more of the source than that.) Suwajanakorn and others (2017) published how such a video is made: from many hours of his weekly
# addresses a network learned which mouth belongs to which sound, and was then given another recording. The usual answer is a detector: a network that tells fakes from real pictures.
#
# First, what is being "right" worth? Of 1,000 pictures 900 are real. A detector calls *all* of them real. **Which share of its answers is right, in percent?**

# %%
# Replace ... by a number
guess = predict("ethics.always_real", ...)

# %%
scores, labels = torch.zeros(1000), (torch.arange(1000) < 100).long()
right = ((scores > 0.5).long() == labels).float().mean().item()
print(guess.reveal(round(100 * right)), f"Its AUC is {roc_auc(scores, labels):.1f}.")
assert abs(right - 0.9) < 1e-6 and abs(roc_auc(scores, labels) - 0.5) < 1e-6

# %% [markdown]
# Now train a detector on the fakes of each generator, with three seeds each. Each is an ordinary discriminator, trained on a fixed set of fakes. **A detector tells a GAN's pictures from real ones with 99 % right. How well will it do on a diffusion model's pictures of the same things?**

# %%
# Replace ... by one of: "about 99 %", "more", "much less"
guess = predict("ethics.other_generator", ...)

# %%
fakes = {name: draw(name, pick(smoke=20, laptop=1000, gpu=1000), seed(5)) for name in drawn}


def detector_of(name, number):
    """A detector trained on real faces against the fakes of one generator."""
    torch.manual_seed(number)
    step = auditing.DetectionStep(dcgan.Discriminator(ndf=16, size=32).to(home), fakes[name])
    batches = data.load("peeps", size=32).batches(32, home, seed(number))
    for _ in range(pick(smoke=5, laptop=250, gpu=250)):
        step(next(batches))
    return step.detector.cpu()


print("about two minutes …" if full else "a few steps only")
detectors = {name: [detector_of(name, number) for number in (5, 6, 7)] for name in drawn}

# %% [markdown]
# They are judged on pictures that none of them has seen: 516 held-out faces and other samples of the generators. Half of the held-out faces set the threshold, the one that accuses 1 % of real pictures; the other half show how many it really accuses. Two tables show all detectors. Then come the ROC curves of one of them, the DCGAN's of the first seed: for every threshold, the share of fakes found against the share of real pictures accused (on a logarithmic axis; the vertical line is at 1 %).


# %%
def judged(detector):
    """The scores of real pictures and of each maker's fakes, and the threshold for 1 %"""
    limit = auditing.threshold_at(auditing.detect(detector, test_faces[::2]), 0.01)
    scores = {maker: auditing.detect(detector, made) for maker, made in drawn.items()}
    return auditing.detect(detector, test_faces[1::2]), scores, limit


verdicts = {name: [judged(detector) for detector in some] for name, some in detectors.items()}
aucs, found, accused = {}, {}, {}
for name, of_seed in verdicts.items():
    accused[name] = [(real > limit).double().mean().item() for real, _, limit in of_seed]
    aucs[name] = {
        maker: [auditing.membership_auc(-scores[maker], -real) for real, scores, _ in of_seed]
        for maker in drawn
    }
    found[name] = {
        maker: [(scores[maker] > limit).double().mean().item() for _, scores, limit in of_seed]
        for maker in drawn
    }
    print(f"against {name:9} real accused, by seed: {[f'{share:.1%}' for share in accused[name]]}")
figures.cross_table(
    aucs, "trained against", "tested on fakes of (AUC: mean of 3 seeds, their range)", 0.5
)

# %%
figures.cross_table(found, "trained against", "tested on fakes of (share found, threshold at 1 %)")

# %%
real, scores, _ = verdicts["DCGAN"][0]
curves = {
    maker: auditing.roc_curve(torch.cat([s, real]), torch.arange(len(s) + len(real)) < len(s))
    for maker, s in scores.items()
}
print(guess.reveal("much less"))
figures.roc(curves)

# %% tags=["quality"]
for name, of in aucs.items():
    weakest = min(of, key=lambda maker: sum(of[maker]))
    told = f"{weakest} {[round(auc, 2) for auc in of[weakest]]}"
    print(f"against {name:9} AUC by seed: its own {[round(auc, 3) for auc in of[name]]}, {told}")
if full:
    assert all(min(aucs[name][name]) > 0.8 for name in drawn)
    assert max(aucs["DCGAN"]["VAE/GAN"]) < min(aucs["DCGAN"]["DCGAN"])

# %% [markdown]
# Each detector knows its own generator: AUC 0.99 to 1.00 for the first three, 0.93 to 0.98 for the diffusion model (in another run, computed in float32, one seed had 0.88). About others it may be right or wrong. The DCGAN's detectors find all fakes of the DCGAN and 11 % of the VAE/GAN's (7 to 14, by seed). Of the VAE's and the diffusion model's they find 0 to 3 %, about as many as of the real pictures, of which they accuse 1.2 to 2.3 %. The detectors that were trained against the diffusion model find 12 % of the DCGAN's fakes (3 to 24), and more of the VAE's (83 to 94 %) than of their own (38 to 79 %). On the fakes of the VAE/GAN, these detectors and those of the VAE have an AUC of 0.23 to 0.50: all but one of these six take these pictures for *more* real than real ones. (The VAE/GAN's detectors, in turn, find at most 1 % of the VAE's fakes, and at most 1 % of the diffusion model's.) A likely reason, not tested here: the VAE and the diffusion model blur, so their detectors have learned that blurred means fake, and the VAE/GAN makes its pictures too sharp. A detector learns whatever *this* generator does wrong, and is right about others as far as they make the same errors. (Corvi and others 2023 found that detectors made for GANs are often wrong about large diffusion models.) Whether it will be right about a generator that comes out next year cannot be said in advance.
#
# Mind the seeds: between 38 and 79 % of the diffusion model's fakes are found by detectors that differ in nothing but their first weights and the order of the pictures. One seed could have told either story.
#
# Look at the accused, too. The threshold was set for 1 %, on 258 pictures; on 258 others the twelve detectors accuse between 0.0 and 2.3 % of them. A rate this small needs more pictures than we have. (Wilson: 1 of 258 is 0.1 to 2.2 %.)
#
# And pictures travel: they are made smaller, stored as JPEG, blurred. Take the GAN's detector of the first seed and its own fakes, real and fake pictures treated alike, at the threshold that was set on untreated ones. **Will the share of fakes found fall?**

# %%
treated = {"fakes found": {}, "real accused": {}}
limit = verdicts["DCGAN"][0][2]
for attack, change in auditing.ATTACKS.items():
    for kind, faces in (("fakes found", drawn["DCGAN"]), ("real accused", test_faces[1::2])):
        flagged = auditing.detect(detectors["DCGAN"][0], change(faces)) > limit
        treated[kind][attack] = attribute_shares(flagged)
figures.after_attacks(treated, "share, by a detector of the DCGAN")

# %%
for attack in auditing.ATTACKS:
    print(f"{attack:12}", {kind: f"{of[attack][0]:.0%}" for kind, of in treated.items()})
if full:
    blamed = {attack: low for attack, (_, (low, _)) in treated["real accused"].items()}
    assert (
        treated["real accused"]["none"][0] < 0.05 < 0.25 < min(blamed["blur 1"], blamed["resize ½"])
    )

# %% [markdown]
# The fakes are found after every treatment. What changes is the verdict on *real* pictures: blurred by a pixel, made smaller and enlarged again, or cropped, most of them are accused (67 to 98 %), and 14 % after JPEG of quality 30. So this detector takes the traces of such a treatment for those of the DCGAN. (Yet it finds hardly any of the VAE's fakes, which look blurred too, but have speckles. What it looks for was not tested.) A genuine picture that a program has made smaller can look fake.

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
# Eleven of twelve accused pictures are genuine, with a detector that is "99 % right" about real pictures. Move the threshold of the GAN's detector. *Is there a place where you would use it? On a newspaper's desk, in a court, in an upload filter for a million pictures a day?*

# %%
of_gan = verdicts["DCGAN"][0][1]
its_own_first = {"DCGAN": of_gan["DCGAN"], **of_gan}
sliders.detector_threshold(auditing.detect(detectors["DCGAN"][0], test_faces), its_own_first)

# %% [markdown]
# ### To discuss
#
# 1. A platform deletes what its detector accuses. The vendor says 99 %. Which three numbers do you ask for before you answer? (Of whose fakes? After which treatment? How rare are fakes here?)
# 2. "If no detector works, nobody can be convinced of anything, and a true recording can be called a fake." Is that a reason to publish detectors that do not work? To publish generators later? To trust persons and signatures instead of pixels? The next section tries the last.
#
# ## 6 · Provenance: can a picture say where it comes from?
#
# Instead of finding out what is false, mark what is generated, at the source. The EU requires this of providers of generators (Regulation (EU) 2024/1689, Article 50: generated pictures are to be "marked in a machine-readable format and detectable as artificially generated").
# A **watermark** puts the mark into the pixels. Ours is a classical one, quantisation index modulation (Chen and Wornell 2001). Decompose the picture into waves (cosines), as JPEG does. For each of 49 waves, a secret key names a grid of values; marking moves the wave's coefficient to the nearest value of
# its grid. Anyone who has the key can check whether the coefficients lie suspiciously close to their grids.
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
# In an unmarked picture each coefficient lies within a quarter step of its grid with probability ½, because the key was chosen at random. Count these hits. How probable are as many hits *or more* of $d$ in an unmarked picture? Sum $\binom dk 2^{-d}$ from there to $d$. *Four lines, ten minutes.*


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
# The library's `auditing.embed_watermark(images, key, strength)` does this to pictures. Its test uses how near each coefficient lies to its grid, where the exercise only counts hits. (A count makes p jump: 33 hits of 49 give 0.0106, 34 give 0.0047. So p < 0.01 occurred in 0.5 % of the unmarked above, not in 1 %.) In the library a key names three grids for each wave, one for each of the strengths 0.025, 0.05 and 0.1. The test is not told the strength: it tries all three and corrects its p-value for that, $p = 1 - (1 - p_{\text{smallest}})^3$. The library also shifts the grids by five low-frequency coefficients of the picture, so one key gives every picture a different pattern.
#
# **Is the p-value true?** That is the first thing to ask of any accuser. On 10,000 pictures that nobody marked, tested with five keys each, p < 0.01 should occur in 1 %: no more, and no less. (They are grey pictures of clothes, Fashion-MNIST, because there are many of them. The faces that are marked below were not tested in this way.)

# %%
key, keys = 7, range(7, 12)
unmarked = data.load("fashion", "test").floats()[: pick(smoke=1000, laptop=10_000, gpu=10_000)]
p = torch.cat([auditing.detect_watermark(unmarked, one) for one in keys])
tests = {}
for level in (0.001, 0.01, 0.05):
    called = int((p <= level).sum())
    tests[level] = binomtest(called, len(p), level).pvalue
    told = f"called marked {called / len(p):.2%} (binomial p {tests[level]:.2f})"
    print(f"stated {level:5.1%}: {told}")
assert min(tests.values()) > 0.001
marked = auditing.embed_watermark(unmarked[:1000], key)
figures.p_values({"unmarked": p, "marked": auditing.detect_watermark(marked, key)})

# %% [markdown]
# The line of the unmarked pictures follows the dotted line of chance, and a binomial test refutes none of the three levels at a thousandth (the smallest of the three p-values is 0.02; the test takes the 50,000 results as independent). With 50,000 tests it would most likely have noticed 1.2 % instead of 1 %.
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
print("expected: about 0.001.", guess.reveal(sorted(smallest)[len(smallest) // 2]))
assert max(smallest) < 0.02

# %% [markdown]
# If you try many keys, divide the level by their number.
#
# **Can you see it?** Move the strength. The read-out gives the PSNR (lecture 05), p, and p after JPEG. *At which strength would you object, as a painter? As a newspaper?*

# %%
faces64 = data.load("peeps", "test").floats()[: pick(smoke=40, laptop=200, gpu=200)]
sliders.watermark_strength(faces64[3:4], key, auditing.ATTACKS["JPEG 50"])

# %%
sheets = {"original": faces64[:6]}
for strength in (0.025, 0.05, 0.1):
    marked = auditing.embed_watermark(faces64, key, strength)
    sheets[f"{strength:g}: {metrics.psnr(faces64, marked):.1f} dB"] = marked[:6]
plots.rows(sheets)

# %% [markdown]
# On white paper the mark shows as grey clouds, clearly at strength 0.1 and faintly at 0.05. Photographs, with texture everywhere, would hide more (not tested here).
#
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
print(guess.reveal(round(100 * lasting["strength 0.05"]["JPEG 50"][0], 1)))
figures.after_attacks(lasting, "mark still found, p < 0.01", reference=0.01)

# %%
for name, of in lasting.items():
    print(name, {attack: f"{share:.0%}" for attack, (share, _) in of.items()})
    assert of["none"][0] == 1 and of["crop 0.9"][0] < 0.1
survived = {attack: share for attack, (share, _) in lasting["strength 0.05"].items()}
assert min(share for attack, share in survived.items() if attack != "crop 0.9") > 0.9
assert lasting["strength 0.025"]["resize ½"][0] < 0.5

# %% [markdown]
# Without an attack, every mark is found. At strength 0.05 (30 dB) it is found in 95 to 100 % of the pictures after each treatment except cropping, even after JPEG of quality 30. The faint mark of 36 dB is lost in more than half of the pictures that were made half as large. The strong one, 24 dB, lasts no longer than the middle one. (A likely reason is clipping: a white background cannot get whiter, so part of the mark is lost.)
#
# Cropping defeats all three: keep the middle nine tenths of the width and of the height, enlarge them, and the mark is found no more often than by chance. Is it destroyed? Lay the cropped picture back into its place in the original, which the owner still has:

# %%
marked = auditing.embed_watermark(faces64, key)
side, edge = round(0.9 * 64), (64 - round(0.9 * 64)) // 2
small = F.interpolate(auditing.ATTACKS["crop 0.9"](marked), (side, side), mode="bilinear")
aligned = faces64.clone()
aligned[:, :, edge : edge + side, edge : edge + side] = small
share, (low, high) = attribute_shares(auditing.detect_watermark(aligned, key) < 0.01)
print(f"laid back into its place: found in {share:.0%} ({low:.1%} … {high:.1%})")
assert low > 0.9

# %% [markdown]
# It is still there. The detector measured waves of the wrong length and in the wrong place. This is a problem of **synchronisation**, and watermarks that should survive cropping carry a pattern by which the detector finds its place again. Ours has none, and nothing is easier than to crop.
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
# Anyone who has the key can make a true picture pass for a generated one: a politician's way out. So the key must be secret, and then only its owner can test. If everyone could test this mark, everyone could forge it.
#
# ### Signed claims
#
# **Content credentials** (the C2PA specification of an industry coalition) take the other path: nothing is hidden. A camera or a program writes beside the pixels what it has done, with a hash of the pixels, and signs it. In miniature (the real specification uses public keys and
# certificates):


# %%
def sign(pixels, claim, secret):
    """(H, W, C) bytes, a text, a key -> a note about these very pixels, its signature"""
    note = f"{claim}; pixels {hashlib.sha256(pixels.numpy().tobytes()).hexdigest()}"
    return note, hmac.new(secret, note.encode(), "sha256").hexdigest()


def verify(pixels, note, signature, secret):
    if note is None:
        return "no claim"
    claim, _, _ = note.rpartition("; pixels ")
    return "holds" if sign(pixels, claim, secret) == (note, signature) else "broken"


# %%
pixels, secret = (127.5 * (photograph[0] + 1)).byte(), b"of the camera"
note, signature = sign(pixels, "taken by a camera", secret)
said = {
    "as it was": verify(pixels, note, signature, secret),
    "5 % darker": verify((0.95 * pixels).byte(), note, signature, secret),
    "another claim": verify(pixels, note.replace("camera", "painter"), signature, secret),
    "saved by a program that drops the note": verify(pixels, None, None, secret),
}
print(said)
assert list(said.values()) == ["holds", "broken", "broken", "no claim"]

# %% [markdown]
# Both the watermark and the signature can be forged by whoever has the key. But with public keys everyone can test a signature without the key that makes it, and this watermark can be tested only with the key that forges it. On the other hand, a signature is lost in the first program that does not know it. The watermark of strength 0.05 was still found in 95 to 100 % of the pictures after each treatment that we tried, except cropping. They fail in different ways; that is why people propose to use both.
#
# ### To discuss
#
# 1. A law asks for marks that are "robust". Look at the figure of attacks: at which share after which treatment would you call this mark robust, and at which PSNR? Is a mark worth having that honest people leave in and liars crop off?
# 2. Pictures with a signed claim are believed more; pictures without one less. Who has no camera that signs? (A witness with an old telephone is one answer. Who would rather not sign what she sends?)
#
# ## 7 · Work: what is a picture worth?
#
# **The case.** At the Colorado State Fair of 2022 the blue ribbon for emerging digital artists went to *Théâtre D'opéra Spatial* by Jason Allen, who had made it with the generator Midjourney, and had named the program in his entry. Artists were not happy (Roose 2022).
#
# Sit on the jury. Of the following 20 faces 10 were put together from an artist's drawings, 10 were generated by the diffusion model.

# %%
turn = torch.randperm(20, generator=seed(11))
is_fake = (torch.arange(20) >= 10)[turn]
jury = torch.cat([test_faces[21:41:2], drawn["diffusion"][20:30]])[turn]
plots.grid(jury, columns=10, title="1 to 10 above, 11 to 20 below")

# %%
my_fakes = []  # the ten that you take for generated: [3, 7, …]
votes = torch.zeros(20, dtype=torch.bool)
votes[[i - 1 for i in my_fakes]] = True
correct = int((votes == is_fake).sum())
if my_fakes:
    hits, chosen = int(votes[is_fake].sum()), int(votes.sum())
    chance = hypergeom.sf(hits - 1, 20, 10, chosen)  # of `chosen` pictures drawn blindly
    print(f"{correct} of 20 right; {chance:.0%} of all jurors who guess are as good or better")
for name, some in detectors.items():
    jurors = [
        auditing.detect(net, jury) > v[2] for net, v in zip(some, verdicts[name], strict=True)
    ]
    right = [int((vote == is_fake).sum()) for vote in jurors]
    print(f"the detectors against {name:9} {right} of 20 right, by seed")

# %% [markdown]
# How did you do? On these 20 faces the detectors of the diffusion model have 15, 20 and 17 right, those of the VAE 12 to 14, and all others 10 or 11, about as many as a juror who calls all of them real. (20 pictures are few: 2 % of all jurors who toss a coin for each picture have 15 or more right.)
#
# The drawings are Pablo Stanley's, who gave them away. Without them the models would have had nothing to learn from, and in section 2 the models that were trained long on 20 drawings returned copies of them in 70 and 77 % of their pictures.
#
# ### Whose work?
#
# The slides name photography, modelling and film. In each of them the question of *likeness* from section 2 is also one of wages: a generated model wears the clothes, a scanned extra fills the crowd, a voice is synthesised. What has been agreed so far is mostly about consent and pay for **digital replicas**: the contract that ended the strike of American screen actors in 2023 (SAG-AFTRA) requires consent for a replica and pay for its use, and New York's Fashion Workers Act, in force since June 2025, requires a model's written consent, separate from her contract. For a generated face that is nobody's, no one has to give consent. The contract of 2023 required only that the union is told and can bargain; in the one of 2026 the producers also declare that they do not intend to give such a face a human's role, unless it brings “significant additional value”. And new work appears as well: directing a generator, correcting its pictures, proving where a picture comes from. How many jobs come and go, this notebook cannot measure.
#
# ### What laws say
#
# Not advice, and no more than these sources:
#
# - *May a machine be an author?* Not in the United States: *Thaler v. Perlmutter*, D.D.C. 18 August 2023 (No. 22-1564), affirmed D.C. Cir. 18 March 2025 (No. 23-5233); the Supreme Court declined to hear the case on 2 March 2026. The court of appeals left open how much a person must contribute who works *with* a machine.
# - *And the prize-winner?* The Review Board of the U.S. Copyright Office refused to register *Théâtre D'opéra Spatial* on 5 September 2023, because its maker did not want to leave the generated parts out of the claim. He went to court in 2024 (*Allen v. Perlmutter*, D. Colo.; not decided by early November 2026).
# - *Where is the line?* U.S. Copyright Office, *Copyright and Artificial Intelligence*: Part 1, Digital Replicas (July 2024); Part 2, Copyrightability (January 2025); Part 3, Generative AI Training (pre-publication version, May 2025).
# - *Must generated pictures be marked?* In the EU, Regulation (EU) 2024/1689, Article 50(2) obliges those who provide the generator; by Article 50(4) those who use it must disclose a deep fake, with less required of what is evidently art or satire. This applies from 2 August
#   2026 (Article 113). For generators that were on the market before that day, the duty to mark begins on 2 December 2026 (Article 111(4), inserted by Regulation (EU) 2026/1744, the “digital omnibus” of July 2026). Laws change, so read the consolidated text.
#
# ### To discuss
#
# 1. The jury, when told, might say: the picture is still the best. Or: then it is no drawing. Was the prize for the picture, for the work, or for the idea? Does your own score as a juror matter to the answer?
# 2. A generated picture costs its maker almost nothing. Whose income does that affect first: that of people whose pictures nobody looks at twice, or that of the best? What would have to be measured to know, and on whom?
# 3. Should the artists whose drawings a model has learned from be paid, even if section 3 cannot say whose drawings a picture comes from? By share of the training set, by likeness, not at all?
# 4. A clothing shop wants to show its clothes on generated people "of every skin colour and size". Who gains, who loses, and who should be asked?
#
# ## 8 · The card
#
# A model leaves your hands with its weights and nothing else, unless you write the rest down. Mitchell and others (2019) propose a short document: what the model is for and not for, what it was trained on, what was measured. You have measured most of it by now.
#
# ### Exercise 8 · A model card
#
# Write the card of a model of your own: one of these lectures, or the diffusion model of faces. `auditing.CARD` has the headings with the question that each answers. The check looks for what is *missing*: a title (`# …`), a heading (`## …`), fewer than five words under one, a number under Evaluation, Copies and members, or Attributes, a placeholder left standing. It does not judge what you say. `auditing.model_card(name, sections,
# measured)` puts a card together. *Half an hour, if you mean it.*

# %%
for heading, question in auditing.CARD.items():
    print(f"{heading}: {question}")
measured = {"with glasses": came["glasses", "diffusion"]}
measured["nearest was a training picture"] = from_training["diffusion"]


# %%
def model_card():
    """-> the card of your model, as Markdown"""
    ### BEGIN SOLUTION
    sections = {
        "Model": "A diffusion model with a small U-Net (1,147,000 weights): 32 × 32 faces, 25 steps.",
        "Intended use": "For students who audit a generator on a laptop.",
        "Out of scope": "Everything else: its faces stand for no people and no share of people.",
        "Training data": "4,484 drawings made of Open Peeps by Pablo Stanley (CC0). Nobody is real.",
        "Evaluation": "On 516 held-out faces, after one training run: nothing is said of seeds.",
        "Copies and members": "The nearest of 4,742 real faces is a training picture in "
        f"{from_training['diffusion'][0]:.0%} (of unseen faces: {innocent:.0%}). A tenth of copies "
        "would not have been noticed. Its losses were not asked.",
        "Attributes": "38 % of the training faces wear glasses; of the generated: see the table. "
        "That is the judge's count; corrected for its possible errors it shows no shift.",
        "Provenance": "No mark. A detector made for another generator may miss its faces.",
        "Limits": "One artist's parts, one training run, faces of 32 pixels.",
    }
    return auditing.model_card("A small diffusion model of faces", sections, measured)
    ### END SOLUTION


model_card = check("ethics.model_card", model_card)

# %%
card = "\n" + model_card()
Markdown(card.replace("\n## ", "\n##### ").replace("\n# ", "\n#### "))

# %% [markdown]
# ## To go further
#
# 1. **Forget.** Train the model of section 2 on 20 faces, with `audits.learned`, for 250, 500, 1,000 and 1,500 steps. (Section 2 has 640 and 2,000.) Fewer copies, and worse pictures? Draw both against the number of steps. Then vary the *width* of the U-Net, which no experiment of section 2 did.
# 2. **Mend the detector.** Train it on fakes *and* real pictures after random attacks, as Wang and others (2020) did. Which rows of the cross table get better, and which do not?
# 3. **Remove the mark.** Without the key: blur a little, add a little noise, and find the best PSNR at which the mark is gone. With a thousand marked pictures of one key: can their mean betray it?
# 4. **Another attribute.** Beards are large and dark. Repeat section 4 with them: choose faces by `attributes["facial_hair"]`. (No pairs with and without a beard are stored, so other attributes may change with it.) Is there still a difference between the three models?
# 5. **Your own faces.** `data.load("a folder")` reads your pictures. Plant one, and look for it. Then delete the weights.
#
# ## References
#
# The cases of the slides:
#
# - S. Desai, A. Baghal, T. Wongsurawat and others. Chest imaging with clinical and genomic correlates representing a rural COVID-19 positive population. Data set, The Cancer Imaging Archive, 2020. Described in: Chest imaging representing a COVID-19 positive rural U.S. population. *Scientific Data* 7:414, 2020.
# - S. Escalante-De Mattei. What are those signatures doing in Lensa AI portraits? *ARTnews*, 2022.
# - K. Roose. An A.I.-generated picture won an art prize. Artists aren't happy. *The New York Times*, 2 September 2022.
# - S. Suwajanakorn, S. M. Seitz, I. Kemelmacher-Shlizerman. Synthesizing Obama: learning lip sync from audio. *ACM Transactions on Graphics* 36(4), 2017. (For the slides' video, whose source they do not give.)
# - V. L. Trevisan de Souza, B. A. D. Marques, H. C. Batagelo, J. P. Gois. A review on generative adversarial networks for image generation. *Computers & Graphics*, 2023. (Among the slides' references.)
#
# On likeness:
#
# - TAKE IT DOWN Act, Public Law 119-12, United States, 2025. Directive (EU) 2024/1385 on combating violence against women and domestic violence, Article 5.
# - SAG-AFTRA, *TV/theatrical contracts 2023: memorandum of agreement*, 2023; the agreement of 2026 (July 2026 to June 2030). New York State Fashion Workers Act, 2024.
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
# - W. J. Rogan, B. Gladen. Estimating prevalence from the results of a screening test. *American Journal of Epidemiology* 107, 1978.
# - J. Zhao, T. Wang, M. Yatskar, V. Ordonez, K.-W. Chang. Men also like shopping: reducing gender bias amplification using corpus-level constraints. *EMNLP* 2017, arXiv:1707.09457.
# - S.-Y. Wang, O. Wang, R. Zhang, A. Owens, A. A. Efros. CNN-generated images are surprisingly easy to spot… for now. *CVPR* 2020, arXiv:1912.11035.
# - R. Corvi, D. Cozzolino, G. Zingarini, G. Poggi, K. Nagano, L. Verdoliva. On the detection of synthetic images generated by diffusion models. *ICASSP* 2023, arXiv:2211.00680.
# - B. Chen, G. W. Wornell. Quantization index modulation: a class of provably good methods for digital watermarking and information embedding. *IEEE Transactions on Information Theory* 47, 2001.
# - C2PA. Content credentials: technical specification. c2pa.org.
# - M. Mitchell, S. Wu, A. Zaldivar and others. Model cards for model reporting. *FAT\** 2019, arXiv:1810.03993.
