"""The order of all that is on its way, and who is told when something need not wait any longer. Knows no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Uuid
    from cxfs.core.order import Step


class Steps:
    """One mount's. Plain bookkeeping: no call here awaits."""

    def __init__(self) -> None:
        self._order = Order()
        self._tell: list[Callable[[str], None]] = []

    def tell(self, on_free: Callable[[str], None]) -> None:
        """From now on it is called with the id of each step that need not wait any longer."""
        self._tell.append(on_free)

    def add(self, step: Step) -> None:
        """Accepted, or elsewhere from now on."""
        self._order.add(step)

    def over(self, step: Step) -> None:
        """Done, or taken back: what waited for it, and for nothing else, is free."""
        self._order.discard(step.id)
        for behind in self._order.behind(step):
            if not self._order.is_waiting(behind.id):
                for on_free in self._tell:
                    on_free(behind.id)

    def is_waiting(self, step_id: str) -> bool:
        """Whether anything has to come before it."""
        return self._order.is_waiting(step_id)

    def lead_into(self, folder: Uuid) -> bool:
        """Whether anything is on its way into, or out of, this folder, or the folder itself is."""
        return self._order.lead_into(folder)
