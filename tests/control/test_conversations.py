"""A daemon and those who ask it: in order, out of order, and hostile. No client disturbs the next."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
import trio

from cxfs.control.client import ControlClient, ControlRefused, ControlUnavailable, Overdue
from cxfs.control.place import listening
from cxfs.control.protocol import REQUEST_BYTES_MAX, Kind, Request
from cxfs.control.server import ControlServer
from tests.mounting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control.conftest import Serving, Verbs

Ask = Callable[..., Awaitable[dict[str, Any]]]
Say = Callable[[bytes], Awaitable[list[bytes]]]


async def test_a_question_has_an_answer(daemon: None, ask: Ask) -> None:
    """What goes in comes out, whatever it holds."""
    assert await ask("echo", text="é\n\udce9") == {"text": "é\n\udce9"}


async def test_news_comes_before_the_end(daemon: None, path: Path) -> None:
    """In order, as it happens."""
    news: list[object] = []

    def blocking() -> None:
        with ControlClient(path) as client:
            client.ask("count", on_progress=lambda each: news.append(each["number"]))
            client.ask("count", on_progress=lambda each: news.append(each["number"]))

    await trio.to_thread.run_sync(blocking)

    assert news == [0, 1, 2, 0, 1, 2]


async def test_a_shell_can_ask(daemon: None, say: Say) -> None:
    """`echo … | socat - UNIX:…` ends its sending before it reads."""
    said = await say(Request("echo", {"text": "a"}).line() + Request("echo", {"text": "b"}).line())

    assert [json.loads(line)["done"]["text"] for line in said] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"hello\n", Kind.GARBAGE),
        (b"GET / HTTP/1.1\r\n\r\n", Kind.GARBAGE),
        (b"\xff\xfe\n", Kind.GARBAGE),
        (b"[]\n", Kind.GARBAGE),
        (b'{"cxfs": 1}\n', Kind.GARBAGE),
        (b'{"cxfs": 1, "verb": "echo", "arguments": []}\n', Kind.GARBAGE),
        (b"[" * 100_000 + b"\n", Kind.GARBAGE),
        (b"x" * (REQUEST_BYTES_MAX + 100_000), Kind.GARBAGE),
        (b'{"cxfs": 2, "verb": "echo"}\n', Kind.VERSION),
        (b'{"cxfs": 1, "verb": "dance"}\n', Kind.UNKNOWN),
        (b'{"cxfs": 1, "verb": "echo", "arguments": {"text": 1}}\n', Kind.ARGUMENTS),
        (b'{"cxfs": 1, "verb": "refuse"}\n', Kind.REFUSED),
        (b'{"cxfs": 1, "verb": "fail"}\n', Kind.FAULT),
    ],
    ids=lambda word: repr(word[:30]) if isinstance(word, bytes) else word,
)
async def test_what_cannot_be_answered_is_an_error_in_one_line(
    daemon: None, say: Say, ask: Ask, content: bytes, kind: Kind
) -> None:
    """And the daemon goes on."""
    (said,) = await say(content)

    assert json.loads(said)["kind"] == kind
    assert await ask("echo", text="still there") == {"text": "still there"}


async def test_a_refusal_reaches_whoever_asked(daemon: None, ask: Ask) -> None:
    """As one line, with its kind."""
    with pytest.raises(ControlRefused, match=r"^no such file$") as refused:
        await ask("refuse")

    assert refused.value.kind == Kind.REFUSED


async def test_a_bug_is_logged_and_its_text_stays_in_the_log(
    daemon: None, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """It may hold anything."""
    with caplog.at_level(logging.ERROR), pytest.raises(ControlRefused) as refused:
        await ask("fail")

    assert "a secret" not in str(refused.value)
    assert "a bug in the control verb fail" in caplog.text


async def test_a_client_that_goes_away_is_forgotten(daemon: None, verbs: Verbs, path: Path, ask: Ask) -> None:
    """What it had asked for is cancelled."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(Request("babble").line())

    with trio.fail_after(10):
        await verbs.cancelled.wait()
    assert await ask("echo", text="still there") == {"text": "still there"}


async def test_a_client_that_does_not_read_is_dropped(serving: Serving, verbs: Verbs, path: Path, ask: Ask) -> None:
    """It holds up nobody, and not for ever its own task."""
    async with serving(send_wait_s=0.1):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(Request("babble").line())

            with trio.fail_after(10):
                await verbs.cancelled.wait()
            assert await ask("echo", text="still there") == {"text": "still there"}


async def test_a_client_that_says_nothing_is_dropped(serving: Serving, path: Path) -> None:
    """A connection that was forgotten must not count for ever."""
    async with serving(request_wait_s=0.1):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(b'{"cxfs": 1')

            assert await trio.to_thread.run_sync(client.recv, 100) == b""


async def test_more_clients_than_allowed_are_told_so(serving: Serving, path: Path, ask: Ask) -> None:
    """And there is room again as soon as one leaves."""
    async with serving(clients_max=2):
        with ControlClient(path) as first, ControlClient(path) as second:
            for each in (first, second):
                await trio.to_thread.run_sync(each.ask, "count")

            with pytest.raises(ControlRefused) as refused:
                await ask("echo")

        assert refused.value.kind == Kind.BUSY
        assert await trio.to_thread.run_sync(eventually, lambda: _is_answered(path), True)


def _is_answered(path: Path) -> bool:
    try:
        with ControlClient(path) as client:
            client.ask("echo")
    except ControlRefused:
        return False
    return True


async def test_waiting_has_the_end_that_the_caller_gave_it(daemon: None, path: Path) -> None:
    """And what went on before is known."""
    news: list[object] = []

    def blocking() -> None:
        with ControlClient(path) as client:
            client.ask("wait", on_progress=news.append, timeout_s=0.2)

    with pytest.raises(Overdue):
        await trio.to_thread.run_sync(blocking)
    assert news == [{"waiting": True}]


async def test_a_daemon_that_hangs_is_given_up(daemon: None, path: Path) -> None:
    """The terminal is not taken along."""

    def blocking() -> None:
        with ControlClient(path, silence_s=0.2) as client:
            client.ask("wait")

    with pytest.raises(ControlUnavailable, match=r"has said nothing for 0\.2 s"):
        await trio.to_thread.run_sync(blocking)


async def test_a_daemon_that_ends_in_the_middle_is_missed(serving: Serving, verbs: Verbs, path: Path) -> None:
    """With words, and at once."""
    failures: list[BaseException] = []

    def blocking() -> None:
        try:
            with ControlClient(path) as client:
                client.ask("wait", on_progress=lambda _: trio.from_thread.run_sync(asked.set))
        except ControlUnavailable as error:
            failures.append(error)

    asked = trio.Event()
    async with trio.open_nursery() as nursery, serving():
        nursery.start_soon(trio.to_thread.run_sync, blocking)
        await asked.wait()

    assert "the daemon has ended before it answered" in str(failures[0])


async def test_a_daemon_can_serve_again(path: Path, verbs: Verbs, ask: Ask) -> None:
    """A fault that ends its serving does not close the door for good."""
    with listening(path) as listener:
        server = ControlServer(verbs.table)
        for text in ("first", "second"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.serve, listener)
                said = await ask("echo", text=text)
                nursery.cancel_scope.cancel()

            assert said == {"text": text}
