"""Damage as pictures meet it: blur, another size, noise, JPEG, and all of that again.

`Damage` is one link, with its knobs; `chain` draws two links and a last resize and JPEG for each
quarter of a batch, as Real-ESRGAN does to make its training pairs. Pictures are in [-1, 1].

Source: Wang et al. 2021 (Real-ESRGAN), sections 3.1 and 3.2; ITU-T T.81 (1992), annexes A and K.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.checks import finite, floats, number, present, random_source, shaped, whole
from course_lib.restoration import gaussian_kernel, jpeg_block

# quantisation of brightness and of colour at quality 50 (T.81, tables K.1 and K.2)
BRIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def blurred(x: Float[Tensor, "B C H W"], kernel: Float[Tensor, "k k"]) -> Float[Tensor, "B C H W"]:
    """Each channel convolved with an odd kernel, the picture mirrored at its edges.

    Raises ValueError for an even kernel and for one that reaches over the whole picture.
    """
    b, c, h, w = shaped("x", x, "B", "C", "H", "W").shape
    k = len(finite("kernel", present("kernel", floats("kernel", kernel, 2))))
    if kernel.shape != (k, k) or k % 2 == 0 or k // 2 >= min(h, w):
        got = tuple(kernel.shape)
        raise ValueError(f"kernel must be square, odd and smaller than 2 pictures; got {got}")
    padded = F.pad(x, (k // 2,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.to(x).expand(c, 1, k, k), groups=c)


def jpeg_tables(quality: int) -> Float[Tensor, "3 8 8"]:
    """The tables of Y, Cb and Cr at a quality from 1 to 100.

    ⌊(entry s + 50) / 100⌋, at least 1, with s = 5000 / quality below 50, else 200 − 2 quality: the
    convention of libjpeg.
    """
    quality = whole("quality", quality, 1, most=100)
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = torch.tensor([BRIGHTNESS, COLOUR, COLOUR], dtype=torch.float32)
    return ((tables * scale + 50) / 100).floor().clamp(1, 255)


def jpeg(x: Float[Tensor, "B 3 H W"], quality: int) -> Float[Tensor, "B 3 H W"]:
    """What a JPEG file of this quality keeps, without the file.

    Colours become brightness and two differences, each in blocks of 8 × 8 (the last ones filled by
    the edge), `jpeg_block` on each. No subsampling of colours (4:4:4).
    """
    b, _, h, w = shaped("x", x, "B", 3, "H", "W").shape
    tables = jpeg_tables(quality).to(finite("x", x))
    padded = F.pad(x, (0, -w % 8, 0, -h % 8), mode="replicate").clamp(-1, 1) * 127.5
    turn = torch.tensor(TO_YCC).to(x)
    ycc = torch.einsum("oc,bchw->bohw", turn, padded)
    middle = torch.tensor([127.5, 128.0, 128.0]).to(x)[:, None, None]
    blocks = (ycc + middle).unfold(2, 8, 8).unfold(3, 8, 8)
    kept = jpeg_block(blocks, tables[:, None, None])
    ycc = kept.permute(0, 1, 2, 4, 3, 5).reshape(ycc.shape) - middle
    back = torch.linalg.inv(turn.float()).to(x)
    return (torch.einsum("oc,bchw->bohw", back, ycc) / 127.5)[..., :h, :w].clamp(-1, 1)


@dataclass(frozen=True)
class Damage:
    """One link of the chain. A knob at its default does nothing.

    blur: (s1, s2, θ) of the Gaussian, in pixels. size: of the shorter side afterwards, by
    `resize` ("area", "bilinear", "bicubic", "nearest"). noise: spread, of the range −1 … 1; grey:
    the same for all colours. photons: Poisson noise of a white pixel that counts so many. quality:
    of JPEG.
    """

    blur: tuple[float, float, float] | None = None
    size: int | None = None
    resize: str = "bicubic"
    noise: float = 0.0
    grey: bool = False
    photons: float | None = None
    quality: int | None = None

    def __call__(
        self, x: Float[Tensor, "B 3 H W"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B 3 h w"]:
        shaped("x", x, "B", 3, "H", "W"), random_source(generator)
        if self.blur is not None:
            side = min(13, 2 * ((min(x.shape[2:]) - 1) // 2) + 1)
            x = blurred(x, gaussian_kernel(side, *self.blur))
        if self.size is not None:
            x = resized(x, self.size, self.resize)
        if self.noise:
            x = x + self.noise * _normal(x[:, :1] if self.grey else x, generator)
        if self.photons is not None:
            x = shot_noise(x, self.photons, generator)
        return x.clamp(-1, 1) if self.quality is None else jpeg(x, self.quality)


def resized(x: Float[Tensor, "B C H W"], size: int, how: str = "bicubic") -> Tensor:
    """The shorter side at `size` pixels; "bilinear" and "bicubic" smooth before they shrink."""
    h, w = shaped("x", x, "B", "C", "H", "W").shape[2:]
    factor = whole("size", size, most=4096) / min(h, w)
    sides = (round(h * factor), round(w * factor))
    if how not in ("area", "nearest", "bilinear", "bicubic"):
        raise ValueError(f"how must be area, nearest, bilinear or bicubic; got {how!r}")
    smooth = {"antialias": True} if how in ("bilinear", "bicubic") else {}
    how = "nearest-exact" if how == "nearest" else how
    exact = x.to(torch.promote_types(x.dtype, torch.float32))  # half has no smoothing filter
    return F.interpolate(exact, sides, mode=how, **smooth).to(x.dtype)


def shot_noise(
    x: Float[Tensor, "B C H W"], photons: float, generator: torch.Generator | None = None
) -> Float[Tensor, "B C H W"]:
    """Each pixel counts Poisson(photons · brightness), brightness from 0 to 1; scaled back."""
    photons = number("photons", photons, above=0)
    random_source(generator)
    light = (finite("x", floats("x", x, 4)).clamp(-1, 1) + 1) / 2 * photons
    place = x.device if generator is None else generator.device
    return torch.poisson(light.to(place), generator=generator).to(x) / photons * 2 - 1


def draw_damage(
    side: int,
    generator: torch.Generator | None = None,
    *,
    blur: float = 2.0,
    noise: float = 0.12,
    quality: int = 40,
) -> Damage:
    """A link with random knobs that leaves `side` pixels: at most this blur and noise.

    Blur in 80 %, half of them round; area, bilinear or bicubic; Gaussian noise in half (grey in
    40 %), else photons; JPEG of at least this quality.
    """
    random_source(generator), whole("side", side, most=4096)
    blur, noise = number("blur", blur, 0.2), number("noise", noise, 0.01)
    quality = whole("quality", quality, 1, most=95)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    s1, s2 = uniform(0.2, blur), uniform(0.2, blur)
    spread = (s1, s1 if uniform(0, 1) < 0.5 else s2, uniform(0, math.pi))
    gaussian = uniform(0, 1) < 0.5
    return Damage(
        blur=spread if uniform(0, 1) < 0.8 else None,
        size=side,
        resize=("area", "bilinear", "bicubic")[int(uniform(0, 3 - 1e-9))],
        noise=uniform(0.01, noise) if gaussian else 0.0,
        grey=uniform(0, 1) < 0.4,
        photons=None if gaussian else 255 / (uniform(0.5, 20) * noise),
        quality=round(uniform(quality, 95)),
    )


@torch.no_grad()
def chain(
    x: Float[Tensor, "B 3 H W"],
    size: int = 16,
    generator: torch.Generator | None = None,
    parts: int = 4,
) -> Float[Tensor, "B 3 size size"]:
    """Real-ESRGAN's damage: two random links, then `size` pixels and one more JPEG.

    Each quarter of the batch meets its own draw. The first link leaves 40 to 100 % of the side, the
    second one to two times `size`. Raises ValueError for pictures that are not square or smaller.
    """
    side, width = shaped("x", x, "B", 3, "H", "W").shape[2:]
    size = whole("size", size, 8, most=4096)
    if side != width or side < size:
        raise ValueError(f"x must be squares of at least {size} pixels; got {tuple(x.shape)}")
    finite("x", x), random_source(generator)
    done = []
    for part in x.tensor_split(min(whole("parts", parts), len(x))):
        share = torch.rand(3, generator=generator).tolist()
        first = draw_damage(round((0.4 + 0.6 * share[0]) * side), generator)
        second = draw_damage(round((1 + share[1]) * size), generator, blur=1.0, noise=0.1)
        last = Damage(size=size, resize="bilinear", quality=round(40 + 55 * share[2]))
        for link in (first, second, last):
            part = link(part, generator)
        done.append(part)
    return torch.cat(done)


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    place = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, device=place).to(like)
