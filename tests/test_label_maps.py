"""Label maps: the rule that makes and reads them, the two generators, one step of the game."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from course_lib import data, translation
from course_lib.label_maps import (
    KINDS,
    LAND,
    DoorGenerator,
    GlobalGenerator,
    LabelStep,
    LocalEnhancer,
    MultiScaleDiscriminator,
    Residual,
    ScaleDiscriminator,
    Spade,
    SpadeGenerator,
    StyleEncoder,
    StylePainter,
    StyleStep,
    feature_matching,
    fit_kinds,
    intersection_over_union,
    label_channels,
    label_picture,
    land_colours,
    land_kinds,
)
from course_lib.training import train
from tests.helpers import assert_step_runs_on_meta

FLAT = torch.arange(KINDS)[:, None, None].expand(-1, 16, 16)


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def test_the_kinds_of_land_are_those_found_in_the_pictures():
    x = data.to_float(data.load("earth").targets)
    found = ((fit_kinds(x) + 1) * 127.5).round()
    assert (found - torch.tensor(list(LAND.values()))).abs().max() <= 1


def test_kinds_are_means_of_clusters_that_lie_apart():
    x = torch.full((3, 3, 4, 4), -0.5)
    x[1], x[2] = 0.75, -0.75
    torch.testing.assert_close(fit_kinds(x, 2)[:, 0], torch.tensor([-0.625, 0.75]))
    with pytest.raises(ValueError, match="multiples of 4"):
        fit_kinds(torch.zeros(1, 3, 6, 8))


def test_what_the_labels_look_like_is_read_as_the_labels():
    labels = torch.randint(KINDS, (2, 3, 5), generator=seeded(0))
    x = label_picture(labels)
    assert x.shape == (2, 3, 12, 20)
    assert torch.equal(land_kinds(x), labels)
    noise = torch.tensor([0.3, -0.3]).repeat(10)  # its mean over a block is 0
    assert torch.equal(land_kinds(x + noise), labels)


def test_other_colours_are_other_kinds():
    colours = land_colours()[[0, 2, 4]]
    x = label_picture(torch.tensor([[[0, 2], [4, 5]]]))
    assert land_kinds(x, colours).tolist() == [[[0, 1], [2, 2]]]
    with pytest.raises(ValueError, match="colours must be"):
        land_kinds(x, colours[:, :2])
    torch.manual_seed(0)
    step = LabelStep(
        SpadeGenerator(3, (8, 8)), MultiScaleDiscriminator(3), size=32, colours=colours
    )
    assert step(torch.rand(2, 3, 32, 32)).keys() == {"d_loss", "g_loss", "matching"}


def test_channels_hold_one_at_the_label():
    m = label_channels(torch.tensor([[[2, 0]]]), 3)
    assert m.tolist() == [[[[0, 1]], [[0, 0]], [[1, 0]]]]
    with pytest.raises(ValueError, match="labels must lie in"):
        label_channels(torch.tensor([[[3]]]), 3)


def test_intersection_over_union_by_hand():
    made, wanted = torch.tensor([[[0, 0, 1, 2]]]), torch.tensor([[[0, 1, 1, 1]]])
    assert intersection_over_union(made, wanted) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert intersection_over_union(wanted, wanted) == 1


def count(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_the_generators_have_about_as_many_weights_and_draw_pictures():
    nets = SpadeGenerator(), DoorGenerator()
    assert [count(net) for net in nets] == [183_388, 220_620]
    m = label_channels(FLAT)
    for net in nets:
        x = net(m)
        assert x.shape == (KINDS, 3, 64, 64) and x.abs().max() <= 1


def test_labels_at_the_door_are_forgotten_where_the_map_is_flat():
    torch.manual_seed(0)
    m = label_channels(FLAT)
    door, spade = DoorGenerator().double()(m.double()), SpadeGenerator().double()(m.double())
    assert (door - door[:1]).abs().max() < 1e-12
    assert (spade - spade[:1])[1:].abs().amax((1, 2, 3)).min() > 1e-3


def test_a_spade_layer_scales_and_shifts_by_place():
    torch.manual_seed(0)
    layer, x = Spade(4, kinds=2), torch.randn(1, 4, 8, 8, generator=seeded(1))
    m = torch.zeros(1, 2, 4, 4)
    m[:, 0, :, :2], m[:, 1, :, 2:] = 1, 1
    changed = m.clone()
    changed[:, :, 0, 0] = torch.tensor([0.0, 1.0])
    apart = (layer(x, m) - layer(x, changed)).abs().amax(1)[0]
    assert apart[:3, :3].max() > 1e-3 and apart[5:, 5:].max() == 0  # the rest stays as it was


def test_discriminators_of_two_scales_answer_layer_by_layer():
    net = MultiScaleDiscriminator()
    assert count(net) == 177_602
    answers = net(torch.rand(2, 3, 64, 64), label_channels(FLAT[:2]))
    assert [[layer.shape[-1] for layer in scale] for scale in answers] == [
        [16, 8, 8, 8],
        [8, 4, 4, 4],
    ]
    assert all(scale[-1].shape[1] == 1 for scale in answers)


def test_the_game_learns_the_colours_of_the_kinds():
    torch.manual_seed(0)
    labels = torch.randint(KINDS, (4, 16, 16), generator=seeded(0))
    x = label_picture(labels)
    step = LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), lr=3e-3, steps=60)
    train(step, [(torch.zeros_like(x), x)], 60)
    with torch.no_grad():
        made = land_kinds(step.generator(label_channels(labels)))
    assert (made == labels).float().mean() > 0.5  # chance: about 1 / 6


def test_the_step_would_run_on_a_gpu():
    assert_step_runs_on_meta(
        lambda: LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), steps=9),
        lambda: torch.rand(2, 3, 64, 64),
    )
    assert_step_runs_on_meta(
        lambda: LabelStep(GlobalGenerator(), MultiScaleDiscriminator(), size=32),
        lambda: torch.rand(2, 3, 64, 64),
    )
    assert_step_runs_on_meta(
        lambda: StyleStep(StylePainter(), MultiScaleDiscriminator(), steps=9),
        lambda: torch.rand(2, 3, 32, 32),
    )


# Two stages


def test_the_enhancer_draws_twice_the_size_and_adds_the_features_of_the_inner_one():
    torch.manual_seed(0)
    net, m = LocalEnhancer(GlobalGenerator()).double(), label_channels(FLAT[:2]).double()
    m[0, :, :8] = m[1, :, :8]
    assert [count(net.inner), count(net)] == [225_435, 244_014]
    assert net.inner(m).shape == (2, 3, 32, 32) and net(m).shape == (2, 3, 64, 64)
    full = m.repeat_interleave(4, 2).repeat_interleave(4, 3)
    wanted = net.back(net.front(full) + net.inner.features(m)).tanh().float()
    torch.testing.assert_close(net(m), wanted)
    with torch.no_grad():  # the picture's own last convolution is not used
        net.inner.last.weight.zero_()
    torch.testing.assert_close(net(m), wanted)


def test_the_inner_generator_stays_where_it_is_fixed_and_learns_where_it_is_not():
    torch.manual_seed(0)
    net = LocalEnhancer(GlobalGenerator(widths=(8, 8, 8), blocks=1), width=8)
    step = LabelStep(net, MultiScaleDiscriminator())
    inner, outer = net.inner.net[0].weight, net.front[0].weight
    before = inner.clone(), outer.clone()
    x = torch.rand(2, 3, 64, 64, generator=seeded(0)) * 2 - 1
    net.inner.requires_grad_(False)
    step(x)
    assert torch.equal(inner, before[0]) and not torch.equal(outer, before[1])
    net.inner.requires_grad_(True)
    step(x)
    assert not torch.equal(inner, before[0])


def test_a_step_at_half_size_reads_the_labels_at_full_size():
    torch.manual_seed(0)
    seen = []
    net = GlobalGenerator(widths=(8, 8, 8), blocks=1)
    net.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = label_picture(torch.randint(KINDS, (2, 16, 16), generator=seeded(0)))
    step = LabelStep(net, MultiScaleDiscriminator(), size=32)
    assert step(x).keys() == {"d_loss", "g_loss", "matching"}
    assert torch.equal(seen[0], label_channels(land_kinds(x)))
    with pytest.raises(ValueError, match="batch must be"):  # pictures of 64, a generator of 32
        LabelStep(net, MultiScaleDiscriminator())(x)


def test_sizes_that_cannot_be_halved_twice_are_refused():
    with pytest.raises(ValueError, match="size must be a multiple of 4; got 30"):
        GlobalGenerator(size=30)


# A style code


def test_a_style_code_knows_no_places_and_changes_the_whole_picture():
    torch.manual_seed(0)
    net = StylePainter(nz=4)
    x = torch.zeros(2, 3, 64, 64)
    x[0, :, 16:24, 16:24], x[1, :, 32:40, 40:48] = 1, 1  # the same square at two places
    mu, logvar = net.encoder(x)
    assert mu.shape == logvar.shape == (2, 4)
    torch.testing.assert_close(mu[0], mu[1])
    m = label_channels(FLAT[:2, :8, :8])
    one, other = net(m, torch.zeros(2, 4)), net(m, torch.ones(2, 4))
    assert one.shape == (2, 3, 32, 32)
    assert (one - other).abs().mean((1, 3)).min() > 1e-4
    with pytest.raises(ValueError, match="z must be"):
        net(m, torch.zeros(2, 5))


def test_the_style_step_trains_the_encoder_and_the_kl_holds_it_back():
    x, found = torch.rand(4, 3, 32, 32, generator=seeded(0)) * 2 - 1, {}
    for kl in (0.0, 1.0):
        torch.manual_seed(0)
        step = StyleStep(StylePainter(4, widths=(8, 8)), MultiScaleDiscriminator(), kl=kl)
        before = step.generator.encoder.say.weight.clone()
        found[kl] = train(step, [x], 20).losses["kl"]
        assert not torch.equal(step.generator.encoder.say.weight, before)
    assert found[0.0][0] == found[1.0][0] and found[1.0][-1] < found[0.0][-1]


def test_colours_are_in_the_range_of_pictures_and_dark_ones_first():
    brightness = land_colours().sum(1)
    assert land_colours().shape == (KINDS, 3) and land_colours().abs().max() <= 1
    assert torch.equal(brightness.sort().values, brightness)
    bytes_of = torch.tensor(list(LAND.values())).float()
    torch.testing.assert_close((land_colours() + 1) * 127.5, bytes_of)


def some_labels(n=2, side=8, kinds=6):
    lots = torch.Generator().manual_seed(3)
    return label_channels(torch.randint(kinds, (n, side, side), generator=lots), kinds)


def test_the_pictures_are_what_the_layers_say_between_minus_one_and_one():
    labels = some_labels()
    door = DoorGenerator(size=16).eval()
    m = F.interpolate(labels, (16, 16), mode="nearest")
    torch.testing.assert_close(door(labels), door.net(m).tanh())
    inner = GlobalGenerator(size=16)
    features = inner.net(m)
    torch.testing.assert_close(inner.features(labels), features)
    torch.testing.assert_close(inner(labels), inner.last(features).tanh())


def test_a_residual_block_adds_what_two_normed_convolutions_say():
    block, x = Residual(4), torch.randn(2, 4, 6, 6)
    first, norm, bend, second, norm_2 = block.net
    torch.testing.assert_close(block(x), x + norm_2(second(bend(norm(first(x))))))


def test_the_second_scale_sees_means_in_which_the_border_does_not_count():
    critic, labels = MultiScaleDiscriminator(), some_labels()
    x = torch.rand(2, 3, 32, 32)
    both = torch.cat([x, F.interpolate(labels, (32, 32), mode="nearest")], 1)
    half = F.avg_pool2d(both, 3, 2, 1, count_include_pad=False)
    seen = critic(x, labels)
    for net, image, answers in zip(critic.scales, (both, half), seen, strict=True):
        for expected, answer in zip(net(image), answers, strict=True):
            torch.testing.assert_close(answer, expected)
    assert F.avg_pool2d(torch.ones(1, 1, 4, 4), 3, 2, 1, count_include_pad=False).min() == 1


def test_the_losses_of_a_step_are_those_of_the_formula():
    torch.manual_seed(0)
    step = LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), matching=10.0)
    x = data.load("earth").batches(2, generator=torch.Generator().manual_seed(0))
    x = next(iter(x))[1]
    labels = label_channels(land_kinds(x))
    drawn, own = step._drawn(x, labels)
    assert own == 0
    torch.testing.assert_close(drawn, step.generator(labels).float())
    fake = drawn.detach()
    real, made = step.discriminator(x, labels), step.discriminator(fake, labels)
    d_loss = sum(
        F.relu(1 - a[-1]).mean() + F.relu(1 + b[-1]).mean() for a, b in zip(real, made, strict=True)
    )
    with torch.no_grad():
        matched = feature_matching(real, made)
    told = step._judge_learns(x, fake, labels)
    torch.testing.assert_close(told["d_loss"], d_loss.detach(), rtol=1e-3, atol=1e-3)
    assert not told["d_loss"].requires_grad
    step.d_optimizer = torch.optim.SGD(step.discriminator.parameters(), 0.0)
    after = step.discriminator(fake, labels)
    told = step._generator_learns(x, drawn, labels, own)
    expected = -sum(scale[-1].mean() for scale in after)
    torch.testing.assert_close(told["g_loss"], expected.detach(), rtol=1e-3, atol=1e-3)
    assert matched > 0 and not any(loss.requires_grad for loss in told.values())


def test_the_kl_of_a_style_is_that_of_its_mean_and_variance():
    torch.manual_seed(0)
    step = StyleStep(StylePainter(), MultiScaleDiscriminator(), kl=0.5)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        step.generator.encoder.say.bias[8:] = -2.0  # logvar differs from mu
        mu, logvar = step.generator.encoder(x)
        _, own = step._drawn(x, some_labels())
    kl = ((mu.square() + logvar.exp() - 1 - logvar) / 2).sum(1).mean()
    torch.testing.assert_close(step.apart, kl)
    torch.testing.assert_close(own, 0.5 * kl)
    assert StylePainter().encoder.nz == 8
    assert not step(x)["kl"].requires_grad


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fit_kinds(torch.zeros(1, 3, 4, 8), 3), "k must be .* at most 2, got 3"),
        (lambda: label_channels(FLAT, 1001), "kinds must be .* at most 1000, got 1001"),
        (lambda: label_picture(FLAT, 65), "cell must be .* at most 64, got 65"),
        (lambda: intersection_over_union(FLAT, FLAT, 1001), "kinds must be .* at most 1000, got"),
        (lambda: Spade(0, 6), "channels must be .* at least 1, got 0"),
        (lambda: SpadeGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: DoorGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: DoorGenerator(size=12), "size must be a multiple of 8; got 12"),
        (lambda: GlobalGenerator(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: GlobalGenerator(blocks=0), "blocks must be .* at least 1, got 0"),
        (lambda: LocalEnhancer(GlobalGenerator(), width=0), "width must be .* at least 1, got 0"),
        (lambda: LocalEnhancer(GlobalGenerator(), nc=0), "nc must be .* at least 1, got 0"),
        (lambda: Residual(-1), "channels must be .* at least 1, got -1"),
        (lambda: ScaleDiscriminator(0), "channels must be .* at least 1, got 0"),
        (lambda: MultiScaleDiscriminator(scales=0), "scales must be .* at least 1 .* got 0"),
        (lambda: MultiScaleDiscriminator(scales=9), "scales must be .* at most 8, got 9"),
        (lambda: MultiScaleDiscriminator(kinds=0), "kinds must be .* at least 1, got 0"),
        (lambda: StyleEncoder(nz=0), "nz must be .* at least 1, got 0"),
        (lambda: StylePainter(nz=0), "nz must be .* at least 1, got 0"),
        (lambda: StylePainter(kinds=0), "kinds must be .* at least 1, got 0"),
        (
            lambda: LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), size=4097),
            "size must be .* at most 4096, got 4097",
        ),
        (
            lambda: LabelStep(SpadeGenerator(), MultiScaleDiscriminator(), ema=1),
            "ema must be a finite number, at least 0 and at most 1; got 1",
        ),
        (
            lambda: Spade(4, 6)(torch.zeros(1, 4, 8, 8), torch.zeros(1, 5, 8, 8)),
            r"labels must be \(B, 6, H, W\); got \(1, 5, 8, 8\)",
        ),
        (
            lambda: DoorGenerator(size=16)(torch.zeros(1, 5, 8, 8)),
            r"labels must be \(B, 6, h, w\); got \(1, 5, 8, 8\)",
        ),
        (
            lambda: GlobalGenerator().features(torch.zeros(1, 5, 8, 8)),
            r"labels must be \(B, 6, h, w\); got \(1, 5, 8, 8\)",
        ),
        (
            lambda: Residual(4)(torch.zeros(1, 3, 8, 8)),
            r"x must be \(B, 4, h, w\); got \(1, 3, 8, 8\)",
        ),
        (
            lambda: ScaleDiscriminator(9)(torch.zeros(1, 8, 16, 16)),
            r"x must be \(B, 9, H, W\); got \(1, 8, 16, 16\)",
        ),
        (
            lambda: MultiScaleDiscriminator()(torch.zeros(1, 3, 32, 32), some_labels(1)[:, :5]),
            r"labels must be \(B, 6, h, w\); got \(1, 5, 8, 8\)",
        ),
        (
            lambda: StyleEncoder()(torch.zeros(1, 4, 16, 16)),
            r"x must be \(B, 3, H, W\); got \(1, 4, 16, 16\)",
        ),
    ],
)
def test_sizes_and_channels_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_largest_numbers_of_kinds_and_of_pixels_are_taken():
    assert label_channels(FLAT[:1, :1, :1], 1000).shape == (1, 1000, 1, 1)
    assert label_picture(FLAT[:1, :1, :1], 64).shape == (1, 3, 64, 64)
    assert intersection_over_union(FLAT[:1, :1, :1], FLAT[:1, :1, :1], 1000) == 1


def test_what_comes_in_another_precision_is_refused():
    with pytest.raises(TypeError, match=r"x must be torch.float32, .* got torch.float64"):
        Residual(4)(torch.zeros(1, 4, 6, 6).double())


def test_both_players_may_compute_in_bfloat16_and_the_losses_do_not(monkeypatch):
    choice = SimpleNamespace(autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    monkeypatch.setattr(translation.device, "choose", lambda: choice)
    step, seen = LabelStep(SpadeGenerator(widths=(8, 8)), MultiScaleDiscriminator()), []
    for layer in (step.generator.last, step.discriminator.scales[0].layers[-1]):
        layer.register_forward_hook(lambda layer, _, y: seen.append((layer.out_channels, y.dtype)))
    losses = step(torch.rand(2, 3, 32, 32, generator=seeded(0)))
    assert {*seen} == {(12, torch.bfloat16), (1, torch.bfloat16)}
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


@pytest.mark.parametrize(
    "options, moved", [({}, [1e-3, 1e-3]), ({"d_lr": 0}, [1e-3, 0]), ({"lr": 0, "d_lr": 1}, [0, 1])]
)
def test_each_player_learns_at_its_own_rate(options, moved):
    # Adam's first step moves a weight by the rate
    torch.manual_seed(0)
    step = LabelStep(SpadeGenerator(widths=(8, 8)), MultiScaleDiscriminator(), **options)
    pair = step.generator.last.weight, step.discriminator.scales[0].layers[-1].weight
    before = [weight.detach().clone() for weight in pair]
    step(torch.rand(2, 3, 32, 32, generator=seeded(0)) * 2 - 1)
    found = [(a - b).abs().max().item() for a, b in zip(pair, before, strict=True)]
    assert found == pytest.approx(moved, rel=0.01)


def test_a_style_stands_beside_the_labels_and_is_drawn_around_its_mean():
    torch.manual_seed(0)
    step = StyleStep(StylePainter(), MultiScaleDiscriminator())
    painter, x, labels = step.generator, torch.rand(2, 3, 32, 32) * 2 - 1, some_labels()
    assert count(painter) == 158_108
    with torch.no_grad():
        painter.encoder.say.bias[8:] = -2.0  # logvar differs from mu
        mu, logvar = painter.encoder(x)
        torch.manual_seed(1)
        drawn, _ = step._drawn(x, labels)
        torch.manual_seed(1)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        everywhere = z[:, :, None, None].expand(-1, -1, 8, 8)
        torch.testing.assert_close(drawn, painter.generator(torch.cat([labels, everywhere], 1)))


def test_the_kl_of_a_style_counts_a_twentieth_unless_told():
    step = StyleStep(StylePainter(), MultiScaleDiscriminator())
    _, own = step._drawn(torch.rand(2, 3, 32, 32, generator=seeded(0)), some_labels())
    assert step.apart > 0
    torch.testing.assert_close(own, 0.05 * step.apart)


def test_a_spade_layer_reads_its_labels_through_a_relu():
    layer, labels, x = Spade(4, 6), some_labels(), torch.randn(2, 4, 8, 8)
    seen = layer.shared(labels).relu()
    normal = F.instance_norm(x)
    expected = normal * (1 + layer.scale(seen)) + layer.shift(seen)
    torch.testing.assert_close(layer(x, labels), expected, rtol=1e-4, atol=1e-4)


def test_a_style_is_a_mean_over_places_and_its_painter_takes_long_maps():
    painter = StylePainter()
    mu, logvar = painter.encoder(torch.rand(1, 3, 16, 16))
    x = torch.rand(1, 3, 32, 32)
    told = painter.encoder.say(painter.encoder.net(x).mean((2, 3))).chunk(2, 1)
    torch.testing.assert_close(painter.encoder(x), told)
    assert painter(some_labels(1)[:, :, :, :4], mu).shape == painter(some_labels(1), mu).shape
