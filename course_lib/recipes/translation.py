"""Recipes of the weights of lecture 06's translators."""

import torch

from course_lib import data, device, gan, metrics, translation
from course_lib.pretrained import round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.training import train
from course_lib.translation import PatchDiscriminator, ResnetGenerator, UNetGenerator, translate


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
        **circumstances(name, history.seconds),
        "asked class delivered, by `classifier_fashion`": f"{right:.1%} of 5,000",
        **likeness(sample, held_out),
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


def glasses_on_change() -> None:
    _glasses("_change", filters=12, steps=1500, residual=True)


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

    _cyclegan(("emoji_3d",), flat[::2], solid[1::2], (a, b), quality, 18, filters=24)


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
        **circumstances(name, history.seconds),
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
    judge, everything = metrics.Classifier("peeps_glasses"), metrics.Classifier("peeps")

    def quality(there, back):
        found = {}
        for way, made, truth in (("on", there, y), ("off", back, x)):
            off = (made - truth)[..., ~region].abs().mean() / 2
            found[f"glasses {way}: with glasses, by `classifier_peeps`"] = (
                f"{judge.classify(made).double().mean():.1%}"
            )
            found[f"glasses {way}: error outside the glasses region, in [0, 1]"] = f"{off:.4f}"
            for key in ("face", "facial_hair", "skin"):
                same = everything.classify(made, key) == test[0].attributes[key]
                told = f"glasses {way}: same {key}, by `classifier_peeps`"
                found[told] = f"{same.double().mean():.1%}"
        return found

    names = f"glasses_on{kind}", f"glasses_off{kind}"
    _cyclegan(names, train_x[::2], train_y[1::2], (x, y), quality, 17, **settings)


def _cyclegan(
    names, set_x, set_y, held_out, quality, seed, filters=16, steps=3000, residual=False, **settings
) -> None:
    """A CycleGAN; stored are the averages of the weights of G and, if it has a name, of F."""
    home = device.choose().device
    torch.manual_seed(seed)
    nets = [ResnetGenerator(3, 3, filters, 3, residual) for _ in range(2)]
    nets += [PatchDiscriminator(3, filters, layers=2) for _ in range(2)]
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
            "what": f"a generator of CycleGAN: ResnetGenerator(3, 3, {filters}, blocks=3"
            + (", residual=True)" if residual else ")"),
            "data": f"{len(set_x):,} pictures of {set_x.name} and {len(set_y):,} others of "
            f"{set_y.name}, no pairs; measured on {len(held_out[0])} hidden pairs",
            "steps": f"{history.steps:,} of 8 and 8, `CycleGANStep` with {asked}, Adam 0.001, "
            "EMA 0.99",
            "seed": seed,
            **circumstances(names[0], history.seconds),
            **found,
        }
        save_weights(name, model, card)


RECIPES = (
    cgan_fashion32,
    lines_to_faces_l1,
    lines_to_faces_both,
    map_to_satellite_l1,
    map_to_satellite_gan,
    map_to_satellite_both,
    glasses_on,
    glasses_on_free,
    glasses_on_change,
    emoji_3d,
)
