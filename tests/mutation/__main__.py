"""`python -m tests.mutation`: makes the mutants, tries them, and writes the tables into docs/reliability.md.

Takes ten minutes of a processor the first time; what has not changed is not tried again, unless it survived. The
status is 0 when the score is reached and each survivor has its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.publishing import published, tables_in
from tests.mutation.explained import explanations, idle, unexplained
from tests.mutation.report import SCORE_MIN, rooms, score, score_table, survivors_table
from tests.mutation.results import SUFFIX, Outcome, mutants_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutation.explained import Explanation
    from tests.mutation.results import Mutant

PROJECT: Final = Path(__file__).parents[2]
MUTANTS: Final = PROJECT / "mutants" / "cxfs"
PAGE: Final = PROJECT / "docs" / "reliability.md"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="mutants tried at a time (2)")
    parser.add_argument("--as-they-are", action="store_true", help="only make the tables of what was tried")
    asked = parser.parse_args()
    if not asked.as_they_are:
        _forget_survivors()
        _try_them(asked.processes)
    mutants, reasons = mutants_below(MUTANTS), explanations()
    page = PAGE.read_text(encoding="utf-8")
    tables = {"mutants": score_table(mutants, reasons), "survivors": survivors_table(reasons)}
    PAGE.write_text(published(page, tables_in(page) | tables), encoding="utf-8")
    return _verdict(mutants, reasons)


def _try_them(processes: int) -> None:
    """In memory where the machine has such a place: a journal is written and synced ten thousand times."""
    program = Path(sys.executable).with_name("mutmut")
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shm, prefix="cxfs-mutants-") as place:
        environ = {**os.environ, "TMPDIR": place}
        subprocess.run([program, "run", "--max-children", str(processes)], cwd=PROJECT, env=environ, check=True)


def _forget_survivors() -> None:
    """There may be a test now for those without a reason."""
    if not MUTANTS.exists():
        return
    wanted = {each.key for each in unexplained(mutants_below(MUTANTS), explanations())}
    for file in MUTANTS.rglob(f"*{SUFFIX}"):
        said = json.loads(file.read_text(encoding="utf-8"))
        statuses = said["exit_code_by_key"]
        said["exit_code_by_key"] = {key: None if key in wanted else status for key, status in statuses.items()}
        file.write_text(json.dumps(said), encoding="utf-8")


def _verdict(mutants: Sequence[Mutant], reasons: Sequence[Explanation]) -> int:
    wrongs = [f"survives: {each.where}: {each.line}   (was {each.was})" for each in unexplained(mutants, reasons)]
    wrongs += [f"explained and not there: {each.where}: {each.lines}" for each in idle(mutants, reasons)]
    wrongs += [f"not tried: {each.where}" for each in mutants if each.outcome is Outcome.UNKNOWN]
    for name, of_it in rooms(mutants).items():
        sys.stdout.write(f"{name}: {len(of_it)} mutants, {score(of_it):.1f} % noticed\n")
        if name == "core" and score(of_it) < SCORE_MIN:
            wrongs.append(f"{name}: less than {SCORE_MIN:g} %")
    sys.stdout.writelines(f"{wrong}\n" for wrong in wrongs)
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
