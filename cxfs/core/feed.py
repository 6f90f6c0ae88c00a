"""A feed of changes: what it tells, and what may be believed while it tells, or has stopped. Asks nobody.

While the server tells of every change, what is known stays true until it says otherwise. Once it is not heard any more,
that holds up to the last time that it was: from there on the ordinary time to live counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, Uuid

POLL_S: Final = 50.0
"""How long the server is asked to wait for something to tell: below the minute after which proxies give up."""

POLL_MARGIN_S: Final = 10.0
"""Heard nothing by so much later, the connection is dead: the laptop slept, or a router forgot it."""


@dataclass(frozen=True, slots=True)
class Change:
    """The last that became of an object. `entry` is the object as it is now; None: it is gone, or not described."""

    object: Uuid
    entry: Entry | None
    is_described: bool = True


@dataclass(frozen=True, slots=True)
class News:
    """What has come about behind a cursor, in order. `reset`: the server cannot tell; what is believed may be old.

    `groups` is another number when the account's groups have changed; None where the server does not tell.
    """

    cursor: str
    changes: tuple[Change, ...]
    reset: bool = False
    groups: int | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The time of which everything was told: what was asked for at `since_s` or later is true until `until_s`."""

    since_s: float
    until_s: float

    def believed_until(self, asked_s: float, *, ttl_s: float, feed_ttl_s: float) -> float:
        """Until when what was asked for then may be believed, by the same clock; -inf: the feed says nothing of it."""
        if asked_s < self.since_s:
            return -math.inf
        return min(asked_s + feed_ttl_s, max(asked_s, self.until_s) + ttl_s)


@dataclass(frozen=True, slots=True)
class Feed:
    """One owner's, as far as it was heard. `is_live`: nothing is missing at this moment."""

    cursor: str | None = None
    is_live: bool = False
    since_s: float = math.inf
    heard_s: float = -math.inf

    @property
    def wait_s(self) -> float:
        """How long the server may wait: not before it is known what was missed."""
        return POLL_S if self.is_live else 0.0

    @property
    def coverage(self) -> Coverage:
        """What it vouches for."""
        return Coverage(self.since_s, math.inf if self.is_live else self.heard_s)

    def heard(self, news: News, at_s: float) -> Feed:
        """After an answer, the changes in which have been taken in."""
        if self.cursor is None or news.reset:
            return Feed(news.cursor, is_live=True, since_s=at_s, heard_s=at_s)
        is_live = self.is_live or not news.changes
        return replace(self, cursor=news.cursor, is_live=is_live, heard_s=at_s if is_live else self.heard_s)

    def broken(self) -> Feed:
        """After a failure. What was heard stays true; from where it goes on is known."""
        return replace(self, is_live=False)
