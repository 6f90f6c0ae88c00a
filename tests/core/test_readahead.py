"""How far is fetched ahead, told as transcripts of reads. Everything in blocks of 128 KiB."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.core.readahead import (
    BLOCK_BYTES,
    JUMPS,
    LARGE_PIECE_BYTES,
    LARGE_STRETCH_BYTES,
    PIECE_BYTES,
    SLACK_BYTES,
    STEPS_AHEAD_MAX,
    WINDOW_BYTES,
    Line,
    Plan,
    ReadAhead,
    piece_bytes,
)

MIB = 1 << 20
LARGE = 1 << 30
SHORT_LINE = Line(carried_bytes=0, ahead_bytes_max=128 * MIB)
LONG_LINE = Line(carried_bytes=16 * MIB, ahead_bytes_max=128 * MIB)
ENDLESS_LINE = Line(carried_bytes=LARGE, ahead_bytes_max=128 * MIB)


def blocks(start: int, stop: int) -> ByteRange:
    return ByteRange(start * BLOCK_BYTES, stop * BLOCK_BYTES)


def plans(size: int, *reads: ByteRange, line: Line = SHORT_LINE, is_here: bool = False) -> list[Plan]:
    """What one reader of a file of `size` bytes is told, read by read."""
    readahead = ReadAhead(size)
    return [readahead.on_read(asked, line, is_here=is_here) for asked in reads]


def wanted(size: int, *reads: ByteRange, line: Line = SHORT_LINE) -> list[list[ByteRange]]:
    """The stretches fetched ahead, read by read."""
    return [list(plan.want) for plan in plans(size, *reads, line=line)]


def widths(wants: list[list[ByteRange]]) -> list[int]:
    """Blocks that are fetched ahead, read by read."""
    return [sum(each.length for each in want) // BLOCK_BYTES for want in wants]


NOTHING: list[ByteRange] = []

TRANSCRIPTS = {
    "one read wants nothing more": [
        (blocks(0, 1), NOTHING),
    ],
    "the second read in a row opens the window, and it doubles": [
        (blocks(0, 1), NOTHING),
        (blocks(1, 2), [blocks(2, 4)]),
        (blocks(2, 3), [blocks(4, 7)]),
        (blocks(3, 4), [blocks(7, 12)]),
        (blocks(4, 5), [blocks(12, 21)]),
    ],
    "small reads within a block go straight on": [
        (ByteRange(0, 4096), NOTHING),
        (ByteRange(4096, 8192), [blocks(1, 3)]),
    ],
    "the kernel's pairs arrive swapped and still go straight on": [
        (blocks(1, 2), NOTHING),
        (blocks(0, 1), NOTHING),
        (blocks(3, 4), [blocks(4, 6)]),
        (blocks(2, 3), NOTHING),
        (blocks(5, 6), [blocks(6, 10)]),
    ],
    "a jump closes the window": [
        (blocks(0, 1), NOTHING),
        (blocks(1, 2), [blocks(2, 4)]),
        (blocks(1000, 1001), NOTHING),
        (blocks(1001, 1002), [blocks(1002, 1004)]),
    ],
    "a jump back closes it too": [
        (blocks(1000, 1001), NOTHING),
        (blocks(1001, 1002), [blocks(1002, 1004)]),
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
    "two steps back in a row open the window behind the reader, and it doubles": [
        (blocks(1000, 1001), NOTHING),
        (blocks(999, 1000), NOTHING),
        (blocks(998, 999), [blocks(996, 998)]),
        (blocks(997, 998), [blocks(993, 996)]),
        (blocks(996, 997), [blocks(988, 993)]),
    ],
    "a reader that goes back ends at the beginning": [
        (blocks(4, 5), NOTHING),
        (blocks(3, 4), NOTHING),
        (blocks(2, 3), [blocks(0, 2)]),
        (blocks(1, 2), NOTHING),
        (blocks(0, 1), NOTHING),
    ],
    "equal jumps are foreseen, and twice as many each time": [
        (blocks(0, 1), NOTHING),
        (blocks(100, 101), NOTHING),
        (blocks(200, 201), NOTHING),
        (blocks(300, 301), [blocks(400, 401), blocks(500, 501)]),
        (blocks(400, 401), [blocks(600, 601), blocks(700, 701), blocks(800, 801)]),
    ],
    "equal jumps back as well": [
        (blocks(900, 901), NOTHING),
        (blocks(800, 801), NOTHING),
        (blocks(700, 701), NOTHING),
        (blocks(600, 601), [blocks(500, 501), blocks(400, 401)]),
    ],
    "a jump of another length ends that": [
        (blocks(0, 1), NOTHING),
        (blocks(100, 101), NOTHING),
        (blocks(200, 201), NOTHING),
        (blocks(300, 301), [blocks(400, 401), blocks(500, 501)]),
        (blocks(450, 451), NOTHING),
        (blocks(550, 551), NOTHING),
    ],
}

offsets = st.integers(min_value=0, max_value=64 * MIB - 1)
lines = st.builds(Line, st.integers(0, 64 * MIB), st.integers(MIB, 128 * MIB))
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
    assert plans(LARGE, asked) == [Plan(need)]


def test_the_last_block_ends_with_the_file() -> None:
    """Nobody asks for bytes past the end."""
    assert plans(100, ByteRange(0, 10)) == [Plan(ByteRange(0, 100))]


@pytest.mark.parametrize(
    ("line", "ahead_bytes"),
    [(SHORT_LINE, WINDOW_BYTES), (LONG_LINE, 2 * LONG_LINE.carried_bytes), (ENDLESS_LINE, 128 * MIB)],
    ids=["a short line", "a long line", "more than the buffers hold"],
)
def test_the_window_grows_up_to_what_the_line_needs(line: Line, ahead_bytes: int) -> None:
    """One half is under way while the reader uses up the other."""
    straight = [blocks(at, at + 1) for at in range(2000)]

    ahead = [
        want[-1].stop - asked.stop
        for asked, want in zip(straight, wanted(LARGE, *straight, line=line), strict=True)
        if want
    ]

    assert max(ahead) == ahead_bytes


def test_an_open_window_is_filled_in_few_large_requests() -> None:
    """Once at its limit, a new stretch is asked for when half of it has been used up, not with each read."""
    straight = [blocks(at, at + 1) for at in range(1000)]

    stretches = [want for want in wanted(LARGE, *straight)[500:] if want]

    assert {want[0].length for want in stretches} == {WINDOW_BYTES // 2}


def test_a_large_window_is_filled_up_by_quarters() -> None:
    """On a long line, to use up a half would leave the line idle for as long."""
    straight = [blocks(at, at + 1) for at in range(4000)]

    stretches = [want for want in wanted(LARGE, *straight, line=ENDLESS_LINE)[2000:] if want]

    assert {want[0].length for want in stretches} == {ENDLESS_LINE.ahead_bytes_max // 4}


def test_requests_are_large_and_on_a_long_line_larger() -> None:
    """Each costs a millisecond at both ends, and a round trip in which its connection brings nothing."""
    assert piece_bytes(WINDOW_BYTES) == PIECE_BYTES
    assert piece_bytes(ENDLESS_LINE.window_bytes // 2) == LARGE_PIECE_BYTES


def test_random_reads_want_nothing_at_first() -> None:
    """A database that picks pages here and there pays for those alone."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, JUMPS + 2)]

    assert widths(wanted(LARGE, *here_and_there, line=ENDLESS_LINE)) == [0] * (JUMPS + 1)


def test_many_random_reads_bring_more_each_up_to_what_the_line_carries_meanwhile() -> None:
    """So a read takes twice as long at most, and the whole file is soon here."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, 40)]

    brought = widths(wanted(LARGE, *here_and_there, line=LONG_LINE))[JUMPS + 1 :]

    assert brought[:3] == [3, 15, 63]
    assert max(brought) == LONG_LINE.carried_bytes // BLOCK_BYTES - 1


def test_random_reads_of_what_is_here_bring_nothing() -> None:
    """They wait for nobody."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, 40)]

    assert not any(plan.want for plan in plans(LARGE, *here_and_there, line=LONG_LINE, is_here=True))


def test_on_a_thin_line_random_reads_bring_exactly_their_blocks() -> None:
    """What it carries in a round trip is less than one."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, 100)]

    assert widths(wanted(LARGE, *here_and_there, line=Line(BLOCK_BYTES // 2, 128 * MIB))) == [0] * 99


def test_random_reads_on_a_line_that_is_full_bring_exactly_their_blocks() -> None:
    """What else came along would come before the next block that is needed."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, 40)]
    full = LONG_LINE._replace(under_way_bytes=2 * LONG_LINE.carried_bytes)

    assert widths(wanted(LARGE, *here_and_there, line=full)) == [0] * 39


def test_equal_jumps_are_foreseen_to_a_limit() -> None:
    """Each is a request, and the reader may stop at any."""
    steps = [blocks(at * 10, at * 10 + 1) for at in range(100)]
    foreseen = RangeSet()

    for asked, want in zip(steps, wanted(LARGE, *steps, line=ENDLESS_LINE), strict=True):
        for each in want:
            foreseen.add(each)
        foreseen.remove(ByteRange(0, asked.stop))
        assert foreseen.length <= STEPS_AHEAD_MAX * BLOCK_BYTES


def test_a_jump_away_from_an_open_window_leaves_what_was_wanted() -> None:
    """What is still on its way for nobody gives the line to what is needed now."""
    told = plans(LARGE, blocks(0, 1), blocks(1, 2), blocks(2, 3), blocks(5000, 5001), blocks(100, 101))

    assert [plan.leaves for plan in told] == [False, False, False, True, False]


def test_a_read_within_the_slack_goes_straight_on() -> None:
    """The kernel's own read-ahead runs a little before the program."""
    near = ByteRange(BLOCK_BYTES + SLACK_BYTES, BLOCK_BYTES + SLACK_BYTES + 1)

    assert widths(wanted(LARGE, blocks(0, 1), near))[-1] > 0


@given(reads, lines)
@settings(deadline=None)
def test_whatever_is_read_the_plans_stay_within_the_file_and_the_buffers(asked: list[ByteRange], line: Line) -> None:
    """A range past the end is an error at the server."""
    size = 64 * MIB

    told = plans(size, *(each.clipped(ByteRange(0, size)) for each in asked), line=line)

    assert all(0 <= each.start <= each.stop <= size for plan in told for each in (plan.need, *plan.want))
    assert all(sum(each.length for each in plan.want) <= line.ahead_bytes_max + 2 * BLOCK_BYTES for plan in told)


@given(reads, lines)
@settings(deadline=None)
def test_whatever_is_read_is_needed(asked: list[ByteRange], line: Line) -> None:
    """The answer waits for `need`: a byte missing from it would never come."""
    needs = [RangeSet([plan.need]) for plan in plans(LARGE, *asked, line=line)]

    assert all(need.covers(each) for need, each in zip(needs, asked, strict=True))


@given(st.integers(min_value=1, max_value=40 * MIB), st.integers(min_value=4096, max_value=MIB), lines)
@settings(deadline=None)
def test_a_file_read_from_end_to_end_is_planned_whole_and_no_byte_ahead_twice(size: int, step: int, line: Line) -> None:
    """Read-ahead that asks again for what is on its way would double the traffic."""
    planned = plans(size, *ByteRange(0, size).pieces(step), line=line)

    everything = RangeSet(part for plan in planned for part in (plan.need, *plan.want))
    ahead = [part for plan in planned for part in plan.want]
    assert everything == RangeSet([ByteRange(0, size)])
    assert RangeSet(ahead).length == sum(part.length for part in ahead)


@given(st.integers(min_value=1, max_value=40 * MIB), st.integers(min_value=4096, max_value=MIB))
@settings(deadline=None)
def test_the_same_backwards(size: int, step: int) -> None:
    """Some formats keep their contents at the end."""
    planned = plans(size, *reversed(list(ByteRange(0, size).pieces(step))))

    everything = RangeSet(part for plan in planned for part in (plan.need, *plan.want))
    ahead = [part for plan in planned for part in plan.want]
    assert everything == RangeSet([ByteRange(0, size)])
    assert RangeSet(ahead).length == sum(part.length for part in ahead)


@given(st.integers(min_value=8 * BLOCK_BYTES, max_value=40 * MIB))
@settings(deadline=None)
def test_a_file_read_from_end_to_end_waits_for_its_first_blocks_only(size: int) -> None:
    """From the third read on, what a reader needs was wanted before."""
    planned = plans(size, *ByteRange(0, size).pieces(BLOCK_BYTES))

    ahead = RangeSet(part for plan in planned for part in plan.want)
    assert ahead.missing(ByteRange(0, size)) == [blocks(0, 2)]


def stepping(size: int, *starts: int, length: int = 1) -> list[ByteRange]:
    """What is wanted at the last of these reads of `length` blocks, in equal steps, on a short line."""
    return wanted(size, *(blocks(start, start + length) for start in starts))[-1]


def test_who_takes_much_in_each_step_is_foreseen_fewer_of_them() -> None:
    """All of them together are no more than a window; one of them always is."""
    window_blocks = WINDOW_BYTES // BLOCK_BYTES
    third, tenth = window_blocks // 3, window_blocks // 10

    assert stepping(LARGE, 0, 1000, 2000, 3000, length=window_blocks) == [blocks(4000, 4000 + window_blocks)]
    assert stepping(LARGE, 0, 500, 1000, 1500, 2000, 2500, length=third)[-1] == blocks(4000, 4000 + third)
    assert len(stepping(LARGE, 0, 300, 600, 900, 1200, 1500, 1800, 2100, length=tenth)) == 1


def test_equal_steps_are_foreseen_to_the_last_byte_and_back_to_the_first() -> None:
    """And none beyond."""
    size = 500 * BLOCK_BYTES

    assert stepping(size, 99, 199, 299, 399) == [blocks(499, 500)]
    assert stepping(size, 400, 300, 200, 100) == [blocks(0, 1)]


def jumping(line: Line, at: int) -> list[ByteRange]:
    """What comes along with this block for somebody who has jumped about for long."""
    here_and_there = [blocks(each * each * 13 % 8000, each * each * 13 % 8000 + 1) for each in range(1, 40)]
    return wanted(LARGE, *here_and_there, blocks(at, at + 1), line=line)[-1]


@pytest.mark.parametrize(
    ("carried_bytes", "along"),
    [
        (BLOCK_BYTES, 0),
        (BLOCK_BYTES * 3 // 2, 0),
        (2 * BLOCK_BYTES - 1, 0),
        (2 * BLOCK_BYTES, 1),
        (2 * BLOCK_BYTES + 1, 3),
        (4 * BLOCK_BYTES, 3),
    ],
)
def test_as_much_comes_along_as_the_line_brings_meanwhile(carried_bytes: int, along: int) -> None:
    """In whole powers of two, and nothing where it would be less than a block more."""
    came = jumping(Line(carried_bytes, 128 * MIB), 7001)

    assert sum(each.length for each in came) == along * BLOCK_BYTES


def test_no_more_comes_along_than_may_be_ahead_of_a_reader() -> None:
    """However much the line carries."""
    came = jumping(Line(LARGE, 4 * MIB), 7001)

    assert sum(each.length for each in came) == 4 * MIB - BLOCK_BYTES


def test_what_comes_along_stands_around_the_block_on_a_grid() -> None:
    """So that what one read brings meets what another has brought, with no gap and nothing twice."""
    line = Line(4 * BLOCK_BYTES, 128 * MIB)

    assert jumping(line, 7000) == [blocks(7001, 7004)]
    assert jumping(line, 7002) == [blocks(7003, 7004), blocks(7000, 7002)]
    assert jumping(line, 7003) == [blocks(7000, 7003)]


def straight_back(size: int, block_count: int, *, line: Line, start: int) -> list[list[ByteRange]]:
    """What one wants that reads so many blocks at a time from `start` back to the beginning."""
    return wanted(size, *(blocks(at - block_count, at) for at in range(start, 0, -block_count)), line=line)


def test_the_window_behind_a_reader_is_filled_in_few_large_requests_too() -> None:
    """Half of it at a time."""
    stretches = [want for want in straight_back(LARGE, 1, line=SHORT_LINE, start=2000)[500:1500] if want]

    assert {want[0].length for want in stretches} == {WINDOW_BYTES // 2}


def test_one_that_goes_back_in_large_steps_is_followed() -> None:
    """With up to a certain gap between them, which the kernel leaves when it swaps its requests."""
    two_mib, slack = 2 * MIB, SLACK_BYTES

    def back(gap: int) -> list[bool]:
        starts = [LARGE // 2 - number * (two_mib + gap) for number in range(5)]
        return [bool(want) for want in wanted(LARGE, *(ByteRange(at, at + two_mib) for at in starts))]

    assert back(0) == [False, False, True, True, True]
    assert back(slack)[2:] == [True, True, True]
    assert back(slack + 1)[:3] == [False, False, False]


def test_all_of_the_rest_is_fetched_once_the_window_reaches_it() -> None:
    """To the last byte forwards, to the first one backwards: no piece is left for later."""
    size = 500 * BLOCK_BYTES + 77

    forwards = [
        want[-1].stop for want in wanted(size, *(blocks(at, at + 1) for at in range(300)), line=LONG_LINE) if want
    ]
    backwards = [want[0].start for want in straight_back(size, 1, line=LONG_LINE, start=490) if want]

    assert max(forwards) == size
    assert min(backwards) == 0
    assert forwards.count(size) == backwards.count(0) == 1


def test_a_long_stretch_ends_with_a_whole_request() -> None:
    """So that equal stretches are cut alike; a short one ends with a block."""
    straight = [blocks(at, at + 1) for at in range(1000)]

    stretches = [each for want in wanted(LARGE, *straight, line=LONG_LINE) for each in want]

    long = [each for each in stretches if each.length > PIECE_BYTES]
    assert long
    assert all(each.stop % piece_bytes(each.length) == 0 for each in long)
    assert all(each.stop % BLOCK_BYTES == 0 for each in stretches)


def test_a_stretch_is_long_from_a_certain_size() -> None:
    """The very byte."""
    assert piece_bytes(LARGE_STRETCH_BYTES - 1) == PIECE_BYTES
    assert piece_bytes(LARGE_STRETCH_BYTES) == LARGE_PIECE_BYTES


def test_what_is_read_again_in_the_middle_is_no_way_back() -> None:
    """Nor is a single step back on the way."""
    again = [blocks(1000, 1001)] * 4
    one_back = [blocks(1000, 1001), blocks(1001, 1002), blocks(999, 1000)]

    assert wanted(LARGE, *again) == [NOTHING] * 4
    assert wanted(LARGE, *one_back)[-1] == NOTHING


def test_a_jump_says_what_it_leaves_and_brings_what_is_good_for_any_reader() -> None:
    """What was fetched ahead of it is wanted no longer; what stands around the block is, wherever it goes next."""
    first, second, jump, other = plans(LARGE, blocks(0, 1), blocks(1, 2), blocks(1000, 1001), blocks(3000, 3001))

    assert (first.leaves, second.leaves, jump.leaves, other.leaves) == (False, False, True, False)
    assert (first.for_good, second.for_good, jump.for_good, other.for_good) == (False, False, True, True)


def test_equal_steps_go_on_after_a_glance_beside_one() -> None:
    """What that glance had fetched ahead is left."""
    *_, plan = plans(LARGE, *(blocks(at, at + 1) for at in (0, 100, 200, 300, 301, 401)))

    assert plan.need == blocks(401, 402)
    assert plan.leaves
    assert plan.want


@pytest.mark.parametrize(("straight", "along"), [(8, True), (9, False)])
def test_one_that_reads_a_little_at_each_place_still_jumps_about(straight: int, along: bool) -> None:  # noqa: FBT001
    """A mebibyte is little, more is a reader that goes straight on."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, 40)]
    a_little = [blocks(9000 + at, 9001 + at) for at in range(straight)]

    last = wanted(LARGE // 8 * 10, *here_and_there, *a_little, blocks(5, 6), line=LONG_LINE)[-1]

    assert bool(last) is along


def test_one_that_went_straight_on_has_to_jump_about_anew() -> None:
    """As often as at first."""
    here_and_there = [blocks(at * at * 13 % 8000, at * at * 13 % 8000 + 1) for at in range(1, 40)]
    straight = [blocks(9000 + at, 9001 + at) for at in range(20)]

    brought = widths(wanted(LARGE // 8 * 10, *here_and_there, *straight, *here_and_there, line=LONG_LINE))[-39:]

    assert brought[: JUMPS + 1] == [0] * JUMPS + [3]


def test_nothing_is_fetched_ahead_of_one_that_has_only_begun() -> None:
    """Nor after its first read; after the second in a row it is, and after a jump no more."""
    readahead = ReadAhead(LARGE)
    is_open = [readahead.is_open]
    for asked in (blocks(0, 1), blocks(1, 2), blocks(1000, 1001)):
        readahead.on_read(asked, SHORT_LINE, is_here=False)
        is_open.append(readahead.is_open)

    assert is_open == [False, False, True, False]


def test_the_last_stretch_is_not_cut() -> None:
    """However far from the end of a whole request the file ends."""
    size = 200 * BLOCK_BYTES + 77

    *_, last = [want for want in wanted(size, *(blocks(at, at + 1) for at in range(60)), line=LONG_LINE) if want]

    assert last == [ByteRange(128 * BLOCK_BYTES, size)]
