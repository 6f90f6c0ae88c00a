"""What became of each mutant, as mutmut wrote it down: which survived, and what was changed in it. Runs nothing."""

from __future__ import annotations

import ast
import difflib
import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".meta"
CLASS_MARK: Final = "ǁ"
ORIGINAL: Final = "orig"


class Outcome(Enum):
    """Of the tests on one mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    UNTESTED = "no test comes by"
    UNKNOWN = "not tried"


BY_STATUS: Final = {
    **dict.fromkeys((1, 3, -11, -9), Outcome.KILLED),
    **dict.fromkeys((-24, 24, 36, 152, 255), Outcome.TIMED_OUT),
    0: Outcome.SURVIVED,
    **dict.fromkeys((5, 33), Outcome.UNTESTED),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One function with one change. `where` is `core/pace.py Pace.begins`; the line `was` so and reads `line` now.

    Both are empty for one that was noticed: nobody asks. `key` is mutmut's own name for it.
    """

    module: str
    where: str
    was: str
    line: str
    outcome: Outcome
    key: str = field(default="", compare=False)

    @property
    def is_noticed(self) -> bool:
        """Whether a test failed, or did not come to its end."""
        return self.outcome in {Outcome.KILLED, Outcome.TIMED_OUT}


def mutants_below(folder: Path) -> list[Mutant]:
    """All that mutmut has made in its copy of the package `cxfs`, in the order of modules and lines."""
    files = sorted(file for file in folder.rglob(f"*{SUFFIX}"))
    return [mutant for file in files for mutant in _mutants_in(file, folder)]


def _mutants_in(file: Path, folder: Path) -> Iterator[Mutant]:
    module = str(file.relative_to(folder)).removesuffix(SUFFIX)
    statuses = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    functions = _functions(file.with_suffix("")) if statuses else {}
    for key, status in statuses.items():
        name = key.rpartition(".")[2]
        outcome = Outcome.UNKNOWN if status is None else BY_STATUS.get(status, Outcome.UNKNOWN)
        is_noticed = outcome in {Outcome.KILLED, Outcome.TIMED_OUT}
        base = name.rpartition("__mutmut_")[0]
        was, line = ("", "") if is_noticed else _changed(functions[f"{base}__mutmut_{ORIGINAL}"], functions[name])
        yield Mutant(module, f"{module} {_spoken(base)}", was, line, outcome, key)


def _spoken(name: str) -> str:
    """`Pace.begins` of `xǁPaceǁbegins`, `escape` of `x_escape`."""
    return name.removeprefix("x").strip(CLASS_MARK).replace(CLASS_MARK, ".") if CLASS_MARK in name else name[2:]


def _functions(file: Path) -> dict[str, str]:
    """Every function in the file, and in its classes, as Python prints it without its docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            name, node.name, node.body = node.name, "_", body or node.body
            found[name] = ast.unparse(node)
    return found


def _changed(before: str, after: str) -> tuple[str, str]:
    """The line, or lines, that only the one and only the other has."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    removed, added = ([line[2:].strip() for line in lines if line.startswith(mark)] for mark in ("- ", "+ "))
    return "; ".join(removed), "; ".join(added)
