"""Whatever a server answers, the client ends with one of its own errors, in time, and goes on working."""

from __future__ import annotations

import gzip
import json
from base64 import urlsafe_b64encode
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cxfs.core.entries import SELF, TreePath, Uuid, UuidPath
from cxfs.core.errors import CxfsError
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.lane_set import SessionLimits
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from tests.remote.fake_cx import TOKEN, UUID, FakeCx, Pieces, file, folder, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls
    from cxfs.remote.user import User

PATH = UuidPath(SELF, Uuid(UUID))
WANTED = ByteRange(0, 5)


def said(body: bytes, status: int = 200, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=given, stream=Pieces(body))


HOSTILE: dict[str, httpx.Response | Exception] = {
    "nothing": said(b""),
    "half an object": said(b'{"id": "'),
    "an array": said(b"[]"),
    "a number": said(b"5"),
    "null": said(b"null"),
    "html": said(b"<!doctype html><title>Sign in to the hotel's network</title>"),
    "binary": said(bytes(range(256)) * 10),
    "utf-16": said(json.dumps(file()).encode("utf-16")),
    "a nest of objects": said(b'{"a":' * 50_000),
    "a nest of arrays": said(b"[" * 50_000),
    "an object of another kind": said(b'{"status": "ok"}'),
    "a number without end": said(b'{"id": "x", "size": ' + b"9" * 5_000 + b"}"),
    "a float for infinity": said(b'{"id": "x", "size": 1e999}'),
    "a size below zero": said(json.dumps(file(size=-1)).encode()),
    "a size beyond a file": said(json.dumps(file(size=1 << 80)).encode()),
    "a path for an id": said(json.dumps(file(id="../../../../../etc/pass")).encode()),
    "a lone surrogate": said(json.dumps(file(name="x")).replace('"x"', '"\\ud800"').encode()),
    "not gzip at all": said(json.dumps(file()).encode(), content_encoding="gzip"),
    "half of gzip": said(gzip.compress(json.dumps(file()).encode())[:-20], content_encoding="gzip"),
    "a success that is none": said(json.dumps(file()).encode(), status=201),
    "no content": said(b"", status=204),
    "a part nobody asked for": said(b"x", status=206, content_range="bytes 7-7/9"),
    "a redirect": said(b"", status=301, location="https://evil.test/"),
    "a redirect to nowhere": said(b"", status=302),
    "not modified": said(b"", status=304),
    "an unknown status": said(b"", status=599),
    "an error that is no object": said(b"[[[", status=400),
    "an error of odd fields": said(b'{"errorType": [], "message": {}}', status=403),
    "an error of a megabyte": said(b'{"errorType": "' + b"x" * 1_000_000 + b'"}', status=500),
    "a pause of a year": said(b"{}", status=429, retry_after="31536000"),
    "a pause below zero": said(b"{}", status=503, retry_after="-1"),
    "a pause in words": said(b"{}", status=503, retry_after="a while"),
    "silence": httpx.Response(200, stream=Pieces(b'{"id"', 10_000.0)),
    "a drip": httpx.Response(200, stream=Pieces(*(each for _ in range(500) for each in (b" ", 1.0)))),
    "a break": httpx.Response(200, stream=Pieces(b'{"id"', httpx.ReadError("reset"))),
    "a refused connection": httpx.ConnectError("refused"),
    "no HTTP": httpx.RemoteProtocolError("illegal status line"),
    "a flood": httpx.Response(200, stream=Pieces(*[b" " * 65_536] * 64)),
}


@pytest.fixture
async def session(cx: FakeCx, urls: ServiceUrls) -> AsyncIterator[Session]:
    """With less patience for large answers than usual."""
    limits = SessionLimits(json_bytes_max=1 << 20)
    async with open_session(urls, lambda: TOKEN, transport=cx, jitter=lambda: 0.5, limits=limits) as opened:
        yield opened


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, cx: FakeCx) -> httpx.Response | Exception:
    answer = HOSTILE[request.param]
    cx.answers(answer)
    return answer


async def works_again(session: Session, cx: FakeCx, files: Files) -> bool:
    cx.answers(ok())
    statistics = session.statistics()
    idle = (statistics.metadata.in_flight, statistics.download.in_flight, statistics.upload.in_flight) == (0, 0, 0)
    return idle and (await files.entry(PATH)).size == 5


class Hello:
    size = 5

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"hello"


async def test_no_answer_to_a_question_about_an_object_gets_through(
    hostile: object, session: Session, files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """A CxfsError, and nothing else, in one line."""
    with pytest.raises(CxfsError) as failed:
        await files.entry(PATH)

    assert "\n" not in str(failed.value)
    assert len(str(failed.value)) < 500
    assert await works_again(session, cx, files)


async def test_no_answer_to_a_listing_gets_through(
    hostile: object, session: Session, files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """Least of all as an empty folder."""
    with pytest.raises(CxfsError):
        await files.listing(PATH)

    assert await works_again(session, cx, files)


async def test_no_answer_to_an_upload_counts_as_success(
    hostile: object, session: Session, files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """The draft is dropped on success only."""
    with pytest.raises(CxfsError):
        await Transport(session).upload(PATH, Hello(), modified_ms=0, if_version=None)

    assert await works_again(session, cx, files)


async def test_no_answer_to_a_download_gives_bytes_that_were_not_asked_for(
    hostile: object, session: Session, files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """A wrong length, place or coding is an error."""

    async def download() -> bytes:
        async with Transport(session).download(PATH, WANTED, version=3, size=5, pin_version=False) as content:
            return b"".join([piece async for piece in content.pieces()])

    with pytest.raises(CxfsError):
        await download()

    assert await works_again(session, cx, files)


async def test_no_answer_to_the_profile_gets_through(
    hostile: object, session: Session, user: User, files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """`whoami` has nothing else to say."""
    with pytest.raises(CxfsError):
        await user.profile()

    assert await works_again(session, cx, files)


@pytest.mark.parametrize(
    "page",
    [
        {"directory": folder(), "entries": [file()], "total": 1 << 62},
        {"directory": folder(), "entries": [], "total": 1},
        {"directory": folder(), "entries": [file()] * 1_000, "total": 2_000},
        {"directory": file(), "entries": [], "total": 0},
        {"directory": folder(), "entries": [file(), {}], "total": 2},
        {"directory": folder(), "entries": [file(), None], "total": 2},
        {"directory": [], "entries": [], "total": 0},
        {"entries": [], "total": 0},
    ],
    ids=[
        "endless",
        "none of one",
        "the same for ever",
        "a file",
        "an empty entry",
        "null",
        "no folder",
        "no directory",
    ],
)
async def test_a_listing_that_contradicts_itself_is_refused(
    page: dict[str, Any], files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """In a few requests."""
    cx.answers(httpx.Response(200, json=page))

    with pytest.raises(CxfsError):
        await files.listing(TreePath.parse("self:/"))

    assert len(cx.heard) <= 2


async def test_a_listing_without_end_is_refused(session: Session, cx: FakeCx) -> None:
    """At a limit, which is a million entries unless told otherwise."""
    numbers = count()

    def endless(heard: object) -> httpx.Response:
        ids = (urlsafe_b64encode(next(numbers).to_bytes(16)).decode()[:22] for _ in range(100))
        bare = [{"id": each, "name": "", "isDir": True} for each in ids]
        return httpx.Response(200, json={"directory": folder(), "entries": bare, "total": 1 << 62})

    cx.answers(endless)

    with pytest.raises(CxfsError, match="more than 1000 entries"):
        await Files(session, entries_max=1_000).listing(PATH)

    assert len(cx.heard) == 11


async def test_an_answer_that_unpacks_without_end_is_cut_off(files: Files, cx: FakeCx, autojump_clock: object) -> None:
    """Some kilobytes of gzip are megabytes of spaces."""
    bomb = gzip.compress(b" " * (16 << 20))
    cx.answers(said(bomb, content_encoding="gzip"))

    with pytest.raises(CxfsError, match="longer than 1048576 bytes"):
        await files.entry(PATH)


async def test_an_honest_gzip_is_understood(files: Files, cx: FakeCx) -> None:
    """A listing of a thousand is a tenth as long."""
    cx.answers(said(gzip.compress(json.dumps(file()).encode()), content_encoding="gzip"))

    assert (await files.entry(PATH)).size == 5
    assert cx.last.headers["accept-encoding"] == "gzip"
