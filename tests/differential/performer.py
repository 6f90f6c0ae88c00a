"""A program that does steps in a folder and says what came of each; in the mount, and by `law` in a local folder.

Run as `python -m tests.differential.performer FOLDER mount|local`. Each line of its input is a command with its
argument, in JSON; each gets a line. It is a process of its own, so that a mount that hangs takes no test along.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, Final

from tests.differential.descriptors import Descriptors, Idle
from tests.differential.steps import Step, parsed
from tests.differential.told import summary, told

RENAMES: Final = {"RENAME_NOREPLACE": 1, "RENAME_EXCHANGE": 2}
XATTRS: Final = tuple(f"user.{name}" for name in ("a", "b", "long" * 30, "caf\u00e9", "a.b"))
LOG: Final = "log"
"""Whose lines come in any order."""
LINE_BYTES: Final = 40
AT_FDCWD: Final = -100
LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


class Performer:
    """Does steps in one folder after the other. What comes of a step is a few words, or the name of an errno."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._folder = top
        self._count = 0
        self._descriptors = self.descriptors()

    def descriptors(self) -> Descriptors:
        """Those of a story."""
        return Descriptors()

    def begin(self, folder: str) -> None:
        """The next story, or the next part of one, below this folder: there is one above, too, that is the story's."""
        self._folder = self._top / folder / "here"
        self._folder.mkdir(parents=True, exist_ok=True)

    def end(self) -> None:
        """Closes what is open."""
        self._descriptors.close_all()

    def perform(self, step: Step) -> str:
        """One step."""
        self._count += 1
        deed = getattr(self, f"_{step.what}", None) or getattr(self._descriptors, step.what)
        try:
            return self.said(step, deed)
        except Idle:
            return "nothing to do it with"
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    def said(self, step: Step, deed: Any) -> str:
        """What came of it."""
        found = (
            deed(step, self.content(step)) if step.what in {"write", "pwrite", "store", "save", "map"} else deed(step)
        )
        return "done" if found is None else str(found)

    def content(self, step: Step) -> bytes:
        """What this step of the story writes: nothing that another one writes."""
        return (f"{self._count:>7} ".encode() * (step.size // 8 + 1))[: step.size]

    def at(self, path: str) -> str:
        """Where that is: joined as text, since slashes at the end of a path mean something."""
        return f"{self._folder}/{path}"

    # ------------------------------------------------------------ descriptors

    def _open(self, step: Step) -> None:
        self._descriptors.add(self.opened(step))

    def opened(self, step: Step) -> int:
        """A new descriptor."""
        flags = 0
        for name in step.flags:
            flags |= getattr(os, name)
        return os.open(self.at(step.path), flags, step.mode)

    def _is_same(self, step: Step) -> bool:
        """Whether the name is that of the open file."""
        return os.path.samestat(os.fstat(self._descriptors.chosen(step.slot)), os.stat(self.at(step.path)))

    # ------------------------------------------------------------ names

    def _mkdir(self, step: Step) -> None:
        os.mkdir(self.at(step.path), step.mode)

    def _rmdir(self, step: Step) -> None:
        os.rmdir(self.at(step.path))

    def _unlink(self, step: Step) -> None:
        os.unlink(self.at(step.path))

    def _rename(self, step: Step) -> None:
        flags = sum(RENAMES[name] for name in step.flags)
        before, after = os.fsencode(self.at(step.path)), os.fsencode(self.at(step.to))
        if LIBRARY.renameat2(AT_FDCWD, before, AT_FDCWD, after, flags) == -1:
            raise OSError(ctypes.get_errno(), "renameat2")

    def _link(self, step: Step) -> None:
        os.link(self.at(step.path), self.at(step.to), follow_symlinks=False)

    def _symlink(self, step: Step) -> None:
        os.symlink(step.to, self.at(step.path))

    def _readlink(self, step: Step) -> str:
        return os.readlink(self.at(step.path))

    def _list(self, step: Step) -> list[str]:
        return sorted(os.listdir(self.at(step.path)))

    # ------------------------------------------------------------ attributes

    def _stat(self, step: Step) -> str:
        return told(os.stat(self.at(step.path)))

    def _lstat(self, step: Step) -> str:
        return told(os.lstat(self.at(step.path)))

    def _access(self, step: Step) -> bool:
        return os.access(self.at(step.path), os.R_OK | os.W_OK)

    def _chmod(self, step: Step) -> None:
        os.chmod(self.at(step.path), step.mode)

    def _utimens(self, step: Step) -> None:
        os.utime(self.at(step.path), ns=(step.when_ns, step.when_ns), follow_symlinks=not step.flags)

    def _setxattr(self, step: Step) -> None:
        os.setxattr(self.at(step.path), XATTRS[step.slot], b"%d" % step.when_ns)

    def _getxattr(self, step: Step) -> bytes:
        return os.getxattr(self.at(step.path), XATTRS[step.slot])

    def _removexattr(self, step: Step) -> None:
        os.removexattr(self.at(step.path), XATTRS[step.slot])

    def _listxattr(self, step: Step) -> list[str]:
        return sorted(name for name in os.listxattr(self.at(step.path)) if name.startswith("user."))

    def _truncate(self, step: Step) -> None:
        os.truncate(self.at(step.path), step.size)

    # ------------------------------------------------------------ whole files

    def _load(self, step: Step) -> str:
        with open(self.at(step.path), "rb") as file:
            return summary(file.read())

    def _store(self, step: Step, content: bytes) -> None:
        with open(self.at(step.path), "wb") as file:
            file.write(content)

    def _save(self, step: Step, content: bytes) -> None:
        """As an editor does."""
        aside = self.at(f"{step.path}.tmp")
        with open(aside, "wb") as file:
            file.write(content)
        os.rename(aside, self.at(step.path))

    # ------------------------------------------------------------ among others

    def _note(self, step: Step) -> None:
        """A line at the end of a log that others write to as well."""
        with open(self.at(step.path), "ab", buffering=0) as file:
            file.write(f"{step.to:<{LINE_BYTES - 1}}\n".encode())

    def _claim(self, step: Step) -> None:
        """One of all who try makes the file, and notes it in the log `to`."""
        try:
            os.close(os.open(self.at(step.path), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return
        self._note(Step("note", step.to, to=step.path))

    def _count_up(self, step: Step) -> None:
        """In turn: whoever has the lock reads the number, and writes the next one."""
        with open(self.at(step.path), "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            number = int(file.read() or b"0")
            file.seek(0)
            file.write(b"%d" % (number + 1))

    # ------------------------------------------------------------ in between

    def _settle(self, step: Step) -> None:
        """All at the path and below it is at the server, and nothing waits any more."""
        os.setxattr(self.at(step.path), "user.cx.sync", b"now")

    def _forget(self, step: Step) -> None:
        """The system drops its pages of what is in the folder; `step` names nothing."""
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if os.path.islink(f"{folder}/{name}"):
                    continue
                descriptor = os.open(f"{folder}/{name}", os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)

    def tree(self, folder: str) -> dict[str, str]:
        """All below a story's folder: what `lstat` tells, and what is in it."""
        found = {}
        top = self._top / folder
        for path in sorted([top, *top.rglob("*")]):
            status = path.lstat()
            is_file = stat.S_ISREG(status.st_mode)
            content = path.read_bytes() if is_file else b""
            if path.name == LOG:
                content = b"".join(sorted(content.splitlines(keepends=True)))
            held = f" holds {summary(content)}" if is_file else ""
            held += f" to {os.readlink(path)}" if path.is_symlink() else _attributes(path)
            found[path.relative_to(top).as_posix()] = told(status) + held
        return found


def _attributes(path: Path) -> str:
    names = [name for name in sorted(os.listxattr(path)) if name.startswith("user.")]
    return "".join(f" {name}={os.getxattr(path, name)!r}" for name in names)


def main(top: str, side: str) -> None:
    """Serves until its input ends."""
    from tests.differential.law import Lawful

    os.umask(0o022)
    performer = (Lawful if side == "local" else Performer)(Path(top))
    for line in sys.stdin:
        command, argument = json.loads(line)
        match command:
            case "perform":
                answer: Any = [performer.perform(step) for step in parsed(argument)]
            case "tree" | "begin":
                answer = getattr(performer, command)(argument)
            case _:
                answer = getattr(performer, command)()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
