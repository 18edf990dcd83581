"""Sliders: each stop draws another picture and reads out another number."""

import html
import io
import math
import re

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import auditing, autoencoders, data, dcgan, gan, plots, shapes, widgets
from course_lib.diffusion import Diffusion, linear_betas
from course_lib.exercises import ddpm
from course_lib.gan_losses import LOSSES


def of_type(widget, kind):
    return [child for child in widget.children if isinstance(child, kind)]


def bandwidth():
    points = [
        data.load(
            "toy2d", variant="spiral", n=50, generator=torch.Generator().manual_seed(s)
        ).points
        for s in (0, 1)
    ]
    return widgets.bandwidth(*points)


DISTANCES = torch.linspace(0, 12, 25)


def slid_away():
    return widgets.slid_away(DISTANCES, {"minimax": torch.exp(-DISTANCES), "own": DISTANCES})


@pytest.mark.parametrize("make", [bandwidth, widgets.octaves, widgets.orbits, slid_away])
def test_every_stop_draws_its_own_picture_and_says_its_own_number(make):
    before = plt.get_fignums()
    widget = make()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = of_type(widget, ipywidgets.Image), of_type(widget, ipywidgets.HTML)
    seen = set()
    for _, value in slider.options:
        slider.value = value
        assert bytes(picture.value).startswith(b"\x89PNG")
        seen.add((bytes(picture.value), readout.value))
    assert len(seen) == len(slider.options) == 5
    assert plt.get_fignums() == before


def test_the_bandwidth_widget_reads_out_the_held_out_likelihood():
    widget = bandwidth()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,) = of_type(widget, ipywidgets.HTML)
    nats = {}
    for _, sigma in slider.options:
        slider.value = sigma
        nats[sigma] = float(readout.value.split("<b>")[1].split(" nats")[0])
    assert nats[0.1] > nats[0.01] + 2 and nats[0.1] > nats[1.0] + 1


def test_a_morph_shows_both_ends_and_what_is_between():
    model = autoencoders.Autoencoder(nc=3, size=16, latent=4).eval()
    widget = widgets.morph(model, torch.rand(5, 3, 16, 16) * 2 - 1)
    first, second, percent = of_type(widget, ipywidgets.IntSlider)
    (picture,) = of_type(widget, ipywidgets.Image)
    shown = {bytes(picture.value)}
    for slider, value in ((first, 3), (second, 4), (percent, 0)):
        slider.value = value
        shown.add(bytes(picture.value))
    assert len(shown) == 4 and first.max == 4


def test_the_latent_plane_follows_both_sliders():
    torch.manual_seed(0)
    widget = widgets.latent_plane(autoencoders.VAE(nc=1, size=16, latent=2).eval())
    (picture,) = of_type(widget, ipywidgets.Image)
    shown = {bytes(picture.value)}
    for slider in of_type(widget, ipywidgets.FloatSlider):
        slider.value = 1.5
        shown.add(bytes(picture.value))
    assert len(shown) == 3


# Lecture 03


@pytest.fixture(scope="module")
def shared_game():
    offered = {"first": LOSSES["non_saturating"], "second": LOSSES["wgan_gp"]}
    return widgets.GanInThePlane(offered)


@pytest.fixture
def game(shared_game):
    """A game at its start, whatever the test before did with it."""
    start = {"shape": "ring8", "loss": "first", "k": 1, "d_lr": 1e-3, "g_lr": 1e-3}
    for menu, value in start.items():
        getattr(shared_game, menu).value = value
    shared_game.reset()
    return shared_game


def shown(game) -> tuple[bytes, str]:
    return bytes(game.picture.value), game.readout.value


def weights(game) -> torch.Tensor:
    nets = game.step.generator, game.step.discriminator
    return torch.cat([w.detach().flatten() for net in nets for w in net.parameters()])


def test_each_tick_of_the_player_trains_and_shows_it(game):
    seen, before = {shown(game)}, weights(game)
    for tick in (1, 2, 3):
        game.time.value = tick
        assert game.done == 8 * tick and f"step {8 * tick}<br>" in game.readout.value
        seen.add(shown(game))
    assert len(seen) == 4 and not torch.equal(weights(game), before)
    assert Image.open(io.BytesIO(game.picture.value)).size == (360, 360)
    assert "of 8</b>" in game.readout.value


def test_back_in_time_the_kept_picture_is_shown_and_nothing_trains(game):
    past = {0: shown(game)}
    for tick in (1, 2, 5):  # a busy page skips ticks
        game.time.value = tick
        past[tick] = shown(game)
    now, done = weights(game), game.done
    for tick, kept in ((1, 1), (0, 0), (2, 2), (4, 2), (3, 2), (5, 5)):
        game.time.value = tick
        assert shown(game) == past[kept], tick
    assert torch.equal(weights(game), now) and game.done == done
    game.time.value = 6
    assert game.done == done + 8 and shown(game) not in past.values()


def test_one_step_is_one_and_the_player_goes_on_from_there(game):
    for tick in (1, 2):
        game.time.value = tick
    game.time.value = 0
    game.one.click()
    assert game.done == 17 and game.time.value == 3 and "step 17<br>" in game.readout.value
    game.time.value = 4
    assert game.done == 25


def test_after_the_last_tick_one_step_is_still_one(game):
    game.time.value = game.time.max
    game.one.click()
    assert game.done == 9 and "step 9<br>" in game.readout.value


def test_k_and_the_speeds_hold_from_the_next_step_on(game):
    game.k.value, game.d_lr.value, game.g_lr.value = 5, 3e-3, 1e-4
    assert game.step.d_steps == 5 and game.done == 0
    rates = [game.step.d_optimizer, game.step.g_optimizer]
    assert [optimizer.param_groups[0]["lr"] for optimizer in rates] == [3e-3, 1e-4]
    calls, d_step = [], game.step.d_step
    game.step.d_step = lambda real, *rest: calls.append(len(real)) or d_step(real, *rest)
    game.time.value = 1
    assert calls == [256] * 5 and game.done == 1  # about as many steps of D a tick


def test_a_tick_trains_in_one_thread_and_gives_the_others_back(game, monkeypatch):
    used, threads, step = [], torch.get_num_threads(), game.step.d_step

    def d_step(*args):
        used.append(torch.get_num_threads())
        return step(*args)

    torch.set_num_threads(2)
    monkeypatch.setattr(game.step, "d_step", d_step)
    game.time.value = 1
    assert set(used) == {1} and torch.get_num_threads() == 2
    monkeypatch.setattr(game.step, "d_step", None)  # an error on the way
    with pytest.raises(TypeError):
        game.time.value = 2
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def test_a_player_that_is_much_faster_moves_more(game):
    def moved(**rates):
        game.reset()
        for name, value in rates.items():
            getattr(game, name).value = value
        before = [w.clone() for w in game.step.generator.parameters()]
        game.one.click()
        after = game.step.generator.parameters()
        return sum((a - b).abs().sum().item() for a, b in zip(after, before, strict=True))

    assert moved(g_lr=1e-2) > 20 * moved(g_lr=1e-4)


def test_started_anew_the_game_is_the_same_again(game):
    def play():
        pictures = [shown(game)]
        for _ in range(2):
            game.one.click()
            pictures.append(shown(game))
        return pictures

    first = play()
    torch.manual_seed(77)
    game.anew.click()
    assert game.time.value == game.play.value == game.done == 0
    assert play() == first


@pytest.mark.parametrize("variant, modes", [("grid25", 25), ("spiral", None)])
def test_the_menu_of_the_data_starts_anew_on_other_points(game, variant, modes):
    game.time.value = 1
    before = shown(game)
    game.shape.value = variant
    assert game.done == 0 and game.time.value == 0 and shown(game) != before
    modes = modes or len(data.load("toy2d", variant=variant).centers)
    assert f"of {modes}</b>" in game.readout.value
    game.time.value = 1
    assert game.done == 8


def test_the_menu_of_the_losses_starts_anew_with_that_loss(game):
    game.k.value, game.time.value = 2, 1
    game.loss.value = "second"
    assert game.step.loss.penalty_points is LOSSES["wgan_gp"].penalty_points
    assert game.done == 0 and game.step.d_steps == 2  # the other settings stay
    game.time.value = 1
    assert game.done == 4


def test_the_box_holds_all_controls_and_offers_every_loss_that_a_score_can_serve():
    def inside(widget):
        children = getattr(widget, "children", ())
        return [widget, *(w for child in children for w in inside(child))]

    offered = inside(widgets.gan_in_the_plane())
    kinds = [type(widget).__name__ for widget in offered]
    counts = {"Play": 1, "IntSlider": 1, "Button": 2, "Dropdown": 5, "Image": 1, "HTML": 1}
    assert {kind: kinds.count(kind) for kind in counts} == counts
    (losses,) = (w for w in offered if getattr(w, "description", "") == "loss")
    assert list(losses.options) == [name for name in LOSSES if name != "began"]
    mine = inside(widgets.gan_in_the_plane({"my own": LOSSES["hinge"], "no": LOSSES["began"]}))
    (losses,) = (w for w in mine if getattr(w, "description", "") == "loss")
    assert losses.options == ("my own",)


def test_the_orbits_read_out_the_radius():
    widget = widgets.orbits()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,) = of_type(widget, ipywidgets.HTML)
    ends = {}
    for name, settings in slider.options:
        slider.value = settings
        first, last = map(float, re.findall(r"\d+\.\d+", readout.value))
        ends[name] = last
        assert first == 1.0
    # √(1 + lr²) a step: 1.01^100 after 200 of 0.1, 1.16^25 after 50 of 0.4
    assert ends["at once, speed 0.1"] == pytest.approx(1.01**100, abs=0.006)
    assert ends["at once, speed 0.4"] == pytest.approx(1.16**25, abs=0.006)
    assert 0.9 < ends["in turns, speed 0.1"] < 1.1
    assert ends["in turns, speed 0.1, with a penalty"] <= 0.01
    assert ends["in turns, non-saturating"] < 1


# Lecture 04


def calculator():
    widget = widgets.shape_calculator()
    sliders = {slider.description: slider for slider in of_type(widget, ipywidgets.IntSlider)}
    return sliders, *of_type(widget, ipywidgets.HTML), *of_type(widget, ipywidgets.Image)


def settle(sliders, **values):
    for name, value in values.items():
        sliders[name].value = value


@pytest.mark.parametrize(
    "case", [(7, 3, 2, 1, 1), (14, 5, 3, 2, 2), (8, 4, 2, 1, 1), (1, 1, 1, 0, 1), (14, 1, 1, 3, 1)]
)
def test_the_calculator_reads_out_the_size_of_the_convolution(case):
    sliders, readout, picture = calculator()
    settle(
        sliders, **dict(zip(("size", "kernel", "stride", "padding", "dilation"), case, strict=True))
    )
    size = shapes.conv2d_size(*case)
    n, k, s, p, d = case
    assert f"⌊({n} + 2·{p} − {d}·({k} − 1) − 1) / {s}⌋ + 1 = <b>{size}</b>" in readout.value
    out = torch.nn.Conv2d(1, 1, k, s, p, d)(torch.zeros(1, 1, n, n))
    assert out.shape[-1] == size and sliders["window"].max == max(size**2 - 1, 1)
    assert sliders["window"].disabled == (size == 1)  # one window: there is none to go to
    assert bytes(picture.value).startswith(b"\x89PNG")


def test_the_calculator_says_what_is_never_looked_at():
    sliders, readout, _ = calculator()
    assert "never" not in readout.value  # 7, 3, 2, 1 fits
    settle(sliders, size=8)
    assert "1 at the right and bottom edge are never looked at" in readout.value


def test_settings_that_cannot_be_show_their_message_and_keep_the_last_picture():
    sliders, readout, picture = calculator()
    settle(sliders, padding=0, kernel=7)
    fine = bytes(picture.value)
    settle(sliders, size=5)
    with pytest.raises(ValueError) as refused:
        shapes.conv2d_size(5, 7, 2, 0, 1)
    assert str(refused.value) in html.unescape(readout.value)
    assert bytes(picture.value) == fine and "=" not in readout.value
    settle(sliders, size=9)
    assert "= <b>2</b>" in readout.value and bytes(picture.value) != fine


def test_the_window_of_the_calculator_walks_over_all_places_and_no_further():
    sliders, _, picture = calculator()
    seen = set()
    for at in range(16):
        sliders["window"].value = at
        seen.add(bytes(picture.value))
    assert len(seen) == 16 and sliders["window"].max == 15
    settle(sliders, size=3)  # 2 × 2 places
    assert sliders["window"].value == sliders["window"].max == 3


def test_a_walk_passes_each_code_and_comes_home():
    torch.manual_seed(0)
    generator = dcgan.Generator(nz=4, ngf=4, nc=1, size=8).eval()
    codes = torch.randn(3, 4)
    widget = widgets.latent_walk(generator, codes)
    (place,), (picture,) = (
        of_type(widget, ipywidgets.FloatSlider),
        of_type(widget, ipywidgets.Image),
    )
    assert place.max == 3
    pictures = {}
    for at in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        place.value = at
        pictures[at] = bytes(picture.value)
    assert pictures[3.0] == pictures[0.0] and len(set(pictures.values())) == 6
    alone = widgets.latent_walk(generator, codes[[1]])
    assert bytes(of_type(alone, ipywidgets.Image)[0].value) == pictures[1.0]


def test_a_walk_goes_along_the_arc(monkeypatch):
    made = []

    def generator(z):
        made.append(z)
        return torch.zeros(1, 1, 8, 8)

    codes = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    widget = widgets.latent_walk(generator, codes)
    of_type(widget, ipywidgets.FloatSlider)[0].value = 1.5
    torch.testing.assert_close(made[-1], gan.slerp(codes[[1]], codes[[0]], 0.5))
    assert made[-1].norm().item() == pytest.approx(3.0)


def test_the_sliding_fakes_say_how_hard_each_loss_pulls():
    widget = slid_away()
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,) = of_type(widget, ipywidgets.HTML)
    for name, i in slider.options:
        slider.value = i
        at = float(name.split()[0])
        assert DISTANCES[i] == at and f"{at:g} σ away" in readout.value
        assert f"own <b>{at:.3g}</b>" in readout.value
        assert f"minimax <b>{math.exp(-at):.3g}</b>" in readout.value


def test_each_budget_has_its_own_picture_and_names_its_first():
    budgets = {
        250: {"a": (5.0, 4.0, 6.0), "b": (3.0, 2.0, 3.9)},
        500: {"a": (2.0, 1.0, 3.0), "b": (2.5, 2.2, 2.8)},
    }
    widget = widgets.by_budget(budgets, floor=0.5)
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = of_type(widget, ipywidgets.Image), of_type(widget, ipywidgets.HTML)
    assert [name for name, _ in slider.options] == ["250 updates", "500 updates"]
    assert "<b>a</b>, 2.00; then b, 2.50" in readout.value and "overlap" in readout.value
    late = bytes(picture.value)
    slider.value = 250
    assert "<b>b</b>, 3.00; then a, 5.00" in readout.value and "are apart" in readout.value
    assert bytes(picture.value) != late


# Lecture 06


def seen_in(widget):
    (picture,) = of_type(widget, ipywidgets.Image)
    return plt.imread(io.BytesIO(picture.value))[..., :3]


def test_the_curtain_shows_the_translation_to_its_left_and_the_original_to_its_right():
    before, after = torch.full((3, 3, 8, 8), -1.0), torch.full((3, 3, 8, 8), 0.5)
    after[2] = 1
    widget = widgets.before_after(before, after, pixels=64)
    curtain, which = of_type(widget, ipywidgets.IntSlider)
    assert seen_in(widget).shape == (64, 64, 3)
    curtain.value = 25
    assert np.allclose(seen_in(widget)[:, :15], 0.75, atol=0.01)
    assert (seen_in(widget)[:, 16:] == 0).all()
    curtain.value = 0
    assert (seen_in(widget) == 0).all()
    which.value, curtain.value = 2, 100
    assert (seen_in(widget) == 1).all()


def test_the_hidden_signal_says_how_far_the_way_back_is_off():
    y, there = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    spoilers = {"nothing": lambda x: x, "brighter": lambda x: x + 0.1}
    widget = widgets.hidden_signal(y, there, lambda z: 10 * z, spoilers)
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,) = of_type(widget, ipywidgets.HTML)
    assert "done: 0.0000" in readout.value and "<b>0.0000</b>" in readout.value
    clean = seen_in(widget)
    slider.value = "brighter"
    assert "done: 0.0500" in readout.value and "<b>0.5000</b>" in readout.value
    assert not np.array_equal(seen_in(widget), clean)


def test_each_weight_of_the_way_back_has_its_pictures_and_its_words():
    x = torch.zeros(2, 3, 4, 4)
    found = {f"λ = {i}": (x + i / 9, x - i / 9) for i in range(3)}
    told = {name: f"says {name}" for name in found}
    widget = widgets.weights_of_the_way_back(x, found, told)
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,) = of_type(widget, ipywidgets.HTML)
    assert slider.value == "λ = 1"
    seen = set()
    for name in found:
        slider.value = name
        assert f"says {name}" in readout.value
        seen.add(seen_in(widget).tobytes())
    assert len(seen) == 3


# Lecture 07


def test_a_picture_is_noised_at_every_stop_and_the_read_out_says_how_much_is_left():
    chain = Diffusion(linear_betas(1000))
    x0 = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    widget = widgets.noised(chain, x0, torch.Generator().manual_seed(0))
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = of_type(widget, ipywidgets.Image), of_type(widget, ipywidgets.HTML)
    assert slider.options[0] == ("t = 0", 0) and slider.options[-1] == ("t = 999", 999)
    seen = set()
    for _, t in slider.options:
        slider.value = t
        seen.add(bytes(picture.value))
        assert f"<b>{chain.alpha_bar[t].sqrt():.1%}</b>" in readout.value
    assert len(seen) == len(slider.options) == 21


def test_a_short_chain_ends_with_a_picture_that_still_shines_through():
    chains = {T: Diffusion(ddpm.short_betas_as_published(T)) for T in (1000, 200)}
    x0 = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    widget = widgets.short_chains(x0, chains, torch.Generator().manual_seed(0))
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = of_type(widget, ipywidgets.Image), of_type(widget, ipywidgets.HTML)
    assert "<b>0.6%</b>" in readout.value and "1,000" in readout.value
    long = bytes(picture.value)
    slider.value = 200
    assert "<b>36.4%</b>" in readout.value and bytes(picture.value) != long


def test_the_way_back_is_shown_moment_by_moment():
    points = torch.arange(6.0).view(3, 2)
    sheets = [torch.full((8, 1, 4, 4), i / 3) for i in range(3)]
    way = plots.WayBack(torch.randn(9, 2), points, points, sheets, [30, 20, 10])
    widget = widgets.way_back(way)
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (picture,), (readout,) = of_type(widget, ipywidgets.Image), of_type(widget, ipywidgets.HTML)
    seen = []
    for i in range(3):
        slider.value = i
        seen.append(bytes(picture.value))
        assert readout.value == f"step {i + 1} of 3"
    assert len(set(seen)) == 3 and [name for name, _ in slider.options] == [
        "t = 30",
        "t = 20",
        "t = 10",
    ]


def test_the_sampler_asks_for_class_steps_and_guidance_from_the_same_noise():
    asked = []

    class Chain:
        def ddim_sample(self, model, shape, labels, guidance, *, steps, start, prediction):
            asked.append((labels.tolist(), guidance, steps, start))
            return torch.full(shape, guidance / 10 + steps / 100 + labels[0] / 10)

    widget = widgets.sampler(None, Chain(), ["bag", "coat"], (1, 8, 8), prediction="v")
    (menu,) = of_type(widget, ipywidgets.Dropdown)
    steps, weight = of_type(widget, ipywidgets.SelectionSlider)
    (picture,) = of_type(widget, ipywidgets.Image)
    pictures = [bytes(picture.value)]
    for control, value in ((menu, 1), (steps, 50), (weight, 4.0)):
        control.value = value
        pictures.append(bytes(picture.value))
    assert [call[:3] for call in asked] == [
        ([0] * 8, 1.0, 10),
        ([1] * 8, 1.0, 10),
        ([1] * 8, 1.0, 50),
        ([1] * 8, 4.0, 50),
    ]
    assert len(set(pictures)) == 4 and all((call[3] == asked[0][3]).all() for call in asked)
    assert menu.options == (("bag", 0), ("coat", 1))


# Lecture 08


def test_the_threshold_counts_the_accused_of_a_million_and_the_guilty_among_them():
    real = torch.linspace(0, 1, 1000, dtype=torch.float64)
    fakes = {"own": torch.linspace(0.5, 1.5, 100), "other": torch.linspace(0, 1, 100)}
    widget = widgets.detector_threshold(real, fakes)
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,), (picture,) = of_type(widget, ipywidgets.HTML), of_type(widget, ipywidgets.Image)
    assert slider.label == "1 %" and "pictures: <b>10,000</b>" in readout.value
    found = (fakes["own"] > slider.value).double().mean().item()
    guilty = 100 * 0.001 * found / (0.001 * found + 0.999 * 0.01)
    assert f"<b>{guilty:.1f}</b>" in readout.value and f"own {found:.0%}" in readout.value
    seen = set()
    for name, value in slider.options:
        slider.value = value
        accused = round(1e6 * (real > value).double().mean().item())
        assert f"pictures: <b>{accused:,}</b>" in readout.value
        assert accused == pytest.approx(1e4 * float(name.split()[0]), abs=1000)
        seen.add(bytes(picture.value))
    assert len(seen) == len(slider.options)


def test_a_stronger_mark_is_seen_more_and_found_more_surely():
    x = data.load("peeps", "test").floats()[:1]
    widget = widgets.watermark_strength(x, 5, auditing.ATTACKS["JPEG 50"])
    (slider,) = of_type(widget, ipywidgets.SelectionSlider)
    (readout,), (picture,) = of_type(widget, ipywidgets.HTML), of_type(widget, ipywidgets.Image)
    told, seen = [], set()
    for _, strength in slider.options:
        slider.value = strength
        told.append([float(v) for v in re.findall(r"[\d.]+(?:e-?\d+)?", readout.value)])
        seen.add(bytes(picture.value))
    decibels = [numbers[0] for numbers in told]
    assert decibels == sorted(decibels, reverse=True) and len(seen) == len(told)
    assert told[-1][-1] < 1e-4 < told[0][-1]  # after JPEG: the strongest is found, the faintest not
