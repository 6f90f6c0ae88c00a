"""How far is fetched ahead, told as transcripts of reads. Everything in blocks of 128 KiB."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.core.readahead import BLOCK_BYTES, SLACK_BYTES, WINDOW_BYTES_MAX, Plan, ReadAhead

MIB = 1 << 20
LARGE = 1 << 30


def blocks(start: int, stop: int) -> ByteRange:
    return ByteRange(start * BLOCK_BYTES, stop * BLOCK_BYTES)


def plans(size: int, *reads: ByteRange) -> list[Plan]:
    """What one reader of a file of `size` bytes is told, read by read."""
    readahead = ReadAhead(size)
    return [readahead.on_read(asked) for asked in reads]


def wanted(size: int, *reads: ByteRange) -> list[ByteRange]:
    """The stretches fetched ahead, read by read; empty ones as `ByteRange(0, 0)`."""
    return [plan.want if plan.want.length else ByteRange(0, 0) for plan in plans(size, *reads)]


NOTHING = ByteRange(0, 0)

TRANSCRIPTS = {
    "one read wants nothing more": [
        (blocks(0, 1), NOTHING),
    ],
    "the second read in a row opens the window, and it doubles": [
        (blocks(0, 1), NOTHING),
        (blocks(1, 2), blocks(2, 4)),
        (blocks(2, 3), blocks(4, 7)),
        (blocks(3, 4), blocks(7, 12)),
        (blocks(4, 5), blocks(12, 21)),
    ],
    "small reads within a block go straight on": [
        (ByteRange(0, 4096), NOTHING),
        (ByteRange(4096, 8192), blocks(1, 3)),
    ],
    "the kernel's pairs arrive swapped and still go straight on": [
        (blocks(1, 2), NOTHING),
        (blocks(0, 1), NOTHING),
        (blocks(3, 4), blocks(4, 6)),
        (blocks(2, 3), NOTHING),
        (blocks(5, 6), blocks(6, 10)),
    ],
    "a jump closes the window": [
        (blocks(0, 1), NOTHING),
        (blocks(1, 2), blocks(2, 4)),
        (blocks(1000, 1001), NOTHING),
        (blocks(1001, 1002), blocks(1002, 1004)),
    ],
    "a jump back closes it too": [
        (blocks(1000, 1001), NOTHING),
        (blocks(1001, 1002), blocks(1002, 1004)),
        (blocks(0, 1), NOTHING),
    ],
    "the same bytes again want nothing": [
        (blocks(0, 1), NOTHING),
        (blocks(0, 1), NOTHING),
        (blocks(0, 1), NOTHING),
    ],
    "a first read in the middle wants nothing either": [
        (blocks(3, 4), NOTHING),
    ],
}

offsets = st.integers(min_value=0, max_value=64 * MIB - 1)
reads = st.lists(
    st.tuples(offsets, st.integers(min_value=1, max_value=MIB)).map(lambda at: ByteRange(at[0], at[0] + at[1])),
    max_size=20,
)


@pytest.mark.parametrize("story", TRANSCRIPTS)
def test_a_reader(story: str) -> None:
    """Each line: what is read, and what is fetched ahead because of it."""
    transcript = TRANSCRIPTS[story]

    assert wanted(LARGE, *(asked for asked, _ in transcript)) == [ahead for _, ahead in transcript]


@pytest.mark.parametrize(
    ("asked", "need"),
    [
        (ByteRange(0, 1), blocks(0, 1)),
        (ByteRange(BLOCK_BYTES - 1, BLOCK_BYTES + 1), blocks(0, 2)),
        (blocks(3, 5), blocks(3, 5)),
        (ByteRange(LARGE - 1, LARGE), ByteRange(LARGE - BLOCK_BYTES, LARGE)),
    ],
)
def test_the_first_read_costs_one_request_of_whole_blocks(asked: ByteRange, need: ByteRange) -> None:
    """A program that looks at the first bytes only, such as file(1), does not fetch megabytes."""
    assert plans(LARGE, asked) == [Plan(need, ByteRange(need.stop, need.stop))]


def test_the_last_block_ends_with_the_file() -> None:
    """Nobody asks for bytes past the end."""
    assert plans(100, ByteRange(0, 10)) == [Plan(ByteRange(0, 100), ByteRange(100, 100))]


def test_the_window_grows_up_to_its_limit() -> None:
    """One reader holds at most so much of the line and of the disk."""
    straight = [blocks(at, at + 1) for at in range(1000)]

    ahead = [plan.want.stop - asked.stop for asked, plan in zip(straight, plans(LARGE, *straight), strict=True)]

    assert max(ahead) == WINDOW_BYTES_MAX


def test_an_open_window_is_filled_in_few_large_requests() -> None:
    """Once at its limit, a new stretch is asked for when half of it has been used up, not with each read."""
    straight = [blocks(at, at + 1) for at in range(1000)]

    stretches = [want for want in wanted(LARGE, *straight)[500:] if want.length]

    assert {want.length for want in stretches} == {WINDOW_BYTES_MAX // 2}


def test_random_reads_want_nothing() -> None:
    """A database that picks pages here and there pays for those alone."""
    here_and_there = [blocks(at * 7919 % 8000, at * 7919 % 8000 + 1) for at in range(1, 100)]

    assert set(wanted(LARGE, *here_and_there)) == {NOTHING}


def test_a_read_within_the_slack_goes_straight_on() -> None:
    """The kernel's own read-ahead runs a little before the program."""
    near = ByteRange(BLOCK_BYTES + SLACK_BYTES, BLOCK_BYTES + SLACK_BYTES + 1)

    assert wanted(LARGE, blocks(0, 1), near)[-1].length > 0


@given(reads)
@settings(deadline=None)
def test_whatever_is_read_the_plans_stay_within_the_file(asked: list[ByteRange]) -> None:
    """A range past the end is an error at the server."""
    size = 64 * MIB

    bounds = [bound for plan in plans(size, *(each.clipped(ByteRange(0, size)) for each in asked)) for bound in plan]

    assert all(0 <= each.start <= each.stop <= size for each in bounds)


@given(reads)
@settings(deadline=None)
def test_whatever_is_read_is_needed(asked: list[ByteRange]) -> None:
    """The answer waits for `need`: a byte missing from it would never come."""
    needs = [RangeSet([plan.need]) for plan in plans(LARGE, *asked)]

    assert all(need.covers(each) for need, each in zip(needs, asked, strict=True))


@given(st.integers(min_value=1, max_value=40 * MIB), st.integers(min_value=4096, max_value=MIB))
@settings(deadline=None)
def test_a_file_read_from_end_to_end_is_planned_whole_and_no_byte_ahead_twice(size: int, step: int) -> None:
    """Read-ahead that asks again for what is on its way would double the traffic."""
    planned = plans(size, *ByteRange(0, size).pieces(step))

    everything = RangeSet(part for plan in planned for part in plan)
    ahead = RangeSet(plan.want for plan in planned)
    assert everything == RangeSet([ByteRange(0, size)])
    assert ahead.length == sum(plan.want.length for plan in planned)


@given(st.integers(min_value=8 * BLOCK_BYTES, max_value=40 * MIB))
@settings(deadline=None)
def test_a_file_read_from_end_to_end_waits_for_its_first_blocks_only(size: int) -> None:
    """From the third read on, what a reader needs was wanted before."""
    planned = plans(size, *ByteRange(0, size).pieces(BLOCK_BYTES))

    ahead = RangeSet(plan.want for plan in planned)
    assert ahead.missing(ByteRange(0, size)) == [blocks(0, 2)]
