import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import dcgan
from course_lib.shapes import (
    conv2d_params,
    conv2d_size,
    conv_transpose2d_size,
    layer_table,
    receptive_field,
)

NAN = float("nan")


def generator_listing(nz: int = 128, ngf: int = 64, nc: int = 3) -> nn.Sequential:
    """The generator as the lecture's listing prints it."""
    layers, channels = [], [nz, 8 * ngf, 4 * ngf, 2 * ngf, ngf]
    for i, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
        stride, padding = (2, 1) if i else (1, 0)
        layers += [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(True),
        ]
    return nn.Sequential(*layers, nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh())


# The tables that torchsummary printed in the lecture (shapes without the batch's -1)

GENERATOR_TABLE = [
    ("ConvTranspose2d-1", (512, 4, 4), 1_048_576),
    ("BatchNorm2d-2", (512, 4, 4), 1_024),
    ("ReLU-3", (512, 4, 4), 0),
    ("ConvTranspose2d-4", (256, 8, 8), 2_097_152),
    ("BatchNorm2d-5", (256, 8, 8), 512),
    ("ReLU-6", (256, 8, 8), 0),
    ("ConvTranspose2d-7", (128, 16, 16), 524_288),
    ("BatchNorm2d-8", (128, 16, 16), 256),
    ("ReLU-9", (128, 16, 16), 0),
    ("ConvTranspose2d-10", (64, 32, 32), 131_072),
    ("BatchNorm2d-11", (64, 32, 32), 128),
    ("ReLU-12", (64, 32, 32), 0),
    ("ConvTranspose2d-13", (3, 64, 64), 3_072),
    ("Tanh-14", (3, 64, 64), 0),
]
DISCRIMINATOR_TABLE = [
    ("Conv2d-1", (64, 32, 32), 3_072),
    ("BatchNorm2d-2", (64, 32, 32), 128),
    ("LeakyReLU-3", (64, 32, 32), 0),
    ("Conv2d-4", (128, 16, 16), 131_072),
    ("BatchNorm2d-5", (128, 16, 16), 256),
    ("LeakyReLU-6", (128, 16, 16), 0),
    ("Conv2d-7", (256, 8, 8), 524_288),
    ("BatchNorm2d-8", (256, 8, 8), 512),
    ("LeakyReLU-9", (256, 8, 8), 0),
    ("Conv2d-10", (512, 4, 4), 2_097_152),
    ("BatchNorm2d-11", (512, 4, 4), 1_024),
    ("LeakyReLU-12", (512, 4, 4), 0),
    ("Conv2d-13", (1, 1, 1), 8_192),
    ("Sigmoid-14", (1, 1, 1), 0),
]


def rows(table) -> list[tuple]:
    return [(row.name, row.shape, row.parameters) for row in table.rows]


# Sizes


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("seed", range(200))
def test_size_and_parameters_of_a_convolution_are_torchs(seed):
    rng = random.Random(seed)
    groups, channels = rng.choice([1, 1, 2, 3]), [rng.randint(1, 3) for _ in range(2)]
    inputs, outputs = (groups * c for c in channels)
    kernel, stride, dilation = ([rng.randint(1, 5), rng.randint(1, 5)] for _ in range(3))
    padding = rng.choice(["valid", "same", (rng.randint(0, 3), rng.randint(0, 3))])
    stride = (1, 1) if padding == "same" else stride
    bias, size = rng.random() < 0.5, (rng.randint(21, 40), rng.randint(21, 40))
    layer = nn.Conv2d(
        inputs, outputs, kernel, stride, padding, dilation, groups, bias, device="meta"
    )
    out = layer(torch.empty(1, inputs, *size, device="meta"))
    assert conv2d_size(size, kernel, stride, padding, dilation) == tuple(out.shape[2:])
    count = sum(p.numel() for p in layer.parameters())
    assert conv2d_params(inputs, outputs, tuple(kernel), bias, groups) == count


@pytest.mark.parametrize("seed", range(200))
def test_size_and_parameters_of_a_transposed_convolution_are_torchs(seed):
    rng = random.Random(seed)
    groups, channels = rng.choice([1, 1, 2, 3]), [rng.randint(1, 3) for _ in range(2)]
    inputs, outputs = (groups * c for c in channels)
    kernel, stride, dilation = ([rng.randint(1, 5), rng.randint(1, 5)] for _ in range(3))
    extra = [rng.randrange(max(s, d)) for s, d in zip(stride, dilation, strict=True)]
    padding, bias = (rng.randint(0, 3), rng.randint(0, 3)), rng.random() < 0.5
    size = (rng.randint(8, 20), rng.randint(8, 20))
    numbers = kernel, stride, padding, extra
    layer = nn.ConvTranspose2d(inputs, outputs, *numbers, groups, bias, dilation, device="meta")
    out = layer(torch.empty(1, inputs, *size, device="meta"))
    assert conv_transpose2d_size(size, *numbers, dilation) == tuple(out.shape[2:])
    count = sum(p.numel() for p in layer.parameters())
    assert conv2d_params(inputs, outputs, kernel, bias, groups) == count


def test_a_square_size_goes_in_and_out_as_one_number():
    assert conv2d_size(28, 4, 2, 1) == 14 and type(conv2d_size(28, 4, 2, 1)) is int
    assert conv_transpose2d_size(4, 4, 2, 1) == 8
    assert conv2d_size(28, (4, 4), (2, 2), (1, 1)) == 14
    assert conv2d_size((28, 14), 4, 2, 1) == (14, 7)
    assert conv_transpose2d_size((1, 2), (4, 2), (1, 2)) == (4, 4)


def test_numpys_whole_numbers_are_whole_numbers():
    assert conv2d_size(np.int64(28), np.int32(4), 2, 1) == 14


def test_padding_same_keeps_the_size_for_even_kernels_too():
    assert conv2d_size(7, 4, padding="same", dilation=3) == 7
    assert conv2d_size((7, 9), (2, 5), padding="same") == (7, 9)
    assert conv2d_size(7, 3, 2, "valid") == 3


def test_a_transposed_convolution_gives_back_the_size_that_a_convolution_took():
    for size in range(5, 40):
        small = conv2d_size(size, 4, 3, 1)
        lost = size - conv_transpose2d_size(small, 4, 3, 1)
        assert 0 <= lost < 3
        assert conv_transpose2d_size(small, 4, 3, 1, output_padding=lost) == size


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((28, 4, 0), "stride must be at least 1; got 0"),
        ((28, 0), "kernel must be at least 1; got 0"),
        ((0, 1), "size must be at least 1; got 0"),
        ((28, 4, 2, -1), "padding must be at least 0; got -1"),
        ((28, 4, 2, 1, 0), "dilation must be at least 1; got 0"),
        ((3, 4), "kernel spans 4 pixels, but size with padding has only 3"),
        ((4, 3, 1, 0, 2), "kernel spans 5 pixels, but size with padding has only 4"),
        ((28, 4, 2, "same"), 'padding "same" needs stride 1'),
        ((28, (4, 3)), r"size must be a pair \(h, w\)"),
        ((28, (4, 4, 4)), r"kernel must be a whole number or a pair \(h, w\); got \(4, 4, 4\)"),
        (((28, 28, 3), 4), "size must be a whole number or a pair"),
    ],
)
def test_a_convolution_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv2d_size(*arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((4, 4, 2, 1, 2), r"output_padding must be below stride \(2\) or dilation \(1\); got 2"),
        ((4, 4, 0), "stride must be at least 1"),
        ((1, 2, 1, 1), "padding 1 on both sides leaves nothing: size 0"),
        ((4, 4, 2, 1, -1), "output_padding must be at least 0"),
        ((4, (4, 3)), r"size must be a pair \(h, w\)"),
    ],
)
def test_a_transposed_convolution_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv_transpose2d_size(*arguments)


def test_output_padding_below_the_dilation_is_allowed_as_in_torch():
    x = torch.empty(1, 1, 5, 5, device="meta")
    kernel = torch.empty(1, 1, 3, 3, device="meta")
    out = F.conv_transpose2d(x, kernel, stride=1, output_padding=2, dilation=3)
    assert conv_transpose2d_size(5, 3, 1, 0, 2, 3) == out.shape[2]


@pytest.mark.parametrize("number", [28.0, "28", NAN, None, True])
def test_a_size_that_is_no_whole_number_is_refused(number):
    with pytest.raises(TypeError, match="size must be a whole number"):
        conv2d_size(number, 4)
    with pytest.raises(TypeError, match="padding must be a whole number"):
        conv_transpose2d_size(4, 4, 2, "same")


# Parameters


def test_parameters_of_the_generators_first_layer_with_and_without_bias():
    # the lecture's margin note counts (4·4·128 + 1)·512, its table 4·4·128·512
    assert conv2d_params(128, 512, 4) == conv2d_params(128, 512, 4, bias=True) == 1_049_088
    assert conv2d_params(128, 512, 4, bias=False) == 1_048_576


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((6, 4, 3, True, 3), "groups must divide out_channels, 4; got 3"),
        ((4, 6, 3, True, 3), "groups must divide in_channels, 4; got 3"),
        ((4, 6, 3, True, 0), "groups must be at least 1"),
        ((0, 6, 3), "in_channels must be at least 1"),
        ((4, 6, 0), "kernel must be at least 1"),
    ],
)
def test_parameters_of_a_layer_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv2d_params(*arguments)


# Receptive field


def test_receptive_fields_of_the_patch_discriminators():
    # Isola et al. 2017, appendix: 16, 34, 70 pixels; 142 and 286 by the same rule
    for n, field in ((1, 16), (2, 34), (3, 70), (4, 142), (5, 286)):
        assert receptive_field([(4, 2)] * n + [(4, 1), (4, 1)]) == field


def test_the_discriminators_last_map_sees_46_pixels_and_its_score_94():
    assert receptive_field([(4, 2)] * 4) == 46
    assert receptive_field([(4, 2)] * 4 + [(4, 1)]) == 94
    assert receptive_field([]) == 1


@pytest.mark.parametrize("seed", range(10))
def test_the_receptive_field_is_the_reach_of_the_gradient(seed):
    rng = random.Random(seed)
    layers = [(rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 3)) for _ in range(4)]
    x = torch.zeros(1, 1, receptive_field(layers) + 40, requires_grad=True)
    y = x
    for kernel, stride, dilation in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
    (gradient,) = torch.autograd.grad(y[0, 0, 0], x)
    assert gradient[0, 0].nonzero().max() + 1 == receptive_field(layers)


@pytest.mark.parametrize(
    "layers", [[4, 2], [(4,)], [(4, 2, 1, 1)], [(4, 0)], [(0, 1)], [(4, 2, 0)]]
)
def test_layers_that_are_no_kernel_and_stride_are_refused(layers):
    with pytest.raises(ValueError, match="a layer must be|at least 1"):
        receptive_field(layers)


# The table


def test_the_generators_table_row_by_row():
    table = layer_table(generator_listing(), (128, 1, 1))
    assert rows(table) == GENERATOR_TABLE
    assert (table.total, table.trainable, table.non_trainable) == (3_806_080, 3_806_080, 0)
    assert rows(layer_table(dcgan.Generator(nz=128), (128, 1, 1))) == GENERATOR_TABLE


def test_the_discriminators_table_row_by_row():
    discriminator = dcgan.Discriminator(first_batchnorm=True)
    with_sigmoid = nn.Sequential(*discriminator.layers, nn.Sigmoid())
    table = layer_table(with_sigmoid, (3, 64, 64))
    assert rows(table) == DISCRIMINATOR_TABLE
    assert (table.total, table.trainable, table.non_trainable) == (2_765_696, 2_765_696, 0)
    # ours ends with the score: a logit, no sigmoid
    assert rows(layer_table(discriminator, (3, 64, 64))) == DISCRIMINATOR_TABLE[:-1]


@pytest.mark.parametrize(
    "module, shape, total",
    [
        (dcgan.Generator(64), (64, 1, 1), 3_281_792),
        (dcgan.Generator(100), (100, 1, 1), 3_576_704),
        (dcgan.Generator(100, nc=1), (100, 1, 1), 3_574_656),
        (dcgan.Discriminator(), (3, 64, 64), 2_765_568),
        (dcgan.Discriminator(nc=1), (1, 64, 64), 2_763_520),
    ],
)
def test_totals_of_dcgan(module, shape, total):  # layer by layer: 16 in · out, and 2 a BatchNorm
    assert layer_table(module, shape).total == total


def test_the_table_prints_as_one():
    text = repr(layer_table(nn.Sequential(nn.Conv2d(3, 64, 4, 2, 1), nn.ReLU()), (3, 64, 64)))
    assert text.splitlines() == [
        "Layer (type)  Output Shape      Param #",
        "───────────────────────────────────────",
        "Conv2d-1      [-1, 64, 32, 32]    3,136",
        "ReLU-2        [-1, 64, 32, 32]        0",
        "───────────────────────────────────────",
        "Total params: 3,136",
        "Trainable params: 3,136",
        "Non-trainable params: 0",
    ]
    assert (
        str(layer_table(nn.Flatten(), (2, 3, 1))).splitlines()[2]
        == "Flatten-1     [-1, 6]             0"
    )


def test_a_score_a_picture_is_a_row_without_a_size():
    score = nn.Sequential(nn.Conv2d(3, 1, 4), nn.Flatten(0))
    assert (
        str(layer_table(score, (3, 4, 4))).splitlines()[3] == "Flatten-2     [-1]                 0"
    )
    with pytest.raises(ValueError, match="everything but the batch"):  # the batch would be lost
        layer_table(nn.Sequential(nn.Conv2d(3, 2, 4), nn.Flatten(0)), (3, 4, 4))


def test_every_layer_of_the_course_has_a_rule():
    net = nn.Sequential(
        nn.ReflectionPad2d((1, 2, 0, 3)),
        nn.Conv2d(2, 4, (3, 2), padding="same", dilation=2, groups=2),
        nn.InstanceNorm2d(4, affine=True),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.InstanceNorm2d(4),
        nn.Upsample(scale_factor=2),
        nn.Dropout2d(0.5),
        nn.PixelUnshuffle(2),
        nn.BatchNorm2d(16, affine=False),
        nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1, groups=4),
        nn.PixelShuffle(2),
        nn.GroupNorm(2, 2),
        nn.Upsample(size=(6, 4)),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.Flatten(),
        nn.Linear(12, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.Dropout(),
        nn.Sigmoid(),
        nn.Unflatten(1, (2, 2, 2)),
        nn.Identity(),
    )
    table = layer_table(net, (2, 9, 13))
    assert table.rows[0].shape == (2, 12, 16)
    assert table.rows[-1].shape == (2, 2, 2)
    assert table.total == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    "layer, shape, made, parameters",
    [
        (nn.GroupNorm(2, 4, affine=False), (4, 3, 5), (4, 3, 5), 0),
        (nn.BatchNorm1d(5, affine=False), (5,), (5,), 0),
        (nn.Linear(5, 7), (2, 3, 5), (2, 3, 7), 42),  # along the width of a map
        (nn.Upsample(scale_factor=1.5), (2, 3, 5), (2, 4, 7), 0),
        (nn.PixelShuffle(3), (18, 2, 5), (2, 6, 15), 0),
        (nn.PixelUnshuffle(3), (2, 6, 15), (18, 2, 5), 0),
        (nn.ReflectionPad2d((1, 2, 3, 4)), (1, 6, 7), (1, 13, 10), 0),
    ],
)
def test_a_rule_holds_where_no_two_numbers_agree(layer, shape, made, parameters):
    row = layer_table(layer, shape).rows[0]
    assert (row.shape, row.parameters) == (made, parameters)


def test_frozen_parameters_are_not_trainable():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    net[0].requires_grad_(False)
    table = layer_table(net, (3,))
    assert (table.total, table.trainable, table.non_trainable) == (41, 25, 16)


def test_a_layer_that_comes_twice_has_its_parameters_once():
    layer, bend = nn.Linear(3, 3), nn.ReLU()
    table = layer_table(nn.Sequential(layer, bend, layer, bend), (3,))
    assert [row.parameters for row in table.rows] == [12, 0, 0, 0]
    assert table.total == 12


def test_the_live_module_is_left_as_it_was():
    net = dcgan.Generator(8, 4, 1, 16)
    net.layers[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    layer_table(net, (8, 1, 1))
    assert net.training and not net.layers[1].training and net.layers[4].training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


def test_a_module_on_meta_gives_a_table_too():
    with torch.device("meta"):
        net = dcgan.Discriminator(size=128)
    assert layer_table(net, (3, 128, 128)).rows[-1].shape == (1, 1, 1)


class Odd(nn.Module):
    """Runs its layers in another way than it lists them."""

    def __init__(self, forward, *layers, **parameters):
        super().__init__()
        self.layers, self.run = nn.ModuleList(layers), forward
        for name, value in parameters.items():
            setattr(self, name, nn.Parameter(value))

    def forward(self, x):
        return self.run(self, x)


def test_the_live_module_runs_without_a_graph():
    graphs = []
    net = Odd(lambda s, x: graphs.append(torch.is_grad_enabled()) or s.layers[0](x), nn.ReLU())
    layer_table(net, (3,))
    assert graphs == [False]


def test_a_live_module_that_disagrees_is_refused():
    swapped = Odd(lambda s, x: s.layers[0](s.layers[1](x)), nn.ReLU(), nn.Tanh())
    with pytest.raises(ValueError, match="order of its list, but: Tanh, ReLU"):
        layer_table(swapped, (3,))
    cropped = Odd(lambda s, x: s.layers[1](s.layers[0](x)[..., 1:]), nn.ReLU(), nn.Tanh())
    with pytest.raises(ValueError, match=r"Tanh-2: arithmetic says \(3,\).*live module \(2,\)"):
        layer_table(cropped, (3,))
    shared = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    shared[1].weight = shared[0].weight
    with pytest.raises(ValueError, match="rows add up to 24 parameters, the module has 15"):
        layer_table(shared, (3,))
    loose = Odd(lambda s, x: s.layers[0](x) * s.w, nn.ReLU(), w=torch.ones(3))
    with pytest.raises(ValueError, match="the module has 3"):
        layer_table(loose, (3,))
    wide = nn.Linear(3, 3)
    wide.extra = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="Linear-1: arithmetic says .* 12 parameters.* 14"):
        layer_table(wide, (3,))


@pytest.mark.parametrize(
    "module, shape, message",
    [
        (nn.LSTM(3, 3), (3,), "no rule for a layer LSTM"),
        (nn.Conv3d(1, 1, 1), (1, 2, 2), "no rule for a layer Conv3d"),
        (nn.MaxPool2d(2, ceil_mode=True), (1, 5, 5), "ceil_mode"),
        (nn.Conv2d(3, 8, 4), (1, 8, 8), "Conv2d-1.*takes 3 channels or features, not 1"),
        (nn.Conv2d(3, 8, 4), (3, 3, 3), "kernel spans 4 pixels"),
        (nn.Conv2d(3, 8, 4), (3,), r"given \(3, 1, 1\): kernel spans 4 pixels.* only 1"),
        (nn.AdaptiveAvgPool2d(2), (3,), r"takes a map \(channels, height, width\)"),
        (nn.BatchNorm2d(3), (3,), r"takes a map \(channels, height, width\)"),
        (nn.Linear(3, 8), (4,), "takes 3 channels or features, not 4"),
        (nn.BatchNorm2d(3), (4, 2, 2), "takes 3 channels or features, not 4"),
        (nn.Unflatten(1, (2, 2)), (5,), r"takes \(4,\)"),
        (nn.PixelShuffle(2), (6, 2, 2), "divide"),
        (nn.Sequential(), (3,), "no rule for a layer Sequential"),
        (nn.ReLU(), (0,), "input_shape must be at least 1"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(module, shape, message):
    with pytest.raises(ValueError, match=message):
        layer_table(module, shape)


def test_a_network_of_codes_takes_their_length():
    assert rows(layer_table(dcgan.Generator(nz=128), (128,))) == GENERATOR_TABLE
    assert rows(layer_table(generator_listing(), [128])) == GENERATOR_TABLE
    first = layer_table(dcgan.UpsampleGenerator(100), (100,)).rows[0]
    assert first.shape == (1024,)  # begins with a dense layer: no map


@pytest.mark.parametrize(
    "shape", [(), (3, 8), (-1, 128), (-1, 3, 64, 64), (1, 3, 64, 64), 128, "128", None]
)
def test_an_input_shape_is_a_length_or_a_map_without_the_batch(shape):
    with pytest.raises(
        ValueError, match=r"input_shape must be \(features,\) or.*without the batch"
    ):
        layer_table(dcgan.Discriminator(), shape)


def test_sizes_left_open_are_refused():
    with pytest.raises(ValueError, match="input_shape must be at least 1; got -1"):
        layer_table(dcgan.Discriminator(), (3, -1, -1))
    with pytest.raises(TypeError, match="input_shape must be a whole number"):
        layer_table(dcgan.Generator(), (100.0,))


def test_a_table_needs_a_module():
    with pytest.raises(TypeError, match="module must be an nn.Module; got str"):
        layer_table("generator", (3, 64, 64))
