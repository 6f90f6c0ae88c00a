"""What people ask of a mount every day, through the real kernel and the real socket: how it stands, what a file is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from cxfs.cli.exits import Exit
from tests.mounting import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mounting import Account

DEEP = """
import os, sys
os.chdir(sys.argv[1])
print("there", flush=True)
sys.stdin.readline()
print(os.getcwd())
"""


def told(mount: Mount, *command: str) -> Any:
    """What a command tells a program."""
    done = mount.cxfs(*command, "--json")
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout)


def test_a_file_is_looked_into_restored_and_copied(mount: Mount, account: Account, folder: Path) -> None:
    """From the shell to the server and back."""
    (folder / "a").write_bytes(b"first")
    mount.cxfs("sync", str(folder / "a"))
    (folder / "a").write_bytes(b"second, longer")
    mount.cxfs("sync", str(folder / "a"))

    before = told(mount, "info", str(folder / "a"))
    restored = mount.cxfs("restore", "--version", str(before["version"] - 1), str(folder / "a"))
    copied = mount.cxfs("cp", str(folder / "a"), str(folder / "b"))

    after = told(mount, "info", str(folder / "a"))
    assert (restored.returncode, copied.returncode, copied.stderr) == (Exit.OK, Exit.OK, "")
    assert (after["uuid"], after["version"], after["size"]) == (before["uuid"], before["version"] + 1, 5)
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes() == b"first"
    assert [each["size"] for each in told(mount, "versions", str(folder / "a"))] == [5, 14, 5]
    assert account.content(mount.address(folder / "b")) == b"first"


@pytest.fixture(scope="module")
def untold(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A mount that is told of nothing, with two folders for a test each."""
    for name in ("untold 1", "untold 2"):
        account.make_folder(f"/{name}")
    with Mount(account, tmp_path_factory.mktemp("untold"), "--feed-ttl", "0") as mount:
        yield mount


def test_a_refresh_reaches_the_kernel(untold: Mount, account: Account) -> None:
    """Which would have answered by itself for the TTL: names, sizes, and what was absent in a folder below."""
    folder = untold.path / "untold 1"
    account.make_folder(untold.address(folder / "deep"))
    account.put(untold.address(folder / "deep/a"), b"1")
    assert (folder / "deep/a").stat().st_size == 1
    assert not (folder / "deep/new").exists()
    account.put(untold.address(folder / "deep/a"), b"22")
    account.put(untold.address(folder / "deep/new"), b"")

    done = untold.cxfs("refresh", str(folder))

    assert done.returncode == Exit.OK, done.stderr
    assert (folder / "deep/a").stat().st_size == 2
    assert (folder / "deep/new").exists()


def test_a_refresh_reaches_what_is_looked_at_by_no_name(untold: Mount, account: Account) -> None:
    """A program that has a file open asks for its size by the descriptor: `tail -f` does."""
    folder = untold.path / "untold 2"
    account.put(untold.address(folder / "log"), b"1")
    with (folder / "log").open("rb") as opened:
        before = os.fstat(opened.fileno()).st_size
        account.put(untold.address(folder / "log"), b"22")
        assert os.fstat(opened.fileno()).st_size == before == 1

        untold.cxfs("refresh", str(folder))

        assert os.fstat(opened.fileno()).st_size == 2


def test_a_shell_knows_where_it_is_after_a_refresh(mount: Mount, account: Account, folder: Path) -> None:
    """The kernel forgets the name of its folder; whoever asks for a refresh looks it up again for all."""
    account.make_folder(mount.address(folder / "deep"))
    shell = mount.spawn(DEEP, folder / "deep")
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdout.readline()

    mount.cxfs("refresh", str(mount.path))
    shell.stdin.write("\n")
    where, _ = shell.communicate(timeout=30)

    assert where.strip() == str(folder / "deep")


def test_the_mount_tells_how_it_stands(mount: Mount, folder: Path) -> None:
    """All that is promised for a status, of a mount that works."""
    (folder / "a").write_bytes(b"first")
    mount.cxfs("sync", "--all")

    (standing,) = told(mount, "status")

    assert (standing["state"], standing["reason"], standing["mountpoint"]) == ("online", None, str(mount.path))
    assert standing["remaining"]["files"] == 0
    assert standing["quota"]["total_bytes"] > 0
    assert "POST data" in {row["kind"] for row in standing["slowest"]}
    assert mount.account.token not in json.dumps(standing)
