import copy

import pytest
import torch

from course_lib.unet import UNet, timestep_embedding


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small(**options) -> UNet:
    """A U-Net whose zeroed layers are not zero, so that everything can be seen at its output."""
    torch.manual_seed(0)
    net = UNet(**{"channels": 1, "width": 16} | options)
    with torch.no_grad():
        for i, weight in enumerate(net.parameters()):
            if not weight.any():
                weight.copy_(0.1 * draw(*weight.shape, seed=i))
    return net


# The time


def test_the_embedding_is_cosines_then_sines_of_falling_frequencies():
    # by hand for dim 4: frequencies 1 and 10,000^(−1/2) = 0.01
    t = torch.tensor([0, 1, 100])
    expected = torch.stack([t.cos(), (t / 100).cos(), t.sin(), (t / 100).sin()], dim=1)
    torch.testing.assert_close(timestep_embedding(t, 4), expected)


@pytest.mark.parametrize("dim", [2, 32, 256])
def test_the_embedding_is_that_of_diffusers(dim):
    embeddings = pytest.importorskip("diffusers.models.embeddings")
    t = torch.tensor([0, 1, 17, 500, 999])
    theirs = embeddings.get_timestep_embedding(t, dim, flip_sin_to_cos=True, downscale_freq_shift=0)
    torch.testing.assert_close(timestep_embedding(t, dim), theirs, atol=1e-4, rtol=0)


def test_a_thousand_times_have_a_thousand_embeddings():
    embedding = timestep_embedding(torch.arange(1000), 64)
    assert torch.cdist(embedding, embedding).fill_diagonal_(1).min() > 0.1


def test_decimal_times_are_embedded_between_whole_ones():
    low, middle, high = timestep_embedding(torch.tensor([3.0, 3.5, 4.0]), 2)[:, 0]
    assert low < middle < high  # cos rises from 3 to 4


@pytest.mark.parametrize("t, dim, word", [((3, 1), 8, "t"), ((3,), 7, "dim"), ((3,), 0, "dim")])
def test_a_bad_embedding_is_named(t, dim, word):
    with pytest.raises(ValueError, match=f"^{word} must be"):
        timestep_embedding(torch.zeros(t), dim)


def test_complex_times_are_refused():
    with pytest.raises(TypeError, match="t must be whole numbers or decimals; got torch.complex64"):
        timestep_embedding(torch.ones(3) * 1j, 8)


# The network


@pytest.mark.parametrize(
    "options, size",
    [
        ({"patch": 2}, (28, 28)),  # fashion
        ({"channels": 3, "patch": 2}, (32, 32)),  # faces
        ({"channels": 4}, (8, 8)),  # a latent
        ({"multipliers": (1, 2, 2)}, (28, 28)),
        ({"multipliers": (1,), "blocks": 2}, (7, 5)),
        ({"channels": 2, "patch": 4, "multipliers": (1, 3)}, (16, 24)),
    ],
)
def test_the_answer_has_the_shape_of_the_picture(options, size):
    net = small(**options)
    x = draw(2, net.channels, *size)
    answer = net(x, torch.tensor([3, 900]))
    assert answer.shape == x.shape
    assert answer.dtype == torch.float32 and answer.is_contiguous() and answer.isfinite().all()


def test_the_first_answer_is_zero():
    net = UNet(channels=1, width=16)
    assert not net(draw(2, 1, 8, 8), torch.tensor([0, 5])).any()


def test_the_answer_depends_on_the_time_and_on_the_class():
    net, x = small(classes=3), draw(1, 1, 8, 8)
    t, label = torch.tensor([10]), torch.tensor([0])
    answer = net(x, t, label)
    assert not torch.allclose(answer, net(x, t + 1, label), atol=1e-4)
    assert not torch.allclose(answer, net(x, t, label + 1), atol=1e-4)


def test_each_picture_is_answered_by_itself():
    net, x, t = small(classes=4, patch=2), draw(3, 1, 16, 16), torch.tensor([1, 50, 999])
    labels = torch.tensor([2, 0, 4])
    together = net(x, t, labels)
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1], labels[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_each_pixel_of_the_answer_hears_of_every_pixel_of_the_picture():
    net, x = small(patch=2), draw(1, 1, 16, 16).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x, torch.tensor([5]))[0, 0, 0, 0], x)
    assert (gradient != 0).all()


def test_what_was_known_on_the_way_down_is_added_on_the_way_up():
    net, t = small(), torch.tensor([5])
    with torch.no_grad():
        for weight in net.up[0].parameters():  # nothing comes up from the lower level
            weight.zero_()
    assert not torch.allclose(net(draw(1, 1, 8, 8), t), net(draw(1, 1, 8, 8, seed=1), t), atol=1e-3)


def test_no_labels_mean_the_unconditional_class():
    net, x, t = small(classes=3), draw(2, 1, 8, 8), torch.tensor([1, 2])
    torch.testing.assert_close(net(x, t), net(x, t, torch.tensor([3, 3])))
    assert net.unconditional(torch.tensor([0, 2])).tolist() == [3, 3]


def test_several_attributes_are_told_at_once_and_each_may_be_left_open():
    net, x, t = small(classes=(2, 3)), draw(1, 1, 8, 8), torch.tensor([7])
    none = net.unconditional(torch.tensor([[0, 0]]))
    assert none.tolist() == [[2, 3]]
    torch.testing.assert_close(net(x, t), net(x, t, none))
    rows = torch.cartesian_prod(torch.arange(3), torch.arange(4))
    answers = net(x.expand(12, -1, -1, -1), t.expand(12), rows).flatten(1)
    assert torch.cdist(answers, answers).fill_diagonal_(1).min() > 1e-3  # 12 different ones


def test_a_picture_beside_is_heard():
    net, x, t = small(channels=3, beside=1), draw(2, 3, 8, 8), torch.tensor([7, 8])
    a, b = (net(x, t, beside=draw(2, 1, 8, 8, seed=seed)) for seed in (1, 2))
    assert a.shape == x.shape and not torch.allclose(a, b, atol=1e-4)


def test_every_weight_gets_a_gradient():
    net = small(classes=(2, 2), multipliers=(1, 2, 2), patch=2)
    net(draw(4, 1, 16, 16), torch.arange(4), torch.tensor([[0, 1]] * 4)).square().mean().backward()
    assert [name for name, weight in net.named_parameters() if not weight.grad.any()] == []


def test_bfloat16_changes_the_answer_by_rounding_alone():
    net, x, t = small(patch=2, width=32), draw(4, 1, 28, 28), torch.arange(4)
    exact = net(x, t)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = net(x, t)
    assert (rounded - exact).abs().max() < 0.05 * exact.abs().max()


def test_the_weights_of_one_fit_into_another():
    net, other = small(classes=3), UNet(1, 16, classes=3)
    other.load_state_dict(copy.deepcopy(net.state_dict()))
    x, t, labels = draw(2, 1, 8, 8), torch.tensor([0, 9]), torch.tensor([1, 3])
    torch.testing.assert_close(net(x, t, labels), other(x, t, labels))


@pytest.mark.parametrize(
    "options, size, words",
    [
        ({}, (7, 8), "multiples of 2, .* 7 × 8"),
        ({"patch": 2}, (30, 28), "multiples of 4, .* 30 × 28"),
        ({"multipliers": (1, 2, 4)}, (14, 14), "multiples of 4, .* 14 × 14"),
    ],
)
def test_a_size_that_cannot_be_halved_is_named(options, size, words):
    with pytest.raises(ValueError, match=words):
        small(**options)(draw(1, 1, *size), torch.tensor([0]))


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"x": draw(2, 3, 8, 8)}, ValueError, r"x must be \(B, 1, H, W\); got \(2, 3, 8, 8\)"),
        (
            {"x": draw(2, 1, 8, 8).byte()},
            TypeError,
            "x must be .* got torch.uint8",
        ),
        ({"x": draw(0, 1, 8, 8)}, ValueError, "x must be .* not empty"),
        ({"t": torch.tensor([0])}, ValueError, r"t must be \(2,\).*got \(1,\)"),
        ({"labels": torch.tensor([0.0, 1.0])}, TypeError, "labels must be whole numbers.*float32"),
        ({"labels": torch.tensor([0, 4])}, ValueError, "labels must lie in 0 … 3 .*got 0 … 4"),
        ({"labels": torch.tensor([-1, 0])}, ValueError, "labels must lie in .*got -1 … 0"),
        ({"labels": torch.tensor([[0], [1]])}, ValueError, r"labels must be \(2,\).*got \(2, 1\)"),
        ({"beside": draw(2, 1, 8, 8)}, ValueError, "beside must be a picture of 0 channels"),
    ],
)
def test_bad_input_is_named(options, error, words):
    given = {"x": draw(2, 1, 8, 8), "t": torch.tensor([0, 1])} | options
    with pytest.raises(error, match=words):
        small(classes=3)(**given)


def test_labels_and_guidance_need_a_network_with_classes():
    net, x, t, labels = small(), draw(1, 1, 8, 8), torch.tensor([0]), torch.tensor([0])
    with pytest.raises(ValueError, match="built without classes"):
        net(x, t, labels)
    with pytest.raises(ValueError, match="built without classes"):
        net.unconditional(labels)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"width": 40}, "width must be a multiple of 16; got 40"),
        ({"width": 0}, "width must be a multiple of 16; got 0"),
        ({"channels": 0}, "channels must be a whole number, at least 1, got 0"),
        ({"blocks": 0}, "blocks must be .* at least 1 .* got 0"),
        ({"patch": 0}, "patch must be a whole number, at least 1, got 0"),
        ({"multipliers": ()}, "multipliers must hold at least one"),
        ({"classes": (2, 0)}, r"classes\[1\] must be .* at least 1 .* got 0"),
        ({"channels": -1}, "channels must be .* got -1"),
        ({"beside": -1}, "beside must be .* at least 0 .* got -1"),
        ({"width": 32.0}, "width must be a multiple of 16; got 32.0"),
        ({"blocks": 10**12}, "blocks must be .* at most 1000, got 1000000000000"),
        ({"multipliers": (1, -2)}, r"multipliers\[1\] must be .* got -2"),
        ({"classes": (2, 1.5)}, r"classes\[1\] must be .* got 1.5"),
        ({"classes": True}, "classes must be .* got True"),
    ],
)
def test_a_network_that_cannot_be_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        UNet(**{"channels": 1, "width": 16} | options)
