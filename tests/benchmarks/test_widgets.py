"""How long every widget takes to redraw, with pictures and networks as large as its lecture's.

`sampler` is left out: it draws anew at each stop. So does `say_it`, once for each sentence: here
its pictures are given. Time of the processor and of the clock are printed. The first counts: on a
busy machine the second tells of others. Of two threads it counts how they wait for one another,
so give OMP_NUM_THREADS=1; ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2 make it an
ordinary processor, without bfloat16.
"""

import time
from statistics import median

import ipywidgets
import pytest
import torch

from course_lib import autoencoders, data, dcgan, label_maps, styles
from course_lib.metrics import Classifier
from course_lib.plots.diffusion import ReverseProcess
from course_lib.pretrained import load_weights
from tests import fuzzer
from tests.helpers import every_child
from tests.widgets.examples import makers

LIMIT = 0.1  # seconds, in the median


def x(n=8, size=32, nc=3):
    """Faces, for noise takes longer to compress."""
    return data.load("peeps", split="test", size=size).floats()[:n, :nc]


def style():
    return load_weights("style_peeps32", styles.StyleGenerator(channels=(128, 96, 64), size=32))


def reads():
    reader = Classifier("peeps_head")
    return lambda *given: f"{len(reader.classify(given[-1]).unique())} heads"


def vae(latent=32):
    return load_weights("vae_peeps32", autoencoders.VAE(nc=3, size=32, latent=latent))


def words_of_style():
    net = style()
    channels = sum(len(conv.affine.bias) for conv in net.convs)
    ways = {name: torch.randn(channels) for name in ("glasses", "beard")}
    ws = net.ws(torch.randn(8, net.nz)).detach()
    return {"generator": net, "ws": ws, "directions": ways, "read": reads(), "steps": (1.0, 2.0)}


def painting():
    door = load_weights("land_door", label_maps.DoorGenerator())
    spade = load_weights("land_spade", label_maps.SpadeGenerator())
    maps = {name: torch.full((8, 8), i) for i, name in enumerate("ab")}
    return {"generators": {"labels as input": door, "SPADE": spade}, "maps": maps}


def way():
    sheets = [x(3, 32, 1)] * 20
    two = torch.randn(20, 2)
    return ReverseProcess(torch.randn(2000, 2), two, two, sheets, [*range(19, -1, -1)])


def sentences():
    told = {name: f"a {name} person" for name in ("happy", "old", "sad")}
    faces = x(4)
    drawn = dict.fromkeys(("StackGAN", "next token", "masked", "flow"), lambda text: faces)
    return {"draw": drawn, "read": lambda pictures, told: "2 of 2", "sayings": told}


# Arguments as large as a lecture's, in the place of the fuzzer's small ones
REAL = {
    "auditing.detector_threshold": lambda: {
        "real": torch.randn(2000), "fakes": {name: torch.randn(2000) for name in "abc"}
    },
    "auditing.watermark_strength": lambda: {"x": x(1, 64) / 2},
    "autoencoders.beta_planes": lambda: {"x": x(100, 64)} | {
        "models": {name: report() for name in ("0.1", "1")}
    },
    "autoencoders.latent_plane": lambda: {"model": report()},
    "autoencoders.morph": lambda: {"model": vae(), "x": x(40)},
    "dcgan.latent_walk": lambda: {"codes": torch.randn(4, 128)} | {
        "generator": load_weights("dcgan_peeps64", dcgan.Generator(nz=128))
    },
    "density.bandwidth": lambda: {
        "points": torch.randn(200, 2), "validation": torch.randn(500, 2)
    },
    "diffusion.forward_process": lambda: {"x0": x(1, 32, 1)},
    "diffusion.reverse_process": lambda: {"picture": way()},
    "diffusion.short_chains": lambda: {"x0": x(1, 32, 1)},
    "editing.inversion": lambda: {"x": x(1)} | {
        "found": {str(n): {name: x(1) / n for name in ("Z", "W", "W+", "S")} for n in (1, 2, 3)}
    },
    "editing.words": words_of_style,
    "editing.paint": painting,
    "losses.slid_away": lambda: {"distances": torch.linspace(0, 12, 97)} | {
        "pulls": {name: torch.rand(97) for name in "ab"}
    },
    "restoration.bench": lambda: {"x": x(8, 64)} | {
        "restorers": dict.fromkeys(("bicubic", "clean", "blind", "blind + D"), torch.tanh)
    },
    "restoration.between": lambda: {"y": x(48), "truth": x(48), "shown": 8},
    "restoration.sensors": lambda: {"colours": x(8), "truth": x(8), "grey": x(8, nc=1)},
    "styles.mixer": lambda: {"generator": style(), "read": reads()} | {
        "a": torch.randn(1, style().nz), "b": torch.randn(1, style().nz)
    },
    "styles.truncation": lambda: {
        "generator": style(), "z": torch.randn(10, style().nz), "measure": reads()
    },
    "translation.before_after": lambda: {"before": x(40, 64), "after": -x(40, 64)},
    "translation.hidden_signal": lambda: {"y": x(8, 64), "there": -x(8, 64)},
    "translation.trainings": lambda: {"x": x(10, 64)} | {
        "found": {name: (x(10, 64), -x(10, 64)) for name in "ab"}
    },
    "words.masked_film": lambda: {"side": 8, "show": lambda tokens: x(8)} | {
        "film": torch.stack([torch.full((8, 64), -1), torch.ones(8, 64).long()])
    },
    "words.say_it": sentences,
    "words.strips": lambda: {"drawn": {name: x(10, 32, 1) / i for i, name in enumerate("abc", 1)}},
}  # fmt: skip


def report():
    net = autoencoders.VAE(nc=3, size=64, latent=2, kind="dense")
    return load_weights("vae_report_250", net)


def moves(widget):
    """(control, value) for all stops of its sliders and menus, eight at most of each, and (button,
    None) for a few of its buttons."""
    for part in every_child(widget):
        if isinstance(part, (ipywidgets.SelectionSlider, ipywidgets.Dropdown)):
            values = [value for _, value in part._options_full]
        elif isinstance(part, (ipywidgets.IntSlider, ipywidgets.FloatSlider)):
            kind = type(part.value)
            span = part.max - part.min
            values = [*dict.fromkeys(kind(part.min + span * i / 7) for i in range(8))]
        else:
            continue
        for value in [*values[:8], values[0]]:
            yield part, value
    cells = [part for part in every_child(widget) if isinstance(part, ipywidgets.Button)]
    for button in cells[:4]:
        yield button, None


@pytest.mark.benchmark
@pytest.mark.parametrize("name", [name for name in makers() if "sampler" not in name])
def test_a_redraw_takes_less_than_a_tenth_of_a_second(name):
    call = fuzzer.valid(name, makers()[name], None)
    widget = call.function(**fuzzer.plain(call) | REAL.get(name.partition(".")[2], dict)())
    times = []
    for part, value in moves(widget):
        if value is not None and part.value == value:
            continue
        start = time.process_time(), time.perf_counter()
        part.click() if value is None else setattr(part, "value", value)
        times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    cpu, wall = (median(kind) * 1000 for kind in zip(*times, strict=True))
    print(f"\n{name:36} {cpu:4.0f} ms of the processor, {wall:4.0f} ms; {len(times)} redraws")
    assert cpu < 1000 * LIMIT
