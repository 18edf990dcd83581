"""The recipes of lecture 09, each for two steps."""

import pytest

from course_lib import pretrained
from course_lib.recipes import styles
from course_lib.styles import StyleGenerator


def card(folder, name: str) -> str:
    text = (folder / "weights" / f"{name}.md").read_text(encoding="utf-8")
    assert f"`python -m course_lib.recipes {name}`" in text and "Fréchet distance" in text
    assert list((folder / "runs" / name).glob("step-00000002-*.pt"))
    return text


def test_the_faces_are_trained_measured_and_written(elsewhere, capsys):
    styles.style_peeps32(steps=2, n=20)
    told = card(elsewhere, "style_peeps32")
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
    styles.style_peeps32(steps=2, n=20)  # a second time goes on where the first ended
    assert "has all 2 steps already" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pixels", "fixed", "both"])
def test_each_of_three_judges_teaches_a_generator(elsewhere, kind):
    getattr(styles, f"style_peeps32_{kind}")(steps=2)
    told = card(elsewhere, f"style_peeps32_{kind}")
    assert ("D on pixels" in told) == (kind == "pixels")
    net = StyleGenerator(channels=styles.NARROW, size=32)
    pretrained.load_weights(f"style_peeps32_{kind}", net)


def test_clothes_are_trained_by_class_and_counted_anew(elsewhere):
    styles.big_fashion32(steps=2, n=20)
    assert "standing statistics" in card(elsewhere, "big_fashion32")
    pretrained.load_weights("big_fashion32", styles.big_generator())
