"""truncate(), ftruncate(): a file is made as long as this."""

from __future__ import annotations

import os
from errno import EACCES, EBADF, EFBIG, EINVAL, EISDIR, ENOENT
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, opened
from tests.mounted.chapters.explained import QUOTA_COMES_FIRST, SAME_SIZE_CHANGES_NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

SIZES = [0, 1, 7, 8, 4095, 4096, 4097, 131_072, 200_001]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("before", [0, 7, 5000, 131_073])
def test_what_is_beyond_is_cut_off_and_what_is_added_reads_as_zeros(here: Path, before: int, size: int) -> None:
    content = bytes(number % 251 for number in range(before))
    creat(here / "file", content)

    os.truncate(here / "file", size)

    assert os.stat(here / "file").st_size == size
    assert (here / "file").read_bytes() == content[:size] + bytes(max(0, size - before))


@pytest.mark.parametrize("size", SIZES)
def test_by_a_descriptor(here: Path, size: int) -> None:
    creat(here / "file", b"x" * 5000)

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.ftruncate(descriptor, size)

        assert os.fstat(descriptor).st_size == size
        assert os.pread(descriptor, 300_000, 0) == b"x" * min(5000, size) + bytes(max(0, size - 5000))


def test_what_was_cut_off_does_not_come_back(here: Path) -> None:
    creat(here / "file", b"secret and more")

    os.truncate(here / "file", 2)
    os.truncate(here / "file", 15)

    assert (here / "file").read_bytes() == b"se" + bytes(13)


def test_the_offset_of_a_descriptor_stays(here: Path) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.lseek(descriptor, 5, os.SEEK_SET)
        os.ftruncate(descriptor, 2)
        os.write(descriptor, b"x")

        assert os.pread(descriptor, 10, 0) == b"co\0\0\0x"


def test_all_who_have_it_open_see_it(here: Path) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", os.O_RDONLY) as reader:
        assert os.pread(reader, 10, 0) == b"content"
        os.truncate(here / "file", 3)

        assert os.pread(reader, 10, 0) == b"con"
        assert os.fstat(reader).st_size == 3


@pytest.mark.parametrize("size", [0, pytest.param(7, marks=SAME_SIZE_CHANGES_NOTHING), 9])
def test_the_file_is_modified_by_it(here: Path, size: int) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(10**18, 10**18))

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.ftruncate(descriptor, size)

    assert os.stat(here / "file").st_mtime_ns > 10**18


def test_a_hole_of_a_gibibyte_costs_nothing(here: Path) -> None:
    creat(here / "file")

    os.truncate(here / "file", 1 << 30)

    with opened(here / "file", os.O_RDONLY) as descriptor:
        assert os.fstat(descriptor).st_size == 1 << 30
        assert os.pread(descriptor, 10, (1 << 30) - 5) == bytes(5)
    os.unlink(here / "file")


def test_einval_for_a_negative_length(here: Path) -> None:
    creat(here / "file", b"content")

    with fails(EINVAL):
        os.truncate(here / "file", -1)

    assert (here / "file").read_bytes() == b"content"


@QUOTA_COMES_FIRST
def test_efbig_for_a_length_that_no_file_has(here: Path) -> None:
    creat(here / "file", b"content")

    with fails(EFBIG):
        os.truncate(here / "file", (1 << 63) - 1)

    assert (here / "file").read_bytes() == b"content"


def test_einval_by_a_descriptor_for_reading(here: Path) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", os.O_RDONLY) as descriptor, fails(EINVAL, EBADF):
        os.ftruncate(descriptor, 0)

    assert (here / "file").read_bytes() == b"content"


def test_eisdir_for_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")

    with fails(EISDIR):
        os.truncate(here / "folder", 0)


def test_enoent_where_there_is_none(here: Path) -> None:
    with fails(ENOENT):
        os.truncate(here / "absent", 0)


@pytest.mark.parametrize("mode", [0o444, 0o555, 0o000], ids=oct)
def test_eacces_for_whom_the_mode_keeps_from_writing(here: Path, nobody: Person, mode: int) -> None:
    creat(here / "file", b"content")
    os.chown(here / "file", nobody.user, nobody.user)
    os.chmod(here / "file", mode)

    with fails(EACCES):
        nobody(os.truncate, here / "file", 0)

    assert (here / "file").read_bytes() == b"content"


def test_whoever_may_write_may(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content")
    os.chmod(here / "file", 0o622)

    nobody(os.truncate, here / "file", 3)

    assert (here / "file").read_bytes() == b"con"


def test_the_bits_for_set_id_are_taken_when_somebody_else_cuts_a_program(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content")
    os.chmod(here / "file", 0o6777)

    nobody(os.truncate, here / "file", 3)

    assert os.stat(here / "file").st_mode & 0o7777 == 0o777
