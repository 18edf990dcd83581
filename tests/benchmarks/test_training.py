"""What the training loop costs beside a bare loop over the same steps."""

import sys
from pathlib import Path
from time import perf_counter

import pytest
import torch

from course_lib.progress import Screen
from course_lib.training import EMA, train

ROOT = Path(__file__).resolve().parents[2]


class TenMilliseconds:
    """A step that holds a network of a million weights and takes 10 ms."""

    def __init__(self):
        self.net = torch.nn.Sequential(*(torch.nn.Linear(512, 512) for _ in range(4)))
        self.optimizer = torch.optim.Adam(self.net.parameters())
        self.net(torch.ones(1, 512)).mean().backward()
        self.optimizer.step()  # so that the optimiser has a state to copy
        self.losses = {"d_loss": torch.tensor(0.5), "g_loss": torch.tensor(0.7)}

    def __call__(self, x):
        end = perf_counter() + 0.01
        while perf_counter() < end:
            pass
        return self.losses


def measure(steps=300, rounds=3) -> tuple[float, float]:
    """Seconds of the loop and of a bare one, the best of some rounds each."""
    step, x = TenMilliseconds(), torch.zeros(())
    ours, bare = [], []
    for _ in range(rounds):
        start = perf_counter()
        for _ in range(steps):
            step(x)
        bare.append(perf_counter() - start)
        start = perf_counter()
        train(step, [x] * steps, steps)
        ours.append(perf_counter() - start)
    return min(ours), min(bare)


def report(name, ours, bare):
    print(f"{name}: ours {ours:.3f} s, bare loop {bare:.3f} s, ratio {ours / bare:.4f}")
    assert ours <= 1.02 * bare


@pytest.mark.benchmark
def test_the_loop_costs_less_than_2_percent_at_10_ms_a_step(monkeypatch):
    for name in ("note", "line", "picture"):
        monkeypatch.setattr(Screen, name, lambda *_, **__: None)
    report("training loop, nothing shown", *measure())


@pytest.mark.benchmark
def test_showing_it_in_a_terminal_stays_below_2_percent(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    report("training loop in a terminal", *measure())


@pytest.mark.benchmark
def test_showing_it_in_a_notebook_stays_below_2_percent():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    source = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.benchmarks.test_training import measure\n"
        "print(*measure())"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=300).execute()
    printed = next(o.text for o in notebook.cells[0].outputs if o.output_type == "stream")
    report("training loop in a notebook", *map(float, printed.split()))


@pytest.mark.benchmark
def test_the_moving_average_costs_less_than_a_loop_over_the_weights():
    net = TenMilliseconds().net
    ema = EMA(net)
    copies = [weight.detach().clone() for weight in net.parameters()]

    @torch.no_grad()
    def by_hand():
        for average, weight in zip(copies, net.parameters(), strict=True):
            average.mul_(0.999).add_(weight, alpha=0.001)

    def best(function):
        times = []
        for _ in range(100):
            start = perf_counter()
            function()
            times.append(perf_counter() - start)
        return min(times)

    ours, loop = best(ema.update), best(by_hand)
    print(f"EMA: ours {ours * 1e3:.2f} ms, a loop {loop * 1e3:.2f} ms, ratio {ours / loop:.2f}")
    assert ours <= 1.2 * loop
