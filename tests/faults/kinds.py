"""What can befall one request: values that say what happens, and nothing that makes it happen.

Counts are bytes of a body, never of its head; seconds are those of whichever clock the carrier lives by.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOREVER: Final = math.inf
"""Until the client hangs up."""


class Side(Enum):
    """Which of the two bodies of an exchange is meant."""

    REQUEST = auto()
    ANSWER = auto()


@dataclass(frozen=True, slots=True)
class Answers:
    """This answer comes instead of the server's, which hears nothing of the request. Its Content-Length is added."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """The server does what was asked, all of it, and its answer never arrives.

    The connection breaks, or a gateway's answer comes `instead`.
    """

    instead: Answers | None = None


@dataclass(frozen=True, slots=True)
class Twice:
    """The server gets the request twice, the second time when it has answered the first. The last answer arrives."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks after so many bytes of a body; with none of an answer also its head is lost.

    Cut in its request, a request never reaches the server whole. `abruptly`: by a reset, else by a proper end, which
    looks like one of a server that has said all.
    """

    after_bytes: int = 0
    side: Side = Side.ANSWER
    abruptly: bool = True


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing moves any more after so many bytes of a body, for `for_s` seconds; the connection stays.

    With none of an answer also its head waits.
    """

    after_bytes: int = 0
    side: Side = Side.ANSWER
    for_s: float = FOREVER


@dataclass(frozen=True, slots=True)
class Drip:
    """The answer's body comes in pieces of so many bytes, each after a pause: slowly, but never not at all."""

    piece_bytes: int = 1
    pause_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Late:
    """The request reaches the server so many seconds later."""

    by_s: float


def _unchanged(body: bytes) -> bytes:
    return body


@dataclass(frozen=True, slots=True)
class Altered:
    """The server's answer arrives with another status, with these headers in place of its own, with another body.

    `keeps_length`: the Content-Length stays that of the server's own body, so that more or less follows than it says;
    the connection ends after it.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[bytes], bytes] = _unchanged
    keeps_length: bool = False

    def applied(self, answer: Answers) -> Answers:
        """The answer as it arrives. Names of headers are in lower case."""
        body = self.body(answer.body)
        length = answer.headers.get("content-length", str(len(answer.body))) if self.keeps_length else str(len(body))
        headers = {
            **answer.headers,
            "content-length": length,
            **{name.lower(): text for name, text in self.headers.items()},
        }
        headers.pop("transfer-encoding", None)
        return Answers(self.status or answer.status, body, headers)


def strike_in(fault: Fault | None, side: Side) -> Cut | Stall | None:
    """The fault, if it strikes within that body."""
    return fault if isinstance(fault, Cut | Stall) and fault.side is side else None


Fault = Answers | Lost | Twice | Cut | Stall | Drip | Late | Altered

NO_JSON: Final = Answers(
    200, b"<!doctype html><title>Sign in to the hotel's network</title>", {"Content-Type": "text/html"}
)
"""A 200 that is none [doc]."""

_TYPES: Final = {
    401: "BadAuthToken",
    403: "AccessDenied",
    404: "NotFound",
    409: "AlreadyExists",
    412: "VersionConflict",
    429: "RateLimited",
    500: "Internal",
    503: "Unavailable",
    507: "QuotaExceeded",
}


def refusal(status: int, error_type: str | None = None, *, retry_after_s: int | None = None) -> Answers:
    """An error as a CX server says it, of the type that usually goes with that status; others have none."""
    said = {"errorType": _TYPES.get(status, "") if error_type is None else error_type, "message": "no"}
    headers = {"Content-Type": "application/json"} | (
        {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    )
    return Answers(status, json.dumps(said).encode(), headers)


def wrong_range(text: str = "bytes 7-7/9") -> Altered:
    """A part of the file that says it is another one."""
    return Altered(headers={"content-range": text})
