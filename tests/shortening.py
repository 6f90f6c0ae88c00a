"""The shortest part of a list of deeds that still leads to the same end, found by leaving out and trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRIALS_MAX: Final = 300

T = TypeVar("T")


def shortened(deeds: Sequence[T], leads_there: Callable[[list[T]], bool], *, trials_max: int = TRIALS_MAX) -> list[T]:
    """Halves are left out, then quarters, down to single ones, from the end on; after so many trials it ends."""
    left, size, trials = list(deeds), max(1, len(deeds) // 2), 0
    while size:
        for at in range(len(left) - size, -size, -size):
            if trials == trials_max:
                return left
            less = left[: max(0, at)] + left[at + size :]
            trials += 1
            if leads_there(less):
                left = less
        size //= 2
    return left
