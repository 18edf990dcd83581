"""What the probes saw of a submission's functions, as JSON, and back, with nothing trusted."""

import base64
import json
import math
from typing import Any

import torch

from course_lib.exercises.comparing import Thing
from course_lib.exercises.running import Outcome, Run

DTYPES = {str(d): d for d in vars(torch).values() if isinstance(d, torch.dtype)}
# Bounds, ten times what the largest honest result of the course needs or more
LONGEST = 4 << 20  # bytes of a message
MOST = 20_000  # entries of all lists and tables in a message
DEEPEST = 20  # lists in lists
TEXT = 20_000  # characters of a text


def unpacked(line: bytes) -> Any:
    """JSON, counted before it is decoded. Raises ValueError."""
    if line.count(b",") + line.count(b"[") + line.count(b"{") > MOST:
        raise ValueError("a message of too many entries")
    return json.loads(line)


def encoded_run(seen: Run) -> dict[str, Any]:
    state = {"blank": seen.blank, "stopped": seen.stopped, "stuck": seen.stuck}
    rounds = {"outcomes": seen.outcomes, "again": seen.again}
    return state | {key: list(map(_encoded_outcome, several)) for key, several in rounds.items()}


def _encoded_outcome(outcome: Outcome) -> dict[str, Any]:
    seen = outcome.observed
    return {
        "observed": None if seen is None else {name: encoded(v) for name, v in seen.items()},
        "error": outcome.error,
        "details": outcome.details,
        "returned": outcome.returned,
        "forms": encoded(outcome.forms),
    } | {key: sorted(getattr(outcome, key)) for key in ("changed", "left", "drawn")}


def decoded_run(message: Any) -> Run:
    """Raises where a message is not exactly what `encoded_run` makes."""
    once, again = (list(map(_decoded_outcome, message[key])) for key in ("outcomes", "again"))
    stopped, stuck = text(message["stopped"]), message["stuck"] is True
    return Run(once, again, text(message["blank"]), stopped, stuck)


def _decoded_outcome(entry: Any) -> Outcome:
    observed = entry["observed"]
    if observed is not None:
        observed = {text(name): decoded(value) for name, value in observed.items()}
    error, details = text(entry["error"]), text(entry["details"])
    returned = list(map(text, entry["returned"]))
    changed, left, drawn = (set(map(text, entry[key])) for key in ("changed", "left", "drawn"))
    forms = decoded(entry["forms"])
    return Outcome(observed, error, details, returned, changed, forms, left, drawn)


def text(value: Any) -> str:
    if type(value) is not str or len(value) > TEXT:
        raise TypeError(f"expected a short text, got {type(value).__name__}")
    return value


def encoded(value: Any) -> Any:
    """A snapshot as JSON: what JSON lacks is a list that begins with a tag."""
    if isinstance(value, torch.Tensor):
        flat = value.resolve_conj().resolve_neg().reshape(-1)
        # a copy, since one number of an expanded tensor keeps its stride of 0, which no view takes
        flat = flat.clone(memory_format=torch.contiguous_format).view(torch.uint8)
        data = base64.b64encode(flat.numpy().tobytes()).decode()
        return ["tensor", str(value.dtype), list(value.shape), data]
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, complex):
        return ["complex", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, (list, tuple)):
        return ["list" if isinstance(value, list) else "tuple", *map(encoded, value)]
    if isinstance(value, dict):
        return ["dict", *([encoded(key), encoded(entry)] for key, entry in value.items())]
    if isinstance(value, Thing):
        return ["thing", value.kind]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return ["thing", type(value).__name__]  # a key of a dict that is no snapshot


def decoded(value: Any, depth: int = 0) -> Any:
    """The snapshot again, of plain types only. Raises ValueError and the like for all else."""
    if type(value) is str:
        return text(value)
    if value is None or type(value) in (bool, int):
        return value
    if depth > DEEPEST:
        raise ValueError("lists too deep in lists")
    tag, *rest = value
    if tag in ("list", "tuple"):
        return (list if tag == "list" else tuple)(decoded(entry, depth + 1) for entry in rest)
    if tag == "dict":
        return _dict(rest, depth + 1)
    return {"tensor": _tensor, "float": float.fromhex, "complex": _complex, "thing": _thing}[tag](
        *rest
    )


def _dict(pairs: list, depth: int) -> dict:
    if len(pairs) > 1000:  # keys that are chosen to collide take the square of their number
        raise ValueError("a dict of too many entries")
    return {decoded(key, depth): decoded(entry, depth) for key, entry in pairs}


def _complex(real: str, imaginary: str) -> complex:
    return complex(float.fromhex(real), float.fromhex(imaginary))


def _thing(kind: str) -> Thing:
    return Thing(text(kind))


def _tensor(dtype: str, shape: list[int], data: str) -> torch.Tensor:
    raw, kind = bytearray(base64.b64decode(data, validate=True)), DTYPES[dtype]
    if any(type(n) is not int or n < 0 for n in shape) or len(shape) > 16:
        raise ValueError("no shape of a tensor")
    if math.prod(shape) * kind.itemsize != len(raw):
        raise ValueError("a shape that does not fit its bytes")
    if not raw:
        return torch.empty(shape, dtype=kind)
    flat = torch.frombuffer(raw, dtype=torch.uint8)
    flat = flat != 0 if dtype == "torch.bool" else flat.view(kind)
    return flat.reshape(shape)
