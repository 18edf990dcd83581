"""Exercises and questions of lecture 10: inversion, directions, words, structure, label maps."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import editing
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal


def _at(*index: int):
    return lambda result: result[index if len(index) > 1 else index[0]]


def _nested(value: Any, f: Callable[[Tensor], Any]) -> Any:
    """`f` of every tensor in lists of lists."""
    if isinstance(value, (list, tuple)):
        return type(value)(_nested(entry, f) for entry in value)
    return f(value)


def _flat(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    _nested(value, found.append)
    return found


def _pulls(label: str, names: Sequence[str], *lists: list, values: bool = True) -> Probe:
    """A call with lists of tensors, which `call` takes no gradients of: those are seen here.

    values: False where any finite gradient will do.
    """

    def observe(f: Callable) -> dict[str, Any]:
        leaves = _nested(list(lists), lambda v: v.clone().requires_grad_())
        result = f(*_nested(leaves, Tensor.clone))
        seen = {"result": result}
        for name, mine in zip(names, leaves, strict=True):
            gradient = _gradient(result, _flat(mine))
            seen["finite gradients"] = seen.get("finite gradients", True) and all(
                bool(g.isfinite().all()) for g in gradient
            )
            if values:
                seen[f"gradient of argument {name}"] = torch.cat([g.flatten() for g in gradient])
        return seen

    return Probe(label, observe, explain={"finite gradients": "Its gradients are not numbers."})


def _gradient(result: Any, leaves: list[Tensor]) -> list[Tensor]:
    if not isinstance(result, Tensor) or not result.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    weights = torch.arange(1.0, result.numel() + 1).view(result.shape).to(result)
    total = (result * weights).sum()
    found = torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(v) if g is None else g for v, g in zip(leaves, found, strict=True)]


# --- perceptual_distance --------------------------------------------------------------------------


_SHOWN_A = [torch.tensor([[3.0, 1.0], [4.0, 2.0]]).view(1, 2, 1, 2)]
_SHOWN_B = [torch.tensor([[8.0, 1.0], [6.0, 2.0]]).view(1, 2, 1, 2)]
_SHORT_A = [torch.tensor([[3e-5, 1.0], [4e-5, 2.0]]).view(1, 2, 1, 2)]
_SHORT_B = [torch.tensor([[4e-5, 1.0], [3e-5, 2.0]]).view(1, 2, 1, 2)]


def _unit(m: Tensor, axes: Any = 1) -> Tensor:
    return m * (m.square().sum(axes, keepdim=True) + 1e-8).rsqrt()


def _squares(d: Tensor) -> Tensor:
    return d.square().sum(1).mean((1, 2))


def _perceptual(
    unit: Callable = _unit, apart: Callable = _squares, maps: slice = slice(None), over: Any = sum
):
    def wrong(maps_a, maps_b):
        pairs = zip(maps_a[maps], maps_b[maps], strict=True)
        return over([apart(unit(a) - unit(b)) for a, b in pairs])

    return wrong


def _mean_of(distances: list[Tensor]) -> Tensor:
    return torch.stack(distances).mean(0)


def _places(n: int, *shapes: tuple, seed: int) -> list[Tensor]:
    return [normal(n, *shape, seed=seed + i) for i, shape in enumerate(shapes)]


def _empty(maps: list[Tensor], *columns: int) -> list[Tensor]:
    for m in maps:
        m[:, :, 0, columns] = 0
    return maps


_TWO_MAPS = _places(2, (3, 4, 5), (2, 3, 2), seed=1), _places(2, (3, 4, 5), (2, 3, 2), seed=5)

PERCEPTUAL_DISTANCE = Exercise(
    id="editing.perceptual_distance",
    title="How far apart are two pictures in a network's eyes?",
    reference=editing.perceptual_distance,
    hints=(
        "Take one place of one map. Its C channels are one vector, an arrow. Two pictures are "
        "alike at this place if the two arrows have the same direction. How do you compare "
        "directions alone, and how do you get one number a picture out of all places?",
        "Divide each arrow by √(Σ over channels of its squares + 1e-8). Then "
        "Σ over maps of (mean over places of (Σ over channels of (a − b)²)).",
        "`m / (m.square().sum(1, keepdim=True) + 1e-8).sqrt()` brings every place to length 1. "
        "For each pair of maps, `(a - b).square().sum(1).mean((1, 2))` is one number a picture; "
        "add these up in a loop over `zip(maps_a, maps_b)`.",
    ),
    mistakes=(
        Mistake(
            "lengths left as they are",
            _perceptual(unit=lambda m: m),
            "Your distance changes when all features are doubled: for the two places (3, 4), (1, "
            "2) against (8, 6), (1, 2) you say {got:.3g}, where {expected:.2g} is asked. Only "
            "directions should count.",
            example(_SHOWN_A, _SHOWN_B, pick=_at(0), gives=14.5),
        ),
        Mistake(
            "one length for the whole map",
            _perceptual(unit=lambda m: _unit(m, (1, 2, 3))),
            "You divide the whole map by one length. One loud place then makes all other places "
            "quiet: for (3, 4), (1, 2) against (8, 6), (1, 2) you say {got:.3g} instead of "
            "{expected:.2g}.",
            example(_SHOWN_A, _SHOWN_B, pick=_at(0), gives=0.0557),
        ),
        Mistake(
            "one length a channel",
            _perceptual(unit=lambda m: _unit(m, (2, 3))),
            "You brought each channel to length 1 over its places. The vector that counts stands "
            "at one place and has a number for each channel.",
        ),
        Mistake(
            "mean over channels",
            _perceptual(apart=lambda d: d.square().mean((1, 2, 3))),
            "Your distance shrinks with the number of channels: {got:.2g} instead of "
            "{expected:.2g} for two channels. A place has one vector, and a vector has one squared "
            "length.",
            example(_SHOWN_A, _SHOWN_B, pick=_at(0), gives=0.02),
        ),
        Mistake(
            "sum over places",
            _perceptual(apart=lambda d: d.square().sum((1, 2, 3))),
            "Your distance grows with the size of the map: {got:.2g} for two places instead of "
            "{expected:.2g}. The finest map would decide alone.",
            example(_SHOWN_A, _SHOWN_B, pick=_at(0), gives=0.08),
        ),
        Mistake(
            "absolute differences",
            _perceptual(apart=lambda d: d.abs().sum(1).mean((1, 2))),
            "You add up absolute differences: {got:.2g} instead of {expected:.2g}. Turn all "
            "vectors by the same angle: your number changes, and a squared distance would not.",
            example(_SHOWN_A, _SHOWN_B, pick=_at(0), gives=0.2),
        ),
        Mistake(
            "one minus the cosine",
            lambda maps_a, maps_b: sum(
                (1 - F.cosine_similarity(a, b, dim=1)).mean((1, 2))
                for a, b in zip(maps_a, maps_b, strict=True)
            ),
            "You return half of what was asked: one minus the cosine. What is the squared "
            "distance of two vectors of length 1?",
        ),
        Mistake(
            "a root taken",
            _perceptual(apart=lambda d: (d.square().sum(1) + 1e-12).sqrt().mean((1, 2))),
            "You average distances, where their squares are asked: {got:.3g} instead of "
            "{expected:.2g}.",
            example(_SHOWN_A, _SHOWN_B, pick=_at(0), gives=0.1414),
        ),
        Mistake(
            "only the last map",
            _perceptual(maps=slice(-1, None)),
            "Your distance depends on the last map alone: change the others, and it stays the "
            "same.",
        ),
        Mistake(
            "only the first map",
            _perceptual(maps=slice(0, 1)),
            "Your distance depends on the first map alone: change the others, and it stays the "
            "same.",
        ),
        Mistake(
            "mean over maps",
            _perceptual(over=_mean_of),
            "You average over the maps, so two maps give half of what was asked, and three give a "
            "third.",
        ),
        Mistake(
            "one number for the batch",
            lambda maps_a, maps_b: editing.perceptual_distance(maps_a, maps_b).mean(),
            "You return one number for the whole batch. It cannot tell which of the pictures was "
            "drawn badly.",
        ),
        Mistake(
            "nothing under the root",
            _perceptual(unit=lambda m: m / m.square().sum(1, keepdim=True).sqrt()),
            "White paper has features of zero. There you divide 0 by 0, and the distance is not a "
            "number.",
        ),
        Mistake(
            "something beside the root",
            _perceptual(unit=lambda m: m / (m.square().sum(1, keepdim=True).sqrt() + 1e-8)),
            "Where vectors are long, the values are right. But where a place has features of zero, "
            "as white paper has, the gradient is not a number: the slope of a root at 0 is "
            "infinite.",
        ),
        Mistake(
            "length 1 however short",
            _perceptual(unit=lambda m: F.normalize(m, dim=1)),
            "All your vectors get length 1, however short they were: a place where the network "
            "sees next to nothing counts as much as any other. For the places (0.00003, 0.00004), "
            "(1, 2) against (0.00004, 0.00003), (1, 2) you say {got:.2g} instead of "
            "{expected:.2g}.",
            example(_SHORT_A, _SHORT_B, pick=_at(0), gives=0.04),
        ),
    ),
    probes=(
        call("one map with the places (3, 4), (1, 2) and (8, 6), (1, 2)", _SHOWN_A, _SHOWN_B),
        call("the same map twice", _SHOWN_A * 2, _SHOWN_B * 2),
        _pulls("two pictures, maps of 3 × 4 × 5 and 2 × 3 × 2", ("maps_a", "maps_b"), *_TWO_MAPS),
        call(
            "three maps of 1, 4 and 2 channels",
            [3 * m for m in _places(3, (1, 2, 2), (4, 2, 1), (2, 1, 3), seed=11)],
            _places(3, (1, 2, 2), (4, 2, 1), (2, 1, 3), seed=15),
        ),
        _pulls(
            "places of zeros",
            ("maps_a", "maps_b"),
            _empty(_places(2, (2, 2, 3), seed=21), 0, 1),
            _empty(_places(2, (2, 2, 3), seed=22), 1, 2),
            values=False,
        ),
        call("one picture against itself", _TWO_MAPS[0], _TWO_MAPS[0]),
        call(
            "one map with the places (0.00003, 0.00004), (1, 2) and (0.00004, 0.00003), (1, 2)",
            _SHORT_A,
            _SHORT_B,
        ),
    ),
)


# --- invert ---------------------------------------------------------------------------------------


def invert(
    synthesis: Callable[[Tensor], Tensor], x: Tensor, start: Tensor, steps: int, lr: float
) -> Tensor:
    """The codes, shaped like `start`, whose pictures are near x: `steps` steps of Adam from there.

    The loss is the mean squared difference of `synthesis(ws)` and x. Only the codes move.
    Source: Abdal et al. 2019 (Image2StyleGAN), without its perceptual loss.
    """
    ws = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([ws], lr)
    for _ in range(steps):
        loss = F.mse_loss(synthesis(ws), x)
        (ws.grad,) = torch.autograd.grad(loss, ws)  # leaves none in the generator's weights
        optimizer.step()
    return ws.detach()


_TALL = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
_ASKED, _ZERO = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.zeros(1, 1, 2)


def _tall(ws: Tensor) -> Tensor:
    return ws @ _TALL.T


def _tall_too(ws: Tensor) -> Tensor:
    return ws @ _TALL.T.to(ws)


def _layered(ws: Tensor) -> Tensor:
    """Each layer has a part of its own in the picture: (B, L, n) -> (B, n)."""
    share = torch.arange(1.0, ws.shape[1] + 1).view(1, -1, 1) / ws.shape[1]
    return (share * torch.tanh(ws)).sum(1) + 0.1 * ws[:, 0].roll(1, -1) ** 2


def _one_w(ws: Tensor) -> Tensor:
    """As a caller does who asks for a code in W: one w (B, 1, n), given to three layers."""
    return _layered(ws.expand(-1, 3, -1))


def _painter() -> nn.Module:
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 8))
    net.append(nn.Unflatten(1, (2, 2, 2)))
    with torch.no_grad():
        for i, weight in enumerate(net.parameters()):
            weight.copy_(0.7 * normal(*weight.shape, seed=30 + i))
    return net


def _weights(net: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in net.parameters()])


def _of_a_network(label: str, steps: int, lr: float, expanded: bool = False) -> Probe:
    def observe(f: Callable) -> dict[str, Any]:
        net, x = _painter(), normal(2, 2, 2, 2, seed=34)
        start = 0.5 * normal(2, 1 if expanded else 3, 2, seed=35)
        start = start.expand(-1, 3, -1) if expanded else start
        result = f(net, x, start, steps, lr)
        return {"result": result, "the generator's weights afterwards": _weights(net)}

    explain = {
        "the generator's weights afterwards": "After your call the generator has other weights: it "
        "draws all other people differently too."
    }
    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=explain)


def _adam(parameters: list[Tensor], lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr)


def _inverting(
    begin: Callable = torch.clone,
    optimizer: Callable = _adam,
    loss: Callable = F.mse_loss,
    clear: bool = True,
    more: int = 0,
    learn: bool = False,
    result: Callable = lambda ws, synthesis: ws.detach(),
):
    def wrong(synthesis, x, start, steps, lr):
        ws = begin(start).requires_grad_()
        others = list(synthesis.parameters()) if learn and isinstance(synthesis, nn.Module) else []
        step = optimizer([ws, *others], lr)
        for _ in range(steps + more):
            error = loss(synthesis(ws), x)
            if clear:
                step.zero_grad()
            error.backward()
            step.step()
        return result(ws, synthesis)

    return wrong


def _forgetful(synthesis, x, start, steps, lr):
    ws = start.clone().requires_grad_()
    for _ in range(steps):
        step = torch.optim.Adam([ws], lr)
        (gradient,) = torch.autograd.grad(F.mse_loss(synthesis(ws), x), ws)
        ws.grad = gradient
        step.step()
    return ws.detach()


def _best_so_far(synthesis, x, start, steps, lr):
    ws, best, least = start.clone().requires_grad_(), start.clone(), float("inf")
    step = torch.optim.Adam([ws], lr)
    for _ in range(steps):
        error = F.mse_loss(synthesis(ws), x)
        if error.item() < least:
            best, least = ws.detach().clone(), error.item()
        step.zero_grad()
        error.backward()
        step.step()
    return best


def _until_near(synthesis, x, start, steps, lr):
    ws = start.clone().requires_grad_()
    step = torch.optim.Adam([ws], lr)
    for _ in range(steps):
        error = F.mse_loss(synthesis(ws), x)
        if error.item() < 1e-3:
            break
        step.zero_grad()
        error.backward()
        step.step()
    return ws.detach()


def _tied(synthesis, x, start, steps, lr):
    """One w for all layers."""
    one = _inverting(begin=lambda s: s.mean(1, keepdim=True))
    layers = start.shape[1]
    ws = one(lambda w: synthesis(w.expand(-1, layers, -1)), x, start, steps, lr)
    return ws.expand(-1, layers, -1).clone()


INVERT = Exercise(
    id="editing.invert",
    title="Which code draws this picture?",
    reference=invert,
    hints=(
        "A training loop: a picture is made, compared, and something takes a step downhill. Which "
        "tensor takes the step here, and what stays fixed?",
        "The parameter is a copy of `start`. In each step: draw, mean of (drawn − x)², clear the "
        "gradient, backward, step. Give the optimiser that copy and nothing else.",
        "`ws = start.clone().requires_grad_()`, `torch.optim.Adam([ws], lr)`, then the loop. "
        "`ws.detach()` is the result.",
    ),
    mistakes=(
        Mistake(
            "the generator learns too",
            _inverting(learn=True),
            "After your call the generator has other weights, so it draws all other people "
            "differently too. Which tensor should move?",
        ),
        Mistake(
            "start not copied",
            _inverting(begin=torch.detach),
            "`start` is no longer where it was: a second person would begin where the first one "
            "ended.",
        ),
        Mistake(
            "the code never moves",
            lambda synthesis, x, start, steps, lr: start.clone(),
            "You return the code that you were given. Does the optimiser hold the same tensor that "
            "the picture is drawn from?",
        ),
        Mistake(
            "gradients not cleared",
            _inverting(clear=False),
            "Each of your steps still carries the gradients of all steps before it, so the code "
            "overshoots its goal.",
        ),
        Mistake(
            "the optimiser made anew",
            _forgetful,
            "Your Adam forgets after each step what it has seen: every number of the code moves by "
            "`lr` in every step, however near it is.",
        ),
        Mistake(
            "plain gradient descent",
            _inverting(optimizer=lambda p, lr: torch.optim.SGD(p, lr)),
            "Your steps are as long as the gradient says. Adam was asked: its first step moves "
            "every number of the code by `lr`.",
        ),
        Mistake(
            "codes drawn to 0",
            _inverting(optimizer=lambda p, lr: torch.optim.AdamW(p, lr)),
            "Something besides the picture moves your code: each step also makes all its numbers "
            "a little smaller. That may help weights, but a code has no reason to be small.",
        ),
        Mistake(
            "absolute differences",
            _inverting(loss=F.l1_loss),
            "You minimise the mean absolute difference. With A = ((1, 0), (0, 2), (1, 1)) and x = "
            "(1, 2, 3) the mean square is smallest at w = (1.44, 1.11), and the mean absolute "
            "difference is smallest elsewhere.",
        ),
        Mistake(
            "one step fewer",
            _inverting(more=-1),
            "Your code is one step behind: with `steps` = 1 it has not moved at all.",
        ),
        Mistake(
            "one step more",
            _inverting(more=1),
            "Your code is one step ahead: with `steps` = 1 it has moved twice.",
        ),
        Mistake(
            "begins at 0",
            _inverting(begin=torch.zeros_like),
            "Without any steps the result should be `start`. You begin at 0 instead.",
        ),
        Mistake(
            "its own learning rate",
            _inverting(optimizer=lambda p, lr: torch.optim.Adam(p)),
            "`lr` changes nothing in your result.",
        ),
        Mistake(
            "the picture returned",
            _inverting(result=lambda ws, synthesis: synthesis(ws).detach()),
            "You return the picture. The code that draws it was asked.",
        ),
        Mistake(
            "one w for all layers",
            _tied,
            "All layers of your code are the same. `start` has a w for each layer, and each one "
            "may move by itself.",
        ),
        Mistake(
            "the best code before the last step",
            _best_so_far,
            "You return the best code that you measured, and you never measure the code after the "
            "last step. The code after `steps` steps was asked.",
        ),
        Mistake(
            "stops when it is near",
            _until_near,
            "From a start whose picture is nearly right your code takes fewer than `steps` steps: "
            "who asks for a hundred does not get the code after a hundred.",
        ),
    ),
    probes=(
        call("w → A w with three rows, one step of 0.1", _tall, _ASKED, _ZERO + 3, 1, 0.1),
        call("no steps", _tall, _ASKED, _ZERO + 0.3, 0, 0.1),
        call("the same, 25 steps", _tall, _ASKED, _ZERO + 0.3, 25, 0.1, rtol=1e-3, atol=1e-4),
        call(
            "3 codes of 3 layers, 12 steps of 0.05",
            _layered,
            normal(3, 4, seed=31),
            normal(3, 3, 4, seed=32),
            12,
            0.05,
            rtol=1e-3,
            atol=1e-4,
        ),
        call(
            "one w given to three layers",
            _one_w,
            normal(2, 4, seed=31),
            0.3 * normal(2, 1, 4, seed=32),
            7,
            0.2,
            rtol=1e-3,
            atol=1e-4,
        ),
        call(
            "codes (1, 2) in float64, 5 steps",
            _tall_too,
            _ASKED[0].double(),
            torch.tensor([[0.5, -1.0]]).double(),
            5,
            0.3,
        ),
        _of_a_network("a small network, 10 steps of 0.1", 10, 0.1),
        _of_a_network("a start that is one w seen by three layers", 4, 0.03, expanded=True),
        call(
            "a start whose picture is nearly right, 3 steps of 0.01",
            _tall,
            _tall(_ZERO + 1),
            _ZERO + 1.0001,
            3,
            0.01,
        ),
    ),
)


# --- noise_regulariser ----------------------------------------------------------------------------


def _stripes(period: int, side: int = 16) -> Tensor:
    row = (torch.arange(side) // (period // 2) % 2) * 2.0 - 1
    return row.expand(1, 1, side, side).clone()


def _halved(n: Tensor) -> Tensor:
    return F.avg_pool2d(n, 2)


def _moved(n: Tensor, axis: int) -> Tensor:
    return (n * n.roll(1, axis)).mean((1, 2, 3))


def _likeness(
    axes: tuple = (2, 3),
    pair: Callable = _moved,
    power: int = 2,
    last: int = 8,
    halve: Callable = _halved,
    strict: bool = False,
    mean: bool = False,
):
    def wrong(noise):
        parts = []
        while True:
            parts += [pair(noise, axis) ** power for axis in axes]
            if noise.shape[-1] <= last or (strict and noise.shape[-1] // 2 <= last):
                return torch.stack(parts).mean(0) if mean else sum(parts)
            noise = halve(noise)

    return wrong


def _of_two(each: Callable) -> Callable:
    """Adds `each` of the two axes' means of products, down to a side of 8."""

    def wrong(noise):
        total = each(noise, _moved(noise, 2), _moved(noise, 3))
        return total if noise.shape[-1] <= 8 else total + wrong(_halved(noise))

    return wrong


def _inner(n: Tensor, axis: int) -> Tensor:
    """Without going around the edge."""
    side = n.shape[axis]
    return (n.narrow(axis, 0, side - 1) * n.narrow(axis, 1, side - 1)).mean((1, 2, 3))


_ONES16 = torch.ones(1, 1, 16, 16)
NOISE_REGULARISER = Exercise(
    id="editing.noise_regulariser",
    title="Noise that hides nothing",
    reference=editing.noise_regulariser,
    hints=(
        "If a map holds a face, then neighbours resemble one another. If it holds noise, they do "
        "not. What is the mean of n · (its neighbour) in each of the two cases?",
        "`noise.roll(1, axis)` puts the left (or upper) neighbour at each place, around the edge. "
        "Square the mean of the product, for both axes. A coarse face hides in the means of 2 × 2 "
        "places: halve the map and do it again, until the side is 8.",
        "while True: for axis in (2, 3): total += (n * n.roll(1, axis)).mean((1, 2, 3)) ** 2; "
        "return if the side is 8 or less; n = F.avg_pool2d(n, 2).",
    ),
    mistakes=(
        Mistake(
            "one axis",
            _likeness(axes=(3,)),
            "You treat vertical and horizontal stripes differently: for vertical stripes of "
            "period 2 you say {got:.2g} instead of {expected:.2g}.",
            example(_stripes(2), pick=_at(0), gives=1.0),
        ),
        Mistake(
            "not squared",
            _likeness(power=1),
            "For vertical stripes of period 2 you say {got:.2g}: minus one across and plus one "
            "along cancel. Yet such a map is anything but noise.",
            example(_stripes(2), pick=_at(0), gives=0.0),
        ),
        Mistake(
            "squared after both axes",
            _of_two(lambda n, a, b: (a + b).square()),
            "You add the two axes before you square: minus one across and plus one along cancel. "
            "For vertical stripes of period 2 you say {got:.2g}.",
            example(_stripes(2), pick=_at(0), gives=0.0),
        ),
        Mistake(
            "absolute values",
            _of_two(lambda n, a, b: a.abs() + b.abs()),
            "You take absolute values instead of squares: a small likeness, as noise has it by "
            "chance, pulls as hard as a large one.",
        ),
        Mistake(
            "divided by the variance",
            _of_two(lambda n, a, b: (a.square() + b.square()) / n.square().mean((1, 2, 3)) ** 2),
            "Your number stays the same when the noise is made twice as strong. You divide by the "
            "variance, which was not asked.",
        ),
        Mistake(
            "sum for mean",
            _of_two(lambda n, a, b: (a.square() + b.square()) * n[0].numel() ** 2),
            "You add up the products where their mean is asked: large maps then count far more "
            "than small ones.",
        ),
        Mistake(
            "only the finest map",
            _likeness(last=1000),
            "For stripes of period 4 you say {got:.2g} instead of {expected:.2g}. Their means of "
            "2 × 2 are stripes again: a coarse face could hide there.",
            example(_stripes(4), pick=_at(0), gives=1.0),
        ),
        Mistake(
            "one scale too few",
            _likeness(strict=True),
            "The map with a side of 8 is missing: to a map of ones, 16 × 16, you give {got:.2g} "
            "instead of {expected:.2g}.",
            example(_ONES16, pick=_at(0), gives=2.0),
        ),
        Mistake(
            "down to 4",
            _likeness(last=4),
            "You go on below a side of 8: to a map of ones, 16 × 16, you give {got:.2g} instead "
            "of {expected:.2g}. With so few places even white noise resembles its neighbours by "
            "chance.",
            example(_ONES16, pick=_at(0), gives=6.0),
        ),
        Mistake(
            "every second place",
            _likeness(halve=lambda n: n[..., ::2, ::2]),
            "For stripes of period 2 you say {got:.2g} instead of {expected:.2g}. You keep every "
            "second place, so a comb sees a flat map where a mean sees nothing.",
            example(_stripes(2), pick=_at(0), gives=4.0),
        ),
        Mistake(
            "with itself",
            _likeness(pair=lambda n, axis: n.square().mean((1, 2, 3))),
            "You multiply each place with itself: white noise gets a large number, and zeros get "
            "the best one. Such a penalty asks for silence instead of noise.",
        ),
        Mistake(
            "halved with its variance kept",
            _likeness(halve=lambda n: 2 * F.avg_pool2d(n, 2)),
            "Your coarse maps are twice as large as means are: to a map of ones, 16 × 16, you "
            "give {got:.3g} instead of {expected:.2g}. (StyleGAN2's first code does so. Plain "
            "means are asked here, as in its later code.)",
            example(_ONES16, pick=_at(0), gives=34.0),
        ),
        Mistake(
            "squared before the mean",
            _likeness(pair=lambda n, axis: (n * n.roll(1, axis)).square().mean((1, 2, 3)), power=1),
            "You square before you average. White noise, in which products of both signs cancel, "
            "then looks as bad as a face.",
        ),
        Mistake(
            "not around the edge",
            _likeness(pair=_inner),
            "In your version the last place has no neighbour. The map is circular: the first "
            "column follows the last one.",
        ),
        Mistake(
            "mean over scales and axes",
            _likeness(mean=True),
            "You average over axes and scales: to a map of ones, 16 × 16, you give {got:.2g} "
            "instead of {expected:.2g}.",
            example(_ONES16, pick=_at(0), gives=1.0),
        ),
        Mistake(
            "one number for the batch",
            lambda noise: editing.noise_regulariser(noise).mean(),
            "You return one number for all maps. A good map could hide a bad one.",
        ),
        Mistake(
            "mean over the batch first",
            lambda noise: editing.noise_regulariser(
                noise.reshape(1, 1, -1, noise.shape[-1])
            ).expand(len(noise)),
            "All maps of a batch get the same number. Each map should get its own.",
        ),
    ),
    probes=(
        call("vertical stripes of period 2, 16 × 16", _stripes(2)),
        call("stripes of period 4", _stripes(4)),
        call("a map of ones", _ONES16),
        call("three maps, 16 × 16", normal(3, 1, 16, 16, seed=41) + 0.3, grad=(0,)),
        call("two maps, 8 × 8", 2 * normal(2, 1, 8, 8, seed=42) - 0.5, grad=(0,)),
        call("one map, 32 × 32", 0.5 + normal(1, 1, 32, 32, seed=43)),
        call("two maps, 4 × 4", normal(2, 1, 4, 4, seed=44)),
        call("horizontal stripes", _stripes(4).mT.contiguous()),
    ),
)


# --- strangeness ----------------------------------------------------------------------------------


_BENT, _MEAN2, _COV2 = (
    torch.tensor([[[-1.0, 2.0]]]),
    torch.tensor([0.0, 1.0]),
    torch.tensor([[4.0, 0.0], [0.0, 1.0]]),
)


def _mahalanobis(d: Tensor, covariance: Tensor) -> Tensor:
    return (d @ torch.linalg.inv(covariance) * d).sum(2)


def _strange(
    undo: Callable = lambda ws, mean: F.leaky_relu(ws, 5.0) - mean,
    squared: Callable = _mahalanobis,
    over: Callable = lambda m, n: m.mean(1) / n,
):
    def wrong(ws, mean, covariance):
        return over(squared(undo(ws, mean), covariance), ws.shape[2])

    return wrong


def _spread(n: int, seed: int) -> Tensor:
    """A covariance with wide and narrow directions that lie aslant."""
    a = normal(n, n, seed=seed) * torch.arange(1.0, n + 1).sqrt()
    return a @ a.T / n + 0.5 * torch.eye(n)


STRANGENESS = Exercise(
    id="editing.strangeness",
    title="Would the mapping make such a code?",
    reference=editing.strangeness,
    hints=(
        "The mapping ends with a leaky ReLU: its negative outputs are squeezed to a fifth. What "
        "undoes that? After it the codes lie like a Gaussian cloud with a mean and a covariance.",
        "d = undone w − mean. The squared Mahalanobis distance is dᵀ Σ⁻¹ d: steps in a wide "
        "direction of the cloud count less. Divide by n, so that codes of the cloud get 1 on "
        "average; then the mean over layers.",
        "`F.leaky_relu(ws, 5.0)` is the undone code. `(d @ torch.linalg.inv(covariance) * d)` has "
        "for each layer n numbers whose sum is the distance.",
    ),
    mistakes=(
        Mistake(
            "not undone",
            _strange(undo=lambda ws, mean: ws - mean),
            "You compare the w themselves. W has a sharp bend at 0, and a Gaussian has none: for "
            "w = (−1, 2), mean (0, 1), variances 4 and 1 you say {got:.3g} instead of "
            "{expected:.4g}.",
            example(_BENT, _MEAN2, _COV2, pick=_at(0), gives=0.625),
        ),
        Mistake(
            "bent again",
            _strange(undo=lambda ws, mean: F.leaky_relu(ws, 0.2) - mean),
            "You applied the leaky ReLU a second time, which makes negative numbers even smaller. "
            "For w = (−1, 2) you say {got:.3g} instead of {expected:.4g}.",
            example(_BENT, _MEAN2, _COV2, pick=_at(0), gives=0.505),
        ),
        Mistake(
            "undone after the mean",
            _strange(undo=lambda ws, mean: F.leaky_relu(ws - mean, 5.0)),
            "You subtract the mean before you undo the bend. The bend is at w = 0 and not at the "
            "mean, and the mean was measured on undone codes.",
        ),
        Mistake(
            "all numbers times 5",
            _strange(undo=lambda ws, mean: 5 * ws - mean),
            "You stretch the positive numbers too. The leaky ReLU left those alone.",
        ),
        Mistake(
            "not per dimension",
            _strange(over=lambda m, n: m.mean(1)),
            "Your number grows with the width of the code: for two dimensions you say {got:.3g} "
            "instead of {expected:.4g}. For codes of the mapping it should be about 1 at any "
            "width.",
            example(_BENT, _MEAN2, _COV2, pick=_at(0), gives=7.25),
        ),
        Mistake(
            "sum over layers",
            _strange(over=lambda m, n: m.sum(1) / n),
            "Your number grows with the number of layers.",
        ),
        Mistake(
            "covariance not inverted",
            _strange(squared=lambda d, c: (d @ c * d).sum(2)),
            "In your distance a step in a wide direction counts more than one in a narrow "
            "direction: {got:.3g} instead of {expected:.4g}.",
            example(_BENT, _MEAN2, _COV2, pick=_at(0), gives=50.5),
        ),
        Mistake(
            "only the variances",
            _strange(squared=lambda d, c: (d.square() / c.diagonal()).sum(2)),
            "You use the variances alone. Two numbers of a code may rise and fall together, and "
            "your distance does not see it.",
        ),
        Mistake(
            "one variance for all",
            _strange(squared=lambda d, c: d.square().sum(2) / c.diagonal().mean()),
            "You treat all directions alike. The covariance says that they differ.",
        ),
        Mistake(
            "1 over each number",
            _strange(squared=lambda d, c: (d @ c.clamp(min=1e-3).reciprocal() * d).sum(2)),
            "You invert every number of the covariance by itself. The inverse of a matrix is "
            "another matrix.",
        ),
        Mistake(
            "covariance not used",
            _strange(squared=lambda d, c: d.square().sum(2)),
            "`covariance` has no influence on your result: all directions count alike.",
        ),
        Mistake(
            "a root taken",
            _strange(over=lambda m, n: (m / n).sqrt().mean(1)),
            "You take a root: {got:.3g} instead of {expected:.4g}. The squared distance was asked.",
            example(_BENT, _MEAN2, _COV2, pick=_at(0), gives=1.904),
        ),
        Mistake(
            "mean forgotten",
            _strange(undo=lambda ws, mean: F.leaky_relu(ws, 5.0)),
            "You measure the distance from 0. The average face is strange by that measure.",
        ),
        Mistake(
            "the gain taken out",
            _strange(undo=lambda ws, mean: F.leaky_relu(ws / 2**0.5, 5.0) - mean),
            "You divide by √2. Mean and covariance were measured on codes that had not been "
            "divided: {got:.4g} instead of {expected:.4g}.",
            example(_BENT, _MEAN2, _COV2, pick=_at(0), gives=1.6482),
        ),
        Mistake(
            "one number for the batch",
            lambda ws, mean, covariance: editing.strangeness(ws, mean, covariance).mean(),
            "You return one number for all codes. A strange code can hide among ordinary ones.",
        ),
        Mistake(
            "only the first layer",
            lambda ws, mean, covariance: _strange()(ws[:, :1], mean, covariance),
            "Your number depends on the first layer alone: change the others, and it stays the "
            "same.",
        ),
        Mistake(
            "the mean of the layers",
            lambda ws, mean, covariance: _strange()(ws.mean(1, keepdim=True), mean, covariance),
            "You average the layers' codes before you measure. Two strange codes on opposite sides "
            "then look ordinary.",
        ),
    ),
    probes=(
        call("w = (−1, 2), mean (0, 1), variances 4 and 1", _BENT, _MEAN2, _COV2),
        call("a covariance that lies aslant", normal(1, 1, 3, seed=51), 0.3 * normal(3, seed=52),
             _spread(3, 53), rtol=1e-3),
        call("4 codes of 3 layers, 5 wide", 2 * normal(4, 3, 5, seed=54), normal(5, seed=55),
             _spread(5, 56), rtol=1e-3),
        call("the mean itself, all positive", torch.full((2, 2, 3), 0.7), torch.full((3,), 0.7),
             _spread(3, 57)),
        call("2 codes of 6 layers, 1 wide", normal(2, 6, 1, seed=58), torch.tensor([0.2]),
             torch.tensor([[2.0]])),
        call("4 other codes, another law", normal(4, 3, 5, seed=48), normal(5, seed=49),
             _spread(5, 47), rtol=1e-3),
        call("codes in float64", normal(2, 2, 4, seed=50, dtype=torch.float64),
             normal(4, seed=52).double(), _spread(4, 53).double()),
        call("two layers on opposite sides", torch.tensor([[[3.0, 1.0], [-3.0, -1.0]]]),
             torch.tensor([0.1, -0.2]), _spread(2, 59), rtol=1e-3),
    ),
)  # fmt: skip


# --- domain_regulariser ---------------------------------------------------------------------------


_CODE, _DRAWN = torch.ones(1, 1, 1), torch.full((1, 1, 1, 1), 2.0)


def _quarter(x: Tensor) -> Tensor:
    return x.flatten(1)[:, :, None] / 4


def _read(x: Tensor) -> Tensor:
    """(B, 1, 2, 3) -> (B, 2, 3)"""
    return torch.tanh(x[:, 0]) + 0.2 * x[:, 0].flip(2) ** 2


def _domain(
    apart: Callable = lambda d: d.square().mean((1, 2)), ws: Callable = lambda w: w,
    pictures: Callable = lambda x: x,
):  # fmt: skip
    def wrong(given, drawn, encode):
        return apart(ws(given) - encode(pictures(drawn)))

    return wrong


def _unheard(ws, pictures, encode):
    with torch.no_grad():
        code = encode(pictures)
    return (ws - code).square().mean((1, 2))


def _drawn_from_codes(label: str, n: int, seed: int) -> Probe:
    """As in the loop: the pictures are drawn from the codes, and the codes take the step."""

    def observe(f: Callable) -> dict[str, Any]:
        ws = normal(n, 2, 3, seed=seed).requires_grad_()
        result = f(ws.clone(), 2 * ws[:, None] + 0.1 * ws[:, None] ** 2, _read)
        (gradient,) = _gradient(result, [ws])
        return {"result": result, "gradient of argument ws": gradient}

    return Probe(label, observe)


DOMAIN_REGULARISER = Exercise(
    id="editing.domain_regulariser",
    title="Does the encoder recognise the code?",
    reference=editing.domain_regulariser,
    hints=(
        "You have a code and the pictures drawn from it. The encoder looks at these pictures. What "
        "would it answer if the code were one of those that it knows?",
        "Compare `encode(pictures)` with `ws`, number by number: the mean of the squared "
        "differences over layers and numbers, one for each picture. Through which of the two may "
        "the gradient pass?",
        "(ws − encode(pictures)) squared, `.mean((1, 2))`. No `detach`, no `no_grad`: the pull "
        "through the pictures is half of the effect.",
    ),
    mistakes=(
        Mistake(
            "the encoder not heard",
            _unheard,
            "The value is right, the pull is not: no gradient passes through the encoder and the "
            "pictures. The code is drawn towards a fixed answer instead of towards codes that the "
            "encoder recognises.",
        ),
        Mistake(
            "the code not heard",
            _domain(ws=torch.detach),
            "The value is right, the pull is not: it comes only through the pictures. The code "
            "itself counts as a constant.",
        ),
        Mistake(
            "sum",
            _domain(apart=lambda d: d.square().sum((1, 2))),
            "Your number grows with the number of layers and with the width of the code: its "
            "weight in the loss would have to change with both.",
        ),
        Mistake(
            "sum over numbers",
            _domain(apart=lambda d: d.square().sum(2).mean(1)),
            "Your number grows with the width of the code.",
        ),
        Mistake(
            "sum over layers",
            _domain(apart=lambda d: d.square().mean(2).sum(1)),
            "Your number grows with the number of layers.",
        ),
        Mistake(
            "absolute differences",
            _domain(apart=lambda d: d.abs().mean((1, 2))),
            "With w = 1 and an encoder that answers ½ you say {got:.2g} instead of {expected:.2g}: "
            "squares were asked.",
            example(_CODE, _DRAWN, _quarter, pick=_at(0), gives=0.5),
        ),
        Mistake(
            "a root taken",
            _domain(apart=lambda d: d.square().mean((1, 2)).sqrt()),
            "You take a root at the end. The mean of the squares was asked: twice the difference "
            "should cost four times as much.",
        ),
        Mistake(
            "a length",
            _domain(apart=lambda d: d.flatten(1).norm(dim=1)),
            "You return the length of the difference. It grows with the size of the code, and a "
            "small difference pulls as hard as a large one.",
        ),
        Mistake(
            "halved",
            _domain(apart=lambda d: d.square().mean((1, 2)) / 2),
            "With w = 1 and an encoder that answers ½ you say {got:.3g} instead of {expected:.2g}.",
            example(_CODE, _DRAWN, _quarter, pick=_at(0), gives=0.125),
        ),
        Mistake(
            "averaged before squared",
            _domain(apart=lambda d: d.mean((1, 2)).square()),
            "Differences of opposite signs cancel in your mean: a code with one number too large "
            "and another too small counts as recognised.",
        ),
        Mistake(
            "layers averaged first",
            _domain(apart=lambda d: d.mean(1).square().mean(1)),
            "You average over layers before you square: two layers that are wrong in opposite "
            "directions count as right.",
        ),
        Mistake(
            "one number for the batch",
            lambda ws, pictures, encode: editing.domain_regulariser(ws, pictures, encode).mean(),
            "You return one number for the batch. It cannot tell which code has left the domain.",
        ),
        Mistake(
            "a number for each layer",
            _domain(apart=lambda d: d.square().mean(2)),
            "You return a number for each layer. One for each picture was asked.",
        ),
    ),
    probes=(
        call("w = 1, an encoder that answers ½", _CODE, _DRAWN, _quarter, grad=(0, 1)),
        call("2 codes of 2 layers, 3 wide", normal(2, 2, 3, seed=61), normal(2, 1, 2, 3, seed=62),
             _read, grad=(0, 1)),
        _drawn_from_codes("pictures drawn from 3 codes", 3, 63),
        call("5 layers, 1 wide", 2 * normal(1, 5, 1, seed=64), normal(1, 5, 1, 1, seed=65),
             _quarter),
        call("1 layer, 4 wide", 2 * normal(3, 1, 4, seed=66), normal(3, 1, 1, 4, seed=67), _read),
    ),
)  # fmt: skip


# --- local_codes ----------------------------------------------------------------------------------


_PIVOT, _FAR = torch.tensor([[[1.0, 2.0, 2.0]]]), torch.tensor([[[4.0, 2.0, 6.0]]])


def _each(lengths: Callable) -> Callable:
    """`lengths` of whole codes (B, n) or (B, L, n), in a shape that divides them."""
    return lambda way: lengths(way.flatten(1)).view(-1, *[1] * (way.ndim - 1))


_length = _each(lambda way: way.norm(dim=1))


def _local(length: Callable = _length, sign: float = 1.0, base: Callable = lambda p, w: p):
    def wrong(pivot, w, alpha):
        way = w - pivot
        return base(pivot, w) + sign * alpha * way / length(way)

    return wrong


def _from_nought(pivot, w, alpha):
    return pivot + alpha * w / _length(w)


def _no_further(pivot, w, alpha):
    way = w - pivot
    return pivot + (alpha / _length(way)).clamp(max=1) * way


LOCAL_CODES = Exercise(
    id="editing.local_codes",
    title="Codes in the neighbourhood of a pivot",
    reference=editing.local_codes,
    hints=(
        "Draw the line from the pivot to w. Where on it is the point whose distance from the pivot "
        "is alpha? Does it matter how far away w is?",
        "way = w − pivot, brought to length 1, times alpha, added to the pivot. The length is that "
        "of the whole code: all layers and numbers together, for each w by itself.",
        "`way.flatten(1).norm(dim=1)` has one length for each code; `.view(-1, *[1] * (way.ndim - "
        "1))` gives it the shape that divides `way`, whether that has two axes or three.",
    ),
    mistakes=(
        Mistake(
            "a share of the way",
            lambda pivot, w, alpha: pivot + alpha * (w - pivot),
            "You go the alpha-th part of the way: with a pivot of (1, 2, 2), w = (4, 2, 6) and "
            "alpha = 10 you arrive at {got:.3g}. Alpha is a distance here.",
            example(_PIVOT, _FAR, 10.0, pick=_at(0, 0), gives=torch.tensor([31.0, 2.0, 42.0])),
        ),
        Mistake(
            "begins at w",
            _local(base=lambda p, w: w),
            "You go on from w: for a small alpha your codes lie near w. Whose neighbourhood is to "
            "be kept?",
        ),
        Mistake(
            "away from w",
            _local(sign=-1.0),
            "You go away from w: from (1, 2, 2) towards (4, 2, 6) the first number should grow, "
            "and you give {got:.2g}.",
            example(_PIVOT, _FAR, 10.0, pick=_at(0, 0, 0), gives=-5.0),
        ),
        Mistake(
            "length squared",
            _local(length=_each(lambda way: way.square().sum(1))),
            "Your step is shorter for codes that are farther away: from (1, 2, 2) towards (4, 2, "
            "6), at a distance of 5, you go to {got:.2g} with alpha = 10.",
            example(_PIVOT, _FAR, 10.0, pick=_at(0, 0), gives=torch.tensor([2.2, 2.0, 3.6])),
        ),
        Mistake(
            "only the step",
            _local(base=lambda p, w: torch.zeros_like(w)),
            "You return the step without the pivot. However small alpha is, the person is lost.",
        ),
        Mistake(
            "the direction of w",
            _from_nought,
            "You step in the direction of w as seen from 0. From which point does the line to w "
            "begin?",
        ),
        Mistake(
            "a length for each layer",
            _local(length=lambda way: way.norm(dim=-1, keepdim=True)),
            "Each layer of your code moves by alpha, so the whole code moves further: twice as "
            "far with 4 layers. Alpha is the length of the whole step.",
        ),
        Mistake(
            "one length for the batch",
            _local(length=torch.norm),
            "Your step becomes shorter when you ask for more codes at once: you took one length of "
            "the whole batch.",
        ),
        Mistake(
            "sum of absolute values",
            _local(length=_each(lambda way: way.abs().sum(1))),
            "You measure length as a sum of absolute values: from (1, 2, 2) towards (4, 2, 6), "
            "alpha = 10, your first number is {got:.3g} instead of {expected:.2g}.",
            example(_PIVOT, _FAR, 10.0, pick=_at(0, 0, 0), gives=5.286),
        ),
        Mistake(
            "root mean square for length",
            _local(length=_each(lambda way: way.square().mean(1).sqrt())),
            "You divide by the root of the *mean* square: the wider the code, the further you go.",
        ),
        Mistake(
            "stops at w",
            _no_further,
            "Where w is nearer than alpha you stop at w: from (1, 2, 2) towards (4, 2, 6), 5 away, "
            "with alpha = 10. All codes should have the same distance from the pivot.",
        ),
        Mistake(
            "alpha not used",
            lambda pivot, w, alpha: _local()(pivot, w, 1.0),
            "`alpha` has no influence: all codes lie 1 away from their pivots.",
        ),
    ),
    probes=(
        call("from (1, 2, 2) towards (4, 2, 6), alpha = 10", _PIVOT, _FAR, 10.0),
        call("4 codes of 3 layers around one pivot, alpha = 2",
             normal(1, 3, 5, seed=71).repeat(4, 1, 1), 3 * normal(4, 3, 5, seed=72), 2.0),
        call("a pivot for each of 2 codes, alpha = ½", normal(2, 4, 2, seed=73),
             normal(2, 4, 2, seed=74), 0.5),
        call("3 codes without layers, alpha = 2", normal(3, 4, seed=79), normal(3, 4, seed=80),
             2.0),
        call("2 other codes, alpha = ½", normal(2, 4, 2, seed=69), normal(2, 4, 2, seed=70), 0.5),
        call("a small alpha", normal(2, 2, 3, seed=75), normal(2, 2, 3, seed=76), 0.01),
        call("codes near and far", normal(3, 2, 2, seed=78), normal(3, 2, 2, seed=78)
             + normal(3, 2, 2, seed=77) * torch.tensor([0.1, 1.0, 30.0]).view(3, 1, 1), 3.0),
        call("one layer of one number", torch.tensor([[[2.0]], [[5.0]]]),
             torch.tensor([[[3.0]], [[-1.0]]]), 0.25),
    ),
)  # fmt: skip


# --- conditional_direction ------------------------------------------------------------------------


_N, _OTHERS = (
    torch.tensor([1.0, 0.0, 0.0]),
    torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]]),
)


def _one(v: Tensor) -> Tensor:
    return v / v.norm()


def _in_turn(n, others, unit=_one):
    for other in others:
        k = unit(other)
        n = n - (n @ k) * k
    return _one(n)


def _at_once(n, others, unit=_one, sign=-1.0):
    units = torch.stack([unit(other) for other in others])
    return _one(n + sign * (units @ n) @ units)


def _loose_basis(n, others):
    """Gram and Schmidt without the lengths."""
    basis: list[Tensor] = []
    for other in others:
        for b in basis:
            other = other - (other @ b) * b
        basis.append(other)
    for b in basis:
        n = n - (n @ b) * b
    return _one(n)


def _projected(n: Tensor, others: Tensor) -> Tensor:
    basis = torch.linalg.qr(others.T).Q
    return basis @ (basis.T @ n)


CONDITIONAL_DIRECTION = Exercise(
    id="editing.conditional_direction",
    title="Glasses without darker skin",
    reference=editing.conditional_direction,
    hints=(
        "All `others` together span a plane (or more). n has a part in this plane and a part at "
        "right angles to it. Which of the two leaves the other attributes alone?",
        "Take out the part in the plane: with an orthonormal basis Q of the others (columns) it is "
        "Q Qᵀ n. If you take out one of them after the other instead, the others must first be "
        "made orthogonal among themselves. At the end bring the rest to length 1.",
        "`Q = torch.linalg.qr(others.T).Q`, rest = n − Q (Qᵀ n). Or `torch.linalg.lstsq(others.T, "
        "n[:, None])`: the part of n that the others cannot explain.",
    ),
    mistakes=(
        Mistake(
            "one after the other",
            _in_turn,
            "You take out one direction after the other. The second correction brings part of the "
            "first one back: with n = (1, 0, 0) and others (0.6, 0.8, 0), (0, 0.6, 0.8) your "
            "result is {got:.3f}, whose product with the first is not 0.",
            example(_N, _OTHERS, gives=torch.tensor([0.8575, -0.4116, 0.3087])),
        ),
        Mistake(
            "one after the other, backwards",
            lambda n, others: _in_turn(n, others.flip(0)),
            "You take out one direction after the other, the last one first. Each correction "
            "brings part of the earlier ones back.",
        ),
        Mistake(
            "a basis of any length",
            _loose_basis,
            "The others become orthogonal to one another but keep their lengths. Make one of them "
            "twice as long, and your answer changes.",
        ),
        Mistake(
            "divided by the length of n",
            lambda n, others: (n - _projected(n, others)) / n.norm(),
            "You divide by the length that n had before. What is left is shorter than n, so your "
            "result is shorter than asked.",
        ),
        Mistake(
            "all at once",
            _at_once,
            "You subtract each direction's share as if they stood at right angles to one another. "
            "They do not: with others (0.6, 0.8, 0) and (0, 0.6, 0.8) you get {got:.3f}.",
            example(_N, _OTHERS, gives=torch.tensor([0.8, -0.6, 0.0])),
        ),
        Mistake(
            "only the first",
            lambda n, others: _in_turn(n, others[:1]),
            "Your result depends on the first of the others alone.",
        ),
        Mistake(
            "only the last",
            lambda n, others: _in_turn(n, others[-1:]),
            "Your result depends on the last of the others alone.",
        ),
        Mistake(
            "not of length 1",
            lambda n, others: n - _projected(n, others),
            "The more is taken out of n, the shorter your result. A step along it would mean "
            "something else for every attribute.",
        ),
        Mistake(
            "lengths of the others",
            lambda n, others: _in_turn(n, others, unit=lambda v: v),
            "Make one of the others twice as long, and your answer changes. Only its direction "
            "should count.",
        ),
        Mistake(
            "lengths of the others, all at once",
            lambda n, others: _at_once(n, others, unit=lambda v: v),
            "Make one of the others twice as long, and your answer changes. Only its direction "
            "should count.",
        ),
        Mistake(
            "added",
            lambda n, others: _at_once(n, others, sign=1.0),
            "Your direction follows the others more than n did: you add what should go.",
        ),
        Mistake(
            "the part in the plane",
            lambda n, others: _one(_projected(n, others)),
            "You return the part of n that the others explain. The rest was asked.",
        ),
        Mistake(
            "the mean of the others taken out",
            lambda n, others: _in_turn(n, others.mean(0, keepdim=True)),
            "You take out the mean of the others. A direction at right angles to the mean need "
            "not be at right angles to any of them.",
        ),
        Mistake(
            "the sign turned",
            lambda n, others: -_one(n - _projected(n, others)),
            "Your direction points the other way: it takes glasses off.",
        ),
        Mistake(
            "the largest number made 1",
            lambda n, others: (r := n - _projected(n, others)) / r.abs().max(),
            "You divide by the largest number. The length should be 1.",
        ),
    ),
    probes=(
        call("(1, 0, 0), without (0.6, 0.8, 0) and (0, 0.6, 0.8)", _N, _OTHERS),
        call("one other, twice as long", torch.tensor([1.0, 0.0, 1.0]),
             torch.tensor([[1.2, 1.6, 0.0]])),
        call("n of length 7, three others among 8 numbers", 7 * _one(normal(8, seed=81)),
             normal(3, 8, seed=82) + 0.5, rtol=1e-3),
        call("two others of lengths 10 and 0.1", normal(5, seed=83),
             normal(2, 5, seed=84) * torch.tensor([[10.0], [0.1]]), rtol=1e-3),
        call("others at right angles to n already", torch.tensor([0.0, 0.0, 2.0]),
             torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])),
    ),
)  # fmt: skip


# --- sefa -----------------------------------------------------------------------------------------


_LAYERS = [torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), torch.tensor([[0.0, 2.0, 2.0]])]


def _one_sign(rows: Any) -> Any:
    """With the sign that makes a row's product with (1, 2, 3, …) positive: either one will do."""
    if not isinstance(rows, Tensor) or rows.ndim != 2 or not rows.is_floating_point():
        return rows
    along = rows.detach() @ (torch.arange(rows.shape[1]).to(rows) + 1)
    return rows * torch.where(along < 0, -1.0, 1.0).to(rows)[:, None]


def _eigen(label: str, weights: list[Tensor], k: int) -> Probe:
    def observe(f: Callable) -> dict[str, Any]:
        return {"directions": _one_sign(f([a.clone() for a in weights], k))}

    return Probe(label, observe, rtol=1e-3, atol=1e-4)


def _axes(weights: Sequence[Tensor]) -> Tensor:
    """All eigenvectors as rows, the largest eigenvalue first."""
    return torch.linalg.eigh(sum(a.T @ a for a in weights)).eigenvectors.flip(1).T


def _centred(weights: Sequence[Tensor], k: int) -> Tensor:
    rows = torch.cat(list(weights))
    return _axes([rows - rows.mean(0)])[:k]


def _shown(layers: list[Tensor]) -> Any:
    return example(layers, 1, pick=lambda r: _one_sign(r)[0])


_RANDOM = [normal(4, 5, seed=91), 2 * normal(3, 5, seed=92), normal(6, 5, seed=93)]

SEFA = Exercise(
    id="editing.sefa",
    title="What a layer listens to most",
    reference=editing.sefa,
    hints=(
        "A layer reads w by a matrix: style = A w + b. A step d changes its style by A d. For "
        "which d of length 1 is ‖A d‖ largest? And what if several layers count together?",
        "Σ ‖A d‖² = dᵀ (Σ AᵀA) d is largest for the eigenvector of Σ AᵀA with the largest "
        "eigenvalue, then comes the next one.",
        "`torch.linalg.eigh(matrix).eigenvectors` has them as columns, with rising eigenvalues. "
        "Turn the order round, transpose, take the first k rows. (Or take the rows Vh of an SVD of "
        "all matrices, one below the other.)",
    ),
    mistakes=(
        Mistake(
            "smallest first",
            lambda weights, k: torch.linalg.eigh(sum(a.T @ a for a in weights)).eigenvectors.T[:k],
            "Move a code by your first direction: next to nothing happens in the picture. For the "
            "matrices ((2, 0, 0), (0, 1, 0)) and (0, 2, 2) it is the direction with the smallest "
            "eigenvalue.",
        ),
        Mistake(
            "rows of the matrix",
            lambda weights, k: torch.linalg.eigh(
                sum(a.T @ a for a in weights)
            ).eigenvectors.flip(1)[:k],
            "Each of your rows holds one number of every eigenvector. How does `eigh` store the "
            "eigenvectors?",
        ),
        Mistake(
            "largest last",
            lambda weights, k: torch.linalg.eigh(
                sum(a.T @ a for a in weights)
            ).eigenvectors.T[-k:],
            "Your directions are the right ones, in the wrong order: the strongest comes last.",
        ),
        Mistake(
            "only the first layer",
            lambda weights, k: _axes(weights[:1])[:k],
            "Your directions depend on the first layer alone: change another matrix, and they "
            "stay the same.",
        ),
        Mistake(
            "only the last layer",
            lambda weights, k: _axes(weights[-1:])[:k],
            "Your directions depend on the last layer alone: change another matrix, and they stay "
            "the same.",
        ),
        Mistake(
            "rows of length 1 first",
            lambda weights, k: _axes([F.normalize(a, dim=1) for a in weights])[:k],
            "You bring all rows of the matrices to the same length first. A layer that listens "
            "loudly then counts no more than a quiet one. (The authors' code does so; their "
            "formula, which is asked here, does not.)",
        ),
        Mistake(
            "each layer of size 1 first",
            lambda weights, k: _axes([a / a.norm() for a in weights])[:k],
            "You bring all matrices to the same size first. A layer that listens loudly then "
            "counts no more than a quiet one.",
        ),
        Mistake(
            "mean over a layer's outputs",
            lambda weights, k: _axes([a / len(a) ** 0.5 for a in weights])[:k],
            "You average over each layer's outputs. A layer with more outputs has more to say: the "
            "sum was asked.",
        ),
        Mistake(
            "the mean taken off",
            _centred,
            "You subtract the mean of the rows, as for a PCA of data. There are no data here: what "
            "all outputs listen to moves the picture most.",
        ),
        Mistake(
            "matrices added before",
            lambda weights, k: _axes(
                [sum(F.pad(a, (0, 0, 0, max(map(len, weights)) - len(a))) for a in weights)]
            )[:k],
            "You add the matrices before you multiply. Two layers that listen to the same thing "
            "with opposite signs would cancel.",
        ),
        Mistake(
            "as columns",
            lambda weights, k: _axes(weights)[:k].T,
            "You return the directions as columns. The shape (k, n) was asked, with the "
            "directions as rows.",
        ),
        Mistake(
            "times the eigenvalue",
            lambda weights, k: (
                _axes(weights)
                * torch.linalg.eigvalsh(sum(a.T @ a for a in weights)).flip(0)[:, None]
            )[:k],
            "Rows of length 1 were asked. These are as long as their eigenvalues say.",
        ),
        Mistake(
            "times the singular value",
            lambda weights, k: (
                _axes(weights)
                * torch.linalg.svdvals(torch.cat([*weights, torch.zeros(9, weights[0].shape[1])]))[
                    :, None
                ]
            )[:k],
            "Rows of length 1 were asked. These are as long as their singular values say.",
        ),
        Mistake(
            "all of them",
            lambda weights, k: _axes(weights),
            "`k` has no influence: you return all directions.",
        ),
    ),
    probes=(
        _eigen("((2, 0, 0), (0, 1, 0)) and (0, 2, 2), k = 1", _LAYERS, 1),
        _eigen("the same, k = 3", _LAYERS, 3),
        _eigen("three layers of 4, 3 and 6 outputs, n = 5, k = 2", _RANDOM, 2),
        _eigen("one layer, as many outputs as numbers", [normal(3, 3, seed=94)], 3),
        _eigen("one layer of 2 outputs that listen to much the same",
               [normal(1, 4, seed=95) + 0.3 * normal(2, 4, seed=96)], 2),
        _eigen("two layers with opposite signs",
               [normal(3, 4, seed=97), 0.4 * normal(3, 4, seed=98) - normal(3, 4, seed=97)], 1),
    ),
)  # fmt: skip


# --- channel_relevance ----------------------------------------------------------------------------


_UP = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
_DOWN = torch.tensor([[[0.0, 1.0], [-0.6, 0.8]]])
_TEXT = torch.tensor([0.6, 0.8])


def _relevant(
    delta: Callable = lambda up, down: up - down,
    mean: Callable = lambda d: F.normalize(d, dim=2).mean(1),
    product: Callable = lambda way, text: F.normalize(way, dim=1) @ text,
):
    def wrong(up, down, text):
        return product(mean(delta(up, down)), text)

    return wrong


_CHANNELS = normal(3, 4, 5, seed=101), normal(3, 4, 5, seed=102), _one(normal(5, seed=103))
_IDLE = F.normalize(normal(2, 3, 4, seed=104), dim=2), F.normalize(normal(2, 3, 4, seed=105), dim=2)
_IDLE[1][1] = _IDLE[0][1]

CHANNEL_RELEVANCE = Exercise(
    id="editing.channel_relevance",
    title="Which channels does a word mean?",
    reference=editing.channel_relevance,
    hints=(
        "Raise and lower one channel: the embedding of a picture moves. Into which direction, and "
        "is it the same for most pictures? How does that direction lie to the text's?",
        "For each picture (up − down), brought to length 1: every picture has one vote. The mean "
        "over pictures, brought to length 1 again, is the channel's direction. Its relevance is "
        "the cosine with the text.",
        "`F.normalize(up - down, dim=2).mean(1)`, then `F.normalize(…, dim=1) @ text`. "
        "`F.normalize` leaves a vector of zeros as it is.",
    ),
    mistakes=(
        Mistake(
            "mean before length 1",
            _relevant(mean=lambda d: d.mean(1)),
            "You average before the differences have length 1, so one picture that changes much "
            "drowns out all others. For one channel and two pictures you say {got:.3f} instead of "
            "{expected:.3f}.",
            example(_UP, _DOWN, _TEXT, pick=_at(0), gives=0.1789),
        ),
        Mistake(
            "no length 1",
            _relevant(mean=lambda d: d.mean(1), product=lambda way, text: way @ text),
            "The channel with the largest change wins, whatever it changes. Only the direction of "
            "the change should count.",
        ),
        Mistake(
            "length 1 only for each picture",
            _relevant(product=lambda way, text: way @ text),
            "The mean of vectors of length 1 is shorter than 1 where pictures disagree: for one "
            "channel and two pictures you say {got:.3f} instead of {expected:.3f}. A direction has "
            "no length.",
            example(_UP, _DOWN, _TEXT, pick=_at(0), gives=0.3404),
        ),
        Mistake(
            "down − up",
            _relevant(delta=lambda up, down: down - up),
            "All signs are turned over: following them takes the glasses off.",
        ),
        Mistake(
            "without its sign",
            lambda up, down, text: editing.channel_relevance(up, down, text).abs(),
            "You give a channel that moves pictures away from the text the same number as one "
            "that moves them towards it. The sign says which way to move it.",
        ),
        Mistake(
            "only up",
            _relevant(delta=lambda up, down: up),
            "You use `up` alone: for one channel and two pictures you say {got:.2f} instead of "
            "{expected:.2f}. Every face lies near the text of a face. What did the channel "
            "change?",
            example(_UP, _DOWN, _TEXT, pick=_at(0), gives=0.9899),
        ),
        Mistake(
            "difference of normalised means",
            lambda up, down, text: F.normalize(
                F.normalize(up, dim=2).mean(1) - F.normalize(down, dim=2).mean(1), dim=1
            )
            @ text,
            "You bring the embeddings to length 1, not their differences: a picture that changes "
            "much counts more than one that changes little.",
        ),
        Mistake(
            "length 1 over pictures",
            _relevant(mean=lambda d: F.normalize(d, dim=1).mean(1)),
            "You brought each of the e numbers to length 1 over the pictures. The vector that "
            "counts is that of one picture.",
        ),
        Mistake(
            "one length for all pictures",
            _relevant(mean=lambda d: (d / d.flatten(1).norm(dim=1)[:, None, None]).mean(1)),
            "You divide a channel's differences by one length for all pictures: those that change "
            "much still count more.",
        ),
        Mistake(
            "0 divided by 0",
            _relevant(
                mean=lambda d: (d / d.norm(dim=2, keepdim=True)).mean(1),
                product=lambda way, text: (way / way.norm(dim=1, keepdim=True)) @ text,
            ),
            "Some channels change nothing. For these you divide 0 by 0; their relevance should be "
            "0.",
        ),
        Mistake(
            "the largest made 1",
            lambda up, down, text: (r := editing.channel_relevance(up, down, text)) / r.abs().max(),
            "The largest number is always 1: a text that no channel fits looks as if one did.",
        ),
        Mistake(
            "a number for each picture",
            lambda up, down, text: F.normalize(up - down, dim=2) @ text,
            "You return a number for each channel and picture. One for each channel was asked.",
        ),
        Mistake(
            "silent for one picture",
            _relevant(
                mean=lambda d: (d / d.norm(dim=2, keepdim=True)).mean(1),
                product=lambda way, text: (way @ text / way.norm(dim=1)).nan_to_num(),
            ),
            "One picture that stays as it is silences all the others: a channel that changes all "
            "pictures but one has no relevance any more.",
        ),
    ),
    probes=(
        call("one channel, two pictures", _UP, _DOWN, _TEXT),
        call("3 channels, 4 pictures, 5 numbers", *_CHANNELS),
        call("one picture of two channels", normal(2, 1, 3, seed=106), normal(2, 1, 3, seed=107),
             _one(normal(3, seed=108))),
        call("a channel that changes nothing", *_IDLE, _one(normal(4, seed=109))),
        call("pictures that change by 0.01 and by 10", normal(2, 3, 4, seed=110)
             * torch.tensor([0.01, 1.0, 10.0]).view(1, 3, 1), torch.zeros(2, 3, 4),
             _one(normal(4, seed=111))),
        call("two channels that do the same", normal(1, 3, 4, seed=112).repeat(2, 1, 1),
             normal(1, 3, 4, seed=113).repeat(2, 1, 1), _one(normal(4, seed=114))),
        call("embeddings that agree", *(0.2 * m + 1 for m in _CHANNELS[:2]), _CHANNELS[2]),
        call("one channel that changes the first of two pictures", _UP,
             torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), _TEXT),
        call("embeddings around 3 that change by 0.001, 0.1 and 1", 3 + normal(2, 3, 4, seed=115)
             * torch.tensor([0.001, 0.1, 1.0]).view(1, 3, 1), torch.full((2, 3, 4), 3.0),
             _one(normal(4, seed=116)), atol=2e-3),
    ),
)  # fmt: skip


# --- spade ----------------------------------------------------------------------------------------


_X4 = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])
_HALVES = torch.zeros(1, 2, 4, 4)
_HALVES[:, 0, :, :2] = 1
_HALVES[:, 1, :, 2:] = 1


def _gamma(m: Tensor) -> Tensor:
    return m[:, :1] - 0.5 * m[:, 1:2]


def _beta(m: Tensor) -> Tensor:
    return 2 * m[:, 1:2] - m[:, :1]


_FILTERS = 0.5 * normal(3, 2, 3, 3, seed=121), 0.5 * normal(3, 2, 3, 3, seed=122)


def _conv_gamma(m: Tensor) -> Tensor:
    return F.conv2d(m, _FILTERS[0], padding=1)


def _conv_beta(m: Tensor) -> Tensor:
    return F.conv2d(m, _FILTERS[1], padding=1)


def _kinds(n: int, k: int, h: int, w: int, seed: int) -> Tensor:
    """Labels as pictures are cut: one kind at each place, (n, k, h, w)."""
    return F.one_hot(normal(n, k, h, w, seed=seed).argmax(1), k).permute(0, 3, 1, 2).float()


def _larger_kinds(n: int, k: int, h: int, w: int, by: tuple[int, int], seed: int) -> Tensor:
    """Labels `by` times as large as (h, w). In each block the first place and the one beside it
    across agree, whichever of them somebody takes for the nearest; the others are of any kind."""
    large = _kinds(n, k, h * by[0], w * by[1], seed)
    small = _kinds(n, k, h, w, seed + 1000)
    for y, x in ((0, 0), (1, 1)):
        large[:, :, y :: by[0], x :: by[1]] = small
    return large


def _normed(x: Tensor, axes: tuple = (2, 3), correction: int = 0, eps: float = 1e-5) -> Tensor:
    variance, mean = torch.var_mean(x, axes, correction=correction, keepdim=True)
    return (x - mean) / (variance + eps).sqrt()


def _beside_the_root(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance.sqrt() + 1e-5)


def _spade(
    norm: Callable = _normed,
    resize: Callable = lambda m, size: F.interpolate(m, size, mode="nearest"),
    put: Callable = lambda h, g, b: h * (1 + g) + b,
):
    def wrong(x, labels, scale_of, shift_of):
        m = resize(labels, x.shape[2:])
        return put(norm(x), scale_of(m), shift_of(m))

    return wrong


def _resized_after(x, labels, scale_of, shift_of):
    g, b = (F.interpolate(f(labels), x.shape[2:], mode="nearest") for f in (scale_of, shift_of))
    return _normed(x) * (1 + g) + b


def _flat_style(h: Tensor, g: Tensor, b: Tensor) -> Tensor:
    return h * (1 + g.mean((2, 3), keepdim=True)) + b.mean((2, 3), keepdim=True)


_FIRST = _at(0, 0, 0, 0)

SPADE = Exercise(
    id="editing.spade",
    title="A style for each place",
    reference=editing.spade,
    hints=(
        "AdaIN of lecture 09 takes mean and spread out of each map, and puts in two numbers of a "
        "style. Here the two numbers come from the labels. What is different at each place?",
        "Bring the labels to the size of x first, without mixing kinds. Normalise each map of each "
        "picture over its places: (x − mean) / √(variance + 1e-5). Then times (1 + γ), plus β, "
        "where γ and β are maps.",
        "`m = F.interpolate(labels, x.shape[2:], mode=\"nearest\")`, `F.instance_norm(x)`, and "
        "`scale_of(m)`, `shift_of(m)` have the shape of x.",
    ),
    mistakes=(
        Mistake(
            "no 1 +",
            _spade(put=lambda h, g, b: h * g + b),
            "You multiply by γ alone. When training begins, γ is near 0: what would be left of x?",
        ),
        Mistake(
            "not normalised",
            _spade(norm=lambda x: x),
            "Brighten x, and your result becomes brighter. Only the labels should say how bright a "
            "place is.",
        ),
        Mistake(
            "normalised after",
            lambda x, labels, scale_of, shift_of: _normed(
                _spade(norm=lambda y: y)(x, labels, scale_of, shift_of)
            ),
            "You normalise what the labels have written: the mean of each map is zero again, "
            "whatever they said.",
        ),
        Mistake(
            "β left out",
            _spade(put=lambda h, g, b: h * (1 + g)),
            "`shift_of` has no influence: a flat map, which is 0 once normalised, could never "
            "become bright.",
        ),
        Mistake(
            "γ left out",
            _spade(put=lambda h, g, b: h + b),
            "`scale_of` has no influence on your result.",
        ),
        Mistake(
            "shifted before scaled",
            _spade(put=lambda h, g, b: (h + b) * (1 + g)),
            "You scale the shift too: the first number is {got:.3f} instead of {expected:.3f}.",
            example(_X4, _HALVES, _gamma, _beta, pick=_FIRST, gives=-4.6833),
        ),
        Mistake(
            "γ and β exchanged",
            _spade(put=lambda h, g, b: h * (1 + b) + g),
            "You scale by what should shift, and shift by what should scale.",
        ),
        Mistake(
            "one style for the picture",
            _spade(put=_flat_style),
            "Left and right get the same scale and shift, although their labels differ: you "
            "average γ and β over the places.",
        ),
        Mistake(
            "labels mixed",
            _spade(
                resize=lambda m, size: F.interpolate(
                    m, size, mode="bilinear", align_corners=False
                )
            ),
            "At the smaller size some of your places are three quarters sea: no such kind exists, "
            "and its γ was never learned.",
        ),
        Mistake(
            "labels averaged",
            _spade(resize=F.adaptive_avg_pool2d),
            "At the smaller size some of your places are three quarters sea: no such kind exists, "
            "and its γ was never learned.",
        ),
        Mistake(
            "γ and β resized, not the labels",
            _resized_after,
            "You compute γ and β at the labels' size and shrink them afterwards. A convolution "
            "then sees other neighbours than at the size of x.",
        ),
        Mistake(
            "statistics of the batch",
            _spade(norm=lambda x: _normed(x, (0, 2, 3))),
            "A picture's result changes when you change its neighbour in the batch.",
        ),
        Mistake(
            "all channels together",
            _spade(norm=lambda x: _normed(x, (1, 2, 3))),
            "A quiet channel beside a loud one stays quiet. Each map should be normalised by "
            "itself.",
        ),
        Mistake(
            "each place by itself",
            _spade(norm=lambda x: _normed(x, (1,))),
            "You normalise over the channels of each place. Mean and variance should be those of "
            "a map, over its places.",
        ),
        Mistake(
            "ε beside the root",
            _spade(norm=_beside_the_root),
            "You add the 1e-5 to the standard deviation. In a faint map, whose variance is about "
            "as small as that, the two differ: it belongs under the root, to the variance.",
        ),
        Mistake(
            "unbiased",
            _spade(norm=lambda x: _normed(x, correction=1)),
            "You divide by 3 among 4 places: the first number is {got:.3f} instead of "
            "{expected:.3f}.",
            example(_X4, _HALVES, _gamma, _beta, pick=_FIRST, gives=-3.3238),
        ),
        Mistake(
            "only the mean taken off",
            _spade(norm=lambda x: x - x.mean((2, 3), keepdim=True)),
            "Double x, and your result still has twice the contrast.",
        ),
        Mistake(
            "divided by the variance",
            _spade(norm=lambda x: (x - x.mean((2, 3), keepdim=True))
                   / (x.var((2, 3), correction=0, keepdim=True) + 1e-5)),
            "Double x, and your result has half the contrast.",
        ),
    ),
    probes=(
        call("((1, 3), (5, 7)) under two halves", _X4, _HALVES, _gamma, _beta, grad=(0,)),
        call("2 pictures of 3 channels, 4 × 6, labels 12 × 12", normal(2, 3, 4, 6, seed=123)
             * torch.tensor([1.0, 5.0, 0.5]).view(1, 3, 1, 1) + 1,
             _larger_kinds(2, 2, 4, 6, (3, 2), 124), _conv_gamma, _conv_beta, grad=(0,), rtol=1e-3),
        call("labels of x's own size", normal(1, 3, 3, 5, seed=125), _kinds(1, 2, 3, 5, 126),
             _conv_gamma, _conv_beta),
        call("labels smaller than x", normal(3, 1, 6, 4, seed=127), _kinds(3, 4, 3, 2, 128),
             _gamma, _beta),
        call("a faint map", 0.01 * normal(1, 1, 4, 4, seed=129),
             _larger_kinds(1, 2, 4, 4, (2, 2), 130), _gamma, _beta),
        call("a map of equal numbers", torch.full((1, 1, 2, 2), 4.0), _HALVES, _gamma, _beta),
    ),
)  # fmt: skip


# --- feature_matching -----------------------------------------------------------------------------


def _row(*numbers: float) -> Tensor:
    return torch.tensor([[*map(float, numbers)]])


_REAL = [[_row(2, 4), _row(1)], [_row(1), _row(5)]]
_FAKE = [[_row(1, 2), _row(0)], [_row(3), _row(1)]]


def _matching(
    apart: Callable = lambda r, f: (r.detach() - f).abs().mean(),
    maps: slice = slice(None, -1),
    within: Callable = sum,
    over: Callable = lambda parts: sum(parts) / len(parts),
):
    def wrong(real, fake):
        return over([
            within([apart(r, f) for r, f in zip(a[maps], b[maps], strict=True)])
            for a, b in zip(real, fake, strict=True)
        ])  # fmt: skip

    return wrong


def _average(parts: list[Tensor]) -> Tensor:
    return sum(parts) / len(parts)


def _critics(n: int, seed: int) -> list[list[Tensor]]:
    """Features of a critic with two scales, three maps and a score each."""
    shapes = (
        ((2, 4, 3), (3, 2, 2), (1, 2, 2), (1, 2, 1)),
        ((2, 2, 2), (3, 1, 1), (1, 1, 2), (1, 1, 1)),
    )
    return [
        [normal(n, *shape, seed=seed + 10 * i + j) for j, shape in enumerate(scale)]
        for i, scale in enumerate(shapes)
    ]


_SWAPPED = [[_row(1, 5).T.contiguous(), _row(0, 0).T.contiguous()]]
_SWAPPED_BACK = [[_row(5, 1).T.contiguous(), _row(0, 0).T.contiguous()]]

FEATURE_MATCHING = Exercise(
    id="editing.feature_matching",
    title="What the critic saw on the way",
    reference=editing.feature_matching,
    hints=(
        "The critic looks at a real picture and at one that was drawn for the same labels. On the "
        "way to its score it makes maps. Which entry of each list is no map of features? Who "
        "should learn from the difference?",
        "For each scale: Σ over maps, without the score, of mean |real − fake|. Then the mean "
        "over scales. The real maps are the goal: they count as constants.",
        "Two loops with `zip`: over scales, and over `maps[:-1]`. `(r.detach() - f).abs().mean()` "
        "for each pair; divide by `len(real)` at the end.",
    ),
    mistakes=(
        Mistake(
            "the score counted",
            _matching(maps=slice(None)),
            "You count the score as a map: the generator is told to make the critic call its "
            "picture exactly as real as that one. Here you say {got:.3g} instead of "
            "{expected:.3g}.",
            example(_REAL, _FAKE, gives=4.25),
        ),
        Mistake(
            "sum over scales",
            _matching(over=sum),
            "Two scales give twice what was asked. The loss should not grow with the number of "
            "critics.",
        ),
        Mistake(
            "mean over maps",
            _matching(within=_average),
            "You average over the maps of a scale. Their sum was asked.",
        ),
        Mistake(
            "one mean over all numbers",
            lambda real, fake: torch.cat(
                [
                    (r.detach() - f).abs().flatten()
                    for a, b in zip(real, fake, strict=True)
                    for r, f in zip(a[:-1], b[:-1], strict=True)
                ]
            ).mean(),
            "You take a single mean over all numbers of all maps, so a map with many places "
            "counts more than one with few.",
        ),
        Mistake(
            "squares",
            _matching(apart=lambda r, f: (r.detach() - f).square().mean()),
            "You square the differences: {got:.3g} instead of {expected:.3g}. One place that is "
            "far off would decide alone.",
            example(_REAL, _FAKE, gives=3.25),
        ),
        Mistake(
            "sum over numbers",
            _matching(apart=lambda r, f: (r.detach() - f).abs().sum()),
            "You add up all numbers of a map: {got:.3g} instead of {expected:.3g}. The finest map "
            "would decide alone.",
            example(_REAL, _FAKE, gives=2.5),
        ),
        Mistake(
            "means of the batch",
            _matching(apart=lambda r, f: (r.detach().mean(0) - f.mean(0)).abs().mean()),
            "You compare means over the batch: two pictures that changed places count as equal. "
            "Each was drawn for its own labels.",
        ),
        Mistake(
            "the first map left out",
            _matching(maps=slice(1, None)),
            "You leave out the first entry of each list, and count the last one, the score.",
        ),
        Mistake(
            "only the last map",
            _matching(maps=slice(-2, -1)),
            "Your loss depends on the map before the score alone.",
        ),
        Mistake(
            "only the first scale",
            lambda real, fake: _matching()(real[:1], fake[:1]),
            "Your loss depends on the first scale alone.",
        ),
        Mistake(
            "the goal learns too",
            _matching(apart=lambda r, f: (r - f).abs().mean()),
            "The value is right. But a gradient also reaches the real side, whose features are the "
            "goal: nothing there should move.",
        ),
        Mistake(
            "the wrong side fixed",
            _matching(apart=lambda r, f: (r - f.detach()).abs().mean()),
            "The value is right, but the generator learns nothing: no gradient reaches the drawn "
            "pictures.",
        ),
        Mistake(
            "signs kept",
            _matching(apart=lambda r, f: (r.detach() - f).mean()),
            "Differences of opposite signs cancel in your mean: you say {got:.3g} instead of "
            "{expected:.3g}.",
            example(_REAL, _FAKE, gives=-0.25),
        ),
        Mistake(
            "one number a picture",
            lambda real, fake: sum(
                (r.detach() - f).abs().flatten(1).mean(1)
                for a, b in zip(real, fake, strict=True)
                for r, f in zip(a[:-1], b[:-1], strict=True)
            )
            / len(real),
            "You return a number for each picture. One for the batch was asked.",
        ),
    ),
    probes=(
        call("two scales of one map and a score", _REAL, _FAKE),
        _pulls("two scales of three maps, 2 pictures", ("real", "fake"), _critics(2, 131),
               _critics(2, 151)),
        call("two pictures that changed places", _SWAPPED, _SWAPPED_BACK),
        call("3 pictures, one scale", _critics(3, 171)[:1], _critics(3, 181)[:1]),
        _pulls("three scales", ("real", "fake"), _critics(1, 201) + _critics(1, 221)[:1],
               _critics(1, 241) + _critics(1, 261)[:1]),
    ),
)  # fmt: skip


# --- instance_edges -------------------------------------------------------------------------------


_CARS = torch.tensor([[[7, 7, 26], [7, 7, 26]]])


def _beside(ids: Tensor, steps: Sequence[tuple[int, int]], frame: Any = None) -> Tensor:
    """Whether ids differ from those one of `steps` further; beyond the edge from `frame`."""
    h, w = ids.shape[1:]
    padded = F.pad(ids[:, None].double(), (1, 1, 1, 1), mode="replicate")[:, 0]
    if frame is not None:
        padded = F.pad(ids.double(), (1, 1, 1, 1), value=frame)
    found = torch.zeros_like(ids, dtype=torch.bool)
    for dy, dx in steps:
        found |= padded[:, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w] != ids
    return found[:, None].float()


_CROSS = ((0, 1), (0, -1), (1, 0), (-1, 0))
_CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


def _rolled(ids):
    pairs = [ids != ids.roll(step, axis) for step in (1, -1) for axis in (1, 2)]
    return torch.stack(pairs).any(0)[:, None].float()


def _sizes(ids):
    ids = ids.float()
    out = torch.zeros_like(ids)
    across, down = (ids.diff(dim=axis).abs() for axis in (2, 1))
    out[:, :, 1:] = across
    out[:, :, :-1] = torch.maximum(out[:, :, :-1], across)
    out[:, 1:] = torch.maximum(out[:, 1:], down)
    out[:, :-1] = torch.maximum(out[:, :-1], down)
    return out[:, None]


def _summed(ids):
    n = F.pad(ids[:, None].double(), (1, 1, 1, 1), mode="replicate")
    cross = n[..., :-2, 1:-1] + n[..., 2:, 1:-1] + n[..., 1:-1, :-2] + n[..., 1:-1, 2:]
    return (cross != 4 * n[..., 1:-1, 1:-1]).float()


def _across(ids):
    n = F.pad(ids[:, None].double(), (1, 1, 1, 1), mode="replicate")
    beside = n[..., 1:-1, :-2] != n[..., 1:-1, 2:]
    return (beside | (n[..., :-2, 1:-1] != n[..., 2:, 1:-1])).float()


def _counted(ids):
    return sum(_beside(ids, (step,)) for step in _CROSS)


def _names(*shape: int, n: int, seed: int) -> Tensor:
    """Ids as a data set gives them, 1000 · class + number, in blocks of 3 × 4 places."""
    table = torch.tensor([0, 7, 11_000, 26_000, 26_001, 26_002, 33_000])
    names = table[(normal(*shape, seed=seed).abs() * 3).long() % n]
    return names.repeat_interleave(3, 1).repeat_interleave(4, 2)  # things are larger than a place


_CORNER = torch.tensor(
    [[[1, 1, 1, 2, 2], [1, 1, 1, 2, 2], [1, 1, 1, 2, 2], [3, 3, 3, 4, 4], [9, 3, 3, 4, 4]]]
)

INSTANCE_EDGES = Exercise(
    id="editing.instance_edges",
    title="Where one car ends and the next begins",
    reference=editing.instance_edges,
    hints=(
        "Ids are names: they say whether two places belong to the same thing, and nothing else. "
        "Compare the map with itself, moved by one place. Which two places does a difference "
        "belong to?",
        "`ids[:, :, 1:] != ids[:, :, :-1]` is true where neighbours differ, one column fewer than "
        "the map has. Mark both neighbours of each such pair; then the same along the other axis.",
        "A map of False; `edges[:, :, 1:] |= differs` and `edges[:, :, :-1] |= differs`, the same "
        "for rows, then `.float()` and an axis for the channel.",
    ),
    mistakes=(
        Mistake(
            "one side only",
            lambda ids: _beside(ids, ((0, -1), (-1, 0))),
            "Only one of two neighbours is marked: in a row 7, 7, 26 the last place alone. The "
            "edge belongs to both.",
        ),
        Mistake(
            "the other side only",
            lambda ids: _beside(ids, ((0, 1), (1, 0))),
            "Only one of two neighbours is marked: in a row 7, 7, 26 the middle one alone. The "
            "edge belongs to both.",
        ),
        Mistake(
            "the size of the step",
            _sizes,
            "Between 7 and 26 you say {got:.3g}. Ids are names: how far apart they are says "
            "nothing.",
            example(_CARS, pick=_at(0, 0, 0, 2), gives=19.0),
        ),
        Mistake(
            "around the picture",
            _rolled,
            "You treat the left edge of the picture as a neighbour of its right edge: in a row 7, "
            "7, 26 the first place should be 0.",
        ),
        Mistake(
            "only across",
            lambda ids: _beside(ids, ((0, 1), (0, -1))),
            "An edge between two things one above the other is missing.",
        ),
        Mistake(
            "only up and down",
            lambda ids: _beside(ids, ((1, 0), (-1, 0))),
            "An edge between two things side by side is missing.",
        ),
        Mistake(
            "corners too",
            lambda ids: _beside(ids, _CROSS + _CORNERS),
            "You mark a place that touches another id at a corner only. The four neighbours "
            "beside a place were asked.",
        ),
        Mistake(
            "only corners",
            lambda ids: _beside(ids, _CORNERS),
            "You compare places that touch at a corner, and not those side by side.",
        ),
        Mistake(
            "the frame an edge",
            lambda ids: _beside(ids, _CROSS, frame=-9.0),
            "You draw a frame around a picture of a single thing. There is no neighbour beyond "
            "the picture's edge.",
        ),
        Mistake(
            "zeros around the picture",
            lambda ids: _beside(ids, _CROSS, frame=0.0),
            "You put zeros around the picture and compare with them: every thing whose id is not "
            "0 gets a frame.",
        ),
        Mistake(
            "inside for edge",
            lambda ids: 1 - _beside(ids, _CROSS),
            "You have 1 inside and 0 at the edges.",
        ),
        Mistake(
            "neighbours counted",
            _counted,
            "You count how many neighbours differ. Whether one of them differs was asked.",
        ),
        Mistake(
            "classes for instances",
            lambda ids: _beside(torch.where(ids >= 1000, ids // 1000, ids), _CROSS),
            "26001 and 26002 are two cars side by side, and they run together. Which digits did "
            "you drop?",
        ),
        Mistake(
            "differences added up",
            _summed,
            "You add up the differences to the four neighbours. Differences of opposite signs "
            "cancel: in a row 1, 2, 3 the middle place should be marked.",
        ),
        Mistake(
            "left against right",
            _across,
            "You compare the two neighbours of a place with each other and leave out the place "
            "itself: in a row 1, 2, 1 the middle one should be marked.",
        ),
        Mistake(
            "ids beyond 255",
            lambda ids: _beside(ids % 256, _CROSS),
            "You keep the last eight bits of an id. 26001 and 26257 are two things, and they "
            "become one.",
        ),
    ),
    probes=(
        call("two rows of 7, 7, 26", _CARS),
        call("a column of 1 and 2", torch.tensor([[[1], [2]]])),
        call("one thing all over", torch.full((1, 3, 4), 5)),
        call("four things meet at a corner, and a lone place", _CORNER),
        call("3 pictures of 9 × 8, ids up to 33000", _names(3, 3, 2, n=7, seed=301)),
        call("three cars side by side",
             torch.tensor([[[26002, 26002, 26001, 26001, 26257]]])),
        call("one picture of 9 × 16, zeros and sevens", _names(1, 3, 4, n=2, seed=302)),
        call("a row of 1, 2, 3", torch.tensor([[[1, 2, 3]]])),
        call("rows of 1, 2, 1", torch.tensor([[[1, 2, 1], [1, 2, 1], [1, 1, 1]]])),
        call("a single place", torch.tensor([[[3]]])),
        call("ids below 0", torch.tensor([[[-1, 1, 1], [-1, -1, 1]]])),
    ),
)  # fmt: skip


EXERCISES = (
    PERCEPTUAL_DISTANCE,
    INVERT,
    NOISE_REGULARISER,
    STRANGENESS,
    DOMAIN_REGULARISER,
    LOCAL_CODES,
    CONDITIONAL_DIRECTION,
    SEFA,
    CHANNEL_RELEVANCE,
    SPADE,
    FEATURE_MATCHING,
    INSTANCE_EDGES,
)

QUESTIONS = (
    Question(
        "editing.untrained",
        "A generator with random weights has never seen a face. In W+, we search for the code "
        "whose picture is nearest to a real person. What does this picture show?",
        {
            "noise": "The weights are random, but the code is not: hundreds of numbers are fitted "
            "to this one picture.",
            "an average face": "It has never seen a face, so it has no average one either.",
            "the person": "Blurred, but the head is recognised. Hundreds of free numbers can draw "
            "much; that a picture can be drawn does not prove that it was learned.",
        },
        "the person",
    ),
    Question(
        "editing.nearest",
        "Someone whom the generator has never seen. Which picture is nearest to this person, in "
        "dB: the one found in W, the one found in W+, or the most similar drawing of the training "
        "set?",
        {
            "in W": "One w for all layers has the fewest numbers: every picture of W is also one "
            "of W+, so W+ can come at least as near.",
            "in W+": "A w for each layer draws more than W does. Is that more than thousands of "
            "real drawings hold?",
            "the training drawing": "Keep this baseline in mind: in dB, no code that this lecture "
            "finds comes as near. But the drawing shows somebody else, and it has no code that can "
            "be edited.",
        },
        "the training drawing",
    ),
    Question(
        "editing.tuned",
        "PTI keeps the code of one person and trains the generator's weights until it draws that "
        "person. What do the codes of other people draw afterwards?",
        {
            "what they drew before": "All codes go through the same weights, and these have moved.",
            "that person": "The steps are small and few: the others stay mostly who they were.",
            "somewhat other pictures": "The weights are shared. How much the others change, and "
            "what holds them, comes next.",
        },
        "somewhat other pictures",
    ),
    Question(
        "editing.one_text",
        'The codes of faces are moved until the network of pictures and texts gives "glasses" a '
        "higher score than to any real picture. At the start another network sees glasses on some "
        "of these faces. On what percentage of them does it see glasses at the end?",
        None,
        None,
    ),
    Question(
        "editing.flat_map",
        "Six label maps, each of one kind all over: sea, forest, desert and so on. Each goes "
        "through a convolution with reflected edges, then through InstanceNorm. What comes out?",
        {
            "six flat maps": "Flat they are. But what does InstanceNorm subtract from a flat map?",
            "six different patterns": "A flat map with reflected edges stays flat under a "
            "convolution: there is nothing to make a pattern of.",
            "six times the same": "Zeros, six times. The mean of a flat map is the map itself, and "
            "it is subtracted: the kind is washed away.",
        },
        "six times the same",
    ),
)
