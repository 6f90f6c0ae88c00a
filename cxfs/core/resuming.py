"""A transfer that goes on where it broke: when it is tried again, and until when. Pure; carries nothing.

One that makes progress is tried again without end; one that makes none ends when its time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core.errors import RateLimited, TimedOut
from cxfs.core.patience import for_download
from cxfs.core.retry import RetryPolicy

if TYPE_CHECKING:
    from cxfs.core.errors import CxfsError

_POLICY: Final = RetryPolicy(tries_max=None)


class Resumption:
    """The failures of one transfer. Times are seconds; without a byte for `stall_s` of them it has failed for good."""

    def __init__(self, stall_s: float, *, now_s: float) -> None:
        self._stall_s = stall_s
        self._ends_s = now_s + stall_s
        self._failures = 0
        self._stalls = 0

    @property
    def patience_s(self) -> float:
        """How long the next attempt waits for a byte."""
        return for_download(self._stalls, most_s=self._stall_s)

    def pause_s(self, error: CxfsError, *, got_on: bool, now_s: float, jitter: float) -> float | None:
        """How long to wait before it goes on, now that an attempt failed; None: it does not.

        `got_on`: the attempt brought something. `jitter` is a lot from 0 up to 1.
        """
        if not error.transient:
            return None
        if got_on:
            self._failures = self._stalls = 0
            self._ends_s = now_s + self._stall_s
        self._failures += 1
        self._stalls += isinstance(error, TimedOut)
        return _POLICY.pause_s(
            failures=self._failures,
            jitter=jitter,
            left_s=self._ends_s - now_s,
            retry_after_s=error.retry_after_s if isinstance(error, RateLimited) else None,
        )
