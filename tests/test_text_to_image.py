import copy
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from course_lib import text_to_image
from course_lib.codebooks import VQAutoencoder
from course_lib.contrastive import PictureTextModel, real_words
from course_lib.diffusion import DROP, FLOW_TIME, flow_loss, flow_sample
from course_lib.text_to_image import (
    ConditioningAugmentation,
    StackStep,
    StageOne,
    StageTwo,
    TextDiscriminator,
    TextFlowStep,
    TextUNet,
    climb,
    cutouts,
    draw_flow,
    draw_stage,
    matching_loss,
    sentence_vectors,
    word_maps,
)
from course_lib.tokens import nothing
from course_lib.training import train
from course_lib.unet import timestep_embedding
from course_lib.words import tokeniser

from .helpers import _OneDevice, assert_step_runs_on_meta

TEXT, LENGTH = 8, 6


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def some_text(n=4, seed=0):
    text = torch.randint(2, 9, (n, LENGTH), generator=seeded(seed))
    text[:, -2], text[:, -1] = 1, 0
    return text


def reader(size=16):
    torch.manual_seed(0)
    return PictureTextModel(9, size=size, dim=TEXT, width=16, depth=1, length=LENGTH).eval()


def players(size=16):
    torch.manual_seed(0)
    one = StageOne(TEXT, dim=4, ngf=8, size=size)
    return one, TextDiscriminator(TEXT, ndf=8, size=size)


# StackGAN


def test_the_loss_of_a_critic_that_reads_is_the_known_number():
    one = torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([0.5])
    assert matching_loss(*one).item() == pytest.approx(0.77059735, abs=1e-6)
    two = torch.tensor([2.0, 1]), torch.tensor([-1, 0.5]), torch.tensor([0.5, -2])
    assert matching_loss(*two).item() == pytest.approx(0.817181, abs=1e-6)
    with pytest.raises(ValueError, match=r"real_wrong must be \(1,\); got \(2,\)"):
        matching_loss(*one[:2], torch.zeros(2))


def test_conditions_are_the_known_draw_and_cost_the_known_kl():
    # μ (1, 0), log σ² (0, log 4), ε (.5, −1): c = (1.5, −2); KL 1.30685282
    layer = ConditioningAugmentation(1, 2)
    with torch.no_grad():
        layer.layer.weight.zero_()
        layer.layer.bias.copy_(torch.tensor([1.0, 0, 0, 1.3862944]))
    c, mu, logvar = layer(torch.zeros(1, 1), torch.tensor([[0.5, -1.0]]))
    torch.testing.assert_close(c, torch.tensor([[1.5, -2.0]]))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()
    assert kl.item() == pytest.approx(1.30685282, abs=1e-6)


def test_stage_one_draws_by_both_kinds_of_noise_and_by_the_sentence():
    net, _ = players()
    net.eval()
    told, z = draw(2, TEXT), draw(2, net.nz, seed=1)
    x, mu, logvar = net(told, z)
    assert x.shape == (2, 3, 16, 16) and x.abs().max() <= 1
    assert mu.shape == logvar.shape == (2, 4) and net.nz == 36
    for i in (0, 10):  # the augmentation's noise, and the generator's own
        other = z.clone()
        other[:, i] += 1
        assert not torch.allclose(net(told, other)[0], x)
    assert not torch.allclose(net(told + 1, z)[0], x)


def test_stage_two_begins_with_the_picture_without_its_details_and_then_draws_some():
    torch.manual_seed(0)
    net = StageTwo(TEXT, dim=4, width=16).eval()
    small, told, z = draw(2, 3, 8, 8).tanh(), draw(2, TEXT, seed=1), draw(2, 4, seed=2)
    large, _, _ = net(small, told, z)
    expected = F.interpolate(F.avg_pool2d(small, 2), scale_factor=4, mode="bilinear")
    torch.testing.assert_close(large, expected)
    torch.nn.init.normal_(net.out[-1].weight)
    moved = net(small, told, z)[0]
    assert moved.shape == (2, 3, 16, 16) and not torch.allclose(moved, expected)
    for other in ((small, told + 1, z), (small, told, z + 1), (small.flip(3), told, z)):
        assert not torch.allclose(net(*other)[0], moved)


def test_stage_two_looks_far_around_each_place():
    # a change of four pixels in the middle of 32 × 32 is seen in more than half of the large sides
    torch.manual_seed(0)
    net = StageTwo(TEXT, dim=4, width=16).eval()
    torch.nn.init.normal_(net.out[-1].weight)
    small, told, z = torch.zeros(1, 3, 32, 32), draw(1, TEXT), draw(1, 4, seed=1)
    other = small.clone()
    other[:, :, 14:16, 14:16] = 1
    changed = (net(other, told, z)[0] != net(small, told, z)[0]).any(1)[0].nonzero()
    assert changed.min() <= 10 and changed.max() >= 48


def test_the_critic_reads_and_looks_and_its_noise_is_for_training():
    critic = TextDiscriminator(TEXT, ndf=8, size=32, noise=0.5).eval()
    x, told = draw(3, 3, 32, 32).tanh(), draw(3, TEXT, seed=1)
    scores = critic(x, told)
    assert scores.shape == (3,) and torch.equal(scores, critic(x, told))
    assert not torch.allclose(critic(x, told.roll(1, 0)), scores)
    assert not torch.allclose(critic(x.flip(0), told), scores)
    torch.testing.assert_close(critic.judge(critic.look(x), told), scores)
    critic.train()
    assert not torch.equal(critic(x, told), critic(x, told))


def test_sentence_vectors_have_the_length_of_a_normal_draw():
    told = sentence_vectors(reader(), some_text())
    torch.testing.assert_close(told.norm(dim=1), torch.full((4,), TEXT**0.5))
    assert not told.requires_grad


def test_a_stage_draws_the_same_from_the_same_seed():
    one, _ = players()
    torch.manual_seed(0)
    two, told = StageTwo(TEXT, dim=4, width=16).eval(), draw(2, TEXT)
    torch.nn.init.normal_(two.out[-1].weight)
    one.eval()
    for stage, first, side in ((one, None, 16), (two, one, 32)):
        a, b, other = (draw_stage(stage, told, first, seeded(i))[0] for i in (0, 0, 1))
        assert torch.equal(a, b) and not torch.equal(a, other)
        assert a.shape == (2, 3, side, side)


def test_each_player_learns_from_its_own_loss_alone():
    generator, critic = players()
    step = StackStep(generator, critic, reader(), lr=1e-3, kl=0.0)
    x, text = draw(4, 3, 16, 16).tanh(), some_text()
    for optimizer, moving, still in (
        (step.g_optimizer, critic, generator),
        (step.d_optimizer, generator, critic),
    ):
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        before = {
            n: [w.clone() for w in net.parameters()] for n, net in (("m", moving), ("s", still))
        }
        step((x, text))
        assert all(torch.equal(a, b) for a, b in zip(before["s"], still.parameters(), strict=True))
        assert any(
            not torch.equal(a, b) for a, b in zip(before["m"], moving.parameters(), strict=True)
        )
        for group in optimizer.param_groups:
            group["lr"] = 1e-3
    assert all(not w.requires_grad for w in step.reader.parameters())


def test_the_second_stage_leaves_the_first_as_it_is():
    first, _ = players()
    before = {key: value.clone() for key, value in first.state_dict().items()}
    critic = TextDiscriminator(TEXT, ndf=8, size=32)
    step = StackStep(StageTwo(TEXT, dim=4, width=16), critic, reader(), first=first)
    losses = step((draw(4, 3, 32, 32).tanh(), some_text()))
    assert set(losses) == {"d_loss", "g_loss", "kl"} and losses["kl"] >= 0
    assert all(torch.equal(before[key], value) for key, value in first.state_dict().items())


class Reader(torch.nn.Module):
    """Puts a sentence where its first word says."""

    dim = TEXT

    def read(self, text):
        return F.one_hot(text[:, 0] - 2, TEXT).float()


def test_the_critic_learns_to_tell_whose_sentence_it_is():
    # eight pictures of one grey each and their sentences; the generator stays as it is
    text, shade = some_text(8), torch.linspace(-1, 1, 8)
    text[:, 0] = 2 + torch.arange(8)
    x = shade[:, None, None, None] + 0.1 * draw(8, 3, 16, 16)
    generator, critic = players()
    step = StackStep(generator, critic, Reader(), lr=0.0, d_lr=3e-3)
    train(step, [(x, text)], 60)
    told = sentence_vectors(step.reader, text)  # in training mode: by the batch's statistics
    right, wrong = critic(x, told), critic(x, told.roll(1, 0))
    assert right.mean() > wrong.mean() + 1
    assert (right > 0).float().mean() > 0.7 and (wrong < 0).float().mean() > 0.7


def test_what_the_stages_do_not_take_is_refused():
    one, critic = players()
    with pytest.raises(ValueError, match="first must be given for a StageTwo, and only for it"):
        StackStep(one, critic, reader(), first=one)
    with pytest.raises(ValueError, match="first must be given for a StageTwo"):
        StackStep(StageTwo(TEXT), critic, reader())
    with pytest.raises(ValueError, match=r"z must be \(1, 36\); got \(1, 3\)"):
        one(draw(1, TEXT), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="small must have an even side; got 7"):
        StageTwo(TEXT, dim=4)(torch.zeros(1, 3, 7, 7), draw(1, TEXT), torch.zeros(1, 4))


@pytest.mark.parametrize("stage", [1, 2])
def test_the_rounds_run_on_any_device(stage):
    x, text = draw(4, 3, 16 * stage, 16 * stage).tanh(), some_text()

    def make():
        one, critic = players()
        if stage == 1:
            return StackStep(one, critic, reader())
        critic = TextDiscriminator(TEXT, ndf=8, size=32, noise=0.1)
        return StackStep(StageTwo(TEXT, dim=4, width=16), critic, reader(), first=one)

    assert_step_runs_on_meta(make, lambda: (x, text))


# Codes that climb


def test_cutouts_stay_near_the_picture_and_come_look_by_look():
    x = torch.stack([torch.full((3, 8, 8), v) for v in (-0.5, 0.5)])
    looks = cutouts(x, 3, seeded())
    assert looks.shape == (6, 3, 8, 8)
    torch.testing.assert_close(
        looks.mean((1, 2, 3)), torch.tensor([-0.5, 0.5] * 3), atol=0.05, rtol=0
    )
    assert looks.std((1, 2, 3)).max() < 0.15  # of a flat picture only the noise is left
    assert torch.equal(looks, cutouts(x, 3, seeded()))
    ramp = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    looks = cutouts(ramp, 200, seeded())
    seen = (looks[:, :, :, -1] - looks[:, :, :, 0]).mean((1, 2)) / 2  # the share of the width
    assert 0.6 < seen.min() and seen.max() < 1.01 and seen.std() > 0.05
    with pytest.raises(ValueError, match="n must be .* at least 1 .* got 0"):
        cutouts(x, 0)


def test_cutouts_pass_the_gradient_on():
    x = draw(1, 3, 8, 8).requires_grad_()
    cutouts(x, 4, seeded()).sum().backward()
    assert (x.grad[:, :, 2:6, 2:6] != 0).all()


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("looks", [0, 2])
def test_pictures_climb_towards_a_text(codes, looks):
    model, text, start = reader(), some_text(3), draw(3, 3, 16, 16).tanh()
    torch.manual_seed(0)
    vq = VQAutoencoder(size=16, codes=64, dim=4, width=16).eval() if codes else None
    x, cosines = climb(model, text, start, vq, steps=15, looks=looks, generator=seeded())
    assert len(cosines) == 15 and cosines[-1] > cosines[0] + 0.02
    assert x.shape == start.shape and x.abs().max() <= 1 and not x.requires_grad
    if codes:  # what comes out is made of codes
        assert vq.pictures(vq.tokens(start)).shape == x.shape
    assert all(w.grad is None for w in model.parameters())
    with pytest.raises(ValueError, match="start must be 3, a picture a sentence; got 2"):
        climb(model, text, start[:2])


def test_the_learning_rate_of_a_climb_can_be_given():
    model, text, start = reader(), some_text(2), 0.1 * draw(2, 3, 16, 16)
    near, _ = climb(model, text, start, steps=1, lr=1e-4)
    far, _ = climb(model, text, start, steps=1)
    assert (near - start).abs().max() < 2e-4 and (far - start).abs().max() > 0.03


# Diffusion that reads


def small(**options):
    torch.manual_seed(0)
    net = TextUNet(
        **dict(words=9, channels=4, width=32, blocks=2, told=16, length=LENGTH) | options
    )
    return net


def same(z):
    return z


def awake(net):
    """With random weights where a new network has zeros."""
    torch.manual_seed(1)
    for weight in net.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.1)
    return net.eval()


def test_a_new_network_answers_zero_and_a_trained_one_hears_words_and_time():
    z, t, text = draw(3, 4, 4, 4), torch.tensor([0.0, 500, 999]), some_text(3)
    assert not small()(z, t, text).any()
    net = awake(small())
    v = net(z, t, text)
    assert v.shape == z.shape
    assert not torch.allclose(net(z, t.flip(0), text), v)
    assert not torch.allclose(net(z, t, text.flip(0)), v)
    with pytest.raises(ValueError, match=r"z must be \(B, 4, h, w\); got \(1, 3, 4, 4\)"):
        net(torch.zeros(1, 3, 4, 4), t[:1])


def test_no_text_is_the_same_as_a_sentence_without_a_word():
    net, z, t = awake(small()), draw(2, 4, 4, 4), torch.tensor([10.0, 20.0])
    text = some_text(2)
    torch.testing.assert_close(net(z, t), net(z, t, net.unconditional(text)))
    assert torch.equal(net.unconditional(text), nothing(text))


def test_padding_is_not_heard():
    net, z, t = awake(small()), draw(1, 4, 4, 4), torch.tensor([10.0])
    with torch.no_grad():
        before = net(z, t, some_text(1))
        net.reader.word.weight[0] = 50.0
        torch.testing.assert_close(net(z, t, some_text(1)), before)


def test_maps_of_words_add_up_to_one_at_each_place():
    net, text = awake(small()), some_text(2)
    maps = word_maps(net, draw(2, 4, 4, 5), text, generator=seeded())
    assert maps.shape == (2, LENGTH, 4, 5)
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 4, 5))
    assert not maps[:, -1].any()  # padding
    assert maps[0, 0].std() > 0
    with pytest.raises(ValueError, match="t must be .* at most 1; got 500"):
        word_maps(net, draw(2, 4, 4, 5), text, t=500)


def test_sentences_are_hidden_as_a_whole():
    net, heard = small(), []
    step = TextFlowStep(net, same)
    text = torch.tensor([[2, 3, 4, 5, 1, 0]]).expand(500, -1)
    net.register_forward_hook(lambda _, inputs, __: heard.append(inputs[2]))
    torch.manual_seed(0)
    step.loss(net, draw(500, 4, 4, 4), text)
    whole = (heard[0] == text).all(1)
    silent = (heard[0] == nothing(text)).all(1)
    assert (whole | silent).all()
    assert silent.float().mean().item() == pytest.approx(0.1, abs=0.04)


def test_codes_are_brought_to_variance_one():
    net, z = small(), 3 + 2 * draw(200, 4, 4, 4)
    net.measure_codes(z)
    torch.testing.assert_close(net.code_mean.flatten(), torch.full((4,), 3.0), atol=0.1, rtol=0)
    torch.testing.assert_close(net.code_std.flatten(), torch.full((4,), 2.0), atol=0.1, rtol=0)
    seen = []
    net.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    torch.manual_seed(0)
    TextFlowStep(net, same).loss(net, z, some_text(200))
    assert seen[0].mean().abs() < 0.05  # codes and noise, both of mean 0
    assert seen[0].var() < 1.1  # as they are, codes would have 4


def test_a_flow_learns_which_codes_a_sentence_asks_for():
    # "2 …" means codes of 1 in channel 0, "3 …" codes of −1
    text = torch.tensor([[2, 1, 0, 0, 0, 0], [3, 1, 0, 0, 0, 0]]).repeat(32, 1)
    sign = torch.tensor([1.0, -1.0]).repeat(32)[:, None, None, None]
    z = 0.1 * draw(64, 2, 4, 4) + sign
    net = small(channels=2)
    step = TextFlowStep(net, lambda z: z[:, :1], lr=3e-3, steps=80, ema=0.9)
    train(step, [(z, text)], 80)
    made = flow_sample(step.ema.model, (64, 2, 4, 4), text, 1.0, seeded(), steps=10)
    assert (made.mean((1, 2, 3)).sign() == sign.flatten()).float().mean() > 0.95
    assert step.samples() is not None


def test_a_drawing_is_decoded_from_codes_rounded_or_not():
    torch.manual_seed(0)
    vq = VQAutoencoder(size=16, codes=8, dim=4, width=16).eval()
    net, text = awake(small()), some_text(3)
    net.measure_codes(draw(9, 4, 4, 4))
    a, b = (draw_flow(net, vq, text, seeded(), steps=3, rounded=r) for r in (True, False))
    assert a.shape == b.shape == (3, 3, 16, 16) and a.abs().max() <= 1
    assert not torch.allclose(a, b)
    assert torch.equal(a, draw_flow(net, vq, text, seeded(), steps=3))
    other = draw_flow(net, vq, text, seeded(), guidance=5.0, steps=3, rounded=False)
    assert not torch.allclose(other, b)


def test_the_step_and_the_sampler_run_on_any_device():
    z, text = draw(4, 4, 4, 4), some_text()
    assert_step_runs_on_meta(lambda: TextFlowStep(small(), same, steps=9), lambda: (z, text))
    with torch.device("meta"):
        net = small()
        vq = VQAutoencoder(size=16, codes=8, dim=4, width=16)
        text = torch.zeros(2, LENGTH, dtype=torch.int64)
    with _OneDevice():
        assert draw_flow(net, vq, text, steps=2).is_meta
        assert word_maps(net, vq.encode(torch.zeros(2, 3, 16, 16, device="meta")), text).is_meta


def test_both_rates_of_a_stage_fall_in_the_second_half():
    generator, critic = players()
    step = StackStep(generator, critic, reader(), lr=1e-3, d_lr=1e-4, steps=4)
    x, text, rates = draw(4, 3, 16, 16).tanh(), some_text(), []
    for _ in range(4):
        losses = step((x, text))
        rates.append([o.param_groups[0]["lr"] for o in (step.g_optimizer, step.d_optimizer)])
    for share, (g, d) in zip((1, 1, 0.52, 0.02), rates, strict=True):
        assert g == pytest.approx(1e-3 * share) and d == pytest.approx(1e-4 * share)
    assert not any(loss.requires_grad for loss in losses.values())


def test_a_stage_is_drawn_from_normal_noise():
    seen = []

    class Told(StageOne):
        def forward(self, told, z):
            seen.append(z)
            return super().forward(told, z)

    stage = Told(TEXT, dim=4, ngf=8, size=16)
    draw_stage(stage, torch.zeros(100, TEXT), None, seeded())
    assert abs(seen[0].mean()) < 0.1 and seen[0].std().item() == pytest.approx(1, abs=0.05)


def test_cutouts_move_the_picture():
    x = torch.zeros(1, 1, 16, 16)
    x[..., 7:9, 7:9] = 50.0
    looks = cutouts(x, 64, seeded()).clamp(min=0)
    along = torch.arange(16.0)
    middle = (looks.sum(2)[:, 0] @ along) / looks.sum((1, 2, 3))
    assert middle.std() > 0.5


def test_pixels_climb_in_steps_of_a_twentieth_at_first():
    x, text = torch.zeros(1, 3, 16, 16), some_text(1)
    made, _ = climb(reader(), text, x, steps=1)
    assert made.abs().max().item() == pytest.approx(0.05, rel=0.1)


def test_the_vocabulary_is_that_of_the_course_unless_told():
    assert TextUNet().reader.word.num_embeddings == len(tokeniser())


def test_codes_that_are_not_rounded_are_decoded_as_they_are():
    torch.manual_seed(0)
    vq = VQAutoencoder(size=16, codes=8, dim=4, width=16).eval()
    net, text = awake(small()), some_text(3)
    net.measure_codes(draw(9, 4, 4, 4))
    z = flow_sample(net, (3, 4, 4, 4), text, 2.0, seeded(), steps=3)
    expected = vq.decoder(z * net.code_std + net.code_mean).clamp(-1, 1)
    torch.testing.assert_close(draw_flow(net, vq, text, seeded(), steps=3, rounded=False), expected)
    assert expected.min() < 0


def test_samples_of_a_step_are_decoded_from_codes_of_their_own_mean_and_spread():
    net, text = awake(small()), some_text(3)
    net.measure_codes(3 + 2 * draw(9, 4, 4, 4))
    z = flow_sample(net, (3, 4, 4, 4), text, 2.0, seeded(), steps=20)
    made = TextFlowStep(net, same).sample(net, (3, 4, 4, 4), text, seeded())
    torch.testing.assert_close(made, z * net.code_std + net.code_mean)


def test_words_are_heard_in_codes_with_noise_of_the_time():
    net, text, codes, seen = awake(small()), some_text(2), draw(2, 4, 4, 5), []
    net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[:2]))
    word_maps(net, codes, text, 0.25, seeded())
    z = (codes - net.code_mean) / net.code_std
    noise = torch.randn(z.shape, generator=seeded())
    torch.testing.assert_close(seen[0][0], 0.75 * z + 0.25 * noise)
    assert (seen[0][1] == 0.25 * FLOW_TIME).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ConditioningAugmentation(text=0), "text must be .* at least 1, got 0"),
        (lambda: ConditioningAugmentation(dim=0), "dim must be .* at least 1, got 0"),
        (lambda: StageOne(ngf=0), "ngf must be .* at least 1, got 0"),
        (lambda: StageTwo(nc=0), "nc must be .* at least 1, got 0"),
        (lambda: TextDiscriminator(ndf=0), "ndf must be .* at least 1, got 0"),
        (lambda: TextDiscriminator(noise=-1), "noise must be .* at least 0; got -1"),
        (
            lambda: ConditioningAugmentation(3, 2)(torch.zeros(2, 4), torch.zeros(2, 2)),
            r"told must be \(B, 3\); got \(2, 4\)",
        ),
        (
            lambda: ConditioningAugmentation(3, 2)(torch.zeros(2, 3), torch.zeros(1, 2)),
            r"noise must be \(2, 2\); got \(1, 2\)",
        ),
        (
            lambda: StageTwo(3, 4)(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3), torch.zeros(1, 4)),
            r"z must be \(2, 4\); got \(1, 4\)",
        ),
        (
            lambda: TextDiscriminator(3, size=16).look(torch.zeros(2, 3, 32, 32)),
            r"x must be \(B, 3, 16, 16\); got \(2, 3, 32, 32\)",
        ),
        (
            lambda: players()[1].judge(torch.zeros(2, 16, 4, 4), torch.zeros(2, 5)),
            r"told must be \(2, 8\); got \(2, 5\)",
        ),
        (
            lambda: StackStep(*players(), reader(), d_lr=-1),
            "d_lr must be .* at least 0; got -1",
        ),
        (
            lambda: StackStep(*players(), reader(), ema=1.5),
            "ema must be .* at least 0 and at most 1; got 1.5",
        ),
        (
            lambda: TextFlowStep(small(), same, ema=1.5),
            "ema must be .* at least 0 and at most 1; got 1.5",
        ),
        (
            lambda: word_maps(small(), torch.zeros(2, 3, 4, 4), some_text(2)),
            r"codes must be \(2, 4, h, w\); got \(2, 3, 4, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: TextFlowStep(small(), same).loss(same, draw(2, 4, 4, 4), some_text(2)),
            "model must be a TextUNet; got function",
        ),
        (
            lambda: TextFlowStep(small(), same).sample(small(), (2, 4, 4, 4), some_text(2), 3),
            "generator must be a torch.Generator or None; got int",
        ),
        (
            lambda: draw_stage(players()[0], draw(2, TEXT), None, 3),
            "generator must be a torch.Generator or None; got int",
        ),
        (
            lambda: climb(reader(), some_text(1), torch.zeros(1, 3, 16, 16), generator=3),
            "generator must be a torch.Generator or None; got int",
        ),
        (
            lambda: word_maps(small(), draw(2, 4, 4, 4), some_text(2), generator=3),
            "generator must be a torch.Generator or None; got int",
        ),
    ],
)
def test_what_is_of_another_kind_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_the_networks_have_as_many_weights_as_their_layers_unless_told():
    nets = StageOne(), StageTwo(), TextDiscriminator()
    found = [sum(weight.numel() for weight in net.parameters()) for net in nets]
    assert found == [335_904, 255_395, 190_561]
    c, _, _ = ConditioningAugmentation()(torch.zeros(1, 64), torch.zeros(1, 48))
    assert c.shape == (1, 48)


def test_stage_two_is_what_its_layers_say_added_to_the_picture_without_details():
    torch.manual_seed(0)
    net = StageTwo(TEXT, dim=4, width=16).eval()
    torch.nn.init.normal_(net.out[-1].weight)
    small, told, z = draw(2, 3, 8, 8).tanh(), draw(2, TEXT, seed=1), draw(2, 4, seed=2)
    c, mu, logvar = net.augment(told, z)
    said = c[:, :, None, None].expand(-1, -1, 4, 4)
    h = net.mix(torch.cat([net.look(small), said], 1))
    for block in net.blocks:
        h = h + block(h)
    h = net.detail(torch.cat([net.twice(h), small], 1))
    plain = F.interpolate(F.avg_pool2d(small, 2), scale_factor=4, mode="bilinear")
    for found, known in zip(
        net(small, told, z), (plain + net.out(net.twice(h)), mu, logvar), strict=True
    ):
        torch.testing.assert_close(found, known)


def test_the_second_stage_hands_no_gradient_to_the_first():
    one, _ = players()
    two = StageTwo(TEXT, dim=4, width=16)
    draw_stage(two, draw(2, TEXT), one, seeded())[0].sum().backward()
    assert all(w.grad is None for w in one.parameters()) and two.out[-1].weight.grad.any()


def test_the_critic_puts_the_sentence_beside_each_place_and_its_noise_has_the_known_spread():
    critic, seen = TextDiscriminator(TEXT, ndf=8, size=32, noise=0.5).eval(), []
    x, told = draw(4, 3, 32, 32), draw(4, TEXT, seed=1)
    places = critic.look_layers(x)
    said = critic.read(told)[:, :, None, None].expand(-1, -1, 4, 4)
    torch.testing.assert_close(critic.look(x), places)
    scores = critic.both(torch.cat([places, said], 1)).flatten()
    torch.testing.assert_close(critic(x, told), scores)
    critic.look_layers.register_forward_pre_hook(lambda _, given: seen.append(given[0] - x))
    critic.train().look(x)
    assert abs(seen[0].mean()) < 0.02 and seen[0].std().item() == pytest.approx(0.5, abs=0.02)


def test_the_losses_of_a_round_are_those_of_the_formula(monkeypatch):
    choice = SimpleNamespace(autocast=nullcontext)
    monkeypatch.setattr(text_to_image.device, "choose", lambda: choice)
    one, critic = players()
    step = StackStep(copy.deepcopy(one), copy.deepcopy(critic), reader(), kl=0.5)
    x, text = draw(4, 3, 16, 16).tanh(), some_text()
    told = sentence_vectors(step.reader, text)
    torch.manual_seed(0)
    losses = step((x, text))
    torch.manual_seed(0)
    fake, mu, logvar = draw_stage(one, told)
    d_loss = matching_loss(critic(x, told), critic(fake.detach(), told), critic(x, told.roll(1, 0)))
    g_loss = F.softplus(-step.discriminator(fake, told)).mean()  # it has learned by then
    kl = ((mu.square() + logvar.exp() - 1 - logvar) / 2).sum(1).mean()
    known = {"d_loss": d_loss.detach(), "g_loss": g_loss.detach(), "kl": kl.detach()}
    torch.testing.assert_close(losses, known)
    for net, live, loss in (
        (critic, step.discriminator, d_loss),
        (one, step.generator, g_loss + 0.5 * kl),
    ):
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        found = [w.grad for w in live.parameters()]
        torch.testing.assert_close(found, list(gradients), rtol=1e-3, atol=1e-5)


def test_a_climb_tells_the_mean_cosine_of_the_pictures_and_their_sentences():
    model, text, start = reader(), some_text(3), draw(3, 3, 16, 16).tanh()
    _, cosines = climb(model, text, start, steps=1)
    known = F.cosine_similarity(model.see(start), model.read(text)).mean()
    assert cosines == pytest.approx([known.item()], abs=1e-5)


def test_the_loss_of_a_flow_is_that_of_codes_of_variance_one_at_times_about_the_middle():
    net, z, text = awake(small()), 3 + 2 * draw(50, 4, 4, 4), some_text(50)
    net.measure_codes(z)
    torch.manual_seed(0)
    found = TextFlowStep(net, same).loss(net, z, text)
    torch.manual_seed(0)
    heard = torch.where(torch.rand(50, 1) < DROP, nothing(text), text)
    z = (z - net.code_mean) / net.code_std
    known = flow_loss(lambda zt, t: net(zt, t, heard), z, middle=True)
    torch.testing.assert_close(found, known)


def test_the_places_ask_the_words_after_each_block_and_each_other_in_between():
    net, z, text = awake(small(blocks=3)), draw(2, 4, 4, 5), some_text(2)
    t = torch.tensor([3.0, 700.0])
    words, real = net.reader(text), real_words(text)
    told = F.silu(net.time(timestep_embedding(t, 32)))
    h = net.ask[0](net.blocks[0](net.enter(z), told), words, real)
    for block, ask, among in zip(net.blocks[1:], net.ask[1:], net.among, strict=True):
        h = ask(block(among(h, told), told), words, real)
    torch.testing.assert_close(net(z, t, text), net.leave(h))


def a_round(**options):
    """What the two players and the average have learned in one round."""
    generator, critic = players()
    step = StackStep(generator, critic, reader(), **options)
    torch.manual_seed(0)
    step((draw(4, 3, 16, 16).tanh(), some_text()))
    return learned(step, generator, critic)


def a_step(**options):
    net = awake(small())
    step = TextFlowStep(net, same, **options)
    torch.manual_seed(0)
    step((draw(4, 4, 4, 4), some_text()))
    return learned(step, net)


def learned(step, *nets):
    step.ema.n = 10**6  # as after so many steps
    step.ema.update()
    return torch.cat([w.flatten() for net in (*nets, step.ema.model) for w in net.parameters()])


@pytest.mark.parametrize(
    "run, option, value",
    [
        (a_round, "lr", 5e-4),
        (a_round, "d_lr", 5e-4),
        (a_round, "kl", 0.05),
        (a_round, "ema", 0.995),
        (a_step, "lr", 1.5e-3),
        (a_step, "ema", 0.998),
    ],
)
def test_a_step_is_the_one_with_the_known_numbers_unless_told(run, option, value):
    assert torch.equal(run(), run(**{option: value}))
    assert not torch.equal(run(), run(**{option: value / 2}))
