"""Calls every public function with valid arguments, and then with one of them spoilt.

`python -m tests.fuzzer [MODULE …]` prints a table and what is not as it should be. A valid call is
made of the signature: the shapes of jaxtyping, the defaults, the usual numbers of a name; where
that does not do, of EXAMPLES. What comes of a spoilt call is one of

- right: a result that is finite, and where the value means the same the same one;
- clear: a ValueError or TypeError raised in course_lib itself whose text names an argument;
- unclear: any other error;
- nonsense: what is no value for this argument was taken, or finite numbers gave others;
- hang: more than LIMIT seconds of work.
"""

import collections.abc
import contextlib
import copy
import dataclasses
import importlib
import inspect
import io
import math
import pkgutil
import re
import signal
import sys
import time
import traceback
import types
import typing
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import course_lib
from course_lib import (
    auditing,
    autoencoders,
    contrastive,
    data,
    density,
    diffusion,
    editing,
    gan,
    gan_losses,
    label_maps,
    pca,
    plots,
    restorers,
    scaling,
    styles,
    tokens,
    translation,
    unet,
    words,
)

FOLDER = str(Path(course_lib.__file__).parent)
LIMIT, SLOW = 5.0, 0.5  # seconds of work: of a spoilt call, of a valid one
# No public doors: they are tools of the house, work for minutes, write files or ask the network.
LEFT_OUT = re.compile(
    r"build|exercises|recipes|studies|checks|checkpoints|device|progress|settings|scale"
    r"|pretrained|data(?!\.points)|training"
)
SIZES = {"B": 2, "N": 2, "n": 6, "m": 7, "k": 5, "C": 3, "c": 3, "D": 3, "H": 8, "W": 8, "h": 8}
SIZES |= {"w": 8, "d": 4, "nz": 8, "size": 32, "length": 24, "T": 10, "classes": 10}
NUMBERS = {
    "size": 32, "steps": 4, "n": 6, "nc": 1, "width": 16, "seed": 0, "nz": 8, "hidden": 16, "k": 3,
    "classes": 3, "dim": 8, "channels": 2, "layers": 2, "kernel": 3, "stride": 2, "padding": 1,
    "heads": 2, "codes": 8, "words": 12, "text": 8, "outputs": 4, "inputs": 4, "ngf": 8, "ndf": 8,
    "in_channels": 3, "out_channels": 3, "filters": 8, "latent": 4, "key": 7, "batch_size": 2,
    "images": 16, "depth": 1, "d": 4, "blocks": 1, "block": 4, "T": 10, "visible": 6, "lr": 1e-3,
    "sigma": 0.5, "reach": 2.0, "guidance": 2.0, "share": 0.5, "p": 0.5, "noise": 0.1, "decay": 0.5,
    "level": 0.95, "alpha": 0.5, "beta": 0.5, "threshold": 0.5, "temperature": 1.0, "w": 2.0,
    "successes": 3, "auc": 0.7, "positives": 5, "negatives": 5, "told": 8, "words_width": 8,
    "training_share": 0.2, "generated_share": 0.3, "false_positive_rate": 0.2, "start": 1, "t": 3,
    "s": 1, "mapping": 1, "ch": 8, "attention": 0, "eta": 0.5, "psi": 0.7, "fraction": 0.3,
    "every": 4, "rate": 0.1, "floor": 0.1, "epoch": 3, "constant": 2, "left": 2, "mask": 7,
}  # fmt: skip


# ---- valid calls ---------------------------------------------------------------------------------


@dataclass
class Call:
    name: str  # "gan.latents"
    function: Callable
    arguments: dict[str, Any]  # name -> (annotation, value)


class NoExample(Exception):
    """A signature does not tell how it is called."""


def functions(only: list[str] = ()) -> Iterator[tuple[str, Callable, type | None]]:
    """(name, function, the class that it is a method of), of all that is public."""
    for info in pkgutil.walk_packages(course_lib.__path__, "course_lib."):
        short = info.name.partition(".")[2]
        if LEFT_OUT.match(short) or (only and short not in only):
            continue
        module = importlib.import_module(info.name)
        for name, value in [*vars(module).items()]:
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(value):
                yield f"{short}.{name}", value, None
            elif isinstance(value, type) and not is_record(value):
                if not value.__init__.__module__.startswith("torch"):  # else it is torch's door
                    yield f"{short}.{name}", value, None
                for key, method in [*vars(value).items()]:  # copies note their slots there
                    named = not key.startswith("_") or key == "__call__"
                    if inspect.isfunction(method) and named and "state_dict" not in key:
                        yield f"{short}.{name}.{key}", method, value


def is_record(kind: type) -> bool:
    """What only holds results is no door."""
    return issubclass(kind, tuple) or dataclasses.is_dataclass(kind)


def valid(name: str, function: Callable, owner: type | None) -> Call:
    """Arguments with which the function works. Raises NoExample."""
    torch.manual_seed(0)
    sizes, given = dict(SIZES), EXAMPLES.get(name, dict)()
    if owner is not None:
        given = {"self": given.get("self") or instance(owner)} | given
        sizes |= seen_in(given["self"])
    small = isinstance(function, type) and issubclass(function, nn.Module)
    arguments = {}
    for p in inspect.signature(function).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in given:
            continue
        if p.name in given:
            value = given[p.name]
        elif p.default is not p.empty and not (small and p.name in SMALL and p.default):
            value = p.default
        else:
            value = made(p.name, p.annotation, sizes)
        if isinstance(value, int) and not isinstance(value, bool):
            sizes[p.name] = value
        arguments[p.name] = (p.annotation, value)
    return Call(name, function, arguments)


SMALL = {"size", "width", "hidden", "ngf", "ndf", "filters", "nz", "nc", "classes", "ch", "depth"}


def seen_in(owner: Any) -> dict[str, int]:
    """What an object tells of the sizes that its methods take."""
    sizes = {k: v for k, v in vars(owner).items() if type(v) is int}
    sizes |= getattr(owner, "_made_with", {})
    if "size" in sizes:
        sizes |= dict.fromkeys("HWhw", sizes["size"])
    for name in ("nc", "in_channels", "channels"):
        if name in sizes:
            sizes |= {"C": sizes[name]}
    return sizes


def instance(owner: type) -> Any:
    """An object of a class, made with the example of its constructor."""
    name = f"{owner.__module__.partition('.')[2]}.{owner.__name__}"
    call = valid(name, owner, None)
    found = owner(**plain(call))
    with contextlib.suppress(Exception):
        found._made_with = {k: v for k, (_, v) in call.arguments.items() if type(v) is int}
    return found


def plain(call: Call) -> dict[str, Any]:
    return {k: own(v) if k == "self" else copied(v) for k, (_, v) in call.arguments.items()}


def own(owner: Any) -> Any:
    """A copy, for a step that was given NaN has nothing but NaN in its weights from then on."""
    try:
        return copy.deepcopy(owner)
    except (RuntimeError, TypeError):  # a tensor of a graph, a file
        return owner


def copied(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_leaf and not value.requires_grad:
        return value.clone()
    if isinstance(value, torch.Generator):
        return torch.Generator().manual_seed(0)
    return value


def made(name: str, annotation: Any, sizes: dict) -> Any:
    """A value for a parameter, by its annotation and its name."""
    kinds = [a for a in typing.get_args(annotation) if a is not type(None)]
    origin = typing.get_origin(annotation)
    if name in NAMED and (
        annotation in (Any, nn.Module, Axes, inspect.Parameter.empty)
        or origin is collections.abc.Callable
        or annotation is collections.abc.Callable
    ):
        return NAMED[name](sizes)
    if origin in (types.UnionType, typing.Union):
        return made(name, kinds[0], sizes)
    if hasattr(annotation, "dim_str"):
        return tensor(annotation, name, sizes)
    if origin in (collections.abc.Mapping, dict):
        keys = ("a", "b") if kinds[0] is str else (1, 2) if kinds[0] is int else (0.5, 1.0)
        return {key: made(name, kinds[1], sizes) for key in keys}
    if origin in (collections.abc.Sequence, list):
        values = [made(name, kinds[0], sizes) for _ in range(2)]
        return [v * (i + 1) for i, v in enumerate(values)] if kinds[0] in (int, float) else values
    if origin is tuple and ... not in kinds:
        values = [made(name, kind, sizes) for kind in kinds]
        return tuple(v * (i + 1) if type(v) is float else v for i, v in enumerate(values))
    if annotation is int:
        own = name in ("nc", "nz", "classes", "size") and sizes.get(name)
        return own or NUMBERS.get(name, 2)
    if annotation is float:
        return float(NUMBERS.get(name, 0.5))
    if annotation is torch.Generator:
        return torch.Generator().manual_seed(0)
    if annotation is Tensor:
        return torch.rand(2, *(sizes[k] for k in "CHW")) * 1.8 - 0.9
    if annotation is Axes:
        return plt.subplots()[1]
    if inspect.isclass(annotation) and annotation.__module__.startswith("course_lib"):
        return instance(annotation)
    if annotation is str:
        return "a"
    raise NoExample(f"{name}: {annotation}")


NAMED: dict[str, Callable[[dict], Any]] = {
    "axes": lambda sizes: plt.subplots()[1],
    "axis": lambda sizes: plt.subplots()[1].xaxis,
    "model": lambda sizes: told,
    "net": lambda sizes: nn.Conv2d(3, 3, 1),
    "generator": lambda sizes: gan.MLPGenerator(nz=8, nc=3, size=8),
    "discriminator": lambda sizes: gan.MLPDiscriminator(nc=3, size=8),
    "module": lambda sizes: nn.Linear(3, 2),
    "critic": lambda sizes: lambda x: x.flatten(1).square().sum(1),
    "classifier": lambda sizes: lambda x: x.flatten(1).mean(1) > 0,
    "detector": lambda sizes: nn.Sequential(nn.Flatten(), nn.Linear(192, 1), nn.Flatten(0)),
    "chain": lambda sizes: diffusion.Diffusion(10),
    "features": lambda sizes: lambda x: x.flatten(1)[:, :6],
    "d_loss": lambda sizes: gan_losses.LOSSES["minimax"].d_loss,
    "g_loss": lambda sizes: gan_losses.LOSSES["minimax"].g_loss,
}


def told(x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
    """A diffusion model."""
    return 0.1 * x


def tensor(annotation: Any, name: str, sizes: dict) -> Tensor:
    words, kinds = annotation.dim_str.split(), str(annotation.dtypes)
    kind = "float" if "float32" in kinds or "any" in kinds else kinds
    shape = []
    for word in words:
        if word == "...":
            shape += [2] if words == ["..."] else [3, 8, 8]
        elif word.startswith("*"):
            shape += {"*d": [4], "*B": [2], "*M": [1], "*shape": [2, 3, 8, 8]}.get(word, [2])
        else:
            shape.append(side(word, sizes))
    if "float" not in kind and "bool" in kind:
        return torch.ones(shape).bool()
    if "float" not in kind and ("int64" in kind or name in ("labels", "tokens")):
        return torch.arange(math.prod(shape)).reshape(shape) % 2
    if "float" not in kind:
        return (torch.rand(shape) * 255).byte()
    if name in ("betas", "beta"):
        return torch.linspace(0.01, 0.2, *shape)
    if name == "labels":
        return torch.arange(math.prod(shape)).reshape(shape) % 2
    if name == "t":
        return torch.arange(math.prod(shape)).reshape(shape) % 2 + 1
    if name.startswith("cov"):
        return torch.eye(shape[0])
    return torch.rand(shape) * 1.8 - 0.9


def side(word: str, sizes: dict) -> int:
    word = word.lstrip("#").partition("=")[2] or word
    if word.isdigit():
        return int(word)
    if word in sizes or word in NUMBERS:
        return sizes.get(word) or NUMBERS[word]
    with contextlib.suppress(Exception):
        return int(eval(re.sub(r"(\d)([a-zA-Z])", r"\1*\2", word), {}, sizes))
    return sizes.setdefault(word, 3 + len(sizes) % 3)


EXAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "align_draw.AlignDraw": lambda: {"words": 12, "size": 5, "steps": 2, "nz": 3, "patch": 2},
    "align_draw.AlignDraw.read": lambda: {"text": sentences()},
    "align_draw.AlignDraw.align": lambda: (
        {"said": torch.rand(2, 6, 64), "h": torch.rand(2, 16), "real": torch.ones(2, 6).bool()}
    ),
    "align_draw.AlignDraw.write": lambda: {"h": torch.rand(2, 16)},
    "align_draw.AlignDraw.forward": lambda: {"text": sentences(), "noise": torch.rand(2, 2, 3)},
    "align_draw.AlignDraw.loss": lambda: {"text": sentences(), "x": torch.ones(2, 1, 5, 5)},
    "align_draw.AlignDraw.sample": lambda: {"text": sentences(), "hidden": sentences() == 2},
    "align_draw.AlignDrawStep.__call__": lambda: {"batch": (torch.ones(2, 1, 5, 5), sentences())},
    "align_draw.caption": lambda: {"digit": 3, "place": 1},
    "align_draw.found_places": lambda: {"x": torch.rand(2, 1, 18, 18)},
    "align_draw.placed_digits": lambda: {"split": "test", "combinations": "seen"},
    "align_draw.windows": lambda: {"size": 5, "patch": 2},
    "attention.attention_weights": lambda: {"mask": None},
    "auditing.copy_threshold": lambda: {"level": 0.2},
    "auditing.roc_auc": lambda: two_kinds(),
    "auditing.roc_curve": lambda: two_kinds(),
    "auditing.model_card": lambda: {
        "sections": dict.fromkeys(auditing.CARD, "Five words and the number 7.")
    },
    "auditing.embed_watermark": lambda: {"images": torch.rand(2, 3, 16, 16)},
    "auditing.detect_watermark": lambda: {"images": torch.rand(2, 3, 16, 16)},
    "auditing.Amplification": lambda: {"interval": (0.1, 0.5), "verdict": "none"},
    "augmentation.Augmentation.update": lambda: {"real_scores": torch.rand(4)},
    "boltzmann.BeliefNetwork": lambda: {"widths": [6, 5, 4], "classes": 3},
    "boltzmann.BeliefNetwork.classify": lambda: {"v": torch.rand(2, 6)},
    "autoencoders.MapAutoencoder": lambda: {"nc": 3, "size": 8, "channels": 2},
    "autoencoders.MapAutoencoder.encode": lambda: {"x": pictures()},
    "autoencoders.MapAutoencoder.decode": lambda: {"z": torch.rand(2, 2, 2, 2)},
    "autoencoders.MapAutoencoder.forward": lambda: {"x": pictures()},
    "autoencoders.AutoencoderStep": lambda: {
        "model": autoencoders.Autoencoder(nc=3, size=8, latent=2, kind="linear")
    },
    "autoencoders.VAEStep": lambda: {"model": plane_of_codes()},
    "autoencoders.VAEGANStep": lambda: {
        "model": plane_of_codes(),
        "discriminator": autoencoders.Discriminator(3, 8),
    },
    "autoencoders.IntroVAEStep": lambda: {"model": plane_of_codes()},
    "autoencoders.AutoencoderStep.__call__": lambda: {"batch": pictures()},
    "autoencoders.VAEStep.__call__": lambda: {"batch": pictures()},
    "autoencoders.VAEGANStep.__call__": lambda: {"batch": pictures()},
    "autoencoders.IntroVAEStep.__call__": lambda: {"batch": pictures()},
    "boltzmann.BeliefNetwork.lift": lambda: {"v": torch.rand(2, 6), "level": 1},
    "boltzmann.BeliefNetwork.sample": lambda: (
        {"labels": torch.tensor([0, 2]), "steps": 2} | {"start": torch.ones(2, 5)}
    ),
    "boltzmann.BeliefNetwork.with_labels": lambda: {"v": torch.rand(2, 5)},
    "boltzmann.CDStep.__call__": lambda: {"v": torch.ones(2, 6)},
    "boltzmann.RBM.down": lambda: {"h": torch.ones(2, 4)},
    "boltzmann.RBM.exact_gradient": lambda: {"v": torch.ones(2, 6)},
    "boltzmann.RBM.free_energy": lambda: {"v": torch.ones(2, 6)},
    "boltzmann.RBM.gibbs": lambda: {"v": torch.ones(2, 6), "clamp": torch.ones(2, 2)},
    "boltzmann.RBM.log_likelihood": lambda: {"v": torch.ones(2, 6)},
    "boltzmann.RBM.up": lambda: {"v": torch.ones(2, 6)},
    "codebooks.Codebook": lambda: {"codes": 8, "dim": 3},
    "codebooks.Codebook.forward": lambda: {"z": pictures()},
    "codebooks.VQAutoencoder": lambda: SMALL_VQ,
    "codebooks.VQAutoencoder.pictures": lambda: {"tokens": torch.ones(2, 4, 4).long()},
    "codebooks.VQGANStep": lambda: {"discriminator": gan.MLPDiscriminator(nc=3, size=16)},
    "codebooks.VQGANStep.__call__": lambda: {"batch": torch.rand(2, 3, 16, 16)},
    "codebooks.VQStep.__call__": lambda: {"batch": torch.rand(2, 3, 16, 16)},
    "codebooks.adaptive_weight": lambda: two_losses(),
    "contrastive.ContrastiveStep.__call__": lambda: {"batch": seen_and_said(16)},
    "contrastive.PictureTextModel": lambda: SMALL_CLIP,
    "contrastive.PictureTextModel.read": lambda: {"text": sentences()},
    "contrastive.TextEncoder": lambda: {"words": 12, "width": 16, "depth": 1, "length": 6},
    "contrastive.TextEncoder.forward": lambda: {"text": sentences()},
    "contrastive.TextEncoder.pooled": lambda: {"text": sentences()},
    "boltzmann.RBM": lambda: {"visible": 6, "hidden": 4},
    "codebooks.Residual": lambda: {"width": 16},
    "codebooks.Residual.forward": lambda: {"x": torch.rand(2, 16, 8, 8)},
    "density.select_bandwidth": lambda: {"sigmas": [0.1, 0.5]},
    "density.mmd2": lambda: {"sigmas": [0.5, 1.0]},
    "density.gaussian_sample": lambda: {"covariance": torch.eye(4)},
    "gan.optimal_discriminator": lambda: {"p": torch.rand(6), "q": torch.rand(6)},
    "gan.jensen_shannon": lambda: {"p": torch.ones(6) / 6, "q": torch.ones(6) / 6},
    "gan.sample": lambda: {"net": gan.MLPGenerator(nz=8, nc=1, size=8)},
    "gan.snapshot": lambda: {"step": in_the_plane(), "z": torch.rand(6, 2)},
    "metrics.ssim": lambda: {"a": torch.rand(2, 3, 16, 16), "b": torch.rand(2, 3, 16, 16)},
    "metrics.FeatureNet": lambda: {"name": "fashion"},
    "metrics.FeatureNet.features": lambda: {"x": torch.rand(2, 1, 28, 28)},
    "metrics.Classifier": lambda: {"name": "fashion"},
    "pca.PCA.encode": lambda: {"self": pca.PCA(2).fit(torch.rand(6, 4)), "x": torch.rand(2, 4)},
    "pca.PCA.decode": lambda: {"self": pca.PCA(2).fit(torch.rand(6, 4)), "z": torch.rand(2, 2)},
    "pca.principal_angles": lambda: {"a": torch.eye(4)[:2], "b": torch.eye(4)[1:3]},
    "diffusion.Diffusion.q_step": lambda: {"x": pictures(), "t": steps(), "noise": pictures()},
    "diffusion.Diffusion.predict_eps": lambda: {
        "xt": pictures(),
        "t": steps(),
        "x0": pictures(),
    },
    "diffusion.Diffusion.velocity": lambda: {"t": steps()},
    "diffusion.Diffusion.ddim_sample": lambda: {"steps": 4},
    "diffusion.Diffusion.inpaint": lambda: {
        "x0": pictures(),
        "mask": torch.arange(8) % 2.0,
        "steps": 4,
    },
    "diffusion.DiffusionStep": lambda: {"model": Told(3, 3, 1), "diffusion": chain()},
    "diffusion.FlowStep": lambda: {"model": Told(3, 3, 1)},
    "diffusion.DiffusionStep.loss": lambda: {"x": pictures(), "labels": None},
    "diffusion.FlowStep.loss": lambda: {"x": pictures(), "labels": None},
    "gan.AdversarialStep.g_step": lambda: {
        "self": in_the_plane(),
        "fake": torch.rand(4, 2).requires_grad_(),
    },
    "diffusion.Diffusion.ddpm_step": lambda: {"noise": pictures()},
    "procedural.synthesise_texture": lambda: {
        "patch": torch.rand(3, 9, 9),
        "size": 8,
        "window": 3,
    },
    "shapes.receptive_field": lambda: {"layers": [(3, 1), (4, 2)]},
    "procedural.texture_patch": lambda: {"kind": "dots"},
    "plots.in_dots": lambda: {"figure": plots.canvas(99, 99)},
    "plots.mark_guess": lambda: {"guess": 0.5},
    "plots.auditing.two_kinds": lambda: {"panels": {"a": (torch.rand(6), torch.rand(5))}},
    "plots.auditing.roc": lambda: {
        "curves_by_name": {"a": auditing.roc_curve(*two_kinds().values())}
    },
    "plots.autoencoders.decoded_plane": lambda: {"model": plane_of_codes()},
    "plots.autoencoders.code_planes": lambda: {"models": {"a": plane_of_codes()}, "faces": 2},
    "plots.autoencoders.manifold": lambda: {"model": plane_of_codes(), "columns": 2},
    "plots.autoencoders.through_a_vae": lambda: {"sigma": torch.rand(4)},
    "plots.dcgan.draw_cells": lambda: {"cells": np.ones((4, 4), int)},
    "plots.dcgan.windows": lambda: {
        "cases": {"a": dict(size=6, kernel=3, stride=1, padding=1, dilation=1)}
    },
    "plots.density.draw_density": lambda: {"density": torch.rand(16)},
    "plots.density.density_in_the_plane": lambda: {"densities": {"a": torch.rand(16)}},
    "plots.density.bandwidth_strip": lambda: {
        "sigmas": [0.1],
        "log_density": density.parzen_log_density,
    },
    "plots.density.bent_noise": lambda: {"networks": [torch.sin]},
    "plots.density.witness": lambda: {
        "named": {"a": torch.rand(16)},
        "samples": {"a": torch.rand(6, 2)},
    },
    "plots.diffusion.schedules": lambda: {"chains": {"a": diffusion.Diffusion(betas())}},
    "plots.diffusion.ReverseProcess": lambda: {
        "xt": torch.rand(2, 2),
        "x0": torch.rand(2, 2),
        "pictures": [pictures()] * 2,
        "times": [3, 1],
    },
    "plots.diffusion.ReverseProcess.show": lambda: {"i": 1},
    "plots.diffusion.points_in_steps": lambda: {"moments": {"a": torch.rand(6, 2)}},
    "plots.diffusion.methods": lambda: {"table": {"a": {"x": (2.0, 1.0, 3.0)}}, "titles": ["x"]},
    "plots.gan.GameInThePlane": lambda: {"fakes": 6},
    "plots.gan.GameInThePlane.show": lambda: {"frame": frame()},
    "plots.gan.game_strip": lambda: {"frames": {"a": frame()}},
    "plots.losses.SlidAway": lambda: slid(),
    "plots.losses.slid_away": lambda: slid(),
    "plots.losses.critics": lambda: {"surfaces": {"a": torch.rand(8, 8)}},
    "plots.losses.scorecard": lambda: {"floor": "a", "logs": ["a"]},
    "plots.losses.means_and_ranks": lambda: {
        "means": {"a": (2.0, 1.0, 3.0)},
        "ranks": torch.rand(1, 3),
    },
    "plots.losses.by_budget": lambda: {"budgets": {10: {"a": (2.0, 1.0, 3.0)}}},
    "plots.editing.trades": lambda: {"curves": {"a": [(0.4, 1.0), (0.9, 0.7)]}, "n": 6},
    "plots.editing.swap_grid": lambda: {
        "structures": pictures(),
        "textures": pictures(),
        "grid": torch.rand(2, 2, 3, 8, 8),
    },
    "plots.editing.relevances": lambda: (
        {"relevance": torch.rand(5), "layers": {"a": 2, "b": 3}, "chosen": 2}
    ),
    "plots.styles.attention_on": lambda: {"weights": torch.rand(2, 8, 8)},
    "plots.translation.traces": lambda: {
        "named": {"y": torch.rand(2, 3, 8, 8), "F(y)": torch.rand(2, 3, 8, 8)},
        "difference": torch.rand(2, 3, 8, 8),
        "region": torch.eye(8) > 0,
    },
    "plots.words.covered": lambda: {"x": pictures(), "tokens": codes(), "side": 2},
    "plots.words.scoreboard": lambda: {
        "scores": {"a": words.Score(dict.fromkeys(words.FACTS, 0.5), 0.5, 0.5, 2)}
    },
    "plots.words.tokens_on": lambda: {"tokens": torch.ones(2, 2).long()},
    "plots.words.usage": lambda: {"counts": {"a": torch.rand(8)}},
    "plots.words.word_maps": lambda: {"maps": torch.rand(2, 4, 4), "words": ["a", "b"]},
    "plots.translation.colours_and_their_middle": lambda: {
        "shares": {(0.1, 0.2, 0.3): 1.0},
        "median": torch.rand(3),
        "mean": torch.rand(3),
    },
    "plots.film": lambda: {"pictures": [np.zeros((8, 8, 3), np.uint8)] * 2},
    "layers.FoldedConv": lambda: {"in_channels": 3, "out_channels": 3, "kernel_size": 3},
    "translation.UNetGenerator": lambda: {
        "in_channels": 3,
        "out_channels": 3,
        "filters": 4,
        "downs": 3,
    },
    "translation.UNetGenerator.forward": lambda: {"x": pictures()},
    "translation.PatchDiscriminator.forward": lambda: {"x": torch.rand(2, 3, 32, 32)},
    "translation.ConditionalDiscriminator.forward": lambda: {
        "self": translation.ConditionalDiscriminator(3, 3, 4, 8),
        "x": pictures(),
    },
    "translation.CycleGANStep": lambda: cycle(),
    "translation.CycleGANStep.__call__": lambda: {"batch": (pictures(), pictures())},
    "translation.CycleGANStep.g_step": lambda: {"x": pictures(), "y": pictures()},
    "degradation.blurred": lambda: {"kernel": torch.ones(3, 3) / 9},
    "degradation.chain": lambda: {"x": torch.rand(2, 3, 16, 16), "size": 8},
    "degradation.draw_damage": lambda: {"side": 16},
    "degradation.jpeg": lambda: {"quality": 50},
    "degradation.jpeg_tables": lambda: {"quality": 50},
    "degradation.resized": lambda: {"size": 4},
    "degradation.shot_noise": lambda: {"photons": 50.0},
    "plots.restoration.blends": lambda: (
        {"measured": [1.0, 1.3], "law": [1.0, 1.2]} | {"shares": [0.0, 1.0]}
    ),
    "plots.restoration.by_group": lambda: {"shares": {"a": [0.5, 0.2]}, "groups": ["b", "c"]},
    "plots.restoration.plane": lambda: {"points": {"a": (20.0, 3.0)}, "marked": ["a"]},
    "plots.restoration.where": lambda: (
        {"x": pictures(), "maps": torch.rand(2, 4, 4)} | {"box": (1, 1, 4, 4)}
    ),
    "restoration.between": lambda: {
        "state_a": {"w": torch.ones(2)},
        "state_b": {"w": torch.zeros(2)},
    },
    "restoration.content_minimum": lambda: {"xi": 2.0},
    "restoration.copies": lambda: {"y": torch.rand(2, 3, 2, 2), "people": pictures()},
    "restoration.dense_block": lambda: {"convs": [nn.Conv2d(3, 3, 3, padding=1)]},
    "restoration.denoise": lambda: told_nothing(),
    "restoration.diffusion_restore": lambda: (
        {"y": torch.rand(2, 3, 2, 2), "steps": 2}
        | {key: told_nothing()[key] for key in ("diffusion", "model")}
    ),
    "restoration.filled": lambda: {"hole": (torch.arange(8) < 3).float().expand(1, 1, 8, 8)},
    "restoration.fit_latents": lambda: (
        {"generate": lambda z: z.view(-1, 3, 4, 4), "steps": 2}
        | {"y": torch.rand(2, 3, 1, 1), "z": torch.rand(2, 48)}
    ),
    "restoration.gaussian_kernel": lambda: {"size": 5, "s1": 2.0, "s2": 1.0, "theta": 0.3},
    "restoration.jpeg_block": lambda: {
        "block": 255 * torch.rand(2, 8, 8),
        "table": torch.ones(8, 8),
    },
    "restoration.missed": lambda: {
        key: {"glasses": torch.tensor([0, 1])} for key in ("found", "true")
    },
    "restoration.modulate_half": lambda: (
        {"h": torch.rand(2, 4, 3, 3)} | {key: torch.rand(2, 2, 3, 3) for key in ("scale", "shift")}
    ),
    "restoration.partial_conv": lambda: (
        {"mask": torch.ones(1, 1, 8, 8), "bias": torch.rand(4)} | {"weight": torch.rand(4, 3, 3, 3)}
    ),
    "restoration.patch_distance": lambda: {"size": 2},
    "restoration.perceptual_loss": lambda: {
        "trunk": nn.Sequential(nn.Conv2d(3, 4, 3)),
        "taps": [0],
    },
    "restoration.price_of_blending": lambda: {"d_mean": 1.0, "d_other": 2.0, "a": 0.5},
    "restoration.psnr_y": lambda: {"border": 1},
    "restoration.told_apart": lambda: {
        "real": torch.rand(8, 3, 8, 8),
        "made": torch.rand(8, 3, 8, 8),
    },
    "restoration.total_variation": lambda: {"weight": 0.5, "steps": 5},
    "restoration.with_gain": lambda: {"gain": torch.rand(3, 8, 5)},
    "restorers.DenseBlock": lambda: {"width": 8, "growth": 4},
    "restorers.DenseBlock.forward": lambda: {"x": torch.rand(2, 8, 8, 8)},
    "restorers.Denoiser": lambda: denoising(),
    "restorers.Denoiser.forward": lambda: {"y": torch.rand(2, 3, 8, 8)},
    "restorers.Filler.forward": lambda: {"seen": torch.rand(2, 4, 32, 32)},
    "restorers.FusionNet": lambda: {"weights": (0.4, 0.4, 0.2), "width": 8},
    "restorers.FusionNet.forward": lambda: {"seen": torch.rand(2, 4, 8, 8)},
    "restorers.PictureDiscriminator": lambda: {"size": 8, "width": 8},
    "restorers.PictureDiscriminator.forward": lambda: {"x": torch.rand(2, 3, 8, 8)},
    "restorers.PriorRestorer": lambda: {"generator": small_style(), "width": 8},
    "restorers.RRDB": lambda: {"width": 8, "growth": 4},
    "restorers.RRDB.forward": lambda: {"x": torch.rand(2, 8, 8, 8)},
    "restorers.RRDBNet": lambda: {"width": 8, "growth": 4},
    "restorers.ResidualBlock": lambda: {"width": 8},
    "restorers.ResidualBlock.forward": lambda: {"x": torch.rand(2, 8, 8, 8)},
    "restorers.RestorationStep": lambda: restoring(),
    "restorers.RestorationStep.d_step": lambda: {"x": pictures(), "made": pictures()},
    "restorers.RestorationStep.parts": lambda: {"x": pictures(), "made": pictures()},
    "restorers.RestorationStep.score": lambda: {"x": pictures()},
    "restorers.RestorationStep.samples": lambda: {"self": restored()},
    "restorers.UNetDiscriminator": lambda: {"width": 8},
    "restorers.UNetDiscriminator.forward": lambda: {"x": torch.rand(2, 3, 8, 8)},
    "restorers.restore": lambda: {"net": nn.Conv2d(3, 3, 1), "y": pictures()},
    "scaling.BigGANDiscriminator.forward": lambda: {"x": torch.rand(2, 1, 32, 32)},
    "scaling.BigGANGenerator": lambda: {"nz": 12, "attention": 1},
    "scaling.BigGANGenerator.forward": lambda: {"z": torch.rand(2, 12)},
    "scaling.ConditionalBatchNorm2d.forward": lambda: {"condition": torch.rand(2, 2)},
    "scaling.GrowingStep": lambda: growing(),
    "scaling.GrowingStep.__call__": lambda: {"batch": pictures()},
    "scaling.ProgressiveDiscriminator.forward": lambda: {"x": torch.rand(2, 1, 8, 8)},
    "scaling.ProjectedDiscriminator": lambda: {"layers": [nn.Conv2d(3, 4, 1)], "taps": [0]},
    "scaling.ProjectedDiscriminator.forward": lambda: {"x": torch.rand(2, 3, 32, 32)},
    "scaling.SelfAttention": lambda: {"channels": 8},
    "scaling.SelfAttention.forward": lambda: {"x": torch.rand(2, 8, 8, 8)},
    "scaling.SelfAttention.weights": lambda: {"x": torch.rand(2, 8, 8, 8)},
    "scaling.standing_statistics": lambda: {"generator": small_biggan(), "batches": 2, "size": 2},
    "scaling.truncated_normal": lambda: {"shape": [2, 3]},
    "editing.taps": lambda: {"trunk": nn.Sequential(nn.Tanh(), nn.Tanh()), "layers": [1, 2]},
    "editing.invert": lambda: (
        {"synthesis": torch.sin, "x": torch.rand(2, 3), "start": torch.rand(2, 3), "steps": 2}
    ),
    "editing.domain_regulariser": lambda: (
        {"ws": torch.rand(2, 4, 8), "encode": lambda x: x.mean() * torch.ones(2, 4, 8)}
    ),
    "editing.CodeEncoder": lambda: {"layers": 4, "size": 8, "nc": 3, "width": 8},
    "editing.EncoderStep": lambda: (
        {"encoder": small_encoder(), "generator": colourful(), "maps": lambda x: [x], "steps": 4}
    ),
    "editing.EncoderStep.__call__": lambda: {"batch": pictures()},
    "editing.tune": lambda: (
        {"generator": colourful(), "ws": torch.rand(2, 4, 8), "x": pictures(), "steps": 2}
        | {"maps": lambda x: [x], "others": lambda: torch.rand(2, 4, 8)}
    ),
    "editing.label_direction": lambda: {
        "w": torch.rand(6, 8),
        "has": torch.tensor([True, False] * 3),
    },
    "editing.style_spreads": lambda: {"ws": torch.rand(6, 4, 8)},
    "editing.channel_effects": lambda: (
        {"ws": torch.rand(2, 4, 8), "see": lambda x: x.flatten(1), "spreads": torch.rand(40)}
    ),
    "editing.moved_styles": lambda: {"shift": torch.rand(40)},
    "editing.SwapEncoder": lambda: {"channels": 2, "texture": 8, "size": 32, "nc": 3},
    "editing.SwapEncoder.forward": lambda: {"x": torch.rand(2, 3, 32, 32)},
    "editing.SwapGenerator": lambda: {"channels": 2, "texture": 8, "nc": 3},
    "editing.SwapGenerator.forward": lambda: (
        {"structure": torch.rand(2, 2, 4, 4), "texture": torch.rand(2, 8)}
    ),
    "editing.CooccurrenceDiscriminator": lambda: {"width": 8, "nc": 3},
    "editing.CooccurrenceDiscriminator.forward": lambda: (
        {"reference": torch.rand(2, 4, 3, 8, 8), "patches": torch.rand(2, 3, 3, 8, 8)}
    ),
    "editing.random_patches": lambda: {"x": torch.rand(2, 3, 32, 32), "count": 2},
    "editing.SwapStep.__call__": lambda: {"batch": torch.rand(2, 3, 32, 32)},
    "editing.spade": lambda: (
        {"x": pictures(), "labels": torch.rand(2, 3, 4, 4)}
        | {"scale_of": torch.sin, "shift_of": torch.cos}
    ),
    "label_maps.Spade": lambda: {"channels": 3, "kinds": 2},
    "label_maps.Spade.forward": lambda: {"x": pictures(), "labels": torch.rand(2, 2, 4, 4)},
    "label_maps.SpadeGenerator": lambda: {"kinds": 2, "widths": (8, 8), "hidden": 4},
    "label_maps.SpadeGenerator.forward": lambda: {"labels": torch.rand(2, 2, 8, 8)},
    "label_maps.DoorGenerator": lambda: {"kinds": 2, "widths": (8, 8, 8), "size": 16},
    "label_maps.DoorGenerator.forward": lambda: {"labels": torch.rand(2, 2, 8, 8)},
    "label_maps.GlobalGenerator": lambda: {"kinds": 2, "widths": (8, 8, 8), "size": 16},
    "label_maps.GlobalGenerator.features": lambda: {"labels": torch.rand(2, 2, 8, 8)},
    "label_maps.GlobalGenerator.forward": lambda: {"labels": torch.rand(2, 2, 8, 8)},
    "label_maps.LocalEnhancer": lambda: {"inner": global_generator(), "width": 4},
    "label_maps.LocalEnhancer.forward": lambda: {"labels": torch.rand(2, 2, 8, 8)},
    "label_maps.Residual": lambda: {"channels": 4},
    "label_maps.Residual.forward": lambda: {"x": torch.rand(2, 4, 8, 8)},
    "label_maps.ScaleDiscriminator": lambda: {"channels": 5, "widths": (4, 8)},
    "label_maps.ScaleDiscriminator.forward": lambda: {"x": torch.rand(2, 5, 16, 16)},
    "label_maps.MultiScaleDiscriminator": lambda: {"kinds": 2, "nc": 3, "scales": 1},
    "label_maps.MultiScaleDiscriminator.forward": lambda: (
        {"x": torch.rand(2, 3, 32, 32), "labels": torch.rand(2, 2, 8, 8)}
    ),
    "label_maps.StyleEncoder": lambda: {"nz": 4, "width": 8, "nc": 3},
    "label_maps.StyleEncoder.forward": lambda: {"x": torch.rand(2, 3, 32, 32)},
    "label_maps.StylePainter": lambda: {"nz": 4, "kinds": 6, "widths": (8, 8)},
    "label_maps.StylePainter.forward": lambda: (
        {"labels": torch.rand(2, 6, 8, 8), "z": torch.rand(2, 4)}
    ),
    "label_maps.StyleStep": lambda: (
        {"generator": label_maps.StylePainter(4, widths=(8, 8))}
        | {"discriminator": label_maps.MultiScaleDiscriminator()}
    ),
    "label_maps.StyleStep.__call__": lambda: {"batch": torch.rand(2, 3, 32, 32)},
    "label_maps.LabelStep": lambda: painters(),
    "label_maps.LabelStep.__call__": lambda: {"batch": torch.rand(2, 3, 64, 64)},
    "styles.StyledConv": lambda: {"inputs": 4, "outputs": 3, "w": 8},
    "styles.StyledConv.forward": lambda: (
        {"x": torch.rand(2, 4, 8, 8), "w": torch.rand(2, 8)} | {"noise": torch.rand(2, 1, 8, 8)}
    ),
    "styles.ToRGB": lambda: {"inputs": 4, "outputs": 3, "w": 8},
    "styles.ToRGB.forward": lambda: {"x": torch.rand(2, 4, 8, 8), "w": torch.rand(2, 8)},
    "styles.StyleGenerator": lambda: {"channels": (16, 8), "nz": 8, "w": 8, "size": 8},
    "styles.StyleGenerator.synthesis": lambda: {"ws": torch.rand(2, 4, 8)},
    "styles.AdaINGenerator": lambda: {"channels": (16, 8), "nz": 8, "w": 8},
    "styles.StyleStep": lambda: {"discriminator": gan.MLPDiscriminator(nc=3, size=8)},
    "styles.StyleStep.g_step": lambda: {"fake": pictures().requires_grad_()},
    "styles.equivariance": lambda: {"layer": torch.relu},
    "styles.filtered": lambda: {"act": torch.relu},
    "styles.path_length": lambda: styled(),
    "styles.perceptual_path_length": lambda: (
        {"generate": torch.sin, "features": torch.tanh} | {"t": torch.rand(2)}
    ),
    "text_to_image.StackStep": lambda: {"reader": contrastive.PictureTextModel(**SMALL_CLIP)},
    "text_to_image.StackStep.__call__": lambda: {"batch": seen_and_said(32)},
    "text_to_image.StageOne": lambda: {"text": 8, "dim": 4, "ngf": 8, "nc": 3},
    "text_to_image.StageOne.forward": lambda: {"told": torch.rand(2, 8), "z": torch.rand(2, 36)},
    "text_to_image.StageTwo": lambda: {"text": 8, "dim": 4, "width": 8, "nc": 3},
    "text_to_image.StageTwo.forward": lambda: (
        {"told": torch.rand(2, 8), "z": torch.rand(2, 4)} | {"small": pictures()}
    ),
    "text_to_image.TextDiscriminator": lambda: {"text": 8, "ndf": 8, "nc": 3},
    "text_to_image.TextDiscriminator.look": lambda: {"x": torch.rand(2, 3, 32, 32)},
    "text_to_image.TextDiscriminator.judge": lambda: (
        {"seen": torch.rand(2, 32, 4, 4)} | {"told": torch.rand(2, 8)}
    ),
    "text_to_image.TextDiscriminator.forward": lambda: (
        {"x": torch.rand(2, 3, 32, 32)} | {"told": torch.rand(2, 8)}
    ),
    "text_to_image.TextFlowStep": lambda: {"decode": torch.tanh},
    "text_to_image.TextFlowStep.loss": lambda: {"x": torch.rand(2, 4, 4, 4), "labels": sentences()},
    "text_to_image.TextFlowStep.sample": lambda: (
        {"shape": (2, 4, 4, 4), "labels": sentences()} | {"generator": torch.Generator()}
    ),
    "text_to_image.TextUNet": lambda: (
        {"words": 12, "channels": 4, "width": 16, "blocks": 2} | {"told": 16, "length": 6}
    ),
    "text_to_image.TextUNet.forward": lambda: {"text": sentences(), "t": torch.rand(2)},
    "text_to_image.TextUNet.unconditional": lambda: {"text": sentences()},
    "text_to_image.climb": lambda: (
        {"text": sentences(), "start": torch.rand(2, 3, 16, 16)} | {"steps": 2}
    ),
    "text_to_image.draw_flow": lambda: {"text": sentences(), "steps": 2},
    "text_to_image.draw_stage": lambda: {"told": torch.rand(2, 8)},
    "text_to_image.sentence_vectors": lambda: {"text": sentences()},
    "text_to_image.word_maps": lambda: {"codes": torch.rand(2, 4, 4, 4), "text": sentences()},
    "tokens.TokenTransformer": lambda: SMALL_TOKENS | {"words": 12},
    "attention.adamw": lambda: {"model": nn.Linear(3, 2), "lr": 0.1, "steps": 4},
    "tokens.TokenTransformer.drawn": lambda: {"image": codes()},
    "tokens.TokenTransformer.mark": lambda: {"name": "IMAGE"},
    "tokens.joined": lambda: {"pieces": [(sentences(), torch.arange(6)), (codes(), steps())]},
    "tokens.NextTokenStep": lambda: {"model": reader()},
    "tokens.NextTokenStep.__call__": lambda: {"batch": (codes(), sentences())},
    "tokens.MaskedStep": lambda: {"model": reader()},
    "tokens.MaskedStep.__call__": lambda: {"batch": (codes(), sentences())},
    "tokens.draw_next": lambda: {"net": reader(), "text": sentences()},
    "tokens.caption": lambda: {"net": reader(), "image": codes()},
    "tokens.log_likelihood": lambda: {"net": reader(), "text": sentences(), "image": codes()},
    "tokens.draw_masked": lambda: {"net": reader(), "text": sentences(), "steps": 2},
    "tokens.masked_input": lambda: (
        {"u": torch.rand(2), "ranks": torch.rand(2, 4).argsort(1)} | {"tokens": codes()}
    ),
    "tokens.keep_surest": lambda: (
        {"tokens": codes(), "drawn": codes(), "mask": 1} | {"confidence": torch.rand(2, 4)}
    ),
    "tokens.next_token_loss": lambda: {"logits": torch.rand(2, 4, 8), "tokens": codes()},
    "unet.Attention": lambda: {"width": 16},
    "unet.Attention.forward": lambda: {"x": torch.rand(2, 16, 8, 8), "told": torch.rand(2, 64)},
    "unet.Block": lambda: {"width": 16, "told": 64},
    "unet.Block.forward": lambda: {"x": torch.rand(2, 16, 8, 8), "told": torch.rand(2, 64)},
    "unet.UNet": lambda: {"width": 16, "classes": 3},
    "words.Captioned": lambda: {"x": pictures(), "facts": [MOHAWK] * 2},
    "words.Tokeniser": lambda: {"words": ["<pad>", "<end>", "a", "b"], "length": 6},
    "words.Tokeniser.decode": lambda: {"ids": torch.tensor([[2, 3, 1, 0, 0, 0]])},
    "words.Tokeniser.encode": lambda: {"texts": ["a b", "b"]},
    "words.facts_of": lambda: {"people": data.load("peeps", "test")[:3]},
    "words.hits": lambda: {"x": torch.rand(2, 3, 32, 32), "asked": [MOHAWK] * 2},
    "words.score": lambda: {"x": torch.rand(2, 3, 32, 32), "asked": [MOHAWK] * 2},
    "words.seen": lambda: {"x": torch.rand(2, 3, 32, 32)},
    "words.sentence": lambda: {"facts": MOHAWK},
    "widgets.live": lambda: {"figure": plt.figure(), "stops": {"a": 1}, "draw": str},
    "widgets.png": lambda: {"figure": plt.figure()},
    "widgets.picture_bytes": lambda: {"picture": np.zeros((8, 8, 3), np.uint8)},
    "widgets.auditing.watermark_strength": lambda: (
        {"x": torch.rand(1, 3, 16, 16)} | {"attack": torch.tanh}
    ),
    "widgets.autoencoders.beta_planes": lambda: {"models": {"0.1": Plane(), "1": Plane()}},
    "widgets.autoencoders.latent_plane": lambda: {"model": Plane()},
    "widgets.autoencoders.morph": lambda: {"model": Plane()},
    "widgets.diffusion.forward_process": lambda: {"chain": ten_steps()},
    "widgets.diffusion.reverse_process": lambda: {"picture": a_way()},
    "widgets.diffusion.sampler": lambda: (
        {"chain": ten_steps(), "classes": ["a", "b"]} | {"shape": (3, 8, 8), "eta": 0.5, "steps": 2}
    ),
    "widgets.diffusion.short_chains": lambda: {"chains": {5: ten_steps(), 10: ten_steps()}},
    "widgets.editing.inversion": lambda: (
        {"x": torch.rand(1, 3, 8, 8), "measure": shape_of}
        | {"found": {"1": {"W": torch.rand(1, 3, 8, 8)}, "2": {"W": torch.rand(1, 3, 8, 8)}}}
    ),
    "widgets.editing.words": lambda: (
        {"generator": colourful(), "ws": torch.rand(2, 4, 8), "read": lambda word, x: word}
        | {"directions": {"a": torch.rand(40)}, "steps": (1.0, 2.0)}
    ),
    "widgets.editing.paint": lambda: (
        {"generators": {"a": label_maps.SpadeGenerator()}}
        | {"maps": {"a": torch.zeros(8, 8, dtype=torch.int64)}}
    ),
    "widgets.losses.slid_away": lambda: {"distances": torch.linspace(0, 16, 6)},
    "widgets.restoration.bench": lambda: (
        {"x": pictures(), "read": lambda name, x: name}
        | {"restorers": {"a": torch.tanh}, "damages": {"b": torch.sin, "c": torch.cos}}
    ),
    "widgets.restoration.between": lambda: (
        {"net_a": nn.Conv2d(3, 3, 1), "net_b": nn.Conv2d(3, 3, 1)}
        | {"y": pictures(), "truth": pictures(), "read": shape_of, "shown": 2}
    ),
    "widgets.restoration.sensors": lambda: (
        {"colours": pictures(), "truth": pictures()}
        | {"grey": torch.rand(2, 1, 8, 8), "read": shape_of}
    ),
    "widgets.styles.aliasing": lambda: {"act": torch.relu},
    "widgets.styles.leak": lambda: {"laws": {"a": lambda q: torch.tensor([1 - q / 2, q / 2])}},
    "widgets.styles.mixer": lambda: {"generator": small_style(), "read": shape_of},
    "widgets.styles.truncation": lambda: {"generator": small_style(), "measure": shape_of},
    "widgets.words.masked_film": lambda: (
        {"film": torch.ones(2, 2, 4).long(), "show": lambda x: pictures(), "read": shape_of}
        | {"side": 2}
    ),
    "widgets.words.say_it": lambda: (
        {"draw": {"a": lambda text: pictures()}, "read": lambda x, told: "a"}
        | {"sayings": {"a": "a person", "b": "an old person"}}
    ),
    "widgets.words.strips": lambda: (
        {"drawn": {"a": pictures(), "b": pictures()}, "read": shape_of}
    ),
    "widgets.translation.hidden_signal": lambda: (
        {"back": torch.tanh} | {"spoilers": {"a": torch.sin, "b": torch.tanh}}
    ),
    # a network of straight pieces has a slope even at NaN
    "styles.r1_penalty": lambda: {"discriminator": lambda x: x.flatten(1).square().sum(1)},
}


MOHAWK = {"head": "a mohawk", "colour": "red"}
SMALL_VQ = {"nc": 3, "size": 16, "codes": 8, "dim": 4, "width": 16}
SMALL_CLIP = {"words": 12, "nc": 3, "size": 16, "dim": 8, "width": 16, "depth": 1, "length": 6}
SMALL_TOKENS = {"codes": 8, "side": 2, "width": 16, "depth": 1, "heads": 2, "length": 6}


def reader() -> nn.Module:
    return tokens.TokenTransformer(12, **SMALL_TOKENS)


def sentences() -> Tensor:
    return torch.tensor([[3, 5, 2, 1, 0, 0], [4, 1, 0, 0, 0, 0]])


def codes() -> Tensor:
    return torch.tensor([[1, 0, 3, 7], [2, 2, 1, 5]])


class Plane:
    """An autoencoder with codes in the plane."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1)[:, :2], x.flatten(1)[:, 2:4]

    def decode(self, z: Tensor) -> Tensor:
        return z.mean(1)[:, None, None, None].expand(-1, 3, 8, 8).tanh()


def ten_steps() -> diffusion.Diffusion:
    return diffusion.Diffusion(diffusion.linear_betas(10))


def a_way() -> Any:
    xt, x0 = torch.rand(3, 2), torch.rand(3, 2)
    return plots.diffusion.ReverseProcess(torch.rand(6, 2), xt, x0, [pictures()] * 3, [2, 1, 0])


def small_style() -> nn.Module:
    return styles.StyleGenerator(8, 8, (16, 8), 8)


def small_encoder() -> nn.Module:
    return editing.CodeEncoder(4, torch.zeros(8), 8, 3, 8)


def colourful() -> nn.Module:
    return styles.StyleGenerator(8, 8, (16, 8), 8, 3)


def painters() -> dict[str, Any]:
    return {"generator": label_maps.SpadeGenerator(widths=(8, 8, 8), hidden=4)} | {
        "discriminator": label_maps.MultiScaleDiscriminator(),
        "steps": 4,
    }


def global_generator() -> nn.Module:
    return label_maps.GlobalGenerator(2, (8, 8, 8), 3, 16, 1)


def shape_of(x: Tensor) -> str:
    return str(x.shape)


def seen_and_said(size: int) -> tuple[Tensor, Tensor]:
    return torch.rand(2, 3, size, size), sentences()


def two_losses() -> dict[str, Any]:
    weight = torch.rand(4, 3).requires_grad_()
    return {"reconstruction": weight.square().mean(), "g_loss": weight.sin().mean()} | {
        "weight": weight
    }


def growing() -> dict[str, Any]:
    channels = (8, 8)
    players = scaling.ProgressiveGenerator(8, channels), scaling.ProgressiveDiscriminator(channels)
    return dict(zip(("generator", "discriminator"), players, strict=True))


def told_nothing() -> dict[str, Any]:
    diffuse = diffusion.Diffusion(torch.linspace(0.01, 0.2, 10))
    return {"diffusion": diffuse, "model": lambda x, t: 0 * x, "noisy": pictures(), "sigma": 0.5}


def denoising() -> dict[str, Any]:
    diffuse = diffusion.Diffusion(torch.linspace(0.01, 0.2, 10))
    return {"diffusion": diffuse, "model": unet.UNet(3, 16, (1,)), "sigma": 0.5}


def restoring() -> dict[str, Any]:
    torch.manual_seed(0)
    judge = restorers.PictureDiscriminator(8, 8)
    return {"net": nn.Conv2d(3, 3, 1), "damage": torch.sin, "discriminator": judge}


def restored() -> restorers.RestorationStep:
    step = restorers.RestorationStep(**restoring())
    step(pictures())
    return step


def small_biggan() -> nn.Module:
    return scaling.BigGANGenerator(3, 8, 8, 4, (2, 1), None)


def styled() -> dict[str, Any]:
    ws = torch.rand(2, 3, 8).requires_grad_()
    return {"x": ws.mean(1).sin().view(2, 1, 2, 4), "ws": ws}


def two_kinds() -> dict[str, Any]:
    return {"scores": torch.rand(6), "labels": torch.arange(6) % 2}


def plane_of_codes() -> nn.Module:
    return autoencoders.VAE(nc=3, size=8, latent=2, kind="dense", hidden=8)


class Told(nn.Conv2d):
    """A diffusion model with weights."""

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(x)


def chain() -> diffusion.Diffusion:
    return diffusion.Diffusion(betas())


def in_the_plane() -> gan.AdversarialStep:
    return gan.AdversarialStep(gan.ToyGenerator(), gan.ToyDiscriminator())


def cycle() -> dict[str, Any]:
    generators = [translation.ResnetGenerator(3, 3, 4, 1) for _ in range(2)]
    judges = [translation.PatchDiscriminator(3, 4, 1) for _ in range(2)]
    names = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")
    return dict(zip(names, generators + judges, strict=True))


def frame() -> gan.Frame:
    return gan.Frame(torch.rand(4, 4), torch.rand(6, 2), torch.rand(6, 2))


def slid() -> dict[str, Any]:
    return {"distances": torch.linspace(0, 4, 6), "pulls": {"a": torch.rand(6)}}


def pictures() -> Tensor:
    return torch.rand(2, 3, 8, 8) * 1.8 - 0.9


def betas() -> Tensor:
    return torch.linspace(0.01, 0.2, 10)


def steps() -> Tensor:
    return torch.tensor([1, 3])


# ---- spoilt values -------------------------------------------------------------------------------

NEVER, SAME, FINITE, TOLD = "never", "the same", "finite", "propagated"


OVERFLOW = {  # huge numbers in these are logarithms of variances or widths, which are infinite then
    "text_to_image.ConditioningAugmentation.forward.told", "text_to_image.StageOne.forward.told",
    "text_to_image.StageTwo.forward.told", "text_to_image.draw_stage.told",
    "label_maps.StyleStep.__call__.batch", "align_draw.AlignDraw.write.h",
    "align_draw.kl_of_gaussians.log_sigma", "align_draw.kl_of_gaussians.prior_log_sigma",
}  # fmt: skip
BLIND = {  # arguments whose values may be lost
    "styles.path_length.x", "codebooks.adaptive_weight.reconstruction",  # derivatives count
    "codebooks.adaptive_weight.g_loss", "contrastive.shifted.x",  # a border moves out
    "unet.Attention.forward.told",  # nothing is told to it; its blocks have one signature
}  # fmt: skip


def spoilt(name: str, annotation: Any, value: Any) -> Iterator[tuple[str, Any, str]]:
    """(what, the value, what may come of it): NEVER a result, or one that is SAME, FINITE, or TOLD:
    what is not finite in it shows what came in."""
    optional = value is None or type(None) in typing.get_args(annotation)
    if annotation in (Any, bool, inspect.Parameter.empty):
        return
    if not optional:
        yield "None", None, NEVER
    if (
        isinstance(value, torch.Generator)
        or annotation in (torch.Generator,)
        or (torch.Generator in typing.get_args(annotation))
    ):
        yield "text for a generator", "a", NEVER
        yield "a number for a generator", 0, NEVER
        yield "numpy's generator", np.random.default_rng(0), NEVER
        return
    if isinstance(value, Tensor):
        for what, bad, may in tensors(annotation, value):
            if (name, what) == ("logvar", "huge"):  # its variance would be beyond all numbers
                continue
            if what == "infinity" and name in ("real_scores", "fake_scores"):
                continue  # −log σ(∞) is 0, and right
            if what == "infinity" and re.search(r"^(negative_)?scores$|^losses_", name):
                may = FINITE  # their order counts, in which infinity has a place
            yield what, bad, may
        return
    kinds = [annotation, *typing.get_args(annotation)]
    if isinstance(value, bool) or bool in kinds:
        return
    if isinstance(value, int) and int in kinds or (value is None and int in kinds):
        many = any(typing.get_origin(kind) is collections.abc.Sequence for kind in kinds)
        for bad in (-1, 1.5, math.nan, "a", 1j, [1]):
            if many and bad == [1]:
                continue
            if not (isinstance(bad, str) and str in kinds) and not (bad == 1.5 and float in kinds):
                yield f"{bad!r}", bad, NEVER if bad != -1 else FINITE
        yield "0", 0, FINITE
        yield "10 ** 12", 10**12, FINITE
        return
    if isinstance(value, (int, float)) or (value is None and float in kinds):
        for bad in (math.nan, "a", 1j, [1.0]):
            if not (isinstance(bad, str) and str in kinds):
                yield f"{bad!r}", bad, NEVER
        for bad in (-1.0, 0.0, math.inf, 1e6):
            yield f"{bad!r}", bad, FINITE
        return
    if isinstance(value, str):
        if annotation is str and name not in FREE:
            yield "another text", "no such thing", NEVER
        yield "a number for text", 3, NEVER
        return
    if isinstance(value, nn.Module) or callable(value):
        yield "text for a function", "a", NEVER
        yield "a tensor for a function", torch.ones(2), NEVER
        return
    if isinstance(value, (list, tuple, dict)):
        if not {int, float} & {*kinds}:  # one of them alone is a choice: 0.1 or [0.1, 1.0]
            yield "a number for many", 3, NEVER
        yield "nothing of many", type(value)(), FINITE
        return
    if value is not None:
        yield "text for an object", "a", NEVER
        yield "a tensor for an object", torch.ones(2), NEVER


FREE = {"title", "label", "xlabel", "ylabel", "text", "unit", "reason", "card", "head", "colour"}
FREE |= {"left", "above", "across"}  # what stands beside a figure
FREE |= {"line", "name", "rows_are", "columns_are", "change"}


def tensors(annotation: Any, x: Tensor) -> Iterator[tuple[str, Any, str]]:
    text = getattr(annotation, "dim_str", "...")
    yield "text", "a", NEVER
    yield "a list", x.tolist(), SAME
    yield "an array", x.detach().numpy(), SAME
    if x.ndim and "..." not in text and "*" not in text:
        yield "an axis less", x[0], NEVER
        yield "an axis more", x[None], NEVER
    if x.ndim:
        yield "empty", x[:0], FINITE
    yield "meta", x.to("meta"), FINITE
    yield "complex", x.to(torch.complex64), NEVER
    if x.is_floating_point():
        yield "whole numbers", (x * 3).long(), SAME
        yield "bytes", (x.abs() * 3).byte(), SAME
        yield "truth values", x > 0, SAME
        yield "float64", x.double(), FINITE
        yield "half", x.half(), FINITE
        yield "huge", x * 1e6, FINITE
        for what, bad in (("NaN", math.nan), ("infinity", math.inf)):
            y = x.clone()
            y.view(-1)[[0, -1]] = bad  # a mixture may leave out one end
            yield what, y, TOLD
    elif x.dtype != torch.bool:
        kinds = str(getattr(annotation, "dtypes", ""))
        yield "decimals", x + 0.5, FINITE if "Any" in kinds else NEVER  # Shaped: floats too
        yield "negative", -x.long() - 1, FINITE
        yield "a large number", x.long() + 10**6, FINITE


# ---- what comes of it ----------------------------------------------------------------------------


class TooLong(BaseException):
    pass


def _late(*_: Any) -> None:
    raise TooLong


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        signal.setitimer(signal.ITIMER_PROF, LIMIT, 0.5)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            plt.close("all")


def called(call: Call, **other: Any) -> Any:
    arguments = plain(call) | other
    torch.manual_seed(0)
    parameters = inspect.signature(call.function).parameters
    args = []
    for p in parameters.values():
        if p.kind is p.VAR_POSITIONAL and p.name in arguments:
            args = [*arguments.pop(p.name)]
        if p.kind is p.VAR_KEYWORD and p.name in arguments:
            arguments |= arguments.pop(p.name)
    if args:
        first = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        args = [arguments.pop(n) for n in first if n in arguments] + args
    result = call.function(*args, **arguments)
    return list(result) if inspect.isgenerator(result) else result


def numbers(result: Any) -> list[Tensor]:
    """The numbers in a result, which may be many things."""
    found = []
    for leaf in tree_leaves(result):
        if isinstance(leaf, Tensor):
            found.append(leaf.detach())
        elif isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fiub":
            found.append(torch.as_tensor(leaf))
        elif isinstance(leaf, complex):
            found.append(torch.tensor(leaf))
        elif isinstance(leaf, (int, float)):
            found.append(torch.tensor(float(leaf)))
    return found


def is_finite(result: Any) -> bool:
    return all(x.is_meta or bool(x.isfinite().all()) for x in numbers(result) if x.numel())


def same(a: Any, b: Any) -> bool:
    first, second = numbers(a), numbers(b)
    if len(first) != len(second):
        return False
    for x, y in zip(first, second, strict=True):
        if x.shape != y.shape or not torch.allclose(
            x.double(), y.double(), 1e-3, 1e-3, equal_nan=True
        ):
            return False
    return True


def judged(call: Call, name: str, value: Any, may: str, usual: Any) -> tuple[str, str]:
    """("right", "clear", "unclear", "nonsense" or "hang"; in words) for a spoilt argument."""
    try:
        with quiet():
            result = called(call, **{name: value})
    except TooLong:
        return "hang", ""
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        return classified(call, error)
    if any(x.is_complex() for x in numbers(result)):
        return "nonsense", "a complex result"
    if may == NEVER:
        return "nonsense", f"taken, gives {type(result).__name__}"
    if may == TOLD:
        told = not is_finite(result) or not numbers(result)
        return ("right", "") if told else ("nonsense", "not seen in the result")
    if may == SAME:
        kind = value if isinstance(value, Tensor) else None
        if kind is not None:
            try:
                with quiet():
                    usual = called(call, **{name: kind.float()})
            except BaseException:
                return "nonsense", "of decimal numbers an error"
        return ("right", "") if same(result, usual) else ("nonsense", "another result")
    if not is_finite(result) and is_finite(usual):
        return "nonsense", "not finite"
    return "right", ""


def classified(call: Call, error: BaseException) -> tuple[str, str]:
    text = f"{type(error).__name__}: {error}".splitlines()[0][:150]
    frames = traceback.extract_tb(error.__traceback__)
    ours = frames[-1].filename.startswith(FOLDER)
    place = next((f for f in reversed(frames) if f.filename.startswith(FOLDER)), frames[-1])
    words = [*call.arguments, *(n.replace("_", " ") for n in call.arguments)]
    words += ["x"] * ("batch" in call.arguments)  # the pictures in a batch are called x
    named = any(re.search(rf"\b{re.escape(word)}\b", str(error)) for word in words)
    kind = isinstance(error, (ValueError, TypeError)) and type(error) in (ValueError, TypeError)
    return (
        "clear" if ours and named and kind else "unclear"
    ), f"{text} [{Path(place.filename).name}:{place.lineno} {place.name}]"


# ---- the whole -----------------------------------------------------------------------------------


@dataclass
class Found:
    name: str
    argument: str
    what: str
    verdict: str
    words: str

    def __str__(self) -> str:
        return f"{self.verdict:8} {self.name}({self.argument} = {self.what}): {self.words}"


def fuzz(
    only: list[str] = (), every: int = 1, count: int = 0, show: bool = False
) -> tuple[list[Found], dict[str, str]]:
    """All that was found, and why functions have no example. `every`: of how many calls one."""
    found, without = [], {}
    matplotlib.use("agg")
    before = signal.signal(signal.SIGPROF, _late)
    try:
        for name, function, owner in functions(only):
            try:
                with quiet():
                    call = valid(name, function, owner)
                    start = time.process_time()
                    usual = called(call)
                    slow = time.process_time() - start > SLOW
            except TooLong:
                without[name] = "too slow"
                continue
            except BaseException as error:
                without[name] = f"{type(error).__name__}: {error}".splitlines()[0][:150]
                continue
            if slow:
                without[name] = "takes too long"
                continue
            parameters = inspect.signature(function).parameters
            for argument, (annotation, value) in call.arguments.items():
                if argument == "self":
                    continue
                for what, bad, may in spoilt(argument, annotation, value):
                    many = parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL
                    if many and not isinstance(bad, (list, tuple)):  # Python itself sees to that
                        continue
                    place = f"{name}.{argument}"
                    if (may == TOLD and place in BLIND) or (what == "huge" and place in OVERFLOW):
                        continue
                    count += 1
                    if count % every:
                        continue
                    verdict, words = judged(call, argument, bad, may, usual)
                    found.append(Found(name, argument, what, verdict, words))
                    if show and verdict not in ("right", "clear"):
                        print(found[-1], flush=True)
    finally:
        signal.signal(signal.SIGPROF, before)
    return found, without


def table(found: list[Found]) -> str:
    verdicts = ("clear", "right", "unclear", "nonsense", "hang")
    rows = [f"{'':24}" + "".join(f"{v:>10}" for v in verdicts)]
    modules = {f.name.rpartition(".")[0] for f in found}
    count = Counter((module(f.name), f.verdict) for f in found)
    modules = sorted({m for m, _ in count})
    rows += [f"{m:24}" + "".join(f"{count[m, v]:10}" for v in verdicts) for m in modules]
    total = Counter(f.verdict for f in found)
    rows.append(f"{'all':24}" + "".join(f"{total[v]:10}" for v in verdicts))
    return "\n".join(rows)


def module(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2] if parts[0] in ("plots", "widgets", "data") else parts[:1])


if __name__ == "__main__":
    found, without = fuzz(sys.argv[1:], show=True)
    for name, why in without.items():
        print(f"no example: {name}: {why}")
    print(table(found))
    print(len({f.name for f in found}), "functions,", len(found), "calls")
