"""What a service manager hears; a socket plays its part."""

from __future__ import annotations

import os
import secrets
import socket
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.upkeep.service_manager import STATUS_CHARACTERS_MAX, ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trio.testing import MockClock


class Listening:
    """A service manager's socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def heard(self) -> list[str]:
        """Every message since the last time."""
        found = []
        try:
            while True:
                found.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["in a folder", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    """Containers use abstract ones."""
    listening = Listening(str(tmp_path / "notify") if request.param == "in a folder" else f"@{secrets.token_hex(8)}")
    yield listening
    listening.close()


@pytest.fixture
def manager(systemd: Listening) -> Iterator[ServiceManager]:
    known = ServiceManager(systemd.address)
    yield known
    known.close()


def test_a_service_manager_hears_all_of_a_life(systemd: Listening, manager: ServiceManager) -> None:
    """One message for each turn of it."""
    manager.ready()
    manager.status("home is mounted\nat /mnt")
    manager.alive()
    manager.stopping()
    manager.extend_timeout(1.5)

    assert systemd.heard() == [
        f"READY=1\nMAINPID={os.getpid()}",
        "STATUS=home is mounted at /mnt",
        "WATCHDOG=1",
        "STOPPING=1",
        "EXTEND_TIMEOUT_USEC=1500000",
    ]


def test_a_status_is_one_short_line(systemd: Listening, manager: ServiceManager) -> None:
    """A name in it may hold anything: another line would be another message."""
    manager.status("x" * 10_000 + "\nREADY=1")

    assert systemd.heard() == [f"STATUS={'x' * STATUS_CHARACTERS_MAX}"]


def test_without_a_service_manager_nothing_is_told() -> None:
    """As in a terminal."""
    manager = ServiceManager.of({})

    manager.ready()
    manager.status("x")
    manager.close()

    assert manager.watchdog_s is None


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-there", "/a\0b", "/" + "x" * 200])
def test_one_that_does_not_listen_is_no_reason_to_fail(address: str) -> None:
    """The mount does without."""
    manager = ServiceManager(address)

    manager.ready()
    manager.close()
    manager.alive()


def test_a_service_manager_that_does_not_read_holds_nobody_up(systemd: Listening, manager: ServiceManager) -> None:
    """Its buffer is full after some messages."""
    for _ in range(10_000):
        manager.alive()

    assert 0 < len(systemd.heard()) < 10_000


def test_the_words_of_the_environment_are_for_us_alone() -> None:
    """A program that finds the token, say, would tell that it is ready, too."""
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/root"}

    manager = ServiceManager.of(environ)
    manager.close()

    assert environ == {"HOME": "/root"}
    assert manager.watchdog_s == 20


@pytest.mark.parametrize(
    "words",
    [
        {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "9" * 5_000},
        {"WATCHDOG_USEC": ""},
        {},
    ],
)
def test_a_watchdog_for_somebody_else_is_none(words: dict[str, str]) -> None:
    """Nor one that makes no sense."""
    manager = ServiceManager.of({"NOTIFY_SOCKET": "/x", **words})
    manager.close()

    assert manager.watchdog_s is None


async def test_the_watchdog_is_told_twice_as_often_as_it_asks(systemd: Listening, autojump_clock: MockClock) -> None:
    """And of nothing while the mount does not live."""
    manager = ServiceManager(systemd.address, watchdog_s=20)
    lives = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.reassure, lambda: lives)
        await trio.sleep(25)
        alive = systemd.heard()
        lives = False
        await trio.sleep(60)
        dead = systemd.heard()
        nursery.cancel_scope.cancel()
    manager.close()

    assert alive == ["WATCHDOG=1"] * 3
    assert dead == []


async def test_a_watchdog_that_does_not_ask_is_not_told(systemd: Listening, autojump_clock: MockClock) -> None:
    """The task for it rests."""
    manager = ServiceManager(systemd.address)

    with trio.move_on_after(100):
        await manager.reassure(lambda: True)
    manager.close()

    assert systemd.heard() == []
