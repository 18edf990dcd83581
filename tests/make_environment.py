"""Makes an environment: `python tests/make_environment.py .venv lab`, or `.venv-test test`.

The Makefile runs this with whatever Python there is, so it needs the standard library only, and
speaks the dialect of Python 3.6: one that is too old must get as far as the sentence that says so.

`.venv` borrows torch, with all that torch needs, from the Python that runs this, where it has one.
`.venv-test` stands on top of `.venv` and adds the tools of authors and tests.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
SHARED = ("torch", "torchvision", "numpy")  # what a Python that has torch keeps as it is
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"

SETTINGS = {
    "etc/jupyter/labconfig/default_setting_overrides.json": {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        }
    },
    "etc/jupyter/labconfig/page_config.json": {
        "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}
    },
    "etc/ipython/ipython_kernel_config.json": {"IPKernelApp": {"log_level": 40}},  # errors only
}


def check_python():
    tried = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PYPROJECT)
    major, minor = sys.version_info[:2]
    if f"{major}.{minor}" not in tried:
        sys.exit(
            f"The course needs Python {tried[0]} to {tried[-1]}; "
            f"{sys.executable} is {major}.{minor}.\n"
            f"Name another one: make lab PYTHON=python{tried[-2]}"
        )


def numbers(version):
    return [int(n) for n in re.findall(r"\d+", version.split("+")[0])[:3]]


def torch_here():
    """{name: version} of those of torch, torchvision and numpy that suit; {} without torch."""
    from importlib import metadata

    found = {}
    for name in SHARED:
        least = re.search(rf'"{name}>=([\d.]+)"', PYPROJECT).group(1)
        try:
            if numbers(metadata.version(name)) >= numbers(least):
                found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return found if "torch" in found else {}


def distributions(names):
    """The installed distributions of these names and of all that they require, extras too."""
    from importlib import metadata

    found, asked, waiting = {}, set(), [(name, "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        name = re.sub(r"[-_.]+", "-", name).lower()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # not needed on this system
        for line in found[name].requires or []:
            wanted = re.search(r"extra\s*==\s*['\"](.+?)['\"]", line)
            if wanted and wanted.group(1) != extra:
                continue
            needed, extras = re.match(r"\s*([\w.-]+)\s*(?:\[(.*?)\])?", line).groups()
            waiting += [(needed, e.strip()) for e in ["", *(extras or "").split(",")]]
    return list(found.values())


def borrow(names, folder):
    """Fills a folder with links to the packages of this Python that `names` need.

    A folder of links, not the whole of the other's site-packages: what else lies there (Jupyter
    and its extensions above all) would be half visible, without its files outside site-packages.
    """
    folder.mkdir(parents=True)
    for distribution in distributions(names):
        tops = {file.parts[0] for file in distribution.files or []}
        for top in tops - {"..", "__pycache__"}:
            source, link = Path(distribution.locate_file(top)), folder / top
            if source.exists() and not link.exists():
                link.symlink_to(source, target_is_directory=source.is_dir())


def python_of(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages(folder):
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([str(python_of(folder)), "-c", ask]).decode().strip())


def add_paths(folder, paths):
    """Makes an environment see further folders. Its own packages go before theirs."""
    text = "".join(f"{path}\n" for path in paths)
    (site_packages(folder) / "course_layer.pth").write_text(text, encoding="utf-8")


def run(command, log):
    """Runs a command into the log, naming large downloads as they come; True if it succeeded."""
    with log.open("a", encoding="utf-8") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            errors="replace",
        )
        for line in process.stdout:
            out.write(line)
            large = re.match(r"\s*Downloading (\S+) \((\d{2,}[.\d]* MB|.* GB)\)", line)
            if large:
                print(f"  fetching {large.group(1)}, {large.group(2)}", flush=True)
        return process.wait() == 0


def install(folder, log, *what):
    pip = [python_of(folder), "-m", "pip", "--disable-pip-version-check", "install"]
    return run([*pip, "--progress-bar=off", *what], log)


def give_up(log):
    tail = log.read_text(encoding="utf-8").splitlines()[-30:]
    sys.exit("\n".join([*tail, "", f"The set-up failed: see above; everything is in {log}"]))


def wants_cpu_wheels():
    nvidia = shutil.which("nvidia-smi") or os.path.exists("/proc/driver/nvidia")
    return sys.platform == "linux" and not nvidia


def write_settings(folder):
    """Jupyter's settings in this environment alone: no question about news, a quiet terminal."""
    for path, settings in SETTINGS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(settings, indent=2), encoding="utf-8")


def add_torch(folder, log):
    """Torch for the students' environment: borrowed, or its smaller build for CPUs, or none yet.

    Returns the requirements that keep pip from touching what was borrowed.
    """
    here = torch_here()
    if here and os.name != "nt":  # links need special rights there
        borrow(here, folder / "borrowed")
        add_paths(folder, [folder / "borrowed"])
        if run([python_of(folder), "-c", "import " + ", ".join(here)], log):
            print(f"  using torch {here['torch']} of {sys.executable}", flush=True)
            return [f"{name}=={version}" for name, version in here.items()]
        shutil.rmtree(str(folder / "borrowed"))
    if wants_cpu_wheels():
        once = ["--no-deps", "--retries=0", "--timeout=15", "--index-url", CPU_WHEELS]
        print("  fetching torch for CPUs", flush=True)
        if not install(folder, log, *once, "torch", "torchvision"):
            print("  not to be had; taking the ordinary torch, which is larger", flush=True)
    return []


def make(folder, extra):
    ready, log = folder / "ready", folder / "install.log"
    start, maker = time.time(), f"made by {sys.base_prefix}, {sys.version}\n"
    # What a broken-off set-up left behind has no such file. It is made anew.
    new = not ready.exists() or ready.read_text(encoding="utf-8") != maker
    if new:
        print(f"Setting up {folder.name} (once; takes some minutes)", flush=True)
        shutil.rmtree(str(folder), ignore_errors=True)
        folder.mkdir()
        if not run([sys.executable, "-m", "venv", folder], log):
            give_up(log)
    else:
        print(f"Bringing {folder.name} up to date", flush=True)
        ready.unlink()
    keep = []
    if new and extra == "lab":
        keep = add_torch(folder, log)
    elif extra == "test":
        add_paths(folder, [site_packages(ROOT / ".venv"), ROOT / ".venv" / "borrowed"])
    print("  installing the rest", flush=True)
    if not install(folder, log, "-e", f".[{extra}]", *keep):
        give_up(log)
    write_settings(folder)
    ready.write_text(maker, encoding="utf-8")
    print(f"  done in {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    check_python()
    if len(sys.argv) != 3 or sys.argv[2] not in ("lab", "test"):
        sys.exit("usage: python tests/make_environment.py FOLDER lab|test")
    if sys.argv[2] == "lab" and Path(sys.prefix).resolve().parent == ROOT:
        sys.exit(subprocess.call([sys._base_executable, *sys.argv]))  # not from inside itself
    make(ROOT / sys.argv[1], sys.argv[2])
