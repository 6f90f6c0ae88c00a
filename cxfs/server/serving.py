"""A running server: from a directory to an address that answers, until a signal. What it answers is `app`'s matter.

granian does HTTP and TLS in one worker process or several; this process only watches over them.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from random import random
from typing import TYPE_CHECKING, Final

from anyio import create_task_group, sleep, to_thread
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from cxfs.server import audit
from cxfs.server.app import make_app
from cxfs.server.certificates import Certificates, ensure_certificates
from cxfs.server.errors import ServerError, Unavailable
from cxfs.server.limits import PIECE_BYTES, WAITS_MAX
from cxfs.server.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from starlette.applications import Starlette

Opening = Callable[[], AbstractContextManager[Store]]
"""How a process opens the store."""

__all__ = ["DEFAULT_PORT", "make_app", "serve"]

DEFAULT_PORT: Final = 8443
READY_TIMEOUT_S: Final = 30
"""A server that accepts nothing by then will not."""
STOP_TIMEOUT_S: Final = 5
"""After a signal, requests in flight get this long. What is cut off then is as after a crash: the old version."""
TENDING_PAUSE_S: Final = 300
"""Between two looks for contents that nobody needs, where they were not removed at once."""
REQUESTS_MAX: Final = 1_024
"""Requests in one worker process at once, beside those that only wait for changes."""
_PROBE_PAUSE_S: Final = 0.02
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def serve(
    directory: Path,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    insecure: bool = False,
    names: Sequence[str] = (),
    workers: int = 1,
    database: str | None = None,
    content: str | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, from the main thread. `on_ready` gets the URL once connections are accepted.

    `names` are further host names or addresses for the certificate; `insecure` is plain HTTP, on loopback only.
    `database` and `content` are as for `make_store`. Raises ServerError for what the person who starts it has to
    change, and when a worker ends by itself.
    """
    address = _address(host, port)
    if insecure and not ip_address(address).is_loopback:
        raise ServerError(f"--insecure is for a loopback address only, not for {host}: tokens would travel readable")
    opening = partial(open_store, directory, database=database, content=content)
    with opening() as store:  # not while the workers fork: its connections and threads are this process's
        store.recover()
        store.sweep()
    with alone(directory):
        certificates = None if insecure else _certificates(directory, [host, *names])
        _check_free(address, port)
        with _announcing(address, port, partial(on_ready or _silent, _url(host, address, port, insecure=insecure))):
            _run(opening, address, port, workers, certificates)
        with suppress(ServerError, Unavailable), opening() as store:
            store.sweep()


def _run(opening: Opening, address: str, port: int, workers: int, certificates: Certificates | None) -> None:
    authority = certificates and certificates.authority.read_bytes()
    server = Granian(
        "cxfs.server",  # only shown; the loader below makes the application
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.asyncio,
        http=HTTPModes.http1,  # one stream a connection: over twice as fast as HTTP/2 for content
        http1_settings=HTTP1Settings(max_buffer_size=PIECE_BYTES),
        websockets=False,
        log_enabled=False,  # its access log would show the address, and the token in it
        ssl_cert=certificates and certificates.certificate,
        ssl_key=certificates and certificates.key,
        workers_kill_timeout=STOP_TIMEOUT_S,
        backpressure=WAITS_MAX + REQUESTS_MAX,  # who waits for changes keeps no other request out
    )
    try:
        server.serve(target_loader=partial(_worker, opening, os.getpid(), authority), wrap_loader=False)
    except SystemExit as error:
        raise ServerError("the server ended by itself; its log above says why") from error


def _worker(opening: Opening, parent: int, authority: bytes | None) -> Starlette:
    """Runs in each worker process: opens the store anew, because no connection must cross a fork."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    audit.log.setLevel(logging.INFO)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # a killed parent must not leave us at the port
    if os.getppid() != parent:
        raise SystemExit(1)
    _allow_connections(WAITS_MAX + REQUESTS_MAX)
    opened = opening()
    store = opened.__enter__()
    app = make_app(store, authority=authority)

    def stop() -> None:
        """Granian ends when the last request is answered; it listens to SIGINT alike, and tells nobody before."""
        app.state.waits.close()
        signal.raise_signal(signal.SIGINT)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        async with create_task_group() as tasks:
            tasks.start_soon(_tend, store)
            yield
            tasks.cancel_scope.cancel()
        opened.__exit__(None, None, None)

    app.router.lifespan_context = lifespan
    return app


async def _tend(store: Store) -> None:
    """Until cancelled. Each process does it, and none at the same time as the others, mostly."""
    while True:
        await sleep(TENDING_PAUSE_S * (0.5 + random()))  # noqa: S311 - no secret
        with suppress(Unavailable):
            await to_thread.run_sync(store.tend)


def _allow_connections(number: int) -> None:
    """As many descriptors as the system lets a process have without asking anybody, up to what it can use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * number if hard == resource.RLIM_INFINITY else min(2 * number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _address(host: str, port: int) -> str:
    """The IP address to listen at; raises ServerError."""
    if not 0 < port <= 65_535:
        raise ServerError(f"a port is a number from 1 to 65535, not {port}")
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise ServerError(f"no address for the host {host!r}: {error}") from error


def _url(host: str, address: str, port: int, *, insecure: bool) -> str:
    shown = socket.gethostname() if ip_address(address).is_unspecified else host
    return f"{'http' if insecure else 'https'}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def _certificates(directory: Path, names: Sequence[str]) -> Certificates:
    try:
        return ensure_certificates(directory / "tls", [name for name in names if name not in {"0.0.0.0", "::"}])  # noqa: S104 - compared, not bound
    except (OSError, UnicodeError) as error:
        raise ServerError(f"cannot make certificates in {directory / 'tls'}: {error}") from error


def _check_free(address: str, port: int) -> None:
    """Granian shares its port among workers (SO_REUSEPORT), so without this two servers would silently share it too."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ServerError(f"cannot listen at {address} port {port}: {error.strerror}") from error


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """One server a directory; commands beside it are welcome."""
    descriptor = os.open(directory / "serving", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ServerError(f"another server is running over {directory}") from error
    else:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _announcing(address: str, port: int, announce: Callable[[], None]) -> Iterator[None]:
    """Calls `announce` from a thread of its own when a connection is accepted; never after the block."""
    over = threading.Event()
    where = "::1" if address == "::" else "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - compared, not bound

    def watch() -> None:
        for _ in range(int(READY_TIMEOUT_S / _PROBE_PAUSE_S)):
            try:
                socket.create_connection((where, port), timeout=1).close()
            except OSError:
                if over.wait(_PROBE_PAUSE_S):
                    return
            else:
                announce()
                return

    watcher = threading.Thread(target=watch, name="ready", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _silent(_: str) -> None:
    pass
