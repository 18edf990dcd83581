import pytest
import torch
from torch import nn

from course_lib.dcgan import Discriminator, Generator, UpsampleGenerator, init_weights
from course_lib.shapes import layer_table

SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Shapes and ranges


@pytest.mark.parametrize("size", SIZES)
def test_a_network_built_for_a_size_makes_and_judges_that_size(size):
    generator, discriminator = Generator(5, 2, 2, size), Discriminator(2, 2, size)
    fake = generator(draw(3, 5))
    assert fake.shape == (3, 2, size, size)
    assert fake.abs().max() <= 1
    assert discriminator(fake).shape == (3,)


@pytest.mark.parametrize("size", [0, 1, 4, 7, 9, 18, 27, 30, 33, 50, 63, 66, 100, -64, 64.0])
def test_a_size_that_the_scheme_cannot_make_is_refused(size):
    for network in (Generator, Discriminator):
        with pytest.raises(ValueError, match=f"size must be 4, 5, 6 or 7 doubled.*got {size}"):
            network(size=size)


def test_codes_may_come_as_rows_or_as_maps_of_one_pixel():
    for generator in (Generator(6, 4, 1, 16), UpsampleGenerator(6, 4, 1, 16)):
        z = draw(3, 6)
        torch.testing.assert_close(generator(z), generator(z[:, :, None, None]))


def test_pictures_lie_in_memory_as_others_do_so_that_view_works():
    assert Generator(6, 4, 3, 16)(draw(3, 6)).view(3, -1).shape == (3, 3 * 16 * 16)


def test_channels_halve_with_each_doubling_and_stop_at_eight_times_the_width():
    def widths(size):
        rows = layer_table(Generator(ngf=4, size=size), (100, 1, 1)).rows
        return [row.shape[0] for row in rows if row.name.startswith("Conv")]

    assert widths(64) == [32, 16, 8, 4, 3]
    assert widths(128) == [32, 32, 16, 8, 4, 3]
    assert widths(28) == [8, 4, 3]


def test_the_first_convolution_of_the_discriminator_is_normalised_only_when_asked():
    for asked in (False, True):
        layers = Discriminator(ndf=4, first_batchnorm=asked).layers
        assert isinstance(layers[1], nn.BatchNorm2d) is asked
        norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in layers)
        assert norms == 3 + asked


def test_slopes_are_those_of_the_paper():
    slopes = {m.negative_slope for m in Discriminator().modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}
    assert not any(isinstance(m, (nn.MaxPool2d, nn.AvgPool2d)) for m in Discriminator().modules())


def test_scores_are_logits():
    discriminator = Discriminator(nc=1, ndf=4, size=16)
    with torch.no_grad():
        discriminator.layers[-1].weight.mul_(1000)
    scores = discriminator(draw(32, 1, 16, 16).tanh())
    assert scores.min() < 0 and scores.max() > 1


def test_outputs_are_float32_under_autocast():
    generator, discriminator = Generator(4, 4, 1, 16), Discriminator(1, 4, 16)
    with torch.autocast("cpu", torch.bfloat16):
        fake = generator(draw(2, 4))
        assert fake.dtype == torch.float32 and discriminator(fake).dtype == torch.float32
        assert UpsampleGenerator(4, 4, 1, 16)(draw(2, 4)).dtype == torch.float32


def test_gradients_reach_every_weight():
    for generator in (Generator(6, 4, 1, 16), UpsampleGenerator(6, 4, 1, 16)):
        discriminator = Discriminator(1, 4, 16)
        discriminator(generator(draw(4, 6))).square().sum().backward()
        for net in (generator, discriminator):
            assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_a_trained_network_judges_and_draws_one_picture_alike_alone_and_in_a_batch():
    generator, discriminator = Generator(6, 4, 1, 16).eval(), Discriminator(1, 4, 16).eval()
    z = draw(3, 6)
    fake = generator(z)
    torch.testing.assert_close(generator(z[:1]), fake[:1])
    torch.testing.assert_close(discriminator(fake[:1]), discriminator(fake)[:1])


# The generator that enlarges


def test_the_upsampling_generator_is_the_reports():
    # Vijayvargiya et al.: dense(1024), dense(128·16·16), BatchNorm, tanh, reshape(128, 16, 16),
    # up, conv 64 of 5 × 5, tanh, up, conv 3 of 5 × 5, tanh
    table = layer_table(UpsampleGenerator(), (100,))
    assert [(row.name, row.shape, row.parameters) for row in table.rows] == [
        ("Linear-1", (1024,), 101 * 1024),
        ("Linear-2", (128 * 16 * 16,), 1025 * 128 * 16 * 16),
        ("BatchNorm1d-3", (128 * 16 * 16,), 2 * 128 * 16 * 16),
        ("Tanh-4", (128 * 16 * 16,), 0),
        ("Unflatten-5", (128, 16, 16), 0),
        ("Upsample-6", (128, 32, 32), 0),
        ("Conv2d-7", (64, 32, 32), (25 * 128 + 1) * 64),
        ("Tanh-8", (64, 32, 32), 0),
        ("Upsample-9", (64, 64, 64), 0),
        ("Conv2d-10", (3, 64, 64), (25 * 64 + 1) * 3),
        ("Tanh-11", (3, 64, 64), 0),
    ]


@pytest.mark.parametrize("size", [4, 5, 6, 7, 27, 28, 30, 32, 48, 50, 100])
def test_the_upsampling_generator_makes_any_size(size):
    fake = UpsampleGenerator(5, 2, 1, size)(draw(2, 5))
    assert fake.shape == (2, 1, size, size)
    assert fake.abs().max() <= 1


def test_enlarging_repeats_each_pixel_where_the_size_is_a_multiple_of_four():
    enlarge = UpsampleGenerator(5, 2, 1, 16).layers[5]
    x = draw(1, 1, 4, 4)
    assert torch.equal(enlarge(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def overlap(layer: nn.Module, pixels: int = 8) -> torch.Tensor:
    """How many paints each output pixel gets, away from the edges."""
    nn.init.ones_(layer.weight)
    return layer(torch.ones(1, 1, pixels, pixels))[0, 0, 4:-4, 4:-4].detach()


def test_kernels_of_four_at_stride_two_overlap_evenly_and_kernels_of_three_do_not():
    # Odena et al. 2016: with 3 over 2 the overlap differs by 1 : 4 in the plane
    even = overlap(nn.ConvTranspose2d(1, 1, 4, 2, 1, bias=False))
    uneven = overlap(nn.ConvTranspose2d(1, 1, 3, 2, 1, bias=False))
    assert even.unique().tolist() == [4]
    assert uneven.unique().tolist() == [1, 2, 4]


# First weights


def large() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(64, 64, 5), nn.ConvTranspose2d(64, 64, 5), nn.BatchNorm2d(50_000), nn.Linear(9, 9)
    )


def test_first_weights_are_those_of_the_paper():
    net = large()
    linear = net[3].weight.clone()
    nn.init.ones_(net[2].bias)
    init_weights(net)
    for conv in net[:2]:
        assert conv.weight.mean().abs() < 5e-4
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert net[2].weight.mean().item() == pytest.approx(1, abs=5e-4)
    assert net[2].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not net[2].bias.any()
    assert torch.equal(net[3].weight, linear)


def test_the_networks_begin_with_them():
    generator, discriminator = Generator(), Discriminator()
    for net in (generator, discriminator):
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.3)


def test_the_same_seed_gives_the_same_weights():
    def weights(seed):
        net = large()
        init_weights(net, torch.Generator().manual_seed(seed))
        return torch.cat([layer.weight.detach().flatten() for layer in net[:3]])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_it_can_be_applied_layer_by_layer():
    net = large().apply(init_weights)
    assert net[1].weight.std().item() == pytest.approx(0.02, rel=0.02)


# What students get wrong


def test_codes_of_another_length_are_refused():
    for generator in (Generator(100, 4, 1, 16), UpsampleGenerator(100, 4, 1, 16)):
        for shape in ((4, 64), (4, 100, 2, 2), (100,), (4, 100, 1), (4, 1, 100)):
            with pytest.raises(ValueError, match=r"z must be \(B, 100\) or \(B, 100, 1, 1\)"):
                generator(torch.zeros(*shape))
        with pytest.raises(TypeError, match="z must be float codes"):
            generator(torch.zeros(4, 100, dtype=torch.int64))


def test_pictures_of_another_shape_are_refused():
    discriminator = Discriminator(nc=1, ndf=4, size=32)
    for shape in ((4, 3, 32, 32), (4, 1, 28, 28), (4, 1, 32), (1, 32, 32), (4, 1, 32, 64)):
        with pytest.raises(ValueError, match=r"x must be \(B, 1, 32, 32\) for this network; got"):
            discriminator(torch.zeros(*shape))
    with pytest.raises(TypeError, match=r"x must be float pictures .*uint8"):
        discriminator(torch.zeros(4, 1, 32, 32, dtype=torch.uint8))


def test_a_batch_of_one_is_refused_in_training_and_welcome_in_evaluation():
    pairs = [
        (Generator(6, 4, 1, 16), torch.zeros(1, 6)),
        (UpsampleGenerator(6, 4, 1, 16), torch.zeros(1, 6)),
        (Discriminator(1, 4, 16), torch.zeros(1, 1, 16, 16)),
    ]
    for net, batch in pairs:
        with pytest.raises(ValueError, match="batch of 1, and in training BatchNorm needs"):
            net(batch)
        with pytest.raises(ValueError, match="batch of 0"):
            net(batch[:0])
        assert len(net.eval()(batch)) == 1


def test_a_discriminator_without_batchnorm_judges_a_single_picture_in_training():
    assert len(Discriminator(1, 4, size=8)(torch.zeros(1, 1, 8, 8))) == 1


@pytest.mark.parametrize(
    "network, numbers",
    [
        (Generator, {"nz": 0}),
        (Generator, {"ngf": 0}),
        (Generator, {"nc": 0}),
        (Discriminator, {"ndf": 0}),
        (Discriminator, {"nc": -1}),
        (Discriminator, {"nc": 1.5}),
        (UpsampleGenerator, {"nz": 0}),
        (UpsampleGenerator, {"size": 3}),
        (UpsampleGenerator, {"size": 16.0}),
    ],
)
def test_numbers_below_the_least_are_refused(network, numbers):
    ((name, value),) = numbers.items()
    with pytest.raises(ValueError, match=f"{name} must be a whole number, at least ., got {value}"):
        network(**numbers)


def test_noise_is_added_in_training_only_and_has_the_stated_size():
    judge = Discriminator(nc=1, ndf=4, size=32, noise=0.3)
    judge.layers = nn.Sequential()  # the picture itself, as it is judged
    x = torch.zeros(64, 1, 32, 32)
    seen = judge(x)
    assert seen.std().item() == pytest.approx(0.3, rel=0.02) and x.count_nonzero() == 0
    assert abs(seen.mean().item()) < 0.01
    assert judge.eval()(x).count_nonzero() == 0


def test_without_noise_training_looks_at_the_picture_itself():
    judge = Discriminator(nc=1, ndf=4, size=32)
    judge.layers = nn.Sequential()
    assert judge(torch.zeros(2, 1, 32, 32)).count_nonzero() == 0


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_noise_below_zero_is_refused(noise):
    with pytest.raises(ValueError, match=f"noise must be a finite number, at least 0; got {noise}"):
        Discriminator(noise=noise)
