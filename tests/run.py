"""The one test command, called by `make test`: every stage in turn, a table of them at the end."""

import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "test-artefacts"
PYTEST = [sys.executable, "-m", "pytest", "-q", "--durations=5"]
# Only cells that print and have a stored output are compared (--nbval-lax), in the Python that
# runs this: a kernel named "python3" may belong to another one.
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300"]


def stages() -> list[tuple[str, list[str], dict[str, str]]]:
    """(name, command, environment) of each stage."""

    def notebooks(folder: str) -> list[str]:
        return [str(path) for path in sorted((ROOT / folder).glob("*.ipynb"))]

    return [
        ("style", [sys.executable, "-m", "ruff", "check", "."], {}),
        ("unit tests", [*PYTEST, "-m", "not benchmark", "tests"], {}),
        (
            "notebooks, unsolved",
            [*PYTEST, *NBVAL, *notebooks("notebooks")],
            {"COURSE_EXPECT": "not attempted"},
        ),
        (
            "notebooks, solved",
            [*PYTEST, *NBVAL, *notebooks("solutions")],
            {"COURSE_EXPECT": "correct"},
        ),
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


def main() -> int:
    REPORTS.mkdir(exist_ok=True)
    threads = str(min(4, os.cpu_count() or 1))
    base = {**os.environ, "COURSE_SCALE": "smoke", "OMP_NUM_THREADS": threads}
    rows, failed = [], False
    for name, command, extra in stages():
        print(f"\n=== {name} ===", flush=True)
        report = REPORTS / f"{name.replace(' ', '_').replace(',', '')}.xml"
        report.unlink(missing_ok=True)
        if "pytest" in command:
            command = [*command, f"--junitxml={report}"]
        start = time.perf_counter()
        code = subprocess.run(command, cwd=ROOT, env=base | extra).returncode
        rows.append((name, "ok" if code == 0 else "FAILED", time.perf_counter() - start, report))
        failed |= code != 0
    print(f"\n{'what ran':<22}{'result':<9}{'seconds':>8}   of which")
    for name, result, seconds, report in rows:
        print(f"{name:<22}{result:<9}{seconds:8.0f}   {counts(report)}".rstrip())
    print(f"{'all':<22}{'FAILED' if failed else 'ok':<9}{sum(row[2] for row in rows):8.0f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
