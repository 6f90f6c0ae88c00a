"""What is done for a mount beside serving it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cxfs.core.connection import State
from cxfs.remote.watch import ConnectionStatus
from cxfs.tending import keep_desktop_told, tell_of_connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Tasks:
    """They are noted, and not run."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def keep(self, task: str, run: Callable[[], Awaitable[object]]) -> None:
        self.kept.append(task)


@pytest.mark.parametrize(("wanted", "kept"), [(True, ["notifications"]), (False, [])])
def test_a_desktop_is_told_only_where_that_is_wanted(kept: list[str], *, wanted: bool) -> None:
    """`--no-notifications`."""
    tasks: Any = Tasks()
    volume: Any = None

    keep_desktop_told(tasks, volume, "home", lambda: True, wanted=wanted)

    assert tasks.kept == kept


class Manager:
    """A service manager that remembers the last line."""

    line = ""

    def status(self, line: str) -> None:
        self.line = line


@pytest.mark.parametrize(
    ("state", "reason", "line"),
    [
        (State.ONLINE, "", "home is mounted at /mnt"),
        (State.OFFLINE, "no route", "home is mounted at /mnt; offline: no route"),
        (State.SIGNED_OUT, "cxfs login mends it", "home is mounted at /mnt; signed-out: cxfs login mends it"),
    ],
)
def test_the_service_manager_shows_what_is_amiss_with_the_connection(state: State, reason: str, line: str) -> None:
    """For whoever looks at `systemctl status`."""
    manager: Any = Manager()

    tell_of_connection(manager, "home is mounted at /mnt", ConnectionStatus(state, 0.0, reason, None))

    assert manager.line == line
