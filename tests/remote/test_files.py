"""The File API: each call as it goes out, and what a repeated one means."""
# ruff: noqa: FBT001 - autojump_clock works by being asked for; booleans are columns of a table

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.entries import SELF, TreePath, Uuid, UuidPath
from cxfs.core.errors import AlreadyExists, BadReply, NotADirectory, NotEmpty, NotFound, ServerTrouble
from tests.remote.fake_cx import OTHER_UUID, UUID, FakeCx, Heard, file, folder, listing, ok, refusal

if TYPE_CHECKING:
    from cxfs.remote.files import Files

A = TreePath.parse("self:/a")
B = TreePath.parse("self:/b")
THE_OBJECT = UuidPath(SELF, Uuid(UUID))
MAYBE_DONE = httpx.ReadError("the answer was lost")
NOT_DONE = httpx.ConnectError("refused")


def numbered(number: int) -> str:
    """A UUID."""
    return base64.urlsafe_b64encode(number.to_bytes(16)).decode().rstrip("=")


def pages(entries: int, page: int) -> object:
    """A folder of numbered entries, from which a server gives at most `page` at a time."""

    def answer(heard: Heard) -> httpx.Response:
        offset, limit = int(heard.query["offset"]), int(heard.query["limit"])
        numbers = range(offset, min(offset + min(limit, page), entries))
        return listing(*(file(id=numbered(each), name=str(each)) for each in numbers), offset=offset, total=entries)

    return answer


async def test_an_object_is_asked_for_by_its_path(files: Files, cx: FakeCx) -> None:
    """Both kinds of path go wherever a path goes."""
    await files.entry(A)
    await files.entry(THE_OBJECT)

    assert [(each.method, each.path) for each in cx.heard] == [
        ("GET", "/1/files/info/self:%2Fa"),
        ("GET", f"/1/files/info/self:{UUID}"),
    ]


async def test_the_root_is_a_slash(files: Files, cx: FakeCx) -> None:
    """`self:/` in the documentation's notation."""
    cx.answers(listing())

    await files.listing(TreePath.parse("self:/"))

    assert cx.last.path == "/1/files/list/self:%2F"
    assert {key: cx.last.query[key] for key in ("offset", "limit", "sortby", "sortOrder")} == {
        "offset": "0",
        "limit": "1000",
        "sortby": "name",
        "sortOrder": "asc",
    }


async def test_a_small_folder_is_one_request(files: Files, cx: FakeCx) -> None:
    """`find` over 200 folders may make 210."""
    cx.answers(listing(file(name="x"), file(id=OTHER_UUID, name="y")))

    found = await files.listing(A)

    assert [entry.name for entry in found.entries] == ["x", "y"]
    assert found.folder.name == "photos"
    assert len(cx.heard) == 1


@pytest.mark.parametrize(("entries", "page", "requests"), [(2_500, 1_000, 3), (2_000, 1_000, 2), (10, 3, 4), (0, 5, 1)])
async def test_a_large_folder_is_all_its_pages(
    files: Files, cx: FakeCx, entries: int, page: int, requests: int
) -> None:
    """A server may give fewer than it was asked for."""
    cx.answers(pages(entries, page))  # type: ignore[arg-type]

    found = await files.listing(A)

    assert [int(entry.name) for entry in found.entries] == list(range(entries))
    assert len(cx.heard) == requests


async def test_an_entry_that_comes_twice_is_there_once(files: Files, cx: FakeCx) -> None:
    """A folder that grows while it is paged moves its entries to later pages."""
    x, y, z = (file(id=numbered(each), name=str(each)) for each in range(3))
    cx.answers(listing(x, y, total=4), listing(y, z, offset=2, total=4))

    found = await files.listing(A)

    assert [entry.name for entry in found.entries] == ["0", "1", "2"]


async def test_entries_of_one_name_are_all_there(files: Files, cx: FakeCx) -> None:
    """Two objects may have one name; neither is hidden here."""
    cx.answers(listing(file(name="x"), file(id=OTHER_UUID, name="x")))

    assert len((await files.listing(A)).entries) == 2


async def test_a_folder_that_changed_between_pages_is_listed_anew(files: Files, cx: FakeCx) -> None:
    """What moved to an earlier page would otherwise be missing."""
    x, y, z = (file(id=numbered(each), name=str(each)) for each in range(3))
    cx.answers(listing(x, y, total=4), listing(z, offset=2, total=3), listing(x, y, z))

    found = await files.listing(A)

    assert [entry.name for entry in found.entries] == ["0", "1", "2"]
    assert len(cx.heard) == 3


async def test_a_folder_that_never_rests_is_taken_as_it_is(files: Files, cx: FakeCx) -> None:
    """Another client uploads into it all day."""
    number = iter(range(1_000))

    def growing(heard: Heard) -> httpx.Response:
        here = next(number)
        return listing(file(id=numbered(here)), offset=int(heard.query["offset"]), total=2 + here % 2)

    cx.answers(growing)

    assert (await files.listing(A)).entries
    assert len(cx.heard) < 20


@pytest.mark.parametrize("page", [listing(total=5), listing(file(), total=5)], ids=["empty", "the same"])
async def test_a_listing_that_stops_before_its_total_is_a_bad_reply(
    files: Files, cx: FakeCx, page: httpx.Response
) -> None:
    """Not a shorter folder, and not an endless loop."""
    cx.answers(page)

    with pytest.raises(BadReply, match="of 5 entries"):
        await files.listing(A)


async def test_without_a_total_the_pages_end_where_nothing_new_comes(files: Files, cx: FakeCx) -> None:
    """`total` is ours; a server may not know it."""
    first = httpx.Response(200, json={"directory": folder(), "entries": [file()]})
    cx.answers(first)

    assert len((await files.listing(A)).entries) == 1
    assert len(cx.heard) == 2


@pytest.mark.parametrize("kind", ["NotADirectory", ""])
async def test_the_listing_of_a_file_is_an_error(files: Files, cx: FakeCx, kind: str) -> None:
    """The server says so, if only by its status."""
    cx.answers(refusal(409, kind))

    with pytest.raises(NotADirectory):
        await files.listing(A)


async def test_a_folder_is_made_by_its_path(files: Files, cx: FakeCx) -> None:
    """`POST /1/files/mkdir/PATH`."""
    cx.answers(httpx.Response(200, json=folder()))

    made = await files.make_folder(A)

    assert made.is_folder
    assert (cx.last.method, cx.last.path, cx.last.body) == ("POST", "/1/files/mkdir/self:%2Fa", b"")


async def test_a_folder_made_by_the_request_whose_answer_was_lost_is_made(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """A `mkdir` sent twice that says AlreadyExists for a folder succeeded."""
    cx.answers(MAYBE_DONE, refusal(409, "AlreadyExists"), httpx.Response(200, json=folder()))

    assert (await files.make_folder(A)).is_folder
    assert cx.paths == ["/1/files/mkdir/self:%2Fa"] * 2 + ["/1/files/info/self:%2Fa"]


async def test_a_file_where_the_repeated_mkdir_wanted_a_folder_is_in_the_way(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """That was not our doing."""
    cx.answers(MAYBE_DONE, refusal(409, "AlreadyExists"), ok())

    with pytest.raises(AlreadyExists):
        await files.make_folder(A)


@pytest.mark.parametrize("before", [[], [NOT_DONE]], ids=["at once", "after a connection that never came about"])
async def test_a_folder_that_was_there_before_us_exists_already(
    files: Files, cx: FakeCx, before: list[Exception], autojump_clock: object
) -> None:
    """`mkdir` has to tell who came first."""
    cx.answers(*before, refusal(409, "AlreadyExists"))

    with pytest.raises(AlreadyExists):
        await files.make_folder(A)


@pytest.mark.parametrize(("recursive", "form"), [(True, {}), (False, {"recursive": "false"})])
async def test_a_delete_says_when_it_must_not_take_what_is_below(
    files: Files,
    cx: FakeCx,
    recursive: bool,
    form: dict[str, str],
) -> None:
    """Without the word a folder goes with all it holds."""
    cx.answers(httpx.Response(200, json={"status": "ok"}))

    await files.delete(THE_OBJECT, recursive=recursive)

    assert (cx.last.method, cx.last.path, cx.last.form) == ("POST", f"/1/files/delete/self:{UUID}", form)


async def test_a_folder_that_is_not_empty_stays(files: Files, cx: FakeCx) -> None:
    """`rmdir`."""
    cx.answers(refusal(409, "NotEmpty"))

    with pytest.raises(NotEmpty):
        await files.delete(A, recursive=False)


async def test_a_repeated_delete_that_finds_nothing_succeeded(files: Files, cx: FakeCx, autojump_clock: object) -> None:
    """The first one did it, and its answer was lost."""
    cx.answers(MAYBE_DONE, refusal(404, "NotFound"))

    await files.delete(A, recursive=True)

    assert len(cx.heard) == 2


@pytest.mark.parametrize("before", [[], [NOT_DONE]], ids=["at once", "after a connection that never came about"])
async def test_a_delete_of_what_was_never_there_fails(
    files: Files, cx: FakeCx, before: list[Exception], autojump_clock: object
) -> None:
    """Somebody else deleted it, or the name is wrong."""
    cx.answers(*before, refusal(404, "NotFound"))

    with pytest.raises(NotFound):
        await files.delete(A, recursive=True)


@pytest.mark.parametrize(("overwrite", "word"), [(True, "true"), (False, "false")])
async def test_a_move_names_its_target_in_the_body(
    files: Files,
    cx: FakeCx,
    overwrite: bool,
    word: str,
) -> None:
    """As a path, not as a part of a URL: not encoded but once, as a form is."""
    await files.move(THE_OBJECT, TreePath.parse("self:/b/ü &+%2F"), overwrite=overwrite)

    assert (cx.last.method, cx.last.path) == ("POST", f"/1/files/move/self:{UUID}")
    assert cx.last.headers["content-type"] == "application/x-www-form-urlencoded"
    assert cx.last.form == {"to": "self:/b/ü &+%2F", "overwrite": word}


async def test_what_was_moved_belongs_to_the_owner_of_its_target(files: Files, cx: FakeCx) -> None:
    """From one's own tree into a group's."""
    moved = await files.move(A, TreePath.parse(f"{OTHER_UUID}:/a"), overwrite=False)

    assert moved.owner == OTHER_UUID


@pytest.mark.parametrize("says", [refusal(404, "NotFound"), refusal(409, "AlreadyExists")], ids=["gone", "taken"])
async def test_a_repeated_move_by_uuid_succeeded_when_the_object_stands_at_the_target(
    files: Files, cx: FakeCx, says: httpx.Response, autojump_clock: object
) -> None:
    """The UUID proves that it is the one."""
    cx.answers(MAYBE_DONE, says, ok())

    moved = await files.move(THE_OBJECT, B, overwrite=False)

    assert moved.id == UUID
    assert cx.last.path == "/1/files/info/self:%2Fb"


@pytest.mark.parametrize("target", [ok(id=OTHER_UUID), refusal(404, "NotFound")], ids=["another", "nothing"])
@pytest.mark.parametrize("says", ["NotFound", "AlreadyExists"])
async def test_a_repeated_move_by_uuid_failed_when_the_object_is_not_there(
    files: Files, cx: FakeCx, says: str, target: httpx.Response, autojump_clock: object
) -> None:
    """What the server said about the move is the answer."""
    cx.answers(MAYBE_DONE, refusal(404, says), target)

    with pytest.raises((NotFound, AlreadyExists)) as failed:
        await files.move(THE_OBJECT, B, overwrite=False)

    assert type(failed.value).__name__ == says


async def test_a_repeated_move_by_name_succeeded_when_only_the_target_is_there(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """Decided by looking at the target."""
    cx.answers(MAYBE_DONE, refusal(404, "NotFound"), ok())

    assert (await files.move(A, B, overwrite=False)).id == UUID


async def test_a_repeated_move_by_name_to_a_taken_name_did_not_happen(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """The source was found, so it had not been moved."""
    cx.answers(MAYBE_DONE, refusal(409, "AlreadyExists"))

    with pytest.raises(AlreadyExists):
        await files.move(A, B, overwrite=False)

    assert len(cx.heard) == 2


async def test_a_move_that_was_sent_once_and_finds_nothing_failed(files: Files, cx: FakeCx) -> None:
    """No look at the target: it could only mislead."""
    cx.answers(refusal(404, "NotFound"))

    with pytest.raises(NotFound):
        await files.move(A, B, overwrite=True)

    assert len(cx.heard) == 1


async def test_a_copy_names_its_target_and_is_another_object(files: Files, cx: FakeCx) -> None:
    """`POST /1/files/copy/PATH`."""
    cx.answers(ok(id=OTHER_UUID))

    copied = await files.copy(THE_OBJECT, B, overwrite=False)

    assert copied.id == OTHER_UUID
    assert (cx.last.path, cx.last.form) == (f"/1/files/copy/self:{UUID}", {"to": "self:/b", "overwrite": "false"})


async def test_a_copy_whose_answer_was_lost_is_not_sent_again(files: Files, cx: FakeCx) -> None:
    """Nothing would tell the second copy from the first."""
    cx.answers(refusal(500), ok())

    with pytest.raises(ServerTrouble):
        await files.copy(A, B, overwrite=False)

    assert len(cx.heard) == 1


async def test_a_time_of_modification_is_set_in_the_wires_words(files: Files, cx: FakeCx) -> None:
    """`touch -d`, `cp -p`, `rsync -a`."""
    await files.update(THE_OBJECT, 1_350_941_207_700)

    assert (cx.last.path, cx.last.form) == (f"/1/files/update/self:{UUID}", {"modified": "2012-10-22T21:26:47.700Z"})


async def test_the_versions_of_a_file_are_given_newest_first(files: Files, cx: FakeCx) -> None:
    """As the server orders them."""
    cx.answers(httpx.Response(200, json={"versions": [file(version=3), file(version=2, size=1)]}))

    assert [(each.version, each.size) for each in await files.versions(THE_OBJECT)] == [(3, 5), (2, 1)]
    assert cx.last.path == f"/1/files/versions/self:{UUID}"
