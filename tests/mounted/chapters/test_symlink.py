"""symlink(), readlink(): a name that leads to another."""

from __future__ import annotations

import os
import stat
from errno import EACCES, EEXIST, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, open_close
from tests.mounted.chapters.explained import LONG_TARGETS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

TARGETS = [
    "file",
    "absent",
    "../elsewhere",
    "/dev/null",
    "a b\nc",
    "ä" * 512,
    pytest.param("t" * 4095, marks=LONG_TARGETS, id="of 4095 bytes"),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target[:20]!a}")
def test_a_link_says_where_it_leads_whatever_that_is(here: Path, target: str) -> None:
    os.symlink(target, here / "link")

    assert os.readlink(here / "link") == target
    assert stat.S_ISLNK(os.lstat(here / "link").st_mode)
    assert os.lstat(here / "link").st_size == len(target.encode())


def test_what_follows_a_link_comes_to_the_file(here: Path) -> None:
    creat(here / "file", b"content")
    os.symlink("file", here / "link")

    assert (here / "link").read_bytes() == b"content"
    assert os.stat(here / "link").st_ino == os.stat(here / "file").st_ino


def test_what_follows_a_link_comes_through_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")
    creat(here / "folder" / "file", b"content")
    os.symlink("folder", here / "link")

    assert (here / "link" / "file").read_bytes() == b"content"


def test_a_file_is_made_where_a_link_leads(here: Path) -> None:
    os.symlink("file", here / "link")

    (here / "link").write_bytes(b"content")

    assert (here / "file").read_bytes() == b"content"
    assert os.readlink(here / "link") == "file"


def test_enoent_where_a_link_leads_nowhere(here: Path) -> None:
    os.symlink("absent", here / "link")

    with fails(ENOENT):
        os.stat(here / "link")


def test_eloop_where_a_link_leads_to_itself(here: Path) -> None:
    os.symlink("link", here / "link")

    with fails(ELOOP):
        os.stat(here / "link")


def test_eexist_over_a_link(here: Path) -> None:
    os.symlink("absent", here / "link")

    with fails(EEXIST):
        os.symlink("target", here / "link")


def test_eloop_for_one_who_will_not_follow(here: Path) -> None:
    creat(here / "file")
    os.symlink("file", here / "link")

    with fails(ELOOP):
        open_close(here / "link", os.O_RDONLY | os.O_NOFOLLOW)


@pytest.mark.parametrize("taken", ["a file", "a folder"])
def test_eexist_where_the_name_is_taken(here: Path, taken: str) -> None:
    creat(here / "name") if taken == "a file" else os.mkdir(here / "name")

    with fails(EEXIST):
        os.symlink("target", here / "name")


def test_enametoolong_for_a_target_of_4096_bytes(here: Path) -> None:
    with fails(ENAMETOOLONG):
        os.symlink("t" * 4096, here / "link")

    assert os.listdir(here) == []


def test_enoent_for_an_empty_target(here: Path) -> None:
    with fails(ENOENT):
        os.symlink("", here / "link")


def test_einval_to_read_what_is_no_link(here: Path) -> None:
    creat(here / "file")
    os.mkdir(here / "folder")

    with fails(EINVAL):
        os.readlink(here / "file")
    with fails(EINVAL):
        os.readlink(here / "folder")


def test_eacces_where_the_user_may_not_write_the_folder(here: Path, nobody: Person) -> None:
    with fails(EACCES):
        nobody(os.symlink, "target", here / "link")


def test_a_link_elsewhere_leads_into_it(here: Path, tmp_path: Path) -> None:
    creat(here / "file", b"content")
    os.symlink(here, tmp_path / "link")

    assert (tmp_path / "link" / "file").read_bytes() == b"content"
    with fails(ENOTDIR):
        os.stat(tmp_path / "link" / "file" / "below")


def test_a_dangling_link_elsewhere_makes_a_file_in_it(here: Path, tmp_path: Path) -> None:
    os.symlink(here / "file", tmp_path / "link")

    (tmp_path / "link").write_bytes(b"content")

    assert (here / "file").read_bytes() == b"content"
