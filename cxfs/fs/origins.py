"""From where files at the server were last renamed. It outlives their nodes, which the kernel may forget any time."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cxfs.core.entries import Uuid
    from cxfs.fs.node import Node

KEPT_MAX: Final = 256
"""Renames that are remembered: whoever sets a file aside to write it anew soon comes back to it."""


class Origins:
    """Those of one mount."""

    def __init__(self) -> None:
        self._places: OrderedDict[Uuid, tuple[Node, str]] = OrderedDict()

    def note(self, file: Uuid, folder: Node, shown: str) -> None:
        """It had this name in that folder until now."""
        self._places[file] = folder, shown
        self._places.move_to_end(file)
        if len(self._places) > KEPT_MAX:
            self._places.popitem(last=False)

    def of(self, file: Uuid) -> tuple[Node, str] | None:
        """Folder and name; None where that is not known, or no longer."""
        return self._places.get(file)
