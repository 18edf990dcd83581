import io
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest, kstest
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve
from torch import nn

from course_lib import auditing, data, metrics
from course_lib.auditing import (
    ATTACKS,
    CARD,
    DetectionStep,
    amplification,
    attribute_shares,
    auc_interval,
    card_problems,
    copy_ratios,
    copy_threshold,
    detect,
    detect_watermark,
    embed_watermark,
    membership_auc,
    memorisation_rate,
    model_card,
    roc_auc,
    roc_curve,
    seen_share,
    threshold_at,
    wilson_interval,
)
from course_lib.training import parts, train
from tests.helpers import assert_step_runs_on_meta


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def fashion() -> torch.Tensor:
    return data.load("fashion", split="test").floats()


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    return data.load("peeps", split="test")[:100].floats()


# Wilson's interval


@pytest.mark.parametrize("k, n", [(0, 20), (20, 20), (1, 1), (0, 1), (7, 10), (137, 1000)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_wilson_interval_is_scipys(k, n, level):
    expected = binomtest(k, n).proportion_ci(confidence_level=level, method="wilson")
    assert wilson_interval(k, n, level) == pytest.approx(tuple(expected), abs=1e-12)


def test_none_of_20_may_still_be_16_percent():  # Brown, Cai and DasGupta 2001: z² / (n + z²)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.161125), abs=1e-6)


@pytest.mark.parametrize(
    "k, n, level", [(-1, 3, 0.9), (4, 3, 0.9), (0, 0, 0.9), (1.5, 3, 0.9), (1, 3, 0.0), (1, 3, 1.0)]
)
def test_wilson_interval_refuses_what_is_no_share(k, n, level):
    with pytest.raises(ValueError, match="^(successes|n|level) must"):
        wilson_interval(k, n, level)


# Copies


def test_the_ratio_is_the_nearest_distance_over_the_mean_of_the_next():
    training = torch.tensor([[3.0, 0], [0, 4], [0, -6], [8, 0]])
    ratios, nearest = copy_ratios(torch.zeros(1, 2), training)
    assert ratios.tolist() == pytest.approx([3 / ((4 + 6 + 8) / 3)])
    assert nearest.tolist() == [0]


def test_only_the_ten_next_images_count():
    training = torch.arange(1.0, 31)[:, None]
    ratios, _ = copy_ratios(torch.zeros(1, 1), training)
    assert ratios.item() == pytest.approx(1 / np.mean(range(2, 12)))


def test_a_copy_has_ratio_0_and_names_its_original_however_often_that_was_planted():
    training = draw(30, 3, 8, 8)
    training[[4, 9, 20]] = training[17].clone()
    ratios, nearest = copy_ratios(training[[17, 2]], training)
    assert ratios.tolist() == [0.0, 0.0]
    assert nearest.tolist() == [4, 2]  # the first of the four


def test_planted_duplicates_do_not_hide_a_copy():
    training = draw(40, 1, 8, 8)
    noisy = (training[:1] + 0.05 * draw(1, 1, 8, 8, seed=1)).repeat(5, 1, 1, 1)
    planted = torch.cat([training, training[:1].repeat(64, 1, 1, 1)])
    assert memorisation_rate(noisy, training) == memorisation_rate(noisy, planted) == 1.0


def test_two_almost_white_pictures_are_no_copies_of_each_other():
    white = torch.ones(60, 1, 8, 8)
    white[:, :, 3, 3] -= 0.01 * draw(60, 1, seed=2).abs()
    white[:, :, 4, 4] -= 0.01 * draw(60, 1, seed=3).abs()
    assert memorisation_rate(white[:30], white[30:]) < 0.2
    assert (white[:30] - white[30:]).flatten(1).norm(dim=1).max() < 0.05


def test_copies_among_new_images_are_counted(fashion):
    training, fresh = fashion[:400], fashion[400:500]
    made = torch.cat([fresh[:75], training[:25]])
    assert memorisation_rate(made, training) == pytest.approx(0.25, abs=0.03)
    assert memorisation_rate(made, training, threshold=1e-6) == 0.25


def test_features_can_be_compared_instead_of_pixels():
    training = draw(50, 64)
    made = torch.cat([training[:5] + 1e-3, draw(15, 64, seed=1)])
    assert memorisation_rate(made, training) == 0.25


def test_images_as_bytes_are_compared_too():
    training = torch.randint(256, (30, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    assert memorisation_rate(training[:4], training) == 1.0


def test_held_out_images_are_called_copies_as_often_as_was_asked():
    """Over 300 draws of everything, 2 of 100 at level 0.02: 20 ± 1.4 (binomial) of 1,000."""
    rates = []
    for seed in range(300):
        points = draw(200, 3, seed=seed)
        threshold = copy_threshold(points[50:149], points[:50], level=0.02)
        rates.append(memorisation_rate(points[149:], points[:50], threshold))
    assert np.mean(rates) == pytest.approx(0.02, abs=0.005)


def test_without_a_threshold_few_new_images_are_called_copies(fashion):
    found = [
        memorisation_rate(fashion[i : i + 300], fashion[6000:6500]) for i in range(0, 3000, 300)
    ]
    assert np.mean(found) < 0.02


def test_the_threshold_needs_enough_held_out_images():
    with pytest.raises(ValueError, match="held_out must hold at least 99 .* got 98"):
        copy_threshold(draw(98, 2), draw(20, 2))
    copy_threshold(draw(99, 2), draw(20, 2))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"training": torch.zeros(9, 4)}, "3 different images; got 1 of 9"),
        ({"training": torch.full((9, 4), math.nan)}, "training .* NaN"),
        ({"generated": torch.full((9, 4), math.nan)}, "NaN"),
        ({"generated": torch.zeros(0, 4)}, "generated must hold"),
        ({"generated": torch.zeros(2, 5)}, "of one size"),
        ({"threshold": math.nan}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
    ],
)
def test_memorisation_rate_says_what_is_wrong(change, words):
    with pytest.raises(ValueError, match=words):
        memorisation_rate(**({"generated": draw(3, 4), "training": draw(9, 4)} | change))


def test_the_nearest_image_of_a_copy_was_seen_and_of_a_stranger_it_is_a_coin():
    seen, unseen = draw(200, 5), draw(200, 5, seed=1)
    share, (low, high) = seen_share(seen + 1e-3, seen, unseen)
    assert share == 1.0 and low > 0.97 and high == 1.0
    share, (low, high) = seen_share(draw(400, 5, seed=2), seen, unseen)
    assert low < 0.5 < high and (low, high) == wilson_interval(round(share * 400), 400)
    assert seen_share(seen, seen, seen)[0] == 0.0  # equally near: the unseen counts
    with pytest.raises(ValueError, match="held_out must be as many"):
        seen_share(seen, seen, unseen[:10])


# ROC


@pytest.mark.parametrize("seed", range(5))
def test_roc_auc_is_scikit_learns_also_with_ties(seed):
    scores = (3 * draw(60, seed=seed)).round()  # many ties
    labels = draw(60, seed=seed + 50) + 0.3 * scores > 0.5
    assert roc_auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_roc_auc_counts_pairs():  # by hand: of 6 pairs 4 are won and 1 is a tie
    scores, labels = torch.tensor([0.9, 0.4, 0.4, 0.1, 0.6]), torch.tensor([1, 1, 0, 0, 0])
    assert roc_auc(scores, labels) == pytest.approx(4.5 / 6)


def test_a_constant_detector_gets_a_half():
    assert roc_auc(torch.zeros(7), torch.tensor([1, 0, 0, 1, 0, 0, 0])) == 0.5


def test_roc_auc_depends_on_the_order_only_and_turns_with_the_sign():
    scores, labels = draw(80), draw(80, seed=1) > 0
    assert roc_auc(scores.exp() * 7, labels) == roc_auc(scores, labels)
    assert roc_auc(-scores, labels) == pytest.approx(1 - roc_auc(scores, labels))
    assert roc_auc(scores, ~labels) == pytest.approx(1 - roc_auc(scores, labels))


def test_infinite_scores_have_a_rank_too():
    scores = torch.tensor([math.inf, 0.0, -math.inf])
    assert roc_auc(scores, torch.tensor([True, False, False])) == 1.0


def test_float64_scores_keep_their_order():
    scores = 1 + torch.tensor([0, 1e-12], dtype=torch.float64)
    assert roc_auc(scores, torch.tensor([0, 1])) == 1.0


@pytest.mark.parametrize(
    "scores, labels, words",
    [
        ([0.1, math.nan], [0, 1], "scores .* NaN"),
        ([0.1, 0.2], [1, 1], "both classes"),
        ([0.1, 0.2], [0, 0], "both classes"),
        ([0.1, 0.2], [1, 2], "0 or 1"),
        ([0.1, 0.2], [0, 1, 1], "one a score"),
        ([], [], "one number an image"),
        ([[0.1, 0.2]], [[0, 1]], "one number an image"),
    ],
)
@pytest.mark.parametrize("function", [roc_auc, roc_curve])
def test_roc_says_what_is_wrong(function, scores, labels, words):
    with pytest.raises(ValueError, match=words):
        function(torch.tensor(scores), torch.tensor(labels))


@pytest.mark.parametrize("seed", range(3))
def test_roc_curve_is_scikit_learns(seed):
    scores, labels = (2 * draw(50, seed=seed)).round(), draw(50, seed=seed + 9) > 0.3
    curve = roc_curve(scores, labels)
    expected = sklearn_roc_curve(labels, scores, drop_intermediate=False)
    for got, want in zip(curve, expected, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)


def test_the_area_below_the_curve_is_the_auc():
    scores, labels = draw(200).round(decimals=1), draw(200, seed=1) > 0
    curve = roc_curve(scores, labels)
    area = torch.trapezoid(curve.true_positive_rate, curve.false_positive_rate).item()
    assert area == pytest.approx(roc_auc(scores, labels), abs=1e-12)


def test_a_threshold_lets_at_most_the_stated_share_of_negatives_pass():
    scores = draw(500).round(decimals=2)
    for rate in (0.0, 0.01, 0.05, 0.5, 0.999):
        threshold = threshold_at(scores, rate)
        assert (scores > threshold).sum() <= rate * 500
        lower = scores[scores < threshold]
        assert not len(lower) or (scores > lower.max()).sum() > rate * 500  # no lower one does
    with pytest.raises(ValueError, match="false_positive_rate"):
        threshold_at(scores, 1.0)


def test_members_with_lower_losses_give_a_high_auc():
    low, high = draw(50), draw(70, seed=1) + 1
    expected = roc_auc_score([1] * 50 + [0] * 70, -torch.cat([low, high]))
    assert membership_auc(low, high) == pytest.approx(expected, abs=1e-12)
    assert membership_auc(low, high) > 0.6 > 0.4 > membership_auc(high, low)
    assert membership_auc(low, low) == 0.5
    for members, others in ((low[:0], high), (low, high[:0])):
        with pytest.raises(ValueError, match="losses_(non_)?members must be"):
            membership_auc(members, others)
    with pytest.raises(ValueError, match="losses_non_members .* NaN"):
        membership_auc(low, torch.tensor([math.nan]))
    with pytest.raises(TypeError, match="losses_members must be real"):
        membership_auc(low * 1j, high)


def test_the_interval_of_an_auc_holds_the_truth_as_often_as_it_says():
    """Normal scores one apart: A = Φ(1 / √2) = 0.7602. 2,000 draws of 30 and 40."""
    truth, held = 0.760250, 0
    labels = torch.arange(70) < 30
    for seed in range(2000):
        auc = roc_auc(draw(70, seed=seed) + labels, labels)
        low, high = auc_interval(auc, 30, 40)
        held += low <= truth <= high
    assert held / 2000 == pytest.approx(0.95, abs=0.02)


def test_an_auc_of_1_is_no_certainty():
    low, high = auc_interval(1.0, 20, 20)
    assert 0.8 < low < 0.95 and high == 1.0
    assert auc_interval(0.0, 20, 20) == pytest.approx((0.0, 1 - low))
    assert auc_interval(1.0, 200, 200)[0] > low
    with pytest.raises(ValueError, match="auc"):
        auc_interval(1.1, 20, 20)
    with pytest.raises(ValueError, match="negatives must be a whole number"):
        auc_interval(0.5, 20, 1.5)


@pytest.mark.parametrize("threshold", [-1, math.nan])
def test_a_threshold_below_every_ratio_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold must be a finite number, at least 0; got"):
        memorisation_rate(draw(4, 3), draw(20, 3), threshold)


# Detectors


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 4, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(1),
        )
        self(torch.zeros(2, 1, 8, 8))

    def forward(self, x):
        return self.net(x).squeeze(1)


def test_a_detector_learns_to_score_fakes_above_data():
    torch.manual_seed(0)
    real, fake = 0.3 * draw(300, 1, 8, 8), 0.3 * draw(300, 1, 8, 8, seed=1)
    fake[:, :, ::2] += 0.5
    detector = Detector()
    step = DetectionStep(detector, fake[:200])
    train(step, (real[torch.randperm(200)[:32]] for _ in iter(int, 1)), steps=60)
    scores = detect(detector, torch.cat([real[200:], fake[200:]]))
    assert roc_auc(scores, torch.arange(200) >= 100) > 0.95
    assert detector.training and not scores.requires_grad


def test_detect_judges_each_picture_alone():
    detector, x = Detector(), draw(300, 1, 8, 8)
    torch.testing.assert_close(detect(detector, x)[:3], detect(detector, x[:3]))


def test_a_detection_step_can_be_resumed_and_runs_on_any_device():
    fakes = draw(8, 1, 8, 8)
    assert {"detector", "optimizer"} <= set(parts(DetectionStep(Detector(), fakes)))
    assert_step_runs_on_meta(
        lambda: DetectionStep(nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)), fakes),
        lambda: draw(4, 1, 8, 8),
    )


def test_fakes_of_another_shape_are_named():
    with pytest.raises(ValueError, match="fakes must have the shape of the data"):
        DetectionStep(Detector(), draw(8, 1, 9, 9))(draw(4, 1, 8, 8))
    with pytest.raises(ValueError, match="fakes must be"):
        DetectionStep(Detector(), draw(8, 64))
    with pytest.raises(ValueError, match="fakes must be finite"):
        DetectionStep(Detector(), draw(8, 1, 8, 8) * math.nan)
    with pytest.raises(ValueError, match="real must be .* not empty"):
        DetectionStep(Detector(), draw(8, 1, 8, 8))(draw(0, 1, 8, 8))


# Shares


def test_a_share_comes_with_wilsons_interval():
    images = torch.linspace(-1, 1, 20).view(20, 1, 1, 1)
    share, interval = attribute_shares(lambda x: x.flatten() > 0.6, images)
    assert share == 0.2 and interval == wilson_interval(4, 20)
    assert attribute_shares(lambda x: (x.flatten() > 0.6).long(), images) == (share, interval)


def test_the_courses_classifier_finds_the_share_that_is_there():
    peeps = data.load("peeps", split="test")
    classifier = metrics.Classifier("peeps_glasses")
    share, (low, high) = attribute_shares(classifier, peeps[:200].floats())
    truth = peeps.attributes["glasses"][:200].double().mean().item()
    assert share == pytest.approx(truth, abs=0.02) and low < truth < high


def test_an_attribute_of_many_values_must_be_asked_for_one():
    skin, x = metrics.Classifier("peeps_skin"), data.load("peeps", split="test")[:40].floats()
    with pytest.raises(ValueError, match="5 values"):
        attribute_shares(skin, x)
    shares = [attribute_shares(lambda x, v=v: skin.classify(x) == v, x)[0] for v in range(5)]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    "classifier, n, words",
    [
        (lambda x: torch.zeros(len(x) + 1), 3, "once an image"),
        (lambda x: torch.zeros(len(x), 2), 3, "once an image"),
        (lambda x: torch.full((len(x),), 0.7), 3, "0 or 1"),
        (lambda x: torch.full((len(x),), math.nan), 3, "0 or 1"),
        (lambda x: torch.zeros(len(x)), 0, "images must be .* not empty"),
    ],
)
def test_attribute_shares_says_what_is_wrong(classifier, n, words):
    with pytest.raises(ValueError, match=words):
        attribute_shares(classifier, torch.zeros(n, 1, 4, 4))


def test_amplification_on_both_scales():
    found = amplification(0.7, 0.8)
    assert found.points == pytest.approx(10) and found.ratio == pytest.approx(8 / 7)
    assert found.interval is None and found.verdict == ""


@pytest.mark.parametrize(
    "training, generated, interval, verdict",
    [
        (0.7, 0.8, (0.75, 0.84), "amplified"),
        (0.7, 0.8, (0.69, 0.88), "not shown"),
        (0.7, 0.6, (0.55, 0.65), "weakened"),
        (0.3, 0.2, (0.15, 0.25), "amplified"),  # the minority shrinks: the same, seen from there
        (0.3, 0.4, (0.35, 0.45), "weakened"),
        (0.7, 0.1, (0.05, 0.2), "amplified"),
        (0.5, 0.6, (0.55, 0.65), "amplified"),
        (0.7, 0.7, (0.65, 0.75), "not shown"),
    ],
)
def test_amplification_is_what_the_interval_shows(training, generated, interval, verdict):
    found = amplification(training, generated, interval)
    assert found.verdict == verdict
    assert found.interval == pytest.approx(tuple(100 * (x - training) for x in interval))


@pytest.mark.parametrize(
    "arguments", [(0.0, 0.1), (1.2, 0.5), (0.5, -0.1), (0.5, math.nan), (0.5, 0.6, (0.7, 0.8))]
)
def test_amplification_refuses_what_is_no_share(arguments):
    with pytest.raises(ValueError, match="share"):
        amplification(*arguments)


# Watermark


def test_waves_are_scipys_cosine_transform():
    x = draw(2, 3, 12, 17)
    expected = dctn(x.mean(1).double().numpy(), axes=(1, 2), norm="ortho")[:, :10, :10]
    np.testing.assert_allclose(auditing._waves(x), expected / math.sqrt(12 * 17), atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (2, 3, 64, 64), (1, 3, 33, 20), (2, 1, 10, 10)])
def test_a_mark_is_found_with_its_key_only(shape):
    x = 0.3 * draw(*shape).clamp(-3, 3)
    marked = embed_watermark(x, key=5)
    assert marked.shape == x.shape and marked.dtype == x.dtype and marked.abs().max() <= 1
    assert (detect_watermark(marked, 5) < 1e-9).all()
    assert (detect_watermark(marked, 6) > 1e-3).all()
    assert (detect_watermark(x, 5) > 1e-3).all()


def test_no_strength_leaves_a_mark_out(faces):
    for strength in (0.01, 0.025, 0.03, 0.05, 0.051, 0.07, 0.1):
        marked = embed_watermark(faces[:20], 1, strength)
        assert (detect_watermark(marked, 1) < 0.01).double().mean() >= (
            0.95 if strength > 0.02 else 0
        )
        assert metrics.psnr(faces[:20], marked) == pytest.approx(
            20 * math.log10(2 / strength), abs=3.5
        )


def test_in_the_middle_of_the_range_strength_is_the_root_mean_square_change():
    x = 0.2 * draw(50, 1, 32, 32).clamp(-3, 3)
    for strength in (0.025, 0.05, 0.1):
        change = embed_watermark(x, 2, strength) - x
        assert change.square().mean().sqrt().item() == pytest.approx(strength, rel=0.06)


def test_the_same_key_gives_the_same_mark_and_another_key_another(faces):
    a, b = embed_watermark(faces[:2], 3), embed_watermark(faces[:2], 3)
    assert torch.equal(a, b) and not torch.equal(a, embed_watermark(faces[:2], 4))


def test_images_are_marked_and_tested_one_by_one(faces):
    torch.testing.assert_close(embed_watermark(faces[:5], 3)[4:], embed_watermark(faces[4:5], 3))
    torch.testing.assert_close(detect_watermark(faces[:5], 3)[4:], detect_watermark(faces[4:5], 3))


def test_marking_changes_no_argument(faces):
    x = faces[:2].clone()
    embed_watermark(x, 3), detect_watermark(x, 3)
    assert torch.equal(x, faces[:2])


def test_of_10_000_unmarked_images_the_stated_share_is_called_marked(fashion):
    p = detect_watermark(fashion, key=2024)
    for level in (0.001, 0.01, 0.05):
        called = int((p <= level).sum())
        assert binomtest(called, len(p), level).pvalue > 0.01, f"{called} at {level}"


@pytest.mark.parametrize("picture", ["flat", "photo", "white"])
def test_over_keys_p_is_uniform_for_any_single_image(picture, faces):
    x = {"flat": torch.zeros(1, 1, 16, 16), "photo": faces[:1], "white": torch.ones(1, 3, 20, 20)}
    p = torch.cat([detect_watermark(x[picture], key) for key in range(1500)])
    assert kstest(p.numpy(), "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    "attack, survive",  # at strength 0.05, on 64 × 64; measured: 100 % but where noted
    [
        ("none", 1.0),
        ("JPEG 75", 1.0),
        ("JPEG 50", 0.97),
        ("JPEG 30", 0.95),
        ("noise 0.05", 0.97),
        ("noise 0.1", 0.8),  # 93 %
        ("blur 1", 0.97),
        ("resize ¾", 0.97),
        ("resize ½", 0.9),  # 98 %
    ],
)
def test_the_mark_of_faces_survives(attack, survive, faces):
    torch.manual_seed(0)
    p = detect_watermark(ATTACKS[attack](embed_watermark(faces, 11)), 11)
    assert (p < 0.01).double().mean() >= survive


def test_a_crop_destroys_the_mark(faces):
    p = detect_watermark(ATTACKS["crop 0.9"](embed_watermark(faces, 11)), 11)
    assert (p < 0.01).double().mean() < 0.1


def test_who_has_the_key_can_forge_a_mark_on_a_real_photograph(faces):
    forged = embed_watermark(faces, 11)
    assert (detect_watermark(forged, 11) < 1e-4).all() and metrics.psnr(faces, forged) > 28


def test_of_many_keys_tried_some_seem_to_fit(faces):
    p = torch.cat([detect_watermark(faces[:1], key) for key in range(300)])
    assert p.min() < 0.02  # at level 0.02 with probability 1 − 0.98³⁰⁰ = 0.998


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"images": torch.zeros(1, 1, 9, 28)}, ValueError, "at least 10 × 10"),
        ({"images": torch.zeros(1, 28, 28)}, ValueError, "(B, C, H, W)"),
        ({"images": torch.full((1, 1, 28, 28), math.nan)}, ValueError, r"\[-1, 1\]"),
        ({"images": torch.full((1, 1, 28, 28), 1.5)}, ValueError, r"\[-1, 1\]"),
        ({"images": torch.zeros(1, 1, 28, 28).byte()}, TypeError, "float"),
        ({"key": -1}, ValueError, "key"),
        ({"key": 2**63}, ValueError, "key"),
        ({"key": "secret"}, ValueError, "key"),
        ({"key": True}, ValueError, "key"),
        ({"strength": 0.0}, ValueError, "strength"),
        ({"strength": 0.11}, ValueError, "strength"),
        ({"strength": math.nan}, ValueError, "strength"),
    ],
)
def test_the_watermark_says_what_is_wrong(change, error, words):
    arguments = {"images": torch.zeros(1, 1, 28, 28), "key": 1, "strength": 0.05} | change
    with pytest.raises(error, match=words if words[0] != "(" else re.escape(words)):
        embed_watermark(**arguments)
    if "strength" not in change:
        arguments.pop("strength")
        with pytest.raises(error):
            detect_watermark(**arguments)


# What happens to pictures


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("shape", [(2, 3, 20, 24), (1, 1, 28, 28)])
def test_attacks_keep_shape_range_and_argument(name, shape):
    x = draw(*shape).clamp(-1, 1)
    before = x.clone()
    y = ATTACKS[name](x)
    assert y.shape == x.shape and y.dtype == x.dtype and y.abs().max() <= 1
    assert torch.equal(x, before)
    assert torch.equal(x, y) == (name == "none")


@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3)])
def test_jpeg_is_pillows(mode, channels, faces):
    x = faces[:1, :channels]
    pixels = ((x[0] + 1) * 127.5).round().byte().permute(1, 2, 0).squeeze(2).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", quality=40)
    expected = torch.from_numpy(np.array(Image.open(file))).reshape(64, 64, channels)
    torch.testing.assert_close(auditing.jpeg(x, 40)[0], expected.permute(2, 0, 1) / 127.5 - 1)


def test_worse_jpeg_is_further_from_the_picture(faces):
    found = [metrics.psnr(faces[:9], auditing.jpeg(faces[:9], q)) for q in (10, 30, 75, 95)]
    assert found == sorted(found)


def test_blur_is_scipys_gaussian_filter(faces):
    x = faces[:1]
    expected = gaussian_filter(x.numpy(), (0, 0, 1.5, 1.5), mode="mirror", radius=(0, 0, 5, 5))
    torch.testing.assert_close(auditing.blur(x, 1.5), torch.from_numpy(expected), atol=1e-5, rtol=0)


def test_noise_has_its_spread_and_its_seed():
    x = torch.zeros(4, 3, 40, 40)
    a, b = (auditing.noise(x, 0.1, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b) and a.std().item() == pytest.approx(0.1, rel=0.02)


def test_a_crop_shows_the_middle_enlarged():
    x = torch.full((1, 1, 20, 20), -1.0)
    x[:, :, 5:15, 5:15] = 1
    assert (auditing.crop(x, 0.5) == 1).all()
    assert torch.equal(auditing.crop(x, 1.0), x)


def test_resizing_by_one_changes_nothing(faces):
    assert torch.equal(auditing.resize(faces[:1], 1.0), faces[:1])


@pytest.mark.parametrize(
    "attack, bad",
    [
        (auditing.jpeg, 0),
        (auditing.jpeg, 100),
        (auditing.jpeg, 75.5),
        (auditing.resize, math.nan),
        (auditing.crop, math.nan),
        (auditing.resize, 0.0),
        (auditing.crop, 0.0),
        (auditing.crop, 1.5),
        (auditing.blur, 0.0),
        (auditing.blur, math.nan),
        (auditing.blur, 100.0),
        (auditing.noise, -1.0),
        (auditing.noise, math.nan),
    ],
)
def test_attacks_refuse_what_they_cannot_do(attack, bad):
    with pytest.raises(ValueError, match="quality|factor|share|sigma"):
        attack(torch.zeros(1, 1, 12, 12), bad)
    with pytest.raises(TypeError, match="float"):
        attack(torch.zeros(1, 1, 12, 12).byte())


# The card


def sections(**change: str) -> dict[str, str]:
    written = {
        heading: f"An answer of 7 words to: {question}" for heading, question in CARD.items()
    }
    return written | change


def test_a_complete_card_is_markdown_with_all_headings_in_order():
    card = model_card("Faces 64", sections(), {"share with glasses": (0.5, (0.4, 0.6)), "dB": 31})
    assert card.startswith("# Faces 64\n")
    assert re.findall(r"^## (.*)$", card, re.M) == list(CARD)
    assert "| share with glasses | 0.5 | 0.4 to 0.6 |" in card and "| dB | 31 |  |" in card
    assert card_problems(card) == []


@pytest.mark.parametrize("heading", CARD)
def test_a_card_without_a_section_is_not_complete(heading):
    some = {key: text for key, text in sections().items() if key != heading}
    with pytest.raises(ValueError, match=f"'{heading}' says too little"):
        model_card("Faces", some)
    card = model_card("Faces", sections())
    cut = re.sub(rf"## {heading}\n\n.*\n", "", card)
    assert card_problems(cut) == [f"'{heading}' is missing"]


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "too little"),
        ("Only four words here", "too little"),
        ("To be written: all the limits of it", "placeholder"),
        ("It fails in the following cases: ...", "placeholder"),
        ("It fails where nobody has looked yet.", None),
        ("Limits: fails on 3 … 5 faces of 10.", None),
    ],
)
def test_what_a_section_must_hold(text, problem):
    card = model_card("Faces", sections()).replace(sections()["Limits"], text)
    assert [p.partition(" ")[2] for p in card_problems(card)] == (
        []
        if problem is None
        else [p for p in (f"says {problem}", f"holds a {problem}") if p in str(card_problems(card))]
    )
    assert bool(card_problems(card)) == (problem is not None)


def test_an_evaluation_without_a_number_is_none():
    words = sections(Evaluation="The pictures look good to all of us.")
    with pytest.raises(ValueError, match="'Evaluation' holds no number"):
        model_card("Faces", words)
    assert "| Fréchet distance | 12 |" in model_card("Faces", words, {"Fréchet distance": 12.0})


def test_headings_may_be_written_otherwise_and_opinions_are_not_judged():
    card = model_card("Faces", sections()).replace("## Intended use", "## INTENDED USE ")
    assert card_problems(card) == []
    assert "a title is missing" in card_problems(card.removeprefix("# Faces"))
