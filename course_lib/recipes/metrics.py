"""Recipes of the weights of feature networks and classifiers, which look at pictures."""

from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, device
from course_lib.metrics import TASKS, Classifier, FeatureNet, fit_gaussian, frechet_distance
from course_lib.pretrained import round_weights, save_weights
from course_lib.recipes import circumstances


def features_fashion() -> None:
    _judge("features_fashion", FeatureNet, seed=1, epochs=9)


def features_peeps() -> None:
    _judge("features_peeps", FeatureNet, seed=2, epochs=60)


def classifier_fashion() -> None:
    _judge("classifier_fashion", Classifier, seed=3, epochs=10)


def classifier_peeps() -> None:
    _judge("classifier_peeps", Classifier, seed=4, epochs=50)


def _judge(name: str, kind: type, seed: int, epochs: int, batch: int = 250) -> None:
    """A network of `metrics`, taught all its attributes at once by cross-entropy."""
    start, dataset, home = perf_counter(), name.split("_")[1], device.choose().device
    train, test = data.load(dataset, "train"), data.load(dataset, "test")
    torch.manual_seed(seed)
    net = kind(dataset, pretrained=False).to(home, memory_format=torch.channels_last)
    painter = nn.Linear(64, net.channels * 8 * 8).to(home)  # left out of what is shipped
    optimizer = torch.optim.AdamW([*net.parameters(), *painter.parameters()], weight_decay=0.02)
    steps = len(train) // batch * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.2)
    labels, indices = _labels(train), torch.randperm(0)
    for step in range(steps):
        if len(indices) < batch:
            indices = torch.randperm(len(train))
        i, indices = indices[:batch], indices[batch:]
        x = _varied(train[i].floats(), halve=dataset == "peeps" and step % 2 == 0).to(home)
        with device.choose().autocast():
            features = net.describe(x.contiguous(memory_format=torch.channels_last))
            losses = [
                F.cross_entropy(head(features), labels[key][i].to(home), label_smoothing=0.05)
                for key, head in net.heads.items()
            ]
            if kind is FeatureNet:
                small = F.adaptive_avg_pool2d(x, 8).flatten(1)
                losses.append(5 * F.mse_loss(painter(features).float(), small))
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
        "taught": ", ".join(f"{key} ({n})" for key, n in TASKS[dataset][2].items()),
        "steps": f"{steps:,} of {batch} images ({epochs} epochs), AdamW, one cycle up to 0.004",
        "seed": seed,
        **circumstances(name, seconds),
        **_quality(round_weights(net), train, test),
    }
    save_weights(name, net, card)


def _labels(images) -> dict[str, Tensor]:
    if images.attributes:
        return {key: images.attributes[key].long() for key in TASKS["peeps"][2]}
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


RECIPES = (
    features_fashion,
    features_peeps,
    classifier_fashion,
    classifier_peeps,
)
