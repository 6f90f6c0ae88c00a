"""What waits, as people see it, and what they decide about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import Invalid, NotFound
from cxfs.core.pending import Kind, Pending, Status
from cxfs.core.ranges import ByteRange
from tests.fs.cloud import says

if TYPE_CHECKING:
    from trio.testing import MockClock

    from cxfs.fs.waiting import Content
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel

FULL = {"errorType": "QuotaExceeded", "message": "full"}


@pytest.fixture
def full(wire: Wire) -> Wire:
    """A server with no room for any upload."""
    wire.before = lambda request: says(507, FULL) if request.method == "POST" else None
    return wire


def row(desk: Desk) -> Pending:
    """The only one there is."""
    (only,) = desk.volume.waiting.rows()
    return only


async def test_a_row_says_what_waits_since_when_and_why(desk: Desk, full: Wire, clock: MockClock) -> None:
    """All that a person needs to decide."""
    await desk.writes("a", b"12345")
    await desk.settles()
    await desk.waits(100)

    found = row(desk)

    assert (found.kind, found.status, found.path, found.size) == (Kind.UPLOAD, Status.PARKED, "a", 5)
    assert (found.attempts, found.reason) == (1, "the server answered 507: full")
    assert found.age_s is not None
    assert 100 <= found.age_s < 110


async def test_each_state_of_a_change_has_its_word(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Open, closed, on its way."""
    handle = await desk.creates("a")
    await desk.fs.write(handle, 0, b"a")
    states = [row(desk).status]
    await desk.closes(handle)
    states.append(row(desk).status)
    wire.holds_back("POST", "data")
    await desk.waits(2)
    states.append(row(desk).status)
    wire.lets_go()
    await desk.settles()

    assert states == [Status.WRITING, Status.WAITING, Status.SENDING]
    assert desk.volume.waiting.rows() == []


async def test_deletions_and_folders_are_rows_too(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """The server has not heard of them either."""
    await cloud.holds({"file": b"x", "folder/": b""})
    async with mounts(settle_s=3600.0) as desk:
        await desk.makes_folder("new")
        await desk.removes("file")
        await desk.removes_folder("folder")

        kinds = {found.path: found.kind for found in desk.volume.waiting.rows()}

    assert kinds == {"new": Kind.MKDIR, "file": Kind.DELETE, "folder": Kind.RMDIR}


async def test_paths_are_those_that_the_mount_shows(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """So that they can be named in the next command."""
    await cloud.holds({"before/": b""})
    async with mounts(settle_s=3600.0) as desk:
        await desk.writes("before/a", b"a")
        await cloud.renames("before", "after")
        await desk.waits(60)
        await desk.stat("after")

        assert row(desk).path == "after/a"


async def test_what_remains_is_counted(mounts: Mounts, cloud: Cloud, full: Wire, clock: MockClock) -> None:
    """For bars and the status."""
    async with mounts() as desk:
        await desk.writes("parked", b"123")
        await desk.settles()
        handle = await desk.creates("open")
        await desk.fs.write(handle, 0, b"12345")

        remaining = desk.volume.waiting.remaining()

    assert (remaining.files, remaining.bytes, remaining.writing) == (1, 5, 1)
    assert (remaining.parked, remaining.parked_bytes) == (1, 3)


# ---------------------------------------------------------------------------------------------- retry


@pytest.mark.promise
async def test_a_parked_change_is_sent_when_it_is_retried(
    desk: Desk, cloud: Cloud, full: Wire, clock: MockClock
) -> None:
    """`cxfs uploads retry` sends a parked change again."""
    await desk.writes("a", b"content")
    await desk.settles()
    full.comes_back()

    count = await desk.volume.waiting.retry([row(desk).id])

    await desk.settles()
    assert count == 1
    assert await cloud.tree() == {"a": b"content"}


async def test_a_retry_survives_the_daemon(mounts: Mounts, cloud: Cloud, full: Wire, clock: MockClock) -> None:
    """It is written down, not only tried."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        await desk.settles()
        full.goes_offline()
        await desk.volume.waiting.retry(None)
    full.comes_back()

    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"content"}


async def test_a_refused_folder_is_made_when_it_is_retried(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And what stands behind it follows."""
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"}) if "mkdir" in request.url.path else None
    )
    await desk.makes_folder("folder")
    await desk.writes("folder/a", b"a")
    await desk.settles()
    wire.comes_back()

    await desk.volume.waiting.retry(None)

    await desk.settles()
    assert await cloud.tree() == {"folder/": b"", "folder/a": b"a"}


async def test_what_is_not_there_any_more_cannot_be_retried(desk: Desk, clock: MockClock) -> None:
    """It was sent between the look and the request."""
    with pytest.raises(NotFound, match="was sent, or taken back"):
        await desk.volume.waiting.retry(["0" * 24])


# ---------------------------------------------------------------------------------------------- discard


@pytest.mark.promise
async def test_a_discarded_change_gives_the_servers_version_back(
    desk: Desk, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """`cxfs uploads discard` drops a parked change: the file is again what the server has, and a new file is gone."""
    await cloud.holds({"old": b"the server's"})
    await desk.reads("old")
    wire.before = lambda request: says(507, FULL) if request.method == "POST" else None
    await desk.writes("old", b"ours, longer than that")
    await desk.writes("new", b"ours")
    await desk.settles()

    for each in desk.volume.waiting.rows():
        await desk.volume.waiting.discard(each.id)

    assert await desk.reads("old") == b"the server's"
    assert (await desk.stat("old")).size == 12
    assert await desk.names() == {"old"}
    assert not await desk.has("new")
    assert (await desk.node("old")).inode in kernel.dropped
    assert (1, "new") in kernel.forgotten


async def test_a_discarded_change_does_not_come_back(
    mounts: Mounts, cloud: Cloud, full: Wire, clock: MockClock
) -> None:
    """Nor does its draft stay."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        await desk.settles()
        await desk.volume.waiting.discard(row(desk).id)
    full.comes_back()

    async with mounts() as desk:
        await desk.settles()
        assert await desk.names() == set()

    assert await cloud.tree() == {}


async def test_a_discarded_name_can_be_written_again(desk: Desk, cloud: Cloud, full: Wire, clock: MockClock) -> None:
    """It is free."""
    await desk.writes("a", b"first")
    await desk.settles()
    await desk.volume.waiting.discard(row(desk).id)
    full.comes_back()

    await desk.writes("a", b"second")

    await desk.settles()
    assert await cloud.tree() == {"a": b"second"}


async def test_only_what_is_parked_is_discarded(desk: Desk, clock: MockClock) -> None:
    """What waits goes to the server; whoever does not want it there deletes the file."""
    await desk.writes("a", b"content")

    with pytest.raises(Invalid, match="a is not parked but waiting"):
        await desk.volume.waiting.discard(row(desk).id)


async def test_what_a_program_has_open_is_not_discarded(desk: Desk, full: Wire, clock: MockClock) -> None:
    """It would read one version here and another there."""
    await desk.writes("a", b"content")
    await desk.settles()
    handle = await desk.opens("a")

    with pytest.raises(Invalid, match="a is open in a program"):
        await desk.volume.waiting.discard(row(desk).id)

    assert await desk.all_of(handle) == b"content"


# ---------------------------------------------------------------------------------------------- content


async def content_of(desk: Desk) -> Content:
    """Of the only row, with nobody waiting."""

    async def nobody() -> None:
        pass

    return await desk.volume.waiting.content(row(desk).id, nobody)


async def test_what_a_draft_does_not_hold_is_fetched_before_it_is_copied(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A patched file of which only the patch is here."""
    await cloud.holds({"a": b"0123456789" * 10})
    wire.before = lambda request: says(507, FULL) if request.method == "POST" else None
    await desk.patches("a", 3, b"xyz")

    content = await content_of(desk)

    assert (content.path, content.size, content.missing) == ("a", 100, ())
    assert content.file.read_bytes() == b"012xyz6789" + b"0123456789" * 9


async def test_what_cannot_be_fetched_is_told(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A copy with holes must not pass for the file."""
    await cloud.holds({"a": b"0123456789" * 10})
    await desk.stat("a")
    await desk.patches("a", 3, b"xyz")
    wire.goes_offline()

    content = await content_of(desk)

    assert content.missing == (ByteRange(0, 3), ByteRange(6, 100))


async def test_a_deletion_has_no_content(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """Nor a folder."""
    await cloud.holds({"a": b"x"})
    async with mounts(settle_s=3600.0) as desk:
        await desk.removes("a")

        with pytest.raises(Invalid, match="no content"):
            await content_of(desk)


async def test_what_a_desktop_is_told_of_is_what_needs_a_person(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is parked for as long as it is, and what went another way than a program was told, once."""
    await cloud.puts("a", b"theirs")
    await desk.reads("a")
    await cloud.puts("a", b"theirs, newer")
    await desk.writes("a", b"ours")
    await desk.settles()
    wire.before = lambda request: says(507, FULL) if request.method == "POST" else None
    await desk.writes("b", b"too much")
    await desk.settles()

    condition = desk.volume.waiting.condition(is_signed_out=False)

    assert list(condition.parked.values()) == ["b"]
    ((path, text),) = condition.reported
    assert path.endswith("/a")
    assert text.startswith("it changed on the server as well")
    assert not desk.volume.waiting.condition(is_signed_out=False).reported
