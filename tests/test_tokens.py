import contextlib
import inspect
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from course_lib import tokens, words
from course_lib.attention import Cache, causal_mask
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
from course_lib.words import tokeniser

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


# What is refused, and what holds unless told otherwise

LONG = torch.zeros(1, LENGTH, dtype=int)
BLANK = torch.zeros(1, SIDE**2, dtype=int)


@pytest.mark.parametrize("name", ["words", "codes", "side", "width", "heads", "length", "depth"])
def test_a_transformer_of_nothing_is_refused(name):
    sizes = dict(words=7, codes=5, side=3, width=4, depth=1, heads=2, length=6)
    with pytest.raises(ValueError, match=rf"^{name} must be .* at least 1.* got 0"):
        TokenTransformer(**sizes | {name: 0})


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda n: TokenTransformer(7, depth=1001), ValueError, "depth must be .* at most 1000"),
        (lambda n: n(torch.full((1, 2), 15), torch.arange(2)), ValueError, "ids .* 0 … 14; got 15"),
        (lambda n: n(torch.arange(2), torch.arange(2)), ValueError, r"ids must be \(B, n\)"),
        (lambda n: n(LONG, torch.arange(6) + 11), ValueError, "places must lie in 0 … 15; got 11"),
        (lambda n: n(LONG, torch.arange(6), causal_mask(6).int()), TypeError, "mask must be truth"),
        (lambda n: n(LONG, torch.arange(6), None, [Cache()]), ValueError, "caches must be 2, one"),
        (lambda n: n(LONG, torch.arange(6), None, [1, 2]), TypeError, "must be a Cache; got int"),
        (lambda n: n.told(LONG + 7), ValueError, "text must lie in 0 … 6; got 7"),
        (lambda n: n.told(LONG[0]), ValueError, r"text must be \(B, 6\); got \(6,\)"),
        (lambda n: n.drawn(BLANK + 5), ValueError, "image must lie in 0 … 4; got 5"),
        (lambda n: n.drawn(BLANK[:, :3], -1), ValueError, "first must be .* at least 0, got -1"),
        (lambda n: n.mark("PICTURE", 1), ValueError, "name must be one of IMAGE, TEXT, MASK"),
        (lambda n: n.mark("MASK", 0), ValueError, "n must be .* at least 1, got 0"),
        (lambda n: joined(), ValueError, "pieces must hold at least one; got none"),
        (
            lambda n: next_token_loss(torch.zeros(1, 3, 3), torch.tensor([[0, 1, 3]]), 1),
            ValueError,
            "tokens must lie in 0 … 2; got 1 … 3",
        ),
        (
            lambda n: next_token_loss(torch.zeros(1, 3, 3), BLANK[:, :3], 1, ignore=0.5),
            ValueError,
            "ignore must be a whole number",
        ),
        (lambda n: NextTokenStep(F.relu), TypeError, "model must be a TokenTransformer"),
        (lambda n: MaskedStep(F.relu), TypeError, "model must be a TokenTransformer"),
        (lambda n: nothing(LONG[0]), ValueError, "text must be a tensor of 2 dimensions"),
        (lambda n: nothing(LONG.float()), TypeError, "text must be whole numbers"),
        (lambda n: choose(torch.zeros(1, 2), 0), TypeError, "generator must be a torch.Generator"),
        (lambda n: choose(torch.zeros(1, 2), None, 0.0, 0), ValueError, "p must be .* above 0"),
        (lambda n: choose(torch.zeros(1, 2), None, 0.0, 1.5), ValueError, "p must be .* at most 1"),
        (
            lambda n: choose(torch.tensor([[0.0, math.nan]])),
            ValueError,
            "logits must be below infinity",
        ),
        (lambda n: left_hidden(0, 4), ValueError, "n must be .* at least 1, got 0"),
        (lambda n: left_hidden(4, 100_001), ValueError, "steps must be .* at most 100000"),
        (lambda n: log_likelihood(n, LONG, BLANK.repeat(2, 1)), ValueError, "image must be 1, a"),
        (lambda n: log_likelihood(n, LONG[0], BLANK), ValueError, "text must be a tensor of 2"),
        (lambda n: log_likelihood(F.relu, LONG, BLANK), TypeError, "net must be a TokenTrans"),
        (
            lambda n: draw_masked(n, LONG, start=torch.tensor([[-1] * 8 + [5]])),
            ValueError,
            "start must lie in 0 … 4; got 0 … 5",
        ),
        (
            lambda n: draw_masked(n, LONG, start=torch.full((1, 9), -1.0)),
            TypeError,
            "start must be whole numbers",
        ),
    ],
)
def test_each_argument_is_looked_at(call, error, message):
    with pytest.raises(error, match=message):
        call(small())


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(tokens=torch.zeros(8, dtype=int)), "tokens must be a tensor of 2 dimensions"),
        (dict(u=torch.tensor([0.5, math.nan])), "u must be finite"),
        (dict(u=torch.zeros(3)), r"u must be \(2,\); got \(3,\)"),
        (dict(ranks=torch.zeros(2, 3, dtype=int)), r"ranks must be \(2, 4\); got \(2, 3\)"),
        (dict(mask=-1), "mask must be .* at least 0, got -1"),
    ],
)
def test_hiding_asks_for_shapes_that_agree(change, message):
    fitting = dict(
        tokens=torch.ones(2, 4, dtype=int), u=torch.zeros(2), ranks=torch.arange(4).repeat(2, 1)
    )
    shown, _ = masked_input(**fitting, mask=0)  # 0 may be the mark
    assert shown.tolist() == [[0] * 4] * 2
    with pytest.raises(ValueError, match=message):
        masked_input(**fitting | {"mask": 0} | change)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(tokens=torch.zeros(3, dtype=int)), "tokens must be a tensor of 2 dimensions"),
        (dict(confidence=torch.tensor([[0.1, math.nan, 0]])), "confidence must be finite"),
        (dict(confidence=torch.zeros(1, 2)), r"confidence must be \(1, 3\); got \(1, 2\)"),
        (dict(left=1.5), "left must be a whole number"),
        (dict(mask=-1), "mask must be .* at least 0, got -1"),
    ],
)
def test_what_is_kept_asks_for_shapes_that_agree(change, message):
    fitting = dict(
        tokens=torch.tensor([[0, 0, 2]]),
        drawn=torch.tensor([[4, 5, 6]]),
        confidence=torch.tensor([[0.1, 0.2, 0.0]]),
    )
    assert keep_surest(**fitting, left=1, mask=0).tolist() == [[0, 5, 2]]
    with pytest.raises(ValueError, match=message):
        keep_surest(**fitting | {"left": 1, "mask": 0} | change)


@pytest.mark.parametrize(
    "drawn, options, error, message",
    [
        (drawn, options, error, message)
        for drawn in (draw_next, draw_masked, caption)
        for options, error, message in (
            (dict(generator=0), TypeError, "generator must be a torch.Generator"),
            (dict(temperature=-0.1), ValueError, "temperature must be .* at least 0; got -0.1"),
            (dict(guidance=math.nan), ValueError, "guidance must be a finite number"),
            (dict(guidance="1"), TypeError, "guidance must be a number"),
            (dict(noise=-0.1), ValueError, "noise must be .* at least 0; got -0.1"),
        )
        if options.keys() <= set(inspect.signature(drawn).parameters)
    ],
)
def test_a_bad_option_is_refused_before_anything_is_drawn(drawn, options, error, message):
    net, seen = small(), []
    net.head.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(error, match=message):
        drawn(net, BLANK if drawn is caption else LONG, **options)
    assert len(seen) <= (drawn is caption and "temperature" in options)


@pytest.mark.parametrize("drawn", [draw_next, draw_masked, caption])
def test_a_sampler_asks_for_its_network_and_rows_of_numbers(drawn):
    rows = BLANK if drawn is caption else LONG
    with pytest.raises(TypeError, match="net must be a TokenTransformer; got Linear"):
        drawn(torch.nn.Linear(2, 2), rows)
    with pytest.raises(ValueError, match="(text|image) must be a tensor of 2 dimensions"):
        drawn(small(), rows[0])


def test_a_mask_that_is_refused_leaves_the_caches_empty():
    caches = [Cache(), Cache()]
    with pytest.raises(TypeError, match="mask must be truth values"):
        small()(LONG, torch.arange(6), causal_mask(6).long(), caches)
    assert caches[0].k is None


def test_unless_told_it_is_the_transformer_of_the_course():
    net = TokenTransformer()
    n = len(tokeniser())
    assert (net.words, net.codes, net.length, net.n) == (n, 256, words.LENGTH, 64)
    assert net.token.weight.shape == (n + 259, 128) and len(net.blocks) == 4
    assert net.place.weight.shape == (words.LENGTH + 65, 128)
    assert net.head.weight.shape == (n + 256, 128)
    assert {block.attention.heads for block in net.blocks} == {4}
    assert net.marks == {"IMAGE": n + 256, "TEXT": n + 257, "MASK": n + 258}


def test_all_layers_together_begin_no_larger_than_one():
    torch.manual_seed(0)
    net = TokenTransformer(200, 100, 8, width=64, depth=8, heads=2, length=40)
    for table in (net.token, net.place):
        assert table.weight.mean().item() == pytest.approx(0, abs=2e-3)
        assert table.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for block in net.blocks:
        for layer in (block.attention.answer, block.down):
            assert layer.weight.mean().item() == pytest.approx(0, abs=5e-4)
            assert layer.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)  # 2 · 8 parts
            # of a normal distribution 1 weight in 22 lies beyond two deviations
            beyond = (layer.weight.abs() > 0.01).float().mean().item()
            assert beyond == pytest.approx(0.0455, abs=0.012)


def test_the_answer_is_the_head_of_the_layers_over_token_and_place():
    net, (image, text) = small(), batch(2)
    ids, places = joined(net.told(text), net.drawn(image, first=0))
    x = F.embedding(ids, net.token.weight) + F.embedding(places, net.place.weight)
    for block in net.blocks:
        x = block(x, causal_mask(15))
    x = F.layer_norm(x, (16,), net.norm.weight, net.norm.bias)
    expected = F.linear(x, net.head.weight, net.head.bias)
    torch.testing.assert_close(net(ids, places, causal_mask(15)), expected)
    assert not torch.allclose(net(ids, places), expected)


def test_a_token_of_minus_100_does_not_count_unless_told():
    logits, tokens = draw(1, 4, 3), torch.tensor([[0, 2, -100, 1]])
    log_p = logits[0].log_softmax(-1)
    expected = -(log_p[0, 2] + log_p[2, 1]) / 2
    torch.testing.assert_close(next_token_loss(logits, tokens, 1), expected)


# One step, written out


@pytest.fixture
def in_float32(monkeypatch):
    """Steps that compute as these tests do, whatever this machine is fast in."""
    choice = SimpleNamespace(autocast=contextlib.nullcontext)
    monkeypatch.setattr(tokens.device, "choose", lambda *_: choice)


def cross_entropy(scores, ids):
    return -scores.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)


def slopes(loss, net):
    """The gradient of a loss, no longer than 1."""
    found = torch.autograd.grad(loss, list(net.parameters()))
    length = torch.cat([slope.flatten() for slope in found]).norm()
    return [slope / max(length, 1) for slope in found]


def assert_slopes(net, expected):
    for weight, slope in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, slope, atol=2e-5, rtol=1e-3)


def test_a_step_on_next_tokens_is_what_its_docstring_says(in_float32):
    net, (image, text) = small(spread=0.6), batch(5)
    text[3, 3:] = torch.tensor([1, 0, 0])
    first = joined(net.told(text[:2]), net.mark("IMAGE", 2), net.drawn(image[:2]))
    rest = joined(
        net.mark("IMAGE", 3), net.drawn(image[2:]), net.mark("TEXT", 3), net.told(text[2:])
    )
    drawing, telling = net(*first, causal_mask(16)), net(*rest, causal_mask(17))
    picture = cross_entropy(drawing[:, 6:15], WORDS + image[:2]).mean()
    alone = cross_entropy(telling[:, :9], WORDS + image[2:]).mean()
    said = cross_entropy(telling[:, 10:16], text[2:])[text[2:] > 0].mean()
    step = NextTokenStep(net, steps=9)
    expected = slopes(picture + alone + said, net)
    for found in (step, NextTokenStep(small(spread=0.6), steps=9)):
        losses = found((image, text))
        assert losses.keys() == {"picture", "alone", "caption"}
        for loss, value in zip(losses.values(), (picture, alone, said), strict=True):
            torch.testing.assert_close(loss, value.detach())
            assert not loss.requires_grad
        assert_slopes(found.model, expected)


def test_a_step_on_hidden_tokens_is_the_mean_over_what_is_hidden(in_float32):
    net, (image, text), seen = small(spread=0.6), batch(6), []
    net.register_forward_pre_hook(lambda _, args: seen.append(args))
    torch.manual_seed(3)
    loss = MaskedStep(net, steps=9)((image, text))["loss"]
    ((ids, places),) = seen
    assert places.tolist() == list(range(15))
    hidden = ids[:, 6:] == net.marks["MASK"]
    assert torch.equal(ids[:, 6:][~hidden], WORDS + image[~hidden])
    own = small(spread=0.6)
    expected = cross_entropy(own(ids, places)[:, 6:, WORDS:], image)[hidden].mean()
    torch.testing.assert_close(loss, expected.detach())
    assert not loss.requires_grad
    assert_slopes(net, slopes(expected, own))


def test_all_shares_and_all_places_are_hidden_alike():
    net, (image, text), seen = small(), batch(200), []
    net.register_forward_pre_hook(lambda _, args: seen.append(args[0][:, 6:]))
    step = MaskedStep(net)
    torch.manual_seed(0)
    for _ in range(5):
        step((image, text))
    hidden = (torch.cat(seen) == net.marks["MASK"]).float()
    # ⌈9 cos(π u / 2)⌉ is above k for u below 2 / π arccos(k / 9)
    share = sum(2 / math.pi * math.acos(k / 9) for k in range(9)) / 9
    torch.testing.assert_close(hidden.mean(0), torch.full((9,), share), atol=0.06, rtol=0)
    counts = hidden.sum(1)
    assert counts.min() == 1 and counts.max() == 9
    assert (counts <= 4).float().mean().item() == pytest.approx(
        1 - 2 / math.pi * math.acos(4 / 9), abs=0.06
    )


@pytest.mark.parametrize("make", [NextTokenStep, MaskedStep])
def test_a_step_learns_at_two_thousandths_unless_told(make):
    # AdamW's first step moves a weight by the rate, of which a sixtieth comes first
    torch.manual_seed(0)
    for options, rate in (({}, 2e-3), ({"lr": 0.06}, 0.06)):
        step = make(small(), **options)
        bias = step.model.head.bias
        before = bias.detach().clone()
        step(batch(4))
        assert (bias - before).abs().max().item() == pytest.approx(rate / 60, rel=0.02)


@pytest.mark.parametrize("make", [NextTokenStep, MaskedStep])
def test_the_rate_ends_where_the_steps_do(make):
    step = make(small(), steps=2)
    rates = []
    for _ in range(2):
        step(batch(4))
        rates.append(step.optimizer.param_groups[0]["lr"])
    # of the warm-up the second of 60, half of the cosine; then nothing
    assert rates == pytest.approx([2e-3 * 2 / 60 / 2, 0])


def test_a_long_gradient_is_cut_and_none_is_added_up():
    net = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.zeros_(net.weight)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 0.5**n)
    for slope, expected in (
        ((6.0, 8.0), (-0.6, -0.8)),  # length 10 -> 1
        ((0.3, 0.4), (-0.75, -1.0)),  # length .5 stays, at half the rate
        ((-0.9, 1.2), (-0.6, -1.2)),  # length 1.5 -> 1, at a quarter
    ):
        tokens._descend(net(torch.tensor([slope])).sum(), net, optimizer, schedule)
        torch.testing.assert_close(net.weight.detach(), torch.tensor([expected]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [NextTokenStep, MaskedStep])
def test_a_transformer_may_compute_in_bfloat16_and_its_losses_do_not(make, monkeypatch):
    asked, seen = [], []
    choice = SimpleNamespace(autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    monkeypatch.setattr(tokens.device, "choose", lambda kind: asked.append(kind) or choice)
    step = make(small())
    step.model.head.register_forward_hook(lambda *call: seen.append(call[2].dtype))
    losses = step(batch(4))
    assert {*asked} == {"matrix products"} and {*seen} == {torch.bfloat16}
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


# Samplers, as they are unless told


def test_kept_keys_are_used_unless_told():
    net, seen = small(), []
    net.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    image = draw_next(net, LONG + 2)
    assert seen == [7, *[1] * 8]
    seen.clear()
    caption(net, image)
    assert seen == [11, *[1] * 5]
    seen.clear()
    draw_next(net, LONG + 2, guidance=2.0, cached=False)
    assert seen == [n for i in range(9) for n in (7 + i, 1 + i)]


def test_a_caption_is_drawn_where_there_is_a_temperature_and_from_the_seed():
    net, image = small(), batch(1)[0].expand(600, -1)
    a, b, other = (caption(net, image, seeded(i), temperature=2.0) for i in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, other)
    begin = joined(net.mark("IMAGE", 1), net.drawn(image[:1]), net.mark("TEXT", 1))
    expected = (net(*begin, causal_mask(11))[0, -1, :WORDS] / 2).softmax(-1)
    counts = torch.bincount(a[:, 0], minlength=WORDS) / 600
    torch.testing.assert_close(counts, expected, atol=0.07, rtol=0)
    assert (caption(net, image[:50]) == caption(net, image[:1])).all()  # 0 unless told


def test_of_every_picture_the_words_of_its_own_sentence_are_added_up():
    net, (image, text) = small(spread=0.6), batch(3)
    text[1, 2:] = torch.tensor([1, 0, 0, 0])
    found = log_likelihood(net, text, image)
    for row in range(3):
        total = 0.0
        for i, word in enumerate(text[row].tolist()):
            begin = joined(
                net.mark("IMAGE", 1),
                net.drawn(image[row : row + 1]),
                net.mark("TEXT", 1),
                net.told(text[row : row + 1, :i]) if i else net.mark("TEXT", 1),
            )
            ids, places = begin if i else (begin[0][:, :-1], begin[1][:-1])
            p = net(ids, places, causal_mask(len(places)))[0, -1, :WORDS].softmax(-1)
            total += p[word].log().item() if word else 0.0
        assert found[row].item() == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(
    "options, noise", [({}, 4.5), ({"noise": 1.0}, 1.0), ({"order": "random"}, math.inf)]
)
def test_gumbel_noise_chooses_places_as_a_softmax_does(options, noise):
    # the largest of a_i + s · Gumbel is i with probability softmax(a / s); of four places one more
    # stays in each of the first two of three steps, in which s is 2 / 3 and 1 / 3 of the noise
    net, n = TokenTransformer(3, 200, 2, width=4, depth=1, heads=1, length=2), 2000
    scores = torch.zeros(6, 203)
    scores[2:, 8] = torch.tensor([12.0, 4, 7, 2])
    net.head.register_forward_hook(lambda *call: scores.expand(len(call[2]), -1, -1))
    text = torch.tensor([[2, 1]]).expand(n, -1)
    film = draw_masked(net, text, seeded(), 3, temperature=0.0, trace=True, **options)
    first, second, last = (film.steps == 5).unbind()
    assert (first.sum(1) == 1).all() and (second.sum(1) == 2).all() and last.all()
    a = scores[2:, 3:].log_softmax(-1)[:, 5]
    p, chances = (a / (noise * 2 / 3)).softmax(0), torch.zeros(4, 4)
    for i in range(4):
        others = a.index_fill(0, torch.tensor(i), -1e9) / (1 if noise == math.inf else noise / 3)
        others = (others > -1e8).float() / 3 if noise == math.inf else others.softmax(0)
        chances[i] = p[i] * others
    pairs = first.int().argmax(1) * 4 + (second & ~first).int().argmax(1)
    found = torch.bincount(pairs, minlength=16).view(4, 4) / n
    torch.testing.assert_close(found, chances, atol=0.03, rtol=0)


def test_unless_told_masked_drawing_takes_eight_steps_without_guidance():
    net, seen, text = small(), [], batch(1)[1]
    net.register_forward_pre_hook(lambda _, args: seen.append(args[0][0].tolist()))
    found = draw_masked(net, text)
    assert isinstance(found, torch.Tensor) and found.shape == (1, 9)
    assert len(seen) == 8 and all(ids[:6] == text[0].tolist() for ids in seen)
    hidden = [ids.count(net.marks["MASK"]) for ids in seen]
    assert hidden == [9, *left_hidden(9, 8)[:-1]]


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_hidden_places_are_drawn_from_the_guided_probabilities(guidance):
    net, text = small(spread=0.6), batch(1)[1]
    hidden = torch.full((1, 9), net.marks["MASK"]), torch.arange(6, 15)
    told, silent = (
        net(*joined(net.told(t), hidden))[0, LENGTH:, WORDS:] for t in (text, nothing(text))
    )
    expected = (silent + guidance * (told - silent)).softmax(-1)
    many = text.expand(1200, -1)
    found = draw_masked(net, many, seeded(), steps=1, guidance=guidance)
    shares = F.one_hot(found, CODES).float().mean(0)
    torch.testing.assert_close(shares, expected, atol=0.06, rtol=0)
    cold = draw_masked(net, many, seeded(), steps=1, guidance=guidance, temperature=0.5)
    shares = F.one_hot(cold, CODES).float().mean(0)
    expected = (2 * (silent + guidance * (told - silent))).softmax(-1)
    torch.testing.assert_close(shares, expected, atol=0.06, rtol=0)


def test_known_tokens_may_be_the_first_code_and_the_only_one():
    net, text = small(), batch(2)[1]
    start = torch.tensor([[0, 0, 0, -1, 1, 1, 1, 1, 1], [1, 1, 1, -1, 1, 1, 1, 1, 0]])
    found = draw_masked(net, text, seeded(), steps=2, start=start)
    assert torch.equal(found[start >= 0], start[start >= 0])
    one = TokenTransformer(WORDS, 1, SIDE, width=16, depth=1, heads=2, length=LENGTH)
    assert not draw_masked(one, text, start=-(torch.arange(9) % 2).expand(2, -1)).any()


def test_chance_is_uniform_and_its_logarithms_are_finite(monkeypatch):
    like = torch.zeros(200, 100)
    u = tokens._uniform(like, seeded())
    assert u.shape == like.shape and 0 < u.min() and u.max() < 1
    assert u.mean().item() == pytest.approx(0.5, abs=0.01)
    assert u.var().item() == pytest.approx(1 / 12, abs=0.002)
    assert torch.equal(u, tokens._uniform(like, seeded()))
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.tensor([0.0, 1.0]).expand(shape))
    ends = tokens._uniform(torch.zeros(1, 2), None)
    assert (-ends.log()).log().isfinite().all()


def test_nothing_has_the_kind_of_numbers_that_came():
    assert nothing(torch.zeros(1, 2, dtype=torch.int32)).dtype == torch.int32


def test_the_smallest_share_hides_one_place():
    u, ranks = torch.ones(1), torch.tensor([[1, 0, 2]])
    assert masked_input(torch.ones(1, 3, dtype=int), u, ranks, 9)[0].tolist() == [[1, 9, 1]]


def test_a_nucleus_holds_all_of_p():
    even = torch.zeros(2, dtype=torch.float64)
    for p, kept in ((0.5, 1), (0.5 + 1e-6, 2), (0.5 + 2e-6, 2), (1, 2)):
        assert nucleus(even, p).isfinite().sum() == kept
