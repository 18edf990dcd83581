import pytest
import torch

from course_lib import device, scale


@pytest.fixture(autouse=True)
def without_setting(monkeypatch):
    monkeypatch.delenv("COURSE_SCALE", raising=False)
    device.usable.cache_clear()
    yield
    device.usable.cache_clear()


def accelerators(monkeypatch, cuda=False, mps=False, trouble=""):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(device, "_trouble", lambda _: trouble)


def test_a_cpu_gets_the_laptop_scale(monkeypatch):
    accelerators(monkeypatch)
    assert scale.current() == "laptop"
    assert scale.pick(smoke=5, laptop=1500, gpu=20_000) == 1500


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_an_accelerator_gets_the_gpu_scale(monkeypatch, kind):
    accelerators(monkeypatch, **{kind: True})
    assert scale.current() == "gpu"
    assert scale.pick(smoke=5, laptop=1500, gpu=20_000) == 20_000


def test_an_accelerator_that_does_not_compute_gets_the_laptop_scale(monkeypatch):
    accelerators(monkeypatch, mps=True, trouble="out of memory")
    assert scale.current() == "laptop"


@pytest.mark.parametrize("setting", ["smoke", "laptop", "gpu", " Smoke "])
def test_the_environment_variable_overrides_the_device(monkeypatch, setting):
    accelerators(monkeypatch, cuda=True)
    monkeypatch.setenv("COURSE_SCALE", setting)
    name = setting.strip().lower()
    assert scale.current() == name
    assert scale.pick(smoke="smoke", laptop="laptop", gpu="gpu") == name


def test_an_empty_setting_counts_as_none(monkeypatch):
    accelerators(monkeypatch)
    monkeypatch.setenv("COURSE_SCALE", "")
    assert scale.current() == "laptop"


def test_an_unknown_setting_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "huge")
    with pytest.raises(ValueError, match="COURSE_SCALE must be one of smoke, laptop, gpu.*'huge'"):
        scale.pick(smoke=1, laptop=2, gpu=3)


def test_every_scale_needs_a_value():
    with pytest.raises(TypeError, match="gpu"):
        scale.pick(smoke=1, laptop=2)
