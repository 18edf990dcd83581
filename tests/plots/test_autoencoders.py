"""Figures of lecture 02: what they draw, and what they refuse."""

import numpy as np
import pytest
import torch

from course_lib.autoencoders import VAE
from course_lib.plots import autoencoders as figures
from tests.helpers import returns_its_figure


def flat() -> VAE:
    """A VAE with 2 latents whose codes are wide."""
    torch.manual_seed(0)
    model = VAE(nc=3, size=8, latent=2, kind="dense", hidden=4).eval()
    model.encoder.head[2].weight.data *= 20
    return model


def test_the_share_outside_is_that_of_the_circle_drawn():
    model, x = flat(), torch.randn(40, 3, 8, 8).tanh()
    figure = figures.code_planes({"β = 1": model}, x, faces=2)
    with torch.no_grad():
        outside = (model.encode(x)[0].norm(dim=1) > figure.axes[0].patches[0].radius).float().mean()
    assert 0 < outside < 1 and f"{outside:.0%} outside" in figure.axes[0].get_title()


def test_decoded_faces_are_drawn_with_a_whole_number_of_dots_a_pixel():
    model, x = flat(), torch.zeros(4, 3, 8, 8)
    planes = figures.code_planes({"β = 1": model, "β = 2": model}, x, faces=3)
    for axes in [*planes.axes, *figures.manifold(model, columns=5).axes]:
        for image in axes.images:
            zoom = axes.get_window_extent().width / len(image.get_array())
            assert zoom == pytest.approx(round(zoom)) and round(zoom) >= 1


def test_an_ellipse_is_as_wide_as_its_sigma_and_lies_at_its_mu():
    mu, sigma = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.2, 0.4]])
    axes = figures.codes_over_prior({"a": (mu, sigma)}).axes[0]
    ellipses, _dots = axes.collections
    assert np.allclose(ellipses.get_offsets(), mu)
    assert np.allclose([ellipses._widths, ellipses._heights], [[0.2], [0.4]])  # half axes
    assert [circle.radius for circle in axes.patches] == [1, 2]


LINE = torch.linspace(-1, 1, 5)
FIGURES = {
    "through_a_vae": lambda: figures.through_a_vae(
        torch.zeros(3, 8, 8), *torch.randn(3, 5).abs(), torch.zeros(3, 8, 8)
    ),
    "kept": lambda: figures.variance_kept(torch.tensor([0.5, 0.8]), 1),
    "shares": lambda: figures.attribute_shares({"head": [0.1, 0.9], "skin": [0.0, 0.2]}),
    "planes": lambda: figures.code_planes({"β = 1": flat()}, torch.zeros(4, 3, 8, 8), faces=2),
    "map": lambda: figures.manifold(flat(), columns=2),
    "bound": lambda: figures.bound_and_evidence(LINE, LINE, LINE - 1, LINE, LINE, LINE, at=0.5),
    "answers": lambda: figures.two_pictures_one_answer(LINE, LINE**2),
    "redness": lambda: figures.redness({"seen": LINE, "drawn": LINE - 1}, 0.05),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    returns_its_figure(FIGURES[name])


REFUSED = {
    "model must have a method decode, as a VAE has; got int": lambda: figures.manifold(3),
    "columns must be a whole number, .* at most 100": lambda: figures.manifold(3, columns=10**6),
    "sigma must be at least 0; got -1": lambda: figures.through_a_vae(
        torch.zeros(3, 8, 8), torch.zeros(2), -torch.ones(2), torch.zeros(2), torch.zeros(3, 8, 8)
    ),
    r"codes\['a'\] must hold 2; got 1": lambda: figures.codes_over_prior(
        {"a": [torch.zeros(3, 2)]}
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(told):
    with pytest.raises((ValueError, TypeError), match=told):
        REFUSED[told]()
