"""Sizes, parameter counts and receptive fields of convolutional networks, from arithmetic alone.

A convolution slides a window: its output counts the places where the window fits. A transposed
convolution paints: each input pixel adds a kernel to the output, one stride further on. Sizes are
whole numbers for square maps, or (h, w); kernel, stride, padding and dilation likewise.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from numbers import Integral

import torch
from torch import nn

from course_lib.checks import instance

Size = int | tuple[int, int]


# Sizes


def conv2d_size(
    size: Size, kernel: Size, stride: Size = 1, padding: Size | str = 0, dilation: Size = 1
) -> Size:
    """The size of what a convolution, or a pooling, returns.

    ⌊(size + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1

    padding: also "valid" (0) or "same" (as much as keeps the size; stride 1 only). An int size
    gives an int, (h, w) gives (h, w). Raises ValueError for a kernel larger than the padded input,
    stride, kernel, dilation or size below 1, padding below 0; TypeError for fractions.
    """
    same = isinstance(padding, str) and padding == "same"
    if same and _pair("stride", stride) != (1, 1):
        raise ValueError(f'padding "same" needs stride 1, got stride {stride}')

    def along(n: int, k: int, s: int, p: int, d: int) -> int:
        span = d * (k - 1) + 1  # from the first to the last pixel under the window
        room = n + (span - 1 if same else 2 * p)
        if span > room:
            raise ValueError(f"kernel spans {span} pixels, but size with padding has only {room}")
        return (room - span) // s + 1

    padding = 0 if isinstance(padding, str) and padding in ("same", "valid") else padding
    return _each(along, size, kernel=kernel, stride=stride, padding=padding, dilation=dilation)


def conv_transpose2d_size(
    size: Size,
    kernel: Size,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
) -> Size:
    """The size of what a transposed convolution returns.

    (size − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1

    An int size gives an int, (h, w) gives (h, w). Raises ValueError for an output_padding that is
    not below stride or dilation, for a padding that leaves nothing, and as `conv2d_size`.
    """

    def along(n: int, k: int, s: int, p: int, extra: int, d: int) -> int:
        if extra >= max(s, d):
            text = f"output_padding must be below stride ({s}) or dilation ({d})"
            raise ValueError(f"{text}; got {extra}")
        result = (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
        if result < 1:
            raise ValueError(f"padding {p} on both sides leaves nothing: size {result}")
        return result

    numbers = {"kernel": kernel, "stride": stride, "padding": padding}
    return _each(along, size, **numbers, output_padding=output_padding, dilation=dilation)


def conv2d_params(
    in_channels: int, out_channels: int, kernel: Size, bias: bool = True, groups: int = 1
) -> int:
    """The number of weights of a convolution; a transposed one has as many.

    out_channels · (in_channels / groups) · kernel height · kernel width, and out_channels for bias.

    Raises ValueError for numbers below 1 and for groups that do not divide both channels.
    """
    for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
        _whole(name, count)
        if count % _whole("groups", groups):
            raise ValueError(f"groups must divide {name}, {count}; got {groups}")
    height, width = _pair("kernel", kernel)
    return out_channels * (in_channels // groups) * height * width + bool(bias) * out_channels


def receptive_field(layers: Sequence[tuple[int, ...]]) -> int:
    """How many input pixels, along one axis, one output pixel depends on.

    1 + Σ dilation (kernel − 1) · jump,   jump = the product of the strides of the layers before

    layers: (kernel, stride) or (kernel, stride, dilation) each, from input to output. Raises
    ValueError for other tuples and numbers below 1.
    """
    instance("layers", layers, Sequence)
    field, jump = 1, 1  # jump: input pixels between two neighbours of the map so far
    for layer in layers:
        if not isinstance(layer, (tuple, list)) or len(layer) not in (2, 3):
            text = "a layer must be (kernel, stride) or (kernel, stride, dilation)"
            raise ValueError(f"{text}; got {layer!r}")
        kernel, stride, dilation = map(_whole, ("kernel", "stride", "dilation"), (*layer, 1)[:3])
        field += dilation * (kernel - 1) * jump
        jump *= stride
    return field


def _each(along: Callable[..., int], size: Size, **numbers: Size) -> Size:
    """`along` for the height and for the width."""
    pairs = [_pair(name, value) for name, value in numbers.items()]
    h, w = (along(*axis) for axis in zip(_pair("size", size), *pairs, strict=True))
    if isinstance(size, (tuple, list)):
        return h, w
    if h != w:
        raise ValueError(f"size must be a pair (h, w): this layer makes {h} × {w} of {size}")
    return h


def _pair(name: str, value: Size) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be a whole number or a pair (h, w); got {value!r}")
    return _whole(name, pair[0]), _whole(name, pair[1])


def _whole(name: str, value: int) -> int:
    least = 0 if "padding" in name else 1
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number or a pair of them; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    return int(value)


# The table of a network


@dataclass(frozen=True)
class Row:
    name: str  # "Conv2d-4": the type, and the place in the network
    shape: tuple[int, ...]  # of the output, without the batch
    parameters: int


@dataclass(frozen=True, repr=False)
class LayerTable:
    """One row a layer, and the totals; prints as a table."""

    rows: tuple[Row, ...]
    trainable: int
    non_trainable: int

    @property
    def total(self) -> int:
        return self.trainable + self.non_trainable

    def __repr__(self) -> str:
        shapes = [str([-1, *row.shape]) for row in self.rows]
        cells = [("Layer (type)", "Output Shape", "Param #")]
        cells += [(r.name, s, f"{r.parameters:,}") for r, s in zip(self.rows, shapes, strict=True)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in cells]
        lines.insert(1, "─" * len(lines[0]))
        lines.append(lines[1])
        totals = ("Total", self.total), ("Trainable", self.trainable)
        totals += (("Non-trainable", self.non_trainable),)
        return "\n".join(lines + [f"{name} params: {n:,}" for name, n in totals])


def layer_table(module: nn.Module, input_shape: Sequence[int]) -> LayerTable:
    """Each layer with its output shape and its parameters, computed, then held against the module.

    input_shape: without the batch, (3, 64, 64) or (128,); codes for a network that begins with a
    convolution are maps of one pixel, (128, 1, 1). Layers count in the order in which the module
    lists them; one that comes twice has its parameters in its first row. Raises ValueError for
    other input shapes, for a layer that does not fit or has no rule here, and where the live module
    (run once on zeros, in evaluation mode) has other shapes, other counts or another order.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be an nn.Module; got {type(module).__name__}")
    layers = list(_layers(module))
    shape = _input(input_shape, layers[0])
    names = [f"{type(layer).__name__}-{i}" for i, layer in enumerate(layers, start=1)]
    reckoned = _reckon(layers, names, shape)
    live = _run(module, layers, shape)
    rows, counted = [], set()
    for name, layer, (made, parameters), real in zip(names, layers, reckoned, live, strict=True):
        count = sum(p.numel() for p in layer.parameters())
        if (made, parameters) != (real, count):
            text = f"{name}: arithmetic says {made} with {parameters:,} parameters"
            raise ValueError(f"{text}, the live module {real} with {count:,}")
        rows.append(Row(name, made, 0 if layer in counted else parameters))
        counted.add(layer)
    return _totalled(rows, module)


def _input(shape: Sequence[int], first: nn.Module) -> tuple[int, ...]:
    """The shape of one input: features, or a map."""
    if not isinstance(shape, Sequence) or isinstance(shape, str) or len(shape) not in (1, 3):
        text = "input_shape must be (features,) or (channels, height, width), without the batch"
        raise ValueError(f"{text}; got {shape!r}")
    shape = tuple(_whole("input_shape", n) for n in shape)
    codes = len(shape) == 1 and isinstance(first, (nn.Conv2d, nn.ConvTranspose2d))
    return (*shape, 1, 1) if codes else shape


def _reckon(layers: list, names: list[str], shape: tuple[int, ...]) -> list[tuple]:
    """Output shape and parameters of each layer, by its rule."""
    made = []
    for layer, name in zip(layers, names, strict=True):
        try:
            shape, parameters = _after(layer, shape)
        except ValueError as error:
            raise ValueError(f"{name}, given {shape}: {error}") from None
        made.append((shape, parameters))
    return made


def _totalled(rows: list[Row], module: nn.Module) -> LayerTable:
    total, live = sum(row.parameters for row in rows), sum(p.numel() for p in module.parameters())
    if total != live:
        text = f"the rows add up to {total:,} parameters, the module has {live:,}"
        raise ValueError(f"{text}: some are shared, or belong to no layer")
    frozen = sum(p.numel() for p in module.parameters() if not p.requires_grad)
    return LayerTable(tuple(rows), total - frozen, frozen)


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """The layers that have a rule, in the order of the module's list."""
    if _after.dispatch(type(module)) is not _after.dispatch(object):
        yield module
        return
    parts = list(module if isinstance(module, nn.Sequential) else module.children())
    if not parts:
        raise ValueError(f"layer_table has no rule for a layer {type(module).__name__}")
    for part in parts:
        yield from _layers(part)


def _run(module: nn.Module, layers: list[nn.Module], shape: tuple[int, ...]) -> list[tuple]:
    """The shapes that the live module makes, layer by layer."""
    seen, modes = [], [(part, part.training) for part in module.modules()]

    def note(layer: nn.Module, _, output: torch.Tensor) -> None:
        seen.append((layer, tuple(output.shape[1:])))

    hooks = [layer.register_forward_hook(note) for layer in dict.fromkeys(layers)]
    like = next(module.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(2, *shape, device=like.device, dtype=like.dtype))
    finally:
        for hook in hooks:
            hook.remove()
        for part, mode in modes:
            part.training = mode
    if [layer for layer, _ in seen] != layers:
        ran = ", ".join(type(layer).__name__ for layer, _ in seen)
        raise ValueError(f"the module does not run its layers in the order of its list, but: {ran}")
    return [shape for _, shape in seen]


# A rule a layer: its output shape and its parameters

Shape = tuple[int, ...]


@singledispatch
def _after(layer: nn.Module, shape: Shape) -> tuple[Shape, int]:
    raise ValueError(f"layer_table has no rule for a layer {type(layer).__name__}")


def _unchanged(layer: nn.Module, shape: Shape) -> tuple[Shape, int]:
    return shape, 0


for _kind in (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus):
    _after.register(_kind, _unchanged)
for _kind in (nn.Identity, nn.Dropout, nn.Dropout2d):
    _after.register(_kind, _unchanged)


@_after.register
def _(layer: nn.Conv2d, shape: Shape) -> tuple[Shape, int]:
    size = _map(shape, layer.in_channels)
    size = conv2d_size(size, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    return (layer.out_channels, *size), _weights(layer)


@_after.register
def _(layer: nn.ConvTranspose2d, shape: Shape) -> tuple[Shape, int]:
    size, extra = _map(shape, layer.in_channels), layer.output_padding
    numbers = layer.kernel_size, layer.stride, layer.padding, extra, layer.dilation
    return (layer.out_channels, *conv_transpose2d_size(size, *numbers)), _weights(layer)


@_after.register(nn.BatchNorm2d)
@_after.register(nn.InstanceNorm2d)
def _(layer: nn.BatchNorm2d, shape: Shape) -> tuple[Shape, int]:
    _map(shape, layer.num_features)
    return shape, 2 * layer.num_features * layer.affine  # running mean and variance are no weights


@_after.register
def _(layer: nn.GroupNorm, shape: Shape) -> tuple[Shape, int]:
    _expect(shape[:1], layer.num_channels)
    return shape, 2 * layer.num_channels * layer.affine


@_after.register
def _(layer: nn.BatchNorm1d, shape: Shape) -> tuple[Shape, int]:
    _expect(shape[:1], layer.num_features)
    return shape, 2 * layer.num_features * layer.affine


@_after.register
def _(layer: nn.Linear, shape: Shape) -> tuple[Shape, int]:
    _expect(shape[-1:], layer.in_features)
    inputs = layer.in_features + (layer.bias is not None)
    return (*shape[:-1], layer.out_features), inputs * layer.out_features


@_after.register
def _(layer: nn.Flatten, shape: Shape) -> tuple[Shape, int]:
    if (layer.start_dim, layer.end_dim) == (0, -1) and math.prod(shape) == 1:
        return (), 0  # one number a picture: (B,)
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise ValueError("layer_table knows only nn.Flatten() of everything but the batch")
    return (math.prod(shape),), 0


@_after.register
def _(layer: nn.Unflatten, shape: Shape) -> tuple[Shape, int]:
    made = tuple(layer.unflattened_size)
    if layer.dim != 1 or shape != (math.prod(made),):
        raise ValueError(f"nn.Unflatten(1, {made}) takes ({math.prod(made)},)")
    return made, 0


@_after.register
def _(layer: nn.Upsample, shape: Shape) -> tuple[Shape, int]:
    c, *size = shape
    if layer.size is not None:
        return (c, *_pair("size", layer.size)), 0
    factor = layer.scale_factor
    factors = factor if isinstance(factor, tuple) else (factor, factor)
    return (c, *(math.floor(n * f) for n, f in zip(size, factors, strict=True))), 0


@_after.register
def _(layer: nn.PixelShuffle, shape: Shape) -> tuple[Shape, int]:
    (h, w), r = _map(shape), layer.upscale_factor
    if shape[0] % r**2:
        raise ValueError(f"its {r}² must divide the {shape[0]} channels")
    return (shape[0] // r**2, h * r, w * r), 0


@_after.register
def _(layer: nn.PixelUnshuffle, shape: Shape) -> tuple[Shape, int]:
    (h, w), r = _map(shape), layer.downscale_factor
    if h % r or w % r:
        raise ValueError(f"its {r} must divide the size {h} × {w}")
    return (shape[0] * r**2, h // r, w // r), 0


@_after.register
def _(layer: nn.ReflectionPad2d, shape: Shape) -> tuple[Shape, int]:
    (h, w), (left, right, top, bottom) = _map(shape), layer.padding
    return (shape[0], h + top + bottom, w + left + right), 0


@_after.register(nn.MaxPool2d)
@_after.register(nn.AvgPool2d)
def _(layer: nn.MaxPool2d, shape: Shape) -> tuple[Shape, int]:
    if layer.ceil_mode:
        raise ValueError("layer_table has no rule for ceil_mode=True")
    numbers = layer.kernel_size, layer.stride, layer.padding, getattr(layer, "dilation", 1)
    return (shape[0], *conv2d_size(_map(shape), *numbers)), 0


@_after.register
def _(layer: nn.AdaptiveAvgPool2d, shape: Shape) -> tuple[Shape, int]:
    _map(shape)
    return (shape[0], *_pair("output_size", layer.output_size)), 0


def _weights(layer: nn.Conv2d | nn.ConvTranspose2d) -> int:
    bias = layer.bias is not None
    numbers = layer.in_channels, layer.out_channels, layer.kernel_size
    return conv2d_params(*numbers, bias, layer.groups)


def _map(shape: Shape, channels: int | None = None) -> tuple[int, int]:
    """(h, w) of a map with that many channels."""
    if len(shape) != 3:
        raise ValueError("this layer takes a map (channels, height, width)")
    if channels is not None:
        _expect(shape[:1], channels)
    return shape[1:]


def _expect(got: Shape, channels: int) -> None:
    if got != (channels,):
        raise ValueError(f"this layer takes {channels} channels or features, not {sum(got)}")
