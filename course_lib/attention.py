"""Attention: each place asks all the others, and is answered by a mixture of what they hold.

    softmax(Q Kᵀ / √d) V        (Vaswani et al. 2017, eq. 1)

The transformers of lecture 12 are made of it: places of one sequence ask each other (`Block`), or
the places of a picture ask the words of a sentence (`CrossAttention`).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from course_lib.checks import (
    MANY,
    at_least_one,
    beside,
    floats,
    instance,
    number,
    shaped,
    truths,
    whole,
)


def attention_weights(
    q: Float[Tensor, "*B n d"], k: Float[Tensor, "*B m d"], mask: Bool[Tensor, "*M n m"] | None
) -> Float[Tensor, "*B n m"]:
    """softmax(Q Kᵀ / √d) over the m keys, so that each row adds up to 1.

    mask: True where a query may look; whatever broadcasts to (*B, n, m), or None for everywhere.
    Raises ValueError for keys of another width and a mask that does not fit.
    """
    floats("k", k, like=floats("q", q))
    if mask is not None:
        beside("mask", truths("mask", mask), q)
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"k must have the width of q, {q.shape[-1]}; got {k.shape[-1]}")
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        try:
            scores = scores.masked_fill(~mask, -math.inf)
        except RuntimeError:
            raise ValueError(
                f"mask must broadcast to {tuple(scores.shape)}; got {tuple(mask.shape)}"
            ) from None
    return scores.softmax(-1)


def causal_mask(n: int, past: int = 0, device=None) -> Bool[Tensor, "n past+n"]:
    """True where each of n places may look: at itself, at those before it and at all of the past.

    Raises ValueError unless n ≥ 1 and past ≥ 0.
    """
    whole("n", n, most=MANY), whole("past", past, 0, most=MANY)
    return torch.ones(n, past + n, dtype=torch.bool, device=device).tril(past)


def cross_attention(
    x: Float[Tensor, "B n d"],
    words: Float[Tensor, "B m e"],
    Wq: Float[Tensor, "d k"],
    Wk: Float[Tensor, "e k"],
    Wv: Float[Tensor, "e v"],
    real: Bool[Tensor, "B m"],
) -> Float[Tensor, "B n v"]:
    """Each place of x asks the words: softmax(Q Kᵀ / √k) V, Q = x Wq, K = words Wk, V = words Wv.

    real: True for words, False for padding, which is never heard. Raises ValueError for shapes that
    disagree, and (looked at on the CPU only) for a sentence of nothing but padding.
    Source: Rombach et al. 2022, section 3.3.
    """
    floats("x", x), floats("words", words)
    if x.ndim != 3 or words.ndim != 3 or len(x) != len(words):
        text = f"{tuple(x.shape)} and {tuple(words.shape)}"
        raise ValueError(f"x and words must be (B, n, d) and (B, m, e); got {text}")
    floats("words", words, like=x)
    shaped("Wq", Wq, x.shape[2], "k", like=x), shaped("Wv", Wv, words.shape[2], "v", like=x)
    shaped("Wk", Wk, words.shape[2], Wq.shape[1], like=x)
    _check_real(real, words)
    return attention_weights(x @ Wq, words @ Wk, real[:, None]) @ (words @ Wv)


class Cache:
    """The keys and values of all places that one layer has read, so that none is computed twice."""

    def __init__(self):
        self.k = self.v = None

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the past and the new ones together, (B, heads, n, d) each."""
        shaped("k", k, "B", "heads", "n", "d", like=self.k)
        shaped("v", v, *k.shape[:3], "d", like=k)
        if self.k is not None:
            k, v = torch.cat([self.k, k], dim=2), torch.cat([self.v, v], dim=2)
        self.k, self.v = k, v
        return k, v


class SelfAttention(nn.Module):
    """(B, n, width) -> the same; `mask` as in `attention_weights`, `cache` a `Cache` or None."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        _check_heads(width, heads)
        self.heads = heads
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "B n width"],
        mask: Bool[Tensor, "*M n m"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B n width"]:
        shaped("x", x, "B", "n", self.ask.in_features, like=self.ask.weight)
        q, k, v = (_split(part, self.heads) for part in self.ask(x).chunk(3, dim=-1))
        if cache is not None:
            k, v = cache.extend(k, v)
        found = attention_weights(q, k, mask).to(v.dtype) @ v  # (B, heads, n, d)
        return self.answer(_joined(found))


class Block(nn.Module):
    """A layer of a transformer: attention, then a network at each place, each beside a shortcut.

    LayerNorm comes before either, as in GPT-2 (Radford et al. 2019). mlp: how many times as wide as
    `width` the network at each place is.
    """

    def __init__(self, width: int, heads: int, mlp: int = 4):
        super().__init__()
        _check_heads(width, heads), at_least_one(mlp=mlp)
        self.norm1, self.attention = nn.LayerNorm(width), SelfAttention(width, heads)
        self.norm2, self.up = nn.LayerNorm(width), nn.Linear(width, mlp * width)
        self.down = nn.Linear(mlp * width, width)

    def forward(
        self,
        x: Float[Tensor, "B n width"],
        mask: Bool[Tensor, "*M n m"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "B n width"]:
        shaped("x", x, "B", "n", self.up.in_features, like=self.up.weight)
        x = x + self.attention(self.norm1(x), mask, cache)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class CrossAttention(nn.Module):
    """The places of a map ask the words: (B, width, h, w), (B, m, words_width) -> a map.

    It stands beside a shortcut and adds 0 at first. forward(…, return_weights=True) also returns
    who listened to which word: (B, h·w, m), the mean over the heads.
    """

    def __init__(self, width: int, words_width: int, heads: int = 4):
        super().__init__()
        _check_heads(width, heads), at_least_one(words_width=words_width)
        self.heads, self.norm = heads, nn.GroupNorm(max(1, width // 16), width)
        self.ask, self.offer = nn.Linear(width, width), nn.Linear(words_width, 2 * width)
        self.answer = nn.Linear(width, width)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(
        self,
        x: Float[Tensor, "B width h w"],
        words: Float[Tensor, "B m words_width"],
        real: Bool[Tensor, "B m"],
        return_weights: bool = False,
    ) -> Float[Tensor, "B width h w"] | tuple[Tensor, Tensor]:
        shaped("x", x, "B", self.ask.in_features, "h", "w", like=self.ask.weight)
        shaped("words", words, len(x), "m", self.offer.in_features, like=self.ask.weight)
        _check_real(real, words)
        places = self.norm(x).flatten(2).transpose(1, 2)  # (B, hw, width)
        q = _split(self.ask(places), self.heads)
        k, v = (_split(part, self.heads) for part in self.offer(words).chunk(2, dim=-1))
        weights = attention_weights(q, k, real[:, None, None])  # (B, heads, hw, m)
        found = self.answer(_joined(weights.to(v.dtype) @ v))
        x = x + found.transpose(1, 2).reshape(x.shape)
        return (x, weights.mean(1)) if return_weights else x


def _split(x: Tensor, heads: int) -> Tensor:
    """(B, n, width) -> (B, heads, n, width / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    """(B, heads, n, d) -> (B, n, heads · d)."""
    return x.transpose(1, 2).flatten(2)


def _check_heads(width: int, heads: int) -> None:
    at_least_one(width=width, heads=heads)
    if width % heads:
        raise ValueError(f"heads must divide width; got {heads} heads of {width}")


def _check_real(real: Tensor, words: Tensor) -> None:
    if beside("real", truths("real", real), words).shape != words.shape[:2]:
        raise ValueError(f"real must be {tuple(words.shape[:2])}; got {tuple(real.shape)}")
    if real.device.type == "cpu" and not real.any(1).all():  # a GPU would wait for it
        raise ValueError("real must be True somewhere in each row: a sentence is empty")


# How transformers are trained


def adamw(
    model: nn.Module, lr: float, steps: int | None, decay: float = 0.05, warmup: int = 60
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW that pulls matrices towards 0 and leaves biases alone, and its learning rate.

    The rate rises for `warmup` steps and, where it is known how many `steps` there will be, falls
    to 0 along a cosine. Source: Loshchilov and Hutter 2019; the warm-up: Vaswani et al. 2017.
    """
    instance("model", model, nn.Module)
    number("lr", lr, 0), number("decay", decay, 0), whole("warmup", warmup)
    if steps is not None:
        whole("steps", steps)
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.ndim >= 2], "weight_decay": decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
    optimizer = torch.optim.AdamW(groups, lr, betas=(0.9, 0.98), fused=fused)

    def factor(n: int) -> float:
        fall = (1 + math.cos(math.pi * min(n / steps, 1))) / 2 if steps else 1.0
        return min(1.0, (n + 1) / warmup) * fall

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
