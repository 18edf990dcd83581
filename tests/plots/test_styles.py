"""Figures of lecture 09: what they draw."""

import numpy as np
import pytest
import torch

from course_lib.plots import styles as figures
from tests.helpers import returns_its_figure


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_mixing_table_has_people_on_top_and_donors_at_the_left():
    people, donor, mixed = pictures(4), pictures(1, 1)[0], pictures(4, 2)
    figure = figures.mixing(people, {"4 × 4": (donor, mixed), "8 × 8": (donor, mixed)})
    axes = np.array(figure.axes).reshape(3, 2)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["", "4 × 4", "8 × 8"]
    assert not axes[0, 0].images and axes[1, 0].images and axes[2, 1].images
    shown = axes[1, 1].images[0].get_array()
    assert np.allclose(shown[:8, :8], (mixed[0].permute(1, 2, 0).numpy() + 1) / 2)


def test_kept_and_taken_shares_and_a_third_fill_the_bar():
    figure = figures.kept_and_taken(
        {"4 × 4": {"head": (0.17, 0.15)}, "8 × 8": {"head": (0.1, 0.6)}}
    )
    taken, third, kept = figure.axes[0].containers
    assert [bar.get_width() for bar in taken] == pytest.approx([0.17, 0.1])
    assert [bar.get_width() for bar in third] == pytest.approx([0.68, 0.3])
    assert [bar.get_width() for bar in kept] == pytest.approx([0.15, 0.6])
    assert kept[0].get_x() + kept[0].get_width() == pytest.approx(1)


REAL = {"precision": 0.89, "recall": 0.95}


def test_truncation_names_its_rows_and_draws_each_measure_over_psi():
    strips = {psi: pictures(3) for psi in (1.0, 0.5, 0.0)}
    figure = figures.truncation(
        strips, {"precision": [0.9, 0.95, 1.0], "recall": [0.3, 0.1, 0.0]}, REAL
    )
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["ψ = 1", "ψ = 0.5", "ψ = 0"]
    assert [ax.get_title() for ax in figure.axes[1:]] == ["precision", "recall"]
    line = figure.axes[1].lines[0]
    assert list(line.get_xdata()) == [1.0, 0.5, 0.0] and list(line.get_ydata()) == [0.9, 0.95, 1.0]
    assert [ax.lines[1].get_ydata()[0] for ax in figure.axes[1:]] == [0.89, 0.95]
    assert all(ax.get_ylim() == (0, 1.05) for ax in figure.axes[1:])


def test_the_drop_is_circled():
    x = torch.zeros(8, 8)
    x[2, 5] = 100
    circle = figures.droplet(x, {"AdaIN": x}).axes[0].lines[0]
    assert (circle.get_xdata()[0], circle.get_ydata()[0]) == (5, 2)


def test_attention_marks_the_place_that_looks():
    weights = torch.zeros(2, 4, 4)
    weights[0, 1, 2] = 1
    figure = figures.attention_on(pictures(1)[0], weights, [(3, 5), (0, 7)])
    *panels, scale = figure.axes
    assert [ax.get_title() for ax in panels] == [
        "picture",
        "from row 3, column 5",
        "from row 0, column 7",
    ]
    assert (panels[1].images[0].get_array() == weights[0].numpy()).all()
    assert all(ax.images[0].get_clim() == (0, 1) for ax in panels[1:])  # one scale
    assert scale.get_ylabel() == "attention weight"


def test_differences_that_stick_are_told_in_db():
    x = torch.linspace(-0.1, 0.1, 16)
    figure = figures.sticking({"1 ×": (x, 0 * x, 29.5), "8 ×": (x, x, 71.3)})
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["1 ×\n30 dB", "8 ×\n71 dB"] or labels == ["1 ×\n29 dB", "8 ×\n71 dB"]
    assert np.allclose(figure.axes[0].lines[0].get_ydata(), x.abs())
    assert np.allclose(figure.axes[1].lines[0].get_ydata(), 0)
    limits = {ax.get_ylim() for ax in figure.axes}
    assert len(limits) == 1 and all(ax.get_yscale() == "log" for ax in figure.axes)


FIGURES = {
    "mixing": lambda: figures.mixing(pictures(3), {"a": (pictures(1)[0], pictures(3))}),
    "kept_and_taken": lambda: figures.kept_and_taken({"a": {"head": (0.1, 0.2), "skin": (0, 1)}}),
    "truncation": lambda: figures.truncation({1.0: pictures(2)}, {"precision": [0.5]}, REAL),
    "droplet": lambda: figures.droplet(torch.zeros(8, 8), {"AdaIN": torch.ones(8, 8)}),
    "leaks": lambda: figures.leaks(torch.linspace(0, 1, 5), {"flip": torch.linspace(1, 0, 5)}),
    "sticking": lambda: figures.sticking({"a": (torch.zeros(4), torch.ones(4), 3.0)}),
    "attention_on": lambda: figures.attention_on(pictures(1)[0], torch.rand(1, 4, 4), [(2, 3)]),
    "dirac_rates": lambda: figures.dirac_rates([0.1, 1.0], {"γ = 1": [0.95, 0.9]}, 0.1),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    r"rows\['a'\] must be \(donor, mixed\)": lambda: figures.mixing(
        torch.zeros(2, 3, 8, 8), {"a": 3}
    ),
    r"cases\['a'\] must be \(first, second, dB\)": lambda: figures.sticking({"a": [1, 2]}),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
