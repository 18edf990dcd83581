"""Which device to train on, and in which precision: measured here, not guessed.

bfloat16 halves the bytes of float32 and keeps its range. Where a processor has the instructions,
convolutions are a few times faster in it; where it has not, up to hundreds of times slower. Some
releases of torch compute wrong ones for some shapes.
"""

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

TOLERANCE = 0.03  # of the largest value; rounding to bfloat16's 8 bits costs about 0.005
LEAST_SPEED_UP = 1.2  # below this speed-up the rounding is not worth it

# (operation, image, kernel, options): the course's layers, and shapes that oneDNN got wrong in
# releases of torch (github.com/pytorch/pytorch, issues 163347 and 169688)
SHAPES = (
    (F.conv2d, (3, 3, 17, 15), (13, 3, 3, 3), {"padding": 1}),
    (F.conv2d, (2, 17, 8, 8), (5, 17, 4, 4), {"stride": 2, "padding": 1}),
    (F.conv2d, (5, 33, 4, 4), (1, 33, 4, 4), {}),
    (F.conv2d, (1, 1, 2, 2), (1, 1, 2, 2), {}),
    (F.conv2d, (2, 24, 9, 4), (7, 24, 3, 3), {"stride": 3}),
    (F.conv2d, (3, 1, 7, 5), (1, 1, 1, 1), {}),
    (F.conv_transpose2d, (2, 19, 5, 5), (19, 3, 4, 4), {"stride": 2, "padding": 1}),
    (F.conv_transpose2d, (3, 10, 1, 1), (10, 7, 4, 4), {}),
)


@dataclass(frozen=True)
class Choice:
    """A device, whether to use bfloat16 on it, and why."""

    device: torch.device
    bfloat16: bool
    reason: str

    def autocast(self) -> AbstractContextManager:
        """For the forward pass and the loss, not for backward: `with choice.autocast(): ...`."""
        return _autocast(self.device) if self.bfloat16 else nullcontext()

    def __str__(self) -> str:
        switch = "on" if self.bfloat16 else "off"
        return f"{_name(self.device)}, bfloat16 autocast {switch}: {self.reason}"

    __repr__ = __str__


@functools.cache
def choose() -> Choice:
    """CUDA, else Apple's MPS, else the CPU; bfloat16 where it is right and faster. Asked once.

    A GPU that torch names but that cannot compute is left alone, and the reason tells why.
    """
    device, trouble = usable()
    bfloat16, reason = _try_bfloat16(device)
    return Choice(device, bfloat16, f"{reason}; {trouble}" if trouble else reason)


@functools.cache
def usable() -> tuple[torch.device, str]:
    """The best device that computes, and what is wrong with a better one ("" mostly)."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    device = torch.device("cuda" if cuda else "mps" if mps else "cpu")
    trouble = _trouble(device)
    return (torch.device("cpu"), trouble) if trouble else (device, "")


def _trouble(device: torch.device) -> str:
    """Why a GPU cannot be used, "" where it can: its driver is too old, or it is a virtual one."""
    try:
        torch.ones(64, 64, device=device).mm(torch.ones(64, 64, device=device)).sum().item()
        return ""
    except Exception as error:
        return f"{device.type} is there and fails ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    message = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {message[0]}"


def _try_bfloat16(device: torch.device) -> tuple[bool, str]:
    """Whether bfloat16 is worth it on `device`, and why."""
    if device.type == "mps":
        return False, "it was not tried on Apple's GPUs"
    if device.type == "cuda" and torch.cuda.get_device_capability() < (8, 0):
        return False, "this GPU has no bfloat16 units"
    try:
        error = max(_error(device, *shape) for shape in SHAPES)
        if not error <= TOLERANCE:
            return False, f"convolutions are wrong in it, off by {error:.0%}"
        if device.type == "cuda":
            return True, "this GPU has bfloat16 units, values agree"
        gain = _gain(batch=1, seconds=0.2)  # finds out a CPU that would take minutes for a batch
        gain = _gain(batch=32, seconds=0.8) if gain > 0.3 else gain
    except Exception as error:
        return False, f"convolutions fail in it ({_first_line(error)})"
    if gain < LEAST_SPEED_UP:
        return False, f"convolutions are only {gain:.2g} times as fast in it"
    return True, f"convolutions {gain:.1f} times faster, values agree"


def _error(
    device: torch.device, operation: Callable, image: tuple, kernel: tuple, options
) -> float:
    """The largest difference between bfloat16 and float32, in the result and in both gradients."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(image, generator=generator).to(device)
    weight = torch.randn(kernel, generator=generator).to(device)
    exact = _both_ways(device, False, operation, x, weight, options)
    rounded = _both_ways(device, True, operation, x, weight, options)
    errors = [(a - b).abs().max() / a.abs().max() for a, b in zip(exact, rounded, strict=True)]
    worst = torch.stack(errors).max().item()
    return math.inf if math.isnan(worst) else worst


def _gain(batch: int, seconds: float) -> float:
    """How many times faster a DCGAN's convolution and its transpose are in bfloat16, both ways.

    In one thread: beside other work, threads that wait for each other made 1.6 times read 0.17.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured_gain(batch, seconds)
    finally:
        torch.set_num_threads(threads)


def _measured_gain(batch: int, seconds: float) -> float:
    generator = torch.Generator().manual_seed(0)
    cpu, options = torch.device("cpu"), {"stride": 2, "padding": 1}
    large = torch.randn(batch, 64, 16, 16, generator=generator)
    small = torch.randn(batch, 128, 8, 8, generator=generator)
    weight = torch.randn(128, 64, 4, 4, generator=generator)
    best, end = {False: math.inf, True: math.inf}, perf_counter() + seconds
    while perf_counter() < end:
        for bfloat16 in best:
            start = perf_counter()
            _both_ways(cpu, bfloat16, F.conv2d, large, weight, options)
            _both_ways(cpu, bfloat16, F.conv_transpose2d, small, weight, options)
            best[bfloat16] = min(best[bfloat16], perf_counter() - start)
    return best[False] / best[True]


def _both_ways(device, bfloat16, operation, x, weight, options) -> list[Tensor]:
    """Forward and backward: the result and the gradients for x and the weight, in float32."""
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    with _autocast(device) if bfloat16 else nullcontext():
        y = operation(x, weight, **options)
    y.float().square().sum().backward()
    return [y.detach().float(), x.grad, weight.grad]


def _autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name()})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type
