"""Clients that go on whatever happens: they upload and follow, take the other server when one is gone, and remember."""

from __future__ import annotations

import hashlib
import threading
from itertools import count
from typing import TYPE_CHECKING, Final, Self

import httpx

from tests.mounting import checksum, wait_until
from tests.server.team import put

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.server.team import Team

LANES: Final = 3
SIZES: Final = (100, 100_000)
"""Bytes: kept as rows, and in the bucket."""

_PAUSE_S: Final = 0.1


class Traffic:
    """For the length of a block, from threads of its own.

    `acknowledged` are names and checksums of what a server has taken; `refused` counts answers 503, `interrupted`
    those that did not come; `problems` is whatever a client may not be answered.
    """

    def __init__(self, team: Team) -> None:
        self.acknowledged: dict[str, str] = {}
        self.heard: set[str] = set()
        self.refused = 0
        self.interrupted = 0
        self.problems: list[str] = []
        self._team = team
        self._turns = count()
        self._is_over = threading.Event()
        self._has_heard_all = threading.Event()
        self._threads = [threading.Thread(target=self._upload, args=(lane,)) for lane in range(LANES)]
        self._follower = threading.Thread(target=self._follow, args=(team.clients[0].get(_CHANGES).json()["cursor"],))

    def __enter__(self) -> Self:
        for thread in (*self._threads, self._follower):
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        try:
            if error is None:
                wait_until(lambda: set(self.acknowledged) <= self.heard)
        finally:
            self._has_heard_all.set()
            self._follower.join()

    def goes_on(self) -> None:
        """Returns when every lane has been answered with success a few times more."""
        enough = len(self.acknowledged) + 5 * LANES
        wait_until(lambda: len(self.acknowledged) >= enough, deadline_s=100)

    def lost(self) -> list[str]:
        """Names of what was acknowledged and is not there as it was, whichever server is asked."""
        return [
            name
            for name, sent in self.acknowledged.items()
            for client in self._team.clients
            if checksum(client.get(_address(name)).content) != sent
        ]

    def _upload(self, lane: int) -> None:
        number = 0
        while not self._is_over.is_set():
            number += 1
            name = f"{lane}-{number}"
            content = hashlib.sha256(name.encode()).digest() * (SIZES[number % 2] // 32)
            if self._asked(lambda at, n=name, c=content: put(at, _address(n), c), self._is_over):  # type: ignore[misc]
                self.acknowledged[name] = checksum(content)

    def _follow(self, cursor: str) -> None:
        while not self._has_heard_all.is_set():
            asked = {"cursor": cursor, "timeout": "2"}
            answer = self._asked(lambda at, asked=asked: at.get(_CHANGES, params=asked), self._has_heard_all)  # type: ignore[misc]
            if answer is None:
                return
            told = answer.json()
            cursor = told["cursor"]
            self.heard |= {change["path"].rpartition("/")[2] for change in told["changes"]}
            if told["reset"]:
                self.problems.append("a reset")

    def _asked(self, ask: Callable[[httpx.Client], httpx.Response], over: threading.Event) -> httpx.Response | None:
        """The answer, from whichever server; None when it does not matter any more."""
        while not over.is_set():
            try:
                answer = ask(self._team.clients[next(self._turns) % len(self._team.clients)])
            except httpx.TransportError:
                self.interrupted += 1
            else:
                if answer.status_code == 200:
                    return answer
                self.refused += 1
                if answer.status_code != 503 or int(answer.headers.get("retry-after", 0)) < 1:
                    self.problems.append(f"{answer.status_code} {answer.text[:200]}")
            over.wait(_PAUSE_S)
        return None


_CHANGES: Final = "/1/files/changes/self"


def _address(name: str) -> str:
    return f"/1/data/self:%2F{name}"
