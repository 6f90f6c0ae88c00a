"""The network between a server and its PostgreSQL or its bucket: cut, or silent, or gone without a word."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import pytest

from cxfs.server import administration, changes
from cxfs.server.accounts import Caller
from cxfs.server.app import make_app
from cxfs.server.connections import Connections, Patience
from cxfs.server.errors import Unavailable
from cxfs.server.folder import Folder
from cxfs.server.postgresql import PostgresDatabase
from cxfs.server.store import Store
from cxfs.server.wire import TreePath
from tests.mounting import wait_until
from tests.server.line import Line, reached
from tests.server.person import Person, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxfs.server.database import Connection
    from tests.server.conftest import Clock
    from tests.server.engines import Postgres

pytestmark = pytest.mark.storage("sqlite+folder")  # it brings storages of its own
QUICK = Patience(connection_s=1.5, lock_s=5, statement_s=2, transaction_s=0.5, settling_s=0.2)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    """A database with tables."""
    url = postgres.new_database("broken_lines")
    PostgresDatabase(url).close()
    return url


@pytest.fixture
def line(postgres: Postgres) -> Iterator[Line]:
    """To PostgreSQL."""
    with Line(partial(reached, postgres.socket)) as line:
        yield line


@pytest.fixture
def near(tmp_path: Path, clock: Clock, url: str) -> Iterator[Store]:
    """A server beside its database."""
    yield from opened(tmp_path / "near", url, clock)


@pytest.fixture
def far(tmp_path: Path, clock: Clock, url: str, line: Line) -> Iterator[Store]:
    """One with the line in between."""
    yield from opened(tmp_path / "far", url.replace("@/", f"@127.0.0.1:{line.port}/").partition("?")[0], clock)


def opened(directory: Path, url: str, clock: Clock) -> Iterator[Store]:
    """Of a server that has little patience."""
    directory.mkdir()
    database = PostgresDatabase(url, patience=QUICK, look_s=0.5)
    store = Store(directory, database, Folder(directory, database), clock=clock)
    yield store
    store.close()


@pytest.fixture
def caller(near: Store, url: str) -> Caller:
    """A user with an empty tree."""
    name = f"user {len(rows(near, 'SELECT 1 FROM owners'))}"
    administration.add_user(near, name)
    account = administration.account_named(near, name)
    return Caller(account.number, account.id)


def make(store: Store, caller: Caller, name: str) -> None:
    """A folder."""
    with store.transaction([caller.id]) as connection:
        changes.make_folder(connection, caller, TreePath("self", (name,)), now=1)


def names(store: Store) -> list[str]:
    """Of all folders."""
    return [name for (name,) in rows(store, "SELECT name FROM nodes WHERE name != '' ORDER BY name")]


def answers(store: Store) -> bool:
    """Whether a question is answered."""
    with suppress(Unavailable):
        return rows(store, "SELECT 1") == [(1,)]
    return False


def connections_of(store: Store) -> Connections:
    """To PostgreSQL."""
    assert isinstance(store.database, PostgresDatabase)
    return store.database.connections


def test_a_question_on_a_silent_line_ends(far: Store, line: Line) -> None:
    """As unavailable, whether it has a connection or needs one; and all goes on when the line is mended."""
    assert answers(far)
    line.fall_silent()

    for _ in range(3):
        with pytest.raises(Unavailable):
            rows(far, "SELECT 1")
    line.forget()  # whoever still waits on it waits for ever

    wait_until(lambda: answers(far))


def test_one_connection_that_broke_speaks_for_all(far: Store, line: Line) -> None:
    """One request is told to come again; the next ones have new connections."""
    lending = connections_of(far).lent
    with lending(), lending(), lending():
        pass
    line.cut()
    line.mend()

    assert [answers(far) for _ in range(4)] == [False, True, True, True]


def test_a_change_on_a_silent_line_ends(far: Store, near: Store, line: Line, caller: Caller) -> None:
    """Wherever it was: it is made or not, and no connection is left that somebody would wait for."""

    def change() -> None:
        with far.transaction([caller.id]) as connection:
            changes.make_folder(connection, caller, TreePath("self", ("begun",)), now=1)
            line.fall_silent()
            changes.make_folder(connection, caller, TreePath("self", ("never",)), now=1)

    with pytest.raises(Unavailable):
        change()
    line.mend()

    wait_until(lambda: answers(far))
    make(far, caller, "next")
    assert [name for name in names(near) if name in {"begun", "never", "next"}] == ["next"]


def test_a_tree_is_not_held_by_who_has_gone_without_a_word(far: Store, near: Store, line: Line, caller: Caller) -> None:
    """PostgreSQL hears nothing of the end of that process, and undoes what it had begun."""
    gone = far.transaction([caller.id])
    gone.__enter__()
    line.fall_silent()

    make(near, caller, "by another")

    line.cut()
    with pytest.raises(Unavailable):
        gone.__exit__(None, None, None)
    assert "by another" in names(near)


def test_while_the_database_is_away_nobody_waits_in_a_queue(far: Store, line: Line) -> None:
    """The first ones wait for a connection; whoever comes then is told at once, until somebody has got one again."""
    line.cut()
    for _ in range(2):
        with pytest.raises(Unavailable):
            rows(far, "SELECT 1")
    while_away = connections_of(far).wait_s
    line.mend()
    wait_until(lambda: answers(far))

    assert (while_away, connections_of(far).wait_s) == (0.25, QUICK.connection_s)


def test_what_takes_its_time_is_given_up_unless_nobody_waits_for_it(near: Store, url: str) -> None:
    """A statement, and a transaction between two of them; carrying a whole server over takes hours of both."""
    hasty = PostgresDatabase(url, patience=Patience(statement_s=0.3, transaction_s=0.2, settling_s=0.1))

    def take_long(connection: Connection) -> None:
        connection.execute("SELECT pg_sleep(0.6)")

    with pytest.raises(Unavailable):
        hasty.look(take_long)
    with hasty.transaction(()) as patient:
        hasty.without_haste(patient)
        take_long(patient)
        near.look(take_long)
        seen = patient.execute("SELECT 1").fetchone()
    with pytest.raises(Unavailable):
        hasty.look(take_long)
    hasty.close()

    assert seen == (1,)


async def test_who_waits_for_changes_is_told_that_the_database_has_gone(
    far: Store, near: Store, line: Line, caller: Caller
) -> None:
    """503 with Retry-After, as for any other question."""
    token = administration.issue_token(near, administration.list_users(near)[-1].name)
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"
    transport = httpx.ASGITransport(make_app(far))
    answers: list[httpx.Response] = []
    async with httpx.AsyncClient(transport=transport, base_url="http://cx.test") as client:
        ann = Person(client, caller.id, token)
        cursor = (await ann.news())["cursor"]

        async def wait() -> None:
            answers.append(await ann.follow(cursor, timeout="50"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.to_thread.run_sync(wait_until, lambda: rows(near, listening) == [(1,)])
            line.cut()

    assert refusal_of(answers[0]) == (503, "Unavailable")
    assert int(answers[0].headers["retry-after"]) > 0


async def test_a_commit_is_heard_of_after_the_line_was_cut(far: Store, near: Store, line: Line, caller: Caller) -> None:
    """Whoever listens hears at once that it has missed something, and of what comes from then on."""
    commits = far.database.commits()
    await commits.next()
    line.cut()
    make(near, caller, "missed")
    with anyio.fail_after(20):
        missed = await commits.next()
    line.mend()

    with anyio.fail_after(20):
        while await commits.next() is None:
            make(near, caller, f"new {len(names(near))}")

    assert missed is None


async def test_a_line_that_lost_its_listener_is_noticed(far: Store, near: Store, line: Line, caller: Caller) -> None:
    """It looks alive and nothing comes through, as with a firewall that has forgotten it: another is made."""
    commits = far.database.commits()
    await commits.next()
    line.forget()

    with anyio.fail_after(20):
        while (heard := await commits.next()) is None:
            make(near, caller, f"new {len(names(near))}")

    assert caller.number in heard


def test_a_line_that_is_dead_is_given_up_by_both_ends(far: Store, near: Store) -> None:
    """The kernel of each is told how long what was sent may stay without receipt, and to ask when nothing is sent."""
    with connections_of(far).lent() as connection:
        here = socket.socket(fileno=socket.dup(connection.fileno()))
        ours = {
            "asks": here.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            "asks after": here.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            "gives up after": here.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
        }
        here.close()

    assert ours == {"asks": 1, "asks after": 10, "gives up after": 20_000}
    with connections_of(near).lent() as connection:
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("500ms",)
