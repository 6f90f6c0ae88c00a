"""One profile, two accounts: what was written for the one must not reach the other."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from tests.mounting import account_of, wait_until

if TYPE_CHECKING:
    from tests.mounting import CountingServer, Mount


@pytest.mark.promise
def test_changes_that_wait_are_not_sent_to_another_account(own_mount: Mount, running_server: CountingServer) -> None:
    """A profile that signs in as somebody else is not mounted while changes of the former account wait in it."""
    with account_of(running_server, f"other-{secrets.token_hex(4)}") as other:
        (own_mount.path / "private.txt").write_text("for one's own eyes\n")
        own_mount.kill()
        wait_until(lambda: not own_mount.is_served)
        token = own_mount.home / "token"
        token.write_text(other.token)

        refused = own_mount.cxfs("mount", str(own_mount.path))
        token.write_text(own_mount.account.token)
        own_mount.start()
        own_mount.unmount()

        assert refused.returncode == 1
        assert "1 changes made through test wait for the account" in refused.stderr
        assert other.names() == set()
        assert own_mount.account.content("/private.txt") == b"for one's own eyes\n"


def test_with_nothing_waiting_a_profile_may_change_hands(own_mount: Mount, running_server: CountingServer) -> None:
    """What was read of the former account is not shown: it has other UUIDs."""
    (own_mount.path / "mine.txt").write_text("mine\n")
    own_mount.unmount()
    with account_of(running_server, f"other-{secrets.token_hex(4)}") as other:
        (own_mount.home / "token").write_text(other.token)

        own_mount.start()

        assert [path.name for path in own_mount.path.iterdir()] == []
        own_mount.unmount()


def test_a_running_mount_stays_with_its_account(own_mount: Mount, running_server: CountingServer) -> None:
    """Somebody else's token in its place is said, and mends nothing; one of the same account does."""
    own_mount.account.make_folder("/unseen")
    own_mount.run("ls", own_mount.path)
    with administration.open_store(running_server.directory) as store:
        administration.revoke_tokens(store, own_mount.account.name)
    token = own_mount.home / "token"
    with account_of(running_server, f"other-{secrets.token_hex(4)}") as other:
        token.write_text(other.token)
        own_mount.attempt("ls", own_mount.path / "unseen")
        wait_until(lambda: "another account than is mounted" in own_mount.log())
        refused = own_mount.attempt("ls", own_mount.path / "unseen")
        assert other.names() == set()

    token.write_text(running_server.issue_token(own_mount.account.name))
    wait_until(lambda: "signed in again" in own_mount.log())

    assert "Permission denied" in refused.stderr
    own_mount.run("ls", own_mount.path / "unseen")
