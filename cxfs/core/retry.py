"""When to try again, as arithmetic. Waits for nothing, reads no clock and draws no lot: those come in as values.

The pause after a failure grows exponentially up to a ceiling and is drawn evenly from zero to there ("full jitter"), so
that a thousand clients that a restart threw off do not come back in step. A server that names its pause is obeyed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

FIRST_PAUSE_S: Final = 0.1
"""The most that is waited after the first failure: a dropped connection is mended by then."""

LONGEST_PAUSE_S: Final = 5.0
"""Where the growth ends: a server that is back is noticed within this."""

TRIES_MAX: Final = 12
"""Of one call. More would only end at its deadline anyway."""

RETRY_AFTER_MAX_S: Final = 60.0
"""The longest pause a server may ask for: a `Retry-After` of a year must not silence a client for a year."""

FOREVER: Final = math.inf
"""As `left_s`: no deadline."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Turns "it failed again" into a pause in seconds, or into giving up."""

    first_pause_s: float = FIRST_PAUSE_S
    longest_pause_s: float = LONGEST_PAUSE_S
    tries_max: int | None = TRIES_MAX
    retry_after_max_s: float = RETRY_AFTER_MAX_S

    def ceiling_s(self, failures: int) -> float:
        """The most that is waited after the given number of failures in a row, at least one."""
        doublings = min(max(failures, 1) - 1, 64)  # 2**64 seconds is past every ceiling, and still a float
        return min(self.longest_pause_s, self.first_pause_s * 2.0**doublings)

    def pause_s(
        self, *, failures: int, jitter: float, left_s: float = FOREVER, retry_after_s: float | None = None
    ) -> float | None:
        """How long to wait before the next try, or None: there is to be none.

        `failures` counts those so far, `jitter` is a lot from 0 up to 1, `left_s` the time to the deadline. Before a
        deadline the lot is drawn from half of what is left at most, so that the end of the time is not slept away. A
        pause that would reach the deadline is not begun, nor one for a try of no time at all, since the caller is
        better served by the reason now than by a time-out later. `retry_after_s` is what the server asked for: a lower
        bound, capped.
        """
        if (self.tries_max is not None and failures >= self.tries_max) or left_s < self.first_pause_s:
            return None
        pause_s = min(max(jitter, 0.0), 1.0) * min(self.ceiling_s(failures), left_s / 2)
        if retry_after_s is not None:
            pause_s += min(max(retry_after_s, 0.0), self.retry_after_max_s)
        return pause_s if pause_s < left_s else None
