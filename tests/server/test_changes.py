"""Delete, move, copy, update. Contract: docs/protocol.md, "File API"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cxfs.server import administration
from tests.server.person import Person, found_in, refusal_of

if TYPE_CHECKING:
    from cxfs.server.store import Store


async def grown(ann: Person) -> None:
    """A small tree: /full/inner/deep.txt, /empty, /one.txt, /two.txt."""
    await ann.make("/full", "/full/inner", "/empty")
    for path in ("/full/inner/deep.txt", "/one.txt", "/two.txt"):
        await ann.put(path, path.encode())


async def test_delete_takes_a_folder_with_all_it_holds(ann: Person) -> None:
    """[ours] unless `recursive=false` is sent."""
    await grown(ann)

    assert found_in(await ann.tell("delete", "/full")) == {"status": "ok"}

    assert await ann.names("/") == ["empty", "one.txt", "two.txt"]
    assert refusal_of(await ann.page("/full")) == (404, "NotFound")


@pytest.mark.parametrize("where", ["query", "body"])
async def test_delete_can_be_told_to_spare_a_full_folder(ann: Person, where: str) -> None:
    """`rmdir` must not lose what another client has just put there."""
    await grown(ann)
    address = f"/1/files/delete/{ann.path('/full')}"

    query, body = {"query": ("?recursive=false", {}), "body": ("", {"recursive": "false"})}[where]
    spared = await ann.ask("POST", address + query, data=body)
    gone = await ann.tell("delete", "/empty", recursive="false")

    assert refusal_of(spared) == (409, "NotEmpty")
    assert found_in(gone) == {"status": "ok"}
    assert await ann.names("/full/inner") == ["deep.txt"]


async def test_a_repeated_delete_says_not_found(ann: Person) -> None:
    """[ours] section "Retrying": that is how a client knows it was done."""
    await grown(ann)
    await ann.tell("delete", "/one.txt")

    assert refusal_of(await ann.tell("delete", "/one.txt")) == (404, "NotFound")


@pytest.mark.parametrize("call", ["delete", "move", "copy"])
async def test_the_root_stays_where_it_is(ann: Person, call: str) -> None:
    """It has no name to move and no folder to go from; copied, it would be below itself."""
    await grown(ann)

    assert refusal_of(await ann.tell(call, "/", to="self:/empty/x")) == (400, "InvalidPath")


async def test_a_move_keeps_the_uuid_the_version_and_the_times(ann: Person) -> None:
    """It is the same object under another name."""
    await ann.make("/folder")
    before = await ann.put("/note", b"x", modified="2001-02-03T04:05:06.789Z")

    moved = found_in(await ann.tell("move", "/note", to="self:/folder/renamed"))

    folder = await ann.describe("/folder")
    assert moved == {**before, "name": "renamed", "parent": folder["id"]}
    assert moved == await ann.describe("/folder/renamed")
    assert await ann.names("/") == ["folder"]


async def test_a_move_to_where_it_is_changes_nothing(ann: Person) -> None:
    """rename(2) says so, and a client may retry."""
    put = await ann.put("/note", b"x")

    assert found_in(await ann.tell("move", "/note", to="self:/note")) == put


@pytest.mark.parametrize("call", ["move", "copy"])
@pytest.mark.parametrize(
    ("path", "to", "refusal"),
    [
        ("/one.txt", "/two.txt", (409, "AlreadyExists")),
        ("/one.txt", "/empty", (409, "AlreadyExists")),
        ("/full", "/empty", (409, "AlreadyExists")),
        ("/missing", "/new", (404, "NotFound")),
        ("/one.txt", "/missing/new", (404, "NotFound")),
        ("/one.txt", "/two.txt/new", (409, "NotADirectory")),
        ("/full", "/full/below", (400, "InvalidPath")),
        ("/full", "/full/inner/below", (400, "InvalidPath")),
        ("/one.txt", "/", (400, "InvalidPath")),
        ("/one.txt", "/..", (400, "InvalidPath")),
        ("/one.txt", "/" + "x" * 256, (400, "NameTooLong")),
    ],
)
async def test_a_target_must_be_free_and_possible(
    ann: Person, call: str, path: str, to: str, refusal: tuple[int, str]
) -> None:
    """Without `overwrite=true` nothing is replaced."""
    await grown(ann)

    assert refusal_of(await ann.tell(call, path, to=f"self:{to}")) == refusal
    assert await ann.names("/") == ["empty", "full", "one.txt", "two.txt"]


@pytest.mark.parametrize("call", ["move", "copy"])
@pytest.mark.parametrize(
    ("path", "to", "refusal"),
    [
        ("/one.txt", "/empty", (409, "IsADirectory")),
        ("/empty", "/one.txt", (409, "NotADirectory")),
        ("/empty", "/full", (409, "NotEmpty")),
        ("/full/inner", "/full", (409, "NotEmpty")),
        ("/full", "/full/inner", (400, "InvalidPath")),
    ],
)
async def test_overwriting_replaces_like_with_like(
    ann: Person, call: str, path: str, to: str, refusal: tuple[int, str]
) -> None:
    """The rules of rename(2)."""
    await grown(ann)

    assert refusal_of(await ann.tell(call, path, to=f"self:{to}", overwrite="true")) == refusal


async def test_a_move_may_overwrite_a_file(ann: Person) -> None:
    """Editors save so: the new file keeps its own UUID, the old one is gone, and at no moment is there none."""
    await grown(ann)
    one, two = await ann.describe("/one.txt"), await ann.describe("/two.txt")

    moved = found_in(await ann.tell("move", "/one.txt", to="self:/two.txt", overwrite="true"))

    assert moved["id"] == one["id"]
    assert (await ann.download("/two.txt")).content == b"/one.txt"
    assert refusal_of(await ann.page(two["id"])) == (404, "NotFound")
    assert await ann.names("/") == ["empty", "full", "two.txt"]


@pytest.mark.parametrize("condition", [{"ifVersion": "1"}, {"ifTarget": "another"}, {"ifTarget": "", "ifVersion": "1"}])
async def test_a_move_replaces_only_what_was_seen_there(ann: Person, condition: dict[str, str]) -> None:
    """Another object, or another version of it, is somebody else's work."""
    await grown(ann)
    two = await ann.put("/two.txt", b"newer")
    if condition.get("ifTarget") == "":
        condition = {**condition, "ifTarget": two["id"]}

    refused = await ann.tell("move", "/one.txt", to="self:/two.txt", overwrite="true", **condition)
    assert refusal_of(refused) == (412, "VersionConflict")
    assert await ann.names("/") == ["empty", "full", "one.txt", "two.txt"]

    seen = {"ifTarget": two["id"], "ifVersion": str(two["version"])}
    found_in(await ann.tell("move", "/one.txt", to="self:/two.txt", overwrite="true", **seen))
    found_in(await ann.tell("move", "/two.txt", to="self:/one.txt", overwrite="true", **seen))  # nothing is there
    assert await ann.names("/") == ["empty", "full", "one.txt"]


async def test_a_deletion_may_be_of_one_version_only(ann: Person) -> None:
    """What somebody has written since it was looked at stays."""
    await grown(ann)
    two = await ann.put("/two.txt", b"newer")

    assert refusal_of(await ann.tell("delete", "/two.txt", ifVersion="1")) == (412, "VersionConflict")
    assert (await ann.download("/two.txt")).content == b"newer"
    found_in(await ann.tell("delete", "/two.txt", ifVersion=str(two["version"])))

    assert await ann.names("/") == ["empty", "full", "one.txt"]


async def test_a_move_may_overwrite_an_empty_folder(ann: Person) -> None:
    """As rename(2) does."""
    await grown(ann)

    found_in(await ann.tell("move", "/full", to="self:/empty", overwrite="true"))

    assert await ann.names("/empty/inner") == ["deep.txt"]


async def test_a_copy_is_another_object_with_the_same_content(ann: Person) -> None:
    """A new UUID and no history; the modification time is the content's, so it stays."""
    await ann.put("/note", b"old")
    original = await ann.put("/note", b"x", modified="2001-02-03T04:05:06.789Z", file_content_type="text/plain")

    copied = found_in(await ann.tell("copy", "/note", to="self:/again"))

    assert copied["id"] != original["id"]
    assert (copied["version"], copied["modified"]) == (1, "2001-02-03T04:05:06.789Z")
    await ann.put("/note", b"changed since")
    answer = await ann.download("/again")
    assert (answer.content, answer.headers["content-type"].partition(";")[0]) == (b"x", "text/plain")


async def test_a_folder_is_copied_whole(ann: Person) -> None:
    """On the server, without the bytes travelling."""
    await grown(ann)

    await ann.tell("copy", "/full", to="self:/again")
    await ann.tell("delete", "/full")

    assert (await ann.download("/again/inner/deep.txt")).content == b"/full/inner/deep.txt"


async def test_a_copy_cannot_take_the_place_of_its_original(ann: Person) -> None:
    """There would be nothing left to copy."""
    await grown(ann)

    assert refusal_of(await ann.tell("copy", "/one.txt", to="self:/one.txt", overwrite="true")) == (
        409,
        "AlreadyExists",
    )


async def test_update_changes_what_is_named_and_nothing_else(ann: Person) -> None:
    """The capability `attributes`. The version counts contents, so it stays."""
    before = await ann.put("/note", b"x", modified="2001-02-03T04:05:06.789Z")

    described = found_in(await ann.tell("update", "/note", description="§ words"))
    dated = found_in(await ann.tell("update", "/note", modified="1969-12-31T23:59:59.999Z"))

    assert described == {**before, "description": "§ words"}
    assert dated == {**described, "modified": "1969-12-31T23:59:59.999Z"}


async def test_a_folder_has_attributes_too(ann: Person) -> None:
    """`touch -d` works on folders."""
    await ann.make("/folder")

    await ann.tell("update", "/folder", modified="2001-02-03T04:05:06Z")

    assert (await ann.describe("/folder"))["modified"] == "2001-02-03T04:05:06.000Z"


@pytest.mark.parametrize(
    "fields",
    [
        {"modified": "yesterday"},
        {"modified": "2001-02-30T00:00:00Z"},
        {"modified": "2001-02-03 04:05:06"},
        {"modified": "2001-02-03T04:05:06+01:00"},
        {"modified": "٢٠٠١-02-03T04:05:06Z"},
        {"modified": ""},
        {"description": "x" * 4097},
    ],
)
async def test_an_attribute_that_cannot_be_kept_is_refused(ann: Person, fields: dict[str, str]) -> None:
    """Silently storing something else would be worse."""
    await ann.put("/note", b"x")

    assert refusal_of(await ann.tell("update", "/note", **fields)) == (400, "InvalidRequest")


async def test_a_tree_can_be_moved_into_a_group_and_counts_there(store: Store, ann: Person) -> None:
    """[ours] moves within and between owners; the UUIDs stay, the bytes change account, former versions too."""
    group = administration.add_group(store, "band", owner="ann")
    await grown(ann)
    await ann.put("/full/inner/deep.txt", b"longer than before, much longer")
    deep = await ann.describe("/full/inner/deep.txt")

    moved = found_in(await ann.tell("move", "/full", to=f"{group}:/full"))

    quota = found_in(await ann.ask("GET", "/1/users/self"))["profile"]["quota"]
    assert moved == await ann.as_seen_in(group).describe(moved["id"])
    assert (await ann.as_seen_in(group).describe("/full/inner/deep.txt"))["id"] == deep["id"]
    assert quota["totalConsumedWithVersions"] == len("/one.txt") + len("/two.txt")
    assert quota["consumedByGroupFiles"][group]["consumed"] == 31
    assert quota["consumedByGroupFiles"][group]["consumedWithVersions"] == 31 + len("/full/inner/deep.txt")


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart", "query"])
async def test_parameters_come_in_any_form(ann: Person, encoding: str) -> None:
    """Bodies url-encoded or multipart, or the query: the documents are not of one mind."""
    await ann.make("/a+b %2F&c")
    address, fields = f"/1/files/move/{ann.path('/a+b %2F&c')}", {"to": "self:/x+y %2F&z"}
    ways: dict[str, dict[str, Any]] = {
        "urlencoded": {"data": fields},
        "multipart": {"files": {"to": (None, "self:/x+y %2F&z")}},
        "query": {},
    }
    query = {"query": "?to=self%3A%2Fx%2By+%252F%26z"}.get(encoding, "")

    found_in(await ann.ask("POST", address + query, **ways[encoding]))

    assert await ann.names("/") == ["x+y %2F&z"]
