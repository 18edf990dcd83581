"""Pictures and films of one's own: whatever is left out, scaled or turned, it is told."""

import os
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data

RED, BLUE = (Image.new("RGB", (9, 9), colour) for colour in ("red", "blue"))
HEIC = b"\0\0\0\x18ftypheic" + bytes(40)


def fill(folder, *names):
    """Red pictures of these names; anything else for names that are of no picture."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix.lower()
        if suffix == ".heic":
            path.write_bytes(HEIC)
        elif suffix in Image.registered_extensions():
            RED.save(path)
        else:
            path.write_bytes(b"no picture")


def load(path, **options):
    """The set, and all warnings as one text."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = data.load(path, **{"size": 8, **options})
    assert len(told) <= 1, "one warning"
    return found, "".join(str(warning.message) for warning in told)


# --- what is read and what is left out ------------------------------------------------------------


def test_what_pillow_reads_is_read_whatever_it_is_called(tmp_path):
    fill(tmp_path, "1.jpg", "2.JPEG", "3.jp2", "4.pcx", "5.tga", "6.bmp", "7.ppm", "8.webp")
    RED.save(tmp_path / "9.jfif", "JPEG")
    RED.save(tmp_path / "10", "JPEG")
    RED.save(tmp_path / "11.png", "JPEG")
    found, told = load(tmp_path)
    assert len(found) == 11 and told == ""
    assert (found.images[:, 0] > 250).all() and (found.images[:, 1:] < 5).all()


def test_avif_is_read_where_pillow_can_and_named_where_not(tmp_path):
    fill(tmp_path, "1.png")
    (tmp_path / "2.avif").write_bytes(b"\0\0\0\x1cftypavif" + bytes(40))
    found, told = load(tmp_path)
    assert len(found) == 1 and "2.avif" in told
    if ".avif" in Image.registered_extensions() and "AVIF" in Image.OPEN:
        RED.save(tmp_path / "2.avif")
        assert len(load(tmp_path)[0]) == 2


def test_the_heic_of_a_phone_is_counted_and_the_way_out_is_told(tmp_path):
    fill(tmp_path, "1.jpg", *(f"IMG_{i}.HEIC" for i in range(40)))
    (tmp_path / "sent.jpg").write_bytes(HEIC)
    found, told = load(tmp_path)
    assert len(found) == 1
    assert told.startswith("left out 41 of 42: IMG_0.HEIC, ") and "and 36 more (HEIC" in told
    assert "pip install pillow-heif" in told
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(ValueError, match=r"no picture in .* can be read: IMG_0.HEIC.*pillow-heif"):
        data.load(tmp_path)


def test_other_files_are_named_with_what_to_do_and_notes_are_not(tmp_path):
    fill(tmp_path, "1.png", "a.zip", "b.cr2", "c.mp4", "d.svg", "e.pdf", "labels.csv", "README.md")
    _, told = load(tmp_path)
    assert told.startswith("left out 5 of 6: ")
    for words in ("a.zip (an archive: unpack it)", "b.cr2 (a camera's raw", "c.mp4 (a film"):
        assert words in told
    assert "d.svg, e.pdf (no picture that Pillow" in told
    assert "labels" not in told and "README" not in told


LITTER = ("._1.png", ".DS_Store", "__MACOSX/1.png", "Thumbs.db", ".ipynb_checkpoints/1.png")
LITTER += ("@eaDir/1.png", ".git/1.png", "$RECYCLE.BIN/1.png", "System Volume Information/1.png")


def test_litter_of_operating_systems_is_no_class_and_not_worth_a_word(tmp_path):
    fill(tmp_path, "cat/1.png", *LITTER)
    found, told = load(tmp_path)
    assert found.classes == ["cat"] and len(found) == 1 and told == ""


def test_what_is_hidden_is_left_out_and_named(tmp_path):
    fill(tmp_path, "cat/1.png", ".backup/1.png", "cat/.2.png")
    found, told = load(tmp_path)
    assert found.classes == ["cat"] and len(found) == 1
    assert told == "left out 2 of 3: .backup, .2.png in cat (hidden)"


def test_classes_come_from_pictures_that_were_read(tmp_path):
    fill(tmp_path, "bird/1.png", "cat/1.heic", "dog/1.png", "empty/notes.txt")
    (tmp_path / "dog" / "2.png").write_bytes((tmp_path / "dog" / "1.png").read_bytes()[:50])
    found, told = load(tmp_path)
    assert found.classes == ["bird", "dog"] and found.labels.tolist() == [0, 1]
    assert "1.heic in cat" in told and "2.png in dog" in told


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_to_folders_are_named_and_those_to_pictures_are_read(tmp_path):
    fill(tmp_path / "real", "1.png")
    faces = tmp_path / "faces"
    fill(faces, "cat/1.png")
    (faces / "dog").symlink_to(tmp_path / "real")
    (faces / "cat" / "up").symlink_to(faces)
    (faces / "cat" / "2.png").symlink_to(tmp_path / "real" / "1.png")
    (faces / "cat" / "3.png").symlink_to(tmp_path / "nowhere.png")
    found, told = load(faces)
    assert len(found) == 2 and found.classes == ["cat"]
    assert "up in cat, dog (a link to a folder" in told and "3.png in cat (it leads nowhere" in told
    links = tmp_path / "links"
    links.mkdir()
    (links / "cat").symlink_to(tmp_path / "real")
    with pytest.raises(ValueError, match=r"can be read: cat \(a link to a folder"):
        data.load(links)
    assert len(load(links / "cat")[0]) == 1  # given by itself it is followed


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
def test_a_pipe_does_not_stop_the_reading(tmp_path):
    fill(tmp_path, "1.png")
    os.mkfifo(tmp_path / "2.png")
    assert load(tmp_path)[1] == "left out 1 of 2: 2.png (not a regular file)"


LOCKED = """
import os, sys, warnings
from PIL import Image
from course_lib import data
Image.init()
if os.geteuid() == 0:  # whom permissions do not bind
    os.setuid(65534)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    print(data.load(sys.argv[1], size=8), "|", *(w.message for w in told))
"""


@pytest.mark.skipif(os.name == "nt", reason="permissions differ on Windows")
def test_folders_and_files_without_permission_are_named():
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        fill(folder, "cat/1.png", "cat/2.png", "dog/1.png")
        for path in (folder / "dog", folder / "cat" / "2.png"):
            path.chmod(0)
        run = [sys.executable, "-c", LOCKED, folder]
        told = subprocess.run(run, capture_output=True, text=True)
        (folder / "dog").chmod(0o755)
    assert "1 pictures" in told.stdout and "1 classes" in told.stdout, told.stderr
    assert "dog, 2.png in cat (Permission denied)" in told.stdout


def test_of_an_animation_in_a_folder_the_first_picture_is_used_and_the_rest_is_told(tmp_path):
    fill(tmp_path, "1.png")
    RED.save(tmp_path / "2.gif", save_all=True, append_images=[BLUE])
    found, told = load(tmp_path)
    assert len(found) == 2 and (found.images[1, 0] > 250).all()
    assert told == "only the first picture of 2.gif (load such a file by itself to have all)"


def test_an_animation_whose_end_is_torn_off_counts_once(tmp_path):
    RED.save(tmp_path / "1.gif", save_all=True, append_images=[BLUE, RED])
    content = (tmp_path / "1.gif").read_bytes()
    for cut in range(len(content) - 20, len(content)):
        (tmp_path / "1.gif").write_bytes(content[:cut])
        assert len(load(tmp_path)[0]) == 1


# --- splits and options ---------------------------------------------------------------------------


def test_train_and_test_are_the_folders_of_that_name_and_classes_are_one_list(tmp_path):
    fill(tmp_path, "Train/cat/1.png", "Train/dog/2.png", "test/dog/3.png", "test/dog/4.png")
    train, test, whole = (load(tmp_path, split=split)[0] for split in ("train", "test", "all"))
    assert train.labels.tolist() == [0, 1] and test.labels.tolist() == [1, 1] and len(whole) == 4
    assert train.classes == test.classes == whole.classes == ["cat", "dog"]


def test_a_validation_folder_is_the_test_set_where_there_is_no_other(tmp_path):
    fill(tmp_path, "train/1.png", "val/2.png", "val/3.png")
    assert [len(load(tmp_path, split=split)[0]) for split in ("train", "test")] == [1, 2]
    fill(tmp_path, "test/4.png", "5.png")
    for split in ("train", "test"):
        found, told = load(tmp_path, split=split)
        assert len(found) == 1 and told.startswith("left out 3 of 4: ")
        assert "neither for training nor for testing" in told
    assert len(load(tmp_path, split="all")[0]) == 5


@pytest.mark.parametrize("names", [("1.png", "2.png"), ("cat/1.png", "dog/2.png")])
def test_without_such_folders_all_is_for_training_and_nothing_for_testing(tmp_path, names):
    fill(tmp_path, *names)
    assert len(load(tmp_path)[0]) == len(load(tmp_path, split="all")[0]) == 2
    with pytest.raises(ValueError, match="no pictures for testing: put some into a sub-folder"):
        data.load(tmp_path, split="test")


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path, "bus/1.png", "train/2.png")
    assert load(tmp_path)[0].classes == ["bus", "train"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"split": "nonsense"}, "split must be one of train, test, all; got 'nonsense'"),
        ({"variant": "x"}, "variant: .* has none"),
        ({"style": "3d"}, "style is for emoji"),
        ({"n": 1}, "n is not for"),
        ({"every": 2}, "every is not for"),
        ({"generator": torch.Generator()}, "generator is not for"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(tmp_path, options, message):
    fill(tmp_path, "1.png")
    with pytest.raises(ValueError, match=message):
        data.load(tmp_path, **options)
    if "variant" not in options and "split" not in options and "style" not in options:
        with pytest.raises(ValueError, match=message):
            data.load("digits", **options)


# --- more than 8 bits -----------------------------------------------------------------------------

RAMP = [0, 36, 73, 109, 146, 182, 219, 255]  # 255 i / 7


def ramp(low, high, kind):
    return np.tile(np.linspace(low, high, 8).astype(kind), (8, 1))


def tiff(path, values, sample_format, white=1):
    """A grey TIFF of any kind of numbers, uncompressed, as the specification says (1992, § 3)."""
    (h, w), raw = values.shape, values.tobytes()
    bits = 8 * values.dtype.itemsize
    tags = [(256, w), (257, h), (258, bits), (259, 1), (262, white), (273, 8), (277, 1), (278, h)]
    tags += [(279, len(raw)), (339, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(raw))
    path.write_bytes(head + raw + struct.pack("<H", len(tags)) + entries + bytes(4))


def rows(folder, **options):
    found, told = load(folder, **options)
    return found.images[:, 0, 4].tolist(), told


@pytest.mark.parametrize(
    "low, high, kind, sample_format",
    [
        (0, 2**16 - 1, "<u2", 1),
        (-(2**15), 2**15 - 1, "<i2", 2),
        (-(2**7), 2**7 - 1, "i1", 2),
        (0, 1, "<f4", 3),
    ],
)
def test_the_range_of_the_declared_type_becomes_0_to_255(tmp_path, low, high, kind, sample_format):
    tiff(tmp_path / "1.tif", ramp(low, high, kind), sample_format)
    (row,), told = rows(tmp_path)
    assert np.abs(np.array(row) - RAMP).max() <= 1 and told == ""


def test_a_dark_series_is_on_one_scale_and_told_to_be_dark(tmp_path):
    hot = ramp(0, 250, np.uint16)
    Image.fromarray(hot).save(tmp_path / "1.png")
    hot[0, 0] = 300
    Image.fromarray(hot).save(tmp_path / "2.png")
    (first, second), told = rows(tmp_path)
    assert first == second == [0, 0, 0, 0, 1, 1, 1, 1]
    assert told.startswith("16-bit values from 0 to 300: nearly one grey") and "65535" in told


def test_signed_values_neither_wrap_nor_lose_their_order(tmp_path):
    tiff(tmp_path / "1.tif", ramp(-1000, 1000, "<i2"), 2)
    (row,), told = rows(tmp_path)
    assert row == [124, 125, 126, 127, 128, 129, 130, 131] and "-1000 to 1000" in told


@pytest.mark.parametrize("kind, sample_format", [("<u4", 1), ("<i4", 2), ("<f4", 3)])
def test_of_32_bits_what_the_set_holds_becomes_0_to_255_and_is_told(tmp_path, kind, sample_format):
    tiff(tmp_path / "1.tif", ramp(0, 131070, kind), sample_format)
    tiff(tmp_path / "2.tif", ramp(0, 65535, kind), sample_format)
    (first, second), told = rows(tmp_path)
    assert first == RAMP and second == [0, 18, 36, 55, 73, 91, 109, 128]
    assert "from 0 to 131070: they, not their type's range, become 0 … 255" in told


def test_large_numbers_of_32_bits_do_not_wrap(tmp_path):
    tiff(tmp_path / "1.tif", ramp(2**32 - 8, 2**32 - 1, "<u4"), 1)
    tiff(tmp_path / "2.tif", ramp(2**32 - 8, 2**32 - 1, "<u4"), 1)
    assert rows(tmp_path)[0] == [RAMP, RAMP]


@pytest.mark.parametrize(
    "values, expected, words",
    [
        (ramp(-1, 1, "<f4"), RAMP, "-1 … 1 becomes 0 … 255"),
        (ramp(0, 0.5, "<f4"), [0, 18, 36, 55, 73, 91, 109, 128], ""),
        (np.rint(ramp(0, 100, "<f4")), [0, 14, 29, 43, 57, 71, 86, 100], "as they are"),
        (ramp(10, 200, "<f4"), [10, 37, 64, 91, 119, 146, 173, 200], "as they are"),
        (ramp(0, 1.2, "<f4"), RAMP, "from 0 to 1.2"),
        (ramp(-3, 4000, "<f4"), RAMP, "from -3 to 4000"),
    ],
)
def test_floats_are_never_black(tmp_path, values, expected, words):
    tiff(tmp_path / "1.tif", values, 3)
    (row,), told = rows(tmp_path)
    assert np.abs(np.array(row) - expected).max() <= 1
    assert words in told and bool(words) == bool(told)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_picture_with_nan_is_left_out_and_named(tmp_path, bad):
    spoilt = ramp(0, 1, "<f4")
    spoilt[3, 3] = bad
    tiff(tmp_path / "1.tif", spoilt, 3)
    tiff(tmp_path / "2.tif", ramp(0, 1, "<f4"), 3)
    found, told = rows(tmp_path)
    assert found == [RAMP] and told == "left out 1 of 2: 1.tif (it holds NaN or infinity)"


def test_white_may_be_zero(tmp_path):
    tiff(tmp_path / "1.tif", ramp(0, 2**16 - 1, "<u2"), 1, white=0)
    assert rows(tmp_path)[0] == [[255 - grey for grey in RAMP]]


def test_a_grey_map_of_10_bits_and_one_of_floats_are_read(tmp_path):
    deep = ramp(0, 1023, ">u2")
    (tmp_path / "1.pgm").write_bytes(b"P5 8 8 1023\n" + deep.tobytes())
    (tmp_path / "2.pfm").write_bytes(b"Pf\n8 8\n-1.0\n" + ramp(0, 1, "<f4").tobytes())
    found, told = rows(tmp_path)
    assert np.abs(np.array(found) - RAMP).max() <= 1 and told == ""


def test_deep_and_plain_pictures_are_resized_alike(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 40), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "1.png")
    Image.fromarray(noise.astype(np.uint16) * 257).save(tmp_path / "2.png")
    found, _ = load(tmp_path, size=16)
    off = found.images[0].int() - found.images[1].int()
    assert off.abs().max() <= 1


# --- films and files ------------------------------------------------------------------------------

CORNERS = {"white": (0, 0), "red": (0, 32), "green": (32, 0), "blue": (32, 32)}
COLOURS = {"white": (1, 1, 1), "red": (1, 0, 0), "green": (0, 0.5, 0), "blue": (0, 0, 1)}


def film(path, frames=12, matrix=None, codec="mpeg4", form=None, wide=None):
    """Frames with a colour in each corner; the display matrix goes into the track's header."""
    av = pytest.importorskip("av")
    picture = np.zeros((64, 64, 3), np.uint8)
    for name, (y, x) in CORNERS.items():
        picture[y : y + 32, x : x + 32] = [255 * part for part in COLOURS[name]]
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        if wide:
            stream.codec_context.sample_aspect_ratio = wide
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    if matrix:
        a, b, c, d = (value << 16 for value in matrix)
        raw = bytearray(path.read_bytes())
        at = raw.find(b"tkhd") + 44
        struct.pack_into(">9i", raw, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(raw)
    return path


def seen(x):
    """The colours at the top left, top right, bottom left and bottom right."""
    picture, found = x.images[0].float() / 255, []
    for y, x in ((1, 1), (1, 6), (6, 1), (6, 6)):
        off = {
            name: (picture[:, y, x] - torch.tensor(c)).abs().sum() for name, c in COLOURS.items()
        }
        found.append(min(off, key=off.get))
    return " ".join(found)


@pytest.mark.parametrize(
    "matrix, expected",
    [
        ((1, 0, 0, 1), "white red green blue"),
        ((0, 1, -1, 0), "green white blue red"),  # a quarter to the right: the top goes there
        ((-1, 0, 0, -1), "blue green red white"),
        ((0, -1, 1, 0), "red blue white green"),
        ((-1, 0, 0, 1), "red white blue green"),  # a mirror, as in a selfie
        ((1, 0, 0, -1), "green blue white red"),
        ((0, 1, 1, 0), "white green red blue"),
        ((0, -1, -1, 0), "blue red green white"),
    ],
)
def test_a_film_is_turned_and_mirrored_as_it_says(tmp_path, matrix, expected):
    assert seen(load(film(tmp_path / "1.mp4", 2, matrix))[0]) == expected


def test_wide_pixels_are_shown_wide(tmp_path):
    """Twice as wide, the centred square shows the middle half: both halves of it, still."""
    narrow, wide = (film(tmp_path / f"{w}.mkv", 2, wide=w) for w in (1, 4))
    assert seen(load(narrow)[0]) == seen(load(wide)[0])
    picture = load(wide, size=64)[0].images[0].float()
    edge = (picture[:, :, 1:] - picture[:, :, :-1]).abs().mean((0, 1))
    assert edge[24:40].sum() > 0.6 * edge.sum()  # one edge, and it is wider
    assert edge.max() < (lambda p: (p[:, :, 1:] - p[:, :, :-1]).abs().mean((0, 1)).max())(
        load(narrow, size=64)[0].images[0].float()
    )


@pytest.mark.parametrize(
    "name, codec, form",
    [
        ("a.mpg", "mpeg1video", "mpeg"),
        ("a.MTS", "mpeg2video", "mpegts"),
        ("a.3gp", "mpeg4", None),
        ("a.wmv", "wmv2", "asf"),
        ("a.vob", "mpeg2video", "vob"),
        ("a.flv", "flv", None),
    ],
)
def test_films_of_other_kinds_are_read(tmp_path, name, codec, form):
    found, _ = load(film(tmp_path / name, 40, None, codec, form), every=np.int64(10))
    assert len(found) == 4 and found.attributes["frame"].tolist() == [0, 10, 20, 30]
    assert seen(found) == "white red green blue"


def test_a_file_with_sound_only_says_so(tmp_path):
    pytest.importorskip("av")
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 1036, b"WAVE", b"fmt ", 16, 1, 1, 8000,
                       16000, 2, 16, b"data", 1000)  # fmt: skip
    for name in ("song.wav", "film.mp4"):
        (tmp_path / name).write_bytes(head + bytes(1000))
        with pytest.raises(ValueError, match=f"{name} holds sound only"):
            data.load(tmp_path / name)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_an_animation_by_its_name_is_a_film(tmp_path, suffix):
    path = tmp_path / f"film.{suffix}"
    RED.save(path, save_all=True, append_images=[BLUE, RED, BLUE], duration=40)
    found, told = load(path)
    assert (found.images[:, 2, 4, 4] > 200).tolist() == [False, True, False, True] and told == ""
    assert found.attributes["frame"].tolist() == [0, 1, 2, 3]
    assert load(path, every=3)[0].attributes["frame"].tolist() == [0, 3]


def test_a_picture_by_its_name_is_a_set_of_one_and_anything_else_is_refused(tmp_path):
    fill(tmp_path, "1.png", "2.heic", "3.txt")
    assert len(load(tmp_path / "1.png")[0]) == 1
    with pytest.raises(ValueError, match="2.heic is neither a picture nor a film: HEIC"):
        data.load(tmp_path / "2.heic")
    with pytest.raises(ValueError, match="3.txt is neither a picture nor a film"):
        data.load(tmp_path / "3.txt")
    with pytest.raises(ValueError, match="1.png has no pictures for testing"):
        data.load(tmp_path / "1.png", split="test")


# --- paths ----------------------------------------------------------------------------------------


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    fill(tmp_path, "faces/1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path in ("~/faces", Path("~/faces"), "~/faces/1.png"):
        assert len(load(path)[0]) == 1


def test_the_folder_one_is_in_has_its_name(tmp_path, monkeypatch):
    fill(tmp_path / "faces", "1.png", "more/2.png")
    monkeypatch.chdir(tmp_path / "faces" / "more")
    assert load(".")[0].name == "more" and load("..")[0].name == "faces"


@pytest.mark.parametrize("name", [3, None, b"faces", ["faces"]])
def test_what_is_no_name_and_no_path_is_refused(name):
    with pytest.raises(TypeError, match="name must be a set's name or a path"):
        data.load(name)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "~nobody-here/faces", "https://x.org/a.zip"])
def test_a_path_that_cannot_be_is_refused(name):
    with pytest.raises(ValueError, match="is neither a folder, nor a file, nor one of fashion"):
        data.load(name)
