"""`python -m tests.soak`: a mount under load for half an hour, at a tenth of all requests failing; prints a table."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.bench.publishing import published, tables_in
from tests.mounting import CountingServer, account_of
from tests.soak.soaking import Soak

TABLE = "soak"


def main() -> int:
    """The exit status: 0 where all is well."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0, help="of load (1800)")
    parser.add_argument("--share", type=float, default=0.1, help="of the requests that fail (0.1)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(16), help="of all chance (any)")
    parser.add_argument("--publish", type=Path, metavar="PAGE", help="where the table goes, if all is well")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="cxfs-soak-") as folder,
        CountingServer(_made(Path(folder, "server"))) as server,
        account_of(server, "soak") as account,
    ):
        report = Soak(server, account, Path(folder, "home"), share=asked.share).run(asked.seconds, seed=asked.seed)
    title = f"Seed {asked.seed}, {asked.seconds:,.0f} seconds, {asked.share:.0%} of all requests failing"
    made = f"{title}:\n\n{report.table()}"
    sys.stdout.write(f"{made}\n")
    if asked.publish is not None and not report.wrong:
        page = asked.publish.read_text(encoding="utf-8")
        asked.publish.write_text(published(page, tables_in(page) | {TABLE: made}), encoding="utf-8")
    return 1 if report.wrong else 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
