"""A mounted account whose server is carried over to PostgreSQL and a bucket: the mount sees a server that was away.

The folder's server is stopped, carried over by the command, which is killed twice on the way, and started again over
the new places at the address that it had. Programs write all the while.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from cxfs.server import administration
from cxfs.server.limits import SMALL_BYTES_MAX
from cxfs.server.migrating import BATCH_CONTENTS
from tests.mounting import Account, Mount, account_of, checksum, eventually, tree_of, wait_until, write_tree
from tests.server.tables import rows
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server_process import Storage

pytestmark = pytest.mark.storage("sqlite+folder")

FEW: Final = BATCH_CONTENTS + 20
MANY: Final = 10_000
PER_FOLDER: Final = 100
LARGE_EVERY: Final = 50
"""One file in so many is too large for the database."""

PATIENT: Final = ("--metadata-ttl", "600", "--negative-ttl", "600", "--feed-ttl", "3600", "--no-notifications")
"""What is seen within a test's patience was told by the feed."""

PATIENCE_S: Final = 120.0
WAITING: Final = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Moving:
    """A server with files in one account, and where it will go. `tree` is what is to be in the account."""

    def __init__(self, server: ServerProcess, account: Account, target: Storage, tree: dict[str, str]) -> None:
        self.server = server
        self.account = account
        self.target = target
        self.tree = tree
        database, bucket = target["database"], target["content"]
        assert database is not None
        assert bucket is not None
        self._database = database
        program = [sys.executable, "-m", "cxfs", "serve", str(server.directory)]
        self._command = [*program, "migrate", "--to", database, "--content", bucket]

    def writes(self, top: Path, path: str, content: bytes) -> None:
        """By a program in the mount at `top`."""
        (top / path).parent.mkdir(exist_ok=True)
        (top / path).write_bytes(content)
        self.tree[path] = checksum(content)

    def starts_over_what_it_was_carried_to(self) -> None:
        """At the same address, with the same certificate."""
        self.server.storage = self.target
        self.server.start()

    def files(self, folder: str = "") -> dict[str, dict[str, Any]]:
        """The File objects of all files by their paths."""
        found: dict[str, dict[str, Any]] = {}
        for entry in self.account.entries(f"/{folder}"):
            path = f"{folder}/{entry['name']}".lstrip("/")
            found |= self.files(path) if entry["isDir"] else {path: entry}
        return found

    def carried_over(self) -> str:
        """By the command, which nothing stops; what it says."""
        done = subprocess.run(self._command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def killed_half_way(self) -> tuple[int, int]:
        """The command, in the middle of the contents, and then with all of them but before the rows.

        How many contents were there after the first time, and how many should have been: whole batches.
        """
        with administration.open_store(self.server.directory) as store:
            numbers = [number for (number,) in rows(store, "SELECT number FROM contents ORDER BY number")]
        half = (len(numbers) // BATCH_CONTENTS + 1) // 2 * BATCH_CONTENTS
        self._killed_at(
            f"INSERT INTO contents (number, sha256, size, sha1, md5) VALUES ({numbers[half]}, 'another', 0, '', '')"
        )
        with self._tables() as tables:
            (there,) = tables.execute("SELECT count(*) FROM contents").fetchone() or (0,)
        self._killed_at("LOCK TABLE feed IN SHARE MODE")
        return there, half

    def _killed_at(self, obstacle: str) -> None:
        """Where it waits for what this statement holds."""
        with self._tables() as tables, self._tables() as other, other.transaction(force_rollback=True):
            other.execute(obstacle.encode())
            with subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True) as process:
                try:
                    wait_until(
                        lambda: process.poll() is not None or tables.execute(WAITING).fetchone() is not None,
                        deadline_s=PATIENCE_S,
                    )
                    assert process.poll() is None, process.communicate()
                finally:
                    process.kill()

    @contextmanager
    def _tables(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._database, autocommit=True) as connection:
            yield connection


@pytest.fixture
def moving(request: pytest.FixtureRequest, tmp_path: Path, storage_named: Callable[[str], Storage]) -> Iterator[Moving]:
    """With so many files of all sizes, some of which have a history."""
    count, chance = int(request.param), Random(request.param)
    sizes = [SMALL_BYTES_MAX + 1 if number % LARGE_EVERY == 0 else chance.randrange(5_000) for number in range(count)]
    files = {f"{number // PER_FOLDER}/{number}": chance.randbytes(size) for number, size in enumerate(sizes)}
    target = storage_named("postgresql+bucket")
    with ServerProcess(tmp_path / "served") as server, account_of(server, "ann") as account:
        tree = write_tree(tmp_path / "in", files)
        with administration.open_store(server.directory) as store:
            administration.import_tree(store, "ann", tmp_path / "in", progress=lambda _files, _bytes: None)
        for path, content in [*files.items()][::LARGE_EVERY]:
            account.put(f"/{path}", content + b", changed")
            tree[path] = checksum(content + b", changed")
        yield Moving(server, account, target, tree)


@pytest.fixture
def mount(moving: Moving, tmp_path: Path) -> Iterator[Mount]:
    """Of the account; it asks for nothing that it would be told of."""
    with Mount(moving.account, tmp_path / "home", *PATIENT, life_s=1_500) as mount:
        says(mount, "told by the server")
        yield mount


def says(mount: Mount, words: str) -> None:
    """Waits until its status does."""
    wait_until(lambda: words in mount.cxfs("status", str(mount.path)).stdout, deadline_s=PATIENCE_S)


@pytest.mark.parametrize("moving", [FEW, pytest.param(MANY, marks=pytest.mark.long)], indirect=True)
def test_a_mount_goes_on_over_what_its_server_was_carried_to(moving: Moving, mount: Mount) -> None:
    """Same UUIDs, versions, tokens and history; what was written before, meanwhile and after it arrives; every file is
    there by its checksum, by the API and through the mount, which knows by the feed what another client does."""
    inodes = {path: (mount.path / path).stat().st_ino for path in [*moving.tree][::2]}
    assert checksum((mount.path / "0/0").read_bytes()) == moving.tree["0/0"]
    moving.writes(mount.path, "before", b"sent before it was stopped")
    says(mount, "all is at the server")
    before, history = moving.files(), moving.account.versions("/0/0")

    with (mount.path / "held open").open("wb") as held:
        held.write(b"begun before, ")
        moving.server.stop()
        moving.writes(mount.path, "0/1", b"a new version")
        moving.writes(mount.path, "folder/large", b"large " * SMALL_BYTES_MAX)
        there, whole_batches = moving.killed_half_way()
        said = moving.carried_over()
        held.write(b"ended after")
    moving.starts_over_what_it_was_carried_to()
    moving.account.put("/elsewhere", b"by another client")
    says(mount, "told by the server")
    moving.writes(mount.path, "after", b"sent after it was started")
    (mount.path / "0/2").rename(mount.path / "folder/renamed")
    (mount.path / "0/3").unlink()
    says(mount, "all is at the server")

    changed = {f"0/{number}" for number in (1, 2, 3)}
    moving.tree |= {"folder": "folder", "folder/renamed": moving.tree.pop("0/2")}
    moving.tree |= {"held open": checksum(b"begun before, ended after"), "elsewhere": checksum(b"by another client")}
    del moving.tree["0/3"]
    after = moving.files()
    assert (there, said.split(",")[0]) == (whole_batches, "0 contents")
    assert eventually(lambda: tree_of(mount.path), moving.tree) == moving.tree == moving.account.tree()
    kept = before.keys() - changed
    assert {path: after.get(path) for path in kept} == {path: before[path] for path in kept}
    assert [after[path]["id"] for path in ("0/1", "folder/renamed")] == [before[path]["id"] for path in ("0/1", "0/2")]
    assert moving.account.versions("/0/0") == history
    assert {path: (mount.path / path).stat().st_ino for path in inodes.keys() - changed} == {
        path: inode for path, inode in inodes.items() if path not in changed
    }
