"""The stored comparisons: how they are read, resumed, and that they are whole."""

import math

import pytest
import torch

from course_lib import auditing, data, studies
from course_lib.autoencoders import VAE
from course_lib.gan_losses import LOSSES
from course_lib.pretrained import load_weights
from course_lib.studies import (
    audits,
    created_equal,
    few_steps,
    glasses,
    grain,
    growing,
    judged,
    painting,
    sharper,
    stages,
)

everywhere = pytest.mark.everywhere  # the same once more, of another method: not in `make test`


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
    studies.fill("some", work, jobs[:1], ("loss", "seed"))
    studies.fill("some", work, jobs, ("loss", "seed"))
    assert capsys.readouterr().out.splitlines()[-1].startswith("some: 2 of 2")
    rows = studies.read("some")
    assert [(r["loss"], r["seed"], r["updates"]) for r in rows] == [
        *(("a", 0, mark) for mark in (10, 20)),
        *(("a", 1, mark) for mark in (10, 20)),
        *(("b", 0, mark) for mark in (10, 20)),
    ]


def test_every_loss_has_all_rates_and_seeds_in_the_table_also_runs_that_failed():
    runs = {}
    for row in studies.read("created_equal"):
        runs.setdefault((row["loss"], row["lr"], row["seed"]), []).append(row)
    expected = {
        (loss, lr, float(seed))
        for loss in (*LOSSES, *created_equal.CONTROLS)
        for lr in created_equal.rates(loss)
        for seed in created_equal.SEEDS
    }
    assert set(runs) == expected and len(created_equal.SEEDS) >= 5
    for rows in runs.values():
        assert [row["updates"] for row in rows] == list(created_equal.MARKS)
        assert all(math.isfinite(row["frechet"]) or row["status"] != "ran" for row in rows)


def test_the_best_rate_of_a_loss_lies_between_two_others():
    means = {}
    for row in studies.read("created_equal"):
        if row["updates"] == created_equal.MARKS[-1]:
            means.setdefault(row["loss"], {}).setdefault(row["lr"], []).append(row["frechet"])
    for loss, by_rate in means.items():
        best = min(by_rate, key=lambda lr: sum(by_rate[lr]))
        assert min(by_rate) < best, loss
        assert best < max(by_rate) or loss == "began", loss  # which hardly learns at any


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


@pytest.mark.parametrize(
    "loss", ["non_saturating", *(pytest.param(i, marks=everywhere) for i in ("wgan_gp", "began"))]
)
def test_a_run_reports_its_budget_and_the_same_seed_gives_the_same(loss):
    once, again = (created_equal.run(loss, 3e-4, 0, updates=12) for _ in range(2))
    (row,) = once
    assert row["updates"] == 12 and row["status"] == "ran"
    assert 0 < row["frechet"] < 1000 and 0 <= row["precision"] <= 1 and 0 <= row["recall"] <= 1
    assert {k: v for k, v in row.items() if k != "seconds"} == {
        k: v for k, v in again[0].items() if k != "seconds"
    }


def test_five_steps_of_the_critic_count_as_updates(monkeypatch):
    step = created_equal.players("wgan_gp", 1e-4)
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
        net = created_equal.players(loss, 1e-4).discriminator
        return sum("BatchNorm" in type(layer).__name__ for layer in net.modules())

    assert norms("wgan_gp") == norms("dragan") == 0 < norms("wasserstein") == norms("hinge")
    assert norms("hinge, no BatchNorm") == norms("hinge, spectral norm") == 0


def test_a_control_differs_from_the_hinge_in_its_discriminator_alone():
    hinge, plain, spectral = (
        created_equal.players(loss, 1e-3)
        for loss in ("hinge", "hinge, no BatchNorm", "hinge, spectral norm")
    )
    assert hinge.loss == plain.loss == spectral.loss
    assert hinge.d_steps == plain.d_steps == spectral.d_steps
    bounded = [layer for layer in spectral.discriminator.layers if hasattr(layer, "weight")]
    for _ in range(30):  # one step of power iteration a pass
        spectral.discriminator(torch.randn(2, 1, 32, 32))
    for layer in bounded:
        sigma = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert sigma == pytest.approx(1, abs=0.02)
    assert len(bounded) == 4


# few steps, and against a GAN


@pytest.fixture
def tiny(monkeypatch):
    """The study with a small network, whose weights are drawn rather than trained."""
    full = few_steps.network

    def shipped(name):
        torch.manual_seed(len(name))
        net = full(16)
        torch.nn.init.normal_(net.leave[-1].weight, std=0.05)  # a new U-Net answers 0
        return net.eval()

    monkeypatch.setattr(few_steps, "network", lambda: full(16))
    monkeypatch.setattr(few_steps, "_shipped", shipped)
    monkeypatch.setattr(few_steps, "PILOT", 1)


def test_fewer_seeds_draw_where_drawing_takes_long():
    cells = few_steps.cells()
    assert len(set(cells)) == len(cells) == 3 * (6 * 3 + 2) - 1  # no flow in 1,000 steps
    assert {seed for _, steps, seed in cells if steps >= 200} == {0}
    assert {steps for _, steps, _ in cells} == {1, 2, 5, 10, 20, 50, 200, 1000}


@pytest.mark.parametrize("sampler", few_steps.SAMPLERS)
def test_a_sampler_is_judged_beside_its_floor_and_the_same_seed_gives_the_same(tiny, sampler):
    once, again = (few_steps.quality(sampler, 2, 0, judged=30) for _ in range(2))
    other = few_steps.quality(sampler, 2, 1, judged=30)
    assert (once["sampler"], once["steps"], once["judged"]) == (sampler, 2, 30)
    assert 0 < once["floor"] < once["frechet"] < 1000 and once["ms_per_image"] > 0
    assert once["frechet"] == again["frechet"] != other["frechet"]


def test_the_samplers_draw_from_the_same_noise_in_parts(tiny, monkeypatch):
    model, labels = few_steps._shipped("some"), torch.arange(6)

    def drawn(kind):
        return few_steps.draw(kind, model, labels, 1, torch.Generator().manual_seed(0))

    whole = {kind: drawn(kind) for kind in ("v", "ancestral", "flow", "eps")}
    torch.testing.assert_close(whole["v"], whole["ancestral"])  # one step has no noise to add
    assert (whole["v"] - whole["flow"]).abs().max() > 0.01
    assert (whole["v"] - whole["eps"]).abs().max() > 0.01
    monkeypatch.setattr(few_steps, "AT_ONCE", 4)
    torch.testing.assert_close(drawn("v"), whole["v"], rtol=0, atol=0.1)  # bfloat16


@pytest.mark.parametrize("method", few_steps.METHODS)
def test_each_method_is_trained_for_its_time_and_judged(tiny, method):
    row = few_steps.equal_seconds(method, 0, seconds=0.3, judged=30)
    assert row["method"] == method and row["steps"] >= 1 and row["seconds"] > 0
    assert 0 < row["floor"] < row["frechet"] and 0 <= row["precision"] <= 1 >= row["recall"] >= 0


def test_more_time_means_more_steps(tiny):
    few, more = (few_steps.equal_seconds("gan", 0, seconds, judged=30) for seconds in (0.1, 2.0))
    assert more["steps"] > 3 * few["steps"]


def test_every_cell_of_few_steps_and_of_the_comparison_is_in_its_table():
    rows = studies.read("few_steps")
    assert {(row["sampler"], row["steps"], row["seed"]) for row in rows} == set(few_steps.cells())
    runs = studies.read("against_gan")
    wanted = {(method, seed) for method in few_steps.METHODS for seed in few_steps.SEEDS}
    assert {(row["method"], row["seed"]) for row in runs} == wanted
    assert all(0.6 < row["seconds"] / few_steps.SECONDS < 1.2 for row in runs)
    assert all(row["frechet"] > 0.9 * row["floor"] for row in [*rows, *runs])


# Lecture 06: one change at a time


def test_a_run_without_the_cycle_loss_keeps_the_identity_loss_and_the_other_way_round():
    for kind, (cycle, identity) in glasses.KINDS.items():
        step = glasses.learned(kind, 0, steps=1)
        assert (step.cycle, step.identity) == (cycle, identity), kind


def test_the_same_faces_with_glasses_keep_everything_and_others_do_not():
    x, y = (people.floats() for people in glasses.people("test"))
    attributes = glasses.people("test")[0].attributes
    outside = torch.ones(32, 32, dtype=torch.bool)
    same = glasses.verdict(x, x, outside, attributes)
    assert same["glasses"] < 0.02 and same["rest"] == 0 and same["skin"] > 0.95
    other = glasses.verdict(y.roll(1, 0), y, outside, attributes)
    assert other["glasses"] > 0.98 and other["rest"] > 0.02 and other["skin"] < 0.5


def test_every_change_with_every_seed_is_in_the_table_of_glasses():
    rows = studies.read("glasses")
    wanted = {(kind, seed) for kind in glasses.KINDS for seed in glasses.SEEDS}
    assert {(row["kind"], row["seed"]) for row in rows} == wanted
    assert all(row["steps"] == glasses.STEPS for row in rows)


# Lecture 08: audits


def test_members_and_strangers_are_of_one_shuffle_and_never_the_same():
    known, strangers = audits.members(20, seed=3)
    more, again = audits.members(100, seed=3)
    assert len(known) == 20 and len(strangers) == len(again) == audits.STRANGERS
    assert torch.equal(more.images[:20], known.images)  # a larger set holds the smaller one
    assert torch.equal(strangers.images, again.images)
    assert not torch.equal(audits.members(20, seed=4)[0].images, known.images)
    assert max(audits.SIZES) + audits.STRANGERS <= len(audits._faces())


def test_planted_faces_stand_as_often_as_was_asked():
    faces = audits.members(7, seed=0)[0]
    planted, times = audits.plant(faces, {4: 1, 2: 2, 1: 4})
    assert times.tolist() == [4, 2, 2, 1, 1, 1, 1] and len(planted) == 12
    equal = (planted.images[:, None] == faces.images[None]).flatten(2).all(2)
    assert equal.sum(0).tolist() == times.tolist()


def test_a_memory_run_counts_and_the_same_seed_gives_the_same():
    once, again = (audits.memory(20, 0, steps=3, judged=30) for _ in range(2))
    assert once == again and once["size"] == 20 and once["members"] == 20
    assert 0 <= once["copies"] <= 30 and 0 <= once["seen"] <= 30 and 0 <= once["auc"] <= 1
    assert once["copies"] == 0 and 0.5 < once["median_ratio"] <= 1  # 3 steps learn nothing
    assert 0 < once["called"] < 0.03 * once["strangers"]  # which is how `NEAR` was chosen


def test_copies_of_each_kind_of_planted_face_are_counted_apart(monkeypatch):
    def parrot(model, n, seed):  # returns the face that stands 4 times, and one that stands once
        faces = audits.members(21, 50)[0].floats()
        return torch.cat([faces[:1]] * (n - 3) + [faces[5:6]] * 3)

    monkeypatch.setattr(audits, "draw", parrot)
    rows = audits.planted(0, steps=1, judged=10, counts={4: 1, 1: 20})
    assert [(row["times"], row["faces"], row["copies"]) for row in rows] == [(4, 1, 7), (1, 20, 3)]
    assert all(row["rows"] == 24 for row in rows)


def test_losses_are_a_picture_each_and_do_not_depend_on_company():
    def model(x, t):
        return torch.zeros_like(x)

    model.parameters = lambda: iter([torch.zeros(1)])
    x = audits.members(20, 0)[0].floats()
    all_of_them = audits.losses(model, x)
    assert all_of_them.shape == (20,) and (all_of_them > 0.5).all()
    assert torch.equal(all_of_them, audits.losses(model, x))


def test_so_many_people_wear_glasses_as_was_asked():
    faces = audits.people(0.7, seed=0)
    wears = faces.attributes["glasses"].bool()
    assert wears.double().mean().item() == pytest.approx(0.7, abs=1e-3)
    bare, worn = audits._pairs("train")
    assert torch.equal(faces.images[wears], worn.images[wears])
    assert torch.equal(faces.images[~wears], bare.images[~wears])
    assert not torch.equal(wears, audits.people(0.7, seed=1).attributes["glasses"].bool())


def test_the_judge_of_glasses_is_right_about_people_it_has_not_seen():
    for wears, faces in enumerate(audits._pairs("test")):
        share, _ = auditing.attribute_shares(audits.wears_glasses, faces.floats())
        assert abs(share - wears) < 0.03


@pytest.mark.parametrize("kind", audits.KINDS)
def test_each_kind_of_model_is_trained_and_its_glasses_counted(kind):
    row = audits.bias(kind, 0.7, 0, steps=2, judged=20)
    assert row["kind"] == kind and row["share"] == 0.7 and 0 <= row["shown"] <= 20
    x = audits.drawn_by(kind, audits.people(0.7, 0), 0, steps=2, n=5)
    assert x.shape == (5, 3, audits.SIDE, audits.SIDE) and x.abs().max() <= 1


def test_an_unknown_kind_of_model_is_named():
    with pytest.raises(ValueError, match="vae, gan, flow; got 'pca'"):
        audits.drawn_by("pca", audits.people(0.5, 0), 0, steps=1, n=2)


def test_every_cell_of_the_audits_is_in_its_table():
    rows = studies.read("memorised")
    wanted = {(size, seed) for size in audits.SIZES for seed in audits.SEEDS}
    assert {(row["size"], row["seed"]) for row in rows} == wanted
    assert all(row["copies"] <= row["judged"] == audits.JUDGED for row in rows)
    rows = studies.read("planted")
    wanted = {(seed, times) for seed in audits.SEEDS for times in audits.PLANTED}
    assert {(row["seed"], row["times"]) for row in rows} == wanted
    rows = studies.read("attributes")
    seeds = audits.BIAS_SEEDS
    wanted = {(kind, share, s) for kind in audits.KINDS for share in audits.SHARES for s in seeds}
    assert {(row["kind"], row["share"], row["seed"]) for row in rows} == wanted and len(seeds) >= 3


def test_the_judged_vaes_are_all_in_the_table_and_measured_alike():
    rows = studies.read("judged")
    runs = {(row["method"], row["seed"]) for row in rows}
    assert runs == {(method, seed) for method in judged.METHODS for seed in judged.SEEDS}
    assert len(rows) == 9 and all(row["frechet"] > 0 and 0 <= row["recall"] <= 1 for row in rows)


@pytest.mark.parametrize(
    "method",
    [pytest.param(m, marks=[everywhere] * (m != "IntroVAE")) for m in judged.METHODS],
)
def test_a_judged_vae_of_the_same_seed_is_the_same_and_of_another_is_not(method):
    a, b, other = (judged.trained(method, seed, steps=2) for seed in (0, 0, 1))
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name
    assert not torch.equal(a.decoder.net[0].weight, other.decoder.net[0].weight)


def test_what_is_shipped_of_the_judged_vaes_has_the_scores_of_seed_0():
    model = load_weights("introvae_peeps32", VAE(nc=3, size=32, latent=32))
    (row,) = [r for r in studies.read("judged") if (r["method"], r["seed"]) == ("IntroVAE", 0)]
    assert judged.measured(model)["error"] == pytest.approx(row["error"], rel=0.02)


def test_both_ways_of_growing_are_in_the_table_with_all_seeds():
    rows = studies.read("growing")
    runs = {(row["way"], row["seed"]): row for row in rows}
    assert runs.keys() == {(way, seed) for way in growing.WAYS for seed in growing.SEEDS}
    for seed in growing.SEEDS:  # small pictures cost less, so more of them are seen
        grown, direct = (runs[way, seed] for way in growing.WAYS)
        assert grown["seen"] > direct["seen"]
        assert grown["seen"] > (2 * len(growing.LEVELS) - 1) * growing.PHASE  # grown to the end


@pytest.mark.parametrize("way", growing.WAYS)
def test_a_generator_is_grown_or_trained_at_full_size_and_judged(way, monkeypatch):
    monkeypatch.setattr(growing, "PHASE", 4)
    net, seen = growing.trained(way, 0, seconds=0.5)
    assert seen >= growing.BATCH and seen % growing.BATCH == 0
    net.level, net.alpha = len(growing.LEVELS) - 1, 1.0
    assert growing.measured(net).keys() == {"frechet", "precision", "recall"}


def test_both_ways_of_painting_are_in_the_table_with_all_seeds():
    rows = studies.read("painting")
    found = {(row["way"], row["seed"]) for row in rows}
    assert found == {(way, seed) for way in painting.WAYS for seed in painting.SEEDS}
    assert all(0 < row["overlap"] < row["right"] < 1 for row in rows)


@pytest.mark.parametrize("way", painting.WAYS)
def test_a_painter_of_maps_is_trained_for_its_seconds_and_read_by_the_rule(way):
    net, steps = painting.trained(way, 0, seconds=0.5)
    assert steps >= 1 and not net.training
    assert painting.measured(net, n=8).keys() == {"right", "overlap", "error"}


def test_noise_was_measured_on_faces_with_grain_and_without_for_all_seeds():
    rows = studies.read("grain")
    assert {(r["kind"], r["seed"]) for r in rows} == {
        (k, s) for k in grain.KINDS for s in grain.SEEDS
    }
    assert all(0 < row["light"] < row["dark"] < 0.5 for row in rows)


def test_grain_lies_on_dark_pixels_only_and_is_found_there():
    x = torch.stack([torch.full((3, 32, 32), v) for v in (-0.5, 0.0, 1.0)]).repeat(20, 1, 1, 1)
    y = grain.grained(x, torch.Generator().manual_seed(0))
    assert torch.equal(y[1::3], x[1::3]) and torch.equal(y[2::3], x[2::3])
    assert (y - x)[::3].std().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(y[:, :, ::2, ::2], y[:, :, 1::2, 1::2])
    found = grain.moved(lambda i: grain.grained(x, torch.Generator().manual_seed(i)), 200)
    assert found["light"] == 0 and found["dark"] == pytest.approx(0.3, abs=0.02)
    assert grain.of_data(8)["light"] < 0.01 < 0.2 < grain.of_data(8)["dark"]


def test_a_generator_is_trained_on_with_noise_and_measured():
    row = grain.run("with grain", 0, steps=2, alone=1, people=4)
    assert row.keys() == {"kind", "seed", "dark", "light", "strength"}
    assert row["strength"] == pytest.approx(grain.STRENGTH, abs=0.01) and row["dark"] > 0.05


def test_all_plans_in_stages_have_all_seeds_and_the_first_stage_a_row_of_its_own():
    rows = studies.read("stages")
    plans = {*stages.PLANS, "G1 enlarged"}
    assert {(r["plan"], r["seed"]) for r in rows} == {(p, s) for p in plans for s in stages.SEEDS}
    assert all(0 < row["overlap"] < 1 and 0 < row["error"] < 1 for row in rows)


def test_two_stages_train_the_inner_generator_first_and_keep_it_fixed_next():
    steps = {"steps": (2, 1, 1), "whole": 1}
    rows = stages.run("two stages", 0, n=8, **steps)
    assert [row["plan"] for row in rows] == ["two stages", "G1 enlarged"]
    (row,) = stages.run("whole", 0, n=8, **steps)
    assert row.keys() == rows[0].keys() and row["overlap"] != rows[0]["overlap"]
    batches = data.load("earth").batches(8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    net, alone = stages.stages("two stages", batches, steps=(2, 1, 0))
    inner = dict(net.inner.named_parameters())
    assert all(torch.equal(inner[name], p) for name, p in alone.named_parameters())
    assert stages.stages("whole", batches, **steps)[1] is None


def test_both_decoders_of_tokens_have_all_seeds_and_only_one_has_a_discriminator():
    rows = studies.read("sharper")
    assert {(row["kind"], row["seed"]) for row in rows} == {
        (kind, float(seed)) for kind in sharper.KINDS for seed in sharper.SEEDS
    }
    assert all((row["weight"] > 0) == (row["kind"] == "with") for row in rows)


def test_the_two_trainings_of_a_decoder_differ_in_the_discriminator_alone(monkeypatch):
    monkeypatch.setattr(sharper, "ALONE", 1)
    (a, never), (b, joined) = (sharper.trained(kind, 0, steps=2) for kind in sharper.KINDS)
    assert never == [0, 0] and joined[0] == 0 < joined[1]
    moved = {
        key.split(".")[0]
        for (key, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True)
        if not torch.equal(x, y)
    }
    assert moved == {"decoder"}
