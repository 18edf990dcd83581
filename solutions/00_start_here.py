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
# **In ten minutes** you will know that this machine is ready, how the exercises talk to you, and what is coming.
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
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.translation import ResnetGenerator, translate
from course_lib.unet import UNet
from course_lib.widgets import autoencoders as sliders

# %% [markdown]
# ## 1 · Is this machine ready?
#
# The first line says where networks will be trained, and with which numbers. `bfloat16` is a number of 16 bits in place of 32. On some processors
# it is several times faster, on others far slower, and some versions of PyTorch compute wrong results with it. So the course does not guess:
# it tries, and compares.

# %%
device.choose()

# %%
print(f"Python {platform.python_version()}, torch {torch.__version__}")
print(f"scale of the runs: {current()}")
print(f"pictures on disk: {data.verify()} files, all as they should be")

# %% [markdown]
# The **scale** is `laptop` on a processor, `gpu` where there is one, and `smoke` in the course's own tests. Wherever a notebook says
# `pick(smoke=…, laptop=…, gpu=…)` it takes the value for your machine. Nothing else changes.
#
# ## 2 · The pictures
#
# All of these came with the course; nothing is downloaded. They are small drawings, clothes and maps, so that a laptop can learn from them in minutes.

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
# Inside, pictures are whole numbers from 0 to 255, in the order (picture, colour, row, column). Networks in this course see numbers from −1 to 1.
#
# ## 3 · How an exercise works
#
# An exercise is a function with `...` in place of its body, followed by a call of `check`. Here is one that takes pictures from $0 \dots 255$ to $[-1, 1]$:
#
# ```python
# def to_model_range(images):
#     ...
#
# to_model_range = check("density.to_model_range", to_model_range)
# ```
#
# `check` says one of three things. Nobody has touched the function:


# %%
def untouched(images): ...


print(grade("density.to_model_range", untouched).status)


# %% [markdown]
# Somebody has, and it is wrong. Then it says what is wrong, if it is a mistake that many have made before you, or else where your result differs first:


# %%
def too_bright(images):
    return images / 255


print(grade("density.to_model_range", too_bright).message)

# %% [markdown]
# Or it is correct. `grade` only reports; you will use `check`, which prints the verdict. Your turn.
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
# Stuck? Run the next cell. Run it again for the next hint. `solution("density.to_model_range")` shows the course's own answer.

# %%
hint("density.to_model_range")

# %% [markdown]
# You need not solve an exercise to go on. `check` returns your function if it is correct and the course's own if it is not, so that the rest of every notebook runs
# either way, and runs on *your* code as soon as it is right.

# %%
x = to_model_range(data.load("fashion", split="test").images)
print(f"{x.dtype}, from {x.min():g} to {x.max():g}")
assert x.dtype == torch.float32 and x.min() == -1 and x.max() == 1

# %% [markdown]
# ## 4 · Predict, then see
#
# Before a result, the course asks what you expect. Say it, even if you are not sure: a prediction, right or wrong, makes the answer stay. Leaving `...` is allowed.
#
# **What share of the pixels of Fashion-MNIST is perfectly black?**

# %%
# Replace ... by a number between 0 and 1
guess = predict("density.black_pixels", ...)

# %%
black = (x == -1).float().mean().item()
print(guess.reveal(black))
plots.bars({"black pixels": black, "all others": 1 - black}, "share of the pixels", guess)

# %% [markdown]
# ## 5 · What you will be able to do
#
# Three things that the finished course does, with trained networks that came along. Look first. You will be able to read the code when you come back from lecture 07.
#
# **Faces that nobody has drawn** (lecture 07). Each begins as pure noise, and a network takes the noise away step by step. A column begins with the same noise; a row has the same wish.

# %%
faces = data.load("peeps", size=32)
told = {name: faces.attribute_values[name] for name in ("glasses", "face", "skin")}
painter = UNet(3, 48, (1, 2, 2), classes=[len(values) for values in told.values()], patch=2)
load_weights("ddpm_peeps32", painter)
chain = Diffusion(cosine_betas(1000))


# %%
def draw(**wishes):
    """12 faces, always from the same noise. A wish is glasses="yes" or face="rage", say."""
    labels = painter.unconditional(torch.zeros(12, 3, dtype=torch.int64)).clone()  # no wish
    for i, (name, values) in enumerate(told.items()):
        if name in wishes:
            labels[:, i] = values.index(wishes[name])
    noise, steps = torch.Generator().manual_seed(19), pick(smoke=8, laptop=25, gpu=50)
    return chain.ddim_sample(
        painter, (12, 3, 32, 32), labels, 2.0, noise, steps=steps, prediction="v"
    )


# %% tags=["cover"]
drawn = {
    "no wish": draw(),
    "a big smile": draw(face="smileBig"),
    "rage": draw(face="rage"),
    "glasses": draw(glasses="yes"),
    "no glasses": draw(glasses="no"),
}
judge = metrics.Classifier("peeps")  # had no part in the training
wears = {name: judge.classify(drawn[name], "glasses") for name in ("glasses", "no glasses")}
assert wears["glasses"].sum() >= 11 and wears["no glasses"].sum() <= 1
plots.rows(drawn)

# %% [markdown]
# A network that had no part in the training looks for the glasses, and finds them on at least 11 of the 12 who should wear some and on at most 1 of the others.
#
# **One face becomes another** (lecture 02). Each face is a code of 32 numbers. Halfway between two codes lies a third face.

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
assert judge.classify(ends, "head").equal(people.attributes["head"][pairs.flatten()])
plots.rows({f"pair {i + 1}": film for i, film in enumerate(films)})

# %% [markdown]
# At both ends the judge still names the right one of 47 heads. Now you: choose two people, and the percentage. *Where does it break?*

# %%
sliders.morph(vae, people.floats()[:40])

# %% [markdown]
# **Glasses for everybody** (lecture 06). The network that puts them on has seen people without glasses and other people with them, but nobody both ways.

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
# | | | it answers |
# |---|---|---|
# | 01 | Parzen windows | What is a model of pictures, and how far is it from real ones? |
# | 02 | Autoencoders and VAE | Where in a Gaussian does each picture live? |
# | 03 | The vanilla GAN | Can a judge of pictures teach a network to draw? |
# | 04 | DCGAN and shape arithmetic | What does a convolution know that a layer of numbers does not? |
# | 05 | The loss zoo | Does it matter which loss, and who says so? |
# | 06 | From picture to picture | Can a zebra be made of a horse that nobody has seen as one? |
# | 07 | Denoising diffusion | How does one learn to draw by taking noise away? |
# | 08 | Ethics, as experiments | Whom does a generator copy, leave out, deceive, and how would one know? |
#
# Every lecture stands on its own notebook, and uses what the ones before it have built. Go on with **01_parzen_windows.ipynb**.
