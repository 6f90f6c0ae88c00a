"""Copies what waits out of its draft, under its path in another folder. Never overwrites.

A file whose content is not all there gets the ending `.incomplete`: under its own name it would pass for whole.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from cxfs.core.errors import CxfsError, Invalid, NotFound
from cxfs.core.posix import PosixUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

INCOMPLETE: Final = ".incomplete"

PERMISSIONS: Final = 0o777
"""Of a mode, what a copy has of it: not whose rights a program runs with."""

PIECE_BYTES: Final = 1 << 20

TRIES: Final = 3
"""Copies of a file that is being written before it is called restless."""


class ExportTrouble(CxfsError):
    """One file could not be exported, for the reason in the message."""


def export(ask: Callable[[], Mapping[str, Any]], folder: Path) -> Path:
    """Copies one content below `folder`, with time, mode and attributes, and returns where it is; a link is one again.

    `ask` tells where the content is (see `MountVerbs.export`); it is asked again after the copy, whether that is still
    what it was. Raises ExportTrouble; NotFound for what was sent or taken back meanwhile.
    """
    content = ask()
    for _ in range(TRIES):
        target = _copied(content, folder)
        try:
            now = ask()
        except CxfsError:  # sent meanwhile: what was copied is what was sent
            return target
        if now["generation"] == content["generation"]:
            return target
        target.unlink()
        content = now
    raise ExportTrouble(f"{content['path']} is being written: export it when that is over")


def _copied(content: Mapping[str, Any], folder: Path) -> Path:
    target, posix = _target(folder, content), PosixUpdate.parse(content["posix"])
    modified_ns = content["modified_ms"] * 1_000_000 + posix.rest_ns
    if posix.link is not None:
        _link(posix.link, target, modified_ns)
        return target
    try:
        source = os.open(content["file"], os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise NotFound(f"{content['path']} was sent or taken back meanwhile") from None
    except OSError as error:
        raise ExportTrouble(f"{content['path']}: its draft cannot be read: {error.strerror}") from error
    try:
        _copy(source, target, content["size"], modified_ns, posix)
    finally:
        os.close(source)
    return target


def _target(folder: Path, content: Mapping[str, Any]) -> Path:
    """Where it goes; a path from elsewhere must not lead out of the folder."""
    names = [name for name in str(content["path"]).split("/") if name]
    if not names or any(name in {".", ".."} or "\0" in name for name in names):
        raise Invalid(f"{content['path']!r} is no path to export to")
    target = folder.joinpath(*names)
    for above in [folder.joinpath(*names[:depth]) for depth in range(1, len(names))]:
        if above.is_symlink():
            raise ExportTrouble(f"{above} is a link: nothing is exported through it")
    return target.with_name(target.name + INCOMPLETE) if content["missing"] else target


@contextmanager
def _making(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except FileExistsError:
        raise ExportTrouble(f"{target} is there already: nothing is overwritten") from None
    except OSError as error:
        raise ExportTrouble(f"{target} cannot be made: {error.strerror}") from error


def _link(leads_to: str, target: Path, modified_ns: int) -> None:
    with _making(target):
        target.symlink_to(leads_to)
        os.utime(target, ns=(modified_ns, modified_ns), follow_symlinks=False)


def _copy(source: int, target: Path, size: int, modified_ns: int, posix: PosixUpdate) -> None:
    with _making(target):
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _copy_bytes(source, copy, size)
        _set_attributes(copy, posix)
        os.utime(copy, ns=(modified_ns, modified_ns))
        os.fsync(copy)
    except OSError as error:
        target.unlink()
        raise ExportTrouble(f"{target} cannot be written: {error.strerror}") from error
    except BaseException:  # Ctrl-C: half a file would pass for a whole one
        target.unlink()
        raise
    finally:
        os.close(copy)


def _set_attributes(copy: int, posix: PosixUpdate) -> None:
    """What can be kept there: not every file system has extended attributes, and some have little room for them."""
    for name, value in posix.xattrs or ():
        if value is not None:
            with contextlib.suppress(OSError):
                os.setxattr(copy, name, value)
    if posix.mode is not None:
        os.fchmod(copy, posix.mode & PERMISSIONS)


def _copy_bytes(source: int, copy: int, size: int) -> None:
    for start in range(0, size, PIECE_BYTES):
        rest = os.pread(source, min(PIECE_BYTES, size - start), start)
        while rest:
            rest = rest[os.write(copy, rest) :]
    os.ftruncate(copy, size)
