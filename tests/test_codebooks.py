import math

import pytest
import torch

from course_lib import codebooks, data
from course_lib.codebooks import (
    Codebook,
    VQAutoencoder,
    VQGANStep,
    VQStep,
    adaptive_weight,
    codebook_loss,
    codes_used,
    nearest_code,
    perplexity,
    straight_through,
)
from course_lib.training import train
from course_lib.translation import PatchDiscriminator

from .helpers import assert_step_runs_on_meta

E = torch.tensor([[0.0, 0], [1, 1], [3, 0]])
Z = torch.tensor([[0.4, 0.2], [2.2, 0.4]])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def as_map(rows):
    """(n, D) -> (1, D, 1, n)."""
    return rows.T[None, :, None]


# Rounding


def test_the_nearest_codes_of_two_places_are_the_known_ones():
    # squared distances .2, 1, 6.8 and 5, 1.8, .8
    assert nearest_code(as_map(Z), E).flatten().tolist() == [0, 2]


def test_nearest_codes_are_those_of_cdist_in_every_shape():
    for b, d, h, w, k in ((1, 3, 2, 5, 7), (2, 8, 8, 8, 256), (3, 1, 4, 1, 2), (1, 2, 1, 1, 1)):
        z, book = draw(b, d, h, w), draw(k, d, seed=1)
        rows = z.permute(0, 2, 3, 1).reshape(-1, d)
        expected = torch.cdist(rows, book).argmin(1).view(b, h, w)
        assert torch.equal(nearest_code(z, book), expected)


def test_of_equal_codes_the_first_is_taken():
    assert nearest_code(torch.ones(1, 1, 1, 2), torch.zeros(3, 1)).tolist() == [[[0, 0]]]


@pytest.mark.parametrize(
    "z, book", [((1, 3, 2, 2), (4, 2)), ((3, 2, 2), (4, 3)), ((1, 3, 2, 2), (3,))]
)
def test_codes_of_another_length_are_refused(z, book):
    with pytest.raises(ValueError, match=r"(z|book) must be \("):
        nearest_code(torch.zeros(z), torch.zeros(book))


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other():
    z, q, w = draw(2, 3).requires_grad_(), draw(2, 3, seed=1).requires_grad_(), draw(2, 3, seed=2)
    out = straight_through(z, q)
    (w * out).sum().backward()
    torch.testing.assert_close(out, q)
    torch.testing.assert_close(z.grad, w)
    assert q.grad is None or not q.grad.any()


def test_the_codebook_loss_and_its_gradients_are_the_known_numbers():
    # mean ‖z − q‖² = .25; with β = .25: .3125
    z = Z.clone().requires_grad_()
    book = E.clone().requires_grad_()
    loss = codebook_loss(z, book[[0, 2]], 0.25)
    loss.backward()
    assert loss.item() == pytest.approx(0.3125)
    expected = torch.tensor([[-0.2, -0.1], [0, 0], [0.4, -0.2]])
    torch.testing.assert_close(book.grad, expected)
    torch.testing.assert_close(z.grad, torch.tensor([[0.05, 0.025], [-0.1, 0.05]]))


def test_beta_holds_the_encoder_and_not_the_codes():
    q = torch.tensor([[0.0, 0], [3, 0]])
    assert codebook_loss(Z, q, 0.5).item() == pytest.approx(0.375)
    z, codes = Z.clone().requires_grad_(), q.clone().requires_grad_()
    codebook_loss(z, codes, 0.0).backward()
    assert not z.grad.any() and codes.grad.any()
    for beta in (-1, math.inf, math.nan):
        with pytest.raises(ValueError, match="beta must be a finite number, at least 0; got"):
            codebook_loss(Z, q, beta)


def test_two_shapes_are_refused():
    for function in (straight_through, codebook_loss):
        with pytest.raises(ValueError, match=r"q must have the shape of z, \(2, 2\); got \(2,\)"):
            function(Z, Z[0])


# How many codes are used


def test_the_perplexity_of_counts_4_2_1_1_0_is_the_known_number():
    tokens = torch.tensor([[0, 0, 1, 2], [0, 0, 1, 3]])
    assert perplexity(tokens, 5).item() == pytest.approx(3.36358566, abs=1e-6)
    assert codes_used(tokens, 5) == 4


def test_codes_that_are_used_alike_all_count():
    assert perplexity(torch.arange(7).repeat(3), 7).item() == pytest.approx(7, abs=1e-4)
    assert perplexity(torch.zeros(2, 3, dtype=torch.int64), 7).item() == pytest.approx(1)


def test_tokens_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"tokens must lie in 0 … 4; got -1 … 5"):
        perplexity(torch.tensor([-1, 5]), 5)
    with pytest.raises(ValueError, match="tokens must be a tensor and not empty"):
        codes_used(torch.zeros(0, dtype=torch.int64), 5)
    with pytest.raises(
        TypeError, match=r"tokens must be whole numbers \(int64\); got torch.float32"
    ):
        perplexity(torch.zeros(2), 5)


# The codebook


def test_a_moving_average_is_the_known_one_and_an_unused_code_stays():
    # decay .9, n = 1, sums = E: n = (1, .9, 1), codes (.04, .02), (1, 1), (2.92, .04)
    book = Codebook(3, 2, "ema", decay=0.9)
    book.book.copy_(E)
    book.sums.copy_(E)
    q, tokens, loss = book.train()(as_map(Z))
    assert tokens.flatten().tolist() == [0, 2]
    assert loss.item() == pytest.approx(0.25 * 0.25)
    torch.testing.assert_close(book.counts, torch.tensor([1, 0.9, 1]))
    expected = torch.tensor([[0.04, 0.02], [1, 1], [2.92, 0.04]])
    torch.testing.assert_close(book.book, expected)
    torch.testing.assert_close(q, as_map(E[[0, 2]]))  # rounded before the codes moved


def test_in_evaluation_no_code_moves():
    for kind in codebooks.KINDS:
        book = Codebook(4, 2, kind).eval()
        before = {key: value.clone() for key, value in book.state_dict().items()}
        book(draw(2, 2, 3, 3))
        assert all(torch.equal(before[key], value) for key, value in book.state_dict().items())


def test_only_a_plain_codebook_learns_by_gradient_and_the_encoder_always_does():
    for kind in codebooks.KINDS:
        book, z = Codebook(4, 2, kind), draw(2, 2, 3, 3).requires_grad_()
        q, _, loss = book(z)
        loss.backward(retain_graph=True)
        assert z.grad.any()
        assert [name for name, _ in book.named_parameters()] == (
            ["book"] if kind == "plain" else []
        )
        if kind == "plain":
            assert book.book.grad.any()
            pulled = book.book.grad.clone()
            q.sum().backward()  # what the decoder says reaches the encoder alone
            assert torch.equal(book.book.grad, pulled)


def test_restarted_codes_come_from_the_first_batch_and_dead_ones_come_back():
    torch.manual_seed(0)
    book, z = Codebook(6, 2, "restart"), 5 + draw(2, 2, 4, 4)
    rows = z.permute(0, 2, 3, 1).reshape(-1, 2)
    book._revive(z)
    assert all((rows == code).all(1).any() for code in book.book)
    torch.testing.assert_close(book.counts, torch.ones(6))
    book.counts[2] = 0.29  # dead
    book.book[2], book.sums[2] = -99.0, -99.0
    others = book.book[[0, 1, 3, 4, 5]].clone()
    book._revive(z)
    assert (rows == book.book[2]).all(1).any() and book.counts[2] == 1
    torch.testing.assert_close(book.book[[0, 1, 3, 4, 5]], others)


def test_restarts_keep_more_codes_alive_than_the_average_alone():
    clusters = 8 + 3 * draw(32, 4, seed=1)  # far from where the codes begin
    used = {}
    for kind in ("ema", "restart"):
        torch.manual_seed(0)
        book = Codebook(32, 4, kind, decay=0.9)
        for i in range(60):
            rows = clusters[torch.randint(32, (256,), generator=seeded(i))]
            book((rows + 0.05 * draw(256, 4, seed=i)).view(1, 16, 16, 4).permute(0, 3, 1, 2))
        every = clusters.view(1, 8, 4, 4).permute(0, 3, 1, 2)
        used[kind] = codes_used(book.eval()(every)[1], 32)
    assert used["restart"] >= 22 and used["ema"] <= 11


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(kind="vq"), "kind must be one of plain, ema, restart; got 'vq'"),
        (dict(codes=0), "codes must be .* at least 1, got 0"),
        (dict(decay=1.0), "decay must be below 1"),
    ],
)
def test_a_codebook_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Codebook(**options)


# The autoencoder


def small(**options):
    torch.manual_seed(0)
    return VQAutoencoder(**dict(size=16, codes=8, dim=4, width=16) | options)


@pytest.mark.parametrize("size, fold, nc", [(16, 4, 3), (32, 8, 1), (64, 16, 3), (32, 4, 1)])
def test_a_picture_becomes_a_map_of_tokens_and_a_picture_again(size, fold, nc):
    net = small(size=size, fold=fold, nc=nc).eval()
    x = draw(2, nc, size, size).tanh()
    made, tokens, _ = net(x)
    assert made.shape == x.shape and tokens.shape == (2, size // fold, size // fold)
    assert torch.equal(net.tokens(x, block=1), tokens)
    pictures = net.pictures(tokens)
    torch.testing.assert_close(pictures, made.detach().clamp(-1, 1))
    assert torch.equal(net.pictures(tokens.flatten(1)), pictures)


def test_the_course_s_picture_has_64_bytes():
    net = VQAutoencoder()
    assert net.side**2 * math.log2(net.codebook.codes) / 8 == 64
    assert 3 * 32 * 32 / 64 == 48  # times smaller than its pixels
    assert sum(p.numel() for p in net.parameters()) + net.codebook.book.numel() < 280_000


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: VQAutoencoder(fold=6), "fold must be 4, 8, 16 … and divide size"),
        (lambda: VQAutoencoder(size=20, fold=8), "got fold 8, size 20, width 64"),
        (lambda: VQAutoencoder(fold=2), "got fold 2"),
        (lambda: VQAutoencoder(width=40), "width 40"),
        (lambda: small().encode(torch.zeros(1, 3, 32, 32)), r"x must be \(B, 3, 16, 16\)"),
        (
            lambda: small().pictures(torch.zeros(1, 3, 4, dtype=torch.int64)),
            r"tokens must be \(B, 4, 4\); got \(1, 3, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_training_lowers_the_error_and_uses_the_codes():
    faces = data.load("peeps", "test", size=32)
    torch.manual_seed(0)
    net = VQAutoencoder(codes=64, width=32)
    step = VQStep(net, steps=120)
    history = train(step, faces.batches(16, generator=seeded()), 120)
    errors = history.losses["error"]
    assert sum(errors[-10:]) < 0.35 * sum(errors[:10])
    assert history.losses["perplexity"][-1] > 20
    assert not net.codebook.restarts  # at rest for the last fifth


def test_restarts_end_with_the_first_four_fifths():
    step = VQStep(small(), steps=10)
    x, were = draw(2, 3, 16, 16).tanh(), []
    for _ in range(10):
        step(x)
        were.append(step.model.codebook.restarts)
    assert were == [True] * 8 + [False] * 2
    step = VQStep(small(kind="ema"), steps=10)
    step(x)
    assert not step.model.codebook.restarts


# With a discriminator


def test_the_adaptive_weight_is_the_known_number():
    # gradients of norm .3 and .06: .8 · .3 / (.06 + 1e-4)
    weight = torch.zeros(2, requires_grad=True)
    a, b = (weight * torch.tensor([0.3, 0])).sum(), (weight * torch.tensor([0, 0.06])).sum()
    assert adaptive_weight(a, b, weight).item() == pytest.approx(3.99334443, abs=1e-5)
    assert adaptive_weight(a, b, weight, strength=0.4).item() == pytest.approx(1.9966722, abs=1e-5)
    flat = (weight * 0).sum()
    huge = (weight * 100).sum()
    assert adaptive_weight(huge, flat, weight).item() == pytest.approx(0.8e4)
    assert not adaptive_weight(a, b, weight).requires_grad


def test_a_vqgan_keeps_its_tokens_and_moves_only_the_decoder():
    net, x = small().eval(), draw(4, 3, 16, 16).tanh()
    critic = PatchDiscriminator(3, 16, layers=1)
    step = VQGANStep(net, critic, features=lambda v: v[:, :, ::2, ::2], alone=2)
    before = {key: value.clone() for key, value in step.model.state_dict().items()}
    tokens, scored = net.tokens(x), [w.clone() for w in critic.parameters()]
    weights = [step(x)["weight"].item() for _ in range(4)]
    assert weights[:2] == [0, 0] and min(weights[2:]) > 0
    for key, value in step.model.state_dict().items():
        moved = not torch.equal(before[key], value)
        assert moved == key.startswith("decoder"), key
    assert torch.equal(step.model.tokens(x), tokens)
    assert any(not torch.equal(a, b) for a, b in zip(scored, critic.parameters(), strict=True))
    own = net.state_dict()
    assert all(torch.equal(before[key], own[key]) for key in own)  # the one given is left alone


def test_the_critic_learns_nothing_from_the_decoder_s_step():
    critic = PatchDiscriminator(3, 16, layers=1)
    step = VQGANStep(small().eval(), critic, alone=0)
    for group in step.d_optimizer.param_groups:
        group["lr"] = 0.0
    before = [w.clone() for w in critic.parameters()]
    step.d_schedule.base_lrs = [0.0]
    step(draw(2, 3, 16, 16).tanh())
    assert all(torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))
    assert all(w.requires_grad for w in critic.parameters())


@pytest.mark.parametrize("kind", codebooks.KINDS)
def test_the_steps_run_on_any_device(kind):
    x = draw(4, 3, 16, 16).tanh()
    assert_step_runs_on_meta(lambda: VQStep(small(kind=kind), steps=9), lambda: x)

    def adversarial():
        return VQGANStep(small(kind=kind), PatchDiscriminator(3, 16, layers=1), lambda v: v)

    assert_step_runs_on_meta(adversarial, lambda: (x, x))
