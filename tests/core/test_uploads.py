"""The life of a change, as a table, and what our side of a conflict is called."""

from __future__ import annotations

from itertools import accumulate, product

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.entries import NAME_CHARACTERS_MAX, EntryName
from cxfs.core.uploads import (
    BACKUP_SETTLE_S,
    IN_FLIGHT,
    LARGE_BYTES,
    LARGE_SETTLE_S,
    NEXT,
    Event,
    IllegalStep,
    State,
    conflict_name,
    is_conflict_name,
    is_large,
    settling_s,
    step,
)

ACCEPTED, CLOSED, FAILED, HANDED_OVER = Event.ACCEPTED, Event.CLOSED, Event.FAILED, Event.HANDED_OVER
REFUSED, RETRIED, STARTED, WRITTEN = Event.REFUSED, Event.RETRIED, Event.STARTED, Event.WRITTEN

LIVES = {
    "written, closed, sent": (
        [WRITTEN, CLOSED, STARTED, HANDED_OVER, ACCEPTED],
        [State.WRITING, State.WAITING, State.SENDING, State.SEALED, State.DONE],
    ),
    "the server is away twice": (
        [CLOSED, STARTED, FAILED, STARTED, HANDED_OVER, FAILED, STARTED],
        [State.WAITING, State.SENDING, State.WAITING, State.SENDING, State.SEALED, State.WAITING, State.SENDING],
    ),
    "written again while it waits": (
        [CLOSED, WRITTEN, CLOSED, STARTED],
        [State.WAITING, State.WRITING, State.WAITING, State.SENDING],
    ),
    "written while its bytes go out: the attempt is abandoned": (
        [CLOSED, STARTED, WRITTEN, CLOSED],
        [State.WAITING, State.SENDING, State.WRITING, State.WAITING],
    ),
    "written after its last byte: there is more to send": (
        [CLOSED, STARTED, HANDED_OVER, WRITTEN, ACCEPTED, CLOSED],
        [State.WAITING, State.SENDING, State.SEALED, State.OVERTAKEN, State.WRITING, State.WAITING],
    ),
    "refused, then retried on request": (
        [CLOSED, STARTED, REFUSED, RETRIED, STARTED],
        [State.WAITING, State.SENDING, State.PARKED, State.WAITING, State.SENDING],
    ),
    "refused, then rewritten": (
        [CLOSED, STARTED, REFUSED, WRITTEN, CLOSED],
        [State.WAITING, State.SENDING, State.PARKED, State.WRITING, State.WAITING],
    ),
}

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=NAME_CHARACTERS_MAX
).map(EntryName)
hosts = st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True)
attempts = st.integers(min_value=1, max_value=1000)


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize(("state", "event"), NEXT)
def test_every_step_of_the_table_can_be_taken(state: State, event: Event) -> None:
    """The table is the whole of the rules."""
    assert step(state, event) is NEXT[state, event]


@pytest.mark.parametrize(("state", "event"), [pair for pair in product(State, Event) if pair not in NEXT])
def test_a_change_takes_no_step_outside_the_table(state: State, event: Event) -> None:
    """Such a step is a bug of the caller, and shows as one."""
    with pytest.raises(IllegalStep, match=f"{event.name} while {state.name}"):
        step(state, event)


@pytest.mark.parametrize("life", LIVES)
def test_a_life(life: str) -> None:
    """The stories that the table is made of, read from left to right."""
    events, expected = LIVES[life]

    states = list(accumulate(events, step, initial=State.WRITING))

    assert states[1:] == expected


@pytest.mark.parametrize("state", [state for state in State if state is not State.DONE])
def test_a_write_is_welcome_at_any_time_before_the_end(state: State) -> None:
    """A program may write whatever the network does."""
    assert step(state, WRITTEN) in {State.WRITING, State.OVERTAKEN}


@pytest.mark.parametrize("event", Event)
def test_nothing_happens_to_a_change_that_is_done(event: Event) -> None:
    """A later write begins another change."""
    with pytest.raises(IllegalStep):
        step(State.DONE, event)


@pytest.mark.parametrize("state", [state for state in State if state in IN_FLIGHT])
@pytest.mark.parametrize("event", [ACCEPTED, FAILED, REFUSED])
def test_an_attempt_under_way_can_end_in_every_way(state: State, event: Event) -> None:
    """The server's answer is not ours to choose."""
    assert step(state, event) not in IN_FLIGHT


@pytest.mark.parametrize("event", [ACCEPTED, FAILED, REFUSED])
def test_what_was_overtaken_is_never_done_or_parked(event: Event) -> None:
    """The answer speaks of older content: the newer is still to be sent."""
    assert step(State.OVERTAKEN, event) is State.WRITING


# ---------------------------------------------------------------- conflicts


@pytest.mark.parametrize(
    ("name", "attempt", "expected"),
    [
        ("report.txt", 1, "report (conflict laptop 2026-03-01).txt"),
        ("report.txt", 2, "report (conflict laptop 2026-03-01 2).txt"),
        ("archive.tar.gz", 1, "archive.tar (conflict laptop 2026-03-01).gz"),
        ("Makefile", 1, "Makefile (conflict laptop 2026-03-01)"),
        (".bashrc", 1, ".bashrc (conflict laptop 2026-03-01)"),
        ("ends in a dot.", 1, "ends in a dot (conflict laptop 2026-03-01)."),
    ],
)
def test_our_side_of_a_conflict_says_whose_it_is(name: str, attempt: int, expected: str) -> None:
    """It keeps its extension, so that the same program opens it."""
    assert conflict_name(EntryName(name), host="laptop", date="2026-03-01", attempt=attempt) == expected


@given(names, hosts, attempts)
@settings(deadline=None)
def test_the_name_of_a_conflict_fits_into_cx(name: EntryName, host: str, attempt: int) -> None:
    """Else the copy that is to save the work could not be made."""
    ours = conflict_name(name, host=host, date="2026-03-01", attempt=attempt)

    assert len(ours) <= NAME_CHARACTERS_MAX
    assert ours.fits_in_a_path


@given(names, hosts, attempts, attempts)
@settings(deadline=None)
def test_each_attempt_has_a_name_of_its_own(name: EntryName, host: str, one: int, other: int) -> None:
    """The next one is tried because the last was taken."""
    first = conflict_name(name, host=host, date="2026-03-01", attempt=one)
    second = conflict_name(name, host=host, date="2026-03-01", attempt=other)

    assert (first == second) == (one == other)


@given(names, hosts, attempts)
@settings(deadline=None)
def test_the_name_of_a_conflict_is_known_for_one(name: EntryName, host: str, attempt: int) -> None:
    """On every machine, whichever made it."""
    assert is_conflict_name(conflict_name(name, host=host, date="2026-03-01", attempt=attempt))


@pytest.mark.parametrize(
    "name",
    ["report.txt", "on the (conflict of interest).txt", "(conflict laptop 2026-03-01) notes", "a (conflict )", ""],
)
def test_another_name_is_not_taken_for_that_of_a_conflict(name: str) -> None:
    """The mark stands at its end and has a date."""
    assert not is_conflict_name(EntryName(name))


@given(names, hosts, attempts)
@settings(deadline=None)
def test_the_name_of_a_conflict_is_not_that_of_the_file(name: EntryName, host: str, attempt: int) -> None:
    """The server's side keeps that."""
    assert conflict_name(name, host=host, date="2026-03-01", attempt=attempt) != name


@given(st.text("abc", min_size=1, max_size=240), st.text("xyz", min_size=1, max_size=10), hosts)
@settings(deadline=None)
def test_a_long_name_is_cut_before_its_extension(stem: str, extension: str, host: str) -> None:
    """A picture whose name was cut at the end would be no picture any more."""
    name = EntryName(f"{stem}.{extension}")

    assert conflict_name(name, host=host, date="2026-03-01", attempt=1).endswith(f").{extension}")


def test_an_extension_without_room_is_part_of_the_name() -> None:
    """A dot in front of 250 characters begins no extension."""
    ours = conflict_name(EntryName("a." + "b" * 250), host="laptop", date="2026-03-01", attempt=1)

    assert ours.startswith("a.bbb")
    assert ours.endswith("bbb (conflict laptop 2026-03-01)")
    assert len(ours) == NAME_CHARACTERS_MAX


def test_a_large_file_begins_at_its_size() -> None:
    """The very byte that makes it one."""
    assert [is_large(size) for size in (0, LARGE_BYTES - 1, LARGE_BYTES)] == [False, False, True]


def test_a_large_file_is_sent_soon_and_any_other_after_the_usual_time() -> None:
    """Unless the usual time is shorter still."""
    assert settling_s(LARGE_BYTES, 5.0) == LARGE_SETTLE_S
    assert settling_s(LARGE_BYTES, LARGE_SETTLE_S / 2) == LARGE_SETTLE_S / 2
    assert settling_s(LARGE_BYTES - 1, 5.0) == 5.0


def test_the_name_of_a_conflict_uses_all_the_room_there_is() -> None:
    """To the last character, before a short extension and before one that leaves room for a single letter."""
    mark = " (conflict h 2020-01-01)"
    long = "e" * (NAME_CHARACTERS_MAX - len(mark) - len(".") - 1)

    short = conflict_name(EntryName("x" * 251 + ".txt"), host="h", date="2020-01-01", attempt=1)
    just = conflict_name(EntryName(f"abc.{long}"), host="h", date="2020-01-01", attempt=1)

    assert short == "x" * (NAME_CHARACTERS_MAX - len(mark) - 4) + mark + ".txt"
    assert just == f"a{mark}.{long}"


def test_a_file_whose_former_one_was_set_aside_is_sent_when_its_editor_has_had_time_to_delete_that() -> None:
    """However small or large it is, and never sooner than any other."""
    assert settling_s(1, 0.5, has_backup=True) == BACKUP_SETTLE_S == 2.0
    assert settling_s(LARGE_BYTES, 0.5, has_backup=True) == BACKUP_SETTLE_S
    assert settling_s(1, 3.0, has_backup=True) == 3.0
