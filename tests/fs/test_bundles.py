"""Small files, and deletions, go to the server together; whatever becomes of one of them is not the others' matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import httpx
import pytest
import trio

from cxfs.fs.bundles import BUNDLE_BYTES_MAX, ITEMS_MAX, UPLOAD_BYTES_MAX
from cxfs.server import administration
from tests.fs.cloud import says

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

    from cxfs.fs.offload import Offload
    from cxfs.server.store import Store
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NAMES = ("a", "b", "c", "d")
FILES = {name: f"what {name} holds".encode() for name in NAMES}


async def writes_all(desk: Desk, files: dict[str, bytes] = FILES) -> None:
    """One after the other, in no time."""
    for name, content in files.items():
        await desk.writes(name, content)


async def versions(cloud: Cloud) -> dict[str, int]:
    """Of all files."""
    return {name: (await cloud.entry(name)).version for name in await cloud.tree() if not name.endswith("/")}


def once(call: str, happens: Callable[[httpx.Request], T]) -> Callable[[httpx.Request], T | None]:
    """What happens to the first request of a call, and to no other."""
    left = [call]
    return lambda request: happens(request) if left and left[0] in request.url.path and left.pop() else None


def is_lost(request: httpx.Request) -> Exception:
    """An answer that does not arrive."""
    return httpx.ReadError("connection reset", request=request)


# ------------------------------------------------------------ how many requests


async def test_two_thousand_small_files_take_a_tenth_of_a_request_each(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A tree that is unpacked, and one that is removed: far fewer in fact."""
    for folder in range(4):
        await desk.makes_folder(f"d{folder}")
    names = [f"d{number % 4}/{number}" for number in range(2_000)]
    await writes_all(desk, {name: name.encode() for name in names})
    wire.requests.clear()

    await desk.settles()
    made = len(wire.requests)
    arrived = await cloud.tree()
    wire.requests.clear()
    for name in names:
        await desk.removes(name)
    for folder in range(4):
        await desk.removes_folder(f"d{folder}")
    await desk.settles()

    assert arrived == {f"d{folder}/": b"" for folder in range(4)} | {name: name.encode() for name in names}
    assert made <= 0.02 * len(names)
    assert len(wire.requests) <= 0.02 * len(names)
    assert await cloud.tree() == {}


async def test_no_bundle_is_larger_than_it_may_be(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Neither in objects nor in bytes; a large file goes by itself, and all that is due arrives."""
    lengths: list[int] = []
    wire.before = lambda request: (
        lengths.append(int(request.headers["content-length"])) if request.method == "POST" else None
    )
    little = {f"{number}": b"%d" % number for number in range(ITEMS_MAX + 50)}
    medium = {f"m{number}": b"m%d" % number * 60_000 for number in range(40)}
    large = {"large": b"x" * (UPLOAD_BYTES_MAX + 1)}

    await writes_all(desk, little | large | medium)
    await desk.settles()

    assert await cloud.tree() == little | large | medium
    assert max(lengths) <= BUNDLE_BYTES_MAX + 100_000
    assert wire.count("POST data") == 1
    assert 2 <= wire.count("POST bundle/put") <= 6


@pytest.mark.parametrize(
    "capabilities", [frozenset[str](), frozenset({"attributes", "versions", "conditional-upload"})]
)
async def test_a_server_without_bundles_gets_none(
    mounts: Mounts, cloud: Cloud, wire: Wire, capabilities: frozenset[str], clock: MockClock
) -> None:
    """A request for each, as ever."""
    async with mounts(capabilities=capabilities) as desk:
        await writes_all(desk)
        await desk.settles()
        arrived = await cloud.tree()
        for name in NAMES:
            await desk.removes(name)
        await desk.settles()

    assert (arrived, await cloud.tree()) == (FILES, {})
    assert (wire.count("POST data"), wire.count("POST files/delete")) == (4, 4)
    assert wire.count("POST bundle") == 0


async def test_one_alone_needs_no_bundle(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """The documented call does as well."""
    await desk.writes("a", b"alone")
    await desk.settles()
    await desk.removes("a")
    await desk.settles()

    assert wire.count("POST bundle") == 0
    assert await cloud.tree() == {}


# ------------------------------------------------------------ one of them is odd


async def test_a_conflict_of_one_is_no_conflict_of_the_others(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It goes beside what somebody else has put there."""
    await desk.names()
    await writes_all(desk)
    await cloud.puts("b", b"theirs")

    await desk.settles()

    assert await cloud.tree() == FILES | {"b": b"theirs", "b (conflict laptop 2026-05-01)": FILES["b"]}
    assert set((await versions(cloud)).values()) == {1}
    assert [path for path, _ in desk.reports()] == ["self:/b"]


async def test_what_does_not_fit_is_parked_and_the_others_arrive(
    desk: Desk, cloud: Cloud, wire: Wire, store: Store, clock: MockClock
) -> None:
    """A refusal of one is no refusal of the others."""
    administration.set_quota(store, "ann", quota_bytes=1_000)
    await writes_all(desk, {"a": FILES["a"], "large": b"x" * 1_001, "z": b"the last"})

    await desk.settles()

    assert await cloud.tree() == {"a": FILES["a"], "z": b"the last"}
    (row,) = desk.volume.waiting.rows()
    assert (row.path, row.status) == ("large", "parked")
    assert await desk.reads("large") == b"x" * 1_001
    assert wire.count("POST") == 1


async def test_a_write_while_the_bundle_is_on_its_way_is_the_next_version_of_that_file_alone(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What was sent is one content, and what was written since another."""
    await writes_all(desk)
    wire.holds_back("POST", "bundle/put")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.settles)
        await wire.held.wait()

        await desk.writes("b", b"written meanwhile")
        wire.lets_go()

    assert await cloud.tree() == FILES | {"b": b"written meanwhile"}
    assert await versions(cloud) == {"a": 1, "b": 2, "c": 1, "d": 1}
    assert desk.reports() == []


async def test_a_write_before_the_bundle_leaves_takes_that_file_out_of_it(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Nothing is sent that nobody wants any more."""
    pause = Pause("sealed_together")
    async with mounts(through=pause.through) as desk:
        await writes_all(desk)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.settles)
            await pause.began.wait()

            handle = await desk.opens("b", writable=True)
            await desk.fs.write(handle, 0, b"WHAT")
            pause.ends()
            await desk.closes(handle)

        assert await cloud.tree() == FILES | {"b": b"WHAT b holds"}
        assert await versions(cloud) == dict.fromkeys(NAMES, 1)
        assert (wire.count("POST bundle/put"), wire.count("POST data")) == (1, 1)


class Pause:
    """The first call of this name waits before it is made."""

    def __init__(self, name: str) -> None:
        self._name: str | None = name
        self.began = trio.Event()
        self._ended = trio.Event()

    def ends(self) -> None:
        """It goes on."""
        self._ended.set()

    def through(self, offload: Offload) -> Offload:
        """The way of all calls."""

        async def paused(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
            if getattr(work, "__name__", None) == self._name:
                self._name = None
                self.began.set()
                await self._ended.wait()
            return await offload(work, *args)

        return paused


@pytest.mark.parametrize("gone", [("b",), NAMES], ids=["one", "all"])
async def test_what_is_deleted_while_the_bundle_is_on_its_way_is_gone_in_the_end(
    desk: Desk, cloud: Cloud, wire: Wire, gone: tuple[str, ...], clock: MockClock
) -> None:
    """Though it arrives."""
    await writes_all(desk)
    wire.holds_back("POST", "bundle/put")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.settles)
        await wire.held.wait()

        for name in gone:
            nursery.start_soon(desk.removes, name)
        await desk.waits(1)
        wire.lets_go()
    await desk.settles()

    assert await cloud.tree() == {name: content for name, content in FILES.items() if name not in gone}
    assert desk.reports() == []


async def test_what_is_renamed_while_the_bundle_is_on_its_way_has_its_new_name(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And is there once."""
    await writes_all(desk)
    wire.holds_back("POST", "bundle/put")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.settles)
        await wire.held.wait()

        nursery.start_soon(desk.renames, "b", "new")
        await desk.waits(1)
        wire.lets_go()
    await desk.settles()

    assert await cloud.tree() == {"a": FILES["a"], "new": FILES["b"], "c": FILES["c"], "d": FILES["d"]}


# ------------------------------------------------------------ all of them have bad luck


async def test_the_answer_to_a_bundle_may_get_lost(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Each file is recognised: there is no second version and no conflict."""
    await writes_all(desk)
    wire.after = once("bundle/put", is_lost)

    await desk.settles()

    assert await cloud.tree() == FILES
    assert await versions(cloud) == dict.fromkeys(NAMES, 1)
    assert desk.reports() == []


async def test_a_file_that_is_written_after_its_answer_got_lost_is_no_conflict(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What the server holds is recognised as our own, though it is not what we hold any more."""
    await writes_all(desk)
    wire.after = once("bundle/put", is_lost)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.settles)
        await desk.volume.uploader.ended()

        await desk.writes("b", b"written since")

    await desk.settles()
    assert await cloud.tree() == FILES | {"b": b"written since"}
    assert await versions(cloud) == {"a": 1, "b": 2, "c": 1, "d": 1}
    assert desk.reports() == []


async def test_a_crash_after_the_answer_got_lost_makes_no_second_version(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The journal knew what was handed over."""
    async with mounts() as desk:
        await writes_all(desk)
        wire.after = is_lost
        await desk.waits(1.2)
    wire.after = lambda _: None

    async with mounts() as desk:
        await desk.settles()
        assert desk.reports() == []

    assert await cloud.tree() == FILES
    assert await versions(cloud) == dict.fromkeys(NAMES, 1)


@pytest.mark.parametrize("status", [400, 404, 413, 500, 501, 507])
async def test_files_that_are_not_taken_together_go_one_by_one(
    desk: Desk, cloud: Cloud, wire: Wire, status: int, clock: MockClock
) -> None:
    """A gateway with a limit of its own, or one file that the server stumbles over: the others have not done it."""
    wire.before = lambda request: says(status, {"message": "no"}) if "bundle/put" in request.url.path else None

    await writes_all(desk)
    await desk.settles()

    assert await cloud.tree() == FILES
    assert await versions(cloud) == dict.fromkeys(NAMES, 1)
    assert (wire.count("POST bundle/put"), wire.count("POST data")) == (1, 4)


async def test_a_server_that_is_away_is_waited_for_once_and_not_for_each_file(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A bundle that fails is one failure: the pause is that of one."""
    await desk.names()
    await writes_all(desk, {f"{number}": b"%d" % number for number in range(100)})
    wire.goes_offline()
    await desk.waits(1.2)
    wire.comes_back()
    since = trio.current_time()

    await desk.settles()

    assert len(await cloud.tree()) == 100
    assert trio.current_time() - since < 2


# ------------------------------------------------------------ deletions


async def removes_all(desk: Desk) -> None:
    """Of what the account holds."""
    for name in NAMES:
        await desk.removes(name)


async def test_the_answer_to_a_bundle_of_deletions_may_get_lost(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is gone already is gone as it should be."""
    await cloud.holds(FILES)
    await removes_all(desk)
    wire.after = once("bundle/delete", is_lost)

    await desk.settles()

    assert await cloud.tree() == {}
    assert desk.reports() == []
    assert desk.volume.left == 0


async def test_a_file_that_somebody_changed_is_kept_and_the_others_go(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The deletion was of what it held before."""
    await cloud.holds(FILES)
    await desk.names()
    await removes_all(desk)
    await cloud.puts("b", b"theirs")

    await desk.settles()

    assert await cloud.tree() == {"b": b"theirs"}
    assert [path for path, _ in desk.reports()] == ["self:/b"]
    assert await desk.names() == {"b"}


async def test_a_folder_that_somebody_filled_is_kept_and_the_others_go(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Nobody's file goes with it."""
    await cloud.holds({"d/": b"", "e/": b"", "f/": b""})
    await desk.names()
    for name in "def":
        await desk.names(name)
    for name in "def":
        await desk.removes_folder(name)
    await cloud.puts("e/new", b"theirs")

    await desk.settles()

    assert await cloud.tree() == {"e/": b"", "e/new": b"theirs"}
    assert [path for path, _ in desk.reports()] == ["self:/e"]


async def test_a_file_whose_last_version_here_arrived_unheard_is_deleted_all_the_same(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What the server holds is not the version that was deleted, but our own."""
    await cloud.holds(FILES)
    await desk.names()
    await writes_all(desk, {name: b"second " + content for name, content in FILES.items()})
    wire.after = is_lost
    await desk.waits(1.2)
    wire.after = lambda _: None

    await removes_all(desk)
    await desk.settles()

    assert await cloud.tree() == {}
    assert desk.reports() == []


@pytest.mark.parametrize("status", [400, 404, 413, 501])
async def test_deletions_that_are_not_taken_together_go_one_by_one(
    desk: Desk, cloud: Cloud, wire: Wire, status: int, clock: MockClock
) -> None:
    """As files do."""
    await cloud.holds(FILES)
    wire.before = lambda request: says(status, {"message": "no"}) if "bundle/delete" in request.url.path else None

    await removes_all(desk)
    await desk.settles()

    assert await cloud.tree() == {}
    assert (wire.count("POST bundle/delete"), wire.count("POST files/delete")) == (1, 4)
    assert desk.reports() == []
