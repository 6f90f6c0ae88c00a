"""What former versions are called."""

from __future__ import annotations

import pytest

from cxfs.core.former_names import former_name

NOON_MS = 1_350_216_000_123
"""2012-10-14, 12:00 UTC, and some milliseconds."""


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("report.odt", "2012-10-14T12.00.00Z-v3.odt"),
        ("a.b.txt", "2012-10-14T12.00.00Z-v3.txt"),
        ("backup.tar.gz", "2012-10-14T12.00.00Z-v3.tar.gz"),
        ("Makefile", "2012-10-14T12.00.00Z-v3"),
        (".profile", "2012-10-14T12.00.00Z-v3"),
        ("..x", "2012-10-14T12.00.00Z-v3"),
        ("X.odt", "2012-10-14T12.00.00Z-v3.odt"),
        ("just.as_long_as_it_may_be", "2012-10-14T12.00.00Z-v3.as_long_as_it_may_be"),
        ("one.longer_than_it_may_be", "2012-10-14T12.00.00Z-v3"),
        ("ends.", "2012-10-14T12.00.00Z-v3"),
        ("Mr. Somebody, the one with the long name", "2012-10-14T12.00.00Z-v3"),
        ("ä.ö", "2012-10-14T12.00.00Z-v3.ö"),
    ],
)
def test_a_version_is_of_the_type_of_its_file(shown: str, expected: str) -> None:
    """Programs go by what stands behind the last dot."""
    assert former_name(shown, 3, NOON_MS) == expected


def test_names_sort_by_time_and_no_two_are_alike() -> None:
    """Two versions can be of one second."""
    names = [former_name("a", version, NOON_MS + 400 * version) for version in range(1, 9)]

    assert sorted(names) == names
    assert len(set(names)) == 8


@pytest.mark.parametrize("modified_ms", [-(1 << 62), 1 << 62])
def test_a_time_that_no_calendar_has_is_left_out(modified_ms: int) -> None:
    """A server may say anything."""
    assert former_name("a.txt", 7, modified_ms) == "v7.txt"


def test_a_time_before_the_epoch_is_told() -> None:
    """Photographs are older than computers."""
    assert former_name("a.txt", 7, -1) == "1969-12-31T23.59.59Z-v7.txt"
