"""Several programs at a time in a mount, and as many in a folder of this machine: each sees the same in both.

What they see of each other's doings at the same moment may be in any order; `tests/history` looks at that.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.conformance.recording import record
from tests.differential.sides import Sides, beside
from tests.differential.stories import MEETING, PROGRAMS, crowds
from tests.mounting import Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.differential.steps import Story
    from tests.mounting import Account

TINY: Final = ("--cache-size", "1M")
CHAPTER: Final = "calls by chance, several programs at a time"
LIFE_S: Final = 7_200.0


@pytest.fixture
def sides(own_account: Account, tmp_path: Path, local: Path) -> Iterator[Sides]:
    """Both, with several programs in each."""
    with (
        Mount(own_account, tmp_path / "home", *TINY, life_s=LIFE_S) as mount,
        beside(mount, local, programs=PROGRAMS) as sides,
    ):
        yield sides


def lived_through(sides: Sides, *, crowds_max: int, steps_max: int, number: int) -> None:
    """So many crowds; in the end another daemon shows what they left."""
    numbers = count()

    @seed(number)
    @given(stories=crowds(steps_max))
    @settings(
        max_examples=crowds_max,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def each(stories: list[Story]) -> None:
        folder = f"crowd-{next(numbers)}"

        assert sides.differences(MEETING, folder=folder) == []
        assert sides.differences(*stories, folder=folder) == []

    each()
    sides.remount()

    assert sides.tree_differences(*sides.folders) == []


def test_several_programs_at_a_time_see_what_they_see_in_a_local_folder(sides: Sides) -> None:
    """A few crowds."""
    lived_through(sides, crowds_max=6, steps_max=20, number=1)


@pytest.mark.long
def test_many_crowds_of_programs_see_what_they_see_in_a_local_folder(
    sides: Sides, record_property: Callable[[str, object], None]
) -> None:
    """As above, longer, and more of them."""
    lived_through(sides, crowds_max=200, steps_max=60, number=2)
    record(record_property, sides.row(CHAPTER))
