"""opendir(), readdir(): what is in a folder, while names come and go in it."""

from __future__ import annotations

import os
from errno import ENOENT, ENOTDIR
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("count", [0, 1, 2, 100, 1000])
def test_every_name_is_told_once(here: Path, count: int) -> None:
    names = [f"name-{number}" for number in range(count)]
    for name in names:
        os.mkdir(here / name)

    assert sorted(os.listdir(here)) == sorted(names)


def test_what_each_is_is_told_with_it(here: Path) -> None:
    creat(here / "file", b"content")
    os.mkdir(here / "folder")

    with os.scandir(here) as entries:
        found = {entry.name: (entry.is_file(), entry.is_dir(), entry.inode()) for entry in entries}

    assert found == {
        "file": (True, False, os.stat(here / "file").st_ino),
        "folder": (False, True, os.stat(here / "folder").st_ino),
    }


def test_what_stays_is_told_once_while_other_names_go(here: Path) -> None:
    for number in range(500):
        creat(here / f"{number}")

    told = []
    with os.scandir(here) as entries:
        for entry in entries:
            told.append(entry.name)
            if int(entry.name) % 2:
                os.unlink(here / entry.name)

    assert len(told) == len(set(told))
    assert {name for name in told if int(name) % 2 == 0} == {f"{number}" for number in range(0, 500, 2)}
    assert sorted(os.listdir(here)) == sorted(f"{number}" for number in range(0, 500, 2))


def test_what_stays_is_told_once_while_other_names_come(here: Path) -> None:
    for number in range(200):
        creat(here / f"{number}")

    told = []
    with os.scandir(here) as entries:
        for entry in entries:
            told.append(entry.name)
            if not entry.name.startswith("new"):
                creat(here / f"new-{entry.name}")

    assert len(told) == len(set(told))
    assert {name for name in told if not name.startswith("new")} == {f"{number}" for number in range(200)}


def test_everything_can_be_removed_while_it_is_told(here: Path) -> None:
    for number in range(300):
        creat(here / f"{number}")

    with os.scandir(here) as entries:
        for entry in entries:
            os.unlink(entry.path)

    assert os.listdir(here) == []


def test_by_a_descriptor_it_is_told_anew_each_time(here: Path) -> None:
    creat(here / "1")

    with opened(here, os.O_RDONLY | os.O_DIRECTORY) as folder:
        assert os.listdir(folder) == ["1"]
        creat(here / "2")
        assert sorted(os.listdir(folder)) == ["1", "2"]
        os.unlink(here / "1")
        assert os.listdir(folder) == ["2"]


def test_a_name_that_was_renamed_is_told_as_it_is_now(here: Path) -> None:
    creat(here / "old")
    assert os.listdir(here) == ["old"]

    os.rename(here / "old", here / "new")

    assert os.listdir(here) == ["new"]


def test_enotdir_for_a_file(here: Path) -> None:
    creat(here / "file")

    with fails(ENOTDIR):
        os.listdir(here / "file")


def test_enoent_for_what_is_absent(here: Path) -> None:
    with fails(ENOENT):
        os.listdir(here / "absent")
