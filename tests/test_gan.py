import copy
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from sklearn.neighbors import NearestNeighbors
from torch import nn

from course_lib import autoencoders, data, gan, plots
from course_lib.gan import (
    AdversarialStep,
    MLPDiscriminator,
    MLPGenerator,
    ToyDiscriminator,
    ToyGenerator,
    dirac_gan,
    frozen,
    jensen_shannon,
    latent_arithmetic,
    modes_covered,
    nearest_neighbours,
    optimal_discriminator,
    sample,
    snapshot,
)
from course_lib.gan_losses import LOSSES, BeganBalance
from course_lib.training import parts, train
from tests.helpers import assert_step_runs_on_meta


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class ConvGenerator(nn.Module):
    def __init__(self, nz=4):
        super().__init__()
        self.nz = nz
        self.net = nn.Sequential(
            nn.Unflatten(1, (nz, 1, 1)),
            nn.ConvTranspose2d(nz, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.net(z)


class ConvDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 4, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 1, 4),
            nn.Flatten(0),
        )

    def forward(self, x):
        return self.net(x)


class Labelled(nn.Module):
    """A player that is told the class of each of its rows."""

    def __init__(self, net, width, classes=3):
        super().__init__()
        self.net, self.classes, self.nz = net, classes, width

    def forward(self, x, labels):
        return self.net(torch.cat([x, F.one_hot(labels, self.classes).to(x.dtype)], dim=1))


def players(kind: str = "toy", seed: int = 0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    if kind == "conv":
        return ConvGenerator(), ConvDiscriminator()
    if kind == "labelled":
        generator = Labelled(ToyGenerator(nz=2 + 3, hidden=16), 2)
        return generator, Labelled(ToyDiscriminator(d=2 + 3, hidden=16), 2)
    if kind == "autoencoder":
        return ToyGenerator(hidden=16), nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    return ToyGenerator(hidden=16), ToyDiscriminator(hidden=16)


def batch(kind: str = "toy", n: int = 12):
    if kind == "conv":
        return draw(n, 1, 8, 8).tanh()
    return (draw(n, 2), torch.arange(n) % 3) if kind == "labelled" else draw(n, 2)


def state(net: nn.Module) -> dict:
    return copy.deepcopy(net.state_dict())


def changed(before: dict, net: nn.Module) -> set[str]:
    return {key for key, value in net.state_dict().items() if not torch.equal(before[key], value)}


def statistics(net: nn.Module) -> set[str]:
    return {key for key in net.state_dict() if "running" in key or "tracked" in key}


def weights(net: nn.Module) -> set[str]:
    return {name for name, _ in net.named_parameters()}


# One round


def test_a_round_is_algorithm_one_written_out():
    generator, discriminator = players()
    step = AdversarialStep(generator, discriminator, lr=1e-2)
    twins = copy.deepcopy([generator, discriminator])
    optimizers = [torch.optim.Adam(net.parameters(), 1e-2, (0.5, 0.999)) for net in twins]
    for seed in (5, 6):
        x = draw(12, 2, seed=seed)
        torch.manual_seed(seed)
        losses = step(x)
        torch.manual_seed(seed)
        fake = twins[0](torch.randn(12, 2))
        d_loss = F.softplus(-twins[1](x)).mean() + F.softplus(twins[1](fake.detach())).mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        d_loss.backward()
        optimizers[1].step()
        g_loss = F.softplus(-twins[1](fake)).mean()
        g_loss.backward()
        optimizers[0].step()
        torch.testing.assert_close(losses, {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()})
    for net, twin in zip((generator, discriminator), twins, strict=True):
        torch.testing.assert_close(net.state_dict(), twin.state_dict(), atol=1e-6, rtol=1e-4)


def test_a_step_of_the_discriminator_sends_nothing_into_the_generator():
    generator, discriminator = players("conv")
    step, x = AdversarialStep(generator, discriminator), batch("conv")
    fake = step.fake(12).detach()
    before, before_d = state(generator), state(discriminator)
    step.d_step(x, fake)
    assert changed(before, generator) == set()
    assert all(weight.grad is None for weight in generator.parameters())
    assert changed(before_d, discriminator) == set(discriminator.state_dict())
    assert discriminator.net[1].num_batches_tracked == 2  # data, then fakes


def test_a_step_of_the_generator_changes_nothing_in_the_discriminator():
    generator, discriminator = players("conv")
    step = AdversarialStep(generator, discriminator)
    before_g, before_d = state(generator), state(discriminator)
    step.g_step(step.fake(12))
    assert changed(before_d, discriminator) == set()
    assert all(weight.grad is None for weight in discriminator.parameters())
    assert all(weight.requires_grad for weight in discriminator.parameters())
    assert changed(before_g, generator) >= weights(generator)


@pytest.mark.parametrize("loss", ["non_saturating", "wgan_gp", "dragan"])
@pytest.mark.parametrize("d_steps", [1, 3])
def test_running_statistics_move_once_for_the_generator_and_twice_a_step_for_the_other(
    d_steps, loss
):
    generator, discriminator = players("conv")
    AdversarialStep(generator, discriminator, loss, d_steps=d_steps)(batch("conv"))
    assert generator.net[2].num_batches_tracked == 1
    assert discriminator.net[1].num_batches_tracked == 2 * d_steps
    for norm in (generator.net[2], discriminator.net[1]):
        assert norm.track_running_stats and norm.training


def test_the_early_steps_of_the_discriminator_leave_the_generator_as_it_was():
    # With G's learning rate at 0 only its statistics could move, by its own step: once.
    generator, discriminator = players("conv")
    before = state(generator)
    AdversarialStep(generator, discriminator, d_steps=4, g_lr=0.0)(batch("conv"))
    assert changed(before, generator) == statistics(generator)


def test_a_learning_rate_of_nought_holds_one_player():
    for name, index in (("g_lr", 0), ("d_lr", 1)):
        nets = players()
        before = [state(net) for net in nets]
        AdversarialStep(*nets, **{name: 0.0})(batch())
        assert changed(before[index], nets[index]) == set()
        assert changed(before[1 - index], nets[1 - index])


def test_each_step_of_the_discriminator_gets_its_own_share_of_the_batch():
    generator, discriminator = players()
    step, seen = AdversarialStep(generator, discriminator, d_steps=3), []
    d_step = step.d_step
    step.d_step = lambda real, fake, labels: seen.append((real, fake)) or d_step(real, fake, labels)
    x = batch(n=11)
    step(x)
    assert torch.equal(torch.cat([real for real, _ in seen]), x)
    assert [len(real) for real, _ in seen] == [len(fake) for _, fake in seen] == [4, 4, 3]
    assert not torch.equal(seen[0][1][:3], seen[2][1])  # and noise of its own


def test_still_lets_the_gradient_through_and_judges_by_the_batch():
    net, x = ConvDiscriminator(), batch("conv").requires_grad_()
    expected = net(x)
    before = state(net)
    with frozen(net):
        scores = net(x)
    scores.sum().backward()
    assert torch.equal(scores, expected) and x.grad.abs().sum() > 0
    assert changed(before, net) == set()
    assert all(weight.grad is None and weight.requires_grad for weight in net.parameters())


def test_still_gives_back_what_was_frozen_before_and_what_an_error_left():
    net = ConvDiscriminator()
    net.net[0].weight.requires_grad_(False)
    with pytest.raises(RuntimeError, match="on purpose"), frozen(net):
        raise RuntimeError("on purpose")
    assert not net.net[0].weight.requires_grad and net.net[3].weight.requires_grad
    assert net.net[1].track_running_stats


@pytest.mark.parametrize("kind", ["toy", "conv", "labelled"])
@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "began"])
def test_every_loss_trains_every_pair_of_players_unchanged(loss, kind):
    nets = players(kind)
    step = AdversarialStep(*nets, loss, d_steps=2)
    before = [state(net) for net in nets]
    losses = [step(batch(kind)) for _ in range(2)][-1]
    assert all(value.ndim == 0 and value.isfinite() for value in losses.values())
    assert all(not value.requires_grad for value in losses.values())
    assert losses.keys() == {"d_loss", "g_loss"} | (
        {"penalty"} if LOSSES[loss].penalty_points else set()
    )
    for old, net in zip(before, nets, strict=True):
        still_there = weights(net) - changed(old, net)
        assert len(still_there) <= 1  # a critic's last bias has no slope


def test_began_trains_an_autoencoder_and_moves_its_k():
    nets = players("autoencoder")
    step = AdversarialStep(*nets, "began", lr=1e-2)
    before = [state(net) for net in nets]
    losses = [step(batch()) for _ in range(3)][-1]
    assert losses.keys() == {"d_loss", "g_loss", "convergence"}
    assert isinstance(step.balance, BeganBalance) and step.balance.k > 0
    assert all(changed(old, net) for old, net in zip(before, nets, strict=True))


def test_began_refuses_a_discriminator_that_gives_scores():
    with pytest.raises(ValueError, match="autoencoder"):
        AdversarialStep(*players(), "began")(batch())


def test_weights_are_within_the_bound_after_a_step_that_clips():
    generator, discriminator = players()
    AdversarialStep(generator, discriminator, "wasserstein", lr=0.1)(batch())
    assert max(w.abs().max() for w in discriminator.parameters()) <= 0.01
    assert max(w.abs().max() for w in generator.parameters()) > 0.01


def test_the_penalty_holds_the_slope_of_the_critic_near_one():
    generator, discriminator = players()
    step = AdversarialStep(generator, discriminator, "wgan_gp", lr=1e-2, g_lr=0.0)
    first = step(batch(n=64))["penalty"]
    for _ in range(150):
        last = step(batch(n=64))["penalty"]
    assert last < 0.05 < 0.2 < first


def test_the_losses_of_a_student_take_the_place_of_the_named_ones():
    calls = []

    def g_loss(fake_scores):
        calls.append("g")
        return -fake_scores.mean()

    def d_loss(real_scores, fake_scores):
        calls.append("d")
        return fake_scores.mean() - real_scores.mean()

    step = AdversarialStep(*players(), "wgan_gp", g_loss=g_loss, d_loss=d_loss)
    assert "penalty" in step(batch()) and calls == ["d", "g"]
    one = AdversarialStep(*players(), "hinge", g_loss=g_loss)
    assert one.loss.d_loss is LOSSES["hinge"].d_loss and one.loss.g_loss is g_loss
    two = AdversarialStep(*players(), g_loss, d_loss)
    assert two.loss.g_loss is g_loss and two.loss.d_loss is d_loss and two.loss.clip is None


def test_labels_go_to_both_players():
    generator, discriminator = players("labelled")
    x, labels = batch("labelled")
    step, told = AdversarialStep(generator, discriminator), []
    for net in (generator, discriminator):
        net.register_forward_pre_hook(lambda net, args: told.append((net, args[1])))
    step((x, labels))
    assert [net for net, _ in told] == [generator, discriminator, discriminator, discriminator]
    assert all(torch.equal(given, labels) for _, given in told)


@pytest.mark.parametrize(
    "kind, loss",
    [
        *itertools.product(
            ["toy", "conv", "labelled"], [name for name in LOSSES if name != "began"]
        ),
        ("autoencoder", "began"),
    ],
)
def test_every_step_runs_on_any_device_and_waits_for_none(kind, loss):
    assert_step_runs_on_meta(
        lambda: AdversarialStep(*players(kind), loss, d_steps=2, ema=0.9, nz=nz(kind)),
        lambda: batch(kind),
    )


def nz(kind: str) -> int:
    return 4 if kind == "conv" else 2


@pytest.mark.parametrize("kind", ["toy", "labelled", "autoencoder"])
def test_the_course_loop_trains_it_and_finds_its_whole_state(kind):
    nets = players(kind)
    step = AdversarialStep(*nets, "began" if kind == "autoencoder" else "minimax", ema=0.9)
    history = train(step, itertools.repeat(batch(kind)), steps=3)
    assert history.steps == 3 and not history.stopped
    held = list(parts(step).values())
    expected = [*nets, step.g_optimizer, step.d_optimizer, step.ema]
    expected += [step.balance] if step.balance else []
    assert len(held) == len(expected) and all(any(a is b for b in held) for a in expected)


def test_the_same_seed_plays_the_same_game():
    ends = []
    for _ in range(2):
        nets = players()
        step = AdversarialStep(*nets)
        torch.manual_seed(3)
        for _ in range(3):
            step(batch())
        ends.append(nets[0].state_dict())
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=0)


def test_networks_without_convolutions_play_in_float32_and_the_others_as_the_device_says():
    choice = gan.device.choose()
    assert AdversarialStep(*players("conv")).precision == choice.autocast
    step = AdversarialStep(*players())
    with step.precision():
        assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.float32


# The sheet of samples


@pytest.mark.parametrize("ema", [None, 0.9])
def test_the_sheet_shows_the_same_noise_every_time_and_disturbs_nothing(monkeypatch, ema):
    step, sheets = AdversarialStep(*players("conv"), ema=ema), []
    monkeypatch.setattr(plots, "grid", lambda images, **options: sheets.append(images))
    step(batch("conv"))
    before, rng = state(step.generator), torch.get_rng_state()
    step.samples(), step.samples()
    assert torch.equal(*sheets) and sheets[0].shape == (64, 1, 8, 8)
    assert changed(before, step.generator) == set() and step.generator.training
    assert torch.equal(rng, torch.get_rng_state())
    net = step.ema.model if ema else step.generator.eval()
    with torch.no_grad():
        torch.testing.assert_close(sheets[0], net(step.fixed))


def test_the_sheet_of_a_conditional_generator_uses_labels_of_the_data(monkeypatch):
    step, sheets = AdversarialStep(*players("labelled")), []
    monkeypatch.setattr(plots, "grid", lambda images, **options: sheets.append(images))
    step(batch("labelled"))
    step.samples()
    assert sheets[0].shape == (12, 2)


def test_samples_is_a_figure_for_watch():
    step = AdversarialStep(MLPGenerator(nz=3, size=8, hidden=8), MLPDiscriminator(size=8, hidden=8))
    assert hasattr(step.samples(), "savefig")


def test_sample_draws_in_evaluation_mode_and_follows_its_generator():
    net = ConvGenerator()
    a, b, c = (sample(net, 5, generator=torch.Generator().manual_seed(i)) for i in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert net.training and not a.requires_grad and net.net[2].num_batches_tracked == 0
    z = gan.latents(5, 4, torch.Generator().manual_seed(1))
    torch.testing.assert_close(net.eval()(z[2:3])[0], a[2])  # BatchNorm looks at no other picture


def test_sample_draws_more_than_a_block_and_takes_labels():
    net = Labelled(ToyGenerator(nz=5, hidden=4), 2)
    labels = torch.arange(1200) % 3
    points = sample(net, 1200, labels=labels, generator=torch.Generator().manual_seed(0))
    z = torch.randn(1200, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(points, net(z, labels).detach())
    with pytest.raises(ValueError, match="labels"):
        sample(net, 4, labels=labels)
    with pytest.raises(ValueError, match="nz"):
        sample(nn.Linear(2, 2), 4)
    with pytest.raises(ValueError, match="n must"):
        sample(net, 0)


# What a step refuses


def test_an_unknown_loss_and_a_bad_number_of_steps_are_refused():
    with pytest.raises(TypeError, match="loss must be a name, a Loss or a function; got int"):
        AdversarialStep(*players(), 3)
    with pytest.raises(ValueError, match="loss must be one of minimax"):
        AdversarialStep(*players(), "wgan")
    for bad in (0, 1.5):
        with pytest.raises(ValueError, match="d_steps"):
            AdversarialStep(*players(), d_steps=bad)


def test_a_generator_must_say_its_noise():
    with pytest.raises(ValueError, match="nz"):
        AdversarialStep(nn.Linear(2, 2), ToyDiscriminator())
    AdversarialStep(nn.Linear(2, 2), ToyDiscriminator(), nz=2)(batch())


def test_fakes_of_another_shape_than_the_data_are_refused():
    with pytest.raises(ValueError, match=r"generator must make.*\(12, 1, 8, 8\).*\(12, 2\)"):
        AdversarialStep(ToyGenerator(), ConvDiscriminator())(batch("conv"))


def test_labels_of_another_number_are_refused():
    x, labels = batch("labelled")
    with pytest.raises(ValueError, match="labels must be as many"):
        AdversarialStep(*players("labelled"))((x, labels[:-1]))


def test_a_batch_too_small_for_batchnorm_or_for_the_steps_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        AdversarialStep(*players("conv"))(batch("conv", 1))
    with pytest.raises(ValueError, match="at least 3"):
        AdversarialStep(*players(), d_steps=3)(batch(n=2))
    AdversarialStep(*players())(batch(n=1))


# The best discriminator


def test_the_best_discriminator_is_the_share_of_data():
    p, q = torch.tensor([0.3, 0.2, 0.0, 0.5, 1e-30]), torch.tensor([0.1, 0.2, 0.4, 0.0, 3e-30])
    expected = torch.tensor([0.75, 0.5, 0, 1, 0.25])
    torch.testing.assert_close(optimal_discriminator(p, q), expected)
    assert optimal_discriminator(torch.zeros(1), torch.zeros(1)).item() == 0.5


def test_no_other_discriminator_has_a_smaller_loss_and_its_value_is_that_of_jensen_shannon():
    # Goodfellow et al. 2014: V(D*) = −log 4 + 2 JSD
    p, q = draw(6, seed=1).softmax(0), draw(6, seed=2).softmax(0)
    best = optimal_discriminator(p, q)

    def value(d):
        return (p * d.log() + q * (1 - d).log()).sum()

    assert value(best).item() == pytest.approx(-math.log(4) + 2 * jensen_shannon(p, q).item())
    for seed in range(20):
        other = (torch.logit(best) + 0.3 * draw(6, seed=seed)).sigmoid()
        assert value(other) < value(best)


def test_jensen_shannon_agrees_with_scipy():
    for seed in range(5):
        p, q = draw(9, seed=seed).mul(3).softmax(0), draw(9, seed=seed + 50).softmax(0)
        expected = jensenshannon(p.double(), q.double()) ** 2
        assert jensen_shannon(p, q).item() == pytest.approx(expected, rel=1e-5)


def test_jensen_shannon_is_nought_for_equals_and_log_two_for_strangers():
    p, q = torch.tensor([0.5, 0.5, 0, 0]), torch.tensor([0, 0, 0.25, 0.75])
    assert jensen_shannon(p, q).item() == pytest.approx(math.log(2))
    assert jensen_shannon(p, p).item() == 0
    # by hand: H(¾, ¼) − ½ log 2
    half = jensen_shannon(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0]))
    assert half.item() == pytest.approx(0.5623351 - 0.3465736, abs=1e-6)


def test_jensen_shannon_of_densities_on_a_grid_does_not_depend_on_the_grid():
    values = []
    for n in (2001, 801):
        x = torch.linspace(-8, 8, n, dtype=torch.float64)
        p, q = (torch.distributions.Normal(m, 1.0).log_prob(x).exp() for m in (-1.0, 1.0))
        values.append(jensen_shannon(p, q, dx=16 / (n - 1)).item())
    assert values[0] == pytest.approx(values[1], rel=1e-3)
    x = np.random.default_rng(0).normal(-1, 1, 400_000)  # another route: E log p/m by sampling
    route = np.log(2) - np.log1p(np.exp(2 * x)).mean()  # q/p = exp(2x); both halves are equal
    assert values[0] == pytest.approx(route, abs=3e-3)


def test_many_distributions_at_once():
    p, q = draw(4, 9, seed=1).softmax(1), draw(4, 9, seed=2).softmax(1)
    expected = torch.stack([jensen_shannon(*pair) for pair in zip(p, q, strict=True)])
    torch.testing.assert_close(jensen_shannon(p, q), expected)


@pytest.mark.parametrize("function", [optimal_discriminator, jensen_shannon])
def test_what_is_no_pair_of_densities_is_refused(function):
    fine = torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match="q must have the shape"):
        function(fine, torch.tensor([0.5, 0.25, 0.25]))
    for name, pair in (("p", (-fine, fine)), ("q", (fine, fine * float("nan")))):
        with pytest.raises(ValueError, match=f"{name} must be finite and at least 0"):
            function(*pair)


def test_jensen_shannon_refuses_what_does_not_sum_to_one():
    with pytest.raises(ValueError, match="q must sum to 1.*2"):
        jensen_shannon(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 1.0]))
    with pytest.raises(ValueError, match="dx must be .* got nan"):
        jensen_shannon(torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5]), float("nan"))
    with pytest.raises(TypeError, match="p must be a tensor of decimal numbers"):
        jensen_shannon(torch.tensor([1, 0]), torch.tensor([0, 1]))  # 0.69, and whole: 0


# Modes


def test_modes_are_covered_by_samples_within_three_spreads():
    centers = torch.tensor([[0.0, 0], [1, 0], [0, 1]])
    samples = torch.tensor([[0.05, 0], [0.0, 0.0], [1.29, 0], [0.0, 0.69], [5, 5]])
    found = modes_covered(samples, centers, sigma=0.1)
    assert found.modes == 2 and found.share == pytest.approx(3 / 5)
    assert found.counts.tolist() == [2, 1, 0]
    assert modes_covered(samples, centers, sigma=0.1, within=2).modes == 1


def test_the_data_cover_all_modes_with_the_share_of_a_gaussian():
    # P(‖x‖ < 3σ) in the plane is 1 − exp(−4.5) = 0.9889
    ring = data.toy2d("ring8", 20_000)
    found = modes_covered(ring.points, ring.centers, ring.sigma)
    assert found.modes == 8 and found.share == pytest.approx(0.9889, abs=0.003)


def test_modes_refuse_other_shapes_and_nan():
    centers = torch.zeros(3, 2)
    for bad in (torch.zeros(4, 3), torch.zeros(0, 2), torch.zeros(2)):
        with pytest.raises(ValueError, match="samples must be"):
            modes_covered(bad, centers, 0.1)
    with pytest.raises(ValueError, match="sigma"):
        modes_covered(torch.zeros(4, 2), centers, 0)
    with pytest.raises(ValueError, match="NaN"):
        modes_covered(torch.full((4, 2), float("nan")), centers, 0.1)
    with pytest.raises(ValueError, match="centers must be finite"):
        modes_covered(torch.zeros(4, 2), centers * float("nan"), 0.1)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="within must be"):
            modes_covered(torch.zeros(4, 2), centers, 0.1, bad)


def test_a_gan_learns_a_mixture_of_two():
    torch.manual_seed(0)
    step = AdversarialStep(ToyGenerator(nz=1, d=1), ToyDiscriminator(d=1), lr=2e-3)
    centers, generator = torch.tensor([[-1.0], [1.0]]), torch.Generator().manual_seed(0)
    for _ in range(600):
        sides = torch.randint(2, (128,), generator=generator)
        step(centers[sides] + 0.1 * torch.randn(128, 1, generator=generator))
    found = modes_covered(sample(step.generator, 1000, generator=generator), centers, 0.1)
    assert found.modes == 2 and found.share > 0.6


def test_a_trained_discriminator_comes_near_the_best_one():
    p, q = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(1.5, 0.6)
    torch.manual_seed(0)
    step = AdversarialStep(ToyGenerator(nz=1, d=1), ToyDiscriminator(d=1), lr=2e-3)
    for _ in range(400):
        step.d_step(p.sample((256, 1)), q.sample((256, 1)))
    x = torch.linspace(-4, 4, 401)
    best = optimal_discriminator(p.log_prob(x).exp(), q.log_prob(x).exp())
    with torch.no_grad():
        trained = step.discriminator(x[:, None]).sigmoid()
    assert (trained - best).abs().mean() < 0.05


# Neighbours and arithmetic of codes


@pytest.mark.parametrize("n, m, k", [(3, 7, 7), (5, 5000, 4), (300, 10, 1)])
def test_neighbours_agree_with_scikit_learn(n, m, k):
    queries, images = draw(n, 1, 3, 4, seed=1), draw(m, 1, 3, 4, seed=2)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(images.flatten(1).double())
    distances, indices = search.kneighbors(queries.flatten(1).double())
    found, far = nearest_neighbours(queries, images, k)
    assert torch.equal(found, torch.from_numpy(indices))
    torch.testing.assert_close(far, torch.from_numpy(distances).float())


def test_near_copies_are_told_apart_far_from_the_origin():
    # ‖a‖² − 2ab + ‖b‖² in float32 would lose these differences
    query = torch.full((1, 400), 100.0)
    images = query + torch.tensor([[0.003], [0.001], [0.002]])
    indices, distances = nearest_neighbours(query, images.repeat(20, 1)[:50], 3)
    assert indices.tolist() == [[1, 4, 7]]
    assert distances[0, 0].item() == pytest.approx(0.02, rel=0.05)


def test_pictures_of_bytes_do_not_wrap_around_and_a_copy_is_at_nought():
    images = torch.tensor([[250, 250], [10, 0], [3, 4]], dtype=torch.uint8)
    indices, distances = nearest_neighbours(torch.zeros(1, 2, dtype=torch.uint8), images, 3)
    assert indices.tolist() == [[2, 1, 0]] and distances[0, :2].tolist() == [5, 10]
    assert nearest_neighbours(images, images)[1].max() == 0


def test_neighbours_refuse_other_sizes_ranges_and_counts():
    x = draw(4, 1, 2, 2)
    with pytest.raises(ValueError, match="of one size"):
        nearest_neighbours(x, draw(4, 1, 3, 3))
    with pytest.raises(TypeError, match="one range"):
        nearest_neighbours(x, x.byte())
    for bad in (0, 5, 1.0, True):
        with pytest.raises(ValueError, match="k must be .* at most 4, got"):
            nearest_neighbours(x, x, bad)
    with pytest.raises(ValueError, match="NaN"):
        nearest_neighbours(x * float("nan"), x)
    with pytest.raises(ValueError, match="images must be finite"):  # far from all queries
        nearest_neighbours(x, torch.cat([x, x[:1] * float("nan")]))
    with pytest.raises(TypeError, match="queries must be real; got torch.complex64"):
        nearest_neighbours(x * 1j, x * 1j)


def test_a_direction_is_the_difference_of_means():
    z, yes, no = draw(3, 5), draw(4, 5, seed=1), draw(7, 5, seed=2)
    moved = latent_arithmetic(z, yes, no, strength=0.5)
    torch.testing.assert_close(moved, z + 0.5 * (yes.mean(0) - no.mean(0)))
    torch.testing.assert_close(latent_arithmetic(no.mean(0), yes, no), yes.mean(0))
    assert torch.equal(latent_arithmetic(z, yes, no, 0.0), z)


def test_latent_arithmetic_refuses_other_lengths_and_empty_sets():
    z, codes = draw(3, 5), draw(4, 5)
    for bad in (draw(4, 6), torch.zeros(0, 5), draw(5)):
        with pytest.raises(ValueError, match="with_attribute"):
            latent_arithmetic(z, bad, codes)
        with pytest.raises(ValueError, match="without_attribute"):
            latent_arithmetic(z, codes, bad)


def test_slerp_is_that_of_lecture_02():
    assert gan.slerp is autoencoders.slerp


# The networks


def test_toy_networks_keep_their_shapes_and_refuse_others():
    assert ToyGenerator(nz=3, d=1)(draw(5, 3)).shape == (5, 1)
    assert ToyDiscriminator(d=1)(draw(5, 1)).shape == (5,)
    with pytest.raises(ValueError, match=r"z must be \(B, 2\)"):
        ToyGenerator()(draw(5, 3))
    with pytest.raises(ValueError, match=r"x must be \(B, 2\)"):
        ToyDiscriminator()(draw(5))


def toy_snapshot(**options):
    return snapshot(AdversarialStep(ToyGenerator(), ToyDiscriminator()), draw(3, 2), **options)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: ToyGenerator(nz=-1), "nz"),
        (lambda: ToyGenerator(layers=10**12), "layers"),
        (lambda: ToyDiscriminator(hidden=1.5), "hidden"),
        (lambda: MLPGenerator(size=-1), "size"),
        (lambda: MLPDiscriminator(nc=0), "nc"),
        (lambda: sample(ToyGenerator(), 2, nz=0), "nz"),
        (lambda: sample(ToyGenerator(), True), "n"),
        (lambda: gan.latents(-1, 2), "n"),
        (lambda: toy_snapshot(reach=float("nan")), "reach"),
        (lambda: toy_snapshot(resolution=-1), "resolution"),
        (lambda: dirac_gan(steps=10**12), "steps"),
        (lambda: dirac_gan(start=(float("nan"), 0)), r"start\[0\]"),
        (lambda: latent_arithmetic(draw(3), draw(2, 3), draw(2, 3), float("nan")), "strength"),
    ],
)
def test_sizes_and_settings_that_cannot_be_are_named(make, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        make()


@pytest.mark.parametrize("nc, size", [(1, 28), (3, 9)])
def test_the_vanilla_gan_makes_pictures_and_scores_them(nc, size):
    generator, discriminator = MLPGenerator(7, nc, size), MLPDiscriminator(nc, size)
    x = generator(10 * draw(4, 7))
    assert x.shape == (4, nc, size, size) and x.abs().max() <= 1
    assert discriminator(x).shape == (4,)
    with pytest.raises(ValueError, match="z must be"):
        generator(draw(4, 8))
    with pytest.raises(ValueError, match="x must be"):
        discriminator(x[:, :, 1:])


# A look at a game in the plane


@pytest.fixture
def step_in_the_plane():
    torch.manual_seed(0)
    return AdversarialStep(ToyGenerator(), ToyDiscriminator())


def test_the_surface_is_what_the_discriminator_says_from_the_bottom_left(step_in_the_plane):
    step, z = step_in_the_plane, draw(5, 2)
    frame = snapshot(step, z, reach=2.0, resolution=5)
    assert frame.surface.shape == (5, 5)
    places = {(0, 0): (-2, -2), (0, 4): (2, -2), (4, 0): (-2, 2), (3, 1): (-1, 1)}
    for (row, column), (x, y) in places.items():
        says = step.discriminator(torch.tensor([[float(x), float(y)]])).sigmoid()
        torch.testing.assert_close(frame.surface[row, column], says[0])
    torch.testing.assert_close(frame.fake, step.generator(z))
    assert not any(part.requires_grad for part in frame)


def test_arrows_point_uphill_on_d_by_the_slope_of_the_loss(step_in_the_plane):
    step = step_in_the_plane
    frame = snapshot(step, draw(30, 2))
    x = frame.fake.clone().requires_grad_()
    scores = step.discriminator(x)
    (uphill,) = torch.autograd.grad(scores.sum(), x)
    # −d/ds (−log σ(s)) = σ(−s), along the slope of the score
    torch.testing.assert_close(frame.arrows, scores.detach().neg().sigmoid()[:, None] * uphill)
    there = step.discriminator(frame.fake + 1e-2 * F.normalize(frame.arrows, dim=1))
    assert (there > scores).all()


def test_an_arrow_does_not_depend_on_the_number_of_points(step_in_the_plane):
    z = draw(30, 2)
    all_of_them, three = snapshot(step_in_the_plane, z), snapshot(step_in_the_plane, z[:3])
    torch.testing.assert_close(all_of_them.arrows[:3], three.arrows)


def test_a_loss_that_pushes_back_turns_the_arrows_around(step_in_the_plane):
    step, z = step_in_the_plane, draw(30, 2)
    away = AdversarialStep(step.generator, step.discriminator, g_loss=lambda s: s.mean())
    assert (F.cosine_similarity(snapshot(step, z).arrows, snapshot(away, z).arrows) < -0.999).all()


def test_looking_changes_neither_network():
    def normed(inputs, outputs):
        layers = nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, outputs)
        return nn.Sequential(*layers)

    generator, discriminator = normed(2, 2), nn.Sequential(normed(2, 1), nn.Flatten(0))
    step = AdversarialStep(generator, discriminator, nz=2)
    before = [state(net) for net in (generator, discriminator)]
    snapshot(step, draw(9, 2))
    for old, net in zip(before, (generator, discriminator), strict=True):
        assert changed(old, net) == set()  # running statistics too
        assert all(weight.grad is None and weight.requires_grad for weight in net.parameters())
        assert net.training and all(m.training for m in net.modules())


# One number against one number


def test_simultaneous_steps_of_the_bilinear_game_spiral_outwards():
    orbit = dirac_gan("wasserstein", start=(1.0, 0.0), lr=0.1, steps=50)
    radius = orbit.norm(dim=1)
    expected = (1 + 0.1**2) ** (torch.arange(51, dtype=torch.float64) / 2)
    torch.testing.assert_close(radius, expected)
    # the first step by hand: G has no slope at ψ = 0; D descends ∂(ψθ)/∂ψ = θ = 1
    torch.testing.assert_close(orbit[1], torch.tensor([1.0, -0.1], dtype=torch.float64))


def test_alternating_steps_stay_on_an_ellipse():
    # θ² + ψ² − lr θψ does not change where D moves first
    orbit = dirac_gan("wasserstein", start=(1.0, 0.5), lr=0.2, steps=400, alternating=True)
    theta, psi = orbit.unbind(1)
    invariant = theta.square() + psi.square() - 0.2 * theta * psi
    torch.testing.assert_close(invariant, invariant[:1].expand_as(invariant))
    assert theta.min() < -0.9


def test_a_penalty_at_the_data_brings_the_game_to_rest():
    # Mescheder et al. 2018, theorem 4.1: with R1 the Dirac GAN converges
    for loss in ("wasserstein", "minimax"):
        orbit = dirac_gan(loss, start=(1.0, 1.0), lr=0.1, steps=600, r1=1.0)
        assert orbit[-1].norm() < 1e-2
        assert dirac_gan(loss, start=(1.0, 1.0), lr=0.1, steps=600)[-1].norm() > 1.5


def test_the_non_saturating_game_creeps_inwards_until_the_steps_are_too_long():
    # d‖(θ, ψ)‖²/dt = −2 θψ tanh(θψ / 2) ≤ 0, of fourth order near the equilibrium
    radius = dirac_gan("non_saturating", start=(1.0, 1.0), lr=0.02, steps=2000).norm(dim=1)
    assert radius[-1] < 0.8 * radius[0] and radius[-1] > 0.3


def test_one_step_of_the_minimax_dirac_gan_by_hand():
    # d_loss = log 2 + softplus(ψθ), g_loss = −softplus(ψθ); at θ = ψ = 1 the slopes are ± σ(1)
    end = dirac_gan("minimax", start=(1.0, 1.0), lr=0.5, steps=1)[1]
    slope = 1 / (1 + math.exp(-1))
    assert end.tolist() == pytest.approx([1 + 0.5 * slope, 1 - 0.5 * slope])


def test_the_dirac_gan_refuses_numbers_that_make_no_sense():
    for name, bad in {"steps": 0, "lr": 0.0, "r1": -1.0}.items():
        with pytest.raises(ValueError, match=name):
            dirac_gan(**{name: bad})


def test_betas_may_be_whole_numbers():
    step = AdversarialStep(*players("toy"), betas=(0, 0.9))
    assert step(torch.randn(8, 2)).keys() == {"d_loss", "g_loss"}
