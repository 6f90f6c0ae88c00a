"""The lanes of one session, and what is counted of them together. Knows neither tokens nor calls.

Bulk, and small calls that nobody waits for, are kept apart from those that somebody does; probes go past all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.remote.clients import MakeClient, client_maker, goes_direct, trust
from cxfs.remote.lanes import Lane, LaneStatistics
from cxfs.remote.pipe_lane import Dialler, PipeLane
from cxfs.remote.turnover import CLOSE_S

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    import httpx

    from cxfs.remote.urls import ServiceUrls

JSON_BYTES_MAX: Final = 64 << 20
"""Of one JSON answer: a listing of 1,000 entries has some 500 KiB, and one far past that is no listing."""

PROBES_MAX: Final = 4
"""At a time: one a second, none of which need be answered."""

FEEDS_MAX: Final = 64
"""Requests that wait, each with a connection: more than are followed, so that none waits here already."""

WARM_CONNECTIONS: Final = 4
"""Made before anybody reads: for the first bytes, and for what is read ahead behind them."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How much at once, and how long. The connections of a lane are as many as its requests.

    Of downloads twice as many as bring something: on a long line the others wait for the beginning of their next one.
    """

    metadata_requests_max: int = 8
    background_requests_max: int = 32
    download_requests_max: int = 16
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


class LaneSet:
    """Made by `opened`. `content` is the lane of what programs read, where pipes can be used."""

    def __init__(self, make_client: MakeClient, limits: SessionLimits, content: PipeLane | None) -> None:
        def lane(requests_max: int, *, hears: bool = False, lingers: bool = False) -> Lane:
            return Lane(
                lambda: make_client(requests_max, hears=hears, lingers=lingers),
                requests_max=requests_max,
                no_progress_s=limits.no_progress_s,
            )

        self.metadata = lane(limits.metadata_requests_max)
        self.background = lane(limits.background_requests_max)
        self.download: Lane | PipeLane = content or lane(limits.download_requests_max)
        self.upload = lane(limits.upload_requests_max, hears=True)
        self.probes = lane(PROBES_MAX)
        self.feeds = lane(FEEDS_MAX, lingers=True)

    async def warm(self) -> None:
        """Connects for content, so that the first read waits for its bytes alone. Fails in silence."""
        if isinstance(self.download, PipeLane):
            await self.download.warm(WARM_CONNECTIONS)

    def signs_of_life(self) -> int:
        """Grows with every byte that the server sends or takes."""
        told = [lane.statistics() for lane in self._all()]
        return sum(each.bytes_in + each.bytes_out for each in told)

    def statistics(self, *, retries: int) -> SessionStatistics:
        """A snapshot."""
        return SessionStatistics(
            metadata=self.metadata.statistics(),
            background=self.background.statistics(),
            download=self.download.statistics(),
            upload=self.upload.statistics(),
            retries=retries,
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        with trio.move_on_after(CLOSE_S, shield=True):
            for lane in self._all():
                await lane.aclose()

    def _all(self) -> tuple[Lane | PipeLane, ...]:
        return (self.metadata, self.background, self.download, self.upload, self.probes, self.feeds)


def opened(
    urls: ServiceUrls,
    limits: SessionLimits,
    *,
    ca_file: Path | None,
    user_agent: str,
    transport: httpx.AsyncBaseTransport | None,
) -> LaneSet:
    """The way to the service; nothing is sent yet. `transport` replaces the network. Raises BadCertificateFile."""
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
    is_direct = verify is not None and goes_direct(by_proxy=by_proxy)
    return LaneSet(make_client, limits, _pipes(urls, verify, limits, user_agent) if is_direct else None)


def _pipes(urls: ServiceUrls, verify: ssl.SSLContext | None, limits: SessionLimits, user_agent: str) -> PipeLane | None:
    if verify is None:
        return None
    dialler = Dialler(urls.data, trust=verify, connect_s=limits.connect_s, no_progress_s=limits.no_progress_s)
    return PipeLane(dialler, user_agent=user_agent, requests_max=limits.download_requests_max)
