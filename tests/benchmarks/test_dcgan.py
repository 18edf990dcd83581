"""DCGAN as the course trains it, beside the loop of the slides and of PyTorch's tutorial."""

import os
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_lib import data, dcgan, device, gan, metrics

pytestmark = pytest.mark.benchmark
MINUTES = float(os.environ.get("BENCHMARK_MINUTES", 5))  # of training, for each of the two
SLICE = 10.0  # seconds: they take turns, so that both meet the same machine
home = device.choose().device


# The other: networks and loop as they are printed


def printed_generator(nz: int, ngf: int, nc: int, size: int) -> nn.Sequential:
    widths = [ngf * size // 8 // 2**i for i in range(size.bit_length() - 3)]  # 8, 4, 2, 1 for 64
    layers, stride, padding = [], 1, 0
    for inputs, outputs in zip([nz, *widths], widths, strict=False):
        layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(True)]
        stride, padding = 2, 1
    return nn.Sequential(*layers, nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh())


def printed_discriminator(nc: int, ndf: int, size: int) -> nn.Sequential:
    widths = [ndf * 2**i for i in range(size.bit_length() - 3)]
    layers = []
    for inputs, outputs in zip([nc, *widths], widths, strict=False):
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False), nn.Sigmoid())


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Folder(Dataset):
    """PIL pictures through the usual transforms; they need not be read from a disk."""

    def __init__(self, images: Tensor):
        size, nc = images.shape[-1], images.shape[1]
        self.pictures = [transforms.functional.to_pil_image(image) for image in images]
        steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor()]
        self.transform = transforms.Compose(
            [*steps, transforms.Normalize((0.5,) * nc, (0.5,) * nc)]
        )

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.transform(self.pictures[i]), 0


def printed_loop(netG, netD, images: Tensor, nz: int, batch: int = 128) -> Iterator[None]:
    """The training of the slides, line by line; stops for a moment after each batch."""
    netG.to(home).apply(weights_init)
    netD.to(home).apply(weights_init)
    dataloader = DataLoader(Folder(images), batch_size=batch, shuffle=True)
    criterion = nn.BCELoss()
    real_label, fake_label = 1.0, 0.0
    optimizerD = torch.optim.Adam(netD.parameters(), lr=0.0002, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=0.0002, betas=(0.5, 0.999))
    while True:
        for data_, _ in dataloader:
            # (1) Update D network: maximize log(D(x)) + log(1 - D(G(z)))
            netD.zero_grad()
            real_cpu = data_.to(home)
            b_size = real_cpu.size(0)
            label = torch.full((b_size,), real_label, dtype=torch.float, device=home)
            output = netD(real_cpu).view(-1)
            errD_real = criterion(output, label)
            errD_real.backward()
            output.mean().item()  # D_x
            noise = torch.randn(b_size, nz, 1, 1, device=home)
            fake = netG(noise)
            label.fill_(fake_label)
            output = netD(fake.detach()).view(-1)
            errD_fake = criterion(output, label)
            errD_fake.backward()
            output.mean().item()  # D_G_z1
            errD = errD_real + errD_fake
            optimizerD.step()
            # (2) Update G network: maximize log(D(G(z)))
            netG.zero_grad()
            label.fill_(real_label)
            output = netD(fake).view(-1)
            errG = criterion(output, label)
            errG.backward()
            output.mean().item()  # D_G_z2
            optimizerG.step()
            errD.item(), errG.item()  # the tutorial keeps both
            yield


def our_loop(step: gan.AdversarialStep, images: data.ImageSet, batch: int) -> Iterator[None]:
    batches = images.batches(batch, home)
    while True:
        losses = step(next(batches))
        step.ema.update()
        losses["g_loss"].item()  # `train` waits for the device far less often
        yield


# Speed


def seconds(loop: Iterator[None], at_least: float = 1.0) -> float:
    """Of one round of the loop."""
    rounds, start = 0, perf_counter()
    while rounds == 0 or perf_counter() < start + at_least:
        next(loop)
        rounds += 1
    return (perf_counter() - start) / rounds


def test_the_networks_of_the_slides_train_faster_than_by_their_loop(beside, batch=128, repeats=5):
    faces = data.load("peeps")
    printed = printed_generator(128, 64, 3, 64), printed_discriminator(3, 64, 64)
    generator = dcgan.Generator(nz=128).to(home)
    discriminator = dcgan.Discriminator(first_batchnorm=True).to(home)
    for theirs, ours, count in zip(
        printed, (generator, discriminator), (3_806_080, 2_765_696), strict=True
    ):  # the totals of the printed tables
        assert [sum(p.numel() for p in net.parameters()) for net in (theirs, ours)] == [count] * 2
    step = gan.AdversarialStep(generator, discriminator, ema=0.999)
    loops = our_loop(step, faces, batch), printed_loop(*printed, faces.images, 128, batch)
    for loop in loops:
        next(loop)
    times = [[seconds(loop) for loop in loops] for _ in range(repeats)]
    ours, other = (batch / median(column) for column in zip(*times, strict=True))
    ratio = beside("DCGAN 64 × 64, training", "the slides' loop", ours, other, "images/s")
    assert ratio >= 1  # twice and more where bfloat16 is on


# Quality in the same minutes


def take_turns(minutes: float, *loops: Iterator[None]) -> list[int]:
    """Each loop runs so many minutes; how many rounds that were."""
    used, rounds = [0.0] * len(loops), [0] * len(loops)
    while min(used) < 60 * minutes:
        for i, loop in enumerate(loops):
            start = perf_counter()
            end = start + min(SLICE, 60 * minutes - used[i])
            while perf_counter() < end:
                next(loop)
                rounds[i] += 1
            used[i] += perf_counter() - start
    return rounds


@torch.no_grad()
def samples(netG: nn.Module, nz: int, training: bool, n: int = 5000) -> Tensor:
    netG.train(training)
    return torch.cat([netG(z).cpu() for z in torch.randn(n, nz, 1, 1, device=home).split(100)])


def distance_to_held_out() -> Callable[[Tensor], float]:
    net = metrics.FeatureNet("fashion")
    held_out = data.load("fashion", "test", size=32).floats()[:5000]
    real = metrics.fit_gaussian(net.features(held_out))
    return lambda x: metrics.frechet_distance(*metrics.fit_gaussian(net.features(x)), *real)


def test_in_the_same_minutes_our_clothes_are_three_times_as_near(beside, nz=100):
    fashion = data.load("fashion", size=32)
    torch.manual_seed(0)
    printed = printed_generator(nz, 64, 1, 32)
    theirs = printed_loop(printed, printed_discriminator(1, 64, 32), fashion.images, nz)
    generator = dcgan.Generator(nc=1, ngf=32, size=32).to(home)
    discriminator = dcgan.Discriminator(nc=1, ndf=32, size=32).to(home)
    step = gan.AdversarialStep(generator, discriminator, ema=0.995)
    our_rounds, their_rounds = take_turns(MINUTES, our_loop(step, fashion, 64), theirs)

    distance = distance_to_held_out()
    ours = distance(gan.sample(step.ema.model, 5000).cpu())
    # the tutorial draws in training mode; whichever mode is better counts
    other = min(distance(samples(printed, nz, training)) for training in (False, True))
    print(f"\n{our_rounds} steps of ours, {their_rounds} of the printed loop")
    what = f"DCGAN on clothes, after {MINUTES:g} minutes"
    assert beside(what, "the slides' loop", ours, other, "Fréchet") >= 3
