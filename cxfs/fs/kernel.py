"""What the file system asks of the kernel's caches. A Protocol only: `fuse` fulfils it, tests record it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class KernelCache(Protocol):
    """All but the last return at once; they must work while a handler for the same inode runs. None of them fails."""

    def forget_name(self, folder_inode: int, shown: str) -> None:
        """The name means something else now, or nothing."""

    def forget_deleted(self, folder_inode: int, shown: str, inode: int) -> None:
        """Somebody else deleted what the name means: whoever watches it is told."""

    def drop_pages(self, inode: int) -> None:
        """Cached content of the inode is no longer true, nor what `stat` says of it."""

    async def forget(self, inodes: Sequence[int], names: Sequence[tuple[int, str]]) -> None:
        """Returns when what `stat` says of the inodes, and what the names in their folders mean, will be asked for.

        Cached content stays. It waits for handlers that run, so no handler may wait for it.
        """


class NoKernel:
    """For a file system without a kernel: nothing is cached, so nothing is dropped."""

    def forget_name(self, folder_inode: int, shown: str) -> None:
        """Nothing to forget."""

    def forget_deleted(self, folder_inode: int, shown: str, inode: int) -> None:
        """Nobody to tell."""

    def drop_pages(self, inode: int) -> None:
        """Nothing to drop."""

    async def forget(self, inodes: Sequence[int], names: Sequence[tuple[int, str]]) -> None:
        """Nothing to forget."""
