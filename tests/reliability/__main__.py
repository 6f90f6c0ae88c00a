"""`python -m tests.reliability`: runs the proofs, and writes how many cases passed into docs/reliability.md.

With `--long` in their long forms too: thousands of stories and hundreds of kills, half an hour and more.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.bench.publishing import published, tables_in
from tests.reliability.proofs import PROOFS, table

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reliability.md"
TABLE: Final = "broken"


class Passed:
    """A plugin of pytest that counts what passed, by module."""

    def __init__(self) -> None:
        self.tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over."""
        if report.when == "call" and report.passed:
            self.tests[report.nodeid.partition("::")[0]] += 1


def main() -> int:
    """The exit status: pytest's. Where a test fails the page stays as it was."""
    parser = argparse.ArgumentParser(prog="tests.reliability", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long forms too")
    forms = "long or not long" if parser.parse_args().long else "not long"
    passed = Passed()
    modules = [module for proof in PROOFS for module in proof.tests]
    status = pytest.main(["-q", "-n", "auto", "--dist", "loadfile", "-m", forms, *modules], plugins=[passed])
    if status == 0:
        made = table(passed.tests)
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(published(page, tables_in(page) | {TABLE: made}), encoding="utf-8")
        sys.stdout.write(f"{made}\n")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
