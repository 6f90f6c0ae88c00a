"""The nouns of the contract as types: paths, UUIDs, times, File objects. Parses and prints; looks nothing up."""

from __future__ import annotations

import re
import uuid
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from cxfs.server.errors import InvalidPath, InvalidRequest, NameTooLong
from cxfs.server.limits import NAME_CHARACTERS_MAX, PATH_NAMES_MAX

_UUID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TreePath(NamedTuple):
    """`OWNER:/a/b`: by names, from the owner's root."""

    owner: str
    names: tuple[str, ...]


class UuidPath(NamedTuple):
    """`OWNER:OBJECT`: one object of that owner, wherever it moves."""

    owner: str
    object: str


class Stats(msgspec.Struct, frozen=True):
    """Counters that CX kept; this server has no comments."""

    comments: int = 0


class File(msgspec.Struct, rename="camel", frozen=True):
    """A file or folder as the contract shows it. What follows `parent` is missing where it was never set."""

    id: str
    version: int
    name: str
    description: str
    size: int
    created: str
    modified: str
    is_dir: bool
    checksum: str
    md5checksum: str
    checksum_method: str = "SHA1"
    shares: tuple[str, ...] = ()
    stats: Stats = Stats()
    suspended: bool = False
    parent: str | msgspec.UnsetType = msgspec.UNSET
    modified_ns: str | msgspec.UnsetType = msgspec.UNSET
    mode: str | msgspec.UnsetType = msgspec.UNSET
    link: str | msgspec.UnsetType = msgspec.UNSET
    xattrs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def new_uuid() -> str:
    """22 characters: 16 random bytes in URL-safe base64 without padding."""
    return unpadded(uuid.uuid4().bytes)


def unpadded(digest: bytes) -> str:
    """URL-safe base64 without padding: the form of UUIDs and of checksums."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def check_name(name: str) -> str:
    """The name, if CX can hold it; else InvalidPath or NameTooLong."""
    if len(name) > NAME_CHARACTERS_MAX:
        raise NameTooLong(f"a name has at most {NAME_CHARACTERS_MAX} characters, this one has {len(name)}")
    if name in {"", ".", ".."} or "\0" in name or "/" in name:
        raise InvalidPath(f"not a name: {name!r}")
    return name


def parse_path(text: str) -> TreePath | UuidPath:
    """From text in which nothing is percent-encoded any more. Neither a trailing slash nor `//` is a path."""
    owner, colon, rest = text.partition(":")
    if not colon or (owner != "self" and _UUID.fullmatch(owner) is None):
        raise InvalidPath("a path is OWNER:/path/to/file or OWNER:OBJECT, OWNER being a UUID or self")
    if rest == "/":
        return TreePath(owner, ())
    if rest.startswith("/"):
        names = rest[1:].split("/")
        if len(names) > PATH_NAMES_MAX:
            raise InvalidPath(f"a path has at most {PATH_NAMES_MAX} names")
        return TreePath(owner, tuple(check_name(name) for name in names))
    if _UUID.fullmatch(rest) is None:
        raise InvalidPath("behind OWNER: comes either a slash or an object's UUID")
    return UuidPath(owner, rest)


def parse_path_in_url(raw: bytes) -> TreePath | UuidPath:
    """From the bytes of a request line. Decoded once, then split: `%252F` is `%2F`, three characters of a name."""
    try:
        return parse_path(unquote_to_bytes(raw).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidPath("a path is percent-encoded UTF-8") from error


def parse_owner_in_url(raw: bytes) -> str:
    """A UUID, or `self`."""
    owner = unquote_to_bytes(raw).decode("utf-8", "replace")
    if owner != "self" and _UUID.fullmatch(owner) is None:
        raise InvalidPath("an owner is a UUID or self")
    return owner


def parse_fine_time(text: str) -> tuple[int, int]:
    """Milliseconds since the epoch from `2012-10-22T21:26:47.700Z`, and the nanoseconds that are left over."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise InvalidRequest("a time looks like 2012-10-22T21:26:47.700Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise InvalidRequest(f"no such time: {error}") from error
    fraction = (match[7] or "").ljust(9, "0")
    return (moment - _EPOCH) // timedelta(milliseconds=1) + int(fraction[:3]), int(fraction[3:])


def show_time(milliseconds: int) -> str:
    """As the contract always shows it."""
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{_second(seconds)}.{rest:03}Z"


def show_fine_time(milliseconds: int, rest_ns: int) -> str:
    """The reverse of `parse_fine_time`."""
    return f"{show_time(milliseconds)[:-1]}{rest_ns:06}Z"


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    """Times in one listing are often alike, and this is the dearest part of an entry."""
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(timespec="seconds")
