"""`.versions`: former versions as read-only folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from cxfs.core.errors import NotADirectory, NotFound, Offline, ReadOnly
from cxfs.fs.filesystem import Wanted
from cxfs.fs.renaming import Rename
from tests.fs.test_offline import goes_offline
from tests.fs.worlds import NOW_MS, TTL_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

AT_MS: Final = 1_350_216_000_000
FIRST: Final = "2012-10-14T12.00.00Z-v1.odt"
SECOND: Final = "2012-10-14T13.00.00Z-v2.odt"
THIRD: Final = "2012-10-14T14.00.00Z-v3.odt"


@pytest.fixture
async def history(cloud: Cloud) -> None:
    """A file with two former versions, and one that was never another, in a folder."""
    await cloud.holds({"folder/": b""})
    for hours, content in enumerate([b"first", b"the second", b"third"]):
        await cloud.puts("folder/report.odt", content, modified_ms=AT_MS + hours * 3_600_000)
    await cloud.puts("folder/new", b"never changed")


async def test_a_files_former_versions_are_files(history: None, mounts: Mounts, clock: MockClock) -> None:
    """Each with its content, size and time, newest last when sorted by name."""
    async with mounts(versions=True) as desk:
        assert sorted(await desk.listed("folder/.versions/report.odt")) == [FIRST, SECOND]

        assert await desk.reads(f"folder/.versions/report.odt/{FIRST}") == b"first"
        assert await desk.reads(f"folder/.versions/report.odt/{SECOND}") == b"the second"
        told = await desk.stat(f"folder/.versions/report.odt/{SECOND}")
        assert (told.size, told.modified_ns, told.is_folder) == (10, (AT_MS + 3_600_000) * 1_000_000, False)
        assert await desk.reads("folder/report.odt") == b"third"


@pytest.mark.parametrize(("mode", "shown"), [(0o644, 0o755), (0o640, 0o750), (0o600, 0o700)], ids=oct)
async def test_who_may_read_a_file_may_enter_the_folder_of_its_versions(
    mounts: Mounts, clock: MockClock, mode: int, shown: int
) -> None:
    """The mode that is kept of a file has no bit for that; root alone would not miss it."""
    async with mounts(versions=True) as desk:
        await desk.writes("report.odt", b"first")
        await desk.fs.set_attributes(await desk.node("report.odt"), Wanted(mode=mode), None)
        await desk.settles()
        await desk.writes("report.odt", b"the second")
        await desk.settles()
        (former,) = await desk.names(".versions/report.odt")

        assert (await desk.stat(".versions/report.odt")).mode == shown
        assert (await desk.stat(f".versions/report.odt/{former}")).mode == mode


async def test_only_files_that_have_been_another_are_told(history: None, mounts: Mounts, clock: MockClock) -> None:
    """The others have no history to look into."""
    async with mounts(versions=True) as desk:
        assert await desk.names("folder/.versions") == {"report.odt"}
        assert await desk.names(".versions") == set()


async def test_versions_stand_in_no_listing(history: None, mounts: Mounts, clock: MockClock, wire: Wire) -> None:
    """What walks through the mount does not walk through its history, and is as fast as without."""
    async with mounts(versions=True) as desk:
        assert await desk.names() == {"folder"}
        assert await desk.names("folder") == {"report.odt", "new"}
        assert await desk.has("folder/.versions")

    assert wire.count("GET files/versions") == 0


async def test_without_the_option_there_are_none(history: None, mounts: Mounts, clock: MockClock) -> None:
    """It is off unless somebody asks for it."""
    async with mounts() as desk:
        assert not await desk.has("folder/.versions")


async def test_a_server_that_keeps_no_versions_has_none(history: None, mounts: Mounts, clock: MockClock) -> None:
    """Nothing is promised for it."""
    async with mounts(versions=True, capabilities=frozenset()) as desk:
        assert not await desk.has("folder/.versions")


async def test_what_is_not_there_has_no_versions(history: None, mounts: Mounts, clock: MockClock) -> None:
    """Neither absent names, nor folders, nor versions themselves."""
    async with mounts(versions=True) as desk:
        await desk.makes_folder("folder/below")

        assert not await desk.has("folder/.versions/absent")
        assert not await desk.has("folder/.versions/below")
        assert not await desk.has("folder/.versions/.versions")
        assert not await desk.has(f"folder/.versions/report.odt/{THIRD}")
        with pytest.raises(NotADirectory):
            await desk.has(f"folder/.versions/report.odt/{FIRST}/below")


# ------------------------------------------------------------------------------------------------ nothing changes

CHANGES: Final[dict[str, Callable[[Desk], Awaitable[object]]]] = {
    "write": lambda desk: desk.opens(f"folder/.versions/report.odt/{FIRST}", writable=True),
    "truncate": lambda desk: desk.truncates(f"folder/.versions/report.odt/{FIRST}", 0),
    "touch": lambda desk: desk.touches(f"folder/.versions/report.odt/{FIRST}", NOW_MS),
    "chmod": lambda desk: chmod(desk, f"folder/.versions/report.odt/{FIRST}"),
    "chmod of the folder": lambda desk: chmod(desk, "folder/.versions"),
    "remove": lambda desk: desk.removes(f"folder/.versions/report.odt/{FIRST}"),
    "remove a file's folder": lambda desk: desk.removes_folder("folder/.versions/report.odt"),
    "remove all": lambda desk: desk.removes_folder("folder/.versions"),
    "make a file": lambda desk: desk.creates("folder/.versions/file"),
    "make a file among versions": lambda desk: desk.creates("folder/.versions/report.odt/file"),
    "make a folder": lambda desk: desk.makes_folder("folder/.versions/more"),
    "move out": lambda desk: desk.renames(f"folder/.versions/report.odt/{FIRST}", "folder/first"),
    "move in": lambda desk: desk.renames("folder/new", "folder/.versions/new"),
    "move a file to its own folder of versions": lambda desk: desk.renames("folder/new", "folder/.versions/report.odt"),
    "move over": lambda desk: desk.renames("folder/new", f"folder/.versions/report.odt/{FIRST}"),
    "exchange": lambda desk: desk.renames("folder/new", f"folder/.versions/report.odt/{FIRST}", Rename.EXCHANGE),
    "rename": lambda desk: desk.renames("folder/.versions", "folder/old"),
    "take its place": lambda desk: desk.renames("folder", "folder2/.versions"),
}


async def chmod(desk: Desk, name: str) -> None:
    await desk.fs.set_attributes(await desk.node(name), Wanted(mode=0o600), None)


@pytest.mark.promise
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_change_is_refused(
    history: None, mounts: Mounts, clock: MockClock, cloud: Cloud, change: Callable[[Desk], Awaitable[object]]
) -> None:
    """In `.versions` every change fails with EROFS."""
    async with mounts(versions=True) as desk:
        await desk.makes_folder("folder2")
        await desk.settles()
        before = await cloud.tree()

        with pytest.raises(ReadOnly):
            await change(desk)

        assert sorted(await desk.listed("folder/.versions/report.odt")) == [FIRST, SECOND]
        await desk.settles()
        assert await cloud.tree() == before


async def test_an_object_of_that_name_is_the_accounts_own(
    history: None, mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """What somebody keeps there is worth more than a way to look at history."""
    await cloud.holds({"folder/.versions/mine": b"my own"})

    async with mounts(versions=True) as desk:
        assert ".versions" in await desk.names("folder")
        assert await desk.reads("folder/.versions/mine") == b"my own"
        await desk.removes("folder/.versions/mine")
        await desk.removes_folder("folder/.versions")

        assert await desk.names("folder/.versions") == {"report.odt"}


# ------------------------------------------------------------------------------------------------ news and identity


async def test_what_is_uploaded_here_makes_a_former_version_at_once(
    history: None, mounts: Mounts, clock: MockClock
) -> None:
    """However long histories are believed."""
    async with mounts(versions=True) as desk:
        await desk.listed("folder/.versions/report.odt")

        for content in (b"fourth", b"fifth"):
            await desk.writes("folder/report.odt", content)
            await desk.settles()

        *before, last = sorted(await desk.listed("folder/.versions/report.odt"))
        assert before == [FIRST, SECOND, THIRD]
        assert await desk.reads(f"folder/.versions/report.odt/{THIRD}") == b"third"
        assert await desk.reads(f"folder/.versions/report.odt/{last}") == b"fourth"


async def test_what_was_is_believed(history: None, mounts: Mounts, clock: MockClock, wire: Wire) -> None:
    """Also when what is said of its file is not any more: the kernel need not ask for it again at each look."""
    async with mounts(versions=True) as desk:
        node = await desk.node(f"folder/.versions/report.odt/{FIRST}")
        await desk.waits(TTL_S + 1)
        wire.requests.clear()

        told, believed_s = await desk.fs.attributes(node)

        assert (told.size, believed_s, wire.requests) == (5, TTL_S, [])


async def test_while_a_change_waits_what_the_server_has_is_a_former_version(
    history: None, mounts: Mounts, clock: MockClock
) -> None:
    """The way back from a change that was just made, and of a file that was never another before."""
    async with mounts(versions=True, settle_s=1e6) as desk:
        await desk.writes("folder/report.odt", b"fourth")
        await desk.writes("folder/new", b"changed")

        assert await desk.reads(f"folder/.versions/report.odt/{THIRD}") == b"third"
        assert await desk.names("folder/.versions") == {"report.odt", "new"}
        assert [
            await desk.reads(f"folder/.versions/new/{name}") for name in await desk.names("folder/.versions/new")
        ] == [b"never changed"]


async def test_what_others_upload_is_seen_after_the_ttl(
    history: None, mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """As everything that others do."""
    async with mounts(versions=True) as desk:
        await desk.listed("folder/.versions/report.odt")
        await cloud.puts("folder/report.odt", b"fourth")
        await desk.waits(TTL_S + 1)

        assert sorted(await desk.listed("folder/.versions/report.odt")) == [FIRST, SECOND, THIRD]


async def test_a_history_is_asked_for_once_in_its_time(
    history: None, mounts: Mounts, clock: MockClock, wire: Wire
) -> None:
    """Not for every name, and not for the content that is here since it was the current one."""
    async with mounts(versions=True) as desk:
        assert await desk.reads("folder/report.odt") == b"third"
        await desk.writes("folder/report.odt", b"fourth")
        await desk.settles()
        wire.requests.clear()

        for _ in range(3):
            for name in await desk.listed("folder/.versions/report.odt"):
                await desk.stat(f"folder/.versions/report.odt/{name}")
        assert await desk.reads(f"folder/.versions/report.odt/{THIRD}") == b"third"

        assert [wire.count("GET files/versions"), wire.count("GET data"), wire.count("POST bundle/get")] == [1, 0, 0]


async def test_a_range_of_a_version_is_fetched_alone(
    mounts: Mounts, cloud: Cloud, clock: MockClock, wire: Wire
) -> None:
    """As of any large file."""
    await cloud.puts("film.mkv", bytes(20 << 20))
    await cloud.puts("film.mkv", b"another")

    async with mounts(versions=True) as desk:
        (name,) = await desk.names(".versions/film.mkv")
        handle = await desk.opens(f".versions/film.mkv/{name}")
        assert await desk.fs.read(handle, 10 << 20, 4096) == bytes(4096)
        await desk.closes(handle)

        assert desk.volume.reader.statistics().fetched_bytes < 10 << 20


async def test_each_has_an_inode_number_that_stays(history: None, mounts: Mounts, clock: MockClock) -> None:
    """Over remounts too, and no two have the same."""
    paths = ["folder/.versions", "folder/.versions/report.odt", f"folder/.versions/report.odt/{FIRST}", "folder"]
    paths += [f"folder/.versions/report.odt/{SECOND}", "folder/report.odt", ".versions"]
    async with mounts(versions=True) as desk:
        first = [(await desk.stat(path)).inode for path in paths]
    async with mounts(versions=True) as desk:
        again = [(await desk.stat(path)).inode for path in reversed(paths)]

    assert again == first[::-1]
    assert len(set(first)) == len(paths)


async def test_versions_go_with_their_file_when_it_moves(history: None, mounts: Mounts, clock: MockClock) -> None:
    """An object keeps its history, wherever it is."""
    async with mounts(versions=True) as desk:
        await desk.makes_folder("elsewhere")
        handle = await desk.opens(f"folder/.versions/report.odt/{FIRST}")
        await desk.renames("folder/report.odt", "elsewhere/moved.odt")

        assert sorted(await desk.listed("elsewhere/.versions/moved.odt")) == [FIRST, SECOND]
        assert await desk.reads(f"elsewhere/.versions/moved.odt/{FIRST}") == b"first"
        assert not await desk.has("folder/.versions/report.odt")
        assert await desk.all_of(handle) == b"first"
        await desk.closes(handle)


async def test_what_nobody_holds_any_more_is_let_go(history: None, mounts: Mounts, clock: MockClock) -> None:
    """Histories that were looked at do not stay in memory."""
    async with mounts(versions=True) as desk:
        before = len(desk.volume.tree.nodes.all())
        node = await desk.node(f"folder/.versions/report.odt/{FIRST}")
        assert len(desk.volume.tree.nodes.all()) == before + 4

        while node.parent is not None:
            above = node.parent
            desk.fs.release(node)
            node = above

        assert len(desk.volume.tree.nodes.all()) == before


async def test_the_folder_of_a_file_that_was_deleted_is_gone(history: None, mounts: Mounts, clock: MockClock) -> None:
    """The server keeps no history of what it does not have."""
    async with mounts(versions=True) as desk:
        node = await desk.node("folder/.versions/report.odt")
        await desk.removes("folder/report.odt")

        with pytest.raises(NotFound):
            await desk.fs.open_folder(node)
        assert not await desk.has("folder/.versions/report.odt")


async def test_a_history_that_is_known_is_told_while_the_server_is_away(
    history: None, mounts: Mounts, clock: MockClock, wire: Wire
) -> None:
    """And so is content that is here; what is not fails as any other."""
    async with mounts(versions=True) as desk:
        await desk.reads(f"folder/.versions/report.odt/{FIRST}")
        await goes_offline(desk, wire)

        assert sorted(await desk.listed("folder/.versions/report.odt")) == [FIRST, SECOND]
        assert await desk.reads(f"folder/.versions/report.odt/{FIRST}") == b"first"
        with pytest.raises(Offline):
            await desk.reads(f"folder/.versions/report.odt/{SECOND}")
