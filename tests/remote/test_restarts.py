"""What is heard nothing of is made anew: a connection can die without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.entries import SELF, TreePath, Uuid, UuidPath
from cxfs.core.errors import TimedOut
from cxfs.remote.lanes import Lane
from cxfs.remote.session import open_session
from tests.faults import Faults, FaultyWire, Late, Stall, refusal
from tests.remote.fake_cx import TOKEN, UUID, FakeCx, Heard, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.remote.files import Files
    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls

PATH = UuidPath(SELF, Uuid(UUID))
TARGET = TreePath.parse("self:/there")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def session(cx: FakeCx, urls: ServiceUrls, faults: Faults) -> AsyncIterator[Session]:
    async with open_session(urls, lambda: TOKEN, transport=FaultyWire(cx, faults), jitter=lambda: 0.5) as opened:
        yield opened


async def test_a_call_that_stalls_is_asked_again_within_its_deadline(
    files: Files, faults: Faults, autojump_clock: object
) -> None:
    """Twice, if it must be: the program hears nothing of it."""
    faults.next("GET files/info", Stall(), Stall(3))
    began = trio.current_time()

    assert (await files.entry(PATH)).size == 5
    assert 4 < trio.current_time() - began < 6


async def test_quick_refusals_make_nobody_wait_longer_for_what_stalls_then(
    files: Files, faults: Faults, autojump_clock: object
) -> None:
    """They are answers: the line is not slow. Else a single stall after them would take all that is left."""
    faults.next("GET files/info", *[refusal(500)] * 4, Stall(), refusal(500))

    assert (await files.entry(PATH)).size == 5


async def test_an_answer_that_comes_slowly_but_comes_is_waited_for(
    files: Files, faults: Faults, autojump_clock: object
) -> None:
    """On the third attempt there is half of the deadline for it."""
    faults.every("GET files/info", Late(4.5))

    assert (await files.entry(PATH)).size == 5


async def test_a_server_that_needs_most_of_the_deadline_gets_it_in_the_end(
    files: Files, faults: Faults, autojump_clock: object
) -> None:
    """Asking three times in vain is repeated for a call or two, and not for ever."""
    faults.every("GET files/info", Late(8.0))
    for _ in range(2):
        with pytest.raises(TimedOut):
            await files.entry(PATH)

    assert (await files.entry(PATH)).size == 5


async def test_a_rename_whose_answer_stalls_is_done_once(
    files: Files, cx: FakeCx, faults: Faults, autojump_clock: object
) -> None:
    """The second attempt finds nothing to rename, and looks where it went."""
    moved: list[str] = []

    def server(heard: Heard) -> httpx.Response:
        if "move" in heard.path and moved:
            return httpx.Response(404, json={"errorType": "NotFound", "message": "no"})
        moved.append(heard.path)
        return ok(name="there")

    cx.answers(server)
    faults.next("POST files/move", Stall())

    assert (await files.move(PATH, TARGET, overwrite=False)).name == "there"
    assert faults.count("POST files/move") == 2


async def test_a_copy_has_all_the_time_for_one_attempt(files: Files, faults: Faults, autojump_clock: object) -> None:
    """It leaves no trace by which a second one could be told from the first."""
    faults.next("POST files/copy", Late(9.0))

    assert (await files.copy(PATH, TARGET, overwrite=False)).size == 5
    assert faults.count("POST files/copy") == 1


async def test_a_lane_leaves_its_idle_connections_with_the_one_that_was_dead(
    cx: FakeCx, autojump_clock: object
) -> None:
    """They are as old. What is under way on them comes to its end."""
    clients: list[httpx.AsyncClient] = []
    faults = Faults()
    cx.answers(ok())

    def make() -> httpx.AsyncClient:
        clients.append(httpx.AsyncClient(transport=FaultyWire(cx, faults), base_url="https://cx.test/1"))
        return clients[-1]

    async def ask() -> None:
        url = "https://cx.test/1/users/self"
        async with lane.exchange("GET", url, headers={}, patience_s=lambda _: 2.0) as incoming:
            await incoming.whole(10_000)

    lane = Lane(make, requests_max=2, no_progress_s=60)
    faults.next("GET", Late(1.5), Stall())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1)
        with pytest.raises(TimedOut):
            await ask()
    assert [client.is_closed for client in clients] == [True, False]

    await ask()
    assert len(clients) == 2
    await lane.aclose()
    assert all(client.is_closed for client in clients)
