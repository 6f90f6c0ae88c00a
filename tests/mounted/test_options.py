"""What the options of `cxfs mount` do to a mount."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from tests.mounted.test_requests import OF_A_START, calls_of
from tests.mounting import Account, Mount, checksum, errno_of, eventually, tree_of, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounting import CountingServer


@pytest.fixture
def stocked_account(own_account: Account) -> Account:
    """An account with a file in a folder, and one beside it."""
    own_account.make_folder("/photos")
    own_account.put("/photos/october.jpg", b"picture")
    own_account.put("/diary.txt", b"private")
    return own_account


def test_a_read_only_mount_reads_and_refuses_every_change(stocked_account: Account, tmp_path: Path) -> None:
    """EROFS, before anything leaves this machine."""
    with Mount(stocked_account, tmp_path / "home", "-o", "ro") as mount:
        file = mount.path / "diary.txt"

        refused = {
            "write": errno_of(os.open, file, os.O_WRONLY),
            "create": errno_of(os.open, mount.path / "new", os.O_WRONLY | os.O_CREAT),
            "truncate": errno_of(os.truncate, file, 0),
            "unlink": errno_of(os.unlink, file),
            "mkdir": errno_of(os.mkdir, mount.path / "folder"),
            "rmdir": errno_of(os.rmdir, mount.path / "photos"),
            "rename": errno_of(os.rename, file, mount.path / "renamed"),
            "chmod": errno_of(os.chmod, file, 0o600),
            "utime": errno_of(os.utime, file, (0, 0)),
        }

        assert refused == dict.fromkeys(refused, "EROFS")
        assert file.read_bytes() == b"private"
        assert stocked_account.names() == {"photos", "diary.txt"}


@pytest.mark.promise
def test_root_mounts_one_folder_of_the_account(stocked_account: Account, tmp_path: Path) -> None:
    """`-o root=PATH` mounts one folder of the account."""
    with Mount(stocked_account, tmp_path / "home", "-o", "root=/photos") as mount:
        (mount.path / "november.jpg").write_bytes(b"another")
        (mount.path / "2012").mkdir()

        mount.unmount()

    assert stocked_account.tree() == {
        "diary.txt": checksum(b"private"),
        "photos": "folder",
        "photos/2012": "folder",
        "photos/november.jpg": checksum(b"another"),
        "photos/october.jpg": checksum(b"picture"),
    }


def test_uid_gid_and_umask_say_whose_everything_is(stocked_account: Account, tmp_path: Path) -> None:
    """CX has no owners and modes: the mount says what stat shows."""
    with Mount(stocked_account, tmp_path / "home", "-o", "uid=1234,gid=2345,umask=077") as mount:
        said = mount.run("stat", "--format=%a %u %g", mount.path / "photos", mount.path / "diary.txt")

        assert said.splitlines() == ["700 1234 2345", "600 1234 2345"]


def test_the_mount_is_named_in_the_table_of_mounts(own_mount: Mount) -> None:
    """Type `fuse.cxfs`, and as its source the profile: for scripts and for findmnt."""
    said = own_mount.run("findmnt", "--noheadings", "--output=FSTYPE,SOURCE", "--mountpoint", own_mount.path)

    assert said.split() == ["fuse.cxfs", "cxfs:test"]


def test_a_file_that_the_server_refuses_for_good_is_kept_here(
    running_server: CountingServer, own_account: Account, tmp_path: Path
) -> None:
    """Nothing that was accepted is dropped: it stays, readable, and says that it is parked; others are sent."""
    start = len(running_server.requests())
    with Mount(own_account, tmp_path / "home") as mount:
        wait_until(lambda: calls_of(running_server, start) >= OF_A_START)  # it knows the quota of before
        with administration.open_store(running_server.directory) as store:
            administration.set_quota(store, own_account.name, 1 << 20)

        (mount.path / "large").write_bytes(b"x" * (2 << 20))

        wait_until(lambda: os.getxattr(mount.path / "large", "user.cx.status") == b"parked")
        (mount.path / "small").write_bytes(b"fits")
        sent = {"small": checksum(b"fits")}
        assert eventually(own_account.tree, sent) == sent
        assert tree_of(mount.path) == sent | {"large": checksum(b"x" * (2 << 20))}
