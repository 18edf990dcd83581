import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.attention import (
    Block,
    Cache,
    CrossAttention,
    SelfAttention,
    adamw,
    attention_weights,
    causal_mask,
    cross_attention,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_weights_are_torchs_scaled_dot_product_attention():
    q, k, v = draw(2, 3, 4, 8), draw(2, 3, 5, 8, seed=1), draw(2, 3, 5, 8, seed=2)
    mask = draw(2, 1, 4, 5, seed=3) > -0.5
    mask[..., 0] = True
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(attention_weights(q, k, mask) @ v, expected)
    torch.testing.assert_close(attention_weights(q, k, None).sum(-1), torch.ones(2, 3, 4))


def test_a_causal_mask_shows_the_past_and_the_place_itself():
    assert causal_mask(3).tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert causal_mask(2, past=2).tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    with pytest.raises(ValueError, match="n must be a whole number, at least 1 .*got 0"):
        causal_mask(0)


def test_equal_scores_under_a_causal_mask_give_running_means():
    # v = 1, 2, 6 -> 1, 1.5, 3
    v = torch.tensor([[1.0], [2.0], [6.0]])
    weights = attention_weights(torch.zeros(3, 2), torch.zeros(3, 2), causal_mask(3))
    torch.testing.assert_close(weights @ v, torch.tensor([[1.0], [1.5], [3.0]]))


def test_cross_attention_gives_the_known_weights_and_padding_is_silent():
    # Q [[1,0],[0,2]], K [[1,1],[0,2],[5,5]], the third is padding; computed by hand in float64
    x = torch.tensor([[[1.0, 0], [0, 2]]], dtype=torch.float64)
    words = torch.tensor([[[1.0, 1], [0, 2], [5, 5]]], dtype=torch.float64)
    real, eye = torch.tensor([[True, True, False]]), torch.eye(2, dtype=torch.float64)
    weights = attention_weights(x, words, real[:, None])[0]
    expected = torch.tensor([[0.66976155, 0.33023845, 0], [0.19557032, 0.80442968, 0]]).double()
    torch.testing.assert_close(weights, expected, atol=1e-7, rtol=0)
    # let in, the padding would get nearly all
    heard = attention_weights(x, words, None)[0, :, 2]
    torch.testing.assert_close(heard, torch.tensor([0.919, 0.982]).double(), atol=1e-3, rtol=0)
    Wv = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    found = cross_attention(x, words, eye, eye, Wv, real)
    expected = torch.tensor([[[0.6698, -1.3302], [0.1956, -1.8044]]]).double()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_a_sentence_of_one_word_is_answered_by_it_whatever_is_asked():
    words, real = draw(1, 4, 3), torch.tensor([[True, False, False, False]])
    Wq, Wk, Wv = draw(5, 2, seed=1), draw(3, 2, seed=2), draw(3, 6, seed=3)
    found = cross_attention(draw(1, 7, 5, seed=4), words, Wq, Wk, Wv, real)
    torch.testing.assert_close(found, (words[:, :1] @ Wv).expand(1, 7, 6))


def test_what_padding_holds_changes_nothing():
    x, words, real = (
        draw(2, 3, 4),
        draw(2, 5, 4, seed=1),
        torch.arange(5) < torch.tensor([[2], [4]]),
    )
    W = [draw(4, 4, seed=i) for i in (2, 3, 4)]
    before = cross_attention(x, words, *W, real)
    words[~real] = 1e4
    assert torch.equal(cross_attention(x, words, *W, real), before)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(real=torch.ones(1, 3)), "real must be truth values .bool.; got torch.float32"),
        (dict(real=torch.ones(1, 2, dtype=bool)), r"real must be \(1, 3\); got \(1, 2\)"),
        (dict(real=torch.zeros(1, 3, dtype=bool)), "real must be True somewhere in each row"),
        (dict(x=torch.zeros(2, 2, 2)), r"x and words must be \(B, n, d\) and \(B, m, e\)"),
        (dict(Wk=torch.zeros(2, 3)), r"Wk must be \(2, 2\); got \(2, 3\)"),
    ],
)
def test_cross_attention_refuses_what_does_not_fit(change, message):
    good = dict(x=torch.zeros(1, 2, 2), words=torch.zeros(1, 3, 2))
    good |= {name: torch.eye(2) for name in ("Wq", "Wk", "Wv")}
    good |= {"real": torch.ones(1, 3, dtype=torch.bool)}
    with pytest.raises((ValueError, TypeError), match=message):
        cross_attention(**good | change)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"mask must broadcast to \(1, 2, 3\); got \(2, 2\)"):
        attention_weights(draw(1, 2, 4), draw(1, 3, 4), torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="heads must divide width; got 3 heads of 8"):
        SelfAttention(8, 3)


def test_self_attention_is_torchs_multihead_attention():
    ours, theirs = SelfAttention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.ask.weight)
        theirs.in_proj_bias.copy_(ours.ask.bias)
        theirs.out_proj.load_state_dict(ours.answer.state_dict())
    x = draw(3, 5, 8)
    hidden = ~causal_mask(5)
    expected, _ = theirs(x, x, x, attn_mask=hidden)
    torch.testing.assert_close(ours(x, causal_mask(5)), expected)


def test_kept_keys_and_values_give_what_the_plain_computation_gives():
    block, x, cache = Block(16, 4), draw(2, 9, 16), Cache()
    whole = block(x, causal_mask(9))
    parts, past = [], 0
    for part in x.split([4, 1, 3, 1], dim=1):
        n = part.shape[1]
        parts.append(block(part, causal_mask(n, past), cache))
        past += n
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)
    assert cache.k.shape == (2, 4, 9, 4)


def test_a_causal_block_is_deaf_to_what_comes_later():
    block, x = Block(8, 2), draw(1, 6, 8)
    changed = x.clone()
    changed[:, 4:] = draw(1, 2, 8, seed=1)  # LayerNorm would not see a shift
    before, after = (block(v, causal_mask(6)) for v in (x, changed))
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    assert not torch.allclose(block(x)[:, :4], block(changed)[:, :4])  # without the mask it hears


def test_cross_attention_of_a_map_adds_nothing_at_first_and_learns_by_place():
    layer, x, words = CrossAttention(16, 8, heads=2), draw(2, 16, 3, 4), draw(2, 5, 8, seed=1)
    real = torch.arange(5) < torch.tensor([[2], [5]])
    y, weights = layer(x, words, real, return_weights=True)
    assert torch.equal(y, x)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 12))
    assert (weights[0, :, 2:] == 0).all() and weights.shape == (2, 12, 5)
    torch.nn.init.normal_(layer.answer.weight)
    y = layer(x, words, real)
    assert y.shape == x.shape and not torch.allclose(y, x)
    # row by row: a place keeps its place
    turned = layer(x.flip(2), words, real)
    torch.testing.assert_close(turned.flip(2), y, atol=1e-5, rtol=1e-5)


def test_the_learning_rate_rises_falls_to_zero_and_decays_matrices_only():
    net = Block(8, 2)
    optimizer, schedule = adamw(net, 1.0, steps=100, decay=0.1, warmup=10)
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.1) and rates[4] == pytest.approx(
        0.5 * (1 + math.cos(math.pi * 0.04)) / 2
    )
    assert rates[50] == pytest.approx(0.5) and rates[100] == pytest.approx(0, abs=1e-9)
    decayed, left = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1 and left["weight_decay"] == 0
    assert all(w.ndim == 2 for w in decayed["params"]) and all(w.ndim == 1 for w in left["params"])
    _, forever = adamw(net, 1.0, steps=None, warmup=2)
    assert forever.lr_lambdas[0](10_000) == 1


# Against torch's own layers


def made(layer):
    """The layer with weights that leave nothing at 0 or 1."""
    with torch.no_grad():
        for i, weight in enumerate(layer.parameters()):
            weight.copy_(0.5 * draw(*weight.shape, seed=i))
    return layer


@pytest.mark.parametrize("options, inside", [({}, 32), ({"mlp": 4}, 32), ({"mlp": 2}, 16)])
def test_a_block_is_torchs_encoder_layer_four_times_as_wide_inside_unless_told(options, inside):
    ours = made(Block(8, 2, **options))
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, inside, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(ours.attention.ask.weight)
        theirs.self_attn.in_proj_bias.copy_(ours.attention.ask.bias)
    pairs = [(theirs.self_attn.out_proj, ours.attention.answer), (theirs.linear1, ours.up)]
    pairs += [(theirs.linear2, ours.down), (theirs.norm1, ours.norm1), (theirs.norm2, ours.norm2)]
    for their, our in pairs:
        their.load_state_dict(our.state_dict())
    x, mask = draw(3, 5, 8), causal_mask(5)
    for given, hidden in ((None, None), (mask, ~mask)):
        expected = theirs(x, src_mask=hidden)
        torch.testing.assert_close(ours(x, given), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("width, groups", [(4, 1), (16, 1), (32, 2), (48, 3)])
@pytest.mark.parametrize("options, heads", [({}, 4), ({"heads": 2}, 2)])
def test_cross_attention_of_a_map_is_torchs_after_a_group_norm(width, groups, options, heads):
    layer = made(CrossAttention(width, 6, **options))
    theirs = torch.nn.MultiheadAttention(width, heads, kdim=6, vdim=6, batch_first=True)
    keys, values = layer.offer.weight.chunk(2)
    with torch.no_grad():
        theirs.q_proj_weight.copy_(layer.ask.weight)
        theirs.k_proj_weight.copy_(keys)
        theirs.v_proj_weight.copy_(values)
        theirs.in_proj_bias.copy_(torch.cat([layer.ask.bias, layer.offer.bias]))
        theirs.out_proj.load_state_dict(layer.answer.state_dict())
    x, words = draw(2, width, 3, 2), draw(2, 5, 6, seed=1)
    real = torch.arange(5) < torch.tensor([[2], [5]])
    normal = F.group_norm(x, groups, layer.norm.weight, layer.norm.bias)
    places = normal.view(2, width, 6).mT
    answers, heard = theirs(places, words, words, key_padding_mask=~real)
    y, weights = layer(x, words, real, return_weights=True)
    torch.testing.assert_close(y, x + answers.mT.reshape(2, width, 3, 2), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weights, heard, rtol=1e-4, atol=1e-5)
    assert torch.equal(layer(x, words, real), y)


def test_in_bfloat16_the_layers_answer_as_in_float32_only_coarser():
    x, words, real = draw(2, 3, 16), draw(2, 4, 6, seed=1), torch.ones(2, 4, dtype=torch.bool)
    one, two = made(SelfAttention(16, 2)), made(CrossAttention(16, 6))
    calls = (lambda: one(x, causal_mask(3)), lambda: two(x.mT[..., None], words, real))
    for call in calls:
        exact = call()
        with torch.autocast("cpu", torch.bfloat16):
            coarse = call()
        assert not torch.equal(coarse.float(), exact)
        assert (coarse - exact).norm() < 0.05 * exact.norm()


def test_a_cache_keeps_keys_and_values_in_the_order_in_which_they_came():
    cache, k, v = Cache(), draw(2, 3, 5, 4), draw(2, 3, 5, 2, seed=1)
    assert cache.k is None and cache.v is None
    for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
        found = cache.extend(k[:, :, part], v[:, :, part])
        assert torch.equal(found[0], k[:, :, : part.stop])
        assert torch.equal(found[1], v[:, :, : part.stop])
        assert cache.k is found[0] and cache.v is found[1]


# How transformers are trained


def test_an_optimizer_takes_a_twentieth_of_decay_and_sixty_steps_of_warm_up_unless_told():
    optimizer, schedule = adamw(Block(8, 2), 1.0, None)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0]
    assert all(group["betas"] == (0.9, 0.98) for group in optimizer.param_groups)
    (factor, *_) = schedule.lr_lambdas
    assert [factor(n) for n in (0, 29, 59, 600)] == pytest.approx([1 / 60, 1 / 2, 1, 1])


def test_a_step_without_a_slope_shrinks_matrices_and_leaves_biases():
    net = made(torch.nn.Linear(3, 2))
    weight, bias = net.weight.detach().clone(), net.bias.detach().clone()
    optimizer, _ = adamw(net, 0.5, None, decay=0.1, warmup=1)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(net.weight.detach(), weight * (1 - 0.5 * 0.1))
    assert torch.equal(net.bias, bias)


def test_the_rate_stays_at_zero_after_the_last_step():
    (factor, *_) = adamw(Block(8, 2), 1.0, 20, warmup=1)[1].lr_lambdas
    expected = [math.cos(math.pi * n / 40) ** 2 for n in range(20)] + [0, 0, 0]
    assert [factor(n) for n in (*range(20), 20, 25, 40)] == pytest.approx(expected, abs=1e-12)


# What is refused

REAL = torch.ones(1, 3, dtype=torch.bool)


def to_map(x=(1, 16, 2, 2), words=(1, 3, 8), real=REAL):
    return CrossAttention(16, 8)(torch.zeros(x), torch.zeros(words), real)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: attention_weights(draw(1, 2, 4), draw(1, 3, 5), None), "k must have the width"),
        (
            lambda: attention_weights(
                draw(2, 4), draw(2, 4), torch.ones(2, 2, dtype=torch.bool, device="meta")
            ),
            "mask must be on cpu, .* got meta",
        ),
        (lambda: causal_mask(100_001), "n must be .* at most 100000, got 100001"),
        (lambda: causal_mask(2, -1), "past must be .* at least 0 .* got -1"),
        (lambda: causal_mask(2, 100_001), "past must be .* at most 100000, got 100001"),
        (lambda: Cache().extend(draw(1, 2, 3), draw(1, 2, 3)), r"k must be \(B, heads, n, d\)"),
        (
            lambda: Cache().extend(draw(1, 2, 3, 4), draw(1, 2, 5, 4)),
            r"v must be \(1, 2, 3, d\); got \(1, 2, 5, 4\)",
        ),
        (lambda: SelfAttention(0, 1), "width must be .* at least 1, got 0"),
        (lambda: SelfAttention(8, 0), "heads must be .* at least 1, got 0"),
        (lambda: SelfAttention(8, 2)(draw(1, 3, 6)), r"x must be \(B, n, 8\); got \(1, 3, 6\)"),
        (lambda: Block(8, 3), "heads must divide width; got 3 heads of 8"),
        (lambda: Block(8, 2, 0), "mlp must be .* at least 1, got 0"),
        (lambda: Block(8, 2)(draw(1, 3, 6)), r"x must be \(B, n, 8\); got \(1, 3, 6\)"),
        (lambda: CrossAttention(8, 4, 3), "heads must divide width; got 3 heads of 8"),
        (lambda: CrossAttention(8, 0), "words_width must be .* at least 1, got 0"),
        (lambda: to_map(x=(1, 8, 2, 2)), r"x must be \(B, 16, h, w\); got \(1, 8, 2, 2\)"),
        (lambda: to_map(words=(2, 3, 8)), r"words must be \(1, m, 8\); got \(2, 3, 8\)"),
        (lambda: to_map(words=(1, 3, 6)), r"words must be \(1, m, 8\); got \(1, 3, 6\)"),
        (lambda: to_map(real=REAL[:, :2]), r"real must be \(1, 3\); got \(1, 2\)"),
        (lambda: to_map(real=~REAL), "real must be True somewhere in each row"),
        (lambda: adamw(Block(8, 2), -1, 5), "lr must be .* at least 0; got -1"),
        (lambda: adamw(Block(8, 2), 1, 0), "steps must be .* at least 1, got 0"),
        (lambda: adamw(Block(8, 2), 1, 5, decay=-1), "decay must be .* at least 0; got -1"),
        (lambda: adamw(Block(8, 2), 1, 5, warmup=0), "warmup must be .* at least 1, got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def kept_in_two_precisions():
    cache = Cache()
    cache.extend(draw(1, 2, 3, 4), draw(1, 2, 3, 4))
    cache.extend(draw(1, 2, 3, 4).double(), draw(1, 2, 3, 4).double())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: attention_weights(torch.ones(2, 2).int(), draw(2, 2), None), "q must be a tensor"),
        (lambda: attention_weights(draw(2, 2), draw(2, 2).double(), None), "k must be .*float32"),
        (lambda: attention_weights(draw(2, 2), draw(2, 2), torch.ones(2, 2)), "mask must be truth"),
        (kept_in_two_precisions, "k must be torch.float32, .* got torch.float64"),
        (lambda: SelfAttention(8, 2)(draw(1, 3, 8).double()), "x must be torch.float32"),
        (lambda: Block(8, 2)(draw(1, 3, 8).double()), "x must be torch.float32"),
        (lambda: CrossAttention(16, 8)([], draw(1, 3, 8), REAL), "x must be a tensor"),
        (lambda: to_map(real=REAL.float()), "real must be truth values"),
        (lambda: adamw([], 1, 5), "model must be a Module; got list"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", ["words", "Wq", "Wk", "Wv"])
def test_cross_attention_refuses_two_precisions(name):
    good = {"x": draw(1, 2, 2), "words": draw(1, 3, 2)} | {
        n: draw(2, 2) for n in ("Wq", "Wk", "Wv")
    }
    good[name] = good[name].double()
    with pytest.raises(TypeError, match=f"{name} must be torch.float32"):
        cross_attention(**good, real=REAL)


@pytest.mark.parametrize("change", [{"x": draw(2, 2)}, {"words": draw(3, 2)}])
def test_cross_attention_refuses_what_is_no_batch(change):
    good = {"x": draw(1, 2, 2), "words": draw(1, 3, 2)} | change
    with pytest.raises(ValueError, match=r"x and words must be \(B, n, d\) and \(B, m, e\)"):
        cross_attention(**good, Wq=draw(2, 2), Wk=draw(2, 2), Wv=draw(2, 2), real=REAL)


@pytest.mark.parametrize("name, sides", [("Wq", "2, k"), ("Wk", "2, 4"), ("Wv", "2, v")])
def test_cross_attention_refuses_a_matrix_of_another_height(name, sides):
    good = {"Wq": draw(2, 4), "Wk": draw(2, 4), "Wv": draw(2, 5)} | {name: draw(3, 4)}
    with pytest.raises(ValueError, match=rf"{name} must be \({sides}\); got \(3, 4\)"):
        cross_attention(draw(1, 2, 2), draw(1, 3, 2), **good, real=REAL)
