"""The lock that says which daemon serves which mount point."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxfs import mounts
from cxfs.mounts import AlreadyMounted, Leftovers, MountRecord, hold_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNTPOINT = Path("/mnt/cx")

HOLDER = """
import sys
from pathlib import Path
from cxfs.mounts import hold_lock

with hold_lock(Path(sys.argv[1]), Path("/mnt/cx")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state_folder(tmp_path: Path) -> Path:
    return tmp_path / "states" / "work"


@pytest.fixture
def other_daemon(state_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its stdin closes."""
    command = [sys.executable, "-c", HOLDER, str(state_folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def never() -> None:
    """For a wait that must not have to wait."""
    raise AssertionError


def test_a_daemon_says_who_it_is_and_what_it_serves(state_folder: Path) -> None:
    """`cxfs umount` and the message of a second mount need both."""
    with hold_lock(state_folder, MOUNTPOINT):
        assert mounts.read_record(state_folder) == MountRecord(os.getpid(), MOUNTPOINT)


def test_the_state_folder_is_made_for_its_owner_alone(state_folder: Path) -> None:
    """Drafts are private files."""
    with hold_lock(state_folder, MOUNTPOINT):
        assert state_folder.stat().st_mode & 0o777 == 0o700


def test_one_daemon_a_profile(state_folder: Path, other_daemon: subprocess.Popen[str]) -> None:
    """Two would send the same journal; the message says where the first one is."""
    with (
        pytest.raises(AlreadyMounted, match=rf"at /mnt/cx \(process {other_daemon.pid}\)"),
        hold_lock(state_folder, Path("/mnt/another")),
    ):
        pass


def test_the_lock_is_gone_with_a_killed_daemon(state_folder: Path, other_daemon: subprocess.Popen[str]) -> None:
    """No stale lock ever needs to be removed by hand."""
    other_daemon.kill()
    other_daemon.wait()

    with hold_lock(state_folder, Path("/mnt/another")):
        assert mounts.read_record(state_folder) == MountRecord(os.getpid(), Path("/mnt/another"))


def test_a_glance_at_the_lock_does_not_stop_a_new_daemon(state_folder: Path) -> None:
    """Looking takes it for an instant, so a daemon that finds it taken looks again."""
    with hold_lock(state_folder, MOUNTPOINT):
        pass
    assert not mounts.is_held(state_folder)

    with hold_lock(state_folder, MOUNTPOINT):
        assert mounts.is_held(state_folder)


def test_the_state_folder_of_a_mount_point_is_found(state_folder: Path, other_daemon: subprocess.Popen[str]) -> None:
    """A person names the mount point, not the profile."""
    assert mounts.state_folder_serving(MOUNTPOINT, state_folder.parent) == state_folder
    assert mounts.state_folder_serving(Path("/mnt/another"), state_folder.parent) is None


def test_an_ended_daemon_serves_nothing(state_folder: Path) -> None:
    """Its record stays, its lock does not."""
    with hold_lock(state_folder, MOUNTPOINT):
        pass

    assert mounts.state_folder_serving(MOUNTPOINT, state_folder.parent) is None


def test_a_daemon_leaves_word_of_what_it_could_not_upload(state_folder: Path) -> None:
    """It is read after the end, by whoever waited for it."""
    left = Leftovers.of(["a", "b\n", "c" * 600], parked=1)

    with hold_lock(state_folder, MOUNTPOINT) as lock:
        lock.note_left(left)

    assert mounts.read_record(state_folder) == MountRecord(os.getpid(), MOUNTPOINT, left=left)
    assert str(left) == f"3 uploads are left, 1 of them parked (a, b?, …{'c' * 500})"


def test_of_many_that_are_left_some_are_named() -> None:
    """A line that nobody can read tells nothing."""
    left = Leftovers.of([f"file-{number}" for number in range(1000)], parked=0)

    assert str(left).startswith("1000 uploads are left (file-0, file-1, ")
    assert str(left).endswith("file-9 and 990 more)")


def test_a_daemon_that_only_uploads_any_more_says_so(state_folder: Path) -> None:
    """The next mount has to wait for it, and its person should know for what."""
    with hold_lock(state_folder, MOUNTPOINT) as lock:
        lock.note_draining()

        with pytest.raises(AlreadyMounted, match="still uploads"), hold_lock(state_folder, MOUNTPOINT):
            pass


def test_a_daemon_says_where_it_can_be_asked(state_folder: Path) -> None:
    """A command may have other surroundings than the daemon had."""
    with hold_lock(state_folder, MOUNTPOINT, root="/Pictures") as lock:
        lock.note_control(Path("/run/cxfs/x.sock"))

        record = mounts.running(state_folder.parent)[state_folder]

    assert record == MountRecord(os.getpid(), MOUNTPOINT, root="/Pictures", control=Path("/run/cxfs/x.sock"))
    assert mounts.running(state_folder.parent) == {}
    assert mounts.known(state_folder.parent) == {state_folder: record}


@contextmanager
def no_room_in_files() -> Iterator[None]:
    """No write of this process finds room, as on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_full_disk_stops_no_daemon_that_has_more_to_say(state_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It would send nothing any more, for a word to whoever asks. What it has said before stands."""
    with hold_lock(state_folder, MOUNTPOINT) as lock:
        with no_room_in_files():
            lock.note_draining()

        assert mounts.read_record(state_folder) == MountRecord(os.getpid(), MOUNTPOINT)
        lock.note_left(Leftovers())

    assert mounts.read_record(state_folder) == MountRecord(os.getpid(), MOUNTPOINT, draining=True, left=Leftovers())
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"pid": 1}',
        b'{"pid": "x", "mountpoint": "/"}',
        b'{"pid": Infinity, "mountpoint": "/"}',
        b"[" * 10_000,
        b"\xff\xfe",
    ],
    ids=["empty", "half", "a list", "no place", "no number", "no end of a number", "a nest", "no text"],
)
def test_an_unreadable_record_is_no_record(state_folder: Path, content: bytes) -> None:
    """A daemon that was killed while it wrote must not break the next command."""
    state_folder.mkdir(parents=True)
    (state_folder / mounts.LOCK_FILE).write_bytes(content)

    assert mounts.read_record(state_folder) is None


def test_waiting_ends_with_the_daemon(state_folder: Path, other_daemon: subprocess.Popen[str]) -> None:
    """The first wait lets it go."""
    assert mounts.wait_until_released(state_folder, deadline_s=20, on_wait=other_daemon.kill)


def test_waiting_ends_at_its_deadline(state_folder: Path, other_daemon: subprocess.Popen[str]) -> None:
    """A daemon that hangs must not take the terminal with it."""
    assert not mounts.wait_until_released(state_folder, deadline_s=0, on_wait=never)


def test_nothing_is_waited_for_where_nobody_runs(state_folder: Path) -> None:
    """No folder, no daemon."""
    assert mounts.wait_until_released(state_folder, deadline_s=20, on_wait=never)
