"""A git clone in a mount whose daemon is killed: what of it is whole afterwards, here and at the server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, wait_until, write_tree

if TYPE_CHECKING:
    from pathlib import Path

GIT = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")


@pytest.mark.parametrize("files", [200, pytest.param(2_000, marks=pytest.mark.long)])
def test_a_clone_is_whole_though_the_daemon_is_killed_half_way_through_its_uploads(
    own_mount: Mount, tmp_path: Path, files: int
) -> None:
    """In the mount after the next start, and in a copy of it that was fetched from the server."""
    source, clones = tmp_path / "source", (own_mount.path / f"clone-{number}" for number in range(10))
    write_tree(source, {f"module-{number % 40}/{number}.txt": os.urandom(600) for number in range(files)})
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "all")):
        own_mount.run(*GIT, *words, cwd=source)
    clone = next(each for each in clones if is_cut_short(own_mount, source, each))

    own_mount.run(*GIT, "fsck", "--full", "--strict", cwd=clone)
    fetched = fetch(own_mount.account, f"/{clone.name}", tmp_path / "fetched")
    own_mount.run(*GIT, "fsck", "--full", "--strict", cwd=fetched)
    assert own_mount.run(*GIT, "status", "--porcelain", cwd=fetched) == ""


def is_cut_short(mount: Mount, source: Path, clone: Path) -> bool:
    """Clones, kills the daemon when the first of it is at the server, and starts it again: whether more came then."""
    mount.run(*GIT, "clone", "--quiet", "--no-hardlinks", source, clone)
    wait_until(lambda: os.getxattr(clone / ".git/HEAD", "user.cx.status") == b"synced", deadline_s=120)
    mount.kill()
    wait_until(lambda: not mount.is_served)
    at_the_kill = len(mount.account.tree(f"/{clone.name}"))
    mount.start()
    mount.run(*GIT, "fsck", "--full", "--strict", cwd=clone)
    assert mount.run(*GIT, "status", "--porcelain", cwd=clone) == ""
    assert mount.cxfs("sync", "--all", "--quiet").returncode == 0
    return len(mount.account.tree(f"/{clone.name}")) > at_the_kill


def fetch(account: Account, folder: str, to: Path) -> Path:
    """A copy of a folder at the server, by the API alone."""
    to.mkdir()
    for entry in account.entries(folder):
        path = f"{folder}/{entry['name']}"
        if entry["isDir"]:
            fetch(account, path, to / entry["name"])
        else:
            (to / entry["name"]).write_bytes(account.content(path))
    return to
