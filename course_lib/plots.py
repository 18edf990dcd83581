"""Every figure of the course. Each function draws one figure and returns it.

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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image
from torch import Tensor

DATA, MODEL, GUESS, OTHER, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
CYCLE = (DATA, MODEL, GUESS, OTHER, "#E69F00", "#56B4E9", "#000000")
# D's surface: grey where it says fake, white in doubt, light blue, the data's colour, where real
SURFACE = LinearSegmentedColormap.from_list("D", ["#bdbdbd", "#ffffff", "#a9cfe6"])

plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=CYCLE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "image.cmap": "gray",
        "legend.frameon": False,
        "lines.linewidth": 2,
    }
)


def _subplots(*args: Any, **options: Any) -> tuple[Figure, Any]:
    """As `plt.subplots`, for a figure that its caller shows: pyplot forgets it at once."""
    figure, axes = plt.subplots(*args, **options)
    plt.close(figure)
    return figure, axes


def as_pictures(images: Shaped[Tensor, "n c h w"]) -> np.ndarray:
    """Images as matplotlib wants them: (n, h, w) for grey or (n, h, w, 3), numbers in [0, 1].

    Takes uint8 in 0 … 255 or floats in [-1, 1]; floats outside are clipped. Raises ValueError for
    another rank or another number of channels than 1 or 3.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"images must have shape (n, 1 or 3, h, w); these have {tuple(images.shape)}"
        )
    x = images.detach().float().cpu()
    x = x / 255 if images.dtype == torch.uint8 else (x.clamp(-1, 1) + 1) / 2
    x = x.permute(0, 2, 3, 1).numpy()
    return x[..., 0] if x.shape[-1] == 1 else x


def _sheet(images: Shaped[Tensor, "n c h w"], columns: int, gap: int = 2) -> np.ndarray:
    """All pictures side by side in one array, row by row, with a white gap between them."""
    pictures = as_pictures(images)
    n, h, w = pictures.shape[:3]
    rows = -(-n // columns)
    step_y, step_x = h + gap, w + gap
    sheet = np.ones((rows * step_y - gap, columns * step_x - gap, *pictures.shape[3:]))
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet[y * step_y : y * step_y + h, x * step_x : x * step_x + w] = picture
    return sheet


def _bare(axes: Axes, title: str | None = None) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if title is not None:
        axes.set_title(title)


def grid(
    images: Shaped[Tensor, "n c h w"], columns: int = 16, title: str = "", width: float = 8.0
) -> Figure:
    """The images as one sheet with `columns` pictures a row. Ranges as in `as_pictures`."""
    sheet = _sheet(images, min(columns, len(images)))
    figure, axes = _subplots(figsize=(width, width * sheet.shape[0] / sheet.shape[1] + 0.3))
    axes.imshow(sheet, vmin=0, vmax=1)
    _bare(axes, title)
    return figure


def rows(named: Mapping[str, Shaped[Tensor, "n c h w"]], width: float = 8.0) -> Figure:
    """One row of pictures for each name, with the name at its left: for comparing samplers."""
    sheets = {name: _sheet(images, len(images)) for name, images in named.items()}
    heights = [sheet.shape[0] / sheet.shape[1] for sheet in sheets.values()]
    figure, all_axes = _subplots(
        len(sheets), 1, figsize=(width, (width - 1.2) * sum(heights) + 0.1), squeeze=False,
        height_ratios=heights,
    )  # fmt: skip
    for axes, (name, sheet) in zip(all_axes[:, 0], sheets.items(), strict=True):
        axes.imshow(sheet, vmin=0, vmax=1)
        _bare(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def panels(named: Mapping[str, Shaped[Tensor, "c h w"]], height: float = 2.4) -> Figure:
    """Single pictures side by side, each under its own title; they may differ in size."""
    figure, all_axes = _subplots(
        1, len(named), figsize=(height * len(named), height + 0.3), squeeze=False
    )
    for axes, (name, image) in zip(all_axes[0], named.items(), strict=True):
        axes.imshow(as_pictures(image[None])[0], vmin=0, vmax=1, interpolation="nearest")
        _bare(axes, name)
    return figure


def mark_guess(axes: Axes, guess: Any, text: str = "your guess", vertical: bool = False) -> None:
    """Draws a recorded prediction (see `exercises.predict`) as a dashed line; none, no line."""
    if guess is None or getattr(guess, "guess", guess) is None:
        return
    value = getattr(guess, "guess", guess)
    line = axes.axvline if vertical else axes.axhline
    line(value, color=GUESS, linestyle="--", label=f"{text}: {value:g}")


# --- lecture 01 ----------------------------------------------------------------------------------

EXTENT = (-1.6, 1.6)


def plane(resolution: int = 80) -> Float[Tensor, "points 2"]:
    """The points of a square grid over the lecture's picture, row by row from the bottom left."""
    side = torch.linspace(*EXTENT, resolution)
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def _draw_density(axes: Axes, density: Tensor, points: Tensor, samples: Tensor | None) -> Any:
    side = int(len(density) ** 0.5)
    shown = (density / density.max()).reshape(side, side).numpy()
    image = axes.imshow(
        shown, origin="lower", extent=EXTENT * 2, cmap="Greys", vmax=1.3, interpolation="bilinear"
    )
    axes.scatter(*points.T, s=4, alpha=0.6, color=DATA, label="data")
    if samples is not None:
        axes.scatter(*samples.T, s=7, color=MODEL, marker="x", linewidth=1, label="samples")
    axes.set(xlim=EXTENT, ylim=EXTENT, aspect="equal")
    _bare(axes)
    return image


def density_in_the_plane(
    densities: Mapping[str, Float[Tensor, " points"]],
    points: Float[Tensor, "n 2"],
    samples: Mapping[str, Float[Tensor, "m 2"]] | None = None,
) -> Figure:
    """The picture of lecture 01: data points over the density that a model gives to each place.

    `densities` are the model's densities on `plane()`, one panel each; `samples` of the same name
    are drawn into the same panel. Each panel's grey is scaled to its own maximum.
    """
    samples = samples or {}
    columns = len(densities)
    figure, all_axes = _subplots(1, columns, figsize=(2.7 * columns, 3.0), squeeze=False)
    for axes, (name, density) in zip(all_axes[0], densities.items(), strict=True):
        _draw_density(axes, density, points, samples.get(name))
        axes.set_title(name)
    handles, labels = all_axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def bandwidth_curve(
    sigmas: Sequence[float],
    train: Sequence[float],
    validation: Sequence[float],
    axes: Axes | None = None,
    floor: float | None = None,
) -> Figure:
    """Mean log-likelihood in nats of the centres themselves and of held-out data, over sigma."""
    if axes is None:
        _, axes = _subplots(figsize=(6, 3.2))
    train, validation = (np.asarray(curve, dtype=float) for curve in (train, validation))
    best = int(np.argmax(validation))
    axes.plot(sigmas, train, color=GREY, label="the centres themselves")
    axes.plot(sigmas, validation, color=DATA, label="held-out data")
    axes.plot(
        sigmas[best], validation[best], "o", color=DATA, label=f"best: σ = {sigmas[best]:.2g}"
    )
    axes.set(xscale="log", xlabel="bandwidth σ", ylabel="log-likelihood in nats")
    low = floor if floor is not None else min(validation)
    axes.set_ylim(low, max(train) + 0.05 * (max(train) - low))
    axes.legend()
    return axes.figure


def bumps(
    x: Float[Tensor, " n"],
    each: Float[Tensor, "n m"],
    centers: Float[Tensor, " m"],
) -> Figure:
    """A Parzen density on a line: `each` holds the m Gaussians, their mean is the estimate."""
    figure, axes = _subplots(figsize=(6, 2.6))
    axes.plot(x, each / each.shape[1], color=GREY, linewidth=0.8)
    axes.plot(x, each.mean(dim=1), color=MODEL, label="their sum: the estimate")
    axes.plot(centers, torch.zeros_like(centers), "|", color=DATA, markersize=14, label="samples")
    axes.plot([], [], color=GREY, linewidth=0.8, label="a Gaussian at each, weight 1/m")
    axes.set(xlabel="x", ylabel="density", ylim=(0, None))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def bent_noise(before: Float[Tensor, "n 2"], after: Sequence[Float[Tensor, "n 2"]]) -> Figure:
    """Gaussian noise, and what fixed random networks make of it; a point keeps its colour."""
    figure, all_axes = _subplots(1, 1 + len(after), figsize=(2.6 * (1 + len(after)), 2.9))
    angle = torch.atan2(before[:, 1], before[:, 0])
    titles = ["noise z"] + [f"network {i + 1}: g(z)" for i in range(len(after))]
    for axes, points, title in zip(all_axes, [before, *after], titles, strict=True):
        axes.scatter(*points.T, s=3, c=angle, cmap="twilight", rasterized=True)
        _bare(axes, title)
    return figure


def concentration(dimensions: Sequence[int], ratios: Sequence[float], guess: Any = None) -> Figure:
    """Distance to the nearest over distance to the farthest of 1,000 points, by dimension."""
    figure, axes = _subplots(figsize=(6, 3.2))
    axes.plot(dimensions, ratios, "o-", color=DATA, label="measured")
    for d, ratio in zip(dimensions, ratios, strict=True):
        axes.annotate(f"{ratio:.2f}", (d, ratio), (-3, 6), textcoords="offset points", ha="right")
    mark_guess(axes, guess, "your guess at d = 784")
    axes.margins(x=0.1)
    axes.set(xscale="log", xlabel="dimension d", ylabel="nearest / farthest", ylim=(-0.02, 1.12))
    axes.legend(loc="lower right")
    return figure


def neighbours_by_number(
    n: Sequence[int], distances: Sequence[float], slope: float, pixels: int
) -> Figure:
    """Median distance to the nearest of n images, both axes logarithmic, with its fitted line."""
    figure, axes = _subplots(figsize=(6, 3.2))
    axes.plot(n, distances, "o", color=DATA, label="measured")
    line = np.exp(np.mean(np.log(distances)) + slope * (np.log(n) - np.mean(np.log(n))))
    axes.plot(n, line, color=GREY, label=f"distance ∝ n^({slope:.3f})")
    axes.set(xscale="log", yscale="log", xlabel="number of images n")
    axes.set_ylabel(f"nearest distance\n(in {pixels} pixels)")
    axes.set_yticks([7, 8, 9, 10, 11], labels=["7", "8", "9", "10", "11"])
    axes.minorticks_off()
    axes.legend()
    return figure


def bars(named: Mapping[str, float], label: str, guess: Any = None, colors: Any = None) -> Figure:
    """One horizontal bar for each name with its value written at the end; the chosen one marked."""
    figure, axes = _subplots(figsize=(6, 0.5 * len(named) + 0.9))
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


# --- lecture 02 ----------------------------------------------------------------------------------


def variance_kept(kept: Float[Tensor, " k"], guess: Any = None) -> Figure:
    """Share of the variance that the first 1 … k principal components keep."""
    figure, axes = _subplots(figsize=(6, 3.2))
    numbers = np.arange(1, len(kept) + 1)
    axes.plot(numbers, kept, color=DATA, label="kept by the first k")
    axes.axhline(0.9, color=GREY, linewidth=0.8, linestyle=":")
    axes.text(1, 0.91, "90 %", color=GREY)
    mark_guess(axes, guess, vertical=True)
    axes.set(xscale="log", xlabel="components k", ylabel="share of the variance", ylim=(0, 1.03))
    axes.legend(loc="lower right")
    return figure


def attribute_shares(shares: Mapping[str, Sequence[float]]) -> Figure:
    """For each attribute, how much of each component's variance it explains (0 to 1)."""
    figure, axes = _subplots(figsize=(6.5, 0.45 * len(shares) + 1))
    values = np.array(list(shares.values()))
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        color = "white" if value > 0.6 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    axes.set_yticks(range(len(shares)), labels=list(shares))
    axes.set_xticks(range(values.shape[1]), labels=range(1, values.shape[1] + 1))
    axes.set(xlabel="principal component", title="share of its variance explained by")
    axes.spines[:].set_visible(False)
    return figure


@torch.no_grad()
def _decoded_plane(model: Any, n: int, reach: float) -> np.ndarray:
    """One sheet of the n × n pictures that a grid of 2-D codes in [-reach, reach] decodes to."""
    side = torch.linspace(-reach, reach, n)
    y, x = torch.meshgrid(-side, side, indexing="ij")  # up is up
    return _sheet(model.decode(torch.stack([x, y], dim=-1).reshape(-1, 2)), n, gap=0)


def code_planes(
    models: Mapping[str, Any], x: Float[Tensor, "n c h w"], faces: int = 6, reach: float = 2.5
) -> Figure:
    """For VAEs with 2 latents: the codes μ of real pictures; below, what the plane decodes to."""
    columns = len(models)
    figure, axes = _subplots(2, columns, figsize=(2.2 * columns, 4.6), squeeze=False)
    for i, (name, model) in enumerate(models.items()):
        with torch.no_grad():
            mu, _ = model.encode(x)
        axes[0, i].scatter(*mu.T, s=3, color=DATA)
        axes[0, i].add_patch(plt.Circle((0, 0), 2, fill=False, color=GREY))
        outside = (mu.abs() > 2 * reach).any(dim=1).float().mean()
        title = name + (f"\n{outside:.0%} outside" if outside > 0.005 else "\n")
        axes[0, i].set(xlim=(-2 * reach, 2 * reach), ylim=(-2 * reach, 2 * reach), aspect="equal")
        _bare(axes[0, i], title)
        axes[1, i].imshow(_decoded_plane(model, faces, reach), vmin=0, vmax=1)
        _bare(axes[1, i])
    return figure


def through_a_vae(
    x: Float[Tensor, "c h w"],
    mu: Float[Tensor, " d"],
    sigma: Float[Tensor, " d"],
    z: Float[Tensor, " d"],
    redrawn: Float[Tensor, "c h w"],
) -> Figure:
    """One picture on its way through: encoder, N(μ, σ²) per latent with the draw z, decoder."""
    figure, (left, middle, right) = _subplots(1, 3, figsize=(9, 2.3), width_ratios=(1, 3, 1))
    for axes, picture, title in ((left, x, "x"), (right, redrawn, "decode(z)")):
        axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
        _bare(axes, title)
    where = np.arange(len(mu))
    middle.axhspan(-1, 1, color="0.93", label="prior, ±1")
    middle.errorbar(
        where, mu, sigma, fmt="o", color=DATA, markersize=3, linewidth=1.2, label="μ ± σ"
    )
    middle.plot(where, z, "x", color=MODEL, markersize=5, label="z = μ + σε")
    middle.set(xlabel="latent", xlim=(-1, len(mu)))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def manifold(model: Any, columns: int = 15, reach: float = 2.5, width: float = 8.0) -> Figure:
    """The pictures that a VAE with 2 latents draws, laid out by their codes in [-reach, reach]²."""
    figure, axes = _subplots(figsize=(width, width))
    extent = (-reach, reach, -reach, reach)
    axes.imshow(_decoded_plane(model, columns, reach), vmin=0, vmax=1, extent=extent)
    axes.set(xlabel="first latent", ylabel="second latent")
    return figure


def two_pictures_one_answer(answers: Float[Tensor, " n"], loss: Float[Tensor, " n"]) -> Figure:
    """Squared error of one answer where the truth is −1 or +1, each half of the time."""
    figure, axes = _subplots(figsize=(5.5, 2.8))
    axes.plot(answers, loss, color=MODEL, label="mean squared error / 2")
    axes.plot([-1, 1], [0, 0], "o", color=DATA, clip_on=False, label="the pictures")
    axes.plot(0, loss.min(), "o", color=MODEL, label="the best answer")
    axes.set(xlabel="answer", ylabel="loss", ylim=(0, None))
    figure.legend(loc="outside right upper")
    return figure


def redness(named: Mapping[str, Float[Tensor, " n"]]) -> Figure:
    """Histograms of the redness of sets of skies; the line is the reddest one in the first set."""
    figure, axes = _subplots(figsize=(6.5, 3))
    everything = torch.cat(list(named.values()))
    low, high = everything.min().item(), everything.max().item()
    edges = np.linspace(low, high, 60)
    for (name, values), color in zip(named.items(), (DATA, MODEL, OTHER), strict=False):
        axes.hist(values.numpy(), edges, density=True, alpha=0.6, color=color, label=name)
    first = next(iter(named))
    axes.axvline(named[first].max().item(), color=GREY, linestyle=":", label=f"reddest {first}")
    axes.set(xlabel="redness of the sky", ylabel="density")
    axes.legend()
    return figure


# --- lecture 03 ----------------------------------------------------------------------------------


class GameInThePlane:
    """The picture of lecture 03: D's surface, data, generated points, where G's loss pushes them.

    Drawn once; `show(frame)` changes only what moves and returns the pixels, in about 10 ms.
    """

    def __init__(self, real: Float[Tensor, "n 2"], fakes: int, reach: float = 1.6):
        figure = Figure(figsize=(4, 4), dpi=90, layout="none")
        self.canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
        axes.set_position([0, 0, 1, 1])
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        _bare(axes)
        extent = (-reach, reach, -reach, reach)
        self.surface = axes.imshow(
            np.zeros((2, 2)), origin="lower", extent=extent, cmap=SURFACE, vmin=0, vmax=1,
            interpolation="bilinear",
        )  # fmt: skip
        self.real = axes.scatter(*real.T, s=5, color=DATA, linewidth=0)
        self.fake = axes.scatter(*np.zeros((2, fakes)), s=9, color=MODEL, linewidth=0)
        self.arrows = axes.quiver(
            *np.zeros((4, fakes)), angles="xy", scale_units="xy", scale=1, width=0.004,
            color=MODEL, alpha=0.7,
        )  # fmt: skip
        self.text = axes.text(0.02, 0.97, "", transform=axes.transAxes, va="top", fontsize=9)
        self.moving = (self.surface, self.real, self.arrows, self.fake, self.text)
        self.axes = axes
        self.canvas.draw()

    def show(self, frame: Any, text: str = "") -> np.ndarray:
        """(height, width, 3) bytes. Arrows are cut at a quarter of the picture's half width."""
        length = frame.arrows.norm(dim=1, keepdim=True).clamp(min=1e-9)
        arrows = frame.arrows / length * length.clamp(max=self.axes.get_xlim()[1] / 4)
        self.surface.set_data(frame.surface.numpy())
        self.fake.set_offsets(frame.fake.numpy())
        self.arrows.set_offsets(frame.fake.numpy())
        self.arrows.set_UVC(*arrows.T.numpy())
        self.text.set_text(text)
        for artist in self.moving:
            self.axes.draw_artist(artist)
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()


def film(pictures: Sequence[np.ndarray], milliseconds: int = 120) -> Any:
    """Pictures one after another as an animated GIF, which a notebook shows without a kernel."""
    buffer = io.BytesIO()
    images = [Image.fromarray(picture).quantize(48) for picture in pictures]
    images[0].save(
        buffer, "gif", save_all=True, append_images=images[1:], duration=milliseconds, loop=0
    )
    return display.Image(buffer.getvalue(), format="gif")


def game_strip(
    real: Float[Tensor, "n 2"], frames: Mapping[str, Any], height: float = 2.6
) -> Figure:
    """Moments of a game in the plane side by side, each under its name."""
    figure, all_axes = _subplots(1, len(frames), figsize=(height * len(frames), height + 0.7))
    for axes, (name, frame) in zip(np.atleast_1d(all_axes), frames.items(), strict=True):
        game = GameInThePlane(real, len(frame.fake))
        axes.imshow(game.show(frame))
        _bare(axes, name)
    handles = [plt.Line2D([], [], marker="o", linestyle="", color=c) for c in (DATA, MODEL)]
    handles += [plt.Rectangle((0, 0), 1, 1, color=SURFACE(v)) for v in (0.0, 1.0)]
    names = ("data", "generated, with its push", "D says fake", "D says real")
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    return figure


def optimal_and_trained(
    x: Float[Tensor, " n"],
    p: Float[Tensor, " n"],
    q: Float[Tensor, " n"],
    best: Float[Tensor, " n"],
    trained: Float[Tensor, " n"] | None = None,
) -> Figure:
    """Two densities on a line, the best discriminator between them, and a trained one."""
    figure, (left, right) = _subplots(1, 2, figsize=(8.5, 2.9))
    left.fill_between(x, p, color=DATA, alpha=0.5, label="data p")
    left.fill_between(x, q, color=MODEL, alpha=0.5, label="generated q")
    left.set(xlabel="x", ylabel="density", ylim=(0, None))
    left.legend()
    right.plot(x, best, color="black", label="D* = p / (p + q)")
    if trained is not None:
        right.plot(x, trained, color=OTHER, linestyle="--", label="trained D")
    right.set(xlabel="x", ylabel="D(x): chance of data", ylim=(-0.03, 1.03))
    right.legend()
    return figure


def sliding_apart(shifts: Sequence[float], divergence: Sequence[float]) -> Figure:
    """The Jensen-Shannon divergence of two equal bumps over the distance between them."""
    figure, axes = _subplots(figsize=(6, 2.8))
    axes.plot(shifts, divergence, color=DATA)
    axes.axhline(np.log(2), color=GREY, linewidth=0.8, linestyle=":")
    axes.text(shifts[0], np.log(2) * 1.02, "log 2", color=GREY)
    axes.set(xlabel="distance between the means, in σ", ylabel="JSD in nats", ylim=(0, 0.78))
    return figure


def generator_losses(
    probability: Float[Tensor, " n"],
    losses: Mapping[str, Float[Tensor, " n"]],
    slopes: Mapping[str, Float[Tensor, " n"]],
    guess: Any = None,
) -> Figure:
    """The generator's losses over D(G(z)), and the size of their gradients by D's score."""
    figure, (left, right) = _subplots(1, 2, figsize=(8.5, 3))
    for name, color in zip(losses, (MODEL, DATA), strict=False):
        left.plot(probability, losses[name], color=color, label=name.replace("_", "-"))
        right.plot(probability, slopes[name], color=color, label=name)
    left.set(xlabel="D(G(z))", ylabel="loss of G", xscale="log", ylim=(-5, 10))
    right.set(xlabel="D(G(z))", ylabel="|gradient| by the score", xscale="log", yscale="log")
    for axes in (left, right):
        axes.axvline(0.01, color=GREY, linewidth=0.8, linestyle=":")
    left.legend()
    return figure


def vanishing(steps: Sequence[int], sizes: Mapping[str, Sequence[float]]) -> Figure:
    """How long the gradient of G is, for each loss, after D has trained alone for so many steps."""
    figure, axes = _subplots(figsize=(6, 3))
    for (name, values), color in zip(sizes.items(), (MODEL, DATA), strict=False):
        axes.plot(steps, values, "o-", color=color, label=name.replace("_", "-"))
    axes.set(xlabel="steps that D trained alone", ylabel="length of G's gradient", yscale="log")
    axes.legend()
    return figure


def draw_value_function(axes: Axes, reach: float = 3.0) -> tuple[Any, Any]:
    """V(θ, ψ) = −ψθ in grey, and two empty artists: a path and its start."""
    side = np.linspace(-reach, reach, 60)
    theta, psi = np.meshgrid(side, side)
    axes.contourf(theta, psi, -theta * psi, 12, cmap="Greys", alpha=0.5)
    axes.plot(0, 0, "+", color="black", markersize=12)
    (path,) = axes.plot([], [], color=MODEL, linewidth=1.2)
    (start,) = axes.plot(1, 0, "o", color=MODEL)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel="θ: where G puts its point", ylabel="ψ: D's slope")
    return path, start


def orbit_strip(orbits: Mapping[str, Float[Tensor, "n 2"]]) -> Figure:
    """Paths of the game of one number against one number, over its value function."""
    figure, all_axes = _subplots(1, len(orbits), figsize=(3 * len(orbits), 3.3), squeeze=False)
    for axes, (name, orbit) in zip(all_axes[0], orbits.items(), strict=True):
        path, _ = draw_value_function(axes)
        path.set_data(*orbit.T)
        axes.set_title(name)
    for axes in all_axes[0, 1:]:
        axes.set_ylabel("")
    return figure


def with_neighbours(
    samples: Shaped[Tensor, "n c h w"], neighbours: Shaped[Tensor, "n k c h w"]
) -> Figure:
    """Each sample above its k nearest training images."""
    named = {"sample": samples}
    for i in range(neighbours.shape[1]):
        named[f"nearest {i + 1}"] = neighbours[:, i]
    return rows(named)


# --- lecture 04 ----------------------------------------------------------------------------------


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
    _bare(axes)


def windows(cases: Mapping[str, Mapping[str, int]]) -> Figure:
    """For each named convolution, its padded input with the first and the last window."""
    figure, all_axes = _subplots(1, len(cases), figsize=(2.3 * len(cases), 2.7), squeeze=False)
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
    figure, all_axes = _subplots(1, len(named), figsize=(2.9 * len(named), 3.1), squeeze=False)
    for axes, (name, counts) in zip(all_axes[0], named.items(), strict=True):
        axes.imshow(counts.numpy(), cmap="Blues", vmin=0, vmax=1.3 * counts.max())
        for (y, x), count in np.ndenumerate(counts.numpy()):
            color = "white" if count > 0.6 * counts.max() else "black"
            axes.text(x, y, f"{count:g}", ha="center", va="center", fontsize=8, color=color)
        _bare(axes, name)
    return figure


def spectra(
    samples: Mapping[str, Float[Tensor, "n c h w"]], spectra: Mapping[str, Float[Tensor, "h w"]]
) -> Figure:
    """A picture of each kind above the mean power of its kind's spatial frequencies."""
    figure, axes = _subplots(2, len(samples), figsize=(2.3 * len(samples), 4.7), squeeze=False)
    for i, (name, pictures) in enumerate(samples.items()):
        axes[0, i].imshow(as_pictures(pictures[:1])[0], vmin=0, vmax=1, interpolation="nearest")
        _bare(axes[0, i], name)
        power = spectra[name].clamp(min=1e-12).log10().numpy()
        darkest = np.quantile(power, 0.01)  # the constant is none of them
        axes[1, i].imshow(power, cmap="cividis", vmin=darkest, extent=(-0.5, 0.5, -0.5, 0.5))
        axes[1, i].set(xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
        axes[1, i].set_xlabel("cycles per pixel")
    return figure


def against_minutes(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], floor: float, label: str
) -> Figure:
    """A quality over minutes of training, for each way to train, above its floor."""
    figure, axes = _subplots(figsize=(6, 3.2))
    for (name, (minutes, values)), color in zip(curves.items(), (GREY, MODEL, DATA), strict=False):
        axes.plot(minutes, values, "o-", color=color, label=name)
    axes.axhline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(0, floor, "real against real", va="bottom", fontsize=8)
    axes.set(xlabel="minutes of training", ylabel=label, yscale="log")
    axes.legend()
    return figure


# --- lecture 05 ----------------------------------------------------------------------------------

# One look for one loss, through the lecture
LOSS_LOOKS = {
    "minimax": (MODEL, "-"),
    "non_saturating": (DATA, "-"),
    "dragan": ("#56B4E9", "--"),
    "least_squares": (GUESS, "-"),
    "wasserstein": (OTHER, "-"),
    "wgan_gp": (OTHER, "--"),
    "hinge": ("#E69F00", "-"),
    "began": ("#000000", "-."),
}


def _look(name: str) -> dict[str, Any]:
    color, style = LOSS_LOOKS.get(name, (GREY, "-"))
    return {"color": color, "linestyle": style, "label": name}


def losses_by_score(
    scores: Float[Tensor, " n"],
    losses: Mapping[str, Float[Tensor, " n"]],
    pushes: Mapping[str, Float[Tensor, " n"]],
) -> Figure:
    """What a fake of each score costs G, and how hard G is pushed to raise that score.

    Losses that are one and the same for G share a line.
    """
    figure, (left, right) = _subplots(1, 2, figsize=(9.5, 3.4))
    groups: dict[str, list[str]] = {}
    for name, loss in losses.items():
        same = (first for first in groups if torch.allclose(losses[first], loss, atol=1e-5))
        groups.setdefault(next(same, name), []).append(name)
    for first, names in groups.items():
        look = _look(first) | {"label": ",\n".join(names)}
        left.plot(scores, losses[first], **look)
        right.plot(scores, pushes[first], **look)
    for axes, label in ((left, "loss of G"), (right, "push on the score")):
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set(xlabel="score of a fake: fake  ←  →  real", ylabel=label, ylim=(-6, 8))
    right.set_ylim(-4, 4)
    right.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


class SlidAway:
    """The picture of lecture 05: fakes slide away from data, and how hard each loss pulls them.

    pulls: by loss, towards the data at each of `distances`, under the best D. measured: the same of
    trained networks (distances, pulls by loss), as dots and for the arrows. Drawn once; `show(i)`
    moves the fakes to distances[i].
    """

    REACH = 3.0  # arrows are cut here

    def __init__(
        self,
        distances: Float[Tensor, " n"],
        pulls: Mapping[str, Float[Tensor, " n"]],
        measured: tuple[Float[Tensor, " m"], Mapping[str, Float[Tensor, " m"]]] | None = None,
    ):
        self.distances, self.arrows = distances, {}
        self.places, self.drawn = measured or (distances, pulls)
        self.figure, (left, right) = _subplots(1, 2, figsize=(9, 3.6), width_ratios=(1.2, 1))
        self.figure.get_layout_engine().set(wspace=0.08)
        end = distances.max().item() + 4
        self.x = torch.linspace(-4, end, 400)
        data = left.fill_between(self.x, self._bump(0.0), color=DATA, alpha=0.5, label="data")
        (self.fakes,) = left.fill(self.x, 0 * self.x, color=MODEL, alpha=0.5, label="fakes")
        for row, name in enumerate(self.drawn):
            y = -0.09 * (row + 1)
            (arrow,) = left.plot([], [], marker="<", markevery=[1], markersize=7, **_look(name))
            color = _look(name)["color"]
            left.text(end, y, name, ha="right", va="center", fontsize=9, color=color)
            self.arrows[name] = arrow, y
        left.axhline(0, color="black", linewidth=0.8)
        left.set(xlim=(-4, end), ylim=(-0.09 * len(self.drawn) - 0.06, 0.45), yticks=[])
        left.set(xticks=range(0, int(end) - 3, 4), xlabel="x, and each loss's pull")
        left.legend(handles=[data, self.fakes], loc="upper right")
        for name, pull in pulls.items():
            faint = {"alpha": 0.3} if measured else {}
            right.plot(distances, pull, **_look(name) | faint)
        for name, pull in self.drawn.items() if measured else ():
            look = _look(name) | {"linewidth": 0.7, "marker": "o", "markersize": 4}
            right.plot(self.places, pull, **look)
        self.here = right.axvline(0, color=GREY, linewidth=0.8)
        right.axhline(0, color="black", linewidth=0.8)
        right.set(xlabel="distance of the fakes from the data, in σ", ylabel="pull to the data")
        right.set(ylim=(-0.25, 4.2), xticks=range(0, int(end) - 3, 4), yticks=range(5))
        if measured:
            right.set_title("dots: trained networks; faint: the best D", fontsize="small")

    def _bump(self, at: float) -> Tensor:
        return torch.exp(-0.5 * (self.x - at) ** 2) / (2 * np.pi) ** 0.5

    def show(self, i: int) -> Figure:
        at = self.distances[i].item()
        self.fakes.set_xy(torch.stack([self.x, self._bump(at)], 1).numpy())
        self.here.set_xdata([at, at])
        nearest = (self.places - at).abs().argmin()
        for name, (arrow, y) in self.arrows.items():
            pull = self.drawn[name][nearest].clamp(-self.REACH, self.REACH).item()
            arrow.set_data([at, at - pull], [y, y])
            arrow.set_marker("<" if pull >= 0 else ">")
        return self.figure


def slid_away(
    distances: Float[Tensor, " n"],
    pulls: Mapping[str, Float[Tensor, " n"]],
    at: float = 4.0,
    measured: tuple[Float[Tensor, " m"], Mapping[str, Float[Tensor, " m"]]] | None = None,
) -> Figure:
    """`SlidAway` with the fakes at the distance that is nearest to `at`."""
    nearest = (distances - at).abs().argmin().item()
    return SlidAway(distances, pulls, measured).show(nearest)


def curves(
    x: Sequence[float],
    named: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    marks: Mapping[str, float] | None = None,
    guess: Any = None,
    **scales: Any,
) -> Figure:
    """A line for each name over x; marks: dotted vertical lines at named places."""
    figure, axes = _subplots(figsize=(6.4, 3.1))
    styles = ("-", "--", ":", "-.")
    for i, (name, y) in enumerate(named.items()):
        axes.plot(x, y, color=CYCLE[i], linestyle=styles[i % 4], label=name)
    for name, place in (marks or {}).items():
        axes.axvline(place, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(name, (place, 0.97), xycoords=("data", "axes fraction"), va="top",
                      xytext=(4, 0), textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set(xlabel=xlabel, ylabel=ylabel, **scales)
    mark_guess(axes, guess)
    axes.legend()
    return figure


def critics(
    surfaces: Mapping[str, Float[Tensor, "rows columns"]],
    real: Float[Tensor, "n 2"],
    fake: Float[Tensor, "m 2"],
    reach: float = 1.6,
) -> Figure:
    """What critics say of the plane, as lines of equal score: dense lines are steep slopes."""
    figure, all_axes = _subplots(1, len(surfaces), figsize=(3.1 * len(surfaces), 3.4))
    side = np.linspace(-reach, reach, next(iter(surfaces.values())).shape[0])
    for axes, (name, surface) in zip(np.atleast_1d(all_axes), surfaces.items(), strict=True):
        shown = axes.contourf(side, side, surface, 14, cmap="Greys_r", alpha=0.45)
        axes.contour(shown, colors="black", linewidths=0.5, linestyles="solid")
        axes.scatter(*real.T, s=4, color=DATA, linewidth=0)
        axes.scatter(*fake.T, s=4, color=MODEL, linewidth=0)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        _bare(axes, name)
    return figure


def two_sets(
    real: Float[Tensor, "n 2"], fake: Float[Tensor, "m 2"], numbers: Mapping[str, Sequence[float]]
) -> Figure:
    """Points of data and of a generator, and beside them precision and recall, by who says so."""
    figure, (left, right) = _subplots(1, 2, figsize=(8, 2.9), width_ratios=(1.3, 1))
    left.scatter(*real.T, s=12, color=DATA, label="data")
    left.scatter(*fake.T, s=14, color=MODEL, marker="x", linewidth=1, label="fakes")
    _bare(left)
    left.legend()
    places, width = np.arange(len(numbers)), 0.38
    for i, (name, color) in enumerate((("precision", MODEL), ("recall", DATA))):
        heights = [pair[i] for pair in numbers.values()]
        bars = right.bar(places + (i - 0.5) * width, heights, width, color=color, label=name)
        right.bar_label(bars, fmt="%.2f", fontsize=8)
    right.set_xticks(places, list(numbers))
    right.set(ylim=(0, 1.35), yticks=[0, 0.5, 1])
    right.legend(ncols=2, loc="upper center")
    return figure


def scorecard(table: Mapping[str, Mapping[str, float]], floor: str, logs: Sequence[str]) -> Figure:
    """A panel for each measure, a bar for each set of pictures; `floor` names the best there is.

    table: set -> measure -> number. logs: the measures on a logarithmic axis.
    """
    names, measures = list(table), list(next(iter(table.values())))
    figure, all_axes = _subplots(
        1, len(measures), figsize=(3 + 1.9 * len(measures), 0.36 * len(names) + 0.9), sharey=True
    )
    for axes, measure in zip(np.atleast_1d(all_axes), measures, strict=True):
        values = [table[name][measure] for name in names]
        least = min((v for v in values if v > 0), default=1.0) / 3
        left = least if measure in logs else 0
        shown = [max(v, left) - left for v in values]
        axes.barh(names, shown, left=left, color=[GREY if n == floor else MODEL for n in names])
        if measure in logs:
            axes.set_xscale("log")
            axes.set_xlim(least, max(values) * 12)
        else:
            axes.set_xlim(0, 1.35 * max(*values, 1e-9))
        for y, value in enumerate(values):
            text = "0" if abs(value) < 5e-4 else f"{value:.2g}" if value < 99 else f"{value:.0f}"
            place = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(text, (max(value, left), y), fontsize=8, **place)
        axes.set_title(measure)
        axes.tick_params(labelsize=8)
    np.atleast_1d(all_axes)[0].invert_yaxis()
    return figure


def every_run(
    runs: Mapping[str, Mapping[float, Sequence[float]]], floor: float, label: str
) -> Figure:
    """Each run of a study: runs[loss][learning rate] holds a number a seed, NaN where it broke.

    One column of dots for each learning rate; broken runs are crosses above all others.
    """
    rates = sorted({rate for of_loss in runs.values() for rate in of_loss})
    figure, axes = _subplots(figsize=(9, 3.8))
    values = [v for of_loss in runs.values() for some in of_loss.values() for v in some]
    top = 1.6 * max((v for v in values if v == v), default=1.0)
    for place, of_loss in enumerate(runs.values()):
        for i, rate in enumerate(rates):
            some = np.asarray(of_loss.get(rate, ()), dtype=float)
            x = place + (i - (len(rates) - 1) / 2) * 0.24 + np.linspace(-0.05, 0.05, len(some))
            broke = np.isnan(some)
            label_of = f"learning rate {rate:g}" if place == 0 else None
            axes.plot(x[~broke], some[~broke], "o", color=CYCLE[i], markersize=4, label=label_of)
            axes.plot(x[broke], np.full(broke.sum(), top), "x", color=CYCLE[i], markersize=6)
    axes.axhline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(-0.45, floor, "real against real", va="bottom", fontsize=8)
    axes.text(-0.5, top, "× broke", va="center", ha="right", fontsize=8)
    axes.set_xticks(range(len(runs)), list(runs), rotation=20)
    axes.set(ylabel=label, yscale="log", xlim=(-0.5, len(runs) - 0.5))
    _plain(axes.yaxis)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _mark_floor(axes: Axes, floor: float) -> None:
    axes.axvline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(floor, 0.02, " real against\n real", transform=axes.get_xaxis_transform(), fontsize=7)


def _draw_intervals(axes: Axes, means: Mapping[str, Sequence[float]]) -> None:
    for y, (mean, low, high) in enumerate(means.values()):
        axes.plot([low, high], [y, y], color=DATA, linewidth=2)
        axes.plot(mean, y, "o", color=DATA)
    axes.set_yticks(range(len(means)), list(means))
    axes.set_ylim(len(means) - 0.5, -0.5)


def _plain(axis: Any, subs: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Numbers on a logarithmic axis as one writes them: 0.5, 1, 10."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def means_and_ranks(
    means: Mapping[str, Sequence[float]],
    ranks: Float[Tensor, "losses ranks"],
    floor: float,
    label: str,
) -> Figure:
    """Means with their intervals, (mean, low, high) by loss, and how probable each rank is."""
    figure, (left, right) = _subplots(
        1, 2, figsize=(9, 0.36 * len(means) + 1.2), sharey=True, width_ratios=(1.4, 1)
    )
    _draw_intervals(left, means)
    _mark_floor(left, floor)
    left.set(xlabel=label, xscale="log")
    _plain(left.xaxis)
    right.imshow(ranks.numpy(), cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for (y, x), share in np.ndenumerate(ranks.numpy()):
        if share >= 0.005:
            color = "white" if share > 0.7 else "black"
            right.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=7, color=color)
    right.set_xticks(range(ranks.shape[1]), range(1, ranks.shape[1] + 1))
    right.set_xlabel("rank, and how often seeds drawn anew give it")
    right.tick_params(length=0)
    return figure


def by_budget(
    budgets: Mapping[int, Mapping[str, Sequence[float]]], floor: float, label: str
) -> Figure:
    """Means with intervals, (mean, low, high) by loss, after each budget of updates."""
    count = max(len(means) for means in budgets.values())
    figure, all_axes = _subplots(
        1, len(budgets), figsize=(1.6 + 2.1 * len(budgets), 0.34 * count + 1.1),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, (budget, means) in zip(all_axes[0], budgets.items(), strict=True):
        _draw_intervals(axes, means)
        _mark_floor(axes, floor)
        axes.set(title=f"{budget:,} updates", xscale="log", xlabel=label)
        _plain(axes.xaxis, (1.0,))
    return figure


def runs_by_loss(
    panels: Mapping[str, Mapping[str, Sequence[float]]], baselines: Mapping[str, float]
) -> Figure:
    """A panel for each measure: a dot for each run of each loss, NaN none; that of noise dotted."""
    count = max(len(of_loss) for of_loss in panels.values())
    figure, all_axes = _subplots(
        1, len(panels), figsize=(1.4 + 2.1 * len(panels), 0.34 * count + 1.1),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, (measure, of_loss) in zip(all_axes[0], panels.items(), strict=True):
        for y, some in enumerate(of_loss.values()):
            beside = np.linspace(-0.3, 0.3, len(some) + 2)[1:-1]
            axes.plot(some, y + beside, "o", color=MODEL, markersize=4, clip_on=False)
        axes.axvline(baselines[measure], color=GREY, linewidth=1, linestyle=":", label="noise")
        axes.set_yticks(range(len(of_loss)), list(of_loss))
        axes.set(ylim=(count - 0.5, -0.5), xlabel=measure)
        axes.set_xlim(0, None)
    all_axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


# --- lecture 06 ----------------------------------------------------------------------------------


def patches_seen(picture: Shaped[Tensor, "c h w"], fields: Mapping[str, int]) -> Figure:
    """A picture, and around its middle the square that a verdict sees, for each name."""
    h, w = picture.shape[1:]
    figure, axes = _subplots(figsize=(4.2, 4.4))
    axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
    for (name, field), color in zip(fields.items(), CYCLE[1:], strict=False):
        left, top = (w - field) / 2 - 0.5, (h - field) / 2 - 0.5
        axes.add_patch(Rectangle((left, top), field, field, fill=False, color=color, linewidth=2))
        place = {"xytext": (3, -2), "textcoords": "offset points", "va": "top", "fontsize": 8}
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        inside = (max(left, -0.5), max(top, -0.5))
        axes.annotate(name, inside, color=color, bbox=box, **place)
    axes.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5))
    _bare(axes)
    return figure


def colours_and_their_middle(
    shares: Mapping[tuple[float, float, float], float], middle: Float[Tensor, " 3"]
) -> Figure:
    """The colours that occur, in [0, 1], each as wide as its share; under them the answer to L1."""
    figure, (top, bottom) = _subplots(2, 1, figsize=(6.4, 1.7))
    start = 0.0
    for colour, share in shares.items():
        top.barh(0, share, left=start, color=colour, height=1)
        start += share
    bottom.barh(0, 1, color=tuple(middle.tolist()), height=1)
    for axes, name in ((top, "what there is"), (bottom, "smallest mean |error|")):
        axes.set(xlim=(0, 1), ylim=(-0.5, 0.5))
        _bare(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def changed_and_kept(
    named: Mapping[str, tuple[float, float]], share_wanted: float, error_allowed: float, change: str
) -> Figure:
    """Each translation as a point: what it did to the rest of the picture, and how often it worked.

    named: name -> (mean absolute error outside, share). The corner where both are good is shaded.
    """
    figure, axes = _subplots(figsize=(6.4, 3.4))
    widest = max(error_allowed, *(error for error, _ in named.values()))
    axes.add_patch(
        Rectangle((-1, share_wanted), 1 + error_allowed, 2, color=GUESS, alpha=0.15, linewidth=0)
    )
    for i, (name, (error, share)) in enumerate(named.items()):
        axes.plot(error, share, "o", color=MODEL if name.startswith("λ") else GREY, clip_on=False)
        right = error > 0.6 * widest
        axes.annotate(
            name, (error, share), xytext=(-7 if right else 7, -3 - 11 * (i % 2)),
            textcoords="offset points", ha="right" if right else "left", fontsize=8,
        )  # fmt: skip
    axes.set(xlim=(-0.03 * widest, 1.15 * widest), ylim=(-0.06, 1.06))
    axes.set(xlabel="mean absolute error of the rest, in [0, 1]", ylabel=change)
    return figure


# --- lecture 07 ----------------------------------------------------------------------------------


def schedules(chains: Mapping[str, Any]) -> Figure:
    """β, what is left of the picture's size, and signal to noise over t, for each chain."""
    figure, (left, middle, right) = _subplots(1, 3, figsize=(9, 2.8))
    for (name, chain), color in zip(chains.items(), CYCLE, strict=False):
        t = np.linspace(0, 1, chain.T)
        left.plot(t, chain.beta, color=color, label=name)
        middle.plot(t, chain.alpha_bar.sqrt(), color=color)
        middle.plot(t, (1 - chain.alpha_bar).sqrt(), color=color, linewidth=1, linestyle=":")
        right.plot(t, chain.snr, color=color)
    left.set(title="β, what a step replaces", yscale="log", xlabel="t / T")
    middle.set(title="size of picture (line), noise (dots)", xlabel="t / T")
    right.set(title="signal to noise", yscale="log", xlabel="t / T")
    right.axhline(1, color="black", linewidth=0.8, linestyle=":")
    left.legend()
    return figure


def spread_over_steps(named: Mapping[str, Sequence[float]]) -> Figure:
    """The variance of pixels after each step, on a logarithmic axis."""
    figure, axes = _subplots(figsize=(6, 2.8))
    for (name, values), color in zip(named.items(), (GREY, DATA, MODEL), strict=False):
        axes.plot(range(len(values)), values, color=color, label=name)
    axes.set(xlabel="steps", ylabel="variance", yscale="log")
    axes.legend()
    return figure


def clock(codes: Float[Tensor, "T dim"]) -> Figure:
    """The numbers that tell a network the time: a row of the picture for each of them."""
    figure, axes = _subplots(figsize=(7, 2.4))
    colours = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "interpolation": "nearest"}
    shown = axes.imshow(codes.T.numpy(), aspect="auto", **colours)
    figure.colorbar(shown, ax=axes)
    axes.set(xlabel="t", ylabel="which sine or cosine")
    return figure


class WayBack:
    """The picture of lecture 07: a way from noise to a picture, in the plane and in pictures.

    Left the data in two principal components, x_t (grey) and its guess x̂₀ (orange). Right, at one
    moment, x_t, x̂₀ and the pictures that x̂₀ averages most. `show(i)` goes to a moment.
    """

    def __init__(
        self,
        data: Float[Tensor, "n 2"],
        xt: Float[Tensor, "k 2"],
        x0: Float[Tensor, "k 2"],
        pictures: Sequence[Float[Tensor, "m c h w"]],
        times: Sequence[int],
    ):
        self.pictures, self.times, self.path = pictures, times, (xt, x0)
        self.figure, (left, self.right) = _subplots(1, 2, figsize=(9, 3.6), width_ratios=(1, 1.35))
        left.scatter(*data.T, s=4, color=DATA, alpha=0.35, linewidth=0, label="data")
        (self.noisy,) = left.plot([], [], color=GREY, linewidth=1, label="$x_t$")
        (self.guess,) = left.plot([], [], color=MODEL, linewidth=1.5, label=r"its guess $\hat x_0$")
        (self.here,) = left.plot([], [], "o", color=MODEL, markersize=8, markeredgecolor="white")
        left.set(xticks=[], yticks=[], xlabel="first component", ylabel="second component")
        left.legend(loc="upper left", fontsize=8)
        self.image = self.right.imshow(self._sheet(0), vmin=0, vmax=1)
        _bare(self.right)

    def show(self, i: int) -> Figure:
        for line, points in zip((self.noisy, self.guess), self.path, strict=True):
            line.set_data(*points[: i + 1].T)
        self.here.set_data(*self.path[1][i : i + 1].T)
        self.image.set_data(self._sheet(i))
        self.right.set_title(f"t = {self.times[i]}: $x_t$, its guess, and what it averages most")
        return self.figure

    def _sheet(self, i: int) -> np.ndarray:
        return _sheet(self.pictures[i], 4)


def points_in_steps(real: Float[Tensor, "n 2"], moments: Mapping[str, Any]) -> Figure:
    """Points on their way from noise to data, at some moments, with the data behind them."""
    figure, all_axes = _subplots(1, len(moments), figsize=(2.2 * len(moments), 2.5), squeeze=False)
    for axes, (name, points) in zip(all_axes[0], moments.items(), strict=True):
        axes.scatter(*real.T, s=3, color=DATA, alpha=0.4, linewidth=0)
        axes.scatter(*points.T, s=4, color=MODEL, linewidth=0)
        axes.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
        _bare(axes, name)
    return figure


def by_steps(
    curves: Mapping[str, Mapping[int, Sequence[float]]],
    floor: float,
    label: str,
    guess: Any = None,
) -> Figure:
    """A quality by the number of sampling steps: curves[sampler][steps] has one for each seed."""
    figure, axes = _subplots(figsize=(6.4, 3.4))
    for (name, of_steps), color in zip(curves.items(), (GREY, DATA, MODEL), strict=False):
        steps = sorted(of_steps)
        means = [float(np.mean(of_steps[n])) for n in steps]
        axes.plot(steps, means, "o-", color=color, label=name, markersize=5)
        for n in steps:
            axes.plot([n] * len(of_steps[n]), of_steps[n], "_", color=color)
    axes.axhline(floor, color="black", linewidth=0.8, linestyle=":")
    axes.text(1, floor, "real against real", va="bottom", fontsize=8)
    axes.set(xlabel="steps", ylabel=label, xscale="log", yscale="log")
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    axes.legend(title=None if not guess else f"you said: {guess.guess}")
    return figure


def guidance_trade(
    weights: Sequence[float], measures: Mapping[str, Sequence[float]], real: Mapping[str, float]
) -> Figure:
    """Each measure over the weight of guidance, real pictures as a dotted line."""
    figure, all_axes = _subplots(1, len(measures), figsize=(3 * len(measures), 2.7), squeeze=False)
    for axes, (name, values) in zip(all_axes[0], measures.items(), strict=True):
        axes.plot(weights, values, "o-", color=MODEL, markersize=4)
        if name in real:
            axes.axhline(real[name], color=DATA, linewidth=1, linestyle=":")
            axes.text(max(weights), real[name], "real", color=DATA, fontsize=8, va="bottom",
                      ha="right")  # fmt: skip
        axes.set(title=name, xlabel="guidance w")
    return figure


def methods(table: Mapping[str, Mapping[str, Sequence[float]]], titles: Sequence[str]) -> Figure:
    """A panel for each measure: (mean, low, high) by method, the three as a dot and a line.

    titles: of the panels; what is not a share is drawn on a logarithmic axis.
    """
    measures = list(next(iter(table.values())))
    figure, all_axes = _subplots(
        1, len(measures), figsize=(1.6 + 2.1 * len(measures), 0.42 * len(table) + 1.0),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, measure, title in zip(all_axes[0], measures, titles, strict=True):
        highest = 0.0
        for y, of_method in enumerate(table.values()):
            mean, low, high = of_method[measure]
            highest = max(highest, high)
            axes.plot([low, high], [y, y], color=MODEL)
            axes.plot(mean, y, "o", color=MODEL)
        axes.set_title(title)
        if highest > 1:
            axes.set_xscale("log")
            _plain(axes.xaxis)
        axes.tick_params(labelsize=8)
    all_axes[0, 0].set_yticks(range(len(table)), list(table))
    all_axes[0, 0].set_ylim(len(table) - 0.5, -0.5)
    return figure


def chain_strip(pictures: Mapping[str, Float[Tensor, "c h w"]], noise: Tensor) -> Figure:
    """What is left at the end of several chains, beside the noise that sampling begins with."""
    named = {**pictures, "where sampling\nbegins": noise}
    figure, all_axes = _subplots(1, len(named), figsize=(1.6 * len(named), 2.2))
    for axes, (name, picture) in zip(all_axes, named.items(), strict=True):
        axes.imshow(as_pictures(picture[None] / 2)[0], vmin=0, vmax=1)
        _bare(axes, name)
    return figure


# --- lecture 08 ----------------------------------------------------------------------------------

Share = tuple[float, tuple[float, float]]  # and its interval


def _draw_copies(
    rows_of_axes: Sequence[Sequence[Axes]],
    made: Float[Tensor, "n c h w"],
    originals: Float[Tensor, "n c h w"],
    ratios: Float[Tensor, " n"],
    threshold: float,
) -> None:
    """Each drawn picture above its nearest training image; copies are framed."""
    for i, ratio in enumerate(ratios.tolist()):
        for axes, picture in zip(
            (row[i] for row in rows_of_axes), (made[i], originals[i]), strict=True
        ):
            axes.imshow(as_pictures(picture[None])[0], vmin=0, vmax=1)
            _bare(axes)
        rows_of_axes[0][i].set_title(f"{ratio:.2f}", fontsize=8, pad=2)
        if ratio < threshold:
            rows_of_axes[0][i].spines[:].set(visible=True, color=MODEL, linewidth=2.5)
    rows_of_axes[0][0].set_ylabel("drawn", fontsize=8)
    rows_of_axes[1][0].set_ylabel("nearest\nin training", fontsize=8)


def copies(
    made: Float[Tensor, "n c h w"],
    originals: Float[Tensor, "n c h w"],
    ratios: Float[Tensor, " n"],
    threshold: float,
) -> Figure:
    """Drawn pictures above the nearest training image, their ratio written; copies are framed."""
    n = len(made)
    figure, all_axes = _subplots(2, n, figsize=(0.85 * n + 0.4, 2.1), squeeze=False)
    _draw_copies(all_axes, made, originals, ratios, threshold)
    return figure


def _draw_shares(axes: Axes, shares: Mapping[float, Share], color: str, label: str | None) -> None:
    x = list(shares)
    middle = [share for share, _ in shares.values()]
    ends = [[share - low, high - share] for share, (low, high) in shares.values()]
    axes.errorbar(x, middle, np.array(ends).T, fmt="o-", color=color, capsize=3, label=label)


def copying(
    pairs: tuple[Tensor, Tensor, Tensor, float],
    by_size: Mapping[float, Share],
    strangers: Mapping[float, float],
    by_times: Mapping[float, Share],
    share_of_rows: Mapping[float, float],
) -> Figure:
    """The picture of lecture 08: copies beside their originals, and when they come.

    pairs: as the arguments of `copies`. by_size: faces in training -> share of copies; dotted the
    share of real strangers that would be called so. by_times: how often a face stands among the
    others -> share of the drawn pictures that are copies of it; share_of_rows dotted beside it.
    """
    n = len(pairs[0])
    figure = plt.figure(figsize=(9, 5))
    plt.close(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.35))
    _draw_copies(top.subplots(2, n), *pairs)
    left, right = bottom.subplots(1, 2)
    _draw_shares(left, by_size, MODEL, "drawn")
    left.plot(list(strangers), list(strangers.values()), ":", color=GREY, label="real strangers")
    left.legend()
    left.set(xscale="log", ylim=(-0.03, 1.03), xlabel="faces in training")
    left.set_title("share that passes for a copy")
    left.set_xticks(list(by_size), [f"{x:,.0f}" for x in by_size])
    _draw_shares(right, by_times, MODEL, "copies of it")
    right.plot(
        list(share_of_rows), list(share_of_rows.values()), ":", color=DATA, label="its share"
    )
    right.set(xscale="log", xlabel="times that one face stands in training")
    right.set_title("share of the drawn that copy this face")
    right.set_xticks(list(by_times), [f"{x:,.0f}" for x in by_times])
    right.legend()
    for axes in (left, right):
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter("{x:.0%}")
    return figure


def along(
    series: Mapping[str, Mapping[float, Share]], reference: float, xlabel: str, label: str
) -> Figure:
    """Values with intervals over a number, one line for each name; dotted what guessing gives."""
    figure, axes = _subplots(figsize=(6.2, 3.2))
    for (name, shares), color in zip(series.items(), (MODEL, DATA, GUESS, OTHER), strict=False):
        _draw_shares(axes, shares, color, name)
    axes.axhline(reference, color=GREY, linewidth=1, linestyle=":", label="guessing")
    places = sorted({x for shares in series.values() for x in shares})
    axes.set(xscale="log", xlabel=xlabel, ylabel=label)
    axes.set_xticks(places, [f"{x:,.0f}" for x in places])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend()
    return figure


def two_kinds(
    panels: Mapping[str, tuple[Tensor, Tensor]], names: tuple[str, str], xlabel: str
) -> Figure:
    """A panel for each name: the numbers of two kinds of pictures as two histograms."""
    figure, all_axes = _subplots(1, len(panels), figsize=(3.1 * len(panels), 2.5), squeeze=False)
    for axes, (title, pair) in zip(all_axes[0], panels.items(), strict=True):
        bins = np.linspace(*np.quantile(torch.cat(pair), (0.0, 0.995)), 30)
        for values, name, color in zip(pair, names, (MODEL, DATA), strict=True):
            axes.hist(values.numpy(), bins, density=True, alpha=0.6, color=color, label=name)
        axes.set(title=title, xlabel=xlabel, yticks=[])
    all_axes[0, 0].set_ylabel("how many")
    all_axes[0, 0].legend(fontsize=8)
    return figure


def in_and_out(series: Mapping[str, Sequence[tuple[float, float, tuple[float, float]]]]) -> Figure:
    """The share that went in and the one that came out, (in, out, interval), by kind of model."""
    figure, axes = _subplots(figsize=(5.6, 4.2))
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
    axes.text(0.86, 0.82, "as it went in", color=GREY, fontsize=8)
    for i, (name, points) in enumerate(series.items()):
        beside = 0.016 * (i - (len(series) - 1) / 2)
        for j, (before, after, (low, high)) in enumerate(points):
            x = before + beside
            axes.plot([x, x], [low, high], color=CYCLE[i + 1], linewidth=1.5)
            axes.plot(x, after, "o", color=CYCLE[i + 1], markersize=5, label=None if j else name)
    lowest = min(0.4, *(low - 0.05 for points in series.values() for *_, (low, _) in points))
    axes.set(xlim=(max(lowest, 0), 1), ylim=(max(lowest, 0), 1))
    axes.set(xlabel="share with glasses in training", ylabel="share with glasses among the drawn")
    axes.legend()
    return figure


def roc(curves_by_name: Mapping[str, Any], rate: float = 0.01) -> Figure:
    """Which share of the fakes is found at which share of real pictures accused (from 0.1 %)."""
    figure, axes = _subplots(figsize=(6, 3.6))
    for (name, curve), color in zip(curves_by_name.items(), CYCLE[1:], strict=False):
        accused, found = curve.false_positive_rate, curve.true_positive_rate
        axes.step(accused.clamp(min=1e-3), found, where="post", color=color, label=name)
    guess = np.logspace(-3, 0, 50)
    axes.plot(guess, guess, ":", color=GREY, linewidth=1, label="guessing")
    axes.axvline(rate, color="black", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.02))
    axes.set(xlabel="real pictures accused", ylabel="fakes found")
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g} %")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def cross_table(
    table: Mapping[str, Mapping[str, float]], rows_are: str, columns_are: str
) -> Figure:
    """A number for each pair of names, dark where it is large: table[row][column] in 0 … 1."""
    columns = list(next(iter(table.values())))
    values = np.array([[of[name] for name in columns] for of in table.values()])
    figure, axes = _subplots(figsize=(1.9 + 0.95 * len(columns), 1.1 + 0.45 * len(table)))
    axes.imshow(values, cmap="Blues", vmin=-0.1, vmax=1.15, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        color = "white" if value > 0.8 else "black"
        axes.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=9, color=color)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(table)), list(table))
    axes.set(xlabel=columns_are, ylabel=rows_are)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def after_attacks(
    series: Mapping[str, Mapping[str, Share]], label: str, reference: float | None = None
) -> Figure:
    """A share with its interval after each treatment of the pictures, for each name; dotted what
    chance gives."""
    attacks = list(next(iter(series.values())))
    figure, axes = _subplots(figsize=(7, 0.3 * len(attacks) + 1.1))
    for i, (name, shares) in enumerate(series.items()):
        beside = 0.18 * (i - (len(series) - 1) / 2)
        for y, attack in enumerate(attacks):
            share, (low, high) = shares[attack]
            color = (MODEL, DATA, GUESS, OTHER)[i % 4]
            axes.plot([low, high], [y + beside] * 2, color=color, linewidth=1.5)
            axes.plot(share, y + beside, "o", color=color, markersize=4, label=None if y else name)
    if reference is not None:
        axes.axvline(reference, color=GREY, linewidth=1, linestyle=":", label=f"{reference:.0%}")
    axes.set_yticks(range(len(attacks)), attacks)
    axes.set(ylim=(len(attacks) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel=label)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def p_values(named: Mapping[str, Float[Tensor, " n"]]) -> Figure:
    """Which share of the pictures has a p-value of at most p; of unmarked ones that is p."""
    figure, axes = _subplots(figsize=(5.6, 3.4))
    axes.plot([1e-4, 1], [1e-4, 1], ":", color=GREY, linewidth=1, label="as stated")
    for (name, p), color in zip(named.items(), (DATA, MODEL, GUESS, OTHER), strict=False):
        p = torch.cat([p.double().sort().values, torch.ones(1, dtype=torch.float64)])
        share = np.arange(1, len(p)) / (len(p) - 1)
        axes.step(p.clamp(min=1e-12), [*share, 1.0], where="post", color=color, label=name)
    axes.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1.2))
    axes.set(xlabel="p", ylabel="share of pictures with that p or less")
    axes.legend(fontsize=8)
    return figure
