"""Right answers to lecture 11's exercises, each in another style: the checks must accept all."""

import math

import numpy as np
import torch
import torch.nn.functional as F

# --- psnr_y ---------------------------------------------------------------------------------------


def with_both_lumas(a, b, border):
    def luma(x):
        red, green, blue = ((x + 1) / 2).unbind(1)
        return 16 + 65.481 * red + 128.553 * green + 24.966 * blue

    y_a, y_b = luma(a), luma(b)
    if border > 0:
        y_a, y_b = (y[:, border:-border, border:-border] for y in (y_a, y_b))
    mse = ((y_a - y_b) ** 2).flatten(1).mean(dim=1)
    return (20 * math.log10(255) - 10 * mse.log10()).mean()


def picture_by_picture(a, b, border):
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64) * 219
    results = []
    for one, other in zip(a.double(), b.double(), strict=True):
        error = ((one - other) / 2).movedim(0, -1) @ weights
        height, width = error.shape
        error = error[border : height - border, border : width - border]
        results.append(20 * math.log10(255 / error.pow(2).mean().sqrt().item()))
    return sum(results) / len(results)


def in_numpy(a, b, border):
    error = np.tensordot((a - b).numpy() / 2, np.array([65.481, 128.553, 24.966]), axes=(1, 0))
    n, h, w = error.shape
    error = error[:, border : h - border, border : w - border].reshape(n, -1)
    return float(np.mean(10 * np.log10(255**2 / np.mean(error**2, axis=1))))


# --- price_of_blending ----------------------------------------------------------------------------


def of_both_errors(d_mean, d_other, a):
    return (1 - a**2) * d_mean + a * a * d_other


def of_the_distance(d_mean, d_other, a):
    distance = d_other - d_mean
    return pow(a, 2) * distance + d_mean


# --- spectrum_gain --------------------------------------------------------------------------------


def root_of_both(blurred, sharp):
    n = len(sharp)
    spread = [
        torch.fft.rfft2(x, norm="ortho").abs().pow(2).sum(0).div(n).sqrt() for x in (sharp, blurred)
    ]
    return spread[0] / spread[1]


def from_complex_parts(blurred, sharp):
    def power(x):
        spectrum = torch.view_as_real(torch.fft.rfft2(x.double()))
        return (spectrum**2).sum(-1).mean(dim=0)

    return torch.sqrt(power(sharp) / (power(blurred) + 1e-12)).float()


def half_of_fft2(blurred, sharp):
    half = sharp.shape[-1] // 2 + 1
    total = {}
    for name, pictures in (("blurred", blurred), ("sharp", sharp)):
        total[name] = torch.zeros(pictures.shape[1], pictures.shape[2], half)
        for picture in pictures:
            spectrum = torch.fft.fft2(picture)[..., :half]
            total[name] += (spectrum * spectrum.conj()).real
    return (total["sharp"] / total["blurred"]) ** 0.5


# --- dense_block ----------------------------------------------------------------------------------


def one_growing_map(x, convs, beta):
    h = x
    for i, conv in enumerate(convs):
        y = conv(h)
        if i == len(convs) - 1:
            return torch.add(x, y, alpha=beta)
        h = torch.cat((h, F.leaky_relu_(y, negative_slope=0.2)), dim=1)


def with_a_layer_of_torch(x, convs, beta):
    *first, last = convs
    act = torch.nn.LeakyReLU(0.2)
    maps = (x,)
    for conv in first:
        maps = (*maps, act(conv(torch.concat(maps, dim=1))))
    return last(torch.concat(maps, dim=1)) * beta + x


def by_hand(x, convs, beta):
    features = x.clone()
    for conv in list(convs)[:-1]:
        y = conv(features)
        features = torch.hstack([features, torch.where(y > 0, y, y * 0.2)])
    change = convs[len(convs) - 1](features)
    change = change.mul_(beta)
    change += x
    return change


# --- perceptual_loss ------------------------------------------------------------------------------


def with_hooks(made, truth, trunk, taps):
    kept, before = [], trunk.training
    trunk.train(False)
    hooks = [trunk[i].register_forward_hook(lambda *args: kept.append(args[-1])) for i in taps]
    trunk(made)
    ours, kept[:] = list(kept), []
    with torch.no_grad():
        trunk(truth)
    for hook in hooks:
        hook.remove()
    trunk.train(before)
    return sum(map(F.l1_loss, ours, kept)) / len(taps)


def side_by_side(made, truth, trunk, taps):
    p, q, losses = made, truth.detach(), []
    trunk = trunk.eval()
    for i in range(max(taps) + 1):
        p, q = trunk[i](p), trunk[i](q)
        if i in taps:
            losses.append(F.l1_loss(p, q))
    return torch.stack(losses).mean()


def slice_by_slice(made, truth, trunk, taps):
    trunk.eval()
    loss = 0.0
    for tap in taps:
        difference = trunk[: tap + 1](made) - trunk[: tap + 1](truth).detach()
        loss = loss + difference.abs().sum() / difference.numel() / len(taps)
    return loss


def in_one_batch(made, truth, trunk, taps):
    for layer in trunk:
        layer.eval()
    x, total = torch.cat([made, truth.detach()]), made.new_zeros(())
    for i, layer in enumerate(trunk.children()):
        x = layer(x)
        if i in set(taps):
            ours, theirs = x.chunk(2)
            total += (ours - theirs.detach()).abs().mean()
    return total / len(taps)


# --- relativistic_losses --------------------------------------------------------------------------


def by_cross_entropy(real, fake):
    bce = F.binary_cross_entropy_with_logits
    r, f = real - fake.mean(), fake - real.mean()
    ones, zeros = torch.ones_like(r), torch.zeros_like(f)
    return bce(r, ones) + bce(f, zeros), bce(r, zeros) + bce(f, ones)


def by_logsigmoid(real, fake):
    def loss(winner, loser):
        better = (winner - loser.mean()).unsqueeze(1)
        worse = (loser - winner.mean()).unsqueeze(1)
        return -(F.logsigmoid(better).mean() + F.logsigmoid(-worse).mean())

    return loss(real, fake), loss(fake, real)


def by_logaddexp(real, fake):
    zero = torch.zeros(())
    r, f = real - fake.sum() / len(fake), fake - real.sum() / len(real)
    d = torch.logaddexp(zero, -r).mean() + torch.logaddexp(zero, f).mean()
    g = torch.logaddexp(zero, r).mean() + torch.logaddexp(zero, -f).mean()
    return d, g


# --- between --------------------------------------------------------------------------------------


def blended(state_a, state_b, alpha):
    result = {}
    for name in state_a:
        a, b = state_a[name], state_b[name]
        result[name] = (1 - alpha) * a + alpha * b if torch.is_floating_point(a) else a
    return result


def copied_first(state_a, state_b, alpha):
    state = {key: value.clone() for key, value in state_a.items()}
    for key, value in state.items():
        if value.dtype.is_floating_point:
            value += alpha * (state_b[key] - value)
    return state


def in_double(state_a, state_b, alpha):
    from collections import OrderedDict

    pairs = ((k, a, state_b[k]) for k, a in state_a.items())
    return OrderedDict(
        (
            k,
            ((1 - alpha) * a.double() + alpha * b.double()).to(a.dtype)
            if a.is_floating_point()
            else a,
        )
        for k, a, b in pairs
    )


# --- gaussian_kernel ------------------------------------------------------------------------------


def from_the_covariance(size, s1, s2, theta):
    c, s = math.cos(theta), math.sin(theta)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    inverse = turn @ torch.diag(torch.tensor([s1**-2, s2**-2], dtype=torch.float64)) @ turn.T
    places = torch.arange(size, dtype=torch.float64) - size // 2
    x, y = torch.meshgrid(places, places, indexing="xy")
    p = torch.stack([x, y], -1)
    kernel = (-0.5 * torch.einsum("hwi,ij,hwj->hw", p, inverse, p)).exp()
    return (kernel / kernel.sum()).float()


def by_a_softmax(size, s1, s2, theta):
    axis = torch.linspace(-(size - 1) / 2, (size - 1) / 2, size)
    x, y = axis[None, :], axis[:, None]
    along = x * math.cos(theta) + y * math.sin(theta)
    across = y * math.cos(theta) - x * math.sin(theta)
    energy = -0.5 * ((along / s1).square() + (across / s2).square())
    return energy.flatten().softmax(0).view(size, size)


def place_by_place(size, s1, s2, theta):
    kernel = torch.zeros(size, size)
    for row in range(size):
        for column in range(size):
            x, y = column - size // 2, row - size // 2
            u = x * math.cos(theta) + y * math.sin(theta)
            v = -x * math.sin(theta) + y * math.cos(theta)
            kernel[row, column] = math.exp(-0.5 * ((u / s1) ** 2 + (v / s2) ** 2))
    return kernel / kernel.sum()


# --- jpeg_block -----------------------------------------------------------------------------------


def cosines(dtype=torch.float32):
    n = torch.arange(8, dtype=dtype)
    rows = [torch.full((8,), math.sqrt(1 / 8), dtype=dtype)]
    rows += [0.5 * torch.cos(math.pi * (2 * n + 1) * k / 16) for k in range(1, 8)]
    return torch.stack(rows)


def in_float64(block, table):
    d, table = cosines(torch.float64), table.double()
    c = torch.einsum("ki,ij,lj->kl", d, block.double() - 128.0, d)
    c = (c / table + 0.5).floor() * table
    b = torch.einsum("ki,kl,lj->ij", d, c, d) + 128.0
    return torch.clip(b, 0.0, 255.0).float()


def one_big_matrix(block, table):
    both = torch.kron(cosines(), cosines())
    steps = (both @ (block - 128).flatten()).div(table.flatten()).round_()
    back = both.T @ steps.mul_(table.flatten())
    return torch.minimum(
        torch.maximum(back.view(8, 8) + 128, torch.tensor(0.0)), torch.tensor(255.0)
    )


def in_numpy_sums(block, table):
    n = np.arange(8)
    d = np.cos(np.pi * np.outer(n, 2 * n + 1) / 16) * np.where(n == 0, 8**-0.5, 0.5)[:, None]
    b, steps = block.numpy().astype(np.float64) - 128, table.numpy().astype(np.float64)
    c = np.rint(d.dot(b).dot(d.T) / steps) * steps
    return torch.from_numpy(np.clip(d.T.dot(c).dot(d) + 128, 0, 255)).to(block.dtype)


# --- modulate_half --------------------------------------------------------------------------------


def padded(h, scale, shift):
    zeros = torch.zeros_like(scale)
    return h + h * torch.cat([zeros, scale], 1) + torch.cat([zeros, shift], 1)


def into_a_copy(h, scale, shift):
    result = h.clone()
    half = h.size(1) // 2
    result[:, half:] = torch.addcmul(shift, h[:, half:], 1 + scale)
    return result


def in_two_groups(h, scale, shift):
    b, c, height, width = h.shape
    groups = h.view(b, 2, c // 2, height, width)
    return torch.stack((groups[:, 0], groups[:, 1] + groups[:, 1] * scale + shift), 1).view_as(h)


# --- partial_conv ---------------------------------------------------------------------------------


def with_where(x, mask, weight, bias):
    k = weight.shape[-1]
    n = F.avg_pool2d(mask, k, stride=1) * k * k
    known = n > 0.5
    y = F.conv2d(torch.where(mask > 0, x, torch.zeros_like(x)), weight)
    y = y * k**2 / torch.where(known, n, torch.ones_like(n)) + bias[None, :, None, None]
    return torch.where(known, y, torch.zeros_like(y)), known.float()


def unfolded(x, mask, weight, bias):
    b, c, h, w = x.shape
    o, k = len(weight), weight.shape[-1]
    size = (h - k + 1, w - k + 1)
    windows = F.unfold(x * mask, k)  # (B, C k², L)
    seen = F.unfold(mask, k).sum(1, keepdim=True)
    known = seen.clamp(max=1)
    y = torch.einsum("on,bnl->bol", weight.flatten(1), windows)
    y = y * (k * k / seen.clamp_min(1)) * known + bias[:, None] * known
    return y.view(b, o, *size), known.view(-1, 1, *size)


def window_by_window(x, mask, weight, bias):
    k = weight.shape[2]
    rows, seen = [], []
    for i in range(x.shape[2] - k + 1):
        for j in range(x.shape[3] - k + 1):
            m = mask[:, :, i : i + k, j : j + k]
            n = m.sum((1, 2, 3))
            part = torch.tensordot(
                x[:, :, i : i + k, j : j + k] * m, weight, ([1, 2, 3], [1, 2, 3])
            )
            value = part * (k * k / n.clamp(min=1))[:, None] + bias
            rows.append(value * (n > 0)[:, None])
            seen.append((n > 0).float())
    shape = (x.shape[2] - k + 1, x.shape[3] - k + 1)
    return torch.stack(rows, 2).unflatten(2, shape), torch.stack(seen, 1)[:, None].unflatten(
        2, shape
    )


def over_all_channels(x, mask, weight, bias):
    wide = mask.expand(-1, x.shape[1], -1, -1)
    seen = F.conv2d(wide, torch.ones_like(weight))[:, :1]
    known = (seen != 0).to(mask.dtype)
    y = F.conv2d(x * wide, weight, bias) - bias.view(1, -1, 1, 1)
    ratio = weight[0].numel() / (seen + 1e-8) * known
    return y * ratio + bias.view(1, -1, 1, 1) * known, known


# --- pan_sharpen ----------------------------------------------------------------------------------


def channel_by_channel(colours, grey, weights):
    brightness = sum(w * colours[:, i : i + 1] for i, w in enumerate(weights))
    return torch.cat([colours[:, i : i + 1] + grey - brightness for i in range(len(weights))], 1)


def by_a_convolution(colours, grey, weights):
    return colours + (grey - F.conv2d(colours, weights.view(1, -1, 1, 1)))


def one_matrix(colours, grey, weights):
    keep = torch.eye(len(weights)) - weights.expand(len(weights), -1)
    return torch.einsum("ij,bjhw->bihw", keep, colours) + grey


VARIANTS = {
    "restoration.psnr_y": (with_both_lumas, picture_by_picture, in_numpy),
    "restoration.price_of_blending": (of_both_errors, of_the_distance),
    "restoration.spectrum_gain": (root_of_both, from_complex_parts, half_of_fft2),
    "restoration.dense_block": (one_growing_map, with_a_layer_of_torch, by_hand),
    "restoration.perceptual_loss": (with_hooks, side_by_side, slice_by_slice, in_one_batch),
    "restoration.relativistic_losses": (by_cross_entropy, by_logsigmoid, by_logaddexp),
    "restoration.between": (blended, copied_first, in_double),
    "restoration.gaussian_kernel": (from_the_covariance, by_a_softmax, place_by_place),
    "restoration.jpeg_block": (in_float64, one_big_matrix, in_numpy_sums),
    "restoration.modulate_half": (padded, into_a_copy, in_two_groups),
    "restoration.partial_conv": (with_where, unfolded, window_by_window, over_all_channels),
    "restoration.pan_sharpen": (channel_by_channel, by_a_convolution, one_matrix),
}
