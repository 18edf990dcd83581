"""The recipes of lecture 09, each for two steps."""

import pytest
import torch

from course_lib import data, pretrained
from course_lib.recipes import styles
from course_lib.styles import StyleDiscriminator, StyleGenerator


def card(folder, name: str) -> str:
    text = (folder / "weights" / f"{name}.md").read_text(encoding="utf-8")
    assert f"`python -m course_lib.recipes {name}`" in text and "Fréchet distance" in text
    assert list((folder / "runs" / name).glob("step-00000002-*.pt"))
    return text


@pytest.mark.everywhere
def test_the_faces_are_trained_measured_and_written(elsewhere, capsys):
    styles.style_peeps32(steps=(2, 1, 1, 1), n=20)
    told = (elsewhere / "weights" / "style_peeps32.md").read_text(encoding="utf-8")
    for number in (1, 2, 3, 4):
        assert list((elsewhere / "runs" / f"style_peeps32_{number}").glob("step-*.pt"))
    for fact in (
        "precision and recall",
        "of 47 heads",
        "of 5 skins",
        "plane in W",
        "other noise",
    ):
        assert fact in told, fact
    net = pretrained.load_weights("style_peeps32", StyleGenerator(channels=styles.WIDE, size=32))
    assert net.w_mean.abs().sum() > 0
    styles.style_peeps32(steps=(2, 1, 1, 1), n=20)  # goes on where the first ended
    assert "has all 2 steps already" in capsys.readouterr().err


def inclusive(**settings):
    torch.manual_seed(0)
    small = StyleGenerator(channels=(16, 8, 8), size=32)
    judge = StyleDiscriminator(channels=(8, 8, 16), size=32)
    return styles.InclusiveStep(small, judge, **settings)


def test_fakes_are_moved_towards_real_faces_in_the_rounds_that_are_told():
    x = data.load("peeps", "train", size=32)[:16].floats()
    step = inclusive(every=2, weight=1.0)
    step.g_step = lambda fake, labels=(): {"g_loss": fake.mean().detach()}  # only what is tested
    before = step.generator.const.clone()
    step(x)  # round 0
    moved = step.generator.const.clone()
    assert not torch.equal(before, moved)
    step.ema.update(), step(x)  # round 1
    assert torch.equal(moved, step.generator.const)
    torch.manual_seed(1)
    apart = step._apart(x[:4]).item()
    for _ in range(8):
        step.ema.update(), step(x)
    torch.manual_seed(1)
    assert step._apart(x[:4]).item() < apart


def test_g_waits_for_a_new_discriminator_and_then_rises():
    x = data.load("peeps", "train", size=32)[:16].floats()
    step = inclusive(alone=2)
    rates = []
    for _ in range(4):
        step(x), step.ema.update()
        rates.append(step.g_optimizer.param_groups[0]["lr"])
    assert rates[:3] == [0, 0, 0] and rates[3] == pytest.approx(step.rates[0] / 500)
    step.alone, step.ends = 0, step.ema.n + 700
    step(x)
    for optimizer, rate in zip((step.g_optimizer, step.d_optimizer), step.rates[:2], strict=True):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate / 10)


def test_faces_with_heads_that_samples_lack_come_more_often():
    faces = data.load("peeps", "train", size=32)

    class Same:  # a generator that only knows one face
        const = torch.zeros(1)

        def sample(self, n, generator):
            return faces[:1].floats().expand(n, -1, -1, -1)

    batches = styles.ByHead(faces, 500, "cpu", 0, Same())
    first, known = next(batches), faces.attributes["head"][0]
    assert first.shape == (500, 3, 32, 32)
    assert batches.weights[known] == 0.5
    assert (batches.weights[torch.arange(len(batches.weights)) != known] > 2.9).all()
    again = styles.ByHead(faces, 500, "cpu", 1, Same())
    again.load_state_dict(batches.state_dict())
    assert torch.equal(next(again), next(batches))


@pytest.mark.parametrize("kind", ["pixels", "fixed", "both"])
def test_each_of_three_judges_teaches_a_generator(elsewhere, kind):
    getattr(styles, f"style_peeps32_{kind}")(steps=2)
    told = card(elsewhere, f"style_peeps32_{kind}")
    assert ("D on pixels" in told) == (kind == "pixels")
    net = StyleGenerator(channels=styles.NARROW, size=32)
    pretrained.load_weights(f"style_peeps32_{kind}", net)


@pytest.mark.everywhere
def test_clothes_are_trained_by_class_and_counted_anew(elsewhere):
    styles.big_fashion32(steps=2, n=20)
    assert "standing statistics" in card(elsewhere, "big_fashion32")
    pretrained.load_weights("big_fashion32", styles.big_generator())
