"""A day's work, and the daemon dies: at each of its steps in turn, before and after each request, row and write.

The next daemon knows only what the journal, the drafts and the server tell. Every deed that was done is in effect, the
one that was under way is done, not done or half done, and nothing else has changed.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import pytest

from cxfs.core.posix import Posix
from cxfs.fs.renaming import Rename
from tests.fs.test_every_request_fails_once import BEGINNING, DEEDS
from tests.fs.worlds import World, live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from cxfs.fs.offload import Offload
    from cxfs.server.store import Store
    from tests.fs.desk import Desk, Mounts

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TIMES: Final = {1_111_111_111_000, 1_222_222_222_000, 1_333_333_333_000}
"""Those that a deed sets; others are the hour of a write."""

STORY: Final = tuple(deed for deed in DEEDS if "they" not in deed[0] and deed[0] != "swap two files")
"""What one person does: what others do at the same moment has stories of its own. A swap is three renames on the
server: what a death in the midst of it leaves is told below."""

PASSING: Final = {"shared.tmp", "often.tmp", "nothing"}
"""Names that a deed takes for its own time only."""

Tree = dict[str, tuple[bytes, int | None, Posix]]
"""By path: the content, the time where one was set, and what else was."""


class Death(BaseException):
    """SIGKILL: nothing is done any more, whoever tries."""


@dataclass
class Fate:
    """Counts the steps of a daemon; from the `at`-th on, all it does is die."""

    at: float
    count: int = 0
    steps: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        """The next step is about to be taken."""
        self.count += 1
        self.steps.append(what)
        if self.count >= self.at:
            raise Death(what)

    def through(self, offload: Offload) -> Offload:
        """What the file system asks of this machine: rows of the journal, and bytes of drafts."""

        async def mortal(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
            name = getattr(work, "__name__", None) or work.func.__name__  # type: ignore[attr-defined]
            self.step(f"before {name}")
            result = await offload(work, *args)
            self.step(f"after {name}")
            return result

        return mortal

    def over(self, world: World) -> None:
        """And what it asks of the server."""
        world.wire.before = lambda request: self.step(f"before {request.method} {request.url.path}")
        world.wire.after = lambda request: self.step(f"after {request.method} {request.url.path}")


@asynccontextmanager
async def doomed(mounts: Mounts, fate: Fate) -> AsyncIterator[Desk]:
    """A daemon that may die; the block ends with it."""
    try:
        async with mounts(through=fate.through) as desk:
            yield desk
    except Death:
        pass
    except BaseExceptionGroup as group:
        if group.subgroup(Death) is None:
            raise
        # Whatever else went wrong, went wrong in a daemon that was dead.


async def held(world: World) -> Tree:
    """What the account holds."""
    tree: Tree = {}
    for name, content in (await world.cloud.tree()).items():
        entry = await world.cloud.entry(name.rstrip("/"))
        tree[name] = content, entry.modified_ms if entry.modified_ms in TIMES else None, entry.posix
    return tree


@dataclass(frozen=True)
class Life:
    """How far a daemon came, what the account and a new mount hold after the next one, and what that could not use."""

    done: int
    tree: Tree
    shown: dict[str, bytes]
    left: int
    set_aside: int


def lived(store: Store, folder: Path, fate: Fate, deeds: int = len(STORY)) -> Life:
    """The first `deeds` of the story with a daemon that dies as `fate` says or sends it all, and then a second one."""

    async def story(world: World) -> Life:
        await world.cloud.holds(BEGINNING)
        done = 0
        async with doomed(world.mounts, fate) as desk:
            fate.over(world)
            for _, deed in STORY[:deeds]:
                await deed(desk, world.cloud)
                done += 1
            await desk.settles()
        world.wire.comes_back()
        world.wire.after = lambda _: None
        async with world.mounts() as desk:
            await desk.settles()
            shown = {name: await desk.reads(name) for name in (await world.cloud.tree()) if not name.endswith("/")}
            set_aside = len(desk.outbox._ledger.query("SELECT * FROM quarantine"))
            return Life(done, await held(world), shown, desk.volume.left, set_aside)

    return live(story, store, folder)


def wrongs(life: Life, before: Tree, after: Tree) -> list[str]:
    """What is not as it may be when the daemon died on the way from `before` to `after`."""
    found = [f"{life.left} left"] if life.left else []
    found += [f"{life.set_aside} set aside"] if life.set_aside else []
    contents = [content for content, *_ in life.tree.values()]
    for name in before.keys() & after.keys():
        if before[name] == after[name] and life.tree.get(name) != before[name]:
            found.append(f"{name} is {life.tree.get(name)} instead of {before[name]}")
        elif name not in life.tree:
            found.append(f"{name} is missing")
    found += [f"{name} is there" for name in life.tree.keys() - before.keys() - after.keys() - PASSING]
    moved = {content for content, *_ in before.values()} & {content for content, *_ in after.values()}
    found += [f"{content!r} is nowhere" for content in moved if content not in contents]
    found += [f"{name} is shown otherwise" for name, content in life.shown.items() if life.tree[name][0] != content]
    return found


@pytest.fixture
def trees(store: Store, folder: Path) -> list[Tree]:
    """What the account holds after no deed, the first, the second and so on, when nobody dies."""
    return [lived(store, folder, Fate(float("inf")), deeds).tree for deeds in range(len(STORY) + 1)]


def test_the_steps_are_rows_and_bytes_and_requests_of_every_kind(store: Store, folder: Path) -> None:
    """Else a death at each of them would prove little."""
    fate = Fate(float("inf"))

    lived(store, folder, fate)

    taken = {step.removeprefix("before ") for step in fate.steps if step.startswith("before ")}
    rows = {"record", "sealed_together", "sent_together", "discard", "erase", "note", "forget", "made", "write"}
    assert rows <= taken
    assert {
        "files/mkdir",
        "files/delete",
        "files/move",
        "files/update",
        "files/info",
        "bundle/put",
        "bundle/delete",
    } <= {"/".join(step.split("/")[2:4]) for step in taken if "/" in step}


def test_a_death_at_any_step_takes_back_nothing_that_was_done(store: Store, folder: Path, trees: list[Tree]) -> None:
    """The first step, the second, and so on to the last."""
    undisturbed = Fate(float("inf"))
    lived(store, folder, undisturbed)

    found, struck = {}, 0
    for at in range(1, undisturbed.count + 1):
        fate = Fate(at)
        life = lived(store, folder, fate)
        struck += life.done < len(STORY)
        if wrong := wrongs(life, trees[life.done], trees[min(life.done + 1, len(STORY))]):
            found[at, fate.steps[at - 1], STORY[min(life.done, len(STORY) - 1)][0]] = wrong

    assert struck > 150
    assert found == {}


def test_a_death_in_the_midst_of_a_swap_loses_neither_file(store: Store, folder: Path) -> None:
    """One of them may stand under the name by which it was moved out of the way."""
    found = []
    for at in range(1, 13):
        fate = Fate(at)

        async def story(world: World, fate: Fate = fate) -> list[bytes]:
            await world.cloud.holds({"left": b"L", "right": b"R"})
            async with doomed(world.mounts, fate) as desk:
                await desk.names()
                fate.over(world)
                await desk.renames("left", "right", Rename.EXCHANGE)
            return sorted((await world.cloud.tree()).values())

        found.append((fate.count >= at, live(story, store, folder)))

    assert [contents for _, contents in found] == [[b"L", b"R"]] * len(found)
