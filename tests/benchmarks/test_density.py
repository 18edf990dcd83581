import time
from statistics import median

import pytest
import torch
from sklearn.neighbors import KernelDensity

from course_lib import density
from tests.helpers import PeakMemory

pytestmark = pytest.mark.benchmark


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_parzen_is_twenty_times_faster_than_scikit_learn(beside, dtype):
    generator = torch.Generator().manual_seed(0)
    centers = torch.rand(20_000, 784, generator=generator, dtype=dtype)
    x = torch.rand(1000, 784, generator=generator, dtype=dtype)
    density.parzen_log_density(x[:10], centers, 0.2)
    ours = median(seconds(lambda: density.parzen_log_density(x, centers, 0.2)) for _ in range(3))
    kde = KernelDensity(kernel="gaussian", bandwidth=0.2).fit(centers.numpy())
    other = seconds(lambda: kde.score_samples(x.numpy()))
    what = f"Parzen, 1,000 queries, 20,000 centres, 784 numbers, {str(dtype)[6:]}"
    assert beside(what, "scikit-learn", ours, other, "s") >= 20


def test_parzen_of_ten_thousand_queries_and_sixty_thousand_centres_fits_in_300_mb():
    x, centers = torch.rand(10_000, 784), torch.rand(60_000, 784)
    density.parzen_log_density(x[:10], centers[:10], 0.2)
    with PeakMemory() as peak:
        duration = seconds(lambda: density.parzen_log_density(x, centers, 0.2))
    megabytes = peak.megabytes
    print(f"\nparzen 10,000 × 60,000 × 784: {duration:.1f} s, {megabytes:.0f} MB beyond the inputs")
    assert megabytes <= 300


def test_proxy_a_distance_of_images_takes_under_three_seconds():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2000, 784, generator=generator) for _ in range(2))
    duration = seconds(lambda: density.proxy_a_distance(x, y, generator))
    print(f"\nproxy_a_distance 2,000 + 2,000 × 784: {duration:.2f} s")
    assert duration < 3


def test_kmeans_and_mmd2_of_images_take_seconds():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(n, 784, generator=generator) for n in (10_000, 2000))
    kmeans = seconds(lambda: density.kmeans(x, 1000, 10, generator))
    mmd = seconds(lambda: density.mmd2(x[:2000], y, [2.0, 4.0, 8.0]))
    print(f"\nkmeans 10,000 → 1,000, 10 steps: {kmeans:.1f} s, mmd2 2,000 + 2,000: {mmd:.2f} s")
    assert kmeans < 30 and mmd < 5
