"""Sliders of lecture 11: between two networks, other damage than trained for, two sensors."""

import copy
from collections.abc import Callable, Mapping

import ipywidgets
import matplotlib.pyplot as plt
from jaxtyping import Float
from torch import Tensor, nn

from course_lib import plots
from course_lib.checks import function, instance, named, pictures, shaped, whole
from course_lib.restoration import between as interpolated
from course_lib.restoration import content_minimum
from course_lib.restorers import restore
from course_lib.widgets import live


def _strips(rows: Mapping[str, Tensor], width: float = 7.2) -> tuple[plt.Figure, dict]:
    """A figure with a strip of pictures for each name, and the images to set anew."""
    n, _, h, w = next(iter(rows.values())).shape
    high = width / n * h / w
    figure, all_axes = plt.subplots(
        len(rows), 1, figsize=(width + 1.2, len(rows) * (high + 0.06)), squeeze=False
    )
    images = {}
    for axes, (name, x) in zip(all_axes[:, 0], rows.items(), strict=True):
        images[name] = axes.imshow(plots.as_sheet(x, n), vmin=0, vmax=1)
        plots.bare(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure, images


def between(
    net_a: nn.Module,
    net_b: nn.Module,
    y: Float[Tensor, "n 3 h w"],
    truth: Float[Tensor, "n 3 H W"],
    read: Callable[[Tensor], str],
    shown: int = 8,
) -> ipywidgets.VBox:
    """Lecture 11: weights, and pictures, between two networks. `read` judges all n pictures."""
    instance("net_a", net_a, nn.Module), instance("net_b", net_b, nn.Module)
    pictures("truth", truth), function("read", read)
    weight = next(net_a.parameters(), None)
    pictures("y", shaped("y", y, len(truth), 3, "h", "w", like=weight))
    shown = whole("shown", shown, most=len(truth))
    moved, found = copy.deepcopy(net_a), {}
    for alpha in (0.0, 0.25, 0.5, 0.75, 1.0):
        moved.load_state_dict(interpolated(net_a.state_dict(), net_b.state_dict(), alpha))
        found[f"weights, a = {alpha:g}"] = restore(moved, y)
    ends = found["weights, a = 0"], found["weights, a = 1"]
    found["pictures, a = 0.5: a quarter of the price"] = (ends[0] + ends[1]) / 2
    said = {name: read(x) for name, x in found.items()}
    figure, images = _strips({"restored": ends[0][:shown], "true": truth[:shown]})

    def draw(name: str) -> str:
        images["restored"].set_data(plots.as_sheet(found[name][:shown], shown))
        return said[name]

    stops = {name: name for name in found}
    return live(figure, stops, draw, start="weights, a = 0", label="between")


def bench(
    restorers: Mapping[str, Callable[[Tensor], Tensor]],
    x: Float[Tensor, "n 3 H W"],
    damages: Mapping[str, Callable[[Tensor], Tensor]],
    read: Callable[[str, Tensor], str],
) -> ipywidgets.VBox:
    """Lecture 11: every restorer on every damage. `read(name, pictures)` judges one of them."""
    for kind, functions in (("restorers", restorers), ("damages", damages)):
        for one in named(kind, functions).values():
            function(kind, one)
    pictures("x", x), function("read", read)
    seen = {name: damage(x) for name, damage in damages.items()}
    made = {
        stop: {name: repair(y).clamp(-1, 1) for name, repair in restorers.items()}
        for stop, y in seen.items()
    }
    said = {stop: "; ".join(read(*one) for one in row.items()) for stop, row in made.items()}
    start = next(iter(seen))

    def strip(stop: str) -> dict[str, Tensor]:
        times = x.shape[-1] // seen[stop].shape[-1]
        large = seen[stop].repeat_interleave(times, -1).repeat_interleave(times, -2)
        return {"seen": large, **made[stop], "true": x}

    figure, images = _strips(strip(start))

    def draw(stop: str) -> str:
        for name, row in strip(stop).items():
            images[name].set_data(plots.as_sheet(row, len(x)))
        return said[stop]

    return live(figure, {name: name for name in seen}, draw, start=start, label="damage")


def sensors(
    colours: Float[Tensor, "n 3 H W"],
    grey: Float[Tensor, "n 1 H W"],
    truth: Float[Tensor, "n 3 H W"],
    read: Callable[[Tensor], str],
) -> ipywidgets.VBox:
    """Lecture 11: the exact minimum of FusionGAN's content loss for several ξ."""
    pictures("truth", truth), function("read", read)
    pictures("colours", shaped("colours", colours, *truth.shape))
    n, _, h, w = truth.shape
    pictures("grey", shaped("grey", grey, n, 1, h, w))
    stops = {"ξ = 0: the colours": 0.0, "ξ = 1": 1.0, "ξ = 5": 5.0, "ξ = 25": 25.0}
    stops |= {"ξ = 100": 100.0, "ξ = 10,000: the grey picture": 10_000.0}
    fused = {xi: content_minimum(colours, grey, xi).clamp(-1, 1) for xi in stops.values()}
    figure, images = _strips({"fused": fused[0.0], "true": truth})

    def draw(xi: float) -> str:
        images["fused"].set_data(plots.as_sheet(fused[xi], n))
        return read(fused[xi])

    return live(figure, stops, draw, start="ξ = 0: the colours", label="slopes")
