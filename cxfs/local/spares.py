"""Empty drafts made ahead: making a file takes longer than all else that a program waits for when it makes one."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import DiskFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.local.drafts import Draft

SPARES_MAX: Final = 256
"""As many descriptors, held for nothing: what `tar x` makes while the next ones are being made, also by a file system
that takes half a millisecond for each."""

SPARES_LOW: Final = 224


class SpareDrafts:
    """`make` makes one with its id. `take` is for the loop, `refill` for one thread beside it."""

    def __init__(self, make: Callable[[], tuple[str, Draft]]) -> None:
        self._make = make
        self._ready: deque[tuple[str, Draft]] = deque()  # appending and taking are each one step to the other thread
        self._is_closed = False

    @property
    def are_low(self) -> bool:
        """Whether it is time to refill."""
        return len(self._ready) < SPARES_LOW

    def take(self) -> tuple[str, Draft]:
        """One that was made ahead, or made now. Raises DiskFull."""
        try:
            return self._ready.popleft()
        except IndexError:
            return self._make()

    def refill(self) -> None:
        """Makes some ahead. On a full disk it makes none: whoever needs one is told then."""
        with contextlib.suppress(DiskFull):
            while len(self._ready) < SPARES_MAX and not self._is_closed:
                self._ready.append(self._make())

    def close(self) -> None:
        """Nothing is left of them. A crash leaves some, which the next start clears as it does all without a row."""
        self._is_closed = True
        while self._ready:
            _, draft = self._ready.popleft()
            draft.close()
            draft.file.unlink(missing_ok=True)
