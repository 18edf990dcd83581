"""How Sphinx makes the site from the pages of `pages.py`. Nothing is executed or fetched."""

import sys
from importlib import util
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

import pages  # noqa: E402

project = pages.title()
author = "the authors of the course"
copyright = f"{author}. Text and figures: CC BY 4.0. Code: MIT"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["notebooks"]  # for download

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "image/gif", 0)]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 72
python_display_short_literal_types = True
add_module_names = False

# All of MathJax in one file, which this package brings: no page asks the network for anything
MATHJAX = Path(util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "sphinx_book_theme"
html_title = pages.title()
html_static_path = [str(HERE / "static"), str(MATHJAX / "tex-svg.js")]
html_css_files = ["course.css"]
html_favicon = str(HERE / "static" / "favicon.svg")
html_context = {"default_mode": "auto"}  # light or dark as the reader's device is
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search field stands in the sidebar
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
}
if pages.address():
    html_theme_options |= {"repository_url": pages.address(), "use_repository_button": True}


def setup(app):
    app.connect("autodoc-process-docstring", plain_text)


def plain_text(app, what, name, obj, options, lines):
    lines[:] = pages.as_restructured_text("\n".join(lines), pages.arguments(obj)).splitlines()
