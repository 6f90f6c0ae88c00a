"""What the client writes is what the server reads, and the reverse: for any name, any content, any range, any time.

The two share no code; here each is held to the other's words, where the other tests hold both to the contract.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, cast

from hypothesis import HealthCheck, given, settings, strategies as st

from cxfs.core.entries import NAME_CHARACTERS_MAX, SELF, EntryName, TreePath, Uuid, UuidPath
from cxfs.core.posix import PosixUpdate
from cxfs.core.ranges import ByteRange
from cxfs.remote import bundles, multipart, replies
from cxfs.remote.bundle_parts import BundleItem, BundleParts
from cxfs.remote.bundles import BundleUpload
from cxfs.remote.transport import _CONTENT_RANGE, _fields
from cxfs.server import wire
from cxfs.server.forms import BundleReader, FormReader, boundary_of
from cxfs.server.ranges import etag_of, requested_span
from cxfs.server.wire import parse_fine_time, parse_path_in_url, show_time
from tests.fuzz.machine_parsers import ID
from tests.remote.test_generated_answers import Said, driven

if TYPE_CHECKING:
    import re
    from collections.abc import AsyncIterator

FEW: Final = settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=NAME_CHARACTERS_MAX
).filter(lambda text: text not in {".", ".."})
contents = st.binary(max_size=300) | st.sampled_from([b"\r\n--", b"--b--\r\n", b"\r\n" * 50, b"-" * 100])
milliseconds = st.integers(-62_135_596_800_000, 253_402_300_799_999)
"""Of the years 1 to 9999."""


class Content:
    """In pieces of these lengths."""

    def __init__(self, content: bytes, at_a_time: int) -> None:
        self._content = content
        self._at_a_time = at_a_time

    @property
    def size(self) -> int:
        return len(self._content)

    async def pieces(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._content), self._at_a_time):
            yield self._content[at : at + self._at_a_time]


@FEW
@given(st.lists(names, max_size=5))
def test_a_path_by_names_arrives(path: list[str]) -> None:
    """Percent signs, spaces and whatever looks like an escape included."""
    sent = TreePath(SELF, tuple(map(EntryName, path)))

    assert parse_path_in_url(sent.in_url.encode()) == wire.TreePath("self", tuple(path))


@FEW
@given(
    names,
    contents,
    st.integers(1, 50),
    st.integers(1, 50),
    milliseconds,
    st.integers(0, 999_999),
    st.none() | st.integers(0, 1 << 62),
    st.none() | st.just(Uuid("R-5oVJOIQCSNGUJbD7WiQg")),
)
def test_an_upload_arrives(
    name: str,
    content: bytes,
    sent: int,
    read: int,
    modified_ms: int,
    rest_ns: int,
    if_version: int | None,
    if_parent: Uuid | None,
) -> None:
    """However it was cut on its way, and whatever stands in it that looks like an end."""
    kind = multipart.content_type_of(name)
    fields = _fields(modified_ms, PosixUpdate(rest_ns=rest_ns), if_version, if_parent, kind)
    body = multipart.UploadBody(
        Content(content, sent), fields=fields, file_name=name, file_type="a/b", on_sealed=None, with_md5=False
    )

    async def whole() -> bytes:
        return b"".join([part async for part in body.parts()])

    raw = driven(whole())
    reader = FormReader(boundary_of(body.content_type), with_file=True)
    arrived = [piece for at in range(0, len(raw), read) for piece in reader.feed(raw[at : at + read])]
    reader.finish()
    assert b"".join(arrived) == content
    assert reader.fields == fields
    assert len(raw) == body.length
    assert parse_fine_time(reader.fields["modified"]) == (modified_ms, rest_ns)


@FEW
@given(st.lists(st.tuples(names, contents), min_size=1, max_size=5), st.integers(1, 50))
def test_a_bundle_of_uploads_arrives(files: list[tuple[str, bytes]], read: int) -> None:
    """In its order."""
    uploads = [
        BundleUpload(TreePath(SELF, (EntryName(name),)), content, 0, None, name, lambda _: None)
        for name, content in files
    ]
    raw = b"".join(piece for piece, _ in bundles._pieces(uploads, "boundary"))

    reader = BundleReader("boundary")
    arrived = [file for at in range(0, len(raw), read) for file in reader.feed(raw[at : at + read])]
    reader.finish()

    assert arrived == [content for _, content in files]
    assert b'"path"' in reader.items


@FEW
@given(st.lists(contents, min_size=1, max_size=5), st.integers(1, 50))
def test_a_bundle_of_downloads_arrives(files: list[bytes], at_a_time: int) -> None:
    """As the server's `bundle_parts` writes it."""
    head = "--b\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nETag: {}\r\n\r\n"
    parts = [head.format(len(content), etag_of(3)).encode() + content + b"\r\n" for content in files]
    raw = b"".join([*parts, b"--b--\r\n"])
    pieces = [raw[at : at + at_a_time] for at in range(0, len(raw), at_a_time)]
    items = [
        BundleItem(UuidPath(SELF, ID), 3, len(content), hashlib.sha1(content, usedforsecurity=False).digest())
        for content in files
    ]

    async def read() -> list[Any]:
        answer = Said(200, {"content-type": "multipart/mixed; boundary=b"}, pieces)
        return [part.content async for part in BundleParts(answer, items)]

    assert driven(read()) == files


@FEW
@given(st.integers(1, 1 << 50), st.integers(0, 1 << 50), st.integers(1, 1 << 50))
def test_a_range_comes_back_as_it_was_asked_for(size: int, start: int, length: int) -> None:
    """Where the file has all of it."""
    wanted = ByteRange(start % size, min(size, start % size + length))

    span = requested_span(wanted.in_header, size)

    assert span is not None
    told = cast("re.Match[str]", _CONTENT_RANGE.fullmatch(span.content_range(size)))
    assert ByteRange.from_inclusive(int(told[1]), int(told[2])) == wanted
    assert told[3] == str(size)


@FEW
@given(milliseconds, st.integers(0, 999_999))
def test_a_time_comes_back_as_it_was_told(time_ms: int, rest_ns: int) -> None:
    """To the nanosecond, and the other way to the millisecond."""
    assert parse_fine_time(replies.in_wire(time_ms, rest_ns)) == (time_ms, rest_ns)
    assert replies.milliseconds(show_time(time_ms)) == time_ms
