"""Files and folders as pages. Contract: docs/protocol.md, "Pages"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from cxfs.server.limits import PAGE_ROWS
from cxfs.server.pages.rendering import shown_name, shown_size

if TYPE_CHECKING:
    from cxfs.server.store import Store
    from tests.server.browser import Browser, Page
    from tests.server.person import Person

FILES = "/mycx/files/"
LEVELS = 24
"""Of names with a kilobyte each: more than a request line holds."""
HOSTILE = [
    "<script>alert(1)<\u2215script>",
    '"><img src=x onerror=alert(1)>.txt',
    "{{ 7 * 7 }}{% raw %}",
    "&amp;&lt;b&gt;",
    "'onmouseover='alert(1)",
    "javascript:alert(1)",
    "%2e%2e%2f",
    " ",
    "日本語 🐈",
]


def rows(page: Page) -> list[str]:
    """The names of a folder's entries as they are read, in their order."""
    return [text.split(" ", 1)[1] for text in page.links if text.startswith(("Folder ", "Download "))]


async def test_a_tree_is_walked_by_links(at_home: Browser, ann: Person) -> None:
    """Down into a folder, and up again by the steps above it."""
    await ann.make("/Pictures", "/Pictures/Summer")
    await ann.put("/Pictures/Summer/sea.jpg", b"x" * 2_000, modified="2012-07-01T10:20:30.000Z")

    top = await at_home.open(FILES)
    pictures = await at_home.open(top.links["Folder Pictures"])
    summer = await at_home.open(pictures.links["Folder Summer"])

    assert "Folder Pictures" in top.links
    assert "Download sea.jpg" in summer.links
    assert "2.0 KiB" in summer.text
    assert "2012-07-01" in summer.text
    assert (await at_home.open(summer.links["Pictures"])).links == pictures.links
    assert (await at_home.open(summer.links["My files"])).links == top.links
    assert "2.0 KiB of 977 KiB used" in top.ids["quota"]


async def test_a_file_is_downloaded_and_not_shown(at_home: Browser, ann: Person) -> None:
    """Whatever it says that it is: a browser must not run it as this host."""
    await ann.put('/a "b" ü;\n.html', b"<script>alert(1)</script>", file_content_type="text/html")
    page = await at_home.open(FILES)
    address = next(href for href in page.links.values() if "/download/" in href)

    answer = await at_home.client.get(address)

    assert answer.content == b"<script>alert(1)</script>"
    headers = answer.headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''a%20%22b%22%20%C3%BC%3B%0A.html"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert (headers["cross-origin-resource-policy"], headers["referrer-policy"]) == ("same-origin", "no-referrer")


async def test_a_download_goes_on_where_it_stopped(at_home: Browser, ann: Person) -> None:
    """Ranges and conditions are the transport API's."""
    await ann.put("/a", b"0123456789")
    address = (await at_home.open(FILES)).links["Download a"]

    part = await at_home.client.get(address, headers={"Range": "bytes=4-", "If-Range": '"1"'})

    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"456789", "bytes 4-9/10")


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_is_text_whatever_it_looks_like(at_home: Browser, ann: Person, name: str) -> None:
    """On the page it is read as it is, and the link leads to it."""
    await ann.make(f"/{name}")
    await ann.put(f"/{name}/{name}", b"x")

    page = await at_home.open(FILES)
    inside = await at_home.open(next(href for text, href in page.links.items() if text.startswith("Folder")))

    assert rows(inside) == ([name] if name.strip() else [])
    for each in (page, inside):
        assert {tag for tag, _ in each.tags} & {"script", "b", "iframe", "object"} == set()
        assert [tag for tag, given in each.tags if any(key.startswith("on") for key in given)] == []
    download = next(href for href in inside.links.values() if "/download/" in href)
    assert (await at_home.client.get(download)).content == b"x"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("evil\u202egpj.exe", "evil\ufffdgpj.exe"),
        ("a\nb\x1b\x7f", "a\ufffdb\ufffd\ufffd"),
        ("\u2066x\u2069\u200b\ufeff", "\ufffdx\ufffd\ufffd\ufffd"),
        ("👩\u200d💻 क्\u200dष", "👩\u200d💻 क्\u200dष"),
    ],
)
def test_what_is_not_seen_is_shown(name: str, shown: str) -> None:
    """Characters that turn the rest of a name round would make it look like another."""
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1_023, "1023 bytes"),
        (1_024, "1.0 KiB"),
        (102_400, "100 KiB"),
        (1_048_575, "1.0 MiB"),
        (5 << 40, "5.0 TiB"),
        (1 << 60, "1024 PiB"),
    ],
)
def test_sizes_are_for_people(count: int, shown: str) -> None:
    """Three digits and a unit."""
    assert shown_size(count) == shown


async def test_the_groups_trees_are_there_too(store: Store, at_home: Browser, ben: Person) -> None:
    """With a word to those who may only read."""
    group = administration.add_group(store, "Book club", owner="ben")
    administration.set_member(store, "Book club", "ann", "reader")
    await ben.as_seen_in(group).make("/Minutes")

    page = await at_home.open((await at_home.open(FILES)).links["Book club group"])
    minutes = await at_home.open(page.links["Folder Minutes"])

    assert "not change anything" in page.text
    assert (await at_home.open(minutes.links["Book club"])).links == page.links


@pytest.mark.parametrize("what", ["files", "download"])
async def test_a_strangers_tree_is_not_found(store: Store, at_home: Browser, ben: Person, what: str) -> None:
    """In the words for what is not there."""
    note = await ben.put("/note", b"x")
    root = await ben.describe("/")

    for path in (f"{ben.id}:%2F", f"{ben.id}:{root['id']}", f"{ben.id}:{note['id']}", f"{'A' * 22}:%2F"):
        page = await at_home.open(f"/mycx/{what}/{path}")
        assert (page.status, page.ids["error"]) == (404, "Group or Share not found")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("files/self:%2Fmissing", 404),
        ("files/self:%2Fnote", 409),
        ("download/self:%2F", 409),
        ("download/", 400),
        ("files/nonsense", 400),
        ("files/self:%FF", 400),
        ("files/?offset=-1", 400),
        ("files/?sortby=colour", 400),
        ("elsewhere", 404),
        ("oauth/", 404),
    ],
)
async def test_what_cannot_be_shown_is_a_page_that_says_so(
    at_home: Browser, ann: Person, address: str, status: int
) -> None:
    """Not the JSON that programs get."""
    await ann.put("/note", b"x")

    page = await at_home.open(f"/mycx/{address}")

    assert page.status == status
    assert page.ids["error"]
    assert page.links["To your files"] == FILES


async def test_a_large_folder_has_pages(store: Store, at_home: Browser, ann: Person) -> None:
    """So many entries on each."""
    root = (await ann.describe("/"))["id"]
    with store.transaction() as connection:
        (parent,) = connection.execute("SELECT number FROM nodes WHERE id = ?", (root,)).fetchone()
        connection.executemany(
            "INSERT INTO nodes (id, owner, parent, name, is_folder, version, created_ms, modified_ms)"
            " SELECT ?, owner, number, ?, ?, 1, 0, 0 FROM nodes WHERE number = ?",
            [(f"{number:022}", f"{number:04}", True, parent) for number in range(PAGE_ROWS + 1)],
        )

    first = await at_home.open(FILES)
    second = await at_home.open(FILES + first.links["Next"])

    assert rows(first) == [f"{number:04}" for number in range(PAGE_ROWS)]
    assert rows(second) == [f"{PAGE_ROWS:04}"]
    assert (second.links["Previous"], "Next" in second.links) == ("?sortby=name&sortOrder=asc&offset=0", False)
    assert f"{PAGE_ROWS + 1} to {PAGE_ROWS + 1} of {PAGE_ROWS + 1}" in second.text


async def test_a_heading_sorts_and_turns_round(at_home: Browser, ann: Person) -> None:
    """And says to a screen reader how it is sorted."""
    for name, size in (("a", 2), ("b", 3), ("c", 1)):
        await ann.put(f"/{name}", b"x" * size)
    page = await at_home.open(FILES)

    by_size = await at_home.open(FILES + page.links["Size"])
    turned = await at_home.open(FILES + next(href for text, href in by_size.links.items() if "Size" in text))

    assert [rows(each) for each in (page, by_size, turned)] == [["a", "b", "c"], ["c", "a", "b"], ["b", "a", "c"]]
    assert [given["aria-sort"] for _, given in turned.tags if "aria-sort" in given] == ["descending"]


async def test_a_deep_folder_with_long_names_can_be_opened(at_home: Browser, ann: Person) -> None:
    """Links go by UUID: by names they would not fit into a request line."""
    name = "😀" * 255
    await ann.make("/inner")
    for _ in range(LEVELS - 1):
        await ann.make("/outer")
        await ann.tell("move", "/inner", to=f"self:/outer/{name}")
        await ann.tell("move", "/outer", to="self:/inner")
    await ann.tell("move", "/inner", to=f"self:/{name}")

    page = await at_home.open(FILES)
    for _ in range(LEVELS):
        page = await at_home.open(page.links[f"Folder {name}"])

    assert page.status == 200
    assert page.ids["empty"]
