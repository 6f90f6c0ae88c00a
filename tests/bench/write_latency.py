"""How long one `write` of 64 KiB takes in a mount: while nothing else happens, and while two others keep uploads busy.

    python -m tests.bench.write_latency [--seconds 20] [--folder /var/tmp/there]

Run by hand, from the root of the repository; part of no test. A server and a mount of its own are made and removed. The
two others write files of 8 MiB, one after the other, and wait for nothing, so that some are always on their way.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.mounting import CountingServer, Mount, account_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITE_BYTES: Final = 64 << 10
PAUSE_S: Final = 0.005
"""Between two writes: it is their latency that is asked for, not how many there can be."""

FILE_WRITES: Final = 128
"""Of one measured file; its close and the next one's open are not measured."""

OTHERS: Final = 2
WARM_UP_S: Final = 5.0
"""Until the others' first files are on their way: a burst is taken in before any of it is sent."""

_OTHER: Final = """
import sys, time
folder, name = sys.argv[1:]
content = bytes(range(256)) * (32 << 10)
number = 0
while True:
    with open(f"{folder}/{name}-{number % 40}", "wb") as file:
        file.write(content)
    number += 1
    time.sleep(0.2)
"""


def latencies_s(folder: Path, seconds: float) -> list[float]:
    """Of each write, one after the other, into files of 8 MiB."""
    content = os.urandom(WRITE_BYTES)
    taken: list[float] = []
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        number += 1
        descriptor = os.open(folder / f"measured-{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            for at in range(FILE_WRITES):
                begun = time.perf_counter()
                os.pwrite(descriptor, content, at * WRITE_BYTES)
                taken.append(time.perf_counter() - begun)
                time.sleep(PAUSE_S)
        finally:
            os.close(descriptor)
    return taken


@contextmanager
def busy(folder: Path) -> Iterator[None]:
    """While the block runs, others write into the folder and what they wrote is sent."""
    others = [subprocess.Popen([sys.executable, "-c", _OTHER, str(folder), f"other-{n}"]) for n in range(OTHERS)]
    try:
        time.sleep(WARM_UP_S)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def told(what: str, taken: list[float]) -> str:
    """One line: how many there were, and what they took."""
    ordered = sorted(taken)
    at = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    figures = "  ".join(f"{name} {ordered[int(len(ordered) * share)] * 1_000:7.2f}" for name, share in at.items())
    return f"{what:6} {len(ordered):6} writes   {figures}  max {ordered[-1] * 1_000:7.2f} ms"


def uploads(server: CountingServer) -> int:
    """Begun so far."""
    return sum("POST /1/data/" in request for request in server.requests())


def say(line: str) -> None:
    """To whoever runs it, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring, for each of the two lines")
    parser.add_argument("--folder", help="where everything is made; its disk is part of what is measured")
    asked = parser.parse_args()
    if asked.folder is not None:
        Path(asked.folder).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=asked.folder, prefix="cxfs-latency-")))
        (home / "server").mkdir()
        server = stack.enter_context(CountingServer(home / "server"))
        account = stack.enter_context(account_of(server, "latency"))
        mount = stack.enter_context(Mount(account, home / "home"))
        say(told("quiet", latencies_s(mount.path, asked.seconds)))
        mount.cxfs("sync", str(mount.path))
        with busy(mount.path):
            before = uploads(server)
            say(told("busy", latencies_s(mount.path, asked.seconds)))
            say(f"{uploads(server) - before} uploads were begun meanwhile")


if __name__ == "__main__":
    main()
