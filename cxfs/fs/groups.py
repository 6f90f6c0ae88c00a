"""The account's groups as this mount knows them, and the folders that stand for them. Asks nobody; `group_watch` does.

A group's tree belongs to another owner. The folder that stands for it here goes by the group's own UUID, which is known
before the group's tree was ever looked at; `group_folders` translates at the border.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from cxfs.core.entries import SELF, Entry, EntryName, Owner, Path, TreePath, Uuid, UuidPath
from cxfs.core.names import shown_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GROUPS_NAME: Final = EntryName("Groups")

GROUPS_ID: Final = Uuid("cxfsGroupsFolder000000")
"""Of the folder that holds the groups: no object of any server, and so the same inode number on every machine."""

GROUPS_PATH: Final = UuidPath(SELF, GROUPS_ID)

READER: Final = "reader"
"""The one role that is known to change nothing; what any other may do is the server's to say."""

_OLDEST_MS: Final = -(1 << 53)
"""Of several entries of one name the oldest keeps it (core/names): this one does."""


class Group(Protocol):
    """What the account says of a group that it belongs to."""

    @property
    def id(self) -> Owner:
        """The owner of the group's tree."""
        ...

    @property
    def name(self) -> str:
        """What it is called; any text."""
        ...

    @property
    def role(self) -> str:
        """What the account may do there; empty where the server does not tell."""
        ...


class Groups:
    """What was last learnt. Without groups there is no folder for them. `on_look` hears whose tree is looked at."""

    def __init__(self, on_look: Callable[[Owner], None] = lambda _: None) -> None:
        self._on_look = on_look
        self._now: dict[Owner, Group] = {}
        self._roots: dict[Owner, Entry] = {}
        self._version = 0
        self._learnt_ms = 0

    def __len__(self) -> int:
        return len(self._now)

    def learn(self, groups: Iterable[Group], *, now_ms: int) -> bool:
        """The groups are these now; whether that is news."""
        now = {group.id: group for group in groups}
        if now == self._now:
            return False
        self._now = now
        self._roots = {owner: root for owner, root in self._roots.items() if owner in now}
        self._version += 1
        self._learnt_ms = now_ms
        return True

    def is_read_only(self, owner: Owner | None) -> bool:
        """Whether the account may only read in the tree of this owner."""
        group = self._now.get(owner) if owner is not None else None
        return group is not None and group.role == READER

    @property
    def folder(self) -> Entry:
        """The folder that holds the groups, changed when they last did."""
        return Entry(
            owner=SELF,
            id=GROUPS_ID,
            name=GROUPS_NAME,
            is_folder=True,
            size=0,
            version=self._version,
            created_ms=_OLDEST_MS,
            modified_ms=self._learnt_ms,
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """One folder for each group."""
        return tuple(self._entry(group) for group in self._now.values())

    @property
    def shown(self) -> dict[str, Uuid]:
        """The names that they are shown under."""
        return {shown: entry.id for shown, entry in shown_names(self.entries).items()}

    def entry(self, owner: Owner) -> Entry | None:
        """The folder that stands for the group; None when the account is not in it."""
        group = self._now.get(owner)
        return None if group is None else self._entry(group)

    def describe(self, root: Entry) -> Entry:
        """The folder that stands for a group, now that the server has described its root."""
        self._roots[root.owner] = root
        self._on_look(root.owner)
        known = self.entry(root.owner)
        return known if known is not None else _standing_for(root, root.name)

    def as_seen(self, entry: Entry) -> Entry:
        """An object of any tree, as the server told of it: in a group's, the root is the folder that stands for it."""
        root = self._roots.get(entry.owner)
        if root is None or entry.owner == SELF:
            return entry
        if entry.id == root.id:
            return self.describe(entry)
        return replace(entry, parent=Uuid(entry.owner)) if entry.parent == root.id else entry

    def _entry(self, group: Group) -> Entry:
        root = self._roots.get(group.id)
        if root is None:
            root = replace(self.folder, owner=group.id, version=0)
        return _standing_for(root, EntryName(group.name))


def tree_at(path: Path) -> TreePath | None:
    """The tree of a group, for a path of the folder that stands for it: by the group's UUID, or by names."""
    if isinstance(path, UuidPath):
        return TreePath(path.owner, ()) if str(path.object) == str(path.owner) else None
    return path if not path.names and path.owner != SELF else None


def _standing_for(root: Entry, name: EntryName) -> Entry:
    # Not the root's own time of creation: it is not known at first, and of two groups of one name the older would
    # keep it, so that looking into one of them would change both names.
    return replace(root, id=Uuid(root.owner), name=name, created_ms=0)
