"""The lectures in a real JupyterLab and a real browser, as a student meets them.

Pictures of what was seen are left in test-artefacts/.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

from course_lib import build
from course_lib.exercises import EXERCISES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--disable-quic"]
PICTURES = build.ROOT / "test-artefacts"
STUDENT = build.ROOT / ".venv"
TOKEN = "course"
WIDGET = "application/vnd.jupyter.widget-view+json"
WAIT = 240_000  # milliseconds for a whole notebook, at smoke scale and on a busy machine

# notebook, exercise, a body to answer it with, the mistake that this is
VISITS = [
    (
        "00_start_here",
        "density.to_model_range",
        "    return images.float() / 255",
        "zero_to_one",
    ),
    (
        "01_parzen_windows",
        "density.fit_gaussian",
        "    mean = x.mean(dim=0)\n    return mean, (x - mean).T @ (x - mean) / len(x)",
        "divided by n",
    ),
    (
        "02_autoencoders_and_vae",
        "vae.kl_to_standard_normal",
        "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)",
        "mean over the latents",
    ),
    ("03_vanilla_gan", "gan.optimal_discriminator", "    return q / (p + q)", "the share of fakes"),
    (
        "04_dcgan",
        "dcgan.conv2d_size",
        "    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride",
        "one lost",
    ),
    (
        "05_loss_zoo",
        "losses.wasserstein_d",
        "    return real_scores.mean() - fake_scores.mean()",
        "sign",
    ),
    (
        "06_cyclegan",
        "cyclegan.cycle_loss",
        "    return (generator_yx(generator_xy(x)) - x).abs().mean()",
        "only x",
    ),
    (
        "07_ddpm",
        "ddpm.guided_noise",
        "    return (1 + w) * eps_cond - w * eps_uncond",
        "the paper's w",
    ),
    (
        "08_ethics",
        "ethics.amplification",
        "    return generated_share - training_share, generated_share / training_share",
        "not in points",
    ),
    ("09_styles", "styles.truncate", "    return psi * w", "without the mean"),
    (
        "10_editing",
        "editing.local_codes",
        "    return pivot + alpha * (w - pivot)",
        "a share of the way",
    ),
    ("12_words", "words.straight_through", "    return z + (q - z)", "q itself"),
    (
        "11_restoration",
        "restoration.price_of_blending",
        "    return d_mean + a * (d_other - d_mean)",
        "a straight line",
    ),
]

# What a test wants to know of the notebook on the screen. JupyterLab draws only the cells in view,
# so this is asked of the notebook behind the picture.
CELLS = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    if (!panel?.content?.widgets || panel.sessionContext?.session?.kernel?.status !== 'idle')
        return null;
    return panel.content.widgets.map(({model}) => ({
        code: model.type === 'code', source: model.sharedModel.source,
        count: model.executionCount ?? null, outputs: model.outputs?.toJSON() ?? []}));
}"""
# The time from the first key, click or choice in a cell to the end of the changes of picture and
# read-out that follow: until nothing has changed for a moment. Of pictures that go on by themselves
# it is the first change.
WATCH = """([cell, limit]) => {
    window.redrawn = new Promise((resolve) => {
        let start = null, first = null, silence = null;
        for (const kind of ['keydown', 'change', 'click'])
            cell.addEventListener(kind, (event) => start ??= event.timeStamp, {capture: true});
        const shows = ({type, target}) => type === 'attributes'
            || (target.closest ? target : target.parentElement)?.closest('.widget-html');
        const end = (took) => { observer.disconnect(); resolve(took); };
        const observer = new MutationObserver((changes) => {
            if (start === null || !changes.some(shows)) return;
            const now = performance.now() - start;
            if (first === null) setTimeout(() => end(now), 2000);
            first ??= now;
            clearTimeout(silence);
            silence = setTimeout(() => end(now), 250);
        });
        observer.observe(cell, {subtree: true, childList: true, characterData: true,
                                attributes: true, attributeFilter: ['src']});
        setTimeout(() => end(first), limit);
    });
}"""
SHOW = """async (index) => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = index;
    const late = new Promise((resolve) => setTimeout(resolve, 3000)); // where nothing need scroll
    await Promise.race([notebook.scrollToItem(index, 'start'), late]);
}"""


def needs_chromium():
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI must not go without")
        pytest.skip("there is no Chromium")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab of the student's environment on copies of the notebooks; its address."""
    needs_chromium()
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(build.ROOT / "notebooks", home / "notebooks")
    yield from serve(home)


def serve(home):
    in_venv = STUDENT / "bin" / "python"
    python = in_venv if (STUDENT / "ready").exists() else sys.executable
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **folders, "COURSE_SCALE": "smoke"}
    environment.pop("COURSE_EXPECT", None)
    command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={home}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with open(home / "lab.log", "w") as log:
        server = subprocess.Popen(
            [str(part) for part in command], env=environment, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):  # on a busy machine
            try:
                urllib.request.urlopen(f"{address}/api/status?token={TOKEN}")
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None, (home / "lab.log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page(lab):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        page.set_default_timeout(WAIT)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        yield page
        browser.close()
    offline = "Failed to load resource"  # the badge of Colab, which is on another server
    assert [fault for fault in faults if offline not in fault] == []


def picture(page, name):
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def open_notebook(page, lab, name):
    page.goto(f"{lab}/lab/tree/notebooks/{name}.ipynb?token={TOKEN}&reset", timeout=WAIT)
    page.wait_for_function(CELLS, timeout=WAIT)


def cells(page):
    return page.wait_for_function(CELLS, timeout=WAIT).json_value()


def index_of(page, words):
    """The place of the first code cell with these words in it."""
    found = [i for i, cell in enumerate(cells(page)) if cell["code"] and words in cell["source"]]
    assert found, f"no cell has {words!r}"
    return found[0]


def on_screen(page, index):
    """The cell's element, scrolled into view."""
    page.evaluate(SHOW, index)
    cell = page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')
    cell.wait_for()
    return cell


def failures(page):
    outputs = [output for cell in cells(page) for output in cell["outputs"]]
    return [output["evalue"] for output in outputs if output["output_type"] == "error"]


def run_all(page):
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    ran = "c => !c.code || !c.source.trim() || c.count !== null"
    failed = "c => c.outputs.some(o => o.output_type === 'error')"  # no cell below it runs
    done = f"() => {{ const all = ({CELLS})(); return all?.every({ran}) || all?.some({failed}); }}"
    page.wait_for_function(done, timeout=WAIT)
    assert not failures(page)


def answer(page, index, source):
    """Types an answer over the cell's text, runs it, and returns what it printed."""
    before = cells(page)[index]["count"]
    cell = on_screen(page, index)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    ran = (
        f"([i, n]) => {{ const c = ({CELLS})()?.[i]; return c && c.count !== null && c.count > n }}"
    )
    page.wait_for_function(ran, arg=[index, before or 0])
    on_screen(page, index).locator(".jp-OutputArea-output").first.wait_for()
    outputs = cells(page)[index]["outputs"]
    return "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def move_every_widget(page, name, times=2):
    """Moves each slider, menu and button of the notebook; [(first line of its cell, ms)]."""
    found = []
    for index, cell in enumerate(cells(page)):
        if WIDGET not in str(cell["outputs"]):
            continue
        shown = on_screen(page, index)
        shown.locator(".jupyter-widgets").first.wait_for()
        controls = shown.locator(".noUi-handle, select, button.jupyter-button:visible").all()
        for control in reversed(controls):  # what the upper ones may change is tried as it begins
            slider, back = control.evaluate("node => node.matches('.noUi-handle')"), False
            for _ in range(times):
                page.evaluate(WATCH, [shown.element_handle(), 20_000 if slider else 2000])
                back = move(page, control, back)
                took = page.evaluate("window.redrawn")
                still = f"{control.evaluate('node => node.outerHTML')} moves nothing"
                assert took is not None or not slider, still
                if took is not None:  # a second stop moves nothing
                    found.append((cell["source"].splitlines()[0], took))
        picture(page, f"{name}_widget_{index}")
    return found


def move(page, control, back):
    """Goes a step on, or back; returns whether it went back, as it does from a slider's end.

    It goes one way as long as it can: to and fro, too fast, is nothing to a kernel that is busy.
    """
    kind = control.evaluate("node => node.tagName")
    if kind == "SELECT":
        now, many = control.evaluate("node => [node.selectedIndex, node.options.length]")
        control.select_option(index=(now + 1) % many)
    elif kind == "BUTTON":
        control.click()
    else:
        now, low, high = control.evaluate(
            "n => ['now', 'min', 'max'].map(end => +n.getAttribute('aria-value' + end))"
        )
        back = now >= high or (back and now > low)
        control.focus()
        page.keyboard.press("ArrowLeft" if back else "ArrowRight")
    return back


def test_a_student_meets_no_dialog_and_no_buttons_of_the_authors(page, lab):
    open_notebook(page, lab, VISITS[0][0])
    page.wait_for_timeout(3000)  # a question about news comes late
    picture(page, "opened")
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".Toastify__toast").count() == 0
    if (STUDENT / "ready").exists():
        assert "nbgrader" not in page.content().lower()
        assert page.get_by_text("Create Assignment").count() == 0
        assert page.get_by_text("Validate", exact=True).count() == 0


HERE = {"00_start_here", "01_parzen_windows"}  # in `make test`; all of them in `make everywhere`


@pytest.mark.parametrize(
    "name, exercise, wrong, mistake",
    [pytest.param(*v, marks=[pytest.mark.everywhere] * (v[0] not in HERE)) for v in VISITS],
)
def test_a_student_runs_a_lecture_moves_every_widget_and_answers(
    page, lab, name, exercise, wrong, mistake
):
    open_notebook(page, lab, name)
    run_all(page)
    moved = move_every_widget(page, name)
    assert moved and not failures(page)
    told = "".join(f"{took:6.0f} ms  {widget}\n" for widget, took in moved)
    (PICTURES / f"{name}_redraws.txt").write_text(told, encoding="utf-8")

    place = index_of(page, f'check("{exercise}"')
    solved = nbformat.read(build.ROOT / "solutions" / f"{name}.ipynb", as_version=4)
    stub = cells(page)[place]["source"]
    said = answer(page, place, stub.replace("    ...", wrong))
    picture(page, f"{name}_wrong")
    (message,) = [m.message for m in EXERCISES[exercise].mistakes if m.name == mistake]
    parts = re.split(r"\{[^}]+\}", " ".join(message.split()))  # between them, the student's numbers
    assert "wrong" in said and all(part in " ".join(said.split()) for part in parts)
    said = answer(page, place, solved.cells[place].source)
    picture(page, f"{name}_right")
    assert "correct" in said and "wrong" not in said
