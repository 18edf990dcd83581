import json
import subprocess
import sys
from time import perf_counter

import pytest
import torch

from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance, kid, precision_recall

ALONE = """
import json, resource, torch
from time import perf_counter
from course_lib.metrics import precision_recall

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
real, fake = torch.randn(10_000, 64), torch.randn(10_000, 64)
before, start = peak(), perf_counter()
precision_recall(real, fake)
print(json.dumps([perf_counter() - start, peak() - before]))
"""


def gaussian(seed: int, d: int = 2048):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(5000, d, generator=generator) @ torch.randn(d, d, generator=generator) / d**0.5
    return fit_gaussian(x.relu())


@pytest.mark.benchmark
def test_frechet_distance_at_2048_dimensions_takes_at_most_1_5_times_torch_fidelitys_time():
    theirs = pytest.importorskip("torch_fidelity.metric_fid")
    a, b = gaussian(1), gaussian(2)
    start = perf_counter()
    found = frechet_distance(*a, *b)
    ours, start = perf_counter() - start, perf_counter()
    statistics = [{"mu": mean.numpy(), "sigma": cov.numpy()} for mean, cov in (a, b)]
    expected = theirs.fid_statistics_to_metric(*statistics, verbose=False)
    other = perf_counter() - start
    print(f"\nFréchet 2,048: ours {ours:.2f} s, other {other:.2f} s, ratio {ours / other:.2f}")
    assert found == pytest.approx(expected["frechet_inception_distance"], rel=1e-6)
    assert ours < 1.5 * other


@pytest.mark.benchmark
def test_precision_and_recall_of_10000_by_10000_take_less_than_1_gigabyte():
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    seconds, memory = json.loads(run.stdout)
    print(f"\nprecision/recall 10,000 × 10,000: ours {seconds:.2f} s, {memory:.2f} GB")
    assert memory < 1


@pytest.mark.benchmark
def test_other_metrics_print_their_times():
    x, y = torch.randn(10_000, 64), torch.randn(10_000, 64)
    start = perf_counter()
    kid(x, y)
    print(f"\nkid 10,000 × 10,000: ours {perf_counter() - start:.2f} s")
    net, images = FeatureNet("peeps"), torch.rand(1000, 3, 64, 64)
    start = perf_counter()
    net.features(images)
    print(f"features of 1,000 faces: ours {perf_counter() - start:.2f} s")
    start = perf_counter()
    precision_recall(x, y)
    assert perf_counter() - start < 60
