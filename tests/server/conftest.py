"""The server's nouns: a store, people with accounts, a clock that stands still until it is told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher

from cxfs.server import accounts, administration
from cxfs.server.app import make_app
from cxfs.server.hashes import Passwords
from cxfs.server.postgresql import PostgresDatabase
from cxfs.server.store import Store, make_store
from tests.server.browser import HOME, Browser
from tests.server.engines import ObjectServer, Postgres, empty
from tests.server.person import Person
from tests.server_process import ServerProcess, Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

QUOTA_BYTES = 1_000_000
PASSWORD = "correct horse battery"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""Argon2 as the server uses it takes a tenth of a second, on purpose."""


class Clock:
    """Milliseconds; one more at each look, so that what happens later has a later time."""

    def __init__(self) -> None:
        self.now_ms = 1_350_941_207_700  # 2012-10-22T21:26:47.700Z

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    """The server's."""
    return Clock()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What looks at one storage from inside has nothing to see in another."""
    used = config.getoption("--storage")
    others = [item for item in items if (mark := item.get_closest_marker("storage")) and used not in mark.args]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL, for all tests that this process runs."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer]:
    """An S3 server, for all tests that this process runs."""
    with ObjectServer() as server:
        yield server


@pytest.fixture(scope="session")
def emptied(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Takes all rows out of one database that is made once, and says its URL."""
    url = postgres.new_database("emptied")
    PostgresDatabase(url).close()
    connection = psycopg.connect(url, autocommit=True)

    def take_all() -> str:
        empty(connection)
        return url

    yield take_all
    connection.close()


@pytest.fixture
def storage_named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Storage]:
    """Where servers keep what they have, empty; only what is asked for is started."""

    def named(name: str) -> Storage:
        database, content = name.split("+")
        objects: ObjectServer | None = None if content == "folder" else request.getfixturevalue("object_server")
        if objects is not None:
            objects.empty()
            for variable, value in objects.environment.items():
                monkeypatch.setenv(variable, value)
        return Storage(
            database=None if database == "sqlite" else request.getfixturevalue("emptied")(),
            content=None if objects is None else objects.url,
        )

    return named


@pytest.fixture
def storage(request: pytest.FixtureRequest, storage_named: Callable[[str], Storage]) -> Storage:
    """That of this run."""
    return storage_named(str(request.config.getoption("--storage")))


@pytest.fixture
def store(tmp_path: Path, clock: Clock, storage: Storage) -> Iterator[Store]:
    """An open, empty server directory."""
    directory = tmp_path / "server"
    directory.mkdir()
    opened = make_store(directory, clock=clock, **storage)
    yield opened
    opened.close()


@pytest.fixture
def other(store: Store, storage: Storage, clock: Clock) -> Iterator[Store]:
    """The same tables and contents, as another process has them open."""
    opened = make_store(store.directory, clock=clock, **storage)
    yield opened
    opened.close()


@pytest.fixture
async def visitor(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """Someone who reaches the server but has no token."""
    transport = httpx.ASGITransport(make_app(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://cx.test") as client:
        yield client


def new_person(store: Store, client: httpx.AsyncClient, name: str) -> Person:
    """An account and its token."""
    uuid = administration.add_user(store, name, quota_bytes=QUOTA_BYTES, email=f"{name}@example.org")
    return Person(client, uuid, administration.issue_token(store, name))


@pytest.fixture
async def browser(store: Store) -> AsyncIterator[Browser]:
    """Somebody's, who has not signed in."""
    async with new_browser(store) as browser:
        yield browser


@asynccontextmanager
async def new_browser(store: Store, *, at: str = "192.0.2.1", passwords: Passwords = CHEAP) -> AsyncIterator[Browser]:
    """One with cookies of its own, at that address."""
    transport = httpx.ASGITransport(make_app(store, passwords=passwords), client=(at, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
        yield Browser(client)


def give_password(store: Store, name: str, password: str = PASSWORD) -> None:
    """One that is quickly checked."""
    with store.transaction() as connection:
        user = accounts.account_named(connection, name).number
        accounts.set_password_hash(connection, user, CHEAP.hash(password))


@pytest.fixture
async def at_home(store: Store, browser: Browser, ann: Person) -> Browser:
    """A browser in which Ann is signed in."""
    give_password(store, "ann")
    await browser.sign_in("ann", PASSWORD)
    return browser


@pytest.fixture
async def ann(store: Store, visitor: httpx.AsyncClient) -> Person:
    """A user with an empty tree."""
    return new_person(store, visitor, "ann")


@pytest.fixture
async def ben(store: Store, visitor: httpx.AsyncClient) -> Person:
    """Another user."""
    return new_person(store, visitor, "ben")


@pytest.fixture
def server(tmp_path: Path, storage: Storage) -> Iterator[ServerProcess]:
    """A real process over TLS."""
    with ServerProcess(tmp_path / "served", storage=storage) as process:
        yield process
