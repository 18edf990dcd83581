import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib import align_draw, data
from course_lib.align_draw import (
    DIGITS,
    HELD_OUT,
    TEMPLATES,
    AlignDraw,
    AlignDrawStep,
    caption,
    found_places,
    kl_of_gaussians,
    placed_digits,
    tokeniser,
    windows,
)
from course_lib.training import train

from .helpers import assert_step_runs_on_meta


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def small(seed=0, **options):
    torch.manual_seed(seed)
    return AlignDraw(
        **({"words": 9, "size": 5, "steps": 2, "width": 6, "nz": 3, "patch": 2} | options)
    )


@pytest.fixture(autouse=True)
def nothing_kept():
    """Each test makes the vocabulary, the digits and the captions anew."""
    for kept in (tokeniser, align_draw._digits, align_draw._captions):
        kept.cache_clear()


TEXT = torch.tensor([[4, 2, 8, 1, 0, 0], [3, 5, 7, 6, 2, 1]])  # the first is padded


# Digits on a canvas


def test_captions_tell_which_digit_is_where():
    assert caption(3, 0) == "the digit three is at the top left of the image"
    assert caption(0, 3, 1) == "the bottom right of the image shows a zero"
    placed = placed_digits(200, generator=seeded())
    for said, digit, place in zip(
        tokeniser().decode(placed.text), placed.digits.tolist(), placed.places.tolist(), strict=True
    ):
        assert said in {caption(digit, place, template) for template in range(len(TEMPLATES))}
    assert {*placed.digits.tolist()} == {*range(10)} and {*placed.places.tolist()} == {*range(4)}


def test_the_vocabulary_holds_each_word_of_the_captions_and_no_other():
    said = {word for d in range(10) for p in range(4) for t in range(3)
            for word in caption(d, p, t).split()}  # fmt: skip
    assert {*tokeniser().words} == {"<pad>", "<end>", *said} and len(tokeniser()) == 24
    assert {*DIGITS, "top", "bottom", "left", "right"} < said


def test_a_digit_lies_unchanged_in_the_quadrant_that_is_told():
    placed = placed_digits(300, "test", generator=seeded())
    assert placed.x.shape == (300, 1, 18, 18) and placed.text.shape == (300, 12)
    assert {*placed.x.unique().tolist()} == {0.0, 1.0}
    quarters = placed.x[:, 0].view(300, 2, 9, 2, 9).sum((2, 4)).flatten(1)
    assert torch.equal(quarters.argmax(1), placed.places)
    assert (quarters.gather(1, placed.places[:, None])[:, 0] == quarters.sum(1)).all()
    rows = placed.x[:, 0].amax(2).argmax(1) % 9
    assert {0, 1} <= {*rows.tolist()}  # the jitter


def test_some_pairs_are_never_together_in_training():
    pairs = {}
    for combinations in ("all", "seen", "unseen"):
        placed = placed_digits(3000, "train", combinations, seeded())
        pairs[combinations] = {*zip(placed.digits.tolist(), placed.places.tolist(), strict=True)}
    assert pairs["unseen"] == HELD_OUT and len(HELD_OUT) == 10
    assert pairs["seen"] == pairs["all"] - HELD_OUT and len(pairs["all"]) == 40


def test_train_and_test_digits_are_different_people():
    train_set, test_set = (
        {
            tuple(row)
            for row in found_places(placed_digits(3000, s, "all", seeded()).x)[1]
            .flatten(1)
            .tolist()
        }
        for s in ("train", "test")
    )
    assert len(train_set & test_set) < 0.05 * len(test_set)  # on or off, some ones are alike


def test_the_place_is_found_by_the_centre_of_mass_and_the_digit_cut_out():
    placed = placed_digits(400, "test", generator=seeded())
    places, crops = found_places(placed.x)
    assert torch.equal(places, placed.places)
    assert crops.shape == (400, 8, 8)
    x = torch.zeros(3, 1, 18, 18)
    x[1, 0, 3:5, 11:15] = 0.6
    x[1, 0, 16, 0] = 0.5  # not on
    x[2, 0, 17, 17] = 1
    places, crops = found_places(x)
    assert places.tolist() == [-1, 1, 3]
    assert crops[1].nonzero().tolist() == [[i, j] for i in (3, 4) for j in (2, 3, 4, 5)]
    assert crops[2].nonzero().tolist() == [[7, 7]] and not crops[0].any()


def test_the_same_seed_places_the_same_digits():
    a, b, other = (placed_digits(20, generator=seeded(i)) for i in (0, 0, 1))
    assert torch.equal(a.x, b.x) and torch.equal(a.text, b.text) and not torch.equal(a.x, other.x)


# The parts of the network


def test_the_kl_of_equal_gaussians_is_zero_and_of_others_the_known_number():
    mu, log_sigma = torch.randn(4, 3, generator=seeded()), torch.randn(4, 3, generator=seeded(1))
    torch.testing.assert_close(kl_of_gaussians(mu, log_sigma, mu, log_sigma), torch.zeros(4))
    # N(1, 1) beside N(0, 4): log 2 + (1 + 1) / 8 − ½
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    known = kl_of_gaussians(one, zero, zero, one * math.log(2))
    assert known.item() == pytest.approx(0.44314718, abs=1e-6)
    prior = torch.randn(4, 3, generator=seeded(2)), torch.randn(4, 3, generator=seeded(3))
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, log_sigma.exp()),
        torch.distributions.Normal(prior[0], prior[1].exp()),
    ).sum(1)
    torch.testing.assert_close(kl_of_gaussians(mu, log_sigma, *prior), expected)


def test_windows_are_the_known_numbers():
    # centres 0 and 2: exp(0, −½, −2) / 1.7418660 and the same turned round
    found = windows(*torch.tensor([[1.0], [2.0], [1.0]]), size=3, patch=2)
    known = torch.tensor([0.5740970, 0.3482074, 0.0776956])
    torch.testing.assert_close(found[0], torch.stack([known, known.flip(0)]), atol=1e-6, rtol=0)


def test_a_window_off_the_canvas_writes_nothing():
    assert windows(*torch.tensor([[40.0], [1.0], [0.5]]), size=5, patch=3).max() == 0


def test_attention_sums_to_one_and_leaves_padding_out():
    net = small()
    _, alpha = net.sample(TEXT, seeded())
    assert alpha.shape == (2, 2, 6)
    torch.testing.assert_close(alpha.sum(2), torch.ones(2, 2))
    assert (alpha[:, 0, 4:] == 0).all() and (alpha[:, 0, :4] > 0).all()
    assert (alpha[:, 1] > 0).all() and alpha.std() > 0
    even = small(even=True)
    torch.testing.assert_close(
        even.sample(TEXT, seeded())[1][1],
        torch.tensor([[0.25] * 4 + [0.0] * 2, [1 / 6] * 6]),
    )


def test_padding_changes_nothing():
    net, noise = small(), torch.randn(2, 1, 3, generator=seeded())
    x = torch.ones(1, 1, 5, 5)
    for short, long in zip(net(TEXT[:1, :4], noise, x), net(TEXT[:1], noise, x), strict=True):
        torch.testing.assert_close(short, long[..., :4] if long.shape[-1] == 6 else long)


def test_hidden_words_get_no_attention_and_the_others_share_it():
    net, noise, hidden = small(), torch.randn(2, 2, 3, generator=seeded()), TEXT == 2
    whole, rest = net(TEXT, noise)[1][0], net(TEXT, noise, hidden=hidden)[1]
    assert (rest[:, hidden] == 0).all() and hidden.sum() == 2
    left = whole.masked_fill(hidden, 0)
    torch.testing.assert_close(rest[0], left / left.sum(1, keepdim=True))
    sampled = net.sample(TEXT, seeded(), hidden)[1]
    torch.testing.assert_close(sampled[0], rest[0])


def test_the_words_are_read_in_both_directions():
    # beside torch's own bidirectional LSTM on a caption without padding
    net = small()
    both = torch.nn.LSTM(32, 32, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, weight in net.forwards.named_parameters():
            getattr(both, name).copy_(weight)
        for name, weight in net.backwards.named_parameters():
            getattr(both, f"{name}_reverse").copy_(weight)
    said, real = net.read(TEXT)
    torch.testing.assert_close(said[1:], both(net.word(TEXT[1:]))[0])
    torch.testing.assert_close(said[:1, :4], both(net.word(TEXT[:1, :4]))[0])
    assert real.tolist() == [[True] * 4 + [False] * 2, [True] * 6]


# The whole, written again in NumPy


def by_hand(net, text, noise, x=None):
    """Canvases, attention and KL for one caption without padding, from the paper's equations."""
    p = {name: weight.detach().double().numpy() for name, weight in net.state_dict().items()}

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def lstm(name, tail, inputs, h, c):
        gates = p[f"{name}.weight_ih{tail}"] @ inputs + p[f"{name}.bias_ih{tail}"]
        gates = gates + p[f"{name}.weight_hh{tail}"] @ h + p[f"{name}.bias_hh{tail}"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def read(name, words):
        h, c, out = np.zeros(32), np.zeros(32), []
        for word in words:
            h, c = lstm(name, "_l0", p["word.weight"][word], h, c)
            out.append(h)
        return out

    back = read("backwards", text[::-1])[::-1]
    said = np.concatenate([np.stack(read("forwards", text)), np.stack(back)], axis=1)
    h, cell, infer, memory = (np.zeros(p["paint.weight"].shape[1]) for _ in range(4))
    canvas, s = p["blank"], net.size
    for t in range(net.steps):
        scores = (
            np.tanh(said @ p["U.weight"].T + p["U.bias"] + p["W.weight"] @ h) @ p["v.weight"][0]
        )
        alpha = np.exp(scores) / np.exp(scores).sum()
        prior_mu, prior_log = np.split(np.tanh(p["prior.weight"] @ h), 2)
        mu, log = prior_mu, prior_log
        if x is not None:
            pair = np.concatenate([x.ravel(), (x - sigmoid(canvas)).ravel()])
            r = p["look.weight"] @ pair + p["look.bias"]
            infer, memory = lstm("infer", "", np.concatenate([r, h]), infer, memory)
            mu, log = np.split(p["posterior.weight"] @ infer + p["posterior.bias"], 2)
        z = mu + np.exp(log) * noise[t]
        h, cell = lstm("generate", "", np.concatenate([z, alpha @ said]), h, cell)
        where = p["where.weight"] @ h + p["where.bias"]
        patch = (p["paint.weight"] @ h + p["paint.bias"]).reshape(net.patch, net.patch)
        F_y, F_x = (
            np.stack(
                [
                    np.exp(
                        -(
                            ((a - (s - 1) / 2 * (1 + at) - np.exp(where[2]) * i) / np.exp(where[3]))
                            ** 2
                        )
                        / 2
                    )
                    for i in np.arange(net.patch) - (net.patch - 1) / 2
                ]
            )
            for a, at in ((np.arange(s), where[0]), (np.arange(s), where[1]))
        )
        canvas = canvas + (F_y / F_y.sum(1)[:, None]).T @ patch @ (F_x / F_x.sum(1)[:, None])
        kl = prior_log - log - 0.5
        kl = (kl + (np.exp(2 * log) + (mu - prior_mu) ** 2) / (2 * np.exp(2 * prior_log))).sum()
        yield canvas, alpha, kl


@pytest.mark.parametrize("picture", [False, True])
def test_the_network_is_the_papers_equations(picture):
    net = small(seed=1, steps=3).double()
    for (
        weight
    ) in net.parameters():  # far from small numbers, where tanh would be nearly the identity
        weight.data.mul_(1.7)
    noise = torch.randn(3, 1, 3, generator=seeded(2), dtype=torch.float64)
    x = (torch.rand(1, 1, 5, 5, generator=seeded(3)) < 0.5).double() if picture else None
    with torch.no_grad():
        found = net(TEXT[1:], noise, x)
    bare = None if x is None else x[0, 0].numpy()
    for t, known in enumerate(by_hand(net, TEXT[1].tolist(), noise[:, 0].numpy(), bare)):
        for part, expected in zip(found, known, strict=True):
            expected = torch.as_tensor(np.asarray(expected))
            torch.testing.assert_close(part[t, 0].view(expected.shape), expected)
    if not picture:
        assert (found[2] == 0).all()


def test_the_first_latent_variable_is_standard_normal():
    assert not small().prior(torch.zeros(1, 6)).tanh().any()  # mean 0, log σ 0


def test_the_loss_is_the_missed_pixels_and_the_kl():
    net, x = small(), (torch.rand(2, 1, 5, 5, generator=seeded()) < 0.5).float()
    loss, kl = net.loss(x, TEXT, seeded(4))
    noise = torch.randn(2, 2, 3, generator=seeded(4))
    canvases, _, by_step = net(TEXT, noise, x)
    p = canvases[-1].sigmoid()
    missed = -(x * p.log() + (1 - x) * (1 - p).log()).sum() / 2
    torch.testing.assert_close(kl, by_step.sum() / 2)
    torch.testing.assert_close(loss, missed + kl)


def test_the_loss_is_a_bound_on_what_can_be_summed():
    # one latent number a step, two steps: −log p(x) by a sum over a grid of both noises
    net = small(seed=2, nz=1, size=3).double()
    for weight in net.parameters():
        weight.data.mul_(2)
    x = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.float64).view(1, 1, 3, 3)
    line = torch.linspace(-6, 6, 121, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    log_weight = -grid.square().sum(1) / 2 - math.log(2 * math.pi) + 2 * math.log(0.1)

    def exact():
        with torch.no_grad():
            logits = net(TEXT[1:].expand(len(grid), -1), grid.T[..., None].contiguous())[0][-1]
        given = F.logsigmoid(logits * (2 * x - 1)).sum((1, 2, 3))
        return -(log_weight + given).logsumexp(0).item()

    def bound():
        with torch.no_grad():
            many = x.expand(4000, -1, -1, -1), TEXT[1:].expand(4000, -1)
            return net.loss(*many, seeded())[0].item()

    assert abs(log_weight.logsumexp(0).item()) < 1e-6  # the noises' probabilities add up to 1
    assert bound() > exact() + 0.02
    step = AlignDrawStep(net, 0.01, generator=seeded())
    for part in (net.paint, net.generate, net.prior, net.where):
        part.requires_grad_(False)  # p(x) stays as it is, or nearly: only Q learns
    net.blank.requires_grad_(False)
    before = bound() - exact()
    for _ in range(60):
        step((x.expand(64, -1, -1, -1), TEXT[1:].expand(64, -1)))
    assert 0 < bound() - exact() < before


# Training and sampling


def test_the_loss_falls_and_a_caption_then_changes_the_picture():
    torch.manual_seed(0)
    net = AlignDraw(steps=3, width=48)
    step = AlignDrawStep(net, generator=seeded())
    g = seeded(1)
    batches = [placed_digits(48, generator=g) for _ in range(30)]
    history = train(step, [(b.x, b.text) for b in batches], 90)
    losses = history.losses["loss"]
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])
    assert min(history.losses["kl"]) >= 0
    text = tokeniser().encode([caption(1, 0), caption(1, 3)])
    noise = torch.randn(3, 1, net.nz, generator=seeded(2)).expand(-1, 2, -1)
    top, bottom = net(text, noise)[0][-1].sigmoid()
    assert (top - bottom).abs().max() > 0.05


def test_samples_are_reproducible_probabilities():
    net = small()
    (a, alpha), (b, _), (other, _) = (net.sample(TEXT, seeded(i)) for i in (0, 0, 1))
    assert a.shape == (2, 2, 1, 5, 5) and alpha.shape == (2, 2, 6)
    assert torch.equal(a, b) and not torch.equal(a, other)
    assert 0 < a.min() and a.max() < 1 and not a.requires_grad


def test_every_weight_learns():
    net = small()
    x = (torch.rand(2, 1, 5, 5, generator=seeded()) < 0.5).float()
    net.loss(x, TEXT, seeded())[0].backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_rate_falls_to_a_twentieth():
    batch = torch.ones(2, 1, 5, 5), TEXT
    falling, level = AlignDrawStep(small(), 0.1, steps=4), AlignDrawStep(small(), 0.1)
    rates = []
    for _ in range(6):
        rates.append(falling.optimizer.param_groups[0]["lr"])
        falling(batch), level(batch)
    assert rates == pytest.approx([0.1, 0.07625, 0.0525, 0.02875, 0.005, 0.005])
    assert level.optimizer.param_groups[0]["lr"] == 0.1


def test_the_step_runs_on_any_device():
    batch = placed_digits(4, generator=seeded())
    assert_step_runs_on_meta(
        lambda: AlignDrawStep(AlignDraw(width=8)), lambda: (batch.x, batch.text)
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: caption(10, 0), "digit must be a whole number, at least 0 and at most 9, got 10"),
        (lambda: caption(0, 4), "place must be .* at most 3, got 4"),
        (lambda: caption(0, 0, 3), "template must be .* at most 2, got 3"),
        (lambda: placed_digits(0), "n must be a whole number, at least 1 .* got 0"),
        (lambda: placed_digits(2, "dev"), "split must be one of train, test; got 'dev'"),
        (lambda: placed_digits(2, "test", "new"), "combinations must be one of all, seen, unseen"),
        (lambda: AlignDraw(steps=0), "steps must be a whole number, at least 1 .* got 0"),
        (lambda: AlignDraw(width=0), "width must be a whole number, at least 1, got 0"),
        (lambda: small().sample(TEXT + 5), r"text must lie in 0 … 8; got 5 … 13"),
        (lambda: small().sample(TEXT[0]), r"text must be \(B, L\) and not empty; got \(6,\)"),
        (lambda: small().sample(TEXT * 0), "text must have a word to be heard in each row"),
        (lambda: small().sample(TEXT, None, TEXT > 0), "text must have a word to be heard"),
        (
            lambda: small().sample(TEXT, None, TEXT[:1] > 9),
            r"hidden must be \(2, 6\); got \(1, 6\)",
        ),
        (
            lambda: small().align(torch.zeros(2, 6, 64), torch.zeros(2, 6), TEXT[:1] > 0),
            r"real must be \(2, 6\); got \(1, 6\)",
        ),
        (
            lambda: small()(TEXT, torch.zeros(2, 2, 4)),
            r"noise must be \(2, 2, 3\); got \(2, 2, 4\)",
        ),
        (
            lambda: small().loss(torch.zeros(1, 1, 5, 5), TEXT),
            r"x must be \(2, 1, 5, 5\); got \(1, 1, 5, 5\)",
        ),
        (
            lambda: found_places(torch.zeros(1, 1, 8, 8)),
            r"x must be \(n, 1, 18, 18\); got \(1, 1, 8, 8\)",
        ),
        (lambda: AlignDrawStep(small(), lr=0), "lr must be a finite number, above 0; got 0"),
        (
            lambda: kl_of_gaussians(*[torch.zeros(2, 3)] * 3, torch.zeros(2, 2)),
            r"prior_log_sigma must have the shape of mu, \(2, 3\); got \(2, 2\)",
        ),
        (
            lambda: windows(torch.zeros(2), torch.ones(2), torch.ones(3), 4, 2),
            r"sigma must have the shape of centre, \(2,\); got \(3,\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: AlignDraw(even=1), "even must be a bool; got int"),
        (lambda: AlignDrawStep(torch.nn.Linear(1, 1)), "net must be a AlignDraw; got Linear"),
        (lambda: small().sample(TEXT.float()), r"text must be whole numbers \(int64\); got"),
        (lambda: small().sample(TEXT, 3), "generator must be a torch.Generator or None; got int"),
        (
            lambda: small().loss(torch.ones(2, 1, 5, 5).long(), TEXT),
            "x must be a tensor of decimal",
        ),
    ],
)
def test_what_is_of_another_kind_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_caption_fits_into_twelve_places_and_needs_them():
    text = placed_digits(300, generator=seeded()).text
    assert text.shape == (300, 12) and (text[:, -1] > 0).any()


def test_digits_are_on_where_the_scans_are_bright():
    scans = data.load("digits")
    bright = {(scan > 127).to(torch.uint8).numpy().tobytes() for scan in scans.images[:, 0]}
    placed = placed_digits(50, generator=seeded())
    for x in placed.x[:, 0]:
        rows, columns = x.any(1).nonzero(), x.any(0).nonzero()
        assert rows.max() - rows.min() < 8 and columns.max() - columns.min() < 8
        windows_of = x.unfold(0, 8, 1).unfold(1, 8, 1).reshape(-1, 8, 8).to(torch.uint8)
        assert any(w.contiguous().numpy().tobytes() in bright for w in windows_of)


def test_the_middle_of_the_canvas_divides_the_places():
    x = torch.zeros(4, 1, 18, 18)
    for i, (row, column) in enumerate(((8, 8), (8, 9), (9, 8), (9, 9))):
        x[i, 0, row, column] = 1
    assert found_places(x)[0].tolist() == [0, 1, 2, 3]


def test_forget_gates_begin_open_and_strokes_sharp():
    net = small(width=6)
    for bias in (
        net.forwards.bias_ih_l0,
        net.backwards.bias_ih_l0,
        net.infer.bias_ih,
        net.generate.bias_ih,
    ):
        assert (bias.view(4, -1)[1] == 1).all()
    assert net.where.bias[3].item() == pytest.approx(-0.7)


def test_the_last_canvas_is_compared_with_the_picture():
    net, x = small(steps=3), (torch.rand(2, 1, 5, 5, generator=seeded()) > 0.5).float()
    noise = torch.randn(3, 2, 3, generator=seeded(4))
    canvases, _, kl = net(TEXT, noise, x)
    missed = F.binary_cross_entropy_with_logits(canvases[2], x, reduction="sum") / 2
    loss, of_kl = net.loss(x, TEXT, seeded(4))
    torch.testing.assert_close(loss, missed + kl.sum(0).mean())
    torch.testing.assert_close(of_kl, kl.sum(0).mean())


def test_what_a_step_returns_holds_no_graph():
    losses = AlignDrawStep(small(), generator=seeded())((torch.zeros(2, 1, 5, 5), TEXT))
    assert not any(loss.requires_grad for loss in losses.values())


def test_parts_of_the_network_refuse_what_does_not_fit():
    net = small()
    with pytest.raises(ValueError, match="text"):
        net.read(torch.full((1, 3), 9))
    with pytest.raises(ValueError, match="h must be"):
        net.write(torch.zeros(2, 7))
    with pytest.raises(ValueError, match="x must be"):
        net.loss(torch.zeros(2, 1, 6, 6), TEXT)
    with pytest.raises(TypeError, match="generator"):
        AlignDrawStep(net, generator=3)


def a_step(**options):
    """What the network has learned in one step."""
    net = small()
    x = (torch.rand(2, 1, 5, 5, generator=seeded()) < 0.5).float()
    AlignDrawStep(net, generator=seeded(), **options)((x, TEXT))
    return torch.cat([weight.flatten() for weight in net.parameters()])


def test_a_step_has_the_known_rate_unless_told():
    assert torch.equal(a_step(), a_step(lr=5e-3))
    assert not torch.equal(a_step(), a_step(lr=1e-2))
