import hashlib
import http.client
import io
import math
import pickle
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course_lib import data, metrics
from course_lib.metrics import (
    Classifier,
    FeatureNet,
    fit_gaussian,
    frechet_distance,
    inception_features,
    kid,
    precision_recall,
    psnr,
    sharpness,
    ssim,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def between(a: Tensor, b: Tensor) -> float:
    return frechet_distance(*fit_gaussian(a), *fit_gaussian(b))


# Fréchet distance


def test_frechet_distance_of_two_small_sets_is_the_published_number():
    # means (1.5, 1), (5.5, 9); covariances of the first column 25/99, 1225/99: 16 + 64 + 900/99
    real, fake = torch.ones(100, 2), 9 * torch.ones(100, 2)
    real[:50, 0], fake[50:, 0] = 2, 2
    assert between(real, fake) == pytest.approx(89.0909, abs=1e-3)


def test_frechet_distance_of_shifted_gaussians_is_the_squared_shift():
    zero, one, identity = torch.zeros(256), torch.ones(256), torch.eye(256)
    assert frechet_distance(zero, identity, one, identity) == pytest.approx(256)


@pytest.mark.parametrize("s", [0.0, 0.3, 1.0, 4.0])
def test_frechet_distance_of_widened_gaussians_is_d_times_the_squared_difference_of_spreads(s):
    mean, identity = torch.zeros(5), torch.eye(5)
    found = frechet_distance(mean, identity, mean, s**2 * identity)
    assert found == pytest.approx(5 * (1 - s) ** 2, abs=1e-5)


def test_frechet_distance_of_diagonal_covariances_compares_standard_deviations():
    a, b = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([16.0, 1.0, 9.0])
    found = frechet_distance(torch.zeros(3), a.diag(), torch.zeros(3), b.diag())
    assert found == pytest.approx(9 + 1 + 0, abs=1e-5)


@pytest.mark.parametrize("n, d", [(500, 8), (30, 64), (2, 5)])
def test_frechet_distance_agrees_with_scipy_also_with_fewer_samples_than_dimensions(n, d):
    from scipy.linalg import sqrtm

    a, b = draw(n, d, seed=1) @ draw(d, d, seed=2), draw(n, d, seed=3) + 0.5
    (mean_a, cov_a), (mean_b, cov_b) = ([t.numpy() for t in fit_gaussian(x)] for x in (a, b))
    jitter = 1e-10 * np.eye(d)  # sqrtm needs it where a covariance is singular
    root = sqrtm((cov_a + jitter) @ (cov_b + jitter)).real
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert between(a, b) == pytest.approx(expected, rel=1e-3)


def test_frechet_distance_is_symmetric_and_blind_to_rotation():
    a, b = draw(200, 6, seed=1), draw(200, 6, seed=2) * torch.arange(1.0, 7)
    rotation = torch.linalg.qr(draw(6, 6, seed=3)).Q
    assert between(a, b) == pytest.approx(between(b, a), rel=1e-6)
    assert between(a, b) == pytest.approx(between(a @ rotation, b @ rotation), rel=1e-5)


@pytest.mark.parametrize("n, d", [(1000, 64), (20, 64)])
def test_frechet_distance_of_a_set_to_itself_is_zero(n, d):
    x = 10 * draw(n, d)
    assert between(x, x) == pytest.approx(0, abs=1e-3)


def test_frechet_distance_of_two_samples_of_one_law_is_the_known_floor():
    # 64 dimensions, 1,000 samples: 2.1 (the course's table of floors)
    assert between(draw(1000, 64, seed=1), draw(1000, 64, seed=2)) == pytest.approx(2.1, abs=0.15)


def test_frechet_distance_of_constant_sets_is_the_distance_of_the_constants():
    assert between(torch.zeros(10, 3), 2 * torch.ones(10, 3)) == pytest.approx(12)


def test_frechet_distance_takes_float32_without_losing_digits():
    a, b = draw(1000, 16, seed=1) + 100, draw(1000, 16, seed=2) + 100
    assert between(a, b) == pytest.approx(between(a.double(), b.double()), rel=1e-9)


@pytest.mark.parametrize(
    "place, value, name",
    [
        (0, torch.full((3,), float("nan")), "mean_a"),
        (1, torch.full((3, 3), float("inf")), "cov_a"),
        (1, torch.eye(4), "cov_a"),
        (2, torch.zeros(2), "mean_b"),
        (3, torch.eye(3)[:2], "cov_b"),
        (3, torch.eye(3) + torch.ones(3, 3).triu(1), "cov_b"),
        (1, -torch.eye(3), "cov_a"),
        (3, -torch.eye(3), "cov_b"),
        (0, torch.zeros(1, 3), "mean_a"),
    ],
)
def test_frechet_distance_names_the_argument_that_is_wrong(place, value, name):
    arguments = [torch.zeros(3), torch.eye(3), torch.zeros(3), torch.eye(3)]
    arguments[place] = value
    with pytest.raises(ValueError, match=f"^{name}"):
        frechet_distance(*arguments)


def test_fit_gaussian_is_the_unbiased_covariance_in_float64():
    x = draw(50, 4) + 1000
    mean, cov = fit_gaussian(x)
    assert mean.dtype == cov.dtype == torch.float64
    np.testing.assert_allclose(mean, x.double().numpy().mean(0))
    np.testing.assert_allclose(cov, np.cov(x.double().numpy(), rowvar=False))
    with pytest.raises(ValueError):
        fit_gaussian(x[:1])


# Kernel distance


def naive_kid(x: Tensor, y: Tensor) -> float:
    x, y = x.double(), y.double()
    kernel = lambda a, b: ((a * b).sum() / len(a) + 1) ** 3  # noqa: E731

    def mean(p, q, same):
        pairs = [(i, j) for i in range(len(p)) for j in range(len(q)) if not (same and i == j)]
        return sum(kernel(p[i], q[j]) for i, j in pairs) / len(pairs)

    return (mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)).item()


@pytest.mark.parametrize("n, m", [(2, 2), (7, 11)])
def test_kid_is_the_mean_over_all_pairs_but_a_point_with_itself(n, m):
    x, y = draw(n, 5, seed=1), draw(m, 5, seed=2) + 0.5
    assert kid(x, y) == pytest.approx(naive_kid(x, y), rel=1e-9)


def test_kid_does_not_depend_on_the_chunks(monkeypatch):
    x, y = draw(50, 5, seed=1), draw(41, 5, seed=2)
    whole = kid(x, y)
    monkeypatch.setattr(metrics, "ROWS", 7)
    assert kid(x, y) == pytest.approx(whole, rel=1e-9)


def test_kid_is_zero_on_average_for_one_law_and_sometimes_negative():
    values = [kid(draw(60, 8, seed=2 * s), draw(60, 8, seed=2 * s + 1)) for s in range(60)]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 3.5 * error and min(values) < 0


def test_kid_agrees_with_torch_fidelity():
    prc = pytest.importorskip("torch_fidelity.metric_kid")
    x, y = draw(100, 16, seed=1).double(), draw(100, 16, seed=2).double() + 0.2
    expected = prc.mmd2(
        *(prc.kernel_poly(a.numpy(), b.numpy()) for a, b in ((x, x), (x, y), (y, y)))
    )
    assert kid(x, y) == pytest.approx(expected, rel=1e-9)


# Precision and recall


def naive_precision_recall(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    def share(points, support):
        inside = 0
        for p in points:
            for i, s in enumerate(support):
                others = torch.cat([support[:i], support[i + 1 :]])
                radius = (others - s).norm(dim=1).sort().values[k - 1]
                if (p - s).norm() <= radius:
                    inside += 1
                    break
        return inside / len(points)

    return share(fake, real), share(real, fake)


@pytest.mark.parametrize("k", [1, 3, 9])
def test_precision_and_recall_follow_the_definition(k):
    real, fake = draw(40, 3, seed=1).double(), 1.3 * draw(25, 3, seed=2).double() + 0.7
    assert precision_recall(real, fake, k) == pytest.approx(naive_precision_recall(real, fake, k))


def test_precision_and_recall_do_not_depend_on_the_chunks(monkeypatch):
    real, fake = draw(50, 3, seed=1), draw(41, 3, seed=2) + 0.8
    whole = precision_recall(real, fake)
    monkeypatch.setattr(metrics, "ROWS", 7)
    assert precision_recall(real, fake) == whole


def test_a_dropped_mode_costs_recall_and_rubbish_costs_precision():
    modes = draw(400, 2, seed=1) + torch.tensor([[0.0, 0.0], [100.0, 0.0]]).repeat(200, 1)
    one_mode = draw(400, 2, seed=2)
    precision, recall = precision_recall(modes, one_mode)
    assert precision > 0.9 and recall == pytest.approx(0.5, abs=0.05)
    precision, recall = precision_recall(one_mode, modes)
    assert recall > 0.9 and precision == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_equal_sets_have_precision_and_recall_one(offset):
    x = draw(60, 8) + offset
    assert precision_recall(x, x.flip(0)) == (1.0, 1.0)


def test_constant_sets_are_all_inside_or_all_outside():
    x = torch.full((10, 4), 0.1)
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, x + 1) == (0.0, 0.0)


def test_a_point_is_not_its_own_neighbour():
    real = torch.tensor([[0.0], [1.0], [10.0]])  # radii with k = 1: 1, 1, 9
    assert precision_recall(real, torch.tensor([[1.9], [30.0]]), k=1) == (0.5, pytest.approx(1.0))


def test_a_point_on_the_border_of_a_ball_lies_inside():
    real, fake = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [-1.0]])
    assert precision_recall(real, fake, k=1)[0] == 1


def test_precision_and_recall_agree_with_torch_fidelity():
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = draw(500, 16, seed=1).double(), 0.9 * draw(500, 16, seed=2).double() + 0.3
    assert precision_recall(real, fake) == pytest.approx(
        prc.calculate_precision_recall_full(fake, real, 3), abs=1e-6
    )


@pytest.mark.parametrize("function", [kid, precision_recall])
def test_two_sets_are_checked(function):
    x = draw(10, 4)
    for bad, error in (
        (x[:1], ValueError),
        (x[:, :3], ValueError),
        (x[0], ValueError),
        (x[:0], ValueError),
        (torch.where(x > 1, float("nan"), x), ValueError),
        (x.long(), TypeError),
    ):
        with pytest.raises(error):
            function(x, bad)
        with pytest.raises(error):
            function(bad, x)


@pytest.mark.parametrize("k", [0, 10, 2.0, True])
def test_precision_and_recall_refuse_a_k_without_neighbours(k):
    with pytest.raises(ValueError):
        precision_recall(draw(10, 2), draw(10, 2), k)


# Two images


def test_psnr_of_an_error_of_a_hundredth_is_20_decibels_at_range_1_and_26_at_range_2():
    a = torch.zeros(2, 3, 8, 8)
    assert psnr(a, a + 0.1, data_range=1.0) == pytest.approx(20, abs=1e-5)
    assert psnr(a, a + 0.1) == pytest.approx(26.0206, abs=1e-4)


def test_psnr_is_of_the_mean_error_and_not_the_mean_of_psnrs():
    a = torch.zeros(2, 1, 4, 4)
    b = a + torch.tensor([0.1, 0.3]).view(2, 1, 1, 1)
    assert psnr(a, b) == pytest.approx(10 * math.log10(4 / 0.05), abs=1e-5)


def test_psnr_of_equal_images_is_infinite():
    assert psnr(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4)) == math.inf


@pytest.mark.parametrize("a, b, expected", [(1.0, 0.7, 0.93960137), (0.5, 0.25, 0.80006398)])
def test_ssim_of_constants_is_the_brightness_term(a, b, expected):
    # (2ab + c₁) / (a² + b² + c₁) with c₁ = 0.01² at range 1
    x = torch.ones(1, 1, 16, 16)
    assert ssim(a * x, b * x, data_range=1.0) == pytest.approx(expected, abs=1e-7)


def test_ssim_is_the_formula_in_scipys_gaussian_window():
    from scipy.ndimage import gaussian_filter

    def blur(x):  # 11 taps, where they fit
        return gaussian_filter(x, (0, 0, 1.5, 1.5), truncate=3.5)[..., 5:-5, 5:-5]

    a = draw(2, 3, 15, 19, seed=1).tanh()
    b = (0.7 * a + 0.3 * draw(2, 3, 15, 19, seed=2)).tanh()
    x, y = a.double().numpy(), b.double().numpy()
    x1, y1 = blur(x), blur(y)
    top = (2 * x1 * y1 + 0.02**2) * (2 * (blur(x * y) - x1 * y1) + 0.06**2)
    bottom = (x1**2 + y1**2 + 0.02**2) * (blur(x * x) - x1**2 + blur(y * y) - y1**2 + 0.06**2)
    assert ssim(a, b) == pytest.approx((top / bottom).mean(), abs=1e-9)


def test_ssim_of_equal_images_is_one_and_of_the_negative_below_zero():
    x = draw(2, 3, 20, 20).sigmoid()
    assert ssim(x, x, data_range=1.0) == pytest.approx(1)
    assert ssim(x, 1 - x, data_range=1.0) < -0.5


@pytest.mark.parametrize("shape", [(1, 1, 11, 11), (2, 3, 17, 24)])
def test_ssim_and_psnr_agree_with_scikit_image(shape):
    skimage = pytest.importorskip("skimage.metrics")
    a = draw(*shape, seed=1).tanh()
    b = (a + 0.3 * draw(*shape, seed=2)).clamp(-1, 1)
    expected = np.mean(
        [
            skimage.structural_similarity(
                x.double().numpy(),
                y.double().numpy(),
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=2.0,
            )
            for x, y in zip(a, b, strict=True)
        ]
    )
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert psnr(a, b) == pytest.approx(
        skimage.peak_signal_noise_ratio(a.double().numpy(), b.double().numpy(), data_range=2.0)
    )


def test_ssim_and_psnr_agree_with_torchmetrics():
    theirs = pytest.importorskip("torchmetrics.functional.image")
    a = draw(2, 3, 24, 24, seed=1).tanh().double()
    b = (a + 0.3 * draw(2, 3, 24, 24, seed=2)).clamp(-1, 1)
    _, places = theirs.structural_similarity_index_measure(
        a, b, data_range=2.0, return_full_image=True
    )  # their mean counts a mirrored border of 5 pixels too
    assert ssim(a, b) == pytest.approx(places[..., 5:-5, 5:-5].mean().item(), rel=1e-9)
    assert psnr(a, b) == pytest.approx(
        theirs.peak_signal_noise_ratio(a, b, data_range=2.0).item(), rel=1e-6
    )


@pytest.mark.parametrize("function", [psnr, ssim])
def test_two_images_are_checked(function):
    x = torch.zeros(1, 3, 16, 16)
    for bad, error in (
        (x[:, :1], ValueError),
        (x * float("nan"), ValueError),
        (x[:0], ValueError),
        (x.to(torch.uint8), TypeError),
        (x * 1j, TypeError),
    ):
        with pytest.raises(error, match="[ab]"):
            function(x, bad)
    with pytest.raises(ValueError, match="data_range"):
        function(x, x, data_range=0)
    with pytest.raises(ValueError, match="data_range"):
        function(x, x, data_range=float("nan"))


@pytest.mark.parametrize("shape", [(16, 16), (1, 3, 10, 30)])
def test_ssim_refuses_images_smaller_than_its_window(shape):
    with pytest.raises(ValueError, match="11"):
        ssim(torch.zeros(shape), torch.zeros(shape))


# Sharpness


def test_sharpness_is_the_variance_of_the_laplacian():
    from scipy.ndimage import laplace

    x = draw(4, 3, 12, 15)
    grey = x.mean(1).double().numpy()
    expected = [laplace(image)[1:-1, 1:-1].var() for image in grey]
    np.testing.assert_allclose(sharpness(x), expected, rtol=1e-5)


def test_a_ramp_has_no_sharpness_and_blurring_lowers_it():
    ramp = torch.linspace(-1, 1, 20).repeat(2, 1, 20, 1)
    assert sharpness(ramp).max() < 1e-10
    x = draw(3, 1, 30, 30)
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    assert (sharpness(blurred) < 0.2 * sharpness(x)).all()


def test_measures_keep_no_graph():
    x = draw(2, 1, 5, 5).requires_grad_()
    assert not sharpness(x).requires_grad
    assert not any(part.requires_grad for part in fit_gaussian(x.flatten(1)))


def test_sharpness_refuses_what_has_no_neighbours():
    for bad in (torch.zeros(1, 1, 2, 5), torch.zeros(5, 5), torch.full((1, 1, 5, 5), float("nan"))):
        with pytest.raises(ValueError, match="^x"):
            sharpness(bad)


# Networks that look at images

# Attribute -> accuracy on test images, a few points below what the cards say
FLOORS = {"glasses": 0.97, "facial_hair": 0.95, "face": 0.80, "head": 0.97, "skin": 0.97}


@pytest.fixture(scope="module")
def fashion():
    return data.load("fashion", "test")


@pytest.fixture(scope="module")
def peeps():
    return data.load("peeps", "test")


@pytest.mark.parametrize("kind, floor", [(FeatureNet, 0.92), (Classifier, 0.90)])
@pytest.mark.parametrize("size", [28, 32])
def test_clothes_are_told_apart_as_the_cards_say(kind, floor, size):
    clothes = data.load("fashion", "test", size=size)[:3000]
    right = kind("fashion").classify(clothes.floats()) == clothes.labels
    assert right.double().mean() > floor - 0.01  # 3,000 of the 10,000


@pytest.mark.parametrize("kind", [FeatureNet, Classifier])
@pytest.mark.parametrize("size", [32, 64])
def test_faces_are_read_at_both_sizes(kind, size, peeps):
    x = data.load("peeps", "test", size=size).floats()
    net = kind("peeps")
    for attribute, floor in FLOORS.items():
        truth = peeps.attributes[attribute].long()
        assert (net.classify(x, attribute) == truth).double().mean() > floor, attribute


def test_a_classifier_of_one_attribute_answers_about_it(peeps):
    x = peeps[:20].floats()
    glasses = Classifier("peeps_glasses")
    assert torch.equal(glasses.classify(x), Classifier("peeps").classify(x, "glasses"))
    assert glasses.probabilities(x).shape == (20, 2)
    assert Classifier("peeps_facial_hair").attribute == "facial_hair"
    torch.testing.assert_close(glasses.probabilities(x).sum(1), torch.ones(20))


def test_the_two_judges_are_independent():
    features, classifier = FeatureNet("fashion"), Classifier("fashion")
    assert [p.shape for p in features.parameters()] != [p.shape for p in classifier.parameters()]


def test_features_of_training_images_have_mean_zero_and_variance_one():
    x = data.load("peeps", "train").floats()
    features = FeatureNet("peeps").features(x)
    assert features.shape == (len(x), 64)
    torch.testing.assert_close(features.mean(0), torch.zeros(64), atol=0.02, rtol=0)
    torch.testing.assert_close(features.var(0), torch.ones(64), atol=0.05, rtol=0)


def test_features_do_not_depend_on_the_other_images_of_the_batch(fashion, monkeypatch):
    x = fashion[:11].floats()
    net = FeatureNet("fashion")
    whole = net.features(x)
    monkeypatch.setattr(metrics, "AT_ONCE", 4)
    torch.testing.assert_close(net.features(x), whole, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(net.features(x[3:4])[0], whole[3], atol=1e-4, rtol=1e-4)
    assert not whole.requires_grad


def test_a_black_border_is_added_to_small_clothes(fashion):
    x = fashion[:5].floats()
    bordered = torch.nn.functional.pad(x, (2, 2, 2, 2), value=-1.0)
    net = FeatureNet("fashion")
    assert torch.equal(net.features(x), net.features(bordered))


def test_the_frechet_distance_grows_with_what_is_done_to_the_images(fashion):
    net = FeatureNet("fashion")
    x = fashion[:1000].floats()
    reference = fit_gaussian(net.features(fashion[1000:2000].floats()))

    def distance(images):
        return frechet_distance(*fit_gaussian(net.features(images)), *reference)

    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    noisy = (x + 0.3 * draw(*x.shape)).clamp(-1, 1)
    one_class = fashion[fashion.labels == 3][:1000].floats()
    floor = distance(x)
    assert floor < 4
    for harmed in (blurred, noisy, one_class):
        assert distance(harmed) > 2 * floor + 2


def test_the_features_of_either_judge_are_what_its_answers_are_read_from():
    x = data.load("fashion", "test")[:20].floats()
    for judge in (FeatureNet("fashion"), Classifier("fashion")):
        read = judge.heads["class"](judge.features(x)).softmax(1)
        assert torch.allclose(read, judge.probabilities(x), atol=1e-5)


@pytest.mark.parametrize("kind", [FeatureNet, Classifier])
@pytest.mark.parametrize(
    "bad, error",
    [
        (torch.zeros(2, 3, 32, 32), ValueError),
        (torch.zeros(2, 1, 27, 32), ValueError),
        (torch.zeros(1, 32, 32), ValueError),
        (torch.zeros(0, 1, 32, 32), ValueError),
        (torch.full((2, 1, 32, 32), 255.0), ValueError),
        (torch.full((2, 1, 32, 32), float("nan")), ValueError),
        (torch.zeros(2, 1, 32, 32, dtype=torch.uint8), TypeError),
    ],
)
def test_networks_say_what_is_wrong_with_images(kind, bad, error):
    with pytest.raises(error, match="^x must"):
        kind("fashion", pretrained=False).classify(bad)


@pytest.mark.parametrize("kind", [FeatureNet, Classifier])
def test_networks_say_which_names_there_are(kind):
    with pytest.raises(ValueError, match="fashion, peeps"):
        kind("mnist")
    with pytest.raises(ValueError, match="glasses, facial_hair"):
        kind("peeps", pretrained=False).classify(torch.zeros(2, 3, 64, 64))
    with pytest.raises(ValueError, match="glasses, facial_hair"):
        kind("peeps", pretrained=False).classify(torch.zeros(2, 3, 64, 64), "shoes")


# Inception


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """A machine that has no Inception yet, and what its network answers: answer(error or bytes)."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    metrics._inception.cache_clear()

    def answer(what):
        def urlopen(*_, **__):
            if isinstance(what, Exception):
                raise what
            response = io.BytesIO(what)
            response.headers = {}
            return response

        monkeypatch.setattr(metrics.downloads.urllib.request, "urlopen", urlopen)

    yield answer
    metrics._inception.cache_clear()


class Corner(nn.Module):
    """Features that show what the network was given: its upper left and its lower right pixels."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        assert x.shape[1:] == (3, 299, 299)
        return self.gain * torch.cat([x[:, :, 0, 0], x[:, :, -1, -1]], dim=1)


@pytest.mark.parametrize(
    "answer",
    [
        urllib.error.URLError("no route to host"),
        http.client.IncompleteRead(b"half"),
        TimeoutError("too slow"),
        ConnectionResetError("gone"),
        b"another file than was asked for",
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_without_a_network_inception_says_so_and_leaves_nothing_half_written(
    no_weights, tmp_path, answer
):
    no_weights(answer)
    with pytest.raises(ConnectionError, match="Inception.*FeatureNet"):
        inception_features(torch.zeros(2, 3, 32, 32))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class Planted:
    """What runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("published", [False, True])
def test_a_planted_file_runs_nothing(no_weights, tmp_path, monkeypatch, published):
    no_weights(urllib.error.URLError("no route to host"))
    planted = tmp_path / metrics.INCEPTION.rsplit("/", 1)[1]
    torch.save({"fc.weight": Planted(tmp_path / "ran")}, planted)
    if published:  # even where its checksum were the right one
        digest = hashlib.sha256(planted.read_bytes()).hexdigest()
        monkeypatch.setattr(metrics, "INCEPTION_SHA256", digest)
    with pytest.raises(pickle.UnpicklingError if published else ConnectionError):
        inception_features(torch.zeros(2, 3, 32, 32))
    assert not (tmp_path / "ran").exists() and planted.exists() == published


def test_inception_gives_2048_features_that_depend_on_no_other_image(
    no_weights, tmp_path, monkeypatch
):
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    trained = inception_v3(weights=None, init_weights=False)
    path = tmp_path / metrics.INCEPTION.rsplit("/", 1)[1]
    torch.save(trained.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(metrics, "INCEPTION_SHA256", digest)
    x = draw(3, 3, 40, 40).tanh()
    features = inception_features(x)
    assert features.shape == (3, 2048) and not features.requires_grad
    monkeypatch.setattr(metrics, "AT_ONCE", 10)
    path.unlink()  # it is loaded once: then it is kept
    torch.testing.assert_close(inception_features(x), features, rtol=1e-3, atol=1e-5)
    net = metrics._inception()
    assert not net.transform_input and not net.training
    trained.fc, trained.transform_input = nn.Identity(), False
    with torch.no_grad():
        expected = trained.eval()(metrics._resized(x, 299))
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-5)


def test_the_checksum_is_the_one_whose_first_digits_the_file_bears():
    assert metrics.INCEPTION.endswith(f"-{metrics.INCEPTION_SHA256[:8]}.pth")
    assert len(metrics.INCEPTION_SHA256) == 64


def test_inception_sees_images_in_full_range_and_in_three_channels():
    x = torch.full((4, 1, 30, 50), -1.0)
    x[2, :, -9:, -9:] = 1
    features = inception_features(x, Corner())
    expected = torch.full((4, 6), -1.0)
    expected[2, 3:] = 1
    torch.testing.assert_close(features, expected)
    red = torch.tensor([1.0, 0.5, -1.0]).view(1, 3, 1, 1).expand(2, 3, 299, 299)
    torch.testing.assert_close(inception_features(red, Corner())[0, :3], red[0, :, 0, 0])


@pytest.mark.parametrize(
    "bad, error",
    [
        (torch.zeros(2, 2, 32, 32), ValueError),
        (torch.zeros(2, 3, 27, 32), ValueError),
        (torch.zeros(0, 3, 32, 32), ValueError),
        (torch.full((2, 3, 32, 32), 255.0), ValueError),
        (torch.full((2, 3, 32, 32), float("nan")), ValueError),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), TypeError),
    ],
)
def test_inception_says_what_is_wrong_with_images_before_it_downloads(no_weights, bad, error):
    no_weights(AssertionError("a download"))
    with pytest.raises(error, match="^x must"):
        inception_features(bad)
