"""The pretended GPU computes what the CPU computes and refuses what CUDA refuses."""

import copy
import io

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration

if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    pytest.skip("torch makes such devices from 2.9 on", allow_module_level=True)

from course_lib import training  # noqa: E402
from tests import pretend_gpu  # noqa: E402
from tests.pretend_gpu import ROOT  # noqa: E402

GPU = pretend_gpu.install()


@pytest.fixture(autouse=True)
def no_waits():
    pretend_gpu.WAITS.clear()


def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
    return nn.Sequential(*layers)


def trained(net, x):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        loss = net(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def test_training_there_gives_the_weights_that_it_gives_on_the_cpu():
    x = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    here, there = trained(network(), x), trained(network().to(GPU), x.to(GPU))
    for name, value in there.state_dict().items():
        assert value.device == GPU
        assert torch.equal(value.cpu(), here.state_dict()[name]), name


def test_views_share_their_numbers():
    x = torch.zeros(2, 3, device=GPU)
    x.t()[0, 1] = 7
    x[:, 1:].mul_(0).add_(2)
    assert x.tolist() == [[0, 2, 2], [7, 2, 2]]


def test_copies_and_files_keep_what_a_network_holds():
    net = network().to(GPU)
    again = copy.deepcopy(net)
    assert isinstance(again[0].weight, nn.Parameter) and again[0].weight.device == GPU
    file = io.BytesIO()
    torch.save(again.state_dict(), file)
    with torch.no_grad():
        again[0].weight.zero_()
    assert net[0].weight.abs().sum() > 0
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(again[0].weight.cpu(), net[0].weight.cpu())


def test_what_is_made_there_is_there():
    made = [torch.arange(5, device=GPU), torch.eye(3, device=GPU), torch.randperm(4, device=GPU)]
    made += [torch.tensor([1.0, 2.0], device=GPU), torch.randn(3, device=GPU)]
    made += [torch.linspace(0, 1, 5, device=GPU), torch.full((2,), 3, device=GPU)]
    assert all(x.device == GPU for x in made)
    assert made[0].tolist() == [0, 1, 2, 3, 4] and sorted(made[2].tolist()) == [0, 1, 2, 3]
    assert f"{made[3].sum():.2f}" == "3.00" and "device='pretend:0'" in repr(made[0])


MIXTURES = {  # d is on the device, c is not; whether CUDA takes it
    "two vectors": (lambda d, c: d + c, False),
    "a number of the CPU": (lambda d, c: d + c[0], True),
    "two numbers": (lambda d, c: d[0] + c[0], True),
    "a number in a maximum": (lambda d, c: torch.maximum(d, c[0]), True),
    "a number in where": (lambda d, c: torch.where(d > 0, d, c[0]), True),
    "a condition of the CPU": (lambda d, c: torch.where(c > 0, d, d), False),
    "a number filled in": (lambda d, c: d.masked_fill(d > 0, c[0]), True),
    "a mask of the CPU filled": (lambda d, c: d.masked_fill(c > 0, 1.0), False),
    "lerp by a number": (lambda d, c: d.lerp(d, c[0]), True),
    "joined": (lambda d, c: torch.cat([d, c]), False),
    "multiplied": (lambda d, c: F.linear(d, c[None]), False),
    "an index of the CPU": (lambda d, c: d[torch.tensor([0, 1])], True),
    "index_select": (lambda d, c: d.index_select(0, torch.tensor([0])), False),
    "gather": (lambda d, c: d.gather(0, torch.tensor([0])), False),
    "embedding": (lambda d, c: F.embedding(torch.tensor([0]), d[:, None]), False),
    "put at an index of the CPU": (lambda d, c: d.index_put((torch.tensor([0]),), d[:1]), True),
    "put a number of the CPU": (lambda d, c: d.index_put((torch.tensor([0]),), c[0]), True),
    "put a vector of the CPU": (lambda d, c: d.index_put((torch.tensor([0]),), c[:1]), False),
    "written to the CPU": (lambda d, c: c[0].add_(d[0]), False),
    "copied to the CPU": (lambda d, c: c.copy_(d), True),
    "copied from the CPU": (lambda d, c: d.copy_(c), True),
}


def taken(mixture, device) -> bool | None:
    try:
        mixture(torch.ones(3, device=device), torch.ones(3))
        return True
    except torch.AcceleratorError:  # torch looks for the driver, and there is none
        return None
    except RuntimeError:
        return False


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_of_devices_is_refused_where_cuda_refuses_it(name):
    mixture, allowed = MIXTURES[name]
    assert taken(mixture, GPU) is allowed


def test_torchs_own_model_of_cuda_refuses_the_same_mixtures():
    with FakeTensorMode():
        found = {name: taken(mixture, "cuda") for name, (mixture, _) in MIXTURES.items()}
    answers = {name: answer for name, answer in found.items() if answer is not None}
    assert answers == {name: MIXTURES[name][1] for name in answers}
    assert set(answers.values()) == {True, False} and len(answers) > 8


def test_an_index_of_the_device_does_not_reach_into_the_cpu():
    with pytest.raises(RuntimeError, match="at least two devices"):
        torch.ones(3)[torch.tensor([0], device=GPU)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: torch.randn(3, device=GPU, generator=g),
        lambda g: torch.empty(3, device=GPU).normal_(generator=g),
        lambda g: torch.randperm(3, device=GPU, generator=g),
        lambda g: torch.multinomial(torch.ones(3, device=GPU), 2, generator=g),
    ],
)
def test_a_generator_of_the_cpu_draws_nothing_there(draw):
    with pytest.raises(RuntimeError, match="generator but found 'cpu'"):
        draw(torch.Generator().manual_seed(0))


def test_numpy_and_matplotlib_do_not_see_it():
    x = torch.ones(3, device=GPU)
    for look in (lambda: x.numpy(), lambda: np.asarray(x), lambda: plt.plot(x)):
        with pytest.raises(TypeError, match="can't convert pretend:0"):
            look()
    plt.close("all")


def test_without_float64_it_is_like_mps(request):
    request.addfinalizer(pretend_gpu.install)
    pretend_gpu.install(float64=False)
    for make in (
        lambda: torch.ones(2, device=GPU).double(),
        lambda: torch.ones(2, dtype=torch.float64).to(GPU),
        lambda: torch.zeros(2, dtype=torch.float64, device=GPU),
        lambda: torch.ones(2, device=GPU).sum(dtype=torch.float64),
    ):
        with pytest.raises(TypeError, match="has no torch.float64"):
            make()
    assert torch.ones(2, device=GPU).cpu().double().dtype == torch.float64


def test_autocast_casts_as_on_cuda():
    net, x = network().to(GPU), torch.ones(2, 3, 5, 5, device=GPU)
    with torch.autocast(GPU.type, dtype=torch.bfloat16):
        y = net(x)
        assert net[0](x).dtype == y.dtype == torch.bfloat16
        assert F.mse_loss(y, y).dtype == y.exp().dtype == y.sum().dtype == torch.float32
        assert (x.double() @ x.double()).dtype == torch.float64
        with pytest.raises(RuntimeError, match="unsafe to autocast"):
            F.binary_cross_entropy(y.sigmoid(), y)
    assert net(x).dtype == torch.float32
    y.float().sum().backward()
    assert net[0].weight.grad.dtype == torch.float32


@pytest.mark.parametrize("bias", [True, False])
def test_an_lstm_is_computed_as_on_the_cpu(bias):
    found = []
    for place in (torch.device("cpu"), GPU):
        torch.manual_seed(0)
        net = nn.LSTM(3, 4, bias=bias, bidirectional=True)
        net, x = net.to(place), torch.randn(5, 2, 3).to(place)
        y, (h, c) = net(x)
        (y.square().sum() + h.sum() + (c * c).sum()).backward()
        found.append([v.detach().cpu() for v in (y, h, c, *(p.grad for p in net.parameters()))])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_a_copy_to_it_that_need_not_be_waited_for_is_no_wait():
    pretend_gpu.WAITS.clear()
    x = torch.ones(3).to(GPU, non_blocking=True)
    assert pretend_gpu.WAITS == []
    x.to("cpu", non_blocking=True)  # there Python could read what has not come yet
    assert len(pretend_gpu.WAITS) == 1


WAITING = {
    "item": lambda x: x[0].item(),
    "if": lambda x: bool(x[0] > 0),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "a mask": lambda x: x[x > 0],
    "nonzero": lambda x: x.nonzero(),
    "an index of the CPU": lambda x: x[torch.tensor([0])],
    "from the CPU": lambda x: torch.ones(3).to(x.device),
    "equal": lambda x: torch.equal(x, x),
}


@pytest.mark.parametrize("name", WAITING)
def test_python_waits_once_and_the_line_is_noted(name):
    WAITING[name](torch.ones(3, device=GPU))
    (wait,) = pretend_gpu.WAITS
    assert wait.place.startswith("tests/test_pretend_gpu.py:") and not wait.in_step


def test_training_there_waits_for_nothing():
    net, x = network().to(GPU), torch.ones(2, 3, 5, 5, device=GPU)
    pretend_gpu.WAITS.clear()
    trained(net, x)
    assert pretend_gpu.WAITS == []


@pytest.mark.parametrize("careless", [True, False])
def test_a_wait_within_a_training_step_is_told_from_the_loops_own(careless):
    net = nn.Linear(3, 1).to(GPU)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step(x):
        loss = net(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item() if careless else loss}

    training.train(step, [torch.ones(2, 3, device=GPU)], steps=4)
    in_steps = [wait for wait in pretend_gpu.WAITS if wait.in_step]
    assert len(pretend_gpu.WAITS) > len(in_steps) == 4 * careless
    assert all(wait.place.endswith(" step") for wait in in_steps)


def test_a_notebook_is_played_on_it_to_its_end(tmp_path):
    lines = "import torch", "from course_lib import device", "x = device.choose().device"
    cells = [*lines, "y = torch.ones(3, device=x).sum()", "assert y.item() == 3", "assert y > 2"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    waits = pretend_gpu.play(tmp_path / "notebook.ipynb", "correct")
    assert [wait.operation for wait in waits] == ["aten._local_scalar_dense.default"] * 2


WHOLE = sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("solutions/*.ipynb"))
HERE = {"notebooks/11_restoration.ipynb"}  # in `make test`; all of them in `make everywhere`


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.everywhere] * (name not in HERE), id=name)
        for path in WHOLE
        for name in [path.relative_to(ROOT).as_posix()]
    ],
)
def test_every_notebook_runs_on_it_whole_and_waits_in_no_training_step(path):
    expect = "correct" if path.parent.name == "solutions" else "not attempted"
    waits = pretend_gpu.play(path, expect)
    once_an_epoch = " _shuffle"  # the order of the pictures goes over between two steps
    assert [w for w in waits if w.in_step and not w.place.endswith(once_an_epoch)] == []
    # it was there: pictures were fetched from it; the first two lectures leave all on the CPU
    assert waits or path.stem.startswith(("00", "01"))
