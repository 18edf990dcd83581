import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli

from course_lib import boltzmann, data
from course_lib.boltzmann import RBM, BeliefNetwork, CDStep, cd_gradient, draw, log_odds
from course_lib.training import train
from tests.helpers import assert_normal

from .helpers import assert_step_runs_on_meta


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def small():
    """W, b, c of ORACLES: two visible and two hidden units."""
    rbm = RBM(2, 2).double()
    rbm.W.copy_(tensor([1, -1], [0.5, 2]))
    rbm.b.copy_(tensor(0.2, -0.3))
    rbm.c.copy_(tensor(0.1, -0.4))
    return rbm


def any_rbm(visible, hidden, seed=0, scale=1.0):
    rbm = RBM(visible, hidden, seeded(seed)).double()
    for weight in (rbm.W, rbm.b, rbm.c):
        weight.copy_(scale * torch.randn(weight.shape, generator=seeded(seed + 1)))
    return rbm


def states(n):
    return tensor(*product((0.0, 1.0), repeat=n))


# The exact machine


def test_free_energies_are_the_known_numbers():
    expected = tensor(-1.25741191, -2.52138869, -1.80775274, -2.72138869)
    torch.testing.assert_close(small().free_energy(states(2)), expected, atol=1e-8, rtol=0)


def test_the_partition_function_is_the_known_number_from_either_side():
    assert small().log_partition().item() == pytest.approx(3.61792912, abs=1e-8)
    wide, tall = any_rbm(3, 6), any_rbm(6, 3)
    tall.W.copy_(wide.W.T)
    tall.b.copy_(wide.c)
    tall.c.copy_(wide.b)
    torch.testing.assert_close(wide.log_partition(), tall.log_partition())


def test_probabilities_are_the_known_numbers_and_add_up_to_one():
    p = small().log_likelihood(states(2)).exp()
    expected = tensor(0.09437140, 0.33402467, 0.16362527, 0.40797865)
    torch.testing.assert_close(p, expected, atol=1e-8, rtol=0)
    assert any_rbm(5, 4).log_likelihood(states(5)).exp().sum().item() == pytest.approx(1)


def test_the_partition_function_is_the_sum_over_all_joint_states():
    rbm = any_rbm(4, 3)
    energies = [-(rbm.b @ v) - rbm.c @ h - v @ rbm.W @ h for v in states(4) for h in states(3)]
    torch.testing.assert_close(rbm.log_partition(), (-torch.stack(energies)).logsumexp(0))


def test_both_conditionals_are_the_known_numbers():
    up, down = small().up(tensor([1, 0])), small().down(tensor([0, 1]))
    torch.testing.assert_close(up, tensor([0.75026011, 0.19781611]), atol=1e-8, rtol=0)
    torch.testing.assert_close(down, tensor([0.31002552, 0.84553473]), atol=1e-8, rtol=0)


def test_the_exact_gradient_is_the_known_one_and_autograds():
    rbm, v = small(), tensor([1, 0], [1, 1], [0, 1])
    dW, db, dc = rbm.exact_gradient(v)
    expected = tensor([0.06521891, -0.01462423], [-0.06255265, -0.04877043])
    torch.testing.assert_close(dW, expected, atol=1e-8, rtol=0)
    for weight in (rbm.W, rbm.b, rbm.c):
        weight.requires_grad_()
    rbm.log_likelihood(v).mean().backward()
    for found, weight in ((dW, rbm.W), (db, rbm.b), (dc, rbm.c)):
        torch.testing.assert_close(found, weight.grad)


def test_sums_over_too_many_states_are_refused():
    with pytest.raises(
        ValueError, match="one side must have at most 20 units to be summed; got 21"
    ):
        RBM(21, 30).log_partition()
    with pytest.raises(ValueError, match="hidden must be at most 20"):
        RBM(3, 21).exact_gradient(torch.zeros(1, 3))
    assert RBM(21, 3).log_partition().item() == pytest.approx(24 * math.log(2), abs=0.5)


# Contrastive divergence


def probe_one():
    v, W = tensor([1, 0]), tensor([2, -1], [0, 1])
    b, c = tensor(0, 0.5), tensor(-0.5, 0)
    return v, W, b, c, tensor([0.6, 0.6]), tensor([0.7, 0.5])


def test_contrastive_divergence_is_the_known_change():
    dW, db, dc = cd_gradient(*probe_one())
    expected = tensor(0, -0.2311, -0.8176, -0.5)
    torch.testing.assert_close(dW.flatten(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(db, tensor(0, -1), atol=1e-4, rtol=0)
    torch.testing.assert_close(dc, tensor(0, -0.2311), atol=1e-4, rtol=0)


def test_contrastive_divergence_is_a_mean_over_the_batch():
    v, W, b, c, u_h, u_v = probe_one()
    twice = [x.repeat(2, 1) for x in (v, u_h, u_v)]
    for one, two in zip(
        cd_gradient(v, W, b, c, u_h, u_v),
        cd_gradient(twice[0], W, b, c, twice[1], twice[2]),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


def test_the_step_takes_the_change_of_cd_gradient():
    v = draw(torch.full((6, 5), 0.5, dtype=torch.float64), seeded())
    rbm = any_rbm(5, 3)
    before = [w.clone() for w in (rbm.W, rbm.b, rbm.c)]
    uniform = seeded(7)
    u_h, u_v = (torch.rand(6, n, generator=uniform) for n in (3, 5))
    expected = cd_gradient(v, *before, u_h, u_v)
    CDStep(rbm, lr=0.1, decay=0.0, generator=seeded(7))(v)
    for weight, old, move in zip((rbm.W, rbm.b, rbm.c), before, expected, strict=True):
        torch.testing.assert_close(weight - old, 0.1 * move)


def test_many_reconstructions_come_near_the_exact_gradient():
    rbm, g = any_rbm(4, 3, scale=0.5), seeded(3)
    v = draw(torch.full((20_000, 4), 0.5, dtype=torch.float64), g)
    exact = rbm.exact_gradient(v)[0]
    q = rbm.gibbs(v, 30, g)
    found = (v.T @ rbm.up(v) - q.T @ rbm.up(q)) / len(v)
    torch.testing.assert_close(found, exact, atol=0.01, rtol=0)


def test_gibbs_sampling_reaches_the_distribution():
    rbm = small()
    v = rbm.gibbs(torch.zeros(40_000, 2, dtype=torch.float64), 20, seeded())
    counts = torch.bincount((v @ tensor(2, 1)).long(), minlength=4) / len(v)
    torch.testing.assert_close(
        counts.double(), rbm.log_likelihood(states(2)).exp(), atol=0.01, rtol=0
    )


def test_units_that_are_held_stay():
    rbm, held = any_rbm(5, 4), tensor([1, 0], [0, 1], [1, 1])
    v = rbm.gibbs(torch.zeros(3, 5, dtype=torch.float64), 5, seeded(), clamp=held)
    assert torch.equal(v[:, 3:], held)
    assert torch.equal(v, v.round())


def bars(n, generator):
    """4 × 4 pictures of which some rows are on."""
    on = (torch.rand(n, 4, generator=generator) < 0.5).double()
    return on.repeat_interleave(4, dim=1)


def test_the_exact_gradient_brings_the_likelihood_to_that_of_the_data():
    # 16 patterns, equally likely: −log 16 = −2.77 nats; independent pixels −16 log 2 = −11.09
    rbm = RBM(16, 8, seeded()).double()
    step = CDStep(rbm, lr=0.2, steps=1200, decay=0.0, exact=True)
    train(step, [bars(50, seeded(i)) for i in range(20)], 1200)
    assert -3.0 < rbm.log_likelihood(bars(500, seeded(99))).mean().item() < -2.7


def test_contrastive_divergence_comes_far_above_independent_pixels():
    # 12 hidden units, 8 × 8 digits: −20.9 to −21.0 nats by any gradient, −24.89 without units
    (x, _), (y, _) = digits("train"), digits("test")
    x, y, g = x.double(), y.double(), seeded(1)
    alone = Bernoulli(logits=log_odds(x)).log_prob(y).sum(1).mean().item()
    assert alone == pytest.approx(-24.89, abs=0.01)
    rbm = RBM(64, 12, seeded()).double()
    rbm.b.copy_(log_odds(x))
    step = CDStep(rbm, lr=0.1, momentum=0.0, decay=0.0, steps=1500, generator=g)
    for _ in range(1500):
        step(x[torch.randint(len(x), (100,), generator=g)])
    assert rbm.log_likelihood(y).mean().item() == pytest.approx(-20.9, abs=0.4)


def test_a_persistent_chain_goes_on_from_where_it_was():
    rbm = any_rbm(4, 3)
    step = CDStep(rbm, persistent=True, generator=seeded())
    v = draw(torch.full((5, 4), 0.5, dtype=torch.float64), seeded(1))
    step(v)
    first = step.memory.chains
    assert step.memory.start(v) is first and not torch.equal(first, v)
    assert CDStep(rbm).memory.start(v) is v
    state = step.memory.state_dict()
    other = CDStep(rbm, persistent=True)
    other.memory.load_state_dict(state)
    assert torch.equal(other.memory.chains, first) and other.memory.n == 1
    assert all(
        torch.equal(a, b) for a, b in zip(other.memory.speed, step.memory.speed, strict=True)
    )


def test_the_rate_falls_to_a_tenth_and_decay_pulls_towards_zero():
    rbm = any_rbm(3, 2)
    v = draw(torch.full((4, 3), 0.5, dtype=torch.float64), seeded())
    moves = []
    for n in (0, 50, 100, 1000):
        before = rbm.W.clone()
        step = CDStep(rbm, lr=1.0, steps=100, exact=True, momentum=0.0, decay=0.5)
        step.memory.n = n
        expected = rbm.exact_gradient(v)[0] - 0.5 * rbm.W
        step(v)
        moves.append(((rbm.W - before) / expected).mean().item())
    assert moves == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_the_step_runs_on_any_device():
    v = draw(torch.full((4, 6), 0.5), seeded())
    assert_step_runs_on_meta(lambda: CDStep(RBM(6, 5)), lambda: v)
    assert_step_runs_on_meta(lambda: CDStep(RBM(6, 5), persistent=True, k=2, steps=9), lambda: v)
    assert_step_runs_on_meta(lambda: CDStep(RBM(6, 5), exact=True), lambda: v)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: RBM(0, 3), "visible must be a whole number, at least 1, got 0"),
        (lambda: RBM(3, 2).up(torch.zeros(1, 2)), r"v must be \(B, 3\); got \(1, 2\)"),
        (lambda: RBM(3, 2).down(torch.zeros(1, 3)), r"h must be \(B, 2\); got \(1, 3\)"),
        (lambda: CDStep(RBM(3, 2), k=0), "k must be .* at least 1 and .* got 0"),
        (lambda: BeliefNetwork([64]), r"widths must hold visible and hidden units; got \[64\]"),
        (
            lambda: cd_gradient(*[x[:, :1] if i == 5 else x for i, x in enumerate(probe_one())]),
            r"u_v must be \(1, 2\); got \(1, 1\)",
        ),
        (
            lambda: cd_gradient(
                *[x.repeat(3, 1) if i == 4 else x for i, x in enumerate(probe_one())]
            ),
            r"u_h must be \(1, 2\); got \(3, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_draws_follow_their_probabilities():
    p = torch.tensor([0.0, 0.2, 1.0]).expand(20_000, 3)
    assert draw(p, seeded()).mean(0).tolist() == pytest.approx([0, 0.2, 1], abs=0.01)


def test_log_odds_make_a_machine_without_weights_the_independent_model():
    v = tensor([1, 1, 0], [1, 0, 0])
    b = log_odds(v)
    torch.testing.assert_close(b.sigmoid(), tensor(0.99, 0.5, 0.01))
    rbm = RBM(3, 2).double()
    rbm.W.zero_()
    rbm.b.copy_(b)
    expected = Bernoulli(logits=b).log_prob(v).sum(1)
    torch.testing.assert_close(rbm.log_likelihood(v), expected)


# The belief network


def test_the_network_of_2006_has_the_counted_weights():
    # 784-500-500-2000 and 10 labels, Hinton et al. 2006: 1,662,000 weights, with biases 1,665,794
    net = BeliefNetwork((784, 500, 500, 2000))
    assert sum(m.W.numel() for m in net.machines) == 1_662_000
    biases = sum(p.numel() for p in net.parameters()) - 1_662_000
    # each layer's biases once: a middle one has some as hidden and as visible units
    assert biases == 784 + 500 + 500 + 510 + 500 + 2000


def digits(split):
    images = data.load("digits", split)
    return (images.floats().flatten(1) > 0).float(), images.labels


def test_a_belief_network_learns_to_draw_and_to_recognise_digits():
    # 94.7 % recognised after 3,000 and 5,000 steps; here 700 each
    x, labels = digits("train")
    net = BeliefNetwork((64, 96, 128), generator=seeded())
    net.machines[0].b.copy_(log_odds(x))
    g = seeded(1)
    for level, machine in enumerate(net.machines):
        step = CDStep(machine, lr=0.1, steps=700, generator=g)
        for _ in range(700):
            rows = torch.randint(len(x), (64,), generator=g)
            below = net.lift(x[rows], level, g)
            step(net.with_labels(below, labels[rows]) if machine is net.top else below)
    y, truth = digits("test")
    assert (net.classify(y) == truth).float().mean() > 0.8
    asked = torch.arange(10).repeat(10)
    drawn = (net.sample(asked, 100, seeded(2)) > 0.5).float()
    assert drawn.shape == (100, 64)
    assert (net.classify(drawn) == asked).float().mean() > 0.7


def test_sampling_is_reproducible_and_starts_where_it_is_asked_to():
    net, labels = BeliefNetwork((6, 5, 4), 3, seeded()), torch.tensor([0, 2])
    a, b, other = (net.sample(labels, 3, seeded(i)) for i in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, other) and a.shape == (2, 6)
    net.top.W.zero_()
    net.top.b.copy_(torch.full((8,), 50.0))  # steps lead to ones, whatever the start
    net.machines[0].W.fill_(30.0)
    start = torch.zeros(2, 5)
    assert (net.sample(labels, 1, seeded(), start) > 0.99).all()


def test_lifting_goes_through_the_lower_machines_only():
    net, v = BeliefNetwork((6, 5, 4), 3, seeded()), torch.ones(2, 6)
    assert net.lift(v, 0) is v
    assert net.lift(v, 1, seeded()).shape == (2, 5)
    joined = net.with_labels(torch.zeros(2, 5), torch.tensor([0, 2]))
    assert joined[:, 5:].tolist() == [[1, 0, 0], [0, 0, 1]]


# What is drawn, and the formulas written out


def test_weights_begin_small_and_normal_and_biases_at_zero():
    rbm = RBM(300, 200, seeded())
    assert rbm.W.shape == (300, 200)
    assert_normal(rbm.W, 0.01)
    assert torch.equal(rbm.b, torch.zeros(300)) and torch.equal(rbm.c, torch.zeros(200))
    assert not any(weight.requires_grad for weight in rbm.parameters())


def test_the_same_seed_gives_the_same_machines():
    a, b, other = (RBM(6, 5, seeded(i)).W for i in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, other)
    a, b, other = (BeliefNetwork((6, 5, 4), generator=seeded(i)) for i in (0, 0, 1))
    for one, same, different in zip(a.machines, b.machines, other.machines, strict=True):
        assert torch.equal(one.W, same.W) and not torch.equal(one.W, different.W)


def test_a_unit_whose_number_is_its_probability_stays_off():
    # with h on, v' would be on at 0.98; with u_v below a half too
    W, zero, half = tensor([4.0]), tensor(0.0), tensor([0.5])
    for moved in cd_gradient(tensor([0.0]), W, zero, zero, half, half):
        assert not moved.any()
    for u_h, u_v in ((0.4999, 0.98), (0.5, 0.4999)):
        moved = cd_gradient(tensor([0.0]), W, zero, zero, tensor([u_h]), tensor([u_v]))
        assert moved[1].item() == -1


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def by_hand(v, W, b, c, u_h, u_v):
    """CD-1 of one row, unit by unit."""
    (V, H), W = W.shape, W.tolist()

    def up(v):
        return [sigmoid(c[j] + sum(v[i] * W[i][j] for i in range(V))) for j in range(H)]

    p = up(v)
    h = [float(u < q) for u, q in zip(u_h, p, strict=True)]
    on = [sigmoid(b[i] + sum(W[i][j] * h[j] for j in range(H))) for i in range(V)]
    w = [float(u < q) for u, q in zip(u_v, on, strict=True)]
    q = up(w)
    dW = tensor(*([v[i] * p[j] - w[i] * q[j] for j in range(H)] for i in range(V)))
    return dW, tensor(*(v[i] - w[i] for i in range(V))), tensor(*(p[j] - q[j] for j in range(H)))


def random_units(n, width, seed=0):
    return draw(torch.full((n, width), 0.5, dtype=torch.float64), seeded(seed))


def test_contrastive_divergence_is_that_of_each_unit():
    rbm, v = any_rbm(4, 3, seed=4), random_units(5, 4)
    u_h, u_v = (torch.rand(5, n, generator=seeded(n), dtype=torch.float64) for n in (3, 4))
    rows = [by_hand(r[0], rbm.W, rbm.b, rbm.c, *r[1:]) for r in zip(v, u_h, u_v, strict=True)]
    found = cd_gradient(v, rbm.W, rbm.b, rbm.c, u_h, u_v)
    for mean, parts in zip(found, zip(*rows, strict=True), strict=True):
        torch.testing.assert_close(mean, torch.stack(parts).mean(0))


def uniforms(generator, rbm, n):
    return [torch.rand(n, width, generator=generator) for width in (rbm.hidden, rbm.visible)]


def up_and_down(rbm, v, generator):
    u_h, u_v = uniforms(generator, rbm, len(v))
    h = (u_h < torch.sigmoid(F.linear(v, rbm.W.T, rbm.c))).to(v)
    return (u_v < torch.sigmoid(F.linear(h, rbm.W, rbm.b))).to(v)


def test_gibbs_sampling_draws_up_then_down_once_unless_told():
    rbm, v = any_rbm(6, 4), random_units(8, 6)
    once = up_and_down(rbm, v, seeded(3))
    assert torch.equal(rbm.gibbs(v, generator=seeded(3)), once)
    g = seeded(3)
    thrice = up_and_down(rbm, up_and_down(rbm, up_and_down(rbm, v, g), g), g)
    assert torch.equal(rbm.gibbs(v, 3, seeded(3)), thrice) and not torch.equal(once, thrice)
    assert torch.equal(rbm.gibbs(v, 0), v)
    every = random_units(8, 6, seed=1)
    assert torch.equal(rbm.gibbs(v, 2, seeded(), clamp=every), every)


def test_a_step_has_momentum_decay_and_one_reconstruction_unless_told():
    rbm, v, g = any_rbm(5, 3), random_units(6, 5), seeded(7)
    weights, speeds = [w.clone() for w in rbm.parameters()], [0.0, 0.0, 0.0]
    step = CDStep(rbm, generator=seeded(7))
    for _ in range(3):
        moves = [*cd_gradient(v, *weights, *uniforms(g, rbm, 6))]
        moves[0] -= 2e-4 * weights[0]
        speeds = [0.8 * s + 0.1 * move for s, move in zip(speeds, moves, strict=True)]
        weights = [w + s for w, s in zip(weights, speeds, strict=True)]
        step(v)
        for found, expected in zip(rbm.parameters(), weights, strict=True):
            torch.testing.assert_close(found.data, expected)


@pytest.mark.parametrize("k, persistent", [(1, False), (3, False), (2, True)])
def test_a_step_compares_the_data_with_its_own_reconstruction(k, persistent):
    rbm, g = any_rbm(5, 3), seeded(7)
    step = CDStep(rbm, 0.5, k, persistent, momentum=0.0, decay=0.0, generator=seeded(7))
    chains = None
    for n, rows in enumerate((6, 6, 4)):  # a chain cannot go on in a batch of another size
        v, before = random_units(rows, 5, seed=n), [w.clone() for w in rbm.parameters()]
        chains = chains if persistent and rows == 6 and n else v
        for _ in range(k):
            chains = up_and_down(rbm, chains, g)
        p, q = (torch.sigmoid(F.linear(x, rbm.W.T, rbm.c)) for x in (v, chains))
        moves = (
            torch.einsum("ni,nj->ij", v, p) / rows - torch.einsum("ni,nj->ij", chains, q) / rows,
            v.mean(0) - chains.mean(0),
            p.mean(0) - q.mean(0),
        )
        step(v)
        for found, old, move in zip(rbm.parameters(), before, moves, strict=True):
            torch.testing.assert_close(found - old, 0.5 * move)


def test_the_error_of_a_step_is_that_of_probabilities():
    rbm, v = any_rbm(5, 3), random_units(6, 5)
    again = torch.sigmoid(torch.sigmoid(v @ rbm.W + rbm.c) @ rbm.W.T + rbm.b)
    told = CDStep(rbm, lr=0.0)(v)
    assert told.keys() == {"error"}
    torch.testing.assert_close(told["error"], F.mse_loss(again, v))


def test_the_rate_falls_with_every_step_where_their_number_is_known():
    rbm, v = any_rbm(3, 2), random_units(4, 3)
    step = CDStep(rbm, lr=1.0, steps=3, exact=True, momentum=0.0, decay=0.0)
    for rate in (1.0, 0.7, 0.4, 0.1, 0.1):
        before, move = rbm.b.clone(), rbm.exact_gradient(v)[1]
        step(v)
        torch.testing.assert_close(rbm.b - before, rate * move)


def test_of_two_equal_sides_either_may_be_summed():
    rbm = any_rbm(3, 3)
    energies = [-(rbm.b @ v) - rbm.c @ h - v @ rbm.W @ h for v in states(3) for h in states(3)]
    torch.testing.assert_close(rbm.log_partition(), (-torch.stack(energies)).logsumexp(0))


def belief(widths, classes, seed=0):
    net = BeliefNetwork(widths, classes, seeded(seed))
    for i, weight in enumerate(net.parameters()):
        weight.copy_(torch.randn(weight.shape, generator=seeded(seed + i)))
    return net


def test_a_network_knows_ten_classes_and_its_top_is_the_last_machine():
    net = BeliefNetwork((7, 6, 5, 4))
    assert net.classes == 10 and net.top is net.machines[2]
    assert [(m.visible, m.hidden) for m in net.machines] == [(7, 6), (6, 5), (15, 4)]


def test_lifting_draws_each_layer_from_the_one_below():
    net, v, g = belief((6, 5, 4, 3), 2), random_units(9, 6).float(), seeded(5)
    expected = v
    for level, machine in enumerate(net.machines[:2], 1):
        p = torch.sigmoid(F.linear(expected, machine.W.T, machine.c))
        expected = (torch.rand(p.shape, generator=g) < p).float()
        if level == 1:
            assert torch.equal(net.lift(v, 1, seeded(5)), expected)
    assert torch.equal(net.lift(v, 2, seeded(5)), expected)
    assert BeliefNetwork((3, 2), 2).lift(torch.ones(2, 5), 1).shape == (2, 2)


@pytest.mark.parametrize("widths", [(4, 6), (6, 5, 4), (6, 5, 4, 3)])
@pytest.mark.parametrize("given", [False, True])
def test_a_picture_is_drawn_from_the_top_down_with_its_class_held(widths, given):
    net, labels, g = belief(widths, 3), torch.tensor([0, 2, 2, 1]), seeded(5)
    width = net.top.visible - 3
    start = random_units(4, width).float() if given else None
    coins = start if given else (torch.rand(4, width, generator=g) < 0.5).float()
    said = torch.eye(3)[labels]
    v = torch.cat([coins, said], 1)
    for _ in range(2):
        v = torch.cat([up_and_down(net.top, v, g)[:, :width], said], 1)
    h = torch.sigmoid(F.linear(v, net.top.W.T, net.top.c))
    p = torch.sigmoid(F.linear(h, net.top.W, net.top.b))[:, :width]
    for machine in list(net.machines)[-2::-1]:
        drawn = (torch.rand(p.shape, generator=g) < p).float()
        p = torch.sigmoid(F.linear(drawn, machine.W, machine.b))
    found = net.sample(labels, 2, seeded(5), start)
    torch.testing.assert_close(found, p)
    assert not found.requires_grad


def test_a_picture_takes_a_hundred_steps_unless_told():
    net, labels = belief((6, 5, 4), 3), torch.arange(3).repeat(5)
    found, other = net.sample(labels, generator=seeded(1)), net.sample(labels, 99, seeded(1))
    assert torch.equal(found, net.sample(labels, 100, seeded(1))) and not torch.equal(found, other)


@pytest.mark.parametrize("widths", [(4, 6), (6, 5, 4), (6, 5, 4, 3)])
def test_a_class_is_the_likeliest_one_beside_what_lies_below(widths):
    net, v = belief(widths, 3), random_units(40, widths[0]).float()
    below = v
    for machine in net.machines[:-1]:
        below = torch.sigmoid(F.linear(below, machine.W.T, machine.c))
    rows = [torch.cat([below, said.expand(40, 3)], 1) for said in torch.eye(3)]
    net.top.b[-3:] -= torch.stack([net.top.log_likelihood(x).mean() for x in rows])  # a close race
    likely = torch.stack([net.top.log_likelihood(x) for x in rows])
    found = net.classify(v)
    assert torch.equal(found, likely.argmax(0)) and len(found.unique()) > 1


def test_a_lone_machine_sees_labels_beside_the_picture():
    net = belief((4, 6), 3)
    joined = net.with_labels(torch.ones(2, 4), torch.tensor([1, 2], dtype=torch.int32))
    assert joined.tolist() == [[1, 1, 1, 1, 0, 1, 0], [1, 1, 1, 1, 0, 0, 1]]
    assert net.with_labels(torch.ones(1, 4), torch.tensor([0])).dtype == torch.float32


def test_draws_are_reproducible_and_as_precise_as_their_probabilities():
    p = torch.rand(4, 5, generator=seeded(1), dtype=torch.float64)
    expected = torch.rand(4, 5, generator=seeded(2)) < p
    found = draw(p, seeded(2))
    assert found.dtype == torch.float64 and torch.equal(found, expected.double())


@pytest.mark.parametrize("least, expected", [(0.01, 0.99), (0.2, 0.8), (0.5, 0.5)])
def test_log_odds_are_held_away_from_certainty(least, expected):
    odds = math.log(expected / (1 - expected))
    v = tensor([1, 0, 1, 1], [1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0])
    found = log_odds(v, least).tolist()
    middle = [math.log(3) if least < 0.25 else 0.0, -math.log(3) if least < 0.25 else 0.0]
    assert found == pytest.approx([odds, -odds, *middle])
    assert torch.equal(log_odds(v), log_odds(v, 0.01))


def with_nan(*shape):
    return torch.full(shape, math.nan)


def probe(**other):
    names = ("v", "W", "b", "c", "u_h", "u_v")
    return cd_gradient(**(dict(zip(names, probe_one(), strict=True)) | other))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: probe(v=tensor([1, 0, 1])), r"v must be \(B, 2\); got \(1, 3\)"),
        (lambda: probe(W=tensor(1, 2)), r"W must be \(V, H\); got \(2,\)"),
        (lambda: probe(b=tensor(1, 2, 3)), r"b must be \(2,\); got \(3,\)"),
        (lambda: probe(c=tensor(1, 2, 3)), r"c must be \(2,\); got \(3,\)"),
        (lambda: probe(b=torch.zeros(2)), "b must be torch.float64, .* got torch.float32"),
        (lambda: probe(c=torch.zeros(2)), "c must be torch.float64, .* got torch.float32"),
        *(
            (
                lambda name=name, i=i: probe(**{name: math.nan * probe_one()[i]}),
                f"{name} must be finite; it contains NaN",
            )
            for i, name in enumerate(("v", "W", "b", "c", "u_h", "u_v"))
        ),
        (lambda: RBM(3, 0), "hidden must be a whole number, at least 1, got 0"),
        (lambda: RBM(3, 2, 7), "generator must be a torch.Generator or None; got int"),
        (lambda: RBM(3, 2).up(with_nan(1, 3)), "v must be finite"),
        (lambda: RBM(3, 2).down(with_nan(1, 2)), "h must be finite"),
        (lambda: RBM(3, 2).free_energy(with_nan(1, 3)), "v must be finite"),
        (lambda: RBM(3, 2).free_energy(torch.zeros(1, 2)), r"v must be \(B, 3\); got \(1, 2\)"),
        (lambda: RBM(3, 2).up(torch.zeros(1, 3).double()), "v must be torch.float32"),
        (lambda: RBM(3, 2).exact_gradient(torch.zeros(1, 2)), r"v must be \(B, 3\)"),
        (lambda: RBM(3, 2).gibbs(torch.zeros(1, 2)), r"v must be \(B, 3\)"),
        (lambda: RBM(3, 2).gibbs(torch.zeros(1, 2), 0), r"v must be \(B, 3\)"),
        (lambda: RBM(3, 2).gibbs(torch.zeros(1, 3), 0, 7), "generator must be a torch.Generator"),
        (lambda: RBM(3, 2).gibbs(torch.zeros(1, 3), -1), "steps must be .* at least 0 .* got -1"),
        (
            lambda: RBM(3, 2).gibbs(torch.zeros(1, 3), 100_001),
            "steps must be .* at most 100000, got 100001",
        ),
        (
            lambda: RBM(3, 2).gibbs(torch.zeros(2, 3), clamp=torch.zeros(1, 2)),
            r"clamp must be \(2, C\); got \(1, 2\)",
        ),
        (
            lambda: RBM(3, 2).gibbs(torch.zeros(1, 3), clamp=torch.zeros(1, 4)),
            "clamp must have at most 3 columns",
        ),
        (lambda: CDStep(nn.Linear(3, 2)), "rbm must be a RBM; got Linear"),
        (lambda: CDStep(RBM(3, 2), lr=-0.1), "lr must be .* at least 0; got -0.1"),
        (lambda: CDStep(RBM(3, 2), momentum=-0.1), "momentum must be .* at least 0 .* got -0.1"),
        (lambda: CDStep(RBM(3, 2), momentum=1.1), "momentum must be .* at most 1; got 1.1"),
        (lambda: CDStep(RBM(3, 2), decay=-0.1), "decay must be .* at least 0; got -0.1"),
        (lambda: CDStep(RBM(3, 2), steps=0), "steps must be .* at least 1, got 0"),
        (lambda: CDStep(RBM(3, 2), k=100_001), "k must be .* at most 100000, got 100001"),
        (lambda: CDStep(RBM(3, 2), generator=7), "generator must be a torch.Generator"),
        (lambda: CDStep(RBM(3, 2))(torch.zeros(1, 2)), r"v must be \(B, 3\)"),
        (lambda: BeliefNetwork((3, 2), 0), "classes must be .* at least 1, got 0"),
        (lambda: BeliefNetwork((3, 0)), r"widths\[1\] must be .* at least 1 .* got 0"),
        (lambda: BeliefNetwork((3, 2), generator=7), "generator must be a torch.Generator"),
        (lambda: some_net().lift(torch.ones(2, 5), 1), r"v must be \(B, 6\); got \(2, 5\)"),
        (lambda: some_net().lift(torch.ones(2, 5), 0), r"v must be \(B, 6\); got \(2, 5\)"),
        (lambda: some_net().lift(with_nan(2, 6), 0), "v must be finite"),
        (lambda: some_net().lift(torch.ones(2, 6), -1), "level must be .* at least 0 .* got -1"),
        (lambda: some_net().lift(torch.ones(2, 6), 3), "level must be .* at most 2, got 3"),
        (lambda: some_net().lift(torch.ones(2, 6), 0, 7), "generator must be a torch.Generator"),
        (lambda: joined(torch.ones(1, 6), 0), r"v must be \(B, 5\); got \(1, 6\)"),
        (lambda: joined(torch.ones(1, 5).double(), 0), "v must be torch.float32"),
        (lambda: joined(torch.ones(1, 5), 3), "labels must lie in 0 … 2; got 3 … 3"),
        (lambda: joined(torch.ones(1, 5), -1), "labels must lie in 0 … 2; got -1 … -1"),
        (lambda: joined(torch.ones(2, 5), 0), r"labels must be \(2,\) .* got \(1,\)"),
        (lambda: some_net().sample(torch.tensor([3]), 1), "labels must lie in 0 … 2; got 3 … 3"),
        (lambda: some_net().sample(torch.tensor([[1]]), 1), r"labels must be \(B,\)"),
        (lambda: some_net().sample(torch.tensor([1]), 1, 7), "generator must be a torch.Gen"),
        (lambda: some_net().sample(torch.tensor([1]), -1), "steps must be .* at least 0"),
        (
            lambda: some_net().sample(torch.tensor([1]), 1, start=torch.ones(1, 6)),
            r"start must be \(B, 5\); got \(1, 6\)",
        ),
        (
            lambda: some_net().sample(torch.tensor([1]), 1, start=torch.ones(2, 5)),
            r"start must be \(1, 5\); got \(2, 5\)",
        ),
        (
            lambda: some_net().sample(torch.tensor([1]), 1, start=with_nan(1, 5)),
            "start must be finite",
        ),
        (lambda: some_net().classify(torch.ones(1, 5)), r"v must be \(B, 6\); got \(1, 5\)"),
        (lambda: some_net().classify(with_nan(1, 6)), "v must be finite"),
        (
            lambda: BeliefNetwork((4, 6), 3).classify(torch.ones(1, 7)),
            r"v must be \(B, 4\); got \(1, 7\)",
        ),
        (lambda: draw(torch.tensor([1])), "p must be a tensor of decimal numbers"),
        (lambda: draw(with_nan(1)), "p must be finite"),
        (lambda: draw(torch.ones(1), 7), "generator must be a torch.Generator"),
        (lambda: log_odds(torch.ones(3)), r"v must be \(n, V\); got \(3,\)"),
        (lambda: log_odds(with_nan(1, 2)), "v must be finite"),
        (lambda: log_odds(torch.ones(1, 2), 0), "least must be .* above 0 and at most 0.5; got 0"),
        (lambda: log_odds(torch.ones(1, 2), 0.6), "least must be .* at most 0.5; got 0.6"),
    ],
)
def test_a_bad_argument_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def some_net():
    return BeliefNetwork((6, 5, 4), 3)


def joined(v, label):
    return some_net().with_labels(v, torch.tensor([label]))


def test_what_is_checked_is_returned_as_it_is():
    v = torch.ones(1, 2)
    assert boltzmann._units("v", v, 2, v) is v
