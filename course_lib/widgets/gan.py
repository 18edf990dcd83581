"""Sliders of lecture 03: the game in the plane."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from course_lib import data, gan
from course_lib.checks import MANY, instance, named, whole
from course_lib.gan_losses import LOSSES, Loss
from course_lib.plots import gan as figures
from course_lib.widgets import live, picture_bytes, stacked


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small networks gain nothing by a second thread, and wait for it where a browser is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class GanInThePlane:
    """A GAN on points, live: play, pause, one step, back in time, start anew; k and both rates.

    Each tick of the player trains `steps` steps of D and keeps what it shows, so that the slider
    runs backwards too, which trains nothing. losses: by name, for the menu, such as your own
    `Loss(discriminator_loss, generator_loss)`; those that need an autoencoder for a discriminator
    are left out.
    """

    def __init__(self, losses: Mapping[str, Loss], steps: int = 5, seed: int = 0):
        named("losses", losses, instance, Loss), whole("steps", steps, most=MANY)
        whole("seed", seed, 0, most=2**63)
        self.losses = {name: loss for name, loss in losses.items() if not loss.autoencoder}
        self.steps, self.seed = steps, seed
        option = ipywidgets.Layout(width="17em")
        menus = {"layout": option, "style": {"description_width": "6em"}}
        rate = {"options": RATES, "value": 1e-3} | menus
        self.shape = ipywidgets.Dropdown(options=SHAPES, description="data", **menus)
        self.loss = ipywidgets.Dropdown(options=list(self.losses), description="loss", **menus)
        self.k = ipywidgets.Dropdown(options=(1, 2, 5), description="k", **menus)
        self.d_lr = ipywidgets.Dropdown(description="D's rate", **rate)
        self.g_lr = ipywidgets.Dropdown(description="G's rate", **rate)
        self.play = ipywidgets.Play(max=2000, interval=90, show_repeat=False)
        self.play.tooltip = "play, stop"  # its buttons have signs alone
        self.time = ipywidgets.IntSlider(max=2000, description="time", readout=False)
        self.one = ipywidgets.Button(description="one step", icon="step-forward")
        self.anew = ipywidgets.Button(description="start anew", icon="refresh")
        self.picture, self.readout = ipywidgets.Image(format="png"), ipywidgets.HTML()
        ipywidgets.jslink((self.play, "value"), (self.time, "value"))
        self.time.observe(lambda change: self.show(change["new"]), names="value")
        self.one.on_click(lambda _: self.one_step())
        self.anew.on_click(lambda _: self.reset())
        for menu in (self.shape, self.loss):
            menu.observe(lambda _: self.reset(), names="value")
        for menu in (self.k, self.d_lr, self.g_lr):
            menu.observe(lambda _: self.tune(), names="value")
        self.reset()

    def box(self) -> ipywidgets.VBox:
        controls = ipywidgets.VBox(
            [self.shape, self.loss, self.k, self.d_lr, self.g_lr, self.one, self.anew, self.readout]
        )
        player = ipywidgets.HBox([self.play, self.time])
        return stacked(ipywidgets.HBox([stacked(self.picture, player), controls]))

    def reset(self) -> None:
        self.points = data.load("toy2d", variant=self.shape.value)
        torch.manual_seed(self.seed)
        players = gan.ToyGenerator(), gan.ToyDiscriminator()
        self.step = gan.AdversarialStep(*players, self.losses[self.loss.value])
        self.z = torch.randn(150, self.step.nz)
        self.game = figures.GameInThePlane(self.points.points[:600], len(self.z))
        self.frames, self.done = {}, 0  # time -> what is shown then
        self.tune()
        self.advance(0, time=0)
        self.play.value = self.time.value = 0

    def tune(self) -> None:
        """k and the two learning rates, from the next step on."""
        self.step.d_steps = self.k.value
        self.batches = self.points.batches(256 * self.k.value)
        for player in (self.step.d_optimizer, self.step.g_optimizer):
            lr = self.d_lr.value if player is self.step.d_optimizer else self.g_lr.value
            player.param_groups[0]["lr"] = lr

    @_one_thread()
    def advance(self, steps: int, time: int) -> None:
        """Train, and keep what there is to see as the picture of that time."""
        whole("time", time, 0)
        for _ in range(whole("steps", steps, 0, most=MANY)):
            self.step(next(self.batches))
        self.done += steps
        frame = gan.snapshot(self.step, self.z)
        samples = gan.sample(self.step.generator, 1000)
        found = gan.modes_covered(samples, self.points.centers, self.points.sigma)
        told = (
            f"step {self.done}<br>modes covered: <b>{found.modes} of {len(found.counts)}</b><br>"
            f"samples on a mode: {found.share:.0%}<br>"
            f"D of data: {self._belief(self.points.points[:600]):.2f}, "
            f"D of fakes: {self._belief(samples):.2f}"
        )
        self.frames[time] = picture_bytes(self.game.show(frame, f"step {self.done}")), told
        self.show(time)

    def one_step(self) -> None:
        self.advance(1, max(self.frames) + 1)
        self.time.value = max(self.frames)  # the player goes on from there

    def show(self, time: int) -> None:
        """The last picture kept until then; after all of them, the game goes on.

        A busy page skips times, so not each has its picture.
        """
        if whole("time", time, 0) > max(self.frames):
            return self.advance(max(1, self.steps // self.k.value), time)
        kept = max(t for t in self.frames if t <= time)
        self.picture.value, self.readout.value = self.frames[kept]

    @torch.no_grad()
    def _belief(self, x: Tensor) -> float:
        return self.step.discriminator(x).sigmoid().mean().item()


SHAPES = {"ring of 8": "ring8", "grid of 25": "grid25", "spiral": "spiral"}
RATES = {"0.0001": 1e-4, "0.0003": 3e-4, "0.001": 1e-3, "0.003": 3e-3, "0.01": 1e-2}


def gan_in_the_plane(losses: Mapping[str, Loss] = LOSSES) -> ipywidgets.VBox:
    """Lecture 03: watch both players learn, with a choice of losses, by name."""
    return GanInThePlane(named("losses", losses)).box()


ORBITS = {
    "at once, learning rate 0.1": {"lr": 0.1},
    "at once, learning rate 0.4": {"lr": 0.4, "steps": 50},
    "in turns, learning rate 0.1": {"lr": 0.1, "alternating": True},
    "in turns, learning rate 0.1, with a penalty": {"lr": 0.1, "alternating": True, "r1": 0.5},
    "in turns, non-saturating": {"lr": 0.1, "alternating": True, "loss": "non_saturating"},
}


def orbits() -> ipywidgets.VBox:
    """Lecture 03: the game of one number against one number, over its value function."""
    figure, axes = plt.subplots(figsize=(4, 4))
    path, _ = figures.draw_value_function(axes)
    paths = {name: gan.dirac_gan(**{"steps": 200} | settings) for name, settings in ORBITS.items()}

    def draw(name: str) -> str:
        orbit = paths[name]
        path.set_data(*orbit.T)
        first, last = orbit[0].norm().item(), orbit[-1].norm().item()
        return (
            f"distance from the equilibrium: {first:.2f} at the start, <b>{last:.2f}</b> in the end"
        )

    names = {name: name for name in ORBITS}
    return live(figure, names, draw, start="at once, learning rate 0.1", label="the players move")
