"""Exercises and questions of lecture 11: measuring, sharpening, inventing, filling, fusing."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import restoration
from course_lib.exercises.engine import Exercise, Mistake, Question, call, example
from course_lib.exercises.probing import normal, uniform

# --- psnr_y ---------------------------------------------------------------------------------------

_Y = restoration.LUMA
_RGB = (0.299, 0.587, 0.114)


def _inner(d: Tensor, n: int) -> Tensor:
    return d[..., n : d.shape[-2] - n, n : d.shape[-1] - n]


def _psnr_wrong(
    weights: Sequence[float] = _Y,
    cut: Callable = _inner,
    axes: tuple = (1, 2),
    decibels: Callable = lambda mse: 10 * torch.log10(255**2 / mse),
    width: float = 2.0,
) -> Callable:
    def wrong(a, b, border):
        error = torch.einsum("c,bchw->bhw", a.new_tensor(weights) / width, a - b)
        return decibels(cut(error, border).square().mean(axes)).mean().item()

    return wrong


def _psnr_rounded(a, b, border):
    y = [torch.einsum("c,bchw->bhw", a.new_tensor(_Y) / 2, x + 1).round() for x in (a, b)]
    mse = _inner(y[0] - y[1], border).square().mean((1, 2))
    return (10 * torch.log10(255**2 / mse)).mean().item()


def _psnr_whole_area(a, b, border):
    share = _inner(a[:1, 0], border).numel() / a[0, 0].numel()
    return restoration.psnr_y(a, b, border) - 10 * math.log10(share)


def _psnr_rgb(a, b, border):
    error = 127.5 * _inner(a - b, border)
    return (10 * torch.log10(255**2 / error.square().mean((1, 2, 3)))).mean().item()


_GREY = torch.tensor([-0.5, 0.3]).view(1, 1, 1, 2).expand(1, 3, 1, 2).contiguous()
_RED = torch.tensor([0.4, 0.0, 0.0]).view(1, 3, 1, 1)
_SIDES = torch.tensor([0.02, 0.4]).view(2, 1, 1, 1)  # the errors of a good and of a bad picture
_LOUD = torch.ones(1, 1, 7, 8)
_LOUD[..., 0, :], _LOUD[..., 3] = 4.0, 0.3  # the outermost row is worst

PSNR_Y = Exercise(
    id="restoration.psnr_y",
    title="The number that papers print",
    reference=restoration.psnr_y,
    hints=(
        "Papers measure one number a pixel, its luma Y, in a range from 16 to 235. Where does the "
        "16 go when you subtract two pictures? What does a difference of 1 in [-1, 1] become in "
        "[0, 1]?",
        "Difference of Y: (65.481 ΔR + 128.553 ΔG + 24.966 ΔB) / 2, with differences in [-1, 1]. "
        "Then cut the border, take the mean of the squares of each picture, 10 log₁₀(255² / mean), "
        "and only then the mean over pictures.",
        "`y = torch.einsum('c,bchw->bhw', weights, a - b)`; `y[:, n : H - n, n : W - n]` also "
        "works for n = 0; `.square().mean((1, 2))` leaves one number for each picture.",
    ),
    mistakes=(
        Mistake(
            "three colours",
            _psnr_rgb,
            "You measure three colours. Papers measure one number a pixel: an error of 0.4 in red "
            "alone gives {expected:.1f} dB there, and {got:.1f} dB here.",
            example(_RED, 0 * _RED, 0, gives=18.75),
        ),
        Mistake(
            "Y from 0 to 255",
            _psnr_wrong([255 * w for w in _RGB]),
            "For pixels that are all 0.1 lighter you say {got:.2f} dB, and papers {expected:.2f}: "
            "the gap is the same for all pictures. Which Y do black and white have, and which "
            "number is the peak?",
            example(_GREY, _GREY + 0.1, 0, gives=26.02),
        ),
        Mistake(
            "a peak of 235",
            _psnr_wrong(decibels=lambda mse: 10 * torch.log10(235**2 / mse)),
            "For pixels that are all 0.1 lighter you say {got:.2f} dB, and papers {expected:.2f}. "
            "Y ends at 235, but the peak in the formula is another number, by convention.",
            example(_GREY, _GREY + 0.1, 0, gives=26.63),
        ),
        Mistake(
            "all colours alike",
            _psnr_wrong([219 / 3] * 3),
            "You weigh three colours alike: an error of 0.4 in red gives {got:.1f} dB with you, "
            "and {expected:.1f} dB in Y. The eye sees green best.",
            example(_RED, 0 * _RED, 0, gives=24.84),
        ),
        Mistake(
            "Y of another unit",
            _psnr_wrong([w / 255 for w in _Y]),
            "For pixels that are all 0.1 lighter you say {got:.1f} dB, and papers {expected:.1f}: "
            "errors are 255 times too small. Peak and Y must be in the same unit.",
            example(_GREY, _GREY + 0.1, 0, gives=75.47),
        ),
        Mistake(
            "rounded levels",
            _psnr_rounded,
            "You round Y to whole levels first. Here nothing is rounded: faint errors would vanish "
            "or double.",
        ),
        Mistake(
            "blue first",
            _psnr_wrong(_Y[::-1]),
            "You are right on grey pictures and wrong on coloured ones. An error in red should "
            "count 2.6 times as much as one in blue; yours counts less.",
        ),
        Mistake(
            "the range is 2",
            _psnr_wrong(width=1.0),
            "For pixels that are all 0.1 lighter you say {got:.2f} dB, and papers {expected:.2f}: "
            "errors are twice as large as they should be. How far is white from black in these "
            "pictures?",
            example(_GREY, _GREY + 0.1, 0, gives=21.32),
        ),
        Mistake(
            "border kept",
            _psnr_wrong(cut=lambda d, n: d),
            "The outermost row changes your result. It should have no say: convolutions pad there.",
        ),
        Mistake(
            "border cut twice",
            _psnr_wrong(cut=lambda d, n: _inner(d, 2 * n)),
            "You cut twice as many pixels as asked: `border` is counted from each side.",
        ),
        Mistake(
            "cut on two sides",
            _psnr_wrong(cut=lambda d, n: d[..., n:, n:]),
            "You cut the first rows and columns, and the last ones keep their say. A border has "
            "four sides.",
        ),
        Mistake(
            "rows alone",
            _psnr_wrong(cut=lambda d, n: d[..., n : d.shape[-2] - n, :]),
            "You cut rows, and the first and last columns keep their say. A border has four sides.",
        ),
        Mistake(
            "divided by the whole area",
            _psnr_whole_area,
            "You cut the border from the sum, and divide by all pixels of the picture: with a "
            "wider border your result gets better by itself.",
        ),
        Mistake(
            "nothing left",
            _psnr_wrong(cut=lambda d, n: d[..., n:-n, n:-n]),
            "With border 0 nothing is left of your picture, and the mean of nothing is nan. What "
            "is `x[0:-0]`?",
        ),
        Mistake(
            "one error for all",
            _psnr_wrong(axes=(0, 1, 2)),
            "The worst picture decides your result. Of one good and one bad picture, 44 dB and "
            "20 dB, papers print the mean of both.",
        ),
        Mistake(
            "natural logarithm",
            _psnr_wrong(decibels=lambda mse: 10 * torch.log(255**2 / mse)),
            "For pixels that are all 0.1 lighter you say {got:.1f} dB, 2.30 times too many. Which "
            "base do decibels have?",
            example(_GREY, _GREY + 0.1, 0, gives=62.96),
        ),
        Mistake(
            "a root too many",
            _psnr_wrong(decibels=lambda mse: 10 * torch.log10(255 / mse.sqrt())),
            "Your results are half of what they should be. A tenth of the error should give 20 dB "
            "more; with you it gives 10.",
        ),
        Mistake(
            "twice the decibels",
            _psnr_wrong(decibels=lambda mse: 20 * torch.log10(255**2 / mse)),
            "Your results are twice what they should be. A tenth of the error should give 20 dB "
            "more; with you it gives 40.",
        ),
        Mistake(
            "a peak of 1",
            _psnr_wrong(decibels=lambda mse: -10 * torch.log10(mse)),
            "For pixels that are all 0.1 lighter you say {got:.1f} dB. Negative decibels: is the "
            "error larger than the peak?",
            example(_GREY, _GREY + 0.1, 0, gives=-20.79),
        ),
        Mistake(
            "an error that is not squared",
            _psnr_wrong(decibels=lambda mse: 10 * torch.log10(255 / mse)),
            "The peak and the error must be in the same unit: a peak of 255 belongs to an error "
            "in grey levels, and yours is in grey levels squared.",
        ),
    ),
    probes=(
        call("a grey picture, all pixels 0.1 lighter, border 0", _GREY, _GREY + 0.1, 0),
        call("red differs by 0.4, border 0", _RED, 0 * _RED, 0),
        call(
            "one picture, 5 × 6, border 1",
            uniform(1, 3, 5, 6, seed=1) - 0.5,
            uniform(1, 3, 5, 6, seed=2) - 0.5,
            1,
        ),
        call(
            "another picture, 5 × 6, border 2",
            uniform(1, 3, 5, 6, seed=9) - 0.5,
            uniform(1, 3, 5, 6, seed=10) - 0.5,
            2,
        ),
        call(
            "a good and a bad picture, 7 × 8, border 1",
            0.5 * normal(2, 3, 7, 8, seed=3).tanh(),
            (
                0.5 * normal(2, 3, 7, 8, seed=3).tanh()
                + _SIDES * _LOUD * normal(2, 3, 7, 8, seed=4)
            ).clamp(-1, 1),
            1,
        ),
        call(
            "three pictures, 6 × 3, border 0",
            uniform(3, 3, 6, 3, seed=5) - 0.5,
            uniform(3, 3, 6, 3, seed=6),
            0,
        ),
        call(
            "a picture and a faint error, 9 × 11, border 2",
            0.5 * normal(1, 3, 9, 11, seed=7).tanh(),
            0.5 * normal(1, 3, 9, 11, seed=7).tanh() + 0.01 * normal(1, 3, 9, 11, seed=8),
            2,
        ),
    ),
)


# --- price_of_blending ----------------------------------------------------------------------------


def _price_of_roots(m: float, o: float, a: float) -> float:
    return ((1 - a) * m**0.5 + a * o**0.5) ** 2


PRICE_OF_BLENDING = Exercise(
    id="restoration.price_of_blending",
    title="What does half of the invention cost?",
    reference=restoration.price_of_blending,
    hints=(
        "Call the posterior mean m, the other answer g, the truth x. The blend is m + a (g − m). "
        "Which two parts does its error x − blend have? Which of them does no function of y know?",
        "x − m is orthogonal, on average, to everything that is computed from y, g − m included. "
        "So squares add up: E‖x − blend‖² = E‖x − m‖² + a² E‖g − m‖². With a = 1 this must be the "
        "error of g, which gives you E‖g − m‖².",
        "E‖g − m‖² = d_other − d_mean. Put it in: the error of the mean, plus a² times that.",
    ),
    mistakes=(
        Mistake(
            "a straight line",
            lambda m, o, a: m + a * (o - m),
            "From errors 1 and 2, half of each costs {got:.2f} with you. Half of the way costs "
            "half of the price? Errors are squared.",
            example(1.0, 2.0, 0.5, gives=1.5),
        ),
        Mistake(
            "the other weight",
            lambda m, o, a: m + (1 - a) ** 2 * (o - m),
            "At a = 0 the blend is the mean alone, and you give the error of the other picture.",
        ),
        Mistake(
            "from the wrong end",
            lambda m, o, a: o + (1 - a) ** 2 * (m - o),
            "Your parabola is flat at the other picture: from errors 1 and 2, a = 0.5 costs "
            "{got:.2f} with you. Which of the two errors cannot be made smaller?",
            example(1.0, 2.0, 0.5, gives=1.75),
        ),
        Mistake(
            "no floor",
            lambda m, o, a: a**2 * o,
            "From errors 1 and 2, half of each costs {got:.2f} with you: less than the mean's own "
            "error. Nothing that is made of y has a smaller error than the posterior mean.",
            example(1.0, 2.0, 0.5, gives=0.5),
        ),
        Mistake(
            "as if independent",
            lambda m, o, a: (1 - a) ** 2 * m + a**2 * o,
            "From errors 1 and 2, half of each costs {got:.2f} with you: less than the mean's own "
            "error. Are the errors of both independent? Both miss the same details of x.",
            example(1.0, 2.0, 0.5, gives=0.75),
        ),
        Mistake(
            "a straight line in roots",
            _price_of_roots,
            "You blend root mean squared errors, as if both erred in the same direction. From "
            "errors 1 and 2, half of each costs {got:.3f} with you.",
            example(1.0, 2.0, 0.5, gives=1.457),
        ),
        Mistake(
            "a root of the share",
            lambda m, o, a: m + a**0.5 * (o - m),
            "From errors 1 and 2, half of each costs {got:.2f} with you: more than a straight line "
            "between them. A small share of invention should cost nearly nothing.",
            example(1.0, 2.0, 0.5, gives=1.707),
        ),
        Mistake(
            "the cross term once",
            lambda m, o, a: (1 - a) * m + a**2 * o,
            "With both errors equal, the blend cannot have a smaller error than the mean. From "
            "errors 1 and 1, half of each costs {got:.2f} with you. How often does the cross term "
            "of (u + v)² appear?",
            example(1.0, 1.0, 0.5, gives=0.75),
        ),
        Mistake(
            "the difference squared",
            lambda m, o, a: m + (a * (o - m)) ** 2,
            "You square the difference of the errors, which are squares already: from errors 1 and "
            "3, a quarter of the other costs {got:.2f} with you.",
            example(1.0, 3.0, 0.25, gives=1.25),
        ),
        Mistake(
            "twice the price",
            lambda m, o, a: m + 2 * a**2 * (o - m),
            "At a = 1 the blend is the other picture. Of 1 and 2 you make {got:.2f} there.",
            example(1.0, 2.0, 1.0, gives=3.0),
        ),
        Mistake(
            "the error added whole",
            lambda m, o, a: m + a**2 * o,
            "At a = 1 the blend is the other picture. Of errors 1 and 2 you make {got:.2f}: "
            "the mean's error is counted twice.",
            example(1.0, 2.0, 1.0, gives=3.0),
        ),
        Mistake(
            "the extra error alone",
            lambda m, o, a: a**2 * (o - m),
            "At a = 0 the blend is the mean, and the mean's error is missing in your answer.",
        ),
    ),
    probes=(
        call("errors 1 and 2, half of each", 1.0, 2.0, 0.5),
        call("errors 1 and 3, a quarter of the other", 1.0, 3.0, 0.25),
        call("errors 0.2 and 0.2, a = 0.7", 0.2, 0.2, 0.7),
        call("errors 0.2 and 0.5, a = 0", 0.2, 0.5, 0.0),
        call("errors 0.2 and 0.5, a = 1", 0.2, 0.5, 1.0),
        call("errors 0.03 and 0.04, a = 0.9", 0.03, 0.04, 0.9),
        call("a mean without error, a = 0.4", 0.0, 2.0, 0.4),
        call("errors 0.00002 and 0.00003, a = 0.7", 2e-5, 3e-5, 0.7, atol=1e-9),
    ),
)


# --- spectrum_gain --------------------------------------------------------------------------------


def _power(x: Tensor) -> Tensor:
    return torch.fft.rfft2(x).abs().square()


def _gain_wiener(b: Tensor, s: Tensor) -> Tensor:
    b, s = torch.fft.rfft2(b), torch.fft.rfft2(s)
    return (s * b.conj()).mean(0).abs() / b.abs().square().mean(0)


def _gain_fft2(b: Tensor, s: Tensor) -> Tensor:
    power = [torch.fft.fft2(x).abs().square().mean(0) for x in (s, b)]
    return (power[0] / power[1]).sqrt()


def _gain_real(b: Tensor, s: Tensor) -> Tensor:
    power = [torch.fft.rfft2(x).real.square().mean(0) for x in (s, b)]
    return (power[0] / power[1]).sqrt()


def _gain_centred(b: Tensor, s: Tensor) -> Tensor:
    return torch.fft.fftshift(restoration.spectrum_gain(b, s), dim=1)


_ONE_PIXEL = torch.ones(1, 1, 1, 1)
_SHARP = normal(5, 2, 6, 5, seed=11)
_SOFT = 0.5 * _SHARP + 0.1 * normal(5, 2, 6, 5, seed=12)
_UNEQUAL = normal(4, 1, 4, 4, seed=13) * torch.tensor([10.0, 0.1, 1.0, 1.0]).view(4, 1, 1, 1)
_OTHERS = normal(4, 1, 4, 4, seed=14) * torch.tensor([1.0, 1.0, 5.0, 0.1]).view(4, 1, 1, 1)

SPECTRUM_GAIN = Exercise(
    id="restoration.spectrum_gain",
    title="A filter that gives a blurred picture its energy back",
    reference=restoration.spectrum_gain,
    hints=(
        "A blurred picture has too little of the high frequencies. By which factor do you have to "
        "multiply a frequency whose power is a quarter of what it should be?",
        "Power is |F|² of the Fourier transform. Take its mean over the pictures, for each channel "
        "and each frequency, of both sets. A filter of gain g multiplies the power by g².",
        "`torch.fft.rfft2(x).abs().square().mean(0)` is the mean power, (C, H, W // 2 + 1). Divide "
        "that of `sharp` by that of `blurred`, and take the root.",
    ),
    mistakes=(
        Mistake(
            "no root",
            lambda b, s: _power(s).mean(0) / _power(b).mean(0),
            "To make a 3 of a 1, you multiply by {got:.0f}. Your filter gives 9 times the "
            "amplitude where 9 times the power was asked.",
            example(_ONE_PIXEL, 3 * _ONE_PIXEL, pick=lambda r: r.flatten()[0], gives=9.0),
        ),
        Mistake(
            "upside down",
            lambda b, s: (_power(b).mean(0) / _power(s).mean(0)).sqrt(),
            "To make a 3 of a 1, you multiply by {got:.2f}. Your filter blurs.",
            example(_ONE_PIXEL, 3 * _ONE_PIXEL, pick=lambda r: r.flatten()[0], gives=0.3333),
        ),
        Mistake(
            "means of amplitudes",
            lambda b, s: _power(s).sqrt().mean(0) / _power(b).sqrt().mean(0),
            "For one picture you are right, for several you are not: what should agree afterwards "
            "is the mean power, and you averaged amplitudes.",
        ),
        Mistake(
            "mean of the ratios",
            lambda b, s: (_power(s) / _power(b)).mean(0).sqrt(),
            "One picture that has nearly nothing at a frequency decides your gain for all pictures "
            "there.",
        ),
        Mistake(
            "mean of the gains",
            lambda b, s: (_power(s) / _power(b)).sqrt().mean(0),
            "For one picture you are right, for several you are not: you average a gain of each "
            "picture, and one with nearly nothing at a frequency counts most.",
        ),
        Mistake(
            "the mean picture's spectrum",
            lambda b, s: (_power(s.mean(0)) / _power(b.mean(0))).sqrt(),
            "You took the mean of the pictures first. In their mean the details of different "
            "pictures cancel, so it does not have the power that pictures have.",
        ),
        Mistake(
            "one gain for all channels",
            lambda b, s: (
                (_power(s).mean((0, 1)) / _power(b).mean((0, 1))).sqrt().expand(b.shape[1], -1, -1)
            ),
            "All channels get the same gain from you. A channel that lost little is sharpened as "
            "much as one that lost most.",
        ),
        Mistake(
            "twice as many frequencies",
            _gain_fft2,
            "You return {got} columns of frequencies where {expected} are asked: a real picture "
            "has the other half twice.",
            example(_SOFT, _SHARP, pick=lambda r: r.shape[-1], gives=5),
        ),
        Mistake(
            "the real part alone",
            _gain_real,
            "Shift all pictures by a pixel, and your gain changes. The power of a frequency does "
            "not depend on where things are.",
        ),
        Mistake(
            "Wiener's filter",
            _gain_wiener,
            "Yours is the filter of the smallest error: it also asks how well both pictures agree, "
            "and where they do not, it leaves a frequency faint. Asked is a picture with the right "
            "energy, near or not.",
        ),
        Mistake(
            "zero frequency in the middle",
            _gain_centred,
            "The rows of frequencies come in another order than those of `rfft2`, and would be "
            "multiplied with the wrong ones.",
        ),
    ),
    probes=(
        call("one pixel, 1 and 3", _ONE_PIXEL, 3 * _ONE_PIXEL),
        call("one picture and 30 times the picture", _SHARP[:1], 30 * _SHARP[:1], rtol=1e-3),
        call("five pictures of two channels, 6 × 5, halved and noisy", _SOFT, _SHARP),
        call("four pictures, some with little in them", _UNEQUAL, _OTHERS, rtol=1e-3),
        call(
            "two channels, one hundred times as loud",
            normal(3, 2, 4, 6, seed=15) * torch.tensor([1.0, 100.0]).view(1, 2, 1, 1),
            normal(3, 2, 4, 6, seed=16),
            rtol=1e-3,
        ),
        call(
            "other pictures, two channels",
            normal(3, 2, 4, 6, seed=17),
            2 * normal(3, 2, 4, 6, seed=18),
            rtol=1e-3,
        ),
    ),
)


# --- dense_block ----------------------------------------------------------------------------------


def _convs(channels: int, growth: int, count: int, seed: int, kernel: int = 3) -> nn.ModuleList:
    """Convolutions of a dense block with numbers of our own: torch's draw from the global seed."""
    layers = []
    for i in range(count):
        inputs, outputs = channels + i * growth, growth if i < count - 1 else channels
        layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, kernel, padding=kernel // 2)
        with torch.no_grad():
            spread = 1 / math.sqrt(inputs * kernel**2)
            layer.weight.copy_(normal(*layer.weight.shape, seed=seed + i) * spread)
            layer.bias.copy_(0.3 * normal(outputs, seed=seed + i + 50))
        layers.append(layer)
    return nn.ModuleList(layers)


def _silent(convs: nn.ModuleList) -> nn.ModuleList:
    for weight in convs.parameters():
        weight.data.zero_()
    return convs


def _dense_wrong(
    join: Callable = lambda maps: torch.cat(maps, 1),
    act: Callable = lambda y: F.leaky_relu(y, 0.2),
    last: Callable = lambda y: y,
    before: Callable = lambda h: h,
    end: Callable = lambda x, y, beta: x + beta * y,
) -> Callable:
    def wrong(x, convs, beta):
        maps = [x]
        for conv in convs[:-1]:
            maps.append(act(conv(before(join(maps)))))
        return end(x, last(convs[-1](before(join(maps)))), beta)

    return wrong


def _same(y: Tensor) -> Tensor:
    return y


def _newest_alone(maps: list[Tensor]) -> Tensor:
    gone = [torch.zeros_like(m) for m in maps[:-1]]
    return torch.cat([*gone, maps[-1]], 1)


def _x_and_newest(maps: list[Tensor]) -> Tensor:
    gone = [torch.zeros_like(m) for m in maps[1:-1]]
    return torch.cat([*maps[:1], *gone, *(maps[-1:] if len(maps) > 1 else [])], 1)


def _dense_in_place(x, convs, beta):
    maps = [x.clone()]
    for conv in convs[:-1]:
        maps.append(F.leaky_relu(conv(torch.cat(maps, 1)), 0.2))
    x += beta * convs[-1](torch.cat(maps, 1))
    return x


def _dense_each_scaled(x, convs, beta):
    maps = [x]
    for conv in convs[:-1]:
        maps.append(beta * F.leaky_relu(conv(torch.cat(maps, 1)), 0.2))
    return x + beta * convs[-1](torch.cat(maps, 1))


_BLOCK = _convs(4, 2, 3, seed=21)

DENSE_BLOCK = Exercise(
    id="restoration.dense_block",
    title="Every layer hears all earlier ones",
    reference=restoration.dense_block,
    hints=(
        "Keep a list of maps that begins with x. What does each convolution get, and what joins "
        "the list afterwards? What is different about the last one?",
        "Every convolution takes the concatenation of all maps so far, along the channels. All but "
        "the last add leaky ReLU(result) to the list. The last one's result is the change: "
        "multiply it by β and add it to x.",
        "`for conv in convs[:-1]: maps.append(F.leaky_relu(conv(torch.cat(maps, 1)), 0.2))`, then "
        "the same once more for `convs[-1]`, without the activation.",
    ),
    mistakes=(
        Mistake(
            "β forgotten",
            _dense_wrong(end=lambda x, y, beta: x + y),
            "The change comes out 5 times as large as asked at β = 0.2. After 23 such blocks "
            "numbers explode; that is what β is for.",
        ),
        Mistake(
            "shortcut scaled too",
            _dense_wrong(end=lambda x, y, beta: beta * (x + y)),
            "With weights that are all 0 the block must do nothing. Yours makes the picture "
            "fainter.",
        ),
        Mistake(
            "a weighted mean",
            _dense_wrong(end=lambda x, y, beta: (1 - beta) * x + beta * y),
            "With weights that are all 0 the block must do nothing. Yours takes a part of x away "
            "to make room.",
        ),
        Mistake(
            "shortcut forgotten",
            _dense_wrong(end=lambda x, y, beta: beta * y),
            "With weights that are all 0 nothing is left of x. The block should return x, changed "
            "a little.",
        ),
        Mistake(
            "β at the shortcut",
            _dense_wrong(end=lambda x, y, beta: beta * x + y),
            "With weights that are all 0 the block must do nothing. Yours makes x fainter, and the "
            "change remains as large as it came.",
        ),
        Mistake(
            "earlier maps lost",
            _dense_wrong(join=_newest_alone),
            "The second convolution does not hear x, and the third does not hear the first: only "
            "the newest map arrives.",
        ),
        Mistake(
            "maps between lost",
            _dense_wrong(join=_x_and_newest),
            "With two convolutions you are right, with more you are not: the maps between x and "
            "the newest one do not arrive.",
        ),
        Mistake(
            "activation after the last one",
            _dense_wrong(last=lambda y: F.leaky_relu(y, 0.2)),
            "The change that you add is five times too small where it is negative. Your block can "
            "brighten more than it can darken.",
        ),
        Mistake(
            "activation before each",
            _dense_wrong(before=lambda h: F.leaky_relu(h, 0.2), act=_same),
            "The first convolution should hear x as it is. In your block it hears negative numbers "
            "at a fifth of their size.",
        ),
        Mistake(
            "activation at the end",
            _dense_wrong(end=lambda x, y, beta: F.leaky_relu(x + beta * y, 0.2)),
            "With weights that are all 0 the block must do nothing. Yours shrinks what is negative "
            "in x.",
        ),
        Mistake(
            "β in every layer",
            _dense_each_scaled,
            "You scale every map by β, and the later ones hear the earlier ones too faintly. Only "
            "the block's own change is scaled.",
        ),
        Mistake(
            "newest map first",
            _dense_wrong(join=lambda maps: torch.cat(maps[::-1], 1)),
            "You join the same maps in another order. Trained from scratch that is as good, but "
            "the weights here expect x first.",
        ),
        Mistake(
            "ReLU",
            _dense_wrong(act=F.relu),
            "What does your activation make of a negative number? A fifth of it should remain.",
        ),
        Mistake(
            "slope 0.01",
            _dense_wrong(act=F.leaky_relu),
            "What does your activation make of a negative number? A fifth of it should remain, "
            "and PyTorch's default is another slope.",
        ),
        Mistake(
            "no activation",
            _dense_wrong(act=_same),
            "Without an activation between them several convolutions are one convolution.",
        ),
        Mistake(
            "changes its input",
            _dense_in_place,
            "The values are right, but x itself was changed: the caller still needs it for the "
            "longer shortcut around three blocks.",
        ),
    ),
    probes=(
        call("three convolutions, β = 0.2", normal(1, 4, 5, 5, seed=20), _BLOCK, 0.2, grad=(0,)),
        call(
            "weights that are all 0, β = 0.2",
            normal(1, 4, 5, 5, seed=22),
            _silent(_convs(4, 2, 3, seed=21)),
            0.2,
            grad=(0,),
        ),
        call(
            "two convolutions, a list, one channel, 4 × 6, β = 1",
            3 * normal(2, 1, 4, 6, seed=23),
            list(_convs(1, 4, 2, seed=24)),
            1.0,
        ),
        call(
            "five convolutions, three pictures, β = 0.5",
            normal(3, 2, 3, 4, seed=25),
            _convs(2, 3, 5, seed=26, kernel=1),
            0.5,
            grad=(0,),
        ),
        call(
            "one convolution, β = 0.1", normal(1, 2, 3, 3, seed=27), _convs(2, 1, 1, seed=28), 0.1
        ),
    ),
)


# --- perceptual_loss ------------------------------------------------------------------------------


def _tapped(x: Tensor, trunk: nn.Sequential, taps: Sequence[int]) -> list[Tensor]:
    found = []
    for i, layer in enumerate(trunk):
        x = layer(x)
        if i in taps:
            found.append(x)
    return found


def _trunk(channels: int, *widths: int, seed: int) -> nn.Sequential:
    """Convolution, batch norm whose statistics are not 0 and 1, leaky ReLU, for each width."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(zip((channels, *widths), widths, strict=False)):
        conv = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3)
        norm = nn.BatchNorm2d(outputs)
        with torch.no_grad():
            spread = 1 / math.sqrt(9 * inputs)
            conv.weight.copy_(normal(*conv.weight.shape, seed=seed + i) * spread)
            conv.bias.copy_(0.3 * normal(outputs, seed=seed + i + 30))
            norm.running_mean.copy_(normal(outputs, seed=seed + i + 60))
            norm.running_var.copy_(0.5 + uniform(outputs, seed=seed + i + 90))
        layers += [conv, norm, nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def _perceptual(
    distance: Callable = lambda p, q: (p - q).abs().mean(),
    total: Callable = lambda parts: torch.stack(parts).mean(),
    change: Callable = lambda m: m,
    before: Callable = lambda x: x,
    free: str = "made",
    mode: bool | None = False,
) -> Callable:
    def wrong(made, truth, trunk, taps):
        trunk, sides = trunk if mode is None else trunk.train(mode), []
        for name, x in (("made", made), ("truth", truth)):
            with torch.set_grad_enabled(name in free):
                sides.append([change(m) for m in _tapped(before(x), trunk, taps)])
        return total([distance(p, q) for p, q in zip(*sides, strict=True)])

    return wrong


def _perceptual_earlier(made, truth, trunk, taps):
    trunk.eval()
    sides = []
    for x in (made, truth.detach()):
        maps = [x]
        for layer in trunk:
            maps.append(layer(maps[-1]))
        sides.append([maps[i] for i in sorted(taps)])
    parts = [(p - q).abs().mean() for p, q in zip(*sides, strict=True)]
    return torch.stack(parts).mean()


def _perceptual_pixels(made, truth, trunk, taps):
    return (
        restoration.perceptual_loss(made, truth, trunk, taps) + (made - truth.detach()).abs().mean()
    )


def _perceptual_detached(made, truth, trunk, taps):
    return restoration.perceptual_loss(made, truth, trunk, taps).detach()


def _doubling() -> nn.Sequential:
    """A layer that doubles, and a leaky ReLU."""
    layer = nn.utils.skip_init(nn.Conv2d, 1, 1, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    return nn.Sequential(layer, nn.LeakyReLU(0.1)).eval().requires_grad_(False)


_TRUNK = _trunk(3, 4, 5, seed=31)

PERCEPTUAL_LOSS = Exercise(
    id="restoration.perceptual_loss",
    title="Compared as a network sees them",
    reference=restoration.perceptual_loss,
    hints=(
        "Send both pictures through the network, layer by layer. Which of the outputs do you keep? "
        "Who has to learn from the difference, and who is only looked at?",
        "For each tap: the mean of |map of made − map of truth|. Then the mean over taps. The path "
        "of `made` keeps its gradient, that of `truth` needs none; the network must be in "
        "evaluation mode while it answers.",
        "`trunk.eval()` first; then `for i, layer in enumerate(trunk): x = layer(x)`, and keep x "
        "where `i in taps`. Run it for `truth` under `torch.no_grad()`, for `made` without.",
    ),
    mistakes=(
        Mistake(
            "after the activation",
            _perceptual(change=lambda m: F.leaky_relu(m, 0.1)),
            "Everything negative shrinks to a tenth in your maps: you compare what comes after the "
            "activation. The layer in `taps` is the one before.",
        ),
        Mistake(
            "one layer earlier",
            _perceptual_earlier,
            "You compare what goes into the layers in `taps`, not what comes out of them.",
        ),
        Mistake(
            "no gradient at all",
            _perceptual_detached,
            "The number is right, and nobody can learn from it: no gradient reaches `made`.",
        ),
        Mistake(
            "the truth learns",
            _perceptual(free="truth"),
            "No gradient reaches `made`, and one reaches `truth`: you would improve the truth.",
        ),
        Mistake(
            "the truth learns too",
            _perceptual(free="made truth"),
            "The value is right. But a gradient reaches `truth` as well, and the backward pass "
            "through the network costs you twice the time.",
        ),
        Mistake(
            "training mode",
            _perceptual(mode=True),
            "You switch the network to training mode: its batch norms now look at this batch, and "
            "change with every picture they see. Asked twice, it answers differently.",
        ),
        Mistake(
            "the mode in which it comes",
            _perceptual(mode=None),
            "Where the network comes in training mode, your loss depends on which other pictures "
            "are in the batch, and changes the network's statistics with every call.",
        ),
        Mistake(
            "squares",
            _perceptual(distance=lambda p, q: (p - q).square().mean()),
            "You average squares: twice the difference in a map gives four times the loss.",
        ),
        Mistake(
            "sum over numbers",
            _perceptual(distance=lambda p, q: (p - q).abs().sum()),
            "Twice as many pixels give twice the loss with you. Large maps outweigh small ones.",
        ),
        Mistake(
            "sum over taps",
            _perceptual(total=lambda parts: torch.stack(parts).sum()),
            "With one tap you are right, with two your loss is twice too large. The mean over taps "
            "was asked.",
        ),
        Mistake(
            "the last tap alone",
            _perceptual(total=lambda parts: parts[-1]),
            "Only the last tap counts with you.",
        ),
        Mistake(
            "the first tap alone",
            _perceptual(total=lambda parts: parts[0]),
            "Only the first tap counts with you.",
        ),
        Mistake(
            "all numbers of all taps in one mean",
            _perceptual(
                distance=lambda p, q: (p - q).abs().flatten(),
                total=lambda parts: torch.cat(parts).mean(),
            ),
            "You take one mean over the numbers of all taps together, so the largest map counts "
            "most. Every tap should count the same.",
        ),
        Mistake(
            "pictures of another range",
            _perceptual(before=lambda x: x / 2 + 0.5),
            "You bring the pictures to [0, 1] first. The network has never seen such pictures: it "
            "was trained on [-1, 1].",
        ),
        Mistake(
            "pixels added",
            _perceptual_pixels,
            "You add the difference of the pixels. Here only maps are compared; the loss on pixels "
            "gets a weight of its own later.",
        ),
    ),
    probes=(
        call(
            "1 and −2 for 0 and 0, a layer that doubles: (2 + 4) / 2",
            torch.tensor([1.0, -2.0]).view(1, 1, 1, 2),
            torch.zeros(1, 1, 1, 2),
            _doubling(),
            [0],
            grad=(0, 1),
        ),
        call(
            "two pictures, taps 1 and 4",
            normal(2, 3, 8, 8, seed=41),
            normal(2, 3, 8, 8, seed=42),
            _TRUNK,
            [1, 4],
            grad=(0, 1),
        ),
        call(
            "one picture, 7 × 9, tap 0",
            normal(1, 3, 7, 9, seed=43),
            normal(1, 3, 7, 9, seed=44),
            _TRUNK,
            [0],
            grad=(0, 1),
        ),
        call(
            "three pictures of one channel, taps 0, 3, 4",
            normal(3, 1, 8, 6, seed=45),
            normal(3, 1, 8, 6, seed=46),
            _trunk(1, 2, 3, seed=47),
            (0, 3, 4),
            grad=(0, 1),
        ),
        call(
            "a network that comes in training mode, taps 1 and 4",
            normal(4, 2, 6, 6, seed=141),
            normal(4, 2, 6, 6, seed=142),
            _trunk(2, 3, 2, seed=143).train(),
            [1, 4],
            grad=(0, 1),
        ),
        call(
            "two pictures of very different errors, tap 3",
            normal(2, 3, 6, 6, seed=48),
            normal(2, 3, 6, 6, seed=48)
            + torch.tensor([0.01, 3.0]).view(2, 1, 1, 1) * normal(2, 3, 6, 6, seed=49),
            _TRUNK,
            [3],
        ),
        call(
            "a network in training mode, whose layers are a network and Dropout, taps 0 and 1",
            normal(4, 2, 6, 7, seed=151),
            normal(4, 2, 6, 7, seed=152),
            # Dropout of all numbers, not of some by chance: it does the same each time.
            nn.Sequential(_trunk(2, 3, seed=153), nn.Dropout(1.0)).train(),
            [0, 1],
            grad=(0, 1),
        ),
    ),
    allows=("training mode of `trunk`",),  # the text asks for evaluation, and no more
)


# --- relativistic_losses --------------------------------------------------------------------------


def _both_halves(r: Tensor, f: Tensor) -> Tensor:
    return F.softplus(r).mean() + F.softplus(f).mean()


def _changed_first(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    r = real - fake.mean()
    f = fake - r.mean()
    return _both_halves(-r, f), _both_halves(r, -f)


def _standard(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    return _both_halves(-real, fake), F.softplus(-fake).mean()


def _pairs(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * F.softplus(fake - real).mean(), 2 * F.softplus(real - fake).mean()


def _sigmoid_twice(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    p, q = (real - fake.mean()).sigmoid(), (fake - real.mean()).sigmoid()
    return _both_halves(-p, q), _both_halves(p, -q)


def _logs(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    p, q = (real - fake.mean()).sigmoid(), (fake - real.mean()).sigmoid()
    d = -p.log().mean() - (1 - q).log().mean()
    return d, -(1 - p).log().mean() - q.log().mean()


def _all_together(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    middle = torch.cat([real, fake]).mean()
    return _both_halves(-(real - middle), fake - middle), _both_halves(
        real - middle, -(fake - middle)
    )


def _still_means(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    r, f = real - fake.mean().detach(), fake - real.mean().detach()
    return _both_halves(-r, f), _both_halves(r, -f)


def _own_means(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    r, f = real - real.mean(), fake - fake.mean()
    return _both_halves(-r, f), _both_halves(r, -f)


def _of_the_right(change: Callable) -> Callable:
    return lambda real, fake: change(real, fake, *restoration.relativistic_losses(real, fake))


_SURE = (
    "With scores of hundreds eˣ is infinite and a sigmoid exactly 0 or 1: their logarithm is lost, "
    "or is whatever you added to keep it finite."
)
_REAL, _FAKE = torch.tensor([1.0, 3.0, 0.5]), torch.tensor([0.0, -2.0, 1.0])
_TIE = torch.zeros(2)

RELATIVISTIC_LOSSES = Exercise(
    id="restoration.relativistic_losses",
    title="More real than the fakes are, on average",
    reference=restoration.relativistic_losses,
    hints=(
        "D no longer says how real a picture is, but by how much it is more real than those of the "
        "other side are on average. Which number do you subtract from the scores of real pictures? "
        "Which from those of fakes?",
        "r = real − mean(fake), f = fake − mean(real). D wants r large and f small: softplus(−r) + "
        "softplus(f), each averaged. G wants the opposite of both.",
        "d = softplus(−r).mean() + softplus(f).mean(); g = softplus(r).mean() + "
        "softplus(−f).mean(). With `F.softplus` no score is too large.",
    ),
    mistakes=(
        Mistake(
            "the mean of what was changed",
            _changed_first,
            "`real` has been overwritten when you take its mean. With which real scores does the "
            "second half compare?",
        ),
        Mistake(
            "G has one half",
            _of_the_right(lambda r, f, d, g: (d, F.softplus(-(f - r.mean())).mean())),
            "With scores that are all 0, G's loss should be 2 ln 2 = 1.386. Yours is {got:.3f}: in "
            "this game real pictures teach G as well.",
            example(_TIE, _TIE, pick=lambda r: r[1], gives=0.693),
        ),
        Mistake(
            "D has one half",
            _of_the_right(lambda r, f, d, g: (F.softplus(f.mean() - r).mean(), g)),
            "With scores that are all 0, D's loss should be 2 ln 2 = 1.386. Yours is {got:.3f}: "
            "fakes have a half of their own.",
            example(_TIE, _TIE, pick=lambda r: r[0], gives=0.693),
        ),
        Mistake(
            "the standard loss for G",
            _of_the_right(lambda r, f, d, g: (d, F.softplus(-f).mean())),
            "G's loss does not ask about real pictures: add 5 to all scores, and it changes. Only "
            "differences should count.",
        ),
        Mistake(
            "the standard losses",
            _standard,
            "These are the losses of a usual GAN: add 5 to all scores, and they change. Here only "
            "differences between real and fake count.",
        ),
        Mistake(
            "D and G exchanged",
            _of_the_right(lambda r, f, d, g: (g, d)),
            "D is rewarded for calling fakes more real than real pictures. You return both losses "
            "in the other order, or exchanged real and fake.",
        ),
        Mistake(
            "pairs",
            _pairs,
            "You compare each real picture with its own fake. Here each is compared with the "
            "average of the other side.",
        ),
        Mistake(
            "sigmoid twice",
            _sigmoid_twice,
            "Scores of 0 must give 2 ln 2 = 1.386, and D's loss is {got:.3f} with you. Your loss "
            "takes scores, and you give it probabilities.",
            example(_TIE, _TIE, pick=lambda r: r[0], gives=1.448),
        ),
        Mistake(
            "G is minus D",
            _of_the_right(lambda r, f, d, g: (d, -d)),
            "Your G's loss is negative. Where D is sure, this loss is flat, and G learns nothing.",
        ),
        Mistake(
            "halves",
            _of_the_right(lambda r, f, d, g: (d / 2, g / 2)),
            "Exactly half of what is asked: the authors' code takes the mean of both halves, here "
            "it is their sum.",
        ),
        Mistake(
            "sums over the batch",
            _of_the_right(lambda r, f, d, g: (d * len(r), g * len(r))),
            "Your losses grow with the batch: twice as many pictures, twice the loss.",
        ),
        Mistake(
            "compared with all",
            _all_together,
            "You subtract the mean of real and fake scores together. Real pictures should be "
            "compared with fakes, and fakes with real ones.",
        ),
        Mistake(
            "the means alone",
            lambda r, f: (
                2 * F.softplus(f.mean() - r.mean()),
                2 * F.softplus(r.mean() - f.mean()),
            ),
            "You compare the two means alone, so no single picture is judged. Subtract the other "
            "side's mean from each score, and take the mean of the softplus last.",
        ),
        Mistake(
            "compared with their own",
            _own_means,
            "You compare real pictures with the average real one. Whatever D says of the fakes "
            "changes nothing there.",
        ),
        Mistake(
            "logarithms come too late",
            _logs,
            "With scores of hundreds you return infinity or nan: eˣ is larger there than any "
            "number of 32 bits, a sigmoid is exactly 0 or 1, and the logarithm comes too late.",
        ),
        Mistake(
            "means without gradient",
            _still_means,
            "The values are right, the gradients are not: the means are made of scores too, and "
            "have their share.",
        ),
    ),
    probes=(
        call("real (1, 3, 0.5), fake (0, −2, 1)", _REAL, _FAKE, grad=(0, 1)),
        call("all scores 0", _TIE, _TIE, grad=(0, 1)),
        call("real (1, 3, 0.5), fake 5 higher than before", _REAL, _FAKE + 5, grad=(0, 1)),
        call("all scores 5 higher", _REAL + 5, _FAKE + 5),
        call("one score each", torch.tensor([-0.7]), torch.tensor([0.9]), grad=(0, 1)),
        call(
            "scores of hundreds",
            300 * normal(4, seed=51),
            300 * normal(4, seed=52),
            grad=(0, 1),
            explain=dict.fromkeys(("result 1", "result 2"), _SURE),
        ),
        call("five scores each", normal(5, seed=53), normal(5, seed=54) - 1, grad=(0, 1)),
    ),
)


# --- between --------------------------------------------------------------------------------------


def _between_wrong(of_floats: Callable, of_counters: Callable = lambda a, b, t: a) -> Callable:
    def wrong(state_a, state_b, alpha):
        return {
            key: (of_floats if a.is_floating_point() else of_counters)(a, state_b[key], alpha)
            for key, a in state_a.items()
        }

    return wrong


def _blend(a: Tensor, b: Tensor, t: float) -> Tensor:
    return (1 - t) * a + t * b


def _between_in_place(state_a, state_b, alpha):
    for key, a in state_a.items():
        if a.is_floating_point():
            a.mul_(1 - alpha).add_(alpha * state_b[key])
    return state_a


def _between_without_counters(state_a, state_b, alpha):
    return {
        key: _blend(a, state_b[key], alpha) for key, a in state_a.items() if a.is_floating_point()
    }


def _between_kernels_alone(state_a, state_b, alpha):
    return {key: _blend(a, state_b[key], alpha) if a.ndim > 1 else a for key, a in state_a.items()}


def _between_in_turn(state_a, state_b, alpha):
    return {
        key: _blend(a, b, alpha) if a.is_floating_point() else a
        for (key, a), b in zip(state_a.items(), state_b.values(), strict=True)
    }


def _state(seed: int, seen: int) -> dict[str, Tensor]:
    """As of a convolution with batch norm."""
    return {
        "0.weight": normal(2, 3, 3, 3, seed=seed),
        "0.bias": normal(2, seed=seed + 1),
        "1.weight": 1 + normal(2, seed=seed + 2),
        "1.running_mean": normal(2, seed=seed + 3),
        "1.running_var": uniform(2, seed=seed + 4),
        "1.num_batches_tracked": torch.tensor(seen),
        "2.gain": normal(1, seed=seed + 5)[0],
    }


_STATE_A = {"w": torch.tensor([1.0, 2.0]), "n.num_batches_tracked": torch.tensor(10)}
_STATE_B = {"w": torch.tensor([3.0, 0.0]), "n.num_batches_tracked": torch.tensor(21)}
_SEEN = torch.tensor([10, 21], dtype=torch.int32)
_FINE = torch.tensor([[0.1, 0.2], [0.3, -0.4]], dtype=torch.float64)

BETWEEN = Exercise(
    id="restoration.between",
    title="A network between two networks",
    reference=restoration.between,
    hints=(
        "A state dict maps names to tensors. What should come out at α = 0, what at α = 1? Which "
        "of the tensors cannot be averaged, because they count something?",
        "For each name: (1 − α) a + α b. Where `a` holds whole numbers (`is_floating_point()` "
        "says no), take a's. Write into a new dict: a's tensors belong to a network in use.",
        "`{key: torch.lerp(a, state_b[key], alpha) if a.is_floating_point() else a for key, a in "
        "state_a.items()}`",
    ),
    mistakes=(
        Mistake(
            "the other way round",
            _between_wrong(lambda a, b, t: t * a + (1 - t) * b),
            "At α = 0 it must be the first network, and yours is the second.",
        ),
        Mistake(
            "counters become decimals",
            _between_wrong(_blend, _blend),
            "A network that has seen 12.75 batches? Whole numbers count something, and are not "
            "averaged.",
        ),
        Mistake(
            "counters averaged and rounded",
            _between_wrong(_blend, lambda a, b, t: _blend(a, b, t).round().long()),
            "You average the counters, too. Whole numbers should be the first network's.",
        ),
        Mistake(
            "counters left out",
            _between_without_counters,
            "Your state cannot be loaded: keys are missing, those of whole numbers.",
        ),
        Mistake(
            "the second network's counters",
            _between_wrong(_blend, lambda a, b, t: b),
            "Whole numbers should be the first network's. Yours are the second one's.",
        ),
        Mistake(
            "the first network is changed",
            _between_in_place,
            "Move a slider twice, and the second answer is wrong: your first network has been "
            "overwritten by what lay between.",
        ),
        Mistake(
            "always the middle",
            _between_wrong(lambda a, b, t: (a + b) / 2),
            "α changes nothing in your answer: it is always the mean of both.",
        ),
        Mistake(
            "b added on top",
            _between_wrong(lambda a, b, t: a + t * b),
            "At α = 1 it must be the second network. Yours is the sum of both.",
        ),
        Mistake(
            "the step alone",
            _between_wrong(lambda a, b, t: t * (b - a)),
            "At α = 0 all weights vanish. It should be the first network.",
        ),
        Mistake(
            "from the second one",
            _between_wrong(lambda a, b, t: b + t * (b - a)),
            "At α = 0 it must be the first network, and at α = 1 yours lies beyond the second.",
        ),
        Mistake(
            "kernels alone",
            _between_kernels_alone,
            "Kernels are blended, and biases and statistics are not: the first network's biases do "
            "not fit the new kernels.",
        ),
        Mistake(
            "one or the other",
            _between_wrong(lambda a, b, t: a if t < 0.5 else b),
            "You return one of both networks. Nothing lies between.",
        ),
        Mistake(
            "paired in turn",
            _between_in_turn,
            "You pair the tensors of both states in turn. Where the second one has its names in "
            "another order, a weight is blended with a weight of another place.",
        ),
    ),
    probes=(
        call("two numbers and a counter, α = ¼", _STATE_A, _STATE_B, 0.25),
        call("α = 0", _STATE_A, _STATE_B, 0.0),
        call("α = 1", _STATE_A, _STATE_B, 1.0),
        call("a convolution and a batch norm, α = 0.6", _state(61, 300), _state(71, 200), 0.6),
        call("a convolution and a batch norm, α = 0.1", _state(81, 7), _state(91, 8), 0.1),
        call(
            "a counter with another name, of int32, α = ½",
            {"n.seen": _SEEN[0]},
            {"n.seen": _SEEN[1]},
            0.5,
        ),
        call(
            "two numbers of float64, α = ½",
            {"w": _FINE[0]},
            {"w": _FINE[1]},
            0.5,
            rtol=1e-9,
            atol=1e-12,
        ),
        call(
            "the names of the second state in another order, α = ¼",
            {"v": torch.tensor([5.0, 7.0])} | _STATE_A,
            _STATE_B | {"v": torch.tensor([9.0, -3.0])},
            0.25,
        ),
    ),
)


# --- gaussian_kernel ------------------------------------------------------------------------------


def _kernel_wrong(
    middle: Callable = lambda n: (n - 1) / 2,
    turned: Callable = lambda theta: theta,
    exponent: Callable = lambda u, v, s1, s2: -(u**2 / s1**2 + v**2 / s2**2) / 2,
    scaled: Callable = lambda kernel, s1, s2: kernel / kernel.sum(),
    indexing: str = "ij",
) -> Callable:
    def wrong(size, s1, s2, theta):
        places = torch.arange(size) - middle(size)
        y, x = torch.meshgrid(places, places, indexing=indexing)
        c, s = math.cos(turned(theta)), math.sin(turned(theta))
        kernel = torch.exp(exponent(x * c + y * s, y * c - x * s, s1, s2))
        return scaled(kernel, s1, s2)

    return wrong


def _pick_middle(kernel: Tensor) -> Tensor:
    return kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]


GAUSSIAN_KERNEL = Exercise(
    id="restoration.gaussian_kernel",
    title="A lens out of focus, a camera that moved",
    reference=restoration.gaussian_kernel,
    hints=(
        "Count x and y of each place from the middle of the table. How far does a place lie along "
        "the direction θ, and how far beside it?",
        "u = x cos θ + y sin θ lies along, v = −x sin θ + y cos θ across. The Gaussian is "
        "exp(−½ (u²/s₁² + v²/s₂²)). Divide by the sum of all numbers.",
        "`p = torch.arange(size) - (size - 1) / 2`; `y, x = torch.meshgrid(p, p, indexing='ij')`: "
        "rows are y, which runs down.",
    ),
    mistakes=(
        Mistake(
            "not normalised",
            _kernel_wrong(scaled=lambda kernel, s1, s2: kernel),
            "The middle of your kernel is {got:.2f}. A white picture should stay white, and yours "
            "becomes several times as bright.",
            example(5, 1.0, 1.0, 0.0, pick=_pick_middle, gives=1.0),
        ),
        Mistake(
            "normalised over the whole plane",
            _kernel_wrong(scaled=lambda kernel, s1, s2: kernel / (2 * math.pi * s1 * s2)),
            "These numbers would sum to 1 on an endless, fine grid. On this small one they do "
            "not: blurring changes the brightness.",
        ),
        Mistake(
            "each row to 1",
            _kernel_wrong(scaled=lambda kernel, s1, s2: kernel / kernel.sum(1, keepdim=True)),
            "Each row sums to 1 by itself. The whole kernel should.",
        ),
        Mistake(
            "degrees",
            _kernel_wrong(turned=math.radians),
            "The angle comes in radians. π/6 turns your kernel by half a degree.",
        ),
        Mistake(
            "variances for spreads",
            _kernel_wrong(exponent=lambda u, v, s1, s2: -(u**2 / s1 + v**2 / s2) / 2),
            "You are right where a spread is 1, and wrong elsewhere: at a spread of 4 your blur "
            "is half as wide as asked.",
        ),
        Mistake(
            "rows and columns exchanged",
            _kernel_wrong(indexing="xy"),
            "At θ = 0 the blur should run along x, to the right. Yours runs down.",
        ),
        Mistake(
            "turned the other way",
            _kernel_wrong(turned=lambda theta: -theta),
            "Your kernel is mirrored: at θ = π/6 it rises to the right. In pictures y runs down, "
            "and so does a positive angle.",
        ),
        Mistake(
            "s1 and s2 exchanged",
            _kernel_wrong(turned=lambda theta: theta + math.pi / 2),
            "The long side lies across the direction θ. s1 is the spread along it.",
        ),
        Mistake(
            "½ forgotten",
            _kernel_wrong(exponent=lambda u, v, s1, s2: -(u**2 / s1**2 + v**2 / s2**2)),
            "At one spread from the middle the Gaussian should have 61 % of its height. Here it "
            "has 37 %: the blur is narrower than asked, by √2.",
        ),
        Mistake(
            "off the middle",
            _kernel_wrong(middle=lambda n: n / 2),
            "The largest number should stand in the middle of the table, and four do so in yours: "
            "it moves every picture by half a pixel.",
        ),
        Mistake(
            "counted from the corner",
            _kernel_wrong(middle=lambda n: 0),
            "Your kernel is largest in the corner. It moves every picture, besides blurring it.",
        ),
        Mistake(
            "covariance not inverted",
            _kernel_wrong(exponent=lambda u, v, s1, s2: -((u * s1) ** 2 + (v * s2) ** 2) / 2),
            "Your blur is narrow where it should be wide: double a spread, and it shrinks.",
        ),
    ),
    probes=(
        call("3 × 3, s1 = 2, s2 = 0.5, θ = 0", 3, 2.0, 0.5, 0.0),
        call("5 × 5, s1 = 2, s2 = 0.5, θ = π/6", 5, 2.0, 0.5, math.pi / 6),
        call("5 × 5, round, s = 1, θ = 0.3", 5, 1.0, 1.0, 0.3),
        call("7 × 7, s1 = 0.7, s2 = 4, θ = −1", 7, 0.7, 4.0, -1.0),
        call("one pixel", 1, 1.5, 1.0, 0.5),
        call("9 × 9, s1 = 3, s2 = 1, θ = 2.5", 9, 3.0, 1.0, 2.5),
        call("3 × 3, s1 = 0.3, s2 = 0.4, θ = 0", 3, 0.3, 0.4, 0.0),
    ),
)


# --- jpeg_block -----------------------------------------------------------------------------------


def _jpeg_wrong(
    shift: float = 128.0,
    quantised: Callable = lambda c, table: torch.round(c / table) * table,
    there: Callable = lambda d, b: d @ b @ d.T,
    back: Callable = lambda d, c: d.T @ c @ d,
    matrix: Callable = restoration.cosines,
    end: Callable = lambda b: b.clamp(0, 255),
) -> Callable:
    def wrong(block, table):
        d = matrix()
        return end(back(d, quantised(there(d, block - shift), table)) + shift)

    return wrong


def _plain_cosines() -> Tensor:
    d = restoration.cosines() * 2
    d[0] = 1.0
    return d


def _first_row_too_large() -> Tensor:
    d = restoration.cosines()
    d[0] *= math.sqrt(2)
    return d


_TABLE = (11 + 6 * torch.arange(8.0)[:, None] + 4 * torch.arange(8.0)) + 5 * torch.ones(8, 8).tril(
    -1
)


def _coded(table: Tensor, seed: int, strength: float) -> Tensor:
    """A block whose coefficients lie well away from where rounding is undecided."""
    falling = strength / (1 + torch.arange(8.0)[:, None] + torch.arange(8.0))
    steps = (falling * normal(8, 8, seed=seed)).round() + 0.8 * uniform(8, 8, seed=seed + 1) - 0.4
    return restoration.cosines().T @ (steps * table) @ restoration.cosines() + 128


# Nearly flat, nearly black and white: what a coefficient of exactly 0 is rounded down to is chance.
_FLAT = 128 + 2 * uniform(8, 8, seed=107)
_EDGE = 2 * uniform(8, 8, seed=108)
_EDGE[:, 4:] += 253

JPEG_BLOCK = Exercise(
    id="restoration.jpeg_block",
    title="Eight by eight pixels as a photograph keeps them",
    reference=restoration.jpeg_block,
    hints=(
        "JPEG writes a block as a sum of cosines, and keeps only how many whole steps of the table "
        "each coefficient has. Which of these operations loses something?",
        "Take 128 away, C = T b Tᵀ. Round C / table to whole numbers, multiply by the table again. "
        "Back: Tᵀ C T, plus 128. What lies outside 0 … 255 no picture can hold.",
        "`steps = torch.round(T @ (block - 128) @ T.T / table)`; then transform `steps * table` "
        "back, and end with `.clamp(0, 255)`.",
    ),
    mistakes=(
        Mistake(
            "no level shift",
            _jpeg_wrong(shift=0.0),
            "A flat block of 130 comes out as {got:.1f} with you, and as {expected:.1f} in JPEG. "
            "From which grey are coefficients counted?",
            example(torch.full((8, 8), 130.0), _TABLE, pick=lambda b: b[0, 0], gives=130.625),
        ),
        Mistake(
            "127.5 as the middle",
            _jpeg_wrong(shift=127.5),
            "A flat block of 130 comes out as {got:.2f} with you, and as {expected:.2f} in JPEG. "
            "From which grey are coefficients counted?",
            example(torch.full((8, 8), 130.0), _TABLE, pick=lambda b: b[0, 0], gives=130.25),
        ),
        Mistake(
            "rounded down",
            _jpeg_wrong(quantised=lambda c, table: torch.floor(c / table) * table),
            "All your coefficients drift downwards: −0.1 steps become −1. A faint texture, of "
            "which nothing should remain, comes back as a strong one.",
        ),
        Mistake(
            "cut off towards 0",
            _jpeg_wrong(quantised=lambda c, table: torch.trunc(c / table) * table),
            "All your coefficients shrink: 1.9 steps become 1. Textures come out fainter than JPEG "
            "leaves them.",
        ),
        Mistake(
            "not rounded",
            _jpeg_wrong(quantised=lambda c, table: c),
            "Your block comes back as it was. Nothing is lost, so nothing is compressed.",
        ),
        Mistake(
            "not multiplied back",
            _jpeg_wrong(quantised=lambda c, table: torch.round(c / table)),
            "Your block comes back nearly grey: whole steps are counted, and their size is gone.",
        ),
        Mistake(
            "the table as a factor",
            _jpeg_wrong(quantised=lambda c, table: torch.round(c * table) / table),
            "With you a coarser table loses less. An entry of the table is the size of a step.",
        ),
        Mistake(
            "one side of the transform",
            _jpeg_wrong(there=lambda d, b: d @ b, back=lambda d, c: d.T @ c),
            "You transform the columns alone. A picture has frequencies along both axes.",
        ),
        Mistake(
            "D on both sides",
            _jpeg_wrong(there=lambda d, b: d @ b @ d, back=lambda d, c: d.T @ c @ d.T),
            "A flat block should have a single coefficient, and with you it has eight. "
            "Rows are transformed from the other side.",
        ),
        Mistake(
            "there twice",
            _jpeg_wrong(back=lambda d, c: d @ c @ d.T),
            "You transform a second time instead of back: the inverse of an orthonormal T is Tᵀ.",
        ),
        Mistake(
            "there and back exchanged",
            _jpeg_wrong(there=lambda d, b: d.T @ b @ d, back=lambda d, c: d @ c @ d.T),
            "A flat block should have a single coefficient, and with you it has many. You applied "
            "the inverse transform first.",
        ),
        Mistake(
            "cosines that are not orthonormal",
            _jpeg_wrong(matrix=_plain_cosines),
            "With a table of ones the block should come back, nearly. Tᵀ is the way back only "
            "where the rows of D have length 1.",
        ),
        Mistake(
            "the first row too long",
            _jpeg_wrong(matrix=_first_row_too_large),
            "With a table of ones the block should come back, nearly, and yours has another "
            "brightness. One row of D has not the length of the others.",
        ),
        Mistake(
            "brighter than white",
            _jpeg_wrong(end=_same),
            "At an edge from black to white your block reaches {got:.0f}. No picture holds that: "
            "stored in a byte, it becomes a dark speck.",
            example(_EDGE, _TABLE, pick=lambda b: b.max()),
        ),
        Mistake(
            "rounded to bytes",
            _jpeg_wrong(end=lambda b: b.clamp(0, 255).round()),
            "You round the pixels, too. Here they stay decimal numbers.",
        ),
        Mistake(
            "the table turned",
            _jpeg_wrong(quantised=lambda c, table: torch.round(c / table.T) * table.T),
            "You are right with a table that is symmetric, and wrong with this one: its rows "
            "belong to frequencies from top to bottom.",
        ),
    ),
    probes=(
        call("a nearly flat block of 129", _FLAT, _TABLE, atol=1e-3),
        call("a drawn block", _coded(_TABLE, 101, 6.0), _TABLE, atol=1e-3),
        call("an edge from black to white", _EDGE, _TABLE, atol=1e-3),
        call("a table of ones", _coded(torch.ones(8, 8), 103, 60.0), torch.ones(8, 8), atol=1e-3),
        call("a fainter block", _coded(_TABLE, 105, 2.0), _TABLE, atol=1e-3),
        call("an edge from white to black, lying", 255 - _EDGE.T, 1.7 * _TABLE.T, atol=1e-3),
    ),
)


# --- modulate_half --------------------------------------------------------------------------------


def _modulated_half(change: Callable) -> Callable:
    """`change` gets both halves, scale and shift, and gives what is joined."""

    def wrong(h, scale, shift):
        return torch.cat(change(*h.chunk(2, 1), scale, shift), 1)

    return wrong


def _modulate_in_place(h, scale, shift):
    half = h.shape[1] // 2
    h[:, half:] = h[:, half:] * (1 + scale) + shift
    return h


def _every_second(h, scale, shift):
    return torch.stack([h[:, ::2], h[:, 1::2] * (1 + scale) + shift], 2).flatten(1, 2)


_HALVES = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)
_THREE = torch.full((1, 1, 1, 1), 3.0)

MODULATE_HALF = Exercise(
    id="restoration.modulate_half",
    title="Half of it belongs to the prior",
    reference=restoration.modulate_half,
    hints=(
        "The prior's map has C channels, the picture's instructions C/2. Which channels should "
        "remain exactly as the prior drew them? And what should happen where the instructions are "
        "all 0?",
        "Channels 0 … C/2 − 1 stay. Channels C/2 … C − 1 become channel · (1 + scale) + shift. "
        "Join both in this order.",
        "`first, second = h.chunk(2, dim=1)`, then `torch.cat` along dim 1. Writing into h would "
        "change the prior's map.",
    ),
    mistakes=(
        Mistake(
            "the 1 forgotten",
            _modulated_half(lambda a, b, s, t: [a, b * s + t]),
            "With scale and shift 0 you return {got:.0f} where the prior drew {expected:.0f}. Told "
            "nothing, it must change nothing.",
            example(_HALVES, 0 * _THREE, 0 * _THREE, pick=lambda r: r[0, 1, 0, 0], gives=0.0),
        ),
        Mistake(
            "the first half turned",
            _modulated_half(lambda a, b, s, t: [a * (1 + s) + t, b]),
            "You change the first half of the channels. That one belongs to the prior.",
        ),
        Mistake(
            "halves exchanged",
            _modulated_half(lambda a, b, s, t: [b * (1 + s) + t, a]),
            "With scale and shift 0 the channels come back in another order: the second half "
            "first.",
        ),
        Mistake(
            "every second channel",
            _every_second,
            "You change every second channel. The prior's half is channels 0 … C/2 − 1.",
        ),
        Mistake(
            "all channels",
            _modulated_half(lambda a, b, s, t: [a * (1 + s) + t, b * (1 + s) + t]),
            "You change all channels. Nothing of the prior is left alone.",
        ),
        Mistake(
            "the shift scaled too",
            _modulated_half(lambda a, b, s, t: [a, (b + t) * (1 + s)]),
            "Which comes first, scale or shift? With a map of 2 and both at 3, you give {got:.0f} "
            "where {expected:.0f} is asked.",
            example(_HALVES, _THREE, _THREE, pick=lambda r: r[0, 1, 0, 0], gives=20.0),
        ),
        Mistake(
            "scale and shift exchanged",
            _modulated_half(lambda a, b, s, t: [a, b * (1 + t) + s]),
            "A scale of 0 with a shift of 1 should only brighten. Your shift multiplies.",
        ),
        Mistake(
            "a 1 too many",
            _modulated_half(lambda a, b, s, t: [a, b * (2 + s) + t]),
            "With scale and shift 0 the second half doubles. Told nothing, it must change nothing.",
        ),
        Mistake(
            "changes its input",
            _modulate_in_place,
            "The values are right, but h itself was changed: the prior's map is another one now, "
            "for all that comes later.",
        ),
        Mistake(
            "half is lost",
            lambda h, s, t: h.chunk(2, 1)[1] * (1 + s) + t,
            "Half of the channels is missing: the layer after this one expects all of them.",
        ),
        Mistake(
            "half of the batch",
            lambda h, s, t: torch.cat(
                [h[: len(h) // 2], h[len(h) // 2 :] * (1 + s[:, :1]) + t[:, :1]]
            ),
            "Your halves are halves of the batch: the first picture stays and the second changes. "
            "Channels were asked.",
        ),
    ),
    probes=(
        call("two channels, 1 and 2, scale 3, shift 3", _HALVES, _THREE, _THREE, grad=(0, 1, 2)),
        call("scale and shift 0", normal(2, 4, 2, 2, seed=111), *[torch.zeros(2, 2, 2, 2)] * 2),
        call(
            "two pictures of six channels, 3 × 2",
            normal(2, 6, 3, 2, seed=112),
            normal(2, 3, 3, 2, seed=113),
            normal(2, 3, 3, 2, seed=114),
            grad=(0, 1, 2),
        ),
        call(
            "three pictures of four channels, shift 0",
            normal(3, 4, 1, 3, seed=115),
            normal(3, 2, 1, 3, seed=116),
            torch.zeros(3, 2, 1, 3),
        ),
        call(
            "scale 0, shift 1",
            normal(1, 4, 2, 3, seed=117),
            torch.zeros(1, 2, 2, 3),
            torch.ones(1, 2, 2, 3),
        ),
    ),
)


# --- partial_conv ---------------------------------------------------------------------------------


def _partial_wrong(
    hole: Callable = lambda x, mask: x * mask,
    share: Callable = lambda seen, x, weight: weight[0, 0].numel() / seen.clamp(min=1),
    after: Callable = lambda y, share, bias: y * share + bias,
    end: Callable = lambda y, known: y * known,
    update: Callable = lambda seen, weight: (seen > 0).float(),
) -> Callable:
    def wrong(x, mask, weight, bias):
        seen = F.conv2d(mask, torch.ones_like(weight[:1, :1]))
        y = F.conv2d(hole(x, mask), weight)
        y = after(y, share(seen, x, weight), bias.view(-1, 1, 1))
        return end(y, (seen > 0).float()), update(seen, weight)

    return wrong


def _partial_where(x, mask, weight, bias):
    seen = F.conv2d(mask, torch.ones_like(weight[:1, :1]))
    y = F.conv2d(x * mask, weight) * (weight[0, 0].numel() / seen) + bias.view(-1, 1, 1)
    return torch.where(seen > 0, y, 0.0), (seen > 0).float()


def _mask_for_each(seen: Tensor, weight: Tensor) -> Tensor:
    return (seen > 0).float().repeat(1, len(weight), 1, 1)


def _partial_padded(x, mask, weight, bias):
    pad = [weight.shape[-1] // 2] * 4
    return restoration.partial_conv(F.pad(x, pad), F.pad(mask, pad), weight, bias)


def _partial_turned(x, mask, weight, bias):
    return restoration.partial_conv(x, 1 - mask, weight, bias)


_FOUR = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
_LOWER = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])  # the upper row is not known
_MEAN, _PLUS = torch.full((1, 1, 2, 2), 0.25), torch.ones(1)
_HOLE = torch.ones(1, 1, 4, 6)
_HOLE[..., :4] = 0
_HOLE[..., 1, 2] = 1  # one known place in the hole; the first windows see nothing
_RUBBISH = normal(1, 2, 4, 6, seed=121)
_RUBBISH[..., 0] = 1000.0
_KERNEL, _BIASES = normal(3, 2, 3, 3, seed=122), torch.tensor([1.0, -2.0, 0.5])
_TORN = (uniform(1, 1, 5, 4, seed=123) > 0.5).float()
_TORN[..., :3, :2], _TORN[..., 4, 3] = 0, 1

PARTIAL_CONV = Exercise(
    id="restoration.partial_conv",
    title="A convolution that does not look into the hole",
    reference=restoration.partial_conv,
    hints=(
        "What lies in the hole is not known, so it must have no say: which value adds nothing to a "
        "sum? A window that sees three of its nine places adds up a third as much as it should. "
        "And one that sees none?",
        "n = how many places of each window are known: a convolution of the mask with ones. "
        "h = conv(x · mask) · k²/n + bias where n > 0, and 0 where n = 0. The new mask is 1 where "
        "n > 0.",
        "`seen = F.conv2d(mask, torch.ones(1, 1, k, k))`; `seen.clamp(min=1)` is safe to divide "
        "by; multiply the whole result, bias included, by `(seen > 0).float()`.",
    ),
    mistakes=(
        Mistake(
            "looks into the hole",
            _partial_wrong(hole=lambda x, mask: x),
            "What lies in the hole has a say: put 1000 there, and your result changes.",
        ),
        Mistake(
            "not weighted",
            _partial_wrong(share=lambda seen, x, weight: 1.0),
            "Of 3 and 4, the known half of a window, a kernel of means plus 1 makes {got:.2f} with "
            "you. It gets darker towards the hole.",
            example(_FOUR, _LOWER, _MEAN, _PLUS, pick=lambda r: r[0].flatten()[0], gives=2.75),
        ),
        Mistake(
            "the bias weighted too",
            _partial_wrong(after=lambda y, share, bias: (y + bias) * share),
            "Of 3 and 4, the known half of a window, a kernel of means plus 1 makes {got:.2f} with "
            "you. Your bias grows where little is seen.",
            example(_FOUR, _LOWER, _MEAN, _PLUS, pick=lambda r: r[0].flatten()[0], gives=5.5),
        ),
        Mistake(
            "no bias",
            _partial_wrong(after=lambda y, share, bias: y * share),
            "The bias changes nothing in your answer.",
        ),
        Mistake(
            "channels counted",
            _partial_wrong(
                share=lambda seen, x, weight: weight[0].numel() / seen.clamp(min=1),
            ),
            "Where all is known it should be a plain convolution. With two channels yours is "
            "twice as large: the mask has one channel, and you count its places for both.",
        ),
        Mistake(
            "the share upside down",
            _partial_wrong(share=lambda seen, x, weight: seen / weight[0, 0].numel()),
            "Of 3 and 4, the known half of a window, a kernel of means plus 1 makes {got:.2f} with "
            "you: the less is seen, the fainter.",
            example(_FOUR, _LOWER, _MEAN, _PLUS, pick=lambda r: r[0].flatten()[0], gives=1.875),
        ),
        Mistake(
            "divided by what is seen",
            _partial_wrong(share=lambda seen, x, weight: 1 / seen.clamp(min=1)),
            "Where all is known it should be a plain convolution. Yours is smaller by the number "
            "of places in a window.",
        ),
        Mistake(
            "the hole grows",
            _partial_wrong(update=lambda seen, weight: (seen == weight[0, 0].numel()).float()),
            "With you a place is known afterwards only if all of its window was: the hole grows "
            "with each layer. A window that saw anything has an answer.",
        ),
        Mistake(
            "a mask of shares",
            _partial_wrong(update=lambda seen, weight: seen / weight[0, 0].numel()),
            "Your new mask says how much of a window is known. Is a place known, or not?",
        ),
        Mistake(
            "a mask of counts",
            _partial_wrong(update=lambda seen, weight: seen),
            "Your new mask counts known places, and in the next layer they count several times.",
        ),
        Mistake(
            "a mask for each channel",
            _partial_wrong(update=_mask_for_each),
            "Your new mask has a channel for each output. All of them know the same places: one is "
            "enough, and the next layer expects one.",
        ),
        Mistake(
            "the old mask",
            lambda x, mask, weight, bias: (
                restoration.partial_conv(x, mask, weight, bias)[0],
                mask,
            ),
            "Your second result is the mask that came. The next layer needs the one that holds "
            "after this layer, of the size of the result.",
        ),
        Mistake(
            "padded",
            _partial_padded,
            "You pad the picture. Here nothing is padded: a kernel of k × k takes k − 1 rows and "
            "columns away.",
        ),
        Mistake(
            "0 / 0",
            _partial_wrong(share=lambda seen, x, weight: weight[0, 0].numel() / seen),
            "Where a window sees nothing, you divide by 0 and return nan.",
        ),
        Mistake(
            "nothing seen, and a bias",
            _partial_wrong(end=lambda y, known: y),
            "Where a window sees nothing, you return the bias. Nothing is known there, so the "
            "result should be 0.",
        ),
        Mistake(
            "nan on the way back",
            _partial_where,
            "The values are right, and the gradients are nan: a division by 0 that is thrown away "
            "afterwards still has a derivative.",
        ),
        Mistake(
            "mask upside down",
            _partial_turned,
            "You keep what lies in the hole, and throw away what is known.",
        ),
    ),
    probes=(
        call("2 × 2, the upper row unknown, a kernel of means, bias 1",
             _FOUR, _LOWER, _MEAN, _PLUS, grad=(0, 2, 3)),
        call("a hole with one known place, 4 × 6, two channels",
             normal(1, 2, 4, 6, seed=120), _HOLE, _KERNEL, _BIASES, grad=(0, 2, 3)),
        call("1000 in the hole", _RUBBISH, _HOLE, _KERNEL, _BIASES),
        call("nothing known", normal(1, 2, 3, 4, seed=124), torch.zeros(1, 1, 3, 4), _KERNEL,
             _BIASES, grad=(0, 2, 3)),
        call("all known", normal(1, 2, 3, 4, seed=125), torch.ones(1, 1, 3, 4), _KERNEL, _BIASES),
        call("three pictures, torn, 5 × 4, a kernel of 2 × 2", normal(3, 3, 5, 4, seed=126), _TORN,
             normal(2, 3, 2, 2, seed=127), normal(2, seed=128), grad=(0, 2, 3)),
        call("a kernel of one place", normal(2, 1, 3, 2, seed=129), _TORN[..., 2:, 2:],
             normal(1, 1, 1, 1, seed=130), normal(1, seed=131)),
    ),
)  # fmt: skip


# --- pan_sharpen ----------------------------------------------------------------------------------


def _brightness(colours: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("c,bchw->bhw", weights, colours)[:, None]


def _brovey(u: Tensor, g: Tensor, w: Tensor) -> Tensor:
    return (u + 1) * (g + 1) / (_brightness(u, w) + 1) - 1


_PIXEL = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
_HALF = torch.full((1, 1, 1, 1), 0.5)
_SENSOR = torch.tensor([0.5, 0.3, 0.2])  # 0.34 of the pixel
_FOUR_BANDS = torch.tensor([0.1, 0.2, 0.3, 0.4])
_BANDS = 0.3 * normal(2, 4, 3, 2, seed=141)

PAN_SHARPEN = Exercise(
    id="restoration.pan_sharpen",
    title="Colours from one sensor, detail from another",
    reference=restoration.pan_sharpen,
    hints=(
        "The grey sensor sees more detail, but how bright would it see your colours? What is "
        "missing in them?",
        "brightness = Σ w · colour over the channels. The detail is grey − brightness. Add the "
        "same detail to each channel: with weights that sum to 1, Σ w · result = grey.",
        "`brightness = (weights.view(1, -1, 1, 1) * colours).sum(1, keepdim=True)`; then "
        "`colours + (grey - brightness)`.",
    ),
    mistakes=(
        Mistake(
            "equal weights",
            lambda u, g, w: u + g - u.mean(1, keepdim=True),
            "The grey sensor does not see all colours alike. Where its picture already equals the "
            "colours' brightness, yours still changes them.",
        ),
        Mistake(
            "brightness not taken away",
            lambda u, g, w: u + g,
            "Colours that need no detail come out lighter: you add the grey picture whole.",
        ),
        Mistake(
            "the ratio of values around 0",
            lambda u, g, w: u * g / _brightness(u, w),
            "You divide by a brightness that may be 0 or negative in pictures from −1 to 1: there "
            "your colours turn over.",
        ),
        Mistake(
            "weights made to sum to 1",
            lambda u, g, w: restoration.pan_sharpen(u, g, w / w.sum()),
            "You divide the weights by their sum. They belong to the sensor: one whose weights sum "
            "to 0.8 sees everything darker, and this has to be in the brightness too.",
        ),
        Mistake(
            "a ratio",
            _brovey,
            "You multiply all channels by one ratio (Brovey). For colours 0.2, 0.4, 0.6 and a grey "
            "of 0.5 the first becomes {got:.3f}; adding the detail gives {expected:.3f}.",
            example(_PIXEL, _HALF, _SENSOR, pick=lambda r: r.flatten()[0], gives=0.3433),
        ),
        Mistake(
            "a sum for a weighted mean",
            lambda u, g, w: u + g - u.sum(1, keepdim=True),
            "You take all channels away at full weight: with three, the picture gets much too "
            "dark.",
        ),
        Mistake(
            "the sign",
            lambda u, g, w: u - (g - _brightness(u, w)),
            "Where the grey picture is lighter, yours gets darker.",
        ),
        Mistake(
            "detail weighted by the sensor",
            lambda u, g, w: u + w.view(1, -1, 1, 1) * (g - _brightness(u, w)),
            "Weigh what you made with the sensor's weights: is it the grey picture? Your channels "
            "get only a share of the detail.",
        ),
        Mistake(
            "detail divided by the channels",
            lambda u, g, w: u + (g - _brightness(u, w)) / u.shape[1],
            "Weigh what you made with the sensor's weights: is it the grey picture? You deal the "
            "detail out among the channels.",
        ),
        Mistake(
            "grey for all",
            lambda u, g, w: g.expand_as(u).clone(),
            "Your picture is grey: of the colours nothing is left.",
        ),
        Mistake(
            "the detail alone",
            lambda u, g, w: (g - _brightness(u, w)).expand_as(u).clone(),
            "You return the detail alone. It belongs on top of the colours.",
        ),
        Mistake(
            "held in [−1, 1]",
            lambda u, g, w: restoration.pan_sharpen(u, g, w).clamp(-1, 1),
            "You hold the result in [−1, 1]. At bright edges Σ w · result is no longer the grey "
            "picture.",
        ),
        Mistake(
            "half of each",
            lambda u, g, w: (u + g) / 2,
            "You take the mean of both pictures: half of the colour and half of the detail are "
            "gone.",
        ),
    ),
    probes=(
        call("colours 0.2, 0.4, 0.6, grey 0.5", _PIXEL, _HALF, _SENSOR, grad=(0, 1)),
        call("grey that is the colours' brightness", 0.4 * normal(1, 3, 2, 3, seed=142),
             _brightness(0.4 * normal(1, 3, 2, 3, seed=142), _SENSOR), _SENSOR),
        call("two pictures of four channels, 3 × 2", _BANDS, 0.5 * normal(2, 1, 3, 2, seed=143),
             _FOUR_BANDS, grad=(0, 1)),
        call("white edges", 0.9 * normal(1, 3, 4, 4, seed=144).sign(),
             1.0 * normal(1, 1, 4, 4, seed=145).sign(), torch.tensor([0.2, 0.3, 0.5])),
        call("a sensor whose weights sum to 0.8", 0.4 * normal(1, 3, 2, 2, seed=148),
             0.4 * normal(1, 1, 2, 2, seed=149), torch.tensor([0.4, 0.3, 0.1])),
        call("one channel", normal(3, 1, 2, 2, seed=146), normal(3, 1, 2, 2, seed=147),
             torch.ones(1)),
    ),
)  # fmt: skip


EXERCISES = (
    PSNR_Y,
    PRICE_OF_BLENDING,
    SPECTRUM_GAIN,
    DENSE_BLOCK,
    PERCEPTUAL_LOSS,
    RELATIVISTIC_LOSSES,
    BETWEEN,
    GAUSSIAN_KERNEL,
    JPEG_BLOCK,
    MODULATE_HALF,
    PARTIAL_CONV,
    PAN_SHARPEN,
)

QUESTIONS: tuple[Question, ...] = (
    Question(
        "restoration.perfect_sampler",
        "One restorer returns the mean of all pictures that fit. Another returns one of them, "
        "drawn from the true posterior: a perfect sampler. How many dB below the mean's PSNR does "
        "the sampler's lie?",
        None,
        3.01,
    ),
    Question(
        "restoration.which_row",
        "Ten people at 8 × 8 pixels, and below them several ways to bring them back. One row is "
        "the truth, and one shows other people. Which row is the truth?",
        None,
        None,
    ),
    Question(
        "restoration.half_blend",
        "A sample has a larger error than the posterior mean. You show the mean of both pictures. "
        "Which part of the sample's extra error do you pay?",
        {
            "half of it": "So it would be if errors added up along a straight line. Squared errors "
            "grow with the square of the way.",
            "a quarter of it": "The posterior mean's error is orthogonal to all that can be made "
            "of y, so squares add up: half of the way costs a quarter of the price.",
            "all of it": "Half of what was invented is taken back, so the error falls.",
        },
        "a quarter of it",
    ),
    Question(
        "restoration.map_of_d",
        "A U-Net discriminator gives a score to every place. You paste a restored patch into a "
        "true picture. Does a score of its map say whether its place was pasted?",
        {
            "no": "It was trained on pictures that are restored everywhere or nowhere. But each "
            "score looks mostly at its own surroundings, and the patch is there.",
            "better than guessing": "Scores fall in and around the patch, so the map shows roughly "
            "where it is. But nobody taught the map its edges: a score says less than it does in "
            "a picture that is restored everywhere.",
            "as surely as whole pictures": "In pictures that are restored everywhere nearly all "
            "scores are low. It has never seen one that is restored in one place only.",
        },
        "better than guessing",
    ),
    Question(
        "restoration.which_fusion",
        "A sharp grey picture and coarse colours of the same scene are to become one. Which is "
        "the simplest one within 0.5 dB of the best, if both networks train for the same number "
        "of steps?",
        {
            "one line of arithmetic": "It gives exactly the grey that was measured, and needs no "
            "training. In a few seconds a network gets no nearer.",
            "a network": "It could learn which colours occur together. In a few seconds it comes "
            "as near as the one line at which it begins, and is not simpler.",
            "a network and a discriminator": "The discriminator asks for real-looking pictures "
            "where near ones are counted, and takes most of the seconds.",
        },
        "one line of arithmetic",
    ),
)
