"""Builds the site: `python site/make.py`. Pages go to build/pages, the site to build/site.

`python site/make.py 03 09` builds two lectures alone, without the reference, to look at them.
A warning is an error. Needs the extra `site` of pyproject.toml, and no network.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(ROOT))


def main() -> int:
    import pages
    from sphinx.cmd.build import main as sphinx

    source, kept, out = (ROOT / "build" / name for name in ("pages", "doctrees", "site"))
    for folder in (source, kept, out, out.with_name("jupyter_execute")):
        shutil.rmtree(folder, ignore_errors=True)
    pages.write(source, sys.argv[1:])
    code = sphinx(["-qW", "--keep-going", f"-c{HERE}", f"-d{kept}", str(source), str(out)])
    if not code:
        print(f"The site is in {out}: open index.html, or serve the folder")
    return code


if __name__ == "__main__":
    sys.exit(main())
