"""The only place that sends a request: address, token, deadline, repetition, errors by name. Knows no endpoint.

Four lanes (metadata, background, download, upload) keep bulk, and small calls that nobody waits for, apart from those
that somebody does. A small call is repeated within its deadline where that is safe (docs/protocol.md, "Retrying"); a
transfer is one attempt, since only its caller knows what it has.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

import trio

from cxfs.core.errors import BadReply, CxfsError, RateLimited, SignedOut, TimedOut
from cxfs.core.patience import STALL_S, AnswerPatience, for_upload
from cxfs.core.retry import RetryPolicy
from cxfs.remote.calls import Attempts, Call
from cxfs.remote.clients import MakeClient, client_maker, goes_direct, trust
from cxfs.remote.endpoints import ACCESS_TOKEN, API_VERSION, CLIENT_ID
from cxfs.remote.failures import NOT_WORTH_REPEATING, failure_of
from cxfs.remote.lanes import Answer, Lane, LaneStatistics, OnePiece
from cxfs.remote.pipe_lane import Dialler, PipeLane
from cxfs.remote.turnover import CLOSE_S

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import httpx

    from cxfs.remote.urls import ServiceUrls

log = logging.getLogger(__name__)

JSON_BYTES_MAX: Final = 64 << 20
"""Of one JSON answer: a listing of 1,000 entries has some 500 KiB, and one far past that is no listing."""

ERROR_BYTES_MAX: Final = 64 << 10
"""Read of a refusal's body: an error object has some hundred bytes. Of a longer page the status says enough."""

TokenSource = Callable[[], str]
"""Gives the access token of the moment, asked anew for every request; may raise SignedOut."""

OnRefused = Callable[[str], Awaitable[bool]]
"""Is told of a token that the server refused; True when another one is there to be tried at once."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How much at once, and how long. The connections of a lane are as many as its requests."""

    metadata_requests_max: int = 8
    background_requests_max: int = 32
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
        make_client: MakeClient,
        downloads: PipeLane | None = None,
        on_refused: OnRefused | None = None,
    ) -> None:
        self._urls = urls
        self._tokens = tokens
        self._on_refused = on_refused
        self._client_id = client_id
        self._deadline_s = limits.metadata_deadline_s
        self._no_progress_s = limits.no_progress_s
        self._patience: dict[str, AnswerPatience] = {}
        self._json_bytes_max = limits.json_bytes_max
        self._retry = retry
        self._jitter = jitter
        self._retries = 0

        def lane(requests_max: int, *, hears: bool = False) -> Lane:
            return Lane(
                lambda: make_client(requests_max, hears=hears),
                requests_max=requests_max,
                no_progress_s=limits.no_progress_s,
            )

        self._metadata = lane(limits.metadata_requests_max)
        self._background = lane(limits.background_requests_max)
        self._download: Lane | PipeLane = downloads or lane(limits.download_requests_max)
        self._upload = lane(limits.upload_requests_max, hears=True)

    async def ask(self, call: Call, parse: Callable[[bytes], T], *, attempts: Attempts | None = None) -> T:
        """The parsed answer. `parse` raises BadReply for a body that is not what it should be.

        Repeats transient failures, and attempts of which nothing is heard, within the deadline of the call, and one
        that must not be done twice only while the server certainly did nothing. Whoever has to know of earlier
        attempts hands in an `Attempts`.
        """
        attempts = attempts or Attempts()
        patience = self._patience.setdefault(call.kind, AnswerPatience(self._deadline_s))
        last = "no answer"
        with trio.move_on_after(self._deadline_s) as scope:
            while True:
                left_s = scope.deadline - trio.current_time()
                waits_s = patience.attempt_s(attempts.count, left_s=left_s) if call.may_be_done_twice else left_s
                try:
                    return await self._signed_in(partial(self._once, call, parse, patience, waits_s))
                except CxfsError as error:
                    attempts.failed(error)
                    pause_s = self._pause_s(call, error, attempts, left_s=scope.deadline - trio.current_time())
                    if pause_s is None:
                        raise
                    last = str(error)
                self._retries += 1
                log.debug("%s again in %.2f s: %s", call.kind, pause_s, last)
                await trio.sleep(pause_s)
        patience.ended_without()
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

    async def _signed_in(self, attempt: Callable[[str], Awaitable[T]]) -> T:
        """An attempt that is made again at once when its token was refused and a newer one is there."""
        token = self._tokens()
        try:
            return await attempt(token)
        except SignedOut:
            if not await self._renewed(token):
                raise
        return await attempt(self._tokens())

    async def _renewed(self, token: str) -> bool:
        return self._on_refused is not None and await self._on_refused(token)

    async def _once(
        self, call: Call, parse: Callable[[bytes], T], patience: AnswerPatience, waits_s: float, token: str
    ) -> T:
        url = self._url(self._urls.api, call.resource, call.query, token)
        headers = {"Accept": "application/json"}  # [doc]
        body = None
        if (sent := call.body) is not None:
            headers["Content-Type"], whole = sent
            headers["Content-Length"] = str(len(whole))
            body = OnePiece(whole)
        lane = self._background if call.in_background else self._metadata
        waiting = lane.exchange(call.method, url, headers=headers, body=body, patience_s=lambda _: waits_s)
        async with waiting as incoming:
            patience.answered(incoming.waited_s)
            return await self._parsed(incoming, parse)

    @asynccontextmanager
    async def download(
        self,
        resource: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        in_background: bool = False,
        patience_s: float = STALL_S,
    ) -> AsyncIterator[Answer]:
        """One attempt at content from the data host; its status is 200 or 206, anything else is raised.

        It ends with TimedOut when nothing comes for `patience_s`.
        """
        lane = self._background if in_background else self._download
        ask = partial(self._content, lane, resource, query, headers, None, patience_s)
        async with AsyncExitStack() as stack:
            yield await self._signed_in(partial(ask, stack))

    @asynccontextmanager
    async def fetch(self, resource: str, question: bytes, *, in_background: bool) -> AsyncIterator[Answer]:
        """The same for content that is asked for by a JSON object; `in_background`: nobody waits for it."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(question))}
        lane = self._background if in_background else self._download
        async with AsyncExitStack() as stack:
            ask = partial(self._content, lane, resource, {}, headers, question, STALL_S)
            yield await self._signed_in(partial(ask, stack))

    async def _content(
        self,
        lane: Lane | PipeLane,
        resource: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        question: bytes | None,
        patience_s: float,
        stack: AsyncExitStack,
        token: str,
    ) -> Answer:
        """The answer, which the stack closes."""
        url = self._url(self._urls.data, resource, query, token)
        headers = {"Accept-Encoding": "identity", **headers}
        method, body = ("GET", None) if question is None else ("POST", OnePiece(question))
        waits_s = min(patience_s, self._no_progress_s)
        async with AsyncExitStack() as attempt:
            incoming = await attempt.enter_async_context(
                lane.exchange(method, url, headers=headers, body=body, patience_s=lambda _: waits_s)
            )
            if incoming.status not in {200, 206}:
                raise failure_of(incoming.status, incoming.headers, await incoming.beginning(ERROR_BYTES_MAX))
            if incoming.coding != "identity":
                raise BadReply("the content came in a coding that was not asked for")
            stack.push_async_exit(attempt.pop_all())
            return incoming

    async def upload(
        self, resource: str, body: AsyncIterator[bytes], *, length: int, content_type: str, parse: Callable[[bytes], T]
    ) -> T:
        """One attempt at sending `body` of `length` bytes to the data host, and the parsed answer.

        One whose token was refused is not made again here: the body is spent.
        """
        token = self._tokens()
        url = self._url(self._urls.data, resource, {}, token)
        headers = {"Accept": "application/json", "Content-Type": content_type, "Content-Length": str(length)}
        patience_s = partial(for_upload, most_s=self._no_progress_s)
        try:
            async with self._upload.exchange(
                "POST", url, headers=headers, body=body, patience_s=patience_s
            ) as incoming:
                return await self._parsed(incoming, parse)
        except SignedOut:
            await self._renewed(token)
            raise

    async def _parsed(self, incoming: Answer, parse: Callable[[bytes], T]) -> T:
        """An error is a status other than 200, any other [doc]."""
        if incoming.status != 200:
            raise failure_of(incoming.status, incoming.headers, await incoming.beginning(ERROR_BYTES_MAX))
        return parse(await incoming.whole(self._json_bytes_max))

    def _url(self, host: str, resource: str, query: Mapping[str, str], token: str) -> str:
        """The whole URL. It holds the token: it goes to httpx and nowhere else."""
        credentials = {ACCESS_TOKEN: token}
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
    on_refused: OnRefused | None = None,
) -> AsyncIterator[Session]:
    """A session for the length of the block; nothing is sent before the first call.

    `on_refused` may know a newer token. `ca_file` adds authorities to the machine's own; certificates are always
    verified. `transport` replaces the network. Raises BadCertificateFile.
    """
    limits = limits or SessionLimits()
    by_proxy = not urls.on_this_machine  # which cannot reach our loopback
    verify = None if transport is not None else trust(ca_file)
    make_client = client_maker(
        connect_s=limits.connect_s,
        no_progress_s=limits.no_progress_s,
        user_agent=user_agent,
        by_proxy=by_proxy,
        verify=verify,
        transport=transport,
    )
    session = Session(
        urls,
        tokens,
        client_id=client_id,
        limits=limits,
        retry=retry or RetryPolicy(),
        jitter=jitter,
        make_client=make_client,
        downloads=_pipes(urls, verify, limits, user_agent) if goes_direct(by_proxy=by_proxy) else None,
        on_refused=on_refused,
    )
    async with aclosing(session):
        yield session


def _pipes(urls: ServiceUrls, verify: ssl.SSLContext | None, limits: SessionLimits, user_agent: str) -> PipeLane | None:
    if verify is None:
        return None
    dialler = Dialler(urls.data, trust=verify, connect_s=limits.connect_s, no_progress_s=limits.no_progress_s)
    return PipeLane(dialler, user_agent=user_agent, requests_max=limits.download_requests_max)
