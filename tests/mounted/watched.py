"""`cxfs` as always, but it notes what the kernel asks: run as a program with the arguments of `cxfs`.

Whoever starts it says in the environment where. A line is the name of a handler, for each time that it was called.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from cxfs.cli import main
from cxfs.fuse.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: Final = "CXFS_TEST_CALLS"

NOTED: Final = ("lookup", "getattr", "getxattr", "opendir", "readdir", "open", "read", "statfs")


def noted(name: str, notes: int, handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, after a note."""

    @functools.wraps(handler)
    def calling(*arguments: Any) -> Any:
        os.write(notes, f"{name}\n".encode())
        return handler(*arguments)

    return calling


if __name__ == "__main__":
    notes = os.open(os.environ[CALLS], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for each in NOTED:
        setattr(Operations, each, noted(each, notes, getattr(Operations, each)))
    sys.argv[0] = "cxfs"
    sys.exit(main())
