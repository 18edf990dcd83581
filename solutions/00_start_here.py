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
# # 00 · Start here
#
# {{badge}}
#
# **In ten minutes** you will have checked your machine, solved a first exercise, and seen what the course leads to.
#
# Run a cell with **Shift + Enter**. Begin at the top and go down.

# %%
# {{setup}}

# %%
import platform

import torch

from course_lib import autoencoders, data, device, metrics, plots
from course_lib.diffusion import Diffusion, cosine_betas
from course_lib.exercises import check, grade, hint, predict, solution
from course_lib.plots import density as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.translation import ResnetGenerator, translate
from course_lib.unet import UNet
from course_lib.widgets import autoencoders as sliders

# %% [markdown]
# ## 1 · Is this machine ready?
#
# The next cell reports the device used for training and its number format. `bfloat16` stores a number in 16 bits instead of 32. On some processors
# it is faster, on others far slower, and some versions of PyTorch compute wrong results with it. So the course checks its results before using it,
# and on a CPU it measures the speed, too.

# %%
device.choose()

# %%
print(f"Python {platform.python_version()}, torch {torch.__version__}")
print(f"scale of the runs: {current()}")
print(f"pictures on disk: {data.verify()} files, all as they should be")

# %% [markdown]
# The **scale** is `gpu` if a GPU was found, `laptop` if not, and `smoke` in the course's own tests. Wherever a notebook says
# `pick(smoke=…, laptop=…, gpu=…)`, it takes the value for your machine. The numbers that the text quotes were printed at the scale `laptop`;
# yours can differ a little, and on a GPU more.
#
# ## 2 · The pictures
#
# All of these pictures came with the course; nothing is downloaded. They are small pictures of faces, emoji, clothes and maps, so a laptop can train on them in minutes.

# %%
data.load("fashion")

# %%
data.load("peeps")

# %%
emoji = {style: data.load("emoji", style=style).images[40:52] for style in ("flat", "3d", "noto")}
plots.rows(emoji)

# %%
earth = data.load("earth", size=64)
plots.rows({"relief": earth.images[7::53][:8], "satellite": earth.targets[7::53][:8]})

# %% [markdown]
# Pictures are stored as whole numbers from 0 to 255, in the order (picture, channel, row, column). Networks in this course work with numbers from −1 to 1.
#
# ## 3 · How an exercise works
#
# An exercise is a function with `...` in place of its body, followed by a call of `check`. Here is one that converts pictures from $0 \dots 255$ to $[-1, 1]$:
#
# ```python
# def to_model_range(images):
#     ...
#
# to_model_range = check("density.to_model_range", to_model_range)
# ```
#
# `check` gives one of three verdicts. If the function is still blank, it says so:


# %%
def untouched(images): ...


print(grade("density.to_model_range", untouched).status)


# %% [markdown]
# If the function is wrong, `check` names the mistake when it recognises it, and otherwise shows the first place where your result differs:


# %%
def too_bright(images):
    return images / 255


print(grade("density.to_model_range", too_bright).message)

# %% [markdown]
# The third verdict is "correct". These two cells called `grade`, which returns the verdict; you will call `check`, which prints it. Your turn.
#
# ### Exercise 0 · From bytes to numbers around zero
#
# `images` is a `uint8` tensor with values from 0 to 255. Return a `float32` tensor in which 0 has become −1 and 255 has become 1. *One line, two minutes.*


# %%
def to_model_range(images):
    """uint8 in 0 … 255 -> float32 in [-1, 1], same shape"""
    ### BEGIN SOLUTION
    return images.float() / 127.5 - 1
    ### END SOLUTION


to_model_range = check("density.to_model_range", to_model_range)

# %% [markdown]
# Stuck? Run the next cell for a hint, and run it again for the next one. `solution("density.to_model_range")` shows the course's own answer.

# %%
hint("density.to_model_range")

# %% [markdown]
# You need not solve an exercise to go on. `check` returns your function if it is correct and the course's own if it is not. So the rest of every notebook runs
# either way, and it runs on *your* code as soon as that is right.

# %%
x = to_model_range(data.load("fashion", split="test").images)
print(f"{x.dtype}, from {x.min():g} to {x.max():g}")
assert x.dtype == torch.float32 and x.min() == -1 and x.max() == 1

# %% [markdown]
# ## 4 · Predict, then see
#
# Before it shows a result, the course asks what you expect. Commit to a guess even if you are not sure: you remember an answer better after a guess, even a wrong one. You may also leave the `...`.
#
# **What share of the pixels of Fashion-MNIST is perfectly black, on average over 10,000 pictures?**

# %%
# Replace ... by a number between 0 and 1
guess = predict("density.black_pixels", ...)

# %%
black = (x == -1).float().mean(dim=0)[0]  # of each pixel: in what share of the pictures
print(guess.reveal(black.mean().item()))
figures.black_pixels(black, guess)

# %% [markdown]
# ## 5 · What you will be able to do
#
# Here are three results from the lectures to come, made with trained networks that are part of the course. Look at the pictures first; after lecture 07 you will be able to read the code.
#
# **Faces drawn by a network** (lecture 07). Each face begins as pure noise, and the network removes the noise step by step. The faces of a column begin with the same noise; the faces of a
# row share one condition.

# %%
faces = data.load("peeps", size=32)
told = {name: faces.attribute_values[name] for name in ("glasses", "face", "skin")}
painter = UNet(3, 48, (1, 2, 2), classes=[len(values) for values in told.values()], patch=2)
load_weights("ddpm_peeps32", painter)
chain = Diffusion(cosine_betas(1000))


# %%
def draw(**conditions):
    """12 faces, always from the same noise. A condition is glasses="yes" or face="rage", say."""
    labels = painter.unconditional(torch.zeros(12, 3, dtype=torch.int64)).clone()  # no condition
    for i, (name, values) in enumerate(told.items()):
        if name in conditions:
            labels[:, i] = values.index(conditions[name])
    noise, steps = torch.Generator().manual_seed(19), pick(smoke=8, laptop=25, gpu=50)  # any seed
    weight = 2.0  # how strongly the condition steers; 1 would be as the network learned it
    return chain.ddim_sample(  # this network was trained to predict "v", see lecture 07
        painter, (12, 3, 32, 32), labels, weight, noise, steps=steps, prediction="v"
    )


# %% tags=["cover"]
drawn = {
    "no condition": draw(),
    "a big smile": draw(face="smileBig"),
    "rage": draw(face="rage"),
    "glasses": draw(glasses="yes"),
    "no glasses": draw(glasses="no"),
}
judge = metrics.Classifier("peeps")  # had no part in the training
wearing = {name: judge.classify(row, "glasses").sum().item() for name, row in drawn.items()}
print("faces with glasses, of 12:", wearing)
assert wearing["glasses"] >= 11 and wearing["no glasses"] <= 1
plots.rows(drawn)

# %% [markdown]
# The counts above come from a classifier that had no part in the training. It finds glasses on all 12 faces of the row "glasses" and on none of the row "no glasses"; without a condition it finds them on 2 of 12.
#
# **One face becomes another** (lecture 02). A network turns each face into a code of 32 numbers, and a code back into a face. Below, the two ends of a row are faces that the network has encoded and decoded; between them the
# codes are mixed.

# %%
vae = load_weights("vae_peeps32", autoencoders.VAE(nc=3, size=32, latent=32))
people = data.load("peeps", split="test", size=32)
pairs = torch.tensor([[2, 11], [9, 5], [7, 1]])
with torch.no_grad():
    codes = vae.encode(people.floats())[0]
    films = [
        vae.decode(torch.lerp(codes[a], codes[b], torch.arange(12)[:, None] / 11)) for a, b in pairs
    ]
ends = torch.cat([film[[0, -1]] for film in films])
named = judge.classify(ends, "head") == people.attributes["head"][pairs.flatten()]
print("hairstyles and hats named correctly at the six ends:", named.sum().item())
assert named.all()
plots.rows({f"pair {i + 1}": film for i, film in enumerate(films)})

# %% [markdown]
# At all six ends the classifier names the right one of 47 hairstyles and hats (three pairs, fixed in the code: an example, not a rate). Now you: choose two people, A and B, and the percentage of B. (Here A and B are the original pictures; only the face between them is decoded.) *Where do the faces fall apart?*

# %%
sliders.morph(vae, people.floats()[:40])

# %% [markdown]
# **Glasses for everybody** (lecture 06). The network that adds the glasses has seen people with glasses and other people without, but never the same person both ways.
# The number counts glasses only. Compare the rest of each face, too: lecture 06 measures how much of it stays.

# %% tags=["quality"]
put_on = load_weights("glasses_on", ResnetGenerator(3, 3, filters=16, blocks=3))
bare = data.load("peeps", split="test", size=32, variant="without_glasses").floats()
worn = translate(put_on, bare)
before, after = (judge.classify(x, "glasses").float().mean().item() for x in (bare, worn))
print(f"with glasses, of {len(bare)} people never seen: {before:.0%} before, {after:.0%} after")
assert before < 0.05 and after > 0.9
plots.rows({"before": bare[:12], "after": worn[:12]})

# %% [markdown]
# ## The map
#
# | | | the question |
# |---|---|---|
# | 01 | Parzen windows | What is a model of pictures, and how far is it from real ones? |
# | 02 | Autoencoders and VAE | How can every picture be given a Gaussian code? |
# | 03 | The vanilla GAN | Can a network that judges pictures teach another one to draw? |
# | 04 | DCGAN and shape arithmetic | What does a convolution know that a fully connected layer does not? |
# | 05 | The loss zoo | Does it matter which loss a GAN uses, and how would you measure that? |
# | 06 | From picture to picture | Can a horse become a zebra without a single pair to learn from? |
# | 07 | Denoising diffusion | How does a network learn to draw by removing noise? |
# | 08 | Ethics, as experiments | Whom does a generator copy, leave out or deceive, and how would you know? |
# | 09 | Styles and scale | Which number of a code changes what, and what makes a GAN large? |
# | 10 | Into the latent space | Which code draws this person, and what else changes when you move it? |
# | 11 | Restoration | Is a restored picture near, real-looking, or the same person? |
# | 12 | Words and tokens | How does a sentence get into a picture, and how would you know that it did? |
#
# Each lecture is one notebook and builds on the ones before it. Go on with **01_parzen_windows.ipynb**.
