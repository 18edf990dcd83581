"""Recipes of the weights of lecture 02's autoencoders."""

import torch
from torch import Tensor, nn

from course_lib import data, device
from course_lib.autoencoders import (
    VAE,
    Autoencoder,
    AutoencoderStep,
    ConditionalVAE,
    Discriminator,
    IntroVAEStep,
    VAEGANStep,
    VAEStep,
    kl_to_standard_normal,
)
from course_lib.metrics import TASKS
from course_lib.pca import PCA
from course_lib.pretrained import RANK, round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.training import train


def ae_peeps32() -> None:
    _autoencoder("ae_peeps32", Autoencoder, "peeps", 5, 3000, size=32, latent=32)


def vae_peeps32() -> None:
    _autoencoder("vae_peeps32", VAE, "peeps", 6, 4000, size=32, latent=32)


def cvae_peeps32() -> None:
    _autoencoder("cvae_peeps32", ConditionalVAE, "peeps", 7, 2500, size=32, classes=47, latent=16)


def vae_skyline32() -> None:
    _autoencoder("vae_skyline32", VAE, "skyline", 8, 1500, size=32, latent=8)


def vae_report_250() -> None:
    steps = 250 * len(data.load("peeps")) // 100
    _autoencoder("vae_report_250", VAE, "peeps", 9, steps, 100, size=64, latent=2, kind="dense")


def vaegan_peeps32() -> None:
    _autoencoder("vaegan_peeps32", VAE, "peeps", 10, 1500, size=32, latent=32)


def vaegan_peeps32_800() -> None:
    _autoencoder("vaegan_peeps32_800", VAE, "peeps", 0, 800, 64, size=32, latent=32)


def introvae_peeps32() -> None:
    _autoencoder("introvae_peeps32", VAE, "peeps", 0, 800, 64, size=32, latent=32)


def _autoencoder(name, network, dataset, seed, steps, batch=128, **shape) -> None:
    """An autoencoder of any kind, and how well it rebuilds and invents."""
    home = device.choose().device
    images, held_out = (data.load(dataset, split, size=shape["size"]) for split in SPLITS)
    for part in (images, held_out):
        if network is ConditionalVAE:
            part.labels = part.attributes["head"]
    torch.manual_seed(seed)
    model = network(**shape).to(home)
    if "gan" in name:
        judge = Discriminator(**{k: shape[k] for k in ("nc", "size") if k in shape}).to(home)
        step = VAEGANStep(model, judge, steps=steps)
    elif "intro" in name:
        step = IntroVAEStep(model, steps=steps)
    else:
        step = (AutoencoderStep if network is Autoencoder else VAEStep)(model, steps=steps)
    generator = torch.Generator().manual_seed(seed)
    batches = images.batches(batch, home, generator, with_labels=network is ConditionalVAE)
    history = train(step, batches, steps, title=name)
    if shape.get("kind") == "dense":
        _narrow(model.cpu(), images.floats())
    round_weights(model.cpu())
    card = {
        "what": f"{network.__name__}({', '.join(f'{k}={v!r}' for k, v in shape.items())})",
        "data": f"{dataset}, {len(images):,} training images; measured on {len(held_out):,} others",
        "steps": f"{steps:,} of {batch} images, `{type(step).__name__}` with its own settings",
        "seed": seed,
        **circumstances(name, history.seconds),
        **_rebuilds(model, held_out),
    }
    save_weights(name, model, card)


@torch.no_grad()
def _narrow(model: nn.Module, x: Tensor) -> None:
    """Gives the two large matrices of a dense network the rank that is stored.

    Of what each puts out on the images x the first 64 principal components stay, and the mean.
    """
    codes, _ = model.encode(x)
    layers = model.decoder.net[0]
    for layer, inputs in ((model.encoder.head[0], x.flatten(1)), (layers[2], layers[:2](codes))):
        mean = layer.weight @ inputs.mean(0)
        outputs = PCA(RANK).fit(inputs @ layer.weight.T)
        basis = outputs.components.T.to(mean)  # (outputs, 64)
        layer.weight.copy_(basis @ (basis.T @ layer.weight))
        layer.bias += mean - basis @ (basis.T @ mean)


@torch.no_grad()
def _rebuilds(model: nn.Module, held_out) -> dict[str, str]:
    x = held_out.floats()
    model.eval()
    inputs = (x, held_out.labels) if isinstance(model, ConditionalVAE) else (x,)
    found, codes = {}, model.encode(*inputs)
    if isinstance(codes, tuple):
        found["KL of held-out images"] = f"{kl_to_standard_normal(*codes).mean():.2f} nats"
        codes = codes[0]
    error = (model.decode(codes, *inputs[1:]) - x).square().mean()
    found["mean squared error, per value in [-1, 1]"] = f"{error:.4f}"
    if held_out.name in TASKS:
        found |= likeness(lambda n, generator: model.sample(n, generator=generator), held_out)
    return found


RECIPES = (
    ae_peeps32,
    vae_peeps32,
    cvae_peeps32,
    vae_skyline32,
    vae_report_250,
    vaegan_peeps32,
    vaegan_peeps32_800,
    introvae_peeps32,
)
