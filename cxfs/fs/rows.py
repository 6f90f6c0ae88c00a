"""What the server does not have yet, as rows for people: by the names that the mount shows. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core import errands
from cxfs.core.names import escape
from cxfs.core.pending import Kind, Pending, Status, kind_of
from cxfs.core.uploads import IN_FLIGHT, State

if TYPE_CHECKING:
    from cxfs.core.entries import TreePath
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.tree import Tree

_UPLOADS: Final = {
    State.WRITING: Status.WRITING,
    State.WAITING: Status.WAITING,
    State.PARKED: Status.PARKED,
    **dict.fromkeys(IN_FLIGHT, Status.SENDING),
}

_ERRANDS: Final = {
    errands.State.KEPT: Status.WAITING,
    errands.State.WAITING: Status.WAITING,
    errands.State.SENDING: Status.SENDING,
    errands.State.PARKED: Status.PARKED,
}

IN_CONFLICT: Final = "the server's version changed as well: this one goes beside it, under this name"

STILL_OPEN: Final = "a program has it open: it goes with the last close"

MAY_COME_LATE: Final = "what was sent by this former name may still arrive: it is removed then"


class Rows:
    """Those of one mount, as of the moment of each call."""

    def __init__(self, tree: Tree, *, changes: Changes, errands: Errands, journal: Journal) -> None:
        self._tree = tree
        self._changes = changes
        self._errands = errands
        self._journal = journal

    def all(self) -> list[Pending]:
        """Everything, the oldest first."""
        rows = [*map(self.of_change, self._changes), *map(self.of_errand, self._errands)]
        return sorted(rows, key=lambda row: (-(row.age_s or 0.0), row.path))

    def of_change(self, change: Change) -> Pending:
        """An upload's."""
        return Pending(
            id=change.id,
            kind=Kind.UPLOAD,
            status=_UPLOADS[change.state],
            path=self.path_of(change),
            size=change.draft.size,
            age_s=self._age_s(change.accepted_ms),
            attempts=change.attempts,
            reason=change.parked or change.last_error or (IN_CONFLICT if change.conflicts else None),
        )

    def of_errand(self, errand: Errand) -> Pending:
        """That of anything else."""
        waits_for = STILL_OPEN if errand.state is errands.State.KEPT else MAY_COME_LATE if errand.is_clearing else None
        return Pending(
            id=errand.id,
            kind=kind_of(errand.kind, is_folder=errand.is_folder, is_known=errand.object is not None),
            status=_ERRANDS[errand.state],
            path=self.shown(errand.path),
            size=0,
            age_s=self._age_s(errand.accepted_ms),
            attempts=errand.attempts,
            reason=errand.parked or errand.last_error or waits_for,
        )

    def path_of(self, change: Change) -> str:
        """Where the file is shown: by its node where there is one, since others may have renamed what is above it."""
        names = []
        node = change.node
        while node is not None and node.parent is not None:
            names.append(node.shown)
            node = node.parent
        return "/".join(reversed(names)) if node is self._tree.root else self.shown(change.path)

    def shown(self, path: TreePath) -> str:
        """Below the mount; whole, by the account's names, for what an earlier mount left outside of this one."""
        root = self._tree.path_of(self._tree.root)
        if path.owner != root.owner or path.names[: len(root.names)] != root.names:
            return str(path)
        return "/".join(map(escape, path.names[len(root.names) :]))

    def _age_s(self, accepted_ms: int) -> float | None:
        return max(0.0, (self._journal.now_ms() - accepted_ms) / 1_000) if accepted_ms else None
