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
# - build DCGAN for any size of picture, train it, and put it beside the network that came before;
# - walk through a trained generator's codes, and put glasses on a face by adding numbers.
#
# **Time**: two hours with the exercises. The cells run in about 4 minutes on a laptop; plan for 15 on a GPU.
# **You need**: lecture 03 (the game and its two losses). Convolutions are explained here.

# %%
# {{setup}}

# %%
import torch
from torch import nn

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
# ## 1 · Counting windows
#
# The generator of lecture 03 had 784 separate outputs. It did not know which of them are neighbours. A **convolution** does: it slides one small window of weights over the picture and writes down one number per place.
# So its output has as many pixels as there are places. Count them along one side:
#
# - with `padding` $p$ on both sides the picture is $n + 2p$ wide;
# - with `dilation` $d$ a kernel of $k$ weights spans $d(k-1) + 1$ pixels;
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
        "stride 3: a rest": dict(size=6, kernel=2, stride=3, padding=0, dilation=1),
        "dilation 2": dict(size=6, kernel=3, stride=1, padding=0, dilation=2),
    }
)

# %% [markdown]
# Each panel shows the first and the last window. Grey is padding. Worked, for the third: $(6 + 2 - 3 - 1)/2 + 1 = 3$.
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
# A generator has to grow. A **transposed convolution** paints: each input pixel adds a whole kernel to the output, and the next pixel does so $s$ pixels further on. Where kernels overlap, they add up.
#
# The first kernel starts at 0, the last one at $(n-1)s$ and ends $d(k-1)+1$ pixels later. Padding $p$ here *trims* that many pixels from each side. `output_padding` adds some at one end: several input sizes lead to
# the same output of a strided convolution, and it says which one is meant.
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
# "Transposed" is meant literally: as a matrix it is the transpose of a convolution's. It is not the inverse.
#
# **A convolution makes 4×4 of a picture of 8×8; the transposed one, with the same kernel, makes 8×8 of that. What comes back?**

# %%
# Replace ... by one of: "the picture", "the picture, blurred", "only its shape"
guess = predict("dcgan.inverse", ...)

# %%
faces = data.load("peeps")
x = faces.floats()
torch.manual_seed(0)
down, up = nn.Conv2d(3, 3, 4, 2, 1, bias=False), nn.ConvTranspose2d(3, 3, 4, 2, 1, bias=False)
up.weight.data = down.weight.data
with torch.no_grad():
    back = up(down(x[:8]))
print(guess.reveal("only its shape"))
assert back.shape == x[:8].shape and (back - x[:8]).abs().mean() > 0.5
plots.rows({"picture": x[:8], "down and up": back})

# %% [markdown]
# ### Exercise 3 · Counting weights
#
# Each of the `out_channels` filters looks at all `in_channels` (or, with groups, at its share of them) through a window of kernel × kernel. One bias per filter. The size of the picture plays no part. *Two lines, three
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
# it. Layers are tuples `(kernel, stride)`. *Four lines, six minutes. Blank on purpose.*


# %%
def receptive_field(layers):
    """How many input pixels, along one side, one output pixel depends on"""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field
    ### END SOLUTION


receptive_field = check("dcgan.receptive_field", receptive_field)

# %% [markdown]
# **DCGAN's discriminator has four convolutions of kernel 4 and stride 2. How many of the 64 pixels does one number behind them see?**

# %%
# Replace ... by a number
guess = predict("dcgan.field_of_four", ...)

# %%
field = receptive_field([(4, 2)] * 4)
print(guess.reveal(field))
probe = torch.zeros(
    1, 1, 128, 128, requires_grad=True
)  # the same, by asking where the gradient goes
net = nn.Sequential(*[nn.Conv2d(1, 1, 4, 2, 1, bias=False) for _ in range(4)])
net(probe)[0, 0, 4, 4].backward()
seen = (probe.grad[0, 0] != 0).any(0).sum().item()
print(f"by gradient: {seen}")
assert field == seen == 46

# %% [markdown]
# ## 2 · Two printed tables
#
# The slides show two layer tables, as a summary tool prints them: the generator for 64×64 faces with 128 numbers of noise, and its discriminator. Here they are again, reckoned from arithmetic alone;
# `layer_table` then runs the live network and raises where the two disagree.

# %%
generator = dcgan.Generator(nz=128)
shapes.layer_table(generator, (128, 1, 1))

# %%
discriminator = dcgan.Discriminator(first_batchnorm=True)
shapes.layer_table(discriminator, (3, 64, 64))

# %%
assert shapes.layer_table(generator, (128, 1, 1)).total == 3_806_080
assert shapes.layer_table(discriminator, (3, 64, 64)).total == 2_765_696
assert shapes.layer_table(dcgan.Discriminator(), (3, 64, 64)).total == 2_765_568

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
# ### Three slips on the slides
#
# 1. The first listing of the discriminator begins with `nn.Conv2d(ndf, ndf, 4, 2, 1)`. *What would it say to a colour picture?*
# 2. The generator's fourth layer makes `ngf` channels and normalises with `BatchNorm2d(ndf)`. *When does that go wrong?*
# 3. A note in the margin reckons the generator's first layer as $(4 \cdot 4 \cdot 128 + 1) \cdot 512 = 1{,}049{,}088$. The table says 1,048,576. *Which is right?*

# %%
# Replace ... by one of: "the note", "the table", "neither"
guess = predict("dcgan.margin_note", ...)

# %%
first = nn.Conv2d(64, 64, 4, 2, 1, bias=False)
try:
    first(x[:1])
except RuntimeError as error:
    print("1.", str(error).split(", but")[-1].strip())
ngf, ndf = 64, 32  # two sizes that happened to be equal on the slides
try:
    nn.BatchNorm2d(ndf)(torch.zeros(2, ngf, 8, 8))
except RuntimeError as error:
    print("2.", error)
without, with_bias = (conv2d_params(128, 512, 4, bias=b) for b in (False, True))
print(f"3. {without:,} without bias, {with_bias:,} with it.", guess.reveal("the table"))
assert (without, with_bias) == (1_048_576, 1_049_088)

# %% [markdown]
# The layer has no bias: BatchNorm (Ioffe and Szegedy 2015) comes next, and subtracts any constant again. So the note counts 512 numbers that are not there.
#
# ## 3 · The rules of DCGAN
#
# Radford, Metz and Chintala (2016) tried many convolutional GANs and wrote down what those that trained had in common:
#
# - no pooling: strided convolutions shrink in $D$, transposed ones grow in $G$;
# - BatchNorm in both, but not at $G$'s output and not at $D$'s input;
# - ReLU in $G$ and tanh at its end; LeakyReLU with slope 0.2 in $D$;
# - first weights from $\mathcal N(0, 0.02^2)$; Adam with rate 0.0002 and $\beta_1 = 0.5$.
#
# ### Exercise 5 · One doubling of the generator
#
# Return a block: (B, in, H, W) → (B, out, 2H, 2W): transposed convolution of kernel 4, without bias; BatchNorm; ReLU. Which stride and padding make 2H of H, with kernel 4? Your formula knows. *Five lines, five minutes.*


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
# Write a function that is called once, with a whole network. For every layer inside `module`, however deep: convolutions, also transposed ones, get weights from $\mathcal N(0, 0.02^2)$; BatchNorm gets weights from $\mathcal N(1, 0.02^2)$ and bias 0. Other layers stay as they are.
# `nn.init.normal_(tensor, mean, std, generator=generator)` draws; all numbers come from the given generator. *Six lines, six minutes.*


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
# A new setting: with these blocks, any size is a matter of where one starts. **Claim.** 28 = 7·2·2, 48 = 6·2·2·2, 96 = 6·2⁴, and so on; each network gives the size it was built for.

# %%
for size in (28, 32, 48, 64, 96, 128):
    small = dcgan.Generator(nz=8, ngf=4, nc=1, size=size).eval()
    with torch.no_grad():
        made = small(torch.randn(2, 8))
        score = dcgan.Discriminator(nc=1, ndf=4, size=size).eval()(made)
    print(
        size,
        "<-",
        [
            tuple(layer.kernel_size)
            for layer in small.modules()
            if isinstance(layer, nn.ConvTranspose2d)
        ],
    )
    assert made.shape == (2, 1, size, size) and score.shape == (2,)

# %% [markdown]
# ## 4 · Training
#
# The slides split the round of lecture 03 into two updates, and play it with convolutions.
#
# ### Exercise 7 · The discriminator's turn
#
# Real pictures should get 1, fakes 0; each batch goes through $D$ by itself (BatchNorm would otherwise mix them). The loss is that of lecture 03, the sum of the two means. $G$ must not move, and no gradient may be left in it. Clear $D$'s old gradients. Return the loss, detached.
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
# Put together they are the whole method. `gan.AdversarialStep` does the same, and keeps a moving average of $G$'s weights besides, whose samples are as a rule better than those of the last step (Yazıcı and others 2019).

# %%
fashion = data.load("fashion", size=32)
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
plots.grid(clothes[:48])

# %% [markdown]
# Name ten of them. **Claim.** It is far closer to real clothes than the network without convolutions of lecture 03, whose weights come along for comparison.

# %%
net = metrics.FeatureNet("fashion")
held_out = data.load("fashion", split="test", size=32).floats()
real = metrics.fit_gaussian(net.features(held_out[:5000]))


def distance(pictures):
    """Fréchet distance to 5,000 held-out clothes (lecture 05 says what it is)."""
    return metrics.frechet_distance(*metrics.fit_gaussian(net.features(pictures)), *real)


flat = load_weights("mlp_gan_fashion", gan.MLPGenerator())
distances = {
    "fully connected GAN (lecture 03)": distance(gan.sample(flat, 5000, generator=seed(0))),
    "DCGAN": distance(clothes),
    "other real clothes (the floor)": distance(held_out[5000:]),
}
before, ours, floor = distances.values()
assert floor < ours < before
plots.bars(distances, "Fréchet distance to held-out clothes")

# %% [markdown]
# ## 5 · Checkerboards
#
# A kernel of 3 painted with stride 2 overlaps itself, but not evenly.
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
figures.overlaps(counts)

# %% [markdown]
# So kernel 4, which DCGAN uses, covers evenly. Is that enough? Neighbouring output pixels still get different sets of weights, in a pattern that repeats every two pixels, and nothing makes the sets equal. The other road is the one of the
# student report (*Generative Models for Image Generation*): **enlarge, then convolve**, so that all pixels share all weights (Odena and others 2016).
#
# **Claim.** In the spectrum of an untrained DCGAN the finest pattern, period 2, is more than 50 times as strong as its neighbours; with enlarge-and-convolve it is no stronger than they are.


# %%
def spectrum(pictures):
    """Mean power of the spatial frequencies of grey pictures, the constant in the middle"""
    grey = pictures.mean(1)
    grey = grey - grey.mean((1, 2), keepdim=True)
    return torch.fft.fftshift(torch.fft.fft2(grey).abs().square().mean(0))


def period_two(pictures):
    """Power at period 2 (across, down, diagonal: the largest) over that of other fine patterns"""
    power = spectrum(pictures)
    n = len(power)
    finest = torch.stack([power[0, 0], power[0, n // 2], power[n // 2, 0]])
    fine = torch.ones_like(power, dtype=torch.bool)
    fine[n // 4 : 3 * n // 4, n // 4 : 3 * n // 4] = False
    return (finest.max() / power[fine].median()).item()


# %%
torch.manual_seed(0)
untrained = {"DCGAN": dcgan.Generator(ngf=32), "enlarge, convolve": dcgan.UpsampleGenerator(ngf=32)}
with torch.no_grad():
    noise = torch.randn(256, 100)
    pictures = {name: network(noise) for name, network in untrained.items()}
pictures["real faces"] = x[:256]
for name, some in pictures.items():
    print(f"{name}: period 2 is {period_two(some):.1f} times as strong as other fine patterns")
assert period_two(pictures["DCGAN"]) > 50 and period_two(pictures["enlarge, convolve"]) < 3
figures.spectra(pictures, {name: spectrum(some) for name, some in pictures.items()})

# %% [markdown]
# The bright dots at the edges and corners of the first spectrum are the checkerboard. Training has to unlearn it. (The 10 of real faces is none: it comes from the upright line through
# the middle of their spectrum, and that from the top and the bottom of a picture, which do not match.)
#
# ## 6 · Faces
#
# The network of the printed table, exactly, on the drawn faces at 64×64. One thing has to be added. A drawing has large areas of exactly one colour, a fake has none: $D$ knows at once, and $G$ hears little (lecture 03).
# So $D$ is made to look through **noise**: Gaussian, on every picture it sees in training, real or fake (Sønderby and others 2017; Arjovsky and Bottou 2017). **Claim.** Seen at 32×32 with narrow networks: after the same few steps the distance is far smaller.

# %%
small = data.load("peeps", size=32)
test_faces = data.load("peeps", split="test", size=32).floats()
face_net = metrics.FeatureNet("peeps")
real_faces = metrics.fit_gaussian(face_net.features(test_faces))


# %%
def first_steps(noise, steps):
    """Samples of a young GAN on faces, whose D looks through noise."""
    torch.manual_seed(0)
    players = (
        dcgan.Generator(ngf=16, size=32).to(home),
        dcgan.Discriminator(ndf=16, size=32, noise=noise).to(home),
    )
    young = gan.AdversarialStep(*players, ema=0.98)
    train(young, small.batches(32, home), steps, title=f"noise {noise}")
    return gan.sample(young.ema.model.cpu(), 500, generator=seed(0))


# %%
young = {
    f"noise {noise}": first_steps(noise, pick(smoke=150, laptop=400, gpu=400))
    for noise in (0.0, 0.3)
}
far = [
    metrics.frechet_distance(*metrics.fit_gaussian(face_net.features(some)), *real_faces)
    for some in young.values()
]
print("Fréchet distance to held-out faces: {:.0f} without noise, {:.0f} with it".format(*far))
assert far[1] < 0.95 * far[0]
plots.rows({name: some[:12] for name, some in young.items()})

# %% [markdown]
# And $D$ learns at a quarter of $G$'s rate. At equal rates a run of this network got worse again: Fréchet distance 38 after 3,000 steps, 55 after 5,300, when $D$'s loss was 0.01 and the faces had become dark and alike. At a quarter it was 28 after
# 900 steps and 22 after 3,000. (Two rates for two players: Heusel and others 2017, who made $D$ the faster one. Whoever is ahead should be the slower.)
#
# To learn all of it takes longer than a lecture, so the weights come along; their card says all about it. On a GPU the cell trains them anew.

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
# Are they new? "New" here means a new combination: the data are drawn from a box of parts. Below each sample are its nearest training faces.

# %%
indices, near = gan.nearest_neighbours(invented[:10], x, 3)
plots.with_neighbours(invented[:10], x[indices])

# %% [markdown]
# A walk: each code is a face, and each point of a path of codes too. *Where does it tear?*

# %%
stations = torch.randn(5, 128, generator=seed(3))
with torch.no_grad():
    walk = torch.cat(
        [
            generator(gan.slerp(stations[[i]], stations[[i + 1]], f / 4))
            for i in range(3)
            for f in range(4)
        ]
    )
plots.rows({"walk": walk})

# %%
sliders.latent_walk(generator, stations)

# %% [markdown]
# ### Exercise 9 · Arithmetic with faces
#
# Take the codes of samples that wear glasses, and of samples that do not. The difference of their means is a direction. Add it to any code, `strength` times. *One line, two minutes.*


# %%
def latent_arithmetic(z, with_attribute, without_attribute, strength=1.0):
    """z (B, d), moved from the mean of one set of codes (n, d) towards that of the other"""
    ### BEGIN SOLUTION
    return z + strength * (with_attribute.mean(0) - without_attribute.mean(0))
    ### END SOLUTION


latent_arithmetic = check("dcgan.latent_arithmetic", latent_arithmetic)

# %% [markdown]
# One network labels the samples for the direction; **another one, which had no part in that**, judges the result. **Claim:** with three times the direction at least 80 % of faces wear glasses. The share without it stands beside. And the other way, three times away from glasses? Guess before you look.

# %% tags=["quality"]
labeller, judge = metrics.FeatureNet("peeps"), metrics.Classifier("peeps")
codes = torch.randn(4000, 128, generator=seed(1))
with torch.no_grad():
    drawn = torch.cat([generator(part) for part in codes.split(500)])
wears = labeller.classify(drawn, "glasses").bool()
fresh = torch.randn(500, 128, generator=seed(2))


def share(strength):
    """Share of 500 new faces with glasses, by the judge, after the direction is added."""
    with torch.no_grad():
        moved = generator(latent_arithmetic(fresh, codes[wears], codes[~wears], strength))
    return judge.classify(moved, "glasses").double().mean().item()


rates = {f"{s:g} times the direction": share(s) for s in (0.0, 1.0, 2.0, 3.0, -3.0)}
print(f"{wears.double().mean():.0%} of samples wear glasses by themselves (by the labeller)")
print("by the other network:", ", ".join(f"{name} {rate:.0%}" for name, rate in rates.items()))
assert share(3.0) >= max(0.8, share(0.0) + 0.3) and share(-3.0) > share(0.0)
plots.bars(rates, "share with glasses, by the other network")

# %%
with torch.no_grad():
    line = {
        f"{s:+g}": generator(latent_arithmetic(fresh[:10], codes[wears], codes[~wears], s))
        for s in (-3, 0, 1.5, 3)
    }
plots.rows(line)

# %% [markdown]
# Nobody told the generator about glasses. What else moves with them? Look at +3: the glasses are often dark, and so are hair and skin. The mean of a set does not know which of its differences you meant: many of the glasses that this generator draws are sunglasses on dark faces, and the direction leads to those.
# Hence the surprise at −3: away from there are light faces, and some of those wear thin glasses. Arithmetic with codes adds what it was shown; that the opposite takes it away is a hope (asserted above: more of them wear glasses than without any direction). Lecture 08 measures what comes along with an attribute.
#
# ## To go further
#
# 1. **48 pixels.** Build a generator for 48×48 from your `generator_block`. Check it with `shapes.layer_table`.
# 2. **Enlarge and convolve.** Train `dcgan.UpsampleGenerator` on fashion for as long as DCGAN. Which distance is smaller? Look at its spectrum after training.
# 3. **Break a rule.** Leave out BatchNorm, or use the first weights of PyTorch. Predict the distance, then measure.
# 4. **Another direction.** Find the direction of a beard. Does it add glasses too?
# 5. **Your own pictures.** `data.load("a/folder", size=64)` in place of the faces.
#
# ## References
#
# - A. Radford, L. Metz, S. Chintala. Unsupervised representation learning with deep convolutional generative adversarial networks. *ICLR* 2016, arXiv:1511.06434.
# - V. Dumoulin, F. Visin. A guide to convolution arithmetic for deep learning. arXiv:1603.07285, 2016.
# - A. Odena, V. Dumoulin, C. Olah. Deconvolution and checkerboard artifacts. *Distill* 2016, doi:10.23915/distill.00003.
# - W. Luo, Y. Li, R. Urtasun, R. Zemel. Understanding the effective receptive field in deep convolutional neural networks. *NIPS* 2016, arXiv:1701.04128.
# - S. Ioffe, C. Szegedy. Batch normalization: accelerating deep network training by reducing internal covariate shift. *ICML* 2015, arXiv:1502.03167.
# - Y. Yazıcı, C.-S. Foo, S. Winkler, K.-H. Yap, G. Piliouras, V. Chandrasekhar. The unusual effectiveness of averaging in GAN training. *ICLR* 2019, arXiv:1806.04498.
# - C. K. Sønderby, J. Caballero, L. Theis, W. Shi, F. Huszár. Amortised MAP inference for image super-resolution. *ICLR* 2017, arXiv:1610.04490.
# - M. Arjovsky, L. Bottou. Towards principled methods for training generative adversarial networks. *ICLR* 2017, arXiv:1701.04862.
# - N. Inkawhich. DCGAN tutorial. *PyTorch tutorials*, pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html.
