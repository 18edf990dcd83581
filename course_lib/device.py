"""Which device to train on, and in which precision: measured here, not guessed.

bfloat16 halves the bytes of float32 and keeps its range. Where a processor has the instructions,
convolutions and matrix products are a few times faster in it; where it has not, up to hundreds of
times slower, and not both alike. Some releases of torch compute wrong ones for some shapes.

`COURSE_BFLOAT16=off` turns it off for a run: all is then computed in float32.
"""

import functools
import math
import os
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
PRODUCTS = (  # a transformer's
    (F.linear, (4, 19, 64), (192, 64), {}),
    (F.linear, (2, 1, 33), (5, 33), {}),
    (torch.matmul, (2, 3, 7, 16), (2, 3, 16, 9), {}),
    (torch.matmul, (1, 1, 64), (64, 1), {}),
)
KINDS = {"convolutions": SHAPES, "matrix products": PRODUCTS}


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
def choose(kind: str = "convolutions") -> Choice:
    """CUDA, else Apple's MPS, else the CPU; bfloat16 where it is right and faster. Asked once.

    kind: what the network mostly computes, "convolutions" or "matrix products" (a transformer). A
    GPU that torch names but that cannot compute is left alone, and the reason tells why. Raises
    ValueError for another kind, and where `COURSE_BFLOAT16` is set to anything but on or off.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    wanted = os.environ.get("COURSE_BFLOAT16", "on").strip().lower()
    if wanted not in ("on", "off"):
        raise ValueError(f"COURSE_BFLOAT16 must be on or off; it is set to {wanted!r}")
    device, trouble = usable()
    off = False, "COURSE_BFLOAT16 is off"
    bfloat16, reason = _try_bfloat16(device, kind) if wanted == "on" else off
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


def _try_bfloat16(device: torch.device, kind: str) -> tuple[bool, str]:
    """Whether bfloat16 is worth it on `device` for this kind of layer, and why."""
    if device.type == "mps":
        return False, "it was not tried on Apple's GPUs"
    if device.type == "cuda" and torch.cuda.get_device_capability() < (8, 0):
        return False, "this GPU has no bfloat16 units"
    try:
        error = max(_error(device, *shape) for shape in KINDS[kind])
        if not error <= TOLERANCE:
            return False, f"{kind} are wrong in it, off by {error:.0%}"
        if device.type == "cuda":
            return True, "this GPU has bfloat16 units, values agree"
        gain = _gain(kind, batch=1, seconds=0.2)  # finds a CPU that would take minutes for a batch
        gain = _gain(kind, batch=32, seconds=0.8) if gain > 0.3 else gain
    except Exception as error:
        return False, f"{kind} fail in it ({_first_line(error)})"
    if gain < LEAST_SPEED_UP:
        return False, f"{kind} are only {gain:.2g} times as fast in it"
    return True, f"{kind} {gain:.1f} times faster, values agree"


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


def _gain(kind: str, batch: int, seconds: float) -> float:
    """How many times faster in bfloat16, both ways, are a DCGAN's convolution and its transpose,
    or a transformer's layer for 64 tokens and its attention.

    In one thread: beside other work, threads that wait for each other made 1.6 times read 0.17.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured_gain(kind, batch, seconds)
    finally:
        torch.set_num_threads(threads)


def _measured_gain(kind: str, batch: int, seconds: float) -> float:
    generator, doubling = torch.Generator().manual_seed(0), {"stride": 2, "padding": 1}
    weight = (128, 64, 4, 4)
    timed = {
        "convolutions": (
            (F.conv2d, (batch, 64, 16, 16), weight, doubling),
            (F.conv_transpose2d, (batch, 128, 8, 8), weight, doubling),
        ),
        "matrix products": (
            (F.linear, (batch, 64, 128), (512, 128), {}),
            (torch.matmul, (batch, 4, 64, 32), (batch, 4, 32, 64), {}),
        ),
    }[kind]
    timed = [
        (operation, torch.randn(x, generator=generator), torch.randn(w, generator=generator), more)
        for operation, x, w, more in timed
    ]
    best, end = {False: math.inf, True: math.inf}, perf_counter() + seconds
    while perf_counter() < end:
        for bfloat16 in best:
            start = perf_counter()
            for operation, x, w, more in timed:
                _both_ways(torch.device("cpu"), bfloat16, operation, x, w, more)
            best[bfloat16] = min(best[bfloat16], perf_counter() - start)
    return best[False] / best[True]


@torch.inference_mode(False)
@torch.enable_grad()
def _both_ways(device, bfloat16, operation, x, weight, options) -> list[Tensor]:
    """Forward and backward: the result and the gradients for x and the weight, in float32.

    Also where the first question is asked by somebody who needs no gradients.
    """
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
