"""What the server asks of a database, whichever it is. Knows no question about users or files.

The SQL is what SQLite and PostgreSQL understand alike: `?` for a cell, `RETURNING` for what was given a number,
`ON CONFLICT` for what may be there, `"user"` in quotes. What the two cannot say alike stands in their own modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from cxfs.server.arrivals import Content
    from cxfs.server.commits import Commits

R = TypeVar("R")


class Rows(Protocol):
    """What a statement gave, to be taken once."""

    @property
    def rowcount(self) -> int:
        """Rows changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, a tuple; None when there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Where statements go. Who has it has it alone."""

    def execute(self, statement: str, cells: Sequence[Any] = ..., /) -> Rows:
        """One statement."""
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        """The same one for many rows of cells."""
        ...


class Database(Protocol):
    """The tables, wherever they are. All but `ask` block; all may be called from any thread but where it says so."""

    async def ask(self, question: Callable[[Connection], R], *, at_one_moment: bool = False) -> R:
        """The answer to a question that changes nothing, for the event loop.

        `at_one_moment`: its statements see the same state; without, each sees what was committed before it.
        """
        ...

    def look(self, question: Callable[[Connection], R]) -> R:
        """The same for a thread, each statement by itself."""
        ...

    def transaction(self, trees: Collection[str] | None = None) -> AbstractContextManager[Connection]:
        """All of it or nothing, durable when the block is left.

        Changes of one owner's tree happen one at a time: `trees` are the UUIDs of the owners whose trees this one looks
        at and changes; there may be none. Without, it is about accounts and access, and those happen one at a time.
        """
        ...

    def standstill(self) -> AbstractContextManager[Connection]:
        """A transaction during which nobody else changes anything."""
        ...

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Several questions about one moment. For whoever may wait; one at a time."""
        ...

    def commits(self) -> Commits:
        """Who tells the event loop of commits, of whatever process."""
        ...

    def take_unused(self, connection: Connection, count: int) -> list[int]:
        """So many contents, at most, that may have lost their last user, of which nobody has taken hold meanwhile.

        They are no longer noted as such, and nobody takes hold of them before the caller's transaction is over.
        """
        ...

    def insert_contents(self, connection: Connection, contents: Sequence[Content]) -> dict[bytes, int]:
        """Those that were not known get a row, in this order; the numbers of these, by SHA-256."""
        ...

    def hold_contents(self, connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """The numbers of those that are known. They stay so until the transaction is over, whoever sweeps."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...
