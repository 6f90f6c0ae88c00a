"""When the network, the server or the daemon fails, and when somebody else was faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.errors import NotFound
from tests.fs.cloud import says

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel


@pytest.mark.promise
async def test_a_closed_file_survives_the_daemon(mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """When `close` has returned, the change survives the end of the daemon, and is uploaded when it runs again."""
    async with mounts() as desk:
        await desk.writes("a", b"accepted")
    before = await cloud.tree()

    async with mounts() as desk:
        assert await desk.reads("a") == b"accepted"
        await desk.settles()

    assert before == {}
    assert await cloud.tree() == {"a": b"accepted"}


async def test_a_patched_file_survives_the_daemon_with_the_bytes_that_were_never_fetched(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """The journal knows which bytes are the draft's and which still the base's."""
    await cloud.holds({"a": b"0123456789" * 1000})
    async with mounts() as desk:
        await desk.patches("a", 5, b"xxx")

    async with mounts() as desk:
        await desk.settles()

    assert await cloud.content("a") == b"01234xxx89" + b"0123456789" * 999


@pytest.mark.promise
async def test_writes_are_accepted_while_the_server_cannot_be_reached(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """When the server cannot be reached, writes to files in listed folders go on being accepted; they wait, and are
    sent when it is back."""
    await desk.names()
    wire.goes_offline()
    await desk.writes("a", b"offline")
    await desk.waits(300)

    wire.comes_back()
    await desk.settles()

    assert await cloud.tree() == {"a": b"offline"}


async def test_passing_trouble_is_invisible(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Six kinds of it in a row."""
    await cloud.holds({"a": b"content"})
    troubles = iter(
        [
            says(503, {"errorType": "Unavailable", "message": "soon"}, retry_after_s=1),
            httpx.ConnectError("refused"),
            says(200, ["no object"]),
            says(429, {"errorType": "RateLimited", "message": "slow down"}),
            None,
            says(500, {"errorType": "Internal", "message": "oops"}),
        ]
    )
    wire.before = lambda _: next(troubles, None)

    assert await desk.reads("a") == b"content"


@pytest.mark.promise
async def test_an_upload_whose_answer_got_lost_is_no_conflict(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """An upload whose answer got lost is recognised by its checksum and makes neither a second version nor a
    conflict."""
    await desk.writes("a", b"content")
    losses = iter([True])
    wire.after = lambda request: httpx.ReadError("reset") if request.method == "POST" and next(losses, False) else None

    await desk.settles()

    assert await cloud.tree() == {"a": b"content"}
    assert (await cloud.entry("a")).version == 1


async def test_a_file_written_on_after_a_lost_answer_is_no_conflict(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The journal remembers what was handed over, so that our own version is not taken for somebody else's."""
    await desk.writes("a", b"first")
    losses = iter([True])
    wire.after = lambda request: httpx.ReadError("reset") if request.method == "POST" and next(losses, False) else None
    await desk.volume.uploader.ended()

    await desk.writes("a", b"second")
    await desk.settles()

    assert await cloud.tree() == {"a": b"second"}
    assert (await cloud.entry("a")).version == 2


@pytest.mark.promise
async def test_a_conflict_keeps_both_sides(desk: Desk, cloud: Cloud, kernel: RecordingKernel, clock: MockClock) -> None:
    """When the object changed on the server since the version that a change began from, the server's stays and ours is
    uploaded beside it as `NAME (conflict HOST YYYY-MM-DD).EXT`."""
    await cloud.holds({"a.txt": b"base"})
    handle = await desk.opens("a.txt", writable=True)
    await desk.fs.write(handle, 0, b"ours")
    await cloud.puts("a.txt", b"theirs")

    await desk.closes(handle)
    await desk.settles()

    ours = "a (conflict laptop 2026-05-01).txt"
    assert await cloud.tree() == {"a.txt": b"theirs", ours: b"ours"}
    assert await desk.names() == {"a.txt", ours}
    assert [await desk.reads("a.txt"), await desk.reads(ours)] == [b"theirs", b"ours"]


async def test_a_conflict_is_found_without_the_servers_help(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """Without `conditional-upload` the versions are compared before sending."""
    await cloud.holds({"a": b"base"})
    async with mounts(capabilities=frozenset()) as desk:
        handle = await desk.opens("a", writable=True)
        await desk.fs.write(handle, 0, b"ours")
        await cloud.puts("a", b"theirs")
        await desk.closes(handle)
        await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "a (conflict laptop 2026-05-01)": b"ours"}


async def test_a_new_file_beside_one_that_somebody_made_meanwhile_is_a_conflict(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Two people make a file of the same name: neither replaces the other."""
    await desk.writes("a", b"ours")
    await cloud.puts("a", b"theirs")

    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "a (conflict laptop 2026-05-01)": b"ours"}


async def test_the_same_content_on_both_sides_is_no_conflict(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Two people who saved the same bytes agree."""
    await desk.writes("a", b"same")
    await cloud.puts("a", b"same")

    await desk.settles()

    assert await cloud.tree() == {"a": b"same"}


@pytest.mark.promise
async def test_an_edit_wins_over_a_delete(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A file that is deleted on the server while it is changed here comes back with the change."""
    await cloud.holds({"a": b"base"})
    handle = await desk.opens("a", writable=True)
    await desk.fs.write(handle, 0, b"ours")
    await cloud.deletes("a")

    await desk.closes(handle)
    await desk.settles()

    assert await cloud.tree() == {"a": b"ours"}


@pytest.mark.promise
async def test_a_refusal_parks_the_change(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A refusal that will not go away by itself (quota, permission) parks the change: it is not sent again by itself,
    and stays readable in the mount."""
    wire.before = lambda request: (
        says(507, {"errorType": "QuotaExceeded", "message": "full"}) if request.method == "POST" else None
    )
    await desk.writes("a", b"too much")

    await desk.settles()
    await desk.waits(3600)

    assert wire.count("POST data") == 1
    assert await desk.reads("a") == b"too much"
    assert desk.fs.extended_attribute(await desk.node("a"), b"user.cx.status") == b"parked"


async def test_a_parked_change_survives_the_daemon_and_is_not_sent_by_itself(
    mounts: Mounts, wire: Wire, clock: MockClock
) -> None:
    """Nothing accepted is dropped, and a hopeless upload is not retried at each start."""
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"}) if request.method == "POST" else None
    )
    async with mounts() as desk:
        await desk.writes("a", b"kept")
        await desk.settles()

    async with mounts() as desk:
        await desk.waits(60)
        kept = await desk.reads("a")

    assert kept == b"kept"
    assert wire.count("POST data") == 0


@pytest.mark.promise
async def test_an_upload_that_the_answer_does_not_confirm_is_not_accepted(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """An upload counts as done only when the server's answer agrees with the size and the checksum that were sent."""
    lies = iter([True])
    wire.before = lambda request: (
        says(200, {"id": "A" * 22, "name": "a", "isDir": False, "size": 3, "version": 1})
        if request.method == "POST" and next(lies, False)
        else None
    )

    await desk.writes("a", b"content")
    await desk.settles()

    assert wire.count("POST data") == 2
    assert await cloud.tree() == {"a": b"content"}


async def test_a_thousand_waiting_files_do_not_hammer_a_sick_server(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """The pause is the server's, not each file's."""
    await desk.names()
    wire.goes_offline()
    for number in range(200):
        await desk.writes(f"f{number}", b"x")
    wire.requests.clear()

    await desk.waits(600)

    assert wire.count("POST data") < 100


async def test_a_folder_that_is_gone_is_gone_here_too(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A listing that answers NotFound ends what was believed of the folder."""
    await cloud.holds({"d/a": b"1"})
    await desk.node("d/a")
    folder = await desk.node("d")
    await cloud.deletes("d")
    await desk.waits(31)

    with pytest.raises(NotFound):
        await desk.fs.open_folder(folder)

    assert not await desk.has("d")


async def test_a_server_that_finds_a_conflict_in_everything_is_not_hammered(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Each conflict makes the change go elsewhere at once, which must end somewhere."""
    await cloud.holds({"a": b"theirs"})
    wire.before = lambda request: (
        says(412, {"errorType": "VersionConflict", "message": "no"}) if request.method == "POST" else None
    )

    await desk.patches("a", 0, b"ours")
    await desk.waits(3600)

    assert wire.count("POST data") < 200
