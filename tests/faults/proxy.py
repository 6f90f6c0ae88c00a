"""A proxy in front of a real server that plays a script of faults, over TCP or TLS: whom it listens to.

It reads each request and each answer, so that a fault strikes at a known byte of a known request (see `passage`).
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import h11
import trio

from tests.faults.exchange import BROKEN, End, Stream
from tests.faults.passage import Broken, Passage
from tests.faults.script import Door
from tests.mounting import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.faults.script import Faults
    from tests.server_process import ServerProcess

BACKLOG: Final = 512


class FaultProxy:
    """In front of the server at `to_port` of the loopback address. Made by `proxied` and `proxy_beside`.

    `url` takes the place of the server's. `connections` were accepted so far, `open_connections` are there now.
    `tls_folder` holds the server's own certificates, where it speaks TLS: the proxy shows the same.
    """

    def __init__(self, faults: Faults, to_port: int, *, tls_folder: Path | None) -> None:
        self.connections = 0
        self.open_connections = 0
        self._faults = faults
        self._to_port = to_port
        self._near_trust = None if tls_folder is None else _shown(tls_folder)
        self._far_trust = None if tls_folder is None else ssl.create_default_context(cafile=tls_folder / "ca.pem")
        self._listening = _bound(0)
        self.port = int(self._listening.getsockname()[1])
        self.url = f"{'http' if tls_folder is None else 'https'}://127.0.0.1:{self.port}"
        self._moved = trio.lowlevel.ParkingLot()
        self._is_shut = True
        self.door_moved()

    def door_moved(self) -> None:
        """To be called on the loop. From when it returns, the door is as the script has it."""
        is_shut = self._faults.door is Door.REFUSING
        if is_shut and not self._is_shut:
            self._listening.close()
            self._listening = _bound(self.port)  # nobody listens there, and nobody else can
        elif self._is_shut and not is_shut:
            self._listening.listen(BACKLOG)
        self._is_shut = is_shut
        self._moved.unpark_all()

    async def run(self) -> None:
        """Serves until it is cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    nursery.start_soon(self._serve, await self._accepted())
        finally:
            self._listening.close()

    async def _accepted(self) -> trio.SocketStream:
        while True:
            if self._is_shut:
                await self._moved.park()
                continue
            with suppress(OSError, trio.ClosedResourceError):  # the door was shut meanwhile
                connected, _ = await self._listening.accept()
                return trio.SocketStream(connected)

    async def _serve(self, connected: trio.SocketStream) -> None:
        """One connection of a client, to its end."""
        self.connections += 1
        self.open_connections += 1
        near = End(_secured(connected, self._near_trust, server_side=True), h11.SERVER)
        reaching = _Reaching(self._to_port, self._far_trust)
        abruptly = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._break_when_shut)
                passage = Passage(self._faults, near, reaching.end, self._moved)
                while await passage.one_exchange():
                    pass
                nursery.cancel_scope.cancel()
        except* Broken as broken:
            abruptly = any(each.abruptly for each in _each(broken) if isinstance(each, Broken))
        except* (*BROKEN, OSError, ssl.SSLError):
            pass
        finally:
            self.open_connections -= 1
            with trio.CancelScope(shield=True):
                await near.end(abruptly=abruptly)
                await reaching.aclose()

    async def _break_when_shut(self) -> None:
        while not self._is_shut:
            await self._moved.park()
        raise Broken


class _Reaching:
    """The connection to the server that belongs to one client's."""

    def __init__(self, port: int, trust: ssl.SSLContext | None) -> None:
        self._port = port
        self._trust = trust
        self._end: End | None = None

    async def end(self) -> End:
        """The one there is, unless the server has closed it meanwhile."""
        if self._end is None or self._end.is_over:
            await self.aclose()
            stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            self._end = End(_secured(stream, self._trust, server_side=False), h11.CLIENT)
        return self._end

    async def aclose(self) -> None:
        if self._end is not None:
            await self._end.end()


@asynccontextmanager
async def proxied(faults: Faults, to_port: int, *, tls_folder: Path | None = None) -> AsyncIterator[FaultProxy]:
    """A proxy in this loop, for the length of the block. `tls_folder` as the server's own, where it speaks TLS."""
    proxy = FaultProxy(faults, to_port, tls_folder=tls_folder)
    with _watching(faults, proxy):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(proxy.run)
            yield proxy
            nursery.cancel_scope.cancel()


@contextmanager
def proxy_beside(faults: Faults, server: ServerProcess) -> Iterator[FaultProxy]:
    """A proxy in a thread of its own, for the length of the block: for whoever blocks, such as a test with a mount."""
    started = threading.Event()
    found: list[tuple[FaultProxy, trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def serve() -> None:
        tls_folder = None if server.insecure else server.directory / "tls"
        with trio.CancelScope() as scope:
            async with proxied(faults, server.port, tls_folder=tls_folder) as proxy:
                found.append((proxy, trio.lowlevel.current_trio_token(), scope))
                started.set()
                await trio.sleep_forever()

    def run() -> None:
        try:
            trio.run(serve)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="faults")
    thread.start()
    started.wait()
    (proxy, token, scope) = found[0]
    try:
        yield proxy
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join()


def behind(proxy: FaultProxy, account: Account) -> Account:
    """The same account, to be mounted through the proxy; looking at `account` itself goes past it. Close it."""
    return Account(proxy.url, account.token, ca_file=account.ca_file, name=account.name, owner=account.owner)


@contextmanager
def _watching(faults: Faults, proxy: FaultProxy) -> Iterator[None]:
    """Whoever moves the door waits until the proxy has done so too, in whichever thread."""
    token = trio.lowlevel.current_trio_token()

    def door_moved() -> None:
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is token:
            proxy.door_moved()
        else:
            with suppress(trio.RunFinishedError):
                trio.from_thread.run_sync(proxy.door_moved, trio_token=token)

    faults.watch(door_moved)
    try:
        yield
    finally:
        faults.unwatch(door_moved)


def _secured(stream: trio.SocketStream, trust: ssl.SSLContext | None, *, server_side: bool) -> Stream:
    if trust is None:
        return stream
    host = None if server_side else "127.0.0.1"
    return trio.SSLStream(stream, trust, server_hostname=host, server_side=server_side, https_compatible=True)


def _shown(tls_folder: Path) -> ssl.SSLContext:
    """What the proxy shows to its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_folder / "server.pem", tls_folder / "server.key")
    return context


def _bound(port: int) -> trio.socket.SocketType:
    """A socket that has a port (0: any that is free) and does not listen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return trio.socket.from_stdlib_socket(bound)


def _each(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _each(error)
        else:
            yield error
