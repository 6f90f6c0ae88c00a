"""`python -m tests.layers`: runs the tests under coverage.py and writes the table into docs/reliability.md.

Whatever the tests start is counted too, but for what they kill. Takes half as long again as `make test`. The status is
that of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Final

from tests.bench.publishing import published, tables_in
from tests.layers.report import PROJECT, table

PAGE: Final = PROJECT / "docs" / "reliability.md"
FOLDER: Final = PROJECT / "build" / "coverage"


def main(asked: list[str]) -> int:
    """With these arguments for pytest; `--as-they-are` instead of them: only make the table of what was counted."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    status = 0
    if asked != ["--as-they-are"]:
        coverage("erase")
        status = coverage("run", "-m", "pytest", "-q", *asked)
        coverage("combine", "--quiet")
    coverage("json", "--quiet", "-o", str(FOLDER / "report.json"))
    report = json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(published(page, tables_in(page) | {"layers": table(report)}), encoding="utf-8")
    return status


def coverage(*arguments: str) -> int:
    """Runs it, here; its status."""
    environ = {**os.environ, "COVERAGE_FILE": str(FOLDER / "data")}
    return subprocess.run(
        [sys.executable, "-m", "coverage", *arguments], cwd=PROJECT, env=environ, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
