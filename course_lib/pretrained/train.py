"""How the shipped weights were made. `python -m course_lib.pretrained.train NAME …` does it again.

One function per name. It trains, measures on images that were not trained on, and writes the
weights with a card. On two CPU cores each takes a few minutes. Another machine gives other last
digits.
"""

import argparse
import platform
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, dcgan, device, gan, metrics, translation
from course_lib.autoencoders import (
    VAE,
    Autoencoder,
    AutoencoderStep,
    ConditionalVAE,
    Discriminator,
    MapAutoencoder,
    VAEGANStep,
    VAEStep,
    kl_to_standard_normal,
)
from course_lib.diffusion import Diffusion, DiffusionStep, FlowStep, cosine_betas, flow_sample
from course_lib.metrics import TAUGHT, Classifier, FeatureNet, fit_gaussian, frechet_distance
from course_lib.pca import PCA
from course_lib.pretrained import RANK, load_weights, round_weights, save_weights
from course_lib.training import train
from course_lib.translation import PatchDiscriminator, ResnetGenerator, UNetGenerator, translate
from course_lib.unet import UNet

SPLITS = ("train", "test")
TOLD = ("glasses", "face", "skin")  # what the model of faces is told, in this order
CHAIN = Diffusion(cosine_betas(1000))


def features_fashion() -> None:
    _judge("features_fashion", FeatureNet, seed=1, epochs=9)


def features_peeps() -> None:
    _judge("features_peeps", FeatureNet, seed=2, epochs=60)


def classifier_fashion() -> None:
    _judge("classifier_fashion", Classifier, seed=3, epochs=10)


def classifier_peeps() -> None:
    _judge("classifier_peeps", Classifier, seed=4, epochs=50)


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


def mlp_gan_fashion() -> None:
    players = gan.MLPGenerator(), gan.MLPDiscriminator()
    _gan("mlp_gan_fashion", *players, "fashion", 28, seed=11, steps=8000, batch=128)


def dcgan_fashion32() -> None:
    players = dcgan.Generator(nc=1, ngf=32, size=32), dcgan.Discriminator(nc=1, ndf=32, size=32)
    _gan("dcgan_fashion32", *players, "fashion", 32, seed=12, steps=6000, batch=64)


def dcgan_peeps64() -> None:
    players = dcgan.Generator(nz=128), dcgan.Discriminator(first_batchnorm=True, noise=0.3)
    _gan("dcgan_peeps64", *players, "peeps", 64, seed=13, steps=4500, batch=32, d_lr=5e-5)


def cgan_fashion32() -> None:
    name, home, steps = "cgan_fashion32", device.choose().device, 6000
    images, held_out = (data.load("fashion", split, size=32) for split in SPLITS)
    torch.manual_seed(14)
    players = (
        translation.ConditionalGenerator(10, nz=64, ngf=32, nc=1, size=32),
        translation.ConditionalDiscriminator(10, nc=1, ndf=32, size=32),
    )
    step = gan.AdversarialStep(*(net.to(home) for net in players), ema=0.999)
    batches = images.batches(64, home, torch.Generator().manual_seed(14), with_labels=True)
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model, labels = round_weights(step.ema.model.cpu()), torch.arange(5000) % 10

    def sample(n, generator):
        return gan.sample(model, n, labels=torch.arange(n) % 10, generator=generator)

    made = sample(5000, torch.Generator().manual_seed(0))
    right = (metrics.Classifier("fashion").classify(made) == labels).double().mean().item()
    card = {
        "what": "the generator of a conditional GAN: ConditionalGenerator, average of its weights",
        "data": f"fashion, {len(images):,} training images",
        "steps": f"{history.steps:,} of 64 images, non-saturating, Adam 0.0002, EMA 0.999",
        "seed": 14,
        **_circumstances(name, history.seconds),
        "asked class delivered, by `classifier_fashion`": f"{right:.1%} of 5,000",
        **_likeness(sample, held_out),
    }
    save_weights(name, model, card)


def lines_to_faces_l1() -> None:
    _lines_to_faces("l1", adversarial=False)


def lines_to_faces_both() -> None:
    _lines_to_faces("both", l1=10.0)


def map_to_satellite_l1() -> None:
    _map_to_satellite("l1", adversarial=False)


def map_to_satellite_gan() -> None:
    _map_to_satellite("gan", l1=0.0)


def map_to_satellite_both() -> None:
    _map_to_satellite("both")


def glasses_on() -> None:
    _glasses("")


def glasses_on_free() -> None:
    _glasses("_free", cycle=0.0, identity=0.0)


def glasses_on_strict() -> None:  # identity weighs 5 as ever
    _glasses("_strict", cycle=100.0, identity=0.05)


def emoji_3d() -> None:
    def emoji(split):
        return [data.load("emoji", split, style=style) for style in ("flat", "3d")]

    (flat, solid), test = emoji("train"), emoji("test")
    a, b = (part.floats() for part in test)

    def quality(there, back):
        return {
            "error of flat → 3D, in [0, 1]": f"{(there - b).abs().mean() / 2:.4f}",
            "error of 3D → flat": f"{(back - a).abs().mean() / 2:.4f}",
            "doing nothing": f"{(a - b).abs().mean() / 2:.4f}",
        }

    _cyclegan(("emoji_3d",), flat[::2], solid[1::2], (a, b), quality, 24, 18, 3000)


def ddpm_fashion() -> None:
    net = UNet(1, 48, classes=10, patch=2)
    _diffusion("ddpm_fashion", net, data.load("fashion"), 21, 4000, data.load("fashion", "test"))


def flow_fashion() -> None:
    net = UNet(1, 48, classes=10, patch=2)
    _diffusion("flow_fashion", net, data.load("fashion"), 22, 7000, data.load("fashion", "test"))


def ddpm_peeps32() -> None:
    faces, held_out = (_told(data.load("peeps", split, size=32)) for split in SPLITS)
    known = [len(faces.attribute_values[name]) for name in TOLD]
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
        **_circumstances("ae_fashion_maps", history.seconds),
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


def flow_peeps32(steps: int = 2500, batch: int = 32, seed: int = 31) -> None:
    """A small flow of faces that is told nothing: what the audits of lecture 08 look at."""
    name, home = "flow_peeps32", device.choose().device
    faces, held_out = (data.load("peeps", split, size=32) for split in SPLITS)
    torch.manual_seed(seed)
    step = FlowStep(UNet(3, 32, patch=2).to(home), lr=2e-3, ema=0.998, steps=steps, middle=True)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())

    def sample(n, generator):
        return flow_sample(model, (n, 3, 32, 32), generator=generator, steps=20).clamp(-1, 1)

    card = {
        "what": "a small U-Net for flow matching, told nothing; average of its weights",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, Adam 0.002 falling to 0, EMA 0.998",
        "seed": seed,
        **_circumstances(name, history.seconds),
        **_likeness(sample, held_out),
    }
    save_weights(name, model, card)


def _gan(name, generator, discriminator, dataset, size, seed, steps, batch, d_lr=2e-4) -> None:
    """A GAN with the non-saturating loss; the average of G's weights is what is stored."""
    home, noise = device.choose().device, getattr(discriminator, "noise", 0)
    images, held_out = (data.load(dataset, split, size=size) for split in SPLITS)
    torch.manual_seed(seed)
    step = gan.AdversarialStep(generator.to(home), discriminator.to(home), d_lr=d_lr, ema=0.999)
    batches = images.batches(batch, home, torch.Generator().manual_seed(seed))
    # Ctrl-C stops it and keeps what is there; the same command then goes on
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())
    card = {
        "what": f"the generator of a GAN: {type(model).__name__}, average of its weights",
        "data": f"{dataset}, {len(images):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, non-saturating, Adam 0.0002, EMA 0.999"
        + (f", D at {d_lr:g}" if d_lr != 2e-4 else "")
        + (f", noise {noise} before D" if noise else ""),
        "seed": seed,
        **_circumstances(name, history.seconds),
        **_likeness(lambda n, generator: gan.sample(model, n, generator=generator), held_out),
    }
    save_weights(name, model, card)


def _lines_to_faces(kind: str, **settings) -> None:
    parts = [data.load("peeps", split, size=32, variant="lines") for split in SPLITS]
    pair = parts[1].floats(), data.to_float(parts[1].targets)
    _pix2pix(f"lines_to_faces_{kind}", parts[0], pair, seed=15, steps=4000, **settings)


def _map_to_satellite(kind: str, **settings) -> None:
    train_part, test = (data.load("earth", split, size=64) for split in SPLITS)
    pair = next(test.batches(200, generator=torch.Generator().manual_seed(0)))
    name = f"map_to_satellite_{kind}"
    _pix2pix(name, train_part, pair, seed=16, steps=4000, **settings)


def _pix2pix(name, pairs, held_out, seed, steps, **settings) -> None:
    """A U-Net that learns from pairs; the average of its weights is what is stored."""
    home = device.choose().device
    torch.manual_seed(seed)
    painter = UNetGenerator(3, 3, filters=24, downs=4).to(home)
    judge = PatchDiscriminator(6, filters=24, layers=2, norm="batch").to(home)
    step = translation.Pix2PixStep(painter, judge, ema=0.999, **settings)
    batches = pairs.batches(16, home, generator=torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model, (x, target) = round_weights(step.ema.model.cpu()), held_out
    made = translate(model, x)
    asked = ", ".join(f"{key}={value}" for key, value in settings.items()) or "L1 weighs 100"
    card = {
        "what": "the generator of pix2pix: UNetGenerator(3, 3, filters=24, downs=4)",
        "data": f"{pairs.name}, training split; measured on {len(x):,} held-out pairs",
        "steps": f"{history.steps:,} of 16 pairs, `Pix2PixStep` with {asked}, EMA 0.999",
        "seed": seed,
        **_circumstances(name, history.seconds),
        "mean absolute error, in [0, 1]": f"{(made - target).abs().mean() / 2:.4f}",
        "PSNR": f"{metrics.psnr(made, target):.2f} dB",
        "SSIM": f"{metrics.ssim(made, target):.3f}",
    }
    save_weights(name, model, card)


def _glasses(kind: str, **settings) -> None:
    def people(split):
        return [
            data.load("peeps", split, size=32, variant=f"{word}_glasses")
            for word in ("without", "with")
        ]

    (train_x, train_y), test = people("train"), people("test")
    x, y = (part.floats() for part in test)
    region = (x - y).abs().amax((0, 1)) > 0.02
    judge = metrics.Classifier("peeps_glasses")

    def quality(there, back):
        found = {}
        for way, made, truth in (("on", there, y), ("off", back, x)):
            off = (made - truth)[..., ~region].abs().mean() / 2
            found[f"glasses {way}: with glasses, by `classifier_peeps`"] = (
                f"{judge.classify(made).double().mean():.1%}"
            )
            found[f"glasses {way}: error outside the glasses region, in [0, 1]"] = f"{off:.4f}"
        return found

    names = f"glasses_on{kind}", f"glasses_off{kind}"
    _cyclegan(names, train_x[::2], train_y[1::2], (x, y), quality, 16, 17, 3000, **settings)


def _cyclegan(names, set_x, set_y, held_out, quality, filters, seed, steps, **settings) -> None:
    """A CycleGAN; stored are the averages of the weights of G and, if it has a name, of F."""
    home = device.choose().device
    torch.manual_seed(seed)
    nets = [ResnetGenerator(3, 3, filters, blocks=3) for _ in "gf"]
    nets += [PatchDiscriminator(3, filters, layers=2) for _ in "xy"]
    schedule = (steps // 2, steps - steps // 2)
    step = translation.CycleGANStep(
        *(net.to(home) for net in nets), lr=1e-3, schedule=schedule, ema=0.99, **settings
    )
    generator = torch.Generator().manual_seed(seed)
    batches = translation.unpaired(set_x, set_y, 8, generator, home)
    history = train(step, batches, steps, title=names[0], checkpoint=f"runs/{names[0]}")
    models = [round_weights(ema.model.cpu()) for ema in (step.ema_xy, step.ema_yx)]
    found = quality(*(translate(net, x) for net, x in zip(models, held_out, strict=True)))
    asked = ", ".join(f"{key}={value}" for key, value in settings.items()) or "cycle=10"
    for name, model in zip(names, models, strict=False):
        card = {
            "what": f"a generator of CycleGAN: ResnetGenerator(3, 3, {filters}, blocks=3)",
            "data": f"{len(set_x):,} pictures of {set_x.name} and {len(set_y):,} others of "
            f"{set_y.name}, no pairs; measured on {len(held_out[0])} hidden pairs",
            "steps": f"{history.steps:,} of 8 and 8, `CycleGANStep` with {asked}, Adam 0.001, "
            "EMA 0.99",
            "seed": seed,
            **_circumstances(names[0], history.seconds),
            **found,
        }
        save_weights(name, model, card)


def _diffusion(
    name: str, net: UNet, images, seed: int, steps: int, held_out, batch: int = 64
) -> None:
    """A diffusion model (or flow, by its name); the average of its weights is what is stored."""
    home = device.choose().device
    torch.manual_seed(seed)
    net = net.to(home)
    options = {"lr": 1e-3, "ema": 0.998, "steps": steps}
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
    kind = "straight paths" if name.startswith("flow") else "velocity, cosine chain, min-SNR 5"
    card = {
        "what": f"a U-Net for diffusion, {kind}; average of its weights",
        "data": f"{images.name}, {len(images):,} training images, measured on "
        f"{len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, Adam 0.001 falling to 0, EMA 0.998",
        "seed": seed,
        **_circumstances(name, history.seconds),
        **_likeness(lambda n, generator: _drawn(name, model, held_out, n, generator), held_out),
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


def _told(images):
    return replace(images, labels=torch.stack([images.attributes[name] for name in TOLD], 1))


def _with_small(images):
    """Each picture, and its 16 × 16 version enlarged again."""
    small = F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8)
    return replace(images, targets=F.interpolate(small, scale_factor=2))


def _rebuilt(model: MapAutoencoder, held_out) -> str:
    with torch.no_grad():
        made = torch.cat([model(part) for part in held_out.floats().split(500)])
    return next(iter(_likeness(lambda n, generator: made[-n:], held_out).values()))


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
        **_circumstances(name, history.seconds),
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
    if held_out.name in TAUGHT:
        found |= _likeness(lambda n, generator: model.sample(n, generator=generator), held_out)
    return found


def _likeness(sample: Callable, held_out) -> dict[str, str]:
    """The Fréchet distance of samples to held-out images, and its floor."""
    x, generator = held_out.floats(), torch.Generator().manual_seed(0)
    net, n = FeatureNet(held_out.name), len(x) // 2
    half, other = (fit_gaussian(net.features(part)) for part in (x[:n], x[n : 2 * n]))
    fake = fit_gaussian(net.features(sample(n, generator)))
    distance, floor = frechet_distance(*fake, *half), frechet_distance(*other, *half)
    label = f"Fréchet distance, {n} samples against as many held-out images"
    return {label: f"{distance:.2f} (floor: {floor:.2f})"}


def _judge(name: str, kind: type, seed: int, epochs: int, batch: int = 250) -> None:
    """A network of `metrics`, taught all its attributes at once by cross-entropy."""
    start, dataset, home = perf_counter(), name.split("_")[1], device.choose().device
    train, test = data.load(dataset, "train"), data.load(dataset, "test")
    torch.manual_seed(seed)
    net = kind(dataset, pretrained=False).to(home, memory_format=torch.channels_last)
    painter = nn.Linear(64, net.channels * 8 * 8).to(home)  # left out of what is shipped
    optimizer = torch.optim.AdamW([*net.parameters(), *painter.parameters()], weight_decay=0.02)
    steps = len(train) // batch * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.2)
    labels, indices = _labels(train), torch.randperm(0)
    for step in range(steps):
        if len(indices) < batch:
            indices = torch.randperm(len(train))
        i, indices = indices[:batch], indices[batch:]
        x = _varied(train[i].floats(), halve=dataset == "peeps" and step % 2 == 0).to(home)
        with device.choose().autocast():
            features = net.describe(x.contiguous(memory_format=torch.channels_last))
            losses = [
                F.cross_entropy(head(features), labels[key][i].to(home), label_smoothing=0.05)
                for key, head in net.heads.items()
            ]
            if kind is FeatureNet:
                small = F.adaptive_avg_pool2d(x, 8).flatten(1)
                losses.append(5 * F.mse_loss(painter(features).float(), small))
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}, loss {sum(losses).item():.3f}", flush=True)
    net.eval()
    if kind is FeatureNet:
        _standardise(net, train.floats())
    seconds = perf_counter() - start
    card = {
        "what": kind.__doc__.splitlines()[0],
        "data": f"{dataset}, {len(train):,} training images; measured on {len(test):,} others",
        "taught": ", ".join(f"{key} ({n})" for key, n in TAUGHT[dataset][2].items()),
        "steps": f"{steps:,} of {batch} images ({epochs} epochs), AdamW, one cycle up to 0.004",
        "seed": seed,
        **_circumstances(name, seconds),
        **_quality(round_weights(net), train, test),
    }
    save_weights(name, net, card)


def _labels(images) -> dict[str, Tensor]:
    if images.attributes:
        return {key: images.attributes[key].long() for key in TAUGHT["peeps"][2]}
    return {"class": images.labels}


def _varied(x: Tensor, halve: bool) -> Tensor:
    """Shifts a batch by up to 2 pixels; mirrors half of the batches of clothes."""
    dy, dx = torch.randint(0, 5, (2,)).tolist()
    h, w = x.shape[2:]
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")[:, :, dy : dy + h, dx : dx + w]
    if x.shape[1] == 1 and torch.rand(()) < 0.5:
        x = x.flip(3)
    return F.avg_pool2d(x, 2) if halve else x


@torch.no_grad()
def _standardise(net: FeatureNet, x: Tensor) -> None:
    """Each feature gets mean 0 and variance 1 over x, by the statistics of the last BatchNorm."""
    last = net.trunk[-1]
    features = net.features(x)
    mean, var = features.mean(0), features.var(0)
    spread = (last.running_var + last.eps).sqrt()
    last.running_mean += mean * spread
    last.running_var.copy_((var * spread.square() - last.eps).clamp(min=1e-6))


def _quality(net, train, test) -> dict[str, str]:
    sizes = {f"{test.images.shape[2]} × {test.images.shape[3]}": test.floats()}
    if net.channels == 3:
        sizes["32 × 32"] = F.avg_pool2d(test.floats(), 2)
    found = {}
    for size, x in sizes.items():
        for key, truth in _labels(test).items():
            share = (net.classify(x, key).cpu() == truth).double().mean().item()
            found[f"accuracy, {key}, {size}"] = f"{share:.1%}"
    if isinstance(net, FeatureNet):
        real, other = net.features(train.floats()), net.features(test.floats())
        half = min(1000, len(other) // 2)
        for label, a, b in (
            (
                f"Fréchet distance, {half} test images against {half} others",
                other[:half],
                other[half : 2 * half],
            ),
            (
                f"Fréchet distance, {len(other):,} training against {len(other):,} test images",
                real[: len(other)],
                other,
            ),
        ):
            distance = frechet_distance(*fit_gaussian(a), *fit_gaussian(b))
            found[label] = f"{distance:.2f}"
    return found


def _circumstances(name: str, seconds: float) -> dict[str, str]:
    return {
        "command": f"`python -m course_lib.pretrained.train {name}`",
        "time": f"{seconds:.0f} s on {device.choose()}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
    }


TRAINERS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        features_fashion,
        features_peeps,
        classifier_fashion,
        classifier_peeps,
        ae_peeps32,
        vae_peeps32,
        cvae_peeps32,
        vae_skyline32,
        vae_report_250,
        vaegan_peeps32,
        mlp_gan_fashion,
        dcgan_fashion32,
        dcgan_peeps64,
        cgan_fashion32,
        lines_to_faces_l1,
        lines_to_faces_both,
        map_to_satellite_l1,
        map_to_satellite_gan,
        map_to_satellite_both,
        glasses_on,
        glasses_on_free,
        glasses_on_strict,
        emoji_3d,
        ddpm_fashion,
        flow_fashion,
        ddpm_peeps32,
        sr_peeps32,
        ae_fashion_maps,
        latent_fashion,
        flow_peeps32,
    )
}
# translations there and back learn together, and are written together
TRAINERS |= {
    f"glasses_off{kind}": TRAINERS[f"glasses_on{kind}"] for kind in ("", "_free", "_strict")
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.pretrained.train", description=__doc__
    )
    parser.add_argument(
        "names", nargs="+", choices=TRAINERS, metavar="NAME", help=", ".join(TRAINERS)
    )
    for name in parser.parse_args().names:
        TRAINERS[name]()


if __name__ == "__main__":
    main()
