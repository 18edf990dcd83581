"""Golden numbers of weights: the papers' networks, counted layer by layer in the authors' code."""

import pytest
import torch
from torch import nn

from course_lib.device import choose
from course_lib.diffusion import Diffusion, cosine_betas
from course_lib.restoration import between, denoise, enlarge, shrink
from course_lib.restorers import (
    RRDB,
    Denoiser,
    DenseBlock,
    Filler,
    FusionNet,
    PictureDiscriminator,
    PriorRestorer,
    RestorationStep,
    RRDBNet,
    UNetDiscriminator,
    renumbered,
    restore,
)
from course_lib.styles import StyleGenerator
from course_lib.unet import UNet
from tests.helpers import assert_step_runs_on_meta


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
