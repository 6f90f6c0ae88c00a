"""What a local file system keeps of a file beside its bytes, read from there and set there. Knows no tables."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cxfs.server.attributes import Attributes, parse_xattrs
from cxfs.server.limits import XATTRS_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.server.trees import Node

_MARK: Final = "XSym"
_MARKED_BYTES: Final = 1_067
MARKED_LINK_BYTES_MAX: Final = 1_024
"""Of a link that has the marked form; docs/protocol.md, "Symbolic links"."""


def attributes_at(path: str | int) -> Attributes:
    """Of a file or folder, or of what is open there. Raises OSError."""
    found = os.stat(path)  # noqa: PTH116 - it may be a descriptor
    modified_ms, rest_ns = divmod(found.st_mtime_ns, 1_000_000)
    return Attributes(modified_ms, rest_ns, stat.S_IMODE(found.st_mode), dict(_xattrs_at(path)) or None)


def attributes_of_link(path: str) -> Attributes:
    """Its time: nothing else of a link can be set. Raises OSError."""
    modified_ms, rest_ns = divmod(os.lstat(path).st_mtime_ns, 1_000_000)
    return Attributes(modified_ms, rest_ns)


def _xattrs_at(path: str | int) -> dict[str, bytes]:
    """Those of the family `user`; none where the file system has none, or more than CX can hold."""
    found: dict[str, bytes] = {}
    with suppress(OSError):
        for name in os.listxattr(path):
            if name.startswith("user."):
                found[name] = os.getxattr(path, name)
    return found if sum(len(name.encode()) + len(value) for name, value in found.items()) <= XATTRS_BYTES_MAX else {}


def marked(target: str) -> bytes:
    """The content of a symbolic link, for whoever knows no links. Raises ValueError for a target that is too long."""
    encoded = target.encode("utf-8")
    if len(encoded) > MARKED_LINK_BYTES_MAX:
        raise ValueError(f"the link leads further than {MARKED_LINK_BYTES_MAX} bytes")
    digest = hashlib.md5(encoded, usedforsecurity=False).hexdigest()
    head = f"{_MARK}\n{len(encoded):04}\n{digest}\n".encode() + encoded
    return (head + b"\n").ljust(_MARKED_BYTES) if len(encoded) < MARKED_LINK_BYTES_MAX else head


def set_attributes_at(path: Path, node: Node) -> None:
    """What the node has of them; extended attributes only where the file system takes them. Raises OSError."""
    is_link = path.is_symlink()
    if node.xattrs and not is_link:
        for name, value in parse_xattrs(node.xattrs).items():
            with suppress(OSError):
                os.setxattr(path, name, value or b"")
    if node.mode is not None and not is_link:
        path.chmod(node.mode)
    modified_ns = node.modified_ms * 1_000_000 + node.modified_rest_ns
    os.utime(path, ns=(modified_ns, modified_ns), follow_symlinks=False)
