"""A day's work, thirty deeds and more, with one request that fails: each in turn, in each way that a request can fail.

What the account holds in the end is the same as without the failure: nothing is lost, nothing is there twice, nobody is
accused of a conflict, and no program is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from cxfs.fs.renaming import Rename
from cxfs.fs.uploader import SETTLE_S
from tests.fs.cloud import says
from tests.fs.worlds import TTL_S, World, live

if TYPE_CHECKING:
    from collections.abc import Awaitable, Container, Iterable
    from pathlib import Path

    from cxfs.core.posix import Posix
    from cxfs.server.store import Store
    from tests.fs.cloud import Cloud
    from tests.fs.desk import Desk

LONG: Final = bytes(range(256)) * 300
BEGINNING: Final = {
    "docs/report": b"the first report",
    "docs/old": b"to be deleted",
    "docs/open": b"deleted while open",
    "shared": b"replaced by an editor",
    "left": b"L",
    "right": b"R",
    "contested": b"base",
    "theirs": b"deleted by them",
    "long": LONG,
    "attic/": b"",
}

Deed = tuple[str, "Callable[[Desk, Cloud], Awaitable[object]]"]


async def edit_like_an_editor(desk: Desk, name: str, content: bytes) -> None:
    """A temporary file over the real one."""
    await desk.writes(f"{name}.tmp", content)
    await desk.renames(f"{name}.tmp", name)


async def write_by_two(desk: Desk) -> None:
    """Two programs, each in its part."""
    first, second = await desk.opens("long", writable=True), await desk.opens("long", writable=True)
    await desk.fs.write(first, 10, b"first writer")
    await desk.fs.write(second, 60_000, b"second writer")
    await desk.closes(first)
    await desk.fs.write(second, 70_000, b"after the other's close")
    await desk.closes(second)


async def append(desk: Desk, name: str, content: bytes) -> None:
    """What `>>` does."""
    await desk.patches(name, (await desk.stat(name)).size, content)


async def unlink_while_open(desk: Desk) -> None:
    """It can be read to its last close."""
    handle = await desk.opens("docs/open")
    await desk.removes("docs/open")
    assert await desk.all_of(handle) == b"deleted while open"
    await desk.closes(handle)


async def write_and_take_back(desk: Desk) -> None:
    """Never sent."""
    await desk.writes("nothing", b"never to be seen")
    await desk.removes("nothing")


async def edit_what_they_edit(desk: Desk, cloud: Cloud) -> None:
    """A conflict, and a real one."""
    await desk.patches("contested", 0, b"OURS")
    await cloud.puts("contested", b"what they made of it")


async def edit_what_they_delete(desk: Desk, cloud: Cloud) -> None:
    """The edit wins."""
    await desk.writes("theirs", b"ours all the same")
    await cloud.deletes("theirs")


async def save_again_and_again(desk: Desk) -> None:
    """The second save comes when the first was just sent; where its answer was lost, before it is sent again."""
    await desk.writes("often", b"shorter than before")
    await desk.waits(SETTLE_S + 0.2)
    await desk.writes("often", b"the second")


async def unpack(desk: Desk) -> None:
    """Many small files, which go together; one is written again at once."""
    for name in "pqrs":
        await desk.writes(f"tree-{name}", b"unpacked " + name.encode())
    await desk.writes("tree-q", b"and configured")


async def clear_away(desk: Desk) -> None:
    """All but one, and that changed."""
    for name in "prs":
        await desk.removes(f"tree-{name}")
    await desk.writes("tree-q", b"what is left of it")


async def dress(desk: Desk, name: str, mode: int, colour: bytes) -> None:
    """A mode, and an extended attribute where the server keeps any."""
    await desk.sets_mode(name, mode)
    if desk.fs.lists_attributes:
        await desk.sets(name, "user.colour", colour)


async def undress(desk: Desk, name: str) -> None:
    """Takes the extended attribute away."""
    if desk.fs.lists_attributes:
        await desk.takes_away(name, "user.colour")


DEEDS: Final[tuple[Deed, ...]] = (
    ("make a folder", lambda desk, _: desk.makes_folder("new")),
    ("write a new file into it", lambda desk, _: desk.writes("new/a", b"a new file")),
    ("read a part of a file", lambda desk, _: desk.reads("long")),
    ("overwrite a few bytes", lambda desk, _: desk.patches("docs/report", 4, b"FIRST")),
    ("set a file's time before it is sent", lambda desk, _: desk.touches("new/a", 1_111_111_111_000)),
    ("dress it, too", lambda desk, _: dress(desk, "new/a", 0o750, b"red")),
    ("make a link", lambda desk, _: desk.links("link", "new/a")),
    ("dress what the server has", lambda desk, _: dress(desk, "left", 0o600, b"blue")),
    ("and a folder that it has not", lambda desk, _: dress(desk, "new", 0o700, b"green")),
    ("wait", lambda desk, _: desk.settles()),
    ("rename a file", lambda desk, _: desk.renames("new/a", "new/b")),
    ("undress what was dressed", lambda desk, _: undress(desk, "left")),
    ("dress what is changed next", lambda desk, _: dress(desk, "docs/report", 0o440, b"black")),
    ("save like an editor", lambda desk, _: edit_like_an_editor(desk, "shared", b"saved by the editor")),
    ("and again, before that is sent", lambda desk, _: edit_like_an_editor(desk, "shared", b"saved once more")),
    ("delete a file", lambda desk, _: desk.removes("docs/old")),
    ("make a folder in the folder", lambda desk, _: desk.makes_folder("new/sub")),
    ("write into that", lambda desk, _: desk.writes("new/sub/c", b"in the deep")),
    ("rename the upper folder", lambda desk, _: desk.renames("new", "moved")),
    ("truncate", lambda desk, _: desk.truncates("docs/report", 9)),
    ("write by two programs", lambda desk, _: write_by_two(desk)),
    ("append to what waits", lambda desk, _: append(desk, "moved/sub/c", b", and deeper")),
    ("set the time of what waits", lambda desk, _: desk.touches("moved/sub/c", 1_333_333_333_000)),
    ("unlink what is open", lambda desk, _: unlink_while_open(desk)),
    ("swap two files", lambda desk, _: desk.renames("left", "right", Rename.EXCHANGE)),
    ("unpack an archive", lambda desk, _: unpack(desk)),
    ("remove a folder", lambda desk, _: desk.removes_folder("attic")),
    ("write and take back", lambda desk, _: write_and_take_back(desk)),
    ("save", lambda desk, _: desk.writes("often", b"what was saved first is the longest")),
    ("save a new file like an editor", lambda desk, _: edit_like_an_editor(desk, "often", b"the longest in the end")),
    ("save again and again", lambda desk, _: save_again_and_again(desk)),
    ("let all arrive", lambda desk, _: desk.settles()),
    ("clear away what was unpacked", lambda desk, _: clear_away(desk)),
    ("edit what they edit", edit_what_they_edit),
    ("edit what they delete", edit_what_they_delete),
    ("let that arrive", lambda desk, _: desk.settles()),
    ("set a file's time after it was sent", lambda desk, _: desk.touches("moved/b", 1_222_222_222_000)),
    ("dress it once more", lambda desk, _: dress(desk, "moved/b", 0o711, b"white")),
    ("rename over a file that the server knows", lambda desk, _: desk.renames("moved/b", "docs/report")),
    ("rename where nothing is", lambda desk, _: desk.renames("long", "longer", Rename.NOREPLACE)),
    ("append to what was sent", lambda desk, _: append(desk, "longer", b"the end")),
    ("write once more, while that is sent", lambda desk, _: desk.writes("shared", b"the last save")),
)


@dataclass(frozen=True)
class Ending:
    """How a story ended: what the account holds, each file's version, what the mount shows, what people are told."""

    tree: dict[str, bytes]
    versions: dict[str, int] = field(compare=False)
    shown: dict[str, bytes]
    times: dict[str, int]
    posix: dict[str, Posix]
    reports: list[tuple[str, str]]
    left: int


async def told(world: World, capabilities: frozenset[str] | None) -> Ending:
    """Everything, from an account as others left it to the last upload."""
    await world.cloud.holds(BEGINNING)
    async with world.mounts(capabilities=capabilities) as desk:
        for _, deed in DEEDS:
            await deed(desk, world.cloud)
        await desk.settles()
        tree = await world.cloud.tree()
        files = [name for name in tree if not name.endswith("/")]
        await desk.waits(TTL_S + 1)
        return Ending(
            tree=tree,
            versions={name: (await world.cloud.entry(name)).version for name in files},
            shown={name: await desk.reads(name) for name in files if await desk.has(name)},
            times={name: (await world.cloud.entry(name)).modified_ms for name in ("moved/sub/c", "docs/report")},
            posix={name: (await world.cloud.entry(name.rstrip("/"))).posix for name in tree},
            reports=desk.reports(),
            left=desk.volume.left,
        )


@dataclass
class Failure:
    """Requests of these numbers, counted from 1, fail in a way of their own. What they were is told in `what`.

    `calls` are those of all requests.
    """

    at: Container[int]
    how: str
    count: int = 0
    what: str = ""
    calls: set[str] = field(default_factory=set)

    def before(self, request: httpx.Request) -> Exception | httpx.Response | None:
        """It does not arrive, or the server says that it is in trouble."""
        self.count += 1
        self.calls.add("/".join(request.url.path.split("/")[2:4]))
        if self.count in self.at:
            self.what += f"{request.method} {request.url.path} "
            if self.how == "does not arrive":
                return httpx.ReadError("connection reset", request=request)
            if self.how == "is answered by trouble":
                return says(503, {"errorType": "Unavailable", "message": "a moment"})
        return None

    def after(self, request: httpx.Request) -> Exception | None:
        """It was done, and nobody hears of it."""
        if self.how == "is done and its answer lost" and self.count in self.at:
            return httpx.ReadError("connection reset", request=request)
        return None


Life = Callable[[Failure], Ending]
"""The whole story, with a failure in it."""


CAPABILITIES: Final = {
    "all": None,
    "all but bundles": frozenset({"attributes", "versions", "conditional-upload", "groups", "posix"}),
    "none": frozenset[str](),
}


@pytest.fixture(params=CAPABILITIES)
def life(store: Store, folder: Path, request: pytest.FixtureRequest) -> Life:
    """With all that the server can do beyond the core, with some, and with none of it."""
    capabilities = CAPABILITIES[request.param]

    def lived(failure: Failure) -> Ending:
        async def story(world: World) -> Ending:
            world.wire.before, world.wire.after = failure.before, failure.after
            return await told(world, capabilities)

        return live(story, store, folder)

    return lived


def disturbed(life: Life, failures: Iterable[Failure]) -> dict[str, str]:
    """What is otherwise than without a failure, by what had failed."""
    expected, found = life(Failure((), "never")), {}
    for failure in failures:
        try:
            ending = life(failure)
        except Exception as error:  # noqa: BLE001 - a story that breaks off is a finding like others
            found[f"{failure.at}: {failure.what}"] = repr(error)
        else:
            # A save that failed may be overtaken by the next: fewer versions are no loss, more are one sent twice.
            if ending != expected or any(ending.versions[name] > expected.versions[name] for name in expected.versions):
                found[f"{failure.at}: {failure.what}"] = differences(ending, expected)
    return found


def requests_of(life: Life) -> int:
    """How many requests the story needs."""
    undisturbed = Failure((), "never")
    life(undisturbed)
    return undisturbed.count


WAYS = pytest.mark.parametrize("how", ["does not arrive", "is done and its answer lost", "is answered by trouble"])


def test_the_story_has_thirty_deeds_and_more_and_ends_well(life: Life, request: pytest.FixtureRequest) -> None:
    """What the failures below are compared with."""
    bundles = {"bundle/get", "bundle/put", "bundle/delete"} if request.node.callspec.params["life"] == "all" else set()
    undisturbed = Failure((), "never")
    ending = life(undisturbed)

    assert len(DEEDS) > 30
    assert {call for call in undisturbed.calls if "bundle" in call} == bundles
    assert ending.left == 0
    assert ending.shown == {name: content for name, content in ending.tree.items() if not name.endswith("/")}
    assert {name for name in ending.tree if "conflict" in name} == {"contested (conflict laptop 2026-05-01)"}
    if request.node.callspec.params["life"] != "none":
        assert (ending.posix["docs/report"].mode, ending.posix["link"].link) == (0o711, "new/a")
        assert dict(ending.posix["moved/"].xattrs) == {"user.colour": b"green"}


@WAYS
def test_one_request_that_fails_changes_nothing(life: Life, how: str) -> None:
    """The first, the second, and so on to the last: nothing lost, nothing twice, no false conflict."""
    requests = requests_of(life)

    different = disturbed(life, (Failure((at,), how) for at in range(1, requests + 1)))

    assert requests > 40
    assert different == {}


@WAYS
def test_every_other_request_that_fails_changes_nothing(life: Life, how: str) -> None:
    """Each call fails at least once, those that ask what became of a failed one included."""
    different = disturbed(life, [Failure(range(first, 10_000, 2), how) for first in (1, 2)])

    assert different == {}


@pytest.mark.long
@WAYS
def test_two_requests_that_fail_change_nothing(life: Life, how: str) -> None:
    """A failure on the way of mending another."""
    requests = requests_of(life)

    different = disturbed(
        life, (Failure((at, at + gap), how) for at in range(1, requests + 1) for gap in (1, 2, 3, 5, 8, 13))
    )

    assert different == {}


def differences(found: Ending, expected: Ending) -> str:
    """What is not as expected, one part after the other."""
    parts = ("tree", "versions", "shown", "times", "posix", "reports", "left")
    return "; ".join(
        f"{part}: {getattr(found, part)} instead of {getattr(expected, part)}"
        for part in parts
        if getattr(found, part) != getattr(expected, part)
    ).replace(repr(LONG), "LONG")
