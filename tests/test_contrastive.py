import math
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import contrastive
from course_lib.contrastive import (
    ContrastiveStep,
    PictureTextModel,
    TextEncoder,
    contrastive_loss,
    real_words,
    shifted,
)
from course_lib.words import LENGTH, Captioned, people, tokeniser
from tests.helpers import assert_normal

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


@pytest.fixture
def exact(monkeypatch):
    """Without bfloat16, as a formula is."""
    monkeypatch.setattr(contrastive.device, "choose", lambda: SimpleNamespace(autocast=nullcontext))


def test_vectors_of_words_and_places_are_drawn_from_a_narrow_normal_distribution():
    torch.manual_seed(0)
    reader = TextEncoder(500, 64, length=400)
    for weight, spread in ((reader.word.weight, 0.05), (reader.place.weight, 0.02)):
        assert_normal(weight, spread)


def test_a_reader_has_two_layers_of_four_heads_unless_told():
    reader = TextEncoder(9)
    assert reader.word.weight.shape == (9, 96) and reader.place.weight.shape == (LENGTH, 96)
    assert [block.attention.heads for block in reader.blocks] == [4, 4]
    assert [block.up.out_features for block in reader.blocks] == [192, 192]


@pytest.mark.parametrize("depth, length", [(0, 24), (1, 24), (2, 7)])
def test_words_get_their_places_pass_the_layers_and_are_normed_at_the_end(depth, length):
    torch.manual_seed(0)
    reader, text = TextEncoder(9, 16, depth), some_text()[:, :length]
    x = reader.word.weight[text]
    if depth:
        x = x + reader.place.weight[None, :length]
    for block in reader.blocks:
        x = block(x, (text != 0)[:, None, None, :])
    torch.testing.assert_close(reader(text), F.layer_norm(x, (16,)))


def test_a_sentence_of_one_word_is_that_word():
    reader = TextEncoder(9, 16)
    text = torch.tensor([[5, 1, 0, 0]])
    torch.testing.assert_close(reader.pooled(text), reader(text)[:, 0])


def looked(net, x):
    """What the first convolution sees, and the vector at the end."""
    kernels = [layer for layer in net.eye if isinstance(layer, nn.Conv2d)]
    assert [tuple(layer.kernel_size) for layer in kernels] == [(3, 3), (2, 2)] * 2 + [(3, 3)]
    x, maps = F.pixel_unshuffle(x, 2), []
    for layer in kernels:
        if layer.kernel_size == (2, 2):
            x = F.conv2d(x, layer.weight, layer.bias, stride=2)
        else:
            x = F.conv2d(x, layer.weight, layer.bias, padding=1)
            x = F.silu(F.group_norm(x, x.shape[1] // 16))
            maps.append(x)
    return maps[0], x.flatten(1)


def test_a_model_looks_through_convolutions_and_reads_a_mean_of_words():
    torch.manual_seed(0)
    net = PictureTextModel(words=9, nc=2, size=16, dim=8, width=32, depth=1)
    x, text = draw(3, 2, 16, 16).tanh(), some_text(3)
    first, seen = looked(net, x)
    torch.testing.assert_close(net.maps(x), first)
    told = net.eye[-1](seen), net.say(net.reader.pooled(text))
    for found, vectors in zip((net.see(x), net.read(text)), told, strict=True):
        torch.testing.assert_close(found, vectors / vectors.square().sum(1, keepdim=True).sqrt())


def test_a_model_has_the_sizes_of_its_defaults():
    net = PictureTextModel()
    assert net.shape == (3, 32, 32) and net.dim == 64
    assert net.eye[1].weight.shape == (48, 12, 3, 3) and net.eye[-1].weight.shape == (64, 96 * 16)
    reader = net.reader
    assert reader.word.weight.shape == (len(tokeniser()), 96) and len(reader.blocks) == 2
    assert len(reader.place.weight) == LENGTH
    longer = PictureTextModel(words=9, length=30, depth=0).reader
    assert len(longer.place.weight) == 30 and not len(longer.blocks)
    assert len(longer.word.weight) == 9


def test_what_a_model_tells_is_float32_where_it_computes_in_bfloat16():
    net, x = small(), draw(2, 3, 16, 16).tanh()
    with torch.autocast("cpu", torch.bfloat16):
        assert net.eye(x).dtype == torch.bfloat16
        assert net.see(x).dtype == net.read(some_text(2)).dtype == net.maps(x).dtype
        assert net.maps(x).dtype == torch.float32


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: contrastive_loss(A, B, float("nan")), "scale must be a finite number"),
        (lambda: contrastive_loss(A, B, torch.tensor(3)), "scale must be a tensor of decimal"),
        (lambda: contrastive_loss(A, B.double(), 3.0), "sentences must be torch.float32, .* got"),
        (lambda: contrastive_loss(A.long(), B, 3.0), "pictures must be a tensor of decimal"),
        (lambda: TextEncoder(0), "words must be .* at least 1, got 0"),
        (lambda: TextEncoder(9, width=0), "width must be .* at least 1, got 0"),
        (lambda: TextEncoder(9, heads=0), "heads must be .* at least 1, got 0"),
        (lambda: TextEncoder(9, length=0), "length must be .* at least 1, got 0"),
        (lambda: TextEncoder(9, depth=-1), "depth must be .* at least 0 .* got -1"),
        (lambda: TextEncoder(9, depth=1001), "depth must be .* at most 1000, got 1001"),
        (lambda: TextEncoder(9, 16)(some_text() + 7), r"text must lie in 0 … 8; got 7 …"),
        (lambda: TextEncoder(9, 16)(some_text()[0]), r"text must be \(B, 24\); got \(24,\)"),
        (lambda: TextEncoder(9, 16).pooled(torch.ones(1, 24)), "text must be whole numbers"),
        (lambda: real_words(some_text()[0]), "text must be a tensor of 2 dimensions"),
        (lambda: PictureTextModel(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: PictureTextModel(size=0), "size must be .* at least 1, got 0"),
        (lambda: PictureTextModel(dim=0), "dim must be .* at least 1, got 0"),
        (lambda: PictureTextModel(width=0), "width must be .* at least 1, got 0"),
        (lambda: PictureTextModel(length=0), "length must be .* at least 1, got 0"),
        (lambda: PictureTextModel(depth=-1), "depth must be .* at least 0 .* got -1"),
        (lambda: PictureTextModel(depth=1001), "depth must be .* at most 1000, got 1001"),
        (lambda: PictureTextModel(words=0), "words must be .* at least 1, got 0"),
        (lambda: PictureTextModel(width=24), "width by 16; got 32 and 24"),
        (lambda: small().see(torch.zeros(2, 3, 16, 16).double()), "x must be torch.float32"),
        (lambda: small().maps(torch.zeros(1, 3, 16, 8)), r"x must be \(B, 3, 16, 16\)"),
        (lambda: small().maps(torch.zeros(1, 3, 32, 32)), r"x must be \(B, 3, 16, 16\)"),
        (lambda: ContrastiveStep(nn.Linear(2, 2)), "model must be a PictureTextModel; got Linear"),
        (lambda: ContrastiveStep(small(), lr=-1), "lr must be .* at least 0; got -1"),
        (lambda: ContrastiveStep(small(), steps=0), "steps must be .* at least 1, got 0"),
        (lambda: ContrastiveStep(small())((A, 3)), r"batch\[1\] must be a Tensor; got int"),
        (
            lambda: ContrastiveStep(small())((draw(2, 3, 8, 8), some_text(2))),
            r"batch must be \(B, 3, 16, 16\); got \(2, 3, 8, 8\)",
        ),
        (lambda: shifted(torch.zeros(3, 5, 5)), r"x must be \(B, C, H, W\); got \(3, 5, 5\)"),
    ],
)
def test_a_bad_argument_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_the_scale_may_be_a_tensor():
    assert contrastive_loss(A, B, torch.tensor(5.0)) == contrastive_loss(A, B, 5.0)


def angles(*degrees):
    return torch.tensor(degrees, dtype=torch.float64).deg2rad()


def test_a_step_tells_the_loss_and_who_finds_their_own(exact):
    # by picture 0, 1, 2 the nearest are 0, 0, 2; by sentence 1, 2, 2
    net, pictures, sentences = small(), angles(0, 10, 90), angles(8, 85, 94)
    net.see = lambda _: torch.stack([pictures.cos(), pictures.sin()], 1).float()
    net.read = lambda _: torch.stack([sentences.cos(), sentences.sin()], 1).float()
    told = ContrastiveStep(net)((draw(3, 3, 16, 16), some_text(3)))
    logits = (pictures[:, None] - sentences).cos() / 0.07
    own = logits.diag()
    loss = (logits.logsumexp(0) - own + logits.logsumexp(1) - own).mean() / 2
    assert told["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert told["found"].item() == pytest.approx(2 / 3)
    assert not told["loss"].requires_grad and not told["found"].requires_grad


@pytest.mark.parametrize("options, rate", [({}, 1e-3), ({"lr": 0.05}, 0.05)])
def test_a_step_moves_weights_by_its_rate_which_rises_for_sixty_steps(exact, options, rate):
    # AdamW's first move of what does not decay is the rate
    net, batch = small(), (draw(4, 3, 16, 16).tanh(), some_text())
    step, biases = ContrastiveStep(net, **options), net.eye[2].bias
    step(batch)
    assert biases.abs().max().item() == pytest.approx(rate / 60, rel=0.01)
    for n in (2, 3):
        assert step.optimizer.param_groups[0]["lr"] == pytest.approx(rate * n / 60)
        step(batch)


def test_the_rate_of_a_known_number_of_steps_falls_to_zero(exact):
    step = ContrastiveStep(small(), steps=2)
    for _ in range(2):
        step((draw(4, 3, 16, 16).tanh(), some_text()))
    assert step.optimizer.param_groups[0]["lr"] == 0


def test_gradients_are_those_of_the_last_batch_alone(exact):
    net, batch = small(), (draw(4, 3, 16, 16).tanh(), some_text())
    step, found = ContrastiveStep(net, lr=0.0), []
    for _ in range(2):
        torch.manual_seed(0)
        step(batch)
        found.append(net.say.weight.grad.clone())
    torch.testing.assert_close(*found)
    assert found[0].abs().max() > 0
