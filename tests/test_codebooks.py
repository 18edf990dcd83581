import contextlib
import copy
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from course_lib import codebooks, data
from course_lib.codebooks import (
    Codebook,
    Residual,
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


# What is refused, and what holds unless told otherwise


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: nearest_code(as_map(Z) / 0, E), ValueError, "z must be finite"),
        (lambda: nearest_code(as_map(Z), E / 0), ValueError, "book must be finite"),
        (lambda: nearest_code(as_map(Z), E.double()), TypeError, "book must be torch.float32"),
        (lambda: straight_through(Z, Z.long()), TypeError, "q must be"),
        (lambda: perplexity(torch.zeros(2, dtype=int), 0), ValueError, "codes must be .* got 0"),
        (
            lambda: codes_used(torch.zeros(2, device="meta").int(), 2),
            ValueError,
            "tokens must have",
        ),
        (lambda: Codebook(dim=0), ValueError, "dim must be .* at least 1, got 0"),
        (lambda: Codebook(beta=-0.1), ValueError, "beta must be .* at least 0; got -0.1"),
        (lambda: Codebook(decay=-0.1), ValueError, "decay must be .* at least 0 .*; got -0.1"),
        (lambda: Codebook(3, 2)(torch.zeros(1, 4, 2, 2)), ValueError, r"z must be \(B, 2, H, W\)"),
        (
            lambda: Codebook(3, 2)(torch.zeros(1, 2, 2, 2, device="meta")),
            ValueError,
            "z must be on",
        ),
        (
            lambda: Codebook(3, 2).look_up(torch.full((1, 2, 2), 3)),
            ValueError,
            "tokens must lie in 0 … 2; got 3",
        ),
        (
            lambda: Codebook(3, 2).look_up(torch.tensor([1, 2])),
            ValueError,
            r"tokens must be \(B, H, W\)",
        ),
        (lambda: Residual(0), ValueError, "width must be .* at least 1, got 0"),
        (lambda: Residual(24), ValueError, "width must be a multiple of 16; got 24"),
        (lambda: Residual(16)(torch.zeros(1, 8, 4, 4)), ValueError, r"x must be \(B, 16, H, W\)"),
        (lambda: small().encode(blank() / 0), ValueError, "x must be finite"),
        (lambda: small().tokens(blank() / 0), ValueError, "x must be finite"),
        (lambda: small().tokens(blank(), block=0), ValueError, "block must be .* got 0"),
        (lambda: small().pictures(flat_tokens(), block=0), ValueError, "block must be .* got 0"),
        (
            lambda: small().pictures(flat_tokens() + 8),
            ValueError,
            "tokens must lie in 0 … 7; got 8 … 8",
        ),
        (lambda: VQStep(critic()), TypeError, "model must be a VQAutoencoder; got Conv2d"),
        (lambda: VQStep(small(), lr=-1), ValueError, "lr must be .* at least 0; got -1"),
        (lambda: VQStep(small(), steps=0), ValueError, "steps must be .* at least 1, got 0"),
        (
            lambda: VQStep(small())(torch.zeros(1, 1, 16, 16)),
            ValueError,
            r"batch must be \(B, 3, 16",
        ),
        (lambda: VQStep(small())(blank() / 0), ValueError, "batch must be finite"),
        (lambda: VQStep(small())([]), TypeError, "batch must be"),
        (lambda: VQGANStep(critic(), critic()), TypeError, "model must be a VQAutoencoder"),
        (lambda: VQGANStep(small(), halves), TypeError, "discriminator must be a Module"),
        (lambda: VQGANStep(small(), critic(), 3), TypeError, "features must be a network or a fun"),
        (lambda: VQGANStep(small(), critic(), alone=-1), ValueError, "alone must be .* got -1"),
        (lambda: VQGANStep(small(), critic(), lr=-1), ValueError, "lr must be .* got -1"),
        (lambda: VQGANStep(small(), critic(), steps=0), ValueError, "steps must be .* got 0"),
    ],
)
def test_each_argument_is_looked_at(call, error, message):
    with pytest.raises(error, match=message):
        call()


def blank():
    return torch.zeros(1, 3, 16, 16)


def flat_tokens():
    return torch.zeros(1, 16, dtype=torch.int64)


def halves(x):
    return x[:, :, ::2, ::2]


def critic():
    torch.manual_seed(5)
    return torch.nn.Conv2d(3, 1, 4, stride=4)


@pytest.mark.parametrize("name", ["nc", "size", "codes", "dim", "width", "fold"])
def test_an_autoencoder_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name} must be .* at least 1, got 0"):
        VQAutoencoder(**{name: 0})


def test_a_slope_is_asked_for_one_number_and_a_weight_that_it_depends_on():
    weight = torch.ones(2, requires_grad=True)
    loss, other = weight.square().sum(), torch.ones(2, requires_grad=True)
    far = torch.ones(2, device="meta", requires_grad=True)
    for arguments, error, message in (
        ((3.0, loss, weight), TypeError, "reconstruction must be a Tensor; got float"),
        ((loss, 3.0, weight), TypeError, "g_loss must be a Tensor; got float"),
        ((weight * 2, loss, weight), ValueError, "reconstruction must be one number with a grad"),
        ((loss, loss.detach(), weight), ValueError, "g_loss must be one number with a gradient"),
        ((loss, loss, weight.long()), TypeError, "weight must be"),
        ((loss, loss, weight.detach()), ValueError, "weight must be one that reconstruction dep"),
        ((loss, other.sum(), weight), ValueError, "weight must be one that g_loss depends on"),
        ((loss, loss, far), ValueError, "reconstruction must be on meta, .*; got cpu"),
        ((loss, loss, weight, -0.1), ValueError, "strength must be .* at least 0; got -0.1"),
    ):
        with pytest.raises(error, match=message):
            adaptive_weight(*arguments)
    assert adaptive_weight(loss, loss, weight, 0) == 0


def test_the_slope_of_a_loss_is_a_euclidean_length():
    weight = torch.zeros(2, requires_grad=True)
    a, b = (weight * torch.tensor([3.0, -4])).sum(), (weight * torch.tensor([-6.0, 8])).sum()
    assert adaptive_weight(a, b, weight, 1.0).item() == pytest.approx(5 / (10 + 1e-4))


# The codebook, unless told


def test_a_quarter_of_the_pull_holds_the_encoder_unless_told():
    z, q = torch.zeros(2, 2), torch.full((2, 2), 2.0)
    assert codebook_loss(z, q).item() == pytest.approx(4 + 4 / 4)
    for kind, loss in (("plain", 1.25), ("ema", 0.25), ("restart", 0.25)):
        book = Codebook(1, 2, kind).eval()
        book.book.data.fill_(2.0)
        assert book(torch.full((1, 2, 2, 2), 3.0))[2].item() == pytest.approx(loss)


def test_unless_told_256_codes_of_8_numbers_restart_and_move_by_a_fiftieth():
    book = Codebook()
    assert book.book.shape == (256, 8) and book.restarts and not book.counts.any()
    assert not Codebook(kind="ema").restarts and not Codebook(kind="plain").restarts
    moved = Codebook(1, 1, "ema")
    moved.book.zero_(), moved.sums.zero_()
    moved(torch.full((1, 1, 1, 1), 50.0))
    assert moved.book.item() == pytest.approx(1.0)  # (0.98 · 0 + 0.02 · 50) / 1


def test_codes_begin_small_and_uniform_or_normal():
    torch.manual_seed(0)
    plain = Codebook(500, 40, "plain").book * 500
    assert plain.abs().max() <= 1 and plain.requires_grad
    assert plain.mean().item() == pytest.approx(0, abs=0.02)
    assert plain.var().item() == pytest.approx(1 / 3, rel=0.03)
    for kind, uses in (("ema", 1), ("restart", 0)):
        book = Codebook(500, 40, kind)
        assert book.book.mean().item() == pytest.approx(0, abs=0.03)
        assert book.book.std().item() == pytest.approx(1, rel=0.03)
        assert book.book.max() > 3  # of 20,000 normal numbers 27 are
        assert torch.equal(book.sums, book.book) and torch.equal(
            book.counts, uses * torch.ones(500)
        )
        assert book.sums.data_ptr() != book.book.data_ptr()
        assert set(book.state_dict()) == {"book", "sums", "counts"}


def test_a_map_in_bfloat16_is_rounded_in_float32():
    for kind in codebooks.KINDS:
        book = Codebook(4, 2, kind).eval()
        z = draw(1, 2, 3, 3).bfloat16()
        q, tokens, loss = book(z)
        assert q.dtype == loss.dtype == torch.float32
        assert torch.equal(tokens, nearest_code(z.float(), book.book))


def test_a_code_that_nothing_was_ever_rounded_to_stays_finite():
    book = Codebook(2, 1, "ema", decay=0.5)
    book.book.copy_(torch.tensor([[0.0], [9]]))
    book.sums.zero_(), book.counts.zero_()
    book(torch.full((1, 1, 1, 2), 3.0))
    # half of two places of 3: sum 3, number 1; of the other neither
    assert book.sums.tolist() == [[3.0], [0.0]] and book.counts.tolist() == [1.0, 0.0]
    assert book.book.tolist() == [[3.0], [0.0]]


def test_a_code_is_dead_below_three_tenths_of_a_place_a_batch():
    torch.manual_seed(0)
    book, z = Codebook(4, 2), 5 + draw(1, 2, 4, 4)
    book.book.fill_(-7.0)
    book.counts.copy_(torch.tensor([0.29, 0.31, 0.5, 2.0]))
    book.sums.copy_(-7 * book.counts[:, None])
    book._revive(z)
    assert (book.book < 0).all(1).tolist() == [False, True, True, True]
    torch.testing.assert_close(book.counts, torch.tensor([1, 0.31, 0.5, 2]))
    book._revive(z, least=0.5)  # at the border it lives
    assert (book.book < 0).all(1).tolist() == [False, False, True, True]


def test_every_place_is_as_likely_to_become_a_code():
    torch.manual_seed(0)
    book = Codebook(4000, 1)
    book._revive(torch.arange(4.0).view(1, 1, 2, 2))
    shares = torch.bincount(book.book.flatten().long(), minlength=4) / 4000
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.03, rtol=0)


# The autoencoder, written out


def test_a_residual_layer_is_the_formula_and_nothing_at_first():
    torch.manual_seed(0)
    layer, x = Residual(32), draw(2, 32, 5, 4)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn_like(weight))
    groups = x.view(2, 2, 16, 5, 4)  # 16 channels a group
    normal = groups - groups.mean((2, 3, 4), keepdim=True)
    normal = normal / (groups.var((2, 3, 4), correction=0, keepdim=True) + 1e-5).sqrt()
    inside = normal.view_as(x) * layer.norm.weight[:, None, None] + layer.norm.bias[:, None, None]
    inside = F.conv2d(inside * inside.sigmoid(), layer.conv.weight, layer.conv.bias, padding=1)
    inside = inside * inside.sigmoid()
    mixed = torch.einsum("oi,bihw->bohw", layer.out.weight[:, :, 0, 0], inside)
    expected = x + mixed + layer.out.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("fold, between", [(4, 0), (8, 1), (16, 2)])
def test_each_halving_is_a_layer_and_each_doubling_three(fold, between):
    net = VQAutoencoder(nc=1, size=32, codes=6, dim=5, width=16, fold=fold)

    def layers(part):
        return [
            (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
            if isinstance(m, torch.nn.Conv2d)
            else m.downscale_factor if isinstance(m, torch.nn.PixelUnshuffle)
            else -m.upscale_factor if isinstance(m, torch.nn.PixelShuffle)
            else type(m).__name__
            for m in part
        ]  # fmt: skip

    assert layers(net.encoder) == [
        4, (16, 16, 3, 1), "Residual", *[(16, 16, 2, 2)] * between, "Residual", "SiLU",
        (16, 5, 1, 1),
    ]  # fmt: skip
    assert layers(net.decoder) == [
        (5, 16, 3, 1), "Residual", "Residual", *[(16, 64, 1, 1), -2, "Residual"] * between,
        "SiLU", (16, 64, 1, 1), -2, "Residual", "SiLU", (16, 4, 3, 1), -2,
    ]  # fmt: skip


def test_unless_told_it_is_the_autoencoder_of_the_course():
    net, w = VQAutoencoder(), 64
    residual = 2 * w + 9 * w * w + w + w * w + w
    encoder = 9 * 48 * w + w + 2 * residual + 8 * w + 8
    decoder = 9 * 8 * w + w + 3 * residual + 4 * w * w + 4 * w + 9 * w * 12 + 12
    assert sum(p.numel() for p in net.parameters()) == encoder + decoder
    assert net.shape == (3, 32, 32) and net.side == 8
    assert net.codebook.kind == "restart" and net.codebook.book.shape == (256, 8)


def test_what_is_decoded_is_the_code_s_and_what_is_shown_ends_at_one():
    net, x = small(kind="ema").eval(), draw(2, 3, 16, 16).tanh()
    made, tokens, loss = net(x)
    z = net.encoder(x)
    expected = torch.cdist(z.permute(0, 2, 3, 1).reshape(-1, 4), net.codebook.book).argmin(1)
    assert torch.equal(tokens.flatten(), expected)
    q = net.codebook.book[tokens].permute(0, 3, 1, 2)
    torch.testing.assert_close(made, net.decoder(q), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loss, (z - q).square().mean() / 4)
    torch.testing.assert_close(net.encode(x), z)
    last = net.decoder[-2]
    with torch.no_grad():
        last.weight.zero_()
        for bias, shown in ((0.3, 0.3), (5, 1), (-5, -1)):
            last.bias.fill_(bias)
            torch.testing.assert_close(net.pictures(tokens), torch.full_like(x, shown))


def test_unless_told_256_pictures_are_taken_at_a_time():
    net = VQAutoencoder(size=4, codes=3, dim=2, width=16).eval()
    seen = []
    for part in (net.encoder, net.decoder):
        part.register_forward_hook(lambda _, args, y: seen.append(len(y)))
    tokens = net.tokens(torch.zeros(257, 3, 4, 4))
    net.pictures(tokens)
    assert seen == [256, 1, 256, 1] and not tokens.requires_grad


# One step, written out


@pytest.fixture
def in_float32(monkeypatch):
    """Steps that compute as these tests do, whatever this machine is fast in."""
    choice = SimpleNamespace(autocast=contextlib.nullcontext)
    monkeypatch.setattr(codebooks.device, "choose", lambda: choice)


def assert_slopes(loss, own, net):
    """Whether what the weights of `net` were moved along is the gradient of a loss of its twin."""
    pairs = dict(net.named_parameters())
    weights = {name: w for name, w in own.named_parameters() if w.requires_grad}
    found = torch.autograd.grad(loss, list(weights.values()), retain_graph=True)
    for name, slope in zip(weights, found, strict=True):
        torch.testing.assert_close(pairs[name].grad, slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind, twice", [("ema", False), ("plain", False), ("plain", True)])
def test_a_step_follows_the_error_and_the_pull_of_the_codes(kind, twice, in_float32):
    net, x = small(kind=kind), draw(4, 3, 16, 16).tanh()
    step = VQStep(net)
    if twice:  # the slopes of an earlier step are not added up
        step((x.flip(0), None))
    own = copy.deepcopy(net)
    z = own.encoder(x)
    rows = z.permute(0, 2, 3, 1).reshape(-1, 4)
    tokens = torch.cdist(rows, own.codebook.book).argmin(1)
    q = own.codebook.book[tokens].view(4, 4, 4, 4).permute(0, 3, 1, 2)
    error = (own.decoder(z + (q - z).detach()) - x).square().mean()
    pull = (z - q.detach()).square().mean() / 4
    if kind == "plain":
        pull = pull + (q - z.detach()).square().mean()
    used = torch.bincount(tokens, minlength=8) / 64
    losses = step((x, "labels"))
    expected = {
        "error": error,
        "codebook": pull,
        "perplexity": (-(used * used.clamp(min=1e-9).log()).sum()).exp(),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value.detach(), rtol=1e-4, atol=1e-6)
        assert not losses[name].requires_grad
    assert_slopes(error + pull, own, net)


@pytest.mark.parametrize("alone", [0, 1])
def test_a_step_with_a_discriminator_is_what_its_docstring_says(alone, in_float32):
    net, judge, x = small(), critic(), draw(4, 3, 16, 16).tanh()
    net.codebook.book.copy_(draw(8, 4))
    step = VQGANStep(net, judge, halves, alone=alone)
    for n in range(2):
        own, other = copy.deepcopy(step.model), copy.deepcopy(judge)
        with torch.no_grad():
            z = own.encoder(x).permute(0, 2, 3, 1)
            nearest = torch.cdist(z.reshape(-1, 4), own.codebook.book).argmin(1)
            q = own.codebook.book[nearest].view(z.shape).permute(0, 3, 1, 2)
        made = own.decoder(q)
        error = (x - made).abs().mean() + (halves(x) - halves(made)).square().mean()
        g_loss = -other(made).mean()
        d_loss = ((1 - other(x)).relu().mean() + (1 + other(made.detach())).relu().mean()) / 2
        last = own.decoder[-2].weight
        ours, theirs = (
            torch.autograd.grad(loss, last, retain_graph=True)[0].square().sum().sqrt()
            for loss in (error, g_loss)
        )
        weight = 0.8 * ours / (theirs + 1e-4) * (n >= alone)
        losses = step([x, "labels"])
        expected = {"error": error, "d_loss": d_loss, "g_loss": g_loss, "weight": weight}
        assert losses.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(losses[name], value.detach(), rtol=1e-3, atol=1e-5)
            assert not losses[name].requires_grad
        assert_slopes(error + weight * g_loss, own, step.model)
        assert_slopes(d_loss, other, judge)


def test_a_step_with_a_discriminator_keeps_no_graph_of_what_stays():
    judge, seen = critic(), []
    step = VQGANStep(small(), judge)
    assert not any(w.requires_grad for w in step.model.encoder.parameters())
    step.model.encoder.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    judge.register_forward_hook(lambda net, *_: seen.append(net.weight.requires_grad))
    step(draw(2, 3, 16, 16).tanh())
    # the encoder, then the critic: of the decoder's step, of real ones, of made ones
    assert seen == [False, False, True, True]


def test_unless_told_the_discriminator_joins_after_sixty_steps_and_both_learn_at_a_thousandth(
    in_float32,
):
    judge, x = critic(), draw(4, 3, 8, 8).tanh()
    step = VQGANStep(small(size=8), judge)
    assert step.last is step.model.decoder[-2].weight
    pair = step.last, judge.weight
    before = [weight.detach().clone() for weight in pair]
    weights = [step(x)["weight"].item()]
    # Adam's first step moves a weight by the rate
    for a, b in zip(pair, before, strict=True):
        assert (a - b).abs().max().item() == pytest.approx(1e-3, rel=0.01)
    weights += [step(x)["weight"].item() for _ in range(60)]
    assert not any(weights[:60]) and weights[60] > 0
    for optimizer in (step.optimizer, step.d_optimizer):
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.99)


def test_an_autoencoder_learns_at_two_thousandths_unless_told():
    for options, rate in (({}, 2e-3), ({"lr": 0.05}, 0.05)):
        step = VQStep(small(), **options)
        bias = step.model.decoder[-2].bias
        before = bias.detach().clone()
        step(draw(2, 3, 16, 16).tanh())
        assert (bias - before).abs().max().item() == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize("steps, rates", [(4, [0.75, 0.5, 0.25, 0, 0]), (None, [1] * 5)])
def test_rates_fall_along_a_line_to_nothing(steps, rates):
    x = draw(2, 3, 4, 4).tanh()
    alone = VQStep(small(size=4), lr=0.1, steps=steps)
    both = VQGANStep(small(size=4), critic(), lr=0.1, steps=steps)
    found = [[], [], []]
    for _ in rates:
        alone(x), both(x)
        optimizers = alone.optimizer, both.optimizer, both.d_optimizer
        for seen, optimizer in zip(found, optimizers, strict=True):
            seen.append(optimizer.param_groups[0]["lr"])
    for seen in found:
        assert seen == pytest.approx([0.1 * rate for rate in rates])


@pytest.mark.parametrize("options, beta1", [({}, 0.9), ({"beta1": 0.5}, 0.5)])
def test_weights_move_as_adam_moves_them(options, beta1):
    first, second = (torch.nn.Linear(3, 1, bias=False) for _ in range(2))
    second.load_state_dict(first.state_dict())
    own, schedule = codebooks._adam(first, 0.1, None, **options)
    adam = torch.optim.Adam(second.parameters(), 0.1, betas=(beta1, 0.99))
    for x in torch.tensor([[1.0, -2, 3], [4, 5, -6], [0.1, 7, -8]]):
        codebooks._descend(first(x).square().sum(), own)
        adam.zero_grad()
        second(x).square().sum().backward()
        adam.step()
        torch.testing.assert_close(first.weight, second.weight)
    first.weight.requires_grad_(False)
    with pytest.raises(ValueError, match="empty parameter list"):
        codebooks._adam(first, 0.1, None)


def test_the_steps_may_compute_in_bfloat16_and_their_losses_do_not(monkeypatch):
    choice = SimpleNamespace(autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    monkeypatch.setattr(codebooks.device, "choose", lambda: choice)
    x, judge, seen = draw(2, 3, 16, 16).tanh(), critic(), []
    judge.register_forward_hook(lambda *call: seen.append(call[2].dtype))
    both = VQGANStep(small(), judge, halves)
    alone = VQStep(small())
    for step in (alone, both):
        step.model.decoder[-2].register_forward_hook(lambda *call: seen.append(call[2].dtype))
        assert {loss.dtype for loss in step(x).values()} == {torch.float32}
    assert seen == [torch.bfloat16] * 5
