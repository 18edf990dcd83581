"""Right answers to lecture 09's exercises, each in another style: the checks must accept all."""

import math

import torch
import torch.nn.functional as F

# --- equalized ------------------------------------------------------------------------------------


def divided(weight, gain=1.0):
    inputs = 1
    for side in weight.shape[1:]:
        inputs *= side
    return gain * weight / inputs**0.5


def by_torch(weight, gain=1.0):
    fan_in, _ = torch.nn.init._calculate_fan_in_and_fan_out(weight)
    return weight.mul(gain * math.pow(fan_in, -0.5))


# --- fade_in --------------------------------------------------------------------------------------


def kron(low, high, alpha):
    alpha = max(0.0, min(1.0, alpha))
    big = torch.kron(low, torch.ones(1, 1, 2, 2))
    return big - alpha * big + alpha * high


def repeated(low, high, alpha):
    big = low.repeat_interleave(2, 2).repeat_interleave(2, 3)
    if alpha <= 0:
        return big + 0 * high
    return high + 0 * big if alpha >= 1 else (1 - alpha) * big + alpha * high


# --- minibatch_std --------------------------------------------------------------------------------


def by_a_loop(x, group=4):
    g = group if len(x) % group == 0 else len(x)
    m = len(x) // g
    channels = [None] * len(x)
    for i in range(m):
        members = x[i::m]
        centred = members - members.mean(0)
        spread = ((centred**2).mean(0) + 1e-8).sqrt().mean()
        for j in range(i, len(x), m):
            channels[j] = spread.expand(1, *x.shape[2:])
    return torch.cat([x, torch.stack(channels)], 1)


def by_moments(x, group=4):
    b, c, h, w = x.shape
    g = group if b % group == 0 else b
    y = x.reshape(g, -1, c, h, w)
    spread = torch.sqrt(y.sub(y.mean(0)).square().mean(0) + 1e-8).flatten(1).mean(1)
    return torch.cat(
        (x, spread[torch.arange(b) % (b // g)][:, None, None, None] * torch.ones_like(x[:, :1])), 1
    )


# --- adain ----------------------------------------------------------------------------------------


def flattened(x, scale, bias):
    y = x.flatten(2)
    y = y - y.mean(2, keepdim=True)
    y = y / (y.pow(2).mean(2, keepdim=True) + 1e-8).sqrt()
    return (y * scale.unsqueeze(2) + bias.unsqueeze(2)).view_as(x)


def instance_norm(x, scale, bias):
    b, c = scale.shape
    y = F.instance_norm(
        x.reshape(1, b * c, *x.shape[2:]), None, None, scale.flatten(), bias.flatten(), eps=1e-8
    )
    return y.view_as(x)


# --- modulated_conv -------------------------------------------------------------------------------


def a_kernel_each(x, weight, style):
    out = []
    for picture, s in zip(x, style, strict=True):
        kernel = weight * s.view(1, -1, 1, 1)
        kernel = kernel / (kernel.pow(2).flatten(1).sum(1) + 1e-8).sqrt().view(-1, 1, 1, 1)
        out.append(F.conv2d(picture[None], kernel, padding=weight.shape[-1] // 2))
    return torch.cat(out)


def grouped(x, weight, style):
    b, i, h, w = x.shape
    kernels = weight[None] * style.view(b, 1, i, 1, 1)
    kernels = kernels * torch.rsqrt(kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    y = F.conv2d(
        x.reshape(1, b * i, h, w), kernels.flatten(0, 1), padding=weight.shape[-1] // 2, groups=b
    )
    return y.view(b, -1, h, w)


# --- mix ------------------------------------------------------------------------------------------


def by_where(ws_a, ws_b, cut):
    layers = torch.arange(ws_a.shape[1]).view(1, -1, 1)
    return torch.where(layers < cut, ws_a, ws_b)


def copied(ws_a, ws_b, cut):
    result = ws_b.clone()
    result[:, :cut] = ws_a[:, :cut]
    return result


# --- truncate -------------------------------------------------------------------------------------


def lerped(w, mean, psi):
    return torch.lerp(mean.expand_as(w), w, psi)


def weighted(w, mean, psi):
    return psi * w + (1 - psi) * mean


# --- perceptual_path_length -----------------------------------------------------------------------


def in_steps(generate, features, w0, w1, t, eps=1e-2):
    way = w1 - w0
    here = w0 + t.unsqueeze(1) * way
    a = features(generate(here))
    b = features(generate(here + eps * way))
    return ((b - a) / eps).pow(2).sum(dim=1)


# --- adaptive_probability -------------------------------------------------------------------------


def in_python(p, real_scores, images, target=0.6, span=500_000):
    right = (real_scores > 0).sum().item() - (real_scores < 0).sum().item()
    share, step = right / len(real_scores), images / span
    if share != target:
        p = p + step if share > target else p - step
    return min(1.0, max(0.0, p))


def clipped_by_whole_numbers(p, real_scores, images, target=0.6, span=500_000):
    r = torch.sign(real_scores).mean().item()
    return max(0, min(1, p + ((r > target) - (r < target)) * images / span))


# --- filtered -------------------------------------------------------------------------------------


def with_complex_transforms(x, factor, act):
    n = x.shape[-1]
    low = torch.fft.fftfreq(n, 1 / n).abs() < n / 2
    big = torch.zeros(*x.shape[:-1], n * factor, dtype=torch.complex64)
    at = torch.fft.fftfreq(n, 1 / n).long() % (n * factor)
    big[..., at[low]] = torch.fft.fft(x)[..., low]
    bent = torch.fft.fft(act(torch.fft.ifft(big).real * factor))
    small = torch.zeros_like(x, dtype=torch.complex64)
    small[..., low] = bent[..., at[low]] / factor
    return torch.fft.ifft(small).real


def by_slices(x, factor, act):
    n = x.shape[-1]
    spectrum = torch.fft.rfft(x)
    if n % 2 == 0 and factor > 1:  # the highest frequency is shared between n/2 and −n/2
        spectrum = torch.cat([spectrum[..., :-1], spectrum[..., -1:] / 2], -1)
    bent = torch.fft.rfft(act(torch.fft.irfft(spectrum, factor * n) * factor))
    low = F.pad(bent[..., : (n + 1) // 2], (0, n // 2 + 1 - (n + 1) // 2))
    return torch.fft.irfft(low, n) / factor


# --- spectral_norm --------------------------------------------------------------------------------


def with_norms(weight, u, steps=1):
    w = weight.reshape(len(weight), -1)
    frozen = w.detach()
    for _ in range(steps):
        v = frozen.t().mv(u)
        v = v / v.norm()
        u = frozen.mv(v)
        u = u / u.norm()
    return (w.mv(v) * u).sum(), u


# --- self_attention -------------------------------------------------------------------------------


def by_einsum(x, query, key, value):
    q, k, v = (torch.einsum("dc,bchw->bdhw", m, x).flatten(2) for m in (query, key, value))
    weights = torch.softmax(torch.einsum("bdi,bdj->bij", q, k), dim=-1)
    return torch.einsum("bij,bvj->bvi", weights, v).unflatten(2, tuple(x.shape[2:]))


def by_torchs_attention(x, query, key, value):
    q, k, v = ((m @ x.flatten(2)).mT for m in (query, key, value))
    y = F.scaled_dot_product_attention(q, k, v, scale=1.0)
    return y.mT.reshape(len(x), len(value), *x.shape[2:])


VARIANTS = {
    "styles.equalized": (divided, by_torch),
    "styles.fade_in": (kron, repeated),
    "styles.minibatch_std": (by_a_loop, by_moments),
    "styles.adain": (flattened, instance_norm),
    "styles.modulated_conv": (a_kernel_each, grouped),
    "styles.mix": (by_where, copied),
    "styles.truncate": (lerped, weighted),
    "styles.perceptual_path_length": (in_steps,),
    "styles.adaptive_probability": (in_python, clipped_by_whole_numbers),
    "styles.filtered": (with_complex_transforms,),
    "styles.spectral_norm": (with_norms,),
    "styles.self_attention": (by_einsum, by_torchs_attention),
}
