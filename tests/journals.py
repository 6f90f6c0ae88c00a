"""Journals as a daemon leaves them that was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core.entries import TreePath, Uuid
from cxfs.core.ranges import ByteRange
from cxfs.local.outbox import Outbox
from cxfs.local.rows import ChangeRow

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = Uuid("A" * 22)


def accepts(folder: Path, path: str, content: bytes, *, parked: str | None = None) -> ChangeRow:
    """A daemon accepts a new file and is killed."""
    outbox = Outbox(folder)
    change_id, draft = outbox.new_draft(size=0, base_bytes=0)
    draft.write(0, content)
    row = ChangeRow(
        id=change_id,
        generation=1,
        inode=7,
        parent=FOLDER,
        path=TreePath.parse(path),
        object=None,
        base_version=None,
        base_size=0,
        base_bytes=0,
        size=len(content),
        held=(ByteRange(0, len(content)),) if content else (),
        modified_ms=1,
        sealed=(),
        parked=parked,
        accepted_ms=2,
    )
    outbox.record(row, draft)
    draft.close()
    outbox.close()
    return row
