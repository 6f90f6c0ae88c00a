"""What a thing in CX is called and what is known of it. Parses at the border; asks nobody anything.

Two kinds of path are two types and neither is a `str`: a `TreePath` goes by names and breaks when a folder above it is
renamed; a `UuidPath` names the object wherever it moves. Sources of the facts: docs/protocol.md, "Types".
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote

from cxfs.core.errors import BadName, BadReply, NameTooLong
from cxfs.core.posix import PLAIN, Posix

NAME_CHARACTERS_MAX: Final = 255
"""Characters, not bytes, in one name [doc]."""

_UUID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_NOT_UTF8: Final = re.compile("[\ud800-\udfff]")


class Uuid(str):
    """A CX UUID: 22 case-sensitive characters of URL-safe base64 [doc, seen]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Uuid:
        """Checks the shape; raises BadReply, since UUIDs come from a server only."""
        if _UUID.fullmatch(text) is None:
            raise BadReply(f"not a CX UUID: {text[:40]!r}")
        return cls(text)

    @property
    def number(self) -> int:
        """A 63-bit number from its 16 bytes, the same on every machine: the object's inode number.

        Both halves are mixed, since the first half of a time-based UUID and the second of its neighbours repeat. Below
        2 are reserved (the root is 1); two objects that collide are told apart by whoever hands the numbers out.
        """
        raw = urlsafe_b64decode(self + "==")
        mixed = int.from_bytes(raw[:8]) ^ int.from_bytes(raw[8:])
        return max(2, mixed & 0x7FFF_FFFF_FFFF_FFFF)


class Owner(str):
    """Whose tree: a user's or group's UUID, or `self`."""

    __slots__ = ()


SELF: Final = Owner("self")


class EntryName(str):
    """A name as CX holds it: any string of at most 255 characters, also one that Linux cannot show."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> EntryName:
        """Raises NameTooLong over 255 characters."""
        if len(text) > NAME_CHARACTERS_MAX:
            raise NameTooLong(f"a name has at most {NAME_CHARACTERS_MAX} characters, this one has {len(text)}")
        return cls(text)

    @property
    def fits_in_a_path(self) -> bool:
        """Whether a TreePath can name it; an object with another name is reached by its UUID alone."""
        if self.isascii():
            return self not in {"", ".", ".."} and "/" not in self and "\0" not in self
        return "/" not in self and "\0" not in self and _NOT_UTF8.search(self) is None


class TreePath(NamedTuple):
    """`OWNER:/a/b`: the way down from an owner's root by names."""

    owner: Owner
    names: tuple[EntryName, ...]

    def child(self, name: EntryName) -> TreePath:
        """The path of `name` in this folder; raises BadName for a name that no path can hold."""
        if not name.fits_in_a_path:
            raise BadName(f"CX has no path for the name {str(name)!r}")
        return TreePath(self.owner, (*self.names, name))

    def __str__(self) -> str:
        return f"{self.owner}:/" + "/".join(self.names)

    @property
    def in_url(self) -> str:
        """As one percent-encoded URL segment, slashes included [doc]."""
        return f"{self.owner}:" + quote("/" + "/".join(self.names), safe="")

    @classmethod
    def parse(cls, text: str) -> TreePath:
        """The reverse of `str()`; raises BadName for anything else."""
        owner, colon, path = text.partition(":")
        if not colon or not path.startswith("/"):
            raise BadName(f"not a CX path: {text!r} (expected OWNER:/path/to/file)")
        top = cls(Owner(owner), ())
        for name in path[1:].split("/") if path != "/" else ():
            top = top.child(EntryName.parse(name))
        return top


class UuidPath(NamedTuple):
    """`OWNER:OBJECT`: one object, wherever it moves."""

    owner: Owner
    object: Uuid

    def __str__(self) -> str:
        return f"{self.owner}:{self.object}"

    @property
    def in_url(self) -> str:
        """As one URL segment; a UUID path has nothing to encode."""
        return str(self)


Path = TreePath | UuidPath


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder as the server described it at one moment.

    `size` is in bytes (0 for a folder), times in milliseconds since the epoch, UTC; `sha1` and `md5` are raw digests
    and None where the server gave none (or one that is not a digest).
    """

    owner: Owner
    id: Uuid
    name: EntryName
    is_folder: bool
    size: int
    version: int
    created_ms: int
    modified_ms: int
    sha1: bytes | None = None
    md5: bytes | None = None
    parent: Uuid | None = None
    posix: Posix = PLAIN

    @property
    def modified_ns(self) -> int:
        """The time as finely as it is known, in nanoseconds."""
        return self.modified_ms * 1_000_000 + self.posix.rest_ns

    @property
    def path(self) -> UuidPath:
        """Where requests about this object go."""
        return UuidPath(self.owner, self.id)
