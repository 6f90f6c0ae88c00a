"""Programs that go through a folder: in which order, and since when."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from cxfs.core.entries import SELF, Entry, EntryName, Uuid
from cxfs.core.procession import (
    ESTABLISHED,
    NUMBERED_MAX,
    RECENT_VISITS,
    SKIPPED_MAX,
    Members,
    Order,
    Step,
    Trail,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def uuid(number: int) -> Uuid:
    """One whose inode number is `number`."""
    return Uuid(base64.urlsafe_b64encode(number.to_bytes(16)).decode().rstrip("="))


def entry(name: str, number: int, *, is_folder: bool = False) -> Entry:
    return Entry(SELF, uuid(number), EntryName(name), is_folder, 1, 1, 0, 0)


def members(*entries: Entry) -> Members:
    return Members({str(each.name): each for each in entries})


FILES = [entry(f"f{number:02}", 1_000 + number * 7 % 100) for number in range(30)]
"""Listed by name; their numbers are all over the place."""

BY_NUMBER = sorted(FILES, key=lambda each: each.id.number)


def steps(visited: Sequence[Entry], among: Members, *, begins: bool = False) -> list[int]:
    trail = Trail(folders=False)
    return [trail.visit(each.id, among, begins=begins).steps for each in visited]


def test_one_after_the_other_is_a_procession() -> None:
    """Each adds a step."""
    assert steps(FILES[3:8], members(*FILES)) == [0, 1, 2, 3, 4]


def test_the_first_of_a_folder_that_was_just_looked_through_is_a_step() -> None:
    """Who lists a folder and takes the first of it is going to take the second."""
    assert steps(FILES[:3], members(*FILES), begins=True) == [1, 2, 3]


def test_any_other_than_the_first_begins_nothing() -> None:
    """A person lists a folder, too, and takes what was looked for."""
    assert steps([FILES[5]], members(*FILES), begins=True) == [0]


def test_a_jump_ends_a_procession() -> None:
    """And begins none."""
    assert steps([*FILES[:4], FILES[20], FILES[9]], members(*FILES)) == [0, 1, 2, 3, 0, 0]


def test_the_same_one_again_is_no_step() -> None:
    """A program that reads a file twice goes nowhere."""
    assert steps([FILES[5]] * 3, members(*FILES)) == [0, 0, 0]


def test_backwards_is_no_procession() -> None:
    """No program goes so."""
    assert steps(FILES[9:4:-1], members(*FILES)) == [0, 0, 0, 0, 0]


def test_one_that_is_established_may_leave_some_out() -> None:
    """Empty files are not read, and of some the kernel has the content."""
    visited = [*FILES[: ESTABLISHED + 1], FILES[ESTABLISHED + 1 + SKIPPED_MAX]]

    assert steps(visited, members(*FILES)) == [*range(ESTABLISHED + 2)]


def test_one_that_is_not_established_may_leave_out_none() -> None:
    """Every second of a few random files has a neighbour that was read."""
    assert steps([FILES[0], FILES[2], FILES[4], FILES[6]], members(*FILES)) == [0, 0, 0, 0]


def test_one_may_not_leave_out_many() -> None:
    """That is a jump."""
    visited = [*FILES[: ESTABLISHED + 1], FILES[ESTABLISHED + 2 + SKIPPED_MAX]]

    assert steps(visited, members(*FILES))[-1] == 0


def test_several_readers_share_one_procession() -> None:
    """`xargs -P4` gives each the next file; they do not begin exactly in turn."""
    visited = [FILES[at] for at in (0, 1, 2, 3, 5, 4, 7, 8, 6, 9)]

    assert all(count >= ESTABLISHED for count in steps(visited, members(*FILES))[3:])


def test_what_was_visited_long_ago_leads_nowhere() -> None:
    """Who reads at random comes by the neighbour of everything sooner or later."""
    elsewhere = [FILES[10 + at * 2 % 20] for at in range(RECENT_VISITS + 1)]
    visited = [FILES[0], *elsewhere, FILES[1]]

    assert steps(visited, members(*FILES))[-1] == 0


@pytest.mark.parametrize("order", [Order.NAMED, Order.NUMBERED])
def test_other_orders_than_that_of_the_listing_are_recognised(order: Order) -> None:
    """git goes by name, cp by inode number, wherever the server puts them."""
    listed = members(*(FILES[at * 11 % 30] for at in range(30)))
    trail = Trail(folders=False)
    wanted = FILES if order is Order.NAMED else BY_NUMBER

    found = [trail.visit(each.id, listed) for each in wanted[4:8]]

    assert found[-1] == Step(order, 3)


def test_git_sorts_a_folder_by_its_name_with_a_slash() -> None:
    """Its index holds paths: `a-b` comes before what is in `a`, `a.c` as well, `a0` after it."""
    names = [entry("a", 1, is_folder=True), entry("a-b", 2), entry("a.c", 3), entry("a0", 4)]

    assert [each.name for each in members(*names).arranged(Order.NAMED)] == ["a-b", "a.c", "a", "a0"]


def test_folders_and_files_have_trails_of_their_own() -> None:
    """`find` opens only the folders of what it goes through."""
    mixed = members(*(entry(f"{at:02}", 10 + at, is_folder=at % 5 == 0) for at in range(20)))
    trail = Trail(folders=True)

    assert [trail.visit(uuid(10 + at), mixed).steps for at in (0, 5, 10)] == [0, 1, 2]


def test_what_is_not_in_the_folder_any_more_is_no_step() -> None:
    """A listing may be older than what a program does."""
    assert steps([entry("gone", 5)], members(*FILES), begins=True) == [0]


def test_where_a_member_stands_is_after_all_when_it_is_not_there() -> None:
    """So nothing comes after it."""
    assert members(*FILES).place(uuid(5), Order.LISTED) == len(FILES)


def test_a_window_doubles_and_halves_within_its_bounds() -> None:
    """It never closes, so that it can open again."""
    window = Window(least=4, most=16)
    sizes = [window.size]
    for change in (window.grow, window.grow, window.grow, window.shrink, window.shrink, window.shrink):
        change()
        sizes.append(window.size)

    assert sizes == [4, 8, 16, 16, 8, 4, 4]


def test_a_folder_is_arranged_once_in_each_order_however_many_ask() -> None:
    """Sorting ten thousand members with each visit would cost more than it saves."""
    folder = members(*FILES)

    for order in Order:
        assert folder.arranged(order) is folder.arranged(order)
        assert folder.row(order, folders=False) is folder.row(order, folders=False)
        folder.place(FILES[0].id, order)
        places = folder._places[order]
        folder.place(FILES[1].id, order)
        assert folder._places[order] is places


@pytest.mark.parametrize("order", Order)
def test_each_member_has_its_place_in_each_order(order: Order) -> None:
    """What comes behind it is what is fetched ahead."""
    folder = members(*reversed(FILES))
    wanted = {Order.LISTED: FILES[::-1], Order.NAMED: FILES, Order.NUMBERED: BY_NUMBER}[order]

    assert [folder.place(each.id, order) for each in wanted] == [*range(len(FILES))]


def test_files_sort_by_their_bare_names() -> None:
    """`a` comes before `a-b`, as in the listing of a program that sorts."""
    names = [entry("a-b", 2), entry("a", 1)]

    assert [each.name for each in members(*names).arranged(Order.NAMED)] == ["a", "a-b"]


def test_numbers_are_looked_at_in_folders_of_a_certain_size() -> None:
    """And no more: taking them takes time."""
    largest = members(*(entry(str(number), number) for number in range(NUMBERED_MAX)))
    larger = members(*(entry(str(number), number) for number in range(NUMBERED_MAX + 1)))

    assert [*largest.orders()] == [Order.LISTED, Order.NAMED, Order.NUMBERED]
    assert [*larger.orders()] == [Order.LISTED, Order.NAMED]


def test_what_was_visited_not_so_long_ago_leads_on() -> None:
    """The last visit that counts is so many before this one."""
    elsewhere = [FILES[10 + at * 2 % 20] for at in range(RECENT_VISITS - 1)]
    visited = [FILES[0], *elsewhere, FILES[1]]

    assert steps(visited, members(*FILES))[-1] == 1


def test_the_first_by_name_begins_as_well_as_the_first_of_the_listing() -> None:
    """A program that sorts what it has listed takes the first by name."""
    listed = members(*(FILES[at * 11 % 30] for at in range(5, 35)))

    assert Trail(folders=False).visit(FILES[0].id, listed, begins=True) == Step(Order.NAMED, 1)


def test_what_is_not_there_is_a_jump_in_the_order_of_the_listing() -> None:
    """Nothing is known of where it would be in any other."""
    assert Trail(folders=False).visit(entry("gone", 5).id, members(*FILES)) == Step(Order.LISTED, 0)


def test_who_changes_the_order_begins_anew() -> None:
    """Steps by the listing prove nothing about steps by number."""
    trail = Trail(folders=False)
    folder = members(*FILES)
    for each in FILES[3:7]:
        trail.visit(each.id, folder)
    after_it = BY_NUMBER[BY_NUMBER.index(FILES[6]) + 1]

    assert trail.visit(after_it.id, folder) == Step(Order.NUMBERED, 1)


def test_a_window_is_a_whole_number() -> None:
    """Of files."""
    window = Window(least=4, most=18)
    for change in (window.grow, window.grow, window.grow, window.shrink, window.shrink):
        change()

    assert repr(window.size) == "4"


def by_number(trail: Trail, folder: Members, first: Entry) -> None:
    """Somebody takes a step by number."""
    at = BY_NUMBER.index(first)
    trail.visit(BY_NUMBER[at].id, folder)
    assert trail.visit(BY_NUMBER[at + 1].id, folder).order is Order.NUMBERED


def test_where_two_orders_lead_to_a_member_the_present_one_is_kept() -> None:
    """A program does not change its mind without need."""
    folder, both = members(*FILES), FILES[15]
    trail = Trail(folders=False)
    trail.visit(FILES[14].id, folder)
    trail.visit(BY_NUMBER[BY_NUMBER.index(both) - 1].id, folder)
    by_number(trail, folder, FILES[1])

    assert trail.visit(both.id, folder) == Step(Order.NUMBERED, 1)


def test_where_a_member_is_the_first_in_two_orders_the_present_one_is_kept() -> None:
    """The same."""
    trail, folder = Trail(folders=False), members(*FILES)
    by_number(trail, folder, FILES[20])

    assert trail.visit(FILES[0].id, folder, begins=True) == Step(Order.NUMBERED, 1)
