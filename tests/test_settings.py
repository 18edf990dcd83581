"""A run that is taken up with settings that were edited in its cell."""

import collections

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop
from torch.optim import lr_scheduler as schedules

from course_lib import checkpoints, data, settings
from course_lib.training import EMA, train

SAID = "changed in the cell since the run began, and used from here on: "


class Step:
    def __init__(self, optimizer=Adam, schedule=None, loss="square", decay=None, **options):
        torch.manual_seed(0)
        self.net, self.loss = nn.Linear(3, 1), loss
        self.optimizer = optimizer(self.net.parameters(), **{"lr": 0.1, **options})
        if schedule:
            self.schedule = schedule(self.optimizer)
        if decay:
            self.ema = EMA(self.net, decay)

    def __call__(self, x):
        loss = self.net(x).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if hasattr(self, "schedule"):
            plateau = isinstance(self.schedule, schedules.ReduceLROnPlateau)
            self.schedule.step(*([loss.detach()] if plateau else []))
        return {"loss": loss}

    @property
    def group(self):
        return self.optimizer.param_groups[0]


X = [torch.randn(4, 3, generator=torch.Generator().manual_seed(i)) for i in range(3)]


def said(capsys):
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if line.startswith("changed in the cell")]


def resumed(folder, before, after, capsys, steps=9):
    """A step that takes up a run of 6 steps, and what was said of changes."""
    train(before, X, 6, checkpoint=folder)
    capsys.readouterr()
    train(after, X, steps, checkpoint=folder)
    return after, said(capsys)


@pytest.mark.parametrize(
    "before, after, told",
    [
        ({}, {"lr": 0.01}, "optimizer.lr 0.01 (it was 0.1)"),
        ({}, {"lr": torch.tensor(0.5)}, "optimizer.lr 0.5 (it was 0.1)"),
        ({"lr": np.float64(0.1)}, {"lr": np.float64(0.25)}, "optimizer.lr 0.25 (it was 0.1)"),
        ({}, {"betas": (0.5, 0.9)}, "optimizer.betas (0.5, 0.9) (it was (0.9, 0.999))"),
        ({}, {"weight_decay": 0.1}, "optimizer.weight_decay 0.1 (it was 0)"),
        ({}, {"amsgrad": True}, "optimizer.amsgrad True (it was False)"),
        (
            {"optimizer": SGD},
            {"optimizer": SGD, "momentum": 0.9, "lr": 0.2},
            "optimizer.lr 0.2 (it was 0.1), optimizer.momentum 0.9 (it was 0)",
        ),
        (
            {"optimizer": RMSprop},
            {"optimizer": RMSprop, "centered": True, "momentum": 0.5},
            "optimizer.centered True (it was False), optimizer.momentum 0.5 (it was 0)",
        ),
    ],
)
def test_what_was_edited_is_used_and_told_in_one_line(tmp_path, capsys, before, after, told):
    step, lines = resumed(tmp_path, Step(**before), Step(**after), capsys)
    assert lines == [SAID + told]
    for name in after.keys() - {"optimizer"}:
        assert step.group[name] == after[name]


def test_what_was_not_edited_is_told_of_by_no_line(tmp_path, capsys):
    for before in ({}, {"schedule": lambda o: schedules.CosineAnnealingLR(o, 20)}):
        _, lines = resumed(tmp_path / str(len(before)), Step(**before), Step(**before), capsys)
        assert lines == []


SCHEDULES = {
    "cosine": lambda o, n=20: schedules.CosineAnnealingLR(o, n),
    "steps": lambda o: schedules.StepLR(o, 2, 0.5),
    "warm-up from 0": lambda o: schedules.LambdaLR(o, lambda n: n / 10),
    "one cycle": lambda o: schedules.OneCycleLR(o, 30 * o.param_groups[0]["lr"], 20),
    "in turn": lambda o: schedules.SequentialLR(
        o, [schedules.LinearLR(o, 0.1, total_iters=3), schedules.ExponentialLR(o, 0.9)], [3]
    ),
    "chained": lambda o: schedules.ChainedScheduler(
        [schedules.ConstantLR(o, 0.5, 3), schedules.ExponentialLR(o, 0.9)]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_scheduled_rate_goes_on_as_if_it_had_begun_with_the_edited_one(tmp_path, capsys, name):
    make = SCHEDULES[name]
    step, lines = resumed(tmp_path, Step(schedule=make), Step(schedule=make, lr=0.2), capsys)
    whole = Step(schedule=make, lr=0.2)
    train(whole, X, 9)
    assert step.group["lr"] == pytest.approx(whole.group["lr"], rel=1e-6)
    assert len(lines) == 1 and "optimizer.lr" in lines[0]


@pytest.mark.parametrize(
    "before, after, told",
    [
        (
            lambda o: schedules.StepLR(o, 2, 0.5),
            lambda o: schedules.StepLR(o, 2, 0.9),
            "schedule.gamma 0.9 (it was 0.5)",
        ),
        (
            lambda o: schedules.CosineAnnealingLR(o, 20),
            lambda o: schedules.CosineAnnealingLR(o, 40),
            "schedule.T_max 40 (it was 20)",
        ),
        (
            lambda o: schedules.ReduceLROnPlateau(o, patience=1),
            lambda o: schedules.ReduceLROnPlateau(o, patience=5),
            "schedule.patience 5 (it was 1)",
        ),
    ],
)
def test_an_edited_schedule_is_used_from_where_it_stands(tmp_path, capsys, before, after, told):
    step, lines = resumed(tmp_path, Step(schedule=before), Step(schedule=after), capsys)
    assert lines == [SAID + told]
    assert step.schedule.last_epoch == 9


def test_edited_milestones_are_used(tmp_path, capsys):
    try:
        checkpoints.check_storable({"milestones": collections.Counter([2])})
    except TypeError:
        pytest.skip("this torch cannot store a MultiStepLR safely")
    before, after = (
        Step(schedule=lambda o, at=at: schedules.MultiStepLR(o, [2, at])) for at in (50, 7)
    )
    step, lines = resumed(tmp_path, before, after, capsys)
    assert step.group["lr"] == pytest.approx(0.1 * 0.1 * 0.1) and "milestones" in lines[0]


def test_a_change_is_told_once_and_one_back_is_told_too(tmp_path, capsys):
    told = []
    for steps, lr in ((3, 0.1), (6, 0.01), (9, 0.01), (12, 0.1)):
        step = Step(lr=lr)
        train(step, X, steps, checkpoint=tmp_path)
        told.append(len(said(capsys)))
        assert step.group["lr"] == lr
    assert told == [0, 1, 0, 1]


def test_a_step_that_lives_on_in_the_kernel_has_not_been_edited_by_its_training(tmp_path, capsys):
    def make():
        return Step(schedule=SCHEDULES["cosine"])

    whole, step = make(), make()
    train(whole, X, 9)
    _, lines = resumed(tmp_path, step, step, capsys)
    assert lines == [] and torch.equal(step.net.weight, whole.net.weight)
    step.group["weight_decay"] = 0.5  # between two cells
    train(step, X, 12, checkpoint=tmp_path)
    assert said(capsys) == [SAID + "optimizer.weight_decay 0.5 (it was 0)"]


def test_a_step_that_failed_midway_has_not_been_edited_either(tmp_path, capsys):
    step = Step(schedule=SCHEDULES["steps"])
    train(step, X, 3, checkpoint=tmp_path)
    with pytest.raises(TypeError):
        train(step, [*X, None], 9, checkpoint=tmp_path, checkpoint_every=1e9)
    capsys.readouterr()
    train(step, X, 9, checkpoint=tmp_path)
    assert said(capsys) == []


def test_of_a_run_that_is_complete_changes_are_told_and_not_used(tmp_path, capsys):
    before = Step()
    step, lines = resumed(tmp_path, before, Step(lr=0.01), capsys, steps=6)
    assert lines == [SAID.replace("used from here on", "not used, as all steps are done")
                     + "optimizer.lr 0.01 (it was 0.1)"]  # fmt: skip
    assert torch.equal(step.net.weight, before.net.weight)


def test_two_runs_of_one_architecture_in_one_folder_are_told_apart(tmp_path, capsys):
    _, lines = resumed(tmp_path / "a", Step(loss="square"), Step(loss="absolute"), capsys)
    assert lines == [SAID + "loss absolute (it was square)"]
    _, lines = resumed(tmp_path / "b", Step(decay=0.9), Step(decay=0.99), capsys)
    assert lines == [SAID + "ema.decay 0.99 (it was 0.9)"]


def test_other_pictures_and_another_batch_size_are_told(tmp_path, capsys):
    class Flat(Step):
        def __call__(self, x):
            return super().__call__(x.flatten(1)[:, :3])

    digits, emoji = data.load("digits"), data.load("emoji", size=8)
    train(Flat(), digits.batches(4), 3, checkpoint=tmp_path)
    capsys.readouterr()
    train(Flat(), digits.batches(8), 6, checkpoint=tmp_path)
    assert said(capsys) == [SAID + "batches.batch_size 8 (it was 4)"]
    train(Flat(), emoji.batches(8), 9, checkpoint=tmp_path)
    told = "batches.name emoji (it was digits), batches.pictures 1262 (it was 1438)"
    assert said(capsys) == [SAID + told]


def test_the_functions_and_numbers_of_a_closure_are_settings():
    def one():
        pass

    def two():
        pass

    def make(f, weight):
        net = nn.Linear(1, 1)
        return lambda x: (f, weight, net)

    before, after = (settings.settings(make(*held), {}) for held in ((one, 1.0), (two, 2.0)))
    assert settings.changes(before, after) == ["f two (it was one)", "weight 2 (it was 1)"]
