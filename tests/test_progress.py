import math
import random
import sys

import numpy as np
import pytest
import torch

from course_lib import training
from course_lib.training import train
from tests.helpers import Clock, ToyStep, built, toy_batches, weights


@pytest.fixture
def every_step(monkeypatch):
    """Look at the losses after every step, as if each took half a second."""
    monkeypatch.setattr(training, "UPDATE_SECONDS", 0)
    monkeypatch.setattr(training, "SNAPSHOT_SHARE", math.inf)


def test_a_run_first_says_how_long_it_will_take_and_at_last_how_long_it_took(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    train(clock.step(0.2), [0], 1500)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "1500 steps on cpu: about 5 min 0 s"
    assert lines[-1] == "1500 steps on cpu in 5 min 0 s: loss 1"


def test_the_first_step_which_warms_up_does_not_spoil_the_estimate(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    first = iter([60.0])

    def step(batch):
        clock.now += next(first, 0.1)
        return {"loss": 1.0}

    train(step, [0], 1000)
    assert "1000 steps on cpu: about 1 min 40 s" in capsys.readouterr().err


class Terminal:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True

    def lines(self):
        """What one sees: a carriage return goes back to the line's start and writes over it."""
        shown = []
        for line in self.text.split("\n"):
            seen = ""
            for piece in line.split("\r"):
                seen = piece + seen[len(piece) :]
            shown.append(seen.rstrip())
        return shown


def test_a_terminal_shows_progress_in_one_line(monkeypatch):
    clock, terminal = Clock(monkeypatch), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    train(clock.step(0.25), [0], 400, title="toy")
    assert terminal.lines() == [
        "toy: 400 steps on cpu: about 1 min 40 s",
        "toy: 400 steps on cpu in 1 min 40 s: loss 1",
        "",
    ]
    assert "toy: ██████████░░░░░░░░░░ step 201 of 400, 50 s left: loss 1" in terminal.text


def test_a_log_file_gets_a_line_every_half_minute_at_most(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    monkeypatch.setattr("course_lib.progress.perf_counter", lambda: clock.now)
    train(clock.step(0.25), [0], 1200)
    assert 10 <= len(capsys.readouterr().err.splitlines()) <= 13


def test_pictures_are_drawn_ten_times_and_at_the_end(monkeypatch):
    clock, at = Clock(monkeypatch), []
    train(clock.step(0.1), [0], 5000, watch=lambda: at.append(round(clock.now - 1000)))
    assert 9 <= len(at) <= 11
    assert at[0] == pytest.approx(50, abs=2) and at[-1] == 500


def test_slow_pictures_take_a_tenth_of_the_time_at_most(monkeypatch):
    clock, drawn = Clock(monkeypatch), []

    def slow():
        clock.now += 5
        drawn.append(clock.now)

    train(clock.step(0.1), [0], 1000, watch=slow)
    assert 5 * (len(drawn) - 1) <= 0.1 * (100 + 5 * len(drawn))  # the last one always is
    assert len(drawn) >= 2


def test_a_short_run_has_its_last_picture(monkeypatch):
    drawn = []
    train(ToyStep(), toy_batches(), 1, watch=lambda: drawn.append(1))
    assert drawn == [1]


def test_drawing_leaves_no_trace_in_the_run(every_step, monkeypatch):
    """When a picture is drawn depends on the clock: it must not change what is learned."""
    monkeypatch.setattr(training, "PICTURE_SHARE", math.inf)
    monkeypatch.setattr(training, "PICTURES", math.inf)
    plain = built()
    expected = train(plain, toy_batches(), 20)
    step, drawn = built(), []

    def watch():
        step.net.eval()
        drawn.append(torch.rand(3).sum() + np.random.rand() + random.random())
        drawn.append(torch.rand(3, generator=step.noise))

    history = train(step, toy_batches(), 20, watch=watch)
    assert len(drawn) > 20
    assert history.losses == expected.losses and torch.equal(weights(step), weights(plain))
    assert step.net.training


def test_figures_are_closed(monkeypatch):
    import matplotlib

    monkeypatch.setattr(matplotlib, "get_backend", matplotlib.get_backend)
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    train(ToyStep(), toy_batches(), 3, watch=lambda: plt.subplots()[0])
    assert plt.get_fignums() == []


def test_an_error_in_watch_comes_through():
    with pytest.raises(ZeroDivisionError):
        train(ToyStep(), toy_batches(), 3, watch=lambda: 1 / 0)


NOTEBOOK = """
import matplotlib.pyplot as plt, torch, time
from course_lib import training
from course_lib.training import train
{setup}
net = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
def step(x):
    time.sleep(0.01)
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {{"loss": loss}}
drawn = []
def watch():
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([net.bias.item()])
    drawn.append(1)
    return fig
history = train(step, [torch.ones(3, 2)], {steps}, watch=watch, checkpoint={checkpoint!r})
"""


def execute(*sources):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_notebook_keeps_one_line_and_one_picture(tmp_path):
    often = "training.UPDATE_SECONDS, training.PICTURE_SHARE = 0.05, 10"
    folder = str(tmp_path / "run")
    cell = NOTEBOOK.format(setup=often, steps=250, checkpoint=folder)
    first, drawn, again, html = execute(
        cell,
        "print(len(drawn) > 2, plt.get_fignums())",
        f"history = train(step, [torch.ones(3, 2)], 250, watch=watch, checkpoint={folder!r})",
        "class Page:\n    def _repr_html_(self):\n        return '<b>x</b>'\n"
        "train(step, [torch.ones(3, 2)], 3, watch=Page)",
    )
    line, picture = first
    assert line.output_type == picture.output_type == "display_data"
    assert list(line.data) == ["text/plain"]
    assert line.data["text/plain"].startswith("250 steps on cpu in ")
    assert "loss" in line.data["text/plain"] and "\n" not in line.data["text/plain"]
    assert "image/png" in picture.data and len(picture.data["image/png"]) < 30_000
    assert drawn[0].text == "True []\n"
    line, picture = again
    said = line.data["text/plain"].splitlines()
    assert "has all 250 steps already: nothing to train" in said[0]
    assert said[1].startswith("250 steps on cpu in ")
    assert "image/png" in picture.data
    line, page, result = html
    assert page.data["text/html"] == "<b>x</b>"
    assert result.data["text/plain"].startswith("3 steps in ")


def reply_to(request, client):
    while True:
        message = client.get_shell_msg(timeout=60)
        if message["parent_header"]["msg_id"] == request:
            return message["content"]


def test_the_stop_button_of_a_notebook_ends_the_cell_and_keeps_what_was_learned():
    manager = pytest.importorskip("jupyter_client.manager")
    kernel, client = manager.start_new_kernel(kernel_name="python3")
    try:
        setup = NOTEBOOK.format(setup="", steps=100_000, checkpoint=None)
        request = client.execute(setup)
        while "step" not in str(client.get_iopub_msg(timeout=60)["content"].get("data", "")):
            pass
        kernel.interrupt_kernel()
        assert reply_to(request, client)["status"] == "ok"
        expressions = {"seen": "(history.stopped, history.steps > 0, float(net(torch.ones(2))))"}
        request = client.execute("", user_expressions=expressions)
        seen = reply_to(request, client)["user_expressions"]["seen"]
        assert seen["data"]["text/plain"].startswith("('interrupted at step"), seen
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
