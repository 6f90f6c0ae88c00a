"""A share of the processor that a process cannot exceed, by a control group (of either version). Needs root.

On a machine of two cores a server, its database and its client are in each other's way before two servers are. Held
to a part of a core each, they are not: then what two bring over one says whether servers hinder each other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_GROUPS: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 20_000
"""Short, so that a request waits for the next period and not for a tenth of a second."""


class Budget:
    """`with Budget(0.2) as budget: budget.hold(pid)`: its threads have a fifth of a core together, until the end.

    Raises OSError where there are no control groups or this is not root.
    """

    def __init__(self, cores: float) -> None:
        self._is_new = (_GROUPS / "cgroup.controllers").exists()
        self._top = _GROUPS if self._is_new else _GROUPS / "cpu"
        self._group = self._top / f"cxfs-capacity-{os.getpid()}-{id(self)}"
        self._quota_us = round(cores * _PERIOD_US)
        self._held: list[int] = []

    def __enter__(self) -> Self:
        if self._is_new:
            (_GROUPS / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
        self._group.mkdir()
        if self._is_new:
            self._tell("cpu.max", f"{self._quota_us} {_PERIOD_US}")
        else:
            self._tell("cpu.cfs_period_us", str(_PERIOD_US))
            self._tell("cpu.cfs_quota_us", str(self._quota_us))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self._held:
            (self._top / "cgroup.procs").write_text(str(pid), encoding="ascii")
        self._group.rmdir()

    def hold(self, pid: int) -> None:
        """This process, which lives until the block ends."""
        self._tell("cgroup.procs", str(pid))
        self._held.append(pid)

    def _tell(self, file: str, what: str) -> None:
        (self._group / file).write_text(what, encoding="ascii")
