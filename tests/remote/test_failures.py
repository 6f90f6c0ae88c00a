"""What a refusal or a broken connection is called."""

from __future__ import annotations

import json
import ssl

import httpx
import pytest

from cxfs.core import errors
from cxfs.core.errors import BadReply, CxfsError, NameTooLong, RateLimited, TimedOut, Unreachable
from cxfs.remote.failures import (
    BY_STATUS,
    BY_TYPE,
    MESSAGE_CHARACTERS_MAX,
    CertificateRefused,
    Declined,
    NeverSent,
    Redirected,
    failure_of,
    in_our_words,
)


def failure(status: int, kind: str = "", message: str = "", **headers: str) -> CxfsError:
    body = json.dumps({"errorType": kind, "message": message}).encode()
    return failure_of(status, httpx.Headers(headers), body)


@pytest.mark.parametrize(
    ("kind", "status", "ours"),
    [
        ("AccessDenied", 403, errors.Denied),
        ("SuspendedAccount", 403, errors.Suspended),
        ("BadAuthToken", 401, errors.SignedOut),
        ("NotFound", 404, errors.NotFound),
        ("AlreadyExists", 409, errors.AlreadyExists),
        ("NotEmpty", 409, errors.NotEmpty),
        ("NotADirectory", 409, errors.NotADirectory),
        ("IsADirectory", 409, errors.IsADirectory),
        ("VersionConflict", 412, errors.VersionConflict),
        ("InvalidPath", 400, errors.BadName),
        ("NameTooLong", 400, errors.NameTooLong),
        ("QuotaExceeded", 507, errors.NoSpace),
        ("RangeNotSatisfiable", 416, errors.Stale),
        ("RateLimited", 429, Declined),
        ("Internal", 500, errors.ServerTrouble),
        ("Unavailable", 503, errors.ServerTrouble),
    ],
)
def test_every_error_type_of_the_contract_has_a_name_here(kind: str, status: int, ours: type[CxfsError]) -> None:
    """docs/protocol.md, "Answers and errors"; the same with its own status and with a meaningless one."""
    assert type(failure(status, kind)) is ours
    assert type(failure(400, kind)) is ours


def test_the_table_of_types_is_the_contract_and_nothing_more() -> None:
    """A type that is added there needs a row above."""
    assert len(BY_TYPE) == 16


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        *BY_STATUS.items(),
        (400, errors.BadRequest),
        (418, errors.BadRequest),
        (422, errors.BadRequest),
        (500, errors.ServerTrouble),
        (502, errors.ServerTrouble),
        (599, errors.ServerTrouble),
        (302, Redirected),
        (304, Redirected),
        (201, BadReply),
        (204, BadReply),
    ],
)
def test_without_a_type_we_know_the_status_decides(status: int, ours: type[CxfsError]) -> None:
    """An unknown type, and a proxy that answers in HTML, are judged alike."""
    assert type(failure(status, "Indescribable")) is ours
    assert type(failure_of(status, {}, b"<html>no</html>")) is ours


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 414, 416, 422, 501, 507])
def test_a_problem_with_the_request_is_not_transient(status: int) -> None:
    """4xx: the same request would fail again [doc]."""
    assert not failure(status).transient


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_problem_of_the_server_is_transient(status: int) -> None:
    """5xx: the client can retry [doc]."""
    assert failure(status).transient


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"no"', b'{"errorType": 5}', b'{"errorType": null}', b"\xff", b'{"a":' * 100_000, b"{}"],
)
def test_an_error_without_an_error_object_still_is_one(body: bytes) -> None:
    """The status is enough."""
    assert type(failure_of(404, {}, body)) is errors.NotFound


def test_the_servers_words_cannot_move_the_cursor() -> None:
    """They are printed on a terminal."""
    assert "\x1b" not in str(failure(403, "AccessDenied", "no\x1b]0;title\x07"))


def test_the_servers_words_are_kept_as_one_short_line() -> None:
    """They are for the person at the terminal."""
    said = str(failure(400, message="line one\nline two " + "x" * 10_000))

    assert said.startswith("the server answered 400: line one line two xxx")
    assert len(said) < MESSAGE_CHARACTERS_MAX + 50


@pytest.mark.parametrize(
    ("after", "date", "pause_s"),
    [
        ("7", "", 7.0),
        (" 0 ", "", 0.0),
        ("Wed, 21 Oct 2026 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:10 GMT", "", None),
        ("Wed, 21 Oct 2026 07:28:10", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("soon", "", None),
        ("-5", "", None),
        ("\u0667", "", None),
        ("9" * 5_000, "", 999_999_999.0),
        ("", "", None),
    ],
)
def test_the_pause_that_a_server_asks_for_is_understood(after: str, date: str, pause_s: float | None) -> None:
    """RFC 9110, 10.2.3: seconds or a date; our own clock may be wrong, so the date is compared with the server's."""
    limited = failure_of(429, {"retry-after": after, "date": date}, b"")

    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == pause_s


def test_a_server_that_is_unavailable_may_ask_for_a_pause_too() -> None:
    """503 with `Retry-After`."""
    limited = failure(503, "Unavailable", **{"Retry-After": "3"})

    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 3.0


def ours(error: Exception) -> CxfsError:
    with pytest.raises(CxfsError) as raised, in_our_words():
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        (httpx.ConnectTimeout(""), NeverSent),
        (httpx.PoolTimeout(""), NeverSent),
        (httpx.ConnectError("refused"), NeverSent),
        (httpx.ReadTimeout(""), TimedOut),
        (httpx.WriteTimeout(""), TimedOut),
        (httpx.ReadError(""), Unreachable),
        (httpx.WriteError(""), Unreachable),
        (httpx.CloseError(""), Unreachable),
        (httpx.RemoteProtocolError(""), Unreachable),
        (httpx.ProxyError(""), Unreachable),
        (httpx.DecodingError(""), BadReply),
        (httpx.InvalidURL(""), NameTooLong),
    ],
)
def test_what_the_http_library_raises_gets_one_of_our_names(theirs: Exception, kind: type[CxfsError]) -> None:
    """And no trace of theirs, since it holds the request and so the token."""
    error = ours(theirs)

    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_certificate_that_is_not_trusted_says_so() -> None:
    """Repeating the call within the next seconds would not help."""
    refused = httpx.ConnectError("handshake")
    refused.__cause__ = ssl.SSLCertVerificationError(1, "verify failed")

    error = ours(refused)

    assert type(error) is CertificateRefused
    assert error.transient


def test_every_error_of_this_room_is_one_of_ours() -> None:
    """Nothing else crosses a layer."""
    kinds = [*BY_TYPE.values(), *BY_STATUS.values(), Redirected, CertificateRefused, NeverSent]

    assert all(issubclass(kind, CxfsError) for kind in kinds)
