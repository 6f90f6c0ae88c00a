"""Contents as objects in an S3-compatible bucket. Knows no user or path.

An object's name is new for each arrival, so whoever removes one can never remove what another has just brought. Until
a content refers to it, and when none does any more, it is a row of `strays` with the time when it is due: an upload
enters its object there before the first byte goes out, and the transaction that refers to the object takes it off. What
a crash leaves stands in that table, and nothing has to go through the bucket to find it.

What is due is marked first (0) and removed then. An upload whose object is marked does not find it any more, and fails.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from cxfs.server.arrivals import Arrival
from cxfs.server.contents import keep_small
from cxfs.server.digests import places
from cxfs.server.errors import Refusal, ServerError, Unavailable
from cxfs.server.limits import (
    ARRIVAL_LIFE_S,
    DISCARDED_LIFE_S,
    OBJECT_ANSWER_S_MAX,
    OBJECT_PART_BYTES,
    OBJECT_PARTS_AT_ONCE,
    OBJECT_WINDOW_BYTES_FIRST,
    OBJECT_WINDOW_BYTES_MAX,
    STRAYS_AT_ONCE,
)
from cxfs.server.wire import new_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from obstore import WritableFile

    from cxfs.server.database import Connection, Database

log = logging.getLogger(__name__)


class ObjectSink:
    """A new object of that name. Nothing of it exists before `sync`."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self.name = name
        self.is_kept = False
        self._is_lost = False
        self._bucket = bucket
        with _answering():
            self._writer: WritableFile | None = obstore.open_writer(
                bucket.store, name, buffer_size=OBJECT_PART_BYTES, max_concurrency=OBJECT_PARTS_AT_ONCE
            )

    def write(self, piece: memoryview) -> None:
        """Appends; a part that is full goes out."""
        assert self._writer is not None
        with self._losing(), _answering():
            self._writer.write(bytes(piece))

    def sync(self) -> None:
        """The object is there, whole."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with self._losing(), _answering():
                writer.close()

    def close(self) -> None:
        """Nothing: only `sync` completes an object, and only `discard` gives one up."""

    def discard(self) -> None:
        """What was not kept goes: now, where that can be, or else when it is due.

        Completed first, because parts of what is not complete would stay, unseen and paid for.
        """
        if self.is_kept or self._is_lost:
            return
        with suppress(Unavailable):
            self.sync()
            self._bucket.remove_now(self.name)

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """A bucket that did not answer is not asked to take it back: whoever waits has waited long enough."""
        try:
            yield
        except Refusal:
            self._is_lost = True
            raise


class FarSource:
    """An object, fetched in windows that grow while it is read on; in memory, one at a time."""

    held: bytes | None = None
    is_far = True

    def __init__(self, store: S3Store, name: str, size: int) -> None:
        self._store = store
        self._name = name
        self._stop = size
        self._window = memoryview(b"")
        self._start = 0
        self._bytes_next = OBJECT_WINDOW_BYTES_FIRST

    def begin(self, start: int, stop: int) -> None:
        """Fetches the first window."""
        self._stop = stop
        self._fetch(start)

    def at_once(self, offset: int, room: memoryview) -> bytes | None:
        """What is left of the window."""
        at = offset - self._start
        return bytes(self._window[at : at + len(room)]) if 0 <= at < len(self._window) else None

    def read(self, offset: int, length: int) -> bytes:
        """From the next window."""
        room = memoryview(bytearray(length))
        piece = self.at_once(offset, room)
        if length and piece is None:
            self._fetch(offset)
            piece = self.at_once(offset, room)
        if length and not piece:
            raise EOFError("a content is shorter than its record")
        return piece or b""

    def _fetch(self, start: int) -> None:
        stop = min(start + self._bytes_next, self._stop)
        self._bytes_next = min(2 * self._bytes_next, OBJECT_WINDOW_BYTES_MAX)
        with _answering():
            self._window = memoryview(obstore.get_range(self._store, self._name, start=start, end=max(stop, start + 1)))
        self._start = start

    def close(self) -> None:
        """Lets go of the window."""
        self._window = memoryview(b"")


class Bucket:
    """`where` is `s3://bucket/prefix`; keys and endpoint are where S3's own tools look for them (`AWS_…`)."""

    is_far = True

    def __init__(
        self, where: str, database: Database, clock: Callable[[], int], *, answer_s: float = OBJECT_ANSWER_S_MAX
    ) -> None:
        self._where = where
        self._answer_s = answer_s
        self._database = database
        self._clock = clock
        self._places = places()

    @cached_property
    def store(self) -> S3Store:
        """Made at first use: its threads do not survive a fork."""
        try:
            return S3Store.from_url(
                self._where,
                client_options={
                    "allow_http": True,
                    "connect_timeout": timedelta(seconds=5),
                    "timeout": timedelta(seconds=self._answer_s),
                },
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=self._answer_s / 3)},
            )
        except (BaseError, ValueError) as error:
            raise ServerError(f"{self._where} is no bucket: {error}") from error

    def arrival(self) -> Arrival:
        """Room for new bytes."""
        return Arrival(self._sink, self._places)

    def _sink(self) -> ObjectSink:
        name = new_uuid()
        with self._database.transaction(()) as connection:
            due = self._clock() + ARRIVAL_LIFE_S * 1_000
            connection.execute("INSERT INTO strays (name, due_ms) VALUES (?, ?)", (name, due))
        return ObjectSink(self, name)

    def sync(self, *arrivals: Arrival) -> None:
        """One after the other."""
        for arrival in arrivals:
            arrival.sync()

    def keep(self, connection: Connection, *arrivals: Arrival) -> None:
        """Inside the caller's transaction. Of equal contents the first one's object stays."""
        for arrival in keep_small(connection, arrivals):
            assert isinstance(arrival.sink, ObjectSink)
            name = arrival.sink.name
            taken = connection.execute(
                "UPDATE contents SET stored_as = ? WHERE sha256 = ? AND stored_as = ''", (name, arrival.content.sha256)
            ).rowcount
            if not taken:
                continue
            if not connection.execute("DELETE FROM strays WHERE name = ? AND due_ms > 0", (name,)).rowcount:
                raise Unavailable("the upload took so long that its bytes were given up", wait_s=1)
            arrival.sink.is_kept = True

    def open(self, connection: Connection, content: int, _sha256: bytes, size: int) -> FarSource:
        """Raises FileNotFoundError."""
        row = connection.execute("SELECT stored_as FROM contents WHERE number = ?", (content,)).fetchone()
        if row is None or not row[0]:
            raise FileNotFoundError(content)
        return FarSource(self.store, row[0], size)

    def remove(self, connection: Connection, _sha256: bytes, stored_as: str) -> None:
        """Later: somebody may be in the middle of reading it."""
        if stored_as:
            due = self._clock() + DISCARDED_LIFE_S * 1_000
            connection.execute("INSERT INTO strays (name, due_ms) VALUES (?, ?)", (stored_as, due))

    def remove_now(self, name: str) -> None:
        """An object that nobody has seen. Raises Unavailable."""
        with _answering(), suppress(NotFoundError):
            obstore.delete(self.store, name)
        with self._database.transaction(()) as connection:
            connection.execute("DELETE FROM strays WHERE name = ?", (name,))

    def recover(self) -> bool:
        """Nothing: what was left is due some day, and `collect` finds it."""
        return False

    def collect(self) -> int:
        """How many went. One whose bucket does not answer is left for the next time."""
        with self._database.transaction(()) as connection:
            connection.execute("UPDATE strays SET due_ms = 0 WHERE due_ms > 0 AND due_ms <= ?", (self._clock(),))
            found = connection.execute("SELECT name FROM strays WHERE due_ms = 0 LIMIT ?", (STRAYS_AT_ONCE,)).fetchall()
        names = [name for (name,) in found]
        if names:
            with _answering(), suppress(NotFoundError):
                obstore.delete(self.store, names)
            with self._database.transaction(()) as connection:
                connection.executemany("DELETE FROM strays WHERE name = ? AND due_ms = 0", [(name,) for name in names])
        return len(names)

    def close(self) -> None:
        """Nothing is open between two calls."""


@contextmanager
def _answering() -> Iterator[None]:
    """Raises Unavailable, also where an object or the bucket is not there.

    No file's deletion shows so: its object is kept for an hour.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        log.warning("the bucket does not answer: %s", str(error).partition("\n")[0])
        raise Unavailable("the place of contents does not answer") from error
