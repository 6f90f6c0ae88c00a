"""rename(), renameat2(): what is called otherwise from then on, and what it takes the place of."""

from __future__ import annotations

import os
from errno import EACCES, EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    creat,
    fails,
    opened,
    renameat2,
    tree_in,
)
from tests.mounted.chapters.explained import NO_HARD_LINKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


def make(path: Path, what: str, content: bytes = b"") -> None:
    """A file, an empty folder, or a folder with a file in it."""
    if what == "file":
        creat(path, content)
    else:
        os.mkdir(path)
    if what == "full folder":
        creat(path / "inside", content)


# ---------------------------------------------------------------- to a free name


@pytest.mark.parametrize("what", ["file", "folder", "full folder"])
def test_it_is_there_by_its_new_name_alone(here: Path, what: str) -> None:
    make(here / "old", what, b"content")
    inode = os.stat(here / "old").st_ino

    os.rename(here / "old", here / "new")

    assert os.listdir(here) == ["new"]
    assert os.stat(here / "new").st_ino == inode
    with fails(ENOENT):
        os.stat(here / "old")


@pytest.mark.parametrize("what", ["file", "folder", "full folder"])
def test_it_moves_to_another_folder(here: Path, what: str) -> None:
    os.mkdir(here / "from")
    os.mkdir(here / "to")
    make(here / "from" / "old", what, b"content")
    before = tree_in(here / "from")["old"]

    os.rename(here / "from" / "old", here / "to" / "new")

    assert os.listdir(here / "from") == []
    assert tree_in(here / "to")["new"] == before


def test_by_the_descriptors_of_both_folders(here: Path) -> None:
    os.mkdir(here / "from")
    os.mkdir(here / "to")
    creat(here / "from" / "old", b"content")

    with opened(here / "from", os.O_RDONLY) as source, opened(here / "to", os.O_RDONLY) as target:
        os.rename("old", "new", src_dir_fd=source, dst_dir_fd=target)

    assert tree_in(here) == {"from": "folder", "to": "folder", "to/new": b"content"}


def test_who_has_the_file_open_goes_on_reading_and_writing(here: Path) -> None:
    creat(here / "old", b"content")

    with opened(here / "old", os.O_RDWR) as descriptor:
        os.rename(here / "old", here / "new")
        os.write(descriptor, b"C")
        assert os.pread(descriptor, 10, 0) == b"Content"

    assert (here / "new").read_bytes() == b"Content"


def test_who_works_in_a_folder_stays_in_it(here: Path) -> None:
    os.makedirs(here / "old/below")

    with opened(here / "old" / "below", os.O_RDONLY | os.O_DIRECTORY) as below:
        os.rename(here / "old", here / "new")
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=below))

    assert tree_in(here) == {"new": "folder", "new/below": "folder", "new/below/file": b""}


def test_both_folders_are_changed_by_it(here: Path) -> None:
    os.mkdir(here / "from")
    os.mkdir(here / "to")
    creat(here / "from" / "old")
    for folder in ("from", "to"):
        os.utime(here / folder, ns=(10**18, 10**18))

    os.rename(here / "from" / "old", here / "to" / "new")

    assert os.stat(here / "from").st_mtime_ns > 10**18
    assert os.stat(here / "to").st_mtime_ns > 10**18


def test_the_file_itself_is_not_modified(here: Path) -> None:
    creat(here / "old", b"content")
    os.utime(here / "old", ns=(10**18, 10**18))

    os.rename(here / "old", here / "new")

    assert os.stat(here / "new").st_mtime_ns == 10**18


def test_the_former_name_is_free_at_once(here: Path) -> None:
    creat(here / "name", b"first")

    os.rename(here / "name", here / "aside")
    creat(here / "name", b"second")

    assert tree_in(here) == {"aside": b"first", "name": b"second"}


def test_round_in_a_circle(here: Path) -> None:
    for name in ("1", "2", "3"):
        creat(here / name, name.encode())

    for old, new in (("1", "aside"), ("2", "1"), ("3", "2"), ("aside", "3")):
        os.rename(here / old, here / new)

    assert tree_in(here) == {"1": b"2", "2": b"3", "3": b"1"}


# ---------------------------------------------------------------- to a name that is taken

REFUSED = [
    ("file", "folder", EISDIR),
    ("file", "full folder", EISDIR),
    ("folder", "file", ENOTDIR),
    ("full folder", "file", ENOTDIR),
    ("folder", "full folder", ENOTEMPTY),
    ("full folder", "full folder", ENOTEMPTY),
]


@pytest.mark.parametrize(("old", "new", "expected"), REFUSED)
def test_what_cannot_take_the_others_place_is_refused_and_both_stay(
    here: Path, old: str, new: str, expected: int
) -> None:
    make(here / "old", old, b"old")
    make(here / "new", new, b"new")
    before = tree_in(here)

    with fails(expected, *({EEXIST} if expected == ENOTEMPTY else ())):
        os.rename(here / "old", here / "new")

    assert tree_in(here) == before


@pytest.mark.parametrize(("old", "new"), [("file", "file"), ("folder", "folder"), ("full folder", "folder")])
def test_what_can_takes_the_others_place(here: Path, old: str, new: str) -> None:
    make(here / "old", old, b"old")
    make(here / "new", new, b"new")
    before = tree_in(here / "old") if old != "file" else b"old"

    os.rename(here / "old", here / "new")

    assert os.listdir(here) == ["new"]
    assert (tree_in(here / "new") if old != "file" else (here / "new").read_bytes()) == before


def test_who_has_the_replaced_file_open_goes_on_reading_it(here: Path) -> None:
    creat(here / "old", b"old content")
    creat(here / "new", b"new content")

    with opened(here / "old", os.O_RDONLY) as replaced:
        os.rename(here / "new", here / "old")

        assert os.read(replaced, 100) == b"old content"
    assert (here / "old").read_bytes() == b"new content"


def test_there_is_no_moment_without_the_name(here: Path) -> None:
    creat(here / "name", b"0")

    for number in range(1, 20):
        creat(here / "new", str(number).encode())
        with opened(here / "name", os.O_RDONLY):
            os.rename(here / "new", here / "name")
        assert (here / "name").read_bytes() == str(number).encode()


def test_to_its_own_name_changes_nothing(here: Path) -> None:
    creat(here / "name", b"content")

    os.rename(here / "name", here / "name")

    assert tree_in(here) == {"name": b"content"}


def test_of_a_folder_to_its_own_name_changes_nothing(here: Path) -> None:
    make(here / "name", "full folder", b"content")

    os.rename(here / "name", here / "name")

    assert tree_in(here) == {"name": "folder", "name/inside": b"content"}


@NO_HARD_LINKS
def test_to_another_name_of_the_same_file_changes_nothing(here: Path) -> None:
    creat(here / "one", b"content")
    os.link(here / "one", here / "two")

    os.rename(here / "one", here / "two")

    assert sorted(os.listdir(here)) == ["one", "two"]


def test_of_a_link_moves_the_link(here: Path) -> None:
    creat(here / "file", b"content")
    os.symlink("file", here / "link")

    os.rename(here / "link", here / "moved")

    assert os.readlink(here / "moved") == "file"
    assert (here / "file").read_bytes() == b"content"


def test_over_a_link_replaces_the_link(here: Path) -> None:
    creat(here / "file", b"content")
    creat(here / "new", b"new")
    os.symlink("file", here / "link")

    os.rename(here / "new", here / "link")

    assert tree_in(here) == {"file": b"content", "link": b"new"}


# ---------------------------------------------------------------- refusals


def test_enoent_where_there_is_nothing_to_rename(here: Path) -> None:
    with fails(ENOENT):
        os.rename(here / "absent", here / "new")


@pytest.mark.parametrize("target", ["absent/new", "absent/"])
def test_enoent_where_the_target_is_in_no_folder(here: Path, target: str) -> None:
    creat(here / "old")

    with fails(ENOENT, ENOTDIR):
        os.rename(here / "old", f"{here}/{target}")

    assert os.listdir(here) == ["old"]


@pytest.mark.parametrize("target", ["folder/new", "folder/below/new", "folder/below/deeper/new"])
def test_einval_for_a_folder_below_itself(here: Path, target: str) -> None:
    os.makedirs(here / "folder/below/deeper")

    with fails(EINVAL):
        os.rename(here / "folder", here / target)


@pytest.mark.parametrize("target", ["folder", "folder/below"])
def test_enotempty_over_a_folder_that_it_is_in(here: Path, target: str) -> None:
    os.makedirs(here / "folder/below/deeper")

    with fails(ENOTEMPTY, EEXIST):
        os.rename(here / "folder/below/deeper", here / "folder")
    with fails(ENOTEMPTY, EEXIST):
        os.rename(here / "folder/below/deeper", here / "folder/below")


@pytest.mark.parametrize("name", [".", ".."])
def test_ebusy_for_dots(here: Path, name: str) -> None:
    os.mkdir(here / "folder")

    with fails(EBUSY, EINVAL):
        os.rename(f"{here}/folder/{name}", here / "new")
    with fails(EBUSY, EINVAL, EEXIST, ENOTEMPTY):
        os.rename(here / "folder", f"{here}/folder/{name}")


def test_enotdir_for_a_file_to_a_name_with_a_slash(here: Path) -> None:
    creat(here / "old")

    with fails(ENOTDIR, ENOENT):
        os.rename(here / "old", f"{here}/new/")


def test_exdev_to_another_file_system(here: Path) -> None:
    creat(here / "old", b"content")

    with fails(EXDEV):
        os.rename(here / "old", "/dev/shm/cxfs-never-there")

    assert tree_in(here) == {"old": b"content"}


# ---------------------------------------------------------------- permissions


@pytest.mark.parametrize("closed", ["from", "to"])
def test_eacces_where_the_user_may_not_write_one_of_the_folders(here: Path, nobody: Person, closed: str) -> None:
    for folder in ("from", "to"):
        os.mkdir(here / folder)
        os.chmod(here / folder, 0o755 if folder == closed else 0o777)
    creat(here / "from" / "old", b"content")

    with fails(EACCES):
        nobody(os.rename, here / "from" / "old", here / "to" / "new")

    assert tree_in(here) == {"from": "folder", "from/old": b"content", "to": "folder"}


def test_whoever_may_write_both_folders_may(here: Path, nobody: Person) -> None:
    for folder in ("from", "to"):
        os.mkdir(here / folder)
        os.chmod(here / folder, 0o777)
    creat(here / "from" / "old", b"content", 0o600)

    nobody(os.rename, here / "from" / "old", here / "to" / "new")

    assert tree_in(here) == {"from": "folder", "to": "folder", "to/new": b"content"}


@pytest.mark.parametrize("whose", ["old", "new"])
def test_eperm_in_a_sticky_folder_for_what_is_somebody_elses(here: Path, nobody: Person, whose: str) -> None:
    for name in ("old", "new"):
        creat(here / name, name.encode())
        if name != whose:
            os.chown(here / name, nobody.user, nobody.user)
    os.chmod(here, 0o1777)

    with fails(EPERM):
        nobody(os.rename, here / "old", here / "new")

    assert tree_in(here) == {"old": b"old", "new": b"new"}


def test_eacces_for_a_folder_that_the_user_may_not_write_to_another_folder(here: Path, nobody: Person) -> None:
    """Its two dots would change."""
    for folder in ("from", "to"):
        os.mkdir(here / folder)
        os.chmod(here / folder, 0o777)
    os.mkdir(here / "from" / "folder")

    with fails(EACCES):
        nobody(os.rename, here / "from" / "folder", here / "to" / "folder")


# ---------------------------------------------------------------- with flags


@pytest.mark.parametrize("what", ["file", "folder", "full folder"])
def test_noreplace_takes_a_free_name(here: Path, what: str) -> None:
    make(here / "old", what)

    renameat2(here / "old", here / "new", RENAME_NOREPLACE)

    assert os.listdir(here) == ["new"]


@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("new", ["file", "folder", "full folder"])
def test_noreplace_refuses_a_taken_name(here: Path, old: str, new: str) -> None:
    make(here / "old", old, b"old")
    make(here / "new", new, b"new")
    before = tree_in(here)

    with fails(EEXIST):
        renameat2(here / "old", here / "new", RENAME_NOREPLACE)

    assert tree_in(here) == before


def test_noreplace_refuses_its_own_name(here: Path) -> None:
    creat(here / "name")

    with fails(EEXIST):
        renameat2(here / "name", here / "name", RENAME_NOREPLACE)


@pytest.mark.parametrize("one", ["file", "folder", "full folder"])
@pytest.mark.parametrize("other", ["file", "folder", "full folder"])
def test_exchange_swaps(here: Path, one: str, other: str) -> None:
    os.mkdir(here / "elsewhere")
    make(here / "one", one, b"1")
    make(here / "elsewhere" / "other", other, b"2")
    inodes = os.stat(here / "one").st_ino, os.stat(here / "elsewhere" / "other").st_ino

    renameat2(here / "one", here / "elsewhere" / "other", RENAME_EXCHANGE)

    assert (os.stat(here / "elsewhere" / "other").st_ino, os.stat(here / "one").st_ino) == inodes
    assert sorted(os.listdir(here)) == ["elsewhere", "one"]
    assert os.listdir(here / "elsewhere") == ["other"]


def test_exchange_with_itself_changes_nothing(here: Path) -> None:
    creat(here / "name", b"content")

    renameat2(here / "name", here / "name", RENAME_EXCHANGE)

    assert tree_in(here) == {"name": b"content"}


def test_exchange_needs_both(here: Path) -> None:
    creat(here / "one")

    with fails(ENOENT):
        renameat2(here / "one", here / "absent", RENAME_EXCHANGE)
    with fails(ENOENT):
        renameat2(here / "absent", here / "one", RENAME_EXCHANGE)


def test_exchange_of_a_folder_with_what_is_in_it_is_refused(here: Path) -> None:
    os.makedirs(here / "folder/below")

    with fails(EINVAL):
        renameat2(here / "folder", here / "folder/below", RENAME_EXCHANGE)
    with fails(ENOTEMPTY, EINVAL):
        renameat2(here / "folder/below", here / "folder", RENAME_EXCHANGE)


@pytest.mark.parametrize("flags", [RENAME_NOREPLACE | RENAME_EXCHANGE, 1 << 10])
def test_einval_for_flags_that_there_are_not(here: Path, flags: int) -> None:
    creat(here / "old")

    with fails(EINVAL):
        renameat2(here / "old", here / "new", flags)
