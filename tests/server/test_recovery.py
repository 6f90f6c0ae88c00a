"""What a crash leaves: the process dies after each step of an upload in turn, and the directory is opened anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from cxfs.server.accounts import Caller
from cxfs.server.changes import Upload, put
from cxfs.server.store import Store, open_store
from cxfs.server.trees import find
from cxfs.server.wire import TreePath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxfs.server.contents import Arrival

NOTE = TreePath("self", ("note",))
STEPS = ["written", "synced", "recorded", "placed", "committed"]


class Died(BaseException):
    """The process ended here."""


def upload(store: Store, caller: Caller, content: bytes, *, dies_after: str | None = None) -> Arrival:
    """The steps of an upload in their order; what it leaves when it dies after one of them."""

    def step(name: str) -> None:
        if name == dies_after:
            raise Died(name)

    arrival = store.contents.arrival()
    arrival.write(content)
    step("written")
    arrival.sync()
    arrival.close()
    step("synced")
    with store.transaction() as connection:
        put(connection, caller, NOTE, arrival.content, Upload(""), now=1)
        step("recorded")
        store.contents.keep(arrival)
        step("placed")
    step("committed")
    return arrival


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of a server whose user Ann has a note that says `old`."""
    with open_store(tmp_path / "server") as store:
        administration.add_user(store, "ann")
        upload(store, ann_of(store), b"old")
    return tmp_path / "server"


def ann_of(store: Store) -> Caller:
    """Signed in."""
    account = administration.list_users(store)[0]
    return Caller(account.number, account.id)


def note_of(store: Store) -> tuple[int, bytes]:
    """Version and content."""
    node = find(store.reader, ann_of(store), NOTE)
    descriptor = store.contents.open(node.sha256)
    try:
        return node.version, os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)


@pytest.fixture
def abandoned() -> Iterator[list[Store]]:
    """Stores of processes that died: nothing of them is cleaned up until the test is over."""
    stores: list[Store] = []
    yield stores
    for store in stores:
        store.close()


@pytest.mark.parametrize("dies_after", STEPS)
def test_a_crash_leaves_the_old_version_or_the_new_one(
    directory: Path, abandoned: list[Store], dies_after: str
) -> None:
    """And never half of one; what was left over is gone after the next start."""
    dying = Store(directory)
    with pytest.raises(Died):
        upload(dying, ann_of(dying), b"new", dies_after=dies_after)
    die(dying, abandoned)

    with open_store(directory) as store:
        store.recover()
        seen = note_of(store)
        contents = {path.read_bytes() for path in (directory / "content").rglob("*") if path.is_file()}
        arriving = [path for path in (directory / "incoming").rglob("*") if path.is_file() and path.name != "lock"]

    assert seen == ((2, b"new") if dies_after == "committed" else (1, b"old"))
    assert contents == ({b"old", b"new"} if dies_after == "committed" else {b"old"})
    assert arriving == []


def die(store: Store, abandoned: list[Store]) -> None:
    """What the kernel does to a killed process: its locks are let go, its files stay."""
    os.close(store.contents._lock)
    store.contents._lock = -1
    abandoned.append(store)


def test_a_start_leaves_the_uploads_of_a_living_process_alone(directory: Path) -> None:
    """An import may be running beside the server that starts."""
    with open_store(directory) as importing, importing.contents.arrival() as arrival:
        arrival.write(b"half")
        with open_store(directory) as starting:
            starting.recover()
        arrival.write(b" whole")
        arrival.sync()
        with importing.transaction() as connection:
            put(connection, ann_of(importing), NOTE, arrival.content, Upload(""), now=1)
            importing.contents.keep(arrival)

        assert note_of(importing) == (2, b"half whole")


def test_a_content_that_is_wanted_again_is_not_swept(directory: Path) -> None:
    """Deleted here, uploaded there: the sweep asks again before it removes."""
    with open_store(directory) as store:
        with store.transaction() as connection:
            (number,) = connection.execute("SELECT number FROM contents").fetchone()
            connection.execute("INSERT INTO unused VALUES (?)", (number,))

        store.sweep()

        assert note_of(store) == (1, b"old")


def test_a_directory_of_a_newer_server_is_refused(directory: Path) -> None:
    """Rather than damaged."""
    with open_store(directory) as store, store.transaction() as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(administration.ServerError, match="newer"), open_store(directory):
        pass
