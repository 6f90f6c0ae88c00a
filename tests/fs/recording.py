"""A kernel that only writes down what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class RecordingKernel:
    """What the kernel was told to forget."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[int, str]] = []
        self.dropped: list[int] = []
        self.asked_anew: list[int] = []
        self.deleted: list[int] = []

    def forget_name(self, folder_inode: int, shown: str) -> None:
        self.forgotten.append((folder_inode, shown))

    def forget_deleted(self, folder_inode: int, shown: str, inode: int) -> None:
        self.forgotten.append((folder_inode, shown))
        self.deleted.append(inode)

    def drop_pages(self, inode: int) -> None:
        self.dropped.append(inode)

    async def forget(self, inodes: Sequence[int], names: Sequence[tuple[int, str]]) -> None:
        self.asked_anew += inodes
        self.forgotten += names
