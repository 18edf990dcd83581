"""What answers an exercise, and that it can be taken away."""

import inspect
import os

import pytest
import torch

from course_lib.exercises import EXERCISES, engine
from course_lib.exercises.grading import answers
from tests.grading.notebooks import FIT, FORKS
from tests.test_exercises import VARIANTS


@pytest.fixture
def without(monkeypatch):
    """Takes away what answers an exercise, until the test is over."""

    def take(exercise_id):
        for function in answers.answers(EXERCISES[exercise_id]).values():
            monkeypatch.setattr(function, "__code__", function.__code__)
            monkeypatch.setattr(function, "__signature__", inspect.signature(function), False)
        for other_id, other in EXERCISES.items():  # some get a copy, whose reference is mended
            monkeypatch.setitem(EXERCISES, other_id, other)
        answers.take_away(EXERCISES[exercise_id])

    return take


def test_what_was_taken_away_only_raises_and_keeps_its_signature(without):
    reference = EXERCISES[FIT].reference
    before = inspect.signature(reference)
    without(FIT)
    with pytest.raises(answers.Gone, match="write this yourself"):
        reference(torch.randn(5, 2))
    assert inspect.signature(reference) == before


def test_every_answer_can_be_taken_away(without):
    for exercise in EXERCISES.values():
        without(exercise.id)
        for function in answers.answers(exercise).values():
            with pytest.raises(answers.Gone):
                function()


def test_what_has_a_closure_can_be_taken_away():
    def closed(x, y=1):
        return kept, x

    kept = 3
    answers.refuse(closed, answers.Gone)
    with pytest.raises(answers.Gone):
        closed(1)


# ---- in a process of its own ---------------------------------------------------------------------

MODULES = "from course_lib import auditing, autoencoders, data, density, diffusion, gan, gan_losses"
MODULES += ", metrics, pca, scaling, styles, translation, unet"
UNDER_ANOTHER_NAME = {
    "density.to_model_range": "data.imageset.to_float",
    "density.fit_gaussian": "metrics.fit_gaussian",
    "density.parzen_log_density": "lambda x, c, s: density._log_densities(x, c, [s])[0].to(x)",
    "vae.pca_components": "lambda x, k: pca.PCA(k).fit(x).components",
    "vae.condition": "translation.condition_on_class",
    "vae.slerp": "EXERCISES['gan.slerp'].reference",
    "gan.slerp": "autoencoders.slerp",
    "gan.discriminator_loss": "gan_losses.LOSSES['minimax'].d_loss",
    "losses.wasserstein_d": "gan_losses.LOSSES['wasserstein'].d_loss",
    "losses.wasserstein_g": "gan_losses.LOSSES['hinge'].g_loss",
    "losses.least_squares_g": "lambda s: EXERCISES['losses.bug_least_squares'].reference(s, s)[1]",
    "losses.gradient_penalty": "gan_losses.gradient_penalty",
    "losses.bug_penalty_of_batches": "EXERCISES['losses.bug_penalty_of_images'].reference",
    "losses.bug_precision_recall": "lambda f, r, k=3: metrics.precision_recall(r, f, k)",
    "cyclegan.linear_decay": "translation.linear_decay",
    "ddpm.q_sample": "lambda x, t, n, betas: diffusion.Diffusion(betas).q_sample(x, t, n)",
    "ddpm.posterior": "lambda x, xt, t, betas: diffusion.Diffusion(betas).posterior(x, xt, t)",
    "ddpm.guided_noise": "diffusion.guided_noise",
    "ddpm.timestep_embedding": "unet.timestep_embedding",
    "ethics.roc_auc": "auditing.roc_auc",
    "ethics.attribute_shares": "lambda a: auditing.attribute_shares(lambda x: x.flatten() > 0, "
    "a.view(-1, 1, 1, 1).float())",
    "styles.truncate": "lambda w, mean, psi: diffusion.guided_noise(w, mean.expand_as(w), psi)",
    "styles.self_attention": "lambda x, q, k, v: (lambda p: scaling.attend(q @ p, k @ p, v @ p)"
    "[0].view(len(x), -1, *x.shape[2:]))(x.flatten(2))",
}
ON_EARLIER_ONES = {
    "density.select_bandwidth": "lambda train, held, sigmas: (lambda scores: (float(list(sigmas)["
    "int(scores.argmax())]), scores))(torch.stack([density.parzen_log_density(held, train, "
    "float(s)).mean() for s in sigmas]))",
    "vae.condition": "lambda z, labels, n: torch.cat([z, autoencoders.one_hot(labels, n)], 1)",
    "cyclegan.patch_receptive_field": "lambda layers=3: __import__('course_lib.shapes').shapes."
    "receptive_field([(4, 2)] * layers + [(4, 1), (4, 1)])",
}


COURSES = {name for module in answers.modules() for name in (module.rpartition(".")[2], module)}
COURSES |= {"LOSSES", "EXERCISES", *(f"{name}_exercises" for name in COURSES)}


def accepted(exercise_id, source, taken):
    """Whether a function is correct, in a process in which the answers are gone or not."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            exercise, names = EXERCISES[exercise_id], {"EXERCISES": EXERCISES, "torch": torch}
            engine.blanks_of(exercise)  # what the reference does is looked at before
            if taken:
                answers.take_away(exercise)
            exec(MODULES, names)
            code = 0 if engine.accepts(exercise, eval(source, names)) else 1
        finally:
            os._exit(code)
    return {0: True, 1: False}[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]


@FORKS
@pytest.mark.parametrize("exercise_id", UNDER_ANOTHER_NAME)
def test_the_librarys_answer_is_gone_under_any_name(exercise_id):
    source = UNDER_ANOTHER_NAME[exercise_id]
    assert accepted(exercise_id, source, taken=False)
    assert not accepted(exercise_id, source, taken=True)


@FORKS
@pytest.mark.parametrize("exercise_id", ON_EARLIER_ONES)
def test_what_earlier_exercises_made_stays(exercise_id):
    assert accepted(exercise_id, ON_EARLIER_ONES[exercise_id], taken=True)


@pytest.mark.parametrize("exercise_id", UNDER_ANOTHER_NAME)
def test_a_check_says_where_the_courses_own_version_did_the_work(exercise_id):
    names = {"EXERCISES": EXERCISES, "torch": torch}
    exec(MODULES, names)
    function = eval(UNDER_ANOTHER_NAME[exercise_id], names)
    assert (
        "The course's own `"
        in engine.grade(exercise_id, lambda *args, **kwargs: function(*args, **kwargs)).message
    )


def test_a_check_says_it_of_private_helpers_and_of_references():
    names = {"EXERCISES": EXERCISES, "torch": torch}
    exec("from course_lib import gan_losses\nfrom course_lib.exercises import topics", names)
    ways = {
        "gan.discriminator_loss": ("gan_losses._log_d", "gan_losses._log_d"),
        "ddpm.q_sample": ("topics.ddpm.q_sample", "exercises.topics.ddpm.q_sample"),
    }
    for exercise_id, (way, name) in ways.items():
        candidate = eval(f"lambda *args: {way}(*args)", names)
        message = engine.grade(exercise_id, candidate).message
        assert (
            message == f"The course's own `{name}` did the work, which is gone when this is graded."
        )


@pytest.mark.parametrize("exercise_id", VARIANTS)
def test_it_says_nothing_of_what_an_answer_does_by_itself(exercise_id):
    """Of the variants those that name a module of the course may be its own answers."""
    for answer in VARIANTS[exercise_id]:
        code = inspect.unwrap(answer).__code__ if inspect.isfunction(answer) else None
        by_itself = code and "exercise_variants" in code.co_filename
        if by_itself and not COURSES & {*answers._names(code)}:
            assert "The course's own" not in engine.grade(exercise_id, answer).message


@pytest.mark.parametrize("exercise_id", ON_EARLIER_ONES)
def test_it_says_nothing_of_earlier_exercises(exercise_id):
    names = {"torch": torch}
    exec(MODULES, names)
    verdict = engine.grade(exercise_id, eval(ON_EARLIER_ONES[exercise_id], names))
    assert verdict.status == "correct" and "The course's own" not in verdict.message


def test_all_that_is_listed_is_there():
    for exercise_id, paths in answers.ALIKE.items():
        assert exercise_id in EXERCISES
        for path in paths.split():
            assert path[1:] in EXERCISES if path[0] == "=" else answers._found(path)
