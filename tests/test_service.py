"""Whose account a mount is of, asked of a running server."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from cxfs.config import Profile
from cxfs.service import MountedAccount, account_of as account_of_token
from tests.mounting import account_of

if TYPE_CHECKING:
    import pytest

    from tests.mounting import Account, CountingServer


async def test_another_accounts_token_is_told_of_once(
    running_server: CountingServer, own_account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The server is asked about it again and again while it lies there, which could fill a disk with the same line."""
    url = running_server.url
    profile = Profile("home", api_url=url, data_url=url, auth_url=url, ca_file=running_server.ca_file)
    mounted = MountedAccount(profile)
    mounted.is_that((await account_of_token(profile, own_account.token)).id)

    with account_of(running_server, f"other-{secrets.token_hex(4)}") as other, caplog.at_level(logging.WARNING):
        answers = [await mounted.has(other.token) for _ in range(3)]

    assert answers == [False] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"the new token is of {other.name}, another account than is mounted: unmount first"
    ]
    assert await mounted.has(own_account.token)
