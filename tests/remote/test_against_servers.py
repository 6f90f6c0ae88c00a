"""The client against two servers that share no code with it: ours, and one of the documented core alone.

In this process and without sockets. What both can do is asked of both; what only ours offers, of ours.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.entries import SELF, EntryName, Owner, TreePath
from cxfs.core.errors import (
    AlreadyExists,
    BadName,
    CxfsError,
    NoSpace,
    NotADirectory,
    NotEmpty,
    NotFound,
    SignedOut,
    Stale,
    VersionConflict,
)
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from cxfs.remote.user import Group, User
from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from cxfs.server.store import open_store
from tests.minimal_server import MinimalServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from cxfs.core.entries import Entry
    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls
    from cxfs.server.store import Store

QUOTA_BYTES = 1_000_000
CONTENT = bytes(range(256)) * 10
ROOT = TreePath(SELF, ())


class Bytes:
    """Content in one piece."""

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self._content = content

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._content


class Account:
    """An account on a server, as the client sees it."""

    def __init__(self, session: Session) -> None:
        self.files = Files(session)
        self.transport = Transport(session)
        self.user = User(session)

    async def puts(self, path: str, content: bytes = CONTENT, *, if_version: int | None = None) -> Entry:
        return await self.transport.upload(
            TreePath.parse(path), Bytes(content), modified_ms=1_350_941_207_700, if_version=if_version
        )

    async def makes(self, path: str) -> Entry:
        return await self.files.make_folder(TreePath.parse(path))

    async def names(self, path: str = "self:/") -> list[str]:
        return sorted(entry.name for entry in (await self.files.listing(TreePath.parse(path))).entries)

    async def reads(self, entry: Entry, wanted: ByteRange | None = None, *, pin_version: bool = False) -> bytes:
        """The bytes of a range, cut from whatever the server gave."""
        wanted = wanted or ByteRange(0, entry.size)
        async with self.transport.download(
            entry.path, wanted, version=entry.version, size=entry.size, pin_version=pin_version
        ) as download:
            content = b"".join([piece async for piece in download.pieces()])
        return content[wanted.start - download.range.start : wanted.stop - download.range.start]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    directory = tmp_path / "cx"
    directory.mkdir()
    with open_store(directory) as opened:
        administration.add_user(opened, "ann", quota_bytes=QUOTA_BYTES, email="ann@example.org")
        yield opened


@pytest.fixture
async def ours(store: Store, urls: ServiceUrls) -> AsyncIterator[Account]:
    """An account on our own server."""
    token = administration.issue_token(store, "ann")
    transport = httpx.ASGITransport(make_app(store, offload=InPlace()))
    async with open_session(urls, lambda: token, transport=transport) as session:
        yield Account(session)


@pytest.fixture
async def minimal(urls: ServiceUrls) -> AsyncIterator[Account]:
    """An account on a server of the documented core."""
    transport = httpx.ASGITransport(MinimalServer("secret"))
    async with open_session(urls, lambda: "secret", transport=transport) as session:
        yield Account(session)


@pytest.fixture(params=["ours", "minimal"])
def account(request: pytest.FixtureRequest, ours: Account, minimal: Account) -> Account:
    """The same on each of the two."""
    return ours if request.param == "ours" else minimal


async def test_a_new_account_is_an_empty_folder(account: Account) -> None:
    """The root has an entry of its own."""
    listing = await account.files.listing(ROOT)

    assert listing.folder.is_folder
    assert listing.entries == ()
    assert (await account.files.entry(ROOT)).id == listing.folder.id


async def test_what_is_uploaded_can_be_read_back(account: Account) -> None:
    """Byte for byte."""
    uploaded = await account.puts("self:/a.bin")

    assert uploaded.sha1 == hashlib.sha1(CONTENT).digest()
    assert await account.reads(uploaded) == CONTENT


@pytest.mark.parametrize(
    "wanted", [ByteRange(0, 1), ByteRange(100, 1_000), ByteRange(2_559, 2_560), ByteRange(0, 2_560)]
)
async def test_a_range_of_it_can_be_read(account: Account, wanted: ByteRange) -> None:
    """Whether or not the server knows ranges."""
    uploaded = await account.puts("self:/a.bin")

    assert await account.reads(uploaded, wanted) == CONTENT[wanted.start : wanted.stop]


async def test_an_empty_file_is_a_file(account: Account) -> None:
    """`touch`."""
    uploaded = await account.puts("self:/empty", b"")

    assert (uploaded.size, uploaded.is_folder) == (0, False)
    assert await account.names() == ["empty"]


async def test_content_that_looks_like_a_form_stays_content(account: Account) -> None:
    """Another client's saved request, for one."""
    content = b'\r\n------\r\nContent-Disposition: form-data; name="file"\r\n\r\n--\r\n'

    assert await account.reads(await account.puts("self:/form", content)) == content


async def test_an_upload_to_an_existing_file_is_its_next_version(account: Account) -> None:
    """It keeps its UUID."""
    first = await account.puts("self:/a", b"one")
    second = await account.puts("self:/a", b"two!")

    assert second.id == first.id
    assert second.version > first.version
    assert await account.reads(second) == b"two!"


async def test_an_upload_by_uuid_follows_the_file(account: Account) -> None:
    """It was renamed in between."""
    first = await account.puts("self:/a", b"one")
    await account.files.move(first.path, TreePath.parse("self:/b"), overwrite=False)

    second = await account.transport.upload(first.path, Bytes(b"two"), modified_ms=0, if_version=None)

    assert (second.id, second.name) == (first.id, "b")


async def test_an_upload_into_a_folder_that_is_not_there_is_not_found(account: Account) -> None:
    """Folders are made by mkdir alone."""
    with pytest.raises(NotFound):
        await account.puts("self:/missing/a")


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "é",
        "e\u0301",
        "😀" * 255,
        "a" * 255,
        "%2F",
        "%",
        "#",
        "?",
        "?access_token=x",
        "&",
        "+",
        ";",
        "-rf",
        "\n",
        "\r\n",
        "\t",
        '"',
        "'",
        "\\",
        "...",
        "..a",
        " ",
        "a:b",
        "*",
        "a\x7f",
        "\u202e",
    ],
)
async def test_any_name_goes_there_and_back(account: Account, name: str) -> None:
    """By path into a folder, a file and a move, and out of the listing."""
    path = TreePath(SELF, (EntryName(name),))
    folder = await account.files.make_folder(path)
    below = path.child(EntryName(name))
    uploaded = await account.transport.upload(below, Bytes(b"x"), modified_ms=0, if_version=None)
    moved = await account.files.move(uploaded.path, path.child(EntryName(f"{name[:200]}2")), overwrite=False)

    assert folder.name == name
    assert moved.name == f"{name[:200]}2"
    assert [entry.id for entry in (await account.files.listing(path)).entries] == [uploaded.id]


async def test_a_folder_of_many_pages_is_listed_whole(account: Account) -> None:
    """The minimal server gives 500 at a time, whatever it is asked for."""
    for number in range(1_201):
        await account.makes(f"self:/{number:04}")

    assert await account.names() == [f"{number:04}" for number in range(1_201)]


async def test_a_folder_that_is_there_exists_already(account: Account) -> None:
    """`mkdir` twice."""
    await account.makes("self:/a")

    with pytest.raises(AlreadyExists):
        await account.makes("self:/a")


async def test_a_file_is_no_folder(account: Account) -> None:
    """Its listing says so."""
    await account.puts("self:/a")

    with pytest.raises(NotADirectory):
        await account.names("self:/a")


async def test_a_rename_keeps_the_object(account: Account) -> None:
    """The UUID is the object."""
    uploaded = await account.puts("self:/a")

    moved = await account.files.move(uploaded.path, TreePath.parse("self:/b"), overwrite=False)

    assert moved.id == uploaded.id
    assert await account.names() == ["b"]


async def test_a_folder_moves_with_all_it_holds(account: Account) -> None:
    """By its path."""
    await account.makes("self:/a")
    await account.makes("self:/b")
    await account.puts("self:/a/x")

    await account.files.move(TreePath.parse("self:/a"), TreePath.parse("self:/b/c"), overwrite=False)

    assert await account.names("self:/b/c") == ["x"]


async def test_a_taken_name_is_kept_unless_told_otherwise(account: Account) -> None:
    """RENAME_NOREPLACE, and rename."""
    one, two = await account.puts("self:/one"), await account.puts("self:/two")

    with pytest.raises(AlreadyExists):
        await account.files.move(one.path, TreePath.parse("self:/two"), overwrite=False)
    replaced = await account.files.move(one.path, TreePath.parse("self:/two"), overwrite=True)

    assert replaced.id in {one.id, two.id}
    assert await account.names() == ["two"]


async def test_a_folder_cannot_move_below_itself(account: Account) -> None:
    """It would be gone from the tree."""
    await account.makes("self:/a")

    with pytest.raises(CxfsError, match="the server answered 4"):
        await account.files.move(TreePath.parse("self:/a"), TreePath.parse("self:/a/b"), overwrite=False)


async def test_a_copy_is_another_object(account: Account) -> None:
    """With the same content."""
    uploaded = await account.puts("self:/a")

    copied = await account.files.copy(uploaded.path, TreePath.parse("self:/b"), overwrite=False)

    assert copied.id != uploaded.id
    assert await account.reads(copied) == CONTENT


async def test_a_delete_takes_what_is_below(account: Account) -> None:
    """`rm -r` in one request."""
    await account.makes("self:/a")
    await account.puts("self:/a/x")

    await account.files.delete(TreePath.parse("self:/a"), recursive=True)

    assert await account.names() == []


async def test_what_was_deleted_is_not_found(account: Account) -> None:
    """By path and by UUID, for all calls."""
    uploaded = await account.puts("self:/a")
    await account.files.delete(uploaded.path, recursive=True)

    with pytest.raises(NotFound):
        await account.files.delete(uploaded.path, recursive=True)
    with pytest.raises(NotFound):
        await account.files.entry(TreePath.parse("self:/a"))
    with pytest.raises(NotFound):
        await account.reads(uploaded)


async def test_the_profile_names_the_account(account: Account) -> None:
    """`whoami`, and `df`."""
    await account.puts("self:/a")

    profile = await account.user.profile()

    assert profile.username in {"ann", "minimal"}
    assert profile.consumed_bytes == len(CONTENT)
    assert (profile.capacity_bytes or 0) >= QUOTA_BYTES


async def test_without_groups_there_are_none(account: Account) -> None:
    """With or without the call."""
    assert await account.user.groups() == ()


async def test_a_wrong_token_is_signed_out(store: Store, urls: ServiceUrls) -> None:
    """On ours and on the minimal one."""
    for app in (make_app(store, offload=InPlace()), MinimalServer("secret")):
        async with open_session(urls, lambda: "wrong", transport=httpx.ASGITransport(app)) as session:
            with pytest.raises(SignedOut):
                await Files(session).listing(ROOT)


async def test_a_minimal_server_can_nothing_more(minimal: Account) -> None:
    """So nothing more is asked of it."""
    assert await minimal.user.capabilities() == frozenset()


async def test_our_server_names_what_it_can(ours: Account) -> None:
    """The optional parts that the client uses."""
    assert await ours.user.capabilities() >= {"attributes", "versions", "conditional-upload", "groups"}


async def test_an_empty_folder_alone_is_removed_without_recursion(ours: Account) -> None:
    """`rmdir`."""
    await ours.makes("self:/a")
    await ours.puts("self:/a/x")

    with pytest.raises(NotEmpty):
        await ours.files.delete(TreePath.parse("self:/a"), recursive=False)
    await ours.files.delete(TreePath.parse("self:/a/x"), recursive=False)
    await ours.files.delete(TreePath.parse("self:/a"), recursive=False)

    assert await ours.names() == []


async def test_the_time_of_modification_is_kept(ours: Account) -> None:
    """As given with the upload, and as set later."""
    uploaded = await ours.puts("self:/a")
    assert uploaded.modified_ms == 1_350_941_207_700

    changed = await ours.files.set_modified(uploaded.path, 1_000)

    assert changed.modified_ms == 1_000
    assert (await ours.files.entry(uploaded.path)).modified_ms == 1_000


async def test_an_upload_on_an_old_version_is_refused(ours: Account) -> None:
    """Two writers: the second learns of the first."""
    first = await ours.puts("self:/a", b"one", if_version=0)
    await ours.puts("self:/a", b"two", if_version=first.version)

    with pytest.raises(VersionConflict):
        await ours.puts("self:/a", b"three", if_version=first.version)
    with pytest.raises(VersionConflict):
        await ours.puts("self:/a", b"four", if_version=0)


async def test_an_old_version_can_be_read_on(ours: Account) -> None:
    """An open handle is not disturbed by a writer."""
    first = await ours.puts("self:/a", b"one")
    await ours.puts("self:/a", b"two!")

    assert await ours.reads(first, pin_version=True) == b"one"
    with pytest.raises(Stale):
        await ours.reads(first)


async def test_the_versions_of_a_file_are_listed_newest_first(ours: Account) -> None:
    """Each with its own size."""
    await ours.puts("self:/a", b"1")
    await ours.puts("self:/a", b"22")
    uploaded = await ours.puts("self:/a", b"333")

    assert [each.size for each in await ours.files.versions(uploaded.path)] == [3, 2, 1]


async def test_an_upload_beyond_the_quota_is_refused(ours: Account) -> None:
    """Before it was sent for nothing, where the server can."""
    with pytest.raises(NoSpace):
        await ours.puts("self:/a", bytes(QUOTA_BYTES + 1))


async def test_a_group_has_its_name_and_its_tree(ours: Account, store: Store) -> None:
    """`GROUP:/path` works like `self:/path`."""
    uuid = administration.add_group(store, "Band", owner="ann")
    (group,) = await ours.user.groups()

    assert isinstance(group, Group)
    assert (group.id, group.name) == (uuid, "Band")
    uploaded = await ours.puts(f"{group.id}:/song")
    assert uploaded.owner == Owner(uuid)
    assert await ours.names(f"{uuid}:/") == ["song"]


async def test_a_name_too_long_is_refused_by_name(ours: Account) -> None:
    """Should one slip past our own check."""
    with pytest.raises(BadName):
        await ours.files.make_folder(TreePath(SELF, (EntryName("a" * 256),)))
