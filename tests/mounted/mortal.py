"""`cxfs` as always, but it kills itself at one of its steps: run as a program with the arguments of `cxfs`.

A step is a row of the journal, a write to a draft, or a request that changes something on the server, before and after.
Whoever starts it says in the environment at which step it dies, and where it notes each step that it comes to.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from cxfs.cli import main
from cxfs.local.drafts import Draft
from cxfs.local.outbox import Outbox
from cxfs.remote.bundles import Bundles
from cxfs.remote.files import Files
from cxfs.remote.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

DIES_AT: Final = "CXFS_TEST_DIES_AT"
STEPS: Final = "CXFS_TEST_STEPS"

WATCHED: Final[dict[type, tuple[str, ...]]] = {
    Outbox: ("record", "sealed_together", "sent_together", "discard", "erase", "note", "forget", "made"),
    Draft: ("write", "truncate", "make_durable"),
    Transport: ("upload",),
    Bundles: ("put", "delete"),
    Files: ("make_folder", "delete", "move", "update"),
}


class Fate:
    """Counts, in whatever thread a step is taken, and kills the process at the `at`-th."""

    def __init__(self, at: int, notes: int) -> None:
        self._at = at
        self._notes = notes
        self._count = 0
        self._one = Lock()

    def step(self, what: str) -> None:
        """The next one is about to be taken."""
        with self._one:
            self._count += 1
            os.write(self._notes, f"{what}\n".encode())
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, between two steps."""
        name = call.__qualname__

        @functools.wraps(call)
        def blocking(*args: Any, **rest: Any) -> Any:
            self.step(f"before {name}")
            result = call(*args, **rest)
            self.step(f"after {name}")
            return result

        @functools.wraps(call)
        async def waiting(*args: Any, **rest: Any) -> Any:
            self.step(f"before {name}")
            result = await call(*args, **rest)
            self.step(f"after {name}")
            return result

        return waiting if inspect.iscoroutinefunction(call) else blocking


if __name__ == "__main__":
    notes = os.open(os.environ[STEPS], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    fate = Fate(int(os.environ[DIES_AT]), notes)
    for kind, names in WATCHED.items():
        for each in names:
            setattr(kind, each, fate.watched(getattr(kind, each)))
    sys.argv[0] = "cxfs"
    sys.exit(main())
