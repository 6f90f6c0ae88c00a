"""Whether a request costs the same in an account of a thousand objects and of a million: its time, and its statements.

Accounts of all sizes are there side by side, each in a database of its own, and are asked in turn: so what disturbs the
machine disturbs all of them. Times are of the application without a socket; of PostgreSQL, the way to it included.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from cxfs.server.store import make_store
from tests.capacity.asking import BUNDLED, EVERYTHING, IN_ONE_FOLDER, MEASURED, Account
from tests.capacity.filling import filled_account
from tests.capacity.watching import WatchedPostgres, WatchedSqlite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxfs.server.store import Store
    from tests.capacity.asking import Request
    from tests.capacity.filling import Shape
    from tests.server.engines import Postgres

Watched = WatchedPostgres | WatchedSqlite

TURNS: Final = 60
TURNS_WATCHED: Final = 12
"""Enough that PostgreSQL settles on the plan for whatever comes: it looks at the first ten executions."""

TURNS_MAX: Final = 10_000
"""Turns of what is watched are numbered from here, beyond those that were timed."""


@dataclass
class Place:
    """A server's directory and, in PostgreSQL, the name of its database; with one account in it."""

    directory: Path
    count: int
    shape: Shape
    token: str = ""
    postgres: Postgres | None = None
    database: str = ""

    def open(self) -> Store:
        """As a server does."""
        return make_store(self.directory, database=self.postgres.url(self.database) if self.postgres else None)

    def account(self, store: Store, *, bundled: int = BUNDLED) -> Account:
        """The one that was filled in, as a server over that store shows it."""
        return Account(store, self.token, self.count, self.shape, bundled=bundled)

    def watched(self) -> Watched:
        """The same, and its statements are seen."""
        if self.postgres is None:
            return WatchedSqlite(self.directory)
        return WatchedPostgres(self.directory, self.postgres, self.database)


@dataclass
class Growth:
    """What was found, by request and number of objects: seconds, statements, work; and what goes through a table.

    `sent` is the work of each statement in the last turn.
    """

    seconds: defaultdict[str, defaultdict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    statements: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    work: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    offences: set[str] = field(default_factory=set)
    sent: defaultdict[str, dict[int, Counter[str]]] = field(default_factory=lambda: defaultdict(dict))

    def dearer(self, small: int, large: int, factor: float) -> list[str]:
        """The requests whose work grows by more than that factor, with the statements that do it, dearest first."""
        found = []
        for name, work in self.work.items():
            if work[large] > factor * work[small]:
                more = self.sent[name][large] - self.sent[name][small]
                found.append(f"{name}: {work[small]} -> {work[large]}, of it {more.most_common()}")
        return found

    def table(self, counts: Sequence[int]) -> str:
        """One row a request; the first size is what the others are compared with."""
        first, *others = counts
        heads = ["request", "statements", f"ms at {first:,}", *(f"at {count:,}" for count in others)]
        lines = [" | ".join(heads), "|".join(["---", *["---:"] * (len(heads) - 1)])]
        for request, seconds in self.seconds.items():
            medians = {count: statistics.median(seconds[count]) for count in counts}
            ratios = [
                f"{medians[count] / medians[first]:.2f} ({self.work[request][count] / self.work[request][first]:.2f})"
                for count in others
            ]
            cells = [request, str(self.statements[request][first]), f"{1_000 * medians[first]:.2f}", *ratios]
            lines.append(" | ".join(cells))
        return "\n".join(f"| {line} |" for line in lines)


@contextmanager
def filled_place(count: int, shape: Shape = "folders", postgres: Postgres | None = None) -> Iterator[Place]:
    """With an account of so many objects; PostgreSQL knows how many there are, as it does in time by itself."""
    directory = Path(tempfile.mkdtemp(prefix="cxfs-capacity-"))
    place = Place(directory, count, shape, postgres=postgres, database=f"objects_{count}_{shape.replace(' ', '_')}")
    if postgres is not None:
        postgres.new_database(place.database)
    try:
        store = place.open()
        place.token = filled_account(store, "ann", count, shape)
        store.close()
        if postgres is not None:
            with psycopg.connect(postgres.url(place.database), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        yield place
    finally:
        shutil.rmtree(directory)
        if postgres is not None:
            with psycopg.connect(postgres.url(), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {place.database} WITH (FORCE)")  # type: ignore[call-overload,unused-ignore]


async def time_in_turn(places: Sequence[Place], requests: Mapping[str, Request], turns: int, growth: Growth) -> None:
    """Each request of each turn in all accounts before the next. The first turn only warms up."""
    with ExitStack() as stack:
        stores = [place.open() for place in places]
        for store in stores:
            stack.callback(store.close)
        accounts = [place.account(store) for store, place in zip(stores, places, strict=True)]
        for turn in range(turns + 1):
            for name, request in requests.items():
                for account in accounts[turn % len(accounts) :] + accounts[: turn % len(accounts)]:
                    account.turn = turn
                    began = time.perf_counter()
                    await request(account)
                    if turn:
                        growth.seconds[name][account.count].append(time.perf_counter() - began)


async def watch(
    place: Place, requests: Mapping[str, Request], growth: Growth, *, turns: int = TURNS_WATCHED, bundled: int = BUNDLED
) -> None:
    """What each request sends, in the median of the turns."""
    watched = place.watched()
    account = place.account(watched.store, bundled=bundled)
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for turn in range(turns):
        account.turn = TURNS_MAX + turn
        for name, request in requests.items():
            await request(account)
            ran = watched.ran()
            found[name].append((len(ran), sum(each.work for each in ran)))
            growth.sent[name][place.count] = Counter()
            for each in ran:
                growth.sent[name][place.count][each.statement] += each.work
            growth.offences |= {
                f"{name}, {place.count:,} objects: {' '.join(each.scanned)}: {each.statement}"
                for each in ran
                if each.offends
            }
    for name, counted in found.items():
        growth.statements[name][place.count], growth.work[name][place.count] = (
            int(statistics.median(numbers)) for numbers in zip(*counted, strict=True)
        )
    watched.close()


async def grown(counts: Sequence[int], shape: Shape, postgres: Postgres | None, turns: int) -> Growth:
    """All of it in one of the databases."""
    growth = Growth()
    requests = MEASURED if shape == "folders" else IN_ONE_FOLDER
    with ExitStack() as stack:
        places = [stack.enter_context(filled_place(count, shape, postgres)) for count in counts]
        await time_in_turn(places, requests, turns, growth)
        for place in places:
            await watch(place, EVERYTHING if shape == "folders" else requests, growth)
    return growth
