"""chmod(), fchmod(): the permission bits of a file or folder."""

from __future__ import annotations

import os
from errno import EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, mode_of, opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

every_mode = pytest.mark.parametrize("mode", [0o000, 0o111, 0o222, 0o444, 0o600, 0o644, 0o700, 0o755, 0o777], ids=oct)


@every_mode
def test_a_file_has_the_mode_that_was_set(here: Path, mode: int) -> None:
    creat(here / "file")

    os.chmod(here / "file", mode)

    assert mode_of(here / "file") == mode


@every_mode
def test_a_folder_has_the_mode_that_was_set(here: Path, mode: int) -> None:
    os.mkdir(here / "folder")

    os.chmod(here / "folder", mode)

    assert mode_of(here / "folder") == mode


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1755, 0o7777], ids=oct)
def test_the_bits_for_set_id_and_sticky_are_kept(here: Path, mode: int) -> None:
    creat(here / "file")

    os.chmod(here / "file", mode)

    assert mode_of(here / "file") == mode


def test_by_a_descriptor_also_of_one_open_for_reading(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        os.fchmod(descriptor, 0o640)

    assert mode_of(here / "file") == 0o640


def test_by_a_descriptor_of_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")

    with opened(here / "folder", os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fchmod(descriptor, 0o750)

    assert mode_of(here / "folder") == 0o750


def test_by_a_descriptor_of_a_file_that_is_unlinked(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.unlink(here / "file")
        os.fchmod(descriptor, 0o600)

        assert os.fstat(descriptor).st_mode & 0o7777 == 0o600


def test_the_mode_is_kept_by_a_rename(here: Path) -> None:
    creat(here / "file", b"content")
    os.chmod(here / "file", 0o751)

    os.rename(here / "file", here / "renamed")

    assert mode_of(here / "renamed") == 0o751


def test_the_mode_is_kept_by_a_write(here: Path) -> None:
    creat(here / "file", b"content")
    os.chmod(here / "file", 0o751)

    (here / "file").write_bytes(b"more of it")

    assert mode_of(here / "file") == 0o751


def test_the_content_is_kept(here: Path) -> None:
    creat(here / "file", b"content")

    os.chmod(here / "file", 0o600)

    assert (here / "file").read_bytes() == b"content"
    assert os.stat(here / "file").st_size == 7


def test_the_modification_time_is_kept(here: Path) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(10**18, 10**18))

    os.chmod(here / "file", 0o600)

    assert os.stat(here / "file").st_mtime_ns == 10**18


def test_a_new_mode_counts_for_the_next_open_only(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content", 0o644)
    os.chown(here / "file", nobody.user, nobody.user)

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.chmod(here / "file", 0o000)

        assert os.read(descriptor, 10) == b"content"
        assert os.write(descriptor, b"more") == 4


def test_eperm_for_whom_the_file_does_not_belong_to(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chmod(here / "file", 0o666)

    with fails(EPERM):
        nobody(os.chmod, here / "file", 0o600)

    assert mode_of(here / "file") == 0o666


def test_the_owner_may(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chown(here / "file", nobody.user, nobody.user)

    nobody(os.chmod, here / "file", 0o600)

    assert mode_of(here / "file") == 0o600


def test_the_owner_may_of_a_folder(here: Path, nobody: Person) -> None:
    os.mkdir(here / "folder")
    os.chown(here / "folder", nobody.user, nobody.user)

    nobody(os.chmod, here / "folder", 0o700)

    assert mode_of(here / "folder") == 0o700


def test_an_owner_of_another_group_cannot_set_its_set_id_bit(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chown(here / "file", nobody.user, 0)

    nobody(os.chmod, here / "file", 0o2755)

    assert mode_of(here / "file") == 0o755
