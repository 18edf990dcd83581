import math

import pytest
import torch

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
