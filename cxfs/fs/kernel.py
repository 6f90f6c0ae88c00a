"""What the file system asks of the kernel's caches. A Protocol only: `fuse` fulfils it, tests record it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class KernelCache(Protocol):
    """The calls return at once and never fail; they must work while a handler for the same inode runs."""

    def forget_name(self, folder_inode: int, shown: str) -> None:
        """The name means something else now, or nothing."""

    def drop_pages(self, inode: int) -> None:
        """Cached content of the inode is no longer true."""

    def forget_attributes(self, inodes: Sequence[int]) -> None:
        """What `stat` says of them is to be asked for; their cached content may still be true."""


class NoKernel:
    """For a file system without a kernel: nothing is cached, so nothing is dropped."""

    def forget_name(self, folder_inode: int, shown: str) -> None:
        """Nothing to forget."""

    def drop_pages(self, inode: int) -> None:
        """Nothing to drop."""

    def forget_attributes(self, inodes: Sequence[int]) -> None:
        """Nothing to forget."""
