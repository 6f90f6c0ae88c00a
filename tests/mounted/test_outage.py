"""A server that says nothing any more, in the middle of everything: what ends, what goes on, and what comes back."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from cxfs import mounts
from cxfs.control.client import ControlClient
from tests.faults import Faults, behind, proxy_beside
from tests.mounting import Mount, eventually, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mounting import Account, CountingServer

METADATA_S: Final = 5
DATA_S: Final = 5
SLACK_S: Final = 20
"""What a busy machine may take beyond a deadline."""

TTL_S: Final = "1"

SCAN: Final = """
import errno, json, os, sys, time
mount = sys.argv[1]
longest, failures = 0.0, set()
def timed(call, *arguments):
    global longest
    began = time.monotonic()
    try:
        return call(*arguments)
    except OSError as error:
        failures.add(errno.errorcode[error.errno])
    finally:
        longest = max(longest, time.monotonic() - began)
def beginning(path):
    with open(path, "rb") as file:
        return file.read(4096)
print("ready", flush=True)
sys.stdin.readline()
for name in sys.argv[2:]:
    folder = os.path.join(mount, name)
    for inside in timed(os.listdir, folder) or ():
        path = os.path.join(folder, inside)
        timed(os.stat, path)
        timed(os.getxattr, path, "user.cx.status")
        timed(beginning, path)
    timed(os.statvfs, folder)
json.dump([longest, sorted(failures)], sys.stdout)
"""
"""What a file manager does to folders, each call timed."""


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def mount(running_server: CountingServer, own_account: Account, faults: Faults, tmp_path: Path) -> Iterator[Mount]:
    """`seen` was looked through and read, the folders before it were not; nothing is believed for long."""
    for folder in ("/seen", "/far-1", "/far-2"):
        own_account.make_folder(folder)
        for number in range(5):
            own_account.put(f"{folder}/{number}", b"content")
    own_account.put("/large", b"x" * (16 << 20))
    with (
        proxy_beside(faults, running_server) as proxy,
        Mount(
            behind(proxy, own_account),
            tmp_path / "home",
            "--metadata-ttl",
            TTL_S,
            *("--metadata-deadline", str(METADATA_S), "--data-deadline", str(DATA_S)),
        ) as mount,
    ):
        mount.run("sh", "-c", f"ls -l {mount.path}; cat {mount.path}/seen/*")
        yield mount
        faults.opens()


def state_of(mount: Mount) -> object:
    record = mounts.read_record(mount.state_folder)
    assert record is not None
    assert record.control is not None
    with ControlClient(record.control) as control:
        return control.ask("status")["connection"]["state"]


def scanning(mount: Mount, *folders: str) -> subprocess.Popen[str]:
    """One that is ready to begin at a line of input."""
    scan = mount.spawn(SCAN, mount.path, *folders)
    assert scan.stdout is not None
    assert scan.stdout.readline() == "ready\n"
    return scan


def told(scan: subprocess.Popen[str]) -> tuple[float, list[str]]:
    """Its longest call, and how calls failed."""
    out, _ = scan.communicate("\n", timeout=10 * (METADATA_S + DATA_S))
    longest, failures = json.loads(out)
    return longest, failures


def test_every_call_ends_and_all_goes_on_after_an_outage(
    mount: Mount, faults: Faults, own_account: Account, tmp_path: Path
) -> None:
    """In the middle of `ls`, `cat`, `cp`, `df` and a file manager's scan."""
    (tmp_path / "new").write_bytes(b"written")
    commands: list[list[str | Path]] = [
        ["ls", mount.path / "far-2"],
        ["cat", mount.path / "large"],
        ["cp", mount.path / "large", tmp_path / "copy"],
        ["cp", tmp_path / "new", mount.path / "seen" / "new"],
        ["df", mount.path],
    ]
    with ExitStack() as stack:
        scan = stack.enter_context(scanning(mount, "far-1", "seen"))
        faults.goes_silent()
        running = [
            stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
            for command in commands
        ]
        longest, failures = told(scan)
        endings = [process.wait(METADATA_S + DATA_S + SLACK_S) for process in running]
    state = state_of(mount)
    known, unknown = told(scanning(mount, "seen")), told(scanning(mount, "far-1", "far-2"))
    faults.opens()

    assert [ending == 0 for ending in endings] == [False, False, False, True, True]
    assert longest < METADATA_S + SLACK_S
    assert failures
    assert set(failures) <= {"ETIMEDOUT", "EHOSTUNREACH"}
    assert (state, known[1], unknown[1]) == ("offline", [], ["EHOSTUNREACH"])
    assert eventually(lambda: own_account.names("/seen"), {*"01234", "new"}, deadline_s=60) == {*"01234", "new"}
    assert own_account.content("/seen/new") == b"written"
    assert state_of(mount) == "online"
    assert told(scanning(mount, "far-1", "far-2", "seen"))[1] == []
    assert mount.run("cat", mount.path / "large") == "x" * (16 << 20)


def test_what_is_known_never_waits_for_a_server_that_is_not_there(mount: Mount, faults: Faults) -> None:
    """Hundreds of calls, each after its time to live, and none of them takes as long as the server is waited for."""
    faults.goes_silent()
    mount.attempt("ls", mount.path / "far-1")
    wait_until(lambda: state_of(mount) == "offline")

    longest, failures = told(scanning(mount, *["seen"] * 20))

    assert failures == []
    assert longest < METADATA_S / 2
