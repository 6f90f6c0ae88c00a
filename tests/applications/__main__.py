"""`python -m tests.applications`: every application in full; writes docs/applications.md, ends with pytest's status."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.applications.page import packages, page

PROJECT: Final = Path(__file__).parent.parent.parent
DOCUMENT: Final = PROJECT / "docs/applications.md"

PLACE: Final = PROJECT / "build/applications"
"""Of the mounts. Not in /tmp: of what is there emacs keeps no backups."""


class Failures:
    """The names of the rows whose tests did not pass, from pytest's reports."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of the three reports of a test."""
        if not report.passed:
            self.names.add(report.nodeid.partition("[")[2].removesuffix("]"))


def main(arguments: list[str]) -> int:
    """The exit status. With arguments of pytest, which choose rows, no page is written."""
    failures = Failures()
    PLACE.parent.mkdir(exist_ok=True)
    options = ["-q", "-m", "applications", f"--basetemp={PLACE}", "tests/applications"]
    status = pytest.main([*options, *arguments], plugins=[failures])
    if not arguments:
        system = f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"
        DOCUMENT.write_text(page(failures.names, versions(), system), encoding="utf-8")
    return int(status)


def versions() -> dict[str, str]:
    """Of the Debian packages that are installed."""
    said = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *packages()],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return {name: version for name, _, version in (line.partition(" ") for line in said.splitlines()) if version}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
