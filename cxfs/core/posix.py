"""What a POSIX system knows of an object beside its content: mode, fine time, link, extended attributes. Keeps none.

A server with the capability `posix` keeps it with the object. A link is a file elsewhere: its content says where it
leads, in the form that SMB clients use ("Minshall+French symlinks"); docs/protocol.md, "Symbolic links".
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import Final

from cxfs.core.errors import AttributesFull, BadName, NameTooLong

Values = tuple[tuple[str, bytes], ...]
"""Extended attributes by name, in the order of the names."""

Patch = tuple[tuple[str, bytes | None], ...]
"""Some to be set, and (None) taken away."""

XATTRS_BYTES_MAX: Final = 64 << 10
"""Names and values of one object, as the server counts them [ours]."""

SHORT_BYTES_MAX: Final = 512
"""Extended attributes of one of 256 objects in a bundle, whose list has half a megabyte, paths included."""

MARKED_BYTES: Final = 1_067
"""What a link's content has; no other size is one."""

TARGET_BYTES_MAX: Final = 1_024
_MARK: Final = b"XSym\n"
_PERMISSIONS: Final = 0o7777


@dataclass(frozen=True, slots=True)
class Posix:
    """As the server keeps it. None: never set. `rest_ns` is what the milliseconds of its time do not hold."""

    mode: int | None = None
    rest_ns: int = 0
    link: str | None = None
    xattrs: Values = ()

    def value(self, name: str) -> bytes | None:
        """Of one extended attribute."""
        return next((value for each, value in self.xattrs if each == name), None)


PLAIN: Final = Posix()


@dataclass(frozen=True, slots=True)
class PosixUpdate:
    """What is to be set; None: left as it is. `rest_ns` belongs to a time in milliseconds that is kept beside it.

    With content, `link` None says that it is no link, and `xattrs` is all that the file is to have.
    """

    mode: int | None = None
    rest_ns: int = 0
    link: str | None = None
    xattrs: Patch | None = None

    def then(self, later: PosixUpdate, *, with_time: bool) -> PosixUpdate:
        """Both, one after the other; `with_time`: the later one brings a time."""
        patch = {**dict(self.xattrs or ()), **dict(later.xattrs or ())}
        return PosixUpdate(
            mode=self.mode if later.mode is None else later.mode,
            rest_ns=later.rest_ns if with_time else self.rest_ns,
            link=self.link,
            xattrs=None if self.xattrs is None and later.xattrs is None else tuple(sorted(patch.items())),
        )

    def on(self, posix: Posix) -> Posix:
        """The mode and extended attributes of an object once this is set."""
        mode = posix.mode if self.mode is None else self.mode
        return replace(posix, mode=mode, xattrs=posix.xattrs if self.xattrs is None else _patched(posix, self.xattrs))

    @property
    def is_short(self) -> bool:
        """Whether many of its kind fit into the list of a bundle."""
        return sum(len(name) + len(value or b"") for name, value in self.xattrs or ()) <= SHORT_BYTES_MAX

    @property
    def text(self) -> str:
        """For the journal; nothing for what sets nothing."""
        values = {name: None if value is None else b64encode(value).decode() for name, value in self.xattrs or ()}
        said = {
            "mode": self.mode,
            "rest_ns": self.rest_ns or None,
            "link": self.link,
            "xattrs": None if self.xattrs is None else values,
        }
        said = {name: value for name, value in said.items() if value is not None}
        return json.dumps(said) if said else ""

    @classmethod
    def parse(cls, text: str) -> PosixUpdate:
        """The reverse of `text`; raises ValueError or TypeError for a damaged one."""
        if not text:
            return NOTHING
        said = json.loads(text)
        if not isinstance(said, dict):
            raise TypeError(f"not POSIX attributes: {text[:80]!r}")
        mode, rest_ns, link, values = (said.get(name) for name in ("mode", "rest_ns", "link", "xattrs"))
        of_kind = isinstance(mode, int | None), isinstance(rest_ns, int | None), isinstance(link, str | None)
        if not all(of_kind) or not isinstance(values, dict | None):
            raise TypeError(f"not POSIX attributes: {text[:80]!r}")
        patch = None
        if values is not None:
            patch = tuple((name, None if value is None else b64decode(value)) for name, value in values.items())
        return cls(mode, rest_ns or 0, link, patch)


NOTHING: Final = PosixUpdate()


def _patched(posix: Posix, patch: Patch) -> Values:
    now = {**dict(posix.xattrs), **dict(patch)}
    return tuple(sorted((name, value) for name, value in now.items() if value is not None))


def permissions(mode: int) -> int:
    """The bits of a mode that chmod(2) sets."""
    return mode & _PERMISSIONS


def check_room(values: Values) -> None:
    """Raises AttributesFull for more extended attributes than an object can have."""
    if sum(len(name.encode()) + len(value) for name, value in values) > XATTRS_BYTES_MAX:
        raise AttributesFull(f"names and values are over {XATTRS_BYTES_MAX} bytes")


def marked(target: str) -> bytes:
    """The content of a link that leads there. Raises NameTooLong over 1,024 bytes, BadName for what is not UTF-8."""
    try:
        encoded = target.encode()
    except UnicodeEncodeError:
        raise BadName("where the link leads is not UTF-8") from None
    if len(encoded) > TARGET_BYTES_MAX:
        raise NameTooLong(f"a link leads at most {TARGET_BYTES_MAX} bytes far, this one {len(encoded)}")
    digest = hashlib.md5(encoded, usedforsecurity=False).hexdigest().encode()
    content = _MARK + b"%04d\n" % len(encoded) + digest + b"\n" + encoded
    return (content + b"\n").ljust(MARKED_BYTES) if len(encoded) < TARGET_BYTES_MAX else content


def target_in(content: bytes) -> str | None:
    """Where the link leads whose content this is; None for any other file."""
    head, digits = content[:5], content[5:9]
    if len(content) != MARKED_BYTES or head != _MARK or not digits.isdigit():
        return None
    encoded = content[43 : 43 + int(digits)]
    try:
        target = encoded.decode()
        return target if target and "\0" not in target and marked(target) == content else None
    except (UnicodeDecodeError, NameTooLong):
        return None
