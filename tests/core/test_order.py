"""Which accepted step waits for which: the rules pair by pair, and the index that answers like them."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.entries import EntryName, Uuid
from cxfs.core.order import Kind, Order, Step, must_wait

A, B, C = (Uuid(letter * 22) for letter in "ABC")
X, Y = EntryName("x"), EntryName("y")


def step(step_id: str, kind: Kind, folder: Uuid = A, name: EntryName = X, **facts: Any) -> Step:
    return Step(step_id, kind, facts.get("object"), folder, name, facts.get("carrier"))


UPLOAD_IN_B = step("upload", Kind.UPLOAD, B, X)
NEW_VERSION_IN_B = step("version", Kind.UPLOAD, B, X, object=C)
MAKE_B = step("make B", Kind.MAKE, A, X, object=B)
MAKE_IN_B = step("make in B", Kind.MAKE, B, X, object=C)
REMOVE_B = step("remove B", Kind.REMOVE, A, X, object=B)
REMOVE_X_IN_B = step("remove x", Kind.REMOVE, B, X, object=C)
REMOVE_Y_IN_B = step("remove y", Kind.REMOVE, B, Y, object=C)
REMOVE_A_PLACE_IN_B = step("remove place", Kind.REMOVE, B, X)
REMOVE_CARRIED = step("remove carried", Kind.REMOVE, A, Y, object=C, carrier="version")
STAMP_B = step("stamp B", Kind.STAMP, A, X, object=B)
STAMP_IN_B = step("stamp in B", Kind.STAMP, B, X, object=C)

WAITS = {
    "an upload, for its folder to be made": (UPLOAD_IN_B, MAKE_B),
    "a folder, for the one above it": (MAKE_IN_B, MAKE_B),
    "an upload, for what stood under its name": (UPLOAD_IN_B, REMOVE_X_IN_B),
    "an upload, for what stood there and is not known": (UPLOAD_IN_B, REMOVE_A_PLACE_IN_B),
    "a folder, for what stood under its name": (MAKE_IN_B, REMOVE_X_IN_B),
    "a folder's end, for the files in it": (REMOVE_B, REMOVE_X_IN_B),
    "a folder's end, for what is still to come into it": (REMOVE_B, UPLOAD_IN_B),
    "a folder's end, for a new version in it": (REMOVE_B, NEW_VERSION_IN_B),
    "a folder's end, for a folder that is made in it": (REMOVE_B, MAKE_IN_B),
    "a folder's time, for what comes into it": (STAMP_B, UPLOAD_IN_B),
    "a folder's time, for what goes from it": (STAMP_B, REMOVE_Y_IN_B),
    "a folder's time, for the folder itself": (STAMP_B, MAKE_B),
    "a new version, for attributes of the one before": (NEW_VERSION_IN_B, STAMP_IN_B),
    "a temporary file's end, for the change that carries its content on": (REMOVE_CARRIED, NEW_VERSION_IN_B),
}

FREE = {
    "an upload of nothing that was removed under another name": (UPLOAD_IN_B, REMOVE_Y_IN_B),
    "a new version, of anything": (NEW_VERSION_IN_B, REMOVE_X_IN_B),
    "an upload, of a time": (UPLOAD_IN_B, STAMP_IN_B),
    "a folder's time, of a time in it": (STAMP_B, STAMP_IN_B),
    "two uploads under one name": (UPLOAD_IN_B, step("other", Kind.UPLOAD, B, X)),
    "the end of a file, of its folder's": (REMOVE_X_IN_B, REMOVE_B),
}


@pytest.mark.parametrize("pair", WAITS)
def test_the_later_step_waits(pair: str) -> None:
    """Each order-dependent pair has its rule."""
    later, earlier = WAITS[pair]

    assert must_wait(later, earlier)


@pytest.mark.parametrize("pair", FREE)
def test_the_later_step_is_free(pair: str) -> None:
    """Whatever need not wait does not."""
    later, earlier = FREE[pair]

    assert not must_wait(later, earlier)


STEPS = [
    Step(f"{kind.value} {about} {folder} {name}", kind, about, folder, name, carrier)
    for kind, about, folder, name, carrier in product(
        Kind, (None, A, B), (A, B, C), (X, Y), (None, f"upload None {B} {X}")
    )
    if about != folder and not (carrier and kind is not Kind.REMOVE)
]


@pytest.mark.parametrize("later", STEPS, ids=lambda each: each.id)
def test_the_index_answers_like_the_rules_for_every_pair(later: Step) -> None:
    """There are some thousand pairs: all of them."""
    for earlier in STEPS:
        if earlier.id == later.id:
            continue
        order = Order()
        order.add(earlier)
        order.add(later)

        assert order.is_waiting(later.id) == must_wait(later, earlier), earlier
        order.discard(earlier.id)
        assert (later in order.behind(earlier)) == must_wait(later, earlier), earlier
        assert not order.is_waiting(later.id)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(STEPS)), max_size=40))
@settings(deadline=None)
def test_the_index_answers_like_the_rules_whatever_came_and_went(story: list[tuple[bool, Step]]) -> None:
    """Steps come, are replaced and go in any order."""
    order, there = Order(), dict[str, Step]()
    for comes, each in story:
        if comes:
            order.add(each)
            there[each.id] = each
        else:
            order.discard(each.id)
            there.pop(each.id, None)

    for each in there.values():
        expected = any(must_wait(each, other) for other in there.values() if other is not each)
        assert order.is_waiting(each.id) == expected
    assert len(order) == len(there)


@pytest.mark.parametrize("sent_first", list(permutations(range(4))), ids=str)
def test_a_tree_that_is_made_and_taken_away_comes_to_its_end(sent_first: tuple[int, ...]) -> None:
    """Whoever is free is sent: whichever that is, nothing waits for ever."""
    steps = [MAKE_B, MAKE_IN_B, UPLOAD_IN_B, STAMP_B]
    order = Order()
    for each in steps:
        order.add(each)

    done = list[str]()
    while len(order):
        free = next(steps[at] for at in sent_first if steps[at].id not in done and not order.is_waiting(steps[at].id))
        order.discard(free.id)
        done.append(free.id)

    assert (done[0], done[-1]) == ("make B", "stamp B")


@pytest.mark.parametrize("earlier", STEPS, ids=lambda each: each.id)
def test_the_index_tells_whether_a_time_would_have_to_wait(earlier: Step) -> None:
    """Then it is set later; otherwise at once."""
    order = Order()
    order.add(earlier)

    assert order.lead_into(B) == must_wait(STAMP_B, earlier)


def test_a_step_that_nobody_knows_waits_for_nothing() -> None:
    """It was over before it was asked for."""
    assert not Order().is_waiting("nobody")


def test_a_step_that_is_accepted_once_more_stands_in_the_way_only_where_it_is_now() -> None:
    """A file that was removed is renamed before it is sent: its old name is free."""
    order = Order()
    order.add(step("remove", Kind.REMOVE, B, X, object=C))
    order.add(step("remove", Kind.REMOVE, B, Y, object=C))
    order.add(UPLOAD_IN_B)

    assert not order.is_waiting(UPLOAD_IN_B.id)


def test_nobody_waits_behind_a_change_for_whom_it_was_over_before() -> None:
    """What was taken back is not looked at again when the change arrives."""
    order = Order()
    order.add(NEW_VERSION_IN_B)
    order.add(REMOVE_CARRIED)
    order.discard(REMOVE_CARRIED.id)
    order.discard(NEW_VERSION_IN_B.id)

    assert order.behind(NEW_VERSION_IN_B) == []
