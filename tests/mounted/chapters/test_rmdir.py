"""rmdir(): an empty folder is removed."""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, ENOENT, ENOTDIR, ENOTEMPTY, EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


def test_the_folder_is_gone(here: Path) -> None:
    os.mkdir(here / "folder")

    os.rmdir(here / "folder")

    assert os.listdir(here) == []
    with fails(ENOENT):
        os.stat(here / "folder")


def test_its_name_is_free_for_a_file(here: Path) -> None:
    os.mkdir(here / "name")

    os.rmdir(here / "name")
    creat(here / "name", b"content")

    assert (here / "name").read_bytes() == b"content"


def test_the_folder_above_is_changed_by_it(here: Path) -> None:
    os.mkdir(here / "folder")
    os.utime(here, ns=(10**18, 10**18))

    os.rmdir(here / "folder")

    assert os.stat(here).st_mtime_ns > 10**18


def test_by_the_descriptor_of_the_folder_above(here: Path) -> None:
    os.mkdir(here / "folder")

    with opened(here, os.O_RDONLY | os.O_DIRECTORY) as above:
        os.rmdir("folder", dir_fd=above)

    assert os.listdir(here) == []


def test_who_has_it_open_finds_nothing_in_it_any_more(here: Path) -> None:
    os.mkdir(here / "folder")

    with opened(here / "folder", os.O_RDONLY | os.O_DIRECTORY) as removed:
        os.rmdir(here / "folder")

        assert os.listdir(removed) == []
        with fails(ENOENT):
            os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=removed)
        with fails(ENOENT):
            os.stat("new", dir_fd=removed)


@pytest.mark.parametrize("content", ["a file", "a folder", "a hidden file"])
def test_enotempty_while_something_is_in_it(here: Path, content: str) -> None:
    os.mkdir(here / "folder")
    if content == "a folder":
        os.mkdir(here / "folder" / "below")
    else:
        creat(here / "folder" / (".hidden" if content == "a hidden file" else "file"))

    with fails(ENOTEMPTY):
        os.rmdir(here / "folder")

    assert os.listdir(here) == ["folder"]


def test_it_goes_when_what_was_in_it_is_gone(here: Path) -> None:
    os.makedirs(here / "folder/below")
    creat(here / "folder" / "file")

    os.unlink(here / "folder" / "file")
    os.rmdir(here / "folder" / "below")
    os.rmdir(here / "folder")

    assert os.listdir(here) == []


def test_enotdir_for_a_file(here: Path) -> None:
    creat(here / "file")

    with fails(ENOTDIR):
        os.rmdir(here / "file")

    assert os.listdir(here) == ["file"]


def test_enotdir_for_a_link_to_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")
    os.symlink("folder", here / "link")

    with fails(ENOTDIR):
        os.rmdir(here / "link")


def test_einval_for_the_dot(here: Path) -> None:
    os.mkdir(here / "folder")

    with fails(EINVAL):
        os.rmdir(f"{here}/folder/.")


def test_eacces_where_the_user_may_not_write_the_folder_above(here: Path, nobody: Person) -> None:
    os.mkdir(here / "folder")
    os.chown(here / "folder", nobody.user, nobody.user)

    with fails(EACCES):
        nobody(os.rmdir, here / "folder")


def test_whoever_may_write_the_folder_above_may(here: Path, nobody: Person) -> None:
    os.mkdir(here / "folder")
    os.chmod(here, 0o777)

    nobody(os.rmdir, here / "folder")

    assert os.listdir(here) == []


def test_eperm_in_a_sticky_folder_for_what_is_somebody_elses(here: Path, nobody: Person) -> None:
    os.mkdir(here / "folder")
    os.chmod(here, 0o1777)

    with fails(EPERM):
        nobody(os.rmdir, here / "folder")


def test_ones_own_goes_from_a_sticky_folder(here: Path, nobody: Person) -> None:
    os.mkdir(here / "folder")
    os.chown(here / "folder", nobody.user, nobody.user)
    os.chmod(here, 0o1777)

    nobody(os.rmdir, here / "folder")

    assert os.listdir(here) == []
