"""How long a picture of tokens takes, with kept keys and values and without."""

from statistics import median
from time import process_time

import pytest
import torch

from course_lib.tokens import TokenTransformer, draw_next
from course_lib.words import tokeniser

pytestmark = pytest.mark.benchmark


def seconds(net: TokenTransformer, text: torch.Tensor, cached: bool) -> tuple[float, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    begin = process_time()
    drawn = draw_next(net, text, g, cached=cached)
    return (process_time() - begin) / len(text), drawn


def test_kept_keys_and_values_draw_the_same_pictures_faster(beside):
    torch.manual_seed(0)
    net = TokenTransformer().eval()
    text = tokeniser().encode(["a happy person with long hair and glasses"] * 16)
    times = []
    for _ in range(4):  # in turn: other work may disturb one
        (fast, kept), (slow, anew) = (seconds(net, text, cached) for cached in (True, False))
        assert torch.equal(kept, anew)
        times.append((fast, slow))
    fast, slow = map(median, zip(*times[1:], strict=True))  # the first round warms up
    what = "a face of 64 tokens, batches of 16, CPU time"
    assert beside(what, "each place computed anew", 1000 * fast, 1000 * slow, "ms") >= 3
