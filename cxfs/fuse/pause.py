"""How long calls may wait for the network: their deadline, and hardly at all while the machine goes to sleep.

A process that waits for a mount cannot be frozen, and so keeps the machine from sleeping.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSED_S: Final = 0.5
"""For a call that comes meanwhile: enough for the disk, and no network."""


class Pause:
    """The deadlines of one mount's calls."""

    def __init__(self) -> None:
        self._waiting: set[trio.CancelScope] = set()
        self._is_on = False

    @contextmanager
    def fail_after(self, seconds: float) -> Iterator[None]:
        """As `trio.fail_after`; cut short when a pause begins, and while there is one."""
        with trio.fail_after(min(seconds, PAUSED_S) if self._is_on else seconds) as scope:
            self._waiting.add(scope)
            try:
                yield
            finally:
                self._waiting.discard(scope)

    def begin(self) -> None:
        """Whatever waits is answered now."""
        self._is_on = True
        for scope in self._waiting:
            scope.deadline = trio.current_time()

    def end(self) -> None:
        """Calls wait as long as ever."""
        self._is_on = False
