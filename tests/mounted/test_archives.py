"""tar and rsync: whole trees in and out, with their times, and what is the same is not carried twice."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, tree_of, wait_until, write_tree

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN_S = 1_350_941_207
"""2012-10-22T21:26:47Z: what every file of the tree says it was last changed at."""


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A tree on the local disk whose times are long ago, its folders' as well."""
    tree = tmp_path / "local"
    write_tree(
        tree,
        {f"part-{part}/file-{number}": os.urandom(1000 * number) for part in range(4) for number in range(12)}
        | {"large": os.urandom(4 << 20), "names/a b": b"space", "names/ü": "ü".encode()},
    )
    for path in [tree, *tree.rglob("*")]:
        os.utime(path, (WRITTEN_S, WRITTEN_S))
    return tree


def transferred(statistics: str) -> tuple[int, int]:
    """Files and bytes of content that `rsync --stats` says were sent."""
    files = re.search(r"Number of regular files transferred: ([\d,]+)", statistics)
    size = re.search(r"Literal data: ([\d,]+)", statistics)
    assert files is not None
    assert size is not None
    return int(files[1].replace(",", "")), int(size[1].replace(",", ""))


def unpack(mount: Mount, tmp_path: Path) -> dict[str, str]:
    """What packed.tar holds."""
    (tmp_path / "unpacked").mkdir()
    mount.run("tar", "--extract", "--file", tmp_path / "packed.tar", cwd=tmp_path / "unpacked")
    return tree_of(tmp_path / "unpacked")


def test_tar_extracts_into_the_mount_what_compare_finds_unchanged(mount: Mount, folder: Path, local: Path) -> None:
    """`tar --compare` looks at content, size, time, owner and mode of every file."""
    archive = local.parent / "local.tar"
    mount.run("tar", "--create", "--file", archive, "local", cwd=local.parent)

    mount.run("tar", "--extract", "--file", archive, cwd=folder)

    assert mount.run("tar", "--compare", "--file", archive, cwd=folder) == ""
    assert tree_of(folder / "local") == tree_of(local)


def test_tar_packs_from_the_mount_what_the_server_holds(own_account: Account, tmp_path: Path) -> None:
    """Size and content agree in every header, though nothing was here before."""
    content = {f"file-{number}": os.urandom(50_000 * number) for number in range(8)}
    for name, stored in content.items():
        own_account.put(f"/{name}", stored)

    with Mount(own_account, tmp_path / "home") as mount:
        mount.run("tar", "--create", "--file", tmp_path / "packed.tar", "--directory", mount.path, ".")
        unpacked = unpack(mount, tmp_path)

    assert unpacked == {name: checksum(stored) for name, stored in content.items()}


def test_tar_packs_a_tree_that_is_still_being_uploaded(
    mount: Mount, account: Account, folder: Path, local: Path, tmp_path: Path
) -> None:
    """No file or folder changes under its hands, as tar would complain, because uploads end meanwhile."""
    mount.run("cp", "-r", local, folder)
    wait_until(lambda: len(account.names(mount.address(folder / "local"))) > 0)

    mount.run("tar", "--create", "--file", tmp_path / "packed.tar", "--directory", folder / "local", ".")

    assert unpack(mount, tmp_path) == tree_of(local)


def test_rsync_a_brings_content_and_times(mount: Mount, account: Account, folder: Path, local: Path) -> None:
    """Written under a temporary name, renamed, dated: at the server it is one file with the right time."""
    copied = tree_of(local)

    mount.run("rsync", "-a", f"{local}/", folder)

    assert tree_of(folder) == copied
    assert {path.stat().st_mtime for path in folder.rglob("*")} == {WRITTEN_S}
    assert eventually(lambda: account.tree(mount.address(folder)), copied) == copied
    assert account.describe(mount.address(folder / "large"))["modified"] == "2012-10-22T21:26:47.000Z"


def test_rsync_a_transfers_nothing_the_second_time(mount: Mount, folder: Path, local: Path) -> None:
    """Sizes and times are still those that it set, whether or not the uploads are done."""
    mount.run("rsync", "-a", f"{local}/", folder)

    said = mount.run("rsync", "-a", "--stats", "--itemize-changes", f"{local}/", folder)

    assert transferred(said) == (0, 0), said


def test_rsync_a_transfers_nothing_after_a_remount(own_mount: Mount, local: Path) -> None:
    """The times are at the server, not in the memory of one daemon."""
    own_mount.run("rsync", "-a", f"{local}/", own_mount.path)
    own_mount.remount()

    said = own_mount.run("rsync", "-a", "--stats", "--itemize-changes", f"{local}/", own_mount.path)

    assert transferred(said) == (0, 0), said


def test_rsync_a_out_of_the_mount_is_identical(mount: Mount, folder: Path, local: Path, tmp_path: Path) -> None:
    """There and back again."""
    mount.run("rsync", "-a", f"{local}/", folder)

    mount.run("rsync", "-a", f"{folder}/", tmp_path / "back")

    assert tree_of(tmp_path / "back") == tree_of(local)


def test_rsync_inplace_changes_a_file_where_it_stands(
    mount: Mount, account: Account, folder: Path, tmp_path: Path
) -> None:
    """Without a temporary file: the object keeps its UUID and gets a new version."""
    before = os.urandom(2 << 20)
    uuid = account.put(mount.address(folder / "image"), before)["id"]
    after = before[: 1 << 20] + b"changed" + before[(1 << 20) + 7 :]
    (tmp_path / "image").write_bytes(after)

    mount.run("rsync", "-a", "--inplace", "--no-whole-file", "--checksum", tmp_path / "image", folder)

    changed = {"image": checksum(after)}
    assert tree_of(folder) == changed
    assert eventually(lambda: account.tree(mount.address(folder)), changed) == changed
    assert account.describe(mount.address(folder / "image"))["id"] == uuid


def test_rsync_delete_removes_what_the_source_has_no_more(
    mount: Mount, account: Account, folder: Path, local: Path
) -> None:
    """A mirror is a mirror: folders that became empty go as well."""
    mount.run("rsync", "-a", f"{local}/", folder)
    mount.run("rm", "-r", local / "part-1", local / "large")
    left = tree_of(local)

    mount.run("rsync", "-a", "--delete", f"{local}/", folder)

    assert tree_of(folder) == left
    assert eventually(lambda: account.tree(mount.address(folder)), left) == left
