"""Exercises and questions of lecture 03: the game of generator and discriminator."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.exercises.engine import Example, Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal

# --- discriminator_loss ---------------------------------------------------------------------------


def discriminator_loss(
    real_scores: Float[Tensor, " B"], fake_scores: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """−E log D(x) − E log(1 − D(G(z))), D = sigmoid(score): what the discriminator makes small."""
    # −log sigmoid(s) = log(1 + exp(−s)), and 1 − sigmoid(s) = sigmoid(−s)
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def _log_loss(scores: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))


def _clamped(scores: Tensor, target: float) -> Tensor:
    """The log-loss of a probability, whose logarithm torch holds above −100."""
    return F.binary_cross_entropy(scores.sigmoid(), torch.full_like(scores, target))


def _of_logits(scores: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy(scores, torch.full_like(scores, target))


_FOUR = torch.tensor([-5, 1.4, 12.5, 2.7]), torch.tensor([10, 4.4, -5.5, 3.6])
_SURE = torch.tensor([200.0, 30.0]), torch.tensor([-200.0, -30.0])

DISCRIMINATOR_LOSS = Exercise(
    id="gan.discriminator_loss",
    title="The discriminator's loss",
    reference=discriminator_loss,
    hints=(
        "Two things are asked of D: a high score for data, a low one for fakes. Each is a log-loss "
        "with a target of its own. Which target has each, and what is the loss of a D that knows "
        "nothing, with all scores 0?",
        "D(x) = sigmoid(score). Then −log D = log(1 + exp(−score)), and 1 − D = sigmoid(−score). "
        "Which function of torch.nn.functional is log(1 + exp(·)), without overflow?",
        "`F.softplus(-real_scores)` is −log D(x) for each image. Write the same for the fakes, "
        "take the mean of each over the batch, and add the two. (With "
        "`F.binary_cross_entropy_with_logits` the targets are ones and zeros.)",
    ),
    mistakes=(
        Mistake(
            "labels swapped",
            lambda real, fake: _log_loss(real, 0.0) + _log_loss(fake, 1.0),
            "Your D is rewarded for calling data fake. Scores of 2 for data and −2 for fakes are "
            "good, and cost 0.25; you say 4.25.",
            example(torch.tensor([2.0]), torch.tensor([-2.0]), gives=4.2539),
        ),
        Mistake(
            "fakes taken for real",
            lambda real, fake: _log_loss(real, 1.0) + _log_loss(fake, 1.0),
            "Your D wants a high score for everything. If it scores all images 5, it should pay 5 "
            "for the fakes; you ask for 0.01.",
        ),
        Mistake(
            "only data",
            lambda real, fake: _log_loss(real, 1.0),
            "Change the fakes: your loss does not move. A D that calls every image real is perfect "
            "for you.",
        ),
        Mistake(
            "only fakes",
            lambda real, fake: _log_loss(fake, 0.0),
            "Change the data: your loss does not move. A D that calls every image fake is perfect "
            "for you.",
        ),
        Mistake(
            "two sigmoids",
            lambda real, fake: _log_loss(real.sigmoid(), 1.0) + _log_loss(fake.sigmoid(), 0.0),
            "There are two sigmoids in a row. With all scores 0 the loss is log 4 = 1.386; you say "
            "1.448. A perfect D, with scores of 40 and −40, still pays 1.01: 0.313 for the data "
            "and 0.693 for the fakes, and gets no lower.",
            example(torch.tensor([0.0]), torch.tensor([0.0]), gives=1.4482),
        ),
        Mistake(
            "scores taken for probabilities",
            lambda real, fake: _of_logits(real, 1.0) + _of_logits(fake, 0.0),
            "Scores are not probabilities yet. A score of 0 means D = ½ and costs 0.693 for data; "
            "you charge 100, and for a score of 2 there is an error.",
        ),
        Mistake(
            "logarithms of scores",
            lambda real, fake: -real.log().mean() - (1 - fake).log().mean(),
            "Scores are not probabilities yet. A score may be negative, and you take its "
            "logarithm: −5 for one image of the data gives nan.",
        ),
        Mistake(
            "probabilities first",
            lambda real, fake: -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean(),
            "Right for mild scores, infinite for sure ones. A fake scored 40 should cost 40. But "
            "in float32 sigmoid(40) is 1, 1 − 1 is 0, and its logarithm is −∞: the first such fake "
            "ends the training.",
        ),
        Mistake(
            "probabilities first, held above −100",
            lambda real, fake: _clamped(real, 1.0) + _clamped(fake, 0.0),
            "Right for mild scores, wrong for sure ones. A fake scored 40 should cost 40; in "
            "float32 sigmoid(40) is 1, the logarithm of 1 − 1 is cut off, and you say 100. The "
            "gradient of that fake is 0: D cannot learn from its worst error.",
            example(torch.tensor([40.0]), torch.tensor([40.0]), gives=100.0),
        ),
        Mistake(
            "probabilities first, with a small number",
            lambda real, fake: (
                -(real.sigmoid() + 1e-8).log().mean() - (1 - fake.sigmoid() + 1e-8).log().mean()
            ),
            "Right for mild scores, wrong for sure ones. A fake scored 40 should cost 40; the "
            "small number that you add stops the loss at 18.4. The gradient of that fake is 0: D "
            "cannot learn from its worst error.",
        ),
        Mistake(
            "halved",
            lambda real, fake: (_log_loss(real, 1.0) + _log_loss(fake, 0.0)) / 2,
            "Your loss is half of what is asked. With all scores 0 each of the two terms is 0.693 "
            "and their sum log 4 = 1.386; you say 0.693.",
            example(torch.tensor([0.0]), torch.tensor([0.0]), gives=0.6931),
        ),
        Mistake(
            "summed over the batch",
            lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum(),
            "Your loss grows with the batch. One image of each kind with score 0 costs 1.386; two "
            "of each cost you 2.773. Its gradient, and so your learning rate, would grow too.",
            example(torch.zeros(2), torch.zeros(2), gives=2.7726),
        ),
        Mistake(
            "one number an image",
            lambda real, fake: F.softplus(-real) + F.softplus(fake),
            "You return a number for each image; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "the value",
            lambda real, fake: -_log_loss(real, 1.0) - _log_loss(fake, 0.0),
            "You return V, which D makes large. An optimiser makes things small: it would train "
            "the worst discriminator. With all scores 0, V is −1.386 and the loss 1.386.",
        ),
        Mistake(
            "gradient cut",
            lambda real, fake: discriminator_loss(real, fake).detach(),
            "The value is right, and no gradient reaches the scores: raise the score of one image "
            "of the data from 0 to 0.1, and the loss must know that it falls.",
        ),
        Mistake(
            "soft label",
            lambda real, fake: _log_loss(real, 0.9) + _log_loss(fake, 0.0),
            "Your target for data is 0.9: scores 2 and −2 should cost {expected}; you say {got}. "
            "(Labels softened like that are another trick; nothing here asks for it.)",
            example(torch.tensor([2.0]), torch.tensor([-2.0]), gives=0.454),
        ),
        Mistake(
            "bits",
            lambda real, fake: discriminator_loss(real, fake) / math.log(2),
            "Your logarithm is that of base 2. All scores 0 should cost 2 log 2 = {expected}; you"
            " say {got}.",
            example(torch.zeros(1), torch.zeros(1), gives=2.0),
        ),
        Mistake(
            "1 − log D for fakes",
            lambda real, fake: F.softplus(-real).mean() - (1 - F.logsigmoid(fake)).mean(),
            "For fakes you take 1 − log D; asked is log(1 − D). Scores 2 and −2 should cost "
            "{expected}; you say {got}.",
            example(torch.tensor([2.0]), torch.tensor([-2.0]), gives=-3.0),
        ),
        Mistake(
            "a critic's loss",
            lambda real, fake: fake.mean() - real.mean(),
            "You return the difference of the mean scores: the loss of another game "
            "(Wasserstein), which has no floor. With all scores 0 the loss is {expected:.2f}; you "
            "say {got:.0f}.",
            example(torch.zeros(1), torch.zeros(1), gives=0.0),
        ),
        Mistake(
            "hinge",
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            "You return the hinge, the loss of another game: scores beyond ±1 cost nothing. With "
            "all scores 0 the loss is {expected:.2f}; you say {got:.0f}.",
            example(torch.zeros(1), torch.zeros(1), gives=2.0),
        ),
        Mistake(
            "squared error",
            lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
            "You take squared distances of the scores from 1 and 0, the loss of another game "
            "(least squares). With all scores 0 the loss is {expected:.2f}; you say {got:.0f}.",
            example(torch.zeros(1), torch.zeros(1), gives=1.0),
        ),
        Mistake(
            "against the other mean",
            lambda real, fake: (
                F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()
            ),
            "You compare each score with the mean of the other kind: the loss of another game "
            "(relativistic). A score of 2 for data and of 2 for a fake cost {expected:.2f}; you "
            "say {got:.2f}.",
            example(torch.full((1,), 2.0), torch.full((1,), 2.0), gives=1.3863),
        ),
        Mistake(
            "exp overflows",
            lambda real, fake: (-real).exp().log1p().mean() + fake.exp().log1p().mean(),
            "Right for mild scores, infinite for sure ones. A fake scored 200 should cost 200; "
            "exp(200) is ∞ in float32, and so is your loss.",
            example(torch.full((1,), 200.0), torch.full((1,), 200.0), gives=math.inf),
        ),
    ),
    probes=(
        call("two images each, all scores 0", torch.zeros(2), torch.zeros(2)),
        call("four images each", *_FOUR, grad=(0, 1)),
        call("one image each", torch.tensor([2.0]), torch.tensor([-2.0]), grad=(0, 1)),
        call("scores of a D that is sure and right", *_SURE, grad=(0, 1)),
        call("scores of a D that is sure and wrong", *_SURE[::-1], grad=(0, 1)),
    ),
)


# --- generator_loss -------------------------------------------------------------------------------


def generator_loss(
    fake_scores: Float[Tensor, " B"], kind: str = "non_saturating"
) -> Float[Tensor, ""]:
    """What the generator makes small: E log(1 − D(G(z))), or −E log D(G(z)) if non-saturating."""
    if kind == "minimax":
        return -F.softplus(fake_scores).mean()
    return F.softplus(-fake_scores).mean()


def _g_call(label: str, scores: list[float], kind: str) -> Probe:
    # at exactly 0 some right forms, as relu(s) + log1p(exp(-|s|)), have no slope
    grad = (0,) if all(scores) else ()
    return call(label, torch.tensor(scores, dtype=torch.float32), kind, grad=grad)


def _by_kind(minimax: Callable, non_saturating: Callable) -> Callable:
    return lambda scores, kind="non_saturating": (
        minimax(scores) if kind == "minimax" else non_saturating(scores)
    )


def _caught(scores: Tensor) -> Tensor:
    return F.softplus(scores).mean()


def _missed(scores: Tensor) -> Tensor:
    return F.softplus(-scores).mean()


def _negative(function: Callable) -> Callable:
    return lambda *args: -function(*args)


GENERATOR_LOSS = Exercise(
    id="gan.generator_loss",
    title="The generator's loss, in both versions",
    reference=generator_loss,
    hints=(
        "G wants its fakes to be called real: whatever you write must fall when a score rises. "
        "Which of your two versions does, and which sign has each?",
        "Minimax: G makes small the part of V that it can change, log(1 − D(G(z))): never "
        "positive. Non-saturating: it makes small −log D(G(z)), never negative. Both fall as the "
        "score rises.",
        "With D = sigmoid(s): log(1 − D) = −softplus(s), and −log D = softplus(−s). Take the mean "
        "over the batch.",
    ),
    mistakes=(
        Mistake(
            "minimax for both",
            _by_kind(_negative(_caught), _negative(_caught)),
            "Right direction, no force. At D(G(z)) = ½ your non-saturating gradient is the asked "
            "one; at 0.01, early in training, it is 99 times smaller: 0.01 where it should be "
            "0.99.",
        ),
        Mistake(
            "non-saturating for both",
            _by_kind(_missed, _missed),
            "Both versions are the same for you. At score −4.6, D(G(z)) = 0.01, the minimax loss "
            "is log 0.99 = −0.01; you say 4.61.",
            example(torch.tensor([-4.6]), "minimax", gives=4.61),
        ),
        Mistake(
            "the two swapped",
            _by_kind(_missed, _negative(_caught)),
            "The two versions have changed places. At score −4.6, D(G(z)) = 0.01, the minimax loss "
            "is −0.01 and the non-saturating one 4.61; you say it the other way round.",
        ),
        Mistake(
            "paid for getting caught",
            _by_kind(_caught, _caught),
            "Your G is paid for getting caught: the loss rises with the score. A fake that D is "
            "sure of, score −5, costs you 0.01; one that fools D, score 5, costs 5.01.",
            example(torch.tensor([5.0]), gives=5.0067),
        ),
        Mistake(
            "target 0 for the non-saturating",
            _by_kind(_negative(_caught), _caught),
            "Your non-saturating G is paid for getting caught. A fake that D is sure of, score −5, "
            "costs you 0.01; one that fools D, score 5, costs 5.01.",
            example(torch.tensor([5.0]), gives=5.0067),
        ),
        Mistake(
            "sign of the minimax",
            _by_kind(_caught, _missed),
            "Your minimax loss rises with the score: G would flee from every point that D likes. "
            "At score 0 it is log ½ = −0.693; you say 0.693.",
            example(torch.tensor([0.0]), "minimax", gives=0.6931),
        ),
        Mistake(
            "sign of the non-saturating",
            _by_kind(_negative(_caught), _negative(_missed)),
            "Your non-saturating loss rises with the score. At score 0 it is −log ½ = 0.693; you "
            "say −0.693.",
            example(torch.tensor([0.0]), gives=-0.6931),
        ),
        Mistake(
            "both signs",
            _by_kind(_caught, _negative(_missed)),
            "Both of your losses rise with the score: an optimiser would drive G away from every "
            "point that D likes. At score 0 they are −0.693 and 0.693; you say 0.693 and −0.693.",
            example(torch.tensor([0.0]), gives=-0.6931),
        ),
        Mistake(
            "two sigmoids",
            _by_kind(
                lambda s: -F.softplus(s.sigmoid()).mean(), lambda s: F.softplus(-s.sigmoid()).mean()
            ),
            "There are two sigmoids in a row. At score 0 the non-saturating loss is 0.693; you say "
            "0.474. A G that fools D for sure still pays 0.313.",
            example(torch.tensor([0.0]), gives=0.4741),
        ),
        Mistake(
            "scores taken for probabilities",
            _by_kind(lambda s: (1 - s).log().mean(), lambda s: -s.log().mean()),
            "Scores are not probabilities yet. A score of 0 means D = ½ and costs 0.693; you take "
            "the logarithm of 0 and say ∞. A negative score gives nan.",
            example(torch.tensor([0.0]), gives=math.inf),
        ),
        Mistake(
            "probabilities first",
            _by_kind(lambda s: (1 - s.sigmoid()).log().mean(), lambda s: -s.sigmoid().log().mean()),
            "Right for mild scores, infinite for sure ones. At score 40 the minimax loss is −40. "
            "But in float32 sigmoid(40) is 1, 1 − 1 is 0, and its logarithm is −∞: one good fake "
            "ends the training.",
        ),
        Mistake(
            "probabilities first, held above −100",
            _by_kind(lambda s: -_clamped(s, 0.0), lambda s: _clamped(s, 1.0)),
            "Right for mild scores, wrong for sure ones. At score 40 the minimax loss is −40; in "
            "float32 sigmoid(40) is 1, the logarithm of 1 − 1 is cut off, and you say −100.",
            example(torch.tensor([40.0]), "minimax", gives=-100.0),
        ),
        Mistake(
            "no logarithm",
            _by_kind(lambda s: (1 - s.sigmoid()).mean(), lambda s: -s.sigmoid().mean()),
            "There is no logarithm. At score 0 the losses are −0.693 and 0.693; you say 0.5 and "
            "−0.5. Without it the gradient of a fake that D is sure of vanishes in both versions.",
            example(torch.tensor([0.0]), "minimax", gives=0.5),
        ),
        Mistake(
            "a critic's loss",
            _by_kind(lambda s: -s.mean(), lambda s: -s.mean()),
            "You return the mean score with its sign turned: the loss of another game "
            "(Wasserstein). At score 0 the non-saturating loss is 0.693; you say 0.",
            example(torch.tensor([0.0]), gives=0.0),
        ),
        Mistake(
            "summed over the batch",
            _by_kind(lambda s: -F.softplus(s).sum(), lambda s: F.softplus(-s).sum()),
            "Your loss grows with the batch. One fake of score 0 costs 0.693; two cost you 1.386.",
            example(torch.zeros(2), gives=1.3863),
        ),
        Mistake(
            "one number an image",
            _by_kind(lambda s: -F.softplus(s), lambda s: F.softplus(-s)),
            "You return a number for each fake; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            _by_kind(lambda s: _negative(_caught)(s).detach(), lambda s: _missed(s).detach()),
            "The values are right, and no gradient reaches the scores. G hears nothing from D; it "
            "will never move.",
        ),
        Mistake(
            "probabilities first, with a small number",
            _by_kind(
                lambda s: (1 - s.sigmoid() + 1e-8).log().mean(),
                lambda s: -(s.sigmoid() + 1e-8).log().mean(),
            ),
            "Right for mild scores, wrong for sure ones. At score 40 the minimax loss is "
            "{expected:.0f}; the small number that you add stops yours at {got:.1f}.",
            example(torch.full((1,), 40.0), "minimax", gives=-18.42),
        ),
        Mistake(
            "squared error",
            _by_kind(_negative(_caught), lambda s: (s - 1).square().mean()),
            "Your non-saturating loss is the squared distance of the scores from 1: the loss of "
            "another game (least squares). At score 0 it is {expected:.2f}; you say {got:.0f}.",
            example(torch.zeros(1), gives=1.0),
        ),
        Mistake(
            "log D for the minimax",
            _by_kind(_negative(_missed), _missed),
            "Your minimax loss is log D, and rises with the score: it is the other one with its "
            "sign turned. At score −4.6, D = 0.01, it is {expected:.2f}; you say {got:.2f}.",
            example(torch.full((1,), -4.6), "minimax", gives=-4.61),
        ),
        Mistake(
            "exp overflows",
            _by_kind(lambda s: -s.exp().log1p().mean(), lambda s: (-s).exp().log1p().mean()),
            "Right for mild scores, infinite for sure ones. At score −200 the non-saturating loss "
            "is 200; exp(200) is ∞ in float32, and so is your loss.",
            example(torch.full((1,), -200.0), gives=math.inf),
        ),
    ),
    probes=(
        _g_call("non-saturating, two fakes of score 0", [0, 0], "non_saturating"),
        _g_call("minimax, two fakes of score 0", [0, 0], "minimax"),
        _g_call("non-saturating, four fakes", [10, 4.4, -5.5, 3.6], "non_saturating"),
        _g_call("minimax, four fakes", [10, 4.4, -5.5, 3.6], "minimax"),
        _g_call("non-saturating, one fake at D(G(z)) = 0.01", [-4.595], "non_saturating"),
        _g_call("minimax, one fake at D(G(z)) = 0.01", [-4.595], "minimax"),
        call("kind left out, which means non-saturating", torch.tensor([1.0, -2.0]), grad=(0,)),
        _g_call("minimax, scores of a D that is sure", [40, -200, 0.5, 200], "minimax"),
        _g_call("non-saturating, scores of a D that is sure", [40, -200, 0.5], "non_saturating"),
    ),
)


# --- optimal_discriminator ------------------------------------------------------------------------


def optimal_discriminator(p: Float[Tensor, "..."], q: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The best D at each point, where data have density p > 0 and fakes q > 0."""
    return p / (p + q)


_HERE = torch.tensor([0.4, 0.3, 0.1, 0.02]), torch.tensor([0.1, 0.3, 0.2, 0.38])

OPTIMAL_DISCRIMINATOR = Exercise(
    id="gan.optimal_discriminator",
    title="The best discriminator",
    reference=optimal_discriminator,
    hints=(
        "Stand at one point x. Of 100 images that come by here, how many are data, if data are "
        "three times as dense as fakes? What should D say?",
        "At each x, D chooses d to make p log d + q log(1 − d) large. Set the derivative to 0: "
        "p / d = q / (1 − d). Solve for d.",
        "The share of data among all that is found here: p over the sum of both.",
    ),
    mistakes=(
        Mistake(
            "the share of fakes",
            lambda p, q: q / (p + q),
            "Where data are denser, your D is below ½. With p = 0.3 and q = 0.1, three images of "
            "four here are data; you say 0.25.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=0.25, pick=float),
        ),
        Mistake(
            "ratio",
            lambda p, q: p / q,
            "Your D is no probability: with p = 0.3 and q = 0.1 you say 3.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=3.0, pick=float),
        ),
        Mistake(
            "ratio, turned",
            lambda p, q: q / p,
            "Your D is no probability: with p = 0.1 and q = 0.3 you say 3, and it grows where "
            "fakes are denser.",
            example(torch.tensor([0.1]), torch.tensor([0.3]), gives=3.0, pick=float),
        ),
        Mistake(
            "logarithm of the ratio",
            lambda p, q: (p / q).log(),
            "You return the best score, not the best D: where both densities are equal you say 0, "
            "and D must be ½.",
            example(torch.tensor([0.3]), torch.tensor([0.3]), gives=0.0, pick=float),
        ),
        Mistake(
            "one plus q",
            lambda p, q: p / (1 + q),
            "Your D depends on the unit of length. With p = 3 and q = 1 three images of four are "
            "data; you say 1.5. With both a hundredth of that you say 0.03.",
            example(torch.tensor([3.0]), torch.tensor([1.0]), gives=1.5, pick=float),
        ),
        Mistake(
            "divided by the sum over all points",
            lambda p, q: p / (p + q).sum(),
            "Your D at one point depends on how many other points are asked. At a point with p = q "
            "it must be ½; ask for it twice, and you say 0.25.",
            example(torch.ones(2), torch.ones(2), gives=torch.full((2,), 0.25)),
        ),
        Mistake(
            "divided by one sum each",
            lambda p, q: p / p.sum() / (p / p.sum() + q / q.sum()),
            "Your D at one point depends on which other points are asked. Densities need no "
            "further scaling: at a single point with p = 0.3 and q = 0.1 D is 0.75; you say 0.5.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=0.5, pick=float),
        ),
        Mistake(
            "sigmoid of the difference",
            lambda p, q: (p - q).sigmoid(),
            "Right at p = q alone. With p = 0.3 and q = 0.1 three images of four are data; you say "
            "0.55.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=0.5498, pick=float),
        ),
        Mistake(
            "a hard answer",
            lambda p, q: (p > q).float(),
            "Your D says 0 or 1. With p = 0.3 and q = 0.1 one image of four is a fake, and a D "
            "that says 1 pays an infinite loss for it.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=1.0, pick=float),
        ),
        Mistake(
            "mean in the denominator",
            lambda p, q: 2 * p / (p + q),
            "Where both densities are equal you say 1: that is the density of data against the "
            "mixture. D must be ½.",
            example(torch.tensor([0.3]), torch.tensor([0.3]), gives=1.0, pick=float),
        ),
        Mistake(
            "squares",
            lambda p, q: p.square() / (p.square() + q.square()),
            "Your D is too sure. With p = 0.3 and q = 0.1 three images of four are data; you say "
            "0.9.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=0.9, pick=float),
        ),
        Mistake(
            "a small number in the denominator",
            lambda p, q: p / (p + q + 1e-8),
            "Far from all data your D falls to 0. With p = 3e-7 and q = 1e-7 three images of four "
            "are data, however rare both are; you say 0.73, and further out less.",
            example(torch.tensor([3e-7]), torch.tensor([1e-7]), pick=float),
        ),
        Mistake(
            "D everywhere a half",
            lambda p, q: torch.full_like(p, 0.5),
            "½ is the answer at the end of the game, where q = p. With p = 0.3 and q = 0.1 three "
            "images of four are data.",
        ),
        Mistake(
            "from −1 to 1",
            lambda p, q: (p - q) / (p + q),
            "Your scale runs from −1 to 1. Where both densities are equal D is ½; you say "
            "{got:.0f}.",
            example(torch.ones(1), torch.ones(1), gives=0.0, pick=float),
        ),
        Mistake(
            "denominator held from below",
            lambda p, q: p / (p + q).clamp(min=1e-6),
            "Far from all data your D falls to 0: the denominator is held from below. With p = "
            "3e-7 and q = 1e-7 three images of four are data, however rare both are; you say "
            "{got:.1f}.",
            example(torch.tensor([3e-7]), torch.tensor([1e-7]), gives=0.3, pick=float),
        ),
        Mistake(
            "D held from 0 and 1",
            lambda p, q: (p / (p + q)).clamp(0.01, 0.99),
            "You hold D between two bounds. Where data are 999 times as likely D is "
            "{expected:.3f}; you say {got:.2f}.",
            example(torch.tensor([0.999]), torch.tensor([0.001]), gives=0.99, pick=float),
        ),
        Mistake(
            "roots",
            lambda p, q: p.sqrt() / (p.sqrt() + q.sqrt()),
            "Your D is not sure enough: you take roots of the densities. With p = 0.9 and q = 0.1 "
            "nine images of ten are data; you say {got:.2f}.",
            example(torch.tensor([0.9]), torch.tensor([0.1]), gives=0.75, pick=float),
        ),
        Mistake(
            "over the larger",
            lambda p, q: p / torch.maximum(p, q),
            "You divide by the larger density, not by both together: wherever data are denser you "
            "say 1. With p = 0.3 and q = 0.1 three images of four are data.",
            example(torch.tensor([0.3]), torch.tensor([0.1]), gives=1.0, pick=float),
        ),
    ),
    probes=(
        call("four points", *_HERE),
        call("one point", torch.tensor([0.3]), torch.tensor([0.1])),
        call("densities above 1", torch.tensor([3.0, 8.0]), torch.tensor([1.0, 2.0])),
        call("a grid of 3 × 2 points", normal(3, 2, seed=1).exp(), normal(3, 2, seed=2).exp()),
        call("far from all data", torch.tensor([3e-7, 2e-6]), torch.tensor([1e-7, 8e-6])),
        call("where one kind is rare", torch.tensor([0.999, 0.5]), torch.tensor([0.001, 499.5])),
    ),
)


# --- jensen_shannon -------------------------------------------------------------------------------


def jensen_shannon(p: Float[Tensor, " n"], q: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q) / 2, in nats, for probabilities of n outcomes."""
    m = (p + q) / 2
    # xlogy(p, p) is p log p, and 0 at p = 0
    to_m = [torch.xlogy(r, r) - torch.xlogy(r, m) for r in (p, q)]
    return (to_m[0].sum() + to_m[1].sum()) / 2


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


def _plain_kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


_THIRDS = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])

JENSEN_SHANNON = Exercise(
    id="gan.jensen_shannon",
    title="The Jensen-Shannon divergence: what the best discriminator measures",
    reference=jensen_shannon,
    hints=(
        "Throw p and q into one bag, half of each. How surprised is one who knows the bag but not "
        "which half an outcome came from? What must the answer be if p and q never meet?",
        "m = (p + q) / 2, KL(p ‖ m) = Σ p log(p / m), and the divergence is the mean of KL(p ‖ m) "
        "and KL(q ‖ m). What should an outcome with p = 0 add, and what does the computer make of "
        "0 · log 0?",
        "`torch.xlogy(p, x)` is p log x, and 0 where p = 0: so KL(p ‖ m) is `(torch.xlogy(p, p) - "
        "torch.xlogy(p, m)).sum()`.",
    ),
    mistakes=(
        Mistake(
            "KL of p and q",
            _kl,
            "Your answer changes when p and q change places, and it can be infinite. p = (½, ½) "
            "and q = (1, 0) are 0.216 apart; you say ∞.",
        ),
        Mistake(
            "KL of q and p",
            lambda p, q: _kl(q, p),
            "Your answer changes when p and q change places. p = (½, ½) and q = (1, 0) are 0.216 "
            "apart; you say 0.693, and the other way round ∞.",
            example(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), gives=0.6931),
        ),
        Mistake(
            "both KL without the mixture",
            lambda p, q: (_kl(p, q) + _kl(q, p)) / 2,
            "The same from both sides, but infinite where p and q do not meet. (1, 0) and (0, 1) "
            "are log 2 = 0.693 apart; you say ∞.",
        ),
        Mistake(
            "sum of both KL without the mixture",
            lambda p, q: _kl(p, q) + _kl(q, p),
            "The same from both sides, but infinite where p and q do not meet. (1, 0) and (0, 1) "
            "are log 2 = 0.693 apart; you say ∞.",
        ),
        Mistake(
            "doubled",
            lambda p, q: _kl(p, (p + q) / 2) + _kl(q, (p + q) / 2),
            "Twice what is asked: (1, 0) and (0, 1) are log 2 = 0.693 apart; you say 1.386.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=1.3863),
        ),
        Mistake(
            "one half only",
            lambda p, q: _kl(p, (p + q) / 2),
            "Your answer changes when p and q change places. p = (½, ½) and q = (1, 0) are 0.216 "
            "apart; you say 0.144, and the other way round 0.288.",
            example(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), gives=0.1438),
        ),
        Mistake(
            "one half only, halved",
            lambda p, q: _kl(p, (p + q) / 2) / 2,
            "(1, 0) and (0, 1) are log 2 = 0.693 apart; you say 0.347. One of the two sides is "
            "missing: your answer changes when p and q change places.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=0.3466),
        ),
        Mistake(
            "KL from the mixture",
            lambda p, q: (_kl((p + q) / 2, p) + _kl((p + q) / 2, q)) / 2,
            "Infinite where p and q do not meet: (1, 0) and (0, 1) are log 2 = 0.693 apart; you "
            "say ∞. Which of the two does KL take its weights from?",
        ),
        Mistake(
            "m not halved",
            lambda p, q: (_kl(p, p + q) + _kl(q, p + q)) / 2,
            "Two equal distributions are 0 apart; you say −0.693. Your mixture sums to 2.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0]), gives=-0.6931),
        ),
        Mistake(
            "bits",
            lambda p, q: jensen_shannon(p, q) / math.log(2),
            "In bits, not in nats: (1, 0) and (0, 1) are log 2 = 0.693 apart; you say 1.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=1.0),
        ),
        Mistake(
            "square root",
            lambda p, q: jensen_shannon(p, q).clamp(min=0).sqrt(),
            "You return the distance, the root of the divergence (as scipy does): (1, 0) and (0, "
            "1) have the divergence 0.693; you say 0.833.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=0.8326),
        ),
        Mistake(
            "sign",
            lambda p, q: -jensen_shannon(p, q),
            "A divergence is never below 0: for (1, 0) and (0, 1) you say −0.693.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=-0.6931),
        ),
        Mistake(
            "nan at 0",
            lambda p, q: (_plain_kl(p, (p + q) / 2) + _plain_kl(q, (p + q) / 2)) / 2,
            "An outcome that never happens makes your whole sum nan: 0 · log 0 should add nothing. "
            "(1, 0) and (0, 1) are 0.693 apart.",
        ),
        Mistake(
            "mean over outcomes",
            lambda p, q: jensen_shannon(p, q) / len(p),
            "Your answer shrinks when outcomes are added that never happen. (1, 0) and (0, 1) are "
            "0.693 apart; you say 0.347, and for (1, 0, 0) and (0, 1, 0) less again.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=0.3466),
        ),
        Mistake(
            "value of the game",
            lambda p, q: 2 * jensen_shannon(p, q) - math.log(4),
            "You return V(D*) = −log 4 + 2 JSD, what the best D reaches. Two equal distributions "
            "are 0 apart; you say −1.386.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0]), gives=-1.3863),
        ),
        Mistake(
            "one number an outcome",
            lambda p, q: sum(torch.xlogy(r, r) - torch.xlogy(r, (p + q) / 2) for r in (p, q)) / 2,
            "You return a number for each outcome; asked is one for the two distributions.",
        ),
        Mistake(
            "total variation",
            lambda p, q: (p - q).abs().sum() / 2,
            "You return the total variation, half the sum of the absolute differences. (1, 0) and "
            "(0, 1) are log 2 = 0.693 apart; you say {got:.0f}.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=1.0),
        ),
        Mistake(
            "geometric mixture",
            lambda p, q: (_kl(p, (p * q).sqrt()) + _kl(q, (p * q).sqrt())) / 2,
            "Your mixture is the root of p · q: it is 0 wherever one of the two is, and your "
            "answer ∞. (1, 0) and (0, 1) are log 2 = 0.693 apart; m is their mean.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=math.inf),
        ),
        Mistake(
            "left out where one is 0",
            lambda p, q: (lambda p, q: (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2)(
                p * (p * q > 0), q * (p * q > 0)
            ),
            "You leave out the outcomes that one of the two never has, and those tell them apart "
            "best. (1, 0) and (0, 1) are log 2 = 0.693 apart; you say {got:.0f}.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=0.0),
        ),
        Mistake(
            "softmax first",
            lambda p, q: jensen_shannon(p.softmax(0), q.softmax(0)),
            "You put the probabilities through a softmax, which makes others of them. (1, 0) and "
            "(0, 1) are log 2 = 0.693 apart; you say {got:.2f}.",
            example(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), gives=0.1109),
        ),
    ),
    probes=(
        call("three outcomes", *_THIRDS),
        call("three outcomes, p and q swapped", *_THIRDS[::-1]),
        call("two equal distributions", _THIRDS[0], _THIRDS[0]),
        call("p = (½, ½), q = (1, 0)", torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0])),
        call("p = (1, 0), q = (0, 1)", torch.tensor([1.0, 0]), torch.tensor([0, 1.0])),
        call("one outcome is in neither", torch.tensor([0.5, 0, 0.5]), torch.tensor([1.0, 0, 0])),
        call(
            "nine outcomes", normal(9, seed=1).softmax(0), normal(9, seed=2).softmax(0), atol=1e-4
        ),
    ),
)


# --- adversarial_step -----------------------------------------------------------------------------


def adversarial_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    real: Float[Tensor, "B d"],
    noise_d: Float[Tensor, "B nz"],
    noise_g: Float[Tensor, "B nz"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """One round: D learns from real and G(noise_d), then G from the new D's view of G(noise_g)."""
    fake = generator(noise_d).detach()  # D's step is no business of G's
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()

    g_loss = generator_loss(discriminator(generator(noise_g)), "non_saturating")
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.detach(), g_loss.detach()


def _learn(loss: Tensor, *optimizers: torch.optim.Optimizer, clear: bool = True) -> None:
    for optimizer in optimizers:
        if clear:
            optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()


def _d_loss(g: nn.Module, d: nn.Module, real: Tensor, noise: Tensor) -> Tensor:
    return discriminator_loss(d(real), d(g(noise).detach()))


def _g_loss(g: nn.Module, d: nn.Module, noise: Tensor) -> Tensor:
    return generator_loss(d(g(noise)))


def _round(
    d_loss: Callable = _d_loss, g_loss: Callable = _g_loss, after: Callable = lambda g, d: (g, d)
) -> Callable:
    """The step with another loss for one of the players, or another answer."""

    def step(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
        loss_d = d_loss(g, d, real, noise_d)
        _learn(loss_d, d_optimizer)
        loss_g = g_loss(g, d, noise_g)
        _learn(loss_g, g_optimizer)
        return after(loss_g, loss_d)[::-1]

    return step


def _generator_moves_twice(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss = discriminator_loss(d(real), d(g(noise_d)))
    _learn(d_loss, d_optimizer, g_optimizer)
    g_loss = _g_loss(g, d, noise_g)
    _learn(g_loss, g_optimizer)
    return d_loss, g_loss


def _discriminator_moves_twice(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss = _d_loss(g, d, real, noise_d)
    _learn(d_loss, d_optimizer)
    g_loss = _g_loss(g, d, noise_g)
    _learn(g_loss, g_optimizer, d_optimizer)
    return d_loss, g_loss


def _fake_detached(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss = _d_loss(g, d, real, noise_d)
    _learn(d_loss, d_optimizer)
    g_loss = generator_loss(d(g(noise_g).detach()))
    _learn(g_loss, g_optimizer)
    return d_loss, g_loss


def _generator_keeps(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    g_optimizer.zero_grad()
    d_loss = discriminator_loss(d(real), d(g(noise_d)))
    _learn(d_loss, d_optimizer)
    g_loss = _g_loss(g, d, noise_g)
    _learn(g_loss, g_optimizer, clear=False)
    return d_loss, g_loss


def _never_cleared(clear_d: bool, clear_g: bool) -> Callable:
    def step(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
        d_loss = _d_loss(g, d, real, noise_d)
        _learn(d_loss, d_optimizer, clear=clear_d)
        g_loss = _g_loss(g, d, noise_g)
        _learn(g_loss, g_optimizer, clear=clear_g)
        return d_loss, g_loss

    return step


def _discriminator_keeps(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss = _d_loss(g, d, real, noise_d)
    _learn(d_loss, d_optimizer, clear=False)
    d_optimizer.zero_grad()
    g_loss = _g_loss(g, d, noise_g)
    _learn(g_loss, g_optimizer)
    return d_loss, g_loss


def _cleared_too_late(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss = _d_loss(g, d, real, noise_d)
    g_loss = _g_loss(g, d, noise_g)
    for loss, optimizer in ((d_loss, d_optimizer), (g_loss, g_optimizer)):
        loss.backward()
        optimizer.zero_grad()
    return d_loss, g_loss


def _generator_first(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    g_loss = _g_loss(g, d, noise_g)
    _learn(g_loss, g_optimizer)
    d_loss = _d_loss(g, d, real, noise_d)
    _learn(d_loss, d_optimizer)
    return d_loss, g_loss


def _together(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss, g_loss = _d_loss(g, d, real, noise_d), _g_loss(g, d, noise_g)
    g_optimizer.zero_grad()
    g_loss.backward()
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_optimizer.step()
    return d_loss, g_loss


def _all_backward_first(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss, g_loss = _d_loss(g, d, real, noise_d), _g_loss(g, d, noise_g)
    d_optimizer.zero_grad()
    g_optimizer.zero_grad()
    d_loss.backward()
    g_loss.backward()
    d_optimizer.step()
    g_optimizer.step()
    return d_loss, g_loss


def _only_generator(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    d_loss, g_loss = _d_loss(g, d, real, noise_d), _g_loss(g, d, noise_g)
    _learn(g_loss, g_optimizer)
    return d_loss, g_loss


def _other_noise(choose: Callable) -> Callable:
    def step(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
        noise_d, noise_g = choose(noise_d, noise_g)
        return adversarial_step(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g)

    return step


def _players(seed: int) -> tuple[nn.Module, nn.Module]:
    """A generator of 3 numbers from 2, and a discriminator that scores them; (B,) scores."""
    generator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3))
    discriminator = nn.Sequential(
        nn.Linear(3, 5), nn.LeakyReLU(0.2), nn.Linear(5, 1), nn.Flatten(0)
    )
    with torch.no_grad():
        for i, weight in enumerate([*generator.parameters(), *discriminator.parameters()]):
            weight.copy_(0.6 * normal(*weight.shape, seed=seed + i))
    return generator, discriminator


def _vector(net: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in net.parameters()])


def _rounds(label: str, n: int, batch: int, seed: int) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        generator, discriminator = _players(seed)
        optimizers = [
            torch.optim.SGD(net.parameters(), lr)
            for net, lr in ((generator, 0.3), (discriminator, 0.5))
        ]
        start, seen = (_vector(generator), _vector(discriminator)), {}
        for i in range(n):
            real = 1 + normal(batch, 3, seed=seed + 100 * i)
            noise = [normal(batch, 2, seed=seed + 100 * i + j) for j in (1, 2)]
            losses = candidate(generator, discriminator, *optimizers, real, *noise)
            if not (isinstance(losses, (tuple, list)) and len(losses) == 2):
                return {"two losses": False}
            d_loss, g_loss = (float(loss) for loss in losses)
            seen |= {
                f"d_loss of round {i + 1}": d_loss,
                f"D's weights after round {i + 1}": _vector(discriminator),
                f"g_loss of round {i + 1}": g_loss,
                f"G's weights after round {i + 1}": _vector(generator),
            }
        moved = [
            not torch.equal(*pair)
            for pair in zip(start, map(_vector, (generator, discriminator)), strict=True)
        ]
        return {"two losses": True, "G moves": moved[0], "D moves": moved[1]} | seen

    explain = {
        "two losses": "Two losses are asked, D's and G's.",
        "G moves": "After the round G's weights are what they were.",
        "D moves": "After the round D's weights are what they were.",
    }
    return Probe(label, observe, rtol=1e-3, atol=1e-5, explain=explain)


def _d_steps_again(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g):
    losses = adversarial_step(g, d, g_optimizer, d_optimizer, real, noise_d, noise_g)
    d_optimizer.step()
    return losses


ADVERSARIAL_STEP = Exercise(
    id="gan.adversarial_step",
    title="One round of the game",
    reference=adversarial_step,
    allows=("number",),
    hints=(
        "Two lessons, one after the other. Whose weights may move in each? What does each player "
        "look at, and which noise makes the fakes of each lesson?",
        "D's lesson needs the fakes as plain pictures: nothing of it may reach G. G's lesson needs "
        "the whole chain noise → G → D → loss, for the gradient comes back through D; but only "
        "G's optimiser moves. And gradients add up until somebody clears them.",
        "Each lesson is: fakes, loss, `zero_grad()`, `backward()`, `step()` of one optimiser. "
        "`.detach()` belongs to the fakes of D's lesson only. G's lesson comes second and asks the "
        "new D for its scores.",
    ),
    mistakes=(
        Mistake(
            "fake detached in G's lesson",
            _fake_detached,
            "G does not move: after the round its weights are what they were, to the last digit. "
            "Either no gradient arrives behind the fakes, or nobody makes G's step.",
        ),
        Mistake(
            "G keeps what D wanted",
            _generator_keeps,
            "G's step contains what D wanted: two gradients were added up in G before it moved, "
            "and one of them makes its fakes easier to catch.",
        ),
        Mistake(
            "gradients never cleared",
            _never_cleared(False, False),
            "The first round is right, the second is not: it repeats the first. Each player moves "
            "by the sum of all gradients so far, and D by G's wishes too.",
        ),
        Mistake(
            "D's gradients never cleared",
            _never_cleared(False, True),
            "The first round is right, the second is not: D moves by the sum of all gradients so "
            "far, those of G's lessons among them.",
        ),
        Mistake(
            "G's gradients never cleared",
            _never_cleared(True, False),
            "The first round is right, the second is not: G repeats the first. It moves by the sum "
            "of all gradients so far.",
        ),
        Mistake(
            "D keeps what G wanted",
            _discriminator_keeps,
            "The first round is right. In the second D's gradient contains what G's lesson left "
            "there: what would make D easier to fool.",
        ),
        Mistake(
            "cleared before the step",
            _cleared_too_late,
            "Nobody moves: the gradients are gone before anyone has used them.",
        ),
        Mistake(
            "D moves in G's lesson",
            _discriminator_moves_twice,
            "D moved while G was playing: it took a step that makes itself easier to fool.",
        ),
        Mistake(
            "G moves in D's lesson",
            _generator_moves_twice,
            "G moved while D was playing: it took a step that makes its fakes easier to catch.",
        ),
        Mistake(
            "G first",
            _generator_first,
            "G plays before D: your g_loss of the first round comes from a D that has not yet "
            "learned from this batch.",
        ),
        Mistake(
            "both at once",
            _together,
            "G answers the old D: your g_loss comes from the weights that D had before its step.",
        ),
        Mistake(
            "both gradients before both steps",
            _all_backward_first,
            "G answers the old D, and worse: the gradient of G's loss has landed in D too, before "
            "D moved. D's step is half its own and half what makes it easier to fool.",
        ),
        Mistake(
            "D never learns",
            _only_generator,
            "Only G learns. D's weights after the round are what they were, and a D that stands "
            "still can be fooled with a single picture.",
        ),
        Mistake(
            "minimax",
            _round(g_loss=lambda g, d, noise: generator_loss(d(g(noise)), "minimax")),
            "Right at D(G(z)) = ½; where D is sure, G's step is many times too small. This g_loss "
            "is negative: the minimax version. Asked is the non-saturating one.",
        ),
        Mistake(
            "G paid for getting caught",
            _round(g_loss=lambda g, d, noise: F.softplus(d(g(noise))).mean()),
            "G is being paid for getting caught: its step lowers the scores of its own fakes.",
        ),
        Mistake(
            "labels swapped",
            _round(
                d_loss=lambda g, d, real, noise: discriminator_loss(d(g(noise).detach()), d(real))
            ),
            "D is rewarded for calling data fake: after its step the scores of the data are lower "
            "and those of the fakes higher.",
        ),
        Mistake(
            "only data",
            _round(d_loss=lambda g, d, real, noise: F.softplus(-d(real)).mean()),
            "D never sees a fake: change noise_d, and nothing changes.",
        ),
        Mistake(
            "only fakes",
            _round(d_loss=lambda g, d, real, noise: F.softplus(d(g(noise).detach())).mean()),
            "D never sees the data: change `real`, and nothing changes.",
        ),
        Mistake(
            "losses swapped",
            _round(after=lambda g_loss, d_loss: (d_loss, g_loss)),
            "All weights are right, and your two losses come back in the other order.",
        ),
        Mistake(
            "noise swapped",
            _other_noise(lambda a, b: (b, a)),
            "The noise has changed places: D should see G(noise_d), and G learn from G(noise_g).",
        ),
        Mistake(
            "noise_d for both",
            _other_noise(lambda a, b: (a, a)),
            "Change noise_g, and nothing changes: G learns from the very fakes that D has just "
            "learned to reject.",
        ),
        Mistake(
            "noise_g for both",
            _other_noise(lambda a, b: (b, b)),
            "Change noise_d, and nothing changes: D learns from the fakes that were meant for G.",
        ),
        Mistake(
            "own noise",
            _other_noise(lambda a, b: (torch.randn_like(a), torch.randn_like(b))),
            "You drew your own noise and left the given one unused: nobody can repeat or check "
            "your round.",
        ),
        Mistake(
            "D steps again",
            _d_steps_again,
            "D moved once more after G's lesson, by the gradient that G's loss left there: a step"
            " that makes itself easier to fool.",
        ),
        Mistake(
            "D's loss halved",
            _round(d_loss=lambda g, d, real, noise: _d_loss(g, d, real, noise) / 2),
            "Your d_loss is half of what is asked, and D's step half as long: the two means are "
            "added up.",
        ),
        Mistake(
            "critics' losses",
            _round(
                lambda g, d, real, z: d(g(z).detach()).mean() - d(real).mean(),
                lambda g, d, z: -d(g(z)).mean(),
            ),
            "Both losses are those of another game (Wasserstein): mean scores, without a "
            "logarithm.",
        ),
    ),
    probes=(
        _rounds("one round, 8 points", 1, 8, seed=1),
        _rounds("three rounds, 6 points", 3, 6, seed=20),
        _rounds("one round with a single point", 1, 1, seed=40),
    ),
)


# --- slerp, of lecture 02 too ---------------------------------------------------------------------


def slerp(
    z_a: Float[Tensor, "B d"], z_b: Float[Tensor, "B d"], fraction: float
) -> Float[Tensor, "B d"]:
    """From z_a towards z_b along the arc about 0: [sin((1 − f)ω) z_a + sin(f ω) z_b] / sin ω."""
    cosine = F.cosine_similarity(z_a.double(), z_b.double(), dim=-1)[..., None]  # (B, 1)
    omega = cosine.clamp(-1, 1).acos()
    arc = ((1 - fraction) * omega).sin() * z_a + (fraction * omega).sin() * z_b
    line = torch.lerp(z_a, z_b, fraction)  # what the arc becomes as ω goes to 0
    return torch.where(omega.sin() < 1e-4, line, arc / omega.sin()).to(z_a.dtype)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a, b, dim=-1).clamp(-1, 1)[..., None]  # (B, 1)


def _arc(a: Tensor, b: Tensor, f: float, angle: Tensor) -> Tensor:
    """Along a circle by that angle; straight where the angle is too small to divide by its sine."""
    arc = (((1 - f) * angle).sin() * a + (f * angle).sin() * b) / angle.sin()
    return torch.where(angle.sin().abs() < 1e-4, torch.lerp(a, b, f), arc)


def _unguarded(a: Tensor, b: Tensor, f: float) -> Tensor:
    angle = _cosine(a, b).acos()
    return (((1 - f) * angle).sin() * a + (f * angle).sin() * b) / angle.sin()


def _straight_where_any_is_parallel(a: Tensor, b: Tensor, f: float) -> Tensor:
    any_parallel = bool((_cosine(a, b) > 0.9999).any())
    return torch.lerp(a, b, f) if any_parallel else _unguarded(a, b, f)


def _straight_where_all_are_parallel(a: Tensor, b: Tensor, f: float) -> Tensor:
    all_parallel = bool((_cosine(a, b) > 0.9999).all())
    return torch.lerp(a, b, f) if all_parallel else _unguarded(a, b, f)


def _cosines_for_sines(a: Tensor, b: Tensor, f: float) -> Tensor:
    angle = _cosine(a, b).acos()
    return (((1 - f) * angle).cos() * a + (f * angle).cos() * b) / angle.cos()


def _not_divided(a: Tensor, b: Tensor, f: float) -> Tensor:
    angle = _cosine(a, b).acos()
    return ((1 - f) * angle).sin() * a + (f * angle).sin() * b


def _straight_then_lengthened(a: Tensor, b: Tensor, f: float) -> Tensor:
    return F.normalize(torch.lerp(a, b, f), dim=-1) * a.norm(dim=-1, keepdim=True)


def _length_apart(a: Tensor, b: Tensor, f: float) -> Tensor:
    length = torch.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), f)
    return length * slerp(F.normalize(a, dim=-1), F.normalize(b, dim=-1), f)


def _line_below(cosine: float) -> Callable:
    return lambda a, b, f: torch.where(_cosine(a, b) > cosine, torch.lerp(a, b, f), slerp(a, b, f))


def _of_length(length: float, *shape: int, seed: int) -> Tensor:
    return length * F.normalize(normal(*shape, seed=seed), dim=-1)


def _degrees(*angles: float) -> Tensor:
    """Points of the plane at these angles, on a circle of radius 0.5."""
    radians = torch.tensor(angles).deg2rad()
    return 0.5 * torch.stack([radians.cos(), radians.sin()], dim=1)


_FINITE = {
    "finite numbers": "Between opposite codes some of your numbers are nan or infinite: "
    "rounding can put a cosine just below −1."
}
_ONE_PAIR = _of_length(3, 1, 5, seed=1), _of_length(3, 1, 5, seed=2)
_AXES = torch.eye(3)


def _walk(
    a: tuple, b: tuple, fraction: float, gives: Any, pick: Callable = lambda z: z[0]
) -> Example:
    """One pair of codes of the plane."""
    codes = (torch.tensor([code], dtype=torch.float32) for code in (a, b))
    return example(*codes, fraction, pick=pick, gives=gives)


def _opposite(candidate: Callable) -> dict[str, Any]:
    codes = normal(20, 7, seed=6)
    path = [candidate(codes, -2 * codes, f) for f in (0.25, 0.5)]
    return {"finite numbers": all(bool(torch.as_tensor(z).isfinite().all()) for z in path)}


def _path(label: str, z_a: Tensor, z_b: Tensor, fraction: float) -> Probe:
    return call(label, z_a, z_b, fraction, rtol=1e-3, atol=1e-3)


SLERP = Exercise(
    id="gan.slerp",
    title="Walk between two codes along a sphere",
    reference=slerp,
    hints=(
        "Random codes in many dimensions all have nearly the same length. How long is the point "
        "halfway between (1, 0) and (0, 1) on the straight line, and how long on the circle? What "
        "should grow evenly with the fraction: a distance or an angle?",
        "With ω the angle between the codes, the weights are sin((1 − f)ω) / sin ω and sin(f ω) / "
        "sin ω. Each pair of the batch has its own ω. What do these weights become as ω goes to "
        "0, and what does the computer make of 0 / 0?",
        "The cosine of ω is z_a · z_b / (‖z_a‖ ‖z_b‖), summed over the last axis with "
        "keepdim=True; clamp it to [−1, 1] before `acos`. Where sin ω is tiny, take the straight "
        "line: `torch.where` chooses for each pair.",
    ),
    mistakes=(
        Mistake(
            "straight line",
            lambda a, b, f: torch.lerp(a, b, f),
            "Your codes take the short cut through the sphere. Halfway from (1, 0) to (0, 1) you "
            "have length 0.71; every point of the circle has length 1. In 100 dimensions no "
            "random code is that short: the network has never seen one.",
        ),
        Mistake(
            "straight line, then lengthened",
            _straight_then_lengthened,
            "The right circle at the wrong speed. From 0° to 90°, a quarter of the way is 22.5°; "
            "you are at 18.4°. Halfway you do not notice.",
        ),
        Mistake(
            "the wrong way round",
            lambda a, b, f: _arc(b, a, f, _cosine(a, b).acos()),
            "Your slider runs backwards: at fraction 0 the second code is there, at 1 the first. "
            "From 0° to 90°, a quarter of the way is 22.5°; you are at 67.5°.",
        ),
        Mistake(
            "nan for parallel codes",
            _unguarded,
            "From (1, 0) to (1, 0), or to a code right beside it, you return nan: the angle is 0, "
            "and you divide 0 by 0. Two equal codes end your film. The answer is (1, 0).",
        ),
        Mistake(
            "one parallel pair straightens all",
            _straight_where_any_is_parallel,
            "One pair of equal codes in the batch changes what the other pairs get. From 0° to "
            "90° halfway is of length {expected}; put a pair (1, 0), (1, 0) beside it, and you say "
            "{got:.2f}.",
            example(_AXES[[0, 0]], _AXES[[1, 0]], 0.5, pick=lambda z: z[0].norm(), gives=0.707),
        ),
        Mistake(
            "nan for a parallel pair among others",
            _straight_where_all_are_parallel,
            "Equal codes alone come out right; beside another pair they become nan. The batch "
            "with the pairs (1, 0), (1, 0) and (1, 0), (0, 1) gives nan for the first: each pair "
            "has its own angle, and you decided for all of them at once.",
        ),
        Mistake(
            "zero for parallel codes",
            lambda a, b, f: _unguarded(a, b, f).nan_to_num(),
            "From (1, 0) to (1, 0), or to a code right beside it, you return {got}. Every point "
            "between equal codes is that code.",
            _walk((1, 0), (1, 0), 0.5, gives=[0.0, 0.0]),
        ),
        Mistake(
            "lengths not divided out",
            lambda a, b, f: _arc(a, b, f, (a * b).sum(-1, keepdim=True).clamp(-1, 1).acos()),
            "Your angle changes when both codes become longer. Between (1, 0) and (0.5, 0.87) "
            "there are 60°; between (0.5, 0) and (0.25, 0.43), the same directions, you measure "
            "83°.",
        ),
        Mistake(
            "length lost",
            lambda a, b, f: _arc(
                F.normalize(a, dim=-1), F.normalize(b, dim=-1), f, _cosine(a, b).acos()
            ),
            "All your codes have length 1. From (3, 0) to (0, 3), none of the way is {expected}; "
            "you say {got}. In 100 dimensions codes are about 10 long.",
            _walk((3, 0), (0, 3), 0.0, gives=[1.0, 0.0]),
        ),
        Mistake(
            "length on its own",
            _length_apart,
            "You turn the direction, and let the length grow evenly beside it. The formula weighs "
            "the codes themselves: halfway from (2, 0) to (0, 1) lies {expected}; you say {got}. "
            "For codes of equal length you do not notice.",
            _walk((2, 0), (0, 1), 0.5, gives=[1.06, 1.06]),
        ),
        Mistake(
            "held at the first length",
            lambda a, b, f: F.normalize(slerp(a, b, f), dim=-1) * a.norm(dim=-1, keepdim=True),
            "All your codes have the length of the first. All the way from (2, 0) to (0, 1) is "
            "{expected}; you say {got}.",
            _walk((2, 0), (0, 1), 1.0, gives=[0.0, 2.0]),
        ),
        Mistake(
            "line for small angles",
            _line_below(0.9),
            "For small angles you take the straight line. It is right where codes are parallel, "
            "and only there: between codes 20° apart, both of length 2, the point halfway has "
            "length {expected:.4f}; yours has {got:.4f}.",
            _walk((2, 0), (1.8794, 0.684), 0.5, pick=lambda z: z[0].norm(), gives=1.9696),
        ),
        Mistake(
            "angles up to 90°",
            lambda a, b, f: _arc(a, b, f, _cosine(a, b).clamp(min=0).acos()),
            "No angle of yours is above 90°. From (1, 0) to (−0.5, 0.87) there are 120°: halfway "
            "lies {expected}; you say {got}.",
            _walk((1, 0), (-0.5, 0.866), 0.5, gives=[0.354, 0.612]),
        ),
        Mistake(
            "sign of the cosine lost",
            lambda a, b, f: _arc(a, b, f, _cosine(a, b).abs().acos()),
            "You take the size of the cosine, and no angle of yours is above 90°. From (1, 0) to "
            "(−0.5, 0.87) there are 120°: halfway lies {expected}; you say {got}.",
            _walk((1, 0), (-0.5, 0.866), 0.5, gives=[0.289, 0.5]),
        ),
        Mistake(
            "not divided by the sine",
            _not_divided,
            "Your ends are not the codes themselves. Between (1, 0) and (0.5, 0.87), none of the "
            "way is {expected}; you say {got}. At 90° you do not notice.",
            _walk((1, 0), (0.5, 0.866), 0.0, gives=[0.866, 0.0]),
        ),
        Mistake(
            "cosines for sines",
            _cosines_for_sines,
            "At fraction 0 the second code is in the picture already. Between (1, 0) and (0.5, "
            "0.87), none of the way is {expected}; you say {got}.",
            _walk((1, 0), (0.5, 0.866), 0.0, gives=[2.0, 1.73]),
        ),
        Mistake(
            "degrees",
            lambda a, b, f: _arc(a, b, f, _cosine(a, b).acos().rad2deg()),
            "The ends are right and the way between is wild: `sin` wants radians. Halfway from "
            "(1, 0) to (0, 1) lies {expected}; you say {got}.",
            _walk((1, 0), (0, 1), 0.5, gives=[0.952, 0.952]),
        ),
        Mistake(
            "the cosine taken for the angle",
            lambda a, b, f: _arc(a, b, f, _cosine(a, b)),
            "For codes at right angles you take the straight line: you use the cosine, 0 there, "
            "as the angle. Halfway from (1, 0) to (0, 1) you have length 0.71, and it should be 1.",
        ),
        Mistake(
            "one angle for the batch",
            lambda a, b, f: _arc(a, b, f, _cosine(a.flatten(), b.flatten()).acos()),
            "All pairs of the batch get the same angle. (1, 0) to (0, 1) are 90°, (1, 0) to (1, "
            "0) are 0°; you use 60° for both. A pair alone comes out right.",
        ),
        Mistake(
            "divided by its square",
            lambda a, b, f: _unguarded(a, b, f) / _cosine(a, b).acos().sin(),
            "Your codes are too long: the weights are divided by sin² ω. From (1, 0) to (0.5, "
            "0.87), 60°, none of the way is (1, 0); you say ({got:.2f}, 0).",
            example(
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[0.5, 0.8660254]]),
                0.0,
                gives=1.1547,
                pick=lambda r: float(r[0, 0]),
            ),
        ),
        Mistake(
            "always 90°",
            lambda a, b, f: math.cos(f * math.pi / 2) * a + math.sin(f * math.pi / 2) * b,
            "You take the angle for 90°, whatever it is. Halfway from (1, 0) to (1, 0) is (1, 0); "
            "you say ({got:.2f}, 0).",
            example(
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[1.0, 0.0]]),
                0.5,
                gives=1.4142,
                pick=lambda r: float(r[0, 0]),
            ),
        ),
        Mistake(
            "roots as weights",
            lambda a, b, f: (1 - f) ** 0.5 * a + f**0.5 * b,
            "Your weights are roots of 1 − f and f, whatever the angle. Halfway from (1, 0) to "
            "(1, 0) is (1, 0); you say ({got:.2f}, 0).",
            example(
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[1.0, 0.0]]),
                0.5,
                gives=1.4142,
                pick=lambda r: float(r[0, 0]),
            ),
        ),
        Mistake(
            "the angle of the first pair",
            lambda a, b, f: _arc(a, b, f, _cosine(a[:1], b[:1]).acos()),
            "Every pair of the batch gets the angle of the first. A pair alone comes out right.",
        ),
        Mistake(
            "straight below an angle",
            lambda a, b, f: torch.where(
                _cosine(a, b).abs() > 0.95, torch.lerp(a, b, f), _arc(a, b, f, _cosine(a, b).acos())
            ),
            "You go straight where the angle is below 18°, which is not nearly parallel: the code "
            "is too short there. Halfway between (1, 0) and (0.97, 0.24), 14°, the length is 1; "
            "you say {got:.3f}.",
            example(
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[0.9703, 0.2419]]),
                0.5,
                pick=lambda r: float(r.norm()),
            ),
        ),
        Mistake(
            "a small number in the denominator",
            lambda a, b, f: (
                (((1 - f) * (w := _cosine(a, b).acos())).sin() * a + (f * w).sin() * b)
                / (w.sin() + 1e-3)
            ),
            "You add a small number to sin ω: where two codes are nearly parallel the result is "
            "far too short. Halfway between (1, 0) and itself is (1, 0); you say ({got:.2f}, 0).",
            example(
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[1.0, 0.0]]),
                0.5,
                gives=0.0,
                pick=lambda r: float(r[0, 0]),
            ),
        ),
        Mistake(
            "the shorter way",
            lambda a, b, f: _arc(
                a, b * (_cosine(a, b)).sign(), f, _cosine(a, b * _cosine(a, b).sign()).acos()
            ),
            "Beyond 90° you turn the second code round, as one does for rotations: you arrive at "
            "its opposite. All of the way from (1, 0) to (−0.5, 0.87) is (−0.5, 0.87); you say "
            "{got:.2f}.",
            example(
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([[-0.5, 0.8660254]]),
                1.0,
                gives=torch.tensor([0.5, -0.866]),
                pick=lambda r: r[0],
            ),
        ),
        Mistake(
            "in degrees",
            lambda a, b, f: (
                (
                    ((1 - f) * (w := _cosine(a, b).clamp(-0.9999, 0.9999).acos().rad2deg())).sin()
                    * a
                    + (f * w).sin() * b
                )
                / w.sin()
            ),
            "Your angle is in degrees, and the sine takes radians.",
        ),
    ),
    probes=(
        _path(
            "60° apart, on a circle of radius 0.5, a quarter of the way",
            _degrees(0),
            _degrees(60),
            0.25,
        ),
        _path("90° apart, halfway", _degrees(0), _degrees(90), 0.5),
        _path("none of the way, 5 latents", *_ONE_PAIR, 0.0),
        _path("all the way, 5 latents", *_ONE_PAIR, 1.0),
        _path(
            "10°, 40°, 120° and 170° apart, of unequal lengths, 0.7 of the way",
            torch.tensor([[4.0], [1.0], [2.0], [1.0]]) * _degrees(0, 20, 90, 30),
            torch.tensor([[4.0], [6.0], [1.0], [3.0]]) * _degrees(10, 60, 210, 200),
            0.7,
        ),
        _path(
            "3 pairs, each with its own angle", 2 * normal(3, 7, seed=3), normal(3, 7, seed=4), 0.3
        ),
        _path("20 pairs of equal codes", normal(20, 7, seed=5), normal(20, 7, seed=5), 0.25),
        _path("parallel codes of lengths 1 and 3", _AXES, 3 * _AXES, 0.25),
        _path("nearly parallel codes", torch.tensor([[2.0, 0]]), torch.tensor([[2.0, 2e-4]]), 0.25),
        _path("two pairs, of which one is parallel", _AXES[[0, 0]], _AXES[[1, 0]], 0.5),
        Probe("20 pairs of opposite codes", _opposite, explain=_FINITE),
    ),
)


# a notebook of lecture 02 that was begun before slerp moved to lecture 03 goes on to be checked
OLD_SLERP = replace(SLERP, id="vae.slerp", title="Morph along a sphere", moved="gan.slerp")


# --- nearest_neighbours ---------------------------------------------------------------------------


def nearest_neighbours(
    queries: Float[Tensor, "n C H W"], images: Float[Tensor, "m C H W"], k: int
) -> tuple[Int[Tensor, "n k"], Float[Tensor, "n k"]]:
    """For each query the k images nearest to it: their indices and distances, nearest first."""
    distances = torch.cdist(queries.flatten(1).double(), images.flatten(1).double())
    found = distances.topk(k, largest=False)
    return found.indices, found.values.float()


def _by_largest_difference(queries: Tensor, images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = torch.cdist(queries.flatten(1), images.flatten(1), p=math.inf)
    found = distances.topk(k, largest=False)
    return found.indices, found.values


def _pairs(queries: Tensor, images: Tensor) -> Tensor:
    """All differences, (n, m, pixels)."""
    return queries.flatten(1)[:, None] - images.flatten(1)[None]


def _ranked(measure: Callable, descending: bool = False) -> Callable:
    """Neighbours by another measure (n, m) of the pairs."""

    def neighbours(queries: Tensor, images: Tensor, k: int) -> tuple[Tensor, Tensor]:
        values, indices = measure(queries, images).sort(dim=1, descending=descending)
        return indices[:, :k], values[:, :k]

    return neighbours


def _euclidean(queries: Tensor, images: Tensor) -> Tensor:
    return _pairs(queries, images).norm(dim=2)


def _root_mean_square(queries: Tensor, images: Tensor) -> Tensor:
    return _pairs(queries, images).square().mean(2).sqrt()


def _means(queries: Tensor, images: Tensor) -> Tensor:
    return (queries.flatten(1).mean(1)[:, None] - images.flatten(1).mean(1)).abs()


def _cosines(queries: Tensor, images: Tensor) -> Tensor:
    return F.normalize(queries.flatten(1), dim=1) @ F.normalize(images.flatten(1), dim=1).T


def _wrong_axis(queries: Tensor, images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, indices = _euclidean(queries, images).sort(dim=0)
    return indices[:k].T, values[:k].T


def _among_queries(queries: Tensor, images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, indices = _euclidean(queries, images).sort(dim=1)
    return indices[:, 1 : k + 1], values[:, 1 : k + 1]


def _last_first(queries: Tensor, images: Tensor, k: int) -> tuple[Tensor, Tensor]:
    indices, values = nearest_neighbours(queries, images, k)
    return indices.flip(1), values.flip(1)


def _neighbours(label: str, n: int, m: int, k: int, shape: tuple[int, ...], seed: int) -> Probe:
    images = normal(m, *shape, seed=seed)
    queries = 0.5 * images[torch.arange(n) * 2 % m] + 0.2 * normal(n, *shape, seed=seed + 1)

    def observe(candidate: Callable) -> dict[str, Any]:
        found = candidate(queries.clone(), images.clone(), k)
        if not (isinstance(found, (tuple, list)) and len(found) == 2):
            return {"two results": False}
        indices, distances = found
        indices, distances = torch.as_tensor(indices), torch.as_tensor(distances)
        shapes = f"{tuple(indices.shape)} and {tuple(distances.shape)}"
        if shapes != f"{(n, k)} and {(n, k)}":
            indices, distances = torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        half = distances.dtype in (torch.float16, torch.bfloat16)
        seen = {
            "two results": True,
            "shapes": shapes,
            "indices": indices.long(),
            "distances": distances.float(),
        }
        whole = not indices.is_floating_point()
        return seen | {"distances in 16 bits": half, "indices are whole numbers": whole}

    return Probe(label, observe, rtol=1e-3, atol=1e-3)


def _of_copies(candidate: Callable) -> dict[str, Any]:
    """Queries that are among the images, the last of them too."""
    images = normal(70, 1, 4, 4, seed=13)
    indices, distances = candidate(images[10:], images, 8)
    indices, distances = torch.as_tensor(indices), torch.as_tensor(distances).double()
    shapes = f"{tuple(indices.shape)} and {tuple(distances.shape)}"
    if shapes != "(60, 8) and (60, 8)":
        return {"shapes": shapes}
    between = distances[:, 1:] - distances[:, :-1]
    return {
        "shapes": shapes,
        "the copy is found": torch.equal(indices[:, 0].long(), torch.arange(10, 70)),
        "its distance is 0": bool((distances[:, 0].abs() < 0.02).all()),
        "nearest first": bool((between >= 0).all()),
    }


class _Largest(TorchDispatchMode):
    """How many numbers the largest tensor holds that is made meanwhile."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                held = x.untyped_storage().nbytes() // x.element_size()
                self.numbers = max(self.numbers, held)
        return result


def _within_memory(candidate: Callable) -> dict[str, Any]:
    """Whether an answer that is right otherwise makes all differences at once."""
    queries, images = normal(20, 1, 10, 10, seed=15), normal(500, 1, 10, 10, seed=16)
    with _Largest() as largest:
        found = [torch.as_tensor(part).double() for part in candidate(queries, images, 2)]
    wanted = _pairs(queries, images).norm(dim=2).topk(2, largest=False)
    pairs = zip(found, (wanted.indices.double(), wanted.values.double()), strict=False)
    right = all(a.shape == b.shape and torch.allclose(a, b, 1e-3) for a, b in pairs)
    return {"all differences at once": right and largest.numbers >= 20 * 500 * 100}


NEAREST_NEIGHBOURS = Exercise(
    id="gan.nearest_neighbours",
    title="The training images nearest to a sample",
    reference=nearest_neighbours,
    allows=("dtype",),
    hints=(
        "Two images are two points. Take one query: how far is it from each of the m images? That "
        "should be m numbers, whatever the size of the images.",
        "Subtract the query from all images, flatten each difference into one row, and take the "
        "norm of each row. Then the k smallest, nearest first, and where they stand.",
        "`(images - query).flatten(1).norm(dim=1)` is (m,). `.topk(k, largest=False)` returns "
        "values and indices in order; stack what the queries get.",
    ),
    mistakes=(
        Mistake(
            "farthest",
            _ranked(_euclidean, descending=True),
            "These are the images least like the query. Among an exact copy and a black square you "
            "choose the square.",
        ),
        Mistake(
            "squared distances",
            _ranked(lambda q, x: _euclidean(q, x).square()),
            "The right images, the wrong numbers: an image that differs by 3 in one pixel is 3 "
            "away; you say 9.",
            example(
                torch.zeros(1, 1, 1, 1),
                torch.tensor([3.0]).view(1, 1, 1, 1),
                1,
                gives=9.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "sum of absolute differences",
            _ranked(lambda q, x: _pairs(q, x).abs().sum(2)),
            "You add up absolute differences. An image that differs by 3 in one pixel and by 4 in "
            "another is 5 away; you say 7, and the order can change.",
            example(
                torch.zeros(1, 1, 1, 2),
                torch.tensor([3.0, 4.0]).view(1, 1, 1, 2),
                1,
                gives=7.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "mean over pixels",
            _ranked(_root_mean_square),
            "The right images, the wrong numbers: yours do not grow with the number of pixels. An "
            "image that differs by 1 in each of 4 pixels is 2 away; you say 1.",
            example(
                torch.zeros(1, 1, 1, 4),
                torch.tensor([1.0, 1.0, 1.0, 1.0]).view(1, 1, 1, 4),
                1,
                gives=1.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "mean squared error",
            _ranked(lambda q, x: _pairs(q, x).square().mean(2)),
            "The right images, the wrong numbers: a mean of squares is no distance. An image that "
            "differs by 2 in each of 4 pixels is 4 away, at twice the difference 8; you say 4 and "
            "16.",
            example(
                torch.zeros(1, 1, 1, 4),
                torch.tensor([4.0, 4.0, 4.0, 4.0]).view(1, 1, 1, 4),
                1,
                gives=16.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "brightness alone",
            _ranked(_means),
            "You compare how bright the images are on the whole. A white square on the left and "
            "one on the right are the same to you.",
        ),
        Mistake(
            "angle",
            _ranked(lambda q, x: 1 - _cosines(q, x)),
            "You compare directions. An image and the same image at a tenth of its contrast are 0 "
            "apart for you, however different they look.",
        ),
        Mistake(
            "similarity, not distance",
            _ranked(_cosines, descending=True),
            "You return similarities, large for near images. A copy is 0 away from its original; "
            "you say 1.",
            example(
                torch.ones(1, 1, 1, 4),
                torch.ones(1, 1, 1, 4),
                1,
                gives=1.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "the nearest queries of each image",
            _wrong_axis,
            "You went along the wrong axis: for each image you found the nearest query. Asked are, "
            "for each of n queries, k of the m images.",
        ),
        Mistake(
            "the first left out",
            _among_queries,
            "You leave the nearest image out. That is right where a set is searched for its own "
            "members; here the nearest training image is the very one to look at: it may be a "
            "copy.",
        ),
        Mistake(
            "nearest last",
            _last_first,
            "The right images, the nearest at the end. Asked is nearest first.",
        ),
        Mistake(
            "distances first",
            lambda q, x, k: nearest_neighbours(q, x, k)[::-1],
            "Indices and distances come back in the other order.",
        ),
        Mistake(
            "in the order of the images",
            lambda q, x, k: (
                (order := nearest_neighbours(q, x, k)[0].sort(dim=1).values),
                _euclidean(q, x).gather(1, order),
            ),
            "The right k images, in the order in which they stand in the set. Asked is nearest "
            "first.",
        ),
        Mistake(
            "largest difference",
            _by_largest_difference,
            "You take the largest difference of a pixel. An image that differs by 3 in one pixel "
            "and by 4 in another is {expected:.0f} away; you say {got:.0f}.",
            example(
                torch.zeros(1, 1, 1, 2),
                torch.tensor([3.0, 4.0]).view(1, 1, 1, 2),
                1,
                gives=4.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "first channel only",
            lambda queries, images, k: nearest_neighbours(queries[:, :1], images[:, :1], k),
            "You look at the first channel only. Two pictures that differ by 3 in the second are "
            "{expected:.0f} apart; you say {got:.0f}.",
            example(
                torch.zeros(1, 2, 1, 1),
                torch.tensor([0.0, 3.0]).view(1, 2, 1, 1),
                1,
                gives=0.0,
                pick=lambda r: float(r[1]),
            ),
        ),
        Mistake(
            "channels averaged",
            lambda queries, images, k: nearest_neighbours(
                queries.mean(1, keepdim=True), images.mean(1, keepdim=True), k
            ),
            "You take the mean over the channels first: red and blue of one brightness are the "
            "same to you. Two pictures that differ by 3 in one of two channels are {expected:.0f} "
            "apart; you say {got:.1f}.",
            example(
                torch.zeros(1, 2, 1, 1),
                torch.tensor([0.0, 3.0]).view(1, 2, 1, 1),
                1,
                gives=1.5,
                pick=lambda r: float(r[1]),
            ),
        ),
    ),
    probes=(
        _neighbours("3 queries, 9 images of 1 × 4 × 4, k = 4", 3, 9, 4, (1, 4, 4), seed=1),
        _neighbours("one query, 5 images of 3 × 2 × 3, k = 1", 1, 5, 1, (3, 2, 3), seed=3),
        _neighbours("4 queries, 6 images, k = 3", 4, 6, 3, (1, 3, 3), seed=5),
        _neighbours("2 queries, 4 images, all of them", 2, 4, 4, (1, 5, 5), seed=7),
        _neighbours("3 other queries, 9 images of 1 × 4 × 4, k = 4", 3, 9, 4, (1, 4, 4), seed=9),
        _neighbours("3 queries, 2,500 images of 1 × 3 × 3, k = 4", 3, 2500, 4, (1, 3, 3), seed=11),
        _neighbours("2 queries, 25,000 images of two pixels", 2, 25_000, 3, (1, 1, 2), seed=17),
        Probe(
            "20 queries, 500 images of 1 × 10 × 10",
            _within_memory,
            explain={
                "all differences at once": "You make all differences at once, a tensor of n · m · "
                "C · H · W numbers. With 500 queries and 60,000 pictures it takes 94 GB."
            },
        ),
        Probe(
            "70 images, the last 60 of them are the queries, k = 8",
            _of_copies,
            explain={
                "the copy is found": "Each query is one of the images, and this one should come "
                "first: copies are what the exercise looks for.",
                "its distance is 0": "From a query to its own copy it is 0; rounding should "
                "neither make a nan of it nor a distance that one can see.",
            },
        ),
    ),
)

EXERCISES = (
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    OPTIMAL_DISCRIMINATOR,
    JENSEN_SHANNON,
    ADVERSARIAL_STEP,
    SLERP,
    OLD_SLERP,
    NEAREST_NEIGHBOURS,
)

QUESTIONS = (
    Question(
        "gan.early_gradient",
        "Early on D is sure: it gives a fake D(G(z)) = 0.01. How many times stronger is the "
        "gradient that G gets from −log D(G(z)) than the one from log(1 − D(G(z)))?",
        None,
        99,
    ),
    Question(
        "gan.bilinear",
        "G moves θ to make −ψθ small, D moves ψ to make it large, both by small steps of gradient "
        "descent at the same moment, starting one unit away from the equilibrium (0, 0). Where "
        "does the game go?",
        {
            "to the equilibrium": "So it would be if both wanted the same. But the force on each "
            "is proportional to the other's distance, at a right angle to the way home.",
            "around it in a circle": "In the limit of infinitely small steps. A step along the "
            "tangent of a circle always ends outside it, so that real steps drift.",
            "outwards in a spiral": "Each step is at a right angle to the radius, and so makes it "
            "longer, by √(1 + lr²). The better each answers the other, the further both are from "
            "rest.",
        },
        "outwards in a spiral",
    ),
    Question(
        "gan.sixteen_samples",
        "A generator never makes one of 10 classes, and the other nine equally often. You look "
        "at 16 of its samples. A perfect generator would also show you no picture of that class "
        "in how many of 100 such sheets?",
        None,
        100 * 0.9**16,
    ),
    Question(
        "gan.half_everywhere",
        "After training D says ½ for every image, real or fake. What does that prove?",
        {
            "G makes the data's distribution": "Then the best D says ½ indeed. But an untrained D "
            "says ½ too, and so does one that is too small to see the difference.",
            "nothing yet": "½ comes from the best D at a perfect G, and from any D that cannot "
            "tell anything. Train a fresh D for a minute: if it cannot tell them apart either, "
            "that says more.",
            "training has failed": "It can be the very end of the game: the best D of a perfect G "
            "says ½ everywhere.",
        },
        "nothing yet",
    ),
    Question(
        "gan.collapse_modes",
        "The data are 8 Gaussians on a ring. G's learning rate is ten times D's. After 1,000 "
        "steps, how many of the 8 are covered, that is, get at least 1 % of 2,500 samples?",
        None,
        None,  # measured in the lecture
    ),
)
