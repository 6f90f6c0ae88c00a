"""Programs that read here and there, told as transcripts. Times are in seconds."""

from __future__ import annotations

import pytest

from cxfs.core.entries import Uuid
from cxfs.core.pace import DELAY_S_MIN, UNKNOWN_BYTES
from cxfs.core.whole_folders import OWING_MAX, OWING_START, PAYS, PROVEN, REMEMBERED_S, WholeFolders


def folder(number: int) -> Uuid:
    return Uuid(f"{number:022d}")


def brings(folders: WholeFolders, number: int, *, reads: int = 2, at_s: float = 0.0) -> bool:
    """Whether a folder is brought by the last of so many reads in it, none of which was there."""
    worth = [folders.read(folder(number), at_s, was_brought=False) for _ in range(reads)][-1]
    if worth:
        folders.brought(folder(number))
    return worth


def pays(folders: WholeFolders, number: int, *, at_s: float = 0.0) -> None:
    folders.read(folder(number), at_s, was_brought=True)


def test_the_second_file_of_a_folder_brings_the_others() -> None:
    """One is read out of most folders."""
    folders = WholeFolders()

    assert not folders.read(folder(1), 0.0, was_brought=False)
    assert folders.read(folder(1), 1.0, was_brought=False)


def test_a_folder_is_brought_once() -> None:
    """What did not come along then will not the second time either."""
    folders = WholeFolders()
    brings(folders, 1)

    assert not folders.read(folder(1), 0.0, was_brought=False)


def test_where_it_has_proved_right_the_first_file_is_enough() -> None:
    """A program that goes on as it began waits once in each folder."""
    folders = WholeFolders()
    for number in range(PROVEN - OWING_START):
        brings(folders, number)
        pays(folders, number)

    assert brings(folders, 1000, reads=1)


def test_so_many_are_owed_for_and_no_more() -> None:
    """Two files of each folder and never a third: what came for nothing is bounded."""
    folders = WholeFolders()

    assert sum(brings(folders, number) for number in range(1000)) == OWING_START


def test_those_that_pay_make_room_for_more() -> None:
    """However many folders there are."""
    folders = WholeFolders()
    for number in range(1000):
        brings(folders, number)
        pays(folders, number)

    assert sum(brings(folders, number) for number in range(2000, 3000)) == OWING_MAX


def test_who_never_pays_is_soon_given_one_at_a_time() -> None:
    """Nor does one that paid long ago keep its credit."""
    folders, at_s, brought = WholeFolders(), 0.0, []
    for turn in range(10):
        brought.append(sum(brings(folders, 100 * turn + number, at_s=at_s) for number in range(100)))
        at_s += REMEMBERED_S

    assert brought[0] == OWING_START
    assert brought[1:] == [1] * 9


def test_after_a_while_a_folder_may_be_brought_again() -> None:
    """What was brought is not kept for ever."""
    folders = WholeFolders()
    brings(folders, 1)
    pays(folders, 1)

    assert brings(folders, 1, at_s=REMEMBERED_S)


@pytest.mark.parametrize(
    ("round_trip_s", "rate", "room_bytes"), [(0.1, 100e6, 5_000_000), (0.1, 1.25e6, 62_500), (0.0002, 100e6, 10_000)]
)
def test_a_folder_comes_in_half_the_time_of_a_file(round_trip_s: float, rate: float, room_bytes: int) -> None:
    """On a short line that is next to nothing, and on a slow one little."""
    assert WholeFolders().room_bytes(round_trip_s, rate) == room_bytes


def test_what_was_seen_of_the_line_is_doubted_in_time() -> None:
    """A machine that was busy has not made the line slow for ever."""
    folders = WholeFolders()
    for _ in range(12):
        folders.kept_out()

    assert 2 * 62_500 < folders.room_bytes(0.1, 1.25e6) < 3 * 62_500


def test_a_folder_pays_once_however_much_of_it_is_read() -> None:
    """Else one folder would buy room for many."""
    folders = WholeFolders()
    brings(folders, 0)
    for _ in range(5):
        pays(folders, 0)

    assert sum(brings(folders, number) for number in range(1, 1000)) == OWING_START + PAYS


def test_what_came_along_brings_nothing_itself() -> None:
    """All of its folder is here or on its way."""
    folders = WholeFolders()
    brings(folders, 1)

    assert not any(folders.read(folder(1), 0.0, was_brought=True) for _ in range(3))


def test_it_is_proved_right_by_so_many_folders_and_no_fewer() -> None:
    """The very one that proves it."""
    folders = WholeFolders()
    at_once = []
    for number in range((PROVEN - OWING_START) // PAYS + 1):
        at_once.append(folders.read(folder(1000 + number), 0.0, was_brought=False))
        brings(folders, number)
        pays(folders, number)

    assert at_once == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("round_trip_s", "room_bytes"), [(0.1, UNKNOWN_BYTES // 2), (DELAY_S_MIN / 2, UNKNOWN_BYTES // 4)]
)
def test_before_a_rate_was_seen_a_folder_may_be_as_large_as_is_believed(round_trip_s: float, room_bytes: int) -> None:
    """Less on a line so short that nobody notices the wait for a file."""
    assert WholeFolders().room_bytes(round_trip_s, None) == room_bytes


def test_a_folder_that_comes_ends_the_doubt() -> None:
    """It tells how fast the line is now."""
    folders = WholeFolders()
    folders.kept_out()
    brings(folders, 1)

    assert folders.room_bytes(0.1, 1.25e6) == 62_500


def test_each_that_has_not_paid_halves_what_may_be_owed_for() -> None:
    """Down to whole folders."""
    folders = WholeFolders()
    brings(folders, 0)
    pays(folders, 0)
    brings(folders, 1)
    brings(folders, 2)

    assert sum(brings(folders, number, at_s=REMEMBERED_S) for number in range(100, 200)) == (OWING_START + PAYS) // 4
