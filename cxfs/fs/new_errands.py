"""Errands as they begin: one function for each kind of them. Accepts none and sends none."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

from cxfs.core.order import Kind
from cxfs.fs.errands import Errand
from cxfs.local.rows import ErrandRow

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, TreePath, Uuid
    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.attempts import Ending
    from cxfs.fs.node import Node


def _row(kind: Kind, parent: Uuid, path: TreePath, now_ms: int) -> ErrandRow:
    return ErrandRow(
        id=secrets.token_hex(12),
        kind=kind,
        object=None,
        is_folder=True,
        inode=0,
        parent=parent,
        path=path,
        version=None,
        sealed=(),
        carrier=None,
        modified_ms=None,
        accepted_ms=now_ms,
        parked=None,
    )


def to_make(parent: Uuid, path: TreePath, posix: PosixUpdate, *, inode: int, now_ms: int) -> Errand:
    """A new folder, under a provisional UUID."""
    provisional = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    row = _row(Kind.MAKE, parent, path, now_ms)
    return Errand(replace(row, id=provisional, inode=inode, modified_ms=now_ms, posix=posix))


def to_remove(
    entry: Entry,
    parent: Uuid,
    path: TreePath,
    *,
    now_ms: int,
    sealed: tuple[bytes, ...] = (),
    carrier: str | None = None,
    node: Node | None = None,
) -> Errand:
    """An object that the server has, in the version of `entry`; `node` while a program has it open."""
    row = replace(
        _row(Kind.REMOVE, parent, path, now_ms),
        object=entry.id,
        is_folder=entry.is_folder,
        version=entry.version,
        sealed=sealed,
        carrier=carrier,
    )
    return Errand(row, entry, node=node)


def to_clear(
    parent: Uuid, path: TreePath, *, is_folder: bool, sealed: tuple[bytes, ...], after: Ending, now_ms: int
) -> Errand:
    """Whatever of our own may have arrived at this place, once nothing more can: `after` the attempts at it."""
    errand = Errand(replace(_row(Kind.REMOVE, parent, path, now_ms), is_folder=is_folder, sealed=sealed))
    errand.after = after
    return errand


def to_stamp(
    entry: Entry, parent: Uuid, path: TreePath, modified_ms: int | None, posix: PosixUpdate, *, now_ms: int
) -> Errand:
    """Attributes of an object; those of a folder are set when all that is on its way into it has arrived."""
    row = _row(Kind.STAMP, parent, path, now_ms)
    row = replace(row, object=entry.id, is_folder=entry.is_folder, modified_ms=modified_ms, posix=posix)
    return Errand(row, entry)
