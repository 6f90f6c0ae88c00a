"""What a CX server's JSON means: decoded, checked and turned into our types once. Sends nothing and keeps nothing.

Tolerant where the contract is (docs/protocol.md, "Types"): unknown fields are skipped, optional ones have a neutral
default and a value of the wrong kind counts as absent. Without a required one the whole answer is invalid, since
a listing with a hole would look like a deletion.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from cxfs.core.entries import Entry, EntryName, Owner, Uuid
from cxfs.core.errors import BadReply
from cxfs.core.feed import Change, News
from cxfs.core.posix import PLAIN, TARGET_BYTES_MAX, Posix, PosixUpdate, Values
from cxfs.remote import endpoints
from cxfs.remote.failures import Misshapen
from cxfs.remote.redaction import redact

INTEGER_MAX: Final = (1 << 63) - 1
"""Of a size or version: what a kernel's file offset can hold."""

_SHA1_BYTES: Final = 20
_MD5_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MODE: Final = re.compile("[0-7]{3,4}")
_FINE: Final = re.compile(r"(.*\.\d{3})(\d{6})Z", re.ASCII)


class _File(msgspec.Struct, gc=False):
    """[seen]; from `parent` on [ours]. Any: optional, so a value of another type must not spoil the answer."""

    id: str
    name: str
    is_folder: bool = msgspec.field(name="isDir")
    size: Any = None
    version: Any = 0
    created: Any = None
    modified: Any = None
    checksum: Any = None
    method: Any = msgspec.field(name="checksumMethod", default="SHA1")
    md5: Any = msgspec.field(name="md5checksum", default=None)
    parent: Any = None
    fine: Any = msgspec.field(name="modifiedNs", default=None)
    mode: Any = None
    link: Any = None
    xattrs: Any = None


class _Listing(msgspec.Struct):
    directory: _File
    entries: list[_File]
    offset: Any = None
    total: Any = None


class _Versions(msgspec.Struct):
    versions: list[_File]


class _Capabilities(msgspec.Struct):
    capabilities: list[Any]


class _Change(msgspec.Struct):
    """[ours]; `file` may be missing."""

    id: str
    kind: Any = None
    file: _File | None = None


class _News(msgspec.Struct):
    cursor: str
    changes: list[_Change]
    reset: Any = False
    groups: Any = None


_FILE: Final = msgspec.json.Decoder(_File)
_LISTING: Final = msgspec.json.Decoder(_Listing)
_VERSIONS: Final = msgspec.json.Decoder(_Versions)
_CAPABILITIES: Final = msgspec.json.Decoder(_Capabilities)
_NEWS: Final = msgspec.json.Decoder(_News)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Some entries of a folder from `offset` on; `total` is None where the server does not tell."""

    folder: Entry
    entries: tuple[Entry, ...]
    offset: int | None
    total: int | None


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The one way from bytes to a wire object. BadReply: no JSON object at all; Misshapen: not the right one."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if body.lstrip()[:1] == b"{":
            raise Misshapen(f"the answer is not what CX defines: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    raise BadReply("the answer is not a JSON object")


def entry(body: bytes, owner: Owner) -> Entry:
    """A File object; Misshapen without its required fields."""
    return _entry(decoded(_FILE, body), owner, None)


def listing_page(body: bytes, owner: Owner) -> ListingPage:
    """One page of a listing. Its entries know their parent, told or not."""
    page = decoded(_LISTING, body)
    folder = _entry(page.directory, owner, None)
    if not folder.is_folder:
        raise Misshapen("the answer lists a file")
    return ListingPage(
        folder=folder,
        entries=tuple([_entry(each, owner, folder.id) for each in page.entries]),
        offset=_count_or_none(page.offset),
        total=_count_or_none(page.total),
    )


def versions(body: bytes, owner: Owner) -> tuple[Entry, ...]:
    """The versions of one file as the server orders them: newest first."""
    return tuple(_entry(each, owner, None) for each in decoded(_VERSIONS, body).versions)


def capabilities(body: bytes) -> frozenset[str]:
    """The names of what the server can do beyond the core."""
    return frozenset(each for each in decoded(_CAPABILITIES, body).capabilities if isinstance(each, str))


def news(body: bytes, owner: Owner) -> News:
    """What has come about in the tree of this owner."""
    told = decoded(_NEWS, body)
    changes = tuple(_change(each, owner) for each in told.changes)
    return News(told.cursor, changes, reset=told.reset is True, groups=_count_or_none(told.groups))


def _change(told: _Change, owner: Owner) -> Change:
    is_gone = told.kind == "deleted"
    entry = None if told.file is None or is_gone else _entry(told.file, owner, None)
    return Change(uuid(told.id), entry, is_described=is_gone or entry is not None)


def nothing(body: bytes) -> None:
    """An answer whose only news is that it came: any JSON object."""
    decoded(_OBJECT, body)


def _entry(file: _File, owner: Owner, parent: Uuid | None) -> Entry:
    sha1 = file.checksum if file.method == "SHA1" else None
    return Entry(  # by position: ten thousand times in a walk, keywords would take as long as all the rest
        owner,
        uuid(file.id),
        # Not EntryName.parse: one name over the limit must not hide the folder it stands in.
        EntryName(file.name),
        file.is_folder,
        0 if file.is_folder else _count(file.size, "size"),
        _count(file.version, "version"),
        milliseconds(file.created),
        milliseconds(file.modified),
        digest(sha1, _SHA1_BYTES),
        digest(file.md5, _MD5_BYTES),
        parent if file.parent == parent else _uuid_or_none(file.parent) or parent,
        _posix(file),
    )


def _posix(file: _File) -> Posix:
    if file.fine is file.link is file.xattrs is None:
        return _of_mode(file.mode) if isinstance(file.mode, str) else PLAIN
    return Posix(
        mode=_of_mode(file.mode).mode if isinstance(file.mode, str) else None,
        rest_ns=_rest_ns(file.fine, file.modified),
        link=file.link if _is_target(file.link) and not file.is_folder else None,
        xattrs=_xattrs(file.xattrs) if isinstance(file.xattrs, dict) else (),
    )


@lru_cache(maxsize=256)
def _of_mode(mode: str) -> Posix:
    """Most objects have nothing else, and few modes there are."""
    return Posix(mode=int(mode, 8)) if _MODE.fullmatch(mode) else PLAIN


def _is_target(link: Any) -> bool:
    return isinstance(link, str) and "\0" not in link and 0 < len(link.encode(errors="replace")) <= TARGET_BYTES_MAX


def _rest_ns(fine: Any, coarse: Any) -> int:
    """What the finer time says beyond the milliseconds; 0 where the two do not belong together."""
    match = _FINE.fullmatch(fine) if isinstance(fine, str) else None
    return int(match[2]) if match is not None and f"{match[1]}Z" == coarse else 0


def _xattrs(found: dict[Any, Any]) -> Values:
    values = ((name, _base64(shown)) for name, shown in found.items() if _is_xattr_name(name))
    return tuple(sorted((name, value) for name, value in values if value is not None))


def _is_xattr_name(name: Any) -> bool:
    return isinstance(name, str) and name.startswith("user.") and "\0" not in name


def _base64(shown: Any) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4)) if isinstance(shown, str) else None
    except ValueError:
        return None


def posix_fields(posix: PosixUpdate) -> dict[str, str]:
    """What is to be set, but the time, as the fields of a form."""
    fields = {}
    if posix.mode is not None:
        fields[endpoints.MODE] = f"{posix.mode:04o}"
    if posix.link is not None:
        fields[endpoints.LINK] = posix.link
    if posix.xattrs is not None:
        shown = {name: None if value is None else _unpadded(value) for name, value in posix.xattrs}
        fields[endpoints.XATTRS] = msgspec.json.encode(shown).decode()
    return fields


def _unpadded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _count(value: Any, field: str) -> int:
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:  # bool is an int too
        raise Misshapen(f"the answer gives a file no valid {field}")
    return value


def _count_or_none(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def uuid(text: str) -> Uuid:
    """A required UUID; Misshapen for anything else."""
    try:
        return Uuid.parse(text)
    except BadReply as error:
        raise Misshapen(redact(str(error))) from None


def _uuid_or_none(value: Any) -> Uuid | None:
    try:
        return Uuid.parse(value) if isinstance(value, str) else None
    except BadReply:
        return None


def milliseconds(time: Any) -> int:
    """A time of the wire, such as `2012-10-22T21:26:47.700Z`, since the epoch; 0 for what is not one."""
    if not isinstance(time, str):
        return 0
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def in_wire(time_ms: int, rest_ns: int = 0) -> str:
    """The reverse of `milliseconds`, within the years 1 to 9999; beyond them the nearest moment.

    With nine digits behind the point where there is a rest.
    """
    low, high = datetime(1, 1, 1, tzinfo=UTC) - _EPOCH, datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - _EPOCH
    clamped = min(max(time_ms, low // _MILLISECOND), high // _MILLISECOND)
    moment = _EPOCH + clamped * _MILLISECOND
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + (f"{rest_ns:06}Z" if rest_ns else "Z")


def digest(text: Any, length: int) -> bytes | None:
    """Raw bytes from unpadded base64 in either alphabet; None for what is not a digest of that length."""
    if not isinstance(text, str):
        return None
    unpadded = text.rstrip("=").replace("-", "+").replace("_", "/")
    if len(unpadded) != -(-length * 4 // 3):
        return None
    try:
        return binascii.a2b_base64(unpadded + "=" * (-len(unpadded) % 4), strict_mode=True)
    except ValueError:
        return None
