"""Names, and the objects behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import BadName, NameTooLong
from cxfs.fs.renaming import Rename
from tests.fs.cloud import at

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts


@pytest.mark.promise
async def test_the_root_is_the_users_own_tree(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The mount shows the user's own tree at its root."""
    await cloud.holds({"a.txt": b"a", "photos/2024/b.jpg": b"b"})

    names = await desk.names()

    assert names == {"a.txt", "photos"}
    assert await desk.reads("photos/2024/b.jpg") == b"b"


@pytest.mark.promise
async def test_an_inode_number_survives_a_rename_by_somebody_else(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """An inode number stays the same for as long as its object lives, over renames here or elsewhere."""
    await cloud.holds({"a.txt": b"a"})
    before = (await desk.stat("a.txt")).inode
    await cloud.renames("a.txt", "b.txt")

    await desk.waits(31)

    assert (await desk.stat("b.txt")).inode == before


@pytest.mark.promise
async def test_an_inode_number_survives_a_remount(mounts: Mounts, clock: MockClock) -> None:
    """An inode number stays the same over remounts, also of a file that was made here before it had a UUID."""
    async with mounts() as desk:
        await desk.writes("new.txt", b"new")
        born = (await desk.stat("new.txt")).inode
        await desk.settles()

    async with mounts() as desk:
        assert (await desk.stat("new.txt")).inode == born


@pytest.mark.promise
async def test_a_rename_does_not_disturb_an_open_file(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A rename does not disturb an open handle."""
    await cloud.holds({"a.txt": b"hello"})
    opened = await desk.opens("a.txt")

    await desk.renames("a.txt", "b.txt")

    assert await desk.all_of(opened) == b"hello"
    assert await desk.names() == {"b.txt"}


@pytest.mark.promise
async def test_a_name_that_linux_cannot_hold_is_shown_escaped(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A name of more than 255 bytes, which Linux cannot hold, is shown cut and tagged with the object's UUID, and its
    listing is complete."""
    long_name = "\N{CAT FACE}" * 255
    await cloud.holds({long_name: b"meow", "plain": b"p"})

    names = await desk.names()

    (escaped,) = names - {"plain"}
    assert len(escaped.encode()) <= 255
    assert (await cloud.entry(long_name)).id in escaped
    assert await desk.reads(escaped) == b"meow"


@pytest.mark.promise
async def test_names_are_exact_bytes(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Names are compared as exact bytes: neither case nor Unicode form is folded."""
    await cloud.holds({"A": b"1", "a": b"2", "\u00e9": b"3", "e\u0301": b"4"})

    names = await desk.names()

    assert names == {"A", "a", "\u00e9", "e\u0301"}
    assert [await desk.reads(name) for name in ("A", "a", "\u00e9", "e\u0301")] == [b"1", b"2", b"3", b"4"]


@pytest.mark.promise
async def test_a_name_that_is_too_long_is_refused_without_asking(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """Making a name of over 255 bytes fails with ENAMETOOLONG, and the server is not asked."""
    with pytest.raises(NameTooLong):
        await desk.creates("x" * 256)

    assert wire.requests == []


@pytest.mark.parametrize(
    "name",
    ["%2F", "-rf", "a\nb", "...", "..a", "#", "?", "100 %", "a&b=c", "a+b", "%cx41", " ", "\t", "\\", "'\"", "日本"],
)
async def test_any_name_comes_back_as_it_was_written(desk: Desk, cloud: Cloud, name: str, clock: MockClock) -> None:
    """What is special in a URL or a shell is nothing special in a name."""
    await desk.writes(name, b"content")
    await desk.makes_folder("d")
    await desk.renames(name, f"d/{name}")
    await desk.settles()

    names = await desk.names("d")

    assert names == {name}
    assert [str(entry.name) for entry in (await cloud.files.listing(at("d"))).entries] == [name]


@pytest.mark.promise
async def test_an_escape_cannot_be_used_to_make_what_it_stands_for(desk: Desk, clock: MockClock) -> None:
    """The sequence `%cx2F` stands for a slash in a shown name, so a new name that holds it is refused with EINVAL."""
    with pytest.raises(BadName):
        await desk.creates("a%cx2Fb")


async def test_exchange_swaps_two_files_that_keep_their_identity(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """RENAME_EXCHANGE is about names; each object keeps its UUID."""
    await cloud.holds({"a": b"1", "b": b"2"})
    was_a = (await cloud.entry("a")).id

    await desk.renames("a", "b", Rename.EXCHANGE)

    assert await cloud.tree() == {"a": b"2", "b": b"1"}
    assert (await cloud.entry("b")).id == was_a
    assert await desk.reads("a") == b"2"


async def test_exchange_works_with_a_file_that_was_not_sent_yet(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Programs cannot know which of two files the server has."""
    await cloud.holds({"a": b"1"})
    await desk.writes("b", b"2")

    await desk.renames("a", "b", Rename.EXCHANGE)
    await desk.settles()

    assert await cloud.tree() == {"a": b"2", "b": b"1"}
