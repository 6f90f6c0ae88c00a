"""How an address names an object: encodings, UUID paths, names. Contract: docs/protocol.md, "Paths"."""

from __future__ import annotations

import httpx
import pytest

from tests.server.person import Person, found_in, refusal_of

PARAGRAPHS = "§" * 255
FACES = "😀" * 255


@pytest.mark.parametrize(
    "address",
    [
        "self:%2Fphotos%2Fa%20b.txt",
        "self:/photos/a%20b.txt",
        "self:/photos%2Fa%20b.txt",
        "self%3A%2Fphotos%2fa%20b%2etxt",
        "%73%65%6C%66:/%70hotos/a%20b.txt",
    ],
)
async def test_slashes_may_be_encoded_or_not(ann: Person, address: str) -> None:
    """[doc] encoded in full; [seen] clients that sent literal slashes."""
    await ann.make("/photos")
    put = await ann.put("/photos/a b.txt", b"x")

    assert found_in(await ann.ask("GET", f"/1/files/info/{address}")) == put


@pytest.mark.parametrize("owner", ["self", "uuid"])
async def test_self_is_the_callers_own_uuid(ann: Person, owner: str) -> None:
    """Both forms name the same tree."""
    await ann.make("/photos")

    listed = await ann.as_seen_in({"self": "self", "uuid": ann.id}[owner]).names("/")

    assert listed == ["photos"]


@pytest.mark.parametrize(
    "name",
    [
        "a%2Fb",
        "%252F",
        "%",
        "100%25",
        "a+b",
        "a b",
        " ",
        "#hash",
        "what?",
        "a&b=c;d",
        "line\nbreak\n",
        "tab\tcr\r",
        "\x01\x7f",
        "-rf",
        "...",
        "..a",
        "~",
        "a:b",
        "self:",
        "\\",
        "\"quoted'",
        "\u00c5",
        "A\u030a",
        "\u0301",
        "שלום",
        "日本語",
        "👩‍👩‍👧",
        "\ufeff",
        "\u202etxt.exe",
        "￿",
        "𐀀",
        PARAGRAPHS,
        FACES,
    ],
)
async def test_a_name_is_kept_to_the_byte(ann: Person, name: str) -> None:
    """Any UTF-8 up to 255 characters; nothing is normalised, decoded twice or trimmed."""
    await ann.make(f"/{name}")
    await ann.put(f"/{name}/{name}", b"x")
    await ann.tell("move", f"/{name}/{name}", to=f"self:/{name}/2")
    await ann.tell("move", f"/{name}/2", to=f"self:/{name}/{name}")

    assert await ann.names("/") == [name]
    assert await ann.names(f"/{name}") == [name]
    assert (await ann.download(f"/{name}/{name}")).content == b"x"


async def test_composed_and_decomposed_names_are_two_names(ann: Person) -> None:
    """Exact bytes: normalising one would make it unreachable for the client that made it."""
    await ann.make("/\u00c5", "/A\u030a", "/a", "/A")

    assert len(await ann.names("/")) == 4


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("self:%2F..", (400, "InvalidPath")),
        ("self:%2F.", (400, "InvalidPath")),
        ("self:%2Fa%2F%2E%2E%2Fb", (400, "InvalidPath")),
        ("self:%2F%00", (400, "InvalidPath")),
        ("self:%2Fa%00b", (400, "InvalidPath")),
        ("self:%2F%2F", (400, "InvalidPath")),
        ("self:%2Fa%2F", (400, "InvalidPath")),
        ("self:%2Fa%2F%2Fb", (400, "InvalidPath")),
        ("self:%2F%FF", (400, "InvalidPath")),
        ("self:%2F%C3", (400, "InvalidPath")),
        ("self:%2F%ED%A0%80", (400, "InvalidPath")),
        ("self:%2F%C0%AF", (400, "InvalidPath")),
        ("self:", (400, "InvalidPath")),
        ("self", (400, "InvalidPath")),
        ("", (400, "InvalidPath")),
        (":%2Fa", (400, "InvalidPath")),
        ("someone:%2Fa", (400, "InvalidPath")),
        ("self:not-a-uuid", (400, "InvalidPath")),
        ("self:%2F" + "x" * 256, (400, "NameTooLong")),
        ("self:%2F" + "%C2%A7" * 256, (400, "NameTooLong")),
        ("self:" + "%2Fx" * 501, (400, "InvalidPath")),
        ("self:AAAAAAAAAAAAAAAAAAAAAA", (404, "NotFound")),
        ("AAAAAAAAAAAAAAAAAAAAAA:%2F", (404, "NotFound")),
    ],
)
@pytest.mark.parametrize(
    "call", ["GET /1/files/info/", "POST /1/files/mkdir/", "POST /1/files/delete/", "GET /1/data/"]
)
async def test_what_is_no_path_is_refused_as_such(
    ann: Person, call: str, address: str, refusal: tuple[int, str]
) -> None:
    """Overlong and surrogate UTF-8 included: a name that is not text would never come back the same."""
    method, prefix = call.split()

    assert refusal_of(await ann.ask(method, prefix + address)) == refusal


async def test_a_percent_sign_before_anything_else_stands_for_itself(visitor: httpx.AsyncClient, ann: Person) -> None:
    """As URLs are read everywhere; refusing would help nobody."""
    address = httpx.URL("http://cx.test/").copy_with(
        raw_path=f"/1/files/mkdir/self:%2F%ZZ%4?access_token={ann.token}".encode()
    )

    await visitor.post(address)

    assert await ann.names("/") == ["%ZZ%4"]


async def test_a_uuid_path_names_the_object_wherever_it_moves(ann: Person) -> None:
    """[doc] of the UUID path."""
    await ann.make("/a", "/b")
    put = await ann.put("/a/note", b"x")

    await ann.tell("move", "/a/note", to="self:/b/renamed")

    assert (await ann.describe(put["id"]))["name"] == "renamed"
    assert (await ann.download(put["id"])).content == b"x"


async def test_a_uuid_path_is_accepted_wherever_a_path_is(ann: Person) -> None:
    """[ours] every call, and the target of a move and a copy, where it stands for that object's place."""
    await ann.make("/folder", "/empty")
    folder, empty = await ann.describe("/folder"), await ann.describe("/empty")
    old, new = await ann.put("/folder/old", b"old"), await ann.put("/new", b"new")

    assert (await ann.names(folder["id"])) == ["old"]
    assert refusal_of(await ann.tell("mkdir", empty["id"])) == (409, "AlreadyExists")
    assert found_in(await ann.tell("update", new["id"], description="d"))["description"] == "d"
    assert (await ann.put(new["id"], b"newer"))["id"] == new["id"]
    assert len(found_in(await ann.ask("GET", f"/1/files/versions/self:{new['id']}"))["versions"]) == 2
    moved = found_in(await ann.tell("move", new["id"], to=f"self:{old['id']}", overwrite="true"))
    assert (moved["id"], moved["name"], moved["parent"]) == (new["id"], "old", folder["id"])
    assert found_in(await ann.tell("copy", folder["id"], to=f"self:{empty['id']}", overwrite="true"))["name"] == "empty"
    assert found_in(await ann.tell("delete", folder["id"])) == {"status": "ok"}
    assert await ann.names("/") == ["empty"]


async def test_a_uuid_path_holds_only_in_its_owners_tree(ann: Person, ben: Person) -> None:
    """OWNER is part of the name: the same UUID under another owner names nothing."""
    put = await ann.put("/note", b"x")

    assert refusal_of(await ben.ask("GET", f"/1/files/info/self:{put['id']}")) == (404, "NotFound")
    assert refusal_of(await ben.ask("GET", f"/1/files/info/{ann.id}:{put['id']}")) == (404, "NotFound")


async def test_the_deepest_path_has_five_hundred_names(ann: Person) -> None:
    """A limit, on every way to get deeper: a move and a copy carry what is below."""
    deepest = "/a" + "/x" * 249
    await ann.make("/a", *("/a" + "/x" * depth for depth in range(1, 250)), "/taller")
    await ann.tell("copy", "/a", to="self:/b")
    await ann.tell("copy", "/a", to="self:/taller/a")

    assert refusal_of(await ann.tell("move", "/taller", to=f"self:{deepest}/y")) == (400, "InvalidPath")
    assert refusal_of(await ann.tell("copy", "/taller", to=f"self:{deepest}/y")) == (400, "InvalidPath")
    assert found_in(await ann.tell("move", "/b", to=f"self:{deepest}/y"))["name"] == "y"
    assert (await ann.describe(deepest + "/y" + "/x" * 249))["isDir"] is True
    assert refusal_of(await ann.tell("mkdir", deepest + "/y" + "/x" * 250)) == (400, "InvalidPath")
