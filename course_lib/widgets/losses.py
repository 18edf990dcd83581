"""Sliders of lecture 05: losses, critics, judges."""

from collections.abc import Mapping

import ipywidgets
import matplotlib.pyplot as plt
from jaxtyping import Float
from torch import Tensor

from course_lib.checks import finite, named, number, present, shaped
from course_lib.plots import losses as figures
from course_lib.widgets import live


def slid_away(
    distances: Float[Tensor, " n"], pulls: Mapping[str, Float[Tensor, " n"]]
) -> ipywidgets.VBox:
    """Lecture 05: fakes slide away from the data; how hard does each loss pull them back?"""
    finite("distances", present("distances", shaped("distances", distances, "n")))
    named("pulls", pulls, shaped, len(distances))
    picture = figures.SlidAway(distances, pulls)
    picture.figure.set_size_inches(8.2, 3.3)
    stops = {
        f"{at:g} σ{remark}": (distances - at).abs().argmin().item()
        for at, remark in ((1, ""), (2, ""), (4, ""), (8, ""), (12, ", out of sight"))
    }

    def draw(i: int) -> str:
        picture.show(i)
        told = (f"{name} <b>{pull[i].item():.3g}</b>" for name, pull in pulls.items())
        return f"{distances[i]:.3g} σ away, pull: " + ", ".join(told)

    return live(picture.figure, stops, draw, start="1 σ", label="slide the fakes")


def by_budget(
    budgets: Mapping[int, Mapping[str, tuple[float, float, float]]], floor: float
) -> ipywidgets.VBox:
    """Lecture 05: Fréchet distance of each loss, (mean, low, high), after so many updates."""
    named("budgets", budgets, named), number("floor", floor, above=0)
    names = list(next(iter(budgets.values())))
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    colors, places = [figures.color_of(name) for name in names], range(len(names))
    dots = axes.scatter([1.0] * len(names), places, color=colors)
    intervals = axes.hlines(places, 1, 1, color=colors)
    axes.axvline(floor, color="black", linewidth=0.8, linestyle=":")
    highest = max(high for means in budgets.values() for _, _, high in means.values())
    axes.set(xscale="log", xlim=(0.7 * floor, 1.4 * highest), xlabel="Fréchet distance")
    axes.set_yticks(places, names)
    axes.invert_yaxis()

    def draw(budget: int) -> str:
        rows = [budgets[budget][name] for name in names]
        dots.set_offsets([(mean, y) for y, (mean, _, _) in enumerate(rows)])
        intervals.set_segments([[(low, y), (high, y)] for y, (_, low, high) in enumerate(rows)])
        best, second = sorted(range(len(names)), key=lambda i: rows[i][0])[:2]
        clear = rows[best][2] < rows[second][1]
        return (
            f"first: <b>{names[best]}</b>, {rows[best][0]:.2f}; then {names[second]}, "
            f"{rows[second][0]:.2f}; their intervals {'are apart' if clear else 'overlap'}"
        )

    stops = {f"{budget:,} updates": budget for budget in budgets}
    return live(figure, stops, draw, start=list(stops)[-1], label="budget")
