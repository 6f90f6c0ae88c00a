"""Changes that mutmut does not make, of tables, constants and properties: each with the tests that have to notice it.

Run as a program (`python -m tests.mutation.canaries`) it says of each, as a line of JSON, how the tests ended.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import hypothesis.strategies  # noqa: F401 - loaded once, for all
import pytest
import trio.testing  # noqa: F401 - the same

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class Canary(NamedTuple):
    """`was` stands once in the module; the tests of that module have to fail when `is_now` stands there."""

    module: str
    was: str
    is_now: str


CANARIES: Final = (
    Canary("uploads", "(State.SEALED, Event.WRITTEN): State.OVERTAKEN", "(State.SEALED, Event.WRITTEN): State.SEALED"),
    Canary("connection", "(State.OFFLINE, Event.HEARD): State.DEGRADED", "(State.OFFLINE, Event.HEARD): State.ONLINE"),
    Canary("ranges", 'f"bytes={self.start}-{self.stop - 1}"', 'f"bytes={self.start}-{self.stop}"'),
    Canary("names", r'rf"[/\0]|\A%', r'rf"[/]|\A%'),
    Canary("entries", '"/" not in self and "\\0" not in self and _NOT', '"/" not in self and _NOT'),
    Canary("pace", "return max(believed, UNKNOWN_BYTES", "return min(believed, UNKNOWN_BYTES"),
    Canary("readahead", "2 * self.carried_bytes))", "self.carried_bytes))"),
    Canary("whole_folders", "return self.is_brought and not self.has_paid", "return self.is_brought"),
    Canary("interrupts", "        Signals.SIGWINCH,\n", ""),
    Canary("order", "if earlier.kind is Kind.STAMP:", "if earlier.kind is Kind.MAKE:"),
)

UNCHANGED: Final = Canary("ranges", "", "")
"""Its tests have to pass, or nothing is said by the failure of the others."""

TESTS: Final = "tests/core/test_{}.py"


class _Altered(SourceFileLoader):
    """Loads the changed source, and no bytecode that may have been kept of the other."""

    def __init__(self, fullname: str, path: str, canary: Canary) -> None:
        super().__init__(fullname, path)
        self._canary = canary

    def get_data(self, path: str) -> bytes:
        return super().get_data(path).decode().replace(self._canary.was, self._canary.is_now, 1).encode()

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError


class _Finder(MetaPathFinder):
    def __init__(self, canary: Canary) -> None:
        self._canary = canary

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != f"cxfs.core.{self._canary.module}" or not path:
            return None
        file = str(Path(path[0], f"{self._canary.module}.py"))
        return importlib.util.spec_from_file_location(fullname, file, loader=_Altered(fullname, file, self._canary))


def status_with(canary: Canary) -> int:
    """How the tests of the module end, in a process of their own: 0 when all pass, 1 when one fails."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BaseException):
        sys.meta_path.insert(0, _Finder(canary))
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for a short life
        flags = ("-x", "-q", "--noconftest", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0")
        os._exit(int(pytest.main([*flags, TESTS.format(canary.module)])))
    os._exit(99)


if __name__ == "__main__":
    for each in (UNCHANGED, *CANARIES):
        sys.stdout.write(json.dumps([each.module, each.was, status_with(each)]) + "\n")
        sys.stdout.flush()
