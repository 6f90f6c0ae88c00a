"""The client against two servers that share no code with it: ours, and one of the documented core alone.

In this process and without sockets. Only what both can do is asked here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.entries import SELF, EntryName, TreePath
from cxfs.core.errors import AlreadyExists, CxfsError, NotADirectory, NotFound, SignedOut
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.session import open_session
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from tests.minimal_server import MinimalServer
from tests.remote.account import CONTENT, QUOTA_BYTES, Bytes

if TYPE_CHECKING:
    from cxfs.remote.urls import ServiceUrls
    from cxfs.server.store import Store
    from tests.remote.account import Account

ROOT = TreePath(SELF, ())


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
