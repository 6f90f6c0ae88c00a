"""mkdir(): a new folder."""

from __future__ import annotations

import os
import stat
from errno import EACCES, EEXIST, ENOENT
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, mode_of, opened
from tests.mounted.chapters.explained import NEW_BELONG_TO_THE_MOUNT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


def test_the_folder_is_there_and_empty(here: Path) -> None:
    os.mkdir(here / "folder")

    assert stat.S_ISDIR(os.lstat(here / "folder").st_mode)
    assert os.listdir(here / "folder") == []
    assert os.listdir(here) == ["folder"]


@pytest.mark.parametrize("mode", [0o700, 0o711, 0o755, 0o770, 0o777, 0o1777], ids=oct)
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_it_has_the_mode_that_the_umask_leaves(here: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        os.mkdir(here / "folder", mode)
    finally:
        os.umask(before)

    assert mode_of(here / "folder") == mode & ~umask


def test_folders_stand_in_folders(here: Path) -> None:
    os.makedirs(here / "1/2/3/4/5/6/7/8")

    assert os.listdir(here / "1/2/3/4/5/6/7") == ["8"]


def test_by_the_descriptor_of_the_folder_above(here: Path) -> None:
    with opened(here, os.O_RDONLY | os.O_DIRECTORY) as above:
        os.mkdir("folder", dir_fd=above)

    assert os.listdir(here) == ["folder"]


def test_the_folder_above_is_changed_by_it(here: Path) -> None:
    os.utime(here, ns=(10**18, 10**18))

    os.mkdir(here / "folder")

    assert os.stat(here).st_mtime_ns > 10**18


@pytest.mark.parametrize("taken", ["a file", "a folder", "a full folder"])
def test_eexist_where_the_name_is_taken(here: Path, taken: str) -> None:
    if taken == "a file":
        creat(here / "name", b"content")
    else:
        os.mkdir(here / "name")
    if taken == "a full folder":
        creat(here / "name" / "file")

    with fails(EEXIST):
        os.mkdir(here / "name")


@pytest.mark.parametrize("target", ["absent", "."])
def test_eexist_where_a_link_has_the_name_wherever_it_leads(here: Path, target: str) -> None:
    os.symlink(target, here / "link")

    with fails(EEXIST):
        os.mkdir(here / "link")


@pytest.mark.parametrize("name", [".", "..", "folder/.", "folder/.."])
def test_eexist_for_dots(here: Path, name: str) -> None:
    os.mkdir(here / "folder")

    with fails(EEXIST):
        os.mkdir(f"{here}/{name}")


def test_enoent_in_a_folder_that_is_removed(here: Path) -> None:
    os.mkdir(here / "folder")

    with opened(here / "folder", os.O_RDONLY | os.O_DIRECTORY) as removed:
        os.rmdir(here / "folder")
        with fails(ENOENT):
            os.mkdir("new", dir_fd=removed)


@pytest.mark.parametrize("mode", [0o555, 0o666, 0o444], ids=oct)
def test_eacces_in_a_folder_that_the_user_may_not_write_or_search(here: Path, nobody: Person, mode: int) -> None:
    os.chown(here, nobody.user, nobody.user)
    os.chmod(here, mode)

    with fails(EACCES):
        nobody(os.mkdir, here / "folder")

    assert os.listdir(here) == []


def test_eacces_in_a_folder_that_belongs_to_somebody_else(here: Path, nobody: Person) -> None:
    with fails(EACCES):
        nobody(os.mkdir, here / "folder")


def test_whoever_may_write_the_folder_may(here: Path, nobody: Person) -> None:
    os.chmod(here, 0o777)

    nobody(os.mkdir, here / "folder")

    assert os.listdir(here) == ["folder"]


@NEW_BELONG_TO_THE_MOUNT
def test_it_belongs_to_who_made_it(here: Path, nobody: Person) -> None:
    os.chmod(here, 0o777)

    nobody(os.mkdir, here / "folder")

    assert (os.stat(here / "folder").st_uid, os.stat(here / "folder").st_gid) == (nobody.user, nobody.user)


def test_the_superuser_may_whatever_the_mode_says(here: Path) -> None:
    os.chmod(here, 0o000)

    os.mkdir(here / "folder")

    assert os.listdir(here) == ["folder"]
