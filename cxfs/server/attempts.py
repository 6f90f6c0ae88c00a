"""How often a password was tried, and how long to wait for the next try. Knows no password and compares none.

Counted for an account and the place that the tries come from together, so that whoever guesses at an account slows down
only himself and his neighbours, for a minute at most. Only a hash of the two is kept: people type passwords where their
name belongs.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from cxfs.server.hashes import hash_of
from cxfs.server.limits import ATTEMPT_PAUSE_S_MAX, ATTEMPT_ROWS_MAX, ATTEMPTS_FORGOTTEN_S, ATTEMPTS_FREE

if TYPE_CHECKING:
    from cxfs.server.database import Connection

_PREFIX_BITS: Final = {4: 24, 6: 56}
"""What one household or one rented machine has at its disposal, or near it."""


def pause_ms(failures: int) -> int:
    """Between so many failures and the next try."""
    doublings = failures - ATTEMPTS_FREE
    return 0 if doublings < 0 else 1_000 * min(1 << min(doublings, 30), ATTEMPT_PAUSE_S_MAX)


def place_of(address: str) -> str:
    """The network that an address belongs to; what is no address stands for itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, _PREFIX_BITS[parsed.version]), strict=False))


def begin(connection: Connection, name: str, address: str, now: int) -> int:
    """Milliseconds to wait; 0: go on, and it counts as a failure until `forget`. So tries at once cannot slip through.

    A try that has to wait does not count: who is impatient waits no longer for it.
    """
    key = _key(name, address)
    connection.execute("DELETE FROM attempts WHERE last_ms <= ?", (now - ATTEMPTS_FORGOTTEN_S * 1_000,))
    row = connection.execute("SELECT failures, last_ms FROM attempts WHERE hash = ?", (key,)).fetchone()
    failures, last = row or (0, now)
    wait = last + pause_ms(failures) - now
    if wait > 0:
        return wait
    connection.execute(
        "INSERT INTO attempts VALUES (?, ?, ?)"
        " ON CONFLICT (hash) DO UPDATE SET failures = excluded.failures, last_ms = excluded.last_ms",
        (key, failures + 1, now),
    )
    (count,) = connection.execute("SELECT count(*) FROM attempts").fetchone()
    if count > ATTEMPT_ROWS_MAX:
        connection.execute(
            "DELETE FROM attempts WHERE hash IN"
            " (SELECT hash FROM attempts WHERE hash != ? ORDER BY failures, last_ms LIMIT ?)",
            (key, count - ATTEMPT_ROWS_MAX),
        )
    return 0


def forget(connection: Connection, name: str, address: str) -> None:
    """The password was right."""
    connection.execute("DELETE FROM attempts WHERE hash = ?", (_key(name, address),))


def _key(name: str, address: str) -> bytes:
    return hash_of(f"{place_of(address)} {name}")
