"""Request bodies, url-encoded and multipart: pieces go in, fields and the file's bytes come out. No I/O of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from cxfs.server.errors import InvalidRequest, RequestTooLarge
from cxfs.server.limits import (
    ATTRIBUTES_BYTES_MAX,
    BUNDLE_BYTES_MAX,
    BUNDLE_ITEM_BYTES_MAX,
    BUNDLE_ITEMS_MAX,
    BUNDLE_LIST_BYTES_MAX,
    FIELD_BYTES_MAX,
    FIELDS_MAX,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_ENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
FILE_FIELD: Final = "file"
ITEMS_FIELD: Final = "items"
XATTRS_FIELD: Final = "xattrs"
BOUNDARY_CHARACTERS_MAX: Final = 256


class FormReader:
    """A multipart form in any field order. `fields` fills as they come; a name sent twice keeps its last value."""

    def __init__(self, boundary: str, *, with_file: bool) -> None:
        self.fields: dict[str, str] = {}
        self.file_seen = False
        self.file_type = ""
        self._with_file = with_file
        self._name = ""
        self._value = bytearray()
        self._in_file = False
        with _refused():
            self._parser = PushMultipartParser(boundary, max_segment_count=FIELDS_MAX)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The file's bytes in this chunk, in pieces. Raises InvalidRequest, RequestTooLarge."""
        if not chunk:
            return
        with _refused():
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event is None:
                    self._end()
                elif self._in_file:
                    yield bytes(event)
                else:
                    self._collect(event)

    def finish(self) -> None:
        """The body has ended; raises InvalidRequest when the form has not."""
        with _refused():
            self._parser.close()

    def _begin(self, segment: MultipartSegment) -> None:
        self._name = segment.name or ""
        self._value.clear()
        self._in_file = self._with_file and self._name == FILE_FIELD
        if self._in_file:
            if self.file_seen:
                raise InvalidRequest("one upload carries one file")
            self.file_seen = True
            self.file_type = segment.content_type or ""

    def _collect(self, piece: bytes | bytearray) -> None:
        self._value += piece
        bytes_max = ATTRIBUTES_BYTES_MAX if self._name == XATTRS_FIELD else FIELD_BYTES_MAX
        if len(self._value) > bytes_max:
            raise RequestTooLarge(f"the field {self._name[:40]!r} is over {bytes_max} bytes")

    def _end(self) -> None:
        if self._in_file:
            return
        try:
            self.fields[self._name] = self._value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"the field {self._name[:40]!r} is not UTF-8") from error


class BundleReader:
    """A multipart form of many files behind one field: `items`, which is whole when the first file is.

    A file that is too large for a bundle is cut just behind its limit, which tells it.
    """

    def __init__(self, boundary: str) -> None:
        self.items = b""
        self._name: str | None = None
        self._content = bytearray()
        self._bytes_left = BUNDLE_BYTES_MAX
        with _refused():
            self._parser = PushMultipartParser(boundary, max_segment_count=BUNDLE_ITEMS_MAX + FIELDS_MAX)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The files that end in this chunk. Raises InvalidRequest, RequestTooLarge."""
        if not chunk:
            return
        with _refused():
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    self._name = event.name
                    self._content = bytearray()
                elif event is not None:
                    self._collect(event)
                elif self._name == FILE_FIELD:
                    yield bytes(self._content)
                elif self._name == ITEMS_FIELD:
                    self.items = bytes(self._content)

    def _collect(self, piece: bytes | bytearray) -> None:
        if self._name != FILE_FIELD:
            self._content += piece
            if len(self._content) > BUNDLE_LIST_BYTES_MAX:
                raise RequestTooLarge(f"a field of a bundle is over {BUNDLE_LIST_BYTES_MAX} bytes")
            return
        self._bytes_left -= len(piece)
        if self._bytes_left < 0:
            raise RequestTooLarge(f"a bundle has at most {BUNDLE_BYTES_MAX} bytes of content")
        self._content += piece[: BUNDLE_ITEM_BYTES_MAX + 1 - len(self._content)]

    def finish(self) -> None:
        """The body has ended; raises InvalidRequest when the form has not."""
        with _refused():
            self._parser.close()


def boundary_of(content_type: str) -> str:
    """From the Content-Type header of a multipart form; raises InvalidRequest for anything else."""
    kind, options = parse_options_header(content_type)
    boundary: str = options.get("boundary", "")
    if kind != MULTIPART or not 0 < len(boundary) <= BOUNDARY_CHARACTERS_MAX:
        raise InvalidRequest(f"the body is to be {MULTIPART} with a boundary")
    return boundary


def fields_of(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a whole, short body. An empty body has none whatever its type."""
    if not body:
        return {}
    kind, _ = parse_options_header(content_type)
    if kind == URL_ENCODED:
        return url_encoded(body)
    reader = FormReader(boundary_of(content_type), with_file=False)
    for _ in reader.feed(body):
        pass
    reader.finish()
    return reader.fields


def url_encoded(text: bytes) -> dict[str, str]:
    """The fields of a query string or url-encoded body; raises InvalidRequest."""
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError as error:  # not ASCII, not UTF-8 behind the percent signs, or too many
        raise InvalidRequest(f"not url-encoded UTF-8 of at most {FIELDS_MAX} fields") from error
    return dict(pairs)


@contextmanager
def _refused() -> Iterator[None]:
    """The parser's errors as ours."""
    try:
        yield
    except ParserLimitReached as error:
        raise RequestTooLarge(f"multipart: {error}") from error
    except MultipartError as error:
        raise InvalidRequest(f"multipart: {error}") from error
