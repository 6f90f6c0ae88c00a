"""link(): a further name for a file."""

from __future__ import annotations

import os
from errno import EEXIST, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from typing import TYPE_CHECKING

from tests.mounted.chapters.calls import creat, fails
from tests.mounted.chapters.explained import NO_HARD_LINKS

if TYPE_CHECKING:
    from pathlib import Path


@NO_HARD_LINKS
def test_both_names_are_of_one_file(here: Path) -> None:
    creat(here / "file", b"content")

    os.link(here / "file", here / "other")

    assert os.stat(here / "file").st_ino == os.stat(here / "other").st_ino
    assert os.stat(here / "file").st_nlink == 2


@NO_HARD_LINKS
def test_the_file_outlives_its_first_name(here: Path) -> None:
    creat(here / "file", b"content")

    os.link(here / "file", here / "other")
    os.unlink(here / "file")

    assert (here / "other").read_bytes() == b"content"


def test_eexist_where_the_new_name_is_taken(here: Path) -> None:
    creat(here / "file")
    creat(here / "other")

    with fails(EEXIST):
        os.link(here / "file", here / "other")


def test_enoent_where_the_file_is_absent(here: Path) -> None:
    with fails(ENOENT):
        os.link(here / "absent", here / "other")


def test_enoent_where_the_new_name_is_in_no_folder(here: Path) -> None:
    creat(here / "file")

    with fails(ENOENT):
        os.link(here / "file", here / "absent" / "other")


def test_enotdir_where_a_file_stands_on_the_way(here: Path) -> None:
    creat(here / "file")

    with fails(ENOTDIR):
        os.link(here / "file" / "below", here / "other")
    with fails(ENOTDIR):
        os.link(here / "file", here / "file" / "other")


def test_eperm_for_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")

    with fails(EPERM):
        os.link(here / "folder", here / "other")


def test_enametoolong_for_a_component_of_256_bytes(here: Path) -> None:
    creat(here / "file")

    with fails(ENAMETOOLONG):
        os.link(here / "file", here / ("n" * 256))


def test_a_refusal_leaves_no_name_behind(here: Path) -> None:
    creat(here / "file")
    creat(here / "other")

    with fails(EEXIST):
        os.link(here / "file", here / "other")

    assert sorted(os.listdir(here)) == ["file", "other"]
    assert os.stat(here / "file").st_nlink == 1
