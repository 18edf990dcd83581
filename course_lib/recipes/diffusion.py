"""Recipes of the weights of lecture 07's diffusion models."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, device
from course_lib.autoencoders import (
    AutoencoderStep,
    MapAutoencoder,
)
from course_lib.diffusion import Diffusion, DiffusionStep, FlowStep, cosine_betas, flow_sample
from course_lib.pretrained import load_weights, round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.training import train
from course_lib.unet import UNet

CONDITIONS = ("glasses", "face", "skin")  # what the model of faces is told, in this order
CHAIN = Diffusion(cosine_betas(1000))


def ddpm_fashion() -> None:
    net = UNet(1, 48, classes=10, patch=2)
    _diffusion("ddpm_fashion", net, data.load("fashion"), 21, 4000, data.load("fashion", "test"))


def flow_fashion() -> None:
    """Hours of one core. Ctrl-C, a kill or a restart lose minutes: the checkpoint goes on."""
    net, held_out = UNet(1, 48, classes=10, patch=2), data.load("fashion", "test")
    _diffusion("flow_fashion", net, data.load("fashion"), 22, 45_000, held_out, ema=0.9995)


def ddpm_peeps32() -> None:
    faces, held_out = (_conditioned(data.load("peeps", split, size=32)) for split in SPLITS)
    known = [len(faces.attribute_values[name]) for name in CONDITIONS]
    net = UNet(3, 48, (1, 2, 2), classes=known, patch=2)
    _diffusion("ddpm_peeps32", net, faces, 23, 3500, held_out)


def sr_peeps32() -> None:
    """Told a 16 × 16 picture, enlarged: pairs (picture, picture to put beside it)."""
    faces, held_out = (_with_small(data.load("peeps", split, size=32)) for split in SPLITS)
    net = UNet(3, 48, patch=2, beside=3)
    _diffusion("sr_peeps32", net, faces, 24, 1500, held_out)


def ae_fashion_maps(steps: int = 3000, batch: int = 128, seed: int = 25) -> None:
    home = device.choose().device
    images, held_out = (data.load("fashion", split, size=32) for split in SPLITS)
    torch.manual_seed(seed)
    step = AutoencoderStep(MapAutoencoder().to(home), steps=steps)
    batches = images.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title="ae_fashion_maps")
    model = round_weights(step.model.cpu())
    x = held_out.floats()
    with torch.no_grad():
        error = (model(x) - x).square().mean()
    card = {
        "what": "MapAutoencoder(nc=1, size=32, channels=4)",
        "data": f"fashion, {len(images):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, `AutoencoderStep` with its own settings",
        "seed": seed,
        **circumstances("ae_fashion_maps", history.seconds),
        "mean squared error, per value in [-1, 1]": f"{error:.4f}",
        "Fréchet distance of rebuilt pictures": _rebuilt(model, held_out),
    }
    save_weights("ae_fashion_maps", model, card)


def latent_fashion() -> None:
    net = UNet(4, 48, classes=10)
    _diffusion(
        "latent_fashion",
        net,
        data.load("fashion", size=32),
        26,
        2500,
        data.load("fashion", "test", size=32),
    )


def _diffusion(
    name: str,
    net: UNet,
    images,
    seed: int,
    steps: int,
    held_out,
    batch: int = 64,
    ema: float = 0.998,
) -> None:
    """A diffusion model (or flow, by its name); the average of its weights is what is stored."""
    home = device.choose().device
    torch.manual_seed(seed)
    net = net.to(home)
    options = {"lr": 1e-3, "ema": ema, "steps": steps}
    if name.startswith("flow"):
        step = FlowStep(net, middle=True, **options)
    else:
        options |= {"clip": not name.startswith("latent")}
        step = DiffusionStep(net, CHAIN, prediction="v", min_snr=5.0, **options)
    generator = torch.Generator().manual_seed(seed)
    batches = images.batches(batch, home, generator, with_labels=images.targets is None)
    scale, maps = 1.0, None
    if name.startswith("latent"):
        maps = load_weights("ae_fashion_maps", MapAutoencoder()).to(home)
        scale = maps.code_std.square().mean().sqrt()
        batches = _Coded(batches, maps, scale)
    # Ctrl-C stops it and keeps what is there; the same command then goes on
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())
    kind = "flow matching" if name.startswith("flow") else "velocity, cosine chain, min-SNR 5"
    card = {
        "what": f"a U-Net for diffusion, {kind}; average of its weights",
        "data": f"{images.name}, {len(images):,} training images, measured on "
        f"{len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, Adam 0.001 falling to 0, EMA {ema:g}",
        "seed": seed,
        **circumstances(name, history.seconds),
        **likeness(lambda n, generator: _drawn(name, model, held_out, n, generator), held_out),
    }
    save_weights(name, model, card)


class _Coded:
    """Batches of codes in the place of pictures, of variance 1."""

    def __init__(self, batches, maps: nn.Module, scale: Tensor):
        self.batches, self.maps, self.scale = batches, maps, scale
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __iter__(self):
        return self

    @torch.no_grad()
    def __next__(self):
        x, labels = next(self.batches)
        return self.maps.encode(x) / self.scale, labels


def _drawn(name: str, model: UNet, held_out, n: int, generator: torch.Generator) -> Tensor:
    """n pictures, 50 steps, told what the first n held-out pictures are told."""
    made = []
    for rows in torch.arange(n).split(250):
        shape = len(rows), *held_out.images.shape[1:]
        if name.startswith("sr"):
            beside = data.to_float(held_out.targets[rows])
            net = lambda x, t, beside=beside: model(x, t, beside=beside)  # noqa: E731
            x = CHAIN.ddim_sample(net, shape, generator=generator, prediction="v")
        elif name.startswith("flow"):
            x = flow_sample(model, shape, held_out.labels[rows], 1.0, generator)
        elif name.startswith("latent"):
            maps = load_weights("ae_fashion_maps", MapAutoencoder())
            shape = len(rows), *maps.code_mean.shape
            z = CHAIN.ddim_sample(
                model, shape, held_out.labels[rows], 1.0, generator, prediction="v", clip=False
            )
            with torch.no_grad():
                x = maps.decode(maps.code_std.square().mean().sqrt() * z)
        else:
            x = CHAIN.ddim_sample(
                model, shape, held_out.labels[rows], 1.0, generator, prediction="v"
            )
        made.append(x.clamp(-1, 1))
    return torch.cat(made)


def _conditioned(images):
    told = images[:]  # a set of its own; at its making it may have one label a picture, not three
    told.labels = torch.stack([images.attributes[name] for name in CONDITIONS], 1)
    return told


def _with_small(images):
    """Each picture, and its 16 × 16 version enlarged again."""
    small = F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8)
    return replace(images, targets=F.interpolate(small, scale_factor=2))


def _rebuilt(model: MapAutoencoder, held_out) -> str:
    with torch.no_grad():
        made = torch.cat([model(part) for part in held_out.floats().split(500)])
    return next(iter(likeness(lambda n, generator: made[-n:], held_out).values()))


RECIPES = (
    ddpm_fashion,
    flow_fashion,
    ddpm_peeps32,
    sr_peeps32,
    ae_fashion_maps,
    latent_fashion,
)
