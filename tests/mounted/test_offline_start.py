"""A mount that begins without its server: at boot, in a train, on a machine that is started before the network."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

from cxfs.cli.exits import Exit
from tests.faults import FaultProxy, Faults, behind, proxy_beside
from tests.mounting import Account, Mount, account_of, errno_of, eventually, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mounting import CountingServer


@pytest.fixture
def faults() -> Faults:
    """Of the network."""
    return Faults()


@pytest.fixture
def proxy(running_server: CountingServer, faults: Faults) -> Iterator[FaultProxy]:
    """The network."""
    with proxy_beside(faults, running_server) as proxy:
        yield proxy


@pytest.fixture
def mount(proxy: FaultProxy, own_account: Account, tmp_path: Path) -> Iterator[Mount]:
    """Of the test's own account, over that network; not begun."""
    mount = Mount(behind(proxy, own_account), tmp_path / "home")
    try:
        yield mount
    finally:
        mount.end()


def state_of(mount: Mount) -> str:
    """As `cxfs status` tells it."""
    done = mount.cxfs("status", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return str(said[0]["connection"]["state"])


def said_by(mount: Mount, name: str) -> str:
    """The content of a file; nothing while it cannot be read."""
    return mount.attempt("cat", mount.path / name).stdout


@pytest.mark.promise
def test_a_mount_begins_without_its_server(mount: Mount, faults: Faults, own_account: Account) -> None:
    """A mount that was there before begins without the server too; it is offline then, and goes on by itself when the
    server is back.
    """
    mount.start()
    (mount.path / "before.txt").write_text("before")
    mount.unmount()
    faults.refuses()

    mount.start()
    state = state_of(mount)
    errno = errno_of((mount.path / "before.txt").read_text)
    faults.opens()

    assert state == "offline"
    assert errno == "EHOSTUNREACH"
    assert eventually(lambda: said_by(mount, "before.txt"), "before") == "before"


def test_what_waits_is_sent_when_the_server_is_back(mount: Mount, faults: Faults, own_account: Account) -> None:
    """Also what was written before the daemon was killed, and the machine lost its network."""
    mount.start()
    mount.run("ls", mount.path)
    faults.refuses()
    (mount.path / "waits.txt").write_text("waits")
    mount.kill()
    wait_until(lambda: not mount.is_served)

    mount.start()
    faults.opens()

    wait_until(lambda: own_account.names() == {"waits.txt"})
    assert own_account.content("/waits.txt") == b"waits"


def test_a_mount_that_was_never_there_needs_the_server(mount: Mount, faults: Faults) -> None:
    """Nothing is known of the account."""
    faults.refuses()

    said = mount.cxfs("mount", str(mount.path))

    assert said.returncode == Exit.UNREACHABLE


def test_nothing_is_sent_to_another_account_whose_token_lies_there(
    mount: Mount, faults: Faults, own_account: Account, running_server: CountingServer
) -> None:
    """Without the server nobody can tell whose a token is. It is asked for that before for anything else."""
    mount.start()
    mount.run("ls", mount.path)
    faults.refuses()
    (mount.path / "private.txt").write_text("for one's own eyes")
    mount.kill()
    wait_until(lambda: not mount.is_served)
    with account_of(running_server, f"other-{secrets.token_hex(4)}") as other:
        (mount.home / "token").write_text(other.token)

        mount.start()
        faults.opens()
        wait_until(lambda: state_of(mount) == "signed-out")
        refused = errno_of(lambda: list(mount.path.iterdir()))
        names = other.names()
        (mount.home / "token").write_text(own_account.token)

        assert (refused, names) == ("EACCES", set())
        wait_until(lambda: own_account.names() == {"private.txt"})
        assert own_account.content("/private.txt") == b"for one's own eyes"
