"""read(), write(), lseek() and their kin: the bytes of an open file, and the offset that a descriptor has in it."""

from __future__ import annotations

import mmap
import os
from errno import EBADF, EINVAL, EISDIR, ENXIO, ESPIPE
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, fallocate, opened, write_into
from tests.mounted.chapters.explained import NOTHING_IS_RESERVED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
PUNCH = 1 | 2


# ---------------------------------------------------------------- the offset


def test_reading_and_writing_move_one_offset(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDWR) as descriptor:
        assert os.read(descriptor, 3) == b"012"
        assert os.write(descriptor, b"xy") == 2
        assert os.read(descriptor, 3) == b"567"

    assert (here / "file").read_bytes() == b"012xy56789"


def test_a_duplicate_shares_the_offset(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        other = os.dup(descriptor)
        os.read(descriptor, 4)
        assert os.read(other, 3) == b"456"
        os.close(other)
        assert os.read(descriptor, 3) == b"789"


def test_another_open_has_its_own_offset(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDONLY) as one, opened(here / "file", os.O_RDONLY) as other:
        os.read(one, 4)

        assert os.read(other, 3) == b"012"


def test_pread_and_pwrite_leave_it(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.pread(descriptor, 5, 5)
        os.pwrite(descriptor, b"x", 9)

        assert os.read(descriptor, 20) == b"012345678x"


@pytest.mark.parametrize(
    ("whence", "offset", "expected"),
    [(os.SEEK_SET, 4, 4), (os.SEEK_CUR, 2, 5), (os.SEEK_END, -1, 9), (os.SEEK_END, 5, 15)],
)
def test_lseek_goes_there(here: Path, whence: int, offset: int, expected: int) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        os.read(descriptor, 3)

        assert os.lseek(descriptor, offset, whence) == expected


@pytest.mark.parametrize(("whence", "offset"), [(os.SEEK_SET, -1), (os.SEEK_CUR, -1), (os.SEEK_END, -11), (99, 0)])
def test_einval_to_seek_before_the_file_or_in_a_way_there_is_not(here: Path, whence: int, offset: int) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDONLY) as descriptor, fails(EINVAL):
        os.lseek(descriptor, offset, whence)


def test_seek_data_and_seek_hole_find_the_end(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDONLY) as descriptor:
        assert os.lseek(descriptor, 3, os.SEEK_DATA) == 3
        assert os.lseek(descriptor, 3, os.SEEK_HOLE) == 10
        with fails(ENXIO):
            os.lseek(descriptor, 11, os.SEEK_DATA)


def test_espipe_to_seek_in_a_pipe_is_no_matter_of_the_file_system(here: Path) -> None:
    reader, writer = os.pipe()
    try:
        with fails(ESPIPE):
            os.lseek(reader, 0, os.SEEK_SET)
    finally:
        os.close(reader)
        os.close(writer)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("offset", [0, 1, 4095, 4096, 9_999, 10_000, 10_001, 1 << 40])
@pytest.mark.parametrize("count", [0, 1, 4096, 20_000])
def test_read_gives_what_there_is(here: Path, offset: int, count: int) -> None:
    content = bytes(number % 251 for number in range(10_000))
    creat(here / "file", content)

    with opened(here / "file", os.O_RDONLY) as descriptor:
        assert os.pread(descriptor, count, offset) == content[offset : offset + count]


def test_readv_fills_one_buffer_after_the_other(here: Path) -> None:
    creat(here / "file", b"0123456789")
    first, second = bytearray(4), bytearray(10)

    with opened(here / "file", os.O_RDONLY) as descriptor:
        assert os.readv(descriptor, [first, second]) == 10

    assert (bytes(first), bytes(second[:6])) == (b"0123", b"456789")


def test_eisdir_to_read_a_folder(here: Path) -> None:
    with opened(here, os.O_RDONLY) as descriptor, fails(EISDIR):
        os.read(descriptor, 10)


def test_ebadf_to_read_what_is_open_for_writing(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_WRONLY) as descriptor, fails(EBADF):
        os.read(descriptor, 1)


def test_einval_for_an_offset_before_the_file(here: Path) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", os.O_RDWR) as descriptor:
        with fails(EINVAL):
            os.pread(descriptor, 1, -1)
        with fails(EINVAL):
            os.pwrite(descriptor, b"x", -1)


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("offset", [0, 1, 4095, 4096, 9_999, 10_000, 10_001, 70_000])
@pytest.mark.parametrize("count", [1, 4096, 150_000])
def test_write_changes_these_bytes_and_no_other(here: Path, offset: int, count: int) -> None:
    content = bytes(number % 251 for number in range(10_000))
    creat(here / "file", content)

    with opened(here / "file", os.O_RDWR) as descriptor:
        assert os.pwrite(descriptor, b"x" * count, offset) == count

    expected = content[:offset].ljust(offset, b"\0") + b"x" * count + content[offset + count :]
    assert (here / "file").read_bytes() == expected


def test_write_of_nothing_changes_nothing(here: Path) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(10**18, 10**18))

    with opened(here / "file", os.O_WRONLY) as descriptor:
        assert os.write(descriptor, b"") == 0

    assert os.stat(here / "file").st_mtime_ns == 10**18


def test_writev_takes_one_buffer_after_the_other(here: Path) -> None:
    with opened(here / "file", NEW) as descriptor:
        assert os.writev(descriptor, [b"0123", b"", b"456789"]) == 10

    assert (here / "file").read_bytes() == b"0123456789"


def test_the_file_is_modified_by_it(here: Path) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(10**18, 10**18))

    with opened(here / "file", os.O_WRONLY) as descriptor:
        os.write(descriptor, b"C")
        assert os.fstat(descriptor).st_mtime_ns > 10**18

    assert os.stat(here / "file").st_mtime_ns > 10**18


def test_what_is_written_is_read_by_all_at_once(here: Path) -> None:
    creat(here / "file", b"content")

    with opened(here / "file", os.O_RDWR) as writer, opened(here / "file", os.O_RDONLY) as reader:
        assert os.pread(reader, 10, 0) == b"content"
        os.pwrite(writer, b"CON", 0)
        assert os.pread(reader, 10, 0) == b"CONtent"
        os.pwrite(writer, b"!", 7)
        assert os.pread(reader, 10, 0) == b"CONtent!"
        assert os.fstat(reader).st_size == 8


def test_what_is_appended_goes_to_the_end_wherever_the_offset_is(here: Path) -> None:
    creat(here / "file", b"0123")

    with opened(here / "file", os.O_RDWR | os.O_APPEND) as one, opened(here / "file", os.O_WRONLY | os.O_APPEND) as two:
        os.lseek(one, 0, os.SEEK_SET)
        os.write(one, b"4")
        os.write(two, b"5")
        os.write(one, b"6")
        assert os.lseek(one, 0, os.SEEK_CUR) == 7

    assert (here / "file").read_bytes() == b"0123456"


def test_a_write_far_behind_the_end_leaves_a_hole_of_zeros(here: Path) -> None:
    creat(here / "file", b"begin")

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.pwrite(descriptor, b"end", 1 << 20)
        assert os.pread(descriptor, 10, 3) == b"in" + bytes(8)
        assert os.pread(descriptor, 10, (1 << 20) - 2) == b"\0\0end"

    assert os.stat(here / "file").st_size == (1 << 20) + 3


def test_ebadf_to_write_what_is_open_for_reading(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDONLY) as descriptor, fails(EBADF):
        os.write(descriptor, b"x")


def test_the_bits_for_set_id_are_taken_when_somebody_else_writes_a_program(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content")
    os.chmod(here / "file", 0o6777)

    nobody(write_into, here / "file", b"C")

    assert os.stat(here / "file").st_mode & 0o7777 == 0o777


# ---------------------------------------------------------------- between files, in maps, on disk


def test_copy_file_range_copies(here: Path) -> None:
    creat(here / "from", b"0123456789")

    with opened(here / "from", os.O_RDONLY) as source, opened(here / "to", NEW) as target:
        assert os.copy_file_range(source, target, 5, 3, 2) == 5

    assert (here / "to").read_bytes() == b"\0\x0034567"


def test_sendfile_copies(here: Path) -> None:
    creat(here / "from", b"0123456789")

    with opened(here / "from", os.O_RDONLY) as source, opened(here / "to", NEW) as target:
        assert os.sendfile(target, source, 2, 100) == 8

    assert (here / "to").read_bytes() == b"23456789"


def test_a_shared_map_is_the_file(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with opened(here / "file", os.O_RDWR) as descriptor, mmap.mmap(descriptor, 10) as mapped:
        mapped[3:5] = b"xy"
        mapped.flush()
        assert os.pread(descriptor, 10, 0) == b"012xy56789"

    assert (here / "file").read_bytes() == b"012xy56789"


def test_a_private_map_is_not_the_file(here: Path) -> None:
    creat(here / "file", b"0123456789")

    with (
        opened(here / "file", os.O_RDONLY) as descriptor,
        mmap.mmap(descriptor, 10, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as mapped,
    ):
        mapped[3:5] = b"xy"
        assert mapped[:] == b"012xy56789"

    assert (here / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("synced", [os.fsync, os.fdatasync])
def test_fsync_succeeds_and_the_content_is_there(here: Path, synced: object) -> None:
    assert callable(synced)
    with opened(here / "file", NEW) as descriptor:
        os.write(descriptor, b"content")
        synced(descriptor)
        synced(descriptor)

    assert (here / "file").read_bytes() == b"content"


def test_fsync_of_a_folder_succeeds(here: Path) -> None:
    with opened(here, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


def test_posix_fallocate_makes_it_as_long(here: Path) -> None:
    with opened(here / "file", NEW) as descriptor:
        os.write(descriptor, b"content")
        os.posix_fallocate(descriptor, 5, 10_000)

        assert os.fstat(descriptor).st_size == 10_005
        assert os.pread(descriptor, 10, 0) == b"content\0\0\0"


@NOTHING_IS_RESERVED
def test_fallocate_reserves_room(here: Path) -> None:
    with opened(here / "file", NEW) as descriptor:
        fallocate(descriptor, 0, 0, 10_000)

        assert os.fstat(descriptor).st_size == 10_000


@NOTHING_IS_RESERVED
def test_fallocate_gives_room_back(here: Path) -> None:
    creat(here / "file", b"x" * 20_000)

    with opened(here / "file", os.O_RDWR) as descriptor:
        fallocate(descriptor, PUNCH, 4096, 4096)

        assert os.pread(descriptor, 4096, 4096) == bytes(4096)
