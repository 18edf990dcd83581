"""What several test files share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from course_lib.training import EMA, parts


def assert_step_runs_on_meta(make_step: Callable[[], Callable], make_batch: Callable[[], Any]):
    """A training step that runs on torch's `meta` device would run on any: it proves without a GPU
    that nothing in the step sits on the wrong device and that nothing waits for the device.

    `make_step()` is called under `torch.device("meta")`; its batch is moved there. The step is run
    twice, so that the optimisers' states are used too. A step that waits (`.item()`, `float()`,
    `if loss > 0`, `.cpu()`, a mask as an index), that mixes in a tensor of the CPU (a constant,
    noise drawn without `device=`), or that returns anything but scalars on the device fails.
    """
    with torch.device("meta"):
        step = make_step()
    batch = tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, make_batch())
    for _ in range(2):
        try:
            with _OneDevice():
                losses = step(batch)
                for average in parts(step).values():
                    if isinstance(average, EMA):
                        average.update()
        except (RuntimeError, NotImplementedError) as error:  # torch has no value to wait for
            raise AssertionError(
                "the step waits for the device (.item(), float(), bool(), .cpu() or a mask as an "
                f"index) or mixes devices: {error}"
            ) from error
        for name, loss in losses.items():
            if isinstance(loss, Tensor):
                assert loss.ndim == 0, f"{name} has shape {tuple(loss.shape)}, expected a scalar"
                assert loss.is_meta, f"{name} is on {loss.device}, expected the step's device"


class _OneDevice(TorchDispatchMode):
    """Refuses operations between the meta device and the CPU; some of torch's let them pass.

    Moves are fine, and so are scalars of the CPU: CUDA takes both without waiting.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        moves = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        if any(x.is_meta for x in tensors) and not moves:
            for x in tensors:
                shape = tuple(x.shape)
                assert x.is_meta or x.ndim == 0, f"{func} got a tensor of the CPU, shape {shape}"
        return func(*args, **(kwargs or {}))
