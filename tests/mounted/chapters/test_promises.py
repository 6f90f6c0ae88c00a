"""What a mount does otherwise than a local disk: the promises that explain it, and no case of a chapter."""

from __future__ import annotations

import os
import secrets
import socket
import stat
import tempfile
from errno import EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, fallocate, mode_of, opened
from tests.mounting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person
    from tests.mounting import Mount

LONG_AGO = 10**18


@pytest.fixture
def folder(shared_mount: Mount) -> Path:
    """An empty folder in the mount."""
    folder = shared_mount.path / secrets.token_hex(4)
    folder.mkdir()
    return folder


@pytest.mark.promise
def test_what_others_make_belongs_to_the_mount(folder: Path, nobody: Person) -> None:
    """What is made belongs to whom `uid=` and `gid=` name, whoever makes it."""
    folder.chmod(0o777)

    nobody(creat, folder / "file", b"content", 0o666)
    nobody(os.mkdir, folder / "folder")

    assert [(found.st_uid, found.st_gid) for found in (os.stat(path) for path in folder.iterdir())] == [(0, 0)] * 2
    assert mode_of(folder / "file") == 0o644


@pytest.mark.promise
def test_a_truncation_that_cuts_nothing_changes_nothing(folder: Path) -> None:
    """Truncating a file to the size that it has changes nothing, its time included."""
    creat(folder / "file", b"content")
    os.utime(folder / "file", ns=(LONG_AGO, LONG_AGO))
    wait_until(lambda: os.getxattr(folder / "file", "user.cx.status") == b"synced")

    os.truncate(folder / "file", 7)

    assert os.stat(folder / "file").st_mtime_ns == LONG_AGO
    assert os.getxattr(folder / "file", "user.cx.status") == b"synced"


@pytest.mark.promise
@pytest.mark.parametrize("what", ["file", "folder"])
def test_an_object_has_one_time(folder: Path, what: str) -> None:
    """CX keeps one time for an object: the times of access and change show that of modification."""
    creat(folder / "it") if what == "file" else os.mkdir(folder / "it")

    os.utime(folder / "it", ns=(1, LONG_AGO))

    found = os.stat(folder / "it")
    assert found.st_mtime_ns == found.st_atime_ns == found.st_ctime_ns == LONG_AGO


@pytest.mark.promise
@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK])
def test_there_are_files_and_folders_only(folder: Path, kind: int) -> None:
    """Named pipes, sockets and devices fail with EPERM: CX has files and folders."""
    with fails(EPERM):
        os.mknod(folder / "node", kind | 0o600, os.makedev(1, 3))

    assert list(folder.iterdir()) == []


def test_no_socket_is_bound_to_a_name(folder: Path) -> None:
    """As bind(2) says it."""
    with socket.socket(socket.AF_UNIX) as bound, fails(EPERM):
        bound.bind(str(folder / "s"))


@pytest.mark.promise
def test_a_file_without_a_name_is_refused_and_python_makes_one_with_a_name(folder: Path) -> None:
    """O_TMPFILE fails with EOPNOTSUPP, after which programs make a file with a name."""
    with fails(EOPNOTSUPP):
        os.open(folder, os.O_RDWR | os.O_TMPFILE)

    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"content")
        file.seek(0)
        assert file.read() == b"content"
    assert list(folder.iterdir()) == []


@pytest.mark.promise
def test_nothing_is_reserved_ahead(folder: Path) -> None:
    """fallocate fails with EOPNOTSUPP, after which posix_fallocate writes what it would have reserved."""
    with opened(folder / "file", os.O_RDWR | os.O_CREAT) as descriptor:
        with fails(EOPNOTSUPP):
            fallocate(descriptor, 0, 0, 5_000)
        os.posix_fallocate(descriptor, 0, 5_000)

    assert (folder / "file").read_bytes() == bytes(5_000)
