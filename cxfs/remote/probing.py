"""How a server is reached, without an account: connection, certificate, clock, round trip. Sends no token."""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cxfs.core.errors import Unreachable, Untrusted
from cxfs.remote.clients import trust
from cxfs.remote.endpoints import API_VERSION, CAPABILITIES

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S: Final = 10.0

ROUND_TRIPS: Final = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """What was seen. Times in seconds; None where the server does not tell.

    `ahead_s` is how far its clock is before ours, to the second; `certificate_s` how long its certificate is good.
    """

    connect_s: float
    round_trip_s: float
    ahead_s: float | None
    certificate_s: float | None


def probe(url: str, *, ca_file: Path | None, timeout_s: float = TIMEOUT_S) -> Probe:
    """Looks at the host of an API. Raises Unreachable, Untrusted, and BadCertificateFile."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=trust(ca_file))
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    )
    try:
        return _probed(connection, f"{parts.path}/{API_VERSION}/{CAPABILITIES}")
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(f"its certificate is not to be trusted ({error.verify_message})") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"no answer from {parts.netloc} ({error})") from None
    finally:
        connection.close()


def _probed(connection: http.client.HTTPConnection, address: str) -> Probe:
    began = time.monotonic()
    connection.connect()
    connected_s = time.monotonic() - began
    good_for_s = None
    if isinstance(connection.sock, ssl.SSLSocket):
        until = (connection.sock.getpeercert() or {}).get("notAfter")
        good_for_s = ssl.cert_time_to_seconds(until) - time.time() if isinstance(until, str) else None
    fastest_s, date = TIMEOUT_S, None
    for _ in range(ROUND_TRIPS):
        asked = time.monotonic()
        connection.request("GET", address, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        answer.read()
        fastest_s = min(fastest_s, time.monotonic() - asked)
        date = answer.headers.get("Date")
    return Probe(connected_s, fastest_s, _ahead_s(date), good_for_s)


def _ahead_s(date: str | None) -> float | None:
    """The header is cut to whole seconds: half of one is the best guess at the rest."""
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - time.time()
    except ValueError:
        return None
