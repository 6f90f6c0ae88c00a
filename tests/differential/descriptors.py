"""What a program does with descriptors: a few that are open at a time, of which each step chooses one."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import stat
from typing import TYPE_CHECKING, Final

from tests.differential.told import summary, told

if TYPE_CHECKING:
    from tests.differential.steps import Step

OPEN_MAX: Final = 5
LIBRARY: Final = ctypes.CDLL(None, use_errno=True)
FALLOCATE: Final = {"FALLOC_FL_KEEP_SIZE": 1, "FALLOC_FL_PUNCH_HOLE": 2, "FALLOC_FL_ZERO_RANGE": 16}


class Idle(Exception):
    """Nothing is open, or nothing is there to be mapped."""


class Descriptors:
    """Those of one program. A step's `slot`, and `other` where it takes two, chooses among those that are open."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def add(self, descriptor: int) -> None:
        """One more; past a few the oldest is closed."""
        self._open.append(descriptor)
        if len(self._open) > OPEN_MAX:
            os.close(self._open.pop(0))

    def chosen(self, slot: int) -> int:
        """Raises Idle."""
        if not self._open:
            raise Idle
        return self._open[slot % len(self._open)]

    def _open_file(self, step: Step) -> tuple[int, int]:
        """A file with its size; raises Idle for a folder."""
        descriptor = self.chosen(step.slot)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise Idle
        return descriptor, status.st_size

    def close_all(self) -> None:
        """None is left."""
        while self._open:
            os.close(self._open.pop())

    # ------------------------------------------------------------ the descriptor itself

    def close(self, step: Step) -> None:
        """Of this one descriptor."""
        descriptor = self.chosen(step.slot)
        self._open.remove(descriptor)
        os.close(descriptor)

    def dup(self, step: Step) -> None:
        """Another one of the same open file."""
        self.add(os.dup(self.chosen(step.slot)))

    def seek(self, step: Step) -> int:
        """`flags` names the whence. Where one may stand in a folder, each file system decides for itself."""
        descriptor, _ = self._open_file(step)
        return os.lseek(descriptor, step.at, getattr(os, step.flags[0]))

    def fstat(self, step: Step) -> str:
        """Also of a file that has lost its name."""
        return told(os.fstat(self.chosen(step.slot)))

    def fchmod(self, step: Step) -> None:
        """By descriptor."""
        os.fchmod(self.chosen(step.slot), step.mode)

    def futimens(self, step: Step) -> None:
        """By descriptor."""
        os.utime(self.chosen(step.slot), ns=(step.when_ns, step.when_ns))

    def entries(self, step: Step) -> list[str]:
        """Of an open folder, from its beginning."""
        descriptor = self.chosen(step.slot)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.lseek(descriptor, 0, os.SEEK_SET)
        return sorted(os.listdir(descriptor))  # noqa: PTH208 - of a descriptor

    # ------------------------------------------------------------ content

    def read(self, step: Step) -> str:
        """From where it stands."""
        return summary(os.read(self.chosen(step.slot), step.size))

    def pread(self, step: Step) -> str:
        """From a place."""
        return summary(os.pread(self.chosen(step.slot), step.size, step.at))

    def write(self, step: Step, content: bytes) -> int:
        """Where it stands."""
        return os.write(self.chosen(step.slot), content)

    def pwrite(self, step: Step, content: bytes) -> int:
        """At a place."""
        return os.pwrite(self.chosen(step.slot), content, step.at)

    def ftruncate(self, step: Step) -> None:
        """Shorter or longer."""
        os.ftruncate(self.chosen(step.slot), step.size)

    def fsync(self, step: Step) -> None:
        """Nothing that can be seen."""
        os.fsync(self.chosen(step.slot))

    def fdatasync(self, step: Step) -> None:
        """Nothing that can be seen."""
        os.fdatasync(self.chosen(step.slot))

    def copy_range(self, step: Step) -> int:
        """From one place to another, within the system."""
        source, target = self.chosen(step.slot), self.chosen(step.other)
        if os.path.samestat(os.fstat(source), os.fstat(target)) and step.size > 4096:
            raise Idle  # overlapping ranges are refused, which depends on the file's size
        return os.copy_file_range(source, target, step.size, 0, step.at)

    def fallocate(self, step: Step) -> None:
        """As the system has it: `flags` are its mode."""
        mode = sum(FALLOCATE[name] for name in step.flags)
        descriptor = self.chosen(step.slot)
        if LIBRARY.fallocate64(descriptor, mode, ctypes.c_int64(step.at), ctypes.c_int64(step.size)) == -1:
            raise OSError(ctypes.get_errno(), "fallocate")

    def posix_fallocate(self, step: Step) -> None:
        """As the library has it, which writes where the system has none: it has to read as well, then."""
        descriptor = self.chosen(step.slot)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        if flags & os.O_ACCMODE != os.O_RDWR or flags & (os.O_APPEND | os.O_PATH):
            raise Idle
        os.posix_fallocate(descriptor, step.at, step.size)
        os.utime(descriptor)  # writing moves the time of the file, and reserving room does not

    # ------------------------------------------------------------ maps

    def map(self, step: Step, content: bytes) -> str:
        """A shared map (or, by `flags`, a private one): written, read, and its writes are in the file."""
        descriptor, size = self._open_file(step)
        if not content or not size:
            raise Idle
        flags = mmap.MAP_PRIVATE if step.flags else mmap.MAP_SHARED
        with mapped(descriptor, size, flags) as pages:
            place = step.at % size
            pages[place : place + len(content)] = content[: size - place]
            pages.flush()
            seen = summary(pages[:])
        os.utime(descriptor)  # when a write to a map moves the time, the system is free to choose
        return f"{seen} and the file {summary(os.pread(descriptor, size, 0))}"

    def look(self, step: Step) -> str:
        """A map to read."""
        descriptor, size = self._open_file(step)
        if not size:
            raise Idle
        with mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ) as pages:
            return summary(pages[:])


def mapped(descriptor: int, size: int, flags: int) -> mmap.mmap:
    """To read and to write. Python tells of some refusals otherwise than the system."""
    try:
        return mmap.mmap(descriptor, size, flags, mmap.PROT_READ | mmap.PROT_WRITE)
    except ValueError as error:
        raise OSError(errno.EINVAL, "mmap") from error
