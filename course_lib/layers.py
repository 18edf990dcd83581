"""Three layers of lecture 06's networks in another way: the same values, faster on a CPU."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.checks import at_least_one, floats, shaped


class InstanceNorm(nn.GroupNorm):
    """(x − mean) / √(variance + ε) of each channel of each picture, without weights.

    As `nn.InstanceNorm2d`, asked of GroupNorm with a channel a group: 2 to 6 times faster on CPUs.
    """

    def __init__(self, channels: int):
        at_least_one(channels=channels)
        super().__init__(channels, channels, affine=False)


class ReflectionPad(nn.ReflectionPad2d):
    """`nn.ReflectionPad2d`, in the precision of its input: autocast would make it float32."""

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C H W"]:
        floats("x", x, 4)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x)


class FoldedConv(nn.Conv2d):
    """A convolution with stride 1 and without padding, for few output channels, say 3.

    One window, a pixel larger, answers for 2 × 2 pixels and moves by 2: 12 channels out, where a
    processor works on 16 at once. Same weights and values, twice as fast on CPUs. An output of odd
    size is left to `nn.Conv2d`.
    """

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B O H W"]:
        shaped("x", x, "B", self.in_channels, "h", "w", like=self.weight)
        h, w = (n - k + 1 for n, k in zip(x.shape[2:], self.kernel_size, strict=True))
        if h % 2 or w % 2:
            return super().forward(x)
        shifts = [(dx, 1 - dx, dy, 1 - dy) for dy in (0, 1) for dx in (0, 1)]
        weight = torch.stack([F.pad(self.weight, shift) for shift in shifts], dim=1)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        y = F.conv2d(x, weight.flatten(0, 1), bias, stride=2)  # (B, 4 O, H/2, W/2)
        return F.pixel_shuffle(y, 2)
