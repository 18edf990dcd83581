"""The web pages of `make site`: what is in them, and how they look on a phone and on a desktop."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup

from course_lib import build
from course_lib.exercises import EXERCISES
from tests.test_browser import CHROMIUM, PICTURES, QUIET, needs_chromium

SITE = build.ROOT / "build" / "site"
LECTURES = [path.stem for path in sorted(build.ROOT.glob("solutions/[0-9][0-9]_*.ipynb"))]
WIDTHS = {390: 844, 1280: 960}  # of a phone and of a laptop, with the height


@pytest.fixture(scope="module")
def built():
    """Builds the site, and keeps what it printed."""
    command = [sys.executable, "site/make.py"]
    return subprocess.run(command, cwd=build.ROOT, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def pages(built):
    """{path from the site's root: the page}"""
    assert built.returncode == 0, built.stderr
    paths = {path.relative_to(SITE).as_posix(): path for path in SITE.rglob("*.html")}
    paths = {name: path for name, path in paths.items() if not name.startswith("_static")}
    return {
        name: BeautifulSoup(path.read_text("utf-8"), "html.parser") for name, path in paths.items()
    }


@pytest.fixture(scope="module")
def writer():
    """The module that writes the pages."""
    sys.path.insert(0, str(build.ROOT / "site"))
    try:
        import pages

        yield pages
    finally:
        sys.path.remove(str(build.ROOT / "site"))


def test_the_site_is_built_without_a_warning(built):
    assert built.returncode == 0 and not built.stderr, built.stderr


def test_the_front_page_leads_to_every_lecture_past_its_cover(pages):
    links = {a["href"]: a for a in pages["index.html"].select(".cover a:has(img)")}
    covered = [name for name in LECTURES if (build.ROOT / f"solutions/{name}.png").exists()]
    assert list(links) == [f"lectures/{name}.html" for name in covered]


def test_every_exercise_of_a_lecture_has_its_place_in_the_list(pages, writer):
    listed = {code.text for code in pages["exercises.html"].select("li code")}
    asked = {id for lecture in writer.lectures() for id in checked(lecture.notebook)}
    assert listed == asked & set(EXERCISES) and len(listed) > 90


def checked(notebook):
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return re.findall(r'\bcheck\(\s*"([\w.]+)"', code)


def test_every_link_within_the_site_leads_somewhere(pages):
    ids = {name: {tag["id"] for tag in page.select("[id]")} for name, page in pages.items()}
    for name, page in pages.items():
        for link in page.select("a[href]"):
            path, place = urldefrag(unquote(link["href"]))
            if re.match(r"\w+:", path):
                continue
            target = (SITE / name).parent / path if path else SITE / name
            assert target.exists(), f"{name}: {link['href']}"
            to = os.path.relpath(target, SITE).replace(os.sep, "/")
            assert not place or to not in ids or place in ids[to], f"{name}: {link['href']}"


def test_a_page_loads_nothing_from_another_server(pages):
    for name, page in pages.items():
        for tag in page.select("script[src], link[href], img[src], iframe[src]"):
            address = tag.get("src") or tag["href"]
            assert not re.match(r"https?:|//", address), f"{name}: {address}"


def test_previous_and_next_go_through_the_lectures_in_order(pages):
    path = [f"lectures/{name}.html" for name in LECTURES]
    for here, there in zip(path, path[1:], strict=False):
        assert pages[here].select_one("a.right-next")["href"] == there.split("/")[1]
        assert pages[there].select_one("a.left-prev")["href"] == here.split("/")[1]


@pytest.mark.parametrize("lecture", LECTURES)
def test_every_figure_has_an_alternative_text_in_words(pages, lecture):
    figures = pages[f"lectures/{lecture}.html"].select(".cell_output img")
    assert figures
    for figure in figures:
        said = figure.get("alt", "")
        assert 30 <= len(said) <= 310 and " " in said, said
        assert not re.search(r"[$`\\]|\*\*|\.png", said), said


@pytest.mark.parametrize("lecture", LECTURES)
def test_solutions_are_folded_below_the_blank_and_no_mark_is_left(pages, lecture):
    page = pages[f"lectures/{lecture}.html"]
    assert "BEGIN SOLUTION" not in page.text and "COURSE_SOURCE" not in page.text
    opened = [details for details in page.select("details") if details.has_attr("open")]
    assert not opened and "Show a solution" in page.text


def test_the_reference_has_the_docstring_of_every_public_function(pages, writer):
    from course_lib import density

    documented = writer.modules()
    for name, modules in documented.items():
        page = pages[f"reference/{name}.html"]
        assert all(page.find(id=f"module-{m}") for m in modules if m != "course_lib.exercises")
    assert "topics" not in str(documented)  # it would tell the answers
    shown = pages["reference/density.html"]
    public = [
        n for n, f in vars(density).items() if callable(f) and f.__module__ == density.__name__
    ]
    for name in (n for n in public if not n.startswith("_")):
        assert shown.find(id=f"course_lib.density.{name}"), name


def test_a_docstring_keeps_its_formulas_items_and_arguments(writer):
    said = writer.as_restructured_text(
        'A sum.\n\n    y = a * b\n\nsize: how many\n    of them. kind:\n- "a": `x_1` | *not* b;\n'
        "  and more\nEnd_ of it.",
        ("size",),
    )
    assert said.split("\n\n") == [
        "\\ A sum.",
        "::",
        "    y = a * b",
        "- \\ \\ ``size``\\ : how many of them. kind:",
        '- \\ "a": \\ ``x_1``\\  \\| \\ *not*\\  b; and more',
        "\\ End\\_ of it.\n",
    ]


def test_an_alternative_text_says_what_is_drawn_and_what_stands_under_it(writer):
    import nbformat.v4 as v4

    def picture(source):
        output = v4.new_output("display_data", {"image/png": ""})
        return v4.new_code_cell(source, outputs=[output])

    notebook = v4.new_notebook()
    notebook.cells = [
        v4.new_markdown_cell("The faces come from a network. **Which are real?** *Three minutes.*"),
        picture('plots.rows({"real": a, "made": b})'),
        picture("faces"),
        v4.new_markdown_cell(
            "**Claim.** The second row has width $\\sigma = 1$. No picture holds any grey. Why?"
        ),
        picture("faces"),
        v4.new_markdown_cell("## A heading\n\nOf something else."),
    ]
    modules = writer.imported(notebook)
    first, second, third = (writer.alternative(notebook, i, modules) for i in (1, 2, 4))
    assert first == "Rows of pictures: real, made. The faces come from a network."
    assert second == "The second row has width σ = 1."
    assert third == "No picture holds any grey."


# ---- in Chromium ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(built):
    needs_chromium()
    assert built.returncode == 0, built.stderr
    handler = functools.partial(Silent, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def browser(served):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, served):
    page = browser.new_page(color_scheme="light")
    page.set_default_timeout(60_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type != "log" else None)
    page.on("response", lambda got: faults.append(got.url) if got.status >= 400 else None)
    page.on("request", lambda asks: faults.append(asks.url) if outside(asks.url, served) else None)
    yield page
    page.close()
    assert faults == []


def outside(url, served):
    return not url.startswith((served, "data:", "blob:"))


VISITED = ["index", "exercises", "instructors", "search", "reference/index"]
VISITED += ["reference/diffusion", *(f"lectures/{name}" for name in LECTURES)]


@pytest.mark.parametrize("name", VISITED)
def test_in_chromium_a_page_fits_a_phone_and_a_desktop_light_and_dark(page, served, name):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{served}/{name}.html")
    page.evaluate("() => window.MathJax?.startup?.promise")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("t => document.documentElement.dataset.theme === t", arg=scheme)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            PICTURES.mkdir(exist_ok=True)
            shot = f"site_{name.replace('/', '_')}_{width}_{scheme}.png"
            page.screenshot(path=PICTURES / shot)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
    assert page.evaluate(broken) == []
    assert page.locator("mjx-merror").count() == 0
    assert page.locator("mjx-container").count() == page.locator(".math").count()


def test_in_chromium_the_search_finds_a_word_and_leads_to_it(page, served):
    page.goto(f"{served}/search.html?q=droplets")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").evaluate_all("links => links.map(a => a.href)")
    assert any("lectures/09_styles" in link for link in found)
