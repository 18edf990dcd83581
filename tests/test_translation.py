import copy
import itertools
import random
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, gan
from course_lib.data.imageset import ImageSet
from course_lib.training import EMA, parts, train
from course_lib.translation import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    CycleGANStep,
    FoldedConv,
    ImageBuffer,
    InstanceNorm,
    PatchDiscriminator,
    Pix2PixStep,
    ReflectionPad,
    ResnetGenerator,
    UNetGenerator,
    Unpaired,
    condition_on_class,
    cycle_loss,
    identity_loss,
    linear_decay,
    patch_output_size,
    patch_receptive_field,
    pix2pix_loss,
    translate,
    unpaired,
)
from tests.helpers import assert_step_runs_on_meta

# The paper's networks, layer by layer as printed


def printed_norm(width: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(width), nn.ReLU()]


class PrintedBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            *printed_norm(width),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x):
        return x + self.conv_block(x)


def printed_resnet(inputs, outputs, f=64, blocks=9) -> nn.Module:
    """c7s1-64, d128, d256, R256 × blocks, u128, u64, c7s1-3 (Zhu et al. 2017, appendix)."""
    return nn.Sequential(
        *[nn.ReflectionPad2d(3), nn.Conv2d(inputs, f, 7), *printed_norm(f)],
        *[nn.Conv2d(f, 2 * f, 3, stride=2, padding=1), *printed_norm(2 * f)],
        *[nn.Conv2d(2 * f, 4 * f, 3, stride=2, padding=1), *printed_norm(4 * f)],
        *[PrintedBlock(4 * f) for _ in range(blocks)],
        *[nn.ConvTranspose2d(4 * f, 2 * f, 3, 2, 1, 1), *printed_norm(2 * f)],
        *[nn.ConvTranspose2d(2 * f, f, 3, 2, 1, 1), *printed_norm(f)],
        *[nn.ReflectionPad2d(3), nn.Conv2d(f, outputs, 7), nn.Tanh()],
    )


def printed_patch(inputs, f=64, layers=3) -> nn.Module:
    """C64-C128-C256-C512 for 70 pixels, without a norm in the first (the same appendix)."""
    net = [nn.Conv2d(inputs, f, 4, 2, 1), nn.LeakyReLU(0.2)]
    widths = [f * min(2**i, 8) for i in range(layers + 1)]
    for i in range(layers):
        stride = 1 if i == layers - 1 else 2
        net.append(nn.Conv2d(widths[i], widths[i + 1], 4, stride, 1))
        net += [nn.InstanceNorm2d(widths[i + 1]), nn.LeakyReLU(0.2)]
    return nn.Sequential(*net, nn.Conv2d(widths[-1], 1, 4, 1, 1))


def take_weights(net: nn.Module, source: nn.Module) -> nn.Module:
    """`net` with the weights of `source`, whose layers come in the same order."""
    names = list(net.state_dict())
    values = list(source.state_dict().values())
    net.load_state_dict(dict(zip(names, values, strict=True)))
    return net


# The paper's step, in its own order


class Pool:
    """The last 50 fakes, as in the paper's own code."""

    def __init__(self, size: int = 50):
        self.size, self.images = size, []

    def query(self, images: Tensor) -> Tensor:
        given = []
        for image in images:
            image = image[None]
            if len(self.images) < self.size:
                self.images.append(image)
            elif random.random() > 0.5:
                i = random.randrange(self.size)
                old, self.images[i] = self.images[i].clone(), image
                image = old
            given.append(image)
        return torch.cat(given)


class PrintedStep:
    """The paper's step in its own order: G twice for each of four roles, then D_Y, then D_X."""

    def __init__(self, g: nn.Module, f: nn.Module, d_x: nn.Module, d_y: nn.Module):
        self.g, self.f, self.d_x, self.d_y = g, f, d_x, d_y
        both = itertools.chain
        self.g_optimizer = torch.optim.Adam(
            both(g.parameters(), f.parameters()), 2e-4, (0.5, 0.999)
        )
        self.d_optimizer = torch.optim.Adam(
            both(d_x.parameters(), d_y.parameters()), 2e-4, (0.5, 0.999)
        )
        self.pool_x, self.pool_y = Pool(), Pool()
        self.l1, self.mse = nn.L1Loss(), nn.MSELoss()

    def __call__(self, batch: tuple[Tensor, Tensor]) -> None:
        x, y = batch
        fake_y = self.g(x)
        back_x = self.f(fake_y)
        fake_x = self.f(y)
        back_y = self.g(fake_x)
        self.learn(False)
        self.g_optimizer.zero_grad()
        same_y, same_x = self.g(y), self.f(x)
        loss = 5 * self.l1(same_y, y) + 5 * self.l1(same_x, x)
        loss = loss + self.gan(self.d_y(fake_y), 1.0) + self.gan(self.d_x(fake_x), 1.0)
        loss = loss + 10 * self.l1(back_x, x) + 10 * self.l1(back_y, y)
        loss.backward()
        self.g_optimizer.step()
        self.learn(True)
        self.d_optimizer.zero_grad()
        for d, real, fake in (
            (self.d_y, y, self.pool_y.query(fake_y.detach())),
            (self.d_x, x, self.pool_x.query(fake_x.detach())),
        ):
            loss = (self.gan(d(real), 1.0) + self.gan(d(fake), 0.0)) * 0.5
            loss.backward()
        self.d_optimizer.step()

    def gan(self, scores: Tensor, target: float) -> Tensor:
        return self.mse(scores, torch.full_like(scores, target))

    def learn(self, on: bool) -> None:
        for parameter in itertools.chain(self.d_x.parameters(), self.d_y.parameters()):
            parameter.requires_grad_(on)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).tanh()


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def state(net: nn.Module) -> dict:
    return copy.deepcopy(net.state_dict())


def changed(before: dict, net: nn.Module) -> set[str]:
    return {key for key, value in net.state_dict().items() if not torch.equal(before[key], value)}


def four(filters: int = 4, seed: int = 0) -> list[nn.Module]:
    torch.manual_seed(seed)
    generators = [ResnetGenerator(3, 3, filters, blocks=1) for _ in range(2)]
    return generators + [PatchDiscriminator(3, filters, layers=1) for _ in range(2)]


def two(filters: int = 4, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    generator = UNetGenerator(3, 1, filters, downs=3)
    return generator, PatchDiscriminator(4, filters, layers=1, norm="batch")


def pair(n: int = 4, size: int = 16) -> tuple[Tensor, Tensor]:
    return draw(n, 3, size, size, seed=1), draw(n, 3, size, size, seed=2)


def partners(n: int = 4, size: int = 16) -> tuple[Tensor, Tensor]:
    return draw(n, 3, size, size, seed=1), draw(n, 1, size, size, seed=2)


# The networks


# parameters: counted in junyanz/pytorch-CycleGAN-and-pix2pix, InstanceNorm without weights
@pytest.mark.parametrize(
    "net, parameters",
    [
        (lambda: ResnetGenerator(3, 3), 11_378_179),
        (lambda: ResnetGenerator(3, 3, blocks=6), 7_837_699),
        (lambda: PatchDiscriminator(3), 2_764_737),
        (lambda: PatchDiscriminator(6, norm="batch"), 2_768_705),
        (lambda: UNetGenerator(3, 3), 54_413_955),
    ],
)
def test_the_papers_networks_to_the_last_parameter(net, parameters):
    with torch.device("meta"):
        assert count(net()) == parameters


@pytest.mark.parametrize("layers, field", [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_the_receptive_fields_of_the_paper_by_arithmetic_and_by_gradient(layers, field):
    assert patch_receptive_field(layers) == field
    net = PatchDiscriminator(1, filters=1, layers=layers)
    for i, layer in enumerate(net.layers):
        if isinstance(layer, InstanceNorm):  # which looks at the whole map
            net.layers[i] = nn.Identity()
    for p in net.parameters():
        nn.init.constant_(p, 0.5)  # so that nothing cancels
    x = torch.ones(1, 1, 600, 40 * 2**layers).requires_grad_()
    scores = net(x)
    middle = scores.shape[2] // 2, scores.shape[3] // 2
    scores[0, 0, middle[0], middle[1]].backward()
    seen = x.grad[0, 0] > 0
    assert seen.any(1).sum() == min(field, 600) and seen.any(0).sum() == field


# 30 × 30 from 256 × 256: Isola et al. 2017
@pytest.mark.parametrize(
    "size, layers, made",
    [(256, 3, 30), (32, 3, 2), (32, 2, 6), (32, 1, 14), (24, 3, 1), (48, 4, 1), (286, 5, 6),
     ((256, 128), 3, (30, 14))],
)  # fmt: skip
def test_the_number_of_patches_is_that_of_the_network(size, layers, made):
    assert patch_output_size(size, layers) == made
    with torch.device("meta"):
        h, w = size if isinstance(size, tuple) else (size, size)
        scores = PatchDiscriminator(3, 1, layers)(torch.empty(2, 3, h, w))
    assert tuple(scores.shape) == (2, 1, *(made if isinstance(made, tuple) else (made, made)))


@pytest.mark.parametrize("inputs, outputs, filters, blocks", [(3, 3, 8, 2), (1, 3, 4, 0)])
def test_the_fast_generator_is_the_printed_one(inputs, outputs, filters, blocks):
    torch.manual_seed(0)
    net = ResnetGenerator(inputs, outputs, filters, blocks).double()
    printed = take_weights(printed_resnet(inputs, outputs, filters, blocks).double(), net)
    x = draw(3, inputs, 16, 24).double()
    results = [layers(x) for layers in (net.layers, printed[:-1])]
    torch.testing.assert_close(*results)
    weights = draw(*results[0].shape, seed=3)
    gradients = [
        torch.autograd.grad((y.tanh() * weights).sum(), list(n.parameters()))
        for y, n in zip(results, (net, printed), strict=True)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(net(x).double(), printed(x), rtol=1e-6, atol=1e-6)


def test_a_residual_generator_adds_what_its_layers_compute_and_stays_in_range():
    torch.manual_seed(0)
    net, x = ResnetGenerator(3, 3, 4, 1, residual=True), draw(2, 3, 16, 16).clamp(-1, 1)
    change = 20 * net.layers(x)
    net.layers[-1].weight.data *= 20
    net.layers[-1].bias.data *= 20
    assert torch.allclose(net(x), (x + change).clamp(-1, 1), atol=1e-4) and net(x).abs().max() == 1
    for weights in net.layers[-1].parameters():
        weights.data.zero_()
    assert torch.equal(net(x), x)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_patch_discriminator_is_the_printed_one(layers):
    torch.manual_seed(0)
    net = PatchDiscriminator(3, 4, layers)
    printed = take_weights(printed_patch(3, 4, layers), net)
    x = draw(2, 3, 40, 48)
    torch.testing.assert_close(net(x), printed(x), rtol=1e-4, atol=1e-6)


class PrintedUNet(nn.Module):
    """A block around a block, as the authors nest them: inputs, width within, what is inside."""

    def __init__(self, inputs, width, inside=None, outputs=None):
        super().__init__()
        outer = outputs is not None
        down = [] if outer else [nn.LeakyReLU(0.2)]
        down.append(nn.Conv2d(inputs, width, 4, 2, 1, bias=False))
        up = nn.ConvTranspose2d(
            width if inside is None else 2 * width, outputs or inputs, 4, 2, 1, bias=outer
        )
        if outer:
            self.model = nn.Sequential(*down, inside, nn.ReLU(), up, nn.Tanh())
        elif inside is None:
            self.model = nn.Sequential(*down, nn.ReLU(), up, nn.BatchNorm2d(inputs))
        else:
            norms = nn.BatchNorm2d(width), nn.BatchNorm2d(inputs)
            self.model = nn.Sequential(*down, norms[0], inside, nn.ReLU(), up, norms[1])
        self.outer = outer

    def forward(self, x):
        return self.model(x) if self.outer else torch.cat([x, self.model(x)], 1)


def printed_unet(f: int) -> nn.Module:
    """For 64 × 64: six convolutions down, six up."""
    inside = PrintedUNet(8 * f, 8 * f)
    for inputs, width in ((8 * f, 8 * f), (4 * f, 8 * f), (2 * f, 4 * f), (f, 2 * f)):
        inside = PrintedUNet(inputs, width, inside)
    return PrintedUNet(3, f, inside, outputs=2)


def test_the_u_net_is_the_nested_one():
    torch.manual_seed(0)
    net, printed = UNetGenerator(3, 2, 2, downs=6, dropout=0), printed_unet(2)
    order = []  # the parameters of the nested one, from the outside inwards and back

    def walk(module):
        for child in module.children():
            walk(child)
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)):
            order.append(module)

    walk(printed)
    ours = [
        m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d))
    ]
    assert [type(m) for m in ours] == [type(m) for m in order]
    for mine, theirs in zip(ours, order, strict=True):
        theirs.load_state_dict(mine.state_dict())
    x = draw(2, 3, 64, 64)
    torch.testing.assert_close(net(x), printed(x), rtol=1e-4, atol=1e-5)


def test_the_u_net_drops_out_where_the_authors_do():
    # their code: num_downs - 5 blocks of the widest maps, the innermost left out
    for downs, drops in ((8, 3), (7, 2), (6, 1), (5, 0), (2, 0)):
        with torch.device("meta"):
            net = UNetGenerator(3, 3, 1, downs)
        assert sum(isinstance(m, nn.Dropout) for m in net.modules()) == drops


def test_pictures_come_out_in_the_range_of_pictures_also_in_bfloat16():
    for net in (ResnetGenerator(3, 1, 4, 1), UNetGenerator(3, 1, 4, 3, "instance")):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = net(3 * draw(2, 3, 16, 32))
        assert y.shape == (2, 1, 16, 32) and y.dtype == torch.float32
        assert y.abs().max() <= 1 and y.isfinite().all()


def test_first_weights_are_those_of_the_paper():
    torch.manual_seed(0)
    for net in (ResnetGenerator(3, 3, 32, 2), PatchDiscriminator(3, 32), UNetGenerator(3, 3, 16)):
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                n = layer.weight.numel()
                assert abs(layer.weight.std() - 0.02) < 0.02 * 4 / n**0.5
                assert layer.bias is None or not layer.bias.any()


# Three layers in another way


def agree(ours, theirs, x: Tensor, rtol: float = 1e-10, atol: float = 1e-10) -> None:
    """Both layers give the same, forwards and backwards."""
    given, results, gradients = (x.clone().requires_grad_() for _ in "ab"), [], []
    for layer, leaf in zip((ours, theirs), given, strict=True):
        y = layer(leaf)
        weights = torch.arange(y.numel(), dtype=y.dtype).cos().view(y.shape)
        results.append(y)
        gradients.append(torch.autograd.grad((y * weights).sum(), [leaf, *layer.parameters()]))
    torch.testing.assert_close(*results, rtol=rtol, atol=atol)
    torch.testing.assert_close(*gradients, rtol=rtol, atol=atol)


@pytest.mark.parametrize("shape", [(2, 5, 4, 6), (1, 1, 2, 2), (3, 16, 7, 5)])
def test_instance_norm_is_torchs(shape):
    x = 3 + 2 * draw(*shape).double()
    agree(InstanceNorm(shape[1]), nn.InstanceNorm2d(shape[1]), x)
    flat = torch.full((2, shape[1], 4, 4), 7.0)
    assert not InstanceNorm(shape[1])(flat).any()


def test_instance_norm_in_bfloat16_rounds_but_does_not_drift():
    x = 5 + draw(4, 8, 16, 16)
    rounded = InstanceNorm(8)(x.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(
        rounded.float(), nn.InstanceNorm2d(8)(x.bfloat16().float()), atol=0.02, rtol=0.01
    )


@pytest.mark.parametrize("padding", [1, 3])
def test_reflected_edges_are_torchs_and_keep_the_precision(padding):
    x = draw(2, 3, 5, 8).double()
    agree(ReflectionPad(padding), nn.ReflectionPad2d(padding), x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ReflectionPad(padding)(x.bfloat16()).dtype == torch.bfloat16
        assert torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("kernel, bias", [(7, True), (3, False), (1, True), (5, True), (2, True)])
@pytest.mark.parametrize("size", [(10, 12), (11, 12), (13, 13)])
def test_a_folded_convolution_is_the_convolution(kernel, bias, size):
    torch.manual_seed(0)
    ours = FoldedConv(4, 3, kernel, bias=bias).double()
    theirs = take_weights(nn.Conv2d(4, 3, kernel, bias=bias).double(), ours)
    agree(ours, theirs, draw(2, 4, *size).double())


# Losses


def test_the_cycle_loss_is_the_mean_distance():
    # golden numbers: tensorflow/gan, losses test of the cycle consistency loss
    x, back_x = torch.tensor([[1.0, 2, 3], [4, 5, 6]]), torch.tensor([[7.0, 8, 9], [10, 11, 12]])
    y, back_y = torch.tensor([1.0, 9]), torch.tensor([-2.0, 3])
    assert cycle_loss(x, back_x) == 6 and cycle_loss(y, back_y) == 4.5
    assert identity_loss(x, back_x) == 6 and identity_loss(y, y) == 0


def test_pix2pix_is_the_log_loss_and_a_hundred_times_the_distance():
    scores, fake = draw(2, 1, 3, 3), draw(2, 3, 8, 8, seed=1)
    expected = F.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))
    target = fake + torch.where(draw(2, 3, 8, 8, seed=2) > 0, 0.25, -0.25)
    assert pix2pix_loss(scores, fake, target) == pytest.approx(expected.item() + 25)
    assert pix2pix_loss(scores, fake, target, l1=0) == pytest.approx(expected.item())


@pytest.mark.parametrize("loss", [cycle_loss, identity_loss, lambda a, b: pix2pix_loss(a, a, b)])
def test_two_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(ValueError, match="must have the shape of"):
        loss(draw(2, 3, 4, 4), draw(2, 1, 4, 4))
    with pytest.raises(ValueError, match="must be a tensor that is not empty"):
        loss(draw(0, 3, 4, 4), draw(0, 3, 4, 4))
    for kind in (torch.uint8, torch.complex64):
        with pytest.raises(TypeError, match="must be a tensor of decimal numbers"):
            loss(draw(2, 3, 4, 4), draw(2, 3, 4, 4).to(kind))


def test_the_learning_rate_stays_and_then_falls_in_a_line_to_nought():
    values = [linear_decay(epoch, 100, 100) for epoch in (0, 99, 100, 101, 150, 199, 200, 500)]
    assert values == pytest.approx([1, 1, 1, 0.99, 0.5, 0.01, 0, 0])
    assert linear_decay(2.5, 0, 10) == 0.75
    for wrong in ((-1, 1, 1), (0, -1, 1), (0, 1, 0)):
        with pytest.raises(ValueError, match="epoch and constant must be at least 0"):
            linear_decay(*wrong)
    with pytest.raises(ValueError, match="epoch must be a finite number; got nan"):
        linear_decay(float("nan"), 1, 1)


# The buffer


def numbered(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)


def test_a_buffer_gives_back_what_comes_until_it_is_full():
    buffer = ImageBuffer(10, torch.Generator().manual_seed(0))
    for i in range(0, 10, 2):
        assert torch.equal(buffer(numbered(i, i + 1)), numbered(i, i + 1))
    assert len(buffer) == 10 and [int(image) for image in buffer.images] == list(range(10))


def test_a_full_buffer_swaps_every_other_picture_and_loses_none():
    buffer = ImageBuffer(50, torch.Generator().manual_seed(0))
    buffer(numbered(*range(50)))
    given = torch.cat([buffer(numbered(i)) for i in range(50, 10_050)]).flatten().long()
    came = torch.arange(50, 10_050)
    straight = (given == came).double().mean()
    assert abs(straight - 0.5) < 0.02  # 4 standard deviations: 4 √(¼ / 10,000)
    kept = {int(image) for image in buffer.images}
    assert len(buffer) == 50 and set(given.tolist()) | kept == set(range(10_050))
    assert len(set(given.tolist())) == 10_000  # and gives none twice
    waited = (came - given)[given != came].double()
    # each round an old one leaves with probability ½ · 1/50: it waits for 100 rounds on average
    assert abs(waited.mean() - 100) < 8


def test_pictures_of_one_batch_meet_in_the_buffer():
    buffer = ImageBuffer(1, torch.Generator().manual_seed(0))
    given = buffer(numbered(*range(200))).flatten().long().tolist()
    assert given[0] == 0  # comes straight back, and is kept
    assert sorted([*given[1:], int(buffer.images[0])]) == list(range(200))


def test_what_comes_out_of_the_buffer_has_no_past():
    for capacity in (0, 2):
        images = draw(4, 1, 2, 2).requires_grad_() * 1
        given = ImageBuffer(capacity)(images)
        assert not given.requires_grad and given.shape == images.shape
    buffer, images = ImageBuffer(1), draw(1, 1, 2, 2)
    buffer(images)
    images.zero_()
    assert buffer.images[0].any()  # a copy


def test_a_buffer_goes_on_where_it_was():
    one = ImageBuffer(5, torch.Generator().manual_seed(0))
    one(numbered(*range(9)))
    other = ImageBuffer(5, torch.Generator().manual_seed(1))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    later = numbered(*range(20, 40))
    assert torch.equal(one(later), other(later))
    empty = ImageBuffer(5)
    empty.load_state_dict(ImageBuffer(5).state_dict())
    assert len(empty) == 0
    with pytest.raises(ValueError, match="capacity is 3, and the state has 5"):
        ImageBuffer(3).load_state_dict(one.state_dict())


def test_a_buffer_refuses_pictures_of_another_shape_and_odd_capacities():
    buffer = ImageBuffer(5)
    buffer(draw(2, 3, 4, 4))
    with pytest.raises(ValueError, match=r"images must be as those in the buffer, \(3, 4, 4\)"):
        buffer(draw(2, 1, 4, 4))
    for capacity in (-1, 2.5):
        with pytest.raises(ValueError, match="capacity must be a whole number"):
            ImageBuffer(capacity)


# One step of CycleGAN


def test_a_step_is_the_papers_written_out():
    ours = four()
    printed = [printed_resnet(3, 3, 4, 1) for _ in "gf"] + [printed_patch(3, 4, 1) for _ in "xy"]
    for theirs, net in zip(printed, ours, strict=True):
        take_weights(theirs, net)
    step, other = CycleGANStep(*ours), PrintedStep(*printed)
    step.precision = nullcontext
    for s, nets in (
        (step, ours),
        (other, printed),
    ):  # Adam would blow up rounding where slopes are 0
        s.g_optimizer = torch.optim.SGD([*nets[0].parameters(), *nets[1].parameters()], 0.01)
        s.d_optimizer = torch.optim.SGD([*nets[2].parameters(), *nets[3].parameters()], 0.01)
    for seed in (3, 4):
        batch = draw(2, 3, 16, 16, seed=seed), draw(2, 3, 16, 16, seed=10 + seed)
        step(batch)
        other(batch)
    for net, theirs in zip(ours, printed, strict=True):
        for a, b in zip(net.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6)


def test_the_losses_of_a_step_are_those_of_the_formula():
    g, f, d_x, d_y = nets = four()
    x, y = pair()
    with torch.no_grad():
        fake_y, fake_x = g(x), f(y)
        expected = {
            "g_loss": (d_y(fake_y) - 1).square().mean() + (d_x(fake_x) - 1).square().mean(),
            "cycle_loss": (f(fake_y) - x).abs().mean() + (g(fake_x) - y).abs().mean(),
            "identity_loss": (g(y) - y).abs().mean() + (f(x) - x).abs().mean(),
        }
        d_loss = [(d(r) - 1).square().mean() + d(k).square().mean()
                  for d, r, k in ((d_y, y, fake_y), (d_x, x, fake_x))]  # fmt: skip
        expected["d_loss"] = sum(d_loss) / 2
    step = CycleGANStep(*nets)
    step.precision = nullcontext
    torch.testing.assert_close(step((x, y)), expected, rtol=1e-4, atol=1e-5)


def test_the_generators_learn_and_nothing_in_the_discriminators_changes():
    nets = four()
    step, before = CycleGANStep(*nets), [state(net) for net in nets]
    step.g_step(*pair())
    for old, net in zip(before[:2], nets[:2], strict=True):
        assert changed(old, net) >= {n for n, p in net.named_parameters() if p.ndim == 4}
    for old, net in zip(before[2:], nets[2:], strict=True):
        assert changed(old, net) == set()
        assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_the_discriminators_learn_and_send_nothing_into_the_generators():
    nets = four()
    step, before = CycleGANStep(*nets), [state(net) for net in nets]
    _, fake_x, fake_y = CycleGANStep(*copy.deepcopy(nets)).g_step(*pair())
    assert not fake_x.requires_grad and not fake_y.requires_grad
    step.d_step(*pair(), fake_x, fake_y)
    for old, net in zip(before[:2], nets[:2], strict=True):
        assert changed(old, net) == set() and all(p.grad is None for p in net.parameters())
    for old, net in zip(before[2:], nets[2:], strict=True):
        assert changed(old, net)


def test_each_discriminator_judges_pictures_of_its_own_kind():
    nets, judged = four(), {"x": [], "y": []}
    x, y = pair()
    fake_y, fake_x = nets[0](x).detach(), nets[1](y).detach()
    for name, net in zip("xy", nets[2:], strict=True):
        net.register_forward_pre_hook(lambda _, args, name=name: judged[name].append(args[0]))
    step = CycleGANStep(*nets)
    step.precision = nullcontext
    step((x, y))
    for name, real, fake in (("x", x, fake_x), ("y", y, fake_y)):
        in_g_step, in_d_step = judged[name]
        torch.testing.assert_close(in_g_step, fake, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(in_d_step, torch.cat([real, fake]), rtol=1e-4, atol=1e-4)


def test_the_discriminators_are_shown_fakes_of_the_past_and_the_generators_their_own():
    nets = four()
    step, given = CycleGANStep(*nets, buffer=2), []
    step.buffer_y = lambda fake: given.append(fake) or torch.full_like(fake, 0.5)
    seen = []
    nets[3].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    step(pair())
    assert torch.equal(seen[0], given[0]) and (seen[1][4:] == 0.5).all()


def calls_of(nets: list[nn.Module], **options) -> list[list[int]]:
    """How many pictures each of the four networks gets, call by call, and the losses' names."""
    calls = [[] for _ in nets]
    for net, sizes in zip(nets, calls, strict=True):
        net.register_forward_pre_hook(lambda _, args, sizes=sizes: sizes.append(len(args[0])))
    return [*calls, set(CycleGANStep(*nets, **options)(pair()))]


def test_what_has_no_weight_is_not_computed():
    names = {"g_loss", "d_loss", "cycle_loss", "identity_loss"}
    assert calls_of(four()) == [[8, 4], [8, 4], [4, 8], [4, 8], names]
    without = names - {"identity_loss"}
    assert calls_of(four(), identity=0) == [[4, 4], [4, 4], [4, 8], [4, 8], without]
    assert calls_of(four(), cycle=0) == [[4], [4], [4, 8], [4, 8], {"g_loss", "d_loss"}]


def test_networks_with_batch_norm_get_each_batch_by_itself():
    torch.manual_seed(0)
    nets = [UNetGenerator(3, 3, 2, 2) for _ in "gf"]
    nets += [PatchDiscriminator(3, 2, 1, "batch") for _ in "xy"]
    assert calls_of(nets)[:4] == [[4, 4, 4], [4, 4, 4], [4, 4, 4], [4, 4, 4]]


def test_the_way_back_teaches_the_way_there():
    # the cycle alone, y → x → y included: with D's gradient cut off, both generators still learn
    nets = four()
    step = CycleGANStep(*nets, identity=0, cycle=10)
    for d in nets[2:]:
        nn.init.zeros_(d.layers[0].weight)
    step.generator_yx.requires_grad_(False)  # G alone, which F's answers must reach
    before = state(nets[0])
    step.g_step(*pair())
    assert "layers.1.weight" in changed(before, nets[0])


def test_the_identity_map_has_no_cycle_loss_and_no_identity_loss():
    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return x * self.weight

    losses = CycleGANStep(Same(), Same(), *four()[2:])(pair())
    assert losses["cycle_loss"] == 0 and losses["identity_loss"] == 0 and losses["g_loss"] > 0


# One step of pix2pix


def test_a_step_of_pix2pix_is_algorithm_and_formula():
    generator, discriminator = two()
    x, target = partners()
    step = Pix2PixStep(generator, discriminator)
    step.precision = nullcontext
    g, d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    optimizer = torch.optim.Adam(d.parameters(), 2e-4, (0.5, 0.999))
    fake = g(x)
    bce = F.binary_cross_entropy_with_logits
    real_scores, fake_scores = d(torch.cat([x, target], 1)), d(torch.cat([x, fake.detach()], 1))
    d_loss = bce(real_scores, torch.ones_like(real_scores)) / 2
    d_loss = d_loss + bce(fake_scores, torch.zeros_like(fake_scores)) / 2
    d_loss.backward()
    optimizer.step()
    scores = d(torch.cat([x, fake], 1))
    g_loss, l1 = bce(scores, torch.ones_like(scores)), (fake - target).abs().mean()
    losses = step((x, target))
    expected = {"d_loss": d_loss, "g_loss": g_loss, "l1_loss": l1}
    torch.testing.assert_close(losses, expected, rtol=1e-3, atol=1e-4, check_dtype=False)
    (g_loss + 100 * l1).backward()
    for mine, theirs in zip(generator.parameters(), g.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-2, atol=1e-3)


def test_pix2pix_changes_each_player_in_its_own_step_only():
    generator, discriminator = two()
    step, (x, target) = Pix2PixStep(generator, discriminator), partners()
    fake = generator(x)
    before = [state(net) for net in (generator, discriminator)]
    step.d_step(x, target, fake.detach())
    assert changed(before[0], generator) == set() and changed(before[1], discriminator)
    before = state(discriminator)
    for p in discriminator.parameters():
        p.grad = None
    step.g_step(x, target, fake)
    assert changed(before, discriminator) == set()
    assert all(p.grad is None for p in discriminator.parameters())


def test_l1_alone_leaves_the_discriminator_out():
    generator, discriminator = two()
    before = [state(net) for net in (generator, discriminator)]
    losses = Pix2PixStep(generator, discriminator, adversarial=False)(partners())
    assert losses.keys() == {"l1_loss"} and changed(before[1], discriminator) == set()
    assert changed(before[0], generator)


def test_the_gan_alone_does_not_look_at_the_target_in_gs_step():
    generator, discriminator = two()
    step, (x, target) = Pix2PixStep(generator, discriminator, l1=0), partners()
    twin, fake = copy.deepcopy(step), generator(x)
    step.g_step(x, target, fake)
    twin.g_step(x, -target, twin.generator(x))
    torch.testing.assert_close(generator.state_dict(), twin.generator.state_dict())


# Batches


def pictures(n: int, name: str, channels: int = 3, size: int = 16) -> ImageSet:
    images = torch.arange(n).view(-1, 1, 1, 1).expand(-1, channels, size, size)
    return ImageSet(images.to(torch.uint8).contiguous(), name=name)


def rows(x: Tensor) -> list[int]:
    return (x[:, 0, 0, 0] * 127.5 + 127.5).round().long().tolist()


def test_unpaired_batches_come_in_orders_of_their_own():
    same = pictures(40, "faces"), pictures(40, "faces")
    batches = unpaired(*same, 8, torch.Generator().manual_seed(0))
    x, y = zip(*(map(rows, next(batches)) for _ in range(5)), strict=True)
    assert sorted(sum(x, [])) == sorted(sum(y, [])) == list(range(40))
    assert sum(a == b for a, b in zip(sum(x, []), sum(y, []), strict=True)) < 6
    again = unpaired(*same, 8, torch.Generator().manual_seed(0))
    assert [rows(part) for part in next(again)] == [x[0], y[0]]


def test_unpaired_sets_may_differ_in_length_and_leave_targets_out():
    a = pictures(10, "a").paired_with(pictures(10, "b"))
    batch = next(unpaired(a, pictures(30, "c", channels=1), 10))
    assert isinstance(batch, Unpaired) and batch.x.shape[1] == 3 and batch.y.shape[1] == 1


def test_unpaired_batches_go_on_where_they_were():
    def make():
        generator = torch.Generator().manual_seed(3)
        return unpaired(pictures(11, "a"), pictures(17, "b"), 4, generator)

    one, other = make(), make()
    for _ in range(7):
        next(one)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for _ in range(9):
        for mine, theirs in zip(next(one), next(other), strict=True):
            assert torch.equal(mine, theirs)


def test_unpaired_follows_the_seed_of_torch_where_none_is_given():
    seen = []
    for _ in range(2):
        torch.manual_seed(5)
        seen.append(rows(next(unpaired(pictures(40, "a"), pictures(40, "b"), 8)).x))
    assert seen[0] == seen[1]


# In the loop


def cycle_step(**options) -> CycleGANStep:
    return CycleGANStep(*four(), ema=0.9, schedule=(2, 4), buffer=6, **options)


@pytest.mark.parametrize("options", [{}, {"identity": 0}, {"cycle": 0}])
def test_cyclegan_runs_on_any_device_and_waits_for_none(options):
    assert_step_runs_on_meta(lambda: cycle_step(**options), pair)


@pytest.mark.parametrize("options", [{}, {"adversarial": False}, {"l1": 0.0}])
def test_pix2pix_runs_on_any_device_and_waits_for_none(options):
    assert_step_runs_on_meta(
        lambda: Pix2PixStep(*two(), ema=0.9, schedule=(2, 4), **options), partners
    )


def test_the_learning_rate_of_both_players_follows_the_schedule():
    steps = cycle_step(), Pix2PixStep(*two(), schedule=(2, 4))
    for step, batch in zip(steps, (pair(), partners()), strict=True):
        rates = []
        for _ in range(7):
            rates.append([o.param_groups[0]["lr"] for o in (step.g_optimizer, step.d_optimizer)])
            step(batch)
        expected = torch.tensor([1, 1, 1, 0.75, 0.5, 0.25, 0]) * 2e-4
        torch.testing.assert_close(torch.tensor(rates), torch.stack([expected, expected], 1))


def run(step, steps: int, folder=None):
    torch.manual_seed(7)
    batches = unpaired(pictures(9, "a"), pictures(9, "b"), 2, torch.Generator().manual_seed(1))
    return train(step, batches, steps, checkpoint=folder, watch=step.samples)


def test_a_killed_run_of_cyclegan_goes_on_to_the_last_bit(tmp_path):
    whole = cycle_step()
    run(whole, 12)
    assert len(whole.buffer_x) == 6
    run(cycle_step(), 7, tmp_path)
    resumed = cycle_step()
    history = run(resumed, 12, tmp_path)
    assert history.steps == 12 and len(history.losses["cycle_loss"]) == 12
    for name, part in parts(whole).items():
        mine, theirs = part.state_dict(), parts(resumed)[name].state_dict()
        if isinstance(part, (nn.Module, EMA, ImageBuffer)):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def test_the_loop_trains_pix2pix_and_shows_it():
    step = Pix2PixStep(*two(), lr=2e-3, ema=0.9)
    lines = ImageSet((draw(8, 3, 16, 16) * 127 + 128).to(torch.uint8), name="lines")
    grey = ImageSet(lines.images.float().mean(1, keepdim=True).to(torch.uint8), name="grey")
    history = train(step, lines.paired_with(grey).batches(4), 60, watch=step.samples)
    l1 = history.losses["l1_loss"]
    assert sum(l1[-5:]) < 0.75 * sum(l1[:5])


def test_translate_does_not_disturb_training():
    net = UNetGenerator(3, 3, 4, downs=6)
    x = draw(5, 3, 64, 64)
    y = translate(net, x, block=2)
    assert net.training and all(m.training for m in net.modules()) and not y.requires_grad
    torch.testing.assert_close(y, net.eval()(x).detach(), rtol=1e-4, atol=1e-5)


def test_the_same_seed_trains_the_same_networks():
    def trained():
        torch.manual_seed(0)
        step = CycleGANStep(*four(), buffer=2)
        for _ in range(3):
            step(pair())
        return step.generator_xy.state_dict()

    torch.testing.assert_close(trained(), trained(), rtol=0, atol=0)


# Conditional GAN


def test_the_class_is_appended_as_channels():
    z, x, labels = draw(3, 4), draw(3, 2, 5, 6), torch.tensor([2, 0, 1])
    told = condition_on_class(z, labels, 3)
    assert torch.equal(told, torch.cat([z, F.one_hot(labels, 3).float()], 1))
    told = condition_on_class(x, labels, 3)
    assert told.shape == (3, 5, 5, 6) and torch.equal(told[:, :2], x)
    assert torch.equal(told[:, 2:].mean((2, 3)), F.one_hot(labels, 3).float())
    assert torch.equal(told[:, 2:].std((2, 3)), torch.zeros(3, 3))
    assert condition_on_class(z.double()[..., None, None], labels, 3).dtype == torch.float64


@pytest.mark.parametrize(
    "labels, message",
    [
        (torch.tensor([0, 3, 1]), "labels must lie in 0 … 2; got 3"),
        (torch.tensor([0, -1, 1]), "labels must lie in 0 … 2; got -1"),
        (torch.tensor([0, 1]), r"labels must be \(3,\), one a picture"),
        (torch.zeros(3, 3, dtype=torch.long), "one a picture"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        condition_on_class(draw(3, 4), labels, 3)
    with pytest.raises(TypeError, match="labels must be whole numbers"):
        condition_on_class(draw(3, 4), torch.zeros(3), 3)
    for classes in (1.5, -1, 0):
        with pytest.raises(ValueError, match="classes must be a whole number"):
            condition_on_class(draw(3, 4), torch.zeros(3).long(), classes)


def conditional(seed: int = 0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    generator = ConditionalGenerator(10, nz=8, ngf=4, nc=1, size=32)
    return generator, ConditionalDiscriminator(10, nc=1, ndf=4, size=32)


def test_a_conditional_gan_trains_by_the_step_of_lecture_03():
    fashion = data.load("fashion", split="test", size=32)[:64]
    step = gan.AdversarialStep(*conditional(), "non_saturating", ema=0.9)
    batches = fashion.batches(16, with_labels=True)
    history = train(step, batches, 3, watch=step.samples)
    assert history.steps == 3 and not history.stopped
    made = gan.sample(step.generator, 20, labels=torch.arange(20) % 10)
    assert made.shape == (20, 1, 32, 32)


def test_both_players_feel_the_class():
    generator, discriminator = (net.eval() for net in conditional())
    z, one, other = draw(4, 8), torch.zeros(4).long(), torch.full((4,), 7)
    x = generator(z, one)
    assert not torch.allclose(x, generator(z, other))
    assert discriminator(x, one).shape == (4,)
    assert not torch.allclose(discriminator(x, one), discriminator(x, other))


def test_the_conditional_step_runs_on_any_device():
    def batch():
        return draw(4, 1, 32, 32), torch.arange(4)

    assert_step_runs_on_meta(lambda: gan.AdversarialStep(*conditional()), batch)


# Bad input


@pytest.mark.parametrize(
    "make, shape, message",
    [
        (lambda: ResnetGenerator(3, 3, 1, 0), (1, 1, 16, 16), r"x must be \(B, 3, H, W\)"),
        (lambda: ResnetGenerator(3, 3, 1, 0), (3, 16, 16), r"x must be \(B, 3, H, W\)"),
        (lambda: ResnetGenerator(3, 3, 1, 0), (1, 3, 18, 16), "multiples of 4, .*got 18 × 16"),
        (lambda: ResnetGenerator(3, 3, 1, 0), (1, 3, 4, 4), "multiples of 4, at least 8"),
        (lambda: UNetGenerator(3, 3, 1, 8), (1, 3, 128, 256), "multiples of 256.*got 128 × 256"),
        (lambda: UNetGenerator(3, 3, 1, 3), (1, 3, 20, 16), "multiples of 8, as it is halved 3"),
        (lambda: UNetGenerator(3, 3, 1, 3), (1, 4, 16, 16), r"x must be \(B, 3, H, W\)"),
        (lambda: PatchDiscriminator(3, 1), (1, 3, 16, 16), "size must be at least 24 pixels"),
        (lambda: PatchDiscriminator(6, 1), (1, 3, 32, 32), r"x must be \(B, 6, H, W\)"),
    ],
)
def test_pictures_that_do_not_fit_a_network_are_refused(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(torch.zeros(shape))
    with pytest.raises(TypeError, match="x must be float pictures"):
        make()(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ResnetGenerator(0, 3), "in_channels must be a whole number"),
        (lambda: ResnetGenerator(3, 1, 4, residual=True), "channels .* got 3 in and 1 out"),
        (lambda: ResnetGenerator(3, 3, blocks=-1), "blocks must be .* at least 0 .* got -1"),
        (lambda: UNetGenerator(3, 3, downs=1), "downs must be .* at least 2 .* got 1"),
        (lambda: UNetGenerator(3, 3, norm="layer"), "norm must be one of batch, instance"),
        (lambda: PatchDiscriminator(3, layers=0), "layers must be a whole number, at least 1"),
        (lambda: patch_output_size(23), "size must be at least 24 pixels for layers = 3; got 23"),
        (lambda: patch_receptive_field(0), "layers must be a whole number"),
        (lambda: pix2pix_loss(*[draw(1, 1, 2, 2)] * 3, l1=-1), "l1 must be .* at least 0; got -1"),
        (lambda: CycleGANStep(*four(), cycle=-1), "cycle must be .* at least 0; got -1"),
        (
            lambda: CycleGANStep(*four(), identity=float("nan")),
            "identity must be .* got nan",
        ),
        (lambda: CycleGANStep(*four(), schedule=(5, 0)), "decay above 0"),
        (lambda: Pix2PixStep(*two(), l1=0, adversarial=False), "G would learn nothing"),
        (lambda: unpaired(pictures(5, "a"), pictures(50, "b"), 8), "8, and a has 5 pictures"),
        (
            lambda: unpaired(pictures(9, "a"), pictures(9, "b", size=32), 8),
            "one size; got 16 × 16 and 32 × 32",
        ),
        (lambda: ConditionalGenerator(0), "classes must be a whole number"),
        (lambda: ConditionalGenerator(1.5), "classes must be .* got 1.5"),
        (lambda: translate(two()[0], draw(1, 3, 16, 16), -1), "block must be"),
        (lambda: ResnetGenerator(3, -1), "out_channels must be a whole number"),
        (lambda: ResnetGenerator(3, 3, blocks=10**12), "blocks must be .* at most 1000"),
        (lambda: UNetGenerator(3, 3, downs=10**12), "downs must be .* at most 1000"),
        (lambda: UNetGenerator(3, 3, dropout=float("nan")), "dropout must be .* got nan"),
        (lambda: PatchDiscriminator(3, layers=10**12), "layers must be .* at most 1000"),
        (lambda: patch_receptive_field(10**12), "layers must be .* at most 1000"),
        (lambda: Pix2PixStep(*two(), l1=float("nan")), "l1 must be .* got nan"),
    ],
)
def test_what_cannot_be_made_is_refused(make, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "batch, message",
    [
        (draw(4, 3, 16, 16), "pictures of both kinds, as `unpaired` gives"),
        ((draw(4, 3, 16, 16),) * 3, "pictures of both kinds"),
        ((draw(0, 3, 16, 16),) * 2, "x must be .*got"),
        ((draw(4, 3, 16, 16), draw(3, 3, 16, 16)), "as many and of one size"),
        ((draw(4, 3, 16, 16), draw(4, 3, 32, 32)), "as many and of one size"),
        ((draw(4, 3, 16, 16), draw(4, 1, 16, 16)), "identity must be 0 where x has 3"),
    ],
)
def test_batches_that_do_not_suit_cyclegan_are_refused(batch, message):
    with pytest.raises(ValueError, match=message):
        CycleGANStep(*four())(batch)


@pytest.mark.parametrize(
    "batch, message",
    [
        (draw(4, 3, 16, 16), "pix2pix learns from pairs"),
        (Unpaired(*partners()), "pix2pix learns from pairs.*CycleGANStep takes unpaired"),
        ((draw(4, 3, 16, 16), draw(4, 1, 32, 32)), "as many and of one size"),
        ((draw(4, 3, 16, 16), draw(4, 3, 16, 16)), "generator must make pictures as target"),
        ((draw(4, 1, 16, 16), draw(4, 1, 16, 16)), r"x must be \(B, 3, H, W\)"),
    ],
)
def test_batches_that_do_not_suit_pix2pix_are_refused(batch, message):
    with pytest.raises(ValueError, match=message):
        Pix2PixStep(*two())(batch)


def test_labels_given_to_pix2pix_are_refused():
    with pytest.raises(TypeError, match="target must be float pictures"):
        Pix2PixStep(*two())((draw(4, 3, 16, 16), torch.arange(4)))


def test_channels_may_differ_without_the_identity_loss():
    torch.manual_seed(0)
    nets = ResnetGenerator(3, 1, 4, 1), ResnetGenerator(1, 3, 4, 1)
    judges = PatchDiscriminator(3, 4, 1), PatchDiscriminator(1, 4, 1)
    losses = CycleGANStep(*nets, *judges, identity=0)(partners())
    assert losses["cycle_loss"].isfinite()
    with pytest.raises(ValueError, match="generator_xy must make pictures as y"):
        CycleGANStep(nets[0], ResnetGenerator(3, 3, 4, 1), *judges, identity=0)(pair())
