"""How an httpx client is made: whom it trusts, how long it waits, over which connections. Sends nothing."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.request import getproxies

import httpx

from cxfs.core.errors import Misconfigured
from cxfs.remote.bulk import BulkBackend, DirectTransport
from cxfs.remote.hearing import HearingBackend
from cxfs.remote.redaction import silence_http_libraries

if TYPE_CHECKING:
    from pathlib import Path

KEEP_ALIVE_S: Final = 90.0
"""How long an idle connection is kept: a TLS handshake costs more than the socket. httpx's own 5 s is too short."""


class BadCertificateFile(Misconfigured, ValueError):
    """The file of further certificate authorities cannot be used; the message says why."""


class MakeClient(Protocol):
    """Makes a client with a pool of so many connections. `hears`: they listen while they send.

    `lingers`: how long nothing may come is for its user to say.
    """

    def __call__(self, requests_max: int, *, hears: bool = False, lingers: bool = False) -> httpx.AsyncClient:
        """A new one, for the caller to close."""
        ...


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies always: the machine's certificate authorities, those of httpx, and those in `ca_file`.

    Raises BadCertificateFile.
    """
    context = httpx.create_ssl_context()
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # an SSLError is one, in words of OpenSSL's
            reason = "no PEM certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise BadCertificateFile(f"cannot use the CA file {ca_file}: {reason}") from None
    return context


def goes_direct(*, by_proxy: bool) -> bool:
    """Whether connections go straight to the server: no proxy is in between, or none may be."""
    return not (by_proxy and getproxies())


def client_maker(
    *,
    connect_s: float,
    no_progress_s: float,
    user_agent: str,
    by_proxy: bool,
    verify: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> MakeClient:
    """Clients that follow no redirect and tell nobody their URLs.

    `by_proxy` lets the environment's proxy in between; one that is used speaks httpx's own connections, which neither
    hear nor hurry. `transport` replaces the network, else `verify` says whom to trust.
    """
    silence_http_libraries()
    options: dict[str, Any] = {
        "headers": {"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        "follow_redirects": False,
        "trust_env": by_proxy,
    }

    def make(requests_max: int, *, hears: bool = False, lingers: bool = False) -> httpx.AsyncClient:
        timeout = httpx.Timeout(None if lingers else no_progress_s, connect=connect_s, pool=connect_s)
        limits = httpx.Limits(
            max_connections=requests_max, max_keepalive_connections=requests_max, keepalive_expiry=KEEP_ALIVE_S
        )
        if transport is not None:
            return httpx.AsyncClient(limits=limits, timeout=timeout, transport=transport, **options)
        assert verify is not None
        if not goes_direct(by_proxy=by_proxy):
            return httpx.AsyncClient(limits=limits, timeout=timeout, verify=verify, **options)
        direct = DirectTransport(HearingBackend() if hears else BulkBackend(), verify=verify, limits=limits)
        return httpx.AsyncClient(limits=limits, timeout=timeout, verify=verify, transport=direct, **options)

    return make
