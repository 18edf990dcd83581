"""The one test command, called by `make test`: every stage, a table of them at the end.

Two stages run side by side: most of the work is Python's, which keeps one core busy. The unit tests
speak as they go; what the others say comes when they are done, and stays in test-artefacts/.
`--no-browser` leaves out the stage that needs Chromium.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "test-artefacts"
PYTEST = ["-m", "pytest", "-q", "--durations=5", "-m", "not benchmark and not everywhere"]
COVERAGE = REPORTS / "coverage.json"
COVERED = ["-m", "slipcover", "--source=course_lib", "--json", f"--out={COVERAGE}"]
LEAST = 90  # percent of course_lib's lines
# Only cells that print and have a stored output are compared (--nbval-lax), in the Python that
# runs this: a kernel named "python3" may belong to another one.
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300"]


BROWSER, SITE = ["tests/test_browser.py", "tests/test_themes.py"], "tests/test_site.py"
# These send functions to forks, to which slipcover's marks do not travel, or compare their code.
GRADING = [f"tests/grading/test_{name}.py" for name in ("answers", "whole", "attacks")]
PRETEND = "tests/test_pretend_gpu.py"  # a device must be there before torch's first backward pass
APART = [*BROWSER, SITE, PRETEND, *GRADING]
UNIT = [*map("--ignore={}".format, APART)]
Stage = tuple[str, list[str], dict[str, str]]  # name, arguments of Python, environment


def stages(chromium: bool = True) -> list[Stage]:
    """All that runs, in the order in which it is begun: the longest comes first."""

    def notebooks(name: str, folder: str, expect: str) -> Stage:
        paths = [str(path) for path in sorted((ROOT / folder).glob("*.ipynb"))]
        return name, [*PYTEST, *NBVAL, *paths], {"COURSE_EXPECT": expect}

    return [
        ("unit tests", [*COVERED, *PYTEST, *UNIT, "tests"], {}),
        ("site", [*PYTEST, SITE, *([] if chromium else ["-k", "not chromium"])], {}),
        ("style", ["-m", "ruff", "check", "."], {}),
        notebooks("notebooks, unsolved", "notebooks", "not attempted"),
        notebooks("notebooks, solved", "solutions", "correct"),
        *([("browser", [*PYTEST, *BROWSER], {})] if chromium else []),
        ("grading", [*PYTEST, *GRADING], {}),
        ("pretend GPU", [*PYTEST, PRETEND], {}),
        ("wrong answers", ["tests/exercise_mutants.py"], {}),
    ]


def counts(report: Path) -> str:
    """What pytest's report counts, "12 passed, 1 skipped"; "" without a report."""
    if not report.exists():
        return ""
    suite = next(ElementTree.parse(report).iter("testsuite"))
    number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    bad = number["failures"] + number["errors"]
    found = {"passed": number["tests"] - bad - number["skipped"], "failed": bad}
    found["skipped"] = number["skipped"]
    return ", ".join(f"{n} {what}" for what, n in found.items() if n)


def run(stage: Stage) -> tuple[str, str, float, Path]:
    """Runs a stage; its name, "ok" or "FAILED", the seconds, and the place of pytest's report."""
    name, arguments, environment = stage
    threads = str(max(1, (os.cpu_count() or 1) // 2))
    base = {**os.environ, "COURSE_SCALE": "smoke", "OMP_NUM_THREADS": threads}
    stem = REPORTS / name.replace(" ", "_").replace(",", "")
    log, report = stem.with_suffix(".log"), stem.with_suffix(".xml")
    report.unlink(missing_ok=True)
    if "pytest" in arguments:
        arguments = [*arguments, f"--junitxml={report}"]
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as out:
        to = None if name == "unit tests" else out
        command, settings = [sys.executable, *arguments], base | environment
        code = subprocess.run(command, cwd=ROOT, env=settings, stdout=to, stderr=to).returncode
    took = time.perf_counter() - start
    print(f"\n=== {name} ===\n{log.read_text(encoding='utf-8')}", flush=True)
    return name, "FAILED" if code else "ok", took, report


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs all tests of the course.")
    parser.add_argument("--no-browser", action="store_true", help="leave out Chromium")
    chromium = not parser.parse_args().no_browser
    REPORTS.mkdir(exist_ok=True)
    COVERAGE.unlink(missing_ok=True)
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(run, stages(chromium)))
    lines = json.loads(COVERAGE.read_text())["summary"] if COVERAGE.exists() else {}
    percent = lines.get("percent_covered", 0)
    failed = percent < LEAST or any(result != "ok" for _, result, _, _ in rows)
    print(f"\n{'what ran':<22}{'result':<9}{'seconds':>8}   of which")
    for name, result, seconds, report in rows:
        print(f"{name:<22}{result:<9}{seconds:8.0f}   {counts(report)}".rstrip())
    print(f"{'coverage':<22}{'ok' if percent >= LEAST else 'FAILED':<9}{'':11}{percent:.1f} %")
    both = time.perf_counter() - start
    print(f"{'side by side':<22}{'FAILED' if failed else 'ok':<9}{both:8.0f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
