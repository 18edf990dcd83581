"""How big a run is: `smoke` (tests: seconds), `laptop` (two CPU cores: minutes), `gpu`.

The default is `gpu` where CUDA or MPS computes and `laptop` elsewhere. The environment variable
`COURSE_SCALE` overrides it.
"""

import os
from typing import TypeVar

from course_lib.device import usable

SCALES = ("smoke", "laptop", "gpu")
T = TypeVar("T")


def current() -> str:
    """The scale of this process: "smoke", "laptop" or "gpu".

    Raises ValueError where `COURSE_SCALE` is set to anything else.
    """
    wanted = os.environ.get("COURSE_SCALE", "").strip().lower()
    if wanted:
        if wanted not in SCALES:
            raise ValueError(
                f"COURSE_SCALE must be one of {', '.join(SCALES)}; it is set to {wanted!r}"
            )
        return wanted
    device, _ = usable()
    return "laptop" if device.type == "cpu" else "gpu"


def pick(*, smoke: T, laptop: T, gpu: T) -> T:
    """The value for the current scale: `steps = pick(smoke=5, laptop=1500, gpu=20_000)`."""
    return {"smoke": smoke, "laptop": laptop, "gpu": gpu}[current()]
