"""The daemon's side of a control socket: takes requests, calls the verbs it was given, sends what they say.

It imports no other room, and no client can disturb the daemon: one that hangs, babbles or goes away in the middle is
dropped, and a verb that fails is an answer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import trio

from cxfs.control import place
from cxfs.control.protocol import REQUEST_BYTES_MAX, Arguments, Done, Failure, Kind, Progress, Request, RequestError
from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    import socket

log = logging.getLogger(__name__)

CLIENTS_MAX: Final = 32
"""At a time. Each is a task and a buffer; a person has a few terminals, a script that leaks more has a bug."""

REQUEST_WAIT_S: Final = 60.0
"""For the whole of the next request; a client that has no more to ask closes."""

SEND_WAIT_S: Final = 10.0
"""For a client to read what it asked for: the kernel's buffer holds some 200 KiB before that counts."""

RECEIVE_BYTES: Final = 64 << 10

Tell = Callable[[Mapping[str, object]], Awaitable[None]]
"""Sends news to whoever asked; it is also where a verb learns that nobody listens any more, by its cancellation."""

Verb = Callable[[Arguments, Tell], Awaitable[Mapping[str, object]]]
"""Answers one kind of request. A CxfsError is told to the client; anything else is a bug, and logged."""


class ClientGone(Exception):
    """It closed, or does not read what it asked for."""


class ControlServer:
    """Answers whoever connects, with `verbs` by name. Times in seconds."""

    def __init__(
        self,
        verbs: Mapping[str, Verb],
        *,
        clients_max: int = CLIENTS_MAX,
        request_wait_s: float = REQUEST_WAIT_S,
        send_wait_s: float = SEND_WAIT_S,
    ) -> None:
        self._verbs = verbs
        self._clients_max = clients_max
        self._request_wait_s = request_wait_s
        self._send_wait_s = send_wait_s
        self._clients = 0

    async def serve(self, listener: socket.socket) -> None:
        """Serves the socket until cancelled; it can be called again. Closing it is the caller's matter."""
        ours = trio.SocketListener(trio.socket.from_stdlib_socket(listener.dup()))  # trio closes what it serves
        await trio.serve_listeners(self._client, [ours])

    async def _client(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            async with stream:
                await self._converse(Conversation(stream, self._request_wait_s, self._send_wait_s))
        except ClientGone as gone:
            log.debug("a control client is gone: %s", gone)
        except Exception:
            log.exception("a bug while serving a control client")
        finally:
            self._clients -= 1

    async def _converse(self, client: Conversation) -> None:
        if client.uid not in {os.geteuid(), 0}:
            await client.send(Failure(Kind.STRANGER, "this mount belongs to another user"))
            return
        if self._clients > self._clients_max:
            await client.send(Failure(Kind.BUSY, f"{self._clients_max} programs are asking this mount already"))
            return
        try:
            while (line := await client.next_line()) is not None:
                await client.send(await self._answer(line, client))
        except RequestError as error:
            await client.send(Failure(error.kind, str(error)))

    async def _answer(self, line: bytes, client: Conversation) -> Done | Failure:
        """Raises RequestError only for what ends the conversation."""
        request = Request.parse(line)
        verb = self._verbs.get(request.verb)
        if verb is None:
            known = ", ".join(sorted(self._verbs))
            return Failure(Kind.UNKNOWN, f"this mount does not know {request.verb[:40]!r} (it knows {known})")

        async def tell(news: Mapping[str, object]) -> None:
            await client.send(Progress(news))

        try:
            return Done(await verb(Arguments(request.arguments), tell))
        except RequestError as error:
            return Failure(error.kind, str(error))
        except CxfsError as error:
            return Failure(Kind.REFUSED, " ".join(str(error).split()))
        except ClientGone:
            raise
        except Exception:
            log.exception("a bug in the control verb %s", request.verb)
            return Failure(Kind.FAULT, f"{request.verb} failed: a fault in cxfs; the mount's log shows where")


class Conversation:
    """One client's connection: lines in, answers out, each within its time."""

    def __init__(self, stream: trio.SocketStream, request_wait_s: float, send_wait_s: float) -> None:
        self._stream = stream
        self._request_wait_s = request_wait_s
        self._send_wait_s = send_wait_s
        self._received = bytearray()

    @property
    def uid(self) -> int:
        """Of the user whose program it is."""
        return place.peer_uid(self._stream.socket)

    async def next_line(self) -> bytes | None:
        """A whole line; None when the client has no more to say, or takes too long to say it."""
        with trio.move_on_after(self._request_wait_s):
            while (end := self._received.find(b"\n")) < 0:
                if len(self._received) > REQUEST_BYTES_MAX:
                    raise RequestError(Kind.GARBAGE, f"a request has at most {REQUEST_BYTES_MAX} bytes")
                piece = await self._receive()
                if not piece:
                    return None
                self._received += piece
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            return line
        return None

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(RECEIVE_BYTES))
        except trio.BrokenResourceError as error:
            raise ClientGone("it closed") from error

    async def send(self, answer: Progress | Done | Failure) -> None:
        """Returns when it is on its way. Raises ClientGone."""
        try:
            with trio.fail_after(self._send_wait_s):
                await self._stream.send_all(answer.line())
        except trio.BrokenResourceError as error:
            raise ClientGone("it closed") from error
        except trio.TooSlowError as error:
            raise ClientGone(f"it has read nothing for {self._send_wait_s:g} s") from error
