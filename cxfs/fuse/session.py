"""A mount for the length of a block: pyfuse3's session, its loop and its end. Answers no request itself.

pyfuse3 keeps its session in module globals: one mount a process.
"""

from __future__ import annotations

import contextlib
import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyfuse3
import trio

from cxfs.fuse.kernel_readahead import read_further
from cxfs.fuse.mounting import MountPointTrouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from types import ModuleType

    from cxfs.fs.supervisor import Nursery
    from cxfs.fuse.device import Device
    from cxfs.fuse.operations import Operations

log = logging.getLogger(__name__)

MIN_TASKS: Final = 10
"""Idle workers that are kept."""

MAX_TASKS: Final = 500
"""Handlers that may wait at a time: with all of pyfuse3's default 99 waiting for a slow network nobody would read the
device, and cached answers would wait as well. Each worker owns a buffer of 1 MiB once it was needed."""

NOTICES_MAX: Final = 8
"""Threads that tell the kernel of what others did: each may wait for a handler, which may need a thread itself."""

GRACE_S: Final = 5.0
"""At the end, how long handlers that run may take to answer before they are cancelled."""


class Kernel:
    """The kernel's caches of the one mount (see `cxfs.fs.kernel`). Needs a nursery that outlives its calls."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._threads = trio.CapacityLimiter(NOTICES_MAX)

    def forget_name(self, folder_inode: int, shown: str) -> None:
        """By pyfuse3's own thread: the call blocks while a handler for the same folder runs."""
        pyfuse3.invalidate_entry_async(
            pyfuse3.InodeT(folder_inode), pyfuse3.FileNameT(shown.encode()), ignore_enoent=True
        )

    def forget_deleted(self, folder_inode: int, shown: str, inode: int) -> None:
        """By a thread, as the others. Watchers of the object hear of it; those of its folder cannot be told."""
        self._nursery.start_soon(self._forget_deleted, folder_inode, shown, inode)

    async def _forget_deleted(self, folder_inode: int, shown: str, inode: int) -> None:
        name = pyfuse3.FileNameT(shown.encode())
        tell = partial(pyfuse3.invalidate_entry, pyfuse3.InodeT(folder_inode), name, pyfuse3.InodeT(inode))
        try:
            await trio.to_thread.run_sync(tell, abandon_on_cancel=True, limiter=self._threads)
        except OSError as error:  # it has another name or object there by now, or a folder still holds something
            log.debug("the name of inode %d: %s", inode, error)
            self.forget_name(folder_inode, shown)

    def drop_pages(self, inode: int) -> None:
        """By a thread: the call can wait for writes that we must answer."""
        self._nursery.start_soon(self._drop_pages, inode)

    async def _drop_pages(self, inode: int) -> None:
        try:
            drop = partial(pyfuse3.invalidate_inode, inode)
            await trio.to_thread.run_sync(drop, abandon_on_cancel=True, limiter=self._threads)
        except OSError as error:  # ENOENT: the kernel has forgotten the inode already
            log.debug("pages of inode %d: %s", inode, error)

    async def forget(self, inodes: Sequence[int], names: Sequence[tuple[int, str]]) -> None:
        """By one thread for all of them: each is a system call, and may wait for a handler in the same folder."""

        def tell() -> None:
            for inode in inodes:
                with contextlib.suppress(OSError):  # ENOENT: the kernel has forgotten it already
                    pyfuse3.invalidate_inode(pyfuse3.InodeT(inode), attr_only=True)
            for folder, shown in names:
                with contextlib.suppress(OSError):
                    pyfuse3.invalidate_entry(pyfuse3.InodeT(folder), pyfuse3.FileNameT(shown.encode()))

        await trio.to_thread.run_sync(tell, abandon_on_cancel=True)


@asynccontextmanager
async def mounted(
    operations: Operations,
    mountpoint: Path,
    *,
    source: str,
    allow_other: bool,
    read_only: bool,
    device: Device,
    no_exec: bool = False,
) -> AsyncIterator[trio.Event]:
    """Mounts, and serves requests from `device` while the block runs; unmounts at its end if nobody did before.

    Yields an event that is set when the mount was ended from outside. Raises MountPointTrouble when the kernel refuses.
    """
    options = set(pyfuse3.default_options) | {f"fsname={_escaped(source)}", "subtype=cxfs", "nosuid", "nodev"}
    options |= {"allow_other"} if allow_other else set()
    options |= {"ro"} if read_only else set()
    options |= {"noexec"} if no_exec else set()
    try:
        pyfuse3.init(operations, str(mountpoint), options)
    except RuntimeError as error:
        raise MountPointTrouble(f"{mountpoint} could not be mounted ({error})") from None
    _look_again_before_reading(device)
    unmounted = trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, unmounted)
            nursery.start_soon(_read_further, mountpoint)
            yield unmounted
            await _stop(unmounted)
            nursery.cancel_scope.cancel()
    finally:
        device.closed()
        pyfuse3.close(unmount=True)


def _escaped(text: str) -> str:
    """As libfuse wants a value in its options, which it splits at commas."""
    return text.replace("\\", "\\\\").replace(",", "\\,")


async def _serve(unmounted: trio.Event) -> None:
    try:
        await pyfuse3.main(min_tasks=MIN_TASKS, max_tasks=MAX_TASKS)
    finally:
        unmounted.set()


async def _read_further(mountpoint: Path) -> None:
    await trio.to_thread.run_sync(read_further, mountpoint, abandon_on_cancel=True)


async def _stop(unmounted: trio.Event) -> None:
    """No new requests; those that run get a moment to answer."""
    if not unmounted.is_set():
        pyfuse3.terminate()
        with trio.move_on_after(GRACE_S):
            await unmounted.wait()


def _look_again_before_reading(device: Device) -> None:
    """Makes pyfuse3's wait for the device prove that there is something to read.

    pyfuse3 waits until the device is readable and then reads it, blocking. When the caller of the one request is killed
    in between, the kernel withdraws the request and the read, and with it the whole loop, stops until the next one
    comes. Asked again by poll(2) in the same step as the read, that window is closed. The name `trio` in pyfuse3's
    module is the seam: its functions look it up at each call.
    """
    module: Any = pyfuse3
    module.trio = Seam(trio, lowlevel=Seam(trio.lowlevel, wait_readable=device.wait_readable))


class Seam:
    """A module with some of its names replaced."""

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
