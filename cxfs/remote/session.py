"""The only place that sends a request: address, token, deadline, repetition, errors by name. Knows no endpoint.

A small call is repeated within its deadline where that is safe (docs/protocol.md, "Retrying"); a transfer is one
attempt, since only its caller knows what it has. The lanes that they go in are `lane_set`'s.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

import trio

from cxfs.core.connection import Thresholds
from cxfs.core.errors import BadReply, CxfsError, RateLimited, ServerTrouble, SignedOut, TimedOut
from cxfs.core.patience import RECEIPT_S, STALL_S, AnswerPatience, for_upload
from cxfs.core.retry import RetryPolicy
from cxfs.remote.calls import Attempts, Call
from cxfs.remote.endpoints import ACCESS_TOKEN, API_VERSION, CLIENT_ID, SELF
from cxfs.remote.failures import NOT_WORTH_REPEATING, failure_of
from cxfs.remote.lane_set import LaneSet, SessionLimits, SessionStatistics, opened
from cxfs.remote.lanes import Answer, Lane, OnePiece
from cxfs.remote.request_times import RequestTimes, SlowestRequests
from cxfs.remote.watch import ConnectionWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import httpx

    from cxfs.remote.pipe_lane import PipeLane
    from cxfs.remote.urls import ServiceUrls

log = logging.getLogger(__name__)

ERROR_BYTES_MAX: Final = 64 << 10
"""Read of a refusal's body: an error object has some hundred bytes. Of a longer page the status says enough."""

TokenSource = Callable[[], str]
"""Gives the access token of the moment, asked anew for every request; may raise SignedOut."""

OnRefused = Callable[[str], Awaitable[bool]]
"""Is told of a token that the server refused; True when another one is there to be tried at once."""

T = TypeVar("T")


class Session:
    """One account on one service. Made by `open_session`."""

    def __init__(
        self,
        urls: ServiceUrls,
        tokens: TokenSource,
        lanes: LaneSet,
        *,
        client_id: str | None,
        limits: SessionLimits,
        retry: RetryPolicy,
        jitter: Callable[[], float],
        watch: ConnectionWatch,
        on_refused: OnRefused | None = None,
    ) -> None:
        self._urls = urls
        self._tokens = tokens
        self._lanes = lanes
        self._on_refused = on_refused
        self._watch = watch
        self._client_id = client_id
        self._deadline_s = limits.metadata_deadline_s
        self._no_progress_s = limits.no_progress_s
        self._patience: dict[str, AnswerPatience] = {}
        self._receipts = AnswerPatience(limits.no_progress_s, least_s=RECEIPT_S)
        self._json_bytes_max = limits.json_bytes_max
        self._retry = retry
        self._jitter = jitter
        self._retries = 0
        self._times = SlowestRequests()

    async def ask(self, call: Call, parse: Callable[[bytes], T], *, attempts: Attempts | None = None) -> T:
        """The parsed answer. `parse` raises BadReply for a body that is not what it should be.

        Repeats transient failures, and attempts of which nothing is heard, within the deadline of the call, and one
        that must not be done twice only while the server certainly did nothing. Whoever has to know of earlier
        attempts hands in an `Attempts`. A call that begins while there is no connection raises Offline at once; one
        that is overtaken by that waits for its return.
        """
        self._watch.require()
        lane = self._lanes.background if call.in_background else self._lanes.metadata
        attempts = attempts or Attempts()
        patience = self._patience.setdefault(call.kind, AnswerPatience(self._deadline_s))
        last = "no answer"
        with trio.move_on_after(self._deadline_s) as scope:
            while True:
                left_s = scope.deadline - trio.current_time()
                waits_s = patience.attempt_s(attempts.unheard, left_s=left_s) if call.may_be_done_twice else left_s
                try:
                    return await self._signed_in(partial(self._once, lane, call, parse, patience, waits_s))
                except CxfsError as error:
                    attempts.failed(error)
                    pause_s = self._pause_s(call, error, attempts, left_s=scope.deadline - trio.current_time())
                    if pause_s is None:
                        raise
                    last = str(error)
                self._retries += 1
                log.debug("%s again in %.2f s: %s", call.kind, pause_s, last)
                await self._watch.pause(pause_s)
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
        self,
        lane: Lane,
        call: Call,
        parse: Callable[[bytes], T],
        patience: AnswerPatience,
        waits_s: float,
        token: str,
    ) -> T:
        url = self._url(self._urls.api, call.resource, call.query, token)
        headers = {"Accept": "application/json"}  # [doc]
        body = None
        if (sent := call.body) is not None:
            headers["Content-Type"], whole = sent
            headers["Content-Length"] = str(len(whole))
            body = OnePiece(whole)
        waiting = lane.exchange(call.method, url, headers=headers, body=body, patience_s=lambda _: waits_s)
        with self._watch.attempt(), self._times.noting(call.method, call.resource):
            async with waiting as incoming:
                patience.answered(incoming.waited_s)
                return await self._parsed(incoming, parse)

    async def probe(self, check: Callable[[bytes], object] = len) -> None:
        """One small request, whatever is known of the connection, past all others. Raises why it failed.

        `check` gets what the server says of the account, and raises CxfsError where that will not do.
        """
        call, patience = Call("GET", SELF), AnswerPatience(self._deadline_s)
        await self._signed_in(partial(self._once, self._lanes.probes, call, check, patience, self._deadline_s))

    async def linger(self, call: Call, parse: Callable[[bytes], T], *, patience_s: float) -> T:
        """One attempt at a call that is answered when there is something to say. TimedOut after `patience_s`."""

        async def once(token: str) -> T:
            url, headers = self._url(self._urls.api, call.resource, call.query, token), {"Accept": "application/json"}
            waiting = self._lanes.feeds.exchange(call.method, url, headers=headers, patience_s=lambda _: patience_s)
            with self._watch.lingering():
                async with waiting as incoming:
                    return await self._parsed(incoming, parse)

        self._watch.require()
        return await self._signed_in(once)

    def download(
        self,
        resource: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        in_background: bool = False,
        patience_s: float = STALL_S,
    ) -> AbstractAsyncContextManager[Answer]:
        """One attempt at content from the data host; its status is 200 or 206, anything else is raised.

        It ends with TimedOut when nothing comes for `patience_s`.
        """
        return self._fetched(resource, query, headers, None, patience_s, in_background=in_background)

    def fetch(self, resource: str, question: bytes, *, in_background: bool) -> AbstractAsyncContextManager[Answer]:
        """The same for content that is asked for by a JSON object; `in_background`: nobody waits for it."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(question))}
        return self._fetched(resource, {}, headers, question, STALL_S, in_background=in_background)

    @asynccontextmanager
    async def _fetched(
        self,
        resource: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        question: bytes | None,
        patience_s: float,
        *,
        in_background: bool,
    ) -> AsyncIterator[Answer]:
        self._watch.require()
        lane = self._lanes.background if in_background else self._lanes.download
        ask = partial(self._content, lane, resource, query, headers, question, min(patience_s, self._no_progress_s))
        async with AsyncExitStack() as stack:
            content = await self._signed_in(partial(ask, stack))
            with self._watch.under_way():
                yield content

    async def _content(
        self,
        lane: Lane | PipeLane,
        resource: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        question: bytes | None,
        waits_s: float,
        stack: AsyncExitStack,
        token: str,
    ) -> Answer:
        """The answer, which the stack closes."""
        url = self._url(self._urls.data, resource, query, token)
        headers = {"Accept-Encoding": "identity", **headers}
        method, body = ("GET", None) if question is None else ("POST", OnePiece(question))
        waiting = lane.exchange(method, url, headers=headers, body=body, patience_s=lambda _: waits_s)
        with self._watch.attempt():
            async with AsyncExitStack() as attempt:
                with self._times.noting(method, resource):  # until it begins: how long it goes on is for whom reads it
                    incoming = await attempt.enter_async_context(waiting)
                if incoming.status not in {200, 206}:
                    raise await self._refusal(incoming)
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
        self._watch.require()
        token = self._tokens()
        url = self._url(self._urls.data, resource, {}, token)
        headers = {"Accept": "application/json", "Content-Type": content_type, "Content-Length": str(length)}
        receipt_s = self._receipts.attempt_s(0, left_s=self._no_progress_s)
        patience_s = partial(for_upload, length=length, receipt_s=receipt_s, most_s=self._no_progress_s)
        waiting = self._lanes.upload.exchange("POST", url, headers=headers, body=body, patience_s=patience_s)
        try:
            with self._watch.attempt(), self._times.noting("POST", resource):
                async with waiting as incoming:
                    self._receipts.answered(incoming.waited_s)
                    return await self._parsed(incoming, parse)
        except SignedOut:
            await self._renewed(token)
            raise
        except TimedOut:
            self._receipts.ended_without()
            raise

    async def _parsed(self, incoming: Answer, parse: Callable[[bytes], T]) -> T:
        """An error is a status other than 200, any other [doc]."""
        if incoming.status != 200:
            raise await self._refusal(incoming)
        return parse(await incoming.whole(self._json_bytes_max))

    async def _refusal(self, incoming: Answer) -> CxfsError:
        error = failure_of(incoming.status, incoming.headers, await incoming.beginning(ERROR_BYTES_MAX))
        if not isinstance(error, ServerTrouble | SignedOut):  # of a refused token others tell
            self._watch.answered()
        return error

    def _url(self, host: str, resource: str, query: Mapping[str, str], token: str) -> str:
        """The whole URL. It holds the token: it goes to httpx and nowhere else."""
        credentials = {ACCESS_TOKEN: token}
        if self._client_id is not None:
            credentials[CLIENT_ID] = self._client_id
        return f"{host}/{API_VERSION}/{resource}?{urlencode({**query, **credentials})}"

    async def warm(self) -> None:
        """Connects for content, so that the first read waits for its bytes alone. Fails in silence."""
        await self._lanes.warm()

    def signs_of_life(self) -> int:
        """Grows with every byte that the server sends or takes."""
        return self._lanes.signs_of_life()

    def statistics(self) -> SessionStatistics:
        """A snapshot."""
        return self._lanes.statistics(retries=self._retries)

    def slowest(self) -> list[RequestTimes]:
        """How long requests took, by kind, the slowest first."""
        return self._times.table()

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._lanes.aclose()


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
    watch: ConnectionWatch | None = None,
) -> AsyncIterator[Session]:
    """A session for the length of the block; nothing is sent before the first call.

    `on_refused` may know a newer token; `watch` hears of each attempt. `ca_file` adds authorities to the machine's own;
    certificates are always verified. `transport` replaces the network. Raises BadCertificateFile.
    """
    limits = limits or SessionLimits()
    session = Session(
        urls,
        tokens,
        opened(urls, limits, ca_file=ca_file, user_agent=user_agent, transport=transport),
        client_id=client_id,
        limits=limits,
        retry=retry or RetryPolicy(),
        jitter=jitter,
        watch=watch or ConnectionWatch(Thresholds(), jitter=jitter),
        on_refused=on_refused,
    )
    async with aclosing(session):
        yield session
