"""What a refusal or a broken connection is called inside cxfs: two tables and no request. Retries nothing.

An answer goes by its `errorType` where we know it, else by its status (docs/protocol.md, "Answers and errors"). The
errors made here never hold a URL, since the access token stands in it.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import h11
import httpx
import msgspec

from cxfs.core.errors import (
    AlreadyExists,
    BadName,
    BadReply,
    BadRequest,
    CxfsError,
    Denied,
    IsADirectory,
    NameTooLong,
    NoSpace,
    NotADirectory,
    NotEmpty,
    NotFound,
    RateLimited,
    ServerTrouble,
    SignedOut,
    Stale,
    Suspended,
    TimedOut,
    TooLarge,
    Unreachable,
    Unsupported,
    Untrusted,
    VersionConflict,
)
from cxfs.remote.redaction import printable, redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MESSAGE_CHARACTERS_MAX: Final = 300
"""Of a server's own words in ours: an error is one line, whatever page of HTML it came with."""


class Misshapen(BadReply):
    """A JSON object that lacks what the contract requires. Asking again at once would bring the same."""


class Redirected(BadReply):
    """A redirect, which is never followed: the token must not travel to where a server points."""


class Declined(RateLimited):
    """The server turned the request away unread (429), so it has done nothing. A 503 may be a gateway's guess."""


class NeverSent(Unreachable):
    """No connection came about, so the server has not heard of the request."""


class CertificateRefused(NeverSent, Untrusted):
    """TLS found no way to trust the server, so it has not heard of the request."""


BY_TYPE: Final[Mapping[str, type[CxfsError]]] = {
    "AccessDenied": Denied,
    "SuspendedAccount": Suspended,
    "BadAuthToken": SignedOut,
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "NotEmpty": NotEmpty,
    "NotADirectory": NotADirectory,
    "IsADirectory": IsADirectory,
    "VersionConflict": VersionConflict,
    "InvalidPath": BadName,
    "NameTooLong": NameTooLong,
    "QuotaExceeded": NoSpace,
    # We ask only for bytes that the version has: a server that has not got them holds another version.
    "RangeNotSatisfiable": Stale,
    "RateLimited": Declined,
    "Internal": ServerTrouble,
    "Unavailable": ServerTrouble,
}

BY_STATUS: Final[Mapping[int, type[CxfsError]]] = {
    401: SignedOut,
    402: NoSpace,
    403: Denied,
    404: NotFound,
    405: Unsupported,
    408: ServerTrouble,  # the server waited for us; the same request may well arrive in time
    409: AlreadyExists,
    410: NotFound,
    412: VersionConflict,
    413: TooLarge,
    414: NameTooLong,
    416: Stale,
    423: Denied,
    425: ServerTrouble,
    429: Declined,
    501: Unsupported,
    507: NoSpace,
}


NOT_WORTH_REPEATING: Final = (Misshapen, Redirected, CertificateRefused)
"""Transient in the long run, but not within one call."""

CERTAINLY_NOT_DONE: Final = (NeverSent, Declined)
"""After these even a request that must not be done twice may be sent again."""


class _WireError(msgspec.Struct):
    errorType: str = ""  # noqa: N815 - the wire's spelling
    message: str = ""
    status: Any = 0


_WIRE_ERROR: Final = msgspec.json.Decoder(_WireError)


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> CxfsError:
    """The error that a non-200 answer stands for. `headers` finds names in any case."""
    wire = _wire_error(body)
    kind = BY_TYPE.get(wire.errorType) or BY_STATUS.get(status) or _by_class(status)
    said = printable(redact(wire.message))[:MESSAGE_CHARACTERS_MAX]
    text = f"the server answered {status}" + (f": {said}" if said else "")
    pause_s = retry_after_s(headers)
    if kind is Declined:
        return Declined(text, retry_after_s=pause_s)
    if kind is ServerTrouble and pause_s is not None:
        return RateLimited(text, retry_after_s=pause_s)
    return kind(text)


def failure_in(body: bytes) -> CxfsError | None:
    """What the error object of one item of a bundle stands for; None for what is none."""
    wire = _wire_error(body)
    status = wire.status if isinstance(wire.status, int) else 0
    return failure_of(status, {}, body) if wire.errorType or status else None


def _by_class(status: int) -> type[CxfsError]:
    if 300 <= status < 400:
        return Redirected
    if 400 <= status < 500:
        return BadRequest
    return ServerTrouble if status >= 500 else BadReply


def _wire_error(body: bytes) -> _WireError:
    """The error object of an answer; an empty one where a proxy answered in its own words."""
    try:
        return _WIRE_ERROR.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _WireError()


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, counted from the answer's own `Date` when it is a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        asked = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(asked.total_seconds(), 0.0)


@contextmanager
def in_our_words() -> Iterator[None]:
    """Turns what httpx raises into Unreachable (NeverSent, TimedOut) or BadReply, whose text holds no URL."""
    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        raise NeverSent("no connection to the server in time") from None
    except httpx.TimeoutException as error:
        raise TimedOut(f"no answer in time ({type(error).__name__})") from None
    except httpx.TransportError as error:
        raise _unreachable(error, NeverSent if isinstance(error, httpx.ConnectError) else Unreachable) from None
    except httpx.HTTPError as error:  # an undecodable body, mostly
        raise BadReply(f"the answer cannot be read ({type(error).__name__})") from None
    except httpx.InvalidURL:
        raise NameTooLong("the path is too long for a URL") from None


@contextmanager
def sockets_in_our_words(*, never_sent: bool = False) -> Iterator[None]:
    """The same for what sockets, TLS and h11 raise. `never_sent`: nothing was asked of the server yet."""
    try:
        yield
    except CxfsError:
        raise
    except (OSError, h11.ProtocolError) as error:
        raise _unreachable(error, NeverSent if never_sent else Unreachable) from None


def _unreachable(error: Exception, kind: type[Unreachable]) -> Unreachable:
    text = printable(redact(str(error)))[:MESSAGE_CHARACTERS_MAX] or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateRefused(
                f"the server's certificate is not trusted: {getattr(cause, 'verify_message', cause)}"
            )
        cause = cause.__cause__ or cause.__context__
    return kind(f"cannot reach the server: {text}")
