"""Two servers over one PostgreSQL and one bucket, under traffic, while one of all of them is away. Clients go on."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.mounting import wait_until
from tests.server.engines import ObjectServer, Postgres
from tests.server.line import Line, reached
from tests.server.team import Team
from tests.server.traffic import Traffic
from tests.server_process import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.storage("sqlite+folder")  # it brings a storage of its own, to be stopped


class Site(NamedTuple):
    """All machines of a service, and the lines between."""

    team: Team
    to_database: Line
    to_bucket: Line


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """For all of these tests: each leaves it as it should be."""
    with ExitStack() as stack:
        postgres, objects = stack.enter_context(Postgres()), stack.enter_context(ObjectServer())
        url = postgres.new_database("site")
        to_database = stack.enter_context(Line(partial(reached, postgres.socket)))
        bucket_port = int(objects.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
        to_bucket = stack.enter_context(Line(partial(socket.create_connection, ("127.0.0.1", bucket_port))))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in objects.environment.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{to_bucket.port}")
        database = url.replace("@/", f"@127.0.0.1:{to_database.port}/").partition("?")[0]
        folder = tmp_path_factory.mktemp("site")
        team = Team(folder, postgres, objects, Storage(database=database, content=objects.url))
        team.begin(stack)
        yield Site(team, to_database, to_bucket)


Trouble = tuple["Callable[[Site], None]", "Callable[[Site], None]"]

TROUBLES: dict[str, Trouble] = {
    "a server is killed": (lambda site: site.team.servers[0].kill(), lambda site: site.team.servers[0].start()),
    "PostgreSQL is stopped": (lambda site: site.team.postgres.stop(), lambda site: site.team.postgres.start()),
    "the bucket is stopped": (lambda site: site.team.objects.stop(), lambda site: site.team.objects.start()),
    "the line to PostgreSQL is cut": (lambda site: site.to_database.cut(), lambda site: site.to_database.mend()),
    "the line to the bucket is cut": (lambda site: site.to_bucket.cut(), lambda site: site.to_bucket.mend()),
    "the line to PostgreSQL is silent": (
        lambda site: site.to_database.fall_silent(),
        lambda site: site.to_database.mend(),
    ),
    "the line to PostgreSQL forgets": (
        lambda site: site.to_database.forget(),
        lambda _: None,
    ),
    "the line to the bucket is silent": (
        lambda site: site.to_bucket.fall_silent(),
        lambda site: site.to_bucket.mend(),
    ),
}
SHORT = ["a server is killed", "PostgreSQL is stopped", "the bucket is stopped"]


@contextmanager
def away(site: Site, what: str, for_s: float) -> Iterator[None]:
    """It happens, and is over when the block has been left and that time has passed."""
    begin, end = TROUBLES[what]
    begin(site)
    try:
        yield
        threading.Event().wait(for_s)
    finally:
        end(site)


@pytest.mark.parametrize("what", SHORT)
def test_nothing_that_was_acknowledged_is_lost_when(site: Site, what: str) -> None:
    """Clients are told to come again, or take the other server; the feed has told of everything; no step was needed."""
    with Traffic(site.team) as traffic:
        traffic.goes_on()
        with away(site, what, 0):
            wait_until(lambda: traffic.refused + traffic.interrupted > 0)
        traffic.goes_on()

    assert traffic.problems == []
    assert traffic.lost() == []


@pytest.mark.long
@pytest.mark.parametrize("what", TROUBLES)
def test_half_a_minute_away(site: Site, what: str) -> None:
    """The same for so long that pools give up, waits run out and everything that waits is full."""
    with Traffic(site.team) as traffic:
        traffic.goes_on()
        with away(site, what, 30):
            pass
        traffic.goes_on()

    assert traffic.problems == []
    assert traffic.lost() == []
