"""What the server asks of the place where contents are, whichever it is. Knows no user or path.

A content of up to SMALL_BYTES_MAX is a row of the table `small` everywhere, written and committed with the rows that
refer to it. Only larger ones are kept elsewhere, durable no later than what refers to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cxfs.server.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cxfs.server.arrivals import Arrival, Content
    from cxfs.server.database import Connection, Database
    from cxfs.server.sources import Source

_KEEP: Final = "INSERT INTO small SELECT number, ? FROM contents WHERE sha256 = ? ON CONFLICT DO NOTHING"


class Contents(Protocol):
    """Large contents. Everything here blocks and may be called from any thread.

    `is_far`: on the other side of a network, which may take its time.
    """

    is_far: bool

    def arrival(self) -> Arrival:
        """Room for new bytes."""
        ...

    def sync(self, *arrivals: Arrival) -> None:
        """As each arrival's own, for many at once."""
        ...

    def keep(self, connection: Connection, *arrivals: Arrival) -> None:
        """Makes synced arrivals, whose contents the tables know, last as the commit of the caller's transaction does.

        Inside it, so that `remove` cannot come in between. For many there is `keep_known`.
        """
        ...

    def open(self, connection: Connection, content: int, sha256: bytes, size: int) -> Source:
        """To be read from now on, whatever becomes of it. Raises FileNotFoundError."""
        ...

    def remove(self, connection: Connection, sha256: bytes, stored_as: str) -> None:
        """Forgets the bytes of a content whose row the caller's transaction has deleted."""
        ...

    def recover(self) -> bool:
        """After a crash: removes what had half arrived, and what was placed but never referred to. For server start.

        Whether there was anything that may have ended half-way. Leaves alone what living processes are about.
        """
        ...

    def collect(self) -> int:
        """Removes some of what is due to go, and says how many; safe beside anything, in any number of processes.

        Raises Unavailable.
        """
        ...

    def close(self) -> None:
        """A clean end."""
        ...


def know_content(connection: Connection, content: Content) -> int:
    """The number of this content, which is the same for equal bytes whoever brings them."""
    while True:  # once, unless what was there has just been swept by another process
        row = (
            connection.execute(
                "INSERT INTO contents (sha256, size, sha1, md5) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING RETURNING number",
                content,
            ).fetchone()
            or connection.execute("SELECT number FROM contents WHERE sha256 = ?", (content.sha256,)).fetchone()
        )
        if row is not None:
            return int(row[0])


class Known(NamedTuple):
    """Numbers of contents, by SHA-256, until the end of a transaction; `new` are those that it made known itself."""

    numbers: dict[bytes, int]
    new: frozenset[bytes]


def know_contents(database: Database, connection: Connection, contents: Iterable[Content]) -> Known:
    """As `know_content` for many, none of which is swept before the transaction is over. Raises Unavailable.

    In one order for all: a database lets one transaction wait until another that brings the same content has ended, and
    two that bring the same contents in different orders would wait for each other.
    """
    ordered = sorted(set(contents))
    new = database.insert_contents(connection, ordered)
    held = database.hold_contents(connection, [each.sha256 for each in ordered if each.sha256 not in new])
    if len(new) + len(held) < len(ordered):
        raise Unavailable("a content has just been removed", wait_s=1)
    return Known(new | held, frozenset(new))


def keep_known(contents: Contents, connection: Connection, known: Known, arrivals: Sequence[Arrival]) -> None:
    """Keeps those of the known contents that something refers to, in the same order for all, and forgets the others."""
    ordered = sorted(arrivals, key=lambda arrival: arrival.content.sha256)
    contents.keep(connection, *ordered)
    others = known.new.difference(arrival.content.sha256 for arrival in ordered)
    connection.executemany("DELETE FROM contents WHERE number = ?", [(known.numbers[each],) for each in others])


def keep_small(connection: Connection, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
    """Those that are small as rows, which may be there; the others."""
    rows = [(arrival.bytes, arrival.content.sha256) for arrival in arrivals if arrival.sink is None]
    if len(rows) == 1:
        connection.execute(_KEEP, rows[0])
    elif rows:
        connection.executemany(_KEEP, rows)
    return [arrival for arrival in arrivals if arrival.sink is not None]


def note_unused(connection: Connection, contents: Sequence[int]) -> None:
    """Contents that may have lost their last user; `Store.sweep` finds out."""
    connection.executemany("INSERT INTO unused VALUES (?) ON CONFLICT DO NOTHING", [(number,) for number in contents])
