"""Figures of lecture 04: windows, overlaps, spectra."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from course_lib.plots import as_pictures, bare, subplots


def window_cells(
    size: int, kernel: int, stride: int, padding: int, dilation: int, at: int = 0
) -> np.ndarray:
    """The padded input of a convolution as cells: 0 padding, 1 picture, 2 seen at place `at`."""
    side = size + 2 * padding
    cells = np.zeros((side, side), dtype=int)
    cells[padding : padding + size, padding : padding + size] = 1
    columns = (side - dilation * (kernel - 1) - 1) // stride + 1
    y, x = divmod(at, columns)
    reach = np.arange(kernel) * dilation
    cells[np.ix_(y * stride + reach, x * stride + reach)] = 2
    return cells


# padding, picture, where a window looks, where a second one does, where both do
CELLS = np.array([[0.88] * 3, [0.66, 0.81, 0.90], [0.84, 0.37, 0.0], [0.0, 0.45, 0.70], [0.2] * 3])


def draw_cells(axes: Axes, cells: np.ndarray) -> None:
    """A small grid of squares: grey padding, light blue picture, orange where the window looks."""
    picture = CELLS[cells].repeat(12, axis=0).repeat(12, axis=1)
    picture[::12], picture[:, ::12] = 1, 1  # lines; ticks would take ten times as long to draw
    axes.clear()
    axes.imshow(picture)
    bare(axes)


def windows(cases: Mapping[str, Mapping[str, int]]) -> Figure:
    """For each named convolution, its padded input with the first and the last window."""
    figure, all_axes = subplots(1, len(cases), figsize=(2.3 * len(cases), 2.7), squeeze=False)
    for axes, (name, case) in zip(all_axes[0], cases.items(), strict=True):
        side = case["size"] + 2 * case["padding"]
        places = (side - case["dilation"] * (case["kernel"] - 1) - 1) // case["stride"] + 1
        first, last = (window_cells(**case, at=at) for at in (0, places**2 - 1))
        cells = np.where(last == 2, np.where(first == 2, 4, 3), first)
        draw_cells(axes, cells)
        axes.set_title(f"{name}\n{case['size']} → {places}")
    patches = [Patch(color=tuple(CELLS[i])) for i in (2, 3, 4)]
    figure.legend(patches, ("first window", "last", "both"), loc="outside lower center", ncols=3)
    return figure


def overlaps(named: Mapping[str, Float[Tensor, "h w"]]) -> Figure:
    """How often each output pixel of a layer is painted, as grey and as a number."""
    figure, all_axes = subplots(1, len(named), figsize=(2.9 * len(named), 3.1), squeeze=False)
    for axes, (name, counts) in zip(all_axes[0], named.items(), strict=True):
        axes.imshow(counts.numpy(), cmap="Blues", vmin=0, vmax=1.3 * counts.max())
        for (y, x), count in np.ndenumerate(counts.numpy()):
            color = "white" if count > 0.6 * counts.max() else "black"
            axes.text(x, y, f"{count:g}", ha="center", va="center", fontsize=8, color=color)
        bare(axes, name)
    return figure


def spectra(
    samples: Mapping[str, Float[Tensor, "n c h w"]], spectra: Mapping[str, Float[Tensor, "h w"]]
) -> Figure:
    """A picture of each kind above the mean power of its kind's spatial frequencies."""
    figure, axes = subplots(2, len(samples), figsize=(2.3 * len(samples), 4.7), squeeze=False)
    for i, (name, pictures) in enumerate(samples.items()):
        axes[0, i].imshow(as_pictures(pictures[:1])[0], vmin=0, vmax=1, interpolation="nearest")
        bare(axes[0, i], name)
        power = spectra[name].clamp(min=1e-12).log10().numpy()
        darkest = np.quantile(power, 0.01)  # the constant is none of them
        axes[1, i].imshow(power, cmap="cividis", vmin=darkest, extent=(-0.5, 0.5, -0.5, 0.5))
        axes[1, i].set(xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
        axes[1, i].set_xlabel("cycles per pixel")
    return figure
