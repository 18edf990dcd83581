"""The small trained networks that come with the course, and how they are read and written.

`NAME.safetensors` holds the weights, `NAME.md` is its card, `SHA256SUMS` the checksums of all. How
each was made stands in `train.py`: `python -m course_lib.recipes NAME` makes it again.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from course_lib.data.downloads import write_whole

FOLDER = Path(__file__).parent
RANK = 64  # of what is kept of a matrix that is 8 times as wide and as tall
LARGE = 8_000  # numbers from which on a tensor is kept in 8 bits
SUMS = "SHA256SUMS"  # in the format of `sha256sum --check`


def load_weights(name: str, module: nn.Module) -> nn.Module:
    """Fills `module` with the weights `name`, puts it into evaluation mode and returns it.

    Raises ValueError for a path in the place of a name, a name that is not there, a file whose
    checksum is wrong (it is not read), and a module of another architecture.
    """
    _check_name(name)
    sums, path = _sums(), FOLDER / f"{name}.safetensors"
    if name not in sums and path.exists():
        raise ValueError(f"{FOLDER / SUMS} is missing or damaged; {_again(name)}")
    if name not in sums:
        raise ValueError(f"no weights are called {name!r}; there are {', '.join(sorted(sums))}")
    if not path.exists():
        raise ValueError(f"the weights {path} are missing; {_again(name)}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sums[name]:
        raise ValueError(f"the weights {path} are damaged (wrong SHA-256); {_again(name)}")
    before = {key: value.clone() for key, value in module.state_dict().items()}
    try:
        module.load_state_dict(_unpacked(load(content)))  # copies into the module's own dtype
    except RuntimeError as error:
        module.load_state_dict(before)  # torch has copied what did fit
        reason = " ".join(str(error).split())[:500]
        raise ValueError(
            f"the weights {name!r} are of another network; {name}.md says of which: {reason}"
        ) from None
    return module.eval()


def save_weights(name: str, module: nn.Module, card: Mapping[str, object]) -> None:
    """Writes the weights of `module`, their checksum and their card (a table of what `card` says).

    Matrices and kernels are stored in float16, and from 8,000 numbers on in 8 bits, with a scale
    for each row. Of very large matrices only their best approximation of rank 64 is kept, in two
    factors. The rest stays as it is. Call `round_weights` before measuring, so that the card speaks
    of what is stored. Raises ValueError for a path in the place of a name.
    """
    _check_name(name)
    tensors = {}
    for key, value in module.state_dict().items():
        tensors.update(_packed(key, value))
    content = save(tensors)
    count = sum(p.numel() for p in module.parameters())
    facts = {**card, "parameters": f"{count:,}", "size": f"{len(content) / 1e6:.2f} MB"}
    lines = [f"# {name}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in facts.items()]
    write_whole(FOLDER / f"{name}.safetensors", content)
    write_whole(FOLDER / f"{name}.md", ("\n".join(lines) + "\n").encode())
    sums = {**_sums(), name: hashlib.sha256(content).hexdigest()}
    lines = [f"{sums[key]}  {key}.safetensors\n" for key in sorted(sums)]
    write_whole(FOLDER / SUMS, "".join(lines).encode())


@torch.no_grad()
def round_weights(module: nn.Module) -> nn.Module:
    """Rounds `module` in place to what `save_weights` stores, and returns it."""
    for key, value in module.state_dict().items():
        value.copy_(_unpacked(_packed(key, value))[key])
    return module


def _packed(key: str, value: Tensor) -> dict[str, Tensor]:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point() or value.ndim < 2:
        return {key: value}
    if value.ndim == 2 and min(value.shape) >= 8 * RANK:
        u, s, vh = torch.linalg.svd(value.double(), full_matrices=False)
        root = s[:RANK].sqrt()
        left, right = u[:, :RANK] * root, root[:, None] * vh[:RANK]
        return {f"{key}:left": left.half().contiguous(), f"{key}:right": right.half().contiguous()}
    if value.numel() >= LARGE:
        scale = value.flatten(1).abs().amax(1) / 127  # of each row: 127 is its largest number
        rows = value / scale.clamp(min=1e-12).view(-1, *[1] * (value.ndim - 1))
        return {f"{key}:bytes": rows.round().to(torch.int8), f"{key}:scale": scale}
    return {key: value.half()}


def _unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for key, value in tensors.items():
        name, _, side = key.partition(":")
        if side == "left":
            found[name] = value.float() @ tensors[f"{name}:right"].float()
        elif side == "bytes":
            scale = tensors[f"{name}:scale"]
            found[name] = value.float() * scale.view(-1, *[1] * (value.ndim - 1))
        elif not side:
            found[name] = value
    return found


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", name):
        raise ValueError(
            "name must be the name of a set of weights, of letters, digits, _ and -, such as "
            f"'vae_peeps32', not a path; got {name!r}"
        )


def _sums() -> dict[str, str]:
    path = FOLDER / SUMS
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    pairs = (line.split() for line in lines)
    return {pair[1].removesuffix(".safetensors"): pair[0] for pair in pairs if len(pair) == 2}


def _again(name: str) -> str:
    return f"install the course again, or run: python -m course_lib.recipes {name}"
