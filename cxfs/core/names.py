"""How a CX name is shown on Linux, and back: a reversible escape. Knows nothing of folders but the names in them.

Almost every name is shown as it is. What Linux cannot show is written with the mark `%cx`: a slash as `%cx2F`, NUL as
`%cx00`, the names `.` and `..` as `%cx2E` and `%cx2E.`, the empty name as `%cx__`. A name that holds such a sequence
by itself has its own mark written as `%cx25cx`, one level deeper each time: no two names look alike, and a name that a
program gave is the one it is shown under. A name that stays over 255 bytes, and every further entry of a name already
taken in its folder, is cut and tagged `%cx~UUID`: the tag says which it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cxfs.core.entries import Entry, EntryName, Uuid
from cxfs.core.errors import BadName, NameTooLong

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_BYTES_MAX: Final = 255
"""NAME_MAX of Linux, in bytes of UTF-8."""

MARK: Final = "%cx"

_DEEPER: Final = r"(?:cx25)*cx"
_TAG: Final = r"~([A-Za-z0-9_-]{22})\Z"
_MEANT: Final = rf"{_DEEPER}(?:2F|00|{_TAG})"
_WHOLE: Final = rf"{_DEEPER}(?:__|2E\.?)\Z"
"""After a `%`: what would be taken for an escape anywhere in a name, and what only as the whole of one."""

_TO_ESCAPE: Final = re.compile(rf"[/\0]|\A%(?={_WHOLE})|%(?={_MEANT})")
_ESCAPED: Final = re.compile(rf"%cx(?:2F|00)|\A%cx25(?={_WHOLE})|%cx25(?={_MEANT})")
_WHOLE_NAMES: Final = {"": f"{MARK}__", ".": f"{MARK}2E", "..": f"{MARK}2E."}
_WHOLE_SHOWN: Final = {shown: name for name, shown in _WHOLE_NAMES.items()}
_TAGGED: Final = re.compile(rf"{MARK}{_TAG}")


def escape(name: str) -> str:
    """The shown form of `name`, of any length; different for different names."""
    whole = _WHOLE_NAMES.get(name)
    if whole is not None:
        return whole
    return _TO_ESCAPE.sub(lambda found: f"{MARK}{ord(found.group()):02X}", name)


def unescape(shown: str) -> EntryName:
    """The reverse of `escape`; any text that `escape` did not make stands for itself."""
    if MARK not in shown:  # almost every name
        return EntryName(shown)
    whole = _WHOLE_SHOWN.get(shown)
    if whole is not None:
        return EntryName(whole)
    return EntryName(_ESCAPED.sub(lambda found: chr(int(found.group()[len(MARK) :], 16)), shown))


def chosen(shown: str) -> EntryName:
    """The name that a program gave to something new; raises BadName where it would be shown under another one."""
    name = unescape(shown)
    if escape(name) != shown:
        raise BadName(f"{shown!r} is how another name is shown")
    return name


def tagged(name: str, uuid: Uuid) -> str:
    """`name` cut to what fits, with the tag that says which object is meant."""
    tag = f"{MARK}~{uuid}"
    head = escape(name).encode()[: SHOWN_BYTES_MAX - len(tag)]
    return head.decode(errors="ignore") + tag


def tag_of(shown: str) -> Uuid | None:
    """The object that a tagged name means, or None for an ordinary name."""
    found = _TAGGED.search(shown)
    return None if found is None else Uuid(found.group(1))


def from_kernel(shown: bytes) -> str:
    """The text of a name that a program passed in.

    Raises NameTooLong over 255 bytes, as every local file system does, and BadName for bytes that are not UTF-8, which
    a CX name cannot hold.
    """
    if len(shown) > SHOWN_BYTES_MAX:
        raise NameTooLong(f"a name has at most {SHOWN_BYTES_MAX} bytes, this one has {len(shown)}")
    try:
        return shown.decode()
    except UnicodeDecodeError:
        raise BadName("CX names are UTF-8, this one is not") from None


def shown_names(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Each entry of one folder under the one name it is shown by: all of them, whatever they are called.

    Of several entries of one name the oldest keeps it, so that a newcomer does not rename what was there.
    """
    shown: dict[str, Entry] = {}
    for entry in entries:
        name = escape(entry.name)
        if len(name) * 4 > SHOWN_BYTES_MAX and len(name.encode()) > SHOWN_BYTES_MAX:
            name = tagged(entry.name, entry.id)
        rival = shown.get(name)
        if rival is None:
            shown[name] = entry
        elif (entry.created_ms, entry.id) < (rival.created_ms, rival.id):
            shown[name] = entry
            shown[tagged(rival.name, rival.id)] = rival
        else:
            shown[tagged(entry.name, entry.id)] = entry
    return shown
