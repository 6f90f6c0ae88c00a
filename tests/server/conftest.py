"""The server's nouns: a store, people with accounts, a clock that stands still until it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.store import Store
from tests.server.person import Person
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

QUOTA_BYTES = 1_000_000


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


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """An open, empty server directory."""
    directory = tmp_path / "server"
    directory.mkdir()
    opened = Store(directory, clock=clock)
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
async def ann(store: Store, visitor: httpx.AsyncClient) -> Person:
    """A user with an empty tree."""
    return new_person(store, visitor, "ann")


@pytest.fixture
async def ben(store: Store, visitor: httpx.AsyncClient) -> Person:
    """Another user."""
    return new_person(store, visitor, "ben")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real process over TLS."""
    with ServerProcess(tmp_path / "served") as process:
        yield process
