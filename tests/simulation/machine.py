"""A machine on which daemons live and die: its folders, a crash at any step of theirs, and the token it keeps.

A crash leaves what a kill would: the folders as they are at that moment, copied before anybody who is dying can tidy
up. The next daemon lives on the copy. What programs see of a daemon has the deadlines that `fuse` gives its handlers.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple, cast

import trio

from cxfs.core.errors import CxfsError
from cxfs.remote.renewal import RenewingToken
from cxfs.remote.user import User
from tests.fs.cloud import session_over
from tests.fs.recording import RecordingKernel
from tests.fs.worlds import mounts_of
from tests.simulation.stormy_wire import Hammered, StormyWire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import httpx

    from cxfs.fs.filesystem import FileSystem
    from cxfs.fs.offload import Offload
    from tests.fs.desk import Desk
    from tests.simulation.stormy_wire import Storm

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

METADATA_S: Final = 10.0
DATA_S: Final = 60.0
LATE_S: Final = 0.01
LOOK_AGAIN_S: Final = 5.0

DEADLINES_S: Final = dict.fromkeys(
    ("lookup", "attributes", "open_folder", "make_folder", "remove", "remove_folder", "rename", "create", "open"),
    METADATA_S,
) | dict.fromkeys(("set_attributes", "read", "write", "flush", "fsync", "close"), DATA_S)
"""As `fuse/operations` has them."""


class Punctual:
    """A file system whose calls end by their deadline. Noted is what is late, and what fails as a bug does."""

    def __init__(self, filesystem: FileSystem, wrongs: list[str]) -> None:
        self._filesystem = filesystem
        self._wrongs = wrongs

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._filesystem, name)
        return self._within(name, call, DEADLINES_S[name]) if name in DEADLINES_S else call

    def _within(self, name: str, call: Callable[..., Any], deadline_s: float) -> Callable[..., Any]:
        @wraps(call)
        async def answered(*arguments: Any, **more: Any) -> Any:
            began = trio.current_time()
            try:
                with trio.fail_after(deadline_s):
                    return await call(*arguments, **more)
            except (CxfsError, trio.TooSlowError, Hammered):
                raise
            except Exception as error:
                self._wrongs.append(f"{name} fails with {error!r}")
                raise CxfsError("a bug") from error
            finally:
                if (took_s := trio.current_time() - began) > deadline_s + LATE_S:
                    self._wrongs.append(f"{name} takes {took_s} s")

        return answered


class Daemon:
    """One life. Whoever has it leaves it by `dies`, or it dies by itself at the step that `dies_after` names."""

    def __init__(self, desk: Desk, life: _Life) -> None:
        self.desk = desk
        self._life = life

    def dies_after(self, steps: int) -> None:
        """At the so manieth step from now on; now, for none."""
        self._life.left = steps
        if not steps:
            self._life.ends()


class Killed(BaseException):
    """Nothing is done any more, whoever tries."""


class _Life:
    """Counts the steps of a daemon, and ends it: first `on_end`, then nothing more is done."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.left = -1
        self.is_over = False
        self.scope = trio.CancelScope()
        self._on_end = on_end

    async def step(self, _what: str) -> None:
        """The next one is about to be taken."""
        if self.left > 0:
            self.left -= 1
            if not self.left:
                self.ends()
        if self.is_over:
            raise Killed

    def ends(self) -> None:
        """A kill."""
        if not self.is_over:
            self.is_over = True
            self._on_end()
            self.scope.cancel()

    def through(self, offload: Offload) -> Offload:
        """The journal and the drafts, step by step."""

        async def stepwise(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
            await self.step("before")
            result = await offload(work, *args)
            await self.step("after")
            return result

        return stepwise


class Machine:
    """Its daemons, one after the other, each over what the last one left. `kept_token` is in the token's store."""

    def __init__(self, app: httpx.ASGITransport, storm: Storm, token: str, folder: Path, wrongs: list[str]) -> None:
        self._app = app
        self._storm = storm
        self.kept_token = token
        self._folder = folder
        self._wrongs = wrongs
        self._runs = 0
        self.wire: StormyWire | None = None

    @asynccontextmanager
    async def daemon(self, **options: Any) -> AsyncIterator[Daemon]:
        """A life; its end is a crash, whatever ends it."""
        life = _Life(self._crash)
        self.wire = wire = StormyWire(self._app, self._storm, life.step)
        mounts = mounts_of(wire, self.kept_token, self._place, RecordingKernel(), renewing=lambda: self._renewing(wire))
        with life.scope, noting_bugs(self._wrongs, lambda: not life.is_over), dead():
            async with mounts(through=life.through, **options) as desk:
                desk.fs = cast("FileSystem", Punctual(desk.fs, self._wrongs))
                try:
                    yield Daemon(desk, life)
                finally:
                    life.ends()

    @property
    def _place(self) -> Path:
        return self._folder / f"machine-{self._runs}"

    def _crash(self) -> None:
        former = self._place
        self._runs += 1
        shutil.copytree(former, self._place)

    def _renewing(self, wire: StormyWire) -> RenewingToken:
        async def look() -> str | None:
            await trio.lowlevel.checkpoint()
            return self.kept_token

        async def is_ours(token: str) -> bool:
            async with session_over(wire, token) as session:
                try:
                    await User(session).profile()
                except CxfsError:
                    return False
                return True

        return RenewingToken(
            self.kept_token, look=look, is_ours=is_ours, look_again_s=LOOK_AGAIN_S, remedy="sign in again"
        )


@contextmanager
def dead() -> Iterator[None]:
    """The block may end with a kill. Whatever else goes wrong then, goes wrong in a daemon that is dead."""
    try:
        yield
    except Killed:
        pass
    except BaseExceptionGroup as group:
        if group.subgroup(Killed) is None:
            raise


class _Bugs(logging.Handler):
    def __init__(self, wrongs: list[str], counts: Callable[[], bool]) -> None:
        super().__init__(logging.ERROR)
        self._wrongs = wrongs
        self._counts = counts

    def emit(self, record: logging.LogRecord) -> None:
        # The server, in this process, logs as its own bug what in truth is a body that the client has broken off.
        is_ours = not record.name.startswith("cxfs.server")
        if is_ours and record.exc_info and record.exc_info[1] is not None and self._counts():
            self._wrongs.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def noting_bugs(wrongs: list[str], counts: Callable[[], bool]) -> Iterator[None]:
    """A traceback in the log is wrong, as long as that `counts`."""
    handler, log = _Bugs(wrongs, counts), logging.getLogger("cxfs")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
