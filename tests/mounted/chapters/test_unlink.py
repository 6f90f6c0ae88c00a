"""unlink(): a name is removed, and the file with its last one and last descriptor."""

from __future__ import annotations

import os
from errno import EACCES, EISDIR, ENOENT, EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, opened
from tests.mounted.chapters.explained import NO_HARD_LINKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


@pytest.mark.parametrize("mode", [0o644, 0o000], ids=oct)
def test_the_name_is_gone(here: Path, mode: int) -> None:
    creat(here / "file", b"content", mode)

    os.unlink(here / "file")

    assert os.listdir(here) == []
    with fails(ENOENT):
        os.stat(here / "file")
    with fails(ENOENT):
        os.unlink(here / "file")


def test_by_the_descriptor_of_the_folder(here: Path) -> None:
    creat(here / "file")

    with opened(here, os.O_RDONLY | os.O_DIRECTORY) as folder:
        os.unlink("file", dir_fd=folder)

    assert os.listdir(here) == []


def test_the_folder_is_changed_by_it(here: Path) -> None:
    creat(here / "file")
    os.utime(here, ns=(10**18, 10**18))

    os.unlink(here / "file")

    assert os.stat(here).st_mtime_ns > 10**18


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
def test_who_has_it_open_goes_on_reading(here: Path, flags: int) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", flags) as descriptor:
        os.unlink(here / "file")

        assert os.read(descriptor, 100) == b"content"
        assert os.fstat(descriptor).st_size == 7


def test_who_has_it_open_goes_on_writing(here: Path) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.unlink(here / "file")
        os.pwrite(descriptor, b" and more", 7)
        os.ftruncate(descriptor, 11)

        assert os.pread(descriptor, 100, 0) == b"content and"
    assert os.listdir(here) == []


def test_it_has_no_name_any_more(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        os.unlink(here / "file")

        assert os.fstat(descriptor).st_nlink == 0


def test_a_new_file_by_the_name_is_another(here: Path) -> None:
    creat(here / "file", b"first")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        os.unlink(here / "file")
        creat(here / "file", b"second")

        assert os.read(descriptor, 100) == b"first"
        assert os.fstat(descriptor).st_ino != os.stat(here / "file").st_ino
    assert (here / "file").read_bytes() == b"second"


def test_a_file_that_is_made_open_and_unlinked_holds_what_is_written(here: Path) -> None:
    with opened(here / "file", os.O_RDWR | os.O_CREAT | os.O_EXCL) as descriptor:
        os.unlink(here / "file")
        os.write(descriptor, b"x" * 300_000)

        assert os.fstat(descriptor).st_size == 300_000
        assert os.pread(descriptor, 300_000, 0) == b"x" * 300_000


@NO_HARD_LINKS
def test_the_other_name_stays(here: Path) -> None:
    creat(here / "one", b"content")
    os.link(here / "one", here / "other")

    os.unlink(here / "one")

    assert (here / "other").read_bytes() == b"content"


def test_of_a_link_the_link_goes(here: Path) -> None:
    creat(here / "file", b"content")
    os.symlink("file", here / "link")

    os.unlink(here / "link")

    assert os.listdir(here) == ["file"]


def test_eisdir_for_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")

    with fails(EISDIR, EPERM):
        os.unlink(here / "folder")

    assert os.listdir(here) == ["folder"]


def test_enoent_where_there_is_none(here: Path) -> None:
    with fails(ENOENT):
        os.unlink(here / "absent")


def test_eacces_where_the_user_may_not_write_the_folder(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chown(here / "file", nobody.user, nobody.user)

    with fails(EACCES):
        nobody(os.unlink, here / "file")


def test_eacces_where_the_user_may_not_search_the_folder(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chown(here, nobody.user, nobody.user)
    os.chmod(here, 0o666)

    with fails(EACCES):
        nobody(os.unlink, here / "file")


def test_whoever_may_write_the_folder_may_whatever_the_file_says(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content", 0o000)
    os.chmod(here, 0o777)

    nobody(os.unlink, here / "file")

    assert os.listdir(here) == []


def test_eperm_in_a_sticky_folder_for_what_is_somebody_elses(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chmod(here, 0o1777)

    with fails(EPERM):
        nobody(os.unlink, here / "file")


@pytest.mark.parametrize("owned", ["the file", "the folder"])
def test_whom_the_file_or_the_sticky_folder_belongs_to_may(here: Path, nobody: Person, owned: str) -> None:
    creat(here / "file")
    os.chmod(here, 0o1777)
    os.chown(here / "file" if owned == "the file" else here, nobody.user, nobody.user)

    nobody(os.unlink, here / "file")

    assert os.listdir(here) == []
