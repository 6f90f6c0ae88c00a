"""A token that is refused while a mount runs, and the one that takes its place."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from cxfs.core.entries import Owner, TreePath, Uuid, UuidPath
from cxfs.core.errors import SignedOut
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.renewal import PROBE_S, RenewalStatistics, RenewingToken
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from tests.remote.account import Bytes
from tests.remote.fake_cx import UUID, FakeCx, Heard, ok, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls

PATH = TreePath.parse("self:/a.txt")
LOOK_S = 2.0


class Desk:
    """Where a token is kept (`kept`), and a server that takes some (`taken`). Counts what it is asked."""

    def __init__(self) -> None:
        self.kept: str | None = "first"
        self.taken = {"first"}
        self.ours = True
        self.looks = 0
        self.probes: list[str] = []
        self.woken = 0

    async def look(self) -> str | None:
        self.looks += 1
        return self.kept

    async def is_ours(self, token: str) -> bool:
        self.probes.append(token)
        return self.ours and token in self.taken

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def desk() -> Desk:
    return Desk()


def renewing(desk: Desk, look_again_s: float = LOOK_S) -> RenewingToken:
    return RenewingToken(
        "first", look=desk.look, is_ours=desk.is_ours, look_again_s=look_again_s, remedy="cxfs login mends it"
    )


@pytest.fixture
async def tokens(desk: Desk) -> RenewingToken:
    return renewing(desk)


@pytest.fixture
async def watched(desk: Desk, tokens: RenewingToken) -> AsyncIterator[RenewingToken]:
    """Watched over, as in a daemon."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tokens.watch, desk.wake)
        await wait_all_tasks_blocked()
        yield tokens
        nursery.cancel_scope.cancel()


async def test_a_refused_token_is_not_sent_again(desk: Desk, tokens: RenewingToken) -> None:
    """A server that has once said no is not asked a thousand times."""
    desk.taken = set()
    assert tokens() == "first"

    assert not await tokens.refused("first")

    with pytest.raises(SignedOut, match="cxfs login mends it"):
        tokens()


async def test_signing_out_is_one_line(desk: Desk, tokens: RenewingToken, caplog: pytest.LogCaptureFixture) -> None:
    """However many calls were under way."""
    desk.taken = set()

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(tokens.refused, "first")

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "cxfs login mends it" in caplog.text
    assert "first" not in caplog.text
    assert desk.looks == 1


async def test_a_newer_token_is_taken_up_by_the_call_that_was_refused(desk: Desk, tokens: RenewingToken) -> None:
    """Whoever signs in again before the old token ends notices nothing at all."""
    desk.kept, desk.taken = "second", {"second"}

    assert await tokens.refused("first")

    assert tokens() == "second"
    assert tokens.statistics() == RenewalStatistics(signed_in=True, refusals=1, renewals=1)


async def test_a_late_refusal_of_the_former_token_changes_nothing(desk: Desk, tokens: RenewingToken) -> None:
    """Its answer was on the way while another call had found the new one."""
    desk.kept, desk.taken = "second", {"second"}
    await tokens.refused("first")

    assert await tokens.refused("first")

    assert tokens() == "second"
    assert desk.looks == 1


async def test_signing_in_mends_a_mount_that_nobody_uses(
    desk: Desk, watched: RenewingToken, autojump_clock: MockClock
) -> None:
    """What waits to be uploaded must not wait for somebody to look into the folder."""
    desk.taken = set()
    await watched.refused("first")
    await trio.sleep(5 * LOOK_S)
    desk.kept, desk.taken = "second", {"second"}

    await trio.sleep(1.5 * LOOK_S)

    assert watched() == "second"
    assert desk.woken == 1


@pytest.mark.promise
async def test_a_token_of_another_account_is_not_taken(
    desk: Desk, watched: RenewingToken, autojump_clock: MockClock
) -> None:
    """A token of another account than was mounted is not taken up: what waits here goes to nobody else."""
    desk.kept, desk.taken, desk.ours = "second", {"second"}, False
    await watched.refused("first")

    await trio.sleep(10 * PROBE_S)

    with pytest.raises(SignedOut):
        watched()
    assert len(desk.probes) <= 12


async def test_a_server_that_takes_the_old_token_after_all_is_believed(
    desk: Desk, watched: RenewingToken, autojump_clock: MockClock
) -> None:
    """It had been restored from a copy, or one of its machines had."""
    desk.taken = set()
    await watched.refused("first")
    await trio.sleep(PROBE_S / 2)
    desk.taken = {"first"}

    await trio.sleep(PROBE_S)

    assert watched() == "first"


async def test_what_cannot_change_is_looked_at_once(desk: Desk, autojump_clock: MockClock) -> None:
    """An environment variable, say; the server is asked all the same."""
    tokens = renewing(desk, look_again_s=math.inf)
    desk.taken = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tokens.watch, desk.wake)
        await tokens.refused("first")
        await trio.sleep(10 * PROBE_S)
        nursery.cancel_scope.cancel()

    assert desk.looks == 1
    assert len(desk.probes) >= 9


# ------------------------------------------------------------------------------------------------ in a session


def gatekeeper(taken: str) -> Heard | object:
    """A server that takes this token alone."""

    def answer(heard: Heard) -> httpx.Response:
        if heard.query["access_token"] != taken:
            return refusal(401, "BadAuthToken")
        return httpx.Response(200, content=b"content") if heard.path.startswith("/1/data") else ok()

    return answer


@pytest.fixture
async def session(desk: Desk, tokens: RenewingToken, cx: FakeCx, urls: ServiceUrls) -> AsyncIterator[Session]:
    """Its token is refused; another is kept already."""
    desk.kept, desk.taken = "second", {"second"}
    cx.answers(gatekeeper("second"))  # type: ignore[arg-type]
    async with open_session(urls, tokens, transport=cx, on_refused=tokens.refused) as opened:
        yield opened


async def test_a_call_is_made_again_with_the_new_token(session: Session, cx: FakeCx) -> None:
    """At once, and the caller sees nothing of it."""
    await Files(session).entry(PATH)

    assert [heard.query["access_token"] for heard in cx.heard] == ["first", "second"]


async def test_a_download_is_made_again_with_the_new_token(session: Session, cx: FakeCx) -> None:
    """A program that reads goes on reading."""
    path = UuidPath(Owner("self"), Uuid(UUID))
    async with Transport(session).download(path, ByteRange(0, 7), version=1, size=7, pin_version=False) as download:
        content = b"".join([piece async for piece in download.pieces()])

    assert content == b"content"
    assert [heard.query["access_token"] for heard in cx.heard] == ["first", "second"]


async def test_an_upload_finds_the_new_token_at_its_next_attempt(session: Session, cx: FakeCx) -> None:
    """Its body is spent: whoever sends it begins anew."""
    with pytest.raises(SignedOut):
        await Transport(session).upload(PATH, Bytes(b"content"), modified_ms=0, if_version=None)

    await Files(session).entry(PATH)

    assert [heard.query["access_token"] for heard in cx.heard] == ["first", "second"]


async def test_while_signed_out_no_request_goes_out(desk: Desk, session: Session, cx: FakeCx) -> None:
    """Calls fail at once, with the remedy in their words."""
    desk.kept = None
    desk.taken = set()
    with pytest.raises(SignedOut):
        await Files(session).entry(PATH)

    with pytest.raises(SignedOut, match="cxfs login mends it"):
        await Files(session).entry(PATH)

    assert len(cx.heard) == 1
