"""Another user, who makes calls: a process of that user's, which does what it is told and answers with the outcome."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

NOBODY: Final = 65534

P = ParamSpec("P")
T = TypeVar("T")

_PROGRAM: Final = """
import os, pickle, sys
from tests.mounted.chapters import calls, matrix  # all that it will need: it may be unable to read them later

user = int(sys.argv[1])
os.setgroups([]), os.setgid(user), os.setuid(user), os.umask(0o022)
with os.fdopen(os.dup(0), "rb") as asked, os.fdopen(os.dup(1), "wb") as answers:
    while True:
        try:
            call, arguments, keywords = pickle.load(asked)
        except EOFError:
            break
        try:
            answer = call(*arguments, **keywords)
        except OSError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()
"""


class Person:
    """Somebody with no rights but the user's own: `person(os.mkdir, path)` does it as that user.

    What is called must have a name in a module, and what it takes and gives must be data. OSErrors come back.
    """

    def __init__(self, user: int) -> None:
        self.user = user
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(user)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def __call__(self, call: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs) -> T:
        """What the call gives, or fails with, when this user makes it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((call, arguments, keywords), self._process.stdin)
        self._process.stdin.flush()
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, OSError):
            raise answer
        return answer  # type: ignore[no-any-return]  # it comes from the same call
