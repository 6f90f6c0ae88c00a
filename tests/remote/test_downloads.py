"""Content out of CX: only the bytes that were asked for, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
import trio.testing

from cxfs.core.entries import SELF, Uuid, UuidPath
from cxfs.core.errors import BadReply, CxfsError, Denied, NotFound, ServerTrouble, Stale, TimedOut, Unreachable
from cxfs.core.ranges import ByteRange
from tests.remote.fake_cx import UUID, FakeCx, Heard, Pieces, ok, refusal

if TYPE_CHECKING:
    from cxfs.remote.session import Session
    from cxfs.remote.transport import Download, Transport

PATH = UuidPath(SELF, Uuid(UUID))
CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
MIDDLE = ByteRange(1_000, 3_000)


def part(
    wanted: ByteRange = MIDDLE, *, content: bytes | None = None, total: object = SIZE, **headers: str
) -> httpx.Response:
    """A 206 as a server of the contract gives it."""
    body = CONTENT[wanted.start : wanted.stop] if content is None else content
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    content_range = f"bytes {wanted.start}-{wanted.stop - 1}/{total}"
    return httpx.Response(206, headers={"content-range": content_range, **given}, stream=Pieces(body))


def whole(content: bytes = CONTENT, **headers: str) -> httpx.Response:
    """A 200: what a server does that ignores Range."""
    return httpx.Response(200, headers={"content-length": str(len(content)), **headers}, stream=Pieces(content))


async def read(download: Download) -> bytes:
    return b"".join([piece async for piece in download.pieces()])


async def fetch(transport: Transport, wanted: ByteRange = MIDDLE, **options: Any) -> tuple[ByteRange, bytes]:
    options = {"version": 3, "size": SIZE, "pin_version": False, **options}
    async with transport.download(PATH, wanted, **options) as download:
        return download.range, await read(download)


async def test_a_range_is_asked_for_and_delivered(transport: Transport, cx: FakeCx) -> None:
    """`GET /1/data/PATH` on the data host, both ends of the range inclusive."""
    cx.answers(part())

    covered, content = await fetch(transport)

    assert (covered, content) == (MIDDLE, CONTENT[1_000:3_000])
    assert (cx.last.method, cx.last.host, cx.last.path) == ("GET", "data.cx.test", f"/1/data/self:{UUID}")
    assert cx.last.headers["range"] == "bytes=1000-2999"


async def test_content_is_never_compressed_on_the_way(transport: Transport, cx: FakeCx) -> None:
    """A range of a compressed body is another range."""
    cx.answers(part())

    await fetch(transport)

    assert cx.last.headers["accept-encoding"] == "identity"


async def test_compressed_content_is_refused(transport: Transport, cx: FakeCx) -> None:
    """We asked for none, and cannot say which bytes of the file it holds."""
    cx.answers(part(content_encoding="gzip"))

    with pytest.raises(BadReply, match="coding"):
        await fetch(transport)


async def test_a_server_that_ignores_ranges_gives_the_whole(transport: Transport, cx: FakeCx) -> None:
    """And says so by 200: the bytes begin at 0, not where we asked."""
    cx.answers(whole())

    assert await fetch(transport) == (ByteRange(0, SIZE), CONTENT)


async def test_the_whole_may_come_without_its_length(transport: Transport, cx: FakeCx) -> None:
    """A server that streams in chunks does not send one."""
    cx.answers(httpx.Response(200, stream=Pieces(CONTENT)))

    assert await fetch(transport) == (ByteRange(0, SIZE), CONTENT)


async def test_a_part_may_come_without_its_total(transport: Transport, cx: FakeCx) -> None:
    """`*` is allowed (RFC 9110, 14.4)."""
    cx.answers(part(total="*"))

    assert (await fetch(transport))[0] == MIDDLE


async def test_the_version_is_asked_for_by_number_when_pinned(transport: Transport, cx: FakeCx) -> None:
    """Capability `versions`: an old handle reads on while others write."""
    cx.answers(part())

    await fetch(transport, pin_version=True)

    assert cx.last.query["version"] == "3"


async def test_a_server_without_versions_is_not_asked_for_one(transport: Transport, cx: FakeCx) -> None:
    """It might take it for something else."""
    cx.answers(part())

    await fetch(transport)

    assert "version" not in cx.last.query


async def test_the_etag_of_one_part_guards_the_next(transport: Transport, cx: FakeCx) -> None:
    """One open handle reads one version, never a mix of two."""
    cx.answers(part(etag='"abc"'))
    async with transport.download(PATH, MIDDLE, version=3, size=SIZE, pin_version=False) as download:
        etag = download.etag

    await fetch(transport, etag=etag)

    assert cx.last.headers["if-match"] == '"abc"'


async def test_a_weak_etag_is_compared_but_not_sent(transport: Transport, cx: FakeCx) -> None:
    """If-Match with a weak one never matches (RFC 9110, 13.1.1): every part but the first would fail."""
    cx.answers(part(etag='W/"abc"'))

    await fetch(transport, etag='W/"abc"')

    assert "if-match" not in cx.last.headers
    with pytest.raises(Stale):
        await fetch(transport, etag='W/"abd"')


@pytest.mark.parametrize("etag", ['"3"', '"abc"', "3", "abc", 'W/"4"', ""])
async def test_an_etag_of_our_version_or_of_an_unknown_form_is_accepted(
    transport: Transport, cx: FakeCx, etag: str
) -> None:
    """Only the quoted decimal version says which one it is."""
    cx.answers(part(etag=etag))

    assert (await fetch(transport))[0] == MIDDLE


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (part(etag='"4"'), {}),
        (whole(etag='"4"'), {}),
        (part(etag='"abd"'), {"etag": '"abc"'}),
        (refusal(412, "VersionConflict"), {"etag": '"3"'}),
        (refusal(412), {}),
        (refusal(416, "RangeNotSatisfiable"), {}),
        (refusal(416), {}),
        (refusal(404, "NotFound"), {"pin_version": True}),
    ],
    ids=[
        "etag of another version",
        "etag of another version of the whole",
        "another etag",
        "If-Match refused",
        "refused as changed",
        "range refused by type",
        "range refused by status",
        "version gone",
    ],
)
async def test_another_version_on_the_server_is_stale(
    transport: Transport, cx: FakeCx, answer: httpx.Response, options: dict[str, Any]
) -> None:
    """The handle's version is gone: ESTALE, never a mix."""
    cx.answers(answer)

    with pytest.raises(Stale):
        await fetch(transport, **options)


OTHER_SIZE = pytest.mark.parametrize(
    "answer", [part(total=SIZE + 1), whole(CONTENT + b"x")], ids=["of a part", "of the whole"]
)


@OTHER_SIZE
async def test_another_size_is_stale_if_the_server_has_another_version(
    transport: Transport, cx: FakeCx, answer: httpx.Response
) -> None:
    """It is asked: without a name of the version there is no telling what came."""
    cx.answers(answer, ok(version=4, size=SIZE + 1))

    with pytest.raises(Stale):
        await fetch(transport)


@OTHER_SIZE
async def test_another_size_of_the_same_version_is_trouble_that_passes(
    transport: Transport, cx: FakeCx, answer: httpx.Response
) -> None:
    """A page of the hotel's network is no other version of the file."""
    cx.answers(answer, ok(version=3, size=SIZE))

    with pytest.raises(BadReply):
        await fetch(transport)


async def test_content_without_the_name_that_the_server_gives_it_is_not_taken(transport: Transport, cx: FakeCx) -> None:
    """Of the right length, and yet perhaps somebody else's words."""
    cx.answers(part(etag='"3"'), part(), part(etag='"3"'))
    await fetch(transport)

    with pytest.raises(BadReply):
        await fetch(transport)
    await fetch(transport)


async def test_a_file_that_is_gone_is_not_found(transport: Transport, cx: FakeCx) -> None:
    """Without a version in the question it is the file that is gone."""
    cx.answers(refusal(404, "NotFound"))

    with pytest.raises(NotFound):
        await fetch(transport)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(refusal(403, "AccessDenied"), Denied), (refusal(500), ServerTrouble), (httpx.ConnectError(""), Unreachable)],
    ids=str,
)
async def test_a_refused_download_is_one_attempt(
    transport: Transport, cx: FakeCx, answer: httpx.Response | Exception, kind: type[CxfsError]
) -> None:
    """Only the reader knows what it still needs."""
    cx.answers(answer)

    with pytest.raises(kind):
        await fetch(transport)

    assert len(cx.heard) == 1


@pytest.mark.parametrize(
    "content_range",
    [
        None,
        "",
        "bytes 0-1999/10240",
        "bytes 1000-2998/10240",
        "bytes 1000-3000/10240",
        "bytes 999-2999/10240",
        "bytes */10240",
        "bytes 1000-2999",
        "bytes=1000-2999/10240",
        "items 1000-2999/10240",
        "bytes 2999-1000/10240",
        "bytes -1000-2999/10240",
        "bytes 1000-99999999999999999999999999/10240",
    ],
)
async def test_another_part_than_was_asked_for_is_refused(
    transport: Transport, cx: FakeCx, content_range: str | None
) -> None:
    """Bytes in the wrong place are worse than none."""
    headers = {} if content_range is None else {"content-range": content_range}
    cx.answers(httpx.Response(206, headers=headers, stream=Pieces(CONTENT[1_000:3_000])))

    with pytest.raises(BadReply):
        await fetch(transport)


async def test_several_parts_in_one_body_are_refused(transport: Transport, cx: FakeCx) -> None:
    """`multipart/byteranges` has no Content-Range of its own, and we never ask for it."""
    cx.answers(httpx.Response(206, headers={"content-type": "multipart/byteranges; boundary=x"}, stream=Pieces(b"--x")))

    with pytest.raises(BadReply):
        await fetch(transport)


@pytest.mark.parametrize("answer", [part(content=CONTENT[1_000:2_999]), part(content=b"")], ids=["short", "empty"])
async def test_a_body_that_ends_early_is_an_error(transport: Transport, cx: FakeCx, answer: httpx.Response) -> None:
    """A read answered short means end of file to the kernel."""
    cx.answers(answer)

    with pytest.raises(Unreachable, match="broke off"):
        await fetch(transport)


async def test_what_came_before_the_break_was_delivered(transport: Transport, cx: FakeCx) -> None:
    """The reader goes on from there."""
    stream = Pieces(CONTENT[1_000:1_500], CONTENT[1_500:1_700], httpx.ReadError("reset"))
    cx.answers(httpx.Response(206, headers=part().headers, stream=stream))
    got: list[bytes] = []

    async def keep() -> None:
        async with transport.download(PATH, MIDDLE, version=3, size=SIZE, pin_version=False) as download:
            async for piece in download.pieces():
                got.append(piece)  # noqa: PERF401 - what came before the error has to be kept

    with pytest.raises(Unreachable):
        await keep()

    assert b"".join(got) == CONTENT[1_000:1_700]


async def test_a_body_that_does_not_end_is_an_error(transport: Transport, cx: FakeCx) -> None:
    """The bytes beyond belong to nothing we asked for."""
    cx.answers(part(content=CONTENT[1_000:3_001]))

    with pytest.raises(BadReply):
        await fetch(transport)


async def test_silence_in_the_middle_ends_at_the_time_without_progress(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """10 s, whatever has come before: its caller begins anew from where it stood."""
    stream = Pieces(CONTENT[1_000:2_000], 9.0, CONTENT[2_000:2_500], 11.0, CONTENT[2_500:3_000])
    cx.answers(httpx.Response(206, headers=part().headers, stream=stream))
    began = trio.current_time()

    with pytest.raises(TimedOut):
        await fetch(transport)

    assert trio.current_time() - began == pytest.approx(9 + 10)


async def test_whoever_knows_a_slow_server_waits_longer_for_it(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """After attempts that brought nothing, and never longer than the time without progress."""
    cx.delay_s = 1_000
    began = trio.current_time()

    with pytest.raises(TimedOut):
        await fetch(transport, patience_s=40.0)
    with pytest.raises(TimedOut):
        await fetch(transport, patience_s=400.0)

    assert trio.current_time() - began == pytest.approx(40 + 60)


async def test_a_slow_download_that_moves_is_not_cut_off(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """There is no total deadline for content: a large file takes hours over a thin line."""
    pieces = (piece for at in range(1_000, 3_000, 20) for piece in (9.0, CONTENT[at : at + 20]))
    cx.answers(httpx.Response(206, headers=part().headers, stream=Pieces(*pieces)))

    assert (await fetch(transport))[1] == CONTENT[1_000:3_000]


async def test_a_server_that_does_not_begin_is_given_up(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """The same 10 s hold for the first byte."""
    cx.delay_s = 1_000

    with pytest.raises(TimedOut):
        await fetch(transport)


@pytest.mark.parametrize("wanted", [ByteRange(5, 5), ByteRange(-1, 5), ByteRange(0, SIZE + 1), ByteRange(5, 4)])
async def test_a_range_that_the_file_has_not_got_is_never_asked_for(
    transport: Transport, cx: FakeCx, wanted: ByteRange
) -> None:
    """It is a bug of the caller, and a server would answer it anyhow."""
    with pytest.raises(ValueError, match="no range to ask for"):
        await fetch(transport, wanted)

    assert cx.heard == []


async def test_what_the_reader_raises_stays_what_it_is(transport: Transport, cx: FakeCx) -> None:
    """A NotFound of its own is not a version that is gone."""
    cx.answers(part())

    with pytest.raises(NotFound, match="the reader's own"):
        async with transport.download(PATH, MIDDLE, version=3, size=SIZE, pin_version=True):
            raise NotFound("the reader's own")


async def test_a_download_left_early_frees_its_place(
    transport: Transport, session: Session, cx: FakeCx, autojump_clock: object
) -> None:
    """A reader that has what it needs goes."""
    cx.answers(part())
    for _ in range(20):
        async with transport.download(PATH, MIDDLE, version=3, size=SIZE, pin_version=False) as download:
            await anext(download.pieces())

    assert session.statistics().download.in_flight == 0


async def test_one_task_may_read_two_files_at_once(transport: Transport, cx: FakeCx) -> None:
    """To compare them, for one."""
    cx.answers(part())
    options: dict[str, Any] = {"version": 3, "size": SIZE, "pin_version": False}
    async with transport.download(PATH, MIDDLE, **options) as one, transport.download(PATH, MIDDLE, **options) as two:
        assert await read(one) == await read(two)


async def test_bytes_are_counted_as_they_arrive(transport: Transport, session: Session, cx: FakeCx) -> None:
    """For the status page."""
    cx.answers(part())

    await fetch(transport)

    assert session.statistics().download.bytes_in == 2_000


async def test_downloads_do_not_wait_for_small_calls_nor_these_for_them(
    transport: Transport, session: Session, cx: FakeCx, autojump_clock: object
) -> None:
    """`ls` answers while films are being copied."""
    seen: list[str] = []

    def slow_content(heard: Heard) -> httpx.Response:
        seen.append(heard.host)
        stream = Pieces(5.0, CONTENT[1_000:3_000])
        return httpx.Response(206, headers=part().headers, stream=stream)

    cx.answers(slow_content)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(fetch, transport)
        await trio.testing.wait_all_tasks_blocked()
        statistics = session.statistics()

    assert statistics.download.waiting == 50 - statistics.download.in_flight
    assert statistics.metadata.waiting == 0
