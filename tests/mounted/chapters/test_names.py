"""Pathname resolution: what every call says of a path that leads nowhere, and which names there can be."""

from __future__ import annotations

import os
from errno import EEXIST, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounted.chapters.calls import creat, fails, open_close
from tests.mounted.chapters.explained import NAMES_ARE_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[[Path | str], object]

CALLS: Final[dict[str, Call]] = {
    "chmod": lambda path: os.chmod(path, 0o600),
    "chown": lambda path: os.chown(path, 0, 0),
    "getxattr": lambda path: os.getxattr(path, "user.comment"),
    "lstat": os.lstat,
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "mknod": os.mknod,
    "open": lambda path: open_close(path, os.O_RDONLY),
    "open to create": creat,
    "opendir": os.listdir,
    "readlink": os.readlink,
    "rename from": lambda path: os.rename(path, f"{path}.new"),
    "rmdir": os.rmdir,
    "stat": os.stat,
    "statvfs": os.statvfs,
    "symlink": lambda path: os.symlink("target", path),
    "truncate": lambda path: os.truncate(path, 0),
    "unlink": os.unlink,
    "utimens": lambda path: os.utime(path, ns=(1, 1)),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_call
def test_enoent_where_a_folder_on_the_way_is_absent(here: Path, call: Call) -> None:
    with fails(ENOENT):
        call(here / "absent" / "name")


@every_call
def test_enotdir_where_a_file_is_on_the_way(here: Path, call: Call) -> None:
    creat(here / "file")

    with fails(ENOTDIR):
        call(here / "file" / "name")


@every_call
def test_enametoolong_for_a_component_of_256_bytes(here: Path, call: Call) -> None:
    with fails(ENAMETOOLONG):
        call(here / ("n" * 256))


@every_call
def test_enametoolong_for_a_folder_on_the_way_of_256_bytes(here: Path, call: Call) -> None:
    with fails(ENAMETOOLONG):
        call(here / ("n" * 256) / "name")


@every_call
def test_enametoolong_for_a_path_of_4096_bytes(here: Path, call: Call) -> None:
    with fails(ENAMETOOLONG):
        call(f"{here}{'/.' * 2048}/name")


@every_call
def test_enoent_for_the_empty_path(here: Path, call: Call) -> None:
    with fails(ENOENT):
        call("")


@every_call
def test_eloop_where_links_on_the_way_go_in_circles(here: Path, call: Call) -> None:
    os.symlink("second", here / "first")
    os.symlink("first", here / "second")

    with fails(ELOOP):
        call(here / "first" / "name")


# ---------------------------------------------------------------- names that there can be


LONGEST: Final = ("n" * 255, "ä" * 127 + "n", "€" * 85, "🗀" * 63 + "nnn")
ODD: Final = (
    " ",
    " leading",
    "trailing ",
    "new\nline",
    "tab\t",
    "back\\slash",
    "quo'te\"s",
    "-rf",
    "*?[a]",
    "~",
    "...",
    "..a",
    "CON",
    "a:b",
    "%41",
    "%25",
    "#",
    "ä",
    "a\u0308",
    "\u202e",
    "\x7f",
    "\x01",
    "🗀",
)
any_name = pytest.mark.parametrize("name", [*LONGEST, *ODD], ids=ascii)


@any_name
def test_a_file_of_this_name_is_made_found_listed_and_removed(here: Path, name: str) -> None:
    creat(here / name, b"content")

    assert os.listdir(here) == [name]
    assert (here / name).read_bytes() == b"content"
    with fails(EEXIST):
        creat(here / name)
    os.unlink(here / name)
    assert os.listdir(here) == []


@any_name
def test_a_folder_of_this_name_holds_files_and_is_renamed(here: Path, name: str) -> None:
    os.mkdir(here / name)
    creat(here / name / name)

    os.rename(here / name, here / "renamed")

    assert os.listdir(here) == ["renamed"]
    assert os.listdir(here / "renamed") == [name]


def test_names_are_told_apart_by_case(here: Path) -> None:
    creat(here / "name", b"small")
    creat(here / "NAME", b"large")

    assert (here / "name").read_bytes() == b"small"
    assert sorted(os.listdir(here)) == ["NAME", "name"]


def test_names_are_told_apart_by_bytes(here: Path) -> None:
    """Composed and decomposed: they look the same."""
    creat(here / "\u00e4", b"composed")
    creat(here / "a\u0308", b"decomposed")

    assert (here / "\u00e4").read_bytes() == b"composed"
    assert len(os.listdir(here)) == 2


@NAMES_ARE_TEXT
def test_a_name_of_any_bytes_is_made(here: Path) -> None:
    creat(os.fsdecode(os.fsencode(here) + b"/latin-\xe4"))

    assert os.listdir(os.fsencode(here)) == [b"latin-\xe4"]


def test_a_name_that_is_no_text_is_absent(here: Path) -> None:
    with fails(ENOENT):
        os.stat(os.fsencode(here) + b"/latin-\xe4")
    with fails(ENOENT):
        os.unlink(os.fsencode(here) + b"/latin-\xe4")


# ---------------------------------------------------------------- dots and slashes


def test_a_dot_is_the_folder_and_two_are_the_one_above(here: Path) -> None:
    os.mkdir(here / "folder")

    assert os.stat(f"{here}/folder/.").st_ino == os.stat(here / "folder").st_ino
    assert os.stat(f"{here}/folder/..").st_ino == os.stat(here).st_ino


def test_slashes_are_as_good_as_one(here: Path) -> None:
    os.mkdir(here / "folder")
    creat(here / "folder" / "file", b"content")

    with open(f"{here}//folder///file", "rb") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("call", ["chmod", "lstat", "stat", "open", "truncate", "utimens", "unlink", "rename from"])
def test_enotdir_for_a_file_with_a_slash_behind_it(here: Path, call: str) -> None:
    creat(here / "file")

    with fails(ENOTDIR):
        CALLS[call](f"{here}/file/")


@pytest.mark.parametrize("call", ["chmod", "lstat", "stat", "open", "opendir", "utimens"])
def test_a_folder_may_have_a_slash_behind_it(here: Path, call: str) -> None:
    os.mkdir(here / "folder")

    CALLS[call](f"{here}/folder/")


def test_a_folder_is_made_and_removed_by_a_name_with_a_slash_behind_it(here: Path) -> None:
    os.mkdir(f"{here}/folder/")
    os.rename(f"{here}/folder/", f"{here}/renamed/")
    os.rmdir(f"{here}/renamed/")

    assert os.listdir(here) == []


@pytest.mark.parametrize("name", [".", ".."])
def test_rmdir_of_a_dot_is_refused(here: Path, name: str) -> None:
    os.mkdir(here / "folder")

    with fails(EINVAL if name == "." else ENOTEMPTY):
        os.rmdir(f"{here}/folder/{name}")
