"""utimensat(), futimens(): the times of a file or folder."""

from __future__ import annotations

import os
import time
from errno import EACCES, EPERM
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import UTIME_NOW, UTIME_OMIT, creat, fails, opened, utimensat
from tests.mounted.chapters.explained import ONE_TIME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

SECOND = 10**9
LONG_AGO = 10**18


@pytest.mark.parametrize(
    "modified_ns",
    [
        0,
        1 * SECOND,
        LONG_AGO + 123 * 10**6,
        2**31 * SECOND,
        2**33 * SECOND,
        LONG_AGO + 123_456_789,
    ],
)
@pytest.mark.parametrize("what", ["file", "folder"])
def test_the_time_of_modification_is_what_was_set(here: Path, what: str, modified_ns: int) -> None:
    creat(here / "it") if what == "file" else os.mkdir(here / "it")

    os.utime(here / "it", ns=(LONG_AGO, modified_ns))

    assert os.stat(here / "it").st_mtime_ns == modified_ns


def test_a_time_before_the_epoch(here: Path) -> None:
    creat(here / "file")

    os.utime(here / "file", ns=(-5 * SECOND, -5 * SECOND))

    assert os.stat(here / "file").st_mtime_ns == -5 * SECOND


@ONE_TIME
def test_the_time_of_access_is_what_was_set(here: Path) -> None:
    creat(here / "file")

    os.utime(here / "file", ns=(LONG_AGO, 2 * LONG_AGO))

    assert os.stat(here / "file").st_atime_ns == LONG_AGO


@ONE_TIME
def test_the_time_of_change_is_now(here: Path) -> None:
    creat(here / "file")

    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    assert os.stat(here / "file").st_ctime_ns > LONG_AGO


def test_without_times_it_is_now(here: Path) -> None:
    creat(here / "file")
    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    os.utime(here / "file")

    assert abs(os.stat(here / "file").st_mtime - time.time()) < 60


def test_now_by_name(here: Path) -> None:
    creat(here / "file")
    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    utimensat(here / "file", accessed=UTIME_NOW, modified=UTIME_NOW)

    assert abs(os.stat(here / "file").st_mtime - time.time()) < 60


def test_what_is_omitted_stays(here: Path) -> None:
    creat(here / "file")
    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    utimensat(here / "file", accessed=UTIME_NOW, modified=UTIME_OMIT)

    assert os.stat(here / "file").st_mtime_ns == LONG_AGO


def test_both_omitted_succeeds_for_everybody(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    nobody(utimensat, here / "file", accessed=UTIME_OMIT, modified=UTIME_OMIT)

    assert os.stat(here / "file").st_mtime_ns == LONG_AGO


def test_by_a_descriptor_also_of_one_open_for_reading(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        os.utime(descriptor, ns=(LONG_AGO, LONG_AGO))

    assert os.stat(here / "file").st_mtime_ns == LONG_AGO


def test_it_is_not_moved_by_the_close_after_it(here: Path) -> None:
    with opened(here / "file", os.O_WRONLY | os.O_CREAT) as descriptor:
        os.write(descriptor, b"content")
        os.utime(descriptor, ns=(LONG_AGO, LONG_AGO))

    assert os.stat(here / "file").st_mtime_ns == LONG_AGO


def test_it_is_moved_by_a_write_after_it(here: Path) -> None:
    with opened(here / "file", os.O_WRONLY | os.O_CREAT) as descriptor:
        os.utime(descriptor, ns=(LONG_AGO, LONG_AGO))
        os.write(descriptor, b"content")

    assert os.stat(here / "file").st_mtime_ns > LONG_AGO


def test_it_is_not_moved_by_reading(here: Path) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    assert (here / "file").read_bytes() == b"content"

    assert os.stat(here / "file").st_mtime_ns == LONG_AGO


def test_of_a_link_itself(here: Path) -> None:
    creat(here / "file")
    before = os.stat(here / "file").st_mtime_ns
    os.symlink("file", here / "link")

    os.utime(here / "link", ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)

    assert os.lstat(here / "link").st_mtime_ns == LONG_AGO
    assert os.stat(here / "file").st_mtime_ns == before


def test_eperm_for_whom_the_file_does_not_belong_to(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chmod(here / "file", 0o666)

    with fails(EPERM):
        nobody(os.utime, here / "file", ns=(LONG_AGO, LONG_AGO))


def test_whoever_may_write_may_set_it_to_now(here: Path, nobody: Person) -> None:
    creat(here / "file")
    os.chmod(here / "file", 0o666)
    os.utime(here / "file", ns=(LONG_AGO, LONG_AGO))

    nobody(os.utime, here / "file")

    assert os.stat(here / "file").st_mtime_ns > LONG_AGO


def test_eacces_for_now_by_whom_may_not_write(here: Path, nobody: Person) -> None:
    creat(here / "file")

    with fails(EACCES):
        nobody(os.utime, here / "file")


def test_the_owner_may_whatever_the_mode_says(here: Path, nobody: Person) -> None:
    creat(here / "file", mode=0o400)
    os.chown(here / "file", nobody.user, nobody.user)

    nobody(os.utime, here / "file", ns=(LONG_AGO, LONG_AGO))

    assert os.stat(here / "file").st_mtime_ns == LONG_AGO
