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

from course_lib import data, density, device, plots, procedural, widgets
from course_lib.exercises import check, grade, hint, predict, solution
from course_lib.scale import current, pick

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

# %% tags=["cover"]
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
print(guess.against(black))
plots.bars({"black pixels": black, "all others": 1 - black}, "share of the pixels", guess)

# %% [markdown]
# ## 5 · A taste of what is coming
#
# Lecture 01 draws pictures by recipe and from data, before there were networks. Each control in the course has one question: *where does it break?*

# %%
widgets.octaves()

# %%
fashion = data.load("fashion").floats()[: pick(smoke=2000, laptop=60_000, gpu=60_000)].flatten(1)
mean, covariance = density.fit_gaussian(fashion)
drawn = density.gaussian_sample(mean, covariance, 12, torch.Generator().manual_seed(0))
plots.rows({"real": fashion[:12].view(-1, 1, 28, 28), "a Gaussian": drawn.view(-1, 1, 28, 28)})

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
