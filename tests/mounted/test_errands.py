"""Folders and deletions that are on their way, through the real kernel: nothing is lost, and nothing left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, CountingServer, Mount, eventually, tree_of, wait_until, write_tree

if TYPE_CHECKING:
    from pathlib import Path

GIT = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
WRITTEN_S = 1_350_941_207


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Two hundred small files in ten folders on the local disk, all with a time of long ago."""
    local = tmp_path / "local"
    write_tree(local, {f"part-{number % 10}/file-{number}": os.urandom(500) for number in range(200)})
    for path in (*local.rglob("*"), local):
        os.utime(path, (WRITTEN_S, WRITTEN_S))
    return local


def test_deletions_and_folders_survive_a_kill_of_the_daemon(
    running_server: CountingServer, own_account: Account, local: Path, tmp_path: Path
) -> None:
    """`rm -r` and `mkdir -p` have returned, and the server has not heard of either when it strikes."""
    running_server.import_tree(local, own_account, "/old")
    with Mount(own_account, tmp_path / "home") as mount:
        mount.run("rm", "-r", mount.path / "old/part-0")
        mount.run("mkdir", "-p", mount.path / "new/deep")
        (mount.path / "new/deep/file").write_bytes(b"content")

        mount.kill()
        pending = own_account.tree()

        assert "old/part-0/file-0" in pending
        assert "new" not in pending
        wait_until(lambda: not mount.is_served)
        mount.start()
        left = tree_of(mount.path)
        assert "old/part-0" not in left
        assert "new/deep/file" in left
        assert eventually(own_account.tree, left) == left


def test_a_file_deleted_while_open_goes_though_the_daemon_is_killed(own_mount: Mount, own_account: Account) -> None:
    """Nobody can close it any more; the next mount does what the last close would have done."""
    (own_mount.path / "file").write_bytes(b"content")
    assert eventually(own_account.names, {"file"}) == {"file"}
    with own_mount.spawn(
        "import os, sys; file = open(sys.argv[1], 'rb'); os.unlink(sys.argv[1]); print('gone', flush=True); input()",
        own_mount.path / "file",
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()

        own_mount.kill()
        program.kill()

    assert own_account.names() == {"file"}
    wait_until(lambda: not own_mount.is_served)
    own_mount.start()
    assert list(own_mount.path.iterdir()) == []
    assert eventually(own_account.names, set[str]()) == set()


def test_a_tree_is_unpacked_and_removed(mount: Mount, account: Account, folder: Path, local: Path) -> None:
    """All of it is at the server in the end, and all of it is gone from there in the end."""
    mount.run("tar", "--create", "--file", local.parent / "packed.tar", "--directory", local.parent, "local")

    mount.run("tar", "--extract", "--file", local.parent / "packed.tar", "--directory", folder)

    unpacked = tree_of(local)
    assert tree_of(folder / "local") == unpacked
    assert eventually(lambda: account.tree(mount.address(folder / "local")), unpacked) == unpacked
    mount.run("rm", "-r", folder / "local")
    assert list(folder.iterdir()) == []
    assert eventually(lambda: account.names(mount.address(folder)), set[str]()) == set()


def test_a_tree_that_is_removed_while_it_is_being_sent_leaves_nothing(
    mount: Mount, account: Account, folder: Path, local: Path
) -> None:
    """Whatever has arrived by then is found and deleted."""
    mount.run("cp", "-r", local, folder)
    wait_until(lambda: len(account.tree(mount.address(folder / "local"))) > 0)

    mount.run("rm", "-r", folder / "local")

    assert list(folder.iterdir()) == []
    assert eventually(lambda: account.names(mount.address(folder)), set[str]()) == set()


def test_a_clone_that_is_removed_at_once_leaves_nothing(
    mount: Mount, account: Account, folder: Path, local: Path
) -> None:
    """git makes and removes names faster than any server is told of them."""
    mount.run(*GIT, "init", "--quiet", local)
    mount.run(*GIT, "add", ".", cwd=local)
    mount.run(*GIT, "commit", "--quiet", "-m", "first", cwd=local)

    mount.run(*GIT, "clone", "--quiet", local, folder / "clone")
    mount.run(*GIT, "fsck", "--full", cwd=folder / "clone")
    mount.run("rm", "-rf", folder / "clone")

    assert list(folder.iterdir()) == []
    mount.remount()
    assert account.names(mount.address(folder)) == set()


def test_rsync_a_sends_nothing_the_second_time_whatever_happened_in_between(
    own_mount: Mount, own_account: Account, local: Path
) -> None:
    """Times of files and folders stay: while uploads wait, when they are done, and after a remount."""
    command = ("rsync", "-a", "--itemize-changes", "--no-perms", "--no-owner", "--no-group", f"{local}/")
    target = own_mount.path / "copy"
    own_mount.run(*command, target)
    copied = tree_of(local)

    while_waiting = own_mount.run(*command, target)
    assert eventually(lambda: own_account.tree("/copy"), copied) == copied
    when_done = own_mount.run(*command, target)
    own_mount.remount()
    after_a_remount = own_mount.run(*command, target)

    assert (while_waiting, when_done, after_a_remount) == ("", "", "")


def test_a_folder_keeps_its_working_directory_when_it_is_sent(mount: Mount, account: Account, folder: Path) -> None:
    """A shell that made the folder and went there goes on working there."""
    (folder / "work").mkdir()
    with mount.spawn(
        "import os, sys; os.chdir(sys.argv[1]); print('there', flush=True); input();"
        "open('late', 'w').write('late'); print(os.listdir('.'), flush=True)",
        folder / "work",
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdout.readline()
        assert eventually(lambda: account.names(mount.address(folder)), {"work"}) == {"work"}

        program.stdin.write("\n")
        program.stdin.flush()

        assert program.stdout.readline() == "['late']\n"
    assert eventually(lambda: account.names(mount.address(folder / "work")), {"late"}) == {"late"}
