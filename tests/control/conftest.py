"""A daemon that answers at a control socket, and clients of every sort."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from cxfs.control.client import ControlClient
from cxfs.control.place import listening
from cxfs.control.server import ControlServer
from cxfs.core.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.control.protocol import Arguments
    from cxfs.control.server import Tell

Serving = Callable[..., AbstractAsyncContextManager[None]]


class Verbs:
    """Some, of each kind."""

    def __init__(self) -> None:
        self.cancelled = trio.Event()
        self.release = trio.Event()

    @property
    def table(self) -> Mapping[str, Callable[[Arguments, Tell], Awaitable[Mapping[str, object]]]]:
        return {
            "echo": self.echo,
            "count": self.count,
            "wait": self.wait,
            "babble": self.babble,
            "refuse": self.refuse,
            "fail": self.fail,
        }

    async def echo(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        return {"text": arguments.text("text")}

    async def count(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        for number in range(3):
            await tell({"number": number})
        return {}

    async def wait(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        await tell({"waiting": True})
        await self.release.wait()
        return {}

    async def babble(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        try:
            while True:
                await tell({"words": "x" * 100_000})
        finally:
            self.cancelled.set()

    async def refuse(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        raise NotFound("no such\nfile")

    async def fail(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        raise RuntimeError("a secret")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cxfs" / "work.sock"


@pytest.fixture
def verbs() -> Verbs:
    return Verbs()


@pytest.fixture
def serving(path: Path, verbs: Verbs) -> Serving:
    """`async with serving(…):` is a daemon, with other limits where a test wants them."""

    @asynccontextmanager
    async def serve(**limits: Any) -> AsyncIterator[None]:
        with listening(path) as listener:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ControlServer(verbs.table, **limits).serve, listener)
                yield
                nursery.cancel_scope.cancel()

    return serve


@pytest.fixture
async def daemon(serving: Serving) -> AsyncIterator[None]:
    async with serving():
        yield


@pytest.fixture
def ask(path: Path) -> Callable[..., Awaitable[dict[str, Any]]]:
    """A question of a command, which is another process and blocks."""

    async def ask(verb: str, **arguments: object) -> dict[str, Any]:
        def blocking() -> dict[str, Any]:
            with ControlClient(path, silence_s=10) as client:
                return client.ask(verb, **arguments)  # type: ignore[arg-type]

        return await trio.to_thread.run_sync(blocking)

    return ask


@pytest.fixture
def say(path: Path) -> Callable[[bytes], Awaitable[list[bytes]]]:
    """Bytes of anybody's, and all lines that come back before the connection ends."""

    async def say(content: bytes) -> list[bytes]:
        def blocking() -> list[bytes]:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(10)
                connection.connect(str(path))
                said: list[bytes] = []
                with contextlib.suppress(OSError):  # it was closed before it had taken all: what it said is there
                    connection.sendall(content)
                    connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError), connection.makefile("rb") as lines:
                    said.extend(lines)
                return said

        return await trio.to_thread.run_sync(blocking)

    return say
