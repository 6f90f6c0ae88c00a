"""What a mount tells the desktop of whoever mounted it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from tests.mounting import Mount
from tests.upkeep.desktop import Desktop, session_bus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounting import Account, CountingServer


@pytest.mark.promise
async def test_a_desktop_is_told_when_the_account_is_signed_out(
    own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """A desktop is told when uploads are parked, when something went beside another client's change, and when the
    account is signed out; with `--no-notifications` it is not."""
    own_account.make_folder("/unseen")
    with ExitStack() as stack:
        bus = stack.enter_context(session_bus(tmp_path))
        session = ("env", f"DBUS_SESSION_BUS_ADDRESS={bus}")
        silent = Mount(own_account, tmp_path / "silent", "--no-notifications", prefix=session)
        mounts = [stack.enter_context(each) for each in (silent, Mount(own_account, tmp_path / "home", prefix=session))]
        async with Desktop.on(bus) as desktop:
            with administration.open_store(running_server.directory) as store:
                administration.revoke_tokens(store, own_account.name)

            refused = [mount.attempt("ls", mount.path / "unseen").returncode for mount in mounts]
            await desktop.has_shown(1)

            assert 0 not in refused
            assert [each[3] for each in desktop.shown] == ["test: Signed out"]
