"""What every lecture draws with. Each function draws one figure and returns it.

A lecture's own figures stand in the module with its name, and come into its notebook by
`from course_lib.plots import gan as figures`.

Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart. One thing
keeps one colour through the course: data are blue, what a model makes is orange, a guess is green.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython import display
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image
from torch import Tensor

from course_lib import checks
from course_lib.checks import MANY, instance, number, pictures, reals, several, texts, whole

DATA, MODEL, GUESS, OTHER, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
CYCLE = (DATA, MODEL, GUESS, OTHER, "#E69F00", "#56B4E9", "#000000")
# D's surface: grey where it says fake, white in doubt, light blue, the data's colour, where real
SURFACE = LinearSegmentedColormap.from_list("D", ["#bdbdbd", "#ffffff", "#a9cfe6"])
DPI, GAP = 100, 2  # dots an inch; pixels between the pictures of a sheet
WIDE = 1000  # pictures a row and pixels between them, at most: more is a slip, and fits no memory
# White paper, whatever theme the page has and whatever style was chosen before
INK = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
plt.rcParams.update(
    {
        **dict.fromkeys(INK, "black"),
        **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "white"),
        **{"savefig.facecolor": "auto", "savefig.transparent": False},
        "axes.prop_cycle": plt.cycler(color=CYCLE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "figure.constrained_layout.use": True,
        "figure.dpi": DPI,
        "image.cmap": "gray",
        "legend.frameon": False,
        "lines.linewidth": 2,
    }
)


def subplots(*args: Any, **options: Any) -> tuple[Figure, Any]:
    """As `plt.subplots`, for a figure that its caller shows: pyplot forgets it at once."""
    figure, axes = plt.subplots(*args, **options)
    plt.close(figure)
    return figure, axes


def as_pictures(images: Shaped[Tensor, "n c h w"]) -> np.ndarray:
    """Images as matplotlib wants them: (n, h, w) for grey or (n, h, w, 3), numbers in [0, 1].

    Takes uint8 in 0 … 255 or floats in [-1, 1]; floats outside are clipped. Raises as
    `checks.pictures`.
    """
    pictures("images", images)
    x = images.detach().float().cpu()
    x = x / 255 if images.dtype == torch.uint8 else (x.clamp(-1, 1) + 1) / 2
    x = x.permute(0, 2, 3, 1).numpy()
    return x[..., 0] if x.shape[-1] == 1 else x


def as_sheet(images: Shaped[Tensor, "n c h w"], columns: int, gap: int = GAP) -> np.ndarray:
    """All pictures side by side in one array, row by row, with a white gap between them."""
    whole("columns", columns, most=WIDE), whole("gap", gap, 0, most=WIDE)
    pictures = as_pictures(images)
    n, h, w = pictures.shape[:3]
    rows = -(-n // columns)
    step_y, step_x = h + gap, w + gap
    sheet = np.ones((rows * step_y - gap, columns * step_x - gap, *pictures.shape[3:]))
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet[y * step_y : y * step_y + h, x * step_x : x * step_x + w] = picture
    return sheet


def bare(axes: Axes, title: str | None = None) -> None:
    instance("axes", axes, Axes)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if title is not None:
        axes.set_title(title)


def grid(
    images: Shaped[Tensor, "n c h w"], columns: int = 16, title: str = "", width: float = 8.0
) -> Figure:
    """The images as one sheet, at most `columns` a row: as many as fit at a whole multiple of
    their pixels, small ones at least doubled. Ranges as in `as_pictures`."""
    pictures("images", images), whole("columns", columns), number("width", width, above=0)
    texts(title=title)
    w = images.shape[-1]
    room = width * DPI / (2 if w < 48 else 1)
    fit = max(1, int((room + GAP) // (w + GAP)))
    figure = _sheets([as_sheet(images, min(columns, len(images), fit))], width)
    bare(figure.axes[0], title)
    return figure


def rows(
    named: Mapping[str, Shaped[Tensor, "n c h w"]],
    width: float = 8.0,
    above: Sequence[str] | None = None,
) -> Figure:
    """One row of pictures for each name, with the name at its left: for comparing samplers.

    above: what stands over each column.
    """
    checks.named("named", named, pictures), number("width", width, above=1.2)
    widest = max(images.shape[-1] for images in named.values())
    sheets = [as_sheet(_enlarged(images, widest), len(images)) for images in named.values()]
    figure = _sheets(sheets, width - 1.2)
    for axes, name in zip(figure.axes, named, strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    for i, text in enumerate(above or ()):
        place, over = (
            ((i + 0.5) / len(above), 1.0),
            {"xytext": (0, 3), "textcoords": "offset points"},
        )
        figure.axes[0].annotate(
            text, place, xycoords="axes fraction", ha="center", fontsize=8, **over
        )
    return figure


def _enlarged(images: Shaped[Tensor, "n c h w"], width: int) -> Shaped[Tensor, "n c hs ws"]:
    """Each pixel repeated as often as fits, so that rows of small and large pictures align."""
    times = width // images.shape[-1]
    return images.repeat_interleave(times, -1).repeat_interleave(times, -2)


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many dots, on which `in_dots` places axes."""
    number("width", width, above=0), number("height", height, above=0)
    figure = plt.figure(figsize=(width / DPI, height / DPI), layout="none")
    plt.close(figure)
    return figure


def in_dots(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place that is counted in dots, so that a picture's pixels are equally large."""
    instance("figure", figure, Figure), number("x", x), number("y", y)
    number("width", width, above=0), number("height", height, above=0)
    wide, high = figure.get_size_inches() * DPI
    return figure.add_axes((x / wide, y / high, width / wide, height / high))


def _sheets(sheets: Sequence[np.ndarray], width: float) -> Figure:
    """One axes for each sheet, one below the other; a pixel becomes a whole number of dots, as
    many as `width` inches allow: other sizes blur some pixels and double others."""
    h, w = (np.array([sheet.shape[side] for sheet in sheets]) for side in (0, 1))
    zoom = max(1, int(width * DPI // w.max()))
    top = zoom * h.sum() + 6 * (len(sheets) - 1)
    figure = canvas(zoom * w.max(), top)
    for sheet, high, wide in zip(sheets, zoom * h, zoom * w, strict=True):
        axes = in_dots(figure, 0, top - high, wide, high)
        axes.imshow(sheet, vmin=0, vmax=1, interpolation="nearest")
        bare(axes)
        top -= high + 6
    return figure


def panels(named: Mapping[str, Shaped[Tensor, "c h w"]], height: float = 2.4) -> Figure:
    """Single pictures side by side, each under its own title, all at the same magnification."""
    checks.named("named", named, pictures, 3), number("height", height, above=0)
    wide = [image.shape[-1] for image in named.values()]
    tallest = max(image.shape[-2] for image in named.values())
    figure, all_axes = subplots(
        1, len(named), figsize=(height * sum(wide) / tallest, height + 0.3), squeeze=False,
        width_ratios=wide,
    )  # fmt: skip
    for axes, (name, image) in zip(all_axes[0], named.items(), strict=True):
        axes.imshow(as_pictures(image[None])[0], vmin=0, vmax=1, interpolation="nearest")
        bare(axes, name)
    return figure


def mark_guess(axes: Axes, guess: Any, text: str = "your guess", vertical: bool = False) -> None:
    """Draws a recorded prediction (see `exercises.predict`) as a dashed line; none, no line."""
    if guess is None or getattr(guess, "guess", guess) is None:
        return
    instance("axes", axes, Axes), texts(text=text)
    value = number("guess", getattr(guess, "guess", guess))
    line = axes.axvline if vertical else axes.axhline
    line(value, color=GUESS, linestyle="--", label=f"{text}: {value:g}")


EXTENT = (-1.6, 1.6)


def plane(
    resolution: int = 80, x: tuple[float, float] = EXTENT, y: tuple[float, float] = EXTENT
) -> Float[Tensor, "points 2"]:
    """The points of a grid over the picture of lecture 01, or a part, row by row from below."""
    whole("resolution", resolution, most=MANY)
    for name, ends in (("x", x), ("y", y)):
        if not isinstance(ends, Sequence) or len(ends) != 2:
            raise TypeError(f"{name} must be (from, to); got {ends!r}")
        for end in ends:
            number(name, end)
    sides = torch.linspace(*y, resolution), torch.linspace(*x, resolution)
    y, x = torch.meshgrid(*sides, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def bars(named: Mapping[str, float], label: str, guess: Any = None, colors: Any = None) -> Figure:
    """One horizontal bar for each name with its value written at the end; the chosen one marked."""
    checks.named("named", named, number), texts(label=label)
    figure, axes = subplots(figsize=(6, 0.5 * len(named) + 0.9))
    names, values = list(named), list(named.values())
    axes.barh(names, values, color=colors or DATA)
    widest = max(abs(value) for value in values)
    for y, value in enumerate(values):  # a tiny negative bar would write over its own name
        left = value < -0.05 * widest
        place = {"ha": "right", "xytext": (-4, 0)} if left else {"ha": "left", "xytext": (4, 0)}
        at = (value if left else max(value, 0), y)
        axes.annotate(f"{value:.3g}", at, va="center", textcoords="offset points", **place)
    chosen = getattr(guess, "guess", guess)
    if chosen in names:
        axes.get_yticklabels()[names.index(chosen)].set(color=GUESS, fontweight="bold")
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xlabel(label)
    axes.axvline(0, color="black", linewidth=0.8)
    return figure


def film(pictures: Sequence[np.ndarray], milliseconds: int = 120) -> Any:
    """Pictures one after another as an animated GIF, which a notebook shows without a kernel.

    All share one palette, to which the house's colours belong, however few pixels have them.
    """
    several("pictures", pictures, instance, np.ndarray)
    whole("milliseconds", milliseconds, most=655_350)  # a GIF counts hundredths, in two bytes
    if len({picture.shape for picture in pictures}) > 1:
        raise ValueError("pictures must have one shape; these have several")
    buffer = io.BytesIO()
    stack = np.concatenate(pictures)
    house = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in CYCLE]
    block = np.repeat(np.array(house, np.uint8), len(stack) // 40 + 1, axis=0)  # 1 in 6 pixels
    block = np.broadcast_to(block[:, None], (len(block), *stack.shape[1:]))
    palette = Image.fromarray(np.concatenate([stack, block])).quantize(64)
    images = [Image.fromarray(p).quantize(palette=palette, dither=0) for p in pictures]
    images[0].save(
        buffer, "gif", save_all=True, append_images=images[1:], duration=milliseconds, loop=0
    )
    return display.Image(buffer.getvalue(), format="gif")


def with_neighbours(
    samples: Shaped[Tensor, "n c h w"], neighbours: Shaped[Tensor, "n k c h w"]
) -> Figure:
    """Each sample above its k nearest training images."""
    pictures("samples", samples), pictures("neighbours", neighbours, 5)
    named = {"sample": samples}
    for i in range(neighbours.shape[1]):
        named[f"nearest {i + 1}"] = neighbours[:, i]
    return rows(named)


def curves(
    x: Sequence[float],
    named: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    marks: Mapping[str, float] | None = None,
    guess: Any = None,
    **scales: Any,
) -> Figure:
    """A line for each name over x; marks: dotted vertical lines at named places.

    The legend of four lines and more stands above, where it hides none; one line has no legend.
    """
    x, marks = reals("x", x), checks.named("marks", marks, number) if marks else {}
    lines = checks.named("named", named, reals, len(x))
    texts(xlabel=xlabel, ylabel=ylabel)
    figure, axes = subplots(figsize=(6.4, 3.1))
    styles = ("-", "--", ":", "-.")
    for i, (name, y) in enumerate(lines.items()):
        axes.plot(x, y, color=CYCLE[i], linestyle=styles[i % 4], label=name)
    for name, place in marks.items():
        axes.axvline(place, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(name, (place, 0.97), xycoords=("data", "axes fraction"), va="top",
                      xytext=(4, 0), textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set(xlabel=xlabel, ylabel=ylabel, **scales)
    mark_guess(axes, guess)
    if len(lines) > 3:
        figure.legend(loc="outside upper center", ncols=2)
    elif len(lines) > 1:
        axes.legend()
    return figure


def plain_ticks(axis: Any, subs: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Numbers on a logarithmic axis as one writes them: 0.5, 1, 10."""
    axis.set_major_locator(LogLocator(subs=reals("subs", subs).tolist()))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
