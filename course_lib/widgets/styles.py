"""Sliders of lecture 09: mixing, truncation, leaks, aliasing."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import plots, styles
from course_lib.checks import finite, function, instance, named, present, shaped
from course_lib.plots import styles as figures
from course_lib.widgets import live


@torch.no_grad()
def mixer(
    generator: Any,
    a: Float[Tensor, "1 nz"],
    b: Float[Tensor, "1 nz"],
    read: Callable[[Tensor], str],
) -> ipywidgets.VBox:
    """Lecture 09: B's copies of w at some layers of A. `read` says what a picture shows."""
    instance("generator", generator, styles.StyleGenerator), function("read", read)
    for name, z in (("a", a), ("b", b)):
        finite(name, shaped(name, z, 1, generator.nz, like=generator.const))
    ws_a, ws_b = generator.ws(a), generator.ws(b)
    noise = generator.noises(1, torch.Generator().manual_seed(0))
    stops: dict[str, tuple[int, ...]] = {"all of A": ()}
    sides = [*generator.sides, generator.size]
    for side in dict.fromkeys(sides):
        layers = tuple(i for i, s in enumerate(sides) if s == side)
        stops[f"{side} × {side} of B" if side != generator.size else "colours of B"] = layers
    stops["all of B"] = tuple(range(generator.layers))
    figure, axes = plt.subplots(1, 3, figsize=(6.0, 2.3))
    images = []
    for ax, ws, title in zip(axes, (ws_a, ws_a, ws_b), ("A", "mixed", "B"), strict=True):
        x = generator.synthesis(ws, noise)
        images.append(ax.imshow(plots.as_pictures(x)[0], vmin=0, vmax=1))
        plots.bare(ax, title)

    def draw(layers: tuple[int, ...]) -> str:
        ws = ws_a.clone()
        ws[:, list(layers)] = ws_b[:, list(layers)]
        with torch.no_grad():
            x = generator.synthesis(ws, noise).clamp(-1, 1)
        images[1].set_data(plots.as_pictures(x)[0])
        return read(x)

    return live(figure, stops, draw, start="all of A", label="copies of w")


def truncation(
    generator: Any, z: Float[Tensor, "n nz"], measure: Callable[[Tensor], str]
) -> ipywidgets.VBox:
    """Lecture 09: the same people nearer to the average, and on its other side."""
    instance("generator", generator, styles.StyleGenerator), function("measure", measure)
    finite("z", shaped("z", z, "n", generator.nz, like=generator.const))
    noise = generator.noises(len(z), torch.Generator().manual_seed(0))
    stops = {"opposite, ψ = −1": -1.0, "ψ = −0.5": -0.5, "average, ψ = 0": 0.0, "ψ = 0.5": 0.5}
    stops |= {"ψ = 0.7": 0.7, "as drawn, ψ = 1": 1.0, "beyond, ψ = 1.3": 1.3}
    figure, axes = plt.subplots(figsize=(7.2, 1.4))
    image = axes.imshow(plots.as_sheet(torch.zeros(len(z), 3, *[generator.size] * 2), len(z)))
    plots.bare(axes)

    def draw(psi: float) -> str:
        with torch.no_grad():
            x = generator(z, psi, noise).clamp(-1, 1)
        image.set_data(plots.as_sheet(x, len(z)))
        return measure(x)

    return live(figure, stops, draw, start="as drawn, ψ = 1", label="truncation")


def leak(laws: Mapping[str, Callable[[float], Float[Tensor, " k"]]]) -> ipywidgets.VBox:
    """Lecture 09: shares of the transformed pictures, and whether they tell what they were.

    laws: name -> p -> the share of each of k turns (of a cyclic group, the identity first).
    """
    for law in named("laws", laws).values():
        function("laws", law)
    p = torch.linspace(0, 1, 101)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.6), width_ratios=(1.6, 1))
    leaks = {name: torch.stack([smallest(law(float(q))) for q in p]) for name, law in laws.items()}
    figures.draw_leaks(left, p, leaks)
    place = left.axvline(0, color="black", linewidth=0.8)
    bars = right.bar(range(4), [0.0] * 4, color=plots.DATA)
    right.set(ylim=(0, 1), xlabel="turn", title="share")

    def draw(stop: tuple[str, float]) -> str:
        name, q = stop
        shares = laws[name](q)
        place.set_xdata([q, q])
        for i, bar in enumerate(bars):
            bar.set_height(float(shares[i]) if i < len(shares) else 0.0)
        left_over = smallest(shares).item()
        can = "cannot" if left_over < 1e-6 else "can"
        told = f"<b>{left_over:.3f}</b>; the orientation {can} be recovered"
        return f"{name}, p = {q:g}: smallest |eigenvalue| {told}"

    stops = {f"{name}, p = {q:g}": (name, q) for name in laws for q in (0.25, 0.5, 0.75, 1.0)}
    return live(figure, stops, draw, start=next(iter(stops)), label="drawn")


def smallest(shares: Float[Tensor, " k"]) -> Float[Tensor, ""]:
    """The smallest |eigenvalue| of a mixing of a cyclic group: of the transform of its shares."""
    shaped("shares", shares, "k")
    return torch.fft.fft(shares.double()).abs().min()


def aliasing(x: Float[Tensor, " n"], act: Callable[[Tensor], Tensor]) -> ipywidgets.VBox:
    """Lecture 09: an activation at several rates, before and after a shift; one stop is a trap."""
    finite("x", present("x", shaped("x", x, "n"))), function("act", act)
    picture = figures.Sticking(len(x))
    stops = {f"{k} ×, shift 0.3": (k, 0.3) for k in (1, 2, 4, 8)} | {"2 ×, shift 0.5": (2, 0.5)}

    def draw(stop: tuple[int, float]) -> str:
        factor, shift = stop

        def layer(x: Tensor) -> Tensor:
            return styles.filtered(x, factor, act)

        picture.show(layer(styles.moved(x, shift)), styles.moved(layer(x), shift))
        db = styles.equivariance(layer, x, shift)
        whole = factor * shift == round(factor * shift)
        trap = f": a shift of {factor * shift:g} whole samples at {factor} × proves nothing"
        return f"<b>{db:.0f} dB</b>{trap if whole else ''}"

    return live(picture.figure, stops, draw, start="1 ×, shift 0.3", label="rate")
