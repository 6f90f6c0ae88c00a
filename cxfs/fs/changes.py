"""Changes on their way to the server, and which objects and names they concern. Sends nothing; the uploader does.

A change goes by identity: the object it will be a new version of, or for a new file its folder and name. Renames move
it, deletes withdraw it, so what is sent in the end is what the tree looks like then.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cxfs.core.entries import SELF, Entry, EntryName, TreePath, Uuid
from cxfs.core.order import Kind, Step
from cxfs.core.posix import NOTHING
from cxfs.core.ranges import ByteRange
from cxfs.core.uploads import IN_FLIGHT, Event, State, step
from cxfs.fs.attempts import AllOf, Attempt
from cxfs.local.rows import ChangeRow

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from cxfs.core.errors import CxfsError
    from cxfs.core.posix import Posix
    from cxfs.fs.attempts import Ending
    from cxfs.fs.errands import Errand
    from cxfs.fs.node import Node
    from cxfs.fs.steps import Steps
    from cxfs.local.drafts import Draft


class Change:
    """One file whose content is newer here than on the server.

    `generation` counts every write; the journal knows of `journalled`. `writers` are the open handles that wrote.
    `base` is the version the draft began from (None: a new file, or one whose content was complete from the start).
    `accepted_ms` is when the journal first had it, by the wall clock; `attempts` counts those of this run to send it,
    and `last_error` is why the last one failed, in one line. `sent_generation` is what the server has of it,
    `sent_bytes` what was handed over in the attempt that runs, `refusal` why this run parked it. `goes_alone`: the
    server did not take a bundle that it was in. `stays_here`: by its name it is nobody else's, and is not sent.
    `posix` goes along with its content. `has_backup`: what its name stood for before was set aside, and an editor may
    be about to delete that. `replaces` are the errands, taken back, whose rows go with the next record of this one.
    `is_awaited`: its planner waits until it is `settled`.
    """

    def __init__(
        self, change_id: str, draft: Draft, *, inode: int, parent: Uuid, path: TreePath, modified_ms: int
    ) -> None:
        self.id = change_id
        self.draft = draft
        self.state = State.WRITING
        self.generation = 0
        self.journalled = -1
        self.writers: set[object] = set()
        self.inode = inode
        self.parent = parent
        self.path = path
        self.object: Uuid | None = None
        self.base_version: int | None = None
        self.base_size = 0
        self.modified_ms = modified_ms
        self.posix = NOTHING
        self.accepted_ms = 0
        self.attempts = 0
        self.last_error: str | None = None
        self.counted_bytes = 0
        self.coming_bytes = 0
        self.sealed: tuple[bytes, ...] = ()
        self.parked: str | None = None
        self.refusal: CxfsError | None = None
        self.sent_generation = -1
        self.sent_bytes = 0
        self.node: Node | None = None
        self.turns = 0
        self.goes_alone = False
        self.stays_here = False
        self.has_backup = False
        self.conflicts = 0
        self.contested_name = self.copy_name = path.names[-1]
        self.replaces: tuple[Errand, ...] = ()
        self.due = math.inf
        self.holds = 0
        self.is_awaited = False
        self.attempt = Attempt.never_made()
        self._former: Ending = self.attempt

    @property
    def name(self) -> EntryName:
        """What the file is called."""
        return self.path.names[-1]

    @property
    def step(self) -> Step:
        """As the order of things sees it."""
        return Step(self.id, Kind.UPLOAD, self.object, self.parent, self.name)

    @property
    def grows_bytes(self) -> int:
        """By how much it will fill the user's own quota; of a group's nothing is known."""
        return max(0, self.draft.size - self.base_size) if self.path.owner == SELF and not self.stays_here else 0

    def written_at(self, now_ms: int) -> None:
        """A program wrote to it: a time set before no longer holds."""
        self.modified_ms = now_ms
        if self.posix.rest_ns:
            self.posix = replace(self.posix, rest_ns=0)

    def posix_over(self, known: Posix) -> Posix:
        """What is shown of it, where the server keeps `known` of its object.

        Extended attributes that go along with content are all that it has.
        """
        below = known if self.posix.xattrs is None else replace(known, xattrs=())
        return replace(self.posix.on(below), rest_ns=self.posix.rest_ns, link=self.posix.link)

    def stands_alone(self, known: Posix) -> None:
        """It is to be an object of its own: what it would have left as the server keeps it goes along."""
        shown = self.posix_over(known)
        self.posix = replace(self.posix, mode=shown.mode, xattrs=shown.xattrs or self.posix.xattrs)

    def on(self, event: Event) -> None:
        """The next step of its life; a write while its bytes go out abandons the attempt."""
        before, self.state = self.state, step(self.state, event)
        if before is State.PARKED is not self.state:
            self.parked = self.refusal = None
        if event is Event.WRITTEN:
            self.generation += 1
            if before is State.SENDING:
                self.attempt.scope.cancel()

    def abandon(self) -> None:
        """An attempt whose bytes are still going out comes to nothing."""
        if self.state is State.SENDING:
            self.on(Event.WRITTEN)

    def starts(self) -> None:
        """An attempt is about to run: whoever recalls the change waits for its end from now on."""
        self.on(Event.STARTED)
        self.attempts += 1
        self.sent_bytes = 0
        self.due = math.inf
        self.comes_after(self.attempt)
        self.attempt = Attempt()

    def hands_over(self) -> None:
        """Every byte of it goes out now; the server may carry it out."""
        self.on(Event.HANDED_OVER)
        self.attempt.handed_over()

    def disown_the_attempt(self) -> None:
        """Nothing is known here of what was handed over, nor will be: whether it arrives, the server is asked."""
        if self.attempt.awaits_answer and not self.attempt.is_disowned:
            self.attempt.is_disowned = True
            self.on(Event.FAILED)

    def comes_after(self, former: Ending) -> None:
        """Attempts before this, perhaps of another change, may still take effect where it goes."""
        self._former = AllOf(self._former, former)

    @property
    def earlier(self) -> Ending:
        """When that is so of all attempts but the last."""
        return self._former

    @property
    def settled(self) -> Ending:
        """When nothing that was sent of it so far can take effect any more."""
        return AllOf(self._former, self.attempt)

    def ends(self, attempt: Attempt) -> None:
        """This attempt at it has; what it did not settle has failed."""
        if attempt is self.attempt and not attempt.is_disowned and self.state in IN_FLIGHT:
            self.on(Event.FAILED)
        attempt.ends()

    def begin_from(self, entry: Entry) -> None:
        """It is a new version of what `entry` describes."""
        self.object = entry.id
        self.base_version = entry.version
        self.base_size = entry.size

    def row(self) -> ChangeRow:
        """What the journal is to know of it, at this moment."""
        return ChangeRow(
            id=self.id,
            generation=self.generation,
            inode=self.inode,
            parent=self.parent,
            path=self.path,
            object=self.object,
            base_version=self.base_version,
            base_size=self.base_size,
            base_bytes=self.draft.base_bytes,
            size=self.draft.size,
            held=self.draft.present(),
            modified_ms=self.modified_ms,
            sealed=self.sealed,
            parked=self.parked,
            accepted_ms=self.accepted_ms,
            posix=self.posix,
        )

    @classmethod
    def recovered(cls, row: ChangeRow, draft: Draft) -> Change:
        """A change that an earlier run of the daemon accepted."""
        change = cls(row.id, draft, inode=row.inode, parent=row.parent, path=row.path, modified_ms=row.modified_ms)
        change.generation = change.journalled = row.generation
        change.object = row.object
        change.base_version = row.base_version
        change.base_size = row.base_size
        change.sealed = row.sealed
        change.parked = change.last_error = row.parked
        change.accepted_ms = row.accepted_ms
        change.posix = row.posix
        change.state = State.WAITING if row.parked is None else State.PARKED
        if row.sealed:
            change.comes_after(Attempt.of_an_earlier_run())
        return change

    def missing(self) -> list[ByteRange]:
        """What must be brought in from the base before it can be sent."""
        return self.draft.missing(ByteRange(0, self.draft.size))


class Changes:
    """Every change that is not done, by what it concerns. Plain bookkeeping: no call here awaits.

    A new file by one of `local_names` stays here: it shows in the tree like any other, and is neither among those that
    are iterated over and counted, nor does anything wait for it.
    """

    def __init__(self, steps: Steps, local_names: Container[str] = ()) -> None:
        self._steps = steps
        self._local_names = local_names
        self._all: dict[str, Change] = {}
        self._by_object: dict[Uuid, Change] = {}
        self._new: dict[Uuid, dict[EntryName, Change]] = {}
        self._staying = 0
        self.bytes_held = 0
        """Bytes in all drafts, each as it was last counted."""
        self.bytes_coming = 0
        """By how much they will fill the user's own quota, counted alike."""

    def __iter__(self) -> Iterator[Change]:
        return iter([change for change in self._all.values() if not change.stays_here])

    def __len__(self) -> int:
        return len(self._all) - self._staying

    def __contains__(self, change: Change) -> bool:
        return self._all.get(change.id) is change

    def get(self, change_id: str) -> Change | None:
        """The change of this id."""
        return self._all.get(change_id)

    def of(self, object_id: Uuid) -> Change | None:
        """The change that will be a new version of this object."""
        return self._by_object.get(object_id)

    def new_in(self, folder: Uuid) -> dict[EntryName, Change]:
        """Files in this folder that the server does not know yet, by name."""
        return self._new.get(folder, {})

    def add(self, change: Change) -> None:
        """From now on it shows in the tree and will be sent."""
        self._all[change.id] = change
        self._index(change)
        self.count(change)

    def remove(self, change: Change) -> None:
        """It is done, or was taken back."""
        if self._all.pop(change.id, None) is not None:
            self.bytes_held -= change.counted_bytes
            self.bytes_coming -= change.coming_bytes
            self._unindex(change)

    def count(self, change: Change) -> None:
        """The draft may hold more (or, cut, less) than when it was last counted."""
        if change in self:
            counted_before, change.counted_bytes = change.counted_bytes, change.draft.held.length
            self.bytes_held += change.counted_bytes - counted_before
            coming_before, change.coming_bytes = change.coming_bytes, change.grows_bytes
            self.bytes_coming += change.coming_bytes - coming_before

    def becomes(self, change: Change, entry: Entry | None) -> None:
        """It is now a new version of `entry`, or (None) a new file again."""
        self._unindex(change)
        if entry is None:
            change.object = change.base_version = None
            change.base_size = 0
        else:
            change.begin_from(entry)
        self._index(change)
        self.count(change)

    def moved(self, change: Change, parent: Uuid, path: TreePath) -> None:
        """Its file has another name or folder now."""
        self._unindex(change)
        change.parent, change.path = parent, path
        self._index(change)
        self.count(change)

    def folder_made(self, provisional: Uuid, folder: Uuid) -> None:
        """The folder is on the server under this UUID: what is in it follows."""
        for change in list(self._all.values()):
            if change.parent == provisional:
                self.moved(change, folder, change.path)

    def below(self, folder: TreePath) -> list[Change]:
        """Whatever is new somewhere in this folder or deeper, also what stays here."""
        depth = len(folder.names)
        return [c for c in self._all.values() if c.path.owner == folder.owner and c.path.names[:depth] == folder.names]

    def folder_moved(self, before: TreePath, after: TreePath) -> list[Change]:
        """A folder was renamed: the paths below it follow. The changes that were touched, to be journalled."""
        touched = self.below(before)
        for change in touched:
            change.path = TreePath(after.owner, after.names + change.path.names[len(before.names) :])
        return touched

    def _index(self, change: Change) -> None:
        if change.object is not None:
            self._by_object[change.object] = change
        else:
            self._new.setdefault(change.parent, {})[change.name] = change
        change.stays_here = change.object is None and change.name in self._local_names
        self._staying += change.stays_here
        if not change.stays_here:
            self._steps.add(change.step)

    def _unindex(self, change: Change) -> None:
        self._forget_place(change)
        if not change.stays_here:
            self._steps.over(change.step)
        self._staying -= change.stays_here
        change.stays_here = False

    def _forget_place(self, change: Change) -> None:
        if change.object is not None:
            if self._by_object.get(change.object) is change:
                del self._by_object[change.object]
            return
        siblings = self._new.get(change.parent, {})
        if siblings.get(change.name) is change:
            del siblings[change.name]
            if not siblings:
                del self._new[change.parent]
