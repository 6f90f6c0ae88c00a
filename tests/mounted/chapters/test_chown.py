"""chown(), fchown(), lchown(): owner and group of a file or folder."""

from __future__ import annotations

import os
from errno import EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, mode_of, opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


def owner_of(path: Path) -> tuple[int, int]:
    """User and group."""
    found = os.lstat(path)
    return found.st_uid, found.st_gid


@pytest.mark.parametrize(
    ("wanted", "expected"), [((11, 12), (11, 12)), ((11, -1), (11, 0)), ((-1, 12), (0, 12)), ((-1, -1), (0, 0))]
)
def test_what_is_not_minus_one_is_set_on_a_file(here: Path, wanted: tuple[int, int], expected: tuple[int, int]) -> None:
    creat(here / "file")

    os.chown(here / "file", *wanted)

    assert owner_of(here / "file") == expected


@pytest.mark.parametrize(("wanted", "expected"), [((11, 12), (11, 12)), ((11, -1), (11, 0)), ((-1, 12), (0, 12))])
def test_what_is_not_minus_one_is_set_on_a_folder(
    here: Path, wanted: tuple[int, int], expected: tuple[int, int]
) -> None:
    os.mkdir(here / "folder")

    os.chown(here / "folder", *wanted)

    assert owner_of(here / "folder") == expected


def test_by_a_descriptor(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        os.fchown(descriptor, 11, 12)

    assert owner_of(here / "file") == (11, 12)


def test_without_following_a_link_where_there_is_none(here: Path) -> None:
    creat(here / "file")

    os.lchown(here / "file", 11, 12)

    assert owner_of(here / "file") == (11, 12)


def test_owner_and_group_are_kept_by_a_rename(here: Path) -> None:
    creat(here / "file", b"content")
    os.chown(here / "file", 11, 12)

    os.rename(here / "file", here / "renamed")

    assert owner_of(here / "renamed") == (11, 12)


def test_the_bits_for_set_id_are_taken_from_a_program(here: Path) -> None:
    creat(here / "file")
    os.chmod(here / "file", 0o6755)

    os.chown(here / "file", 11, 12)

    assert mode_of(here / "file") == 0o755


def test_the_bits_for_set_id_stay_with_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")
    os.chmod(here / "folder", 0o2755)

    os.chown(here / "folder", 11, 12)

    assert mode_of(here / "folder") == 0o2755


def test_eperm_for_whom_the_file_does_not_belong_to(here: Path, nobody: Person) -> None:
    creat(here / "file")

    with fails(EPERM):
        nobody(os.chown, here / "file", nobody.user, nobody.user)

    assert owner_of(here / "file") == (0, 0)


def test_eperm_for_an_owner_who_would_give_it_away(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chown(here / "file", nobody.user, nobody.user)

    with fails(EPERM):
        nobody(os.chown, here / "file", 0, -1)
    with fails(EPERM):
        nobody(os.chown, here / "file", -1, 0)

    assert owner_of(here / "file") == (nobody.user, nobody.user)


def test_an_owner_may_set_what_is_set(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chown(here / "file", nobody.user, nobody.user)

    nobody(os.chown, here / "file", nobody.user, nobody.user)

    assert owner_of(here / "file") == (nobody.user, nobody.user)


def test_who_owns_a_file_may_read_it(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content", 0o600)

    os.chown(here / "file", nobody.user, nobody.user)

    assert nobody(os.access, here / "file", os.R_OK | os.W_OK)
