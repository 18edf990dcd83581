import math

import pytest
import torch

from course_lib.contrastive import (
    ContrastiveStep,
    PictureTextModel,
    TextEncoder,
    contrastive_loss,
    real_words,
    shifted,
)
from course_lib.words import Captioned, people, tokeniser

from .helpers import assert_step_runs_on_meta


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


A, B = torch.tensor([[1.0, 0], [0, 1], [1, 1]]), torch.tensor([[2.0, 1], [0, 3], [1, 0]])


def small(**options):
    torch.manual_seed(0)
    return PictureTextModel(words=9, size=16, dim=8, width=16, depth=1, **options)


def some_text(n=4, length=24, seed=0):
    ids = torch.randint(2, 9, (n, length), generator=seeded(seed))
    ends = 3 + torch.arange(n)[:, None]
    at = torch.arange(length)
    return torch.where(at < ends, ids, torch.where(at == ends, 1, 0))


def test_the_loss_is_the_known_number_in_both_directions():
    # rows .91320582, columns .92483954, computed in float64
    assert contrastive_loss(A, B, 5.0).item() == pytest.approx(0.91902268, abs=1e-6)
    logits = 5 * torch.nn.functional.normalize(A, dim=1) @ torch.nn.functional.normalize(B, dim=1).T
    expected = torch.tensor([[4.47214, 0, 5], [2.23607, 5, 0], [4.74342, 3.53553, 3.53553]])
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n", [1, 3, 128])
def test_equal_vectors_cost_the_logarithm_of_their_number(n):
    assert contrastive_loss(torch.ones(n, 4), torch.ones(n, 4), 9.0).item() == pytest.approx(
        math.log(n), abs=1e-5
    )


def test_lengths_change_nothing_and_the_order_of_pairs_neither():
    loss = contrastive_loss(A, B, 3.0)
    torch.testing.assert_close(contrastive_loss(7 * A, B / 2, 3.0), loss)
    torch.testing.assert_close(contrastive_loss(A.flip(0), B.flip(0), 3.0), loss)
    torch.testing.assert_close(contrastive_loss(B, A, 3.0), loss)


def test_vectors_that_are_no_pairs_are_refused():
    for a, b in ((A, B[:2]), (A[0], B[0])):
        with pytest.raises(ValueError, match="(pictures|sentences) must be"):
            contrastive_loss(a, b, 1.0)


def test_padding_changes_no_word_and_no_sentence():
    reader, text = TextEncoder(9, 16, 2), some_text()
    with torch.no_grad():
        reader.word.weight[0] = 100.0  # padding's own vector
        before = reader(text), reader.pooled(text)
        reader.word.weight[0] = -3.0
        after = reader(text), reader.pooled(text)
    real = real_words(text)
    torch.testing.assert_close(before[0][real], after[0][real])
    torch.testing.assert_close(before[1], after[1])
    assert real.sum(1).tolist() == [4, 5, 6, 7]


def test_a_bag_of_words_has_no_order_and_a_transformer_has():
    text = some_text(1)
    turned = text.clone()
    turned[0, :3] = text[0, :3].flip(0)
    assert not torch.equal(text, turned)
    bag, layers = TextEncoder(9, 16, depth=0), TextEncoder(9, 16, depth=1)
    torch.testing.assert_close(bag.pooled(text), bag.pooled(turned))
    assert not torch.allclose(layers.pooled(text), layers.pooled(turned), atol=1e-4)


def test_a_sentence_is_the_mean_of_its_words_without_the_end():
    reader, text = TextEncoder(9, 16, depth=0), some_text(2)
    found = reader.pooled(text)
    torch.testing.assert_close(found[1], reader(text)[1, :4].mean(0))
    silent = torch.tensor([[1] + [0] * 23])
    assert torch.equal(reader.pooled(silent), torch.zeros(1, 16))


def test_both_sides_are_unit_vectors_of_one_space():
    net = small()
    a, b = net.see(draw(3, 3, 16, 16).tanh()), net.read(some_text(3))
    assert a.shape == b.shape == (3, 8)
    torch.testing.assert_close(a.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(b.norm(dim=1), torch.ones(3))
    assert net.maps(draw(2, 3, 16, 16)).shape == (2, 16, 8, 8)


def test_the_scale_begins_at_one_over_point_07_and_ends_at_100():
    net = small()
    assert net.scale.item() == pytest.approx(14.2857, abs=1e-3)
    with torch.no_grad():
        net.log_scale.fill_(9.0)
    assert net.scale.item() == pytest.approx(100)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: small().see(torch.zeros(1, 1, 16, 16)), r"x must be \(B, 3, 16, 16\)"),
        (
            lambda: small().read(torch.zeros(1, 25, dtype=int)),
            r"text must be \(B, 24\)",
        ),
        (lambda: small().read(torch.zeros(1, 24)), "text must be .*; got torch.float32"),
        (lambda: PictureTextModel(size=20), "size must divide by 8 and width by 16; got 20 and 48"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_pictures_move_by_up_to_a_pixel():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 1
    torch.manual_seed(0)
    places = {shifted(x).flatten().argmax().item() for _ in range(200)}
    assert places == {6, 7, 8, 11, 12, 13, 16, 17, 18}
    assert all(shifted(x).sum() == 1 for _ in range(20))
    edge = torch.arange(5.0).expand(1, 1, 5, 5)
    assert all(shifted(edge).min() >= 0 and shifted(edge).max() <= 4 for _ in range(20))


def test_a_model_learns_which_sentence_belongs_to_which_face():
    faces, facts = people("test")
    x, facts = faces.floats()[:64], facts[:64]
    torch.manual_seed(0)
    net = PictureTextModel(dim=32, width=32, depth=1)
    step = ContrastiveStep(net, lr=2e-3, steps=60)
    batches = Captioned(x, facts, 64, generator=seeded(), share=1.0)
    losses = [{name: loss.item() for name, loss in step(next(batches)).items()} for _ in range(60)]
    assert losses[0]["loss"] == pytest.approx(math.log(64), abs=1.5)
    assert losses[-1]["loss"] < 1.2 and losses[-1]["found"] > 0.6
    assert losses[0]["found"] < 0.2


def test_the_step_runs_on_any_device():
    batch = draw(4, 3, 16, 16).tanh(), some_text()
    assert_step_runs_on_meta(lambda: ContrastiveStep(small(), steps=9), lambda: batch)


def test_the_default_model_reads_the_sentences_about_faces():
    text = tokeniser().encode(["a happy person", "a sad face with a hat"])
    net = PictureTextModel()
    assert net.read(text).shape == (2, 64)
    assert sum(p.numel() for p in net.parameters()) < 500_000  # half a megabyte in 8 bits
