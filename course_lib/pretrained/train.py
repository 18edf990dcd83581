"""How the shipped weights were made. `python -m course_lib.pretrained.train NAME …` does it again.

One function per name. It trains, measures on images that were not trained on, and writes the
weights with a card. On two CPU cores each takes a few minutes. Another machine gives other last
digits.
"""

import argparse
import platform
from collections.abc import Callable
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import data, device
from course_lib.metrics import TAUGHT, Classifier, FeatureNet, fit_gaussian, frechet_distance
from course_lib.pretrained import round_weights, save_weights


def features_fashion() -> None:
    _judge("features_fashion", FeatureNet, seed=1, epochs=9)


def features_peeps() -> None:
    _judge("features_peeps", FeatureNet, seed=2, epochs=60)


def classifier_fashion() -> None:
    _judge("classifier_fashion", Classifier, seed=3, epochs=10)


def classifier_peeps() -> None:
    _judge("classifier_peeps", Classifier, seed=4, epochs=80)


TRAINERS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (features_fashion, features_peeps, classifier_fashion, classifier_peeps)
}


def _judge(name: str, kind: type, seed: int, epochs: int, batch: int = 250) -> None:
    """A network of `metrics`, taught all attributes at once by cross-entropy."""
    start, dataset, home = perf_counter(), name.split("_")[1], device.choose().device
    train, test = data.load(dataset, "train"), data.load(dataset, "test")
    torch.manual_seed(seed)
    net = kind(dataset, pretrained=False).to(home, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.02)
    steps = len(train) // batch * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.2)
    labels, indices = _labels(train), torch.randperm(0)
    for step in range(steps):
        if len(indices) < batch:
            indices = torch.randperm(len(train))
        i, indices = indices[:batch], indices[batch:]
        x = _varied(train[i].floats(), halve=dataset == "peeps" and step % 2 == 0).to(home)
        with device.choose().autocast():
            scores = net(x.contiguous(memory_format=torch.channels_last))
            losses = [
                F.cross_entropy(scores[key].float(), labels[key][i].to(home), label_smoothing=0.05)
                for key in scores
            ]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}, loss {sum(losses).item():.3f}", flush=True)
    net.eval()
    if kind is FeatureNet:
        _standardise(net, train.floats())
    seconds = perf_counter() - start
    card = {
        "what": kind.__doc__.splitlines()[0],
        "data": f"{dataset}, {len(train):,} training images; measured on {len(test):,} others",
        "taught": ", ".join(f"{key} ({n})" for key, n in TAUGHT[dataset][2].items()),
        "steps": f"{steps:,} of {batch} images ({epochs} epochs), AdamW, one cycle up to 0.004",
        "seed": seed,
        **_circumstances(name, seconds),
        **_quality(round_weights(net), train, test),
    }
    save_weights(name, net, card)


def _labels(images) -> dict[str, Tensor]:
    if images.attributes:
        return {key: images.attributes[key].long() for key in TAUGHT["peeps"][2]}
    return {"class": images.labels}


def _varied(x: Tensor, halve: bool) -> Tensor:
    """Shifts a batch by up to 2 pixels; mirrors half of the batches of clothes."""
    dy, dx = torch.randint(0, 5, (2,)).tolist()
    h, w = x.shape[2:]
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")[:, :, dy : dy + h, dx : dx + w]
    if x.shape[1] == 1 and torch.rand(()) < 0.5:
        x = x.flip(3)
    return F.avg_pool2d(x, 2) if halve else x


@torch.no_grad()
def _standardise(net: FeatureNet, x: Tensor) -> None:
    """Each feature gets mean 0 and variance 1 over x, by the statistics of the last BatchNorm."""
    last = net.trunk[-1]
    features = net.features(x)
    mean, var = features.mean(0), features.var(0)
    spread = (last.running_var + last.eps).sqrt()
    last.running_mean += mean * spread
    last.running_var.copy_((var * spread.square() - last.eps).clamp(min=1e-6))


def _quality(net, train, test) -> dict[str, str]:
    sizes = {f"{test.images.shape[2]} × {test.images.shape[3]}": test.floats()}
    if net.channels == 3:
        sizes["32 × 32"] = F.avg_pool2d(test.floats(), 2)
    found = {}
    for size, x in sizes.items():
        for key, truth in _labels(test).items():
            share = (net.classify(x, key).cpu() == truth).double().mean().item()
            found[f"accuracy, {key}, {size}"] = f"{share:.1%}"
    if isinstance(net, FeatureNet):
        real, other = net.features(train.floats()), net.features(test.floats())
        half = min(1000, len(other) // 2)
        for label, a, b in (
            (
                f"Fréchet distance, {half} test images against {half} others",
                other[:half],
                other[half : 2 * half],
            ),
            (
                f"Fréchet distance, {len(other):,} training against {len(other):,} test images",
                real[: len(other)],
                other,
            ),
        ):
            distance = frechet_distance(*fit_gaussian(a), *fit_gaussian(b))
            found[label] = f"{distance:.2f}"
    return found


def _circumstances(name: str, seconds: float) -> dict[str, str]:
    return {
        "command": f"`python -m course_lib.pretrained.train {name}`",
        "time": f"{seconds:.0f} s on {device.choose()}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.pretrained.train", description=__doc__
    )
    parser.add_argument(
        "names", nargs="+", choices=TRAINERS, metavar="NAME", help=", ".join(TRAINERS)
    )
    for name in parser.parse_args().names:
        TRAINERS[name]()


if __name__ == "__main__":
    main()
