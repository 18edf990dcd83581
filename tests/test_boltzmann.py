import math
from itertools import product

import pytest
import torch
from torch.distributions import Bernoulli

from course_lib import data
from course_lib.boltzmann import RBM, BeliefNetwork, CDStep, cd_gradient, draw, log_odds
from course_lib.training import train

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
