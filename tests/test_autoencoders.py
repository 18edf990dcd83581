import copy
import itertools
import math
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from course_lib import autoencoders
from course_lib.autoencoders import (
    VAE,
    Autoencoder,
    AutoencoderStep,
    ConditionalVAE,
    Discriminator,
    IntroVAEStep,
    MapAutoencoder,
    VAEGANStep,
    VAEStep,
    elbo_terms,
    kl_to_standard_normal,
    morph,
    negative_elbo,
    one_hot,
    reparameterise,
    slerp,
)
from course_lib.pca import PCA, principal_angles
from course_lib.shapes import layer_table
from course_lib.training import parts, train

from .helpers import assert_step_runs_on_meta

NAN = float("nan")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pictures(n: int = 4, nc: int = 3, h: int = 16, w: int = 16, seed: int = 0) -> Tensor:
    return draw(n, nc, h, w, seed=seed).tanh()


def elbo_inputs(n: int = 3, d: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return pictures(n), pictures(n, seed=1), draw(n, d, seed=2), draw(n, d, seed=3)


# The objective


def test_reparameterise_spreads_by_the_standard_deviation():
    # logvar = 2 means σ = e = 2.718, not 7.389
    z = reparameterise(torch.zeros(1, 1), torch.full((1, 1), 2.0), torch.ones(1, 1))
    assert z.item() == pytest.approx(math.e)


def test_reparameterise_has_the_asked_mean_and_variance():
    n, mu, logvar = 20_000, torch.tensor([1.0, -2.0]), torch.tensor([-3.0, 1.0])
    z = reparameterise(mu.expand(n, 2), logvar.expand(n, 2), draw(n, 2))
    torch.testing.assert_close(z.mean(0), mu, atol=0.05, rtol=0)
    torch.testing.assert_close(z.var(0), logvar.exp(), atol=0, rtol=0.05)


def test_gradients_reach_mu_and_logvar():
    mu, logvar, noise = (draw(3, 2, seed=s).requires_grad_() for s in range(3))
    reparameterise(mu, logvar, noise).sum().backward()
    torch.testing.assert_close(mu.grad, torch.ones(3, 2))
    torch.testing.assert_close(logvar.grad, 0.5 * (logvar / 2).exp() * noise)


@pytest.mark.parametrize(
    "mu, logvar, expected", [(0, 0, 0), (1, 0, 0.5), (0, 1, 0.5 * (math.e - 2)), (0, -2, 0.567668)]
)
def test_the_kl_of_one_dimension_is_the_known_number(mu, logvar, expected):
    # ½(μ² + σ² − 1 − log σ²); at logvar = 1: 0.359, where KL(p ‖ q) would be 0.184
    found = kl_to_standard_normal(torch.full((1, 1), float(mu)), torch.full((1, 1), float(logvar)))
    assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n, d", [(1, 1), (5, 3), (2, 64)])
def test_the_kl_agrees_with_torch_distributions(n, d):
    mu, logvar = draw(n, d, seed=1), draw(n, d, seed=2)
    prior = Normal(torch.zeros(n, d), torch.ones(n, d))
    expected = kl_divergence(Normal(mu, (logvar / 2).exp()), prior).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), expected)


def test_the_gaussian_elbo_is_the_log_likelihood_up_to_its_constant():
    x, shown, mu, logvar = elbo_inputs()
    log_p = Normal(shown, 1.0).log_prob(x).flatten(1).sum(1)
    constant = 0.5 * x[0].numel() * math.log(2 * math.pi)
    kl = kl_to_standard_normal(mu, logvar)
    expected = (-log_p - constant + 3 * kl).mean()
    torch.testing.assert_close(negative_elbo(x, shown, mu, logvar, beta=3.0), expected)
    torch.testing.assert_close(negative_elbo(x, shown, mu, logvar), expected - 2 * kl.mean())


def test_the_bernoulli_elbo_is_the_cross_entropy_of_shares_of_white():
    x, shown, mu, logvar = elbo_inputs()
    p = Bernoulli(probs=(1 + shown) / 2, validate_args=False)
    expected = -p.log_prob((1 + x) / 2).flatten(1).sum(1)
    error, kl = elbo_terms(x, shown, mu, logvar, "bernoulli")
    torch.testing.assert_close(error, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(kl, kl_to_standard_normal(mu, logvar))


def test_the_bernoulli_elbo_of_certainties_is_finite_with_a_finite_gradient():
    x = torch.tensor([-1.0, -1.0, 1.0, 1.0]).view(1, 1, 2, 2)
    shown = torch.tensor([-1.0, 1.0, -1.0, 1.0]).view(1, 1, 2, 2).requires_grad_()
    loss = negative_elbo(x, shown, torch.zeros(1, 1), torch.zeros(1, 1), likelihood="bernoulli")
    loss.backward()
    assert loss.item() == pytest.approx(2 * -math.log(5e-7), rel=1e-2)
    assert torch.isfinite(shown.grad).all()


def test_the_elbo_sums_over_pixels_and_latents_and_averages_over_pictures():
    x, shown, mu, logvar = elbo_inputs()
    loss = negative_elbo(x, shown, mu, logvar)
    twice = [torch.cat([t, t]) for t in (x, shown, mu, logvar)]
    torch.testing.assert_close(negative_elbo(*twice), loss)
    wide = [torch.cat([t, t], dim=1) for t in (x, shown, mu, logvar)]
    torch.testing.assert_close(negative_elbo(*wide), 2 * loss)


def test_a_small_overshoot_of_the_range_is_rounding_and_accepted():
    x, shown, mu, logvar = elbo_inputs()
    assert torch.isfinite(negative_elbo(x.sign() * 1.0005, shown, mu, logvar))


@pytest.mark.parametrize(
    "place, value, name",
    [
        (0, 255 * pictures(3).abs(), "x must lie in"),
        (0, pictures(3) * NAN, "x must lie in"),
        (1, pictures(3, h=24), "reconstruction must have the shape of x"),
        (1, pictures(3) * NAN, "reconstruction must be finite"),
        (2, draw(4, 2), "logvar must have the shape of mu"),
        (3, draw(3, 1), "logvar must have the shape of mu"),
        (3, draw(3), "logvar must have the shape of mu"),
    ],
)
def test_the_elbo_names_the_argument_that_is_wrong(place, value, name):
    arguments = list(elbo_inputs())
    arguments[place] = value
    if place == 2:
        arguments[0], arguments[1] = pictures(4), pictures(4)
    with pytest.raises(ValueError, match=name):
        negative_elbo(*arguments)


def test_the_elbo_refuses_other_counts_likelihoods_betas_and_logits():
    x, shown, mu, logvar = elbo_inputs()
    with pytest.raises(ValueError, match="mu must have one row per picture"):
        negative_elbo(x, shown, mu[:2], logvar[:2])
    with pytest.raises(ValueError, match="likelihood"):
        negative_elbo(x, shown, mu, logvar, likelihood="laplace")
    with pytest.raises(ValueError, match="beta"):
        negative_elbo(x, shown, mu, logvar, beta=-1)
    with pytest.raises(ValueError, match="beta"):
        negative_elbo(x, shown, mu, logvar, beta=NAN)
    with pytest.raises(ValueError, match="reconstruction must lie in"):
        negative_elbo(x, 5 * shown, mu, logvar, likelihood="bernoulli")


@pytest.mark.parametrize("bad", [draw(3, 3), draw(2, 2), draw(3)])
def test_reparameterise_refuses_other_shapes(bad):
    good = draw(3, 2)
    with pytest.raises(ValueError, match="^logvar"):
        reparameterise(good, bad, good)
    with pytest.raises(ValueError, match="^noise"):
        reparameterise(good, good, bad)
    with pytest.raises(ValueError, match="^logvar"):
        kl_to_standard_normal(good, bad)


def test_the_kl_refuses_codes_that_are_no_rows():
    with pytest.raises(ValueError, match="^mu"):
        kl_to_standard_normal(draw(3), draw(3))


# Between two codes


@pytest.mark.parametrize("between", [morph, slerp])
def test_a_path_starts_at_one_code_and_ends_at_the_other(between):
    a, b = draw(3, 5, seed=1), 4 * draw(3, 5, seed=2)
    torch.testing.assert_close(between(a, b, 0.0), a)
    torch.testing.assert_close(between(a, b, 1.0), b)
    torch.testing.assert_close(between(a, b, 0.3), between(b, a, 0.7))


@pytest.mark.parametrize("between", [morph, slerp])
def test_many_fractions_give_a_row_each(between):
    a, b, fractions = draw(5, seed=1), draw(5, seed=2), torch.tensor([0.0, 0.25, 1.0])
    path = between(a, b, fractions)
    assert path.shape == (3, 5)
    for row, fraction in zip(path, fractions, strict=True):
        torch.testing.assert_close(row, between(a, b, fraction.item()))
    assert between(a.expand(4, 5), b.expand(4, 5), fractions).shape == (3, 4, 5)


def test_morph_is_linear():
    a, b = draw(2, 5, seed=1), draw(2, 5, seed=2)
    torch.testing.assert_close(morph(a, b, 0.2), 0.8 * a + 0.2 * b)


def test_slerp_turns_at_constant_speed_and_keeps_the_length():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    expected = torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)])
    torch.testing.assert_close(slerp(a, b, 1 / 3), expected)
    a, b = (nn.functional.normalize(draw(8, 6, seed=s), dim=1) for s in (1, 2))
    torch.testing.assert_close(slerp(a, b, 0.4).norm(dim=1), torch.ones(8))


def test_slerp_between_parallel_codes_is_the_straight_line():
    a = draw(5)
    torch.testing.assert_close(slerp(a, a, 0.5), a)
    torch.testing.assert_close(slerp(a, 3 * a, 0.5), 2 * a)
    near = a + 1e-7 * draw(5, seed=1)
    torch.testing.assert_close(slerp(a, near, 0.5), a)


def test_slerp_from_a_code_of_zeros_is_the_straight_line():
    a = draw(5)
    torch.testing.assert_close(slerp(torch.zeros(5), a, 0.25), 0.25 * a)
    torch.testing.assert_close(slerp(a, torch.zeros(5), 0.25), 0.75 * a)
    torch.testing.assert_close(slerp(torch.zeros(5), torch.zeros(5), 0.25), torch.zeros(5))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_slerp_between_opposite_codes_goes_around_and_not_through_zero(scale):
    a = scale * draw(3, 5)
    path = slerp(a, -a, torch.linspace(0, 1, 11))
    torch.testing.assert_close(path.norm(dim=-1), a.norm(dim=-1).expand(11, 3))
    torch.testing.assert_close(path[0], a)
    torch.testing.assert_close(path[-1], -a)


def test_slerp_between_almost_opposite_codes_keeps_its_digits():
    a = draw(6)
    b = 1e-4 * draw(6, seed=1) - a
    exact = slerp(a.double(), b.double(), 0.3)
    torch.testing.assert_close(slerp(a, b, 0.3).double(), exact, rtol=1e-6, atol=1e-6)


def test_slerp_between_opposite_codes_of_one_dimension_has_no_way_around():
    torch.testing.assert_close(slerp(torch.ones(1), -torch.ones(1), 0.25), torch.tensor([0.5]))


def test_slerp_treats_each_row_on_its_own():
    a = torch.stack([draw(4), draw(4), draw(4), torch.zeros(4)])
    b = torch.stack([draw(4, seed=1), -a[1], 2 * a[2], draw(4, seed=2)])
    rows = [slerp(p, q, 0.3) for p, q in zip(a, b, strict=True)]
    torch.testing.assert_close(slerp(a, b, 0.3), torch.stack(rows))


@pytest.mark.parametrize("between", [morph, slerp])
def test_a_path_refuses_other_shapes_and_percentages(between):
    with pytest.raises(ValueError, match="^z_b"):
        between(draw(3), draw(4), 0.5)
    for fraction in (20, -0.1, NAN, torch.tensor([0.5, 1.5])):
        with pytest.raises(ValueError, match="^fraction"):
            between(draw(3), draw(3), fraction)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.int32])
def test_one_hot_puts_a_one_at_the_label(dtype):
    found = one_hot(torch.tensor([2, 0, 3], dtype=dtype), 4)
    expected = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert torch.equal(found, expected) and found.dtype == torch.float32
    assert one_hot(torch.zeros(0, dtype=dtype), 4).shape == (0, 4)


@pytest.mark.parametrize(
    "labels, error",
    [
        (torch.tensor([0, 4]), ValueError),
        (torch.tensor([-1, 0]), ValueError),
        (torch.tensor([[0], [1]]), ValueError),
        (torch.tensor(1), ValueError),
        (torch.tensor([0.0, 1.0]), TypeError),
        (torch.tensor([True, False]), TypeError),
    ],
)
def test_one_hot_refuses_labels_out_of_range_and_of_another_type(labels, error):
    with pytest.raises(error, match="^labels"):
        one_hot(labels, 4)


# The networks

SHAPES = [(1, 8, 8), (3, 64, 64), (2, 16, 40)]
KINDS = ["conv", "dense", "linear"]


def build(network: type, shape, kind: str, latent: int = 2) -> nn.Module:
    torch.manual_seed(0)
    nc, h, w = shape
    return network(nc, h if h == w else (h, w), latent=latent, kind=kind, hidden=16)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_network_keeps_every_shape(shape, kind):
    x, labels = pictures(3, *shape), torch.tensor([0, 1, 9])
    autoencoder = build(Autoencoder, shape, kind)
    assert autoencoder.encode(x).shape == (3, 2) and autoencoder(x).shape == x.shape
    vae = build(VAE, shape, kind)
    assert [t.shape for t in vae.encode(x)] == [(3, 2), (3, 2)]
    assert [t.shape for t in vae(x)] == [x.shape, (3, 2), (3, 2)]
    conditional = build(ConditionalVAE, shape, kind)
    assert [t.shape for t in conditional(x, labels)] == [x.shape, (3, 2), (3, 2)]
    for network in (autoencoder, vae, conditional):
        assert network.sample(5).shape == (5, *shape)


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_decoded_pictures_lie_in_range(kind):
    assert build(VAE, (3, 16, 16), kind).eval().decode(1e3 * draw(4, 2)).abs().max() <= 1


def test_the_report_of_2017_is_the_dense_network_at_its_defaults():
    # 12,288 inputs, 512 hidden, 2 latents: weights and biases of its four layers
    count = sum(p.numel() for p in VAE(3, 64, latent=2, kind="dense").parameters())
    assert count == 12_289 * 512 + 513 * 4 + 3 * 512 + 513 * 12_288


@pytest.mark.parametrize(
    "network, outputs, classes", [(Autoencoder, 32, 0), (VAE, 64, 0), (ConditionalVAE, 64, 10)]
)
def test_a_network_at_its_defaults_has_the_parameters_of_its_layers(network, outputs, classes):
    # 4 · 4 · 3 channels, then 64 and 128 on a map of 16 × 16 and 8 × 8, and back
    encoder = 48 * 64 * 9 + 128 + 64 * 128 * 16 + 256 + (128 * 64 + classes + 1) * outputs
    decoder = (32 + classes + 1) * 128 * 64 + 128 * 128 * 9 + 256 + 128 * 64 * 16 + 128
    decoder += 64 * 64 * 9 + 128 + (64 * 9 + 1) * 48
    net = network()
    assert net.shape == (3, 64, 64) and net.latent == 32
    assert sum(p.numel() for p in net.parameters()) == encoder + decoder
    bends = [m.negative_slope for m in net.modules() if isinstance(m, nn.LeakyReLU)]
    assert bends == [0.2] * 6
    pixels = 3 * 64 * 64
    dense = (pixels + classes + 1) * 512 + 513 * outputs
    dense += (32 + classes + 1) * 512 + 513 * pixels
    assert sum(p.numel() for p in network(kind="dense").parameters()) == dense


def matrix(layer: nn.Linear):
    return lambda x: x.flatten(1) @ layer.weight.T + layer.bias


def test_a_linear_network_is_a_matrix_each_way():
    x, z, labels = pictures(5, 1, 8, 8), draw(5, 3), torch.tensor([1, 0, 9, 3, 3])
    one = torch.eye(10)[labels]

    def ways(network):
        net = build(network, (1, 8, 8), "linear", latent=3)
        back = matrix(net.decoder.net[0])
        return net, matrix(net.encoder.head), lambda z: back(z).view(-1, 1, 8, 8)

    net, there, back = ways(Autoencoder)
    torch.testing.assert_close(net.encode(x), there(x))
    torch.testing.assert_close(net.decode(z), back(z))
    torch.testing.assert_close(net(x), back(there(x)))
    net, there, back = ways(VAE)
    torch.testing.assert_close(torch.cat(net.encode(x), dim=1), there(x))
    torch.testing.assert_close(net.reconstruct(x), back(there(x)[:, :3]))
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net.sample(5, torch.Generator().manual_seed(1)), back(noise))
    torch.manual_seed(1)  # the same numbers, where no generator is given
    torch.testing.assert_close(net.sample(5), back(noise))
    net, there, back = ways(ConditionalVAE)
    codes = there(torch.cat([x.flatten(1), one], dim=1))
    torch.testing.assert_close(torch.cat(net.encode(x, labels), dim=1), codes)
    torch.testing.assert_close(net.decode(z, labels), back(torch.cat([z, one], dim=1)))
    made = net.sample(5, labels, torch.Generator().manual_seed(1))
    torch.testing.assert_close(made, back(torch.cat([noise, one], dim=1)))
    drawn, mu, logvar = net(x, labels, torch.Generator().manual_seed(1))
    torch.testing.assert_close(torch.cat([mu, logvar], dim=1), codes)
    z = codes[:, :3] + (codes[:, 3:] / 2).exp() * noise
    torch.testing.assert_close(drawn, back(torch.cat([z, one], dim=1)))


@pytest.mark.parametrize("network", [Autoencoder, VAE, ConditionalVAE])
def test_samples_follow_the_generator_and_leave_the_network_as_it_was(network):
    model = build(network, (3, 16, 16), "conv")
    before = copy.deepcopy(model.state_dict())
    seeds = [torch.Generator().manual_seed(s) for s in (1, 1, 2)]
    a, b, c = (model.sample(4, generator=g) for g in seeds)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert model.training and not a.requires_grad
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_samples_do_not_look_at_a_picture_but_reconstructions_do():
    vae = build(VAE, (3, 16, 16), "dense").eval()
    shown = [vae(pictures(seed=s), generator=torch.Generator().manual_seed(0))[0] for s in (0, 1)]
    assert not torch.equal(*shown)


def test_the_reconstruction_is_noisy_by_sigma():
    vae = build(VAE, (3, 16, 16), "dense").eval()
    x = pictures()
    mu, logvar = vae.encode(x)
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(5))
    expected = vae.decode(mu + (logvar / 2).exp() * noise)
    found = vae(x, generator=torch.Generator().manual_seed(5))[0]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("network", [Autoencoder, VAE])
def test_reconstruct_decodes_the_code_without_noise_and_leaves_the_mode_as_it_was(network):
    model = build(network, (3, 16, 16), "conv")
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    model(x)  # moves the running statistics of BatchNorm
    rebuilt = model.reconstruct(x)
    assert model.training and not rebuilt.requires_grad
    codes = model.eval().encode(x)
    codes = codes[0] if network is VAE else codes
    assert torch.equal(rebuilt, model.decode(codes))


def test_an_autoencoder_samples_where_it_saw_codes():
    model = build(Autoencoder, (1, 8, 8), "linear")
    model.code_mean.copy_(torch.tensor([5.0, -3.0]))
    model.code_std.copy_(torch.tensor([0.5, 2.0]))
    noise = torch.randn(7, 2, generator=torch.Generator().manual_seed(1))
    expected = model.decode(model.code_mean + model.code_std * noise)
    torch.testing.assert_close(model.sample(7, torch.Generator().manual_seed(1)), expected)


def test_the_conditional_vae_decodes_the_asked_class():
    model = build(ConditionalVAE, (1, 16, 16), "conv").eval()
    z = draw(3, 2)
    a, b = (model.decode(z, torch.tensor(labels)) for labels in ([0, 1, 2], [3, 1, 2]))
    assert not torch.equal(a[0], b[0]) and torch.equal(a[1:], b[1:])
    fours = model.sample(3, 4, torch.Generator().manual_seed(0))
    given = model.sample(3, torch.tensor([4, 4, 4]), torch.Generator().manual_seed(0))
    assert torch.equal(fours, given)
    turns = model.sample(12, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 10
    assert torch.equal(turns, model.sample(12, labels, torch.Generator().manual_seed(0)))


def test_the_conditional_vae_takes_mixtures_of_classes():
    model = build(ConditionalVAE, (1, 16, 16), "dense").eval()
    labels = torch.tensor([3, 7])
    torch.testing.assert_close(
        model.decode(draw(2, 2), labels), model.decode(draw(2, 2), one_hot(labels, 10))
    )
    half = morph(one_hot(labels[:1], 10), one_hot(labels[1:], 10), 0.5)
    assert model.decode(draw(1, 2), half).shape == (1, 1, 16, 16)


@pytest.mark.parametrize("network", [Autoencoder, VAE, ConditionalVAE, Discriminator])
@pytest.mark.parametrize("size", [0, 4, 28, 30, (16, 20), -8])
def test_a_size_that_is_no_multiple_of_eight_is_refused(network, size):
    with pytest.raises(ValueError, match="multiple of 8"):
        network(3, size)


@pytest.mark.parametrize("network", [Autoencoder, VAE, ConditionalVAE])
def test_an_unknown_kind_is_refused(network):
    with pytest.raises(ValueError, match="kind"):
        network(kind="deep")


@pytest.mark.parametrize("network", [Autoencoder, VAE])
@pytest.mark.parametrize(
    "bad, error",
    [
        (pictures(2, h=24), ValueError),
        (pictures(2, nc=1), ValueError),
        (pictures(2)[0], ValueError),
        (pictures(2) * 2, ValueError),
        (pictures(2) * NAN, ValueError),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), TypeError),
    ],
)
def test_encode_refuses_other_pictures(network, bad, error):
    with pytest.raises(error, match="^x must"):
        build(network, (3, 16, 16), "dense").encode(bad)


@pytest.mark.parametrize("network", [Autoencoder, VAE])
def test_decode_refuses_other_codes(network):
    for bad in (draw(2, 3), draw(2)):
        with pytest.raises(ValueError, match="^z must"):
            build(network, (3, 16, 16), "dense").decode(bad)


@pytest.mark.parametrize(
    "labels, error",
    [
        (torch.tensor([0, 10]), ValueError),
        (torch.tensor([0, -1]), ValueError),
        (torch.tensor([0]), ValueError),
        (torch.tensor([0.0, 1.0]), TypeError),
        (torch.zeros(2, 9), ValueError),
    ],
)
def test_the_conditional_vae_refuses_other_labels(labels, error):
    model = build(ConditionalVAE, (3, 16, 16), "dense")
    with pytest.raises(error, match="labels"):
        model(pictures(2), labels)
    with pytest.raises(error, match="labels"):
        model.decode(draw(2, 2), labels)


# Training


def steps(shape=(3, 16, 16), kind: str = "dense") -> dict[str, tuple]:
    """Every step of the module with a batch that fits it."""
    x, labels = pictures(6, *shape), torch.arange(6)
    return {
        "autoencoder": (AutoencoderStep(build(Autoencoder, shape, kind)), x),
        "vae": (VAEStep(build(VAE, shape, kind)), x),
        "bernoulli": (VAEStep(build(VAE, shape, kind), likelihood="bernoulli"), x),
        "conditional": (VAEStep(build(ConditionalVAE, shape, kind)), (x, labels)),
        "vae/gan": (VAEGANStep(build(VAE, shape, kind), Discriminator(3, shape[1:])), x),
        "introvae": (IntroVAEStep(build(VAE, shape, kind)), x),
    }


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("name", ["autoencoder", "vae", "bernoulli", "conditional"])
def test_training_lowers_the_loss(name, kind):
    step, batch = steps(kind=kind)[name]
    losses = [step(batch) for _ in range(25)]
    key = "reconstruction" if name == "autoencoder" else "loss"
    assert losses[-1][key] < (0.98 if name == "bernoulli" else 0.9) * losses[0][key]
    assert all(not loss.requires_grad and loss.ndim == 0 for loss in losses[0].values())


@pytest.mark.parametrize("kind", ["conv", "dense", "linear"])
@pytest.mark.parametrize(
    "name", ["autoencoder", "vae", "bernoulli", "conditional", "vae/gan", "introvae"]
)
def test_every_step_runs_on_any_device_and_waits_for_none(name, kind):
    _, batch = steps(kind=kind)[name]
    assert_step_runs_on_meta(lambda: steps(kind=kind)[name][0], lambda: batch)


def test_the_loss_of_a_vae_step_is_the_negative_elbo():
    step = VAEStep(build(VAE, (3, 16, 16), "dense"), beta=2.5)
    x = pictures()
    torch.manual_seed(3)
    expected = negative_elbo(x, *step.model(x), beta=2.5)
    torch.manual_seed(3)
    losses = step(x)
    torch.testing.assert_close(losses["loss"], expected.detach(), rtol=2e-2, atol=0)  # bfloat16
    torch.testing.assert_close(losses["loss"], losses["reconstruction"] + 2.5 * losses["kl"])
    losses = VAEStep(build(VAE, (3, 16, 16), "dense"))(x)  # beta = 1 unless told otherwise
    torch.testing.assert_close(losses["loss"], losses["reconstruction"] + losses["kl"])


def test_beta_zero_leaves_the_kl_alone_and_a_large_beta_crushes_it():
    last = []
    for beta in (0.0, 100.0):
        step = VAEStep(build(VAE, (3, 16, 16), "dense"), beta=beta)
        last.append([step(pictures()) for _ in range(60)][-1]["kl"].item())
    assert last[0] > 1 and last[1] < 0.1


def test_with_steps_the_learning_rate_falls_to_zero():
    step = VAEStep(build(VAE, (3, 16, 16), "dense"), lr=1e-3, steps=4)
    rates = []
    for _ in range(5):
        rates.append(step.optimizer.param_groups[0]["lr"])
        step(pictures())
    assert rates == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4, 0])


def test_the_autoencoder_step_remembers_where_codes_lie():
    step = AutoencoderStep(build(Autoencoder, (3, 16, 16), "dense"), lr=0.0)
    for _ in range(250):
        step(pictures())
    codes = step.model.encode(pictures())
    torch.testing.assert_close(step.model.code_mean, codes.mean(0), atol=0.02, rtol=0.02)
    torch.testing.assert_close(
        step.model.code_std, codes.std(0, correction=0), atol=0.02, rtol=0.05
    )


def test_a_linear_autoencoder_finds_the_subspace_of_pca():
    # Baldi and Hornik 1989
    torch.manual_seed(0)
    spread = torch.tensor([3.0, 2.0, 1.5] + [0.3] * 61)
    rotation = torch.linalg.qr(draw(64, 64, seed=1)).Q
    x = (draw(500, 64) * spread @ rotation).view(500, 1, 8, 8)
    x = x / x.abs().max()
    step = AutoencoderStep(Autoencoder(1, 8, latent=3, kind="linear"), lr=5e-2, steps=300)
    for _ in range(300):
        step(x)
    decoder = step.model.decoder.net[0].weight.detach().T
    assert principal_angles(decoder, PCA(3).fit(x).components).max() < 1


def test_the_vae_gan_step_moves_each_network_by_its_own_loss():
    step, x = steps()["vae/gan"]
    before = copy.deepcopy([step.model.state_dict(), step.discriminator.state_dict()])
    losses = step(x)
    assert set(losses) == {"d_loss", "g_loss", "features", "kl"}
    for old, network in zip(before, (step.model, step.discriminator), strict=True):
        assert any(not torch.equal(old[key], value) for key, value in network.state_dict().items())


def intro_losses(net, x, alpha, margin):
    """Huang et al. 2018, eq. 11 and 12, from the definitions: encoder's, decoder's, the three."""
    prior = Normal(0.0, 1.0)

    def kl_of(mu, logvar):
        return kl_divergence(Normal(mu, (logvar / 2).exp()), prior).sum(1)

    mu, logvar = net.encode(x)
    z = mu + (logvar / 2).exp() * torch.randn_like(mu)
    error = 0.5 * (x - net.decode(z)).square().sum() / len(x)
    fake = net.decode(torch.cat([z.detach(), torch.randn_like(z)]))
    of_fake, kl = kl_of(*net.encode(fake)), kl_of(mu, logvar).mean()
    rebuilt, sampled = of_fake.chunk(2)
    pushed = sum((margin - part).clamp(min=0).mean() for part in (rebuilt, sampled))
    pulled = rebuilt.mean() + sampled.mean()
    parts = {"reconstruction": error, "kl": kl, "kl_fake": of_fake.mean()}
    return kl + error + alpha * pushed, error + alpha * pulled, parts


@pytest.mark.parametrize("margin", [0.05, 60.0])  # below and above what fakes have
def test_a_step_of_introvae_is_made_of_the_formulas(margin):
    step = IntroVAEStep(build(VAE, (3, 16, 16), "dense"), alpha=0.3, margin=margin)
    step.model.kind = "linear"  # keeps bfloat16 out
    net, x = copy.deepcopy(step.model), pictures()
    torch.manual_seed(1)
    losses = step(x)
    torch.manual_seed(1)
    encoder_loss, decoder_loss, expected = intro_losses(net, x, 0.3, margin)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value.detach())
        assert not losses[name].requires_grad
    for part, live, loss in (
        (net.encoder, step.model.encoder, encoder_loss),
        (net.decoder, step.model.decoder, decoder_loss),
    ):
        gradients = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True)
        found = [p.grad for p in live.parameters()]
        torch.testing.assert_close(found, list(gradients), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"margin": 0.0}, {"alpha": NAN}])
def test_introvae_refuses_a_weight_or_margin_that_is_not_above_0(settings):
    with pytest.raises(ValueError, match="(alpha|margin) must be a finite number, above 0"):
        IntroVAEStep(build(VAE, (3, 16, 16), "dense"), **settings)


def test_a_step_of_vae_gan_is_made_of_the_formulas():
    step = VAEGANStep(build(VAE, (3, 16, 16), "dense"), Discriminator(3, 16))
    step.model.kind = "linear"  # keeps bfloat16 out
    net, judge, x = copy.deepcopy(step.model), copy.deepcopy(step.discriminator), pictures()
    torch.manual_seed(1)
    losses = step(x)
    torch.manual_seed(1)
    rebuilt, mu, logvar = net(x)
    fake = torch.cat([rebuilt, net.decode(torch.randn_like(mu))])
    real_share, fake_share = judge(x)[0].sigmoid(), judge(fake)[0].sigmoid()
    d_loss = -real_share.log().mean() - (1 - fake_share).log().mean()
    scores, features = step.discriminator(fake)  # which has learned by now
    error = 0.5 * (step.discriminator(x)[1].detach() - features[:4]).square().sum() / 4
    kl = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum() / 4
    g_loss = -scores.sigmoid().log().mean()
    expected = {"d_loss": d_loss, "g_loss": g_loss, "features": error, "kl": kl}
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value.detach())
        assert not losses[name].requires_grad
    for part, live, loss in (
        (net.encoder, step.model.encoder, kl + error),
        (net.decoder, step.model.decoder, 0.01 * error + g_loss),
    ):
        gradients = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True)
        found = [p.grad for p in live.parameters()]
        torch.testing.assert_close(found, list(gradients), rtol=1e-4, atol=1e-6)


def test_all_but_the_linear_network_may_train_in_bfloat16(monkeypatch):
    asked = []
    choice = SimpleNamespace(autocast=lambda: asked.append(kind) or nullcontext())
    monkeypatch.setattr(autoencoders.device, "choose", lambda: choice)
    for kind in KINDS:
        AutoencoderStep(build(Autoencoder, (1, 8, 8), kind))(pictures(2, 1, 8, 8))
    assert asked == ["conv", "dense"]


def test_steps_begin_at_their_rates():
    autoencoder = AutoencoderStep(build(Autoencoder, (1, 8, 8), "linear"))
    vae = VAEStep(build(VAE, (1, 8, 8), "linear"))
    vae_gan = VAEGANStep(build(VAE, (1, 8, 8), "linear"), Discriminator(1, 8))
    pairs = [(s.optimizer, s.schedule) for s in (autoencoder, vae, vae_gan)]
    pairs += [(vae_gan.d_optimizer, vae_gan.d_schedule)]
    settings = [(o.param_groups[0]["lr"], o.param_groups[0]["betas"]) for o, _ in pairs]
    half = (0.5, 0.999)  # GANs dislike Adam's 0.9 (Radford et al. 2016)
    assert settings == [(2e-3, (0.9, 0.999))] * 2 + [(1e-3, half), (5e-4, half)]
    for optimizer, schedule in pairs:  # and stay there where no end is known
        optimizer.step(), schedule.step()
        assert optimizer.param_groups[0]["lr"] == optimizer.param_groups[0]["initial_lr"]


def test_the_discriminator_at_its_defaults_has_the_parameters_of_its_layers():
    net = Discriminator()
    assert layer_table(net.trunk, (3, 64, 64)).rows[-1].shape == (128, 8, 8)
    count = (12 * 16 + 1) * 64 + (64 * 16 + 1) * 128 + 128 * 8 * 8 + 1
    assert sum(p.numel() for p in net.parameters()) == count


def test_the_encoder_of_vae_gan_does_not_hear_whether_the_discriminator_is_fooled():
    weights = []
    for gamma in (0.0, 1.0):
        torch.manual_seed(0)
        step = VAEGANStep(build(VAE, (3, 16, 16), "dense"), Discriminator(3, 16), gamma=gamma)
        torch.manual_seed(1)
        step(pictures(6))
        weights.append(
            [
                copy.deepcopy(list(part.parameters()))
                for part in (step.model.encoder, step.model.decoder)
            ]
        )
    (encoder_a, decoder_a), (encoder_b, decoder_b) = weights
    assert all(torch.equal(a, b) for a, b in zip(encoder_a, encoder_b, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(decoder_a, decoder_b, strict=True))


def test_the_features_of_the_discriminator_have_a_fixed_scale():
    net = Discriminator(3, 16)
    for parameter in net.trunk.parameters():
        parameter.data *= 0.7
    scores, features = net(pictures())
    assert scores.shape == (4,)
    torch.testing.assert_close(features.flatten(1).var(1), torch.ones(4), atol=0.1, rtol=0)


@pytest.mark.parametrize("name", ["autoencoder", "conditional", "vae/gan"])
def test_the_course_loop_trains_every_step_and_finds_its_whole_state(name):
    step, batch = steps()[name]
    history = train(step, itertools.repeat(batch), steps=2)
    assert history.steps == 2 and not history.stopped
    held = list(parts(step).values())
    networks = [step.model, step.optimizer, step.schedule]
    if name == "vae/gan":
        networks += [step.discriminator, step.d_optimizer, step.d_schedule]
    assert len(held) == len(networks) and all(any(a is b for b in held) for a in networks)


def test_a_conditional_vae_says_when_labels_are_missing():
    step, (x, _) = steps()["conditional"]
    with pytest.raises(ValueError, match="with_labels"):
        step(x)


def test_samples_of_a_step_are_samples_of_its_model():
    step, _ = steps()["vae"]
    assert autoencoders.VAE is type(step.model)
    a = step.samples(3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(a, step.model.sample(3, torch.Generator().manual_seed(1)))


# codes that still lie where they were seen


def maps(**settings) -> MapAutoencoder:
    torch.manual_seed(0)
    return MapAutoencoder(**{"nc": 3, "size": 16, "channels": 2, "width": 8} | settings)


@pytest.mark.parametrize("nc, size, channels", [(1, 32, 4), (3, 16, 2), (1, 4, 1)])
def test_a_map_is_a_quarter_as_wide_and_decodes_into_range(nc, size, channels):
    net = maps(nc=nc, size=size, channels=channels)
    x = pictures(3, nc, size, size)
    z = net.encode(x)
    assert z.shape == (3, channels, size // 4, size // 4)
    made = net.decode(100 * z)
    assert made.shape == x.shape and made.abs().max() <= 1 and made.dtype == torch.float32
    torch.testing.assert_close(net(x), net.decode(z))


def test_a_map_at_its_defaults_has_the_parameters_of_its_layers():
    there = (16 * 9 + 1) * 64 + (64 * 9 + 1) * 64 + 65 * 4
    back = (4 * 9 + 1) * 64 + (64 * 9 + 1) * 64 + (64 * 9 + 1) * 256 + (64 * 9 + 1) * 4
    net = MapAutoencoder()
    assert net.shape == (1, 32, 32) and net.code_mean.shape == (4, 8, 8)
    assert sum(p.numel() for p in net.parameters()) == there + back


def test_a_map_network_that_only_adds_its_last_biases_says_so():
    net = maps()
    for layer, value in ((net.encoder[-1], 0.7), (net.decoder[-3], 0.3)):
        nn.init.zeros_(layer.weight), nn.init.constant_(layer.bias, value)
    x = pictures(3)
    torch.testing.assert_close(net.encode(x), torch.full((3, 2, 4, 4), 0.7))
    torch.testing.assert_close(net.decode(draw(3, 2, 4, 4)), torch.full_like(x, math.tanh(0.3)))
    torch.testing.assert_close(net(x), torch.full_like(x, math.tanh(0.3)))


def test_a_map_is_sampled_around_the_codes_that_were_seen():
    net = maps()
    assert (net.code_mean == 0).all() and (net.code_std == 1).all()
    net.code_mean.copy_(draw(2, 4, 4)), net.code_std.copy_(draw(2, 4, 4, seed=1).abs())
    noise = torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    made = net.sample(5, torch.Generator().manual_seed(1))
    torch.testing.assert_close(made, net.decode(net.code_mean + noise * net.code_std))
    assert len(net.sample()) == 64 and not made.requires_grad


def test_a_map_changes_only_near_the_place_that_changed():
    net, x = maps(size=32), pictures(1, 3, 32, 32)
    other = x.clone()
    other[..., :4, :4] = 0
    moved = (net.encode(other) - net.encode(x)).abs().amax((0, 1))  # 8 × 8 places
    assert moved[0, 0] > 0 and moved[3:].max() == 0 and moved[:, 3:].max() == 0


def test_training_a_map_lowers_the_loss_and_remembers_where_codes_lie():
    net, x = maps(), nn.functional.interpolate(pictures(16, 3, 2, 2), scale_factor=8)
    step = AutoencoderStep(net, lr=1e-2, steps=100)
    losses = [step(x)["reconstruction"].item() for _ in range(100)]
    assert losses[-1] < 0.3 * losses[0]
    codes = net.encode(x)
    torch.testing.assert_close(net.code_std, codes.std(0), rtol=0.4, atol=0.1)
    assert (net.code_mean - codes.mean(0)).abs().mean() < 0.3 * codes.std(0).mean()
    made = net.sample(5, torch.Generator().manual_seed(0))
    assert made.shape == (5, 3, 16, 16)
    again = net.sample(5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(made, again)


def test_a_map_refuses_other_pictures_codes_and_sizes():
    net = maps()
    with pytest.raises(ValueError, match=r"x must be \(B, 3, 16, 16\); got \(2, 3, 32, 32\)"):
        net.encode(pictures(2, 3, 32, 32))
    with pytest.raises(ValueError, match=r"z must be \(B, 2, 4, 4\); got \(2, 32\)"):
        net.decode(draw(2, 32))
    with pytest.raises(ValueError, match="multiple of 4; got 18"):
        maps(size=18)
