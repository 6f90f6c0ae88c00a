"""What a POSIX system knows of a file beside its content. Contract: docs/protocol.md, "POSIX attributes"."""

from __future__ import annotations

import json
import os
import stat
from base64 import urlsafe_b64encode
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cxfs.server import carrying
from cxfs.server.limits import PAGE_XATTR_BYTES, XATTRS_BYTES_MAX
from cxfs.server.trees import root_of
from tests.server.person import Person, found_in, refusal_of

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from cxfs.server.store import Store

FINE = "2012-10-22T21:26:47.700123456Z"
ALL = {"modified": FINE, "mode": "0750", "xattrs": '{"user.colour":"cmVk"}'}
KEPT = {
    "modified": "2012-10-22T21:26:47.700Z",
    "modifiedNs": FINE,
    "mode": "0750",
    "xattrs": {"user.colour": "cmVk"},
}


def attributes_in(file: dict[str, Any]) -> dict[str, Any]:
    """Those that are set, without the time in milliseconds where there is no finer one."""
    shown = ("modified", "modifiedNs") if "modifiedNs" in file else ()
    return {name: file[name] for name in (*shown, "mode", "xattrs", "link") if name in file}


async def put_bundle(person: Person, *brought: tuple[dict[str, Any], bytes]) -> httpx.Response:
    """All of them: first the list, then the files in its order."""
    items: tuple[str | None, bytes] = (None, json.dumps([item for item, _ in brought]).encode())
    files = [("items", items), *(("file", ("x", content)) for _, content in brought)]
    return await person.ask("POST", "/1/bundle/put", files=files)


def shown(value: bytes) -> str:
    """As values of extended attributes travel."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


async def test_who_sets_none_is_shown_none(ann: Person) -> None:
    """What is old clients' business stays as it was."""
    await ann.make("/folder")
    file = await ann.put("/a", b"a", modified="2012-10-22T21:26:47.700Z")

    assert attributes_in(file) == {}
    assert attributes_in(await ann.describe("/folder")) == {}


async def test_attributes_travel_with_an_upload(ann: Person) -> None:
    """One request makes the file as it is to be."""
    assert attributes_in(await ann.put("/a", b"a", **ALL)) == KEPT
    assert attributes_in(await ann.describe("/a")) == KEPT
    assert [attributes_in(entry) for entry in (await ann.page("/")).json()["entries"]] == [KEPT]


async def test_attributes_travel_with_a_bundle(ann: Person) -> None:
    """Many small files keep theirs in one request."""
    item = {"path": "self:/a", "modified": FINE, "mode": "0750", "xattrs": {"user.colour": "cmVk"}}
    links = {"path": "self:/l", "link": "a"}

    results = found_in(await put_bundle(ann, (item, b"a"), (links, b"marked")))["results"]

    assert attributes_in(results[0]) == KEPT
    assert (results[1]["link"], results[1]["size"]) == ("a", 6)


async def test_attributes_travel_with_a_new_folder(ann: Person) -> None:
    """As files."""
    assert attributes_in(found_in(await ann.tell("mkdir", "/f", **ALL))) == KEPT


async def test_an_update_changes_what_it_names(ann: Person) -> None:
    """And nothing else: two programs that set different things do not undo each other."""
    await ann.put("/a", b"a", **ALL)

    after = found_in(await ann.tell("update", "/a", xattrs='{"user.colour":null,"user.size":"WEw"}'))
    last = found_in(await ann.tell("update", "/a", mode="644"))

    assert attributes_in(after) == {**KEPT, "xattrs": {"user.size": "WEw"}}
    assert attributes_in(last) == {**KEPT, "xattrs": {"user.size": "WEw"}, "mode": "0644"}
    assert last["version"] == 1


async def test_the_last_extended_attribute_may_go(ann: Person) -> None:
    """Then there are none to be shown."""
    await ann.put("/a", b"a", **ALL)

    after = found_in(await ann.tell("update", "/a", xattrs='{"user.colour":null}'))

    assert "xattrs" not in after


async def test_an_upload_brings_all_extended_attributes_or_leaves_them(ann: Person) -> None:
    """A file that takes another's place does not inherit what was said of that one; a new content alone keeps it."""
    await ann.put("/a", b"a", **ALL)

    kept = await ann.put("/a", b"b")
    replaced = await ann.put("/a", b"c", xattrs='{"user.size":"WEw"}', mode="0600")

    assert attributes_in(kept) == {"mode": "0750", "xattrs": {"user.colour": "cmVk"}}
    assert attributes_in(replaced) == {"mode": "0600", "xattrs": {"user.size": "WEw"}}


async def test_a_coarser_time_takes_the_finer_away(ann: Person) -> None:
    """Or the two would not belong together."""
    await ann.put("/a", b"a", **ALL)

    after = found_in(await ann.tell("update", "/a", modified="2013-01-01T00:00:00Z"))

    assert (after["modified"], "modifiedNs" in after) == ("2013-01-01T00:00:00.000Z", False)


async def test_a_folder_that_gets_a_name_has_the_time_of_that(ann: Person) -> None:
    """To the nanosecond: nothing is left of what was set before."""
    await ann.tell("mkdir", "/f", **ALL)

    await ann.put("/f/a", b"a")

    after = await ann.describe("/f")
    assert attributes_in(after) == {"mode": "0750", "xattrs": {"user.colour": "cmVk"}}


async def test_a_link_is_an_upload_that_says_where_it_leads(ann: Person) -> None:
    """Whoever knows no links sees the file that was sent."""
    file = await ann.put("/l", b"marked", link="../elsewhere", modified=FINE)

    assert (file["link"], file["size"], file["isDir"]) == ("../elsewhere", 6, False)
    assert (await ann.download("/l")).content == b"marked"
    assert "link" not in await ann.put("/l", b"a file")


async def test_versions_keep_what_belongs_to_the_content(ann: Person) -> None:
    """Its time and whether it was a link; mode and extended attributes are the file's."""
    await ann.put("/a", b"marked", link="x", **ALL)
    await ann.put("/a", b"b", mode="0600")

    now, before = found_in(await ann.ask("GET", f"/1/files/versions/{ann.path('/a')}"))["versions"]

    assert "link" not in now
    assert (before["link"], before["modifiedNs"], before["mode"]) == ("x", FINE, "0600")


@pytest.mark.parametrize("call", ["copy", "move"])
async def test_copies_and_moves_keep_all(ann: Person, call: str) -> None:
    """Of folders and what is in them."""
    await ann.tell("mkdir", "/f", mode="0700")
    await ann.put("/f/a", b"a", **ALL)
    await ann.put("/f/l", b"marked", link="a")
    await ann.tell("update", "/f", **ALL)

    await ann.tell(call, "/f", to="self:/g")

    entries = (await ann.page("/g")).json()["entries"]
    assert attributes_in(await ann.describe("/g")) == KEPT
    assert [attributes_in(entry) for entry in entries] == [KEPT, {"link": "a"}]


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "9"},
        {"mode": "0o755"},
        {"mode": "17777"},
        {"mode": "-755"},
        {"xattrs": "[]"},
        {"xattrs": '{"user.a":1}'},
        {"xattrs": '{"user.a":"a"}'},
        {"xattrs": '{"user.a":"YQ=="}'},
        {"xattrs": '{"trusted.a":"YQ"}'},
        {"xattrs": '{"user.":"YQ"}'},
        {"xattrs": '{"user.%s":"YQ"}' % ("a" * 251)},
        {"xattrs": '{"user.\\u0000":"YQ"}'},
        {"modified": "yesterday"},
    ],
)
async def test_what_is_no_attribute_is_refused(ann: Person, fields: dict[str, str]) -> None:
    """By every call that takes it; nothing of the call is done."""
    await ann.put("/a", b"a")

    said = [
        await ann.tell("update", "/a", **fields),
        await ann.tell("mkdir", "/new", **fields),
        await ann.upload("/new", b"", **fields),
    ]

    assert [refusal_of(each) for each in said] == [(400, "InvalidRequest")] * 3
    assert await ann.names("/") == ["a"]


@pytest.mark.parametrize("link", ["", "a\0b", "x" * 4_096])
async def test_a_link_that_leads_nowhere_is_refused(ann: Person, link: str) -> None:
    """Linux could not show it."""
    said = await put_bundle(ann, ({"path": "self:/l", "link": link}, b"marked"))

    assert found_in(said)["results"][0]["errorType"] == "InvalidRequest"


async def test_extended_attributes_have_room_for_one_of_the_longest(ann: Person) -> None:
    """Linux's largest value, less its name; one byte more is refused, and what was there stays."""
    await ann.put("/a", b"a")
    longest = shown(bytes(XATTRS_BYTES_MAX - len("user.a")))

    fits = await ann.tell("update", "/a", xattrs=f'{{"user.a":"{longest}"}}')
    more = await ann.tell("update", "/a", xattrs='{"user.b":""}')

    assert found_in(fits)["xattrs"] == {"user.a": longest}
    assert refusal_of(more) == (413, "RequestTooLarge")
    assert (await ann.describe("/a"))["xattrs"] == {"user.a": longest}


async def test_the_most_that_an_object_can_have_fits_into_each_request(ann: Person) -> None:
    """Many short names are the longest form."""
    count = XATTRS_BYTES_MAX // 10
    names = [f"user.{first}{second}" for first in map(chr, range(93, 189)) for second in map(chr, range(35, 126))]
    most = msgspec.json.encode(dict.fromkeys(names[:count], "QQ")).decode()

    uploaded = await ann.put("/a", b"a", xattrs=most)
    await ann.put("/b", b"b")
    updated = found_in(await ann.tell("update", "/b", xattrs=most))

    assert len(uploaded["xattrs"]) == len(updated["xattrs"]) == count


async def test_a_page_ends_where_extended_attributes_make_it_long(ann: Person) -> None:
    """A client asks on from there, as from any page that is shorter than it asked for."""
    value = shown(bytes(60_000))
    count = PAGE_XATTR_BYTES // len(value) + 2
    for number in range(count):
        await ann.put(f"/{number:02}", b"", xattrs=f'{{"user.a":"{value}"}}')

    first = (await ann.page("/")).json()
    rest = (await ann.page("/", f"?offset={len(first['entries'])}")).json()

    assert first["total"] == count
    assert 1 < len(first["entries"]) < count
    assert [entry["name"] for entry in first["entries"] + rest["entries"]] == [
        f"{number:02}" for number in range(count)
    ]


def unheard(files: int, size: int) -> None:
    """Progress that nobody watches."""


def grown(folder: Path) -> Path:
    """A tree with some of everything."""
    (folder / "below").mkdir(parents=True)
    (folder / "below/program").write_bytes(b"#!/bin/sh\n")
    (folder / "below/program").chmod(0o755)
    (folder / "secret").write_bytes(b"")
    (folder / "secret").chmod(0o600)
    (folder / "link").symlink_to("below/./program")
    (folder / "broken").symlink_to("/nowhere")
    os.utime(folder / "secret", ns=(1, 1_234_567_890_123_456_789))
    os.utime(folder / "link", ns=(1, 987_654_321_000_000_001), follow_symlinks=False)
    (folder / "below").chmod(0o700)
    os.utime(folder / "below", ns=(1, 1_111_111_111_222_222_222))
    os.setxattr(folder / "secret", "user.colour", b"red\0\xff")
    return folder


def described(folder: Path) -> dict[str, tuple[object, ...]]:
    """Mode, time, target, content and extended attributes of each thing in the tree."""
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(state.st_mode) else None
        names = [] if path.is_symlink() else os.listxattr(path)
        found[str(path.relative_to(folder))] = (
            state.st_mode,
            state.st_mtime_ns,
            os.readlink(path) if path.is_symlink() else None,  # noqa: PTH115 - a Path would tidy it
            content,
            {name: os.getxattr(path, name) for name in names},
        )
    return found


async def test_a_tree_comes_out_as_it_went_in(store: Store, ann: Person, tmp_path: Path) -> None:
    """Import and export keep modes, times, links and extended attributes."""
    original = grown(tmp_path / "original")
    caller = carrying.caller_named(store, "ann")

    root = store.look(partial(root_of, owner=caller.number))
    carried = carrying.Import(store, caller, root, unheard).run(original)
    carrying.export_tree(store, root, tmp_path / "copy", unheard)

    assert carried.skipped == []
    assert described(tmp_path / "copy") == described(original)
    assert (await ann.download("/link")).content.startswith(b"XSym\n0015\n")
