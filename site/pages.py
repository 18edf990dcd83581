"""Writes the pages that Sphinx builds the site from: lectures, exercises, reference, front page.

A lecture's page is its solved notebook with four changes: each solution is folded below the blank
that students fill in, each figure gets an alternative text, each exercise an address, and the
badge, whose picture lies on another server, gives way to links.
"""

import ast
import copy
import importlib
import inspect
import pkgutil
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import course_lib
from course_lib import build
from course_lib.exercises import EXERCISES

ROOT, HERE = build.ROOT, Path(__file__).resolve().parent
README = build.MISSING.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
SECTIONS = ["How the exercises work", "A class", "How to grade", "How big a run is"]
SECTIONS += ["How to author"]
LEFT_OUT = re.compile(r"__main__|\.exercises\.(topics|grading\.)|\.data\.recipes")  # no interface
BADGE = re.compile(r"\[!\[Open in Colab\].*?\]\(.*?\)")
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.M | re.S)
SENTENCE = re.compile(r"(?<=[.!?])[\"”)*]*\s+(?=[\"“(*$]*[A-Z])")
SIGNS = {"sigma": "σ", "Sigma": "Σ", "mu": "μ", "psi": "ψ", "gamma": "γ", "beta": "β", "theta": "θ"}
SIGNS |= {"alpha": "α", "lambda": "λ", "cdot": "·", "sum": "Σ", "times": "×", "to": "→", "leq": "≤"}
LONG_TEX = re.compile(r"\\(frac|big|mid|mapsto|mathcal|operatorname|lVert)")  # not to be spoken
NO_STATEMENT = r"[?:]$|minutes\.$|^\(?(Now|Try|Train|Look|Find|Choose|Drag|Move|Change|You may)\b"
SHORT = 24  # characters of a sentence that says something
LEAST, LONG = 30, 300  # characters of an alternative text, which is spoken in one go
GENERAL = {  # in place of the docstrings of functions that draw many kinds of things
    "rows": "Rows of pictures",
    "panels": "Pictures side by side",
    "grid": "A sheet of pictures",
    "bars": "A bar for each name",
    "curves": "A line for each name",
    "film": "An animation",
}


@dataclass(frozen=True)
class Lecture:
    name: str  # "01_parzen_windows"
    title: str  # "01 · Parzen windows"
    about: str  # from the README's table; "" for a lecture that is not in it yet
    time: str
    notebook: NotebookNode


def title() -> str:
    return README.splitlines()[0].removeprefix("# ")


def address() -> str:
    """The repository's address, "" as long as it is the placeholder."""
    found = build.repository(ROOT)
    return "" if found.lower().endswith(f"/{build.PLACEHOLDER}") else found


def section(heading: str) -> str:
    """What stands in the README below a heading; ValueError where there is no such heading."""
    if not (found := re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.M | re.S)):
        raise ValueError(f"README.md has no section {heading!r}")
    return linked(found.group(1).strip())


def linked(text: str) -> str:
    """README's text with its links to files led to the repository, or taken off without one."""
    at = rf"[\1]({address()}/blob/main/\2)" if address() else r"\1"
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)", at, text)


def lectures(numbers: list[str] | None = None) -> list[Lecture]:
    """The lectures whose solved notebook has been built, in their order: all, or those numbers."""
    row = r"\*\*\d\d \[[^\]]+\]\(solutions/(\w+)\.ipynb\)\*\* (.*?) \| (.*?) \|"
    listed = {name: (about, time) for name, about, time in re.findall(row, README)}
    found = []
    for path in sorted((ROOT / "solutions").glob("[0-9][0-9]_*.ipynb")):
        if numbers and path.name[:2] not in numbers:
            continue
        notebook = nbformat.read(path, as_version=4)
        heading = re.search(r"^# (.+)$", notebook.cells[0].source, re.M).group(1)
        found.append(Lecture(path.stem, heading, *listed.get(path.stem, ("", "")), notebook))
    return found


# ---- alternative texts ---------------------------------------------------------------------------


def plain(text: str) -> str:
    """A sentence without marks of Markdown and TeX."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\\hat\s*\{?(\w)\}?", "\\1\u0302", text)
    text = re.sub(r"\\([a-zA-Z]+)", lambda m: SIGNS.get(m.group(1), f" {m.group(1)} "), text)
    text = re.sub(r"[*`$\\{}]|(?<!\w)_(?=\w)|(?<=\w)_(?!\w)", "", text)
    return re.sub(r"\s+", " ", text).strip()


def sentences(markdown: str) -> list[list[str]]:
    """The statements of each paragraph of prose: no heading, list, table, formula or question."""
    found = []
    for paragraph in re.split(r"\n\s*\n", markdown):
        if re.match(r"#|[-*|>] |\||\d+\. |\$\$|\(.*\)=$|```", paragraph.strip()):
            continue
        paragraph = re.sub(r"\*\*(Claim|Answer)\.\*\*\s*", "", paragraph)
        raw = SENTENCE.split(" ".join(paragraph.split()))
        said = [plain(one) for one in raw if not LONG_TEX.search(one)]
        said = [one.lstrip("(") if one.count("(") > one.count(")") else one for one in said]
        if said := [one for one in said if len(one) >= SHORT and not re.search(NO_STATEMENT, one)]:
            found.append(said)
    return found


def imported(notebook: NotebookNode) -> dict[str, str]:
    """{name: module} of the modules with figures that a lecture imports."""
    found = {}
    for cell in notebook.cells:
        for line in cell.source.splitlines() if cell.cell_type == "code" else ():
            if m := re.match(r"from course_lib\.(plots|widgets) import (\w+)(?: as (\w+))?", line):
                found[m.group(3) or m.group(2)] = f"course_lib.{m.group(1)}.{m.group(2)}"
    return found | {"plots": "course_lib.plots", "widgets": "course_lib.widgets"}


def last_call(source: str, modules: dict[str, str]) -> tuple[ast.Call, str] | None:
    """The last call of a function of these modules, and the first sentence of its docstring."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # IPython's own commands
        return None
    calls = [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    calls = [c for c in calls if isinstance(c.func.value, ast.Name) and c.func.value.id in modules]
    for call in sorted(calls, key=lambda c: (c.lineno, c.col_offset), reverse=True):
        module = importlib.import_module(modules[call.func.value.id])
        if said := inspect.getdoc(getattr(module, call.func.attr, None)):
            return call, plain(SENTENCE.split(said.split("\n\n")[0])[0])
    return None


def drawn(source: str, modules: dict[str, str]) -> str:
    """What a cell draws: the first sentence of the function's docstring, and the words given."""
    if not (found := last_call(source, modules)):
        training = "The losses of a training over its steps, and samples of the network."
        return training if "watch=" in source else ""
    call, said = found
    if modules[call.func.value.id] == "course_lib.plots":
        said = GENERAL.get(call.func.attr, said)
    words = [word for argument in call.args for word in spoken(argument)]
    words += [word for key in call.keywords if key.arg == "title" for word in spoken(key.value)]
    if not words:
        return said if said.endswith(".") else f"{said}."
    return f"{said.rstrip('.')}: {plain(', '.join(dict.fromkeys(words)))}."


def spoken(argument: ast.expr) -> list[str]:
    """The words of a literal argument: a text, or the names of a table if all are written out."""
    if isinstance(argument, ast.Constant):
        return [argument.value] if isinstance(argument.value, str) else []
    keys = argument.keys if isinstance(argument, ast.Dict) else []
    written = all(isinstance(key, ast.Constant) for key in keys)
    return [str(key.value) for key in keys] if written else []


def alternative(notebook: NotebookNode, index: int, modules: dict[str, str]) -> str:
    """The text in place of a cell's figure: what is drawn, and the sentence under the figure.

    Where another figure or a heading comes next, the sentence above it stands in.
    """
    after, before = "", ""
    for cell in notebook.cells[index + 1 :]:
        if cell.cell_type == "markdown":
            opens = cell.source.lstrip().startswith("#")
            after = "" if opens else next(iter(sentences(cell.source)), [""])[0]
            break
        if has_picture(cell):
            break
    for cell in reversed(notebook.cells[:index]):
        if cell.cell_type == "markdown" and (said := sentences(cell.source)):
            before = said[-1][-1]
            break
    text = f"{drawn(notebook.cells[index].source, modules)} {after or before}".strip()
    if len(text) < LEAST:
        above = [cell.source for cell in notebook.cells[:index] if cell.cell_type == "markdown"]
        titles = re.findall(r"^#+ (.+)$", "\n".join(above), re.M)
        text = f"{text} A figure of “{plain(titles[-1])}”.".strip() if titles else text
    return text if len(text) <= LONG else text[:LONG].rsplit(" ", 1)[0] + " …"


def has_picture(cell: NotebookNode) -> bool:
    outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
    return any(kind.startswith("image/") for data in outputs for kind in data)


# ---- a lecture -----------------------------------------------------------------------------------


def page(lecture: Lecture) -> NotebookNode:
    """The solved notebook as the site shows it."""
    notebook = copy.deepcopy(lecture.notebook)
    modules = imported(notebook)
    for index, cell in enumerate(notebook.cells):
        if has_picture(cell):
            settings = cell.metadata.setdefault("mystnb", {})
            settings["image"] = {"alt": alternative(lecture.notebook, index, modules)}
    for heading, ids in headings(notebook).items():
        cell, line = notebook.cells[heading[0]], heading[1]
        targets = "".join(f"({label(id)})=\n" for id in ids)
        cell.source = cell.source.replace(line, targets + line, 1)
    first = notebook.cells[0]
    first.source = BADGE.sub(lambda _: links(lecture), first.source)
    notebook.cells = [new for cell in notebook.cells for new in shown(cell, modules)]
    return notebook


def links(lecture: Lecture) -> str:
    """In place of the badge: the notebook to work on, and where Colab opens it."""
    path = f"notebooks/{lecture.name}.ipynb"
    said = f"{{download}}`The notebook to work on, exercises blank <../{path}>`"
    if address():
        at = address().replace("https://github.com", "https://colab.research.google.com/github")
        said += f" · [Open it in Colab]({at}/blob/main/{path})"
    return said


def label(id: str) -> str:
    return "exercise-" + re.sub(r"[^a-z0-9]+", "-", id.lower())


def headings(notebook: NotebookNode) -> dict[tuple[int, str], list[str]]:
    """{(cell, line) of an exercise's heading: the ids of the checks below it}."""
    found, last = {}, None
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            lines = re.findall(r"^#+ Exercise.*$", cell.source, re.M)
            last = (index, lines[-1]) if lines else last
        elif last:
            for id in re.findall(r"\bcheck\(\s*\"([\w.]+)\"", cell.source):
                found.setdefault(last, []).append(id)
    return found


def shown(cell: NotebookNode, modules: dict[str, str]) -> list[NotebookNode]:
    """A cell as a reader meets it: no set-up, imports folded, a solution folded below its blank."""
    if cell.cell_type != "code":
        return [cell]
    if "COURSE_SOURCE" in cell.source:  # the set-up
        return []
    if SOLUTION.search(cell.source):
        blank = nbformat.v4.new_code_cell(SOLUTION.sub(r"\1...", cell.source))
        cell.source = re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION\n?", "", cell.source, flags=re.M)
        return [blank, folded(cell, "a solution")]
    if re.match(r"(import|from) ", cell.source):
        return [folded(cell, "the imports")]
    if not cell.outputs and (found := last_call(cell.source, modules)):
        if "widgets" in modules[found[0].func.value.id]:
            note = f"*Here the notebook has something to move: {found[1]}*"
            return [cell, nbformat.v4.new_markdown_cell(note)]
    return [cell]


def folded(cell: NotebookNode, what: str) -> NotebookNode:
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    settings = cell.metadata.setdefault("mystnb", {})
    settings |= {"code_prompt_show": f"Show {what}", "code_prompt_hide": f"Hide {what}"}
    return cell


# ---- the other pages -----------------------------------------------------------------------------


def filled(name: str, **parts: str) -> str:
    """The page of this folder with {{name}} replaced by what it stands for."""
    text = (HERE / f"{name}.md").read_text(encoding="utf-8")
    for key, part in parts.items():
        text = text.replace(f"{{{{{key}}}}}", part)
    return text


def front(all_lectures: list[Lecture]) -> str:
    """The landing page: what the course is, the covers, how to run it."""
    cards = []
    for lecture in all_lectures:
        to = f"lectures/{lecture.name}.ipynb"
        name = lecture.title.split(" · ", 1)[-1]
        cover = f"[![{name}](covers/{lecture.name}.png)]({to})\n\n"
        cover = cover if (ROOT / "solutions" / f"{lecture.name}.png").exists() else ""
        time = f" *{lecture.time}*" if lecture.time else ""
        text = f"{cover}**[{lecture.title}]({to})**\n\n{lecture.about}{time}"
        cards.append(f":::{{container}} cover\n{text.strip()}\n:::")
    names = "\n".join(f"lectures/{lecture.name}" for lecture in all_lectures)
    lead = README.split("\n\n")[1]
    covers = "\n".join(cards)
    return filled("index", title=title(), lead=lead, covers=covers, lectures=names)


def exercises(all_lectures: list[Lecture]) -> str:
    """The page of all exercises: by lecture, in the order in which one meets them."""
    count, parts = 0, []
    for lecture in all_lectures:
        lines = []
        for (index, heading), ids in headings(lecture.notebook).items():
            text = lecture.notebook.cells[index].source
            effort = re.search(r"\*([^*]*minutes?\.)\*\s*$", text)
            for id in [id for id in ids if id in EXERCISES]:
                name = re.sub(r"^#+ Exercise ", "", heading)
                effort_said = f" *{effort.group(1)}*" if effort else ""
                about = EXERCISES[id].title.rstrip(".")
                ends = "" if about.endswith("?") else "."
                lines.append(f"- **[{name}](#{label(id)})** {about}{ends}{effort_said} `{id}`")
        count += len(lines)
        if lines:
            about = f"{lecture.about}\n\n" if lecture.about else ""
            parts.append(f"## {lecture.title}\n\n{about}" + "\n".join(lines))
    return filled("exercises", count=str(count), lectures="\n\n".join(parts))


def instructors() -> str:
    sections = [f"## {heading}\n\n{section(heading)}" for heading in SECTIONS]
    return filled("instructors", sections="\n\n".join(sections))


def modules() -> dict[str, list[str]]:
    """The modules of course_lib with an interface, by page: a package and all in it share one."""
    found: dict[str, list[str]] = {}
    for _, name, _ in pkgutil.walk_packages(course_lib.__path__, "course_lib."):
        if not LEFT_OUT.search(name):
            found.setdefault(name.split(".")[1], []).append(name)
    return found


def reference(found: dict[str, list[str]]) -> str:
    """The first page of the reference: what each module is for."""
    alone = {page: names for page, names in found.items() if len(names) == 1}
    parts = ["# Reference", "The docstrings of `course_lib`, module by module."]
    parts.append("## Methods, and what all lectures share")
    parts += [entry(page, names[0]) for page, names in alone.items()]
    parts.append("## Packages")
    parts += [entry(page, names[0]) for page, names in found.items() if page not in alone]
    toctree = "```{toctree}\n:hidden:\n\n" + "\n".join(found) + "\n```"
    return "\n\n".join([*parts, toctree] if found else parts[:2]) + "\n"


def entry(page: str, module: str) -> str:
    said = (inspect.getdoc(importlib.import_module(module)) or "").split("\n\n")[0]
    return f"- [{page}]({page}.md): " + re.sub(r"([<*$])", r"\\\1", " ".join(said.split()))


def module_page(page: str, names: list[str]) -> str:
    parts = []
    for name in names:
        # `exercises` offers what its modules define, and is no second place for it in the index
        index = "   :no-index:\n" if name == "course_lib.exercises" else ""
        heading = f"# {page}" if name == names[0] else f"## {name.removeprefix('course_lib.')}"
        parts.append(f"{heading}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{index}```\n")
    return "\n".join(parts)


# ---- docstrings ----------------------------------------------------------------------------------


def inline(text: str) -> str:
    """Prose as reStructuredText that says the same: `code` as code, *stress* as stress."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = f"\\ ``{part.strip()}``\\ "
        else:
            part = re.sub(r"([\\|_`])", r"\\\1", part)
            stress = re.split(r"(?<!\w)\*(\S[^*]*\S)\*(?!\w)", part)
            marked = [
                f"\\ *{s}*\\ " if j % 2 else s.replace("*", r"\*") for j, s in enumerate(stress)
            ]
            parts[i] = "".join(marked)
    return "\\ " + "".join(parts)


def arguments(obj: object) -> tuple[str, ...]:
    """The names of a function's or a class's arguments; none for what is not called."""
    try:
        return tuple(inspect.signature(obj).parameters)
    except (TypeError, ValueError):
        return ()


def as_restructured_text(docstring: str, names: tuple[str, ...] = ()) -> str:
    """A docstring in the form of this house as reStructuredText.

    Indented lines below an empty line, or below one that ends in a colon, are formulas, kept as
    they are; "- " begins an item; so does the name of an argument with a colon, of those given.
    """
    blocks: list[tuple[str, list[str]]] = []  # kind, lines
    previous = ""
    for line in docstring.expandtabs().splitlines():
        text, indented = line.strip(), line.startswith("  ")
        kind = blocks[-1][0] if blocks else ""
        if not text:
            if kind == "literal":
                blocks[-1][1].append("")
        elif re.fullmatch(r"[-=]{4,}", text):
            blocks[-1] = ("heading", blocks[-1][1])
        elif indented and kind == "literal":
            blocks[-1][1].append(line)
        elif indented and kind != "item" and (not previous or previous.endswith(":")):
            blocks.append(("literal", [line]))
        elif indented and blocks:
            blocks[-1][1].append(text)
        elif text.startswith("- "):
            blocks.append(("item", [text[2:]]))
        elif (m := re.match(r"(\w+): \S", text)) and m.group(1) in names:
            blocks.append(("item", [f"`{m.group(1)}`{text[len(m.group(1)) :]}"]))
        elif previous and kind == "text":
            blocks[-1][1].append(text)
        else:
            blocks.append(("text", [text]))
        previous = text
    return "\n\n".join(map(block, blocks)) + "\n"


def block(kind_and_lines: tuple[str, list[str]]) -> str:
    kind, lines = kind_and_lines
    if kind == "literal":
        return "::\n\n" + "\n".join(lines).rstrip()
    if kind == "heading":
        return f"\\ **{lines[-1].strip()}**"
    return ("- " if kind == "item" else "") + inline(" ".join(lines))


# ---- all of it -----------------------------------------------------------------------------------


def write(folder: Path, numbers: list[str] | None = None) -> None:
    """Writes all pages into a folder, which Sphinx then builds with conf.py.

    With numbers only the pages of these lectures, and no reference.
    """
    for name in ("lectures", "notebooks", "covers", "reference"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    found, documented = lectures(numbers), {} if numbers else modules()
    for lecture in found:
        nbformat.write(page(lecture), folder / "lectures" / f"{lecture.name}.ipynb")
        shutil.copy(ROOT / "notebooks" / f"{lecture.name}.ipynb", folder / "notebooks")
        if (cover := ROOT / "solutions" / f"{lecture.name}.png").exists():
            shutil.copy(cover, folder / "covers")
    texts = {"index": front(found), "exercises": exercises(found), "instructors": instructors()}
    texts["reference/index"] = reference(documented)
    texts |= {f"reference/{name}": module_page(name, of) for name, of in documented.items()}
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
