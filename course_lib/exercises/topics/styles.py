"""Exercises and questions of lecture 09: growing, styles, few pictures, moving, seeing far."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import augmentation, scaling, styles
from course_lib.exercises.engine import Exercise, Mistake, Question, call, example
from course_lib.exercises.probing import normal


def _at(*index: int):
    return lambda result: result[index if len(index) > 1 else index[0]]


# --- equalized ------------------------------------------------------------------------------------

_ONES = torch.ones(1, 4, 3, 3)


def _in_place(weight: Tensor, gain: float = 1.0) -> Tensor:
    with torch.no_grad():
        weight.mul_(gain / math.sqrt(weight[0].numel()))
    return weight


EQUALIZED = Exercise(
    id="styles.equalized",
    title="A weight that is scaled each time it is used",
    reference=styles.equalized,
    hints=(
        "One output is a sum. How many products does a kernel of 3 × 3 on 4 channels add up? If "
        "the inputs and the weights all have variance 1, what is the variance of the sum?",
        "A sum of n independent products of variance 1 has variance n, so a spread of √n. The "
        "factor brings it back to `gain`. Count what one output sums over: everything but the "
        "first axis.",
        "`weight[0].numel()` is the number of products. Multiply by gain over its square root, "
        "and return a new tensor.",
    ),
    mistakes=(
        Mistake(
            "divides by the constant",
            lambda weight, gain=1.0: weight * math.sqrt(weight[0].numel()) / gain,
            "Your layer makes its weights larger the more inputs it has: of ones on 4 channels, "
            "3 × 3, you make {got:.3g}. The spread of the output then grows with the width of "
            "the layer.",
            example(_ONES, pick=_at(0, 0, 0, 0), gives=6.0),
        ),
        Mistake(
            "counts outputs",
            lambda weight, gain=1.0: weight * gain / math.sqrt(weight[:, 0].numel()),
            "You counted what an input feeds, not what an output sums over. Eight outputs of two "
            "channels and two outputs of eight channels should not get the same factor.",
        ),
        Mistake(
            "the number of outputs",
            lambda weight, gain=1.0: weight * gain / math.sqrt(len(weight)),
            "You divide by the root of the number of outputs. One output does not get smaller "
            "because there are others; count what it sums over itself.",
        ),
        Mistake(
            "all weights counted",
            lambda weight, gain=1.0: weight * gain / math.sqrt(weight.numel()),
            "You counted all weights, those of the other outputs, too. One output sums only over "
            "its own.",
        ),
        Mistake(
            "without the kernel's area",
            lambda weight, gain=1.0: weight * gain / math.sqrt(weight.shape[1]),
            "A 3 × 3 kernel sums nine times as many products as a 1 × 1 kernel. Yours treats both "
            "alike: of ones on 4 channels, 3 × 3, you make {got:.3g}.",
            example(_ONES, pick=_at(0, 0, 0, 0), gives=0.5),
        ),
        Mistake(
            "the root of 2 put in",
            lambda weight, gain=1.0: weight * gain * math.sqrt(2 / weight[0].numel()),
            "Of ones on 4 channels, 3 × 3, you make {got:.3g} where {expected:.3g} is asked: √2 "
            "times too much. That gain belongs to one kind of activation; here it is an argument.",
            example(_ONES, pick=_at(0, 0, 0, 0), gives=0.2357),
        ),
        Mistake(
            "no root",
            lambda weight, gain=1.0: weight * gain / weight[0].numel(),
            "With four times the inputs your output has half the spread. Variances add up, "
            "spreads do not.",
        ),
        Mistake(
            "gain ignored",
            lambda weight, gain=1.0: weight / math.sqrt(weight[0].numel()),
            "The gain changes nothing in your answer.",
        ),
        Mistake(
            "normalises by its own length",
            lambda weight, gain=1.0: (
                weight * gain / weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.ndim - 1))
            ),
            "Double the weights, and your result stays as it is. The layer has lost its length as "
            "something to learn.",
        ),
        Mistake(
            "stored in the weight",
            _in_place,
            "The value is right, but the weight itself became small: an optimiser that moves every "
            "number by 0.001 now moves it by a larger share of itself.",
        ),
    ),
    probes=(
        call("a kernel of ones, 4 channels, 3 × 3", _ONES, grad=(0,)),
        call("8 outputs, 2 channels, 3 × 3", normal(8, 2, 3, 3, seed=1), grad=(0,)),
        call("2 outputs, 8 channels, 1 × 1, gain √2", normal(2, 8, 1, 1, seed=2), math.sqrt(2)),
        call("a matrix (3, 5), gain 0.5", normal(3, 5, seed=3), 0.5, grad=(0,)),
        call("one output, 3 channels, 5 × 3", 10 * normal(1, 3, 5, 3, seed=4), gain=2.0),
        call("two outputs of one channel, 3 × 3", normal(2, 1, 3, 3, seed=5)),
        call("a kernel in one dimension, (2, 3, 5)", normal(2, 3, 5, seed=6)),
    ),
)


# --- fade_in --------------------------------------------------------------------------------------

_LOW, _HIGH = torch.tensor([[[[1.0]]]]), torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])


def _twice(low: Tensor) -> Tensor:
    return F.interpolate(low, scale_factor=2.0)


FADE_IN = Exercise(
    id="styles.fade_in",
    title="A new level comes in",
    reference=scaling.fade_in,
    hints=(
        "At α = 0 nothing may have changed: what does the smaller network show, at twice the size? "
        "And at α = 1?",
        "Each pixel of `low` becomes a block of 2 × 2 equal pixels. Then it is an average of two "
        "pictures of one size, with weights that sum to 1. Beyond α = 1 there is nothing more to "
        "come.",
        "`F.interpolate(low, scale_factor=2)` repeats pixels. Bring α into [0, 1], then "
        "(1 − α) · doubled + α · high.",
    ),
    mistakes=(
        Mistake(
            "the wrong branch",
            lambda low, high, alpha: torch.lerp(high, _twice(low), min(max(alpha, 0), 1)),
            "At α = 0 you show the new level alone, before it has learned anything.",
        ),
        Mistake(
            "beyond 1",
            lambda low, high, alpha: (1 - alpha) * _twice(low) + alpha * high,
            "At α = 1.5 you subtract half of the old picture.",
        ),
        Mistake(
            "a whole number",
            lambda low, high, alpha: _twice(low) if int(alpha) < 1 else high,
            "Between 0 and 1 nothing changes: at α = ¼ a pixel of 1 under a new one of 0 should be "
            "{expected:.2f}, and you say {got:.0f}. The new level comes all at once.",
            example(_LOW, _HIGH, 0.25, pick=_at(0, 0, 0, 0), gives=1.0),
        ),
        Mistake(
            "a smooth doubling",
            lambda low, high, alpha: torch.lerp(
                F.interpolate(low, scale_factor=2.0, mode="bilinear"), high, min(max(alpha, 0), 1)
            ),
            "The old branch must be what the smaller network showed. Yours is smoother than that.",
        ),
        Mistake(
            "no weights",
            lambda low, high, alpha: _twice(low) + min(max(alpha, 0), 1) * high,
            "Where both pictures are white, yours is brighter than white.",
        ),
        Mistake(
            "α squared",
            lambda low, high, alpha: torch.lerp(_twice(low), high, min(max(alpha, 0), 1) ** 2),
            "At α = ½ a quarter of the new level shows, where one half was asked.",
        ),
        Mistake(
            "tiled",
            lambda low, high, alpha: torch.lerp(
                low.repeat(1, 1, 2, 2), high, min(max(alpha, 0), 1)
            ),
            "You put four copies of the old picture side by side. Each of its pixels should grow.",
        ),
    ),
    probes=(
        call("one pixel and its four, α = ¼", _LOW, _HIGH, 0.25, grad=(0, 1)),
        call("α = 0", normal(1, 1, 1, 2, seed=1), normal(1, 1, 2, 4, seed=2), 0.0),
        call("α = 1", normal(1, 1, 1, 2, seed=1), normal(1, 1, 2, 4, seed=2), 1.0),
        call("α = 1.5", normal(2, 3, 2, 3, seed=3), normal(2, 3, 4, 6, seed=4), 1.5),
        call("two pictures, α = ½", normal(2, 3, 2, 3, seed=3), normal(2, 3, 4, 6, seed=4), 0.5),
        call(
            "three pictures, α = 0.7", normal(3, 1, 2, 2, seed=5), normal(3, 1, 4, 4, seed=6), 0.7
        ),
        call("α = −0.5", normal(2, 3, 2, 3, seed=3), normal(2, 3, 4, 6, seed=4), -0.5),
    ),
)


# --- minibatch_std --------------------------------------------------------------------------------

_TWELVE = torch.tensor([0.0, 0, 0, 0, 1, 2, 3, 4, 100, 200, 300, 400]).view(-1, 1, 1, 1)


def _with(x: Tensor, spread: Tensor) -> Tensor:
    b, _, h, w = x.shape
    return torch.cat([x, spread.view(b, 1, 1, 1).expand(-1, 1, h, w)], 1)


def _grouped(x: Tensor, group: int, correction: int = 0) -> tuple[Tensor, int]:
    g = group if len(x) % group == 0 else len(x)
    groups = x.view(g, len(x) // g, *x.shape[1:])
    return groups.var(0, correction=correction), g


def _std_neighbours(x: Tensor, group: int = 4) -> Tensor:
    g = group if len(x) % group == 0 else len(x)
    groups = x.view(len(x) // g, g, *x.shape[1:])
    spread = (groups.var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return _with(x, spread.repeat_interleave(g))


def _std_interleaved(x: Tensor, group: int = 4) -> Tensor:
    variance, g = _grouped(x, group)
    return _with(x, (variance + 1e-8).sqrt().mean((1, 2, 3)).repeat_interleave(g))


def _std_of_pixels(x: Tensor, group: int = 4) -> Tensor:
    return _with(x, (x.var((2, 3), correction=0) + 1e-8).sqrt().mean(1))


def _std_unbiased(x: Tensor, group: int = 4) -> Tensor:
    variance, g = _grouped(x, group, correction=1)
    return _with(x, (variance + 1e-8).sqrt().mean((1, 2, 3)).repeat(g))


def _std_root_last(x: Tensor, group: int = 4) -> Tensor:
    variance, g = _grouped(x, group)
    return _with(x, (variance.mean((1, 2, 3)) + 1e-8).sqrt().repeat(g))


def _std_map(x: Tensor, group: int = 4) -> Tensor:
    variance, g = _grouped(x, group)
    spread = (variance + 1e-8).sqrt().mean(1, keepdim=True)
    return torch.cat([x, spread.repeat(g, 1, 1, 1)], 1)


def _std_whole(x: Tensor, group: int = 4) -> Tensor:
    variance, g = _grouped(x, len(x))
    return _with(x, (variance + 1e-8).sqrt().mean((1, 2, 3)).repeat(g))


def _std_detached(x: Tensor, group: int = 4) -> Tensor:
    return torch.cat([x, styles.minibatch_std(x, group)[:, -1:].detach()], 1)


def _std_variance(x: Tensor, group: int = 4) -> Tensor:
    variance, g = _grouped(x, group)
    return _with(x, (variance + 1e-8).mean((1, 2, 3)).repeat(g))


MINIBATCH_STD = Exercise(
    id="styles.minibatch_std",
    title="How much do the pictures of a batch differ?",
    reference=styles.minibatch_std,
    hints=(
        "Take one channel at one place. A group of g pictures has g numbers there. How much do "
        "they differ? And at all other places and channels of these pictures?",
        "`x.view(g, B // g, C, H, W)` puts the members of a group along the first axis: picture i "
        "with i + B/g, i + 2B/g, …. Take the spread along it (divided by g, not g − 1), 1e-8 "
        "under the root, then the mean of all spreads of a group.",
        "The mean over channels and places leaves B/g numbers. `.repeat(g)` gives them back to "
        "the pictures in their order; `.expand` spreads each over its map; then concatenate.",
    ),
    mistakes=(
        Mistake(
            "spread within each picture",
            _std_of_pixels,
            "Four copies of one picture get a large number from you. Nothing varies among them.",
        ),
        Mistake(
            "neighbours are a group",
            _std_neighbours,
            "Your groups are neighbours: pictures 0, 1, 2, 3 of twelve. The text asks for "
            "pictures i, i + 3, i + 6, i + 9.",
        ),
        Mistake(
            "given to the wrong pictures",
            _std_interleaved,
            "The numbers are right, and given to the wrong pictures: the second of twelve hears "
            "how much the first group varies.",
        ),
        Mistake(
            "unbiased",
            _std_unbiased,
            "You divide by 3 among 4: for the first group of the twelve you say {got:.1f}. Of a "
            "group of one you would divide by 0.",
            example(_TWELVE, 4, pick=_at(0, 1, 0, 0), gives=99.51),
        ),
        Mistake(
            "the root last",
            _std_root_last,
            "You averaged variances. Of two channels with spreads 1 and 3 you say {got:.3g}; their "
            "mean is {expected:.3g}.",
            example(
                torch.tensor([[0.0, 0.0], [2.0, 6.0]]).view(2, 2, 1, 1),
                2,
                pick=_at(0, 2, 0, 0),
                gives=2.236,
            ),
        ),
        Mistake(
            "a map of spreads",
            _std_map,
            "One number a group was asked, the same at every place. Yours tells D where the "
            "variation is.",
        ),
        Mistake(
            "the whole batch is one group",
            _std_whole,
            "All pictures hear the same number. With groups of 4 there should be three values "
            "among twelve pictures.",
        ),
        Mistake(
            "no root",
            _std_variance,
            "Pictures twice as different get four times the number from you.",
        ),
        Mistake(
            "no gradient",
            _std_detached,
            "D sees the spread, and G cannot learn from it: no gradient comes back through your "
            "channel.",
        ),
    ),
    probes=(
        call("twelve pictures of one pixel, groups of 4", _TWELVE, 4),
        call("four copies of one picture", normal(1, 2, 3, 3, seed=1).repeat(4, 1, 1, 1), 4),
        call(
            "two pictures, two channels of spread 1 and 3",
            torch.tensor([[0.0, 0.0], [2.0, 6.0]]).view(2, 2, 1, 1),
            2,
        ),
        call(
            "8 pictures, 3 channels, 4 × 5, groups of 4", normal(8, 3, 4, 5, seed=2), 4, grad=(0,)
        ),
        call("6 pictures, groups of 2", normal(6, 3, 2, 2, seed=3), 2, grad=(0,)),
        call("one picture, groups of 1", normal(1, 2, 2, 2, seed=4), 1),
        call("6 pictures, groups of 4: one group of all", normal(6, 3, 2, 2, seed=5), 4),
        call("60 pictures, the group left out", normal(60, 1, 2, 2, seed=6)),
    ),
)


# --- adain ----------------------------------------------------------------------------------------

_SQUARES = (torch.arange(8.0) ** 2).view(1, 2, 2, 2)
_SCALE, _BIAS = torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 0.0]])


def _adain(
    axes: tuple, correction: int = 0, power: float = 0.5, eps: float = 1e-8, plus: float = 0
):
    def wrong(x, scale, bias):
        variance, mean = torch.var_mean(x, axes, correction=correction, keepdim=True)
        y = (x - mean) / (variance + eps) ** power
        return y * (scale + plus)[:, :, None, None] + bias[:, :, None, None]

    return wrong


def _adain_eps_outside(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance.sqrt() + 1e-8) * scale[..., None, None] + bias[..., None, None]


_FAINT = 0.01 * torch.tensor([1.0, -1.0, 1.0, -1.0]).view(1, 1, 2, 2)
_FAINTEST = _FAINT / 100
_STANDARD = torch.ones(1, 1), torch.zeros(1, 1)

ADAIN = Exercise(
    id="styles.adain",
    title="Every map to the mean and spread that its style says",
    reference=styles.adain,
    hints=(
        "A style has two numbers for each map. What do they replace? Take one map of one picture: "
        "which mean and spread does it have now?",
        "Mean and variance over the places of a map, for each picture and each channel by itself, "
        "kept as (B, C, 1, 1). The variance divides by the number of places. Then subtract, divide "
        "by √(variance + 1e-8), and put the style's own numbers in.",
        "`torch.var_mean(x, (2, 3), correction=0, keepdim=True)` gives both. `scale[:, :, None, "
        "None]` has the shape that fits.",
    ),
    mistakes=(
        Mistake(
            "statistics of the batch",
            _adain((0, 2, 3)),
            "A picture's result changes when you change its neighbour in the batch.",
        ),
        Mistake(
            "all channels together",
            _adain((1, 2, 3)),
            "A quiet channel beside a loud one stays quiet. Each should come out with the spread "
            "that its own style says.",
        ),
        Mistake(
            "a 1 added to the scale",
            _adain((2, 3), plus=1.0),
            "At scale 0 the picture still shows. You add a 1 that was not asked for here.",
        ),
        Mistake(
            "divides by the variance",
            _adain((2, 3), power=1.0),
            "Double the input, and your result halves.",
        ),
        Mistake(
            "unbiased",
            _adain((2, 3), correction=1),
            "You divide by 3 among 4 places. The first number of the squares comes out as "
            "{got:.2f} instead of {expected:.2f}.",
            example(_SQUARES, _SCALE, _BIAS, pick=_at(0, 0, 0, 0), gives=-0.732),
        ),
        Mistake(
            "1e-5 under the root",
            _adain((2, 3), eps=1e-5),
            "Faint maps come out fainter: at a spread of 0.01 you reach {got:.3f} of what was "
            "asked.",
            example(_FAINT, *_STANDARD, pick=_at(0, 0, 0, 0), gives=0.953),
        ),
        Mistake(
            "1e-8 outside the root",
            _adain_eps_outside,
            "The 1e-8 belongs under the root: a map of spread 0.0001 should come out with a spread "
            "of {expected:.3f}, and you say {got:.3f}.",
            example(_FAINTEST, *_STANDARD, pick=_at(0, 0, 0, 0), gives=1.0),
        ),
        Mistake(
            "scale and bias swapped",
            lambda x, scale, bias: styles.adain(x, bias, scale),
            "A scale of 0 with a bias of 1 should give a flat map of ones. You use the first "
            "number of the style as the second.",
        ),
        Mistake(
            "mean left in",
            lambda x, scale, bias: (
                x
                * (x.var((2, 3), correction=0, keepdim=True) + 1e-8).rsqrt()
                * scale[:, :, None, None]
                + bias[:, :, None, None]
            ),
            "Brighten the input, and your result becomes brighter. Only the style should say what "
            "the mean is.",
        ),
    ),
    probes=(
        call("squares 0 … 49 in two maps", _SQUARES, _SCALE, _BIAS, grad=(0, 1, 2)),
        call("a faint map", _FAINT, *_STANDARD),
        call("a map of spread 0.0001", _FAINTEST, *_STANDARD),
        call("a map of equal numbers", torch.full((1, 1, 2, 2), 3.0), _SCALE[:, :1], _BIAS[:, :1]),
        call(
            "two pictures, one brighter by 5",
            normal(2, 3, 4, 5, seed=1) + torch.tensor([0.0, 5.0]).view(2, 1, 1, 1),
            normal(2, 3, seed=2),
            normal(2, 3, seed=3),
            grad=(0, 1, 2),
        ),
        call("scale 0, bias 1", normal(1, 2, 3, 3, seed=4), torch.zeros(1, 2), torch.ones(1, 2)),
        call(
            "channels of size 1 and 100",
            normal(3, 2, 4, 4, seed=5) * torch.tensor([1.0, 100.0]).view(1, 2, 1, 1),
            normal(3, 2, seed=6),
            normal(3, 2, seed=7),
        ),
    ),
)


# --- modulated_conv -------------------------------------------------------------------------------

_PAIR = torch.tensor([[[[3.0]], [[4.0]]]])  # 1 × 1, two channels to one
_ONE = torch.ones(1, 2, 1, 1)


def _kernels(x: Tensor, kernels: Tensor) -> Tensor:
    pad = kernels.shape[-1] // 2
    return torch.cat([F.conv2d(a[None], k, padding=pad) for a, k in zip(x, kernels, strict=True)])


def _modulated(
    over: tuple = (2, 3, 4), power: float = -0.5, mean: bool = False, before: bool = False
):
    def wrong(x, weight, style):
        kernels = weight * style[:, None, :, None, None]
        size = (weight[None].expand_as(kernels) if before else kernels).square()
        size = size.mean(over, keepdim=True) if mean else size.sum(over, keepdim=True)
        return _kernels(x, kernels * (size + 1e-8) ** power)

    return wrong


def _length_eps_outside(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    kernels = weight * style[:, None, :, None, None]
    return _kernels(x, kernels / (kernels.square().sum((2, 3, 4), keepdim=True).sqrt() + 1e-8))


def _outputs_styled(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    if weight.shape[0] != style.shape[1]:
        raise RuntimeError(f"the size of style ({style.shape[1]}) must be the outputs'")
    kernels = weight * style[:, :, None, None, None]
    return _kernels(x, kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt())


def _first_kernel(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    return styles.modulated_conv(x, weight, style[:1].expand_as(style))


MODULATED_CONV = Exercise(
    id="styles.modulated_conv",
    title="A kernel for each picture, of length 1 for each output",
    reference=styles.modulated_conv,
    hints=(
        "The style has a number for each input channel. Which axis of the kernel (O, I, k, k) "
        "does it scale? How many different kernels are there for a batch of 4 pictures?",
        "Modulate: weight · style along the inputs, (B, O, I, k, k). Demodulate: each output of "
        "each picture is divided by √(sum of squares over its inputs and places + 1e-8). Then "
        "convolve each picture with its own kernel, padded by k // 2.",
        "Two ways: a loop over pictures with `F.conv2d(x[i:i+1], kernels[i], padding=k // 2)`; or "
        "without any kernels, scale the maps by the style, convolve with `weight`, and scale the "
        "outputs by 1/√(style² · Σ weight²).",
    ),
    mistakes=(
        Mistake(
            "no demodulation",
            lambda x, weight, style: _kernels(x, weight * style[:, None, :, None, None]),
            "Ten times the style gives ten times the output: of ones, with the kernel (3, 4) and "
            "the style (10, 10), you make {got:.3g}. The length of a style should cancel.",
            example(_ONE, _PAIR, torch.tensor([[10.0, 10.0]]), pick=_at(0, 0, 0, 0), gives=70.0),
        ),
        Mistake(
            "demodulates before it modulates",
            _modulated(before=True),
            "Your factor knows the kernel and not the style: with the style (10, 10) you make "
            "{got:.3g} of ones, with (1, 1) a tenth of that.",
            example(_ONE, _PAIR, torch.tensor([[10.0, 10.0]]), pick=_at(0, 0, 0, 0), gives=14.0),
        ),
        Mistake(
            "one factor for the whole kernel",
            _modulated(over=(1, 2, 3, 4)),
            "An output whose kernel is a hundred times as large stays a hundred times as loud.",
        ),
        Mistake(
            "sums over the outputs",
            _modulated(over=(1, 3, 4)),
            "After you, the squares of what an input sends add up to 1. Asked is what an output "
            "collects.",
        ),
        Mistake(
            "over the batch too",
            _modulated(over=(0, 2, 3, 4)),
            "The first picture changes with the second one's style.",
        ),
        Mistake(
            "mean for sum",
            _modulated(mean=True),
            "Of ones, with the kernel (3, 4) and the style (1, 1), you make {got:.3g}. The more "
            "inputs a layer has, the louder your output becomes.",
            example(_ONE, _PAIR, torch.tensor([[1.0, 1.0]]), pick=_at(0, 0, 0, 0), gives=1.98),
        ),
        Mistake(
            "no root",
            _modulated(power=-1.0),
            "Ten times the kernel gives a tenth of your output.",
        ),
        Mistake(
            "1e-8 outside the root",
            _length_eps_outside,
            "The 1e-8 belongs under the root: of ones, with the kernel (3, 4) and the style "
            "(0.00001, 0.00001), you make {got:.2f} where {expected:.2f} is asked.",
            example(_ONE, _PAIR, torch.full((1, 2), 1e-5), pick=_at(0, 0, 0, 0), gives=1.4),
        ),
        Mistake(
            "the first picture's kernel for all",
            _first_kernel,
            "All pictures come out in the first one's style.",
        ),
        Mistake(
            "style on the outputs",
            _outputs_styled,
            "A style of 0 for an input channel must silence that channel. Your style scales "
            "outputs, and demodulation takes that away again.",
        ),
    ),
    probes=(
        call("kernel (3, 4) on ones, style (1, 1)", _ONE, _PAIR, torch.tensor([[1.0, 1.0]])),
        call("kernel (3, 4) on ones, style (10, 10)", _ONE, _PAIR, torch.tensor([[10.0, 10.0]])),
        call("kernel (3, 4) on ones, style (1e-5, 1e-5)", _ONE, _PAIR, torch.full((1, 2), 1e-5)),
        call("kernel (3, 4) on ones, style (4, 0.75)", _ONE, _PAIR, torch.tensor([[4.0, 0.75]])),
        call(
            "two outputs, one a hundred times as large",
            normal(1, 2, 3, 3, seed=1),
            normal(2, 2, 3, 3, seed=2) * torch.tensor([1.0, 100.0]).view(2, 1, 1, 1),
            normal(1, 2, seed=3),
        ),
        call(
            "three pictures in three styles, 3 × 3",
            normal(3, 3, 5, 4, seed=4),
            normal(3, 3, 3, 3, seed=5),
            normal(3, 3, seed=6) * torch.tensor([[1.0], [30.0], [0.1]]),
            grad=(0, 1, 2),
        ),
        call(
            "a style of 0 for one of three inputs, two outputs",
            normal(2, 3, 4, 4, seed=7),
            normal(2, 3, 1, 1, seed=8),
            torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.5, -1.0]]),
        ),
        call("a style of zeros", _ONE, _PAIR, torch.zeros(1, 2)),
        call(
            "one channel, 5 × 5",
            normal(2, 1, 6, 6, seed=9),
            normal(2, 1, 5, 5, seed=10),
            normal(2, 1, seed=11),
        ),
    ),
)


# --- mix ------------------------------------------------------------------------------------------

_A, _B = torch.zeros(1, 4, 2), torch.ones(1, 4, 2)


def _mix_in_place(ws_a: Tensor, ws_b: Tensor, cut: int) -> Tensor:
    ws_a[:, cut:] = ws_b[:, cut:]
    return ws_a


MIX = Exercise(
    id="styles.mix",
    title="The coarse layers of one, the fine ones of another",
    reference=styles.mix,
    hints=(
        "Layer 0 makes the map of 4 × 4. With cut = 1, whose w does it get? And layer 1?",
        "Axis 1 counts layers. Everything before the cut comes from a, the layer `cut` itself and "
        "all after it from b. What should cut = 0 give, and cut = L?",
        "`torch.cat` of two slices along dim 1. Writing into `ws_a` would change it for everyone "
        "who holds it.",
    ),
    mistakes=(
        Mistake(
            "the other way round",
            lambda a, b, cut: torch.cat([b[:, :cut], a[:, cut:]], 1),
            "With the cut behind the last layer nothing should be b's. With you everything is.",
        ),
        Mistake(
            "one layer further",
            lambda a, b, cut: torch.cat([a[:, : cut + 1], b[:, cut + 1 :]], 1),
            "At cut = 0 your first layer is still a's.",
        ),
        Mistake(
            "one layer early",
            lambda a, b, cut: torch.cat([a[:, : max(cut - 1, 0)], b[:, max(cut - 1, 0) :]], 1),
            "At cut = 1 the first layer is a's. Where a is all zeros and b all ones, you have "
            "{got:.0f} there.",
            example(_A, _B, 1, pick=_at(0, 0, 0), gives=1.0),
        ),
        Mistake(
            "blended",
            lambda a, b, cut: torch.lerp(a, b, 1 - cut / a.shape[1]),
            "You blended two copies of w. Each layer should belong to one of the two.",
        ),
        Mistake(
            "cut through the copies",
            lambda a, b, cut: torch.cat([a[:, :, :cut], b[:, :, cut:]], 2),
            "You cut through each copy of w instead of between layers.",
        ),
        Mistake(
            "cut through the batch",
            lambda a, b, cut: torch.cat([a[:cut], b[cut:]]),
            "You cut through the batch: the first pictures are a's alone, the others b's. Axis 1 "
            "counts layers.",
        ),
        Mistake(
            "only the layer at the cut",
            lambda a, b, cut: torch.cat([a[:, :cut], b[:, cut : cut + 1], a[:, cut + 1 :]], 1),
            "Only one layer of yours is b's: the one at the cut. Those behind it should be, too.",
        ),
        Mistake(
            "written into a",
            _mix_in_place,
            "Your argument was changed: afterwards a is half b. A w that was expanded over its "
            "layers is one w seen many times: writing one layer writes all.",
        ),
    ),
    probes=(
        call("4 layers, cut = 1", _A, _B, 1),
        call("cut = 0", _A, _B, 0),
        call("cut = 4, behind the last", _A, _B, 4),
        call("3 pictures, 6 layers, cut = 2", normal(3, 6, 5, seed=1), normal(3, 6, 5, seed=2), 2,
             grad=(0, 1)),
        call("2 pictures, 5 layers, cut = 4", normal(2, 5, 3, seed=3), normal(2, 5, 3, seed=4), 4),
    ),
)  # fmt: skip


# --- truncate -------------------------------------------------------------------------------------

TRUNCATE = Exercise(
    id="styles.truncate",
    title="Nearer to the average face",
    reference=styles.truncate,
    hints=(
        "Where should ψ = 0 arrive, and ψ = 1? One line passes through both.",
        "The way from the mean to w is w − mean. Go a share ψ of it, beginning at the mean. "
        "Nothing forbids ψ = −1.",
        "mean + ψ · (w − mean). `mean` has one axis less than w; it fits as it is.",
    ),
    mistakes=(
        Mistake(
            "without the mean",
            lambda w, mean, psi: psi * w,
            "At ψ = 0 you arrive at 0. The average face lives at the mean of w, not there.",
        ),
        Mistake(
            "ψ and 1 − ψ swapped",
            lambda w, mean, psi: mean + (1 - psi) * (w - mean),
            "ψ = 1 should leave everything as it is. Yours then shows the average for everybody.",
        ),
        Mistake(
            "the mean of the batch",
            lambda w, mean, psi: w.mean(0, keepdim=True) + psi * (w - w.mean(0, keepdim=True)),
            "A single picture is its own mean with you: ψ has no effect on it.",
        ),
        Mistake(
            "ψ not used",
            lambda w, mean, psi: w.clone(),
            "ψ = 0.5 and ψ = 1 give the same.",
        ),
        Mistake(
            "clips",
            lambda w, mean, psi: torch.minimum(torch.maximum(w, mean - psi), mean + psi),
            "You cut off what lies far outside, and leave the rest. Asked is to draw everything "
            "nearer.",
        ),
        Mistake(
            "negative ψ refused",
            lambda w, mean, psi: mean + max(psi, 0) * (w - mean),
            "ψ = −1 is allowed: it gives the face on the other side of the average.",
        ),
        Mistake(
            "the mean kept whole",
            lambda w, mean, psi: mean + psi * w,
            "At ψ = 1 you arrive at mean + w. Every picture is moved by the mean.",
        ),
    ),
    probes=(
        call("one w, ψ = 0.5", torch.tensor([[3.0, -1.0]]), torch.tensor([1.0, 1.0]), 0.5),
        call("one w twice, ψ = 0.3", normal(1, 4, seed=5).repeat(2, 1), normal(4, seed=6), 0.3),
        call("ψ = 0", normal(3, 4, seed=1), normal(4, seed=2), 0.0),
        call("ψ = 1", normal(3, 4, seed=1), normal(4, seed=2), 1.0),
        call("ψ = −1", normal(3, 4, seed=1), normal(4, seed=2), -1.0, grad=(0,)),
        call("(B, L, w), ψ = 1.3", 3 * normal(2, 5, 4, seed=3), normal(4, seed=4), 1.3, grad=(0,)),
    ),
)


# --- perceptual_path_length -----------------------------------------------------------------------

_MATRIX = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
_W0, _W1, _HALF = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([0.5])


def _linear(w: Tensor) -> Tensor:
    return w @ _MATRIX.T


def _bent(w: Tensor) -> Tensor:
    return torch.stack([w[:, 0] ** 2, w.sum(1), (w[:, 0] * w[:, 1])], 1)


def _same(x: Tensor) -> Tensor:
    return x.clone()


def _doubled(x: Tensor) -> Tensor:
    return 2 * x


def _pl(power: float = 2, square: bool = True, mean: bool = False, ends: bool = False,
        back: bool = False, features_used: bool = True):  # fmt: skip
    def wrong(generate, features, w0, w1, t, eps=1e-2):
        a, b = (w1, w0) if back else (w0, w1)
        t = (torch.zeros_like(t) if ends else t)[:, None]
        look = features if features_used else _same
        d = look(generate(torch.lerp(a, b, t + eps))) - look(generate(torch.lerp(a, b, t)))
        d = d.square().mean(1) if mean else d.square().sum(1)
        return (d if square else d.sqrt()) / eps**power

    return wrong


def _around(generate, features, w0, w1, t, eps=1e-2):
    def slerp(s):
        a, b = F.normalize(w0, dim=1), F.normalize(w1, dim=1)
        o = (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
        return (a * ((1 - s) * o).sin() + b * (s * o).sin()) / o.sin()

    d = features(generate(slerp(t[:, None] + eps))) - features(generate(slerp(t[:, None])))
    return d.square().sum(1) / eps**2


_TWO = 2 * normal(2, 2, seed=1) - 1, normal(2, 2, seed=2), torch.tensor([0.2, 0.7])
_THREE = 2 * normal(3, 2, seed=3), normal(3, 2, seed=4), torch.tensor([0.1, 0.5, 0.9])

PERCEPTUAL_PATH_LENGTH = Exercise(
    id="styles.perceptual_path_length",
    title="How far does the picture go when w takes a small step?",
    reference=styles.perceptual_path_length,
    hints=(
        "Two pictures: one at w(t), one at w(t + ε), on the straight line from w0 to w1. How far "
        "apart are their features, as the square of a distance?",
        "`torch.lerp(w0, w1, t[:, None])` is w(t). The squared distance goes down with ε²: divide "
        "by what makes the number independent of the step.",
        "Σ over features of (f(w(t + ε)) − f(w(t)))², divided by ε²: a number a pair.",
    ),
    mistakes=(
        Mistake(
            "divides by ε",
            _pl(power=1),
            "Halve ε, and your length halves. A length should not depend on the step that "
            "measures it.",
        ),
        Mistake(
            "does not divide",
            _pl(power=0),
            "Your length goes to 0 with the step: for a step of 0.01 you say {got:.1g} where "
            "{expected:.3g} is asked.",
            example(_linear, _same, _W0, _W1, _HALF, 0.01, pick=_at(0), gives=0.0003),
        ),
        Mistake(
            "distance not squared",
            _pl(power=1, square=False),
            "A generator twice as steep should have four times the length here: you say {got:.3g} "
            "where {expected:.3g} is asked.",
            example(_linear, _same, _W0, _W1, _HALF, 0.01, pick=_at(0), gives=1.732),
        ),
        Mistake(
            "at the ends",
            _pl(ends=True),
            "t changes nothing in your answer: you always measure near w0.",
        ),
        Mistake(
            "from the other end",
            _pl(back=True),
            "At t = 0 you measure near w1.",
        ),
        Mistake(
            "along an arc",
            _around,
            "W has no sphere: your path leaves the straight line, and the lengths of both w are "
            "lost.",
        ),
        Mistake(
            "mean over features",
            _pl(mean=True),
            "Your number falls with the number of features: of three you say {got:.3g} where "
            "{expected:.3g} is asked.",
            example(_linear, _same, _W0, _W1, _HALF, 0.01, pick=_at(0), gives=1.0),
        ),
        Mistake(
            "features not used",
            _pl(features_used=False),
            "You compare pixels. Asked is how far apart the features are.",
        ),
    ),
    probes=(
        call("a matrix, from (1, 0) to (0, 1)", _linear, _same, _W0, _W1, _HALF, 0.01, rtol=1e-3),
        call("a step of ½", _linear, _same, _W0, _W1, _HALF, 0.5, rtol=1e-3),
        call("a bent generator, two pairs", _bent, _same, *_TWO, 0.05, rtol=2e-3),
        call("features twice as large", _bent, _doubled, *_TWO, 0.1, rtol=2e-3),
        call("t = 0", _bent, _same, _TWO[0], _TWO[1], torch.zeros(2), 0.05, rtol=2e-3),
        call("three pairs, the step left out", _bent, _same, *_THREE, rtol=2e-3),
        call("t = 1", _bent, _same, _TWO[0], _TWO[1], torch.ones(2), 0.05, rtol=2e-3),
    ),
)


# --- adaptive_probability -------------------------------------------------------------------------

_SURE, _TENTHS = torch.ones(4), torch.tensor([0.1] * 9 + [-5.0])
_MOST, _ZEROS = torch.tensor([2.0] * 81 + [-2.0] * 19), torch.tensor([3.0, 2.0, 0.0, 0.0])


def _adapt(r, clip: bool = True, step: Any = None, sign: float = 1.0):
    def wrong(p, real_scores, images, target=0.6, span=500_000):
        by = torch.sign(r(real_scores) - target) * sign * images / span
        by = step(r(real_scores), target, images, span) if step else by
        return (p + by).clamp(0, 1) if clip else p + by

    return wrong


def _signs(scores: Tensor) -> Tensor:
    return scores.sign().mean()


ADAPTIVE_PROBABILITY = Exercise(
    id="styles.adaptive_probability",
    title="How often should pictures be augmented?",
    reference=augmentation.adaptive_probability,
    allows=("number",),
    hints=(
        "A score above 0 says real. What is the mean of the signs when D is right about every "
        "training picture? When it guesses?",
        "r = mean of the signs, between −1 and 1. Above the target D is too sure: p goes up, "
        "below it down. Always by the same step, so that from 0 to 1 it takes `span` pictures.",
        "The step is images / span. p is a probability: what must not happen at either end?",
    ),
    mistakes=(
        Mistake(
            "the sign turned",
            _adapt(_signs, sign=-1.0),
            "D recognises every training picture, and you augment less.",
        ),
        Mistake(
            "mean of scores",
            _adapt(lambda s: s.mean()),
            "Nine scores of 0.1 and one of −5 should move p from 0.5 to {expected:.1f}; you say "
            "{got:.1f}. What counts is how many are on the right side, not how far.",
            example(0.5, _TENTHS, 100, 0.6, 1000, gives=0.4),
        ),
        Mistake(
            "shares for signs",
            _adapt(lambda s: (s > 0).float().mean()),
            "Of ten pictures seven have positive scores: r is 0.4, below a target of 0.6. You read "
            "it as 0.7.",
        ),
        Mistake(
            "a step in proportion",
            _adapt(_signs, step=lambda r, target, images, span: (r - target) * images / span),
            "r = 0.62 should move p from 0.2 to {expected:.1f}; you say {got:.3f}. How far r is "
            "above the target does not count.",
            example(0.2, _MOST, 100, 0.6, 1000, gives=0.202),
        ),
        Mistake(
            "one picture a call",
            _adapt(_signs, step=lambda r, target, images, span: torch.sign(r - target) / span),
            "64 pictures should move p from 0.5 to {expected:.3f}; you say {got:.3f}. From 0 to 1 "
            "it should take `span` pictures, not that many calls.",
            example(0.5, _SURE, 64, 0.6, 1000, gives=0.501),
        ),
        Mistake(
            "beyond a probability",
            _adapt(_signs, clip=False),
            "At p = 0.99 with a large step you say {got:.3g}. Is that a probability?",
            example(0.99, _SURE, 100, 0.6, 1000, gives=1.09),
        ),
        Mistake(
            "target ignored",
            lambda p, s, images, target=0.6, span=500_000: (
                p + torch.sign(_signs(s)) * images / span
            ).clamp(0, 1),
            "With 55 of 100 scores above 0, r is 0.1, far below the target of 0.6, and you augment "
            "more.",
        ),
    ),
    probes=(
        call("all four scores above 0", 0.5, _SURE, 64, 0.6, 1000),
        call("all below 0", 0.5, -_SURE, 64, 0.6, 1000),
        call("nine of 0.1 and one of −5", 0.5, _TENTHS, 100, 0.6, 1000),
        call("seven of ten above 0", 0.5, torch.tensor([1.0] * 7 + [-1.0] * 3), 100, 0.6, 1000),
        call("81 of 100 above 0", 0.2, _MOST, 100, 0.6, 1000),
        call("55 of 100 above 0", 0.2, torch.tensor([2.0] * 55 + [-2.0] * 45), 100, 0.6, 1000),
        call("p = 0.99", 0.99, _SURE, 100, 0.6, 1000),
        call("p = 0.01", 0.01, -_SURE, 100, 0.6, 1000),
        call("a single score", 0.5, torch.tensor([3.0]), 10, 0.6, 1000),
        call("another target", 0.3, torch.tensor([1.0, 1.0, -1.0]), 10, 0.2, 1000),
        call("the paper's numbers", 0.1, normal(256, seed=1) + 3, 256),
        call("two above 0, two of exactly 0", 0.5, _ZEROS, 100, 0.6, 1000),
        call("r is the target", 0.3, torch.tensor([1.0, 1.0, 1.0, -1.0]), 100, 0.5, 1000),
        call("two above 0, two of exactly 0, target 0.2", 0.5, _ZEROS, 100, 0.2, 1000),
    ),
)


# --- filtered -------------------------------------------------------------------------------------


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _resampled(x: Tensor, n: int) -> Tensor:
    spectrum = torch.fft.rfft(x)
    kept = torch.arange(spectrum.shape[-1]) < min(n, x.shape[-1]) / 2
    return torch.fft.irfft((spectrum * kept)[..., : n // 2 + 1], n) * (n / x.shape[-1])


def _activates_first(x: Tensor, factor: int, act) -> Tensor:
    return _resampled(_resampled(act(x), factor * x.shape[-1]), x.shape[-1])


def _every_second(x: Tensor, factor: int, act) -> Tensor:
    return act(_resampled(x, factor * x.shape[-1]))[..., ::factor]


def _unscaled(x: Tensor, factor: int, act) -> Tensor:
    high = _resampled(x, factor * x.shape[-1]) / factor
    return _resampled(act(high), x.shape[-1])


def _twice_scaled(x: Tensor, factor: int, act) -> Tensor:
    return styles.filtered(x, factor, act) * factor


def _stairs(x: Tensor, factor: int, act) -> Tensor:
    return _resampled(act(x.repeat_interleave(factor, -1)), x.shape[-1])


def _zeros_between(x: Tensor, factor: int, act) -> Tensor:
    stuffed = torch.zeros(*x.shape, factor)
    stuffed[..., 0] = x
    return _resampled(act(stuffed.flatten(-2)), x.shape[-1])


def _means(x: Tensor, factor: int, act) -> Tensor:
    high = act(_resampled(x, factor * x.shape[-1]))
    return high.unflatten(-1, (-1, factor)).mean(-1)


def _cut_at(last):
    """Keeps the frequencies below last(n), where those below n/2 should stay."""

    def wrong(x: Tensor, factor: int, act) -> Tensor:
        n = x.shape[-1]
        spectrum = torch.fft.rfft(act(_resampled(x, factor * n)))
        kept = torch.arange(spectrum.shape[-1]) < last(n)
        return torch.fft.irfft(spectrum * kept, factor * n)[..., ::factor]

    return wrong


def _never_scaled(x: Tensor, factor: int, act) -> Tensor:
    return _unscaled(x, factor, act) * factor


def _band(n: int, top: int, rows: int, seed: int) -> Tensor:
    """A signal without its highest frequency, about which the text asks nothing."""
    spectrum = torch.fft.rfft(normal(rows, n, seed=seed))
    return torch.fft.irfft(spectrum * (torch.arange(n // 2 + 1) < top), n)


_TONE = torch.sin(2 * math.pi * 3 * torch.arange(8.0) / 8)[None]

FILTERED = Exercise(
    id="styles.filtered",
    title="Upsample, activate, downsample",
    reference=styles.filtered,
    hints=(
        "An activation adds harmonics: to a tone of 3 waves, some of 6 and 9. On 8 samples the "
        "fastest wave has 4. What becomes of 6 and 9 there? And on 16 or 32 samples?",
        "Upsample: the same frequencies at more samples, `torch.fft.irfft(torch.fft.rfft(x), n * "
        "factor)`; the transform sums, so multiply by the factor. Activate. Downsample: keep only "
        "the frequencies below n/2, go back, and take every factor-th sample.",
        "After the activation: spectrum = rfft; multiply by (frequency number < n/2); irfft with "
        "n · factor; then `[..., ::factor]`.",
    ),
    mistakes=(
        Mistake(
            "activates before it upsamples",
            _activates_first,
            "You activated at the low rate: the harmonics are aliased before you could remove "
            "them. The factor changes nothing in your answer.",
        ),
        Mistake(
            "every second sample",
            _every_second,
            "You left out samples without removing what is too fast for the rest: what remains "
            "is act(x), as if the rate had never changed.",
        ),
        Mistake(
            "the length forgotten",
            _unscaled,
            "A constant of 1 comes out as {got:.3g}. The transform sums over samples, and yours "
            "has more of them on one side.",
            example(torch.ones(1, 8), 2, torch.relu, pick=_at(0, 0), gives=0.5),
        ),
        Mistake(
            "scaled when downsampling, too",
            _twice_scaled,
            "A constant of 1 comes out as {got:.3g}. Leaving out samples changes no size.",
            example(torch.ones(1, 8), 2, torch.relu, pick=_at(0, 0), gives=2.0),
        ),
        Mistake(
            "n // 2 of an odd n",
            _cut_at(lambda n: n // 2),
            "With 9 samples, n/2 is 4.5: the wave number 4 lies below it and stays. You removed "
            "it, too, since 9 // 2 is 4.",
        ),
        Mistake(
            "n/2 kept",
            _cut_at(lambda n: n // 2 + 1),
            "With 8 samples, n/2 is 4, and the wave number 4 has to go, too. You kept it.",
        ),
        Mistake(
            "scaled nowhere",
            _never_scaled,
            "Up and down you forgot the number of samples, and the two errors cancel only for "
            "activations such as ReLU. tanh sees a signal that is `factor` times too small.",
        ),
        Mistake(
            "repeats samples",
            _stairs,
            "Between samples your signal has stairs. Their edges add frequencies that x does not "
            "have.",
        ),
        Mistake(
            "zeros between samples",
            _zeros_between,
            "A constant of 1 comes out as {got:.3g}. Between your samples are zeros, and nobody "
            "made up for them.",
            example(torch.ones(1, 8), 2, torch.relu, pick=_at(0, 0), gives=0.5),
        ),
        Mistake(
            "means of neighbours",
            _means,
            "Means of neighbouring samples weaken fast waves and still let harmonics through.",
        ),
    ),
    probes=(
        call("a constant, factor 2", torch.ones(1, 8), 2, torch.relu),
        call("a tone of 3 waves on 8 samples, factor 2", _TONE, 2, _leaky),
        call("factor 1", _band(16, 8, 2, 1), 1, _leaky),
        call("factor 4, ReLU", _band(16, 8, 2, 2), 4, torch.relu),
        call("factor 3, 9 samples", _band(9, 5, 3, 3), 3, _leaky, grad=(0,)),
        call("no activation at all", _band(12, 6, 1, 4), 2, _same),
        call("two axes before the last", _band(16, 8, 6, 5).view(2, 3, 16), 2, torch.tanh),
    ),
)


# --- spectral_norm --------------------------------------------------------------------------------

_KERNEL, _U = normal(3, 2, 3, 3, seed=9), F.normalize(normal(3, seed=10), dim=0)


def _power(weight: Tensor, u: Tensor, steps: int, unit_v: bool = True, keep: bool = False):
    matrix = weight.flatten(1)
    free = matrix if keep else matrix.detach()
    for _ in range(steps):
        v = free.T @ u
        v = F.normalize(v, dim=0) if unit_v else v
        u = F.normalize(free @ v, dim=0)
    return u @ matrix @ v, u


def _afresh(weight: Tensor, u: Tensor, steps: int = 1) -> tuple[Tensor, Tensor]:
    start = torch.ones(len(u)) / math.sqrt(len(u))
    return _power(weight, start, steps)


def _divides(weight: Tensor, u: Tensor, steps: int = 1) -> tuple[Tensor, Tensor]:
    sigma, u = _power(weight, u, steps)
    with torch.no_grad():
        weight.div_(sigma.detach())
    return sigma, u


SPECTRAL_NORM = Exercise(
    id="styles.spectral_norm",
    title="By how much can a layer lengthen a vector?",
    reference=scaling.spectral_norm,
    hints=(
        "Seen as a matrix (O, I · k · k), the weight has a direction that it lengthens most. "
        "Multiply any vector by W and Wᵀ in turn, again and again: which direction wins?",
        "One step: v ← Wᵀu, brought to length 1; u ← Wv, brought to length 1. After `steps` of "
        "them σ = uᵀ W v. u comes from the last call and goes to the next.",
        "The steps run under `torch.no_grad()`, σ does not: it is linear in W, and that is the "
        "only way by which a gradient may reach W. Return σ and the new u.",
    ),
    mistakes=(
        Mistake(
            "one step whatever was asked",
            lambda weight, u, steps=1: _power(weight, u, 1),
            "`steps` changes nothing in your answer.",
        ),
        Mistake(
            "v of any length",
            lambda weight, u, steps=1: _power(weight, u, steps, unit_v=False),
            "Double the weight, and σ becomes four times as large: one of the two vectors is not "
            "brought to length 1.",
        ),
        Mistake(
            "begins anew",
            _afresh,
            "The u that you are given changes nothing: your estimate begins anew at each call, and "
            "never improves from call to call.",
        ),
        Mistake(
            "the old u returned",
            lambda weight, u, steps=1: (_power(weight, u, steps)[0], u.clone()),
            "You return the u that you were given. The next call then repeats your step.",
        ),
        Mistake(
            "gradients through the steps",
            lambda weight, u, steps=1: _power(weight, u, steps, keep=True),
            "σ is right, its gradient is not: part of it comes through u and v, which should be "
            "fixed numbers to it.",
        ),
        Mistake(
            "no gradient at all",
            lambda weight, u, steps=1: _power(weight.detach(), u, steps),
            "No gradient reaches the weight through σ: a layer divided by it would learn as if it "
            "were a constant.",
        ),
        Mistake(
            "the weight divided",
            _divides,
            "Your argument shrank. At the next call it would be divided again.",
        ),
        Mistake(
            "the length of all numbers",
            lambda weight, u, steps=1: (weight.norm(), _power(weight, u, steps)[1]),
            "Of the identity of 3 you say {got:.3g}. It lengthens nothing.",
            example(torch.eye(3), _U, 1, pick=_at(0), gives=1.732),
        ),
    ),
    probes=(
        call("the identity of 3", torch.eye(3), _U, 1),
        call("a matrix (2, 2) that mixes", torch.tensor([[0.0, 2.0], [0.0, 0.0]]),
             torch.tensor([0.6, 0.8]), 1),
        call("a kernel (3, 2, 3, 3), one step", _KERNEL, _U, 1, grad=(0,)),
        call("five steps", _KERNEL, _U, 5, grad=(0,)),
        call("twice the kernel", 2 * _KERNEL, _U, 2),
        call("one output, one channel, 3 × 2", normal(1, 1, 3, 2, seed=5), torch.ones(1), 2),
        call("another u, `steps` left out", _KERNEL, F.normalize(normal(3, seed=4), dim=0)),
    ),
)  # fmt: skip


# --- self_attention -------------------------------------------------------------------------------

_PLACES = torch.tensor([[[[0.0, math.log(3)]]]])
_UNIT = torch.ones(1, 1)


def _parts(x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    return tuple(m @ x.flatten(2) for m in (query, key, value))


def _back(x: Tensor, y: Tensor) -> Tensor:
    return y.reshape(len(x), -1, *x.shape[2:])


def _over_queries(x, query, key, value):
    q, k, v = _parts(x, query, key, value)
    return _back(x, v @ (q.transpose(1, 2) @ k).softmax(1).transpose(1, 2))


def _no_transpose(x, query, key, value):
    q, k, v = _parts(x, query, key, value)
    return _back(x, v @ (q.transpose(1, 2) @ k).softmax(2))


def _rooted(x, query, key, value):
    q, k, v = _parts(x, query, key, value)
    weights = (q.transpose(1, 2) @ k / math.sqrt(len(query))).softmax(2)
    return _back(x, v @ weights.transpose(1, 2))


def _each_itself(x, query, key, value):
    q, k, v = _parts(x, query, key, value)
    return _back(x, v * (q * k).sum(1, keepdim=True).sigmoid())


def _swapped(x, query, key, value):
    return scaling.self_attention(x, key, query, value)


def _viewed(x, query, key, value):
    q, k, v = _parts(x, query, key, value)
    weights = (q.transpose(1, 2) @ k).softmax(2)
    return (weights @ v.transpose(1, 2)).reshape(len(x), -1, *x.shape[2:])


def _no_softmax(x, query, key, value):
    q, k, v = _parts(x, query, key, value)
    weights = q.transpose(1, 2) @ k / k.shape[2]
    return _back(x, v @ weights.transpose(1, 2))


SELF_ATTENTION = Exercise(
    id="styles.self_attention",
    title="Each place looks at all places",
    reference=scaling.self_attention,
    hints=(
        "Put the places in a row: x becomes (B, C, N). What are q, k and v at each place? How much "
        "does place i like place j?",
        "`query @ x.flatten(2)` is (B, d, N). The weights of place i: softmax over j of qᵢ · kⱼ, "
        "a table (B, N, N) whose rows sum to 1. Place i takes Σⱼ weightᵢⱼ vⱼ.",
        "weights = (qᵀ k).softmax(2); result = v @ weightsᵀ, (B, V, N), and back to the picture's "
        "shape. Nothing is divided by √d.",
    ),
    mistakes=(
        Mistake(
            "softmax over the wrong axis",
            _over_queries,
            "Values that are 1 everywhere do not come out as 1. Your places compete for being "
            "looked at, instead of sharing out their own attention.",
        ),
        Mistake(
            "weights not turned",
            _no_transpose,
            "You gave one place what another asked for: the weights are used along the wrong "
            "axis in the last product.",
        ),
        Mistake(
            "divided by a root",
            _rooted,
            "Your weights are milder than asked. Transformers divide by √d; SAGAN divides by "
            "nothing.",
        ),
        Mistake(
            "each place alone",
            _each_itself,
            "With you each place looks only at itself.",
        ),
        Mistake(
            "query and key swapped",
            _swapped,
            "You gave each place what its key asks for. The query asks, the key answers.",
        ),
        Mistake(
            "axes mixed up",
            _viewed,
            "Move the places, and your result does not move with them: channels and places got "
            "mixed in the last reshape.",
        ),
        Mistake(
            "no softmax",
            _no_softmax,
            "Values that are 1 everywhere do not come out as 1: the weights of a place do not "
            "sum to 1.",
        ),
    ),
    probes=(
        call("two places, 0 and log 3", _PLACES, _UNIT, _UNIT, _UNIT),
        call("values that are 1 everywhere", torch.cat([normal(1, 2, 2, 2, seed=1),
             torch.ones(1, 1, 2, 2)], 1), torch.tensor([[1.0, 0.5, 0.0]]),
             torch.tensor([[-1.0, 2.0, 0.0]]), torch.tensor([[0.0, 0.0, 1.0]])),
        call("two pictures, 4 channels, 2 × 3, d = 3, V = 2", normal(2, 4, 2, 3, seed=2),
             normal(3, 4, seed=3), normal(3, 4, seed=4), normal(2, 4, seed=5), grad=(0, 1, 2, 3)),
        call("one place", normal(1, 3, 1, 1, seed=6), normal(2, 3, seed=7), normal(2, 3, seed=8),
             normal(3, 3, seed=9)),
        call("three pictures", normal(3, 2, 1, 2, seed=14), normal(1, 2, seed=15),
             normal(1, 2, seed=16), normal(1, 2, seed=17)),
        call("as many values as channels", normal(1, 3, 3, 2, seed=10), normal(1, 3, seed=11),
             normal(1, 3, seed=12), normal(3, 3, seed=13)),
    ),
)  # fmt: skip


EXERCISES = (
    EQUALIZED,
    FADE_IN,
    MINIBATCH_STD,
    ADAIN,
    MODULATED_CONV,
    MIX,
    TRUNCATE,
    PERCEPTUAL_PATH_LENGTH,
    ADAPTIVE_PROBABILITY,
    FILTERED,
    SPECTRAL_NORM,
    SELF_ATTENTION,
)

QUESTIONS = (
    Question(
        "styles.step_cost",
        "A training step at 8 × 8 looks at a sixteenth of the pixels of a step at 32 × 32. Which "
        "share of its time does it take, on one CPU core?",
        {
            "a sixteenth": "So it would be if every layer had as many channels at every size. The "
            "small maps have the most channels, and each layer costs something just to be called.",
            "about a quarter": "Small maps have many channels, and calling a layer costs the same "
            "at any size.",
            "about the same": "Calls do cost something, but not that much: the large maps still "
            "take most of the time.",
        },
        "about a quarter",
    ),
    Question(
        "styles.coarse_swap",
        "Two people, A and B, have different heads. Give A the w of B at the 4 × 4 layer "
        "alone. Whose head does the picture show, most often?",
        {
            "A's": "All later layers still get A's w, but the coarse map they refine is no longer "
            "A's.",
            "B's": "The coarse map is B's, but a head is made by several layers together, and the "
            "others still get A's w.",
            "a third one": "Several layers make a head together. A new combination gives a new "
            "head or a broken picture, for which the classifier must name a head, too.",
        },
        "a third one",
    ),
    Question(
        "styles.droplet",
        "A map of 64 × 64 holds numbers of spread 1. One of them is set to 100. AdaIN brings the "
        "map to spread 1 again. What is the spread of all other numbers now?",
        None,
        0.54,
    ),
    Question(
        "styles.stranger",
        "D has learned from 20 faces, and from 2,000 others that were labelled fake; all are real "
        "drawings. It sees new real faces. What percentage of them does it call fake?",
        None,
        None,
    ),
    Question(
        "styles.precision_at_zero",
        "At ψ = 0 every picture is the average one. What are precision and recall then?",
        {
            "both 0": "One single picture covers nothing: recall is 0. But is it a plausible face?",
            "precision 1, recall 0": "The average face lies among the real ones, and it is the "
            "only one: every sample is plausible, and nothing is covered.",
            "both 1": "One picture cannot lie near all the real ones.",
        },
        "precision 1, recall 0",
    ),
    Question(
        "styles.half_cell",
        "Move the maps of 8 × 8 by a whole cell, and the picture moves by 4 pixels, exactly. Move "
        "them by half a cell. How well does the picture follow, in dB? (Every 20 dB more is a "
        "tenth of the error.)",
        None,
        None,
    ),
    Question(
        "styles.which_judge",
        "Two generators have learned for a minute or two: one from a discriminator on pixels, one "
        "from small discriminators on a fixed network. Their Fréchet distances are far apart. "
        "Which pictures look better?",
        {
            "those of the smaller distance": "The distance is measured with features that were "
            "learned from the same drawings. It hardly counts the dots in these pictures.",
            "those of the larger distance": "Its pictures are blobs. The other one's have "
            "structure, and a pattern over it.",
            "neither": "One draws blobs, the other faces under a pattern of dots, to "
            "which the fixed network and the distance respond little.",
        },
        "neither",
    ),
)
