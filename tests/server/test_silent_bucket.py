"""The network between a server and its bucket is silent, or cut: what needs no bucket goes on, all else is told so."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import pytest

from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.bucket import Bucket
from cxfs.server.limits import SMALL_BYTES_MAX, THREADS_FOR_CHANGES
from cxfs.server.sqlite import SqliteDatabase
from cxfs.server.store import Store
from tests.server.line import Line
from tests.server.person import BOUNDARY, FORM_HEADERS, Person, form, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.server.conftest import Clock
    from tests.server.engines import ObjectServer

pytestmark = pytest.mark.storage("sqlite+folder")  # it brings a storage of its own
LARGE = b"x" * (SMALL_BYTES_MAX + 1)


@pytest.fixture
def line(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """To the bucket, which is empty."""
    object_server.empty()
    port = int(object_server.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
    with Line(partial(socket.create_connection, ("127.0.0.1", port))) as line:
        for name, value in object_server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
        yield line


@pytest.fixture
def answer_s() -> float:
    """How long the server waits for its bucket."""
    return 30


@pytest.fixture
def store(tmp_path: Path, clock: Clock, line: Line, object_server: ObjectServer, answer_s: float) -> Iterator[Store]:
    """With the line between the server and its bucket."""
    database = SqliteDatabase(tmp_path / "cx.sqlite3")
    store = Store(tmp_path, database, Bucket(object_server.url, database, clock, answer_s=answer_s), clock=clock)
    yield store
    store.close()


@pytest.fixture
async def ann(store: Store) -> AsyncIterator[Person]:
    """A user with an empty tree."""
    transport = httpx.ASGITransport(make_app(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://cx.test") as client:
        uuid = administration.add_user(store, "ann", quota_bytes=10 << 20)
        yield Person(client, uuid, administration.issue_token(store, "ann"))


@pytest.mark.parametrize("answer_s", [1.0])
async def test_a_request_to_a_silent_bucket_ends(ann: Person, store: Store, line: Line) -> None:
    """Up or down: 503 with Retry-After, of an upload nothing; and all is well when the line is mended."""
    await ann.put("/there", LARGE)
    line.fall_silent()

    answers = [await ann.download("/there"), await ann.upload("/new", LARGE + b"new")]
    line.mend()

    for answer in answers:
        assert refusal_of(answer) == (503, "Unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert await ann.names("/") == ["there"]
    assert (await answered(partial(ann.download, "/there"))).content == LARGE
    await answered(partial(ann.upload, "/new", LARGE + b"new"))
    assert (await answered(partial(ann.download, "/new"))).content == LARGE + b"new"


async def answered(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """What it comes to when it is asked again as long as it is unavailable."""
    with anyio.fail_after(20):
        while (answer := await ask()).status_code == 503:
            await anyio.lowlevel.checkpoint()
    return answer


@pytest.mark.parametrize("answer_s", [1.0])
async def test_a_bucket_that_did_not_answer_is_not_asked_to_take_it_back(ann: Person, store: Store, line: Line) -> None:
    """That would double the wait; what may be there goes when it is due."""
    line.fall_silent()

    answer = await ann.upload("/new", LARGE)
    line.mend()

    assert refusal_of(answer) == (503, "Unavailable")
    assert line.accepted == 1
    assert len(rows(store, "SELECT name FROM strays")) == 1


async def test_what_needs_no_bucket_does_not_wait_for_one_that_is_silent(ann: Person, line: Line) -> None:
    """However many wait for it: names, changes, small files, bundles of them."""
    ended: list[int] = []

    async def upload(number: int) -> None:
        ended.append((await ann.upload(f"/large {number}", LARGE + b"%d" % number)).status_code)

    line.fall_silent()
    async with anyio.create_task_group() as tasks:
        for number in range(THREADS_FOR_CHANGES + 1):
            tasks.start_soon(upload, number)
        await anyio.to_thread.run_sync(line.held.wait)
        with anyio.fail_after(20):
            await ann.make("/folder")
            await ann.put("/small", b"small")
            bundle = [("items", (None, b'[{"path": "self:/bundled"}]')), ("file", ("x", b"small too"))]
            bundled = await ann.ask("POST", "/1/bundle/put", files=bundle)
            content, names = (await ann.download("/small")).content, await ann.names("/")
        ended_before = list(ended)
        line.cut()

    assert (bundled.status_code, content, names) == (200, b"small", ["bundled", "folder", "small"])
    assert ended_before == []
    assert ended == [503] * (THREADS_FOR_CHANGES + 1)


async def test_nobody_waits_while_a_refused_upload_is_taken_back(ann: Person, line: Line) -> None:
    """It breaks off in the middle, and the bucket that has half of it is silent: others are answered."""
    ended: list[int] = []
    half = form(("file", LARGE * 20)).removesuffix(f"--{BOUNDARY}--\r\n".encode())

    async def break_off() -> None:
        answer = await ann.ask("POST", "/1/data/self:%2Fhalf", content=half, headers=FORM_HEADERS)
        ended.append(answer.status_code)

    line.fall_silent()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(break_off)
        await anyio.to_thread.run_sync(line.held.wait)
        with anyio.fail_after(20):
            names = await ann.names("/")
        ended_before = list(ended)
        line.cut()

    assert (names, ended_before, ended) == ([], [], [400])
