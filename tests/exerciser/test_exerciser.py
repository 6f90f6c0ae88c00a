"""A file in a mount, exercised: whatever is done to it, it holds what was written, through every door of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.conformance.recording import record
from tests.conformance.report import Row
from tests.exerciser.driving import exercised
from tests.mounting import Mount

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.mounting import Account

CHAPTER: Final = "a file written and read in every way"
LONG: Final = 100_000
TINY: Final = ("--cache-size", "1M")
LIFE_S: Final = 7_200.0


def test_a_file_holds_what_was_written(own_account: Account, tmp_path: Path) -> None:
    """A thousand operations, with one remount, through a cache that holds less than the file."""
    with Mount(own_account, tmp_path / "home", *TINY, life_s=LIFE_S) as mount:
        run = exercised(mount, seed=1, operations=1_500, remount_every=1_000)

    assert run.wrong == ""
    assert min(run.done[kind] for kind in ("map write", "held write", "direct write", "settle", "remount")) > 0


@pytest.mark.long
@pytest.mark.parametrize("options", [(), TINY], ids=["as it comes", "with a tiny cache"])
def test_a_file_holds_what_was_written_by_a_hundred_thousand_operations(
    own_account: Account,
    tmp_path: Path,
    options: tuple[str, ...],
    record_property: Callable[[str, object], None],
) -> None:
    """As above, for long."""
    with Mount(own_account, tmp_path / "home", *options, life_s=LIFE_S) as mount:
        run = exercised(mount, seed=1, operations=LONG, remount_every=4_000)

    assert run.wrong == ""
    record(record_property, Row(CHAPTER, LONG, LONG))
