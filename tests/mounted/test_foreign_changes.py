"""What another client does to the account is seen here: after the TTL, whole, and not mixed with what was there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, tree_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TTL_S = 1


@pytest.fixture(scope="module")
def mount(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A mount that asks again after a second."""
    options = ("--metadata-ttl", str(TTL_S), "--negative-ttl", str(TTL_S))
    with Mount(account, tmp_path_factory.mktemp("home"), *options) as mount:
        yield mount


def test_a_file_that_another_client_made_appears(mount: Mount, account: Account, folder: Path) -> None:
    """Also under a name that was looked for before and was not there."""
    asked_before = (folder / "new").exists()

    account.put(mount.address(folder / "new"), b"from elsewhere")

    wait_until((folder / "new").exists)
    assert not asked_before
    assert tree_of(folder) == {"new": checksum(b"from elsewhere")}


def test_a_file_that_another_client_deleted_disappears(mount: Mount, account: Account, folder: Path) -> None:
    """From the listing and by its name."""
    account.put(mount.address(folder / "old"), b"gone soon")
    assert tree_of(folder) == {"old": checksum(b"gone soon")}

    account.delete(mount.address(folder / "old"))

    wait_until(lambda: not (folder / "old").exists())
    wait_until(lambda: not list(folder.iterdir()))


def test_a_folder_that_another_client_deleted_disappears_with_all_in_it(
    mount: Mount, account: Account, folder: Path
) -> None:
    """What was seen below it does not linger."""
    account.make_folder(mount.address(folder / "gone"))
    account.put(mount.address(folder / "gone/file"), b"inside")
    assert (folder / "gone/file").read_bytes() == b"inside"

    account.delete(mount.address(folder / "gone"))

    wait_until(lambda: not (folder / "gone").exists())
    wait_until(lambda: not (folder / "gone/file").exists())


@pytest.mark.parametrize("after", [b"new content of another size", b"OLD"], ids=["another size", "the same size"])
def test_new_content_is_read_and_no_page_of_the_old(mount: Mount, account: Account, folder: Path, after: bytes) -> None:
    """The kernel drops what it has cached of a version before the next one is read."""
    account.put(mount.address(folder / "file"), b"old")
    assert (folder / "file").read_bytes() == b"old"

    account.put(mount.address(folder / "file"), after)

    assert eventually((folder / "file").read_bytes, after) == after
    assert (folder / "file").stat().st_size == len(after)


def test_new_content_with_the_old_time_is_read(mount: Mount, account: Account, folder: Path) -> None:
    """The version tells, not the time: a restored backup has the size and the date of what it replaces."""
    account.put(mount.address(folder / "file"), b"first", modified="2012-10-22T21:26:47.700Z")
    assert (folder / "file").read_bytes() == b"first"

    account.put(mount.address(folder / "file"), b"other", modified="2012-10-22T21:26:47.700Z")

    assert eventually((folder / "file").read_bytes, b"other") == b"other"


def test_an_open_file_is_read_in_one_version_to_its_end(mount: Mount, account: Account, folder: Path) -> None:
    """Never half of the old and half of the new, though the first half was read before the change."""
    old, new = os.urandom(3 << 20), os.urandom(3 << 20)
    account.put(mount.address(folder / "file"), old)

    with (folder / "file").open("rb", buffering=0) as opened:
        head = os.pread(opened.fileno(), 1 << 20, 0)
        account.put(mount.address(folder / "file"), new)
        wait_until(lambda: checksum((folder / "file").read_bytes()) == checksum(new))
        tail = os.pread(opened.fileno(), 2 << 20, 1 << 20)

    assert checksum(head + tail) == checksum(old)


def test_a_change_on_both_sides_loses_neither(mount: Mount, account: Account, folder: Path) -> None:
    """Theirs keeps the name, ours stands beside it under one that says what happened."""
    account.put(mount.address(folder / "report.txt"), b"common")
    with (folder / "report.txt").open("r+b") as file:
        file.write(b"ours is the longer one")

        account.put(mount.address(folder / "report.txt"), b"theirs")

    wait_until(lambda: len(account.names(mount.address(folder))) == 2)
    assert account.content(mount.address(folder / "report.txt")) == b"theirs"
    (ours,) = account.names(mount.address(folder)) - {"report.txt"}
    assert ours.startswith("report (conflict ")
    assert ours.endswith(").txt")
    assert account.content(f"{mount.address(folder)}/{ours}") == b"ours is the longer one"
    both = account.tree(mount.address(folder))
    assert eventually(lambda: tree_of(folder), both) == both


def test_a_file_renamed_by_another_client_while_open_here_is_saved_where_it_went(
    mount: Mount, account: Account, folder: Path
) -> None:
    """A handle belongs to the object."""
    account.put(mount.address(folder / "before"), b"opened")
    with (folder / "before").open("r+b", buffering=0) as file:
        account.move(mount.address(folder / "before"), mount.address(folder / "after"))

        file.write(b"SAVED ")

    saved = {"after": checksum(b"SAVED ")}
    assert eventually(lambda: account.tree(mount.address(folder)), saved) == saved
