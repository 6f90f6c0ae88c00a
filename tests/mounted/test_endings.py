"""How a mount ends, in order or not: whatever was accepted reaches the server in the end."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, account_of, eventually, tree_of, wait_until, write_tree
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPLOADS_LEFT = 8
MOUNT_POINT = 7
ALREADY_MOUNTED = 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server for one test alone, which may stop it."""
    with ServerProcess(tmp_path / "server") as server:
        yield server


@pytest.fixture
def account_there(server: ServerProcess) -> Iterator[Account]:
    """An account on it."""
    with account_of(server, "ann") as account:
        yield account


def files(count: int, size: int) -> dict[str, bytes]:
    """Content for `count` files in a few folders."""
    return {f"folder-{number % 3}/file-{number}": os.urandom(size) for number in range(count)}


@pytest.mark.promise
def test_umount_returns_when_everything_is_at_the_server(own_mount: Mount, own_account: Account) -> None:
    """`cxfs umount` returns when everything that was written is at the server."""
    written = write_tree(own_mount.path, files(30, 50_000))

    done = own_mount.cxfs("umount", str(own_mount.path))

    assert done.returncode == 0
    assert own_account.tree() == written
    assert not own_mount.is_mounted
    assert not own_mount.is_served


@pytest.mark.promise
def test_sigterm_ends_a_mount_in_order(own_mount: Mount, own_account: Account) -> None:
    """SIGTERM and SIGINT unmount, and send what waits before the daemon ends."""
    written = write_tree(own_mount.path, files(20, 50_000))

    os.kill(own_mount.daemon_pid, signal.SIGTERM)

    wait_until(lambda: not own_mount.is_served)
    assert not own_mount.is_mounted
    assert own_account.tree() == written


def test_umount_of_a_mount_in_use_is_refused_and_names_who_uses_it(own_mount: Mount) -> None:
    """Nothing is torn from under a program, unless one insists."""
    holder = own_mount.spawn("import sys; open(sys.argv[1], 'wb'); sys.stdin.read()", own_mount.path / "file")
    with (own_mount.path / "held").open("wb"):
        refused = own_mount.cxfs("umount", str(own_mount.path))
        still_there = own_mount.is_mounted

    own_mount.ending_of(holder)
    assert refused.returncode == MOUNT_POINT
    assert "busy" in refused.stderr
    assert f"({os.getpid()})" in refused.stderr
    assert still_there


def test_a_file_left_open_at_the_end_is_saved(own_mount: Mount, own_account: Account) -> None:
    """A lazy unmount while a program writes: what it wrote so far is taken as closed."""
    with (own_mount.path / "open").open("wb", buffering=0) as file:
        file.write(b"written before the end")
        own_mount.cxfs("umount", "--lazy", str(own_mount.path))

    wait_until(lambda: not own_mount.is_served)
    assert own_account.content("/open") == b"written before the end"


@pytest.mark.promise
def test_every_closed_file_survives_a_kill_of_the_daemon(own_mount: Mount, own_account: Account) -> None:
    """After a crash, `cxfs mount` clears the dead mount point and every accepted change is sent."""
    written = write_tree(own_mount.path, files(30, 20_000))

    own_mount.kill()

    wait_until(lambda: not own_mount.is_served)
    assert own_mount.is_mounted  # dead: every call there fails
    own_mount.start()
    assert eventually(own_account.tree, written) == written
    assert tree_of(own_mount.path) == written


def test_a_new_version_that_was_closed_survives_a_kill_of_the_daemon(own_account: Account, tmp_path: Path) -> None:
    """Only the changed bytes were on this machine: the rest is fetched again and joined."""
    before = os.urandom(3 << 20)
    uuid = own_account.put("/file", before)["id"]
    with Mount(own_account, tmp_path / "home") as mount:
        with (mount.path / "file").open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), b"changed", 1_000_000)

        mount.kill()

        wait_until(lambda: not mount.is_served)
        mount.start()
        after = before[:1_000_000] + b"changed" + before[1_000_007:]
        wait_until(lambda: own_account.content("/file") == after)
        assert (mount.path / "file").read_bytes() == after
        assert own_account.describe("/file")["id"] == uuid


def test_names_changed_before_a_kill_of_the_daemon_stay_changed(own_mount: Mount, own_account: Account) -> None:
    """Files that were not sent yet, renamed and deleted: the server gets what the tree looked like last."""
    write_tree(own_mount.path, {"folder/a": b"a", "folder/b": b"b", "folder/c": b"c"})
    (own_mount.path / "folder/a").rename(own_mount.path / "folder/renamed")
    (own_mount.path / "folder/b").unlink()
    (own_mount.path / "folder").rename(own_mount.path / "moved")
    left = tree_of(own_mount.path)

    own_mount.kill()

    wait_until(lambda: not own_mount.is_served)
    own_mount.start()
    assert eventually(own_account.tree, left) == left
    assert set(left) == {"moved", "moved/renamed", "moved/c"}


@pytest.mark.promise
def test_uploads_that_a_stopped_server_cannot_take_are_left_for_the_next_mount(
    server: ServerProcess, account_there: Account, tmp_path: Path
) -> None:
    """What cannot be sent within the drain timeout (60 seconds by default; `--drain-timeout`) is counted in a line
    and in the exit status, and the next mount sends it."""
    with Mount(account_there, tmp_path / "home", "--drain-timeout", "1") as mount:
        (mount.path / "folder").mkdir()
        assert eventually(account_there.names, {"folder"}) == {"folder"}
        server.stop()
        (mount.path / "folder/file").write_bytes(b"written while the server was away")

        left = mount.cxfs("umount", str(mount.path))

        assert left.returncode == UPLOADS_LEFT
        assert "1 uploads are left" in left.stderr
        server.start()
        mount.start()
        tree = tree_of(mount.path)
        assert eventually(account_there.tree, tree) == tree
        assert account_there.content("/folder/file") == b"written while the server was away"


def test_a_killed_server_that_comes_back_gets_everything(
    server: ServerProcess, account_there: Account, tmp_path: Path
) -> None:
    """In the middle of uploads: they begin again by themselves, and nobody notices."""
    with Mount(account_there, tmp_path / "home") as mount:
        written = write_tree(mount.path, files(12, 2 << 20))

        server.kill()

        server.start()
        assert eventually(account_there.tree, written, deadline_s=40) == written
        assert tree_of(mount.path) == written


def test_a_profile_is_mounted_once(own_mount: Mount, tmp_path: Path) -> None:
    """Two daemons over one journal would send everything twice: the second is refused and says where the first is."""
    (tmp_path / "second").mkdir()

    refused = own_mount.cxfs("mount", str(tmp_path / "second"))

    assert refused.returncode == ALREADY_MOUNTED
    assert str(own_mount.path) in refused.stderr


def test_a_mount_in_the_foreground_ends_with_its_terminal(own_account: Account, tmp_path: Path) -> None:
    """Ctrl-C is an unmount like any other."""
    mount = Mount(own_account, tmp_path / "home")
    program = "import runpy, sys; sys.argv[1:1] = ['mount', '-f']; runpy.run_module('cxfs', run_name='__main__')"
    process = mount.spawn(program, mount.path)
    try:
        wait_until(lambda: mount.is_mounted)
        (mount.path / "file").write_bytes(b"written")

        process.send_signal(signal.SIGINT)

        assert mount.ending_of(process) == 0
        assert not mount.is_mounted
        assert own_account.content("/file") == b"written"
    finally:
        mount.end()
        mount.ending_of(process)
