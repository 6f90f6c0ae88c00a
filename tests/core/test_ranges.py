"""Byte ranges and sets of them, against the dumbest possible truth: a set of integers."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cxfs.core.ranges import ByteRange, RangeSet

BYTES = 60


def between(bounds: tuple[int, int]) -> ByteRange:
    return ByteRange(min(bounds), max(bounds))


offsets = st.integers(min_value=0, max_value=BYTES)
ranges = st.tuples(offsets, offsets).map(between)
changes = st.lists(st.tuples(st.sampled_from(["add", "remove"]), ranges), max_size=12)


def bytes_of(*given_ranges: ByteRange) -> set[int]:
    return {byte for each in given_ranges for byte in range(each.start, each.stop)}


def after(story: list[tuple[str, ByteRange]]) -> tuple[RangeSet, set[int]]:
    """The set under test and the truth, after the same changes."""
    there, truth = RangeSet(), set[int]()
    for change, changed in story:
        getattr(there, change)(changed)
        truth = truth | bytes_of(changed) if change == "add" else truth - bytes_of(changed)
    return there, truth


@given(changes)
def test_a_range_set_holds_exactly_the_bytes_added_and_not_removed(story: list[tuple[str, ByteRange]]) -> None:
    """It says which bytes of a file are in the cache: one too many is another file's data."""
    there, truth = after(story)

    assert bytes_of(*there) == truth
    assert there.length == len(truth)


@given(changes)
def test_its_ranges_are_sorted_not_empty_and_never_touch(story: list[tuple[str, ByteRange]]) -> None:
    """So that two sets of the same bytes are equal, and a sequential read keeps it at one range."""
    there, _ = after(story)

    bounds = [bound for each in there for bound in each]
    assert bounds == sorted(set(bounds))
    assert len(there) * 2 == len(bounds)


@given(changes, ranges)
def test_a_range_set_misses_exactly_the_bytes_nobody_added(
    story: list[tuple[str, ByteRange]], wanted: ByteRange
) -> None:
    """What is missing is what is downloaded."""
    there, truth = after(story)

    missing = there.missing(wanted)
    assert bytes_of(*missing) == bytes_of(wanted) - truth
    assert sum(each.length for each in missing) == len(bytes_of(*missing))
    assert missing == sorted(missing)


@given(changes, ranges)
def test_a_range_set_tells_the_parts_that_are_there(story: list[tuple[str, ByteRange]], wanted: ByteRange) -> None:
    """What is there and what is missing are all that was asked for."""
    there, truth = after(story)

    parts = there.within(wanted)
    assert bytes_of(*parts) == bytes_of(wanted) & truth
    assert sum(each.length for each in parts) == len(bytes_of(*parts))
    assert parts == sorted(parts)


@given(ranges, ranges)
def test_two_ranges_meet_when_they_share_a_byte(one: ByteRange, other: ByteRange) -> None:
    """Touching is not enough, and an empty one shares none."""
    assert one.meets(other) == bool(bytes_of(one) & bytes_of(other))


@given(changes, ranges)
def test_a_range_set_covers_what_it_does_not_miss(story: list[tuple[str, ByteRange]], wanted: ByteRange) -> None:
    """The two answers are used side by side."""
    there, truth = after(story)

    assert there.covers(wanted) == (bytes_of(wanted) <= truth)
    assert there.covers(wanted) == (not there.missing(wanted))


@given(changes, changes)
def test_two_range_sets_are_equal_when_they_hold_the_same_bytes(
    one: list[tuple[str, ByteRange]], other: list[tuple[str, ByteRange]]
) -> None:
    """However they came by them."""
    (first, first_truth), (second, second_truth) = after(one), after(other)

    assert (first == second) == (first_truth == second_truth)
    assert RangeSet(first) == first


def test_a_range_set_is_no_key() -> None:
    """It changes, so a hash of it would be wrong later."""
    with pytest.raises(TypeError):
        hash(RangeSet())


def test_a_range_set_shows_its_ranges() -> None:
    """A failed comparison has to say what was there."""
    assert repr(RangeSet([ByteRange(1, 3)])) == "RangeSet([ByteRange(start=1, stop=3)])"


@given(ranges, ranges)
def test_clipping_keeps_what_both_have(one: ByteRange, within: ByteRange) -> None:
    """And gives an empty range, not a reversed one, where they do not meet."""
    clipped = one.clipped(within)

    assert bytes_of(clipped) == bytes_of(one) & bytes_of(within)
    assert within.start <= clipped.start <= clipped.stop <= within.stop


@given(ranges, st.integers(min_value=1, max_value=16), st.integers(min_value=0, max_value=BYTES))
def test_aligning_widens_to_whole_blocks_of_the_file(one: ByteRange, block: int, size: int) -> None:
    """The last block of a file is as short as the file."""
    aligned = one.aligned(block, size)

    assert bytes_of(aligned) >= bytes_of(one) & bytes_of(ByteRange(0, size))
    assert aligned.start % block == 0
    assert aligned.stop % block == 0 or aligned.stop in {size, aligned.start}


@given(ranges, st.integers(min_value=1, max_value=16))
def test_pieces_are_the_range_cut_at_multiples(one: ByteRange, piece: int) -> None:
    """Two readers of overlapping ranges ask for the same pieces."""
    pieces = list(one.pieces(piece))

    assert bytes_of(*pieces) == bytes_of(one)
    assert all(0 < each.length <= piece for each in pieces)
    assert all(each.stop % piece == 0 for each in pieces[:-1])


@given(ranges.filter(lambda each: each.length > 0))
def test_the_header_names_the_last_byte_and_comes_back_the_same(one: ByteRange) -> None:
    """RFC 9110, 14.1.2: both ends are inclusive there."""
    first, _, last = one.in_header.removeprefix("bytes=").partition("-")

    assert ByteRange.from_inclusive(int(first), int(last)) == one


def test_the_first_byte_alone_is_zero_to_zero() -> None:
    """The example of the RFC."""
    assert ByteRange(0, 1).in_header == "bytes=0-0"


def test_what_lies_beside_is_no_part_of_it() -> None:
    """Not even an empty one: each part is read, and a read of nothing is one too many."""
    there = RangeSet([ByteRange(0, 10), ByteRange(20, 30), ByteRange(40, 50)])

    assert there.within(ByteRange(10, 20)) == []
    assert there.within(ByteRange(15, 40)) == [ByteRange(20, 30)]
    assert there.missing(ByteRange(0, 10)) == []
    assert there.missing(ByteRange(20, 40)) == [ByteRange(30, 40)]


def test_nothing_that_is_removed_cuts_nothing() -> None:
    """Two ranges that touch would be one more to look at each time."""
    there = RangeSet([ByteRange(0, 10)])

    there.remove(ByteRange(5, 5))

    assert list(there) == [ByteRange(0, 10)]
