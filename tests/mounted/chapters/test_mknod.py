"""mknod(): a file, pipe, socket or device."""

from __future__ import annotations

import os
import socket
import stat
from errno import EACCES, EEXIST, EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, mode_of
from tests.mounted.chapters.explained import NO_DEVICES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755], ids=oct)
def test_a_regular_file(here: Path, mode: int) -> None:
    os.mknod(here / "file", stat.S_IFREG | mode)

    assert stat.S_ISREG(os.stat(here / "file").st_mode)
    assert mode_of(here / "file") == mode
    assert (here / "file").read_bytes() == b""


@NO_DEVICES
@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK], ids=["pipe", "socket"])
def test_a_pipe_or_socket(here: Path, kind: int) -> None:
    os.mknod(here / "node", kind | 0o644)

    assert stat.S_IFMT(os.stat(here / "node").st_mode) == kind


@NO_DEVICES
@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK], ids=["character", "block"])
def test_a_device(here: Path, kind: int) -> None:
    os.mknod(here / "node", kind | 0o644, os.makedev(1, 3))

    assert os.stat(here / "node").st_rdev == os.makedev(1, 3)


@NO_DEVICES
def test_a_socket_is_bound_to_a_name(here: Path) -> None:
    os.chdir(here)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("socket")
            assert stat.S_ISSOCK(os.stat(here / "socket").st_mode)
    finally:
        os.chdir("/")


@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK], ids=["file", "pipe", "socket"])
def test_eexist_where_the_name_is_taken(here: Path, kind: int) -> None:
    creat(here / "name")

    with fails(EEXIST):
        os.mknod(here / "name", kind | 0o644)


def test_eperm_for_an_ordinary_user_who_wants_a_device(here: Path, nobody: Person) -> None:
    os.chmod(here, 0o777)

    with fails(EPERM):
        nobody(os.mknod, here / "node", stat.S_IFCHR | 0o644, os.makedev(1, 3))


def test_eacces_where_the_user_may_not_write_the_folder(here: Path, nobody: Person) -> None:
    with fails(EACCES):
        nobody(os.mknod, here / "file", stat.S_IFREG | 0o644)
