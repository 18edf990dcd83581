import time
from statistics import median

import pytest
import torch

from course_lib.metrics import frechet_distance, precision_recall
from tests.helpers import PeakMemory

pytestmark = pytest.mark.benchmark


def seconds(call) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_frechet_distance_of_2048_dimensions_keeps_up_with_torch_fidelity(beside):
    theirs = pytest.importorskip("torch_fidelity.metric_fid")
    scale = torch.logspace(0, -2, 2048, dtype=torch.float64)  # as uneven as Inception's
    fitted = [
        (x.mean(0), x.T.cov())
        for x in (scale * draw(5000, 2048, seed=1), scale * draw(5000, 2048, seed=2) + 0.01)
    ]
    statistics = [{"mu": mean.numpy(), "sigma": cov.numpy()} for mean, cov in fitted]
    times = []
    for _ in range(3):  # in turn: other work may disturb one
        one, distance = seconds(lambda: frechet_distance(*fitted[0], *fitted[1]))
        two, result = seconds(lambda: theirs.fid_statistics_to_metric(*statistics, verbose=False))
        times.append((one, two))
    ours, other = map(median, zip(*times, strict=True))
    ratio = beside("Fréchet distance of 2,048 features", "torch-fidelity", ours, other, "s")
    assert distance == pytest.approx(result[theirs.KEY_METRIC_FID], rel=1e-6)
    assert ratio >= 1 / 1.5


def test_precision_and_recall_of_ten_thousand_images_fit_in_a_gigabyte():
    real, fake = draw(10_000, 64, seed=1).float(), 0.9 * draw(10_000, 64, seed=2).float() + 0.1
    precision_recall(real[:100], fake[:100])
    with PeakMemory() as peak:
        ours, shares = seconds(lambda: precision_recall(real, fake))
    print(
        f"\nprecision_recall 10,000 × 10,000 × 64: ours {ours:.1f} s, {peak.megabytes:.0f} MB "
        "beyond the inputs"
    )
    assert all(0 < share <= 1 for share in shares)
    assert peak.megabytes < 1000
