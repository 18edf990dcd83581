"""How the shipped weights were made. `python -m course_lib.pretrained.train NAME …` does it again.

One function per name. It trains, measures on images that were not trained on, and writes the
weights with a card. On two CPU cores each takes a few minutes. Another machine gives other last
digits.
"""

import argparse
import platform
from collections.abc import Callable
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, dcgan, device, gan
from course_lib.autoencoders import (
    VAE,
    Autoencoder,
    AutoencoderStep,
    ConditionalVAE,
    Discriminator,
    VAEGANStep,
    VAEStep,
    kl_to_standard_normal,
)
from course_lib.metrics import TAUGHT, Classifier, FeatureNet, fit_gaussian, frechet_distance
from course_lib.pca import PCA
from course_lib.pretrained import RANK, round_weights, save_weights
from course_lib.training import train

SPLITS = ("train", "test")


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
    _gan("dcgan_peeps64", *players, "peeps", 64, seed=13, steps=3000, batch=32)


def _gan(name, generator, discriminator, dataset, size, seed, steps, batch) -> None:
    """A GAN with the non-saturating loss; the average of G's weights is what is stored."""
    home, noise = device.choose().device, getattr(discriminator, "noise", 0)
    images, held_out = (data.load(dataset, split, size=size) for split in SPLITS)
    torch.manual_seed(seed)
    step = gan.AdversarialStep(generator.to(home), discriminator.to(home), ema=0.999)
    batches = images.batches(batch, home, torch.Generator().manual_seed(seed))
    # Ctrl-C stops it and keeps what is there; the same command then goes on
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())
    card = {
        "what": f"the generator of a GAN: {type(model).__name__}, average of its weights",
        "data": f"{dataset}, {len(images):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, non-saturating, Adam 0.0002, EMA 0.999"
        + (f", noise {noise} before D" if noise else ""),
        "seed": seed,
        **_circumstances(name, history.seconds),
        **_likeness(lambda n, generator: gan.sample(model, n, generator=generator), held_out),
    }
    save_weights(name, model, card)


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
    )
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
