"""No request costs more the more there is: what it sends is followed by keys, in both databases.

In small: ten thousand objects. `make capacity` does the same with a million, and takes the times.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Final

import anyio
import psycopg
import pytest

from tests.capacity.asking import BUNDLED as FULL, EVERYTHING, IN_ONE_FOLDER
from tests.capacity.growth import Growth, Place, filled_place, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.engines import Postgres

SMALL: Final = 1_000
LARGE: Final = 10_000
NEARLY: Final = 1.5
"""An index of ten times as many rows is a page higher at most."""
BUNDLED: Final = 8
LAST: Final = "list, the last page"

pytestmark = pytest.mark.storage("sqlite+folder")  # each test goes through both databases by itself


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest) -> Iterator[dict[int, Place]]:
    """Two servers, each with one account of so many objects."""
    postgres = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    with ExitStack() as stack:
        yield {count: stack.enter_context(filled_place(count, postgres=postgres)) for count in (SMALL, LARGE)}


@pytest.fixture(scope="module")
def growth(places: dict[int, Place]) -> Growth:
    """What all requests have sent to both."""
    growth = Growth()
    for place in places.values():
        anyio.run(lambda place=place: watch(place, EVERYTHING, growth, bundled=BUNDLED))  # type: ignore[misc]
    return growth


def test_no_request_goes_through_a_whole_table(growth: Growth) -> None:
    """Statements as they were sent, with the plans by which they were carried out."""
    assert growth.offences == set()


def test_a_request_looks_at_as_much_in_a_large_account_as_in_a_small_one(growth: Growth) -> None:
    """In pages of PostgreSQL, or steps of SQLite's machine: neither depends on the machine."""
    dearer = growth.dearer(SMALL, LARGE, NEARLY)

    assert not dearer, "\n".join(dearer)


def test_a_file_in_a_bundle_takes_fewer_statements_than_alone(growth: Growth) -> None:
    """And of those that are left two travel with the others' in PostgreSQL."""
    bundle, alone = (growth.statements[name][LARGE] for name in (f"upload of a bundle of {FULL}", "upload"))

    assert bundle < 0.75 * BUNDLED * alone


def test_a_page_of_a_large_folder_does_not_fetch_what_comes_before_it(postgres: Postgres) -> None:
    """It is passed over in the index. SQLite counts the steps of that as well: there it is not to be seen."""
    growth = Growth()
    with ExitStack() as stack:
        for count in (SMALL, LARGE):
            place = stack.enter_context(filled_place(count, "one folder", postgres))
            anyio.run(lambda place=place: watch(place, {LAST: IN_ONE_FOLDER[LAST]}, growth, turns=1))  # type: ignore[misc]

    assert growth.work[LAST][LARGE] < NEARLY * growth.work[LAST][SMALL]


@pytest.mark.parametrize(
    ("index", "request_name"),
    [
        ("feed_by_position", "feed, 100 changes"),
        ("roots", "info"),
        ("nodes_by_content", "removal of what nobody needs"),
        ("versions_by_content", "removal of what nobody needs"),
    ],
)
def test_a_missing_index_is_noticed(places: dict[int, Place], growth: Growth, index: str, request_name: str) -> None:
    """Of those that are no constraint each serves a request."""
    poorer = Growth()
    requests = {"upload": EVERYTHING["upload"], "move": EVERYTHING["move"], "delete": EVERYTHING["delete"]}

    with without(index, places[LARGE]):
        wanted = {**requests, request_name: EVERYTHING[request_name]}
        anyio.run(lambda: watch(places[LARGE], wanted, poorer, turns=3))

    usual, found = growth.work[request_name][LARGE], poorer.work[request_name][LARGE]
    assert poorer.offences or found > NEARLY * usual


@contextmanager
def without(index: str, place: Place) -> Iterator[None]:
    """Takes the index away for a while."""
    if place.postgres is None:
        with closing(sqlite3.connect(place.directory / "cx.sqlite3", isolation_level=None)) as tables:
            (definition,) = tables.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
            tables.execute(f"DROP INDEX {index}")
            yield
            tables.execute(definition)
    else:
        with psycopg.connect(place.postgres.url(place.database), autocommit=True) as database:
            found = database.execute("SELECT pg_get_indexdef(%s::regclass)", (index,)).fetchone()
            assert found is not None
            database.execute(f"DROP INDEX {index}")  # type: ignore[call-overload,unused-ignore]
            yield
            database.execute(found[0])
