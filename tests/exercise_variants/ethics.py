"""Correct answers to the exercises of lecture 08, each in another style."""

import math

import numpy as np
import torch
from scipy.stats import binom, binomtest, mannwhitneyu, rankdata
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from course_lib import auditing
from course_lib.gan import nearest_neighbours

# --- copies ---------------------------------------------------------------------------------------


def scikit_learn(generated, training, threshold):
    different = np.unique(training.flatten(1).numpy(), axis=0)
    search = NearestNeighbors(n_neighbors=2).fit(different)
    first, second = search.kneighbors(generated.flatten(1).numpy())[0].T
    return float((first < threshold * second).mean())


def the_courses_neighbours(generated, training, threshold):
    _, distances = nearest_neighbours(generated, training.unique(dim=0), k=2)
    return (distances[:, 0] / distances[:, 1] < threshold).sum() / len(generated)


def one_image_after_another(generated, training, threshold):
    different = []
    for image in training:
        if not any(torch.equal(image, other) for other in different):
            different.append(image)
    copies = 0
    for image in generated:
        near, far = sorted((image - other).norm().item() for other in different)[:2]
        copies += near / far < threshold
    return copies / len(generated)


def squares_on_both_sides(generated, training, threshold):
    gaps = generated.flatten(1)[:, None] - torch.unique(training.flatten(1), dim=0)
    squared = gaps.square().sum(2).sort(dim=1).values
    return (squared[:, 0] < threshold**2 * squared[:, 1]).double().mean().item()


# --- pairs ----------------------------------------------------------------------------------------


def auc_by_scikit_learn(scores, labels):
    return roc_auc_score(labels.numpy(), scores.numpy())


def auc_by_ranks(scores, labels):
    ranks, positive = rankdata(scores.numpy()), labels.numpy() == 1
    m, n = positive.sum(), (~positive).sum()
    return torch.tensor((ranks[positive].sum() - m * (m + 1) / 2) / (m * n))


def auc_by_signs(scores, labels):
    fake, real = scores[labels.bool()], scores[~labels.bool()]
    return (fake[:, None] - real[None]).sign().mean() / 2 + 0.5


def auc_by_the_area(scores, labels):
    thresholds = torch.cat([torch.tensor([math.inf]), scores.unique().flip(0)])
    called = scores >= thresholds[:, None]
    rates = [called[:, labels == kind].double().mean(1) for kind in (1, 0)]
    return torch.trapezoid(*rates).float()


def members_by_mann_whitney(losses_members, losses_non_members):
    u = mannwhitneyu(losses_non_members.numpy(), losses_members.numpy()).statistic
    return u / (len(losses_members) * len(losses_non_members))


def members_by_heaviside(losses_members, losses_non_members):
    gaps = losses_non_members - losses_members[:, None]
    return torch.heaviside(gaps, torch.tensor(0.5)).mean()


def members_in_two_loops(losses_members, losses_non_members):
    points = 0
    for a in losses_members.tolist():
        for b in losses_non_members.tolist():
            points += 1 if a < b else 0.5 if a == b else 0
    return points / len(losses_members) / len(losses_non_members)


# --- shares ---------------------------------------------------------------------------------------


def ends_as_a_tensor(answers):
    n, z = len(answers), torch.tensor(1.96, dtype=torch.float64)
    share = answers.double().mean()
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)).sqrt()
    return share, torch.stack([middle - half, middle + half])


def roots_of_the_equation(answers):
    k, n, z = int(answers.sum()), len(answers), 1.96  # (k/n − p)² = z² p (1 − p) / n
    low, high = sorted(np.roots([1 + z**2 / n, -(2 * k / n + z**2 / n), (k / n) ** 2]).real)
    return k / n, [low, high]


def scipy_wilson(answers):
    k, n = int(answers.sum()), len(answers)
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return k / n, (interval.low, interval.high)


def always_yes_or_no(answers):
    pictures = answers.float().view(-1, 1, 1, 1)
    return auditing.attribute_shares(lambda x: x.flatten() > 0, pictures)


def one_expression(training_share, generated_share):
    return (generated_share - training_share) * 100, generated_share / training_share


def from_the_factor(training_share, generated_share):
    factor = generated_share / training_share
    return (factor - 1) * training_share * 100, factor


def as_tensors(training_share, generated_share):
    a, b = torch.tensor([training_share, generated_share], dtype=torch.float64)
    return 100 * (b - a), b / a


# --- the mark -------------------------------------------------------------------------------------


def subtract_the_remainder(coefficients, offsets, step):
    away = torch.remainder(coefficients - step * offsets, step)
    return coefficients - torch.where(away < step / 2, away, away - step)


def floor_of_a_half_more(coefficients, offsets, step):
    return torch.floor(coefficients / step - offsets + 0.5) * step + offsets * step


def image_by_image(coefficients, offsets, step):
    pairs = [zip(row, offsets.tolist(), strict=True) for row in coefficients.tolist()]
    rows = [[round(c / step - o) for c, o in row] for row in pairs]
    return (torch.tensor(rows) + offsets) * step


def scipy_survival(coefficients, offsets, step):
    away = (coefficients / step - offsets).numpy()
    hits = (np.abs(away - np.round(away)) < 0.25).sum(axis=1)
    return torch.from_numpy(binom.sf(hits - 1, len(offsets), 0.5))


def scipy_test(coefficients, offsets, step):
    remainder = torch.remainder(coefficients - step * offsets, step)
    hits = ((remainder < step / 4) | (remainder > 3 * step / 4)).sum(dim=1).tolist()
    tests = [binomtest(k, len(offsets), 0.5, alternative="greater") for k in hits]
    return torch.tensor([test.pvalue for test in tests])


def table_of_tails(coefficients, offsets, step):
    d = offsets.numel()
    k = torch.arange(d + 1, dtype=torch.float64)
    log_choose = math.lgamma(d + 1) - torch.lgamma(k + 1) - torch.lgamma(d - k + 1)
    tails = (log_choose - d * math.log(2)).exp().flip(0).cumsum(0).flip(0)
    near = torch.cos(2 * math.pi * (coefficients / step - offsets)) > 0
    return tails[near.sum(1)].float()


def whole_numbers(coefficients, offsets, step):
    d, found = len(offsets), []
    for row in (coefficients / step - offsets).tolist():
        hits = sum(abs(x - round(x)) < 0.25 for x in row)
        found.append(sum(math.comb(d, k) for k in range(hits, d + 1)) / 2**d)
    return torch.tensor(found)


# --- the card -------------------------------------------------------------------------------------


def from_a_dictionary():
    sections = {
        heading: f"There are 5 or more words: {i}." for i, heading in enumerate(auditing.CARD)
    }
    return auditing.model_card("Another model", sections, {"copies": (0.0, (0.0, 0.161))})


def another_order_and_more_sections():
    lines = ["# My faces", "", "Some words before the first heading."]
    for heading, question in reversed(auditing.CARD.items()):
        lines += [f"## {heading.upper()}", "", f"Nobody has measured it; asked: {question} 1 of 2."]
    return "\n".join([*lines, "## Thanks", "To all."])


def an_opinion():
    card = "# A model that I do not like\n"
    for heading in auditing.CARD:
        card += f"\n## {heading}\n- it is bad, and\n- 3 of 4 say so\n"
    return card


def both_roots_of_a_square(answers):
    n, k, z = len(answers), int(answers.sum()), 1.96
    a, b, c = n + z * z, -(2 * k + z * z), k * k / n
    root = math.sqrt(b * b - 4 * a * c)
    return k / n, ((-b - root) / (2 * a), (-b + root) / (2 * a))


def nearest_struck_out(generated, training, threshold):
    different = training.flatten(1).unique(dim=0).double()
    distances = torch.cdist(generated.flatten(1).double(), different)
    nearest = distances.argmin(1, keepdim=True)
    others = distances.scatter(1, nearest, torch.inf).amin(1)
    return (distances.gather(1, nearest)[:, 0] < threshold * others).double().mean()


VARIANTS = {
    "ethics.memorisation_rate": [
        nearest_struck_out,
        scikit_learn,
        the_courses_neighbours,
        one_image_after_another,
        squares_on_both_sides,
    ],
    "ethics.roc_auc": [
        auc_by_scikit_learn,
        auc_by_ranks,
        auc_by_signs,
        auc_by_the_area,
        auditing.roc_auc,
    ],
    "ethics.membership_auc": [
        members_by_mann_whitney,
        members_by_heaviside,
        members_in_two_loops,
        auditing.membership_auc,
    ],
    "ethics.attribute_shares": [
        both_roots_of_a_square,
        ends_as_a_tensor,
        roots_of_the_equation,
        scipy_wilson,
        always_yes_or_no,
    ],
    "ethics.amplification": [one_expression, from_the_factor, as_tensors],
    "ethics.embed_watermark": [subtract_the_remainder, floor_of_a_half_more, image_by_image],
    "ethics.detect_watermark": [scipy_survival, scipy_test, table_of_tails, whole_numbers],
    "ethics.model_card": [from_a_dictionary, another_order_and_more_sections, an_opinion],
}
