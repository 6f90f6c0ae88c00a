"""A connection that listens while it sends, and an answer that comes early, or in time."""

from __future__ import annotations

from typing import Any

import httpcore
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cxfs.remote.hearing import HearingStream

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"


class Answering(httpcore.AsyncNetworkStream):
    """A connection whose other end answers once it has so many bytes, and takes no more then, where it `stops`."""

    def __init__(self, answers_after: int, *, stops: bool = False) -> None:
        self.written = b""
        self._answers_after = answers_after
        self._stops = stops
        self._answered = trio.Event()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Returns only after the other end has answered, where it does."""
        taken = buffer[: self._answers_after - len(self.written)] if self._stops else buffer
        self.written += taken
        if len(self.written) >= self._answers_after:
            self._answered.set()
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked()
        if len(taken) < len(buffer):
            await trio.sleep_forever()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """The answer."""
        await self._answered.wait()
        return ANSWER

    async def aclose(self) -> None:
        """Nothing is held."""

    def get_extra_info(self, info: str) -> Any:
        """Nothing is known."""


async def test_an_answer_to_all_that_was_written_is_no_refusal() -> None:
    """A quick server answers before the last write returns: the request is over all the same, and not cut short."""
    connection = Answering(answers_after=8)
    stream = HearingStream(connection)

    await stream.write(b"whole")
    await stream.write(b"...")

    assert (connection.written, await stream.read(1_000)) == (b"whole...", ANSWER)


async def test_an_answer_in_the_middle_of_a_write_ends_it() -> None:
    """The other end takes no more."""
    stream = HearingStream(Answering(answers_after=3, stops=True))

    with pytest.raises(httpcore.WriteError):
        await stream.write(b"whole")

    assert await stream.read(1_000) == ANSWER


async def test_after_an_early_answer_nothing_more_is_written() -> None:
    """It came between two writes: what was not sent need not be."""
    connection = Answering(answers_after=5)
    stream = HearingStream(connection)
    await stream.write(b"whole")

    with pytest.raises(httpcore.WriteError):
        await stream.write(b"more")

    assert (connection.written, await stream.read(1_000)) == (b"whole", ANSWER)
