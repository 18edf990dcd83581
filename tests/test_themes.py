"""Verdicts and widgets on JupyterLab's light and dark page, and by the keyboard alone.

Pictures of what was seen are left in test-artefacts/.
"""

import nbformat
import pytest

from course_lib import build
from tests.test_browser import (
    cells,
    needs_chromium,
    on_screen,
    open_notebook,
    page,
    picture,
    run_all,
    serve,
)
from tests.widgets.examples import makers

__all__ = ["page"]  # a fixture

CARDS = """
from course_lib.exercises import check, progress

def mine(x, mean=1):
    print("`one` <b>two</b>")
    raise ValueError("<script>alert('$x$')</script>")

check("density.to_model_range", mine)
check("styles.truncate", lambda w, w_mean, psi: psi * w)
check("styles.mix", lambda *a: ...)
check("styles.adain", lambda x, style: undefined)
progress()
"""
START = f"""
import sys
sys.path.insert(0, {str(build.ROOT)!r})
from tests.widgets.examples import made
"""
THEMES = "JupyterLab Light", "JupyterLab Dark"
LEGIBLE = 4.5  # to 1: Web Content Accessibility Guidelines 1.4.3, of words and what lies under them
CONTRAST = """(root) => {
    const parsed = (colour) => { const c = colour.match(/[\\d.]+/g).map(Number);
                                 return c.length > 3 ? c : [...c, 1]; };
    const under = (node) => {
        if (!node) return [255, 255, 255];
        const [r, g, b, a] = parsed(getComputedStyle(node).backgroundColor);
        if (a === 1) return [r, g, b];
        return under(node.parentElement).map((c, i) => a * [r, g, b][i] + (1 - a) * c);
    };
    const light = (rgb) => rgb.slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const found = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text; (text = walk.nextNode());) {
        const node = text.parentElement, words = text.data.trim();
        if (words.length < 2 || !node.checkVisibility() || node.matches('option, style')) continue;
        const both = [parsed(getComputedStyle(node).color), under(node)].map(light);
        found.push([(Math.max(...both) + 0.05) / (Math.min(...both) + 0.05), words]);
    }
    return found;
}"""
CONTROLS = ".noUi-handle, select, button"
# What the page tells of the control that the keyboard is at: its place in the widget, its state.
AT = f"""(cell) => {{
    const all = [...cell.querySelectorAll('{CONTROLS}')], at = document.activeElement;
    return [all.indexOf(at), at?.getAttribute?.('aria-valuenow') ?? at?.selectedIndex ?? null];
}}"""
MARKED = ".jp-OutputArea-output"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab with a notebook of verdicts and one with every widget of the course."""
    needs_chromium()
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    widgets = [START, *(f"made({name!r})" for name in makers())]
    for name, sources in (("cards", [CARDS]), ("widgets", widgets)):
        found = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=found, metadata=build.METADATA)
        nbformat.write(notebook, home / f"notebooks/{name}.ipynb")
    yield from serve(home)


def dress(page, theme):  # noqa: F811
    change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
    page.evaluate(change, theme)
    page.locator(f'body[data-jp-theme-name="{theme}"]').wait_for(state="attached")
    page.wait_for_timeout(500)


def is_legible(page, shown):  # noqa: F811
    found = shown.locator(MARKED).first.evaluate(CONTRAST)
    assert found and min(found)[0] >= LEGIBLE, min(found)


def test_cards_are_read_on_light_and_dark_and_hints_open_by_the_keyboard(page, lab):  # noqa: F811
    said = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    open_notebook(page, lab, "cards")
    run_all(page)
    shown = page.locator(".jp-Notebook .jp-Cell").first
    shown.locator("table").wait_for()
    for theme in THEMES:
        dress(page, theme)
        for output in shown.locator(MARKED).all():
            found = output.evaluate(CONTRAST)
            assert found and min(found)[0] >= LEGIBLE, (theme, min(found))
        picture(page, f"cards {theme}")
    assert not said and shown.locator("script").count() == 0  # a student's error is text
    assert shown.locator("mjx-container").count() == 0

    first, second = (shown.locator("details").nth(i) for i in (0, 1))
    assert not second.is_visible()
    shown.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert first.evaluate("details => details.open") and second.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert second.evaluate("details => details.open")
    picture(page, "cards hints")


@pytest.mark.everywhere
def test_every_widget_is_legible_in_the_dark_and_moved_by_the_keyboard_alone(page, lab):  # noqa: F811
    open_notebook(page, lab, "widgets")
    run_all(page)
    dress(page, THEMES[1])
    for index, cell in enumerate(cells(page)[1:], 1):
        shown = on_screen(page, index)
        shown.locator(".jupyter-widgets").first.wait_for()
        is_legible(page, shown)
        picture(page, f"dark {cell['source'][6:-2]}")
        by_keyboard(page, shown, cell["source"])


def by_keyboard(page, shown, name):  # noqa: F811
    """Tab comes to each control, in order, and a key changes it."""
    count = shown.locator(CONTROLS).count()
    shown.locator(CONTROLS).first.focus()
    met, box = [], shown.element_handle()
    for _ in range(4 * count):  # the numbers beside the sliders can be typed in, so Tab stops there
        place, before = box.evaluate(AT)
        if place >= 0:
            met.append(place)
        if place >= 0 and before is not None:
            kind = shown.locator(CONTROLS).nth(place).evaluate("node => node.tagName")
            keys = ("ArrowDown", "ArrowUp") if kind == "SELECT" else ("ArrowRight", "ArrowLeft")
            for key in keys:  # at the end of its range it goes the other way
                page.keyboard.press(key)
                if box.evaluate(AT) != [place, before]:
                    break
            after = box.evaluate(AT)
            assert after[0] == place and after[1] != before, (name, place, before, after)
        page.keyboard.press("Tab")
    controls = [shown.locator(CONTROLS).nth(i) for i in range(count)]
    usable = [i for i, one in enumerate(controls) if one.is_visible() and one.is_enabled()]
    assert set(met) >= set(usable), (name, met, count)
    assert met == sorted(met), (name, met)
