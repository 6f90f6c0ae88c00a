"""What waits and what is asked of a real mount from another terminal: sync, uploads, and how an unmount is watched."""

from __future__ import annotations

import errno
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from cxfs.cli.exits import Exit
from cxfs.server import administration
from tests.mounting import Account, Mount, account_of, checksum, eventually, wait_until
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB: Final = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server for one test alone, which may stop it."""
    with ServerProcess(tmp_path / "server") as server:
        yield server


@pytest.fixture
def account_there(server: ServerProcess) -> Iterator[Account]:
    """An account on it."""
    with account_of(server, "ann", quota_bytes=100 * MIB) as account:
        yield account


def shrink(server: ServerProcess) -> None:
    """The account has less room than its mount, which looks once a minute, believes: uploads over 2 MiB are refused."""
    with administration.open_store(server.directory) as store:
        administration.set_quota(store, "ann", 2 * MIB)


@pytest.fixture
def small(server: ServerProcess, account_there: Account, tmp_path: Path) -> Iterator[Mount]:
    """A mount that does not wait long at its end, of an account that was shrunk since.

    The root is listed already, so that files can be made offline.
    """
    with Mount(account_there, tmp_path / "home", "--drain-timeout", "2") as mount:
        mount.run("ls", mount.path)
        shrink(server)
        yield mount


def rows(mount: Mount) -> list[dict[str, Any]]:
    """What `cxfs uploads` tells a program."""
    done = mount.cxfs("uploads", "--json")
    assert done.returncode == Exit.OK, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def parked(mount: Mount) -> bool:
    """Whether all that waits is parked, and anything is."""
    found = rows(mount)
    return bool(found) and all(row["status"] == "parked" for row in found)


class Terminal:
    """A command in a terminal of its own: what it draws is read to its end."""

    def __init__(self, mount: Mount, *arguments: str) -> None:
        self._screen, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cxfs", *arguments],
            cwd=mount.home,
            env={**mount.environment, "TERM": "xterm", "COLUMNS": "100"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self.drawn = ""

    def reads_until(self, words: str) -> None:
        """Returns when it has drawn them."""
        while words not in self.drawn:
            piece = self._read()
            assert piece, f"{words!r} is not in {self.drawn!r}"
            self.drawn += piece

    def ends(self) -> int:
        """Reads to the end; the exit status."""
        while piece := self._read():
            self.drawn += piece
        os.close(self._screen)
        return self.process.wait(60)

    def _read(self) -> str:
        try:
            return os.read(self._screen, 65536).decode(errors="replace")
        except OSError as error:
            if error.errno == errno.EIO:  # nobody holds the other side any more
                return ""
            raise


# ---------------------------------------------------------------------------------------------- sync


@pytest.mark.promise
def test_sync_returns_when_the_server_has_it(own_mount: Mount, own_account: Account) -> None:
    """`cxfs sync PATH` returns when the server has all that was written at and below PATH, with its size and
    checksum."""
    (own_mount.path / "folder").mkdir()
    content = os.urandom(3 * MIB)
    (own_mount.path / "folder/a").write_bytes(content)

    done = own_mount.cxfs("sync", str(own_mount.path / "folder"))

    assert (done.returncode, done.stdout, done.stderr) == (Exit.OK, "", "")
    assert own_account.content("/folder/a") == content


def test_sync_of_a_file_that_a_program_has_open(own_mount: Mount, own_account: Account) -> None:
    """It is sent as far as it was written."""
    with (own_mount.path / "log").open("wb", buffering=0) as log:
        log.write(b"so far")

        done = own_mount.cxfs("sync", "--all")

        assert done.returncode == Exit.OK, done.stderr
        assert own_account.content("/log") == b"so far"
        log.write(b", and on")
    own_mount.cxfs("sync", "--all")
    assert own_account.content("/log") == b"so far, and on"


def test_sync_of_what_is_not_there_or_in_no_mount(own_mount: Mount) -> None:
    """Both are named, and neither passes for synced."""
    absent = own_mount.cxfs("sync", str(own_mount.path / "absent"))
    elsewhere = own_mount.cxfs("sync", "/etc/passwd")

    assert (absent.returncode, absent.stderr) == (
        Exit.FAILED,
        f"cxfs: {own_mount.path}/absent: No such file or directory\n",
    )
    assert (elsewhere.returncode, elsewhere.stderr) == (
        Exit.NOT_MOUNTED,
        "cxfs: /etc/passwd is in no mount of yours\n",
    )


@pytest.mark.promise
def test_sync_names_what_the_server_refused(small: Mount) -> None:
    """What the server refuses, and what goes beside another client's change, is a failure of `cxfs sync` that names
    it, with an exit status of its own."""
    (small.path / "large").write_bytes(os.urandom(4 * MIB))

    done = small.cxfs("sync", "--all")

    assert done.returncode == Exit.SET_APART
    assert f"{small.path}/large: parked: " in done.stderr


def test_sync_gives_up_after_its_timeout_and_the_uploads_go_on(
    server: ServerProcess, account_there: Account, small: Mount
) -> None:
    """Scripts decide how long they wait."""
    server.stop()
    (small.path / "a").write_bytes(b"content")

    done = small.cxfs("sync", "--timeout", "1", str(small.path))

    assert done.returncode == Exit.NOT_SYNCED
    assert "the time is over with 1 file, 7 B left" in done.stderr
    server.start()
    assert small.cxfs("sync", "--all").returncode == Exit.OK
    assert account_there.content("/a") == b"content"


def test_sync_shows_a_bar_on_a_terminal(server: ServerProcess, small: Mount) -> None:
    """With what is left, and why it takes so long."""
    server.stop()
    (small.path / "a").write_bytes(b"content")

    terminal = Terminal(small, "sync", "--all")
    terminal.reads_until("1 file, 7 B left")
    server.start()

    assert terminal.ends() == Exit.OK


def test_with_sync_remote_close_waits_for_the_server(
    server: ServerProcess, account_there: Account, tmp_path: Path
) -> None:
    """And a full account reaches the program as EDQUOT."""
    with Mount(account_there, tmp_path / "remote", "-o", "sync=remote") as mount:
        (mount.path / "a").write_bytes(b"content")
        at_the_server = account_there.content("/a")
        shrink(server)

        refused = mount.attempt("dd", "if=/dev/zero", f"of={mount.path}/large", "bs=1M", "count=4")

        assert at_the_server == b"content"
        assert refused.returncode != 0
        assert os.strerror(errno.EDQUOT) in refused.stderr
        assert [row["path"] for row in rows(mount)] == ["large"]


# ---------------------------------------------------------------------------------------------- uploads


def test_what_the_account_has_no_room_for_is_sent_when_it_has(
    server: ServerProcess, account_there: Account, small: Mount
) -> None:
    """Parked, with its reason; more quota, retry, and it is there."""
    content = os.urandom(3 * MIB)
    (small.path / "large").write_bytes(content)
    small.cxfs("sync", "--all")
    (row,) = rows(small)
    with administration.open_store(server.directory) as store:
        administration.set_quota(store, "ann", 10 * MIB)

    done = small.cxfs("uploads", "retry", str(small.path / "large"))

    assert (row["status"], row["path"], row["size"]) == ("parked", "large", 3 * MIB)
    assert "507" in row["reason"]
    assert done.returncode == Exit.OK, done.stderr
    assert small.cxfs("sync", "--all").returncode == Exit.OK
    assert account_there.content("/large") == content
    assert rows(small) == []


def test_parked_content_is_exported_whole_with_its_time_and_over_nothing(small: Mount) -> None:
    """The way out of an account that will not take it."""
    content = os.urandom(3 * MIB)
    (small.path / "folder").mkdir()
    (small.path / "folder/large").write_bytes(content)
    os.utime(small.path / "folder/large", (1_000_000_000, 1_000_000_000))
    small.cxfs("sync", "--all")

    first = small.cxfs("uploads", "export", "rescue")
    second = small.cxfs("uploads", "export", "rescue")

    exported = small.home / "rescue/folder/large"
    assert (first.returncode, first.stdout) == (Exit.OK, "rescue/folder/large\n")
    assert exported.read_bytes() == content
    assert exported.stat().st_mtime == 1_000_000_000
    assert second.returncode == Exit.FAILED
    assert "rescue/folder/large is there already" in second.stderr


def test_a_stopped_mounts_changes_are_seen_and_exported(server: ServerProcess, small: Mount) -> None:
    """From the journal, which stays as it is: the next mount goes on with it."""
    (small.path / "a").write_bytes(b"at the server")
    small.cxfs("sync", "--all")
    server.stop()
    (small.path / "a").write_bytes(b"ours")
    (small.path / "a").chmod(0o640)
    (small.path / "b").symlink_to("a")
    running = small.cxfs("uploads", "export", "running")
    small.cxfs("umount", str(small.path))

    listed = small.cxfs("uploads", str(small.path / "a"))
    exported = small.cxfs("uploads", "export", "rescue")
    refused = small.cxfs("uploads", "retry")

    assert listed.returncode == Exit.OK
    assert listed.stdout.split()[0] == "waiting"
    assert listed.stdout.splitlines()[0].endswith("  a")
    assert exported.returncode == Exit.OK, exported.stderr
    assert running.returncode == Exit.OK, running.stderr
    for folder in (small.home / "running", small.home / "rescue"):
        assert (folder / "a").read_bytes() == b"ours"
        assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o640
        assert (folder / "b").readlink() == Path("a")
    assert (refused.returncode, refused.stderr) == (
        Exit.NOT_MOUNTED,
        "cxfs: test is not mounted: mount it first, then decide\n",
    )
    server.start()
    small.start()
    assert small.cxfs("sync", "--all").returncode == Exit.OK


def test_discarding_asks_first(small: Mount) -> None:
    """It is the one command here that loses something."""
    (small.path / "large").write_bytes(os.urandom(3 * MIB))
    small.cxfs("sync", "--all")

    unsure = small.cxfs("uploads", "discard", str(small.path / "large"))
    still_there = (small.path / "large").exists()
    sure = small.cxfs("uploads", "discard", "--yes", str(small.path / "large"))

    assert unsure.returncode == Exit.INTERRUPTED
    assert still_there
    assert sure.returncode == Exit.OK, sure.stderr
    assert list(small.path.iterdir()) == []
    assert rows(small) == []


# ---------------------------------------------------------------------------------------------- unmounting


@pytest.mark.promise
def test_an_unmount_names_what_is_left(server: ServerProcess, small: Mount) -> None:
    """What an unmount leaves for the next mount is named."""
    server.stop()
    (small.path / "a").write_bytes(b"a")
    (small.path / "b").write_bytes(b"b")

    done = small.cxfs("umount", str(small.path))

    assert done.returncode == Exit.UPLOADS_LEFT
    assert done.stderr == "cxfs: 2 uploads are left (a, b); the next mount of test resumes them\n"


@pytest.mark.promise
def test_an_unmount_from_outside_drains_and_can_be_watched(
    server: ServerProcess, account_there: Account, tmp_path: Path
) -> None:
    """Also `fusermount3 -u` and `umount` drain; meanwhile the profile cannot be mounted again, and `cxfs umount` shows
    the progress."""
    with Mount(account_there, tmp_path / "home", "--drain-timeout", "50") as mount:
        mount.run("ls", mount.path)
        server.stop()
        (mount.path / "a").write_bytes(b"content")
        mount.run("fusermount3", "-u", mount.path)

        again = mount.cxfs("mount", str(mount.path))
        listed = rows(mount)
        terminal = Terminal(mount, "umount", str(mount.path))
        terminal.reads_until("1 file, 7 B left")
        server.start()

        assert again.returncode == Exit.ALREADY_MOUNTED
        assert "still uploads what was written there" in again.stderr
        assert [row["path"] for row in listed] == ["a"]
        assert terminal.ends() == Exit.OK
        assert account_there.content("/a") == b"content"


@pytest.mark.promise
def test_a_second_ctrl_c_leaves_at_once(server: ServerProcess, account_there: Account, tmp_path: Path) -> None:
    """In a terminal the first Ctrl-C unmounts and shows a bar while it drains; a second one leaves at once, and the
    next mount sends what is left."""
    mount = Mount(account_there, tmp_path / "home")
    terminal = Terminal(mount, "mount", "--drain-timeout", "1d", "--foreground", str(mount.path))
    try:
        terminal.reads_until("Ctrl-C unmounts")
        mount.run("ls", mount.path)
        server.stop()
        (mount.path / "a").write_bytes(b"content")
        terminal.process.send_signal(signal.SIGINT)
        terminal.reads_until("1 file, 7 B left")

        terminal.process.send_signal(signal.SIGINT)

        assert terminal.ends() == Exit.UPLOADS_LEFT
        assert "1 upload is left (a)" in terminal.drawn
        server.start()
        mount.start()
        assert eventually(account_there.tree, {"a": checksum(b"content")}) == {"a": checksum(b"content")}
    finally:
        terminal.process.kill()
        mount.end()


def test_progress_elsewhere_is_a_line_now_and_then(
    server: ServerProcess, account_there: Account, tmp_path: Path
) -> None:
    """In the log of a daemon that nobody watches."""
    with Mount(account_there, tmp_path / "home", "--drain-timeout", "8") as mount:
        mount.run("ls", mount.path)
        server.stop()
        (mount.path / "a").write_bytes(b"content")

        os.kill(mount.daemon_pid, signal.SIGTERM)

        wait_until(lambda: not mount.is_served)
        lines = [line for line in mount.log().splitlines() if "uploading: 1 files with 7 bytes" in line]
        assert len(lines) == 1
