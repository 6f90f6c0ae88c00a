"""Programs that lean on the fine print of a file system: git's object store and SQLite's journals."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, wait_until, write_tree

if TYPE_CHECKING:
    from pathlib import Path

GIT = ("git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")


@pytest.fixture
def repository(mount: Mount, tmp_path: Path) -> Path:
    """A bare repository on the local disk with three commits of thirty files."""
    work, bare = tmp_path / "work", tmp_path / "bare.git"
    work.mkdir()
    mount.run(*GIT, "init", "--quiet", work)
    for commit in range(3):
        write_tree(work, {f"module-{number}/source.txt": os.urandom(2000) for number in range(30)})
        mount.run(*GIT, "add", ".", cwd=work)
        mount.run(*GIT, "commit", "--quiet", "-m", f"commit {commit}", cwd=work)
    mount.run(*GIT, "clone", "--quiet", "--bare", work, bare)
    return bare


def test_git_clones_a_repository_that_fsck_finds_whole(mount: Mount, folder: Path, repository: Path) -> None:
    """Every object is there and is what its name says, and the work tree is clean."""
    mount.run(*GIT, "clone", "--quiet", repository, folder / "clone")

    mount.run(*GIT, "fsck", "--full", "--strict", cwd=folder / "clone")
    assert mount.run(*GIT, "status", "--porcelain", cwd=folder / "clone") == ""


def test_git_commits_and_pushes_from_a_clone_in_the_mount(mount: Mount, folder: Path, repository: Path) -> None:
    """Lock files, renames over existing files and read-only objects all do what git expects."""
    mount.run(*GIT, "clone", "--quiet", repository, folder / "clone")
    (folder / "clone" / "new.txt").write_bytes(b"committed in the mount\n")
    mount.run(*GIT, "add", "new.txt", cwd=folder / "clone")

    mount.run(*GIT, "commit", "--quiet", "-m", "from the mount", cwd=folder / "clone")

    mount.run(*GIT, "push", "--quiet", "origin", "main", cwd=folder / "clone")
    assert mount.run(*GIT, "status", "--porcelain", cwd=folder / "clone") == ""
    assert mount.run(*GIT, "show", "main:new.txt", cwd=repository) == "committed in the mount\n"
    mount.run(*GIT, "fsck", "--full", cwd=folder / "clone")


def test_a_git_repository_is_whole_after_a_remount(own_mount: Mount) -> None:
    """Everything of it reached the server, in the state of its last commit."""
    repository = own_mount.path / "repository"
    own_mount.run(*GIT, "init", "--quiet", repository)
    write_tree(repository, {f"file-{number}": os.urandom(500) for number in range(40)})
    own_mount.run(*GIT, "add", ".", cwd=repository)
    own_mount.run(*GIT, "commit", "--quiet", "-m", "first", cwd=repository)
    own_mount.run(*GIT, "gc", "--quiet", cwd=repository)

    own_mount.remount()

    own_mount.run(*GIT, "fsck", "--full", "--strict", cwd=repository)
    assert own_mount.run(*GIT, "status", "--porcelain", cwd=repository) == ""


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_sqlite_keeps_a_database_whole_with_every_journal(mount: Mount, folder: Path, journal: str) -> None:
    """Locks, a journal that comes and goes, and for WAL a shared memory map beside the database."""
    statements = f"""
        PRAGMA journal_mode = {journal};
        CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
            INSERT INTO words SELECT i, hex(randomblob(50)) FROM n;
        UPDATE words SET word = 'even' WHERE number % 2 = 0;
        DELETE FROM words WHERE number % 5 = 0;
    """

    mount.run("sqlite3", folder / "db", text=statements)

    checked = mount.run("sqlite3", folder / "db", "PRAGMA integrity_check; SELECT count(*) FROM words;")
    assert checked.split() == ["ok", "1600"]


def test_sqlite_rolls_back_what_was_not_committed(mount: Mount, folder: Path) -> None:
    """The database is what it was before, also in the eyes of the next program."""
    mount.run("sqlite3", folder / "db", "CREATE TABLE t (x); INSERT INTO t VALUES ('kept');")

    mount.run("sqlite3", folder / "db", "BEGIN; DELETE FROM t; INSERT INTO t VALUES ('dropped'); ROLLBACK;")

    assert mount.run("sqlite3", folder / "db", "SELECT x FROM t").split() == ["kept"]


def test_sqlite_programs_wait_for_each_other(mount: Mount, folder: Path) -> None:
    """Four writers at once: their locks keep them apart, and every row is there."""
    mount.run("sqlite3", folder / "db", "CREATE TABLE rows (writer, number);")
    writer = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
for number in range(10):
    database.execute("INSERT INTO rows VALUES (?, ?)", (sys.argv[2], number))
database.close()
"""

    writers = [mount.spawn(writer, folder / "db", f"writer {number}") for number in range(4)]
    statuses = [mount.ending_of(process) for process in writers]

    assert statuses == [0, 0, 0, 0]
    checked = mount.run(
        "sqlite3", folder / "db", "PRAGMA integrity_check; SELECT count(DISTINCT writer||number) FROM rows"
    )
    assert checked.split() == ["ok", "40"]


def test_a_sqlite_database_is_the_same_file_at_the_server(mount: Mount, account: Account, folder: Path) -> None:
    """What was written page by page is uploaded as the whole that it is."""
    mount.run("sqlite3", folder / "db", "CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(500000));")
    mount.run("sqlite3", folder / "db", "UPDATE t SET x = randomblob(500000);")
    written = checksum((folder / "db").read_bytes())

    uploaded = eventually(lambda: account.tree(mount.address(folder)), {"db": written})

    assert uploaded == {"db": written}
    wait_until(lambda: os.getxattr(folder / "db", "user.cx.status") == b"synced")


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
