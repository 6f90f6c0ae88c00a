"""The client's side of the wire, with a CX of the test's own at the other end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.remote.files import Files
from cxfs.remote.session import Session, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.remote.user import User
from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from cxfs.server.store import open_store
from tests.minimal_server import MinimalServer
from tests.remote.account import QUOTA_BYTES, Account
from tests.remote.fake_cx import TOKEN, FakeCx, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from cxfs.server.store import Store


@pytest.fixture
def urls() -> ServiceUrls:
    return ServiceUrls.parse(
        api_url="https://api.cx.test", data_url="https://data.cx.test", auth_url="https://www.cx.test"
    )


@pytest.fixture
def cx() -> FakeCx:
    fake = FakeCx()
    fake.answers(ok())
    return fake


@pytest.fixture
async def session(cx: FakeCx, urls: ServiceUrls) -> AsyncIterator[Session]:
    """Its jitter is even, so that pauses are known: half of each ceiling."""
    async with open_session(urls, lambda: TOKEN, transport=cx, jitter=lambda: 0.5) as opened:
        yield opened


@pytest.fixture
def files(session: Session) -> Files:
    return Files(session)


@pytest.fixture
def transport(session: Session) -> Transport:
    return Transport(session)


@pytest.fixture
def user(session: Session) -> User:
    return User(session)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    directory = tmp_path / "cx"
    directory.mkdir()
    with open_store(directory) as opened:
        administration.add_user(opened, "ann", quota_bytes=QUOTA_BYTES, email="ann@example.org")
        yield opened


@pytest.fixture
async def ours(store: Store, urls: ServiceUrls) -> AsyncIterator[Account]:
    """An account on our own server."""
    token = administration.issue_token(store, "ann")
    transport = httpx.ASGITransport(make_app(store, offload=InPlace()))
    async with open_session(urls, lambda: token, transport=transport) as session:
        yield Account(session)


@pytest.fixture
async def minimal(urls: ServiceUrls) -> AsyncIterator[Account]:
    """An account on a server of the documented core."""
    transport = httpx.ASGITransport(MinimalServer("secret"))
    async with open_session(urls, lambda: "secret", transport=transport) as session:
        yield Account(session)


@pytest.fixture(params=["ours", "minimal"])
def account(request: pytest.FixtureRequest, ours: Account, minimal: Account) -> Account:
    """The same on each of the two."""
    return ours if request.param == "ours" else minimal
