"""Golden numbers of weights: the papers' networks, counted layer by layer in the authors' code."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import restorers
from course_lib.device import choose
from course_lib.diffusion import Diffusion, cosine_betas
from course_lib.restoration import between, denoise, enlarge, pan_sharpen, shrink
from course_lib.restorers import (
    RRDB,
    Denoiser,
    DenseBlock,
    Filler,
    FusionNet,
    PictureDiscriminator,
    PriorRestorer,
    ResidualBlock,
    RestorationStep,
    RRDBNet,
    UNetDiscriminator,
    renumbered,
    restore,
)
from course_lib.styles import StyleGenerator
from course_lib.unet import UNet
from tests.helpers import assert_normal, assert_step_runs_on_meta


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def silent(net: nn.Module) -> nn.Module:
    for weight in net.parameters():
        nn.init.zeros_(weight)
    return net


def small(**options) -> RRDBNet:
    torch.manual_seed(0)
    return RRDBNet(8, 4, 1, light=True, **options)


def test_esrgan_s_networks_have_the_papers_weights():
    with torch.device("meta"):
        assert count(DenseBlock()) == 239_808 and count(RRDB()) == 719_424
        assert count(RRDBNet()) == 16_697_987
        assert count(RRDBNet(blocks=6)) == 4_467_779
        assert count(UNetDiscriminator()) == 4_376_897


def test_23_blocks_of_weights_0_multiply_by_66_2474():
    """xinntao/ESRGAN#135: each inner chain has a shortcut of its own, 1.2 ** 23."""
    blocks = nn.Sequential(*(silent(RRDB(2, 1)) for _ in range(23)))
    assert blocks(torch.ones(1, 2, 2, 2)).mean().item() == pytest.approx(66.2474, rel=1e-5)


def test_a_light_network_of_weights_0_enlarges_by_bicubic():
    y = draw(2, 3, 8, 8)
    torch.testing.assert_close(silent(small())(y), enlarge(y, 4))


def test_both_kinds_enlarge_by_four():
    for light in (True, False):
        assert RRDBNet(8, 4, 1, light=light)(draw(2, 3, 5, 8)).shape == (2, 3, 20, 32)


@pytest.mark.parametrize("light", [True, False])
def test_a_renumbered_network_answers_the_same_and_no_map_is_where_it_was(light):
    net, y = RRDBNet(8, 4, 2, light=light).eval(), draw(2, 3, 5, 6)
    other = renumbered(net, torch.Generator().manual_seed(0))
    torch.testing.assert_close(other(y), net(y), rtol=1e-4, atol=1e-5)
    assert not torch.equal(other.first.weight, net.first.weight)
    middle = RRDBNet(8, 4, 2, light=light).eval()
    middle.load_state_dict(between(net.state_dict(), other.state_dict(), 0.5))
    assert (middle(y) - net(y)).abs().max() > 1e-3
    with pytest.raises(TypeError, match="net"):
        renumbered(nn.Linear(2, 2))


def test_discriminators_score_pictures_and_pixels():
    assert PictureDiscriminator(width=4)(draw(2, 3, 32, 32)).shape == (2,)
    assert UNetDiscriminator(4)(draw(2, 3, 16, 24)).shape == (2, 1, 16, 24)
    assert UNetDiscriminator(4, 2)(draw(2, 3, 16, 32)).shape == (2, 1, 8, 16)
    with pytest.raises(ValueError, match="multiples of 16"):
        UNetDiscriminator(4, 2)(draw(2, 3, 24, 24))
    with pytest.raises(ValueError, match="multiple of 8"):
        PictureDiscriminator(20)


def generator() -> StyleGenerator:
    torch.manual_seed(1)
    net = StyleGenerator(8, 8, (8, 6, 4), 32, mapping=1).eval()
    net.w_mean.normal_()
    return net


def test_a_prior_begins_with_its_average_picture():
    prior = generator()
    net = PriorRestorer(prior, width=8)
    with torch.no_grad():
        made = net(draw(2, 3, 8, 8))
        average = prior.synthesis(prior.w_mean.expand(2, prior.layers, -1), "none")
    torch.testing.assert_close(made, average)


def test_a_prior_learns_by_its_reader_alone():
    net = PriorRestorer(generator(), width=8)
    assert not any("prior" in key for key in net.state_dict())
    before = {key: value.clone() for key, value in net.prior[0].state_dict().items()}
    step = RestorationStep(net, shrink, lr=0.01)
    losses = [step(draw(4, 3, 32, 32))["l1"].item() for _ in range(15)]
    assert losses[-1] < 0.9 * losses[0]
    for key, value in net.prior[0].state_dict().items():
        assert torch.equal(value, before[key]), key


def test_without_modulation_only_the_code_steers():
    net = PriorRestorer(generator(), width=8, modulate=False)
    assert not net.turns and net(draw(2, 3, 8, 8)).shape == (2, 3, 32, 32)
    with pytest.raises(ValueError, match="maps at 8 × 8"):
        PriorRestorer(StyleGenerator(8, 8, (8,), 4))


DIFFUSION = Diffusion(cosine_betas(100))


def denoiser(sigma: float = 0.5) -> Denoiser:
    torch.manual_seed(4)
    return Denoiser(DIFFUSION, UNet(3, 16, (1,), patch=2), sigma)


def test_a_denoiser_of_velocity_0_multiplies_by_alpha_bar():
    y = draw(2, 3, 8, 8)
    torch.testing.assert_close(denoiser(0.5)(y), y / 1.25)  # the posterior mean of x ~ N(0, 1)


def test_a_denoiser_is_one_step_of_its_diffusion_model():
    net, y = denoiser().eval(), 0.3 * draw(2, 3, 8, 8)
    nn.init.normal_(net.model.leave[-1].weight, std=0.02)
    level = DIFFUSION.alpha_bar[net.t].item()  # σ of a time of the chain: no rounding between
    exact = Denoiser(DIFFUSION, net.model, (1 / level - 1) ** 0.5)
    assert exact.t == net.t and exact(y).abs().max() < 1  # the clamp has nothing to do
    one = denoise(DIFFUSION, net.model, y, (1 / level - 1) ** 0.5)
    with choose().autocast():  # as `denoise` asks the network
        two = exact(y)
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-4)


def test_a_denoiser_can_be_trained_on():
    x, source = draw(4, 3, 1, 1).expand(-1, -1, 8, 8), torch.Generator().manual_seed(5)

    def damage(x):
        return x + 0.5 * torch.randn(x.shape, generator=source)

    step = RestorationStep(denoiser(), damage, loss="mse", lr=0.01)
    losses = [step(x)["mse"].item() for _ in range(30)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])
    assert any(key.startswith("model.") for key in step.net.state_dict())
    with pytest.raises(ValueError, match="sigma"):
        Denoiser(DIFFUSION, nn.Identity(), 0.0)
    with pytest.raises(TypeError, match="model"):
        Denoiser(DIFFUSION, lambda x, t: x, 1.0)


def test_a_filler_keeps_what_is_known_and_does_not_look_into_the_hole():
    torch.manual_seed(0)
    net, x, hole = Filler(8, 8), draw(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    hole[..., 10:20, 5:18] = 1
    made = net(torch.cat([x, hole], 1))
    inside = hole.expand_as(x) > 0
    assert torch.equal(made[~inside], x[~inside]) and not torch.equal(made[inside], x[inside])
    spoilt = torch.where(inside, 0.7, x)
    assert torch.equal(net(torch.cat([spoilt, hole], 1)), made)


def test_the_fusion_network_of_weights_0_is_pan_sharpening():
    net = FusionNet((0.45, 0.4, 0.15), 8)
    silent(net.layers)
    seen = draw(2, 4, 8, 8)
    made = net(seen)
    brightness = (made * torch.tensor([0.45, 0.4, 0.15]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(brightness, seen[:, 3:])


# Training


def trunk() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def whole_step(**options) -> RestorationStep:
    torch.manual_seed(3)
    judge = PictureDiscriminator(width=4)
    return RestorationStep(
        small(), shrink, trunk=trunk(), taps=(1,), discriminator=judge, adversary=0.1, **options
    )


def test_a_step_returns_its_parts_and_changes_both_players():
    step = whole_step()
    before = [p.clone() for net in (step.net, step.discriminator) for p in net.parameters()]
    told = step(draw(4, 3, 32, 32))
    assert set(told) == {"l1", "features", "adversary", "d_loss"}
    after = [p for net in (step.net, step.discriminator) for p in net.parameters()]
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(changed[-4:-1])  # D's last bias cancels: only differences of scores count
    assert sum(changed[: len(list(step.net.parameters()))]) > 3
    assert not step.trunk[0].training and step.samples() is not None


def test_a_part_pulls_in_proportion_to_its_weight():
    x = draw(4, 3, 32, 32)
    torch.manual_seed(0)
    weak = whole_step(features=1.0).pull(x)
    torch.manual_seed(0)
    strong = whole_step(features=3.0).pull(x)
    assert strong["l1"] == pytest.approx(weak["l1"], rel=1e-4)
    assert 2 < strong["features"] / weak["features"] < 4
    # |∂ mean |e| / ∂ picture| = √n / n for every picture, n its numbers
    assert weak["l1"] == pytest.approx(1 / (3 * 32 * 32) ** 0.5, rel=0.01)


def test_the_rate_goes_to_0_along_a_cosine():
    step = RestorationStep(small(), shrink, lr=0.01, steps=4)
    rates = []
    for _ in range(4):
        step(draw(2, 3, 8, 8))
        rates.append(step.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01 * r for r in (0.853553, 0.5, 0.146447, 0.0)], abs=1e-7)


def test_damage_may_return_what_is_to_be_restored():
    step = RestorationStep(small(), lambda x: (shrink(x[..., :8, :8]), x[..., :8, :8]), loss="mse")
    assert set(step(draw(2, 3, 16, 16))) == {"mse"}


def test_a_step_runs_on_the_meta_device():
    assert_step_runs_on_meta(whole_step, lambda: draw(4, 3, 32, 32))


def test_restored_pictures_are_held_in_their_range_and_keep_their_order():
    net, y = small(), draw(5, 3, 8, 8)
    torch.testing.assert_close(restore(net, y, 2), net(y).detach().clamp(-1, 1), atol=0.02, rtol=0)


def test_what_is_no_step_is_refused():
    with pytest.raises(ValueError, match="loss must be one of l1, mse"):
        RestorationStep(small(), shrink, loss="l2")
    with pytest.raises(ValueError, match="no pictures yet"):
        RestorationStep(small(), shrink).samples()
    with pytest.raises(ValueError, match="made must be"):
        RestorationStep(small(), lambda x: x)(draw(2, 3, 8, 8))


def test_a_prior_goes_along_to_another_precision():
    net = PriorRestorer(generator(), width=8).double()
    assert net.prior[0].const.dtype == torch.float64


# Networks, layer by layer


def bent(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, 0.2 * x)


@pytest.mark.parametrize("options, beta", [({}, 0.2), ({"beta": 0.5}, 0.5)])
def test_a_dense_block_and_three_of_them_add_a_fifth_unless_told(options, beta):
    torch.manual_seed(0)
    block, x = DenseBlock(3, 2, **options), draw(2, 3, 4, 5)
    maps = x
    for conv in block.convs[:-1]:
        maps = torch.cat([maps, bent(conv(maps))], 1)
    torch.testing.assert_close(block(x), x + beta * block.convs[-1](maps))
    three = RRDB(3, 2, **options)
    y = x
    for part in three.blocks:
        assert part.beta == beta
        y = part(y)
    torch.testing.assert_close(three(x), x + beta * y)
    assert len(three.blocks) == 3 and not torch.allclose(y, x)


def test_a_dense_block_starts_at_a_tenth_of_the_usual_spread():
    torch.manual_seed(0)
    for i, conv in enumerate(DenseBlock(32, 16).convs):
        usual = math.sqrt(2 / (9 * (32 + 16 * i)))  # He et al. 2015
        assert_normal(conv.weight, 0.1 * usual)
        assert not conv.bias.any()


def test_a_light_network_s_last_layer_starts_at_a_tenth_and_a_full_one_s_does_not():
    torch.manual_seed(0)
    usual = 1 / math.sqrt(3 * 9 * 32)  # uniform up to 1 / √inputs
    light, full = (RRDBNet(32, 4, 1, light=light).up for light in (True, False))
    assert light[-2].weight.std().item() == pytest.approx(0.1 * usual, rel=0.1)
    assert full[-1].weight.std().item() == pytest.approx(usual, rel=0.1)
    assert not light[-2].bias.any() and full[-1].bias.any()


@pytest.mark.parametrize("light", [True, False])
def test_an_enlarging_network_layer_by_layer(light):
    torch.manual_seed(0)
    net, y = RRDBNet(6, 4, 2, light=light), draw(2, 3, 4, 5)
    first = net.first(y)
    h = first + net.body(first)
    convs = [layer for layer in net.up if isinstance(layer, nn.Conv2d)]
    if light:
        h = bent(F.pixel_shuffle(convs[0](h), 2))
        wanted = F.pixel_shuffle(convs[2](bent(convs[1](h))), 2)
        wanted = wanted + F.interpolate(y, scale_factor=4, mode="bicubic")
    else:
        for conv in convs[:2]:
            h = bent(conv(h.repeat_interleave(2, 2).repeat_interleave(2, 3)))
        wanted = convs[3](bent(convs[2](h)))
    found = net(y)
    torch.testing.assert_close(found, wanted)
    assert found.is_contiguous() and len(net.body) == 3 and len(convs) == (3 if light else 4)


def test_renumbering_draws_its_order_from_the_source_and_leaves_the_network():
    net = small()
    before = net.first.weight.clone()
    orders = [
        renumbered(net, torch.Generator().manual_seed(seed)).first.weight for seed in (0, 0, 1)
    ]
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])
    assert torch.equal(net.first.weight, before)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(orders[0], before[order])


def largest(weight: torch.Tensor) -> float:
    return torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item()


def test_a_picture_s_score_layer_by_layer_and_its_maps_have_a_norm_near_1():
    torch.manual_seed(0)
    net, x = PictureDiscriminator(16, 4), draw(2, 3, 16, 16)
    for _ in range(30):  # steps of the power method
        net(x)
    net.eval()
    convs = [layer for layer in net.layers if isinstance(layer, nn.Conv2d)]
    assert [(c.out_channels, c.stride[0], c.kernel_size[0]) for c in convs] == [
        (4, 1, 3), (8, 2, 4), (12, 2, 4)
    ]  # fmt: skip
    assert [largest(conv.weight) for conv in convs] == pytest.approx([1] * 3, abs=0.05)
    h = F.pixel_unshuffle(x, 2)
    for conv in convs:
        h = bent(F.conv2d(h, conv.weight, conv.bias, conv.stride, 1))
    last = net.layers[-1]
    torch.testing.assert_close(net(x), h.flatten(1) @ last.weight[0] + last.bias)
    assert PictureDiscriminator().layers[-1].in_features == 96 * 16  # 32 maps, 32 pixels


@pytest.mark.parametrize("fold", [1, 2])
def test_a_pixel_s_score_layer_by_layer_and_its_maps_have_a_norm_near_1(fold):
    torch.manual_seed(0)
    net, x = UNetDiscriminator(4, fold), draw(1, 3, 16, 32)
    for _ in range(30):
        net(x)
    net.eval()
    inner = [*net.down, *net.up, *net.end]
    assert [largest(conv.weight) for conv in inner] == pytest.approx([1] * 8, abs=0.1)
    assert all(conv.bias is None for conv in inner)
    maps = [bent(net.first(F.pixel_unshuffle(x, fold)))]
    for conv in net.down:
        maps.append(bent(F.conv2d(maps[-1], conv.weight, stride=2, padding=1)))
    y = maps[3]
    for conv, beside in zip(net.up, maps[2::-1], strict=True):
        y = bent(
            F.conv2d(F.interpolate(y, scale_factor=2, mode="bilinear"), conv.weight, padding=1)
        )
        y = y + beside
    for conv in net.end:
        y = bent(F.conv2d(y, conv.weight, padding=1))
    torch.testing.assert_close(net(x), net.last(y))


def test_a_residual_block_adds_what_two_convolutions_say():
    torch.manual_seed(0)
    block, x = ResidualBlock(3), draw(2, 3, 4, 5)
    first, _, second = block.body
    torch.testing.assert_close(block(x), x + second(bent(first(x))))


def steered(modulate: bool) -> PriorRestorer:
    """One whose code differs from layer to layer, whatever it reads."""
    net = PriorRestorer(generator(), width=8, modulate=modulate)
    nn.init.normal_(net.code[-1].bias)
    return net


@pytest.mark.parametrize("modulate", [True, False])
def test_each_layer_of_a_prior_has_a_style_of_its_own(modulate):
    net, y = steered(modulate), draw(2, 3, 8, 8)
    (prior,) = net.prior
    ws = net.code[-1].bias.view(1, prior.layers, prior.w).expand(2, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(net(y), prior.synthesis(ws, "none"))
        nn.init.normal_(net.code[-1].weight, std=0.1)
        ws = net.code(net.read(y)).view(2, prior.layers, prior.w)
        torch.testing.assert_close(net(y), prior.synthesis(ws, "none"))


def test_the_second_half_of_a_prior_s_maps_is_turned_between_its_two_convolutions():
    net, y = steered(True), draw(2, 3, 8, 8)
    for turn in net.turns:
        nn.init.normal_(turn.weight, std=0.2), nn.init.normal_(turn.bias)
    (prior,) = net.prior
    maps = net.read(y)
    told = [net.turns[0](maps)]
    h = bent(F.pixel_shuffle(net.ups[0][0](maps), 2))
    told.append(net.turns[1](net.ups[0][3](h)))
    assert len(net.turns) == 2 and len(net.ups) == 1
    for i, said in enumerate(told):  # after the first convolution at 8 × 8 and at 16 × 16

        def turned(layer, _, x, said=said):
            half = x.shape[1] // 2
            scale, shift = said[:, :half], said[:, half:]
            return torch.cat([x[:, :half], x[:, half:] * (1 + scale) + shift], 1)

        told[i] = prior.convs[2 * i + 1], turned
    with torch.no_grad():
        found = net(y)
        for conv, hook in told:
            conv.register_forward_hook(hook)
        ws = net.code[-1].bias.view(1, prior.layers, prior.w).expand(2, -1, -1)
        torch.testing.assert_close(found, prior.synthesis(ws, "none"))


def test_a_prior_is_fixed_and_asked_in_evaluation_mode():
    prior = generator().train()
    net = PriorRestorer(prior)
    assert net.prior[0] is prior and not prior.training
    assert not any(weight.requires_grad for weight in prior.parameters())
    assert net.read[0].out_channels == 48 and len(net.turns) == 2
    assert not any(turn.weight.any() or turn.bias.any() for turn in net.turns)
    assert not net.code[-1].weight.any()
    each = net.code[-1].bias.view(prior.layers, prior.w)
    assert torch.equal(each, prior.w_mean.expand_as(each))


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_a_denoiser_subtracts_the_velocity_at_the_time_of_its_noise(sigma):
    asked = []

    class Model(nn.Module):
        def forward(self, x, t):
            asked.append((x, t))
            return torch.ones_like(x)

    y, level = draw(2, 3, 4, 4), 1 / (1 + sigma**2)
    net = Denoiser(DIFFUSION, Model(), sigma)
    torch.testing.assert_close(net(y), level * y - math.sqrt(1 - level))
    ((x, t),) = asked
    torch.testing.assert_close(x, math.sqrt(level) * y)
    near = [abs(a - level) for a in DIFFUSION.alpha_bar.tolist()]
    assert t.tolist() == [near.index(min(near))] * 2


def test_a_filler_layer_by_layer():
    torch.manual_seed(0)
    net, x, hole = Filler(6, 5), draw(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    hole[..., 8:20, 5:18] = 1
    shown = torch.cat([x * (1 - hole), hole], 1)
    c = [layer for layer in net.at16 if isinstance(layer, nn.Conv2d)]
    fine = bent(c[1](bent(c[0](F.pixel_unshuffle(shown, 2)))))
    c = [layer for layer in net.at8 if isinstance(layer, nn.Conv2d)]
    middle = bent(c[1](bent(c[0](fine))))
    coarse = bent(net.at4[0](middle))
    assert (fine.shape[1:], middle.shape[1:], coarse.shape[1:]) == (
        (6, 16, 16), (12, 8, 8), (12, 4, 4)
    )  # fmt: skip
    dense = [layer for layer in net.all if isinstance(layer, nn.Linear)]
    coarse = bent(dense[1](bent(dense[0](coarse.flatten(1))))).view_as(coarse)
    at8 = bent(F.pixel_shuffle(net.to8[0](coarse), 2)) + middle
    at16 = bent(F.pixel_shuffle(net.to16[0](at8), 2)) + fine
    made = F.pixel_shuffle(net.out[2](bent(net.out[0](at16))), 2)
    found = net(torch.cat([x, hole], 1))
    torch.testing.assert_close(found, torch.where(hole > 0, made, x))
    assert found.is_contiguous() and dense[0].out_features == 5
    assert Filler().at16[1].out_channels == 48 and Filler().all[1].out_features == 64


def test_a_fusion_network_adds_what_it_learned_to_pan_sharpening():
    torch.manual_seed(0)
    weights = (0.45, 0.4, 0.15)
    net, seen = FusionNet(weights), draw(2, 4, 6, 8)
    convs = [layer for layer in net.layers if isinstance(layer, nn.Conv2d)]
    h = F.pixel_unshuffle(seen, 2)
    for conv in convs[:-1]:
        h = bent(conv(h))
    wanted = pan_sharpen(seen[:, :3], seen[:, 3:], torch.tensor(weights))
    torch.testing.assert_close(net(seen), wanted + F.pixel_shuffle(convs[-1](h), 2))
    assert [conv.out_channels for conv in convs] == [32, 32, 32, 12]
    usual = 1 / math.sqrt(3 * 9 * 32)
    assert convs[-1].weight.std().item() == pytest.approx(0.1 * usual, rel=0.1)
    assert not convs[-1].bias.any() and "weights" in net.state_dict()


# What a step learns from


class Add(nn.Module):
    """Pictures plus a number."""

    def __init__(self, value: float = 0.25):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, x):
        return x + self.value


def same(x: torch.Tensor) -> torch.Tensor:
    return x


class Score(nn.Module):
    """The mean of each picture, times a weight."""

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        return self.weight * x.mean((1, 2, 3))


@pytest.mark.parametrize("loss, distance", [("l1", 0.25), ("mse", 0.0625)])
def test_pixels_count_by_their_distance_times_their_weight(loss, distance):
    x = draw(2, 3, 4, 4)
    for pixels in (1.0, 3.0):
        step = RestorationStep(Add(), same, loss=loss, pixels=pixels)
        assert step(x)[loss].item() == pytest.approx(pixels * distance, rel=1e-4)
    for sign in (-1, 1):  # an error has no sign, and is none where both are the same
        step = RestorationStep(Add(), same, loss=loss)
        assert step.parts(x, x + sign * 0.25)[loss].item() == pytest.approx(distance, rel=1e-4)
        assert step.parts(x, x)[loss] == 0
    usual = RestorationStep(Add(), same)
    assert {*usual.parts(x, x)} == {"l1"}
    told = RestorationStep(Add(), same, pixels=0, trunk=nn.Sequential(Score()), taps=(0,))
    assert {*told.parts(x, x + 1)} == {"features"}


def test_features_count_by_the_trunk_s_taps_on_crops_of_both_pictures():
    trunk = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Identity()).train()
    nn.init.dirac_(trunk[0].weight), nn.init.zeros_(trunk[0].bias)
    x, shapes = draw(2, 3, 6, 8), set()
    trunk[0].register_forward_hook(lambda layer, args, y: shapes.add(tuple(y.shape)))
    step = RestorationStep(Add(), same, trunk=trunk, taps=[0], features=2.0)
    assert step.parts(x, x + 0.25)["features"].item() == pytest.approx(0.5, rel=1e-4)
    assert shapes == {(2, 3, 5, 7)}
    assert not trunk.training and not any(w.requires_grad for w in trunk.parameters())
    usual = RestorationStep(Add(), same, trunk=trunk, taps=[0])
    assert usual.parts(x, x + 0.25)["features"].item() == pytest.approx(0.25, rel=1e-4)


def test_crops_lose_a_row_and_a_column_at_either_edge():
    grid = torch.arange(12.0).view(1, 1, 3, 4).expand(1, 3, -1, -1)
    corners = []
    trunk = nn.Sequential(nn.Identity())
    trunk[0].register_forward_hook(lambda layer, args, y: corners.append(y[0, 0, 0, 0].item()))
    step = RestorationStep(Add(), same, trunk=trunk, taps=[0])
    torch.manual_seed(0)
    for _ in range(40):
        step.parts(grid, grid)
    assert corners[::2] == corners[1::2] and {*corners} == {0, 1, 4, 5}


def test_the_adversary_counts_a_two_hundredth_unless_told_and_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x, judge = draw(3, 3, 4, 4), Score()
    made = (x + 0.5).requires_grad_()
    r, f = x.mean((1, 2, 3)), made.detach().mean((1, 2, 3))
    wanted = (F.softplus(r - f.mean()) + F.softplus(r.mean() - f)).mean()
    for options, share in (({}, 0.005), ({"adversary": 2.0}, 2.0)):
        step = RestorationStep(Add(), same, discriminator=judge, **options)
        part = step.parts(x, made)["adversary"]
        torch.testing.assert_close(part, share * wanted, rtol=1e-4, atol=1e-6)
        part.backward()
        assert judge.weight.grad is None and judge.weight.requires_grad and made.grad.any()


def test_the_judge_learns_to_score_the_true_ones_above_the_made_ones(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x, judge = draw(3, 3, 4, 4), Score()
    step = RestorationStep(Add(), same, discriminator=judge, d_lr=0.1)
    r, f = x.mean((1, 2, 3)), (x + 0.5).mean((1, 2, 3))
    wanted = (F.softplus(f.mean() - r) + F.softplus(f - r.mean())).mean()
    loss = step.d_step(x, x + 0.5)
    torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-6)
    assert not loss.requires_grad and judge.weight.item() == pytest.approx(0.9, abs=1e-3)
    before = judge.weight.item()
    step.d_step(x, x + 0.5)
    assert judge.weight.item() < before  # brighter ones are the made ones


def test_the_judge_sees_pictures_with_a_twentieth_of_normal_noise():
    x = draw(8, 3, 32, 32)
    step = RestorationStep(Add(), same, discriminator=Add(0.0))
    torch.manual_seed(0)
    noise = (step.score(x) - x.flatten()).detach() / 0.05
    assert noise.shape == (8 * 3 * 32 * 32,)
    assert_normal(noise)


def test_each_player_learns_at_its_own_rate():
    # Adam's first step moves a weight by the rate
    x = torch.cat([draw(2, 3, 4, 4), draw(2, 3, 4, 4, seed=1)])
    for options, lr, d_lr in (({}, 1e-3, 4e-4), ({"lr": 0.01, "d_lr": 0.02}, 0.01, 0.02)):
        judge, net = Score(), Add()
        step = RestorationStep(net, same, discriminator=judge, **options)
        step(x)
        assert net.value.item() == pytest.approx(0.25 - lr, abs=lr / 100)
        assert abs(judge.weight.item() - 1) == pytest.approx(d_lr, rel=0.01)
        assert step.optimizer.param_groups[0]["lr"] == lr  # without `steps` it stays


def test_the_averaged_network_follows_a_hundredth_a_step_unless_told():
    assert RestorationStep(Add(), same).ema.decay == 0.99
    assert RestorationStep(Add(), same, ema=0).ema.decay == 0
    net = Add()
    step = RestorationStep(net, same)
    assert step.weight is net.value and step.ema.source is net


def test_what_was_shown_are_16_pictures_without_a_graph():
    step = RestorationStep(Add(), same)
    step(draw(18, 3, 4, 4).requires_grad_())
    assert [len(pictures) for pictures in step.shown] == [16, 16]
    assert not any(pictures.requires_grad for pictures in step.shown)
    told = step(draw(2, 3, 4, 4))
    assert not any(part.requires_grad for part in told.values())


def test_the_sheet_shows_three_channels_of_what_was_seen_the_average_and_the_truth():
    net = FusionNet((0.45, 0.4, 0.15), 4)
    step = RestorationStep(net, lambda x: torch.cat([x, x[:, :1]], 1))
    step(draw(2, 3, 8, 8))
    labels = [axes.get_ylabel() for axes in step.samples().axes]
    assert labels == ["seen", "restored", "true"]


def test_a_pull_is_the_length_of_the_slope_at_each_picture():
    x, made = draw(2, 3, 4, 4), 0.25
    step = RestorationStep(Add(made), same, loss="mse", pixels=3.0)
    # ∂ 3 mean e² / ∂ picture = 6 e / numbers; of 48 numbers a picture the length is √48
    wanted = 6 * 0.25 / 48 * math.sqrt(48)
    assert step.pull(x) == {"mse": pytest.approx(wanted, rel=1e-4)}
    assert step.net.value.grad is None


def test_networks_may_compute_in_bfloat16_and_judges_and_what_pixels_cost_do_not(monkeypatch):
    choice = SimpleNamespace(autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    monkeypatch.setattr(restorers.device, "choose", lambda: choice)
    step, seen = whole_step(), []
    for name, layer in (
        ("net", step.net.up[-2]),
        ("trunk", step.trunk[0][0]),
        ("judge", step.discriminator.layers[-1]),
    ):
        layer.register_forward_hook(lambda _, x, y, name=name: seen.append((name, y.dtype)))
    told = step(draw(4, 3, 32, 32))
    assert {*seen} == {
        ("net", torch.bfloat16), ("trunk", torch.bfloat16), ("judge", torch.float32)
    }  # fmt: skip
    for name in ("l1", "adversary", "d_loss"):
        assert told[name].dtype == torch.float32, name
    seen.clear()
    made = restore(step.net, draw(2, 3, 8, 8))
    assert seen == [("net", torch.bfloat16)] and made.dtype == torch.float32


def test_86_pictures_are_restored_at_once_unless_told():
    sizes, net = [], Add()
    net.register_forward_hook(lambda layer, args, y: sizes.append(len(y)))
    y = torch.linspace(-2, 2, 88).view(88, 1, 1, 1)
    made = restore(net, y)
    torch.testing.assert_close(made, (y + 0.25).clamp(-1, 1))
    assert sizes == [86, 2] and not made.requires_grad
    restore(net, y[:5], 2)
    assert sizes[2:] == [2, 2, 1]


# What is refused


X = torch.zeros(2, 3, 8, 8)
NAN = torch.full((2, 3, 8, 8), math.nan)


def judged(**options) -> RestorationStep:
    return RestorationStep(Add(), same, discriminator=Score(), **options)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DenseBlock(0), "width must be .* at least 1, got 0"),
        (lambda: DenseBlock(4, 0), "growth must be .* at least 1, got 0"),
        (lambda: DenseBlock(4, 2, math.inf), "beta must be a finite number"),
        (lambda: DenseBlock(4, 2)(X), r"x must be \(B, 4, h, w\); got \(2, 3, 8, 8\)"),
        (lambda: RRDBNet(0), "width must be .* at least 1, got 0"),
        (lambda: RRDBNet(4, 0), "growth must be .* at least 1, got 0"),
        (lambda: RRDBNet(4, 2, 0), "blocks must be .* at least 1 .* got 0"),
        (lambda: RRDBNet(4, 2, 1001), "blocks must be .* at most 1000, got 1001"),
        (lambda: small()(X[:, :2]), r"y must be \(B, 3, h, w\); got \(2, 2, 8, 8\)"),
        (lambda: PictureDiscriminator(0), "size must be .* at least 8 .* got 0"),
        (lambda: PictureDiscriminator(1032), "size must be .* at most 1024, got 1032"),
        (lambda: PictureDiscriminator(8, 0), "width must be .* at least 1 .* got 0"),
        (lambda: PictureDiscriminator(8, 1025), "width must be .* at most 1024, got 1025"),
        (lambda: PictureDiscriminator(16, 2)(X), r"x must be \(B, 3, 16, 16\)"),
        (lambda: UNetDiscriminator(0), "width must be .* at least 1, got 0"),
        (lambda: UNetDiscriminator(4, 9), "fold must be .* at most 8, got 9"),
        (lambda: UNetDiscriminator(4)(X[:, :2]), r"x must be \(B, 3, H, W\)"),
        (lambda: UNetDiscriminator(4)(X[:, :, :4]), "x must have sides in multiples of 8"),
        (lambda: UNetDiscriminator(4)(X[..., :4]), "x must have sides in multiples of 8"),
        (lambda: ResidualBlock(0), "width must be .* at least 1, got 0"),
        (lambda: ResidualBlock(4)(X), r"x must be \(B, 4, h, w\)"),
        (lambda: PriorRestorer(generator(), 0), "width must be .* at least 1, got 0"),
        (lambda: PriorRestorer(generator(), 4)(X[..., :4]), r"y must be \(B, 3, 8, 8\)"),
        (lambda: Denoiser(DIFFUSION, Add(), -1), "sigma must be .* above 0"),
        (lambda: denoiser()(X[0]), r"y must be \(B, C, H, W\)"),
        (lambda: Filler(0), "width must be .* at least 1, got 0"),
        (lambda: Filler(4, 0), "middle must be .* at least 1, got 0"),
        (lambda: Filler(4, 4)(X), r"seen must be \(B, 4, 32, 32\)"),
        (lambda: FusionNet((1.0, 0, 0), 0), "width must be .* at least 1, got 0"),
        (lambda: FusionNet((1.0, 0)), "weights must hold 3; got 2"),
        (lambda: FusionNet((1.0, 0, 0), 4)(X), r"seen must be \(B, 4, H, W\)"),
        (lambda: judged(pixels=-1), "pixels must be .* at least 0"),
        (lambda: judged(features=-1), "features must be .* at least 0"),
        (lambda: judged(adversary=-1), "adversary must be .* at least 0"),
        (lambda: judged(taps=[-1]), r"taps\[0\] must be .* at least 0 .* got -1"),
        (lambda: judged(lr=-1), "lr must be .* at least 0"),
        (lambda: judged(d_lr=-1), "lr must be .* at least 0"),
        (lambda: judged(steps=0), "steps must be .* at least 1, got 0"),
        (lambda: judged(ema=1), "ema must be .* at least 0 and at most 1"),
        (lambda: judged(ema=-0.1), "ema must be .* at least 0"),
        (lambda: judged()(X[0]), "x must be a tensor of 4 dimensions"),
        (lambda: judged().parts(X[0], X), "x must be a tensor of 4 dimensions"),
        (lambda: judged().parts(X, X[:1]), r"made must be \(2, 3, 8, 8\)"),
        (lambda: judged().d_step(X[0], X), "x must be a tensor of 4 dimensions"),
        (lambda: judged().d_step(X, X[0]), "made must be a tensor of 4 dimensions"),
        (lambda: judged().score(X[0]), "x must be a tensor of 4 dimensions"),
        (lambda: restore(Add(), X[0]), "y must be a tensor of 4 dimensions"),
        (lambda: restore(Add(), NAN), "y must be finite"),
        (lambda: restore(Add(), X, 0), "block must be .* at least 1, got 0"),
    ],
)
def test_sizes_and_rates_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: renumbered(small(), 0), "generator must be a torch.Generator or None; got int"),
        (lambda: PriorRestorer(Add()), "generator must be a StyleGenerator; got Add"),
        (lambda: Denoiser(None, Add(), 1.0), "diffusion must be a Diffusion; got NoneType"),
        (lambda: FusionNet(0.5), "weights must be a sequence; got float"),
        (lambda: RestorationStep(same, same), "net must be a Module; got function"),
        (lambda: RestorationStep(Add(), None), "damage must be a network or a function"),
        (lambda: RestorationStep(Add(), same, trunk=same), "trunk must be a Module; got function"),
        (
            lambda: RestorationStep(Add(), same, discriminator=same),
            "discriminator must be a Module",
        ),
        (lambda: judged(taps=1), "taps must be a sequence of whole numbers; got 1"),
        (lambda: restore(same, X), "net must be a Module; got function"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(make, message):
    with pytest.raises(TypeError, match=message):
        make()


DOUBLE, FOUR = X.double(), torch.zeros(1, 4, 32, 32).double()


@pytest.mark.parametrize(
    "name, make",
    [
        ("y", lambda: small()(DOUBLE)),
        ("x", lambda: PictureDiscriminator(8, 2)(DOUBLE)),
        ("x", lambda: UNetDiscriminator(4)(DOUBLE)),
        ("x", lambda: ResidualBlock(3)(DOUBLE)),
        ("y", lambda: PriorRestorer(generator(), 4)(DOUBLE)),
        ("y", lambda: denoiser()(DOUBLE)),
        ("seen", lambda: Filler(4, 4)(FOUR)),
        ("seen", lambda: FusionNet((1.0, 0, 0), 4)(FOUR)),
        ("x", lambda: judged()(DOUBLE)),
        ("x", lambda: judged().score(DOUBLE)),
        ("x", lambda: judged().d_step(DOUBLE, X)),
        ("made", lambda: judged().d_step(X, DOUBLE)),
        ("x", lambda: judged().parts(DOUBLE, X)),
        ("made", lambda: judged().parts(X, DOUBLE)),
        ("y", lambda: restore(Add(), DOUBLE)),
    ],
)
def test_pictures_of_another_precision_than_the_weights_are_refused(name, make):
    with pytest.raises(TypeError, match=f"{name} must be torch.float32, .* got torch.float64"):
        make()
