"""What is believed about names, and for how long."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cxfs.core.entries import Owner, Uuid
from cxfs.core.feed import Coverage
from cxfs.local.metadata import ABSENT_NAMES_MAX, Known, MetadataCache, MetadataStatistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Entry
    from tests.local.conftest import Clock

TTL_S = 30.0
NEGATIVE_TTL_S = 5.0
FEED_TTL_S = 600.0
ENTRIES_MAX = 10
FOLDER = Uuid("A" * 22)
OTHER_FOLDER = Uuid("B" * 22)


@pytest.fixture
def metadata(clock: Clock) -> MetadataCache:
    return MetadataCache(
        entries_max=ENTRIES_MAX,
        ttl_s=TTL_S,
        negative_ttl_s=NEGATIVE_TTL_S,
        feed_ttl_s=FEED_TTL_S,
        timer=clock,
    )


def shown(metadata: MetadataCache, folder: Uuid = FOLDER) -> set[str] | None:
    """The names that a listing believed now shows; None when there is none."""
    listing = metadata.listing(folder)
    return None if listing is None else set(listing.by_shown)


# ---------------------------------------------------------------- what a feed vouches for


@pytest.fixture
def told(metadata: MetadataCache, file: Callable[..., Entry], clock: Clock) -> Entry:
    """A file in FOLDER, listed while the feed of its tree is live."""
    entry = file(1, "a")
    metadata.cover(entry.owner, Coverage(metadata.now_s, math.inf))
    metadata.put_listing(FOLDER, [entry], asked_s=metadata.now_s, owner=entry.owner)
    return entry


def test_what_a_live_feed_covers_is_believed_for_long(metadata: MetadataCache, told: Entry, clock: Clock) -> None:
    """Listings, entries and absent names; the kernel is told no more than the ordinary times."""
    clock.passes(FEED_TTL_S - TTL_S)

    assert shown(metadata) == {"a"}
    assert metadata.child(FOLDER, "a") == Known(told, TTL_S)
    assert metadata.child(FOLDER, "absent") == Known(None, NEGATIVE_TTL_S)
    assert metadata.entry(told.id, FOLDER) == Known(told, TTL_S)
    clock.passes(TTL_S)
    assert shown(metadata) is None


def test_an_entry_known_by_itself_is_covered_too(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """Asked for by itself, or made here."""
    entry = file(1, "a")
    metadata.cover(entry.owner, Coverage(metadata.now_s, math.inf))
    metadata.put(entry, None)

    clock.passes(10 * TTL_S)

    assert metadata.entry(entry.id, None) == Known(entry, TTL_S)


def test_when_the_feed_is_gone_the_time_to_live_counts_from_its_last_word(
    metadata: MetadataCache, told: Entry, clock: Clock
) -> None:
    """Until then it was all true."""
    clock.passes(100)
    metadata.cover(told.owner, Coverage(metadata.now_s - 100, metadata.now_s))

    clock.passes(TTL_S - 1)
    believed = shown(metadata), metadata.child(FOLDER, "a")
    clock.passes(1)

    assert believed == ({"a"}, Known(told, 1))
    assert (shown(metadata), metadata.child(FOLDER, "a"), metadata.entry(told.id, FOLDER)) == (None, None, None)


def test_without_a_feed_what_it_vouched_for_is_as_old_as_it_is(
    metadata: MetadataCache, told: Entry, clock: Clock
) -> None:
    """Nobody vouches for it any more."""
    clock.passes(100)
    metadata.cover(told.owner, None)

    assert shown(metadata) is None


def test_what_was_asked_for_before_the_feed_began_is_not_covered(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """Though the answer came after that: it may be older."""
    asked_s, entry = metadata.now_s, file(1, "a")
    clock.passes(1)
    metadata.cover(entry.owner, Coverage(metadata.now_s, math.inf))
    metadata.put_listing(FOLDER, [entry], asked_s=asked_s, owner=entry.owner)

    clock.passes(TTL_S)

    assert shown(metadata) is None


def test_the_feed_of_one_owner_covers_nothing_of_anothers(
    metadata: MetadataCache, told: Entry, file: Callable[..., Entry], clock: Clock
) -> None:
    """Each tree has its own."""
    other = replace(file(2, "b"), owner=Owner("C" * 22))
    metadata.put_listing(OTHER_FOLDER, [other], asked_s=metadata.now_s, owner=other.owner)

    clock.passes(TTL_S)

    assert (shown(metadata), shown(metadata, OTHER_FOLDER)) == ({"a"}, None)


def test_what_is_doubted_is_asked_for_whatever_the_feed_says(
    metadata: MetadataCache, told: Entry, clock: Clock
) -> None:
    """A call failed half-way: what came of it is not known yet."""
    metadata.doubt(FOLDER)

    assert shown(metadata) is None
    assert metadata.child(FOLDER, "a") is None


def test_an_object_is_found_where_it_is_listed(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """Also after it went to another folder, and was taken away."""
    entry = file(1, "a")
    metadata.put_listing(FOLDER, [entry, file(2, "b")])
    metadata.put_listing(OTHER_FOLDER, [])
    first = metadata.folder_of(entry.id)
    metadata.remove(entry.id, FOLDER)
    metadata.put(entry, OTHER_FOLDER)
    second = metadata.folder_of(entry.id)
    metadata.remove(entry.id, OTHER_FOLDER)

    assert (first, second, metadata.folder_of(entry.id)) == (FOLDER, OTHER_FOLDER, None)
    assert metadata.folder_of(file(9, "nowhere").id) is None


def test_where_objects_are_listed_takes_no_more_room_than_listings(
    metadata: MetadataCache, file: Callable[..., Entry]
) -> None:
    """What is kept no more is forgotten."""
    for number in range(0, 50 * ENTRIES_MAX, 5):
        folder = Uuid(f"{number:022}")
        metadata.put_listing(folder, [file(number + each, f"f{each}") for each in range(5)])

    found = [metadata.folder_of(file(number, "x").id) for number in range(50 * ENTRIES_MAX)]
    assert sum(1 for each in found if each is not None) <= ENTRIES_MAX
    assert len(metadata._places) <= 3 * ENTRIES_MAX


# ---------------------------------------------------------------- time to live


def test_a_listing_is_believed_until_its_time_ends(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """One request serves the folder, and all in it, for that long."""
    metadata.put_listing(FOLDER, [file(1, "a"), file(2, "b")])

    clock.passes(TTL_S - 0.1)

    assert shown(metadata) == {"a", "b"}


def test_a_listing_is_not_believed_after_its_time(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """Another client may have changed the folder: ask again."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    clock.passes(TTL_S)

    assert shown(metadata) is None
    assert metadata.child(FOLDER, "a") is None
    assert metadata.entry(file(1, "a").id, FOLDER) is None


def test_an_old_listing_is_kept_to_compare_with(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """What stood there last tells how large the folder is, and what has changed."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    clock.passes(TTL_S)

    last = metadata.last_listing(FOLDER)
    assert last is not None
    assert set(last.by_shown) == {"a"}


def test_a_name_in_a_listing_is_believed_for_the_rest_of_its_time(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """The kernel is told the remainder, so that its cache ends with ours."""
    a = file(1, "a")
    metadata.put_listing(FOLDER, [a])

    clock.passes(10)

    assert metadata.child(FOLDER, "a") == Known(a, TTL_S - 10)
    assert metadata.entry(a.id, FOLDER) == Known(a, TTL_S - 10)


def test_a_name_missing_from_a_listing_is_believed_absent_for_the_negative_time(
    metadata: MetadataCache, clock: Clock
) -> None:
    """Shorter than what is there: somebody waits for a file to appear more often than for one to go."""
    metadata.put_listing(FOLDER, [])

    clock.passes(NEGATIVE_TTL_S - 1)

    assert metadata.child(FOLDER, "a") == Known(None, 1)


def test_a_name_missing_from_a_listing_is_asked_for_after_the_negative_time(
    metadata: MetadataCache, clock: Clock
) -> None:
    """Though the listing as such is believed still."""
    metadata.put_listing(FOLDER, [])

    clock.passes(NEGATIVE_TTL_S)

    assert metadata.child(FOLDER, "a") is None
    assert shown(metadata) == set()


def test_a_single_entry_is_believed_for_the_time_to_live(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """An answer about one object counts as much as a listing."""
    a = file(1, "a")
    metadata.put(a, FOLDER)

    clock.passes(TTL_S - 1)

    assert metadata.entry(a.id, FOLDER) == Known(a, 1)


def test_a_single_entry_is_not_believed_after_its_time(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """Ask again."""
    a = file(1, "a")
    metadata.put(a, FOLDER)

    clock.passes(TTL_S)

    assert metadata.entry(a.id, FOLDER) is None


def test_of_two_answers_about_an_object_the_later_is_believed(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """A listing that came after a single answer knows more."""
    metadata.put(file(1, "a", version=1), FOLDER)
    clock.passes(10)

    metadata.put_listing(FOLDER, [file(1, "a", version=2)])

    assert metadata.entry(file(1, "a").id, FOLDER) == Known(file(1, "a", version=2), TTL_S)


def test_an_object_without_a_folder_is_known_by_itself(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """The root stands in none."""
    root = file(1, "")

    metadata.put(root, None)

    assert metadata.entry(root.id, None) == Known(root, TTL_S)


def test_an_unknown_folder_tells_nothing(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """Not even that a name is absent."""
    assert metadata.listing(FOLDER) is None
    assert metadata.child(FOLDER, "a") is None
    assert metadata.entry(file(1, "a").id, FOLDER) is None


# ---------------------------------------------------------------- what this mount did


def test_a_new_entry_is_in_the_listing_at_once(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """What this mount did itself is visible in this mount, without a request."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    metadata.put(file(2, "b"), FOLDER)

    assert shown(metadata) == {"a", "b"}


def test_an_amended_listing_keeps_its_own_time(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """What others did meanwhile is not known any longer because of what we did."""
    metadata.put_listing(FOLDER, [file(1, "a")])
    clock.passes(TTL_S - 1)

    metadata.put(file(2, "b"), FOLDER)
    metadata.remove(file(1, "a").id, FOLDER)

    clock.passes(1)
    assert shown(metadata) is None


def test_a_renamed_entry_leaves_its_old_name(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """One object is shown once."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    metadata.put(file(1, "b"), FOLDER)

    assert shown(metadata) == {"b"}


def test_a_removed_entry_is_absent_at_once(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """`rm a; ls a` asks nobody."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    metadata.remove(file(1, "a").id, FOLDER)

    assert shown(metadata) == set()
    assert metadata.child(FOLDER, "a") == Known(None, NEGATIVE_TTL_S)
    assert metadata.entry(file(1, "a").id, FOLDER) is None


def test_a_removed_entry_is_absent_for_the_negative_time_from_then(
    metadata: MetadataCache, file: Callable[..., Entry], clock: Clock
) -> None:
    """The listing may be old, but that the name is free was just seen."""
    metadata.put_listing(FOLDER, [file(1, "a")])
    clock.passes(TTL_S - 1)

    metadata.remove(file(1, "a").id, FOLDER)

    clock.passes(NEGATIVE_TTL_S - 1)
    assert metadata.child(FOLDER, "a") == Known(None, 1)


def test_a_name_made_again_is_there(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """An editor that removes and rewrites finds its file."""
    metadata.put_listing(FOLDER, [file(1, "a")])
    metadata.remove(file(1, "a").id, FOLDER)

    metadata.put(file(2, "a"), FOLDER)

    assert metadata.child(FOLDER, "a") == Known(file(2, "a"), TTL_S)


def test_a_name_made_again_is_not_believed_absent_when_the_listing_is_lost(
    metadata: MetadataCache, file: Callable[..., Entry]
) -> None:
    """A listing may be evicted or doubted between the two."""
    metadata.put_listing(FOLDER, [file(1, "a")])
    metadata.remove(file(1, "a").id, FOLDER)
    metadata.doubt_entry(file(9, "z").id, FOLDER)

    metadata.put(file(2, "a"), FOLDER)

    assert metadata.child(FOLDER, "a") is None


def test_what_is_put_into_an_unlisted_folder_makes_no_listing(
    metadata: MetadataCache, file: Callable[..., Entry]
) -> None:
    """One entry says nothing of its siblings."""
    metadata.put(file(1, "a"), FOLDER)

    assert metadata.last_listing(FOLDER) is None


def test_removing_from_an_unlisted_folder_claims_nothing(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """The name it was shown under is not known."""
    metadata.remove(file(1, "a").id, FOLDER)

    assert metadata.child(FOLDER, "a") is None


# ---------------------------------------------------------------- two of one name


def test_two_entries_of_one_name_are_both_listed(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """CX allows what Linux does not."""
    older, newer = file(1, "a"), file(2, "a")

    listing = metadata.put_listing(FOLDER, [newer, older])

    assert listing.by_shown == {"a": older, f"a%cx~{newer.id}": newer}
    assert listing.name_of(newer.id) == f"a%cx~{newer.id}"


def test_an_entry_put_under_a_taken_name_is_tagged(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A newcomer does not rename what was there."""
    older, newer = file(1, "a"), file(2, "a")
    listing = metadata.put_listing(FOLDER, [older])

    metadata.put(newer, FOLDER)

    assert listing.by_shown == {"a": older, f"a%cx~{newer.id}": newer}


def test_an_entry_put_under_an_overlong_name_is_tagged(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """As in a listing of the server."""
    overlong = file(1, "é" * 255)
    amended = metadata.put_listing(FOLDER, [])

    metadata.put(overlong, FOLDER)

    listed = metadata.put_listing(OTHER_FOLDER, [overlong])
    assert amended.by_shown == listed.by_shown


def test_an_updated_entry_keeps_its_name(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A new version of a file that has a namesake stays where it was."""
    listing = metadata.put_listing(FOLDER, [file(1, "a"), file(2, "a")])

    metadata.put(file(1, "a", version=2), FOLDER)

    assert listing.by_shown["a"] == file(1, "a", version=2)


# ---------------------------------------------------------------- doubt


def test_a_doubted_folder_is_asked_for_again(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A call that failed half-way may have happened all the same. What was known is kept for who cannot ask."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    metadata.doubt(FOLDER)

    assert metadata.listing(FOLDER) is None
    assert metadata.last_listing(FOLDER) is not None
    assert metadata.child(FOLDER, "a") is None


def test_doubt_ends_belief_in_absence(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """The name may exist by now."""
    metadata.put_listing(FOLDER, [file(1, "a")])
    metadata.remove(file(1, "a").id, FOLDER)

    metadata.doubt(FOLDER)

    assert metadata.child(FOLDER, "a") is None


def test_doubt_of_one_folder_leaves_the_others(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A failed rename costs two listings and not all of them."""
    metadata.put_listing(FOLDER, [])
    metadata.put_listing(OTHER_FOLDER, [file(1, "a")])

    metadata.doubt(FOLDER)

    assert shown(metadata, OTHER_FOLDER) == {"a"}


def test_a_doubted_entry_is_asked_for_again(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """What its folder's listing said of it was wrong, so that goes too."""
    metadata.put_listing(FOLDER, [file(1, "a")])
    metadata.put(file(1, "a"), FOLDER)

    metadata.doubt_entry(file(1, "a").id, FOLDER)

    assert metadata.entry(file(1, "a").id, FOLDER) is None
    assert metadata.listing(FOLDER) is None


# ---------------------------------------------------------------- limits


def test_a_listing_over_the_limit_is_given_and_not_kept(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A folder of millions works, at the price of a request each time; it does not push all others out."""
    metadata.put_listing(OTHER_FOLDER, [file(100, "z")])

    listing = metadata.put_listing(FOLDER, [file(number, f"file {number}") for number in range(ENTRIES_MAX)])

    assert len(listing) == ENTRIES_MAX
    assert metadata.last_listing(FOLDER) is None
    assert shown(metadata, OTHER_FOLDER) == {"z"}


def test_a_listing_that_grew_over_the_limit_takes_the_place_of_none(
    metadata: MetadataCache, file: Callable[..., Entry]
) -> None:
    """The older, smaller listing of the folder would be untrue."""
    metadata.put_listing(FOLDER, [file(1, "a")])

    metadata.put_listing(FOLDER, [file(number, f"file {number}") for number in range(ENTRIES_MAX)])

    assert metadata.last_listing(FOLDER) is None


def test_a_listing_that_is_amended_over_the_limit_is_not_kept(
    metadata: MetadataCache, file: Callable[..., Entry]
) -> None:
    """The limit holds whoever makes the entries."""
    metadata.put_listing(FOLDER, [file(number, f"file {number}") for number in range(ENTRIES_MAX - 1)])

    metadata.put(file(100, "one too many"), FOLDER)

    assert metadata.last_listing(FOLDER) is None


def test_the_listing_longest_unused_goes_first(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A walk over a large tree keeps what it is working in."""
    metadata.put_listing(FOLDER, [file(number, f"file {number}") for number in range(4)])
    metadata.put_listing(OTHER_FOLDER, [file(number, f"file {number}") for number in range(10, 14)])
    metadata.listing(FOLDER)

    metadata.put_listing(Uuid("C" * 22), [file(20, "new")])

    assert metadata.last_listing(FOLDER) is not None
    assert metadata.last_listing(OTHER_FOLDER) is None


def test_the_limit_is_kept_however_listings_change(metadata: MetadataCache, file: Callable[..., Entry]) -> None:
    """A listing's size is that of now, not of the day it came."""
    metadata.put_listing(FOLDER, [])
    metadata.put_listing(OTHER_FOLDER, [file(number, f"file {number}") for number in range(ENTRIES_MAX - 3)])

    metadata.put(file(100, "a"), FOLDER)
    metadata.put(file(101, "b"), FOLDER)

    statistics = metadata.statistics()
    assert statistics.listings + statistics.listed_entries <= ENTRIES_MAX


def test_absent_names_are_limited(clock: Clock, file: Callable[..., Entry]) -> None:
    """A program that removes or probes for millions of names does not fill the memory."""
    many = [file(number, f"file {number}") for number in range(ABSENT_NAMES_MAX + 10)]
    metadata = MetadataCache(entries_max=len(many) + 1, ttl_s=TTL_S, negative_ttl_s=NEGATIVE_TTL_S, timer=clock)
    metadata.put_listing(FOLDER, many)

    for each in many:
        metadata.remove(each.id, FOLDER)

    assert metadata.statistics().absent_names == ABSENT_NAMES_MAX


def test_the_cache_tells_how_much_it_knows_and_how_often_that_sufficed(
    metadata: MetadataCache, file: Callable[..., Entry]
) -> None:
    """What `cxfs status` prints."""
    metadata.put_listing(FOLDER, [file(1, "a"), file(2, "b"), file(3, "c")])
    metadata.put(file(4, "d"), FOLDER)
    metadata.remove(file(1, "a").id, FOLDER)

    metadata.listing(FOLDER)
    metadata.child(FOLDER, "b")
    metadata.entry(file(4, "d").id, FOLDER)
    metadata.listing(OTHER_FOLDER)
    metadata.child(OTHER_FOLDER, "b")
    metadata.entry(file(9, "z").id, FOLDER)

    assert metadata.statistics() == MetadataStatistics(
        listings=1, listed_entries=3, single_entries=1, absent_names=1, hits=3, misses=3
    )


def test_a_listing_that_nobody_looked_at_is_believed_for_less_long(
    metadata: MetadataCache, clock: Clock, file: Callable[..., Entry]
) -> None:
    """It was fetched in case somebody would."""
    metadata.put_listing(FOLDER, [file(1, "a")], believed_s=5)

    clock.passes(5)

    assert metadata.listing(FOLDER) is None


def test_a_listing_that_was_looked_at_is_believed_like_any_other(
    metadata: MetadataCache, clock: Clock, file: Callable[..., Entry]
) -> None:
    """From when it was taken, not from when it was looked at."""
    listing = metadata.put_listing(FOLDER, [file(1, "a")], believed_s=5)
    clock.passes(4)

    metadata.looked_at(FOLDER)

    assert listing.expires == listing.taken + metadata.ttl_s


def test_a_folder_that_is_not_known_may_be_looked_at(metadata: MetadataCache) -> None:
    """Its listing may have been too large to keep."""
    metadata.looked_at(FOLDER)

    assert metadata.last_listing(FOLDER) is None
