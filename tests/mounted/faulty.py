"""`cxfs` as always, but with faults planted in it: run as a program with the arguments of `cxfs`.

Each of its standing tasks fails when it is first run. While the file that the environment names is there, every call of
the file system fails with what the file says; while one beside it named `deaf` is there, nobody reads the kernel's
requests, and while one named `busy` is there, a call of statfs blocks the loop.
"""

from __future__ import annotations

import errno
import functools
import inspect
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from cxfs.cli import main
from cxfs.control.server import ControlServer
from cxfs.core import errors
from cxfs.fs.filesystem import FileSystem
from cxfs.fs.following import Following
from cxfs.fs.group_watch import GroupWatch
from cxfs.fs.handles import Contents
from cxfs.fs.messenger import Messenger
from cxfs.fs.sealing import Sealing
from cxfs.fs.space import SpaceWatch
from cxfs.fs.uploader import Uploader
from cxfs.fuse.device import Device
from cxfs.remote.renewal import RenewingToken
from cxfs.upkeep.service_manager import ServiceManager
from cxfs.upkeep.sleep import SleepWatch

if TYPE_CHECKING:
    from collections.abc import Callable

FAULT: Final = "CXFS_TEST_FAULT"

SECRET: Final = "access_token=s3cr3t-of-a-fault"

TASKS: Final = {
    Uploader: "run", Messenger: "run", SpaceWatch: "run", Contents: "keep_drafts_ready", Sealing: "run",
    GroupWatch: "run", Following: "run", RenewingToken: "watch", ControlServer: "serve",
    ServiceManager: "reassure", SleepWatch: "run",
}  # fmt: skip

CALLS: Final = (
    "lookup", "attributes", "open_folder", "child", "space", "extended_attribute", "make_folder", "remove",
    "remove_folder", "rename", "create", "open", "ready", "read", "write", "flush", "fsync", "close", "release",
    "set_attributes",
)  # fmt: skip

FAULTS: Final[dict[str, Callable[[], BaseException]]] = {
    "ENOSPC": lambda: OSError(errno.ENOSPC, SECRET),
    "EROFS": lambda: OSError(errno.EROFS, SECRET),
    "EMFILE": lambda: OSError(errno.EMFILE, SECRET),
    "ENOENT": lambda: OSError(errno.ENOENT, SECRET),
    "Denied": lambda: errors.Denied(SECRET),
    "sqlite3": lambda: sqlite3.DatabaseError(SECRET),
    "ValueError": lambda: ValueError(SECRET),
    "RecursionError": lambda: RecursionError(SECRET),
    "MemoryError": lambda: MemoryError(SECRET),
    "SystemExit": lambda: SystemExit(SECRET),
    "ExceptionGroup": lambda: ExceptionGroup(SECRET, [ValueError(SECRET), KeyError(SECRET)]),
    "TooSlowError": trio.TooSlowError,
}


def failing_once(task: Callable[..., Any]) -> Callable[..., Any]:
    """The task, after a first run that ends at once."""
    runs = 0

    @functools.wraps(task)
    async def run(*arguments: Any) -> Any:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError(SECRET)
        return await task(*arguments)

    return run


def failing_while(there: Path, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which fails while the file is there."""

    def fail() -> None:
        if there.exists():
            fault = FAULTS[there.read_text()]()
            raise fault

    @functools.wraps(call)
    def at_once(*arguments: Any, **more: Any) -> Any:
        fail()
        return call(*arguments, **more)

    @functools.wraps(call)
    async def waiting(*arguments: Any, **more: Any) -> Any:
        fail()
        return await call(*arguments, **more)

    return waiting if inspect.iscoroutinefunction(call) else at_once


def plant(there: Path) -> None:
    """All of it."""
    for kind, name in TASKS.items():
        setattr(kind, name, failing_once(getattr(kind, name)))
    for name in CALLS:
        setattr(FileSystem, name, failing_while(there, getattr(FileSystem, name)))
    wait_readable, space = Device.wait_readable, FileSystem.space

    async def hears(device: Device, descriptor: int) -> None:
        await wait_readable(device, descriptor)
        if (there.parent / "deaf").exists():
            device._reads -= 1  # it was not read
            await trio.sleep_forever()

    def busily(fs: FileSystem) -> Any:
        while (there.parent / "busy").exists():
            time.sleep(0.01)
        return space(fs)

    setattr(Device, "wait_readable", hears)  # noqa: B010
    setattr(FileSystem, "space", busily)  # noqa: B010


if __name__ == "__main__":
    plant(Path(os.environ[FAULT]))
    sys.argv[0] = "cxfs"
    sys.exit(main())
