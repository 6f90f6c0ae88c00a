"""What a POSIX system knows of an object beside its content: fine times, modes, links, extended attributes.

The capability `posix`; forms and JSON write it the same way. Modes and extended attributes belong to the object; its
time, and whether it is a link, belong to the content and stay with each version. Keeps none of it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from cxfs.server.errors import InvalidRequest, RequestTooLarge
from cxfs.server.limits import LINK_BYTES_MAX, XATTR_NAME_BYTES_MAX, XATTRS_BYTES_MAX
from cxfs.server.wire import parse_fine_time, unpadded

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODE: Final = re.compile(r"[0-7]{3,4}")
_BASE64: Final = re.compile(r"[A-Za-z0-9_-]*")
_FAMILY: Final = "user."
_XATTRS: Final = msgspec.json.Decoder(dict[str, str | None])
_encode = msgspec.json.Encoder(order="sorted").encode

Xattrs = dict[str, bytes | None]
"""By name; None takes one away, or is what was never there."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is to be set; None leaves it as it is. `modified_rest_ns` is what the milliseconds do not hold."""

    modified_ms: int | None = None
    modified_rest_ns: int = 0
    mode: int | None = None
    xattrs: Xattrs | None = None


AS_IT_IS: Final = Attributes()


def attributes_of(modified: str | None, mode: str | None, xattrs: str | bytes | None) -> Attributes:
    """From the fields of a request. Raises InvalidRequest, RequestTooLarge."""
    modified_ms, rest_ns = (None, 0) if modified is None else parse_fine_time(modified)
    return Attributes(modified_ms, rest_ns, parse_mode(mode), None if xattrs is None else parse_xattrs(xattrs))


def parse_mode(text: str | None) -> int | None:
    """Permission bits from three or four octal digits."""
    if text is None:
        return None
    if _MODE.fullmatch(text) is None:
        raise InvalidRequest("'mode' is three or four octal digits")
    return int(text, 8)


def show_mode(mode: int) -> str:
    """Four octal digits."""
    return f"{mode:04o}"


def parse_link(text: str | None) -> str | None:
    """Where a symbolic link leads: any text without NUL that is not empty."""
    if text is not None and (not text or "\0" in text or len(text.encode("utf-8")) > LINK_BYTES_MAX):
        raise InvalidRequest(f"'link' is 1 to {LINK_BYTES_MAX} bytes of UTF-8 without NUL")
    return text


def parse_xattrs(text: str | bytes) -> Xattrs:
    """From a JSON object of names and values in unpadded URL-safe base64, null for one that is to go."""
    try:
        return {_checked_name(name): _value(shown) for name, shown in _XATTRS.decode(text).items()}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(f"'xattrs' is a JSON object of texts: {error}") from error


def set_xattrs(kept: str, to_set: Xattrs) -> str:
    """What is kept of an object once these are set and taken away. Raises RequestTooLarge."""
    now = {**(parse_xattrs(kept) if kept else {}), **to_set}
    values = {name: value for name, value in now.items() if value is not None}
    if sum(len(name.encode("utf-8")) + len(value) for name, value in values.items()) > XATTRS_BYTES_MAX:
        raise RequestTooLarge(f"names and values of extended attributes are over {XATTRS_BYTES_MAX} bytes")
    return show_xattrs(values)


def show_xattrs(values: Mapping[str, bytes]) -> str:
    """As JSON, and as the tables keep them; nothing for none."""
    return _encode({name: unpadded(value) for name, value in values.items()}).decode("utf-8") if values else ""


def _checked_name(name: str) -> str:
    size = len(name.encode("utf-8"))
    if not (name.startswith(_FAMILY) and len(_FAMILY) < size <= XATTR_NAME_BYTES_MAX) or "\0" in name:
        raise InvalidRequest(f"an extended attribute is named user.SOMETHING, in at most {XATTR_NAME_BYTES_MAX} bytes")
    return name


def _value(shown: str | None) -> bytes | None:
    if shown is None:
        return None
    try:
        if _BASE64.fullmatch(shown) is None:
            raise InvalidRequest("the value of an extended attribute is URL-safe base64 without padding")
        return urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
    except NotBase64 as error:
        raise InvalidRequest("the value of an extended attribute is URL-safe base64 without padding") from error
