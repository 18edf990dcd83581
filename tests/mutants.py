"""Breaks the mathematics on purpose, one small break at a time, and counts what the tests notice.

    python tests/mutants.py                     all modules
    python tests/mutants.py shapes density.kmeans --each 8

Each function and method of a module, private ones too, is broken in up to `--each` ways: another
operator, constant, reduction or dimension, arguments swapped, a statement or a square root left
out, a condition negated, a seed ignored, the result doubled. Each break is run against the module's
test file in a fork of this process: those tests that call the function. Checks of the input and
their messages are left whole. Ends with 1 where fewer than 95 % of a module's breaks are noticed.
"""

import argparse
import ast
import functools
import gc
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType

ROOT = Path(__file__).resolve().parent.parent
# forks are safe only while no thread pool runs, so these come before the imports of numpy and torch
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COURSE_SCALE": "smoke"}
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
sys.path[0] = str(ROOT)

import pytest  # noqa: E402
import torch  # noqa: E402

from tests.breaking import CHECKS, Break, breaks  # noqa: E402

MODULES = ("shapes", "gan_losses", "density", "metrics", "autoencoders", "diffusion")
FLOOR = 0.95
# how a run may end: pytest's exit code, or what became of the process
SURVIVED = (0, 5)  # 5: no test calls the function
NOTICED = {1: "failed", 2: "not collected", "hung": "hung", "died": "died"}
FORK = multiprocessing.get_context("fork")

# "module.function: the broken line" -> why no test can notice
EQUIVALENT: dict[str, str] = {
    "shapes.receptive_field: kernel, stride, dilation = "
    "map(_whole, ('kernel', 'stride', 'dilation'), (*layer, 1)[:4])": "map ends with the names",
    "density.parzen_sample: return centers[j] - sigma * noise": "the noise has no direction",
    "density.distance_concentration: distances = (points + query).norm(dim=1)": "as above",
    "density._kernel_sum: blocks = (d2 for row in _distances(y, x, min(sigmas)) for d2 in row)": (
        "the sum over all pairs is symmetric"
    ),
    "density._distances: if rounding >= 1e-06:": "both ways are exact enough at the border",
    "density._distances: radius = (_double(high) - middle).sum()": (
        "never below the norm: the slow, exact way is only taken sooner"
    ),
    "density._distances: low = torch.minimum(x.amin(dim=0), y.detach().amin(dim=0))": (
        "the middle is taken from both points, so its gradient cancels"
    ),
    "metrics.precision_recall: slack = "
    "1e-12 * max(real.square().sum(1).max(), fake.square().sum(0).max())": "a guard's size",
    "metrics.precision_recall: slack = "
    "1e-12 * min(real.square().sum(1).max(), fake.square().sum(1).max())": "a guard's size",
    "metrics.ssim: a, b = _two_images(b, a, data_range)": "the formula is symmetric",
    "metrics.psnr: a, b = _two_images(b, a, data_range)": "the error is symmetric",
    "metrics.inception_features: parts = "
    "(_resized(part.to(weight), 299) for part in x.split(AT_ONCE // 9))": "how many at a time",
    "metrics.inception_features: parts = "
    "(_resized(part.to(weight), 299) for part in x.split(AT_ONCE * 10))": "how many at a time",
    "autoencoders.slerp: result = "
    "torch.where(curved, arc / torch.where(curved, sine, 2.0), line)": "elsewhere it is the line",
    "autoencoders._adam: schedule = "
    "torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, factor, total_iters=steps or 0)": (
        "where no end is known the factor is 1"
    ),
    "autoencoders.ConditionalVAE.forward: pass": "encode and decode turn labels into rows too",
    "diffusion._normal: noise = torch.randn"
    "(shape, generator=generator, device=_place(None, like), dtype=like.dtype)": "one device here",
    "text_to_image.matching_loss: finite(name, shaped(name, value, n), wait=True)": (
        "only a GPU would wait, and there is none here"
    ),
    "text_to_image.StageTwo.__init__: nn.init.zeros_(self.out[1].bias)": "the last of two",
    "text_to_image.TextDiscriminator.look: x = x - self.noise * torch.randn_like(x)": (
        "the noise has no direction"
    ),
    "text_to_image.TextFlowStep.__init__: (instance('model', model, TextUNet), "
    "function('decode', decode), number('ema', ema, 0, 2))": (
        "FlowStep refuses what is above 1 too, in the same words"
    ),
    "text_to_image.TextFlowStep.sample: (wholes('shape', shape), random_source(None))": (
        "flow_sample refuses what is no generator too, in the same words"
    ),
    "align_draw._digits: return ((images.floats()[:, 0] >= 0).float(), images.labels)": (
        "0 lies between two of the 256 brightnesses"
    ),
    "align_draw.AlignDraw.align: scores = torch.ones_like(scores) if self.even else scores": (
        "the softmax of equal scores is the same"
    ),
    "boltzmann.RBM._smaller: hidden = self.hidden < self.visible": (
        "of two equal sides either may be summed"
    ),
    "boltzmann.draw: (finite('p', floats('p', p), wait=True), random_source(generator))": (
        "only a GPU would wait"
    ),
    "boltzmann._units: return "
    "finite(name, shaped(name, x, 'B', width, like=like), wait=True)": "only a GPU would wait",
    "degradation.jpeg_tables: scale = "
    "5000 // quality if quality < 49 else 200 - 2 * quality": "both rules give 102 at 49",
    "degradation.jpeg_tables: scale = "
    "5000 // quality if quality <= 50 else 200 - 2 * quality": "both rules give 100 at 50",
    "restorers.RestorationStep.score: "
    "return self.discriminator(x - 0.05 * torch.randn_like(x)).flatten()": (
        "the noise has no direction"
    ),
    "styles.StyleGenerator._unfolded: return F.pixel_shuffle(x, self.fold) if self.fold >= 1 else "
    "x": "folding by 1 changes nothing",
    "styles.StyleGenerator._unfolded: return F.pixel_shuffle(x, self.fold) if self.fold > 0 else "
    "x": "as above",
    "styles.StyleDiscriminator.forward: x = F.pixel_unshuffle(x, self.fold) if self.fold > 0 else "
    "x": "as above",
    "styles.StyleDiscriminator.forward: x = F.pixel_unshuffle(x, self.fold) if self.fold >= 1 else "
    "x": "as above",
    "augmentation._geometry: before, after = (dice.either((2 * dice.uniform() - 0) * math.pi, 0.0, "
    "half) for _ in range(2))": "an angle of 0 … 2π has the same law",
    "augmentation._pixels: turn = dice.either((4 * dice.uniform()).ceil() * (math.pi / 2), 0.0)": (
        "four quarter turns are none"
    ),
    "augmentation._coloured: linear = (eye - 2 * flip * grey) @ ((grey + (eye - grey) * "
    "saturation) @ hue)": "the three commute: all keep luma's axis",
    "editing._moved: kept = [bias.clone() for bias in biases]": (
        "copied back where no gradient is taken"
    ),
    "tokens.masked_input: beside('u', finite('u', shaped('u', u, len(tokens)), wait=True), "
    "tokens)": "only a GPU would wait",
    "codebooks.VQAutoencoder.encode: finite('x', shaped('x', x, 'B', *self.shape, "
    "like=self.codebook.book), wait=True)": "only a GPU would wait",
    "codebooks.Codebook.forward: self._follow(z, tokens)": "it runs without gradients anyway",
}


def functions(tree: ast.Module, module: str) -> dict[str, ast.FunctionDef]:
    """ "module.Class.method" -> its definition."""
    found = {}
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for f in inside:
            if isinstance(f, ast.FunctionDef) and not f.name.startswith(CHECKS):
                owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                rule = f"[{ast.unparse(f.args.args[0].annotation)}]" if f.name == "_" else ""
                found[f"{module}.{owner}{f.name}{rule}"] = f
    return found


# Breaking a live function


def key(code: CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


def node_key(f: ast.FunctionDef) -> tuple[str, int]:
    return f.name, min([f.lineno, *(d.lineno for d in f.decorator_list)])


def codes(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from codes(part)


def live_functions(file: str) -> dict[tuple[str, int], FunctionType]:
    """The functions of a file, decorated ones and methods too."""
    gc.unfreeze()
    found = (o for o in gc.get_objects() if type(o) is FunctionType)
    return {key(f.__code__): f for f in found if f.__code__.co_filename == file}


def install(b: Break, f: ast.FunctionDef, live: FunctionType, tree: ast.Module) -> None:
    """Gives the function, wherever it is referred to, the broken code and the broken defaults."""
    b.put(b.new)
    code = compile(tree, live.__code__.co_filename, "exec")
    live.__code__ = next(c for c in codes(code) if key(c) == node_key(f))

    def value(node: ast.expr):
        return eval(compile(ast.Expression(node), "default", "eval"), live.__globals__)

    live.__defaults__ = tuple(map(value, f.args.defaults)) or None
    pairs = zip(f.args.kwonlyargs, f.args.kw_defaults, strict=True)
    live.__kwdefaults__ = {a.arg: value(d) for a, d in pairs if d is not None} or None


# Running the tests


class Record:
    """A pytest plugin: which functions of the file each test calls, and how long it takes.

    What is called on import, or for a fixture of several tests, stands under "".
    """

    def __init__(self, file: str):
        self.file, self.now = file, ""
        self.calls, self.seconds = defaultdict(set), defaultdict(float)

    def __call__(self, frame, event, _) -> None:
        if event == "call" and frame.f_code.co_filename == self.file:
            self.calls[self.now].add(key(frame.f_code))

    def pytest_runtest_setup(self, item) -> None:
        self.now = item.nodeid

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        test, self.now = self.now, self.now if fixturedef.scope == "function" else ""
        try:
            return (yield)
        finally:
            self.now = test

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] += report.duration


class Order:
    """A pytest plugin: only the tests that call the function, the fastest of them first."""

    def __init__(self, record: Record, function: tuple[str, int] | None = None):
        self.record, self.function, self.failed = record, function, []

    def pytest_collection_modifyitems(self, items: list) -> None:
        calls, seconds = self.record.calls, self.record.seconds
        if self.function and self.function not in calls[""]:
            items[:] = [item for item in items if self.function in calls[item.nodeid]]
        items.sort(key=lambda item: seconds[item.nodeid])

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.failed.append(str(report.longrepr))


def run_tests(module: str, plugin) -> int:
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "not benchmark"]
    return int(pytest.main([f"tests/test_{module}.py", *options], plugins=[plugin]))


def forked(task: Callable, limit: float):
    """What the task returns in a process of its own; a text where it dies or takes too long.

    limit: seconds of the processor, so that a busy machine changes no result.
    """
    receive, send = FORK.Pipe(duplex=False)

    def work():
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        try:
            result = task()
        except Exception as error:  # ours: pytest reports those of the tests
            result = error
        send.send(result)
        os._exit(0)

    child = FORK.Process(target=work)
    child.start()
    send.close()
    try:
        result = receive.recv() if receive.poll(100 * limit) else "hung"
    except EOFError:
        child.join()
        result = "hung" if child.exitcode == -signal.SIGXCPU else "died"
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.join()
    if isinstance(result, Exception):
        raise result
    return result


def unbroken(module: str, file: str) -> tuple[Record, float]:
    """The record of the tests as they are, and their processor seconds; they must pass."""

    def recorded():
        record = Record(file)
        threading.setprofile(record)
        sys.setprofile(record)
        code = run_tests(module, record)
        sys.setprofile(None)
        return code, record, [m for m in sys.modules if m not in before and "tests" not in m]

    before = set(sys.modules)
    code, record, imported = forked(recorded, 3600)
    for name in imported:  # once here, instead of once in every fork
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("_"):
            with suppress(Exception):  # parts of packages that cannot be imported by themselves
                importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or each fork would copy the whole heap when it collects
    order = Order(record)

    def again():  # in the way in which each break is run
        start = time.process_time()
        return run_tests(module, order), order.failed, time.process_time() - start

    second, failed, seconds = forked(again, 3600)
    if code or second:
        sys.exit("\n".join([f"tests/test_{module}.py fails as it is: {code}, {second}", *failed]))
    return record, seconds


@functools.cache
def prepared(module: str) -> tuple[ast.Module, dict, Record, float]:
    file = importlib.import_module(f"course_lib.{module}").__file__
    live = live_functions(file)
    record, seconds = unbroken(module, file)
    print(f"{module}: the tests pass, {seconds:.0f} s", flush=True)
    return ast.parse(Path(file).read_text(encoding="utf-8")), live, record, seconds


def check(module: str, wanted: str, each: int) -> tuple[int, int, int]:
    """(functions, breaks, noticed) of one module."""
    tree, live, record, seconds = prepared(module)
    count, noticed, total = 0, 0, 0
    for name, f in functions(tree, module).items():
        if not name.startswith(wanted):
            continue
        several = [b for b in breaks(f, name) if f"{name}: {b.line}" not in EQUIVALENT][:each]
        count += bool(several)
        for b in several:

            def task(b=b, f=f):
                install(b, f, live[node_key(f)], tree)
                return run_tests(module, Order(record, node_key(f)))

            result, total = forked(task, 60 + 5 * seconds), total + 1
            if result not in (*SURVIVED, *NOTICED):
                sys.exit(f"pytest ends with {result} for {name}\n{b.diff}")
            noticed += result in NOTICED
            if result != 1:
                print(f"{NOTICED.get(result, 'SURVIVED')}: {name} ({b.kind})\n{b.diff}", flush=True)
    return count, total, noticed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=MODULES, help="module, or module.function")
    parser.add_argument("--each", type=int, default=4, help="breaks a function (4)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(ROOT)
    rows = [(n, *check(n.partition(".")[0], n, options.each)) for n in options.names]
    print(f"\n{'module':<22}{'functions':>10}{'breaks':>8}{'noticed':>9}{'share':>8}")
    for name, count, total, noticed in rows:
        print(f"{name:<22}{count:>10}{total:>8}{noticed:>9}{noticed / max(total, 1):>8.1%}")
    return int(any(noticed < FLOOR * total for *_, total, noticed in rows))


if __name__ == "__main__":
    sys.exit(main())
