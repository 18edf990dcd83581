"""Batches from memory against what one would use otherwise."""

import time
from statistics import median

import pytest
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_lib import data


class TorchvisionStyle(Dataset):
    """Pictures one by one through PIL, as torchvision's FashionMNIST gives them."""

    def __init__(self, images):
        self.images = images.numpy()
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.images[i, 0], mode="L"))


def seconds(batches, n):
    iterator = iter(batches)
    next(iterator)
    start = time.perf_counter()
    for _ in range(n):
        next(iterator)
    return (time.perf_counter() - start) / n


@pytest.mark.benchmark
def test_batches_come_twenty_times_faster_than_from_a_data_loader(beside):
    fashion = data.load("fashion")
    ours = median(seconds(fashion.batches(128), 200) for _ in range(5))
    loader = DataLoader(TorchvisionStyle(fashion.images), batch_size=128, shuffle=True)
    theirs = median(seconds(loader, 20) for _ in range(5))
    assert beside("a batch of 128", "DataLoader", 1000 * ours, 1000 * theirs, "ms") > 20


@pytest.mark.benchmark
def test_fashion_loads_in_a_second_and_a_half():
    start = time.perf_counter()
    data.load("fashion")
    took = time.perf_counter() - start
    print(f"\nload fashion: {took:.2f} s")
    assert took < 1.5
