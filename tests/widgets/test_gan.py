"""Sliders of lecture 03: each stop draws another picture and reads out another number."""

import io
import re

import ipywidgets
import pytest
import torch
from PIL import Image

from course_lib import data
from course_lib.gan_losses import LOSSES
from course_lib.widgets import gan as widgets
from tests.helpers import children


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
        assert (
            game.done == game.steps * tick and f"step {game.steps * tick}<br>" in game.readout.value
        )
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
    assert game.done == done + game.steps and shown(game) not in past.values()


def test_one_step_is_one_and_the_player_goes_on_from_there(game):
    for tick in (1, 2):
        game.time.value = tick
    game.time.value = 0
    game.one.click()
    done = 2 * game.steps + 1
    assert game.done == done and game.time.value == 3 and f"step {done}<br>" in game.readout.value
    game.time.value = 4
    assert game.done == done + game.steps


def test_after_the_last_tick_one_step_is_still_one(game):
    game.time.value = game.time.max
    game.one.click()
    assert game.done == game.steps + 1 and f"step {game.done}<br>" in game.readout.value


def test_k_and_the_rates_hold_from_the_next_step_on(game):
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
    assert game.done == game.steps


def test_the_menu_of_the_losses_starts_anew_with_that_loss(game):
    game.k.value, game.time.value = 2, 1
    game.loss.value = "second"
    assert game.step.loss.penalty_points is LOSSES["wgan_gp"].penalty_points
    assert game.done == 0 and game.step.d_steps == 2  # the other settings stay
    game.time.value = 1
    assert game.done == game.steps // 2


def test_the_box_holds_all_controls_and_offers_every_loss_that_a_score_can_serve():
    def inside(widget):
        children = getattr(widget, "children", ())
        return [widget, *(w for child in children for w in inside(child))]

    offered = inside(widgets.gan_in_the_plane())
    kinds = [type(widget).__name__ for widget in offered]
    counts = {"Play": 1, "IntSlider": 1, "Button": 2, "Dropdown": 5, "Image": 1}
    counts["HTML"] = 3  # two of them name the controls for screen readers
    assert {kind: kinds.count(kind) for kind in counts} == counts
    (losses,) = (w for w in offered if getattr(w, "description", "") == "loss")
    assert list(losses.options) == [name for name in LOSSES if name != "began"]
    mine = inside(widgets.gan_in_the_plane({"my own": LOSSES["hinge"], "no": LOSSES["began"]}))
    (losses,) = (w for w in mine if getattr(w, "description", "") == "loss")
    assert losses.options == ("my own",)


def test_the_orbits_read_out_the_radius():
    widget = widgets.orbits()
    (slider,) = children(widget, ipywidgets.SelectionSlider)
    (readout,) = children(widget, ipywidgets.HTML)
    ends = {}
    for name, settings in slider.options:
        slider.value = settings
        first, last = map(float, re.findall(r"\d+\.\d+", readout.value))
        ends[name] = last
        assert first == 1.0
    # √(1 + lr²) a step: 1.01^100 after 200 of 0.1, 1.16^25 after 50 of 0.4
    assert ends["at once, learning rate 0.1"] == pytest.approx(1.01**100, abs=0.006)
    assert ends["at once, learning rate 0.4"] == pytest.approx(1.16**25, abs=0.006)
    assert 0.9 < ends["in turns, learning rate 0.1"] < 1.1
    assert ends["in turns, learning rate 0.1, with a penalty"] <= 0.01
    assert ends["in turns, non-saturating"] < 1
