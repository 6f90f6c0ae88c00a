"""Trees of any kind: from one mount to another they are as they were, to the bit, the link and the nanosecond."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounting import Account, Mount

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARE: Final = Path("/usr/share")
FILES, LINKS, BYTES_MAX = 150, 40, 100_000
"""Of a part of it: as much as a package brings, and no large files."""

GIT: Final = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")


@pytest.fixture
def first(own_account: Account, tmp_path: Path) -> Iterator[Mount]:
    """Where the tree is made."""
    with Mount(own_account, tmp_path / "first") as mount:
        yield mount


@pytest.fixture
def second(own_account: Account, tmp_path: Path) -> Iterator[Mount]:
    """Another machine's: it knows what the server tells. Not mounted yet."""
    mount = Mount(own_account, tmp_path / "second")
    yield mount
    mount.end()


def described(folder: Path, *, folders_dated: bool = True) -> dict[str, tuple[object, ...]]:
    """Kind, mode, size, time, target and extended attributes of each thing below the folder.

    A folder that nobody dated is dated by what came into it, as the server saw that.
    """
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        is_link, is_folder = stat.S_ISLNK(state.st_mode), stat.S_ISDIR(state.st_mode)
        found[str(path.relative_to(folder))] = (
            stat.filemode(state.st_mode),
            0 if is_folder else state.st_size,
            state.st_mtime_ns if folders_dated or not is_folder else 0,
            os.readlink(path) if is_link else None,  # noqa: PTH115 - a Path would tidy it
            {} if is_link else {name: os.getxattr(path, name) for name in os.listxattr(path)},
        )
    return found


def some_of(folder: Path) -> list[Path]:
    """Files and links below it, with the folders above them."""
    everything = sorted(folder.rglob("*"))
    links = islice((path for path in everything if path.is_symlink()), LINKS)
    files = [path for path in everything if path.is_file() and not path.is_symlink()]
    small = [path for path in files if path.stat().st_size <= BYTES_MAX]
    chosen = {*links, *small[:: max(1, len(small) // FILES)]}
    return sorted(chosen | {above for path in chosen for above in path.parents if above.is_relative_to(folder)})


def packed(mount: Mount, archive: Path, paths: list[Path]) -> None:
    """An archive of these, each by itself, as if they were one's own; CX has one name for an object."""
    ours = (f"--owner=+{os.getuid()}", f"--group=+{os.getgid()}", "--hard-dereference", "--format=posix")
    names = "\0".join(str(path.relative_to("/")) for path in paths)
    mount.run(
        "tar", "--create", "--file", archive, *ours, "--no-recursion", "--directory=/", "--null", "--files-from=-",
        text=names,
    )  # fmt: skip


def is_unchanged(first: Mount, second: Mount, archive: Path, local: Path) -> None:
    """What came out of the archive in the first mount is in the second what it is on a local disk."""
    local.mkdir()
    for place in (local, first.path):
        first.run("tar", "--extract", "--same-permissions", "--file", archive, "--directory", place)
    assert first.run("tar", "--compare", "--file", archive, "--directory", first.path) == ""
    first.unmount()

    second.start()
    assert second.run("tar", "--compare", "--file", archive, "--directory", second.path) == ""
    second.run("diff", "-r", "--no-dereference", local, second.path)
    assert described(second.path / "usr/share") == described(local / "usr/share")


def test_a_part_of_usr_share_is_unchanged(first: Mount, second: Mount, tmp_path: Path) -> None:
    """Programs' data, documentation, links within it and out of it."""
    archive = tmp_path / "share.tar"
    packed(first, archive, some_of(SHARE))

    is_unchanged(first, second, archive, tmp_path / "local")


@pytest.mark.long
def test_all_of_usr_share_is_unchanged(first: Mount, second: Mount, tmp_path: Path) -> None:
    """Tens of thousands of files and thousands of links."""
    archive = tmp_path / "share.tar"
    packed(first, archive, [SHARE, *sorted(SHARE.rglob("*"))])

    is_unchanged(first, second, archive, tmp_path / "local")


def test_a_work_tree_of_git_is_clean_in_another_mount(first: Mount, second: Mount) -> None:
    """With links and executables; git finds out by itself that both are kept."""
    work = first.path / "work"
    first.run(*GIT, "init", "--quiet", work)
    (work / "run").write_bytes(b"#!/bin/sh\necho it runs\n")
    (work / "run").chmod(0o755)
    (work / "docs").mkdir()
    (work / "docs/manual").write_bytes(b"words\n")
    (work / "manual").symlink_to("docs/manual")
    (work / "nowhere").symlink_to("/not/there")
    first.run(*GIT, "add", ".", cwd=work)
    first.run(*GIT, "commit", "--quiet", "-m", "first", cwd=work)
    assert first.run("git", "config", "core.fileMode", cwd=work) == "true\n"
    before = described(work, folders_dated=False)
    first.unmount()

    second.start()
    there = second.path / "work"
    assert described(there, folders_dated=False) == before
    assert second.run("git", "-c", f"safe.directory={there}", "status", "--porcelain", cwd=there) == ""
    assert second.run("git", "ls-files", "--stage", cwd=there).split()[::4] == ["100644", "120000", "120000", "100755"]
    assert second.run(there / "run") == "it runs\n"
    assert (there / "manual").read_bytes() == b"words\n"


def test_a_virtual_environment_works_in_another_mount(first: Mount, second: Mount) -> None:
    """Its interpreter is a link, its scripts are executable."""
    first.run(sys.executable, "-m", "venv", "--without-pip", "--symlinks", first.path / "venv")
    before = described(first.path / "venv", folders_dated=False)
    first.unmount()

    second.start()
    there = second.path / "venv"
    said = second.run(there / "bin/python", "-c", "import sys; print(sys.prefix != sys.base_prefix, sys.prefix)")
    assert described(there, folders_dated=False) == before
    assert said.split() == ["True", str(there)]


def test_copies_with_all_attributes_are_unchanged(first: Mount, second: Mount, tmp_path: Path) -> None:
    """`rsync -aX` and `cp -a`, in and out again, with extended attributes."""
    local = tmp_path / "local"
    (local / "folder").mkdir(parents=True)
    (local / "folder/file").write_bytes(b"content")
    (local / "folder/link").symlink_to("file")
    for path, colour in ((local / "folder", b"blue"), (local / "folder/file", b"red\0\xff")):
        with contextlib.suppress(OSError):  # a file system without: then there are those that are set in the mount
            os.setxattr(path, "user.colour", colour)
    (local / "folder/file").chmod(0o640)
    os.utime(local / "folder/file", ns=(1, 1_234_567_890_123_456_789))
    os.utime(local / "folder/link", ns=(1, 1_234_567_890_000_000_001), follow_symlinks=False)
    os.utime(local / "folder", ns=(1, 1_234_567_890_987_654_321))

    first.run("cp", "-a", local, first.path / "by-cp")
    first.run("rsync", "-aX", f"{local}/", first.path / "by-rsync")
    os.setxattr(first.path / "by-cp/folder/file", "user.set-here", b"1")
    first.unmount()
    second.start()
    second.run("rsync", "-aX", f"{second.path}/by-rsync/", tmp_path / "out")

    expected = described(local)
    assert described(second.path / "by-rsync") == described(tmp_path / "out") == expected
    by_cp = described(second.path / "by-cp")
    assert by_cp["folder/file"][-1] == {**described(local)["folder/file"][-1], "user.set-here": b"1"}  # type: ignore[dict-item]
    assert [by_cp[name][:-1] for name in expected] == [expected[name][:-1] for name in expected]
