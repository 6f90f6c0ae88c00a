"""What a database and a place of contents promise: the same contract for each of both."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import obstore
import psycopg
import pytest

from cxfs.server import administration, changes
from cxfs.server.accounts import Caller
from cxfs.server.bucket import Bucket
from cxfs.server.changes import Upload
from cxfs.server.errors import NotFound, ServerError, Unavailable
from cxfs.server.folder import Folder
from cxfs.server.limits import ARRIVAL_LIFE_S, DISCARDED_LIFE_S, SMALL_BYTES_MAX
from cxfs.server.postgresql import FORMAT, PostgresDatabase
from cxfs.server.sources import file_at, opened, whole
from cxfs.server.store import Store, make_store
from cxfs.server.wire import TreePath
from tests.conftest import STORAGES
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cxfs.server.arrivals import Arrival
    from cxfs.server.database import Connection
    from tests.server.conftest import Clock
    from tests.server.engines import ObjectServer, Postgres
    from tests.server_process import Storage

LARGE = b"large " * SMALL_BYTES_MAX
pytestmark = pytest.mark.storage("sqlite+folder")  # each test goes through the storages that it is about by itself


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each in turn."""
    named: Callable[[str], Storage] = request.getfixturevalue("storage_named")
    return named(request.param)


@pytest.fixture
def caller(store: Store) -> Caller:
    """A user with an empty tree."""
    return new_caller(store, "ann")


def new_caller(store: Store, name: str) -> Caller:
    """Another one."""
    administration.add_user(store, name, quota_bytes=100 << 20)
    account = administration.account_named(store, name)
    return Caller(account.number, account.id)


def at(name: str) -> TreePath:
    """In the caller's own tree."""
    return TreePath("self", (name,))


@contextmanager
def arrived(store: Store, content: bytes) -> Iterator[Arrival]:
    """Bytes that are all there, and that nothing refers to yet."""
    with store.contents.arrival() as arrival:
        arrival.write(content)
        arrival.sync()
        arrival.close()
        yield arrival


def put(store: Store, caller: Caller, name: str, content: bytes) -> None:
    """An upload, from its first byte to its commit."""
    with arrived(store, content) as arrival:
        commit(store, caller, name, arrival)


def commit(store: Store, caller: Caller, name: str, arrival: Arrival) -> None:
    """The end of an upload."""
    with store.transaction([caller.id]) as connection:
        changes.put(connection, caller, at(name), arrival.content, Upload(""), now=store.clock())
        store.contents.keep(connection, arrival)


def read(store: Store, caller: Caller, name: str) -> bytes:
    """All of it."""
    with store.snapshot() as connection:
        node = file_at(connection, caller, at(name), None)
        source = opened(connection, store.contents, node)
    try:
        return whole(source, node.size)
    finally:
        source.close()


def remove(store: Store, caller: Caller, name: str) -> None:
    """A file or folder."""
    with store.transaction([caller.id]) as connection:
        changes.remove(connection, caller, at(name), recursive=True, now=store.clock())


def kept(store: Store, object_server: ObjectServer) -> int:
    """How many large contents there are, wherever."""
    if isinstance(store.contents, Folder):
        return len([path for path in (store.directory / "content").rglob("*") if path.is_file()])
    return len(object_server.objects)


def tidied(store: Store, clock: Clock, after_s: int) -> None:
    """What a server does now and then, at that time."""
    clock.now_ms += after_s * 1_000
    store.tend()


# ---------------------------------------------------------------- tables


def test_a_transaction_is_all_or_nothing(store: Store, other: Store, caller: Caller) -> None:
    """What was done in it before it failed is seen by nobody."""

    def half() -> None:
        with store.transaction([caller.id]) as connection:
            changes.make_folder(connection, caller, at("never"), now=1)
            raise KeyError

    with pytest.raises(KeyError):
        half()

    assert rows(other, "SELECT name FROM nodes WHERE name != ''") == []


def test_a_snapshot_is_of_one_moment(store: Store, other: Store, caller: Caller) -> None:
    """What is committed meanwhile is seen by the next."""
    with store.snapshot() as connection:
        before = connection.execute("SELECT count(*) FROM nodes").fetchone()
        with other.transaction([caller.id]) as writing:
            changes.make_folder(writing, caller, at("new"), now=1)
        meanwhile = connection.execute("SELECT count(*) FROM nodes").fetchone()

    assert meanwhile == before
    assert rows(store, "SELECT count(*) FROM nodes")[0][0] == before[0] + 1


async def test_a_question_sees_what_was_committed_before_it(store: Store, other: Store, caller: Caller) -> None:
    """Both ways of asking, by whatever process it was."""
    with other.transaction([caller.id]) as connection:
        changes.make_folder(connection, caller, at("new"), now=1)

    def names(connection: Connection) -> list[str]:
        return [name for (name,) in connection.execute("SELECT name FROM nodes WHERE name != ''").fetchall()]

    assert await store.ask(names) == ["new"]
    assert await store.ask(names, at_one_moment=True) == ["new"]


def test_changes_of_one_tree_happen_one_at_a_time(store: Store, other: Store, caller: Caller) -> None:
    """Each sees what the one before it has left, in whatever process: nothing that was counted is lost."""

    def count(where: Store) -> None:
        with where.transaction([caller.id]) as connection:
            (found,) = connection.execute("SELECT description FROM nodes WHERE parent IS NULL").fetchone()
            connection.execute("UPDATE nodes SET description = ? WHERE parent IS NULL", (str(int(found or 0) + 1),))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, [store, other] * 20))

    assert rows(store, "SELECT description FROM nodes WHERE parent IS NULL") == [("40",)]


def test_changes_of_accounts_happen_one_at_a_time(store: Store, other: Store, caller: Caller) -> None:
    """Those of passwords and rights, which are about no tree."""

    def count(where: Store) -> None:
        with where.transaction() as connection:
            (found,) = connection.execute("SELECT email FROM users").fetchone()
            connection.execute("UPDATE users SET email = ?", (str(int(found or 0) + 1),))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, [store, other] * 20))

    assert rows(store, "SELECT email FROM users") == [("40",)]


async def test_a_commit_is_heard_of_by_every_process(store: Store, other: Store, caller: Caller) -> None:
    """By whoever waits in it, and no later than a second."""
    commits = other.database.commits()
    await commits.next()  # from here on
    with store.transaction([caller.id]) as connection:
        changes.make_folder(connection, caller, at("new"), now=1)

    with anyio.fail_after(20):
        heard = await commits.next()

    assert heard is None or caller.number in heard


# ---------------------------------------------------------------- contents


@pytest.mark.parametrize("content", [b"", b"small", LARGE, LARGE * 60], ids=["empty", "small", "large", "parts"])
def test_what_was_put_is_read_by_every_process(store: Store, other: Store, caller: Caller, content: bytes) -> None:
    """To the byte; the largest takes more than one window, and more than one part."""
    put(store, caller, "note", content)

    assert read(other, caller, "note") == content


def test_any_part_can_be_read(store: Store, caller: Caller) -> None:
    """From wherever, backwards too."""
    put(store, caller, "note", LARGE)
    with store.snapshot() as connection:
        source = opened(connection, store.contents, file_at(connection, caller, at("note"), None))

    source.begin(200_000, len(LARGE))
    parts = [source.read(start, 7) for start in (200_000, 300_000, len(LARGE) - 7, 200_001)]
    source.close()

    assert parts == [LARGE[start : start + 7] for start in (200_000, 300_000, len(LARGE) - 7, 200_001)]


def test_bytes_that_are_given_up_leave_nothing(store: Store, object_server: ObjectServer) -> None:
    """Complete or not."""

    def broken_off() -> None:
        with store.contents.arrival() as arrival:
            arrival.write(LARGE)
            raise KeyError

    with pytest.raises(KeyError):
        broken_off()
    with arrived(store, LARGE):
        pass

    assert kept(store, object_server) == 0
    assert rows(store, "SELECT * FROM strays") == []


def test_equal_contents_are_kept_once_whoever_brings_them(
    store: Store, other: Store, caller: Caller, clock: Clock, object_server: ObjectServer
) -> None:
    """At the same moment too, in two processes, for two owners."""
    ben, together = new_caller(store, "ben"), threading.Barrier(2)

    def bring(where: Store, whose: Caller) -> None:
        with arrived(where, LARGE) as arrival:
            together.wait(20)
            commit(where, whose, "note", arrival)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(bring, (store, other), (caller, ben)))

    assert (read(other, caller, "note"), read(store, ben, "note")) == (LARGE, LARGE)
    assert kept(store, object_server) == 1
    remove(store, caller, "note")
    tidied(store, clock, DISCARDED_LIFE_S + 1)
    assert read(store, ben, "note") == LARGE
    remove(other, ben, "note")
    store.sweep()
    tidied(store, clock, DISCARDED_LIFE_S + 1)
    assert kept(store, object_server) == 0


def test_an_upload_holds_what_it_refers_to(
    store: Store, other: Store, caller: Caller, clock: Clock, object_server: ObjectServer
) -> None:
    """Its last user goes while another upload of the same bytes is about to commit: whoever sweeps leaves it alone."""
    put(store, caller, "first", LARGE)
    remove(store, caller, "first")
    sweeping = threading.Thread(target=other.sweep)
    with arrived(store, LARGE) as arrival, store.transaction([caller.id]) as connection:
        changes.put(connection, caller, at("second"), arrival.content, Upload(""), now=1)
        sweeping.start()
        sweeping.join(0.5)  # over PostgreSQL it is over by then; SQLite lets one write at a time
        store.contents.keep(connection, arrival)
    sweeping.join(20)
    tidied(other, clock, DISCARDED_LIFE_S + 1)

    assert read(other, caller, "second") == LARGE
    assert kept(store, object_server) == 1


def test_a_content_that_is_swept_while_it_comes_again_comes_anew(store: Store, caller: Caller) -> None:
    """Or is refused for the moment; never is there a file without its bytes."""
    put(store, caller, "first", LARGE)
    remove(store, caller, "first")
    sweeping = threading.Thread(target=store.sweep)
    sweeping.start()
    for _ in range(3):
        try:
            put(store, caller, "again", LARGE)
        except Unavailable:
            continue
    sweeping.join(20)
    store.sweep()

    assert read(store, caller, "again") == LARGE


def test_who_reads_may_finish(store: Store, caller: Caller) -> None:
    """Whatever becomes of the file meanwhile."""
    content = LARGE * 20
    put(store, caller, "note", content)
    with store.snapshot() as connection:
        source = opened(connection, store.contents, file_at(connection, caller, at("note"), None))
    source.begin(0, len(content))
    begun = source.read(0, 100)
    remove(store, caller, "note")
    store.tend()

    rest = [source.read(start, 1_000) for start in range(100, len(content), 2_000_000)]
    source.close()

    assert [begun, *rest] == [content[:100], *(content[s : s + 1_000] for s in range(100, len(content), 2_000_000))]
    with pytest.raises(NotFound):
        read(store, caller, "note")


# ---------------------------------------------------------------- a bucket's own


BUCKETS = pytest.mark.parametrize("storage", ["sqlite+bucket", "postgresql+bucket"], indirect=True)


@BUCKETS
def test_a_content_that_is_not_in_the_bucket_is_no_deleted_file(
    store: Store, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """A mount would show the file as gone. What is wrong is the bucket, or whoever put a backup back without it."""
    put(store, caller, "note", LARGE)
    [(name,)] = rows(store, "SELECT stored_as FROM contents WHERE stored_as <> ''")
    assert isinstance(store.contents, Bucket)
    obstore.delete(store.contents.store, name)

    with pytest.raises(Unavailable):
        read(store, caller, "note")

    assert name in caplog.text


@BUCKETS
def test_what_a_crash_left_in_a_bucket_goes_when_it_is_due(
    store: Store, caller: Caller, clock: Clock, object_server: ObjectServer
) -> None:
    """No sooner: it may be an upload that is slow. Nothing goes through the bucket to find it."""
    died = store.contents.arrival()
    died.write(LARGE)
    died.sync()  # the process ends here

    tidied(store, clock, ARRIVAL_LIFE_S - 60)
    before = kept(store, object_server)
    tidied(store, clock, 120)

    assert (before, kept(store, object_server)) == (1, 0)
    assert rows(store, "SELECT * FROM strays") == []


@BUCKETS
def test_an_upload_that_was_given_up_is_refused(
    store: Store, other: Store, caller: Caller, clock: Clock, object_server: ObjectServer
) -> None:
    """It took so long that another process has removed its bytes: it must not become a file without any."""
    with arrived(store, LARGE) as arrival:
        tidied(other, clock, ARRIVAL_LIFE_S + 1)
        with pytest.raises(Unavailable):
            commit(store, caller, "late", arrival)

    assert rows(store, "SELECT name FROM nodes WHERE name != ''") == []
    put(store, caller, "late", LARGE)
    assert read(store, caller, "late") == LARGE


@BUCKETS
def test_any_number_may_collect_at_once(store: Store, other: Store, clock: Clock, object_server: ObjectServer) -> None:
    """Also while something comes in: only what is due goes."""
    for _ in range(20):
        died = store.contents.arrival()
        died.write(LARGE)
        died.sync()
    clock.now_ms += (ARRIVAL_LIFE_S + 1) * 1_000
    caller = new_caller(store, "ben")

    with ThreadPoolExecutor(3) as threads, ExitStack() as stack:
        stack.callback(threads.shutdown)
        for where in (store, other):
            threads.submit(where.tend)
        threads.submit(put, other, caller, "new", LARGE).result(30)

    store.tend()
    assert kept(store, object_server) == 1
    assert read(store, caller, "new") == LARGE


# ---------------------------------------------------------------- PostgreSQL's own


def test_both_databases_have_the_same_tables(tmp_path: Path, postgres: Postgres) -> None:
    """With the same columns in the same order: the server takes rows as they come."""
    url = postgres.new_database("as_new")
    PostgresDatabase(url).close()
    store = make_store(tmp_path)
    query = "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type IN ('table', 'view')"
    ours = sorted_by_table(rows(store, f"{query} AND m.name NOT LIKE 'sqlite%' ORDER BY p.cid"))
    store.close()

    with psycopg.connect(url) as connection:
        theirs = sorted_by_table(
            connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND table_name != 'alembic_version' ORDER BY ordinal_position"
            ).fetchall()
        )

    assert {name: set(columns) for name, columns in theirs.items()} == {
        name: set(columns) for name, columns in ours.items()
    }
    assert [theirs[view] for view in ("objects", "accounts")] == [ours[view] for view in ("objects", "accounts")]


def sorted_by_table(columns: list[tuple[str, ...]]) -> dict[str, list[str]]:
    """Columns by table."""
    found: dict[str, list[str]] = {}
    for table, column in columns:
        found.setdefault(table, []).append(column)
    return found


def test_tables_are_made_once_however_many_begin(postgres: Postgres) -> None:
    """And the format that the code knows is the last of the steps."""
    url = postgres.new_database("raced_for")

    with ThreadPoolExecutor(4) as threads:
        for database in threads.map(lambda _: PostgresDatabase(url), range(4)):
            database.close()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(FORMAT,)]


def test_tables_of_a_newer_server_are_left_alone(postgres: Postgres) -> None:
    """In one line that says which is which."""
    url = postgres.new_database("newer")
    PostgresDatabase(url).close()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(ServerError, match="format 9999, this one knows"):
        PostgresDatabase(url)


def test_changes_of_different_trees_do_not_wait_for_each_other(
    tmp_path: Path, postgres: Postgres, clock: Clock
) -> None:
    """An import of Ann's may take minutes."""
    store = make_store(tmp_path, database=postgres.new_database("side_by_side"), clock=clock)
    ann, ben = new_caller(store, "ann"), new_caller(store, "ben")

    with store.transaction([ann.id]) as connection, ThreadPoolExecutor(1) as threads:
        changes.make_folder(connection, ann, at("slow"), now=1)
        threads.submit(put, store, ben, "note", b"quick").result(20)
        seen = read(store, ben, "note")
    store.close()

    assert seen == b"quick"


def test_opposite_moves_between_two_trees_both_end(tmp_path: Path, postgres: Postgres, clock: Clock) -> None:
    """Locks are taken in one order: neither waits for what the other holds."""
    store = make_store(tmp_path, database=postgres.new_database("crossing"), clock=clock)
    ann, ben = new_caller(store, "ann"), new_caller(store, "ben")
    together = threading.Barrier(2)

    def hold(trees: list[str]) -> bool:
        together.wait(20)
        with store.transaction(trees) as connection:
            connection.execute("UPDATE owners SET consumed = consumed")
        return True

    with ThreadPoolExecutor(2) as threads:
        for _ in range(20):
            assert list(threads.map(hold, ([ann.id, ben.id], [ben.id, ann.id]))) == [True, True]
    store.close()


def test_a_text_with_a_nul_is_refused(tmp_path: Path, postgres: Postgres) -> None:
    """PostgreSQL cannot keep it, so it is the request's fault and not the server's."""
    database = PostgresDatabase(postgres.new_database("texts"))
    with pytest.raises(Exception, match="cannot be kept"):
        database.look(partial(_asked_for, name="a\0b"))
    database.close()


def _asked_for(connection: Connection, name: str) -> object:
    return connection.execute("SELECT 1 FROM owners WHERE name = ?", (name,)).fetchone()
