"""Several server processes over one PostgreSQL and one bucket; one of all of them dies, or is away for a while."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.mounting import eventually, wait_until
from tests.server.engines import ObjectServer, Postgres
from tests.server.person import FORM_HEADERS, form
from tests.server.team import Team, put
from tests.server_process import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.storage("sqlite+folder")  # it brings a storage of its own, to be stopped
LARGE = b"large " * (1 << 17)
NOTE = "/1/data/self:%2Fnote"
ROOT = "/1/files/list/self:%2F"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """For all of these tests: each leaves it as it should be."""
    with ExitStack() as stack:
        postgres, objects = stack.enter_context(Postgres()), stack.enter_context(ObjectServer())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in objects.environment.items():
            patch.setenv(name, value)
        storage = Storage(database=postgres.new_database("team"), content=objects.url)
        team = Team(tmp_path_factory.mktemp("team"), postgres, objects, storage)
        team.begin(stack)
        yield team


def test_what_one_server_took_the_other_gives(team: Team) -> None:
    """Whichever the load balancer chooses: names, bytes, sessions, quota."""
    one, two = team.clients
    put(one, NOTE, LARGE).raise_for_status()

    assert two.get(NOTE).content == LARGE
    assert two.get("/1/users/self").json() == one.get("/1/users/self").json()


def test_a_change_at_one_server_is_heard_of_at_the_other(team: Team) -> None:
    """Whoever waits there for changes is woken."""
    one, two = team.clients
    cursor = two.get("/1/files/changes/self").json()["cursor"]

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(two.get, "/1/files/changes/self", params={"cursor": cursor, "timeout": "50"})
        one.post("/1/files/mkdir/self:%2Fheard").raise_for_status()
        told = waiting.result(60).json()

    assert [change["path"].partition(":")[2] for change in told["changes"]] == ["/heard", "/"]


def test_half_an_upload_is_nothing(team: Team) -> None:
    """The server that took it is killed: the other gives the version before."""
    one, two = team.clients
    put(one, NOTE, b"old").raise_for_status()
    sent = threading.Event()

    def body() -> Iterator[bytes]:
        yield form(("file", b"|")).split(b"|")[0]
        for _ in range(40):
            yield b"x" * (1 << 20)
        sent.set()
        team.servers[0].kill()
        yield b"x"

    with pytest.raises(httpx.TransportError):
        one.post(NOTE, content=body(), headers=FORM_HEADERS)
    assert sent.is_set()
    seen = two.get(NOTE).content
    team.servers[0].start()

    assert seen == b"old"
    assert eventually(lambda: one.get(NOTE).content, b"old") == b"old"


def test_without_its_database_a_server_says_when_to_come_again(team: Team) -> None:
    """Reading, changing and waiting are all 503 with Retry-After, and all is well when the database is back."""
    one, two = team.clients
    cursor = two.get("/1/files/changes/self").json()["cursor"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(two.get, "/1/files/changes/self", params={"cursor": cursor, "timeout": "50"})
        team.postgres.stop()
        answers = [one.get(ROOT), put(one, NOTE, b"new"), one.post("/1/files/mkdir/self:%2Fx"), two.get(NOTE)]
        answers.append(waiting.result(60))
    team.postgres.start()

    for answer in answers:
        assert (answer.status_code, answer.json()["errorType"]) == (503, "Unavailable")
        assert int(answer.headers["retry-after"]) > 0
    for client in (one, two):
        wait_until(lambda client=client: client.get(ROOT).status_code == 200)  # type: ignore[misc]
        wait_until(lambda client=client: put(client, NOTE, b"newer").status_code == 200)  # type: ignore[misc]


def test_without_its_bucket_a_server_goes_on_with_what_is_small(team: Team) -> None:
    """Names, changes and small files need none; for large ones it says when to come again."""
    one, two = team.clients
    put(one, "/1/data/self:%2Flarge", LARGE).raise_for_status()
    put(one, NOTE, b"small").raise_for_status()
    team.objects.stop()
    answers = [two.get("/1/data/self:%2Flarge"), put(one, "/1/data/self:%2Flarger", LARGE + b"r")]
    small, listed = two.get(NOTE), two.get(ROOT)
    team.objects.start()

    for answer in answers:
        assert (answer.status_code, answer.json()["errorType"]) == (503, "Unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert (small.content, listed.status_code) == (b"small", 200)
    wait_until(lambda: two.get("/1/data/self:%2Flarge").content == LARGE)
    put(two, "/1/data/self:%2Flarger", LARGE + b"r").raise_for_status()
    assert one.get("/1/data/self:%2Flarger").content == LARGE + b"r"


def test_a_server_does_not_begin_without_its_database(team: Team, tmp_path: Path) -> None:
    """And says so in one line."""
    from cxfs.server.errors import ServerError
    from cxfs.server.store import open_store

    nowhere = f"postgresql://cx@/nowhere?host={tmp_path}"
    with pytest.raises(ServerError, match="cannot use the database"), open_store(tmp_path / "x", database=nowhere):
        pass
