"""Lecture 01: pictures without learning. Perlin noise, texture synthesis, and a drawn city.

Generation before networks: a formula with random numbers in it (Perlin), a patch that is grown by
looking things up in it (Efros and Leung), and a scene drawn by rules, whose hours are known.
"""

import math

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

from course_lib.checks import DEPTH, SIZE, number, random_source, whole

SUNSET = (18.0, 20.0)  # the hours at which the skyline's sky is red
GRID = 64  # the skyline's city is drawn on 64 x 64 squares, whatever the size of the picture
WHITE, LAMP = torch.tensor(255.0), torch.tensor([255.0, 214.0, 120.0])[:, None, None]


def perlin(
    size: int | tuple[int, int], cells: float = 4, generator: torch.Generator | None = None
) -> Float[Tensor, "H W"]:
    """Gradient noise in [-1, 1]: a random slope at every lattice point, blended in between.

    Each corner c of a cell has a unit vector g_c; a pixel at p sees the four values g_c · (p − c),
    blended by the fade 6t⁵ − 15t⁴ + 10t³ along both axes, and times √2 to fill the range. Noise is
    0 at lattice points, the first one at pixel (0, 0). `cells` counts along the shorter side.
    Raises ValueError for cells below two pixels: smaller ones would hold lattice points only.
    Source: Perlin 1985; the fade of Perlin 2002.
    """
    height, width = _size(size)
    if not 0 < number("cells", cells) <= min(height, width) / 2:
        raise ValueError(f"cells must be above 0 and at most half the size {size}, got {cells}")
    step = cells / min(height, width)
    y, x = torch.arange(height) * step, torch.arange(width) * step
    row, column = y.long(), x.long()
    corners = (int(row[-1]) + 2, int(column[-1]) + 2)
    angle = 2 * math.pi * _uniform(corners, generator)
    dy, dx = (y - row)[:, None], (x - column)[None, :]  # (H, 1), (1, W): place within the cell

    def slope(down: int, right: int) -> Tensor:  # (H, W)
        a = angle[row + down][:, column + right]
        return a.sin() * (dy - down) + a.cos() * (dx - right)

    fade_y, fade_x = _fade(dy), _fade(dx)
    top = torch.lerp(slope(0, 0), slope(0, 1), fade_x.expand(height, width))
    bottom = torch.lerp(slope(1, 0), slope(1, 1), fade_x.expand(height, width))
    return math.sqrt(2) * torch.lerp(top, bottom, fade_y.expand(height, width))


def _fade(t: Tensor) -> Tensor:
    return t * t * t * (t * (6 * t - 15) + 10)


def fractal_noise(
    size: int | tuple[int, int],
    octaves: int,
    persistence: float = 0.5,
    lacunarity: float = 2,
    generator: torch.Generator | None = None,
    *,
    cells: float = 4,
) -> Float[Tensor, "H W"]:
    """Perlin noise summed over octaves, in [-1, 1].

    Σₒ persistenceᵒ · perlin(cells · lacunarityᵒ) / Σₒ persistenceᵒ

    Octaves are drawn coarse to fine: with the same seed one more octave adds detail to the same
    picture. Raises ValueError where the finest octave has cells below two pixels.
    """
    _at_least(1, octaves, "octaves")
    whole("octaves", octaves, most=DEPTH)
    number("persistence", persistence, above=0), number("lacunarity", lacunarity, above=0)
    height, width = _size(size)
    finest = number("cells", cells, above=0) * lacunarity ** (octaves - 1)
    if finest > min(height, width) / 2:
        raise ValueError(
            f"octaves = {octaves} asks for {finest:g} cells in {min(height, width)} pixels: "
            "a cell needs two pixels"
        )
    layers = [perlin(size, cells * lacunarity**o, generator) for o in range(octaves)]
    weights = [persistence**o for o in range(octaves)]
    return sum(w * layer for w, layer in zip(weights, layers, strict=True)) / sum(weights)


def synthesise_texture(
    patch: Tensor,
    size: int | tuple[int, int],
    window: int = 11,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A picture of `size` grown from a patch pixel by pixel: (C, h, w) or (h, w) to the same.

    A random 3 × 3 block of the patch is put into the middle. Then every empty pixel at the edge
    of what is known, the one with most known neighbours first, compares its surroundings with
    those of all pixels of the patch:

        error = Σ G · (patch − picture)² / Σ G   over known pixels, G a Gaussian of σ = window / 6.4

    It copies one of the pixels whose error is within 10 % of the smallest. So the result holds
    pixels of the patch and no others, in its dtype, uint8 or float. On the CPU.
    Raises ValueError for a window that is even or larger than the patch, or a size below 3.
    Source: Efros and Leung 1999, without their limit on the error of a match.
    """
    height, width = _size(size, least=3)
    _check_patch(patch, window)
    source = patch.cpu().reshape(-1, *patch.shape[-2:])  # (C, h, w)
    pixels = source.float() - source.float().mean()
    pixels = pixels / pixels.std().clamp(min=1e-6)
    places = F.unfold(pixels[None], window)[0].T  # (places, C·window²)
    places = torch.cat([places.square(), places], dim=1)
    columns = source.shape[2] - window + 1
    pad = window // 2
    gauss = _gaussian_window(window)
    picture = torch.zeros(len(source), height + 2 * pad, width + 2 * pad)  # what is known so far
    known = torch.zeros(picture.shape[1:])
    origin = torch.zeros(height, width, dtype=torch.long)  # index of the patch's pixel copied here

    def put(row: int, column: int, from_row: int, from_column: int) -> None:
        picture[:, row + pad, column + pad] = pixels[:, from_row, from_column]
        known[row + pad, column + pad] = 1
        origin[row, column] = from_row * source.shape[2] + from_column

    order = _growth_order(height, width, window, generator)
    draws = iter(_uniform(len(order) + 2, generator).tolist())
    top, left = (int(next(draws) * (side - 2)) for side in source.shape[1:])
    for i in range(9):
        put(height // 2 - 1 + i // 3, width // 2 - 1 + i % 3, top + i // 3, left + i % 3)
    for (row, column), u in zip(order, draws, strict=True):
        view = slice(row, row + window), slice(column, column + window)
        weight = (gauss * known[view]).expand(len(source), -1, -1).flatten()
        target = picture[:, view[0], view[1]].flatten()
        # Σ G (p − t)² = Σ G p² − 2 Σ G t p + Σ G t²: one product with every place of the patch
        error = places @ torch.cat([weight, -2 * weight * target]) + weight @ target.square()
        error = error / weight.sum()
        good = (error <= 1.1 * error.min() + 1e-5).nonzero()[:, 0]
        from_row, from_column = divmod(int(good[int(u * len(good))]), columns)
        put(row, column, from_row + pad, from_column + pad)
    return source.flatten(1)[:, origin].reshape(*patch.shape[:-2], height, width)


def _growth_order(height: int, width: int, window: int, generator) -> list[list[int]]:
    """The empty pixels around a 3 × 3 middle, layer by layer, most known neighbours first."""
    known = torch.zeros(1, 1, height, width)
    known[..., height // 2 - 1 : height // 2 + 2, width // 2 - 1 : width // 2 + 2] = 1
    order, kernel = [], torch.ones(1, 1, window, window)
    while not known.all():
        edge = F.max_pool2d(known, 3, stride=1, padding=1) - known
        neighbours = F.conv2d(known, kernel, padding=window // 2)[0, 0]
        layer = edge[0, 0].nonzero()  # (k, 2)
        layer = layer[_uniform(len(layer), generator).argsort()]  # ties fall at random
        counts = neighbours[layer[:, 0], layer[:, 1]]
        order += layer[counts.argsort(descending=True, stable=True)].tolist()
        known = known + edge
    return order


def _gaussian_window(window: int) -> Tensor:
    t = torch.arange(window) - window // 2
    bell = torch.exp(-(t**2) / (2 * (window / 6.4) ** 2))
    return bell[:, None] * bell


def texture_patch(
    kind: str, size: int = 32, generator: torch.Generator | None = None
) -> UInt8[Tensor, "3 size size"]:
    """A small pattern to grow a texture from: "bricks", "dots" or "weave".

    Each stone, dot and thread has a shade of its own, so that a copied region can be recognised.
    """
    if kind not in TEXTURES:
        raise ValueError(f"kind must be one of {', '.join(TEXTURES)}, got {kind!r}")
    _at_least(8, size, "size")
    shade, color, ground = TEXTURES[kind](size, generator)
    color, ground = torch.tensor(color)[:, None, None], torch.tensor(ground)[:, None, None]
    picture = torch.where(shade > 0, color * shade, ground)
    return picture.clamp(0, 255).to(torch.uint8)


def _bricks(size: int, generator: torch.Generator | None):
    y, x = torch.arange(size)[:, None], torch.arange(size)
    course = y // 4
    x = x + 4 * (course % 2)
    shades = 0.8 + 0.4 * _uniform((size, size), generator)  # more than there are bricks
    mortar = (y % 4 == 3) | (x % 8 == 7)
    return torch.where(mortar, 0, shades[course, x // 8]), (178.0, 84.0, 60.0), (214.0, 206.0, 194)


def _dots(size: int, generator: torch.Generator | None):
    y, x = torch.arange(size)[:, None], torch.arange(size)
    row = y // 7
    x = x + 4 * (row % 2)
    shades = 0.75 + 0.35 * _uniform((size, size), generator)
    far = (y % 7 - 3) ** 2 + (x % 8 - 3) ** 2 > 7
    return torch.where(far, 0, shades[row, x // 8]), (236.0, 180.0, 60.0), (38.0, 70.0, 112.0)


def _weave(size: int, generator: torch.Generator | None):
    y, x = torch.arange(size)[:, None], torch.arange(size)
    shades = 0.8 + 0.2 * _uniform((2, size), generator)
    over = (y // 4 + x // 4) % 2 == 0  # the thread along x lies on top
    round_y, round_x = (torch.tensor([0.75, 1.0, 1.0, 0.75])[t % 4] for t in (y, x))
    shade = torch.where(over, shades[0][y // 4] * round_y, 0.7 * shades[1][x // 4] * round_x)
    return shade, (222.0, 196.0, 150.0), (0.0, 0.0, 0.0)


TEXTURES = {"bricks": _bricks, "dots": _dots, "weave": _weave}


# The sky over a day: hour, zenith, horizon. Red belongs to SUNSET alone; dawn is pale.
SKY = torch.tensor(
    [
        (0.0, 8, 12, 38, 22, 28, 66),
        (4.5, 12, 18, 52, 40, 46, 92),
        (6.0, 96, 118, 168, 196, 196, 206),
        (8.0, 126, 172, 222, 208, 222, 232),
        (12.0, 62, 134, 222, 166, 206, 240),
        (16.0, 78, 144, 218, 186, 210, 232),
        (17.4, 112, 150, 204, 208, 206, 212),
        (18.0, 140, 148, 188, 216, 188, 176),
        (18.6, 212, 112, 80, 255, 172, 88),
        (19.2, 198, 64, 52, 255, 122, 58),
        (19.6, 150, 56, 66, 240, 98, 62),
        (20.0, 58, 52, 100, 120, 78, 104),
        (21.0, 22, 26, 66, 60, 54, 98),
        (22.5, 10, 14, 44, 26, 32, 74),
        (24.0, 8, 12, 38, 22, 28, 66),
    ]
)
# Share of windows with a light on, by hour.
LIGHTS = torch.tensor(
    [
        (0, 0.4),
        (3, 0.15),
        (5.5, 0.12),
        (6.5, 0.2),
        (8, 0),
        (17.5, 0),
        (20, 0.6),
        (22, 0.7),
        (24, 0.4),
    ]
)


def skyline(
    n: int, size: int = 64, generator: torch.Generator | None = None
) -> tuple[UInt8[Tensor, "n 3 size size"], Float[Tensor, " n"]]:
    """n pictures of one city at random times of day, and their hours, uniform in [0, 24).

    The city is always the same, as in the frames of a time lapse; hour, clouds and lit windows
    change. Sun or moon move with the hour. Between 18 and 20 h (`SUNSET`) the sky is red, which
    `redness` measures. Raises ValueError for n below 1 or size below 16.
    """
    _at_least(1, n, "n")
    _at_least(16, size, "size")
    hour = 24 * _uniform(n, generator)
    images = [_frames(h, size, generator) for h in hour.split(256)]
    return torch.cat(images), hour


def redness(images: Shaped[Tensor, "n 3 H W"]) -> Float[Tensor, " n"]:
    """How red the sky is: mean of R − (G + B)/2 over the top third, in [-1, 1]; grey is 0.

    Images are uint8, or floats in [-1, 1], (n, 3, H, W). A skyline has 0.3 on average in the hours
    of `SUNSET` and less than 0 at all others.
    """
    kind = images.dtype if isinstance(images, Tensor) else type(images)
    if kind != torch.uint8 and not (isinstance(images, Tensor) and kind.is_floating_point):
        raise TypeError(f"images must be uint8 or float, got {kind}")
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] < 3:
        raise ValueError(f"images must have shape (n, 3, H, W), got {tuple(images.shape)}")
    scale = 255 if images.dtype == torch.uint8 else 2  # the offset of floats cancels
    red, green, blue = images[:, :, : images.shape[2] // 3].float().mean(dim=(2, 3)).T / scale
    return red - (green + blue) / 2


def _frames(hour: Tensor, size: int, generator: torch.Generator | None) -> Tensor:
    """The city at each hour, uint8 (k, 3, size, size)."""
    k, city = len(hour), _city()
    y, x = (torch.arange(size)[:, None] + 0.5) / size, (torch.arange(size) + 0.5) / size
    zenith, horizon = _by_hour(SKY, hour).view(k, 2, 3, 1, 1).unbind(1)  # (k, 3, 1, 1)
    day = (horizon.mean(dim=1, keepdim=True) / 190).clamp(max=1)  # (k, 1, 1, 1)
    sky = torch.lerp(zenith, horizon, (y / 0.8).clamp(max=1))
    pixel = torch.arange(size) * GRID // size  # the city is drawn on a coarse grid
    city = city[:, pixel][:, :, pixel]
    color, haze, habit, star = city[:3], city[3], city[4], city[5]
    sky = torch.lerp(sky, WHITE, star * (1 - 2.5 * day).clamp(min=0))
    sky = _sun_and_moon(sky, hour.view(-1, 1, 1, 1), y, x)
    sky = torch.lerp(sky, 0.6 * horizon + 100 * day, _clouds(k, size, generator))

    walls = torch.lerp(color * (0.15 + 0.85 * day), horizon, haze)
    restless = _uniform((k, GRID, GRID), generator)[:, pixel][:, :, pixel]
    share = _by_hour(LIGHTS, hour).view(k, 1, 1)
    lit = (0.8 * habit + 0.2 * restless < share)[:, None]
    walls = torch.where(lit, LAMP, walls)
    return torch.where(haze >= 0, walls, sky).round().clamp(0, 255).to(torch.uint8)


def _by_hour(table: Tensor, hour: Tensor) -> Tensor:
    """Rows of a table (hour, values…) interpolated linearly: (k,) -> (k, values)."""
    after = torch.searchsorted(table[:, 0].contiguous(), hour, right=True).clamp(max=len(table) - 1)
    before, after = table[after - 1], table[after]
    share = (hour - before[:, 0]) / (after[:, 0] - before[:, 0])
    return torch.lerp(before[:, 1:], after[:, 1:], share[:, None])


def _sun_and_moon(sky: Tensor, hour: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sun from 6 to 20 h, moon from 20 to 6 h, each on an arc from left to right."""
    for rise, length, color, radius in (
        (6, 14, torch.tensor([255.0, 238.0, 190.0]), 0.055),
        (20, 10, torch.tensor([232.0, 232.0, 220.0]), 0.04),
    ):
        way = (hour - rise) % 24 / length  # 0 where it rises, 1 where it sets
        height = 0.72 - 0.58 * (math.pi * way).sin()
        distance = ((x - 0.08 - 0.84 * way) ** 2 + (y - height) ** 2).sqrt()  # (k, 1, H, W)
        disc = ((radius - distance) * 64 + 0.5).clamp(0, 1) * (way <= 1)
        sky = torch.lerp(sky, color[:, None, None], disc)
    return sky


def _clouds(k: int, size: int, generator: torch.Generator | None) -> Tensor:
    """How much cloud covers each pixel, in [0, 0.6], (k, 1, size, size): pieces of one belt."""
    belt = fractal_noise((2 * GRID, 16 * GRID), 3, generator=_fixed(2), cells=8)[::2]
    belt = (2.5 * belt + 0.1).clamp(0, 1)
    rows = torch.arange(size) * GRID // size
    start = (_uniform(k, generator) * 15 * GRID).long()
    belt = belt[rows][:, start[:, None] + rows]  # (size, k, size)
    return belt.movedim(1, 0)[:, None] * 0.6 * _uniform((k, 1, 1, 1), generator)


def _city() -> Tensor:
    """The city on the coarse grid, (6, GRID, GRID): wall colour, haze, habit of a window, stars.

    Haze is −1 where there is no wall; habit, in [0, 1], is 2 where there is no window.
    """
    generator = _fixed(1)
    city = torch.zeros(6, GRID, GRID)
    city[3], city[4] = -1, 2
    city[5] = _uniform((GRID, GRID), generator) < 0.02
    for haze, low, high, color in (
        (0.6, 20, 36, (104.0, 112.0, 132.0)),
        (0.3, 12, 28, (92.0, 90.0, 104.0)),
        (0.05, 5, 17, (62.0, 58.0, 70.0)),
    ):
        left = 0
        while left < GRID:
            u = _uniform(4, generator)
            width, height = 5 + int(6 * u[0]), low + int((high - low) * u[1] ** 1.5)
            wall = city[:, GRID - height :, left : left + width - int(u[2] * 2)]
            wall[:3] = torch.tensor(color)[:, None, None] * (0.8 + 0.4 * u[3])
            wall[3], wall[4] = haze, 2
            windows = wall[4, 2:-1:2, 1:-1:2]
            windows.copy_(_uniform(windows.shape, generator))
            left += width
    return city


def _fixed(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _uniform(shape, generator: torch.Generator | None) -> Tensor:
    """Uniform numbers in [0, 1) from the generator, on the CPU."""
    random_source(generator)
    shape = (shape,) if isinstance(shape, int) else shape
    device = generator.device if generator is not None else "cpu"
    return torch.rand(shape, generator=generator, device=device).cpu()


def _at_least(least: int, value: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    if value > SIZE:
        raise ValueError(f"{name} must be at most {SIZE:,}, got {value}")


def _size(size: int | tuple[int, int], least: int = 1) -> tuple[int, int]:
    sides = size if isinstance(size, tuple | list | torch.Size) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"size must be a number or (height, width), got {size!r}")
    height, width = sides
    _at_least(least, height, "size")
    _at_least(least, width, "size")
    return height, width


def _check_patch(patch: Tensor, window: int) -> None:
    if not isinstance(patch, Tensor):
        raise TypeError(f"patch must be a tensor, got {type(patch).__name__}")
    if patch.ndim not in (2, 3):
        raise ValueError(f"patch must have shape (C, h, w) or (h, w), got {tuple(patch.shape)}")
    if patch.dtype != torch.uint8 and not patch.is_floating_point():
        raise TypeError(f"patch must be uint8 or float, got {patch.dtype}")
    if patch.is_meta or not patch.numel():
        raise ValueError(f"patch must hold pixels, got {tuple(patch.shape)} on {patch.device}")
    if not patch.float().isfinite().all():
        raise ValueError("patch must be finite, but holds NaN or infinity")
    _at_least(3, window, "window")
    if window % 2 == 0 or window > min(patch.shape[-2:]):
        raise ValueError(
            f"window must be odd and at most the patch's side, got {window} for a patch of "
            f"{tuple(patch.shape[-2:])}"
        )
