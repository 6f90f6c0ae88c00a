"""Two processes change one tree at the same moment: one wins, the other gets the error that the contract names."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from cxfs.server import administration, changes
from cxfs.server.accounts import Caller
from cxfs.server.app import make_app
from cxfs.server.arrivals import Content
from cxfs.server.changes import Upload
from cxfs.server.contents import keep_small, know_content, know_contents
from cxfs.server.errors import Refusal
from cxfs.server.wire import TreePath
from tests.mounting import wait_until
from tests.server.person import Person
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxfs.server.arrivals import Arrival
    from cxfs.server.database import Connection
    from cxfs.server.store import Store
    from tests.server_process import Storage

    Change = Callable[[Connection], Any]

ROUNDS = 8
QUOTA_BYTES = 1_000
pytestmark = pytest.mark.storage("sqlite+folder")  # each test goes through both databases by itself


@pytest.fixture(params=["sqlite+folder", "postgresql+folder"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both databases; contents are nothing that is raced for here."""
    named: Callable[[str], Storage] = request.getfixturevalue("storage_named")
    return named(request.param)


@pytest.fixture
def caller(store: Store) -> Caller:
    """A user with an empty tree and little room."""
    administration.add_user(store, "ann", quota_bytes=QUOTA_BYTES)
    account = administration.account_named(store, "ann")
    return Caller(account.number, account.id)


def at(*names: str) -> TreePath:
    """In the caller's own tree."""
    return TreePath("self", names)


def race(stores: tuple[Store, Store], caller: Caller, one: Change, two: Change) -> list[str]:
    """How each ended, the winner first: `ok`, or the type of its error."""
    together = threading.Barrier(2)

    def run(store: Store, change: Change) -> str:
        together.wait(20)
        try:
            with store.transaction([caller.id]) as connection:
                change(connection)
        except Refusal as refused:
            return refused.error_type
        return "ok"

    with ThreadPoolExecutor(2) as threads:
        return sorted(threads.map(run, stores, (one, two)), key=lambda end: (end != "ok", end))


def file_of(size: int) -> Content:
    """What is known of a content of that size; its bytes do not matter here."""
    return Content(size.to_bytes(32), size, "", "")


def test_one_of_two_makes_the_folder(store: Store, other: Store, caller: Caller) -> None:
    """The other one's name is taken."""
    for number in range(ROUNDS):
        make = partial(changes.make_folder, caller=caller, path=at(f"{number}"), now=1)
        assert race((store, other), caller, make, make) == ["ok", "AlreadyExists"]


def test_one_of_two_uploads_is_the_version_after_the_one_seen(store: Store, other: Store, caller: Caller) -> None:
    """The other one's condition does not hold any more."""
    for number in range(ROUNDS):
        new, wanted = file_of(number), Upload("", if_version=number)
        put = partial(changes.put, caller=caller, path=at("note"), content=new, upload=wanted, now=1)
        assert race((store, other), caller, put, put) == ["ok", "VersionConflict"]


def test_two_uploads_without_a_condition_are_two_versions(store: Store, other: Store, caller: Caller) -> None:
    """Neither is lost: the first is history."""
    for number in range(ROUNDS):
        puts = [
            partial(changes.put, caller=caller, path=at("note"), content=file_of(size), upload=Upload(""), now=1)
            for size in (2 * number, 2 * number + 1)
        ]
        assert race((store, other), caller, *puts) == ["ok", "ok"]

    assert rows(store, "SELECT version FROM nodes WHERE name = 'note'") == [(2 * ROUNDS,)]


def test_what_fits_once_is_kept_once(store: Store, other: Store, caller: Caller) -> None:
    """The quota is exact, whoever asks at the same moment."""
    size = QUOTA_BYTES * 6 // 10
    for number in range(ROUNDS):
        puts = [
            partial(
                changes.put, caller=caller, path=at(f"{number} {name}"), content=file_of(size), upload=Upload(""), now=1
            )
            for name in "ab"
        ]
        assert race((store, other), caller, *puts) == ["ok", "QuotaExceeded"]
        with store.transaction([caller.id]) as connection:
            for (name,) in connection.execute("SELECT name FROM nodes WHERE content IS NOT NULL").fetchall():
                changes.remove(connection, caller, at(name), recursive=False, now=1)

    assert rows(store, "SELECT consumed FROM owners") == [(0,)]


def test_one_of_two_moves_finds_it(store: Store, other: Store, caller: Caller) -> None:
    """The other one comes to where it was."""
    for number in range(ROUNDS):
        with store.transaction([caller.id]) as connection:
            changes.make_folder(connection, caller, at(f"from {number}"), now=1)
        moves = [
            partial(changes.move, caller=caller, path=at(f"from {number}"), to=at(to), overwrite=False, now=1)
            for to in (f"to {number}", f"away {number}")
        ]
        assert race((store, other), caller, *moves) == ["ok", "NotFound"]


def test_two_folders_do_not_end_up_in_each_other(store: Store, other: Store, caller: Caller) -> None:
    """One goes into the other; then the other cannot go below itself, or is not where it was."""
    for number in range(ROUNDS):
        with store.transaction([caller.id]) as connection:
            for name in "ab":
                changes.make_folder(connection, caller, at(f"{name}{number}"), now=1)
        moves = [
            partial(
                changes.move,
                caller=caller,
                path=at(f"{one}{number}"),
                to=at(f"{two}{number}", one),
                overwrite=False,
                now=1,
            )
            for one, two in ("ab", "ba")
        ]
        assert race((store, other), caller, *moves) == ["ok", "NotFound"]


def test_a_folder_is_not_emptied_while_it_is_filled(store: Store, other: Store, caller: Caller) -> None:
    """Either the deletion finds something in it, or the upload finds it gone."""
    for number in range(ROUNDS):
        with store.transaction([caller.id]) as connection:
            changes.make_folder(connection, caller, at(f"{number}"), now=1)
        ends = race(
            (store, other),
            caller,
            partial(changes.remove, caller=caller, path=at(f"{number}"), recursive=False, now=1),
            partial(changes.make_folder, caller=caller, path=at(f"{number}", "new"), now=1),
        )
        assert ends in (["ok", "NotEmpty"], ["ok", "NotFound"])


@pytest.mark.parametrize("storage", ["postgresql+folder"], indirect=True)  # in SQLite one change waits for the other
@pytest.mark.parametrize("seen_before", [False, True], ids=["new", "seen in a bundle that was refused"])
def test_two_owners_bring_the_same_contents_in_bundles(
    store: Store, other: Store, caller: Caller, *, seen_before: bool
) -> None:
    """In opposite orders, and both are in the middle of it: neither waits for what the other holds."""
    administration.add_user(store, "ben")
    tokens = [administration.issue_token(store, name) for name in ("ann", "ben")]
    contents = [b"first", b"second", b"third"]
    if seen_before:
        assert bundle(store, tokens[0], contents, ifVersion=7) == [412] * 3

    with ThreadPoolExecutor(2) as threads:
        with suppress(KeyError), store.transaction(()) as connection, arrived(store, b"second") as arrival:
            know_content(connection, arrival.content)
            keep_small(connection, [arrival])
            orders = (contents, contents[::-1])
            ended = [threads.submit(bundle, *asked) for asked in zip((store, other), tokens, orders, strict=True)]
            wait_until(lambda: waiting_in(store) == 2)
            raise KeyError  # it was nothing
        statuses = [each.result(60) for each in ended]

    assert statuses == [[200] * 3] * 2
    assert rows(store, "SELECT count(*) FROM contents") == rows(store, "SELECT count(*) FROM small") == [(3,)]


@pytest.mark.parametrize("storage", ["postgresql+folder"], indirect=True)
def test_what_a_bundle_brings_again_is_not_swept_under_it(store: Store, other: Store, caller: Caller) -> None:
    """Nobody had it any more, and whoever sweeps now leaves it alone."""
    with arrived(store, b"again") as arrival:
        content = arrival.content
        with store.transaction([caller.id]) as connection:
            changes.put(connection, caller, at("first"), content, Upload(""), now=1)
            changes.remove(connection, caller, at("first"), recursive=False, now=1)
        with store.transaction([caller.id]) as connection:
            number = know_contents(store.database, connection, [content]).numbers[content.sha256]
            other.sweep()
            changes.put(connection, caller, at("again"), content, Upload(""), now=1, number=number)
            store.contents.keep(connection, arrival)

    assert rows(store, "SELECT bytes FROM small") == [(b"again",)]


def bundle(where: Store, token: str, contents: list[bytes], **asked: Any) -> list[int]:
    """Files that are named as what they hold. What became of each item, or once of all."""
    items = [{"path": f"self:/{content.decode()}", **asked} for content in contents]
    parts: list[Any] = [("items", (None, json.dumps(items))), *(("file", ("x", content)) for content in contents)]

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(where))
        async with httpx.AsyncClient(transport=transport, base_url="http://cx.test") as client:
            return await Person(client, "", token).ask("POST", "/1/bundle/put", files=parts)

    answered = anyio.run(send)
    if answered.status_code != 200:
        return [answered.status_code]
    return [result.get("status", 200) for result in answered.json()["results"]]


@contextmanager
def arrived(store: Store, content: bytes) -> Iterator[Arrival]:
    """Bytes that are all there."""
    with store.contents.arrival() as arrival:
        arrival.write(content)
        arrival.close()
        yield arrival


def waiting_in(store: Store) -> int:
    """How many of PostgreSQL's connections wait for each other."""
    question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return int(rows(store, question)[0][0])
