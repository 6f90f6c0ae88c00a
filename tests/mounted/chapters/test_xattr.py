"""setxattr(), getxattr(), listxattr(), removexattr(): what programs note at a file or folder."""

from __future__ import annotations

import os
from errno import EACCES, EEXIST, ENODATA, ENOENT, EOPNOTSUPP, EPERM, ERANGE
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, getxattr_into, opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person

NOTE = "user.note"


@pytest.mark.parametrize("value", [b"", b"text", b"\0\xff", b"x" * 2000], ids=lambda value: str(len(value)))
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_value_is_got_as_it_was_set(here: Path, what: str, value: bytes) -> None:
    creat(here / "it") if what == "file" else os.mkdir(here / "it")

    os.setxattr(here / "it", NOTE, value)

    assert os.getxattr(here / "it", NOTE) == value
    assert os.listxattr(here / "it") == [NOTE]


def test_what_is_set_again_is_replaced(here: Path) -> None:
    creat(here / "file")

    os.setxattr(here / "file", NOTE, b"first")
    os.setxattr(here / "file", NOTE, b"second")

    assert os.getxattr(here / "file", NOTE) == b"second"
    assert os.listxattr(here / "file") == [NOTE]


def test_several_are_listed_and_one_is_removed(here: Path) -> None:
    creat(here / "file")
    for name in ("user.a", "user.b", "user.c"):
        os.setxattr(here / "file", name, name.encode())

    os.removexattr(here / "file", "user.b")

    assert sorted(os.listxattr(here / "file")) == ["user.a", "user.c"]
    assert os.getxattr(here / "file", "user.c") == b"user.c"


def test_by_a_descriptor(here: Path) -> None:
    creat(here / "file")

    with opened(here / "file", os.O_RDWR) as descriptor:
        os.setxattr(descriptor, NOTE, b"value")
        assert os.listxattr(descriptor) == [NOTE]
        assert os.getxattr(descriptor, NOTE) == b"value"
        os.removexattr(descriptor, NOTE)

    assert os.listxattr(here / "file") == []


def test_it_is_kept_by_a_rename_and_a_write(here: Path) -> None:
    creat(here / "file")
    os.setxattr(here / "file", NOTE, b"value")

    (here / "file").write_bytes(b"content")
    os.rename(here / "file", here / "renamed")

    assert os.getxattr(here / "renamed", NOTE) == b"value"


def test_the_file_is_not_modified_by_it(here: Path) -> None:
    creat(here / "file", b"content")
    os.utime(here / "file", ns=(10**18, 10**18))

    os.setxattr(here / "file", NOTE, b"value")

    assert os.stat(here / "file").st_mtime_ns == 10**18


def test_a_new_file_by_the_name_has_none(here: Path) -> None:
    creat(here / "file")
    os.setxattr(here / "file", NOTE, b"value")

    os.unlink(here / "file")
    creat(here / "file")

    assert os.listxattr(here / "file") == []


def test_enodata_for_what_is_not_set(here: Path) -> None:
    creat(here / "file")

    with fails(ENODATA):
        os.getxattr(here / "file", NOTE)
    with fails(ENODATA):
        os.removexattr(here / "file", NOTE)


def test_create_makes_and_replace_replaces_only(here: Path) -> None:
    creat(here / "file")

    with fails(ENODATA):
        os.setxattr(here / "file", NOTE, b"value", os.XATTR_REPLACE)
    os.setxattr(here / "file", NOTE, b"first", os.XATTR_CREATE)
    with fails(EEXIST):
        os.setxattr(here / "file", NOTE, b"second", os.XATTR_CREATE)
    os.setxattr(here / "file", NOTE, b"third", os.XATTR_REPLACE)

    assert os.getxattr(here / "file", NOTE) == b"third"


def test_erange_where_there_is_no_room_for_the_value(here: Path) -> None:
    creat(here / "file")
    os.setxattr(here / "file", NOTE, b"12345")

    with fails(ERANGE):
        getxattr_into(here / "file", NOTE, room=4)
    assert getxattr_into(here / "file", NOTE, room=0) == 5


def test_enotsup_for_a_family_that_there_is_not(here: Path) -> None:
    creat(here / "file")

    with fails(EOPNOTSUPP):
        os.setxattr(here / "file", "nobody.note", b"value")
    with fails(EOPNOTSUPP):
        os.getxattr(here / "file", "nobody.note")


def test_enoent_for_what_is_absent(here: Path) -> None:
    with fails(ENOENT):
        os.setxattr(here / "absent", NOTE, b"value")


def test_eacces_for_whom_the_mode_keeps_out(here: Path, nobody: Person) -> None:
    creat(here / "file", mode=0o600)

    with fails(EACCES):
        nobody(os.getxattr, here / "file", NOTE)
    with fails(EACCES):
        nobody(os.setxattr, here / "file", NOTE, b"value")


def test_who_may_only_read_gets_and_does_not_set(here: Path, nobody: Person) -> None:
    creat(here / "file", mode=0o644)
    os.setxattr(here / "file", NOTE, b"value")

    assert nobody(os.getxattr, here / "file", NOTE) == b"value"
    with fails(EACCES, EPERM):
        nobody(os.setxattr, here / "file", NOTE, b"other")
    with fails(EACCES, EPERM):
        nobody(os.removexattr, here / "file", NOTE)
