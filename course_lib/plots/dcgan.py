"""Figures of lecture 04: windows, small maps of numbers, spectra."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from course_lib import checks
from course_lib.checks import instance, reals, whole, wholes
from course_lib.plots import MODEL, WIDE, as_pictures, bare, subplots


def window_cells(
    size: int, kernel: int, stride: int, padding: int, dilation: int, at: int = 0
) -> np.ndarray:
    """The padded input of a convolution as cells: 0 padding, 1 picture, 2 seen at place `at`."""
    for name, value in (
        ("size", size),
        ("kernel", kernel),
        ("stride", stride),
        ("dilation", dilation),
    ):
        whole(name, value, most=WIDE)
    whole("padding", padding, 0, most=WIDE)
    side = size + 2 * padding
    cells = np.zeros((side, side), dtype=int)
    cells[padding : padding + size, padding : padding + size] = 1
    columns = (side - dilation * (kernel - 1) - 1) // stride + 1
    if columns < 1:
        raise ValueError(f"kernel must fit into {side} cells, {dilation} apart; got {kernel}")
    whole("at", at, 0, most=columns**2 - 1)
    y, x = divmod(at, columns)
    reach = np.arange(kernel) * dilation
    cells[np.ix_(y * stride + reach, x * stride + reach)] = 2
    return cells


# padding, picture, where a window looks, where a second one does, where both do
CELLS = np.array([[0.88] * 3, [0.66, 0.81, 0.90], [0.84, 0.37, 0.0], [0.0, 0.45, 0.70], [0.2] * 3])


def draw_cells(axes: Axes, cells: np.ndarray) -> None:
    """A small grid of squares: grey padding, light blue picture, orange where the window looks."""
    instance("axes", axes, Axes), instance("cells", cells, np.ndarray)
    if (
        cells.ndim != 2
        or cells.dtype.kind not in "iu"
        or not set(np.unique(cells)) <= {*range(len(CELLS))}
    ):
        raise ValueError(f"cells must be a grid of whole numbers from 0 to {len(CELLS) - 1}")
    picture = CELLS[cells].repeat(12, axis=0).repeat(12, axis=1)
    picture[::12], picture[:, ::12] = 1, 1  # lines; ticks would take ten times as long to draw
    axes.clear()
    axes.imshow(picture)
    bare(axes)


def _case(name: str, case: Any) -> Mapping[str, int]:
    numbers = ("size", "kernel", "stride", "padding", "dilation")
    return checks.named(name, case, whole, 0, most=WIDE, has=numbers)


def windows(cases: Mapping[str, Mapping[str, int]]) -> Figure:
    """For each named convolution, its padded input with the first and the last window."""
    checks.named("cases", cases, _case)
    figure, all_axes = subplots(1, len(cases), figsize=(2.3 * len(cases), 2.7), squeeze=False)
    seen: set[int] = set()
    for axes, (name, case) in zip(all_axes[0], cases.items(), strict=True):
        side = case["size"] + 2 * case["padding"]
        places = (side - case["dilation"] * (case["kernel"] - 1) - 1) // case["stride"] + 1
        first, last = (window_cells(**case, at=at) for at in (0, places**2 - 1))
        cells = np.where(last == 2, np.where(first == 2, 4, 3), first)
        seen |= set(cells.flatten().tolist())
        draw_cells(axes, cells)
        axes.set_title(f"{name}\n{case['size']} → {places}")
    kinds = {2: "first window", 3: "last", 4: "both"}
    patches = [Patch(color=tuple(CELLS[i]), label=kinds[i]) for i in kinds if i in seen]
    figure.legend(handles=patches, loc="outside lower center", ncols=3)
    return figure


def numbers(
    named: Mapping[str, Float[Tensor, "h w"]],
    seen: Mapping[str, tuple[int, int, int]] | None = None,
) -> Figure:
    """Small maps as shades of blue with the number in each cell.

    seen: a map's name -> (row, column, side) of the square in it that gets a frame.
    """
    named, seen = checks.named("named", named, reals, "h", "w"), seen or {}
    for name in seen:
        wholes(f"seen[{name!r}]", seen[name], 0)
    wide = [values.shape[1] for values in named.values()]
    figure, all_axes = subplots(
        1, len(named), figsize=(0.42 * sum(wide) + 0.4, 0.42 * max(wide) + 0.5), squeeze=False,
        width_ratios=wide,
    )  # fmt: skip
    for axes, (name, values) in zip(all_axes[0], named.items(), strict=True):
        low, high = min(values.min().item(), 0), max(values.max().item(), 1)
        axes.imshow(values.numpy(), cmap="Blues", vmin=low, vmax=high + 0.3 * (high - low))
        for (y, x), value in np.ndenumerate(values.numpy()):
            color = "white" if value > low + 0.6 * (high - low) else "black"
            axes.text(x, y, f"{value + 0:g}", ha="center", va="center", fontsize=8, color=color)
        if name in seen:
            y, x, side = seen[name]
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), side, side, fill=False, ec=MODEL, lw=2.5))
        bare(axes, name)
    return figure


def spectra(
    samples: Mapping[str, Float[Tensor, "n c h w"]], spectra: Mapping[str, Float[Tensor, "h w"]]
) -> Figure:
    """A picture of each kind above the mean power of its kind's spatial frequencies.

    Powers are drawn over the median of their kind, so that one scale serves all.
    """
    checks.named("samples", samples, checks.pictures)
    spectra = checks.named("spectra", spectra, reals, "h", "w", has=samples)
    figure, axes = subplots(2, len(samples), figsize=(2.3 * len(samples) + 0.7, 4.7), squeeze=False)
    for i, (name, pictures) in enumerate(samples.items()):
        axes[0, i].imshow(as_pictures(pictures[:1])[0], vmin=0, vmax=1, interpolation="nearest")
        bare(axes[0, i], name)
        power = spectra[name] / spectra[name].median()
        shown = axes[1, i].imshow(
            power.clamp(min=1e-12).log10().numpy(), cmap="cividis", vmin=-2, vmax=4,
            extent=(-0.5, 0.5, -0.5, 0.5), interpolation="nearest",
        )  # fmt: skip
        axes[1, i].set(xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
        axes[1, i].set_xlabel("cycles per pixel")
    axes[1, 0].set_ylabel("cycles per pixel")
    bar = figure.colorbar(shown, ax=list(axes[1]), shrink=0.9, ticks=[-2, 0, 2, 4])
    bar.set_ticklabels(["1/100", "1", "100", "10,000"])
    bar.set_label("power / median power")
    return figure
