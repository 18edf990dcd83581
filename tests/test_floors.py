"""The order of floors: a module imports only from the floors below it."""

import ast
from pathlib import Path

import pytest

import course_lib

ROOT = Path(course_lib.__file__).parent

# shared by all: these know no model and no lecture
GROUND = ("checks", "scale", "device", "progress", "checkpoints", "settings", "training", "data")
GROUND += ("procedural", "pretrained", "metrics", "plots")
# a lecture's module, then the next lecture's. The losses of a GAN come before the game that needs
# them, though lecture 05 is about them.
LECTURES = ("density", "pca", "autoencoders", "gan_losses", "gan", "shapes", "dcgan")
LECTURES += ("layers", "translation", "unet", "diffusion", "auditing")
LECTURES += ("augmentation", "styles", "scaling", "editing", "label_maps")
LECTURES += ("restoration", "restorers", "degradation")
LECTURES += ("boltzmann", "attention", "words", "align_draw", "contrastive", "codebooks")
LECTURES += ("tokens", "text_to_image")
# rooms: one module per lecture in each, named after its topic
ROOMS = {"plots", "widgets", "recipes", "exercises.topics"}
TOPICS = {"vae": "autoencoders", "losses": "gan_losses", "cyclegan": "translation"}
TOPICS |= {"ddpm": "diffusion", "ethics": "auditing", "start": "auditing"}
# what may be imported from a room above the method modules, by whom
ABOVE = {
    "widgets": {"widgets"},
    "exercises": {"exercises"},
    "recipes": {"recipes"},
    "studies": {"studies"},
    "build": {"build"},
}


def modules() -> dict[str, Path]:
    """{"plots.gan": its file}; a package goes by its own name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """The modules of course_lib that a module imports, also inside functions."""
    found, path = set(), MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("course_lib.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".") if node.module else []
            if node.level:
                base = ["course_lib", *package[: len(package) - node.level + 1], *base]
            if base[:1] == ["course_lib"]:
                base = base[1:]
                for alias in node.names:
                    whole = ".".join([*base, alias.name])
                    found.add(whole if whole in MODULES else ".".join(base))
    return {other for other in found if other in MODULES and other}


def room(name: str) -> str:
    return "exercises" if name.startswith("exercises") else name.split(".")[0]


def lecture(name: str) -> int | None:
    """Where in the order of lectures a module stands; None for one that belongs to none."""
    place, _, last = name.rpartition(".")
    if name in LECTURES:
        return LECTURES.index(name)
    if place in ROOMS and last in {*LECTURES, *TOPICS}:
        # a lecture's own figures, sliders and exercises may use all modules of that lecture
        return max(LECTURES.index(TOPICS.get(last, last)), LECTURES.index(_last_of(last)))
    return None


def _last_of(topic: str) -> str:
    """The highest module that a lecture uses by right: lecture 05 judges lecture 04's networks."""
    last = {"losses": "dcgan", "gan": "gan", "vae": "autoencoders", "styles": "scaling"}
    last |= {"words": "text_to_image", "restoration": "degradation", "editing": "label_maps"}
    last |= {"dcgan": "augmentation"}  # its recipe moves what D sees
    return last.get(topic, TOPICS.get(topic, topic))


SHARED = [name for name in MODULES if room(name) in GROUND and lecture(name) is None]


@pytest.mark.parametrize("name", SHARED)
def test_what_all_share_knows_no_lecture(name):
    assert {room(other) for other in imports(name)} <= set(GROUND)
    assert not [other for other in imports(name) if lecture(other) is not None]


@pytest.mark.parametrize("name", [name for name in MODULES if lecture(name) is not None])
def test_a_lecture_imports_only_earlier_ones(name):
    place = lecture(name)
    later = {
        other
        for other in imports(name)
        if lecture(other) is not None
        and (lecture(other) >= place if name in LECTURES else lecture(other) > place)
    }
    assert not later


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_nothing_runs_back_up(name):
    for other in imports(name):
        if room(other) in ABOVE:
            assert room(name) in ABOVE[room(other)], f"{name} imports {other}"


def test_every_module_has_a_floor():
    known = {*GROUND, *LECTURES, *ABOVE}
    assert {room(name) for name in MODULES if name} <= known
