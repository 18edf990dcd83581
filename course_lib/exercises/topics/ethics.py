"""Exercises and questions of lecture 08: what a generator copies, passes on, and can be told by."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.auditing import CARD, NUMBERS_IN, card_problems
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal, seeded

# --- memorisation_rate ----------------------------------------------------------------------------


def memorisation_rate(
    generated: Float[Tensor, "n C H W"], training: Float[Tensor, "m C H W"], threshold: float
) -> Float[Tensor, ""]:
    """The share of generated images whose distance to the nearest training image is less than
    `threshold` times the distance to the next one. Equal training images count as one image."""
    different = training.flatten(1).unique(dim=0)
    distances = torch.cdist(generated.flatten(1).double(), different.double())
    nearest = distances.topk(2, largest=False).values  # (n, 2)
    return (nearest[:, 0] < threshold * nearest[:, 1]).float().mean()


def _sorted_distances(generated: Tensor, training: Tensor, distinct: bool = True) -> Tensor:
    images = training.flatten(1).unique(dim=0) if distinct else training.flatten(1)
    return torch.cdist(generated.flatten(1).double(), images.double()).sort(dim=1).values


def _cosine_distances(a: Tensor, b: Tensor) -> Tensor:
    one, other = (x.flatten(1).double() for x in (a, b))
    return 1 - torch.cosine_similarity(one[:, None], other[None], dim=2)


def _called_copies(decide: Callable, distinct: bool = True) -> Callable:
    """The share of images of which `decide(sorted distances, threshold)` says that they are."""

    def rate(generated: Tensor, training: Tensor, threshold: float) -> Tensor:
        distances = _sorted_distances(generated, training, distinct)
        return decide(distances, threshold).float().mean()

    return rate


def _below_the_next_number(distances: Tensor, threshold: float) -> Tensor:
    """Whether the nearest is below the next distance that is another number."""
    rows = [row.unique() for row in distances]
    return torch.stack([row[0] < threshold * row[min(1, len(row) - 1)] for row in rows])


def _made(label: str, parts: dict[str, int], threshold: float, seed: int, **look: float) -> Probe:
    """Copies with noise, doubtful ones and strangers, at a contrast around a grey, some planted."""
    contrast, grey, noise = look.get("contrast", 0.5), look.get("grey", 0.0), look.get("noise", 0.1)
    shape = (3, 2, 5) if look.get("colour") else (1, 4, 4)
    training = normal(12, *shape, seed=seed)
    made = [
        training[: parts["copies"]] + noise * normal(parts["copies"], *shape, seed=seed + 1),
        training[6 : 6 + parts["doubtful"]] * 0.45 + training[:1] * 0.1,
        normal(parts["strangers"], *shape, seed=seed + 2),
    ]
    training = torch.cat([training] + [training[: parts["copies"]]] * int(look.get("twice", 0)))
    place = lambda x: grey + contrast * x  # noqa: E731
    return call(label, place(torch.cat(made)), place(training), threshold)


_PIXEL = torch.zeros(1, 1, 1, 1)
_PIXELS, _TWO_WAYS = (
    torch.zeros(1, 1, 1, 2),
    torch.tensor([[5.0, 0.0], [6.4, 6.4]]).view(2, 1, 1, 2),
)
_BETWEEN = torch.tensor([1.0, -1.0, 10.0]).view(3, 1, 1, 1)

MEMORISATION_RATE = Exercise(
    id="ethics.memorisation_rate",
    title="The share of generated images that are copies",
    reference=memorisation_rate,
    allows=("number",),
    hints=(
        "Two faces on the same white ground are never far apart. What does a copy have that a new "
        "face on white has not: how does its nearest training image compare with the others?",
        "For each generated image take the two smallest distances to different training images. "
        "A copy has a small first one and an ordinary second one. What are the two smallest if "
        "the original was put into the training set twice?",
        "`training.flatten(1).unique(dim=0)` keeps one of each; `torch.cdist(a, b)` gives all "
        "distances of rows, `.topk(2, largest=False).values` the two smallest in order. Compare, "
        "and take the mean of what is true.",
    ),
    mistakes=(
        Mistake(
            "planted duplicates hide the copy",
            _called_copies(lambda d, t: d[:, 0] < t * d[:, 1], distinct=False),
            "An original that stands in the training set twice is never found: the nearest and the "
            "next image are the same picture, their ratio is 1, and the copy passes. Those are the "
            "images that models copy most.",
        ),
        Mistake(
            "distance",
            _called_copies(lambda d, t: d[:, 0] < t),
            "Your answer depends on how bright and how rich in contrast the pictures are. Make all "
            "of them ten times fainter, and every picture is a copy for you: two almost white "
            "pictures are close to each other without being copies.",
        ),
        Mistake(
            "squared distances",
            _called_copies(lambda d, t: d[:, 0].square() < t * d[:, 1].square()),
            "You compare squares of distances. A picture 6 from the nearest image and 10 from the "
            "next has ratio 0.6 and is no copy at threshold 0.5. You compare 36 with half of 100, "
            "and call it one.",
            example(_PIXEL, torch.stack([_PIXEL[0] + 6, _PIXEL[0] - 10]), 0.5, gives=1.0),
        ),
        Mistake(
            "ratio turned over",
            _called_copies(lambda d, t: d[:, 1] < t * d[:, 0]),
            "No picture is ever a copy for you, not even a training image itself. Which of your "
            "two distances is the smaller one, and which should it be?",
        ),
        Mistake(
            "next over nearest",
            _called_copies(lambda d, t: d[:, 1] / d[:, 0] > t),
            "Every picture is a copy for you, a stranger too. The next image is never nearer than "
            "the nearest: how do you compare the two with the threshold?",
        ),
        Mistake(
            "sum of absolute differences",
            lambda g, x, t: (
                (
                    (
                        d := torch.cdist(g.flatten(1), x.flatten(1).unique(dim=0), p=1)
                        .sort(1)
                        .values
                    )[:, 0]
                    < t * d[:, 1]
                )
                .float()
                .mean()
            ),
            "You add up absolute differences. The distance of two pictures is the root of the sum "
            "of squares: an image that differs by 5 in one pixel is 5 away, one that differs by "
            "6.4 in two is 9 away, and 5 is more than half of 9. You say {got:.0f}.",
            example(_PIXELS, _TWO_WAYS, 0.5, gives=1.0),
        ),
        Mistake(
            "share of the others",
            _called_copies(lambda d, t: d[:, 0] >= t * d[:, 1]),
            "You return the share that are no copies: if all generated images are training images, "
            "you say 0.",
            example(_PIXEL, torch.stack([_PIXEL[0], _PIXEL[0] - 10]), 0.5, gives=0.0),
        ),
        Mistake(
            "a number of images",
            lambda g, x, t: len(g) * memorisation_rate(g, x, t),
            "You return how many, not which share: 2 copies among 4 images are 0.5; you say 2.",
            example(
                torch.tensor([0.0, 9.0, 4.0, 5.0]).view(4, 1, 1, 1),
                torch.tensor([0.0, 9.0]).view(2, 1, 1, 1),
                0.5,
                gives=2.0,
            ),
        ),
        Mistake(
            "against the farthest",
            _called_copies(lambda d, t: d[:, 0] < t * d[:, -1]),
            "One odd training image makes everything a copy: you compare the nearest image with "
            "the one farthest away.",
        ),
        Mistake(
            "against the mean of all",
            _called_copies(lambda d, t: d[:, 0] < t * d.mean(1)),
            "You compare the nearest with the mean over all training images. In a set of two "
            "kinds, shoes and shirts, every shoe is then nearer to some shoe than to the mean, and "
            "called a copy; asked is the next image.",
        ),
        Mistake(
            "of the training images",
            lambda g, x, t: memorisation_rate(x.unique(dim=0), g, t),
            "The roles are exchanged: you ask for each training image whether a generated one is "
            "its copy. Four generated images, two copies each of two images out of 100: the rate "
            "is 1; you say {got:.2f}.",
            example(
                torch.tensor([0.0, 50.0, 50.0, 0.0]).view(4, 1, 1, 1),
                torch.arange(100.0).view(100, 1, 1, 1),
                0.5,
            ),
        ),
        Mistake(
            "exact copies alone",
            _called_copies(lambda d, t: d[:, 0] == 0),
            "Only copies to the last bit are copies for you. Add noise of a thousandth to a "
            "training image, and you say 0.",
            example(_PIXEL + 0.001, torch.stack([_PIXEL[0], _PIXEL[0] - 10]), 0.5, gives=0.0),
        ),
        Mistake(
            "at the threshold too",
            _called_copies(lambda d, t: d[:, 0] <= t * d[:, 1]),
            "An image just at the threshold is no copy: the ratio has to be below it. With the "
            "nearest at 1, the next at 2 and threshold 0.5 you say {got:.0f}.",
            example(_PIXEL, torch.stack([_PIXEL[0] + 1, _PIXEL[0] - 2]), 0.5, gives=1.0),
        ),
        Mistake(
            "one answer an image",
            lambda g, x, t: (lambda d: d[:, 0] < t * d[:, 1])(_sorted_distances(g, x)),
            "You return an answer for each image; asked is one share.",
        ),
        Mistake(
            "of the training images, duplicates counted",
            lambda g, x, t: memorisation_rate(x, g, t),
            "The roles are exchanged: you ask for each training image whether a generated one is "
            "its copy. Four generated images, two copies each of two images out of 100: the rate "
            "is 1; you say {got:.2f}.",
            example(
                torch.tensor([0.0, 50.0, 50.0, 0.0]).view(4, 1, 1, 1),
                torch.arange(100.0).view(100, 1, 1, 1),
                0.5,
            ),
        ),
        Mistake(
            "against the median of all",
            _called_copies(lambda d, t: d[:, 0] < t * d.median(1).values),
            "You compare the nearest image with the median over all of them. In a set of two "
            "kinds, shoes and shirts, every shoe is then nearer to some shoe than to the median, "
            "and called a copy; asked is the next image.",
        ),
        Mistake(
            "cosine distances",
            lambda g, x, t: (
                ((d := _cosine_distances(g, x.unique(dim=0)).sort(1).values)[:, 0] < t * d[:, 1])
                .float()
                .mean()
            ),
            "You compare directions, by the cosine: a picture and one of twice its contrast are "
            "the same to you. Asked is the distance between the pictures.",
        ),
        Mistake(
            "the mean ratio",
            lambda g, x, t: ((d := _sorted_distances(g, x))[:, 0] / d[:, 1]).mean().float(),
            "You return the mean of the ratios. Asked is the share of pictures whose ratio lies "
            "below the threshold, which has no influence on your answer.",
        ),
        Mistake(
            "largest difference",
            lambda g, x, t: (
                (
                    (
                        d := torch.cdist(g.flatten(1), x.flatten(1).unique(dim=0), p=math.inf)
                        .sort(1)
                        .values
                    )[:, 0]
                    < t * d[:, 1]
                )
                .float()
                .mean()
            ),
            "You compare the largest difference of a pixel. The distance of two pictures is the "
            "root of the sum of squares: an image that differs by 5 in one pixel is 5 away, one "
            "that differs by 8 in two is 11.3 away, and 5 is less than half of that: a copy. You "
            "say {got:.0f}.",
            example(
                _PIXELS, torch.tensor([[5.0, 0.0], [8.0, 8.0]]).view(2, 1, 1, 2), 0.5, gives=0.0
            ),
        ),
        Mistake(
            "equal generated images once",
            lambda g, x, t: memorisation_rate(g.unique(dim=0), x, t),
            "You count equal generated images once. Three pictures, two of them the same copy and "
            "one no copy, are a rate of {expected:.2f}; you say {got:.1f}.",
            example(
                torch.tensor([0.0, 0.0, 5.0]).view(3, 1, 1, 1),
                torch.tensor([0.0, 10.0]).view(2, 1, 1, 1),
                0.5,
                gives=0.5,
            ),
        ),
        Mistake(
            "against the mean of the others",
            _called_copies(lambda d, t: d[:, 0] < t * d[:, 1:].mean(1)),
            "You compare the nearest image with the mean over all others; asked is the next image "
            "alone. In a set of two kinds, shoes and shirts, every shoe is nearer to some shoe "
            "than to the mean, and called a copy.",
        ),
        Mistake(
            "equal distances once",
            _called_copies(_below_the_next_number, distinct=False),
            "Two different training images that are equally far away count as one for you. A "
            "picture at 0, between training images at −1 and 1, is a copy of neither; with a third "
            "one at 10 you say {got:.0f}.",
            example(_PIXEL, _BETWEEN, 0.5, gives=1.0),
        ),
    ),
    probes=(
        _made("4 copies among 9 images", dict(copies=4, doubtful=0, strangers=5), 0.5, seed=1),
        _made(
            "3 copies of originals that stand twice",
            dict(copies=3, doubtful=0, strangers=2),
            0.5,
            2,
            twice=1,
        ),
        _made(
            "almost white pictures, 2 copies of 7",
            dict(copies=2, doubtful=0, strangers=5),
            0.5,
            3,
            contrast=0.01,
            grey=0.9,
        ),
        _made(
            "strong contrast, 5 copies of 8",
            dict(copies=5, doubtful=0, strangers=3),
            0.5,
            4,
            contrast=5.0,
            colour=1,
        ),
        _made(
            "2 exact copies of 5", dict(copies=2, doubtful=0, strangers=3), 0.5, seed=7, noise=0.0
        ),
        _made(
            "4 doubtful images, 1 copy, threshold 0.5",
            dict(copies=1, doubtful=4, strangers=0),
            0.5,
            seed=5,
        ),
        _made(
            "6 doubtful images, threshold 0.7", dict(copies=0, doubtful=6, strangers=1), 0.7, seed=6
        ),
        call(
            "one image, just at the threshold",
            _PIXEL,
            torch.stack([_PIXEL[0] + 1, _PIXEL[0] - 2]),
            0.5,
        ),
        call("one image, the nearest off in one pixel, the next in two", _PIXELS, _TWO_WAYS, 0.5),
        call(
            "three images, two of them equal",
            torch.tensor([[0.0, 0.0], [0.0, 0.0], [6.5, 4.0]]).view(3, 1, 1, 2),
            torch.tensor([[5.0, 0.0], [8.0, 8.0]]).view(2, 1, 1, 2),
            0.5,
        ),
        call("one image, two different ones equally near", _PIXEL, _BETWEEN, 0.5),
        call(
            "three images; one original stands three times, one twice, one once",
            torch.tensor([[0.5, 0.0], [8.0, 0.5], [4.0, 0.0]]).view(3, 1, 1, 2),
            torch.tensor([[0, 0], [8, 0], [0, 0], [0, 9], [0, 0], [8.0, 0]]).view(6, 1, 1, 2),
            0.5,
        ),
        call(
            "three images of two channels, whose means say little",
            torch.tensor([[1.5, -1.5], [0.0, 4.0], [3.0, -2.9]]).view(3, 2, 1, 1),
            torch.tensor([[0.0, 0.0], [3.0, -3.0], [6.0, 0.0]]).view(3, 2, 1, 1),
            0.5,
        ),
    ),
)


# --- roc_auc --------------------------------------------------------------------------------------


def roc_auc(scores: Float[Tensor, " n"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Of all pairs (image of label 1, image of label 0), the share in which the first scores
    higher; an equal score counts half."""
    gaps = scores[labels == 1][:, None] - scores[labels == 0]  # (positives, negatives)
    return ((gaps > 0).float() + 0.5 * (gaps == 0).float()).mean()


def _won(gaps: Tensor, tie: float = 0.5) -> Tensor:
    return ((gaps > 0).float() + tie * (gaps == 0).float()).mean()


def _gaps(scores: Tensor, labels: Tensor) -> Tensor:
    return scores[labels == 1][:, None] - scores[labels == 0]


def _ranks_by_argsort(scores: Tensor, labels: Tensor) -> Tensor:
    ranks = scores.argsort(stable=True).argsort().float() + 1
    m, n = (labels == 1).sum(), (labels == 0).sum()
    return (ranks[labels == 1].sum() - m * (m + 1) / 2) / (m * n)


def _curve_at_every_image(scores: Tensor, labels: Tensor) -> Tensor:
    """Trapezoids, with a corner after each image even where scores are equal."""
    hit = (labels[scores.argsort(descending=True, stable=True)] == 1).float()
    up, right = (torch.cat([torch.zeros(1), x.cumsum(0) / x.sum()]) for x in (hit, 1 - hit))
    return torch.trapezoid(up, right)


def _average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    hit = (labels[scores.argsort(descending=True, stable=True)] == 1).float()
    return (hit * hit.cumsum(0) / torch.arange(1, len(hit) + 1)).sum() / hit.sum()


def _on_a_grid_of_thresholds(scores: Tensor, labels: Tensor) -> Tensor:
    above = scores > torch.linspace(1, 0, 101)[:, None]
    up, right = (above[:, labels == kind].float().mean(1) for kind in (1, 0))
    return torch.trapezoid(up, right)


ROC_AUC = Exercise(
    id="ethics.roc_auc",
    title="How well scores tell two kinds apart: the area under the ROC curve",
    reference=roc_auc,
    allows=("number",),
    hints=(
        "Draw one fake and one real picture at random. How often does the fake score higher? No "
        "threshold is needed for that. And what should a detector get that gives all the same?",
        "With m fakes and n real pictures there are m · n pairs. Make a table of all differences, "
        "(m, n), and count: above 0 a whole point, equal to 0 half a point.",
        "`fake[:, None] - real` is the table. `(table > 0).float() + 0.5 * (table == 0).float()` "
        "holds the points; take their mean.",
    ),
    mistakes=(
        Mistake(
            "reversed",
            lambda scores, labels: 1 - roc_auc(scores, labels),
            "Below ½ for a detector that works: which label has the higher scores? For one image "
            "of label 1 scored 0.9 and one of label 0 scored 0.1 the area is 1; you say {got:.0f}.",
            example(torch.tensor([0.9, 0.1]), torch.tensor([1, 0]), gives=0.0),
        ),
        Mistake(
            "ties count nothing",
            lambda scores, labels: _won(_gaps(scores, labels), 0.0),
            "A detector that gives every image the same score gets 0 from you, the same as one "
            "that is always wrong; it knows nothing and must get ½.",
            example(torch.zeros(2), torch.tensor([1, 0]), gives=0.0),
        ),
        Mistake(
            "ties count as won",
            lambda scores, labels: _won(_gaps(scores, labels), 1.0),
            "A detector that gives every image the same score is perfect for you; it knows nothing "
            "and must get ½.",
            example(torch.zeros(2), torch.tensor([1, 0]), gives=1.0),
        ),
        Mistake(
            "ranks without ties",
            _ranks_by_argsort,
            "Your answer depends on the order in which equal images stand in the list. Two images "
            "with one score, labels 1 and 0, are worth ½; you say 0, and with the two exchanged 1.",
            example(torch.zeros(2), torch.tensor([1, 0]), gives=0.0),
        ),
        Mistake(
            "a corner after every image",
            _curve_at_every_image,
            "Your answer depends on the order in which equal images stand in the list: between "
            "them the curve has no corner. Two images with one score, labels 1 and 0, are worth ½; "
            "you say 1, and with the two exchanged 0.",
            example(torch.zeros(2), torch.tensor([1, 0]), gives=1.0),
        ),
        Mistake(
            "thresholded first",
            lambda scores, labels: _won(_gaps((scores > 0.5).float(), labels)),
            "You threw the ranking away: with scores cut at 0.5 only two values are left. Fakes at "
            "0.3 and real images at 0.1 are told apart without an error, area 1; you say ½.",
            example(torch.tensor([0.3, 0.1]), torch.tensor([1, 0]), gives=0.5),
        ),
        Mistake(
            "accuracy",
            lambda scores, labels: ((scores > 0.5) == (labels == 1)).float().mean(),
            "You return how many answers are right at the threshold 0.5. Of 9 real images and 1 "
            "fake a detector that always says real has 90 % right, and tells nothing apart: its "
            "area is ½.",
            example(torch.zeros(10), torch.arange(10) // 9, gives=0.9),
        ),
        Mistake(
            "hits at one threshold",
            lambda scores, labels: (scores[labels == 1] > 0.5).float().mean(),
            "You return which share of the fakes is caught. Who calls everything fake catches all; "
            "the real images among them do not change your answer.",
            example(torch.ones(2), torch.tensor([1, 0]), gives=1.0),
        ),
        Mistake(
            "difference of the means",
            lambda scores, labels: scores[labels == 1].mean() - scores[labels == 0].mean(),
            "Double all scores, and your answer doubles. The area depends on their order only, and "
            "lies between 0 and 1.",
        ),
        Mistake(
            "all pairs of images",
            lambda scores, labels: (_gaps(scores, labels) > 0).sum() / len(scores) ** 2,
            "You divide by all pairs of images, those of one kind among them. One fake above one "
            "real image is one pair, won: area 1; you say 0.25.",
            example(torch.tensor([0.9, 0.1]), torch.tensor([1, 0]), gives=0.25),
        ),
        Mistake(
            "a number of pairs",
            lambda scores, labels: _won(_gaps(scores, labels)) * _gaps(scores, labels).numel(),
            "You return how many pairs are won, not which share: 2 fakes above 3 real images are "
            "an area of 1; you say 6.",
            example(
                torch.tensor([0.9, 0.8, 0.1, 0.2, 0.3]), torch.tensor([1, 1, 0, 0, 0]), gives=6.0
            ),
        ),
        Mistake(
            "never below a half",
            lambda scores, labels: torch.maximum(a := roc_auc(scores, labels), 1 - a),
            "Your answer is never below ½. A detector that scores every real picture above every "
            "fake one has area 0, and one should see that it is the wrong way round; you say "
            "{got:.0f}.",
            example(torch.tensor([0.1, 0.9]), torch.tensor([1, 0]), gives=1.0),
        ),
        Mistake(
            "average precision",
            _average_precision,
            "You return the average precision. It depends on how many images of each kind there "
            "are: one of label 1 in last place of ten gets 0.1, in last place of a hundred 0.01. "
            "Its area under the ROC curve is 0 both times; for scores 0 and 1, labels 1 and 0, you "
            "say {got:.1f}.",
            example(torch.tensor([0.0, 1.0]), torch.tensor([1, 0]), gives=0.5),
        ),
        Mistake(
            "thresholds from 0 to 1",
            _on_a_grid_of_thresholds,
            "You try thresholds from 0 to 1 only. Scores may be any numbers: −1 for label 1 and −2 "
            "for label 0 are told apart, area 1; you say {got:.1f}.",
            example(torch.tensor([-1.0, -2.0]), torch.tensor([1, 0]), gives=0.0),
        ),
        Mistake(
            "one pair an image",
            lambda s, y: _won(s[y == 1][: (y == 0).sum()] - s[y == 0][: (y == 1).sum()]),
            "You compare the first fake with the first real picture, the second with the second, "
            "and so on. Every fake belongs beside every real picture: scores 1 and 3 against 2 and "
            "0 are 4 pairs, 3 of them won; you say {got:.2f}.",
            example(torch.tensor([1.0, 3.0, 2.0, 0.0]), torch.tensor([1, 1, 0, 0]), gives=0.5),
        ),
        Mistake(
            "Gini",
            lambda scores, labels: 2 * roc_auc(scores, labels) - 1,
            "Yours runs from −1 to 1, and guessing is 0 (that is the Gini coefficient). The area "
            "under the curve of a guess is ½.",
            example(torch.zeros(2), torch.tensor([1, 0]), gives=0.0),
        ),
        Mistake(
            "all pairs of images, ties at a half",
            lambda s, y: _won(_gaps(s, y)) * _gaps(s, y).numel() / len(s) ** 2,
            "You divide by all pairs of images, those of one kind among them. One fake above one "
            "real image is one pair, won: area 1; you say {got:.2f}.",
            example(torch.tensor([0.9, 0.1]), torch.tensor([1, 0]), gives=0.25),
        ),
        Mistake(
            "reversed, ties count nothing",
            lambda s, y: _won(-_gaps(s, y), 0.0),
            "You count the pairs in which the image of label 0 has the higher score, and equal "
            "scores not at all. One image of label 1 scored 0.9 and one of label 0 scored 0.1: "
            "area 1; you say {got:.0f}.",
            example(torch.tensor([0.9, 0.1]), torch.tensor([1, 0]), gives=0.0),
        ),
        Mistake(
            "the means compared",
            lambda s, y: (s[y == 1].mean() > s[y == 0].mean()).float(),
            "You compare the two mean scores, so all you can say is 0 or 1. Labels 1, 1, 0 with "
            "scores 9, 1, 2: one pair of two is won, ½; you say {got:.0f}.",
            example(torch.tensor([9.0, 1.0, 2.0]), torch.tensor([1, 1, 0]), gives=1.0),
        ),
        Mistake(
            "the best accuracy",
            lambda s, y: torch.stack([((s >= t) == (y == 1)).float().mean() for t in s]).max(),
            "You try thresholds and return the best share of right answers. Of 9 real images and "
            "1 fake, all scored alike, you say {got:.1f}; the area of a guess is ½.",
            example(torch.zeros(10), torch.arange(10) % 9 // 8, gives=0.1),
        ),
        Mistake(
            "the medians compared",
            lambda s, y: (s[y == 1].median() > s[y == 0].median()).float(),
            "You compare the two medians, so all you can say is 0 or 1. Labels 1, 1, 1, 0 with "
            "scores 9, 9, 1, 2: two pairs of three are won, 0.67; you say {got:.0f}.",
            example(torch.tensor([9.0, 9.0, 1.0, 2.0]), torch.tensor([1, 1, 1, 0]), gives=1.0),
        ),
        Mistake(
            "precision",
            lambda s, y: ((s > 0.5) & (y == 1)).sum() / (s > 0.5).sum().clamp(min=1),
            "You return the share of fakes among what is called fake at the threshold 0.5, the "
            "precision. Fakes at 0.3 and real images at 0.1 are told apart without an error, area "
            "1; you say {got:.0f}.",
            example(torch.tensor([0.3, 0.1]), torch.tensor([1, 0]), gives=0.0),
        ),
    ),
    probes=(
        call(
            "5 images, no tie",
            torch.tensor([0.9, 0.35, 0.4, 0.1, 0.6]),
            torch.tensor([1, 1, 0, 0, 0]),
        ),
        call("all scores equal, 0 before 1", torch.zeros(4), torch.tensor([0, 0, 0, 1])),
        call("all scores equal, 1 before 0", torch.ones(3), torch.tensor([1, 0, 0])),
        call(
            "some ties",
            torch.tensor([0.2, 0.7, 0.7, 0.2, 0.9, 0.2]),
            torch.tensor([1, 1, 0, 0, 1, 0]),
        ),
        call(
            "negative scores, the wrong way round",
            torch.tensor([-3.0, -1.5, -2.0, -1.0]),
            torch.tensor([1, 1, 0, 0]),
        ),
        call("40 images", (2 * normal(40, seed=1)).round(), (normal(40, seed=2) > 0.5).long()),
    ),
)


# --- membership_auc -------------------------------------------------------------------------------


def membership_auc(
    losses_members: Float[Tensor, " m"], losses_non_members: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """How often a training image has a lower loss than an image that the model never saw; a tie
    counts half. ½ when the losses give nothing away."""
    scores = -torch.cat([losses_members, losses_non_members])
    labels = torch.arange(len(scores)) < len(losses_members)
    return roc_auc(scores, labels.long())


def _pairs(members: Tensor, others: Tensor) -> Tensor:
    return others - members[:, None]


MEMBERSHIP_AUC = Exercise(
    id="ethics.membership_auc",
    title="Whether the losses give away who was in the training set",
    reference=membership_auc,
    allows=("number",),
    hints=(
        "A model is usually better on what it was trained on. Say in one sentence what an attacker "
        "who sees two losses, of a member and of a stranger, should bet on.",
        "It is the area under the ROC curve again, `roc_auc(scores, labels)`. Members are the "
        "positives. Which score is high for a member?",
        "Scores: `-torch.cat([losses_members, losses_non_members])`. Labels: ones for the members, "
        "zeros for the others, of the same lengths.",
    ),
    mistakes=(
        Mistake(
            "reversed",
            lambda a, b: _won(-_pairs(a, b)),
            "Below ½ where the model gives its members away. A member's loss of 0.1 and a "
            "stranger's of 2 are told apart for sure, 1; you say 0.",
            example(torch.tensor([0.1]), torch.tensor([2.0]), gives=0.0),
        ),
        Mistake(
            "ties count nothing",
            lambda a, b: _won(_pairs(a, b), 0.0),
            "A model with the same loss for all gets 0 from you; it gives nothing away, ½.",
            example(torch.ones(1), torch.ones(1), gives=0.0),
        ),
        Mistake(
            "ties count as won",
            lambda a, b: _won(_pairs(a, b), 1.0),
            "A model with the same loss for all gives everyone away, you say ({got:.0f}); it gives "
            "nothing away, ½.",
            example(torch.ones(1), torch.ones(1), gives=1.0),
        ),
        Mistake(
            "difference of the means",
            lambda a, b: b.mean() - a.mean(),
            "You return how much lower the members' losses are. Count losses in bits instead of "
            "nats, and your answer changes; one stranger with a loss of a million decides it.",
        ),
        Mistake(
            "ratio of the means",
            lambda a, b: b.mean() / a.mean(),
            "You return how many times higher the strangers' losses are: 1 for equal ones, where "
            "nothing is given away and ½ is asked.",
        ),
        Mistake(
            "below the mean stranger",
            lambda a, b: (a < b.mean()).float().mean(),
            "You ask how many members lie below the mean stranger. Strangers at 0 and 10, a member "
            "at 4: it is below one of the two, ½; you say 1.",
            example(torch.tensor([4.0]), torch.tensor([0.0, 10.0]), gives=1.0),
        ),
        Mistake(
            "below the best stranger",
            lambda a, b: (a < b.min()).float().mean(),
            "You ask how many members lie below all strangers. One stranger with a loss of 0, and "
            "you say 0 whatever the rest.",
            example(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 9.0, 9.0]), gives=0.0),
        ),
        Mistake(
            "right at a threshold",
            lambda a, b: (
                ((a < (t := torch.cat([a, b]).mean())).sum() + (b >= t).sum()) / (len(a) + len(b))
            ),
            "You return how many are told right at one threshold. It depends on where that lies, "
            "and on how many members there are beside how many strangers.",
        ),
        Mistake(
            "halves of a sorted list",
            lambda a, b: (torch.cat([a, b]).argsort(stable=True)[: len(a)] < len(a)).float().mean(),
            "You call the lowest losses members, as many as there are, and count the right ones. "
            "With 9 members and 1 stranger you cannot fall below 0.89, also where the stranger has "
            "the lowest loss of all, which is 0.",
            example(torch.arange(1.0, 10.0), torch.zeros(1), gives=8 / 9),
        ),
        Mistake(
            "a number of pairs",
            lambda a, b: _won(_pairs(a, b)) * a.numel() * b.numel(),
            "You return how many pairs are told right, not which share: 2 members below 3 "
            "strangers are 1; you say 6.",
            example(torch.zeros(2), torch.ones(3), gives=6.0),
        ),
        Mistake(
            "advantage",
            lambda a, b: 2 * _won(_pairs(a, b)) - 1,
            "Yours is 0 where nothing is given away, and can be negative. Asked is the area, ½ "
            "there.",
            example(torch.ones(1), torch.ones(1), gives=0.0),
        ),
        Mistake(
            "never below a half",
            lambda a, b: torch.maximum(p := _won(_pairs(a, b)), 1 - p),
            "Your answer is never below ½. Members whose losses are all higher than the "
            "strangers' have area 0, and that should show; you say {got:.0f}.",
            example(torch.tensor([2.0]), torch.tensor([0.1]), gives=1.0),
        ),
        Mistake(
            "one pair a member",
            lambda a, b: (a[: len(b)] < b[: len(a)]).float().mean(),
            "You compare the first member with the first stranger, the second with the second, "
            "and so on. Every member belongs beside every stranger: losses 1 and 3 against 2 and "
            "4 are 4 pairs, 3 of them told right; you say {got:.1f}.",
            example(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 4.0]), gives=1.0),
        ),
        Mistake(
            "labels in halves",
            lambda a, b: roc_auc(
                -torch.cat([a, b]), (torch.arange(len(a) + len(b)) < (len(a) + len(b)) // 2).long()
            ),
            "Half of all losses are members for you, however many there are. One member at 2 "
            "below three strangers at 1, 3 and 4: it is told right in 2 of 3 pairs; you say "
            "{got:.2f}.",
            example(torch.tensor([2.0]), torch.tensor([1.0, 3.0, 4.0]), gives=1.0),
        ),
        Mistake(
            "right at one half",
            lambda a, b: ((a < 0.5).sum() + (b >= 0.5).sum()) / (len(a) + len(b)),
            "You return how many are told right at one threshold, a loss of 0.5. Losses have no "
            "such unit: with members at 2 and strangers at 3 all are told apart, 1; you say "
            "{got:.1f}.",
            example(torch.tensor([2.0]), torch.tensor([3.0]), gives=0.5),
        ),
    ),
    probes=(
        call("2 members, 3 others", torch.tensor([0.1, 0.6]), torch.tensor([0.4, 2.0, 0.9])),
        call("all losses equal", torch.ones(3), torch.ones(2)),
        call(
            "members with the higher losses",
            torch.tensor([5.0, 2.5, 4.0]),
            torch.tensor([0.5, 3.0]),
        ),
        call("one of each", torch.tensor([0.1]), torch.tensor([2.0])),
        call(
            "30 members, 20 others, some equal",
            normal(30, seed=1).round(decimals=1),
            (0.7 + normal(20, seed=2)).round(decimals=1),
        ),
    ),
)


# --- attribute_shares -----------------------------------------------------------------------------

Z = 1.96  # of a normal variable, 95 % lie within so many standard deviations


def attribute_shares(answers: Bool[Tensor, " n"]) -> tuple[float, tuple[float, float]]:
    """The share of images for which the answer is yes, and Wilson's interval (low, high) at 95 %.

    middle (k + z²/2) / (n + z²), half width z √(k (n − k) / n + z²/4) / (n + z²), with z = 1.96
    """
    k, n = answers.sum().item(), len(answers)
    middle = (k + Z**2 / 2) / (n + Z**2)
    half = Z * math.sqrt(k * (n - k) / n + Z**2 / 4) / (n + Z**2)
    return k / n, (middle - half, middle + half)


def _interval(make: Callable) -> Callable:
    """Another share or interval from k of n: make(k, n) -> share, middle, half width."""

    def shares(answers: Tensor) -> tuple[float, tuple[float, float]]:
        share, middle, half = make(answers.sum().item(), len(answers))
        return share, (middle - half, middle + half)

    return shares


def _wald(k: float, n: int) -> float:
    return math.sqrt(k / n * (1 - k / n) / n)


def _wilson(k: float, n: int, z: float = Z) -> tuple[float, float, float]:
    half = z * math.sqrt(k * (n - k) / n + z**2 / 4) / (n + z**2)
    return k / n, (k + z**2 / 2) / (n + z**2), half


def _clipped_wald(answers: Tensor) -> tuple[float, tuple[float, float]]:
    share, half = answers.float().mean().item(), Z * _wald(answers.sum().item(), len(answers))
    return share, (max(share - half, 0.0), min(share + half, 1.0))


def _exact(answers: Tensor) -> tuple[float, tuple[float, float]]:
    """Clopper and Pearson's interval: each end leaves 2.5 % to counts as extreme as k."""
    from scipy.special import betaincinv  # only wrong answers wait for it

    k, n = int(answers.sum()), len(answers)
    low = betaincinv(k, n - k + 1, 0.025) if k > 0 else 0.0
    high = betaincinv(k + 1, n - k, 0.975) if k < n else 1.0
    return k / n, (float(low), float(high))


def _shares_probe(label: str, k: int, n: int) -> Probe:
    answers = torch.arange(n) * 7 % n < k  # 7 and n share no divisor: k of them are true
    return call(label, answers, rtol=1e-4, atol=1e-4)


def _yes(k: int, n: int) -> Tensor:
    return torch.arange(n) < k


_low = lambda found: float(found[1][0])  # noqa: E731

ATTRIBUTE_SHARES = Exercise(
    id="ethics.attribute_shares",
    title="A share, and how sure it is",
    reference=attribute_shares,
    allows=("tensor",),
    hints=(
        "You looked at 20 generated faces and saw no glasses. Which true shares could have led to "
        "that? 0 is one. Is 1 % another, is 50 %? Your interval should hold those that could.",
        "Count k, the yes answers, and n, all answers. The share is k / n. The interval is not "
        "centred on it: the formula moves its middle towards ½, as if z² more images had been "
        "seen, half of them with yes.",
        "With `z = 1.96`: `middle = (k + z**2 / 2) / (n + z**2)` and `half = z * "
        "math.sqrt(k * (n - k) / n + z**2 / 4) / (n + z**2)`. Return "
        "`k / n, (middle - half, middle + half)`.",
    ),
    mistakes=(
        Mistake(
            "Wald",
            _interval(lambda k, n: (k / n, k / n, Z * _wald(k, n))),
            "Where no image, or every image, has the attribute your interval is a point: 0 of 20 "
            "gives 0 … 0. That would prove that it never occurs; a true share of 10 % gives 0 of "
            "20 once in eight times.",
            example(_yes(0, 20), gives=0.0, pick=lambda found: float(found[1][1])),
        ),
        Mistake(
            "Wald, cut off at 0 and 1",
            _clipped_wald,
            "Where no image, or every image, has the attribute your interval is a point: 0 of 20 "
            "gives 0 … 0. For 1 of 20 it ends at 0, a share that cannot give 1 of 20.",
        ),
        Mistake(
            "Agresti-Coull",
            _interval(
                lambda k, n: (
                    k / n,
                    (k + Z**2 / 2) / (n + Z**2),
                    Z * _wald(k + Z**2 / 2, n + Z**2),
                )
            ),
            "The middle is right, the width is not (it is Agresti and Coull's): for 0 of 20 your "
            "interval begins below 0, at −0.03.",
            example(_yes(0, 20), gives=-0.0286, pick=_low),
        ),
        Mistake(
            "one standard deviation",
            _interval(lambda k, n: _wilson(k, n, 1.0)),
            "Too narrow: such an interval holds the truth about two times in three. For 10 of 20 "
            "it should be 0.30 … 0.70; yours is 0.39 … 0.61.",
            example(_yes(10, 20), gives=0.3909, pick=_low),
        ),
        Mistake(
            "one side",
            _interval(lambda k, n: _wilson(k, n, 1.645)),
            "Too narrow: this is 90 %. Of a normal variable 5 % lie above 1.645 and as many below "
            "−1.645. For 10 of 20 it should be 0.30 … 0.70; yours is 0.33 … 0.67.",
            example(_yes(10, 20), gives=0.3275, pick=_low),
        ),
        Mistake(
            "not divided by n",
            _interval(lambda k, n: (k / n, k / n, Z * math.sqrt(k / n * (1 - k / n)))),
            "Your interval does not shrink when more images are looked at. For 100 of 200 it "
            "should be 0.43 … 0.57; yours is −0.48 … 1.48: the spread of one answer, not of the "
            "share.",
            example(_yes(100, 200), gives=-0.48, pick=_low),
        ),
        Mistake(
            "variance for standard deviation",
            _interval(lambda k, n: (k / n, k / n, Z * k / n * (1 - k / n) / n)),
            "Far too narrow: for 10 of 20 you say 0.476 … 0.524, it should be 0.30 … 0.70. A "
            "variance has no place beside a share.",
            example(_yes(10, 20), gives=0.4755, pick=_low),
        ),
        Mistake(
            "z is 2",
            _interval(lambda k, n: _wilson(k, n, 2.0)),
            "A little too wide: 95 % of a normal variable lie within 1.96 standard deviations, not "
            "2. For 10 of 20 the interval begins at {expected:.4f}; yours at {got:.4f}.",
            example(_yes(10, 20), gives=0.2959, pick=_low),
        ),
        Mistake(
            "n for its square",
            _interval(
                lambda k, n: (
                    k / n,
                    (k + Z**2 / 2) / (n + Z**2),
                    Z * n / (n + Z**2) * math.sqrt(k / n * (1 - k / n) / n + Z**2 / (4 * n)),
                )
            ),
            "The width is wrong, most of all for large n: inside the root z²/4 is added to "
            "k (n − k)/n, a number of images. For 10 of 20 the interval begins at {expected:.2f}; "
            "yours at {got:.2f}.",
            example(_yes(10, 20), gives=0.0955, pick=_low),
        ),
        Mistake(
            "the middle for the share",
            _interval(lambda k, n: (_wilson(k, n)[1], *_wilson(k, n)[1:])),
            "The interval is right, the share is not: you return the interval's middle. 0 of 20 is "
            "a share of 0; you say 0.08.",
            example(_yes(0, 20), gives=0.0806, pick=lambda found: float(found[0])),
        ),
        Mistake(
            "around the share",
            _interval(lambda k, n: (k / n, k / n, _wilson(k, n)[2])),
            "Half as wide on either side of the share, and so below 0 for 0 of 20: −0.08 … 0.08. "
            "The middle of the interval is another number than the share.",
            example(_yes(0, 20), gives=-0.0806, pick=_low),
        ),
        Mistake(
            "percent",
            lambda answers: (
                100 * (found := attribute_shares(answers))[0],
                tuple(100 * end for end in found[1]),
            ),
            "In percent, not as shares from 0 to 1: 10 of 20 is 0.5; you say 50.",
            example(_yes(10, 20), gives=50.0, pick=lambda found: float(found[0])),
        ),
        Mistake(
            "the two ends exchanged",
            lambda answers: ((found := attribute_shares(answers))[0], found[1][::-1]),
            "The interval runs from high to low.",
            example(_yes(10, 20), gives=0.7007, pick=_low),
        ),
        Mistake(
            "the width",
            lambda answers: (
                (found := attribute_shares(answers))[0],
                ((found[1][1] - found[1][0]) / 2,) * 2,
            ),
            "You return how wide the interval is to either side; asked are its two ends. For 10 of "
            "20: 0.30 and 0.70; you say 0.20.",
            example(_yes(10, 20), gives=0.2007, pick=_low),
        ),
        Mistake(
            "z² where half of it belongs",
            _interval(lambda k, n: (k / n, (k + Z**2) / (n + Z**2), _wilson(k, n)[2])),
            "Your interval lies too high: its middle has z² added to k, not half of it. For 10 of "
            "20 the middle should be ½; yours is {got:.2f}.",
            example(_yes(10, 20), gives=0.5806, pick=lambda found: sum(map(float, found[1])) / 2),
        ),
        Mistake(
            "not divided by n in the root",
            _interval(
                lambda k, n: (
                    *_wilson(k, n)[:2],
                    Z * math.sqrt(k * (n - k) + Z**2 / 4) / (n + Z**2),
                )
            ),
            "Far too wide: under the root k (n − k) is not divided by n. For 10 of 20 the "
            "interval begins at {expected:.2f}; yours at {got:.2f}.",
            example(_yes(10, 20), gives=-0.326, pick=_low),
        ),
        Mistake(
            "z²/4 outside the root",
            _interval(
                lambda k, n: (
                    *_wilson(k, n)[:2],
                    (Z * math.sqrt(k * (n - k) / n) + Z**2 / 4) / (n + Z**2),
                )
            ),
            "The width is wrong: z²/4 belongs under the root, beside k (n − k)/n. For 0 of 20 the "
            "interval begins at 0; yours at {got:.2f}.",
            example(_yes(0, 20), gives=0.0403, pick=_low),
        ),
        Mistake(
            "a number of answers",
            lambda answers: (answers.sum().item(), attribute_shares(answers)[1]),
            "You return how many say yes, not which share: 10 of 20 is 0.5; you say {got:.0f}.",
            example(_yes(10, 20), gives=10.0, pick=lambda found: float(found[0])),
        ),
        Mistake(
            "the middle and half the width",
            lambda answers: (
                _wilson(k := answers.sum().item(), len(answers))[0],
                _wilson(k, len(answers))[1:],
            ),
            "You return the interval's middle and half its width; asked are its two ends. For 10 "
            "of 20: 0.30 and 0.70; you say {got:.2f}.",
            example(
                _yes(10, 20),
                gives=torch.tensor([0.5, 0.2007]),
                pick=lambda found: torch.tensor(found[1]),
            ),
        ),
        Mistake(
            "Clopper and Pearson's",
            _exact,
            "This is Clopper and Pearson's interval, which is wider than Wilson's: 0 of 20 "
            "reaches up to {expected:.3f} in the formula above; yours up to {got:.3f}.",
            example(_yes(0, 20), gives=0.1684, pick=lambda found: float(found[1][1])),
        ),
        Mistake(
            "one side, 1.64",
            _interval(lambda k, n: _wilson(k, n, 1.64)),
            "Too narrow: this is 90 %. Of a normal variable 5 % lie above 1.64 and as many below "
            "−1.64. For 10 of 20 it should be 0.30 … 0.70; yours begins at {got:.2f}.",
            example(_yes(10, 20), gives=0.328, pick=_low),
        ),
    ),
    probes=(
        _shares_probe("10 of 20", 10, 20),
        _shares_probe("0 of 20", 0, 20),
        _shares_probe("20 of 20", 20, 20),
        _shares_probe("1 of 20", 1, 20),
        _shares_probe("137 of 1000", 137, 1000),
        _shares_probe("one image, yes", 1, 1),
    ),
)


# --- amplification --------------------------------------------------------------------------------


def amplification(training_share: float, generated_share: float) -> tuple[float, float]:
    """What became of a share, on two scales: the change in percentage points, and the factor."""
    return 100 * (generated_share - training_share), generated_share / training_share


AMPLIFICATION = Exercise(
    id="ethics.amplification",
    title="How much a share has grown, in points and as a factor",
    reference=amplification,
    hints=(
        "70 % went in, 80 % came out. One newspaper writes “10 points more”, another “14 % more”. "
        "Both are right. Which two calculations did they make?",
        "Points: a difference, counted in hundredths. Factor: what came out over what went in; 1 "
        "where nothing has changed.",
        "Return two numbers: `100 * (generated_share - training_share)` and the quotient of the "
        "two shares.",
    ),
    mistakes=(
        Mistake(
            "exchanged",
            lambda a, b: (100 * (a - b), a / b),
            "From 70 % to 80 % is a growth; you say −10 points, and a factor below 1.",
            example(0.7, 0.8, gives=-10.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "difference exchanged",
            lambda a, b: (100 * (a - b), b / a),
            "Your two numbers contradict each other: from 70 % to 80 % your factor says growth, "
            "and your points say −10.",
            example(0.7, 0.8, gives=-10.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "factor turned over",
            lambda a, b: (100 * (b - a), a / b),
            "Your two numbers contradict each other: from 70 % to 80 % your points say growth, and "
            "your factor is 0.875.",
            example(0.7, 0.8, gives=0.875, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "not in points",
            lambda a, b: (b - a, b / a),
            "From 70 % to 80 % is 10 points; you say 0.1. (A tenth of a point is next to nothing.)",
            example(0.7, 0.8, gives=0.1, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "percent for points",
            lambda a, b: (100 * (b - a) / a, b / a),
            "You return percent of the share, not points: from 1 % to 2 % is 1 point; you say 100.",
            example(0.01, 0.02, gives=100.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "growth for factor",
            lambda a, b: (100 * (b - a), b / a - 1),
            "Where nothing has changed the factor is 1; you say 0. From 70 % to 80 % it is 1.14.",
            example(0.5, 0.5, gives=0.0, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "factor in percent",
            lambda a, b: (100 * (b - a), 100 * b / a),
            "From 70 % to 80 % the factor is 1.14; you say 114.",
            example(0.7, 0.8, gives=114.2857, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "without a direction",
            lambda a, b: (abs(100 * (b - a)), max(a, b) / min(a, b)),
            "You cannot tell growth from decline: from 80 % to 70 % you also say 10 points and "
            "1.14.",
            example(0.8, 0.7, gives=10.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "points without a direction",
            lambda a, b: (abs(100 * (b - a)), b / a),
            "From 80 % to 70 % is −10 points; you say 10.",
            example(0.8, 0.7, gives=10.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "odds",
            lambda a, b: (100 * (b - a), b / (1 - b) / (a / (1 - a))),
            "Your factor is that of the odds: from 50 % to 80 % the odds grow 4 times, the share "
            "1.6 times.",
            example(0.5, 0.8, gives=4.0, pick=lambda r: float(r[1])),
        ),
        Mistake(
            "distance from a half",
            lambda a, b: (100 * (abs(b - 0.5) - abs(a - 0.5)), b / a),
            "You measure how far each share lies from ½. From 30 % to 40 % is a growth of 10 "
            "points; you say {got:.0f}.",
            example(0.3, 0.4, gives=-10.0, pick=lambda r: float(r[0])),
        ),
        Mistake(
            "the two in the other order",
            lambda a, b: amplification(a, b)[::-1],
            "The two numbers come in the other order: points first, then the factor.",
        ),
    ),
    probes=(
        call("from 70 % to 80 %", 0.7, 0.8),
        call("from 80 % to 70 %", 0.8, 0.7),
        call("from 50 % to 50 %", 0.5, 0.5),
        call("from 1 % to 2 %", 0.01, 0.02),
        call("from 40 % to 0", 0.4, 0.0),
        call("from 33.3 % to 47.8 %", 0.333, 0.478),
    ),
)


# --- embed_watermark ------------------------------------------------------------------------------


def embed_watermark(
    coefficients: Float[Tensor, "B d"], offsets: Float[Tensor, " d"], step: float
) -> Float[Tensor, "B d"]:
    """Moves each of an image's d coefficients to the nearest point of its own grid. The grid of
    coefficient j: step · (k + offsets[j]) for all whole numbers k; the offsets are the key."""
    return step * ((coefficients / step - offsets).round() + offsets)


def _move(how: Callable) -> Callable:
    return lambda c, offsets, step: how(c, offsets, step)


_OFFSETS = torch.tensor([0.1, 0.83, 0.47, 0.3, 0.69])

EMBED_WATERMARK = Exercise(
    id="ethics.embed_watermark",
    title="A mark: coefficients rounded to a secret grid",
    reference=embed_watermark,
    hints=(
        "Without offsets and with step 1 this is a function you know: to the nearest whole number. "
        "How do you get from there to multiples of 0.5, and from there to a grid that does not go "
        "through 0?",
        "Three stages: measure in steps and from the grid's own origin; go to the nearest whole "
        "number; undo the first stage.",
        "`coefficients / step - offsets` counts steps from the grid's origin. `.round()`, then add "
        "the offsets again and multiply by the step.",
    ),
    mistakes=(
        Mistake(
            "without the key",
            _move(lambda c, o, s: s * (c / s).round()),
            "The key does nothing: with offset 0.3 and step 1 the points are …, 0.3, 1.3, …, and 1 "
            "moves to 1.3; you leave it at 1. Everybody could find such a mark, and remove it.",
            example(torch.tensor([[1.0]]), torch.tensor([0.3]), 1.0, gives=torch.tensor([[1.0]])),
        ),
        Mistake(
            "offsets not added again",
            _move(lambda c, o, s: s * (c / s - o).round()),
            "The result lies on multiples of the step, whatever the key: with offset 0.3 and step "
            "1 the number 1 moves to 1.3; you move it to 1.",
            example(torch.tensor([[1.0]]), torch.tensor([0.3]), 1.0, gives=torch.tensor([[1.0]])),
        ),
        Mistake(
            "offsets not taken off",
            _move(lambda c, o, s: s * ((c / s).round() + o)),
            "On the grid, but not the nearest point: with offset 0.8 and step 1 the number 0.9 "
            "moves to 0.8; you move it to 1.8. The picture changes more than it must.",
            example(torch.tensor([[0.9]]), torch.tensor([0.8]), 1.0, gives=torch.tensor([[1.8]])),
        ),
        Mistake(
            "down",
            _move(lambda c, o, s: s * ((c / s - o).floor() + o)),
            "Always downwards: with offset 0 and step 1 the number 0.9 moves to 0; 1 is nearer. "
            "A change may be a whole step here, not half a step, and it never goes up.",
            example(torch.tensor([[0.9]]), torch.tensor([0.0]), 1.0, gives=torch.tensor([[0.0]])),
        ),
        Mistake(
            "up",
            _move(lambda c, o, s: s * ((c / s - o).ceil() + o)),
            "Always upwards: with offset 0 and step 1 the number 0.1 moves to 1; 0 is nearer.",
            example(torch.tensor([[0.1]]), torch.tensor([0.0]), 1.0, gives=torch.tensor([[1.0]])),
        ),
        Mistake(
            "towards the origin",
            _move(lambda c, o, s: s * ((c / s - o).trunc() + o)),
            "Cut off instead of rounded: with offset 0 and step 1 the number 0.9 moves to 0; 1 is "
            "nearer.",
            example(torch.tensor([[0.9]]), torch.tensor([0.0]), 1.0, gives=torch.tensor([[0.0]])),
        ),
        Mistake(
            "step left out",
            _move(lambda c, o, s: (c - o).round() + o),
            "The step does nothing: with step 0.5 and offset 0 the number 0.6 moves to 0.5; you "
            "move it to 1.",
            example(torch.tensor([[0.6]]), torch.tensor([0.0]), 0.5, gives=torch.tensor([[1.0]])),
        ),
        Mistake(
            "offsets in other units",
            _move(lambda c, o, s: s * ((c - o) / s).round() + o),
            "Your grid starts at the offset; it should start at the offset times the step. With "
            "step 0.5 and offset 0.3 the number 0 moves to 0.15; you move it to −0.2.",
            example(torch.tensor([[0.0]]), torch.tensor([0.3]), 0.5, gives=torch.tensor([[-0.2]])),
        ),
        Mistake(
            "sign of the offsets",
            _move(lambda c, o, s: s * ((c / s + o).round() - o)),
            "A grid, but another: with offset 0.3 and step 1 its points are 0.3, 1.3, …; yours are "
            "0.7, 1.7, ….",
            example(torch.tensor([[0.3]]), torch.tensor([0.3]), 1.0, gives=torch.tensor([[0.7]])),
        ),
        Mistake(
            "not multiplied again",
            _move(lambda c, o, s: (c / s - o).round() + o),
            "You return the number of steps: with step 0.5 and offset 0 the number 2 stays 2; you "
            "say 4.",
            example(torch.tensor([[2.0]]), torch.tensor([0.0]), 0.5, gives=torch.tensor([[4.0]])),
        ),
        Mistake(
            "the change",
            _move(lambda c, o, s: embed_watermark(c, o, s) - c),
            "You return by how much each coefficient moves; asked is where it arrives.",
            example(torch.tensor([[0.9]]), torch.tensor([0.0]), 1.0, gives=torch.tensor([[0.1]])),
        ),
        Mistake(
            "added",
            _move(lambda c, o, s: c + s * o),
            "You add the key to the coefficients. With offset 0 and step 1 the number 0.4 moves to "
            "0; you leave it where it is, and who tests for the grid finds nothing.",
            example(torch.tensor([[0.4]]), torch.tensor([0.0]), 1.0, gives=torch.tensor([[0.4]])),
        ),
        Mistake(
            "offsets taken off in other units",
            _move(lambda c, o, s: s * (((c - o) / s).round() + o)),
            "On the grid, but not the nearest point: with step 0.5 and offset 0.6 the number 0.3 "
            "is on the grid and stays; you move it to {got:.1f}.",
            example(torch.tensor([[0.3]]), torch.tensor([0.6]), 0.5, gives=-0.2, pick=float),
        ),
        Mistake(
            "offsets added twice",
            _move(lambda c, o, s: s * ((c / s + o).round() + o)),
            "On the grid, but not the nearest point: with step 1 and offset 0.6 the number 0.6 is "
            "on the grid and stays; you move it to {got:.1f}.",
            example(torch.tensor([[0.6]]), torch.tensor([0.6]), 1.0, gives=1.6, pick=float),
        ),
    ),
    probes=(
        call("2 images, 5 coefficients, step 0.5", normal(2, 5, seed=1), _OFFSETS, 0.5),
        call(
            "offsets below 0 and above 1, the same image twice",
            3 * normal(1, 5, seed=2).expand(2, 5),
            _OFFSETS + torch.tensor([-1.0, 1.0, 0.0, -2.0, 2.0]),
            1.0,
        ),
        call("one image, a fine grid", normal(1, 5, seed=3), _OFFSETS.flip(0), 0.05),
        call(
            "3 images, one coefficient",
            torch.tensor([[-0.4], [0.9], [2.6]]),
            torch.tensor([0.8]),
            1.0,
        ),
        call("3 images, 3 coefficients, step 0.5", normal(3, 3, seed=4), _OFFSETS[:3], 0.5),
    ),
)


# --- detect_watermark -----------------------------------------------------------------------------


def detect_watermark(
    coefficients: Float[Tensor, "B d"], offsets: Float[Tensor, " d"], step: float
) -> Float[Tensor, " B"]:
    """The p-value of each image: how likely one that was never marked has as many hits or more. A
    hit is a coefficient within step / 4 of its grid step · (k + offsets); by chance it has ½."""
    away = coefficients / step - offsets  # in steps
    hits = ((away - away.round()).abs() < 0.25).sum(1)
    d = len(offsets)
    chances = torch.tensor([math.comb(d, k) / 2**d for k in range(d + 1)])  # of k hits
    return torch.stack([chances[h:].sum() for h in hits])


def _hits(c: Tensor, o: Tensor, s: float, width: float = 0.25) -> Tensor:
    away = c / s - o
    return ((away - away.round()).abs() < width).sum(1)


def _chance(k: int, d: int) -> float:
    return math.comb(d, k) / 2**d


def _answer(p: Callable, hits: Callable = _hits) -> Callable:
    """p(hits, d) of each image."""
    return lambda c, o, s: torch.tensor([float(p(int(h), len(o))) for h in hits(c, o, s)])


def _tail(h: int, d: int) -> float:
    return sum(_chance(k, d) for k in range(h, d + 1))


def _marked(
    label: str,
    hits: list[int],
    d: int,
    step: float,
    seed: int,
    spread: int = 1,
    twice: bool = False,
) -> Probe:
    """Images with so many coefficients near their grid, the others far from it.

    `spread`: from where to where the offsets lie; `twice`: the first two images are one.
    """
    draws = seeded(seed)
    offsets = spread * torch.rand(d, generator=draws) - (spread - 1) / 2
    near = 0.2 * (2 * torch.rand(len(hits), d, generator=draws) - 1)  # within a quarter
    whole = torch.randint(-3, 4, (len(hits), d), generator=draws)
    order = torch.rand(len(hits), d, generator=draws).argsort(dim=1)
    missed = torch.where(order < torch.tensor(hits)[:, None], 0.0, 0.5)
    coefficients = step * (whole + offsets + near + missed)
    if twice:
        coefficients[1] = coefficients[0]
    return call(label, coefficients, offsets, step, rtol=1e-3, atol=0.0)


DETECT_WATERMARK = Exercise(
    id="ethics.detect_watermark",
    title="A p-value for the mark",
    reference=detect_watermark,
    allows=("dtype",),
    hints=(
        "Take a picture that nobody marked. How many of 20 coefficients lie within a quarter step "
        "of a grid that knows nothing of them? How surprised are you at 12, at 20?",
        "Two stages. Hits: how far is `coefficients / step - offsets` from the nearest whole "
        "number? Then the chance of that many hits or more with d fair coins: the sum of "
        "C(d, k) / 2^d from k = hits to d.",
        "`(away - away.round()).abs() < 0.25`, summed over the coefficients, counts. "
        "`math.comb(d, k) / 2**d` is the chance of k; sum it over `range(hits, d + 1)`.",
    ),
    mistakes=(
        Mistake(
            "more hits, not as many",
            _answer(lambda h, d: _tail(h + 1, d)),
            "You leave out the case that was seen: with 3 hits of 3 the chance is 1 / 8; you say "
            "0, which no test can ever be sure of.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=torch.tensor([0.0])),
        ),
        Mistake(
            "exactly so many",
            _answer(_chance),
            "You return the chance of exactly this number. 0 hits of 10 then look as remarkable as "
            "10 of 10, 0.001; the chance of 0 or more is 1.",
            example(torch.full((1, 10), 0.5), torch.zeros(10), 1.0, gives=torch.tensor([0.000977])),
        ),
        Mistake(
            "the other tail",
            _answer(lambda h, d: 1 - _tail(h + 1, d)),
            "You return the chance of so many hits or fewer. A perfect mark gets 1, and no hit at "
            "all 0.001 of 10.",
            example(torch.zeros(1, 10), torch.zeros(10), 1.0, gives=torch.tensor([1.0])),
        ),
        Mistake(
            "one minus p",
            _answer(lambda h, d: 1 - _tail(h, d)),
            "The better the mark, the larger your answer: you return how sure the mark is, not how "
            "likely chance does it. 10 hits of 10 should give 0.001; you say 0.999.",
            example(torch.zeros(1, 10), torch.zeros(10), 1.0, gives=torch.tensor([0.999023])),
        ),
        Mistake(
            "both tails",
            _answer(lambda h, d: min(1.0, 2 * min(_tail(h, d), _tail(d - h, d)))),
            "No hit at all counts as evidence for you: 0 of 10 gets 0.002. A mark makes hits, "
            "never misses; 3 of 3 should give 0.125, and you say 0.25.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=torch.tensor([0.25])),
        ),
        Mistake(
            "chance of each hit",
            _answer(lambda h, d: 0.5**h),
            "The misses do not count: 10 hits of 20 is what chance gives, p = 0.59; you say 0.001. "
            "Any picture with enough coefficients would be marked.",
            example(
                torch.arange(20)[None] % 2 / 2, torch.zeros(20), 1.0, gives=torch.tensor([0.000977])
            ),
        ),
        Mistake(
            "share of misses",
            _answer(lambda h, d: 1 - h / d),
            "You return the share of misses. That is no probability: 15 of 20 hits and 150 of 200 "
            "are the same to you, but the first happens by chance once in 48 times, the second "
            "never.",
        ),
        Mistake(
            "share of hits",
            _answer(lambda h, d: h / d),
            "You return the share of hits. Pictures without a mark have about ½; how surprising "
            "0.75 is depends on how many were counted.",
        ),
        Mistake(
            "hits",
            lambda c, o, s: _hits(c, o, s),
            "You return the number of hits. Is 12 of 20 a mark? Asked is how likely chance does as "
            "well.",
        ),
        Mistake(
            "normal curve",
            _answer(lambda h, d: math.erfc((h - d / 2) / math.sqrt(d / 2)) / 2),
            "You used the normal curve for counts: with 3 hits of 3 the chance is 0.125; you say "
            "0.042. Of pictures without a mark more would be accused than you state.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=torch.tensor([0.0416])),
        ),
        Mistake(
            "one minus the rest",
            lambda c, o, s: torch.stack(
                [
                    1 - torch.tensor([_chance(k, len(o)) for k in range(h)]).sum()
                    for h in _hits(c, o, s).tolist()
                ]
            ),
            "Your p-values of strong marks are rounding errors: the rest is taken from 1, and 1 "
            "minus nearly 1 has no digits left. 49 hits of 49 happen by chance once in 10¹⁵; add "
            "up the small numbers themselves.",
        ),
        Mistake(
            "without the key",
            _answer(_tail, lambda c, o, s: _hits(c, 0 * o, s)),
            "You test for the grid through 0; the mark lies on the key's grid. A marked picture "
            "looks unmarked to you.",
        ),
        Mistake(
            "around 0 only",
            _answer(_tail, lambda c, o, s: ((c / s - o).abs() < 0.25).sum(1)),
            "You know one point of the grid only, that with k = 0. With step 1 and offset 0 the "
            "coefficient 2 lies on the grid; it is no hit for you.",
        ),
        Mistake(
            "remainder, one side",
            _answer(_tail, lambda c, o, s: ((c / s - o) % 1 < 0.25).sum(1)),
            "You see coefficients just above a grid point and miss those just below: with step 1 "
            "and offset 0, 1.1 is a hit for you and 0.9 is none. A hit then has chance ¼, not ½.",
        ),
        Mistake(
            "step left out",
            _answer(
                _tail,
                lambda c, o, s: ((c - s * o) - (c - s * o).round()).abs().lt(0.25).sum(1),
            ),
            "Your grid has step 1, whatever step is asked: with step 0.1 and offset 0 the "
            "coefficient 0.5 lies on the grid; it is no hit for you.",
            example(torch.tensor([[0.5]]), torch.tensor([0.0]), 0.1, gives=torch.tensor([1.0])),
        ),
        Mistake(
            "offsets in other units",
            _answer(_tail, lambda c, o, s: _hits((c - o) / s, 0 * o, 1.0)),
            "Your grid starts at the offset; it starts at the offset times the step. With step 0.5 "
            "and offset 0.3 the coefficient 0.15 lies on the grid; it is no hit for you.",
            example(torch.tensor([[0.15]]), torch.tensor([0.3]), 0.5, gives=torch.tensor([1.0])),
        ),
        Mistake(
            "a quarter of the step, in steps",
            _answer(_tail, lambda c, o, s: _hits(c, o, s, s / 4)),
            "You measure in steps and compare with step / 4: a quarter of a step is then 0.25, "
            "whatever the step. With a fine grid nearly nothing is a hit for you.",
            example(torch.tensor([[0.01]]), torch.tensor([0.0]), 0.05, gives=torch.tensor([1.0])),
        ),
        Mistake(
            "one for all images",
            lambda c, o, s: torch.tensor(
                _tail(int(_hits(c, o, s).sum()), c.numel()), dtype=torch.float32
            ),
            "You return one number for all images together. One marked picture among unmarked "
            "ones would not be found.",
        ),
        Mistake(
            "within half a step",
            _answer(_tail, lambda c, o, s: _hits(c, o, s, 0.500001)),
            "Every coefficient is a hit for you: none can lie farther than half a step from its "
            "grid. A hit should have chance ½, within a quarter.",
        ),
        Mistake(
            "no absolute value",
            _answer(_tail, lambda c, o, s: ((c / s - o) - (c / s - o).round() < 0.25).sum(1)),
            "All that lies below its grid point is a hit for you, however far. With step 1 and "
            "offset 0 the coefficient 0.6 is 0.4 away from 1, and no hit; you count it.",
            example(torch.tensor([[0.6]]), torch.tensor([0.0]), 1.0, gives=torch.tensor([0.5])),
        ),
        Mistake(
            "not divided by 2^d",
            _answer(lambda h, d: _tail(h, d) * 2.0**d),
            "You count the ways to get so many hits; a probability is their share of all 2^d "
            "ways. 3 hits of 3 are one way of 8, 0.125; you say {got:.0f}.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=1.0, pick=float),
        ),
        Mistake(
            "doubled",
            _answer(lambda h, d: min(1.0, 2 * _tail(h, d))),
            "Twice too large, as for a test on two sides. A mark makes hits, never misses; 3 of 3 "
            "should give 0.125, and you say {got:.2f}.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=0.25, pick=float),
        ),
        Mistake(
            "a quarter, not a quarter of the step",
            _answer(
                _tail, lambda c, o, s: (((c / s - o) - (c / s - o).round()).abs() * s < 0.25).sum(1)
            ),
            "You call a hit what lies within 0.25 of the grid, whatever the step: asked is a "
            "quarter of the step. With step 0.5 and offset 0 the coefficient 0.2 is 0.4 steps "
            "away, and no hit; you count it.",
            example(torch.tensor([[0.2]]), torch.tensor([0.0]), 0.5, gives=0.5, pick=float),
        ),
        Mistake(
            "chance of a quarter",
            _answer(
                lambda h, d: sum(
                    math.comb(d, k) * 0.25**k * 0.75 ** (d - k) for k in range(h, d + 1)
                )
            ),
            "You give a hit the chance ¼. Within a quarter step on either side lies half of all "
            "that there is: 3 hits of 3 have p = 0.125; you say {got:.3f}.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=0.015625, pick=float),
        ),
        Mistake(
            "a z-score",
            _answer(lambda h, d: (h - d / 2) / (d / 4) ** 0.5),
            "You return by how many standard deviations the hits lie above chance; asked is how "
            "likely chance does as well. 3 hits of 3 have p = 0.125; you say {got:.2f}.",
            example(torch.zeros(1, 3), torch.zeros(3), 1.0, gives=1.732, pick=float),
        ),
    ),
    probes=(
        _marked("4 images, 10 coefficients, step 0.5", [10, 7, 5, 0], 10, 0.5, seed=1),
        _marked("one image, 2 hits of 3", [2], 3, 1.0, seed=2),
        _marked("3 images, 20 coefficients, a fine grid", [10, 15, 20], 20, 0.05, seed=3),
        _marked("2 images, 49 coefficients", [49, 22], 49, 0.2, seed=4),
        _marked(
            "4 images, 10 coefficients, offsets from -1 to 2",
            [9, 9, 2, 6],
            10,
            0.5,
            5,
            3,
            twice=True,
        ),
    ),
)


# --- model_card -----------------------------------------------------------------------------------


def model_card() -> str:
    """The model card of a generator, as Markdown. This one returns training images: no more."""
    return """# Copying machine, version 1

## Model
A function that draws one of the 4,484 training images of peeps at random; no parameters.

## Intended use
A worked example for students of what an audit finds in the worst case.

## Out of scope
Everything else: its pictures are other people's drawings and must not be passed off as new.

## Training data
The 4,484 training images of peeps: drawings from Open Peeps by Pablo Stanley, licence CC0. Nobody
real is shown; skin colours are colour codes.

## Evaluation
100 pictures from one seed. By construction each equals a training image.

## Copies and members
100 of 100 pictures are copies (95 % interval 96.3 to 100 %). A picture that it returns was a
member, with certainty.

## Attributes
Each attribute comes out with the share that went in, up to the luck of the draw: for a share of
50 % and 100 pictures, 40 to 60 %.

## Provenance
No mark is embedded. A search among the training images finds every one of its pictures.

## Limits
It can show nothing that it was not given. Whether the drawings are liked was not asked.
"""


def _card_without(*headings: str, change: Callable = lambda text: "") -> Callable:
    """The card with other texts under some headings; "" takes the heading away too."""

    def card() -> str:
        title, *blocks = model_card().split("\n## ")
        kept = [title]
        for block in blocks:
            heading, _, text = block.partition("\n")
            if heading in headings:
                text = change(text)
            if text:
                kept.append(f"{heading}\n{text}")
        return "\n## ".join(kept)

    return card


def _no_digits(text: str) -> str:
    return "".join("some" if char.isdigit() else char for char in text)


def _look_at_card(candidate: Callable) -> dict[str, Any]:
    card = candidate()
    if not isinstance(card, str):
        return {"a text": type(card).__name__}
    found = {"a text": "str", "title": "complete"} | {heading: "complete" for heading in CARD}
    for problem in card_problems(card):
        named = next((heading for heading in CARD if f"'{heading}'" in problem), "title")
        found[named] = problem.removeprefix(f"'{named}' ")
    return found


MODEL_CARD = Exercise(
    id="ethics.model_card",
    title="A model card for your own model",
    reference=model_card,
    hints=(
        "Think of one who finds your weights in three years and knows nothing of this course. What "
        "must she know before she shows one of the pictures to anybody?",
        "`auditing.CARD` lists the headings, each with the question that it answers. A sentence or "
        "two for each will do. Wherever you measured something, write the number and how sure it "
        "is.",
        'Return one text: a line "# Name of the model", then for each heading a line "## Heading" '
        "and your answer below it. `auditing.model_card(name, sections, measured)` puts it "
        "together from a dictionary.",
    ),
    mistakes=(
        Mistake(
            "headings only",
            _card_without(*CARD, change=lambda text: "\n"),
            "There are headings and nothing below them. An empty card looks like a complete one "
            "from afar, which is worse than none.",
        ),
        Mistake(
            "placeholders",
            _card_without(*CARD, change=lambda text: "\nTODO\n"),
            "The placeholders are still there. Nobody will come back to fill them in.",
        ),
        Mistake(
            "no numbers",
            _card_without(*NUMBERS_IN, change=_no_digits),
            "No number under Evaluation, Copies and members, and Attributes. “Few copies” can mean "
            "1 in 1,000 or 1 in 10: a reader cannot tell which.",
        ),
        Mistake(
            "no limits",
            _card_without("Limits"),
            "It says where the model works, and not where it fails. A reader has to take silence "
            "for “nowhere”.",
        ),
        Mistake(
            "no limits, nothing out of scope",
            _card_without("Limits", "Out of scope"),
            "It says what the model is good for, and neither where it fails nor what it must not "
            "be used for: an advertisement.",
        ),
        Mistake(
            "no audits",
            _card_without("Copies and members", "Attributes", "Provenance"),
            "Whether it copies, which shares come out and how its pictures are told is left out: "
            "all that this lecture measured.",
        ),
        Mistake(
            "data not named",
            _card_without("Training data"),
            "It does not say what the model was trained on. Whose pictures are in it, and were "
            "they asked?",
        ),
        Mistake(
            "no title",
            lambda: model_card().partition("\n\n")[2],
            "The card has no title: of which model does it speak?",
        ),
        Mistake(
            "a dictionary",
            lambda: dict(CARD),
            "You return a dictionary; asked is a text in Markdown that a person reads beside the "
            "weights.",
        ),
        Mistake(
            "no heading is found",
            lambda: model_card().replace("\n## ", "\n### "),
            "No heading is found: each is a line of its own that begins with two # and a space, "
            "then one of the names in `auditing.CARD`.",
        ),
    ),
    probes=(
        Probe(
            "your card, heading by heading",
            _look_at_card,
            explain={
                heading: f"Under “{heading}”: {question}" for heading, question in CARD.items()
            },
        ),
    ),
)

EXERCISES = (
    MEMORISATION_RATE,
    ROC_AUC,
    MEMBERSHIP_AUC,
    ATTRIBUTE_SHARES,
    AMPLIFICATION,
    EMBED_WATERMARK,
    DETECT_WATERMARK,
    MODEL_CARD,
)

QUESTIONS = (
    Question(
        "ethics.stores_images",
        "A large generator usually has far fewer weights than its training set has pixels. Can it "
        "give a training image back?",
        {
            "no, it stores no images": "It cannot hold all of them. It can hold some: those that "
            "stood in the set many times come back almost to the pixel (Carlini et al. 2023).",
            "yes, all of them": "There is no room for all. Most samples of a model trained on "
            "enough data have no near neighbour in it.",
            "yes, some of them": "Which ones depends on how often they were repeated and how few "
            "others there were. That is what the copying rate measures.",
        },
        "yes, some of them",
    ),
    Question(
        "ethics.collage",
        "“A generated picture is a collage of pieces of training images.” What would show that for "
        "a given model?",
        {
            "the way it was trained": "Training on images is common to models that copy and to "
            "models that do not.",
            "a nearest training image for each sample": "Every sample has a nearest training "
            "image, and so has every real image that the model never saw.",
            "neighbours nearer than those of unseen real images": "That is a comparison with a "
            "floor. For most samples of most models it fails; for some it does not: measure before "
            "you say either.",
        },
        "neighbours nearer than those of unseen real images",
    ),
    Question(
        "ethics.copies_of_few",
        "The same model is trained on 20 faces and on 2,000. Which share of its samples, in "
        "percent, will be copies of one of the 20?",
        None,
        None,  # measured in the lecture
    ),
    Question(
        "ethics.duplicates",
        "One face of the training set is put in 64 times. In percent, how many of the samples "
        "will be copies of it?",
        None,
        None,  # measured in the lecture
    ),
    Question(
        "ethics.threshold_from",
        "From which images should the threshold of “this is a copy” be taken?",
        {
            "from the generated images": "Then it moves with the model: whatever the model does, "
            "the same share of its samples would be called copies.",
            "from the copies found by eye": "You would choose it so that it says what you have "
            "already decided.",
            "from held-out real images": "They are copies of nothing in the training set. The "
            "threshold that calls 1 % of them copies has a known rate of error, and is fixed "
            "before the model is looked at.",
        },
        "from held-out real images",
    ),
    Question(
        "ethics.members_by_size",
        "Losses tell members from strangers with an area under the curve of 0.95, where members "
        "are faces drawn by one artist and strangers are photographs. What does that say about "
        "the model?",
        {
            "it has memorised its members": "Perhaps. But a model that has never been trained may "
            "have other losses on photographs too.",
            "nothing": "The two sets can be told apart without any model. Members and strangers "
            "must come from one distribution, split by chance.",
            "it generalises well": "A model that generalises has an area near ½, if both sets come "
            "from one distribution.",
        },
        "nothing",
    ),
    Question(
        "ethics.none_of_20",
        "None of 20 generated faces wears glasses. Up to which true share, in percent, does the "
        "95 % interval reach?",
        None,
        16.1,
    ),
    Question(
        "ethics.balanced",
        "Half of the training faces wear glasses. Which share of the generated ones will?",
        {
            "half": "That is what a perfect model would do. No loss asks for it.",
            "more than half": "Perhaps: compare 50 % with the interval that comes out, for each "
            "kind of model.",
            "fewer than half": "Perhaps: thin lines are hard to draw. Compare 50 % with the "
            "interval that comes out, for each kind of model.",
        },
        None,  # measured in the lecture
    ),
    Question(
        "ethics.always_real",
        "Of 1,000 pictures 900 are real. A detector calls all of them real. Which share of its "
        "answers is right, in percent?",
        None,
        90,
    ),
    Question(
        "ethics.other_generator",
        "A detector tells a GAN's pictures from real ones with 99 % right. What will it have on a "
        "diffusion model's pictures of the same things?",
        {
            "about 99 %": "Then it would have learned what a fake is. It has learned the marks "
            "that this one generator leaves.",
            "more": "Only if the other generator left the same marks, more strongly.",
            "much less": "It detects this generator, not fakes. How much less is measured below.",
        },
        None,  # measured in the lecture
    ),
    Question(
        "ethics.a_million",
        "A detector calls 1 % of real pictures fake. A million real pictures are uploaded in a "
        "day. How many are accused?",
        None,
        10_000,
    ),
    Question(
        "ethics.accused",
        "The same detector finds 90 % of the fakes, and 1 of 1,000 uploaded pictures is a fake. Of "
        "100 pictures that it accuses, how many are fakes?",
        None,
        100 * 0.9 * 0.001 / (0.9 * 0.001 + 0.01 * 0.999),
    ),
    Question(
        "ethics.thousand_keys",
        "A picture that was never marked is tested with 1,000 keys. What is the smallest p-value, "
        "about?",
        None,
        0.001,
    ),
    Question(
        "ethics.after_jpeg",
        "Marked faces of 64 × 64 pixels are stored as JPEG of quality 50. In what percentage of "
        "them is the mark still found, at p < 0.01?",
        None,
        None,  # measured in the lecture
    ),
    Question(
        "ethics.no_mark",
        "The test finds no mark of a known generator in a picture. What follows?",
        {
            "the picture is real": "Other generators do not mark, and a crop by a tenth takes the "
            "mark away.",
            "the picture was tampered with": "Most pictures never had a mark.",
            "nothing": "Presence is evidence, with a p-value. Absence is none.",
        },
        "nothing",
    ),
    Question(
        "ethics.a_mark",
        "The test finds the mark, p = 10⁻⁹. What follows?",
        {
            "the generator made the picture": "Or somebody who has the key put its mark on a real "
            "picture, to have it taken for generated.",
            "somebody with the key marked it": "This is all that the test says. Who that was, and "
            "what was marked, is another question.",
            "nothing, it is chance": "One unmarked picture in a thousand million looks so.",
        },
        "somebody with the key marked it",
    ),
    Question(
        "ethics.nearest_is_source",
        "For each generated picture the nearest of 1,000 real ones is found. Half of those 1,000 "
        "were never shown to the model. In percent, how often is the nearest one of the unseen?",
        None,
        None,  # measured in the lecture
    ),
)
