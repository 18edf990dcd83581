"""Recipes of the weights of lecture 10: an encoder of faces, a swapping pair, two map painters."""

from time import process_time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, device, metrics
from course_lib.editing import (
    CodeEncoder,
    EncoderStep,
    SwapEncoder,
    SwapGenerator,
    SwapStep,
    taps,
)
from course_lib.label_maps import (
    DoorGenerator,
    LabelStep,
    MultiScaleDiscriminator,
    SpadeGenerator,
    intersection_over_union,
    label_channels,
    land_kinds,
)
from course_lib.pretrained import load_weights, round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances
from course_lib.recipes.styles import WIDE
from course_lib.styles import StyleGenerator
from course_lib.training import train


def encoder_peeps32(steps: int = 1500, batch: int = 16, seed: int = 60) -> None:
    """Train it again whenever `style_peeps32` changes: it speaks that generator's language."""
    name, home = "encoder_peeps32", device.choose().device
    faces, held_out = (data.load("peeps", split, size=32) for split in SPLITS)
    generator = load_weights("style_peeps32", StyleGenerator(channels=WIDE, size=32))
    trunk = metrics.FeatureNet("peeps").trunk.to(home).requires_grad_(False)
    maps = taps(trunk, (7, 14), 64)
    torch.manual_seed(seed)
    encoder = CodeEncoder(generator.layers, generator.w_mean)
    net = generator.to(home).requires_grad_(False)
    step = EncoderStep(encoder.to(home), net, maps, steps=steps)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    encoder, generator = round_weights(encoder.cpu()), generator.cpu()
    card = {
        "what": "CodeEncoder(): pictures to the codes of `style_peeps32`, a w for each layer",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images and as many samples, `EncoderStep`",
        "seed": seed,
        **circumstances(name, history.seconds),
        **_read_and_drawn(encoder, generator, held_out),
    }
    save_weights(name, encoder, card)


@torch.no_grad()
def _read_and_drawn(encoder: nn.Module, generator: StyleGenerator, held_out) -> dict[str, str]:
    x = held_out.floats()
    y = torch.cat([generator.synthesis(encoder(part), "none") for part in x.split(128)])
    ws = generator.ws(torch.randn(512, generator.nz, generator=torch.Generator().manual_seed(1)))
    own = torch.cat([encoder(generator.synthesis(part, "none")) for part in ws.split(128)])
    far = (own - ws).square().sum() / (ws - generator.w_mean).square().sum()
    return {
        "PSNR of held-out images drawn again": f"{metrics.psnr(y.clamp(-1, 1), x):.2f} dB",
        "codes of its own samples, squared error": f"{far:.1%} of their variance",
    }


def swap_peeps32(steps: int = 400, batch: int = 16, seed: int = 61) -> None:
    name, home = "swap_peeps32", device.choose().device
    faces, held_out = (data.load("peeps", split, size=32) for split in SPLITS)
    torch.manual_seed(seed)
    step = SwapStep(SwapEncoder().to(home), SwapGenerator().to(home), steps=steps)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    pair = round_weights(nn.ModuleList([step.encoder, step.generator]).cpu())
    x = held_out.floats()
    with torch.no_grad():
        structure, texture = pair[0](x)
        y, swapped = pair[1](structure, texture), pair[1](structure, texture.roll(1, 0))
    card = {
        "what": "nn.ModuleList([SwapEncoder(), SwapGenerator()])",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, `SwapStep`",
        "seed": seed,
        **circumstances(name, history.seconds),
        "PSNR of held-out images": f"{metrics.psnr(y.clamp(-1, 1), x):.2f} dB",
        "moved by another's texture": f"{(swapped - y).abs().mean():.3f} of 2 a pixel",
    }
    save_weights(name, pair, card)


def land_spade(steps: int = 220) -> None:
    _painter("land_spade", SpadeGenerator(), steps)


def land_door(steps: int = 350) -> None:
    _painter("land_door", DoorGenerator(), steps)


def _painter(name: str, generator: nn.Module, steps: int, batch: int = 8, seed: int = 62) -> None:
    """The steps were chosen so that both take about as long; the card has the CPU seconds."""
    home = device.choose().device
    torch.manual_seed(seed)
    generator.apply(_fresh)
    step = LabelStep(generator.to(home), MultiScaleDiscriminator().to(home), steps=steps)
    batches = data.load("earth").batches(batch, home, torch.Generator().manual_seed(seed))
    begin = process_time()
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    spent = process_time() - begin
    model = round_weights(step.ema.model.cpu())
    card = {
        "what": f"{type(generator).__name__}(): maps of six kinds of land to pictures, 64 × 64",
        "data": "earth, training split; measured on 312 crops of other regions",
        "steps": f"{history.steps:,} of {batch} pictures, `LabelStep`, EMA 0.99",
        "CPU seconds": f"{spent:.0f}",
        "seed": seed,
        **circumstances(name, history.seconds),
        **_painted(model),
    }
    save_weights(name, model, card)


def _fresh(layer: nn.Module) -> None:
    """Weights drawn after the seed was set."""
    if isinstance(layer, nn.Conv2d):
        layer.reset_parameters()


@torch.no_grad()
def _painted(model: nn.Module, n: int = 312) -> dict[str, str]:
    crops = data.load("earth", "test").batches(n, generator=torch.Generator().manual_seed(9))
    x = next(iter(crops))[1]
    wanted = land_kinds(x)
    y: Tensor = torch.cat([model(label_channels(part)) for part in wanted.split(64)])
    found, apart = land_kinds(y), F.l1_loss(y, x)
    right, overlap = (found == wanted).double().mean(), intersection_over_union(found, wanted)
    return {
        "labels read again, right": f"{right:.1%}; intersection over union {overlap:.3f}",
        "mean absolute error": f"{apart:.3f} of 2",
    }


RECIPES = (encoder_peeps32, swap_peeps32, land_spade, land_door)
