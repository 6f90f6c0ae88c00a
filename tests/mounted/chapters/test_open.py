"""open(): a descriptor of a file. What all flags do to all kinds of targets is the matrix's matter."""

from __future__ import annotations

import fcntl
import os
from errno import EACCES, EEXIST, EISDIR, ENOENT, ENOTDIR, EPERM, ETXTBSY
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, mode_of, open_close, opened, read_all
from tests.mounted.chapters.explained import NEW_BELONG_TO_THE_MOUNT, NO_UNNAMED_FILES
from tests.mounted.chapters.programs import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

NEW = os.O_WRONLY | os.O_CREAT


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o755, 0o777], ids=oct)
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_a_new_file_has_the_mode_that_the_umask_leaves(here: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        open_close(here / "file", NEW, mode)
    finally:
        os.umask(before)

    assert mode_of(here / "file") == mode & ~umask


def test_a_mode_that_forbids_writing_does_not_bind_who_makes_the_file(here: Path, nobody: Person) -> None:
    os.chmod(here, 0o777)

    nobody(creat, here / "file", b"content", 0o444)

    assert (here / "file").read_bytes() == b"content"


def test_the_mode_of_a_file_that_is_there_stays(here: Path) -> None:
    creat(here / "file", mode=0o600)

    open_close(here / "file", NEW, 0o777)

    assert mode_of(here / "file") == 0o600


@NEW_BELONG_TO_THE_MOUNT
def test_a_new_file_belongs_to_who_made_it(here: Path, nobody: Person) -> None:
    os.chmod(here, 0o777)

    nobody(creat, here / "file")

    assert (os.stat(here / "file").st_uid, os.stat(here / "file").st_gid) == (nobody.user, nobody.user)


def test_the_folder_is_changed_by_a_new_file(here: Path) -> None:
    os.utime(here, ns=(10**18, 10**18))

    open_close(here / "file", NEW)

    assert os.stat(here).st_mtime_ns > 10**18


def test_the_folder_is_not_changed_by_a_file_that_is_there(here: Path) -> None:
    creat(here / "file")
    os.utime(here, ns=(10**18, 10**18))

    open_close(here / "file", NEW | os.O_TRUNC)

    assert os.stat(here).st_mtime_ns == 10**18


def test_a_file_is_modified_by_being_emptied(here: Path) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(10**18, 10**18))

    open_close(here / "file", os.O_WRONLY | os.O_TRUNC)

    assert os.stat(here / "file").st_mtime_ns > 10**18
    assert os.stat(here / "file").st_size == 0


def test_the_descriptor_is_the_lowest_free_one(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDONLY) as first:
        pass
    with opened(here / "file", os.O_RDONLY) as second:
        assert second == first


def test_it_says_how_it_was_opened(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDWR | os.O_APPEND) as descriptor:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)

    assert flags & os.O_ACCMODE == os.O_RDWR
    assert flags & os.O_APPEND


def test_by_the_descriptor_of_a_folder(here: Path) -> None:
    with opened(here, os.O_RDONLY | os.O_DIRECTORY) as folder:
        os.close(os.open("file", NEW, dir_fd=folder))

    assert os.listdir(here) == ["file"]


@NO_UNNAMED_FILES
def test_a_file_without_a_name(here: Path) -> None:
    with opened(here, os.O_RDWR | os.O_TMPFILE) as descriptor:
        os.write(descriptor, b"content")

        assert os.pread(descriptor, 10, 0) == b"content"
        assert os.listdir(here) == []


# ---------------------------------------------------------------- permissions

ACCESS = {"reading": os.O_RDONLY, "writing": os.O_WRONLY, "both": os.O_RDWR}
NEEDED = {"reading": 4, "writing": 2, "both": 6}


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("bits", range(8))
@pytest.mark.parametrize("place", ["owner", "group", "others"])
def test_eacces_unless_the_bits_of_ones_class_allow_it(
    here: Path, nobody: Person, place: str, bits: int, access: str
) -> None:
    creat(here / "file", b"content")
    os.chown(here / "file", nobody.user if place == "owner" else 0, nobody.user if place == "group" else 0)
    os.chmod(here / "file", bits << {"owner": 6, "group": 3, "others": 0}[place])

    if bits & NEEDED[access] == NEEDED[access]:
        nobody(open_close, here / "file", ACCESS[access])
    else:
        with fails(EACCES):
            nobody(open_close, here / "file", ACCESS[access])


@pytest.mark.parametrize("access", ACCESS)
def test_the_superuser_may_whatever_the_bits_say(here: Path, access: str) -> None:
    creat(here / "file", mode=0o000)

    open_close(here / "file", ACCESS[access])


@pytest.mark.parametrize("bits", range(8))
def test_eacces_on_the_way_through_a_folder_that_may_not_be_searched(here: Path, nobody: Person, bits: int) -> None:
    creat(here / "file", b"content")
    os.chmod(here, bits)

    if bits & 1:
        assert nobody(read_all, here / "file") == b"content"
    else:
        with fails(EACCES):
            nobody(read_all, here / "file")


@pytest.mark.parametrize("bits", range(8))
def test_eacces_to_make_a_file_unless_the_folder_may_be_written_and_searched(
    here: Path, nobody: Person, bits: int
) -> None:
    os.chmod(here, bits)

    if bits & 3 == 3:
        nobody(creat, here / "file")
    else:
        with fails(EACCES):
            nobody(creat, here / "file")


@pytest.mark.parametrize("bits", range(8))
def test_eacces_to_list_a_folder_unless_it_may_be_read(here: Path, nobody: Person, bits: int) -> None:
    creat(here / "file")
    os.chmod(here, bits)

    if bits & 4:
        assert nobody(os.listdir, here) == ["file"]
    else:
        with fails(EACCES):
            nobody(os.listdir, here)


@pytest.mark.parametrize("bits", range(8))
def test_access_says_what_open_would(here: Path, nobody: Person, bits: int) -> None:
    creat(here / "file")
    os.chmod(here / "file", bits)

    assert [nobody(os.access, here / "file", wanted) for wanted in (4, 2, 1)] == [
        bool(bits & wanted) for wanted in (4, 2, 1)
    ]


def test_eacces_to_empty_a_file_that_may_not_be_written(here: Path, nobody: Person) -> None:
    creat(here / "file", b"content")

    with fails(EACCES):
        nobody(open_close, here / "file", os.O_RDONLY | os.O_TRUNC)

    assert (here / "file").read_bytes() == b"content"


def test_eperm_to_leave_no_trace_in_somebody_elses_file(here: Path, nobody: Person) -> None:
    creat(here / "file")

    with fails(EPERM):
        nobody(open_close, here / "file", os.O_RDONLY | os.O_NOATIME)


# ---------------------------------------------------------------- programs


def test_etxtbsy_to_write_a_program_that_runs(here: Path) -> None:
    with running(here / "program"), fails(ETXTBSY):
        open_close(here / "program", os.O_WRONLY)


def test_etxtbsy_to_run_a_program_that_is_written(here: Path) -> None:
    creat(here / "program", b"#!/bin/sh\n", 0o755)

    with opened(here / "program", os.O_WRONLY), fails(ETXTBSY):
        os.posix_spawn(here / "program", ["program"], {})


def test_a_program_that_runs_may_be_unlinked_and_replaced(here: Path) -> None:
    with running(here / "program") as process:
        creat(here / "new", b"#!/bin/sh\n", 0o755)
        os.rename(here / "new", here / "program")

        assert process.poll() is None
        assert (here / "program").read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize("mode", [0o644, 0o600], ids=oct)
def test_eacces_to_run_what_has_no_bit_for_it(here: Path, nobody: Person, mode: int) -> None:
    creat(here / "program", b"#!/bin/sh\n", mode)

    with fails(EACCES):
        os.posix_spawn(here / "program", ["program"], {})


def test_eacces_to_run_a_folder(here: Path) -> None:
    os.mkdir(here / "folder")

    with fails(EACCES):
        os.posix_spawn(here / "folder", ["folder"], {})


# ---------------------------------------------------------------- refusals


def test_eexist_for_a_new_file_where_one_is(here: Path) -> None:
    creat(here / "file", b"content")

    with fails(EEXIST):
        open_close(here / "file", NEW | os.O_EXCL)

    assert (here / "file").read_bytes() == b"content"


def test_enoent_without_creating(here: Path) -> None:
    with fails(ENOENT):
        open_close(here / "file", os.O_WRONLY)

    assert os.listdir(here) == []


def test_eisdir_to_write_a_folder(here: Path) -> None:
    with fails(EISDIR):
        open_close(here, os.O_WRONLY)


def test_enotdir_for_a_file_where_a_folder_is_wanted(here: Path) -> None:
    creat(here / "file")

    with fails(ENOTDIR):
        open_close(here / "file", os.O_RDONLY | os.O_DIRECTORY)


def test_enoent_in_a_folder_that_is_removed(here: Path) -> None:
    os.mkdir(here / "folder")

    with opened(here / "folder", os.O_RDONLY | os.O_DIRECTORY) as removed:
        os.rmdir(here / "folder")
        with fails(ENOENT):
            os.open("file", NEW, dir_fd=removed)
