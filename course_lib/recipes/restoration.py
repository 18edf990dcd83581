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
    torch.manual_seed(60)
    return RRDBNet(48, 24, 1, light=True)


def repairer() -> RRDBNet:
    """16 × 16 → 64 × 64."""
    torch.manual_seed(60)
    return RRDBNet(32, 16, 1, light=True)


def _ran(
    name: str, net: nn.Module, damage: Callable, steps: int, batch: int, side: int = 32,
    seed: int = 60, **options,
) -> tuple[RestorationStep, float]:  # fmt: skip
    """(what was trained, its seconds). The learning rate ends at 0, with a discriminator too: else
    two trainings with and without it would differ in more than the discriminator."""
    home = device.choose().device
    faces = data.load("peeps", "train", size=side)
    for fixed in ("trunk", "discriminator"):
        options[fixed] = options[fixed].to(home) if options.get(fixed) else None
    step = RestorationStep(net.train().to(home), damage, steps=steps, **options)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    return step, history.seconds


def _trained(
    name: str, net: nn.Module, damage: Callable, steps: int, batch: int, judged: Callable,
    told: str, *, after: str = "", side: int = 32, **options,
) -> None:  # fmt: skip
    step, seconds = _ran(name, net, damage, steps, batch, side, **options)
    model = round_weights(step.ema.model.cpu())
    faces, held_out = (data.load("peeps", split, size=side) for split in SPLITS)
    card = {
        "what": told,
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{steps:,} of {batch} images{after}, Adam {options['lr']:g}, EMA 0.99",
        "seed": 60,
        **circumstances(name, seconds),
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


def _after_start(name: str, told: str, steps: int, **options) -> None:
    """From one start, so many steps by the absolute error, each goes on as long by its own loss."""
    start, _ = _ran("enlarge_start", enlarger(), shrink, steps, 32, lr=2e-3)
    options |= {"lr": 5e-4, "after": f" after {steps:,} of 32 by the absolute error"}
    told = f"RRDB, 8 × 8 → 32 × 32, by {told}"
    net = round_weights(start.ema.model.cpu()).requires_grad_()
    torch.manual_seed(60)
    _trained(name, net, shrink, steps, 16, _enlarged, told, **options)


def enlarge_l1(steps: int = 350) -> None:
    """The control of all others: as long, without anything new."""
    _after_start("enlarge_l1", "2 · the absolute error", steps, pixels=2.0)


def enlarge_mse(steps: int = 350) -> None:
    _after_start("enlarge_mse", "the squared error", steps, loss="mse")


def enlarge_perceptual(steps: int = 350) -> None:
    told = "2 · the absolute error and maps of `classifier_peeps`"
    _after_start("enlarge_perceptual", told, steps, pixels=2.0, trunk=Classifier("peeps").trunk)


def enlarge_gan(steps: int = 350) -> None:
    """ESRGAN on a small scale."""
    told = "2 · the absolute error, maps of `classifier_peeps` and 0.003 · a relativistic D"
    torch.manual_seed(61)
    judge, trunk = PictureDiscriminator(), Classifier("peeps").trunk
    more = {"trunk": trunk, "discriminator": judge, "adversary": 0.003}
    _after_start("enlarge_gan", told, steps, pixels=2.0, **more)


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


def _repaired(name: str, told: str, damage: Callable, judged: Callable, steps: int, **options):
    """Three trainings with one difference from one to the next: the damage, then D."""
    told = f"RRDB, 16 × 16 → 64 × 64, by the absolute error and maps of `classifier_peeps`{told}"
    more = {"trunk": Classifier("peeps").trunk, "side": 64, "lr": 2e-3, **options}
    _trained(name, repairer(), damage, steps, 16, judged, told, **more)


def _chained() -> Callable:
    generator = torch.Generator().manual_seed(63)
    return crops(lambda x: chain(x, 16, generator), generator)


def repair_clean(steps: int = 400) -> None:
    damage = crops(bicubic, torch.Generator().manual_seed(63))
    _repaired("repair_clean", ", for bicubic pictures", damage, _on_clean, steps)


def repair_blind(steps: int = 400) -> None:
    told = ", for pictures damaged by a chain"
    _repaired("repair_blind", told, _chained(), _on_damaged, steps)


def repair_gan(steps: int = 400) -> None:
    """Real-ESRGAN on a small scale; its discriminator is kept as `repair_judge`."""
    told = " and 0.003 · a U-Net discriminator, for pictures damaged by a chain"
    torch.manual_seed(65)
    more = {"discriminator": UNetDiscriminator(16, 2), "adversary": 0.003}
    _repaired("repair_gan", told, _chained(), _on_damaged, steps, **more)


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
    torch.manual_seed(60)
    _trained("fill_mse", Filler(24), covered, steps, 32, _filled, told, **more)


def fill_gan(steps: int = 250) -> None:
    told = "a context encoder for a hole of 15 × 19 in 32 × 32, by the squared error and 0.01 · a "
    told += "relativistic D"
    torch.manual_seed(66)
    more = {"loss": "mse", "pixels": 3.6, "lr": 5e-4, "after": " after `fill_mse`"}
    more |= {"discriminator": PictureDiscriminator(), "adversary": 0.01}
    net = load_weights("fill_mse", Filler(24))
    _trained("fill_gan", net, covered, steps, 16, _filled, told, **more)


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
