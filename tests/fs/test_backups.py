"""Editors that set the old file aside and write the new one by its name, which is the old one's next version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.uploads import BACKUP_SETTLE_S
from cxfs.fs.uploader import SETTLE_S

if TYPE_CHECKING:
    from trio.testing import MockClock

    from cxfs.core.entries import Entry
    from tests.fs.cloud import Cloud
    from tests.fs.desk import Desk


async def is_written_anew(desk: Desk, cloud: Cloud) -> Entry:
    """As vim does, which has not deleted the backup yet. What the server had before."""
    await cloud.holds({"a": b"old"})
    before = await cloud.entry("a")
    await desk.reads("a")
    await desk.renames("a", "a~")
    await desk.writes("a", b"new")
    return before


async def is_the_next_version(cloud: Cloud, before: Entry) -> None:
    """Of the same object, and alone."""
    after = await cloud.entry("a")
    assert (after.id, after.version) == (before.id, before.version + 1)
    assert await cloud.tree() == {"a": b"new"}


async def test_an_editor_that_takes_its_time_over_the_backup_saves_a_version(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """As vim on a machine that is busy: longer than any other file would wait for its upload."""
    before = await is_written_anew(desk, cloud)

    await desk.waits((SETTLE_S + BACKUP_SETTLE_S) / 2)
    await desk.removes("a~")
    await desk.settles()

    await is_the_next_version(cloud, before)


async def test_a_backup_is_known_as_one_when_the_kernel_has_forgotten_it_meanwhile(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """It may do so at any time; and the server's word that the file was moved makes it."""
    before = await is_written_anew(desk, cloud)

    backup = await desk.node("a~")
    backup.kernel = False
    desk.volume.tree.nodes.release(backup)
    await desk.removes("a~")
    await desk.settles()

    await is_the_next_version(cloud, before)


async def test_an_editor_that_keeps_its_backup_is_not_waited_for(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The new file is sent all the same, as a file of its own."""
    await is_written_anew(desk, cloud)

    await desk.waits(BACKUP_SETTLE_S + 0.5)

    assert await cloud.tree() == {"a": b"new", "a~": b"old"}


async def test_the_next_save_waits_as_any_other(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """With the backup gone there is nothing to wait for."""
    await is_written_anew(desk, cloud)
    await desk.removes("a~")

    await desk.waits(SETTLE_S + 0.1)

    assert await cloud.tree() == {"a": b"new"}
