"""The recipe of lecture 04's faces, in its three parts."""

import pytest
import torch

from course_lib import dcgan, pretrained
from course_lib.recipes.dcgan import QuieterStep, dcgan_peeps64


def players(size=8):
    torch.manual_seed(0)
    return dcgan.Generator(nz=4, ngf=4, size=size), dcgan.Discriminator(ndf=4, size=size, noise=0.3)


def played(step, n):
    for _ in range(n):
        step(torch.rand(4, 3, 8, 8) * 2 - 1)
        step.ema.update()


def test_noise_and_both_rates_fall_with_the_steps():
    step = QuieterStep(*players(), falls=4, lr=2e-4, d_lr=1e-4, ema=0.9)
    rates = []
    for _ in range(3):
        played(step, 1)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in step.optimizers])
    assert rates == [[pytest.approx(left * lr) for lr in (2e-4, 1e-4)] for left in (1, 0.75, 0.5)]
    assert step.discriminator.noise == pytest.approx(0.3 - 0.25 * 2 / 6000)


def test_at_first_only_d_learns():
    step = QuieterStep(*players(), alone=2, ema=0.9)
    before = [w.clone() for net in players() for w in net.parameters()]
    played(step, 2)
    generator, discriminator = (
        list(net.parameters()) for net in (step.generator, step.discriminator)
    )
    assert all(torch.equal(a, b) for a, b in zip(generator, before, strict=False))
    assert not torch.equal(discriminator[0], before[len(generator)])
    played(step, 1)
    assert not torch.equal(generator[0], before[0])


def test_d_sees_its_pictures_moved_and_recoloured():
    step, x = QuieterStep(*players(), p=0.8, ema=0.9), torch.rand(4, 3, 8, 8)
    step.discriminator.eval()
    assert not torch.equal(step._judge(x, ()), step._judge(x, ()))
    step.p = 0.0
    assert torch.equal(step._judge(x, ()), step._judge(x, ()))


def test_the_three_parts_end_in_weights_with_a_card(elsewhere):
    dcgan_peeps64(steps=(1, 1, 1))
    pretrained.load_weights("dcgan_peeps64", dcgan.Generator(nz=128))
    card = (pretrained.FOLDER / "dcgan_peeps64.md").read_text()
    assert "1 of 32 images" in card and "augmentation p = 0.4" in card
