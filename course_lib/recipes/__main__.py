"""The command `python -m course_lib.recipes NAME …`: makes shipped weights again."""

import argparse
from collections.abc import Callable

from course_lib import recipes
from course_lib.recipes import (
    autoencoders,
    dcgan,
    diffusion,
    editing,
    gan,
    metrics,
    restoration,
    styles,
    translation,
    words,
)

LECTURES = (metrics, autoencoders, gan, dcgan, translation, diffusion, styles, editing)
LECTURES += (restoration, words)
RECIPES: dict[str, Callable[[], None]] = {
    recipe.__name__: recipe for lecture in LECTURES for recipe in lecture.RECIPES
}
# translations there and back learn together, and are written together
KINDS = ("", "_free", "_change")
RECIPES |= {f"glasses_off{kind}": RECIPES[f"glasses_on{kind}"] for kind in KINDS}
RECIPES["repair_judge"] = RECIPES["repair_gan"]  # they learn against each other


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.recipes", description=recipes.__doc__
    )
    parser.add_argument(
        "names", nargs="+", choices=RECIPES, metavar="NAME", help=", ".join(RECIPES)
    )
    for name in parser.parse_args().names:
        RECIPES[name]()


if __name__ == "__main__":
    main()
