"""What is done for a mount beside serving it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cxfs.tending import keep_desktop_told

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
