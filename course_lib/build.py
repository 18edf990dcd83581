"""Makes the notebooks: `python -m course_lib.build [--check] [--execute] [--float32] [NN …]`.

`solutions/NN_topic.py`, in jupytext's percent format with the exercises solved, becomes

- `solutions/NN_topic.ipynb`, solved. `--execute` runs it, at laptop scale (or COURSE_SCALE), and
  keeps its outputs, its time and its memory; without it, unchanged cells keep what they had.
- `notebooks/NN_topic.ipynb`, what a student opens: no outputs, every solution replaced by `...`;
- `solutions/NN_topic.png`, what the cell with the tag "cover" shows, for the README;
- a row of the README's table of times: what the cells with the tag "quality" print goes there.
  `--float32` runs the solved notebook once more, as a processor with AVX2 and without bfloat16
  does: its claims must hold there too, and its time is the table's second one.

A source writes `{{badge}}` where "Open in Colab" belongs, and its first code cell is `# {{setup}}`.
Both are filled in with the repository's address, which stands in pyproject.toml and nowhere else.
The cell installs the tag of this version; while the address is nobody's, it installs nothing.
A student's notebook with exercises ends with a cell that shows all of them, which no source holds.
"""

import argparse
import base64
import copy
import hashlib
import io
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIZE_LIMIT = 3_000_000  # bytes of a solved notebook
LIMITS = {"minutes": 10, "gigabytes": 4}  # of one lecture at laptop scale
# an x86 processor with AVX2 and without bfloat16; others do not know the last two
ORDINARY = {"COURSE_BFLOAT16": "off", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{project}/blob/main/{path})"
)
PLACEHOLDER = "image-generation-course/image-generation-course"  # may be claimed by anybody
SETUP = """\
# Does nothing where the course is installed. Elsewhere, as on Colab, it installs the course.
import os, subprocess, sys
from importlib import metadata, util

if not util.find_spec("course_lib"):
    clone = ".." if os.path.isdir("../course_lib") else "{address}"
    source = os.environ.get("COURSE_SOURCE") or clone
    have = [name for name in ("torch", "torchvision", "numpy") if util.find_spec(name)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", source]
    pip += [f"{name}=={metadata.version(name)}" for name in have]
    done = source and subprocess.run(pip, capture_output=True, text=True)
    if not source or done.returncode:
        why = f"pip could not install {source}:\\n{done.stderr}" if source else "{none}"
        raise RuntimeError(f"{why}\\n{way}")"""
NO_ADDRESS = "This copy of the course has no address to install from."
WAY_OUT = (
    r"The course is not installed here. What helps:\n"
    r"- On your own machine, download the whole repository and run `make lab` in its folder.\n"
    r"- Elsewhere, upload the whole repository and set os.environ['COURSE_SOURCE'], in a cell "
    r"above this one, to its folder. Then run this cell again.\n"
    r"- If this copy is yours, run `python course.py address https://github.com/YOU/COPY` in its "
    r"folder, commit, and push with the tag {tag}."
)
CHECK = re.compile(r"\bcheck\(\"")
PROGRESS = (
    "## Your exercises\n\n"
    "Run this cell whenever you like. "
    "It shows each exercise of this notebook and the last verdict on it.",
    "from course_lib.exercises import progress\n\nprogress()",
)
PEAK = """\
try:  # a last cell; not ru_maxrss, which a process begins with that of its parent
    print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
except (OSError, IndexError):
    print(0)"""
MISSING = re.compile(r"<!-- no address -->\n.*?<!-- end -->\n\n?", re.DOTALL)
TABLE = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)", re.DOTALL)


def sources(root: Path = ROOT, wanted: list[str] | None = None) -> list[Path]:
    """The lectures' sources, all or those of these numbers; ValueError for a number without one."""
    found = sorted((root / "solutions").glob("[0-9][0-9]_*.py"))
    for number in wanted or []:
        if not any(path.name.startswith(f"{number}_") for path in found):
            raise ValueError(f"no lecture {number}: there are {[path.stem for path in found]}")
    return [path for path in found if not wanted or path.name[:2] in wanted]


def repository(root: Path = ROOT) -> str:
    """The course's address, from pyproject.toml; ValueError where it is none of GitHub's."""
    return _line(root, r'Repository = "(https://github\.com/[^"/]+/[^"/]+?)(?:\.git)?/?"')


def _line(root: Path, pattern: str) -> str:
    """What stands in that line of pyproject.toml (read as text: Python 3.10 has no TOML)."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    if not (found := re.search(rf"^{pattern}\s*(?:#.*)?$", text, re.M)):
        raise ValueError(f"pyproject.toml has no line {pattern}")
    return found.group(1)


def setup(root: Path = ROOT) -> str:
    """The first cell: it installs the tag of this version, or says that there is no address yet."""
    address, version = repository(root), _line(root, r'version = "([^"]+)"')
    nobodys = address.lower().endswith(f"/{PLACEHOLDER}")
    source = "" if nobodys else f"git+{address}@v{version}"
    way = WAY_OUT.replace("{tag}", f"v{version}")
    return SETUP.replace("{address}", source).replace("{none}", NO_ADDRESS).replace("{way}", way)


def rename(root: Path, address: str) -> None:
    """Gives a copy its address, wherever the old one stands; its notebooks need a rebuild then.

    The README's paragraph about the missing address goes. Raises ValueError for an address that is
    none of GitHub's.
    """
    known = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", address)
    if not known:
        raise ValueError(f"an address looks like https://github.com/YOU/COPY; got {address!r}")
    old, new = repository(root).removeprefix("https://github.com/"), "/".join(known.groups())
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CITATION.cff"):
        if (path := root / name).exists():
            text = path.read_text(encoding="utf-8").replace(old, new)
            text = text.replace(f"\ncd {old.split('/')[1]}\n", f"\ncd {known[2]}\n")
            path.write_text(MISSING.sub("", text), encoding="utf-8", newline="\n")


def read(source: Path, folder: str, root: Path = ROOT) -> NotebookNode:
    """The source as a notebook that will lie in `folder`, badge and set-up filled in.

    Raises ValueError where the source has no `{{badge}}`, or where its first code cell is not
    `# {{setup}}`.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    address = repository(root)
    path = f"{folder}/{source.stem}.ipynb"
    badge = BADGE.format(project=address.removeprefix("https://github.com/"), path=path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or code[0].source.strip() != "# {{setup}}":
        raise ValueError(f"{source.name}: the first code cell must be `# {{{{setup}}}}`")
    if not any("{{badge}}" in cell.source for cell in notebook.cells):
        raise ValueError(f"{source.name}: no text cell holds `{{{{badge}}}}`")
    code[0].source = setup(root)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("{{badge}}", badge)
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def name_cells(notebook: NotebookNode) -> NotebookNode:
    """Gives each cell an id made of its content, so that the same source gives the same bytes."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell.id = f"{digest}-{seen[digest]}" if seen[digest] else digest
        seen[digest] += 1
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def student(source: Path, root: Path = ROOT) -> NotebookNode:
    """The student's notebook: solutions cleared, nothing executed, all exercises at its end.

    Raises ValueError for a solution with only one end, which would be left standing.
    """
    notebook = read(source, "notebooks", root)
    for cell in notebook.cells:
        if cell.source.count("### BEGIN SOLUTION") != cell.source.count("### END SOLUTION"):
            raise ValueError(f"{source.name}: a solution lacks an end in\n{cell.source}")
    clear = ClearSolutions(enforce_metadata=False, code_stub={"python": "..."})
    notebook, _ = clear.preprocess(notebook, {})
    if any(CHECK.search(cell.source) for cell in notebook.cells if cell.cell_type == "code"):
        text, code = PROGRESS
        notebook.cells += [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
    return name_cells(notebook)


def solved(source: Path, root: Path = ROOT) -> NotebookNode:
    """The solved notebook, with the outputs that its unchanged cells had when it was last built."""
    notebook = name_cells(read(source, "solutions", root))
    built = source.with_suffix(".ipynb")
    if built.exists():
        old = nbformat.read(built, as_version=4)
        before = {cell.id: cell for cell in old.cells}
        notebook.metadata |= {key: old.metadata[key] for key in ("run",) if key in old.metadata}
        first = [next(c for c in n.cells if c.cell_type == "code") for n in (notebook, old)]
        before[first[0].id] = first[1]  # the set-up does nothing here, whatever its address
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.id in before:
                cell.outputs = before[cell.id].outputs
                cell.execution_count = before[cell.id].execution_count
    return notebook


def execute(
    notebook: NotebookNode, folder: Path, settings: dict[str, str] | None = None
) -> NotebookNode:
    """Runs a solved notebook in `folder`, with this Python, and keeps what a reader should see.

    Its metadata "run" then holds the scale, the seconds and, on Linux, the peak of memory.
    settings: of the environment, beside those of this process.
    """
    kernel = AsyncKernelManager(kernel_name="python3")
    kernel.kernel_spec.argv[0] = sys.executable  # a kernel of that name may belong to another one
    environment = {"COURSE_SCALE": "laptop", **os.environ, **(settings or {})}
    environment["COURSE_EXPECT"] = "correct"
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=None,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    last = nbformat.v4.new_code_cell(PEAK)
    notebook.cells.append(last)
    start = time.perf_counter()
    client.execute(cleanup_kc=True, env=environment)
    notebook.cells.remove(last)
    gigabytes = int(last.outputs[0].text) / 2**20
    run = {"scale": environment["COURSE_SCALE"], "seconds": round(time.perf_counter() - start)}
    run |= {"gigabytes": round(gigabytes, 1), "cores": os.cpu_count()}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if is_for_readers(output)]
            for data in (output.data for output in cell.outputs if "data" in output):
                if "image/png" in data:
                    data["image/png"] = smaller(data["image/png"])
    notebook.metadata = nbformat.from_dict(METADATA | {"run": run})
    return notebook


def smaller(png: str) -> str:
    """A picture in 256 colours, which look the same and take a third of the bytes; as base64."""
    picture, buffer = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    picture = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def is_for_readers(output: NotebookNode) -> bool:
    """Not the standard error's noise, nor widgets: they are dead where no kernel runs."""
    return output.get("name") != "stderr" and WIDGET not in output.get("data", {})


def cover(notebook: NotebookNode) -> bytes | None:
    """The picture that a cell with the tag "cover" shows: the README shows it for the lecture."""
    for cell in notebook.cells:
        if "cover" in cell.metadata.get("tags", []):
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"])
    return None


def qualities(notebook: NotebookNode) -> list[str]:
    """The first two lines of what cells with the tag "quality" print, answers to guesses aside."""
    tagged = [c for c in notebook.cells if "quality" in c.metadata.get("tags", [])]
    texts = [o.text for c in tagged for o in c.get("outputs", []) if o.output_type == "stream"]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    aside = ("Measured:", "The answer:", "✔")
    return [line for line in lines if line and not line.startswith(aside)][:2]


def measured(root: Path = ROOT) -> str:
    """The README's table of times, memory and qualities, from the solved notebooks."""
    rows = ["| lecture | minutes | in float32 | memory | measured there |", "|---|---|---|---|---|"]
    runs = []
    for source in sources(root):
        notebook = solved(source, root)
        runs.append(run := notebook.metadata.get("run", {}))
        cells = [minutes([run], "seconds", ".1f"), minutes([run], "float32_seconds", ".1f")]
        cells.append(f"{run['gigabytes']} GB" if "gigabytes" in run else "–")
        cells.append("<br>".join(qualities(notebook)).replace("|", "\\|"))
        rows.append(f"| {source.stem[:2]} | {' | '.join(cells)} |")
    totals = [minutes(runs, key, ".0f") for key in ("seconds", "float32_seconds")]
    return "\n".join([*rows, f"| all | {' | '.join(totals)} | | |"]) + "\n"


def minutes(runs: list[dict], key: str, form: str) -> str:
    """The sum of all runs; "–" where one was not measured."""
    return f"{sum(run[key] for run in runs) / 60:{form}}" if all(key in r for r in runs) else "–"


def to_text(notebook: NotebookNode) -> str:
    """What stands in the notebook's file."""
    return nbformat.writes(notebook) + "\n"


def build(source: Path, root: Path = ROOT, run: bool = False, float32: bool = False) -> None:
    """Writes both notebooks of a source; with `run` the solved one is executed first.

    float32: after that (or without) it is executed as on an ordinary processor, for its time alone.
    Raises ValueError where the solved notebook is larger than people can read on the web.
    """
    blank, filled = to_text(student(source, root)), solved(source, root)
    if run:
        filled = execute(filled, source.parent)
    if float32:
        again = execute(copy.deepcopy(filled), source.parent, ORDINARY)
        filled.metadata.setdefault("run", {})["float32_seconds"] = again.metadata.run.seconds
    size = len(to_text(filled).encode())
    if size > SIZE_LIMIT:
        largest = max(filled.cells, key=lambda cell: len(str(cell.get("outputs"))))
        raise ValueError(f"{source.stem}.ipynb has {size:,} bytes, most below\n{largest.source}")
    if (picture := cover(filled)) is not None:
        source.with_suffix(".png").write_bytes(picture)
    (root / "notebooks").mkdir(exist_ok=True)
    for folder, text in (("notebooks", blank), ("solutions", to_text(filled))):
        path = root / folder / f"{source.stem}.ipynb"
        path.write_text(text, encoding="utf-8", newline="\n")


def write_table(root: Path = ROOT) -> None:
    """Puts the table of the notebooks as they are into the README."""
    path = root / "README.md"
    text = TABLE.sub(lambda _: measured(root), path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8", newline="\n")


def stale(root: Path = ROOT, wanted: list[str] | None = None) -> list[str]:
    """What a rebuild would change, one sentence a file; [] where the notebooks are up to date."""
    found = []
    for source in sources(root, wanted):
        filled = solved(source, root)
        notebook, solution = f"notebooks/{source.stem}.ipynb", f"solutions/{source.stem}.ipynb"
        for name, made in ((notebook, student(source, root)), (solution, filled)):
            path = root / name
            if not path.exists() or path.read_bytes() != to_text(made).encode():
                found.append(f"{name} is not what {source.name} gives")
        code = [cell for cell in filled.cells if cell.cell_type == "code" and cell.source.strip()]
        if not all(cell.execution_count for cell in code):
            found.append(f"{solution} has cells that were never executed")
    if measured(root) not in (root / "README.md").read_text(encoding="utf-8"):
        found.append("README.md: the table of times is not what the notebooks give")
    if not wanted:
        stems = {source.stem for source in sources(root)}
        for path in sorted([*root.glob("solutions/*.ipynb"), *root.glob("notebooks/*.ipynb")]):
            if path.stem not in stems:
                found.append(f"{path.relative_to(root)} has no source")
    return found


def beyond_limits(root: Path = ROOT, wanted: list[str] | None = None) -> list[str]:
    """The lectures whose run at laptop scale was longer or larger than `LIMITS`."""
    found = []
    for source in sources(root, wanted):
        run = solved(source, root).metadata.get("run", {})
        longest = max(run.get("seconds", 0), run.get("float32_seconds", 0))
        took = {"minutes": longest / 60, "gigabytes": run.get("gigabytes", 0)}
        for unit, limit in LIMITS.items():
            if run.get("scale") == "laptop" and took[unit] > limit:
                found.append(f"{source.stem} took {took[unit]:.1f} {unit}, more than {limit}")
    return found


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command. Returns 0, or 1 where a notebook is stale or fails."""
    parser = argparse.ArgumentParser(prog="course_lib.build", description="Makes the notebooks.")
    parser.add_argument("--check", action="store_true", help="only say which notebooks are stale")
    parser.add_argument("--execute", action="store_true", help="run the solved notebooks too")
    parser.add_argument("--float32", action="store_true", help="time them without bfloat16 as well")
    parser.add_argument("--address", metavar="URL", help="first give this copy its address")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="lectures; all without any")
    options = parser.parse_args(arguments)
    try:
        if options.address:
            rename(root, options.address)
        for source in sources(root, options.numbers) if not options.check else ():
            print(source.stem, flush=True)
            build(source, root, run=options.execute, float32=options.float32)
            write_table(root)
        problems = stale(root, options.numbers)
        ran = options.execute or options.float32
        problems += beyond_limits(root, options.numbers) if ran else []
        print("\n".join(problems) or "The notebooks match their sources.")
        return int(bool(problems) and (options.check or ran))
    except (ValueError, CellExecutionError, DeadKernelError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
