"""A story, lived through: step by step, over as many lives of the daemon as it takes, and what was wrong with it."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Final

import httpx
import trio
from trio.testing import MockClock

from cxfs.core.errors import CxfsError
from cxfs.core.ranges import ByteRange
from cxfs.server.administration import add_user, issue_token
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from tests.fs.cloud import Cloud, at, session_over
from tests.fs.desk import shown_by
from tests.simulation.machine import Machine
from tests.simulation.programs import Programs
from tests.simulation.steps import (
    FOLDERS,
    NAMES,
    Crash,
    Here,
    Network,
    Settle,
    SignedIn,
    There,
    Trouble,
    Wait,
    Weather,
)
from tests.simulation.stormy_wire import Storm
from tests.simulation.truth import CALM_S, Truth, content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cxfs.server.store import Store
    from tests.fs.desk import Desk
    from tests.simulation.machine import Daemon
    from tests.simulation.steps import Step

SETTLED_S: Final = 100.0
"""For as long a story waits in its midst for what is on its way."""

REVOKED: Final = "revoked"
"""No token: none is good."""

ENDED_S: Final = 7_200.0
"""By then everything has arrived that can, once nothing fails any more: the longest pause is a minute."""


class Story:
    """One account, one machine, and everything that happens to them."""

    def __init__(
        self, cloud: Cloud, machine: Machine, storm: Storm, wrongs: list[str], new_token: Callable[[], str]
    ) -> None:
        self._cloud = cloud
        self._machine = machine
        self._storm = storm
        self._wrongs = wrongs
        self._new_token = new_token
        self._truth = Truth(wrongs)
        storm.on_late = self._truth.comes_late
        self._has_others = False

    async def told(self, steps: list[Step], options: dict[str, object]) -> None:
        """All of it, and an end in peace."""
        self._has_others = any(isinstance(step, There) for step in steps)
        await self._begin()
        rest = iter(steps)
        for step in rest:
            async with self._machine.daemon(**options) as daemon:
                await self._live(daemon, chain([step], rest))
                self._calm_down()
                await self._settled(daemon.desk)
            self._calm_down()
            self._storm.last_trouble = trio.current_time()
        async with self._machine.daemon(**options) as daemon:
            await self._end(daemon.desk)

    async def _begin(self) -> None:
        """The account as the mount finds it: every file is there, and so is an empty folder."""
        contents = {name: self._truth.token("before") for name in NAMES}
        await self._cloud.holds({**contents, **{f"{folder}/": b"" for folder in FOLDERS}})
        for name, content in contents.items():
            self._truth.due.add(content)
            self._truth.shows(name, self._truth.may_exist(content))

    def _calm_down(self) -> None:
        """Nothing fails any more. A daemon starts only where it reaches the server, too."""
        self._storm.ends()
        if self._storm.valid == REVOKED:
            self._sign_in()

    def _sign_in(self) -> None:
        self._storm.valid = self._machine.kept_token = self._new_token()

    # ------------------------------------------------------------ steps

    async def _live(self, daemon: Daemon, steps: Iterator[Step]) -> None:
        programs = Programs(daemon.desk, self._truth, self._storm)
        async with trio.open_nursery() as apart:
            for step in steps:
                match step:
                    case Here(apart=True):
                        apart.start_soon(programs.run, step)
                    case Here():
                        await programs.run(step)
                    case Crash():
                        daemon.dies_after(step.after)
                    case Wait():
                        await daemon.desk.waits(step.seconds)
                    case Settle():
                        with trio.move_on_after(SETTLED_S):
                            await daemon.desk.settles()
                    case _:
                        await self._around(step)
                await trio.lowlevel.checkpoint()  # whoever is dead goes no further

    async def _around(self, step: Step) -> None:
        """What happens to the mount, and not in it."""
        match step:
            case There():
                with suppress(CxfsError):
                    await self._elsewhere(step)
            case Trouble():
                self._storm.brews(step)
            case Weather():
                self._storm.becomes(step)
            case Network():
                self._storm.is_offline = not step.is_there
            case SignedIn(is_so=True):
                self._sign_in()
            case SignedIn():
                self._storm.valid = REVOKED

    # ------------------------------------------------------------ somebody else

    async def _elsewhere(self, deed: There) -> None:
        assert self._machine.wire is not None
        # Nothing from here arrives between what they see and what they do: else it would be them who lose it, blindly.
        async with self._machine.wire.stands_still():
            held = await self._held(deed.name)
            self._truth.touched(deed.name, *([deed.to] if deed.to else []))
            match deed.what:
                case "write":
                    await self._write_elsewhere(deed, held)
                case "delete":
                    await self._cloud.deletes(deed.name)
                    self._truth.replaced_knowingly(*held.values())
                    for path, content in held.items():
                        self._truth.gone_elsewhere(path, [content], trio.current_time())
                case "rename":
                    await self._cloud.renames(deed.name, deed.to)
                case "mkdir":
                    await self._cloud.files.make_folder(at(deed.name))

    async def _write_elsewhere(self, deed: There, held: dict[str, bytes]) -> None:
        token = self._truth.token("there")
        content = self._truth.may_exist(content_of(token, deed.size))
        await self._cloud.puts(deed.name, content)
        self._truth.replaced_knowingly(*held.values())
        self._truth.due.add(token)
        self._truth.put_elsewhere(deed.name, content, held.values(), trio.current_time())

    async def _held(self, name: str) -> dict[str, bytes]:
        """What the server has under this name, in a folder all that is below."""
        tree = await self._cloud.tree()
        return {path: content for path, content in tree.items() if path == name or path.startswith(f"{name}/")}

    # ------------------------------------------------------------ the end

    async def _settled(self, desk: Desk) -> None:
        """All that can arrive has, in this life and by itself."""
        with trio.move_on_after(ENDED_S) as patience:
            await desk.settles()
        if patience.cancelled_caught:
            self._wrongs.append("it never ends")

    async def _end(self, desk: Desk) -> None:
        await self._settled(desk)
        await desk.waits(CALM_S + 1)
        await self._settled(desk)
        tree = await self._cloud.tree()
        parked = [change for change in desk.volume.changes if change.parked]
        readable = [change.draft.read(ByteRange(0, change.draft.size)) for change in parked]
        self._wrongs += self._truth.missing([*tree.values(), *readable])
        self._wrongs += [f"{change.path} still waits" for change in desk.volume.changes if change.parked is None]
        self._wrongs += [f"{errand} still waits" for errand in desk.volume.errands if errand.parked is None]
        if not self._has_others:
            self._wrongs += [f"{name} is a false conflict" for name in tree if "(conflict" in name]
            self._wrongs += [f"{change.path} is parked: {change.parked}" for change in parked]
        if not parked:
            await self._compare(desk, tree)
        self._wrongs += [f"set aside: {row}" for row in desk.outbox._ledger.query("SELECT * FROM quarantine")]

    async def _compare(self, desk: Desk, tree: dict[str, bytes]) -> None:
        shown = await shown_by(desk)
        for name in sorted(shown.keys() | tree.keys()):
            if shown.get(name) != tree.get(name):
                self._wrongs.append(f"{name} is shown as {shown.get(name)!r:.60} and is {tree.get(name)!r:.60}")
        for name, content in shown.items():
            if not name.endswith("/"):
                self._truth.saw(name, content, opened_at=trio.current_time(), last_trouble=self._storm.last_trouble)


def wrongs_of(steps: list[Step], store: Store, folder: Path, options: dict[str, object]) -> list[str]:
    """What is wrong with the story, lived through with a new account of `store` and a machine of its own."""
    wrongs: list[str] = []

    async def life() -> None:
        name = secrets.token_hex(8)
        add_user(store, name, password=None)
        token = issue_token(store, name)
        app = httpx.ASGITransport(make_app(store, offload=InPlace()))
        async with trio.open_nursery() as server, session_over(app, issue_token(store, name)) as session:
            storm = Storm(token, server)
            machine = Machine(app, storm, token, folder / name, wrongs)
            story = Story(Cloud(session), machine, storm, wrongs, lambda: issue_token(store, name))
            await story.told(steps, options)

    trio.run(life, clock=MockClock(autojump_threshold=0))
    shutil.rmtree(folder)
    return wrongs
