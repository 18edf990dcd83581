"""Recipes of the weights of lecture 11: faces enlarged, damaged faces, faces with a hole."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib import data, device
from course_lib.degradation import chain, resized
from course_lib.metrics import Classifier, FeatureNet, psnr
from course_lib.pretrained import load_weights, round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances
from course_lib.restoration import missed, patch_distance, shrink
from course_lib.restorers import (
    Filler,
    PictureDiscriminator,
    RestorationStep,
    RRDBNet,
    UNetDiscriminator,
    restore,
)
from course_lib.training import train


def enlarger() -> RRDBNet:
    """8 × 8 → 32 × 32."""
    return RRDBNet(48, 24, 1, light=True)


def repairer() -> RRDBNet:
    """16 × 16 → 64 × 64."""
    return RRDBNet(32, 16, 1, light=True)


def _trained(
    name: str, net: nn.Module, damage: Callable, steps: int, batch: int, judged: Callable,
    told: str, *, side: int = 32, start: str | None = None, seed: int = 60, **options,
) -> None:  # fmt: skip
    """Without a discriminator the learning rate ends at 0."""
    home = device.choose().device
    faces, held_out = (data.load("peeps", split, size=side) for split in SPLITS)
    torch.manual_seed(seed)
    net = (net if start is None else load_weights(start, net)).train().to(home)
    options["steps"] = None if options.get("discriminator") else steps
    for fixed in ("trunk", "discriminator"):
        options[fixed] = options[fixed].to(home) if options.get(fixed) else None
    step = RestorationStep(net, damage, **options)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = round_weights(step.ema.model.cpu())
    after = "" if start is None else f" after `{start}`"
    card = {
        "what": told,
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images{after}, Adam {options['lr']:g}, EMA 0.99",
        "seed": seed,
        **circumstances(name, history.seconds),
        **judged(model, held_out),
    }
    save_weights(name, model, card)
    if isinstance(step.discriminator, UNetDiscriminator):  # lecture 11 asks what it knows
        told = {"what": f"the U-Net discriminator that taught `{name}`"}
        save_weights("repair_judge", round_weights(step.discriminator.cpu()), card | told)


def _judged(made: Tensor, held_out) -> dict[str, str]:
    """By pixels, patches and `features_peeps`, which no loss has seen."""
    truth, reader = held_out.floats(), FeatureNet("peeps")
    with torch.no_grad():
        read = [reader(part) for part in made.split(250)]
    found = {key: torch.cat([part[key] for part in read]).argmax(1) for key in read[0]}
    right = (found["face"] == held_out.attributes["face"]).double().mean()
    invented, lost = missed(found, held_out.attributes)
    return {
        "PSNR": f"{psnr(made, truth):.2f} dB",
        "patch distance": f"{patch_distance(made, truth):.2f}",
        "expression right": f"{right:.1%}",
        "glasses invented, lost": f"{invented:.1%}, {lost:.1%}",
    }


# 8 × 8 → 32 × 32


def _enlarged(model: nn.Module, held_out) -> dict[str, str]:
    return _judged(restore(model, shrink(held_out.floats())), held_out)


def enlarge_l1(steps: int = 350) -> None:
    told = "RRDB, 8 × 8 → 32 × 32, by the absolute error"
    _trained("enlarge_l1", enlarger(), shrink, steps, 32, _enlarged, told, lr=2e-3)


def _after_l1(name: str, told: str, steps: int, **options) -> None:
    told = f"RRDB, 8 × 8 → 32 × 32, by {told}"
    more = {"start": "enlarge_l1", "lr": 5e-4, **options}
    _trained(name, enlarger(), shrink, steps, 16, _enlarged, told, **more)


def enlarge_mse(steps: int = 350) -> None:
    _after_l1("enlarge_mse", "the squared error", steps, loss="mse")


def enlarge_perceptual(steps: int = 350) -> None:
    told = "2 · the absolute error and maps of `classifier_peeps`"
    _after_l1("enlarge_perceptual", told, steps, pixels=2.0, trunk=Classifier("peeps").trunk)


def enlarge_gan(steps: int = 350) -> None:
    """ESRGAN in small."""
    told = "2 · the absolute error, maps of `classifier_peeps` and 0.003 · a relativistic D"
    torch.manual_seed(61)
    judge, trunk = PictureDiscriminator(), Classifier("peeps").trunk
    more = {"trunk": trunk, "discriminator": judge, "adversary": 0.003}
    _after_l1("enlarge_gan", told, steps, pixels=2.0, **more)


# 16 × 16 → 64 × 64, trained on crops, for one damage or for many


def bicubic(x: Tensor) -> Tensor:
    return resized(x, x.shape[-1] // 4)


def damaged(x: Tensor, seed: int = 77) -> Tensor:
    """Real-ESRGAN's chain, always the same for the same pictures: a draw for each dozen."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([chain(part, x.shape[-1] // 4, generator) for part in x.split(12)])


def crops(damage: Callable, generator: torch.Generator) -> Callable:
    """x → (y, x'): the whole picture is damaged, and a crop of 8 × 8 of it is to be restored."""

    def cropped(x: Tensor) -> tuple[Tensor, Tensor]:
        y, pairs = damage(x), []
        at = torch.randint(y.shape[-1] - 7, (len(x), 2), generator=generator).tolist()
        for small, large, (i, j) in zip(y, x, at, strict=True):
            large = large[:, 4 * i : 4 * i + 32, 4 * j : 4 * j + 32]
            pairs.append((small[:, i : i + 8, j : j + 8], large))
        small, large = zip(*pairs, strict=True)
        return torch.stack(small), torch.stack(large)

    return cropped


def _on_clean(model: nn.Module, held_out) -> dict[str, str]:
    return _judged(restore(model, bicubic(held_out.floats())), held_out)


def _on_damaged(model: nn.Module, held_out) -> dict[str, str]:
    return _judged(restore(model, damaged(held_out.floats())), held_out)


def repair_clean(steps: int = 300) -> None:
    generator = torch.Generator().manual_seed(62)
    told = "RRDB, 16 × 16 → 64 × 64, by the absolute error, for bicubic pictures"
    damage = crops(bicubic, generator)
    _trained("repair_clean", repairer(), damage, steps, 16, _on_clean, told, side=64, lr=2e-3)


def repair_blind(steps: int = 300) -> None:
    generator = torch.Generator().manual_seed(63)
    told = "RRDB, 16 × 16 → 64 × 64, by the absolute error, for pictures damaged by a chain"
    damage = crops(lambda x: chain(x, 16, generator), generator)
    _trained("repair_blind", repairer(), damage, steps, 16, _on_damaged, told, side=64, lr=2e-3)


def repair_gan(steps: int = 250) -> None:
    """Real-ESRGAN in small; its discriminator is kept as `repair_judge`."""
    generator = torch.Generator().manual_seed(64)
    told = "RRDB, 16 × 16 → 64 × 64, by the absolute error, maps of `classifier_peeps` and a U-Net "
    told += "discriminator, for pictures damaged by a chain"
    damage = crops(lambda x: chain(x, 16, generator), generator)
    torch.manual_seed(65)
    more = {"trunk": Classifier("peeps").trunk, "discriminator": UNetDiscriminator(16, 2)}
    more |= {"adversary": 0.05, "start": "repair_blind", "lr": 5e-4}
    _trained("repair_gan", repairer(), damage, steps, 16, _on_damaged, told, side=64, **more)


# Holes


def covered(x: Tensor) -> Tensor:
    """The picture and its hole, most of the face: (B, 4, 32, 32)."""
    return torch.cat([x, hole().to(x).expand(len(x), -1, -1, -1)], 1)


def hole(top: int = 13, left: int = 9, height: int = 15, width: int = 19) -> Tensor:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., top : top + height, left : left + width] = 1
    return mask


def _filled(model: nn.Module, held_out) -> dict[str, str]:
    return _judged(restore(model, covered(held_out.floats())), held_out)


def fill_mse(steps: int = 400) -> None:
    told = "a context encoder for a hole of 15 × 19 in 32 × 32, by the squared error"
    more = {"loss": "mse", "pixels": 3.6, "lr": 1e-3}
    _trained("fill_mse", Filler(24), covered, steps, 32, _filled, told, **more)


def fill_gan(steps: int = 250) -> None:
    told = "a context encoder for a hole of 15 × 19 in 32 × 32, by the squared error and 0.01 · a "
    told += "relativistic D"
    torch.manual_seed(66)
    more = {"loss": "mse", "pixels": 3.6, "lr": 5e-4, "start": "fill_mse"}
    more |= {"discriminator": PictureDiscriminator(), "adversary": 0.01}
    _trained("fill_gan", Filler(24), covered, steps, 16, _filled, told, **more)


RECIPES = (
    enlarge_l1,
    enlarge_mse,
    enlarge_perceptual,
    enlarge_gan,
    repair_clean,
    repair_blind,
    repair_gan,
    fill_mse,
    fill_gan,
)
