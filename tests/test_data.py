"""The pictures: what `load` gives, what it refuses, and that nothing is lost or leaked."""

import gzip
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data
from course_lib.data import downloads, embedded
from course_lib.data.imageset import ImageSet, resize


def seeded(n):
    return torch.Generator().manual_seed(n)


@pytest.fixture(scope="module")
def fashion():
    return data.load("fashion", split="test")


def as_bytes(images):
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize(
    ("name", "options", "n", "shape"),
    [
        ("fashion", {"split": "test"}, 10_000, (1, 28, 28)),
        ("fashion", {"split": "test", "size": 32}, 10_000, (1, 32, 32)),
        ("peeps", {"split": "all"}, 5_000, (3, 64, 64)),
        ("peeps", {"split": "all", "variant": "lines", "size": 32}, 5_000, (3, 32, 32)),
        ("peeps", {"split": "all", "variant": "with_glasses"}, 2_000, (3, 64, 64)),
        ("emoji", {"split": "train"}, 1_262, (3, 32, 32)),
        ("emoji", {"split": "test", "style": "3d"}, 300, (3, 32, 32)),
        ("digits", {"split": "all"}, 1_797, (1, 8, 8)),
        ("skyline", {"split": "sunset", "size": 32, "n": 300}, None, (3, 32, 32)),
    ],
)
def test_each_set_has_its_numbers_and_shapes(name, options, n, shape):
    found = data.load(name, **options)
    assert isinstance(found, ImageSet) and found.images.dtype == torch.uint8
    assert n is None or len(found) == n
    assert found.images.shape[1:] == shape
    x = found[:50].floats()
    assert x.dtype == torch.float32 and x.min() >= -1 and x.max() <= 1


def test_fashion_is_the_published_set(fashion):
    assert fashion.labels[:5].tolist() == [9, 2, 1, 1, 6]  # the first labels of t10k-labels
    assert torch.bincount(fashion.labels).tolist() == [1000] * 10
    assert fashion.images.double().mean().item() == pytest.approx(73.1466, abs=1e-3)
    assert fashion.classes[9] == "Ankle boot" and len(fashion.classes) == 10


def test_fashion_at_32_has_the_same_pixels_and_a_black_border(fashion):
    wide = data.load("fashion", split="test", size=32).images
    assert torch.equal(wide[:, :, 2:30, 2:30], fashion.images)
    assert wide.sum() == fashion.images.sum()


def test_without_and_with_glasses_are_the_same_people_and_one_of_each_pair_is_the_plain_picture():
    plain = data.load("peeps", split="all")[:2000]
    bare = data.load("peeps", split="all", variant="without_glasses")
    worn = data.load("peeps", split="all", variant="with_glasses")
    glasses = plain.attributes["glasses"].bool()
    assert torch.equal(plain.images[glasses], worn.images[glasses])
    assert torch.equal(plain.images[~glasses], bare.images[~glasses])
    assert (bare.images != worn.images).flatten(1).any(1).all()
    assert torch.equal(bare.attributes["head"], worn.attributes["head"])
    assert worn.attributes["glasses"].all() and not bare.attributes["glasses"].any()


def test_attributes_have_a_name_for_every_value():
    for name in ("peeps", "emoji"):
        found = data.load(name)
        for key, values in found.attributes.items():
            assert len(values) == len(found)
            assert values.min() >= 0 and values.max() < len(found.attribute_values[key])


def test_skin_is_the_colour_that_it_says():
    peeps = data.load("peeps", split="test")
    code = peeps.attribute_values["skin"][peeps.attributes["skin"][0]]
    rgb = torch.tensor([int(code[i : i + 2], 16) for i in (0, 2, 4)]).view(3, 1, 1)
    near = (peeps.images[0].int() - rgb).abs().amax(0) <= 3
    assert near.float().mean() > 0.03  # a face fills more than that of the picture


@pytest.mark.parametrize("size", [64, 32])
def test_no_face_of_the_test_set_is_in_the_training_set(size):
    train, test = (data.load("peeps", split=split, size=size) for split in ("train", "test"))
    assert len(train) + len(test) == 5000
    assert not as_bytes(train.images) & as_bytes(test.images)


@pytest.mark.parametrize("size", [64, 32])
def test_no_line_drawing_of_the_test_set_is_in_the_training_set(size):
    train, test = (
        data.load("peeps", split=split, size=size, variant="lines") for split in ("train", "test")
    )
    assert len(train) + len(test) == 5000 and len(test) == 900
    assert not as_bytes(train.images) & as_bytes(test.images)
    assert not as_bytes(train.targets) & as_bytes(test.targets)


def test_the_target_of_a_line_drawing_is_the_same_person_in_colour():
    lines, colour = (data.load("peeps", split="all", variant=v) for v in ("lines", "plain"))
    assert torch.equal(lines.targets, colour.images) and colour.targets is None
    assert torch.equal(lines.attributes["skin"], colour.attributes["skin"])
    test = data.load("peeps", split="test", variant="lines", size=32)
    x, target = next(test.batches(8))
    assert x.shape == target.shape == (8, 3, 32, 32)
    assert as_bytes(data.load("peeps", split="test").images) <= as_bytes(
        data.load("peeps", split="test", variant="lines").targets
    )


def test_the_styles_of_emoji_are_aligned_and_split_alike():
    for split in ("train", "test"):
        flat, noto = (data.load("emoji", split=split, style=s) for s in ("flat", "noto"))
        assert torch.equal(flat.attributes["emoji"], noto.attributes["emoji"])
    train, test = (set(data.load("emoji", split=s).attributes["emoji"].tolist()) for s in
                   ("train", "test"))  # fmt: skip
    assert not train & test and len(train | test) == 1562


def test_no_training_crop_of_the_earth_comes_near_a_test_region():
    train, test = embedded.earth_regions()
    used = {split: np.zeros_like(train) for split in ("train", "test")}
    for split, seen in used.items():
        for y, x in embedded._places(split, 64).tolist()[::97]:
            seen[y : y + 64, x : x + 64] = True
    ys, xs = np.nonzero(used["test"])
    gap = embedded.GAP
    for dy, dx in ((0, 0), (gap, 0), (-gap, 0), (0, gap), (0, -gap), (gap, gap)):
        rows = (ys + dy).clip(0, 1349)
        assert not used["train"][rows, (xs + dx) % 2700].any()
    assert test.any() and not (train & test).any()


def test_earth_gives_pairs_of_the_same_place():
    earth = data.load("earth", split="test", size=32)
    assert earth.images.shape == earth.targets.shape and len(earth) > 100
    x, y = next(data.load("earth", size=32).batches(8, generator=seeded(0)))
    assert x.shape == y.shape == (8, 3, 32, 32) and x.min() >= -1 and y.max() <= 1
    again, _ = next(data.load("earth", size=32).batches(8, generator=seeded(0)))
    assert torch.equal(x, again)
    relief, satellite = embedded.earth_maps()
    place = embedded._places("test", 32)
    place = place[(place % 16 == 0).all(1)][0].tolist()
    window = np.s_[place[0] : place[0] + 32, place[1] : place[1] + 32]
    assert np.array_equal(earth.images[0].permute(1, 2, 0).numpy(), relief[window])
    assert np.array_equal(earth.targets[0].permute(1, 2, 0).numpy(), satellite[window])


def test_the_training_skylines_leave_the_sunset_out():
    train = data.load("skyline", size=16, n=400).attributes["hour"]
    sunset = data.load("skyline", split="sunset", size=16, n=400).attributes["hour"]
    assert not ((train >= 17.5) & (train < 20.5)).any()
    assert ((sunset >= 17.5) & (sunset < 20.5)).all() and len(sunset) > 20


def test_points_belong_to_their_gaussians():
    for shape, m in (("ring8", 8), ("grid25", 25), ("spiral", 100)):
        toy = data.load("toy2d", variant=shape, n=500, generator=seeded(0))
        assert toy.points.shape == (500, 2) and toy.centers.shape == (m, 2)
        distance = (toy.points - toy.centers[toy.labels]).norm(dim=1)
        assert distance.max() < 5 * toy.sigma
        assert next(toy.batches(7, generator=seeded(0))).shape == (7, 2)


# --- batches -------------------------------------------------------------------------------------


def small_set(n=10, **more):
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()
    return ImageSet(images, labels=torch.arange(n), classes=[str(i) for i in range(n)], **more)


def test_an_epoch_shows_each_picture_once_in_a_new_order():
    batches = small_set(10).batches(5, generator=seeded(0), with_labels=True)
    epochs = [torch.cat([next(batches)[1], next(batches)[1]]) for _ in range(3)]
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_labels_and_targets_belong_to_their_pictures():
    whole = small_set(10)
    x, labels = next(whole.batches(10, generator=seeded(0), with_labels=True))
    assert torch.allclose((x[:, 0, 0, 0] + 1) * 127.5, labels.float(), atol=1e-4)
    x, y = next(whole.paired_with(whole).batches(4, generator=seeded(1)))
    assert torch.equal(x, y)


@pytest.mark.parametrize("drawn", [0, 1, 2, 3, 7])
def test_batches_go_on_where_they_were(drawn):
    first = small_set(10).batches(3, generator=seeded(0))
    for _ in range(drawn):
        next(first)
    state = first.state_dict()
    expected = [next(first) for _ in range(8)]
    second = small_set(10).batches(3, generator=seeded(99))
    second.load_state_dict(state)
    for x, y in zip(expected, second, strict=False):
        assert torch.equal(x, y)


def test_batches_follow_the_seed(fashion):
    a, b, c = (next(fashion.batches(8, generator=seeded(s))) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_two_sets_of_one_length_are_not_drawn_in_one_order():
    """Or "unpaired" pictures of the same people would come in pairs."""
    drawn = [next(small_set(10, name=name).batches(10, with_labels=True))[1] for name in "ab"]
    assert not torch.equal(*drawn)
    again = next(small_set(10, name="a").batches(10, with_labels=True))[1]
    assert torch.equal(drawn[0], again)


def test_255_becomes_exactly_one_and_0_minus_one():
    x = data.to_float(torch.tensor([0, 128, 255], dtype=torch.uint8))
    assert x.tolist() == pytest.approx([-1, 1 / 255, 1]) and x[0] == -1 and x[2] == 1


# --- sets ----------------------------------------------------------------------------------------


def test_parts_of_a_set_are_sets():
    whole = small_set(10, attributes={"even": torch.arange(10) % 2})
    assert whole[3].labels.tolist() == [3] and whole[-1].labels.tolist() == [9]
    assert whole[2:4].labels.tolist() == [2, 3]
    odd = whole[whole.labels % 2 == 1]
    assert odd.labels.tolist() == [1, 3, 5, 7, 9] and odd.attributes["even"].tolist() == [1] * 5
    assert whole[torch.tensor([7, 1])].labels.tolist() == [7, 1]


def test_a_set_is_a_sequence_of_sets_of_one():
    whole = small_set(5)
    for each in (list(whole), [*whole], [picture for _, picture in enumerate(whole)]):
        assert [picture.labels.tolist() for picture in each] == [[0], [1], [2], [3], [4]]
    assert [picture.labels.item() for picture in reversed(whole)] == [4, 3, 2, 1, 0]
    assert not whole[:0] and whole


INDICES = {
    "int": (3, [3]),
    "negative": (-2, [3]),
    "NumPy's int": (np.int64(3), [3]),
    "NumPy's byte": (np.uint8(3), [3]),
    "NumPy's array of one": (np.array(3), [3]),
    "tensor": (torch.tensor(3), [3]),
    "tensor of a byte": (torch.tensor(-2, dtype=torch.int8), [3]),
    "bytes": (torch.tensor([3, 0], dtype=torch.uint8), [3, 0]),
    "NumPy's array": (np.array([3, -1]), [3, 4]),
    "list": ([3, np.int64(0), torch.tensor(1)], [3, 0, 1]),
    "range": (range(1, 3), [1, 2]),
    "backwards": (slice(None, None, -2), [4, 2, 0]),
    "slice": (slice(3, 99), [3, 4]),
    "mask": (torch.arange(5) > 2, [3, 4]),
    "NumPy's mask": (np.arange(5) > 2, [3, 4]),
    "list of truths": ([True, False, False, True, False], [0, 3]),
    "all": (..., [0, 1, 2, 3, 4]),
    "nothing": ([], []),
    "an empty tensor": (torch.tensor([]), []),
}


@pytest.mark.parametrize("kind", INDICES)
def test_all_that_names_places_is_an_index(kind):
    index, places = INDICES[kind]
    assert small_set(5)[index].labels.tolist() == places


@pytest.mark.parametrize(
    "index", [5, -6, 1000, np.int64(5), torch.tensor(5), [0, 5], torch.tensor([-6])]
)
def test_beyond_the_end_there_is_nothing(index):
    with pytest.raises(IndexError, match="there is no picture -?\\d+: pictures has 5"):
        small_set(5)[index]


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(IndexError, match="a mask must have 5 truth values, one a picture; got 2"):
        small_set(5)[torch.tensor([True, False])]


@pytest.mark.parametrize(
    "index",
    [True, np.True_, None, 1.0, torch.tensor(1.0), "labels", [0.5], [[0, 1]], object()],
)
def test_what_names_no_place_is_refused(index):
    with pytest.raises(TypeError, match="an index must be a whole number, a slice"):
        small_set(5)[index]


def test_an_empty_choice_shows_itself_as_empty():
    empty = small_set(5)[torch.zeros(5, dtype=torch.bool)]
    assert empty._repr_mimebundle_().keys() == {"text/plain"}
    assert "0 pictures" in repr(empty) and empty.floats().shape == (0, 1, 2, 2)
    assert resize(empty.images, 4).shape == (0, 1, 4, 4)


def test_crops_of_the_earth_go_on_where_they_were_left():
    for stop in (0, 3, embedded.AHEAD, embedded.AHEAD + 1):
        crops = data.load("earth", size=16).batches(2, generator=seeded(5))
        for _ in range(stop):
            next(crops)
        state, expected = crops.state_dict(), next(crops)[1]
        other = data.load("earth", size=16).batches(2, generator=seeded(9))
        other.load_state_dict(state)
        assert torch.equal(next(other)[1], expected)


def test_a_part_of_the_earth_is_those_pairs_and_no_others():
    earth = data.load("earth", size=16)
    part = earth[:3]
    x, y = next(part.batches(3, generator=seeded(0)))
    assert sorted(map(float, x.flatten(1).mean(1))) == pytest.approx(
        sorted(map(float, part.floats().flatten(1).mean(1)))
    )
    assert x.shape == y.shape == (3, 3, 16, 16)
    assert next(earth.paired_with(earth).batches(2))[0].shape == (2, 3, 16, 16)


PICTURES, LABELS = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.arange(4)
LAST = PICTURES.permute(0, 2, 3, 1)


@pytest.mark.parametrize(
    "images, error, way",
    [
        (PICTURES.numpy(), TypeError, "torch.from_numpy(images)"),
        (LAST.numpy(), TypeError, "torch.from_numpy(images).permute(0, 3, 1, 2)"),
        (LAST, ValueError, "images.permute(0, 3, 1, 2)"),
        (LAST[0], ValueError, "images.permute(2, 0, 1)[None]"),
        (PICTURES[:, 0], ValueError, "images[:, None]"),
        (PICTURES.float(), ValueError, ".to(torch.uint8)"),
        (PICTURES.int(), ValueError, "got int32"),
        (torch.zeros(4, 2, 8, 8, dtype=torch.uint8), ValueError, "got uint8 (4, 2, 8, 8)"),
        (list(PICTURES), TypeError, "torch.stack(images)"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_pictures_of_another_kind_are_refused_with_the_way_out(images, error, way):
    with pytest.raises(error, match=f"images must be a uint8 tensor .*{re.escape(way)}"):
        ImageSet(images)


@pytest.mark.parametrize(
    "labels, error, way",
    [
        (LABELS.numpy(), TypeError, "torch.as_tensor(labels)"),
        ([0, 1, 2, 3], TypeError, "torch.as_tensor(labels)"),
        (LABELS.float(), ValueError, "labels.long()"),
        (LABELS.to(torch.uint8), ValueError, "labels.long()"),
        (LABELS > 1, ValueError, "labels.long()"),
        (torch.eye(4), ValueError, "labels.argmax(1)"),
        (LABELS[:, None], ValueError, "labels.flatten()"),
        (LABELS + 1, ValueError, "0 … 3, as there are 4 classes; got 1 … 4"),
        (LABELS - 1, ValueError, "got -1 … 2"),
    ],
)
def test_labels_of_another_kind_are_refused_with_the_way_out(labels, error, way):
    with pytest.raises(error, match=re.escape(way)):
        ImageSet(PICTURES, labels, list("abcd"))


def test_what_lies_beside_the_pictures_is_tensors_with_a_row_for_each():
    for beside in ({"targets": PICTURES.numpy()}, {"attributes": {"a": [1, 2, 3, 4]}}):
        with pytest.raises(TypeError, match="must be a"):
            ImageSet(PICTURES, **beside)
    for beside in ({"targets": PICTURES.float()}, {"attributes": {"a": torch.tensor(4)}}):
        with pytest.raises(ValueError, match="must"):
            ImageSet(PICTURES, **beside)


def test_a_set_shows_itself_as_a_picture(fashion):
    shown = fashion._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG") and len(shown["image/png"]) < 200_000
    assert "10,000 pictures" in shown["text/plain"] and "10 classes" in shown["text/plain"]


def test_numpys_integers_are_sizes_and_numbers():
    for two in (np.int64(2), torch.tensor(2)):
        assert data.load("digits", size=two).images.shape[2:] == (2, 2)
        assert next(small_set(5).batches(two)).shape == (2, 1, 2, 2)
        toy = data.load("toy2d", n=two)
        assert len(toy) == len(next(toy.batches(two))) == 2
        assert len(data.load("skyline", split="all", n=two, size=16)) == 2
        assert data.load("earth", size=16 * two).images.shape[2:] == (32, 32)


def test_points_of_the_test_set_are_not_those_of_the_training_set():
    train, test = (data.load("toy2d", split=split, n=9).points for split in ("train", "test"))
    assert not torch.equal(train, test)


def test_halving_is_averaging():
    images = torch.tensor([[0, 100], [200, 100]], dtype=torch.uint8).view(1, 1, 2, 2)
    assert resize(images, 1).item() == 100
    assert resize(images.expand(1, 3, 2, 2), 5).shape == (1, 3, 5, 5)


# --- damage and bad input ------------------------------------------------------------------------


def test_the_files_are_whole_and_small_enough():
    assert data.verify() == len(list(embedded.FILES.iterdir())) - 1
    sizes = [f.stat().st_size for f in embedded.FILES.iterdir()]
    assert sum(sizes) < 45e6 and max(sizes) < 20e6


@pytest.mark.parametrize("fault", ["flipped", "truncated", "missing"])
def test_a_damaged_file_is_named_and_not_loaded(tmp_path, monkeypatch, fault):
    shutil.copytree(embedded.FILES, tmp_path / "files")
    monkeypatch.setattr(embedded, "FILES", tmp_path / "files")
    path = tmp_path / "files" / "digits.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(content if fault == "flipped" else content[:100])
    with pytest.raises(ValueError, match="digits.npz is (damaged|missing)"):
        data.load("digits")
    with pytest.raises(ValueError, match="digits.npz"):
        data.verify()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("fashoin",), {}, "did you mean 'fashion'"),
        (("/no/such/folder",), {}, "neither a folder"),
        (("fashion",), {"split": "validation"}, "split must be one of train, test, all"),
        (("fashion",), {"size": 0}, "size must be a whole number"),
        (("fashion",), {"size": 32.0}, "size must be a whole number"),
        (("fashion",), {"variant": "lines"}, "variant"),
        (("peeps",), {"variant": "glasses"}, "variant must be one of"),
        (("peeps",), {"style": "3d"}, "style is for emoji"),
        (("emoji",), {"style": "apple"}, "style must be one of flat, 3d, noto"),
        (("earth",), {"size": 512}, "size must be 16 … 256"),
        (("toy2d",), {"variant": "cube"}, "variant must be one of"),
        (("toy2d",), {"n": 0}, "n must be a whole number"),
        (("toy2d",), {"size": 32}, "size is not for toy2d"),
        (("skyline",), {"n": 2.5}, "n must be a whole number"),
        (("fashion",), {"n": 5}, "n is not for fashion"),
        (("digits",), {"every": 2}, "every is not for digits"),
        (("mnist",), {"generator": torch.Generator()}, "generator is not for mnist"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(*arguments, **options)


@pytest.mark.parametrize(
    ("size", "message"), [(11, "has 10 pictures"), (0, "batch_size"), (2.0, "batch_size")]
)
def test_a_batch_that_cannot_be_is_refused(size, message):
    with pytest.raises(ValueError, match=message):
        small_set(10).batches(size)


def test_labels_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no labels"):
        data.load("peeps", split="test").batches(4, with_labels=True)
    with pytest.raises(ValueError, match="must have 10 rows"):
        small_set(10, attributes={"a": torch.zeros(9)})
    with pytest.raises(ValueError, match="uint8"):
        ImageSet(torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match="as many pictures"):
        small_set(10).paired_with(small_set(9))


# --- one's own pictures --------------------------------------------------------------------------


def test_a_folder_of_all_kinds_of_pictures(tmp_path):
    red = np.zeros((40, 60, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    Image.fromarray(red).save(tmp_path / "a" / "rgb.png")
    Image.fromarray(red).convert("P").save(tmp_path / "a" / "palette.png")
    Image.fromarray(red[..., 0]).save(tmp_path / "b" / "grey.png")
    see_through = np.concatenate([red, np.zeros((40, 60, 1), np.uint8)], 2)
    Image.fromarray(see_through, "RGBA").save(tmp_path / "b" / "rgba.png")
    deep = np.full((40, 60), 65535, np.uint16)
    Image.fromarray(deep).save(tmp_path / "b" / "sixteen.png")
    (tmp_path / "b" / "torn.png").write_bytes((tmp_path / "b" / "grey.png").read_bytes()[:60])
    with pytest.warns(UserWarning, match="left out 1 of 6: torn.png"):
        found = data.load(tmp_path, size=16)
    assert found.images.shape == (5, 3, 16, 16) and found.classes == ["a", "b"]
    assert found.labels.tolist() == [0, 0, 1, 1, 1]
    means = found.images.float().mean((2, 3))
    assert torch.allclose(means[0], torch.tensor([255.0, 0, 0]))
    assert torch.allclose(means[1], torch.tensor([255.0, 0, 0]))
    assert torch.allclose(means[2:], torch.full((3, 3), 255.0))  # grey 255, on white, 16 bits


def test_a_photo_lies_as_its_camera_says(tmp_path):
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:10] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(picture).save(tmp_path / "photo.png", exif=exif)
    found = data.load(str(tmp_path), size=20)
    assert found.images[0, :, 15:].float().mean() > 250 and found.images[0, :, :5].sum() == 0


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="no picture in .* can be read: text.png"):
        data.load(tmp_path)


def test_the_frames_of_a_video(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for i in range(10):
            frame = np.full((64, 64, 3), 25 * i, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        film.mux(stream.encode())
    found = data.load(path, size=16, every=3)
    assert found.images.shape == (4, 3, 16, 16)
    assert found.attributes["frame"].tolist() == [0, 3, 6, 9]
    brightness = found.images.float().mean((1, 2, 3))
    assert torch.allclose(brightness, torch.tensor([0.0, 75, 150, 225]), atol=6)
    with pytest.raises(ValueError, match="every"):
        data.load(path, every=0)
    path.write_bytes(b"no film")
    with pytest.raises(ValueError, match="cannot be read as a video"):
        data.load(path)


# --- the network ---------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("name", sorted(downloads.STAND_IN))
def test_without_a_network_each_name_offers_a_stand_in(name, offline):
    with pytest.raises(ConnectionError, match=r"load\("):
        data.load(name)


class Answer:
    """What a server sends."""

    def __init__(self, content, length=None):
        self.content, self.headers = content, {"Content-Length": str(length or len(content))}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def read(self, n):
        part, self.content = self.content[:n], self.content[n:]
        return part


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    answer = Answer(b"half", length=8)
    monkeypatch.setattr(downloads.urllib.request, "urlopen", lambda *a, **k: answer)
    with pytest.raises(ConnectionError, match="broke off after 4 of 8 bytes"):
        downloads.fetch("https://example.org/file.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_download_with_a_wrong_checksum_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.urllib.request, "urlopen", lambda *a, **k: Answer(b"other"))
    with pytest.raises(ValueError, match="wrong md5"):
        downloads.fetch("https://example.org/file.gz", md5="0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_never_gets_the_name_of_the_right_one(tmp_path, monkeypatch):
    """Another process may look while the checksum is still being computed."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.urllib.request, "urlopen", lambda *a, **k: Answer(b"other"))
    there, digest = [], downloads._digest

    def looking(path, kind):
        there.append((tmp_path / "file.gz").exists())
        return digest(path, kind)

    monkeypatch.setattr(downloads, "_digest", looking)
    with pytest.raises(ValueError, match="file.gz is damaged"):
        downloads.fetch("https://example.org/file.gz", sha256="0" * 64)
    assert there == [False]


TWO_AT_ONCE = """
import hashlib, sys, threading, time
from course_lib.data import downloads

class Slow:
    def __init__(self, content):
        self.content, self.headers = content, {"Content-Length": str(len(content))}
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def read(self, n):
        time.sleep(0.01)
        part, self.content = self.content[:1000], self.content[1000:]
        return part

content = bytes(range(256)) * 200
downloads.urllib.request.urlopen = lambda *a, **k: Slow(content)
for i in range(5):
    sha = {"sha256": hashlib.sha256(content).hexdigest()} if i % 2 else {}
    assert downloads.fetch(f"https://example.org/{i}", **sha).read_bytes() == content
"""


def test_several_processes_that_load_one_file_at_once_all_get_it_whole(tmp_path):
    environment = {**os.environ, "COURSE_DATA": str(tmp_path)}
    run = [sys.executable, "-c", TWO_AT_ONCE]
    processes = [subprocess.Popen(run, env=environment) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert {path.suffix for path in tmp_path.iterdir()} == {"", ".sha256"}


def test_half_a_download_of_a_process_that_was_killed_is_tidied_away(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.urllib.request, "urlopen", lambda *a, **k: Answer(b"content"))
    old, new = (tmp_path / f"file.zip.{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    downloads.fetch("https://example.org/file.zip")
    assert not old.exists() and new.exists()


def test_a_file_that_was_put_there_by_hand_is_taken_and_watched_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.urllib.request, "urlopen", None)
    (tmp_path / "file.zip").write_bytes(b"from a browser")
    path = downloads.fetch("https://example.org/file.zip")
    path.write_bytes(b"changed")
    with pytest.raises(ValueError, match="file.zip is damaged"):
        downloads.fetch("https://example.org/file.zip")


def test_the_folder_for_downloads_is_heard_without_a_home_and_a_tilde_is_expanded(
    tmp_path, monkeypatch
):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", "~/data")
    assert downloads.cache() == tmp_path / "data"
    monkeypatch.setattr(downloads.os.path, "expanduser", lambda path: path)  # no home
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "mine"))
    assert downloads.cache() == tmp_path / "mine"
    monkeypatch.delenv("COURSE_DATA")
    with pytest.raises(ValueError, match="no home folder is known: set .* COURSE_DATA"):
        data.load("mnist")
    assert len(data.load("digits")) > 1000


def test_later_damage_of_a_download_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.urllib.request, "urlopen", lambda *a, **k: Answer(b"content"))
    path = downloads.fetch("https://example.org/file.zip")
    assert downloads.fetch("https://example.org/file.zip") == path
    path.write_bytes(b"changed")
    with pytest.raises(ValueError, match="file.zip is damaged"):
        downloads.fetch("https://example.org/file.zip")


def test_horse2zebra_is_read_from_its_zip(tmp_path, monkeypatch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i, part in enumerate(("trainA", "trainA", "trainB", "testA")):
            picture = io.BytesIO()
            Image.new("RGB", (50, 40), (60 * i, 0, 0)).save(picture, "png")
            archive.writestr(f"horse2zebra/{part}/{i}.png", picture.getvalue())
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    content = packed.getvalue()
    monkeypatch.setattr(downloads.urllib.request, "urlopen", lambda *a, **k: Answer(content))
    horses = data.load("horse2zebra", size=32)
    zebras = data.load("horse2zebra", size=32, variant="b")
    assert horses.images.shape == (2, 3, 32, 32) and zebras.images.shape == (1, 3, 32, 32)
    assert zebras.images[0, 0, 0, 0] == 120
    with pytest.raises(ValueError, match="variant must be a or b"):
        data.load("horse2zebra", variant="zebra")


def test_horse2zebra_is_read_from_a_folder_that_was_put_there_by_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    for i, part in enumerate(("trainA", "trainA", "trainB", "testA")):
        (tmp_path / "horse2zebra" / part).mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (50, 40), (60 * i, 0, 0))
        picture.save(tmp_path / "horse2zebra" / part / f"{i}.png")
    monkeypatch.setattr(downloads.urllib.request, "urlopen", None)  # nothing is asked for
    horses = data.load("horse2zebra", size=32)
    zebras = data.load("horse2zebra", size=32, variant="b")
    assert horses.images[:, 0, 0, 0].tolist() == [0, 60] and len(zebras) == 1
    assert len(data.load("horse2zebra", split="all")) == 3
    assert data.load("horse2zebra", split="test").images.shape == (1, 3, 256, 256)
    with pytest.raises(ValueError, match="no picture in .*testB"):
        data.load("horse2zebra", split="test", variant="b")


@pytest.mark.parametrize("name", downloads.CYCLEGAN_SETS)
def test_without_a_network_it_is_said_where_the_folders_may_be_put(name, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route")

    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.urllib.request, "urlopen", refuse)
    with pytest.raises(ConnectionError, match=f"trainA, trainB, testA and testB into .*{name}"):
        data.load(name)


def test_a_server_that_answers_not_found_offers_the_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))

    def not_found(*args, **kwargs):
        raise urllib.error.HTTPError("url", 404, "Not Found", None, None)

    monkeypatch.setattr(downloads.urllib.request, "urlopen", not_found)
    with pytest.raises(ConnectionError, match="fashion"):
        data.load("mnist")


def test_mnist_in_its_own_format_is_read(tmp_path, monkeypatch):
    images, labels = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28), bytes([7, 3])
    packed = {"images": gzip.compress(bytes(16) + images.tobytes())}
    packed["labels"] = gzip.compress(bytes(8) + labels)
    monkeypatch.setattr(downloads, "fetch", lambda url, md5: _file(tmp_path, url, packed))
    found = data.load("mnist", split="test")
    assert found.labels.tolist() == [7, 3]
    assert np.array_equal(found.images[:, 0].numpy(), images)


def _file(folder, url, packed):
    path = folder / url.rsplit("/", 1)[1]
    path.write_bytes(packed["images" if "images" in url else "labels"])
    return path


def test_cifar10_in_its_binary_format_is_read(tmp_path, monkeypatch):
    rows = np.arange(2 * 3073).astype(np.uint8).reshape(2, 3073) % 10
    path = tmp_path / "cifar.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        info.size = rows.size
        archive.addfile(info, io.BytesIO(rows.tobytes()))
    monkeypatch.setattr(downloads, "fetch", lambda url, md5: path)
    found = data.load("cifar10", split="test")
    assert found.labels.tolist() == rows[:, 0].tolist()
    assert np.array_equal(found.images.flatten(1).numpy(), rows[:, 1:])
