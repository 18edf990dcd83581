import functools

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as TheirPCA
from torch import Tensor

from course_lib import data, pca
from course_lib.pca import PCA, principal_angles


def draw(n: int, d: int, seed: int = 0, decay: float = 0.8) -> Tensor:
    """Rows with a spectrum that falls by `decay` a component, so that each component is defined."""
    generator = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
    spread = decay ** torch.arange(d, dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) * spread @ rotation + 3


def assert_same(ours: PCA, x: Tensor, atol: float) -> None:
    theirs = TheirPCA(ours.k, svd_solver="full").fit(x.flatten(1).double().numpy())
    expected = torch.from_numpy(theirs.components_)
    signs = (expected * ours.components).sum(1, keepdim=True).sign()
    torch.testing.assert_close(ours.components.double(), signs * expected, atol=atol, rtol=0)
    torch.testing.assert_close(
        ours.explained_variance_ratio.double(),
        torch.from_numpy(theirs.explained_variance_ratio_),
        atol=1e-6,
        rtol=0,
    )
    torch.testing.assert_close(
        ours.explained_variance.double(),
        torch.from_numpy(theirs.explained_variance_),
        atol=0,
        rtol=1e-4,
    )
    torch.testing.assert_close(
        ours.mean.double(), torch.from_numpy(theirs.mean_), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("n, d, k", [(60, 12, 5), (12, 60, 5), (40, 40, 39), (2, 3, 1)])
def test_pca_agrees_with_scikit_learn_up_to_sign(n, d, k):
    x = draw(n, d)
    assert_same(PCA(k).fit(x), x, atol=1e-7)


@pytest.mark.parametrize("name, count", [("peeps", 400), ("fashion", 3000), ("fashion", 300)])
def test_pca_of_pictures_agrees_with_scikit_learn(name, count):
    x = data.load(name, "train")[:count].floats()
    assert_same(PCA(20).fit(x), x, atol=2e-4)


@pytest.mark.parametrize("n, d, k", [(150, 130, 5), (130, 150, 12), (200, 120, 1)])
def test_the_krylov_route_finds_what_the_exact_routes_find(n, d, k, monkeypatch):
    x = draw(n, d, decay=0.9)
    exact = PCA(k).fit(x)
    monkeypatch.setattr(pca, "EXACT_UP_TO", 10)
    monkeypatch.setattr(pca, "_from_gram", None)
    monkeypatch.setattr(pca, "_from_covariance", None)
    found = PCA(k).fit(x)
    torch.testing.assert_close(found.components, exact.components, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.explained_variance, exact.explained_variance)


@pytest.mark.parametrize("shape", [(200, 300), (300, 200)])
def test_the_exact_route_takes_over_where_a_flat_spectrum_makes_krylov_dearer(shape, monkeypatch):
    monkeypatch.setattr(pca, "EXACT_UP_TO", 50)
    taken = []
    for name in ("_from_gram", "_from_covariance"):
        route = getattr(pca, name)
        note = functools.partial(lambda route, *given: taken.append(1) or route(*given), route)
        monkeypatch.setattr(pca, name, note)
    generator = torch.Generator().manual_seed(0)
    flat = torch.rand(shape, generator=generator, dtype=torch.float64)
    steep = flat @ torch.diag(0.8 ** torch.arange(shape[1], dtype=torch.float64))
    PCA(5).fit(steep)
    assert not taken
    found = PCA(5).fit(flat)
    assert taken
    wanted = torch.linalg.svdvals(flat - flat.mean(0))[:5].square() / (shape[0] - 1)
    assert torch.allclose(found.explained_variance, wanted, rtol=1e-9)


def test_the_krylov_route_survives_data_of_low_rank(monkeypatch):
    monkeypatch.setattr(pca, "EXACT_UP_TO", 10)
    x = draw(200, 3) @ draw(120, 120)[:3]
    found = PCA(5).fit(x)
    torch.testing.assert_close(
        found.components @ found.components.T, torch.eye(5, dtype=x.dtype), atol=1e-8, rtol=0
    )
    torch.testing.assert_close(found.decode(found.encode(x)), x, atol=1e-6, rtol=0)


def test_slices_do_not_change_the_result(monkeypatch):
    for n, d in ((50, 20), (20, 50)):
        x = draw(n, d)
        whole = PCA(4).fit(x).components
        with monkeypatch.context() as patch:
            patch.setattr(pca, "SLICE", 70)
            torch.testing.assert_close(PCA(4).fit(x).components, whole)


@pytest.mark.parametrize("n, d", [(50, 20), (20, 50), (20, 20)])
def test_components_are_orthonormal_and_their_largest_loading_is_positive(n, d):
    found = PCA(min(n, d)).fit(draw(n, d))
    torch.testing.assert_close(
        found.components @ found.components.T,
        torch.eye(min(n, d), dtype=torch.float64),
        atol=1e-8,
        rtol=0,
    )
    largest = found.components.gather(1, found.components.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


def test_all_components_give_the_data_back_and_explain_everything():
    x = draw(9, 30)
    found = PCA(8).fit(x)  # 9 points span 8 dimensions around their mean
    torch.testing.assert_close(found.decode(found.encode(x)), x)
    assert found.explained_variance_ratio.sum() == pytest.approx(1)


def test_encode_is_centred_uncorrelated_and_undone_by_decode():
    x = draw(100, 15)
    found = PCA(4).fit(x)
    codes = found.encode(x)
    torch.testing.assert_close(codes.mean(0), torch.zeros(4).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(
        torch.cov(codes.T), found.explained_variance.diag(), atol=1e-9, rtol=1e-6
    )
    torch.testing.assert_close(found.encode(found.decode(codes)), codes)


def test_no_plane_is_closer_to_the_data_than_the_first_components():
    x = draw(100, 6, decay=0.95)
    error = (PCA(2).fit(x).decode(PCA(2).fit(x).encode(x)) - x).square().sum()
    centred = x - x.mean(0)
    for seed in range(20):
        basis = torch.linalg.qr(draw(6, 2, seed=seed, decay=1.0)).Q
        assert (centred - centred @ basis @ basis.T).square().sum() > error


def test_pictures_are_flattened_and_float32_stays_float32():
    x = draw(20, 48).float()
    rows, pictures = PCA(3).fit(x), PCA(3).fit(x.view(20, 3, 4, 4))
    assert torch.equal(rows.components, pictures.components)
    assert torch.equal(rows.encode(x), rows.encode(x.view(20, 3, 4, 4)))
    assert {t.dtype for t in vars(rows).values() if isinstance(t, Tensor)} == {torch.float32}


def test_fit_leaves_its_argument_alone_and_takes_any_layout():
    x = draw(30, 12)
    copy, turned = x.clone(), x.T.contiguous().T
    a = PCA(3).fit(x).components
    assert torch.equal(x, copy)
    torch.testing.assert_close(PCA(3).fit(turned).components, a)


def test_a_far_mean_costs_no_digits():
    x = draw(100, 10)
    near, far = PCA(3).fit(x), PCA(3).fit(x + 1e6)
    torch.testing.assert_close(near.components, far.components, atol=1e-6, rtol=0)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, None])
def test_k_must_be_a_count(k):
    with pytest.raises(ValueError, match="^k,"):
        PCA(k)


@pytest.mark.parametrize(
    "bad, error, says",
    [
        (torch.zeros(10, 5, dtype=torch.uint8), TypeError, "x must be floating point"),
        (torch.randn(10), ValueError, r"x must be \(n, d\)"),
        (torch.randn(1, 5), ValueError, "at least 2 rows"),
        (torch.randn(3, 5), ValueError, "k must be at most"),
        (torch.randn(10, 5).where(torch.eye(10, 5) < 1, float("nan")), ValueError, "finite"),
        (torch.randn(10, 5).where(torch.eye(10, 5) < 1, float("inf")), ValueError, "finite"),
        (torch.full((10, 5), 0.1), ValueError, "all its rows are equal"),
        (torch.zeros(10, 5), ValueError, "all its rows are equal"),
    ],
)
def test_fit_says_what_is_wrong_with_the_data(bad, error, says):
    with pytest.raises(error, match=says):
        PCA(4).fit(bad)


def test_encode_and_decode_say_what_is_wrong():
    with pytest.raises(ValueError, match="fit"):
        PCA(2).encode(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="fit"):
        PCA(2).decode(torch.zeros(3, 2))
    found = PCA(2).fit(torch.randn(10, 4))
    with pytest.raises(ValueError, match="4 columns"):
        found.encode(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="codes"):
        found.decode(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="codes"):
        found.decode(torch.zeros(2))


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.5, 44.9, 45.1, 89.9, 90.0])
def test_the_angle_between_two_lines_is_found_however_small(angle):
    radians = np.deg2rad(angle)
    a = torch.tensor([[1.0, 0, 0]], dtype=torch.float64)
    b = torch.tensor([[np.cos(radians), np.sin(radians), 0]])
    assert principal_angles(a, 5 * b).item() == pytest.approx(angle, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("p, q", [(3, 3), (2, 5), (5, 2), (4, 7)])
def test_principal_angles_agree_with_scipy(p, q):
    from scipy.linalg import subspace_angles

    a, b = draw(p, 10, seed=1), draw(q, 10, seed=2)
    expected = np.rad2deg(subspace_angles(a.T.numpy(), b.T.numpy()))[::-1].copy()
    expected = torch.from_numpy(expected)  # whose 0° may be 1e-8 radians, by version
    torch.testing.assert_close(principal_angles(a, b), expected, rtol=1e-7, atol=2e-6)


def test_one_subspace_has_no_angle_to_itself_in_another_basis():
    a = draw(4, 12)
    assert principal_angles(a, draw(4, 4, seed=1) @ a).max() < 1e-6


def test_principal_angles_say_what_is_wrong():
    a = draw(2, 5)
    for bad in (a[0], torch.cat([a, a[:1]]), a * float("nan"), draw(2, 6)):
        with pytest.raises(ValueError):
            principal_angles(a, bad)
        with pytest.raises(ValueError):
            principal_angles(bad, a)
