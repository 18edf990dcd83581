import re
import time

import pytest
import torch
import torch.nn.functional as F

from course_lib import device
from course_lib.device import Choice, choose


def forget():
    choose.cache_clear()
    device.usable.cache_clear()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each test probes anew, on the CPU unless it says otherwise."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    forget()
    yield
    forget()


def in_bfloat16():
    return torch.is_autocast_enabled("cpu")


def replace(monkeypatch, name, change):
    """Put `change(result, image, kernel, options)` behind F.conv2d or F.conv_transpose2d."""
    real = getattr(F, name)

    def faulty(x, weight, **options):
        return change(real(x, weight, **options), x, weight, options)

    for kind, shapes in device.KINDS.items():
        shapes = [
            (faulty if operation is real else operation, *rest) for operation, *rest in shapes
        ]
        monkeypatch.setitem(device.KINDS, kind, shapes)
    monkeypatch.setattr(F, name, faulty)


def slower(monkeypatch, bfloat16, seconds):
    """Convolutions take so much longer in one of the two precisions."""

    def wait(result, *_):
        if in_bfloat16() == bfloat16:
            time.sleep(seconds)
        return result

    replace(monkeypatch, "conv2d", wait)


def test_bfloat16_is_on_where_it_is_right_and_faster(monkeypatch):
    slower(monkeypatch, bfloat16=False, seconds=1)
    gain = (
        device._gain
    )  # of one picture: a batch takes old, busy processors longer than that second
    monkeypatch.setattr(device, "_gain", lambda kind, batch, seconds: gain(kind, 1, seconds))
    choice = choose()
    assert choice.bfloat16 and choice.device == torch.device("cpu")
    assert "times faster, values agree" in str(choice)
    assert str(choice).startswith(f"cpu ({torch.get_num_threads()} threads), bfloat16 autocast on")
    assert "\n" not in str(choice) and repr(choice) == str(choice)


def test_bfloat16_is_refused_where_it_is_slow(monkeypatch):
    slower(monkeypatch, bfloat16=True, seconds=0.2)
    choice = choose()
    assert not choice.bfloat16
    assert "bfloat16 autocast off: convolutions are only" in str(choice)


def test_a_speed_up_below_the_threshold_is_refused(monkeypatch):
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 1.19)
    assert not choose().bfloat16
    forget()
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 1.21)
    assert choose().bfloat16


def test_a_hopelessly_slow_cpu_is_not_given_a_whole_batch(monkeypatch):
    batches = []
    monkeypatch.setattr(device, "_gain", lambda kind, batch, seconds: batches.append(batch) or 0.01)
    assert not choose().bfloat16 and batches == [1]


def test_the_trial_leaves_the_number_of_threads_as_it_was():
    threads = torch.get_num_threads()
    device._gain("convolutions", batch=1, seconds=0.01)
    assert torch.get_num_threads() == threads


FAULTS = {
    # github.com/pytorch/pytorch/issues/163347: one term instead of four
    "the 2x2 kernel on a 2x2 image": ("conv2d", lambda y, x, w, o: y / 4 if x.numel() == 4 else y),
    # github.com/pytorch/pytorch/issues/169688: columns of width 1 after a stride
    "strides to a single column": (
        "conv2d",
        lambda y, x, w, o: y.flip(0) if y.shape[-1] == 1 and "stride" in o else y,
    ),
    "one output channel": (
        "conv2d",
        lambda y, x, w, o: torch.cat([y[:, :-1], 1.2 * y[:, -1:]], dim=1),
    ),
    "transposed ones": ("conv_transpose2d", lambda y, x, w, o: y.roll(1, dims=-1)),
    "nan": ("conv_transpose2d", lambda y, x, w, o: y * float("nan")),
    "the gradient alone": ("conv2d", lambda y, x, w, o: y.detach() + 0.9 * (y - y.detach())),
}


@pytest.mark.parametrize("name", FAULTS)
def test_bfloat16_is_refused_where_convolutions_are_wrong(monkeypatch, name):
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 5.0)  # fast, that is
    operation, fault = FAULTS[name]
    replace(monkeypatch, operation, lambda y, *rest: fault(y, *rest) if in_bfloat16() else y)
    choice = choose()
    assert not choice.bfloat16
    assert "convolutions are wrong in it" in choice.reason


def test_the_same_fault_in_both_precisions_is_not_bfloat16s(monkeypatch):
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 5.0)
    replace(monkeypatch, "conv2d", lambda y, *rest: 2 * y)
    assert choose().bfloat16


def test_an_error_in_the_probe_refuses_bfloat16_and_is_told(monkeypatch):
    def fail(y, *_):
        if in_bfloat16():
            # as on Lunar Lake: github.com/pytorch/pytorch/issues/148861
            raise RuntimeError("DNNL does not support bf16/f16 backward\non this platform")
        return y

    replace(monkeypatch, "conv_transpose2d", fail)
    choice = choose()
    assert not choice.bfloat16
    assert "fail in it (RuntimeError: DNNL does not support bf16/f16 backward)" in str(choice)
    assert "\n" not in str(choice)


def test_real_convolutions_here_pass_the_value_check():
    cpu = torch.device("cpu")
    errors = [device._error(cpu, *shape) for shapes in device.KINDS.values() for shape in shapes]
    assert max(errors) < 0.01  # bfloat16 has 8 significant bits: half a unit is 0.002
    assert min(errors) > 0  # it was really computed in another precision


def test_layers_of_each_kind_are_tried_by_themselves(monkeypatch):
    monkeypatch.setattr(device, "_gain", lambda kind, **_: {"convolutions": 0.13}.get(kind, 4.0))
    assert not choose().bfloat16 and choose("matrix products").bfloat16
    assert choose("matrix products").reason == "matrix products 4.0 times faster, values agree"


def test_bfloat16_is_refused_where_products_are_wrong(monkeypatch):
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 5.0)
    replace(monkeypatch, "linear", lambda y, *_: 1.1 * y if in_bfloat16() else y)
    assert choose().bfloat16 and not choose("matrix products").bfloat16
    assert "matrix products are wrong in it, off by" in choose("matrix products").reason


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode])
def test_the_trial_takes_gradients_where_its_caller_takes_none(without):
    with without():
        _, reason = device._try_bfloat16(torch.device("cpu"), "convolutions")
    assert "fail" not in reason


def test_an_unknown_kind_of_layer_is_named():
    with pytest.raises(ValueError, match="kind must be one of convolutions, matrix products; got"):
        choose("Linear")


def test_one_setting_turns_bfloat16_off_for_a_run(monkeypatch):
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 5.0)
    monkeypatch.setenv("COURSE_BFLOAT16", "off")
    assert not choose().bfloat16 and "autocast off: COURSE_BFLOAT16 is off" in str(choose())
    forget()
    monkeypatch.setenv("COURSE_BFLOAT16", "no")
    with pytest.raises(ValueError, match="must be on or off; it is set to 'no'"):
        choose()


def test_the_choice_is_made_once_in_a_process(monkeypatch):
    calls = []
    monkeypatch.setattr(
        device, "_try_bfloat16", lambda d, kind: calls.append(d) or (False, "because")
    )
    assert choose() is choose()
    assert len(calls) == 1


def test_the_probe_draws_no_random_numbers_of_the_course():
    state = torch.get_rng_state()
    choose()
    assert torch.equal(state, torch.get_rng_state())


def gpu(monkeypatch, name, capability):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: name)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(device, "_trouble", lambda _: "")


def apple(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(device, "_trouble", lambda _: "")


def test_a_t4_has_no_bfloat16_units(monkeypatch):
    gpu(monkeypatch, "Tesla T4", (7, 5))
    assert str(choose()) == (
        "cuda (Tesla T4), bfloat16 autocast off: this GPU has no bfloat16 units"
    )
    assert choose().device == torch.device("cuda")


@pytest.mark.parametrize("error, on", [(0.004, True), (0.2, False)])
def test_a_newer_gpu_must_only_compute_right(monkeypatch, error, on):
    gpu(monkeypatch, "NVIDIA A100", (8, 0))
    monkeypatch.setattr(device, "_error", lambda *_: error)
    assert choose().bfloat16 is on


def test_cuda_is_taken_before_mps_and_mps_before_the_cpu(monkeypatch):
    monkeypatch.setattr(device, "_try_bfloat16", lambda *_: (False, "because"))
    apple(monkeypatch)
    assert choose().device.type == "mps"
    forget()
    gpu(monkeypatch, "Tesla T4", (7, 5))
    assert choose().device.type == "cuda"


def test_apples_gpus_stay_in_float32(monkeypatch):
    apple(monkeypatch)
    assert choose().device.type == "mps" and not choose().bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA works here")
def test_a_gpu_that_cannot_compute_is_left_alone_and_the_reason_says_so(monkeypatch):
    # as the virtual machines of GitHub's macOS runners: github.com/actions/runner-images, 9918
    monkeypatch.setattr(device, "_gain", lambda *_, **__: 0.5)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    choice = choose()
    assert choice.device == torch.device("cpu") and not choice.bfloat16
    assert re.search(r"; cuda is there and fails \(\w+: \S.*\)$", choice.reason)
    assert "\n" not in choice.reason


def test_a_gpu_that_computes_has_no_trouble():
    assert device._trouble(torch.device("cpu")) == ""


@pytest.mark.parametrize("on, dtype", [(True, torch.bfloat16), (False, torch.float32)])
def test_autocast_is_what_the_choice_says(on, dtype):
    layer, x = torch.nn.Linear(3, 2), torch.ones(4, 3)
    with Choice(torch.device("cpu"), on, "because").autocast():
        assert layer(x).dtype == dtype
    assert layer(x).dtype == torch.float32
