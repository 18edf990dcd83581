"""Verdicts and widgets on light and dark pages, by the keyboard alone, and as they are spoken.

Pictures of what was seen are left in test-artefacts/.
"""

import base64

import nbformat
import pytest

from course_lib import build
from course_lib.exercises import cards
from tests.helpers import every_child
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
from tests.widgets.examples import made, makers

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
# The page of an output in Colab, as far as it reaches what the course shows there
COLAB = "<style>body { background: #383838; color: #d5d5d5; font-family: sans-serif }</style>"
THEMES = "JupyterLab Light", "JupyterLab Dark"
# Web Content Accessibility Guidelines 1.4.3 and 1.4.11: words, and a sign that a word stands beside
LEGIBLE, SIGN = 4.5, 3.0
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
        if (!words || !node.checkVisibility() || node.matches('option, style')) continue;
        const both = [parsed(getComputedStyle(node).color), under(node)].map(light);
        found.push([(Math.max(...both) + 0.05) / (Math.min(...both) + 0.05), words]);
    }
    return found;
}"""
CONTROLS = ".noUi-handle, select, button, input"
# What the page tells of the control that the keyboard is at: its place in the widget, its state.
AT = f"""(cell) => {{
    const all = [...cell.querySelectorAll('{CONTROLS}')], at = document.activeElement;
    return [all.indexOf(at), at?.getAttribute?.('aria-valuenow') ?? at?.selectedIndex ?? null];
}}"""
INSIDE = "(cell) => cell.contains(document.activeElement)"
PRESSED = """(cell) => { cell.pressed = [];
    cell.addEventListener('click', ({target}) => cell.pressed.push(target), {capture: true}); }"""
IS_PRESSED = "(cell) => cell.pressed.includes(document.activeElement)"
MARKED = ".jp-OutputArea-output"
ROLES = {"slider", "button", "combobox", "textbox", "spinbutton", "checkbox"}


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
    # attached, not visible: JupyterLab's body is 0 high, so for playwright it is always hidden
    page.locator(f'body[data-jp-theme-name="{theme}"]').wait_for(state="attached")
    page.wait_for_timeout(500)


def is_legible(shown, where):
    found = shown.evaluate(CONTRAST)
    assert found, where
    for contrast, words in found:
        assert contrast >= (LEGIBLE if len(words) > 1 else SIGN), (where, contrast, words)


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
            is_legible(output, theme)
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


@pytest.mark.parametrize("scheme", ["light", "dark"])  # the reader's, which Colab need not follow
@pytest.mark.parametrize("doctype", ["", "<!doctype html>"])  # without one, tables inherit less
def test_cards_are_read_on_colabs_dark_page(page, scheme, doctype):  # noqa: F811
    page.emulate_media(color_scheme=scheme)
    hints = ["`one`", "two"]
    shown = [
        cards.verdict(status, "a title", "`code`\n  indented", hints) for status in cards.MARKS
    ]
    shown.append(cards.table("1 of 4", [(status, "a title", "an.id") for status in cards.MARKS]))
    (image,) = [part for part in every_child(made("widgets.gan.orbits")) if hasattr(part, "format")]
    shown.append(f'<img src="data:image/png;base64,{base64.b64encode(image.value).decode()}">')
    page.set_content(f"{doctype}<html theme=dark>{COLAB}<body>{''.join(shown)}")
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    is_legible(page.locator("body"), scheme)
    picture(page, f"colab {scheme} {'standard' if doctype else 'quirks'}")


@pytest.mark.everywhere
def test_every_widget_is_legible_has_spoken_names_and_is_moved_by_the_keyboard(page, lab):  # noqa: F811
    open_notebook(page, lab, "widgets")
    run_all(page)
    for theme in THEMES:
        dress(page, theme)
        for index, cell in enumerate(cells(page)[1:], 1):
            name = cell["source"][6:-2]
            shown = on_screen(page, index)
            shown.locator(".jupyter-widgets img").first.wait_for()
            for output in shown.locator(MARKED).all():
                is_legible(output, (theme, name))
            if theme == THEMES[1]:
                picture(page, f"dark {name}")
    for index, cell in enumerate(cells(page)[1:], 1):
        shown = on_screen(page, index)
        shown.locator(".jupyter-widgets img").first.wait_for()
        is_spoken(page, index, cell["source"])
        by_keyboard(page, shown.locator(".jp-OutputArea").first, cell["source"])


def is_spoken(page, index, name):  # noqa: F811
    """Each control has a name in what Chromium tells a screen reader, and no two the same."""
    chromium = page.context.new_cdp_session(page)
    output = f'.jp-Cell[data-windowed-list-index="{index}"] .jp-OutputArea'
    where = chromium.send("Runtime.evaluate", {"expression": f"document.querySelector('{output}')"})
    nodes = chromium.send("Accessibility.queryAXTree", {"objectId": where["result"]["objectId"]})
    controls = [
        (node["role"]["value"], node["name"]["value"])
        for node in nodes["nodes"]
        if not node["ignored"] and node["role"]["value"].lower() in ROLES
    ]
    chromium.detach()
    # a sign alone, such as of an icon's own font, is no name
    assert controls and all(any(map(str.isalnum, said)) for _, said in controls), (name, controls)
    assert len({*controls}) == len(controls), (name, controls)


def by_keyboard(page, shown, name):  # noqa: F811
    """Tab comes to each control, in order, and a key changes it."""
    count = shown.locator(CONTROLS).count()
    shown.locator(CONTROLS).first.focus()
    met, box = [], shown.element_handle()
    box.evaluate(PRESSED)
    while box.evaluate(INSIDE):
        place, before = box.evaluate(AT)
        if place >= 0:  # the numbers beside the sliders can be typed in, so Tab stops there too
            met.append(place)
            kind = shown.locator(CONTROLS).nth(place).evaluate("node => node.tagName")
            press(page, box, kind, name, place, before)
        page.keyboard.press("Tab")
    controls = [shown.locator(CONTROLS).nth(i) for i in range(count)]
    usable = [i for i, one in enumerate(controls) if one.is_visible() and one.is_enabled()]
    assert met == sorted(met) and {*met} >= {*usable}, (name, met, usable)


def press(page, box, kind, name, place, before):  # noqa: F811
    if kind == "BUTTON" and place < 12:  # of the 64 cells of the map some are enough
        page.keyboard.press("Space")
        assert box.evaluate(IS_PRESSED), (name, place)
    elif kind == "INPUT":
        page.keyboard.type(" with glasses")
        page.keyboard.press("Enter")
    elif before is not None:
        keys = ("ArrowDown", "ArrowUp") if kind == "SELECT" else ("ArrowRight", "ArrowLeft")
        many = kind != "SELECT" or box.evaluate("() => document.activeElement.options.length") > 1
        for key in keys * many:  # at the end of its range it goes the other way
            page.keyboard.press(key)
            if box.evaluate(AT) != [place, before]:
                break
        after = box.evaluate(AT)
        assert after[0] == place and (after[1] != before or not many), (name, place, before, after)
