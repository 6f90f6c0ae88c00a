"""open(2) with every set of flags on a target in every state, and what comes of it. Compares nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import mmap
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    State = Callable[[Path, Path], contextlib.AbstractContextManager[str]]

PAGE: Final = 4096
"""O_DIRECT wants offsets, counts and addresses in whole ones of these."""

ACCESS: Final = {"O_RDONLY": os.O_RDONLY, "O_WRONLY": os.O_WRONLY, "O_RDWR": os.O_RDWR}
FLAGS: Final = {
    name: getattr(os, name)
    for name in (
        "O_CREAT",
        "O_EXCL",
        "O_TRUNC",
        "O_APPEND",
        "O_DIRECTORY",
        "O_NOFOLLOW",
        "O_PATH",
        "O_TMPFILE",
        "O_DIRECT",
        "O_SYNC",
    )
}


@dataclass(frozen=True, slots=True)
class Flags:
    """One way to open: access and further flags by name, and whether a slash stands behind the path."""

    names: tuple[str, ...]
    slash: bool

    @property
    def bits(self) -> int:
        """As open(2) takes them."""
        bits = 0
        for name in self.names:
            bits |= ACCESS.get(name, 0) | FLAGS.get(name, 0)
        return bits

    def __str__(self) -> str:
        return "|".join(self.names) + (" with a slash" if self.slash else "")


def every_way() -> Iterator[Flags]:
    """Every access with every set of further flags, with and without a slash."""
    for access, slash in itertools.product(ACCESS, (False, True)):
        for count in range(len(FLAGS) + 1):
            for further in itertools.combinations(FLAGS, count):
                yield Flags((access, *further), slash)


def some_ways() -> Iterator[Flags]:
    """Those with no further flag, with each of them alone, and with each of them beside O_CREAT."""
    return (flags for flags in every_way() if len(flags.names) <= 2 + ("O_CREAT" in flags.names))


# ---------------------------------------------------------------- what comes of it


def outcome(path: str, flags: int) -> tuple[object, ...]:
    """What open(2) gives: an errno, or what the descriptor is of, says of itself, reads and writes."""
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        return (errno.errorcode[error.errno or 0],)
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        kept = fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_APPEND | os.O_PATH | os.O_SYNC)
        size = os.fstat(descriptor).st_size if stat.S_ISREG(kind) else 0
        return (stat.filemode(kind)[0], size, oct(kept), _read(descriptor), _written(descriptor))
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> str:
    with mmap.mmap(-1, PAGE) as page:
        try:
            count = os.readv(descriptor, [page])
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return f"{count} of {page[:1]!r}"


def _written(descriptor: int) -> str:
    with mmap.mmap(-1, PAGE) as page:
        page[:] = b"W" * PAGE
        try:
            return str(os.writev(descriptor, [page]))
        except OSError as error:
            return errno.errorcode[error.errno or 0]


def tree(folder: Path, *, with_content: bool = True) -> dict[str, str]:
    """What is in the folder: what each is, how long, and the first byte of each of its pages."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                found[entry.name] = "folder"
            else:
                found[entry.name] = f"{entry.stat().st_size}"
                if with_content:
                    with open(entry.path, "rb") as file:
                        found[entry.name] += f" {file.read()[::PAGE]!r}"
    return found


# ---------------------------------------------------------------- targets

STOCK: Final = {"file": b"F" * PAGE, "empty": b"", "secret": b"S" * PAGE}
"""Files by name; beside them stands a folder."""


def _named(name: str) -> State:
    @contextlib.contextmanager
    def state(folder: Path, links: Path) -> Iterator[str]:
        yield str(folder / name)

    return state


def _linked(name: str) -> State:
    @contextlib.contextmanager
    def state(folder: Path, links: Path) -> Iterator[str]:
        link = links / f"{folder.name}-{name}"
        if not link.is_symlink():
            link.symlink_to(folder / name)
        yield str(link)

    return state


@contextlib.contextmanager
def _open_elsewhere(folder: Path, links: Path) -> Iterator[str]:
    descriptor = os.open(folder / "file", os.O_RDWR)
    try:
        os.pwrite(descriptor, b"F", 0)
        yield str(folder / "file")
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _unlinked(folder: Path, links: Path) -> Iterator[str]:
    descriptor = os.open(folder / "file", os.O_RDWR)
    try:
        os.unlink(folder / "file")
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


NAMED: Final[dict[str, State]] = {
    "absent": _named("absent"),
    "a file": _named("file"),
    "an empty file": _named("empty"),
    "a folder": _named("folder"),
    "a link to a file": _linked("file"),
    "a link to an empty file": _linked("empty"),
    "a link to a folder": _linked("folder"),
    "a dangling link": _linked("absent"),
}
STATES: Final[dict[str, State]] = {
    **NAMED,
    "a file that is open elsewhere": _open_elsewhere,
    "a file that is open and unlinked": _unlinked,
}
"""Each gives the path of the target, in a folder that is stocked; links stand in a folder of their own."""

OF_OTHERS: Final = {
    "absent, in a folder of others": _named("absent"),
    "a file to read only": _named("file"),
    "a file to write only": _named("secret"),
    "a folder of others": _named("folder"),
}
"""For a user who may not do everything."""


class Ground:
    """A folder in which targets stand, and are put right whenever an open has changed one; links stand in another."""

    def __init__(self, folder: Path, links: Path) -> None:
        self._folder = folder
        self._links = links
        self._put_right()
        self._stocked = tree(folder, with_content=False)

    def open(
        self, state: State, flags: Flags, outcome_of: Callable[[str, int], tuple[object, ...]] = outcome
    ) -> tuple[object, ...]:
        """What comes of it: the outcome, and the folder afterwards."""
        with state(self._folder, self._links) as path:
            found = outcome_of(path + "/" * flags.slash, flags.bits)
        is_written = str(found[-1]).isdecimal()
        after = tree(self._folder, with_content=is_written)
        if is_written or after != self._stocked:
            self._put_right()
        return (*found, after)

    def _put_right(self) -> None:
        for path in self._folder.iterdir():
            if path.name not in {*STOCK, "folder"}:
                path.unlink()
        (self._folder / "folder").mkdir(exist_ok=True)
        for name, content in STOCK.items():
            path = self._folder / name
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
                path.chmod(0o622 if name == "secret" else 0o644)
