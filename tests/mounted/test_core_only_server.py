"""A server with nothing but the documented core: no capabilities, versions, Range, ETag or attributes. All the same."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import minimal_server
from tests.mounting import Account, Mount, checksum, eventually, tree_of, wait_until, write_tree
from tests.server_process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def accepts(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """The one account of a minimal server that runs over plain HTTP on loopback."""
    token, port = secrets.token_hex(16), free_port()
    process = subprocess.Popen(
        [sys.executable, minimal_server.__file__, "--port", str(port)],
        env={**os.environ, "CX_TOKEN": token},
    )
    account = Account(f"http://127.0.0.1:{port}", token)
    try:
        wait_until(lambda: accepts(port))
        yield account
    finally:
        account.close()
        process.terminate()
        process.wait(20)


@pytest.fixture
def folder(mount: Mount, request: pytest.FixtureRequest) -> Path:
    """An empty folder for one test alone."""
    made = mount.path / str(request.node.name)
    made.mkdir()
    return made


def test_a_file_is_written_and_read_back(mount: Mount, account: Account, folder: Path) -> None:
    """Here and at the server."""
    (folder / "file").write_bytes(b"plain")

    written = {"file": checksum(b"plain")}
    assert tree_of(folder) == written
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


def test_a_file_is_overwritten_appended_to_and_cut(mount: Mount, account: Account, folder: Path) -> None:
    """Each step begins from what the server has."""
    for name in ("overwritten", "appended", "cut"):
        (folder / name).write_bytes(b"first content")
    mount.remount()

    (folder / "overwritten").write_bytes(b"second")
    mount.run("sh", "-c", "printf ' and more' >> appended", cwd=folder)
    os.truncate(folder / "cut", 5)

    changed = {
        "overwritten": checksum(b"second"),
        "appended": checksum(b"first content and more"),
        "cut": checksum(b"first"),
    }
    assert tree_of(folder) == changed
    assert eventually(lambda: account.tree(mount.address(folder)), changed) == changed


def test_a_change_by_another_client_is_noticed_before_it_is_overwritten(
    mount: Mount, account: Account, folder: Path
) -> None:
    """The server compares no versions, so the client does: neither side is lost."""
    (folder / "file").write_bytes(b"common")
    wait_until(lambda: os.getxattr(folder / "file", "user.cx.status") == b"synced")
    with (folder / "file").open("r+b") as file:
        file.write(b"ours, and longer")

        account.put(mount.address(folder / "file"), b"theirs")

    wait_until(lambda: len(account.names(mount.address(folder))) == 2)
    assert set(account.tree(mount.address(folder)).values()) == {checksum(b"theirs"), checksum(b"ours, and longer")}


def test_renames_move_what_they_name(mount: Mount, account: Account, folder: Path) -> None:
    """Files that are there, files that are not there yet, and folders with all below."""
    write_tree(folder, {"folder/file": b"inside", "there": b"there"})
    wait_until(lambda: account.names(mount.address(folder)) == {"folder", "there"})
    (folder / "new").write_bytes(b"new")

    (folder / "folder").rename(folder / "moved")
    (folder / "there").rename(folder / "moved/there")
    (folder / "new").rename(folder / "moved/new")

    moved = {
        "moved": "folder",
        "moved/file": checksum(b"inside"),
        "moved/there": checksum(b"there"),
        "moved/new": checksum(b"new"),
    }
    assert tree_of(folder) == moved
    assert eventually(lambda: account.tree(mount.address(folder)), moved) == moved


def test_a_rename_over_an_existing_file_replaces_it(mount: Mount, account: Account, folder: Path) -> None:
    """Whether or not the server knows the one that comes."""
    write_tree(folder, {"a": b"was a", "b": b"was b", "c": b"was c"})
    wait_until(lambda: account.names(mount.address(folder)) == {"a", "b", "c"})
    (folder / "new").write_bytes(b"new")

    (folder / "a").rename(folder / "b")
    (folder / "new").rename(folder / "c")

    replaced = {"b": checksum(b"was a"), "c": checksum(b"new")}
    assert tree_of(folder) == replaced
    assert eventually(lambda: account.tree(mount.address(folder)), replaced) == replaced


def test_rmdir_of_a_folder_that_holds_something_is_refused(mount: Mount, account: Account, folder: Path) -> None:
    """This server would delete it with all that is in it: the client must not ask."""
    write_tree(folder, {"full/precious": b"kept"})
    (folder / "full-elsewhere").mkdir()
    (folder / "empty").mkdir()
    wait_until(lambda: "full-elsewhere" in account.names(mount.address(folder)))
    account.put(f"{mount.address(folder)}/full-elsewhere/theirs", b"put there since")
    (folder / "empty").rmdir()

    refused = [mount.attempt("rmdir", folder / name).returncode for name in ("full", "full-elsewhere")]

    assert refused == [1, 0]  # what somebody else has put there since is found when the server is to be told
    kept = {
        "full": "folder",
        "full/precious": checksum(b"kept"),
        "full-elsewhere": "folder",
        "full-elsewhere/theirs": checksum(b"put there since"),
    }
    assert eventually(lambda: account.tree(mount.address(folder)), kept) == kept


def test_cp_r_and_rm_r(mount: Mount, account: Account, folder: Path, tmp_path: Path) -> None:
    """A tree in, and out of the world again."""
    copied = write_tree(tmp_path / "tree", {f"f-{n % 4}/file-{n}": os.urandom(n * 1000) for n in range(30)})

    mount.run("cp", "-r", tmp_path / "tree", folder)

    assert eventually(lambda: account.tree(mount.address(folder / "tree")), copied) == copied
    assert tree_of(folder / "tree") == copied
    mount.run("rm", "-r", folder / "tree")
    assert eventually(lambda: account.names(mount.address(folder)), set[str]()) == set()


def test_random_reads_are_right_though_every_answer_is_the_whole_file(
    mount: Mount, account: Account, folder: Path
) -> None:
    """A 200 to a request for a range is the whole file, not the range."""
    stored = os.urandom(8 << 20)
    wait_until(lambda: mount.address(folder).strip("/") in account.names())
    mount.unmount()
    account.put(mount.address(folder / "large"), stored)
    mount.start()
    places = [(5_000_000, 1000), (0, 10), ((8 << 20) - 5, 100), ((1 << 20) - 3, 7)]

    with (folder / "large").open("rb", buffering=0) as file:
        read = [os.pread(file.fileno(), size, offset) for offset, size in places]

    assert read == [stored[offset : offset + size] for offset, size in places]
    assert tree_of(folder) == {"large": checksum(stored)}


def test_times_are_kept_for_the_life_of_the_mount(mount: Mount, folder: Path, tmp_path: Path) -> None:
    """The server knows only its own: rsync still sends nothing twice while the mount lives."""
    write_tree(tmp_path / "tree", {"file": b"dated"})
    os.utime(tmp_path / "tree/file", (1_350_941_207, 1_350_941_207))

    mount.run("rsync", "-a", f"{tmp_path}/tree/", folder)

    at_first = (folder / "file").stat().st_mtime
    wait_until(lambda: os.getxattr(folder / "file", "user.cx.status") == b"synced")
    assert [at_first, (folder / "file").stat().st_mtime] == [1_350_941_207, 1_350_941_207]
    assert mount.run("rsync", "-a", "--itemize-changes", f"{tmp_path}/tree/", folder) == ""


def test_git_works(mount: Mount, folder: Path) -> None:
    """The fine print of a file system does not hang on the fine print of a server."""
    git = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    write_tree(folder, {f"file-{number}": b"%d" % number for number in range(10)})
    mount.run(*git, "init", "--quiet", folder)
    mount.run(*git, "add", ".", cwd=folder)

    mount.run(*git, "commit", "--quiet", "-m", "first", cwd=folder)

    mount.run(*git, "fsck", "--full", cwd=folder)
    assert mount.run(*git, "status", "--porcelain", cwd=folder) == ""
