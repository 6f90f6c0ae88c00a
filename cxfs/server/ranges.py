"""Which bytes a download asks for, and whether its conditions hold (RFC 9110, 13 and 14). Pure; reads nothing."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Final, NamedTuple

from cxfs.server.errors import RangeNotSatisfiable, VersionConflict

_RANGE: Final = re.compile(r"bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """The header, in which the last byte is inclusive."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def etag_of(version: int) -> str:
    """A strong tag: a version's bytes never change."""
    return f'"{version}"'


def last_modified(modified_ms: int) -> str:
    """An HTTP date, whole seconds."""
    return formatdate(modified_ms // 1_000, usegmt=True)


def requested_span(header: str | None, size: int) -> Span | None:
    """The one range asked for, cut at the end; None for the whole: no header, one not understood, or several ranges.

    Raises RangeNotSatisfiable for a range that holds no byte of the file.
    """
    match = None if header is None else _RANGE.fullmatch(header)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, stop = max(0, size - int(match[2])), size
    else:
        start, stop = int(match[1]), int(match[2]) + 1 if match[2] else size
        if stop <= start and match[2]:
            return None  # first byte behind the last: no range at all, says 14.1.1
    span = Span(start, min(stop, size))
    if span.start >= span.stop:
        raise RangeNotSatisfiable(
            f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        )
    return span


def check_if_match(header: str | None, etag: str) -> None:
    """Raises VersionConflict when the file is at none of the versions that are asked for."""
    if header is None or header.strip() == "*" or etag in (tag.strip() for tag in header.split(",")):
        return
    raise VersionConflict(f"the file is now at {etag}")


def if_range_holds(header: str | None, etag: str, modified: str) -> bool:
    """Whether a range may be answered with the range; otherwise the answer is the whole."""
    return header is None or header.strip() in {etag, modified}
