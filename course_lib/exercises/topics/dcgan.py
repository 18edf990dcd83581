"""Exercises and questions of lecture 04: shape arithmetic, DCGAN, arithmetic with codes."""

import copy
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from course_lib import dcgan, gan, shapes
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal, seeded

# --- conv2d_size ----------------------------------------------------------------------------------


def _conv(n: int, k: int, s: int = 1, p: int = 0, d: int = 1) -> Probe:
    label = f"size {n}, kernel {k}, stride {s}, padding {p}, dilation {d}"
    return call(label, n, k, s, p, d)


CONV2D_SIZE = Exercise(
    id="dcgan.conv2d_size",
    title="How large is the output of a convolution?",
    reference=shapes.conv2d_size,
    hints=(
        "Lay a window of 3 pixels on a row of 5 and push it one pixel at a time. How many places "
        "are there? And two pixels at a time?",
        "The first place always exists. How many pixels are left beyond the window, padding on "
        "both sides included, and how many whole strides fit into those? Dilation only makes the "
        "window span more pixels: with kernel 3 and dilation 2 it touches the first, the third "
        "and the fifth.",
        "The window spans dilation · (kernel − 1) + 1 pixels. Left over are size + 2 · padding − "
        "span; `//` by the stride, plus the first place.",
    ),
    mistakes=(
        Mistake(
            "no floor",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1) - 1) / s + 1,
            "You return a decimal number. Size 8, kernel 3, stride 2: you say 3.5, and half a "
            "pixel cannot be: the last window does not fit.",
            example(8, 3, 2, gives=3.5),
        ),
        Mistake(
            "a decimal number",
            lambda n, k, s=1, p=0, d=1: float((n + 2 * p - d * (k - 1) - 1) // s + 1),
            "The number is right, but it is a decimal one, 14.0 in place of 14. It counts places, "
            "and no layer takes 14.0 for a size.",
        ),
        Mistake(
            "rounded up",
            lambda n, k, s=1, p=0, d=1: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1,
            "You count a window that hangs over the edge. Size 8, kernel 3, stride 2: windows "
            "begin at pixels 0, 2 and 4, and the one at 6 would need a pixel that is not there. "
            "You say 4.",
            example(8, 3, 2, gives=4),
        ),
        Mistake(
            "one lost",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1) - 1) // s,
            "One too few, always. A window as large as the picture has one place: size 4, kernel "
            "4 gives 1, and you say 0. You count steps between places, not places.",
            example(4, 4, gives=0),
        ),
        Mistake(
            "one added before dividing",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1)) // s,
            "The first place is divided by the stride with the rest. Size 4, kernel 4, stride 2: "
            "the window fits in one place, and you say 0. At stride 1 you do not notice.",
            example(4, 4, 2, gives=0),
        ),
        Mistake(
            "padding on one side",
            lambda n, k, s=1, p=0, d=1: (n + p - d * (k - 1) - 1) // s + 1,
            "Your padding is on one side only. Size 5, kernel 3, padding 1: the window fits in 5 "
            "places among 1 + 5 + 1 pixels; you say 4.",
            example(5, 3, 1, 1, gives=4),
        ),
        Mistake(
            "padding taken away",
            lambda n, k, s=1, p=0, d=1: (n - 2 * p - d * (k - 1) - 1) // s + 1,
            "More padding makes your output smaller. Size 5, kernel 3, padding 1: the window fits "
            "in 5 places among 1 + 5 + 1 pixels; you say 1.",
            example(5, 3, 1, 1, gives=1),
        ),
        Mistake(
            "padding ignored",
            lambda n, k, s=1, p=0, d=1: (n - d * (k - 1) - 1) // s + 1,
            "Padding changes nothing in your answer. Size 5, kernel 3, padding 1: the window fits "
            "in 5 places among 1 + 5 + 1 pixels; you say 3.",
            example(5, 3, 1, 1, gives=3),
        ),
        Mistake(
            "dilation times kernel",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * k) // s + 1,
            "Your dilated window is too wide. Kernel 3 with dilation 2 touches pixels 0, 2 and 4: "
            "it spans 5, not 6. On 5 pixels it has one place; you say 0.",
            example(5, 3, 1, 0, 2, gives=0),
        ),
        Mistake(
            "dilation ignored",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - k) // s + 1,
            "Dilation changes nothing in your answer. Kernel 3 with dilation 2 touches pixels 0, "
            "2 and 4: on 5 pixels it has one place, and you say 3.",
            example(5, 3, 1, 0, 2, gives=3),
        ),
        Mistake(
            "stride ignored",
            lambda n, k, s=1, p=0, d=1: n + 2 * p - d * (k - 1),
            "The stride changes nothing in your answer. Size 4, kernel 2, stride 2: windows begin "
            "at pixels 0 and 2; you say 3.",
            example(4, 2, 2, gives=3),
        ),
        Mistake(
            "only the kernel divided",
            lambda n, k, s=1, p=0, d=1: n + 2 * p - (d * (k - 1) + 1) // s + 1,
            "You divide the window by the stride instead of the path. Size 28, kernel 4, stride 2, "
            "padding 1 is DCGAN's layer that halves: 14. You say 29. Python divides before it "
            "subtracts.",
            example(28, 4, 2, 1, gives=29),
        ),
        Mistake(
            "size over stride",
            lambda n, k, s=1, p=0, d=1: -(-n // s),
            "Your answer depends on the stride alone, not on the kernel. Size 5, kernel 3, stride "
            "1, no padding: there are 3 places, and you say 5.",
            example(5, 3, gives=5),
        ),
        Mistake(
            "the transposed formula",
            lambda n, k, s=1, p=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + 1,
            "Your layer makes pictures larger. Size 5, kernel 3: a window has 3 places, and you "
            "say 7. That is what the transposed convolution does.",
            example(5, 3, gives=7),
        ),
        Mistake(
            "rounded",
            lambda n, k, s=1, p=0, d=1: round((n + 2 * p - d * (k - 1) - 1) / s + 1),
            "You round to the nearest whole number. Size 8, kernel 3, stride 2: the window that "
            "would begin at pixel 6 hangs over the edge. There are {expected} places; you say "
            "{got}.",
            example(8, 3, 2, gives=4),
        ),
        Mistake(
            "stride 2 by default",
            lambda n, k, s=2, p=0, d=1: (n + 2 * p - d * (k - 1) - 1) // s + 1,
            "Where no stride is given it is 1: size 28, kernel 3 make {expected}; you say {got}.",
            example(28, 3, gives=13),
        ),
        Mistake(
            "span without its last pixel",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1)) // s + 1,
            "Your window is one pixel too narrow. A window as large as the picture has one place: "
            "size 4, kernel 4; you say {got}.",
            example(4, 4, gives=2),
        ),
        Mistake(
            "span with a pixel too many",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1) - 2) // s + 1,
            "Your window is one pixel too wide. A window as large as the picture has one place: "
            "size 4, kernel 4; you say {got}.",
            example(4, 4, gives=0),
        ),
    ),
    probes=(
        call("size 28, kernel 3 and nothing else", 28, 3),
        _conv(28, 4, 2, 1),
        _conv(8, 3, 2),
        _conv(5, 3, 1, 1),
        _conv(4, 4, 2),
        _conv(20, 3, 1, 0, 2),
        _conv(33, 5, 3, 2, 3),
        _conv(7, 1, 4, 3),
        _conv(224, 7, 2, 3),
        _conv(30, 4, 3, 0, 2),
        _conv(7, 3, 2, 1),
        _conv(7, 3, 2),
        _conv(3, 1, 1, 1),
        _conv(50, 1, 49),
    ),
)


# --- conv_transpose2d_size ------------------------------------------------------------------------


def _transposed(n: int, k: int, s: int = 1, p: int = 0, extra: int = 0, d: int = 1) -> Probe:
    label = f"size {n}, kernel {k}, stride {s}, padding {p}, output_padding {extra}, dilation {d}"
    return call(label, n, k, s, p, extra, d)


CONV_TRANSPOSE2D_SIZE = Exercise(
    id="dcgan.conv_transpose2d_size",
    title="How large is the output of a transposed convolution?",
    reference=shapes.conv_transpose2d_size,
    hints=(
        "Each input pixel paints a kernel; the next pixel paints the same, one stride further on. "
        "With 2 input pixels, kernel 3 and stride 2, which output pixels get paint?",
        "From where the first pixel begins to where the last begins, it is (size − 1) strides. "
        "The last one then paints a whole kernel, spread by the dilation. Padding cuts off at "
        "both ends what a convolution would have added, and output_padding lengthens one end.",
        "`(size - 1) * stride - 2 * padding`, plus the span of the kernel as in a convolution, "
        "dilation · (kernel − 1) + 1, plus output_padding once.",
    ),
    mistakes=(
        Mistake(
            "a factor is missing",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) - 2 * p + d * (k - 1) + o + 1,
            "The stride changes nothing in your answer. 2 pixels, kernel 2, stride 2 paint 0, 1 "
            "and then 2, 3: that makes 4; you say 3.",
            example(2, 2, 2, gives=3),
        ),
        Mistake(
            "the convolution's formula",
            lambda n, k, s=1, p=0, o=0, d=1: (n + 2 * p - d * (k - 1) - 1) // s + 1 + o,
            "Your layer makes pictures smaller, this one makes them larger. One pixel, kernel 4: "
            "it paints 4 output pixels, and you say −2.",
            example(1, 4, gives=-2),
        ),
        Mistake(
            "as many strides as pixels",
            lambda n, k, s=1, p=0, o=0, d=1: n * s - 2 * p + d * (k - 1) + o + 1,
            "You count one stride too many. A single pixel takes no step: with kernel 4 and "
            "stride 2 it paints 4 output pixels; you say 6.",
            example(1, 4, 2, gives=6),
        ),
        Mistake(
            "size times stride",
            lambda n, k, s=1, p=0, o=0, d=1: n * s,
            "Your answer depends on the stride alone. One pixel, kernel 4, stride 1 paints 4 "
            "output pixels, and you say 1. Kernel 4, stride 2, padding 1 doubles, and you would "
            "not notice.",
            example(1, 4, gives=1),
        ),
        Mistake(
            "padding enlarges",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s + 2 * p + d * (k - 1) + o + 1,
            "More padding makes your output larger. Here padding trims: 2 pixels, kernel 4, "
            "stride 2 paint 6 output pixels, and padding 1 leaves 4 of them; you say 8.",
            example(2, 4, 2, 1, gives=8),
        ),
        Mistake(
            "padding on one side",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - p + d * (k - 1) + o + 1,
            "You trim one side only. 2 pixels, kernel 4, stride 2 paint 6 output pixels, and "
            "padding 1 leaves 4 of them; you say 5.",
            example(2, 4, 2, 1, gives=5),
        ),
        Mistake(
            "padding ignored",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s + d * (k - 1) + o + 1,
            "Padding changes nothing in your answer. 2 pixels, kernel 4, stride 2 paint 6 output "
            "pixels, and padding 1 leaves 4 of them; you say 6.",
            example(2, 4, 2, 1, gives=6),
        ),
        Mistake(
            "output_padding on both sides",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + 2 * o + 1,
            "Your output_padding counts twice. 4 pixels, kernel 3, stride 2, padding 1 make 7, "
            "and output_padding 1 makes it 8; you say 9. It lengthens one side only.",
            example(4, 3, 2, 1, 1, gives=9),
        ),
        Mistake(
            "output_padding ignored",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + 1,
            "output_padding changes nothing in your answer. 4 pixels, kernel 3, stride 2, padding "
            "1 make 7, and output_padding 1 makes it 8; you say 7.",
            example(4, 3, 2, 1, 1, gives=7),
        ),
        Mistake(
            "output_padding trims",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) - o + 1,
            "More output_padding makes your output smaller. 4 pixels, kernel 3, stride 2, padding "
            "1 make 7, and output_padding 1 makes it 8; you say 6.",
            example(4, 3, 2, 1, 1, gives=6),
        ),
        Mistake(
            "dilation times kernel",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * k + o,
            "Your dilated kernel is too wide. Kernel 3 with dilation 2 paints pixels 0, 2 and 4: "
            "it spans 5, not 6.",
        ),
        Mistake(
            "dilation ignored",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + k + o,
            "Dilation changes nothing in your answer. One pixel, kernel 3, dilation 2 paints "
            "output pixels 0, 2 and 4, and the map must hold all 5; you say 3.",
            example(1, 3, 1, 0, 0, 2, gives=3),
        ),
        Mistake(
            "one too many",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + o + 2,
            "One too many, always. One pixel, kernel 4 paints 4 output pixels, and you say 5.",
            example(1, 4, gives=5),
        ),
        Mistake(
            "kernel without its last pixel",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + o,
            "One too few, always. One pixel, kernel 4 paints 4 output pixels, and you say 3.",
            example(1, 4, gives=3),
        ),
        Mistake(
            "as on the slides",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + k,
            "That is the formula of the slides: neither output_padding nor dilation has any "
            "influence. 4 pixels, kernel 3, stride 2, padding 1, output_padding 1 make "
            "{expected}; you say {got}.",
            example(4, 3, 2, 1, 1, gives=7),
        ),
        Mistake(
            "output_padding times stride",
            lambda n, k, s=1, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + s * o + 1,
            "Your output_padding is multiplied by the stride; it counts output pixels. 4 pixels, "
            "kernel 3, stride 2, padding 1, output_padding 1 make {expected}; you say {got}.",
            example(4, 3, 2, 1, 1, gives=9),
        ),
        Mistake(
            "stride 2 by default",
            lambda n, k, s=2, p=0, o=0, d=1: (n - 1) * s - 2 * p + d * (k - 1) + o + 1,
            "Where no stride is given it is 1: 3 pixels, kernel 4 make {expected}; you say {got}.",
            example(3, 4, gives=8),
        ),
        Mistake(
            "the convolution's formula, rounded down",
            lambda n, k, s=1, p=0, o=0, d=1: (n + 2 * p - d * (k - 1) - 1) // s + 1,
            "Your layer makes pictures smaller, this one makes them larger. Two pixels, kernel 4: "
            "they paint 5 output pixels, and you say {got}.",
            example(2, 4, gives=-1),
        ),
        Mistake(
            "two strides too many",
            lambda n, k, s=1, p=0, o=0, d=1: (n + 1) * s - 2 * p + d * (k - 1) + o + 1,
            "You count two strides too many: n pixels make n − 1 steps, not n + 1. One pixel, "
            "kernel 4 paints 4 output pixels; you say {got}.",
            example(1, 4, gives=6),
        ),
    ),
    probes=(
        call("size 3, kernel 4 and nothing else", 3, 4),
        _transposed(4, 4, 2, 1),
        _transposed(2, 4, 2),
        _transposed(2, 2, 2),
        _transposed(4, 3, 2, 1, 1),
        _transposed(1, 3, 1, 0, 0, 2),
        _transposed(7, 5, 3, 2, 2),
        _transposed(6, 3, 4, 1, 3, 2),
        _transposed(9, 4, 1, 2, 1, 3),
    ),
)


# --- conv2d_params --------------------------------------------------------------------------------


def _counted(inputs: int, outputs: int, k: int, bias: bool = True, groups: int = 1) -> Probe:
    label = f"{inputs} channels in, {outputs} out, kernel {k}, bias={bias}, groups={groups}"
    return call(label, inputs, outputs, k, bias, groups)


CONV2D_PARAMS = Exercise(
    id="dcgan.conv2d_params",
    title="How many weights does a convolution have?",
    reference=shapes.conv2d_params,
    hints=(
        "One output channel is one filter. A filter looks at a window of the picture: at how many "
        "numbers, if the picture has 3 channels and the window is 4 × 4?",
        "Every output channel has a filter of its own, and a bias of its own if there is one. The "
        "size of the picture does not enter: the same filter is used everywhere. With groups, the "
        "input channels are dealt out, and a filter sees those of its group only.",
        "out_channels filters with (in_channels / groups) · kernel · kernel numbers each, and "
        "out_channels more where `bias` is true. Divide with `//`.",
    ),
    mistakes=(
        Mistake(
            "kernel in one direction",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * k + o * bias,
            "Your windows are one pixel high. A filter of 4 × 4 on one channel has 16 weights; "
            "you count 4.",
            example(1, 1, 4, False, gives=4),
        ),
        Mistake(
            "bias forgotten",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * k * k,
            "You are off by exactly the number of output channels, where bias=True. One channel "
            "in, one out, kernel 1: a factor and an offset make 2; you count 1.",
            example(1, 1, 1, gives=1),
        ),
        Mistake(
            "bias always counted",
            lambda i, o, k, bias=True, groups=1: o * ((i // groups) * k * k + 1),
            "You count a bias that the layer does not have. The generator's first layer, 128 to "
            "512 channels, 4 × 4, bias=False, has 1,048,576 weights; you say 1,049,088.",
            example(128, 512, 4, False, gives=1_049_088),
        ),
        Mistake(
            "bias turned over",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * k * k + o * (not bias),
            "You count the bias where there is none, and none where there is. One channel in, one "
            "out, kernel 1, bias=True: a factor and an offset make 2; you count 1.",
            example(1, 1, 1, True, gives=1),
        ),
        Mistake(
            "a bias for each input",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * k * k + i * bias,
            "You count a bias for each input channel. 3 channels in, one out, kernel 1: 3 factors "
            "and one offset make 4; you count 6.",
            example(3, 1, 1, gives=6),
        ),
        Mistake(
            "one bias",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * k * k + bias,
            "All your output channels share one bias. One channel in, 2 out, kernel 1: each "
            "output has a factor and an offset, which makes 4; you count 3.",
            example(1, 2, 1, gives=3),
        ),
        Mistake(
            "a bias for each kernel",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * (k * k + bias),
            "You count a bias for each pair of input and output channel. 3 channels in, one out, "
            "kernel 1: 3 factors and one offset make 4; you count 6.",
            example(3, 1, 1, gives=6),
        ),
        Mistake(
            "groups ignored",
            lambda i, o, k, bias=True, groups=1: o * i * k * k + o * bias,
            "Your filters see all channels, whatever groups says. 4 channels in, 4 out, kernel 1, "
            "groups 2, no bias: each filter sees 2 channels, which makes 8; you count 16.",
            example(4, 4, 1, False, 2, gives=16),
        ),
        Mistake(
            "one group counted",
            lambda i, o, k, bias=True, groups=1: (o // groups) * (i // groups) * k * k + o * bias,
            "You count the filters of one group only. 4 channels in, 4 out, kernel 1, groups 2, "
            "no bias: 4 filters that see 2 channels each make 8; you count 4.",
            example(4, 4, 1, False, 2, gives=4),
        ),
        Mistake(
            "multiplied by groups",
            lambda i, o, k, bias=True, groups=1: o * i * groups * k * k + o * bias,
            "More groups make your layer larger. 4 channels in, 4 out, kernel 1, groups 2, no "
            "bias: 4 filters that see 2 channels each make 8; you count 32.",
            example(4, 4, 1, False, 2, gives=32),
        ),
        Mistake(
            "bias dealt out too",
            lambda i, o, k, bias=True, groups=1: (o * i * k * k + o * bias) // groups,
            "The groups share out your biases as well. 2 channels in, 2 out, kernel 1, groups 2: "
            "2 factors and 2 offsets make 4; you count 3.",
            example(2, 2, 1, True, 2, gives=3),
        ),
        Mistake(
            "one filter",
            lambda i, o, k, bias=True, groups=1: (i // groups) * k * k + bias,
            "You count one filter, and there is one for each output channel. 3 channels in, 8 "
            "out, kernel 1, no bias: 24; you count 3.",
            example(3, 8, 1, False, gives=3),
        ),
        Mistake(
            "a filter for all inputs",
            lambda i, o, k, bias=True, groups=1: o * (k * k + bias),
            "Your filters see one channel. On a picture of 3 channels a filter of 4 × 4 has 48 "
            "weights; you count 16.",
            example(3, 1, 4, False, gives=16),
        ),
        Mistake(
            "no bias by default",
            lambda i, o, k, bias=False, groups=1: o * (i // groups) * k * k + o * bias,
            "Where nothing is said the layer has a bias: 3 channels in, 64 out, kernel 4 make "
            "{expected}; you count {got}.",
            example(3, 64, 4, gives=3072),
        ),
        Mistake(
            "kernel doubled",
            lambda i, o, k, bias=True, groups=1: o * (i // groups) * 2 * k + o * bias,
            "A window of kernel × kernel has kernel² pixels, not 2 · kernel. One channel in, one "
            "out, kernel 4: {expected}; you count {got}.",
            example(1, 1, 4, gives=9),
        ),
        Mistake(
            "channels added",
            lambda i, o, k, bias=True, groups=1: (o + i // groups) * k * k + o * bias,
            "You add the channels. Each of the output channels has a window on each of the input "
            "channels: 3 in, 8 out, kernel 1, no bias make 24; you count {got}.",
            example(3, 8, 1, False, gives=11),
        ),
    ),
    probes=(
        call("3 channels in, 64 out, kernel 4 and nothing else", 3, 64, 4),
        _counted(128, 512, 4, bias=False),
        _counted(5, 1, 3),
        _counted(1, 6, 1),
        _counted(6, 4, 3, bias=True, groups=2),
        _counted(8, 8, 5, bias=False, groups=8),
    ),
)


# --- receptive_field ------------------------------------------------------------------------------


def _field_wrong(grow: Callable[[int, int, int, int], tuple[int, int]], start: int = 1) -> Callable:
    """A walk through the layers: grow(field, jump, kernel, stride) -> the next field and jump."""

    def wrong(layers):
        field, jump = start, 1
        for kernel, stride in layers:
            field, jump = grow(field, jump, kernel, stride)
        return field

    return wrong


_HALVING = (4, 2)

RECEPTIVE_FIELD = Exercise(
    id="dcgan.receptive_field",
    title="How much of the picture does one number see?",
    reference=shapes.receptive_field,
    hints=(
        "Before any layer, a pixel sees itself: 1. Through one layer of kernel 3 it sees 3. "
        "Through a second layer of kernel 3 it sees three such windows: how far apart do they "
        "begin, and how many pixels do they cover together?",
        "Keep two numbers: the field, and the jump, by how many picture pixels two neighbours of "
        "the present map are apart. A kernel k takes in k − 1 further neighbours, each one jump "
        "away. What happens to the jump behind a layer of stride 2, and is that before or after "
        "this layer's kernel?",
        "`field, jump = 1, 1`; for each layer first `field += (kernel - 1) * jump`, then `jump *= "
        "stride`.",
    ),
    mistakes=(
        Mistake(
            "kernels added up",
            lambda layers: sum(k for k, _ in layers),
            "You add up kernels. A layer of kernel 1 changes nothing in what is seen: two of them "
            "see 1 pixel, and you say 2.",
            example([(1, 1), (1, 1)], gives=2),
        ),
        Mistake(
            "strides ignored",
            _field_wrong(lambda field, jump, k, s: (field + k - 1, jump)),
            "Strides change nothing in your answer. Behind a stride of 2, neighbours are 2 pixels "
            "apart: kernel 2, stride 2, twice, sees 4 pixels; you say 3.",
            example([(2, 2), (2, 2)], gives=3),
        ),
        Mistake(
            "its own stride",
            _field_wrong(lambda field, jump, k, s: (field + (k - 1) * jump * s, jump * s)),
            "A layer's stride already widens the layer itself. One layer, kernel 4, stride 2: its "
            "window is 4 pixels wide, however far it moves; you say 7.",
            example([(4, 2)], gives=7),
        ),
        Mistake(
            "kernels multiplied",
            _field_wrong(lambda field, jump, k, s: (field * k, jump)),
            "You multiply kernels. Two layers of kernel 3, stride 1: the three windows overlap "
            "and cover 5 pixels; you say 9.",
            example([(3, 1), (3, 1)], gives=9),
        ),
        Mistake(
            "strides added up",
            _field_wrong(lambda field, jump, k, s: (field + (k - 1) * jump, jump + s)),
            "Your jump grows by addition. Behind a layer of stride 1 neighbours are still 1 pixel "
            "apart: two layers of kernel 3, stride 1 cover 5 pixels; you say 7.",
            example([(3, 1), (3, 1)], gives=7),
        ),
        Mistake(
            "only the last stride",
            _field_wrong(lambda field, jump, k, s: (field + (k - 1) * jump, s)),
            "Your jump remembers one layer. Behind two strides of 2, neighbours are 4 pixels "
            "apart: kernel 2, stride 2, three times, sees 8 pixels; you say 6.",
            example([(2, 2), (2, 2), (2, 2)], gives=6),
        ),
        Mistake(
            "from the wrong end",
            lambda layers: shapes.receptive_field(list(layers)[::-1]),
            "You walk through the layers from the other end. Kernel 1 with stride 2, then kernel "
            "3: three pixels, 2 apart, cover 5. You say 3, which is right for the reverse order.",
            example([(1, 2), (3, 1)], gives=3),
        ),
        Mistake(
            "no pixel to begin with",
            _field_wrong(lambda field, jump, k, s: (field + (k - 1) * jump, jump * s), start=0),
            "One too few, always. Kernel 3 alone sees 3 pixels; you say 2. What does a pixel see "
            "before any layer?",
            example([(3, 1)], gives=2),
        ),
        Mistake(
            "whole kernels",
            _field_wrong(lambda field, jump, k, s: (field + k * jump, jump * s), start=0),
            "You add a whole kernel a layer, and count the pixel that is already seen again. A "
            "layer of kernel 1 changes nothing: two of them see 1 pixel, and you say 2.",
            example([(1, 1), (1, 1)], gives=2),
        ),
        Mistake(
            "whole kernels and a pixel",
            _field_wrong(lambda field, jump, k, s: (field + k * jump, jump * s)),
            "You add a whole kernel a layer, and count the pixel that is already seen again. "
            "Kernel 3 alone sees 3 pixels; you say 4.",
            example([(3, 1)], gives=4),
        ),
        Mistake(
            "the last layer only",
            lambda layers: [k for k, _ in layers][-1] if layers else 1,
            "You look at the last layer only. Two layers of kernel 3, stride 1 cover 5 pixels; "
            "you say 3.",
            example([(3, 1), (3, 1)], gives=3),
        ),
        Mistake(
            "kernel times all strides",
            _field_wrong(lambda field, jump, k, s: (k * jump, jump * s)),
            "What earlier layers had seen is gone from your answer. Kernel 5 with stride 1, then "
            "kernel 1: still 5 pixels; you say 1.",
            example([(5, 1), (1, 1)], gives=1),
        ),
        Mistake(
            "stride and kernel swapped",
            lambda layers: shapes.receptive_field([(s, k) for k, s in layers]),
            "You take the stride for the kernel: layers are (kernel, stride). One layer (4, 2) "
            "sees {expected} pixels; you say {got}.",
            example([(4, 2)], gives=2),
        ),
        Mistake(
            "steps of its own stride",
            lambda layers: 1 + sum((k - 1) * s for k, s in layers),
            "Each layer's steps are as wide as its own stride for you. They are as wide as all "
            "strides *before* it: one layer (4, 2) sees {expected} pixels; you say {got}.",
            example([(4, 2)], gives=7),
        ),
        Mistake(
            "the product of the strides",
            lambda layers: math.prod(s for _, s in layers),
            "You return how far apart neighbours are, the product of all strides; asked is how "
            "much one of them sees. Two layers of kernel 3, stride 1 cover 5 pixels; you say "
            "{got}.",
            example([(3, 1), (3, 1)], gives=1),
        ),
        Mistake(
            "every stride taken for 2",
            lambda layers: 1 + sum((k - 1) * 2**i for i, (k, _) in enumerate(layers)),
            "Your steps double with every layer, whatever its stride. Two layers of kernel 3, "
            "stride 1 cover 5 pixels; you say {got}.",
            example([(3, 1), (3, 1)], gives=7),
        ),
    ),
    probes=(
        call("one layer: kernel 4, stride 2", [_HALVING]),
        call("two layers of kernel 3, stride 1", [(3, 1), (3, 1)]),
        call("kernel 1, stride 2, then kernel 3, stride 1", [(1, 2), (3, 1)]),
        call("DCGAN's four halving layers", [_HALVING] * 4),
        call("kernel 5 without stride, then kernel 1", [(5, 1), (1, 1)]),
        call("a patch discriminator", [_HALVING] * 3 + [(4, 1), (4, 1)]),
        call("strides 2, 3, 1, 2", [(3, 2), (2, 3), (5, 1), (4, 2), (3, 1)]),
    ),
)


# --- generator_block ------------------------------------------------------------------------------


def generator_block(in_channels: int, out_channels: int) -> nn.Module:
    """One doubling of DCGAN's generator: (B, in_channels, H, W) -> (B, out_channels, 2H, 2W)."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _block_wrong(layer: Callable = nn.ConvTranspose2d, *numbers: int, after=None, **options):
    """A block with another convolution, or with something else behind it: after(channels)."""
    numbers = numbers or (4, 2, 1)
    after = after or (lambda channels: (nn.BatchNorm2d(channels), nn.ReLU()))

    def wrong(in_channels, out_channels):
        options.setdefault("bias", False)
        return nn.Sequential(
            layer(in_channels, out_channels, *numbers, **options), *after(out_channels)
        )

    return wrong


class _BlockWithoutNorm(nn.Module):
    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.convolution = nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x).relu()


def _upsampled(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def _block(in_channels: int, out_channels: int, size: int) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        block = candidate(in_channels, out_channels)
        seen = {"a module": isinstance(block, nn.Module)}
        if not seen["a module"]:
            return seen
        # Known weights: so every correct block, however it is written, gives the same numbers.
        weights = sorted(block.parameters(), key=lambda p: (-p.ndim, p.mean().item()))
        seen["shapes of its weights"] = ", ".join(str(tuple(p.shape)) for p in weights)
        with torch.no_grad():
            for i, p in enumerate(weights):
                p.copy_(normal(*p.shape, seed=i) if p.ndim == 4 else p)
        x = 3 + 2 * normal(5, in_channels, size, size, seed=9)
        out = block.train()(x.clone()).detach()
        seen["shape of the output"] = str(tuple(out.shape))
        right = out.shape == (5, out_channels, 2 * size, 2 * size)
        seen["output"] = out if right else torch.zeros(0)
        seen["output in evaluation mode"] = block.eval()(x).detach() if right else torch.zeros(0)
        return seen

    label = f"{in_channels} channels to {out_channels}, on 5 maps of {size} × {size}"
    explain = {
        "a module": "The block must be an nn.Module, which can be called on a map.",
        "shapes of its weights": "Its weights are not those of the table: one kernel without "
        "bias, and two numbers a channel for BatchNorm.",
        "output": "With the same kernel your block gives other numbers.",
    }
    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=explain)


def _numbers_of_norm(block: nn.Module) -> int:
    return sum(p.numel() for p in block.parameters() if p.ndim == 1)


def _enlarged(block: nn.Module) -> int:
    """The height of what a block makes of maps of 4 × 4."""
    return block(normal(2, 6, 4, 4, seed=0)).shape[2]


GENERATOR_BLOCK = Exercise(
    id="dcgan.generator_block",
    title="One doubling of DCGAN's generator",
    reference=generator_block,
    hints=(
        "Three layers stand in each group of rows of the generator's table. Which are they, and "
        "in which order? `nn.Sequential` joins them.",
        "The first one doubles the size: which kernel, stride and padding make 8 of 4 in the "
        "formula that you have just written? And the table counts 4 · 4 · in · out weights for "
        "it, no bias. Why would a bias be lost on what comes next?",
        "`nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False)`, "
        "then BatchNorm of its output channels, then ReLU.",
    ),
    mistakes=(
        Mistake(
            "with a bias",
            _block_wrong(bias=True),
            "Your block has more weights than DCGAN's, by exactly the output channels. "
            "BatchNorm takes the mean of each channel away, and a constant that was added just "
            "before goes with it: a bias of 5 or of 0 gives the same picture.",
        ),
        Mistake(
            "no BatchNorm",
            _block_wrong(after=lambda channels: (nn.ReLU(),)),
            "The numbers that leave your block are as large as the weights happen to make them, "
            "and four such blocks multiply that. The table has a row with 2 weights a channel "
            "that is missing here.",
        ),
        Mistake(
            "the convolution alone",
            _block_wrong(after=lambda channels: ()),
            "Your block is one linear layer. Four of them are still one linear map of the code, "
            "and the table has two more rows in each group.",
        ),
        Mistake(
            "InstanceNorm",
            _block_wrong(after=lambda channels: (nn.InstanceNorm2d(channels), nn.ReLU())),
            "Each picture is normalised on its own: a code that makes all of a channel brighter "
            "than another code does, makes the same picture after all.",
        ),
        Mistake(
            "BatchNorm of the input channels",
            lambda i, o: nn.Sequential(
                nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(i), nn.ReLU()
            ),
            "Your BatchNorm counts the channels of the map that went in. With 6 channels in and 4 "
            "out it waits for 6 and gets 4.",
        ),
        Mistake(
            "BatchNorm first",
            lambda i, o: nn.Sequential(
                nn.BatchNorm2d(i), nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), nn.ReLU()
            ),
            "You normalise what comes in, not what the kernel makes of it. With 6 channels in and "
            "4 out, the table's BatchNorm row has 8 weights; yours has 12.",
            example(6, 4, gives=12, pick=_numbers_of_norm),
        ),
        Mistake(
            "ReLU before BatchNorm",
            _block_wrong(after=lambda channels: (nn.ReLU(), nn.BatchNorm2d(channels))),
            "Negative numbers leave your block. ReLU is in it, but something behind it moves the "
            "zero again.",
        ),
        Mistake(
            "no ReLU",
            _block_wrong(after=lambda channels: (nn.BatchNorm2d(channels),)),
            "Half of what leaves your block is negative. Four blocks without a bend between them "
            "are one linear map of the code.",
        ),
        Mistake(
            "LeakyReLU",
            _block_wrong(after=lambda channels: (nn.BatchNorm2d(channels), nn.LeakyReLU(0.2))),
            "Small negative numbers leave your block: −1 comes out as −0.2. That is the "
            "discriminator's rule.",
        ),
        Mistake(
            "tanh",
            _block_wrong(after=lambda channels: (nn.BatchNorm2d(channels), nn.Tanh())),
            "All that leaves the block lies between −1 and 1. That is the rule for the last "
            "layer, where the picture comes out.",
        ),
        Mistake(
            "a convolution",
            _block_wrong(nn.Conv2d),
            "Your block halves. A map of 4 × 4 goes in, 2 × 2 comes out; it should be 8 × 8.",
        ),
        Mistake(
            "channels swapped",
            lambda i, o: generator_block(o, i),
            "Your block waits for as many channels as it should return. With 6 in and 4 out it "
            "refuses a map of 6.",
        ),
        Mistake(
            "no padding",
            _block_wrong(nn.ConvTranspose2d, 4, 2, 0),
            "Two pixels too many on each axis: of 4 × 4 your block makes 10 × 10, not 8 × 8.",
            example(6, 4, gives=10, pick=_enlarged),
        ),
        Mistake(
            "stride 1",
            _block_wrong(nn.ConvTranspose2d, 4, 1, 0),
            "Your block adds 3 pixels to each axis, whatever the size: of 4 × 4 it makes 7 × 7, "
            "not 8 × 8. That is the layer at the start, which makes 4 × 4 of 1 × 1.",
            example(6, 4, gives=7, pick=_enlarged),
        ),
        Mistake(
            "kernel 3",
            _block_wrong(nn.ConvTranspose2d, 3, 2, 1, output_padding=1),
            "The size is right, the kernel is 3 × 3: the table counts 16 weights for each pair of "
            "channels, you have 9. And windows of 3 at stride 2 overlap unevenly, which shows as "
            "a checkerboard.",
        ),
        Mistake(
            "kernel 2",
            _block_wrong(nn.ConvTranspose2d, 2, 2, 0),
            "The size is right, the kernel is 2 × 2: the table counts 16 weights for each pair of "
            "channels, you have 4. Your windows do not overlap, so neighbours of two input pixels "
            "know nothing of each other.",
        ),
        Mistake(
            "enlarged, then convolved",
            _upsampled,
            "The size is right, but there is no transposed convolution: the table counts 16 "
            "weights for each pair of channels, you have 9. (It is a good generator, the other "
            "one of this lecture.)",
        ),
        Mistake(
            "sigmoid",
            _block_wrong(after=lambda channels: (nn.BatchNorm2d(channels), nn.Sigmoid())),
            "All that leaves the block lies between 0 and 1: its last layer squashes. Negative "
            "numbers should come out as 0, and positive ones as they are.",
        ),
        Mistake(
            "dropout",
            _block_wrong(
                after=lambda channels: (nn.BatchNorm2d(channels), nn.Dropout(), nn.ReLU())
            ),
            "In training some numbers are set to 0 at random, and the others made larger: there "
            "is a layer too many, dropout, and the table has none.",
        ),
        Mistake(
            "BatchNorm unused",
            _BlockWithoutNorm,
            "There is a BatchNorm in your block, and nothing goes through it: the numbers that "
            "leave the block are as large as the weights make them.",
        ),
        Mistake(
            "BatchNorm without weights",
            _block_wrong(
                after=lambda channels: (nn.BatchNorm2d(channels, affine=False), nn.ReLU())
            ),
            "Your BatchNorm has no weights of its own, `affine=False`: the table counts two "
            "numbers a channel that are missing here.",
        ),
    ),
    probes=(_block(6, 4, 4), _block(3, 8, 5), _block(2, 1, 1)),
)


# --- init_weights ---------------------------------------------------------------------------------

_CONVS = (nn.Conv2d, nn.ConvTranspose2d)


def _init_wrong(conv: Callable = None, norm: Callable = None, kinds: tuple = _CONVS) -> Callable:
    """Another start for convolutions, conv(weight, generator), or for BatchNorm, with its bias."""

    def wrong(module, generator=None):
        for layer in module.modules():
            if isinstance(layer, kinds):
                (conv or _bell(0.0, 0.02))(layer.weight, generator)
            elif isinstance(layer, nn.BatchNorm2d):
                (norm or _bell_and_zeros(1.0, 0.02))(layer.weight, layer.bias, generator)

    return wrong


def _bell(mean: float, spread: float) -> Callable:
    return lambda w, generator: nn.init.normal_(w, mean, spread, generator=generator)


def _bell_and_zeros(mean: float, spread: float) -> Callable:
    def start(weight: Tensor, bias: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, mean, spread, generator=generator)
        nn.init.zeros_(bias)

    return start


def _even(low: float, high: float) -> Callable:
    return lambda w, generator: nn.init.uniform_(w, low, high, generator=generator)


def _without_generator(module, generator=None):
    _init_wrong()(module)


def _same_seed(module, generator=None):
    for layer in module.modules():
        torch.manual_seed(0)
        if isinstance(layer, (*_CONVS, nn.BatchNorm2d)):
            _init_wrong()(layer)


def _all_alike(module, generator=None):
    for layer in module.modules():
        if isinstance(layer, (*_CONVS, nn.BatchNorm2d)):
            for p in layer.parameters(recurse=False):
                nn.init.normal_(p, 0.0, 0.02, generator=generator)


@torch.no_grad()
def _every_parameter(module, generator=None):
    for p in module.parameters():
        p.normal_(0.0, 0.02, generator=generator)


def _own_generator(module, generator=None):
    _init_wrong()(module, seeded(0))


def _linear_too(module, generator=None):
    _init_wrong(kinds=(*_CONVS, nn.Linear))(module, generator)


def _outer_layers(module, generator=None):
    for layer in module.children():
        if not list(layer.children()):
            _init_wrong()(layer, generator)


def _the_module_itself(module, generator=None):
    if isinstance(module, (*_CONVS, nn.BatchNorm2d)):
        _init_wrong()(module, generator)


def _biases_of_convolutions_too(module, generator=None):
    _init_wrong()(module, generator)
    for layer in module.modules():
        if isinstance(layer, _CONVS) and layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _new_parameters(module, generator=None):
    _init_wrong()(module, generator)
    for layer in module.modules():
        if isinstance(layer, (*_CONVS, nn.BatchNorm2d)):
            layer.weight = nn.Parameter(layer.weight.detach().clone())


def _nothing(*arguments: Any) -> None:
    pass


def _started_convolutions(candidate: Callable) -> dict[str, Any]:
    layers = [kind(48, 64, 4) for kind in (*_CONVS, nn.Conv2d)]
    inside = nn.Sequential(nn.ReLU(), nn.Sequential(*layers[1:]))
    net = nn.Sequential(layers[0], nn.BatchNorm2d(8), inside, nn.Linear(300, 20))
    linear = net[3].weight.detach().clone()
    candidate(net)
    seen = {}
    for name, layer in zip(("Conv2d", "ConvTranspose2d"), layers, strict=False):
        w = layer.weight.detach()
        seen[f"mean of the weights of {name}"] = w.mean()
        seen[f"spread of the weights of {name}"] = w.std()
        far = ((w - w.mean()).abs() > 2 * w.std()).double().mean()  # of a Gaussian 4.6 %
        seen[f"bell shape of the weights of {name}"] = 0.04 < far.item() < 0.05
    seen["two layers begin alike"] = torch.equal(layers[0].weight, layers[2].weight)
    seen["weights of Linear stay"] = torch.equal(net[3].weight, linear)
    return seen | {"weights can learn": all(p.requires_grad for p in net.parameters())}


def _started_norms(candidate: Callable) -> dict[str, Any]:
    net = nn.Sequential(nn.Sequential(nn.BatchNorm2d(100_000)), nn.ReLU())
    candidate(net)
    norm = net[0][0]
    return {
        "mean of the weights of BatchNorm": norm.weight.detach().mean(),
        "spread of the weights of BatchNorm": norm.weight.detach().std(),
        "mean of the biases of BatchNorm": norm.bias.detach().mean(),
        "spread of the biases of BatchNorm": norm.bias.detach().std(),
        "largest running mean": norm.running_mean.abs().max(),
        "largest running variance": norm.running_var.max(),
        "weights can learn": all(p.requires_grad for p in net.parameters()),
    }


def _started_by_a_generator(candidate: Callable) -> dict[str, Any]:
    drawn = []
    for seed in (1, 1, 2):
        conv, equal = (nn.Conv2d(3, 4, 3, bias=False) for _ in range(2))
        net = nn.Sequential(conv, nn.BatchNorm2d(4), equal)
        candidate(net, seeded(seed))
        drawn.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    first, again, other = drawn
    return {
        "the same seed gives the same weights": torch.equal(first, again),
        "another seed gives other weights": not torch.equal(first, other),
        "two equal layers begin alike": torch.equal(conv.weight, equal.weight),
    }


def _started_again(candidate: Callable) -> dict[str, Any]:
    layers = {
        "conv": nn.Conv2d(2, 2, 4),
        "transposed": nn.ConvTranspose2d(2, 2, 4),
        "batch": nn.BatchNorm2d(2),
        "group": nn.GroupNorm(1, 2),
        "linear": nn.Linear(2, 2),
    }
    net = nn.Sequential(OrderedDict(layers))
    for value in net.state_dict().values():
        value.fill_(3)
    before, parameters = copy.deepcopy(net.state_dict()), list(net.parameters())
    candidate(net)

    after = net.state_dict()
    new = {n for n, v in before.items() if n not in after or not torch.equal(v, after[n])}
    return {
        "biases of BatchNorm are 0": not net.batch.bias.any(),
        "biases of convolutions stay": new.isdisjoint({"conv.bias", "transposed.bias"}),
        "GroupNorm and Linear stay": not any(n.startswith(("group", "linear")) for n in new),
        "statistics of BatchNorm stay": new.isdisjoint({"batch.running_mean", "batch.running_var"}),
        "its parameters are the same objects": (
            [*map(id, net.parameters())] == [*map(id, parameters)]
        ),
    }


class _Own(nn.Module):
    """Layers that stand in no nn.Sequential, and are used in other ways than DCGAN does."""

    def __init__(self):
        super().__init__()
        self.listed = nn.ModuleList([nn.Conv2d(4, 6, 3, groups=2), nn.ConvTranspose2d(4, 6, 3)])
        self.batch, self.instance = nn.BatchNorm2d(4), nn.InstanceNorm2d(4, affine=True)
        for parameter in self.parameters():
            nn.init.constant_(parameter, 3.0)
        self.listed[0].weight.requires_grad_(False)
        self.listed[1].eval(), self.batch.eval()


def _started_elsewhere(candidate: Callable) -> dict[str, Any]:
    nets = [_Own() for _ in range(2)]
    for net in nets:
        candidate(net, seeded(4))
    net, new = nets[0], _Own()
    grouped, transposed = (layer.weight.detach() for layer in net.listed)
    pairs = zip(*(n.parameters() for n in nets), strict=True)
    training = [[layer.training for layer in n.modules()] for n in (net, new)]
    frozen = [[p.requires_grad for p in n.parameters()] for n in (net, new)]
    return {
        "convolutions of a list are drawn": bool((transposed.abs() < 1).all()),
        "a convolution in groups is drawn": bool((grouped.abs() < 1).all()),
        "filters begin alike": any(torch.equal(w[0], w[1]) for w in (grouped, transposed)),
        "BatchNorm begins about 1": bool(((net.batch.weight - 1).abs() < 0.5).all()),
        "InstanceNorm stays": bool((net.instance.weight == 3).all()),
        "the same seed gives the same weights": all(torch.equal(a, b) for a, b in pairs),
        "training and evaluation stay": training[0] == training[1],
        "what is frozen stays frozen": frozen[0] == frozen[1],
    }


INIT_WEIGHTS = Exercise(
    id="dcgan.init_weights",
    title="The first weights of DCGAN",
    reference=dcgan.init_weights,
    hints=(
        "A network holds layers, and some of these hold layers again. The function is called once, "
        "with the whole network. What gives you every layer, however deep?",
        "`for layer in module.modules()` walks through all of them; `isinstance(layer, nn.Conv2d)` "
        "asks of what kind one is. Which three kinds with weights does a DCGAN have? And what does "
        "BatchNorm multiply with: where should that begin, if it is to change almost nothing at "
        "first?",
        "`nn.init.normal_(layer.weight, mean, spread, generator=generator)` changes a weight in "
        "place. Convolutions of both kinds: mean 0, spread 0.02. BatchNorm2d: mean 1, spread 0.02, "
        "and `nn.init.zeros_(layer.bias)`.",
    ),
    mistakes=(
        Mistake(
            "transposed convolutions left out",
            _init_wrong(kinds=(nn.Conv2d,)),
            "nn.ConvTranspose2d keeps PyTorch's own start. A transposed convolution is no "
            "nn.Conv2d, so nothing changes in the whole generator but its BatchNorm.",
        ),
        Mistake(
            "convolutions left out",
            _init_wrong(kinds=(nn.ConvTranspose2d,)),
            "nn.Conv2d keeps PyTorch's own start: nothing changes in the discriminator's kernels.",
        ),
        Mistake(
            "no convolution changed",
            _init_wrong(conv=_nothing),
            "Convolutions begin with PyTorch's own weights, a uniform draw of another spread. "
            "Does your draw end up in the layer? `torch.randn_like(w)` makes a new tensor and "
            "leaves w as it was.",
        ),
        Mistake(
            "BatchNorm left out",
            _init_wrong(norm=_nothing),
            "All weights of BatchNorm are exactly 1: their spread is 0, and should be 0.02.",
        ),
        Mistake(
            "BatchNorm about 0",
            _init_wrong(norm=_bell_and_zeros(0.0, 0.02)),
            "BatchNorm multiplies each channel by about 0: it divides by the spread, so that all "
            "channels have spread 1, and then you shrink them to 0.02. After four layers nothing "
            "of the code is left.",
        ),
        Mistake(
            "every number alike",
            _all_alike,
            "All parameters begin about 0, those of BatchNorm too. It divides each channel by its "
            "spread and then multiplies by about 0.02: after four layers nothing of the code is "
            "left.",
        ),
        Mistake(
            "BatchNorm's bias drawn too",
            _init_wrong(norm=lambda w, b, g: (_bell(1.0, 0.02)(w, g), _bell(0.0, 0.02)(b, g))),
            "The biases of BatchNorm scatter by 0.02. They are meant to begin at exactly 0.",
        ),
        Mistake(
            "BatchNorm's bias at 1",
            _init_wrong(norm=lambda w, b, g: (_bell(1.0, 0.02)(w, g), nn.init.ones_(b))),
            "The biases of BatchNorm begin at 1: every channel is one spread too high, and ReLU "
            "hardly ever cuts. They are meant to begin at 0.",
        ),
        Mistake(
            "weight and bias swapped",
            _init_wrong(norm=lambda w, b, g: (nn.init.zeros_(w), _bell(1.0, 0.02)(b, g))),
            "BatchNorm multiplies by 0 and adds 1: whatever comes in, 1 goes out.",
        ),
        Mistake(
            "0.02 as a variance",
            _init_wrong(_bell(0.0, 0.02**0.5), _bell_and_zeros(1.0, 0.02**0.5)),
            "The weights scatter by 0.14, seven times as far as they should: 0.02 is the spread, "
            "not the variance.",
        ),
        Mistake(
            "0.02 squared",
            _init_wrong(_bell(0.0, 0.02**2), _bell_and_zeros(1.0, 0.02**2)),
            "The weights scatter by 0.0004, a fiftieth of what they should. torch's `normal_` "
            "takes the spread, and so does 0.02.",
        ),
        Mistake(
            "mean and spread swapped",
            _init_wrong(_bell(0.02, 1.0)),
            "The kernels scatter by 1, about 0.02. A kernel of 4 × 4 on 512 channels adds up "
            "8,192 products: with a spread of 1 the sum is some 90 times what came in.",
        ),
        Mistake(
            "spread 1",
            _init_wrong(_bell(0.0, 1.0)),
            "The kernels scatter by 1. One of 4 × 4 on 512 channels adds up 8,192 products: with "
            "a spread of 1 the sum is some 90 times what came in.",
        ),
        Mistake(
            "uniform",
            _init_wrong(_even(-0.02, 0.02)),
            "The kernels hold no weight beyond ±0.02, and they scatter about half as far as they "
            "should. The spread should be 0.02, and the shape a bell, with one weight in twenty "
            "beyond 0.04.",
        ),
        Mistake(
            "uniform of the right spread",
            _init_wrong(_even(-0.02 * 3**0.5, 0.02 * 3**0.5)),
            "The spread is right, the shape is not: no weight lies beyond 0.035. Of a Gaussian of "
            "spread 0.02, one in twenty lies beyond 0.04.",
        ),
        Mistake(
            "always positive",
            _init_wrong(_even(0.0, 0.02)),
            "None of your weights is negative: their mean is 0.01, not 0. Every kernel begins as "
            "a blur.",
        ),
        Mistake(
            "constant",
            _init_wrong(lambda w, g: nn.init.constant_(w, 0.02)),
            "All weights are 0.02. Filters that begin alike get the same gradient and stay alike: "
            "512 channels, one feature.",
        ),
        Mistake(
            "zeros",
            _init_wrong(lambda w, g: nn.init.zeros_(w)),
            "All kernels are 0: whatever comes in, 0 goes out, and no gradient finds its way back "
            "to the layers before.",
        ),
        Mistake(
            "Xavier",
            _init_wrong(lambda w, g: nn.init.xavier_normal_(w, generator=g)),
            "The spread of your kernels depends on the number of channels. DCGAN's rule is "
            "simpler: 0.02 everywhere.",
        ),
        Mistake(
            "Kaiming",
            _init_wrong(lambda w, g: nn.init.kaiming_normal_(w, generator=g)),
            "The spread of your kernels depends on the number of channels that come in. DCGAN's "
            "rule is simpler: 0.02 everywhere.",
        ),
        Mistake(
            "the module itself",
            _the_module_itself,
            "Nothing has changed. The function is called once, with a whole network: its layers "
            "lie inside, some within other layers. Do you look at them, or at the network alone? "
            "Do you change them, or copies of them? Which layers does your condition let through?",
        ),
        Mistake(
            "outer layers only",
            _outer_layers,
            "You change the layers that lie directly in the network. Those inside another "
            "nn.Sequential, as in DCGAN's blocks, stay as they are.",
        ),
        Mistake(
            "linear layers, too",
            _linear_too,
            "nn.Linear has changed as well. Only convolutions and BatchNorm get new weights; "
            "other layers stay as they are.",
        ),
        Mistake(
            "the generator unused",
            _without_generator,
            "Each weight has the right spread, but does not come from the given generator: with "
            "one of the same seed your weights are others.",
        ),
        Mistake(
            "the same seed for each layer",
            _same_seed,
            "Two layers of one shape begin with the same numbers: you set the seed anew for each "
            "layer.",
        ),
        Mistake(
            "all parameters alike, of all layers",
            _every_parameter,
            "Every parameter of the network begins about 0: those of nn.Linear, which should "
            "stay, and those of BatchNorm, which should begin about 1.",
        ),
        Mistake(
            "0.02 as a variance, in convolutions",
            _init_wrong(_bell(0.0, 0.02**0.5)),
            "The kernels scatter by 0.14, seven times as far as they should: 0.02 is the spread, "
            "not the variance.",
        ),
        Mistake(
            "0.02 squared, in convolutions",
            _init_wrong(_bell(0.0, 0.02**2)),
            "The kernels scatter by 0.0004, a fiftieth of what they should. torch's `normal_` "
            "takes the spread, and so does 0.02.",
        ),
        Mistake(
            "a generator of its own",
            _own_generator,
            "With the given generator your weights are always the same, whatever its seed: you "
            "draw from another, or seed it anew.",
        ),
        Mistake(
            "Xavier, uniform",
            _init_wrong(lambda w, g: nn.init.xavier_uniform_(w, generator=g)),
            "The spread of your kernels depends on the number of channels. DCGAN's rule is "
            "simpler: 0.02 everywhere.",
        ),
        Mistake(
            "Kaiming, uniform",
            _init_wrong(lambda w, g: nn.init.kaiming_uniform_(w, generator=g)),
            "The spread of your kernels depends on the number of channels that come in. DCGAN's "
            "rule is simpler: 0.02 everywhere.",
        ),
        Mistake(
            "spread 0.2",
            _init_wrong(_bell(0.0, 0.2)),
            "The kernels scatter by 0.2, ten times as far as they should.",
        ),
        Mistake(
            "BatchNorm's weights left out",
            _init_wrong(norm=lambda w, b, g: nn.init.zeros_(b)),
            "BatchNorm keeps its weights, and only its biases are set. In a new network all its "
            "weights are exactly 1: their spread is 0, and should be 0.02.",
        ),
        Mistake(
            "BatchNorm's bias left out",
            _init_wrong(norm=lambda w, b, g: _bell(1.0, 0.02)(w, g)),
            "The biases of BatchNorm stay as they were. In a new network they are 0 already; in "
            "one that has learned they are not, and it does not begin at 0.",
        ),
        Mistake(
            "biases of convolutions, too",
            _biases_of_convolutions_too,
            "The biases of convolutions have changed as well. Only their weights get new numbers.",
        ),
        Mistake(
            "new parameters",
            _new_parameters,
            "The layers hold new parameters, and the old ones are left as they were. An optimizer "
            "that was made before still holds those: it moves them, and the network never learns.",
        ),
    ),
    probes=(
        Probe("a network with layers inside layers", _started_convolutions, 0.03, 5e-4),
        Probe("a BatchNorm of 100,000 channels", _started_norms, 0.03, 5e-4),
        Probe(
            "a generator of seed 1, the same again, one of seed 2",
            _started_by_a_generator,
            explain={
                "two equal layers begin alike": "With the given generator two layers of one shape "
                "begin with the same numbers."
            },
        ),
        Probe(
            "a network that has been used before: all its numbers are 3",
            _started_again,
            explain={
                "biases of BatchNorm are 0": "BatchNorm should begin with biases of 0, whatever "
                "they were before.",
                "biases of convolutions stay": "Of a convolution only the weights get new numbers.",
                "GroupNorm and Linear stay": "Other layers should stay as they are, their biases, "
                "too.",
                "statistics of BatchNorm stay": "BatchNorm's running mean and variance have "
                "changed; it gets new weights and biases, no more.",
            },
        ),
        Probe(
            "a class with an nn.ModuleList: a convolution in groups, frozen, a transposed one and "
            "BatchNorm, both in evaluation mode, an InstanceNorm; all numbers are 3",
            _started_elsewhere,
            explain={
                "convolutions of a list are drawn": "A convolution in an nn.ModuleList, in "
                "evaluation mode, keeps its old weights.",
                "a convolution in groups is drawn": "A convolution in groups, frozen, keeps its "
                "old weights.",
                "filters begin alike": "Two filters of one layer begin with the same numbers.",
                "BatchNorm begins about 1": "BatchNorm's weights should begin about 1, whatever "
                "they were before.",
                "InstanceNorm stays": "InstanceNorm is no BatchNorm: it should stay as it is.",
                "training and evaluation stay": "Some layers were in evaluation mode and are in "
                "training mode now, or the other way round.",
                "what is frozen stays frozen": "`requires_grad` of some weights has changed.",
            },
        ),
    ),
)


# --- discriminator_update and generator_update ----------------------------------------------------


def discriminator_update(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: Optimizer,
    d_optimizer: Optimizer,
    real: Float[Tensor, "B C H W"],
    noise: Float[Tensor, "B nz"],
) -> Float[Tensor, ""]:
    """D learns once to say 1 to real and 0 to fake pictures, each batch judged by itself."""
    fake = generator(noise).detach()
    real_scores, fake_scores = discriminator(real), discriminator(fake)
    bce, ones = F.binary_cross_entropy_with_logits, torch.ones_like(real_scores)
    d_loss = bce(real_scores, ones) + bce(fake_scores, torch.zeros_like(fake_scores))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    return d_loss.detach()


def generator_update(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: Optimizer,
    d_optimizer: Optimizer,
    noise: Float[Tensor, "B nz"],
) -> Float[Tensor, ""]:
    """G learns once to make pictures to which D says 1 (the non-saturating loss)."""
    scores = discriminator(generator(noise))
    g_loss = F.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return g_loss.detach()


def _players(seed: int, nc: int) -> tuple[nn.Module, nn.Module]:
    """A small DCGAN whose weights are large enough for scores to differ from 0."""
    nets = dcgan.Generator(nz=6, ngf=4, nc=nc, size=16), dcgan.Discriminator(nc, ndf=4, size=16)
    with torch.no_grad():
        for i, p in enumerate(p for net in nets for p in net.parameters()):
            p.copy_(normal(*p.shape, seed=1000 * seed + i) * (0.3 if p.ndim == 4 else 0.1))
            p.add_(p.ndim == 1)
    return nets


def _flat(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def _leave_gradients(net: nn.Module) -> None:
    for p in net.parameters():
        p.grad = torch.full_like(p, 0.5)


def _batch_name(x: Tensor, real: Tensor, fake: Tensor) -> str:
    together = torch.cat([real, fake]), torch.cat([fake, real])
    named = {"the data": (real,), "the fakes": (fake,), "data and fakes together": together}
    for name, candidates in named.items():
        if any(x.shape == c.shape and torch.allclose(x, c, atol=1e-4) for c in candidates):
            return name
    return "something else"


def _watch(nets: dict[str, nn.Module], real: Tensor, fake: Tensor) -> tuple[list[str], set[str]]:
    """Lists that fill as the update runs: what D judged, and whose weights got a gradient."""
    judged, told = [], set()
    nets["D"].register_forward_pre_hook(
        lambda _, args: judged.append(_batch_name(args[0].detach(), real, fake))
    )
    for name, net in nets.items():
        next(net.parameters()).register_hook(lambda _, name=name: told.add(name))
    return judged, told


def _has_gradient(net: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in net.parameters())


def _round(player: str, batch: int, seed: int, nc: int = 2, sure: bool = False) -> Probe:
    """One update of D ("D") or G ("G"), with gradients left over from the update before.

    sure: the scores are about −24. (Below −27 `binary_cross_entropy`, too, loses its gradient.)
    """
    other = "G" if player == "D" else "D"

    def observe(candidate: Callable) -> dict[str, Any]:
        nets = dict(zip("GD", _players(seed, nc), strict=True))
        if sure:
            nets["D"].register_forward_hook(lambda _, args, scores: scores / 10 - 24)
        real, noise = normal(batch, nc, 16, 16, seed=seed + 1).tanh(), normal(batch, 6, seed=seed)
        fake = copy.deepcopy(nets["G"])(noise).detach()
        before = {name: _flat(net) for name, net in nets.items()}
        _leave_gradients(nets["D"])  # as an update of G leaves them
        if player == "G":
            _leave_gradients(nets["G"])  # as an update of D may leave them
        judged, told = _watch(nets, real, fake)
        optimizers = [torch.optim.SGD(net.parameters(), 0.1) for net in nets.values()]
        inputs = (real.clone(), noise.clone()) if player == "D" else (noise.clone(),)
        loss = candidate(*nets.values(), *optimizers, *inputs)

        moved = {name: not torch.equal(before[name], _flat(net)) for name, net in nets.items()}
        why = f"told: {sorted(told)}, gradient kept: {_has_gradient(nets[player])}"
        seen = {
            "D judged": ", ".join(sorted(judged)),  # the order, data or fakes first, is free
            "loss": loss.detach() if isinstance(loss, Tensor) else loss,
            f"{player} moved": moved[player],
            f"{other} moved": moved[other],
            f"why {player} stands": "" if moved[player] else why,
            f"{player}'s weights": _flat(nets[player]),
            "batches that G's BatchNorm saw": nets["G"].layers[1].num_batches_tracked,
            "both in training mode": all(net.training for net in nets.values()),
            "both can learn": all(p.requires_grad for n in nets.values() for p in n.parameters()),
        }
        if player == "D":
            seen["gradient left in G"] = _has_gradient(nets["G"])
            seen["batches that D's BatchNorm saw"] = nets["D"].layers[3].num_batches_tracked
        return seen

    label = f"an update of {player} on {batch} pictures, with gradients left by the one before"
    label += ", where D is sure that they are fakes: scores of about −24" * sure
    explain = {
        "D judged": "D must see these batches, each once.",
        "loss": "The loss before the step has another value.",
        f"{player}'s weights": f"{player} moves, but elsewhere.",
        f"{other} moved": f"It is {player}'s turn.",
        "both in training mode": "A network is left in evaluation mode.",
        "both can learn": "Weights are left frozen: the next update will not move them.",
    }
    if sure:
        explain["loss"] = (
            "A score of −24 costs 24, and −25 costs 25: where your loss does not tell them apart, "
            "no gradient reaches G."
        )
    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=explain)


def _says_one(scores: Tensor) -> Tensor:
    return F.softplus(-scores).mean()


def _says_zero(scores: Tensor) -> Tensor:
    return F.softplus(scores).mean()


def _both(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return _says_one(d(real)) + _says_zero(d(fake))


def _two_sigmoids(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return _says_one(d(real).sigmoid()) + _says_zero(d(fake).sigmoid())


def _no_sigmoid(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    scores, bce = d(real), F.binary_cross_entropy
    return bce(scores, torch.ones_like(scores)) + bce(d(fake), torch.zeros_like(scores))


def _summed(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-d(real)).sum() + F.softplus(d(fake)).sum()


def _smoothed(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    scores = d(real)
    ones = torch.full_like(scores, 0.9)
    return F.binary_cross_entropy_with_logits(scores, ones) + _says_zero(d(fake))


def _together(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    scores = d(torch.cat([real, fake]))
    return _says_one(scores[: len(real)]) + _says_zero(scores[len(real) :])


def _evaluated(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    d.eval()
    loss = _both(d, real, fake)
    d.train()
    return loss


def _made(g: nn.Module, noise: Tensor) -> Tensor:
    return g(noise).detach()


def _made_in_evaluation(g: nn.Module, noise: Tensor) -> Tensor:
    g.eval()
    fake = g(noise).detach()
    g.train()
    return fake


def _d_wrong(loss: Callable = _both, fakes: Callable = _made, *calls: str) -> Callable:
    """Another loss(D, real, fake), other fakes(G, noise), other calls in another order."""
    calls = calls or ("d zero_grad", "backward", "d step")

    def wrong(g, d, g_optimizer, d_optimizer, real, noise):
        d_loss = loss(d, real, fakes(g, noise))
        return _descend(d_loss, g_optimizer, d_optimizer, calls)

    return wrong


def _descend(loss: Tensor, g_optimizer: Optimizer, d_optimizer: Optimizer, calls) -> Tensor:
    for name in calls:
        if name == "backward":
            loss.backward()
        else:
            getattr(g_optimizer if name[0] == "g" else d_optimizer, name[2:])()
    return loss.detach()


def _step_by_step(g, d, g_optimizer, d_optimizer, real, noise):
    real_loss = _says_one(d(real))
    _descend(real_loss, g_optimizer, d_optimizer, ("d zero_grad", "backward", "d step"))
    fake_loss = _says_zero(d(g(noise).detach()))
    _descend(fake_loss, g_optimizer, d_optimizer, ("d zero_grad", "backward", "d step"))
    return (real_loss + fake_loss).detach()


_ORDINARY = ("d zero_grad", "backward", "d step")

DISCRIMINATOR_UPDATE = Exercise(
    id="dcgan.discriminator_update",
    title="The discriminator's turn",
    reference=discriminator_update,
    allows=("number",),
    hints=(
        "D is a classifier of pictures with two classes. Which pictures does it learn from here, "
        "and what should it say to each kind? G only supplies: what must not happen to it?",
        "Scores are logits, so `F.binary_cross_entropy_with_logits(scores, targets)` is the loss "
        "of a batch: targets all 1 for data, all 0 for fakes, and the two losses add up. Judge "
        "the two batches one after the other. Gradients are added to those that are there: which "
        "may be there from before?",
        "`fake = generator(noise).detach()`, two calls of `discriminator`, the sum of two "
        "losses; then `d_optimizer.zero_grad()`, `backward()`, `d_optimizer.step()`, and return "
        "the loss.",
    ),
    mistakes=(
        Mistake(
            "labels swapped",
            _d_wrong(lambda d, real, fake: _says_zero(d(real)) + _says_one(d(fake))),
            "D learns to call data fake and fakes real: its loss is smallest when it scores every "
            "photograph at −5 and all noise at 5.",
        ),
        Mistake(
            "data only",
            _d_wrong(lambda d, real, fake: _says_one(d(real))),
            "Change the fakes: your loss does not move. A D that says 1 to everything is perfect "
            "by it.",
        ),
        Mistake(
            "fakes only",
            _d_wrong(lambda d, real, fake: _says_zero(d(fake))),
            "Change the data: your loss does not move. A D that says 0 to everything is perfect "
            "by it.",
        ),
        Mistake(
            "the data as fakes",
            _d_wrong(lambda d, real, fake: _says_one(d(real)) + _says_zero(d(real))),
            "D sees the data twice, once as real and once as fake, and no picture of G's. No D "
            "can get that below 2 log 2 = 1.386.",
        ),
        Mistake(
            "halved",
            _d_wrong(lambda d, real, fake: _both(d, real, fake) / 2),
            "Half of the loss asked for. A D that knows nothing, all scores 0, pays log 2 for "
            "data and log 2 for fakes, together 1.386. (CycleGAN will halve on purpose, to slow D "
            "down.)",
        ),
        Mistake(
            "summed over the batch",
            _d_wrong(_summed),
            "Twice the pictures, twice your loss, and steps twice as long. A D that knows "
            "nothing has 1.386 at every batch size.",
        ),
        Mistake(
            "two sigmoids",
            _d_wrong(_two_sigmoids),
            "Scores are squashed twice: a perfect D, scores ±20, should have a loss near 0, and "
            "has 1.006 here. No data can get under 0.313, and no fakes under 0.693.",
        ),
        Mistake(
            "scores taken for probabilities",
            _d_wrong(_no_sigmoid),
            "Plain cross-entropy takes probabilities, and scores are none: D says −3 or 5, and "
            "log(−3) is no number.",
        ),
        Mistake(
            "smoothed labels",
            _d_wrong(_smoothed),
            "The target for data is 0.9. A D that is sure and right, score 20 on data, pays 2.0 "
            "for it; asked is a loss that pays it nothing. (Smoothing comes with the losses.)",
        ),
        Mistake(
            "sign",
            _d_wrong(lambda d, real, fake: -_both(d, real, fake)),
            "Your loss is negative, and the optimiser minimises: with each step D gets worse at "
            "telling data from fakes.",
        ),
        Mistake(
            "in one batch",
            _d_wrong(_together),
            "D judges data and fakes in one batch, so its BatchNorm takes the mean of both. Then "
            "a picture's score depends on the other kind: replace the fakes, and the scores of "
            "the data move. In its own turn G will be judged on a batch of fakes alone.",
        ),
        Mistake(
            "discriminator in evaluation mode",
            _d_wrong(_evaluated),
            "D judges in evaluation mode, by running means of earlier batches, and never updates "
            "those. It learns on other numbers than it is used on.",
        ),
        Mistake(
            "generator in evaluation mode",
            _d_wrong(_both, _made_in_evaluation),
            "The fakes are made in evaluation mode. G's own turn will be in training mode: D is "
            "trained on other pictures than those that it will then judge.",
        ),
        Mistake(
            "gradient left in the generator",
            _d_wrong(_both, lambda g, noise: g(noise)),
            "After your update G's weights carry a gradient: what D wants of G, which is fakes "
            "that are easier to catch. It has cost half the time, and it is added to whatever G "
            "computes next.",
        ),
        Mistake(
            "both move",
            _d_wrong(_both, lambda g, noise: g(noise), *_ORDINARY, "g step"),
            "G moved while D was playing, and against itself: towards fakes that D catches more "
            "easily.",
        ),
        Mistake(
            "the generator moves",
            _d_wrong(_both, lambda g, noise: g(noise), "g zero_grad", "backward", "g step"),
            "It was D's turn, and D stayed where it was; G moved, towards fakes that D catches "
            "more easily.",
        ),
        Mistake(
            "gradients not cleared",
            _d_wrong(_both, _made, "backward", "d step"),
            "Your step contains gradients from before: G's last turn sent one through D, and it "
            "says how D should be fooled. Two updates in a row, and the second repeats the first.",
        ),
        Mistake(
            "gradients cleared too late",
            _d_wrong(_both, _made, "backward", "d zero_grad", "d step"),
            "D does not move. The gradient is computed, then thrown away, then a step of 0 is "
            "made.",
        ),
        Mistake(
            "no step",
            _d_wrong(_both, _made, "d zero_grad", "backward"),
            "D has a gradient and does not move: the loss is computed, and nothing is done about "
            "it.",
        ),
        Mistake(
            "no backward",
            _d_wrong(_both, _made, "d zero_grad", "d step"),
            "D does not move: nobody has computed how each weight changes the loss.",
        ),
        Mistake(
            "two steps",
            _step_by_step,
            "D makes a step after the data and another after the fakes. The fakes are judged by a "
            "D that has just learned to say 1: the two halves pull in turn and not together.",
        ),
        Mistake(
            "own noise",
            _d_wrong(_both, lambda g, noise: g(torch.randn_like(noise)).detach()),
            "You drew your own noise and left the given one unused: the same noise must give the "
            "same fakes.",
        ),
        Mistake(
            "noise for fakes",
            _d_wrong(lambda d, real, _: _both(d, real, torch.randn_like(real)), _made),
            "D judges bare noise, not pictures of G. It soon tells pixels drawn at random from "
            "pictures, and learns nothing about G.",
        ),
        Mistake(
            "a critic's loss",
            _d_wrong(lambda d, real, fake: -d(real).mean() + d(fake).mean()),
            "Your loss is the difference of the mean scores, as in a Wasserstein GAN, and has no "
            "floor. A D that knows nothing, all scores 0, should pay 1.386, and pays 0.",
        ),
        Mistake(
            "hinge",
            _d_wrong(lambda d, real, fake: F.relu(1 - d(real)).mean() + F.relu(1 + d(fake)).mean()),
            "Your loss is the hinge: scores beyond ±1 on the right side cost nothing. (That is "
            "the loss of another GAN.) Asked is the binary cross-entropy.",
        ),
        Mistake(
            "squared error",
            _d_wrong(lambda d, real, fake: (d(real) - 1).square().mean() + d(fake).square().mean()),
            "The loss is the squared distance of the scores from 1 and 0. (That is the loss of "
            "another GAN.) Asked is the binary cross-entropy: a score of 20 on data should cost "
            "nothing, and costs 361.",
        ),
        Mistake(
            "squares of probabilities",
            _d_wrong(
                lambda d, real, fake: (
                    (d(real).sigmoid() - 1).square().mean() + d(fake).sigmoid().square().mean()
                )
            ),
            "The loss is the squared distance of the probabilities from 1 and 0. Asked is the "
            "binary cross-entropy, whose gradient does not vanish where D is sure and wrong.",
        ),
    ),
    probes=(_round("D", 4, seed=1), _round("D", 2, seed=2, nc=1), _round("D", 4, seed=3)),
)


def _g_wrong(loss: Callable = _says_one, fakes: Callable = None, *calls: str) -> Callable:
    """Another loss(scores), other fakes(G, noise), other calls in another order."""
    calls = calls or ("g zero_grad", "backward", "g step")
    fakes = fakes or (lambda g, noise: g(noise))

    def wrong(g, d, g_optimizer, d_optimizer, noise):
        g_loss = loss(d(fakes(g, noise)))
        return _descend(g_loss, g_optimizer, d_optimizer, calls)

    return wrong


def _g_with_d_evaluating(g, d, g_optimizer, d_optimizer, noise):
    d.eval()
    loss = _g_wrong()(g, d, g_optimizer, d_optimizer, noise)
    d.train()
    return loss


def _g_with_itself_evaluating(g, d, g_optimizer, d_optimizer, noise):
    g.eval()
    loss = _g_wrong()(g, d, g_optimizer, d_optimizer, noise)
    g.train()
    return loss


def _g_with_d_frozen(g, d, g_optimizer, d_optimizer, noise):
    d.requires_grad_(False)
    return _g_wrong()(g, d, g_optimizer, d_optimizer, noise)


_OWN = ("g zero_grad", "backward", "g step")

GENERATOR_UPDATE = Exercise(
    id="dcgan.generator_update",
    title="The generator's turn",
    reference=generator_update,
    allows=("graph", "number"),
    hints=(
        "There is no data in this turn. Who tells G whether its pictures are good, and what would "
        "G like to hear?",
        "The gradient must run from the loss through D into G, so nothing may cut it on its way. "
        "D's weights get gradients too, but who moves? For the non-saturating loss, G wants D to "
        "say 1: it is the loss that D had for data, with fakes in their place.",
        "`scores = discriminator(generator(noise))`, the binary cross-entropy with targets of 1, "
        "`g_optimizer.zero_grad()`, `backward()`, `g_optimizer.step()`, and return the loss.",
    ),
    mistakes=(
        Mistake(
            "minimax",
            _g_wrong(lambda scores: -_says_zero(scores)),
            "This is log(1 − D), the minimax loss. It agrees in sign, and its gradient is σ(s) "
            "where the non-saturating one has 1 − σ(s): at D(G(z)) = 0.01, as in the first "
            "minutes, it is 99 times smaller.",
        ),
        Mistake(
            "paid for being caught",
            _g_wrong(_says_zero),
            "G's loss falls when D says 0: G is paid for being caught. Score −20, a fake that "
            "fools nobody, costs nothing.",
        ),
        Mistake(
            "sign",
            _g_wrong(lambda scores: -_says_one(scores)),
            "The sign is turned over: the loss is smallest where D is sure that G's pictures are "
            "fake. Score −20 lowers it by 20.",
        ),
        Mistake(
            "two sigmoids",
            _g_wrong(lambda scores: _says_one(scores.sigmoid())),
            "Scores are squashed twice: a score of 0, D undecided, should cost log 2 = 0.693, and "
            "costs 0.474 here. However well G does, it pays 0.313.",
        ),
        Mistake(
            "scores taken for probabilities",
            _g_wrong(lambda scores: F.binary_cross_entropy(scores, torch.ones_like(scores))),
            "Plain cross-entropy takes probabilities, and scores are none: D says −3 or 5, and "
            "log(−3) is no number.",
        ),
        Mistake(
            "the bare score",
            _g_wrong(lambda scores: -scores.mean()),
            "Your loss is the score itself. A score of 0 should cost log 2 = 0.693, and costs 0; "
            "a fake that has long fooled D, score 20, still pays for going to 40. (That is the "
            "loss of another GAN.)",
        ),
        Mistake(
            "squared error",
            _g_wrong(lambda scores: (scores - 1).square().mean()),
            "You measure the squared distance to 1. A score of 0 should cost log 2 = 0.693, and "
            "costs 1; a score of 20, D wholly fooled, costs 361. (That is the loss of another "
            "GAN.)",
        ),
        Mistake(
            "probability as loss",
            _g_wrong(lambda scores: 1 - scores.sigmoid().mean()),
            "Your loss is the probability of being caught, without its logarithm. At D(G(z)) = "
            "0.01 its gradient is 100 times smaller, and G stands still when it should learn "
            "most.",
        ),
        Mistake(
            "summed over the batch",
            _g_wrong(lambda scores: F.softplus(-scores).sum()),
            "Twice the pictures, twice your loss, and steps twice as long. Against a D that is "
            "undecided the loss is 0.693 at every batch size.",
        ),
        Mistake(
            "fakes detached",
            _g_wrong(_says_one, lambda g, noise: g(noise).detach()),
            "G hears nothing: no gradient arrives behind the fakes. The loss is right, and G will "
            "make the same pictures for ever.",
        ),
        Mistake(
            "gradients not cleared",
            _g_wrong(_says_one, None, "backward", "g step"),
            "Your step contains gradients from before. D's turn may have left some in G, and they "
            "say what D wanted of G; two updates in a row, and the second repeats the first.",
        ),
        Mistake(
            "gradients cleared too late",
            _g_wrong(_says_one, None, "backward", "g zero_grad", "g step"),
            "G does not move. The gradient is computed, then thrown away, then a step of 0 is "
            "made.",
        ),
        Mistake(
            "no step",
            _g_wrong(_says_one, None, "g zero_grad", "backward"),
            "G has a gradient and does not move: the loss is computed, and nothing is done about "
            "it.",
        ),
        Mistake(
            "no backward",
            _g_wrong(_says_one, None, "g zero_grad", "g step"),
            "G does not move: nobody has computed how each weight changes the loss.",
        ),
        Mistake(
            "both move",
            _g_wrong(_says_one, None, "d zero_grad", *_OWN, "d step"),
            "D moved while G was playing: it let itself be fooled. The next time, any picture is "
            "real to it.",
        ),
        Mistake(
            "the discriminator moves",
            _g_wrong(_says_one, None, "d zero_grad", "backward", "d step"),
            "It was G's turn, and G stayed where it was; D moved, and let itself be fooled.",
        ),
        Mistake(
            "discriminator in evaluation mode",
            _g_with_d_evaluating,
            "D judges in evaluation mode, by running means over earlier batches, data among them. "
            "In its own turn it normalised by the batch: G now learns from another judge.",
        ),
        Mistake(
            "generator in evaluation mode",
            _g_with_itself_evaluating,
            "G makes its pictures in evaluation mode, by running means of earlier weights. Its "
            "BatchNorm does not see this batch.",
        ),
        Mistake(
            "discriminator left frozen",
            _g_with_d_frozen,
            "After your update no weight of D takes a gradient any more: D's next turn will end "
            "in an error, or move nothing.",
        ),
        Mistake(
            "own noise",
            _g_wrong(_says_one, lambda g, noise: g(torch.randn_like(noise))),
            "You drew your own noise and left the given one unused: the same noise must give the "
            "same fakes.",
        ),
        Mistake(
            "smoothed labels",
            _g_wrong(
                lambda scores: F.binary_cross_entropy_with_logits(
                    scores, torch.full_like(scores, 0.9)
                )
            ),
            "The target is 0.9. A fake that fools D wholly, score 20, pays 2.0 for it; asked is a "
            "loss that costs it nothing.",
        ),
        Mistake(
            "halved",
            _g_wrong(lambda scores: _says_one(scores) / 2),
            "Half of the loss asked for. Against a D that is undecided, all scores 0, it should "
            "be log 2 = 0.693.",
        ),
        Mistake(
            "hinge",
            _g_wrong(lambda scores: F.relu(1 - scores).mean()),
            "The loss is a hinge: a score above 1 costs nothing. (That is the loss of another "
            "GAN, and there it is D's.) Asked is the binary cross-entropy.",
        ),
        Mistake(
            "doubled",
            _g_wrong(lambda scores: 2 * _says_one(scores)),
            "Twice the loss asked for. Against a D that is undecided, all scores 0, it should be "
            "log 2 = 0.693.",
        ),
    ),
    probes=(
        _round("G", 4, seed=4),
        _round("G", 2, seed=5, nc=1),
        _round("G", 4, seed=6),
        _round("G", 3, seed=7, sure=True),
    ),
)


# --- latent_arithmetic ----------------------------------------------------------------------------


def _direction(with_attribute: Tensor, without_attribute: Tensor) -> Tensor:
    return with_attribute.mean(0) - without_attribute.mean(0)


def _moved(label: str, z: Tensor, n: int, m: int, strength: float, seed: int) -> Probe:
    d = z.shape[1]
    sets = 1 + normal(n, d, seed=seed), normal(m, d, seed=seed + 1) - 0.5
    return call(label, z, *sets, strength)


_EQUAL = torch.full((2, 3), 0.5), normal(1, 3, seed=52), normal(1, 3, seed=53)

LATENT_ARITHMETIC = Exercise(
    id="dcgan.latent_arithmetic",
    title="Put glasses on a face by adding codes",
    reference=gan.latent_arithmetic,
    hints=(
        "The codes of 30 faces with glasses differ in hair, skin and shape as much as those of 30 "
        "faces without. What is left of all that if you average each set, and what remains when "
        "you subtract?",
        "The direction is one code, (nz,): the mean over the faces of one set minus the mean over "
        "those of the other. Which axis of a set counts the faces? Every row of z goes the same "
        "way, `strength` times as far.",
        "`direction = with_attribute.mean(0) - without_attribute.mean(0)`, then z plus strength "
        "times the direction.",
    ),
    mistakes=(
        Mistake(
            "the wrong way",
            lambda z, a, b, strength=1.0: z - strength * _direction(a, b),
            "You go the other way: faces with glasses lose them. With the mean at (1, 0), without "
            "at (0, 0), the code (0, 0) must come to (1, 0); you say (−1, 0).",
            example(
                torch.zeros(1, 2),
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[0.0, 0.0]]),
                gives=torch.tensor([[-1.0, 0.0]]),
            ),
        ),
        Mistake(
            "nothing taken off",
            lambda z, a, b, strength=1.0: z + strength * a.mean(0),
            "You add the mean of the faces that have it, with all else that faces have in common. "
            "With the mean at (5, 5) in both sets there is nothing to add, and you move by (5, 5).",
        ),
        Mistake(
            "sums",
            lambda z, a, b, strength=1.0: z + strength * (a.sum(0) - b.sum(0)),
            "The more faces you average, the further you go. 10 faces at (1, 0) and 10 at (0, 0) "
            "give a direction of (1, 0); yours is (10, 0), far outside of all that G has seen.",
            example(
                torch.zeros(1, 2),
                torch.tensor([[1.0, 0.0]]).repeat(10, 1),
                torch.tensor([[0.0, 0.0]]).repeat(10, 1),
                gives=torch.tensor([[10.0, 0.0]]),
            ),
        ),
        Mistake(
            "first faces only",
            lambda z, a, b, strength=1.0: z + strength * (a[0] - b[0]),
            "You compare two single faces. Between them lie glasses, but also all else in which "
            "the two differ: change the other faces, and your answer stays.",
        ),
        Mistake(
            "face from face",
            lambda z, a, b, strength=1.0: z + strength * (a - b).mean(0),
            "You pair the faces up, the first with the first. 4 faces with glasses and 6 without "
            "make no pairs, and there is no reason why there should be as many of both.",
        ),
        Mistake(
            "strength ignored",
            lambda z, a, b, strength=1.0: z + _direction(a, b),
            "strength changes nothing in your answer. At 0 the face must stay as it is.",
        ),
        Mistake(
            "all of it times strength",
            lambda z, a, b, strength=1.0: strength * (z + _direction(a, b)),
            "strength also scales z. At strength 0 the face must stay as it is; yours becomes "
            "the code of zeros, one face for all.",
        ),
        Mistake(
            "a blend",
            lambda z, a, b, strength=1.0: (1 - strength) * z + strength * _direction(a, b),
            "z fades while the direction comes in. At strength 1 nothing is left of the face: all "
            "rows of your answer are alike.",
        ),
        Mistake(
            "direction of length 1",
            lambda z, a, b, strength=1.0: z + strength * _direction(a, b) / _direction(a, b).norm(),
            "You always go one unit. Means at (4, 0) and (0, 0): at strength 1 the code (0, 0) "
            "must come to (4, 0); you say (1, 0).",
            example(
                torch.zeros(1, 2),
                torch.tensor([[4.0, 0.0]]),
                torch.tensor([[0.0, 0.0]]),
                gives=torch.tensor([[1.0, 0.0]]),
            ),
        ),
        Mistake(
            "means over the latents",
            lambda z, a, b, strength=1.0: z + strength * (a.mean() - b.mean()),
            "You add the same number to all latents. With the mean at (1, −1), without at (0, 0), "
            "the code (0, 0) must come to (1, −1); you say (0, 0).",
            example(
                torch.zeros(1, 2),
                torch.tensor([[1.0, -1.0]]),
                torch.tensor([[0.0, 0.0]]),
                gives=torch.tensor([[0.0, 0.0]]),
            ),
        ),
        Mistake(
            "towards the faces that have it",
            lambda z, a, b, strength=1.0: z + strength * (a.mean(0) - z),
            "You pull every face towards the mean of those that have glasses. At strength 1 all "
            "rows of your answer are alike: that one mean face.",
        ),
        Mistake(
            "from the mean of this batch",
            lambda z, a, b, strength=1.0: z + strength * (a.mean(0) - z.mean(0)),
            "How far you go depends on the other faces in z, and the faces without glasses are "
            "unused. One face alone must get the same glasses as in a crowd.",
        ),
        Mistake(
            "from everybody's mean",
            lambda z, a, b, strength=1.0: z + strength * (a.mean(0) - torch.cat([a, b]).mean(0)),
            "You start from the mean of all faces, those with glasses among them. 10 faces at (1, "
            "0) and 10 at (0, 0) give a direction of (1, 0); yours is (0.5, 0).",
            example(
                torch.zeros(1, 2),
                torch.tensor([[1.0, 0.0]]).repeat(10, 1),
                torch.tensor([[0.0, 0.0]]).repeat(10, 1),
                gives=torch.tensor([[0.5, 0.0]]),
            ),
        ),
        Mistake(
            "the direction alone",
            lambda z, a, b, strength=1.0: (strength * _direction(a, b)).expand_as(z),
            "You return the direction and no faces: z is not in your answer.",
        ),
        Mistake(
            "added, not subtracted",
            lambda z, a, b, strength=1.0: z + strength * (a.mean(0) + b.mean(0)),
            "You add both means. With both at (5, 5) there is nothing to tell the sets apart, and "
            "you move by (10, 10).",
        ),
        Mistake(
            "half by default",
            lambda z, a, b, strength=0.5: z + strength * _direction(a, b),
            "Where no strength is given it is 1; yours is ½.",
            example(
                torch.zeros(1, 1), torch.ones(1, 1), torch.zeros(1, 1), gives=torch.tensor([[0.5]])
            ),
        ),
        Mistake(
            "medians",
            lambda z, a, b, strength=1.0: z + strength * (a.median(0).values - b.median(0).values),
            "You take medians; asked is the difference of the means.",
        ),
        Mistake(
            "half the way",
            lambda z, a, b, strength=1.0: z + strength * _direction(a, b) / 2,
            "You go half as far as asked. Means at (4, 0) and (0, 0): at strength 1 the code (0, "
            "0) must come to {expected}; you say {got}.",
            example(
                torch.zeros(1, 2),
                torch.tensor([[4.0, 0.0]]),
                torch.zeros(1, 2),
                pick=lambda z: z[0],
                gives=[2.0, 0.0],
            ),
        ),
        Mistake(
            "length kept",
            lambda z, a, b, strength=1.0: (
                F.normalize(z + strength * _direction(a, b), dim=1) * z.norm(dim=1, keepdim=True)
            ),
            "You put the code back to the length it had. Nothing asks for it: from (3, 0), with "
            "means at (4, 0) and (0, 0), strength 1 leads to {expected}; you say {got}.",
            example(
                torch.tensor([[3.0, 0.0]]),
                torch.tensor([[4.0, 0.0]]),
                torch.zeros(1, 2),
                pick=lambda z: z[0],
                gives=[3.0, 0.0],
            ),
        ),
        Mistake(
            "centred first",
            lambda z, a, b, strength=1.0: z - z.mean(0) + strength * _direction(a, b),
            "You take the mean of z away: where a face ends depends on the other faces in z. At "
            "strength 0 the code (3, 0), alone in z, should stay; you move it to {got:.0f}.",
            example(
                torch.tensor([[3.0, 0.0]]),
                torch.ones(1, 2),
                torch.zeros(1, 2),
                0.0,
                gives=torch.zeros(2),
                pick=lambda r: r[0],
            ),
        ),
        Mistake(
            "divided by the spread",
            lambda z, a, b, strength=1.0: (
                z + strength * _direction(a, b) / torch.cat([a, b]).std(0)
            ),
            "You divide the direction by the spread of the codes. Asked is the difference of the "
            "means itself: with faces at (4, 0) and (0, 4) the code (0, 0) must come to (4, −4); "
            "you say {got:.2f}.",
            example(
                torch.zeros(1, 2),
                torch.tensor([[4.0, 0.0]]),
                torch.tensor([[0.0, 4.0]]),
                gives=torch.tensor([1.4142, -1.4142]),
                pick=lambda r: r[0],
            ),
        ),
        Mistake(
            "the first face only",
            lambda z, a, b, strength=1.0: z[0] + strength * _direction(a, b),
            "You move the first face and lose the others: z has a row for each face, and so must "
            "the answer. Yours has {got} axis instead of {expected}.",
            example(
                torch.zeros(2, 3),
                torch.ones(1, 3),
                torch.zeros(1, 3),
                gives=1,
                pick=lambda r: r.ndim,
            ),
        ),
    ),
    probes=(
        _moved("3 codes of 5 latents; 4 with, 6 without", normal(3, 5, seed=1), 4, 6, 1.0, 10),
        _moved("one code of 8 latents, strength 0.5", normal(1, 8, seed=2), 5, 3, 0.5, 20),
        _moved("strength −2: take it off", normal(4, 2, seed=3), 7, 7, -2.0, 30),
        _moved("strength 0", normal(2, 6, seed=4), 3, 2, 0.0, 40),
        _moved("a single face in each set", normal(2, 3, seed=5), 1, 1, 1.5, 50),
        call("two equal codes", *_EQUAL, 1.5),
        call("no strength given", normal(2, 4, seed=6), normal(3, 4, seed=7), torch.ones(2, 4)),
    ),
)

EXERCISES = (
    CONV2D_SIZE,
    CONV_TRANSPOSE2D_SIZE,
    CONV2D_PARAMS,
    RECEPTIVE_FIELD,
    GENERATOR_BLOCK,
    INIT_WEIGHTS,
    DISCRIMINATOR_UPDATE,
    GENERATOR_UPDATE,
    LATENT_ARITHMETIC,
)

QUESTIONS = (
    Question(
        "dcgan.size_after",
        "A picture of 28 × 28 passes three times through a convolution of kernel 4, stride 2, "
        "padding 1. How many pixels wide is the map that comes out?",
        None,
        3,
    ),
    Question(
        "dcgan.field_of_four",
        "The discriminator for 64 × 64 has four convolutions of kernel 4, stride 2 before its "
        "last layer, and the map behind them is 4 × 4. How many pixels wide is the part of the "
        "picture that a number in the middle of this map sees?",
        None,
        46,
    ),
    Question(
        "dcgan.parameters_where",
        "The generator for 64 × 64 makes of 128 numbers, in 1 → 4 → 8 → 16 → 32 → 64 pixels, maps "
        "of 512, 256, 128, 64 and 3 channels. In which layer are most of its weights?",
        {
            "1 to 4 pixels": "It makes 512 channels, but of a code of 128 numbers: 128 · 512 · 16 "
            "weights. The next layer has 512 channels on one side and 256 on the other.",
            "4 to 8 pixels": "512 · 256 · 16 = 2,097,152 of 3,806,080: more than half. Weights "
            "are counted by pairs of channels, and here both sides have many.",
            "16 to 32 pixels": "The map has become large, but the same kernel is used everywhere "
            "on it: 128 · 64 · 16 weights.",
            "32 to 64 pixels": "Most pixels, and the fewest weights: 64 · 3 · 16 = 3,072. A "
            "kernel is shared by all pixels, so their number does not count.",
        },
        "4 to 8 pixels",
    ),
    Question(
        "dcgan.margin_note",
        "A note beside the generator's table computes the first layer as (4 · 4 · 128 + 1) · 512 = "
        "1,049,088. The table says 1,048,576. Which is right?",
        {
            "the note": "The + 1 is a bias for each of the 512 channels. The listing says "
            "bias=False: BatchNorm follows, and would take any constant away.",
            "the table": "The listing says bias=False, so there is no + 1: 4 · 4 · 128 · 512. "
            "BatchNorm follows, and would take any constant away.",
            "neither": "4 · 4 · 128 · 512 is 1,048,576, and the listing says bias=False.",
        },
        "the table",
    ),
    Question(
        "dcgan.checkerboard",
        "A transposed convolution of stride 2 paints with a kernel of 3 × 3. All inputs and all "
        "weights are 1. What does the output look like, away from the edges?",
        {
            "one grey": "That would be true for a kernel of 4. Kernels of 3 at stride 2 overlap on "
            "every second pixel only: there two paints add up.",
            "stripes": "Along one axis every second pixel gets two paints. But the same happens "
            "along the other axis, and the two multiply.",
            "a checkerboard of 1, 2 and 4": "Along each axis every second pixel gets two paints. "
            "In the plane they multiply: 1 · 1, 1 · 2 and 2 · 2.",
            "noise": "Nothing is random here: all weights are 1, and the pattern repeats with the "
            "stride.",
        },
        "a checkerboard of 1, 2 and 4",
    ),
    Question(
        "dcgan.inverse",
        "A convolution makes 4 × 4 of a picture of 8 × 8. The transposed convolution with the same "
        "kernel, stride and padding makes 8 × 8 of that. What comes back?",
        {
            "the picture": "64 numbers were boiled down to 16, and no layer gets them back. The "
            "transposed convolution restores the shape, not the values.",
            "the picture, blurred": "Only if the kernel happens to blur. With weights drawn at "
            "random what comes back is hardly nearer to the picture than one grey.",
            "its size, and a trace of it": "The transposed layer is no inverse. Its matrix is the "
            "transpose of the convolution's: the sizes fit, the values have no reason to.",
        },
        "its size, and a trace of it",
    ),
)
