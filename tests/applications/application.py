"""One row of the matrix: a program, what somebody types, and what must hold afterwards. Runs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Application:
    """What a shell is told: `prepare` in an empty home on the local disk, the rest in an empty folder of the mount.

    `command` is what the row is about; `check` succeeds where what `holds` says does hold, and changes nothing.
    At an application that asks, `keys` are what waits on the screen and what is typed then. `saves` names a file of
    the home that is at the server beforehand, and of which the command makes exactly one new version.

    `{name}` of `sizes` stands for a number in all of them, small in `make test` and large in `make applications`.
    `is_large` keeps a program that takes long to install or to start out of `make test`.

    Where no mount could do it, `refusal` is a part of what the program says then, and `remark` tells the reason.
    """

    name: str
    program: str
    package: str
    command: str
    holds: str
    check: str
    prepare: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    saves: str = ""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    is_large: bool = False
    refusal: str = ""
    remark: str = ""

    def at(self, text: str, *, full: bool) -> str:
        """One of its texts with the numbers for their names."""
        for name, (small, large) in self.sizes.items():
            text = text.replace("{" + name + "}", str(large if full else small))
        return text
