"""Drafts that are made ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.ranges import ByteRange
from cxfs.local.outbox import Outbox
from cxfs.local.spares import SPARES_LOW, SPARES_MAX

if TYPE_CHECKING:
    from pathlib import Path


def drafts_in(folder: Path) -> set[str]:
    return {file.name for file in (folder / "drafts").iterdir()}


def test_a_new_draft_is_one_that_was_made_ahead(tmp_path: Path) -> None:
    """No file is made while a program waits."""
    outbox = Outbox(tmp_path)
    outbox.spares.refill()
    ahead = drafts_in(tmp_path)

    change_id, draft = outbox.new_draft(size=10, base_bytes=10)

    assert len(ahead) == SPARES_MAX
    assert change_id in ahead
    assert drafts_in(tmp_path) == ahead
    assert draft.missing(ByteRange(0, 10)) == [ByteRange(0, 10)]
    assert draft.file.stat().st_size == 10
    outbox.close()


def test_without_any_ahead_one_is_made(tmp_path: Path) -> None:
    """A burst may be faster than whoever makes them."""
    outbox = Outbox(tmp_path)

    first, second = outbox.new_draft(size=0, base_bytes=0), outbox.new_draft(size=0, base_bytes=0)

    assert first[0] != second[0]
    assert drafts_in(tmp_path) == {first[0], second[0]}
    outbox.close()


def test_they_are_low_before_they_are_out(tmp_path: Path) -> None:
    """So that the next are made in time."""
    outbox = Outbox(tmp_path)
    outbox.spares.refill()
    full = outbox.spares.are_low

    for _ in range(SPARES_MAX - SPARES_LOW + 1):
        outbox.new_draft(size=0, base_bytes=0)

    assert (full, outbox.spares.are_low) == (False, True)
    outbox.close()


def test_nothing_is_left_of_them(tmp_path: Path) -> None:
    """Neither at an orderly end nor, after a crash, at the next start."""
    outbox = Outbox(tmp_path)
    outbox.spares.refill()
    outbox.close()
    after_the_end = drafts_in(tmp_path)
    crashed = Outbox(tmp_path)
    crashed.spares.refill()

    restarted = Outbox(tmp_path)
    restarted.recover()

    assert after_the_end == set()
    assert drafts_in(tmp_path) == set()
    restarted.close()
    crashed.close()


def test_a_full_disk_is_told_to_who_needs_one(tmp_path: Path) -> None:
    """Not to whoever makes some ahead, who could do nothing about it."""
    outbox = Outbox(tmp_path)
    (tmp_path / "drafts").rmdir()

    outbox.spares.refill()

    assert outbox.spares.are_low
    outbox.close()
