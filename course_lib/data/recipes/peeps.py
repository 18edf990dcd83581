"""Open Peeps: the raw renders of peeps.mjs -> peeps.npz.   python peeps.py FOLDER peeps.npz

npm @dicebear/core and @dicebear/open-peeps 9.4.3, @resvg/resvg-js 2.6.2. The first 2,000 people are kept
without and with glasses too.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main(folder: Path, out: Path) -> None:
    made = json.loads((folder / "meta.json").read_text())
    n, side, values, people = made["N"], made["S"], made["V"], made["meta"]

    def pictures(name):
        return np.fromfile(folder / f"{name}.rgb", np.uint8).reshape(n, side, side, 3)

    arrays = {"images": pictures("image"), "lines": pictures("line")}
    arrays["without_glasses"] = pictures("noglasses")[:2000]
    arrays["with_glasses"] = pictures("glasses")[:2000]
    for key, names in values.items():
        arrays[key] = np.array([names.index(person[key]) for person in people], np.uint8)
        arrays[f"vocab_{key}"] = np.array(names)
    for key in ("hasGlasses", "hasFacialHair"):
        arrays[key] = np.array([person[key] for person in people])
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
