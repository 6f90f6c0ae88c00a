"""The doctor's own look at a server, at a real one over TLS."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from cxfs import service
from cxfs.config import Profile
from cxfs.core.errors import SignedOut, Unreachable, Untrusted
from cxfs.credentials import AccessToken
from cxfs.remote.probing import probe

if TYPE_CHECKING:
    from tests.mounting import Account


def profile_of(account: Account) -> Profile:
    return Profile("test", api_url=account.url, data_url=account.url, auth_url=account.url, ca_file=account.ca_file)


def test_a_server_is_seen_with_its_clock_and_certificate(own_account: Account) -> None:
    """On this machine both clocks are one."""
    seen = probe(own_account.url, ca_file=own_account.ca_file)

    assert seen.ahead_s is not None
    assert seen.certificate_s is not None
    assert abs(seen.ahead_s) < 30
    assert seen.certificate_s > 86_400
    assert 0 < seen.round_trip_s <= 10


def test_a_certificate_of_an_unknown_authority_is_not_trusted(own_account: Account) -> None:
    """And that is told from a server that is not there."""
    with pytest.raises(Untrusted, match="its certificate is not to be trusted"):
        probe(own_account.url, ca_file=None)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    """In words that hold no more than the host."""
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match=r"no answer from 127\.0\.0\.1"):
            probe(f"https://127.0.0.1:{taken.getsockname()[1]}", ca_file=None)


def test_a_throughput_is_measured_by_the_largest_file(own_account: Account) -> None:
    """Where there is one that is worth it."""
    token, profile = AccessToken.parse(own_account.token, "test"), profile_of(own_account)
    own_account.put("/small", b"x" * 1_000)
    nothing = service.throughput(profile, token)
    own_account.put("/large", bytes(2 << 20))

    measured = service.throughput(profile, token)

    assert nothing is None
    assert measured is not None
    assert (measured.bytes, measured.seconds > 0) == (2 << 20, True)


def test_a_refused_token_is_told_from_the_rest(own_account: Account) -> None:
    """As the doctor asks for it."""
    with pytest.raises(SignedOut):
        service.whoami(profile_of(own_account), AccessToken.parse("t" * 43, "test"))
