"""Content into CX: streamed, hashed on its way, and believed only when the server confirms it."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from email import message_from_bytes
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from cxfs.core.entries import SELF, EntryName, TreePath, Uuid, UuidPath
from cxfs.core.errors import BadReply, CxfsError, Invalid, NoSpace, NotFound, TimedOut, Unreachable, VersionConflict
from cxfs.remote.multipart import PIECE_BYTES_MAX, content_type_of
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from tests.remote.fake_cx import UUID, FakeCx, Heard, Pieces, file, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from email.message import Message

    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls

PATH = TreePath.parse("self:/photos/2353.jpg")


class Bytes:
    """Content in given pieces; `size` is what it says of itself."""

    def __init__(self, *pieces: bytes | memoryview, size: int | None = None, pause_s: float = 0.0) -> None:
        self._pieces: Sequence[bytes | memoryview] = pieces
        self._pause_s = pause_s
        self.size = sum(map(len, pieces)) if size is None else size
        self.read = 0

    async def pieces(self) -> AsyncIterator[bytes | memoryview]:
        self.read += 1
        for piece in self._pieces:
            await trio.sleep(self._pause_s)
            yield piece


HELLO = Bytes(b"hello")


def in_base64(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


def content_of(heard: Heard) -> bytes:
    (found,) = (part for name, part in parts_of(heard) if name == "file")
    payload = found.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def parts_of(heard: Heard) -> list[tuple[str, Message]]:
    """The form as another implementation of multipart reads it, in order."""
    head = f"Content-Type: {heard.headers['content-type']}\r\n\r\n".encode()
    whole = message_from_bytes(head + heard.body, policy=HTTP.clone(max_line_length=None))
    return [(str(part.get_param("name", header="content-disposition")), part) for part in whole.walk() if part != whole]


def receipt(heard: Heard) -> httpx.Response:
    """What a server that took the content says of it."""
    content = content_of(heard)
    told = file(
        size=len(content),
        checksum=in_base64(hashlib.sha1(content).digest()),
        md5checksum=in_base64(hashlib.md5(content).digest()),
    )
    return httpx.Response(200, json=told)


@pytest.fixture
def cx() -> FakeCx:
    fake = FakeCx()
    fake.answers(receipt)
    return fake


async def send(transport: Transport, content: Bytes = HELLO, **options: Any) -> Any:
    options = {"path": PATH, "modified_ms": 1_350_941_207_700, "if_version": None, **options}
    return await transport.upload(options.pop("path"), content, **options)


async def test_an_upload_is_a_form_with_the_file_in_it(transport: Transport, cx: FakeCx) -> None:
    """`POST /1/data/PATH` on the data host, multipart/form-data [doc]."""
    entry = await send(transport)

    assert (entry.size, entry.sha1) == (5, hashlib.sha1(b"hello").digest())
    assert (cx.last.method, cx.last.host) == ("POST", "data.cx.test")
    assert cx.last.path == "/1/data/self:%2Fphotos%2F2353.jpg"
    assert content_of(cx.last) == b"hello"


async def test_what_the_server_needs_to_know_stands_before_the_file(transport: Transport, cx: FakeCx) -> None:
    """So that it can refuse before it has received everything."""
    await send(transport, if_version=7, if_parent=Uuid("R-5oVJOIQCSNGUJbD7WiQg"))

    fields = [(name, part.get_payload()) for name, part in parts_of(cx.last)]
    assert fields == [
        ("modified", "2012-10-22T21:26:47.700Z"),
        ("ifVersion", "7"),
        ("ifParent", "R-5oVJOIQCSNGUJbD7WiQg"),
        ("file_content_type", "image/jpeg"),
        ("file", "hello"),
    ]


async def test_a_condition_is_sent_only_when_there_is_one(transport: Transport, cx: FakeCx) -> None:
    """`ifVersion=0` means that nothing must be there, so nothing must not become 0."""
    await send(transport, if_version=None)
    assert not {"ifVersion", "ifParent"} & {*dict(parts_of(cx.last))}

    await send(transport, if_version=0)
    assert dict(parts_of(cx.last))["ifVersion"].get_payload() == "0"


async def test_the_length_is_announced(transport: Transport, cx: FakeCx) -> None:
    """A server can refuse by quota at once, and need not understand chunks."""
    await send(transport)

    assert int(cx.last.headers["content-length"]) == len(cx.last.body)
    assert "transfer-encoding" not in cx.last.headers


@pytest.mark.parametrize(
    "content",
    [
        Bytes(),
        Bytes(b""),
        Bytes(b"", b"a", b"", b"b"),
        Bytes(b"\r\n--\r\n", b"--\r\n\r\n"),
        Bytes(bytes(range(256)) * 5_000),
        Bytes(memoryview(bytes(range(256)) * 5_000), b"end"),
        Bytes(memoryview(b"0123456789")[2:8]),
        Bytes(b"x" * PIECE_BYTES_MAX),
        Bytes(b"x" * (PIECE_BYTES_MAX + 1)),
    ],
    ids=[
        "none",
        "empty",
        "empty pieces",
        "like a boundary",
        "large",
        "memoryview",
        "slice",
        "a piece",
        "a piece and more",
    ],
)
async def test_content_arrives_as_it_is(transport: Transport, cx: FakeCx, content: Bytes) -> None:
    """However it comes in pieces."""
    expected = b"".join([bytes(piece) async for piece in content.pieces()])

    entry = await send(transport, content)

    assert content_of(cx.last) == expected
    assert entry.size == len(expected)


async def test_a_buffer_may_be_used_again_after_its_piece_was_taken(transport: Transport, cx: FakeCx) -> None:
    """Reading a draft fills one buffer over and over."""

    class OneBuffer:
        size = 30

        async def pieces(self) -> AsyncIterator[memoryview]:
            buffer = bytearray(10)
            for letter in b"abc":
                buffer[:] = bytes([letter]) * 10
                yield memoryview(buffer)

    await transport.upload(PATH, OneBuffer(), modified_ms=0, if_version=None)

    assert content_of(cx.last) == b"a" * 10 + b"b" * 10 + b"c" * 10


@pytest.mark.parametrize(
    "name",
    ['"', "\\", "\r\nX-Evil: 1\r\n\r\n", "a;b=c", "é😀", "%22", " ", "-", "\t", "x" * 255, "😀" * 255],
)
async def test_no_name_can_end_the_header_it_stands_in(transport: Transport, cx: FakeCx, name: str) -> None:
    """A name is any text, and a form is text too."""
    await send(transport, path=TreePath(SELF, (EntryName(name),)))

    assert [field for field, _ in parts_of(cx.last)] == ["modified", "file_content_type", "file"]
    assert content_of(cx.last) == b"hello"


async def test_the_name_can_be_given_where_the_path_is_a_uuid(transport: Transport, cx: FakeCx) -> None:
    """The next version of a file goes to its UUID, and has a type all the same."""
    await send(transport, path=UuidPath(SELF, Uuid(UUID)), name=EntryName("a.png"))

    assert cx.last.path == f"/1/data/self:{UUID}"
    assert dict(parts_of(cx.last))["file_content_type"].get_payload() == "image/png"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "image/jpeg"),
        ("A.JPG", "image/jpeg"),
        ("a.txt", "text/plain"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
        (".jpg", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("data:text/html,a", "application/octet-stream"),
        ("https://h/a.html?b.png", "image/png"),
        ("a.\r\nb", "application/octet-stream"),
    ],
)
def test_the_type_is_guessed_from_the_extension_alone(name: str, kind: str) -> None:
    """The rest of a name may look like anything."""
    assert content_type_of(name) == kind


async def test_the_seal_is_told_between_the_last_byte_and_the_end(transport: Transport, cx: FakeCx) -> None:
    """From there on the server may have the file, whatever we learn of it."""
    sealed: list[tuple[bytes, int]] = []

    async def note(sha1: bytes) -> None:
        await trio.lowlevel.checkpoint()
        sealed.append((sha1, len(cx.heard)))

    await send(transport, on_sealed=note)

    assert sealed == [(hashlib.sha1(b"hello").digest(), 0)]


async def test_an_upload_that_breaks_off_is_not_sealed(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """The server cannot have it."""

    class Broken:
        size = 10

        async def pieces(self) -> AsyncIterator[bytes]:
            yield b"hello"
            raise OSError("the disk is gone")

    sealed: list[bytes] = []

    async def note(sha1: bytes) -> None:
        sealed.append(sha1)

    with pytest.raises(OSError, match="the disk is gone"):
        await transport.upload(PATH, Broken(), modified_ms=0, if_version=None, on_sealed=note)

    assert sealed == []
    assert cx.heard == []


@pytest.mark.parametrize("size", [4, 6, 0, 1_000_000])
async def test_content_of_another_length_than_it_told_is_never_sent_whole(
    transport: Transport, cx: FakeCx, size: int
) -> None:
    """It changed under us: the server must not take it for complete."""
    with pytest.raises(Invalid):
        await send(transport, Bytes(b"hello", size=size))

    assert cx.heard == []


@pytest.mark.parametrize(
    "answer",
    [
        file(size=4),
        file(size=0),
        file(checksum=in_base64(hashlib.sha1(b"other").digest())),
        file(checksum=None, md5checksum=in_base64(hashlib.md5(b"other").digest())),
        file(isDir=True),
        {"status": "ok"},
        {},
        [],
    ],
    ids=["shorter", "empty", "other SHA-1", "other MD5", "a folder", "no file", "nothing", "no object"],
)
async def test_an_answer_that_does_not_confirm_the_content_is_no_success(
    transport: Transport, cx: FakeCx, answer: object
) -> None:
    """An upload is accepted only when size and checksum agree with what was sent."""
    cx.answers(httpx.Response(200, json=answer))

    with pytest.raises(BadReply):
        await send(transport)


@pytest.mark.parametrize(
    "changes",
    [{}, {"checksum": None}, {"md5checksum": None}, {"checksum": None, "md5checksum": None}, {"checksum": "nonsense"}],
    ids=str,
)
async def test_what_the_server_does_not_say_is_not_held_against_it(
    transport: Transport, cx: FakeCx, changes: dict[str, Any]
) -> None:
    """The size alone then has to do."""
    cx.answers(httpx.Response(200, json=file(**changes)))

    assert (await send(transport)).size == 5


async def test_a_server_that_tells_md5_alone_is_held_to_it_in_each_upload(transport: Transport, cx: FakeCx) -> None:
    """Of the first the content is read once more, of the next ones MD5 is taken on the way."""
    right = file(checksum=None, md5checksum=in_base64(hashlib.md5(b"hello").digest()))
    wrong = file(checksum=None, md5checksum=in_base64(hashlib.md5(b"other").digest()))
    first, second, third = Bytes(b"hello"), Bytes(b"hello"), Bytes(b"hello")
    cx.answers(*(httpx.Response(200, json=answer) for answer in (right, right, wrong)))

    await send(transport, first)
    await send(transport, second)
    with pytest.raises(BadReply):
        await send(transport, third)

    assert (first.read, second.read, third.read) == (2, 1, 1)


async def test_sha1_is_believed_before_md5(transport: Transport, cx: FakeCx) -> None:
    """One checksum decides; a server's second one may be of something else."""
    cx.answers(httpx.Response(200, json=file(md5checksum=in_base64(hashlib.md5(b"other").digest()))))

    assert (await send(transport)).size == 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(412, "VersionConflict"), VersionConflict),
        (refusal(507, "QuotaExceeded"), NoSpace),
        (refusal(404, "NotFound"), NotFound),
        (httpx.ReadError("reset"), Unreachable),
        (httpx.Response(200, text="<html>"), BadReply),
    ],
    ids=str,
)
async def test_an_upload_is_one_attempt(
    transport: Transport, cx: FakeCx, answer: httpx.Response | Exception, kind: type[CxfsError]
) -> None:
    """Whether to send it again is the uploader's to decide: the file may have changed by then."""
    cx.answers(answer)

    with pytest.raises(kind):
        await send(transport)

    assert len(cx.heard) == 1


async def test_an_answer_before_the_end_of_the_content_is_no_success(urls: ServiceUrls) -> None:
    """A server that has not got it all cannot have stored it."""

    class Hasty(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            await anext(aiter(request.stream))
            return httpx.Response(200, stream=Pieces(json.dumps(file()).encode()))

    async with open_session(urls, lambda: "token", transport=Hasty()) as session:
        with pytest.raises(BadReply, match="before it had all"):
            await send(Transport(session))


async def test_a_slow_upload_that_moves_is_not_cut_off(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """No total deadline for content."""
    content = Bytes(*[b"x"] * 100, pause_s=9.0)

    assert (await send(transport, content)).size == 100


async def test_an_upload_without_progress_is_given_up(transport: Transport, cx: FakeCx, autojump_clock: object) -> None:
    """Of what goes out, 10 s."""
    stuck, began = Bytes(b"x", b"y", pause_s=1_000), trio.current_time()

    with pytest.raises(TimedOut):
        await send(transport, stuck)

    assert trio.current_time() - began == pytest.approx(10)


async def test_an_upload_without_an_answer_is_given_up_sooner(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """Who waits for the object may have ten seconds: a second attempt, with more patience, fits into them."""
    cx.delay_s = 1_000
    began, ends = trio.current_time(), []

    for _ in range(3):
        with pytest.raises(TimedOut):
            await send(transport)
        ends.append(trio.current_time() - began)

    assert ends == pytest.approx([4, 4 + 8, 4 + 8 + 16])


async def test_a_server_that_takes_its_time_for_an_answer_is_given_it(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """It is not asked again and again what it is still at work on."""
    cx.delay_s = 30
    for _ in range(3):
        with pytest.raises(TimedOut):
            await send(transport)

    assert (await send(transport)).size == HELLO.size


async def test_a_large_upload_without_progress_is_given_up_later(
    transport: Transport, cx: FakeCx, autojump_clock: object
) -> None:
    """All that was sent would have to be sent again, and the server takes longer to write it down."""
    cx.delay_s = 1_000
    began = trio.current_time()

    with pytest.raises(TimedOut):
        await send(transport, Bytes(*[bytes(1 << 20)] * 30))

    assert trio.current_time() - began == pytest.approx(15, abs=0.1)


async def test_bytes_are_counted_as_they_leave(transport: Transport, session: Session, cx: FakeCx) -> None:
    """The whole form, since that is what the line carries."""
    await send(transport)

    assert session.statistics().upload.bytes_out == len(cx.last.body)


async def test_two_uploads_have_two_boundaries(transport: Transport, cx: FakeCx) -> None:
    """Nobody can put it into a file beforehand."""
    await send(transport)
    await send(transport)

    first, second = (re.search("boundary=(.+)", each.headers["content-type"]) for each in cx.heard)
    assert first is not None
    assert second is not None
    assert first[1] != second[1]
