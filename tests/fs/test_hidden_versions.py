"""A file is changed here and by somebody else at the same time: until the conflict is found, ours hides theirs.

What nobody here has seen, nobody here replaces or deletes, though the mount's listings know of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import Stale

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud
    from tests.fs.desk import Desk

OURS = "a (conflict laptop 2026-05-01)"


async def changed_by_both(desk: Desk, cloud: Cloud) -> None:
    """`a` has a draft of ours, the server somebody else's next version, and a new listing has told of it."""
    await cloud.holds({"a": b"base", "b": b"other"})
    await desk.reads("a")
    await desk.reads("b")
    await desk.writes("a", b"ours")
    await cloud.puts("a", b"theirs")
    await desk.fs._tree.listing_now(desk.fs.root)
    assert await desk.reads("a") == b"ours"


async def test_what_somebody_else_wrote_survives_the_deletion_of_what_hid_it(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Deleted was what was seen here: the change of ours."""
    await changed_by_both(desk, cloud)

    await desk.removes("a")
    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "b": b"other"}


async def test_what_somebody_else_wrote_survives_when_what_hid_it_is_renamed_over_another_file(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Our content moves; the object that it was a version of has another one by now, and is not cleared away."""
    await changed_by_both(desk, cloud)

    await desk.renames("a", "b")
    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "b": b"ours"}


async def test_a_file_that_somebody_put_in_the_place_of_another_is_not_replaced_unseen(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The one that was seen there has gone elsewhere, so it is not what would be lost."""
    await cloud.holds({"a": b"seen", "d/a": b"ours"})
    await desk.names()
    await desk.names("d")
    await cloud.renames("a", "d/b")
    await cloud.puts("a", b"not seen")

    with pytest.raises(Stale):
        await desk.renames("d/a", "a")

    assert await cloud.tree() == {"a": b"not seen", "d/": b"", "d/a": b"ours", "d/b": b"seen"}


async def test_what_somebody_else_wrote_survives_when_what_hid_it_is_replaced_by_a_new_file(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The new file is the next version of what was seen here, and not of theirs: a conflict."""
    await changed_by_both(desk, cloud)

    await desk.writes("a.tmp", b"ours, saved again")
    await desk.renames("a.tmp", "a")
    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "b": b"other", OURS: b"ours, saved again"}


async def test_what_somebody_else_wrote_survives_when_what_hid_it_is_replaced_by_a_file_that_the_server_knows(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """A move on the server would overwrite it there."""
    await cloud.holds({"c": bytes(300_000)})  # and its content is not here
    await changed_by_both(desk, cloud)

    with pytest.raises(Stale):
        await desk.renames("c", "a")
    await desk.settles()

    assert await cloud.content("a") == b"theirs"
    assert await cloud.content(OURS) == b"ours"


async def test_who_reads_what_becomes_our_side_of_a_conflict_goes_on_with_it(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """One open handle reads one version: it began with ours."""
    await cloud.holds({"a": b"base"})
    await desk.writes("a", b"what we have made of it")
    await cloud.puts("a", b"theirs")
    handle = await desk.opens("a")
    first = await desk.fs.read(handle, 0, 12)

    await desk.settles()

    assert first + await desk.fs.read(handle, 12, 100) == b"what we have made of it"
    await desk.closes(handle)
    assert await desk.reads("a") == b"theirs"


async def test_pages_of_our_side_of_a_conflict_are_not_taken_for_theirs(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The kernel keeps what such a handle reads under the number by which the file was opened."""
    await cloud.holds({"a": b"base"})
    await desk.writes("a", b"ours")
    await cloud.puts("a", b"theirs")
    handle = await desk.opens("a")
    await desk.settles()

    meanwhile = await desk.fs.open(await desk.node("a"), writable=False, truncate=False)
    await desk.closes(meanwhile.handle)
    await desk.closes(handle)
    afterwards = await desk.fs.open(await desk.node("a"), writable=False, truncate=False)
    await desk.closes(afterwards.handle)

    assert meanwhile.direct
    assert not afterwards.direct
    assert not afterwards.keep_cache
