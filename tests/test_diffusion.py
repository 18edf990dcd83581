import copy
import math

import pytest
import torch
from torch import nn

from course_lib import diffusion, plots
from course_lib.diffusion import (
    Diffusion,
    DiffusionStep,
    FlowStep,
    cosine_betas,
    flow_loss,
    flow_sample,
    guided_noise,
    linear_betas,
)
from course_lib.training import parts, train
from course_lib.unet import UNet
from tests.helpers import _OneDevice, assert_step_runs_on_meta

# What is exact needs no training: for x₀ ~ N(0, 1) the best noise is √(1−ᾱ) x, so that every
# sampler only multiplies and adds noise, and the variance of what it makes can be computed.


def draw(*shape: int, seed: int = 0, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(T: int = 1000) -> Diffusion:
    return Diffusion(linear_betas(T))


def cosine(T: int = 1000) -> Diffusion:
    return Diffusion(cosine_betas(T))


def gaussian(chain: Diffusion, prediction: str = "eps"):
    """The perfect model of x₀ ~ N(0, 1): E[ε | x_t] = √(1−ᾱ) x_t, and E[v | x_t] = 0."""
    noise = (1 - chain.alpha_bar).sqrt()

    def model(x, t, labels=None):
        if prediction == "v":
            return torch.zeros_like(x)
        return noise[t].to(x.dtype).view(-1, *[1] * (x.ndim - 1)) * x

    return model


def unet(**options) -> UNet:
    torch.manual_seed(0)
    net = UNet(**{"channels": 1, "width": 16, "patch": 2} | options)
    with torch.no_grad():
        net.leave[-1].weight.normal_(0, 0.05)  # at first it would answer 0
    return net


# Schedules


@pytest.mark.parametrize(
    "betas, golden",
    [
        # hojonathanho/diffusion, openai/improved-diffusion: ᾱ at t = 0, 249, 499, 999, and β̃₁
        (linear_betas, [0.99990000, 0.52408537, 0.078587243, 4.0358298e-5, 5.4531877e-5]),
        (cosine_betas, [0.99995872, 0.84701216, 0.49384359, 2.4287669e-9, 2.1789496e-5]),
    ],
)
def test_schedules_are_those_of_their_papers(betas, golden):
    chain = Diffusion(betas(1000))
    assert chain.beta.dtype == chain.alpha_bar.dtype == chain.snr.dtype == torch.float64
    assert chain.alpha_bar[[0, 249, 499, 999]].tolist() == pytest.approx(golden[:4], rel=1e-7)
    _, variance = chain.posterior(torch.zeros(1), torch.zeros(1).double(), 1)
    assert variance.item() == pytest.approx(golden[4], rel=1e-7)


@pytest.mark.parametrize(
    "T, left", [(1000, 0.6), (500, 8), (300, 22), (200, 36), (100, 60)]
)  # from the formula: √ᾱ of the last step, in per cent
def test_fewer_steps_with_the_same_betas_leave_the_picture_in(T, left):
    percent = 100 * linear(T).alpha_bar[-1].sqrt().item()
    assert percent == pytest.approx(left, abs=0.05 if T == 1000 else 0.5)
    scaled = Diffusion(linear_betas(T, 0.1 / T, 20 / T))
    assert scaled.alpha_bar[-1].sqrt() < 0.01


@pytest.mark.parametrize("T", [1, 2, 7, 1000, 4000])
def test_any_number_of_steps_has_a_schedule(T):
    for betas in (linear_betas(T), cosine_betas(T)):
        assert betas.shape == (T,) and betas.dtype == torch.float64
        assert ((betas > 0) & (betas <= 0.999)).all()
        assert (Diffusion(betas).alpha_bar.diff() < 0).all()


def test_signal_to_noise_is_one_where_both_are_half():
    chain = Diffusion(torch.tensor([0.5, 0.5]))
    assert chain.snr.tolist() == pytest.approx([1, 1 / 3])


# Forward


@pytest.mark.parametrize("chain", [linear(60), cosine(60)], ids=["linear", "cosine"])
def test_the_closed_form_is_the_iterated_chain_in_mean_and_variance(chain):
    mean, variance = torch.ones(1, dtype=torch.float64), 0.0
    for t in range(chain.T):
        mean = chain.q_step(mean, t, torch.zeros(1, dtype=torch.float64))
        added = chain.q_step(torch.zeros(1).double(), t, torch.ones(1).double()).item()
        variance = (1 - chain.beta[t].item()) * variance + added**2
        assert added > 0
        zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
        torch.testing.assert_close(chain.q_sample(one, t, zero), mean, rtol=1e-12, atol=0)
        assert chain.q_sample(zero, t, one).item() ** 2 == pytest.approx(variance, rel=1e-12)


def test_the_iterated_chain_drawn_has_the_mean_and_variance_of_the_closed_form():
    chain, n = linear(100), 200_000
    x = torch.full((n,), 2.0)
    for t in range(50):
        x = chain.q_step(x, t, draw(n, seed=t))
    alpha_bar = chain.alpha_bar[49].item()
    assert x.mean().item() == pytest.approx(2 * alpha_bar**0.5, abs=4 * n**-0.5)
    assert x.var().item() == pytest.approx(1 - alpha_bar, rel=4 * (2 / n) ** 0.5)


def test_each_picture_has_its_own_time():
    chain, x0, noise = linear(), draw(3, 2, 4, 4), draw(3, 2, 4, 4, seed=1)
    t = torch.tensor([999, 0, 500])
    together = chain.q_sample(x0, t, noise)
    for i, time in enumerate(t.tolist()):
        alone = chain.q_sample(x0[i : i + 1], time, noise[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)
        a = chain.alpha_bar[time].item()
        torch.testing.assert_close(alone[0], a**0.5 * x0[i] + (1 - a) ** 0.5 * noise[i])


def test_float32_keeps_the_small_noise_of_the_first_step():
    x = linear().q_sample(torch.zeros(1), torch.tensor([0]), torch.ones(1))
    assert x.item() == pytest.approx(0.01, rel=1e-6)  # √(1 − 0.9999); in float32 0.0100017


# The posterior


@pytest.mark.parametrize(
    "t, of_x0, of_xt",  # openai/improved-diffusion, linear schedule
    [
        (1, 0.5452915, 0.4547085),
        (500, 0.0030580571, 0.99410435),
        (999, 1.2835149e-4, 0.98994868),
    ],
)
def test_the_posterior_mean_has_the_published_coefficients(t, of_x0, of_xt):
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert linear().posterior(one, zero, t)[0].item() == pytest.approx(of_x0, rel=1e-6)
    assert linear().posterior(zero, one, t)[0].item() == pytest.approx(of_xt, rel=1e-6)


@pytest.mark.parametrize("chain", [linear(), cosine()], ids=["linear", "cosine"])
@pytest.mark.parametrize("t", [1, 2, 300, 999])
def test_the_posterior_is_bayes_rule(chain, t):
    # precisions add: q(x_t | x_{t−1}) as a likelihood of x_{t−1}, q(x_{t−1} | x₀) as its prior
    x0, xt = draw(5, dtype=torch.float64), draw(5, seed=1, dtype=torch.float64)
    beta, before = chain.beta[t], chain.alpha_bar[t - 1]
    likelihood, prior = (1 - beta) / beta, 1 / (1 - before)
    weighted = likelihood * xt / (1 - beta).sqrt() + prior * before.sqrt() * x0
    mean, variance = chain.posterior(x0, xt, torch.full((5,), t))
    torch.testing.assert_close(variance, (1 / (likelihood + prior)).expand(5), rtol=1e-9, atol=0)
    torch.testing.assert_close(mean, weighted / (likelihood + prior), rtol=1e-8, atol=1e-12)


def test_the_first_time_leads_back_to_the_picture_itself():
    x0, xt = draw(2, 1, 3, 3), draw(2, 1, 3, 3, seed=1)
    mean, variance = linear().posterior(x0, xt, torch.tensor([0, 0]))
    torch.testing.assert_close(mean, x0)
    assert variance.shape == (2, 1, 1, 1) and not variance.any()


# What a prediction says


def test_the_right_noise_leads_back_to_the_picture_and_the_right_picture_to_the_noise():
    chain, t = cosine(), torch.tensor([0, 10, 400, 900])
    x0, noise = draw(4, 1, 3, 3).double(), draw(4, 1, 3, 3, seed=1).double()
    xt = chain.q_sample(x0, t, noise)
    torch.testing.assert_close(chain.predict_x0(xt, t, noise), x0)
    torch.testing.assert_close(chain.predict_eps(xt, t, x0), noise)


def test_the_velocity_turns_the_pair_of_picture_and_noise():
    chain, t = linear(), torch.tensor([0, 100, 999])
    x0, noise = draw(3, 4, seed=2), draw(3, 4, seed=3)
    xt, v = chain.q_sample(x0, t, noise), chain.velocity(x0, t, noise)
    torch.testing.assert_close(xt.square() + v.square(), x0.square() + noise.square())
    a = chain.alpha_bar[t, None].float()
    torch.testing.assert_close(a.sqrt() * xt - (1 - a).sqrt() * v, x0)


# The loss


class Said(nn.Module):
    """Answers 0 and notes what it was asked."""

    def __init__(self, answer=0.0):
        super().__init__()
        self.answer, self.asked = nn.Parameter(torch.tensor(answer)), []

    def forward(self, x, t, labels=None):
        self.asked.append((x, t, labels))
        return self.answer + torch.zeros_like(x)


class Labelled(Said):
    def unconditional(self, labels):
        return torch.full_like(labels, -1)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_the_loss_is_the_squared_error_of_what_is_asked(prediction):
    chain, x0, model = linear(), draw(64, 1, 4, 4), Said()
    loss = chain.loss(model, x0, generator=seeded(), prediction=prediction)
    ((xt, t, labels),) = model.asked
    noise = chain.predict_eps(xt, t, x0)
    target = noise if prediction == "eps" else chain.velocity(x0, t, noise)
    assert labels is None and loss.shape == ()
    assert loss.item() == pytest.approx(target.square().mean().item(), rel=1e-3)


def test_the_right_answer_has_loss_zero():
    chain, x0 = linear(), draw(8, 2)

    def model(x, t):
        return chain.predict_eps(x, t, x0)

    assert chain.loss(model, x0, generator=seeded()) < 1e-6


def test_all_times_are_drawn_and_each_picture_has_its_own():
    chain, model = linear(10), Said()
    chain.loss(model, torch.zeros(5000, 1), generator=seeded())
    counts = model.asked[0][1].bincount(minlength=10)
    assert len(counts) == 10 and ((counts > 400) & (counts < 600)).all()


def test_the_same_seed_gives_the_same_loss():
    losses = [linear().loss(Said(), draw(4, 3), generator=seeded(s)).item() for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_a_tenth_of_the_labels_is_hidden():
    model, labels = Labelled(), torch.arange(20_000)
    linear().loss(model, torch.zeros(20_000, 1), labels, generator=seeded())
    shown = model.asked[0][2]
    hidden = shown == -1
    assert hidden.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(shown[~hidden], labels[~hidden])
    linear().loss(model, torch.zeros(20_000, 1), labels, generator=seeded())
    assert torch.equal(model.asked[1][2], shown)  # the same seed hides the same


def test_of_several_attributes_all_or_single_ones_are_hidden():
    model, labels = Labelled(), torch.ones(20_000, 2, dtype=torch.int64)
    flow_loss(model, torch.zeros(20_000, 1), labels, generator=seeded())
    hidden = (model.asked[0][2] == -1).sum(1).bincount() / 20_000
    expected = [0.9 * 0.81, 0.9 * 0.18, 0.1 + 0.9 * 0.01]  # none, one, both
    assert hidden.tolist() == pytest.approx(expected, abs=0.01)


def test_a_model_without_an_unconditional_class_sees_all_labels():
    model, labels = Said(), torch.arange(100)
    linear().loss(model, torch.zeros(100, 1), labels, generator=seeded())
    assert torch.equal(model.asked[0][2], labels)


def test_min_snr_weights_are_those_of_the_paper():
    # Hang et al. 2023: min(S, 5) / S for the noise, min(S, 5) / (S + 1) for v
    chain = Diffusion(torch.tensor([0.05, 0.5, 0.9]))  # snr 19, 0.905, 0.0499
    eps, v = chain.min_snr_weight(5.0, "eps"), chain.min_snr_weight(5.0, "v")
    assert eps.tolist() == pytest.approx([5 / 19, 1, 1])
    assert torch.equal(chain.min_snr_weight(), eps)
    assert v.tolist() == pytest.approx([5 / 20, 0.475, 0.0475])
    model, x0 = Said(), draw(200, 3)
    loss = chain.loss(model, x0, generator=seeded(), min_snr=5.0)
    xt, t, _ = model.asked[0]
    errors = chain.predict_eps(xt, t, x0).square().mean(1)
    assert loss.item() == pytest.approx((eps.float()[t] * errors).mean().item(), rel=1e-3)


def test_the_loss_of_the_perfect_model_is_the_noise_that_cannot_be_known():
    # x₀ ~ N(0, 1): E‖ε − √(1−ᾱ) x_t‖² = ᾱ
    chain = linear()
    x0 = draw(200_000, 1)
    loss = chain.loss(gaussian(chain), x0, generator=seeded())
    assert loss.item() == pytest.approx(chain.alpha_bar.mean().item(), abs=0.01)


# Steps back


def schedulers():
    return pytest.importorskip("diffusers.schedulers")


def theirs(kind: str, **options):
    """A scheduler of diffusers with our betas."""
    return getattr(schedulers(), kind)(
        trained_betas=linear_betas(1000).float().numpy(), timestep_spacing="leading", **options
    )


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_an_ancestral_step_is_that_of_diffusers(variance, clip):
    kind = {"posterior": "fixed_small", "beta": "fixed_large"}[variance]
    scheduler = theirs("DDPMScheduler", variance_type=kind, clip_sample=clip)
    chain = linear()
    for t in (999, 998, 500, 20, 1, 0):
        xt, eps = draw(2, 1, 4, 4, seed=t), draw(2, 1, 4, 4, seed=t + 1)
        expected = scheduler.step(eps, t, xt, generator=seeded(t)).prev_sample
        noise = draw(2, 1, 4, 4, seed=t)
        got = chain.ddpm_step(xt, t, eps, noise, variance=variance, clip=clip)
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", [10, 50, 1000])
def test_ancestral_steps_between_any_two_times_are_those_of_diffusers(steps):
    scheduler, chain = theirs("DDPMScheduler", clip_sample=False), linear()
    scheduler.set_timesteps(steps)
    times = chain.times(steps, "leading")
    assert scheduler.timesteps.tolist() == times
    for i in (0, steps // 2, steps - 1):
        t, s = times[i], (times[1:] + [-1])[i]
        xt, eps, noise = (draw(2, 3, seed=t + j) for j in range(3))
        expected = scheduler.step(eps, t, xt, generator=seeded(t + 2)).prev_sample
        got = chain.ddpm_step(xt, t, eps, noise, s=s)
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_ddim_step_is_that_of_diffusers(eta, clip):
    scheduler, chain = theirs("DDIMScheduler", clip_sample=clip), linear()
    scheduler.set_timesteps(50)
    for t in (980, 500, 20, 0):
        xt, eps, noise = (draw(2, 1, 4, 4, seed=t + i) for i in range(3))
        s = t - 20 if t else -1
        expected = scheduler.step(
            eps, t, xt, eta=eta, use_clipped_model_output=True, variance_noise=noise
        ).prev_sample
        got = chain.ddim_step(xt, t, s, eps, eta, noise, clip=clip)
        if s < 0:  # there ᾱ = 1: no noise is left to be added
            expected = chain.predict_x0(xt, t, eps)
            expected = expected.clamp(-1, 1) if clip else expected
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_fifty_steps_of_ddim_are_those_of_diffusers(spacing):
    scheduler = schedulers().DDIMScheduler(
        trained_betas=linear_betas(1000).float().numpy(),
        timestep_spacing=spacing,
        clip_sample=True,
    )
    scheduler.set_timesteps(50)
    net, x = unet(), draw(2, 1, 8, 8, seed=7)
    ours = linear().ddim_sample(net, x.shape, start=x, spacing=spacing)
    with torch.no_grad(), diffusion.device.choose().autocast():
        for t in scheduler.timesteps:
            eps = net(x, t.expand(2))
            x = scheduler.step(eps, t, x, use_clipped_model_output=True).prev_sample
    torch.testing.assert_close(ours, x, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("t, s", [(999, 998), (500, 480), (40, 20), (3, 0), (20, -1)])
def test_ddim_with_eta_one_is_ddpm(t, s):
    chain, (xt, eps, noise) = cosine(), (draw(3, 5, seed=i).double() for i in range(3))
    ancestral = chain.ddpm_step(xt, t, eps, noise, s=s)
    torch.testing.assert_close(chain.ddim_step(xt, t, s, eps, 1.0, noise), ancestral)


@pytest.mark.parametrize("steps", [1, 5, 50, 100])
def test_a_whole_sample_of_ddim_with_eta_one_is_that_of_ddpm(steps):
    chain, net = cosine(100), unet()
    same = {"steps": steps, "prediction": "v", "shape": (2, 1, 8, 8)}
    ancestral = chain.ddpm_sample(net, generator=seeded(3), **same)
    implicit = chain.ddim_sample(net, generator=seeded(3), eta=1.0, **same)
    torch.testing.assert_close(ancestral, implicit, rtol=1e-2, atol=1e-2)


def test_a_step_of_ddim_adds_no_noise_unless_asked_to():
    chain, (x0, eps) = linear(), (draw(3, 5, seed=i).double() for i in range(2))
    step = chain.ddim_step(chain.q_sample(x0, 900, eps), 900, 100, eps)
    torch.testing.assert_close(step, chain.q_sample(x0, 100, eps))


def test_a_step_of_ddpm_is_a_draw_from_the_posterior():
    chain, (xt, x0, noise) = linear(), (draw(2, 1, 3, 3, seed=i).double() for i in range(3))
    mean, variance = chain.posterior(x0, xt, 400)
    step = chain.ddpm_step(xt, 400, chain.predict_eps(xt, 400, x0), noise)
    torch.testing.assert_close(step, mean + variance.sqrt() * noise)


@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_no_noise_falls_on_the_finished_picture(variance):
    chain, xt, eps = linear(), draw(2, 3), draw(2, 3, seed=1)
    step = chain.ddpm_step(xt, 0, eps, torch.full((2, 3), 1e6), variance=variance)
    torch.testing.assert_close(step, chain.predict_x0(xt, 0, eps))
    last = chain.ddim_step(xt, 20, -1, eps, 1.0, torch.full((2, 3), 1e6))
    torch.testing.assert_close(last, chain.predict_x0(xt, 20, eps))


# Whole samples, where the answer is known


@pytest.mark.parametrize("variance, golden", [("beta", 0.9999), ("posterior", 0.99106738)])
def test_ancestral_sampling_of_a_gaussian_ends_with_the_exact_variance(variance, golden):
    # computed from the formula: the variance of each step is v ← c² v + σ²
    chain, v = linear(), 1.0
    perfect, one = gaussian(chain), torch.ones(1, dtype=torch.float64)
    for t in range(999, -1, -1):
        eps, zero = perfect(one, torch.tensor([t])), torch.zeros(1, dtype=torch.float64)
        factor = chain.ddpm_step(one, t, eps, zero, variance=variance).item()
        added = chain.ddpm_step(zero, t, zero, one, variance=variance).item()
        v = factor**2 * v + added**2
    assert v == pytest.approx(golden, rel=1e-7)
    x = chain.ddpm_sample(perfect, (20_000, 1), generator=seeded(), variance=variance, clip=False)
    assert x.var().item() == pytest.approx(golden, abs=4 * (2 / 20_000) ** 0.5)


@pytest.mark.parametrize("prediction", ["eps", "v"])
@pytest.mark.parametrize(
    "steps, golden",  # computed from the formula, leading spacing
    [(10, 0.83169588), (20, 0.91253171), (50, 0.96407927), (100, 0.98185083)],
)
def test_ddim_multiplies_the_noise_by_an_exact_number(steps, golden, prediction):
    chain, start = linear(), draw(6, 2).double()
    x = chain.ddim_sample(
        gaussian(chain, prediction),
        (6, 2),
        start=start,
        steps=steps,
        spacing="leading",
        clip=False,
        prediction=prediction,
    )
    torch.testing.assert_close(x, golden * start, rtol=1e-7, atol=0)


@pytest.mark.parametrize("steps, golden", [(1, 0), (2, 0.5), (10, 0.87898438), (100, 0.98722784)])
def test_flow_matching_multiplies_the_noise_by_an_exact_number(steps, golden):
    # computed from the formula: E[noise − x₀ | x_t] = (2t − 1) / ((1 − t)² + t²) x_t
    def perfect(x, t):
        t = (t / 1000).double().view(-1, 1)
        return (2 * t - 1) / ((1 - t).square() + t.square()) * x

    start = draw(6, 2).double()
    x = flow_sample(perfect, (6, 2), start=start, steps=steps)
    torch.testing.assert_close(x, golden * start, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_single_picture_is_found_from_any_noise_in_any_number_of_steps(prediction):
    # data at one point: the perfect noise is what remains of x_t, and one step is enough
    chain, x0 = cosine(), draw(1, 1, 4, 4).tanh()

    def model(x, t):
        noise = chain.predict_eps(x, t, x0.expand_as(x))
        return noise if prediction == "eps" else chain.velocity(x0.expand_as(x), t, noise)

    for sample in (chain.ddpm_sample, chain.ddim_sample):
        for steps in (1, 3, 20):
            x = sample(model, (2, 1, 4, 4), steps=steps, prediction=prediction, generator=seeded())
            torch.testing.assert_close(x, x0.expand(2, 1, 4, 4), rtol=1e-3, atol=1e-3)


def test_the_velocity_of_flow_is_from_noise_to_picture():
    x0 = draw(1, 3)

    def model(x, t):  # data at one point: x = x₀ + t (noise − x₀)
        return (x - x0) / (t / 1000)[:, None]

    torch.testing.assert_close(flow_sample(model, (5, 3), steps=1), x0.expand(5, 3))
    assert flow_loss(model, x0.expand(2000, 3), generator=seeded()) < 1e-5


def test_the_loss_of_flow_is_the_squared_error_of_the_velocity():
    model, x0 = Said(), draw(64, 1, 4, 4)
    loss = flow_loss(model, x0, generator=seeded())
    xt, t, _ = model.asked[0]
    velocity = (xt - x0) / (t / 1000).view(-1, 1, 1, 1)  # read off the path
    assert loss.item() == pytest.approx(velocity.square().mean().item(), rel=1e-3)
    assert (velocity + x0).std().item() == pytest.approx(1, rel=0.1)  # the noise


def test_flow_draws_times_evenly_or_from_the_middle():
    model, x0 = Said(), torch.zeros(20_000, 1)
    for middle in (False, True):
        flow_loss(model, x0, generator=seeded(), middle=middle)
    even, middle = (asked[1] / 1000 for asked in model.asked)
    assert even.min() >= 0 and even.max() <= 1
    assert even.var().item() == pytest.approx(1 / 12, rel=0.03)
    assert middle.logit().std().item() == pytest.approx(1, rel=0.03)


def test_times_are_spread_over_the_whole_chain():
    chain = linear()
    assert chain.times(4) == [999, 749, 499, 249]
    assert chain.times(4, "leading") == [750, 500, 250, 0]
    assert chain.times(1000) == chain.times(1000, "leading") == list(range(999, -1, -1))
    assert chain.times(1) == [999]
    assert linear(7).times(3) == [6, 4, 1]  # of 7, 4⅔ and 2⅓, rounded, less 1


def test_the_model_is_asked_at_the_times_that_are_named():
    model = Said()
    trace = linear(100).ddpm_sample(model, (2, 1), steps=5, trace=True, generator=seeded())
    assert [t.tolist() for _, t, _ in model.asked] == [[t, t] for t in (99, 79, 59, 39, 19)]
    assert trace.t.tolist() == [99, 79, 59, 39, 19]
    assert trace.xt.shape == (6, 2, 1) and trace.x0.shape == (5, 2, 1)
    assert torch.equal(trace.xt[-1], trace.x) and torch.equal(trace.x0[-1], trace.x)
    for i, (x, _, _) in enumerate(model.asked):
        assert torch.equal(x, trace.xt[i])
    plain = linear(100).ddpm_sample(model, (2, 1), steps=5, generator=seeded())
    assert torch.equal(plain, trace.x)


def test_a_trace_of_flow_ends_at_the_picture():
    trace = flow_sample(Said(0.5), (2, 1), steps=4, trace=True, generator=seeded())
    assert torch.equal(trace.xt[-1], trace.x) and trace.t.tolist() == [1000, 750, 500, 250]
    torch.testing.assert_close(trace.x0, (trace.xt[0] - 0.5).expand(4, 2, 1))


@pytest.mark.parametrize("name", ["ddpm_sample", "ddim_sample", "flow_sample"])
def test_the_same_seed_gives_the_same_pictures(name):
    sample = flow_sample if name == "flow_sample" else getattr(cosine(50), name)
    net = unet(classes=3)
    pictures = [
        sample(net, (3, 1, 8, 8), torch.arange(3), 2.0, seeded(seed), steps=5) for seed in (1, 1, 2)
    ]
    assert torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[0], pictures[2])
    assert pictures[0].dtype == torch.float32 and not pictures[0].requires_grad


def test_clipping_keeps_every_guess_in_range():
    chain = linear(100)
    for sample in (chain.ddpm_sample, chain.ddim_sample):
        trace = sample(Said(2.0), (4, 2), steps=10, trace=True, generator=seeded())
        assert trace.x0.abs().max() <= 1
        wild = sample(Said(2.0), (4, 2), steps=10, trace=True, generator=seeded(), clip=False)
        assert wild.x0.abs().max() > 1


def test_a_network_in_training_mode_is_asked_in_evaluation_mode():
    net = nn.Dropout(0.9)
    seen = []

    class Model(Said):
        def forward(self, x, t):
            seen.append(self.training)
            return torch.zeros_like(x)

    model = Model()
    linear(10).ddpm_sample(model, (1, 1), generator=seeded())
    flow_sample(model, (1, 1), generator=seeded(), steps=2)
    assert len(seen) == 12 and not any(seen) and model.training and net.training


@pytest.mark.parametrize("name", ["ddpm_sample", "ddim_sample", "flow_sample", "inpaint"])
def test_no_step_of_a_sampler_waits_for_the_device(name):
    with torch.device("meta"):
        net, labels = UNet(1, 16, classes=3), torch.zeros(2, dtype=torch.int64)
        x, mask = torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    chain = cosine(20)
    with _OneDevice():  # a tensor on torch's meta device has no value to wait for
        if name == "inpaint":
            x = chain.inpaint(net, x, mask, labels, 2.0, steps=3, repeats=2)
        else:
            sample = flow_sample if name == "flow_sample" else getattr(chain, name)
            x = sample(net, (2, 1, 8, 8), labels, 2.0, steps=3)
    assert x.is_meta and x.shape == (2, 1, 8, 8)


# Guidance


def test_guidance_one_is_conditional_zero_unconditional_and_two_goes_on():
    cond, uncond = draw(2, 3), draw(2, 3, seed=1)
    torch.testing.assert_close(guided_noise(cond, uncond, 1.0), cond)
    torch.testing.assert_close(guided_noise(cond, uncond, 0.0), uncond)
    torch.testing.assert_close(guided_noise(cond, uncond, 2.0), cond + (cond - uncond))
    # Ho and Salimans 2022: (1 + w) cond − w uncond, with a w that is smaller by 1
    torch.testing.assert_close(guided_noise(cond, uncond, 4.0), (1 + 3) * cond - 3 * uncond)


def test_guidance_asks_for_both_answers_in_one_pass():
    net, labels = Labelled(), torch.tensor([3, 5])
    linear(10).ddim_sample(net, (2, 1), labels, 2.0, seeded(), steps=4)
    assert len(net.asked) == 4
    x, t, both = net.asked[0]
    assert both.tolist() == [3, 5, -1, -1] and torch.equal(x[:2], x[2:]) and len(t) == 4
    net.asked.clear()
    linear(10).ddim_sample(net, (2, 1), labels, 1.0, seeded(), steps=4)
    assert [asked[2].tolist() for asked in net.asked] == [[3, 5]] * 4


def test_guidance_in_a_sampler_mixes_as_the_formula():
    class Model(Labelled):
        def forward(self, x, t, labels):
            return torch.where(labels < 0, 0.1, 0.3)[:, None].expand_as(x)

    labels, start = torch.tensor([0, 1]), draw(2, 1)
    x = flow_sample(Model(), (2, 1), labels, 3.0, steps=10, start=start)
    torch.testing.assert_close(x, start - (0.1 + 3 * 0.2))


# Inpainting


def test_inpainting_keeps_the_known_part_to_the_last_bit():
    x0 = draw(2, 1, 8, 8).tanh()
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:5, :] = 1
    for known in (mask, mask.bool()):
        x = cosine(50).inpaint(unet(), x0, known, generator=seeded(), steps=6, repeats=2)
        changed = (x != x0).any(3).any(0)[0]
        assert changed.tolist() == [False, False, True, True, True, False, False, False]
    everything = cosine(50).inpaint(unet(), x0, torch.zeros(2, 1, 8, 8), steps=3)
    assert torch.equal(everything, x0)


def test_inpainting_draws_from_what_the_known_part_says():
    # two values with correlation 0.8, the first known to be 1: the second is N(0.8, 0.36)
    chain, n = cosine(), 4000
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)

    def perfect(x, t):  # ε = √(1−ᾱ) (ᾱ C + (1−ᾱ) I)⁻¹ x
        a = chain.alpha_bar[t[0]]
        inverse = torch.linalg.inv(a * covariance + (1 - a) * torch.eye(2, dtype=torch.float64))
        return (1 - a).sqrt() * x @ inverse

    x0, mask = torch.tensor([[1.0, 0.0]]).double().expand(n, 2), torch.tensor([[0.0, 1.0]])
    options = {"generator": seeded(), "clip": False}
    x = chain.inpaint(perfect, x0, mask, steps=100, repeats=10, **options)[:, 1]
    once = chain.inpaint(perfect, x0, mask, steps=100, **options)[:, 1]
    assert x.mean().item() == pytest.approx(0.8, abs=0.08)
    assert x.std().item() == pytest.approx(0.6, abs=0.08)
    assert abs(x.mean() - 0.8) < abs(once.mean() - 0.8)  # repeating brings the parts together


# Training


def images(n: int = 16, size: int = 8, channels: int = 1) -> torch.Tensor:
    return draw(n, channels, size, size).tanh()


STEPS = {
    "eps": lambda net: DiffusionStep(net, linear(50), steps=100),
    "v": lambda net: DiffusionStep(net, cosine(50), prediction="v", min_snr=5.0),
    "flow": lambda net: FlowStep(net, steps=100, middle=True),
}
every_step = pytest.mark.parametrize("make", STEPS.values(), ids=list(STEPS))


@every_step
def test_a_step_learns(make):
    torch.manual_seed(0)
    step = make(UNet(1, 16))
    x = torch.linspace(-1, 1, 8).expand(32, 1, 8, 8)
    history = train(step, [x], steps=60)
    first, last = (
        sum(part) / 10 for part in (history.losses["loss"][:10], history.losses["loss"][-10:])
    )
    assert not history.stopped and last < 0.7 * first
    assert step.ema.n == 60


def test_a_step_lowers_the_loss_that_it_names():
    chain, x = linear(50), draw(4000, 1)

    def asked(step):
        loss = step(x)["loss"]
        assert not loss.requires_grad
        return loss.item(), *step.model.asked[0][:2]

    loss, xt, t = asked(DiffusionStep(Said(), chain))
    noise = chain.predict_eps(xt, t, x)
    assert loss == pytest.approx(noise.square().mean().item(), rel=1e-3)
    loss, xt, t = asked(DiffusionStep(Said(), chain, prediction="v", min_snr=2.0))
    error = chain.velocity(x, t, chain.predict_eps(xt, t, x)).square()[:, 0]
    weights = chain.snr.clamp(max=2) / (chain.snr + 1)
    assert loss == pytest.approx((weights[t] * error).mean().item(), rel=1e-3)
    for step, spread in ((FlowStep(Said()), None), (FlowStep(Said(), middle=True), 1)):
        loss, xt, t = asked(step)
        velocity = (xt - x) / (t / 1000)[:, None]
        assert loss == pytest.approx(velocity.square().mean().item(), rel=1e-2)
        if spread is None:
            assert t.std().item() == pytest.approx(1000 / 12**0.5, rel=0.05)
        else:
            assert (t / 1000).logit().std().item() == pytest.approx(spread, rel=0.05)


def test_a_step_samples_the_picture_that_its_model_knows():
    chain, x0 = cosine(50), torch.tensor([0.5, -0.3, 1.5]).expand(2, 3)

    def noise(x, t, labels=None):  # data at one point: the answers are exact
        return chain.predict_eps(x, t, x0)

    def velocity(x, t, labels=None):
        return (x - x0) / (t / 1000)[:, None]

    for step, model, expected in (
        (DiffusionStep(Said(), chain), noise, x0.clamp(-1, 1)),
        (DiffusionStep(Said(), chain, clip=False), noise, x0),
        (FlowStep(Said()), velocity, x0),
    ):
        found = step.sample(model, (2, 3), None, seeded())
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@every_step
@pytest.mark.parametrize("classes", [None, 3, (2, 3)])
def test_a_step_never_waits_for_the_device(make, classes):
    labels = torch.zeros(4, 2, dtype=torch.int64) if isinstance(classes, tuple) else torch.arange(4)
    if isinstance(classes, int):
        labels = labels % classes
    batch = images(4) if classes is None else (images(4), labels)
    assert_step_runs_on_meta(lambda: make(UNet(1, 16, classes=classes)), lambda: batch)


def test_a_step_is_resumed_to_the_last_bit(tmp_path):
    def run(folder, steps):
        torch.manual_seed(0)
        step = DiffusionStep(UNet(1, 16, classes=3), linear(50), steps=6)
        train(step, [(images(6), torch.arange(6) % 3)], steps, checkpoint=folder)
        return step

    whole = run(tmp_path / "whole", 6)
    run(tmp_path / "parts", 3)
    resumed = run(tmp_path / "parts", 6)
    for name, part in parts(whole).items():
        if isinstance(part, nn.Module):
            for key, value in part.state_dict().items():
                assert torch.equal(value, parts(resumed)[name].state_dict()[key])
    again = run(tmp_path / "whole", 6)  # nothing left to do: its picture is drawn all the same
    assert again.seen.shape == (1, 8, 8)


@every_step
@pytest.mark.parametrize("kind", ["plain", "class", "attributes", "beside"])
def test_samples_are_a_sheet_of_pictures(make, kind, monkeypatch):
    sheets = []
    monkeypatch.setattr(plots, "grid", lambda pictures, columns: sheets.append((pictures, columns)))
    classes = {"class": 3, "attributes": (2, 2)}.get(kind)
    step = make(UNet(1, 16, classes=classes, beside=2 if kind == "beside" else 0))
    other = {
        "class": torch.arange(16) % 3,
        "attributes": torch.ones(16, 2, dtype=torch.int64),
        "beside": images(16, channels=2),
    }.get(kind)
    step(images() if other is None else (images(), other))
    step.samples(), step.samples()
    (first, columns), (second, _) = sheets
    rows, columns_expected = {"plain": (64, 16), "class": (15, 3)}.get(kind, (16, 16))
    assert first.shape == (rows, 1, 8, 8) and columns == columns_expected
    assert torch.equal(first, second) and first.abs().max() <= 1


def test_the_learning_rate_warms_up_and_falls_to_zero():
    step = DiffusionStep(UNet(1, 16), linear(50), lr=1e-3, steps=300)
    rates = []
    for _ in range(300):
        rates.append(step.optimizer.param_groups[0]["lr"])
        step.optimizer.step()
        step.schedule.step()
    assert rates[0] == pytest.approx(1e-5) and rates[150] == pytest.approx(0.5e-3)
    assert step.optimizer.param_groups[0]["lr"] == 0


def test_steps_begin_at_their_rates():
    for step in (DiffusionStep(Said(), linear(50)), FlowStep(Said())):
        (group,) = step.optimizer.param_groups
        assert (group["initial_lr"], group["betas"], step.ema.decay) == (1e-3, (0.9, 0.99), 0.999)


@pytest.mark.parametrize("classes", [16, 17])
def test_up_to_sixteen_classes_have_a_column_each(classes, monkeypatch):
    step, asked = FlowStep(UNet(1, 16, classes=classes)), []
    labels = torch.arange(70).flip(0) % classes
    step((images(70), labels))
    monkeypatch.setattr(step, "sample", lambda net, shape, labels, _: asked.append(labels) or X)
    monkeypatch.setattr(plots, "grid", lambda pictures, columns: columns)
    assert step.samples() == 16
    assert torch.equal(asked[0], torch.arange(64) % 16 if classes == 16 else labels[:64])


def test_samples_before_the_first_batch_say_so():
    with pytest.raises(ValueError, match="take a step first"):
        FlowStep(UNet(1, 16)).samples()


def test_a_step_without_classes_ignores_labels():
    step = FlowStep(UNet(1, 16))
    assert math.isfinite(step((images(), torch.arange(16)))["loss"].item())
    assert math.isfinite(step((images(),))["loss"].item())


# Bad input


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: linear_betas(0), ValueError, "T must be a whole number, at least 1 .* got 0"),
        (lambda: linear_betas(10.0), ValueError, "T must be a whole number"),
        (lambda: linear_betas(10, 0.0), ValueError, "0 < start ≤ end < 1; got 0.0"),
        (lambda: linear_betas(10, 0.1, 1.0), ValueError, "start and end .* got 0.1 and 1.0"),
        (lambda: linear_betas(10, 0.2, 0.1), ValueError, "start ≤ end"),
        (lambda: linear_betas(10, math.nan), ValueError, "start must be a finite number; got nan"),
        (lambda: linear_betas(10, 1j), TypeError, "start must be a number"),
        (lambda: cosine_betas(-1), ValueError, "T must be a whole number"),
        (lambda: cosine_betas(10, -0.1), ValueError, "s must be"),
        (lambda: Diffusion(torch.tensor([0.1, 1.0])), ValueError, r"betas must lie in \(0, 1\)"),
        (lambda: Diffusion(torch.tensor([0.0, 0.1])), ValueError, r"betas must lie in \(0, 1\)"),
        (lambda: Diffusion(torch.tensor([0.1, math.nan])), ValueError, "betas must lie"),
        (
            lambda: Diffusion(torch.rand(2, 2)),
            ValueError,
            r"betas must be .* of 1 dimension .*\(2, 2\)",
        ),
        (lambda: Diffusion(torch.ones(0)), ValueError, "betas must be"),
        (lambda: Diffusion([0.1]), TypeError, "betas must be a tensor .* got list"),
        (lambda: Diffusion(torch.tensor([1, 2])), TypeError, "betas must be .* torch.int64"),
        (lambda: guided_noise(draw(2), draw(3), 1.0), ValueError, "one shape"),
        (lambda: guided_noise(draw(2), draw(2), math.nan), ValueError, "w must be a finite"),
    ],
)
def test_a_bad_schedule_or_guidance_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


X = draw(2, 1, 4, 4)


@pytest.mark.parametrize(
    "t, error, words",
    [
        (torch.tensor([0, 10]), ValueError, "t must lie in 0 … 9; got 0 … 10"),
        (torch.tensor([-1, 0]), ValueError, "t must lie in 0 … 9; got -1 … 0"),
        (10, ValueError, "t must lie in 0 … 9"),
        (-1, ValueError, "t must lie in 0 … 9"),
        (torch.tensor([0.5, 1.0]), TypeError, "t must be whole numbers .*torch.float32"),
        (torch.tensor([0]), ValueError, r"t must be \(2,\).*got \(1,\)"),
        (torch.tensor([[0], [1]]), ValueError, r"t must be \(2,\)"),
        (0.5, TypeError, "t must be whole numbers .* got float"),
        (True, TypeError, "t must be whole numbers .* got bool"),
        (torch.tensor([1j, 1j]), TypeError, "t must be whole numbers .*complex64"),
    ],
)
def test_a_bad_time_is_named(t, error, words):
    chain = linear(10)
    for call in (chain.q_sample, chain.predict_x0, chain.velocity, chain.q_step):
        arguments = (X, t, X)
        with pytest.raises(error, match=words):
            call(*arguments)
    with pytest.raises(error, match=words):
        chain.posterior(X, X, t)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda c: c.q_sample(X, 0, X[:1]), r"noise must have the shape .*\(2, 1, 4, 4\)"),
        (lambda c: c.posterior(X[:1], X, 0), "x0 must have the shape"),
        (lambda c: c.predict_x0(X, 0, X[..., :2]), "eps must have the shape"),
        (lambda c: c.loss(Said(), X, prediction="x0"), "prediction must be one of eps, v"),
        (lambda c: c.ddpm_step(X, 5, X), "noise must be given"),
        (lambda c: c.ddim_step(X, 5, 3, X, 1.0), "noise must be given"),
        (lambda c: c.ddpm_step(X, 5, X, X, variance="none"), "variance must be one of"),
        (lambda c: c.ddim_sample(Said(), (2, 1), steps=11), "steps must be .* at most 10, got 11"),
        (lambda c: c.ddim_sample(Said(), (2, 1), steps=0), "steps must be"),
        (lambda c: c.ddim_sample(Said(), (2, 1), steps=5, eta=2.0), "eta must be"),
        (lambda c: c.ddpm_sample(Said(), (2, 1), spacing="even"), "spacing must be one of"),
        (lambda c: c.ddpm_sample(Said(), (2, 1), prediction="x"), "prediction must be one of"),
        (lambda c: c.ddpm_sample(Said(), (2, 1), start=draw(3, 1)), r"start must be \(2, 1\)"),
        (lambda c: c.ddpm_sample(Said(), (2, 1), guidance=2.0), "guidance .* needs labels"),
        (
            lambda c: c.ddpm_sample(Said(), (2, 1), torch.tensor([0, 1]), 2.0),
            "needs a model with an unconditional class",
        ),
        (
            lambda c: c.ddpm_sample(unet(), (2, 1, 8, 8), torch.tensor([0, 1]), 2.0),
            "no unconditional class",
        ),
        (lambda c: c.inpaint(Said(), X, torch.ones(3, 3), steps=2), "mask must broadcast"),
        (lambda c: c.inpaint(Said(), X, X, steps=2, repeats=0), "repeats must be"),
        (lambda c: c.ddpm_step(X, 5, X, X, s=7), "s must be .* at most 4, got 7"),
        (lambda c: c.ddpm_step(X, 5, X, X, s=5), "s must be .* at most 4, got 5"),
        (lambda c: c.ddim_step(X, 5, 7, X), "s must be .* at most 4, got 7"),
        (lambda c: c.ddim_step(X, 5, -2, X), "s must be .* at least -1 .* got -2"),
        (lambda c: c.ddpm_step(X, 5, X, X[:1]), "noise must have the shape"),
        (lambda c: c.ddim_step(X, 5, 3, X, math.nan, X), "eta must be .* got nan"),
        (lambda c: c.ddim_step(X, 5, 3, X, -1, X), "eta must be .* at least 0 .* got -1"),
        (lambda c: c.ddim_sample(Said(), (2, 1), steps=5, eta=math.nan), "eta must be"),
        (lambda c: c.ddim_sample(Said(), (2, 1), steps=True), "steps must be"),
        (lambda c: c.ddim_sample(Said(), (0, 1), steps=5), r"shape\[0\] must be .* got 0"),
        (lambda c: c.inpaint(Said(), X, X * math.nan, steps=2), "mask must be finite"),
        (lambda c: c.inpaint(Said(), X, X, steps=2, repeats=10**12), "repeats must be .* at most"),
        (lambda c: c.min_snr_weight(-1), "gamma must be a finite number, above 0; got -1"),
        (lambda c: c.loss(Said(), X, min_snr=math.nan), "min_snr must be"),
        (lambda c: c.loss(Said(), X[:0]), r"x0 must be .* not empty; got \(0, 1, 4, 4\)"),
        (lambda c: c.loss(lambda x, t: x[:, :, :1], X), "model must answer in the shape of x"),
        (lambda c: flow_loss(Said(), X[:0]), "x0 must be .* not empty"),
        (lambda c: flow_sample(Said(), (2, 1), steps=0), "steps must be"),
        (lambda c: flow_sample(Said(), (2, 1), steps=10**12), "steps must be .* at most"),
        (lambda c: DiffusionStep(unet(), c, min_snr=-1), "min_snr must be"),
        (lambda c: FlowStep(unet(), steps=-1), "steps must be"),
        (lambda c: FlowStep(unet(), lr=math.nan), "lr must be"),
        (lambda c: DiffusionStep(unet(), c, prediction="flow"), "prediction must be one of"),
    ],
)
def test_other_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(linear(10))


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.bool, torch.complex64])
def test_pictures_of_other_than_decimal_numbers_are_refused(kind):
    """The coefficients would be rounded to whole numbers, and most are below 1."""
    chain, x, t = linear(10), torch.ones(2, 1, 4, 4).to(kind), torch.tensor([0, 9])
    calls = [
        *((method, "x0?", (x, t, X)) for method in (chain.q_sample, chain.q_step, chain.velocity)),
        *((method, "xt", (x, t, X)) for method in (chain.predict_x0, chain.predict_eps)),
        (chain.q_sample, "noise", (X, t, x)),
        (chain.posterior, "x0", (x, X, t)),
        (chain.posterior, "xt", (X, x, t)),
        (chain.ddpm_step, "xt", (x, 5, X, X)),
        (chain.ddim_step, "eps", (X, 5, 3, x)),
        (chain.loss, "x0", (Said(), x)),
        (chain.inpaint, "x0", (Said(), x, X)),
        (flow_loss, "x0", (Said(), x)),
        (guided_noise, "eps_uncond", (X, x, 1.0)),
    ]
    for call, name, arguments in calls:
        with pytest.raises(TypeError, match=f"^{name} must be a tensor of decimal numbers"):
            call(*arguments)


def test_times_of_any_integer_type_are_the_same_times():
    """Of uint8, torch would make a mask where there are as many pictures as times."""
    chain, x = linear(4), draw(4, 1, 2, 2)
    t = torch.tensor([3, 1, 0, 1])
    for kind in (torch.uint8, torch.int8, torch.int32):
        assert torch.equal(chain.q_sample(x, t.to(kind), x), chain.q_sample(x, t, x))


def test_labels_of_another_type_are_named():
    with pytest.raises(TypeError, match="labels must be whole numbers"):
        linear(10).loss(unet(classes=3), X, torch.tensor([0.0, 1.0]))


def test_arguments_stay_as_they_were():
    chain, labels, x = cosine(10), torch.tensor([0, 1]), draw(2, 1, 8, 8)
    before = copy.deepcopy((labels, x))
    net = unet(classes=2)
    chain.loss(net, x, labels)
    chain.ddpm_sample(net, x.shape, labels, 2.0, start=x)
    chain.inpaint(net, x, torch.ones(1, 1, 8, 8), labels, steps=3)
    flow_sample(net, x.shape, labels, start=x, steps=2)
    assert torch.equal(before[0], labels) and torch.equal(before[1], x)
