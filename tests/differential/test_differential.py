"""The same calls in a mount and in a folder of this machine: results, errors and what is left are the same."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings

from tests.differential.sides import Sides, beside
from tests.differential.steps import Step, Story
from tests.differential.stories import stories
from tests.mounting import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mounting import Account

LIFE_S: Final = 3_600.0


@pytest.fixture
def local() -> Iterator[Path]:
    """A folder in memory."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="cxfs-test-") as folder:
        yield Path(folder)


@pytest.fixture
def sides(own_account: Account, tmp_path: Path, local: Path) -> Iterator[Sides]:
    """Both, with a mount as it comes."""
    with Mount(own_account, tmp_path / "home", life_s=LIFE_S) as mount, beside(mount, local) as sides:
        yield sides


CASES: Final[dict[str, Story]] = {}


def test_x(sides: Sides) -> None:
    count = int(os.environ.get("COUNT", "20"))

    @given(story=stories(40, remounts=False))
    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    def each(story: Story) -> None:
        assert sides.differences(story) == []

    each()
    print(sides.steps, len(sides.stories))
