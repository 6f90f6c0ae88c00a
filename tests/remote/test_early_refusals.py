"""A server that refuses in the middle of an upload is heard, over plain sockets and TLS.

Otherwise a quota, a missing permission or a version conflict would look like a broken connection, and a file that will
never be accepted would be sent again and again.
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.entries import TreePath
from cxfs.core.errors import CxfsError, NoSpace, Unreachable, VersionConflict
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.server.certificates import ensure_certificates
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cxfs.remote.session import Session

    Answer = Callable[[trio.abc.Stream], Awaitable[None]]

PATH = TreePath.parse("self:/large")
MEGABYTE = bytes(1_000_000)


class Megabytes:
    """More than every buffer on the way holds together."""

    size = 100 * len(MEGABYTE)

    async def pieces(self) -> AsyncIterator[bytes]:
        for _ in range(100):
            yield MEGABYTE


def refusing(status: int, kind: str, *, after_bytes: int) -> Answer:
    """A server that reads some, answers and closes, as servers do."""
    body = b'{"errorType": "%s", "message": "no"}' % kind.encode()
    answer = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)

    async def refuse(stream: trio.abc.Stream) -> None:
        received = 0
        while received < after_bytes:
            received += len(await stream.receive_some(65_536))
        await stream.send_all(answer)
        await trio.aclose_forcefully(stream)

    return refuse


async def hang_up(stream: trio.abc.Stream) -> None:
    await stream.receive_some(65_536)
    await trio.aclose_forcefully(stream)


@pytest.fixture(params=["plain", "TLS"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> ssl.SSLContext | None:
    """The server's side of TLS, if there is one."""
    if request.param == "plain":
        return None
    certificates = ensure_certificates(tmp_path / "tls", [])
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificates.certificate, certificates.key)
    return made


async def upload_to(answer: Answer, context: ssl.SSLContext | None, ca_file: Path) -> CxfsError:
    """What an upload to such a server ends with."""

    async def serve(stream: trio.SocketStream) -> None:
        whole = stream if context is None else trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await answer(whole)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        scheme, port = "http" if context is None else "https", listener.socket.getsockname()[1]
        url = f"{scheme}://127.0.0.1:{port}"
        urls = ServiceUrls.parse(api_url=url, data_url=url, auth_url=url, allow_http=True)
        async with open_session(urls, lambda: "token", ca_file=ca_file if context else None) as session:
            error = await refused(session)
        nursery.cancel_scope.cancel()
    return error


async def refused(session: Session) -> CxfsError:
    with trio.fail_after(20), pytest.raises(CxfsError) as failed:
        await Transport(session).upload(PATH, Megabytes(), modified_ms=0, if_version=3)
    return failed.value


@pytest.mark.parametrize("after_bytes", [1, 200_000, 5_000_000], ids=["at once", "soon", "later"])
async def test_a_refusal_during_an_upload_is_the_answer(
    context: ssl.SSLContext | None, tmp_path: Path, after_bytes: int
) -> None:
    """And not "connection reset"."""
    refuse = refusing(412, "VersionConflict", after_bytes=after_bytes)

    error = await upload_to(refuse, context, tmp_path / "tls" / "ca.pem")

    assert type(error) is VersionConflict


async def test_a_server_that_hangs_up_during_an_upload_is_unreachable(
    context: ssl.SSLContext | None, tmp_path: Path
) -> None:
    """At once: the rest of the file need not be sent into the void."""
    error = await upload_to(hang_up, context, tmp_path / "tls" / "ca.pem")

    assert isinstance(error, Unreachable)


async def test_our_server_says_that_the_quota_is_full_before_all_is_sent(tmp_path: Path) -> None:
    """A hundred megabytes for an account of one."""
    with ServerProcess(tmp_path / "cx") as server:
        token = server.add_user("ann", quota_bytes=1_000_000)
        urls = ServiceUrls.parse(api_url=server.url, data_url=server.url, auth_url=server.url)
        async with open_session(urls, lambda: token, ca_file=server.ca_file) as session:
            error = await refused(session)
            sent = session.statistics().upload.bytes_out

    assert type(error) is NoSpace
    assert sent < Megabytes.size // 10
