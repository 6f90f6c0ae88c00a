"""What stays the same: inode numbers and times, over renames, uploads and remounts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, tree_of, wait_until, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG_AGO_NS = 1_350_941_207_700_000_000
"""2012-10-22T21:26:47.700Z"""


def is_synced(path: Path) -> Callable[[], bool]:
    """Whether the server has the file as it is here."""
    return lambda: os.getxattr(path, "user.cx.status") == b"synced"


def test_a_file_born_in_the_mount_keeps_its_inode_number_through_upload_and_remount(own_mount: Mount) -> None:
    """It had a number before the server gave it a UUID, and programs may have noted it."""
    file = own_mount.path / "born-here"
    file.write_bytes(b"mine")
    at_first = file.stat().st_ino

    wait_until(is_synced(file))
    after_upload = file.stat().st_ino
    own_mount.remount()

    assert [after_upload, file.stat().st_ino] == [at_first, at_first]


def test_a_file_born_at_the_server_keeps_its_inode_number_over_a_remount(own_account: Account, tmp_path: Path) -> None:
    """An object is its UUID."""
    own_account.put("/file", b"theirs")
    own_account.make_folder("/folder")
    with Mount(own_account, tmp_path / "home") as mount:
        before = [(mount.path / name).stat().st_ino for name in ("file", "folder")]

        mount.remount()

        assert [(mount.path / name).stat().st_ino for name in ("file", "folder")] == before


def test_a_rename_keeps_the_inode_number_of_a_file_and_of_what_is_in_a_folder(
    own_mount: Mount, own_account: Account
) -> None:
    """A new name is not a new file, whether or not the server knows it yet."""
    write_tree(own_mount.path, {"folder/inside": b"in", "file": b"out"})
    before = [(own_mount.path / name).stat().st_ino for name in ("folder", "folder/inside", "file")]

    (own_mount.path / "folder").rename(own_mount.path / "moved")
    (own_mount.path / "file").rename(own_mount.path / "moved/file")

    names = ("moved", "moved/inside", "moved/file")
    assert [(own_mount.path / name).stat().st_ino for name in names] == before
    own_mount.remount()
    assert [(own_mount.path / name).stat().st_ino for name in names] == before


def test_a_rename_by_another_client_keeps_the_inode_number(own_account: Account, tmp_path: Path) -> None:
    """Whoever renames: it is the same object."""
    own_account.put("/before", b"same")
    with Mount(own_account, tmp_path / "home", "--metadata-ttl", "1", "-o", "negative_ttl=0") as mount:
        number = (mount.path / "before").stat().st_ino

        own_account.move("/before", "/after")

        wait_until((mount.path / "after").exists)
        assert (mount.path / "after").stat().st_ino == number
        wait_until(lambda: not (mount.path / "before").exists())


def test_a_new_version_keeps_the_inode_number_and_the_uuid(own_account: Account, tmp_path: Path) -> None:
    """Overwriting changes the content, not the file."""
    uuid = own_account.put("/file", b"first")["id"]
    with Mount(own_account, tmp_path / "home") as mount:
        number = (mount.path / "file").stat().st_ino

        (mount.path / "file").write_bytes(b"second")

        wait_until(is_synced(mount.path / "file"))
        assert (mount.path / "file").stat().st_ino == number
        assert own_account.describe("/file")["id"] == uuid


def test_every_entry_has_a_number_of_its_own(own_mount: Mount) -> None:
    """Programs that copy trees take two entries of one number for two names of one file."""
    write_tree(own_mount.path, {f"folder-{n % 10}/file-{n}": b"" for n in range(200)})

    numbers = [path.stat().st_ino for path in own_mount.path.rglob("*")]

    assert len(set(numbers)) == len(numbers) == 210


@pytest.mark.parametrize("command", [["cp", "--preserve=timestamps"], ["rsync", "-t"], ["install", "-p"]])
def test_a_time_that_was_set_does_not_jump_when_the_upload_completes(
    own_mount: Mount, own_account: Account, tmp_path: Path, command: list[str]
) -> None:
    """Backup programs decide by it what has changed; it survives a remount."""
    (tmp_path / "source").write_bytes(b"dated")
    os.utime(tmp_path / "source", ns=(LONG_AGO_NS, LONG_AGO_NS))
    file = own_mount.path / "source"

    own_mount.run(*command, tmp_path / "source", file)

    at_first = file.stat().st_mtime_ns
    wait_until(is_synced(file))
    after_upload = file.stat().st_mtime_ns
    own_mount.remount()
    assert {at_first, after_upload, file.stat().st_mtime_ns} == {LONG_AGO_NS}
    assert own_account.describe("/source")["modified"] == "2012-10-22T21:26:47.700Z"


def test_touch_d_of_a_file_at_the_server_survives_a_remount(own_account: Account, tmp_path: Path) -> None:
    """Without an upload: only the time changes, content and UUID stay."""
    uuid = own_account.put("/file", b"unchanged")["id"]
    with Mount(own_account, tmp_path / "home") as mount:
        mount.run("touch", "-d", "2012-10-22 21:26:47.700", mount.path / "file", mount.path)

        at_once = (mount.path / "file").stat().st_mtime_ns
        mount.remount()

        assert [at_once, (mount.path / "file").stat().st_mtime_ns] == [LONG_AGO_NS, LONG_AGO_NS]
        assert tree_of(mount.path) == {"file": checksum(b"unchanged")}
        assert own_account.describe("/file")["id"] == uuid


def test_the_time_of_a_written_file_does_not_jump_when_the_upload_completes(own_mount: Mount) -> None:
    """Also the time that nobody set: make(1) and editors look at it again and again."""
    file = own_mount.path / "written"
    file.write_bytes(b"now")
    before = file.stat()

    wait_until(is_synced(file))

    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file.stat().st_ctime_ns == before.st_ctime_ns


def test_the_time_of_a_folder_is_kept_over_the_uploads_into_it(own_mount: Mount, tmp_path: Path) -> None:
    """`cp -a` sets it last of all, while what is inside still waits to be sent."""
    write_tree(tmp_path / "tree", {f"file-{number}": b"inside" for number in range(5)})
    os.utime(tmp_path / "tree", ns=(LONG_AGO_NS, LONG_AGO_NS))
    copied = own_mount.path / "tree"

    own_mount.run("cp", "-a", tmp_path / "tree", copied)

    at_first = copied.stat().st_mtime_ns
    for file in copied.iterdir():
        wait_until(is_synced(file))
    assert [at_first, copied.stat().st_mtime_ns] == [LONG_AGO_NS, LONG_AGO_NS]


def test_everything_that_was_written_is_the_same_after_a_remount(own_mount: Mount, own_account: Account) -> None:
    """Once `cxfs umount` has returned it is at the server, byte for byte, and the next mount shows it."""
    written = write_tree(own_mount.path, {f"f-{n % 7}/file-{n}": os.urandom(n * 3000) for n in range(40)})

    own_mount.unmount()

    assert own_account.tree() == written
    own_mount.start()
    assert tree_of(own_mount.path) == written


def test_what_this_mount_did_is_visible_in_it_at_once(own_mount: Mount) -> None:
    """No cache of its own hides a program's work from the next program."""
    seen = []
    for number in range(20):
        file = own_mount.path / f"file-{number}"
        file.write_bytes(b"x" * number)
        seen.append((file.name in own_mount.run("ls", own_mount.path).split(), file.stat().st_size))
        if number % 2:
            file.unlink()
            seen.append((file.exists(), number))

    expected = [[(True, n), (False, n)][: 1 + n % 2] for n in range(20)]
    assert seen == [pair for pairs in expected for pair in pairs]
    assert eventually(lambda: len(list(own_mount.path.iterdir())), 10) == 10
