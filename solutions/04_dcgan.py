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
# # 04 · DCGAN and shape arithmetic
#
# {{badge}}
#
# **You will be able to**
# - say, without running anything, what size a convolution or a transposed convolution returns, how many weights it has and how much of the picture it sees;
# - reproduce the layer table of any convolutional network, and find the slips in a printed one;
# - build both networks of DCGAN from your own parts, train them, and compare them with the network without convolutions;
# - walk through a trained generator's codes, and add an attribute to a face by adding numbers.
#
# **Time**: two and a half hours with the exercises. The cells run in about 5 minutes on a laptop; plan for 15 on a GPU.
# **You need**: lecture 03 (the game and its two losses). Convolutions start here from nothing.

# %%
# {{setup}}

# %%
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from course_lib import data, dcgan, device, gan, metrics, plots, shapes
from course_lib.exercises import check, hint, predict, solution
from course_lib.plots import dcgan as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.training import train
from course_lib.widgets import dcgan as sliders


def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # networks are trained here, and looked at on the CPU


# %% [markdown]
# ## 1 · One convolution, by hand
#
# The generator of lecture 03 has 784 separate outputs, and nothing in it says which of them are neighbours. A **convolution** works with neighbours only. It slides a small window of weights, the **kernel**, over the picture. At each place it multiplies
# every pixel under the window by the weight that lies on it, and adds up the products.

# %%
picture = torch.tensor(
    [
        [0.0, 0, 0, 1, 1],
        [0.0, 0, 0, 1, 1],
        [0.0, 0, 1, 1, 1],
        [0.0, 0, 1, 1, 1],
        [0.0, 0, 1, 1, 1],
    ]
)
kernel = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])

output = torch.zeros(3, 3)
for i in range(3):
    for j in range(3):
        output[i, j] = (kernel * picture[i : i + 3, j : j + 3]).sum()
assert torch.equal(output, F.conv2d(picture[None, None], kernel[None, None])[0, 0])
figures.numbers(
    {"picture": picture, "kernel": kernel, "output": output},
    {"picture": (1, 0, 3), "output": (1, 0, 1)},
)

# %% [markdown]
# The framed window gives the framed number: in its right column are the pixels 0, 1 and 1, in its left column three zeros, so $0 + 1 + 1 - 0 - 0 - 0 = 2$. This kernel subtracts left from right: it finds vertical edges, and it finds them wherever they are, because the same nine weights are used at every place.
#
# A colour picture consists of three maps of numbers: red, green and blue, its **channels**. A filter then has one kernel for each channel, and adds up what they find, together with one number of its own, the **bias**. A layer with several filters returns one map for each of them: these are the channels of the next layer's input.
# For filter $o$, with kernel size $k$ and stride $s$ (how far the window moves each time):
#
# $$y_{o,i,j} = b_o + \sum_{c}\;\sum_{u=0}^{k-1}\sum_{v=0}^{k-1} w_{o,c,u,v}\; x_{c,\,is+u,\,js+v} .$$

# %%
two_channels = torch.stack([picture, picture.T])
filters = torch.stack([torch.stack([kernel, kernel.T]), torch.stack([kernel, -kernel.T])])
by_hand = torch.stack(
    [
        F.conv2d(two_channels[None, :1], w[None, :1])
        + F.conv2d(two_channels[None, 1:], w[None, 1:])
        for w in filters
    ]
)[:, 0, 0]
assert torch.equal(by_hand, F.conv2d(two_channels[None], filters)[0])
print(
    "input",
    tuple(two_channels.shape),
    " weights",
    tuple(filters.shape),
    "(filter, channel, row, column)",
)
figures.numbers(
    {
        "channel 1": two_channels[0],
        "channel 2": two_channels[1],
        "output of filter 1": by_hand[0],
        "output of filter 2": by_hand[1],
    }
)

# %% [markdown]
# Filter 1 adds the edges of both channels, filter 2 subtracts those of channel 2 from those of channel 1.
#
# ### How many places are there?
#
# The output has one number per place of the window. Count the places along one side:
#
# - with `padding` $p$ on both sides the picture is $n + 2p$ wide;
# - with `dilation` $d$ neighbouring weights of the kernel lie on pixels that are $d$ apart (normally 1), so $k$ weights span $d(k-1) + 1$ pixels;
# - so the window has room to move by $n + 2p - d(k-1) - 1$ pixels, in steps of `stride` $s$;
# - a last step that does not fit is not taken.
#
# $$\text{out} = \left\lfloor \frac{n + 2p - d\,(k-1) - 1}{s} \right\rfloor + 1 .$$
#
# (Dumoulin and Visin 2016 draw all cases.)

# %%
figures.windows(
    {
        "kernel 3": dict(size=6, kernel=3, stride=1, padding=0, dilation=1),
        "padding 1": dict(size=6, kernel=3, stride=1, padding=1, dilation=1),
        "stride 2": dict(size=6, kernel=4, stride=2, padding=1, dilation=1),
        "stride 3: gaps and a remainder": dict(size=6, kernel=2, stride=3, padding=0, dilation=1),
        "dilation 2": dict(size=6, kernel=3, stride=1, padding=0, dilation=2),
    }
)

# %% [markdown]
# Each panel shows the first and the last window. Grey is padding. For the third panel: $(6 + 2 - 3 - 1)/2 + 1 = 3$.
#
# Change the numbers. *Which settings leave pixels that no window ever sees?*

# %%
sliders.shape_calculator()

# %% [markdown]
# ### Exercise 1 · The size of a convolution
#
# Whole numbers in, a whole number out. *One line, two minutes.*


# %%
def conv2d_size(size, kernel, stride=1, padding=0, dilation=1):
    """How many pixels wide the output of a convolution is"""
    ### BEGIN SOLUTION
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    ### END SOLUTION


conv2d_size = check("dcgan.conv2d_size", conv2d_size)

# %% [markdown]
# **A picture of 28×28 goes three times through kernel 4, stride 2, padding 1. How wide is what comes out?**

# %%
# Replace ... by a number
guess = predict("dcgan.size_after", ...)

# %%
sizes = [28]
for _ in range(3):
    sizes.append(conv2d_size(sizes[-1], kernel=4, stride=2, padding=1))
print(guess.reveal(sizes[-1]), sizes)
assert sizes == [28, 14, 7, 3]

# %% [markdown]
# ### Exercise 2 · And back: the transposed convolution
#
# A generator has to grow. A **transposed convolution** paints: each input pixel adds a whole kernel, multiplied by the pixel's value, to the output, and the next pixel does so $s$ pixels further on. Where kernels overlap, they add up.
#
# The first kernel starts at 0, the last one at $(n-1)s$ and ends $d(k-1)+1$ pixels later. Padding $p$ here *trims* that many pixels from each side. `output_padding` adds some at one end: a strided convolution
# makes the same output size from several input sizes, and `output_padding` says which of them is meant.
#
# $$\text{out} = (n-1)\,s - 2p + d\,(k-1) + \text{output\_padding} + \;?$$
#
# The slides that this lecture covers have it as $(n-1)\,s - 2p + k$. One term is missing above. *One line, three minutes.*


# %%
def conv_transpose2d_size(size, kernel, stride=1, padding=0, output_padding=0, dilation=1):
    """How many pixels wide the output of a transposed convolution is"""
    ### BEGIN SOLUTION
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
    ### END SOLUTION


conv_transpose2d_size = check("dcgan.conv_transpose2d_size", conv_transpose2d_size)

# %% [markdown]
# "Transposed" is meant literally: written as a matrix, the layer is the transpose of a convolution with the same kernel. It is not the inverse.
#
# **A convolution turns a picture of 8×8 into a map of 4×4; the transposed convolution with the same kernel turns the map into 8×8 again. What comes back?**

# %%
# Replace ... by one of: "the picture", "the picture, blurred", "its size, and a trace of it"
guess = predict("dcgan.inverse", ...)

# %%
faces = data.load("peeps")
x = faces.floats()
torch.manual_seed(0)
down, up = nn.Conv2d(3, 3, 4, 2, 1, bias=False), nn.ConvTranspose2d(3, 3, 4, 2, 1, bias=False)
up.weight.data = down.weight.data
with torch.no_grad():
    back = up(down(x[:8]))
error = F.mse_loss(back, x[:8]).item()
mean_grey = (x[:8] - x[:8].mean()).square().mean().item()
print(guess.reveal("its size, and a trace of it"))
print(f"squared error {error:.2f}; of one grey for all pixels {mean_grey:.2f}")
assert back.shape == x[:8].shape and error > 0.8 * mean_grey
plots.rows({"picture": x[:8], "down and up": back})

# %% [markdown]
# You can still make out the faces: each kernel is painted back on the place where it looked. But as a copy of the picture the result is, with these random weights, hardly better than one single grey: its squared error is 0.69, that of the grey 0.75.

# %% [markdown]
# ### Exercise 3 · Counting weights
#
# Each of the `out_channels` filters looks at all `in_channels` (with `groups`, at `in_channels / groups` of them) through a window of kernel × kernel. One bias per filter. The size of the picture plays no part. *Two lines, three
# minutes.*


# %%
def conv2d_params(in_channels, out_channels, kernel, bias=True, groups=1):
    """The number of weights of a convolution"""
    ### BEGIN SOLUTION
    weights = out_channels * (in_channels // groups) * kernel * kernel
    return weights + (out_channels if bias else 0)
    ### END SOLUTION


conv2d_params = check("dcgan.conv2d_params", conv2d_params)

# %% [markdown]
# ### Exercise 4 · How far one number sees
#
# The **receptive field** of an output pixel is the stretch of input that it depends on. Walk through the layers from the input: a window of $k$ adds $k - 1$ steps to the field, and each step is as wide as the product of all strides *before*
# it. Layers are tuples `(kernel, stride)`. *Four lines, six minutes.*


# %%
def receptive_field(layers):
    """The stretch of input, in pixels along one side, that one output pixel depends on"""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field
    ### END SOLUTION


receptive_field = check("dcgan.receptive_field", receptive_field)

# %% [markdown]
# **The slides' discriminator begins with four convolutions of kernel 4 and stride 2. How many of the 64 pixels along one side does one number in the middle of the fourth map see?**

# %%
# Replace ... by a number
guess = predict("dcgan.field_of_four", ...)

# %%
field = receptive_field([(4, 2)] * 4)
print(guess.reveal(field))
# the same, by asking where the gradient goes
probe = torch.zeros(1, 1, 128, 128, requires_grad=True)
net = nn.Sequential(*[nn.Conv2d(1, 1, 4, 2, 1, bias=False) for _ in range(4)])
net(probe)[0, 0, 4, 4].backward()
seen = (probe.grad[0, 0] != 0).any(0).sum().item()
print(f"by gradient: {seen}")
assert field == seen == 46

# %% [markdown]
# ## 2 · The parts of DCGAN
#
# Radford, Metz and Chintala (2016) tried many convolutional GANs and wrote down what those that could be trained had in common:
#
# - no pooling: strided convolutions shrink the maps in $D$, transposed convolutions enlarge them in $G$;
# - no fully connected hidden layers;
# - BatchNorm in both networks, but not at $G$'s output and not at $D$'s input, that is, neither after $G$'s last layer nor after $D$'s first;
# - ReLU in $G$ and tanh at its end; LeakyReLU with slope 0.2 in $D$;
# - initial weights from $\mathcal N(0, 0.02^2)$; Adam with rate 0.0002 and $\beta_1 = 0.5$.
#
# **BatchNorm** (Ioffe and Szegedy 2015) brings each channel $c$ to mean 0 and variance 1, over all pictures of the batch and all places of the map, and then gives it back a scale $\gamma_c$ and an offset $\beta_c$ that are learned:
#
# $$\hat y_{c} = \gamma_c\,\frac{y_{c} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}} + \beta_c .$$
#
# In evaluation mode $\mu_c$ and $\sigma_c^2$ are running averages from training. Two consequences: in training, the output for one picture depends on the others in its batch; and a bias in the layer before would be subtracted again, so that layer has none.

# %%
maps = F.conv2d(two_channels[None], filters)
batch = torch.cat([maps, maps.flip(3), 2 * maps])  # (3, 2, 3, 3)
mean = batch.mean((0, 2, 3), keepdim=True)
variance = batch.var((0, 2, 3), keepdim=True, correction=0)
normalised = (batch - mean) / (variance + 1e-5).sqrt()
norm = nn.BatchNorm2d(2)
assert torch.allclose(norm(batch), normalised, atol=1e-6)  # γ = 1 and β = 0 at the start
assert torch.allclose(norm(batch + 7), norm(batch), atol=1e-5)  # a bias of 7 makes no difference
assert not torch.allclose(norm(batch[:2]), norm(batch)[:2], atol=0.1)  # the others count
for name, values in {"mean": mean, "variance": variance}.items():
    print(name, [round(value, 2) for value in values.flatten().tolist()])

# %% [markdown]
# ### Exercise 5 · One doubling of the generator
#
# Return a block: (B, in, H, W) → (B, out, 2H, 2W): transposed convolution of kernel 4, without bias; BatchNorm; ReLU. Which stride and padding make 2H of H, with kernel 4? Solve your formula for them. *Five lines, five minutes.*


# %%
def generator_block(in_channels, out_channels):
    """One doubling of DCGAN's generator, as an nn.Module"""
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )
    ### END SOLUTION


generator_block = check("dcgan.generator_block", generator_block)

# %% [markdown]
# ### Exercise 6 · First weights
#
# Write a function that is called once, with a whole network. For every layer inside `module`, however deep: convolutions, also transposed ones, get weights from $\mathcal N(0, 0.02^2)$; BatchNorm gets weights from $\mathcal N(1, 0.02^2)$ and bias 0. All else stays as it is: other layers, the biases of convolutions, BatchNorm's running mean and variance.
# `nn.init.normal_(tensor, mean, std, generator=generator)` fills a tensor in place; all numbers come from the given generator. *Six lines, six minutes.*


# %%
def init_weights(module, generator=None):
    """DCGAN's first weights, in place, for all layers in module"""
    ### BEGIN SOLUTION
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02, generator=generator)
            nn.init.zeros_(layer.bias)
    ### END SOLUTION


init_weights = check("dcgan.init_weights", init_weights)

# %% [markdown]
# ### Both networks
#
# $G$ begins with a transposed convolution that turns the code, a map of 1×1 with `nz` channels, into a map of 4×4. Your blocks double it, and a last transposed convolution makes the picture. $D$ goes through the same sizes in reverse, without BatchNorm after its first layer (`first_batchnorm=True` adds it, because the slides have one there). The layers without BatchNorm after them have no bias either: that is not one of the rules, but the printed tables of part 3 have none. Read the two functions line by line against the rules above.


# %%
def build_generator(nz, widths, nc):
    """Codes (B, nz, 1, 1) -> pictures (B, nc, S, S) in [-1, 1], S = 4 · 2 ** len(widths)"""
    net = nn.Sequential(
        nn.ConvTranspose2d(nz, widths[0], 4, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
        *[generator_block(a, b) for a, b in pairwise(widths)],
        nn.ConvTranspose2d(widths[-1], nc, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    init_weights(net)
    return net


def build_discriminator(nc, widths, first_batchnorm=False):
    """Pictures (B, nc, S, S), S = 4 · 2 ** len(widths) -> scores (B,)"""
    layers = []
    for a, b in pairwise([nc, *widths]):
        layers.append(nn.Conv2d(a, b, 4, 2, 1, bias=False))
        if first_batchnorm or len(layers) > 1:
            layers.append(nn.BatchNorm2d(b))
        layers.append(nn.LeakyReLU(0.2))
    net = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, bias=False), nn.Flatten(0))
    init_weights(net)
    return net


# %% [markdown]
# ## 3 · Two printed tables
#
# The slides show two layer tables, as a summary tool prints them: the generator for 64×64 faces from codes of 128 numbers, and its discriminator. Here they are for the networks that you have just built. `layer_table` computes them by arithmetic alone, then runs the network and raises an error where the two disagree.

# %%
generator = build_generator(128, [512, 256, 128, 64], 3)
shapes.layer_table(generator, (128, 1, 1))

# %%
discriminator = build_discriminator(3, [64, 128, 256, 512], first_batchnorm=True)
shapes.layer_table(discriminator, (3, 64, 64))

# %%
# what the slides print; the library's networks are the same
for ours, course, shape, printed in (
    (generator, dcgan.Generator(nz=128), (128, 1, 1), 3_806_080),
    (discriminator, dcgan.Discriminator(first_batchnorm=True), (3, 64, 64), 2_765_696),
):
    assert shapes.layer_table(ours, shape).total == printed
    assert shapes.layer_table(course, shape).total == printed

# %% [markdown]
# **In which layer are most of the generator's weights?**

# %%
# Replace ... by one of: "1 to 4 pixels", "4 to 8 pixels", "16 to 32 pixels", "32 to 64 pixels"
guess = predict("dcgan.parameters_where", ...)

# %%
channels = [128, 512, 256, 128, 64, 3]
names = ["1 to 4 pixels", "4 to 8 pixels", "8 to 16 pixels", "16 to 32 pixels", "32 to 64 pixels"]
weights = {
    n: conv2d_params(a, b, 4, bias=False)
    for n, a, b in zip(names, channels, channels[1:], strict=False)
}
print(guess.reveal(max(weights, key=weights.get)))
assert max(weights, key=weights.get) == "4 to 8 pixels"
plots.bars({n: count / 1e6 for n, count in weights.items()}, "weights, in millions", guess)

# %% [markdown]
# ### Five slips on the slides
#
# 1. The first listing of the discriminator begins with `nn.Conv2d(ndf, ndf, 4, 2, 1)`. *What happens when a colour picture goes in?*
# 2. The generator's fourth layer makes `ngf` channels and normalises them with `BatchNorm2d(ndf)`. *When does that go wrong?*
# 3. The generator's last layer is `ConvTranspose2d(ndf, nc, 4, 2, 1)`: the same slip again.
# 4. Both listings of the discriminator have a BatchNorm after their first layer. *Which rule does that break, and how many parameters does it add?*
# 5. A note in the margin computes the generator's first layer as $(4 \cdot 4 \cdot 128 + 1) \cdot 512 = 1{,}049{,}088$. The table says 1,048,576. *Which one is right?*

# %%
# Replace ... by one of: "the note", "the table", "neither"
guess = predict("dcgan.margin_note", ...)


# %%
def complaint(layer, *shape):
    """What a layer says to an input of this shape"""
    try:
        return f"{tuple(layer(torch.zeros(shape)).shape)}, no complaint"
    except RuntimeError as error:
        return str(error).split(", but")[-1].strip()


ngf, ndf = 64, 32  # two sizes that happen to be equal on the slides
print("1.", complaint(nn.Conv2d(ndf, ndf, 4, 2, 1, bias=False), 2, 3, 64, 64))
print("2.", complaint(nn.BatchNorm2d(ndf), 2, ngf, 32, 32))
print("3.", complaint(nn.ConvTranspose2d(ndf, 3, 4, 2, 1, bias=False), 2, ngf, 32, 32))
by_the_rule = build_discriminator(3, [64, 128, 256, 512])
extra = 2_765_696 - shapes.layer_table(by_the_rule, (3, 64, 64)).total
print(f"4. {extra} parameters, at the input of D, where the paper leaves BatchNorm out")
without, with_bias = (conv2d_params(128, 512, 4, bias=b) for b in (False, True))
print(f"5. {without:,} without bias, {with_bias:,} with it.", guess.reveal("the table"))
assert (without, with_bias, extra) == (1_048_576, 1_049_088, 128)

# %% [markdown]
# Slip 1 stops every colour picture. Slips 2 and 3 go unnoticed as long as `ngf` and `ndf` are equal, as on the slides. The note counts 512 biases that are not there, because BatchNorm comes next.
#
# ### Other sizes
#
# The starting map, 4 to 7 pixels wide, and the number of doublings set the size of the picture. So not every size is possible: 36 = 9 · 2² would have to start with a map of 9. **Claim.** The library's networks make each of the sizes below, and refuse 36 with a list of those that work.

# %%
for size in (28, 32, 48, 64, 96, 128):
    small = dcgan.Generator(nz=8, ngf=4, nc=1, size=size).eval()
    with torch.no_grad():
        made = small(torch.randn(2, 8))
        score = dcgan.Discriminator(nc=1, ndf=4, size=size).eval()(made)
    kernels = [m.kernel_size[0] for m in small.modules() if isinstance(m, nn.ConvTranspose2d)]
    print(f"{size} = {kernels[0]}" + " · 2" * (len(kernels) - 1))
    assert made.shape == (2, 1, size, size) and score.shape == (2,)
try:
    dcgan.Generator(size=36)
except ValueError as error:
    print(error)

# %% [markdown]
# ## 4 · Training
#
# The slides split the round of lecture 03 into two updates, and play it with convolutions.
#
# ### Exercise 7 · The discriminator's turn
#
# Real pictures should get 1, fakes 0; each batch goes through $D$ by itself (BatchNorm would otherwise mix them). The loss is that of lecture 03, the sum of the two means. $G$ must not move, and this update may leave no gradient in it. Clear $D$'s old gradients. Return the loss, detached.
# `binary_cross_entropy_with_logits` takes scores. *Six lines, six minutes.*


# %%
def discriminator_update(generator, discriminator, g_optimizer, d_optimizer, real, noise):
    """D learns once from real pictures and from fakes of noise; returns its loss"""
    ### BEGIN SOLUTION
    bce = nn.functional.binary_cross_entropy_with_logits
    real_scores, fake_scores = discriminator(real), discriminator(generator(noise).detach())
    d_loss = bce(real_scores, torch.ones_like(real_scores))
    d_loss = d_loss + bce(fake_scores, torch.zeros_like(fake_scores))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    return d_loss.detach()
    ### END SOLUTION


discriminator_update = check("dcgan.discriminator_update", discriminator_update)

# %% [markdown]
# ### Exercise 8 · The generator's turn
#
# $G$ wants its fakes to get 1: the non-saturating loss. Clear $G$'s old gradients. $D$ judges in training mode, must not move, and its weights stay trainable. Return the loss. *Five lines, four minutes.*


# %%
def generator_update(generator, discriminator, g_optimizer, d_optimizer, noise):
    """G learns once to make pictures to which D says 1; returns its loss"""
    ### BEGIN SOLUTION
    scores = discriminator(generator(noise))
    g_loss = nn.functional.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return g_loss.detach()
    ### END SOLUTION


generator_update = check("dcgan.generator_update", generator_update)

# %% [markdown]
# Together they make one training step, and with your two networks that is all you need. **Claim.** After 300 steps of your own DCGAN some pictures have the outline of a garment, a top or a boot. Most cannot be named yet.

# %%
fashion = data.load("fashion", size=32)
torch.manual_seed(0)
widths = [128, 64, 32]
G = build_generator(100, widths, 1).to(home)
D = build_discriminator(1, widths[::-1]).to(home)
g_optimizer = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
d_optimizer = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))


def your_step(real):
    """One round of the game, from your parts"""
    first, second = torch.randn(2, len(real), 100, 1, 1, device=home)
    d_loss = discriminator_update(G, D, g_optimizer, d_optimizer, real, first)
    g_loss = generator_update(G, D, g_optimizer, d_optimizer, second)
    return {"d_loss": d_loss, "g_loss": g_loss}


train(your_step, fashion.batches(64, home), pick(smoke=3, laptop=300, gpu=300), title="your DCGAN")
with torch.no_grad():
    yours = G.cpu().eval()(torch.randn(5000, 100, 1, 1, generator=seed(0)))
plots.grid(yours[:48])

# %% [markdown]
# `gan.AdversarialStep` plays the same round, except that $G$ learns from the fakes that $D$ has just seen. In addition it keeps a moving average of $G$'s weights, whose samples are usually better than those of the last step (Yazıcı and others 2019), and it computes in bfloat16 where the processor is fast at that. From here on the course's networks take over, and train ten times as long. (On a GPU the network is wider and trains longer still: its numbers differ from those below.)

# %%
torch.manual_seed(0)
steps = pick(smoke=3, laptop=3000, gpu=20_000)
width = pick(smoke=32, laptop=32, gpu=64)
generator = dcgan.Generator(nc=1, ngf=width, size=32).to(home)
discriminator = dcgan.Discriminator(nc=1, ndf=width, size=32).to(home)
step = gan.AdversarialStep(generator, discriminator, ema=0.995)
history = train(step, fashion.batches(64, home), steps, watch=step.samples)
made = step.ema.model.cpu().eval()
if current() == "smoke":  # that was only a test: the course's weights take over
    made = load_weights("dcgan_fashion32", dcgan.Generator(nc=1, ngf=32, size=32))

# %% tags=["cover"]
clothes = gan.sample(made, 5000, generator=seed(0))
plots.grid(clothes[64:112])  # not those above

# %% [markdown]
# Try to name ten garments. **Claim.** The DCGAN's pictures are closer to real clothes than those of lecture 03's network without convolutions, whose trained weights are included: the Fréchet distance (small is close) is 3.87 against 10, in one run of each, although the other network was trained on five times as many pictures. (Convolutions are not the only difference: the other network has no BatchNorm either, and its pictures are 28×28, with a black border added before they are measured.) The floor, between two sets of real clothes, is 0.145. Your own 300 steps are not enough: they reach 30.2.

# %%
net = metrics.FeatureNet("fashion")
held_out = data.load("fashion", split="test", size=32).floats()
real = metrics.fit_gaussian(net.features(held_out[:5000]))


def distance(pictures):
    """Fréchet distance to 5,000 held-out clothes (lecture 05 says what it is)."""
    return metrics.frechet_distance(*metrics.fit_gaussian(net.features(pictures)), *real)


flat = load_weights("mlp_gan_fashion", gan.MLPGenerator())
distances = {
    "your DCGAN, 300 steps": distance(yours),
    "fully connected GAN (lecture 03)": distance(gan.sample(flat, 5000, generator=seed(0))),
    "DCGAN": distance(clothes),
    "other real clothes (the floor)": distance(held_out[5000:]),
}
_, before, ours, floor = distances.values()
assert floor < ours < before
plots.bars(distances, "Fréchet distance to held-out clothes")

# %% [markdown]
# ## 5 · Checkerboards
#
# How often does a transposed convolution of stride 2 paint each pixel? With kernel 3 its kernels overlap, but not evenly.
#
# **All inputs and all weights are 1. What does the output look like, away from the edges?**

# %%
# Replace ... by one of: "one grey", "stripes", "a checkerboard of 1, 2 and 4", "noise"
guess = predict("dcgan.checkerboard", ...)


# %%
def painted(kernel, padding, output_padding=0):
    """How often each pixel is painted by a transposed convolution of stride 2"""
    layer = nn.ConvTranspose2d(1, 1, kernel, 2, padding, output_padding, bias=False)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        return layer(torch.ones(1, 1, 5, 5))[0, 0]


counts = {"kernel 3, stride 2": painted(3, 1, 1), "kernel 4, stride 2": painted(4, 1)}
print(guess.reveal("a checkerboard of 1, 2 and 4"))
assert set(counts["kernel 3, stride 2"][2:-2, 2:-2].unique().tolist()) == {1.0, 2.0, 4.0}
assert counts["kernel 4, stride 2"][2:-2, 2:-2].unique().tolist() == [4.0]
figures.numbers(counts)

# %% [markdown]
# Kernel 4, which the slides and this course use, covers every pixel away from the edges four times. (The paper's networks have kernel 5, which is not a multiple of the stride: its kernels overlap unevenly, as those of kernel 3 do.) Is kernel 4 enough? The four contributions to a pixel come from four different weights, and neighbouring pixels use *different* sets of weights, in a pattern that repeats every two pixels. The alternative, used in the student report (*Generative Models for Image Generation*), is to **enlarge, then convolve** (Odena and others 2016): all pixels share all weights.
#
# To test this, a constant map goes into both. **Claim.** Away from the edges, with random weights, the transposed convolution makes a pattern of period 2 from it; enlarge-and-convolve makes a constant. (The figure leaves out two pixels on each side.)

# %%
torch.manual_seed(0)
constant = torch.ones(1, 1, 5, 5)
layers = {
    "transposed, kernel 4": nn.ConvTranspose2d(1, 1, 4, 2, 1, bias=False),
    "enlarge, then kernel 3": nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3, padding=1, bias=False)
    ),
}
with torch.no_grad():
    made_of_constant = {name: layer(constant)[0, 0] for name, layer in layers.items()}
inside = {name: values[2:-2, 2:-2] for name, values in made_of_constant.items()}
transposed, enlarged = inside.values()
assert torch.allclose(transposed[2:], transposed[:-2], atol=1e-6)  # it repeats every two pixels
assert transposed.std() > 0.1 and enlarged.std() < 1e-6
figures.numbers({name: values.round(decimals=1) for name, values in inside.items()})

# %% [markdown]
# How much of this is left in a whole network? Here is an untrained DCGAN beside the same network in which one thing is changed: each transposed convolution of stride 2 is replaced by enlarge-and-convolve. **Claim.** In the spectrum of DCGAN's pictures, period 2 is many times as strong as the frequencies around it; how many times depends on the random weights. In the other network there is next to nothing at period 2, where real faces have about as much as around it: a picture whose pixels have just been doubled contains nothing of that period.


# %%
def enlarging(net):
    """DCGAN's generator with enlarge-and-convolve for each transposed convolution of stride 2"""
    layers = []
    for layer in net:
        if isinstance(layer, nn.ConvTranspose2d) and layer.stride == (2, 2):
            inputs, outputs = layer.in_channels, layer.out_channels
            layers.append(nn.Upsample(scale_factor=2))
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        else:
            layers.append(layer)
    net = nn.Sequential(*layers)
    dcgan.init_weights(net)
    return net


def spectrum(pictures):
    """Mean power of the spatial frequencies of grey pictures, the constant in the middle"""
    grey = pictures.mean(1)
    grey = grey - grey.mean((1, 2), keepdim=True)
    return torch.fft.fftshift(torch.fft.fft2(grey).abs().square().mean(0))


def at_period(pictures, period):
    """Power at a period, across and down, over the median of the 24 frequencies around it"""
    power = spectrum(pictures)
    n = len(power)
    y = x = n // 2 - n // period
    around = power.roll((2 - y, 2 - x), (0, 1))[:5, :5].flatten()
    return (around[12] / around[torch.arange(25) != 12].median()).item()


# %%
def untrained(number):
    """256 pictures of the two networks, with the random weights of a seed"""
    torch.manual_seed(number)
    plain = dcgan.Generator(nz=100, ngf=32).layers
    other, noise = enlarging(plain), torch.randn(256, 100, 1, 1)
    with torch.no_grad():
        return {"DCGAN": plain(noise).tanh(), "enlarge, convolve": other(noise).tanh()}


with_seeds = [untrained(number) for number in range(3)]
pictures = with_seeds[0] | {"real faces": x[:256]}
for name, some in pictures.items():
    times = ", ".join(f"{at_period(some, p):.1f} at period {p}" for p in (2, 4, 8))
    print(f"{name}: times as strong as around it: {times}")
at_two = {name: [at_period(made[name], 2) for made in with_seeds] for name in with_seeds[0]}
for name, values in at_two.items():
    print(f"{name}, period 2 with three seeds:", ", ".join(f"{value:.1f}" for value in values))
assert min(at_two["DCGAN"]) > 10 and max(at_two["enlarge, convolve"]) < 3
figures.spectra(pictures, {name: spectrum(some) for name, some in pictures.items()})

# %% [markdown]
# The bright dots in the first spectrum are the checkerboard artefact. The dots at the left and upper edge, and in the corner between them (period 2), come from the last layer (−0.5 and +0.5 are the same frequency, drawn once, so the other two edges have none); the dots further in (periods 4, 8 and so on) come from the layers before it, whose patterns the later layers have enlarged. Real faces have a bright middle and a vertical line through it, but no dots: to look like them, the pictures must lose theirs in training. The Fourier transform takes the upper and lower borders for neighbours, and the neck, cut off at the lower border, does not continue at the upper one: this jump is part of the line.
#
# ## 6 · Faces
#
# The network of the printed table, exactly, learns the drawn faces at 64×64. The training needs more care than that of clothes; the first addition can be tested here. A drawing has large areas of exactly one colour, and a fake has none: this alone could let $D$ tell them apart early. Against such a $D$ the non-saturating loss still gives $G$ large gradients (lecture 03), but unstable ones (Arjovsky and Bottou 2017).
# So $D$ looks through **noise**: Gaussian noise is added to every picture that it sees in training, real or fake (Sønderby and others 2017). **Claim.** At 32×32, with narrow networks and each of three seeds, the Fréchet distance after the same few steps is smaller with noise than without. The floor is the distance between training faces and held-out faces; the baseline is a generator without any training.

# %%
small = data.load("peeps", size=32)
test_faces = data.load("peeps", split="test", size=32).floats()
face_net = metrics.FeatureNet("peeps")
real_faces = metrics.fit_gaussian(face_net.features(test_faces))


def face_distance(pictures):
    """Fréchet distance to the held-out faces, of 32×32 pictures."""
    return metrics.frechet_distance(*metrics.fit_gaussian(face_net.features(pictures)), *real_faces)


# %%
def first_steps(noise, steps, number):
    """Samples of a young GAN on faces, whose D looks through noise."""
    torch.manual_seed(number)
    players = (
        dcgan.Generator(ngf=16, size=32).to(home),
        dcgan.Discriminator(ndf=16, size=32, noise=noise).to(home),
    )
    young = gan.AdversarialStep(*players, ema=0.98)
    batches = small.batches(32, home, seed(number))
    train(young, batches, steps, title=f"noise {noise}, seed {number}")
    return gan.sample(young.ema.model.cpu(), 516, generator=seed(number))


# %%
steps = pick(smoke=150, laptop=400, gpu=400)
seeds = pick(smoke=[0], laptop=[0, 1, 2], gpu=[0, 1, 2])
torch.manual_seed(0)
untrained = dcgan.Generator(ngf=16, size=32)
young = {
    "no training": [gan.sample(untrained, 516, generator=seed(0))],
    "no noise": [first_steps(0.0, steps, i) for i in seeds],
    "noise 0.3": [first_steps(0.3, steps, i) for i in seeds],
}
far = {name: [face_distance(some) for some in runs] for name, runs in young.items()}
for name, values in far.items():
    print(f"{name:12}", *(f"{value:7.1f}" for value in values))
floor = face_distance(small.floats()[:516])
print(f"{'floor':12} {floor:7.1f}")
assert max(far["noise 0.3"]) < min(far["no noise"]) < far["no training"][0]
plots.rows({name: runs[0][:10] for name, runs in young.items()})

# %% [markdown]
# With noise all three runs come closer than any run without, but they are still far from the floor. Training to the end takes longer than a lecture, so the weights come with the course: 320,000 pictures (each training face many times) in not quite two hours on one core. The training had three parts (most of the settings are in the weights' card, a short text file: `course_lib/pretrained/dcgan_peeps64.md`). In the first, $D$ learns more slowly than $G$ (two rates for two players: Heusel and others 2017) and looks through the same noise. But details that are fainter than the noise are hard for $D$ to see, and so for $G$ to learn: probably for this reason, the faces had speckles after this part. In the second, $G$ goes on against a new $D$, and the noise begins to fall. In the third, it falls further, from 0.15 to 0.05. Only in this part, the pictures that $D$ sees, real or fake, are also moved and recoloured at random, so that it memorises its training faces less easily (lecture 09 takes this up), and both rates fall to 0. On a GPU the cell trains the generator again, with the rates and the noise of the first part only: its faces and numbers differ from those in the text below, which are of the course's weights.

# %%
generator = dcgan.Generator(nz=128)
if pick(smoke=False, laptop=False, gpu=True):
    torch.manual_seed(0)
    generator.to(home)
    discriminator = dcgan.Discriminator(first_batchnorm=True, noise=0.3).to(home)
    step = gan.AdversarialStep(generator, discriminator, d_lr=5e-5, ema=0.999)
    train(step, faces.batches(128, home), 6_000, watch=step.samples)
    generator = step.ema.model.cpu().eval()
else:
    load_weights("dcgan_peeps64", generator)
    if current() == "smoke":
        step = gan.AdversarialStep(
            dcgan.Generator(nz=128), dcgan.Discriminator(first_batchnorm=True)
        )
        train(step, faces.batches(4), 1)
invented = gan.sample(generator, 1000, generator=seed(0))
plots.grid(invented[:32])

# %% [markdown]
# Are they new? "New" here means a new combination: the faces of the data are put together from a box of parts. Below each sample are its nearest training faces. Held-out faces are the measure: they are new for certain. A generator that copied its training faces would be far closer to them than held-out faces are.

# %%
indices, near = gan.nearest_neighbours(invented[:100], x, 3)
strangers = data.load("peeps", split="test").floats()[:100]
_, near_strangers = gan.nearest_neighbours(strangers, x, 3)
ours, theirs = near[:, 0].median().item(), near_strangers[:, 0].median().item()
print(
    f"distance to the nearest training face, median: samples {ours:.1f}, held-out faces {theirs:.1f}"
)
plots.with_neighbours(invented[:10], x[indices[:10]])

# %% [markdown]
# The samples are no exact copies: they lie further from the training faces than unseen faces do, 55.9 against 17.2. But this distance also measures their faults, lines and smudges that no training face has, so it alone cannot rule out a smudged copy. Compare each sample with its neighbours.
#
# A walk: each code is a face, and so is each point on a path between codes (an arc, with the `slerp` of lecture 03). *Where does the face change abruptly?* The curve below the pictures shows how much it changes with each of 119 small steps.

# %%
stations = torch.randn(4, 128, generator=seed(3))
path = torch.cat(
    [gan.slerp(stations[[i]], stations[[i + 1]], f / 40) for i in range(3) for f in range(40)]
)
with torch.no_grad():
    walk = generator(path)
plots.rows({"walk": walk[::12]})

# %%
change = (walk[1:] - walk[:-1]).square().mean((1, 2, 3)).sqrt()
print(f"largest step over the median step: {change.max() / change.median():.1f}")
assert change.max() < change.sum() / 10
plots.curves(
    range(1, 120),
    {"from one picture to the next": change.tolist()},
    "step of the walk",
    "change (root mean square)",
    marks={"second code": 40, "third code": 80},
)

# %% [markdown]
# The face never jumps: the largest step is 2.5 times the median step. But the change comes in waves. The face stays much the same for a while, and then several parts change together.

# %%
sliders.latent_walk(generator, stations)

# %% [markdown]
# ### Exercise 9 · Arithmetic with faces
#
# As Radford and others (2016) did, take the codes of samples that wear glasses, and of samples that do not. The difference of their means is a direction. Add it to any code, `strength` times. *One line, two minutes.*


# %%
def latent_arithmetic(z, with_attribute, without_attribute, strength=1.0):
    """z (B, d), moved from the mean of one set of codes (n, d) towards that of the other"""
    ### BEGIN SOLUTION
    return z + strength * (with_attribute.mean(0) - without_attribute.mean(0))
    ### END SOLUTION


latent_arithmetic = check("dcgan.latent_arithmetic", latent_arithmetic)

# %% [markdown]
# One network labels the samples for the direction, the **labeller**. Another one that had no part in it, the **judge**, is asked as well. The two disagree on some faces, so for glasses the figure shows both; facial hair and skin are as the judge sees them. Before you look: what will happen at −3, three times *away* from glasses? And what else moves?

# %% tags=["quality"]
labeller, judge = metrics.FeatureNet("peeps"), metrics.Classifier("peeps")
codes = torch.randn(pick(smoke=1000, laptop=4000, gpu=4000), 128, generator=seed(1))
with torch.no_grad():
    drawn = torch.cat([generator(part) for part in codes.split(500)])
label = {name: labeller.classify(drawn, name) for name in ("glasses", "facial_hair", "skin")}
wears = label["glasses"].bool()
fresh = torch.randn(pick(smoke=60, laptop=500, gpu=500), 128, generator=seed(2))
strengths = [-3, -2, -1, 0, 1, 2, 3]


# %%
def shares(with_glasses, without):
    """What the two networks find in 500 new faces, moved along a direction, by strength."""
    found = {"glasses (judge)": [], "glasses (labeller)": [], "facial hair (judge)": []}
    found["skin as before (judge)"] = []
    with torch.no_grad():
        before = judge.classify(generator(fresh), "skin")
    for strength in strengths:
        with torch.no_grad():
            moved = generator(latent_arithmetic(fresh, with_glasses, without, strength))
        for name, network, attribute in (
            ("glasses (judge)", judge, "glasses"),
            ("glasses (labeller)", labeller, "glasses"),
            ("facial hair (judge)", judge, "facial_hair"),
        ):
            found[name].append(network.classify(moved, attribute).double().mean().item())
        kept = judge.classify(moved, "skin") == before
        found["skin as before (judge)"].append(kept.double().mean().item())
    return found


# %%
plain = shares(codes[wears], codes[~wears])
alike = (label["skin"].bincount().double() / len(drawn)).square().sum()
print(f"two unrelated samples have the same skin in {alike:.0%}")
header = f"{'times the direction':22} " + " ".join(f"{strength:+4}" for strength in strengths)
print(header)
for name, values in plain.items():
    print(f"{name:22}", " ".join(f"{value:4.0%}" for value in values))
for name in ("glasses (judge)", "glasses (labeller)"):
    by_strength = dict(zip(strengths, plain[name], strict=True))
    assert by_strength[-1] < 0.2 < by_strength[0] < 0.7 < by_strength[1]
beards = dict(zip(strengths, plain["facial hair (judge)"], strict=True))
assert beards[1] < beards[0] - 0.1 and beards[-1] > beards[0] + 0.3
plots.curves(strengths, plain, "times the direction", "share of 500 faces", ylim=(0, 1))

# %%
with torch.no_grad():
    line = {
        f"{s:+g}": generator(latent_arithmetic(fresh[:10], codes[wears], codes[~wears], s))
        for s in (-1, 0, 1)
    }
plots.rows(line)

# %% [markdown]
# Nobody told the generator about glasses, and the arithmetic works both ways: one step along the direction puts glasses on 82 % of the faces, up from 26 %, and one step against it leaves them on 2 %. (Of the ten faces in the figure more than half seem to wear glasses at +0: ten are few, and some of the lines are so faint that the networks may not count them.) But other things move as well. One step against glasses makes a beard: facial hair rises from 20 % to 74 %, and it falls to 2 % the other way. The skin stays as it was on 42 % of the faces at +1 and on 51 % at −1 (two unrelated samples have the same skin in 20 %). Going further gives more glasses, but keeps less of the face: at +3, 100 % wear glasses, and the skin stays hardly more often than by chance (21 %). On the other side, going further removes no more glasses: at −1, 2 % wear them, at −3, 9 %. And at −3, 100 % have facial hair, and the skin stays on 23 %. A mean over a set does not know which of its differences you meant: where samples with glasses also differ in beard or skin from those without, the direction contains those differences too.
#
# One can try to compare like with like. Take the difference within each group of samples that have the same skin and the same facial hair, and average these differences (groups with fewer than ten samples on one side are left out). The result is scaled to the length of the first direction. *What does this need of the generator?* That it draws each combination. So we also count the samples that have both glasses and a beard.

# %% tags=["quality"]
group, bearded = label["skin"] * 2 + label["facial_hair"], label["facial_hair"].bool()
pairs = []
for value in group.unique():
    ours, others = codes[wears & (group == value)], codes[~wears & (group == value)]
    if min(len(ours), len(others)) >= 10:
        pairs.append(ours.mean(0) - others.mean(0))
matched = torch.stack(pairs).mean(0)
mixed = codes[wears].mean(0) - codes[~wears].mean(0)
matched *= mixed.norm() / matched.norm()
like = shares(matched[None], torch.zeros(1, 128))
print(header)
for name, values in like.items():
    print(f"{name:22}", " ".join(f"{value:4.0%}" for value in values))
kept = [
    dict(zip(strengths, found["skin as before (judge)"], strict=True)) for found in (like, plain)
]
print(f"{len(pairs)} of {len(group.unique())} groups could be compared")
assert kept[0][1] > kept[1][1]
plots.curves(strengths, like, "times the matched direction", "share of 500 faces", ylim=(0, 1))

# %% tags=["quality"]
worn, hair = (faces.attributes[name].bool() for name in ("glasses", "facial_hair"))
parts = faces.floats().split(500)
seen = tuple(
    torch.cat([labeller.classify(part, name) for part in parts]).bool()
    for name in ("glasses", "facial_hair")
)
counted = {"training faces": (worn, hair), "the same, by the labeller": seen}
counted["samples, by the labeller"] = wears, bearded
times = {}
for name, (a, b) in counted.items():
    together, one, other = (part.double().mean().item() for part in (a & b, a, b))
    times[name] = together / (one * other)
    print(f"{name:25} {together:.1%} with both; if they were independent {one * other:.1%}")
real, labelled, drawn_so = times.values()
assert drawn_so < 0.2 < 0.8 < min(real, labelled)

# %% [markdown]
# Comparing like with like helps the skin on one side only: at +1 it stays on 63 % of the faces instead of 42 % (while 74 % wear glasses instead of 82 %), at −1 on 47 % instead of 51 %. At −3 no face wears glasses any more (before, 9 % did). The beards move almost as before, and the count suggests a reason. Among training faces, glasses and beards are close to independent, by their true labels and by the labeller's. The generator hardly ever draws both: where independence would give 8.0 % of the samples, the labeller finds 0.4 %. So there are almost no faces with both to compare with (only 6 of the 10 groups can be compared), and in its codes the direction away from glasses leads towards beards. The generator has lost a combination, as lecture 03's generators lost islands, and matching groups does not bring it back.
#
# Did longer training help? The matched direction was also measured for generators saved during this one training run, with 300 codes, by the judge. (The parts differ in more than their length, as described above; only the four rows of part 3 share one recipe.) The distances are of 258 samples. Only the generator of the last row comes with the course:
#
# | saved after | Fréchet distance at 64×64 (floor 6.0) | glasses at −3, 0, +3 | facial hair at −3, 0, +3 |
# |---|---|---|---|
# | part 1: 4,500 steps of 32 faces | 23.2 | 31, 42, 68 % | 48, 23, 42 % |
# | part 2: 2,000 steps of 16 faces | 21.3 | 45, 34, 69 % | 46, 44, 63 % |
# | part 3: 2,000 steps of 16 faces | 30.7 | 11, 40, 92 % | 17, 15, 27 % |
# | part 3: 4,000 steps | 23.4 | 15, 29, 50 % | 39, 34, 38 % |
# | part 3: 6,000 steps | 21.8 | 0, 28, 100 % | 90, 16, 21 % |
# | part 3: 9,000 steps (the course's weights) | 21.9 | 0, 27, 100 % | 99, 23, 0 % |
#
# At the end the Fréchet distance is no smaller than after part 2 (21.9 and 21.3). In the end the direction is stronger than at first (in between, at 4,000 steps of part 3, it was weaker again), but not cleaner. After 2,000 steps of part 3 it changed glasses far more than beards, in a generator that was further from real faces by the Fréchet distance; 4,000 steps later, 90 % of the faces had facial hair at −3. Nothing in the game asks for clean directions. Lecture 08 measures what comes along with an attribute, and lecture 09 builds a space of codes in which attributes are easier to separate.
#
# ## To go further
#
# 1. **48 pixels.** Build a generator for 48×48 from your `generator_block`. Check it with `shapes.layer_table`.
# 2. **Enlarge and convolve.** Train `dcgan.UpsampleGenerator` on fashion for as long as DCGAN. Which distance is smaller? Look at its spectrum after training.
# 3. **Break a rule.** Leave out BatchNorm, or use PyTorch's initial weights. Predict the distance, then measure.
# 4. **Another direction.** Find the direction of a beard. Does it add glasses too?
# 5. **Your own pictures.** `data.load("a/folder", size=64)` in place of the faces.
#
# ## References
#
# - A. Radford, L. Metz, S. Chintala. Unsupervised representation learning with deep convolutional generative adversarial networks. *ICLR* 2016, arXiv:1511.06434.
# - V. Dumoulin, F. Visin. A guide to convolution arithmetic for deep learning. arXiv:1603.07285, 2016.
# - A. Odena, V. Dumoulin, C. Olah. Deconvolution and checkerboard artifacts. *Distill* 2016, doi:10.23915/distill.00003.
# - S. Ioffe, C. Szegedy. Batch normalization: accelerating deep network training by reducing internal covariate shift. *ICML* 2015, arXiv:1502.03167.
# - Y. Yazıcı, C.-S. Foo, S. Winkler, K.-H. Yap, G. Piliouras, V. Chandrasekhar. The unusual effectiveness of averaging in GAN training. *ICLR* 2019, arXiv:1806.04498.
# - C. K. Sønderby, J. Caballero, L. Theis, W. Shi, F. Huszár. Amortised MAP inference for image super-resolution. *ICLR* 2017, arXiv:1610.04490.
# - M. Arjovsky, L. Bottou. Towards principled methods for training generative adversarial networks. *ICLR* 2017, arXiv:1701.04862.
# - M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. *NIPS* 2017, arXiv:1706.08500.
