"""A person at a terminal with a home of their own: types `cxfs …` and reads what it says."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cxfs.cli import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COMMAND_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that an error is."""
        assert "Traceback" not in self.err, self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("cxfs: ")
        return lines[0]

    @property
    def lines(self) -> list[str]:
        """What it printed, when all was well."""
        assert self.status == 0, self.err
        return self.out.splitlines()


class Terminal:
    """Commands run in `home`, which is empty, with nothing of the environment of the tests."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **(environment or {})}

    def cxfs(self, *arguments: str | Path) -> Said:
        """`cxfs` with these arguments."""
        return self.python("from cxfs.cli import main; main()", *arguments)

    def python(self, program: str, *arguments: str | Path) -> Said:
        """A Python program in the same surroundings."""
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def but(self, **environment: str) -> Self:
        """The same one with further variables."""
        return type(self)(self.home, {**self.environment, **environment})

    def configure(self, text: str) -> Path:
        """Writes the configuration file to where it is looked for."""
        file = self.home / ".config/cxfs/config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file


class QuickTerminal(Terminal):
    """The same in this process, which spares each command the start of a Python: for what starts no daemon."""

    def cxfs(self, *arguments: str | Path) -> Said:
        """`cxfs` with these arguments."""
        out, err = io.StringIO(), io.StringIO()
        with self._at_home(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run([str(each) for each in arguments])
        return Said(status, out.getvalue(), err.getvalue())

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            with contextlib.chdir(self.home):
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)
