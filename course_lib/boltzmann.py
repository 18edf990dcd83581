"""Restricted Boltzmann machines, and the belief network that is made of them.

Visible units v and hidden units h are 0 or 1, and each pair of them has an energy:

    E(v, h) = −b·v − c·h − vᵀ W h,    p(v, h) = exp(−E) / Z

(Smolensky 1986). Given one side, the units of the other are independent, so that drawing is easy;
the partition function Z is a sum over all states, so that learning is not. With few hidden units Z
can be summed exactly; contrastive divergence does without it (Hinton 2002). Machines on top of each
other make a deep belief network, which could draw digits when asked for one (Hinton et al. 2006).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.checks import (
    MANY,
    at_least_one,
    below,
    beside,
    finite,
    floats,
    instance,
    number,
    random_source,
    shaped,
    whole,
    wholes,
)

MOST = 20  # hidden units whose 2²⁰ states are still summed


def cd_gradient(
    v: Float[Tensor, "B V"],
    W: Float[Tensor, "V H"],
    b: Float[Tensor, " V"],
    c: Float[Tensor, " H"],
    u_h: Float[Tensor, "B H"],
    u_v: Float[Tensor, "B V"],
) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"], Float[Tensor, " H"]]:
    """Which way contrastive divergence (CD-1) moves W, b and c: data minus reconstruction.

    h ~ p(h | v), v' ~ p(v | h): a unit is on where its uniform number u is below its probability.
    ΔW = mean of v p(h | v)ᵀ − v' p(h | v')ᵀ,   Δb = mean of v − v',   Δc = mean of p(h|v) − p(h|v')

    Raises ValueError for shapes that disagree. Source: Hinton 2002; the probabilities in place of
    draws at both ends: Hinton 2010, section 3.
    """
    V, H = shaped("W", W, "V", "H").shape
    shaped("b", b, V, like=W), shaped("c", c, H, like=W), _units("v", v, V, W)
    beside("u_h", shaped("u_h", u_h, len(v), H), v), beside("u_v", shaped("u_v", u_v, len(v), V), v)
    for name, x in (("W", W), ("b", b), ("c", c), ("u_h", u_h), ("u_v", u_v)):
        finite(name, x, wait=False)
    p = (v @ W + c).sigmoid()
    h = (u_h < p).to(v.dtype)
    again = (u_v < (h @ W.T + b).sigmoid()).to(v.dtype)
    q = (again @ W + c).sigmoid()
    return (v.T @ p - again.T @ q) / len(v), (v - again).mean(0), (p - q).mean(0)


class RBM(nn.Module):
    """A restricted Boltzmann machine of `visible` and `hidden` units, 0 or 1, as floats.

    W is (visible, hidden). Its weights have no gradients: `CDStep` moves them. Raises ValueError
    for other widths than it was made for.
    """

    def __init__(self, visible: int, hidden: int, generator: torch.Generator | None = None):
        super().__init__()
        at_least_one(visible=visible, hidden=hidden), random_source(generator)
        self.visible, self.hidden = visible, hidden
        self.W = _fixed(0.01 * torch.randn(visible, hidden, generator=generator))
        self.b, self.c = _fixed(torch.zeros(visible)), _fixed(torch.zeros(hidden))

    def up(self, v: Float[Tensor, "B V"]) -> Float[Tensor, "B H"]:
        """p(h = 1 | v) = sigmoid(vW + c)."""
        _units("v", v, self.visible, self.W)
        return (v @ self.W + self.c).sigmoid()

    def down(self, h: Float[Tensor, "B H"]) -> Float[Tensor, "B V"]:
        """p(v = 1 | h) = sigmoid(hWᵀ + b)."""
        _units("h", h, self.hidden, self.W)
        return (h @ self.W.T + self.b).sigmoid()

    def free_energy(self, v: Float[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """F(v) = −b·v − Σ softplus(vW + c), so that p(v) = exp(−F(v)) / Z."""
        _units("v", v, self.visible, self.W)
        return -(v @ self.b) - F.softplus(v @ self.W + self.c).sum(1)

    def log_partition(self) -> Float[Tensor, ""]:
        """log Z = log Σ_h exp(c·h) Π_i (1 + exp(b_i + W_i·h)), summed over the smaller side.

        Raises ValueError where that side has more than 20 units.
        """
        return self._log_weights(*self._smaller()).logsumexp(0)

    def log_likelihood(self, v: Float[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """log p(v) of each row, in nats, exactly."""
        return -self.free_energy(v) - self.log_partition()

    def exact_gradient(
        self, v: Float[Tensor, "B V"]
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"], Float[Tensor, " H"]]:
        """The gradient of the mean log p(v): what the data say minus what the model says.

        ∂W = mean v p(h | v)ᵀ − E v hᵀ under the model, and alike for b and c. The expectation is
        summed over all hidden states: raises as `log_partition`, there are 20 hidden units at most.
        """
        if self.hidden > MOST:
            raise ValueError(f"hidden must be at most {MOST} for a sum over its states")
        p, states = self.up(v), _states(self.hidden, self.W)
        weights = self._log_weights(states, self.W.T, self.c, self.b).softmax(0)[:, None]
        shown = self.down(states) * weights  # (2^H, V), each state as often as it occurs
        model = shown.T @ states, shown.sum(0), (weights * states).sum(0)
        told = v.T @ p / len(v), v.mean(0), p.mean(0)
        return tuple(a - b for a, b in zip(told, model, strict=True))

    def gibbs(
        self,
        v: Float[Tensor, "B V"],
        steps: int = 1,
        generator: torch.Generator | None = None,
        clamp: Float[Tensor, "B C"] | None = None,
    ) -> Float[Tensor, "B V"]:
        """`steps` times up and down again, each drawn. The last C units are held at `clamp`."""
        _units("v", v, self.visible, self.W)
        random_source(generator)
        if clamp is not None:
            shaped("clamp", clamp, len(v), "C", like=v)
            if clamp.shape[1] > self.visible:
                raise ValueError(
                    f"clamp must have at most {self.visible} columns; got {clamp.shape}"
                )
        for _ in range(whole("steps", steps, 0, most=MANY)):
            v = draw(self.down(draw(self.up(v), generator)), generator)
            if clamp is not None:
                v = torch.cat([v[:, : -clamp.shape[1]], clamp], dim=1)
        return v

    def _smaller(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        hidden = self.hidden <= self.visible
        W, own, other = (self.W.T, self.c, self.b) if hidden else (self.W, self.b, self.c)
        if len(W) > MOST:
            raise ValueError(f"one side must have at most {MOST} units to be summed; got {len(W)}")
        return _states(len(W), W), W, own, other

    def _log_weights(self, states: Tensor, W: Tensor, own: Tensor, other: Tensor) -> Tensor:
        """log Σ over the other side of exp(−E), for each state of one side."""
        return states @ own + F.softplus(states @ W + other).sum(1)


class CDStep:
    """One step uphill by contrastive divergence with momentum: a batch is (B, visible) of 0 and 1.

    k: how often the reconstruction goes up and down. persistent: it goes on from where it was in
    the last step instead of beginning at the data (Tieleman 2008). exact: the exact gradient in its
    place, for at most 20 hidden units. decay pulls W towards 0. steps: the rate then falls to a
    tenth along a straight line. Returns the mean squared error of the reconstruction.
    """

    def __init__(
        self,
        rbm: RBM,
        lr: float = 0.1,
        k: int = 1,
        persistent: bool = False,
        exact: bool = False,
        momentum: float = 0.8,
        decay: float = 2e-4,
        steps: int | None = None,
        generator: torch.Generator | None = None,
    ):
        instance("rbm", rbm, RBM), random_source(generator), whole("k", k, most=MANY)
        number("lr", lr, 0), number("momentum", momentum, 0, 1), number("decay", decay, 0)
        if steps is not None:
            whole("steps", steps)
        self.rbm, self.lr, self.k, self.exact, self.decay = rbm, lr, k, exact, decay
        self.momentum, self.steps, self.generator = momentum, steps, generator
        self.memory = _Memory(rbm, persistent)

    @torch.no_grad()
    def __call__(self, v: Float[Tensor, "B V"]) -> dict[str, Tensor]:
        rbm, p = self.rbm, self.rbm.up(v)
        if self.exact:
            moves = rbm.exact_gradient(v)
        else:
            again = rbm.gibbs(self.memory.start(v), self.k, self.generator)
            self.memory.chains, q = again, rbm.up(again)
            moves = (v.T @ p - again.T @ q) / len(v), (v - again).mean(0), (p - q).mean(0)
        moves = (moves[0] - self.decay * rbm.W, *moves[1:])
        lr = self.lr * max(1 - 0.9 * self.memory.n / self.steps, 0.1) if self.steps else self.lr
        for weight, speed, move in zip(
            (rbm.W, rbm.b, rbm.c), self.memory.speed, moves, strict=True
        ):
            weight.add_(speed.mul_(self.momentum).add_(move, alpha=lr))
        self.memory.n += 1
        return {"error": (v - rbm.down(p)).square().mean()}


class _Memory:
    """Momentum, the chains of a persistent run and the number of the step, kept with the run."""

    def __init__(self, rbm: RBM, persistent: bool):
        self.speed = [torch.zeros_like(weight) for weight in (rbm.W, rbm.b, rbm.c)]
        self.persistent, self.chains, self.n = persistent, None, 0

    def start(self, v: Tensor) -> Tensor:
        """Where Gibbs sampling begins: at the data, or where the chains of the last step are."""
        goes_on = self.persistent and self.chains is not None and len(self.chains) == len(v)
        return self.chains if goes_on else v

    def state_dict(self) -> dict:
        return {"speed": self.speed, "chains": self.chains, "n": self.n}

    def load_state_dict(self, state: dict) -> None:
        self.chains, self.n = state["chains"], state["n"]
        for mine, stored in zip(self.speed, state["speed"], strict=True):
            mine.copy_(stored)


class BeliefNetwork(nn.Module):
    """Restricted Boltzmann machines on top of each other; the top one also has a unit per class.

    widths: visible units, then the hidden ones of each machine: (64, 128, 256) with 10 classes is
    64 – 128 below 138 – 256. Trained from below, each on what those under it make of the data.
    Source: Hinton, Osindero and Teh 2006, without its last fine tuning.
    """

    def __init__(
        self, widths: Sequence[int], classes: int = 10, generator: torch.Generator | None = None
    ):
        super().__init__()
        if len(wholes("widths", widths)) < 2:
            raise ValueError(f"widths must hold visible and hidden units; got {widths!r}")
        at_least_one(classes=classes), random_source(generator)
        inputs = [*widths[:-2], widths[-2] + classes]
        self.classes = classes
        self.machines = nn.ModuleList(
            RBM(v, h, generator) for v, h in zip(inputs, widths[1:], strict=True)
        )

    @property
    def top(self) -> RBM:
        return self.machines[-1]

    def lift(
        self, v: Float[Tensor, "B V"], level: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "B W"]:
        """What the first `level` machines make of v, each layer drawn: the data of the next one."""
        random_source(generator)
        _units("v", v, self.machines[0].visible, self.top.W)
        for machine in self.machines[: whole("level", level, 0, most=len(self.machines))]:
            v = draw(machine.up(v), generator)
        return v

    def with_labels(
        self, v: Float[Tensor, "B W"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, "B W+classes"]:
        """What the top machine sees: the layer below it, and the unit of the class."""
        _units("v", v, self.top.visible - self.classes, self.top.W)
        below("labels", labels, self.classes, len(v), like=v)
        return torch.cat([v, F.one_hot(labels.long(), self.classes).to(v.dtype)], dim=1)

    @torch.no_grad()
    def sample(
        self,
        labels: Int[Tensor, " B"],
        steps: int = 100,
        generator: torch.Generator | None = None,
        start: Float[Tensor, "B W"] | None = None,
    ) -> Float[Tensor, "B V"]:
        """Pictures of the asked classes, as probabilities (B, visible).

        The class units are held; the top machine goes up and down `steps` times, from coin tosses
        or from `start` (what lies below it); then once down to the picture.
        """
        random_source(generator), below("labels", labels, self.classes, "B", like=self.top.W)
        n, width = len(labels), self.top.visible - self.classes
        if start is not None:
            shaped("start", _units("start", start, width, self.top.W), n, width)
        else:
            start = draw(torch.full((n, width), 0.5, device=labels.device), generator)
        said = self.with_labels(start, labels)
        v = self.top.gibbs(said, steps, generator, clamp=said[:, width:])
        v = self.top.down(self.top.up(v))[:, :width]
        for machine in reversed(self.machines[:-1]):
            v = machine.down(draw(v, generator))
        return v

    @torch.no_grad()
    def classify(self, v: Float[Tensor, "B V"]) -> Int[Tensor, " B"]:
        """The class with which the top machine has the least free energy."""
        pictures = self.machines[0].visible - self.classes * (len(self.machines) == 1)
        _units("v", v, pictures, self.top.W)
        for machine in self.machines[:-1]:
            v = machine.up(v)
        every = torch.arange(self.classes, device=v.device)
        energies = [
            self.top.free_energy(self.with_labels(v, label.expand(len(v)))) for label in every
        ]
        return torch.stack(energies, dim=1).argmin(1)


def draw(p: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
    """1 with probability p, else 0, each place for itself."""
    finite("p", floats("p", p), wait=False), random_source(generator)
    place = p.device if generator is None else generator.device
    return (torch.rand(p.shape, generator=generator, device=place).to(p.device) < p).to(p.dtype)


def log_odds(v: Float[Tensor, "n V"], least: float = 0.01) -> Float[Tensor, " V"]:
    """log p / (1 − p) of how often each unit is on: the visible biases to begin with (Hinton 2010).

    p is held in [least, 1 − least].
    """
    finite("v", shaped("v", v, "n", "V")), number("least", least, above=0, most=0.5)
    return v.mean(0).clamp(least, 1 - least).logit()


def _fixed(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight, requires_grad=False)


def _states(n: int, like: Tensor) -> Float[Tensor, "2**n n"]:
    """All rows of n zeros and ones."""
    numbers = torch.arange(2**n, device=like.device)[:, None]
    return (numbers >> torch.arange(n, device=like.device) & 1).to(like.dtype)


def _units(name: str, x: Tensor, width: int, like: Tensor) -> Tensor:
    return finite(name, shaped(name, x, "B", width, like=like), wait=False)
