"""A GPU that is not there: it computes on the CPU and refuses what CUDA refuses.

    python -m tests.pretend_gpu solutions/03_vanilla_gan.ipynb     runs a notebook on it

`install()` makes the device "pretend" of torch's place for foreign backends (PrivateUse1). Each of
its tensors wraps one of the CPU. Refused are operations with tensors of the CPU, except for numbers
(tensors without dimensions) and indices where CUDA takes them; random numbers from a generator of
the CPU; `.numpy()`, and so matplotlib; with `install(float64=False)` float64, as on Apple's MPS.
autocast casts as on CUDA. `WAITS` lists where Python waited for the device.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import nbformat
import torch
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._pytree import tree_leaves, tree_map

from course_lib import device, training

ROOT = Path(__file__).resolve().parent.parent
NAME = "pretend"
aten = torch.ops.aten

COPIES = {aten.copy_.default, aten._to_copy.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
INDEXING |= {aten._index_put_impl_.default, aten._unsafe_index.Tensor}
INDEXING |= {aten._unsafe_index_put.default}
# take a number of the CPU, though they are not marked as working point by point
WITH_NUMBER = {aten.fill_.Tensor, aten.masked_fill.Tensor, aten.masked_fill_.Tensor}
# what torch has kernels for that suit all devices but this one: those that make a tensor of size 0
# and resize it, which a wrapper cannot follow, and copies, which want a storage
OWN = "arange arange.start arange.start_step eye eye.m linspace logspace randperm".split()
OWN += ["randperm.generator", "copy_"]
# https://docs.pytorch.org/docs/stable/amp.html, as far as the course may use it
LOWER = "conv1d conv2d conv3d conv_transpose1d conv_transpose2d.input linear matmul mm mv bmm addmm"
LOWER += " addbmm baddbmm prelu scaled_dot_product_attention"
FULL = "exp expm1 log log10 log2 log1p softmax.int log_softmax.int softplus sum sum.dim_IntList"
FULL += " prod cumsum cumprod norm.Scalar norm.ScalarOpt_dim linalg_vector_norm rsqrt reciprocal"
FULL += " pow.Tensor_Scalar pow.Tensor_Tensor mse_loss l1_loss smooth_l1_loss kl_div nll_loss"
FULL += " cross_entropy_loss binary_cross_entropy_with_logits layer_norm group_norm cdist"


@dataclass(frozen=True)
class Wait:
    """A moment at which Python waited for the device: for which operation, and where."""

    operation: str
    place: str
    in_step: bool  # within a step of `train`, that is not between two of its updates


WAITS: list[Wait] = []
HAS_FLOAT64 = True


class OnDevice(Tensor):
    """A tensor of the device; `.raw` is the tensor of the CPU that holds its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> "OnDevice":
        if not HAS_FLOAT64 and raw.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"{NAME} has no {raw.dtype}. Please use float32 instead")
        return Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, raw: Tensor):
        self.raw = raw

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, *args, **(kwargs or {}))

    def numpy(self, *, force: bool = False):
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )

    # what torch gives to its own class of tensors alone
    def tolist(self):
        return self.cpu().tolist()

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.ndim == 0 else str(self), spec)

    def __repr__(self, **_) -> str:
        return repr(self.detach().cpu())[:-1] + f", device='{self.device}')"

    def __reduce_ex__(self, protocol: int):
        return self.detach().cpu().__reduce_ex__(protocol)


def run(func: torch._ops.OpOverload, *args, **kwargs):
    """An operation with tensors of the device among its arguments, or with one as its result."""
    leaves = tree_leaves((args, kwargs))
    ours = [x for x in leaves if isinstance(x, OnDevice)]
    cpu = [x for x in leaves if isinstance(x, Tensor) and not isinstance(x, OnDevice)]
    place = kwargs.get("device")
    leaves_device = place is not None and place.type != NAME
    refuse(func, args, ours, cpu, leaves)
    note_waits(func, args, kwargs, leaves_device)
    if place is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    kwargs.pop("pin_memory", None)

    bare = tree_map(lambda x: x.raw if isinstance(x, OnDevice) else x, (args, kwargs))
    result = NOT_ON_CPU.get(func, func)(*bare[0], **bare[1])
    for x in ours:
        if x.shape != x.raw.shape or x.stride() != x.raw.stride():
            raise NotImplementedError(f"{func} changes the shape of a tensor in place")
    known = {id(x.raw): x for x in ours} | {id(x): x for x in cpu}

    def wrapped(x):
        if not isinstance(x, Tensor) or leaves_device:
            return x
        return known[id(x)] if id(x) in known else OnDevice(x)

    return tree_map(wrapped, result)


def lstm_cell(inputs, hidden, cx, input_bias=None, hidden_bias=None):
    """What CUDA computes at once: (h, c, the gates for backward)."""
    gates = inputs + hidden + sum(b for b in (input_bias, hidden_bias) if b is not None)
    i, f, g, o = gates.chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cy = f * cx + i * g
    return o * cy.tanh(), cy, torch.cat([i, f, g, o], 1)


def lstm_cell_backward(grad_hy, grad_cy, cx, cy, gates, has_bias):
    """The gradients of the sums before the gates, of cx and of a bias."""
    i, f, g, o = gates.chunk(4, 1)
    hy, grad_hy = cy.tanh(), torch.zeros_like(cy) if grad_hy is None else grad_hy
    grad_c = grad_hy * o * (1 - hy**2) + (0 if grad_cy is None else grad_cy)
    of_gates = [grad_c * g * i * (1 - i), grad_c * cx * f * (1 - f), grad_c * i * (1 - g**2)]
    grad = torch.cat([*of_gates, grad_hy * hy * o * (1 - o)], 1)
    return grad, grad_c * f, grad.sum(0) if has_bias else None


NOT_ON_CPU = {
    aten._thnn_fused_lstm_cell.default: lstm_cell,
    aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
}


def refuse(func, args: tuple, ours: list, cpu: list, leaves: list) -> None:
    """RuntimeError for what CUDA does not take."""
    if any(isinstance(x, torch.Generator) for x in leaves):  # all that there are are the CPU's
        raise RuntimeError(
            f"Expected a '{NAME}' device type for generator but found 'cpu' ({func})"
        )
    if not cpu or not ours or func in COPIES:
        return
    if func in INDEXING:  # the indices may come from the CPU
        cpu = [x for x in (args[0], *args[2:3]) if isinstance(x, Tensor)]
        cpu = [x for x in cpu if not isinstance(x, OnDevice)]
    numbers = torch.Tag.pointwise in func.tags or func in WITH_NUMBER | INDEXING
    written = {
        id(value)
        for value, argument in zip(args, func._schema.arguments, strict=False)
        if argument.alias_info is not None and argument.alias_info.is_write
    }
    for x in cpu:
        if not (numbers and x.ndim == 0 and id(x) not in written):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{NAME}:0 and cpu! ({func} with a tensor of shape {tuple(x.shape)})"
            )


def note_waits(func, args: tuple, kwargs: dict, leaves_device: bool) -> None:
    """Notes an operation that Python cannot leave before the device has done all its work."""
    tags = func.tags
    waits = leaves_device or torch.Tag.data_dependent_output in tags
    if func is aten.copy_.default:  # in either direction: the memory of the CPU is not pinned
        waits = len({type(x) for x in args[:2]}) > 1
        non_blocking = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
        if isinstance(args[0], OnDevice) and non_blocking:
            waits = False  # CUDA takes a copy of the source, and Python goes on
    elif func in INDEXING:  # a mask is counted, and an index of the CPU is copied
        waits = any(
            x is not None and (x.dtype == torch.bool or not isinstance(x, OnDevice))
            for x in args[1]
        )
    elif torch.Tag.dynamic_output_shape in tags:
        waits = not (func is aten.repeat_interleave.Tensor and kwargs.get("output_size"))
    if waits:
        WAITS.append(Wait(str(func), *caller()))


def caller() -> tuple[str, bool]:
    """The line outside of torch that is under way, and whether it belongs to a training step."""
    place, inner, frame = "", None, sys._getframe(2)
    if isinstance(threading.current_thread(), threading._DummyThread):  # autograd's, in backward
        frame = sys._current_frames()[threading.main_thread().ident]
    while frame:
        code = frame.f_code
        if not place and code.co_filename != __file__ and not code.co_filename.startswith(TORCH):
            place = f"{code.co_filename.removeprefix(f'{ROOT}/')}:{frame.f_lineno} {code.co_name}"
        if code is LOOP:
            return place, not isinstance(inner.f_locals.get("self"), training._Run)
        inner, frame = frame, frame.f_back
    return place, False


TORCH, LOOP = str(Path(torch.__file__).parent), training.train.__code__


class Backend(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


LIBRARIES: list[torch.library.Library] = []  # what is registered lasts as long as these


def install(float64: bool = True) -> torch.device:
    """The device, made at the first call. Without `float64` it is like Apple's MPS."""
    global HAS_FLOAT64
    HAS_FLOAT64 = float64
    if not LIBRARIES:
        backend_registration._setup_privateuseone_for_python_backend(NAME, Backend())
        everything, some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
        LIBRARIES.extend([everything, some])
        everything.fallback(run, "PrivateUse1")
        everything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
        for name in OWN:
            some.impl(name, partial(run, overload(name)), "PrivateUse1")
        for dtype, names in ((None, LOWER), (torch.float32, FULL)):
            for name in names.split():
                some.impl(name, partial(cast, overload(name), dtype), "AutocastPrivateUse1")
        some.impl("binary_cross_entropy", unsafe, "AutocastPrivateUse1")
    return torch.device(NAME, 0)


def overload(name: str) -> torch._ops.OpOverload:
    name, _, kind = name.partition(".")
    return getattr(getattr(aten, name), kind or "default")


def cast(func, dtype: torch.dtype | None, *args, **kwargs):
    """An operation under autocast: in its lower precision, or in `dtype`."""
    to = dtype or torch.get_autocast_dtype(NAME)

    def casted(x):
        eligible = isinstance(x, OnDevice) and x.is_floating_point() and x.dtype != torch.float64
        return x.to(to) if eligible else x

    args, kwargs = tree_map(casted, (args, kwargs))
    with torch._C._ExcludeDispatchKeyGuard(AUTOCAST):
        return func(*args, **kwargs)


AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def unsafe(*args, **kwargs):
    raise RuntimeError("binary_cross_entropy is unsafe to autocast: use ..._with_logits")


def use(float64: bool = True) -> None:
    """Makes the course train on the device, from here on."""
    home = device.Choice(install(float64), True, "it is pretended")
    device.choose, device.usable = lambda: home, lambda: (home.device, "")


# ---- a notebook ----------------------------------------------------------------------------------

START = "from tests import pretend_gpu\n\npretend_gpu.use(float64={float64})"
END = "print(pretend_gpu.told())"


def told() -> str:
    """What a run has left, for the process that started it."""
    return json.dumps([asdict(wait) for wait in WAITS])


def play(path: Path, expect: str, float64: bool = True) -> list[Wait]:
    """Runs a notebook at smoke scale on the device, all of it; returns where it waited.

    Raises nbclient's CellExecutionError where a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    code = nbformat.v4.new_code_cell
    notebook.cells = [code(START.format(float64=float64)), *notebook.cells, code(END)]
    kernel = AsyncKernelManager(kernel_name="python3")
    kernel.kernel_spec.argv[0] = sys.executable
    environment = os.environ | {"COURSE_SCALE": "smoke", "COURSE_EXPECT": expect}
    environment["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, km=kernel, timeout=None, resources=where)
        client.execute(cleanup_kc=True, env=environment)
    text = "".join(output.text for output in notebook.cells[-1].outputs)  # it may come in parts
    return [Wait(**wait) for wait in json.loads(text)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pretend_gpu", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--no-float64", action="store_true", help="refuse float64, as MPS does")
    options = parser.parse_args()
    for path in options.notebooks:
        expect = "correct" if path.resolve().parent.name == "solutions" else "not attempted"
        waits = play(path.resolve(), expect, not options.no_float64)
        print(f"{path}: {len(waits)} waits, {sum(w.in_step for w in waits)} in training steps")
        for wait, times in Counter(wait for wait in waits if wait.in_step).most_common():
            print(f"  {times:6} × {wait.operation} in {wait.place}")


if __name__ == "__main__":
    main()
