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
# # 02 · From eigenfaces to the variational autoencoder
#
# {{badge}}
#
# **You will be able to**
# - compress faces with principal components, and say what each component draws;
# - train an autoencoder, morph one face into another, and see why it is *not* a generative model;
# - derive, write and train a variational autoencoder, and say what each of its two terms does;
# - ask a model for a class, and explain why VAE pictures are blurred.
#
# **Time**: two hours with the exercises. The cells run in about 5 minutes on a laptop; on a GPU, where they train longer, plan for 10.
# **You need**: lecture 01 (Gaussians; the comparison of two sets of pictures), a little linear algebra.

# %%
# {{setup}}

# %%
import torch

from course_lib import autoencoders, data, device, metrics, pca, plots
from course_lib.exercises import check, hint, predict, solution
from course_lib.plots import autoencoders as figures
from course_lib.pretrained import load_weights
from course_lib.scale import current, pick
from course_lib.training import train
from course_lib.widgets import autoencoders as sliders


def seed(n):
    return torch.Generator().manual_seed(n)


home = device.choose().device  # networks are trained here, and looked at on the CPU


def trained(model, name):
    """After a smoke run, which is only a test, the course's weights take the place of its own."""
    return load_weights(name, model.cpu()) if current() == "smoke" else model.cpu().eval()


# %% [markdown]
# ## 1 · Faces are almost linear
#
# The faces of this lecture are drawings: Open Peeps, put together from parts by a program that noted which. They are not photographs, and "skin" is one of five
# colour codes, no more.
#
# Put the 3,072 numbers of a 32×32 picture into a row. A set of pictures is then a cloud of points, as in lecture 01. **Principal component analysis** looks for the
# directions along which that cloud is longest. With $X$ the pictures minus their mean, one in a row:
#
# $$X = U S V^\top, \qquad \text{components} = \text{the first } k \text{ rows of } V^\top, \qquad \text{variance along them} = \frac{S_i^2}{n-1}.$$

# %%
faces = data.load("peeps", size=32)
x = faces.floats()
test_faces = data.load("peeps", split="test", size=32)
x_test = test_faces.floats()
faces

# %% [markdown]
# ### Exercise 1 · Principal components
#
# `x` is `(n, d)`; return the first `k` directions, `(k, d)`, each of length 1 and at right angles to the others. `torch.linalg.svd(…, full_matrices=False)` is
# allowed. *Two lines, four minutes.*


# %%
def pca_components(x, k):
    """The k directions of largest variance of the rows of x: (n, d) -> (k, d)"""
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=0)
    return torch.linalg.svd(centred, full_matrices=False).Vh[:k]
    ### END SOLUTION


pca_components = check("vae.pca_components", pca_components)

# %% [markdown]
# ### Exercise 2 · There and back
#
# The *code* of a picture is its coordinates along the components; decoding adds up that much of each, and the mean. Do both at once.
# *One line, three minutes.*


# %%
def pca_reconstruct(x, mean, components):
    """Each row of x (n, d) as mean (d,) + a combination of components (k, d): (n, d)"""
    ### BEGIN SOLUTION
    return mean + (x - mean) @ components.T @ components
    ### END SOLUTION


pca_reconstruct = check("vae.pca_reconstruct", pca_reconstruct)

# %% [markdown]
# A singular value decomposition finds all 3,072 directions, and we need few of them. `pca.PCA` finds the first $k$ only: it multiplies by $X$ again and again, and never
# forms the covariance matrix of all pixels.
#
# **How many of the 3,072 components keep 90 % of the variance?**

# %%
# Replace ... by a number
guess = predict("vae.components_for_90", ...)

# %%
model = pca.PCA(200).fit(x.flatten(1))
kept = model.explained_variance_ratio.cumsum(0)
needed = int((kept < 0.9).sum()) + 1
print(guess.reveal(needed))
print(f"7 components keep {kept[6]:.0%}, {needed} keep 90 %")
assert 0.6 < kept[6] < 0.72 and 25 < needed < 45
figures.variance_kept(kept, guess)

# %%
components = model.components
rebuilt = {
    f"{k} components": pca_reconstruct(x_test.flatten(1)[:12], model.mean, components[:k])
    for k in (7, needed, 200)
}
plots.rows({"real": x_test[:12]} | {name: r.view(-1, 3, 32, 32) for name, r in rebuilt.items()})

# %% [markdown]
# That is what "faces are almost linear" means: with 33 numbers in place of 3,072 one recognises nearly everybody. With photographs it is much the same (Turk and Pentland 1991); there
# the first components are mostly the *light* (Belhumeur and others 1997), and later ones the person. What are they here? This is the mean and what each component adds.

# %%
pictures = components[[0, 1, 2, 3, 7, 11, 19, 30]].view(-1, 3, 32, 32)
pictures = pictures / pictures.abs().amax(dim=(1, 2, 3), keepdim=True)
plots.grid(
    torch.cat([model.mean.view(1, 3, 32, 32), pictures]),
    title="mean, then components 1 2 3 4 8 12 20 31",
)

# %% [markdown]
# **Claim.** The first two components are almost all about the head (hair, hats), and the third is the colour of the skin. Glasses come late, spread over several, since a pair of
# glasses changes few pixels. To see it, ask which share of a component's variance is explained by an attribute: the variance of its group means over its
# variance.

# %%
codes = model.encode(x.flatten(1))


def explained(code, labels):
    """Share of the variance of code (n,) that lies between the groups of labels (n,): 0 to 1."""
    means = torch.stack([code[labels == v].mean() for v in labels])
    return (means.var() / code.var()).item()


some = slice(0, 1500)
names = ["head", "skin", "face", "glasses"]
shares = {
    name: [explained(codes[some, i], faces.attributes[name][some]) for i in range(12)]
    for name in names
}
assert shares["head"][0] > 0.8 and shares["head"][1] > 0.8 and shares["skin"][2] > 0.5
assert max(shares["glasses"][:8]) < 0.1
figures.attribute_shares(shares)

# %% [markdown]
# ## 2 · An autoencoder finds the same, and more
#
# An **autoencoder** is two networks: an encoder that squeezes a picture through a narrow code, and a decoder that draws it again. It is trained to lose
# as little as possible:
#
# $$\min_{e,\,d}\; \tfrac12\, \mathbb E\, \lVert x - d(e(x)) \rVert^2 .$$
#
# If both are *linear*, the best they can do is PCA (Baldi and Hornik 1989). The matrices may differ, but what the decoder can draw is the same subspace. **Claim:** the angles between
# the two subspaces are below 1°. (On 1,000 faces of 8×8, so that gradient descent gets all the way to the bottom within seconds.)

# %%
small = data.load("peeps", size=8)[:1000].floats()
torch.manual_seed(0)
linear = autoencoders.Autoencoder(nc=3, size=8, latent=5, kind="linear")
optimizer = torch.optim.LBFGS(
    linear.parameters(),
    max_iter=1500,
    history_size=20,
    tolerance_change=1e-12,
    line_search_fn="strong_wolfe",
)


def closure():
    optimizer.zero_grad()
    loss = 0.5 * (small - linear(small)).square().flatten(1).sum(1).mean()
    loss.backward()
    return loss


optimizer.step(closure)
directions = linear.decoder.net[0].weight.T.detach()  # (5, 192)
angles = pca.principal_angles(directions, pca.PCA(5).fit(small.flatten(1)).components)
print("angles between the subspaces, in degrees:", [round(a, 2) for a in angles.tolist()])
assert angles.max() < 1

# %% [markdown]
# **A deep one** bends. Its encoder and decoder are convolutional, and its code has 32 numbers, about as many as PCA needs for 90 %.

# %%
torch.manual_seed(0)
steps = pick(smoke=5, laptop=1200, gpu=6000)
autoencoder = autoencoders.Autoencoder(nc=3, size=32, latent=32).to(home)
step = autoencoders.AutoencoderStep(autoencoder, steps=steps)


def rebuilt():
    return plots.rows({"real": x_test[:12], "rebuilt": autoencoder.reconstruct(x_test[:12])})


history = train(step, faces.batches(128, home), steps, watch=rebuilt)
autoencoder = trained(autoencoder, "ae_peeps32")


# %%
def error(rebuilt):
    """Mean squared error per number, on held-out faces."""
    return (rebuilt - x_test).square().mean().item()


deep = autoencoder.reconstruct(x_test)
by_pca = pca_reconstruct(x_test.flatten(1), model.mean, components[:32]).view_as(x_test)
print(f"PCA, 32 numbers: {error(by_pca):.4f}   autoencoder, 32 numbers: {error(deep):.4f}")
assert error(deep) < 0.7 * error(by_pca)
plots.rows({"real": x_test[:12], "PCA": by_pca[:12], "autoencoder": deep[:12]})

# %% [markdown]
# ## 3 · Morphing
#
# Here is an application: **mix two faces by a percentage**. Averaging the pixels gives a ghost of both. Averaging the *codes*, and decoding, gives a third face.
#
# ### Exercise 3 · Morph
#
# Return the code that lies the given fraction of the way from `z_a` to `z_b`, on a straight line. *One line, one minute.*


# %%
def morph(z_a, z_b, fraction):
    """The point between codes: z_a at fraction 0, z_b at fraction 1"""
    ### BEGIN SOLUTION
    return (1 - fraction) * z_a + fraction * z_b
    ### END SOLUTION


morph = check("vae.morph", morph)

# %%
a, b = x_test[3:4], x_test[10:11]
with torch.no_grad():
    z_a, z_b = autoencoder.encode(a), autoencoder.encode(b)
    between = torch.cat([autoencoder.decode(morph(z_a, z_b, i / 8)) for i in range(9)])
ghosts = torch.cat([torch.lerp(a, b, i / 8) for i in range(9)])
plots.rows({"pixels": ghosts, "codes": between})

# %% [markdown]
# Choose any two faces below, or pictures of your own: `sliders.morph(autoencoder, mine)` takes any `(n, 3, 32, 32)` pictures, such as
# `data.load("a/folder", size=32).floats()`. *Where does it break? Try two people with very different hair.*

# %%
sliders.morph(autoencoder, x_test[:40])

# %% [markdown]
# ### Exercise 4 · Around instead of through
#
# Codes from a Gaussian in many dimensions lie near a *sphere*: almost none is near the centre. A straight line between two of them cuts through the
# empty middle. Spherical interpolation (White 2016) goes around at constant speed. With $\Omega$ the angle between the codes and $f$ the fraction:
#
# $$\operatorname{slerp}(z_a, z_b, f) = \frac{\sin((1-f)\,\Omega)}{\sin\Omega}\, z_a + \frac{\sin(f\,\Omega)}{\sin\Omega}\, z_b .$$
#
# Codes are in the last dimension. Where the two are (nearly) parallel, $\sin\Omega$ vanishes: use the straight line there. *Six lines, eight minutes.*


# %%
def slerp(z_a, z_b, fraction):
    """Spherical interpolation between codes, along the last dimension"""
    ### BEGIN SOLUTION
    line = (1 - fraction) * z_a + fraction * z_b
    cosine = torch.nn.functional.cosine_similarity(z_a.double(), z_b.double(), dim=-1)
    omega = cosine.clamp(-1, 1).acos()[..., None]
    arc = ((1 - fraction) * omega).sin() * z_a + (fraction * omega).sin() * z_b
    parallel = omega.sin() < 1e-4
    return torch.where(parallel, line, arc / omega.sin()).to(z_a.dtype)
    ### END SOLUTION


slerp = check("vae.slerp", slerp)

# %%
ends = torch.randn(2, 1000, 32, generator=seed(0))
middle = {"line": morph(*ends, 0.5).norm(dim=-1), "arc": slerp(*ends, 0.5).norm(dim=-1)}
print(
    f"length of the ends {ends.norm(dim=-1).mean():.2f}, half-way on the line "
    f"{middle['line'].mean():.2f}, on the arc {middle['arc'].mean():.2f}"
)
assert middle["line"].mean() < 0.75 * ends.norm(dim=-1).mean() < middle["arc"].mean()

# %% [markdown]
# ## 4 · An autoencoder is not a model of faces
#
# It can redraw a face. Can it *invent* one? We would have to choose a code, and nobody has told us where the codes of faces lie. The obvious guess:
# a Gaussian with the mean and the spread that each of the 32 numbers has on the training faces.
#
# **What will random codes decode to?**

# %%
# Replace ... by one of: "new faces", "training faces", "ghosts", "noise, pixel by pixel"
guess = predict("vae.random_code", ...)

# %%
invented = autoencoder.sample(1000, generator=seed(0))
print(guess.reveal("ghosts"))
plots.grid(invented[:32], title="random codes, decoded by the autoencoder")

# %% [markdown]
# The codes of faces fill some crooked region. A Gaussian around it hits it rarely, and between the faces the decoder has never been told what to do.
#
# ## 5 · The variational autoencoder
#
# Turn the problem round. Begin with the model: **draw $z \sim \mathcal N(0, I)$, decode it.** Then $z$ is known to be Gaussian by construction, and the question
# becomes: *which noise made which training picture?* (Kingma and Welling 2014; Rezende and others 2014)
#
# The encoder answers with a distribution, since it cannot be sure: $q(z \mid x) = \mathcal N\big(\mu(x), \operatorname{diag}\,\sigma^2(x)\big)$, with one $\mu$ and one $\sigma$ for each latent. For any such $q$,
#
# $$\log p(x) \;\ge\; \underbrace{\mathbb E_{q}\big[\log p(x \mid z)\big]}_{\text{draw it well}} \;-\; \underbrace{\mathrm{KL}\big(q(z \mid x)\,\|\,\mathcal N(0, I)\big)}_{\text{stay near the prior}},$$
#
# because the difference of the two sides is $\mathrm{KL}(q(z \mid x)\,\|\,p(z \mid x)) \ge 0$. The right side is the **evidence lower bound**, ELBO. Three pieces are missing to compute it.
#
# ### Exercise 5 · The reparameterisation
#
# A sample $z \sim \mathcal N(\mu, \sigma^2)$ has no gradient with respect to $\mu$ and $\sigma$. Written as
# $z = \mu + \sigma\,\varepsilon$ with $\varepsilon \sim \mathcal N(0, I)$, it has. The network puts out `logvar` $= \log \sigma^2$, which may be any number.
# *One line, three minutes.*


# %%
def reparameterise(mu, logvar, noise):
    """A draw from N(mu, exp(logvar)) made of noise from N(0, 1); all three (B, d)"""
    ### BEGIN SOLUTION
    return mu + torch.exp(0.5 * logvar) * noise
    ### END SOLUTION


reparameterise = check("vae.reparameterise", reparameterise)

# %% [markdown]
# ### Exercise 6 · The KL term
#
# For one dimension the integral can be done by hand:
#
# $$\mathrm{KL}\big(\mathcal N(\mu,\sigma^2)\,\|\,\mathcal N(0,1)\big) = \tfrac12\big(\mu^2 + \sigma^2 - 1 - \log\sigma^2\big).$$
#
# Worked: $\mu = 1$, $\sigma = 1$ gives ½. Dimensions are independent, so theirs add up. Return one number for each picture. *One line, three minutes.*


# %%
def kl_to_standard_normal(mu, logvar):
    """KL(N(mu, exp(logvar)) || N(0, I)) of each row: (B, d), (B, d) -> (B,)"""
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
    ### END SOLUTION


kl_to_standard_normal = check("vae.kl_to_standard_normal", kl_to_standard_normal)

# %% [markdown]
# ### Exercise 7 · The loss
#
# Let $p(x \mid z)$ be a Gaussian of unit variance around the decoded picture $\hat x$. Then $-\log p(x \mid z) = \tfrac12 \lVert x - \hat x \rVert^2$ plus a constant. The mean over $q$ is taken from a single draw of $z$. The loss is
#
# $$\tfrac12 \lVert x - \hat x\rVert^2 + \beta\,\mathrm{KL},$$
#
# **summed over all numbers of a picture and over all latents, then averaged over the batch**. (A mean over pixels beside a sum over latents is a common bug of
# published VAEs: it multiplies β by 3,072 without saying so.) $\beta = 1$ is the ELBO, other values make a β-VAE (Higgins and others 2017). *Three lines, five minutes.*


# %%
def negative_elbo(x, reconstruction, mu, logvar, beta=1.0):
    """½‖x − reconstruction‖² + beta · KL, mean over the batch: one number"""
    ### BEGIN SOLUTION
    error = 0.5 * ((x - reconstruction) ** 2).flatten(1).sum(dim=1)
    return (error + beta * kl_to_standard_normal(mu, logvar)).mean()
    ### END SOLUTION


negative_elbo = check("vae.negative_elbo", negative_elbo)

# %% [markdown]
# That is all of it. `autoencoders.VAEStep` does these three things and a step of Adam.

# %%
torch.manual_seed(0)
steps = pick(smoke=5, laptop=1200, gpu=6000)
vae = autoencoders.VAE(nc=3, size=32, latent=32).to(home)
step = autoencoders.VAEStep(vae, steps=steps)
history = train(step, faces.batches(128, home), steps, watch=lambda: plots.grid(vae.sample(32)))
vae = trained(vae, "vae_peeps32")

# %% [markdown]
# Here is one face on its way through: the encoder's $\mu$ and $\sigma$ for each of the 32 latents, one draw $z = \mu + \sigma\varepsilon$, and what the decoder makes of it.
# Where $\sigma$ is near 1 and $\mu$ near 0, the latent says nothing about this face: the KL has switched it off.

# %%
with torch.no_grad():
    mu, logvar = vae.encode(x_test[5:6])
    z = reparameterise(mu, logvar, torch.randn(mu.shape, generator=seed(1)))
    redrawn = vae.decode(z)
figures.through_a_vae(x_test[5], mu[0], (0.5 * logvar[0]).exp(), z[0], redrawn[0])

# %% [markdown]
# ### Exercise 8 · New faces
#
# Given a trained `encode` and `decode`, some pictures `x`, and `noise` from $\mathcal N(0, I)$, return **samples of the model**. Which of the four do you need? *One line, two
# minutes.*


# %%
def sample(encode, decode, x, noise):
    """New pictures from a trained VAE: noise (n, d) -> (n, C, H, W)"""
    ### BEGIN SOLUTION
    return decode(noise)
    ### END SOLUTION


sample = check("vae.sample", sample)

# %%
with torch.no_grad():
    drawn = sample(vae.encode, vae.decode, x_test, torch.randn(1000, 32, generator=seed(0)))
plots.rows({"autoencoder": invented[:12], "VAE": drawn[:12], "real": x_test[12:24]})

# %% [markdown]
# **Claim.** In the features of a small network that knows faces, the VAE's samples are closer to real faces than the autoencoder's. The Fréchet distance compares mean
# and covariance of such features; lecture 05 looks into it. Beside it stands the floor: other real faces, as many. The autoencoder rebuilds better, though, since nothing made it
# give up detail for a tidy code.

# %%
net = metrics.FeatureNet("peeps")
real = metrics.fit_gaussian(net.features(x_test))


def distance(pictures):
    """Fréchet distance of as many pictures to the held-out faces."""
    features = net.features(pictures[: len(x_test)].clamp(-1, 1))
    return metrics.frechet_distance(*metrics.fit_gaussian(features), *real)


distances = {
    "autoencoder, random codes": distance(invented),
    "VAE, samples": distance(drawn),
    "real faces (the floor)": distance(x[torch.randperm(len(x), generator=seed(0))]),
}
errors = {"autoencoder": error(deep), "VAE": error(vae.reconstruct(x_test))}
print("mean squared error of the rebuilt faces:", {k: round(v, 4) for k, v in errors.items()})
ae, ours, floor = distances.values()
assert floor < ours < 0.8 * ae and errors["autoencoder"] < errors["VAE"]
plots.bars(distances, "Fréchet distance to held-out faces")

# %% [markdown]
# ### What each term does
#
# With 2 latents one can see the whole code. Five small VAEs, five β. The dots are the codes of held-out faces. The circle holds 86 % of the prior, $\mathcal N(0, I)$.
# Below is what a grid of codes, from −2.5 to 2.5 both ways, decodes to.
#
# **A model's KL is 0.01 nats. What do 64 of its samples show?**

# %%
# Replace ... by one of: "64 different new faces", "64 times nearly the same picture", "64 training faces"
guess = predict("vae.collapse", ...)

# %%
planes, told = {}, {}
steps = pick(smoke=250, laptop=1000, gpu=4000)
for beta in (0.0, 1.0, 10.0, 30.0, 300.0):
    torch.manual_seed(0)
    flat = autoencoders.VAE(nc=3, size=32, latent=2, kind="dense", hidden=64).to(home)
    step = autoencoders.VAEStep(flat, beta=beta, steps=steps)
    train(step, faces.batches(128, home), steps, title=f"β = {beta:g}")
    planes[f"β = {beta:g}"] = flat.cpu().eval()
    with torch.no_grad():
        told[beta] = kl_to_standard_normal(*flat.encode(x_test)).mean().item()

# %%
print("KL in nats:", {beta: round(kl, 2) for beta, kl in told.items()})
print(guess.reveal("64 times nearly the same picture"))
assert told[0.0] > told[1.0] > told[10.0] > told[30.0] > told[300.0]
assert told[1.0] > 2 and told[300.0] < 0.1
spread = {name: model.sample(64, seed(0)).std(0).mean().item() for name, model in planes.items()}
print("spread of 64 samples:", {name: round(value, 3) for name, value in spread.items()})
assert spread["β = 300"] < 0.4 * spread["β = 1"]
figures.code_planes(planes, x_test)

# %% [markdown]
# At β = 0 there is no prior to obey. It is an autoencoder: it puts the codes anywhere, and random codes from the circle miss most of them. As β grows the faces move
# into the circle, and every place in it decodes to a face. At β = 300 the KL costs more than any drawing gains. Every code becomes the same Gaussian, and every point decodes to the mean face: **posterior
# collapse**. A KL near 0 is not a success, but a code that says nothing.
#
# Move β. *Where does it break, and on which side?*

# %%
sliders.beta_planes(planes, x_test)

# %% [markdown]
# ## 6 · A reproduction: 12,288 inputs, 512 hidden units, 2 latents
#
# A student report that this lecture covers (*Generative Models for Image Generation*) trained a fully connected VAE on 64×64 faces: batches of 100, one hidden layer of 512 units
# each way, 2 latents, 250 epochs. Here is the same network on our faces: some epochs now, and weights that were trained for all 250.

# %%
big_faces = data.load("peeps", size=64)
torch.manual_seed(0)
report = autoencoders.VAE(nc=3, size=64, latent=2, kind="dense", hidden=512).to(home)
epochs = pick(smoke=0, laptop=8, gpu=250)
steps = max(2, epochs * len(big_faces) // 100)
print(f"{sum(p.numel() for p in report.parameters()):,} weights, {steps} steps of 100 faces")
history = train(autoencoders.VAEStep(report, lr=1e-3), big_faces.batches(100, home), steps)
history

# %%
report = load_weights("vae_report_250", autoencoders.VAE(nc=3, size=64, latent=2, kind="dense"))
figures.manifold(report, columns=12)

# %% [markdown]
# A map of all faces that two numbers can describe. Neighbours differ little, and far away is another haircut. Walk over it.

# %%
sliders.latent_plane(report)

# %% [markdown]
# ## 7 · Why are VAE pictures blurred?
#
# What the 2-latent VAE rebuilds is sharp in the hair and blurred in the face. Look only at the part with eyes, nose and mouth. One suspect is the noise $\varepsilon$. **Switch it off, and decode μ in place of a random z. How
# sharp are the faces then?**

# %%
# Replace ... by one of: "as sharp as the data", "as blurred as before", "halfway"
guess = predict("vae.blur", ...)


# %%
def face(pictures):
    """The part with eyes, nose and mouth."""
    return pictures[:, :, 26:54, 26:52]


big_test = data.load("peeps", split="test", size=64).floats()
with torch.no_grad():
    mu, logvar = report.encode(big_test)
    noisy = report.decode(reparameterise(mu, logvar, torch.randn(mu.shape, generator=seed(0))))
    clean = report.decode(mu)
sharpness = {
    "real faces": metrics.sharpness(face(big_test)).mean().item(),
    "decoded from z": metrics.sharpness(face(noisy)).mean().item(),
    "decoded from μ": metrics.sharpness(face(clean)).mean().item(),
}
print(guess.reveal("as blurred as before"))
assert sharpness["decoded from μ"] < 0.5 * sharpness["real faces"]
assert abs(sharpness["decoded from μ"] / sharpness["decoded from z"] - 1) < 0.2
plots.bars(sharpness, "sharpness: variance of the Laplacian")

# %%
plots.rows(
    {
        "real": big_test[:10],
        "rebuilt": clean[:10],
        "real, close": face(big_test[:10]),
        "from z": face(noisy[:10]),
        "from μ": face(clean[:10]),
    }
)

# %% [markdown]
# The two numbers of the code went to the hair, where a mistake costs most pixels. They do not say what the face looks like, so every face got the same: half a pair of glasses, a hint of a beard, a mouth half open. It is the
# *average* of all faces.
#
# The loss does it. Under squared error the best answer to a code is the **mean** of all pictures that share it. Take the smallest case: half of the
# pictures are −1, half are +1, and the code does not say which. The best single answer is 0, which is *neither*.

# %%
answers = torch.linspace(-1.5, 1.5, 301)
loss = 0.25 * (answers - 1) ** 2 + 0.25 * (answers + 1) ** 2
best = answers[loss.argmin()].item()
assert abs(best) < 0.01
figures.two_pictures_one_answer(answers, loss)

# %% [markdown]
# So the blur is what the code leaves open: there the decoder draws the mean. The VAE with 32 latents has room for much more of what our drawings differ in:

# %%
sharp_of = {
    "real": metrics.sharpness(x_test).mean().item(),
    "rebuilt, 32 latents": metrics.sharpness(vae.reconstruct(x_test)).mean().item(),
    "rebuilt, 2 latents": metrics.sharpness(planes["β = 1"].reconstruct(x_test)).mean().item(),
}
print({name: round(value, 3) for name, value in sharp_of.items()}, "at 32 × 32")
assert sharp_of["rebuilt, 2 latents"] < sharp_of["rebuilt, 32 latents"]

# %% [markdown]
# Photographs are another matter: each hair is a detail that no code of a few hundred numbers holds, and a VAE averages over them.
#
# A judge that asks "could this be real?" in place of "how far is it from this one?" would reject the 0. That is the discriminator of lecture 03.
#
# ## 8 · Ask for a class
#
# A **conditional VAE** (Sohn, Lee and Yan 2015) tells the encoder and the decoder the class. Then the code need not say what it is, only how it looks.
#
# ### Exercise 9 · One-hot
#
# A class number is not a quantity: hairstyle 8 is not twice hairstyle 4. Give each class its own column. *One line, two minutes.*


# %%
def one_hot(labels, classes):
    """(B,) whole numbers in 0 … classes − 1 -> (B, classes) float32"""
    ### BEGIN SOLUTION
    return torch.nn.functional.one_hot(labels, classes).float()
    ### END SOLUTION


one_hot = check("vae.one_hot", one_hot)

# %% [markdown]
# ### Exercise 10 · What the decoder sees
#
# *One line, one minute.*


# %%
def condition(z, labels, classes):
    """The code, and behind it the class: (B, d), (B,) -> (B, d + classes)"""
    ### BEGIN SOLUTION
    return torch.cat([z, one_hot(labels, classes)], dim=1)
    ### END SOLUTION


condition = check("vae.condition", condition)

# %% [markdown]
# Our classes are the 47 heads (hair and hats).

# %%
heads = faces.attribute_values["head"]
faces.labels = faces.attributes["head"]
torch.manual_seed(0)
steps = pick(smoke=5, laptop=800, gpu=8000)
cvae = autoencoders.ConditionalVAE(nc=3, size=32, classes=len(heads), latent=16).to(home)
step = autoencoders.VAEStep(cvae, steps=steps)
history = train(step, faces.batches(128, home, with_labels=True), steps)
cvae = trained(cvae, "cvae_peeps32")

# %% tags=["cover"]
some = ["afro", "bangs", "bun", "cornrows", "hatBeanie", "long", "mohawk", "noHair1"]
some = [name for name in some if name in heads]
plots.rows({name: cvae.sample(12, heads.index(name), generator=seed(0)) for name in some})

# %% [markdown]
# Every column is one code $z$ under different heads: the same face and the same colour, as far as the decoder keeps them apart. **Claim.** A classifier that had no part in the training sees the asked head in at least
# 85 % of the samples. (Its own mistakes count against the VAE: on real faces it is right as often as printed below.)

# %% tags=["quality"]
judge = metrics.Classifier("peeps")
asked = torch.arange(len(heads)).repeat(20)
given = judge.classify(cvae.sample(len(asked), asked, generator=seed(1)), "head")
delivered = (given == asked).float().mean().item()
on_real = (judge.classify(x_test, "head") == test_faces.attributes["head"]).float().mean().item()
print(
    f"asked head delivered: {delivered:.1%}; guessing: {1 / len(heads):.1%}; on real faces {on_real:.1%}"
)
assert delivered >= 0.85

# %% [markdown]
# ## 9 · Does a VAE invent a red sky?
#
# The same report trained on a film of a skyline and noted that its VAE drew red skies although none was in the data. We can test that. Our skylines are generated, over a whole day,
# and the sunset is left out of the training set. The measure: **redness** is the mean of $R - (G+B)/2$ over the upper third of a picture, as a share of full
# red.
#
# **How many of its random skies are redder than the reddest one that it has seen?**

# %%
# Replace ... by one of: "none", "a few", "most"
guess = predict("vae.red_sky", ...)

# %%
sky = data.load("skyline", size=32)
sunset = data.load("skyline", split="sunset", size=32)
torch.manual_seed(0)
steps = pick(smoke=5, laptop=600, gpu=4000)
sky_vae = autoencoders.VAE(nc=3, size=32, latent=8).to(home)
history = train(autoencoders.VAEStep(sky_vae, steps=steps), sky.batches(128, home), steps)
sky_vae = trained(sky_vae, "vae_skyline32")
skies = sky_vae.sample(4000, generator=seed(0))
plots.rows({"seen": sky.images[:12], "left out": sunset.images[:12], "drawn": skies[:12]})


# %%
def redness(pictures):
    """Mean of R − (G + B)/2 over the upper third of each picture, 1 being pure red: (n,)"""
    red, green, blue = ((pictures[:, :, : pictures.shape[2] // 3] + 1) / 2).unbind(1)
    return (red - (green + blue) / 2).flatten(1).mean(1)


reds = {
    "seen": redness(sky.floats()),
    "drawn": redness(skies),
    "left out": redness(sunset.floats()),
}
redder = (reds["drawn"] > reds["seen"].max()).float().mean().item()
print(f"{redder:.2%} of {len(skies):,} skies are redder than any of the {len(sky):,} seen")
print(
    f"redness: seen up to {reds['seen'].max():.2f}, drawn up to {reds['drawn'].max():.2f}, left out "
    f"{reds['left out'].mean():.2f} on average"
)
answer = "none" if redder == 0 else "a few" if redder < 0.5 else "most"
print(guess.reveal(answer))
figures.redness(reds)

# %%
reddest = reds["drawn"].topk(12).indices
plots.rows(
    {"reddest drawn": skies[reddest], "reddest seen": sky.images[reds["seen"].topk(12).indices]}
)

# %% [markdown]
# The reddest drawn are hardly redder than the reddest seen, and nothing like the sunsets that were left out. We saw 0.25 % after 600 steps of training, and none at all of 4,000 with the course's own weights, after 1,500 steps. That is what to
# expect where the decoder stays among its codes. But it is a function, and answers everywhere. Leave the prior: multiply the random codes by 2, 3, 4.

# %%
radii = {}
for radius in (1, 2, 3, 4):
    with torch.no_grad():
        z = radius * torch.randn(4000, 8, generator=seed(radius))
        away = torch.cat([sky_vae.decode(part) for part in z.split(500)])
    radii[f"z ~ N(0, {radius}²)"] = (redness(away) > reds["seen"].max()).float().mean().item()
assert radii["z ~ N(0, 4²)"] > radii["z ~ N(0, 1²)"]
plots.bars(radii, "share of skies redder than any seen")

# %% [markdown]
# Far from all that it has learned, the decoder does draw skies redder than any that it saw. That is no insight of the VAE into sunsets: it is what the weights happen to continue with. (And redder than the reddest seen, at −0.06, can still be grey.)
# The report's finding needs a number like this one beside it, and the measure with which it was counted.
#
# ## 10 · A judge for the error: VAE/GAN
#
# The report closes with a proposal: let a discriminator judge the pictures, since squared error blurs them. That is **VAE/GAN** (Larsen and others 2016). A discriminator learns to tell real pictures
# from rebuilt and invented ones; the reconstruction error is then measured *in its features*, which care about edges, and no longer in pixels. Lectures 03 to 05 take such games apart.
# Here is one to look at: the same encoder and decoder as in section 5, trained by `VAEGANStep`.

# %%
torch.manual_seed(0)
steps = pick(smoke=3, laptop=400, gpu=8000)
vaegan = autoencoders.VAE(nc=3, size=32, latent=32).to(home)
judge = autoencoders.Discriminator(nc=3, size=32).to(home)
step = autoencoders.VAEGANStep(vaegan, judge, steps=steps)
history = train(step, faces.batches(128, home), steps, watch=lambda: plots.grid(vaegan.sample(32)))
vaegan = trained(vaegan, "vaegan_peeps32")

# %%
sharp = vaegan.sample(1000, generator=seed(0))
numbers = {
    name: {
        "sharpness": metrics.sharpness(samples).mean().item(),
        "Fréchet distance": distance(samples),
        "error of rebuilt faces": error(model.reconstruct(x_test)),
    }
    for name, model, samples in (("VAE", vae, drawn), ("VAE/GAN", vaegan, sharp))
}
for name, row in numbers.items():
    print(f"{name:8}", {key: round(value, 3) for key, value in row.items()})
for higher in ("sharpness", "error of rebuilt faces"):
    assert numbers["VAE/GAN"][higher] > numbers["VAE"][higher]
plots.rows(
    {
        "real": x_test[:12],
        "VAE, rebuilt": vae.reconstruct(x_test[:12]),
        "VAE/GAN, rebuilt": vaegan.reconstruct(x_test[:12]),
        "VAE, invented": drawn[:12],
        "VAE/GAN, invented": sharp[:12],
    }
)

# %% [markdown]
# Read all three numbers. The pictures are crisper than the VAE's, and after 400 steps about as far from real faces. With the course's own weights, trained for longer, they are crisper even than the data: that surplus is grain, which the
# measure takes for detail, and the distance to real faces is larger than the VAE's. The rebuilt faces are farther off, as they must be: nobody charged for pixels. On drawings that a VAE with 32 latents hardly blurs there is little for a judge to mend. On photographs there is
# more; the paper shows such faces.
#
# ## What came after
#
# - **alignDRAW** (Mansimov and others 2016) drew pictures from captions, among them "a stop sign is flying in blue skies", blurred but recognisable. A recurrent VAE paints on a canvas stroke by stroke, and at each
#   stroke attends to some of the words. It is often called the first modern text-to-image model.
# - **IntroVAE** (Huang and others 2018) needs no separate judge. Its encoder doubles as one: the KL term tells real pictures (near the prior) from generated ones (pushed away), and the decoder
#   plays against it. Faces of 1024 × 1024 came out sharp.
# - **VQ-VAE** (van den Oord and others 2017) makes the code discrete and learns its distribution afterwards. With a discriminator's loss added it is one of the two compressors of latent diffusion models (Rombach
#   and others 2022), to which lecture 07 comes. So the VAE is alive: it makes the codes, and another model draws them.
#
# ## To go further
#
# 1. **Your own face.** Give `sliders.morph` two photographs from a folder. What does an autoencoder that has only seen drawings make of them?
# 2. **Another prior knowledge.** Train the VAE with `likelihood="bernoulli"`. Are the samples sharper? Why are the two losses not comparable?
# 3. **Learn the noise.** Let the decoder have one variance for all pixels, learned. Which β is that?
# 4. **The gap.** Fit a Gaussian with full covariance to the autoencoder's codes and sample from that. How much of the distance between AE and VAE disappears? What is left?
# 5. **Which latent does what?** Move one latent of the VAE at a time. Which ones change nothing, and how can you tell from $\mu$ and $\sigma$ alone?
#
# ## References
#
# - M. Turk, A. Pentland. Eigenfaces for recognition. *Journal of Cognitive Neuroscience* 3, 1991.
# - P. N. Belhumeur, J. P. Hespanha, D. J. Kriegman. Eigenfaces vs. Fisherfaces: recognition using class specific linear projection. *IEEE TPAMI* 19, 1997.
# - P. Baldi, K. Hornik. Neural networks and principal component analysis. *Neural Networks* 2, 1989.
# - D. P. Kingma, M. Welling. Auto-encoding variational Bayes. *ICLR* 2014, arXiv:1312.6114.
# - D. J. Rezende, S. Mohamed, D. Wierstra. Stochastic backpropagation and approximate inference in deep generative models. *ICML* 2014, arXiv:1401.4082.
# - K. Sohn, H. Lee, X. Yan. Learning structured output representation using deep conditional generative models. *NIPS* 2015.
# - I. Higgins and others. β-VAE: learning basic visual concepts with a constrained variational framework. *ICLR* 2017.
# - E. Mansimov, E. Parisotto, J. L. Ba, R. Salakhutdinov. Generating images from captions with attention. *ICLR* 2016, arXiv:1511.02793.
# - A. B. L. Larsen, S. K. Sønderby, H. Larochelle, O. Winther. Autoencoding beyond pixels using a learned similarity metric. *ICML* 2016, arXiv:1512.09300.
# - T. White. Sampling generative networks. arXiv:1609.04468, 2016.
# - A. van den Oord, O. Vinyals, K. Kavukcuoglu. Neural discrete representation learning. *NIPS* 2017, arXiv:1711.00937.
# - H. Huang, Z. Li, R. He, Z. Sun, T. Tan. IntroVAE: introspective variational autoencoders for photographic image synthesis. *NeurIPS* 2018, arXiv:1807.06358.
# - R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer. High-resolution image synthesis with latent diffusion models. *CVPR* 2022, arXiv:2112.10752.
