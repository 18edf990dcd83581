"""Figures of lecture 02: components, codes, likelihood."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import checks
from course_lib.checks import named, number, pictures, reals, several, whole
from course_lib.plots import (
    DATA,
    GREY,
    MODEL,
    OTHER,
    as_pictures,
    as_sheet,
    bare,
    canvas,
    in_dots,
    mark_guess,
    subplots,
)

MOST = 100  # pictures a side, at most: each is a pass through a decoder


def variance_kept(kept: Float[Tensor, " k"], needed: int, guess: Any = None) -> Figure:
    """Share of the variance that the first 1 … k principal components keep, 0 to 1.

    needed: how many of them keep 90 %, 1 to k.
    """
    kept = reals("kept", kept)
    whole("needed", needed, most=len(kept))
    figure, axes = subplots(figsize=(6, 3.2))
    numbers = np.arange(1, len(kept) + 1)
    axes.plot(numbers, kept, color=DATA, label="kept by the first k")
    axes.axhline(0.9, color=GREY, linewidth=0.8, linestyle=":")
    axes.text(1, 0.91, "90 %", color=GREY)
    axes.axvline(needed, color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(f"{needed}", (needed, 0.02), (4, 0), textcoords="offset points", color=GREY)
    mark_guess(axes, guess, vertical=True)
    axes.set(xscale="log", xlabel="components k", ylabel="share of the variance", ylim=(0, 1.03))
    axes.legend(loc="lower right")
    return figure


def attribute_shares(shares: Mapping[str, Sequence[float]]) -> Figure:
    """For each attribute, how much of each component's variance it explains (0 to 1)."""
    shares = named("shares", shares, reals)
    figure, axes = subplots(figsize=(7.5, 0.4 * len(shares) + 1))
    values = np.array(list(shares.values()))
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        color = "white" if value > 0.6 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    axes.set_yticks(range(len(shares)), labels=list(shares))
    axes.set_xticks(range(values.shape[1]), labels=range(1, values.shape[1] + 1))
    axes.set(
        xlabel="principal component",
        title="share of a component's variance that lies between an attribute's values",
    )
    axes.spines[:].set_visible(False)
    return figure


def _vae(name: str, model: Any) -> Any:
    if not callable(getattr(model, "decode", None)):
        raise TypeError(
            f"{name} must have a method decode, as a VAE has; got {type(model).__name__}"
        )
    return model


@torch.no_grad()
def decoded_plane(
    model: Any, n: int, reach: float
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """One sheet of the n × n pictures that a grid of 2-D codes in [-reach, reach] decodes to.

    And where it ends, as `imshow` wants its extent: the outermost codes are half a picture inside.
    """
    _vae("model", model), whole("n", n, most=MOST), number("reach", reach, above=0)
    side = torch.linspace(-reach, reach, n)
    y, x = torch.meshgrid(-side, side, indexing="ij")  # up is up
    sheet = as_sheet(model.decode(torch.stack([x, y], dim=-1).reshape(-1, 2)), n, gap=0)
    end = reach * n / max(n - 1, 1)
    return sheet, (-end, end, -end, end)


def code_planes(
    models: Mapping[str, Any], x: Float[Tensor, "n c h w"], faces: int = 6, reach: float = 2.5
) -> Figure:
    """For VAEs with 2 latents: the codes μ of real pictures; below, what the plane decodes to."""
    named("models", models, _vae), pictures("x", x), number("reach", reach, above=0)
    whole("faces", faces, most=MOST)
    sheets, extents = zip(*(decoded_plane(m, faces, reach) for m in models.values()), strict=True)
    side = len(sheets[0]) * max(1, 192 // len(sheets[0]))  # dots
    figure = canvas(55 + len(models) * (side + 12), 2 * side + 95)
    for i, (name, model) in enumerate(models.items()):
        with torch.no_grad():
            mu, _ = model.encode(x)
        left = 55 + i * (side + 12)
        above = in_dots(figure, left, side + 50, side, side)
        above.scatter(*mu.T, s=3, color=DATA)
        above.add_patch(plt.Circle((0, 0), 2, fill=False, color="black"))
        outside = (mu.norm(dim=1) > 2).float().mean()
        above.set(xlim=(-2 * reach, 2 * reach), ylim=(-2 * reach, 2 * reach))
        above.set_title(f"{name}\n{outside:.0%} outside radius 2", fontsize=9)
        below = in_dots(figure, left, 22, side, side)
        below.imshow(sheets[i], vmin=0, vmax=1, extent=extents[i], interpolation="nearest")
        below.locator_params(nbins=5)  # none at the ends, where those of two panels would meet
        for plane in (above, below):
            plane.spines[:].set_visible(False)
            plane.tick_params(labelsize=7, labelleft=i == 0)
        if i == 0:
            above.set_ylabel(f"codes μ within ±{2 * reach:g}")
            below.set_ylabel("decoded plane")
    return figure


def codes_over_prior(
    codes: Mapping[str, tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2"]]],
) -> Figure:
    """For each model, (μ, σ) of real pictures as ellipses, over the prior's circles of 1 and 2."""
    codes = named("codes", codes, several, reals, "n", 2, count=2)
    figure, all_axes = subplots(1, len(codes), figsize=(4 * len(codes), 3.9), squeeze=False)
    for axes, (name, (mu, sigma)) in zip(all_axes[0], codes.items(), strict=True):
        ellipses = EllipseCollection(
            *(2 * sigma).T, 0.0, units="xy", offsets=mu, transOffset=axes.transData,
            facecolors=DATA, alpha=0.3,
        )  # fmt: skip
        axes.add_collection(ellipses)
        axes.scatter(*mu.T, s=3, color=DATA, linewidth=0)
        for radius in (1, 2):
            axes.add_patch(plt.Circle((0, 0), radius, fill=False, color="black", lw=1.2))
        reach = max(3.0, (mu.abs() + sigma).max().item() * 1.05)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.set(title=name, xlabel="first latent")
    all_axes[0, 0].set_ylabel("second latent")
    handles = [plt.Line2D([], [], color=DATA, alpha=0.4, marker="o", linestyle="", markersize=9)]
    handles += [plt.Line2D([], [], color="black")]
    names = ("one face: μ ± σ", "the prior, at 1 and 2 standard deviations")
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def bound_and_evidence(
    x: Float[Tensor, " n"],
    evidence: Float[Tensor, " n"],
    bound: Float[Tensor, " n"],
    z: Float[Tensor, " m"],
    posterior: Float[Tensor, " m"],
    q: Float[Tensor, " m"],
    at: float,
) -> Figure:
    """log p(x), its best bound and the gap over x; and at one x, the posterior and the best q."""
    x, z, at = reals("x", x), reals("z", z), number("at", at)
    evidence, bound = reals("evidence", evidence, len(x)), reals("bound", bound, len(x))
    posterior, q = reals("posterior", posterior, len(z)), reals("q", q, len(z))
    figure, (left, right) = subplots(1, 2, figsize=(8.5, 3.1))
    left.plot(x, evidence, color="black", label="log p(x), exact")
    left.plot(x, bound, color=MODEL, linestyle="--", label="the best bound")
    left.fill_between(x, bound, evidence, color=OTHER, alpha=0.4, label="gap: KL(q ‖ p(z | x))")
    left.axvline(at, color=GREY, linewidth=0.8, linestyle=":")
    left.set(xlabel="x", ylabel="nats")
    right.plot(z, posterior, color="black", label=f"p(z | x = {at:g})")
    right.plot(z, q, color=MODEL, linestyle="--", label="the best Gaussian q")
    right.set(xlabel="z", ylabel="density", ylim=(0, None))
    for axes in (left, right):
        axes.legend(fontsize=8.5)
    return figure


def through_a_vae(
    x: Float[Tensor, "c h w"],
    mu: Float[Tensor, " d"],
    sigma: Float[Tensor, " d"],
    z: Float[Tensor, " d"],
    redrawn: Float[Tensor, "c h w"],
) -> Figure:
    """One picture on its way through: encoder, N(μ, σ²) per latent with the draw z, decoder."""
    pictures("x", x, 3), pictures("redrawn", redrawn, 3)
    mu = reals("mu", mu)
    sigma, z = reals("sigma", sigma, len(mu)), reals("z", z, len(mu))
    if sigma.min() < 0:
        raise ValueError(f"sigma must be at least 0; got {sigma.min():.3g}")
    figure, (left, middle, right) = subplots(1, 3, figsize=(9, 2.3), width_ratios=(1, 3, 1))
    for axes, picture, title in ((left, x, "x"), (right, redrawn, "decode(z)")):
        axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
        bare(axes, title)
    where = np.arange(len(mu))
    middle.axhspan(-1, 1, color="0.93", label="prior, ±1")
    middle.errorbar(
        where, mu, sigma, fmt="o", color=DATA, markersize=3, linewidth=1.2, label="μ ± σ"
    )
    middle.plot(where, z, "x", color=MODEL, markersize=5, label="z = μ + σε")
    middle.set(xlabel="latent", ylabel="value", xlim=(-1, len(mu)))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def manifold(model: Any, columns: int = 15, reach: float = 2.5) -> Figure:
    """The pictures that a VAE with 2 latents draws, laid out by their codes in [-reach, reach]².

    Each pixel is one dot. The circle holds 86 % of the prior: radius 2.
    """
    whole("columns", columns, most=MOST)
    sheet, extent = decoded_plane(model, columns, reach)
    side, margin = len(sheet), 55
    figure = canvas(side + margin + 5, side + margin + 5)
    axes = in_dots(figure, margin, margin, side, side)
    axes.imshow(sheet, vmin=0, vmax=1, extent=extent, interpolation="nearest")
    axes.add_patch(plt.Circle((0, 0), 2, fill=False, color="white", lw=5))
    axes.add_patch(plt.Circle((0, 0), 2, fill=False, color=MODEL, lw=2.5))
    axes.set(xlabel="first latent", ylabel="second latent")
    return figure


def two_pictures_one_answer(answers: Float[Tensor, " n"], loss: Float[Tensor, " n"]) -> Figure:
    """Squared error of one answer where the truth is −1 or +1, each half of the time."""
    answers = reals("answers", answers)
    loss = reals("loss", loss, len(answers))
    figure, axes = subplots(figsize=(5.5, 2.8))
    axes.plot(answers, loss, color=MODEL, label="mean squared error / 2")
    axes.plot([-1, 1], [0, 0], "s", color=DATA, clip_on=False, label="the pictures")
    axes.plot(0, loss.min(), "o", color=MODEL, label="the best answer")
    axes.set(xlabel="answer", ylabel="loss", ylim=(0, None))
    figure.legend(loc="outside right upper")
    return figure


def redness(named: Mapping[str, Float[Tensor, " n"]], threshold: float) -> Figure:
    """Histograms of the redness of sets of skies; the line is where a sky counts as red."""
    named, threshold = checks.named("named", named, reals), number("threshold", threshold)
    figure, axes = subplots(figsize=(6.5, 3))
    everything = torch.cat(list(named.values()))
    low, high = everything.min().item(), everything.max().item()
    edges = np.linspace(low, high, 60)
    styles = ((DATA, "-"), (MODEL, "--"), (OTHER, "-."))
    for (name, values), (color, line) in zip(named.items(), styles, strict=False):
        axes.hist(values.numpy(), edges, density=True, alpha=0.25, color=color)
        axes.hist(
            values.numpy(), edges, density=True, histtype="step", color=color, ls=line, lw=1.6
        )
        axes.plot([], [], color=color, linestyle=line, label=name)
    axes.axvline(0, color=GREY, linewidth=0.8, label="black, grey, white")
    axes.axvline(threshold, color="black", linestyle=":", label="red from here on")
    axes.set(xlabel="redness of the sky", ylabel="density")
    axes.legend()
    return figure
