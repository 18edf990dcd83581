"""Exercises and questions of lecture 05: the loss zoo, and how to judge a generator."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.exercises.engine import Example, Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal, seeded, uniform

# The scores of tensorflow/gan's losses_impl_test.py
_FOUR = torch.tensor([-5, 1.4, 12.5, 2.7]), torch.tensor([10, 4.4, -5.5, 3.6])


def _d_probes(good: tuple[float, float], dear: tuple[float, float]) -> tuple[Probe, ...]:
    """Calls of a D's loss: good scores of one image each, dear ones, more images."""

    def one(scores: tuple[float, float]) -> tuple[Tensor, Tensor]:
        return torch.tensor([scores[0]]), torch.tensor([scores[1]])

    return (
        call(f"one image each, data {good[0]:g}, fake {good[1]:g}", *one(good), grad=(0, 1)),
        call(f"one image each, data {dear[0]:g}, fake {dear[1]:g}", *one(dear), grad=(0, 1)),
        call("four images each", *_FOUR, grad=(0, 1)),
        call("seven mild scores each, two of them twice", *_MILD, grad=(0, 1)),
        call("three images each, wrong", *(normal(2, 3, seed=2) + _WRONG), grad=(0, 1)),
    )


def _shown(*scores: float | tuple[float, ...], gives: float) -> Example:
    """A call with one score for each argument, or with several."""
    return example(*(torch.tensor(s if isinstance(s, tuple) else [s]) for s in scores), gives=gives)


_WRONG = torch.tensor([[-3.0], [3.0]])
_MILD = 0.6 * normal(2, 7, seed=1)[:, [0, 1, 2, 3, 4, 0, 1]]


def _g_probes(*scores: float) -> tuple[Probe, ...]:
    return (
        *(call(f"one fake of score {s:g}", torch.tensor([s]), grad=(0,)) for s in scores),
        call("four fakes", _FOUR[1], grad=(0,)),
        call("seven fakes of mild scores", 0.6 * normal(7, seed=3), grad=(0,)),
    )


# --- wasserstein_d --------------------------------------------------------------------------------


def wasserstein_d(
    real_scores: Float[Tensor, " B"], fake_scores: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """E D(G(z)) − E D(x): what the critic makes small."""
    return fake_scores.mean() - real_scores.mean()


WASSERSTEIN_D = Exercise(
    id="losses.wasserstein_d",
    title="The critic's loss",
    reference=wasserstein_d,
    hints=(
        "A critic gives scores without bounds. It wants data to have higher scores than fakes, by "
        "as much as it can. Which number measures that, and must it rise or fall?",
        "The mean score of data minus the mean score of fakes is what the critic makes large. An "
        "optimiser makes things small.",
        "`fake_scores.mean()` minus the same of the data. No sigmoid, no logarithm.",
    ),
    mistakes=(
        Mistake(
            "sign",
            lambda real, fake: real.mean() - fake.mean(),
            "Your critic lowers the score of data. Marks of 2 for data and −2 for fakes are good, "
            "the loss should be {expected}; you say {got}, and an optimiser would turn the scores "
            "round.",
            _shown(2.0, -2.0, gives=4.0),
        ),
        Mistake(
            "distance, whichever is higher",
            lambda real, fake: (real.mean() - fake.mean()).abs(),
            "You do not care who has the higher score. Data 2 and fakes −2 is good and should be "
            "{expected}; you say {got}, as for the reverse.",
            _shown(2.0, -2.0, gives=4.0),
        ),
        Mistake(
            "minus the distance, whichever is higher",
            lambda real, fake: -(real.mean() - fake.mean()).abs(),
            "You do not care who has the higher score. Data −2 and fakes 2 is bad and should be "
            "{expected}; you say {got}, as for the reverse.",
            _shown(-2.0, 2.0, gives=-4.0),
        ),
        Mistake(
            "squared",
            lambda real, fake: (fake.mean() - real.mean()).square(),
            "Your loss is least where both have the same score. Data 2 and fakes −2 should be "
            "{expected}; you say {got}, and pull them together.",
            _shown(2.0, -2.0, gives=16.0),
        ),
        Mistake(
            "probabilities",
            lambda real, fake: fake.sigmoid().mean() - real.sigmoid().mean(),
            "A critic's score has no ceiling; yours has, at 1. Data 2 and fakes −2 should be "
            "{expected}; you say {got:.2f}, and with scores of 10 and −10 hardly any gradient is "
            "left.",
            _shown(2.0, -2.0, gives=-0.762),
        ),
        Mistake(
            "log-loss",
            lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
            "That is the loss of a D that says probabilities. Data 2 and fakes −2 should be "
            "{expected}; you say {got:.2f}, and it never gets below 0.",
            _shown(2.0, -2.0, gives=0.254),
        ),
        Mistake(
            "hinge",
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            "Your critic rests as soon as every score is beyond a margin of 1. Data 2 and fakes −2 "
            "should be {expected}; you say {got}, without a gradient.",
            _shown(2.0, -2.0, gives=0.0),
        ),
        Mistake(
            "no less than nothing",
            lambda real, fake: F.relu(fake.mean() - real.mean()),
            "Your loss stops at 0. Data 2 and fakes −2 should be {expected}; you say {got}, "
            "without a gradient: the critic rests as soon as it is right.",
            _shown(2.0, -2.0, gives=0.0),
        ),
        Mistake(
            "only data",
            lambda real, fake: -real.mean(),
            "Change the fakes: your loss does not move. The critic can raise all scores, those of "
            "fakes too.",
            _shown(0.0, 9.0, gives=0.0),
        ),
        Mistake(
            "only fakes",
            lambda real, fake: fake.mean(),
            "Change the data: your loss does not move. The critic can lower all scores, those of "
            "data too.",
            _shown(9.0, 0.0, gives=0.0),
        ),
        Mistake(
            "fakes taken for real",
            lambda real, fake: -real.mean() - fake.mean(),
            "Your critic wants a high score for everything. A fake of score 2 beside data of score "
            "0 should cost {expected}; you say {got}.",
            _shown(0.0, 2.0, gives=-2.0),
        ),
        Mistake(
            "both low",
            lambda real, fake: real.mean() + fake.mean(),
            "Your critic wants a low score for everything. Data of score 2 beside a fake of score "
            "0 should be {expected}; you say {got}.",
            _shown(2.0, 0.0, gives=2.0),
        ),
        Mistake(
            "halved",
            lambda real, fake: (fake.mean() - real.mean()) / 2,
            "Your loss is half of what is asked: data 2 and fakes −2 should be {expected}; you say "
            "{got}.",
            _shown(2.0, -2.0, gives=-2.0),
        ),
        Mistake(
            "summed over the batch",
            lambda real, fake: fake.sum() - real.sum(),
            "Your loss grows with the batch. One image each with scores 2 and −2 makes −4, and so "
            "should two of each; you say {got}.",
            _shown((2.0, 2.0), (-2.0, -2.0), gives=-8.0),
        ),
        Mistake(
            "one number an image",
            lambda real, fake: fake - real,
            "You return a number for each image; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            lambda real, fake: (fake.mean() - real.mean()).detach(),
            "The value is right, and no gradient reaches the scores: the critic never learns.",
        ),
        Mistake(
            "least squares",
            lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
            "Your critic wants scores of 1 and 0 and no others. Data 2 and fakes −2 should be "
            "{expected}; you say {got}, and pull both back.",
            _shown(2.0, -2.0, gives=5.0),
        ),
        Mistake(
            "bent",
            lambda real, fake: fake.tanh().mean() - real.tanh().mean(),
            "A critic's score has no ceiling; yours has, at 1. Data 2 and fakes −2 should be "
            "{expected}; you say {got}.",
            _shown(2.0, -2.0, gives=-1.93),
        ),
        Mistake(
            "best scores",
            lambda real, fake: fake.max() - real.max(),
            "You compare the highest scores of the batch only; asked are the means. Data 0 and 4, "
            "fakes 0 and 0 should be {expected}; you say {got}.",
            _shown((0.0, 4.0), (0.0, 0.0), gives=-4.0),
        ),
        Mistake(
            "medians",
            lambda real, fake: fake.median() - real.median(),
            "You take the median for the mean. Data 0, 1 and 5, fakes 0, 0 and 0 should be "
            "{expected}; you say {got}.",
            _shown((0.0, 1.0, 5.0), (0.0, 0.0, 0.0), gives=-1.0),
        ),
        Mistake(
            "drift",
            lambda real, fake: fake.mean() - real.mean() + 0.001 * real.square().mean(),
            "Something is added that keeps scores near 0. Data 20 and fakes −20 should be "
            "{expected}; you say {got}. (A progressive GAN does so; nothing here asks for it.)",
            _shown(20.0, -20.0, gives=-39.6),
        ),
    ),
    probes=_d_probes(good=(2.0, -2.0), dear=(-2.0, 2.0)),
)


# --- wasserstein_g --------------------------------------------------------------------------------


def wasserstein_g(fake_scores: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """−E D(G(z)): what the generator makes small, against a critic and against a hinge."""
    return -fake_scores.mean()


WASSERSTEIN_G = Exercise(
    id="losses.wasserstein_g",
    title="The generator's loss against a critic",
    reference=wasserstein_g,
    hints=(
        "The critic's loss has two terms. Which of them can G change, and in which direction does "
        "G want it?",
        "G wants high scores for its fakes, and there is no score at which it is content: the "
        "force on a fake should be the same at every score.",
        "The mean of the scores, with the sign that makes an optimiser raise them.",
    ),
    mistakes=(
        Mistake(
            "paid for getting caught",
            lambda fake: fake.mean(),
            "Your G is paid for getting caught. A fake of score 2 should cost {expected}; you say "
            "{got}, and an optimiser would lower the score.",
            _shown(2.0, gives=2.0),
        ),
        Mistake(
            "hinge",
            lambda fake: F.relu(1 - fake).mean(),
            "The hinge is D's alone. A fake of score 2 should cost {expected}; you say {got}, "
            "without a gradient: your G stops as soon as D says 1.",
            _shown(2.0, gives=0.0),
        ),
        Mistake(
            "non-saturating",
            lambda fake: F.softplus(-fake).mean(),
            "That is the loss against a D that says probabilities. A fake of score 2 should cost "
            "{expected}, with slope −1; you say {got:.2f}, and the slope is near 0.",
            _shown(2.0, gives=0.127),
        ),
        Mistake(
            "minimax",
            lambda fake: -F.softplus(fake).mean(),
            "That is the loss against a D that says probabilities. A fake of score −2 should cost "
            "{expected}, with slope −1; you say {got:.2f}, and your slope is nearly flat: the "
            "worse the fake, the weaker your G's wish to change it.",
            _shown(-2.0, gives=-0.127),
        ),
        Mistake(
            "probabilities",
            lambda fake: -fake.sigmoid().mean(),
            "A critic's score has no ceiling; yours has, at 1. A fake of score 2 should cost "
            "{expected}; you say {got:.2f}.",
            _shown(2.0, gives=-0.881),
        ),
        Mistake(
            "least squares",
            lambda fake: (fake - 1).square().mean(),
            "Your G wants a score of 1 and no more. A fake of score 2 should cost {expected}; you "
            "say {got}, and pull it down.",
            _shown(2.0, gives=1.0),
        ),
        Mistake(
            "size of the score",
            lambda fake: -fake.abs().mean(),
            "The sign of the score is lost. A fake of score −2 should cost {expected}; you say "
            "{got}, and push it further down.",
            _shown(-2.0, gives=-2.0),
        ),
        Mistake(
            "halved",
            lambda fake: -fake.mean() / 2,
            "Half of what is asked: a fake of score 2 should cost {expected}; you say {got}.",
            _shown(2.0, gives=-1.0),
        ),
        Mistake(
            "summed over the batch",
            lambda fake: -fake.sum(),
            "Your loss grows with the batch: one fake of score 2 costs −2, and two should cost "
            "{expected} on average; you say {got}.",
            _shown((2.0, 2.0), gives=-4.0),
        ),
        Mistake(
            "one number an image",
            lambda fake: -fake,
            "You return a number for each fake; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            lambda fake: -fake.mean().detach(),
            "The value is right, and no gradient reaches the scores: G hears nothing from D.",
        ),
        Mistake(
            "only what is above 0",
            lambda fake: -F.relu(fake).mean(),
            "A fake of negative score costs nothing for you, and hears nothing: score −2 should "
            "cost {expected}; you say {got}.",
            _shown(-2.0, gives=0.0),
        ),
        Mistake(
            "distance from 1",
            lambda fake: (1 - fake).mean(),
            "The slope is right, but something is added: a fake of score 2 should cost {expected};"
            " you say {got}. A critic has no target.",
            _shown(2.0, gives=-1.0),
        ),
        Mistake(
            "the best fake",
            lambda fake: -fake.max(),
            "Only the best fake of the batch counts for you. Marks 0 and 4 should cost {expected}"
            " on average; you say {got}.",
            _shown((0.0, 4.0), gives=-4.0),
        ),
        Mistake(
            "the worst fake",
            lambda fake: -fake.min(),
            "Only the worst fake of the batch counts for you. Marks 0 and 4 should cost "
            "{expected} on average; you say {got}.",
            _shown((0.0, 4.0), gives=0.0),
        ),
        Mistake(
            "median",
            lambda fake: -fake.median(),
            "You take the median for the mean. Marks 0, 1 and 5 should cost {expected}; you say "
            "{got}.",
            _shown((0.0, 1.0, 5.0), gives=-1.0),
        ),
        Mistake(
            "nothing below 0",
            lambda fake: F.relu(-fake).mean(),
            "A fake of positive score costs you nothing, and hears nothing: score 2 should cost "
            "{expected}; you say {got}. There is no score at which G is content.",
            _shown(2.0, gives=0.0),
        ),
        Mistake(
            "length",
            lambda fake: -fake.norm(),
            "You take the length of all scores: a root of squares, in which their sign is lost. A "
            "fake of score −2 should cost {expected}; you say {got}.",
            _shown(-2.0, gives=-2.0),
        ),
    ),
    probes=_g_probes(2.0, -2.0),
)


# --- least_squares_d ------------------------------------------------------------------------------


def least_squares_d(
    real_scores: Float[Tensor, " B"], fake_scores: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """E (D(x) − 1)² + E D(G(z))²: what D makes small. No ½."""
    return (real_scores - 1).square().mean() + fake_scores.square().mean()


LEAST_SQUARES_D = Exercise(
    id="losses.least_squares_d",
    title="Least squares: the discriminator's loss",
    reference=least_squares_d,
    hints=(
        "D learns two numbers by heart, one for data and one for fakes, as in a regression. Which "
        "are they? At which scores is the loss 0, and can it ever be below?",
        "For each image, the distance of its score from its target, squared. Square first, then "
        "average: a score of 2 must not make up for a score of 0.",
        "`(real_scores - 1).square().mean()` is the half that concerns data, whose target is 1. "
        "The fakes' target is 0. Add the two; nothing is halved here.",
    ),
    mistakes=(
        Mistake(
            "as printed",
            lambda real, fake: -(real - 1).square().mean() + fake.square().mean(),
            "Your D is paid for being wrong about data. A score of 3 misses the target 1 by 2 and "
            "should cost {expected}; you say {got}, and the loss falls without end as scores run "
            "away from 1.",
            _shown(3.0, 0.0, gives=-4.0),
        ),
        Mistake(
            "sign",
            lambda real, fake: -(real - 1).square().mean() - fake.square().mean(),
            "Your D is paid for every miss. Data 1 and a fake of 2 should cost {expected}; you say "
            "{got}: the loss falls without end.",
            _shown(1.0, 2.0, gives=-4.0),
        ),
        Mistake(
            "targets swapped",
            lambda real, fake: real.square().mean() + (fake - 1).square().mean(),
            "The targets have changed places. Data 1 and fake 0 is perfect and should cost "
            "{expected}; you say {got}.",
            _shown(1.0, 0.0, gives=2.0),
        ),
        Mistake(
            "fakes aim at −1",
            lambda real, fake: (real - 1).square().mean() + (fake + 1).square().mean(),
            "The fakes' target is another one. Data 1 and fake 0 is perfect here and should cost "
            "{expected}; you say {got}.",
            _shown(1.0, 0.0, gives=1.0),
        ),
        Mistake(
            "fakes taken for real",
            lambda real, fake: (real - 1).square().mean() + (fake - 1).square().mean(),
            "Your D wants 1 for everything. Data 1 and fake 0 is perfect and should cost "
            "{expected}; you say {got}.",
            _shown(1.0, 0.0, gives=1.0),
        ),
        Mistake(
            "sigmoid first",
            lambda real, fake: (
                (real.sigmoid() - 1).square().mean() + fake.sigmoid().square().mean()
            ),
            "There is a sigmoid in your loss. Data 1 and fake 0 is perfect and should cost "
            "{expected}; you say {got:.2f}. And a sure error, a fake of 20, has no gradient.",
            _shown(1.0, 0.0, gives=0.322),
        ),
        Mistake(
            "halved",
            lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
            "Half of what is asked: data 0 and fake 0 should cost {expected}; you say {got}. (The "
            "paper has the ½. The course, like CycleGAN, has not.)",
            _shown(0.0, 0.0, gives=0.5),
        ),
        Mistake(
            "square of the mean",
            lambda real, fake: (real.mean() - 1).square() + fake.mean().square(),
            "Errors of opposite signs cancel. Data scores of 0 and 2 both miss 1 by 1 and should "
            "cost {expected} on average; you say {got}.",
            _shown((0.0, 2.0), (0.0, 0.0), gives=0.0),
        ),
        Mistake(
            "absolute errors",
            lambda real, fake: (real - 1).abs().mean() + fake.abs().mean(),
            "You do not square. Data 3 misses by 2 and should cost {expected}; you say {got}, and "
            "a large miss pulls no more than a small one.",
            _shown(3.0, 0.0, gives=2.0),
        ),
        Mistake(
            "root of the mean square",
            lambda real, fake: (real - 1).square().mean().sqrt() + fake.square().mean().sqrt(),
            "You take a root at the end. Data 3 misses by 2 and should cost {expected}; you say "
            "{got}. And at a perfect score your gradient is nan.",
            _shown(3.0, 0.0, gives=2.0),
        ),
        Mistake(
            "one-sided",
            lambda real, fake: F.relu(1 - real).square().mean() + F.relu(fake).square().mean(),
            "Scores that are too good cost you nothing. Data 3 misses its target by 2 and should "
            "cost {expected}; you say {got}.",
            _shown(3.0, 0.0, gives=0.0),
        ),
        Mistake(
            "log-loss",
            lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
            "That is the loss of a D that says probabilities. Data 0 and fake 0 should cost "
            "{expected}; you say {got:.2f}.",
            _shown(0.0, 0.0, gives=1.386),
        ),
        Mistake(
            "only data",
            lambda real, fake: (real - 1).square().mean(),
            "Change the fakes: your loss does not move. A D that says 1 to everything is perfect "
            "for you.",
            _shown(1.0, 9.0, gives=0.0),
        ),
        Mistake(
            "only fakes",
            lambda real, fake: fake.square().mean(),
            "Change the data: your loss does not move. A D that says 0 to everything is perfect "
            "for you.",
            _shown(9.0, 0.0, gives=0.0),
        ),
        Mistake(
            "summed over the batch",
            lambda real, fake: (real - 1).square().sum() + fake.square().sum(),
            "Your loss grows with the batch: data 0 and fake 0 cost 1, and so should two of each; "
            "you say {got}.",
            _shown((0.0, 0.0), (0.0, 0.0), gives=2.0),
        ),
        Mistake(
            "one number an image",
            lambda real, fake: (real - 1).square() + fake.square(),
            "You return a number for each image; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            lambda real, fake: least_squares_d(real, fake).detach(),
            "The value is right, and no gradient reaches the scores: D never learns.",
        ),
        Mistake(
            "soft label",
            lambda real, fake: (real - 0.9).square().mean() + fake.square().mean(),
            "Your target for data is 0.9. Data 1 and fake 0 is perfect here and should cost "
            "{expected}; you say {got}. (Labels softened like that are another trick; nothing "
            "here asks for it.)",
            _shown(1.0, 0.0, gives=0.01),
        ),
        Mistake(
            "Huber",
            lambda real, fake: (
                F.smooth_l1_loss(real, torch.ones_like(real))
                + F.smooth_l1_loss(fake, torch.zeros_like(fake))
            ),
            "Large errors cost you too little: data 3 and fake 0 should cost 2² = {expected}; you"
            " say {got}. That is Huber's loss, a line far from the target.",
            _shown(3.0, 0.0, gives=1.5),
        ),
        Mistake(
            "target outside the square",
            lambda real, fake: (real.square() - 1).mean() + fake.square().mean(),
            "You square the score, not its error. Data 3 and fake 0 should cost (3 − 1)² = "
            "{expected}; you say 3² − 1 = {got}.",
            _shown(3.0, 0.0, gives=8.0),
        ),
        Mistake(
            "difference of the errors",
            lambda real, fake: (real - 1 - fake).square().mean(),
            "You subtract before you square: data 3 and a fake of 2 are both wrong by 2 and "
            "should cost {expected}; you say {got}.",
            _shown(3.0, 2.0, gives=0.0),
        ),
        Mistake(
            "norms",
            lambda real, fake: (real - 1).norm() + fake.norm(),
            "You take the length of all errors together: a root of a sum. Data 3 and 3, fakes 0 "
            "and 0 should cost {expected}; you say {got}.",
            _shown((3.0, 3.0), (0.0, 0.0), gives=2.83),
        ),
        Mistake(
            "half for fakes",
            lambda real, fake: (real - 1).square().mean() + fake.square().mean() / 2,
            "The fakes' half is halved: data 1 and a fake of 2 should cost {expected}; you say "
            "{got}.",
            _shown(1.0, 2.0, gives=2.0),
        ),
        Mistake(
            "half for data",
            lambda real, fake: (real - 1).square().mean() / 2 + fake.square().mean(),
            "The data's half is halved: data 3 and a fake of 0 should cost {expected}; you say "
            "{got}.",
            _shown(3.0, 0.0, gives=2.0),
        ),
        Mistake(
            "soft labels",
            lambda real, fake: (real - 0.9).square().mean() + (fake - 0.1).square().mean(),
            "Your targets are 0.9 and 0.1. Data 1 and fake 0 is perfect here and should cost "
            "{expected}; you say {got}. (Labels softened like that are another trick; nothing here "
            "asks for it.)",
            _shown(1.0, 0.0, gives=0.02),
        ),
        Mistake(
            "fakes subtracted",
            lambda real, fake: (real - 1).square().mean() - fake.square().mean(),
            "Your D is paid for being wrong about fakes. Data 1 and a fake of 2 should cost "
            "{expected}; you say {got}, and the loss falls without end as fakes run away from 0.",
            _shown(1.0, 2.0, gives=-4.0),
        ),
        Mistake(
            "scores measured from the others' mean",
            lambda real, fake: (
                (real - fake.mean() - 1).square().mean() + (fake - real.mean() + 1).square().mean()
            ),
            "You measure each score from the mean of the other kind. Data 3 and a fake of 2 should "
            "cost {expected}; you say {got}, for they are 1 apart. (That is the relativistic "
            "average loss; nothing here asks for it.)",
            _shown(3.0, 2.0, gives=0.0),
        ),
    ),
    probes=_d_probes(good=(1.0, 0.0), dear=(3.0, 0.0)),
)


# --- least_squares_g ------------------------------------------------------------------------------


def least_squares_g(fake_scores: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """E (D(G(z)) − 1)²: what the generator makes small. No ½."""
    return (fake_scores - 1).square().mean()


LEAST_SQUARES_G = Exercise(
    id="losses.least_squares_g",
    title="Least squares: the generator's loss",
    reference=least_squares_g,
    hints=(
        "Which number has D learned to say for data? G wants its fakes to get just that.",
        "Square each fake's distance from D's target for data, then average. What should a fake "
        "cost that D scores at 1, and one that it scores at 3?",
        "It is the data's half of D's loss, with fakes in it.",
    ),
    mistakes=(
        Mistake(
            "as printed",
            lambda fake: -(fake - 1).square().mean(),
            "Your G is paid for missing 1. A fake of score −1 misses by 2 and should cost "
            "{expected}; you say {got}, and the loss falls without end as scores run away.",
            _shown(-1.0, gives=-4.0),
        ),
        Mistake(
            "target 0",
            lambda fake: fake.square().mean(),
            "Your G is paid for getting caught: it aims at 0, which D says of fakes. A fake that D "
            "scores at 1 should cost {expected}; you say {got}.",
            _shown(1.0, gives=1.0),
        ),
        Mistake(
            "target −1",
            lambda fake: (fake + 1).square().mean(),
            "Your G aims at −1. A fake that D scores at 1 should cost {expected}; you say {got}.",
            _shown(1.0, gives=4.0),
        ),
        Mistake(
            "minus D's half",
            lambda fake: -fake.square().mean(),
            "You turn the sign of D's own term. At score 0, where D has the fake just where it "
            "wants it, your gradient is 0: G is told nothing. A fake of score −1 should cost "
            "{expected}; you say {got}, and push it down.",
            _shown(-1.0, gives=-1.0),
        ),
        Mistake(
            "sigmoid first",
            lambda fake: (fake.sigmoid() - 1).square().mean(),
            "There is a sigmoid in your loss. A fake that D scores at 1 should cost {expected}; "
            "you say {got:.2f}. A fake that D is sure of, score −20, has no gradient.",
            _shown(1.0, gives=0.0723),
        ),
        Mistake(
            "halved",
            lambda fake: (fake - 1).square().mean() / 2,
            "Half of what is asked: a fake of score −1 should cost {expected}; you say {got}. (The "
            "paper has the ½. The course, like CycleGAN, has not.)",
            _shown(-1.0, gives=2.0),
        ),
        Mistake(
            "square of the mean",
            lambda fake: (fake.mean() - 1).square(),
            "Errors of opposite signs cancel. Fakes of scores 0 and 2 both miss 1 by 1 and should "
            "cost {expected} on average; you say {got}, and neither is moved.",
            _shown((0.0, 2.0), gives=0.0),
        ),
        Mistake(
            "absolute errors",
            lambda fake: (fake - 1).abs().mean(),
            "You do not square. A fake of score −1 misses by 2 and should cost {expected}; you say "
            "{got}, and the worst fake is pulled no harder than the best.",
            _shown(-1.0, gives=2.0),
        ),
        Mistake(
            "one-sided",
            lambda fake: F.relu(1 - fake).square().mean(),
            "Scores that are too good cost you nothing. A fake of score 3 misses its target by 2 "
            "and should cost {expected}; you say {got}.",
            _shown(3.0, gives=0.0),
        ),
        Mistake(
            "a critic's loss",
            lambda fake: -fake.mean(),
            "That is the loss against a critic, whose scores have no target. A fake of score 1 "
            "should cost {expected}; you say {got}.",
            _shown(1.0, gives=-1.0),
        ),
        Mistake(
            "non-saturating",
            lambda fake: F.softplus(-fake).mean(),
            "That is the loss against a D that says probabilities. A fake of score −1 should cost "
            "{expected}; you say {got:.2f}.",
            _shown(-1.0, gives=1.313),
        ),
        Mistake(
            "summed over the batch",
            lambda fake: (fake - 1).square().sum(),
            "Your loss grows with the batch: a fake of score 0 costs 1, and two should cost "
            "{expected} on average; you say {got}.",
            _shown((0.0, 0.0), gives=2.0),
        ),
        Mistake(
            "one number an image",
            lambda fake: (fake - 1).square(),
            "You return a number for each fake; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            lambda fake: least_squares_g(fake).detach(),
            "The value is right, and no gradient reaches the scores: G hears nothing from D.",
        ),
        Mistake(
            "soft label",
            lambda fake: (fake - 0.9).square().mean(),
            "Your target is 0.9. A fake of score 1 should cost {expected}; you say {got}.",
            _shown(1.0, gives=0.01),
        ),
        Mistake(
            "Huber",
            lambda fake: F.smooth_l1_loss(fake, torch.ones_like(fake)),
            "Large errors cost you too little: a fake of score −1 should cost 2² = {expected}; "
            "you say {got}. That is Huber's loss, a line far from the target.",
            _shown(-1.0, gives=1.5),
        ),
        Mistake(
            "target outside the square",
            lambda fake: fake.square().mean() - 1,
            "You square the score, not its error. A fake of score −1 should cost (−1 − 1)² = "
            "{expected}; you say {got}.",
            _shown(-1.0, gives=0.0),
        ),
        Mistake(
            "root of the mean square",
            lambda fake: (fake - 1).square().mean().sqrt(),
            "You take a root at the end. Fakes of scores −1 and −1 should cost {expected}; you "
            "say {got}.",
            _shown((-1.0, -1.0), gives=2.0),
        ),
        Mistake(
            "norm",
            lambda fake: (fake - 1).norm(),
            "You take the length of all errors together: a root of a sum. Fakes of scores −1 and "
            "−1 should cost {expected}; you say {got:.2f}.",
            _shown((-1.0, -1.0), gives=2.83),
        ),
    ),
    probes=_g_probes(1.0, -1.0, 3.0),
)


# --- hinge_d --------------------------------------------------------------------------------------


def hinge_d(
    real_scores: Float[Tensor, " B"], fake_scores: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))): what D makes small."""
    return F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()


HINGE_D = Exercise(
    id="losses.hinge_d",
    title="Hinge: the discriminator's loss",
    reference=hinge_d,
    hints=(
        "D wants data above 1 and fakes below −1, and no more than that. What does a datum of "
        "score 3 cost? One of score 0? One of −2?",
        "For one datum: 1 − score, where that is positive, else 0. For a fake the same with the "
        "other sign. Cut off each image on its own, then average.",
        "`F.relu(1 - real_scores)` is what each datum costs. Fakes should lie below −1: `1 + "
        "fake_scores` is by how much they fail to.",
    ),
    mistakes=(
        Mistake(
            "labels swapped",
            lambda real, fake: F.relu(1 + real).mean() + F.relu(1 - fake).mean(),
            "Your D pushes data down and fakes up. Data 3 and fake −3 is good and should cost "
            "{expected}; you say {got}.",
            _shown(3.0, -3.0, gives=8.0),
        ),
        Mistake(
            "fakes taken for real",
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 - fake).mean(),
            "Your D wants all scores above 1. Data 3 and fake −3 is good and should cost "
            "{expected}; you say {got}.",
            _shown(3.0, -3.0, gives=4.0),
        ),
        Mistake(
            "no margin",
            lambda real, fake: F.relu(-real).mean() + F.relu(fake).mean(),
            "Your D rests as soon as the sign is right. All scores 0 should cost {expected}; you "
            "say {got}: a D that says 0 to everything has nothing to learn.",
            _shown(0.0, 0.0, gives=0.0),
        ),
        Mistake(
            "no hinge",
            lambda real, fake: (1 - real).mean() + (1 + fake).mean(),
            "Nothing is cut off. Data 3 and fake −3 is good and should cost {expected}; you say "
            "{got}, and the loss falls without end.",
            _shown(3.0, -3.0, gives=-4.0),
        ),
        Mistake(
            "minimum for maximum",
            lambda real, fake: (1 - real).clamp(max=0).mean() + (1 + fake).clamp(max=0).mean(),
            "You kept the wrong half. Data 3 and fake −3 is good and should cost {expected}; you "
            "say {got}. And scores that are wrong cost nothing.",
            _shown(3.0, -3.0, gives=-4.0),
        ),
        Mistake(
            "sign",
            lambda real, fake: -hinge_d(real, fake),
            "You return what D makes large. All scores 0 should cost {expected}; you say {got}, "
            "and an optimiser would make every score wrong.",
            _shown(0.0, 0.0, gives=-2.0),
        ),
        Mistake(
            "hinge of the mean",
            lambda real, fake: F.relu(1 - real.mean()) + F.relu(1 + fake.mean()),
            "Good images pay for bad ones. Data scores of 5 and −1 should cost (0 + 2) / 2 = "
            "{expected}; their mean is 2, and you say {got}.",
            _shown((5.0, -1.0), (-3.0, -3.0), gives=0.0),
        ),
        Mistake(
            "hinge of the difference",
            lambda real, fake: F.relu(1 - (real - fake)).mean(),
            "Only the difference counts for you. Data 1 and fake 0 should cost {expected}, for the "
            "fake is above −1; you say {got}.",
            _shown(1.0, 0.0, gives=0.0),
        ),
        Mistake(
            "soft",
            lambda real, fake: F.softplus(1 - real).mean() + F.softplus(1 + fake).mean(),
            "Your hinge is soft: it never lets go. Data 3 and fake −3 should cost {expected}, "
            "without a gradient; you say {got:.2f}.",
            _shown(3.0, -3.0, gives=0.254),
        ),
        Mistake(
            "squared",
            lambda real, fake: F.relu(1 - real).square().mean() + F.relu(1 + fake).square().mean(),
            "You square what is left. Data −1 and fake −1 should cost {expected}; you say {got}.",
            _shown(-1.0, -1.0, gives=4.0),
        ),
        Mistake(
            "distance from 1 and −1",
            lambda real, fake: (1 - real).abs().mean() + (1 + fake).abs().mean(),
            "Scores that are better than asked cost you something. Data 3 and fake −3 should cost "
            "{expected}; you say {got}.",
            _shown(3.0, -3.0, gives=4.0),
        ),
        Mistake(
            "sigmoid first",
            lambda real, fake: (
                F.relu(1 - real.sigmoid()).mean() + F.relu(1 + fake.sigmoid()).mean()
            ),
            "There is a sigmoid in your loss: the fake's score never comes below 0, so its half "
            "never below 1. Data 3 and fake −3 should cost {expected}; you say {got:.2f}.",
            _shown(3.0, -3.0, gives=1.095),
        ),
        Mistake(
            "a critic's loss",
            lambda real, fake: fake.mean() - real.mean(),
            "That is a critic's loss, which never rests. Data 3 and fake −3 should cost "
            "{expected}; you say {got}.",
            _shown(3.0, -3.0, gives=-6.0),
        ),
        Mistake(
            "only data",
            lambda real, fake: F.relu(1 - real).mean(),
            "Change the fakes: your loss does not move. A D that says 1 to everything is perfect "
            "for you.",
            _shown(1.0, 9.0, gives=0.0),
        ),
        Mistake(
            "only fakes",
            lambda real, fake: F.relu(1 + fake).mean(),
            "Change the data: your loss does not move. A D that says −1 to everything is perfect "
            "for you.",
            _shown(-9.0, -1.0, gives=0.0),
        ),
        Mistake(
            "halved",
            lambda real, fake: hinge_d(real, fake) / 2,
            "Half of what is asked: all scores 0 should cost {expected}; you say {got}.",
            _shown(0.0, 0.0, gives=1.0),
        ),
        Mistake(
            "summed over the batch",
            lambda real, fake: F.relu(1 - real).sum() + F.relu(1 + fake).sum(),
            "Your loss grows with the batch: one image each of score 0 costs 2, and so should two "
            "of each; you say {got}.",
            _shown((0.0, 0.0), (0.0, 0.0), gives=4.0),
        ),
        Mistake(
            "one number an image",
            lambda real, fake: F.relu(1 - real) + F.relu(1 + fake),
            "You return a number for each image; asked is one for the batch, or `backward()` "
            "refuses.",
        ),
        Mistake(
            "gradient cut",
            lambda real, fake: hinge_d(real, fake).detach(),
            "The value is right, and no gradient reaches the scores: D never learns.",
        ),
        Mistake(
            "no margin for fakes",
            lambda real, fake: F.relu(1 - real).mean() + F.relu(fake).mean(),
            "Your fakes need only be below 0, not below −1. Data 1 and a fake of 0 should cost "
            "{expected}; you say {got}.",
            _shown(1.0, 0.0, gives=0.0),
        ),
        Mistake(
            "no margin for data",
            lambda real, fake: F.relu(-real).mean() + F.relu(1 + fake).mean(),
            "Your data need only be above 0, not above 1. Data 0 and a fake of −1 should cost "
            "{expected}; you say {got}.",
            _shown(0.0, -1.0, gives=0.0),
        ),
        Mistake(
            "fakes below 1",
            lambda real, fake: F.relu(1 - real).mean() + F.relu(fake - 1).mean(),
            "Your fakes cost something above 1 only. Data 1 and a fake of 0 should cost "
            "{expected}, for it is not below −1; you say {got}.",
            _shown(1.0, 0.0, gives=0.0),
        ),
        Mistake(
            "sign of the data's margin",
            lambda real, fake: F.relu(real - 1).mean() + F.relu(1 + fake).mean(),
            "Your data cost something where they are above 1. Data 3 and a fake of −3 is good and"
            " should cost {expected}; you say {got}.",
            _shown(3.0, -3.0, gives=2.0),
        ),
        Mistake(
            "fakes without a hinge",
            lambda real, fake: F.relu(1 - real).mean() + (1 + fake).mean(),
            "The fakes' half is not cut off. Data 3 and a fake of −3 should cost {expected}; you "
            "say {got}.",
            _shown(3.0, -3.0, gives=-2.0),
        ),
        Mistake(
            "fakes as a critic has them",
            lambda real, fake: F.relu(1 - real).mean() + fake.mean(),
            "The fakes' half is a critic's: no margin, and nothing is cut off. Data 3 and a fake "
            "of −3 should cost {expected}; you say {got}.",
            _shown(3.0, -3.0, gives=-3.0),
        ),
        Mistake(
            "data without a hinge",
            lambda real, fake: (1 - real).mean() + F.relu(1 + fake).mean(),
            "The data's half is not cut off. Data 3 and a fake of −3 should cost {expected}; you "
            "say {got}.",
            _shown(3.0, -3.0, gives=-2.0),
        ),
        Mistake(
            "leaky",
            lambda real, fake: (
                F.leaky_relu(1 - real, 0.2).mean() + F.leaky_relu(1 + fake, 0.2).mean()
            ),
            "Your hinge leaks: beyond the margin it still pulls. Data 3 and a fake of −3 should "
            "cost {expected}; you say {got}.",
            _shown(3.0, -3.0, gives=-0.8),
        ),
        Mistake(
            "log-loss",
            lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
            "That is the loss of a D that says probabilities. Data 3 and a fake of −3 should cost"
            " {expected}; you say {got}, and never 0.",
            _shown(3.0, -3.0, gives=0.0972),
        ),
        Mistake(
            "least squares",
            lambda real, fake: (real - 1).square().mean() + (fake + 1).square().mean(),
            "You square the distance from 1 and −1. Data 3 and a fake of −3 is better than asked "
            "and should cost {expected}; you say {got}.",
            _shown(3.0, -3.0, gives=8.0),
        ),
        Mistake(
            "cut off above, too",
            lambda real, fake: (1 - real).clamp(0, 1).mean() + (1 + fake).clamp(0, 1).mean(),
            "No image can cost you more than 1, and beyond that nothing pulls. Data −2 and a fake "
            "of −3 should cost {expected}; you say {got}: the worst errors are not learned from.",
            _shown(-2.0, -3.0, gives=1.0),
        ),
        Mistake(
            "fakes subtracted",
            lambda real, fake: F.relu(1 - real).mean() - F.relu(1 + fake).mean(),
            "Your D is paid for being wrong about fakes. Data 3 and a fake of 1 should cost "
            "{expected}; you say {got}.",
            _shown(3.0, 1.0, gives=-2.0),
        ),
        Mistake(
            "fakes twice",
            lambda real, fake: F.relu(1 - fake).mean() + F.relu(1 + fake).mean(),
            "Change the data: your loss does not move. The fakes stand in both terms.",
        ),
        Mistake(
            "sign of the fakes' margin",
            lambda real, fake: F.relu(1 - real).mean() + F.relu(-1 - fake).mean(),
            "Your fakes cost something where they are below −1, and nothing above. Data 1 and a "
            "fake of 2 should cost {expected}; you say {got}.",
            _shown(1.0, 2.0, gives=0.0),
        ),
    ),
    probes=_d_probes(good=(3.0, -3.0), dear=(0.0, 0.0)),
)


# --- gradient_penalty -----------------------------------------------------------------------------


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], points: Float[Tensor, "B ..."], target: float = 1.0
) -> Float[Tensor, ""]:
    """E (‖∇D(x)‖₂ − target)²: how far the slope of the critic is from `target` at each point."""
    points = points.detach().requires_grad_()
    # one image's score depends on no other, so the gradient of the sum holds all gradients
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - target).square().mean()


class _Linear(nn.Module):
    """A critic with the same slope everywhere: w · x."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


class _Curved(nn.Module):
    """A critic whose slope differs from point to point: a · tanh(W x)."""

    def __init__(self, inputs: int, seed: int):
        super().__init__()
        self.first = nn.Parameter(normal(inputs, 5, seed=seed) / 2)
        self.second = nn.Parameter(normal(5, seed=seed + 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.first).tanh() @ self.second


class _Turned(_Curved):
    """It sees its pictures turned, so that its slope is not contiguous."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(2, 3))


def _penalty(
    label: str,
    make: Callable[[], nn.Module],
    points: Tensor,
    made: bool = False,
    **options: float,
) -> Probe:
    """`made`: the points come from a generator, which may hear nothing of the penalty."""

    def observe(candidate: Callable) -> dict[str, Any]:
        critic, generator = make(), torch.ones(points.shape[1:], requires_grad=True)
        penalty = candidate(critic, points * generator if made else points.clone(), **options)
        weights = [*critic.parameters(), generator]
        seen = {
            "penalty": penalty,
            "weights had a gradient": any(w.grad is not None for w in weights[:-1]),
        }
        grads: Any = [None] * len(weights)
        if isinstance(penalty, Tensor) and penalty.requires_grad:
            grads = torch.autograd.grad(penalty.sum(), weights, allow_unused=True)
        *filled, heard = [
            torch.zeros_like(w) if g is None else g for w, g in zip(weights, grads, strict=True)
        ]
        seen |= {"gradient of the critic's weights": torch.cat([g.flatten() for g in filled])}
        return seen | {"gradient of what made the points": heard} if made else seen

    explain = {
        "weights had a gradient": "After your function the critic's weights hold a gradient that "
        "nobody asked for: the optimiser's next step would add it to its own.",
        "gradient of the critic's weights": "The penalty has the right value, but what the critic "
        "learns from it is something else.",
        "gradient of what made the points": "A gradient of your penalty runs on into the generator "
        "that made the points.",
    }
    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=explain)


def _four_images() -> nn.Module:
    return _Linear(torch.full((4,), 2.0))


_PENALTY_PROBES = (
    _penalty("4 images of 2 × 2, slope 2 in each pixel", _four_images, normal(4, 1, 2, 2, seed=1)),
    _penalty(
        "3 colour images, a curved critic", lambda: _Curved(27, 2), normal(3, 3, 3, 3, seed=3)
    ),
    _penalty("6 points of the plane, a curved critic", lambda: _Curved(2, 4), normal(6, 2, seed=5)),
    _penalty(
        "2 images, slope ½",
        lambda: _Linear(torch.tensor([0.3, 0.0, 0.0, 0.4])),
        normal(2, 1, 2, 2, seed=6),
    ),
)


def _penalty_probes(**options: tuple[float, float]) -> tuple[Probe, ...]:
    """The probes above, and two calls with the option that a student may set."""
    [(name, (first, second))] = options.items()
    return (
        *_PENALTY_PROBES,
        _penalty(
            f"one image, a curved critic, {name} {first:g}",
            lambda: _Curved(12, 7),
            normal(1, 3, 2, 2, seed=8),
            **{name: first},
        ),
        _penalty(
            f"3 images, a curved critic, {name} {second:g}",
            lambda: _Curved(4, 9),
            normal(3, 1, 2, 2, seed=10),
            **{name: second},
        ),
    )


def _slope(critic: Callable, points: Tensor, graph: bool = True) -> Tensor:
    points = points.detach().requires_grad_()
    return torch.autograd.grad(critic(points).sum(), points, create_graph=graph)[0]


def _norms(slope: Tensor) -> Tensor:
    return slope.flatten(1).norm(dim=1)


def _penalty_of(size: Callable[[Tensor], Tensor], weight: float = 1.0) -> Callable:
    """The penalty with another idea of a slope's size."""
    return lambda critic, points, target=1.0: (
        weight * (size(_slope(critic, points)) - target).square().mean()
    )


def _norms_over_pixels(slope: Tensor) -> Tensor:
    return slope.flatten(2).norm(dim=2) if slope.ndim > 2 else slope.abs()


def _steep(
    slope: float,
    channels: int = 1,
    width: int = 1,
    images: int = 1,
    at: float = 1.0,
    gives: Any = None,
    **options: float,
) -> Example:
    """Images with the same slope in each of their pixels."""
    points = torch.full((images, channels, width, width), at)
    critic = _Linear(torch.full((points[0].numel(),), slope))
    return example(critic, points, gives=gives, **options)


def _two_slopes(first: float, second: float, gives: float) -> Example:
    """Two points of a line, each with its own slope: the critic is x² / 2."""
    points = torch.tensor([[first], [second]])
    return example(lambda x: x.square().sum(1) / 2, points, gives=gives)


def _squared_first(critic, points, target=1.0):
    return (_norms(_slope(critic, points)).square() - target**2).square().mean()


def _one_sided(critic, points, target=1.0):
    return F.relu(_norms(_slope(critic, points)) - target).square().mean()


def _unsquared(critic, points, target=1.0):
    return (_norms(_slope(critic, points)) - target).mean()


def _absolute(critic, points, target=1.0):
    return (_norms(_slope(critic, points)) - target).abs().mean()


def _summed(critic, points, target=1.0):
    return (_norms(_slope(critic, points)) - target).square().sum()


def _each(critic, points, target=1.0):
    return (_norms(_slope(critic, points)) - target).square()


def _mean_of_norms_first(critic, points, target=1.0):
    return (_norms(_slope(critic, points)).mean() - target).square()


def _without_graph(critic, points, target=1.0):
    return (_norms(_slope(critic, points, graph=False)) - target).square().mean()


def _with_a_past(critic, points, target=1.0):
    points = points.clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (_norms(slope) - target).square().mean()


def _by_backward(critic, points, target=1.0):
    points = points.detach().requires_grad_()
    critic(points).sum().backward(create_graph=True)
    penalty = (_norms(points.grad) - target).square().mean()
    points.grad = None  # or the graph would hold itself in memory
    return penalty


def _of_the_mean_score(critic, points, target=1.0):
    points = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).mean(), points, create_graph=True)
    return (_norms(slope) - target).square().mean()


GRADIENT_PENALTY = Exercise(
    id="losses.gradient_penalty",
    title="Hold the critic's slope at 1",
    reference=gradient_penalty,
    hints=(
        "How steep is the critic at one picture, if every pixel may change? That is one number a "
        "picture: the length of the gradient of its score in all its pixels. How many numbers do "
        "you have for 4 pictures of 28 × 28?",
        "`torch.autograd.grad(scores.sum(), points, ...)` gives all gradients at once, in the "
        "shape of `points`, which must ask for them with `.detach().requires_grad_()`. The critic "
        "is to learn from the penalty: so the gradient itself must remember how it was made "
        "(`create_graph`).",
        "Flatten the gradients to (B, pixels), take the norm along the pixels, subtract the "
        "target, square, and average over the batch. In this order.",
    ),
    mistakes=(
        Mistake(
            "norm over channels",
            _penalty_of(lambda slope: slope.norm(dim=1)),
            "You hold each pixel at slope 1, not each picture. A picture of 4 pixels with slope 2 "
            "in each has slope 4 and should cost {expected}; you say {got}. Of 28 × 28 grey pixels "
            "it is content where the picture's slope is 28.",
            _steep(2.0, width=2, gives=1.0),
        ),
        Mistake(
            "one norm for the batch",
            _penalty_of(lambda slope: slope.norm()),
            "You take one norm for the whole batch. 4 pictures of slope 4 should cost {expected}; "
            "together they have norm 8, and you say {got}. With 64 pictures each would be held at "
            "slope 1/8.",
            _steep(2.0, width=2, images=4, gives=49.0),
        ),
        Mistake(
            "norm over the batch",
            _penalty_of(lambda slope: slope.norm(dim=0)),
            "You take the norm along the batch: one number a pixel. Add another picture, and the "
            "penalty of the first changes.",
        ),
        Mistake(
            "gradient of the mean score",
            _of_the_mean_score,
            "Your slopes are too small by the size of the batch. 4 pictures of slope 4 should cost "
            "{expected}; you see slope 1 and say {got}.",
            _steep(2.0, width=2, images=4, gives=0.0),
        ),
        Mistake(
            "no graph",
            _without_graph,
            "The number is right, but nothing can learn from it: no gradient of your penalty "
            "reaches the critic's weights. Double all weights of a linear critic and the penalty "
            "must change; yours does not know that.",
        ),
        Mistake(
            "backward",
            _by_backward,
            "The number is right, but something is left behind: `backward()` has filled the .grad "
            "of all the critic's weights, with the gradient of the score. The next step of the "
            "optimiser takes it along.",
        ),
        Mistake(
            "squared before the target",
            _squared_first,
            "You squared the norm first. Slope 2 should cost (2 − 1)² = {expected}; you say (4 − "
            "1)² = {got}.",
            _steep(2.0, gives=9.0),
        ),
        Mistake(
            "one-sided",
            _one_sided,
            "Slopes below the target go unpunished. Slope ½ should cost {expected}; you say {got}, "
            "and a critic that is flat costs nothing.",
            _steep(0.5, gives=0.0),
        ),
        Mistake(
            "not squared",
            _unsquared,
            "You do not square. A slope of ½ should cost {expected}; you say {got}: your critic is "
            "paid for being flat.",
            _steep(0.5, gives=-0.5),
        ),
        Mistake(
            "absolute value",
            _absolute,
            "You do not square. A slope of 4 should cost {expected}; you say {got}.",
            _steep(4.0, gives=3.0),
        ),
        Mistake(
            "target forgotten",
            lambda critic, points, target=1.0: _norms(_slope(critic, points)).square().mean(),
            "Your critic should be flat. A slope of 1 is just right and should cost {expected}; "
            "you say {got}.",
            _steep(1.0, gives=1.0),
        ),
        Mistake(
            "target always 1",
            lambda critic, points, target=1.0: gradient_penalty(critic, points),
            "You never look at `target`. With target 0 a slope of 1 should cost {expected}; you "
            "say {got}.",
            _steep(1.0, target=0.0, gives=0.0),
        ),
        Mistake(
            "mean over pixels",
            _penalty_of(lambda slope: slope.flatten(1).square().mean(1).sqrt()),
            "Your slope does not grow with the number of pixels. 4 pixels of slope 2 make a "
            "picture of slope 4, which should cost {expected}; you see 2 and say {got}.",
            _steep(2.0, width=2, gives=1.0),
        ),
        Mistake(
            "sum of absolute slopes",
            _penalty_of(lambda slope: slope.flatten(1).abs().sum(1)),
            "You add up absolute slopes. 4 pixels of slope 2 make a picture of slope √16 = 4, "
            "which should cost {expected}; you see 8 and say {got}.",
            _steep(2.0, width=2, gives=49.0),
        ),
        Mistake(
            "steepest pixel",
            _penalty_of(lambda slope: slope.flatten(1).abs().amax(1)),
            "You look at the steepest pixel only. 4 pixels of slope 2 make a picture of slope 4, "
            "which should cost {expected}; you see 2 and say {got}.",
            _steep(2.0, width=2, gives=1.0),
        ),
        Mistake(
            "mean before the square",
            _mean_of_norms_first,
            "You average the norms before you square. Slopes 0 and 2 should cost {expected} on "
            "average; their mean is 1, and you say {got}.",
            _two_slopes(0.0, 2.0, gives=0.0),
        ),
        Mistake(
            "weight inside",
            _penalty_of(_norms, weight=10.0),
            "Ten times too much: slope 4 should cost {expected}; you say {got}. The weight λ comes "
            "later, where the penalty is added to the loss.",
            _steep(4.0, gives=90.0),
        ),
        Mistake(
            "summed over the batch",
            _summed,
            "Your penalty grows with the batch. 4 pictures of slope 4 cost 9 each and {expected} "
            "on average; you say {got}.",
            _steep(4.0, images=4, gives=36.0),
        ),
        Mistake(
            "one number an image",
            _each,
            "You return a number for each point; asked is their mean.",
        ),
        Mistake(
            "squared norm against the target",
            lambda critic, points, target=1.0: (
                (_norms(_slope(critic, points)).square() - target).square().mean()
            ),
            "You compare the square of the norm with the target. A slope of 2 with target 1 "
            "should cost (2 − 1)² = {expected}; you say (4 − 1)² = {got}.",
            _steep(2.0, gives=9.0),
        ),
        Mistake(
            "height and width only",
            _penalty_of(_norms_over_pixels),
            "You hold each channel at slope 1, not each picture: the channels are missing from "
            "your norm. Three channels of slope 1 make a picture of slope 1.73, which should cost"
            " {expected:.2f}; you say {got}.",
            _steep(1.0, channels=3, gives=0.0),
        ),
        Mistake(
            "one row at a time",
            _penalty_of(lambda slope: slope.norm(dim=-1)),
            "Your norm runs along the last axis only: each row of pixels is held at slope 1. Four"
            " pixels of slope 1 make a picture of slope 2, which should cost {expected}; you say "
            "{got:.2f}.",
            _steep(1.0, width=2, gives=0.172),
        ),
        Mistake(
            "halved",
            _penalty_of(_norms, weight=0.5),
            "Half of what is asked: a slope of 3 should cost (3 − 1)² = {expected}; you say {got}.",
            _steep(3.0, gives=2.0),
        ),
        Mistake(
            "the score itself",
            lambda critic, points, target=1.0: (critic(points) - target).square().mean(),
            "You hold the critic's score at the target, not its slope. A critic 3 · x at x = 1 "
            "should cost (3 − 1)² = {expected}, and so it should at x = 0, where its score is 0 "
            "and you say {got}.",
            _steep(3.0, at=0.0, gives=1.0),
        ),
        Mistake(
            "in units of the target",
            lambda critic, points, target=1.0: (
                (_norms(_slope(critic, points)) / target - 1).square().mean()
            ),
            "You divide by the target. A slope of 3 with target 2 should cost (3 − 2)² = "
            "{expected}; you say {got}.",
            _steep(3.0, target=2.0, gives=0.25),
        ),
        Mistake(
            "half the square",
            lambda critic, points, target=1.0: _norms(_slope(critic, points)).square().mean() / 2,
            "Your critic should be flat: half the square of its slope is R1, another penalty. A "
            "slope of 1 is just right and should cost {expected}; you say {got}.",
            _steep(1.0, gives=0.5),
        ),
        Mistake(
            "slope of the mean image",
            _penalty_of(lambda slope: slope.mean(0).norm()),
            "You average the gradients of all pictures before you take the norm: two that point in "
            "opposite directions make 0. Points with slopes −3 and 3 should cost {expected}; you "
            "say {got}.",
            _two_slopes(-3.0, 3.0, gives=1.0),
        ),
        Mistake(
            "every number on its own",
            _penalty_of(torch.abs),
            "You hold the slope in every single number at the target: there is no norm. Three "
            "channels of slope 1 make a picture of slope 1.73, which should cost {expected:.2f}; "
            "you say {got}.",
            _steep(1.0, channels=3, gives=0.0),
        ),
        Mistake(
            "length of the picture",
            lambda critic, points, target=1.0: (
                (_norms(points) - target).square().mean() + 0 * critic(points).sum()
            ),
            "You hold the length of the picture itself at the target; asked is the critic's slope "
            "there. A critic 3 · x at x = 1 should cost (3 − 1)² = {expected}; you say {got}.",
            _steep(3.0, gives=0.0),
        ),
        Mistake(
            "one-sided, the other way",
            lambda critic, points, target=1.0: (
                F.relu(target - _norms(_slope(critic, points))).square().mean()
            ),
            "Slopes above the target go unpunished. A slope of 4 should cost {expected}; you say "
            "{got}: that is the side on which a critic runs away.",
            _steep(4.0, gives=0.0),
        ),
        Mistake(
            "on into what made the points",
            _with_a_past,
            "The number is right, but a gradient of your penalty runs on into whatever made the "
            "points: their generator would learn to put them where the critic has slope 1, like "
            "data or not.",
        ),
    ),
    probes=(
        *_penalty_probes(target=(2.5, 0.0)),
        _penalty(
            "3 points of the plane that a generator made, a curved critic",
            lambda: _Curved(2, 11),
            normal(3, 2, seed=12),
            made=True,
        ),
        _penalty(
            "11 images in double precision, a critic that turns them",
            lambda: _Turned(6, 14).double(),
            normal(11, 1, 2, 3, seed=15).double(),
        ),
    ),
)


# --- interpolate ----------------------------------------------------------------------------------


def interpolate(
    real: Float[Tensor, "B ..."], fake: Float[Tensor, "B ..."], alpha: Float[Tensor, " B"]
) -> Float[Tensor, "B ..."]:
    """The point a share alpha of the way from each real image to its fake: x + α (x̂ − x)."""
    alpha = alpha.view(-1, *[1] * (real.ndim - 1))  # (B,) -> (B, 1, 1, 1)
    return real + alpha * (fake - real)


def _weights(real: Tensor, alpha: Tensor) -> Tensor:
    return alpha.view(-1, *[1] * (real.ndim - 1))


def _blend(formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable:
    """Another formula: formula(real, fake, alpha), alpha in a shape that fits."""
    return lambda real, fake, alpha: formula(real, fake, _weights(real, alpha))


def _between(label: str, shape: tuple[int, ...], seed: int) -> Probe:
    real, fake = normal(2, *shape, seed=seed)
    return call(label, real, fake, uniform(shape[0], seed=seed + 1))


_ENDS = call(
    "three images of one pixel, α = 0, ½ and 1",
    torch.tensor([2.0, 2.0, 2.0]).view(3, 1, 1, 1),
    torch.tensor([6.0, 6.0, 6.0]).view(3, 1, 1, 1),
    torch.tensor([0.0, 0.5, 1.0]),
)


def _on_the_way(alpha: float, gives: float) -> Example:
    """From one pixel of 2 to one of 6."""
    two = torch.full((1, 1, 1, 1), 2.0)
    return example(two, 3 * two, torch.tensor([alpha]), pick=Tensor.item, gives=gives)


INTERPOLATE = Exercise(
    id="losses.interpolate",
    title="A point between each real image and its fake",
    reference=interpolate,
    hints=(
        "Two images are two points. At α = 0 you stand at the real one, at α = 1 at the fake. "
        "Where at α = ¼?",
        "α has one number an image, (B,), and images are (B, C, H, W). Broadcasting lines shapes "
        "up from the right: along which axis would (B,) be laid?",
        "Give α the shape (B, 1, 1, 1), as `alpha.view(-1, 1, 1, 1)` does, and walk: the real "
        "image plus that share of the way to the fake.",
    ),
    mistakes=(
        Mistake(
            "as printed",
            _blend(lambda x, y, a: a * x + (1 - a * y)),
            "Your points do not lie between. With x = 2 and x̂ = 6 the point at α = 0 is "
            "{expected}; you say {got}, whatever the images are. Look where the bracket closes.",
            _on_the_way(0.0, gives=1.0),
        ),
        Mistake(
            "from the fake to the real",
            _blend(lambda x, y, a: a * x + (1 - a) * y),
            "Between they are, but from the other end. With x = 2 and x̂ = 6 the point at α = 0 is "
            "{expected}; you say {got}. (For a random α that makes no difference.)",
            _on_the_way(0.0, gives=6.0),
        ),
        Mistake(
            "walking away",
            _blend(lambda x, y, a: x + a * (x - y)),
            "You walk away from the fake. With x = 2 and x̂ = 6 the point at α = ½ is {expected}; "
            "you say {got}.",
            _on_the_way(0.5, gives=0.0),
        ),
        Mistake(
            "fake added in full",
            _blend(lambda x, y, a: x + a * y),
            "The real image never fades. With x = 2 and x̂ = 6 the point at α = 1 is {expected}; "
            "you say {got}.",
            _on_the_way(1.0, gives=8.0),
        ),
        Mistake(
            "roots of the shares",
            _blend(lambda x, y, a: (1 - a).sqrt() * x + a.sqrt() * y),
            "Your shares do not add up to 1. With x = 2 and x̂ = 6 the point at α = ½ is "
            "{expected}; you say {got:.2f}.",
            _on_the_way(0.5, gives=5.66),
        ),
        Mistake(
            "α along the width",
            lambda real, fake, alpha: real + alpha * (fake - real),
            "Your α runs across the columns of each picture, not over the pictures: torch lines "
            "shapes up from the right. Where there are as many columns as pictures there is not "
            "even an error, and each column has an α of its own.",
        ),
        Mistake(
            "α down the rows",
            lambda real, fake, alpha: real + alpha[:, None] * (fake - real),
            "Your α runs down the rows of each picture, not over the pictures: torch lines shapes "
            "up from the right. Where there are as many rows as pictures there is not even an "
            "error.",
        ),
        Mistake(
            "one α for all",
            lambda real, fake, alpha: real + alpha[0] * (fake - real),
            "All your points are at the same share of the way, that of the first image. Three "
            "images with α = 0, ½ and 1 give you three times α = 0.",
        ),
        Mistake(
            "the mean α",
            lambda real, fake, alpha: real + alpha.mean() * (fake - real),
            "All your points are at the same share of the way, the mean one. Three images with "
            "α = 0, ½ and 1 give you three times ½.",
        ),
        Mistake(
            "halfway",
            lambda real, fake, alpha: (real + fake) / 2,
            "You never look at α: all your points are halfway.",
        ),
        Mistake(
            "one or the other",
            _blend(lambda x, y, a: torch.where(a < 0.5, x, y)),
            "You choose one of the two images, and never a point between. With x = 2 and x̂ = 6 "
            "the point at α = ½ is 4.",
        ),
        Mistake(
            "each pixel chosen or not",
            lambda real, fake, alpha: torch.where(
                torch.rand_like(real) < _weights(real, alpha), fake, real
            ),
            "Each of your pixels comes from one of the two images. With x = 2 and x̂ = 6 the point "
            "at α = ½ is 4, which is neither.",
        ),
        Mistake(
            "own α, one a pixel",
            lambda real, fake, alpha: real + torch.rand_like(real) * (fake - real),
            "You draw your own α and leave the given one unused, and you draw one a pixel. A point "
            "on the line between two pictures has one α for all its pixels.",
        ),
        Mistake(
            "own α",
            lambda real, fake, alpha: real + _weights(real, torch.rand(len(real))) * (fake - real),
            "You draw your own α and leave the given one unused: nobody can repeat or check your "
            "points.",
        ),
        Mistake(
            "shares swapped for one image",
            _blend(lambda x, y, a: a * x + a * y),
            "Both images have the same share. With x = 2 and x̂ = 6 the point at α = 0 is "
            "{expected}; you say {got}.",
            _on_the_way(0.0, gives=0.0),
        ),
        Mistake(
            "α squared",
            _blend(lambda x, y, a: x + a.square() * (y - x)),
            "Your share is not α: with x = 2 and x̂ = 6 the point at α = ½ is {expected}; you say"
            " {got}, a quarter of the way.",
            _on_the_way(0.5, gives=3.0),
        ),
        Mistake(
            "cut off",
            _blend(lambda x, y, a: (x + a * (y - x)).clamp(-1, 1)),
            "You cut your points off at 1. With x = 2 and x̂ = 6 the point at α = ½ is "
            "{expected}; you say {got}. Nothing asks for it, and points of the plane lie "
            "anywhere.",
            _on_the_way(0.5, gives=1.0),
        ),
        Mistake(
            "for pictures only",
            lambda real, fake, alpha: real + alpha.view(-1, 1, 1, 1) * (fake - real),
            "Right for pictures. Points of the plane are (B, 2): against them a share of shape "
            "(B, 1, 1, 1) gives (B, 1, B, 2).",
        ),
        Mistake(
            "sum for difference",
            _blend(lambda x, y, a: x + a * (y + x)),
            "You add the real image where its difference from the fake belongs. With x = 2 and x̂ "
            "= 6 the point at α = ½ is {expected}; you say {got}, as far as the fake already.",
            _on_the_way(0.5, gives=6.0),
        ),
        Mistake(
            "on a quarter circle",
            _blend(lambda x, y, a: (a * torch.pi / 2).cos() * x + (a * torch.pi / 2).sin() * y),
            "Your shares are a cosine and a sine, which add up to more than 1. With x = 2 and x̂ = "
            "6 the point at α = ½ is {expected}; you say {got:.2f}. Asked is a straight line.",
            _on_the_way(0.5, gives=5.66),
        ),
    ),
    probes=(
        _ENDS,
        _between("4 images of 3 × 4 × 4", (4, 3, 4, 4), seed=20),
        _between("3 images of 1 × 2 × 5", (3, 1, 2, 5), seed=22),
        _between("one image", (1, 3, 6, 6), seed=24),
        _between("5 points of the plane", (5, 2), seed=26),
        _between("5 other points of the plane", (5, 2), seed=28),
    ),
)


# --- dragan_points --------------------------------------------------------------------------------


def dragan_points(
    real: Float[Tensor, "B C H W"], noise: Float[Tensor, "B C H W"]
) -> Float[Tensor, "B C H W"]:
    """Points around the data: x + ½ s u, s the standard deviation of all numbers of `real`.

    noise: u, drawn from U[0, 1) for each pixel.
    """
    return real + 0.5 * real.std(correction=0) * noise


def _around(label: str, shape: tuple[int, ...], seed: int) -> Probe:
    real = normal(*shape, seed=seed) + normal(shape[0], 1, 1, 1, seed=seed + 1)
    # loose enough for both kinds of standard deviation, with n and with n − 1
    return call(label, real, uniform(*shape, seed=seed + 2), rtol=0, atol=1e-3)


def _moved(size: float, u: float, pick: int = 0, *, gives: float) -> Example:
    """What becomes of the pixels −size and size, or of one of them."""
    real = torch.tensor([-size, size] * 4096).view(2, 1, 64, 64)  # with n or n − 1: no matter
    noise = torch.full_like(real, u)
    return example(real, noise, pick=lambda points: points[0, 0, 0, pick].item(), gives=gives)


DRAGAN_POINTS = Exercise(
    id="losses.dragan_points",
    title="Points around the data",
    reference=dragan_points,
    hints=(
        "No fake takes part: DRAGAN asks for a gentle slope near data only. How far is near? As "
        "far as half of how much the data themselves spread.",
        "The spread is one number for the whole batch: the standard deviation of everything in "
        "`real`. `noise` has a number in [0, 1) for each pixel.",
        "The real images, plus one half times `real.std()` times the noise.",
    ),
    mistakes=(
        Mistake(
            "a spread a pixel",
            lambda real, noise: real + 0.5 * real.std(dim=0, correction=0) * noise,
            "You take the spread of each pixel over the batch. In a batch of one image it is 0, "
            "and your points are the image itself; so is every pixel where all images agree, as in "
            "the background.",
        ),
        Mistake(
            "a spread an image",
            lambda real, noise: (
                real + 0.5 * real.flatten(1).std(1, correction=0).view(-1, 1, 1, 1) * noise
            ),
            "You take the spread of each image on its own. A black and a white image have no "
            "spread inside, yet data spread by 1; your points are the images themselves.",
        ),
        Mistake(
            "variance",
            lambda real, noise: real + 0.5 * real.var(correction=0) * noise,
            "You take the variance for the spread. Pixels of −½ and ½ spread by ½, and at u = 1 "
            "the pixel −½ becomes {expected}; you say {got:.3f}.",
            _moved(0.5, 1.0, gives=-0.375),
        ),
        Mistake(
            "half missing",
            lambda real, noise: real + real.std(correction=0) * noise,
            "You go twice as far as is asked. Pixels of −1 and 1 spread by 1: at u = 1 the pixel "
            "−1 becomes {expected}; you say {got:.2f}.",
            _moved(1.0, 1.0, gives=0.0),
        ),
        Mistake(
            "noise not scaled",
            lambda real, noise: real + noise,
            "Your noise does not know how much the data spread. Pixels of −0.01 and 0.01 spread by "
            "0.01: at u = 1 the pixel −0.01 becomes {expected}; you say {got}.",
            _moved(0.01, 1.0, gives=0.99),
        ),
        Mistake(
            "half the noise",
            lambda real, noise: real + 0.5 * noise,
            "Your noise does not know how much the data spread. Pixels of −0.01 and 0.01 spread by "
            "0.01: at u = 1 the pixel −0.01 becomes {expected}; you say {got}.",
            _moved(0.01, 1.0, gives=0.49),
        ),
        Mistake(
            "centred",
            lambda real, noise: real + 0.5 * real.std(correction=0) * (2 * noise - 1),
            "Your noise goes both ways. Here u lies in [0, 1) as it comes, and no pixel gets "
            "darker: at u = 0 a pixel of 1 stays {expected}; yours becomes {got}.",
            _moved(1.0, 0.0, pick=1, gives=0.5),
        ),
        Mistake(
            "centred, not widened",
            lambda real, noise: real + 0.5 * real.std(correction=0) * (noise - 0.5),
            "Your noise goes both ways. Here u lies in [0, 1) as it comes, and no pixel gets "
            "darker: at u = 0 a pixel of 1 stays {expected}; yours becomes {got}.",
            _moved(1.0, 0.0, pick=1, gives=0.75),
        ),
        Mistake(
            "subtracted",
            lambda real, noise: real - 0.5 * real.std(correction=0) * noise,
            "Your pixels get darker where they should get brighter: pixels −1 and 1 spread by 1, "
            "and at u = 1 the pixel −1 becomes {expected}; you say {got}.",
            _moved(1.0, 1.0, gives=-1.5),
        ),
        Mistake(
            "multiplied",
            lambda real, noise: real * (1 + 0.5 * real.std(correction=0) * noise),
            "Your noise is multiplied in: a grey pixel, 0, stays where it is whatever the noise.",
        ),
        Mistake(
            "Gaussian noise of its own",
            lambda real, noise: real + 0.5 * real.std(correction=0) * torch.randn_like(real),
            "You draw your own noise and leave the given one unused: nobody can repeat or check "
            "your points.",
        ),
        Mistake(
            "mixed",
            lambda real, noise: real + noise * (0.5 * real.std(correction=0) - real),
            "You walk from the image towards a flat grey one. At u = 1 nothing of the image is "
            "left; asked is the image with noise on it.",
        ),
        Mistake(
            "cut off",
            lambda real, noise: (real + 0.5 * real.std(correction=0) * noise).clamp(-1, 1),
            "You cut your points off at 1. A white pixel, 1, at u = 1 and s = 1 becomes "
            "{expected}; you say {got}. Nothing forbids a point there: only D looks at it.",
            _moved(1.0, 1.0, pick=1, gives=1.0),
        ),
        Mistake(
            "no noise",
            lambda real, noise: real,
            "Your points are the data themselves: the slope would be held on the images only, and "
            "not around them.",
        ),
        Mistake(
            "a spread a pixel, with n − 1",
            lambda real, noise: real + 0.5 * real.std(dim=0) * noise,
            "You take the spread of each pixel over the batch. In a batch of one image there is "
            "none, and your points are nan; a pixel at which all images agree, as in the "
            "background, never moves.",
        ),
        Mistake(
            "a spread an image, with n − 1",
            lambda real, noise: real + 0.5 * real.flatten(1).std(1).view(-1, 1, 1, 1) * noise,
            "You take the spread of each image on its own. A black and a white image, both flat, "
            "have no spread inside, yet data spread; your points are the images themselves.",
        ),
        Mistake(
            "a spread a channel",
            lambda real, noise: real + 0.5 * real.std(dim=(0, 2, 3), keepdim=True) * noise,
            "You take the spread of each channel on its own; asked is one number, of everything "
            "in `real`.",
        ),
        Mistake(
            "size for spread",
            lambda real, noise: real + 0.5 * real.abs().mean() * noise,
            "You take the mean size of a pixel for the spread. Pixels of −1, 0 and 1 spread by "
            "{expected:.2f}; your points lie as if it were {got:.2f}.",
            example(
                torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1),
                torch.ones(3, 1, 1, 1),
                pick=lambda points: 2 * points[1].item(),
                gives=0.667,
            ),
        ),
        Mistake(
            "spread of the noise",
            lambda real, noise: real + 0.5 * noise.std(correction=0) * noise,
            "You take the spread of the noise; asked is that of the data.",
        ),
        Mistake(
            "image halved, too",
            lambda real, noise: 0.5 * (real + real.std(correction=0) * noise),
            "The ½ belongs to the noise alone; you halve the image, too. At u = 0 a pixel of 1 "
            "should stay {expected}; you say {got}.",
            example(
                torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1),
                torch.zeros(2, 1, 1, 1),
                pick=lambda points: points[1].item(),
                gives=0.5,
            ),
        ),
        Mistake(
            "a share of the way drawn besides",
            lambda real, noise: (
                real + 0.5 * torch.rand(len(real), 1, 1, 1) * real.std(correction=0) * noise
            ),
            "You draw another random number an image; here u is the only one.",
        ),
        Mistake(
            "towards the noise",
            lambda real, noise: real + 0.5 * (noise - real),
            "You walk halfway from the image to the noise; asked is the image with noise on it, "
            "half a spread at most. At u = 0 a pixel of 1 stays {expected}; yours becomes {got}.",
            _moved(1.0, 0.0, pick=1, gives=0.5),
        ),
        Mistake(
            "noise alone",
            lambda real, noise: 0.5 * real.std(correction=0) * noise,
            "You return how far to go, not where that leads: the image is missing. At u = 0 a "
            "pixel of 1 stays {expected}; yours becomes {got}.",
            _moved(1.0, 0.0, pick=1, gives=0.0),
        ),
        Mistake(
            "mean for spread",
            lambda real, noise: real + 0.5 * real.mean() * noise,
            "You take the mean for the spread: how bright the data are, not how much they differ. "
            "Pixels of −1 and 1 spread by 1: at u = 1 the pixel −1 becomes {expected:.2f}; you say "
            "{got}.",
            _moved(1.0, 1.0, gives=-1.0),
        ),
        Mistake(
            "range for spread",
            lambda real, noise: real + 0.5 * (real.max() - real.min()) * noise,
            "You take the range for the spread: from the darkest pixel to the brightest. Pixels of "
            "−1 and 1 spread by 1: at u = 1 the pixel −1 becomes {expected:.2f}; you say {got}.",
            _moved(1.0, 1.0, gives=0.0),
        ),
    ),
    probes=(
        _around("8 images of 3 × 8 × 8", (8, 3, 8, 8), seed=30),
        call(
            "8 dark and bright images, all flat",
            torch.tensor([-0.5, 0.5] * 4).view(8, 1, 1, 1).expand(8, 3, 8, 8).clone(),
            uniform(8, 3, 8, 8, seed=33),
            rtol=0,
            atol=1e-3,
        ),
        _around("one image of 1 × 32 × 50", (1, 1, 32, 50), seed=34),
    ),
)


# --- began_update ---------------------------------------------------------------------------------


def began_update(
    k: float,
    real_error: Float[Tensor, ""],
    fake_error: Float[Tensor, ""],
    gamma: float = 0.75,
    lambda_k: float = 0.001,
) -> tuple[float, float]:
    """BEGAN's thermostat: the next k, kept in [0, 1], and the measure of convergence M.

    k + λ_k (γ L_real − L_fake) and L_real + |γ L_real − L_fake|. Numbers, without a history.
    """
    real, fake = real_error.item(), fake_error.item()
    gap = gamma * real - fake
    return min(max(k + lambda_k * gap, 0.0), 1.0), real + abs(gap)


def _balance(label: str, k: float, real: float, fake: float, *options: float) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        errors = [torch.tensor(e, requires_grad=True) for e in (real, fake)]
        new_k, convergence = candidate(k, *(e * 1 for e in errors), *options)
        return {
            "the new k": float(new_k),
            "M": float(convergence),
            "k remembers how it was made": isinstance(new_k, Tensor) and new_k.requires_grad,
            "k and M are plain numbers": not isinstance(new_k, Tensor)
            and not isinstance(convergence, Tensor),
        }

    explain = {
        "k remembers how it was made": "Your k drags the history of both errors along: D's next "
        "loss, L_real − k · L_fake, would send a gradient back through it.",
        "k and M are plain numbers": "You return a tensor of one number where a plain number is "
        "asked.",
    }
    return Probe(label, observe, rtol=1e-4, atol=1e-7, explain=explain)


def _thermostat(
    gap: Callable[[float, float, float], float] = lambda real, fake, gamma: gamma * real - fake,
    step: Callable[[float, float, float], float] = lambda k, rate, gap: k + rate * gap,
    clip: Callable[[float], float] = lambda k: min(max(k, 0.0), 1.0),
    measure: Callable[[float, float, float], float] = lambda real, fake, gap: real + abs(gap),
) -> Callable:
    """BEGAN's update with one part replaced."""

    def wrong(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
        real, fake = real_error.item(), fake_error.item()
        g = gap(real, fake, gamma)
        return clip(step(k, lambda_k, g)), measure(real, fake, g)

    return wrong


def _with_history(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
    gap = gamma * real_error - fake_error
    return (k + lambda_k * gap).clamp(0, 1), (real_error + gap.abs()).item()


def _as_tensors(k, real_error, fake_error, gamma=0.75, lambda_k=0.001):
    gap = (gamma * real_error - fake_error).detach()
    return (k + lambda_k * gap).clamp(0, 1), real_error.detach() + gap.abs()


def _next(
    k: float, real: float, fake: float, *options: float, pick: int = 0, gives: float
) -> Example:
    """The next k, or M."""
    errors = torch.tensor(real), torch.tensor(fake)
    return example(k, *errors, *options, pick=lambda both: float(both[pick]), gives=gives)


BEGAN_UPDATE = Exercise(
    id="losses.began_update",
    title="BEGAN's thermostat",
    reference=began_update,
    hints=(
        "k says how much D cares for fakes. The thermostat holds L_fake at γ times L_real. If "
        "fakes are drawn too well, L_fake < γ L_real: should D care more for them, or less?",
        "The gap is γ L_real − L_fake. k moves by λ_k times the gap and stays between 0 and 1. M "
        "adds the size of the gap, without its sign, to L_real.",
        "`.item()` turns both errors into numbers, so that no gradient runs through k. Then "
        "`min(max(k + lambda_k * gap, 0.0), 1.0)` and `real + abs(gap)`, in this order.",
    ),
    mistakes=(
        Mistake(
            "sign of the gap",
            _thermostat(gap=lambda real, fake, gamma: fake - gamma * real),
            "Your thermostat heats when it is hot. With L_real = 0.2, L_fake = 0.1, γ = 0.75 fakes "
            "are drawn too well, and k must rise from 0.5; yours falls.",
        ),
        Mistake(
            "not clipped",
            _thermostat(clip=lambda k: k),
            "Your k runs away from [0, 1]. Below 0 D would be paid for drawing fakes well. From k "
            "= 0.01 with gap −0.925 and λ = 0.1 you reach {got:.2f}.",
            _next(0.01, 0.1, 1.0, 0.75, 0.1, gives=-0.0825),
        ),
        Mistake(
            "clipped below only",
            _thermostat(clip=lambda k: max(k, 0.0)),
            "Your k runs past 1: from 0.99 with gap 1.4 and λ = 0.5 you reach {got:.2f}, and D "
            "cares more for fakes than for data.",
            _next(0.99, 2.0, 0.1, 0.75, 0.5, gives=1.69),
        ),
        Mistake(
            "clipped above only",
            _thermostat(clip=lambda k: min(k, 1.0)),
            "Your k runs below 0: from 0.01 with gap −0.925 and λ = 0.1 you reach {got:.2f}, and D "
            "is paid for drawing fakes well.",
            _next(0.01, 0.1, 1.0, 0.75, 0.1, gives=-0.0825),
        ),
        Mistake(
            "in the graph",
            _with_history,
            "The numbers are right, but your k remembers how it was made. It is a thermostat, not "
            "a weight: D's next loss would send a gradient back through it, and the graphs of all "
            "steps hang together.",
        ),
        Mistake(
            "γ on the fakes",
            _thermostat(gap=lambda real, fake, gamma: real - gamma * fake),
            "Your γ sits on the other error: the balance you hold is L_real = γ L_fake. With "
            "L_real = 0.2, L_fake = 0.15, γ = 0.75 nothing should move; your k does.",
        ),
        Mistake(
            "γ forgotten",
            _thermostat(gap=lambda real, fake, gamma: real - fake),
            "You hold both errors equal. With L_real = 0.2, L_fake = 0.15, γ = 0.75 nothing should "
            "move; your k does.",
        ),
        Mistake(
            "a ratio",
            _thermostat(gap=lambda real, fake, gamma: gamma - fake / real),
            "Your gap is a ratio: it stays the same when both errors shrink tenfold. From k = 0 "
            "with L_real = 0.2, L_fake = 0.1 and λ = 0.1 k rises to {expected}; yours to {got}.",
            _next(0.0, 0.2, 0.1, 0.75, 0.1, gives=0.025),
        ),
        Mistake(
            "λ forgotten",
            _thermostat(step=lambda k, rate, gap: k + gap),
            "Your k jumps by the whole gap. With L_real = 0.2, L_fake = 0.1 it should rise from 0 "
            "to {expected:.5f}; yours rises to {got:.2f}.",
            _next(0.0, 0.2, 0.1, gives=0.05),
        ),
        Mistake(
            "the old k forgotten",
            _thermostat(step=lambda k, rate, gap: rate * gap),
            "Your k forgets where it was. From 0.5 with a gap of 0 it should stay at {expected}; "
            "yours becomes {got}.",
            _next(0.5, 0.2, 0.15, gives=0.0),
        ),
        Mistake(
            "M with the sign of the gap",
            _thermostat(measure=lambda real, fake, gap: real + gap),
            "Your k is right, your M is not: with L_real = 0.3, L_fake = 0.6, γ = ½ it is 0.3 + "
            "0.45; you say {got:.2f}. A measure of convergence below 0?",
            _next(0.5, 0.3, 0.6, 0.5, pick=1, gives=-0.15),
        ),
        Mistake(
            "M without L_real",
            _thermostat(measure=lambda real, fake, gap: abs(gap)),
            "Your k is right, your M is not: with L_real = 0.2 and a gap of 0 it is {expected}; "
            "you say {got:.2f}. A D that draws everything badly would have converged.",
            _next(0.5, 0.2, 0.15, pick=1, gives=0.0),
        ),
        Mistake(
            "M with both errors",
            _thermostat(measure=lambda real, fake, gap: real + fake),
            "Your k is right, your M is not: with L_real = 0.2, L_fake = 0.15, γ = 0.75 the gap is "
            "0 and M = {expected}; you say {got}.",
            _next(0.5, 0.2, 0.15, pick=1, gives=0.35),
        ),
        Mistake(
            "M from equal errors",
            _thermostat(measure=lambda real, fake, gap: real + abs(real - fake)),
            "Your k is right, your M is not: with L_real = 0.2, L_fake = 0.15, γ = 0.75 the gap is "
            "0 and M = {expected}; you say {got}.",
            _next(0.5, 0.2, 0.15, pick=1, gives=0.25),
        ),
        Mistake(
            "results swapped",
            lambda *args: began_update(*args)[::-1],
            "Both numbers are right, and come back in the other order: k first.",
        ),
        Mistake(
            "λ always 0.001",
            lambda k, real_error, fake_error, gamma=0.75, lambda_k=0.001: began_update(
                k, real_error, fake_error, gamma
            ),
            "You never look at `lambda_k`. From k = 0.5 with L_real = 0.3, L_fake = 0.6, γ = ½ "
            "and λ = 0.1 k becomes {expected:.4f}; you say {got:.4f}.",
            _next(0.5, 0.3, 0.6, 0.5, 0.1, gives=0.49955),
        ),
        Mistake(
            "γ always 0.75",
            lambda k, real_error, fake_error, gamma=0.75, lambda_k=0.001: began_update(
                k, real_error, fake_error, 0.75, lambda_k
            ),
            "You never look at `gamma`. From k = 0.5 with L_real = 0.3, L_fake = 0.6, γ = ½ and λ"
            " = 0.1 k becomes {expected:.4f}; you say {got:.4f}.",
            _next(0.5, 0.3, 0.6, 0.5, 0.1, gives=0.4625),
        ),
        Mistake(
            "the step clipped",
            _thermostat(
                step=lambda k, rate, gap: k + min(max(rate * gap, 0.0), 1.0), clip=lambda k: k
            ),
            "You keep the step in [0, 1], not k: k can only rise, and past 1. From k = 0.5 with "
            "L_real = 0.3, L_fake = 0.6, γ = ½ and λ = 0.1 it becomes {expected:.4f}; you say "
            "{got:.4f}.",
            _next(0.5, 0.3, 0.6, 0.5, 0.1, gives=0.5),
        ),
        Mistake(
            "M with γ on the fakes",
            _thermostat(measure=lambda real, fake, gap: real + abs(real - 0.75 * fake)),
            "Your k is right, your M is not: γ belongs to L_real, as in the gap of k. With L_real"
            " = 0.2 and L_fake = 0.1 M is {expected}; you say {got}.",
            _next(0.0, 0.2, 0.1, pick=1, gives=0.325),
        ),
        Mistake(
            "M from D's loss",
            lambda k, real_error, fake_error, *options: (
                began_update(k, real_error, fake_error, *options)[0],
                real_error.item() - k * fake_error.item(),
            ),
            "Your k is right, your M is D's loss, L_real − k L_fake. With k = 0, L_real = 0.2 and"
            " L_fake = 0.1 M is {expected}; you say {got}.",
            _next(0.0, 0.2, 0.1, pick=1, gives=0.2),
        ),
        Mistake(
            "size of the gap",
            _thermostat(gap=lambda real, fake, gamma: abs(gamma * real - fake)),
            "Your k can only rise: the gap has lost its sign. From k = 0.5 with L_real = 0.3, "
            "L_fake = 0.6, γ = ½ and λ = 0.1 it becomes {expected:.3f}; you say {got:.3f}.",
            _next(0.5, 0.3, 0.6, 0.5, 0.1, gives=0.545),
        ),
        Mistake(
            "k stretched",
            _thermostat(step=lambda k, rate, gap: k * (1 + rate * gap)),
            "You stretch k, and a k of 0 stays 0 for ever. With L_real = 0.2, L_fake = 0.1, λ = "
            "0.1 it should rise from 0 to {expected}; yours is {got}.",
            _next(0.0, 0.2, 0.1, 0.75, 0.1, gives=0.0),
        ),
        Mistake(
            "M from the fakes",
            lambda k, real_error, fake_error, *options: (
                began_update(k, real_error, fake_error, *options)[0],
                began_update(k, real_error, fake_error, *options)[1]
                - real_error.item()
                + fake_error.item(),
            ),
            "Your k is right, your M begins with the fakes' error; it begins with L_real. With "
            "L_real = 0.2 and L_fake = 0.1 M is {expected}; you say {got}.",
            _next(0.0, 0.2, 0.1, pick=1, gives=0.15),
        ),
        Mistake(
            "M with the squared gap",
            _thermostat(measure=lambda real, fake, gap: real + gap * gap),
            "Your k is right, your M is not: you square the gap where its size is asked. With "
            "L_real = 0.2 and L_fake = 0.1 M is {expected}; you say {got:.4f}.",
            _next(0.0, 0.2, 0.1, pick=1, gives=0.2025),
        ),
        Mistake(
            "tensors",
            _as_tensors,
            "Both values are right, and both are tensors of one number. Plain numbers are asked, "
            "which a table, a file or a plot takes as they are.",
        ),
    ),
    probes=(
        _balance("k = 0, L_real = 0.2, L_fake = 0.1", 0.0, 0.2, 0.1),
        _balance("k = ½, L_real = 0.3, L_fake = 0.6, γ = ½, λ = 0.1", 0.5, 0.3, 0.6, 0.5, 0.1),
        _balance("k = 0.99, L_real = 2, L_fake = 0.1, λ = ½", 0.99, 2.0, 0.1, 0.75, 0.5),
        _balance("k = 0.01, L_real = 0.1, L_fake = 1, λ = 0.1", 0.01, 0.1, 1.0, 0.75, 0.1),
        _balance("k = ½, in balance: L_real = 0.2, L_fake = 0.15", 0.5, 0.2, 0.15),
        _balance(
            "k = ½, L_real = 200, L_fake = 120, γ = 0.4, λ = 0.002", 0.5, 200.0, 120.0, 0.4, 0.002
        ),
    ),
)


# --- clip_weights ---------------------------------------------------------------------------------


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float) -> None:
    """Puts every weight of `module` into [−limit, limit], in place."""
    for parameter in module.parameters():
        parameter.clamp_(-limit, limit)


class _Shift(nn.Module):
    """A layer whose weights have a name of their own."""

    def __init__(self, width: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.shift


def _network() -> nn.Module:
    inner = nn.Sequential(nn.ReLU(), nn.Linear(8, 3, bias=False))
    return _filled(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), inner, nn.Linear(3, 2)))


def _shifting() -> nn.Module:
    return _filled(nn.Sequential(nn.Linear(3, 4), _Shift(4)))


def _half_frozen() -> nn.Module:
    layer = _filled(nn.Linear(3, 4))
    layer.bias.requires_grad_(False).grad = None
    return layer


def _channels_last() -> nn.Module:
    return _filled(nn.Conv2d(3, 4, 2)).to(memory_format=torch.channels_last)


def _filled(net: nn.Module) -> nn.Module:
    """With weights and gradients that are the same on every run."""
    with torch.no_grad():
        for seed, value in enumerate(net.state_dict().values()):
            if value.is_floating_point():
                value.copy_(normal(*value.shape, seed=seed) * 0.7)
    for seed, parameter in enumerate(net.parameters()):
        parameter.grad = normal(*parameter.shape, seed=50 + seed)
    return net


def _clipped(label: str, limit: float, make: Callable[[], nn.Module] = _network) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        net = make()
        before = list(net.parameters())
        learning = [p.requires_grad for p in before]
        candidate(net, limit)
        after = list(net.parameters())
        averages = [b for b in net.buffers() if b.is_floating_point()]
        gradients = [p.grad.flatten() for p in before if p.grad is not None]
        return {
            "weights and biases": torch.cat([p.detach().flatten() for p in after]),
            "BatchNorm's running averages": torch.cat([torch.zeros(0), *averages]),
            "the optimiser still knows the weights": all(
                a is b for a, b in zip(before, after, strict=True)
            ),
            "weights can learn": all(
                p.requires_grad for p, did in zip(after, learning, strict=True) if did
            ),
            "gradients": torch.cat([torch.zeros(0), *gradients]),
        }

    explain = {
        "BatchNorm's running averages": "BatchNorm's running averages are state, no weights.",
        "the optimiser still knows the weights": "Your network has new weights; the optimiser "
        "goes on moving the old ones.",
        "weights can learn": "Afterwards some weights ask for no gradient any more.",
        "gradients": "The gradients have changed, too.",
    }
    return Probe(label, observe, explain=explain)


@torch.no_grad()
def _each_weight(module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    for parameter in module.parameters():
        parameter.copy_(change(parameter))


def _clip_wrong(change: Callable[[Tensor, float], Tensor]) -> Callable:
    return lambda module, limit: _each_weight(module, lambda w: change(w, limit))


@torch.no_grad()
def _clip_named(module: nn.Module, limit: float) -> None:
    for name, parameter in module.named_parameters():
        if name.endswith("weight"):
            parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_usual_names(module: nn.Module, limit: float) -> None:
    for name, parameter in module.named_parameters():
        if name.endswith(("weight", "bias")):
            parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_learning(module: nn.Module, limit: float) -> None:
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_biases(module: nn.Module, limit: float) -> None:
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_state(module: nn.Module, limit: float) -> None:
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.clamp_(-limit, limit)


@torch.no_grad()
def _clip_top_level(module: nn.Module, limit: float) -> None:
    for layer in module.children():
        for parameter in layer.parameters(recurse=False):
            parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_top_weights(module: nn.Module, limit: float) -> None:
    for layer in module.children():
        if hasattr(layer, "weight"):
            layer.weight.clamp_(-limit, limit)


@torch.no_grad()
def _clip_matrices(module: nn.Module, limit: float) -> None:
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_first(module: nn.Module, limit: float) -> None:
    next(module.parameters()).clamp_(-limit, limit)


@torch.no_grad()
def _clip_layers(module: nn.Module, limit: float) -> None:
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            for parameter in layer.parameters():
                parameter.clamp_(-limit, limit)


def _clip_copies(module: nn.Module, limit: float) -> None:
    for parameter in module.parameters():
        parameter = parameter.clamp(-limit, limit)


def _clip_with_history(module: nn.Module, limit: float) -> None:
    for parameter in module.parameters():
        parameter.clamp_(-limit, limit)


@torch.no_grad()
def _clip_replaced(module: nn.Module, limit: float) -> None:
    for layer in module.modules():
        for name, parameter in list(layer.named_parameters(recurse=False)):
            new = nn.Parameter(parameter.clamp(-limit, limit))
            new.grad = parameter.grad
            setattr(layer, name, new)


@torch.no_grad()
def _clip_by_norm(module: nn.Module, limit: float) -> None:
    for parameter in module.parameters():
        parameter.mul_(min(1.0, limit / parameter.norm().item()))


def _clip_gradients(module: nn.Module, limit: float) -> None:
    nn.utils.clip_grad_value_(module.parameters(), limit)


def _clip_gradient_norm(module: nn.Module, limit: float) -> None:
    nn.utils.clip_grad_norm_(module.parameters(), limit)


def _held(weights: float | tuple, limit: float, pick: int = 0, *, gives: float) -> Example:
    """What becomes of a layer's weights, or of one of them."""

    def observe(candidate: Callable) -> dict[str, Any]:
        layer = nn.Linear(2, 1, bias=False)
        layer.weight.data[:] = torch.tensor(weights)
        candidate(layer, limit)
        return {"result": layer.weight[0, pick].item()}

    return Example(Probe("an example", observe, 1e-3, 1e-6), gives)


CLIP_WEIGHTS = Exercise(
    id="losses.clip_weights",
    title="Clip the critic's weights",
    reference=clip_weights,
    hints=(
        "A weight of 0.3 with limit 0.01 should become 0.01, one of −0.3 should become −0.01, one "
        "of 0.004 should stay. Which function of torch does that, and which form of it changes "
        "the tensor that it is given?",
        "`module.parameters()` gives every weight of every layer, however deep. The change is no "
        "part of what is learned: tell torch not to record it, with `torch.no_grad()`.",
        "For each parameter `.clamp_(-limit, limit)`. The underscore is what changes it in place.",
    ),
    mistakes=(
        Mistake(
            "copies",
            _clip_copies,
            "Nothing has changed: 0.3 with limit 0.01 is still 0.3. Do you clip a copy of each "
            "weight and let it go? Or does your loop not come to the weights?",
            _held(0.3, 0.01, gives=0.3),
        ),
        Mistake(
            "recorded",
            _clip_with_history,
            "torch refuses: it would have to record your change as part of what is learned. A "
            "weight that asks for gradients may not be changed in place while torch takes notes.",
        ),
        Mistake(
            "gradients by value",
            _clip_gradients,
            "You clip the gradients. The weights are as large as before: 0.3 with limit 0.01 is "
            "still 0.3.",
        ),
        Mistake(
            "gradients by norm",
            _clip_gradient_norm,
            "You scale the gradients. The weights are as large as before: 0.3 with limit 0.01 is "
            "still 0.3.",
        ),
        Mistake(
            "above only",
            _clip_wrong(lambda w, c: w.clamp(max=c)),
            "Large negative weights stay: −0.3 with limit 0.01 should become {expected}; yours is "
            "{got}.",
            _held(-0.3, 0.01, gives=-0.3),
        ),
        Mistake(
            "below only",
            _clip_wrong(lambda w, c: w.clamp(min=-c)),
            "Large positive weights stay: 0.3 with limit 0.01 should become {expected}; yours is "
            "{got}.",
            _held(0.3, 0.01, gives=0.3),
        ),
        Mistake(
            "negative weights cut off",
            _clip_wrong(lambda w, c: w.clamp(0, c)),
            "All negative weights become 0: −0.004 with limit 0.01 should stay; yours is {got}.",
            _held(-0.004, 0.01, gives=0.0),
        ),
        Mistake(
            "scaled down",
            _clip_wrong(lambda w, c: w * min(1.0, c / w.abs().max().item())),
            "You shrink a whole layer until its largest weight fits. Weights 0.3 and 0.004 with "
            "limit 0.01 should become 0.01 and 0.004; your second is {got:.5f}.",
            _held((0.3, 0.004), 0.01, pick=1, gives=0.000133),
        ),
        Mistake(
            "norm held",
            _clip_by_norm,
            "You hold the norm of each layer at the limit, not each weight. Weights 0.008 and "
            "0.008 with limit 0.01 should stay; yours become {got:.3f}.",
            _held((0.008, 0.008), 0.01, gives=0.00707),
        ),
        Mistake(
            "signs only",
            _clip_wrong(lambda w, c: w.sign() * c),
            "All weights have the size of the limit: 0.004 with limit 0.01 should stay; yours is "
            "{got}.",
            _held(0.004, 0.01, gives=0.01),
        ),
        Mistake(
            "bent",
            _clip_wrong(lambda w, c: c * (w / c).tanh()),
            "Weights inside the limits move too: 0.008 with limit 0.01 should stay; yours becomes "
            "{got:.4f}.",
            _held(0.008, 0.01, gives=0.00664),
        ),
        Mistake(
            "large weights removed",
            _clip_wrong(lambda w, c: torch.where(w.abs() > c, torch.zeros_like(w), w)),
            "Weights beyond the limits become 0: 0.3 with limit 0.01 should become {expected}; "
            "yours is {got}.",
            _held(0.3, 0.01, gives=0.0),
        ),
        Mistake(
            "biases left out",
            _clip_named,
            "Biases stay as they are. Every weight is to be clipped, those that are added too.",
        ),
        Mistake(
            "biases alone",
            _clip_biases,
            "Only biases are clipped; the weights proper stay as they are.",
        ),
        Mistake(
            "outer layers only",
            _clip_top_level,
            "Layers inside other layers stay as they are: a Linear in a Sequential in a Sequential "
            "keeps its weight of 0.3.",
        ),
        Mistake(
            "BatchNorm left out",
            _clip_layers,
            "You know Linear and Conv2d only. BatchNorm has weights and biases too, and they stay "
            "as they are.",
        ),
        Mistake(
            "running averages too",
            _clip_state,
            "You clip what is no weight: BatchNorm's running variance becomes 0.01, and in "
            "evaluation it divides by its root, 0.1.",
        ),
        Mistake(
            "new weights",
            _clip_replaced,
            "The network has new weights, and the optimiser goes on moving the old ones: from now "
            "on nothing is learned.",
        ),
        Mistake(
            "0.01 always",
            _clip_wrong(lambda w, c: w.clamp(-0.01, 0.01)),
            "You never look at `limit`: with limit ½ a weight of 0.3 should stay; yours becomes "
            "{got}.",
            _held(0.3, 0.5, gives=0.01),
        ),
        Mistake(
            "sizes",
            _clip_wrong(lambda w, c: w.abs().clamp(max=c)),
            "The signs are lost: −0.3 with limit 0.01 should become −0.01; yours becomes {got}.",
            _held(-0.3, 0.01, gives=0.01),
        ),
        Mistake(
            "layers of the top, weights only",
            _clip_top_weights,
            "Only the weights of outer layers are clipped: biases, and layers inside other "
            "layers, stay as they are.",
        ),
        Mistake(
            "matrices alone",
            _clip_matrices,
            "You clip what has two axes or more. Biases, and the weights of BatchNorm, have one, "
            "and stay as they are.",
        ),
        Mistake(
            "first layer only",
            _clip_first,
            "Only the first weight is clipped; all that follow stay as they are. Does something "
            "end the loop?",
        ),
        Mistake(
            "scaled by the limit",
            _clip_wrong(lambda w, c: w * c),
            "You multiply every weight by the limit: 0.004 with limit 0.01 should stay; yours "
            "becomes {got:.5f}.",
            _held(0.004, 0.01, gives=4e-5),
        ),
        Mistake(
            "by their names",
            _clip_usual_names,
            "What is called neither `weight` nor `bias` stays as it is. A network may give its "
            "parameters any name, and the critic grows steep through the one that was left out.",
        ),
        Mistake(
            "frozen weights left out",
            _clip_learning,
            "Weights that ask for no gradient stay as they are: they do not learn, but they are as "
            "steep as before.",
        ),
    ),
    probes=(
        _clipped("limit ½", 0.5),
        _clipped("limit 0.01", 0.01),
        _clipped("limit 10", 10.0),
        _clipped("limit 0.1, a parameter named `shift`", 0.1, _shifting),
        _clipped("limit 0.1, a Linear layer by itself, its bias frozen", 0.1, _half_frozen),
        _clipped("limit 0.1, a convolution stored as channels_last", 0.1, _channels_last),
    ),
)


# --- frechet_distance -----------------------------------------------------------------------------


def frechet_distance(
    mean_a: Float[Tensor, " d"],
    cov_a: Float[Tensor, "d d"],
    mean_b: Float[Tensor, " d"],
    cov_b: Float[Tensor, "d d"],
) -> Float[Tensor, ""]:
    """‖μₐ − μᵦ‖² + tr(Σₐ) + tr(Σᵦ) − 2 tr((Σₐ Σᵦ)^½) of two Gaussians."""
    # the trace of a root is the sum of the roots of the eigenvalues, here real and ≥ 0
    eigenvalues = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0)  # but for rounding
    spreads = cov_a.trace() + cov_b.trace() - 2 * eigenvalues.sqrt().sum()
    return (mean_a - mean_b).square().sum() + spreads


def _root(cov: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _frechet_wrong(
    overlap: Callable[[Tensor, Tensor], Tensor] | None = None,
    means: Callable[[Tensor], Tensor] = lambda gap: gap.square().sum(),
    spreads: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda a, b, o: (
        a.trace() + b.trace() - 2 * o
    ),
    end: Callable[[Tensor], Tensor] = lambda distance: distance,
) -> Callable:
    """The distance with one part replaced."""
    overlap = overlap or _overlap

    def wrong(mean_a, cov_a, mean_b, cov_b):
        return end(means(mean_a - mean_b) + spreads(cov_a, cov_b, overlap(cov_a, cov_b)))

    return wrong


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.eigvals(a @ b).real.clamp(min=0).sqrt().sum()


def _gaussians(label: str, a: Tensor, b: Tensor) -> Probe:
    """Two Gaussians fitted to the rows of a and of b."""
    arguments = [part for x in (a.double(), b.double()) for part in (x.mean(0), x.T.cov())]
    return call(label, *arguments, rtol=1e-3, atol=1e-3)


def _line_of(mean_a: float, var_a: float, mean_b: float, var_b: float) -> Probe:
    arguments = [torch.tensor([mean_a]), torch.tensor([[var_a]])]
    arguments += [torch.tensor([mean_b]), torch.tensor([[var_b]])]
    label = f"one dimension: N({mean_a:g}, {var_a:g}) and N({mean_b:g}, {var_b:g})"
    return call(label, *(x.double() for x in arguments), rtol=1e-3, atol=1e-3)


_ACROSS = [
    torch.tensor(rows, dtype=torch.float64)
    for rows in ([1, 1], [[2, 1], [1, 2]], [1, 3], [[1, 0], [0, 4]])
]

_TURNED = [torch.zeros(2), torch.tensor([1.0, 4.0]).diag()]
_TURNED += [torch.zeros(2), torch.tensor([4.0, 1.0]).diag()]


def _apart(a: tuple[float, float], b: tuple[float, float], gives: float) -> Example:
    """Two Gaussians on a line, as (mean, variance)."""
    arguments = [torch.tensor([[x]]) if i % 2 else torch.tensor([x]) for i, x in enumerate(a + b)]
    return example(*arguments, gives=gives)


FRECHET_DISTANCE = Exercise(
    id="losses.frechet_distance",
    title="The Fréchet distance of two Gaussians",
    reference=frechet_distance,
    allows=("number",),
    hints=(
        "In one dimension it is (μₐ − μᵦ)² + (σₐ − σᵦ)². Expand the second square: which term has "
        "both σ in it, and what is σₐσᵦ in terms of the variances?",
        "Four terms: the squared length of the difference of the means, two traces, and minus "
        "twice the trace of the root of the product Σₐ Σᵦ. The root of a matrix is not the root "
        "of its entries. But the trace of a root is the sum of the roots of the eigenvalues.",
        "`torch.linalg.eigvals(cov_a @ cov_b)` gives complex numbers; those of a product of two "
        "covariances are real, but for rounding, and not negative: take `.real`, clamp at 0, take "
        "roots, add up.",
    ),
    mistakes=(
        Mistake(
            "roots of the entries",
            _frechet_wrong(lambda a, b: (a @ b).sqrt().diagonal().sum()),
            "You take the root of every entry. That is right for diagonal matrices only: [[2, 1], "
            "[1, 2]] has eigenvalues 1 and 3, so its root has trace 1 + 1.73 = 2.73, and it is "
            "{expected:.3f} from the identity; you say {got:.3f}.",
            example(
                torch.zeros(2),
                torch.tensor([[2.0, 1], [1, 2]]),
                torch.zeros(2),
                torch.eye(2),
                gives=0.343,
            ),
        ),
        Mistake(
            "entries multiplied",
            _frechet_wrong(lambda a, b: (a * b).sqrt().diagonal().sum()),
            "You multiply entry by entry. That is right for diagonal matrices only, and does not "
            "see how the dimensions hang together: [[1, 0.9], [0.9, 1]] and the identity are the "
            "same to you.",
        ),
        Mistake(
            "taken for symmetric",
            _frechet_wrong(lambda a, b: torch.linalg.eigvalsh(a @ b).clamp(min=0).sqrt().sum()),
            "`eigvalsh` is for symmetric matrices, and reads half of what it is given. The product "
            "of two covariances is not symmetric: [[2, 1], [1, 2]] times diag(1, 4) is "
            "[[2, 4], [1, 8]].",
        ),
        Mistake(
            "singular values",
            _frechet_wrong(lambda a, b: torch.linalg.svdvals(a @ b).sqrt().sum()),
            "You take singular values for eigenvalues. They agree where the product is symmetric; "
            "[[2, 4], [1, 8]] is not.",
        ),
        Mistake(
            "product of the roots",
            _frechet_wrong(lambda a, b: (_root(a) @ _root(b)).trace()),
            "√Σₐ √Σᵦ is √(Σₐ Σᵦ) only where the two commute. Two long ellipses that lie across "
            "each other come out further apart than they are.",
        ),
        Mistake(
            "root of the traces",
            _frechet_wrong(lambda a, b: (a.trace() * b.trace()).sqrt()),
            "You compare total variances. diag(1, 4) and diag(4, 1) are {expected} apart; you say "
            "{got}.",
            example(*_TURNED, gives=0.0),
        ),
        Mistake(
            "no root",
            _frechet_wrong(lambda a, b: (a @ b).trace()),
            "There is no root. Two equal Gaussians of variance 4 are {expected} apart; you say 4 + "
            "4 − 2 · 16 = {got}.",
            _apart((0.0, 4.0), (0.0, 4.0), gives=-24.0),
        ),
        Mistake(
            "complex",
            _frechet_wrong(lambda a, b: torch.linalg.eigvals(a @ b).sqrt().sum()),
            "You return a complex number. Its imaginary part is rounding dust, but nothing that "
            "compares two distances can use it.",
        ),
        Mistake(
            "factor 2 missing",
            _frechet_wrong(spreads=lambda a, b, o: a.trace() + b.trace() - o),
            "Two equal Gaussians of variance 1 are {expected} apart; you say {got}. Expand (σₐ − "
            "σᵦ)².",
            _apart((0.0, 1.0), (0.0, 1.0), gives=1.0),
        ),
        Mistake(
            "overlap added",
            _frechet_wrong(spreads=lambda a, b, o: a.trace() + b.trace() + 2 * o),
            "Two equal Gaussians of variance 1 are {expected} apart; you say {got}: the more they "
            "overlap, the further apart.",
            _apart((0.0, 1.0), (0.0, 1.0), gives=4.0),
        ),
        Mistake(
            "one trace",
            _frechet_wrong(spreads=lambda a, b, o: a.trace() - 2 * o),
            "Your distance is negative: two equal Gaussians of variance 1 are {expected} apart; "
            "you say {got}.",
            _apart((0.0, 1.0), (0.0, 1.0), gives=-1.0),
        ),
        Mistake(
            "difference of the covariances",
            _frechet_wrong(spreads=lambda a, b, o: (a - b).square().sum()),
            "You subtract covariances entry by entry. Variances 1 and 4 mean spreads 1 and 2, "
            "which are {expected} apart; you say {got}.",
            _apart((0.0, 1.0), (0.0, 4.0), gives=9.0),
        ),
        Mistake(
            "traces alone",
            _frechet_wrong(spreads=lambda a, b, o: (a.trace() - b.trace()).abs()),
            "You compare total variances. diag(1, 4) and diag(4, 1) are {expected} apart; you say "
            "{got}.",
            example(*_TURNED, gives=0.0),
        ),
        Mistake(
            "means not squared",
            _frechet_wrong(means=lambda gap: gap.norm()),
            "The distance of the means is not squared. Means 0 and 3 with equal spreads are "
            "{expected} apart; you say {got}.",
            _apart((0.0, 1.0), (3.0, 1.0), gives=3.0),
        ),
        Mistake(
            "mean over dimensions",
            _frechet_wrong(means=lambda gap: gap.square().mean()),
            "You average over dimensions. Shift by 3 along each of two axes: {expected}; you say "
            "{got}.",
            example(torch.zeros(2), torch.eye(2), torch.full((2,), 3.0), torch.eye(2), gives=9.0),
        ),
        Mistake(
            "means alone",
            _frechet_wrong(spreads=lambda a, b, o: 0 * o),
            "You compare means only. Variances 1 and 4 at the same mean are {expected} apart; you "
            "say {got}: a generator that makes the mean image would be perfect.",
            _apart((0.0, 1.0), (0.0, 4.0), gives=0.0),
        ),
        Mistake(
            "spreads alone",
            _frechet_wrong(means=lambda gap: 0 * gap.sum()),
            "You compare spreads only. Means 0 and 3 with equal spreads are {expected} apart; you "
            "say {got}.",
            _apart((0.0, 1.0), (3.0, 1.0), gives=0.0),
        ),
        Mistake(
            "root at the end",
            _frechet_wrong(end=lambda distance: distance.clamp(min=0).sqrt()),
            "You take the root at the end. By custom the number stays squared: means 0 and 3 with "
            "equal spreads are {expected} apart; you say {got}.",
            _apart((0.0, 1.0), (3.0, 1.0), gives=3.0),
        ),
        Mistake(
            "not clamped",
            _frechet_wrong(lambda a, b: torch.linalg.eigvals(a @ b).real.sqrt().sum()),
            "Your distance is nan where features have fewer dimensions than numbers: some "
            "eigenvalues should be 0 and come out as −1e-18, for rounding; the root of that is "
            "nan.",
        ),
        Mistake(
            "eigenvalues one by one",
            _frechet_wrong(
                lambda a, b: (
                    (torch.linalg.eigvalsh(a) * torch.linalg.eigvalsh(b)).clamp(min=0).sqrt().sum()
                )
            ),
            "You take the eigenvalues of each covariance and pair them by size. The root is that "
            "of the *product*: diag(1, 4) and diag(4, 1) are {expected} apart; you say {got}.",
            example(*_TURNED, gives=0.0),
        ),
        Mistake(
            "root of the trace",
            _frechet_wrong(lambda a, b: (a @ b).trace().sqrt()),
            "You take the root of the trace; asked is the trace of the root. Two equal Gaussians,"
            " with covariance the identity in two dimensions, are {expected} apart; you say 2 + 2"
            " − 2 · 1.41 = {got}.",
            example(torch.zeros(2), torch.eye(2), torch.zeros(2), torch.eye(2), gives=1.17),
        ),
        Mistake(
            "all entries",
            _frechet_wrong(spreads=lambda a, b, o: a.sum() + b.sum() - 2 * o),
            "You add up all entries of a covariance; a trace is the sum of its diagonal. [[2, 1], "
            "[1, 2]] has trace 4, and it is {expected:.3f} from the identity; you say {got:.3f}.",
            example(
                torch.zeros(2),
                torch.tensor([[2.0, 1], [1, 2]]),
                torch.zeros(2),
                torch.eye(2),
                gives=2.54,
            ),
        ),
        Mistake(
            "trace of a number",
            _frechet_wrong(spreads=lambda a, b, o: (a + b - 2 * o).trace()),
            "You subtract the traced root from every entry of the diagonal: once for each "
            "dimension. Asked is once.",
        ),
        Mistake(
            "absolute differences of the means",
            _frechet_wrong(means=lambda gap: gap.abs().sum()),
            "You add up absolute differences of the means; asked is the square of their distance. "
            "Shift by 3 along each of two axes: {expected}; you say {got}.",
            example(torch.zeros(2), torch.eye(2), torch.full((2,), 3.0), torch.eye(2), gives=6.0),
        ),
        Mistake(
            "determinants",
            _frechet_wrong(lambda a, b: (a.det() * b.det()).clamp(min=0).sqrt()),
            "You take determinants, which multiply the eigenvalues; a trace adds them up. Two "
            "equal Gaussians, with covariance the identity in two dimensions, are {expected} "
            "apart; you say {got}.",
            example(torch.zeros(2), torch.eye(2), torch.zeros(2), torch.eye(2), gives=2.0),
        ),
    ),
    probes=(
        _line_of(0.0, 1.0, 3.0, 1.0),
        _line_of(-4.0, 1.0, -4.0, 4.0),
        call(
            "[[2, 1], [1, 2]] and diag(1, 4), twice the same mean", *_ACROSS, rtol=1e-3, atol=1e-3
        ),
        _gaussians(
            "five dimensions, 40 points each",
            normal(40, 5, seed=61) @ normal(5, 5, seed=62),
            normal(40, 5, seed=63) + 0.5,
        ),
        _gaussians(
            "16 dimensions, but the points of each lie in a space of three",
            normal(40, 3, seed=64) @ normal(3, 16, seed=60),
            normal(40, 3, seed=65) @ normal(3, 16, seed=66),
        ),
        _gaussians("a set and itself", normal(30, 4, seed=67), normal(30, 4, seed=67)),
    ),
)


# --- precision_recall -----------------------------------------------------------------------------


def precision_recall(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3
) -> tuple[float, float]:
    """The share of fakes inside a ball of the real, and the share of the real inside one of fakes.

    The ball of a point reaches to its k-th nearest neighbour in its own set.
    """

    def radii(x: Tensor) -> Tensor:  # the nearest of all is the point itself
        return torch.cdist(x, x).kthvalue(k + 1, dim=1).values

    distances = torch.cdist(real, fake)  # (n, m)
    precision = (distances <= radii(real)[:, None]).any(0)  # (m,)
    recall = (distances <= radii(fake)[None]).any(1)  # (n,)
    return precision.double().mean().item(), recall.double().mean().item()


def _radii(x: Tensor, k: int) -> Tensor:
    return torch.cdist(x, x).kthvalue(min(k + 1, len(x)), dim=1).values


def _share(points: Tensor, support: Tensor, radii: Tensor) -> float:
    return (torch.cdist(points, support) <= radii).any(1).double().mean().item()


def _with_radii(radii: Callable[[Tensor, int], Tensor]) -> Callable:
    """Both shares, with another radius of the balls: radii(set, k)."""
    return lambda real, fake, k=3: (
        _share(fake, real, radii(real, k)),
        _share(real, fake, radii(fake, k)),
    )


def _with_share(share: Callable[[Tensor, Tensor, int], float]) -> Callable:
    """Both shares, counted otherwise: share(points, support, k)."""
    return lambda real, fake, k=3: (share(fake, real, k), share(real, fake, k))


def _own_balls(points: Tensor, support: Tensor, k: int) -> float:
    near = torch.cdist(points, support) <= _radii(points, k)[:, None]
    return near.any(1).double().mean().item()


def _ball_of_the_nearest(points: Tensor, support: Tensor, k: int) -> float:
    distances, index = torch.cdist(points, support).min(1)
    return (distances <= _radii(support, k)[index]).double().mean().item()


def _density(points: Tensor, support: Tensor, k: int) -> float:
    inside = torch.cdist(points, support) <= _radii(support, k)
    return (inside.double().sum(1) / k).mean().item()


def _all_pairs(points: Tensor, support: Tensor, k: int) -> float:
    return (torch.cdist(points, support) <= _radii(support, k)).double().mean().item()


def _in_every_ball(points: Tensor, support: Tensor, k: int) -> float:
    return (torch.cdist(points, support) <= _radii(support, k)).all(1).double().mean().item()


def _coverage(points: Tensor, support: Tensor, k: int) -> float:
    return (torch.cdist(points, support) <= _radii(support, k)).any(0).double().mean().item()


def _inside(points: Tensor, support: Tensor, k: int) -> float:
    return (torch.cdist(points, support) < _radii(support, k)).any(1).double().mean().item()


def _radii_of_others(x: Tensor, k: int) -> Tensor:
    distances = torch.cdist(x, x)
    return distances.masked_fill(distances == 0, torch.inf).kthvalue(min(k, len(x)), dim=1).values


def _across(support: Tensor, points: Tensor, k: int) -> Tensor:
    return torch.cdist(support, points).kthvalue(min(k, len(points)), dim=1).values


def _both_in_one(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    precision, recall = precision_recall(real, fake, k)
    return precision, 2 * precision * recall / max(precision + recall, 1e-9)


def _pooled(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    radii = _radii(torch.cat([real, fake]), k)
    return _share(fake, real, radii[: len(real)]), _share(real, fake, radii[len(real) :])


def _two_shares(label: str, real: Tensor, fake: Tensor, *k: int) -> Probe:
    return call(label, real, fake, *k, rtol=0, atol=1e-4)


def _on_a_line(*points: float) -> Tensor:
    return torch.tensor(points, dtype=torch.float32)[:, None]


def _cluster(n: int, x: float, seed: int) -> Tensor:
    return normal(n, 2, seed=seed) + torch.tensor([x, 0.0])


_TWO_MODES = torch.cat([_cluster(8, 0.0, 70), _cluster(8, 50.0, 71)])

_SHARES = (
    ("3 real and 2 fakes on a line, k = 1", _on_a_line(0, 1, 10), _on_a_line(1.9, 30), 1),
    ("fakes of one mode of two, k = 3", _TWO_MODES, _cluster(12, 0.0, 72), 3),
    ("fakes of two modes, where data have one, k = 3", _cluster(12, 0.0, 73), _TWO_MODES, 3),
    (
        "20 real and 14 fakes, k = 2",
        normal(20, 3, seed=74),
        1.5 * normal(14, 3, seed=75) + 0.6,
        2,
    ),
    ("the same points twice, k = 4", normal(9, 2, seed=76), normal(9, 2, seed=76), 4),
    (
        "on the border of a ball: real at 0, 1 and 4, fakes at −1 and −2, k = 1",
        _on_a_line(0, 1, 4),
        _on_a_line(-1, -2),
        1,
    ),
    (
        "points that are there twice, k = 1",
        _on_a_line(0, 0, 3, 3.5, 9),
        _on_a_line(0, 1, 1, 8),
        1,
    ),
    ("k left out, which means 3", normal(13, 2, seed=77), 2 * normal(12, 2, seed=78) + 1.5),
)


def _precise(first: tuple, second: tuple, k: int, pick: int = 0, *, gives: float) -> Example:
    """The precision, or recall, of points on a line."""
    sets = _on_a_line(*first), _on_a_line(*second)
    return example(*sets, k, pick=lambda shares: shares[pick], gives=gives)


PRECISION_RECALL = Exercise(
    id="losses.precision_recall",
    title="Precision and recall: are fakes among the real, and the real among the fakes?",
    reference=precision_recall,
    hints=(
        "Around every real point lies a ball. All balls together are where data live. Precision "
        "asks how many fakes are in there. Recall asks the same with the roles exchanged: which "
        "balls, and whose points are counted?",
        "`torch.cdist(x, x)` holds all distances within a set. A ball's radius is the k-th "
        "smallest of a row: but which number is the smallest of all in every row? A fake is inside "
        "if it is within the radius of any real point, each with its own radius.",
        "`.kthvalue(k + 1, dim=1).values` gives the radii. Compare `torch.cdist(real, fake)`, "
        "(n, m), with the radii of the real as a column, take `.any(0)` and the mean: that is "
        "precision.",
    ),
    mistakes=(
        Mistake(
            "swapped",
            lambda real, fake, k=3: precision_recall(fake, real, k),
            "Both numbers are right and stand in each other's place. A generator that drops one of "
            "two modes makes good images of the other: precision 1, recall ½. You say the reverse.",
        ),
        Mistake(
            "its own neighbour",
            _with_radii(lambda x, k: _radii(x, k - 1)),
            "Your nearest neighbour is the point itself, at distance 0. With k = 1 all balls have "
            "radius 0: of fakes at ½ and 1½ beside the real at 0, 1 and 10 the precision is "
            "{expected}; you say {got}.",
            _precise((0, 1, 10), (0.5, 1.5), 1, gives=0.0),
        ),
        Mistake(
            "one neighbour too far",
            _with_radii(lambda x, k: _radii(x, k + 1)),
            "Your balls reach one neighbour too far. Points at 0, 1 and 10 with k = 1: the ball of "
            "0 reaches to 1, and for fakes at −5 and −6 the precision is {expected}; you say "
            "{got}.",
            _precise((0, 1, 10), (-5, -6), 1, gives=1.0),
        ),
        Mistake(
            "the point's own ball",
            _with_share(_own_balls),
            "You draw the ball around the point that is asked about. A lonely fake far from all "
            "data has a huge ball, reaches a real point with it, and counts as good. The balls "
            "belong to the other set.",
        ),
        Mistake(
            "ball of the nearest",
            _with_share(_ball_of_the_nearest),
            "You look only into the ball of the nearest real point, which may be small. With data "
            "at 0, 2 and 2.05 and k = 1, a fake at 1.9 is outside the ball of 2, of radius 0.05, "
            "but inside that of 0, of radius 2.",
        ),
        Mistake(
            "one radius for all",
            _with_radii(lambda x, k: _radii(x, k).mean().expand(len(x))),
            "All your balls have the same radius. Each point has its own: small in a crowd, large "
            "where points are few.",
        ),
        Mistake(
            "the largest radius for all",
            _with_radii(lambda x, k: _radii(x, k).max().expand(len(x))),
            "All your balls are as large as the largest. One outlier among the data, and every "
            "fake is precise.",
        ),
        Mistake(
            "squared distances against radii",
            _with_share(
                lambda p, s, k: (
                    (torch.cdist(p, s).square() <= _radii(s, k)).any(1).double().mean().item()
                )
            ),
            "You compare squared distances with radii. A fake 2 away from a real point whose ball "
            "has radius 3 is inside: the precision is {expected}; you say {got}, for 4 > 3.",
            _precise((0, 3), (-2, -2), 1, gives=0.0),
        ),
        Mistake(
            "neighbours in both sets",
            _pooled,
            "You look for neighbours among real and fakes together. A good fake beside a real "
            "point makes that point's ball small: the better the fakes, the smaller the balls.",
        ),
        Mistake(
            "balls counted",
            _with_share(_density),
            "You count in how many balls a point lies. Asked is whether it lies in any. (What you "
            "have is called density, Naeem et al. 2020.)",
        ),
        Mistake(
            "share of pairs",
            _with_share(_all_pairs),
            "You count pairs. A fake in one of a hundred balls is inside; for you it counts 0.01.",
        ),
        Mistake(
            "in every ball",
            _with_share(_in_every_ball),
            "You ask whether a point lies in all balls at once. With two modes far apart nothing "
            "ever does.",
        ),
        Mistake(
            "balls that are hit",
            _with_share(_coverage),
            "You count the balls that hold a point, not the points that are in a ball. The real at "
            "0, 1, 50 and 51 and fakes at 0 and 1 alone have precision {expected} with k = 1; you "
            "say {got}.",
            _precise((0, 1, 50, 51), (0, 1), 1, gives=0.5),
        ),
        Mistake(
            "precision twice",
            lambda real, fake, k=3: (_share(fake, real, _radii(real, k)),) * 2,
            "Both your numbers ask for fakes among the real. The real at 0, 1, 50 and 51 and fakes "
            "at 0 and 1 alone have recall {expected} with k = 1; you say {got}.",
            _precise((0, 1, 50, 51), (0, 1), 1, pick=1, gives=1.0),
        ),
        Mistake(
            "recall twice",
            lambda real, fake, k=3: (_share(real, fake, _radii(fake, k)),) * 2,
            "Both your numbers ask for the real among the fakes. The real at 0, 1, 50 and 51 and "
            "fakes at 0 and 1 alone have precision {expected} with k = 1; you say {got}.",
            _precise((0, 1, 50, 51), (0, 1), 1, gives=0.5),
        ),
        Mistake(
            "errors",
            lambda real, fake, k=3: tuple(1 - s for s in precision_recall(real, fake, k)),
            "You count those outside. Two equal sets have precision {expected}; you say {got}.",
            _precise((0, 1, 2), (0, 1, 2), 1, gives=0.0),
        ),
        Mistake(
            "counts",
            lambda real, fake, k=3: (
                _share(fake, real, _radii(real, k)) * len(fake),
                _share(real, fake, _radii(fake, k)) * len(real),
            ),
            "You return how many there are; asked is their share. 3 of 3 is {expected}; you say "
            "{got}.",
            _precise((0, 1, 2), (0, 1, 2), 1, gives=3.0),
        ),
        Mistake(
            "divided by the other set",
            lambda real, fake, k=3: (
                _share(fake, real, _radii(real, k)) * len(fake) / len(real),
                _share(real, fake, _radii(fake, k)) * len(real) / len(fake),
            ),
            "You divide by the size of the other set. Of 2 fakes beside 3 real points one is "
            "inside, {expected}; you say {got:.2f}.",
            _precise((0, 1, 10), (1.9, 30), 1, gives=0.333),
        ),
        Mistake(
            "k always 3",
            lambda real, fake, k=3: _with_radii(_radii)(real, fake, 3),
            "You never look at k. Points at 0, 1 and 10 with k = 1: the ball of 0 reaches to 1.",
        ),
        Mistake(
            "border left out",
            _with_share(_inside),
            "A point on the border is inside: with the real at 0, 1 and 4 and k = 1 the ball of 0"
            " has radius 1, and a fake at −1 lies in it. Precision should be {expected}; you say "
            "{got}.",
            example(
                _on_a_line(0, 1, 4), _on_a_line(-1, -2), 1, pick=lambda shares: shares[0], gives=0.0
            ),
        ),
        Mistake(
            "copies left out",
            _with_radii(_radii_of_others),
            "You leave out neighbours at distance 0. Only the point itself is left out: a copy is"
            " a neighbour. With the real at 0, 0, 9 and 9.5 and k = 1 both balls at 0 have radius "
            "0, and of fakes at 0 and 2 the precision is {expected}; you say {got}.",
            example(
                _on_a_line(0, 0, 9, 9.5),
                _on_a_line(0, 2),
                1,
                pick=lambda shares: shares[0],
                gives=1.0,
            ),
        ),
        Mistake(
            "mean of the k distances",
            _with_radii(lambda x, k: torch.cdist(x, x).sort(1).values[:, 1 : k + 1].mean(1)),
            "Your radius is the mean distance of the k nearest; asked is the distance of the k-th. "
            "With the real at 0, 1, 2 and 6 and k = 3 the ball of 0 reaches to −6, and for fakes "
            "at −5 the precision is {expected}; you say {got}.",
            _precise((0, 1, 2, 6), (-5, -5, -5, -5), 3, gives=0.0),
        ),
        Mistake(
            "the median radius for all",
            _with_radii(lambda x, k: _radii(x, k).median().expand(len(x))),
            "All your balls have the same radius. Each point has its own: small in a crowd, large"
            " where points are few.",
        ),
        Mistake(
            "radii across",
            lambda real, fake, k=3: (
                _share(fake, real, _across(real, fake, k)),
                _share(real, fake, _across(fake, real, k)),
            ),
            "Your radius reaches to the k-th nearest point of the *other* set. It is measured "
            "among a point's own kind.",
        ),
        Mistake(
            "recall over the balls",
            lambda real, fake, k=3: (_share(fake, real, _radii(real, k)), _coverage(fake, real, k)),
            "Precision is right. Your recall counts the balls of the real that hold a fake; asked "
            "are the real inside a ball of the fakes. (What you have is called coverage, Naeem et "
            "al. 2020.)",
        ),
        Mistake(
            "density for precision",
            lambda real, fake, k=3: (_density(fake, real, k), _share(real, fake, _radii(fake, k))),
            "Recall is right. Your precision counts in how many balls a fake lies; asked is "
            "whether it lies in any. (What you have is called density, Naeem et al. 2020.)",
        ),
        Mistake(
            "both in one number",
            _both_in_one,
            "Precision is right. Your second number mixes it with recall; asked is recall alone.",
        ),
    ),
    probes=tuple(_two_shares(*row) for row in _SHARES),
)


# --- five published bugs, in this course's own words ----------------------------------------------
#
# Each `…_as_published` does what public code did, written anew; the exercise is to mend it.


def image_penalty_as_published(critic, points, weight=10.0):
    """WGAN-GP for images. Source: caogang/wgan-gp, issues 25, 27, 47 and 56; many copies."""
    points = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return weight * (slope.norm(dim=1) - 1).square().mean()


def image_penalty(
    critic: Callable[[Tensor], Tensor], points: Float[Tensor, "B ..."], weight: float = 10.0
) -> Float[Tensor, ""]:
    """λ E (‖∇D(x)‖₂ − 1)²: 0 where the critic's slope is 1 at every image."""
    points = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return weight * (slope.flatten(1).norm(dim=1) - 1).square().mean()


def batch_penalty_as_published(critic, points, weight=10.0):
    """WGAN-GP. Source: keras-team/keras-contrib, pull request 232."""
    points = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    length = slope.square().sum().sqrt()
    return weight * (1 - length).square()


def batch_penalty(
    critic: Callable[[Tensor], Tensor], points: Float[Tensor, "B ..."], weight: float = 10.0
) -> Float[Tensor, ""]:
    """λ E (1 − ‖∇D(x)‖₂)²: the same for a batch and for the batch given twice."""
    points = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    length = slope.flatten(1).square().sum(1).sqrt()  # (B,)
    return weight * (1 - length).square().mean()


def random_points_as_published(real, fake, generator):
    """WGAN-GP. Source: eriklindernoren/PyTorch-GAN, issue 5; others, too."""
    alpha = torch.rand(real.shape, generator=generator)
    return real + alpha * (fake - real)


def random_points(
    real: Float[Tensor, "B C H W"], fake: Float[Tensor, "B C H W"], generator: torch.Generator
) -> Float[Tensor, "B C H W"]:
    """A random point on the straight line from each real image to its fake."""
    alpha = torch.rand(len(real), 1, 1, 1, generator=generator)
    return real + alpha * (fake - real)


def least_squares_as_published(real_scores, fake_scores):
    """LSGAN, both players. Source: akanimax/pro_gan_pytorch, issue 13."""
    d_loss = (real_scores.mean() - 1) ** 2 + fake_scores.mean() ** 2
    g_loss = (fake_scores.mean() - 1) ** 2
    return d_loss, g_loss


def least_squares(
    real_scores: Float[Tensor, " B"], fake_scores: Float[Tensor, " B"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Both losses of least squares: 0 only where every single score is on its target."""
    d_loss = ((real_scores - 1) ** 2).mean() + (fake_scores**2).mean()
    g_loss = ((fake_scores - 1) ** 2).mean()
    return d_loss, g_loss


def shares_as_published(fake, real, k=3):
    """Precision and recall. Source: toshas/torch-fidelity, development version, issue 58."""
    distances = torch.cdist(fake, real)  # (m, n)
    fake_radii = torch.cdist(fake, fake).kthvalue(k + 1, dim=1).values
    real_radii = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    precision = (distances <= fake_radii[:, None]).any(0).double().mean()
    recall = (distances <= real_radii[None]).any(1).double().mean()
    return precision.item(), recall.item()


def shares(
    fake: Float[Tensor, "m d"], real: Float[Tensor, "n d"], k: int = 3
) -> tuple[float, float]:
    """Precision and recall: dropping a mode costs recall, rubbish costs precision."""
    distances = torch.cdist(fake, real)  # (m, n)
    fake_radii = torch.cdist(fake, fake).kthvalue(k + 1, dim=1).values
    real_radii = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    precision = (distances <= real_radii[None]).any(1).double().mean()
    recall = (distances <= fake_radii[:, None]).any(0).double().mean()
    return precision.item(), recall.item()


def _mended(size: Callable[[Tensor], Tensor], inside: bool = False) -> Callable:
    """The penalty with another attempt at the length of a slope, or its weight squared."""
    return lambda critic, points, weight=10.0: _penalty_of(size, weight ** (1 + inside))(
        critic, points
    )


_PENALTY_MISTAKES = (
    Mistake(
        "weight always 10",
        lambda critic, points, weight=10.0: image_penalty(critic, points),
        "You never look at `weight`: with weight 1 a slope of 3 should cost {expected}; you "
        "say {got}.",
        _steep(3.0, weight=1.0, gives=40.0),
    ),
    Mistake(
        "weight lost",
        lambda critic, points, weight=10.0: gradient_penalty(critic, points),
        "The slope is mended, and the weight λ is gone: a slope of 4 should cost 10 · 9 = "
        "{expected}; you say {got}.",
        _steep(4.0, gives=9.0),
    ),
    Mistake(
        "weight squared",
        _mended(lambda slope: _norms(slope), inside=True),
        "The weight λ stands inside the square: a slope of 4 should cost 10 · 3² = "
        "{expected}; you say (10 · 3)² = {got}.",
        _steep(4.0, gives=900.0),
    ),
    Mistake(
        "squared first",
        lambda critic, points, weight=10.0: weight * _squared_first(critic, points),
        "You squared the norm first: slope 2 should cost 10 · (2 − 1)² = {expected}; you say "
        "10 · (4 − 1)² = {got}.",
        _steep(2.0, gives=90.0),
    ),
    Mistake(
        "one-sided",
        lambda critic, points, weight=10.0: weight * _one_sided(critic, points),
        "Slopes below 1 go unpunished: slope ½ should cost 10 · ¼ = {expected}; you say {got}.",
        _steep(0.5, gives=0.0),
    ),
    Mistake(
        "not squared",
        lambda critic, points, weight=10.0: weight * _absolute(critic, points),
        "You do not square: slope 4 should cost 10 · 3² = {expected}; you say {got}.",
        _steep(4.0, gives=30.0),
    ),
    Mistake(
        "one row at a time",
        _mended(lambda slope: slope.norm(dim=-1)),
        "Your norm runs along the last axis only: each row of pixels is held at slope 1. Four"
        " pixels of slope 1 make a picture of slope 2, which should cost {expected}; you say "
        "{got:.2f}.",
        _steep(1.0, width=2, gives=1.72),
    ),
    Mistake(
        "rows and channels",
        _mended(
            lambda slope: slope.flatten(1, -2).norm(dim=1) if slope.ndim > 2 else _norms(slope)
        ),
        "Your norm leaves out the last axis: each column of pixels is held at slope 1. Four "
        "pixels of slope 1 make a picture of slope 2, which should cost {expected}; you say "
        "{got:.2f}.",
        _steep(1.0, width=2, gives=1.72),
    ),
    Mistake(
        "root of the mean square",
        _mended(lambda slope: slope.flatten(1).square().mean(1).sqrt()),
        "Your slope does not grow with the number of pixels. 4 pixels of slope 2 make a "
        "picture of slope 4, which should cost {expected}; you see 2 and say {got}.",
        _steep(2.0, width=2, gives=10.0),
    ),
    Mistake(
        "mean of the lengths",
        _mended(lambda slope: _norms(slope).mean()),
        "You average the lengths before you square. Slopes of 0 and 2 should cost {expected} on "
        "average; their mean is 1, and you say {got}.",
        _two_slopes(0.0, 2.0, gives=0.0),
    ),
    Mistake(
        "summed",
        lambda critic, points, weight=10.0: weight * _summed(critic, points),
        "You add up what the images cost. 4 images of slope 4 should cost {expected} on average; "
        "you say {got}, and twice the batch costs twice as much.",
        _steep(4.0, images=4, gives=360.0),
    ),
    Mistake(
        "one number an image",
        lambda critic, points, weight=10.0: weight * _each(critic, points),
        "Each image has its own length now; their mean is missing.",
    ),
    Mistake(
        "no graph",
        lambda critic, points, weight=10.0: weight * _without_graph(critic, points),
        "The number is right now, but nothing can learn from it: no gradient of your penalty "
        "reaches the critic's weights.",
    ),
)

BUG_PENALTY_OF_IMAGES = Exercise(
    id="losses.bug_penalty_of_images",
    title="Spot the bug: a penalty that lets slopes grow to 28",
    reference=image_penalty,
    allows=("requires_grad of `points`",),
    hints=(
        "Print the shape of every intermediate result for 4 images of 1 × 28 × 28. How many slopes "
        "should there be, and how many numbers are squared and averaged?",
        "The code was first written for images that came as rows, (B, 784). There it was right. "
        "What is axis 1 now?",
        "One norm an image, over all that is not the batch: flatten the slope from axis 1 on, as "
        "the rows were.",
    ),
    mistakes=(
        Mistake(
            "as published",
            image_penalty_as_published,
            "The bug is still there. A critic of slope 2 in each of 4 pixels has slope 4, and λ = "
            "10 makes it cost {expected}; you say {got}. One with slope 1 in each of 784 pixels "
            "has slope 28 and would cost nothing.",
            _steep(2.0, width=2, gives=10.0),
        ),
        Mistake(
            "height and width only",
            _mended(lambda slope: slope.flatten(2).norm(dim=2) if slope.ndim > 2 else slope.abs()),
            "Now you hold each channel at slope 1. Right for grey images, wrong for colour: three "
            "channels of slope 1 make a picture of slope 1.73.",
        ),
        Mistake(
            "one norm for everything",
            _mended(lambda slope: slope.norm()),
            "Now there is one norm for the whole batch. 4 images of slope 4 should cost "
            "{expected}; they have norm 8 together, and you say {got}.",
            _steep(4.0, images=4, gives=490.0),
        ),
        Mistake(
            "mean of the pixels' slopes",
            _mended(
                lambda slope: (
                    slope.norm(dim=1).flatten(1).mean(1) if slope.ndim > 2 else _norms(slope)
                )
            ),
            "You average the slopes of the pixels. 4 pixels of slope 2 make a picture of slope 4, "
            "which should cost {expected}; you see 2 and say {got}.",
            _steep(2.0, width=2, gives=10.0),
        ),
        Mistake(
            "sum of the pixels' slopes",
            _mended(
                lambda slope: (
                    slope.norm(dim=1).flatten(1).sum(1) if slope.ndim > 2 else _norms(slope)
                )
            ),
            "You add up the slopes of the pixels. 4 pixels of slope 2 make a picture of slope √(4 "
            "+ 4 + 4 + 4) = 4, which should cost {expected}; you see 8 and say {got}.",
            _steep(2.0, width=2, gives=490.0),
        ),
        Mistake(
            "each channel, but not points of the plane",
            _mended(
                lambda slope: slope.flatten(2).norm(dim=2) if slope.ndim > 2 else _norms(slope)
            ),
            "Now you hold each channel at slope 1. Right for grey images, wrong for colour: three "
            "channels of slope 1 make a picture of slope 1.73.",
        ),
        *_PENALTY_MISTAKES,
    ),
    probes=_penalty_probes(weight=(3.0, 0.5)),
)


BUG_PENALTY_OF_BATCHES = Exercise(
    id="losses.bug_penalty_of_batches",
    title="Spot the bug: a penalty that depends on the size of the batch",
    reference=batch_penalty,
    allows=("requires_grad of `points`",),
    hints=(
        "Give the function a batch, and then the same batch twice over. An average over images may "
        "not change. Where does the second copy enter?",
        "How many slopes should there be for 4 images, and how many are there? `sum()` without an "
        "axis adds up everything.",
        "Sum the squares of each image on its own, so that (B,) lengths come out, and take the "
        "mean last, over what each image costs.",
    ),
    mistakes=(
        Mistake(
            "as published",
            batch_penalty_as_published,
            "The bug is still there. 4 images of slope 4 should cost {expected}; you say {got}. "
            "And 64 images of slope 1/8 would cost nothing: the batch decides what a slope of 1 "
            "is.",
            _steep(4.0, images=4, gives=490.0),
        ),
        Mistake(
            "divided by the batch",
            _mended(lambda slope: slope.norm() / len(slope)),
            "Now the slope shrinks with the batch. 4 images of slope 4 should cost {expected}; "
            "together they have norm 8, a quarter of which is 2, and you say {got}.",
            _steep(4.0, images=4, gives=10.0),
        ),
        Mistake(
            "divided by the root of the batch",
            _mended(lambda slope: slope.norm() / len(slope) ** 0.5),
            "Right where all images have the same slope, and only there. Slopes of 0 and 2 should "
            "cost {expected} on average; you say {got:.2f}.",
            _two_slopes(0.0, 2.0, gives=1.72),
        ),
        Mistake(
            "mean of the slopes",
            _mended(lambda slope: slope.mean(0).norm()),
            "You average the gradients themselves: slopes of 5 to the left and 5 to the right make "
            "0. And a batch may hold both.",
        ),
        Mistake(
            "along the batch",
            _mended(lambda slope: slope.norm(dim=0)),
            "You sum along the batch: one number a pixel, not one an image.",
        ),
        Mistake(
            "over channels",
            _mended(lambda slope: slope.norm(dim=1)),
            "Right for points of the plane, wrong for images: there axis 1 holds the channels, and "
            "you hold each pixel at slope 1. 4 pixels of slope 2 make a picture of slope 4, which "
            "should cost {expected}; you say {got}.",
            _steep(2.0, width=2, gives=10.0),
        ),
        Mistake(
            "of the mean score",
            lambda critic, points, weight=10.0: weight * _of_the_mean_score(critic, points),
            "Your slopes are too small by the size of the batch. 4 images of slope 4 should cost "
            "{expected}; you see slope 1 and say {got}.",
            _steep(4.0, images=4, gives=0.0),
        ),
        Mistake(
            "sum of absolute slopes",
            _mended(lambda slope: slope.flatten(1).abs().sum(1)),
            "You add up absolute slopes. 4 pixels of slope 2 make a picture of slope √16 = 4, "
            "which should cost {expected}; you see 8 and say {got}.",
            _steep(2.0, width=2, gives=490.0),
        ),
        *_PENALTY_MISTAKES,
    ),
    probes=(
        *_penalty_probes(weight=(3.0, 0.5)),
        _penalty(
            "one image three times and another once, a curved critic",
            lambda: _Curved(4, 11),
            normal(2, 1, 2, 2, seed=12)[[0, 0, 0, 1]],
        ),
    ),
)


def _on_the_line(label: str, shape: tuple[int, ...], sign: float, atol: float) -> Probe:
    """Which share of the way the pixels have gone, from sign · 2 to −sign · 2."""
    real, fake = sign * (2 + uniform(*shape, seed=80)), -sign * (2 + uniform(*shape, seed=81))

    def observe(candidate: Callable) -> dict[str, Any]:
        first = seeded(89)
        points, second, again, other = (
            candidate(real.clone(), fake.clone(), generator)
            for generator in (first, first, seeded(89), seeded(90))
        )
        if not isinstance(points, Tensor) or points.shape != shape:
            return {"points": points}
        alpha = ((points - real) / (fake - real)).flatten(1)  # (B, pixels)
        images = alpha.mean(1)
        seen = {
            "each point lies on its line": bool((alpha - images[:, None]).abs().max() < 1e-3),
            "shares lie between 0 and 1": bool(alpha.min() > -1e-3 and alpha.max() < 1 + 1e-3),
            "the same seed gives the same points": torch.equal(points, again),
            "another seed gives other points": not torch.equal(points, other),
            "a second batch gets other points": not torch.equal(points, second),
        }
        if shape[0] > 1:
            both = torch.stack([torch.arange(len(images)).to(images), images])
            seen["shares follow the order of the batch"] = bool(both.corrcoef()[0, 1].abs() > 0.5)
            seen["images differ in their share of the way"] = bool(images.std() > 1e-3)
            seen |= {"mean share of the way": images.mean(), "spread of the shares": images.std()}
        return seen

    explain = {
        "each point lies on its line": "Some points are not on the straight line between their two "
        "images: their pixels have gone different shares of the way.",
        "shares lie between 0 and 1": "Some points lie beyond one of the two images.",
        "the same seed gives the same points": "Two generators of the same seed give different "
        "points: is the given one used?",
        "another seed gives other points": "Generators of different seeds give the same points: is "
        "the given one used?",
        "a second batch gets other points": "Two batches, one after the other with the same "
        "generator, go the same shares of the way.",
        "shares follow the order of the batch": "For each pair all shares from 0 to 1 should be "
        "equally likely. Yours follow the pair's place in the batch: the first pairs stay at one "
        "end of the way, the last ones at the other.",
        "images differ in their share of the way": "All images have gone the same share of the "
        "way.",
        "mean share of the way": "The shares of the way are not all equally likely between 0 and "
        "1: their mean is not ½.",
        "spread of the shares": "The shares of the way are not all equally likely between 0 and "
        "1: they lie too close together, or too far apart.",
    }
    return Probe(label, observe, rtol=0, atol=atol, explain=explain)


def _at(alpha: Callable[[Tensor, torch.Generator], Tensor]) -> Callable:
    """Points at other random shares of the way."""
    return lambda real, fake, generator: real + alpha(real, generator) * (fake - real)


BUG_POINTS_BETWEEN = Exercise(
    id="losses.bug_points_between",
    title="Spot the bug: points that are not between",
    reference=random_points,
    hints=(
        "Take a black image and a white one. A point on the straight line between them is an even "
        "grey. What does the code make?",
        "How many random numbers does a point on a line need? How many are drawn for 4 images of "
        "3 × 32 × 32?",
        "One number an image, in a shape that broadcasts over its pixels: (B, 1, 1, 1).",
    ),
    mistakes=(
        Mistake(
            "as published",
            random_points_as_published,
            "The bug is still there. Between a black and a white image your point is white noise: "
            "every pixel has gone its own share of the way. The mean of many such numbers is close "
            "to ½, so all your points lie in the middle of the way.",
        ),
        Mistake(
            "halfway",
            _at(lambda real, g: torch.full((len(real), 1, 1, 1), 0.5)),
            "All your points are halfway: the slope is held at one place of each line only.",
        ),
        Mistake(
            "one for the batch",
            _at(lambda real, g: torch.rand((), generator=g)),
            "All images have gone the same share of the way. Each pair should have a number of its "
            "own.",
        ),
        Mistake(
            "along the width",
            _at(lambda real, g: torch.rand(len(real), generator=g)),
            "Your numbers run along the width: torch lines shapes up from the right. Where there "
            "are as many columns as images, every image gets stripes; elsewhere an error.",
        ),
        Mistake(
            "one a channel",
            _at(lambda real, g: torch.rand(*real.shape[:2], 1, 1, generator=g)),
            "Each channel goes its own share of the way: between a black and a white image your "
            "point is coloured.",
        ),
        Mistake(
            "the same noise for all",
            _at(lambda real, g: torch.rand(1, *real.shape[1:], generator=g)),
            "Every pixel still goes its own share of the way, now the same in all images. The two "
            "axes are the wrong way round.",
        ),
        Mistake(
            "Gaussian",
            _at(lambda real, g: torch.randn(len(real), 1, 1, 1, generator=g)),
            "On the line, but not between: shares of the way below 0 and above 1 lie beyond the "
            "two images.",
        ),
        Mistake(
            "without the generator",
            _at(lambda real, g: torch.rand(len(real), 1, 1, 1)),
            "On the line, but nobody can repeat it: your random numbers do not come from the given "
            "generator.",
        ),
        Mistake(
            "half the way at most",
            _at(lambda real, g: torch.rand(len(real), 1, 1, 1, generator=g) / 2),
            "All your points lie in the first half of the way: none is nearer to the fake.",
        ),
        Mistake(
            "roots",
            _at(lambda real, g: torch.rand(len(real), 1, 1, 1, generator=g).sqrt()),
            "Your shares of the way are not all equally likely: most points lie near one end.",
        ),
        Mistake(
            "Gaussian, cut off",
            _at(lambda real, g: torch.randn(len(real), 1, 1, 1, generator=g).clamp(0, 1)),
            "Shares from a Gaussian, cut off at both ends: more than half of the points are the "
            "images themselves. `torch.rand` draws them evenly from [0, 1).",
        ),
        Mistake(
            "real image in full",
            lambda real, fake, generator: (
                real + torch.rand(len(real), 1, 1, 1, generator=generator) * fake
            ),
            "The real image never fades: at α = 1 stands the fake alone.",
        ),
        Mistake(
            "cut off",
            lambda real, fake, generator: random_points(real, fake, generator).clamp(-1, 1),
            "Your points are cut off, as if they were pictures: between 9 and 3 you reach {got} at "
            "most. They leave the line, and nothing asks for it.",
            example(
                torch.full((50, 1, 1, 1), 9.0),
                torch.full((50, 1, 1, 1), 3.0),
                seeded(3),
                pick=lambda points: points.max().item(),
                gives=1.0,
            ),
        ),
        Mistake(
            "a seed of its own",
            _at(lambda real, g: torch.rand(len(real), 1, 1, 1, generator=seeded(0))),
            "On the line, but always the same points: your random numbers come from a seed of "
            "your own, not from the given generator.",
        ),
        Mistake(
            "one a row",
            _at(lambda real, g: torch.rand(len(real), 1, real.shape[2], 1, generator=g)),
            "Each row of pixels goes its own share of the way: between a black and a white image "
            "your point has stripes.",
        ),
        Mistake(
            "the mean of many",
            _at(
                lambda real, g: (
                    torch.rand(real.shape, generator=g).flatten(1).mean(1).view(-1, 1, 1, 1)
                )
            ),
            "One share an image, but all of them lie near ½: the mean of many random numbers does. "
            "Each should be anywhere between 0 and 1.",
        ),
        Mistake(
            "one or the other",
            _at(lambda real, g: torch.rand(len(real), 1, 1, 1, generator=g).round()),
            "Your points are the images themselves, half of them real and half fake, and never "
            "between.",
        ),
        Mistake(
            "from −1 on",
            _at(lambda real, g: 2 * torch.rand(len(real), 1, 1, 1, generator=g) - 1),
            "The shares begin below 0: half of the points lie beyond the real image, away from "
            "the fake.",
        ),
        Mistake(
            "seeded anew",
            _at(
                lambda real, g: torch.rand(
                    len(real), 1, 1, 1, generator=g.manual_seed(g.initial_seed())
                )
            ),
            "You set the generator back to its seed: the second batch goes the same shares of the "
            "way as the first, and so does every batch of a training.",
        ),
        Mistake(
            "in order",
            _at(lambda real, g: torch.rand(len(real), generator=g).sort().values.view(-1, 1, 1, 1)),
            "Your shares rise from the first pair of the batch to the last: the first point always "
            "lies near its real image, the last one near its fake.",
        ),
    ),
    probes=(
        _on_the_line(
            "200 images of 1 × 3 × 200, as wide as there are images", (200, 1, 3, 200), -1, 0.15
        ),
        _on_the_line("1,000 images of 3 × 2 × 4", (1000, 3, 2, 4), 1, 0.05),
        _on_the_line("one image of 3 × 4 × 2", (1, 3, 4, 2), 1, 0.05),
    ),
)


def _mixed_up(data: int, fakes: int, g: int) -> Callable:
    """Least squares mended in some of its three terms (1), in others (0) as published."""

    def term(scores: Tensor, target: float, mended: int) -> Tensor:
        return (scores - target).square().mean() if mended else (scores.mean() - target).square()

    return lambda real, fake: (term(real, 1, data) + term(fake, 0, fakes), term(fake, 1, g))


_SCATTERED = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 1.0])


def _shown_g(gives: float) -> Example:
    """What G pays for a fake of score 1."""
    return example(torch.ones(1), torch.ones(1), pick=lambda losses: losses[1], gives=gives)


BUG_LEAST_SQUARES = Exercise(
    id="losses.bug_least_squares",
    title="Spot the bug: losses of 0 for scores that are all wrong",
    reference=least_squares,
    hints=(
        "Two real images have scores 0 and 2. Each misses its target by 1. What should the loss "
        "be, what is it, and what gradient does each score get?",
        "There are two operations, an average and a square. Does their order matter?",
        "Square each image's error, then average. In all three terms.",
    ),
    mistakes=(
        Mistake(
            "as published",
            least_squares_as_published,
            "The bug is still there. Real scores 0 and 2, fakes −1 and 1: every score misses by 1, "
            "D's loss should be {expected}; you say {got}. All images of a batch get the same "
            "gradient, right ones and wrong ones.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=0.0),
        ),
        Mistake(
            "G's left",
            _mixed_up(1, 1, 0),
            "D's loss is mended, G's is not: fakes of score 0 and 2 both miss 1 by 1, and G should "
            "pay {expected}; you say {got}.",
            example(*_SCATTERED[::-1], pick=lambda losses: losses[1], gives=0.0),
        ),
        Mistake(
            "D's left",
            _mixed_up(0, 0, 1),
            "G's loss is mended, D's is not: real scores 0 and 2 both miss 1 by 1, and D should "
            "pay 1 for them, {expected} with fakes of −1 and 1; you say {got}.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=0.0),
        ),
        Mistake(
            "fakes of D left",
            _mixed_up(1, 0, 1),
            "One term is left: fakes of score −1 and 1 both miss 0 by 1, and D should pay 1 for "
            "them, {expected} with data of 0 and 2; you say {got}.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=1.0),
        ),
        Mistake(
            "data of D left",
            _mixed_up(0, 1, 1),
            "One term is left: real scores of 0 and 2 both miss 1 by 1, and D should pay 1 for "
            "them, {expected} with fakes of −1 and 1; you say {got}.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=1.0),
        ),
        Mistake(
            "only the data's term",
            _mixed_up(1, 0, 0),
            "One of three terms is mended, that of the data. Fakes of score −1 and 1 both miss D's "
            "0 by 1: with data of 0 and 2 D should pay {expected}; you say {got}.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=1.0),
        ),
        Mistake(
            "only D's fakes",
            _mixed_up(0, 1, 0),
            "One of three terms is mended, that of D's fakes. Real scores of 0 and 2 both miss 1 "
            "by 1: with fakes of −1 and 1 D should pay {expected}; you say {got}.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=1.0),
        ),
        Mistake(
            "target outside the square",
            lambda real, fake: (
                real.square().mean() - 1 + fake.square().mean(),
                fake.square().mean() - 1,
            ),
            "You square the score, not its error. A real score of 0 and a fake of 0 should cost D "
            "{expected}; you say {got}.",
            example(torch.zeros(1), torch.zeros(1), pick=lambda losses: losses[0], gives=-1.0),
        ),
        Mistake(
            "summed",
            lambda real, fake: (
                (real - 1).square().sum() + fake.square().sum(),
                (fake - 1).square().sum(),
            ),
            "Errors are squared one by one now, but added up: twice the batch costs twice as much.",
        ),
        Mistake(
            "not averaged",
            lambda real, fake: ((real - 1).square() + fake.square(), (fake - 1).square()),
            "Errors are squared one by one now, and the mean is missing: you return a number for "
            "each image.",
        ),
        Mistake(
            "halved",
            lambda real, fake: tuple(loss / 2 for loss in least_squares(real, fake)),
            "Mended, and halved besides: real scores 0 and 2, fakes −1 and 1 should cost D "
            "{expected}; you say {got}. (The paper has the ½; nothing here asks for it.)",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=1.0),
        ),
        Mistake(
            "G as D's fakes",
            lambda real, fake: (least_squares(real, fake)[0], fake.square().mean()),
            "D's loss is right. G aims at 0, which D says of fakes: a fake of score 1 should cost"
            " G {expected}; you say {got}.",
            _shown_g(gives=1.0),
        ),
        Mistake(
            "fakes cut off in G's loss",
            lambda real, fake: (
                least_squares(real, fake)[0],
                least_squares(real, fake.detach())[1],
            ),
            "The values are right, but G's loss sends no gradient to the fakes' scores: G would "
            "hear nothing.",
        ),
        Mistake(
            "fakes cut off in D's loss",
            lambda real, fake: (
                least_squares(real, fake.detach())[0],
                least_squares(real, fake)[1],
            ),
            "The values are right, but D's loss sends no gradient to the fakes' scores: D would "
            "learn from data only. It is the fake *images* that are cut off, before D scores "
            "them, not the scores.",
        ),
        Mistake(
            "absolute errors",
            lambda real, fake: (
                (real - 1).abs().mean() + fake.abs().mean(),
                (fake - 1).abs().mean(),
            ),
            "Errors no longer cancel, but you do not square them: a real score of 3 and a fake of"
            " −2 should cost D 4 + 4 = {expected}; you say {got}.",
            example(
                torch.tensor([3.0]), torch.tensor([-2.0]), pick=lambda losses: losses[0], gives=4.0
            ),
        ),
        Mistake(
            "norms",
            lambda real, fake: ((real - 1).norm() + fake.norm(), (fake - 1).norm()),
            "Errors no longer cancel, but you take the length of all of them: a root of a sum. "
            "Asked is the mean of the squares.",
        ),
        Mistake(
            "roots",
            lambda real, fake: (
                (real - 1).square().mean().sqrt() + fake.square().mean().sqrt(),
                (fake - 1).square().mean().sqrt(),
            ),
            "Errors no longer cancel, but you take roots at the end: a real score of 3 and a fake "
            "of −2 should cost D 4 + 4 = {expected}; you say {got}.",
            example(
                torch.tensor([3.0]), torch.tensor([-2.0]), pick=lambda losses: losses[0], gives=4.0
            ),
        ),
        Mistake(
            "sizes of the means",
            lambda real, fake: (
                (real.mean() - 1).abs() + fake.mean().abs(),
                (fake.mean() - 1).abs(),
            ),
            "The mean still comes first, and errors cancel: real scores of 0 and 2, fakes of −1 "
            "and 1 should cost D {expected}; you say {got}.",
            example(*_SCATTERED, pick=lambda losses: losses[0], gives=0.0),
        ),
        Mistake(
            "D's targets swapped",
            lambda real, fake: (
                real.square().mean() + (fake - 1).square().mean(),
                (fake - 1).square().mean(),
            ),
            "Errors are squared one by one now, but D's targets have changed places: data of 1 and "
            "fakes of 0 should cost D {expected}; you say {got}.",
            example(torch.ones(1), torch.zeros(1), pick=lambda losses: losses[0], gives=2.0),
        ),
        Mistake(
            "G judged by the data",
            lambda real, fake: (least_squares(real, fake)[0], (real - 1).square().mean()),
            "D's loss is right. Yours for G looks at the data, which G did not make: with data of "
            "1 and a fake of 0 G should pay {expected}; you say {got}.",
            example(torch.ones(1), torch.zeros(1), pick=lambda losses: losses[1], gives=0.0),
        ),
    ),
    probes=(
        call("two images each: real 0 and 2, fakes −1 and 1", *_SCATTERED, grad=(0, 1)),
        call("four images each", *_FOUR, grad=(0, 1)),
        call("one image each", torch.tensor([3.0]), torch.tensor([-2.0]), grad=(0, 1)),
    ),
)


def _swapped_arguments(function: Callable) -> Callable:
    return lambda fake, real, k=3: function(real, fake, k)


BUG_PRECISION_RECALL = Exercise(
    id="losses.bug_precision_recall",
    title="Spot the bug: a generator that drops modes and gets full recall",
    reference=shares,
    hints=(
        "Half of the modes are missing among the fakes. Which of the two numbers must fall? Which "
        "one does?",
        "Follow one line: whose balls are meant by these radii, and whose points are left when "
        "`any` has removed an axis of (m, n)? Say in words what the mean then is a share of.",
        "Precision is a share of the m fakes: those inside a ball of the real. Each line has the "
        "right parts for the other name.",
    ),
    mistakes=(
        Mistake(
            "as published",
            shares_as_published,
            "The bug is still there. Fakes that cover one of two modes get precision ½ and recall "
            "1: as if half of them were rubbish and nothing were missing.",
        ),
        Mistake(
            "the other radii, the same axis",
            _swapped_arguments(_with_share(_coverage)),
            "You exchanged the radii and kept the axes. Your precision is now a share of the real: "
            "those whose ball holds a fake. The real at 0, 1, 50 and 51 and fakes at 0 and 1 alone "
            "have precision {expected} with k = 1; you say {got}.",
            _precise((0, 1), (0, 1, 50, 51), 1, gives=0.5),
        ),
        Mistake(
            "the other axis, the same radii",
            _swapped_arguments(_with_share(_own_balls)),
            "You exchanged the axes and kept the radii. Your precision now asks whether a fake's "
            "own ball holds a real point: a lonely fake has a huge ball.",
        ),
        Mistake(
            "precision twice",
            _swapped_arguments(lambda real, fake, k: (_share(fake, real, _radii(real, k)),) * 2),
            "Precision is mended, and recall now says the same. The real at 0, 1, 50 and 51 and "
            "fakes at 0 and 1 alone have recall {expected} with k = 1; you say {got}.",
            _precise((0, 1), (0, 1, 50, 51), 1, pick=1, gives=1.0),
        ),
        Mistake(
            "recall twice",
            _swapped_arguments(lambda real, fake, k: (_share(real, fake, _radii(fake, k)),) * 2),
            "Recall is mended, and precision now says the same. The real at 0, 1, 50 and 51 and "
            "fakes at 0 and 1 alone have precision {expected} with k = 1; you say {got}.",
            _precise((0, 1), (0, 1, 50, 51), 1, gives=0.5),
        ),
        Mistake(
            "its own neighbour",
            lambda fake, real, k=3: shares(fake, real, k - 1),
            "The names are right now, but you have changed k: a point is at distance 0 from "
            "itself, and with k = 1 all balls have radius 0.",
        ),
        Mistake(
            "border left out",
            _swapped_arguments(_with_share(_inside)),
            "The names are right now, but you have changed the comparison: a point on the border "
            "is inside.",
        ),
        Mistake(
            "in every ball",
            _swapped_arguments(_with_share(_in_every_ball)),
            "You ask whether a point lies in all balls at once: with two modes far apart nothing "
            "ever does. `any` was right.",
        ),
        Mistake(
            "share of pairs",
            _swapped_arguments(_with_share(_all_pairs)),
            "You count pairs: `any` is gone. A fake in one of a hundred balls is inside; for you "
            "it counts 0.01.",
        ),
        Mistake(
            "precision over the real",
            _swapped_arguments(
                lambda real, fake, k: (
                    _coverage(fake, real, k),
                    _share(real, fake, _radii(fake, k)),
                )
            ),
            "Recall is right. Your precision is a share of the real: those whose ball holds a "
            "fake. Asked is a share of the fakes.",
        ),
        Mistake(
            "recall over the fakes",
            _swapped_arguments(
                lambda real, fake, k: (
                    _share(fake, real, _radii(real, k)),
                    _coverage(real, fake, k),
                )
            ),
            "Precision is right. Your recall is a share of the fakes: those whose ball holds a "
            "real point. Asked is a share of the real.",
        ),
        Mistake(
            "k always 3",
            lambda fake, real, k=3: shares(fake, real, min(3, len(fake) - 1, len(real) - 1)),
            "The names are right now, but you never look at k.",
        ),
    ),
    probes=tuple(_two_shares(label, fake, real, *k) for label, real, fake, *k in _SHARES),
)


EXERCISES = (
    WASSERSTEIN_D,
    WASSERSTEIN_G,
    LEAST_SQUARES_D,
    LEAST_SQUARES_G,
    HINGE_D,
    GRADIENT_PENALTY,
    INTERPOLATE,
    DRAGAN_POINTS,
    BEGAN_UPDATE,
    CLIP_WEIGHTS,
    FRECHET_DISTANCE,
    PRECISION_RECALL,
    BUG_PENALTY_OF_IMAGES,
    BUG_PENALTY_OF_BATCHES,
    BUG_POINTS_BETWEEN,
    BUG_LEAST_SQUARES,
    BUG_PRECISION_RECALL,
)

QUESTIONS = (
    Question(
        "losses.pulled_back",
        "Least squares, target 1. D takes a fake for very real and gives it the score 5. What does "
        "G do with it?",
        {
            "it raises the score": "A critic's G would. Here the loss is (5 − 1)² = 16, and it "
            "grows with the score.",
            "nothing": "A fake of score 1 would be left alone. At 5 the slope of (s − 1)² is 8.",
            "it lowers the score": "The loss is (s − 1)²: its slope at 5 is 8, and a step downhill "
            "leads back to 1. G is asked to look like data, not better than data.",
        },
        "it lowers the score",
    ),
    Question(
        "losses.clipped_line",
        "A critic w · x with 784 weights, all clipped to ±0.01, is trained until nothing moves. "
        "How many of its weights sit exactly at −0.01 or 0.01?",
        {
            "almost all": "The critic's loss is linear in each weight: each one is pushed one way "
            "without end and stops at the clip. Only the sign is left of what it could have said.",
            "about half": "There is nothing that would hold a weight in between: the push on it "
            "never changes.",
            "only a few": "So it would be if the loss had a valley. It is a slope: each weight is "
            "pushed the same way, whatever the others do, until the clip stops it.",
        },
        "almost all",
    ),
    Question(
        "losses.pixel_slope",
        "A gradient penalty by mistake takes the norm of each pixel's slope, not of the picture's, "
        "on 28 × 28 grey pixels. It is 0 when every pixel has slope 1. How steep is the critic "
        "then, along the steepest direction?",
        None,
        28,
    ),
    Question(
        "losses.slow_thermostat",
        "BEGAN begins with k = 0 and λ = 0.001. Suppose the errors stay at L_real = 0.2 and L_fake "
        "= 0.1, with γ = 0.75. After how many steps is k = 1?",
        None,
        20_000,
    ),
    Question(
        "losses.floor",
        "Two samples of 1,000 points from one and the same Gaussian in 64 dimensions, covariance "
        "1. Their true Fréchet distance is 0. What is it as measured?",
        None,
        None,  # measured in the lecture: about 2.2
    ),
    Question(
        "losses.equal_psnr",
        "A face of 64 × 64 moved by one pixel: nobody sees a difference. How wide is the Gaussian "
        "blur (σ, in pixels) that has the same PSNR?",
        None,
        None,  # measured in the lecture: about 2.3 on peeps
    ),
    Question(
        "losses.created_equal",
        "The same data, generator and updates for every loss, five seeds each. Does the best loss "
        "beat the second best by more than the seeds of either differ among themselves?",
        {
            "yes": "Then a choice of loss would be worth more than luck.",
            "no": "Then one run of each loss ranks their seeds, not the losses.",
        },
        None,  # measured in the lecture
    ),
)
