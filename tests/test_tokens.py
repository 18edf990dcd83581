import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.attention import causal_mask
from course_lib.diffusion import guided_noise
from course_lib.tokens import (
    MaskedStep,
    NextTokenStep,
    TokenTransformer,
    _Reader,
    caption,
    choose,
    draw_masked,
    draw_next,
    joined,
    keep_surest,
    left_hidden,
    log_likelihood,
    masked_input,
    next_token_loss,
    nothing,
    nucleus,
)

from .helpers import _OneDevice, assert_step_runs_on_meta

WORDS, CODES, SIDE, LENGTH = 7, 5, 3, 6


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def small(seed=0, spread=0.3, **options):
    """A small transformer whose answers differ from place to place."""
    torch.manual_seed(seed)
    net = TokenTransformer(WORDS, CODES, SIDE, width=16, depth=2, heads=2, length=LENGTH, **options)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 2:
                weight.normal_(std=spread)
    return net.eval()


def batch(n=4, seed=0):
    image = torch.randint(CODES, (n, SIDE**2), generator=seeded(seed))
    text = torch.randint(2, WORDS, (n, LENGTH), generator=seeded(seed + 1))
    text[:, -2], text[:, -1] = 1, 0
    return image, text


# The network


def test_a_sequence_is_its_ids_and_its_places():
    net, (image, text) = small(), batch(2)
    ids, places = joined(net.told(text), net.mark("IMAGE", 2), net.drawn(image))
    assert ids[0].tolist() == [*text[0].tolist(), 12, *(image[0] + WORDS).tolist()]
    assert places.tolist() == [0, 1, 2, 3, 4, 5, 15, *range(6, 15)]
    assert net.drawn(image[:, 4:5], first=4)[1].tolist() == [10]
    assert [net.mark(name, 1)[0].item() for name in ("IMAGE", "TEXT", "MASK")] == [12, 13, 14]
    assert net(ids, places).shape == (2, 16, WORDS + CODES)


def test_the_transformer_of_vqgan_has_the_counted_weights():
    # 48 layers of 1,536, 16,384 codes, 256 places, counted from the authors' configuration:
    # 1,410,640,896. Ours also has a word, three marks, two more places and biases at its head
    with torch.device("meta"):
        net = TokenTransformer(1, 16_384, side=16, width=1536, depth=48, heads=16, length=1)
    more = 4 * 1536 + 2 * 1536 + 1536 + 16_385
    assert sum(p.numel() for p in net.parameters()) - more == 1_410_640_896


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda n: n(torch.zeros(1, 3, dtype=int), torch.arange(2)), r"places must be \(3,\)"),
        (lambda n: n.told(torch.zeros(1, 7, dtype=int)), r"text must be \(B, 6\); got \(1, 7\)"),
        (lambda n: n.drawn(torch.zeros(1, 10, dtype=int)), r"image must be \(B, 9\), row by row"),
        (lambda n: n.drawn(torch.zeros(1, 2, dtype=int), 8), r"image must be \(B, 9\)"),
        (lambda n: n.drawn(torch.zeros(1, 3, 3, dtype=int)), r"image must be \(B, 9\)"),
        (lambda n: NextTokenStep(n)(batch(1)), "a batch must hold at least 2 pictures; got 1"),
        (
            lambda n: draw_masked(n, batch(1)[1], order="sure"),
            "order must be one of confidence",
        ),
        (
            lambda n: draw_masked(n, batch(1)[1], start=torch.zeros(1, 4, dtype=int)),
            r"start must be \(1, 9\); got \(1, 4\)",
        ),
        (
            lambda n: draw_masked(n, batch(1)[1], start=torch.zeros(1, 9, dtype=int)),
            "start must have as many places to be drawn .* in each row, at least one",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(small())


# Next tokens


def test_the_loss_of_next_tokens_is_the_known_number():
    logits = torch.tensor([[[2.0, 0, 0], [0, 1, 0], [0, 0, 3], [1, 0, 0]]])
    tokens = torch.tensor([[0, 1, 2, 0]])
    assert next_token_loss(logits, tokens, 2).item() == pytest.approx(2.3232, abs=1e-4)


def test_each_token_is_told_by_the_place_before_it():
    tokens = torch.tensor([[1, 0, 2, 1], [0, 2, 2, 0]])
    sure = 50 * F.one_hot(tokens.roll(-1, 1), 3).float()
    assert next_token_loss(sure, tokens, 1).item() == pytest.approx(0, abs=1e-6)
    assert next_token_loss(torch.zeros(2, 4, 3), tokens, 3).item() == pytest.approx(math.log(3))
    sure[0, 2] = 0  # only place 3 of row 0 is in doubt: one of six
    assert next_token_loss(sure, tokens, 1).item() == pytest.approx(math.log(3) / 6)
    assert next_token_loss(sure, tokens, 1, ignore=1).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("start", [0, 4])
def test_a_start_outside_is_refused(start):
    with pytest.raises(ValueError, match=f"start must be .* at least 1 and at most 3, got {start}"):
        next_token_loss(torch.zeros(1, 4, 3), torch.zeros(1, 4, dtype=int), start)
    with pytest.raises(ValueError, match=r"tokens must be \(1, 4\); got \(1, 3\)"):
        next_token_loss(torch.zeros(1, 4, 3), torch.zeros(1, 3, dtype=int), 1)


def test_kept_keys_and_values_give_the_logits_of_the_plain_computation():
    net, (image, text) = small(), batch(3)
    ids, places = joined(net.told(text), net.mark("IMAGE", 3), net.drawn(image))
    whole = net(ids, places, causal_mask(len(places)))
    kept = _Reader(net, [net.told(text), net.mark("IMAGE", 3)], cached=True)
    anew = _Reader(net, [net.told(text), net.mark("IMAGE", 3)], cached=False)
    for i in range(net.n + 1):
        a, b = kept.scores(), anew.scores()
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(a, whole[:, LENGTH + i], atol=1e-5, rtol=1e-5)
        if i < net.n:
            for reader in (kept, anew):
                reader.add(net.drawn(image[:, i : i + 1], first=i))


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_kept_or_anew_the_same_pictures_and_captions_are_drawn(guidance):
    net, (image, text) = small(), batch(5)
    options = dict(guidance=guidance, p=0.9, temperature=0.8)
    a, b = (draw_next(net, text, seeded(), **options, cached=c) for c in (True, False))
    assert torch.equal(a, b) and a.shape == (5, 9)
    assert a.min() >= 0 and a.max() < CODES
    a, b = (caption(net, image, cached=c) for c in (True, False))
    assert torch.equal(a, b) and a.shape == (5, LENGTH) and a.max() < WORDS


def test_the_same_seed_draws_the_same_picture():
    net, text = small(), batch(6)[1]
    for drawn in (draw_next, draw_masked):
        a, b, other = (drawn(net, text, seeded(i)) for i in (0, 0, 1))
        assert torch.equal(a, b) and not torch.equal(a, other)


def test_drawing_follows_the_probabilities_of_the_network():
    # two places, three codes: every picture as often as the chain of probabilities says
    net = TokenTransformer(3, 3, 2, width=8, depth=1, heads=1, length=2).eval()
    net.n = 2
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 2:
                weight.normal_(std=0.7, generator=seeded(3))
    text = torch.tensor([[2, 1]])
    images = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    start = net.told(text.expand(9, -1)), net.mark("IMAGE", 9)
    ids, places = joined(*start, net.drawn(images))
    scores = net(ids, places, causal_mask(5))[:, :, 3:].log_softmax(-1)
    log_p = scores[:, 2].gather(1, images[:, :1]) + scores[:, 3].gather(1, images[:, 1:])
    drawn = draw_next(net, text.expand(20_000, -1), seeded())
    counts = torch.bincount(drawn @ torch.tensor([3, 1]), minlength=9) / 20_000
    torch.testing.assert_close(counts, log_p.exp().flatten(), atol=0.012, rtol=0)
    assert counts.max() > 2 * counts.min()


def test_guidance_of_next_tokens_is_a_power_of_probabilities():
    # p = (.5 .3 .2), q = (.2 .3 .5): p^w q^(1−w), normalised
    p, q = torch.tensor([0.5, 0.3, 0.2]).log(), torch.tensor([0.2, 0.3, 0.5]).log()
    for w, expected in (
        (2, (0.76687117, 0.18404908, 0.04907975)),
        (3, (0.90396297, 0.08678045, 0.00925658)),
    ):
        found = guided_noise(p, q, w).softmax(-1)
        torch.testing.assert_close(found, torch.tensor(expected), atol=1e-7, rtol=0)


def test_guidance_compares_with_the_picture_that_is_drawn_without_words():
    net, text = small(spread=0.6), batch(40)[1]
    text = text[:1].expand(400, -1)
    first = net(*joined(net.told(text[:1]), net.mark("IMAGE", 1)), causal_mask(7))[0, -1, WORDS:]
    alone = net(*net.mark("IMAGE", 1), causal_mask(1))[0, -1, WORDS:]
    expected = (alone + 3 * (first - alone)).softmax(-1)
    drawn = draw_next(net, text, seeded(), guidance=3.0)[:, 0]
    counts = torch.bincount(drawn, minlength=CODES) / 400
    torch.testing.assert_close(counts, expected, atol=0.08, rtol=0)


def test_a_caption_is_the_likeliest_word_each_time_and_ends():
    net, (image, _) = small(), batch(4)
    said = caption(net, image)
    ids, places = joined(
        net.mark("IMAGE", 4), net.drawn(image), net.mark("TEXT", 4), net.told(said)
    )
    scores = net(ids, places, causal_mask(len(places)))[:, net.n + 1 : -1, :WORDS]
    for row, best in zip(said.tolist(), scores.argmax(-1).tolist(), strict=True):
        end = row.index(1) if 1 in row else LENGTH - 1
        assert row[: end + 1] == best[: end + 1]
        assert not any(row[end + 1 :])


def test_reading_adds_up_the_probabilities_of_all_words_to_the_end():
    net, (image, text) = small(), batch(3)
    found = log_likelihood(net, text, image)
    longer = text.clone()
    longer[:, -1] = 0
    assert torch.equal(found, log_likelihood(net, longer, image))  # padding says nothing
    ids, places = joined(
        net.mark("IMAGE", 3), net.drawn(image), net.mark("TEXT", 3), net.told(text)
    )
    p = net(ids, places, causal_mask(len(places)))[..., :WORDS].log_softmax(-1)
    expected = sum(p[0, 10 + i, text[0, i]] for i in range(LENGTH - 1))
    torch.testing.assert_close(found[0], expected)


# Choosing


@pytest.mark.parametrize(
    "p, kept",
    [
        (0.4, (1, 0, 0, 0)),
        (0.5, (1, 0, 0, 0)),
        (0.6, (0.625, 0.375, 0, 0)),
        (0.8, (0.625, 0.375, 0, 0)),
        (0.9, (0.52631579, 0.31578947, 0.15789474, 0)),
        (1.0, (0.5, 0.3, 0.15, 0.05)),
    ],
)
def test_the_nucleus_of_four_tokens_is_the_known_one(p, kept):
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64).log()
    order = torch.tensor([2, 0, 3, 1])
    found = nucleus(logits[order], p).softmax(-1)
    expected = torch.tensor(kept, dtype=torch.float64)[order]
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)


def test_a_sure_token_stays_and_each_row_has_its_own_nucleus():
    p = torch.tensor([[0.15, 0.5, 0.05, 0.3], [0.05, 0.97, 0.01, 0.001]])
    kept = nucleus(p.log(), 0.6).isfinite()
    assert kept.tolist() == [[0, 1, 0, 1], [0, 1, 0, 0]]
    torch.testing.assert_close(nucleus(p.log(), 0.6)[kept], p.log()[kept])
    for bad in (0, 1.1, -0.5):
        with pytest.raises(ValueError, match="p must be .* above 0 and at most 1; got"):
            nucleus(p, bad)


def test_choices_follow_temperature_and_nucleus():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(20_000, 4)

    def shares(**options):
        return torch.bincount(choose(logits, seeded(), **options), minlength=4) / 20_000

    torch.testing.assert_close(shares(), logits[0].exp(), atol=0.012, rtol=0)
    torch.testing.assert_close(
        shares(temperature=0.5), (2 * logits[0]).softmax(0), atol=0.012, rtol=0
    )
    expected = torch.tensor([0.625, 0.375, 0, 0])
    torch.testing.assert_close(shares(p=0.6), expected, atol=0.012, rtol=0)
    assert choose(logits[:5].view(5, 1, 4), temperature=0).tolist() == [[0]] * 5
    with pytest.raises(ValueError, match="temperature must be .* at least 0; got -1"):
        choose(logits, temperature=-1)


# Filling in


def test_the_share_that_is_hidden_is_a_cosine_of_u():
    tokens = torch.tensor([[5, 6, 7, 8], [1, 2, 3, 4], [9, 9, 8, 8]])
    u, ranks = (
        torch.tensor([0.2, 0.75, 0.99]),
        torch.tensor([[2, 0, 3, 1], [1, 3, 0, 2], [0, 1, 2, 3]]),
    )
    shown, counts = masked_input(tokens, u, ranks, 10)
    # ⌈4 cos(π u / 2)⌉: 3.80 -> 4, 1.53 -> 2, 0.06 -> 1
    assert shown.tolist() == [[10] * 4, [10, 2, 10, 4], [10, 9, 8, 8]]
    assert counts.tolist() == [[1] * 4, [1, 0, 1, 0], [1, 0, 0, 0]]
    # mean share 2 / π, and below one half in a third of the batches
    u = torch.linspace(0, 1, 9001)
    many = masked_input(torch.zeros(9001, 64, dtype=int), u, torch.arange(64).expand(9001, 64), 1)[
        1
    ]
    assert many.float().mean().item() == pytest.approx(2 / math.pi + 0.5 / 64, abs=2e-3)
    assert (many.float().mean(1) <= 0.5).float().mean().item() == pytest.approx(1 / 3, abs=0.01)
    with pytest.raises(ValueError, match=r"u must be"):
        masked_input(tokens, u, ranks, 10)


@pytest.mark.parametrize(
    "steps, left",
    [
        (1, [0]),
        (4, [59, 45, 24, 0]),
        (8, [62, 59, 53, 45, 35, 24, 12, 0]),
        (12, [63, 61, 59, 55, 50, 45, 38, 32, 24, 16, 8, 0]),
    ],
)
def test_the_schedule_of_64_places_is_the_known_one(steps, left):
    assert left_hidden(64, steps) == left


def test_a_schedule_of_nothing_is_refused():
    with pytest.raises(ValueError, match="steps must be a whole number, at least 1 .*got 0"):
        left_hidden(64, 0)


def test_the_surest_places_stay_and_known_ones_always_do():
    tokens = torch.tensor([[9, 3, 9, 9, 9, 9], [9, 9, 9, 9, 9, 2]])
    drawn = torch.tensor([[1, 7, 2, 5, 4, 6], [6, 5, 4, 3, 2, 8]])
    sure = torch.tensor([[0.9, 0.05, 0.2, 0.4, 0.3, 0.6], [0.6, 0.8, 0.7, 0.55, 0.9, 0.01]])
    found = keep_surest(tokens, drawn, sure, 2, 9)
    assert found.tolist() == [[1, 3, 9, 5, 9, 6], [9, 5, 4, 9, 2, 2]]
    assert keep_surest(tokens, drawn, sure, 0, 9).tolist() == [
        [1, 3, 2, 5, 4, 6],
        [6, 5, 4, 3, 2, 2],
    ]
    with pytest.raises(ValueError, match="left must be .* at least 0, got -1"):
        keep_surest(tokens, drawn, sure, -1, 9)
    with pytest.raises(ValueError, match=r"drawn must be"):
        keep_surest(tokens, drawn[:1], sure, 1, 9)


@pytest.mark.parametrize("order", ["confidence", "random"])
def test_a_film_shows_ever_more_and_changes_nothing_that_was_shown(order):
    net, text = small(), batch(4)[1]
    film = draw_masked(net, text, seeded(), steps=4, order=order, guidance=2.0, trace=True)
    assert [(step < 0).sum(1).unique().tolist() for step in film.steps] == [
        [n] for n in left_hidden(9, 4)
    ]
    for before, after in zip(film.steps, film.steps[1:], strict=False):
        assert torch.equal(before[before >= 0], after[before >= 0])
    assert torch.equal(film.tokens, film.steps[-1]) and film.tokens.max() < CODES
    assert torch.equal(film.tokens, draw_masked(net, text, seeded(), 4, 2.0, order=order))


def test_known_tokens_are_kept_and_only_the_rest_is_drawn():
    net, (image, text) = small(), batch(3)
    start = image.clone()
    start[:, 2:5] = -1
    found = draw_masked(net, text, seeded(), steps=3, start=start)
    known = start >= 0
    assert torch.equal(found[known], image[known]) and found.min() >= 0


def test_without_chance_the_surest_places_are_decided_first():
    net, text = small(spread=0.6), batch(1)[1]
    film = draw_masked(net, text, seeded(), steps=9, temperature=0.0, noise=0.0, trace=True)
    masked = torch.full((1, 9), net.marks["MASK"]), net.drawn(torch.zeros(1, 9, dtype=int))[1]
    scores = net(*joined(net.told(text), masked))[0, LENGTH:, WORDS:].log_softmax(-1)
    first = (film.steps[0][0] >= 0).nonzero().flatten()
    best = scores.max(-1)
    count = 9 - left_hidden(9, 9)[0]
    assert sorted(first.tolist()) == sorted(best.values.topk(count).indices.tolist())
    assert torch.equal(film.steps[0][0][first], best.indices[first])


def test_nothing_is_an_end_and_padding():
    assert nothing(batch(2)[1]).tolist() == [[1, 0, 0, 0, 0, 0]] * 2


# Learning


def two_pictures(n=16):
    """Sentences "2" and "3", each with its picture."""
    which = torch.arange(n) % 2
    image = torch.stack([torch.arange(9) % 5, 4 - torch.arange(9) % 5])[which]
    text = torch.zeros(n, LENGTH, dtype=torch.int64)
    text[:, 0], text[:, 1] = 2 + which, 1
    return image, text


def untrained():
    torch.manual_seed(0)
    return TokenTransformer(WORDS, CODES, SIDE, width=32, depth=1, heads=2, length=LENGTH)


def test_next_tokens_learn_to_draw_from_words_and_to_say_what_is_drawn():
    net, (image, text) = untrained(), two_pictures()
    step = NextTokenStep(net, lr=1e-2, steps=120)
    first = step((image, text))
    assert first["picture"].item() == pytest.approx(math.log(WORDS + CODES), abs=0.3)
    for _ in range(119):
        last = step((image, text))
    assert last["picture"] < 0.02 and last["caption"] < 0.02
    # without words it can only toss a coin for the first place: log 2 / 9 a token
    assert last["alone"].item() == pytest.approx(math.log(2) / 9, abs=0.02)
    net.eval()
    assert torch.equal(draw_next(net, text, seeded(), temperature=0.0), image)
    assert torch.equal(caption(net, image)[:, :2], text[:, :2])
    own, other = log_likelihood(net, text, image), log_likelihood(net, text, image.roll(1, 0))
    assert (own > other).all()


def test_masked_tokens_learn_to_draw_from_words():
    net, (image, text) = untrained(), two_pictures()
    step = MaskedStep(net, lr=1e-2, steps=120)
    assert step((image, text))["loss"].item() == pytest.approx(math.log(CODES), abs=0.3)
    for _ in range(119):
        step((image, text))
    found = draw_masked(net.eval(), text, seeded(), steps=4, guidance=1.5, temperature=0.0)
    assert torch.equal(found, image)


def test_maps_of_tokens_are_taken_too():
    image, text = batch(4)
    for make in (NextTokenStep, MaskedStep):
        torch.manual_seed(1)
        flat = make(small(), steps=5)((image, text))
        torch.manual_seed(1)
        square = make(small(), steps=5)((image.view(4, 3, 3), text))
        assert {k: v.item() for k, v in flat.items()} == {k: v.item() for k, v in square.items()}


def test_one_sentence_in_ten_is_hidden(monkeypatch):
    net, heard = small(), []
    told = net.told
    net.told = lambda text: heard.append(text) or told(text)
    torch.manual_seed(0)
    step = MaskedStep(net)
    for _ in range(40):
        step(batch(50))
    silent = (torch.cat(heard) == nothing(torch.cat(heard))).all(1)
    assert silent.float().mean().item() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("make", [NextTokenStep, MaskedStep])
def test_the_steps_run_on_any_device(make):
    assert_step_runs_on_meta(lambda: make(small(), steps=9), batch)


def test_no_sampler_waits_for_the_device():
    with torch.device("meta"):
        net = TokenTransformer(WORDS, CODES, SIDE, width=16, depth=1, heads=2, length=LENGTH)
        image, text = torch.zeros(2, 9, dtype=int), torch.zeros(2, LENGTH, dtype=int)
    with _OneDevice():
        for found in (
            draw_next(net, text, guidance=2.0),
            draw_next(net, text, p=0.9, cached=False),
            caption(net, image),
            log_likelihood(net, text, image),
            draw_masked(net, text, steps=3, guidance=2.0),
        ):
            assert found.is_meta
