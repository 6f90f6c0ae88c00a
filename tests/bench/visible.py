"""How soon a mount shows what somebody else did: `make bench-feed`. One server, two mounts, everything on loopback.

A change is made by plain HTTP (or by another mount), and the watching mount is looked at by stat(2) all the time, under
the name that it is about. Two times are told of each: from when the server's answer was there, so that it certainly had
the change (0 where it was seen before that), and from before the request was sent. Names are believed for ten minutes,
by the kernel as well: what is seen was told.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tests.mounting import CountingServer, Mount, account_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mounting import Account

PATIENT: Final = ("--metadata-ttl", "600", "--negative-ttl", "600", "--feed-ttl", "3600", "--no-notifications")
PATIENCE_S: Final = 30.0


def size_of(path: Path) -> int:
    """-1 for what is not there."""
    with suppress(FileNotFoundError):
        return os.stat(path).st_size  # noqa: PTH116 - nothing in between
    return -1


def seen_after(path: Path, size: int, change: Callable[[], object]) -> tuple[float, float]:
    """Seconds from the end, and from the beginning, of a change until `path` has that size."""
    seen: list[float] = []

    def watch() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while size_of(path) != size and time.monotonic() < deadline:
            time.sleep(0.001)
        seen.append(time.monotonic())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    change()
    ended = time.monotonic()
    watcher.join()
    assert size_of(path) == size, f"{path} was not seen within {PATIENCE_S:g} s"
    return max(0.0, seen[0] - ended), seen[0] - began


def percentile(times: list[float], share: float) -> float:
    """The smallest time that so many are within."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def told(what: str, measured: list[tuple[float, float]]) -> str:
    """One row of the table, in milliseconds."""
    cells = [
        f"{1_000 * number:.0f}"
        for times in zip(*measured, strict=True)
        for number in (statistics.median(times), percentile(list(times), 0.99))
    ]
    return f"| {what} | {len(measured)} | " + " | ".join(cells) + " |"


def by_http(account: Account, here: Path, count: int) -> list[str]:
    """New files, new content, renames, deletions."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for number in range(count):
        name, other, path = f"/file {number}", f"/moved {number}", here / f"file {number}"
        size_of(path)  # its absence is known, to the kernel as well
        size_of(here / other[1:])
        steps: list[tuple[str, Path, int, Callable[[], object]]] = [
            ("a new file", path, 3, lambda name=name: account.put(name, b"old")),  # type: ignore[misc]
            ("new content", path, 5, lambda name=name: account.put(name, b"newer")),  # type: ignore[misc]
            ("a rename", here / other[1:], 5, lambda a=name, b=other: account.move(a, b)),  # type: ignore[misc]
            ("a deletion", here / other[1:], -1, lambda other=other: account.delete(other)),  # type: ignore[misc]
        ]
        for what, where, size, change in steps:
            rows.setdefault(what, []).append(seen_after(where, size, change))
    return [told(what, measured) for what, measured in rows.items()]


def by_mount(there: Path, here: Path, count: int) -> str:
    """A file that is written by another mount, from its close."""
    measured = []
    for number in range(count):
        path = there / f"written {number}"
        size_of(here / path.name)
        measured.append(seen_after(here / path.name, 5, lambda path=path: path.write_bytes(b"hello")))  # type: ignore[misc]
    return told("written in another mount (from `close`)", measured)


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=200, help="of each kind (200)")
    count = parser.parse_args().changes
    with tempfile.TemporaryDirectory(prefix="cxfs-bench-") as folder, ExitStack() as stack:
        Path(folder, "server").mkdir()
        server = stack.enter_context(CountingServer(Path(folder, "server")))
        account = stack.enter_context(account_of(server, "ann"))
        here, there = (
            stack.enter_context(Mount(account, Path(folder, name), *PATIENT, life_s=3_600))
            for name in ("here", "there")
        )
        for mount in (here, there):
            wait_until(lambda mount=mount: "told by the server" in mount.cxfs("status", str(mount.path)).stdout)  # type: ignore[misc]
        click.echo("| change | times | median, ms, after the answer | p99 | median, ms, after it was sent | p99 |")
        click.echo("|---|---:|---:|---:|---:|---:|")
        before = len(server.requests())
        for row in by_http(account, here.path, count):
            click.echo(row)
        asked = len(server.requests()) - before - 4 * count
        click.echo(by_mount(there.path, here.path, max(1, count // 10)))
        click.echo(f"\nrequests of the two mounts for metadata meanwhile, those that listen left out: {asked}")


if __name__ == "__main__":
    main()
