import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from course_lib import data, pretrained, recipes
from course_lib.pretrained import load_weights, round_weights, save_weights

NAMES = sorted(path.stem for path in pretrained.FOLDER.glob("*.safetensors"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "weights")
    return tmp_path / "weights"


def net(width: int = 4) -> nn.Module:
    torch.manual_seed(width)
    layers = nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width, 2)
    return nn.Sequential(*layers)


def test_weights_come_back_rounded_to_what_was_stored(folder):
    saved, loaded = net(), net(4).requires_grad_(True)
    saved[1].running_var.fill_(1e6)  # more than float16 can hold
    save_weights("small", saved, {"data": "none", "seed": 0})
    for parameter in loaded.parameters():
        parameter.data.zero_()
    assert load_weights("small", loaded) is loaded and not loaded.training
    for key, value in round_weights(saved).state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key]), key
    assert loaded[0].weight.dtype == torch.float32 and loaded[1].running_var.max() == 1e6
    assert load_file(folder / "small.safetensors")["0.weight"].dtype == torch.float16


def test_a_large_matrix_is_stored_as_its_best_approximation_of_rank_64(folder):
    rank, rows, columns = pretrained.RANK, 520, 600
    generator = torch.Generator().manual_seed(0)
    low = torch.randn(rows, rank, generator=generator) @ torch.randn(
        rank, columns, generator=generator
    )
    saved, loaded = nn.Linear(columns, rows), nn.Linear(columns, rows)
    with torch.no_grad():
        saved.weight.copy_(low / 100)
    save_weights("large", saved, {})
    load_weights("large", loaded)
    torch.testing.assert_close(loaded.weight, saved.weight, rtol=0, atol=1e-3)
    assert torch.equal(round_weights(saved).weight, loaded.weight)
    assert (folder / "large.safetensors").stat().st_size < 2.1 * rank * (rows + columns) + 4000


def test_a_large_kernel_is_stored_in_8_bits_with_a_scale_for_each_row(folder):
    torch.manual_seed(0)
    saved, loaded = nn.Conv2d(64, 64, 3), nn.Conv2d(64, 64, 3)
    with torch.no_grad():
        saved.weight[0] *= 1000  # one loud row must not deafen the others
        saved.weight[1] = 0
    save_weights("kernel", saved, {})
    load_weights("kernel", loaded)
    off = (loaded.weight - saved.weight).flatten(1).abs().amax(1)
    assert (off <= saved.weight.flatten(1).abs().amax(1) / 253).all()
    assert torch.equal(round_weights(saved).weight, loaded.weight)
    assert (folder / "kernel.safetensors").stat().st_size < 1.1 * saved.weight.numel()


def test_the_card_says_what_was_told_and_how_large_it_is(folder):
    save_weights("small", net(), {"data": "none at all", "seed": 7})
    card = (folder / "small.md").read_text()
    for line in ("# small", "| data | none at all |", "| seed | 7 |", "| parameters | 58 |"):
        assert line in card


def test_checksums_are_in_the_format_of_sha256sum(folder):
    save_weights("b", net(), {})
    save_weights("a", net(5), {})
    save_weights("b", net(6), {})
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}"
        for name in ("a.safetensors", "b.safetensors")
    ]


def test_damaged_weights_are_named_and_not_loaded(folder):
    save_weights("small", net(), {})
    path = folder / "small.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    other = net(4)
    before = other[3].bias.clone()
    with pytest.raises(ValueError, match="small.safetensors are damaged.*recipes small"):
        load_weights("small", other)
    assert torch.equal(before, other[3].bias)
    path.unlink()
    with pytest.raises(ValueError, match="small.safetensors are missing"):
        load_weights("small", net())


def test_weights_of_another_network_are_refused(folder):
    save_weights("small", net(4), {})
    with pytest.raises(ValueError, match="'small' are of another network.*0.weight"):
        load_weights("small", net(5))
    with pytest.raises(ValueError, match="another network"):
        load_weights("small", nn.Linear(2, 2))


def test_an_unknown_name_is_answered_with_the_known_ones(folder):
    save_weights("small", net(), {})
    with pytest.raises(ValueError, match="'large'; there are small"):
        load_weights("large", net())


PATHS = ["../small", "a/small", "/tmp/small", "small.safetensors", "..", ".", "", "-small", "a b"]
PATHS += ["small\n", "a\\small", "C:small", "small\0", "größe", "x" * 200, Path("small"), None, 3]


@pytest.mark.parametrize("name", PATHS, ids=repr)
def test_names_are_taken_and_no_paths(folder, name):
    save_weights("small", net(), {})
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    for use in (lambda: save_weights(name, net(5), {}), lambda: load_weights(name, net())):
        with pytest.raises(
            ValueError, match="name must be the name of a set of weights.*not a path"
        ):
            use()
    after = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_file_has_its_checksum_and_a_full_card(name):
    content = (pretrained.FOLDER / f"{name}.safetensors").read_bytes()
    assert pretrained._sums()[name] == hashlib.sha256(content).hexdigest()
    card = (pretrained.FOLDER / f"{name}.md").read_text()
    for fact in ("data", "steps", "seed", "command", "time", "parameters", "size"):
        assert f"| {fact} |" in card, fact


PART_TWO = ("style", "big")  # what the names of lectures 09 to 12 begin with
PART_TWO += ("encoder", "swap", "land", "enlarge", "repair", "fill")
PART_TWO += ("clip", "vq", "next", "masked", "text", "stack")


def test_all_weights_together_stay_below_30_megabytes_and_those_of_part_two_below_12():
    sizes = {path.stem: path.stat().st_size for path in pretrained.FOLDER.glob("*.safetensors")}
    later = sum(size for name, size in sizes.items() if name.startswith(PART_TWO))
    assert sum(sizes.values()) - later < 30e6 and later < 12e6 and NAMES


def test_the_training_command_names_every_file_and_refuses_others():
    run = [sys.executable, "-m", "course_lib.recipes"]
    environment = {**os.environ, "COLUMNS": "300"}
    told = subprocess.run([*run, "--help"], capture_output=True, text=True, env=environment)
    assert told.returncode == 0 and all(name in told.stdout for name in NAMES)
    refused = subprocess.run([*run, "gpt"], capture_output=True, text=True, env=environment)
    assert refused.returncode == 2 and "gpt" in refused.stderr


def test_likeness_of_the_held_out_images_themselves_is_nought_in_both_networks():
    held_out = data.load("peeps", "test", size=32)
    found = recipes.likeness(lambda n, generator: held_out[:n].floats(), held_out)
    assert len(found) == 2 and all(told.startswith(("0.00 ", "-0.00 ")) for told in found.values())
