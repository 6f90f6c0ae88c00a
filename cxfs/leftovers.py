"""What a mount that does not run has left: rows of its journal and where their content is, and its cache.

It reads, and changes nothing but the cache, which can be emptied.

A mount that runs is asked over its control socket instead, since it alone knows what it is doing.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from cxfs.core.errors import NotFound
from cxfs.core.names import escape
from cxfs.core.pending import Kind, Pending, Status, kind_of
from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.local.blocks import FOLDER
from cxfs.local.leftover import occupied, remove_all
from cxfs.local.reading import WatchedJournal, draft_file
from cxfs.mounts import kept_unmounted

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.core.entries import TreePath
    from cxfs.local.reading import SetAside
    from cxfs.local.rows import ChangeRow, ErrandRow


class StoppedCache:
    """The cache in a profile's cache folder. `state_folder` is the profile's, whose lock a mount would hold."""

    def __init__(self, cache_folder: Path, state_folder: Path) -> None:
        self.folder = cache_folder / FOLDER
        self._state_folder = state_folder

    def counters(self) -> dict[str, int]:
        """How many files it holds, and how much of the disk they take. Raises OSError."""
        files, held = occupied(self.folder) if self.folder.is_dir() else (0, 0)
        return {"files": files, "bytes_held": held}

    def clear(self) -> dict[str, int]:
        """Empties it: how many files and bytes. Raises AlreadyMounted when a mount has begun, OSError."""
        with kept_unmounted(self._state_folder):
            counted = self.counters()
            if self.folder.is_dir():
                remove_all(self.folder)
        return {"files": counted["files"], "bytes": counted["bytes_held"]}


class StoppedMount:
    """The journal in a state folder, as it is when asked for. `root`: the folder that was mounted. To be closed."""

    def __init__(self, state_folder: Path, *, root: str = "/", now_ms: int | None = None) -> None:
        self._state_folder = state_folder
        self._root = tuple(name for name in root.split("/") if name)
        self._now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        self._journal = WatchedJournal(state_folder)

    def close(self) -> None:
        """Looks no more."""
        self._journal.close()

    def rows(self) -> list[Pending]:
        """Everything in it, in the order in which it was accepted."""
        content = self._journal.content()
        return [
            *map(self._change, content.changes),
            *map(self._errand, content.errands),
            *map(self._set_aside, content.set_aside),
        ]

    def content(self, change_id: str) -> dict[str, Any]:
        """As the verb `export` of a running mount answers; raises NotFound for a row without a draft."""
        row = self._journal.change(change_id)
        if row is None:
            raise NotFound(f"nothing of the id {change_id!r} is in the journal any more")
        held = RangeSet(row.held)
        return {
            "path": self._shown(row.path),
            "file": os.fspath(draft_file(self._state_folder, row.id)),
            "size": row.size,
            "missing": [[gap.start, gap.stop] for gap in held.missing(ByteRange(0, min(row.base_bytes, row.size)))],
            "generation": row.generation,
            "modified_ms": row.modified_ms,
            "posix": row.posix.text,
        }

    def _change(self, row: ChangeRow) -> Pending:
        return Pending(
            id=row.id,
            kind=Kind.UPLOAD,
            status=Status.WAITING if row.parked is None else Status.PARKED,
            path=self._shown(row.path),
            size=row.size,
            age_s=self._age_s(row.accepted_ms),
            attempts=0,
            reason=row.parked,
        )

    def _errand(self, row: ErrandRow) -> Pending:
        return Pending(
            id=row.id,
            kind=kind_of(row.kind, is_folder=row.is_folder, is_known=row.object is not None),
            status=Status.WAITING if row.parked is None else Status.PARKED,
            path=self._shown(row.path),
            size=0,
            age_s=self._age_s(row.accepted_ms),
            attempts=0,
            reason=row.parked,
        )

    def _set_aside(self, row: SetAside) -> Pending:
        return Pending(
            id=row.id,
            kind=Kind.UPLOAD,
            status=Status.SET_ASIDE,
            path=row.path,
            size=row.size,
            age_s=None,
            attempts=0,
            reason=row.reason,
        )

    def _age_s(self, accepted_ms: int) -> float | None:
        return max(0.0, (self._now_ms - accepted_ms) / 1_000) if accepted_ms else None

    def _shown(self, path: TreePath) -> str:
        if path.names[: len(self._root)] != self._root:
            return str(path)
        return "/".join(map(escape, path.names[len(self._root) :]))
