"""Right answers to lecture 04's exercises, each in another style: the checks must accept all."""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import dcgan, gan
from course_lib.exercises.topics import dcgan as dcgan_exercises

# --- sizes ----------------------------------------------------------------------------------------


def windows_counted(size, kernel, stride=1, padding=0, dilation=1):
    last = dilation * (kernel - 1)
    return sum(1 for start in range(-padding, size + padding - last, stride))


def as_torch_documents_it(size, kernel, stride=1, padding=0, dilation=1):
    return math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)


def rounded_up_without_the_one(size, kernel, stride=1, padding=0, dilation=1):
    return math.ceil((size + 2 * padding - dilation * (kernel - 1)) / stride)


def asked_of_torch(size, kernel, stride=1, padding=0, dilation=1):
    x = torch.empty(1, 1, size, device="meta")
    return F.conv1d(x, x.new_empty(1, 1, kernel), None, stride, padding, dilation).shape[-1]


def int_of_a_quotient(size, kernel, stride=1, padding=0, dilation=1):
    span = kernel + (kernel - 1) * (dilation - 1)
    return int((size - span + padding + padding + stride) / stride)


def painted_pixels(size, kernel, stride=1, padding=0, output_padding=0, dilation=1):
    last = max(i * stride + dilation * j for i in range(size) for j in range(kernel))
    return last + 1 - 2 * padding + output_padding


def transposed_by_torch(size, kernel, stride=1, padding=0, output_padding=0, dilation=1):
    layer = nn.ConvTranspose2d(1, 1, kernel, stride, padding, output_padding, 1, True, dilation)
    return layer.to("meta")(torch.empty(1, 1, size, size, device="meta")).size(3)


def by_the_span(size, kernel, stride=1, padding=0, output_padding=0, dilation=1):
    span = dilation * (kernel - 1) + 1
    return stride * size - stride + span + output_padding - padding * 2


# --- parameters -----------------------------------------------------------------------------------


def numbers_of_a_layer(in_channels, out_channels, kernel, bias=True, groups=1):
    layer = nn.Conv2d(in_channels, out_channels, kernel, bias=bias, groups=groups)
    return sum(p.numel() for p in layer.parameters())


def group_by_group(in_channels, out_channels, kernel, bias=True, groups=1):
    count = groups * (in_channels // groups) * (out_channels // groups) * kernel**2
    if bias:
        count += out_channels
    return count


def filter_by_filter(in_channels, out_channels, kernel, bias=True, groups=1):
    one = math.prod([in_channels // groups, kernel, kernel]) + (1 if bias else 0)
    return out_channels * one


# --- receptive field ------------------------------------------------------------------------------


def backwards(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def as_a_sum(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((k - 1) * math.prod(strides[:i]) for i, (k, _) in enumerate(layers))


def by_recursion(layers):
    if not layers:
        return 1
    kernel, stride = layers[0]
    return kernel + stride * (by_recursion(layers[1:]) - 1)


def by_reduce(layers):
    step = lambda seen, layer: (seen[0] + (layer[0] - 1) * seen[1], seen[1] * layer[1])  # noqa: E731
    return functools.reduce(step, layers, (1, 1))[0]


def by_numpy(layers):
    kernels, strides = np.array(layers).T
    jumps = np.cumprod([1, *strides[:-1]])
    return int(1 + ((kernels - 1) * jumps).sum())


# --- generator_block ------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm = nn.BatchNorm2d(outputs)  # in another order than they are used
        self.up = nn.ConvTranspose2d(inputs, outputs, (4, 4), (2, 2), (1, 1), bias=False)

    def forward(self, x):
        return F.relu(self.norm(self.up(x)))


def a_class(in_channels, out_channels):
    return Block(in_channels, out_channels)


def layer_by_layer(in_channels, out_channels):
    block = nn.Sequential()
    block.add_module("up", nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False))
    block.add_module("norm", nn.BatchNorm2d(out_channels))
    block.add_module("bend", nn.ReLU())
    return block


def cut_out_by_hand(in_channels, out_channels):
    class Trimmed(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(in_channels, out_channels, 4, 2, bias=False)
            self.norm = nn.BatchNorm2d(out_channels)

        def forward(self, x):
            return self.norm(self.up(x)[:, :, 1:-1, 1:-1]).clamp(min=0)

    return Trimmed()


# --- init_weights ---------------------------------------------------------------------------------


def as_in_the_pytorch_tutorial(module, generator=None):
    def weights_init(m):
        name = m.__class__.__name__
        if name.find("Conv") != -1:
            nn.init.normal_(m.weight.data, 0.0, 0.02, generator=generator)
        elif name.find("BatchNorm") != -1:
            nn.init.normal_(m.weight.data, 1.0, 0.02, generator=generator)
            nn.init.constant_(m.bias.data, 0)

    module.apply(weights_init)


@torch.no_grad()
def without_gradients(module, generator=None):
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.weight.copy_(0.02 * torch.randn(layer.weight.shape, generator=generator))
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.copy_(1 + 0.02 * torch.randn(layer.weight.shape, generator=generator))
            layer.bias.zero_()


def for_the_whole_network(net, generator=None):
    for layer in net.modules():
        if type(layer) in (nn.Conv2d, nn.ConvTranspose2d):
            layer.weight.data.normal_(0, 0.02, generator=generator)
        elif type(layer) is nn.BatchNorm2d:
            layer.weight.data.normal_(1, 0.02, generator=generator)
            layer.bias.data.fill_(0)
    return net


def calling_itself(net, generator=None):
    for child in net.children():
        calling_itself(child, generator)
    for p in net.parameters(recurse=False):
        if p.ndim == 4:
            torch.nn.init.trunc_normal_(p, std=0.02, generator=generator)
    if getattr(net, "running_mean", None) is not None:
        net.weight.data.normal_(1.0, 0.02, generator=generator)
        net.bias.data.zero_()


# --- the two updates ------------------------------------------------------------------------------


def d_as_on_the_slide(generator, discriminator, g_optimizer, d_optimizer, real, noise):
    criterion = nn.BCEWithLogitsLoss()
    discriminator.zero_grad()
    output = discriminator(real).view(-1)
    label = torch.full((real.size(0),), 1.0)
    error_real = criterion(output, label)
    error_real.backward()
    fake = generator(noise)
    label.fill_(0.0)
    error_fake = criterion(discriminator(fake.detach()).view(-1), label)
    error_fake.backward()
    d_optimizer.step()
    return (error_real + error_fake).detach()


def d_with_probabilities(generator, discriminator, g_optimizer, d_optimizer, real, noise):
    with torch.no_grad():
        fake = generator(noise)
    p_fake, p_real = discriminator(fake).sigmoid(), discriminator(real).sigmoid()
    loss = -(p_real.log() + (1 - p_fake).log()).mean()
    d_optimizer.zero_grad()
    loss.backward()
    d_optimizer.step()
    return loss.detach()


def d_clears_the_generator_afterwards(g, d, g_optimizer, d_optimizer, real, noise):
    d_optimizer.zero_grad()
    loss = F.softplus(d(g(noise))).mean() + F.softplus(-d(real)).mean()
    loss.backward()
    d_optimizer.step()
    g_optimizer.zero_grad()
    return loss.detach()


def d_returns_a_float_tensor(g, d, g_optimizer, d_optimizer, real, noise):
    loss = -F.logsigmoid(d(real)).mean() - F.logsigmoid(-d(g(noise).detach())).mean()
    for p, gradient in zip(d.parameters(), torch.autograd.grad(loss, d.parameters()), strict=True):
        p.grad = gradient
    d_optimizer.step()
    d_optimizer.zero_grad()
    return torch.tensor(loss.item())


def d_returns_a_number(g, d, g_optimizer, d_optimizer, real, noise):
    return dcgan_exercises.discriminator_update(g, d, g_optimizer, d_optimizer, real, noise).item()


def g_as_in_the_pytorch_tutorial(generator, discriminator, g_optimizer, d_optimizer, noise):
    generator.zero_grad()
    fake = generator(noise)
    label = torch.full((len(fake),), 1.0)
    output = discriminator(fake).view(-1)
    error = nn.BCEWithLogitsLoss()(output, label)
    error.backward()
    g_optimizer.step()
    return error


def g_with_d_out_of_the_graph(generator, discriminator, g_optimizer, d_optimizer, noise):
    for p in discriminator.parameters():
        p.requires_grad = False
    loss = F.softplus(-discriminator(generator(noise))).mean()
    g_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    g_optimizer.step()
    for p in discriminator.parameters():
        p.requires_grad = True
    return loss.item()


def g_with_d_still(generator, discriminator, g_optimizer, d_optimizer, noise):
    g_optimizer.zero_grad()
    with gan.frozen(discriminator):
        loss = -discriminator(generator(noise)).sigmoid().log().mean()
        loss.backward()
    g_optimizer.step()
    return loss.detach()


def g_clears_the_discriminator(generator, discriminator, g_optimizer, d_optimizer, noise):
    fake = generator(noise[:, :, None, None])
    scores = discriminator(fake)
    loss = torch.nn.functional.binary_cross_entropy(scores.sigmoid(), torch.ones(len(noise)))
    g_optimizer.zero_grad()
    d_optimizer.zero_grad()
    loss.backward()
    g_optimizer.step()
    d_optimizer.zero_grad()
    return loss


# --- latent_arithmetic ----------------------------------------------------------------------------


def difference_of_means(z, with_attribute, without_attribute, strength=1.0):
    direction = torch.mean(with_attribute, dim=0) - torch.mean(without_attribute, dim=0)
    return z + strength * direction[None, :]


def mean_of_all_pairs(z, with_attribute, without_attribute, strength=1.0):
    pairs = with_attribute[:, None] - without_attribute[None]
    return z.add(pairs.flatten(0, 1).mean(0), alpha=strength)


def by_sums(z, a, b, strength=1.0):
    return torch.stack([row + strength * (a.sum(0) / len(a) - b.sum(0) / len(b)) for row in z])


def by_labels(z, a, b, strength=1.0):
    signs = torch.cat([torch.full((len(a),), 1 / len(a)), torch.full((len(b),), -1 / len(b))])
    return z + strength * signs @ torch.cat([a, b])


def places_in_a_range(size, kernel, stride=1, padding=0, dilation=1):
    return len(range(0, size + 2 * padding - dilation * (kernel - 1), stride))


def from_the_output(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


VARIANTS = {
    "dcgan.conv2d_size": [
        places_in_a_range,
        windows_counted,
        as_torch_documents_it,
        rounded_up_without_the_one,
        asked_of_torch,
        int_of_a_quotient,
    ],
    "dcgan.conv_transpose2d_size": [painted_pixels, transposed_by_torch, by_the_span],
    "dcgan.conv2d_params": [numbers_of_a_layer, group_by_group, filter_by_filter],
    "dcgan.receptive_field": [
        from_the_output,
        backwards,
        as_a_sum,
        by_recursion,
        by_reduce,
        by_numpy,
    ],
    "dcgan.generator_block": [a_class, layer_by_layer, cut_out_by_hand],
    "dcgan.init_weights": [
        as_in_the_pytorch_tutorial,
        without_gradients,
        for_the_whole_network,
        calling_itself,
        dcgan.init_weights,
    ],
    "dcgan.discriminator_update": [
        d_as_on_the_slide,
        d_with_probabilities,
        d_clears_the_generator_afterwards,
        d_returns_a_float_tensor,
        d_returns_a_number,
    ],
    "dcgan.generator_update": [
        g_as_in_the_pytorch_tutorial,
        g_with_d_out_of_the_graph,
        g_with_d_still,
        g_clears_the_discriminator,
    ],
    "dcgan.latent_arithmetic": [difference_of_means, mean_of_all_pairs, by_sums, by_labels],
}
