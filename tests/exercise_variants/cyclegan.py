"""Right answers to lecture 06's exercises, each in another style: the checks must accept all."""

import collections
import functools
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import gan, translation
from course_lib.gan_losses import LOSSES

# --- condition_on_class ---------------------------------------------------------------------------


def one_hot_expanded(x, labels, classes):
    told = F.one_hot(labels, classes).float()[:, :, None, None]
    return torch.cat([x, told.expand(-1, -1, *x.shape[2:])], dim=1)


def multiplied_by_ones(x, labels, classes):
    b, _, h, w = x.size()
    eye = torch.eye(classes)[labels].view(b, classes, 1, 1)
    return torch.cat((x, eye * torch.ones(b, classes, h, w)), 1)


def filled_in(x, labels, classes):
    result = torch.zeros(len(x), x.shape[1] + classes, *x.shape[2:], dtype=x.dtype)
    result[:, : x.shape[1]] = x
    for i, label in enumerate(labels.tolist()):
        result[i, x.shape[1] + label] = 1
    return result


def repeated(x, labels, classes):
    planes = (labels.unsqueeze(1) == torch.arange(classes)).to(x)
    planes = planes.repeat_interleave(x.shape[2] * x.shape[3], dim=1)
    return torch.cat([x, planes.reshape(len(x), classes, *x.shape[2:])], dim=1)


# --- patch_output_size and patch_receptive_field --------------------------------------------------


def layer_by_layer(size, layers=3):
    for _ in range(layers):
        size = (size + 2 - 4) // 2 + 1
    for _ in range(2):
        size = (size + 2 - 4) + 1
    return size


def shifted(size, layers=3):
    return (size >> layers) - 2


def asked_of_torch(size, layers=3):
    net = [nn.Conv2d(1, 1, 4, 2 if i < layers else 1, 1) for i in range(layers + 2)]
    with torch.no_grad():
        return nn.Sequential(*net)(torch.zeros(1, 1, size, size)).shape[-1]


def whole_quotient(size, layers=3):
    return int(size / 2**layers) - 2


def backwards(layers=3):
    field = 7
    for _ in range(layers):
        field = 2 * (field - 1) + 4
    return field


def closed_form(layers=3):
    return 9 * 2**layers - 2


def forwards(layers=3):
    field, jump = 1, 1
    for i in range(layers + 2):
        field += 3 * jump
        jump *= 2 if i < layers else 1
    return field


def as_a_sum(layers=3):
    strides = [1] + [2] * layers + [1]
    return int(1 + 3 * np.cumprod(strides).sum())


# --- pix2pix_loss ---------------------------------------------------------------------------------


def with_bce(fake_scores, fake, target, l1=100.0):
    verdict = nn.BCEWithLogitsLoss()(fake_scores, torch.ones_like(fake_scores))
    return verdict + l1 * nn.L1Loss()(fake, target)


def with_log_sigmoid(fake_scores, fake, target, l1=100.0):
    return -F.logsigmoid(fake_scores).mean() + l1 * torch.mean(abs(target - fake))


def picture_by_picture(fake_scores, fake, target, l1=100.0):
    losses = [
        F.softplus(-s).mean() + l1 * F.l1_loss(a, b)
        for s, a, b in zip(fake_scores, fake, target, strict=True)
    ]
    return sum(losses) / len(losses)


def from_the_table(fake_scores, fake, target, l1=100.0):
    l1_part = (fake - target).flatten(1).abs().sum(1).mean() / fake[0].numel()
    return LOSSES["non_saturating"].g_loss(fake_scores) + l1_part * l1


# --- cycle_loss and identity_loss -----------------------------------------------------------------


def l1_of_round_trips(x, y, generator_xy, generator_yx):
    loss = F.l1_loss(generator_yx(generator_xy(x)), x)
    return loss + F.l1_loss(generator_xy(generator_yx(y)), y)


def named_steps(x, y, G, F):  # noqa: N803
    fake_y = G(x)
    fake_x = F(y)
    reconstructed_y = G(fake_x)
    reconstructed_x = F(fake_y)
    return torch.mean(torch.abs(x - reconstructed_x)) + torch.mean(torch.abs(y - reconstructed_y))


def by_the_library(x, y, generator_xy, generator_yx):
    trips = ((x, generator_xy, generator_yx), (y, generator_yx, generator_xy))
    return sum(translation.cycle_loss(start, back(there(start))) for start, there, back in trips)


def identity_by_l1(x, y, generator_xy, generator_yx):
    return nn.L1Loss()(generator_xy(y), y) + nn.L1Loss()(generator_yx(x), x)


def identity_other_way_round(x, y, generator_xy, generator_yx):
    same_x = generator_yx(x)
    same_y = generator_xy(y)
    return (x - same_x).abs().mean() + (y - same_y).abs().mean()


def identity_by_the_library(x, y, generator_xy, generator_yx):
    first = translation.identity_loss(y, generator_xy(y))
    return first + translation.identity_loss(x, generator_yx(x))


# --- image_buffer ---------------------------------------------------------------------------------


class AsTheAuthors:
    def __init__(self, pool_size=50):
        self.pool_size = pool_size
        self.num_imgs = 0
        self.images = []

    def __call__(self, images):
        return_images = []
        for image in images:
            image = torch.unsqueeze(image.data, 0)
            if self.num_imgs < self.pool_size:
                self.num_imgs = self.num_imgs + 1
                self.images.append(image)
                return_images.append(image)
            elif random.uniform(0, 1) > 0.5:
                random_id = random.randint(0, self.pool_size - 1)
                tmp = self.images[random_id].clone()
                self.images[random_id] = image
                return_images.append(tmp)
            else:
                return_images.append(image)
        return torch.cat(return_images, 0)


class WithATensor:
    def __init__(self, capacity=50):
        self.capacity, self.kept = capacity, None

    def __call__(self, images):
        images = images.detach().clone()
        for i in range(len(images)):
            image = images[i : i + 1].clone()
            if self.kept is None:
                self.kept = image
            elif len(self.kept) < self.capacity:
                self.kept = torch.cat([self.kept, image])
            elif np.random.rand() < 0.5:
                slot = np.random.randint(self.capacity)
                images[i] = self.kept[slot]
                self.kept[slot] = image[0]
        return images


class ShuffledDeque:
    def __init__(self, capacity=50):
        self.kept, self.capacity = collections.deque(), capacity

    @torch.no_grad()
    def __call__(self, images):
        given = []
        for image in images.detach():
            if len(self.kept) == self.capacity and random.getrandbits(1):
                random.shuffle(self.kept)
                given.append(self.kept.popleft())
                self.kept.append(image.clone())
            else:
                given.append(image)
                if len(self.kept) < self.capacity:
                    self.kept.append(image.clone())
        return torch.stack(given)


# --- generator_update -----------------------------------------------------------------------------


def as_the_authors(G, F_, D_x, D_y, optimizer, x, y, cycle=10.0, identity=0.5):  # noqa: N803
    mse, l1 = nn.MSELoss(), nn.L1Loss()
    for d in (D_x, D_y):
        for p in d.parameters():
            p.requires_grad = False
    optimizer.zero_grad()
    fake_y, fake_x = G(x), F_(y)
    same = l1(G(y), y) * cycle * identity + l1(F_(x), x) * cycle * identity
    verdict_y, verdict_x = D_y(fake_y), D_x(fake_x)
    gan_loss = mse(verdict_y, torch.ones_like(verdict_y))
    gan_loss += mse(verdict_x, torch.ones_like(verdict_x))
    way = l1(F_(fake_y), x) * cycle + l1(G(fake_x), y) * cycle
    loss = gan_loss + way + same
    loss.backward()
    optimizer.step()
    for d in (D_x, D_y):
        for p in d.parameters():
            p.requires_grad = True
    return loss.data


def with_still(g, f, d_x, d_y, g_optimizer, x, y, cycle=10.0, identity=0.5):
    with gan.frozen(d_x), gan.frozen(d_y):
        fake_y, fake_x = g(x), f(y)
        play = sum(LOSSES["least_squares"].g_loss(d(z)) for d, z in ((d_y, fake_y), (d_x, fake_x)))
        ways = translation.cycle_loss(x, f(fake_y)) + translation.cycle_loss(y, g(fake_x))
        total = play + cycle * (ways + identity * (F.l1_loss(g(y), y) + F.l1_loss(f(x), x)))
        g_optimizer.zero_grad()
        total.backward()
    g_optimizer.step()
    return total.item()


def one_loss_after_the_other(g, f, d_x, d_y, g_optimizer, x, y, cycle=10.0, identity=0.5):
    g_optimizer.zero_grad()
    told = 0.0
    for start, there, back, judge in ((x, g, f, d_y), (y, f, g, d_x)):
        fake = there(start)
        part = (1 - judge(fake)).pow(2).mean() + cycle * F.l1_loss(back(fake), start)
        part = part + cycle * identity * F.l1_loss(back(start), start)
        part.backward()
        told += part.detach()
    g_optimizer.step()
    return told


# --- linear_decay ---------------------------------------------------------------------------------


def with_ifs(epoch, constant, decay):
    if epoch <= constant:
        return 1.0
    if epoch >= constant + decay:
        return 0.0
    return (constant + decay - epoch) / decay


def interpolated(epoch, constant, decay):
    return float(np.interp(epoch, [constant, constant + decay], [1.0, 0.0]))


def clamped(epoch, constant, decay):
    return max(0, min(1, 1 - (epoch - constant) / decay))


def smallest_of(epoch, constant, decay):
    left = functools.reduce(max, (constant + decay - epoch, 0))
    return min(left, decay) / decay


# --- bug_pairs ------------------------------------------------------------------------------------


def judged_pairs(discriminator, x, target, fake):
    real = discriminator(torch.cat((x, target), 1))
    fake = discriminator(torch.cat((x, fake), 1).detach())
    return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


def with_hstack(discriminator, x, target, fake):
    criterion = nn.BCEWithLogitsLoss()
    real_scores = discriminator(torch.hstack([x, target]))
    fake_scores = discriminator(torch.hstack([x, fake.detach()]))
    loss = criterion(real_scores, torch.full_like(real_scores, 1.0))
    return (loss + criterion(fake_scores, torch.full_like(fake_scores, 0.0))) * 0.5


def in_one_batch(discriminator, x, target, fake):
    pairs = torch.cat([torch.cat([x, target], 1), torch.cat([x, fake.detach()], 1)])
    real, made = discriminator(pairs).chunk(2)
    return LOSSES["non_saturating"].d_loss(real, made) / 2


def one_direction_after_the_other(
    g, f, judge_x, judge_y, g_optimizer, x, y, cycle=10.0, identity=0.5
):
    """Two backward passes, and judges that stand still meanwhile."""
    for judge in (judge_x, judge_y):
        judge.requires_grad_(False)
    g_optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for there, back, judge, start, end in ((g, f, judge_y, x, y), (f, g, judge_x, y, x)):
        fake = there(start)
        verdicts = judge(fake)
        part = F.mse_loss(verdicts, torch.ones_like(verdicts))
        part = part + cycle * F.l1_loss(back(fake), start)
        part = part + cycle * identity * F.l1_loss(there(end), end)
        part.backward()
        total += part.item()
    g_optimizer.step()
    for judge in (judge_x, judge_y):
        judge.requires_grad_(True)
    return torch.tensor(total)


VARIANTS = {
    "cyclegan.condition_on_class": [one_hot_expanded, multiplied_by_ones, filled_in, repeated],
    "cyclegan.patch_output_size": [layer_by_layer, shifted, asked_of_torch, whole_quotient],
    "cyclegan.patch_receptive_field": [backwards, closed_form, forwards, as_a_sum],
    "cyclegan.pix2pix_loss": [with_bce, with_log_sigmoid, picture_by_picture, from_the_table],
    "cyclegan.cycle_loss": [l1_of_round_trips, named_steps, by_the_library],
    "cyclegan.identity_loss": [
        identity_by_l1,
        identity_other_way_round,
        identity_by_the_library,
    ],
    "cyclegan.image_buffer": [AsTheAuthors, WithATensor, ShuffledDeque],
    "cyclegan.generator_update": [
        as_the_authors,
        with_still,
        one_loss_after_the_other,
        one_direction_after_the_other,
    ],
    "cyclegan.linear_decay": [with_ifs, interpolated, clamped, smallest_of],
    "cyclegan.bug_pairs": [judged_pairs, with_hstack, in_one_batch],
}
