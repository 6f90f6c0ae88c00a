"""The client's side of the wire, with a CX of the test's own at the other end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.remote.files import Files
from cxfs.remote.session import Session, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.remote.user import User
from tests.remote.fake_cx import TOKEN, FakeCx, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
