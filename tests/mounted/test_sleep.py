"""A machine that goes to sleep while programs wait for a server that does not answer."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
import trio

from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path
from tests.mounting import Account, Mount, account_of, wait_until
from tests.server_process import ServerProcess
from tests.upkeep.logind import Logind, system_bus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READS: Final = """
import errno, sys
with open(sys.argv[1], "rb", buffering=0) as file:
    print("open", flush=True)
    sys.stdin.readline()
    try:
        file.read(10)
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


class MountWithBus(Mount):
    """A mount on a machine with a system bus."""

    bus = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"DBUS_SYSTEM_BUS_ADDRESS": self.bus}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server for one test alone, which may stop it."""
    with ServerProcess(tmp_path / "server") as server:
        yield server


@pytest.fixture
def account_there(server: ServerProcess) -> Iterator[Account]:
    """An account on it."""
    with account_of(server, "ann") as account:
        yield account


@pytest.fixture
def mount(account_there: Account, tmp_path: Path) -> Iterator[MountWithBus]:
    """Not mounted yet."""
    mount = MountWithBus(account_there, tmp_path / "home")
    with system_bus(tmp_path) as mount.bus:
        yield mount
        mount.end()


@contextmanager
def standing_still(server: ServerProcess) -> Iterator[None]:
    """It takes requests and answers none."""
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.pid, signal.SIGCONT)


@pytest.mark.promise
async def test_nobody_waits_for_the_network_when_the_machine_goes_to_sleep(
    server: ServerProcess, account_there: Account, mount: MountWithBus
) -> None:
    """When the machine is about to sleep (logind), calls that wait for the server fail at once with ETIMEDOUT, and
    what was written is sent for as long as the machine waits; afterwards all goes on at once."""
    account_there.put("/file", bytes(3 << 20))
    async with Logind.on(mount.bus, delay_s=5.0) as machine:
        await trio.to_thread.run_sync(mount.start)
        await machine.is_asked(1)
        with mount.spawn(READS, mount.path / "file") as program:
            assert program.stdout is not None
            assert program.stdin is not None
            assert await trio.to_thread.run_sync(program.stdout.readline) == "open\n"
            with standing_still(server):
                program.stdin.write("\n")
                program.stdin.flush()
                await trio.to_thread.run_sync(_waits_in_the_mount, mount)
                await machine.announces(sleep=True)
                with trio.fail_after(30):  # by itself it would wait for sixty seconds
                    told = await trio.to_thread.run_sync(program.stdout.readline, abandon_on_cancel=True)
                await machine.may_sleep()
        await machine.announces(sleep=False)
        await machine.is_asked(2)

        content = await trio.to_thread.run_sync((mount.path / "file").read_bytes)

    assert told == "ETIMEDOUT\n"
    assert content == bytes(3 << 20)


def _waits_in_the_mount(mount: MountWithBus) -> None:
    """Returns when the daemon has asked the server for content."""
    with ControlClient(socket_path(mount.state_folder, mount.environment)) as client:
        wait_until(lambda: client.ask("cache")["counters"]["reading"]["under_way_bytes"] > 0)
