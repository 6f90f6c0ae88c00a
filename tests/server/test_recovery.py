"""What a crash leaves: the process dies after each step of an upload in turn, and the directory is opened anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from cxfs.server.accounts import Caller
from cxfs.server.changes import Upload, put, remove
from cxfs.server.folder import Folder
from cxfs.server.limits import SMALL_BYTES_MAX
from cxfs.server.sources import opened, whole
from cxfs.server.store import Store, make_store, open_store
from cxfs.server.trees import find
from cxfs.server.wire import TreePath
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTES = [TreePath("self", (name,)) for name in ("first", "second", "third")]
STEPS = ["written", "synced", "recorded", "placed", "committed"]


class Died(BaseException):
    """The process ended here."""


def upload(
    store: Store, caller: Caller, content: bytes, *, notes: list[TreePath] = NOTES, dies_after: str | None = None
) -> None:
    """The steps of an upload in their order, or those of a bundle; what it leaves when it dies after one of them."""

    def step(name: str) -> None:
        if name == dies_after:
            raise Died(name)

    arrivals = [store.contents.arrival() for _ in notes]
    for number, arrival in enumerate(arrivals):
        arrival.write(content + b"%d" % number)
    step("written")
    for arrival in arrivals:
        arrival.sync()
        arrival.close()
    step("synced")
    with store.transaction() as connection:
        for note, arrival in zip(notes, arrivals, strict=True):
            put(connection, caller, note, arrival.content, Upload(""), now=1)
        step("recorded")
        store.contents.keep(connection, *arrivals)
        step("placed")
    step("committed")


@pytest.fixture(params=[1, SMALL_BYTES_MAX], ids=["rows", "files"])
def times(request: pytest.FixtureRequest) -> int:
    """How often a word stands in a content: little ones are kept as rows, large ones as files."""
    found = request.param
    assert isinstance(found, int)
    return found


@pytest.fixture
def directory(tmp_path: Path, times: int) -> Path:
    """Of a server whose user Ann has notes that say `old`."""
    with open_store(tmp_path / "server") as store:
        administration.add_user(store, "ann")
        upload(store, ann_of(store), b"old" * times)
    return tmp_path / "server"


def ann_of(store: Store) -> Caller:
    """Signed in."""
    account = administration.list_users(store)[0]
    return Caller(account.number, account.id)


def notes_of(store: Store) -> list[tuple[int, bytes]]:
    """Version and content of each."""
    found: list[tuple[int, bytes]] = []
    for note in NOTES:
        with store.snapshot() as connection:
            node = find(connection, ann_of(store), note)
            source = opened(connection, store.contents, node)
        found.append((node.version, whole(source, node.size)))
        source.close()
    return found


def kept(store: Store) -> set[bytes]:
    """All contents, wherever they are."""
    files = {path.read_bytes() for path in (store.directory / "content").rglob("*") if path.is_file()}
    return files | {content for (content,) in rows(store, "SELECT bytes FROM small")}


def numbered(content: bytes) -> list[bytes]:
    """What the notes say, one after the other."""
    return [content + b"%d" % number for number in range(len(NOTES))]


@pytest.fixture
def abandoned() -> Iterator[list[Store]]:
    """Stores of processes that died: nothing of them is cleaned up until the test is over."""
    stores: list[Store] = []
    yield stores
    for store in stores:
        store.close()


@pytest.mark.parametrize("count", [1, 3], ids=["one", "a bundle"])
@pytest.mark.parametrize("dies_after", STEPS)
def test_a_crash_leaves_the_old_versions_or_the_new_ones(
    directory: Path, abandoned: list[Store], times: int, dies_after: str, count: int
) -> None:
    """And never half of one, nor of a bundle; what was left over is gone after the next start."""
    old, new = numbered(b"old" * times), numbered(b"new" * times)
    dying = make_store(directory)
    with pytest.raises(Died):
        upload(dying, ann_of(dying), b"new" * times, notes=NOTES[:count], dies_after=dies_after)
    die(dying, abandoned)

    with open_store(directory) as store:
        store.recover()
        seen, contents = notes_of(store), kept(store)
        arriving = [path for path in (directory / "incoming").rglob("*") if path.is_file() and path.name != "lock"]

    arrived = count if dies_after == "committed" else 0
    assert seen == [(2, content) for content in new[:arrived]] + [(1, content) for content in old[arrived:]]
    assert contents == {*old, *new[:arrived]}
    assert arriving == []


def die(store: Store, abandoned: list[Store]) -> None:
    """What the kernel does to a killed process: its locks are let go, its files stay."""
    assert isinstance(store.contents, Folder)
    os.close(store.contents._lock)
    store.contents._lock = -1
    abandoned.append(store)


def test_a_start_leaves_the_uploads_of_a_living_process_alone(directory: Path) -> None:
    """An import may be running beside the server that starts."""
    half = b"half" * SMALL_BYTES_MAX
    with open_store(directory) as importing, importing.contents.arrival() as arrival:
        arrival.write(half)
        with open_store(directory) as starting:
            starting.recover()
        arrival.write(b" whole")
        arrival.sync()
        with importing.transaction() as connection:
            put(connection, ann_of(importing), NOTES[0], arrival.content, Upload(""), now=1)
            importing.contents.keep(connection, arrival)

        assert notes_of(importing)[0] == (2, half + b" whole")


def test_a_content_that_is_wanted_again_is_not_swept(directory: Path, times: int) -> None:
    """Deleted here, uploaded there: the sweep asks again before it removes."""
    with open_store(directory) as store:
        with store.transaction() as connection:
            connection.execute("INSERT INTO unused SELECT number FROM contents")

        store.sweep()

        assert notes_of(store) == [(1, content) for content in numbered(b"old" * times)]


def test_what_nobody_wants_any_more_is_swept(directory: Path) -> None:
    """A row as well as a file."""
    with open_store(directory) as store:
        with store.transaction() as connection:
            for note in NOTES:
                remove(connection, ann_of(store), note, recursive=False, now=1)

        store.sweep()

        assert kept(store) == set()


def test_a_directory_of_a_newer_server_is_refused(directory: Path) -> None:
    """Rather than damaged."""
    with open_store(directory) as store, store.transaction() as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(administration.ServerError, match="newer"), open_store(directory):
        pass
