"""The stored comparisons: how they are read, resumed, and that they are whole."""

import math

import pytest

from course_lib import studies
from course_lib.gan_losses import LOSSES
from course_lib.studies import created_equal


def test_a_table_comes_back_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path)
    rows = [
        {"loss": "hinge", "seed": 1, "frechet": 2.5},
        {"loss": "began", "seed": 0, "frechet": 1},
    ]
    studies.write("small", rows)
    assert studies.read("small") == rows
    studies.write("small", [{"loss": "hinge", "frechet": math.nan}])
    assert math.isnan(studies.read("small")[0]["frechet"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.csv"]


def test_an_unknown_table_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match="created_equal, .*got 'nothing'"):
        studies.read("nothing")


def work(loss, seed):
    return [{"loss": loss, "seed": seed, "updates": mark} for mark in (10, 20)]


def test_only_what_is_missing_is_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(studies, "FOLDER", tmp_path)
    jobs = [("a", 0), ("b", 0), ("a", 1)]
    created_equal._fill("some", work, jobs[:1], ("loss", "seed"))
    created_equal._fill("some", work, jobs, ("loss", "seed"))
    assert capsys.readouterr().out.splitlines()[-1].startswith("some: 2 of 2")
    rows = studies.read("some")
    assert [(r["loss"], r["seed"], r["updates"]) for r in rows] == [
        *(("a", 0, mark) for mark in (10, 20)),
        *(("a", 1, mark) for mark in (10, 20)),
        *(("b", 0, mark) for mark in (10, 20)),
    ]


def test_every_configuration_is_in_the_table_also_those_that_failed():
    runs = {}
    for row in studies.read("created_equal"):
        runs.setdefault((row["loss"], row["lr"], row["seed"]), []).append(row)
    expected = {
        (loss, lr, float(seed))
        for loss in LOSSES
        for lr in created_equal.RATES
        for seed in created_equal.SEEDS
    }
    assert set(runs) == expected and len(created_equal.SEEDS) >= 5
    for rows in runs.values():
        assert [row["updates"] for row in rows] == list(created_equal.MARKS)
        assert all(math.isfinite(row["frechet"]) or row["status"] != "ran" for row in rows)


def test_modes_are_counted_for_every_loss_on_ring_and_grid():
    rows = studies.read("modes")
    expected = {
        (points, loss, float(seed))
        for points in created_equal.POINTS
        for loss in created_equal.IN_THE_PLANE
        for seed in created_equal.SEEDS
    }
    assert {(row["data"], row["loss"], row["seed"]) for row in rows} == expected
    assert all(0 <= row["covered"] <= row["modes"] for row in rows if row["status"] == "ran")


@pytest.mark.parametrize("loss", ["non_saturating", "wgan_gp", "began"])
def test_a_run_reports_its_budget_and_the_same_seed_gives_the_same(loss):
    once, again = (created_equal.run(loss, 3e-4, 0, updates=12) for _ in range(2))
    (row,) = once
    assert row["updates"] == 12 and row["status"] == "ran"
    assert 0 < row["frechet"] < 1000 and 0 <= row["precision"] <= 1 and 0 <= row["recall"] <= 1
    assert {k: v for k, v in row.items() if k != "seconds"} == {
        k: v for k, v in again[0].items() if k != "seconds"
    }


def test_five_steps_of_the_critic_count_as_updates(monkeypatch):
    step = created_equal._players("wgan_gp", 1e-4)
    assert step.d_steps == 5
    monkeypatch.setattr(type(step), "__call__", lambda self, batch: {})
    asked = []
    created_equal._play(step, iter(lambda: asked.append(1), 0), 0, 60)
    assert len(asked) == 10


def test_a_run_that_breaks_is_a_row_of_its_own():
    rows = created_equal.run("non_saturating", 1e30, 0, updates=12)
    assert rows[-1]["status"].startswith("stopped: ") and math.isnan(rows[-1]["frechet"])


def test_a_critic_whose_slope_is_penalised_has_no_batchnorm():
    def norms(loss):
        net = created_equal._players(loss, 1e-4).discriminator
        return sum("BatchNorm" in type(layer).__name__ for layer in net.modules())

    assert norms("wgan_gp") == norms("dragan") == 0 < norms("wasserstein") == norms("hinge")
