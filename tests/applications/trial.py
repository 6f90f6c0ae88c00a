"""One application at work in a mount: its home is made, it runs, and what it wrote is looked at from everywhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pexpect

from tests.mounting import checksum, wait_until

if TYPE_CHECKING:
    import subprocess

    from tests.applications.application import Application
    from tests.mounting import Mount

SCREEN_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Trial:
    """An application, small or in full, in a folder of a mount, with a home of its own on the local disk."""

    application: Application
    mount: Mount
    folder: str
    home: Path
    full: bool

    def prepare(self) -> None:
        """Makes its home; what it saves is at the server then, and the mount has seen it."""
        done = self._shell(self.mount, self.application.prepare, self.home)
        assert done.returncode == 0, done.stderr
        if saved := self.application.saves:
            self.mount.account.put(f"/{self.folder}/{saved}", (self.home / saved).read_bytes())
            seen = self.mount.path / self.folder / saved
            wait_until(seen.exists)  # it hears of it
            assert seen.read_bytes() == (self.home / saved).read_bytes()

    def run(self) -> subprocess.CompletedProcess[str]:
        """How it ended, with all that it said as its output."""
        command = self.application.at(self.application.command, full=self.full)
        if self.application.keys:
            self._type(command)
            command = ":"
        return self._shell(self.mount, f"exec 2>&1\n{command}", self.mount.path / self.folder)

    def check(self, mount: Mount) -> None:
        """Fails where what must hold does not, as this mount shows it."""
        done = self._shell(mount, f"set -x\n{self.application.check}", mount.path / self.folder)
        assert done.returncode == 0, f"{self.application.holds}: not so\n{done.stderr}"

    def sync(self) -> None:
        """The server has all that it wrote."""
        self.mount.run("setfattr", "-n", "user.cx.sync", self.mount.path / self.folder)

    def shown(self, mount: Mount) -> dict[str, str]:
        """What stands in its folder, as this mount shows it."""
        return shown_in(mount.path / self.folder)

    def _shell(self, mount: Mount, text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        words = (f"{name}={value}" for name, value in self._environment.items())
        return mount.attempt("env", *words, "sh", "-euc", self.application.at(text, full=self.full), cwd=cwd)

    def _type(self, command: str) -> None:
        with pexpect.spawn(
            "sh", ["-euc", command], cwd=str(self.mount.path / self.folder), timeout=SCREEN_TIMEOUT_S,
            env=self.mount.environment | self._environment, dimensions=(24, 80), encoding="utf-8",
        ) as screen:  # fmt: skip
            for seen, typed in self.application.keys:
                screen.expect_exact(seen)
                screen.send(typed)
            screen.expect(pexpect.EOF)
            screen.wait()
        assert screen.exitstatus == 0, f"{command} ended with {screen.exitstatus}: {screen.before}"

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}:{self.mount.environment['PATH']}",
            "TERM": "vt100",
        }


def shown_in(folder: Path) -> dict[str, str]:
    """Every path below a folder: `folder`, `-> TARGET` for a link, or the checksum of its content."""
    try:
        return {path.relative_to(folder).as_posix(): _what_is(path) for path in sorted(folder.rglob("*"))}
    except FileNotFoundError:  # another machine hears of a folder's deletion while it looks through it
        return {".": "changes"}


def _what_is(path: Path) -> str:
    try:
        if path.is_symlink():
            return f"-> {path.readlink()}"
        return "folder" if path.is_dir() else checksum(path.read_bytes())
    except FileNotFoundError:  # another machine hears of a deletion between the listing and the look
        return "gone by now"
