"""The only place that sends a request: address, token, deadline, repetition, errors by name. Knows no endpoint.

Four lanes (metadata, background, download, upload) keep bulk, and small calls that nobody waits for, apart from those
that somebody does. A small call is repeated within its deadline
where that is safe (docs/protocol.md, "Retrying"); a transfer is one attempt, since only its caller knows what it has.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode
from urllib.request import getproxies

import httpx
import trio

from cxfs.core.errors import BadReply, CxfsError, RateLimited, TimedOut
from cxfs.core.retry import RetryPolicy
from cxfs.remote.bulk import BulkBackend, DirectTransport
from cxfs.remote.endpoints import ACCESS_TOKEN, API_VERSION, CLIENT_ID
from cxfs.remote.failures import CERTAINLY_NOT_DONE, NOT_WORTH_REPEATING, failure_of
from cxfs.remote.hearing import HearingBackend
from cxfs.remote.lanes import CLOSE_S, Incoming, Lane, LaneStatistics, OnePiece, trust
from cxfs.remote.redaction import silence_http_libraries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from cxfs.remote.urls import ServiceUrls

log = logging.getLogger(__name__)

JSON_BYTES_MAX: Final = 64 << 20
"""Of one JSON answer: a listing of 1,000 entries has some 500 KiB, and one far past that is no listing."""

ERROR_BYTES_MAX: Final = 64 << 10
"""Read of a refusal's body: an error object has some hundred bytes. Of a longer page the status says enough."""

KEEP_ALIVE_S: Final = 90.0
"""How long an idle connection is kept: a TLS handshake costs more than the socket. httpx's own 5 s is too short."""

TokenSource = Callable[[], str]
"""Gives the access token of the moment, asked anew for every request; may raise SignedOut."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How much at once, and how long. The connections of a lane are as many as its requests."""

    metadata_requests_max: int = 8
    background_requests_max: int = 16
    download_requests_max: int = 8
    upload_requests_max: int = 4
    connect_s: float = 5.0
    metadata_deadline_s: float = 10.0
    no_progress_s: float = 60.0
    json_bytes_max: int = JSON_BYTES_MAX


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """What the session has done so far."""

    metadata: LaneStatistics
    background: LaneStatistics
    download: LaneStatistics
    upload: LaneStatistics
    retries: int


@dataclass(frozen=True, slots=True)
class Call:
    """A small request on the api host, and whether doing it twice is the same as doing it once.

    `in_background`: nobody waits for it, so it does not stand in the way of those that somebody does.
    """

    method: str
    resource: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    may_be_done_twice: bool = True
    in_background: bool = False


@dataclass(slots=True)
class Attempts:
    """The failed attempts at one call.

    `in_doubt`: the server may have carried one out all the same. `earlier_in_doubt`: one before the last, which is what
    makes the last one's complaint ("exists already", "not found") perhaps our own doing.
    """

    count: int = 0
    in_doubt: bool = False
    earlier_in_doubt: bool = False

    def failed(self, error: CxfsError) -> None:
        """Notes one failure. An answer that will not change was not in doubt."""
        self.count += 1
        self.earlier_in_doubt = self.in_doubt
        self.in_doubt |= error.transient and not isinstance(error, CERTAINLY_NOT_DONE)


class Session:
    """One account on one service. Made by `open_session`."""

    def __init__(
        self,
        urls: ServiceUrls,
        tokens: TokenSource,
        *,
        client_id: str | None,
        limits: SessionLimits,
        retry: RetryPolicy,
        jitter: Callable[[], float],
        make_client: Callable[[int, bool], httpx.AsyncClient],
    ) -> None:
        self._urls = urls
        self._tokens = tokens
        self._client_id = client_id
        self._deadline_s = limits.metadata_deadline_s
        self._json_bytes_max = limits.json_bytes_max
        self._retry = retry
        self._jitter = jitter
        self._retries = 0

        def lane(requests_max: int, *, hears: bool = False) -> Lane:
            return Lane(
                lambda: make_client(requests_max, hears), requests_max=requests_max, no_progress_s=limits.no_progress_s
            )

        self._metadata = lane(limits.metadata_requests_max)
        self._background = lane(limits.background_requests_max)
        self._download = lane(limits.download_requests_max)
        self._upload = lane(limits.upload_requests_max, hears=True)

    async def ask(self, call: Call, parse: Callable[[bytes], T], *, attempts: Attempts | None = None) -> T:
        """The parsed answer. `parse` raises BadReply for a body that is not what it should be.

        Repeats transient failures within the deadline of the call, and one that must not be done twice only while the
        server certainly did nothing. Whoever has to know of earlier attempts hands in an `Attempts`.
        """
        attempts = attempts or Attempts()
        last = "no answer"
        with trio.move_on_after(self._deadline_s) as scope:
            while True:
                try:
                    return await self._once(call, parse)
                except CxfsError as error:
                    attempts.failed(error)
                    pause_s = self._pause_s(call, error, attempts, left_s=scope.deadline - trio.current_time())
                    if pause_s is None:
                        raise
                    last = str(error)
                self._retries += 1
                log.debug("%s again in %.2f s: %s", call.resource.rpartition("/")[0], pause_s, last)
                await trio.sleep(pause_s)
        raise TimedOut(f"no answer within {self._deadline_s:.0f} s ({last})")

    def _pause_s(self, call: Call, error: CxfsError, attempts: Attempts, *, left_s: float) -> float | None:
        if not error.transient or isinstance(error, NOT_WORTH_REPEATING):
            return None
        if attempts.in_doubt and not call.may_be_done_twice:
            return None
        return self._retry.pause_s(
            failures=attempts.count,
            jitter=self._jitter(),
            left_s=left_s,
            retry_after_s=error.retry_after_s if isinstance(error, RateLimited) else None,
        )

    async def _once(self, call: Call, parse: Callable[[bytes], T]) -> T:
        url = self._url(self._urls.api, call.resource, call.query)
        headers = {"Accept": "application/json"}  # [doc]
        body = None
        if call.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            form = urlencode(call.form).encode()
            headers["Content-Length"] = str(len(form))
            body = OnePiece(form)
        lane = self._background if call.in_background else self._metadata
        async with lane.exchange(call.method, url, headers=headers, body=body) as incoming:
            return await self._parsed(incoming, parse)

    @asynccontextmanager
    async def download(
        self, resource: str, *, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[Incoming]:
        """One attempt at content from the data host; its status is 200 or 206, anything else is raised."""
        url = self._url(self._urls.data, resource, query)
        headers = {"Accept-Encoding": "identity", **headers}
        async with self._download.exchange("GET", url, headers=headers) as incoming:
            if incoming.status not in {200, 206}:
                raise failure_of(incoming.status, incoming.headers, await incoming.beginning(ERROR_BYTES_MAX))
            if incoming.coding != "identity":
                raise BadReply("the content came in a coding that was not asked for")
            yield incoming

    async def upload(
        self, resource: str, body: AsyncIterator[bytes], *, length: int, content_type: str, parse: Callable[[bytes], T]
    ) -> T:
        """One attempt at sending `body` of `length` bytes to the data host, and the parsed answer."""
        url = self._url(self._urls.data, resource, {})
        headers = {"Accept": "application/json", "Content-Type": content_type, "Content-Length": str(length)}
        async with self._upload.exchange("POST", url, headers=headers, body=body) as incoming:
            return await self._parsed(incoming, parse)

    async def _parsed(self, incoming: Incoming, parse: Callable[[bytes], T]) -> T:
        """An error is a status other than 200, any other [doc]."""
        if incoming.status != 200:
            raise failure_of(incoming.status, incoming.headers, await incoming.beginning(ERROR_BYTES_MAX))
        return parse(await incoming.whole(self._json_bytes_max))

    def _url(self, host: str, resource: str, query: Mapping[str, str]) -> str:
        """The whole URL. It holds the token: it goes to httpx and nowhere else."""
        credentials = {ACCESS_TOKEN: self._tokens()}
        if self._client_id is not None:
            credentials[CLIENT_ID] = self._client_id
        return f"{host}/{API_VERSION}/{resource}?{urlencode({**query, **credentials})}"

    def statistics(self) -> SessionStatistics:
        """A snapshot."""
        return SessionStatistics(
            metadata=self._metadata.statistics(),
            background=self._background.statistics(),
            download=self._download.statistics(),
            upload=self._upload.statistics(),
            retries=self._retries,
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        with trio.move_on_after(CLOSE_S, shield=True):
            for lane in (self._metadata, self._background, self._download, self._upload):
                await lane.aclose()


def _client(options: Mapping[str, Any], requests_max: int, hears: bool) -> httpx.AsyncClient:  # noqa: FBT001 - partial
    """With a pool as large as its lane. Through a proxy it is httpx's own, which neither hears nor hurries."""
    limits = httpx.Limits(
        max_connections=requests_max, max_keepalive_connections=requests_max, keepalive_expiry=KEEP_ALIVE_S
    )
    if "verify" in options and not (options["trust_env"] and getproxies()):
        backend = HearingBackend() if hears else BulkBackend()
        options = {**options, "transport": DirectTransport(backend, verify=options["verify"], limits=limits)}
    return httpx.AsyncClient(limits=limits, **options)


@asynccontextmanager
async def open_session(
    urls: ServiceUrls,
    tokens: TokenSource,
    *,
    client_id: str | None = None,
    ca_file: Path | None = None,
    limits: SessionLimits | None = None,
    retry: RetryPolicy | None = None,
    user_agent: str = "cxfs",
    transport: httpx.AsyncBaseTransport | None = None,
    jitter: Callable[[], float] = random.random,
) -> AsyncIterator[Session]:
    """A session for the length of the block; nothing is sent before the first call.

    `ca_file` adds authorities to the machine's own; certificates are always verified. `transport` replaces the network.
    Raises BadCertificateFile.
    """
    silence_http_libraries()
    limits = limits or SessionLimits()
    options: dict[str, Any] = {
        "headers": {"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        "follow_redirects": False,
        "timeout": httpx.Timeout(limits.no_progress_s, connect=limits.connect_s, pool=limits.connect_s),
        "trust_env": not urls.on_this_machine,  # a proxy cannot reach our loopback
        **({"verify": trust(ca_file)} if transport is None else {"transport": transport}),
    }
    session = Session(
        urls,
        tokens,
        client_id=client_id,
        limits=limits,
        retry=retry or RetryPolicy(),
        jitter=jitter,
        make_client=partial(_client, options),
    )
    try:
        yield session
    finally:
        await session.aclose()
