import json
import subprocess
import sys
from time import perf_counter

import pytest
import torch
from sklearn.decomposition import PCA as TheirPCA

from course_lib import data
from course_lib.pca import PCA

ALONE = """
import json, resource, torch
from time import perf_counter
from course_lib import data
from course_lib.pca import PCA

x = torch.cat([data.load("peeps", split).floats() for split in ("train", "test")]).flatten(1)
start = perf_counter()
PCA(100).fit(x)
seconds = perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([*x.shape, seconds, peak]))
"""


@pytest.mark.benchmark
def test_all_peeps_take_less_than_20_seconds_and_about_2_gigabytes():
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    n, d, seconds, peak = json.loads(run.stdout.splitlines()[-1])
    print(f"\nPCA(100) of {n} × {d}: ours {seconds:.2f} s, {peak:.2f} GB at most")
    assert (n, d) == (5000, 12_288) and seconds < 20 and peak < 2.2


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["peeps", "fashion"])
def test_pca_beside_scikit_learns(name):
    x = data.load(name, "train").floats().flatten(1)
    start = perf_counter()
    PCA(20).fit(x)
    ours, start = perf_counter() - start, perf_counter()
    TheirPCA(20, svd_solver="full" if x.shape[1] < 1000 else "arpack").fit(x.numpy())
    other = perf_counter() - start
    print(f"\nPCA(20) of {name}: ours {ours:.2f} s, other {other:.2f} s, ratio {ours / other:.2f}")
    assert torch.isfinite(PCA(2).fit(x[:100]).components).all() and ours < 20
