"""Emoji in three aligned styles, 32x32 RGB on white -> emoji.npz.

    npm pack emoji-datasource-google@16.0.0 @iconify-json/fluent-emoji-flat@1.2.6 \
        @lobehub/fluent-emoji-3d@1.1.0 @iconify-json/fluent-emoji-high-contrast@1.2.6 openmoji@17.0.0
    (unpack each into PACKAGES/NAME, NAME as in the constants below)
    python emoji.py list PACKAGES WORK
    node emoji.mjs WORK
    python emoji.py pack PACKAGES WORK emoji.npz

A row is an emoji that Noto, Fluent flat and Fluent 3D all draw, and that Fluent high contrast and OpenMoji draw
too (these two are used for nothing else); flags and skin-tone components are left out. The order is Unicode's.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

NOTO, FLAT = "emoji-datasource-google", "fluent-emoji-flat"
THREE_D, CONTRAST, OPENMOJI = "fluent-emoji-3d", "fluent-emoji-high-contrast", "openmoji"
SIDE = 32


def code_of(name: str) -> str:
    """Code points as 1f600-1f3fb, without the variation selector."""
    return "-".join(part for part in name.lower().split("-") if part != "fe0f")


def files_by_code(folder: Path, suffix: str) -> dict[str, str]:
    return {code_of(path.stem): path.name for path in folder.iterdir() if path.suffix == suffix}


def svg_of(icons: dict, name: str) -> str | None:
    """The icon of an Iconify set as an SVG, or None where the set lacks it."""
    icon = icons["icons"].get(name)
    if icon is None and name in icons.get("aliases", {}):
        icon = icons["icons"][icons["aliases"][name]["parent"]]
    if icon is None:
        return None
    height = icon.get("height", icons.get("height", 16))
    width = icon.get("width", icons.get("width", height))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box}" width="{width}" height="{height}">{icon["body"]}</svg>'
    )


def make_list(packages: Path, work: Path) -> None:
    def read(*parts):
        return json.loads(packages.joinpath(*parts).read_text())

    flat, contrast = read(FLAT, "icons.json"), read(CONTRAST, "icons.json")
    names = {code_of(code): name for code, name in read(FLAT, "chars.json").items()}
    three_d = files_by_code(packages / THREE_D / "assets", ".webp")
    openmoji = files_by_code(packages / OPENMOJI / "color" / "svg", ".svg")
    (work / "svg").mkdir(parents=True, exist_ok=True)
    rows = []
    for emoji in sorted(read(NOTO, "emoji.json"), key=lambda emoji: emoji["sort_order"]):
        code = code_of(emoji["unified"])
        name = names.get(code)
        if emoji["category"] in ("Flags", "Component") or name is None:
            continue
        svg = svg_of(flat, name)
        plain = svg_of(contrast, name) or svg_of(contrast, name.replace("-default", ""))
        if svg is None or plain is None or code not in three_d or code not in openmoji:
            continue
        (work / "svg" / f"{code}.svg").write_text(svg)
        row = dict(code=code, noto=emoji["image"], three_d=three_d[code])
        row["name"] = (emoji["name"] or emoji["short_name"]).lower()
        rows.append(row | dict(group=emoji["category"], subgroup=emoji["subcategory"]))
    (work / "rows.json").write_text(json.dumps(rows))


def picture(path: Path) -> np.ndarray:
    """The picture on white, made square, at 32x32."""
    image = Image.open(path).convert("RGBA")
    side = max(image.size)
    white = Image.new("RGBA", (side, side), (255, 255, 255, 255))
    corner = ((side - image.width) // 2, (side - image.height) // 2)
    white.alpha_composite(image, corner)
    image = white.convert("RGB")
    whole = side % SIDE == 0
    return np.asarray(image.resize((SIDE, SIDE), Image.BOX if whole else Image.LANCZOS))


def pack(packages: Path, work: Path, out: Path) -> None:
    rows = json.loads((work / "rows.json").read_text())
    noto = packages / NOTO / "img" / "google" / "64"
    np.savez_compressed(
        out,
        noto_32=np.stack([picture(noto / row["noto"]) for row in rows]),
        fluent3d_32=np.stack(
            [picture(packages / THREE_D / "assets" / row["three_d"]) for row in rows]
        ),
        fluentflat_32=np.stack([picture(work / "png" / f"{row['code']}.png") for row in rows]),
        codepoints=np.array([row["code"] for row in rows]),
        names=np.array([row["name"] for row in rows]),
        groups=np.array([row["group"] for row in rows]),
        subgroups=np.array([row["subgroup"] for row in rows]),
    )


if __name__ == "__main__":
    command, *folders = sys.argv[1:]
    {"list": make_list, "pack": pack}[command](*map(Path, folders))
